//! The vectors as the ledger crate and stock libraries read them.

use super::{json, vectors};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use harness::unpack;
use ledger::chain::Chain;
use ledger::codec::Codec;
use ledger::manifest::{EventKind, Manifest, ManifestError};
use ledger::name::ObjectName;
use ledger::signature::signers::{AllowedSigners, Trust};
use ledger::signature::{Signature, SignatureError, split};
use ledger::tree::{Tree, leaf};
use ledger::{Digest, entry};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// A source's bytes: (epoch, id) to what its entries and gaps give back.
type Files = BTreeMap<(String, u64), Vec<u8>>;

/// Which of a reader's questions a manifest file fails.
#[derive(Debug)]
struct Refusal {
    by: &'static str,
    #[expect(dead_code, reason = "a failed assertion shows it")]
    why: String,
}

impl From<SignatureError> for Refusal {
    fn from(error: SignatureError) -> Self {
        let (by, why) = ("signature", error.to_string());
        Self { by, why }
    }
}

impl From<ManifestError> for Refusal {
    fn from(error: ManifestError) -> Self {
        let by = if error.is_inconclusive() {
            "newer"
        } else {
            "manifest"
        };
        let why = error.to_string();
        Self { by, why }
    }
}

fn signers() -> AllowedSigners {
    let text = std::fs::read_to_string(vectors().join("allowed_signers")).unwrap();
    AllowedSigners::parse(&text).unwrap()
}

/// Everything a reader asks of a manifest file before it looks at the chain.
fn read(file: &[u8], signers: &AllowedSigners) -> Result<(Manifest, Digest), Refusal> {
    let (line, block) = split(file)?;
    let signature = Signature::parse(block)?;
    signature.verify(line)?;
    let manifest = Manifest::parse(line)?;
    match signers.trust(&manifest.agent, signature.key(), manifest.time.sealed) {
        Trust::Trusted => Ok((manifest, Digest::of(line))),
        trust => Err(Refusal {
            by: "signers",
            why: format!("{trust:?}"),
        }),
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a Vec<Value> {
    value[name].as_array().unwrap()
}

#[test]
fn manifests_and_bodies_are_what_is_expected() {
    let (expected, signers) = (json("expected.json"), signers());
    let archive = vectors().join("archive");
    let mut named = BTreeSet::new();
    let mut files = Files::new();
    let mut chain: Option<(Chain, Manifest)> = None;
    for expected in list(&expected, "manifests") {
        let key = expected["key"].as_str().unwrap();
        let file = std::fs::read(archive.join(key)).unwrap();
        let (manifest, sha256) = read(&file, &signers).unwrap();
        assert_eq!(
            ObjectName::parse(key),
            ObjectName::Manifest(manifest.slot())
        );
        assert_eq!(expected["sha256"], sha256.to_string());
        assert_eq!(
            expected["kind"],
            serde_json::to_value(manifest.kind).unwrap()
        );
        assert_eq!(
            expected["entries"],
            serde_json::to_value(manifest.entries).unwrap()
        );
        named.insert(key.to_string());
        named.extend(manifest.body_key());
        let body = read_body(&archive, &manifest, &expected["body"]);
        rebuild(&manifest, &body, &mut files);
        chain = Some(follow(chain, manifest, sha256));
    }
    assert_eq!(found(&archive), named, "what no manifest names");
    check_files(&expected, &files);
}

fn follow(
    chain: Option<(Chain, Manifest)>,
    manifest: Manifest,
    sha256: Digest,
) -> (Chain, Manifest) {
    let (chain, step) = match chain {
        Some((mut chain, last)) if last.epoch == manifest.epoch => {
            let step = chain.follow(&manifest, sha256);
            (chain, step)
        }
        _ => Chain::begin(&manifest, sha256),
    };
    assert!(step.breaks.is_empty(), "{:?}", step.breaks);
    (chain, manifest)
}

/// The body's lines, after its bytes have been held against manifest and expectation.
fn read_body(archive: &Path, manifest: &Manifest, expected: &Value) -> Vec<u8> {
    let (Some(key), Some(stored)) = (manifest.body_key(), &manifest.stored) else {
        assert!(expected.is_null());
        return Vec::new();
    };
    assert_eq!(expected["key"], key);
    let bytes = std::fs::read(archive.join(&key)).unwrap();
    assert_eq!(stored.sha256, Digest::of(&bytes));
    assert_eq!(expected["stored_sha256"], stored.sha256.to_string());
    let blocks = manifest.blocks.as_ref().unwrap();
    assert_eq!(expected["blocks"], blocks.len());
    let mut raw = Vec::new();
    for part in blocks {
        let from = usize::try_from(part.offset).unwrap();
        let packed = &bytes[from..from + usize::try_from(part.size).unwrap()];
        assert_eq!(part.sha256, Digest::of(packed));
        let mut unpacked = Vec::new();
        stored
            .codec
            .unpack(packed, part.raw, &mut unpacked)
            .unwrap();
        assert_eq!(unpacked, unpack::stock(stored.codec, packed));
        let before = raw.len();
        raw.extend(unpacked);
        let lines = raw[before..].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(part.count, lines as u64);
    }
    assert_eq!(expected["raw_sha256"], Digest::of(&raw).to_string());
    assert_eq!(expected["raw_size"], raw.len());
    raw
}

/// Adds the body's entries and the manifest's gaps to the sources they came from, by the rebuild
/// rule of docs/format.md.
fn rebuild(manifest: &Manifest, body: &[u8], files: &mut Files) {
    let mut tree = Tree::new();
    let mut pieces: Vec<(u64, u64, Vec<u8>)> = Vec::new();
    let lines = body.split_inclusive(|byte| *byte == b'\n');
    for line in lines.map(|line| line.strip_suffix(b"\n").unwrap()) {
        let entry = entry::parse(line).unwrap();
        assert_eq!(entry.sequence, manifest.entries.first + tree.count());
        tree.push(leaf(line));
        let of_source = |s: &&ledger::manifest::Source| s.id == entry.source;
        let source = manifest.sources.iter().find(of_source).unwrap();
        assert_eq!(source.path_bytes().unwrap().0, &*entry.path);
        let mut bytes = entry.message.to_vec();
        bytes.extend((!entry.flags.open).then_some(b'\n'));
        pieces.push((entry.source, entry.offset, bytes));
        if tree.count() == 1 {
            assert_eq!(manifest.time.first, Some(entry.created));
        }
        if tree.count() == manifest.entries.count {
            assert_eq!(manifest.time.last, Some(entry.created));
        }
    }
    assert_eq!(tree.root(), manifest.entries.root);
    for event in manifest.events.iter().filter(|e| e.kind == EventKind::Gap) {
        if let (Some(id), Some(from), Some(to)) = (event.source, event.from, event.to) {
            pieces.push((id, from, vec![0; usize::try_from(to - from).unwrap()]));
        }
    }
    pieces.sort_by_key(|(id, offset, _)| (*id, *offset));
    for source in &manifest.sources {
        let file = (manifest.epoch.to_string(), source.id);
        let base = match &source.was {
            Some(was) => files[&(was.epoch.to_string(), was.id)].clone(),
            None => Vec::new(),
        };
        let bytes = files.entry(file).or_insert(base);
        assert_eq!(source.from, bytes.len() as u64);
        let range = source.from..source.to;
        for (_, offset, piece) in pieces
            .iter()
            .filter(|p| p.0 == source.id && range.contains(&p.1))
        {
            assert_eq!(*offset, bytes.len() as u64, "pieces tile");
            bytes.extend(piece);
        }
        assert_eq!(source.to, bytes.len() as u64);
    }
}

fn found(archive: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![archive.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for item in std::fs::read_dir(folder).unwrap() {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(
                    path.strip_prefix(archive)
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .to_string(),
                );
            }
        }
    }
    found
}

fn check_files(expected: &Value, files: &Files) {
    for source in list(expected, "sources") {
        let name = source["file"].as_str().unwrap();
        let bytes = std::fs::read(vectors().join("sources").join(name)).unwrap();
        assert_eq!(source["sha256"], Digest::of(&bytes).to_string());
        let last = list(source, "ids").last().unwrap();
        let key = (last[0].as_str().unwrap().into(), last[1].as_u64().unwrap());
        assert!(files[&key] == bytes, "{name}");
    }
}

#[test]
fn what_is_wrong_is_refused_for_its_own_reason() {
    let (refused, signers) = (json("refused.json"), signers());
    let manifests = list(&refused, "manifests");
    let names: BTreeSet<_> = manifests
        .iter()
        .map(|one| one["file"].as_str().unwrap())
        .collect();
    assert_eq!(
        names
            .iter()
            .map(ToString::to_string)
            .collect::<BTreeSet<_>>(),
        found(&vectors().join("refused"))
    );
    for one in manifests {
        let name = one["file"].as_str().unwrap();
        let file = std::fs::read(vectors().join("refused").join(name)).unwrap();
        let refusal = read(&file, &signers).expect_err(name);
        assert_eq!(one["by"], refusal.by, "{name}: {refusal:?}");
    }
    let good = |one: &Value| one["good"].as_str().unwrap().to_string();
    let (entries, lines) = (&refused["entries"], &refused["signers"]);
    assert!(entry::parse(good(entries).as_bytes()).is_ok());
    for one in list(entries, "bad") {
        assert!(
            entry::parse(one["line"].as_str().unwrap().as_bytes()).is_err(),
            "{one}"
        );
    }
    assert!(AllowedSigners::parse(&good(lines)).is_ok());
    for one in list(lines, "bad") {
        assert!(
            AllowedSigners::parse(one["line"].as_str().unwrap()).is_err(),
            "{one}"
        );
    }
}

fn bytes_of(one: &Value, field: &str) -> Vec<u8> {
    BASE64.decode(one[field].as_str().unwrap()).unwrap()
}

fn codec_of(one: &Value) -> Codec {
    one["codec"].as_str().unwrap().parse().unwrap()
}

/// Whether `zstd -dc` or `zcat` exits 0 on these bytes.
fn stock_tool_takes(codec: Codec, stored: &[u8]) -> bool {
    let mut tool = match codec {
        Codec::Zstd => Command::new("zstd"),
        Codec::Gzip => Command::new("gzip"),
    };
    let mut child = tool
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the Debian packages zstd and gzip");
    // A tool that gives up early closes its end.
    drop(child.stdin.take().unwrap().write_all(stored));
    child.wait().unwrap().success()
}

#[test]
fn blocks_that_are_almost_right_are_refused_whatever_stock_tools_say() {
    let refused = json("refused.json");
    let blocks = &refused["blocks"];
    let raw = bytes_of(blocks, "raw_base64");
    let mut back = Vec::new();
    for one in list(blocks, "good") {
        let (codec, stored) = (codec_of(one), bytes_of(one, "stored_base64"));
        codec.unpack(&stored, raw.len() as u64, &mut back).unwrap();
        assert_eq!(back, raw, "{codec}");
        assert!(stock_tool_takes(codec, &stored), "{codec}");
    }
    for one in list(blocks, "bad") {
        let (codec, stored) = (codec_of(one), bytes_of(one, "stored_base64"));
        let taken = codec.unpack(&stored, raw.len() as u64, &mut back);
        assert!(taken.is_err(), "{one}");
        assert_eq!(
            one["stock_takes"],
            stock_tool_takes(codec, &stored),
            "{one}"
        );
    }
}
