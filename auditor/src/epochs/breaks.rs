//! What a break in the chain is called and how grave it is.

use crate::bodies::content as body;
use ledger::chain::Break;
use ledger::finding::{Code, Finding, Severity};

/// The finding for a break, its place still to be filled in.
pub(crate) fn finding(found: Break) -> Finding {
    let critical = |code, message: String| Finding::new(code, Severity::Critical, message);
    match found {
        Break::SeqGap { first, last } => seq_gap(first, last),
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
            let message = format!("entry numbers {what}: {expected} is next, {got} stands");
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
        } => {
            let code = if got > expected {
                Code::ByteGap
            } else {
                Code::ByteOverlap
            };
            let message =
                format!("source {source} stood at byte {expected}, this manifest begins at {got}");
            critical(code, message).expected_got(expected.to_string(), got.to_string())
        }
        Break::Source { source, rule } => critical(
            Code::SourceMismatch,
            format!("source {source} breaks a rule: {rule}"),
        ),
        Break::Tiling(fault) => {
            let fault = body::tiling_fault(fault);
            critical(fault.code, fault.message).expected_got(fault.expected, fault.got)
        }
    }
}

/// Manifests `first..=last` are missing.
pub(crate) fn seq_gap(first: u64, last: u64) -> Finding {
    let message = if first == last {
        format!("manifest {first} is missing")
    } else {
        format!(
            "manifests {first} to {last} are missing, {} of them",
            last - first + 1
        )
    };
    Finding {
        seq: Some(first),
        ..Finding::new(Code::SeqGap, Severity::Critical, message)
    }
    .expected_got(seqs(first, last), "none")
}

/// `7` or `7-9`.
pub(crate) fn seqs(first: u64, last: u64) -> String {
    if first == last {
        first.to_string()
    } else {
        format!("{first}-{last}")
    }
}
