//! The archiver's half of the spool, written: receipts and the marks that say why there is none.
//!
//! A mark is durable before anyone acts on it. It is matched to its batch by the SHA-256 of the
//! manifest's first line, never by its name alone.

use host::disk;
use ledger::receipt::{Bad, Receipt};
use ledger::signature::Key;
use ledger::spool::{BatchId, Mark};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Folders of the archiver's half: the agent, of the same group, reads them.
const FOLDER_MODE: u32 = 0o2750;

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
    root: PathBuf,
    /// Folders known to be durable.
    made: Mutex<BTreeSet<PathBuf>>,
    /// The fingerprints in [`KEY_FILE`], oldest first; none before it was read or written.
    keys: Mutex<Vec<String>>,
}

impl Receipts {
    /// The half at `root`, which must be there.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self {
            root,
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
        let path = self.root.join(id.mark_path(Mark::Receipt));
        match disk::read_bounded(&path, RECEIPT_MAX) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(named(&path, error)),
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
        let path = self.root.join(KEY_FILE);
        match disk::read_bounded(&path, KEY_FILE_MAX) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                Ok(text.lines().map(|line| line.trim().to_owned()).collect())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(named(&path, error)),
        }
    }

    fn write_keys(&self, keys: &mut Vec<String>, more: String) -> io::Result<()> {
        let mut all = keys.clone();
        all.push(more);
        let text = all.join("\n") + "\n";
        // A crash before this returns leaves the keys as they were: the batch that names the next one is sent again.
        let written = disk::write_durable(&self.root, KEY_FILE, text.as_bytes());
        written.map_err(|error| named(&self.root.join(KEY_FILE), error))?;
        *keys = all;
        Ok(())
    }

    fn write(&self, id: &BatchId, mark: Mark, bytes: &[u8]) -> io::Result<()> {
        let path = self.root.join(id.mark_path(mark));
        let relative = PathBuf::from(id.stream.as_str()).join(id.epoch.to_string());
        let folder = self.root.join(&relative);
        let mut made = lock(&self.made);
        if !made.contains(&relative) || !folder.is_dir() {
            let all = disk::make_dirs_durable(&self.root, &relative, FOLDER_MODE);
            all.map_err(|error| named(&folder, error))?;
            made.insert(relative);
        }
        drop(made);
        let name = format!("{:020}.{}", id.seq, mark.extension());
        // A crash before this returns leaves no mark or a whole one. Without it the batch is sent
        // again, and the store answers that it is there.
        disk::write_durable(&folder, &name, bytes).map_err(|error| named(&path, error))
    }
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
