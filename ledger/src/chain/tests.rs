//! Each rule of the chain, kept and broken once.

mod pauses_and_heads;

use super::*;
use crate::entry::{Entry, Flags};
use crate::manifest::{
    Body, Entries, Event, Kind, Reason, Reference, Source, Stored, Times, VERSION, Via,
};
use crate::moment::Moment;
use alloc::borrow::Cow;
use alloc::vec;

const SEALED_US: u64 = 1_763_800_000_000_000;

fn epoch(roll: u8) -> Epoch {
    Epoch::new(1_763_800_000_000, &[roll; 10])
}

fn digest(seq: u64) -> Digest {
    Digest::of(&seq.to_be_bytes())
}

/// What the manifest after `seq` says of it.
fn reference(seq: u64) -> Reference {
    Reference {
        seq,
        sha256: digest(seq),
        sealed_max: Moment::from_micros(SEALED_US).plus_s(60 * seq),
        retention_max_s: 86_400,
    }
}

/// A heartbeat (or genesis) at `seq`, a minute after the one before, that breaks no rule.
fn plain(seq: u64, first: u64) -> Manifest {
    let sealed = Moment::from_micros(SEALED_US).plus_s(60 * seq);
    Manifest {
        v: VERSION,
        agent: "web-01".parse().unwrap(),
        stream: "auth".parse().unwrap(),
        epoch: epoch(1),
        seq,
        kind: if seq == 0 {
            Kind::Genesis
        } else {
            Kind::Heartbeat
        },
        prev: seq.checked_sub(1).map(reference),
        prev_epoch: (seq == 0).then(Vec::new),
        entries: Entries {
            first,
            count: 0,
            root: Digest::of(b""),
        },
        body: None,
        stored: None,
        blocks: None,
        sources: vec![],
        events: vec![],
        time: Times {
            first: None,
            last: None,
            sealed,
            sealed_max: sealed,
            boot_id: epoch(9),
            boot_ms: 60_000 * seq,
            suspended_ms: 0,
        },
        heads: None,
        heartbeat_s: 300,
        next_due: Some(sealed.plus_s(900)),
        retention_s: 86_400,
        retention_max_s: 86_400,
        config_sha256: Digest::of(b"config"),
        agent_version: "0.1.0".into(),
        ext: BTreeMap::new(),
        crit: vec![],
    }
}

fn source(id: u64, from: u64, to: u64) -> Source {
    Source {
        id,
        path: Some("/var/log/a".into()),
        path_base64: None,
        dev: "1".into(),
        ino: "2".into(),
        handle: None,
        via: Via::Plain,
        from,
        to,
        was: None,
    }
}

/// A batch of `count` entries filed under the day of its last one.
fn batch(seq: u64, first: u64, count: u64, sources: Vec<Source>) -> Manifest {
    let mut manifest = plain(seq, first);
    manifest.kind = Kind::Batch;
    manifest.entries.count = count;
    manifest.sources = sources;
    manifest.time.last = Some(manifest.time.sealed);
    manifest.body = Some(Body {
        schema: crate::manifest::SCHEMA.into(),
        date: manifest.time.sealed.day(),
        size: 100,
    });
    manifest.stored = Some(Stored {
        codec: crate::codec::Codec::Zstd,
        size: 50,
        sha256: digest(seq),
    });
    manifest
}

/// Follows manifests from a clean beginning; the last one's step.
fn last_step(manifests: &[Manifest]) -> Step {
    let (mut chain, mut step) = Chain::begin(&manifests[0], digest(manifests[0].seq));
    for manifest in &manifests[1..] {
        assert_eq!(step.breaks, [], "before seq {}", manifest.seq);
        step = chain.follow(manifest, digest(manifest.seq));
    }
    step
}

/// seq 0, then a batch of entries 0..5 with bytes 0..100 of source 1, then `third`.
fn after_batch(third: Manifest) -> Vec<Break> {
    let second = batch(1, 0, 5, vec![source(1, 0, 100)]);
    last_step(&[plain(0, 0), second, third]).breaks
}

#[test]
fn a_whole_chain_has_no_break() {
    let next = batch(2, 5, 3, vec![source(1, 100, 150), source(2, 0, 10)]);
    assert_eq!(after_batch(next), []);
}

#[test]
fn every_missing_seq_is_named_once() {
    let mut late = batch(7, 40, 1, vec![source(1, 400, 410), source(5, 30, 40)]);
    let gap = || Break::SeqGap { first: 2, last: 6 };
    assert_eq!(after_batch(late.clone()), [gap()]);
    // What can still be compared over a gap is.
    late.entries.first = 4;
    late.sources[0].from = 90;
    late.retention_max_s = 86_399;
    let more = [
        gap(),
        Break::Entries {
            expected: 5,
            got: 4,
        },
        Break::Retention {
            expected: 86_400,
            got: 86_399,
        },
        Break::Range {
            source: 1,
            expected: 100,
            got: 90,
        },
    ];
    assert_eq!(after_batch(late), more);
}

/// The breaks of a third manifest that was right until `change`.
fn broken(change: impl Fn(&mut Manifest)) -> Vec<Break> {
    let mut manifest = batch(2, 5, 1, vec![source(1, 100, 110)]);
    change(&mut manifest);
    after_batch(manifest)
}

#[test]
fn links_and_numbers() {
    let expected = reference(1);
    for change in [
        |prev: &mut Reference| prev.sha256 = digest(9),
        |prev: &mut Reference| prev.sealed_max = prev.sealed_max.plus_s(1),
        |prev: &mut Reference| prev.retention_max_s -= 1,
    ] {
        let mut got = expected;
        change(&mut got);
        assert_eq!(
            broken(|m| m.prev = Some(got)),
            [Break::Prev { expected, got }]
        );
    }
    for got in [0, 6] {
        assert_eq!(
            broken(|m| m.entries.first = got),
            [Break::Entries { expected: 5, got }]
        );
    }
    let backwards = Break::BootClock {
        before_ms: 60_000,
        got_ms: 59_999,
    };
    assert_eq!(broken(|m| m.time.boot_ms = 59_999), [backwards]);
}

#[test]
fn retention_and_dates() {
    let retention = |expected, got| [Break::Retention { expected, got }];
    assert_eq!(
        broken(|m| m.retention_max_s += 1),
        retention(86_400, 86_401)
    );
    assert_eq!(
        broken(|m| m.retention_s = 90_000),
        retention(90_000, 86_400)
    );
    let sealed = batch(2, 5, 1, vec![]).time.sealed;
    let (expected, got) = (sealed.day(), sealed.plus_s(86_400).day());
    let filed = got.clone();
    let moved = broken(|m| m.body.as_mut().unwrap().date.clone_from(&filed));
    assert_eq!(moved, [Break::Date { expected, got }]);
}

#[test]
fn ranges() {
    let range = |source, expected, got| {
        [Break::Range {
            source,
            expected,
            got,
        }]
    };
    assert_eq!(broken(|m| m.sources[0].from = 101), range(1, 100, 101));
    assert_eq!(broken(|m| m.sources[0].from = 99), range(1, 100, 99));
    assert_eq!(broken(|m| m.sources.push(source(2, 7, 9))), range(2, 0, 7));
}

#[test]
fn a_date_never_goes_back() {
    let mut ahead = batch(1, 0, 1, vec![source(1, 0, 1)]);
    ahead.time.last = Some(ahead.time.sealed.plus_s(86_400));
    let tomorrow = ahead.time.last.unwrap().day();
    ahead.body.as_mut().unwrap().date = tomorrow.clone();
    let mut next = batch(2, 1, 1, vec![source(1, 1, 2)]);
    let today = next.body.as_ref().unwrap().date.clone();
    let back = last_step(&[plain(0, 0), ahead.clone(), next.clone()]).breaks;
    assert_eq!(
        back,
        [Break::Date {
            expected: tomorrow.clone(),
            got: today
        }]
    );
    next.body.as_mut().unwrap().date = tomorrow;
    assert_eq!(last_step(&[plain(0, 0), ahead, next]).breaks, []);
}

#[test]
fn a_source_keeps_its_path_and_ends_at_an_open_gap() {
    let rule_of = |manifest| match after_batch(manifest).as_slice() {
        [Break::Source { source: 1, rule }] => *rule,
        other => panic!("{other:?}"),
    };
    let mut moved = batch(2, 5, 1, vec![source(1, 100, 110)]);
    moved.sources[0].path = Some("/other".into());
    assert!(rule_of(moved).contains("path"));
    let mut again = batch(2, 5, 1, vec![source(1, 100, 110)]);
    again.sources[0].was = Some(Was {
        stream: "auth".parse().unwrap(),
        epoch: epoch(2),
        id: 4,
    });
    assert!(rule_of(again).contains("was"));

    let mut cut = plain(2, 5);
    cut.sources = vec![source(1, 100, 100)];
    cut.events = vec![Event::gap(1, 100, None, Reason::Truncated)];
    let mut misplaced = cut.clone();
    misplaced.events[0].from = Some(90);
    assert!(rule_of(misplaced).contains("last byte"));
    let mut twice = cut.clone();
    twice.events.push(cut.events[0].clone());
    assert!(rule_of(twice).contains("stated once"));
    let first = batch(1, 0, 5, vec![source(1, 0, 100)]);
    let on = batch(3, 5, 1, vec![source(1, 100, 110)]);
    let step = last_step(&[plain(0, 0), first, cut, on]);
    assert!(
        matches!(step.breaks[..], [Break::Source { rule, .. }] if rule.contains("unknown end"))
    );
}

#[test]
fn what_a_root_says_of_the_past_is_taken_as_given() {
    let root = batch(5, 70, 2, vec![source(3, 40, 50)]);
    let mut later = batch(6, 72, 1, vec![source(4, 900, 910)]);
    assert_eq!(last_step(&[root.clone(), later.clone()]).breaks, []);
    later.sources = vec![source(3, 60, 61)];
    let expected = [Break::Range {
        source: 3,
        expected: 50,
        got: 60,
    }];
    assert_eq!(last_step(&[root, later]).breaks, expected);
}

#[test]
fn a_genesis_counts_from_zero() {
    assert_eq!(
        last_step(&[plain(0, 3)]).breaks,
        [Break::Entries {
            expected: 0,
            got: 3
        }]
    );
    let mut long = plain(0, 0);
    long.retention_max_s = 90_000;
    let expected = [Break::Retention {
        expected: 86_400,
        got: 90_000,
    }];
    assert_eq!(last_step(&[long.clone()]).breaks, expected);
    // The longest of its predecessors' counts.
    let before = Reference {
        retention_max_s: 90_000,
        ..reference(4)
    };
    long.prev_epoch = Some(vec![before.in_epoch(epoch(2))]);
    assert_eq!(last_step(&[long]).breaks, []);
}

#[test]
fn silence_is_measured_by_the_boot_clock_within_a_boot() {
    let silence = |change: &dyn Fn(&mut Manifest)| {
        let mut next = plain(1, 0);
        change(&mut next);
        last_step(&[plain(0, 0), next]).silence
    };
    let lasted = |lasted_s, rebooted| {
        Some(Silence {
            promised_s: 900,
            lasted_s,
            rebooted,
        })
    };
    assert_eq!(silence(&|m| m.time.boot_ms = 900_000), None);
    assert_eq!(silence(&|m| m.time.boot_ms = 901_000), lasted(901, false));
    // The wall clock was set ahead: no silence.
    assert_eq!(
        silence(&|m| m.time.sealed = m.time.sealed.plus_s(86_400)),
        None
    );
    let rebooted = |m: &mut Manifest, after_s| {
        m.time.boot_id = epoch(8);
        m.time.boot_ms = 5;
        m.time.sealed = Moment::from_micros(SEALED_US).plus_s(after_s);
    };
    assert_eq!(silence(&|m| rebooted(m, 900)), None);
    assert_eq!(silence(&|m| rebooted(m, 5000)), lasted(5000, true));
}

fn entry(offset: u64, message: &[u8], flags: Flags) -> Entry<'_> {
    Entry {
        sequence: 0,
        created: Moment::from_micros(0),
        path: Cow::Borrowed(b"/var/log/a"),
        source: 1,
        offset,
        flags,
        message: Cow::Borrowed(message),
    }
}

const WHOLE: Flags = Flags {
    cont: false,
    open: false,
};
const HEAD: Flags = Flags {
    cont: false,
    open: true,
};
const TAIL: Flags = Flags {
    cont: true,
    open: false,
};

#[test]
fn entries_and_gaps_tile_the_ranges() {
    let gap = |from, to| Event::gap(1, from, Some(to), Reason::Hole);
    let lay = |ranges: &[(u64, u64)], gaps: Vec<Event>, offsets: &[u64]| {
        let mut manifest = plain(1, 0);
        manifest.sources = ranges
            .iter()
            .map(|(from, to)| source(1, *from, *to))
            .collect();
        manifest.events = gaps;
        let mut tiling = Tiling::of(&manifest);
        // Each entry covers ten bytes.
        offsets
            .iter()
            .for_each(|offset| tiling.lay(&entry(*offset, b"123456789", WHOLE)));
        tiling.finish().map(|touches| touches[&1])
    };
    let fault = |expected, got| {
        Err(TilingFault {
            source: 1,
            expected,
            got,
        })
    };
    let edge = |touch: Result<Touch, _>| touch.unwrap().last;
    assert_eq!(edge(lay(&[(0, 20)], vec![], &[0, 10])), Some(Edge::LineEnd));
    assert_eq!(
        edge(lay(&[(0, 10), (10, 20)], vec![], &[0, 10])),
        Some(Edge::LineEnd)
    );
    assert_eq!(
        edge(lay(&[(5, 25)], vec![gap(5, 15)], &[15])),
        Some(Edge::LineEnd)
    );
    assert_eq!(
        edge(lay(&[(0, 30)], vec![gap(20, 30), gap(10, 20)], &[0])),
        Some(Edge::Free)
    );
    assert_eq!(edge(lay(&[(7, 7)], vec![], &[])), None);
    assert_eq!(lay(&[(0, 20)], vec![], &[0]), fault(10, 20));
    assert_eq!(lay(&[(0, 20)], vec![], &[0, 0]), fault(10, 0));
    assert_eq!(lay(&[(0, 20)], vec![], &[10, 0]), fault(0, 10));
    assert_eq!(lay(&[(0, 15)], vec![], &[0, 10]), fault(15, 20));
    assert_eq!(lay(&[(0, 5), (5, 10)], vec![], &[0]), fault(5, 10));
    assert_eq!(lay(&[(0, 10), (20, 30)], vec![], &[0, 20]), fault(10, 20));
    assert_eq!(lay(&[(0, 10)], vec![gap(0, 5)], &[0]), fault(5, 0));
    assert_eq!(lay(&[(0, 10)], vec![gap(40, 50)], &[0]), fault(10, 40));
}

#[test]
fn only_the_byte_before_decides_cont() {
    let touch = |flags: [Flags; 2]| {
        let len = 3 + flags.iter().filter(|flags| !flags.open).count() as u64;
        let mut manifest = plain(1, 0);
        manifest.sources = vec![source(1, 0, len)];
        let mut tiling = Tiling::of(&manifest);
        tiling.lay(&entry(0, b"ab", flags[0]));
        tiling.lay(&entry(2 + u64::from(!flags[0].open), b"c", flags[1]));
        tiling.finish().unwrap()[&1]
    };
    assert!(!touch([HEAD, TAIL]).torn && !touch([WHOLE, WHOLE]).torn);
    assert!(touch([HEAD, WHOLE]).torn && touch([WHOLE, TAIL]).torn);

    let open = touch([WHOLE, HEAD]);
    let cont = Touch {
        first: Some(true),
        last: Some(Edge::LineEnd),
        ..Touch::default()
    };
    let fault = |expected| {
        Err(SeamFault {
            source: 1,
            expected,
        })
    };
    let mut seams = Seams::default();
    assert_eq!(seams.join(1, open, Edge::LineEnd), Ok(()));
    assert_eq!(seams.join(1, cont, Edge::LineEnd), Ok(()));
    assert_eq!(seams.join(1, cont, Edge::LineEnd), fault(Some(false)));
    assert_eq!(seams.join(2, cont, Edge::LineEnd).unwrap_err().source, 2);
    seams.lose(1);
    assert_eq!(seams.join(1, cont, Edge::LineEnd), Ok(()));
    assert_eq!(seams.edge(1), Edge::LineEnd);
    assert_eq!(seams.join(1, touch([HEAD, WHOLE]), Edge::Free), fault(None));
}

/// The breaks of a batch after genesis and a manifest at seq 1 with these events.
fn batch_after(events: &[EventKind], kind: Kind, own: &[EventKind]) -> Vec<Break> {
    let mut before = plain(1, 0);
    before.kind = kind;
    before.events = events.iter().copied().map(Event::new).collect();
    let mut next = batch(2, 0, 5, vec![source(1, 0, 100)]);
    next.events = own.iter().copied().map(Event::new).collect();
    last_step(&[plain(0, 0), before, next]).breaks
}

#[test]
fn nothing_follows_a_close() {
    assert_eq!(batch_after(&[], Kind::Close, &[]), [Break::AfterClose]);
}

#[test]
fn after_full_only_resumed_reads() {
    use EventKind::{Full, Resumed};
    assert_eq!(
        batch_after(&[Full], Kind::Heartbeat, &[]),
        [Break::ReadWhileFull]
    );
    assert_eq!(batch_after(&[Full], Kind::Heartbeat, &[Resumed]), []);
    assert_eq!(batch_after(&[], Kind::Heartbeat, &[]), []);
    let mut full = plain(1, 0);
    full.events = vec![Event::new(Full)];
    // It lasts until it is taken back, however many manifests say nothing of it.
    let steps = [
        plain(0, 0),
        full,
        plain(2, 0),
        batch(3, 0, 5, vec![source(1, 0, 100)]),
    ];
    assert_eq!(last_step(&steps).breaks, [Break::ReadWhileFull]);
}
