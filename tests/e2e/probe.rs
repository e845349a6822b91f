//! `holdfast probe` on real servers, with credentials of every kind; and the part of it that the
//! archiver runs before it sends anything.

use harness::account::Account;
use harness::front::{Answer, Front, Request};
use harness::users::policy;
use harness::{Bucket, Finished, Kind, Running, Server, Site, on_every_server};
use serde_json::Value;
use std::fs;
use std::time::Instant;

const JSON: [&str; 2] = ["--format", "json"];

const STREAMS: &str = r#"
[seal]
age = "100ms"
[[stream]]
name = "all"
include = ["{logs}/*"]
retention = "1d"
"#;

/// Everything but deleting.
const KEEPER: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["arn:aws:s3:::BUCKET", "arn:aws:s3:::BUCKET/*"]},
    {"Effect": "Deny", "Action": ["s3:DeleteObject", "s3:DeleteObjectVersion"],
     "Resource": ["arn:aws:s3:::BUCKET/*"]}]}"#;

/// The archiver's role without `probe/`.
const NARROW: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["s3:PutObject", "s3:PutObjectRetention", "s3:GetObjectRetention"],
     "Resource": ["arn:aws:s3:::BUCKET/prod/manifests/*", "arn:aws:s3:::BUCKET/prod/entries/*"]},
    {"Effect": "Allow", "Action": ["s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration"],
     "Resource": ["arn:aws:s3:::BUCKET"]}]}"#;

/// Every row but the one that needs a scratch bucket.
const ROWS: [&str; 13] = [
    "setup",
    "lock",
    "delete",
    "delete_bypass",
    "shorten",
    "shorten_bypass",
    "weaken",
    "weaken_bypass",
    "overwrite",
    "checksum",
    "create_twice",
    "create_race",
    "clock",
];

fn start(site: &Site, args: &[&str]) -> Running {
    let mut command = site.holdfast_command();
    command
        .args(["probe", "--store", site.store(), "--lock", "5s"])
        .args(args);
    site.start(command, "probe")
}

fn probe(site: &Site, args: &[&str]) -> Finished {
    start(site, args).finish()
}

/// Probes and gives the report; demands the exit code that the report names.
#[track_caller]
fn report(site: &Site, args: &[&str], code: i32) -> Value {
    read(probe(site, &[args, &JSON].concat()), code)
}

#[track_caller]
fn read(done: Finished, code: i32) -> Value {
    let report: Value = serde_json::from_str(&done.expect(code).stdout).expect("a report is JSON");
    assert_eq!(report["exit_code"], code, "{report:#}");
    report
}

fn answer<'a>(report: &'a Value, row: &str) -> &'a str {
    let rows = report["rows"].as_array().expect("rows are a list");
    let found = rows.iter().find(|found| found["row"] == row);
    let answer = found.and_then(|row| row["answer"].as_str());
    answer.unwrap_or_else(|| panic!("no row {row} in {report:#}"))
}

#[track_caller]
fn has(report: &Value, rows: &[&str], expected: &str) {
    for row in rows {
        assert_eq!(answer(report, row), expected, "{row} in {report:#}");
    }
}

fn user(server: &Server, bucket: &Bucket<'_>, name: &str, policy: &str) -> Account {
    server.user(name, &policy.replace("BUCKET", &bucket.name))
}

fn keys(bucket: &Bucket<'_>, prefix: &str) -> Vec<String> {
    let versions = bucket.versions(prefix).into_iter();
    versions.map(|version| version.key).collect()
}

on_every_server! {
    a_bucket_with_object_lock_holds_in_every_row_and_is_left_clean,
    buckets_without_object_lock_give_in,
    what_cannot_be_asked_is_not_a_pass,
    the_archiver_refuses_a_store_without_enforced_locks,
}

fn a_bucket_with_object_lock_holds_in_every_row_and_is_left_clean(kind: Kind) {
    let server = Server::shared(kind);
    let bucket = server.locked_bucket("probe-holds");
    let scratch = server.locked_bucket("probe-scratch");
    let site = Site::on(&server, &bucket.url("prod"), STREAMS);
    // Two at once do not meet.
    let people = start(&site, &[]);
    let machine = start(
        &site,
        &[&JSON[..], &["--scratch-bucket", &scratch.name]].concat(),
    );
    is_a_plain_table(people.finish().expect(0));
    let report = read(machine.finish(), 0);
    has(&report, &ROWS, "holds");
    has(&report, &["suspend"], "holds");
    assert_eq!(report["verdict"], "holds");
    for row in report["rows"].as_array().unwrap() {
        let needs_none = ["setup", "lock", "create_race", "clock"];
        let row_name = row["row"].as_str().unwrap();
        let control = row["control"].as_str().unwrap();
        assert_eq!(control.is_empty(), needs_none.contains(&row_name), "{row}");
    }
    assert_eq!(keys(&bucket, ""), Vec::<String>::new());
    assert_eq!(keys(&scratch, ""), Vec::<String>::new());
    assert!(scratch.has_lock());
}

#[track_caller]
fn is_a_plain_table(done: Finished) {
    let done = done.says(&[
        "delete the version         refused by the lock  ",
        "control: the same after the lock's end worked",
        "control: lengthening the same lock worked",
        "control: the same to a lock in GOVERNANCE mode worked",
        "suspend versioning         not tried",
        "HOLDS: this store keeps what it locks",
    ]);
    let is_plain = !done.stdout.contains('\u{1b}');
    assert!(is_plain && done.stderr.is_empty(), "{done:?}");
}

fn buckets_without_object_lock_give_in(kind: Kind) {
    let server = Server::shared(kind);
    for (name, versioned) in [("probe-plain", false), ("probe-versioned", true)] {
        let bucket = server.bucket(name);
        bucket.create(false);
        if versioned {
            bucket.enable_versioning();
        }
        let site = Site::on(&server, &bucket.url("prod"), STREAMS);
        let report = report(&site, &[], 1);
        has(&report, &["setup"], "gave_in");
        has(
            &report,
            &["delete", "shorten", "weaken", "lock"],
            "not_asked",
        );
        assert_eq!(report["verdict"], "gave_in");
    }
}

#[test]
fn a_credential_that_may_not_delete_proves_no_deletes() {
    let server = Server::shared(Kind::Minio);
    let bucket = server.locked_bucket("probe-keeper");
    let mut site = Site::on(&server, &bucket.url("prod"), STREAMS);
    site.account = user(&server, &bucket, "probe-keeper", KEEPER);
    let report = report(&site, &[], 2);
    let deletes = ["delete", "delete_bypass"];
    has(&report, &deletes, "not_proven");
    for row in ROWS.iter().filter(|row| !deletes.contains(row)) {
        has(&report, &[row], "holds");
    }
    assert_eq!(report["verdict"], "not_proven");
    // What stays is told, key by key.
    let left = report["left"].as_array().unwrap();
    let mut told: Vec<_> = left
        .iter()
        .map(|left| left["key"].as_str().unwrap())
        .collect();
    let mut there = keys(&bucket, "prod/probe/");
    told.sort_unstable();
    there.sort_unstable();
    assert_eq!(told.len(), there.len());
    assert!(
        there
            .iter()
            .zip(&told)
            .all(|(there, told)| there.ends_with(told))
    );
    assert!(report["left_until"].is_string());
}

#[test]
fn the_archivers_credential_proves_what_it_can() {
    let server = Server::shared(Kind::Minio);
    let bucket = server.locked_bucket("probe-uploader");
    let mut site = Site::on(&server, &bucket.url("prod"), STREAMS);
    site.account = server.user("probe-uploader", &policy("uploader", &bucket.name, "prod/"));
    let report = report(&site, &[], 2);
    has(
        &report,
        &["delete", "delete_bypass", "overwrite"],
        "not_proven",
    );
    let provable = [
        "setup",
        "lock",
        "shorten",
        "checksum",
        "create_twice",
        "create_race",
        "clock",
    ];
    has(&report, &provable, "holds");
}

#[test]
fn a_directory_enforces_nothing_and_says_that_it_only_evidences() {
    let home = tempfile::tempdir().unwrap();
    let url = format!("file://{}", home.path().display());
    let site = Site::new(&url, STREAMS);
    let (people, machine) = (start(&site, &[]), start(&site, &JSON));
    drop(people.finish().expect(1).says(&[
        "LOCK NOT ENFORCED: a directory only evidences",
        "bucket that enforces Object Lock",
    ]));
    let report = read(machine.finish(), 1);
    has(
        &report,
        &["delete", "delete_bypass", "overwrite", "shorten", "weaken"],
        "gave_in",
    );
    has(
        &report,
        &["checksum", "create_twice", "create_race", "lock", "clock"],
        "holds",
    );
    assert!(harness::site::files_below(home.path()).is_empty());
}

fn what_cannot_be_asked_is_not_a_pass(kind: Kind) {
    let server = Server::shared(kind);
    let bucket = server.locked_bucket("probe-unasked");
    let mut site = Site::on(&server, &bucket.url("prod"), STREAMS);
    site.account.secret = "not the secret".into();
    let refused = report(&site, &[], 2);
    has(
        &refused,
        &["setup", "lock", "delete", "checksum", "create_twice"],
        "not_proven",
    );
    assert_eq!(refused["verdict"], "not_proven");

    let good = Site::on(&server, &bucket.url("prod"), STREAMS);
    for args in [
        &["--lock", "1s"][..],
        &["--lock", "2m"],
        &["--scratch-bucket", "probe-unasked"],
        &["--scratch-bucket", "no such name"],
    ] {
        drop(probe(&good, args).expect(3));
    }
    let nowhere = Site::on(&server, "s3://no-such-bucket/prod", STREAMS);
    drop(
        probe(&nowhere, &[])
            .expect(3)
            .says(&["holdfast bucket create --store"]),
    );
    let directory = Site::new("file:///tmp", STREAMS);
    drop(probe(&directory, &["--scratch-bucket", "scratch"]).expect(3));
    assert_eq!(keys(&bucket, ""), Vec::<String>::new());
}

/// A host with one sealed file.
fn sealed(mut site: Site, account: Option<Account>) -> Site {
    site.write_archiver_config("poll = \"50ms\"\nretry_held = \"1s\"");
    site.init();
    fs::write(site.log("a.log"), "a line\n").unwrap();
    drop(site.agent(&["drain"]).expect(0));
    if let Some(account) = account {
        site.account = account;
    }
    site
}

#[test]
fn the_archiver_probes_with_its_own_rights_and_says_so_in_one_line() {
    let server = Server::shared(Kind::Minio);
    let bucket = server.locked_bucket("probe-start");
    let account = server.user("probe-start", &policy("uploader", &bucket.name, "prod/"));
    let site = Site::on(&server, &bucket.url("prod"), STREAMS);
    let site = sealed(site, Some(account));
    let began = Instant::now();
    let done = site.archive(&["--once"]).expect(0);
    println!("probed, archived and ended in {:?}", began.elapsed());
    assert_eq!(done.stderr.matches("probed").count(), 1, "{}", done.stderr);
    assert!(
        !done.stderr.contains("WARN") && !done.stderr.contains("ERROR"),
        "{}",
        done.stderr
    );
    let canaries = bucket.versions("prod/probe/");
    assert_eq!(canaries.len(), 1, "{canaries:?}");
    let lock = bucket.lock(&canaries[0]).unwrap();
    let lasts_s = lock.until_s - canaries[0].made_s;
    assert!(
        lock.is_compliance && (1..=60).contains(&lasts_s),
        "{lasts_s}"
    );
    // An auditor is told of it and thinks no worse of the archive.
    let auditor = Site::on(&server, &bucket.url("prod"), STREAMS);
    fs::copy(site.path("signers"), auditor.path("signers")).unwrap();
    let report = auditor.verify_clean().to_string();
    assert!(report.contains("1 canary, "), "{report}");
}

#[test]
fn an_archiver_without_rights_on_probe_is_held_and_told_which() {
    let server = Server::shared(Kind::Minio);
    let bucket = server.locked_bucket("probe-narrow");
    let account = user(&server, &bucket, "probe-narrow", NARROW);
    let site = sealed(
        Site::on(&server, &bucket.url("prod"), STREAMS),
        Some(account),
    );
    let told = site.archive(&["--once"]).expect(2);
    drop(told.says(&[
        "held",
        "PutObjectRetention and GetObjectRetention on probe/",
    ]));
    assert!(bucket.versions("").is_empty());
}

/// Answers in a server's place to what the archiver tries: each of these servers breaks its promise in one row.
fn lying(request: &Request, row: &str) -> Answer {
    let is_retention = request.target.contains("retention");
    let lock = |mode: &str| {
        let body = format!(
            "<Retention><Mode>{mode}</Mode><RetainUntilDate>2099-01-01T00:00:00Z</RetainUntilDate></Retention>"
        );
        Answer::Reply(200, Vec::new(), body.into_bytes())
    };
    match (row, request.method.as_str(), is_retention) {
        ("lock read back", "GET", true) => lock("GOVERNANCE"),
        // The checksum row's second put is refused as if something stood there.
        ("wrong checksum", "PUT", false) if request.header("if-none-match").is_some() => {
            Answer::Reply(412, Vec::new(), Vec::new())
        }
        _ => Answer::Pass,
    }
}

fn the_archiver_refuses_a_store_without_enforced_locks(kind: Kind) {
    let server = Server::shared(kind);
    for (name, row) in [
        ("probe-lies-lock", "lock read back"),
        ("probe-lies-sum", "wrong checksum"),
    ] {
        let bucket = server.locked_bucket(name);
        let front = Front::before(&server.endpoint(), move |request| lying(request, row));
        let site = sealed(
            Site::at(&front.endpoint(), &bucket.url("prod"), STREAMS),
            None,
        );
        for args in [&["--once"][..], &[]] {
            let told = site.archive(args).expect(1);
            drop(told.says(&[
                "does not enforce its locks",
                row,
                "holdfast probe --store s3://",
            ]));
        }
        assert_eq!(site.unreceipted().len(), site.sealed().len());
        assert!(
            keys(&bucket, "prod/")
                .iter()
                .all(|key| key.contains("/probe/"))
        );
    }
}

#[test]
fn an_archiver_to_a_directory_starts_without_a_probe() {
    let home = tempfile::tempdir().unwrap();
    let url = format!("file://{}", home.path().display());
    let site = sealed(Site::new(&url, STREAMS), None);
    drop(
        site.archive(&["--once"])
            .expect(0)
            .says(&["a directory only evidences"]),
    );
    assert!(!home.path().join("probe").exists());
}
