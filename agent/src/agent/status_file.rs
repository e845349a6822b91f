//! `status.json`: how a running agent stands, for `status` and for people. Nothing depends on it.

use crate::bounds::NOTE_MAX;
use crate::config::Config;
use crate::track::SourceStatus;
use host::disk;
use host::lock;
use ledger::name::{Epoch, Name};
use ledger::{Digest, Moment};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io;
use std::path::{Path, PathBuf};

/// Version of the file.
pub(crate) const VERSION: u64 = 1;

const FILE: &str = "status.json";

/// How an agent stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AgentStatus {
    /// [`VERSION`]
    pub(crate) v: u64,
    pub(crate) agent: Name,
    /// Whether it continues: `false` in the last one that an agent writes.
    pub(crate) running: bool,
    /// When it started.
    pub(crate) started: Moment,
    /// When this was written.
    pub(crate) written: Moment,
    /// Bytes in the spool.
    pub(crate) spool_used: u64,
    /// Bytes it may take.
    pub(crate) spool_cap: u64,
    /// Bytes free on its file system.
    pub(crate) disk_free: u64,
    /// Why nothing can be sealed now.
    pub(crate) trouble: Option<String>,
    /// The streams.
    pub(crate) streams: Vec<StreamLine>,
    /// Files and patterns that give nothing, and why.
    pub(crate) files: BTreeMap<String, String>,
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
    /// Where it was first seen, made safe to show.
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
            path: source.path.display(),
            sealed: source.sealed,
            unread: source.size.saturating_sub(source.sealed),
            fault: source.fault.clone(),
        }
    }
}

/// Why there is no status.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StatusFileError {
    /// No agent ever ran here.
    #[error("{}: no agent has run with this state yet", .0.display())]
    Never(PathBuf),
    /// What the system said, or the file is not one.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

impl AgentStatus {
    /// Replaces the file in `state`; a reader sees the old or the new one.
    pub(crate) fn write(&self, state: &Path) -> io::Result<()> {
        let temporary = state.join(format!(".tmp-{}", disk::random_name()?));
        let mut file = disk::create_new(&temporary, disk::FILE_MODE)?;
        let written = io::Write::write_all(&mut file, &serde_json::to_vec(self)?)
            // Not synced: after a power cut there is no running agent to tell of.
            .and_then(|()| std::fs::rename(&temporary, state.join(FILE)));
        if written.is_err() {
            // Best effort: what is left is swept at the next start.
            drop(std::fs::remove_file(&temporary));
        }
        written
    }

    /// Reads it back, and whether an agent runs now.
    pub(crate) fn read(config: &Config) -> Result<(Self, bool), StatusFileError> {
        let path = config.state.join(FILE);
        let bytes = disk::read_bounded(&path, NOTE_MAX).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => StatusFileError::Never(config.state.clone()),
            _ => StatusFileError::Io {
                path: path.clone(),
                source,
            },
        })?;
        let status = serde_json::from_slice(&bytes).map_err(|error| StatusFileError::Io {
            path: path.clone(),
            source: error.into(),
        })?;
        let path = config.state.join("lock");
        match lock::is_held(&path) {
            Ok(running) => Ok((status, running)),
            Err(source) => Err(StatusFileError::Io { path, source }),
        }
    }

    /// Whether nothing needs a person.
    #[must_use]
    pub(crate) fn is_healthy(&self) -> bool {
        let writable = |stream: &StreamLine| !stream.full && stream.held.is_none();
        let readable = |source: &SourceLine| source.fault.is_none();
        self.trouble.is_none()
            && self.streams.iter().all(writable)
            && self.sources.iter().all(readable)
    }
}

impl fmt::Display for AgentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            agent,
            started,
            written,
            ..
        } = self;
        writeln!(f, "agent {agent}, started {started}, as of {written}")?;
        let (used, cap, free) = (
            mib(self.spool_used),
            mib(self.spool_cap),
            mib(self.disk_free),
        );
        writeln!(
            f,
            "spool {used} of {cap} MiB used, {free} MiB free on its disk"
        )?;
        if let Some(trouble) = &self.trouble {
            writeln!(f, "cannot seal: {trouble}")?;
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
            if let Some(held) = &stream.held {
                write!(line, ", HELD: {held}")?;
            }
            writeln!(f, "{line}")?;
        }
        for (path, why) in &self.files {
            writeln!(f, "{path}: {why}")?;
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
