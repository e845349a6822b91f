//! `state/cursors.<n>`: the snapshot that lets older batches go. It is read back as hostile input and
//! believed only whole.

use super::sealed_batch::is_damage;
use crate::bounds::SNAPSHOT_LINE_MAX;
use crate::sealing::stream_state::SealedState;
use crate::track::checkpoint::{Checkpoint, Memory};
use crate::track::finished::FinishedLog;
use host::disk;
use ledger::Digest;
use ledger::digest::Hasher;
use ledger::manifest::{EpochHead, StreamHead};
use ledger::name::Name;
use ledger::spool::OLDER;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};

/// Version of the file. Version 1 is of a format that was never released.
const VERSION: u64 = 2;

/// Snapshots kept: should the newest rot, the one before it still leads to every sealed batch.
const KEPT: usize = 2;

/// Start of a snapshot's name; its number follows.
const PREFIX: &str = "cursors.";

/// Everything the agent must know to continue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Snapshot {
    /// The spool it belongs to.
    pub(crate) spool_id: String,
    /// Every stream's state, closed ones included.
    pub(crate) states: Vec<SealedState>,
    /// Of every stream, closed ones included, the newest manifest that has a receipt, if one is known.
    pub(crate) stored: Vec<StreamHead>,
    /// What is remembered of sources.
    pub(crate) memory: Memory,
}

/// A line of a snapshot. The last one proves the others.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum SnapshotLine {
    Head {
        v: u64,
        spool_id: String,
    },
    #[serde(rename = "chain")]
    Sealed(SealedState),
    Stored(StreamHead),
    #[serde(rename = "cursor")]
    Checkpoint(Box<Checkpoint>),
    Finished(FinishedLog),
    End {
        sha256: Digest,
    },
}

/// Why no snapshot can be used or written.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A newer agent wrote it. Continuing without it would lose what it knows.
    #[error("{}: written by a newer holdfast-agent (version {version}, this one knows {VERSION}); run that one", path.display())]
    Newer {
        /// The snapshot.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
    /// An agent of before format 1 was settled wrote it: what it knows is of another format.
    #[error("{}: written by an older holdfast-agent (version {version}, this one knows {VERSION}); {OLDER}", path.display())]
    Older {
        /// The snapshot.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
    /// What the system said.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// The snapshots in a state folder.
#[derive(Debug)]
pub(crate) struct Snapshots {
    state: PathBuf,
    /// Number of the next one.
    next: u64,
}

impl Snapshots {
    /// Finds the newest whole snapshot in `state`; broken ones are passed over with a warning.
    pub(crate) fn open(state: &Path) -> Result<(Self, Option<Snapshot>), SnapshotError> {
        let failed = |source| SnapshotError::Io {
            path: state.into(),
            source,
        };
        // A crash here changes nothing: reading is all that happens.
        tracing::debug!(step = "recover.snapshot", state = %state.display());
        disk::sweep_temporaries(state).map_err(failed)?;
        let numbers = numbers(state).map_err(failed)?;
        let next = numbers.first().map_or(0, |newest| newest + 1);
        let snapshots = Self {
            state: state.into(),
            next,
        };
        for number in numbers {
            let path = state.join(format!("{PREFIX}{number}"));
            match read(&path) {
                Ok(snapshot) => return Ok((snapshots, Some(snapshot))),
                Err(Broken::Other(version)) => return Err(other_version(path, version)),
                // What cannot be read now may be the newest there is: nothing is begun without it.
                Err(Broken::Io(source)) if !is_damage(&source) => {
                    return Err(SnapshotError::Io { path, source });
                }
                Err(Broken::Io(error)) => {
                    tracing::warn!(snapshot = %path.display(), %error, "snapshot cannot be read, trying the one before");
                }
                Err(Broken::Damaged) => {
                    tracing::warn!(snapshot = %path.display(), "snapshot is damaged, trying the one before");
                }
            }
        }
        Ok((snapshots, None))
    }

    /// Writes a snapshot that is durable on return, and drops all but the newest two.
    ///
    /// # Errors
    /// [`SnapshotError`]; then the ones before it still stand.
    pub(crate) fn write(&mut self, snapshot: &Snapshot) -> Result<(), SnapshotError> {
        tracing::debug!(step = "snapshot.write", number = self.next);
        let path = self.state.join(format!("{PREFIX}{}", self.next));
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            move |source| SnapshotError::Io { path, source }
        };
        let name = disk::random_name().map_err(failed(&self.state))?;
        let temporary = self.state.join(format!(".tmp-{name}"));
        let written = write_file(&temporary, snapshot)
            // A crash here leaves a temporary file, swept at the next start.
            .and_then(|()| disk::rename_new(&temporary, &path));
        if let Err(source) = written {
            // Best effort: what is left is swept at the next start.
            drop(std::fs::remove_file(&temporary));
            return Err(failed(&path)(source));
        }
        self.next += 1;
        // A crash here leaves the new snapshot or not; the two before it still stand.
        disk::sync_dir(&self.state).map_err(failed(&self.state))?;
        let old = numbers(&self.state).map_err(failed(&self.state))?;
        for number in old.into_iter().skip(KEPT) {
            let path = self.state.join(format!("{PREFIX}{number}"));
            std::fs::remove_file(&path).map_err(failed(&path))?;
        }
        Ok(())
    }
}

impl Snapshot {
    /// A stream's newest manifest with a receipt, if one is known.
    #[must_use]
    pub(crate) fn stored(&self, stream: &Name) -> Option<EpochHead> {
        let mut stored = self.stored.iter();
        let stored = stored.find(|head| head.stream == *stream)?;
        Some(stored.epoch_head())
    }

    /// A stream's state.
    #[must_use]
    pub(crate) fn sealed_state(&self, stream: &Name) -> Option<&SealedState> {
        self.states.iter().find(|state| state.stream == *stream)
    }
}

/// Whether the newest snapshot in `state` is of this version. Changes nothing.
///
/// # Errors
/// It is of another one, or cannot be listed.
pub(crate) fn newest_version(state: &Path) -> Result<(), SnapshotError> {
    let numbers = numbers(state).map_err(|source| SnapshotError::Io {
        path: state.into(),
        source,
    })?;
    let Some(number) = numbers.first() else {
        return Ok(());
    };
    let path = state.join(format!("{PREFIX}{number}"));
    match read(&path) {
        Err(Broken::Other(version)) => Err(other_version(path, version)),
        _ => Ok(()),
    }
}

fn other_version(path: PathBuf, version: u64) -> SnapshotError {
    if version < VERSION {
        SnapshotError::Older { path, version }
    } else {
        SnapshotError::Newer { path, version }
    }
}

/// Numbers of the snapshots there, newest first.
fn numbers(state: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(state)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable_by(|one, other| other.cmp(one));
    Ok(numbers)
}

fn write_file(path: &Path, snapshot: &Snapshot) -> io::Result<()> {
    let mut writer = Hashing {
        file: BufWriter::new(disk::create_new(path, disk::FILE_MODE)?),
        hasher: Hasher::new(),
    };
    writer.line(&SnapshotLine::Head {
        v: VERSION,
        spool_id: snapshot.spool_id.clone(),
    })?;
    for state in &snapshot.states {
        writer.line(&SnapshotLine::Sealed(state.clone()))?;
    }
    for head in &snapshot.stored {
        writer.line(&SnapshotLine::Stored(head.clone()))?;
    }
    for checkpoint in &snapshot.memory.checkpoints {
        writer.line(&SnapshotLine::Checkpoint(Box::new(checkpoint.clone())))?;
    }
    for log in &snapshot.memory.finished {
        writer.line(&SnapshotLine::Finished(log.clone()))?;
    }
    let sha256 = writer.hasher.clone().finish();
    writer.line(&SnapshotLine::End { sha256 })?;
    writer.file.flush()?;
    writer.file.get_ref().sync_all()
}

struct Hashing {
    file: BufWriter<File>,
    hasher: Hasher,
}

impl Hashing {
    fn line(&mut self, line: &SnapshotLine) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.hasher.update(&bytes);
        self.file.write_all(&bytes)
    }
}

enum Broken {
    /// Another version.
    Other(u64),
    Damaged,
    Io(io::Error),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The version alone, which every version's first line has.
#[derive(Deserialize)]
struct AnyHead {
    head: AnyVersion,
}

#[derive(Deserialize)]
struct AnyVersion {
    v: u64,
}

fn read(path: &Path) -> Result<Snapshot, Broken> {
    let mut reader = BufReader::new(disk::open_regular(path)?);
    let mut hasher = Hasher::new();
    let mut line = Vec::new();
    next_line(&mut reader, &mut line)?;
    let AnyHead {
        head: AnyVersion { v },
    } = parse(&line)?;
    if v != VERSION {
        return Err(Broken::Other(v));
    }
    let SnapshotLine::Head { spool_id, .. } = parse(&line)? else {
        return Err(Broken::Damaged);
    };
    let mut snapshot = Snapshot {
        spool_id,
        ..Snapshot::default()
    };
    loop {
        hasher.update(&line);
        next_line(&mut reader, &mut line)?;
        match parse(&line)? {
            SnapshotLine::Head { .. } => return Err(Broken::Damaged),
            SnapshotLine::Sealed(state) => snapshot.states.push(state),
            SnapshotLine::Stored(head) => snapshot.stored.push(head),
            SnapshotLine::Checkpoint(checkpoint) => snapshot.memory.checkpoints.push(*checkpoint),
            SnapshotLine::Finished(log) => snapshot.memory.finished.push(log),
            SnapshotLine::End { sha256 } if sha256 == hasher.finish() => break,
            SnapshotLine::End { .. } => return Err(Broken::Damaged),
        }
    }
    match reader.fill_buf()? {
        [] => Ok(snapshot),
        _ => Err(Broken::Damaged),
    }
}

fn next_line(reader: &mut BufReader<File>, line: &mut Vec<u8>) -> Result<(), Broken> {
    line.clear();
    reader
        .by_ref()
        .take(SNAPSHOT_LINE_MAX)
        .read_until(b'\n', line)?;
    if line.ends_with(b"\n") {
        return Ok(());
    }
    Err(Broken::Damaged)
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, Broken> {
    serde_json::from_slice(line).map_err(|_| Broken::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_in_the_file_are_those_of_version_2() {
        let state = tempfile::tempdir().unwrap();
        let (mut snapshots, _) = Snapshots::open(state.path()).unwrap();
        let mut world = crate::testing::World::new();
        let mut spool = world.spool();
        let snapshot = Snapshot {
            spool_id: "x".into(),
            states: world.history(&mut spool),
            stored: vec![],
            memory: Memory {
                checkpoints: vec![crate::track::checkpoint::tests::example(1, 4096)],
                finished: vec![crate::track::finished::tests::example(7)],
            },
        };
        snapshots.write(&snapshot).unwrap();
        let text = std::fs::read_to_string(state.path().join("cursors.0")).unwrap();
        let names: Vec<&str> = text
            .lines()
            .map(|line| line.split('"').nth(1).unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "head", "chain", "chain", "chain", "chain", "cursor", "finished", "end"
            ]
        );
        assert_eq!(Snapshots::open(state.path()).unwrap().1, Some(snapshot));
    }
}
