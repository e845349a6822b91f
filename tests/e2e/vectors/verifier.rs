//! The vectors as `holdfast verify --copy` reads them.

use super::{json, vectors};
use harness::Program;
use ledger::finding::Code;
use serde_json::Value;
use std::path::Path;

/// The exit code and the report on a copy of the archive.
fn verify(archive: &Path) -> (Option<i32>, Value) {
    let store = format!("file://{}", archive.display());
    let mut command = Program::Holdfast.command();
    command.args([
        "verify",
        "--copy",
        "--format",
        "json",
        "--store",
        &store,
        "--signers",
    ]);
    let output = command
        .arg(vectors().join("allowed_signers"))
        .output()
        .unwrap();
    let report = serde_json::from_slice(&output.stdout);
    let told = String::from_utf8_lossy(&output.stderr);
    let report = report.unwrap_or_else(|error| panic!("{error}: {told}"));
    (output.status.code(), report)
}

fn codes(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| finding["code"].as_str().unwrap())
        .collect()
}

#[test]
fn the_archive_is_clean_and_its_gaps_are_told() {
    let (code, report) = verify(&vectors().join("archive"));
    assert_eq!(code, Some(0), "{report:#}");
    let expected = [Code::NewEpoch, Code::Gap, Code::Gap].map(Code::as_str);
    assert_eq!(codes(&report), expected, "{report:#}");
}

#[test]
fn each_refused_manifest_is_found_in_its_place() {
    let refused = json("refused.json");
    for one in refused["manifests"].as_array().unwrap() {
        let text = |field: &str| one[field].as_str().unwrap();
        let folder = tempfile::tempdir().unwrap();
        copy(&vectors().join("archive"), folder.path());
        let bad = std::fs::read(vectors().join("refused").join(text("file"))).unwrap();
        std::fs::write(folder.path().join(text("key")), bad).unwrap();
        let (exit, code) = match text("by") {
            "signature" | "signers" => (1, Code::SigInvalid),
            "manifest" => (1, Code::ManifestFormat),
            _ => (2, Code::UnknownFormat),
        };
        let (got, report) = verify(folder.path());
        assert_eq!(got, Some(exit), "{one}: {report:#}");
        assert!(codes(&report).contains(&code.as_str()), "{one}: {report:#}");
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.path().is_dir() {
            copy(&item.path(), &target);
        } else {
            std::fs::copy(item.path(), &target).unwrap();
        }
    }
}
