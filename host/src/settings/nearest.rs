//! What a mistyped name was meant to be.

use std::collections::BTreeSet;

/// Similarity (Jaro-Winkler) below which a known name is not offered for a mistyped one.
const NEAR: f64 = 0.75;

/// The known name that `name` was meant to be, if one is near.
#[must_use]
pub fn nearest(name: &str, known: &BTreeSet<String>) -> Option<String> {
    let near = |known: &String| (strsim::jaro_winkler(name, known), known.clone());
    let best = known
        .iter()
        .map(near)
        .max_by(|one, other| one.0.total_cmp(&other.0));
    let (likeness, name) = best?;
    (likeness >= NEAR).then_some(name)
}
