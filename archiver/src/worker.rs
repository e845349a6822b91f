//! One stream's turn: its batches, one after the other, until none is left, one is held, or others
//! have waited long enough.

use crate::health::Health;
use crate::spool::batch::{Batch, BatchError};
use crate::spool::order::{Blocked, Next};
use crate::spool::{Memory, Spool};
use crate::upload::{Course, Halt, Uploader};
use ledger::name::Name;
use ledger::receipt::{Bad, BadReason};
use ledger::spool::BatchId;
use std::io;
use std::time::Instant;
use store::Store;
use store::retry::Scope;
use tokio::task::block_in_place;

/// Batches after which a turn ends though there are more, so that every stream gets one.
const BATCHES_MAX: u64 = 64;

/// What all turns share.
#[derive(Debug)]
pub(super) struct Archive<S> {
    pub(super) spool: Spool,
    pub(super) uploader: Uploader<S>,
    pub(super) health: Health,
}

/// One stream between its turns.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) name: Name,
    memory: Memory,
    course: Course,
    /// A batch that was not there, though it must be.
    missing: Option<Next>,
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing is left to upload.
    Drained,
    /// It is others' turn.
    More,
    /// It can't go on; `damaged` if evidence is.
    Held { damaged: bool },
}

/// Why a stream can't go on.
struct Trouble {
    why: String,
    damaged: bool,
}

impl Stream {
    pub(super) fn new(name: Name) -> Self {
        Self {
            name,
            memory: Memory::default(),
            course: Course::default(),
            missing: None,
        }
    }
}

impl<S: Store> Archive<S> {
    /// Gives `stream` its turn; the number of batches that got their receipts, and how it ended.
    pub(super) async fn turn(&self, stream: &mut Stream) -> (u64, End) {
        let mut uploaded = 0;
        while uploaded < BATCHES_MAX {
            let moved = self.move_on(stream).await;
            let trouble = moved.as_ref().err().map(|trouble| trouble.why.as_str());
            let backlog = stream.memory.outlook.backlog;
            let is_new = self.health.looked(&stream.name, backlog, trouble);
            match moved {
                Ok(true) => uploaded += 1,
                Ok(false) => return (uploaded, End::Drained),
                Err(Trouble { why, damaged }) => {
                    // Much may have changed by the next try.
                    stream.memory.forget();
                    if is_new {
                        tracing::error!(stream = %stream.name, backlog, "held: {why}");
                    }
                    return (uploaded, End::Held { damaged });
                }
            }
        }
        (uploaded, End::More)
    }

    /// Uploads the next batch; false if there is none.
    async fn move_on(&self, stream: &mut Stream) -> Result<bool, Trouble> {
        let (next, batch) = loop {
            let Some(next) = self.look(stream)? else {
                return Ok(false);
            };
            if let Some(batch) = self.read(stream, next).await? {
                break (next, batch);
            }
        };
        let id = BatchId::from(&batch.slot());
        let bytes = batch.file.len() + batch.body.as_ref().map_or(0, bytes::Bytes::len);
        match self.uploader.upload(batch, &mut stream.course).await {
            Ok(receipt) => {
                tracing::debug!(step = "receipt.write", slot = %id);
                let write = || self.uploader.receipts.write_receipt(&id, &receipt);
                self.insist(write).await?;
                tracing::debug!(step = "receipt.write.done", slot = %id);
                stream.memory.passed(next);
                let at = receipt.store_time;
                self.health.uploaded(&stream.name, bytes as u64, at);
                Ok(true)
            }
            Err(Halt::Bad(reason, detail)) => Err(self.mark_bad(&id, reason, detail).await?),
            Err(Halt::Fork(file)) => {
                let write = || self.uploader.receipts.write_conflict(&id, &file);
                self.insist(write).await?;
                Err(blocked(&id, Blocked::Conflict))
            }
            Err(Halt::Held(scope, why)) => {
                let scope = match scope {
                    Scope::Stream => "",
                    Scope::Everything => "everything is held: ",
                };
                Err(held(format!("{id}: {scope}{why}")))
            }
            Err(Halt::GaveIn(why)) => Err(Trouble { why, damaged: true }),
        }
    }

    fn look(&self, stream: &mut Stream) -> Result<Option<Next>, Trouble> {
        let memory = &mut stream.memory;
        let looked = block_in_place(|| self.spool.look(&stream.name, memory, Instant::now()));
        looked.map_err(|error| held(error.to_string()))?;
        let outlook = &memory.outlook;
        match (outlook.next, outlook.blocked.first()) {
            (Some(next), _) => Ok(Some(next)),
            (None, None) => Ok(None),
            (None, Some((epoch, seq, why))) => {
                let stream = stream.name.clone();
                let (epoch, seq) = (*epoch, *seq);
                Err(blocked(&BatchId { stream, epoch, seq }, *why))
            }
        }
    }

    /// Reads the next batch; `None` if it is not there and the stream should be looked at again.
    async fn read(&self, stream: &mut Stream, next: Next) -> Result<Option<Batch>, Trouble> {
        let id = BatchId {
            stream: stream.name.clone(),
            epoch: next.epoch,
            seq: next.seq,
        };
        match block_in_place(|| self.spool.read(&id)) {
            Ok(batch) => Ok(Some(batch)),
            Err(BatchError::Rot(detail)) => Err(self.mark_bad(&id, BadReason::Rot, detail).await?),
            Err(BatchError::Absent) if stream.missing != Some(next) => {
                // The agent may have removed it since the look, if it was void.
                stream.missing = Some(next);
                stream.memory.forget();
                Ok(None)
            }
            Err(BatchError::Absent) => Err(held(format!(
                "{id}: missing from the spool, though later batches are there; none is skipped: \
                 bring it back, or restart the agent, which then begins a new epoch"
            ))),
            Err(error @ BatchError::Unreadable(_)) => Err(held(format!("{id}: {error}"))),
        }
    }

    async fn mark_bad(
        &self,
        id: &BatchId,
        reason: BadReason,
        detail: String,
    ) -> Result<Trouble, Trouble> {
        tracing::error!(slot = %id, ?reason, "this batch can't be uploaded as it is: {detail}");
        let at = host::clock::now();
        let bad = Bad { reason, detail, at };
        self.insist(|| self.uploader.receipts.write_bad(id, &bad))
            .await?;
        Ok(blocked(id, Blocked::Bad))
    }

    /// Writes a mark, for ever if need be: uploading the batch again because its receipt found no
    /// room would leave one more locked version each time.
    async fn insist(&self, write: impl Fn() -> io::Result<()>) -> Result<(), Trouble> {
        let terms = self.uploader.terms();
        loop {
            match block_in_place(&write) {
                Ok(()) => return Ok(()),
                Err(error) if terms.once => return Err(held(error.to_string())),
                Err(error) => {
                    tracing::error!(wait = ?terms.retry_held, "{error}; trying again");
                    tokio::time::sleep(terms.retry_held).await;
                }
            }
        }
    }
}

fn held(why: String) -> Trouble {
    let damaged = false;
    Trouble { why, damaged }
}

fn blocked(id: &BatchId, why: Blocked) -> Trouble {
    let (why, damaged) = match why {
        Blocked::Bad => (
            format!("{id}: bad, see receipts/{id}.bad; the agent must answer with a new epoch"),
            true,
        ),
        Blocked::Conflict => (
            format!(
                "{id}: a fork: the store holds another statement that the agent's key signed for \
                 this id, kept as receipts/{id}.conflict; was the host restored from a \
                 snapshot, or does a second agent use this key and name?"
            ),
            true,
        ),
        Blocked::Circle => (
            format!("{id}: the stream's epochs name each other in a circle"),
            true,
        ),
    };
    Trouble { why, damaged }
}
