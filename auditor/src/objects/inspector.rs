//! What reading and judging a single object needs; cheap to clone into tasks.

use crate::criteria::Criteria;
use crate::listing::store_reader::StoreReader;
use ledger::Moment;
use ledger::signature::signers::AllowedSigners;
use std::sync::Arc;

/// Reads single objects and knows by what they are judged.
#[derive(Debug)]
pub(crate) struct Inspector<S> {
    pub(crate) reader: StoreReader<S>,
    pub(crate) signers: Arc<AllowedSigners>,
    /// Whether locks are read.
    pub(crate) locks: bool,
    pub(crate) criteria: Criteria,
}

impl<S> Clone for Inspector<S> {
    fn clone(&self) -> Self {
        Self {
            reader: self.reader.clone(),
            signers: Arc::clone(&self.signers),
            ..*self
        }
    }
}

impl<S> Inspector<S> {
    pub(crate) fn without_locks(&self) -> Self {
        Self {
            locks: false,
            ..self.clone()
        }
    }

    /// Versions newer than the start count too.
    pub(crate) fn at_any_time(self) -> Self {
        Self {
            criteria: Criteria {
                horizon: Moment::LAST,
                ..self.criteria
            },
            ..self
        }
    }
}
