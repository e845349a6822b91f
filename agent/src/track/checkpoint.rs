//! A checkpoint: where one source stands, and what must hold of a file for it to be that source.
//! It stays on the host, in sealed batches and snapshots, and is read back as hostile input. Its
//! path is compared and reported, never opened.

use crate::sys::Instant;
use crate::track::fingerprint::{Fingerprint, LADDER_MAX};
use crate::track::finished::FinishedLog;
use crate::track::identity::{FileId, FolderId, FolderPath};
use crate::track::sketch::Sketch;
use ledger::Digest;
use ledger::digest::{ResumableHash, parse_hex};
use ledger::entry::{PathBytes, decode_base64};
use ledger::limits::INTEGER_END;
use ledger::manifest::{self, Via, Was};
use ledger::name::{Epoch, Name};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Longest path a checkpoint may hold: the kernel's `PATH_MAX`.
const PATH_MAX: usize = 4096;

/// Where one source stands. Comes from [`crate::track::Tracker`], or from JSON and is checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "CheckpointFields", into = "CheckpointFields")]
pub(crate) struct Checkpoint {
    pub(crate) source: Was,
    pub(crate) path: PathBytes,
    pub(crate) file: FileId,
    pub(crate) via: Via,
    pub(crate) content: SealedContent,
    pub(crate) seen: LastLook,
    pub(crate) ended: bool,
    /// A file that waits to be identified: the archive does not know of it, and its id may be given to another.
    pub(crate) candidate: bool,
    pub(crate) was: Option<Was>,
}

/// How far a source is sealed, and the windows before that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SealedContent {
    pub(crate) offset: u64,
    /// The byte before `offset` is archived and not LF.
    pub(crate) line_open: bool,
    pub(crate) windows: Vec<Digest>,
    pub(crate) last: Digest,
    /// The hash of all of it so far; left out once bytes of it were passed over.
    pub(crate) whole: Option<ResumableHash>,
    /// Its first bytes.
    pub(crate) head: Vec<u8>,
    /// Some of its lines.
    pub(crate) lines: Sketch,
}

/// What the agent last saw of the file, for judging its absence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LastLook {
    pub(crate) size: u64,
    /// When its bytes last changed, as its file system says.
    pub(crate) modified: Option<Instant>,
    /// How long the source was when it lost the file before this one.
    pub(crate) extent: u64,
    /// It may have grown since: it was where it is written, or open and without a name.
    pub(crate) live: bool,
    /// A copy that ends at or before the checkpoint: known, never read.
    pub(crate) covered: bool,
    /// A packed file that unpacks, whole, to what is sealed.
    pub(crate) unpacked: bool,
    pub(crate) folder: FolderPath,
}

/// Why JSON is not a checkpoint.
#[derive(Debug, thiserror::Error)]
#[error("not a checkpoint: {0}")]
pub(crate) struct NotACheckpoint(&'static str);

impl Checkpoint {
    /// What names the source: stream, epoch and id.
    #[must_use]
    pub(crate) fn source(&self) -> &Was {
        &self.source
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let SealedContent {
            offset,
            ref windows,
            last,
            ref head,
            ref whole,
            ..
        } = self.content;
        // The shape was checked on the way in; a checkpoint made here has it by construction.
        Fingerprint::restore(offset, windows.clone(), last, head.clone(), whole.clone())
            .unwrap_or_default()
    }
}

/// What is remembered of sources from one run to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Where each source stands that is not over.
    pub(crate) checkpoints: Vec<Checkpoint>,
    /// Logs that are over and archived whole, oldest first.
    pub(crate) finished: Vec<FinishedLog>,
}

impl Memory {
    /// Takes note of what a later batch says: the newest checkpoint of each source holds, without those that ended
    /// or continued under another name.
    #[must_use]
    pub(crate) fn then(self, later: impl IntoIterator<Item = Checkpoint>) -> Self {
        let name = |was: &Was| (was.stream.clone(), was.epoch, was.id);
        let mut finished = self.finished;
        let mut known = BTreeMap::new();
        for checkpoint in self.checkpoints.into_iter().chain(later) {
            if let Some(was) = &checkpoint.was {
                known.remove(&name(was));
            }
            if checkpoint.ended {
                known.remove(&name(&checkpoint.source));
                finished.extend(FinishedLog::of(&checkpoint));
            } else {
                known.insert(name(&checkpoint.source), checkpoint);
            }
        }
        Self {
            checkpoints: known.into_values().collect(),
            finished,
        }
    }
}

/// The JSON form.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckpointFields {
    stream: Name,
    epoch: Epoch,
    id: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
    file: FileId,
    via: Via,
    offset: u64,
    amid: bool,
    windows: Vec<Digest>,
    last: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    whole: Option<ResumableHash>,
    /// In hex.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    head: String,
    #[serde(default)]
    lines: Sketch,
    size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    modified: Option<Instant>,
    extent: u64,
    live: bool,
    spent: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unpacked: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    folders: Vec<FolderId>,
    ended: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    candidate: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    was: Option<Was>,
}

impl From<Checkpoint> for CheckpointFields {
    fn from(checkpoint: Checkpoint) -> Self {
        let (path, path_base64) = manifest::Source::path_fields(&checkpoint.path);
        Self {
            stream: checkpoint.source.stream,
            epoch: checkpoint.source.epoch,
            id: checkpoint.source.id,
            path,
            path_base64,
            file: checkpoint.file,
            via: checkpoint.via,
            offset: checkpoint.content.offset,
            amid: checkpoint.content.line_open,
            windows: checkpoint.content.windows,
            last: checkpoint.content.last,
            whole: checkpoint.content.whole,
            head: hex(&checkpoint.content.head),
            lines: checkpoint.content.lines,
            size: checkpoint.seen.size,
            modified: checkpoint.seen.modified,
            extent: checkpoint.seen.extent,
            live: checkpoint.seen.live,
            spent: checkpoint.seen.covered,
            unpacked: checkpoint.seen.unpacked,
            folders: checkpoint.seen.folder.ids().to_vec(),
            ended: checkpoint.ended,
            candidate: checkpoint.candidate,
            was: checkpoint.was,
        }
    }
}

impl TryFrom<CheckpointFields> for Checkpoint {
    type Error = NotACheckpoint;

    fn try_from(fields: CheckpointFields) -> Result<Self, NotACheckpoint> {
        let path = match (fields.path, fields.path_base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(text)) => decode_base64(&text).ok_or(NotACheckpoint(
                "path_base64 is not base64 of what is not UTF-8",
            ))?,
            _ => return Err(NotACheckpoint("one of path and path_base64 is needed")),
        };
        let plain = path.first() == Some(&b'/') && path.len() <= PATH_MAX && !path.contains(&0);
        rule(plain, "path is not an absolute path of at most 4096 bytes")?;
        let end = INTEGER_END;
        rule(
            [fields.id, fields.offset, fields.size, fields.extent]
                .iter()
                .all(|number| *number < end),
            "a number is over 2^53",
        )?;
        let folder = FolderPath::restore(fields.folders);
        let folder = folder.ok_or(NotACheckpoint("too many folders"))?;
        rule(fields.windows.len() <= LADDER_MAX, "more than 64 windows")?;
        let windows = fields.windows;
        let whole = fields.whole;
        let head = parse_hex(&fields.head).ok_or(NotACheckpoint("head is not hex"))?;
        let shape = Fingerprint::restore(
            fields.offset,
            windows.clone(),
            fields.last,
            head.clone(),
            whole.clone(),
        );
        rule(
            !fields.candidate || fields.offset == 0,
            "a candidate is not read yet",
        )?;
        rule(shape.is_some(), "windows or the hash do not fit the offset")?;
        Ok(Self {
            source: Was {
                stream: fields.stream,
                epoch: fields.epoch,
                id: fields.id,
            },
            path: PathBytes(path),
            file: fields.file,
            via: fields.via,
            content: SealedContent {
                offset: fields.offset,
                line_open: fields.amid,
                windows,
                last: fields.last,
                whole,
                head,
                lines: fields.lines,
            },
            seen: LastLook {
                size: fields.size,
                modified: fields.modified,
                extent: fields.extent,
                live: fields.live,
                covered: fields.spent,
                unpacked: fields.unpacked,
                folder,
            },
            ended: fields.ended,
            candidate: fields.candidate,
            was: fields.was,
        })
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn rule(holds: bool, broken: &'static str) -> Result<(), NotACheckpoint> {
    if holds {
        Ok(())
    } else {
        Err(NotACheckpoint(broken))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn example(id: u64, offset: u64) -> Checkpoint {
        let digest = Digest::of(b"");
        Checkpoint {
            source: Was {
                stream: "auth".parse().unwrap(),
                epoch: Epoch::new(1, &[1; 10]),
                id,
            },
            path: PathBytes(b"/var/log/\xff".to_vec()),
            file: FileId {
                dev: u64::MAX,
                ino: 7,
                boot_id: Epoch::new(2, &[2; 10]),
                handle: Some("00ff".to_owned().try_into().unwrap()),
                born: None,
            },
            via: Via::Plain,
            content: SealedContent {
                offset,
                line_open: true,
                windows: vec![digest; crate::track::fingerprint::ladder_len(offset)],
                last: digest,
                whole: None,
                head: vec![b'x'; usize::try_from(offset).map_or(64, |offset| offset.min(64))],
                lines: Sketch::default(),
            },
            seen: LastLook {
                size: 9,
                modified: Some(Instant(1_800_000_000, 999_999_999)),
                extent: 0,
                live: true,
                covered: false,
                unpacked: false,
                folder: FolderPath::default(),
            },
            ended: false,
            candidate: false,
            was: None,
        }
    }

    #[test]
    fn checkpoints_round_trip() {
        for offset in [0, 1, 4096, 1 << 40] {
            let text = serde_json::to_string(&example(1, offset)).unwrap();
            assert_eq!(
                serde_json::from_str::<Checkpoint>(&text).unwrap(),
                example(1, offset)
            );
        }
    }

    #[test]
    fn hostile_state_is_refused() {
        let good = serde_json::to_string(&example(1, 4096)).unwrap();
        for (from, to) in [
            ("\"offset\":4096", "\"offset\":4095"),
            ("\"offset\":4096", "\"offset\":18446744073709551615"),
            ("\"offset\":4096", "\"offset\":-1"),
            ("\"id\":1", "\"id\":9007199254740992"),
            ("\"via\":\"plain\"", "\"via\":\"zip\""),
            ("\"path_base64\":", "\"path\":\"/a\",\"path_base64\":"),
            ("L3Zhci9sb2cv/w==", "L3Zhci9sb2cv"),
            ("\"handle\":\"00ff\"", "\"handle\":\"../\""),
            ("\"ended\":", "\"more\":1,\"ended\":"),
        ] {
            assert!(good.contains(from), "{from} in {good}");
            let bad = good.replace(from, to);
            assert!(serde_json::from_str::<Checkpoint>(&bad).is_err(), "{to}");
        }
    }

    #[test]
    fn the_newest_of_each_source_is_kept() {
        let ended = Checkpoint {
            ended: true,
            ..example(2, 10)
        };
        let moved = Checkpoint {
            was: Some(example(3, 0).source),
            ..example(4, 30)
        };
        let memory = Memory::default().then([example(1, 5)]);
        let all = [
            example(2, 5),
            example(3, 20),
            example(1, 6),
            ended,
            moved.clone(),
        ];
        assert_eq!(memory.then(all).checkpoints, [example(1, 6), moved]);
    }
}
