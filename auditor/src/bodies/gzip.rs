//! The gzip codec as a reader must use it: one block is exactly one member, and nothing else. Pure, bytes
//! in and bytes out; what a fault is called, and what the bytes mean, is for others to say.

use flate2::bufread::GzDecoder;
use ledger::block::HEADER;
use std::io::{self, Read};

/// Why a block is not one gzip member of the stated size.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GzipFault {
    /// It does not begin as every block does.
    #[error("another header")]
    Header,
    /// It holds more or fewer bytes. Of too many, one more than stated is read.
    #[error("{got} bytes or more")]
    Size { got: u64 },
    /// It cannot be unpacked, or its checksum is wrong.
    #[error("{0}")]
    Broken(io::Error),
    /// Bytes follow the member.
    #[error("{size} bytes")]
    Trailing { size: usize },
}

/// Unpacks `block` into `raw`, which must come to exactly `raw_size` bytes. What `raw` held before is
/// gone, and at most one byte more than stated is ever unpacked.
pub(crate) fn unpack(block: &[u8], raw_size: u64, raw: &mut Vec<u8>) -> Result<(), GzipFault> {
    raw.clear();
    if !block.starts_with(&HEADER) {
        return Err(GzipFault::Header);
    }
    let mut member = GzDecoder::new(block).take(raw_size.saturating_add(1));
    member.read_to_end(raw).map_err(GzipFault::Broken)?;
    let got = raw.len() as u64;
    if got != raw_size {
        return Err(GzipFault::Size { got });
    }
    match member.into_inner().into_inner().len() {
        0 => Ok(()),
        size => Err(GzipFault::Trailing { size }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    /// A member as the agent writes it: its header bytes are fixed.
    fn member(raw: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::GzBuilder::new()
            .operating_system(255)
            .write(Vec::new(), flate2::Compression::default());
        encoder.write_all(raw).unwrap();
        let mut packed = encoder.finish().unwrap();
        packed[..HEADER.len()].copy_from_slice(&HEADER);
        packed
    }

    #[test]
    fn a_block_is_exactly_one_member_of_the_stated_size() {
        let packed = member(b"one\ntwo\n");
        let mut raw = b"left over".to_vec();
        unpack(&packed, 8, &mut raw).unwrap();
        assert_eq!(raw, b"one\ntwo\n");

        let unpack = |block: &[u8], size| unpack(block, size, &mut Vec::new());
        assert!(matches!(
            unpack(&packed, 7),
            Err(GzipFault::Size { got: 8 })
        ));
        assert!(matches!(
            unpack(&packed, 9),
            Err(GzipFault::Size { got: 8 })
        ));
        let twice = [&packed[..], &packed[..]].concat();
        let size = packed.len();
        assert!(matches!(unpack(&twice, 8), Err(GzipFault::Trailing { size: got }) if got == size));
        let padded = [&packed[..], &[0]].concat();
        assert!(matches!(
            unpack(&padded, 8),
            Err(GzipFault::Trailing { size: 1 })
        ));
        let cut = &packed[..packed.len() - 1];
        assert!(matches!(unpack(cut, 8), Err(GzipFault::Broken(_))));
        let mut named = packed.clone();
        named[3] = 8;
        assert!(matches!(unpack(&named, 8), Err(GzipFault::Header)));
        assert!(matches!(unpack(&[], 0), Err(GzipFault::Header)));
    }

    #[test]
    fn no_more_than_stated_is_unpacked() {
        let bomb = member(&vec![0; 1 << 20]);
        let mut raw = Vec::new();
        assert!(unpack(&bomb, 10, &mut raw).is_err());
        assert_eq!(raw.len(), 11);
    }
}
