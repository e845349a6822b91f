//! Bytes damaged at random from a fixed seed, for tests that what reads stored bytes never panics.

use alloc::vec::Vec;

/// What a damaged byte becomes: what is syntax somewhere.
const SYNTAX: &[u8] = b"0\"{}[]:,\\eE.-\n=/ \0\xff";

/// An xorshift generator: the same damage on every run.
pub(crate) struct Damage(u64);

impl Damage {
    pub(crate) fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % end.max(1)
    }

    /// `good` with one to three things done to it: cut, flipped, overwritten, inserted, repeated.
    pub(crate) fn of(&mut self, good: &[u8]) -> Vec<u8> {
        let mut bytes = good.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 => bytes.truncate(at.max(1)),
                1 => bytes[at] ^= 1 << self.below(8),
                2 => bytes[at] = SYNTAX[self.below(SYNTAX.len())],
                3 => bytes.insert(at, SYNTAX[self.below(SYNTAX.len())]),
                _ => {
                    let end = (at + self.below(40)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, piece);
                }
            }
        }
        bytes
    }
}
