//! Gzip members. One compressor serves every stream; its state is reset for each block.
//!
//! The frame is written here rather than by the library, because its first eight bytes are part of
//! the format: no name, no time.

use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use ledger::block;

/// Deflate's level. Measured on the eight logs of the design (CPU-seconds per GB of log, log bytes
/// per stored byte), zlib-rs on JSON lines: level 1: 3.5 and 3.5; 2: 6.0 and 4.5; 3: 8.7 and 4.8;
/// 6: 14.6 and 5.1. The whole agent's budget is 8.
const LEVEL: u32 = 1;

/// What follows those eight bytes. XFL 4: the fastest algorithm; OS 255: unknown (RFC 1952 section 2.3.1).
const XFL_OS: [u8; 2] = [4, 255];

/// Makes gzip members out of blocks.
#[derive(Debug)]
pub(crate) struct Compressor {
    deflate: Compress,
    member: Vec<u8>,
}

/// The deflate library gave up, which it has no reason to on memory.
#[derive(Debug, thiserror::Error)]
#[error("cannot compress a block: {0}")]
pub struct CompressError(String);

impl Default for Compressor {
    fn default() -> Self {
        Self {
            deflate: Compress::new(Compression::new(LEVEL), false),
            member: Vec::new(),
        }
    }
}

impl Compressor {
    /// One gzip member that unpacks to `raw`.
    pub(crate) fn member(&mut self, raw: &[u8]) -> Result<&[u8], CompressError> {
        self.deflate.reset();
        self.member.clear();
        self.member.extend_from_slice(&block::HEADER);
        self.member.extend_from_slice(&XFL_OS);
        self.member.reserve(raw.len() / 4);
        loop {
            let taken = usize::try_from(self.deflate.total_in()).unwrap_or(usize::MAX);
            let rest = raw.get(taken..).unwrap_or_default();
            let done = self
                .deflate
                .compress_vec(rest, &mut self.member, FlushCompress::Finish);
            match done.map_err(|error| CompressError(error.to_string()))? {
                Status::StreamEnd => break,
                // Out of room: each round at least doubles it, so there are few.
                Status::Ok | Status::BufError => self.member.reserve(self.member.len().max(4096)),
            }
        }
        let mut crc = Crc::new();
        crc.update(raw);
        self.member.extend_from_slice(&crc.sum().to_le_bytes());
        self.member.extend_from_slice(&crc.amount().to_le_bytes());
        Ok(&self.member)
    }

    /// Gives memory back after a block that was far larger than usual.
    pub(crate) fn shrink(&mut self) {
        self.member.clear();
        self.member.shrink_to(ledger::limits::BLOCK_RAW_TARGET);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn members_unpack_to_what_went_in() {
        let mut compressor = Compressor::default();
        let mut noise: u32 = 1;
        let random: Vec<u8> = std::iter::repeat_with(|| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise.to_be_bytes()[0]
        })
        .take(300_000)
        .collect();
        let lines = b"{\"message\":\"x\"}\n".repeat(50_000);
        let mut joined = Vec::new();
        for raw in [&b"a"[..], &random, &lines, &[0; 100_000]] {
            let member = compressor.member(raw).unwrap();
            assert_eq!(member[..8], block::HEADER);
            assert_eq!(member[8..10], XFL_OS);
            let mut back = Vec::new();
            flate2::bufread::GzDecoder::new(member)
                .read_to_end(&mut back)
                .unwrap();
            assert!(back == raw);
            joined.extend_from_slice(member);
        }
        let mut back = Vec::new();
        flate2::bufread::MultiGzDecoder::new(&joined[..])
            .read_to_end(&mut back)
            .unwrap();
        assert_eq!(back.len(), 1 + random.len() + lines.len() + 100_000);
    }

    #[test]
    fn equal_blocks_give_equal_members() {
        let mut compressor = Compressor::default();
        let one = compressor.member(b"same\n").unwrap().to_vec();
        compressor.member(&[7; 9999]).unwrap();
        assert_eq!(compressor.member(b"same\n").unwrap(), one);
    }
}
