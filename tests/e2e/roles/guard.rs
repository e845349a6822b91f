//! The denies of infra/iam/bucket-policy.json. MinIO judges accounts by their own policies alone and
//! asks a bucket's policy only about accounts it does not know, so here the very statements, without their
//! `Principal`, stand in the uploader's policy. What a server makes of a bucket policy itself is
//! not shown by this.

use super::acts::{DAY, End, Scene};
use super::site;
use aws_sdk_s3::types::{ObjectLockMode, ObjectLockRetentionMode};
use harness::server::client;
use harness::users::policy;
use harness::{Kind, Server};
use serde_json::Value;

/// The uploader's policy and those statements of the bucket's that `wanted` names.
fn guarded(bucket: &str, wanted: &[&str]) -> String {
    let parse = |name: &str| -> Value {
        let text = policy(name, bucket, "prod/");
        let text = text.replace("MIN_DAYS", "1").replace("MAX_DAYS", "4028");
        serde_json::from_str(&text).unwrap()
    };
    let (mut uploader, bucket) = (parse("uploader"), parse("bucket-policy"));
    let statements = uploader["Statement"].as_array_mut().unwrap();
    for name in wanted {
        let all = bucket["Statement"].as_array().unwrap();
        let found = all.iter().find(|statement| statement["Sid"] == *name);
        let mut statement = found.expect("the policy has this statement").clone();
        statement.as_object_mut().unwrap().remove("Principal");
        if statement["Condition"]
            .to_string()
            .contains("remaining-retention-days")
        {
            // MinIO refuses a policy that asks this of a put.
            statement["Action"] = Value::from("s3:PutObjectRetention");
        }
        statements.push(statement);
    }
    uploader.to_string()
}

const WITHOUT_TLS: [&str; 4] = [
    "OnlyCompliance",
    "NotTooShort",
    "NotTooLong",
    "NothingGoesOrIsHidden",
];

#[test]
fn a_guarded_uploader_archives_and_is_refused_locks_of_another_kind_or_length() {
    let server = Server::shared(Kind::Minio);
    let bucket = server.locked_bucket("guarded");
    let account = server.user("guarded-uploader", &guarded(&bucket.name, &WITHOUT_TLS));
    drop(
        site(&server, &bucket, account.clone())
            .archive(&["--once"])
            .expect(0),
    );
    let scene = Scene::of(&server, &bucket, client(&server.endpoint(), &account));
    let (compliance, governance) = (ObjectLockMode::Compliance, ObjectLockMode::Governance);
    let body = |lock| scene.put("prod/entries/a", lock);
    let relock = |days| scene.relock(ObjectLockRetentionMode::Compliance, days, false);
    for (what, answer, expected) in [
        (
            "put, COMPLIANCE",
            body(Some((compliance.clone(), 2 * DAY))),
            End::Done,
        ),
        (
            "put, GOVERNANCE",
            body(Some((governance, 2 * DAY))),
            End::Denied,
        ),
        ("put, no lock", body(None), End::Denied),
        (
            "put a canary for an hour",
            scene.put("prod/probe/a", Some((compliance, DAY / 24))),
            End::Done,
        ),
        ("lengthen to 10 years", relock(3650), End::Done),
        ("lengthen to 100 years", relock(36_525), End::Denied),
    ] {
        println!("{what:<26}{answer}");
        assert_eq!(answer.end(), expected, "{what}: {answer}");
    }
}

#[test]
fn a_guarded_uploader_is_refused_everything_without_tls() {
    let server = Server::shared(Kind::Minio);
    let bucket = server.locked_bucket("only-tls");
    let account = server.user("only-tls-uploader", &guarded(&bucket.name, &["OnlyTLS"]));
    let host = site(&server, &bucket, account);
    drop(host.archive(&["--once"]).expect(2));
    assert!(bucket.versions("").is_empty());
}
