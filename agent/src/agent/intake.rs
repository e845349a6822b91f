//! Reading: a bounded piece of work for each source in turn, so that a backlog in one file does not
//! keep fresh lines of another waiting.

use super::{Agent, RunError};
use crate::bounds::OPEN_BLOCKS_MAX;
use crate::now::Now;
use crate::read::buffer::ReadBuffer;
use crate::read::pieces::Piece;
use crate::sealing::open_batch::OpenBatch;
use crate::track::{Mode, SourceKey};
use ledger::entry::Entry;
use std::borrow::Cow;

/// A turn ends after so long, so that signals, heartbeats and new files get their due.
const TURN_MAX_MS: u64 = 1000;

/// One stream's part of a turn ends after so long, so that the others get theirs.
const STREAM_TURN_MAX_MS: u64 = 100;

impl Agent {
    /// Reads once from every source that may have something, for a bounded time; whether there may
    /// be more. The next turn goes on with the stream, and the source, that waits longest.
    pub(super) fn turn(&mut self, mode: Mode) -> Result<bool, RunError> {
        let until_ms = Now::read().boot_ms.saturating_add(TURN_MAX_MS);
        let mut took = false;
        for _ in 0..self.streams.len() {
            if self.is_waiting(Now::read()) {
                return Ok(false);
            }
            if Now::read().boot_ms > until_ms {
                return Ok(true);
            }
            let index = self.next_stream % self.streams.len();
            self.next_stream = index + 1;
            took |= self.read_stream(index, mode)?;
        }
        Ok(took)
    }

    fn read_stream(&mut self, index: usize, mode: Mode) -> Result<bool, RunError> {
        self.check_room(index)?;
        let mut took = false;
        if !self.streams[index].may_read() {
            return Ok(took);
        }
        let until_ms = Now::read().boot_ms.saturating_add(STREAM_TURN_MAX_MS);
        for key in self.tracker.unread(&self.streams[index].name) {
            took |= self.read(index, key, mode)?;
            if self.is_waiting(Now::read()) {
                break;
            }
            self.seal_due(Now::read())?;
            self.check_room(index)?;
            if !self.streams[index].may_read() {
                break;
            }
            if Now::read().boot_ms > until_ms {
                return Ok(true);
            }
        }
        Ok(took)
    }

    /// One buffer's worth of one source. Whether it had any.
    fn read(&mut self, index: usize, key: SourceKey, mode: Mode) -> Result<bool, RunError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let peeked = self.tracker.peek(key, &mut buffer, mode, Now::read());
        if let Err(fault) = &peeked {
            tracing::debug!(%fault, "a source is passed over");
        }
        let mut rest = if peeked.is_ok() { buffer.pieces() } else { &[] };
        let mut took = false;
        while !rest.is_empty() {
            let fitting = self.pack(index, key, &buffer, rest);
            if fitting == 0 {
                break;
            }
            let (taken, left) = rest.split_at(fitting);
            self.tracker.take(key, &buffer, taken);
            took = true;
            rest = left;
            if !self.relieve(index)? {
                // The batch was discarded: what was taken is read again later.
                break;
            }
        }
        self.buffer = buffer;
        Ok(took)
    }

    /// Packs pieces until a block or the batch is full; how many it packed.
    fn pack(
        &mut self,
        index: usize,
        key: SourceKey,
        buffer: &ReadBuffer,
        pieces: &[Piece],
    ) -> usize {
        let now = Now::read();
        let stream = &mut self.streams[index];
        let Some(view) = self.tracker.source(key) else {
            // Never so for a source with pieces; if it were, nothing may be taken from it.
            tracing::error!(?key, "a source without a name is passed over");
            return 0;
        };
        let next = stream.next.next_entry();
        let batch = stream
            .batch
            .get_or_insert_with(|| OpenBatch::new(next, now.boot_ms));
        for (packed, piece) in pieces.iter().enumerate() {
            if packed > 0 && (batch.pack().block_is_full() || batch.pack().is_full()) {
                return packed;
            }
            batch.push(&Entry {
                sequence: batch.pack().next_sequence(),
                created: now.wall,
                path: Cow::Borrowed(&view.path.0),
                source: view.id,
                offset: piece.offset,
                flags: piece.flags,
                message: Cow::Borrowed(buffer.bytes(piece)),
            });
        }
        pieces.len()
    }

    /// Closes what is full: the block, the largest block of all streams, the batch. `false` if the
    /// stream's batch had to be discarded.
    fn relieve(&mut self, index: usize) -> Result<bool, RunError> {
        let stream = &self.streams[index];
        let Some(batch) = &stream.batch else {
            return Ok(true);
        };
        if batch.pack().is_full() || self.tracker.is_full(&stream.name) {
            return self.seal_batch(index);
        }
        if batch.pack().block_is_full() && !self.close_block(index)? {
            return Ok(false);
        }
        let open: usize = self.streams.iter().map(super::Stream::open_bytes).sum();
        if open <= OPEN_BLOCKS_MAX {
            return Ok(true);
        }
        let sizes = self.streams.iter().map(super::Stream::open_bytes);
        let largest = sizes.enumerate().max_by_key(|(_, bytes)| *bytes);
        let largest = largest.map_or(index, |(at, _)| at);
        Ok(self.close_block(largest)? || largest != index)
    }

    fn close_block(&mut self, index: usize) -> Result<bool, RunError> {
        let stream = &mut self.streams[index];
        let Some(batch) = &mut stream.batch else {
            return Ok(true);
        };
        match self.sealer.close_block(batch, self.spool.layout()) {
            Ok(()) => Ok(true),
            Err(error) => {
                if let Some(batch) = stream.batch.take() {
                    batch.discard();
                }
                self.discarded(index, error)?;
                Ok(false)
            }
        }
    }
}
