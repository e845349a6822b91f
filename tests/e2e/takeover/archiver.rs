//! What the archiver's account can do to the agent: it writes receipts and marks, which the agent reads.

use super::STREAMS;
use harness::Site;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// A site with sealed batches, and the first one's place below `receipts/`, without an ending.
fn sealed() -> (Site, PathBuf) {
    let site = Site::new("file:///unused", STREAMS);
    site.init();
    fs::write(site.log("a.log"), "one\n").unwrap();
    drop(site.agent(&["drain"]).expect(0));
    let batches = harness::site::files_below(&site.path("spool/sealed"));
    let manifests = batches.iter().filter(|path| path.ends_with("manifest"));
    let manifest = manifests.min();
    let batch = manifest.and_then(|path| path.parent()).unwrap();
    let place = batch.strip_prefix(site.path("spool/sealed")).unwrap();
    let receipts = site.path("spool/receipts").join(place);
    fs::create_dir_all(receipts.parent().unwrap()).unwrap();
    (site, receipts)
}

fn is_harmless(text: &str) -> bool {
    let forged = |line: &str| line.starts_with("2026-01-01");
    !text.contains(['\u{1b}', '\u{202e}', '\r']) && !text.lines().any(forged)
}

#[test]
fn escapes_and_forged_lines_in_a_mark_reach_neither_log_nor_terminal() {
    let (site, place) = sealed();
    let hostile =
        "\u{1b}[2J\u{202e}\r\n2026-01-01T00:00:00Z INFO FORGED".to_owned() + &"x".repeat(500_000);
    let bad =
        json!({"reason": "retention", "detail": hostile, "at": "2026-01-01T00:00:00.000000Z"});
    fs::write(named(&place, "bad"), bad.to_string()).unwrap();
    let mut is_quoted = false;
    for args in [
        &["drain"][..],
        &["status"],
        &["status", "--format", "json"],
        &["drain", "--log-format", "json"],
    ] {
        let told = site.agent(args);
        is_quoted |= told.stderr.contains("FORGED");
        for text in [&told.stdout, &told.stderr] {
            assert!(is_harmless(text), "{args:?}: {text}");
            assert!(text.len() < 20_000, "{args:?}: {} bytes", text.len());
        }
    }
    assert!(is_quoted, "what it says is told");
}

/// A note of the archiver's about the batch whose place is `place`.
fn named(place: &Path, ending: &str) -> PathBuf {
    PathBuf::from(format!("{}.{ending}", place.display()))
}

#[test]
fn escapes_in_a_status_reach_no_terminal() {
    let (site, _) = sealed();
    let forged = json!({"v": 2, "program": "x", "health": "\u{1b}[2J\n2026-01-01 FORGED"});
    fs::write(site.path("spool/receipts/.status.json"), forged.to_string()).unwrap();
    let told = site.archive(&["status"]).expect(2);
    assert!(is_harmless(&told.stderr), "{}", told.stderr);
    let _: Value =
        serde_json::from_str(&site.archive(&["status", "--format", "json"]).stdout).unwrap();
}
