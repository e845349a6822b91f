//! What is left of an epoch once it has been followed, for the links between epochs.

use super::super::body_queue::MissingRun;
use ledger::Moment;
use ledger::chain::{Chain, Claim, Edge, Pulse, Seams};
use ledger::manifest::EpochHead;
use ledger::name::Epoch;

/// What a stream's links need to know of an epoch's genesis.
#[derive(Debug, Clone)]
pub(in crate::verify) struct Genesis {
    pub(in crate::verify) prev_epoch: Vec<EpochHead>,
    pub(in crate::verify) stored_at: Moment,
    pub(in crate::verify) pulse: Pulse,
    pub(in crate::verify) retention_s: u64,
    pub(in crate::verify) retention_max_s: u64,
    /// It has `rollback` or `state_lost`: its sources may begin before the end of those they continue.
    pub(in crate::verify) may_restate: bool,
}

/// An epoch's newest manifest.
#[derive(Debug, Clone)]
pub(in crate::verify) struct Tail {
    pub(in crate::verify) stored_at: Moment,
    pub(in crate::verify) sealed: Moment,
    pub(in crate::verify) next_due: Option<Moment>,
    pub(in crate::verify) closed: bool,
    pub(in crate::verify) full: bool,
}

/// A claim, with what its first piece says of the byte before it.
#[derive(Debug, Clone)]
pub(in crate::verify) struct MadeClaim {
    pub(in crate::verify) claim: Claim,
    pub(in crate::verify) stored_at: Moment,
    pub(in crate::verify) first_cont: Option<bool>,
}

/// What is left of an epoch once it has been followed.
#[derive(Debug, Clone)]
pub(in crate::verify) struct EpochEnd {
    pub(in crate::verify) epoch: Epoch,
    /// The oldest manifest that is there.
    pub(in crate::verify) first_seq: u64,
    pub(in crate::verify) genesis: Option<Genesis>,
    /// The state after the seq that its successor names, or after its newest manifest.
    pub(in crate::verify) agreed: Chain,
    pub(in crate::verify) seams: Seams,
    /// Its newest manifest's seq.
    pub(in crate::verify) head_seq: u64,
    pub(in crate::verify) tail: Tail,
    pub(in crate::verify) claims: Vec<MadeClaim>,
    /// Bodies missing before the first and after the last that is there, in a copy.
    pub(in crate::verify) missing: MissingRun,
}

impl EpochEnd {
    /// What stands before the next byte of a source, where the epoch was taken over.
    pub(in crate::verify) fn edge(&self, source: u64) -> Edge {
        self.seams.edge(source)
    }
}
