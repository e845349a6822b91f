//! Spool or state is gone, or older than the other: what the logs still hold is archived, and every repetition is stated.

use super::*;
use crate::spool::Layout;
use crate::testing::spool_audit::Audited;
use ledger::name::Epoch;

/// A stream of which two logs are sealed, and the first so many of its manifests have receipts.
struct Scene {
    dir: tempfile::TempDir,
    config: Config,
    old: Epoch,
}

impl Scene {
    fn new(receipts: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = made(dir.path(), &[("auth", "*.log")]);
        let mut agent = Agent::open(&config).unwrap();
        for (log, line) in [("a.log", "one\n"), ("b.log", "two\n")] {
            std::fs::write(dir.path().join(log), line).unwrap();
            agent.scan(Now::read());
            while agent.turn(Mode::Follow).unwrap() {}
            agent.streams.seal_batch(0).unwrap();
        }
        let layout = Layout::new(&config.spool);
        for manifest in audit(&layout, &name("auth"))
            .manifests
            .iter()
            .take(receipts)
        {
            give_receipt(&layout, manifest);
        }
        agent.upkeep.look_for_receipts(&mut agent.streams);
        agent.upkeep.save(&mut agent.streams, in_s(0));
        agent.upkeep.save(&mut agent.streams, in_s(0));
        let old = agent.streams.get(0).next().epoch();
        kill(agent);
        Self { dir, config, old }
    }

    /// Takes away what was sealed from this number on, and receipts with it.
    fn lose_from(&self, seq: u64) {
        let spool = Layout::new(&self.config.spool);
        for seq in seq..3 {
            let slot = crate::testing::slot(self.old, seq);
            std::fs::remove_dir_all(spool.batch(&slot)).unwrap();
        }
        if seq == 0 {
            std::fs::remove_dir_all(spool.sealed().join("auth")).unwrap();
            std::fs::remove_dir_all(spool.receipts()).unwrap();
            std::fs::create_dir(spool.receipts()).unwrap();
        }
    }

    fn drain(&self) -> Audited {
        std::fs::write(self.dir.path().join("c.log"), "three\n").unwrap();
        let mut agent = Agent::open(&self.config).unwrap();
        let epoch = agent.streams.get(0).next().epoch();
        agent.drain().unwrap();
        audit_epoch(&Layout::new(&self.config.spool), &name("auth"), epoch)
    }
}

fn lines(audited: &Audited) -> Vec<String> {
    let lines = audited.messages.iter();
    let mut lines: Vec<_> = lines
        .map(|line| String::from_utf8(line.clone()).unwrap())
        .collect();
    lines.sort();
    lines
}

fn ambiguous(audited: &Audited) -> usize {
    let events = audited.events().into_iter();
    events.filter(|kind| *kind == EventKind::Ambiguous).count()
}

fn continued(audited: &Audited) -> Vec<(Epoch, u64)> {
    let heads = audited.manifests[0].prev_epoch.iter().flatten();
    heads.map(|head| (head.epoch, head.seq)).collect()
}

#[test]
fn a_spool_that_is_lost_before_it_was_archived_is_read_again() {
    // Receipts, what is lost from, what the new epoch continues, what is read.
    let all: &[&str] = &["one", "three", "two"];
    for (receipts, lost_from, head, read) in [
        (2, 0, Some(1), all),
        (0, 0, None, all),
        // What an older spool has is archived yet.
        (2, 2, Some(1), &["three", "two"]),
        (0, 2, Some(1), &["three", "two"]),
    ] {
        let scene = Scene::new(receipts);
        scene.lose_from(lost_from);
        let audited = scene.drain();
        let what = format!("{receipts} {lost_from}");
        let events = audited.manifests[0].events.iter().map(|it| it.kind);
        assert!(
            { events }.any(|kind| kind == EventKind::StateLost),
            "{what}"
        );
        let heads: Vec<_> = head.map(|seq| (scene.old, seq)).into_iter().collect();
        assert_eq!(continued(&audited), heads, "{what}");
        assert_eq!(lines(&audited), read, "{what}");
        assert_eq!(ambiguous(&audited), read.len(), "each may be a repetition");
        if head.is_none() {
            // The store may have its beginning: it is met there, and no second one is made.
            assert_eq!(audited.manifests[0].epoch, scene.old);
        }
    }
}

#[test]
fn a_spool_that_is_lost_after_it_was_archived_is_not_read_again() {
    let scene = Scene::new(3);
    scene.lose_from(0);
    let audited = scene.drain();
    assert_eq!(continued(&audited), [(scene.old, 2)]);
    assert_eq!(lines(&audited), ["three"]);
}

#[test]
fn sources_that_a_lost_state_no_longer_knows_say_that_they_may_repeat() {
    let scene = Scene::new(3);
    // As after the older ones were deleted: the last batch knows of one log alone.
    let spool = Layout::new(&scene.config.spool);
    for seq in 0..2 {
        std::fs::remove_dir_all(spool.batch(&crate::testing::slot(scene.old, seq))).unwrap();
    }
    for entry in std::fs::read_dir(&scene.config.state).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_str().unwrap().starts_with("cursors.") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    let audited = scene.drain();
    assert_eq!(continued(&audited), [(scene.old, 2)]);
    assert_eq!(
        lines(&audited),
        ["one", "three"],
        "two is known from the newest batch"
    );
    assert_eq!(ambiguous(&audited), 2);
    // What comes later is new.
    std::fs::write(scene.dir.path().join("d.log"), "four\n").unwrap();
    let later = scene.drain();
    assert_eq!((lines(&later).len(), ambiguous(&later)), (3, 2));
}

/// What a batch held whose statement is damaged, nobody can say; an answer that seals it again could not be made, and
/// each start met the refusal again.
#[test]
fn a_statement_that_is_damaged_is_lost_and_what_follows_it_is_read_again() {
    for (receipts, damaged, refused_first, pruned, read) in [
        (2, 2, false, 0, &["three", "two"][..]),
        (2, 2, true, 0, &["three", "two"]),
        (1, 1, true, 0, &["one", "three", "two"]),
        // What is left does not go back to the beginning, but to what is in the store.
        (1, 2, false, 1, &["three", "two"]),
        // Nothing is left: of what is in the store, nothing is known but its end.
        (2, 2, true, 2, &["one", "three", "two"]),
    ] {
        let scene = Scene::new(receipts);
        let spool = Layout::new(&scene.config.spool);
        let slot = crate::testing::slot(scene.old, damaged);
        std::fs::write(spool.batch(&slot).join("manifest"), "").unwrap();
        if refused_first {
            refuse(&scene.config, &slot, BadReason::Rot);
        }
        for seq in 0..pruned {
            let slot = crate::testing::slot(scene.old, seq);
            std::fs::remove_dir_all(spool.batch(&slot)).unwrap();
        }
        let what = format!("{receipts} {damaged} {refused_first} {pruned}");
        let audited = scene.drain();
        let genesis = &audited.manifests[0];
        assert_eq!(genesis.events[0].kind, EventKind::StateLost, "{what}");
        assert_eq!(
            continued(&audited),
            [(scene.old, damaged - 1)],
            "{what}: what is before it is archived yet"
        );
        assert_eq!(lines(&audited), read, "{what}");
        assert_eq!(ambiguous(&audited), read.len(), "{what}");
        refuse(&scene.config, &slot, BadReason::Rot);
        let again = scene.drain();
        assert_eq!(again.manifests[0].epoch, genesis.epoch, "{what}: answered");
        assert_eq!(lines(&again), read, "{what}: and the stream continues");
    }
}

/// Forged for batches whose receipts no snapshot knows: the new epoch would name a manifest that nobody ever signed.
#[test]
fn after_a_loss_no_receipt_is_believed_that_is_not_for_a_batch_that_is_here() {
    for real in [true, false] {
        let scene = Scene::new(0);
        let spool = Layout::new(&scene.config.spool);
        let at = |seq| crate::testing::slot(scene.old, seq);
        let manifest = crate::testing::manifest(&spool.batch(&at(1)));
        if real {
            give_receipt(&spool, &manifest);
        } else {
            crate::testing::receipt_for(&spool, &at(1), ledger::Digest::of(b"forged"));
        }
        crate::testing::receipt_for(&spool, &at(2), ledger::Digest::of(b"forged"));
        std::fs::write(spool.batch(&at(2)).join("manifest"), "").unwrap();
        std::fs::remove_dir_all(spool.batch(&at(0))).unwrap();
        let line = std::fs::read(spool.batch(&at(1)).join("manifest")).unwrap();
        let (line, _) = ledger::signature::split(&line).unwrap();
        let audited = scene.drain();
        let heads = audited.manifests[0].prev_epoch.clone().unwrap();
        let sealed = manifest.reference(ledger::Digest::of(line));
        assert_eq!(heads, [sealed.in_epoch(scene.old)], "{real}");
    }
}
