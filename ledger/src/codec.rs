//! How blocks are compressed: one file a codec, used by whoever writes, verifies or restores.
//!
//! A codec has two halves. A [`Compressor`] makes one unit (zstd: a frame; gzip: a member) of a block's raw bytes.
//! [`Codec::unpack`] gives them back, and only from bytes that have exactly the form that docs/format.md
//! prescribes: whatever a stock tool would overlook is a [`BlockFault`]. Bytes in, bytes out; memory is bounded by
//! the size that is stated.

mod gzip;
mod zstd;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// How a body is compressed: `stored.codec`, and the end of its key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// Zstandard (RFC 8878), a frame for each block.
    #[default]
    Zstd,
    /// gzip (RFC 1952), a member for each block: for readers that lack zstd.
    Gzip,
}

impl Codec {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Zstd, Self::Gzip];

    /// Its name in manifests and settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// How a body's key ends, behind `.ndjson.`.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Zstd => "zst",
            Self::Gzip => "gz",
        }
    }

    /// The codec of which a key ends so; `None` for other ends.
    #[must_use]
    pub fn of_extension(extension: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.extension() == extension)
    }

    /// What one unit is called.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::Zstd => "zstd frame",
            Self::Gzip => "gzip member",
        }
    }

    /// Levels that a writer may choose.
    #[must_use]
    pub fn levels(self) -> RangeInclusive<u8> {
        match self {
            Self::Zstd => zstd::LEVELS,
            Self::Gzip => gzip::LEVELS,
        }
    }

    /// Bytes of the smallest unit that holds anything.
    #[must_use]
    pub fn smallest_unit(self) -> u64 {
        match self {
            Self::Zstd => zstd::SMALLEST,
            Self::Gzip => gzip::SMALLEST,
        }
    }

    /// Unpacks `stored`, which must be exactly one unit of `size` raw bytes, into `raw`. At most a byte more than
    /// that, or than `raw` had room for before, is ever unpacked.
    ///
    /// # Errors
    /// [`BlockFault`]; `raw` then holds nothing of worth.
    pub fn unpack(self, stored: &[u8], size: u64, raw: &mut Vec<u8>) -> Result<(), BlockFault> {
        match self {
            Self::Zstd => zstd::unpack(stored, size, raw),
            Self::Gzip => gzip::unpack(stored, size, raw),
        }
    }
}

/// Text that names no codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a codec: zstd or gzip is expected")]
pub struct NotACodec;

impl FromStr for Codec {
    type Err = NotACodec;

    fn from_str(text: &str) -> Result<Self, NotACodec> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.as_str() == text)
            .ok_or(NotACodec)
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Makes units of one codec out of blocks. One serves every stream: its state is reset for each block.
pub struct Compressor {
    codec: Codec,
    half: Half,
}

enum Half {
    Zstd(zstd::Compressor),
    Gzip(gzip::Compressor),
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Compressor({})", self.codec)
    }
}

impl Compressor {
    /// A compressor at one of [`Codec::levels`].
    ///
    /// # Errors
    /// Another level, or no memory for the library's tables.
    pub fn new(codec: Codec, level: u8) -> Result<Self, CompressError> {
        if !codec.levels().contains(&level) {
            return Err(CompressError(alloc::format!(
                "{codec} has no level {level}"
            )));
        }
        let half = match codec {
            Codec::Zstd => Half::Zstd(zstd::Compressor::new(level)?),
            Codec::Gzip => Half::Gzip(gzip::Compressor::new(level)),
        };
        Ok(Self { codec, half })
    }

    /// What it makes.
    #[must_use]
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// One unit that unpacks to `raw`.
    ///
    /// # Errors
    /// The library failed; nothing of the block counts.
    pub fn pack(&mut self, raw: &[u8]) -> Result<&[u8], CompressError> {
        match &mut self.half {
            Half::Zstd(zstd) => zstd.pack(raw),
            Half::Gzip(gzip) => gzip.pack(raw),
        }
    }

    /// Gives memory back after a block that was far larger than usual.
    pub fn shrink(&mut self) {
        match &mut self.half {
            Half::Zstd(zstd) => zstd.shrink(),
            Half::Gzip(gzip) => gzip.shrink(),
        }
    }
}

/// Why a block's stored bytes are not what its manifest states.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockFault {
    /// They are not one whole unit of the codec that unpacks to the stated size; what they are instead.
    #[error("{0}")]
    Bad(String),
    /// So many bytes follow that unit.
    #[error("{0} bytes follow it")]
    Trailing(u64),
}

/// The compression library failed, for which it has no reason on bytes in memory.
#[derive(Debug, thiserror::Error)]
#[error("cannot compress a block: {0}")]
pub struct CompressError(String);

#[cfg(test)]
mod tests {
    use super::*;

    /// One suite for every codec: what goes in comes out, the smallest unit is no smaller than said, equal blocks
    /// give equal units whatever came before, and no codec takes another's.
    #[test]
    fn every_codec_keeps_the_promise() {
        let mut back = Vec::new();
        for codec in Codec::ALL {
            for level in [*codec.levels().start(), *codec.levels().end()] {
                let mut compressor = Compressor::new(codec, level).unwrap();
                let small = compressor.pack(b"a").unwrap().to_vec();
                assert!(small.len() as u64 >= codec.smallest_unit(), "{codec}");
                let lines = b"{\"message\":\"x\"}\n".repeat(90_000);
                let large = compressor.pack(&lines).unwrap().to_vec();
                compressor.shrink();
                assert_eq!(compressor.pack(b"a").unwrap(), small, "{codec}");
                codec.unpack(&small, 1, &mut back).unwrap();
                assert_eq!(back, b"a");
                codec.unpack(&large, lines.len() as u64, &mut back).unwrap();
                assert!(back == lines, "{codec}");
                for other in Codec::ALL.into_iter().filter(|other| *other != codec) {
                    let fault = other.unpack(&small, 1, &mut back);
                    assert!(matches!(fault, Err(BlockFault::Bad(_))), "{other}");
                }
            }
            assert!(Compressor::new(codec, 0).is_err());
            assert!(Compressor::new(codec, codec.levels().end() + 1).is_err());
            assert_eq!(Codec::of_extension(codec.extension()), Some(codec));
        }
        assert_eq!(Codec::of_extension("zstd"), None);
    }
}
