//! A manifest: one signed JSON line that states what a batch holds and where it stands.
//!
//! [`Manifest::parse`] is the one way in from stored bytes and checks all that can be said of one
//! manifest alone; what must hold between neighbours is [`crate::chain`]'s. Exact bytes are hashed
//! and signed: nothing here re-serialises a manifest that it read.

use crate::block::{self, Block, Totals};
use crate::entry::{PathBytes, decode_base64};
use crate::json::{Strict, integer, integer_present, nullable, present};
use crate::limits::{
    BATCH_ENTRIES_MAX, BATCH_RAW_MAX, DAY_S, HEARTBEAT_MAX_S, HEARTBEATS_PROMISED, INTEGER_END,
    MANIFEST_MAX,
};
use crate::name::{Epoch, Name, Slot};
use crate::{Digest, Moment, moment};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use base64::Engine as _;
use serde::{Deserialize, Serialize};

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

/// The manifest before, in the same epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prev {
    /// Its sequence number.
    #[serde(deserialize_with = "integer")]
    pub seq: u64,
    /// SHA-256 of its first line, LF included.
    pub sha256: Digest,
}

/// The last manifest of an epoch that this one continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochHead {
    /// The epoch.
    pub epoch: Epoch,
    /// Its last sequence number; what lies beyond is void.
    #[serde(deserialize_with = "integer")]
    pub seq: u64,
    /// SHA-256 of that manifest's first line, LF included.
    pub sha256: Digest,
}

/// Where another stream of the agent stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamHead {
    /// The stream.
    pub stream: Name,
    /// Its epoch.
    pub epoch: Epoch,
    /// Its newest sequence number.
    #[serde(deserialize_with = "integer")]
    pub seq: u64,
    /// SHA-256 of that manifest's first line, LF included.
    pub sha256: Digest,
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
    /// `gzip`
    pub codec: String,
    /// Stored bytes.
    #[serde(deserialize_with = "integer")]
    pub size: u64,
    /// SHA-256 of the stored bytes.
    pub sha256: Digest,
}

/// How a source is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// As it is.
    Plain,
    /// Unpacked; offsets count unpacked bytes.
    Gzip,
}

/// A source of another epoch that this one continues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Was {
    /// The stream it was read in.
    pub stream: Name,
    /// The epoch it was read in.
    pub epoch: Epoch,
    /// Its id there.
    #[serde(deserialize_with = "integer")]
    pub id: u64,
}

/// What this batch takes from one source through one file: bytes `[from, to)`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Unique in the epoch; `log.file.id` of its entries.
    #[serde(deserialize_with = "integer")]
    pub id: u64,
    /// Where it was first seen, if that is UTF-8.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub path: Option<String>,
    /// Where it was first seen, if that is not UTF-8: base64.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub path_base64: Option<String>,
    /// Device number, decimal.
    pub dev: String,
    /// Inode number, decimal.
    pub ino: String,
    /// The kernel's file handle as hex; left out where it is refused.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub handle: Option<String>,
    /// How it is read.
    pub via: Via,
    /// First byte.
    #[serde(deserialize_with = "integer")]
    pub from: u64,
    /// One after the last byte.
    #[serde(deserialize_with = "integer")]
    pub to: u64,
    /// Only in its first entry of the epoch: the source it continues.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub was: Option<Was>,
}

impl Source {
    /// Splits a path into the two fields that carry it.
    #[must_use]
    pub fn path_fields(path: &PathBytes) -> (Option<String>, Option<String>) {
        match core::str::from_utf8(&path.0) {
            Ok(text) => (Some(text.to_string()), None),
            Err(_) => (
                None,
                Some(base64::engine::general_purpose::STANDARD.encode(&path.0)),
            ),
        }
    }

    /// The path's bytes; `None` unless exactly one field carries it.
    #[must_use]
    pub fn path_bytes(&self) -> Option<PathBytes> {
        match (&self.path, &self.path_base64) {
            (Some(text), None) => Some(PathBytes(text.clone().into_bytes())),
            (None, Some(text)) => decode_base64(text).map(PathBytes),
            _ => None,
        }
    }
}

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
    /// A new file whose content matched a known source, yet was not taken for it (`source`).
    Ambiguous,
    /// The file system gives no handle: identity is by content alone (`source`).
    Weak,
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
    /// The kernel's boot id.
    pub boot_id: Epoch,
    /// `CLOCK_BOOTTIME` when sealed, in milliseconds.
    #[serde(deserialize_with = "integer")]
    pub boot_ms: u64,
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
    pub prev: Option<Prev>,
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
    /// The stored body's gzip members; only with entries.
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
    /// In heartbeats of the agent's first stream: where its other streams stood.
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
            Peek { v: Some(v), .. } if v != Strict::Integer(VERSION) => {
                return Err(ManifestError::OtherVersion(serde_json::to_string(&v)?));
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
        manifest.check()?;
        match manifest.crit.first() {
            Some(name) => Err(ManifestError::UnknownCritical(name.clone())),
            None => Ok(manifest),
        }
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
        Some(self.slot().body_key(&body.date, stored.sha256))
    }

    /// Whether it holds an event of `kind`.
    #[must_use]
    pub fn has(&self, kind: EventKind) -> bool {
        self.events.iter().any(|event| event.kind == kind)
    }

    fn check(&self) -> Result<(), ManifestError> {
        self.check_place()?;
        self.check_content()?;
        self.check_sources()?;
        self.check_events()?;
        self.check_promise()?;
        rule(
            self.crit.iter().all(|name| self.ext.contains_key(name)),
            "crit names a key that ext lacks",
        )?;
        let distinct: BTreeSet<_> = self.crit.iter().collect();
        rule(distinct.len() == self.crit.len(), "crit names a key twice")
    }

    fn check_place(&self) -> Result<(), ManifestError> {
        rule(
            (self.kind == Kind::Genesis) == (self.seq == 0),
            "kind is genesis exactly at seq 0",
        )?;
        rule(
            self.prev_epoch.is_some() == (self.seq == 0),
            "prev_epoch stands exactly at seq 0",
        )?;
        rule(
            self.prev.map(|prev| prev.seq) == self.seq.checked_sub(1),
            "prev is not the seq before",
        )?;
        let heads = self.prev_epoch.as_deref().unwrap_or_default();
        let distinct: BTreeSet<_> = heads.iter().map(|head| head.epoch).collect();
        rule(
            distinct.len() == heads.len(),
            "prev_epoch names an epoch twice",
        )?;
        rule(
            !distinct.contains(&self.epoch),
            "prev_epoch names its own epoch",
        )?;
        let heads = self.heads.as_deref().unwrap_or_default();
        let distinct: BTreeSet<_> = heads.iter().map(|head| &head.stream).collect();
        rule(distinct.len() == heads.len(), "heads names a stream twice")?;
        rule(
            !distinct.contains(&self.stream),
            "heads names its own stream",
        )?;
        rule(
            self.heads.is_none() || self.kind == Kind::Heartbeat,
            "heads stands in heartbeats alone",
        )
    }

    fn check_content(&self) -> Result<(), ManifestError> {
        let Entries { first, count, root } = self.entries;
        rule(
            (self.kind == Kind::Batch) == (count > 0),
            "kind is batch exactly where entries are",
        )?;
        rule(
            first
                .checked_add(count)
                .is_some_and(|end| end <= INTEGER_END),
            "entries run past 2^53",
        )?;
        let times = (self.time.first, self.time.last);
        let (body, stored, blocks) = match (&self.body, &self.stored, &self.blocks) {
            (None, None, None) if count == 0 => {
                rule(
                    root == Digest::of(b""),
                    "the root over no entries is SHA-256 of nothing",
                )?;
                return rule(
                    times == (None, None),
                    "time.first and time.last stand only with entries",
                );
            }
            (Some(body), Some(stored), Some(blocks)) if count > 0 => (body, stored, blocks),
            _ => {
                return Err(ManifestError::Field(
                    "body, stored and blocks stand exactly where entries are",
                ));
            }
        };
        rule(
            matches!(times, (Some(_), Some(_))),
            "time.first and time.last are needed with entries",
        )?;
        rule(
            body.schema == SCHEMA,
            "body.schema is not holdfast/entries/1",
        )?;
        rule(stored.codec == "gzip", "stored.codec is not gzip")?;
        rule(moment::is_day(&body.date), "body.date is not a day")?;
        rule(body.size <= BATCH_RAW_MAX, "body.size is over 24 MiB")?;
        rule(count <= BATCH_ENTRIES_MAX, "entries.count is over 2^18")?;
        let stated = Totals {
            size: stored.size,
            raw: body.size,
            count,
        };
        rule(
            block::totals(blocks) == Some(stated),
            "blocks do not add up to the totals",
        )
    }

    fn check_sources(&self) -> Result<(), ManifestError> {
        for source in &self.sources {
            rule(
                source.path_bytes().is_some(),
                "a source needs one of path and path_base64",
            )?;
            rule(
                is_decimal(&source.dev) && is_decimal(&source.ino),
                "dev and ino are decimal strings",
            )?;
            let hex =
                |handle: &String| !handle.is_empty() && crate::digest::parse_hex(handle).is_some();
            rule(
                source.handle.as_ref().is_none_or(hex),
                "handle is not even lowercase hex",
            )?;
            rule(source.from <= source.to, "a source's to is before its from")?;
            let own = |was: &Was| was.epoch == self.epoch;
            rule(
                !source.was.as_ref().is_some_and(own),
                "was names its own epoch",
            )?;
        }
        let needs_sources = self.entries.count > 0;
        rule(
            !needs_sources || !self.sources.is_empty(),
            "entries without a source",
        )
    }

    fn check_events(&self) -> Result<(), ManifestError> {
        for event in &self.events {
            let Event {
                kind,
                source,
                from,
                to,
                reason,
                clean,
            } = event;
            let about = source.map(|id| self.sources.iter().any(|source| source.id == id));
            rule(
                about != Some(false),
                "an event names a source that sources lacks",
            )?;
            let about_source = matches!(
                kind,
                EventKind::Gap | EventKind::Ambiguous | EventKind::Weak
            );
            rule(
                about.is_some() == about_source,
                "source stands in gap, ambiguous and weak alone",
            )?;
            rule(
                clean.is_some() == (*kind == EventKind::Start),
                "clean stands in start alone",
            )?;
            let gap = *kind == EventKind::Gap;
            rule(
                from.is_some() == gap && reason.is_some() == gap,
                "a gap, and nothing else, has from and reason",
            )?;
            rule(to.is_none() || gap, "to stands in gap alone")?;
            rule(
                to.is_none_or(|to| Some(to) > *from),
                "a gap's to is not after its from",
            )?;
            let genesis_alone = matches!(
                kind,
                EventKind::StateLost | EventKind::Rollback | EventKind::Rot | EventKind::Retention
            );
            rule(
                !genesis_alone || self.kind == Kind::Genesis,
                "this event stands in a genesis alone",
            )?;
        }
        Ok(())
    }

    fn check_promise(&self) -> Result<(), ManifestError> {
        let beats = 1..=HEARTBEAT_MAX_S;
        rule(
            beats.contains(&self.heartbeat_s),
            "heartbeat_s is not between 1 and 86400",
        )?;
        let silent =
            self.kind == Kind::Close || self.has(EventKind::Stop) || self.has(EventKind::Full);
        let due = (!silent).then(|| {
            self.time
                .sealed
                .plus_s(HEARTBEATS_PROMISED * self.heartbeat_s)
        });
        rule(
            self.next_due == due,
            "next_due is sealed + 3 x heartbeat_s, or null with stop, full or close",
        )?;
        rule(self.retention_s >= DAY_S, "retention_s is under a day")?;
        rule(
            self.retention_max_s >= self.retention_s,
            "retention_max_s is under retention_s",
        )
    }
}

fn rule(holds: bool, broken: &'static str) -> Result<(), ManifestError> {
    if holds {
        Ok(())
    } else {
        Err(ManifestError::Field(broken))
    }
}

fn is_decimal(text: &str) -> bool {
    let plain =
        !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    plain && (text == "0" || !text.starts_with('0'))
}

/// Enough of any version's manifest to know whether this reader may judge it.
#[derive(Deserialize)]
struct Peek {
    #[serde(default, deserialize_with = "present")]
    v: Option<Strict>,
    #[serde(default, deserialize_with = "present")]
    kind: Option<Strict>,
}
