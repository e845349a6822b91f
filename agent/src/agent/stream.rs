//! One stream while the agent runs: what it seals next, its open batch, what it has to say.

use crate::now::Now;
use crate::sealing::open_batch::OpenBatch;
use crate::sealing::stream_state::{SealedState, StreamState};
use crate::spool::receipts::{Hold, Progress};
use ledger::limits::DAY_S;
use ledger::manifest::{Event, EventKind};
use ledger::name::{Name, Slot};

/// A stream.
pub(super) struct Stream {
    pub(super) name: Name,
    pub(super) retention_s: u64,
    pub(super) next: StreamState,
    pub(super) batch: Option<OpenBatch>,
    /// Said with the next manifest.
    pub(super) pending: Vec<Event>,
    /// The config no longer names it: it is closed as soon as there is room.
    pub(super) leaving: bool,
    /// No room: files are held, not read.
    pub(super) full: bool,
    pub(super) hold: Option<Hold>,
    pub(super) progress: Progress,
    /// When the newest manifest was sealed in this run; the start stands in before.
    pub(super) sealed_at: Now,
    /// When the newest heartbeat was.
    pub(super) beat_at: Now,
    /// Since when events wait without entries.
    pub(super) events_since_ms: Option<u64>,
}

impl Stream {
    pub(super) fn new(next: StreamState, retention_s: u64, now: Now) -> Self {
        let mut pending = Vec::new();
        let mut full = false;
        match &next {
            StreamState::After(state) => {
                pending.push(Event::start(state.stopped));
                full = state.full;
            }
            StreamState::Begin(begin) => pending.extend(begin.event.map(Event::new)),
        }
        Self {
            name: next.stream().clone(),
            retention_s,
            next,
            batch: None,
            pending,
            leaving: false,
            full,
            hold: None,
            progress: Progress::default(),
            sealed_at: now,
            beat_at: now,
            events_since_ms: None,
        }
    }

    pub(super) fn leaving(next: StreamState, now: Now) -> Self {
        let retention_s = match &next {
            StreamState::After(state) => state.retention_s,
            StreamState::Begin(begin) => begin.retention_max_s.max(DAY_S),
        };
        Self {
            leaving: true,
            ..Self::new(next, retention_s, now)
        }
    }

    /// The run's first manifest of the stream is still to be sealed.
    pub(super) fn is_to_begin(&self) -> bool {
        let starts = |event: &Event| event.kind == EventKind::Start;
        matches!(self.next, StreamState::Begin(_)) || self.pending.iter().any(starts)
    }

    /// Whether manifests of it may be sealed as time goes by.
    pub(super) fn may_speak(&self) -> bool {
        !self.full && !self.leaving && !self.is_to_begin()
    }

    pub(super) fn may_read(&self) -> bool {
        self.may_speak() && self.hold.is_none()
    }

    /// What the open batch takes, or may yet take, of the spool.
    pub(super) fn making(&self) -> u64 {
        let batch = self.batch.as_ref();
        batch.map_or(0, |batch| {
            batch.on_disk() + batch.pack().open_block().0.len() as u64
        })
    }

    pub(super) fn open_bytes(&self) -> usize {
        let batch = self.batch.as_ref();
        batch.map_or(0, |batch| batch.pack().open_block().0.len())
    }

    pub(super) fn sealed_state(&self) -> Option<&SealedState> {
        self.next.sealed_state()
    }

    pub(super) fn head(&self, agent: &Name) -> Option<Slot> {
        self.sealed_state().map(|state| Slot {
            agent: agent.clone(),
            stream: self.name.clone(),
            epoch: state.epoch,
            seq: state.head.seq,
        })
    }
}
