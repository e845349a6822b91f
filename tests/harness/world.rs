//! The one check of the world: whatever happened before, the archive gives every file back byte for
//! byte, each byte once, under a lock, and the verifier agrees.
//!
//! It reads the archive by docs/format.md with a general JSON reader, and shares no code with the
//! programs under test.

use crate::bucket::Bucket;
use crate::site::files_below;
use crate::unpack;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fs, str};

/// Seconds in a day.
const DAY_S: i64 = 86_400;

/// A file as the archive gives it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// The stream it was read in.
    pub stream: String,
    /// Where it was first seen.
    pub path: String,
    /// All of its bytes.
    pub bytes: Vec<u8>,
}

/// What an archive holds, read from a downloaded copy of it.
#[derive(Debug, Default)]
pub struct Archive {
    /// Every source, in no order.
    pub files: Vec<Rebuilt>,
    /// How many entries all bodies have.
    pub entries: u64,
    /// The manifests' first lines, epoch by epoch in order.
    pub manifests: Vec<Value>,
}

/// A source is numbered within its epoch.
type SourceId = (String, String, u64);

impl Archive {
    /// Reads a downloaded archive: `entries/` and `manifests/` below `copy`.
    ///
    /// # Panics
    /// When bytes of a source are missing or there twice, or a file does not read as documented.
    #[must_use]
    pub fn read(copy: &Path) -> Self {
        let mut archive = Self {
            manifests: manifests(copy),
            ..Self::default()
        };
        let bodies = bodies(copy);
        let mut sources: BTreeMap<SourceId, Rebuilt> = BTreeMap::new();
        for manifest in &archive.manifests {
            let named = name_sources(manifest, &mut sources);
            if manifest["entries"]["count"] == 0 {
                continue;
            }
            let sha256 = text(&manifest["stored"]["sha256"]);
            let body = bodies
                .get(&sha256[..16])
                .unwrap_or_else(|| panic!("no body {sha256}"));
            for line in body.split_terminator('\n') {
                archive.entries += 1;
                let entry: Value = serde_json::from_str(line).expect("an entry is JSON");
                let id = entry["log.file.id"].as_u64().expect("a source id");
                let file = sources.get_mut(&named[&id]).expect("a named source");
                append(&mut file.bytes, &entry);
            }
        }
        archive.files = sources.into_values().collect();
        archive
    }

    /// The first lines of all manifests of a downloaded archive that are not void, epoch by epoch in order.
    ///
    /// # Panics
    /// When a file does not read as documented.
    #[must_use]
    pub fn manifests_of(copy: &Path) -> Vec<Value> {
        manifests(copy)
    }

    /// Demands that the archive gives back exactly `expected`, as a set of contents.
    ///
    /// # Panics
    /// With the differences by size and beginning.
    #[track_caller]
    pub fn must_hold(&self, expected: &[Vec<u8>]) {
        let mut held: Vec<_> = self.files.iter().map(|file| file.bytes.clone()).collect();
        held.retain(|bytes| !bytes.is_empty());
        let mut expected = expected.to_vec();
        expected.retain(|bytes| !bytes.is_empty());
        held.sort();
        expected.sort();
        if held != expected {
            let only = |these: &[Vec<u8>], those: &[Vec<u8>]| -> Vec<String> {
                let lacking = these.iter().filter(|bytes| !those.contains(bytes));
                lacking.map(|bytes| describe(bytes)).collect()
            };
            panic!(
                "the archive gives other files back\nonly written: {:#?}\nonly archived: {:#?}",
                only(&expected, &held),
                only(&held, &expected)
            );
        }
    }

    /// How many events of a kind all manifests state.
    #[must_use]
    pub fn events(&self, kind: &str) -> usize {
        let events = self
            .manifests
            .iter()
            .filter_map(|manifest| manifest["events"].as_array());
        events
            .flatten()
            .filter(|event| event["kind"] == kind)
            .count()
    }
}

fn describe(bytes: &[u8]) -> String {
    let (head, tail) = (
        &bytes[..bytes.len().min(60)],
        &bytes[bytes.len().saturating_sub(60)..],
    );
    let (head, tail) = (String::from_utf8_lossy(head), String::from_utf8_lossy(tail));
    format!("{} bytes, {head:?} … {tail:?}", bytes.len())
}

/// The sources a manifest names; one continued from another epoch continues that one's bytes.
fn name_sources(
    manifest: &Value,
    sources: &mut BTreeMap<SourceId, Rebuilt>,
) -> BTreeMap<u64, SourceId> {
    let (stream, epoch) = (text(&manifest["stream"]), text(&manifest["epoch"]));
    let mut named = BTreeMap::new();
    for source in manifest["sources"].as_array().expect("sources are a list") {
        let id = source["id"].as_u64().expect("a source id");
        let full = (stream.to_owned(), epoch.to_owned(), id);
        if let Some(was) = source.get("was") {
            let was_id = was["id"].as_u64().expect("a source id");
            let was = (
                text(&was["stream"]).to_owned(),
                text(&was["epoch"]).to_owned(),
                was_id,
            );
            let file = sources.remove(&was).expect("what it was is in the archive");
            sources.insert(full.clone(), file);
        }
        sources.entry(full.clone()).or_insert_with(|| Rebuilt {
            stream: stream.to_owned(),
            path: source["path"].as_str().unwrap_or("(not UTF-8)").to_owned(),
            bytes: Vec::new(),
        });
        named.insert(id, full);
    }
    named
}

/// Puts an entry's bytes where it says they belong: exactly at the end of what is there.
fn append(bytes: &mut Vec<u8>, entry: &Value) {
    let offset = entry["log.offset"].as_u64().expect("an offset");
    assert_eq!(
        offset,
        bytes.len() as u64,
        "missing or doubled before {entry}"
    );
    match entry["message"].as_str() {
        Some(message) => bytes.extend_from_slice(message.as_bytes()),
        None => bytes.extend(
            BASE64
                .decode(text(&entry["message_base64"]))
                .expect("base64"),
        ),
    }
    let flags = entry["log.flags"].as_array();
    if !flags.is_some_and(|flags| flags.contains(&Value::from("open"))) {
        bytes.push(b'\n');
    }
}

/// All manifests' first lines; successors after the epochs they continue.
fn manifests(copy: &Path) -> Vec<Value> {
    let mut epochs: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut files = files_below(&copy.join("manifests"));
    files.sort();
    for file in files {
        let bytes = fs::read(file).expect("a manifest can be read");
        let line = bytes
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        let manifest: Value = serde_json::from_slice(line).expect("a manifest is JSON");
        epochs
            .entry(text(&manifest["epoch"]).to_owned())
            .or_default()
            .push(manifest);
    }
    drop_void(&mut epochs);
    let mut ordered = Vec::new();
    let mut done = BTreeSet::new();
    while !epochs.is_empty() {
        let ready = epochs.iter().find(|(_, manifests)| {
            let before = manifests[0]["prev_epoch"]
                .as_array()
                .expect("seq 0 names prev_epoch");
            before
                .iter()
                .all(|head| done.contains(text(&head["epoch"])))
        });
        let epoch = ready.expect("epochs form a line").0.clone();
        ordered.extend(epochs.remove(&epoch).expect("it was just found"));
        done.insert(epoch);
    }
    ordered
}

/// Leaves out what stands after the seq that an epoch's successor names.
fn drop_void(epochs: &mut BTreeMap<String, Vec<Value>>) {
    let geneses = epochs.values().map(|manifests| &manifests[0]);
    let heads = geneses.filter_map(|genesis| genesis["prev_epoch"].as_array());
    let cuts: Vec<(String, u64)> = heads
        .flatten()
        .map(|head| {
            let seq = head["seq"].as_u64().expect("a seq");
            (text(&head["epoch"]).to_owned(), seq)
        })
        .collect();
    for (epoch, last) in cuts {
        if let Some(manifests) = epochs.get_mut(&epoch) {
            manifests.retain(|manifest| manifest["seq"].as_u64() <= Some(last));
        }
    }
}

/// All bodies unpacked, by the digits in their name.
fn bodies(copy: &Path) -> BTreeMap<String, String> {
    let files = files_below(&copy.join("entries"));
    let unpack = |path: &std::path::PathBuf| {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a plain name");
        let (_, short) = name
            .split_once(".ndjson.")
            .and_then(|(digits, _)| digits.rsplit_once('-'))
            .expect("digits");
        let body = String::from_utf8(unpack::body(path)).expect("UTF-8");
        (short.to_owned(), body)
    };
    files.iter().map(unpack).collect()
}

fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is not text"))
}

/// Demands of an archive in a bucket with which nobody interfered: no delete marker, one statement under each
/// manifest's name, every version under COMPLIANCE for at least `retention_days` from when it was made. Gives
/// how many manifests are there once more, in the same bytes.
///
/// # Panics
/// With the version that is not as it must be.
#[must_use]
#[track_caller]
pub fn check_locks(bucket: &Bucket<'_>, prefix: &str, retention_days: i64) -> usize {
    // Canaries of the probe, beside these two, are locked for seconds.
    let mut versions = bucket.versions(&format!("{prefix}manifests/"));
    versions.extend(bucket.versions(&format!("{prefix}entries/")));
    assert!(!versions.is_empty(), "nothing is archived below {prefix:?}");
    let mut manifests: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut repeated = 0;
    for version in versions {
        assert!(!version.is_marker, "a delete marker: {version:?}");
        if version.key.ends_with(".manifest") {
            let bytes = bucket.get(&version);
            if let Some(other) = manifests.insert(version.key.clone(), bytes.clone()) {
                assert_eq!(bytes, other, "two manifests: {version:?}");
                repeated += 1;
            }
        }
        let lock = bucket
            .lock(&version)
            .unwrap_or_else(|| panic!("no lock on {version:?}"));
        assert!(lock.is_compliance, "not COMPLIANCE: {version:?}");
        let least = version.made_s + retention_days * DAY_S;
        assert!(
            lock.until_s >= least,
            "locked too short: {lock:?} on {version:?}"
        );
    }
    repeated
}
