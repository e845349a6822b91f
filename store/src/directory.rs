//! `file:///dir`: a store in a local directory, for trying out, air-gapped hosts and WORM NAS.
//!
//! A key is a path below the directory and has one version, `null`. On a plain disk a lock is
//! evidence, not protection. Only a key of Holdfast's own grammar becomes a path at all.

mod atime_lock;
mod directory_fault;
mod directory_tree;
mod intrude;
mod walk;

use super::{
    Capability, Fetched, Lock, LockMode, Page, Protection, Put, SetupFault, Store, StoreError,
    StoredVersion, Token,
};
use bytes::Bytes;
use directory_fault::DirectoryFault;
use directory_tree::{DirectoryTree, ONLY_VERSION, Place};
use ledger::{Digest, Moment};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Entries of a page; each page costs one pass over the names of its folder.
const PAGE_SIZE: usize = 16 * 1024;

/// A directory that keeps objects.
#[derive(Debug, Clone)]
pub struct DirectoryStore {
    url: Arc<str>,
    root: Arc<Path>,
    page_size: usize,
}

impl DirectoryStore {
    /// The store in `root`, which need not be there yet: [`Store::check`] says so.
    #[must_use]
    pub fn new(root: PathBuf, url: &str, page_size: Option<usize>) -> Self {
        Self {
            url: url.into(),
            root: root.into(),
            page_size: page_size.unwrap_or(PAGE_SIZE).max(1),
        }
    }

    /// Makes the directory, durably, if it is not there; says whether it did.
    pub async fn make(&self) -> Result<bool, StoreError> {
        let make = |tree: &DirectoryTree| match tree.open_root() {
            Err(DirectoryFault::NoRoot) => tree.make_root().map(|()| true),
            opened => opened.map(|_| false),
        };
        self.blocking("make", "", make).await
    }

    /// Removes what killed writers left beside the objects. Any number of archivers may write at the same time.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        self.blocking("sweep", "", DirectoryTree::sweep_scratch)
            .await
    }

    /// Runs `work` where it may block. Dropping the future doesn't stop it; it ends by itself.
    async fn blocking<T: Send + 'static>(
        &self,
        operation: &'static str,
        key: &str,
        work: impl FnOnce(&DirectoryTree) -> Result<T, DirectoryFault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let tree = DirectoryTree::new(Arc::clone(&self.root));
        let done = tokio::task::spawn_blocking(move || work(&tree)).await;
        done.unwrap_or_else(|died| Err(DirectoryFault::System(io::Error::other(died))))
            .map_err(|fault| {
                let slash = if key.is_empty() { "" } else { "/" };
                fault.explain(format!("{operation} {}{slash}{key}", self.url))
            })
    }
}

impl Store for DirectoryStore {
    async fn put(&self, put: Put<'_>) -> Result<StoredVersion, StoreError> {
        let sha256 = put.sha256;
        let writing = Writing {
            key: put.key.to_owned(),
            bytes: put.bytes,
            until: put.retain_until.ceil_to_second(),
            if_absent: put.if_absent,
        };
        let write = move |tree: &DirectoryTree| {
            if Digest::of(&writing.bytes) != sha256 {
                return Err(DirectoryFault::BadDigest(sha256));
            }
            store(tree, &writing)
        };
        self.blocking("put", put.key, write).await?;
        Ok(StoredVersion {
            version_id: ONLY_VERSION.into(),
            sha256,
            store_time: host::clock::now(),
        })
    }

    async fn lock_of(&self, key: &str, version_id: &str) -> Result<Option<Lock>, StoreError> {
        let (path, version) = (key.to_owned(), version_id.to_owned());
        let read =
            move |tree: &DirectoryTree| atime_lock::lock_of(&open(tree, &path, Some(&version))?);
        let until = self.blocking("read lock of", key, read).await?;
        Ok(until.map(|retain_until| Lock {
            mode: LockMode::Compliance,
            retain_until,
        }))
    }

    async fn extend(&self, key: &str, version_id: &str, until: Moment) -> Result<(), StoreError> {
        let (path, version) = (key.to_owned(), version_id.to_owned());
        let until = until.ceil_to_second();
        let extend = move |tree: &DirectoryTree| {
            let file = open(tree, &path, Some(&version))?;
            if let Some(now) = atime_lock::lock_of(&file)?.filter(|now| *now > until) {
                return Err(DirectoryFault::Shorter(now));
            }
            atime_lock::lock(&file, until)
        };
        self.blocking("extend lock of", key, extend).await
    }

    async fn get(
        &self,
        key: &str,
        version_id: Option<&str>,
        max_bytes: u64,
    ) -> Result<Fetched, StoreError> {
        let (path, version) = (key.to_owned(), version_id.map(str::to_owned));
        let read = move |tree: &DirectoryTree| {
            let file = open(tree, &path, version.as_deref())?;
            let last_modified = atime_lock::modified(&rustix::fs::fstat(&file)?);
            let bytes = read_bounded(&file, max_bytes)?;
            Ok(Fetched {
                bytes: bytes.into(),
                version_id: ONLY_VERSION.into(),
                last_modified,
            })
        };
        self.blocking("get", key, read).await
    }

    async fn head(&self, key: &str) -> Result<Option<String>, StoreError> {
        let path = key.to_owned();
        let look = move |tree: &DirectoryTree| open(tree, &path, None).map(drop);
        match self.blocking("head", key, look).await {
            Ok(()) => Ok(Some(ONLY_VERSION.into())),
            Err(StoreError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn list_versions(&self, prefix: &str, page: Option<Token>) -> Result<Page, StoreError> {
        let (wanted, page_size) = (prefix.to_owned(), self.page_size);
        let after = page.map_or_else(Vec::new, |token| token.key);
        let list = move |tree: &DirectoryTree| {
            walk::page(&tree.open_root()?, wanted.as_bytes(), after, page_size)
        };
        self.blocking("list", prefix, list).await
    }

    async fn check(&self) -> Result<(), SetupFault> {
        let url = self.url.to_string();
        let look = |tree: &DirectoryTree| tree.open_root().map(drop);
        match self.blocking("open", "", look).await {
            Ok(()) => Ok(()),
            Err(StoreError::NoBucket(_)) => Err(SetupFault::Absent { url }),
            Err(cause) => Err(SetupFault::Unknown { url, cause }),
        }
    }

    async fn now(&self) -> Result<Moment, StoreError> {
        Ok(host::clock::now())
    }

    fn capability(&self) -> Capability {
        Capability {
            protection: Protection::Evidences,
            versions: false,
        }
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn prefix(&self) -> &str {
        ""
    }
}

/// A put that a blocking thread can own.
struct Writing {
    key: String,
    bytes: Bytes,
    until: Moment,
    if_absent: bool,
}

/// Opens an object for reading; only the version `null` exists.
fn open(tree: &DirectoryTree, key: &str, version_id: Option<&str>) -> Result<File, DirectoryFault> {
    if version_id.is_some_and(|version| version != ONLY_VERSION) {
        return Err(DirectoryFault::NoVersion);
    }
    tree.find(key)?.open()
}

fn read_bounded(file: &File, max_bytes: u64) -> Result<Vec<u8>, DirectoryFault> {
    if file.metadata()?.len() > max_bytes {
        return Err(DirectoryFault::TooLarge(max_bytes));
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    file.take(max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(DirectoryFault::TooLarge(max_bytes));
    }
    Ok(bytes)
}

/// Stores and locks one object, in the order that docs/design.md gives.
fn store(tree: &DirectoryTree, put: &Writing) -> Result<(), DirectoryFault> {
    let place = tree.make(&put.key)?;
    if !put.if_absent
        && let Some(standing) = place.open_existing()?
    {
        return finish(&place, &standing, put);
    }
    let temporary = tree.scratch(host::clock::now())?;
    let placed = write(&temporary, &put.bytes)
        // Crash before the rename: a temporary file, which no list shows and the next start sweeps. It is open, and
        // so locked against another's sweep, until it has its name.
        .and_then(|_open| Ok(temporary.rename_new(&place)?));
    if let Err(fault) = placed {
        // Never a second fsync of a file whose first one failed.
        temporary.discard();
        if put.if_absent || !fault.is_taken() {
            return Err(fault);
        }
        // Another put came between the look and the rename.
        return finish(&place, &place.open()?, put);
    }
    // Crash here: the name may be lost, or it is there and unlocked; the same put again mends both.
    place.sync_folder()?;
    atime_lock::lock(&place.open()?, put.until)
}

fn write(temporary: &Place, bytes: &[u8]) -> Result<File, DirectoryFault> {
    let mut file = temporary.create_new()?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(file)
}

/// Ends a put of the same bytes that was cut short; other bytes are somebody else's object.
fn finish(place: &Place, standing: &File, put: &Writing) -> Result<(), DirectoryFault> {
    let found = match read_bounded(standing, put.bytes.len() as u64) {
        Err(DirectoryFault::TooLarge(_)) => return Err(DirectoryFault::OtherBytes),
        found => found?,
    };
    if found != put.bytes {
        return Err(DirectoryFault::OtherBytes);
    }
    place.sync_folder()?;
    match atime_lock::lock_of(standing)? {
        Some(locked) if locked >= put.until => Ok(()),
        _ => atime_lock::lock(standing, put.until),
    }
}
