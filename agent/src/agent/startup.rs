//! Starting: locks, key, recovery, and the agent put together from what they give.

use super::heads::HeadsPace;
use super::resuming::finish_answers;
use super::stream::{ClosedStream, RunningStream};
use super::streams::Streams;
use super::upkeep::Upkeep;
use crate::config::{Config, StartAt};
use crate::find::Watch;
use crate::now::Now;
use crate::recovery::adoption::{AdoptError, Adoptions};
use crate::recovery::sealed_batch::SealedBatches;
use crate::recovery::snapshot::{Snapshot, SnapshotError, Snapshots};
use crate::recovery::{RecoverError, Recovered, Recovery};
use crate::sealing::own_keys::OwnKeys;
use crate::sealing::seal_error::SealError;
use crate::sealing::sealer::Sealer;
use crate::sealing::signing_key::KeyError;
use crate::sealing::stream_state::Common;
use crate::sealing::stream_state::StreamState;
use crate::spool::receipts::is_newer;
use crate::spool::{Layout, Spool, SpoolError};
use crate::sys;
use crate::track::checkpoint::Memory;
use crate::track::{Budget, Setup, SkipRule, Tracker};
use host::clock;
use host::lock::{Lock, LockError};
use ledger::codec::Compressor;
use ledger::entry::PathBytes;
use ledger::manifest::{EpochHead, StreamHead};
use ledger::name::{Epoch, Name};
use ledger::signature::Key;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often, and how far apart, the state's lock is tried for before it counts as held.
const LOCK_TRIES: u32 = 5;
const LOCK_WAIT: Duration = Duration::from_millis(50);

/// Why an agent cannot start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is none, another agent has it, or it cannot be opened.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Another agent has this state.
    #[error("{}: another holdfast-agent runs with this state; stop it first", .0.display())]
    Locked(PathBuf),
    /// The state folder.
    #[error("{}: {source}", path.display())]
    State {
        /// The file or folder that cannot be used.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A snapshot by a newer agent.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The spool cannot be read.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// What `init --after` left.
    #[error(transparent)]
    Adopt(#[from] AdoptError),
    /// A sealed batch that the archiver refuses, and of which not even the statement is whole.
    #[error("{0}: sealed and damaged since; the next start continues from what is before it")]
    Damaged(String),
    /// A batch that may or may not be sealed, or cannot ever be.
    #[error(transparent)]
    Seal(#[from] SealError),
}

/// What a running agent is made of.
pub(super) struct Started {
    pub(super) streams: Streams,
    pub(super) upkeep: Upkeep,
    pub(super) started: Now,
    pub(super) lock: Lock,
}

/// Takes spool and state, and finds out where everything stands.
pub(super) fn start(config: &Config) -> Result<Started, RunError> {
    // First, for it says what to do on a host that was not set up.
    Layout::new(&config.spool).id()?;
    let keys = OwnKeys::load(&config.key, &config.state)?;
    let lock = take_lock(config)?;
    let mut spool = Spool::open(&config.spool, config.spool_cap, config.streams.len())?;
    if let Err(error) = spool.layout().clear_tmp() {
        tracing::warn!(%error, "open batches of earlier runs stay");
    }
    let boot_id = clock::boot_id().map_err(|source| RunError::State {
        path: "/proc/sys/kernel/random/boot_id".into(),
        source,
    })?;
    let (snapshots, snapshot) = Snapshots::open(&config.state)?;
    let upkeep = Upkeep::new(
        config.agent.clone(),
        config.spool_keep,
        snapshots,
        snapshot.as_ref(),
    );
    let known = stored_heads(snapshot.as_ref());
    let started = Now::read();
    let mut recovered = recover(config, &spool, &keys.all(), snapshot, started)?;
    let common = Common {
        agent: config.agent.clone(),
        heartbeat_s: config.heartbeat.as_secs(),
        config_sha256: config.sha256,
        boot_id,
    };
    let compressor = Compressor::new(config.codec, config.level).map_err(SealError::from)?;
    let mut sealer = Sealer::new(common, keys, compressor);
    finish_answers(config, &mut spool, &mut sealer, &mut recovered)?;
    // After that, for an epoch that begins ends the one that answers.
    Adoptions::apply(&config.state, &mut recovered.streams, || {
        new_epoch(started)
            .map_err(RecoverError::Random)
            .map_err(RunError::from)
    })?;
    let mut tracker = tracker(config, &recovered.streams, boot_id);
    let mut memory = std::mem::take(&mut recovered.memory);
    forget(config, &recovered.forgotten, &mut memory);
    tracker.restore(memory);
    for next in &recovered.streams {
        if next.has_lost_state() {
            tracker.doubt(next.stream());
        }
    }
    let (mut streams, closed) = put_together(config, recovered, &known, &mut tracker, started);
    let keys = sealer.all_keys();
    let batches = SealedBatches {
        layout: spool.layout(),
        agent: &config.agent,
        keys: &keys,
    };
    for stream in &mut streams {
        stream.read_voids(&batches)?;
    }
    let streams = Streams::new(
        tracker,
        sealer,
        spool,
        streams,
        closed,
        HeadsPace::new(config.heartbeat, config.seal_age, random_place()?),
    );
    Ok(Started {
        streams,
        upkeep,
        started,
        lock,
    })
}

/// Logs that are over and that a stream which is read again would take are not known to be archived.
fn forget(config: &Config, streams: &[Name], memory: &mut Memory) {
    let wants = |path: &PathBytes| {
        let path = Path::new(OsStr::from_bytes(&path.0));
        let mut wanting = config.streams.iter();
        wanting.any(|stream| streams.contains(&stream.name) && stream.watch.wants(path))
    };
    memory.finished.retain(|log| !wants(log.path()));
}

/// The streams as they were found: those that run or leave, and those that are closed.
fn put_together(
    config: &Config,
    recovered: Recovered,
    known: &BTreeMap<Name, EpochHead>,
    tracker: &mut Tracker,
    started: Now,
) -> (Vec<RunningStream>, Vec<ClosedStream>) {
    let named = recovered.named;
    let stored = |stream: &Name, current| newest_stored(known, &named, stream, current);
    let mut streams = Vec::new();
    for (next, stream) in recovered.streams.into_iter().zip(&config.streams) {
        let next_id = next.sealed_state().map_or(0, |state| state.next_source);
        tracker.begin_epoch(&stream.name, next.epoch(), next_id);
        let stored = stored(&stream.name, next.epoch());
        streams.push(RunningStream::new(
            next,
            stored,
            stream.retention_s,
            started,
        ));
    }
    let leaving = recovered.leaving.into_iter();
    streams.extend(leaving.map(|next| {
        let stored = stored(next.stream(), next.epoch());
        RunningStream::leaving(next, stored, started)
    }));
    let closed = recovered.closed.into_iter().map(|state| {
        let stored = stored(&state.stream, state.epoch);
        ClosedStream::new(state, stored)
    });
    (streams, closed.collect())
}

/// An epoch that begins now.
pub(super) fn new_epoch(now: Now) -> io::Result<Epoch> {
    let mut roll = [0; 10];
    getrandom::fill(&mut roll).map_err(io::Error::other)?;
    Ok(Epoch::new(now.wall.micros() / 1000, &roll))
}

/// A tracker that knows nothing yet. `streams` are the configured ones, as they stand.
fn tracker(config: &Config, streams: &[StreamState], boot_id: Epoch) -> Tracker {
    let watches: Vec<Watch> = config.streams.iter().map(|it| it.watch.clone()).collect();
    let budget = Budget::new(sys::raise_descriptor_limit(), config.streams.len());
    sys::end_logs_at(budget.end);
    let skips = config.streams.iter().zip(streams);
    let skips = skips.map(|(stream, next)| SkipRule {
        first_scan: stream.start == StartAt::End && next.is_the_first(),
        older: stream.ignore_older,
    });
    Tracker::new(Setup {
        watches,
        skips: skips.collect(),
        own: config.own_files(),
        boot_id,
        budget,
        open_after: config.seal_age,
    })
}

/// What a snapshot knows of each stream's newest manifest with a receipt.
fn stored_heads(snapshot: Option<&Snapshot>) -> BTreeMap<Name, EpochHead> {
    let heads = snapshot.iter().flat_map(|snapshot| &snapshot.stored);
    heads
        .map(|head| (head.stream.clone(), head.epoch_head()))
        .collect()
}

/// A stream's newest manifest with a receipt: what the snapshot knows, or what manifests have named since.
fn newest_stored(
    known: &BTreeMap<Name, EpochHead>,
    named: &[StreamHead],
    stream: &Name,
    current: Epoch,
) -> Option<EpochHead> {
    let known = known.get(stream).copied();
    let named = named.iter().filter(|head| head.stream == *stream);
    named.fold(known, |known, head| {
        let newer = is_newer((head.epoch, head.seq), known, current);
        if newer {
            Some(head.epoch_head())
        } else {
            known
        }
    })
}

/// Where a stream that never named another one begins.
fn random_place() -> Result<usize, RecoverError> {
    let mut roll = [0; 8];
    let filled = getrandom::fill(&mut roll).map_err(io::Error::other);
    filled.map_err(RecoverError::Random)?;
    Ok(usize::from_le_bytes(roll))
}

/// Takes the state's lock. `status` holds it for an instant to see whether it is free, and must not
/// keep an agent from starting.
fn take_lock(config: &Config) -> Result<Lock, RunError> {
    let path = config.state.join("lock");
    let mut tries = 0;
    loop {
        tries += 1;
        match Lock::take(&path) {
            Ok(lock) => return Ok(lock),
            Err(LockError::Held(_)) if tries < LOCK_TRIES => std::thread::sleep(LOCK_WAIT),
            Err(LockError::Held(path)) => return Err(RunError::Locked(path)),
            Err(LockError::Io { path, source }) => return Err(RunError::State { path, source }),
        }
    }
}

fn recover(
    config: &Config,
    spool: &Spool,
    keys: &[Key],
    snapshot: Option<Snapshot>,
    now: Now,
) -> Result<Recovered, RunError> {
    let names: Vec<Name> = config.streams.iter().map(|it| it.name.clone()).collect();
    let recovery = Recovery {
        layout: spool.layout(),
        spool_id: spool.id(),
        agent: &config.agent,
        keys,
    };
    Ok(recovery.recover(&names, snapshot, || new_epoch(now))?)
}
