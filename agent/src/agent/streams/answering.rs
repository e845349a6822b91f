//! Streams that the archiver holds continue by themselves: whether and how a refusal can be answered, and the answer
//! carried out a part at a time beside all else.

use super::Streams;
use crate::agent::RunError;
use crate::answer::{Answer, AnswerError, Begin, BeginError, Step, Tools};
use crate::now::{Now, millis};
use crate::recovery::RecoverError;
use crate::recovery::sealed_batch::{Doubt, SealedBatch, SealedBatches};
use crate::sealing::seal_error::SealError;
use crate::sealing::stream_state::{SealedAt, StreamState};
use crate::spool::receipts::{Hold, Refusal};
use crate::track::checkpoint::Checkpoint;
use ledger::Digest;
use ledger::limits::MANIFEST_FILE_MAX;
use ledger::manifest::{EpochHead, EventKind, Manifest, Was};
use ledger::name::{Name, Slot};
use ledger::receipt::BadReason;
use ledger::signature::{self, Key, Signature};
use ledger::spool::Mark;
use std::time::Duration;

/// Answers take so long of a turn: the other streams are to be read as well.
const TURN_MAX: Duration = Duration::from_millis(200);

/// Answers take so long at a stop.
const STOP_TURN_MAX: Duration = Duration::from_secs(5);

/// What an epoch that answers begins with, or why there is no answer.
type Planned = Result<(EventKind, Vec<EpochHead>), String>;

impl Streams {
    /// Begins to answer what was refused, and continues answers that were begun. Whether one needs the next turn.
    pub(in crate::agent) fn answer(&mut self, agent: &Name, now: Now) -> Result<bool, RunError> {
        let mut busy = false;
        for index in 0..self.streams.len() {
            let stream = &self.streams[index];
            let is_asked =
                stream.hold().is_some() && !stream.is_answering() && !stream.is_leaving();
            if is_asked && !self.is_waiting(now) {
                match self.begin_answer(agent, index, now) {
                    Err(RunError::Recover(error)) => self.back_off(&put_off(error.into())?, now),
                    begun => begun?,
                }
            }
            busy |= self.continue_answer(agent, index, TURN_MAX)?;
        }
        Ok(busy)
    }

    /// Continues an answer for as long as there is before the process ends. Whether more is left.
    pub(super) fn finish_answer(&mut self, agent: &Name, index: usize) -> Result<bool, RunError> {
        self.continue_answer(agent, index, STOP_TURN_MAX)?;
        Ok(self.streams[index].is_answering())
    }

    /// Seals one manifest of an answer.
    #[cfg(test)]
    pub(in crate::agent) fn answer_once(&mut self, agent: &Name, now: Now) {
        if !self.streams[0].is_answering() {
            self.begin_answer(agent, 0, now).unwrap();
        }
        self.continue_answer(agent, 0, Duration::ZERO).unwrap();
    }

    fn begin_answer(&mut self, agent: &Name, index: usize, now: Now) -> Result<(), RunError> {
        let stream = &self.streams[index];
        let (Some(hold), Some(state)) = (stream.hold().cloned(), stream.sealed_state().cloned())
        else {
            return Ok(());
        };
        let keys = self.sealer.all_keys();
        let layout = self.spool.layout().clone();
        let batches = SealedBatches {
            layout: &layout,
            agent,
            keys: &keys,
        };
        let retention_s = stream.retention_s();
        let stored = stream.stored_head().map(|head| head.epoch_head());
        let planned = plan(&batches, &hold, retention_s, stored)?;
        let (event, prev_epoch) = match planned {
            Ok(planned) => planned,
            Err(why) => {
                self.streams[index].cannot_answer(why);
                return Ok(());
            }
        };
        let epoch = crate::agent::startup::new_epoch(now).map_err(RecoverError::Random)?;
        let Hold { slot, why, .. } = &hold;
        tracing::error!(%slot, %why, %epoch, "refused: the stream continues in a new epoch, in which it is sealed again");
        let begin = Begin {
            refused: slot.clone(),
            event,
            epoch,
            prev_epoch,
            retention_s,
        };
        let answer = match Answer::begin(&batches, &state, begin) {
            Ok(answer) => answer,
            Err(BeginError::Read(error)) => return Err(error.into()),
            // Only a start can tell from where the stream continues: it reads the logs again from there.
            Err(BeginError::Damaged(why)) => return Err(RunError::Damaged(why)),
        };
        // What is not sealed is read again, into the new epoch.
        let stream = &mut self.streams[index];
        if let Some(batch) = stream.take_batch() {
            batch.discard();
        }
        stream.begins_to_answer(answer);
        self.tracker.discarded(self.streams[index].name());
        self.changed = true;
        Ok(())
    }

    fn continue_answer(
        &mut self,
        agent: &Name,
        index: usize,
        at_most: Duration,
    ) -> Result<bool, RunError> {
        let mut now = Now::read();
        let until_ms = now.boot_ms.saturating_add(millis(at_most));
        loop {
            let waits = self.is_waiting(now);
            let Some(mut answer) = self.streams[index].take_answer(!waits) else {
                return Ok(false);
            };
            let tracker = &mut self.tracker;
            let mut file_of = |name: &Was, _: &Checkpoint| tracker.file_of(name);
            let stepped = answer.step(Tools {
                sealer: &mut self.sealer,
                spool: &mut self.spool,
                agent,
                file_of: &mut file_of,
                at: SealedAt {
                    wall: now.wall,
                    boot_ms: now.boot_ms,
                    suspended_ms: now.suspended_ms,
                },
            });
            self.changed = true;
            match stepped {
                Ok(Step::More) => {
                    self.retry = None;
                    self.streams[index].keep_answer(answer);
                }
                Ok(Step::Done) => {
                    self.retry = None;
                    self.answered(agent, index, answer, now)?;
                    return Ok(false);
                }
                Err(error) => {
                    self.streams[index].keep_answer(answer);
                    self.back_off(&put_off(error)?, now);
                }
            }
            now = Now::read();
            if now.boot_ms >= until_ms {
                return Ok(true);
            }
        }
    }

    fn answered(
        &mut self,
        agent: &Name,
        index: usize,
        answer: Answer,
        now: Now,
    ) -> Result<(), RunError> {
        let answered = answer.finish();
        let StreamState::After(state) = answered.state else {
            return Ok(());
        };
        let stream = &mut self.streams[index];
        let next_id = answered.names.next().max(state.next_source);
        let names = &answered.names;
        self.tracker
            .continue_in_epoch(stream.name(), state.epoch, next_id, |was| names.get(was));
        tracing::warn!(stream = %stream.name(), epoch = %state.epoch, "what was refused is sealed again");
        stream.answered(state, now);
        let keys = self.sealer.all_keys();
        let batches = SealedBatches {
            layout: self.spool.layout(),
            agent,
            keys: &keys,
        };
        stream.read_voids(&batches)?;
        self.unsaved = true;
        Ok(())
    }
}

/// An error after which the same step is tried again later.
fn put_off(error: AnswerError) -> Result<SealError, RunError> {
    match error {
        AnswerError::Seal(error @ SealError::Discarded { .. }) => Ok(error),
        AnswerError::Read(RecoverError::Io { path, source }) => Ok(SealError::Discarded {
            path,
            doing: "reading a refused batch",
            source,
        }),
        AnswerError::Seal(error) => Err(error.into()),
        AnswerError::Read(error) => Err(error.into()),
    }
}

/// Decides how a refusal is answered: what the new epoch says and continues.
fn plan(
    batches: &SealedBatches<'_>,
    hold: &Hold,
    retention_s: u64,
    stored: Option<EpochHead>,
) -> Result<Planned, RunError> {
    let Hold { slot, refusal, .. } = hold;
    let event = match refusal {
        Refusal::Conflict => EventKind::Rollback,
        Refusal::Bad(BadReason::Rot) => EventKind::Rot,
        Refusal::Bad(BadReason::Retention) => EventKind::Retention,
        Refusal::Unclear => return Ok(Err("nobody can say what the archiver refuses".to_owned())),
    };
    let refused = match batches.believe_statement(slot) {
        Ok(batch) => Some(batch),
        Err(Doubt::Damage(_)) => None,
        Err(Doubt::Blind(error)) => return Err(error.into()),
    };
    let conflict = match refusal {
        Refusal::Conflict => match foreign(batches, slot, refused.as_ref()) {
            Ok(head) => Some(head),
            Err(why) => return Ok(Err(why)),
        },
        _ => None,
    };
    let prev_epoch = match (slot.seq, conflict) {
        (0, Some(head)) => vec![head],
        (0, None) => match &refused {
            Some(batch) => batch.manifest.prev_epoch.clone().unwrap_or_default(),
            // Its own genesis rotted: what has a receipt is what it continued.
            None => stored.into_iter().collect(),
        },
        (seq, _) => match before(batches, slot, (seq - 1, stored), refused.as_ref())? {
            Some(head) => vec![head],
            None => return Ok(Err(format!("what stands before {slot} is not known"))),
        },
    };
    if *refusal == Refusal::Bad(BadReason::Retention) {
        let longest_s = prev_epoch.iter().map(|head| head.retention_max_s);
        let longest_s = longest_s.fold(retention_s, u64::max);
        let refused_s = refused.map_or(0, |batch| batch.manifest.retention_max_s);
        if longest_s >= refused_s {
            return Ok(Err(
                "shorten the stream's retention, or raise the archiver's max_retention".to_owned(),
            ));
        }
    }
    Ok(Ok((event, prev_epoch)))
}

/// The batch before the refused one, as a new epoch names it.
fn before(
    batches: &SealedBatches<'_>,
    slot: &Slot,
    (seq, stored): (u64, Option<EpochHead>),
    refused: Option<&SealedBatch>,
) -> Result<Option<EpochHead>, RunError> {
    let prev = Slot {
        seq,
        ..slot.clone()
    };
    if let Some(prev) = refused.and_then(|batch| batch.manifest.prev) {
        return Ok(Some(prev.in_epoch(slot.epoch)));
    }
    match batches.believe_statement(&prev) {
        Ok(batch) => {
            let reference = batch.manifest.reference(batch.sha256);
            return Ok(Some(reference.in_epoch(slot.epoch)));
        }
        Err(Doubt::Damage(_)) => {}
        Err(Doubt::Blind(error)) => return Err(error.into()),
    }
    // Deleted, since it has a receipt. What a receipt alone says of it is not believed.
    Ok(stored.filter(|stored| (stored.epoch, stored.seq) == (slot.epoch, seq)))
}

/// The manifest that the store holds in the place of a batch, if this agent signed it for that place and it is another one;
/// else why a mark alone is not answered: whoever writes to the archiver's half could have the agent sign a rollback that
/// never was.
fn foreign(
    batches: &SealedBatches<'_>,
    slot: &Slot,
    refused: Option<&SealedBatch>,
) -> Result<EpochHead, String> {
    let marks = batches.layout.marks(&slot.stream, slot.epoch);
    let file =
        marks.and_then(|marks| marks.read(slot.seq, Mark::Conflict, MANIFEST_FILE_MAX as u64));
    let file =
        file.map_err(|error| format!("what the store holds there cannot be read: {error}"))?;
    let other = file.and_then(|file| own_statement(&file, slot, batches.keys));
    let other = other.ok_or("what the store holds there is no statement of this agent's")?;
    if refused.is_some_and(|batch| batch.sha256 == other.sha256) {
        return Err("what the store holds there is said to be the batch itself".to_owned());
    }
    Ok(other)
}

fn own_statement(file: &[u8], slot: &Slot, keys: &[Key]) -> Option<EpochHead> {
    let (line, block) = signature::split(file).ok()?;
    let signed = Signature::parse(block).ok()?;
    if signed.verify(line).is_err() || !keys.contains(&signed.key()) {
        return None;
    }
    let manifest = Manifest::parse(line).ok()?;
    let reference = manifest.reference(Digest::of(line));
    (manifest.slot() == *slot).then(|| reference.in_epoch(slot.epoch))
}
