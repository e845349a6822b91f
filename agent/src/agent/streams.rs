//! When something is sealed, and what it says: batches, heartbeats, genesis, `stop`, `close`.

use super::{Agent, RunError};
use crate::now::{Now, millis};
use crate::sealing::seal_error::SealError;
use crate::sealing::stream_state::{ManifestDraft, SealedAt, SealedState, StreamState};
use crate::track::statement::StreamStatement;
use ledger::manifest::{Event, EventKind, StreamHead};

/// What a manifest is to carry besides what waits.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) events: Vec<Event>,
    /// Leave out what happened to sources, however long it waits: only so is the size certain.
    pub(super) brief: bool,
    pub(super) close: bool,
}

impl Agent {
    /// Says what a start has to say, or leaves it for when there is room.
    pub(super) fn begin(&mut self) -> Result<(), RunError> {
        for index in (0..self.streams.len()).rev() {
            self.check_room(index)?;
        }
        self.finish_leaving();
        self.save(Now::read());
        self.write_status(Now::read(), true);
        Ok(())
    }

    pub(super) fn begin_stream(&mut self, index: usize) -> Result<(), RunError> {
        let stream = &self.streams[index];
        let begins = matches!(stream.next, StreamState::Begin(_));
        let close = stream.leaving;
        if begins {
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
        let closed =
            |stream: &super::Stream| stream.sealed_state().is_some_and(|state| state.closed);
        let leaving = self.streams.extract_if(.., |stream| closed(stream));
        self.closed
            .extend(leaving.filter_map(|stream| stream.sealed_state().cloned()));
    }

    pub(super) fn has_entries(&self, index: usize) -> bool {
        let batch = self.streams[index].batch.as_ref();
        batch.is_some_and(|batch| !batch.pack().is_empty())
    }

    /// Seals every batch that is old enough, and events that waited as long.
    pub(super) fn seal_due(&mut self, now: Now) -> Result<(), RunError> {
        let age = millis(self.config.seal_age);
        for index in 0..self.streams.len() {
            let stream = &self.streams[index];
            let began = stream
                .batch
                .as_ref()
                .map(crate::sealing::open_batch::OpenBatch::began_boot_ms);
            let since = began.or(stream.events_since_ms);
            if since.is_some_and(|since| now.boot_ms.saturating_sub(since) >= age) {
                self.seal(index, Words::default())?;
            }
        }
        Ok(())
    }

    /// Notes events that wait, and seals heartbeats that are due.
    pub(super) fn beat(&mut self, now: Now) -> Result<(), RunError> {
        let interval = millis(self.config.heartbeat);
        for index in 0..self.streams.len() {
            let waits = self.tracker.has_events(&self.streams[index].name);
            let stream = &mut self.streams[index];
            if !stream.may_speak() {
                continue;
            }
            let since = stream.events_since_ms.unwrap_or(now.boot_ms);
            stream.events_since_ms = waits.then_some(since);
            // The first stream's heartbeats say where the others stand, so it beats while busy too.
            let last = if self.is_first(index) && self.streams.len() > 1 {
                self.streams[index].beat_at
            } else {
                self.streams[index].sealed_at
            };
            if now.boot_ms.saturating_sub(last.boot_ms) < interval {
                continue;
            }
            if self.has_entries(index) && !self.seal_batch(index)? {
                continue;
            }
            self.seal(index, Words::default())?;
        }
        Ok(())
    }

    /// How long until the next batch or heartbeat is due, in milliseconds.
    pub(super) fn due_in_ms(&self, now: Now) -> u64 {
        let (age, interval) = (millis(self.config.seal_age), millis(self.config.heartbeat));
        let until = |since: u64, wait: u64| (since + wait).saturating_sub(now.boot_ms);
        let due = self.streams.iter().flat_map(|stream| {
            let began = stream
                .batch
                .as_ref()
                .map(crate::sealing::open_batch::OpenBatch::began_boot_ms);
            let seal = began
                .or(stream.events_since_ms)
                .map(|since| until(since, age));
            let beat = stream
                .may_speak()
                .then(|| until(stream.sealed_at.boot_ms, interval));
            seal.into_iter().chain(beat)
        });
        due.min().unwrap_or(interval)
    }

    /// Seals what is read and says `stop`; what could not be done.
    pub(super) fn stop_stream(&mut self, index: usize) -> Result<Option<String>, RunError> {
        let stream = &self.streams[index];
        if stream.leaving || stream.is_to_begin() {
            // Nothing was sealed in this run, so nothing is promised; a full spool is no fault of ours.
            let why = self.retry.as_ref().map(|retry| retry.why.as_str());
            return Ok(why.map(|why| format!("stream {}: {why}", stream.name)));
        }
        let full = stream.full;
        let sealed = !self.has_entries(index) || self.seal_batch(index)?;
        let words = Words {
            events: vec![Event::new(EventKind::Stop)],
            brief: full,
            close: false,
        };
        let stopped = sealed && self.seal(index, words)?;
        let name = &self.streams[index].name;
        let why = || self.retry.as_ref().map_or("", |retry| retry.why.as_str());
        Ok((!stopped).then(|| format!("stream {name}: {}", why())))
    }

    /// Seals the open batch, whatever its age. `false` if it had to be discarded.
    pub(super) fn seal_batch(&mut self, index: usize) -> Result<bool, RunError> {
        self.seal(index, Words::default())
    }

    /// Seals one manifest, with the open batch if there is one. `false` if nothing was committed.
    pub(super) fn seal(&mut self, index: usize, words: Words) -> Result<bool, RunError> {
        let heads = self.heads(index);
        let stream = &mut self.streams[index];
        let batch = stream.batch.take();
        let is_batch = batch.is_some();
        let statement = if words.brief {
            StreamStatement::default()
        } else {
            self.tracker.statement(&stream.name)
        };
        let mut events = stream.pending.clone();
        events.extend(words.events);
        events.extend(statement.events);
        let draft = ManifestDraft {
            packed: None,
            sources: statement.sources,
            events,
            heads,
            close: words.close,
            retention_s: stream.retention_s,
        };
        // Not the time at which somebody decided to seal: manifests of an epoch stand in time's order.
        let now = Now::read();
        let at = SealedAt {
            wall: now.wall,
            boot_ms: now.boot_ms,
        };
        let (next, checkpoints) = (&stream.next, &statement.checkpoints);
        match self
            .sealer
            .seal(&mut self.spool, next, batch, draft, checkpoints, at)
        {
            Ok(state) => {
                self.sealed(index, state, words.brief, is_batch, now);
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
        let (name, seq) = (&stream.name, state.head.seq);
        tracing::debug!(stream = %name, epoch = %state.epoch, seq, batch = is_batch, "sealed");
        // Step 6: only now do positions advance.
        if !brief {
            self.tracker.sealed(name);
            stream.events_since_ms = None;
        }
        stream.next = StreamState::After(state);
        stream.pending.clear();
        stream.sealed_at = now;
        if !is_batch {
            stream.beat_at = now;
        }
        self.retry = None;
        self.upkeep.unsaved = true;
        self.upkeep.changed = true;
    }

    /// A batch is gone: its bytes are read again, after a wait, or the agent must end.
    pub(super) fn discarded(&mut self, index: usize, error: SealError) -> Result<(), RunError> {
        self.tracker.discarded(&self.streams[index].name);
        match error {
            SealError::Discarded { .. } => {
                self.back_off(&error, Now::read());
                Ok(())
            }
            error => Err(error.into()),
        }
    }

    /// Whether the spool could not be written and is not yet to be tried again.
    pub(super) fn is_waiting(&self, now: Now) -> bool {
        let retry = self.retry.as_ref();
        retry.is_some_and(|retry| now.boot_ms < retry.at_boot_ms)
    }

    fn is_first(&self, index: usize) -> bool {
        let first = self.config.streams.first();
        first.is_some_and(|first| first.name == self.streams[index].name)
    }

    /// Where the agent's other streams stand, if this one is to say so.
    fn heads(&self, index: usize) -> Option<Vec<StreamHead>> {
        if !self.is_first(index) {
            return None;
        }
        let others = self
            .streams
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != index);
        let states = others.filter_map(|(_, stream)| stream.sealed_state());
        let heads: Vec<StreamHead> = states.map(SealedState::stream_head).collect();
        (!heads.is_empty()).then_some(heads)
    }
}
