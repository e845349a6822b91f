//! Names in the spool, the folder in which agent and archiver meet; both use these and no others.
//!
//! ```text
//! spool/id                                    random, made by `holdfast-agent init`
//! spool/lock                                  held by the agent that runs here
//! spool/tmp/<random>/                         open batches, and batches being removed
//! spool/sealed/<stream>/<epoch>/<seq:020>/    body (with entries), manifest, cursors: the agent's half
//! spool/receipts/<stream>/<epoch>/<seq:020>.receipt, .bad or .conflict: the archiver's half
//! ```
//!
//! What the files hold is in [`crate::manifest`] and [`crate::receipt`]; `cursors` is the agent's own.

use crate::name::{Epoch, Name, Slot, parse_seq};
use alloc::string::String;
use core::fmt;

/// The folder of sealed batches, which the agent alone writes.
pub const SEALED: &str = "sealed";
/// The folder of receipts, which the archiver alone writes.
pub const RECEIPTS: &str = "receipts";
/// The folder in which the agent builds and removes batches.
pub const TMP: &str = "tmp";
/// The file with the spool's version and its random id, which `holdfast-agent init` makes.
pub const ID: &str = "id";
/// The file that a running agent holds locked.
pub const LOCK: &str = "lock";

/// The version of what stands in a spool. 1 is of a format that was never released.
const VERSION: u64 = 2;

/// A spool that another version of Holdfast made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OtherVersion {
    /// From before format 1 was settled.
    #[error(
        "made by an older holdfast-agent, in a format that this version does not continue; {OLDER}"
    )]
    Older,
    /// From a version that this one does not know.
    #[error("made by a newer holdfast-agent (version {0}, this one knows {VERSION}); run that one")]
    Newer(u64),
}

/// What to do about the spool or the state of an older version.
pub const OLDER: &str = "upload what waits with that version, keep its archive and its verifier, then use a fresh \
    spool, state and prefix: logs that are still on disk are archived again there";

/// What [`ID`] holds for a spool with this random `id`.
#[must_use]
pub fn id_file(id: &str) -> String {
    alloc::format!("{VERSION} {id}\n")
}

/// The random id that [`ID`] holds. The first version wrote the id alone.
///
/// # Errors
/// [`OtherVersion`]
pub fn parse_id_file(text: &str) -> Result<&str, OtherVersion> {
    let text = text.trim();
    let (version, id) = text.split_once(' ').ok_or(OtherVersion::Older)?;
    match version.parse() {
        Ok(VERSION) => Ok(id),
        Ok(newer) if newer > VERSION => Err(OtherVersion::Newer(newer)),
        _ => Err(OtherVersion::Older),
    }
}

/// A batch's signed manifest.
pub const MANIFEST: &str = "manifest";
/// A batch's stored body; heartbeats have none.
pub const BODY: &str = "body";
/// The agent's checkpoints as of a batch. They never leave the host.
pub const CURSORS: &str = "cursors";

/// A batch within a spool: a [`Slot`] without the agent's name, which a spool has one of.
///
/// Its text, `<stream>/<epoch>/<seq:020>`, is the batch's path below [`SEALED`] and, with a
/// [`Mark::extension`], its mark's below [`RECEIPTS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchId {
    /// Its stream.
    pub stream: Name,
    /// The stream's epoch.
    pub epoch: Epoch,
    /// Its number in the epoch.
    pub seq: u64,
}

impl From<&Slot> for BatchId {
    fn from(slot: &Slot) -> Self {
        Self {
            stream: slot.stream.clone(),
            epoch: slot.epoch,
            seq: slot.seq,
        }
    }
}

impl BatchId {
    /// Path of the mark beside it, below [`RECEIPTS`].
    #[must_use]
    pub fn mark_path(&self, mark: Mark) -> String {
        alloc::format!("{self}.{}", mark.extension())
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, epoch, seq } = self;
        write!(f, "{stream}/{epoch}/{seq:020}")
    }
}

/// What the archiver leaves beside a batch, from least to most trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// It is in the store, locked: a [`crate::receipt::Receipt`].
    Receipt,
    /// It rotted, or its retention is refused: a [`crate::receipt::Bad`]. The agent must answer with a
    /// new epoch.
    Bad,
    /// The store holds another statement of the same agent for its slot: that manifest file.
    Conflict,
}

impl Mark {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Receipt, Self::Bad, Self::Conflict];

    /// The end of its file's name, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Receipt => "receipt",
            Self::Bad => "bad",
            Self::Conflict => "conflict",
        }
    }

    /// The mark, and its batch's number, that a file name in `receipts/<stream>/<epoch>/` stands for;
    /// `None` for names that are not ours.
    #[must_use]
    pub fn parse_file_name(name: &str) -> Option<(u64, Self)> {
        let (seq, extension) = name.split_once('.')?;
        let mark = Self::ALL
            .into_iter()
            .find(|mark| mark.extension() == extension)?;
        Some((parse_seq(seq)?, mark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_of_another_version_is_told_apart() {
        assert_eq!(parse_id_file(&id_file("abc")), Ok("abc"));
        for older in ["0123abcd\n", "", "1 abc\n", "x y"] {
            assert_eq!(parse_id_file(older), Err(OtherVersion::Older), "{older:?}");
        }
        assert_eq!(parse_id_file("3 abc\n"), Err(OtherVersion::Newer(3)));
    }

    #[test]
    fn a_marks_file_name_is_parsed_back_and_nothing_else_is() {
        let id = BatchId {
            stream: "auth".parse().unwrap(),
            epoch: Epoch::new(1_763_800_000_000, &[7; 10]),
            seq: 42,
        };
        for mark in Mark::ALL {
            let path = id.mark_path(mark);
            let name = path.rsplit('/').next().unwrap();
            assert_eq!(Mark::parse_file_name(name), Some((42, mark)));
        }
        for odd in [
            "42.receipt",
            "00000000000000000042",
            "00000000000000000042.",
            "00000000000000000042.receipt.x",
            ".tmp-1",
        ] {
            assert_eq!(Mark::parse_file_name(odd), None, "{odd}");
        }
    }
}
