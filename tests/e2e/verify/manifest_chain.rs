//! What is wrong between the manifests of one epoch, judged in copies: each fault once.

use super::draft::Draft;
use super::judged::{assert_all, assert_found, judge_copy};
use auditor::report::AuditReport;
use ledger::finding::Code;
use ledger::finding::Severity::{Critical, Inconclusive, Interference, Note};
use ledger::manifest::{Event, EventKind, Manifest, Reason, Reference};
use ledger::{Digest, Moment};

fn start() -> Moment {
    "2026-11-22T10:00:00.000000Z".parse().unwrap()
}

/// Genesis, a batch of three, a batch that `change` may spoil, two more batches.
fn archive(change: impl FnOnce(&mut Manifest)) -> Draft {
    let mut draft = Draft::begin(start());
    draft.batch(3);
    draft.batch_with(3, |_| {}, |manifest, _| change(manifest));
    draft.batch(2);
    draft.batch(1);
    draft
}

fn judged(change: impl FnOnce(&mut Manifest)) -> AuditReport {
    judge_copy(&archive(change).objects)
}

#[test]
fn the_clean_twin() {
    assert_all(&judged(|_| {}), &[]);
}

#[test]
fn every_missing_manifest_is_named() {
    for (gone, expected) in [(vec![2], "2"), (vec![1, 2], "1-2"), (vec![1, 2, 3], "1-3")] {
        let draft = archive(|_| {});
        let mut objects = draft.objects.clone();
        for seq in &gone {
            objects.remove(&draft.manifest_key(*seq));
        }
        let report = judge_copy(&objects);
        assert_eq!(report.exit_code, 1);
        let gaps: Vec<_> = report
            .findings
            .iter()
            .filter(|one| one.severity == Critical)
            .collect();
        assert_eq!(gaps.len(), 1, "{gaps:#?}");
        assert_eq!(
            (gaps[0].code, gaps[0].expected.as_deref()),
            (Code::SeqGap, Some(expected))
        );
        // The bodies are still there, and nobody names them.
        let orphans = report
            .findings
            .iter()
            .filter(|one| one.code == Code::Orphan);
        assert_eq!(
            orphans.map(|one| one.severity).collect::<Vec<_>>(),
            vec![Note; gone.len()]
        );
    }
}

#[test]
fn two_gaps_are_two_findings() {
    let draft = archive(|_| {});
    let mut objects = draft.objects.clone();
    objects.remove(&draft.manifest_key(1));
    objects.remove(&draft.manifest_key(3));
    let report = judge_copy(&objects);
    let gaps = report
        .findings
        .iter()
        .filter(|one| one.code == Code::SeqGap);
    assert_eq!(
        gaps.map(|one| one.seq).collect::<Vec<_>>(),
        [Some(1), Some(3)]
    );
}

#[test]
fn another_predecessor() {
    for change in [
        |prev: &mut Reference| prev.sha256 = Digest::of(b"other"),
        |prev: &mut Reference| prev.sealed_max = prev.sealed_max.plus_s(1),
    ] {
        let report = judged(|manifest| change(manifest.prev.as_mut().unwrap()));
        assert_found(&report, Code::PrevMismatch, Critical);
        assert_eq!(report.findings[0].seq, Some(2));
    }
}

#[test]
fn retention_dates_and_clocks() {
    let longer = judged(|manifest| manifest.retention_max_s = 90_000);
    // The one after it is short of the longest so far.
    let twice = [
        (Code::RetentionMismatch, Critical),
        (Code::RetentionMismatch, Critical),
    ];
    assert_all(&longer, &twice);
    let filed = judged(|manifest| manifest.body.as_mut().unwrap().date = "2026-11-21".into());
    // The day that is listed again holds a body that was named before.
    assert_found(&filed, Code::DateMismatch, Critical);
    let back = judged(|manifest| manifest.time.boot_ms = 1_059_999);
    assert_found(&back, Code::TimeRegression, Interference);
}

#[test]
fn entry_numbers_and_events() {
    let mut draft = Draft::begin(start());
    draft.batch(2);
    draft.heartbeat(|manifest| manifest.entries.first = 9);
    draft.heartbeat(|_| {});
    assert_found(&judge_copy(&draft.objects), Code::EntryGap, Critical);
    let mut draft = Draft::begin(start());
    draft.batch(2);
    draft.heartbeat(|manifest| manifest.entries.first = 1);
    draft.heartbeat(|_| {});
    assert_found(&judge_copy(&draft.objects), Code::EntryOverlap, Critical);

    let stopped = |event: Vec<Event>| {
        let mut draft = Draft::begin(start());
        draft.rest(Event::new(EventKind::Stop));
        draft.heartbeat(|manifest| manifest.events = event);
        judge_copy(&draft.objects)
    };
    assert_all(&stopped(vec![Event::start(true)]), &[]);
    assert_found(&stopped(vec![]), Code::EventMisplaced, Critical);
}

#[test]
fn ranges_between_batches() {
    let jump = |by: i64| {
        let mut draft = Draft::begin(start());
        draft.batch(3);
        let mut draft = draft.at_offset(30_u64.strict_add_signed(by));
        draft.batch(1);
        judge_copy(&draft.objects)
    };
    assert_all(&jump(0), &[]);
    assert_found(&jump(5), Code::ByteGap, Critical);
    assert_found(&jump(-5), Code::ByteOverlap, Critical);
    let moved = judged(|manifest| manifest.sources[0].via = ledger::manifest::Via::Gzip);
    assert_all(&moved, &[]);
}

#[test]
fn a_stated_gap_is_a_note() {
    let gap = |stated: Option<u64>| {
        let mut draft = Draft::begin(start());
        draft.batch(3);
        draft.heartbeat(|manifest| {
            let mut source = archive(|_| {}).source(0);
            (source.from, source.to) = (30, stated.unwrap_or(30));
            manifest.sources = vec![source];
            manifest.events = vec![Event::gap(1, 30, stated, Reason::Deleted)];
        });
        draft
    };
    let mut whole = gap(Some(70)).at_offset(70);
    whole.batch(1);
    let report = judge_copy(&whole.objects);
    assert_found(&report, Code::Gap, Note);
    assert_eq!(
        (report.coverage.gap_bytes, report.coverage.log_bytes),
        (40, 40)
    );
    assert!(report.findings[0].message.contains("/var/log/auth.log"));

    assert_found(&judge_copy(&gap(None).objects), Code::Gap, Note);
    let mut beyond = gap(None).at_offset(30);
    beyond.batch(1);
    let expected = [(Code::Gap, Note), (Code::SourceMismatch, Critical)];
    assert_all(&judge_copy(&beyond.objects), &expected);
}

#[test]
fn silence_that_ended() {
    let after = |seconds: u64, rebooted: bool| {
        let mut draft = Draft::begin(start());
        draft.pass(seconds);
        draft.heartbeat(|manifest| {
            if rebooted {
                manifest.time.boot_id = super::draft::epoch(201);
                manifest.time.boot_ms = 5;
            }
        });
        judge_copy(&draft.objects)
    };
    assert_all(&after(600, false), &[]);
    assert_found(&after(3600, false), Code::Outage, Interference);
    assert_found(&after(3600, true), Code::Outage, Note);
}

#[test]
fn a_copy_cannot_tell_what_came_before_its_oldest_manifest() {
    let draft = archive(|_| {});
    let mut objects = draft.objects.clone();
    objects.remove(&draft.manifest_key(0));
    objects.remove(&draft.manifest_key(1));
    objects.remove(&draft.body_key(1));
    assert_found(&judge_copy(&objects), Code::Expired, Inconclusive);
}
