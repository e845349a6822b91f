//! The bytes of one read and the pieces they fall into. Made once, used for every source: it holds
//! 1 MiB and a little.

use crate::read::pieces::{self, Piece, Rest};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// What one read gave.
#[derive(Debug, Default)]
pub(crate) struct ReadBuffer {
    /// The last window, then new bytes; what lies beyond `filled` is left over from earlier reads.
    bytes: Vec<u8>,
    filled: usize,
    pieces: Vec<Piece>,
}

impl ReadBuffer {
    #[must_use]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The pieces of the last read, in order of offset and without holes between them.
    #[must_use]
    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// A piece's bytes, without its LF: the entry's message.
    #[must_use]
    pub(crate) fn bytes(&self, piece: &Piece) -> &[u8] {
        self.bytes.get(piece.range.clone()).unwrap_or_default()
    }

    /// All that the last read gave.
    pub(crate) fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// The bytes before the read position, as the last read gave them; short if it was.
    pub(crate) fn window(&self, len: usize) -> &[u8] {
        self.filled().get(..len).unwrap_or_default()
    }

    /// The bytes of a run of pieces, with the window before them.
    pub(crate) fn run(&self, window: usize, first: &Piece, last: &Piece) -> &[u8] {
        &self.bytes[first.range.start - window..last.end()]
    }

    pub(crate) fn clear(&mut self) {
        self.pieces.clear();
    }

    /// Cuts what follows the window into pieces. The first byte stands at `offset` in the source.
    pub(crate) fn cut(&mut self, window: usize, offset: u64, line_open: bool, rest: Rest) {
        let bytes = &self.bytes[..self.filled];
        pieces::cut(bytes, window, offset, line_open, rest, &mut self.pieces);
    }

    /// Leaves out the last `len` bytes of what was read.
    pub(crate) fn shorten(&mut self, len: usize) {
        self.filled = self.filled.saturating_sub(len);
    }

    /// Takes bytes that were read elsewhere.
    pub(crate) fn load(&mut self, bytes: &[u8]) {
        if self.bytes.len() < bytes.len() {
            self.bytes.resize(bytes.len(), 0);
        }
        self.bytes[..bytes.len()].copy_from_slice(bytes);
        self.filled = bytes.len();
    }

    /// Reads `len` bytes at `at`, fewer if the file ends before. Whether it did not.
    pub(super) fn fill(&mut self, file: &File, at: u64, len: usize) -> io::Result<bool> {
        if self.bytes.len() < len {
            self.bytes.resize(len, 0);
        }
        self.filled = 0;
        while self.filled < len {
            let (into, from) = (&mut self.bytes[self.filled..len], at + self.filled as u64);
            match file.read_at(into, from) {
                Ok(0) => break,
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.filled == len)
    }
}
