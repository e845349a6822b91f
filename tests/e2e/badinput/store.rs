//! Stores that are not there, not fit, or not open to us; archives and keys that are the wrong ones.

use super::STREAMS;
use harness::account::root;
use harness::{Bucket, Kind, Server, Site, on_every_server, wait_for};
use rustix::process::Signal;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A host with one sealed file, archiving to a bucket that the test makes, or not.
fn site(server: &Server, bucket: &Bucket<'_>) -> Site {
    let site = Site::on(server, &bucket.url("prod"), STREAMS);
    site.write_archiver_config("poll = \"50ms\"\nretry_held = \"1s\"");
    site.init();
    fs::write(site.log("a.log"), "a line\n").unwrap();
    drop(site.agent(&["drain"]).expect(0));
    site
}

/// The archiver refuses before the first upload and names the command that mends it.
fn is_refused(site: &Site, what: &str) {
    let told = site.archive(&["--once"]).expect(3);
    drop(told.says(&[what, "holdfast bucket create --store s3://"]));
    assert!(!site.unreceipted().is_empty());
}

on_every_server! {
    a_missing_bucket_is_refused_with_the_command_that_makes_one,
    a_bucket_without_versioning_is_refused,
    a_bucket_without_object_lock_is_refused,
    the_named_command_makes_a_bucket_that_is_taken,
    wrong_credentials_hold_everything_until_they_are_mended,
    verify_of_nothing_is_never_clean,
    signers_without_the_agent_refuse_its_manifests,
}

fn a_missing_bucket_is_refused_with_the_command_that_makes_one(kind: Kind) {
    let server = Server::shared(kind);
    let bucket = server.bucket("no-such-bucket");
    is_refused(&site(&server, &bucket), "no-such-bucket");
}

fn a_bucket_without_versioning_is_refused(kind: Kind) {
    let server = Server::shared(kind);
    let bucket = server.bucket("no-versioning");
    bucket.create(false);
    // Without versioning there is no Object Lock either, and that is what must be mended.
    is_refused(&site(&server, &bucket), "no Object Lock");
    assert!(bucket.versions("").is_empty());
}

fn a_bucket_without_object_lock_is_refused(kind: Kind) {
    let server = Server::shared(kind);
    let bucket = server.bucket("no-lock");
    bucket.create(false);
    bucket.enable_versioning();
    is_refused(&site(&server, &bucket), "no Object Lock");
    assert!(bucket.versions("").is_empty());
}

fn the_named_command_makes_a_bucket_that_is_taken(kind: Kind) {
    let server = Server::shared(kind);
    let bucket = server.bucket("made-by-command");
    let site = site(&server, &bucket);
    drop(site.bucket_create(&["--retention", "1d"]).expect(0));
    assert!(bucket.has_lock());
    drop(site.archive(&["--once"]).expect(0));
    drop(site.bucket_create(&["--retention", "1d"]).expect(0));
    site.verify_clean();
}

/// Its own server, which it stops.
#[test]
fn an_outage_is_told_by_status_until_it_ends() {
    let server = Server::start(Kind::Minio);
    let bucket = server.locked_bucket("outage");
    let site = site(&server, &bucket);
    let mut archiver = site.start(site.archive_command(&[]), "archive");
    let status_is = |code: i32, words: &str| {
        wait_for("the status to tell of it", || {
            let told = site.archive(&["status"]);
            (told.code == Some(code) && told.stdout.contains(words)).then_some(())
        });
    };
    status_is(0, "stream all: 0 batches waiting");
    server.kill();
    fs::write(site.log("during.log"), "a line\n").unwrap();
    drop(site.agent(&["drain"]).expect(0));
    status_is(2, "ERROR outage");
    server.restart();
    status_is(0, "stream all: 0 batches waiting");
    archiver.signal(Signal::TERM);
    drop(archiver.finish().expect(0));
    site.verify_clean();
}

/// Writes the AWS credentials file that a command is then pointed at.
fn write_credentials(path: &Path, secret: &str) {
    let key = root().key;
    let text = format!("[default]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n");
    // By renaming, as tools that rotate credentials do.
    fs::write(path.with_extension("new"), text).unwrap();
    fs::rename(path.with_extension("new"), path).unwrap();
}

fn by_file(mut command: Command, credentials: &Path) -> Command {
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY");
    command.env("AWS_SHARED_CREDENTIALS_FILE", credentials);
    command
}

fn wrong_credentials_hold_everything_until_they_are_mended(kind: Kind) {
    let server = Server::shared(kind);
    let bucket = server.locked_bucket("credentials");
    let site = site(&server, &bucket);
    let credentials = site.path("credentials");
    write_credentials(&credentials, "not-the-secret");
    let archive = |args: &[&str]| by_file(site.archive_command(args), &credentials);
    let once = site.start(archive(&["--once"]), "archive").finish();
    drop(once.expect(2));
    let status = || site.archive(&["status"]);
    let held = ["PAUSED: ", "403"];
    let left = status().expect(2).says(&["not_running"]);
    drop(left.says(&held));

    let mut archiver = site.start(archive(&[]), "archive");
    archiver.wait_for_log("credentials");
    assert!(archiver.is_alive(), "wrong credentials are waited for");
    let told = status().expect(2).says(&held);
    assert!(!told.stdout.contains("not_running"), "{told:?}");
    assert!(bucket.versions("").is_empty());
    write_credentials(&credentials, &root().secret);
    wait_for("the mended archiver to drain", || {
        site.unreceipted().is_empty().then_some(())
    });
    wait_for("the status to tell of it", || {
        let told = status();
        let drained = told.stdout.contains("stream all: 0 batches waiting");
        (drained && told.code == Some(0)).then_some(())
    });
    archiver.signal(Signal::TERM);
    drop(archiver.finish().expect(0));
    site.verify_clean();
}

fn verify_of_nothing_is_never_clean(kind: Kind) {
    let server = Server::shared(kind);
    let bucket = server.locked_bucket("verify-nothing");
    let site = site(&server, &bucket);
    let nothing = |url: &str, args: &[&str]| {
        drop(site.verify_at(url, args).expect(2).says(&["nothing found"]));
    };
    nothing(&bucket.url("prod"), &[]);
    drop(site.archive(&["--once"]).expect(0));
    site.verify_clean();
    nothing(&bucket.url("prdo"), &[]);
    nothing(&bucket.url("prod"), &["--agent", "web-02"]);
    nothing(&bucket.url("prod"), &["--stream", "none"]);
    drop(
        site.verify_at("s3://no-such-bucket-either/prod", &[])
            .expect(2),
    );
}

fn signers_without_the_agent_refuse_its_manifests(kind: Kind) {
    let server = Server::shared(kind);
    let bucket = server.locked_bucket("verify-signers");
    let site = site(&server, &bucket);
    drop(site.archive(&["--once"]).expect(0));
    let line = fs::read_to_string(site.path("signers")).unwrap();
    fs::write(site.path("signers"), line.replace("web-01", "web-02")).unwrap();
    let told = site.verify(&[]);
    assert_ne!(told.code, Some(0), "{told:?}");
    drop(told.says(&["web-01"]));
    fs::write(site.path("signers"), "").unwrap();
    let told = site.verify(&[]);
    assert!(
        matches!(told.code, Some(2 | 3)),
        "no trusted signers: {told:?}"
    );
}
