//! The mode and owner of every file and folder of a spool, a state folder and a directory store, whatever the umask.

use harness::two_users::{AGENT, ARCHIVER, TwoUsers, User};
use harness::wait_for;
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// One stream over all logs.
const STREAMS: &str = r#"
[seal]
age = "100ms"
[[stream]]
name = "all"
include = ["{logs}/*"]
retention = "1d"
"#;

/// Scans that are quick, and batches that go as soon as they may.
const TOP: &str = "poll = \"50ms\"\nspool_keep = \"0s\"";

/// What stands at a path, `*` for any one name: its mode, its owner, its group. The first that fits counts.
const TABLE: &[(&str, u32, u32, u32)] = &[
    ("spool", 0o2750, AGENT, AGENT),
    ("spool/id", 0o640, AGENT, AGENT),
    ("spool/lock", 0o640, AGENT, AGENT),
    ("spool/tmp", 0o2750, AGENT, AGENT),
    ("spool/tmp/*", 0o2750, AGENT, AGENT),
    ("spool/tmp/*/*", 0o640, AGENT, AGENT),
    ("spool/sealed", 0o2750, AGENT, AGENT),
    ("spool/sealed/*", 0o2750, AGENT, AGENT),
    ("spool/sealed/*/*", 0o2750, AGENT, AGENT),
    ("spool/sealed/*/*/*", 0o2750, AGENT, AGENT),
    ("spool/sealed/*/*/*/*", 0o640, AGENT, AGENT),
    ("spool/receipts", 0o2750, ARCHIVER, AGENT),
    ("spool/receipts/.key", 0o640, ARCHIVER, AGENT),
    ("spool/receipts/.lock", 0o640, ARCHIVER, AGENT),
    ("spool/receipts/.status.json", 0o640, ARCHIVER, AGENT),
    ("spool/receipts/*", 0o2750, ARCHIVER, AGENT),
    ("spool/receipts/*/*", 0o2750, ARCHIVER, AGENT),
    ("spool/receipts/*/*/*", 0o640, ARCHIVER, AGENT),
    ("state", 0o700, AGENT, AGENT),
    ("state/key", 0o600, AGENT, AGENT),
    ("state/*", 0o640, AGENT, AGENT),
    ("evidence/store", 0o755, ARCHIVER, ARCHIVER),
    ("evidence/store/.holdfast-tmp", 0o700, ARCHIVER, ARCHIVER),
    ("evidence/store/*", 0o755, ARCHIVER, ARCHIVER),
    ("evidence/store/**/", 0o755, ARCHIVER, ARCHIVER),
    ("evidence/store/**", 0o444, ARCHIVER, ARCHIVER),
];

/// Files and folders that must be there, or the table was held against too little.
const MUST_BE_THERE: [&str; 8] = [
    "spool/id",
    "spool/sealed/all/*/*/manifest",
    "spool/receipts/.key",
    "spool/receipts/.status.json",
    "spool/receipts/all/*/*",
    "state/key",
    "state/status.json",
    "evidence/store/**",
];

/// Whether a pattern of the table is of this path; what ends with `/` is of folders alone.
fn fits(pattern: &str, path: &str, is_folder: bool) -> bool {
    if let Some(top) = pattern.strip_suffix("**/") {
        return is_folder && path.starts_with(top);
    }
    if let Some(top) = pattern.strip_suffix("**") {
        return !is_folder && path.starts_with(top);
    }
    let (pattern, path) = (pattern.split('/'), path.split('/'));
    pattern.clone().count() == path.clone().count()
        && pattern
            .zip(path)
            .all(|(one, other)| one == "*" || one == other)
}

/// Everything at and below a folder.
fn all_below(top: &Path) -> Vec<PathBuf> {
    let mut found = vec![top.to_path_buf()];
    let mut next = 0;
    while let Some(path) = found.get(next).cloned() {
        next += 1;
        if path.is_dir() {
            let entries = fs::read_dir(path).unwrap();
            found.extend(entries.map(|entry| entry.unwrap().path()));
        }
    }
    found
}

/// Lines about what is not as the table has it, or missing.
fn differences(host: &TwoUsers) -> Vec<String> {
    let home = host.site.path("");
    let mut seen = Vec::new();
    let mut wrong = Vec::new();
    for top in ["spool", "state", "evidence/store"] {
        for path in all_below(&host.site.path(top)) {
            let found = path.symlink_metadata().unwrap();
            let name = path
                .strip_prefix(&home)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            let is = (found.mode() & 0o7777, found.uid(), found.gid());
            let row = { TABLE.iter() }.find(|row| fits(row.0, &name, found.is_dir()));
            match row {
                None => wrong.push(format!("{name}: not in the table")),
                Some((_, mode, uid, gid)) if is == (*mode, *uid, *gid) => {}
                Some((_, mode, uid, gid)) => wrong.push(format!(
                    "{name}: {:o} {}:{}, not {mode:o} {uid}:{gid}",
                    is.0, is.1, is.2
                )),
            }
            seen.push((name, found.is_dir()));
        }
    }
    let missing = { MUST_BE_THERE.iter() }.filter(|pattern| {
        !seen
            .iter()
            .any(|(name, is_dir)| fits(pattern, name, *is_dir))
    });
    wrong.extend(missing.map(|pattern| format!("{pattern}: not there")));
    wrong
}

/// A life of both programs in which everything that they write is written at least once.
fn live(umask: &'static str) {
    let Some(host) = TwoUsers::new(umask, TOP, STREAMS) else {
        return;
    };
    let write = |name: &str| fs::write(host.site.log(name), format!("a line of {name}\n")).unwrap();
    write("a.log");
    drop(host.agent(&["drain"]).expect(0));
    let first = host.site.sealed();
    assert!(!first.is_empty());
    drop(host.archive(&["--once"]).expect(0));
    assert!(host.site.unreceipted().is_empty());

    let start = |user, plain| host.site.start(host.command(user, &plain), "run");
    let mut agent = start(User::Agent, host.site.agent_command(&["run"]));
    let mut archiver = start(User::Archiver, host.site.archive_command(&[]));
    write("b.log");
    wait_for("both to be healthy", || {
        let well =
            host.agent(&["status"]).code == Some(0) && host.archive(&["status"]).code == Some(0);
        (well && host.site.sealed().len() > first.len()).then_some(())
    });
    wait_for("a receipt of each", || {
        assert!(agent.is_alive() && archiver.is_alive());
        host.site.unreceipted().is_empty().then_some(())
    });
    assert_eq!(differences(&host), Vec::<String>::new(), "umask {umask}");
    for running in [&mut agent, &mut archiver] {
        running.signal(Signal::TERM);
    }
    drop((agent.finish().expect(0), archiver.finish().expect(0)));

    // What has a receipt is deleted, which the agent can tell only if it may read the receipt.
    wait_for("the first batch to be deleted", || {
        write("c.log");
        drop(host.agent(&["drain"]).expect(0));
        drop(host.archive(&["--once"]).expect(0));
        (!first[0].exists()).then_some(())
    });
    assert_eq!(differences(&host), Vec::<String>::new(), "umask {umask}");
}

/// Under 077 receipts could not be read by the agent, so nothing was ever deleted, and the archiver could not start.
#[test]
fn every_mode_is_as_documented_under_umask_077() {
    live("077");
}

#[test]
fn every_mode_is_as_documented_under_umask_000() {
    live("000");
}
