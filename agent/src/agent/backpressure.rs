//! Backpressure: what happens when the spool has no room, and when it has again.

use super::streams::Words;
use super::{Agent, RunError, Stream};
use crate::bounds::{ROOM_MIN, ROOM_RESUME};
use crate::now::Now;
use ledger::manifest::{Event, EventKind};

impl Agent {
    /// Bytes the stream may still add to the spool.
    fn room(&self, index: usize) -> u64 {
        let making = self.streams.iter().map(Stream::making).sum();
        let stream = &self.streams[index];
        self.spool
            .room(&stream.name, making, stream.making(), self.spool.free())
    }

    /// Goes full when there is no room for another block, and resumes when there is for several.
    pub(super) fn check_room(&mut self, index: usize) -> Result<(), RunError> {
        let room = self.room(index);
        let stream = &mut self.streams[index];
        if !stream.full && room < ROOM_MIN {
            stream.full = true;
            self.upkeep.changed = true;
            let stream = &stream.name;
            tracing::warn!(%stream, room, "spool is full: files are held, nothing is read until there is room");
        }
        if self.is_waiting(Now::read()) {
            return Ok(());
        }
        let stream = &self.streams[index];
        match (stream.full, stream.is_to_begin()) {
            (true, _) if room >= ROOM_RESUME => self.resume(index),
            (true, _) => self.say_full(index),
            (false, true) => self.begin_stream(index),
            (false, false) => Ok(()),
        }
    }

    fn say_full(&mut self, index: usize) -> Result<(), RunError> {
        let stream = &self.streams[index];
        let said = stream.sealed_state().is_none_or(|state| state.full);
        if said || stream.is_to_begin() {
            return Ok(());
        }
        // What is read counts as used already, so there is room to seal it.
        if self.has_entries(index) && !self.seal_batch(index)? {
            return Ok(());
        }
        let words = Words {
            events: vec![Event::new(EventKind::Full)],
            brief: true,
            close: false,
        };
        self.seal(index, words)?;
        Ok(())
    }

    fn resume(&mut self, index: usize) -> Result<(), RunError> {
        let stream = &mut self.streams[index];
        stream.full = false;
        self.upkeep.changed = true;
        let stream_name = &stream.name;
        tracing::info!(stream = %stream_name, "the spool has room again");
        let resumed = Event::new(EventKind::Resumed);
        if stream.sealed_state().is_some_and(|state| state.full)
            && !stream.pending.contains(&resumed)
        {
            stream.pending.push(resumed);
        }
        if stream.is_to_begin() {
            self.begin_stream(index)?;
        } else if !stream.pending.is_empty() {
            self.seal(index, Words::default())?;
        }
        Ok(())
    }
}
