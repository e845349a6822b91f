//! Buckets that aren't set up to keep evidence, and making ones that are.

use super::{s3, shared};
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use cli::bucket::{CreateError, SetupStep, create};
use harness::account::root;
use harness::{Kind, Server, on_every_server};
use store::{AnyStore, SetupFault, Store as _, StoreError};

fn at(server: &Server, url: &str) -> AnyStore {
    s3(url, &shared(&server.endpoint(), &root()))
}

on_every_server! {
    unfit_buckets_are_told_with_the_command,
    bucket_is_made_lengthened_and_never_weakened,
    bucket_without_lock_is_left_alone,
    versioning_of_a_locked_bucket_is_not_suspended,
    every_call_tells_of_a_bucket_that_is_not_there,
}

fn unfit_buckets_are_told_with_the_command(kind: Kind) {
    let server = Server::shared(kind);
    server.bucket("unfit-plain").create(false);
    let version = server.bucket("unfit-plain").put("x/probe/x", b"x");
    assert_eq!(version, "");
    let plain = at(&server, "s3://unfit-plain/x");
    assert_eq!(server.run(plain.lock_of("probe/x", "null")), Ok(None));
    let fetched = server
        .run(plain.get("probe/x", Some("null"), 10))
        .expect("a get");
    assert_eq!(fetched.version_id, "null");
    let versioned = server.bucket("unfit-versioned");
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
        let fault = server.run(at(&server, url).check()).expect_err(url);
        assert!(is_expected(&fault), "{fault:?}");
        let text = fault.to_string();
        assert!(
            text.contains(url) && text.contains("holdfast bucket create --store"),
            "{text}"
        );
    }
}

fn bucket_is_made_lengthened_and_never_weakened(kind: Kind) {
    let server = Server::shared(kind);
    let store = at(&server, "s3://made/prefix");
    let made = |days| server.run(create(&store, days));
    let default = |from_days, days| SetupStep::SetDefault { from_days, days };

    assert_eq!(made(2), Ok(vec![SetupStep::MadeBucket, default(None, 2)]));
    assert_eq!(server.run(store.check()), Ok(()));
    assert_eq!(made(2), Ok(vec![SetupStep::FoundRight]));
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
    let version = server.bucket("made").put("prefix/probe/x", b"x");
    let lock = server.run(store.lock_of("probe/x", &version));
    let now = host::clock::now();
    let left_s = lock.unwrap().unwrap().retain_until.since_s(now);
    assert!((3 * 86_400 - 60..=3 * 86_400).contains(&left_s), "{left_s}");
}

fn bucket_without_lock_is_left_alone(kind: Kind) {
    let server = Server::shared(kind);
    let bucket = server.bucket("left-alone");
    bucket.create(false);
    let store = at(&server, "s3://left-alone");
    let made = server.run(create(&store, 1));
    assert!(
        matches!(made, Err(CreateError::NoObjectLock(_))),
        "{made:?}"
    );
    let versioning = server.client().get_bucket_versioning().bucket("left-alone");
    let status = server.run(versioning.send()).unwrap().status;
    assert_ne!(status, Some(BucketVersioningStatus::Enabled));
}

fn versioning_of_a_locked_bucket_is_not_suspended(kind: Kind) {
    let server = Server::shared(kind);
    assert!(server.locked_bucket("not-suspended").has_lock());
    let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended);
    let request = server
        .client()
        .put_bucket_versioning()
        .bucket("not-suspended");
    let done = server.run(request.versioning_configuration(suspended.build()).send());
    assert!(done.is_err());
    assert_eq!(
        server.run(at(&server, "s3://not-suspended").check()),
        Ok(())
    );
}

fn every_call_tells_of_a_bucket_that_is_not_there(kind: Kind) {
    let server = Server::shared(kind);
    let store = at(&server, "s3://nowhere-at-all/x");
    let gone = |error: &StoreError| matches!(error, StoreError::NoBucket(_));
    server.run(async {
        let error = store.get("probe/x", None, 10).await.expect_err("get");
        assert!(gone(&error), "{error:?}");
        let error = store.list_versions("", None).await.expect_err("list");
        assert!(gone(&error), "{error:?}");
        let version = "00000000-0000-0000-0000-000000000000";
        let error = store.lock_of("probe/x", version).await.expect_err("lock");
        assert!(gone(&error), "{error:?}");
        // Servers look for the bucket's Object Lock first, and find none.
        let put =
            store::testing::conformance::put("probe/x", b"x", host::clock::now().plus_s(86_400));
        let error = store.put(put).await.expect_err("put");
        assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
        let fault = store
            .check()
            .await
            .expect_err("still no place for evidence");
        let is_made = matches!(fault, SetupFault::NoObjectLock { .. });
        assert_eq!(is_made, kind.makes_buckets_by_put(), "{fault:?}");
    });
}
