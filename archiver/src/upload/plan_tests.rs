//! Every step with every answer it can get.

use super::*;

const UNTIL: u64 = 1_000_000_000;

fn moment(seconds: u64) -> Moment {
    Moment::from_micros(seconds * 1_000_000)
}

fn stored() -> Answer {
    Answer::Stored {
        version_id: "v1".into(),
        until: moment(UNTIL),
    }
}

fn ours() -> Answer {
    Answer::Found(Found::Ours {
        version_id: "v0".into(),
        until: moment(UNTIL),
    })
}

fn lock(mode: LockMode, seconds: u64) -> Answer {
    Answer::Lock(Some(Lock {
        mode,
        retain_until: moment(seconds),
    }))
}

fn locked() -> Answer {
    lock(LockMode::Compliance, UNTIL)
}

const PUT_BODY: Step = Step::PutBody { if_absent: true };
const PUT_BODY_AGAIN: Step = Step::PutBody { if_absent: false };
const PUT_MANIFEST: Step = Step::PutManifest { if_absent: true };
const PUT_ON_TOP: Step = Step::PutManifest { if_absent: false };

/// Answers in turn, each with the step it is the answer to; the step after the last.
fn walk(mut plan: Plan, turns: Vec<(Step, Answer)>) -> Result<Step, Stop> {
    for (step, answer) in turns {
        assert_eq!(plan.step(), step);
        plan.advance(answer)?;
    }
    Ok(plan.step())
}

fn fresh() -> Plan {
    Plan::new(true, true)
}

#[test]
fn the_plain_way_with_and_without_a_body() {
    let with_body = vec![
        (Step::Look, Answer::Free),
        (PUT_BODY, stored()),
        (PUT_MANIFEST, stored()),
        (Step::ReadBodyLock, locked()),
        (Step::ReadManifestLock, locked()),
    ];
    assert_eq!(walk(fresh(), with_body), Ok(Step::ReadClock));
    let without_body = vec![(PUT_MANIFEST, stored()), (Step::ReadManifestLock, locked())];
    let plan = Plan::new(false, false);
    assert_eq!(walk(plan, without_body), Ok(Step::ReadClock));
}

#[test]
fn a_body_that_is_there_is_put_once_more() {
    let mut turns = vec![(Step::Look, Answer::Free), (PUT_BODY, Answer::Exists)];
    assert_eq!(walk(fresh(), turns.clone()), Ok(PUT_BODY_AGAIN));
    // A store with one version for each key says so of other bytes.
    turns.push((PUT_BODY_AGAIN, Answer::Exists));
    assert_eq!(walk(fresh(), turns), Err(Stop::Occupied(Object::Body)));
}

#[test]
fn our_manifest_of_an_earlier_run_is_taken_and_its_body_stored_again() {
    let turns = vec![
        (Step::Look, Answer::Taken),
        (Step::Compare, ours()),
        (PUT_BODY, Answer::Exists),
        (PUT_BODY_AGAIN, stored()),
        (Step::ReadBodyLock, locked()),
        (Step::ReadManifestLock, locked()),
    ];
    assert_eq!(walk(fresh(), turns), Ok(Step::ReadClock));
}

#[test]
fn our_manifest_whose_reply_was_lost_is_taken() {
    let turns = vec![
        (Step::Look, Answer::Free),
        (PUT_BODY, stored()),
        (PUT_MANIFEST, Answer::Exists),
        (Step::Compare, ours()),
    ];
    assert_eq!(walk(fresh(), turns), Ok(Step::ReadBodyLock));
}

#[test]
fn a_short_lock_of_an_earlier_run_is_extended_once() {
    let until_found = || {
        vec![
            (PUT_MANIFEST, Answer::Exists),
            (Step::Compare, ours()),
            (
                Step::ReadManifestLock,
                lock(LockMode::Compliance, UNTIL - 1),
            ),
        ]
    };
    let plan = || Plan::new(false, false);
    assert_eq!(
        walk(plan(), until_found()),
        Ok(Step::Extend(Object::Manifest))
    );
    let mut mended = until_found();
    mended.push((Step::Extend(Object::Manifest), Answer::Extended));
    mended.push((Step::ReadManifestLock, locked()));
    assert_eq!(walk(plan(), mended), Ok(Step::ReadClock));
    let mut refused = until_found();
    refused.push((Step::Extend(Object::Manifest), Answer::Extended));
    refused.push((Step::ReadManifestLock, Answer::Lock(None)));
    assert!(matches!(
        walk(plan(), refused),
        Err(Stop::Unlocked {
            object: Object::Manifest,
            found: None,
            ..
        })
    ));
}

#[test]
fn what_was_stored_and_is_not_there_is_put_again_if_nothing_is() {
    let stored_both = || vec![(PUT_BODY, stored()), (PUT_MANIFEST, stored())];
    let gone = |turns: &[(Step, Answer)]| {
        let mut plan = Plan::new(true, false);
        for (step, answer) in stored_both().iter().chain(turns) {
            assert_eq!(plan.step(), *step);
            plan.advance(answer.clone()).unwrap();
        }
        plan
    };
    let mut plan = gone(&[]);
    for times in 0..5 {
        let object = Object::Body;
        let stop = plan.advance(Answer::Gone);
        assert_eq!(stop, Err(Stop::Vanished { object, times }));
        assert_eq!(plan.step(), PUT_BODY);
        plan.advance(stored()).unwrap();
        // The manifest is still there.
        assert_eq!(plan.step(), Step::ReadBodyLock);
    }
    let mut plan = gone(&[(Step::ReadBodyLock, locked())]);
    let (object, times) = (Object::Manifest, 0);
    let stop = plan.advance(Answer::Gone);
    assert_eq!(stop, Err(Stop::Vanished { object, times }));
    assert_eq!(plan.step(), PUT_MANIFEST);
    plan.advance(stored()).unwrap();
    assert_eq!(plan.step(), Step::ReadBodyLock);
}

#[test]
fn what_stands_in_the_manifests_place_decides() {
    let fork = Bytes::from_static(b"line");
    for (found, expected) in [
        (Found::Fork(fork.clone()), Err(Stop::Fork(fork))),
        (Found::Foreign, Ok(PUT_ON_TOP)),
        (Found::Nothing, Ok(PUT_MANIFEST)),
    ] {
        let turns = vec![
            (PUT_MANIFEST, Answer::Exists),
            (Step::Compare, Answer::Found(found.clone())),
        ];
        let plan = Plan::new(false, false);
        assert_eq!(walk(plan, turns), expected, "{found:?}");
    }
}

#[test]
fn a_place_that_is_taken_and_empty_is_claimed_once_more_before_ours_goes_on_top() {
    let taken_and_empty = || {
        [
            (PUT_MANIFEST, Answer::Exists),
            (Step::Compare, Answer::Found(Found::Nothing)),
        ]
    };
    let turns = taken_and_empty().into_iter().chain(taken_and_empty());
    let plan = Plan::new(false, false);
    assert_eq!(walk(plan, turns.collect()), Ok(PUT_ON_TOP));
}

#[test]
fn on_top_of_a_foreign_object_ours_is_put_after_its_body() {
    let turns = vec![
        (Step::Look, Answer::Taken),
        (Step::Compare, Answer::Found(Found::Foreign)),
        (PUT_BODY, stored()),
        (PUT_ON_TOP, stored()),
    ];
    assert_eq!(walk(fresh(), turns.clone()), Ok(Step::ReadBodyLock));
    let mut occupied = turns;
    occupied[3].1 = Answer::Exists;
    let stop = Stop::Occupied(Object::Manifest);
    assert_eq!(walk(fresh(), occupied), Err(stop));
}

#[test]
fn only_compliance_until_then_is_a_lock_and_reading_it_again_stores_nothing() {
    for (answer, good) in [
        (locked(), true),
        (lock(LockMode::Compliance, UNTIL + 1), true),
        (lock(LockMode::Compliance, UNTIL - 1), false),
        (lock(LockMode::Governance, UNTIL + 1), false),
        (lock(LockMode::Unknown, UNTIL + 1), false),
        (Answer::Lock(None), false),
    ] {
        let mut plan = Plan::new(true, false);
        plan.advance(stored()).unwrap();
        plan.advance(stored()).unwrap();
        for object in [Object::Body, Object::Manifest] {
            let before = plan.step();
            match plan.advance(answer.clone()) {
                Ok(()) => assert!(good, "{answer:?}"),
                Err(Stop::Unlocked { object: of, .. }) => {
                    assert!(!good, "{answer:?}");
                    assert_eq!(of, object);
                    // What is there is locked, not stored once more.
                    assert_eq!(plan.step(), Step::Extend(object));
                    plan.advance(Answer::Extended).unwrap();
                    assert_eq!(plan.step(), before);
                    plan.advance(locked()).unwrap();
                }
                Err(stop) => panic!("{stop:?}"),
            }
        }
        assert_eq!(plan.step(), Step::ReadClock);
        assert_eq!(plan.placement(), None);
        plan.advance(Answer::Time(moment(7))).unwrap();
        let placement = plan.placement().unwrap();
        assert_eq!(plan.step(), Step::Receipt);
        assert_eq!(placement.store_time, moment(7));
        // What the receipt says is the lock as it was read back.
        assert!(placement.manifest.until >= moment(UNTIL));
    }
}
