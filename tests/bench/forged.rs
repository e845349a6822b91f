//! An archive in a directory, as large as is wished: manifests after the model of ones that a real agent sealed,
//! signed with its key, each batch with a body of one line. Nothing is synced, so it is made quickly.

use crate::kernel::{Codec, Hash, Packer, leaf};
use crate::workshop::manifests;
use harness::Site;
use ledger::manifest::Manifest;
use ledger::name::Epoch;
use ledger::{Digest, Moment, signature};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use ssh_key::PrivateKey;
use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Time between two manifests.
const STEP: Duration = Duration::from_secs(10);

/// Every lock ends so long from now: later than any that the format asks for here.
const LOCKED: Duration = Duration::from_secs(500 * 86_400);

/// What a real agent sealed when it drained a log of one line.
struct Models {
    genesis: Value,
    batch: Value,
    /// The heartbeat with `stop`, after which nothing is promised.
    stop: Value,
}

/// An archive while it is made.
pub(crate) struct Forged {
    models: Models,
    key: PrivateKey,
    packer: Packer,
    folder: PathBuf,
    epochs: u64,
    epoch: Option<Epoch>,
    /// How the next manifest names the one before it.
    head: Option<Value>,
    seq: u64,
    entries: u64,
    offset: u64,
    at: SystemTime,
    boot_ms: u64,
}

impl Forged {
    /// An empty archive in `folder` of a site whose agent has drained a log of one line. `manifests` will follow, the
    /// last one now.
    pub(crate) fn new(site: &Site, folder: PathBuf, manifests: u32) -> Self {
        let models = Models::of(site);
        let codec = models.batch["stored"]["codec"]
            .as_str()
            .and_then(Codec::named);
        let key = fs::read_to_string(site.path("state/key")).expect("the agent's key");
        Self {
            packer: Packer::new(codec.expect("a known codec")),
            key: PrivateKey::from_openssh(key).expect("an OpenSSH key"),
            boot_ms: models.batch["time"]["boot_ms"].as_u64().expect("a time"),
            models,
            folder,
            epochs: 0,
            epoch: None,
            head: None,
            seq: 0,
            entries: 0,
            offset: 0,
            at: SystemTime::now() - STEP * manifests,
        }
    }

    /// A new epoch, which continues the one before it.
    pub(crate) fn begin_epoch(&mut self) {
        let mut genesis = self.models.genesis.clone();
        if let (Some(epoch), Some(mut head)) = (self.epoch, self.head.take()) {
            head["epoch"] = json!(epoch.to_string());
            genesis["prev_epoch"] = json!([head]);
            genesis["events"] = json!([{"kind": "state_lost"}]);
        }
        self.epochs += 1;
        let mut roll = [0; 10];
        roll[2..].copy_from_slice(&self.epochs.to_be_bytes());
        self.epoch = Some(Epoch::new(micros(self.at) / 1000, &roll));
        (self.seq, self.entries, self.offset) = (0, 0, 0);
        self.seal(genesis, None);
    }

    /// A batch of one line.
    pub(crate) fn batch(&mut self) {
        let mut batch = self.models.batch.clone();
        let message = format!("line {} of a long stream", self.entries);
        let created = Moment::from_micros(micros(self.at));
        let entry = json!({
            "event.sequence": self.entries,
            "event.created": created.to_string(),
            "log.file.path": batch["sources"][0]["path"],
            "log.file.id": batch["sources"][0]["id"],
            "log.offset": self.offset,
            "message": message,
        });
        let raw = format!("{entry}\n");
        let stored = self.packer.pack(raw.as_bytes());
        let sha256 = hex(Sha256::digest(&stored).into());
        // The tree over one leaf is that leaf.
        let root = hex(leaf(entry.to_string().as_bytes()));
        batch["entries"] = json!({"first": self.entries, "count": 1, "root": root});
        batch["body"]["date"] = json!(created.day());
        batch["body"]["size"] = json!(raw.len());
        batch["stored"]["size"] = json!(stored.len());
        batch["stored"]["sha256"] = json!(sha256);
        let block = json!({"offset": 0, "size": stored.len(), "raw": raw.len(), "count": 1, "sha256": sha256});
        batch["blocks"] = json!([block]);
        batch["time"]["first"] = json!(created.to_string());
        batch["time"]["last"] = json!(created.to_string());
        batch["sources"][0]["from"] = json!(self.offset);
        self.offset += message.len() as u64 + 1;
        batch["sources"][0]["to"] = json!(self.offset);
        self.entries += 1;
        self.seal(batch, Some(stored));
    }

    /// The last manifest: however late it is looked at, nothing is overdue.
    pub(crate) fn stop(&mut self) {
        let mut stop = self.models.stop.clone();
        stop["entries"]["first"] = json!(self.entries);
        self.seal(stop, None);
    }

    /// Gives a manifest its place and time, signs it and stores it after its body.
    fn seal(&mut self, mut manifest: Value, body: Option<Vec<u8>>) {
        let sealed = Moment::from_micros(micros(self.at));
        manifest["epoch"] = json!(self.epoch.expect("an epoch has begun").to_string());
        manifest["seq"] = json!(self.seq);
        if let Some(head) = &self.head {
            manifest["prev"] = head.clone();
        }
        manifest["time"]["boot_ms"] = json!(self.boot_ms);
        manifest["time"]["sealed"] = json!(sealed.to_string());
        set_known(
            &mut manifest["time"],
            "sealed_max",
            json!(sealed.to_string()),
        );
        if !manifest["next_due"].is_null() {
            let promised = manifest["heartbeat_s"].as_u64().expect("seconds") * 3;
            manifest["next_due"] = json!(sealed.plus_s(promised).to_string());
        }
        let line = format!("{manifest}\n");
        let parsed = Manifest::parse(line.as_bytes()).expect("a manifest after a real one");
        if let Some(body) = body {
            self.store(&parsed.body_key().expect("a batch has a body"), &body);
        }
        let signature = signature::sign(&self.key, line.as_bytes()).expect("a signature");
        let file = [line.as_bytes(), signature.as_bytes()].concat();
        self.store(&parsed.slot().manifest_key(), &file);
        self.pass(&line, sealed);
    }

    fn pass(&mut self, line: &str, sealed: Moment) {
        let mut head = self.models.batch["prev"].clone();
        head["seq"] = json!(self.seq);
        head["sha256"] = json!(Digest::of(line.as_bytes()).to_string());
        set_known(&mut head, "sealed_max", json!(sealed.to_string()));
        self.head = Some(head);
        self.seq += 1;
        self.at += STEP;
        self.boot_ms += u64::try_from(STEP.as_millis()).expect("few milliseconds");
    }

    /// Puts an object where a directory store has it, locked as one locks.
    fn store(&self, key: &str, bytes: &[u8]) {
        let path = self.folder.join(key);
        let written = fs::write(&path, bytes).or_else(|_| {
            fs::create_dir_all(path.parent().expect("a key has folders"))?;
            fs::write(&path, bytes)
        });
        written.expect("an object can be written");
        let file = File::open(&path).expect("an own file can be opened");
        let until = SystemTime::now() + LOCKED;
        let times = FileTimes::new().set_modified(self.at).set_accessed(until);
        file.set_times(times)
            .expect("an own file's times can be set");
        let locked = file.set_permissions(Permissions::from_mode(0o444));
        locked.expect("an own file's mode can be set");
    }
}

impl Models {
    fn of(site: &Site) -> Self {
        let all = manifests(site);
        let of = |kind: &str| {
            let model = all.iter().find(|manifest| manifest["kind"] == kind);
            model
                .unwrap_or_else(|| panic!("no {kind} was sealed"))
                .clone()
        };
        Self {
            genesis: of("genesis"),
            batch: of("batch"),
            stop: of("heartbeat"),
        }
    }
}

/// Sets a field if the agent writes it.
fn set_known(object: &mut Value, field: &str, value: Value) {
    if let Some(known) = object.get_mut(field) {
        *known = value;
    }
}

fn micros(at: SystemTime) -> u64 {
    let since = at
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970");
    u64::try_from(since.as_micros()).expect("before the year 500000")
}

fn hex(hash: Hash) -> String {
    Digest(hash).to_string()
}
