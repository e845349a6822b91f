//! Versions, delete markers and locks on a real server, judged by the program itself.

use super::draft::{Draft, Object, key};
use super::judged::signers_text;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::ObjectLockMode;
use harness::account::root;
use harness::front::Answer;
use harness::programs::grant;
use harness::{Bucket, Finished, Front, Kind, Program, Running, Server, on_every_server};
use ledger::Digest;
use serde_json::Value;
use std::sync::Arc;
use tempfile::TempDir;

/// Where the archive stands in its bucket.
const PREFIX: &str = "prod/";

/// How an object is locked when it is put.
#[derive(Clone, Copy)]
enum Put {
    For(u64),
    Governance,
    Unlocked,
}

/// An archive in a bucket of its own.
struct Site {
    server: Arc<Server>,
    bucket: String,
    draft: Draft,
    folder: TempDir,
}

impl Site {
    fn empty(kind: Kind, bucket: &str) -> Self {
        let server = Server::shared(kind);
        drop(server.locked_bucket(bucket));
        let mut draft = Draft::begin(host::clock::now());
        draft.batch(3);
        draft.batch(2);
        draft.heartbeat(|_| {});
        Self {
            server,
            bucket: bucket.into(),
            draft,
            folder: TempDir::with_prefix("holdfast-bucket-").unwrap(),
        }
    }

    /// The archive as the archiver would have stored it.
    fn whole(kind: Kind, bucket: &str) -> Self {
        Self::but_for(kind, bucket, "", Put::Unlocked)
    }

    /// The same, one object put otherwise.
    fn but_for(kind: Kind, bucket: &str, other: &str, otherwise: Put) -> Self {
        let site = Self::empty(kind, bucket);
        for (key, object) in &site.draft.objects {
            let lock = if *key == other {
                otherwise
            } else {
                Put::For(object.retention_s + 3600)
            };
            site.put(key, object, lock);
        }
        site
    }

    fn bucket(&self) -> Bucket<'_> {
        self.server.bucket(&self.bucket)
    }

    fn put(&self, key: &str, object: &Object, lock: Put) -> String {
        let mut request = self.server.client().put_object().bucket(&self.bucket);
        let (mode, retained_s) = match lock {
            Put::For(seconds) => (Some(ObjectLockMode::Compliance), seconds),
            Put::Governance => (Some(ObjectLockMode::Governance), 10 * 86_400),
            Put::Unlocked => (None, 0),
        };
        if let Some(mode) = mode {
            let until = host::clock::now().plus_s(retained_s).seconds();
            let until = DateTime::from_secs(i64::try_from(until).unwrap());
            request = request
                .object_lock_mode(mode)
                .object_lock_retain_until_date(until);
        }
        let sha256 = Digest::of(&object.bytes).to_base64();
        let request = request
            .key(format!("{PREFIX}{key}"))
            .checksum_sha256(sha256);
        let put = request.body(ByteStream::from(object.bytes.clone())).send();
        self.server.run(put).unwrap().version_id.unwrap()
    }

    fn run(&self, endpoint: &str, args: &[&str]) -> Finished {
        let signers = self.folder.path().join("signers");
        std::fs::write(&signers, signers_text(&key(1), &["web-01"])).unwrap();
        let mut command = Program::Holdfast.command();
        command.args([
            "verify",
            "--store",
            &self.bucket().url(PREFIX.trim_end_matches('/')),
        ]);
        command.arg("--signers").arg(&signers).args(args);
        grant(&mut command, endpoint, &root());
        Running::start(command, self.folder.path(), "verify").finish()
    }

    /// Judges, demands an exit code, and gives the report.
    #[track_caller]
    fn judge(&self, exit: i32) -> Value {
        let done = self
            .run(&self.server.endpoint(), &["--format", "json"])
            .expect(exit);
        let report: Value = serde_json::from_str(&done.stdout).unwrap();
        assert_eq!(report["exit_code"], exit);
        report
    }
}

/// `CODE severity` of each finding, gravest first.
fn brief(report: &Value) -> Vec<String> {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap();
    let brief = |one: &Value| format!("{} {}", word(&one["code"]), word(&one["severity"]));
    findings.iter().map(brief).collect()
}

on_every_server! {
    a_locked_archive_is_clean,
    the_report_goes_to_a_file,
    versions_over_archived_objects,
    delete_markers_hide_nothing,
    locks_that_do_not_keep_the_promise,
    two_statements_for_one_place,
    manifests_that_others_wrote,
    a_manifest_that_is_gone_for_good,
    what_may_not_be_read_is_neither_absent_nor_clean,
    nothing_found_is_never_clean,
    usage,
}

fn a_locked_archive_is_clean(kind: Kind) {
    let site = Site::whole(kind, "verify-clean");
    let report = site.judge(0);
    assert_eq!(brief(&report), [""; 0]);
    assert_eq!(report["verdict"], "clean");
    assert_eq!(report["coverage"]["locks"], 6);
    assert_eq!(report["store"]["locks"], "enforced");
    let text = site.run(&site.server.endpoint(), &[]).expect(0);
    assert!(text.stdout.starts_with("CLEAN"), "{}", text.stdout);
    assert!(
        !text.stdout.contains('\x1b') && text.stderr.is_empty(),
        "{text:?}"
    );
    // The same bytes once more are no finding, however they are locked.
    let body = site.draft.body_key(1);
    site.put(&body, &site.draft.objects[&body], Put::Unlocked);
    let manifest = site.draft.manifest_key(2);
    site.put(&manifest, &site.draft.objects[&manifest], Put::For(900_000));
    assert_eq!(brief(&site.judge(0)), [""; 0]);
}

fn the_report_goes_to_a_file(kind: Kind) {
    let site = Site::whole(kind, "verify-output");
    let file = site.folder.path().join("report.json");
    let path = file.to_str().unwrap();
    let endpoint = site.server.endpoint();
    let done = site
        .run(&endpoint, &["--format", "json", "--output", path])
        .expect(0);
    assert_eq!(done.stdout, "");
    let report: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(report["coverage"]["manifests"], 4);
}

fn versions_over_archived_objects(kind: Kind) {
    let site = Site::whole(kind, "verify-shadow");
    let bucket = site.bucket();
    let body = format!("{PREFIX}{}", site.draft.body_key(1));
    let stored = site.draft.objects[&site.draft.body_key(1)].bytes.clone();
    let longer = bucket.put(&body, &[&stored[..], b"x"].concat());
    assert_eq!(brief(&site.judge(4)), ["SHADOW_VERSION interference"]);
    let mut same_size = stored;
    same_size[40] ^= 1;
    bucket.put(&body, &same_size);
    let report = site.judge(4);
    assert_eq!(brief(&report), ["SHADOW_VERSION interference"; 2]);
    let finding = &report["findings"][1];
    assert_eq!(
        (&finding["key"], &finding["version_id"]),
        (&body.as_str().into(), &longer.into())
    );
    assert!(
        finding["by_hand"]
            .as_str()
            .unwrap()
            .contains("--version-id")
    );

    bucket.put(
        &format!("{PREFIX}{}", site.draft.manifest_key(2)),
        b"unsigned",
    );
    let expected = [
        "SHADOW_VERSION interference",
        "SHADOW_VERSION interference",
        "SHADOW_VERSION interference",
        "SIG_INVALID interference",
    ];
    assert_eq!(brief(&site.judge(4)), expected);
}

fn delete_markers_hide_nothing(kind: Kind) {
    let site = Site::whole(kind, "verify-markers");
    site.bucket()
        .hide(&format!("{PREFIX}{}", site.draft.body_key(1)));
    site.bucket()
        .hide(&format!("{PREFIX}{}", site.draft.manifest_key(1)));
    let report = site.judge(4);
    assert_eq!(brief(&report), ["DELETE_MARKER interference"; 2]);
    assert_eq!(report["coverage"]["manifests"], 4);
    assert_eq!(report["coverage"]["markers"], 2);
}

fn locks_that_do_not_keep_the_promise(kind: Kind) {
    let cases = [
        ("absent", Put::Unlocked, "LOCK_ABSENT critical"),
        ("mode", Put::Governance, "LOCK_MODE critical"),
        ("short", Put::For(3600), "LOCK_SHORT critical"),
    ];
    for (name, lock, expected) in cases {
        let draft = Draft::begin(host::clock::now());
        let manifest = draft.manifest_key(0);
        let site = Site::but_for(kind, &format!("verify-lock-{name}"), &manifest, lock);
        assert_eq!(brief(&site.judge(1)), [expected]);
        // Any version with the right bytes may keep it.
        site.put(&manifest, &site.draft.objects[&manifest], Put::For(90_000));
        assert_eq!(brief(&site.judge(0)), [""; 0]);
    }
}

fn two_statements_for_one_place(kind: Kind) {
    let site = Site::whole(kind, "verify-fork");
    let mut fork = Draft::begin(site.draft.manifests[0].time.sealed);
    fork.batch(3);
    fork.heartbeat(|_| {});
    let manifest = fork.manifest_key(2);
    site.put(&manifest, &fork.objects[&manifest], Put::For(90_000));
    let report = site.judge(1);
    // The chain continues from the one that the next manifest names.
    assert_eq!(brief(&report), ["EQUIVOCATION critical"]);
    let by_hand = report["findings"][0]["by_hand"].as_str().unwrap();
    assert_eq!(by_hand.matches("--version-id").count(), 2, "{by_hand}");
}

fn manifests_that_others_wrote(kind: Kind) {
    let site = Site::whole(kind, "verify-foreign");
    let mut longer = site.draft.clone();
    longer.key = key(2);
    longer.heartbeat(|_| {});
    let next = longer.manifest_key(4);
    site.put(&next, &longer.objects[&next], Put::Unlocked);
    assert_eq!(brief(&site.judge(4)), ["SIG_INVALID interference"]);

    let again = Site::empty(kind, "verify-again");
    for (name, object) in again.draft.signed_again(&key(2)) {
        again.put(&name, &object, Put::For(100_000));
    }
    let report = again.judge(1);
    let invalid = brief(&report)
        .into_iter()
        .filter(|one| one == "SIG_INVALID critical");
    assert_eq!(invalid.count(), 4);
}

fn a_manifest_that_is_gone_for_good(kind: Kind) {
    let site = Site::empty(kind, "verify-gap");
    for (name, object) in &site.draft.objects {
        if *name != site.draft.manifest_key(1) && *name != site.draft.body_key(1) {
            site.put(name, object, Put::For(100_000));
        }
    }
    let report = site.judge(1);
    assert_eq!(brief(&report), ["SEQ_GAP critical"]);
    assert_eq!(
        (
            &report["findings"][0]["seq"],
            &report["findings"][0]["expected"]
        ),
        (&1.into(), &"1".into())
    );
}

fn what_may_not_be_read_is_neither_absent_nor_clean(kind: Kind) {
    let site = Site::whole(kind, "verify-denied");
    let denied =
        br#"<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>no</Message></Error>"#;
    let deny = |what: &'static str| {
        Front::before(&site.server.endpoint(), move |request| {
            if request.target.contains(what) {
                Answer::Reply(403, vec![], denied.to_vec())
            } else {
                Answer::Pass
            }
        })
    };
    let judge = |front: &Front| {
        let done = site.run(&front.endpoint(), &["--format", "json"]).expect(2);
        serde_json::from_str::<Value>(&done.stdout).unwrap()
    };
    let report = judge(&deny("?retention"));
    assert_eq!(brief(&report), ["LOCK_UNKNOWN inconclusive"; 6]);
    let report = judge(&deny("00000000000000000001.manifest"));
    let expected = ["COVERAGE inconclusive", "ORPHAN note", "PENDING note"];
    let got = brief(&report);
    assert!(
        got.iter().all(|one| expected.contains(&one.as_str())),
        "{got:?}"
    );
    let report = judge(&deny(".ndjson.zst"));
    assert_eq!(brief(&report), ["COVERAGE inconclusive"; 2]);
    let report = judge(&deny("?versions"));
    assert!(
        brief(&report)
            .iter()
            .all(|one| one.ends_with("inconclusive")),
        "{report}"
    );
}

/// As MinIO does; other servers list what is below, or refuse the put.
#[test]
fn an_object_in_the_place_of_a_folder_hides_nothing_unsaid() {
    let site = Site::whole(Kind::Minio, "verify-hidden-folder");
    let first = &site.draft.manifests[0];
    let stream = format!("manifests/{}/{}", first.agent, first.stream);
    site.bucket().put(&format!("{PREFIX}{stream}"), b"x");
    let report = site.judge(2);
    let findings = report["findings"].as_array().unwrap();
    let hidden = findings.iter().find(|one| one["code"] == "COVERAGE");
    let message = hidden.unwrap()["message"].as_str().unwrap();
    assert!(message.contains(&format!("{stream}/")), "{message}");
}

fn nothing_found_is_never_clean(kind: Kind) {
    let site = Site::empty(kind, "verify-nobody");
    assert_eq!(brief(&site.judge(2)), ["NOTHING_FOUND inconclusive"]);
    let missing = Site {
        bucket: "verify-no-such-bucket".into(),
        ..site
    };
    missing.run(&missing.server.endpoint(), &[]).expect(2);
}

fn usage(kind: Kind) {
    let site = Site::whole(kind, "verify-usage");
    let endpoint = site.server.endpoint();
    site.run(&endpoint, &["--jobs", "0"]).expect(3);
    site.run(&endpoint, &["--grace", "soon"]).expect(3);
    site.run(&endpoint, &["--agent", "a/b"])
        .expect(3)
        .says(&["1 to 63"]);
    let other = site.run(&endpoint, &["--agent", "web-02"]).expect(2);
    other.says(&["NOTHING_FOUND"]);
    let mut command = Program::Holdfast.command();
    command.args([
        "verify",
        "--store",
        "file:///tmp",
        "--signers",
        "/nonexistent",
    ]);
    let done = Running::start(command, site.folder.path(), "signers").finish();
    done.expect(3)
        .says(&["/nonexistent", "holdfast-agent init"]);
}
