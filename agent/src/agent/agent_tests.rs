//! The whole agent on temporary folders, with real files and real clocks.

mod answers;
mod bytes;
mod losses;

use super::*;
use crate::bounds::{RETRY_MAX, RETRY_MIN, ROOM_RESUME};
use crate::sealing::signing_key;
use crate::testing::config;
use crate::testing::spool_audit::{audit, audit_epoch};
use ledger::manifest::{EventKind, Kind};
use ledger::name::{Name, Slot};
use ledger::receipt::{Bad, BadReason};
use ledger::spool::Mark;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn made(dir: &Path, streams: &[(&str, &str)]) -> Config {
    let config = config(dir, streams);
    crate::commands::init::init(&config).unwrap();
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
    crate::commands::init::init(&other).unwrap();
    let refused = Agent::open(&other).err().unwrap().to_string();
    assert!(
        refused.contains("another holdfast-agent runs on this spool"),
        "{refused}"
    );
    kill(first);
    kill(Agent::open(&config).unwrap());
}

#[test]
fn each_stream_names_the_others_newest_that_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let streams = [("auth", "*.log"), ("web", "*.web"), ("zone", "*.zone")];
    let config = made(dir.path(), &streams);
    let layout = crate::spool::Layout::new(&config.spool);
    let of = |stream: &str| audit(&layout, &name(stream)).manifests;
    Agent::open(&config).unwrap().drain().unwrap();
    let unnamed = of("auth").iter().all(|manifest| manifest.heads.is_none());
    assert!(unnamed, "nothing has a receipt");
    // The stop of web has none yet.
    for stream in ["auth", "web"] {
        for manifest in of(stream).iter().take(if stream == "web" { 1 } else { 2 }) {
            give_receipt(&layout, manifest);
        }
    }
    Agent::open(&config).unwrap().drain().unwrap();
    let named = |stream: &str| -> Vec<(String, u64)> {
        let heads = of(stream).last().unwrap().heads.clone().unwrap_or_default();
        let named = heads
            .into_iter()
            .map(|head| (head.stream.to_string(), head.seq));
        // Where a stream begins that never named one is random.
        named.collect::<BTreeMap<_, _>>().into_iter().collect()
    };
    assert_eq!(named("auth"), [("web".into(), 0)]);
    assert_eq!(named("web"), [("auth".into(), 1)]);
    assert_eq!(named("zone"), [("auth".into(), 1), ("web".into(), 0)]);
    // A closed stream stays named, for it can be cut back as well.
    let fewer = self::config(dir.path(), &streams[..2]);
    Agent::open(&fewer).unwrap().drain().unwrap();
    of("zone")
        .iter()
        .for_each(|manifest| give_receipt(&layout, manifest));
    Agent::open(&fewer).unwrap().drain().unwrap();
    let closed = of("zone").last().unwrap().seq;
    assert_eq!(named("auth"), [("web".into(), 0), ("zone".into(), closed)]);
    // Until their references have expired: what they name may be gone then.
    let agent = Agent::open(&fewer).unwrap();
    let later = |days: u64| Now {
        wall: Now::read().wall.plus_s(days * 86_400),
        ..Now::read()
    };
    assert_eq!(agent.streams.heads(0, later(0)).len(), 2);
    assert_eq!(agent.streams.heads(0, later(2)), []);
}

#[test]
fn a_killed_agent_names_no_earlier_head_than_before() {
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("auth", "*.log"), ("web", "*.web")]);
    let layout = crate::spool::Layout::new(&config.spool);
    let of = |stream: &str| audit(&layout, &name(stream)).manifests;
    let mut agent = Agent::open(&config).unwrap();
    let slot = of("web")[0].slot();
    give_receipt(&layout, &of("web")[0]);
    agent.streams.seal_batch(1).unwrap();
    agent.keep_up(Now::read()).unwrap();
    agent.upkeep.save(&mut agent.streams, Now::read());
    // After the last snapshot: a receipt, and a manifest that tells of it.
    give_receipt(&layout, &of("web")[1]);
    agent.upkeep.look_for_receipts(&mut agent.streams);
    agent.streams.seal_batch(0).unwrap();
    let named = || of("auth").iter().rev().find_map(|it| it.heads.clone());
    assert_eq!(named().unwrap()[0].seq, 1);
    kill(agent);
    // It takes a while to find the receipt among many; a power cut may have taken it.
    let later = Slot { seq: 1, ..slot };
    std::fs::remove_file(layout.mark(&later, Mark::Receipt)).unwrap();
    Agent::open(&config).unwrap().drain().unwrap();
    assert_eq!(of("auth").last().unwrap().heads, named());
    assert_eq!(named().unwrap()[0].seq, 1);
}

#[test]
fn a_new_key_signs_after_the_manifest_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("auth", "*.log"), ("web", "*.web")]);
    Agent::open(&config).unwrap().drain().unwrap();
    let key = || signing_key::load(&config.key).unwrap().1;
    let old = key();
    let rotated = Agent::open(&config).unwrap().rotate_key().unwrap();
    assert_eq!(rotated, Unfinished::default());
    let new = key();
    assert_ne!(old, new);
    Agent::open(&config).unwrap().drain().unwrap();
    let layout = crate::spool::Layout::new(&config.spool);
    for stream in ["auth", "web"] {
        let manifests = audit(&layout, &name(stream)).manifests;
        let named = manifests.iter().position(|it| it.next_key().is_some());
        let named = named.unwrap();
        assert_eq!(manifests[named].next_key(), Some(new));
        for (number, manifest) in manifests.iter().enumerate() {
            let file = layout.batch(&manifest.slot()).join("manifest");
            let file = std::fs::read(file).unwrap();
            let (_, block) = ledger::signature::split(&file).unwrap();
            let signer = ledger::signature::Signature::parse(block).unwrap().key();
            let expected = if number <= named { old } else { new };
            assert_eq!(signer, expected, "{stream} {number}");
        }
        assert!(manifests.len() > named + 1);
    }
}

#[test]
fn a_rotation_that_was_cut_leaves_each_stream_with_its_own_key() {
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("auth", "*.log"), ("web", "*.web")]);
    Agent::open(&config).unwrap().drain().unwrap();
    // Killed after the first stream said it.
    let mut agent = Agent::open(&config).unwrap();
    let (next, _) = agent.streams.keys_mut().begin(&config.agent).unwrap();
    agent
        .streams
        .stop_stream(&config.agent, 0, Some(next))
        .unwrap();
    kill(agent);
    // The agent runs on with both, and the rotation is done when it is asked for again.
    Agent::open(&config).unwrap().drain().unwrap();
    let rotated = Agent::open(&config).unwrap().rotate_key().unwrap();
    assert_eq!(rotated, Unfinished::default());
    assert_eq!(signing_key::load(&config.key).unwrap().1, next);
    Agent::open(&config).unwrap().drain().unwrap();
    let layout = crate::spool::Layout::new(&config.spool);
    for stream in ["auth", "web"] {
        let manifests = audit(&layout, &name(stream)).manifests;
        let named = manifests.iter().filter(|it| it.next_key().is_some());
        assert_eq!(named.count(), 1, "{stream}");
    }
}

fn give_receipt(layout: &crate::spool::Layout, manifest: &ledger::manifest::Manifest) {
    let slot = manifest.slot();
    let file = std::fs::read(layout.batch(&slot).join("manifest")).unwrap();
    let (line, _) = ledger::signature::split(&file).unwrap();
    crate::testing::receipt_for(layout, &slot, ledger::Digest::of(line));
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
        boot_ms: Now::read().boot_ms + after_ms,
        ..Now::read()
    };
    agent.keep_up(at(200_000)).unwrap();
    assert_eq!(agent.streams.get(0).sealed_state().unwrap().head.seq, 0);
    assert!(agent.waits.due_in_ms(&agent.streams, at(200_000)) <= 100_000);
    agent.keep_up(at(300_000)).unwrap();
    assert_eq!(agent.streams.get(0).sealed_state().unwrap().head.seq, 1);
}

#[test]
fn a_full_spool_is_said_once_and_resumed_once() {
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("auth", "*.log"), ("web", "*.web")]);
    let mut agent = Agent::open(&config).unwrap();
    let auth = name("auth");
    // Half the cap is the most that one stream may use; the other still reads.
    agent.streams.spool_mut().add(&auth, config.spool_cap / 2);
    for _ in 0..3 {
        agent.turn(Mode::Follow).unwrap();
        agent.keep_up(Now::read()).unwrap();
    }
    assert!(agent.streams.get(0).is_full() && !agent.streams.get(1).is_full());
    let status = agent.describe(Now::read(), true).head;
    let full: Vec<_> = status.reasons.iter().map(|it| it.code.as_str()).collect();
    assert_eq!((full[0], status.exit()), ("spool_full", 2));
    // Less than what resuming needs.
    agent.streams.spool_mut().subtract(&auth, ROOM_RESUME / 2);
    agent.turn(Mode::Follow).unwrap();
    assert!(agent.streams.get(0).is_full());
    kill(agent);
    // A start while it is full says nothing; here there is room again, so it continues.
    let mut agent = Agent::open(&config).unwrap();
    assert!(!agent.streams.get(0).is_full());
    agent.finish(None).unwrap();
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
    agent.keep_up(Now::read()).unwrap();
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
    assert!(!agent.streams.seal_batch(0).unwrap());
    let first = agent.streams.retry().unwrap().wait();
    assert!(agent.streams.is_waiting(Now::read()) && !agent.turn(Mode::Follow).unwrap());
    for _ in 0..10 {
        assert!(!agent.streams.seal_batch(0).unwrap());
    }
    let retry = agent.streams.retry().unwrap();
    assert_eq!((first, retry.wait()), (RETRY_MIN, RETRY_MAX));
    let why = agent.describe(Now::read(), true).head.reasons;
    assert_eq!(why[0].code, "spool_unwritable");
    assert!(why[0].detail.contains("tmp"), "{}", why[0]);
    std::fs::create_dir(&tmp).unwrap();
    assert!(agent.streams.seal_batch(0).unwrap());
    assert!(agent.streams.retry().is_none());
}

/// Codes of the reasons that the status gives, and its exit code.
fn status_of(agent: &mut Agent, now: Now) -> (Vec<String>, u8) {
    let head = agent.describe(now, true).head;
    let codes = head.reasons.iter().map(|reason| reason.code.clone());
    (codes.collect(), head.exit())
}

fn in_s(seconds: u64) -> Now {
    let now = Now::read();
    Now {
        wall: now.wall.plus_s(seconds),
        boot_ms: now.boot_ms + seconds * 1000,
        ..now
    }
}

#[test]
fn bytes_that_are_not_sealed_in_time_are_unhealthy() {
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("auth", "*.log")]);
    let mut agent = Agent::open(&config).unwrap();
    std::fs::write(dir.path().join("a.log"), "line\n").unwrap();
    agent.scan(in_s(0));
    assert_eq!(status_of(&mut agent, in_s(59)), (vec![], 0));
    let late = (vec!["unsealed".to_owned()], 2);
    assert_eq!(status_of(&mut agent, in_s(62)), late);
    // Read is not sealed.
    while agent.turn(Mode::Follow).unwrap() {}
    agent.scan(in_s(62));
    assert_eq!(status_of(&mut agent, in_s(62)), late);
    agent.streams.seal_batch(0).unwrap();
    agent.scan(in_s(62));
    assert_eq!(status_of(&mut agent, in_s(200)), (vec![], 0));
}

/// Its folder was replaced while the agent was down: nothing proves that the log is gone, and the agent was healthy.
#[test]
fn a_known_log_whose_folder_is_another_one_is_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("auth", "logs/*.log")]);
    let logs = dir.path().join("logs");
    std::fs::create_dir(&logs).unwrap();
    std::fs::write(logs.join("a.log"), "line\n").unwrap();
    Agent::open(&config).unwrap().drain().unwrap();
    std::fs::rename(&logs, dir.path().join("away")).unwrap();
    std::fs::create_dir(&logs).unwrap();
    let mut agent = Agent::open(&config).unwrap();
    for second in [0, 1, 2, 3] {
        agent.scan(in_s(second));
    }
    let codes = |agent: &mut Agent, second| {
        agent.scan(in_s(second));
        status_of(agent, in_s(second))
    };
    assert_eq!(codes(&mut agent, 50), (vec!["no_match".to_owned()], 0));
    let missing = vec!["missing".to_owned(), "no_match".to_owned()];
    assert_eq!(codes(&mut agent, 70), (missing, 0));
    std::fs::remove_dir(&logs).unwrap();
    std::fs::rename(dir.path().join("away"), &logs).unwrap();
    assert_eq!(codes(&mut agent, 71), (vec![], 0));
}

#[test]
fn batches_that_wait_for_a_receipt_and_become_more_are_unhealthy() {
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("auth", "*.log")]);
    let mut agent = Agent::open(&config).unwrap();
    assert_eq!(status_of(&mut agent, in_s(0)), (vec![], 0));
    assert_eq!(status_of(&mut agent, in_s(1000)), (vec![], 0), "no more");
    agent.streams.seal_batch(0).unwrap();
    let late = (vec!["unarchived".to_owned()], 2);
    assert_eq!(status_of(&mut agent, in_s(1301)), late);
    let layout = crate::spool::Layout::new(&config.spool);
    for manifest in audit(&layout, &name("auth")).manifests {
        give_receipt(&layout, &manifest);
    }
    agent.upkeep.look_for_receipts(&mut agent.streams);
    assert_eq!(status_of(&mut agent, in_s(1302)), (vec![], 0));
}

#[test]
fn receipts_that_cannot_be_read_are_unhealthy() {
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("auth", "*.log")]);
    let mut agent = Agent::open(&config).unwrap();
    let receipts = config.spool.join("receipts");
    std::fs::remove_dir(&receipts).unwrap();
    std::os::unix::fs::symlink(dir.path(), &receipts).unwrap();
    agent.upkeep.look_for_receipts(&mut agent.streams);
    let unreadable = (vec!["receipts_unreadable".to_owned()], 2);
    assert_eq!(status_of(&mut agent, in_s(0)), unreadable);
    std::fs::remove_file(receipts).unwrap();
    agent.upkeep.look_for_receipts(&mut agent.streams);
    assert_eq!(status_of(&mut agent, in_s(0)), (vec![], 0));
    // What is said against one batch and cannot be read is of its stream alone.
    let slot = agent.streams.get(0).head(&crate::testing::agent()).unwrap();
    std::fs::create_dir(mark(&config, &slot, Mark::Bad)).unwrap();
    agent.upkeep.look_for_receipts(&mut agent.streams);
    let held = (vec!["held".to_owned()], 2);
    assert_eq!(status_of(&mut agent, in_s(0)), held);
}

#[test]
fn a_snapshot_that_cannot_be_written_is_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("auth", "*.log")]);
    let mut agent = Agent::open(&config).unwrap();
    let aside = dir.path().join("aside");
    std::fs::rename(&config.state, &aside).unwrap();
    agent.upkeep.save(&mut agent.streams, in_s(0));
    assert_eq!(
        status_of(&mut agent, in_s(0)),
        (vec!["snapshot".to_owned()], 0)
    );
    std::fs::rename(&aside, &config.state).unwrap();
    agent.upkeep.save(&mut agent.streams, in_s(0));
    assert_eq!(status_of(&mut agent, in_s(0)), (vec![], 0));
}

/// The archiver refuses a batch.
fn refuse(config: &Config, slot: &Slot, reason: BadReason) {
    let bad = Bad {
        reason,
        detail: "as told".into(),
        at: host::clock::now(),
    };
    std::fs::write(
        mark(config, slot, Mark::Bad),
        serde_json::to_vec(&bad).unwrap(),
    )
    .unwrap();
}

fn mark(config: &Config, slot: &Slot, mark: Mark) -> PathBuf {
    let path = crate::spool::Layout::new(&config.spool).mark(slot, mark);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    path
}
