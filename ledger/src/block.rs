//! The blocks of a body, each one unit of its codec, and the table that describes them.

use crate::Digest;
use crate::codec::Codec;
use crate::json::integer;
use crate::limits::BLOCK_RAW_MAX;
use serde::{Deserialize, Serialize};

/// One block of a stored body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// Where it starts in the stored bytes.
    #[serde(deserialize_with = "integer")]
    pub offset: u64,
    /// Stored (compressed) bytes.
    #[serde(deserialize_with = "integer")]
    pub size: u64,
    /// Bytes it unpacks to.
    #[serde(deserialize_with = "integer")]
    pub raw: u64,
    /// Entries in it, at least one.
    #[serde(deserialize_with = "integer")]
    pub count: u64,
    /// SHA-256 of the stored bytes.
    pub sha256: Digest,
}

/// What the blocks of one body add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Stored bytes.
    pub size: u64,
    /// Unpacked bytes.
    pub raw: u64,
    /// Entries.
    pub count: u64,
}

/// Adds the blocks up; `None` if they do not stand back to back from 0, or one is too small or too large.
#[must_use]
pub fn totals(codec: Codec, blocks: &[Block]) -> Option<Totals> {
    let none = Totals {
        size: 0,
        raw: 0,
        count: 0,
    };
    blocks.iter().try_fold(none, |sum, block| {
        let sane = block.offset == sum.size
            && block.size >= codec.smallest_unit()
            && (1..=BLOCK_RAW_MAX).contains(&block.raw)
            && block.count > 0;
        sane.then_some(Totals {
            size: sum.size.checked_add(block.size)?,
            raw: sum.raw.checked_add(block.raw)?,
            count: sum.count.checked_add(block.count)?,
        })
    })
}
