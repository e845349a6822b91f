//! What `stop`, `full` and earlier heads demand of the manifests after them.

use super::*;

#[test]
fn after_stop_comes_start() {
    let mut stop = plain(1, 0);
    stop.events = vec![Event::new(EventKind::Stop)];
    stop.next_due = None;
    let mut next = plain(2, 0);
    let without = last_step(&[plain(0, 0), stop.clone(), next.clone()]);
    assert_eq!(without.breaks, [Break::StartMissing]);
    next.events = vec![Event::start(true)];
    assert_eq!(last_step(&[plain(0, 0), stop, next]).breaks, []);
}

#[test]
fn a_start_says_whether_the_manifest_before_has_stop() {
    let with = |events: Vec<Event>| {
        let mut before = plain(1, 0);
        if events.iter().any(|event| event.kind == EventKind::Stop) {
            before.next_due = None;
        }
        before.events = events;
        before
    };
    let after = |before: Vec<Event>, clean: bool| {
        let mut next = plain(2, 0);
        next.events = vec![Event::start(clean)];
        last_step(&[plain(0, 0), with(before), next]).breaks
    };
    let stop = || vec![Event::new(EventKind::Stop)];
    for clean in [false, true] {
        let unfit = [Break::StartUnfit { expected: !clean }];
        let (fits, breaks) = if clean {
            (stop(), vec![])
        } else {
            (vec![], stop())
        };
        assert_eq!(after(fits, clean), []);
        assert_eq!(after(breaks, clean), unfit);
        // A genesis follows nothing; what a missing manifest said nobody knows.
        let mut genesis = plain(0, 0);
        genesis.events = vec![Event::start(clean)];
        assert_eq!(last_step(&[genesis]).breaks, []);
        let mut late = plain(3, 0);
        late.events = vec![Event::start(clean)];
        let gap = [Break::SeqGap { first: 2, last: 2 }];
        assert_eq!(last_step(&[plain(0, 0), with(stop()), late]).breaks, gap);
    }
}

#[test]
fn resumed_follows_full() {
    let event = |mut manifest: Manifest, kind| {
        manifest.events = vec![Event::new(kind)];
        manifest
    };
    let full = |seq| event(plain(seq, 0), EventKind::Full);
    let resumed = |seq| event(plain(seq, 0), EventKind::Resumed);
    let unfit = [Break::ResumedWithoutFull];
    assert_eq!(last_step(&[plain(0, 0), full(1), resumed(2)]).breaks, []);
    assert_eq!(last_step(&[full(0), plain(1, 0), resumed(2)]).breaks, []);
    assert_eq!(last_step(&[resumed(0)]).breaks, unfit);
    assert_eq!(last_step(&[plain(0, 0), resumed(1)]).breaks, unfit);
    let again = [plain(0, 0), full(1), resumed(2), resumed(3)];
    assert_eq!(last_step(&again).breaks, unfit);
    // Nobody knows what was said in what is missing.
    assert_eq!(last_step(&[plain(4, 0), resumed(5)]).breaks, []);
    let gap = [Break::SeqGap { first: 1, last: 1 }];
    assert_eq!(last_step(&[plain(0, 0), resumed(2)]).breaks, gap);
}

#[test]
fn a_head_never_goes_back() {
    let naming = |seq, heads: &[(&str, u8, u64)]| {
        let head = |(stream, epoch_roll, seq): &(&str, u8, u64)| {
            let named = reference(*seq).in_epoch(epoch(*epoch_roll));
            named.in_stream(stream.parse().unwrap())
        };
        let mut manifest = plain(seq, 0);
        manifest.heads = Some(heads.iter().map(head).collect());
        manifest
    };
    let named = |second: &[(&str, u8, u64)]| {
        let first = naming(1, &[("web", 2, 7), ("zone", 3, 4)]);
        last_step(&[plain(0, 0), first, naming(2, second)]).breaks
    };
    // The same again, a later one, another epoch.
    for fits in [("web", 2, 7), ("web", 2, 8), ("web", 4, 0), ("zone", 3, 5)] {
        assert_eq!(named(&[fits]), []);
    }
    let back = |before, got| Break::HeadBack {
        stream: "web".parse().unwrap(),
        epoch: epoch(2),
        before,
        got,
    };
    assert_eq!(named(&[("zone", 3, 4), ("web", 2, 6)]), [back(7, 6)]);
    // Behind missing manifests as well.
    let far = [naming(0, &[("web", 2, 9)]), naming(5, &[("web", 2, 0)])];
    assert_eq!(
        last_step(&far).breaks,
        [Break::SeqGap { first: 1, last: 4 }, back(9, 0)]
    );
}
