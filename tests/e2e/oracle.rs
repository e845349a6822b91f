//! The oracle itself: it is content with a good archive, and red for a line that is dropped, repeated, or nobody's.

use flate2::Compression;
use flate2::write::GzEncoder;
use harness::oracle::{Oracle, ask};
use harness::site::files_below;
use harness::{Site, unpack};
use ledger::Digest;
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use tempfile::TempDir;

const STREAMS: &str = r#"
[seal]
codec = "gzip"
[[stream]]
name = "all"
include = ["{logs}/*"]
retention = "1d"
"#;

/// Lines of each log.
const LINES: usize = 50;

/// An archive of two logs in `store`; what was written to each.
fn archive(store: &TempDir) -> Vec<Vec<u8>> {
    let site = Site::new(&format!("file://{}", store.path().display()), STREAMS);
    site.init();
    let lives = ["a.log", "b.log"].map(|name| {
        let lines = (0..LINES).map(|n| format!("{name} line {n}\n"));
        let life = lines.collect::<String>().into_bytes();
        fs::write(site.log(name), &life).unwrap();
        life
    });
    drop(site.agent(&["drain"]).expect(0));
    drop(site.archive(&["--once"]).expect(0));
    site.verify_clean();
    lives.to_vec()
}

/// A copy of the archive's only batch with other lines, and with a manifest that says so: as an agent with a fault
/// would make it.
fn with_lines(store: &Path, change: impl FnOnce(&mut Vec<Value>)) -> TempDir {
    let files = files_below(store);
    let (at, mut manifest) = files
        .iter()
        .filter_map(|path| Some((path, manifest(path)?)))
        .find(|(_, manifest)| manifest["entries"]["count"] != 0)
        .unwrap();
    let body = files
        .iter()
        .find(|path| path.to_string_lossy().ends_with(".ndjson.gz"));
    let body = body.unwrap();
    let raw = String::from_utf8(unpack::body(body)).unwrap();
    let lines = raw.lines().map(|line| serde_json::from_str(line).unwrap());
    let mut lines = lines.collect();
    change(&mut lines);
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    for (number, line) in lines.iter_mut().enumerate() {
        line["event.sequence"] = number.into();
        writeln!(packed, "{line}").unwrap();
    }
    let stored = packed.finish().unwrap();
    let sha256 = Digest::of(&stored).to_string();
    let name = body.to_str().unwrap();
    let name = format!(
        "{}-{}.ndjson.gz",
        name.rsplit_once('-').unwrap().0,
        &sha256[..16]
    );
    manifest["stored"]["sha256"] = sha256.into();
    manifest["entries"]["count"] = lines.len().into();
    let copy = TempDir::new().unwrap();
    let put = |path: &Path, bytes: &[u8]| {
        let to = copy.path().join(path.strip_prefix(store).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, bytes).unwrap();
    };
    put(Path::new(&name), &stored);
    put(at, format!("{manifest}\n").as_bytes());
    copy
}

/// A manifest's line, if the file is one.
fn manifest(path: &Path) -> Option<Value> {
    let name = path.to_str()?;
    let bytes = fs::read(path)
        .ok()
        .filter(|_| name.ends_with(".manifest"))?;
    serde_json::from_slice(bytes.split(|byte| *byte == b'\n').next()?).ok()
}

#[track_caller]
fn counts(oracle: &Oracle, code: i32, expected: &[(&str, usize)]) {
    assert_eq!(oracle.code, Some(code), "{oracle:?}");
    for (name, count) in expected {
        assert_eq!(oracle.counts[name], *count, "{name}: {oracle:?}");
    }
}

#[test]
fn the_oracle_is_content_with_what_was_written() {
    let store = TempDir::new().unwrap();
    let lives = archive(&store);
    let all = [("written", 2 * LINES), ("archived", 2 * LINES)];
    counts(&ask(store.path(), &lives, &["--no-gaps"]), 0, &all);
}

#[test]
fn the_oracle_goes_red_for_a_line_that_is_dropped() {
    let store = TempDir::new().unwrap();
    let lives = archive(&store);
    let copy = with_lines(store.path(), |lines| {
        lines.remove(7);
    });
    let oracle = ask(copy.path(), &lives, &[]);
    counts(&oracle, 1, &[("lost", 1), ("twice", 0)]);
}

#[test]
fn the_oracle_goes_red_for_a_line_that_is_repeated() {
    let store = TempDir::new().unwrap();
    let lives = archive(&store);
    let copy = with_lines(store.path(), |lines| {
        lines.insert(7, lines[7].clone());
    });
    let oracle = ask(copy.path(), &lives, &[]);
    counts(&oracle, 1, &[("lost", 0), ("twice", 1)]);
}

#[test]
fn the_oracle_goes_red_for_a_log_that_is_archived_twice() {
    let store = TempDir::new().unwrap();
    let mut lives = archive(&store);
    let twice = lives.pop().unwrap();
    lives[0] = [lives[0].clone(), twice.clone(), twice].concat();
    let oracle = ask(store.path(), &lives, &[]);
    counts(&oracle, 1, &[("lost", LINES), ("twice", 0)]);
    let oracle = ask(store.path(), &lives[..0], &[]);
    counts(&oracle, 1, &[("foreign", 2 * LINES)]);
}
