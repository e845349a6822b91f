//! Where all uploads wait while they are paused: wrong credentials, a missing bucket, a
//! lock that is not one. Whoever is first after the wait tries again and opens it for all. An outage
//! closes nothing, for each upload waits for itself; it is noted here to be told.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Open, or closed with a reason.
#[derive(Debug, Default)]
pub struct Gate(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    closed: Option<Closed>,
    /// Why nothing gets through although it is open.
    outage: Option<String>,
}

#[derive(Debug)]
struct Closed {
    why: String,
    until: Instant,
}

impl Gate {
    /// Waits while it is closed and its time is not over.
    pub async fn wait(&self) {
        loop {
            let until = self.state().closed.as_ref().map(|closed| closed.until);
            match until {
                Some(until) if until > Instant::now() => tokio::time::sleep_until(until).await,
                _ => return,
            }
        }
    }

    /// Why it is closed, if it is.
    pub fn why(&self) -> Option<String> {
        let state = self.state();
        state.closed.as_ref().map(|closed| closed.why.clone())
    }

    /// Why nothing gets through, closed or not.
    pub fn trouble(&self) -> Option<String> {
        self.why().or_else(|| self.state().outage.clone())
    }

    /// Closes it; true if it was open.
    pub(super) fn close(&self, why: &str, wait: Duration) -> bool {
        let closed = Closed {
            why: why.to_owned(),
            until: Instant::now() + wait,
        };
        self.state().closed.replace(closed).is_none()
    }

    /// Notes that the store lets nothing through just now, until something gets through.
    pub(super) fn note_outage(&self, why: String) {
        self.state().outage = Some(why);
    }

    /// Opens it, for something got through; true if it was closed, or an outage noted.
    pub(super) fn open(&self) -> bool {
        let State { closed, outage } = std::mem::take(&mut *self.state());
        closed.is_some() || outage.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
