//! What a break in the chain is called and how grave it is: PREV_MISMATCH, ENTRY_GAP, ENTRY_OVERLAP,
//! RETENTION_MISMATCH, DATE_MISMATCH, EVENT_MISPLACED, TIME_REGRESSION. The chain itself is the ledger's.

use super::references::told;
use super::{head_check, source_joins};
use crate::objects::missing_objects;
use ledger::chain::Break;
use ledger::finding::{Code, Finding, Severity};
use ledger::manifest::{EpochHead, Reference};

/// The finding for a break, its place still to be filled in.
pub(crate) fn finding(found: Break) -> Finding {
    let critical = |code, message: String| Finding::new(code, Severity::Critical, message);
    match found {
        Break::SeqGap { first, last } => missing_objects::manifests(first, last, false),
        Break::Prev { expected, got } => critical(
            Code::PrevMismatch,
            "this manifest says of the one before it something else than that one does".into(),
        )
        .expected_got(told(&expected, &got), told(&got, &expected)),
        Break::PrevBack { before, got } => behind(&before, &got),
        Break::Entries { expected, got } => {
            let (code, what) = if got > expected {
                (Code::EntryGap, "jump forward")
            } else {
                (Code::EntryOverlap, "repeat")
            };
            let message = format!("entry numbers {what}: {expected} is next, {got} is there");
            critical(code, message).expected_got(expected.to_string(), got.to_string())
        }
        Break::Retention { expected, got } => critical(
            Code::RetentionMismatch,
            format!(
                "retention_max_s is {got}, the longest retention of the chain so far is {expected}"
            ),
        )
        .expected_got(expected.to_string(), got.to_string()),
        Break::Date { expected, got } => critical(
            Code::DateMismatch,
            format!("the body is filed under {got}, the rule gives {expected}"),
        )
        .expected_got(expected, got),
        Break::StartMissing => {
            misplaced("the manifest before says stop, this one does not say start")
        }
        Break::StartUnfit { expected: true } => {
            misplaced("start says that it is not clean, yet the manifest before says stop")
        }
        Break::StartUnfit { expected: false } => {
            misplaced("start says that it is clean, yet the manifest before does not say stop")
        }
        Break::AfterClose => {
            misplaced("the manifest before closed the epoch, yet this one follows")
        }
        Break::ReadWhileFull => {
            misplaced("an earlier manifest says full and none says resumed, yet bytes were read")
        }
        Break::ResumedWithoutFull => {
            misplaced("this manifest says resumed, yet the epoch was not full")
        }
        Break::HeadBack {
            stream,
            epoch,
            before,
            got,
        } => head_check::went_back(&stream, epoch, before, got),
        Break::BootClock { before_ms, got_ms } => Finding::new(
            Code::TimeRegression,
            Severity::Interference,
            format!("the boot clock went back within one boot, from {before_ms} to {got_ms} ms"),
        )
        .expected_got(format!("at least {before_ms}"), got_ms.to_string()),
        Break::Range {
            source,
            expected,
            got,
        } => source_joins::between_manifests(source, expected, got),
        Break::Source { source, rule } => source_joins::broken_rule(source, rule),
        Break::Tiling(fault) => source_joins::within_batch(fault),
    }
}

/// A `key` event names the key that signs it.
pub(crate) fn key_kept() -> Finding {
    misplaced("the key that is to follow is the one that signs already")
}

fn misplaced(message: &str) -> Finding {
    Finding::new(Code::EventMisplaced, Severity::Critical, message)
}

/// A genesis says of the epoch before it something else than the manifest that is there.
pub(crate) fn genesis_prev(head: &EpochHead, expected: &Reference) -> Finding {
    let message = format!(
        "the epoch says of {} seq {}, which it continues, something else than that one does",
        head.epoch, head.seq
    );
    let got = head.reference();
    Finding::new(Code::PrevMismatch, Severity::Critical, message)
        .expected_got(told(expected, &got), told(&got, expected))
}

/// A reference to what is gone says that less time had passed, or less is kept, than a manifest before it says.
pub(crate) fn behind(before: &Reference, got: &Reference) -> Finding {
    let kept = |reference: &Reference| {
        let (sealed, retention_s) = (reference.sealed_max, reference.retention_max_s);
        format!("sealed_max {sealed}, retention_max_s {retention_s}")
    };
    let message = format!(
        "seq {} is said to be kept for less long than seq {} before it",
        got.seq, before.seq
    );
    Finding::new(Code::PrevMismatch, Severity::Critical, message)
        .expected_got(format!("at least {}", kept(before)), kept(got))
}
