//! Sealed batches for tests, as an agent would leave them.

use ledger::manifest::{EpochHead, Event, Manifest, Reference};
use ledger::name::{Epoch, Name};
use ledger::signature::Key;
use ledger::spool::{BODY, BatchId, CURSORS, MANIFEST, RECEIPTS, SEALED};
use ledger::{Digest, signature};
use serde_json::{Value, json};
use ssh_key::PrivateKey;
use ssh_key::private::{Ed25519Keypair, KeypairData};
use std::path::{Path, PathBuf};

/// A signing key that is the same in every run.
pub(crate) fn key(seed: u8) -> PrivateKey {
    let pair = Ed25519Keypair::from_seed(&[seed; 32]);
    PrivateKey::new(KeypairData::Ed25519(pair), "test").unwrap()
}

/// A spool's two halves in a fresh folder.
pub(crate) fn spool() -> tempfile::TempDir {
    let spool = tempfile::tempdir().unwrap();
    for half in [SEALED, RECEIPTS] {
        std::fs::create_dir(spool.path().join(half)).unwrap();
    }
    spool
}

/// Seals batches of one epoch, one after the other.
pub(crate) struct Sealer {
    spool: PathBuf,
    key: PrivateKey,
    stream: Name,
    epoch: Epoch,
    /// The next one's number.
    pub(crate) seq: u64,
    prev: Option<Reference>,
    pub(crate) retention_s: u64,
    first: u64,
}

impl Sealer {
    pub(crate) fn new(spool: &Path, stream: &str, epoch: u64) -> Self {
        Self {
            spool: spool.into(),
            key: key(1),
            stream: stream.parse().unwrap(),
            epoch: Epoch::new(epoch, &[0; 10]),
            seq: 0,
            prev: None,
            retention_s: 86_400,
            first: 0,
        }
    }

    /// The same with another key.
    pub(crate) fn signed_by(self, key: PrivateKey) -> Self {
        Self { key, ..self }
    }

    /// Where the last one stands.
    pub(crate) fn head(&self) -> EpochHead {
        self.prev.unwrap().in_epoch(self.epoch)
    }

    /// Seals the epoch's first.
    pub(crate) fn genesis(&mut self, continues: &[EpochHead]) -> BatchId {
        let mut fields = self.fields("genesis");
        fields["prev_epoch"] = json!(continues);
        self.seal(fields, None)
    }

    /// Seals one without entries.
    pub(crate) fn heartbeat(&mut self) -> BatchId {
        let fields = self.fields("heartbeat");
        self.seal(fields, None)
    }

    /// Seals one without entries that names the key that signs next.
    pub(crate) fn names_key(&mut self, next: Key) -> BatchId {
        let mut fields = self.fields("heartbeat");
        fields["events"] = json!([Event::key(next)]);
        self.seal(fields, None)
    }

    /// Seals one entry, whose stored form is taken to be `body`.
    pub(crate) fn batch(&mut self, body: &[u8]) -> BatchId {
        let fields = self.batch_fields(body);
        self.seal(fields, Some(body))
    }

    /// What [`Sealer::batch`] would state.
    pub(crate) fn batch_fields(&mut self, body: &[u8]) -> Value {
        let (size, sha256) = (body.len(), Digest::of(body));
        let mut fields = self.fields("batch");
        fields["entries"] = json!({"first": self.first, "count": 1, "root": Digest::of(b"root")});
        fields["body"] = json!({"schema": "holdfast/entries/1", "date": "2025-11-22", "size": 9});
        fields["stored"] = json!({"codec": "zstd", "size": size, "sha256": sha256});
        fields["blocks"] =
            json!([{"offset": 0, "size": size, "raw": 9, "count": 1, "sha256": sha256}]);
        fields["sources"] = json!([{
            "id": 0, "path": "/a", "dev": "1", "ino": "2", "via": "plain", "from": 0, "to": 9,
        }]);
        fields["time"]["first"] = json!("2025-11-22T09:59:00.000000Z");
        fields["time"]["last"] = json!("2025-11-22T09:59:00.000000Z");
        self.first += 1;
        fields
    }

    fn fields(&self, kind: &str) -> Value {
        let mut fields = json!({
            "v": 1, "agent": "web-01", "stream": self.stream, "epoch": self.epoch,
            "seq": self.seq, "kind": kind,
            "entries": {"first": self.first, "count": 0, "root": Digest::of(b"")},
            "sources": [], "events": [],
            "time": {
                "sealed": "2025-11-22T10:00:00.000000Z",
                "sealed_max": "2025-11-22T10:00:00.000000Z",
                "boot_id": "11111111-2222-4333-8444-555555555555",
                "boot_ms": 7,
                "suspended_ms": 0,
            },
            "heartbeat_s": 300, "next_due": "2025-11-22T10:15:00.000000Z",
            "retention_s": self.retention_s, "retention_max_s": self.retention_s,
            "config_sha256": Digest::of(b"config"), "agent_version": "0.1.0",
            "ext": {}, "crit": [],
        });
        if let Some(prev) = self.prev {
            fields["prev"] = json!(prev);
        }
        fields
    }

    /// Seals what `fields` state; as the agent does, by one rename, for an archiver may be looking.
    pub(crate) fn seal(&mut self, fields: Value, body: Option<&[u8]>) -> BatchId {
        let manifest: Manifest = serde_json::from_value(fields).unwrap();
        let line = manifest.to_line().unwrap();
        let id = BatchId::from(&manifest.slot());
        let folder = self.spool.join(SEALED).join(id.to_string());
        let open = self.spool.join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::write(open.join(MANIFEST), signed(&self.key, &line)).unwrap();
        std::fs::write(open.join(CURSORS), b"{}\n").unwrap();
        if let Some(body) = body {
            std::fs::write(open.join(BODY), body).unwrap();
        }
        std::fs::create_dir_all(folder.parent().unwrap()).unwrap();
        std::fs::rename(&open, &folder).unwrap();
        self.prev = Some(manifest.reference(Digest::of(&line)));
        self.seq += 1;
        id
    }
}

/// A manifest file.
pub(crate) fn signed(key: &PrivateKey, line: &[u8]) -> Vec<u8> {
    let block = signature::sign(key, line).unwrap();
    [line, block.as_bytes()].concat()
}
