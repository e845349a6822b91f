//! A SHA-256 that can be put aside and taken up again: what was hashed of a log is kept in its checkpoint, so
//! that nothing is read twice for it.

use super::{BLOCK, Digest, INITIAL, parse_hex};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use sha2::block_api::compress256;

/// A running SHA-256 (FIPS 180-4), whose text form is its state: 64 hex digits, and after a colon the bytes that
/// do not fill a block yet, in hex.
#[derive(Clone, PartialEq, Eq)]
pub struct ResumableHash {
    state: [u32; 8],
    tail: [u8; BLOCK],
    filled: usize,
}

/// A text that is no state of a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the state of a SHA-256: 64 lowercase hex digits, a colon, and less than a block in hex"
)]
pub struct NotAHash;

impl Default for ResumableHash {
    fn default() -> Self {
        Self {
            state: INITIAL,
            tail: [0; BLOCK],
            filled: 0,
        }
    }
}

impl ResumableHash {
    /// Adds `bytes` at the end.
    pub fn update(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if self.filled > 0 {
            let taken = rest.len().min(BLOCK - self.filled);
            self.tail[self.filled..self.filled + taken].copy_from_slice(&rest[..taken]);
            self.filled += taken;
            rest = &rest[taken..];
            if self.filled < BLOCK {
                return;
            }
            compress256(&mut self.state, &[self.tail]);
        }
        let (blocks, after) = rest.as_chunks();
        compress256(&mut self.state, blocks);
        self.tail[..after.len()].copy_from_slice(after);
        self.filled = after.len();
    }

    /// The digest of all that was added: `len` bytes.
    #[must_use]
    pub fn digest(&self, len: u64) -> Digest {
        let mut state = self.state;
        // FIPS 180-4 section 5.1.1: what is left, a bit, zeros, and the length in bits in the last eight bytes.
        let mut end = [0; 2 * BLOCK];
        end[..self.filled].copy_from_slice(&self.tail[..self.filled]);
        end[self.filled] = 0x80;
        let blocks = 1 + usize::from(self.filled >= BLOCK - 8);
        let bits = len.wrapping_mul(8);
        end[blocks * BLOCK - 8..blocks * BLOCK].copy_from_slice(&bits.to_be_bytes());
        compress256(&mut state, &end.as_chunks().0[..blocks]);
        Digest::of_words(state)
    }

    /// Whether it can be the state after `len` bytes.
    #[must_use]
    pub fn fits(&self, len: u64) -> bool {
        len % BLOCK as u64 == self.filled as u64
    }
}

impl fmt::Debug for ResumableHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for ResumableHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state
            .iter()
            .try_for_each(|word| write!(f, "{word:08x}"))?;
        f.write_str(":")?;
        let tail = &self.tail[..self.filled];
        tail.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for ResumableHash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let (state, tail) = text.split_once(':').ok_or(NotAHash)?;
        let state: Vec<u8> = parse_hex(state).ok_or(NotAHash)?;
        let rest: Vec<u8> = parse_hex(tail).ok_or(NotAHash)?;
        if state.len() != 32 || rest.len() >= BLOCK || tail.len() % 2 != 0 {
            return Err(NotAHash);
        }
        let mut hash = Self {
            filled: rest.len(),
            ..Self::default()
        };
        for (word, bytes) in hash.state.iter_mut().zip(state.as_chunks().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        hash.tail[..rest.len()].copy_from_slice(&rest);
        Ok(hash)
    }
}

impl serde::Serialize for ResumableHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for ResumableHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;

    #[test]
    fn a_hash_put_aside_anywhere_is_the_same() {
        let bytes: Vec<u8> = (0..300u32)
            .map(|at| u8::try_from(at % 251).unwrap())
            .collect();
        for len in [0, 1, 55, 56, 63, 64, 65, 119, 120, 128, 300] {
            for cut in [0, 1, 63, 64, 65, 200] {
                let (first, second) = bytes[..len].split_at(cut.min(len));
                let mut hash = ResumableHash::default();
                hash.update(first);
                let text = hash.to_string();
                let mut hash: ResumableHash = text.parse().unwrap();
                assert!(hash.fits(first.len() as u64), "{len} {cut}");
                hash.update(second);
                let expected = Digest::of(&bytes[..len]);
                assert_eq!(hash.digest(len as u64), expected, "{len} {cut}");
            }
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let good = "0".repeat(64);
        let long = format!("{good}:{}", "00".repeat(64));
        let odd = format!("{good}:0");
        for bad in [
            "",
            ":",
            &good,
            &good[1..],
            &long,
            &odd,
            &format!("{good}:0G"),
        ] {
            assert!(bad.parse::<ResumableHash>().is_err(), "{bad}");
        }
        assert!(format!("{good}:").parse::<ResumableHash>().is_ok());
    }
}
