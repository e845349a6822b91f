//! How long an agent waits whose spool could not be written: nothing is read until it is tried again.

use crate::bounds::{RETRY_MAX, RETRY_MIN};
use crate::now::{Now, millis};
use std::time::Duration;

/// The next try.
#[derive(Debug)]
pub(super) struct SpoolRetry {
    wait: Duration,
    at_boot_ms: u64,
    why: String,
}

impl SpoolRetry {
    /// The try after one more failure: each waits twice as long as the one `before`.
    pub(super) fn after(before: Option<&Self>, why: String, now: Now) -> Self {
        let wait = before.map_or(RETRY_MIN, |before| before.wait * 2);
        let wait = wait.min(RETRY_MAX);
        Self {
            wait,
            at_boot_ms: now.boot_ms.saturating_add(millis(wait)),
            why,
        }
    }

    pub(super) fn wait(&self) -> Duration {
        self.wait
    }

    /// How long until it; `None` once it is due.
    pub(super) fn left(&self, now: Now) -> Option<Duration> {
        let left_ms = self.at_boot_ms.checked_sub(now.boot_ms)?;
        (left_ms > 0).then(|| Duration::from_millis(left_ms))
    }

    pub(super) fn why(&self) -> &str {
        &self.why
    }
}
