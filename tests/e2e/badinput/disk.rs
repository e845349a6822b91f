//! Files that cannot be read and spools that cannot be written.

use super::STREAMS;
use harness::rights::{bind_by_modes, copy_program, enter_mounts, hand_over, with_mounts};
use harness::site::files_below;
use harness::{Running, Site, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Long enough for many scans, at 50 ms each. A busy machine makes fewer in it: then less is shown, but nothing
/// fails.
const A_WHILE: Duration = Duration::from_secs(1);

/// The agent's command, as somebody whom file modes bind.
fn as_nobody(site: &Site, args: &[&str]) -> Command {
    let program = site.path(&format!("holdfast-agent-{}", args[0]));
    let mut command = copy_program(&site.agent_command(args), &program);
    bind_by_modes(&mut command);
    command
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Bytes of sources that the batches in a spool cover.
fn covered(spool: &Path) -> u64 {
    let mut manifests = files_below(&spool.join("sealed"));
    manifests.retain(|path| path.ends_with("manifest"));
    let of_one = |path: &PathBuf| -> Option<u64> {
        let bytes = fs::read(path).ok()?;
        let line = bytes.split(|byte| *byte == b'\n').next()?;
        let manifest: Value = serde_json::from_slice(line).ok()?;
        let sources = manifest["sources"].as_array()?.iter();
        sources
            .map(|source| Some(source["to"].as_u64()? - source["from"].as_u64()?))
            .sum()
    };
    manifests.iter().filter_map(of_one).sum()
}

fn wait_until_covered(spool: &Path, bytes: u64) {
    let what = format!("{bytes} bytes to be sealed");
    wait_for(&what, || (covered(spool) == bytes).then_some(()));
}

fn stop(mut agent: Running) {
    assert!(agent.is_alive(), "the agent ended by itself");
    agent.signal(Signal::TERM);
    drop(agent.finish().expect(0));
}

#[test]
fn an_unreadable_file_is_named_and_the_others_are_read() {
    let site = Site::new("file:///unused", STREAMS);
    site.init();
    fs::write(site.log("closed.log"), "not for you\n").unwrap();
    fs::write(site.log("open.log"), "for all\n").unwrap();
    set_mode(&site.log("closed.log"), 0o000);
    hand_over(&site.path("spool"));
    hand_over(&site.path("state"));
    let mut agent = site.start(as_nobody(&site, &["run"]), "run");
    let closed = site.log("closed.log").display().to_string();
    agent.wait_for_log(&closed);
    wait_until_covered(&site.path("spool"), 8);
    wait_for("status to name the file", || {
        let status = site.start(as_nobody(&site, &["status"]), "status").finish();
        status.stdout.contains(&closed).then_some(())
    });
    set_mode(&site.log("closed.log"), 0o644);
    wait_until_covered(&site.path("spool"), 8 + 12);
    stop(agent);
}

/// An agent whose spool is a disk of its own, with `more` (a shell script) done there first, and
/// the way to that spool from outside.
fn agent_with_disk(site: &Site, more: &str) -> (Running, PathBuf) {
    let spool = site.path("spool");
    fs::create_dir(&spool).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=100m,mode=755 tmpfs {0}\n\"$1\" init --config {1}\n{more}",
        spool.display(),
        site.path("agent.toml").display(),
    );
    let mut agent = site.start(with_mounts(&site.agent_command(&["run"]), &script), "run");
    agent.wait_for_log("");
    let seen = PathBuf::from(format!("/proc/{}/root{}", agent.pid(), spool.display()));
    (agent, seen)
}

#[test]
fn a_full_disk_stops_reading_and_an_emptied_one_resumes() {
    let site = Site::new("file:///unused", STREAMS);
    let filler = site.path("spool/filler");
    let fill = format!("cat /dev/zero > {} 2> /dev/null || true", filler.display());
    fs::write(site.log("a.log"), "first\n").unwrap();
    let (mut agent, spool) = agent_with_disk(&site, &fill);
    agent.wait_for_log("full");
    fs::write(site.log("b.log"), "second\n").unwrap();
    std::thread::sleep(A_WHILE);
    assert_eq!(covered(&spool), 0, "nothing can be sealed on a full disk");
    assert!(agent.is_alive());
    fs::remove_file(spool.join("filler")).unwrap();
    wait_until_covered(&spool, 6 + 7);
    stop(agent);
}

#[test]
fn a_read_only_disk_stops_reading_and_a_writable_one_resumes() {
    let site = Site::new("file:///unused", STREAMS);
    fs::write(site.log("a.log"), "first\n").unwrap();
    let (mut agent, spool) = agent_with_disk(&site, "");
    wait_until_covered(&spool, 6);
    let tmp = site.path("spool/tmp").display().to_string();
    enter_mounts(
        agent.pid(),
        &["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", &tmp],
    );
    fs::write(site.log("b.log"), "second\n").unwrap();
    agent.wait_for_log("Read-only file system");
    std::thread::sleep(A_WHILE);
    assert_eq!(
        covered(&spool),
        6,
        "nothing can be sealed on a read-only disk"
    );
    enter_mounts(agent.pid(), &["umount", &tmp]);
    wait_until_covered(&spool, 6 + 7);
    stop(agent);
}
