//! All streams of the agent, and the sealing of what they say: batches, heartbeats, genesis, `stop`,
//! `close`. Read positions and stream state advance here, and only with a manifest that is durable.

mod answering;

use super::heads::HeadsPace;
use super::spool_retry::SpoolRetry;
use super::startup::RunError;
use super::stream::{ClosedStream, RunningStream, Words};
use crate::now::Now;
use crate::sealing::open_batch::OpenBatch;
use crate::sealing::own_keys::OwnKeys;
use crate::sealing::seal_error::SealError;
use crate::sealing::sealer::Sealer;
use crate::sealing::stream_state::{SealedAt, SealedState};
use crate::spool::Spool;
use crate::sys;
use crate::track::Tracker;
use crate::track::statement::StreamStatement;
use ledger::manifest::{Event, EventKind, StreamHead};
use ledger::name::Name;
use ledger::signature::Key;
use std::collections::BTreeSet;

/// The streams, and all that one manifest of theirs touches.
pub(super) struct Streams {
    tracker: Tracker,
    sealer: Sealer,
    spool: Spool,
    streams: Vec<RunningStream>,
    closed: Vec<ClosedStream>,
    heads: HeadsPace,
    retry: Option<SpoolRetry>,
    /// Logs were closed because no descriptor was left to seal with, and nothing is sealed since.
    relieved: bool,
    /// Batches were sealed since the last snapshot.
    unsaved: bool,
    /// `status.json` is out of date.
    changed: bool,
}

impl Streams {
    pub(super) fn new(
        tracker: Tracker,
        sealer: Sealer,
        spool: Spool,
        streams: Vec<RunningStream>,
        closed: Vec<ClosedStream>,
        heads: HeadsPace,
    ) -> Self {
        Self {
            tracker,
            sealer,
            spool,
            streams,
            closed,
            heads,
            retry: None,
            relieved: false,
            unsaved: false,
            changed: false,
        }
    }

    pub(super) fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    pub(super) fn tracker_mut(&mut self) -> &mut Tracker {
        &mut self.tracker
    }

    pub(super) fn keys_mut(&mut self) -> &mut OwnKeys {
        self.sealer.keys_mut()
    }

    pub(super) fn into_keys(self) -> OwnKeys {
        self.sealer.into_keys()
    }

    pub(super) fn spool(&self) -> &Spool {
        &self.spool
    }

    pub(super) fn spool_mut(&mut self) -> &mut Spool {
        &mut self.spool
    }

    pub(super) fn count(&self) -> usize {
        self.streams.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &RunningStream> {
        self.streams.iter()
    }

    pub(super) fn get(&self, index: usize) -> &RunningStream {
        &self.streams[index]
    }

    pub(super) fn get_mut(&mut self, index: usize) -> &mut RunningStream {
        &mut self.streams[index]
    }

    /// The tracker and one stream, to move what the one has read into the batch of the other.
    pub(super) fn tracker_and(&mut self, index: usize) -> (&Tracker, &mut RunningStream) {
        (&self.tracker, &mut self.streams[index])
    }

    /// Every stream as sealed, closed ones included.
    pub(super) fn sealed_states(&self) -> impl Iterator<Item = &SealedState> {
        let open = self.streams.iter().filter_map(RunningStream::sealed_state);
        open.chain(self.closed.iter().map(ClosedStream::state))
    }

    /// Of every stream, closed ones included, the newest manifest that has a receipt.
    pub(super) fn stored_heads(&self) -> impl Iterator<Item = StreamHead> {
        let open = self.streams.iter().filter_map(RunningStream::stored_head);
        let closed = self.closed.iter().filter_map(ClosedStream::stored_head);
        open.chain(closed)
    }

    pub(super) fn closed_mut(&mut self) -> &mut [ClosedStream] {
        &mut self.closed
    }

    /// Streams of which nothing may be deleted now.
    pub(super) fn frozen(&self) -> BTreeSet<Name> {
        let frozen = self.streams.iter().filter(|stream| stream.is_frozen());
        frozen.map(|stream| stream.name().clone()).collect()
    }

    pub(super) fn any_is_full(&self) -> bool {
        self.streams.iter().any(RunningStream::is_full)
    }

    pub(super) fn is_unsaved(&self) -> bool {
        self.unsaved
    }

    pub(super) fn saved(&mut self) {
        self.unsaved = false;
    }

    pub(super) fn is_changed(&self) -> bool {
        self.changed
    }

    /// `status.json` must be written again.
    pub(super) fn change(&mut self) {
        self.changed = true;
    }

    /// `status.json` is about to be written.
    pub(super) fn told(&mut self) {
        self.changed = false;
    }

    /// Bytes the stream may still add to the spool.
    pub(super) fn room(&self, index: usize) -> u64 {
        let unsealed = self.streams.iter().map(RunningStream::unsealed_bytes).sum();
        let stream = &self.streams[index];
        let here = stream.unsealed_bytes();
        self.spool.room(
            stream.name(),
            unsealed,
            here,
            self.spool.free().unwrap_or(u64::MAX),
        )
    }

    /// Where other streams of the agent stand, if this one is to say so now.
    pub(super) fn heads(&self, index: usize, now: Now) -> Vec<StreamHead> {
        let stream = &self.streams[index];
        if !self.heads.is_due(stream.named_heads_at(), now) {
            return Vec::new();
        }
        let others = self
            .stored_heads()
            .filter(|head| head.stream != *stream.name() && now.wall < head.reference().expires());
        self.heads
            .next(others.collect(), stream.next().heads_after())
    }
}

// Whether the spool can be written.
impl Streams {
    pub(super) fn retry(&self) -> Option<&SpoolRetry> {
        self.retry.as_ref()
    }

    /// Whether the spool could not be written and is not yet to be tried again.
    pub(super) fn is_waiting(&self, now: Now) -> bool {
        let retry = self.retry.as_ref();
        retry.is_some_and(|retry| retry.left(now).is_some())
    }

    #[cfg(test)]
    pub(super) fn retry_now(&mut self) {
        self.retry = None;
    }

    /// The spool cannot be written: reading stops until it is tried again.
    fn back_off(&mut self, why: &SealError, now: Now) {
        let retry = SpoolRetry::after(self.retry.as_ref(), why.to_string(), now);
        let wait = retry.wait();
        tracing::error!(
            ?wait,
            "cannot seal, reading stops, every place is kept: {why}"
        );
        self.retry = Some(retry);
        self.changed = true;
    }
}

// Sealing.
impl Streams {
    /// The stream's first manifest of this run: genesis or `start`, and `close` for one that leaves.
    pub(super) fn begin_stream(&mut self, index: usize) -> Result<(), SealError> {
        let stream = &self.streams[index];
        let close = stream.is_leaving();
        if stream.begins_an_epoch() {
            let words = Words {
                brief: true,
                ..Words::default()
            };
            if !self.seal(index, words)? || !close {
                return Ok(());
            }
        }
        let words = Words {
            brief: true,
            close,
            ..Words::default()
        };
        self.seal(index, words)?;
        Ok(())
    }

    /// Streams that are closed leave the agent; their last state stays in the snapshots.
    pub(super) fn finish_leaving(&mut self) {
        let leaving = self
            .streams
            .extract_if(.., |stream| RunningStream::is_closed(stream));
        self.closed
            .extend(leaving.filter_map(RunningStream::into_closed));
    }

    /// Seals what is read and says `stop`, and which key follows, if one does; what could not be done.
    pub(super) fn stop_stream(
        &mut self,
        agent: &Name,
        index: usize,
        next_key: Option<Key>,
    ) -> Result<Option<String>, RunError> {
        if self.finish_answer(agent, index)? {
            let name = self.streams[index].name();
            let left =
                "what the archiver refused is not yet sealed again; the next start continues it";
            return Ok(Some(format!("stream {name}: {left}")));
        }
        let stream = &self.streams[index];
        if stream.is_leaving() || stream.is_to_begin() {
            // Nothing was sealed in this run, so nothing is promised; a full spool is no fault of ours.
            let why = self.retry.as_ref().map(SpoolRetry::why);
            return Ok(why.map(|why| format!("stream {}: {why}", stream.name())));
        }
        let full = stream.is_full();
        let sealed = !stream.has_entries() || self.seal_batch(index)?;
        let words = Words {
            events: next_key
                .map(Event::key)
                .into_iter()
                .chain([Event::new(EventKind::Stop)])
                .collect(),
            brief: full,
            close: false,
        };
        let stopped = sealed && self.seal(index, words)?;
        let name = self.streams[index].name();
        let retry = self.retry.as_ref();
        let why = || retry.map_or("no descriptor was left", SpoolRetry::why);
        Ok((!stopped).then(|| format!("stream {name}: {}", why())))
    }

    /// Closes the open block of a stream's batch. `false` if the batch had to be discarded.
    pub(super) fn close_block(&mut self, index: usize) -> Result<bool, SealError> {
        let stream = &mut self.streams[index];
        let Some(batch) = stream.batch_mut() else {
            return Ok(true);
        };
        match self.sealer.close_block(batch, self.spool.layout()) {
            Ok(()) => Ok(true),
            Err(error) => {
                if let Some(batch) = stream.take_batch() {
                    batch.discard();
                }
                self.discarded(index, error)?;
                Ok(false)
            }
        }
    }

    /// Seals the open batch, whatever its age. `false` if it had to be discarded.
    pub(super) fn seal_batch(&mut self, index: usize) -> Result<bool, SealError> {
        self.seal(index, Words::default())
    }

    /// Seals one manifest, with the open batch if there is one. `false` if nothing was committed.
    pub(super) fn seal(&mut self, index: usize, words: Words) -> Result<bool, SealError> {
        // Not the time at which somebody decided to seal: manifests of an epoch stand in time's order.
        let now = Now::read();
        // A brief manifest has a size that is certain.
        let heads = if words.brief {
            Vec::new()
        } else {
            self.heads(index, now)
        };
        let names_heads = !heads.is_empty();
        let stream = &mut self.streams[index];
        let batch: Option<OpenBatch> = stream.take_batch();
        let (is_batch, brief) = (batch.is_some(), words.brief);
        let mut statement = if brief {
            StreamStatement::default()
        } else {
            self.tracker.statement(stream.name())
        };
        let checkpoints = std::mem::take(&mut statement.checkpoints);
        let draft = stream.draft(words, statement, heads);
        let at = SealedAt {
            wall: now.wall,
            boot_ms: now.boot_ms,
            suspended_ms: now.suspended_ms,
        };
        let sealed = self.sealer.seal(
            &mut self.spool,
            stream.next(),
            batch,
            draft,
            &checkpoints,
            at,
        );
        match sealed {
            Ok(state) => {
                if names_heads {
                    self.streams[index].named_heads(now);
                }
                self.sealed(index, state, brief, is_batch, now);
                Ok(true)
            }
            Err(error) => {
                self.discarded(index, error)?;
                Ok(false)
            }
        }
    }

    fn sealed(&mut self, index: usize, state: SealedState, brief: bool, is_batch: bool, now: Now) {
        let stream = &mut self.streams[index];
        let (name, seq) = (stream.name(), state.head.seq);
        tracing::debug!(stream = %name, epoch = %state.epoch, seq, batch = is_batch, "sealed");
        // The last step: only now do positions advance.
        if !brief {
            self.tracker.sealed(name);
        }
        stream.sealed(state, brief, now);
        self.retry = None;
        self.relieved = false;
        self.unsaved = true;
        self.changed = true;
    }

    /// A batch is gone: its bytes are read again, after a wait, or the agent must end. Where descriptors were all that
    /// lacked, some are closed and it is tried again at once, once: without one nothing is sealed, and what is not sealed
    /// keeps them.
    fn discarded(&mut self, index: usize, error: SealError) -> Result<(), SealError> {
        self.tracker.discarded(self.streams[index].name());
        match error {
            SealError::Discarded { ref source, .. }
                if sys::is_pressure(source) && !self.relieved && self.tracker.relieve() =>
            {
                self.relieved = true;
                tracing::warn!("no descriptor is left to seal with, logs are closed: {error}");
                Ok(())
            }
            SealError::Discarded { .. } => {
                self.back_off(&error, Now::read());
                Ok(())
            }
            error => Err(error),
        }
    }
}
