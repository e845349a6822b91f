//! What was found: the collection, the commands that show a finding by hand, and a page for each code.

pub(crate) mod collection;
pub(crate) mod commands;
mod pages;

pub use pages::{Explanation, explanation};

/// `7` or `7-9`, as messages write the seqs of manifests.
pub(crate) fn seq_range(first: u64, last: u64) -> String {
    if first == last {
        first.to_string()
    } else {
        format!("{first}-{last}")
    }
}
