//! How often all files are looked at: soon after a change, at least every poll interval, and never
//! so often that looking itself becomes the load.

use crate::now::{Now, millis};
use std::time::Duration;

/// An idle agent sleeps at least so many times as long as its last scan took.
const IDLE_SHARE: u64 = 100;

/// The same for an agent that changes keep awake.
const BUSY_SHARE: u64 = 10;

/// However long scans take, the next one comes after at most so many poll intervals.
const IDLE_POLLS_MAX: u32 = 10;

/// Least time between two scans, in milliseconds, however often changes wake it.
const SCAN_MIN_MS: u64 = 50;

/// When to scan again.
#[derive(Debug, Default)]
pub(super) struct ScanPace {
    last_boot_ms: Option<u64>,
    took_ms: u64,
    pub(super) woken: bool,
}

impl ScanPace {
    pub(super) fn is_due(&self, now: Now, poll: Duration) -> bool {
        self.wait(now, poll).is_zero()
    }

    pub(super) fn done(&mut self, began: Now, ended: Now) {
        self.last_boot_ms = Some(ended.boot_ms);
        self.took_ms = ended.boot_ms.saturating_sub(began.boot_ms);
        self.woken = false;
    }

    pub(super) fn wait(&self, now: Now, poll: Duration) -> Duration {
        let Some(last) = self.last_boot_ms else {
            return Duration::ZERO;
        };
        let poll_ms = millis(poll);
        let least_ms = if self.woken {
            (self.took_ms * BUSY_SHARE).min(poll_ms).max(SCAN_MIN_MS)
        } else {
            let most_ms = millis(poll * IDLE_POLLS_MAX);
            (self.took_ms * IDLE_SHARE).clamp(poll_ms, most_ms)
        };
        Duration::from_millis((last + least_ms).saturating_sub(now.boot_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::Moment;

    #[test]
    fn scanning_stays_a_small_share() {
        let poll = Duration::from_secs(1);
        // How long a scan took, whether a change woke it: how long until the next.
        for (took_ms, woken, wait_ms) in [
            (0, false, 1000),
            (5, false, 1000),
            (30, false, 3000),
            (5000, false, 10_000),
            (0, true, SCAN_MIN_MS),
            (30, true, 300),
            (5000, true, 1000),
        ] {
            let at = |boot_ms| Now {
                wall: Moment::from_micros(0),
                boot_ms,
                suspended_ms: 0,
            };
            let mut pace = ScanPace::default();
            assert!(pace.is_due(at(0), poll));
            pace.done(at(100), at(100 + took_ms));
            pace.woken = woken;
            let now = at(100 + took_ms);
            assert_eq!(pace.wait(now, poll), Duration::from_millis(wait_ms));
            assert!(pace.is_due(at(now.boot_ms + wait_ms), poll));
        }
    }
}
