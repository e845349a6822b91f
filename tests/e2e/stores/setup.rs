//! Buckets that aren't set up to keep evidence, and making ones that are.

use super::{s3, shared};
use archiver::bucket::{CreateError, Step, create};
use archiver::store::{AnyStore, SetupFault, Store as _, StoreError};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use harness::Minio;
use harness::minio::root;

fn at(minio: &Minio, url: &str) -> AnyStore {
    s3(url, &shared(&minio.endpoint(), &root()))
}

#[test]
fn unfit_buckets_are_told_with_the_command() {
    let minio = Minio::shared();
    minio.bucket("unfit-plain").create(false);
    let version = minio.bucket("unfit-plain").put("x/probe/x", b"x");
    assert_eq!(version, "");
    let plain = at(&minio, "s3://unfit-plain/x");
    assert_eq!(minio.run(plain.lock_of("probe/x", "null")), Ok(None));
    let fetched = minio
        .run(plain.get("probe/x", Some("null"), 10))
        .expect("a get");
    assert_eq!(fetched.version_id, "null");
    let versioned = minio.bucket("unfit-versioned");
    versioned.create(false);
    versioned.enable_versioning();
    for (url, is_expected) in [
        (
            "s3://unfit-absent/x",
            (|fault| matches!(fault, SetupFault::Absent { .. })) as fn(&SetupFault) -> bool,
        ),
        ("s3://unfit-plain/x", |fault| {
            matches!(fault, SetupFault::NoObjectLock { .. })
        }),
        ("s3://unfit-versioned/x", |fault| {
            matches!(fault, SetupFault::NoObjectLock { .. })
        }),
    ] {
        let fault = minio.run(at(&minio, url).check()).expect_err(url);
        assert!(is_expected(&fault), "{fault:?}");
        let text = fault.to_string();
        assert!(
            text.contains(url) && text.contains("holdfast bucket create --store"),
            "{text}"
        );
    }
}

#[test]
fn bucket_is_made_lengthened_and_never_weakened() {
    let minio = Minio::shared();
    let store = at(&minio, "s3://made/prefix");
    let made = |days| minio.run(create(&store, days));
    let default = |from_days, days| Step::SetDefault { from_days, days };

    assert_eq!(made(2), Ok(vec![Step::MadeBucket, default(None, 2)]));
    assert_eq!(minio.run(store.check()), Ok(()));
    assert_eq!(made(2), Ok(vec![Step::FoundRight]));
    assert_eq!(made(3), Ok(vec![default(Some(2), 3)]));
    let weaker = made(2);
    assert!(
        matches!(
            weaker,
            Err(CreateError::Longer {
                found_days: 3,
                asked_days: 2,
                ..
            })
        ),
        "{weaker:?}"
    );
    // What names no lock of its own gets the default.
    let version = minio.bucket("made").put("prefix/probe/x", b"x");
    let lock = minio.run(store.lock_of("probe/x", &version));
    let now = host::clock::now();
    let left_s = lock.unwrap().unwrap().retain_until.since_s(now);
    assert!((3 * 86_400 - 60..=3 * 86_400).contains(&left_s), "{left_s}");
}

#[test]
fn bucket_without_lock_is_left_alone() {
    let minio = Minio::shared();
    let bucket = minio.bucket("left-alone");
    bucket.create(false);
    let store = at(&minio, "s3://left-alone");
    let made = minio.run(create(&store, 1));
    assert!(
        matches!(made, Err(CreateError::NoObjectLock(_))),
        "{made:?}"
    );
    let versioning = minio.client().get_bucket_versioning().bucket("left-alone");
    let status = minio.run(versioning.send()).unwrap().status;
    assert_ne!(status, Some(BucketVersioningStatus::Enabled));
}

#[test]
fn versioning_of_a_locked_bucket_is_not_suspended() {
    let minio = Minio::shared();
    assert!(minio.locked_bucket("not-suspended").has_lock());
    let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended);
    let request = minio
        .client()
        .put_bucket_versioning()
        .bucket("not-suspended");
    let done = minio.run(request.versioning_configuration(suspended.build()).send());
    assert!(done.is_err());
    assert_eq!(minio.run(at(&minio, "s3://not-suspended").check()), Ok(()));
}

#[test]
fn every_call_tells_of_a_bucket_that_is_not_there() {
    let minio = Minio::shared();
    let store = at(&minio, "s3://nowhere-at-all/x");
    let gone = |error: &StoreError| matches!(error, StoreError::NoBucket(_));
    minio.run(async {
        // MinIO looks for the bucket's Object Lock first, and finds none.
        let put = super::rules::put("probe/x", b"x", host::clock::now().plus_s(86_400));
        let error = store.put(put).await.expect_err("put");
        assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
        let error = store.get("probe/x", None, 10).await.expect_err("get");
        assert!(gone(&error), "{error:?}");
        let error = store.list_versions("", None).await.expect_err("list");
        assert!(gone(&error), "{error:?}");
        let version = "00000000-0000-0000-0000-000000000000";
        let error = store.lock_of("probe/x", version).await.expect_err("lock");
        assert!(gone(&error), "{error:?}");
    });
}
