//! Draws up archives: manifests and bodies that are right, unless a test says what is to be wrong.

use ledger::block::Block;
use ledger::codec::{Codec, Compressor};
use ledger::entry::{Entry, Flags};
use ledger::manifest::{
    Body, Entries, EpochHead, Event, Kind, Manifest, Reference, SCHEMA, Source, Stored, StreamHead,
    Times, VERSION, Via,
};
use ledger::name::{Epoch, Name};
use ledger::tree::{Tree, leaf};
use ledger::{Digest, Moment, signature};
use ssh_key::PrivateKey;
use ssh_key::private::Ed25519Keypair;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Seconds between two manifests.
pub(super) const STEP_S: u64 = 60;

/// Bytes of log that each drafted entry accounts for.
pub(super) const ENTRY_BYTES: u64 = 10;

/// The path of every drafted source.
pub(super) const PATH: &str = "/var/log/auth.log";

/// One object of an archive.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) bytes: Vec<u8>,
    /// How long its lock must last from when it is stored.
    pub(super) retention_s: u64,
}

/// Objects by key, bodies and manifests in the order in which they are to be stored.
pub(super) type Objects = BTreeMap<String, Object>;

/// A signing key that is the same in every run.
pub(super) fn key(seed: u8) -> PrivateKey {
    Ed25519Keypair::from_seed(&[seed; 32]).into()
}

pub(super) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// The n-th epoch of a test; later ones sort after earlier ones.
pub(super) fn epoch(number: u8) -> Epoch {
    Epoch::new(1_790_000_000_000 + u64::from(number), &[number; 10])
}

/// The entries of a body, before they are packed: each a JSON line without LF.
pub(super) type Lines = Vec<Vec<u8>>;

/// One epoch of a stream while it is drawn up.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) agent: Name,
    pub(super) stream: Name,
    pub(super) epoch: Epoch,
    pub(super) key: PrivateKey,
    /// When the next manifest is sealed.
    pub(super) at: Moment,
    pub(super) boot_ms: u64,
    /// Manifests so far, as signed.
    pub(super) manifests: Vec<Manifest>,
    pub(super) objects: Objects,
    head: Option<Reference>,
    next_entry: u64,
    offset: u64,
}

impl Draft {
    /// A stream that begins at `at` with its first genesis.
    pub(super) fn begin(at: Moment) -> Self {
        let mut draft = Self::empty("auth", 1, at);
        draft.genesis(&[], |_| {});
        draft
    }

    /// An epoch without a manifest.
    pub(super) fn empty(stream: &str, number: u8, at: Moment) -> Self {
        Self {
            agent: name("web-01"),
            stream: name(stream),
            epoch: epoch(number),
            key: key(1),
            at,
            boot_ms: 1_000_000,
            manifests: Vec::new(),
            objects: Objects::new(),
            head: None,
            next_entry: 0,
            offset: 0,
        }
    }

    /// The epoch that follows this one, its genesis sealed; its objects are its own.
    pub(super) fn continued(&self, number: u8, change: impl FnOnce(&mut Manifest)) -> Self {
        let mut next = Self::empty(self.stream.as_str(), number, self.at);
        next.boot_ms = self.boot_ms;
        next.key = self.key.clone();
        next.genesis(&[self.named()], change);
        next
    }

    /// How a successor names this epoch's head.
    pub(super) fn named(&self) -> EpochHead {
        self.head.unwrap().in_epoch(self.epoch)
    }

    /// How another stream's manifest names it.
    pub(super) fn stream_head(&self) -> StreamHead {
        self.named().in_stream(self.stream.clone())
    }

    pub(super) fn genesis(&mut self, before: &[EpochHead], change: impl FnOnce(&mut Manifest)) {
        let mut manifest = self.plain(Kind::Genesis);
        manifest.prev_epoch = Some(before.to_vec());
        change(&mut manifest);
        self.seal(manifest, None);
    }

    pub(super) fn heartbeat(&mut self, change: impl FnOnce(&mut Manifest)) {
        let mut manifest = self.plain(Kind::Heartbeat);
        change(&mut manifest);
        self.seal(manifest, None);
    }

    /// A heartbeat with `event`, and without a promise if that takes it away.
    pub(super) fn rest(&mut self, event: Event) {
        self.heartbeat(|manifest| {
            manifest.events = vec![event];
            manifest.next_due = None;
        });
    }

    pub(super) fn batch(&mut self, count: u64) {
        self.batch_with(count, |_| {}, |_, _| {});
    }

    /// A batch whose lines `spoil` changes before they are packed, and whose manifest and stored
    /// bytes `restate` changes before they are signed.
    pub(super) fn batch_with(
        &mut self,
        count: u64,
        spoil: impl FnOnce(&mut Lines),
        restate: impl FnOnce(&mut Manifest, &mut Vec<u8>),
    ) {
        let mut lines = self.lines(count);
        spoil(&mut lines);
        let mut manifest = self.plain(Kind::Batch);
        let (blocks, mut bytes) = pack(Codec::Zstd, &lines, 2);
        manifest.entries.count = lines.len() as u64;
        manifest.entries.root = root(&lines);
        manifest.sources = vec![self.source(count)];
        manifest.time.first = Some(self.at);
        manifest.time.last = Some(self.at);
        manifest.body = Some(Body {
            schema: SCHEMA.into(),
            date: self.at.day(),
            size: blocks.iter().map(|block| block.raw).sum(),
        });
        manifest.stored = Some(Stored {
            codec: Codec::Zstd,
            size: bytes.len() as u64,
            sha256: Digest::of(&bytes),
        });
        manifest.blocks = Some(blocks);
        restate(&mut manifest, &mut bytes);
        self.offset += count * ENTRY_BYTES;
        self.seal(manifest, Some(bytes));
    }

    /// Entries of ten bytes each, numbered and placed as they must be.
    fn lines(&self, count: u64) -> Lines {
        let line = |index: u64| {
            let message = format!("line {:04}", (self.next_entry + index) % 10_000);
            let entry = Entry {
                sequence: self.next_entry + index,
                created: self.at,
                path: Cow::Borrowed(PATH.as_bytes()),
                source: 1,
                offset: self.offset + index * ENTRY_BYTES,
                flags: Flags::default(),
                message: Cow::Borrowed(message.as_bytes()),
            };
            assert_eq!(entry.source_len(), ENTRY_BYTES);
            let mut line = Vec::new();
            entry.write(&mut line);
            line
        };
        (0..count).map(line).collect()
    }

    /// Source 1, `count` more entries of it.
    pub(super) fn source(&self, count: u64) -> Source {
        Source {
            id: 1,
            path: Some(PATH.into()),
            path_base64: None,
            dev: "65026".into(),
            ino: "77".into(),
            handle: None,
            via: Via::Plain,
            from: self.offset,
            to: self.offset + count * ENTRY_BYTES,
            was: None,
        }
    }

    /// The same with another key for what is sealed from now on.
    pub(super) fn signed_by(self, key: PrivateKey) -> Self {
        Self { key, ..self }
    }

    /// Continues reading source 1 at `offset`.
    pub(super) fn at_offset(mut self, offset: u64) -> Self {
        self.offset = offset;
        self
    }

    /// A manifest without entries that follows the ones so far.
    pub(super) fn plain(&self, kind: Kind) -> Manifest {
        let seq = self.head.map_or(0, |head| head.seq + 1);
        let heartbeat_s = 300;
        Manifest {
            v: VERSION,
            agent: self.agent.clone(),
            stream: self.stream.clone(),
            epoch: self.epoch,
            seq,
            kind,
            prev: self.head,
            prev_epoch: None,
            entries: Entries {
                first: self.next_entry,
                count: 0,
                root: Tree::new().root(),
            },
            body: None,
            stored: None,
            blocks: None,
            sources: vec![],
            events: vec![],
            time: Times {
                first: None,
                last: None,
                sealed: self.at,
                sealed_max: self.at,
                boot_id: epoch(200),
                boot_ms: self.boot_ms,
                suspended_ms: 0,
            },
            heads: None,
            heartbeat_s,
            next_due: (kind != Kind::Close).then(|| self.at.plus_s(3 * heartbeat_s)),
            retention_s: 86_400,
            retention_max_s: 86_400,
            config_sha256: Digest::of(b"config"),
            agent_version: "0.1.0".into(),
            ext: BTreeMap::new(),
            crit: vec![],
        }
    }

    /// Signs a manifest as it is, right or wrong, and continues after it. Its `sealed_max` follows from the rest.
    pub(super) fn seal(&mut self, mut manifest: Manifest, body: Option<Vec<u8>>) {
        let before = manifest.before().map(|before| before.sealed_max);
        manifest.time.sealed_max = before.fold(manifest.time.sealed, Moment::max);
        let mut line = serde_json::to_vec(&manifest).unwrap();
        line.push(b'\n');
        if let (Some(key), Some(bytes)) = (manifest.body_key(), body) {
            let retention_s = manifest.retention_s;
            self.objects.insert(key, Object { bytes, retention_s });
        }
        let object = Object {
            bytes: signed(&self.key, &line),
            retention_s: manifest.retention_max_s,
        };
        self.objects.insert(manifest.slot().manifest_key(), object);
        self.head = Some(manifest.reference(Digest::of(&line)));
        self.next_entry = manifest.entries.first + manifest.entries.count;
        self.pass(STEP_S);
        self.manifests.push(manifest);
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, seconds: u64) {
        self.at = self.at.plus_s(seconds);
        self.boot_ms += seconds * 1000;
    }

    pub(super) fn manifest_key(&self, seq: usize) -> String {
        self.manifests[seq].slot().manifest_key()
    }

    pub(super) fn body_key(&self, seq: usize) -> String {
        self.manifests[seq].body_key().unwrap()
    }

    /// Everything signed again by another key, the chain intact.
    pub(super) fn signed_again(&self, by: &PrivateKey) -> Objects {
        let mut objects = self.objects.clone();
        for (key, object) in &mut objects {
            if key.starts_with("manifests/") {
                let (line, _) = signature::split(&object.bytes).unwrap();
                object.bytes = signed(by, line);
            }
        }
        objects
    }
}

/// A manifest file: the line and its signature.
pub(super) fn signed(key: &PrivateKey, line: &[u8]) -> Vec<u8> {
    [line, signature::sign(key, line).unwrap().as_bytes()].concat()
}

/// The tree's root over lines.
pub(super) fn root(lines: &[Vec<u8>]) -> Digest {
    let mut tree = Tree::new();
    lines.iter().for_each(|line| tree.push(leaf(line)));
    tree.root()
}

/// One frame or member as format 1 wants it.
pub(super) fn unit(codec: Codec, raw: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(codec, 1).unwrap();
    compressor.pack(raw).unwrap().to_vec()
}

/// Lines in blocks of `per_block`, and the stored bytes.
pub(super) fn pack(codec: Codec, lines: &[Vec<u8>], per_block: usize) -> (Vec<Block>, Vec<u8>) {
    let (mut blocks, mut bytes) = (Vec::new(), Vec::new());
    for some in lines.chunks(per_block) {
        let mut raw = some.join(&b"\n"[..]);
        raw.push(b'\n');
        let packed = unit(codec, &raw);
        blocks.push(Block {
            offset: bytes.len() as u64,
            size: packed.len() as u64,
            raw: raw.len() as u64,
            count: some.len() as u64,
            sha256: Digest::of(&packed),
        });
        bytes.extend(packed);
    }
    (blocks, bytes)
}

/// Restates a batch as one block of these stored bytes, all hashes right.
pub(super) fn restate(
    manifest: &mut Manifest,
    stored: &mut Vec<u8>,
    codec: Codec,
    bytes: Vec<u8>,
    raw: u64,
) {
    *stored = bytes;
    let sha256 = Digest::of(stored);
    let size = stored.len() as u64;
    let count = manifest.entries.count;
    manifest.body.as_mut().unwrap().size = raw;
    manifest.stored = Some(Stored {
        codec,
        size,
        sha256,
    });
    manifest.blocks = Some(vec![Block {
        offset: 0,
        size,
        raw,
        count,
        sha256,
    }]);
}
