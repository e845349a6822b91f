//! Rules of docs/format.md that only a forger with the key, or a defect, breaks: each broken once, beside a twin that
//! keeps it.

use super::draft::{Draft, Objects, key};
use super::judged::{assert_all, assert_found, judge_copy};
use auditor::report::AuditReport;
use ledger::Moment;
use ledger::finding::Code;
use ledger::finding::Severity::{Critical, Note};
use ledger::manifest::{EpochHead, Event, EventKind, Reason, StreamHead, Was};
use ledger::signature::Key;

fn begin() -> Draft {
    let at: Moment = "2026-11-22T10:00:00.000000Z".parse().unwrap();
    Draft::begin(at)
}

fn judged(drafts: &[&Draft]) -> AuditReport {
    let all = drafts.iter().flat_map(|draft| draft.objects.clone());
    judge_copy(&all.collect::<Objects>())
}

/// A heartbeat that says only this, after all that `draft` has.
fn says(mut draft: Draft, events: Vec<Event>) -> Draft {
    draft.heartbeat(|manifest| {
        let pauses = |event: &Event| matches!(event.kind, EventKind::Stop | EventKind::Full);
        if events.iter().any(pauses) {
            manifest.next_due = None;
        }
        manifest.events = events;
    });
    draft
}

fn event(kind: EventKind) -> Vec<Event> {
    vec![Event::new(kind)]
}

/// A batch of 30 bytes, and so many statements that the rest is lost and nobody knows how much it was.
fn ended(gaps: usize) -> Draft {
    let mut draft = begin();
    draft.batch(3);
    let source = draft.source(0);
    draft.heartbeat(|manifest| {
        manifest.events = vec![Event::gap(1, 30, None, Reason::Deleted); gaps];
        if gaps > 0 {
            manifest.sources = vec![source];
        }
    });
    draft
}

#[test]
fn nothing_continues_a_source_that_ended_at_an_unknown_byte() {
    let continued = |one: &Draft, events: Vec<Event>| {
        let was = Was {
            stream: one.stream.clone(),
            epoch: one.epoch,
            id: 1,
        };
        let two = one.continued(2, |manifest| manifest.events = events);
        let mut two = two.at_offset(30);
        two.batch_with(1, |_| {}, |manifest, _| manifest.sources[0].was = Some(was));
        judged(&[one, &two])
    };
    let gap = (Code::Gap, Note);
    assert_all(&continued(&ended(0), vec![]), &[]);
    let forged = continued(&ended(1), vec![]);
    assert_all(&forged, &[gap, (Code::SourceMismatch, Critical)]);
    // What an agent states that lost its memory of the gap.
    let lost = continued(&ended(1), event(EventKind::StateLost));
    assert_all(&lost, &[gap, (Code::NewEpoch, Note)]);
}

#[test]
fn resumed_stands_after_full_alone() {
    let misplaced = |draft: Draft| assert_found(&judged(&[&draft]), Code::EventMisplaced, Critical);
    let resumed = |draft| says(draft, event(EventKind::Resumed));
    let full = || says(begin(), event(EventKind::Full));
    assert_all(&judged(&[&resumed(full())]), &[]);
    misplaced(resumed(begin()));
    misplaced(resumed(resumed(full())));
    let mut genesis = Draft::empty("auth", 1, begin().at);
    genesis.genesis(&[], |manifest| manifest.events = event(EventKind::Resumed));
    misplaced(genesis);
    // A new epoch is not full, whatever the one before it was.
    let before = full();
    let after = before.continued(2, |manifest| manifest.events = event(EventKind::Resumed));
    assert_found(&judged(&[&before, &after]), Code::EventMisplaced, Critical);
}

#[test]
fn a_start_is_clean_after_a_stop_alone() {
    let stopped = || says(begin(), event(EventKind::Stop));
    for (draft, fits) in [(begin as fn() -> Draft, false), (stopped, true)] {
        let started = |clean| judged(&[&says(draft(), vec![Event::start(clean)])]);
        assert_all(&started(fits), &[]);
        assert_found(&started(!fits), Code::EventMisplaced, Critical);
        let mut genesis = Draft::empty("auth", 1, begin().at);
        genesis.genesis(&[], |manifest| manifest.events = vec![Event::start(fits)]);
        assert_all(&judged(&[&genesis]), &[]);
    }
}

#[test]
fn the_next_key_is_another_one() {
    let named = |seed: u8| {
        let next = Key::of(key(seed).public_key()).unwrap();
        judged(&[&says(begin(), vec![Event::key(next)])])
    };
    assert_all(&named(9), &[]);
    assert_found(&named(1), Code::EventMisplaced, Critical);
}

#[test]
fn a_gap_of_unknown_end_is_stated_once() {
    assert_found(&judged(&[&ended(1)]), Code::Gap, Note);
    let gap = (Code::Gap, Note);
    let expected = [gap, gap, (Code::SourceMismatch, Critical)];
    assert_all(&judged(&[&ended(2)]), &expected);
    // In a later manifest as well.
    let mut again = ended(1);
    let source = again.source(0);
    again.heartbeat(|manifest| {
        manifest.sources = vec![source];
        manifest.events = vec![Event::gap(1, 30, None, Reason::Deleted)];
    });
    assert_all(&judged(&[&again]), &expected);
}

#[test]
fn a_reference_says_how_long_what_it_names_is_kept() {
    let one = says(begin(), event(EventKind::Stop));
    let shorter = |head: &mut EpochHead| head.retention_max_s -= 1;
    let earlier = |head: &mut EpochHead| head.sealed_max = Moment::from_micros(0);
    for lie in [shorter, earlier] as [fn(&mut EpochHead); 2] {
        let mut two = Draft::empty("auth", 2, one.at);
        let mut head = one.named();
        lie(&mut head);
        two.genesis(&[head], |manifest| manifest.retention_max_s = 86_400);
        assert_found(&judged(&[&one, &two]), Code::PrevMismatch, Critical);
        let mut other = Draft::empty("zone", 7, one.at);
        other.genesis(&[], |_| {});
        other.heartbeat(|manifest| manifest.heads = Some(vec![head.in_stream(one.stream.clone())]));
        assert_found(&judged(&[&one, &other]), Code::HeadMismatch, Critical);
    }
}

#[test]
fn a_head_that_was_named_is_not_taken_back() {
    let mut other = Draft::empty("zone", 7, begin().at);
    other.genesis(&[], |_| {});
    let early = other.stream_head();
    other.heartbeat(|_| {});
    let late = other.stream_head();
    let named = |heads: [&StreamHead; 2]| {
        let mut one = begin();
        for head in heads {
            one.heartbeat(|manifest| manifest.heads = Some(vec![head.clone()]));
        }
        judged(&[&one, &other])
    };
    assert_all(&named([&early, &late]), &[]);
    assert_all(&named([&late, &late]), &[]);
    assert_found(&named([&late, &early]), Code::HeadMismatch, Critical);
}
