//! The stream whose epochs are judged, as its findings name it.

use super::epoch_end::EpochEnd;
use crate::criteria::Criteria;
use ledger::finding::Finding;
use ledger::manifest::Reference;
use ledger::name::{Epoch, Name};

/// The stream whose epochs are judged, and by what.
pub(crate) struct JudgedStream<'a> {
    pub(crate) agent: &'a Name,
    pub(crate) stream: &'a Name,
    pub(crate) criteria: &'a Criteria,
}

impl JudgedStream<'_> {
    pub(super) fn place(&self, finding: Finding, epoch: Epoch) -> Finding {
        finding.in_epoch(self.agent, self.stream, epoch)
    }

    /// The line with which a new agent continues this stream.
    pub(super) fn init_after(&self, end: &EpochEnd) -> String {
        let Reference {
            seq,
            sha256,
            sealed_max,
            retention_max_s,
        } = end.agreed.head;
        format!(
            "holdfast-agent init --after {}:{}:{seq}:{sha256}:{retention_max_s}:{sealed_max}",
            self.stream, end.epoch
        )
    }
}
