//! Manifests that reached the store long after they were sealed: a note for each run of them.

use crate::epochs::breaks;
use ledger::Moment;
use ledger::finding::{Code, Finding, Severity};
use ledger::manifest::Manifest;
use ledger::name::Slot;

/// How an epoch's manifests arrive.
#[derive(Debug, Default)]
pub(crate) struct Lateness(Option<Run>);

/// Late ones in a row.
#[derive(Debug)]
struct Run {
    first: Slot,
    last: u64,
    most_s: u64,
}

impl Lateness {
    /// Takes the next manifest; tells of the run that it ended by being in time.
    pub(crate) fn note(&mut self, manifest: &Manifest, stored_at: Moment) -> Option<Finding> {
        let delay_s = stored_at.since_s(manifest.time.sealed);
        if delay_s <= 3 * manifest.heartbeat_s {
            return self.end();
        }
        let run = self.0.get_or_insert_with(|| Run {
            first: manifest.slot(),
            last: manifest.seq,
            most_s: 0,
        });
        run.last = manifest.seq;
        run.most_s = run.most_s.max(delay_s);
        None
    }

    /// Tells of a run that nothing ended.
    pub(crate) fn end(&mut self) -> Option<Finding> {
        let run = self.0.take()?;
        let message = format!(
            "manifests {} reached the store up to {} s after they were sealed",
            breaks::seqs(run.first.seq, run.last),
            run.most_s
        );
        Some(Finding::new(Code::Late, Severity::Note, message).at(&run.first))
    }
}
