//! What this crate's own tests build on: a spool that `init` made, and batches sealed into it.

pub(crate) mod spool_audit;

use crate::config::Config;
use crate::sealing::open_batch::OpenBatch;
use crate::sealing::own_keys::OwnKeys;
use crate::sealing::seal_error::SealError;
use crate::sealing::sealer::Sealer;
use crate::sealing::signing_key;
use crate::sealing::stream_state::{
    Common, ManifestDraft, NewEpoch, SealedAt, SealedState, StreamState,
};
use crate::spool::{Layout, Spool};
use ledger::codec::Compressor;
use ledger::entry::{Entry, Flags};
use ledger::manifest::{Event, EventKind, Manifest, Source, Via};
use ledger::name::{Epoch, Name, Slot};
use ledger::receipt::{LockedObject, Receipt};
use ledger::{Digest, Moment, signature};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// Noon of 2026-11-22.
pub(crate) const NOON: u64 = 1_795_348_800_000_000;

pub(crate) fn epoch(roll: u8) -> Epoch {
    Epoch::new(NOON / 1000, &[roll; 10])
}

pub(crate) fn stream() -> Name {
    "auth".parse().unwrap()
}

pub(crate) fn agent() -> Name {
    "web-01".parse().unwrap()
}

/// A place in the stream's epoch.
pub(crate) fn slot(epoch: Epoch, seq: u64) -> Slot {
    Slot {
        agent: agent(),
        stream: stream(),
        epoch,
        seq,
    }
}

/// A config in `dir` with these streams: name and pattern below `dir`.
pub(crate) fn config(dir: &Path, streams: &[(&str, &str)]) -> Config {
    let path = dir.join("agent.toml");
    let dir = dir.display();
    let mut text = format!(
        "agent = \"web-01\"\nspool = \"{dir}/spool\"\nstate = \"{dir}/state\"\n\
         spool_cap = \"64MiB\"\n"
    );
    for (name, pattern) in streams {
        text += &format!(
            "[[stream]]\nname = \"{name}\"\ninclude = [\"{dir}/{pattern}\"]\nretention = \"1d\"\n"
        );
    }
    std::fs::write(&path, text).unwrap();
    Config::read(&path, &host::settings::Environment::default()).unwrap()
}

/// A spool in a temporary folder, and a sealer for it.
pub(crate) struct World {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) sealer: Sealer,
    pub(crate) key: signature::Key,
    boot_ms: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), &[("auth", "*.log")]);
        crate::commands::init::init(&config).unwrap();
        let (_, key) = signing_key::load(&config.key).unwrap();
        let keys = OwnKeys::load(&config.key, &config.state).unwrap();
        let common = Common {
            agent: agent(),
            heartbeat_s: 300,
            config_sha256: Digest::of(b""),
            boot_id: epoch(0),
        };
        let compressor = Compressor::new(config.codec, config.level).unwrap();
        Self {
            dir,
            sealer: Sealer::new(common, keys, compressor),
            key,
            boot_ms: 0,
        }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("spool")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(&self.root())
    }

    pub(crate) fn spool(&self) -> Spool {
        Spool::open(&self.root(), 1 << 30, 1).unwrap()
    }

    /// A stream that begins `epoch(roll)` after nothing.
    pub(crate) fn begin(&self, roll: u8) -> StreamState {
        StreamState::Begin(NewEpoch {
            stream: stream(),
            epoch: epoch(roll),
            prev_epoch: Vec::new(),
            heads_after: None,
            next_key: None,
            event: None,
        })
    }

    /// Seals a manifest without entries.
    pub(crate) fn beat(
        &mut self,
        spool: &mut Spool,
        next: &StreamState,
        events: Vec<Event>,
    ) -> SealedState {
        let draft = ManifestDraft {
            events,
            retention_s: 86_400,
            ..ManifestDraft::default()
        };
        let at = self.tick();
        self.sealer.seal(spool, next, None, draft, &[], at).unwrap()
    }

    /// Seals a batch of these lines.
    pub(crate) fn batch(
        &mut self,
        spool: &mut Spool,
        state: &SealedState,
        lines: &[&[u8]],
    ) -> Result<SealedState, SealError> {
        let next = StreamState::After(state.clone());
        let at = self.tick();
        let mut batch = OpenBatch::new(next.next_entry(), at.boot_ms);
        let mut offset = 0;
        for line in lines {
            let entry = Entry {
                sequence: batch.pack().next_sequence(),
                created: at.wall,
                path: Cow::Borrowed(b"/var/log/a"),
                source: 0,
                offset,
                flags: Flags::default(),
                message: Cow::Borrowed(line),
            };
            offset += entry.source_len();
            batch.push(&entry);
            if batch.pack().block_is_full() {
                self.sealer.close_block(&mut batch, spool.layout())?;
            }
        }
        let draft = ManifestDraft {
            sources: vec![source(offset)],
            retention_s: 86_400,
            ..ManifestDraft::default()
        };
        self.sealer.seal(spool, &next, Some(batch), draft, &[], at)
    }

    /// Genesis, two batches and a heartbeat with `stop`.
    pub(crate) fn history(&mut self, spool: &mut Spool) -> Vec<SealedState> {
        let genesis = self.beat(spool, &self.begin(1), Vec::new());
        let one = self.batch(spool, &genesis, &[b"one", b"two"]).unwrap();
        let two = self.batch(spool, &one, &[b"three"]).unwrap();
        let stop = vec![Event::new(EventKind::Stop)];
        let end = self.beat(spool, &StreamState::After(two.clone()), stop);
        vec![genesis, one, two, end]
    }

    /// A second later.
    pub(crate) fn tick(&mut self) -> SealedAt {
        self.boot_ms += 1000;
        SealedAt {
            wall: Moment::from_micros(NOON + self.boot_ms * 1000),
            boot_ms: self.boot_ms,
            suspended_ms: 0,
        }
    }
}

/// A receipt as the archiver writes it.
pub(crate) fn receipt(world: &World, epoch: Epoch, seq: u64, manifest_sha256: Digest) {
    let slot = Slot {
        agent: agent(),
        stream: stream(),
        epoch,
        seq,
    };
    receipt_for(&world.layout(), &slot, manifest_sha256);
}

/// The same for any batch: what it says of the manifest is what that says, if it is still in the spool.
pub(crate) fn receipt_for(layout: &Layout, slot: &Slot, manifest_sha256: Digest) {
    let path = layout.mark(slot, ledger::spool::Mark::Receipt);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let now = Moment::from_micros(0);
    let batch = layout.batch(slot);
    let sealed = batch.exists().then(|| manifest(&batch));
    let receipt = Receipt {
        manifest_sha256,
        sealed_max: sealed.as_ref().map_or(now, |it| it.time.sealed_max),
        retention_max_s: sealed.map_or(86_400, |it| it.retention_max_s),
        store: "file:///x".into(),
        store_time: now,
        manifest: LockedObject {
            key: "k".into(),
            version_id: "null".into(),
            sha256: manifest_sha256,
            mode: "COMPLIANCE".into(),
            retain_until: now,
        },
        body: None,
    };
    let line = serde_json::to_vec(&receipt).unwrap();
    std::fs::write(path, line).unwrap();
}

pub(crate) fn source(to: u64) -> Source {
    Source {
        id: 0,
        path: Some("/var/log/a".into()),
        path_base64: None,
        dev: "1".into(),
        ino: "2".into(),
        handle: None,
        via: Via::Plain,
        from: 0,
        to,
        was: None,
    }
}

/// The manifest of a sealed batch, its signature checked.
pub(crate) fn manifest(batch: &Path) -> Manifest {
    let file = std::fs::read(batch.join("manifest")).unwrap();
    let (line, signed) = signature::split(&file).unwrap();
    let signed = signature::Signature::parse(signed).unwrap();
    signed.verify(line).unwrap();
    Manifest::parse(line).unwrap()
}
