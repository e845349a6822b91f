//! Lines of every shape survive exactly: what bytes a file may hold is not ours to say.

use harness::world::Archive;
use harness::{Rotation, Site, Writer};
use std::fs;
use tempfile::TempDir;

const MIB: usize = 1024 * 1024;

/// One stream over all files.
const STREAMS: &str = r#"
[[stream]]
name = "all"
include = ["{logs}/*"]
retention = "1d"
"#;

/// Files by name; no two hold the same.
fn shapes() -> Vec<(&'static str, Vec<u8>)> {
    let long = |length: usize| {
        b"0123456789abcdef"
            .iter()
            .copied()
            .cycle()
            .take(length)
            .collect()
    };
    let with_lf = |mut bytes: Vec<u8>| {
        bytes.push(b'\n');
        bytes
    };
    // Cut after 1 MiB, the two-byte letter would be split.
    let wide = ["x", &"ä".repeat(MIB)].concat().into_bytes();
    let random: Vec<u8> = {
        let mut dice = harness::Dice::new(3);
        (0..MIB / 8)
            .flat_map(|_| dice.throw().to_le_bytes())
            .collect()
    };
    vec![
        ("crlf", b"one\r\ntwo\r\n\r\nthree\r\n".to_vec()),
        ("lone-cr", b"a\rb\rc\n\r\n\r".to_vec()),
        ("nul", b"before\0after\n\0\n\0\0\0\n".to_vec()),
        (
            "bad-utf8",
            b"\xff\xfe\n\xc3\n\xed\xa0\x80\nok \xe2\x82\n".to_vec(),
        ),
        ("bom", b"\xef\xbb\xbffirst\n\xef\xbb\xbfsecond\n".to_vec()),
        (
            "controls",
            (0..=255).flat_map(|byte: u8| [byte, b'\n']).collect(),
        ),
        (
            "separators",
            "a\u{2028}b\u{2029}c\u{85}d\u{1b}[31m\"\\/\n".into(),
        ),
        ("only-newlines", b"\n\n\n\n".to_vec()),
        ("one-newline", b"\n".to_vec()),
        ("no-last-newline", b"whole\nhalf".to_vec()),
        ("one-byte", b"x".to_vec()),
        ("mib", with_lf(long(MIB))),
        ("mib-and-1", with_lf(long(MIB + 1))),
        ("mib-no-newline", long(MIB)),
        (
            "3-mib",
            [
                b"before\n".to_vec(),
                with_lf(long(3 * MIB)),
                b"after\n".to_vec(),
            ]
            .concat(),
        ),
        ("3-mib-no-newline", long(3 * MIB + 7)),
        ("wide-letters", with_lf(wide)),
        ("random", random),
        ("empty", Vec::new()),
    ]
}

#[test]
fn bytes_of_every_shape_survive() {
    let store = TempDir::new().unwrap();
    let site = Site::new(&format!("file://{}", store.path().display()), STREAMS);
    for (name, bytes) in shapes() {
        fs::write(site.log(name), bytes).unwrap();
    }
    site.init();
    drop(site.agent(&["drain"]).expect(0));
    drop(site.archive(&["--once"]).expect(0));

    let archive = Archive::read(store.path());
    for (name, bytes) in shapes() {
        let path = site.log(name).display().to_string();
        let lives: Vec<_> = archive
            .files
            .iter()
            .filter(|file| file.path == path)
            .collect();
        assert!(
            lives.len() == 1 || bytes.is_empty(),
            "{name}: {} lives",
            lives.len()
        );
        assert!(
            lives.iter().all(|file| file.bytes == bytes),
            "{name} came back changed"
        );
    }
    site.verify_clean();
}

#[test]
fn what_is_appended_to_an_unfinished_line_later_comes_back_as_one_file() {
    let store = TempDir::new().unwrap();
    let site = Site::new(&format!("file://{}", store.path().display()), STREAMS);
    let mut log = Writer::create(&site.log("grows"), Rotation::Rename);
    site.init();
    let parts: [&[u8]; 4] = [b"first\nse", b"cond, in ", b"three parts\n\n", b"last"];
    for part in parts {
        log.write(part);
        drop(site.agent(&["drain"]).expect(0));
    }
    drop(site.archive(&["--once"]).expect(0));
    let archive = Archive::read(store.path());
    archive.must_hold(log.lives());
    assert_eq!(archive.events("gap"), 0);
    site.verify_clean();
}
