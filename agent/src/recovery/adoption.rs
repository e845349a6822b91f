//! `init --after`: epochs sealed elsewhere that the next epoch of a stream continues.
//!
//! A host that was set up again, or one whose state was lost, names the heads an auditor printed for it. They
//! wait in `state/adopt`, one JSON object a line, until an epoch that names them is sealed.

use crate::sealing::stream_state::{NewEpoch, StreamState};
use host::disk;
use host::lock::{Lock, LockError};
use ledger::limits::{DAY_S, INTEGER_END};
use ledger::manifest::StreamHead;
use ledger::name::Epoch;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The file's name in the state folder.
const FILE: &str = "adopt";

/// Held while the file is changed: `init` may run beside the agent.
const LOCK: &str = "adopt.lock";

/// Heads that may wait at once.
const WAITING_MAX: usize = 1024;

/// Longest file: that many lines.
const FILE_MAX: u64 = 1024 * 1024;

/// A head to continue, as `--after` takes it:
/// `<stream>:<epoch>:<seq>:<sha256>:<retention_max_s>:<sealed_max>`. The time is last, for it has colons itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct After(pub(crate) StreamHead);

/// A text that is not such a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected <stream>:<epoch>:<seq>:<sha256>:<retention_max_s>:<sealed_max>, as `holdfast verify` prints it"
)]
pub(crate) struct NotAnAfter;

impl FromStr for After {
    type Err = NotAnAfter;

    fn from_str(text: &str) -> Result<Self, NotAnAfter> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let [stream, epoch, seq, sha256, retention_max_s, sealed_max] = parts[..] else {
            return Err(NotAnAfter);
        };
        let retention_max_s = number(retention_max_s)?;
        if retention_max_s < DAY_S {
            return Err(NotAnAfter);
        }
        Ok(Self(StreamHead {
            stream: stream.parse().map_err(|_| NotAnAfter)?,
            epoch: epoch.parse().map_err(|_| NotAnAfter)?,
            seq: number(seq)?,
            sha256: sha256.parse().map_err(|_| NotAnAfter)?,
            sealed_max: sealed_max.parse().map_err(|_| NotAnAfter)?,
            retention_max_s,
        }))
    }
}

fn number(text: &str) -> Result<u64, NotAnAfter> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = text.parse().map_err(|_| NotAnAfter)?;
    if digits && number < INTEGER_END {
        Ok(number)
    } else {
        Err(NotAnAfter)
    }
}

/// A head that waits, and the epoch that is to name it once one was drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiting {
    after: StreamHead,
    by: Option<Epoch>,
}

/// Why heads could not be noted or read.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// The system said no.
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// `init` runs beside this.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Another program wrote the file, or it rotted.
    #[error("{}: line {line} is not one of ours; remove the file and run `init --after` again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// Too many.
    #[error("{}: {WAITING_MAX} heads wait already", .0.display())]
    TooMany(PathBuf),
}

/// The heads that wait in a state folder.
#[derive(Debug)]
pub(crate) struct Adoptions {
    state: PathBuf,
    waiting: Vec<Waiting>,
}

impl Adoptions {
    /// Notes heads for the next epochs of their streams; durable on return.
    pub(crate) fn note(state: &Path, afters: &[After]) -> Result<(), AdoptError> {
        let _lock = Lock::take(&state.join(LOCK))?;
        let mut adoptions = Self::read(state)?;
        for After(after) in afters {
            if adoptions
                .waiting
                .iter()
                .all(|waiting| waiting.after != *after)
            {
                adoptions.waiting.push(Waiting {
                    after: after.clone(),
                    by: None,
                });
            }
        }
        if adoptions.waiting.len() > WAITING_MAX {
            return Err(AdoptError::TooMany(state.join(FILE)));
        }
        adoptions.write()
    }

    /// What waits in `state`.
    pub(crate) fn read(state: &Path) -> Result<Self, AdoptError> {
        let path = state.join(FILE);
        let bytes = match disk::read_bounded(&path, FILE_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(AdoptError::Io { path, source }),
        };
        let mut waiting = Vec::new();
        for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let read = serde_json::from_slice(line);
            waiting.push(read.map_err(|_| AdoptError::Damaged {
                path: path.clone(),
                line: number + 1,
            })?);
        }
        Ok(Self {
            state: state.into(),
            waiting,
        })
    }

    /// Makes streams with waiting heads begin an epoch that names these too, and notes which epoch
    /// that is before anything of it is sealed: however often the agent is killed, no head is
    /// continued twice.
    pub(crate) fn apply<E: From<AdoptError>>(
        state: &Path,
        streams: &mut [StreamState],
        mut new_epoch: impl FnMut() -> Result<Epoch, E>,
    ) -> Result<(), E> {
        let _lock = Lock::take(&state.join(LOCK)).map_err(AdoptError::from)?;
        let mut adoptions = Self::read(state)?;
        if adoptions.waiting.is_empty() {
            return Ok(());
        }
        adoptions
            .waiting
            .retain(|waiting| !is_settled(waiting, streams));
        for next in streams {
            let mine = |waiting: &&mut Waiting| waiting.after.stream == *next.stream();
            let mut waiting: Vec<_> = adoptions.waiting.iter_mut().filter(mine).collect();
            if waiting.is_empty() {
                continue;
            }
            let afters: Vec<StreamHead> = waiting
                .iter()
                .map(|waiting| waiting.after.clone())
                .collect();
            *next = continued(next, &afters, &mut new_epoch)?;
            for waiting in &mut waiting {
                waiting.by = Some(next.epoch());
            }
        }
        // A crash before here draws other epochs at the next start; nothing was sealed in these.
        Ok(adoptions.write()?)
    }

    fn write(&self) -> Result<(), AdoptError> {
        let mut bytes = Vec::new();
        for waiting in &self.waiting {
            let line = serde_json::to_vec(waiting).map_err(io::Error::from);
            bytes.append(&mut line.map_err(|source| self.failed(source))?);
            bytes.push(b'\n');
        }
        disk::write_durable(&self.state, FILE, &bytes).map_err(|source| self.failed(source))
    }

    fn failed(&self, source: io::Error) -> AdoptError {
        AdoptError::Io {
            path: self.state.join(FILE),
            source,
        }
    }
}

/// Whether the epoch that was to name the head is sealed: then the stream continues in it, or names
/// it in turn. Epochs begin at a start alone, and every start asks.
fn is_settled(waiting: &Waiting, streams: &[StreamState]) -> bool {
    let named = |next: &StreamState| match next {
        StreamState::After(state) => Some(state.epoch) == waiting.by,
        StreamState::Begin(begin) => begin
            .prev_epoch
            .iter()
            .any(|head| Some(head.epoch) == waiting.by),
    };
    streams.iter().any(named)
}

/// An epoch that continues what the stream did here and what it did elsewhere.
fn continued<E>(
    next: &StreamState,
    afters: &[StreamHead],
    new_epoch: &mut impl FnMut() -> Result<Epoch, E>,
) -> Result<StreamState, E> {
    let mut begin = match next {
        StreamState::Begin(begin) => begin.clone(),
        StreamState::After(state) => NewEpoch {
            stream: state.stream.clone(),
            epoch: new_epoch()?,
            prev_epoch: vec![state.epoch_head()],
            heads_after: state.heads_after.clone(),
            next_key: state.next_key,
            event: None,
        },
    };
    for after in afters {
        // What is known here of an epoch weighs more than what was typed.
        let known = begin
            .prev_epoch
            .iter()
            .any(|head| head.epoch == after.epoch);
        if !known {
            begin.prev_epoch.push(after.epoch_head());
        }
    }
    Ok(StreamState::Begin(begin))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::manifest::EpochHead;
    use ledger::{Digest, Moment};

    fn epoch(roll: u8) -> Epoch {
        Epoch::new(1, &[roll; 10])
    }

    fn after(roll: u8) -> After {
        let text = line(roll);
        text.parse().unwrap()
    }

    fn line(roll: u8) -> String {
        let (epoch, sha256) = (epoch(roll), Digest::of(b"x"));
        format!("app:{epoch}:4:{sha256}:86400:2026-11-22T10:00:00.000000Z")
    }

    fn fresh(roll: u8, prev_epoch: Vec<EpochHead>) -> StreamState {
        StreamState::Begin(NewEpoch {
            stream: "app".parse().unwrap(),
            epoch: epoch(roll),
            prev_epoch,
            heads_after: None,
            next_key: None,
            event: None,
        })
    }

    fn apply(state: &Path, next: StreamState) -> StreamState {
        let mut streams = [next];
        let drawn = || Ok::<_, AdoptError>(epoch(99));
        Adoptions::apply(state, &mut streams, drawn).unwrap();
        streams[0].clone()
    }

    #[test]
    fn only_what_verify_prints_is_taken() {
        let good = line(1);
        assert!(good.parse::<After>().is_ok());
        for bad in [
            good.replace("app", "a/b"),
            good.replace(":4:", ":+4:"),
            good.replace(":4:", ":9007199254740992:"),
            good.replace("86400", ""),
            good.replace("86400", "86399"),
            good.replace(".000000Z", "Z"),
            good.replace(":2026-11-22T10:00:00.000000Z", ""),
            format!("{good}:1"),
            String::new(),
        ] {
            assert_eq!(bad.parse::<After>(), Err(NotAnAfter), "{bad}");
        }
    }

    #[test]
    fn a_new_host_names_what_it_continues() {
        let state = tempfile::tempdir().unwrap();
        Adoptions::note(state.path(), &[after(1), after(2), after(1)]).unwrap();
        let StreamState::Begin(begin) = apply(state.path(), fresh(7, Vec::new())) else {
            panic!()
        };
        let named: Vec<Epoch> = begin.prev_epoch.iter().map(|head| head.epoch).collect();
        assert_eq!((begin.epoch, named), (epoch(7), vec![epoch(1), epoch(2)]));
        assert_eq!(begin.prev_epoch[0], after(1).0.epoch_head());
    }

    #[test]
    fn a_head_is_named_once_however_often_the_start_is_cut() {
        let state = tempfile::tempdir().unwrap();
        Adoptions::note(state.path(), &[after(1)]).unwrap();
        // Cut before the epoch was sealed: recovery knows nothing of it and draws another.
        apply(state.path(), fresh(7, Vec::new()));
        let StreamState::Begin(begin) = apply(state.path(), fresh(8, Vec::new())) else {
            panic!()
        };
        assert_eq!(begin.prev_epoch.len(), 1);
        // Sealed: what continues it names the head no more, whatever made it begin again.
        let sealed = EpochHead {
            epoch: epoch(8),
            seq: 0,
            sha256: Digest::of(b"g"),
            sealed_max: Moment::from_micros(1),
            retention_max_s: 86_400,
        };
        let next = fresh(9, vec![sealed]);
        assert_eq!(apply(state.path(), next.clone()), next);
        assert_eq!(Adoptions::read(state.path()).unwrap().waiting, []);
    }

    #[test]
    fn a_damaged_file_is_named_with_its_line() {
        let state = tempfile::tempdir().unwrap();
        std::fs::write(state.path().join(FILE), "{}\n").unwrap();
        let error = Adoptions::read(state.path()).unwrap_err();
        assert!(matches!(error, AdoptError::Damaged { line: 1, .. }));
    }
}
