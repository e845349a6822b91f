//! gzip (RFC 1952): a block is one member, and begins with the eight bytes that the format prescribes.
//!
//! The frame is written and read here rather than by the library: no name, no time, no extra field, and
//! nothing after the member.

use super::{BlockFault, CompressError};
use alloc::format;
use alloc::string::ToString as _;
use alloc::vec::Vec;
use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};

/// How every block begins (RFC 1952 section 2.3): gzip, deflate, no flags, no time.
const HEADER: [u8; 8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0];

/// What we write after those eight bytes. XFL 4: a fast algorithm; OS 255: unknown (section 2.3.1).
/// Readers take any two bytes there.
const XFL_OS: [u8; 2] = [4, 255];

/// CRC-32 and size of the raw bytes, both little-endian, end a member.
const TRAILER: usize = 8;

/// The smallest member: header, two bytes, a deflate block of at least two bytes, trailer.
pub(super) const SMALLEST: u64 = (HEADER.len() + XFL_OS.len() + 2 + TRAILER) as u64;

/// Deflate's levels, without 0, which does not compress.
pub(super) const LEVELS: core::ops::RangeInclusive<u8> = 1..=9;

/// Makes members out of blocks. One serves every stream: its state is reset for each block.
pub(super) struct Compressor {
    deflate: Compress,
    member: Vec<u8>,
}

impl Compressor {
    pub(super) fn new(level: u8) -> Self {
        Self {
            deflate: Compress::new(Compression::new(u32::from(level)), false),
            member: Vec::new(),
        }
    }

    /// One member that unpacks to `raw`.
    pub(super) fn pack(&mut self, raw: &[u8]) -> Result<&[u8], CompressError> {
        self.deflate.reset();
        self.member.clear();
        self.member.extend_from_slice(&HEADER);
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
    pub(super) fn shrink(&mut self) {
        self.member.clear();
        self.member.shrink_to(crate::limits::BLOCK_RAW_TARGET);
    }
}

/// Unpacks `stored`, which must be exactly one member of `size` raw bytes, into `raw`. At most a byte more than
/// that, or than `raw` had room for before, is ever unpacked.
pub(super) fn unpack(stored: &[u8], size: u64, raw: &mut Vec<u8>) -> Result<(), BlockFault> {
    let bad = |what: &str| BlockFault::Bad(what.to_string());
    let Some(rest) = stored.strip_prefix(&HEADER) else {
        return Err(bad("another header"));
    };
    let Some(deflated) = rest.get(XFL_OS.len()..) else {
        return Err(bad("a member that is cut short"));
    };
    raw.clear();
    raw.reserve_exact(usize::try_from(size.saturating_add(1)).unwrap_or(usize::MAX));
    let mut inflate = Decompress::new(false);
    let done = inflate.decompress_vec(deflated, raw, FlushDecompress::Finish);
    match done.map_err(|error| BlockFault::Bad(error.to_string()))? {
        Status::StreamEnd => {}
        _ if raw.len() as u64 > size => {
            return Err(bad(&format!("{} bytes or more", raw.len())));
        }
        Status::Ok | Status::BufError => return Err(bad("a member that is cut short")),
    }
    if raw.len() as u64 != size {
        return Err(bad(&format!("{} bytes", raw.len())));
    }
    let taken = usize::try_from(inflate.total_in()).unwrap_or(usize::MAX);
    let end = deflated.get(taken..).unwrap_or_default();
    let Some((trailer, after)) = end.split_at_checked(TRAILER) else {
        return Err(bad("a member that is cut short"));
    };
    let mut crc = Crc::new();
    crc.update(raw);
    let expected = [crc.sum().to_le_bytes(), crc.amount().to_le_bytes()];
    if trailer != expected.as_flattened() {
        return Err(bad("a member whose checksum does not match"));
    }
    match after.len() as u64 {
        0 => Ok(()),
        trailing => Err(BlockFault::Trailing(trailing)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn blocks() -> [Vec<u8>; 4] {
        let mut noise: u32 = 1;
        let random = core::iter::repeat_with(|| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise.to_be_bytes()[0]
        });
        let lines = b"{\"message\":\"x\"}\n".repeat(50_000);
        [
            b"a".to_vec(),
            random.take(300_000).collect(),
            lines,
            vec![0; 100_000],
        ]
    }

    #[test]
    fn members_unpack_to_what_went_in() {
        let mut compressor = Compressor::new(1);
        let mut back = Vec::new();
        for raw in blocks() {
            let member = compressor.pack(&raw).unwrap();
            assert_eq!(member[..8], HEADER);
            assert_eq!(member[8..10], XFL_OS);
            unpack(member, raw.len() as u64, &mut back).unwrap();
            assert!(back == raw);
        }
    }

    #[test]
    fn equal_blocks_give_equal_members() {
        let mut compressor = Compressor::new(1);
        let one = compressor.pack(b"same\n").unwrap().to_vec();
        compressor.pack(&[7; 9999]).unwrap();
        assert_eq!(compressor.pack(b"same\n").unwrap(), one);
    }

    #[test]
    fn what_is_not_exactly_one_member_is_refused() {
        let mut compressor = Compressor::new(1);
        let good = compressor.pack(b"line\n").unwrap().to_vec();
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        let last = good.len() - 1;
        let bad = |size, bytes: &[u8]| match unpack(bytes, size, &mut Vec::new()) {
            Err(BlockFault::Bad(what)) => what,
            other => panic!("{other:?}"),
        };
        assert_eq!(unpack(&good, 5, &mut Vec::new()), Ok(()));
        assert_eq!(bad(4, &good), "5 bytes");
        assert_eq!(bad(6, &good), "5 bytes");
        for (at, byte) in HEADER.into_iter().enumerate() {
            assert_eq!(bad(5, &with(at, byte ^ 1)), "another header", "{at}");
        }
        assert_eq!(unpack(&with(9, 3), 5, &mut Vec::new()), Ok(()));
        for at in [last, last - 4] {
            let what = bad(5, &with(at, good[at] ^ 1));
            assert_eq!(what, "a member whose checksum does not match");
        }
        for cut in 0..good.len() {
            bad(5, &good[..cut]);
        }
        for after in [&b"x"[..], &good] {
            let trailing = BlockFault::Trailing(after.len() as u64);
            let both = [&good, after].concat();
            assert_eq!(unpack(&both, 5, &mut Vec::new()), Err(trailing));
        }
    }

    #[test]
    fn a_bomb_is_unpacked_no_further_than_stated() {
        let bomb = Compressor::new(1).pack(&[0; 10 << 20]).unwrap().to_vec();
        let mut raw = Vec::new();
        let fault = unpack(&bomb, 100, &mut raw).unwrap_err();
        assert_eq!(fault, BlockFault::Bad("101 bytes or more".into()));
        assert!(raw.capacity() < 200);
    }
}
