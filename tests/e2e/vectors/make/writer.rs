//! Writes an epoch's manifests and bodies, one after the other, as an agent would.

use super::private;
use ledger::codec::{Codec, Compressor};
use ledger::entry::{Entry, Flags};
use ledger::manifest::{
    Body, EpochHead, Event, Kind, Manifest, SCHEMA, Source, Stored, Times, VERSION,
};
use ledger::name::Epoch;
use ledger::tree::{Tree, leaf};
use ledger::{Digest, Moment, block, manifest, signature};
use serde_json::{Value, json};
use ssh_key::PrivateKey;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

const BOOTS: [&str; 2] = [
    "0a0b0c0d-0001-4000-8000-000000000001",
    "0a0b0c0d-0002-4000-8000-000000000002",
];

const HEARTBEAT_S: u64 = 300;

/// 2026-11-22T10:00:00Z, when the first manifest is sealed.
pub(super) fn start() -> Moment {
    "2026-11-22T10:00:00.000000Z".parse().unwrap()
}

/// A piece of a source as one entry takes it.
pub(super) struct Piece {
    pub(super) source: u64,
    pub(super) path: &'static [u8],
    pub(super) offset: u64,
    pub(super) bytes: &'static [u8],
    pub(super) cont: bool,
}

/// One stream's state while it is being written.
pub(super) struct Writer {
    root: PathBuf,
    pub(super) head: Manifest,
    pub(super) sha256: Digest,
    pub(super) expected: Vec<Value>,
}

impl Writer {
    /// Begins an epoch with its genesis.
    pub(super) fn begin(
        root: &Path,
        stream: &str,
        epoch: Epoch,
        at_s: u64,
        prev_epoch: Vec<EpochHead>,
        events: Vec<Event>,
    ) -> Self {
        let boot = usize::from(!prev_epoch.is_empty());
        let genesis = Manifest {
            v: VERSION,
            agent: "web-01".parse().unwrap(),
            stream: stream.parse().unwrap(),
            epoch,
            seq: 0,
            kind: Kind::Genesis,
            prev: None,
            prev_epoch: Some(prev_epoch),
            entries: manifest::Entries {
                first: 0,
                count: 0,
                root: Tree::new().root(),
            },
            body: None,
            stored: None,
            blocks: None,
            sources: Vec::new(),
            events,
            time: Times {
                first: None,
                last: None,
                sealed: start().plus_s(at_s),
                sealed_max: start().plus_s(at_s),
                boot_id: BOOTS[boot].parse().unwrap(),
                boot_ms: 60_000 + at_s * 1000,
                suspended_ms: 0,
            },
            heads: None,
            heartbeat_s: HEARTBEAT_S,
            next_due: Some(start().plus_s(at_s + 3 * HEARTBEAT_S)),
            retention_s: 86_400,
            retention_max_s: 86_400,
            config_sha256: Digest::of(b"agent.toml"),
            agent_version: "0.1.0".into(),
            ext: [].into(),
            crit: Vec::new(),
        };
        let mut writer = Self {
            root: root.into(),
            head: genesis,
            sha256: Digest::of(b""),
            expected: Vec::new(),
        };
        writer.store(Value::Null);
        writer
    }

    /// The next manifest, without content.
    pub(super) fn next(&mut self, kind: Kind, at_s: u64) -> &mut Manifest {
        let head = &mut self.head;
        head.prev = Some(head.reference(self.sha256));
        head.prev_epoch = None;
        head.seq += 1;
        head.kind = kind;
        head.entries.first += head.entries.count;
        head.entries.count = 0;
        head.entries.root = Tree::new().root();
        (head.body, head.stored, head.blocks) = (None, None, None);
        (head.sources, head.events, head.heads) = (Vec::new(), Vec::new(), None);
        (head.time.first, head.time.last) = (None, None);
        head.time.sealed = start().plus_s(at_s);
        head.time.sealed_max = head.time.sealed;
        head.time.boot_ms = 60_000 + at_s * 1000;
        let silent = kind == Kind::Close;
        head.next_due = (!silent).then(|| start().plus_s(at_s + 3 * HEARTBEAT_S));
        head
    }

    pub(super) fn batch(
        &mut self,
        codec: Codec,
        at_s: u64,
        blocks: &[Vec<Piece>],
        sources: Vec<Source>,
        events: Vec<Event>,
    ) {
        let manifest = self.next(Kind::Batch, at_s);
        manifest.sources = sources;
        manifest.events = events;
        let (mut tree, mut raw, mut stored) = (Tree::new(), Vec::new(), Vec::new());
        let mut table = Vec::new();
        let mut compressor = Compressor::new(codec, 9).unwrap();
        for pieces in blocks {
            let mut lines = Vec::new();
            for piece in pieces {
                let created = start().plus_s(at_s - 5);
                let created = Moment::from_micros(created.micros() + tree.count() * 1001);
                manifest.time.first.get_or_insert(created);
                manifest.time.last = Some(created);
                let from = lines.len();
                entry(manifest.entries.first + tree.count(), created, piece).write(&mut lines);
                tree.push(leaf(&lines[from..]));
                lines.push(b'\n');
            }
            let packed = compressor.pack(&lines).unwrap();
            table.push(block::Block {
                offset: stored.len() as u64,
                size: packed.len() as u64,
                raw: lines.len() as u64,
                count: pieces.len() as u64,
                sha256: Digest::of(packed),
            });
            stored.extend_from_slice(packed);
            raw.extend(lines);
        }
        manifest.entries.count = tree.count();
        manifest.entries.root = tree.root();
        manifest.body = Some(Body {
            schema: SCHEMA.into(),
            date: start().day(),
            size: raw.len() as u64,
        });
        manifest.stored = Some(Stored {
            codec,
            size: stored.len() as u64,
            sha256: Digest::of(&stored),
        });
        manifest.blocks = Some(table);
        let key = manifest.body_key().unwrap();
        write(&self.root.join("archive").join(&key), &stored);
        self.store(json!({
            "key": key,
            "stored_sha256": Digest::of(&stored),
            "raw_sha256": Digest::of(&raw),
            "raw_size": raw.len(),
            "blocks": blocks.len(),
        }));
    }

    /// Signs and writes the newest manifest, and notes what a reader must find in it.
    pub(super) fn store(&mut self, body: Value) {
        let (line, file) = sealed(&self.head, &private(42));
        self.sha256 = Digest::of(&line);
        let key = self.head.slot().manifest_key();
        write(&self.root.join("archive").join(&key), &file);
        self.expected.push(json!({
            "key": key,
            "sha256": self.sha256,
            "kind": self.head.kind,
            "entries": self.head.entries,
            "body": body,
        }));
    }

    pub(super) fn epoch_head(&self) -> EpochHead {
        self.head.reference(self.sha256).in_epoch(self.head.epoch)
    }
}

fn entry(sequence: u64, created: Moment, piece: &Piece) -> Entry<'static> {
    let (message, open) = match piece.bytes.strip_suffix(b"\n") {
        Some(message) => (message, false),
        None => (piece.bytes, true),
    };
    Entry {
        sequence,
        created,
        path: Cow::Borrowed(piece.path),
        source: piece.source,
        offset: piece.offset,
        flags: Flags {
            cont: piece.cont,
            open,
        },
        message: Cow::Borrowed(message),
    }
}

/// A manifest's line, and its file.
pub(super) fn sealed(manifest: &Manifest, key: &PrivateKey) -> (Vec<u8>, Vec<u8>) {
    let line = manifest.to_line().unwrap();
    let block = signature::sign(key, &line).unwrap();
    let file = [&line, block.as_bytes()].concat();
    (line, file)
}

pub(super) fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}
