//! Names of agents, streams, epochs and stored objects: built here, parsed here, round trip.
//!
//! No name needs escaping and none can climb out of a folder. A stored name is only ever compared
//! or parsed; it never becomes a path on the reader's disk.

use crate::codec::Codec;
use crate::digest::parse_hex;
use crate::limits::{INTEGER_END, NAME_MAX};
use crate::{Digest, moment};
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;
use uuid::Uuid;

/// The name of an agent or a stream: `[A-Za-z0-9][A-Za-z0-9._-]{0,62}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// A text that cannot name an agent or a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to 63 of A-Z a-z 0-9 . _ - and starts with a letter or digit")]
pub struct NotAName;

impl Name {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        let starts = text
            .as_bytes()
            .first()
            .is_some_and(u8::is_ascii_alphanumeric);
        let goes_on = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if starts && text.len() <= NAME_MAX && text.bytes().all(goes_on) {
            return Ok(Self(text.to_string()));
        }
        Err(NotAName)
    }
}

/// One unbroken line of a stream's state: a hyphenated lowercase UUID, written as version 7.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(Uuid);

/// A text that is not a hyphenated lowercase UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a UUID in lowercase with hyphens")]
pub struct NotAnEpoch;

impl Epoch {
    /// A new epoch from the wall clock (milliseconds since 1970) and ten random bytes (RFC 9562 5.7).
    #[must_use]
    pub fn new(now_ms: u64, roll: &[u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(now_ms, roll).into_uuid())
    }
}

impl FromStr for Epoch {
    type Err = NotAnEpoch;

    fn from_str(text: &str) -> Result<Self, NotAnEpoch> {
        let uuid = Uuid::try_parse(text).map_err(|_| NotAnEpoch)?;
        if uuid.hyphenated().to_string() == text {
            Ok(Self(uuid))
        } else {
            Err(NotAnEpoch)
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.hyphenated(), f)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

macro_rules! as_json_text {
    ($type:ty, $expected:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::json::text(deserializer, $expected)
            }
        }
    };
}
as_json_text!(Name, "a name of 1 to 63 of A-Z a-z 0-9 . _ -");
as_json_text!(Epoch, "a UUID in lowercase with hyphens");

/// Which manifest: its place in the archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// The agent that sealed it.
    pub agent: Name,
    /// The stream it belongs to.
    pub stream: Name,
    /// The stream's epoch.
    pub epoch: Epoch,
    /// Number within the epoch, from 0.
    pub seq: u64,
}

impl Slot {
    /// Object key of the manifest, below the store's prefix.
    #[must_use]
    pub fn manifest_key(&self) -> String {
        let Self {
            agent,
            stream,
            epoch,
            seq,
        } = self;
        format!("manifests/{agent}/{stream}/{epoch}/{seq:020}.manifest")
    }

    /// Object key of the body, below the store's prefix; `date` is the manifest's `body.date`.
    #[must_use]
    pub fn body_key(&self, date: &str, codec: Codec, stored: Digest) -> String {
        let Self {
            agent,
            stream,
            epoch,
            seq,
        } = self;
        let (short, end) = (stored.short(), codec.extension());
        format!(
            "entries/agent={agent}/stream={stream}/date={date}/{epoch}-{seq:020}-{short}.ndjson.{end}"
        )
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            agent,
            stream,
            epoch,
            seq,
        } = self;
        write!(f, "{agent}/{stream}/{epoch}/{seq}")
    }
}

/// What a key below the store's prefix stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectName {
    /// A manifest.
    Manifest(Slot),
    /// A body: its slot, `date=`, codec and the first 16 digits of `stored.sha256`.
    Body {
        /// The manifest that should name it.
        slot: Slot,
        /// `YYYY-MM-DD`
        date: String,
        /// What its end stands for.
        codec: Codec,
        /// First 16 hex digits of the stored bytes' SHA-256.
        short: String,
    },
    /// A canary of the probe, under `probe/`.
    Probe,
    /// Under `log/`, `keys/`, `reports/` or `records/`, which format 1 reserves.
    Reserved,
    /// None of ours.
    Foreign,
}

impl ObjectName {
    /// Parses a key below the store's prefix. Total: what is not exactly ours is foreign.
    #[must_use]
    pub fn parse(key: &str) -> Self {
        match key.split_once('/').map(|(top, _)| top) {
            Some("probe") => Self::Probe,
            Some("log" | "keys" | "reports" | "records") => Self::Reserved,
            Some("manifests") => manifest(key).unwrap_or(Self::Foreign),
            Some("entries") => body(key).unwrap_or(Self::Foreign),
            _ => Self::Foreign,
        }
    }
}

fn manifest(key: &str) -> Option<ObjectName> {
    let mut parts = key.split('/').skip(1);
    let (agent, stream) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let epoch = parts.next()?.parse().ok()?;
    let seq = parse_seq(parts.next()?.strip_suffix(".manifest")?)?;
    parts.next().is_none().then_some(ObjectName::Manifest(Slot {
        agent,
        stream,
        epoch,
        seq,
    }))
}

fn body(key: &str) -> Option<ObjectName> {
    let mut parts = key.split('/').skip(1);
    let agent = parts.next()?.strip_prefix("agent=")?.parse().ok()?;
    let stream = parts.next()?.strip_prefix("stream=")?.parse().ok()?;
    let date = parts
        .next()?
        .strip_prefix("date=")
        .filter(|date| moment::is_day(date))?;
    let (file, end) = parts.next()?.split_once(".ndjson.")?;
    let codec = Codec::of_extension(end)?;
    let (rest, short) = file.rsplit_once('-')?;
    let (epoch, seq) = rest.rsplit_once('-')?;
    if parts.next().is_some() || short.len() != 16 || parse_hex(short).is_none() {
        return None;
    }
    let slot = Slot {
        agent,
        stream,
        epoch: epoch.parse().ok()?,
        seq: parse_seq(seq)?,
    };
    Some(ObjectName::Body {
        slot,
        date: date.into(),
        codec,
        short: short.into(),
    })
}

/// A sequence number as names carry it: exactly twenty digits, below 2^53.
#[must_use]
pub fn parse_seq(text: &str) -> Option<u64> {
    let digits = text.len() == 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|seq| digits && *seq < INTEGER_END)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot() -> Slot {
        Slot {
            agent: "web-01".parse().unwrap(),
            stream: "auth".parse().unwrap(),
            epoch: Epoch::new(1_763_800_000_000, &[7; 10]),
            seq: 42,
        }
    }

    #[test]
    fn keys_round_trip() {
        let slot = slot();
        assert_eq!(
            ObjectName::parse(&slot.manifest_key()),
            ObjectName::Manifest(slot.clone())
        );
        let stored = Digest::of(b"x");
        for codec in Codec::ALL {
            let body = ObjectName::Body {
                slot: slot.clone(),
                date: "2026-11-22".into(),
                codec,
                short: stored.short(),
            };
            assert_eq!(
                ObjectName::parse(&slot.body_key("2026-11-22", codec, stored)),
                body
            );
        }
    }

    #[test]
    fn near_misses_are_foreign() {
        let good = slot().manifest_key();
        let body = slot().body_key("2026-11-22", Codec::Zstd, Digest::of(b"x"));
        for bad in [
            good.replace(".manifest", ".manifest/"),
            good.replace("00042", "42"),
            good.replace("web-01", ".."),
            good.to_uppercase(),
            format!("x/{good}"),
            body.replace("2026-11-22", "2026-02-30"),
            body.replace(".ndjson.zst", ".zst"),
            body.replace(".zst", ".zstd"),
            body.replace(".ndjson", ".ndjson.ndjson"),
            body.replace("agent=", "agent"),
            "manifests/".into(),
            "é/é".into(),
            String::new(),
        ] {
            assert_eq!(ObjectName::parse(&bad), ObjectName::Foreign, "{bad}");
        }
    }

    #[test]
    fn a_damaged_key_is_foreign_or_another_objects() {
        let mut damage = crate::damage::Damage::new();
        let body = slot().body_key("2026-11-22", Codec::Zstd, Digest::of(b"x"));
        for round in 0..20_000 {
            let good = [slot().manifest_key(), body.clone()][round % 2].clone();
            let bad = String::from_utf8_lossy(&damage.of(good.as_bytes())).into_owned();
            if let ObjectName::Manifest(slot) = ObjectName::parse(&bad) {
                assert_eq!(slot.manifest_key(), bad);
            }
        }
    }

    #[test]
    fn names_are_closed() {
        for good in ["a", "A9._-", &"x".repeat(63)] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            "-a",
            "_a",
            "a/b",
            "a b",
            "ä",
            "a\n",
            &"x".repeat(64),
        ] {
            assert_eq!(bad.parse::<Name>(), Err(NotAName), "{bad}");
        }
    }

    #[test]
    fn epochs_have_one_spelling() {
        let epoch = slot().epoch.to_string();
        assert_eq!(epoch.as_bytes()[14], b'7');
        for bad in [
            epoch.to_uppercase(),
            epoch.replace('-', ""),
            format!("{{{epoch}}}"),
        ] {
            assert_eq!(bad.parse::<Epoch>(), Err(NotAnEpoch));
        }
    }
}
