//! The RFC 6962 Merkle tree over a batch's entries, folded as they come: memory is the tree's height.

use crate::Digest;
use alloc::vec::Vec;

/// Leaf hash of one entry (RFC 6962 section 2.1): SHA-256(0x00 ‖ the line without its LF).
#[must_use]
pub fn leaf(line: &[u8]) -> Digest {
    Digest::of_tagged(0, line)
}

fn node(left: Digest, right: Digest) -> Digest {
    Digest::of_tagged(1, [left.0, right.0].as_flattened())
}

/// A tree that grows leaf by leaf and knows its root at any time.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// Roots of full subtrees, largest first; one for each bit set in `count`.
    peaks: Vec<Digest>,
    count: u64,
}

impl Tree {
    /// The empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many leaves it has.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds a leaf hash at the end.
    pub fn push(&mut self, leaf: Digest) {
        let mut carry = leaf;
        let mut bits = self.count;
        while bits & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            carry = node(left, carry);
            bits >>= 1;
        }
        self.peaks.push(carry);
        self.count += 1;
    }

    /// The root: SHA-256 of nothing for an empty tree (RFC 6962 section 2.1).
    #[must_use]
    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev().copied();
        let Some(last) = peaks.next() else {
            return Digest::of(b"");
        };
        peaks.fold(last, |right, left| node(left, right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    /// The recursive definition of RFC 6962 section 2.1, as the oracle.
    fn by_definition(leaves: &[Digest]) -> Digest {
        match leaves {
            [] => Digest::of(b""),
            [one] => *one,
            many => {
                let split = many.len().next_power_of_two() / 2;
                node(by_definition(&many[..split]), by_definition(&many[split..]))
            }
        }
    }

    #[test]
    fn agrees_with_the_definition_at_every_size() {
        let leaves: Vec<_> = (0..130u32).map(|n| leaf(&n.to_be_bytes())).collect();
        let mut tree = Tree::new();
        for (size, next) in leaves.iter().enumerate() {
            assert_eq!(tree.root(), by_definition(&leaves[..size]), "size {size}");
            tree.push(*next);
        }
    }

    #[test]
    fn agrees_with_certificate_transparency() {
        // Test vectors of the reference implementation: leaves "", 00, 10, 2021.
        let mut tree = Tree::new();
        let leaves: [&[u8]; 4] = [b"", b"\x00", b"\x10", b"\x20\x21"];
        for line in leaves {
            tree.push(leaf(line));
        }
        assert_eq!(
            tree.root().to_string(),
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"
        );
    }
}
