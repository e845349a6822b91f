//! The whole agent on temporary folders, with real files and real clocks.

use super::*;
use crate::limits::ROOM_RESUME;
use crate::testing::audit::{audit, audit_epoch};
use crate::testing::{config, receipt_for};
use ledger::manifest::{EventKind, Kind};
use ledger::name::Name;
use ledger::name::Slot;
use ledger::receipt::{Bad, BadReason};
use std::path::{Path, PathBuf};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn made(dir: &Path, streams: &[(&str, &str)]) -> Config {
    let config = config(dir, streams);
    crate::init::init(&config).unwrap();
    config
}

/// Leaves as kill -9 does: nothing is sealed any more.
fn kill(agent: Agent) {
    drop(agent);
}

#[test]
fn starts_say_whether_the_run_before_said_stop() {
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("auth", "*.log")]);
    kill(Agent::open(&config).unwrap());
    Agent::open(&config).unwrap().drain().unwrap();
    kill(Agent::open(&config).unwrap());
    let audited = audit(&crate::spool::Layout::new(&config.spool), &name("auth"));
    let kinds: Vec<_> = audited
        .manifests
        .iter()
        .map(|manifest| manifest.kind)
        .collect();
    assert_eq!(
        kinds,
        [
            Kind::Genesis,
            Kind::Heartbeat,
            Kind::Heartbeat,
            Kind::Heartbeat
        ]
    );
    assert_eq!(
        audited.events(),
        [EventKind::Start, EventKind::Stop, EventKind::Start]
    );
    let clean = |at: usize| audited.manifests[at].events[0].clean;
    assert_eq!((clean(1), clean(3)), (Some(false), Some(true)));
    assert!(audited.manifests[2].next_due.is_none() && audited.manifests[3].next_due.is_some());
}

#[test]
fn a_second_agent_is_refused_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("auth", "*.log")]);
    let first = Agent::open(&config).unwrap();
    let refused = Agent::open(&config).err().unwrap();
    assert!(matches!(refused, RunError::Locked(_)), "{refused}");
    let mut other = config.clone();
    other.state = dir.path().join("other");
    crate::init::init(&other).unwrap();
    let refused = Agent::open(&other).err().unwrap().to_string();
    assert!(
        refused.contains("another holdfast-agent runs on this spool"),
        "{refused}"
    );
    kill(first);
    kill(Agent::open(&config).unwrap());
}

#[test]
fn the_first_stream_tells_where_the_others_stand() {
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("auth", "*.log"), ("web", "*.web")]);
    Agent::open(&config).unwrap().drain().unwrap();
    let layout = crate::spool::Layout::new(&config.spool);
    let (auth, web) = (audit(&layout, &name("auth")), audit(&layout, &name("web")));
    let heads = auth.manifests[1].heads.clone().unwrap();
    assert_eq!(heads.len(), 1);
    assert_eq!((&heads[0].stream, heads[0].seq), (&name("web"), 1));
    assert!(
        web.manifests
            .iter()
            .all(|manifest| manifest.heads.is_none())
    );
}

#[test]
fn a_stream_that_leaves_the_config_is_closed_and_may_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let both = made(dir.path(), &[("auth", "*.log"), ("web", "*.web")]);
    Agent::open(&both).unwrap().drain().unwrap();
    let one = config(dir.path(), &[("auth", "*.log")]);
    Agent::open(&one).unwrap().drain().unwrap();
    Agent::open(&one).unwrap().drain().unwrap();
    let layout = crate::spool::Layout::new(&one.spool);
    let closed = audit(&layout, &name("web"));
    let last = closed.manifests.last().unwrap();
    assert_eq!((last.kind, closed.manifests.len()), (Kind::Close, 3));
    let both = config(dir.path(), &[("auth", "*.log"), ("web", "*.web")]);
    Agent::open(&both).unwrap().drain().unwrap();
    let mut epochs = layout.epochs(&name("web")).unwrap();
    epochs.retain(|epoch| *epoch != last.epoch);
    let back = audit_epoch(&layout, &name("web"), epochs[0]);
    let heads = back.manifests[0].prev_epoch.clone().unwrap();
    assert_eq!((heads[0].epoch, heads[0].seq), (last.epoch, last.seq));
    assert_eq!(back.events(), [EventKind::Stop]);
}

#[test]
fn heartbeats_come_before_they_are_due() {
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("auth", "*.log")]);
    let mut agent = Agent::open(&config).unwrap();
    let at = |after_ms| Now {
        boot_ms: now().boot_ms + after_ms,
        ..now()
    };
    agent.keep_up(at(200_000)).unwrap();
    assert_eq!(agent.streams[0].chain().unwrap().head.seq, 0);
    assert!(agent.due_in_ms(at(200_000)) <= 100_000);
    agent.keep_up(at(300_000)).unwrap();
    assert_eq!(agent.streams[0].chain().unwrap().head.seq, 1);
}

#[test]
fn a_full_spool_is_said_once_and_resumed_once() {
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("auth", "*.log"), ("web", "*.web")]);
    let mut agent = Agent::open(&config).unwrap();
    let auth = name("auth");
    // Half the cap is the most that one stream may use; the other still reads.
    agent.spool.add(&auth, config.spool_cap / 2);
    for _ in 0..3 {
        agent.turn(Mode::Follow).unwrap();
        agent.keep_up(now()).unwrap();
    }
    assert!(agent.streams[0].full && !agent.streams[1].full);
    assert!(!agent.status().is_healthy());
    // Less than what resuming needs.
    agent.spool.subtract(&auth, ROOM_RESUME / 2);
    agent.turn(Mode::Follow).unwrap();
    assert!(agent.streams[0].full);
    kill(agent);
    // A start while it is full says nothing; here there is room again, so it goes on.
    let mut agent = Agent::open(&config).unwrap();
    assert!(!agent.streams[0].full);
    agent.finish().unwrap();
    let layout = crate::spool::Layout::new(&config.spool);
    let events = audit(&layout, &auth).events();
    let expected = [
        EventKind::Full,
        EventKind::Start,
        EventKind::Resumed,
        EventKind::Stop,
    ];
    assert_eq!(events, expected);
    let events = audit(&layout, &name("web")).events();
    assert_eq!(events, [EventKind::Start, EventKind::Stop]);
}

#[test]
fn a_start_on_a_full_spool_seals_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = made(dir.path(), &[("auth", "*.log")]);
    kill(Agent::open(&config).unwrap());
    let room = config.spool_cap;
    config.spool_cap = 0;
    let mut agent = Agent::open(&config).unwrap();
    agent.turn(Mode::Follow).unwrap();
    agent.keep_up(now()).unwrap();
    let unfinished = agent.drain().unwrap();
    assert_eq!(unfinished.0, ["stream auth: the spool is full"]);
    drop(agent);
    config.spool_cap = room;
    kill(Agent::open(&config).unwrap());
    let audited = audit(&crate::spool::Layout::new(&config.spool), &name("auth"));
    assert_eq!(audited.events(), [EventKind::Start]);
}

#[test]
fn a_spool_that_refuses_is_tried_again_at_a_bounded_pace() {
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("auth", "*.log")]);
    let mut agent = Agent::open(&config).unwrap();
    let tmp = config.spool.join("tmp");
    std::fs::remove_dir(&tmp).unwrap();
    assert!(!agent.seal_batch(0).unwrap());
    let first = agent.retry.as_ref().unwrap().wait;
    assert!(agent.is_waiting(now()) && !agent.turn(Mode::Follow).unwrap());
    for _ in 0..10 {
        assert!(!agent.seal_batch(0).unwrap());
    }
    let retry = agent.retry.as_ref().unwrap();
    assert_eq!((first, retry.wait), (RETRY_MIN, RETRY_MAX));
    assert!(agent.status().trouble.unwrap().contains("tmp"));
    std::fs::create_dir(&tmp).unwrap();
    assert!(agent.seal_batch(0).unwrap());
    assert!(agent.retry.is_none());
}

#[test]
fn a_refused_batch_holds_its_stream_alone() {
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("auth", "*.log"), ("web", "*.web")]);
    let mut agent = Agent::open(&config).unwrap();
    let slot = agent.streams[0].head(&crate::testing::agent()).unwrap();
    let note = note(&config, &slot, "bad");
    let bad = Bad {
        reason: BadReason::Rot,
        detail: "body rotted".into(),
        at: clock::now(),
    };
    std::fs::write(&note, serde_json::to_vec(&bad).unwrap()).unwrap();
    let later = Now {
        boot_ms: now().boot_ms + 60_000,
        ..now()
    };
    agent.keep_up(later).unwrap();
    assert!(!agent.streams[0].may_read() && agent.streams[1].may_read());
    let held = agent.status().streams[0].held.clone().unwrap();
    assert!(held.contains("body rotted"), "{held}");
    std::fs::remove_file(&note).unwrap();
    std::fs::write(note.with_extension("conflict"), b"{}\n").unwrap();
    let later = Now {
        boot_ms: now().boot_ms + 120_000,
        ..now()
    };
    agent.keep_up(later).unwrap();
    assert!(agent.drain().unwrap().0[0].contains("held at web-01/auth/"));
}

fn note(config: &Config, slot: &Slot, extension: &str) -> PathBuf {
    let note = crate::spool::Layout::new(&config.spool).note(slot, extension);
    std::fs::create_dir_all(note.parent().unwrap()).unwrap();
    note
}

/// Bytes of every awkward kind.
fn awkward() -> Vec<(&'static str, Vec<u8>)> {
    let mut long = vec![b'l'; 3 * 1024 * 1024];
    long.push(b'\n');
    let all: Vec<u8> = (0..=255).collect();
    let mut many = Vec::new();
    for number in 0..40_000 {
        many.extend_from_slice(
            format!("{number} a line of some length, as logs have\n").as_bytes(),
        );
    }
    vec![
        ("crlf.log", b"one\r\ntwo\r\n\r\n".to_vec()),
        ("nul.log", b"\0\0\n\0x\n".to_vec()),
        ("bad.log", [&b"\xff\xfe\n"[..], &all, b"\n\xc3"].concat()),
        ("bom.log", b"\xef\xbb\xbfbom\n".to_vec()),
        ("open.log", b"first\nno newline at the end".to_vec()),
        ("long.log", long),
        ("empty.log", Vec::new()),
        ("many.log", many),
    ]
}

#[test]
fn a_drain_archives_every_byte_and_the_next_one_what_was_added() {
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("all", "*.log")]);
    for (name, bytes) in awkward() {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    let unfinished = Agent::open(&config).unwrap().drain().unwrap();
    assert_eq!(unfinished, Unfinished::default());
    let mut expected = awkward();
    for (name, bytes) in &mut expected {
        bytes.extend_from_slice(b" and more\n");
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    let unfinished = Agent::open(&config).unwrap().drain().unwrap();
    assert_eq!(unfinished, Unfinished::default());
    let audited = audit(&crate::spool::Layout::new(&config.spool), &name("all"));
    for (name, bytes) in expected {
        let path = dir.path().join(name).display().to_string();
        assert!(audited.file(&path) == bytes, "{name} is not rebuilt");
    }
}

#[test]
fn a_backlog_does_not_keep_fresh_lines_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("all", "*.log")]);
    let backlog = b"an old line of a file that nobody has read yet\n".repeat(200_000);
    std::fs::write(dir.path().join("backlog.log"), &backlog).unwrap();
    let mut agent = Agent::open(&config).unwrap();
    agent.scan(now());
    agent.turn(Mode::Follow).unwrap();
    let fresh = dir.path().join("fresh.log");
    std::fs::write(&fresh, b"fresh\n").unwrap();
    agent.scan(now());
    for _ in 0..3 {
        agent.turn(Mode::Follow).unwrap();
    }
    let status = |path: &Path| {
        let path = path.display().to_string();
        let health = agent.sources.health();
        health
            .into_iter()
            .find(|source| source.path.display() == path)
            .unwrap()
    };
    assert_eq!(status(&fresh).read, 6);
    let old = status(&dir.path().join("backlog.log"));
    assert!(
        old.read < old.size,
        "the backlog is far from done: {}",
        old.read
    );
}

#[test]
fn what_was_discarded_is_read_and_sealed_again() {
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("all", "*.log")]);
    let lines = b"a line that must not be lost\n".repeat(100_000);
    std::fs::write(dir.path().join("a.log"), &lines).unwrap();
    let mut agent = Agent::open(&config).unwrap();
    let tmp = config.spool.join("tmp");
    agent.scan(now());
    // The first block finds no folder to be written into, after others were taken.
    std::fs::remove_dir(&tmp).unwrap();
    for _ in 0..10 {
        agent.turn(Mode::Drain).unwrap();
    }
    assert!(agent.retry.is_some());
    let still = &agent.sources.health()[0];
    assert_eq!((still.sealed, still.read), (0, 0));
    std::fs::create_dir(&tmp).unwrap();
    agent.retry = None;
    assert_eq!(agent.drain().unwrap(), Unfinished::default());
    let audited = audit(&crate::spool::Layout::new(&config.spool), &name("all"));
    let path = dir.path().join("a.log").display().to_string();
    assert!(audited.file(&path) == lines);
}

/// Lines that hardly compress.
fn noise(bytes: usize) -> Vec<u8> {
    let mut roll: u32 = 7;
    let byte = || {
        roll = roll.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b'!' + u8::try_from(roll >> 26).unwrap()
    };
    let mut noise: Vec<u8> = std::iter::repeat_with(byte).take(bytes).collect();
    noise
        .iter_mut()
        .skip(999)
        .step_by(1000)
        .for_each(|byte| *byte = b'\n');
    noise
}

/// Gives every sealed batch of the stream a receipt, as the archiver does.
fn receipt_all(config: &Config, stream: &str) {
    let layout = crate::spool::Layout::new(&config.spool);
    for manifest in audit(&layout, &name(stream)).manifests {
        let file = std::fs::read(layout.batch(&manifest.slot()).join("manifest")).unwrap();
        let (line, _) = ledger::signature::split(&file).unwrap();
        receipt_for(&layout, &manifest.slot(), ledger::Digest::of(line));
    }
}

#[test]
fn a_full_spool_drains_once_what_is_in_the_store_may_go() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = made(dir.path(), &[("all", "*.log")]);
    config.spool_cap = 5 << 20;
    let lines = noise(5_000_000);
    let path = dir.path().join("a.log");
    std::fs::write(&path, &lines).unwrap();
    let unfinished = Agent::open(&config).unwrap().drain().unwrap();
    assert!(
        unfinished.0[1].contains("the spool is full"),
        "{unfinished:?}"
    );
    let layout = crate::spool::Layout::new(&config.spool);
    let before = audit(&layout, &name("all"));
    receipt_all(&config, "all");
    assert_eq!(
        Agent::open(&config).unwrap().drain().unwrap(),
        Unfinished::default()
    );
    // What is left begins amid the chain; with what went it is the whole file.
    let after = audit(&layout, &name("all"));
    let kept = after.manifests[0].seq;
    assert!(kept > 0, "nothing was deleted");
    let path = path.display().to_string();
    let went = before
        .manifests
        .iter()
        .filter(|manifest| manifest.seq < kept);
    let went: u64 = went
        .flat_map(|manifest| &manifest.sources)
        .map(|it| it.to - it.from)
        .sum();
    let went = usize::try_from(went).unwrap();
    assert!(before.file(&path)[..went] == lines[..went]);
    assert!(after.file(&path) == lines[went..]);
}
