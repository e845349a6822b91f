//! Reading: a bounded piece of work for each source in turn, so that a backlog in one file does not
//! keep fresh lines of another waiting.

use super::backpressure::check_room;
use super::due::Waits;
use super::stream::RunningStream;
use super::streams::Streams;
use crate::bounds::OPEN_BLOCKS_MAX;
use crate::now::Now;
use crate::read::buffer::ReadBuffer;
use crate::read::pieces::Piece;
use crate::sealing::seal_error::SealError;
use crate::track::{Mode, SourceKey};
use ledger::entry::Entry;
use std::borrow::Cow;

/// A turn ends after so long, so that signals, heartbeats and new files get their due.
const TURN_MAX_MS: u64 = 1000;

/// One stream's part of a turn ends after so long, so that the others get theirs.
const STREAM_TURN_MAX_MS: u64 = 100;

/// Reads for all streams in turn.
pub(super) struct Intake {
    waits: Waits,
    buffer: ReadBuffer,
    /// Whose turn to be read it is.
    next_stream: usize,
}

impl Intake {
    pub(super) fn new(waits: Waits) -> Self {
        Self {
            waits,
            buffer: ReadBuffer::new(),
            next_stream: 0,
        }
    }

    /// Reads once from every source that may have something, for a bounded time; whether there may
    /// be more. The next turn continues with the stream, and the source, that waits longest.
    pub(super) fn turn(&mut self, streams: &mut Streams, mode: Mode) -> Result<bool, SealError> {
        let until_ms = Now::read().boot_ms.saturating_add(TURN_MAX_MS);
        let mut took = false;
        for _ in 0..streams.count() {
            if streams.is_waiting(Now::read()) {
                return Ok(false);
            }
            if Now::read().boot_ms > until_ms {
                return Ok(true);
            }
            let index = self.next_stream % streams.count();
            self.next_stream = index + 1;
            took |= self.read_stream(streams, index, mode)?;
        }
        Ok(took)
    }

    fn read_stream(
        &mut self,
        streams: &mut Streams,
        index: usize,
        mode: Mode,
    ) -> Result<bool, SealError> {
        check_room(streams, index)?;
        let mut took = false;
        if !streams.get(index).may_read() {
            return Ok(took);
        }
        let until_ms = Now::read().boot_ms.saturating_add(STREAM_TURN_MAX_MS);
        for key in streams.tracker().unread(streams.get(index).name()) {
            took |= self.read(streams, index, key, mode)?;
            if streams.is_waiting(Now::read()) {
                break;
            }
            self.waits.seal_due(streams, Now::read())?;
            check_room(streams, index)?;
            if !streams.get(index).may_read() {
                break;
            }
            if Now::read().boot_ms > until_ms {
                return Ok(true);
            }
        }
        Ok(took)
    }

    /// One buffer's worth of one source. Whether it had any.
    fn read(
        &mut self,
        streams: &mut Streams,
        index: usize,
        key: SourceKey,
        mode: Mode,
    ) -> Result<bool, SealError> {
        let buffer = &mut self.buffer;
        let peeked = streams.tracker_mut().peek(key, buffer, mode, Now::read());
        if let Err(fault) = &peeked {
            tracing::debug!(%fault, "source skipped");
        }
        let mut rest = if peeked.is_ok() { buffer.pieces() } else { &[] };
        let mut took = false;
        while !rest.is_empty() {
            let fitting = pack(streams, index, key, buffer, rest);
            if fitting == 0 {
                break;
            }
            let (taken, left) = rest.split_at(fitting);
            streams.tracker_mut().take(key, buffer, taken);
            took = true;
            rest = left;
            if !relieve(streams, index)? {
                // The batch was discarded: what was taken is read again later.
                break;
            }
        }
        Ok(took)
    }
}

/// Packs pieces until a block or the batch is full; how many it packed.
fn pack(
    streams: &mut Streams,
    index: usize,
    key: SourceKey,
    buffer: &ReadBuffer,
    pieces: &[Piece],
) -> usize {
    let now = Now::read();
    let (tracker, stream) = streams.tracker_and(index);
    let Some(view) = tracker.source(key) else {
        // Never so for a source with pieces; if it were, nothing may be taken from it.
        tracing::error!(?key, "source without a name skipped");
        return 0;
    };
    let batch = stream.batch_or_begin(now);
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
fn relieve(streams: &mut Streams, index: usize) -> Result<bool, SealError> {
    let stream = streams.get(index);
    let Some(batch) = stream.batch() else {
        return Ok(true);
    };
    if batch.pack().is_full() || streams.tracker().is_full(stream.name()) {
        return streams.seal_batch(index);
    }
    if batch.pack().block_is_full() && !streams.close_block(index)? {
        return Ok(false);
    }
    let open: usize = streams.iter().map(RunningStream::open_bytes).sum();
    if open <= OPEN_BLOCKS_MAX {
        return Ok(true);
    }
    let sizes = streams.iter().map(RunningStream::open_bytes);
    let largest = sizes.enumerate().max_by_key(|(_, bytes)| *bytes);
    let largest = largest.map_or(index, |(at, _)| at);
    Ok(streams.close_block(largest)? || largest != index)
}
