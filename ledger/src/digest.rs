//! SHA-256 digests and their three spellings: lowercase hex, base64 for S3 headers, 16 digits for names.

mod resumable;

pub use self::resumable::{NotAHash, ResumableHash};

use alloc::string::String;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use core::fmt;
use core::str::FromStr;
use sha2::block_api::compress256;
use sha2::{Digest as _, Sha256};

/// A SHA-256 digest (FIPS 180-4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// Bytes that SHA-256 takes at once.
const BLOCK: usize = 64;

/// What it begins with (FIPS 180-4 section 5.3.3).
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// A text that is not 64 lowercase hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 in 64 lowercase hex digits")]
pub struct NotADigest;

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of `first` and then `bytes`: what a tree hashes, a few hundred bytes at a time. A running hash
    /// would copy its state and every block's edge; here whole blocks are hashed where they stand.
    #[must_use]
    pub(crate) fn of_tagged(first: u8, bytes: &[u8]) -> Self {
        let mut state = INITIAL;
        let mut tail = [0; 2 * BLOCK];
        let mut rest = bytes;
        let mut filled = 0;
        if let Some((head, after)) = bytes.split_first_chunk::<{ BLOCK - 1 }>() {
            let mut block = [first; BLOCK];
            block[1..].copy_from_slice(head);
            compress256(&mut state, &[block]);
            let (blocks, after) = after.as_chunks();
            compress256(&mut state, blocks);
            rest = after;
        } else {
            tail[0] = first;
            filled = 1;
        }
        // FIPS 180-4 section 5.1.1: what is left, a bit, zeros, and the length in bits in the last eight bytes.
        tail[filled..filled + rest.len()].copy_from_slice(rest);
        filled += rest.len();
        tail[filled] = 0x80;
        let blocks = 1 + usize::from(filled >= BLOCK - 8);
        let bits = (bytes.len() as u64 + 1) * 8;
        tail[blocks * BLOCK - 8..blocks * BLOCK].copy_from_slice(&bits.to_be_bytes());
        compress256(&mut state, &tail.as_chunks().0[..blocks]);
        Self::of_words(state)
    }

    fn of_words(words: [u32; 8]) -> Self {
        let mut digest = [0; 32];
        for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(words) {
            *bytes = word.to_be_bytes();
        }
        Self(digest)
    }

    /// Standard padded base64, as `x-amz-checksum-sha256` wants it.
    #[must_use]
    pub fn to_base64(self) -> String {
        BASE64.encode(self.0)
    }

    /// The first 16 hex digits, as a body's name carries them.
    #[must_use]
    pub fn short(self) -> String {
        let mut hex = alloc::format!("{self}");
        hex.truncate(16);
        hex
    }
}

/// A running SHA-256 over pieces.
#[derive(Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// An empty hash.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `bytes` at the end.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all pieces.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        parse_hex(text)
            .ok_or(NotADigest)?
            .try_into()
            .map(Self)
            .map_err(|_| NotADigest)
    }
}

/// Bytes of an even run of lowercase hex digits; `None` for anything else.
#[must_use]
pub fn parse_hex(text: &str) -> Option<alloc::vec::Vec<u8>> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| Some(nibble(*pair.first()?)? << 4 | nibble(*pair.get(1)?)?))
        .collect()
}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::json::text(deserializer, "a SHA-256 in 64 lowercase hex digits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    #[test]
    fn spellings_round_trip() {
        let digest = Digest::of(b"");
        assert_eq!(
            digest.to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest.short(), "e3b0c44298fc1c14");
        assert_eq!(
            digest.to_base64(),
            "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        );
    }

    #[test]
    fn tagged_bytes_hash_as_if_they_stood_together() {
        let bytes: Vec<u8> = (0..5 * BLOCK).map(|n| (n * 7).to_le_bytes()[0]).collect();
        for len in 0..bytes.len() {
            for first in [0, 1, 0xff] {
                let together = [&[first], &bytes[..len]].concat();
                assert_eq!(
                    Digest::of_tagged(first, &bytes[..len]),
                    Digest::of(&together),
                    "{len}"
                );
            }
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        let hex = Digest::of(b"").to_string();
        for bad in [
            &hex[1..],
            &hex.to_uppercase(),
            &alloc::format!("{hex}0"),
            "",
            "zz",
        ] {
            assert_eq!(bad.parse::<Digest>(), Err(NotADigest), "{bad}");
        }
    }
}
