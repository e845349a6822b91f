//! `holdfast archive status`: what the archiver last wrote of itself, and whether it runs.

use crate::archive::LOCK_FILE;
use crate::config::Config;
use crate::health::Status;
use host::cli::counted;
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
    let receipts = config.spool.join(RECEIPTS);
    let status = Status::read(&receipts).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => StatusError::Never(receipts.clone()),
        _ => {
            let path = receipts.join(crate::health::STATUS_FILE);
            StatusError::Io { path, source }
        }
    })?;
    let path = receipts.join(LOCK_FILE);
    let is_locked = lock::is_held(&path).map_err(|source| StatusError::Io { path, source })?;
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
