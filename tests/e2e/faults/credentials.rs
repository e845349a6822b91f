//! Credentials that end while the archiver runs: revoked, or of a session that expires. New ones in the same file
//! come into force without a restart.

use super::error;
use harness::front::{Answer, Change, Request};
use harness::world::check_locks;
use harness::{Front, Kind, Server, Site, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

const STREAMS: &str = r#"
[seal]
age = "100ms"
[[stream]]
name = "all"
include = ["{logs}/*"]
retention = "1d"
"#;

/// A kind of credential that ends.
struct Ending {
    name: &'static str,
    /// What of a request tells which one it was signed with.
    told_by: fn(&Request) -> Option<String>,
    /// What an ended one gets.
    refusal: fn() -> Answer,
    /// The credentials file with the one called so.
    file: fn(&str) -> String,
}

fn key_of(request: &Request) -> Option<String> {
    let (_, rest) = request.header("authorization")?.split_once("Credential=")?;
    Some(rest.split('/').next()?.to_owned())
}

fn token_of(request: &Request) -> Option<String> {
    request.header("x-amz-security-token").map(str::to_owned)
}

#[test]
fn keys_are_revoked_and_rotated_while_the_archiver_runs() {
    end_and_renew(&Ending {
        name: "keys",
        told_by: key_of,
        refusal: || error(403, "InvalidAccessKeyId", &[]),
        file: |name| format!("[default]\naws_access_key_id = {name}\naws_secret_access_key = s\n"),
    });
}

#[test]
fn session_tokens_expire_while_the_archiver_runs() {
    end_and_renew(&Ending {
        name: "tokens",
        told_by: token_of,
        refusal: || error(400, "ExpiredToken", &[]),
        file: |name| {
            format!(
                "[default]\naws_access_key_id = k\naws_secret_access_key = s\naws_session_token = {name}\n"
            )
        },
    });
}

/// Writes the credentials file by renaming, as tools that rotate them do.
fn write(path: &Path, text: &str) {
    fs::write(path.with_extension("new"), text).unwrap();
    fs::rename(path.with_extension("new"), path).unwrap();
}

fn end_and_renew(ending: &Ending) {
    let valid = Arc::new(Mutex::new("one".to_owned()));
    let server = Server::shared(Kind::Minio);
    let front = {
        let (valid, told_by, refusal) = (Arc::clone(&valid), ending.told_by, ending.refusal);
        Front::before(&server.endpoint(), move |request| {
            if told_by(request).as_ref() == Some(&*valid.lock().unwrap()) {
                Answer::PassAs(Change::default())
            } else {
                refusal()
            }
        })
    };
    let bucket = server.locked_bucket(&format!("ending-{}", ending.name));
    let site = Site::at(&front.endpoint(), &bucket.url("prod"), STREAMS);
    site.write_archiver_config("poll = \"50ms\"\nretry_held = \"1s\"");
    site.init();
    let credentials = site.path("credentials");
    write(&credentials, &(ending.file)("one"));
    let mut command = site.archive_command(&[]);
    command
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_SHARED_CREDENTIALS_FILE", &credentials);
    let seal = |name: &str| {
        fs::write(site.log(name), format!("a line of {name}\n")).unwrap();
        drop(site.agent(&["drain"]).expect(0));
    };
    let is = |health: &str, code: Option<&str>| {
        wait_for(&format!("{health} {code:?}"), || {
            let told = site.archive(&["status", "--format", "json"]);
            let status: Value = serde_json::from_str(&told.stdout).ok()?;
            let first = status["reasons"][0]["code"].as_str().map(str::to_owned);
            (status["health"] == health && first.as_deref() == code).then_some(())
        });
    };
    seal("before.log");
    let mut archiver = site.start(command, "archive");
    wait_for("uploads", || site.unreceipted().is_empty().then_some(()));
    is("healthy", None);

    "two".clone_into(&mut valid.lock().unwrap());
    seal("during.log");
    is("unhealthy", Some("denied"));
    assert!(!site.unreceipted().is_empty() && archiver.is_alive());
    write(&credentials, &(ending.file)("two"));
    wait_for("uploads with the new one", || {
        site.unreceipted().is_empty().then_some(())
    });
    is("healthy", None);
    archiver.signal(Signal::TERM);
    drop(archiver.finish().expect(0));
    assert_eq!(check_locks(&bucket, "prod/", 1), 0);
    let direct = Site::on(&server, &bucket.url("prod"), STREAMS);
    fs::copy(site.path("signers"), direct.path("signers")).unwrap();
    drop(direct.verify_clean());
}
