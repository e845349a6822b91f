//! Attacks by the neighbours: whoever took over an account that shares a log folder, a spool or a bucket with Holdfast.
//! docs/SECURITY.md names the test of each row.

mod agent; // owns the spool, and what stands in the place of `receipts/`
mod application; // writes the logs, and owns the folders they are in
mod archiver; // writes texts that others log and show
mod dumps; // reads the memory of a program that ended or runs
mod environment; // chooses proxy and endpoint
mod receipts; // the archiver's account: receipts and marks of what never was

use std::path::Path;

/// One stream over all logs.
const STREAMS: &str = r#"
[seal]
age = "100ms"
[[stream]]
name = "all"
include = ["{logs}/*"]
retention = "1d"
"#;

/// Scans that are quick.
const POLL: &str = "poll = \"50ms\"";

/// docs/SECURITY.md claims what a test shows: `file.rs` and the test's name behind it.
#[test]
fn each_test_that_the_security_page_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/SECURITY.md")).unwrap();
    let words: Vec<&str> = page.split_whitespace().collect();
    let mut named = 0;
    for pair in words.windows(2) {
        let file = pair[0].trim_matches(|c| c == '`' || c == '(');
        let test = pair[1].trim_matches(|c: char| !c.is_alphanumeric() && c != '_');
        if !file.ends_with(".rs") || !test.contains('_') {
            continue;
        }
        let places = [root.join(file), root.join("tests/e2e").join(file)];
        let text = places
            .iter()
            .find_map(|place| std::fs::read_to_string(place).ok());
        let text = text.unwrap_or_else(|| panic!("{file} is not there"));
        assert!(
            text.contains(&format!("fn {test}(")),
            "{file} has no {test}"
        );
        named += 1;
    }
    assert!(named > 15, "{named} tests are named");
}
