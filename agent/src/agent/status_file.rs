//! `status.json`: how a running agent stands, for `status` and for people. Nothing depends on it.

use crate::bounds::STATUS_MAX;
use crate::config::Config;
use crate::track::SourceStatus;
use host::disk;
use host::health::{STATUS_VERSION, StatusHead};
use host::lock;
use host::terminal::quoted;
use ledger::name::{Epoch, Name};
use ledger::{Digest, Moment};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write as _};
use std::io;
use std::path::{Path, PathBuf};

/// How messages and the status name the program.
pub(crate) const PROGRAM: &str = "holdfast-agent";

const FILE: &str = "status.json";

/// How an agent stands. The text of it and the JSON are contracts; the file is this program's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AgentStatus {
    /// Version, health, reasons, and whether it runs.
    #[serde(flatten)]
    pub(crate) head: StatusHead,
    pub(crate) agent: Name,
    /// When it started.
    pub(crate) started: Moment,
    /// Bytes in the spool.
    pub(crate) spool_used: u64,
    /// Bytes it may take.
    pub(crate) spool_cap: u64,
    /// Bytes free on its file system; none if that cannot be told.
    pub(crate) disk_free: Option<u64>,
    /// The streams.
    pub(crate) streams: Vec<StreamLine>,
    /// How many sources there are.
    pub(crate) source_count: usize,
    /// The sources: those with a fault first, then those with most to read; not all of very many.
    pub(crate) sources: Vec<SourceLine>,
}

/// One stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StreamLine {
    pub(crate) stream: Name,
    pub(crate) epoch: Epoch,
    /// Its newest manifest, if there is one.
    pub(crate) seq: Option<u64>,
    /// SHA-256 of that one's first line.
    pub(crate) head: Option<Digest>,
    /// Entries sealed in the epoch.
    pub(crate) entries: u64,
    /// Batches without a receipt.
    pub(crate) waiting: u64,
    /// When the oldest of them was sealed.
    pub(crate) oldest_waiting: Option<Moment>,
    /// No room in the spool: nothing is read.
    pub(crate) full: bool,
    /// Why the archiver holds it.
    pub(crate) held: Option<String>,
}

/// One source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SourceLine {
    /// Its stream, once one wants it.
    pub(crate) stream: Option<Name>,
    /// Where it was first seen, made safe to show and short.
    pub(crate) path: String,
    /// Sealed up to here.
    pub(crate) sealed: u64,
    /// Bytes not yet sealed.
    pub(crate) unread: u64,
    /// Why it cannot be read.
    pub(crate) fault: Option<String>,
}

impl SourceLine {
    /// The line about a source.
    #[must_use]
    pub(crate) fn of(source: &SourceStatus) -> Self {
        Self {
            stream: source.stream.clone(),
            path: quoted(&source.path.display()),
            sealed: source.sealed,
            unread: source.size.saturating_sub(source.sealed),
            fault: source.fault.clone(),
        }
    }
}

/// Why there is no status.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StatusFileError {
    /// No agent ever ran here, or its state is gone.
    #[error("{}: no agent has run with this state yet, or the state was moved or removed since", .0.display())]
    Never(PathBuf),
    /// What the system said, or the file is not one.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl AgentStatus {
    /// Replaces the file in `state`; a reader sees the old or the new one.
    pub(crate) fn write(&self, state: &Path) -> io::Result<()> {
        // Not synced: after a power cut there is no running agent to tell of.
        disk::replace(state, FILE, &serde_json::to_vec(self)?)
    }

    /// Reads it back as whoever asks at `now` must take it.
    pub(crate) fn read(config: &Config, now: Moment) -> Result<Self, StatusFileError> {
        let io = |path: &Path| {
            let path = path.to_path_buf();
            move |source| StatusFileError::Io { path, source }
        };
        let path = config.state.join(FILE);
        let bytes =
            disk::read_bounded(&path, STATUS_MAX).map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => StatusFileError::Never(config.state.clone()),
                _ => io(&path)(source),
            })?;
        let status: Self = serde_json::from_slice(&bytes).map_err(|error| {
            let error = quoted(&error.to_string());
            io(&path)(io::Error::new(io::ErrorKind::InvalidData, error))
        })?;
        if status.head.v != STATUS_VERSION {
            let found = status.head.v;
            let error = format!("version {found} where {STATUS_VERSION} is expected");
            return Err(io(&path)(io::Error::new(io::ErrorKind::InvalidData, error)));
        }
        let lock = config.state.join("lock");
        let is_locked = lock::is_held(&lock).map_err(io(&lock))?;
        Ok(Self {
            head: status.head.seen(is_locked, now),
            ..status
        })
    }
}

impl fmt::Display for AgentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            head,
            agent,
            started,
            ..
        } = self;
        write!(f, "{head}")?;
        writeln!(f, "agent {agent}, started {started}")?;
        let (used, cap) = (mib(self.spool_used), mib(self.spool_cap));
        write!(f, "spool {used} of {cap} MiB used, ")?;
        match self.disk_free {
            Some(free) => writeln!(f, "{} MiB free on its disk", mib(free))?,
            None => writeln!(f, "what is free on its disk cannot be told")?,
        }
        for stream in &self.streams {
            let mut line = format!("stream {}: {} entries", stream.stream, stream.entries);
            match stream.seq {
                Some(seq) => write!(line, ", newest batch {}/{seq}", stream.epoch)?,
                None => line.push_str(", nothing sealed yet"),
            }
            write!(line, ", {} waiting for the archiver", stream.waiting)?;
            if stream.full {
                line.push_str(", FULL: nothing is read");
            }
            if stream.held.is_some() {
                line.push_str(", HELD");
            }
            writeln!(f, "{line}")?;
        }
        writeln!(f, "{} sources", self.source_count)?;
        for source in self.sources.iter().filter(|source| source.unread > 0) {
            writeln!(f, "  {}: {} bytes to go", source.path, source.unread)?;
        }
        Ok(())
    }
}

fn mib(bytes: u64) -> u64 {
    bytes / (1 << 20)
}
