//! One stream while the agent runs: what it seals next, its open batch, what it has to say. It decides
//! when something is due and composes it; sealing it is [`super::streams`]'s.

mod refused;

use crate::answer::Answer;
use crate::now::Now;
use crate::recovery::voids::Voids;
use crate::sealing::open_batch::OpenBatch;
use crate::sealing::stream_state::{ManifestDraft, SealedState, StreamState};
use crate::spool::Layout;
use crate::spool::receipts::{Hold, ReceiptProgress};
use crate::track::statement::StreamStatement;
use ledger::Moment;
use ledger::limits::DAY_S;
use ledger::manifest::{EpochHead, Event, EventKind, StreamHead};
use ledger::name::{Name, Slot};
use std::collections::BTreeMap;
use std::io;

/// What a manifest is to carry besides what waits.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) events: Vec<Event>,
    /// Leave out what happened to sources, however long it waits: only so is the size certain.
    pub(super) brief: bool,
    pub(super) close: bool,
}

/// A stream.
pub(super) struct RunningStream {
    name: Name,
    retention_s: u64,
    next: StreamState,
    batch: Option<OpenBatch>,
    /// Said with the next manifest.
    pending: Vec<Event>,
    /// The config no longer names it: it is closed as soon as there is room.
    leaving: bool,
    /// No room: files stay as they are, not read.
    full: bool,
    hold: Option<Hold>,
    receipts: ReceiptProgress,
    /// Why they could not be looked for last.
    receipts_fault: Option<String>,
    /// What the archiver refuses is being sealed again.
    answering: Option<Answer>,
    /// Why that cannot be done.
    unanswerable: Option<String>,
    /// What was refused, and all that came after it.
    voids: Voids,
    /// Some of it is still in the spool.
    has_voids: bool,
    /// The newest manifest when it was settled that nothing of it is left to be sealed again.
    answered_to: u64,
    /// When the newest manifest was sealed in this run; the start stands in before.
    sealed_at: Now,
    /// When a manifest of this run last named other streams' heads.
    named_heads_at: Option<Now>,
    /// Since when events wait without entries.
    events_since_ms: Option<u64>,
}

impl RunningStream {
    /// `stored` is the newest manifest of which a receipt is known.
    pub(super) fn new(
        next: StreamState,
        stored: Option<EpochHead>,
        retention_s: u64,
        now: Now,
    ) -> Self {
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
            receipts: ReceiptProgress::knowing(stored),
            receipts_fault: None,
            answering: None,
            unanswerable: None,
            voids: Voids::default(),
            has_voids: false,
            answered_to: 0,
            sealed_at: now,
            named_heads_at: None,
            events_since_ms: None,
        }
    }

    pub(super) fn leaving(next: StreamState, stored: Option<EpochHead>, now: Now) -> Self {
        let retention_s = match next.sealed_state() {
            Some(state) => state.retention_s,
            None => next
                .before()
                .map(|before| before.retention_max_s)
                .fold(DAY_S, u64::max),
        };
        Self {
            leaving: true,
            ..Self::new(next, stored, retention_s, now)
        }
    }

    /// A stream that was closed, of which the receipt is still to come.
    pub(super) fn into_closed(self) -> Option<ClosedStream> {
        let StreamState::After(state) = self.next else {
            return None;
        };
        Some(ClosedStream {
            state,
            receipts: self.receipts,
        })
    }

    /// The newest manifest that has a receipt.
    pub(super) fn stored_head(&self) -> Option<StreamHead> {
        let head = self.receipts.stored()?;
        Some(head.in_stream(self.name.clone()))
    }

    pub(super) fn named_heads_at(&self) -> Option<Now> {
        self.named_heads_at
    }

    /// A durable manifest of it names other streams' heads.
    pub(super) fn named_heads(&mut self, now: Now) {
        self.named_heads_at = Some(now);
    }

    pub(super) fn name(&self) -> &Name {
        &self.name
    }

    pub(super) fn next(&self) -> &StreamState {
        &self.next
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

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sealed_state().is_some_and(|state| state.closed)
    }

    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    /// Whether the archive knows that it is full, or never heard of it.
    pub(super) fn has_said_full(&self) -> bool {
        self.sealed_state().is_none_or(|state| state.full)
    }

    pub(super) fn goes_full(&mut self) {
        self.full = true;
    }

    /// There is room again; what was said of its lack is taken back with the next manifest. Whether
    /// that waits.
    pub(super) fn has_room(&mut self) -> bool {
        self.full = false;
        let resumed = Event::new(EventKind::Resumed);
        let said = self.sealed_state().is_some_and(|state| state.full);
        if said && !self.pending.contains(&resumed) {
            self.pending.push(resumed);
        }
        !self.pending.is_empty()
    }

    pub(super) fn hold(&self) -> Option<&Hold> {
        self.hold.as_ref()
    }

    /// The run's first manifest of the stream is still to be sealed.
    pub(super) fn is_to_begin(&self) -> bool {
        let starts = |event: &Event| event.kind == EventKind::Start;
        self.begins_an_epoch() || self.pending.iter().any(starts)
    }

    pub(super) fn begins_an_epoch(&self) -> bool {
        matches!(self.next, StreamState::Begin(_))
    }

    /// Whether manifests of it may be sealed as time goes by.
    pub(super) fn may_speak(&self) -> bool {
        !self.full && !self.leaving && !self.is_to_begin() && !self.is_answering()
    }

    pub(super) fn may_read(&self) -> bool {
        self.may_speak() && self.hold.is_none()
    }
}

// Its open batch.
impl RunningStream {
    pub(super) fn batch(&self) -> Option<&OpenBatch> {
        self.batch.as_ref()
    }

    pub(super) fn batch_mut(&mut self) -> Option<&mut OpenBatch> {
        self.batch.as_mut()
    }

    pub(super) fn take_batch(&mut self) -> Option<OpenBatch> {
        self.batch.take()
    }

    pub(super) fn batch_or_begin(&mut self, now: Now) -> &mut OpenBatch {
        let next = self.next.next_entry();
        self.batch
            .get_or_insert_with(|| OpenBatch::new(next, now.boot_ms))
    }

    pub(super) fn has_entries(&self) -> bool {
        let batch = self.batch.as_ref();
        batch.is_some_and(|batch| !batch.pack().is_empty())
    }

    /// What the open batch takes, or may yet take, of the spool.
    pub(super) fn unsealed_bytes(&self) -> u64 {
        let batch = self.batch.as_ref();
        batch.map_or(0, |batch| batch.on_disk() + self.open_bytes() as u64)
    }

    /// What its open block takes in memory.
    pub(super) fn open_bytes(&self) -> usize {
        let batch = self.batch.as_ref();
        batch.map_or(0, |batch| batch.pack().open_block().0.len())
    }
}

// What is due, and what it says.
impl RunningStream {
    /// Since when something waits to be sealed: the open batch, or events without entries.
    pub(super) fn waits_since_ms(&self) -> Option<u64> {
        let began = self.batch.as_ref().map(OpenBatch::began_boot_ms);
        began.or(self.events_since_ms)
    }

    /// Takes note whether events wait.
    pub(super) fn events_wait(&mut self, waiting: bool, now: Now) {
        let since = self.events_since_ms.unwrap_or(now.boot_ms);
        self.events_since_ms = waiting.then_some(since);
    }

    /// When its newest manifest was sealed.
    pub(super) fn sealed_at(&self) -> Now {
        self.sealed_at
    }

    /// What its next manifest says, body aside.
    pub(super) fn draft(
        &self,
        words: Words,
        statement: StreamStatement,
        heads: Vec<StreamHead>,
    ) -> ManifestDraft {
        let mut events = self.pending.clone();
        events.extend(words.events);
        events.extend(statement.events);
        ManifestDraft {
            packed: None,
            sources: statement.sources,
            events,
            heads,
            close: words.close,
            retention_s: self.retention_s,
            ext: BTreeMap::new(),
        }
    }

    /// A manifest of it is durable. `brief`: what happened to sources still waits.
    pub(super) fn sealed(&mut self, state: SealedState, brief: bool, now: Now) {
        if !brief {
            self.events_since_ms = None;
        }
        self.next = StreamState::After(state);
        self.pending.clear();
        self.sealed_at = now;
    }

    /// Looks how far the archiver has come with it, and whether it holds it. Whether the latter is new.
    pub(super) fn look_for_receipts(&mut self, layout: &Layout, agent: &Name) -> io::Result<bool> {
        let Some(head) = self.head(agent) else {
            return Ok(false);
        };
        let voids = &self.voids;
        let is_past = |epoch, seq| voids.is_past(epoch, seq);
        let looked = self.receipts.look(layout, &head, is_past);
        let ahead = self.receipts.look_ahead(layout, &head);
        let looked = looked.and_then(|hold| ahead.map(|()| hold));
        self.receipts_fault = looked.as_ref().err().map(ToString::to_string);
        let hold = looked?;
        let is_new = hold != self.hold;
        self.hold = hold;
        Ok(is_new)
    }

    /// Why receipts could not be looked for last.
    pub(super) fn receipts_fault(&self) -> Option<&String> {
        self.receipts_fault.as_ref()
    }

    /// A batch that has a receipt and was never sealed.
    pub(super) fn receipt_ahead(&self) -> Option<u64> {
        self.receipts.ahead()
    }

    /// When the oldest batch that waits for a receipt was sealed.
    pub(super) fn waits_for_receipt_since(&self, layout: &Layout, agent: &Name) -> Option<Moment> {
        self.receipts.waits_since(layout, &self.head(agent)?)
    }

    /// Batches that wait for a receipt.
    pub(super) fn waiting(&self, agent: &Name) -> u64 {
        self.head(agent)
            .map_or(0, |head| self.receipts.waiting(&head))
    }
}

/// A stream that is closed for good, as far as the config goes: other streams name it until its reference has
/// expired.
pub(super) struct ClosedStream {
    state: SealedState,
    receipts: ReceiptProgress,
}

impl ClosedStream {
    pub(super) fn new(state: SealedState, stored: Option<EpochHead>) -> Self {
        Self {
            state,
            receipts: ReceiptProgress::knowing(stored),
        }
    }

    pub(super) fn state(&self) -> &SealedState {
        &self.state
    }

    /// The newest manifest that has a receipt.
    pub(super) fn stored_head(&self) -> Option<StreamHead> {
        let head = self.receipts.stored()?;
        Some(head.in_stream(self.state.stream.clone()))
    }

    /// Looks how far the archiver has come with it, unless all of it is stored.
    pub(super) fn look_for_receipts(&mut self, layout: &Layout, agent: &Name) -> io::Result<()> {
        if self.receipts.stored() == Some(self.state.epoch_head()) {
            return Ok(());
        }
        let head = Slot {
            agent: agent.clone(),
            stream: self.state.stream.clone(),
            epoch: self.state.epoch,
            seq: self.state.head.seq,
        };
        self.receipts.look(layout, &head, |_, _| false).map(drop)
    }
}
