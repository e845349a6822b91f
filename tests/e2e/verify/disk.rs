//! Locks, silence, expiry and foreign objects, on the embedded store.

use super::draft::{Draft, Object, Objects, key};
use super::judged::{
    assert_all, assert_found, judge, put, put_all, signers, store_at, wait, write,
};
use auditor::AuditOptions;
use auditor::report::AuditReport;
use ledger::Moment;
use ledger::finding::Code;
use ledger::finding::Severity::{Critical, Inconclusive, Interference, Note};
use ledger::manifest::{Event, EventKind};
use std::fs::{self, FileTimes, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};
use store::Store as _;
use tempfile::TempDir;

/// Seconds in which nothing is silent yet, and in which the retention of a day is over.
const SOON_S: u64 = 60;
const LATER_S: u64 = 3600;
const OVER_S: u64 = 2 * 86_400;

/// An archive that was stored just now.
struct Site {
    folder: TempDir,
    draft: Draft,
    now: Moment,
}

impl Site {
    /// Genesis, two batches, and a heartbeat at rest so that no time to come is silence.
    fn at_rest() -> Self {
        let mut draft = drafted();
        draft.rest(Event::new(EventKind::Stop));
        Self::of(draft)
    }

    fn of(draft: Draft) -> Self {
        let folder = TempDir::with_prefix("holdfast-disk-").unwrap();
        let store = store_at(folder.path());
        let now = wait(async {
            put_all(&store, &draft.objects).await;
            store.now().await.unwrap()
        });
        Self { folder, draft, now }
    }

    fn judge(&self, after_s: u64) -> AuditReport {
        self.judge_with(after_s, AuditOptions::new(2))
    }

    fn judge_with(&self, after_s: u64, options: AuditOptions) -> AuditReport {
        let store = store_at(self.folder.path());
        let now = self.now.plus_s(after_s);
        wait(judge(store, signers(&key(1), &["web-01"]), options, now))
    }

    fn path(&self, key: &str) -> std::path::PathBuf {
        self.folder.path().join(key)
    }

    fn remove(&self, key: &str) {
        fs::remove_file(self.path(key)).unwrap();
    }
}

fn drafted() -> Draft {
    let mut draft = Draft::begin(host::clock::now());
    draft.at = host::clock::now();
    draft.batch(3);
    draft.batch(2);
    draft
}

/// Codes and severities without the note that says the stream rests.
fn graver(report: &AuditReport) -> Vec<(Code, ledger::finding::Severity)> {
    let all = super::judged::brief(report);
    all.into_iter()
        .filter(|(code, _)| *code != Code::Stopped)
        .collect()
}

#[test]
fn a_locked_archive_is_clean() {
    let mut draft = drafted();
    draft.heartbeat(|_| {});
    let site = Site::of(draft);
    let report = site.judge(SOON_S);
    assert_all(&report, &[]);
    // Four manifests and two bodies.
    assert_eq!((report.coverage.locks, report.coverage.versions), (6, 6));
    assert_eq!(
        (report.store.locks, report.store.judged_as_copy),
        ("evidenced", false)
    );
}

#[test]
fn silence_and_rest() {
    let mut draft = drafted();
    draft.heartbeat(|_| {});
    let silent = Site::of(draft.clone());
    assert_found(&silent.judge(LATER_S), Code::Silent, Critical);
    let resting = Site::at_rest();
    assert_found(&resting.judge(LATER_S), Code::Stopped, Note);
    let mut closed = draft.clone();
    let close = closed.plain(ledger::manifest::Kind::Close);
    closed.seal(close, None);
    assert_found(&Site::of(closed).judge(LATER_S), Code::Stopped, Note);
}

#[test]
fn a_late_upload_is_late_and_no_silence() {
    let days_ago = host::clock::now().micros() - 5 * 86_400_000_000;
    let mut draft = Draft::begin(Moment::from_micros(days_ago));
    draft.batch(2);
    draft.heartbeat(|_| {});
    let report = Site::of(draft).judge(SOON_S);
    assert_found(&report, Code::Late, Note);
    assert!(report.findings[0].message.contains("0-2"));
}

fn unlock(path: &Path) {
    fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
}

#[test]
fn locks_that_are_gone_or_short() {
    for of_body in [true, false] {
        let site = Site::at_rest();
        let key = if of_body {
            site.draft.body_key(1)
        } else {
            site.draft.manifest_key(1)
        };
        unlock(&site.path(&key));
        let report = site.judge(SOON_S);
        assert_eq!(graver(&report), [(Code::LockAbsent, Critical)]);
        assert_eq!(report.findings[0].key, Some(key.clone()));

        let file = fs::File::open(site.path(&key)).unwrap();
        let soon = SystemTime::now() + Duration::from_secs(3600);
        file.set_times(FileTimes::new().set_accessed(soon)).unwrap();
        fs::set_permissions(site.path(&key), Permissions::from_mode(0o444)).unwrap();
        assert_eq!(graver(&site.judge(SOON_S)), [(Code::LockShort, Critical)]);
        // Once the retention is over nobody asks.
        assert_eq!(graver(&site.judge(OVER_S)), []);
    }
}

#[test]
fn a_directory_without_any_lock_looks_like_a_copy() {
    let mut draft = drafted();
    draft.heartbeat(|_| {});
    let site = Site::of(draft);
    for key in site.draft.objects.keys() {
        unlock(&site.path(key));
    }
    let report = site.judge(LATER_S);
    assert_found(&report, Code::LooksLikeCopy, Inconclusive);
    assert!(report.store.judged_as_copy);
    let copy = AuditOptions {
        copy: true,
        ..AuditOptions::new(2)
    };
    assert_all(&site.judge_with(LATER_S, copy), &[]);
}

#[test]
fn a_body_that_is_gone_before_and_after_its_time() {
    let site = Site::at_rest();
    site.remove(&site.draft.body_key(1));
    assert_eq!(
        graver(&site.judge(SOON_S)),
        [(Code::MissingVersion, Critical)]
    );
    let report = site.judge(OVER_S);
    assert_eq!(graver(&report), [(Code::Expired, Note)]);
    assert_eq!(
        (report.coverage.bodies, report.coverage.bodies_expired),
        (1, 1)
    );
}

#[test]
fn manifests_that_are_gone_before_and_after_their_time() {
    let site = Site::at_rest();
    site.remove(&site.draft.manifest_key(0));
    site.remove(&site.draft.manifest_key(1));
    let early = graver(&site.judge(SOON_S));
    assert!(early.contains(&(Code::SeqGap, Critical)), "{early:?}");
    site.remove(&site.draft.body_key(1));
    assert_eq!(graver(&site.judge(OVER_S)), [(Code::Expired, Note)]);
}

/// Stores an object under its key, locked for a day.
fn store(site: &Site, key: &str, object: &Object) {
    let store = store_at(site.folder.path());
    wait(put(&store, key, object, site.now.plus_s(86_400)));
}

#[test]
fn a_body_that_no_manifest_names() {
    let site = Site::at_rest();
    let mut beyond = site.draft.clone();
    beyond.batch(1);
    let (key, object) = (
        beyond.body_key(4),
        beyond.objects[&beyond.body_key(4)].clone(),
    );
    store(&site, &key, &object);
    assert_eq!(graver(&site.judge(SOON_S)), [(Code::Pending, Note)]);
    let report = site.judge(LATER_S);
    assert_eq!(graver(&report), [(Code::Orphan, Interference)]);
    assert_eq!(report.exit_code, 4);

    // One that its epoch went past is what a crash leaves: on a day that was walked, and on another.
    let other_day = key.replace("-00000000000000000004-", "-00000000000000000001-");
    let day = site.draft.manifests[1].body.clone().unwrap().date;
    for explained in [other_day.clone(), other_day.replace(&day, "2020-01-01")] {
        let site = Site::at_rest();
        store(&site, &explained, &object);
        assert_eq!(graver(&site.judge(LATER_S)), [(Code::Orphan, Note)]);
    }
}

#[test]
fn foreign_objects_among_the_evidence_and_beside_it() {
    let site = Site::at_rest();
    write(site.folder.path(), "probe/canary-1", b"x");
    assert_eq!(graver(&site.judge(SOON_S)), [(Code::ForeignObject, Note)]);
    write(site.folder.path(), "backup.tar", b"x");
    assert_eq!(
        graver(&site.judge(SOON_S)),
        [(Code::ForeignObject, Note); 2]
    );
    for among in ["entries/notes.txt", "manifests/web-01/auth/readme"] {
        let site = Site::at_rest();
        write(site.folder.path(), among, b"x");
        assert_eq!(
            graver(&site.judge(SOON_S)),
            [(Code::ForeignObject, Interference)]
        );
    }
}

#[test]
fn what_is_newer_than_the_start_is_left_to_the_next_run() {
    let site = Site::at_rest();
    let before = Site {
        now: Moment::from_micros(site.now.micros() - LATER_S * 1_000_000),
        ..site
    };
    let report = before.judge(0);
    assert_found(&report, Code::NothingFound, Inconclusive);
    assert_eq!(report.coverage.pending, 6);
}

#[test]
fn nothing_found_is_never_clean() {
    let empty = Site::of(Draft::empty("auth", 1, host::clock::now()));
    assert_found(&empty.judge(0), Code::NothingFound, Inconclusive);
    let site = Site::at_rest();
    let wrong = store_at(&site.path("manifests"));
    let keys = || signers(&key(1), &["web-01"]);
    let report = wait(judge(wrong, keys(), AuditOptions::new(2), site.now));
    assert_eq!(report.exit_code, 2);
    let other = AuditOptions {
        stream: Some("other".parse().unwrap()),
        ..AuditOptions::new(2)
    };
    assert_found(
        &site.judge_with(SOON_S, other),
        Code::NothingFound,
        Inconclusive,
    );
    let absent = store_at(Path::new("/nonexistent/holdfast"));
    let report = wait(judge(absent, keys(), AuditOptions::new(2), site.now));
    assert_eq!(report.exit_code, 2);
}

#[test]
fn a_filter_judges_its_part_alone() {
    let mut draft = drafted();
    draft.heartbeat(|_| {});
    let mut zone = Draft::empty("zone", 1, draft.at);
    zone.genesis(&[], |_| {});
    zone.batch(1);
    let mut objects: Objects = draft.objects.clone();
    objects.extend(zone.objects.clone());
    draft.objects = objects;
    let site = Site::of(draft);
    site.remove(&zone.body_key(1));
    assert_eq!(site.judge(SOON_S).exit_code, 1);
    let only = |stream: &str| AuditOptions {
        agent: Some("web-01".parse().unwrap()),
        stream: Some(stream.parse().unwrap()),
        ..AuditOptions::new(2)
    };
    assert_all(&site.judge_with(SOON_S, only("auth")), &[]);
    assert_found(
        &site.judge_with(SOON_S, only("zone")),
        Code::MissingVersion,
        Critical,
    );
}

#[test]
fn a_link_in_the_place_of_a_body_is_not_followed() {
    let site = Site::at_rest();
    let body = site.path(&site.draft.body_key(1));
    let elsewhere = site.folder.path().join("elsewhere");
    fs::rename(&body, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &body).unwrap();
    let found = graver(&site.judge(SOON_S));
    assert!(found.contains(&(Code::StoredHash, Critical)), "{found:?}");
}
