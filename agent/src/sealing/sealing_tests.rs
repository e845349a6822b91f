//! Batches sealed into a temporary spool, read back with the ledger.

use super::seal_error::SealError;
use super::stream_state::{ManifestDraft, NewEpoch, SealedAt, SealedState, StreamState};
use crate::testing::{World, agent, manifest, stream};
use ledger::codec::Codec;
use ledger::entry;
use ledger::manifest::Kind;
use ledger::name::Slot;
use ledger::tree::{Tree, leaf};
use ledger::{Digest, Moment};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

fn slot(state: &SealedState) -> Slot {
    Slot {
        agent: agent(),
        stream: stream(),
        epoch: state.epoch,
        seq: state.head.seq,
    }
}

#[test]
fn a_sealed_batch_proves_its_entries() {
    let mut world = World::new();
    let mut spool = world.spool();
    let genesis = world.beat(&mut spool, &world.begin(1), Vec::new());
    let long = vec![b'x'; 700_000];
    let lines: [&[u8]; 5] = [b"a", b"", &long, &long, b"\xff\0"];
    let state = world.batch(&mut spool, &genesis, &lines).unwrap();
    let folder = spool.layout().batch(&slot(&state));
    let manifest = manifest(&folder);
    assert_eq!((manifest.kind, manifest.seq), (Kind::Batch, 1));
    assert_eq!(manifest.prev, Some(genesis.head));
    let stored = std::fs::read(folder.join("body")).unwrap();
    assert_eq!(
        Digest::of(&stored),
        manifest.stored.as_ref().unwrap().sha256
    );
    let mut tree = Tree::new();
    let codec = manifest.stored.unwrap().codec;
    assert_eq!(codec, Codec::Zstd, "the default");
    let blocks = manifest.blocks.unwrap();
    assert_eq!(blocks.len(), 2, "a block ends at the target");
    for block in &blocks {
        let from = usize::try_from(block.offset).unwrap();
        let packed = &stored[from..from + usize::try_from(block.size).unwrap()];
        assert_eq!(Digest::of(packed), block.sha256);
        let mut raw = Vec::new();
        codec.unpack(packed, block.raw, &mut raw).unwrap();
        for line in raw.split_inclusive(|byte| *byte == b'\n') {
            let line = &line[..line.len() - 1];
            let number = usize::try_from(tree.count()).unwrap();
            assert_eq!(entry::parse(line).unwrap().message, lines[number]);
            tree.push(leaf(line));
        }
    }
    assert_eq!((tree.count(), tree.root()), (5, manifest.entries.root));
}

#[test]
fn a_clock_that_goes_back_does_not_date_the_past() {
    let mut world = World::new();
    let mut spool = world.spool();
    let genesis = world.beat(&mut spool, &world.begin(1), Vec::new());
    let latest = genesis.head.sealed_max;
    let mut seal = |next: &StreamState| {
        let at = SealedAt {
            wall: Moment::from_micros(1),
            suspended_ms: 7,
            ..world.tick()
        };
        let draft = ManifestDraft {
            retention_s: 86_400,
            ..ManifestDraft::default()
        };
        let sealed = world.sealer.seal(&mut spool, next, None, draft, &[], at);
        let sealed = sealed.unwrap();
        let manifest = manifest(&spool.layout().batch(&slot(&sealed)));
        assert_eq!(manifest.time.sealed_max, latest);
        assert_eq!(manifest.time.suspended_ms, 7);
        sealed
    };
    let next = seal(&StreamState::After(genesis));
    // A new epoch inherits it.
    let begin = NewEpoch {
        stream: stream(),
        epoch: crate::testing::epoch(2),
        prev_epoch: vec![next.epoch_head()],
        heads_after: None,
        next_key: None,
        event: None,
    };
    seal(&StreamState::Begin(begin));
}

#[test]
fn modes_let_the_archivers_group_read_and_nobody_else() {
    let mut world = World::new();
    let mut spool = world.spool();
    let history = world.history(&mut spool);
    let folder = spool.layout().batch(&slot(&history[1]));
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
    for folder in [
        &folder,
        folder.parent().unwrap(),
        &spool.layout().sealed(),
        &spool.layout().tmp(),
        &spool.layout().receipts(),
    ] {
        assert_eq!(mode(folder), 0o2750, "{}", folder.display());
    }
    for file in ["body", "manifest", "cursors"] {
        assert_eq!(mode(&folder.join(file)), 0o640, "{file}");
    }
    assert_eq!(std::fs::read_dir(spool.layout().tmp()).unwrap().count(), 0);
}

#[test]
fn a_place_that_is_taken_stops_the_agent() {
    let mut world = World::new();
    let mut spool = world.spool();
    let history = world.history(&mut spool);
    let again = world.batch(&mut spool, &history[0], &[b"other"]);
    assert!(matches!(again, Err(SealError::Taken(_))));
    assert_eq!(std::fs::read_dir(spool.layout().tmp()).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_written_is_discarded_without_a_trace() {
    let mut world = World::new();
    let mut spool = world.spool();
    let genesis = world.beat(&mut spool, &world.begin(1), Vec::new());
    let before = spool.used();
    let tmp = spool.layout().tmp();
    std::fs::remove_dir(&tmp).unwrap();
    let failed = world.batch(&mut spool, &genesis, &[b"x"]);
    assert!(matches!(failed, Err(SealError::Discarded { .. })));
    assert_eq!(spool.used(), before);
    std::fs::create_dir(&tmp).unwrap();
    let state = world.batch(&mut spool, &genesis, &[b"x"]).unwrap();
    assert_eq!(state.head.seq, 1);
}

#[test]
fn the_spool_counts_what_a_new_count_finds() {
    let mut world = World::new();
    let mut spool = world.spool();
    world.history(&mut spool);
    let used = spool.used();
    assert!(used > 0);
    drop(spool);
    assert_eq!(world.spool().used(), used);
}
