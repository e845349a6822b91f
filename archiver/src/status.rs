//! `holdfast archive status`: what the archiver last wrote of itself, and whether it runs.

use crate::archive::LOCK_FILE;
use crate::config::Config;
use crate::health::Status;
use host::cli::counted;
use host::lock;
use host::terminal::escape;
use ledger::spool::RECEIPTS;
use serde::Serialize;
use std::fmt::{self, Write as _};
use std::io;
use std::path::PathBuf;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    #[error("{}: no archiver has run on this spool yet", .0.display())]
    Never(PathBuf),
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// The answer.
#[derive(Debug, Serialize)]
pub struct Standing {
    /// Whether an archiver holds the spool's lock.
    running: bool,
    #[serde(flatten)]
    status: Status,
}

impl Standing {
    /// Whether an archiver runs and holds nothing back.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.running && self.status.healthy
    }
}

/// Reads what the archiver of this spool last wrote, and looks whether it runs.
///
/// # Errors
/// No archiver has run on it, or it can't be read.
pub fn read(config: &Config) -> Result<Standing, StatusError> {
    let receipts = config.spool.join(RECEIPTS);
    let status = Status::read(&receipts).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => StatusError::Never(receipts.clone()),
        _ => {
            let path = receipts.join(crate::health::STATUS_FILE);
            StatusError::Io { path, source }
        }
    })?;
    let path = receipts.join(LOCK_FILE);
    match lock::is_held(&path) {
        Ok(running) => Ok(Standing { running, status }),
        Err(source) => Err(StatusError::Io { path, source }),
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Status {
            store,
            started,
            held,
            uploaded,
            streams,
            ..
        } = &self.status;
        if !self.running {
            writeln!(f, "no archiver is running; the last one's status:")?;
        }
        writeln!(f, "store {}, started {started}", escape(store))?;
        writeln!(
            f,
            "uploaded since then: {}, {} bytes",
            counted(uploaded.batches, "batch", "batches"),
            uploaded.bytes
        )?;
        if let Some(held) = held {
            writeln!(f, "PAUSED: {}", escape(held))?;
        }
        for (name, stream) in streams {
            let waiting = counted(stream.backlog, "batch", "batches");
            let mut line = format!("stream {name}: {waiting} waiting");
            if let Some(at) = stream.last_success {
                write!(line, ", last one locked at {at}")?;
            }
            if let Some(held) = &stream.held {
                write!(line, ", HELD: {}", escape(held))?;
            }
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}
