//! Where the batches of one epoch meet: what each did to the lines of its sources, in the chain's order.

use super::source_joins;
use ledger::chain::{Edge, Seams, Touch};
use ledger::finding::Finding;
use ledger::manifest::Manifest;
use std::collections::BTreeMap;

/// The seams of an epoch while its batches are joined.
#[derive(Debug)]
pub(crate) struct BatchSeams {
    /// The seq that a successor names.
    cut: Option<u64>,
    seams: Seams,
    at_cut: Option<Seams>,
    first_conts: BTreeMap<u64, bool>,
}

impl BatchSeams {
    pub(crate) fn new(cut: Option<u64>) -> Self {
        Self {
            cut,
            seams: Seams::default(),
            at_cut: None,
            first_conts: BTreeMap::new(),
        }
    }

    /// Joins the next batch; without `touches` nobody knows what it did to its sources.
    pub(crate) fn join(
        &mut self,
        manifest: &Manifest,
        touches: Option<BTreeMap<u64, Touch>>,
    ) -> Vec<Finding> {
        let findings = match touches {
            Some(touches) => self.join_known(manifest, touches),
            None => {
                let sources = manifest.sources.iter();
                sources.for_each(|source| self.seams.lose(source.id));
                Vec::new()
            }
        };
        if self.cut == Some(manifest.seq) {
            self.at_cut = Some(self.seams.clone());
        }
        findings
    }

    fn join_known(&mut self, manifest: &Manifest, touches: BTreeMap<u64, Touch>) -> Vec<Finding> {
        for source in &manifest.sources {
            let Some(touch) = touches.get(&source.id) else {
                continue;
            };
            if let (true, Some(cont)) = (source.was.is_some(), touch.first) {
                self.first_conts.insert(source.id, cont);
            }
        }
        let mut findings = Vec::new();
        for (id, touch) in touches {
            let first = manifest.sources.iter().find(|source| source.id == id);
            let starts = first.is_some_and(|source| source.was.is_none() && source.from == 0);
            let fresh = if starts { Edge::LineEnd } else { Edge::Free };
            if let Err(fault) = self.seams.join(id, touch, fresh) {
                let finding = source_joins::line_between_batches(id, &fault);
                findings.push(finding.at(&manifest.slot()));
            }
        }
        findings
    }

    /// The seams up to the cut, else up to the end, and what the first piece of each continued source says
    /// of the byte before it.
    pub(crate) fn end(self) -> (Seams, BTreeMap<u64, bool>) {
        (self.at_cut.unwrap_or(self.seams), self.first_conts)
    }
}
