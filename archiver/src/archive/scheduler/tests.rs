//! Whole spools against a store in memory: what is uploaded in which order, what is left beside it,
//! and the exit code of a run that ends.

use super::*;
use crate::fixture::{Sealer, key, signed, spool};
use crate::health::Health;
use crate::spool::Spool;
use crate::upload::{Terms, Uploader};
use ledger::limits::DAY_S;
use ledger::receipt::{Bad, BadReason, Receipt};
use ledger::spool::{BatchId, RECEIPTS, SEALED};
use serde::de::DeserializeOwned;
use std::fs;
use std::path::{Path, PathBuf};
use store::testing::faulty::{Fault, Faulty, Request, denied};
use store::testing::model::{Model, answer};
use store::{Store, StoreError};

const BODY: &[u8] = b"no frame at all";

const TERMS: Terms = Terms {
    max_retention_s: 90 * DAY_S,
    retry_held: Duration::from_millis(10),
    once: true,
};

fn archive<S: Store>(root: &Path, store: S, terms: Terms) -> Arc<Shared<S>> {
    let spool = Spool::open(root).unwrap();
    let health = Health::new(store.url(), ledger::Moment::from_micros(0)).into();
    Arc::new(Shared {
        uploader: Uploader::new(store, spool.clone(), terms),
        spool,
        health,
    })
}

async fn drain<S: Store + 'static>(archive: &Arc<Shared<S>>) -> u8 {
    Scheduler::new(Arc::clone(archive)).drain().await
}

fn beside(root: &Path, id: &BatchId, extension: &str) -> PathBuf {
    root.join(RECEIPTS).join(format!("{id}.{extension}"))
}

fn read<T: DeserializeOwned>(path: &Path) -> T {
    let bytes = fs::read(path).unwrap();
    assert!(bytes.ends_with(b"\n") && bytes.iter().filter(|byte| **byte == b'\n').count() == 1);
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stream_is_drained_and_a_second_run_has_nothing_to_do() {
    let spool = spool();
    let mut ids = Vec::new();
    for stream in ["auth", "web"] {
        let mut sealer = Sealer::new(spool.path(), stream, 1);
        ids.push(sealer.genesis(&[]));
        ids.extend((0..3).map(|_| sealer.batch(BODY)));
    }
    let first = archive(spool.path(), Model::default(), TERMS);
    assert_eq!(drain(&first).await, exit::CLEAN);
    for id in &ids {
        let receipt: Receipt = read(&beside(spool.path(), id, "receipt"));
        assert_eq!(receipt.body.is_some(), id.seq > 0);
    }
    let model = first.uploader.store();
    assert_eq!(model.versions("manifests/"), [1; 8]);
    assert_eq!(model.versions("entries/"), [1; 6]);
    assert_eq!(first.health.totals().batches, 8);

    let second = archive(
        spool.path(),
        Faulty::new(Model::default(), Vec::new()),
        TERMS,
    );
    assert_eq!(drain(&second).await, exit::CLEAN);
    assert_eq!(second.uploader.store().seen(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotten_batch_holds_its_stream_until_a_new_epoch_answers() {
    let spool = spool();
    let mut old = Sealer::new(spool.path(), "auth", 9);
    old.genesis(&[]);
    let head = old.head();
    let rotten = old.batch(BODY);
    let void = old.batch(b"a body of another batch");
    let path = spool
        .path()
        .join(SEALED)
        .join(rotten.to_string())
        .join("body");
    fs::write(path, b"rot").unwrap();
    let other = Sealer::new(spool.path(), "web", 1).genesis(&[]);
    let archive = archive(spool.path(), Model::default(), TERMS);
    assert_eq!(drain(&archive).await, exit::DAMAGED);
    let bad: Bad = read(&beside(spool.path(), &rotten, "bad"));
    assert_eq!(bad.reason, BadReason::Rot);
    assert!(bad.detail.contains("body"), "{}", bad.detail);
    assert!(beside(spool.path(), &other, "receipt").exists());
    assert!(!beside(spool.path(), &void, "receipt").exists());
    assert_eq!(drain(&archive).await, exit::DAMAGED);

    let mut new = Sealer::new(spool.path(), "auth", 1);
    let answers = [new.genesis(&[head]), new.batch(BODY)];
    assert_eq!(drain(&archive).await, exit::CLEAN);
    for answer in &answers {
        assert!(beside(spool.path(), answer, "receipt").exists());
    }
    assert!(!beside(spool.path(), &void, "receipt").exists());
    assert_eq!(archive.uploader.store().versions("entries/"), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_is_kept_and_holds_its_stream() {
    let spool = spool();
    let id = Sealer::new(spool.path(), "auth", 1).genesis(&[]);
    let path = spool
        .path()
        .join(SEALED)
        .join(id.to_string())
        .join("manifest");
    let ours = String::from_utf8(fs::read(path).unwrap()).unwrap();
    let line = ours.split_inclusive('\n').next().unwrap();
    let other_line = line.replace("\"boot_ms\":7", "\"boot_ms\":8");
    let other = signed(&key(1), other_line.as_bytes());
    let model = Model::default();
    let epoch = id.epoch;
    model.plant(
        &format!("manifests/web-01/auth/{epoch}/{:020}.manifest", 0),
        &other,
    );
    let archive = archive(spool.path(), model, TERMS);
    assert_eq!(drain(&archive).await, exit::DAMAGED);
    assert_eq!(
        fs::read(beside(spool.path(), &id, "conflict")).unwrap(),
        other
    );
    assert!(!beside(spool.path(), &id, "receipt").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retention_over_the_limit_is_refused_before_anything_is_sent() {
    let spool = spool();
    let mut sealer = Sealer::new(spool.path(), "auth", 1);
    sealer.retention_s = 91 * DAY_S;
    let id = sealer.genesis(&[]);
    let store = Faulty::new(Model::default(), Vec::new());
    let archive = archive(spool.path(), store, TERMS);
    assert_eq!(drain(&archive).await, exit::DAMAGED);
    let bad: Bad = read(&beside(spool.path(), &id, "bad"));
    assert_eq!(bad.reason, BadReason::Retention);
    assert_eq!(archive.uploader.store().seen(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_batch_is_not_passed_over() {
    let spool = spool();
    let mut sealer = Sealer::new(spool.path(), "auth", 1);
    sealer.genesis(&[]);
    let missing = sealer.heartbeat();
    let after = sealer.heartbeat();
    let path = spool.path().join(SEALED).join(missing.to_string());
    let away = spool.path().join("away");
    fs::rename(&path, &away).unwrap();
    let archive = archive(spool.path(), Model::default(), TERMS);
    assert_eq!(drain(&archive).await, exit::UNFINISHED);
    assert!(!beside(spool.path(), &after, "receipt").exists());
    fs::rename(&away, &path).unwrap();
    assert_eq!(drain(&archive).await, exit::CLEAN);
    assert!(beside(spool.path(), &after, "receipt").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refused_object_holds_its_stream_and_wrong_credentials_hold_all() {
    let refused = StoreError::Refused(answer("put", "400"));
    for (error, receipts) in [(refused, 1), (denied(), 0)] {
        let spool = spool();
        let mut ids = Vec::new();
        for stream in ["auth", "web"] {
            let mut sealer = Sealer::new(spool.path(), stream, 1);
            ids.push(sealer.genesis(&[]));
        }
        let scripted = 2 - receipts;
        let fault = (Request::PutManifest, Fault::Before(error));
        let store = Faulty::new(Model::default(), vec![fault; scripted]);
        let archive = archive(spool.path(), store, TERMS);
        assert_eq!(drain(&archive).await, exit::UNFINISHED);
        let written = |id: &&BatchId| beside(spool.path(), id, "receipt").exists();
        assert_eq!(ids.iter().filter(written).count(), receipts);
        assert_eq!(
            fs::read_dir(spool.path().join(RECEIPTS)).unwrap().count(),
            receipts + 1
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_cannot_be_looked_at_is_not_drained() {
    let spool = spool();
    let id = Sealer::new(spool.path(), "auth", 1).genesis(&[]);
    let (sealed, away) = (spool.path().join(SEALED), spool.path().join("away"));
    let epoch = sealed.join(format!("auth/{}", id.epoch));
    // No folder stands there: nothing says that nothing is in it, whoever runs the test.
    for blocked in [&sealed, &sealed.join("auth"), &epoch] {
        let archive = archive(spool.path(), Model::default(), TERMS);
        fs::rename(blocked, &away).unwrap();
        fs::write(blocked, "").unwrap();
        assert_eq!(drain(&archive).await, exit::UNFINISHED, "{blocked:?}");
        fs::remove_file(blocked).unwrap();
        fs::rename(&away, blocked).unwrap();
    }
    assert!(!beside(spool.path(), &id, "receipt").exists());
    // One look that fails is made again.
    let archive = archive(spool.path(), Model::default(), TERMS);
    fs::rename(&sealed, &away).unwrap();
    let back = async {
        tokio::time::sleep(BLIND_REST / 2).await;
        fs::rename(&away, &sealed).unwrap();
    };
    let (done, ()) = tokio::join!(drain(&archive), back);
    assert_eq!(done, exit::CLEAN);
    assert!(beside(spool.path(), &id, "receipt").exists());
}

/// Far longer than any machine takes: only what hangs reaches it.
const HANG_LIMIT: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread")]
async fn a_long_running_archiver_drains_by_itself_once_it_is_let_in() {
    let spool = spool();
    let mut sealer = Sealer::new(spool.path(), "auth", 1);
    sealer.genesis(&[]);
    let terms = Terms {
        once: false,
        ..TERMS
    };
    let faults = vec![(Request::PutManifest, Fault::Before(denied())); 3];
    let archive = archive(spool.path(), Faulty::new(Model::default(), faults), terms);
    let serving =
        tokio::spawn(Scheduler::new(Arc::clone(&archive)).serve(Duration::from_millis(5)));
    let last = sealer.heartbeat();
    let done = async {
        while !beside(spool.path(), &last, "receipt").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(HANG_LIMIT, done).await.unwrap();
    assert!(archive.uploader.store().is_over());
    assert_eq!(archive.uploader.gate.why(), None);
    serving.abort();
}
