//! The answer to a batch that the archiver refuses: it rotted, asks for a lock that is too long, or the store holds
//! another statement that this agent signed for its number.
//!
//! The stream continues in a new epoch after the last batch that is not refused. What was sealed from the refused batch
//! on is void; each void batch is sealed again, one for one, in the new epoch, from its own body: no file is read for it,
//! whatever became of the logs since. Only bytes whose body rotted are read again from the log, if that still holds them;
//! else they are a gap `rot`.
//!
//! | killed | what a start finds |
//! | --- | --- |
//! | before the new epoch's genesis | nothing: the refusal is met and answered again |
//! | between two batches | [`voids::RESTATES`] in the last one says how far it came; it continues after that |
//! | before the void batches are deleted | they are all restated: nothing is left to do but to delete them |

mod batch_reader;
mod names;
mod reread;
mod restate;

pub(crate) use self::names::Names;

use self::batch_reader::UnreadableBlock;
use self::restate::{RestateError, Restated, Restating};
use crate::recovery::RecoverError;
use crate::recovery::sealed_batch::{Doubt, SealedBatch, SealedBatches};
use crate::recovery::voids::{self, BatchAt, Voids};
use crate::sealing::seal_error::SealError;
use crate::sealing::sealer::Sealer;
use crate::sealing::stream_state::{ManifestDraft, NewEpoch, SealedAt, SealedState, StreamState};
use crate::spool::Spool;
use crate::track::checkpoint::Checkpoint;
use ledger::json::Strict;
use ledger::manifest::{EpochHead, Event, EventKind, Was};
use ledger::name::{Epoch, Name, Slot};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::sync::Arc;

/// How often a body that the disk does not give is asked for before it counts as lost.
const READ_TRIES: u32 = 3;

/// Where a source's file is, by the name that its stream last stated, and its checkpoint.
pub(crate) type FileOf<'a> = &'a mut dyn FnMut(&Was, &Checkpoint) -> Option<Arc<File>>;

/// What an answer needs to seal one batch.
pub(crate) struct Tools<'a> {
    pub(crate) sealer: &'a mut Sealer,
    pub(crate) spool: &'a mut Spool,
    pub(crate) agent: &'a Name,
    pub(crate) file_of: FileOf<'a>,
    pub(crate) at: SealedAt,
}

/// Why an answer does not go forward.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    /// The spool cannot be written now.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The spool cannot be read now.
    #[error(transparent)]
    Read(#[from] RecoverError),
}

/// Why an answer cannot begin.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BeginError {
    /// The spool cannot be read now.
    #[error(transparent)]
    Read(#[from] RecoverError),
    /// What a batch states is damaged: what it held cannot even be told as lost.
    #[error("{0}")]
    Damaged(String),
}

/// Whether there is more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    More,
    Done,
}

/// An answer under way.
#[derive(Debug)]
pub(crate) struct Answer {
    next: StreamState,
    refused: BatchAt,
    retention_s: u64,
    /// Void batches that are yet to be sealed again, in order.
    work: VecDeque<Slot>,
    names: Names,
    /// It was begun by an earlier run.
    is_resumed: bool,
    /// If so: checkpoints of what this one sealed again.
    restated: Vec<Checkpoint>,
    tries: u32,
}

/// What begins an answer.
pub(crate) struct Begin {
    pub(crate) refused: Slot,
    pub(crate) event: EventKind,
    pub(crate) epoch: Epoch,
    /// What the new epoch continues.
    pub(crate) prev_epoch: Vec<EpochHead>,
    pub(crate) retention_s: u64,
}

impl Answer {
    /// An answer to a refusal in a stream that stands at `state`. Nothing is sealed yet.
    pub(crate) fn begin(
        batches: &SealedBatches<'_>,
        state: &SealedState,
        begin: Begin,
    ) -> Result<Self, BeginError> {
        let stream = &state.stream;
        let refused = (begin.refused.epoch, begin.refused.seq);
        let sealed = sealed(batches, stream)?;
        let voids = Voids::read(batches, stream, &sealed, Some(refused))?;
        let work = work(batches, stream, &sealed, &voids, refused.0, begin.epoch);
        for slot in &work {
            match batches.believe_statement(slot) {
                Ok(_) => {}
                Err(Doubt::Damage(why)) => return Err(BeginError::Damaged(why)),
                Err(Doubt::Blind(error)) => return Err(error.into()),
            }
        }
        Ok(Self {
            next: StreamState::Begin(NewEpoch {
                stream: stream.clone(),
                epoch: begin.epoch,
                prev_epoch: begin.prev_epoch,
                heads_after: state.heads_after.clone(),
                next_key: state.next_key,
                event: Some(begin.event),
            }),
            refused,
            retention_s: begin.retention_s,
            work,
            names: Names::default(),
            is_resumed: false,
            restated: Vec::new(),
            tries: 0,
        })
    }

    /// The answer that an earlier run did not finish; `None` if there is nothing left to do.
    pub(crate) fn resume(
        batches: &SealedBatches<'_>,
        state: &SealedState,
        retention_s: u64,
    ) -> Result<Option<Self>, RecoverError> {
        let stream = &state.stream;
        let sealed = sealed(batches, stream)?;
        let own = sealed.get(&state.epoch).map_or(&[][..], Vec::as_slice);
        if own.first() != Some(&0) {
            return Ok(None);
        }
        let Some(genesis) = believe(batches, stream, (state.epoch, 0))? else {
            return Ok(None);
        };
        let Some(refused) = voids::named(&genesis.manifest, voids::ANSWERS) else {
            return Ok(None);
        };
        let voids = Voids::read(batches, stream, &sealed, None)?;
        let mut work = work(batches, stream, &sealed, &voids, refused.0, state.epoch);
        if work.is_empty() {
            return Ok(None);
        }
        let mut names = Names::default();
        let mut last = None;
        for seq in own {
            let Some(batch) = believe(batches, stream, (state.epoch, *seq))? else {
                continue;
            };
            names.recall(state.epoch, &batch.checkpoints);
            last = voids::named(&batch.manifest, voids::RESTATES).or(last);
        }
        if let Some(last) = last
            && let Some(at) = work.iter().position(|slot| (slot.epoch, slot.seq) == last)
        {
            work.drain(..=at);
        }
        names.take_below(state.next_source);
        Ok((!work.is_empty()).then(|| Self {
            next: StreamState::After(state.clone()),
            refused,
            retention_s,
            work,
            names,
            is_resumed: true,
            restated: Vec::new(),
            tries: 0,
        }))
    }

    /// Batches that are yet to be sealed again.
    pub(crate) fn left(&self) -> usize {
        self.work.len()
    }

    /// Seals one manifest: the genesis, or what a void batch held. A crash after it continues with the next.
    pub(crate) fn step(&mut self, tools: Tools<'_>) -> Result<Step, AnswerError> {
        if let StreamState::Begin(begin) = &self.next {
            let draft = ManifestDraft {
                events: begin.event.map(Event::new).into_iter().collect(),
                ext: ext(voids::ANSWERS, self.refused),
                retention_s: self.retention_s,
                ..ManifestDraft::default()
            };
            let Tools {
                sealer, spool, at, ..
            } = tools;
            let state = sealer.seal(spool, &self.next, None, draft, &[], at)?;
            self.next = StreamState::After(state);
            return Ok(self.is_done());
        }
        let Some(slot) = self.work.front().cloned() else {
            return Ok(Step::Done);
        };
        if let Some(restated) = self.restate(&slot, tools)? {
            self.names.sealed(&restated.to);
            if self.is_resumed {
                self.restated.extend(restated.checkpoints);
            }
            self.next = StreamState::After(restated.state);
        }
        self.tries = 0;
        self.work.pop_front();
        Ok(self.is_done())
    }

    fn is_done(&self) -> Step {
        if self.work.is_empty() {
            Step::Done
        } else {
            Step::More
        }
    }

    fn restate(&mut self, slot: &Slot, tools: Tools<'_>) -> Result<Option<Done>, AnswerError> {
        let keys = tools.sealer.all_keys();
        let layout = tools.spool.layout().clone();
        let batches = SealedBatches {
            layout: &layout,
            agent: tools.agent,
            keys: &keys,
        };
        let Some(batch) = believe(&batches, &slot.stream, (slot.epoch, slot.seq))? else {
            return Ok(None);
        };
        let Tools {
            sealer,
            spool,
            file_of,
            at,
            ..
        } = tools;
        let restating = Restating {
            batch: &batch,
            folder: &layout.batch(slot),
            layout: &layout,
            next: &self.next,
            sealer,
            file_of,
            at,
            gives_up: self.tries + 1 >= READ_TRIES,
        };
        let restated = match restating.run(&mut self.names) {
            Ok(Some(restated)) => restated,
            Ok(None) => return Ok(None),
            Err(RestateError::Read(UnreadableBlock { path, source })) => {
                self.tries += 1;
                return Err(RecoverError::Io { path, source }.into());
            }
            Err(RestateError::Seal(error)) => return Err(error.into()),
        };
        let Restated {
            batch: open,
            sources,
            events,
            checkpoints,
            to,
        } = restated;
        let draft = ManifestDraft {
            sources,
            events,
            ext: ext(voids::RESTATES, (slot.epoch, slot.seq)),
            retention_s: self.retention_s,
            ..ManifestDraft::default()
        };
        let state = sealer.seal(spool, &self.next, open, draft, &checkpoints, at)?;
        tracing::info!(of = %slot, seq = state.head.seq, "sealed again");
        Ok(Some(Done {
            state,
            checkpoints,
            to,
        }))
    }

    /// What it came to.
    pub(crate) fn finish(self) -> Answered {
        Answered {
            state: self.next,
            names: self.names,
            restated: self.restated,
        }
    }
}

/// A void batch that is sealed again.
struct Done {
    state: SealedState,
    checkpoints: Vec<Checkpoint>,
    to: Vec<(u64, u64)>,
}

/// What an answer came to.
pub(crate) struct Answered {
    pub(crate) state: StreamState,
    /// What the sources are called now.
    pub(crate) names: Names,
    /// If an earlier run began it: where they stand, as this one sealed it.
    pub(crate) restated: Vec<Checkpoint>,
}

fn ext(key: &str, batch: BatchAt) -> BTreeMap<String, Strict> {
    BTreeMap::from([(key.to_owned(), voids::written(batch))])
}

/// What a batch states; `None`, told, if that is damaged.
fn believe(
    batches: &SealedBatches<'_>,
    stream: &Name,
    (epoch, seq): BatchAt,
) -> Result<Option<SealedBatch>, RecoverError> {
    match batches.believe_statement(&batches.slot(stream, epoch, seq)) {
        Ok(batch) => Ok(Some(batch)),
        Err(Doubt::Damage(why)) => {
            tracing::error!(%why, "a batch cannot be sealed again: what it held is told as lost");
            Ok(None)
        }
        Err(Doubt::Blind(error)) => Err(error),
    }
}

/// The stream's batches in the spool.
pub(crate) fn sealed(
    batches: &SealedBatches<'_>,
    stream: &Name,
) -> Result<BTreeMap<Epoch, Vec<u64>>, RecoverError> {
    let failed = |source: io::Error| RecoverError::Io {
        path: batches.layout.sealed().join(stream.as_str()),
        source,
    };
    let epochs = batches.layout.epochs(stream).map_err(failed)?.into_iter();
    let seqs = |epoch| Ok((epoch, batches.layout.seqs(stream, epoch).map_err(failed)?));
    epochs.map(seqs).collect()
}

/// The void batches in the order in which they were sealed.
fn work(
    batches: &SealedBatches<'_>,
    stream: &Name,
    sealed: &BTreeMap<Epoch, Vec<u64>>,
    voids: &Voids,
    refused: Epoch,
    target: Epoch,
) -> VecDeque<Slot> {
    let mut work = VecDeque::new();
    for epoch in voids.because_of(refused) {
        let seqs = sealed.get(&epoch).into_iter().flatten();
        let void = seqs.filter(|seq| epoch != target && voids.holds(epoch, **seq));
        work.extend(void.map(|seq| batches.slot(stream, epoch, *seq)));
    }
    work
}
