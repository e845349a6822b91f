//! What `holdfast-agent status` says of an agent in which, or beside which, something is wrong: a row each of the
//! table in docs/operations.md. Rows that time alone makes are shown in `agent/src/agent/agent_tests.rs`.

use harness::oracle::ask;
use harness::rights::{
    bind_by_modes, copy_program, enter_mounts, hand_over, take_back, with_mounts,
};
use harness::{Running, Site, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

/// One stream over all logs. Nothing is sealed unless there is something to seal: what notices a fault does not do so
/// by sealing.
const STREAMS: &str = r#"
poll = "50ms"
heartbeat = "24h"
[seal]
age = "100ms"
[[stream]]
name = "all"
include = ["{logs}/*"]
retention = "1d"
"#;

fn site(streams: &str) -> Site {
    let site = Site::new("file:///unused", "");
    site.write_agent_config("", streams);
    site.init();
    site
}

/// Waits until the status has this exit code and, if it is told, such a reason; that status.
fn wait_for_status(site: &Site, code: i32, reason: Option<&str>) -> Value {
    let what = format!("status to end with {code} and say {reason:?}");
    wait_for(&what, || {
        let told = site.agent(&["status", "--format", "json"]);
        if told.code != Some(code) {
            return None;
        }
        let status: Value = serde_json::from_str(&told.stdout).ok()?;
        let is_told = reason.is_none_or(|reason| has(&status, reason));
        is_told.then_some(status)
    })
}

fn has(status: &Value, code: &str) -> bool {
    reasons(status).iter().any(|reason| reason["code"] == code)
}

fn reasons(status: &Value) -> &Vec<Value> {
    status["reasons"].as_array().expect("a list of reasons")
}

fn run(site: &Site) -> Running {
    site.start(site.agent_command(&["run"]), "run")
}

fn stop(mut agent: Running) {
    assert!(agent.is_alive(), "the agent ended by itself");
    agent.signal(Signal::TERM);
    drop(agent.finish().expect(0));
}

#[test]
fn the_status_is_the_contract_and_is_written_though_nothing_changes() {
    let site = site(STREAMS);
    let agent = run(&site);
    // Nothing is sealed or read from here on: a pattern without a file is worth a note.
    let first = wait_for_status(&site, 0, Some("no_match"));
    assert_eq!(
        (&first["v"], &first["program"]),
        (&2.into(), &"holdfast-agent".into())
    );
    assert_eq!(
        (&first["health"], &first["running"]),
        (&"healthy".into(), &true.into())
    );
    let mut last = first["written"].clone();
    for _ in 0..2 {
        last = wait_for("a newer status", || {
            let written = wait_for_status(&site, 0, None)["written"].clone();
            (written != last).then_some(written)
        });
    }
    stop(agent);
    let ended = wait_for_status(&site, 2, Some("not_running"));
    assert_eq!(
        (&ended["health"], &ended["running"]),
        (&"unhealthy".into(), &false.into())
    );
}

#[test]
fn a_watched_status_is_told_again_until_nobody_reads_it() {
    let site = site(STREAMS);
    let agent = run(&site);
    drop(wait_for_status(&site, 0, None));
    let mut watch = site.agent_command(&["status", "--format", "json", "--watch"]);
    let mut watching = watch.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let told = std::io::BufReader::new(watching.stdout.take().unwrap());
    let mut lines = std::io::BufRead::lines(told);
    for _ in 0..2 {
        let line = lines.next().unwrap().unwrap();
        let status: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(status["health"], "healthy");
    }
    drop(lines);
    let ended = wait_for("the watch to end", || watching.try_wait().unwrap());
    assert_eq!(ended.code(), Some(0));
    stop(agent);
}

#[test]
fn a_process_that_was_stopped_is_unhealthy_until_it_runs_again() {
    let site = site(STREAMS);
    let mut agent = run(&site);
    drop(wait_for_status(&site, 0, None));
    agent.signal(Signal::STOP);
    let stale = wait_for_status(&site, 2, Some("stale"));
    assert_eq!(stale["running"], true);
    agent.signal(Signal::CONT);
    drop(wait_for_status(&site, 0, None));
    stop(agent);
}

/// The agent's command, as somebody whom file modes bind.
fn as_nobody(site: &Site, args: &[&str]) -> Command {
    let program = site.path("holdfast-agent-copy");
    let mut command = copy_program(&site.agent_command(args), &program);
    bind_by_modes(&mut command);
    command
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// An agent that may not read `closed`, and may later.
fn unreadable_until_opened(streams: &str, closed: &str) {
    let site = site(streams);
    fs::create_dir(site.log("below")).unwrap();
    fs::write(site.log("below/a.log"), "line\n").unwrap();
    fs::write(site.log("b.log"), "line\n").unwrap();
    let closed = site.log(closed);
    let was = fs::metadata(&closed).unwrap().permissions().mode();
    set_mode(&closed, 0o000);
    hand_over(&site.path("spool"));
    hand_over(&site.path("state"));
    let agent = site.start(as_nobody(&site, &["run"]), "run");
    let status = wait_for_status(&site, 2, Some("unreadable"));
    let reason = &reasons(&status)[0];
    assert_eq!(reason["path"], closed.display().to_string());
    assert_eq!(reason["stream"], "all");
    set_mode(&closed, was);
    let healthy = wait_for_status(&site, 0, None);
    assert_eq!(healthy["health"], "healthy");
    stop(agent);
}

#[test]
fn a_file_that_may_not_be_read_is_unhealthy() {
    unreadable_until_opened(STREAMS, "b.log");
}

#[test]
fn a_folder_that_may_not_be_listed_is_unhealthy() {
    unreadable_until_opened(&STREAMS.replace("{logs}/*", "{logs}/**"), "below");
}

#[test]
fn what_is_passed_over_by_design_is_a_note_and_healthy() {
    let site = site(STREAMS);
    fs::write(site.log("a.log"), "line\n").unwrap();
    symlink("a.log", site.log("link.log")).unwrap();
    fs::write(site.log("a.log.1.xz"), b"\xfd7zXZ\0whatever").unwrap();
    let made = Command::new("mkfifo").arg(site.log("pipe.log")).status();
    assert!(made.unwrap().success());
    let agent = run(&site);
    let status = wait_for_status(&site, 0, Some("passed_over"));
    assert_eq!(status["health"], "healthy");
    let mut passed: Vec<&str> = reasons(&status)
        .iter()
        .map(|reason| {
            assert_eq!(
                (&reason["code"], &reason["severity"]),
                (&"passed_over".into(), &"note".into())
            );
            reason["path"].as_str().unwrap().rsplit('/').next().unwrap()
        })
        .collect();
    passed.sort_unstable();
    assert_eq!(passed, ["a.log.1.xz", "link.log", "pipe.log"]);
    stop(agent);
    drop(site.agent(&["check"]).expect(0));
}

#[test]
fn a_pattern_that_was_meant_otherwise_is_a_warning_that_says_what_to_write() {
    for (pattern, written) in [
        ("app", "app/*"),
        ("app [prod]/*.log", "app [[]prod[]]/*.log"),
    ] {
        let site = site(&STREAMS.replace("{logs}/*", &format!("{{logs}}/{pattern}")));
        for folder in ["app", "app [prod]"] {
            fs::create_dir(site.log(folder)).unwrap();
            fs::write(site.log(folder).join("a.log"), "line\n").unwrap();
        }
        let written = format!("write {}", site.log(written).display());
        let agent = run(&site);
        let status = wait_for_status(&site, 0, Some("pattern"));
        assert_eq!(status["health"], "degraded");
        let reason = &reasons(&status)[0];
        assert_eq!(reason["severity"], "warning");
        assert!(
            reason["detail"].as_str().unwrap().contains(&written),
            "{reason}"
        );
        stop(agent);
        drop(
            site.agent(&["check"])
                .expect(0)
                .says(&["WARNING", &written]),
        );
    }
}

/// An agent before whose eyes `folder` becomes one that cannot be written, and is its own again.
fn read_only(folder: &str, reason: &str) {
    let site = site(STREAMS);
    let folder = site.path(folder).display().to_string();
    let mut agent = site.start(with_mounts(&site.agent_command(&["run"]), ""), "run");
    drop(wait_for_status(&site, 0, None));
    let mount = ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", &folder];
    enter_mounts(agent.pid(), &mount);
    drop(wait_for_status(&site, 2, Some(reason)));
    assert!(agent.is_alive());
    enter_mounts(agent.pid(), &["umount", &folder]);
    drop(wait_for_status(&site, 0, None));
    stop(agent);
}

#[test]
fn a_spool_that_turned_read_only_is_unhealthy_before_anything_is_sealed() {
    read_only("spool/tmp", "spool_unwritable");
}

#[test]
fn a_state_that_turned_read_only_is_unhealthy() {
    read_only("state", "stale");
}

#[test]
fn a_spool_that_was_moved_away_is_unwritable_and_not_full() {
    let site = site(STREAMS);
    let agent = run(&site);
    drop(wait_for_status(&site, 0, None));
    let (spool, away) = (site.path("spool"), site.path("away"));
    fs::rename(&spool, &away).unwrap();
    let told = wait_for_status(&site, 2, Some("spool_unwritable"));
    assert!(!has(&told, "spool_full"), "{told}");
    fs::rename(&away, &spool).unwrap();
    drop(wait_for_status(&site, 0, None));
    stop(agent);
}

#[test]
fn check_names_a_spool_or_a_state_that_nobody_can_write() {
    let site = site(STREAMS);
    for folder in ["spool", "state"] {
        let folder = site.path(folder).display().to_string();
        let mounts = format!("mount --bind {folder} {folder}\nmount -o remount,ro,bind {folder}");
        let check = with_mounts(&site.agent_command(&["check"]), &mounts);
        let told = site.start(check, "check").finish().expect(2);
        drop(told.says(&[&folder, "Read-only file system"]));
    }
    drop(site.agent(&["check"]).expect(0));
}

/// That another name cannot be read says nothing of a log whose inode no name has: what is packed of it is read on.
#[test]
fn a_packed_log_is_read_on_while_another_name_cannot_be_read() {
    let store = tempfile::tempdir().unwrap();
    let site = Site::new(&format!("file://{}", store.path().display()), STREAMS);
    site.init();
    hand_over(&site.path("spool"));
    hand_over(&site.path("state"));
    take_back(&site.path("spool/receipts"));
    let drain = |code| {
        let drained = site.start(as_nobody(&site, &["drain"]), "drain").finish();
        drop(drained.expect(code));
    };
    let log = site.log("app.log");
    let lines = |tag: &str, to: u32| -> String {
        (0..to)
            .map(|n| format!("{tag} line {n} of a log\n"))
            .collect()
    };
    let (half, old) = (lines("old", 100), lines("old", 120));
    let (next, newest) = (lines("next", 50), lines("newest", 90));
    fs::write(&log, half).unwrap();
    drain(0);
    // Rotated to where it cannot be read.
    let rotated = site.log("app.log.1");
    fs::write(&log, &old).unwrap();
    fs::rename(&log, &rotated).unwrap();
    set_mode(&rotated, 0o000);
    fs::write(&log, &next).unwrap();
    drain(2);
    // Packed, and another copied to where it cannot be read, and cut.
    assert!(
        Command::new("gzip")
            .arg(&rotated)
            .status()
            .unwrap()
            .success()
    );
    set_mode(&site.log("app.log.1.gz"), 0o644);
    fs::copy(&log, site.log("app.log.2")).unwrap();
    set_mode(&site.log("app.log.2"), 0o000);
    fs::write(&log, &newest).unwrap();
    for _ in 0..3 {
        drain(2);
    }
    set_mode(&site.log("app.log.2"), 0o644);
    drain(0);
    drop(site.archive(&["--once"]).expect(0));
    let lives = [old, next, newest].map(String::into_bytes);
    let told = ask(store.path(), &lives, &["--no-gaps"]);
    assert_eq!(told.code, Some(0), "{told:?}");
}

/// A disk that does not give the state: neither it nor a sealed batch is taken for lost.
#[test]
fn a_start_that_cannot_read_what_is_there_ends_with_2_and_begins_no_epoch() {
    let site = site(STREAMS);
    fs::write(site.log("a.log"), "line\n").unwrap();
    drop(site.agent(&["drain"]).expect(0));
    let epochs = || fs::read_dir(site.path("spool/sealed/all")).unwrap().count();
    assert_eq!(epochs(), 1);
    let snapshots = format!("{}/cursors.*", site.path("state").display());
    let manifests = format!("{}/sealed/all/*/*/manifest", site.path("spool").display());
    for files in [snapshots, manifests] {
        // What stands there then is no file that anybody may read from its beginning.
        let script = format!("for file in {files}; do mount --bind /proc/1/mem $file; done");
        let drain = with_mounts(&site.agent_command(&["drain"]), &script);
        drop(site.start(drain, "drain").finish().expect(2));
        assert_eq!(epochs(), 1, "{files}");
    }
    drop(site.agent(&["drain"]).expect(0));
    assert_eq!(epochs(), 1);
}
