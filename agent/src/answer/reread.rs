//! Bytes whose sealed entries rotted, read again from their log. The log is believed only if its windows up to where
//! the batch left it are those that were sealed.

use crate::read::pieces::{Piece, Rest, cut};
use crate::track::checkpoint::Checkpoint;
use ledger::limits::BATCH_RAW_MAX;
use ledger::manifest::Via;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// What a log gives for a range of its source.
#[derive(Debug, Default)]
pub(super) struct Reread {
    pub(super) bytes: Vec<u8>,
    pub(super) pieces: Vec<Piece>,
}

/// The bytes `[from, to)` of the source of which this is the checkpoint once the batch was sealed; `None` if the file
/// is not that log, or another form of it.
pub(super) fn reread(
    file: &File,
    checkpoint: &Checkpoint,
    (from, to): (u64, u64),
) -> io::Result<Option<Reread>> {
    let known = checkpoint.fingerprint();
    // A batch holds no more; a packed log would have to be unpacked up to here.
    let is_bounded = to - from <= BATCH_RAW_MAX && to <= known.offset();
    if checkpoint.via != Via::Plain || !is_bounded || !known.begins(file)? {
        return Ok(None);
    }
    let mut bytes = vec![0; usize::try_from(to - from).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, from)?;
    let mut before = [b'\n'];
    if from > 0 {
        file.read_exact_at(&mut before, from - 1)?;
    }
    let mut pieces = Vec::new();
    cut(&bytes, 0, from, before != *b"\n", Rest::Ended, &mut pieces);
    Ok(Some(Reread { bytes, pieces }))
}
