//! What is in the store and no manifest names: ORPHAN and FOREIGN_OBJECT. Pure.

use super::{markers, missing_objects};
use crate::criteria::Criteria;
use crate::findings::by_hand::ByHand;
use host::cli::counted;
use ledger::finding::{Code, Finding, Severity};
use ledger::name::Slot;
use store::{Version, VersionKind};

/// A version under a body's key, or a marker over one, that no manifest names; `None` for one newer than
/// the start. It is explained if its epoch continued past it: a crash between body and manifest leaves
/// one.
pub(crate) fn body(
    criteria: &Criteria,
    by_hand: &ByHand,
    slot: &Slot,
    version: &Version,
    explained: bool,
) -> Option<Finding> {
    if criteria.is_newer(version.last_modified) {
        return None;
    }
    if version.kind == VersionKind::Marker {
        return Some(markers::judge(by_hand, slot, version, None));
    }
    let orphan = |severity, message| Finding::new(Code::Orphan, severity, message);
    let judged_from = version.last_modified.plus_s(criteria.grace_s);
    let finding = if criteria.copy {
        orphan(Severity::Note, "no manifest in this copy names this body")
    } else if criteria.now <= judged_from {
        missing_objects::manifest_pending("no manifest names this body yet")
    } else if explained {
        orphan(
            Severity::Note,
            "no manifest names this body; its epoch continued without it",
        )
    } else {
        orphan(Severity::Interference, "no manifest names this body")
    };
    let finding = finding
        .at(slot)
        .on(by_hand.full_key(&version.key), &version.version_id)
        .by_hand(by_hand.hash(&version.key, &version.version_id));
    Some(finding)
}

/// Bodies of an epoch that no manifest names, beyond those reported one by one.
pub(crate) fn more_bodies(criteria: &Criteria, count: u64) -> Option<Finding> {
    let message = format!("{count} more bodies that no manifest names");
    let severity = if criteria.copy {
        Severity::Note
    } else {
        Severity::Interference
    };
    (count > 0).then(|| Finding::new(Code::Orphan, severity, message))
}

/// A version or marker whose key is none of an archive's; `None` for one newer than the start.
pub(crate) fn foreign(criteria: &Criteria, by_hand: &ByHand, version: &Version) -> Option<Finding> {
    if criteria.is_newer(version.last_modified) {
        return None;
    }
    let (top, _) = version.key.split_once('/').unwrap_or((&version.key, ""));
    let among_ours = ["manifests", "entries"].contains(&top);
    // Consoles make folders as empty objects.
    let folder = version.key.ends_with('/') && version.size == 0;
    let severity = if among_ours && !folder {
        Severity::Interference
    } else {
        Severity::Note
    };
    let message = format!("stored at {}, no part of an archive", version.last_modified);
    let finding = Finding::new(Code::ForeignObject, severity, message)
        .on(by_hand.full_key(&version.key), &version.version_id)
        .by_hand(by_hand.list(&version.key));
    Some(finding)
}

/// Objects that the start-up checks of our own programs left.
pub(crate) fn canaries(count: u64) -> Option<Finding> {
    let message = format!(
        "{}, left by `holdfast probe` or by an archiver's start",
        counted(count, "canary", "canaries")
    );
    (count > 0).then(|| Finding::new(Code::ForeignObject, Severity::Note, message))
}
