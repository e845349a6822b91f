//! The codecs at the levels that are measured: zstd 1, and gzip at zlib-rs's level 1.

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use std::io::{Read as _, Write as _};
use zstd_safe::{CCtx, CParameter, DCtx};

/// The level of both.
const LEVEL: u8 = 1;

/// How blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Codec {
    /// One frame a block, with size and checksum.
    Zstd,
    /// One member a block.
    Gzip,
}

impl Codec {
    /// As manifests name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// By its name in manifests.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Zstd, Self::Gzip]
            .into_iter()
            .find(|codec| codec.name() == name)
    }
}

/// Compresses blocks; what zstd allocates serves them all.
pub(crate) enum Packer {
    Zstd(CCtx<'static>),
    Gzip,
}

impl Packer {
    pub(crate) fn new(codec: Codec) -> Self {
        if codec == Codec::Gzip {
            return Self::Gzip;
        }
        let mut context = CCtx::create();
        for parameter in [
            CParameter::CompressionLevel(LEVEL.into()),
            CParameter::ChecksumFlag(true),
            CParameter::ContentSizeFlag(true),
        ] {
            let set = context.set_parameter(parameter);
            set.map_err(zstd_safe::get_error_name)
                .expect("a known parameter");
        }
        Self::Zstd(context)
    }

    pub(crate) fn pack(&mut self, raw: &[u8]) -> Vec<u8> {
        match self {
            Self::Zstd(context) => {
                let mut stored = Vec::with_capacity(zstd_safe::compress_bound(raw.len()));
                let packed = context.compress2(&mut stored, raw);
                packed
                    .map_err(zstd_safe::get_error_name)
                    .expect("room for a frame");
                stored.shrink_to_fit();
                stored
            }
            Self::Gzip => {
                let room = Vec::with_capacity(raw.len() / 3);
                let mut encoder = GzEncoder::new(room, Compression::new(LEVEL.into()));
                encoder.write_all(raw).expect("a Vec takes any bytes");
                encoder.finish().expect("a Vec takes any bytes")
            }
        }
    }
}

/// Unpacks blocks of a stated size.
pub(super) enum Unpacker {
    Zstd(DCtx<'static>),
    Gzip,
}

impl Unpacker {
    pub(super) fn new(codec: Codec) -> Self {
        match codec {
            Codec::Zstd => Self::Zstd(DCtx::create()),
            Codec::Gzip => Self::Gzip,
        }
    }

    pub(super) fn unpack(&mut self, stored: &[u8], size: usize, raw: &mut Vec<u8>) {
        raw.clear();
        raw.reserve(size);
        match self {
            Self::Zstd(context) => {
                let unpacked = context.decompress(raw, stored);
                unpacked
                    .map_err(zstd_safe::get_error_name)
                    .expect("a frame");
            }
            Self::Gzip => {
                let mut decoder = GzDecoder::new(stored);
                decoder.read_to_end(raw).expect("a member");
            }
        }
        assert!(raw.len() == size);
    }
}
