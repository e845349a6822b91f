//! Backpressure: what happens when the spool has no room, and when it has again.

use super::stream::Words;
use super::streams::Streams;
use crate::bounds::{ROOM_MIN, ROOM_RESUME};
use crate::now::Now;
use crate::sealing::seal_error::SealError;
use ledger::manifest::{Event, EventKind};

/// Goes full when there is no room for another block, and resumes when there is for several.
pub(super) fn check_room(streams: &mut Streams, index: usize) -> Result<(), SealError> {
    let room = streams.room(index);
    if !streams.get(index).is_full() && room < ROOM_MIN {
        streams.get_mut(index).goes_full();
        streams.change();
        let stream = streams.get(index).name();
        tracing::warn!(%stream, room, "spool is full: nothing is read until there is room");
    }
    if streams.is_waiting(Now::read()) || streams.get(index).is_answering() {
        return Ok(());
    }
    let stream = streams.get(index);
    match (stream.is_full(), stream.is_to_begin()) {
        (true, _) if room >= ROOM_RESUME => resume(streams, index),
        (true, _) => say_full(streams, index),
        (false, true) => streams.begin_stream(index),
        (false, false) => Ok(()),
    }
}

fn say_full(streams: &mut Streams, index: usize) -> Result<(), SealError> {
    let stream = streams.get(index);
    if stream.has_said_full() || stream.is_to_begin() {
        return Ok(());
    }
    // What is read counts as used already, so there is room to seal it.
    if stream.has_entries() && !streams.seal_batch(index)? {
        return Ok(());
    }
    let words = Words {
        events: vec![Event::new(EventKind::Full)],
        brief: true,
        close: false,
    };
    streams.seal(index, words)?;
    Ok(())
}

fn resume(streams: &mut Streams, index: usize) -> Result<(), SealError> {
    let stream = streams.get_mut(index);
    let waits = stream.has_room();
    tracing::info!(stream = %stream.name(), "the spool has space again");
    let begins = stream.is_to_begin();
    streams.change();
    if begins {
        streams.begin_stream(index)?;
    } else if waits {
        streams.seal_batch(index)?;
    }
    Ok(())
}
