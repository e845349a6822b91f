//! What the archiver refuses is answered by the agent itself, and so is the loss of spool or state; the auditor is told
//! the story: nothing is lost, what is there twice says so, and nobody is accused.

use harness::site::files_below;
use harness::world::Archive;
use harness::{Running, Site, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

const STREAMS: &str = r#"
poll = "50ms"
[seal]
age = "100ms"
[[stream]]
name = "all"
include = ["{logs}/*"]
retention = "1d"
"#;

fn site(streams: &str) -> Site {
    let site = Site::new("file:///unused", "");
    site.write_agent_config("max_retention = \"20y\"", streams);
    fs::create_dir(site.path("out/store")).unwrap();
    let store = format!("file://{}", site.path("out/store").display());
    let site = site.with_store(&store);
    site.init();
    site
}

fn write(site: &Site, log: &str, line: &str) {
    let mut file = fs::File::options()
        .create(true)
        .append(true)
        .open(site.log(log))
        .unwrap();
    writeln!(file, "{line}").unwrap();
}

fn drain(site: &Site) {
    drop(site.agent(&["drain"]).expect(0));
}

fn archive(site: &Site, code: i32) {
    drop(site.archive(&["--once"]).expect(code));
}

/// What verify finds, by code and severity, on an archive that is all right. What the agent stated is among it.
fn story(site: &Site) -> Vec<(String, String)> {
    let told = site.verify(&["--format", "json"]).expect(0);
    let report: Value = serde_json::from_str(&told.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap().iter();
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let told = findings.map(|finding| (text(finding, "code"), text(finding, "severity")));
    let told: Vec<_> = told.collect();
    assert!(
        told.iter().all(|(_, severity)| severity == "note"),
        "{told:?}"
    );
    let manifests = Archive::manifests_of(&site.path("out/store"));
    let events = manifests
        .iter()
        .flat_map(|it| it["events"].as_array().unwrap());
    let stated: BTreeSet<&str> = events.filter_map(|event| event["kind"].as_str()).collect();
    for (code, kinds) in [
        (
            "NEW_EPOCH",
            &["state_lost", "rollback", "rot", "retention"][..],
        ),
        ("AMBIGUOUS", &["ambiguous"]),
        ("GAP", &["gap"]),
    ] {
        let is_stated = kinds.iter().any(|kind| stated.contains(kind));
        assert_eq!(tells(&told, code), is_stated, "{code}: {told:?}");
    }
    told
}

fn tells(story: &[(String, String)], code: &str) -> bool {
    story.iter().any(|(told, _)| told == code)
}

/// The archive gives back these files and no more.
fn must_hold(site: &Site, files: &[&str]) -> Archive {
    let archive = Archive::read(&site.path("out/store"));
    let expected: Vec<Vec<u8>> = files.iter().map(|file| file.as_bytes().to_vec()).collect();
    archive.must_hold(&expected);
    archive
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(copied.unwrap().success());
}

/// Sets spool and state back to what [`keep`] kept.
fn set_back(site: &Site) {
    for folder in ["spool", "state"] {
        fs::remove_dir_all(site.path(folder)).unwrap();
        copy(&site.path("out/kept").join(folder), &site.path(folder));
    }
}

fn keep(site: &Site) {
    fs::create_dir(site.path("out/kept")).unwrap();
    for folder in ["spool", "state"] {
        copy(&site.path(folder), &site.path("out/kept").join(folder));
    }
}

fn stop(mut program: Running) {
    assert!(program.is_alive(), "{} ended by itself", program.label());
    program.signal(Signal::TERM);
    drop(program.finish().expect(0));
}

#[test]
fn a_retention_that_was_a_typo_wedges_nothing_once_it_is_corrected() {
    let typo = STREAMS.replace("\"1d\"", "\"20y\"");
    let site = site(&typo);
    site.write_archiver_config("poll = \"50ms\"\nretry_held = \"1s\"");
    write(&site, "a.log", "one");
    drain(&site);
    archive(&site, 1);
    // Rotated away since: only the spool has the line.
    fs::remove_file(site.log("a.log")).unwrap();
    site.write_agent_config("", STREAMS);
    let mut archiver = site.start(site.archive_command(&[]), "archive");
    let agent = site.start(site.agent_command(&["run"]), "run");
    write(&site, "b.log", "two");
    wait_for("all batches to be archived", || {
        let sealed = files_below(&site.path("spool/sealed"));
        let lines = files_below(&site.path("out/store/entries")).len();
        (lines >= 2 && !sealed.is_empty() && site.unreceipted().is_empty()).then_some(())
    });
    stop(agent);
    assert!(archiver.kill(), "it ended by itself");
    archive(&site, 0);
    let archive = must_hold(&site, &["one\n", "two\n"]);
    assert_eq!(archive.events("retention"), 1);
    assert!(!tells(&story(&site), "VOID"), "nothing of it was stored");
}

fn bodies(site: &Site) -> Vec<std::path::PathBuf> {
    let mut bodies = files_below(&site.path("spool/sealed"));
    bodies.retain(|path| path.ends_with("body"));
    bodies.sort();
    bodies
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// A batch rots between two that do not; then the log is there to be read again, or `gone`.
fn rot(gone: bool) -> Site {
    let site = site(STREAMS);
    for line in ["one", "two", "three"] {
        write(&site, "a.log", line);
        drain(&site);
    }
    flip(&bodies(&site)[1]);
    archive(&site, 1);
    if gone {
        fs::remove_file(site.log("a.log")).unwrap();
    }
    // It answers, and continues after it.
    write(&site, "b.log", "four");
    drain(&site);
    archive(&site, 0);
    site
}

#[test]
fn a_batch_that_rots_in_the_spool_is_read_again() {
    let site = rot(false);
    let archive = must_hold(&site, &["one\ntwo\nthree\n", "four\n"]);
    assert_eq!((archive.events("rot"), archive.events("gap")), (1, 0));
    story(&site);
}

#[test]
fn a_batch_that_rots_after_its_log_is_gone_is_a_gap_and_the_rest_is_kept() {
    let site = rot(true);
    assert!(tells(&story(&site), "GAP"));
    let manifests = Archive::manifests_of(&site.path("out/store"));
    let events = manifests
        .iter()
        .flat_map(|it| it["events"].as_array().unwrap());
    let gaps: Vec<_> = events.filter(|event| event["reason"] == "rot").collect();
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!((&gaps[0]["from"], &gaps[0]["to"]), (&4.into(), &8.into()));
}

#[test]
fn spool_and_state_that_were_set_back_together_continue_beside_what_is_stored() {
    let site = site(STREAMS);
    write(&site, "a.log", "one");
    drain(&site);
    archive(&site, 0);
    keep(&site);
    write(&site, "a.log", "two");
    drain(&site);
    archive(&site, 0);
    set_back(&site);
    write(&site, "a.log", "three");
    drain(&site);
    archive(&site, 1);
    write(&site, "a.log", "four");
    drain(&site);
    archive(&site, 0);
    let archive = must_hold(&site, &["one\ntwo\nthree\nfour\n"]);
    assert_eq!(archive.events("rollback"), 1);
    assert!(tells(&story(&site), "VOID"));
    // It is settled: the next run continues in the same epoch.
    write(&site, "a.log", "five");
    drain(&site);
    drop(site.archive(&["--once"]).expect(0));
    must_hold(&site, &["one\ntwo\nthree\nfour\nfive\n"]);
    story(&site);
}

#[test]
fn spool_and_state_that_were_set_back_to_before_the_first_batch_make_no_second_root() {
    let site = site(STREAMS);
    keep(&site);
    write(&site, "a.log", "one");
    drain(&site);
    archive(&site, 0);
    set_back(&site);
    write(&site, "a.log", "two");
    drain(&site);
    archive(&site, 1);
    drain(&site);
    // What is void stands in the way until both snapshots know the answer.
    wait_for("the answer to be archived", || {
        drain(&site);
        (site.archive(&["--once"]).code == Some(0)).then_some(())
    });
    must_hold(&site, &["one\ntwo\n"]);
    let story = story(&site);
    assert!(
        tells(&story, "VOID") && !tells(&story, "LOOSE_EPOCH"),
        "{story:?}"
    );
}

/// Every line that the archive holds, sorted.
fn all_lines(site: &Site) -> Vec<String> {
    let archive = Archive::read(&site.path("out/store"));
    let files = archive.files.iter();
    let mut lines: Vec<String> = files
        .flat_map(|file| {
            String::from_utf8(file.bytes.clone())
                .unwrap()
                .lines()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn a_spool_that_is_lost_before_it_was_archived_is_sealed_again_from_the_logs() {
    let site = site(STREAMS);
    write(&site, "a.log", "one");
    drain(&site);
    archive(&site, 0);
    // The snapshot that knows of the receipt.
    drain(&site);
    write(&site, "a.log", "two");
    write(&site, "b.log", "three");
    drain(&site);
    fs::remove_dir_all(site.path("spool")).unwrap();
    drop(site.agent(&["init"]).expect(0));
    write(&site, "b.log", "four");
    drain(&site);
    archive(&site, 0);
    assert_eq!(all_lines(&site), ["four", "one", "one", "three", "two"]);
    let archive = Archive::read(&site.path("out/store"));
    assert_eq!(
        (archive.events("state_lost"), archive.events("ambiguous")),
        (1, 2)
    );
    story(&site);
}

#[test]
fn a_spool_older_than_the_state_is_archived_and_the_rest_is_read_again() {
    let site = site(STREAMS);
    write(&site, "a.log", "one");
    drain(&site);
    fs::create_dir(site.path("out/kept")).unwrap();
    copy(&site.path("spool"), &site.path("out/kept/spool"));
    write(&site, "a.log", "two");
    write(&site, "b.log", "three");
    drain(&site);
    fs::remove_dir_all(site.path("spool")).unwrap();
    copy(&site.path("out/kept/spool"), &site.path("spool"));
    drain(&site);
    drop(site.archive(&["--once"]).expect(0));
    must_hold(&site, &["one\ntwo\n", "three\n"]);
    story(&site);
}

#[test]
fn a_state_that_is_lost_says_what_may_be_there_twice() {
    let site = site(STREAMS);
    write(&site, "a.log", "one");
    write(&site, "b.log", "two");
    drain(&site);
    archive(&site, 0);
    for file in fs::read_dir(site.path("state")).unwrap() {
        let file = file.unwrap();
        if file.file_name().to_str().unwrap().starts_with("cursors.") {
            fs::remove_file(file.path()).unwrap();
        }
    }
    // And what came before the newest batch was deleted long ago.
    let mut batches = files_below(&site.path("spool/sealed"));
    batches.retain(|path| path.ends_with("manifest"));
    batches.sort();
    for manifest in &batches[..batches.len() - 1] {
        fs::remove_dir_all(manifest.parent().unwrap()).unwrap();
    }
    write(&site, "b.log", "three");
    drain(&site);
    drop(site.archive(&["--once"]).expect(0));
    assert_eq!(all_lines(&site), ["one", "one", "three", "two", "two"]);
    let archive = Archive::read(&site.path("out/store"));
    assert_eq!(
        (archive.events("state_lost"), archive.events("ambiguous")),
        (1, 2)
    );
    story(&site);
}
