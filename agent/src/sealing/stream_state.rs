//! Stream state: what one stream seals next, and the manifest that this becomes. Pure: no I/O, no
//! clock.
//!
//! [`SealedState::after`] is the only way forward: sealing calls it with what it has just committed and
//! recovery with what it finds, so both know the same.

use crate::sealing::pack::no_entries;
use ledger::block::Block;
use ledger::codec::Codec;
use ledger::json::Strict;
use ledger::manifest::{
    Body, Entries, EpochHead, Event, EventKind, Kind, Manifest, Reference, SCHEMA, Source, Stored,
    StreamHead, Times, VERSION,
};
use ledger::name::{Epoch, Name};
use ledger::signature::Key;
use ledger::{Digest, Moment, limits};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A stream after its newest manifest, as snapshots keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SealedState {
    pub(crate) stream: Name,
    pub(crate) epoch: Epoch,
    /// The newest manifest.
    pub(crate) head: Reference,
    /// Sequence of the next entry.
    pub(crate) next_entry: u64,
    /// First source id not yet taken.
    pub(crate) next_source: u64,
    /// What the newest manifest asked for.
    pub(crate) retention_s: u64,
    /// `date=` of the epoch's last body.
    pub(crate) last_date: Option<String>,
    /// The newest manifest ends a run: the next one has `start`.
    pub(crate) stopped: bool,
    /// `full` was said, and `resumed` not yet.
    pub(crate) full: bool,
    /// The stream was closed.
    pub(crate) closed: bool,
    /// The last other stream whose head a manifest of this one named: the next one continues after it.
    pub(crate) heads_after: Option<Name>,
    /// The key that signs the stream since its last `key` event.
    pub(crate) next_key: Option<Key>,
}

/// An epoch of which nothing is sealed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewEpoch {
    pub(crate) stream: Name,
    /// The new epoch.
    pub(crate) epoch: Epoch,
    /// What it continues; empty for a stream's very first.
    pub(crate) prev_epoch: Vec<EpochHead>,
    /// As [`SealedState::heads_after`], if known.
    pub(crate) heads_after: Option<Name>,
    /// As [`SealedState::next_key`].
    pub(crate) next_key: Option<Key>,
    /// Why there is a new epoch, if something went wrong.
    pub(crate) event: Option<EventKind>,
}

/// What one stream seals next: where its next manifest goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StreamState {
    /// It begins an epoch.
    Begin(NewEpoch),
    /// It follows another.
    After(SealedState),
}

/// What all manifests of one run have in common.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    pub(crate) agent: Name,
    /// Longest time between manifests.
    pub(crate) heartbeat_s: u64,
    /// SHA-256 of the config file.
    pub(crate) config_sha256: Digest,
    /// This boot.
    pub(crate) boot_id: Epoch,
}

/// A body that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PackedBody {
    /// Its entries, at least one.
    pub(crate) entries: Entries,
    /// When the first and the last were read.
    pub(crate) times: (Moment, Moment),
    /// How its blocks are compressed.
    pub(crate) codec: Codec,
    /// Its blocks.
    pub(crate) blocks: Vec<Block>,
    /// SHA-256 of the stored bytes.
    pub(crate) sha256: Digest,
}

/// What a manifest says besides where it stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct ManifestDraft {
    /// The body, if there are entries.
    pub(crate) packed: Option<PackedBody>,
    /// The sources it touches.
    pub(crate) sources: Vec<Source>,
    /// What else happened.
    pub(crate) events: Vec<Event>,
    /// Where other streams of the agent stand; empty if it is not to say so.
    pub(crate) heads: Vec<StreamHead>,
    /// Whether it ends the stream.
    pub(crate) close: bool,
    /// How long to keep it.
    pub(crate) retention_s: u64,
    /// What it says beyond the format.
    pub(crate) ext: BTreeMap<String, Strict>,
}

/// The time of sealing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SealedAt {
    /// Wall clock.
    pub(crate) wall: Moment,
    /// `CLOCK_BOOTTIME`
    pub(crate) boot_ms: u64,
    /// How far that is ahead of `CLOCK_MONOTONIC`.
    pub(crate) suspended_ms: u64,
}

impl SealedState {
    /// The stream after `manifest`, whose first line has this hash. The caller has made sure that it
    /// follows `before`.
    #[must_use]
    pub(crate) fn after(before: Option<&Self>, manifest: &Manifest, sha256: Digest) -> Self {
        let same = before.filter(|state| state.epoch == manifest.epoch);
        let ids = manifest.sources.iter().map(|source| source.id + 1);
        let started = manifest.has(EventKind::Start) || manifest.seq == 0;
        let resumed = manifest.has(EventKind::Resumed) || manifest.seq == 0;
        Self {
            stream: manifest.stream.clone(),
            epoch: manifest.epoch,
            head: manifest.reference(sha256),
            next_entry: manifest.entries.first + manifest.entries.count,
            next_source: ids.fold(same.map_or(0, |state| state.next_source), u64::max),
            retention_s: manifest.retention_s,
            last_date: match &manifest.body {
                Some(body) => Some(body.date.clone()),
                None => same.and_then(|state| state.last_date.clone()),
            },
            stopped: manifest.has(EventKind::Stop)
                || (!started && same.is_some_and(|state| state.stopped)),
            full: manifest.has(EventKind::Full)
                || (!resumed && same.is_some_and(|state| state.full)),
            closed: manifest.kind == Kind::Close,
            heads_after: match manifest.heads.as_deref() {
                Some([.., last]) => Some(last.stream.clone()),
                _ => before.and_then(|state| state.heads_after.clone()),
            },
            next_key: manifest
                .next_key()
                .or_else(|| before.and_then(|state| state.next_key)),
        }
    }

    /// Its newest manifest as a new epoch's `prev_epoch` names it.
    #[must_use]
    pub(crate) fn epoch_head(&self) -> EpochHead {
        self.head.in_epoch(self.epoch)
    }
}

impl StreamState {
    #[must_use]
    pub(crate) fn stream(&self) -> &Name {
        match self {
            Self::Begin(begin) => &begin.stream,
            Self::After(state) => &state.stream,
        }
    }
    #[must_use]
    pub(crate) fn epoch(&self) -> Epoch {
        match self {
            Self::Begin(begin) => begin.epoch,
            Self::After(state) => state.epoch,
        }
    }

    /// Whether nothing was ever sealed of the stream, as far as anybody here knows.
    #[must_use]
    pub(crate) fn is_the_first(&self) -> bool {
        matches!(self, Self::Begin(begin) if begin.prev_epoch.is_empty() && begin.event.is_none())
    }

    /// Whether it begins an epoch because what was known of it is lost.
    #[must_use]
    pub(crate) fn has_lost_state(&self) -> bool {
        matches!(self, Self::Begin(begin) if begin.event == Some(EventKind::StateLost))
    }

    /// The stream as sealed so far, if anything of the epoch is sealed.
    #[must_use]
    pub(crate) fn sealed_state(&self) -> Option<&SealedState> {
        match self {
            Self::Begin(_) => None,
            Self::After(state) => Some(state),
        }
    }

    /// The stream after the manifest that was composed here.
    #[must_use]
    pub(crate) fn after(&self, manifest: &Manifest, sha256: Digest) -> SealedState {
        let state = SealedState::after(self.sealed_state(), manifest, sha256);
        let heads_after = state.heads_after.clone();
        SealedState {
            heads_after: heads_after.or_else(|| self.heads_after().cloned()),
            next_key: state.next_key.or(self.next_key()),
            ..state
        }
    }

    /// The key that signs it, if an earlier manifest named one.
    #[must_use]
    pub(crate) fn next_key(&self) -> Option<Key> {
        match self {
            Self::Begin(begin) => begin.next_key,
            Self::After(state) => state.next_key,
        }
    }

    /// The last other stream that this one named, in whatever epoch, if known.
    #[must_use]
    pub(crate) fn heads_after(&self) -> Option<&Name> {
        match self {
            Self::Begin(begin) => begin.heads_after.as_ref(),
            Self::After(state) => state.heads_after.as_ref(),
        }
    }

    /// Sequence of the next entry.
    #[must_use]
    pub(crate) fn next_entry(&self) -> u64 {
        self.sealed_state().map_or(0, |state| state.next_entry)
    }

    /// What the next manifest follows: the one before, or the heads that a genesis names.
    pub(crate) fn before(&self) -> impl Iterator<Item = Reference> {
        let (heads, head) = match self {
            Self::Begin(begin) => (&begin.prev_epoch[..], None),
            Self::After(state) => (&[][..], Some(state.head)),
        };
        head.into_iter()
            .chain(heads.iter().map(EpochHead::reference))
    }

    /// The manifest that `draft` becomes here.
    #[must_use]
    pub(crate) fn compose(&self, common: &Common, draft: ManifestDraft, at: SealedAt) -> Manifest {
        let (seq, prev, prev_epoch, last_date) = match self {
            Self::Begin(begin) => (0, None, Some(begin.prev_epoch.clone()), None),
            Self::After(state) => {
                let date = state.last_date.as_ref();
                (state.head.seq + 1, Some(state.head), None, date)
            }
        };
        let longest = self.before().map(|before| before.retention_max_s);
        let latest = self.before().map(|before| before.sealed_max);
        let kind = match (seq, draft.close, &draft.packed) {
            (0, ..) => Kind::Genesis,
            (_, true, _) => Kind::Close,
            (_, false, Some(_)) => Kind::Batch,
            (_, false, None) => Kind::Heartbeat,
        };
        let quiet = |event: &Event| matches!(event.kind, EventKind::Stop | EventKind::Full);
        let promised = kind != Kind::Close && !draft.events.iter().any(quiet);
        let due_s = limits::HEARTBEATS_PROMISED * common.heartbeat_s;
        let times = draft.packed.as_ref().map(|packed| packed.times);
        let parts = draft.packed.map(|packed| parts(packed, last_date));
        let (entries, body, stored, blocks) = match parts {
            Some((entries, body, stored, blocks)) => {
                (entries, Some(body), Some(stored), Some(blocks))
            }
            None => (no_entries(self.next_entry()), None, None, None),
        };
        Manifest {
            v: VERSION,
            agent: common.agent.clone(),
            stream: self.stream().clone(),
            epoch: self.epoch(),
            seq,
            kind,
            prev,
            prev_epoch,
            entries,
            body,
            stored,
            blocks,
            sources: draft.sources,
            events: draft.events,
            time: Times {
                first: times.map(|(first, _)| first),
                last: times.map(|(_, last)| last),
                sealed: at.wall,
                sealed_max: latest.fold(at.wall, Moment::max),
                boot_id: common.boot_id,
                boot_ms: at.boot_ms,
                suspended_ms: at.suspended_ms,
            },
            heads: (!draft.heads.is_empty()).then_some(draft.heads),
            heartbeat_s: common.heartbeat_s,
            next_due: promised.then(|| at.wall.plus_s(due_s)),
            retention_s: draft.retention_s,
            retention_max_s: longest.fold(draft.retention_s, u64::max),
            config_sha256: common.config_sha256,
            agent_version: env!("CARGO_PKG_VERSION").to_owned(),
            ext: draft.ext,
            crit: Vec::new(),
        }
    }
}

fn parts(packed: PackedBody, last_date: Option<&String>) -> (Entries, Body, Stored, Vec<Block>) {
    let day = packed.times.1.day();
    // A clock that went back must not put a body into an earlier day than the one before it.
    let date = last_date.map_or(day.clone(), |last| day.max(last.clone()));
    let body = Body {
        schema: SCHEMA.to_owned(),
        date,
        size: packed.blocks.iter().map(|block| block.raw).sum(),
    };
    let stored = Stored {
        codec: packed.codec,
        size: packed.blocks.iter().map(|block| block.size).sum(),
        sha256: packed.sha256,
    };
    (packed.entries, body, stored, packed.blocks)
}
