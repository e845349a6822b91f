//! Judges drafted archives with the library, on a disk of their own, and says briefly what was found.

use super::draft::{Object, Objects};
use auditor::report::AuditReport;
use auditor::{AuditOptions, Progress, verify};
use bytes::Bytes;
use ledger::finding::{Code, Severity};
use ledger::name::Name;
use ledger::signature::signers::{AllowedSigners, line_for};
use ledger::{Digest, Moment};
use ssh_key::PrivateKey;
use std::path::Path;
use std::sync::Arc;
use store::{DirectoryStore, Put, Store};
use tempfile::TempDir;

/// A signers file that pins `key` for `agents`.
pub(super) fn signers(key: &PrivateKey, agents: &[&str]) -> AllowedSigners {
    AllowedSigners::parse(&signers_text(key, agents)).unwrap()
}

pub(super) fn signers_text(key: &PrivateKey, agents: &[&str]) -> String {
    let line = |agent: &&str| {
        let agent: Name = agent.parse().unwrap();
        line_for(&agent, key.public_key()).unwrap() + "\n"
    };
    agents.iter().map(line).collect()
}

/// A directory with objects in it and nothing else: what a copy looks like.
pub(super) fn copy_of(objects: &Objects) -> TempDir {
    let folder = TempDir::with_prefix("holdfast-verify-").unwrap();
    for (key, Object { bytes, .. }) in objects {
        write(folder.path(), key, bytes);
    }
    folder
}

pub(super) fn write(folder: &Path, key: &str, bytes: &[u8]) {
    let path = folder.join(key);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

pub(super) fn store_at(folder: &Path) -> DirectoryStore {
    let url = format!("file://{}", folder.display());
    // Small pages, so that every list has several.
    DirectoryStore::new(folder.into(), &url, Some(7))
}

/// Puts objects as the archiver would: bodies first, each locked for its retention.
pub(super) async fn put_all(store: &impl Store, objects: &Objects) {
    let bodies_first = |key: &&String| !key.starts_with("entries/");
    let mut keys: Vec<_> = objects.keys().collect();
    keys.sort_by_key(bodies_first);
    let now = store.now().await.unwrap();
    for key in keys {
        put(
            store,
            key,
            &objects[key],
            now.plus_s(objects[key].retention_s + 3600),
        )
        .await;
    }
}

pub(super) async fn put(store: &impl Store, key: &str, object: &Object, until: Moment) -> String {
    let put = Put {
        key,
        bytes: Bytes::from(object.bytes.clone()),
        sha256: Digest::of(&object.bytes),
        retain_until: until,
        if_absent: false,
    };
    store.put(put).await.unwrap().version_id
}

/// Runs `judge` on a runtime of its own.
pub(super) fn wait<T>(judge: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(judge)
}

/// Judges a store as of `now`.
pub(super) async fn judge<S: Store + 'static>(
    store: S,
    signers: AllowedSigners,
    options: AuditOptions,
    now: Moment,
) -> AuditReport {
    let progress = Arc::new(Progress::default());
    verify(Arc::new(store), Arc::new(signers), options, now, progress).await
}

/// Judges objects as a copy, by key 1 pinned for web-01.
pub(super) fn judge_copy(objects: &Objects) -> AuditReport {
    judge_copy_by(objects, signers(&super::draft::key(1), &["web-01"]))
}

pub(super) fn judge_copy_by(objects: &Objects, signers: AllowedSigners) -> AuditReport {
    let folder = copy_of(objects);
    let store = store_at(folder.path());
    let options = AuditOptions {
        copy: true,
        ..AuditOptions::new(2)
    };
    wait(judge(store, signers, options, Moment::from_micros(0)))
}

/// The findings in brief, gravest first.
pub(super) fn brief(report: &AuditReport) -> Vec<(Code, Severity)> {
    let brief = |finding: &ledger::finding::Finding| (finding.code, finding.severity);
    report.findings.iter().map(brief).collect()
}

/// Demands one finding and its exit code.
#[track_caller]
pub(super) fn assert_found(report: &AuditReport, code: Code, severity: Severity) {
    assert_all(report, &[(code, severity)]);
}

/// Demands exactly these findings, in any order, and the exit code that goes with the gravest.
#[track_caller]
pub(super) fn assert_all(report: &AuditReport, expected: &[(Code, Severity)]) {
    let mut got = brief(report);
    let mut expected = expected.to_vec();
    got.sort_unstable();
    expected.sort_unstable();
    assert_eq!(got, expected, "{:#?}", report.findings);
    let exit_code = match expected.iter().map(|(_, severity)| *severity).min() {
        Some(Severity::Critical) => 1,
        Some(Severity::Inconclusive) => 2,
        Some(Severity::Interference) => 4,
        Some(Severity::Note) | None => 0,
    };
    assert_eq!(report.exit_code, exit_code);
}
