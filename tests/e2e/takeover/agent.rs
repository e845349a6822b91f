//! What the agent's account can do to the archiver: `spool/` is the agent's, so it may put anything in the place of `receipts/`, at
//! any time. Nothing that the archiver writes, and no mode that it gives, may end elsewhere by that.

use super::{POLL, STREAMS};
use harness::traced::injected;
use harness::two_users::{AGENT, ARCHIVER, TwoUsers, User};
use harness::{Running, wait_for};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

const SECRET: &str = "aws_secret_access_key = not-a-secret\n";

/// So long a traced archiver rests after mkdir, in microseconds, for the swap to come between that and its chmod.
const REST_US: u32 = 1_000_000;

/// A host with one sealed batch.
fn host() -> Option<TwoUsers> {
    let host = TwoUsers::new("022", POLL, STREAMS)?;
    fs::write(host.site.log("a.log"), "a line\n").unwrap();
    drop(host.agent(&["drain"]).expect(0));
    Some(host)
}

/// A shell's script as the agent's user.
fn start_as_agent(host: &TwoUsers, script: &str) -> Running {
    let mut plain = Command::new("sh");
    plain.args(["-ec", script]).env("PATH", "/usr/bin:/bin");
    host.site.start(host.as_user(User::Agent, &plain), "attack")
}

/// A folder of the archiver's, as its home would be.
fn home_of_archiver(host: &TwoUsers) -> PathBuf {
    let home = host.site.path("evidence/home");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(ARCHIVER), Some(ARCHIVER)).unwrap();
    home
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

/// The agent's user puts `target` in the place of `receipts/`, which it keeps aside.
fn swap(host: &TwoUsers, target: &Path) {
    let spool = host.site.path("spool");
    let script = format!(
        "cd {}; mv receipts aside; ln -s {} receipts",
        spool.display(),
        target.display()
    );
    drop(start_as_agent(host, &script).finish().expect(0));
}

/// The archiver's chmod followed a link that was put in the way after its mkdir: a file of mode 0600 became readable.
#[test]
fn a_link_swapped_in_between_mkdir_and_chmod_opens_no_file() {
    let Some(host) = host() else {
        return;
    };
    let credentials = home_of_archiver(&host).join("credentials");
    fs::write(&credentials, SECRET).unwrap();
    fs::set_permissions(&credentials, fs::Permissions::from_mode(0o600)).unwrap();
    chown(&credentials, Some(ARCHIVER), Some(ARCHIVER)).unwrap();
    let attack = host.site.path("attack");
    let script = format!(
        "mkdir {attack}; ln -s {credentials} {attack}/all; cd {spool}\n\
         : > {ready}; until [ -e receipts/all ]; do :; done\n\
         mv receipts aside; ln -s {attack} receipts",
        attack = attack.display(),
        credentials = credentials.display(),
        spool = host.site.path("spool").display(),
        ready = host.site.path("ready").display(),
    );
    let attacker = start_as_agent(&host, &script);
    wait_for("the attacker", || {
        host.site.path("ready").exists().then_some(())
    });

    let receipts = host.receipts();
    let delay = format!("mkdir,mkdirat:delay_exit={REST_US}");
    let plain = host.own_copy(&host.site.archive_command(&["--once"]));
    let trace = host.site.path("evidence/home/trace");
    // By path, and by name in the folder.
    let paths = [receipts.join("all"), receipts.clone()];
    // By root: the archiver's own user must not look into its memory.
    let plain = host.as_user(User::Archiver, &plain);
    let traced = injected(&plain, &trace, &delay, &paths);
    let archiver = host.site.start(traced, "archiver");
    drop(attacker.finish().expect(0));
    // Whether it had its receipt before it saw that its half was replaced is a matter of time, and no matter here.
    drop(archiver.finish());
    let made = fs::read_to_string(&trace).unwrap();
    assert!(made.contains("mkdir"), "the swap was never tried: {made}");

    let found = credentials.metadata().unwrap();
    assert_eq!(format!("{:o}", found.mode() & 0o7777), "600");
    assert_eq!(fs::read_to_string(&credentials).unwrap(), SECRET);
    assert_eq!(count(&attack), 1);
}

/// The lock and the status were written into the folder that a link in the place of `receipts/` named.
#[test]
fn receipts_as_a_link_are_refused_and_named() {
    let Some(host) = host() else {
        return;
    };
    let target = home_of_archiver(&host);
    swap(&host, &target);
    let named = format!("{}: a symbolic link", host.receipts().display());
    drop(
        host.archive(&["--check"])
            .expect(2)
            .says(&["FAULT", &named]),
    );
    drop(host.archive(&["--once"]).expect(3).says(&[&named]));
    assert_eq!(host.archive(&["status"]).code, Some(2));
    assert_eq!(count(&target), 0);
}

#[test]
fn a_swap_while_it_runs_ends_the_archiver_and_nothing_is_written_elsewhere() {
    let Some(host) = host() else {
        return;
    };
    let plain = host.site.archive_command(&[]);
    let mut archiver = host
        .site
        .start(host.command(User::Archiver, &plain), "archiver");
    wait_for("a receipt", || {
        host.site.unreceipted().is_empty().then_some(())
    });
    let target = home_of_archiver(&host);
    swap(&host, &target);
    wait_for("its end, or harm", || {
        (!archiver.is_alive() || count(&target) > 0).then_some(())
    });
    assert_eq!(count(&target), 0);
    let said = "another folder stands here since the archiver started";
    drop(archiver.finish().expect(2).says(&[said]));
}

/// A folder whose owner is the agent, as older versions made it, may get a link in it at any time.
#[test]
fn receipts_of_the_agent_are_refused_with_what_to_do() {
    let Some(host) = host() else {
        return;
    };
    host.give_receipts_to(AGENT);
    let open = fs::Permissions::from_mode(0o2770);
    fs::set_permissions(host.receipts(), open.clone()).unwrap();
    let what_to_do = format!("as root: chown {ARCHIVER} {}", host.receipts().display());
    drop(
        host.archive(&["--check"])
            .expect(2)
            .says(&["FAULT", &what_to_do]),
    );
    drop(host.archive(&["--once"]).expect(3).says(&[&what_to_do]));
    assert_eq!(count(&host.receipts()), 0);

    host.give_receipts_to(ARCHIVER);
    drop(host.archive(&["--check"]).expect(0));
    drop(host.archive(&["--once"]).expect(0));
    assert!(host.site.unreceipted().is_empty());
    // Its group could write there: closed by whom it belongs to.
    let mode = host.receipts().metadata().unwrap().mode();
    assert_eq!(format!("{:o}", mode & 0o7777), "2750");
}
