//! The store's clock, carried on from its last answer. Locks are counted from it, never from the
//! local wall clock: a wrong one must neither shorten a lock nor make it last for a century.

use crate::store::{Store, StoreError};
use ledger::Moment;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long an answer is carried on; the local monotonic clock stands still while a machine sleeps.
const CARRIED_MAX: Duration = Duration::from_secs(60);

/// What the store's clock showed, and when.
#[derive(Debug, Default)]
pub(super) struct StoreClock(Mutex<Option<(Moment, Instant)>>);

impl StoreClock {
    /// The store's time now; asks the store only if its last answer is old.
    pub(super) async fn now<S: Store>(&self, store: &S) -> Result<Moment, StoreError> {
        if let Some(now) = self.carried() {
            return Ok(now);
        }
        let now = store.now().await?;
        self.tell(now);
        Ok(now)
    }

    /// The store has just said what time it is.
    pub(super) fn tell(&self, store_time: Moment) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((store_time, Instant::now()));
    }

    fn carried(&self) -> Option<Moment> {
        let (told, at) = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        let since = at.elapsed();
        let micros = u64::try_from(since.as_micros()).ok()?;
        (since < CARRIED_MAX).then(|| Moment::from_micros(told.micros().saturating_add(micros)))
    }
}
