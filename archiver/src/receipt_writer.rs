//! The archiver's half of the spool, written: receipts and the marks that say why there is none.
//!
//! A mark is durable before anyone acts on it. It is matched to its batch by the SHA-256 of the
//! manifest's first line, never by its name alone.
//!
//! Everything is reached from the open folder `receipts/` on by descriptor, and only in folders that are this user's:
//! the agent's may rename that folder, and put a link in its place, while something is written.

use crate::spool::{RECEIPTS_MODE, Spool};
use host::folder::Folder;
use ledger::name::{Epoch, Name};
use ledger::receipt::{Bad, Receipt};
use ledger::signature::Key;
use ledger::spool::{BatchId, Mark};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Holds (under a name that no stream can have) the fingerprints of the keys that sign this spool's batches, one a
/// line: the first one's, and each that a `key` event of theirs named.
const KEY_FILE: &str = ".key";

/// Largest such file: some thousand rotations.
const KEY_FILE_MAX: u64 = 64 * 1024;

/// Longest receipt that is read: two keys and two versions of at most 1 KiB each, and the rest.
const RECEIPT_MAX: u64 = 16 * 1024;

/// `receipts/`
#[derive(Debug)]
pub struct Receipts {
    folder: Arc<Folder>,
    /// Where it stands, for messages.
    root: PathBuf,
    /// Epochs whose folders are known to be durable.
    made: Mutex<BTreeSet<(Name, Epoch)>>,
    /// The fingerprints in [`KEY_FILE`], oldest first; none before it was read or written.
    keys: Mutex<Vec<String>>,
}

impl Receipts {
    /// The archiver's half of `spool`.
    #[must_use]
    pub fn new(spool: &Spool) -> Self {
        Self {
            folder: Arc::clone(spool.receipts()),
            root: spool.receipts_path(),
            made: Mutex::default(),
            keys: Mutex::default(),
        }
    }

    /// The batch is in the store, locked, read back.
    ///
    /// # Errors
    /// What the system says, with the file.
    pub fn write_receipt(&self, id: &BatchId, receipt: &Receipt) -> io::Result<()> {
        self.write(id, Mark::Receipt, &json_line(receipt)?)
    }

    /// The batch can't be uploaded as it is.
    ///
    /// # Errors
    /// What the system says, with the file.
    pub fn write_bad(&self, id: &BatchId, bad: &Bad) -> io::Result<()> {
        self.write(id, Mark::Bad, &json_line(bad)?)
    }

    /// The store holds another statement of the same agent; `foreign` is its file.
    ///
    /// # Errors
    /// What the system says, with the file.
    pub fn write_conflict(&self, id: &BatchId, foreign: &[u8]) -> io::Result<()> {
        self.write(id, Mark::Conflict, foreign)
    }

    /// The receipt at `place`; `None` if there is none, or none that can be read as one.
    ///
    /// # Errors
    /// What the system says, with the file.
    pub fn read(&self, id: &BatchId) -> io::Result<Option<Receipt>> {
        let folder = self.enter(id);
        let bytes =
            folder.and_then(|folder| folder.read(&mark_name(id, Mark::Receipt), RECEIPT_MAX));
        match bytes {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(named(&self.root.join(id.mark_path(Mark::Receipt)), error)),
        }
    }

    /// The fingerprint that is expected instead of `key`'s, if that is none of this spool's. The first key of a spool
    /// is its own from then on.
    ///
    /// # Errors
    /// What the system says, with the file.
    pub fn other_key(&self, key: &Key) -> io::Result<Option<String>> {
        let given = key.to_string();
        let mut keys = lock(&self.keys);
        if keys.is_empty() {
            *keys = self.read_keys()?;
        }
        if keys.is_empty() {
            self.write_keys(&mut keys, given)?;
            return Ok(None);
        }
        let known = keys.contains(&given);
        Ok(keys.last().filter(|_| !known).cloned())
    }

    /// Takes note of the key that a batch, signed by one of this spool's, says will sign from now on. Durable before the
    /// batch has its receipt: without it the next batch would be held.
    ///
    /// # Errors
    /// What the system says, with the file.
    pub fn add_key(&self, next: &Key) -> io::Result<()> {
        let next = next.to_string();
        let mut keys = lock(&self.keys);
        if keys.contains(&next) {
            return Ok(());
        }
        self.write_keys(&mut keys, next)
    }

    /// Whether `key` is one that signs this spool's batches, or did.
    #[must_use]
    pub fn knows(&self, key: &Key) -> bool {
        lock(&self.keys).contains(&key.to_string())
    }

    fn read_keys(&self) -> io::Result<Vec<String>> {
        match self.folder.read(KEY_FILE, KEY_FILE_MAX) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                Ok(text.lines().map(|line| line.trim().to_owned()).collect())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(named(&self.root.join(KEY_FILE), error)),
        }
    }

    fn write_keys(&self, keys: &mut Vec<String>, more: String) -> io::Result<()> {
        let mut all = keys.clone();
        all.push(more);
        let text = all.join("\n") + "\n";
        // A crash before this returns leaves the keys as they were: the batch that names the next one is sent again.
        let written = self.folder.write_durable(KEY_FILE, text.as_bytes());
        written.map_err(|error| named(&self.root.join(KEY_FILE), error))?;
        *keys = all;
        Ok(())
    }

    fn write(&self, id: &BatchId, mark: Mark, bytes: &[u8]) -> io::Result<()> {
        let path = self.root.join(id.mark_path(mark));
        let folder = self.make(id).map_err(|error| named(&path, error))?;
        // A crash before this returns leaves no mark or a whole one. Without it the batch is sent
        // again, and the store answers that it is there.
        let written = folder.write_durable(&mark_name(id, mark), bytes);
        written.map_err(|error| named(&path, error))
    }

    /// Opens the epoch's folder, made if it is missing.
    fn make(&self, id: &BatchId) -> io::Result<Folder> {
        let epoch = (id.stream.clone(), id.epoch);
        let mut made = lock(&self.made);
        if made.contains(&epoch) {
            match self.enter(id) {
                // Removed with the last mark in it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                entered => return entered,
            }
        }
        let stream = self.folder.make(id.stream.as_str(), RECEIPTS_MODE)?.own()?;
        let folder = stream.make(id.epoch.to_string(), RECEIPTS_MODE)?.own()?;
        made.insert(epoch);
        Ok(folder)
    }

    /// Opens the epoch's folder.
    fn enter(&self, id: &BatchId) -> io::Result<Folder> {
        let stream = self.folder.enter(id.stream.as_str())?.own()?;
        stream.enter(id.epoch.to_string())?.own()
    }
}

/// What a mark is called in its epoch's folder.
fn mark_name(id: &BatchId, mark: Mark) -> String {
    format!("{:020}.{}", id.seq, mark.extension())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn json_line(value: &impl serde::Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
