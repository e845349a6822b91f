//! Zstandard (RFC 8878): a block is one frame, of the narrow form that docs/format.md prescribes.
//!
//! libzstd takes far more than that form: skippable frames, frames without a checksum or a size, several frames on
//! end, windows of a gibibyte. So a frame's structure is checked here, on the bytes, before the library sees them;
//! the library then has one frame of known size to unpack, and its checksum to verify.

use super::{BlockFault, CompressError};
use alloc::format;
use alloc::string::ToString as _;
use alloc::vec::Vec;
use zstd_safe::{CCtx, CParameter, DCtx, compress_bound, get_error_name};

/// How every frame begins (RFC 8878 section 3.1.1).
const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The frame header's descriptor (section 3.1.1.1.1), bit by bit.
const SINGLE_SEGMENT: u8 = 1 << 5;
const UNUSED: u8 = 1 << 4;
const RESERVED: u8 = 1 << 3;
const CHECKSUM: u8 = 1 << 2;
const DICTIONARY: u8 = 0b11;

/// The largest window a reader sets aside, as the header's byte: 8 MiB, exponent 13 and mantissa 0
/// (section 3.1.1.1.2). It is the largest that RFC 8878 recommends every decoder to support.
const WINDOW_MAX: u8 = 0x68;

/// Most bytes that one block may hold or regenerate, where the window is not smaller (section 3.1.1.2.4). The `zstd`
/// command refuses more, libzstd in one call does not: readers would differ.
const BLOCK_MAX: u64 = 128 * 1024;

/// Bytes of a block's header, and of the checksum behind the last block.
const BLOCK_HEADER: usize = 3;
const CHECKSUM_SIZE: usize = 4;

/// The smallest frame: magic, descriptor, content size, one raw block of one byte, checksum.
pub(super) const SMALLEST: u64 = 4 + 1 + 1 + BLOCK_HEADER as u64 + 1 + CHECKSUM_SIZE as u64;

/// Levels a writer may choose, the same as the `zstd` command's without `--ultra`.
pub(super) const LEVELS: core::ops::RangeInclusive<u8> = 1..=19;

/// Makes frames out of blocks. One serves every stream: its state is reset for each block.
pub(super) struct Compressor {
    context: CCtx<'static>,
    frame: Vec<u8>,
}

impl Compressor {
    /// # Errors
    /// No memory for the library's tables, or it does not know the level.
    pub(super) fn new(level: u8) -> Result<Self, CompressError> {
        let no_memory = || CompressError("no memory for its tables".to_string());
        let mut context = CCtx::try_create().ok_or_else(no_memory)?;
        for parameter in [
            CParameter::CompressionLevel(i32::from(level)),
            CParameter::ChecksumFlag(true),
            CParameter::ContentSizeFlag(true),
        ] {
            context.set_parameter(parameter).map_err(failed)?;
        }
        Ok(Self {
            context,
            frame: Vec::new(),
        })
    }

    /// One frame that unpacks to `raw`.
    pub(super) fn pack(&mut self, raw: &[u8]) -> Result<&[u8], CompressError> {
        self.frame.clear();
        self.frame.reserve(compress_bound(raw.len()));
        self.context
            .compress2(&mut self.frame, raw)
            .map_err(failed)?;
        Ok(&self.frame)
    }

    /// Gives memory back after a block that was far larger than usual.
    pub(super) fn shrink(&mut self) {
        self.frame.clear();
        self.frame
            .shrink_to(compress_bound(crate::limits::BLOCK_RAW_TARGET));
    }
}

fn failed(code: usize) -> CompressError {
    CompressError(get_error_name(code).to_string())
}

/// Unpacks `stored`, which must be exactly one frame of `size` raw bytes, into `raw`. Never more than `size` bytes
/// are unpacked, and nothing before the frame's structure is known to be right.
pub(super) fn unpack(stored: &[u8], size: u64, raw: &mut Vec<u8>) -> Result<(), BlockFault> {
    check_frame(stored, size)?;
    raw.clear();
    raw.reserve_exact(usize::try_from(size).unwrap_or(usize::MAX));
    let unpacked = DCtx::try_create()
        .ok_or_else(|| bad("no memory to unpack it"))?
        .decompress(raw, stored)
        .map_err(|code| bad(get_error_name(code)))?;
    if unpacked as u64 == size {
        Ok(())
    } else {
        Err(bad(&format!("{unpacked} bytes")))
    }
}

fn bad(what: &str) -> BlockFault {
    BlockFault::Bad(what.to_string())
}

/// Walks the frame from its magic to its checksum without unpacking anything.
fn check_frame(stored: &[u8], size: u64) -> Result<(), BlockFault> {
    let (window, mut rest) = check_header(stored, size)?;
    let block_max = window.min(BLOCK_MAX);
    loop {
        let (block, after) = cut(rest, BLOCK_HEADER)?;
        // Section 3.1.1.2: bit 0 ends the frame, bits 1 and 2 are the type, the rest is the size.
        let header = u32::from_le_bytes([block[0], block[1], block[2], 0]);
        let length = usize::try_from(header >> 3).unwrap_or(usize::MAX);
        let content = match (header >> 1) & 0b11 {
            _ if length as u64 > block_max => {
                return Err(bad(
                    "a frame with a block larger than its window or 128 KiB",
                ));
            }
            _ if length == 0 => return Err(bad("a frame with an empty block")),
            0 => length,
            1 => 1,
            // Its headers of literals and of sequences take more than that.
            2 if length < 3 => return Err(bad("a compressed block of under 3 bytes")),
            2 => length,
            _ => return Err(bad("a frame with a block of the reserved type")),
        };
        rest = cut(after, content)?.1;
        if header & 1 == 1 {
            break;
        }
    }
    match cut(rest, CHECKSUM_SIZE)?.1.len() as u64 {
        0 => Ok(()),
        trailing => Err(BlockFault::Trailing(trailing)),
    }
}

/// The frame's header; returns its window in bytes, and what follows.
fn check_header(stored: &[u8], size: u64) -> Result<(u64, &[u8]), BlockFault> {
    let Some(rest) = stored.strip_prefix(&MAGIC) else {
        return Err(bad("no zstd frame: it begins otherwise"));
    };
    let (descriptor, mut rest) = cut(rest, 1)?;
    let descriptor = descriptor[0];
    if descriptor & (UNUSED | RESERVED) != 0 {
        return Err(bad("a frame that sets unused bits"));
    }
    if descriptor & CHECKSUM == 0 {
        return Err(bad("a frame without a checksum"));
    }
    if descriptor & DICTIONARY != 0 {
        return Err(bad("a frame that wants a dictionary"));
    }
    let single_segment = descriptor & SINGLE_SEGMENT != 0;
    // A single segment is its own window.
    let mut window = size;
    if !single_segment {
        let (byte, after) = cut(rest, 1)?;
        if byte[0] > WINDOW_MAX {
            return Err(bad("a frame with a window of over 8 MiB"));
        }
        // Section 3.1.1.1.2: five bits of exponent, three of mantissa.
        let base = 1u64 << (10 + (byte[0] >> 3));
        window = base + base / 8 * u64::from(byte[0] & 0b111);
        rest = after;
    }
    // Section 3.1.1.1.4: one byte stands for a size only in a single segment, two bytes count from 256.
    let (width, base) = match (descriptor >> 6, single_segment) {
        (0, false) => return Err(bad("a frame that does not state its size")),
        (0, true) => (1, 0),
        (1, _) => (2, 256),
        (2, _) => (4, 0),
        _ => (8, 0),
    };
    let (field, rest) = cut(rest, width)?;
    let mut bytes = [0; 8];
    bytes[..width].copy_from_slice(field);
    let stated = u64::from_le_bytes(bytes).saturating_add(base);
    if stated == size {
        Ok((window, rest))
    } else {
        Err(bad(&format!("a frame that states {stated} bytes")))
    }
}

fn cut(bytes: &[u8], at: usize) -> Result<(&[u8], &[u8]), BlockFault> {
    let cut_short = || bad("a frame that is cut short");
    bytes.split_at_checked(at).ok_or_else(cut_short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec;

    fn frame(raw: &[u8]) -> Vec<u8> {
        Compressor::new(1).unwrap().pack(raw).unwrap().to_vec()
    }

    fn blocks() -> [Vec<u8>; 4] {
        let mut noise: u32 = 1;
        let random = core::iter::repeat_with(|| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            noise.to_be_bytes()[0]
        });
        [
            b"a".to_vec(),
            random.take(300_000).collect(),
            b"{\"message\":\"x\"}\n".repeat(50_000),
            vec![0; 8 << 20],
        ]
    }

    fn fault(bytes: &[u8], size: u64) -> String {
        match unpack(bytes, size, &mut Vec::new()) {
            Err(BlockFault::Bad(what)) => what,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn frames_unpack_to_what_went_in() {
        let mut back = Vec::new();
        for level in [1, 3, 19] {
            let mut compressor = Compressor::new(level).unwrap();
            for raw in blocks() {
                let packed = compressor.pack(&raw).unwrap();
                assert!(packed.len() as u64 >= SMALLEST);
                unpack(packed, raw.len() as u64, &mut back).unwrap();
                assert!(back == raw);
                compressor.shrink();
            }
        }
    }

    #[test]
    fn the_smallest_frame_is_one_byte_in_a_raw_block() {
        assert_eq!(frame(b"a").len() as u64, SMALLEST);
    }

    /// One frame each, right but for one thing; `zstd -dc` takes the first five without a word.
    #[test]
    fn what_is_not_exactly_one_frame_is_refused() {
        let good = frame(b"line\n");
        assert_eq!(unpack(&good, 5, &mut Vec::new()), Ok(()));
        let with = |at: usize, change: fn(u8) -> u8| {
            let mut bytes = good.clone();
            bytes[at] = change(bytes[at]);
            bytes
        };
        for (bytes, what) in [
            (with(4, |bits| bits | UNUSED), "unused bits"),
            (with(4, |bits| bits | RESERVED), "unused bits"),
            (with(4, |bits| bits & !CHECKSUM), "without a checksum"),
            (with(4, |bits| bits | 1), "wants a dictionary"),
            (
                with(4, |bits| bits & !SINGLE_SEGMENT),
                "does not state its size",
            ),
            (with(0, |byte| byte ^ 1), "begins otherwise"),
            (with(5, |_| 6), "states 6 bytes"),
            (with(6, |bits| bits | 0b110), "reserved type"),
            (with(good.len() - 1, |byte| byte ^ 1), "checksum"),
        ] {
            let fault = fault(&bytes, 5);
            assert!(fault.contains(what), "{fault}: {what}");
        }
        for cut in 0..good.len() {
            fault(&good[..cut], 5);
        }
        assert!(fault(&good, 4).contains("states 5 bytes"));
    }

    #[test]
    fn bytes_and_frames_that_follow_are_counted() {
        let good = frame(b"line\n");
        let skippable = [0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, b'x'];
        for after in [&b"x"[..], &good, &frame(b""), &skippable] {
            let both = [&good, after].concat();
            let trailing = BlockFault::Trailing(after.len() as u64);
            assert_eq!(unpack(&both, 5, &mut Vec::new()), Err(trailing));
        }
        let before = [&skippable[..], &good].concat();
        assert!(fault(&before, 5).contains("begins otherwise"));
    }

    /// Magic, descriptor (checksum, two bytes of size), window, size, then `blocks`.
    fn with_window(window: u8, blocks: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&[0b0100_0100, window, 0, 0]);
        bytes.extend_from_slice(blocks);
        bytes.extend_from_slice(&[0; CHECKSUM_SIZE]);
        bytes
    }

    #[test]
    fn windows_are_bounded_and_empty_blocks_refused() {
        let run = [0b011 | (256u32 << 3).to_le_bytes()[0], 8, 0, b'x'];
        let empty_first = [&[0, 0, 0][..], &run].concat();
        let tiny = [0b101 | 2 << 3, 0, 0, 0, 0];
        assert!(fault(&with_window(WINDOW_MAX, &run), 256).contains("checksum"));
        assert!(fault(&with_window(WINDOW_MAX + 1, &run), 256).contains("8 MiB"));
        assert!(fault(&with_window(0xf0, &run), 256).contains("8 MiB"));
        assert!(fault(&with_window(0, &empty_first), 256).contains("empty block"));
        assert!(fault(&with_window(0, &tiny), 256).contains("under 3 bytes"));
        // 256 bytes in a window of 1 KiB are fine, a block of more than the window is not.
        let wide = [0b011 | (2000u32 << 3).to_le_bytes()[0], 0x3e, 0, b'x'];
        assert!(fault(&with_window(0, &wide), 256).contains("larger than its window"));
    }

    #[test]
    fn a_bomb_is_unpacked_no_further_than_stated() {
        let bomb = frame(&vec![0; 10 << 20]);
        let mut raw = Vec::new();
        assert!(unpack(&bomb, 100, &mut raw).is_err());
        assert!(raw.capacity() < 200);
        // The header lies: it states 100 bytes.
        let mut lying = MAGIC.to_vec();
        lying.extend_from_slice(&[CHECKSUM | SINGLE_SEGMENT, 100]);
        lying.extend_from_slice(&[0b011, 0, 0x08, 0, 0, 0, 0, 0]);
        assert!(unpack(&lying, 100, &mut raw).is_err());
        assert!(raw.capacity() < 200);
    }

    #[test]
    fn damaged_frames_never_unpack_to_something_else() {
        let mut damage = crate::damage::Damage::new();
        let raw = b"{\"message\":\"x\"}\n".repeat(40);
        let good = frame(&raw);
        let mut back = Vec::new();
        for _ in 0..20_000 {
            let bytes = damage.of(&good);
            if unpack(&bytes, raw.len() as u64, &mut back).is_ok() {
                assert!(back == raw);
            }
        }
    }
}
