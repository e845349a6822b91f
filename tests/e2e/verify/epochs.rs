//! What is wrong between epochs, and between an agent's streams.

use super::draft::{Draft, Objects, epoch, name};
use super::judged::{
    assert_all, assert_found, judge, judge_copy, put_all, signers, store_at, wait,
};
use auditor::AuditOptions;
use auditor::report::AuditReport;
use ledger::finding::Code;
use ledger::finding::Severity::{Critical, Inconclusive, Interference, Note};
use ledger::manifest::{EpochHead, Event, EventKind, Was};
use ledger::{Digest, Moment};
use store::Store as _;
use tempfile::TempDir;

fn start() -> Moment {
    "2026-11-22T10:00:00.000000Z".parse().unwrap()
}

/// An epoch with one batch of three entries, at rest after seq 2.
fn first() -> Draft {
    let mut draft = Draft::begin(start());
    draft.batch(3);
    draft.rest(Event::new(EventKind::Stop));
    draft
}

fn together(drafts: &[&Draft]) -> Objects {
    drafts
        .iter()
        .flat_map(|draft| draft.objects.clone())
        .collect()
}

fn judged(drafts: &[&Draft]) -> AuditReport {
    judge_copy(&together(drafts))
}

/// Judges objects as the embedded store holds them, just stored.
fn judge_stored(objects: &Objects) -> AuditReport {
    let folder = TempDir::new().unwrap();
    let store = store_at(folder.path());
    wait(async {
        put_all(&store, objects).await;
        let now = store.now().await.unwrap();
        let signers = signers(&super::draft::key(1), &["web-01"]);
        judge(store, signers, AuditOptions::new(2), now).await
    })
}

#[test]
fn an_epoch_that_continues_another_is_clean() {
    let one = first();
    let mut two = one.continued(2, |_| {}).at_offset(30);
    two.batch_with(
        2,
        |_| {},
        |manifest, _| manifest.sources[0].was = Some(was(&one)),
    );
    let report = judged(&[&one, &two]);
    assert_all(&report, &[]);
    assert_eq!((report.coverage.epochs, report.coverage.log_bytes), (2, 50));
}

fn was(one: &Draft) -> Was {
    Was {
        stream: one.stream.clone(),
        epoch: one.epoch,
        id: 1,
    }
}

#[test]
fn an_epoch_that_nobody_continues() {
    let one = first();
    let mut two = Draft::empty("auth", 2, one.at);
    two.genesis(&[], |_| {});
    let report = judged(&[&one, &two]);
    assert_found(&report, Code::LooseEpoch, Critical);
    let named = one.named();
    let line = format!("init --after auth:{}:2:{}:86400", named.epoch, named.sha256);
    assert!(
        report.findings[0].message.contains(&line),
        "{}",
        report.findings[0].message
    );
    // Adopted by a third epoch it is a note.
    let mut three = Draft::empty("auth", 3, two.at);
    three.genesis(&[one.named(), two.named()], |_| {});
    assert_found(&judged(&[&one, &two, &three]), Code::LooseEpoch, Note);
}

#[test]
fn two_epochs_that_continue_the_same() {
    let one = first();
    let two = one.continued(2, |_| {});
    let three = one.continued(3, |_| {});
    let expected = [
        (Code::EpochFork, Interference),
        (Code::LooseEpoch, Critical),
    ];
    assert_all(&judged(&[&one, &two, &three]), &expected);
}

#[test]
fn manifests_after_the_agreed_end_are_void() {
    let one = first();
    let agreed = one.named();
    let mut beyond = one.clone();
    beyond.heartbeat(|manifest| manifest.events = vec![Event::start(true)]);
    beyond.heartbeat(|_| {});
    let follow = |events: Vec<Event>| {
        let mut two = Draft::empty("auth", 2, beyond.at);
        two.genesis(&[agreed], |manifest| manifest.events = events);
        judged(&[&beyond, &two])
    };
    let explained = follow(vec![Event::new(EventKind::Rollback)]);
    assert_found(&explained, Code::Void, Note);
    assert!(explained.findings[0].message.contains("3-4"));
    assert_found(&follow(vec![]), Code::Void, Interference);
}

#[test]
fn another_end_than_the_one_that_was_agreed() {
    let one = first();
    let other = EpochHead {
        sha256: Digest::of(b"other"),
        ..one.named()
    };
    let mut two = Draft::empty("auth", 2, one.at);
    two.genesis(&[other], |_| {});
    assert_found(&judged(&[&one, &two]), Code::PrevMismatch, Critical);
}

#[test]
fn an_agreed_end_that_is_gone() {
    let one = first();
    let two = one.continued(2, |_| {});
    let mut objects = together(&[&one, &two]);
    objects.remove(&one.manifest_key(2));
    let report = judge_copy(&objects);
    assert_found(&report, Code::SeqGap, Critical);
    assert_eq!(
        (report.findings[0].epoch, report.findings[0].seq),
        (Some(one.epoch), Some(2))
    );
}

#[test]
fn an_epoch_of_which_nothing_is_left() {
    let one = first();
    let two = one.continued(2, |_| {});
    assert_found(&judge_copy(&two.objects), Code::Expired, Inconclusive);
    let report = judge_stored(&two.objects);
    let late = [(Code::EpochMissing, Critical), (Code::Late, Note)];
    assert!(
        report
            .findings
            .iter()
            .all(|one| late.contains(&(one.code, one.severity)))
    );
    assert!(
        report
            .findings
            .iter()
            .any(|one| one.code == Code::EpochMissing)
    );
}

#[test]
fn retention_is_never_shorter_than_a_predecessors() {
    let mut one = Draft::empty("auth", 1, start());
    one.genesis(&[], |manifest| {
        (manifest.retention_s, manifest.retention_max_s) = (172_800, 172_800);
    });
    let two = one.continued(2, |manifest| manifest.retention_max_s = 172_800);
    assert_all(&judged(&[&one, &two]), &[]);
    let short = one.continued(2, |_| {});
    assert_found(&judged(&[&one, &short]), Code::RetentionMismatch, Critical);
}

#[test]
fn silence_between_epochs() {
    let mut one = Draft::begin(start());
    one.heartbeat(|_| {});
    one.pass(5000);
    let two = one.continued(2, |_| {});
    assert_found(&judged(&[&one, &two]), Code::Outage, Interference);
    let rebooted = one.continued(2, |manifest| manifest.time.boot_id = epoch(201));
    assert_found(&judged(&[&one, &rebooted]), Code::Outage, Note);
}

#[test]
fn sources_that_continue_others() {
    let one = first();
    let claim = |from: u64, events: Vec<Event>, id: u64| {
        let genesis_events = events;
        let two = one.continued(2, |manifest| manifest.events = genesis_events);
        let mut two = two.at_offset(from);
        two.batch_with(
            2,
            |_| {},
            |manifest, _| {
                manifest.sources[0].was = Some(Was { id, ..was(&one) });
            },
        );
        judged(&[&one, &two])
    };
    assert_all(&claim(30, vec![], 1), &[]);
    assert_found(&claim(40, vec![], 1), Code::ByteGap, Critical);
    assert_found(&claim(20, vec![], 1), Code::ByteOverlap, Critical);
    assert_found(&claim(30, vec![], 9), Code::SourceMismatch, Critical);
    let restated = claim(20, vec![Event::new(EventKind::StateLost)], 1);
    assert_found(&restated, Code::Restated, Note);
    assert_eq!(
        (
            restated.coverage.log_bytes,
            restated.coverage.restated_bytes
        ),
        (40, 10)
    );
}

/// Two streams of one agent; the first one's heartbeat names `head` of the other.
fn beside(change: impl FnOnce(&mut ledger::manifest::StreamHead)) -> (Draft, Draft) {
    let other = {
        let mut other = Draft::empty("zone", 1, start());
        other.genesis(&[], |_| {});
        other.batch(2);
        other.heartbeat(|_| {});
        other
    };
    let mut head = other.stream_head();
    change(&mut head);
    let mut one = Draft::begin(start());
    one.heartbeat(|manifest| manifest.heads = Some(vec![head]));
    (one, other)
}

#[test]
fn heads_of_other_streams() {
    let (one, other) = beside(|_| {});
    assert_all(&judged(&[&one, &other]), &[]);
    // An older head is looked up by itself.
    let (one, other) = beside(|head| {
        head.seq = 1;
        head.sha256 = Digest::of(b"other");
    });
    assert_found(&judged(&[&one, &other]), Code::HeadMismatch, Critical);
    let (one, mut other) = beside(|_| {});
    other.objects.remove(&other.manifest_key(2));
    let report = judged(&[&one, &other]);
    assert_found(&report, Code::HeadMissing, Inconclusive);
    assert_eq!(report.findings[0].stream, Some(name("zone")));
}

#[test]
fn a_stream_that_is_gone_is_missed_by_its_neighbour() {
    let (one, _) = beside(|_| {});
    let folder = TempDir::new().unwrap();
    let store = store_at(folder.path());
    let report = |after_s: u64| {
        wait(async {
            put_all(&store, &one.objects).await;
            let now = store.now().await.unwrap().plus_s(after_s);
            let signers = signers(&super::draft::key(1), &["web-01"]);
            judge(store.clone(), signers, AuditOptions::new(2), now).await
        })
    };
    let severity = |report: &AuditReport, code| {
        let of_code = report.findings.iter().find(|one| one.code == code);
        of_code.map(|one| one.severity)
    };
    assert_eq!(severity(&report(0), Code::Pending), Some(Note));
    assert_eq!(severity(&report(3600), Code::HeadMissing), Some(Critical));
    assert_eq!(severity(&report(200_000), Code::Expired), Some(Note));
}
