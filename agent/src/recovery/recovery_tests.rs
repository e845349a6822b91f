//! Recovery from every state that a crash, a power cut or a meddler can leave behind.

use super::*;
use crate::recovery::snapshot::Snapshots;
use crate::sealing::stream_state::ManifestDraft;
use crate::testing::{World, agent, epoch, receipt, stream};
use ledger::Digest;
use ledger::manifest::Event;
use std::path::{Path, PathBuf};

fn recover(world: &World) -> StreamState {
    let layout = world.layout();
    layout.clear_tmp().unwrap();
    let (_, snapshot) = Snapshots::open(&world.state()).unwrap();
    let id = layout.id().unwrap();
    let recovery = Recovery {
        layout: &layout,
        spool_id: &id,
        agent: &agent(),
        keys: &[world.key],
    };
    let mut rolls = 100;
    let recovered = recovery.recover(&[stream()], snapshot, || {
        rolls += 1;
        Ok(epoch(rolls))
    });
    recovered.unwrap().streams.remove(0)
}

fn lost(next: &StreamState) -> Vec<(Epoch, u64)> {
    match next {
        StreamState::Begin(begin) => {
            assert_eq!(begin.event, Some(EventKind::StateLost));
            begin
                .prev_epoch
                .iter()
                .map(|head| (head.epoch, head.seq))
                .collect()
        }
        StreamState::After(state) => panic!("continues: {state:?}"),
    }
}

fn write(world: &World, states: &[&SealedState]) {
    let (mut snapshots, _) = Snapshots::open(&world.state()).unwrap();
    let snapshot = Snapshot {
        spool_id: world.layout().id().unwrap(),
        states: states.iter().map(|state| (*state).clone()).collect(),
        stored: Vec::new(),
        memory: Memory::default(),
    };
    snapshots.write(&snapshot).unwrap();
}

fn batch(world: &World, state: &SealedState) -> PathBuf {
    let epoch = state.epoch;
    let seq = state.head.seq;
    world
        .layout()
        .sealed()
        .join(format!("auth/{epoch}/{seq:020}"))
}

#[test]
fn an_empty_spool_begins_afresh() {
    let world = World::new();
    let StreamState::Begin(begin) = recover(&world) else {
        panic!("there is nothing to continue");
    };
    assert_eq!((begin.prev_epoch.len(), begin.event), (0, None));
}

#[test]
fn every_prefix_of_a_run_continues_where_it_ended() {
    // As kill -9 leaves it after each commit, with and without a snapshot of any earlier moment.
    for sealed in 1..=4 {
        for snapshot in 0..=sealed {
            let mut world = World::new();
            let mut spool = world.spool();
            let history = world.history(&mut spool);
            drop(spool);
            for state in &history[sealed..] {
                std::fs::remove_dir_all(batch(&world, state)).unwrap();
            }
            if let Some(state) = snapshot.checked_sub(1).map(|at| &history[at]) {
                write(&world, &[state]);
            }
            let end = StreamState::After(history[sealed - 1].clone());
            assert_eq!(recover(&world), end, "{sealed} sealed, snapshot {snapshot}");
            assert_eq!(recover(&world), end, "recovery changes nothing");
        }
    }
}

#[test]
fn what_was_still_open_never_happened() {
    let mut world = World::new();
    let mut spool = world.spool();
    let history = world.history(&mut spool);
    drop(spool);
    // Renamed back: a whole batch in tmp/, as before the rename; and parts of one.
    let tmp = world.layout().tmp();
    std::fs::rename(batch(&world, &history[3]), tmp.join("0123456789abcdef")).unwrap();
    std::fs::create_dir(tmp.join("1")).unwrap();
    std::fs::write(tmp.join("1/body"), b"\x1f\x8b").unwrap();
    std::fs::write(tmp.join("stray"), b"").unwrap();
    assert_eq!(recover(&world), StreamState::After(history[2].clone()));
    assert_eq!(std::fs::read_dir(tmp).unwrap().count(), 0);
}

#[test]
fn a_broken_snapshot_falls_back_to_the_one_before() {
    for broken in [
        &b""[..],
        b"garbage\n",
        b"{\"head\":{\"v\":2,\"spool_id\":\"x\"}}\n",
    ] {
        let mut world = World::new();
        let mut spool = world.spool();
        let history = world.history(&mut spool);
        drop(spool);
        write(&world, &[&history[1]]);
        std::fs::write(world.state().join("cursors.1"), broken).unwrap();
        std::fs::write(world.state().join(".tmp-1"), broken).unwrap();
        assert_eq!(recover(&world), StreamState::After(history[3].clone()));
        assert!(!world.state().join(".tmp-1").exists());
    }
}

#[test]
fn two_snapshots_are_kept_and_other_versions_are_refused() {
    let mut world = World::new();
    let mut spool = world.spool();
    let history = world.history(&mut spool);
    for state in &history {
        write(&world, &[state]);
    }
    assert!(!world.state().join("cursors.1").exists());
    let (_, newest) = Snapshots::open(&world.state()).unwrap();
    assert_eq!(newest.unwrap().states, [history[3].clone()]);
    for (version, why) in [
        (1, "written by an older holdfast-agent"),
        (3, "written by a newer holdfast-agent"),
    ] {
        let other = format!("{{\"head\":{{\"v\":{version},\"more\":[]}}}}\n");
        std::fs::write(world.state().join("cursors.9"), other).unwrap();
        let refused = Snapshots::open(&world.state()).unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
}

/// Seals a history, snapshots its end, meddles, and expects a new epoch that names `seq`.
fn meddle(name: &str, seq: u64, meddle: impl Fn(&World, &[SealedState])) {
    let mut world = World::new();
    let mut spool = world.spool();
    let history = world.history(&mut spool);
    drop(spool);
    write(&world, &[&history[3]]);
    meddle(&world, &history);
    assert_eq!(lost(&recover(&world)), [(epoch(1), seq)], "{name}");
}

#[test]
fn disagreement_begins_a_new_epoch_that_names_what_is_known() {
    // It was not in the store: nobody will ever see it there.
    meddle("head gone", 2, |world, history| {
        std::fs::remove_dir_all(batch(world, &history[3])).unwrap();
    });
    meddle("head gone, which was stored", 3, |world, history| {
        receipt(world, history[3].epoch, 3, history[3].head.sha256);
        std::fs::remove_dir_all(batch(world, &history[3])).unwrap();
    });
    meddle("another spool", 3, |world, _| {
        std::fs::write(
            world.layout().root().join("id"),
            ledger::spool::id_file("other"),
        )
        .unwrap();
    });
    meddle("head gone, another one stored", 2, |world, history| {
        receipt(world, history[3].epoch, 3, Digest::of(b"three"));
        std::fs::remove_dir_all(batch(world, &history[3])).unwrap();
    });
    meddle("head damaged, another one stored", 2, |world, history| {
        receipt(world, history[3].epoch, 3, Digest::of(b"three"));
        std::fs::write(batch(world, &history[3]).join("manifest"), b"").unwrap();
    });
    meddle("a hole", 1, |world, history| {
        write(world, &[&history[0]]);
        std::fs::remove_dir_all(batch(world, &history[2])).unwrap();
    });
}

#[test]
fn a_damaged_batch_ends_what_is_believed() {
    meddle(
        "empty, as after a rename without fsync",
        1,
        |world, history| {
            write(world, &[&history[1]]);
            std::fs::write(batch(world, &history[2]).join("manifest"), b"").unwrap();
        },
    );
    meddle("cursors of another batch", 0, |world, history| {
        write(world, &[&history[0]]);
        let (from, to) = (batch(world, &history[0]), batch(world, &history[1]));
        std::fs::copy(from.join("cursors"), to.join("cursors")).unwrap();
    });
    meddle("body cut", 0, |world, history| {
        write(world, &[&history[0]]);
        std::fs::write(batch(world, &history[1]).join("body"), b"x").unwrap();
    });
    meddle("swapped", 0, |world, history| {
        write(world, &[&history[0]]);
        let (one, two) = (batch(world, &history[1]), batch(world, &history[2]));
        std::fs::rename(&one, world.root().join("aside")).unwrap();
        std::fs::rename(&two, &one).unwrap();
        std::fs::rename(world.root().join("aside"), &two).unwrap();
    });
    meddle("a symlink in a file's place", 0, |world, history| {
        write(world, &[&history[0]]);
        let manifest = batch(world, &history[1]).join("manifest");
        std::fs::rename(&manifest, world.root().join("aside")).unwrap();
        std::os::unix::fs::symlink(world.root().join("aside"), manifest).unwrap();
    });
}

#[test]
fn without_state_the_spool_alone_is_enough_only_from_its_beginning() {
    let mut world = World::new();
    let mut spool = world.spool();
    let history = world.history(&mut spool);
    drop(spool);
    std::fs::remove_dir_all(batch(&world, &history[0])).unwrap();
    assert_eq!(lost(&recover(&world)), [(epoch(1), 3)]);
    for state in &history[1..] {
        std::fs::remove_dir_all(batch(&world, state)).unwrap();
    }
    // Of what is gone a receipt alone tells: who can say who wrote it?
    receipt(&world, epoch(1), 3, history[3].head.sha256);
    let StreamState::Begin(begin) = recover(&world) else {
        panic!("there is nothing to continue");
    };
    assert_eq!((begin.prev_epoch.len(), begin.event), (0, None));
}

#[test]
fn a_receipt_ahead_of_the_head_changes_nothing() {
    let mut world = World::new();
    let mut spool = world.spool();
    let history = world.history(&mut spool);
    drop(spool);
    for (in_epoch, seq) in [(1, 7), (1, 4), (2, 0)] {
        receipt(&world, epoch(in_epoch), seq, Digest::of(b"forged"));
    }
    let end = StreamState::After(history[3].clone());
    assert_eq!(recover(&world), end, "without a snapshot");
    for state in &history {
        write(&world, &[state]);
        assert_eq!(recover(&world), end);
    }
}

/// Whoever owns a file there could else keep the agent from starting.
#[test]
fn what_cannot_be_read_in_the_archivers_half_is_not_believed_and_ends_no_start() {
    let mut world = World::new();
    let mut spool = world.spool();
    let history = world.history(&mut spool);
    drop(spool);
    write(&world, &[&history[3]]);
    // Of a kind that says nothing of what would be there.
    let receipts = world.layout().receipts().join("auth");
    std::fs::write(&receipts, b"no folder").unwrap();
    assert_eq!(recover(&world), StreamState::After(history[3].clone()));
    std::fs::remove_dir_all(batch(&world, &history[3])).unwrap();
    assert_eq!(lost(&recover(&world)), [(epoch(1), 2)]);
}

#[test]
fn a_new_epoch_is_followed_before_a_snapshot_knows_of_it() {
    let mut world = World::new();
    let mut spool = world.spool();
    let history = world.history(&mut spool);
    let begin = NewEpoch {
        stream: stream(),
        epoch: epoch(2),
        prev_epoch: vec![history[3].epoch_head()],
        heads_after: None,
        next_key: None,
        event: Some(EventKind::StateLost),
    };
    let event = vec![Event::new(EventKind::StateLost)];
    let genesis = world.beat(&mut spool, &StreamState::Begin(begin), event);
    drop(spool);
    for snapshot in [None, Some(&history[0]), Some(&history[3]), Some(&genesis)] {
        if let Some(state) = snapshot {
            write(&world, &[state]);
        }
        assert_eq!(recover(&world), StreamState::After(genesis.clone()));
    }
}

/// So that every other stream is named in its turn, however often epochs change.
#[test]
fn a_new_epoch_continues_the_round_of_heads() {
    let mut world = World::new();
    let mut spool = world.spool();
    let history = world.history(&mut spool);
    let head = history[0].epoch_head().in_stream("web".parse().unwrap());
    let draft = ManifestDraft {
        heads: vec![head.clone()],
        retention_s: 86_400,
        ..ManifestDraft::default()
    };
    let next = StreamState::After(history[3].clone());
    let at = world.tick();
    let sealed = world.sealer.seal(&mut spool, &next, None, draft, &[], at);
    drop(spool);
    let gone = batch(&world, &sealed.unwrap());
    let StreamState::After(state) = recover(&world) else {
        panic!("nothing is lost");
    };
    assert_eq!(state.heads_after, Some(head.stream.clone()));
    write(&world, &[&state]);
    std::fs::remove_dir_all(gone).unwrap();
    let StreamState::Begin(begin) = recover(&world) else {
        panic!("the newest is gone");
    };
    assert_eq!(begin.heads_after, Some(head.stream));
}

#[test]
fn batches_of_another_key_are_not_believed() {
    let mut world = World::new();
    let mut spool = world.spool();
    world.history(&mut spool);
    drop(spool);
    let other = World::new();
    world.key = other.key;
    assert_eq!(lost(&recover(&world)), []);
    assert!(Path::new(&world.root()).exists());
}
