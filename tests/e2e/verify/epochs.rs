//! What is wrong between epochs, and between an agent's streams.

use super::draft::{Draft, Objects, epoch, name};
use super::judged::{
    assert_all, assert_found, judge, judge_copy, judge_copy_by, put_all, signers, store_at, wait,
};
use auditor::AuditOptions;
use auditor::report::AuditReport;
use ledger::finding::Code;
use ledger::finding::Severity::{Critical, Inconclusive, Interference, Note};
use ledger::manifest::{EpochHead, Event, EventKind, Was};
use ledger::signature::signers::{AllowedSigners, line_for};
use ledger::{Digest, Moment};
use ssh_key::PrivateKey;
use std::collections::BTreeSet;
use store::Store as _;
use tempfile::TempDir;

fn start() -> Moment {
    "2026-11-22T10:00:00.000000Z".parse().unwrap()
}

/// An epoch with one batch of three entries, at rest after seq 2.
fn first() -> Draft {
    first_at(start())
}

fn first_at(at: Moment) -> Draft {
    let mut draft = Draft::begin(at);
    draft.batch(3);
    draft.rest(Event::new(EventKind::Stop));
    draft
}

/// Ten minutes ago, so that nothing has expired.
fn recently() -> Moment {
    Moment::from_micros(host::clock::now().micros() - 600_000_000)
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
    let line = format!(
        "init --after auth:{}:2:{}:86400:{}",
        named.epoch, named.sha256, named.sealed_max
    );
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
    assert_all(&explained, &[(Code::Void, Note), (Code::NewEpoch, Note)]);
    let void = |finding: &&ledger::finding::Finding| finding.code == Code::Void;
    let void = explained.findings.iter().find(void).unwrap();
    assert!(void.message.contains("3-4"));
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
    let two = first_at(recently()).continued(2, |_| {});
    assert_found(&judge_copy(&two.objects), Code::Expired, Inconclusive);
    assert_found(&judge_stored(&two.objects), Code::EpochMissing, Critical);
    // By the reference to it, it may be gone.
    let two = first().continued(2, |_| {});
    let report = judge_stored(&two.objects);
    let expired =
        |one: &ledger::finding::Finding| (one.code, one.severity) == (Code::Expired, Note);
    assert!(report.findings.iter().any(expired), "{:?}", report.findings);
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
    assert_all(&restated, &[(Code::Restated, Note), (Code::NewEpoch, Note)]);
    assert_eq!(
        (
            restated.coverage.log_bytes,
            restated.coverage.restated_bytes
        ),
        (40, 10)
    );
}

#[test]
fn a_source_continues_one_that_is_there_and_no_other_does() {
    let one = first();
    let claimed = |number: u8, was: Was| {
        let mut next = one.continued(number, |_| {}).at_offset(30);
        next.batch_with(2, |_| {}, |manifest, _| manifest.sources[0].was = Some(was));
        next
    };
    let never = Was {
        epoch: epoch(99),
        ..was(&one)
    };
    let made_up = claimed(2, never);
    let report = judged(&[&one, &made_up]);
    assert_found(&report, Code::SourceMismatch, Critical);
    let honest = claimed(2, was(&one));
    assert_all(&judged(&[&one, &honest]), &[]);
    // Another stream's source continues the same one.
    let mut other = Draft::empty("zone", 7, start());
    other.genesis(&[], |_| {});
    let mut other = other.at_offset(30);
    other.batch_with(
        2,
        |_| {},
        |manifest, _| manifest.sources[0].was = Some(was(&one)),
    );
    let report = judged(&[&one, &honest, &other]);
    assert_found(&report, Code::SourceMismatch, Critical);
    assert!(report.findings[0].message.contains("already"));
}

#[test]
fn after_a_key_event_only_the_next_key_signs() {
    let next = || super::draft::key(9);
    let event = || {
        let public = ledger::signature::Key::of(next().public_key()).unwrap();
        vec![Event::key(public)]
    };
    let both = || {
        let lines: String = [super::draft::key(1), next()]
            .iter()
            .map(|key| {
                let agent = name("web-01");
                line_for(&agent, key.public_key()).unwrap() + "\n"
            })
            .collect();
        AllowedSigners::parse(&lines).unwrap()
    };
    let mut changed = Draft::begin(start());
    changed.heartbeat(|manifest| manifest.events = event());
    let judged_by_both = |drafts: &[&Draft]| judge_copy_by(&together(drafts), both());
    let signed_by = |by: fn() -> PrivateKey| {
        let mut draft = changed.clone().signed_by(by());
        draft.batch(2);
        draft
    };
    let (kept, replaced) = (
        signed_by(|| super::draft::key(1)),
        signed_by(|| super::draft::key(9)),
    );
    assert_all(&judged_by_both(&[&replaced]), &[]);
    assert_found(&judged_by_both(&[&kept]), Code::SigInvalid, Critical);
    // The epoch that continues it inherits the key.
    let inherits = replaced.continued(2, |_| {});
    assert_all(&judged_by_both(&[&replaced, &inherits]), &[]);
    let breaks = replaced
        .clone()
        .signed_by(super::draft::key(1))
        .continued(2, |_| {});
    assert_found(
        &judged_by_both(&[&replaced, &breaks]),
        Code::SigInvalid,
        Critical,
    );
}

#[test]
fn nothing_follows_a_close_and_nothing_is_read_while_full() {
    let mut closed = Draft::begin(start());
    let close = closed.plain(ledger::manifest::Kind::Close);
    closed.seal(close, None);
    closed.heartbeat(|_| {});
    assert_found(&judged(&[&closed]), Code::EventMisplaced, Critical);
    let full = || {
        let mut full = Draft::begin(start());
        full.rest(Event::new(EventKind::Full));
        full
    };
    let mut reads = full();
    reads.batch(2);
    assert_found(&judged(&[&reads]), Code::EventMisplaced, Critical);
    let mut resumed = full();
    resumed.batch_with(
        2,
        |_| {},
        |manifest, _| {
            manifest.events = vec![Event::new(EventKind::Resumed)];
        },
    );
    assert_all(&judged(&[&resumed]), &[]);
}

/// Archives of so many streams that name one another; the last one cut back, then removed.
#[test]
fn a_cut_stream_is_named_by_its_neighbours_heads() {
    for count in [2usize, 3, 20] {
        let names: Vec<String> = (0..count).map(|number| format!("s{number:02}")).collect();
        let mut drafts: Vec<Draft> = Vec::new();
        for (number, stream) in names.iter().enumerate() {
            let mut draft = Draft::empty(stream, u8::try_from(number + 1).unwrap(), start());
            draft.genesis(&[], |_| {});
            draft.rest(Event::new(EventKind::Stop));
            draft.heartbeat(|manifest| manifest.events = vec![Event::start(true)]);
            drafts.push(draft);
        }
        let heads: Vec<_> = drafts.iter().map(Draft::stream_head).collect();
        for (number, draft) in drafts.iter_mut().enumerate() {
            let others = heads
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != number);
            let others: Vec<_> = others.map(|(_, head)| head.clone()).collect();
            // As many as a manifest may name, the last stream among them.
            let named = others.into_iter().rev().take(16).collect();
            draft.heartbeat(|manifest| manifest.heads = Some(named));
        }
        let whole: Vec<&Draft> = drafts.iter().collect();
        assert_all(&judged(&whole), &[]);
        let last = drafts.last().unwrap();
        for seqs in [0..4, 2..4] {
            let mut objects = together(&whole);
            for seq in seqs.clone() {
                objects.remove(&last.manifest_key(seq));
            }
            let report = judge_copy(&objects);
            let missing = report
                .findings
                .iter()
                .filter(|one| one.code == Code::HeadMissing);
            let streams: BTreeSet<_> = missing.map(|one| one.stream.clone()).collect();
            let expected = BTreeSet::from([Some(last.stream.clone())]);
            assert_eq!(streams, expected, "{count} streams, without {seqs:?}");
        }
    }
}

/// Two streams of one agent; the first one's heartbeat names `head` of the other.
fn beside(change: impl FnOnce(&mut ledger::manifest::StreamHead)) -> (Draft, Draft) {
    beside_at(start(), change)
}

fn beside_at(at: Moment, change: impl FnOnce(&mut ledger::manifest::StreamHead)) -> (Draft, Draft) {
    let other = {
        let mut other = Draft::empty("zone", 1, at);
        other.genesis(&[], |_| {});
        other.batch(2);
        other.heartbeat(|_| {});
        other
    };
    let mut head = other.stream_head();
    change(&mut head);
    let mut one = Draft::begin(at);
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
    let (one, _) = beside_at(recently(), |_| {});
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
    // It was stored before its neighbour named it, so nothing is still under way.
    for after_s in [0, 3600] {
        assert_eq!(
            severity(&report(after_s), Code::HeadMissing),
            Some(Critical)
        );
    }
    assert_eq!(severity(&report(200_000), Code::Expired), Some(Note));
}

/// The third manifest is gone; what the fourth says of it is `lie`'s, and that it may be gone by right.
fn gap_with(lie: impl FnOnce(&mut ledger::manifest::Reference)) -> (Draft, Draft) {
    let mut draft = Draft::begin(recently());
    draft.heartbeat(|_| {});
    draft.heartbeat(|_| {});
    let head = draft.stream_head();
    let gone = draft.manifest_key(2);
    draft.heartbeat(|manifest| lie(manifest.prev.as_mut().unwrap()));
    draft.objects.remove(&gone);
    let mut other = Draft::empty("zone", 7, draft.at);
    other.genesis(&[], |_| {});
    other.heartbeat(|manifest| manifest.heads = Some(vec![head]));
    (draft, other)
}

fn codes(report: &AuditReport) -> BTreeSet<Code> {
    let grave = report
        .findings
        .iter()
        .filter(|one| one.severity == Critical);
    grave.map(|one| one.code).collect()
}

#[test]
fn a_gap_is_not_excused_by_a_date_that_goes_back() {
    let past = "2020-01-01T00:00:00.000000Z".parse().unwrap();
    let (draft, _) = gap_with(|prev| prev.sealed_max = past);
    let found = codes(&judge_stored(&draft.objects));
    assert!(found.contains(&Code::PrevMismatch), "{found:?}");
}

#[test]
fn a_head_in_an_excused_gap_is_missed_all_the_same() {
    let past = "2020-01-01T00:00:00.000000Z".parse().unwrap();
    let (draft, other) = gap_with(|prev| prev.sealed_max = past);
    let found = codes(&judge_stored(&together(&[&draft, &other])));
    assert!(found.contains(&Code::HeadMissing), "{found:?}");
}

#[test]
fn a_head_that_a_later_epoch_made_void_must_be_there() {
    let one = first_at(recently());
    let agreed = one.named();
    let mut beyond = one.clone();
    beyond.heartbeat(|manifest| manifest.events = vec![Event::start(true)]);
    let head = beyond.stream_head();
    let mut two = Draft::empty("auth", 2, beyond.at);
    two.genesis(&[agreed], |manifest| {
        manifest.events = vec![Event::new(EventKind::Rollback)];
    });
    let mut other = Draft::empty("zone", 7, beyond.at);
    other.genesis(&[], |_| {});
    other.heartbeat(|manifest| manifest.heads = Some(vec![head]));
    let there = judge_stored(&together(&[&beyond, &two, &other]));
    assert_eq!(codes(&there), BTreeSet::new());
    let gone = judge_stored(&together(&[&one, &two, &other]));
    assert_eq!(codes(&gone), BTreeSet::from([Code::HeadMissing]));
}
