//! One step of a plan, asked of the store once. It neither waits nor repeats.

use super::plan::{Answer, Found, Object, Placed, Plan, Step};
use crate::receipt_writer::Receipts;
use crate::spool::batch::Batch;
use bytes::Bytes;
use host::sabotage::{Switch, is_on};
use ledger::limits::{
    BODY_LOCK_EXTRA_DAYS, DAY_S, LOCK_AHEAD_MAX_S, MANIFEST_FILE_MAX, MANIFEST_LOCK_EXTRA_DAYS,
};
use ledger::manifest::Manifest;
use ledger::signature::{self, Key, Signature};
use ledger::{Digest, Moment};
use store::{self, Fetched, Put, Store, StoreError, StoredVersion};

/// A manifest found from an earlier run may be locked this much shorter than one stored now would
/// be: its lock was counted from the moment before it was sent, and clocks and uploads take time.
const FOUND_LOCK_SLACK_S: u64 = DAY_S;

/// One batch on its way into a store.
pub(super) struct Attempt<'a, S> {
    pub(super) store: &'a S,
    pub(super) batch: &'a Batch,
    /// They know the keys of this spool.
    pub(super) receipts: &'a Receipts,
}

impl<S: Store> Attempt<'_, S> {
    /// Asks for the plan's current step.
    pub(super) async fn perform(&self, plan: &Plan) -> Result<Answer, StoreError> {
        let manifest_key = self.batch.slot().manifest_key();
        let body_key = self.batch.manifest.body_key().unwrap_or_default();
        match plan.step() {
            Step::Look => match self.store.head(&manifest_key).await {
                Ok(Some(_)) => Ok(Answer::Taken),
                // What we may not see is no obstacle: the put itself is conditional.
                Ok(None) | Err(StoreError::Missing(_) | StoreError::Denied(_)) => Ok(Answer::Free),
                Err(error) => Err(error),
            },
            Step::PutBody { if_absent } => {
                let bytes = self.batch.body.clone().unwrap_or_default();
                let stored = self.batch.manifest.stored.as_ref();
                let sha256 = stored.map_or(Digest([0; 32]), |stored| stored.sha256);
                let lock_s = body_lock_s(&self.batch.manifest);
                self.put(&body_key, bytes, sha256, lock_s, if_absent).await
            }
            Step::PutManifest { if_absent } => {
                let (bytes, sha256) = (self.batch.file.clone(), self.batch.file_sha256);
                let lock_s = manifest_lock_s(&self.batch.manifest);
                self.put(&manifest_key, bytes, sha256, lock_s, if_absent)
                    .await
            }
            Step::Compare => self.compare(&manifest_key).await,
            Step::ReadBodyLock => self.lock_of(&body_key, plan.body()).await,
            Step::ReadManifestLock => self.lock_of(&manifest_key, plan.manifest()).await,
            Step::Extend(Object::Body) => {
                let lock_s = body_lock_s(&self.batch.manifest);
                self.extend(&body_key, plan.body(), lock_s).await
            }
            Step::Extend(Object::Manifest) => {
                let lock_s = manifest_lock_s(&self.batch.manifest);
                self.extend(&manifest_key, plan.manifest(), lock_s).await
            }
            Step::ReadClock | Step::Receipt => Ok(Answer::Time(self.store.now().await?)),
        }
    }

    async fn put(
        &self,
        key: &str,
        bytes: Bytes,
        sha256: Digest,
        lock_s: u64,
        if_absent: bool,
    ) -> Result<Answer, StoreError> {
        let counted_from = lock_from(self.store.now().await?, self.batch.manifest.time.sealed);
        let retain_until = counted_from.plus_s(lock_s).ceil_to_second();
        let put = Put {
            key,
            bytes,
            sha256,
            retain_until,
            if_absent,
        };
        match self.store.put(put).await {
            Ok(stored) => {
                confirm(key, &stored, sha256)?;
                Ok(Answer::Stored {
                    version_id: stored.version_id,
                    until: retain_until,
                })
            }
            Err(StoreError::Denied(_)) if is_on(Switch::DeniedIsDone) => Ok(Answer::Stored {
                version_id: "null".into(),
                until: retain_until,
            }),
            Err(StoreError::Exists(_)) => Ok(Answer::Exists),
            Err(error) => Err(error),
        }
    }

    async fn compare(&self, key: &str) -> Result<Answer, StoreError> {
        let fetched = self.store.get(key, None, MANIFEST_FILE_MAX as u64).await;
        Ok(Answer::Found(match fetched {
            Ok(fetched) => judge(self.batch, fetched, |key| self.receipts.knows(key)),
            Err(StoreError::Missing(_)) => Found::Nothing,
            // Longer than any manifest.
            Err(StoreError::TooLarge { .. }) => Found::Foreign,
            Err(error) => return Err(error),
        }))
    }

    async fn extend(
        &self,
        key: &str,
        placed: Option<&Placed>,
        lock_s: u64,
    ) -> Result<Answer, StoreError> {
        let counted_from = lock_from(self.store.now().await?, self.batch.manifest.time.sealed);
        let until = counted_from.plus_s(lock_s);
        let version_id = placed.map_or("", |placed| &placed.version_id);
        match self.store.extend(key, version_id, until).await {
            // After a no as well the lock that is read back decides: it may be the longer one.
            Ok(()) | Err(StoreError::Refused(_) | StoreError::Denied(_)) => Ok(Answer::Extended),
            Err(StoreError::Missing(_)) => Ok(Answer::Gone),
            Err(error) => Err(error),
        }
    }

    async fn lock_of(&self, key: &str, placed: Option<&Placed>) -> Result<Answer, StoreError> {
        let version_id = placed.map_or("", |placed| &placed.version_id);
        match self.store.lock_of(key, version_id).await {
            Ok(lock) => Ok(Answer::Lock(lock)),
            Err(StoreError::Missing(_)) => Ok(Answer::Gone),
            Err(error) => Err(error),
        }
    }
}

/// From when on a lock counts, by the store's clock and the host's: a host that is ahead must not make a deletion
/// look early that the store allows. A clock that is further ahead than that is wrong, and locks would last for
/// as long as it is.
pub(super) fn lock_from(store_now: Moment, sealed: Moment) -> Moment {
    store_now.max(sealed.min(store_now.plus_s(LOCK_AHEAD_MAX_S)))
}

/// How long a body is locked from then on.
pub(super) fn body_lock_s(manifest: &Manifest) -> u64 {
    manifest
        .retention_s
        .saturating_add(BODY_LOCK_EXTRA_DAYS * DAY_S)
}

/// How long a manifest is locked from then on.
pub(super) fn manifest_lock_s(manifest: &Manifest) -> u64 {
    manifest
        .retention_max_s
        .saturating_add(MANIFEST_LOCK_EXTRA_DAYS * DAY_S)
}

/// The store's promise, checked once more: a success names a version and the digest asked for.
fn confirm(key: &str, stored: &StoredVersion, sha256: Digest) -> Result<(), StoreError> {
    if stored.sha256 == sha256 && !stored.version_id.is_empty() {
        return Ok(());
    }
    Err(StoreError::Broken(store::StoreAnswer::new(
        format!("put {key}"),
        format!(
            "stored as version {:?} with SHA-256 {}, expected a version and {sha256}",
            stored.version_id, stored.sha256
        ),
    )))
}

/// Tells what stands in a manifest's place. Only a signature by one of this spool's keys over another line for the
/// very same place is a fork; anybody can put anything else there.
fn judge(batch: &Batch, fetched: Fetched, is_own: impl Fn(&Key) -> bool) -> Found {
    let Ok((line, block)) = signature::split(&fetched.bytes) else {
        return Found::Foreign;
    };
    let signed = Signature::parse(block).is_ok_and(|signature| {
        let key = signature.key();
        (key == batch.key || is_own(&key)) && signature.verify(line).is_ok()
    });
    if !signed {
        return Found::Foreign;
    }
    if Digest::of(line) == batch.line_sha256 {
        let lock_s = manifest_lock_s(&batch.manifest) - FOUND_LOCK_SLACK_S;
        let counted_from = lock_from(fetched.last_modified, batch.manifest.time.sealed);
        let until: Moment = counted_from.plus_s(lock_s);
        let version_id = fetched.version_id;
        return Found::Ours { version_id, until };
    }
    match Manifest::parse(line) {
        Ok(other) if other.slot() == batch.slot() => Found::Fork(fetched.bytes),
        _ => Found::Foreign,
    }
}
