//! Starting: locks, key, recovery, and the agent put together from what they give.

use super::heads::HeadsPace;
use super::stream::{ClosedStream, RunningStream};
use super::streams::Streams;
use super::upkeep::Upkeep;
use crate::config::Config;
use crate::find::Watch;
use crate::now::Now;
use crate::recovery::adoption::{AdoptError, Adoptions};
use crate::recovery::snapshot::{Snapshot, SnapshotError, Snapshots};
use crate::recovery::{RecoverError, Recovered, Recovery};
use crate::sealing::own_keys::OwnKeys;
use crate::sealing::seal_error::SealError;
use crate::sealing::sealer::Sealer;
use crate::sealing::signing_key::KeyError;
use crate::sealing::stream_state::Common;
use crate::spool::receipts::is_newer;
use crate::spool::{Layout, Spool, SpoolError};
use crate::track::Tracker;
use host::clock;
use host::lock::{Lock, LockError};
use ledger::codec::Compressor;
use ledger::manifest::{EpochHead, StreamHead};
use ledger::name::{Epoch, Name};
use ledger::signature::Key;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
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
    let spool = Spool::open(&config.spool, config.spool_cap, config.streams.len())?;
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
    let recovered = recover(config, &spool, &keys.all(), snapshot)?;
    let stored = |stream: &Name, current| newest_stored(&known, &recovered.named, stream, current);
    let watches: Vec<Watch> = config.streams.iter().map(|it| it.watch.clone()).collect();
    let mut tracker = Tracker::new(watches, boot_id);
    tracker.restore(recovered.checkpoints);
    let started = Now::read();
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
    let common = Common {
        agent: config.agent.clone(),
        heartbeat_s: config.heartbeat.as_secs(),
        config_sha256: config.sha256,
        boot_id,
    };
    let compressor = Compressor::new(config.codec, config.level).map_err(SealError::from)?;
    let sealer = Sealer::new(common, keys, compressor);
    let streams = Streams::new(
        tracker,
        sealer,
        spool,
        streams,
        closed.collect(),
        HeadsPace::new(config.heartbeat, config.seal_age, random_place()?),
    );
    Ok(Started {
        streams,
        upkeep,
        started,
        lock,
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
) -> Result<Recovered, RunError> {
    let names: Vec<Name> = config.streams.iter().map(|it| it.name.clone()).collect();
    let recovery = Recovery {
        layout: spool.layout(),
        spool_id: spool.id(),
        agent: &config.agent,
        keys,
    };
    let wall_ms = Now::read().wall.micros() / 1000;
    let mut new_epoch = || {
        let mut roll = [0; 10];
        getrandom::fill(&mut roll).map_err(io::Error::other)?;
        Ok(Epoch::new(wall_ms, &roll))
    };
    let mut recovered = recovery.recover(&names, snapshot, &mut new_epoch)?;
    Adoptions::apply(&config.state, &mut recovered.streams, || {
        new_epoch()
            .map_err(RecoverError::Random)
            .map_err(RunError::from)
    })?;
    Ok(recovered)
}
