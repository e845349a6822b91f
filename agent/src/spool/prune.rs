//! Which sealed batches may go.
//!
//! A batch goes only when it is in the store for certain (its receipt names its manifest's hash),
//! when both snapshots know what came after it, and never as its stream's newest. Void batches have no receipt:
//! they go once they are sealed again and both snapshots know it; those of an epoch that was lost stay.

use crate::bounds::PRUNE_MAX;
use crate::spool::receipts::receipted;
use crate::spool::{Layout, Spool, weigh};
use host::disk;
use ledger::limits::MANIFEST_FILE_MAX;
use ledger::name::{Epoch, Name, Slot};
use ledger::spool::Mark;
use ledger::{Digest, Moment, signature};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

/// What must still be kept.
#[derive(Debug)]
pub(crate) struct Keep<'a> {
    pub(crate) agent: &'a Name,
    /// By stream, the newest batch that every kept snapshot covers.
    pub(crate) covered: &'a BTreeMap<Name, (Epoch, u64)>,
    /// By stream, the newest batch of which every kept snapshot knows the receipt.
    pub(crate) stored: &'a BTreeMap<Name, (Epoch, u64)>,
    /// By stream, the newest batch.
    pub(crate) newest: &'a BTreeMap<Name, (Epoch, u64)>,
    /// Streams of which nothing goes, for what comes after a refused batch is not settled yet.
    pub(crate) frozen: &'a BTreeSet<Name>,
    /// How long a batch stays although it has a receipt; no time at all while the spool is full.
    pub(crate) keep: Duration,
    pub(crate) now: Moment,
}

/// Deletes what may go, at most [`PRUNE_MAX`] batches; how many went. A stream of which something cannot be read keeps
/// its own batches, not those of others.
///
/// # Errors
/// The spool cannot be listed.
pub(crate) fn prune(spool: &mut Spool, keep: &Keep<'_>) -> io::Result<usize> {
    let mut gone = 0;
    for stream in spool.layout().streams()? {
        if keep.frozen.contains(&stream) {
            continue;
        }
        if let Err(error) = prune_stream(spool, &stream, keep, &mut gone) {
            tracing::warn!(%stream, %error, "old batches cannot be deleted; tried again later");
        }
    }
    Ok(gone)
}

/// Counts what goes in `gone`, which holds after an error too.
fn prune_stream(
    spool: &mut Spool,
    stream: &Name,
    keep: &Keep<'_>,
    gone: &mut usize,
) -> io::Result<()> {
    let layout = spool.layout().clone();
    for epoch in layout.epochs(stream)? {
        for seq in layout.seqs(stream, epoch)? {
            let slot = Slot {
                agent: keep.agent.clone(),
                stream: stream.clone(),
                epoch,
                seq,
            };
            if *gone == PRUNE_MAX || !may_go(&layout, &slot, keep)? {
                break;
            }
            let bytes = weigh(&layout.batch(&slot))?;
            delete(&layout, &slot)?;
            spool.subtract(stream, bytes);
            *gone += 1;
        }
    }
    Ok(())
}

/// Deletes void batches of a stream that are sealed again, at most [`PRUNE_MAX`]; how many went. From the end of each
/// epoch: its genesis, which says what the epoch is, goes last.
///
/// # Errors
/// What the system says; what went before stays gone.
pub(crate) fn delete_void(
    spool: &mut Spool,
    agent: &Name,
    stream: &Name,
    is_void: impl Fn(Epoch, u64) -> bool,
) -> io::Result<usize> {
    let layout = spool.layout().clone();
    let mut gone = 0;
    for epoch in layout.epochs(stream)? {
        let seqs = layout.seqs(stream, epoch)?.into_iter().rev();
        for seq in seqs.filter(|seq| is_void(epoch, *seq)) {
            if gone == PRUNE_MAX {
                return Ok(gone);
            }
            let slot = Slot {
                agent: agent.clone(),
                stream: stream.clone(),
                epoch,
                seq,
            };
            let bytes = weigh(&layout.batch(&slot))?;
            delete(&layout, &slot)?;
            spool.subtract(stream, bytes);
            gone += 1;
        }
    }
    Ok(gone)
}

fn may_go(layout: &Layout, slot: &Slot, keep: &Keep<'_>) -> io::Result<bool> {
    let (Some(covered), Some(newest)) = (
        keep.covered.get(&slot.stream),
        keep.newest.get(&slot.stream),
    ) else {
        return Ok(false);
    };
    // An epoch that the snapshots have left behind is covered whole.
    let is_covered = covered.0 != slot.epoch || slot.seq <= covered.1;
    if !is_covered || *newest == (slot.epoch, slot.seq) || newest.0 != covered.0 {
        return Ok(false);
    }
    // Other streams' manifests name the newest one that is stored: which that is must outlive it.
    let is_known_stored = match keep.stored.get(&slot.stream) {
        Some((epoch, seq)) if *epoch == slot.epoch => slot.seq <= *seq,
        Some((epoch, _)) => *epoch == newest.0,
        None => false,
    };
    if !is_known_stored {
        return Ok(false);
    }
    let manifest = layout.batch(slot).join(ledger::spool::MANIFEST);
    if age(&manifest, keep.now)? < keep.keep {
        return Ok(false);
    }
    // One that cannot be read keeps its own batch, and no other stream's.
    let receipt = receipted(layout, slot).unwrap_or_else(|error| {
        tracing::warn!(%slot, %error, "the receipt cannot be read");
        None
    });
    let file = disk::read_bounded(&manifest, MANIFEST_FILE_MAX as u64)?;
    let line = signature::split(&file)
        .ok()
        .map(|(line, _)| Digest::of(line));
    let matches = receipt.map(|receipt| receipt.sha256) == line;
    let marks = layout.marks(&slot.stream, slot.epoch)?;
    if !matches && marks.has(slot.seq, Mark::Receipt)? {
        tracing::warn!(%slot, "what stands as its receipt is none for this manifest; the batch stays");
    }
    Ok(matches && line.is_some())
}

fn age(path: &Path, now: Moment) -> io::Result<Duration> {
    let written = path.metadata()?.modified()?;
    let now = UNIX_EPOCH + Duration::from_micros(now.micros());
    Ok(now.duration_since(written).unwrap_or_default())
}

/// Takes a batch out of sight in one step, then apart.
fn delete(layout: &Layout, slot: &Slot) -> io::Result<()> {
    tracing::debug!(step = "delete", %slot);
    let batch = layout.batch(slot);
    let aside = layout.tmp().join(disk::random_name()?);
    disk::rename_new(&batch, &aside)?;
    // A crash here leaves the batch in tmp/, swept at the next start; or, after a power cut, back in
    // its place: then its receipt is still there, or the archiver finds it in the store again.
    disk::sync_dir(batch.parent().unwrap_or(&batch))?;
    std::fs::remove_dir_all(&aside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sealing::stream_state::SealedState;
    use crate::testing::{World, agent, epoch, receipt, stream};

    /// Seqs of the history that are still there after a prune: what snapshots cover, and know as stored.
    fn left(
        world: &World,
        spool: &mut Spool,
        (covered, stored): (u64, u64),
        keep: Duration,
    ) -> Vec<u64> {
        let heads = |seq| BTreeMap::from([(stream(), (epoch(1), seq))]);
        let (covered, stored, newest) = (heads(covered), heads(stored), heads(3));
        let keep = Keep {
            agent: &agent(),
            covered: &covered,
            stored: &stored,
            newest: &newest,
            frozen: &BTreeSet::new(),
            keep,
            now: host::clock::now(),
        };
        prune(spool, &keep).unwrap();
        world.layout().seqs(&stream(), epoch(1)).unwrap()
    }

    fn history() -> (World, Spool, Vec<SealedState>) {
        let mut world = World::new();
        let mut spool = world.spool();
        let history = world.history(&mut spool);
        (world, spool, history)
    }

    #[test]
    fn only_what_is_in_the_store_covered_and_not_newest_goes() {
        const DAY: Duration = Duration::from_secs(86_400);
        // Receipts for the first so many; snapshots cover, and know as stored, up to; how long to keep: what stays.
        for (receipts, covered, keep, stays) in [
            (0, (3, 3), Duration::ZERO, vec![0, 1, 2, 3]),
            (4, (3, 3), DAY, vec![0, 1, 2, 3]),
            (2, (3, 3), Duration::ZERO, vec![2, 3]),
            (4, (1, 1), Duration::ZERO, vec![2, 3]),
            (4, (3, 0), Duration::ZERO, vec![1, 2, 3]),
            (4, (3, 3), Duration::ZERO, vec![3]),
        ] {
            let (world, mut spool, history) = history();
            for state in &history[..receipts] {
                receipt(&world, state.epoch, state.head.seq, state.head.sha256);
            }
            let left = left(&world, &mut spool, covered, keep);
            assert_eq!(left, stays, "{receipts} receipts, covered to {covered:?}");
            let used = spool.used();
            drop(spool);
            assert_eq!(world.spool().used(), used, "what went is no longer counted");
            assert_eq!(std::fs::read_dir(world.layout().tmp()).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_receipt_for_another_manifest_frees_nothing() {
        let (world, mut spool, history) = history();
        for state in &history {
            receipt(&world, state.epoch, state.head.seq, Digest::of(b"another"));
        }
        assert_eq!(
            left(&world, &mut spool, (3, 3), Duration::ZERO),
            [0, 1, 2, 3]
        );
    }

    /// A pipe in a receipt's place stopped the deletion of all streams' batches.
    #[test]
    fn a_fifo_as_receipt_keeps_its_own_batch_alone() {
        let (world, mut spool, history) = history();
        for state in &history {
            receipt(&world, state.epoch, state.head.seq, state.head.sha256);
        }
        let all = std::fs::read_dir(world.layout().sealed()).unwrap().count();
        assert_eq!(all, 1);
        // Of a stream that comes before, the first receipt is a pipe.
        let other: Name = "aaa".parse().unwrap();
        let (from, to) = (
            world.layout().sealed().join("auth"),
            world.layout().sealed().join("aaa"),
        );
        let copied = std::process::Command::new("cp")
            .arg("-a")
            .args([&from, &to])
            .status();
        assert!(copied.unwrap().success());
        let slot = Slot {
            agent: agent(),
            stream: other.clone(),
            epoch: epoch(1),
            seq: 0,
        };
        let pipe = world.layout().mark(&slot, Mark::Receipt);
        std::fs::create_dir_all(pipe.parent().unwrap()).unwrap();
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        let made = rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0);
        made.unwrap();
        let heads = |seq| {
            BTreeMap::from([
                (stream(), (epoch(1), seq)),
                (other.clone(), (epoch(1), seq)),
            ])
        };
        let (covered, newest) = (heads(3), heads(3));
        let keep = Keep {
            agent: &agent(),
            covered: &covered,
            stored: &covered,
            newest: &newest,
            frozen: &BTreeSet::new(),
            keep: Duration::ZERO,
            now: host::clock::now(),
        };
        assert_eq!(prune(&mut spool, &keep).unwrap(), 3);
        let left = |stream: &Name| world.layout().seqs(stream, epoch(1)).unwrap();
        assert_eq!((left(&stream()), left(&other)), (vec![3], vec![0, 1, 2, 3]));
    }
}
