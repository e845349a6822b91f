//! `holdfast archive status`: what the archiver last wrote of itself, and whether it runs.

use crate::archive::LOCK_FILE;
use crate::config::Config;
use crate::health::Status;
use host::cli::counted;
use host::folder::Folder;
use host::lock;
use host::terminal::escape;
use ledger::Moment;
use ledger::spool::RECEIPTS;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    #[error("{}: no archiver has run on this spool yet, or the folder was moved or removed since", .0.display())]
    Never(PathBuf),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Reads what the archiver of this spool last wrote, and judges it as of `now`: whether one runs, and whether what
/// it wrote is of now.
///
/// # Errors
/// No archiver has run on it, or it can't be read.
pub fn read(config: &Config, now: Moment) -> Result<Status, StatusError> {
    let path = config.spool.join(RECEIPTS);
    let failed = |path: PathBuf, source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => StatusError::Never(config.spool.join(RECEIPTS)),
        _ => StatusError::Io { path, source },
    };
    // Whoever may read it may ask, so its owner does not matter; a link in its place is another's word.
    let receipts = Folder::open(&config.spool).and_then(|spool| spool.enter(RECEIPTS));
    let receipts = receipts.map_err(|source| failed(path.clone(), source))?;
    let status = Status::read(&receipts);
    let status = status.map_err(|source| failed(path.join(crate::health::STATUS_FILE), source))?;
    let is_locked = lock::is_held_in(&receipts, LOCK_FILE);
    let is_locked = is_locked.map_err(|source| failed(path.join(LOCK_FILE), source))?;
    let head = status.head.seen(is_locked, now);
    Ok(Status { head, ..status })
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            head,
            store,
            started,
            uploaded,
            streams,
        } = self;
        write!(f, "{head}")?;
        writeln!(f, "store {}, started {started}", escape(store))?;
        writeln!(
            f,
            "uploaded since then: {}, {} bytes",
            counted(uploaded.batches, "batch", "batches"),
            uploaded.bytes
        )?;
        for (name, stream) in streams {
            writeln!(f, "{}", stream.describe(name))?;
        }
        Ok(())
    }
}
