//! What could not be read or judged: COVERAGE, which is never taken for absence. Pure.

use crate::findings::by_hand::ByHand;
use crate::listing::lister::ListError;
use ledger::finding::{Code, Finding, Severity};
use ledger::name::{Name, Slot};
use std::fmt::Display;

fn unjudged(message: impl Into<String>) -> Finding {
    Finding::new(Code::Coverage, Severity::Inconclusive, message)
}

/// A list that could not be read to its end.
pub(crate) fn list(error: &ListError) -> Finding {
    unjudged(format!("not all could be listed: {error}"))
}

/// Manifests of an agent that may be there and are not listed, below an object at `key`.
pub(crate) fn hidden_folder(by_hand: &ByHand, key: &str, agent: Name) -> Finding {
    let finding = unjudged(format!(
        "nothing is listed below {key}/, where an object is in the place of a folder: some \
         servers (MinIO) hide what is there; have the object removed and verify again"
    ));
    Finding {
        agent: Some(agent),
        key: Some(by_hand.full_key(key)),
        by_hand: Some(by_hand.list(key)),
        ..finding
    }
}

/// A check that did not come to its end.
pub(crate) fn check(slot: &Slot, cause: &dyn Display) -> Finding {
    unjudged(format!("a check did not come to its end: {cause}")).at(slot)
}

/// A version of a manifest's key that could not be read, so whether it is a statement is unknown.
pub(crate) fn manifest(message: String) -> Finding {
    unjudged(message)
}

/// A version of a body's key that could not be read.
pub(crate) fn body(
    by_hand: &ByHand,
    slot: &Slot,
    key: &str,
    version_id: &str,
    cause: &str,
) -> Finding {
    unjudged(format!("the body could not be read: {cause}"))
        .at(slot)
        .on(by_hand.full_key(key), version_id)
        .by_hand(by_hand.hash(key, version_id))
}

/// The task that judges a body's content did not come to its end.
pub(crate) fn content(cause: &dyn Display) -> Finding {
    unjudged("the body could not be judged").expected_got("a judgement", cause.to_string())
}

/// Bodies at the end of a copy that are not there. `what` names them.
pub(crate) fn copied_too_early(what: &str) -> Finding {
    unjudged(format!(
        "{what}: copied while it grew? sync manifests/ first, then entries/"
    ))
}
