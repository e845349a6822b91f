//! Canaries: small objects under `probe/`, locked for seconds, on which harm may be tried. Laid,
//! looked at, waited for, and removed.

use super::answer::Seen;
use super::probe_options::ProbeOptions;
use super::row::Row;
use bytes::Bytes;
use ledger::{Digest, Moment};
use serde::Serialize;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use store::{Intruder, Lock, LockMode, Put, StoreError, Version};
use tokio::time::Instant;

/// How long one request is tried before a row counts as not asked.
const CALL_RETRIES: store::retry::RetryPolicy = store::retry::RetryPolicy {
    tries: 3,
    first_wait: Duration::from_millis(300),
    factor: 1,
};

/// How long canaries may be locked, in seconds. A store too slow for the first of two locks is asked again
/// with a lock twice as long, never longer than the last.
pub const LOCK_BOUNDS_S: RangeInclusive<u64> = 5..=60;

/// What a store's clock may take longer than ours to pass the same span.
const PATIENCE: Duration = Duration::from_secs(15);

/// Seconds of a lock that must be left when an attack begins, and after it.
const LEFT_BEFORE_S: u64 = 4;
const LEFT_AFTER_S: u64 = 1;

/// Pages of a list that are read: what one run lays fits in the first.
const PAGES_MAX: u32 = 10;

/// A place under `probe/` that one run has for itself.
pub(super) struct CanarySet<S> {
    pub(super) store: Arc<S>,
    /// Random, so that runs don't meet.
    run: String,
    /// How long canaries are locked.
    lock: LockTime,
    /// All that is known to be laid.
    laid: Vec<Leftover>,
    /// When the last lock ends.
    end: Moment,
}

/// How long the canaries of one field are locked.
#[derive(Debug, Clone, Copy)]
enum LockTime {
    /// As long as was asked for.
    Asked(u64),
    /// Longer: the store is slow.
    Doubled(u64),
}

/// One canary.
#[derive(Debug, Clone)]
pub(super) struct Canary {
    pub(super) key: String,
    pub(super) version_id: String,
    pub(super) bytes: Bytes,
    /// The end of its lock.
    pub(super) until: Moment,
}

/// A version under `probe/`, to be removed or left there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leftover {
    /// Its key below the store's prefix.
    pub key: String,
    /// Its version.
    pub version_id: String,
}

impl<S: Intruder> CanarySet<S> {
    pub(super) fn new(store: Arc<S>, run: &str, lock_s: u64) -> Self {
        Self {
            store,
            run: run.to_owned(),
            lock: LockTime::Asked(lock_s),
            laid: Vec::new(),
            end: Moment::from_micros(0),
        }
    }

    /// Where a row's canary lies: each time that the row is asked, in another place.
    pub(super) fn key(&self, row: Row) -> String {
        let (run, suffix) = (&self.run, row.suffix());
        match self.lock {
            LockTime::Asked(_) => format!("probe/{run}-{suffix}"),
            LockTime::Doubled(lock_s) => format!("probe/{run}-{lock_s}s-{suffix}"),
        }
    }

    /// How long a canary that is laid now is locked, in seconds.
    pub(super) fn lock_s(&self) -> u64 {
        match self.lock {
            LockTime::Asked(lock_s) | LockTime::Doubled(lock_s) => lock_s,
        }
    }

    /// Doubles the lock of canaries to come, up to its bound; whether it became longer.
    pub(super) fn double_lock(&mut self) -> bool {
        let now_s = self.lock_s();
        let doubled_s = now_s.saturating_mul(2).min(*LOCK_BOUNDS_S.end());
        if doubled_s > now_s {
            self.lock = LockTime::Doubled(doubled_s);
        }
        doubled_s > now_s
    }

    /// The end of a lock that begins now, by the store's clock.
    pub(super) async fn end_of_lock(&self) -> Result<Moment, StoreError> {
        let now = with_retries(|| self.store.now()).await?;
        Ok(now.plus_s(self.lock_s()).ceil_to_second())
    }

    /// Lays a row's canary.
    pub(super) async fn lay(&mut self, row: Row) -> Result<Canary, StoreError> {
        let (key, until) = (self.key(row), self.end_of_lock().await?);
        let bytes = bytes_of(&key, "");
        let stored = with_retries(|| self.store.put(put(&key, &bytes, until, false))).await?;
        Ok(self.noted(key, stored.version_id, bytes, until))
    }

    /// A canary that was laid, noted to be removed.
    pub(super) fn noted(
        &mut self,
        key: String,
        version_id: String,
        bytes: Bytes,
        until: Moment,
    ) -> Canary {
        self.note(&key, &version_id, until);
        Canary {
            key,
            version_id,
            bytes,
            until,
        }
    }

    /// Notes what is to be removed.
    pub(super) fn note(&mut self, key: &str, version_id: &str, until: Moment) {
        self.end = self.end.max(until);
        self.laid.push(Leftover {
            key: key.to_owned(),
            version_id: version_id.to_owned(),
        });
    }

    /// Lengthens a canary's lock by a second.
    pub(super) async fn lengthen_lock(
        &mut self,
        canary: &mut Canary,
        bypass: bool,
    ) -> Result<(), StoreError> {
        let lock = Lock {
            mode: LockMode::Compliance,
            retain_until: canary.until.plus_s(1),
        };
        let Canary {
            key, version_id, ..
        } = &*canary;
        with_retries(|| self.store.set_lock(key, version_id, lock, bypass)).await?;
        canary.until = lock.retain_until;
        self.end = self.end.max(canary.until);
        Ok(())
    }

    /// Seconds that are left of a canary's lock.
    pub(super) async fn left_s(&self, canary: &Canary) -> Result<u64, StoreError> {
        let now = with_retries(|| self.store.now()).await?;
        Ok(canary.until.since_s(now))
    }

    /// Whether there is time enough to attack.
    pub(super) async fn is_in_time(&self, canary: &Canary) -> Result<bool, StoreError> {
        Ok(self.left_s(canary).await? >= LEFT_BEFORE_S)
    }

    /// Whether what was seen was seen while the lock lasted.
    pub(super) async fn was_in_time(&self, canary: &Canary) -> Result<bool, StoreError> {
        Ok(self.left_s(canary).await? >= LEFT_AFTER_S)
    }

    /// Looks at a canary's lock.
    pub(super) async fn look_at_lock(&self, canary: &Canary) -> Seen {
        let Canary {
            key,
            version_id,
            until,
            ..
        } = canary;
        match with_retries(|| self.store.lock_of(key, version_id)).await {
            Ok(Some(lock)) if lock.mode == LockMode::Compliance && lock.retain_until >= *until => {
                Seen::Whole
            }
            Ok(lock) => Seen::Harmed(format!("it is now {}", describe(lock))),
            Err(StoreError::Missing(_)) => Seen::Harmed("it is gone".into()),
            Err(error) => Seen::Unknown(error),
        }
    }

    /// Looks at a canary's lock and its bytes.
    pub(super) async fn look(&self, canary: &Canary) -> Seen {
        let lock = self.look_at_lock(canary).await;
        if lock == Seen::Whole {
            self.look_at_bytes(canary).await
        } else {
            lock
        }
    }

    async fn look_at_bytes(&self, canary: &Canary) -> Seen {
        let Canary {
            key, version_id, ..
        } = canary;
        let max_bytes = canary.bytes.len() as u64;
        match with_retries(|| self.store.get(key, Some(version_id), max_bytes)).await {
            Ok(fetched) if fetched.bytes == canary.bytes => Seen::Whole,
            Ok(_) | Err(StoreError::TooLarge { .. }) => Seen::Harmed("it has other bytes".into()),
            Err(StoreError::Missing(_)) => Seen::Harmed("it is gone".into()),
            Err(error) => Seen::Unknown(error),
        }
    }

    /// Whether a canary is there no more.
    pub(super) async fn is_gone(&self, canary: &Canary) -> Result<bool, StoreError> {
        let Canary {
            key, version_id, ..
        } = canary;
        let max_bytes = canary.bytes.len() as u64;
        match with_retries(|| self.store.get(key, Some(version_id), max_bytes)).await {
            Ok(_) | Err(StoreError::TooLarge { .. }) => Ok(false),
            Err(StoreError::Missing(_)) => Ok(true),
            // Who may not read it may still ask for its lock.
            Err(_) => match with_retries(|| self.store.lock_of(key, version_id)).await {
                Ok(_) => Ok(false),
                Err(StoreError::Missing(_)) => Ok(true),
                Err(error) => Err(error),
            },
        }
    }

    /// Waits until `end` by the store's clock, telling how many seconds are left.
    pub(super) async fn wait_until(&self, end: Moment, options: &ProbeOptions<'_>) {
        let allowed = Duration::from_secs(self.lock_s()) + PATIENCE;
        let give_up = Instant::now() + allowed;
        while Instant::now() < give_up {
            if let Ok(now) = self.store.now().await {
                if now >= end {
                    return;
                }
                let left_s = end.since_s(now) + 1;
                (options.tell)(&format!("the canaries' locks end in {left_s} s"));
            }
            tokio::time::sleep(options.tick).await;
        }
    }

    /// When the last lock ends.
    pub(super) fn end(&self) -> Moment {
        self.end
    }

    /// Deletes what this run left, as far as these credentials may; gives what stays, and why.
    pub(super) async fn clear(&self) -> (Vec<Leftover>, Option<StoreError>) {
        let mut all = self.laid.clone();
        // What the store kept though it said no is found here alone.
        let prefix = format!("probe/{}-", self.run);
        if let Ok(found) = self.list(&prefix).await {
            let unknown = found.into_iter().map(|version| Leftover {
                key: version.key,
                version_id: version.version_id,
            });
            let unknown: Vec<_> = unknown.filter(|left| !all.contains(left)).collect();
            all.extend(unknown);
        }
        let (mut left, mut why) = (Vec::new(), None);
        for canary in all {
            let Leftover { key, version_id } = &canary;
            let deleted = with_retries(|| self.store.delete(key, version_id, false)).await;
            match deleted {
                Ok(()) | Err(StoreError::Missing(_)) => {}
                Err(error) => {
                    why = Some(error);
                    left.push(canary);
                }
            }
        }
        (left, why)
    }

    /// All versions whose key begins with `prefix`.
    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<Version>, StoreError> {
        let (mut found, mut page) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let got = with_retries(|| self.store.list_versions(prefix, page.clone())).await?;
            // Nothing else is ever deleted, whatever a store lists.
            let ours = got.items.into_iter();
            found.extend(ours.filter(|version| version.key.starts_with(prefix)));
            page = got.next;
            if page.is_none() {
                break;
            }
        }
        Ok(found)
    }
}

/// What a canary holds.
pub(super) fn bytes_of(key: &str, variant: &str) -> Bytes {
    format!("a canary of holdfast probe: {key}{variant}\n").into()
}

pub(super) fn put<'a>(key: &'a str, bytes: &Bytes, until: Moment, if_absent: bool) -> Put<'a> {
    Put {
        key,
        bytes: bytes.clone(),
        sha256: Digest::of(bytes),
        retain_until: until,
        if_absent,
    }
}

/// A lock in words.
pub(super) fn describe(lock: Option<Lock>) -> String {
    let Some(lock) = lock else {
        return "not locked".into();
    };
    let until = lock.retain_until;
    match lock.mode {
        LockMode::Compliance => format!("locked in COMPLIANCE mode until {until}"),
        LockMode::Governance => format!("locked in GOVERNANCE mode until {until}"),
        LockMode::Unknown => format!("locked in an unknown mode until {until}"),
    }
}

/// Asks again, a few times, while an answer says that later is better.
pub(super) async fn with_retries<T, F>(ask: impl FnMut() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    store::retry::with_retries(CALL_RETRIES, ask).await
}
