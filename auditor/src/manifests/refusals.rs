//! Versions under a manifest's key that are no statement: what each is called and how grave it is.

use crate::audit_state::Audit;
use crate::findings::collection::Findings;
use crate::manifests::statements::{Reading, Refusal, Refused};
use ledger::finding::{Code, Finding, Severity};
use store::Store;

/// What is critical where a statement is needed and there is none.
pub(crate) const NO_STATEMENT: [Code; 3] = [Code::SigInvalid, Code::SigScope, Code::SizeLimit];

/// The code and severity of a refusal where nothing says yet that the chain needs the slot.
fn grade(why: &Refusal) -> (Code, Severity) {
    match why {
        Refusal::Signature(_) | Refusal::OtherKey | Refusal::OutsideValidity | Refusal::Special => {
            (Code::SigInvalid, Severity::Interference)
        }
        Refusal::TooLarge => (Code::SizeLimit, Severity::Interference),
        Refusal::Scope(_) => (Code::SigScope, Severity::Interference),
        // The agent's own key signed it, so it is the agent's statement, and it is broken.
        Refusal::Format(_) => (Code::ManifestFormat, Severity::Critical),
        Refusal::Newer(_) => (Code::UnknownFormat, Severity::Inconclusive),
        Refusal::Unreadable(_) => (Code::Coverage, Severity::Inconclusive),
        Refusal::UnknownAgent => (Code::UnknownSigner, Severity::Inconclusive),
    }
}

fn finding<S: Store>(audit: &Audit<S>, reading: &Reading, refused: &Refused) -> Finding {
    let (code, severity) = grade(&refused.why);
    let key = reading.slot.manifest_key();
    let message = format!("not a statement of the agent: {}", refused.why);
    Finding::new(code, severity, message)
        .at(&reading.slot)
        .on(audit.hand.full_key(&key), &refused.version_id)
        .by_hand(audit.hand.manifest(&key, &refused.version_id))
}

/// Refusals in a slot that has no statement, into `undecided`.
pub(crate) fn alone<S: Store>(audit: &Audit<S>, reading: &Reading, undecided: &mut Findings) {
    for refused in &reading.refused {
        undecided.push(finding(audit, reading, refused));
    }
    more(reading, undecided);
}

/// Refusals beside a statement: someone put other bytes over it.
pub(crate) fn beside<S: Store>(audit: &mut Audit<S>, reading: &Reading) {
    let key = reading.slot.manifest_key();
    for refused in &reading.refused {
        // Whose bytes can't be read cannot hide the statement, which was read.
        if !matches!(refused.why, Refusal::Unreadable(_)) {
            let finding = finding(audit, reading, refused);
            audit.findings.push(finding);
        }
        let message = format!(
            "a version stored at {} holds other bytes: {}",
            refused.stored_at, refused.why
        );
        let shadow = Finding::new(Code::ShadowVersion, Severity::Interference, message)
            .at(&reading.slot)
            .on(audit.hand.full_key(&key), &refused.version_id)
            .by_hand(audit.hand.list(&key));
        audit.findings.push(shadow);
    }
    more(reading, &mut audit.findings);
}

fn more(reading: &Reading, findings: &mut Findings) {
    if reading.refused_more == 0 {
        return;
    }
    let message = format!(
        "{} more versions of this key are no statements",
        reading.refused_more
    );
    let finding = Finding::new(Code::ShadowVersion, Severity::Interference, message);
    findings.push(finding.at(&reading.slot));
}

/// The chain needs a slot that holds none but these.
pub(crate) fn needed(undecided: &mut Findings) {
    for code in NO_STATEMENT {
        undecided.regrade(code, Severity::Critical);
    }
}
