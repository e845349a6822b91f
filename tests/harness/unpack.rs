//! Bodies unpacked as any stock reader does it, several frames or members on end: it shows what other people's
//! tools see, not what format 1 allows.

use flate2::bufread::MultiGzDecoder;
use ledger::codec::Codec;
use std::io::Read as _;
use std::path::Path;

/// What `stored` unpacks to.
///
/// # Panics
/// A stock reader refuses it.
#[must_use]
pub fn stock(codec: Codec, stored: &[u8]) -> Vec<u8> {
    let mut raw = Vec::new();
    match codec {
        Codec::Zstd => raw = zstd::decode_all(stored).expect("zstd frames"),
        Codec::Gzip => {
            let read = MultiGzDecoder::new(stored).read_to_end(&mut raw);
            read.expect("gzip members");
        }
    }
    raw
}

/// What a body unpacks to, by the end of its name.
///
/// # Panics
/// It is no body's name, or cannot be read.
#[must_use]
pub fn body(path: &Path) -> Vec<u8> {
    let end = path.extension().and_then(|end| end.to_str());
    let codec = end.and_then(Codec::of_extension).expect("a body's name");
    stock(codec, &std::fs::read(path).expect("a body can be read"))
}
