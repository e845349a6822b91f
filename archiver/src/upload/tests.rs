//! The whole protocol against stores that fail before, fail after, and lie; with versions in memory
//! and without on disk.

mod requests;

use super::*;
use crate::fixture::{Sealer, key, signed, spool};
use ledger::Moment;
use ledger::limits::DAY_S;
use std::path::Path;
use store::testing::faulty::{Fault, Faulty, Request, busy, denied};
use store::testing::model::{Model, answer, store_time};
use store::{DirectoryStore, Lock, LockMode};
use tempfile::TempDir;

const RETRY_HELD: Duration = Duration::from_millis(10);
const BODY: &[u8] = b"no frame at all";

const TERMS: Terms = Terms {
    max_retention_s: 90 * DAY_S,
    retry_held: RETRY_HELD,
    once: false,
};

fn uploader<S: Store>(spool: &Path, store: S, terms: Terms) -> Uploader<S> {
    Uploader::new(store, Spool::open(spool).unwrap(), terms)
}

/// A spool with a genesis and a batch with a body; the latter.
fn one_batch() -> (TempDir, Batch) {
    let spool = spool();
    let mut sealer = Sealer::new(spool.path(), "auth", 1);
    sealer.genesis(&[]);
    let id = sealer.batch(BODY);
    let batch = Spool::open(spool.path()).unwrap().read(&id).unwrap();
    (spool, batch)
}

fn on_disk() -> (TempDir, DirectoryStore) {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("file://{}", dir.path().display());
    let store = DirectoryStore::new(dir.path().into(), &url, None);
    (dir, store)
}

/// Whether a receipt says the truth: bytes, lock and mode are what the store has.
async fn must_be_true<S: Store>(store: &S, receipt: &Receipt, batch: &Batch) {
    let body = batch.body.clone().zip(receipt.body.clone());
    let (body, held_body) = body.unwrap();
    for (held, bytes, lock_s) in [
        (&receipt.manifest, &batch.file, (1 + 367) * DAY_S),
        (&held_body, &body, (1 + 1) * DAY_S),
    ] {
        let key = held.key.strip_prefix(store.prefix()).unwrap();
        let fetched = store
            .get(key, Some(&held.version_id), 1 << 20)
            .await
            .unwrap();
        assert_eq!(fetched.bytes, bytes);
        assert_eq!(held.sha256, Digest::of(bytes));
        let lock = store.lock_of(key, &held.version_id).await.unwrap().unwrap();
        assert_eq!(
            (lock.mode, lock.retain_until),
            (LockMode::Compliance, held.retain_until)
        );
        assert_eq!(held.mode, "COMPLIANCE");
        // A minute for a slow machine: clocks run while it works.
        let asked_s = lock.retain_until.since_s(receipt.store_time);
        assert!(
            (lock_s - 60..=lock_s + 60).contains(&asked_s),
            "{asked_s} {lock_s}"
        );
    }
    assert_eq!(receipt.manifest_sha256, batch.line_sha256);
    assert_eq!(receipt.store, store.url());
}

/// Everything that may go wrong once and must end in a receipt all the same.
fn passing_faults() -> Vec<(Request, Fault)> {
    use Request::{Head, LockOf, PutBody, PutManifest};
    let skew = || StoreError::Skew {
        store_time: store_time(),
        answer: answer("put", "403"),
    };
    let mut faults = Vec::new();
    for request in [Head, PutBody, PutManifest, LockOf] {
        faults.push((request, Fault::Before(busy())));
        faults.push((request, Fault::Before(denied())));
        faults.push((request, Fault::Before(skew())));
    }
    for request in [PutBody, PutManifest] {
        faults.push((request, Fault::After(busy())));
        faults.push((
            request,
            Fault::After(StoreError::Conflict(answer("put", "409"))),
        ));
        faults.push((
            request,
            Fault::After(StoreError::Broken(answer("put", "?"))),
        ));
        faults.push((
            request,
            Fault::Before(StoreError::NoBucket(answer("put", "404"))),
        ));
        faults.push((
            request,
            Fault::Before(StoreError::BadDigest(answer("put", "400"))),
        ));
        faults.push((request, Fault::NoVersion));
        faults.push((request, Fault::OtherDigest));
    }
    faults.push((LockOf, Fault::Lie(None)));
    // The store said that it stored, and has no such version; or the id was damaged on its way.
    faults.push((
        LockOf,
        Fault::Before(StoreError::Missing(answer("lock", "404"))),
    ));
    let governance = Lock {
        mode: LockMode::Governance,
        retain_until: Moment::LAST,
    };
    faults.push((LockOf, Fault::Lie(Some(governance))));
    faults
}

#[tokio::test(flavor = "multi_thread")]
async fn one_fault_anywhere_ends_in_a_receipt() {
    // Side by side, for most of the time they wait.
    let mut cases = tokio::task::JoinSet::new();
    for (request, fault) in passing_faults() {
        cases.spawn(ends_in_a_receipt_in_memory(request, fault.clone()));
        cases.spawn(ends_in_a_receipt_on_disk(request, fault));
    }
    cases.join_all().await;
}

async fn ends_in_a_receipt_in_memory(request: Request, fault: Fault) {
    let name = format!("{request:?} {fault:?}");
    let (spool, batch) = one_batch();
    let store = Faulty::new(Model::default(), vec![(request, fault)]);
    let uploader = uploader(spool.path(), store, TERMS);
    let receipt = uploader
        .upload(batch.clone(), &mut UploadProgress::default())
        .await
        .unwrap();
    assert!(uploader.store.is_over(), "{name}");
    must_be_true(&uploader.store.inner, &receipt, &batch).await;
    let bodies = uploader.store.inner.versions("entries/");
    assert!(bodies[0] <= 2, "{name}: {bodies:?}");
    assert_eq!(uploader.store.inner.versions("manifests/"), [1], "{name}");
    assert_eq!(uploader.gate.why(), None, "{name}");
}

async fn ends_in_a_receipt_on_disk(request: Request, fault: Fault) {
    let (spool, batch) = one_batch();
    let (_dir, inner) = on_disk();
    let store = Faulty::new(inner, vec![(request, fault)]);
    let uploader = uploader(spool.path(), store, TERMS);
    let receipt = uploader
        .upload(batch.clone(), &mut UploadProgress::default())
        .await
        .unwrap();
    must_be_true(&uploader.store.inner, &receipt, &batch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_faults_each_object_is_stored_once_body_first() {
    let (spool, batch) = one_batch();
    let store = Faulty::new(Model::default(), Vec::new());
    let uploader = uploader(spool.path(), store, TERMS);
    let receipt = uploader
        .upload(batch.clone(), &mut UploadProgress::default())
        .await
        .unwrap();
    must_be_true(&uploader.store.inner, &receipt, &batch).await;
    use Request::{Head, LockOf, PutBody, PutManifest};
    let expected = [Head, PutBody, PutManifest, LockOf, LockOf];
    assert_eq!(uploader.store.seen(), expected);
    assert_eq!(receipt.store_time.since_s(store_time()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_finds_its_manifest_and_adds_none() {
    let (spool, batch) = one_batch();
    let uploader = uploader(spool.path(), Model::default(), TERMS);
    let first = uploader
        .upload(batch.clone(), &mut UploadProgress::default())
        .await
        .unwrap();
    let second = uploader
        .upload(batch.clone(), &mut UploadProgress::default())
        .await
        .unwrap();
    assert_eq!(first.manifest, second.manifest);
    must_be_true(&uploader.store, &second, &batch).await;
    assert_eq!(uploader.store.versions("manifests/"), [1]);
    // The body can't be read back, so it was stored once more.
    assert_eq!(uploader.store.versions("entries/"), [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_lock_of_an_earlier_run_is_extended() {
    let (spool, batch) = one_batch();
    let model = Model::default();
    model.plant(&batch.slot().manifest_key(), &batch.file);
    let uploader = uploader(spool.path(), model, TERMS);
    let receipt = uploader
        .upload(batch.clone(), &mut UploadProgress::default())
        .await
        .unwrap();
    must_be_true(&uploader.store, &receipt, &batch).await;
    assert_eq!(receipt.manifest.version_id, "v0");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_statement_of_the_same_key_is_a_fork_and_nothing_else_is() {
    let other_line = |sealer: &mut Sealer| {
        let mut fields = sealer.batch_fields(b"a body of another batch");
        fields["agent_version"] = "9".into();
        let manifest: ledger::manifest::Manifest = serde_json::from_value(fields).unwrap();
        manifest.to_line().unwrap()
    };
    let elsewhere = tempfile::tempdir().unwrap();
    let mut sealer = Sealer::new(elsewhere.path(), "auth", 1);
    sealer.genesis(&[]);
    let same_slot = other_line(&mut sealer);
    sealer.heartbeat();
    let other_slot = other_line(&mut sealer);
    let (spool, batch) = one_batch();
    let (ours, _) = ledger::signature::split(&batch.file).unwrap();
    let mut bent = signed(&key(1), &same_slot);
    let last = bent.len() - 40;
    bent[last] ^= 1;
    for (planted, is_fork) in [
        (signed(&key(1), &same_slot), true),
        (signed(&key(2), &same_slot), false),
        (signed(&key(1), &other_slot), false),
        (signed(&key(2), ours), false),
        (bent, false),
        (same_slot, false),
        (b"anything".to_vec(), false),
        (Vec::new(), false),
        (vec![b'x'; 2 * ledger::limits::MANIFEST_FILE_MAX], false),
    ] {
        let text = String::from_utf8_lossy(&planted[..planted.len().min(300)]).into_owned();
        for look_first in [true, false] {
            let model = Model::default();
            model.plant(&batch.slot().manifest_key(), &planted);
            let uploader = uploader(spool.path(), model, TERMS);
            let mut progress = UploadProgress {
                is_known: !look_first,
                ..UploadProgress::default()
            };
            let done = uploader.upload(batch.clone(), &mut progress).await;
            if is_fork {
                assert!(
                    matches!(done, Err(UploadError::Fork(file)) if file == planted),
                    "{text}"
                );
                assert_eq!(uploader.store.versions("manifests/"), [1], "{text}");
            } else {
                must_be_true(&uploader.store, &done.unwrap(), &batch).await;
                // What was there stays below ours as evidence.
                assert_eq!(uploader.store.versions("manifests/"), [2], "{text}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_without_versions_keeps_what_is_there_and_the_stream_waits() {
    let (spool, batch) = one_batch();
    let manifest = batch.slot().manifest_key();
    for planted in [manifest, batch.manifest.body_key().unwrap()] {
        let (dir, store) = on_disk();
        let path = dir.path().join(&planted);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, b"foreign").unwrap();
        let uploader = uploader(spool.path(), store, TERMS);
        let done = uploader
            .upload(batch.clone(), &mut UploadProgress::default())
            .await;
        assert!(
            matches!(done, Err(UploadError::Held(Scope::Stream, _))),
            "{planted}: {done:?}"
        );
        assert_eq!(std::fs::read(&path).unwrap(), b"foreign");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_will_not_pass_holds_the_stream_and_in_a_run_that_ends_everything() {
    let once = Terms {
        once: true,
        ..TERMS
    };
    let refused = || StoreError::Refused(answer("put", "400"));
    for (fault, terms, expected) in [
        (Fault::Before(refused()), TERMS, Scope::Stream),
        (Fault::Before(refused()), once, Scope::Stream),
        (Fault::Before(denied()), once, Scope::Everything),
        (Fault::NoVersion, once, Scope::Everything),
    ] {
        let (spool, batch) = one_batch();
        let store = Faulty::new(Model::default(), vec![(Request::PutBody, fault.clone())]);
        let uploader = uploader(spool.path(), store, terms);
        let done = uploader.upload(batch, &mut UploadProgress::default()).await;
        assert!(
            matches!(&done, Err(UploadError::Held(scope, _)) if *scope == expected),
            "{fault:?}: {done:?}"
        );
        assert_eq!(
            uploader.store.inner.versions("manifests/"),
            [] as [usize; 0]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_none_gets_no_receipt() {
    let lie = (Request::LockOf, Fault::Lie(None));
    let (spool, batch) = one_batch();
    let store = Faulty::new(Model::default(), vec![lie]);
    let terms = Terms {
        once: true,
        ..TERMS
    };
    let done = uploader(spool.path(), store, terms)
        .upload(batch, &mut UploadProgress::default())
        .await;
    assert!(matches!(done, Err(UploadError::NotEnforced(_))), "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_rotted_after_they_were_read_are_found_out() {
    let (spool, batch) = one_batch();
    let path = spool
        .path()
        .join("sealed")
        .join(BatchId::from(&batch.slot()).to_string());
    std::fs::write(path.join("body"), b"no frame at ALL").unwrap();
    let bad_digest = Fault::Before(StoreError::BadDigest(answer("put", "400")));
    let store = Faulty::new(Model::default(), vec![(Request::PutBody, bad_digest)]);
    let done = uploader(spool.path(), store, TERMS)
        .upload(batch, &mut UploadProgress::default())
        .await;
    assert!(
        matches!(done, Err(UploadError::Bad(BadReason::Rot, _))),
        "{done:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_not_be_sent_is_not() {
    let (spool, batch) = one_batch();
    let short = Terms {
        max_retention_s: DAY_S - 1,
        ..TERMS
    };
    let uploader = uploader(
        spool.path(),
        Faulty::new(Model::default(), Vec::new()),
        short,
    );
    let done = uploader
        .upload(batch.clone(), &mut UploadProgress::default())
        .await;
    assert!(
        matches!(done, Err(UploadError::Bad(BadReason::Retention, _))),
        "{done:?}"
    );

    let uploader = self::uploader(
        spool.path(),
        Faulty::new(Model::default(), Vec::new()),
        TERMS,
    );
    let mut receipt = Uploader::new(Model::default(), Spool::open(spool.path()).unwrap(), TERMS)
        .upload(batch.clone(), &mut UploadProgress::default())
        .await
        .unwrap();
    receipt.manifest_sha256 = Digest::of(b"another genesis");
    let genesis = BatchId {
        seq: 0,
        ..BatchId::from(&batch.slot())
    };
    uploader.receipts.write_receipt(&genesis, &receipt).unwrap();
    let done = uploader
        .upload(batch.clone(), &mut UploadProgress::default())
        .await;
    assert!(
        matches!(done, Err(UploadError::Bad(BadReason::Rot, _))),
        "{done:?}"
    );

    let other = crate::fixture::spool();
    let mut sealer = Sealer::new(other.path(), "auth", 1).signed_by(key(2));
    let id = sealer.genesis(&[]);
    let theirs = Spool::open(other.path()).unwrap().read(&id).unwrap();
    let done = uploader
        .upload(theirs, &mut UploadProgress::default())
        .await;
    assert!(
        matches!(done, Err(UploadError::Held(Scope::Stream, _))),
        "{done:?}"
    );
    assert_eq!(uploader.store.seen(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_is_tried_again_stores_nothing_twice() {
    let (spool, batch) = one_batch();
    let refused = || Fault::Before(StoreError::Refused(answer("put", "400")));
    let faults = vec![(Request::PutManifest, refused()); 3];
    let store = Faulty::new(Model::default(), faults);
    let uploader = uploader(spool.path(), store, TERMS);
    let mut progress = UploadProgress::default();
    for _ in 0..3 {
        let done = uploader.upload(batch.clone(), &mut progress).await;
        assert!(
            matches!(done, Err(UploadError::Held(Scope::Stream, _))),
            "{done:?}"
        );
    }
    let receipt = uploader.upload(batch.clone(), &mut progress).await.unwrap();
    must_be_true(&uploader.store.inner, &receipt, &batch).await;
    assert_eq!(uploader.store.inner.versions("entries/"), [1]);
    assert_eq!(uploader.store.inner.versions("manifests/"), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_an_uploaded_manifest_names_signs_from_then_on() {
    use ledger::signature::Key;
    let spool = spool();
    let mut sealer = Sealer::new(spool.path(), "auth", 1);
    let genesis = sealer.genesis(&[]);
    let next = key(2);
    let named = sealer.names_key(Key::of(next.public_key()).unwrap());
    let mut sealer = sealer.signed_by(next);
    let after = sealer.heartbeat();
    let read = |id| Spool::open(spool.path()).unwrap().read(id).unwrap();
    let upload = async |uploader: &Uploader<Model>, id| {
        let mut progress = UploadProgress::default();
        uploader.upload(read(id), &mut progress).await
    };
    let first = uploader(spool.path(), Model::default(), TERMS);
    upload(&first, &genesis).await.unwrap();
    let early = upload(&first, &after).await;
    assert!(
        matches!(early, Err(UploadError::Held(Scope::Stream, _))),
        "{early:?}"
    );
    upload(&first, &named).await.unwrap();
    // Another run of the archiver knows it too, and the old key's statements are still a fork.
    let batch = read(&after);
    let other = {
        let mut fields: serde_json::Value =
            serde_json::from_slice(ledger::signature::split(&batch.file).unwrap().0).unwrap();
        fields["agent_version"] = "9".into();
        let manifest: ledger::manifest::Manifest = serde_json::from_value(fields).unwrap();
        signed(&key(1), &manifest.to_line().unwrap())
    };
    let second = uploader(spool.path(), Model::default(), TERMS);
    upload(&second, &after).await.unwrap();
    let model = Model::default();
    model.plant(&batch.slot().manifest_key(), &other);
    let third = uploader(spool.path(), model, TERMS);
    let fork = upload(&third, &after).await;
    assert!(matches!(fork, Err(UploadError::Fork(_))), "{fork:?}");
}
