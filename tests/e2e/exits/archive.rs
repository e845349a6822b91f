//! `holdfast archive`, `--check` and `status`.

use super::{site, site_with_store};
use harness::rights::{bind_by_modes, copy_program};
use harness::site::files_below;
use harness::{Site, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

#[test]
fn once_ends_with_0_when_all_is_in_the_store() {
    let site = site_with_store();
    drop(site.archive(&["--once"]).expect(0));
    assert!(site.unreceipted().is_empty());
    // With a store that it already is in, there is nothing to do.
    drop(site.archive(&["--once"]).expect(0));
}

#[test]
fn once_ends_with_1_on_rot() {
    let site = site_with_store();
    let mut bodies = files_below(&site.path("spool/sealed"));
    bodies.retain(|path| path.ends_with("body"));
    let mut bytes = fs::read(&bodies[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&bodies[0], bytes).unwrap();
    drop(site.archive(&["--once"]).expect(1).says(&["bad"]));
    // From now on it says so before a start, too.
    drop(
        site.archive(&["--check"])
            .expect(2)
            .says(&["FAULT stream all: held at"]),
    );
}

#[test]
fn ends_with_3_where_the_store_cannot_keep_evidence() {
    drop(
        site()
            .archive(&[])
            .expect(3)
            .says(&["holdfast bucket create --store file://"]),
    );
}

#[test]
fn variables_override_the_file_and_unknown_ones_are_warned_of() {
    let site = site_with_store();
    let elsewhere = format!("file://{}", site.path("elsewhere").display());
    let with = |variables: &[(&str, &str)]| {
        let mut command = site.holdfast_command();
        command.args(["archive", "--check"]);
        command.env("HOLDFAST_CONFIG", site.path("archiver.toml"));
        command.envs(variables.iter().copied());
        site.start(command, "check").finish()
    };
    drop(with(&[]).expect(0));
    let told = with(&[("HOLDFAST_STORE", &elsewhere)]).expect(2);
    drop(told.says(&["elsewhere does not exist"]));
    let told = with(&[("HOLDFAST_RETRY_HELD", "soon")]).expect(3);
    drop(told.says(&["variable HOLDFAST_RETRY_HELD: \"soon\" where a duration"]));
    let told = with(&[
        ("HOLDFAST_STOER", "x"),
        ("HOLDFAST_SERVICE_HOST", "10.0.0.1"),
    ])
    .expect(0);
    drop(told.says(&["HOLDFAST_STOER is unknown, did you mean HOLDFAST_STORE?"]));
}

/// Every file below a folder, with its bytes and the time it was changed.
fn picture(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let of = |path: PathBuf| {
        let changed = path.metadata().unwrap().modified().unwrap();
        (path.clone(), (fs::read(path).unwrap(), changed))
    };
    files_below(folder).into_iter().map(of).collect()
}

#[test]
fn check_ends_with_0_and_changes_nothing() {
    let site = site_with_store();
    // A mark without its batch: archiving would remove it, a check must not.
    let sealed = site.sealed().remove(0);
    let place = sealed
        .parent()
        .unwrap()
        .strip_prefix(site.path("spool/sealed"))
        .unwrap();
    let orphan = site
        .path("spool/receipts")
        .join(place)
        .with_file_name(format!("{:020}.bad", 9));
    fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    fs::write(&orphan, "{}").unwrap();
    let before = picture(&site.path("."));
    let told = site.archive(&["--check"]).expect(0);
    let stored = format!("{} bytes", stored_bytes(&site.path("spool/sealed")));
    drop(told.says(&[
        "archiver.toml",
        ": 1 stream\n",
        "stream all: ",
        &stored,
        "store file://",
        "clock",
    ]));
    let outside = |path: &PathBuf| !path.starts_with(site.path("out"));
    let mut after = picture(&site.path("."));
    after.retain(|path, _| outside(path));
    let mut before = before;
    before.retain(|path, _| outside(path));
    assert_eq!(before, after);
}

/// Bytes of all manifests and bodies.
fn stored_bytes(sealed: &Path) -> u64 {
    let mut files = files_below(sealed);
    files.retain(|path| path.ends_with("manifest") || path.ends_with("body"));
    files
        .iter()
        .map(|path| path.metadata().unwrap().len())
        .sum()
}

#[test]
fn check_ends_with_2_and_names_what_stands_in_the_way() {
    let site = site();
    let told = site.archive(&["--check"]).expect(2);
    drop(told.says(&[
        "FAULT",
        "store does not exist",
        "holdfast bucket create --store file://",
    ]));
    // Somebody outside of the spool's group.
    let mut command = copy_program(&site.archive_command(&["--check"]), &site.path("holdfast"));
    bind_by_modes(&mut command);
    if harness::rights::is_root() {
        let told = site.start(command, "check").finish().expect(2);
        drop(told.says(&["FAULT", "spool", "which this user may read"]));
    }
    fs::remove_dir_all(site.path("spool")).unwrap();
    let told = site.archive(&["--check"]).expect(2);
    drop(told.says(&["spool/sealed", "holdfast-agent init", "does not exist"]));
}

#[test]
fn check_ends_with_3_on_faulty_settings() {
    let site = site();
    fs::write(site.path("archiver.toml"), "spol = \"/s\"\n").unwrap();
    let told = site.archive(&["--check"]).expect(3);
    drop(told.says(&[
        "archiver.toml:1: spol",
        "did you mean \"spool\"",
        "store: needed",
    ]));
    drop(site.archive(&["--check", "--once"]).expect(3));
    drop(site.archive(&["--check", "status"]).expect(3));
}

/// What `status --format json` says, whatever its exit code; null before an archiver has run.
fn status_json(site: &Site) -> Value {
    let told = site.archive(&["status", "--format", "json"]);
    serde_json::from_str(&told.stdout).unwrap_or_default()
}

/// The codes of the reasons, gravest first.
fn codes(status: &Value) -> Vec<&str> {
    let reasons = status["reasons"].as_array().into_iter().flatten();
    reasons
        .map(|reason| reason["code"].as_str().unwrap())
        .collect()
}

/// A command for a store that nobody serves.
fn to_nowhere(mut command: Command) -> Command {
    command
        .env("HOLDFAST_STORE", "s3://nowhere/prod")
        .env("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        .env("AWS_ACCESS_KEY_ID", "a")
        .env("AWS_SECRET_ACCESS_KEY", "b");
    command
}

#[test]
fn once_ends_with_2_after_its_timeout_without_a_receipt_and_says_what_waits() {
    let site = site_with_store();
    let command = site.archive_command(&["--once", "--timeout", "2s"]);
    let told = site.start(to_nowhere(command), "archive").finish();
    let waiting = site.unreceipted().len();
    let said = format!("stream all: {waiting} batches waiting");
    drop(told.expect(2).says(&[&said, "outage"]));
    let left = status_json(&site);
    assert_eq!(codes(&left), ["outage", "not_running"]);
    assert_eq!(left["streams"]["all"]["backlog"], waiting);
    drop(site.archive(&["--timeout", "2s"]).expect(3));
}

/// shared/cases 12: while nothing got through, status said that nothing waits.
#[test]
fn status_counts_what_waits_while_nothing_gets_through() {
    let site = site_with_store();
    let command = to_nowhere(site.archive_command(&[]));
    let archiver = site.start(command, "archive");
    for number in 0..3 {
        fs::write(site.log(&format!("more-{number}.log")), "a line\n").unwrap();
        drop(site.agent(&["drain"]).expect(0));
        let waiting = site.unreceipted().len();
        wait_for("the status to count them", || {
            let status = status_json(&site);
            (status["streams"]["all"]["backlog"] == waiting).then_some(())
        });
    }
    assert!(status_json(&site)["streams"]["all"]["oldest"].is_string());
    drop(archiver);
}

#[test]
fn status_ends_with_2_once_a_stopped_process_has_not_written_for_15_s() {
    let site = site_with_store();
    let mut archiver = site.start(site.archive_command(&[]), "archive");
    let is = |health: &str, code: &str| {
        wait_for(code, || {
            let status = status_json(&site);
            let told = status["health"] == health && status["running"] == true;
            (told && (code.is_empty() || codes(&status) == [code])).then_some(())
        });
    };
    is("healthy", "");
    archiver.signal(Signal::STOP);
    is("unhealthy", "stale");
    drop(site.archive(&["status"]).expect(2).says(&["stale"]));
    archiver.signal(Signal::CONT);
    is("healthy", "");
    archiver.signal(Signal::TERM);
    drop(archiver.finish().expect(0));
}

/// An upload that was under way met the end of the runtime, and that panic aborted the process.
#[test]
fn a_signal_in_the_middle_of_an_upload_ends_with_0() {
    let site = site_with_store();
    for number in 0..30 {
        fs::write(site.log(&format!("{number}.log")), "a line\n").unwrap();
        drop(site.agent(&["drain"]).expect(0));
        let mut archiver = site.start(site.archive_command(&["-vv"]), "archive");
        archiver.wait_for_log("step=\"put.");
        archiver.signal(Signal::TERM);
        drop(archiver.finish().expect(0));
    }
    drop(site.archive(&["--once"]).expect(0));
    drop(site.verify_clean());
}

#[test]
fn status_is_written_though_nothing_changes() {
    let site = site_with_store();
    let archiver = site.start(site.archive_command(&[]), "archive");
    let written = || {
        let status = status_json(&site);
        let healthy = status["health"] == "healthy";
        healthy.then(|| status["written"].as_str().unwrap().to_owned())
    };
    let first = wait_for("a healthy status", written);
    wait_for("the next one", || written().filter(|next| *next != first));
    wait_for("one more", || {
        let status = status_json(&site);
        assert_eq!(status["health"], "healthy");
        (status["written"] != first.as_str()).then_some(())
    });
    drop(archiver);
}

/// The rows of docs/operations.md, "The archiver's health", that the spool can bring about; and their ends.
#[test]
fn every_fault_of_the_spool_has_its_status() {
    let site = site_with_store();
    site.write_archiver_config("poll = \"50ms\"\nretry_held = \"1s\"");
    let archiver = site.start(site.archive_command(&[]), "archive");
    let is = |what: &str, expected: &[&str]| {
        wait_for(&format!("{what}: {expected:?}"), || {
            let status = status_json(&site);
            let of_spool = codes(&status)
                .into_iter()
                .filter(|code| *code != "starting");
            let mut told: Vec<_> = of_spool.collect();
            told.dedup();
            (!status.is_null() && told == expected).then_some(())
        });
    };
    let seal = |name: &str| {
        fs::write(site.log(name), format!("a line of {name}\n")).unwrap();
        drop(site.agent(&["drain"]).expect(0));
    };
    is("the beginning", &[]);
    let drained = || wait_for("uploads", || site.unreceipted().is_empty().then_some(()));
    drained();
    let away = site.path("away");
    for folder in ["spool/sealed", "spool/sealed/all"] {
        // What stands in a folder's place can neither be entered nor listed, by root either.
        let folder = site.path(folder);
        fs::rename(&folder, &away).unwrap();
        fs::write(&folder, "").unwrap();
        is("while it lasts", &["spool_unreadable"]);
        assert_eq!(site.archive(&["status"]).code, Some(2));
        fs::remove_file(&folder).unwrap();
        fs::rename(&away, &folder).unwrap();
        is("once it is over", &[]);
    }
    drop(archiver);

    // A batch that is gone, and one that is rot, while no archiver runs.
    seal("b.log");
    let mut waiting = site.unreceipted();
    waiting.sort();
    assert!(waiting.len() > 1, "{waiting:?}");
    let batch = waiting[0].parent().unwrap();
    fs::rename(batch, &away).unwrap();
    let archiver = site.start(site.archive_command(&[]), "archive");
    is("a batch is gone", &["missing_batch"]);
    fs::rename(&away, batch).unwrap();
    drained();
    is("it is back", &[]);
    drop(archiver);
    seal("c.log");
    let mut waiting = site.unreceipted();
    waiting.sort();
    fs::write(&waiting[0], "no manifest").unwrap();
    let archiver = site.start(site.archive_command(&[]), "archive");
    is("a batch is rot", &["bad"]);
    drop(archiver);
}

#[test]
fn status_repeats_until_nobody_reads_it() {
    let site = site_with_store();
    let archiver = site.start(site.archive_command(&[]), "archive");
    wait_for("a healthy status", || {
        (status_json(&site)["health"] == "healthy").then_some(())
    });
    let mut command = site.archive_command(&["status", "--watch", "--format", "json"]);
    let mut watching = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let status: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(status["running"], true);
    }
    drop(lines);
    assert_eq!(watching.wait().unwrap().code(), Some(0));
    drop(archiver);
}

#[test]
fn status_ends_with_0_while_a_healthy_archiver_runs_and_2_after_it() {
    let site = site_with_store();
    drop(
        site.archive(&["status"])
            .expect(2)
            .says(&["no archiver has run"]),
    );
    let asked = site.archive(&["status", "--format", "json"]).expect(2);
    let none: Value = serde_json::from_str(&asked.stdout).unwrap();
    assert_eq!(none["reasons"][0]["code"], "no_status");
    let mut archiver = site.start(site.archive_command(&[]), "archive");
    wait_for("the archiver to drain", || {
        site.unreceipted().is_empty().then_some(())
    });
    let healthy = wait_for("the status to tell of it", || {
        let status = status_json(&site);
        let drained = status["streams"]["all"]["backlog"] == 0;
        (drained && status["health"] == "healthy").then_some(status)
    });
    assert_eq!(healthy["running"], true);
    assert_eq!(healthy["v"], 2);
    assert_eq!(healthy["program"], "holdfast archive");
    assert_eq!(healthy["reasons"], Value::from(Vec::<Value>::new()));
    assert_eq!(healthy["streams"]["all"]["backlog"], 0);
    drop(
        site.archive(&["status"])
            .expect(0)
            .says(&["stream all: 0 batches waiting"]),
    );
    // A look at the lock must never keep an archiver from starting.
    assert!(archiver.is_alive());
    archiver.signal(Signal::TERM);
    drop(archiver.finish().expect(0));
    drop(site.archive(&["status"]).expect(2).says(&["not_running"]));
}

#[test]
fn status_ends_with_2_while_an_archiver_holds_everything() {
    let site = site();
    let outage = "store = \"s3://nowhere/prod\"";
    let spool = format!("spool = \"{}\"\n", site.path("spool").display());
    fs::write(site.path("archiver.toml"), spool + outage).unwrap();
    let mut command = site.archive_command(&[]);
    // Nobody listens there; so the store is waited for before a single batch is read.
    command
        .env("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        .env("AWS_ACCESS_KEY_ID", "a")
        .env("AWS_SECRET_ACCESS_KEY", "b");
    let mut archiver = site.start(command, "archive");
    archiver.wait_for_log("uploads are paused");
    wait_for("the status to tell of it", || {
        let told = site.archive(&["status"]).expect(2);
        let is_told = told.stdout.contains("PAUSED") && told.stdout.contains("127.0.0.1:9");
        is_told.then_some(())
    });
    assert!(archiver.is_alive());
}

#[test]
fn status_tells_of_this_start_and_not_of_what_an_earlier_run_left() {
    let site = site_with_store();
    drop(site.archive(&["--once"]).expect(0));
    let left = site.archive(&["status"]).expect(2);
    assert_eq!(left.stdout.matches("ERROR").count(), 1, "{left:?}");

    // Somebody listens there and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let mut command = site.archive_command(&[]);
    command
        .env("HOLDFAST_STORE", "s3://silent/prod")
        .env("AWS_ENDPOINT_URL_S3", endpoint)
        .env("AWS_ACCESS_KEY_ID", "a")
        .env("AWS_SECRET_ACCESS_KEY", "b");
    let archiver = site.start(command, "archive");
    // It has the lock a moment before it can say so; so what was left may be read once more.
    let told = wait_for("the status to tell of the start", || {
        let told = site.archive(&["status"]);
        told.stdout.contains("s3://silent/prod").then_some(told)
    });
    drop(told.expect(2).says(&["PAUSED: starting"]));
    drop(archiver);

    // A start that is refused leaves why.
    fs::remove_dir_all(site.path("store")).unwrap();
    drop(site.archive(&[]).expect(3));
    drop(site.archive(&["status"]).expect(2).says(&[
        "not_running",
        "store_unfit",
        "store does not exist",
        "holdfast bucket create --store file://",
    ]));
}

#[test]
fn status_ends_with_2_on_a_file_that_is_none() {
    let site = site_with_store();
    drop(site.archive(&["--once"]).expect(0));
    let file = site.path("spool/receipts/.status.json");
    fs::write(&file, b"{\"v\":1,\"healthy\":true}").unwrap();
    drop(site.archive(&["status"]).expect(2).says(&[".status.json"]));
    fs::write(&file, vec![b'['; 5 << 20]).unwrap();
    drop(site.archive(&["status"]).expect(2).says(&["longer than"]));
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &file).unwrap();
    drop(site.archive(&["status"]).expect(2));
}

#[test]
fn status_ends_with_3_on_faulty_settings() {
    let site = site();
    fs::write(site.path("archiver.toml"), "").unwrap();
    drop(site.archive(&["status"]).expect(3).says(&["spool: needed"]));
}
