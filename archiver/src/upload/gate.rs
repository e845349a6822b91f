//! What everything waits at while the store lets nobody in: wrong credentials, a missing bucket, a
//! lock that is not one. Whoever is first after the wait tries again and opens it for all.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Open, or closed with a reason.
#[derive(Debug, Default)]
pub struct Gate(Mutex<Option<Closed>>);

#[derive(Debug)]
struct Closed {
    why: String,
    until: Instant,
}

impl Gate {
    /// Waits while it is closed and its time is not over.
    pub async fn wait(&self) {
        loop {
            let until = self.state().as_ref().map(|closed| closed.until);
            match until {
                Some(until) if until > Instant::now() => tokio::time::sleep_until(until).await,
                _ => return,
            }
        }
    }

    /// Why it is closed, if it is.
    pub fn why(&self) -> Option<String> {
        self.state().as_ref().map(|closed| closed.why.clone())
    }

    /// Closes it; true if it was open.
    pub(super) fn close(&self, why: &str, wait: Duration) -> bool {
        let closed = Closed {
            why: why.to_owned(),
            until: Instant::now() + wait,
        };
        self.state().replace(closed).is_none()
    }

    /// Opens it; true if it was closed.
    pub(super) fn open(&self) -> bool {
        self.state().take().is_some()
    }

    fn state(&self) -> MutexGuard<'_, Option<Closed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
