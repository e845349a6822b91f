//! All versions and delete markers below a prefix, key by key, a page of them in memory at a time.

use crate::listing::store_reader::StoreReader;
use std::collections::VecDeque;
use store::{Store, StoreError, Token, Version};

/// Versions of one key in one group; a key with more comes in several groups, one after another.
const GROUP_MAX: usize = 1000;

/// Pages without an item that are read in a row before the list counts as endless.
const EMPTY_PAGES_MAX: u32 = 1000;

/// Versions of one key, as the store lists them.
#[derive(Debug)]
pub(crate) struct KeyVersions {
    pub(crate) key: String,
    pub(crate) versions: Vec<Version>,
}

/// Why a list could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Everything downstream relies on the order, so a list without it is not used.
    #[error("the list of {prefix:?} names {key:?} where it cannot stand")]
    OutOfOrder { prefix: String, key: String },
    #[error("the list of {prefix:?} has no end")]
    Endless { prefix: String },
}

enum NextPage {
    Token(Option<Token>),
    End,
}

/// A list, read as far as it has been asked for.
pub(crate) struct Lister<S> {
    reader: StoreReader<S>,
    prefix: String,
    next: NextPage,
    items: VecDeque<Version>,
    last_key: String,
}

impl<S: Store> Lister<S> {
    pub(crate) fn new(reader: &StoreReader<S>, prefix: impl Into<String>) -> Self {
        Self {
            reader: reader.clone(),
            prefix: prefix.into(),
            next: NextPage::Token(None),
            items: VecDeque::new(),
            last_key: String::new(),
        }
    }

    /// The next key's versions; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<KeyVersions>, ListError> {
        if self.items.is_empty() {
            self.fill().await?;
        }
        let Some(first) = self.items.pop_front() else {
            return Ok(None);
        };
        let mut group = KeyVersions {
            key: first.key.clone(),
            versions: vec![first],
        };
        while group.versions.len() < GROUP_MAX {
            if self.items.is_empty() {
                self.fill().await?;
            }
            match self.items.pop_front() {
                Some(item) if item.key == group.key => group.versions.push(item),
                Some(other) => {
                    self.items.push_front(other);
                    break;
                }
                None => break,
            }
        }
        Ok(Some(group))
    }

    async fn fill(&mut self) -> Result<(), ListError> {
        for _ in 0..EMPTY_PAGES_MAX {
            let NextPage::Token(token) = &self.next else {
                return Ok(());
            };
            let page = self.reader.list(&self.prefix, token.as_ref()).await?;
            self.next = page
                .next
                .map_or(NextPage::End, |token| NextPage::Token(Some(token)));
            for item in page.items {
                if item.key < self.last_key || !item.key.starts_with(&self.prefix) {
                    return Err(ListError::OutOfOrder {
                        prefix: self.prefix.clone(),
                        key: item.key,
                    });
                }
                if item.key > self.last_key {
                    self.last_key.clone_from(&item.key);
                }
                self.items.push_back(item);
            }
            if !self.items.is_empty() {
                return Ok(());
            }
        }
        Err(ListError::Endless {
            prefix: self.prefix.clone(),
        })
    }
}
