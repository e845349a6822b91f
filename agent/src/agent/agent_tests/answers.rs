//! What the archiver refuses is answered: with a new epoch that holds the same entries, whatever became of the logs.

use super::*;
use crate::spool::Layout;
use crate::testing::spool_audit::Audited;
use ledger::manifest::{Manifest, Reason};
use ledger::name::Epoch;
use ledger::signature;
use std::io::Write as _;

/// A stream whose batches 1 to 4 hold a line each of `a.log`; what is before `refused` has receipts.
struct Scene {
    dir: tempfile::TempDir,
    config: Config,
    agent: Option<Agent>,
    old: Epoch,
}

const LINES: [&str; 4] = ["one", "two", "three", "four"];

impl Scene {
    fn new(refused: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = made(dir.path(), &[("auth", "*.log"), ("web", "*.web")]);
        Self::made(refused, config, dir)
    }

    fn made(refused: u64, config: Config, dir: tempfile::TempDir) -> Self {
        let mut agent = Agent::open(&config).unwrap();
        let old = agent.streams.get(0).next().epoch();
        for line in LINES {
            append(&dir, line);
            read(&mut agent);
        }
        for manifest in &audit(&layout(&config), &name("auth")).manifests {
            if manifest.seq < refused {
                give_receipt(&layout(&config), manifest);
            }
        }
        Self {
            dir,
            config,
            agent: Some(agent),
            old,
        }
    }

    fn slot(&self, seq: u64) -> Slot {
        Slot {
            stream: name("auth"),
            ..crate::testing::slot(self.old, seq)
        }
    }

    fn refuse(&mut self, seq: u64, reason: BadReason) {
        refuse(&self.config, &self.slot(seq), reason);
        self.look();
    }

    fn answer(&mut self) {
        while self.agent().keep_up(Now::read()).unwrap() {}
        assert!(!self.agent().streams.get(0).is_answering());
    }

    fn agent(&mut self) -> &mut Agent {
        self.agent.as_mut().unwrap()
    }

    fn look(&mut self) {
        let agent = self.agent();
        agent.upkeep.look_for_receipts(&mut agent.streams);
    }

    fn save(&mut self) {
        let agent = self.agent();
        agent.upkeep.save(&mut agent.streams, in_s(0));
    }

    fn read_on(&mut self, line: &str) {
        append(&self.dir, line);
        read(self.agent());
    }

    fn status(&mut self) -> (String, u8) {
        let (codes, exit) = status_of(self.agent(), in_s(0));
        (codes[0].clone(), exit)
    }

    /// Kills the agent and starts another one.
    fn restart(&mut self) {
        drop(self.agent.take());
        self.agent = Some(Agent::open(&self.config).unwrap());
    }

    /// The epoch that the stream continues in, audited.
    fn new_epoch(&self) -> Audited {
        let epoch = self.agent.as_ref().unwrap().streams.get(0).next().epoch();
        assert_ne!(epoch, self.old);
        audit_epoch(&layout(&self.config), &name("auth"), epoch)
    }

    fn rot(&self, seq: u64) {
        let body = layout(&self.config).batch(&self.slot(seq)).join("body");
        let mut bytes = std::fs::read(&body).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(body, bytes).unwrap();
    }

    /// What the same agent signed for a place before its disk was set back.
    fn other_statement(&self, seq: u64) -> Vec<u8> {
        let mut manifest = crate::testing::manifest(&layout(&self.config).batch(&self.slot(seq)));
        manifest.heartbeat_s += 1;
        manifest.next_due = Some(manifest.time.sealed.plus_s(3 * manifest.heartbeat_s));
        let line = manifest.to_line().unwrap();
        let (private, _) = signing_key::load(&self.config.key).unwrap();
        let signed = signature::sign(&private, &line).unwrap();
        [&line[..], signed.as_bytes()].concat()
    }

    fn left(&self) -> Vec<u64> {
        layout(&self.config).seqs(&name("auth"), self.old).unwrap()
    }
}

fn layout(config: &Config) -> Layout {
    Layout::new(&config.spool)
}

fn append(dir: &tempfile::TempDir, line: &str) {
    let path = dir.path().join("a.log");
    let mut file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    writeln!(file, "{line}").unwrap();
}

fn read(agent: &mut Agent) {
    agent.scan(Now::read());
    while agent.turn(Mode::Follow).unwrap() {}
    agent.streams.seal_batch(0).unwrap();
}

fn lines(audited: &Audited) -> Vec<String> {
    let lines = audited.messages.iter();
    lines
        .map(|line| String::from_utf8(line.clone()).unwrap())
        .collect()
}

fn genesis(audited: &Audited) -> &Manifest {
    &audited.manifests[0]
}

/// What the genesis continues: the epoch and the seq.
fn continued(audited: &Audited) -> Vec<(Epoch, u64)> {
    let heads = genesis(audited).prev_epoch.iter().flatten();
    heads.map(|head| (head.epoch, head.seq)).collect()
}

#[test]
fn a_refused_batch_is_sealed_again_though_its_log_is_gone() {
    let mut scene = Scene::new(2);
    std::fs::remove_file(scene.dir.path().join("a.log")).unwrap();
    scene.refuse(2, BadReason::Rot);
    let streams = &scene.agent().streams;
    let (held, other) = (streams.get(0), streams.get(1));
    assert!(!held.may_read() && other.may_read());
    scene.answer();
    let audited = scene.new_epoch();
    assert_eq!(genesis(&audited).events[0].kind, EventKind::Rot);
    assert_eq!(continued(&audited), [(scene.old, 1)]);
    assert_eq!(lines(&audited), ["two", "three", "four"]);
    let first = &audited.manifests[1].sources[0];
    let was = first.was.as_ref().unwrap();
    assert_eq!((was.epoch, first.from, first.to), (scene.old, 4, 8));
    assert_eq!(audited.manifests[2].sources[0].was, None);
}

#[test]
fn a_refused_retention_is_answered_once_it_is_corrected() {
    let mut scene = Scene::new(0);
    scene.refuse(0, BadReason::Retention);
    assert!(!scene.agent().keep_up(Now::read()).unwrap());
    assert_eq!(scene.status(), ("held".to_owned(), 2));
    assert!(scene.agent().drain().unwrap().0[0].contains("held at web-01/auth/"));
    // What was sealed asks for more than the settings do later.
    let dir = tempfile::tempdir().unwrap();
    let config = made(dir.path(), &[("auth", "*.log"), ("web", "*.web")]);
    let text = std::fs::read_to_string(&config.path).unwrap();
    let longer = text.replace("retention = \"1d\"", "retention = \"2d\"");
    std::fs::write(&config.path, &longer).unwrap();
    let environment = host::settings::Environment::default();
    let config = Config::read(&config.path, &environment).unwrap();
    let mut scene = Scene::made(0, config, dir);
    scene.refuse(0, BadReason::Retention);
    std::fs::write(&scene.config.path, text).unwrap();
    scene.config = Config::read(&scene.config.path, &environment).unwrap();
    scene.restart();
    scene.answer();
    let audited = scene.new_epoch();
    assert_eq!(genesis(&audited).events[0].kind, EventKind::Retention);
    let retentions = audited.manifests.iter().map(|it| it.retention_max_s);
    assert!({ retentions }.all(|retention| retention == 86_400));
    assert_eq!(lines(&audited), LINES);
}

#[test]
fn after_an_answer_the_stream_is_read_on_and_what_is_void_goes() {
    let mut scene = Scene::new(2);
    // Read and not sealed: it is read again, into the new epoch.
    append(&scene.dir, "five");
    scene.agent().scan(Now::read());
    while scene.agent().turn(Mode::Follow).unwrap() {}
    scene.refuse(2, BadReason::Rot);
    scene.answer();
    scene.read_on("six");
    let expected = ["two", "three", "four", "five", "six"];
    assert_eq!(lines(&scene.new_epoch()), expected);
    assert_eq!(scene.status().1, 0);
    assert_eq!(scene.left(), [0, 1, 2, 3, 4]);
    for minutes in 1..4 {
        scene.agent().keep_up(in_s(60 * minutes)).unwrap();
    }
    assert_eq!(scene.left(), [0, 1], "both snapshots know what came of it");
    // Its mark is still there: nobody answers it once more.
    scene.restart();
    scene.answer();
    scene.read_on("seven");
    let audited = scene.new_epoch();
    assert_eq!(lines(&audited)[3..], ["five", "six", "seven"]);
    assert_eq!(
        layout(&scene.config).epochs(&name("auth")).unwrap().len(),
        2
    );
}

#[test]
fn an_answer_that_is_cut_anywhere_is_finished_by_the_next_start() {
    // Genesis and three batches: killed after each, and after the first snapshot that knows of it.
    for steps in 0..5 {
        for saved in [false, true] {
            let mut scene = Scene::new(2);
            scene.save();
            scene.refuse(2, BadReason::Rot);
            for _ in 0..steps.min(4) {
                let agent = scene.config.agent.clone();
                scene.agent().streams.answer_once(&agent, Now::read());
            }
            if saved {
                scene.save();
            }
            std::fs::remove_file(scene.dir.path().join("a.log")).unwrap();
            scene.restart();
            scene.answer();
            let audited = scene.new_epoch();
            assert_eq!(lines(&audited), ["two", "three", "four"], "{steps} {saved}");
            assert_eq!(continued(&audited), [(scene.old, 1)]);
        }
    }
}

#[test]
fn an_answer_goes_on_after_a_restart_where_the_log_was_read() {
    for steps in 0..5 {
        let mut scene = Scene::new(2);
        scene.refuse(2, BadReason::Rot);
        for _ in 0..steps.min(4) {
            let agent = scene.config.agent.clone();
            scene.agent().streams.answer_once(&agent, Now::read());
        }
        scene.restart();
        scene.answer();
        scene.read_on("five");
        let audited = scene.new_epoch();
        assert_eq!(lines(&audited), ["two", "three", "four", "five"], "{steps}");
        let epochs = layout(&scene.config).epochs(&name("auth")).unwrap();
        assert_eq!(epochs.len(), 2, "state is not lost");
    }
}

#[test]
fn rotten_bytes_are_read_again_from_their_log() {
    let mut scene = Scene::new(2);
    scene.rot(2);
    scene.rot(4);
    scene.refuse(2, BadReason::Rot);
    scene.answer();
    let audited = scene.new_epoch();
    assert_eq!(lines(&audited), ["two", "three", "four"]);
    assert_eq!(audited.events(), [EventKind::Rot]);
}

#[test]
fn rotten_bytes_that_no_log_holds_are_a_gap() {
    let mut scene = Scene::new(2);
    scene.rot(3);
    // Rewritten since: these are not the bytes that were sealed.
    std::fs::write(scene.dir.path().join("a.log"), "ONE\nTWO\nTHREE\nFOUR\n").unwrap();
    scene.refuse(2, BadReason::Rot);
    scene.answer();
    let audited = scene.new_epoch();
    assert_eq!(lines(&audited), ["two", "four"]);
    let gap = audited.manifests[2].events[0].clone();
    assert_eq!((gap.kind, gap.reason), (EventKind::Gap, Some(Reason::Rot)));
    assert_eq!((gap.from, gap.to), (Some(8), Some(14)));
}

#[test]
fn a_body_that_is_cut_short_is_read_again_too() {
    let mut scene = Scene::new(2);
    let body = layout(&scene.config).batch(&scene.slot(2)).join("body");
    std::fs::write(&body, "").unwrap();
    std::fs::remove_file(layout(&scene.config).batch(&scene.slot(3)).join("body")).unwrap();
    scene.refuse(2, BadReason::Rot);
    scene.answer();
    assert_eq!(lines(&scene.new_epoch()), ["two", "three", "four"]);
}

#[test]
fn a_statement_that_rotted_ends_the_agent_and_a_start_reads_the_log_again() {
    let mut scene = Scene::new(2);
    let manifest = layout(&scene.config).batch(&scene.slot(2)).join("manifest");
    std::fs::write(&manifest, "rot").unwrap();
    scene.refuse(2, BadReason::Rot);
    let ended = scene.agent().keep_up(Now::read()).unwrap_err();
    assert!(matches!(ended, RunError::Damaged(_)), "{ended}");
    scene.restart();
    scene.answer();
    scene.read_on("five");
    let audited = scene.new_epoch();
    assert_eq!(genesis(&audited).events[0].kind, EventKind::StateLost);
    assert_eq!(continued(&audited), [(scene.old, 1)]);
    assert_eq!(lines(&audited), ["two", "three", "four", "five"]);
    // And what is said of the old one is past, after a further start as well.
    scene.restart();
    scene.answer();
    scene.read_on("six");
    assert_eq!(lines(&scene.new_epoch()).len(), 5);
}

#[test]
fn a_refused_genesis_leaves_one_root() {
    let mut scene = Scene::new(0);
    scene.refuse(0, BadReason::Rot);
    scene.answer();
    let audited = scene.new_epoch();
    assert_eq!(continued(&audited), []);
    assert_eq!(lines(&audited), LINES);
    assert!(
        audited
            .manifests
            .iter()
            .all(|it| it.sources.iter().all(|one| one.was.is_none()))
    );
    scene.restart();
    scene.read_on("five");
    assert_eq!(lines(&scene.new_epoch()).len(), 5);
}

#[test]
fn a_conflict_is_answered_after_the_last_batch_that_both_agree_on() {
    let mut scene = Scene::new(3);
    let other = scene.other_statement(3);
    std::fs::write(mark(&scene.config, &scene.slot(3), Mark::Conflict), other).unwrap();
    scene.look();
    scene.answer();
    let audited = scene.new_epoch();
    assert_eq!(genesis(&audited).events[0].kind, EventKind::Rollback);
    assert_eq!(continued(&audited), [(scene.old, 2)]);
    assert_eq!(lines(&audited), ["three", "four"]);
}

#[test]
fn a_conflict_at_the_very_first_manifest_makes_no_second_root() {
    let mut scene = Scene::new(0);
    let other = scene.other_statement(0);
    let conflict = mark(&scene.config, &scene.slot(0), Mark::Conflict);
    std::fs::write(&conflict, &other).unwrap();
    scene.look();
    scene.answer();
    let audited = scene.new_epoch();
    let heads = genesis(&audited).prev_epoch.clone().unwrap();
    assert_eq!((heads[0].epoch, heads[0].seq), (scene.old, 0));
    let (line, _) = signature::split(&other).unwrap();
    assert_eq!(heads[0].sha256, ledger::Digest::of(line));
    assert_eq!(lines(&audited), LINES);
    scene.restart();
    scene.answer();
    scene.read_on("five");
    assert_eq!(lines(&scene.new_epoch()).len(), 5);
    assert_eq!(
        layout(&scene.config).epochs(&name("auth")).unwrap().len(),
        2
    );
}

/// Who writes to the archiver's half could else have the agent sign a rollback that never was.
#[test]
fn a_conflict_that_shows_no_other_statement_of_ours_is_not_answered() {
    for seq in [0, 3] {
        let mut scene = Scene::new(seq);
        let conflict = mark(&scene.config, &scene.slot(seq), Mark::Conflict);
        let manifest = |seq| {
            layout(&scene.config)
                .batch(&scene.slot(seq))
                .join("manifest")
        };
        let own = std::fs::read(manifest(seq)).unwrap();
        let next = std::fs::read(manifest(seq + 1)).unwrap();
        let mut torn = scene.other_statement(seq);
        torn[10] ^= 1;
        for file in [&b"{}\n"[..], &own, &next, &torn] {
            std::fs::write(&conflict, file).unwrap();
            scene.look();
            let busy = scene.agent().keep_up(Now::read()).unwrap();
            assert!(!busy && !scene.agent().streams.get(0).is_answering());
            assert_eq!(scene.status(), ("held".to_owned(), 2));
            assert!(scene.agent().streams.retry().is_none(), "others are read");
        }
        std::fs::remove_file(&conflict).unwrap();
        std::fs::create_dir(&conflict).unwrap();
        scene.agent().keep_up(Now::read()).unwrap();
        assert!(scene.agent().streams.retry().is_none(), "others are read");
        std::fs::remove_dir(&conflict).unwrap();
        scene.look();
        scene.read_on("five");
        assert_eq!(scene.agent().streams.get(0).next().epoch(), scene.old);
    }
}

#[test]
fn an_answer_that_is_refused_is_answered() {
    let mut scene = Scene::new(2);
    scene.refuse(2, BadReason::Rot);
    scene.answer();
    let first = scene.agent().streams.get(0).next().epoch();
    let bad = Bad {
        reason: BadReason::Rot,
        detail: "again".into(),
        at: host::clock::now(),
    };
    let slot = Slot {
        epoch: first,
        ..scene.slot(2)
    };
    let note = mark(&scene.config, &slot, Mark::Bad);
    std::fs::write(note, serde_json::to_vec(&bad).unwrap()).unwrap();
    for seq in 0..2 {
        let slot = Slot {
            seq,
            ..slot.clone()
        };
        let manifest = crate::testing::manifest(&layout(&scene.config).batch(&slot));
        give_receipt(&layout(&scene.config), &manifest);
    }
    scene.look();
    scene.answer();
    let audited = scene.new_epoch();
    assert_eq!(continued(&audited), [(first, 1)]);
    assert_eq!(lines(&audited), ["three", "four"]);
    scene.restart();
    scene.read_on("five");
    assert_eq!(lines(&scene.new_epoch()), ["three", "four", "five"]);
}
