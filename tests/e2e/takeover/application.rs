//! What the application can do to the agent that reads its logs.

use harness::traced::{injected, was_injected};
use harness::world::Archive;
use harness::{Running, Site, wait_for};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::process::Signal;
use serde_json::Value;
use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The application owns `app`, the parent of the pattern's fixed part.
const STREAMS: &str = r#"
poll = "50ms"
[seal]
age = "100ms"
[[stream]]
name = "app"
include = ["{logs}/app/logs/**"]
retention = "1d"
"#;

fn site(store: &TempDir) -> Site {
    let site = Site::new(&format!("file://{}", store.path().display()), STREAMS);
    site.init();
    fs::create_dir_all(folder(&site)).unwrap();
    let app = folder(&site).parent().unwrap().to_owned();
    fs::set_permissions(app, Permissions::from_mode(0o777)).unwrap();
    site
}

/// The pattern's fixed part.
fn folder(site: &Site) -> PathBuf {
    site.log("app/logs")
}

fn append(path: &Path, text: &str) {
    let mut options = OpenOptions::new();
    let mut file = options.append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

fn swap(one: &Path, other: &Path) {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
}

/// The paths of unreadable things that the status tells of.
fn unreadable(site: &Site) -> Vec<(String, String)> {
    let told = site.agent(&["status", "--format", "json"]);
    let status: Value = serde_json::from_str(&told.stdout).unwrap();
    let reasons = status["reasons"].as_array().unwrap().iter();
    let unreadable = reasons.filter(|reason| reason["code"] == "unreadable");
    let text = |reason: &Value, key: &str| reason[key].as_str().unwrap().to_owned();
    unreadable
        .map(|reason| (text(reason, "path"), text(reason, "detail")))
        .collect()
}

fn wait_until_archived(site: &Site, store: &TempDir, expected: &str) {
    wait_for("the lines to be archived", || {
        drop(site.archive(&["--once"]));
        let archive = Archive::read(store.path());
        archive
            .files
            .iter()
            .any(|file| file.bytes == expected.as_bytes())
            .then_some(())
    });
}

fn stop(mut agent: Running) {
    agent.signal(Signal::TERM);
    drop(agent.finish().expect(0));
}

#[test]
fn a_log_folder_swapped_for_a_link_is_refused() {
    let store = TempDir::new().unwrap();
    let site = site(&store);
    append(&folder(&site).join("a.log"), "one\n");
    let agent = site.start(site.agent_command(&["run"]), "run");
    wait_until_archived(&site, &store, "one\n");
    let aside = site.log("app/aside");
    for secret in ["state", "spool", "spool/sealed", "out/secret"] {
        let secret = site.path(secret);
        fs::create_dir_all(&secret).unwrap();
        append(&secret.join("file"), "a secret line\n");
        symlink(&secret, &aside).unwrap();
        swap(&folder(&site), &aside);
        let expected = folder(&site).display().to_string();
        let detail = wait_for("the link to be told", || {
            let mut told = unreadable(&site).into_iter();
            told.find_map(|(path, detail)| (path == expected).then_some(detail))
        });
        assert!(detail.contains("symbolic link"), "{detail}");
        drop(
            site.agent(&["check"])
                .expect(2)
                .says(&["symbolic link in a folder that others"]),
        );
        swap(&folder(&site), &aside);
        fs::remove_file(&aside).unwrap();
        fs::remove_file(secret.join("file")).unwrap();
        wait_for("the folder to be read", || {
            unreadable(&site).is_empty().then_some(())
        });
    }
    append(&folder(&site).join("a.log"), "two\n");
    wait_until_archived(&site, &store, "one\ntwo\n");
    stop(agent);
    drop(site.archive(&["--once"]).expect(0));
    let archive = Archive::read(store.path());
    archive.must_hold(&[b"one\ntwo\n".to_vec()]);
    assert_eq!(archive.events("gap"), 0);
}

#[test]
fn a_folder_swapped_for_a_fifo_hangs_nothing() {
    let store = TempDir::new().unwrap();
    let site = site(&store);
    let (below, fifo) = (folder(&site).join("below"), site.log("app/fifo"));
    fs::create_dir(&below).unwrap();
    append(&below.join("a.log"), "one\n");
    let made = Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let agent = site.start(site.agent_command(&["run"]), "run");
    wait_until_archived(&site, &store, "one\n");
    // Wherever a scan stands: the folder changes as well, so that it is listed each time.
    for n in 0..2000 {
        append(&folder(&site).join("b.log"), &format!("{n}\n"));
        swap(&below, &fifo);
    }
    append(&below.join("a.log"), "two\n");
    wait_until_archived(&site, &store, "one\ntwo\n");
    stop(agent);
}

#[test]
fn without_openat2_no_link_is_followed_either() {
    for errno in ["ENOSYS", "EPERM"] {
        let store = TempDir::new().unwrap();
        let site = site(&store);
        append(&folder(&site).join("below.log"), "one\n");
        let real = folder(&site).join("real");
        fs::create_dir(&real).unwrap();
        append(&real.join("a.log"), "two\n");
        let trace = site.path("out/trace");
        let drain = site.agent_command(&["drain"]);
        let inject = format!("openat2:error={errno}");
        let output = injected(&drain, &trace, &inject, &[]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(was_injected(&trace));
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(told.matches("openat2 is refused here").count(), 1, "{told}");
        drop(site.archive(&["--once"]).expect(0));
        let archive = Archive::read(store.path());
        archive.must_hold(&[b"one\n".to_vec(), b"two\n".to_vec()]);
    }
}

#[test]
fn a_linked_file_is_refused_where_others_than_its_owner_may_write() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: other owners are needed, so this runs as root alone");
        return;
    }
    let store = TempDir::new().unwrap();
    let site = site(&store);
    // A folder of the application's below one of root's, and those of root's in which others may write too.
    let mut secrets = Vec::new();
    for (name, owner, mode) in [
        ("own", 65_534, 0o755),
        ("group", 0, 0o775),
        ("sticky", 0, 0o1777),
    ] {
        let below = folder(&site).join(name);
        fs::create_dir(&below).unwrap();
        chown(&below, Some(owner), Some(65_534)).unwrap();
        fs::set_permissions(&below, Permissions::from_mode(mode)).unwrap();
        let secret = site.path("out").join(name);
        append(&secret, &format!("a secret line of {name}\n"));
        fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
        fs::hard_link(&secret, below.join("a.log")).unwrap();
        secrets.push(fs::read(&secret).unwrap());
    }
    // The application's own may have as many names as it likes, and so may root's.
    for (path, owner, line) in [("own/own.log", 65_534, "one\n"), ("root.log", 0, "two\n")] {
        let log = folder(&site).join(path);
        append(&log, line);
        chown(&log, Some(owner), Some(owner)).unwrap();
        fs::hard_link(&log, site.path("out").join(line.trim())).unwrap();
    }
    let told = [
        "own/a.log",
        "group/a.log",
        "sticky/a.log",
        "has 2 names",
        "hard_links",
    ];
    drop(site.agent(&["check"]).expect(2).says(&told));
    drop(site.agent(&["drain"]).expect(2).says(&told));
    drop(site.archive(&["--once"]).expect(0));
    let mut held = vec![b"one\n".to_vec(), b"two\n".to_vec()];
    Archive::read(store.path()).must_hold(&held);
    let read = STREAMS.replace("retention", "hard_links = \"read\"\nretention");
    site.write_agent_config("", &read);
    drop(site.agent(&["drain"]).expect(0));
    drop(site.archive(&["--once"]).expect(0));
    held.extend(secrets);
    Archive::read(store.path()).must_hold(&held);
}

#[test]
fn thousands_of_long_names_fill_neither_status_nor_log() {
    let store = TempDir::new().unwrap();
    let site = site(&store);
    // Folders and names as long as the system takes, of characters that are spelled out.
    let part = "\u{1b}".repeat(200);
    let deep: PathBuf = std::iter::repeat_n(part.as_str(), 12).collect();
    let deep = folder(&site).join(deep);
    fs::create_dir_all(&deep).unwrap();
    for n in 0..3500 {
        let name = deep.join(format!("{part}{n}"));
        match n % 2 {
            0 => symlink("nowhere", name).unwrap(),
            _ => append(&name, "x\n"),
        }
    }
    let told = site.agent(&["check"]).expect(0);
    assert!(told.stdout.len() < 1_000_000, "{}", told.stdout.len());
    let agent = site.start(site.agent_command(&["run"]), "run");
    let status = wait_for("the status to tell of the names", || {
        let told = site.agent(&["status", "--format", "json"]);
        let is_told = told.code == Some(0) && told.stdout.contains("passed_over");
        is_told.then_some(told.stdout)
    });
    assert!(status.len() < 2_000_000, "{}", status.len());
    let log = agent.log();
    assert!(log.len() < 200_000, "{}", log.len());
    assert!(log.contains("more files changed than are logged"), "{log}");
    assert!(!log.contains('\u{1b}'));
    stop(agent);
}

/// Stops one thread, as a disk that does not answer would, until the process has ended.
const HOLD_THREAD: &str = r#"
import ctypes, os, sys
SEIZE, INTERRUPT, ALL_THREADS = 0x4206, 0x4207, 0x40000000
ptrace = ctypes.CDLL(None, use_errno=True).ptrace
thread = int(sys.argv[1])
for request in (SEIZE, INTERRUPT):
    if ptrace(request, thread, None, None) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
os.waitpid(thread, ALL_THREADS)
print("held", file=sys.stderr, flush=True)
while os.WIFSTOPPED(os.waitpid(thread, ALL_THREADS)[1]):
    pass
"#;

#[test]
fn an_agent_that_hangs_ends_after_a_signal() {
    let store = TempDir::new().unwrap();
    let site = site(&store);
    let mut agent = site.start(site.agent_command(&["run"]), "run");
    agent.wait_for_log("following");
    let mut hold = Command::new("python3");
    hold.args(["-c", HOLD_THREAD, &agent.pid().to_string()]);
    let mut hold = site.start(hold, "hold");
    hold.wait_for_log("held");
    agent.signal(Signal::TERM);
    drop(agent.finish().expect(2).says(&["still hangs after 10 s"]));
    drop(hold.finish().expect(0));
}
