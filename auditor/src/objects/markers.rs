//! Delete markers over archived objects: DELETE_MARKER. Pure: facts in, findings out.

use crate::findings::by_hand::ByHand;
use crate::findings::collection::Findings;
use ledger::Moment;
use ledger::finding::{Code, Finding, Severity};
use ledger::name::Slot;
use store::Version;

/// A marker over an object of `slot`; lawful from when the object may be gone.
pub(crate) fn judge(
    by_hand: &ByHand,
    slot: &Slot,
    marker: &Version,
    lawful_from: Option<Moment>,
) -> Finding {
    let lawful = lawful_from.is_some_and(|from| marker.last_modified >= from);
    let (severity, when) = if lawful {
        (Severity::Note, "after its retention was over")
    } else {
        (Severity::Interference, "before its retention was over")
    };
    let message = format!(
        "someone deleted this object at {}, {when}",
        marker.last_modified
    );
    Finding::new(Code::DeleteMarker, severity, message)
        .at(slot)
        .on(by_hand.full_key(&marker.key), &marker.version_id)
        .by_hand(by_hand.list(&marker.key))
}

/// What the markers stand over turns out to be past its retention.
pub(crate) fn excuse(undecided: &mut Findings) {
    undecided.regrade(Code::DeleteMarker, Severity::Note);
}
