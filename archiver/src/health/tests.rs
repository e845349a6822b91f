use super::*;
use crate::upload::gate::Cause;
use host::health::Health as Verdict;

fn stream() -> Name {
    "auth".parse().unwrap()
}

fn at(seconds: u64) -> Moment {
    Moment::from_micros(seconds * 1_000_000)
}

fn open(dir: &tempfile::TempDir) -> Folder {
    Folder::open(dir.path()).unwrap()
}

/// The status as whoever asks in the same second reads it, of an archiver that runs.
fn status(health: &Health, troubles: &[Trouble], now: Moment) -> Status {
    let dir = tempfile::tempdir().unwrap();
    assert!(health.write(&open(&dir), troubles, now, true).unwrap());
    let mut status = Status::read(&open(&dir)).unwrap();
    status.head = status.head.seen(true, now);
    status
}

fn codes(status: &Status) -> Vec<&str> {
    let reasons = status.head.reasons.iter();
    reasons.map(|reason| reason.code.as_str()).collect()
}

fn trouble(cause: Cause) -> Trouble {
    Trouble {
        cause,
        stream: None,
        why: "because".into(),
    }
}

#[test]
fn only_a_whole_status_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let write = |bytes: &[u8]| std::fs::write(dir.path().join(STATUS_FILE), bytes).unwrap();
    let kind = || Status::read(&open(&dir)).map_err(|error| error.kind());
    assert_eq!(kind(), Err(io::ErrorKind::NotFound));
    let health = Health::new("s3://b", at(0));
    health.looked(&stream(), Some(&Hold::new(HoldKind::Refused, "refused")));
    health.write(&open(&dir), &[], at(9), true).unwrap();
    let good = std::fs::read_to_string(dir.path().join(STATUS_FILE)).unwrap();
    assert_eq!(kind().unwrap().streams.len(), 1);
    for (from, to) in [
        (r#""v":2"#, r#""v":1"#),
        (r#""backlog":0"#, r#""backlog":-3"#),
        (r#""auth":"#, r#""../auth":"#),
        (r#""severity":"error""#, r#""severity":"fine""#),
        (r#""health":"#, r#""healthy":"#),
        ("}\n", ""),
    ] {
        let bad = good.replace(from, to);
        assert_ne!(bad, good);
        write(bad.as_bytes());
        assert_eq!(kind().unwrap_err(), io::ErrorKind::InvalidData, "{bad}");
    }
    write(&vec![b' '; usize::try_from(FILE_MAX).unwrap() + 1]);
    assert_eq!(kind().unwrap_err(), io::ErrorKind::FileTooLarge);
}

#[test]
fn the_file_is_written_when_it_says_something_new_and_whenever_it_is_due() {
    let dir = tempfile::tempdir().unwrap();
    let health = Health::new("s3://b", at(0));
    let write = |troubles: &[Trouble], now, is_due| {
        health
            .write(&open(&dir), troubles, at(now), is_due)
            .unwrap()
    };
    let outage = [trouble(Cause::Outage)];
    assert!(write(&[], 1, false));
    assert!(!write(&[], 2, false));
    assert!(write(&[], 3, true));
    assert!(write(&outage, 4, false));
    // That it lasts is nothing new.
    assert!(!write(&outage, 5, false));
    assert_eq!(Status::read(&open(&dir)).unwrap().head.written, at(4));
    health.uploaded(&stream(), 10, at(6));
    assert!(write(&outage, 7, false));
    assert_eq!(
        Status::read(&open(&dir)).unwrap().head.reasons[0].since,
        at(4)
    );
}

/// The rows of docs/operations.md, "Health", that no program need run for.
#[test]
fn every_trouble_has_its_health() {
    let nothing = Health::new("s3://b", at(0));
    let sound = status(&nothing, &[], at(1));
    assert_eq!(
        (sound.head.health, sound.head.exit()),
        (Verdict::Healthy, 0)
    );
    for (cause, code, health) in [
        (Cause::Retrying, "retrying", Verdict::Degraded),
        (Cause::Starting, "starting", Verdict::Unhealthy),
        (Cause::Outage, "outage", Verdict::Unhealthy),
        (Cause::Denied, "denied", Verdict::Unhealthy),
        (Cause::Certificate, "certificate", Verdict::Unhealthy),
        (Cause::Nonsense, "nonsense", Verdict::Unhealthy),
        (Cause::NotEnforced, "not_enforced", Verdict::Unhealthy),
        (Cause::Unfit, "store_unfit", Verdict::Unhealthy),
    ] {
        let told = status(&nothing, &[trouble(cause)], at(1));
        assert_eq!((codes(&told), told.head.health), (vec![code], health));
    }
    for kind in HoldKind::ALL {
        let health = Health::new("s3://b", at(0));
        let hold = Hold::new(kind, "because");
        assert!(health.looked(&stream(), Some(&hold)));
        assert!(!health.looked(&stream(), Some(&hold)));
        let told = status(&health, &[], at(1));
        assert_eq!(codes(&told), [kind.code()]);
        assert_eq!(told.head.health, Verdict::Unhealthy);
        assert_eq!(told.head.reasons[0].stream, Some(stream()));
        health.looked(&stream(), None);
        assert_eq!(status(&health, &[], at(1)).head.health, Verdict::Healthy);
    }
    let health = Health::new("s3://b", at(0));
    health.counted(Err("sealed: Input/output error".into()), 0);
    let told = status(&health, &[], at(1));
    assert_eq!(codes(&told), ["spool_unreadable"]);
    assert_eq!(told.head.exit(), 2);
    health.counted(Ok(Backlog::default()), 5);
    health.note_clock(Some("20 minutes apart".into()));
    let told = status(&health, &[], at(6));
    assert_eq!((codes(&told), told.head.exit()), (vec!["clock"], 0));
    assert_eq!(told.head.health, Verdict::Degraded);
}

#[test]
fn the_documentation_has_a_row_for_every_code() {
    let documented = include_str!("../../../docs/operations.md");
    let causes = Cause::ALL.map(Cause::code);
    let kinds = HoldKind::ALL.map(HoldKind::code);
    let others = [
        "clock",
        "log_lost",
        "backlog",
        "stale",
        "not_running",
        "more",
    ];
    for code in causes.iter().chain(&kinds).chain(&others) {
        let row = format!("\n| `{code}` |");
        assert!(
            documented.contains(&row),
            "docs/operations.md must have {row}"
        );
    }
}

#[test]
fn old_batches_that_become_more_are_unhealthy() {
    let health = Health::new("s3://b", at(0));
    let count = |tick_s, count| {
        let waiting = Waiting {
            count,
            oldest: Some(at(0)),
        };
        let backlog = Backlog {
            listed: BTreeSet::from([stream()]),
            waiting: BTreeMap::from([(stream(), waiting)]),
            fault: None,
        };
        health.counted(Ok(backlog), tick_s);
    };
    count(0, 1);
    count(300, 2);
    let late = backlog::LATE_S;
    assert_eq!(codes(&status(&health, &[], at(late))), [""; 0]);
    let told = status(&health, &[], at(late + 1));
    assert_eq!((codes(&told), told.head.exit()), (vec!["backlog"], 2));
    assert_eq!(told.streams[&stream()].backlog, 2);
    count(600, 2);
    let told = status(&health, &[], at(late + 1));
    assert_eq!((told.head.health, told.head.exit()), (Verdict::Degraded, 0));
    // A stream that is no longer in the spool holds nothing up.
    health.looked(&stream(), Some(&Hold::new(HoldKind::Bad, "rot")));
    health.counted(Ok(Backlog::default()), 605);
    assert_eq!(codes(&status(&health, &[], at(late + 1))), [""; 0]);
}

#[test]
fn a_worker_that_sees_nothing_left_spares_one_count() {
    let health = Health::new("s3://b", at(0));
    assert!(!health.take_drained(&stream()));
    health.drained(&stream());
    assert!(health.take_drained(&stream()));
    assert!(!health.take_drained(&stream()));
}
