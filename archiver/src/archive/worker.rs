//! A stream's worker: it uploads the stream's batches, one after the other, until none is left, one is
//! held, or other streams have waited long enough. Which worker runs when is the scheduler's business.

use crate::health::{Health, Hold, HoldKind};
use crate::spool::batch::{Batch, BatchError};
use crate::spool::order::{Blocked, Next};
use crate::spool::{Spool, StreamView};
use crate::upload::{UploadError, UploadProgress, Uploader};
use ledger::name::Name;
use ledger::receipt::{Bad, BadReason};
use ledger::spool::BatchId;
use std::io;
use std::sync::Arc;
use std::time::Instant;
use store::Store;
use store::retry::Scope;
use tokio::task::block_in_place;

/// Batches that a worker uploads in one run though there are more, so that every stream gets its share.
const BATCHES_MAX: u64 = 64;

/// What all workers share.
#[derive(Debug)]
pub(super) struct Shared<S> {
    pub(super) spool: Spool,
    pub(super) uploader: Uploader<S>,
    pub(super) health: Arc<Health>,
}

/// One stream's worker. It outlives its runs, and with them what is known of the stream.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) stream: Name,
    view: StreamView,
    progress: UploadProgress,
    /// A batch that was not there, though it must be.
    missing: Option<Next>,
}

/// How a run of a worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunEnd {
    /// Nothing is left to upload.
    Drained,
    /// More is left; other streams run first.
    More,
    /// The stream is held.
    Held(HoldKind),
}

impl Worker {
    pub(super) fn new(stream: Name) -> Self {
        Self {
            stream,
            view: StreamView::default(),
            progress: UploadProgress::default(),
            missing: None,
        }
    }
}

impl<S: Store> Shared<S> {
    /// Uploads up to [`BATCHES_MAX`] of the worker's batches; the number that got their receipts, and how
    /// it ended.
    pub(super) async fn run(&self, worker: &mut Worker) -> (u64, RunEnd) {
        let mut uploaded = 0;
        while uploaded < BATCHES_MAX {
            let result = self.upload_next(worker).await;
            let is_new = self.health.looked(&worker.stream, result.as_ref().err());
            match result {
                Ok(true) => uploaded += 1,
                Ok(false) => {
                    self.health.drained(&worker.stream);
                    return (uploaded, RunEnd::Drained);
                }
                Err(Hold { kind, why }) => {
                    // Much may have changed by the next try.
                    worker.view.forget();
                    if is_new {
                        tracing::error!(stream = %worker.stream, "held: {why}");
                    }
                    return (uploaded, RunEnd::Held(kind));
                }
            }
        }
        (uploaded, RunEnd::More)
    }

    /// Uploads the next batch; false if there is none.
    async fn upload_next(&self, worker: &mut Worker) -> Result<bool, Hold> {
        let (next, batch) = loop {
            let Some(next) = self.look(worker)? else {
                return Ok(false);
            };
            if let Some(batch) = self.read(worker, next).await? {
                break (next, batch);
            }
        };
        let id = BatchId::from(&batch.slot());
        let bytes = batch.file.len() + batch.body.as_ref().map_or(0, bytes::Bytes::len);
        match self.uploader.upload(batch, &mut worker.progress).await {
            Ok(receipt) => {
                tracing::debug!(step = "receipt.write", slot = %id);
                let write = || self.uploader.receipts.write_receipt(&id, &receipt);
                self.retry_write(&worker.stream, write).await?;
                tracing::debug!(step = "receipt.write.done", slot = %id);
                worker.view.passed(next);
                let at = receipt.store_time;
                self.health.uploaded(&worker.stream, bytes as u64, at);
                Ok(true)
            }
            Err(UploadError::Bad(reason, detail)) => {
                Err(self.mark_bad(&id, reason, detail).await?)
            }
            Err(UploadError::Fork(file)) => {
                let write = || self.uploader.receipts.write_conflict(&id, &file);
                self.retry_write(&worker.stream, write).await?;
                Err(blocked(&id, Blocked::Conflict))
            }
            Err(UploadError::Held(scope, why)) => {
                let scope = match scope {
                    Scope::Stream => "",
                    Scope::Everything => "uploads are paused: ",
                };
                let why = format!("{id}: {scope}{why}");
                Err(Hold::new(HoldKind::Refused, why))
            }
            Err(UploadError::NotEnforced(why)) => Err(Hold::new(HoldKind::NotEnforced, why)),
        }
    }

    fn look(&self, worker: &mut Worker) -> Result<Option<Next>, Hold> {
        let view = &mut worker.view;
        let looked = block_in_place(|| self.spool.refresh(&worker.stream, view, Instant::now()));
        looked.map_err(|error| Hold::new(HoldKind::Unreadable, error.to_string()))?;
        let outlook = &view.outlook;
        match (outlook.next, outlook.blocked.first()) {
            (Some(next), _) => Ok(Some(next)),
            (None, None) => Ok(None),
            (None, Some((epoch, seq, why))) => {
                let stream = worker.stream.clone();
                let (epoch, seq) = (*epoch, *seq);
                Err(blocked(&BatchId { stream, epoch, seq }, *why))
            }
        }
    }

    /// Reads the next batch; `None` if it is not there and the stream should be looked at again.
    async fn read(&self, worker: &mut Worker, next: Next) -> Result<Option<Batch>, Hold> {
        let id = BatchId {
            stream: worker.stream.clone(),
            epoch: next.epoch,
            seq: next.seq,
        };
        match block_in_place(|| self.spool.read(&id)) {
            Ok(batch) => Ok(Some(batch)),
            Err(BatchError::Rot(detail)) => Err(self.mark_bad(&id, BadReason::Rot, detail).await?),
            Err(BatchError::Absent) if worker.missing != Some(next) => {
                // The agent may have resealed it since the look, if it was void.
                worker.missing = Some(next);
                worker.view.forget();
                Ok(None)
            }
            Err(BatchError::Absent) => {
                let why = format!(
                    "{id}: missing from the spool, though later batches are there; none is skipped: \
                     bring it back, or restart the agent, which then begins a new epoch"
                );
                Err(Hold::new(HoldKind::Missing, why))
            }
            Err(error @ BatchError::Unreadable(_)) => {
                Err(Hold::new(HoldKind::Unreadable, format!("{id}: {error}")))
            }
        }
    }

    async fn mark_bad(
        &self,
        id: &BatchId,
        reason: BadReason,
        detail: String,
    ) -> Result<Hold, Hold> {
        tracing::error!(slot = %id, ?reason, "this batch can't be uploaded as it is: {detail}");
        let at = host::clock::now();
        let bad = Bad { reason, detail, at };
        let write = || self.uploader.receipts.write_bad(id, &bad);
        self.retry_write(&id.stream, write).await?;
        Ok(blocked(id, Blocked::Bad))
    }

    /// Writes a mark, for ever if need be: uploading the batch again because its receipt found no
    /// room would leave one more locked version each time.
    async fn retry_write(
        &self,
        stream: &Name,
        write: impl Fn() -> io::Result<()>,
    ) -> Result<(), Hold> {
        let terms = self.uploader.terms();
        loop {
            let Err(error) = block_in_place(&write) else {
                return Ok(());
            };
            let hold = Hold::new(HoldKind::Unwritable, error.to_string());
            if terms.once {
                return Err(hold);
            }
            tracing::error!(wait = ?terms.retry_held, "{error}; trying again");
            self.health.looked(stream, Some(&hold));
            tokio::time::sleep(terms.retry_held).await;
        }
    }
}

fn blocked(id: &BatchId, why: Blocked) -> Hold {
    match why {
        Blocked::Bad => Hold::new(
            HoldKind::Bad,
            format!("{id}: bad, see receipts/{id}.bad; the agent must answer with a new epoch"),
        ),
        Blocked::Conflict => Hold::new(
            HoldKind::Conflict,
            format!(
                "{id}: a fork: the store holds another statement that the agent's key signed for \
                 this id, kept as receipts/{id}.conflict; was the host restored from a \
                 snapshot, or does a second agent use this key and name?"
            ),
        ),
        Blocked::Circle => Hold::new(
            HoldKind::Circle,
            format!("{id}: the stream's epochs name each other in a circle"),
        ),
    }
}
