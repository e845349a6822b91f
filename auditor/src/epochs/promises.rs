//! What an agent promised and when it came: LATE, OUTAGE, STOPPED, SILENT. Pure: facts in, findings out.

use super::epoch_end::Tail;
use crate::criteria::Criteria;
use crate::findings::seq_range;
use ledger::Moment;
use ledger::chain::Silence;
use ledger::finding::{Code, Finding, Severity};
use ledger::manifest::Manifest;
use ledger::name::Slot;

/// How an epoch's manifests arrive: a note for each run of late ones.
#[derive(Debug, Default)]
pub(crate) struct Lateness(Option<LateRun>);

/// Late ones in a row.
#[derive(Debug)]
struct LateRun {
    first: Slot,
    last: u64,
    most_s: u64,
}

impl Lateness {
    /// Takes the next manifest; reports the run that it ended by being in time.
    pub(crate) fn note(&mut self, manifest: &Manifest, stored_at: Moment) -> Option<Finding> {
        let delay_s = stored_at.since_s(manifest.time.sealed);
        if delay_s <= 3 * manifest.heartbeat_s {
            return self.end();
        }
        let run = self.0.get_or_insert_with(|| LateRun {
            first: manifest.slot(),
            last: manifest.seq,
            most_s: 0,
        });
        run.last = manifest.seq;
        run.most_s = run.most_s.max(delay_s);
        None
    }

    /// Reports a run that nothing ended.
    pub(crate) fn end(&mut self) -> Option<Finding> {
        let run = self.0.take()?;
        let message = format!(
            "manifests {} reached the store up to {} s after they were sealed",
            seq_range(run.first.seq, run.last),
            run.most_s
        );
        Some(Finding::new(Code::Late, Severity::Note, message).at(&run.first))
    }
}

/// A silence that the chain later ended.
pub(crate) fn outage(silence: Silence) -> Finding {
    let Silence {
        promised_s,
        lasted_s,
        rebooted,
    } = silence;
    let (severity, why) = if rebooted {
        (Severity::Note, ", over a restart of the machine")
    } else {
        (Severity::Interference, " while the machine ran")
    };
    let message =
        format!("silent for {lasted_s} s although {promised_s} s were promised at most{why}");
    Finding::new(Code::Outage, severity, message)
        .expected_got(format!("at most {promised_s} s"), format!("{lasted_s} s"))
}

/// Whether a stream that ends with `tail` rests, lives or fell silent. `init_after` is the line with which a
/// new agent continues it.
pub(crate) fn tail(
    criteria: &Criteria,
    head_seq: u64,
    tail: &Tail,
    init_after: &str,
) -> Option<Finding> {
    if criteria.copy {
        return None;
    }
    let Some(due) = tail.next_due else {
        let why = match (tail.closed, tail.full) {
            (true, _) => "the stream was closed",
            (_, true) => "its spool is full",
            _ => "its agent stopped",
        };
        let message = format!(
            "at rest for {} s: {why}; a new host continues it with `{init_after}`",
            criteria.now.since_s(tail.sealed),
        );
        return Some(Finding::new(Code::Stopped, Severity::Note, message));
    };
    let silent_from = due.max(tail.stored_at).plus_s(criteria.grace_s);
    if criteria.now <= silent_from {
        return None;
    }
    let message = format!(
        "nothing came after seq {head_seq}, though its manifest promised more by {due}: {} s overdue",
        criteria.now.since_s(due)
    );
    let finding = Finding::new(Code::Silent, Severity::Critical, message).expected_got(
        format!("a manifest by {due}"),
        format!("none by {}", criteria.now),
    );
    Some(finding)
}
