//! A manifest: one signed JSON line that states what a batch holds and where it stands.
//!
//! [`Manifest::parse`] is the one way in from stored bytes and checks all that can be said of one
//! manifest alone; what must hold between neighbours is [`crate::chain`]'s. Exact bytes are hashed
//! and signed: nothing here re-serialises a manifest that it read.

mod event;
mod reference;
mod rules;
mod source;

use crate::block::Block;
use crate::codec::Codec;
use crate::json::{Strict, integer, nullable, object, present};
use crate::limits::MANIFEST_MAX;
use crate::name::{Epoch, Name, Slot};
use crate::signature::Key;
use crate::{Digest, Moment};
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

pub use event::{Event, EventKind, Reason};
pub use reference::{EpochHead, Reference, StreamHead};
pub use source::{Source, Via, Was};

/// The format's version, field `v`.
pub const VERSION: u64 = 1;

/// The schema of bodies that format 1 knows.
pub const SCHEMA: &str = "holdfast/entries/1";

/// What a manifest is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The first of an epoch (seq 0); no entries.
    Genesis,
    /// One with entries.
    Batch,
    /// A sign of life, or events alone; no entries.
    Heartbeat,
    /// The stream ends on purpose; no entries.
    Close,
}

/// The batch's entries; with none, `first` is the next sequence and `root` the empty tree's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entries {
    /// `event.sequence` of the first.
    #[serde(deserialize_with = "integer")]
    pub first: u64,
    /// How many.
    #[serde(deserialize_with = "integer")]
    pub count: u64,
    /// RFC 6962 root over them.
    pub root: Digest,
}

/// The unpacked body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// [`SCHEMA`]
    pub schema: String,
    /// The `date=` of its name, `YYYY-MM-DD`.
    pub date: String,
    /// Raw bytes.
    #[serde(deserialize_with = "integer")]
    pub size: u64,
}

/// The stored body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// How it is compressed.
    pub codec: Codec,
    /// Stored bytes.
    #[serde(deserialize_with = "integer")]
    pub size: u64,
    /// SHA-256 of the stored bytes.
    pub sha256: Digest,
}

/// When the batch was read and sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// `event.created` of the first entry.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub first: Option<Moment>,
    /// `event.created` of the last entry.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub last: Option<Moment>,
    /// Wall clock when sealed.
    pub sealed: Moment,
    /// The largest `sealed` of the epoch, and of what its genesis names, so far: a boot without a clock
    /// must not date the past.
    pub sealed_max: Moment,
    /// The kernel's boot id.
    pub boot_id: Epoch,
    /// `CLOCK_BOOTTIME` when sealed, in milliseconds.
    #[serde(deserialize_with = "integer")]
    pub boot_ms: u64,
    /// Milliseconds of this boot in which the machine was suspended: CLOCK_BOOTTIME − CLOCK_MONOTONIC.
    #[serde(deserialize_with = "integer")]
    pub suspended_ms: u64,
}

/// One manifest of format 1. Fields are public for building and reading; stored bytes come in
/// through [`Manifest::parse`] alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`VERSION`]
    #[serde(deserialize_with = "integer")]
    pub v: u64,
    /// The agent that sealed it.
    pub agent: Name,
    /// Its stream.
    pub stream: Name,
    /// The stream's epoch.
    pub epoch: Epoch,
    /// Number within the epoch, from 0.
    #[serde(deserialize_with = "integer")]
    pub seq: u64,
    /// What it is for.
    pub kind: Kind,
    /// The manifest before; left out at seq 0.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub prev: Option<Reference>,
    /// At seq 0 alone: the epochs it continues, empty for a stream's very first.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub prev_epoch: Option<Vec<EpochHead>>,
    /// The entries.
    pub entries: Entries,
    /// The unpacked body; only with entries.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub body: Option<Body>,
    /// The stored body; only with entries.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub stored: Option<Stored>,
    /// The stored body's blocks; only with entries.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub blocks: Option<Vec<Block>>,
    /// The sources this batch touches.
    pub sources: Vec<Source>,
    /// What else happened.
    pub events: Vec<Event>,
    /// When.
    pub time: Times,
    /// Where other streams of the agent stood, in order of their names.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub heads: Option<Vec<StreamHead>>,
    /// Longest time between manifests, in seconds.
    #[serde(deserialize_with = "integer")]
    pub heartbeat_s: u64,
    /// When the next manifest is due; null if none is promised.
    #[serde(deserialize_with = "nullable")]
    pub next_due: Option<Moment>,
    /// How long the body stays locked, in seconds.
    #[serde(deserialize_with = "integer")]
    pub retention_s: u64,
    /// The longest `retention_s` of the chain so far.
    #[serde(deserialize_with = "integer")]
    pub retention_max_s: u64,
    /// SHA-256 of the agent's configuration file.
    pub config_sha256: Digest,
    /// The agent's version.
    pub agent_version: String,
    /// Extensions, kept and not interpreted.
    #[serde(deserialize_with = "object")]
    pub ext: BTreeMap<String, Strict>,
    /// Names in `ext` without which this manifest must not be judged.
    pub crit: Vec<String>,
}

/// Why bytes are not a manifest this reader can judge.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Another `v`: written for a newer reader, inconclusive.
    #[error("format version {0}, this reader knows 1")]
    OtherVersion(String),
    /// Kind `record`, reserved: inconclusive.
    #[error("kind record, which this reader does not know")]
    Record,
    /// A name in `crit` that this reader does not know: inconclusive.
    #[error("critical extension {0:?}, which this reader does not know")]
    UnknownCritical(String),
    /// Not one line from `{` to `}` LF of at most 1 MiB.
    #[error("not one line of at most 1 MiB from {{ to }} and LF")]
    Shape,
    /// Not JSON as strict as the format wants, or a field of another type.
    #[error("not a strict JSON object of known shape: {0}")]
    Json(#[from] serde_json::Error),
    /// A field breaks a rule.
    #[error("{0}")]
    Field(&'static str),
}

impl ManifestError {
    /// Whether a newer reader might judge what this one cannot.
    #[must_use]
    pub fn is_inconclusive(&self) -> bool {
        matches!(
            self,
            Self::OtherVersion(_) | Self::Record | Self::UnknownCritical(_)
        )
    }
}

impl Manifest {
    /// Reads a manifest from its line, LF included, and checks everything that one manifest alone
    /// can be held to.
    ///
    /// # Errors
    /// See [`ManifestError`]; other versions and kinds are told apart before anything else is judged.
    pub fn parse(line: &[u8]) -> Result<Self, ManifestError> {
        let shaped = line.len() <= MANIFEST_MAX && line.starts_with(b"{") && line.ends_with(b"}\n");
        if !shaped || line.iter().filter(|byte| **byte == b'\n').count() != 1 {
            return Err(ManifestError::Shape);
        }
        let peek: Peek = serde_json::from_slice(line)?;
        match peek {
            Peek {
                v: Some(Strict::Integer(v)),
                ..
            } if v != VERSION => {
                return Err(ManifestError::OtherVersion(v.to_string()));
            }
            Peek {
                kind: Some(Strict::Text(kind)),
                ..
            } if kind == "record" => {
                return Err(ManifestError::Record);
            }
            _ => {}
        }
        let manifest: Self = serde_json::from_slice(line)?;
        manifest.check_crit()?;
        // What is critical may change what the other fields mean, so they are not judged.
        if let Some(name) = manifest.crit.first() {
            return Err(ManifestError::UnknownCritical(name.clone()));
        }
        manifest.check()?;
        Ok(manifest)
    }

    /// The line to sign and store, LF included.
    ///
    /// # Errors
    /// A field breaks a rule that [`Manifest::parse`] would refuse: nothing unreadable gets sealed.
    pub fn to_line(&self) -> Result<Vec<u8>, ManifestError> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Self::parse(&line)?;
        Ok(line)
    }

    /// What the next manifest says of this one, whose first line has this hash.
    #[must_use]
    pub fn reference(&self, sha256: Digest) -> Reference {
        Reference {
            seq: self.seq,
            sha256,
            sealed_max: self.time.sealed_max,
            retention_max_s: self.retention_max_s,
        }
    }

    /// What it names before itself: `prev`, or the heads of `prev_epoch`.
    pub fn before(&self) -> impl Iterator<Item = Reference> {
        let heads = self.prev_epoch.as_deref().unwrap_or_default();
        self.prev
            .into_iter()
            .chain(heads.iter().map(EpochHead::reference))
    }

    /// Its place in the archive.
    #[must_use]
    pub fn slot(&self) -> Slot {
        Slot {
            agent: self.agent.clone(),
            stream: self.stream.clone(),
            epoch: self.epoch,
            seq: self.seq,
        }
    }

    /// Key of the body it names, if it has one.
    #[must_use]
    pub fn body_key(&self) -> Option<String> {
        let (body, stored) = (self.body.as_ref()?, self.stored.as_ref()?);
        Some(
            self.slot()
                .body_key(&body.date, stored.codec, stored.sha256),
        )
    }

    /// The key that signs from the next manifest on, if this one has a `key` event.
    #[must_use]
    pub fn next_key(&self) -> Option<Key> {
        self.events.iter().find_map(|event| event.next)
    }

    /// Whether it holds an event of `kind`.
    #[must_use]
    pub fn has(&self, kind: EventKind) -> bool {
        self.events.iter().any(|event| event.kind == kind)
    }
}

/// Enough of any version's manifest to know whether this reader may judge it.
#[derive(Deserialize)]
struct Peek {
    #[serde(default, deserialize_with = "present")]
    v: Option<Strict>,
    #[serde(default, deserialize_with = "present")]
    kind: Option<Strict>,
}

#[cfg(test)]
mod tests;
