//! Leaf hashes and the tree over them (RFC 6962 section 2.1), level by level in place.

use super::Hash;
use sha2::{Digest as _, Sha256};

/// The hash of a leaf.
pub(crate) fn leaf(line: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(line);
    hash.finalize().into()
}

/// The root over at least one leaf; the leaves are used up.
pub(super) fn root(leaves: &mut Vec<Hash>) -> Hash {
    while leaves.len() > 1 {
        let (pairs, odd) = (leaves.len() / 2, leaves.len() % 2);
        for pair in 0..pairs {
            let mut hash = Sha256::new();
            hash.update([1]);
            hash.update(leaves[2 * pair]);
            hash.update(leaves[2 * pair + 1]);
            leaves[pair] = hash.finalize().into();
        }
        // A node without a partner stands in the next level as it is.
        if odd == 1 {
            leaves[pairs] = leaves[2 * pairs];
        }
        leaves.truncate(pairs + odd);
    }
    leaves[0]
}
