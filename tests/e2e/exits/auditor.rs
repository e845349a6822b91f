//! `holdfast verify`, `explain`, `bucket create` and `demo`.

use super::{run, site, site_with_store};
use harness::account::root;
use harness::programs::grant;
use harness::site::files_below;
use harness::{Front, Kind, Program, Server, Site, on_every_server};
use ledger::finding::Code;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// An archive on disk that is clean.
pub(super) fn archived() -> Site {
    let site = site_with_store();
    drop(site.archive(&["--once"]).expect(0));
    site
}

pub(super) fn damage(site: &Site) {
    let body = find(&site.path("store"), ".ndjson.zst");
    let mut bytes = fs::read(&body).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let locked = body.metadata().unwrap();
    fs::set_permissions(&body, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&body, bytes).unwrap();
    fs::set_permissions(&body, locked.permissions()).unwrap();
}

fn find(folder: &Path, end: &str) -> PathBuf {
    let named = |path: &PathBuf| path.display().to_string().ends_with(end);
    files_below(folder).into_iter().find(named).unwrap()
}

#[test]
fn verify_ends_with_0_on_a_clean_archive() {
    let told = archived().verify(&[]).expect(0);
    assert!(told.stdout.starts_with("CLEAN"), "{}", told.stdout);
}

#[test]
fn verify_ends_with_1_on_damage_and_names_the_command_that_explains() {
    let site = archived();
    damage(&site);
    let told = site.verify(&[]).expect(1);
    drop(told.says(&["TAMPERED", "STORED_HASH", "holdfast explain STORED_HASH"]));
}

#[test]
fn verify_ends_with_2_where_nothing_is() {
    drop(
        site_with_store()
            .verify(&[])
            .expect(2)
            .says(&["NOTHING_FOUND"]),
    );
}

#[test]
fn verify_ends_with_3_without_signers_or_with_a_url_that_is_none() {
    let site = archived();
    drop(
        site.verify_at("audit-logs", &[])
            .expect(3)
            .says(&["s3://BUCKET"]),
    );
    fs::remove_file(site.path("signers")).unwrap();
    drop(
        site.verify(&[])
            .expect(3)
            .says(&["signers", "holdfast-agent init"]),
    );
    for (word, what) in [
        ("--jobs=0", "from 1 on"),
        ("--grace=x", "such as 15m"),
        ("--agent=a b", "a name is"),
    ] {
        drop(archived().verify(&[word]).expect(3).says(&[what]));
    }
    let told = run(Program::Holdfast, &["verify"]).expect(3);
    drop(told.says(&["--store <URL>", "--signers <FILE>"]));
}

#[test]
fn verify_ends_with_4_where_somebody_put_something_beside() {
    let site = archived();
    fs::write(site.path("store/entries/left-by-somebody"), "x").unwrap();
    drop(
        site.verify(&[])
            .expect(4)
            .says(&["FOREIGN_OBJECT", "INTERFERENCE"]),
    );
}

#[test]
fn verify_takes_store_and_signers_from_variables() {
    let site = archived();
    let mut command = site.holdfast_command();
    command.arg("verify").env("HOLDFAST_STORE", site.store());
    command.env("HOLDFAST_SIGNERS", site.path("signers"));
    drop(site.start(command, "verify").finish().expect(0));
}

#[test]
fn explain_ends_with_0_for_every_code() {
    let list = run(Program::Holdfast, &["explain"]).expect(0).stdout;
    assert_eq!(list.lines().count(), Code::ALL.len());
    for code in Code::ALL {
        let told = run(Program::Holdfast, &["explain", code.as_str()]).expect(0);
        drop(told.says(&[code.as_str(), "How grave", "What to do", "By hand"]));
    }
    let json = run(
        Program::Holdfast,
        &["explain", "seq_gap", "--format", "json"],
    )
    .expect(0);
    let page: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(page["code"], "SEQ_GAP");
    assert_eq!(page["grave"][0]["severity"], "critical");
}

#[test]
fn explain_ends_with_3_and_the_nearest_code() {
    let told = run(Program::Holdfast, &["explain", "SEQGAP"]).expect(3);
    drop(told.says(&["did you mean SEQ_GAP?"]));
    drop(
        run(Program::Holdfast, &["explain", "zzz"])
            .expect(3)
            .says(&["lists all"]),
    );
}

#[test]
fn probe_ends_with_3_where_nothing_is_or_the_words_are_wrong() {
    let words = ["probe", "--store", "file:///nonexistent/archive"];
    drop(
        run(Program::Holdfast, &words)
            .expect(3)
            .says(&["does not exist"]),
    );
    let words = ["probe", "--store", "file:///", "--lock", "1h"];
    drop(
        run(Program::Holdfast, &words)
            .expect(3)
            .says(&["from 5s to 60s"]),
    );
}

#[test]
fn bucket_create_ends_with_0_where_all_is_made_or_there() {
    let site = site();
    drop(
        site.bucket_create(&["--retention", "1d"])
            .expect(0)
            .says(&["made the directory"]),
    );
    drop(
        site.bucket_create(&["--retention", "1d"])
            .expect(0)
            .says(&["set up already"]),
    );
}

fn bucket_create(endpoint: &str, store: &str) -> harness::Finished {
    let logs = tempfile::TempDir::new().unwrap();
    let mut command = Program::Holdfast.command();
    grant(&mut command, endpoint, &root());
    command.args(["bucket", "create", "--retention", "1d", "--store", store]);
    harness::Running::start(command, logs.path(), "create").finish()
}

on_every_server! {
    bucket_create_ends_with_1_where_the_server_says_yes_and_does_not,
    bucket_create_ends_with_3_where_it_would_have_to_weaken,
}

fn bucket_create_ends_with_1_where_the_server_says_yes_and_does_not(kind: Kind) {
    let server = Server::shared(kind);
    // The default lock is accepted, and goes nowhere.
    let front = Front::before(&server.endpoint(), |request| {
        if request.method == "PUT" && request.target.contains("object-lock") {
            return harness::front::Answer::Reply(200, Vec::new(), Vec::new());
        }
        harness::front::Answer::Pass
    });
    let told = bucket_create(&front.endpoint(), "s3://exits-not-kept").expect(1);
    drop(told.says(&["said yes but is not set up as asked"]));
}

#[test]
fn bucket_create_ends_with_2_where_nobody_answers() {
    drop(bucket_create("http://127.0.0.1:9", "s3://exits-unreachable").expect(2));
}

fn bucket_create_ends_with_3_where_it_would_have_to_weaken(kind: Kind) {
    let server = Server::shared(kind);
    server.bucket("exits-no-lock").create(false);
    let told = bucket_create(&server.endpoint(), "s3://exits-no-lock").expect(3);
    drop(told.says(&["exists without Object Lock"]));
    let words = ["bucket", "create", "--store", "s3://b", "--retention", "1h"];
    drop(
        run(Program::Holdfast, &words)
            .expect(3)
            .says(&["whole days or years"]),
    );
}

#[test]
fn demo_ends_with_2_where_no_folder_can_be_made() {
    let logs = tempfile::TempDir::new().unwrap();
    let mut command = Program::Holdfast.command();
    command.arg("demo").env("TMPDIR", "/nonexistent/folder");
    let told = harness::Running::start(command, logs.path(), "demo").finish();
    drop(told.expect(2).says(&["/nonexistent/folder"]));
}

#[test]
fn demo_ends_with_3_on_words_it_does_not_know() {
    drop(run(Program::Holdfast, &["demo", "--fast"]).expect(3));
}

#[test]
fn the_demo_minds_no_variables() {
    let logs = tempfile::TempDir::new().unwrap();
    let mut command = Program::Holdfast.command();
    command.arg("demo").env("TMPDIR", logs.path());
    command
        .env("HOLDFAST_SPOOL", "/nonexistent")
        .env("HOLDFAST_STORE", "s3://nowhere");
    drop(
        harness::Running::start(command, logs.path(), "demo")
            .finish()
            .expect(0),
    );
}
