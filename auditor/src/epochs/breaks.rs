//! What a break in the chain is called and how grave it is: PREV_MISMATCH, ENTRY_GAP, ENTRY_OVERLAP,
//! RETENTION_MISMATCH, DATE_MISMATCH, EVENT_MISPLACED, TIME_REGRESSION. The chain itself is the ledger's.

use super::source_joins;
use crate::objects::missing_objects;
use ledger::Digest;
use ledger::chain::Break;
use ledger::finding::{Code, Finding, Severity};
use ledger::manifest::EpochHead;

/// The finding for a break, its place still to be filled in.
pub(crate) fn finding(found: Break) -> Finding {
    let critical = |code, message: String| Finding::new(code, Severity::Critical, message);
    match found {
        Break::SeqGap { first, last } => missing_objects::manifests(first, last),
        Break::Prev { expected, got } => critical(
            Code::PrevMismatch,
            "this manifest was signed after another predecessor than the one that is there".into(),
        )
        .expected_got(expected.to_string(), got.to_string()),
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
        Break::StartMissing => critical(
            Code::EventMisplaced,
            "the manifest before says stop, this one does not say start".into(),
        ),
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

/// A genesis names another statement of the epoch before it than the one that is there.
pub(crate) fn genesis_prev(head: &EpochHead, expected: Digest) -> Finding {
    let message = format!(
        "the epoch continues another statement for {} seq {} than the one that is there",
        head.epoch, head.seq
    );
    Finding::new(Code::PrevMismatch, Severity::Critical, message)
        .expected_got(expected.to_string(), head.sha256.to_string())
}
