//! Two references to one epoch, held against each other and told beside each other.

use ledger::manifest::Reference;

/// Whether a reference to a later manifest of an epoch takes back what `before` says.
pub(crate) fn is_behind(before: &Reference, later: &Reference) -> bool {
    later.sealed_max < before.sealed_max || later.retention_max_s < before.retention_max_s
}

/// A reference as a finding tells it beside `other`: the hash, or where that is the same, how long it is kept.
pub(crate) fn told(reference: &Reference, other: &Reference) -> String {
    if reference.sha256 != other.sha256 {
        return reference.sha256.to_string();
    }
    let Reference {
        sealed_max,
        retention_max_s,
        ..
    } = reference;
    format!("sealed_max {sealed_max}, retention_max_s {retention_max_s}")
}
