//! The vectors as docs/verify-by-hand.md reads them: its commands, word for word, in a shell.

use super::{json, vectors};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

const PAGE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../docs/verify-by-hand.md"
));

/// What the page runs, and the Debian package that brings it.
const TOOLS: [(&str, &str); 8] = [
    ("ssh-keygen", "openssh-client"),
    ("sha256sum", "coreutils"),
    ("basenc", "coreutils"),
    ("base64", "coreutils"),
    ("cmp", "diffutils"),
    ("zcat", "gzip"),
    ("zstd", "zstd"),
    ("jq", "jq"),
];

fn need_tools() {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let there = |tool: &str| std::env::split_paths(&paths).any(|path| path.join(tool).exists());
    for (tool, package) in TOOLS {
        assert!(there(tool), "{tool} is missing: apt-get install {package}");
    }
}

/// The page's commands: the number of the section, and a block of them.
fn blocks() -> Vec<(u32, String)> {
    let mut blocks = Vec::new();
    let (mut section, mut inside) = (0, false);
    for line in PAGE.lines() {
        let heading = line.strip_prefix("## ").and_then(|h| h.split_once('.'));
        match line {
            "```sh" => {
                blocks.push((section, String::new()));
                inside = true;
            }
            "```" => inside = false,
            _ if inside => {
                let (_, block) = blocks.last_mut().unwrap();
                block.push_str(line);
                block.push('\n');
            }
            _ => section = heading.map_or(section, |(number, _)| number.parse().unwrap()),
        }
    }
    assert!(!inside && blocks.len() > 10, "{} blocks", blocks.len());
    blocks
}

/// All commands of a section but its first `skip` blocks.
fn section(number: u32, skip: usize) -> String {
    let of_section = |(section, _): &(u32, String)| *section == number;
    let blocks = blocks().into_iter().filter(of_section).skip(skip);
    blocks.map(|(_, block)| block).collect()
}

/// Runs commands as a careful person would: the first that fails ends it.
fn run(folder: &Path, script: &str) -> Output {
    let mut shell = Command::new("sh");
    shell.args(["-euc", script]).current_dir(folder);
    shell.env("LC_ALL", "C.UTF-8").env("TZ", "Asia/Tokyo");
    shell.output().unwrap()
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!(
        "{}\n{}\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    )
}

/// A folder in which archive/ and allowed_signers are the vectors'.
fn folder() -> tempfile::TempDir {
    need_tools();
    let folder = tempfile::tempdir().unwrap();
    for name in ["archive", "allowed_signers", "refused"] {
        std::os::unix::fs::symlink(vectors().join(name), folder.path().join(name)).unwrap();
    }
    folder
}

#[test]
fn the_page_works_from_top_to_bottom() {
    let folder = folder();
    let script: String = blocks().into_iter().map(|(_, block)| block).collect();
    let output = run(folder.path(), &script);
    assert!(output.status.success(), "{}", told(&output));
    let said = told(&output);
    for words in [
        "Good \"holdfast-manifest\" signature for web-01",
        "heartbeat 2026-11-22T10:01:00.000000Z, next due null",
        "\"reason\":\"unreadable\"",
        "\"reason\":\"truncated\"",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let rebuilt = std::fs::read(folder.path().join("rebuilt")).unwrap();
    assert!(rebuilt == std::fs::read(vectors().join("sources/auth-1")).unwrap());
}

#[test]
fn every_manifest_passes_by_hand() {
    for expected in json("expected.json")["manifests"].as_array().unwrap() {
        let folder = folder();
        let key = expected["key"].as_str().unwrap();
        let mut script = format!("agent=web-01 manifest=archive/{key}\n{}", section(1, 1));
        script += &section(2, 0);
        let body = &expected["body"];
        if !body.is_null() {
            script += &section(3, 0);
            script += &section(4, 0);
            script += "sha256sum entries; sha256sum \"$body\"; cat level\n";
        }
        script += "sha256sum line";
        let output = run(folder.path(), &script);
        let said = told(&output);
        assert!(output.status.success(), "{key}: {said}");
        let mut digests = vec![&expected["sha256"]];
        if !body.is_null() {
            let root = &expected["entries"]["root"];
            digests.extend([&body["raw_sha256"], &body["stored_sha256"], root]);
        }
        for digest in digests {
            assert!(
                said.contains(digest.as_str().unwrap()),
                "{key}: {digest}: {said}"
            );
        }
    }
}

#[test]
fn what_is_signed_wrongly_fails_by_hand() {
    let refused = json("refused.json");
    let by = |one: &Value| one["by"].as_str().unwrap().to_string();
    let blocks = blocks();
    let verify = blocks.iter().filter(|(section, _)| *section == 1).nth(1);
    let (_, verify) = verify.expect("the block with ssh-keygen -Y verify");
    let mut overlooked = Vec::new();
    for one in refused["manifests"].as_array().unwrap() {
        let folder = folder();
        let name = one["file"].as_str().unwrap();
        let prelude = format!("agent=web-01 manifest=refused/{name}\n{verify}");
        let whole = run(folder.path(), &format!("{prelude}{}", section(2, 0)));
        // A line that breaks a rule is as well signed as any: that is for a strict reader to refuse.
        let signed = !["signature", "signers"].contains(&by(one).as_str());
        assert_eq!(whole.status.success(), signed, "{name}: {}", told(&whole));
        if !signed && run(folder.path(), &prelude).status.success() {
            overlooked.push(name);
        }
    }
    println!("ssh-keygen alone accepts {overlooked:?}");
    assert!(overlooked.contains(&"armor-rewrapped.manifest"));
}

#[test]
fn damage_fails_by_hand() {
    // The page's own manifest, in a copy that can be damaged.
    let (manifest, check) = (section(1, 0), [2, 3, 4, 5].map(|n| section(n, 0)).concat());
    let (choose, sign) = manifest.split_at(manifest.find("head -n 1").unwrap());
    let copy = "cp -r archive/ copy; rm archive; mv copy archive; folder=$(dirname \"$manifest\")";
    let body = "\"$(find archive/entries -name '*-00000000000000000002-*' | grep 0101)\"";
    let flipped = format!("printf x | dd of={body} bs=1 seek=40 conv=notrunc status=none");
    let longer = format!("printf x >> {body}");
    for (damage, says) in [
        ("true", "Good"),
        (flipped.as_str(), "did NOT match"),
        (longer.as_str(), "did NOT match"),
        (
            "rm \"$folder\"/*1.manifest",
            "lines/00000000000000000001: No such file",
        ),
        (
            "rm \"$folder\"/*0.manifest",
            "lines/00000000000000000000: No such file",
        ),
        (
            "sed -i 's/0[.]1[.]0/0.1.1/' \"$folder\"/*0.manifest",
            "00000: FAILED",
        ),
        (
            "sed -i 's/0[.]1[.]0/0.1.1/' \"$manifest\"",
            "Could not verify",
        ),
        ("sed -i '$d' \"$manifest\"", "Could not verify"),
        ("cp \"$folder\"/*1.manifest \"$manifest\"", "Good"),
    ] {
        let folder = folder();
        let script = format!("{choose}\n{copy}\n{damage}\n{sign}{check}");
        let output = run(folder.path(), &script);
        let said = told(&output);
        assert_eq!(
            output.status.success(),
            damage == "true",
            "{damage}: {said}"
        );
        assert!(said.contains(says), "{damage}: {said}");
    }
}
