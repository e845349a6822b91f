//! What is left of an epoch once it has been followed, for the links between epochs.

use super::key_changes::KeyChanges;
use crate::bodies::absent_bodies::MissingRun;
use ledger::Moment;
use ledger::chain::{Chain, Claim, Edge, Pulse, Seams};
use ledger::manifest::EpochHead;
use ledger::name::{Epoch, Name};
use std::collections::BTreeMap;

/// What a stream's links need to know of an epoch's genesis.
#[derive(Debug, Clone)]
pub(crate) struct Genesis {
    pub(crate) prev_epoch: Vec<EpochHead>,
    pub(crate) pulse: Pulse,
    /// It has `rollback` or `state_lost`: its sources may begin before the end of those they continue.
    pub(crate) may_restate: bool,
}

/// An epoch's newest manifest.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    pub(crate) stored_at: Moment,
    pub(crate) sealed: Moment,
    pub(crate) next_due: Option<Moment>,
    pub(crate) closed: bool,
    pub(crate) full: bool,
}

/// A claim, with what its first piece says of the byte before it.
#[derive(Debug, Clone)]
pub(crate) struct MadeClaim {
    pub(crate) claim: Claim,
    pub(crate) stored_at: Moment,
    pub(crate) first_cont: Option<bool>,
}

/// What is left of an epoch once it has been followed.
#[derive(Debug, Clone)]
pub(crate) struct EpochEnd {
    pub(crate) epoch: Epoch,
    /// The oldest manifest that is there.
    pub(crate) first_seq: u64,
    pub(crate) genesis: Option<Genesis>,
    /// The state after the seq that its successor names, or after its newest manifest.
    pub(crate) agreed: Chain,
    pub(crate) seams: Seams,
    /// Its newest manifest's seq.
    pub(crate) head_seq: u64,
    pub(crate) tail: Tail,
    pub(crate) claims: Vec<MadeClaim>,
    pub(crate) keys: KeyChanges,
    /// Bodies missing before the first and after the last that is there, in a copy.
    pub(crate) missing: MissingRun,
}

impl EpochEnd {
    /// What is before the next byte of a source, where the epoch was taken over.
    pub(crate) fn edge(&self, source: u64) -> Edge {
        self.seams.edge(source)
    }
}

/// The ends of all epochs of one agent, by stream.
pub(crate) type Ends = BTreeMap<Name, BTreeMap<Epoch, EpochEnd>>;
