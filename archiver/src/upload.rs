//! One batch, from the spool's bytes to a receipt: the protocol of docs/design.md, "Archiver".
//!
//! [`plan`] says what to ask, [`attempt`] asks once, [`store::retry`] rules on failures; here they
//! meet, and here is the one loop that repeats anything. A batch is never given up and never skipped.

mod attempt;
pub mod gate;
mod plan;

use crate::receipt_writer::Receipts;
use crate::spool::Spool;
use crate::spool::batch::{Batch, BatchError};
use attempt::Attempt;
use bytes::Bytes;
use gate::{Cause, Gate};
use ledger::Digest;
use ledger::name::Slot;
use ledger::receipt::{BadReason, LockedObject, Receipt};
use ledger::spool::BatchId;
use plan::{Answer, Found, Object, Placed, Placement, Plan, Proof, Step, Stop};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use store::retry::{Ruling, Scope, rule};
use store::{Store, StoreAnswer, StoreError};

/// The only mode in which a receipt is written.
const COMPLIANCE: &str = "COMPLIANCE";

/// How often an object that the store said it stored may be missing afterwards before the store counts as one that
/// keeps nothing: an id may be damaged on its way.
const VANISHED_MAX: u32 = 3;

/// How long until it is stored again before that.
const VANISHED_AGAIN: Duration = Duration::from_millis(500);

/// What uploads work by.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// The longest retention that is uploaded.
    pub max_retention_s: u64,
    /// How long something held rests before the next try.
    pub retry_held: Duration,
    /// Whether to give up where uploads are paused, instead of waiting.
    pub once: bool,
}

/// Uploads batches into one store, several at a time.
#[derive(Debug)]
pub struct Uploader<S> {
    store: S,
    spool: Spool,
    /// The archiver's half of the spool.
    pub receipts: Receipts,
    /// Closed while uploads are paused.
    pub gate: Arc<Gate>,
    terms: Terms,
}

/// How far a stream has come in the store. It outlives a hold, so that whatever was stored before is
/// not stored again each time the hold is tried: a locked version can't be taken back.
#[derive(Debug, Default)]
pub struct UploadProgress {
    /// Whether the store was seen to be where the spool is, since the start.
    is_known: bool,
    /// The batch under way, by its line, and what is left to ask for it.
    current: Option<(Digest, Plan)>,
}

impl UploadProgress {
    fn plan_for(&mut self, batch: &Batch) -> &mut Plan {
        let (has_body, look_first) = (batch.body.is_some(), !self.is_known);
        let current = self.current.take();
        let same = current.filter(|(line_sha256, _)| *line_sha256 == batch.line_sha256);
        let fresh = || (batch.line_sha256, Plan::new(has_body, look_first));
        &mut self.current.insert(same.unwrap_or_else(fresh)).1
    }
}

/// Why a batch has no receipt. None of these is for the caller to repeat at once.
#[derive(Debug)]
pub enum UploadError {
    /// Its bytes or its retention: the agent must answer.
    Bad(BadReason, String),
    /// The store holds another statement of its agent for its place; the file that was found.
    Fork(Bytes),
    /// It has to wait.
    Held(Scope, String),
    /// The store said that it locked, and did not.
    NotEnforced(String),
}

impl<S: Store> Uploader<S> {
    /// Nothing is asked of the store yet.
    pub fn new(store: S, spool: Spool, terms: Terms) -> Self {
        Self {
            store,
            receipts: Receipts::new(&spool),
            spool,
            gate: Arc::default(),
            terms,
        }
    }

    /// The same behind a gate that others know as well.
    #[must_use]
    pub fn behind(self, gate: Arc<Gate>) -> Self {
        Self { gate, ..self }
    }

    /// The store it uploads to.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// How it works.
    pub fn terms(&self) -> Terms {
        self.terms
    }

    /// Sees a batch stored and locked, from where an earlier call for the same batch left `progress`.
    ///
    /// # Errors
    /// [`UploadError`]; what passes by itself is waited for instead.
    pub async fn upload(
        &self,
        batch: Batch,
        progress: &mut UploadProgress,
    ) -> Result<Receipt, UploadError> {
        self.admit(&batch)?;
        let plan = progress.plan_for(&batch);
        let stream = batch.manifest.stream.clone();
        let followed = self.follow(plan, batch).await;
        // Whatever is wrong now is told as why the stream is held.
        self.gate.forget_failure(&stream);
        let (batch, placement) = followed?;
        if let Some(next) = batch.manifest.next_key() {
            let learned = self.receipts.add_key(&next);
            learned.map_err(|error| UploadError::Held(Scope::Stream, error.to_string()))?;
        }
        progress.current = None;
        progress.is_known = true;
        Ok(self.receipt(&batch, &placement))
    }

    /// What can be said against a batch before the store is asked.
    fn admit(&self, batch: &Batch) -> Result<(), UploadError> {
        let longest_s = batch
            .manifest
            .retention_s
            .max(batch.manifest.retention_max_s);
        if longest_s > self.terms.max_retention_s {
            let detail = format!(
                "retention of {longest_s} s is over the archiver's max_retention of {} s; \
                 shorten the stream's retention, or raise max_retention in archiver.toml",
                self.terms.max_retention_s
            );
            return Err(UploadError::Bad(BadReason::Retention, detail));
        }
        let stream_held = |error: io::Error| UploadError::Held(Scope::Stream, error.to_string());
        if let Some(known) = self.receipts.other_key(&batch.key).map_err(stream_held)? {
            let detail = format!(
                "signed by {}, all batches of this spool before by {known}, and none of them named the new key, as \
                 `holdfast-agent rotate-key` does; if it was replaced on purpose, remove receipts/.key from the \
                 spool and restart the archiver",
                batch.key
            );
            return Err(UploadError::Held(Scope::Stream, detail));
        }
        let Some(prev) = batch.manifest.prev else {
            return Ok(());
        };
        let before = BatchId {
            seq: prev.seq,
            ..BatchId::from(&batch.slot())
        };
        match self.receipts.read(&before).map_err(stream_held)? {
            Some(receipt) if receipt.manifest_sha256 != prev.sha256 => Err(UploadError::Bad(
                BadReason::Rot,
                "manifest: prev is not the batch before, which is in the store".into(),
            )),
            _ => Ok(()),
        }
    }

    /// Asks step by step until only the receipt is left.
    async fn follow(
        &self,
        plan: &mut Plan,
        mut batch: Batch,
    ) -> Result<(Batch, Placement), UploadError> {
        let slot = batch.slot();
        let mut failures: u32 = 0;
        loop {
            if let Some(placement) = plan.placement() {
                return Ok((batch, placement));
            }
            if let Some(why) = self.gate.why().filter(|_| self.terms.once) {
                return Err(UploadError::Held(Scope::Everything, why));
            }
            self.gate.wait().await;
            tracing::debug!(step = plan.step().name(), %slot);
            let attempt = Attempt {
                store: &self.store,
                batch: &batch,
                receipts: &self.receipts,
            };
            match attempt.perform(plan).await {
                Ok(answer) => {
                    let proof = answer.proof();
                    self.note(&answer, &slot);
                    match plan.advance(answer) {
                        Ok(()) => {
                            failures = 0;
                            self.got_through(proof, &slot);
                        }
                        Err(stop) => self.stop(stop, &slot).await?,
                    }
                }
                Err(error) => {
                    let recheck = self.fail(&error, failures, plan.step(), &slot).await?;
                    failures = failures.saturating_add(1);
                    if recheck {
                        batch = self.recheck(&batch)?;
                    }
                }
            }
        }
    }

    /// Tells what an answer means besides the next step.
    fn note(&self, answer: &Answer, slot: &Slot) {
        if let Answer::Found(Found::Foreign) = answer {
            tracing::error!(
                %slot,
                "something that this agent never signed stands under the manifest's key; it is kept \
                 as evidence; find out who can write there: {}",
                slot.manifest_key()
            );
        }
    }

    /// An answer led on: whatever was in the way is over, as far as the answer proves it.
    fn got_through(&self, proof: Proof, slot: &Slot) {
        let was_outage = self.gate.forget_failure(&slot.stream) == Some(Cause::Outage);
        let is_open = match proof {
            Proof::None => return,
            Proof::Word => self.gate.open_on_its_word(),
            Proof::Lock => self.gate.open(),
        };
        if is_open || was_outage {
            tracing::info!("the store takes uploads again");
        }
    }

    /// Waits as the failure demands; true if the local bytes must be checked before the next try.
    async fn fail(
        &self,
        error: &StoreError,
        failures: u32,
        step: Step,
        slot: &Slot,
    ) -> Result<bool, UploadError> {
        let roll = getrandom::u64().unwrap_or_default();
        let ruling = rule(error, failures, roll, self.terms.retry_held);
        match ruling {
            Ruling::Again(wait) | Ruling::Recheck(wait) => {
                tracing::warn!(step = step.name(), %slot, ?wait, "{error}; retrying");
                let why = format!("{error}; retrying");
                self.gate.note_failure(&slot.stream, failures, why);
                tokio::time::sleep(wait).await;
                Ok(matches!(ruling, Ruling::Recheck(_)))
            }
            Ruling::Hold(Scope::Stream, _) => {
                Err(UploadError::Held(Scope::Stream, error.to_string()))
            }
            Ruling::Hold(Scope::Everything, wait) => {
                let cause = Cause::of(error);
                let why = match cause {
                    Cause::Denied => format!(
                        "{error}; check the credentials, the bucket, and that they may PutObject, \
                         PutObjectRetention and GetObjectRetention below the prefix"
                    ),
                    _ => error.to_string(),
                };
                self.pause(cause, &why, wait);
                Ok(false)
            }
        }
    }

    async fn stop(&self, stop: Stop, slot: &Slot) -> Result<(), UploadError> {
        match stop {
            Stop::Fork(file) => Err(UploadError::Fork(file)),
            Stop::Occupied(object) => {
                let key = match object {
                    Object::Body => "the body's key",
                    Object::Manifest => "the manifest's key",
                };
                let why = format!(
                    "something else stands under {key} of {slot}, and this store keeps one version \
                     of a key: keep what is there as evidence, then move it away"
                );
                Err(UploadError::Held(Scope::Stream, why))
            }
            Stop::Unlocked {
                object,
                until,
                found,
            } => {
                let found = found.map_or("no lock".to_owned(), |lock| {
                    format!("{:?} until {}", lock.mode, lock.retain_until)
                });
                let why = format!(
                    "the {object:?} of {slot} was stored, but the store shows {found} where \
                     Compliance until {until} was asked for: it does not protect evidence"
                );
                if self.terms.once {
                    return Err(UploadError::NotEnforced(why));
                }
                // The plan locks the version that is there before it reads the lock again: the next try
                // stores nothing.
                self.pause(Cause::NotEnforced, &why, self.terms.retry_held);
                Ok(())
            }
            Stop::Vanished { object, times } => self.vanished(object, times, slot).await,
        }
    }

    /// The store said that it stored an object, and has no such version of it. The plan has gone back to its put.
    async fn vanished(&self, object: Object, times: u32, slot: &Slot) -> Result<(), UploadError> {
        let why = format!(
            "the {object:?} of {slot} was stored, yet the store has no such version: it does not keep what it takes, \
             or answers are damaged on their way"
        );
        if times < VANISHED_MAX {
            tracing::warn!(%slot, times, "{why}; storing it again");
            self.gate.note_failure(&slot.stream, times, why);
            tokio::time::sleep(VANISHED_AGAIN).await;
            return Ok(());
        }
        if self.terms.once {
            return Err(UploadError::NotEnforced(why));
        }
        // Ever more rarely, for each try of a put may leave one more locked version.
        let answer = StoreError::Broken(StoreAnswer::new(slot.to_string(), &*why));
        let ruling = rule(&answer, times - VANISHED_MAX, 0, self.terms.retry_held);
        let (Ruling::Again(wait) | Ruling::Recheck(wait) | Ruling::Hold(_, wait)) = ruling;
        self.pause(Cause::NotEnforced, &why, wait);
        Ok(())
    }

    fn pause(&self, cause: Cause, why: &str, wait: Duration) {
        if self.gate.close(cause, why, wait) {
            tracing::error!(?wait, "uploads are paused: {why}");
        } else {
            tracing::warn!(?wait, "still paused: {why}");
        }
    }

    /// After the store found the bytes damaged: those in the spool, if they are still good.
    fn recheck(&self, batch: &Batch) -> Result<Batch, UploadError> {
        let id = BatchId::from(&batch.slot());
        match tokio::task::block_in_place(|| self.spool.read(&id)) {
            Ok(again) if again.line_sha256 == batch.line_sha256 => Ok(again),
            Ok(_) => Err(UploadError::Bad(
                BadReason::Rot,
                "manifest: it changed while it was sent".to_owned(),
            )),
            Err(BatchError::Rot(detail)) => Err(UploadError::Bad(BadReason::Rot, detail)),
            Err(error) => Err(UploadError::Held(Scope::Stream, error.to_string())),
        }
    }

    fn receipt(&self, batch: &Batch, placement: &Placement) -> Receipt {
        let body = placement.body.as_ref().zip(batch.manifest.body_key());
        let body = body.zip(batch.manifest.stored.as_ref());
        let manifest_key = batch.slot().manifest_key();
        Receipt {
            manifest_sha256: batch.line_sha256,
            sealed_max: batch.manifest.time.sealed_max,
            retention_max_s: batch.manifest.retention_max_s,
            store: self.store.url().to_owned(),
            store_time: placement.store_time,
            manifest: self.locked_object(&manifest_key, &placement.manifest, batch.file_sha256),
            body: body
                .map(|((placed, key), stored)| self.locked_object(&key, placed, stored.sha256)),
        }
    }

    fn locked_object(&self, key: &str, placed: &Placed, sha256: Digest) -> LockedObject {
        LockedObject {
            key: format!("{}{key}", self.store.prefix()),
            version_id: placed.version_id.clone(),
            sha256,
            mode: COMPLIANCE.to_owned(),
            retain_until: placed.until,
        }
    }
}

#[cfg(test)]
mod tests;
