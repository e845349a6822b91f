//! The list of one epoch's bodies, read in step with its manifests. It lists and judges nothing.
//!
//! Within an epoch bodies sort by date and seq just as manifests sort by seq, so one page of their
//! list is in memory at a time. What the list shows and no manifest names is kept for the end.

use crate::listing::lister::{KeyVersions, ListError, Lister};
use crate::listing::store_reader::StoreReader;
use ledger::name::{Epoch, Name};
use std::collections::BTreeSet;
use store::{Store, Version};

/// Versions of a body's key that are looked at one by one. A body's name holds its hash, so nobody
/// can put versions there before it; the oldest are kept.
const VERSIONS_MAX: usize = 4000;

/// Unnamed keys of an epoch that are kept until its end.
const UNNAMED_MAX: usize = 1000;

/// Walks the list of one epoch's bodies.
pub(crate) struct BodyList<S> {
    reader: StoreReader<S>,
    folder: String,
    epoch: Epoch,
    open: Option<(String, Lister<S>)>,
    held: Option<KeyVersions>,
    /// Keys that a statement names which is not followed: evidence of a fork, not orphans.
    pub(crate) named_elsewhere: BTreeSet<String>,
    pub(crate) unnamed: Vec<Version>,
    /// Unnamed keys beyond those kept.
    pub(crate) unnamed_more: u64,
    newest_date: String,
    disordered: bool,
}

/// The list prefix under which one epoch's bodies of one date stand.
pub(crate) fn day_prefix(agent: &Name, stream: &Name, date: &str, epoch: Epoch) -> String {
    format!("entries/agent={agent}/stream={stream}/date={date}/{epoch}-")
}

impl<S: Store> BodyList<S> {
    pub(crate) fn new(reader: &StoreReader<S>, agent: &Name, stream: &Name, epoch: Epoch) -> Self {
        Self {
            reader: reader.clone(),
            folder: format!("entries/agent={agent}/stream={stream}/"),
            epoch,
            open: None,
            held: None,
            named_elsewhere: BTreeSet::new(),
            unnamed: Vec::new(),
            unnamed_more: 0,
            newest_date: String::new(),
            disordered: false,
        }
    }

    /// All versions of `key`, which is under `date` and after every key asked for before.
    pub(crate) async fn versions_of(
        &mut self,
        key: &str,
        date: &str,
    ) -> Result<Vec<Version>, ListError> {
        if self.open.as_ref().is_none_or(|(open, _)| open != date) {
            self.finish_day().await?;
            // A date that goes back is reported with the chain. Its day is then listed twice, and what
            // was named the first time would look unnamed.
            if date < self.newest_date.as_str() {
                self.disordered = true;
                self.unnamed.clear();
                self.unnamed_more = 0;
            }
            self.newest_date = date.max(&self.newest_date).to_string();
            let prefix = format!("{}date={date}/{}-", self.folder, self.epoch);
            self.open = Some((date.to_string(), Lister::new(&self.reader, prefix)));
        }
        let mut versions = Vec::new();
        while let Some(group) = self.next_group().await? {
            if group.key.as_str() > key {
                self.held = Some(group);
                break;
            }
            if group.key == key {
                versions.extend(group.versions);
                let excess = versions.len().saturating_sub(VERSIONS_MAX);
                versions.drain(..excess);
            } else {
                self.leave_unnamed(group);
            }
        }
        Ok(versions)
    }

    /// Reads the rest of the open day: nothing in it is named any more.
    pub(crate) async fn finish_day(&mut self) -> Result<(), ListError> {
        while let Some(group) = self.next_group().await? {
            self.leave_unnamed(group);
        }
        self.open = None;
        Ok(())
    }

    async fn next_group(&mut self) -> Result<Option<KeyVersions>, ListError> {
        if let Some(group) = self.held.take() {
            return Ok(Some(group));
        }
        match &mut self.open {
            Some((_, lister)) => lister.next().await,
            None => Ok(None),
        }
    }

    fn leave_unnamed(&mut self, group: KeyVersions) {
        if self.disordered || self.named_elsewhere.contains(&group.key) {
            return;
        }
        for version in group.versions {
            if self.unnamed.len() < UNNAMED_MAX {
                self.unnamed.push(version);
            } else {
                self.unnamed_more += 1;
            }
        }
    }
}
