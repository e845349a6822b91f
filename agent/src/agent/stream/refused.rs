//! A stream of which the archiver refuses a batch: whether it answers, what is void, and when that may go.

use super::RunningStream;
use crate::answer::{self, Answer};
use crate::now::Now;
use crate::recovery::RecoverError;
use crate::recovery::sealed_batch::SealedBatches;
use crate::recovery::voids::Voids;
use crate::sealing::stream_state::{SealedState, StreamState};
use ledger::name::Epoch;

impl RunningStream {
    pub(in crate::agent) fn retention_s(&self) -> u64 {
        self.retention_s
    }

    pub(in crate::agent) fn is_answering(&self) -> bool {
        self.answering.is_some()
    }

    /// Batches that are yet to be sealed again, and why the archiver refuses the first of them.
    pub(in crate::agent) fn answer_left(&self) -> Option<usize> {
        self.answering.as_ref().map(Answer::left)
    }

    /// Why a refusal is not answered.
    pub(in crate::agent) fn unanswerable(&self) -> Option<&String> {
        self.unanswerable.as_ref().filter(|_| self.hold.is_some())
    }

    pub(in crate::agent) fn cannot_answer(&mut self, why: String) {
        if self.unanswerable.as_ref() != Some(&why) {
            tracing::error!(stream = %self.name, %why, "stream held: its files are not read");
        }
        self.unanswerable = Some(why);
    }

    pub(in crate::agent) fn begins_to_answer(&mut self, answer: Answer) {
        self.answering = Some(answer);
        self.unanswerable = None;
        // Both are of an epoch that ends here.
        self.pending.clear();
        self.events_since_ms = None;
    }

    /// The answer under way, to be continued, if it `may` be now.
    pub(in crate::agent) fn take_answer(&mut self, may: bool) -> Option<Answer> {
        self.answering.take_if(|_| may)
    }

    pub(in crate::agent) fn keep_answer(&mut self, answer: Answer) {
        self.answering = Some(answer);
    }

    /// All that was refused is sealed again, up to this state.
    pub(in crate::agent) fn answered(&mut self, state: SealedState, now: Now) {
        self.answered_to = state.head.seq;
        self.next = StreamState::After(state);
        self.hold = None;
        self.sealed_at = now;
        self.named_heads_at = None;
    }

    /// Looks which batches are void. Nothing of them is left to be sealed again.
    pub(in crate::agent) fn read_voids(
        &mut self,
        batches: &SealedBatches<'_>,
    ) -> Result<(), RecoverError> {
        let sealed = answer::sealed(batches, &self.name)?;
        self.voids = Voids::read(batches, &self.name, &sealed, None)?;
        if let StreamState::Begin(begin) = &self.next {
            self.voids.end_at(&begin.prev_epoch);
        }
        let mut all = sealed.iter().flat_map(|(epoch, seqs)| {
            let last = seqs.last();
            last.map(|last| (*epoch, *last))
        });
        self.has_voids = all.any(|(epoch, last)| self.voids.holds(epoch, last));
        self.answered_to = self.sealed_state().map_or(0, |state| state.head.seq);
        Ok(())
    }

    /// Whether what comes after a refused batch is not settled, so that nothing may be deleted.
    pub(in crate::agent) fn is_frozen(&self) -> bool {
        self.has_voids || self.is_answering()
    }

    /// Void batches that may be deleted once both snapshots know this epoch up to this manifest.
    pub(in crate::agent) fn deletable_voids(&self) -> Option<(&Voids, (Epoch, u64))> {
        let epoch = self.sealed_state()?.epoch;
        let is_settled = self.has_voids && !self.is_answering();
        is_settled.then_some((&self.voids, (epoch, self.answered_to)))
    }

    pub(in crate::agent) fn voids_are_gone(&mut self) {
        self.has_voids = false;
    }
}
