//! Stored blocks that are almost one frame or member, each with one thing wrong, and whether the stock tool takes
//! it without a word.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ledger::codec::{Codec, Compressor};
use serde_json::{Value, json};

/// What every block would unpack to.
const RAW: &[u8] = b"line\n";

/// A skippable frame (section 3.1.2) with one byte.
const SKIPPABLE: [u8; 9] = [0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, b'x'];

/// A frame's parts (RFC 8878 section 3.1.1), for one raw block of [`RAW`].
struct Frame {
    descriptor: u8,
    /// Window, dictionary and content size, as the descriptor has them.
    fields: Vec<u8>,
    blocks: Vec<u8>,
    checksum: Vec<u8>,
}

impl Frame {
    /// The frame that libzstd makes, taken apart.
    fn good() -> Self {
        let bytes = unit(Codec::Zstd, RAW);
        let (body, checksum) = bytes.split_at(bytes.len() - 4);
        assert_eq!(body[4..6], [0x24, 5], "single segment, checksum, 5 bytes");
        Self {
            descriptor: body[4],
            fields: vec![body[5]],
            blocks: body[6..].to_vec(),
            checksum: checksum.to_vec(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0x28, 0xb5, 0x2f, 0xfd, self.descriptor];
        bytes.extend_from_slice(&self.fields);
        bytes.extend_from_slice(&self.blocks);
        bytes.extend_from_slice(&self.checksum);
        bytes
    }

    fn with(change: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut frame = Self::good();
        change(&mut frame);
        frame.bytes()
    }
}

fn unit(codec: Codec, raw: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(codec, 1).unwrap();
    compressor.pack(raw).unwrap().to_vec()
}

/// The good ones, and what is wrong with the others.
pub(super) fn blocks() -> Value {
    let frames = headers().into_iter().chain(frames());
    let rows = frames.map(|row| (Codec::Zstd, row));
    let rows = rows.chain(members().into_iter().map(|row| (Codec::Gzip, row)));
    let one = |(codec, (why, stock_takes, stored)): (Codec, Row)| {
        json!({
            "codec": codec,
            "why": why,
            "stock_takes": stock_takes,
            "stored_base64": BASE64.encode(stored),
        })
    };
    let good = Codec::ALL
        .map(|codec| json!({"codec": codec, "stored_base64": BASE64.encode(unit(codec, RAW))}));
    json!({
        "raw_base64": BASE64.encode(RAW),
        "good": good,
        "bad": rows.map(one).collect::<Vec<_>>(),
    })
}

/// Why it is refused, whether the stock tool exits 0 on it, the bytes.
type Row = (&'static str, bool, Vec<u8>);

/// What is wrong before a frame's blocks.
fn headers() -> Vec<Row> {
    let good = Frame::good().bytes();
    vec![
        (
            "magic: a skippable frame before it",
            true,
            [&SKIPPABLE[..], &good].concat(),
        ),
        ("magic: another number", false, {
            let mut bytes = good.clone();
            bytes[0] ^= 1;
            bytes
        }),
        (
            "content size: none",
            true,
            Frame::with(|frame| {
                frame.descriptor = 0b0000_0100;
                frame.fields = vec![0];
            }),
        ),
        (
            "content size: another",
            false,
            Frame::with(|frame| frame.fields = vec![6]),
        ),
        (
            "checksum: none",
            true,
            Frame::with(|frame| {
                frame.descriptor &= !0b100;
                frame.checksum.clear();
            }),
        ),
        (
            "checksum: of other bytes",
            false,
            Frame::with(|frame| frame.checksum[0] ^= 1),
        ),
        (
            "dictionary: one is named, though none is meant",
            true,
            Frame::with(|frame| {
                frame.descriptor |= 1;
                frame.fields = vec![0, 5];
            }),
        ),
        (
            "dictionary: one is needed",
            false,
            Frame::with(|frame| {
                frame.descriptor |= 1;
                frame.fields = vec![7, 5];
            }),
        ),
        (
            "bits: the unused one is set",
            true,
            Frame::with(|frame| frame.descriptor |= 1 << 4),
        ),
        (
            "bits: the reserved one is set",
            false,
            Frame::with(|frame| frame.descriptor |= 1 << 3),
        ),
    ]
}

/// What is wrong with a frame's window, its blocks, or what follows them.
fn frames() -> Vec<Row> {
    let good = Frame::good().bytes();
    let window = |frame: &mut Frame, byte: u8| {
        // No single segment: a window, and a content size of four bytes.
        frame.descriptor = 0b1000_0100;
        frame.fields = vec![byte, 5, 0, 0, 0];
    };
    vec![
        (
            "window: over 8 MiB",
            true,
            Frame::with(|frame| window(frame, 0x69)),
        ),
        (
            "window: a gibibyte",
            true,
            Frame::with(|frame| window(frame, 0xa0)),
        ),
        (
            "blocks: an empty one",
            true,
            Frame::with(|frame| {
                frame.blocks = [&[0, 0, 0][..], &frame.blocks].concat();
            }),
        ),
        (
            "blocks: one of the reserved type",
            false,
            Frame::with(|frame| frame.blocks[0] |= 0b110),
        ),
        (
            "blocks: one of over 128 KiB",
            false,
            Frame::with(|frame| {
                frame.fields = vec![5];
                // An RLE block that regenerates 200,000 bytes.
                let header = (200_000u32 << 3) | 0b011;
                frame.blocks = header.to_le_bytes()[..3].to_vec();
                frame.blocks.push(b'x');
            }),
        ),
        (
            "end: an empty frame follows",
            true,
            [&good[..], &unit(Codec::Zstd, b"")].concat(),
        ),
        (
            "end: a skippable frame follows",
            true,
            [&good[..], &SKIPPABLE].concat(),
        ),
        (
            "end: a gzip member follows",
            true,
            [&good[..], &unit(Codec::Gzip, b"x\n")].concat(),
        ),
        (
            "end: other bytes follow",
            false,
            [&good[..], b"garbage"].concat(),
        ),
        ("end: cut short", false, good[..good.len() - 1].to_vec()),
        ("another codec: a gzip member", true, unit(Codec::Gzip, RAW)),
    ]
}

fn members() -> Vec<Row> {
    let good = unit(Codec::Gzip, RAW);
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    vec![
        ("header: a time", true, with(4, 1)),
        ("header: a flag that says text", true, with(3, 1)),
        (
            "checksum: of other bytes",
            false,
            with(good.len() - 8, good[good.len() - 8] ^ 1),
        ),
        ("size: another", false, with(good.len() - 4, 6)),
        (
            "end: an empty member follows",
            true,
            [&good[..], &unit(Codec::Gzip, b"")].concat(),
        ),
        ("end: cut short", false, good[..good.len() - 1].to_vec()),
    ]
}
