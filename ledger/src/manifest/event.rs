//! Events: what happened besides entries, from closed lists.

use crate::json::{integer_present, present};
use crate::signature::Key;
use serde::{Deserialize, Serialize};

/// Something that happened besides entries. docs/format.md has the table of kinds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// The source it concerns, one of this manifest's.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "integer_present"
    )]
    pub source: Option<u64>,
    /// First byte of a gap.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "integer_present"
    )]
    pub from: Option<u64>,
    /// One after the last byte of a gap; left out if nobody can know, and the source ends there.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "integer_present"
    )]
    pub to: Option<u64>,
    /// Why there is a gap.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub reason: Option<Reason>,
    /// In `start`: whether the run before ended with `stop`.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub clean: Option<bool>,
    /// In `key`: the key that signs from the next manifest on, as OpenSSH writes public keys.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub next: Option<Key>,
}

impl Event {
    /// An event of `kind` with no further field.
    #[must_use]
    pub fn new(kind: EventKind) -> Self {
        Self {
            kind,
            source: None,
            from: None,
            to: None,
            reason: None,
            clean: None,
            next: None,
        }
    }

    /// An event about a source.
    #[must_use]
    pub fn about(kind: EventKind, source: u64) -> Self {
        Self {
            source: Some(source),
            ..Self::new(kind)
        }
    }

    /// Bytes of `source` that are gone; `to` is `None` where the end is unknown.
    #[must_use]
    pub fn gap(source: u64, from: u64, to: Option<u64>, reason: Reason) -> Self {
        Self {
            from: Some(from),
            to,
            reason: Some(reason),
            ..Self::about(EventKind::Gap, source)
        }
    }

    /// The last manifest that this key signs; `next` signs from then on.
    #[must_use]
    pub fn key(next: Key) -> Self {
        Self {
            next: Some(next),
            ..Self::new(EventKind::Key)
        }
    }

    /// The agent started; `clean` if its last run ended with `stop`.
    #[must_use]
    pub fn start(clean: bool) -> Self {
        Self {
            clean: Some(clean),
            ..Self::new(EventKind::Start)
        }
    }
}

/// The closed list of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The agent started (`clean`).
    Start,
    /// The agent stops on purpose; no promise follows.
    Stop,
    /// The spool is full; files are held, not read. No promise follows.
    Full,
    /// There is room again.
    Resumed,
    /// Bytes that will never be archived (`source`, `from`, `to`, `reason`).
    Gap,
    /// Perhaps a repetition (`source`): its content matched a known source, yet it was not taken for it; or it took
    /// the place of a known source at its path and shares content with it; or it was continued by content alone.
    Ambiguous,
    /// The file system gives no handle: identity is by content alone (`source`).
    Weak,
    /// The signing key changes: the next manifest of the stream, and all after it, are signed by `next`.
    Key,
    /// Local state was missing or disagreed; a new epoch began. Only in a genesis.
    StateLost,
    /// The archive holds another statement for a seq; a new epoch began. Only in a genesis.
    Rollback,
    /// A sealed batch rotted in the spool; a new epoch began. Only in a genesis.
    Rot,
    /// The archiver refused a retention as too long; a new epoch began. Only in a genesis.
    Retention,
}

/// The closed list of reasons for a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The file was cut or rewritten in place and no copy of the rest was found.
    Truncated,
    /// The file is gone and no name or descriptor leads to it.
    Deleted,
    /// A hole that was never written, in a sparse file.
    Hole,
    /// Sealed entries rotted in the spool and the source no longer has them.
    Rot,
    /// The disk no longer gives the bytes back.
    Unreadable,
    /// The settings told the agent not to read them.
    Skipped,
}
