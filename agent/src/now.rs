//! The time, as an argument. [`Now::read`] alone reads clocks, and only the agent's loop and the
//! commands call it: what they call is told the time, so that tests can tell it another.

use host::clock;
use ledger::Moment;
use std::time::Duration;

/// One moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// Wall clock.
    pub(crate) wall: Moment,
    /// `CLOCK_BOOTTIME` in milliseconds: all waiting is measured by it.
    pub(crate) boot_ms: u64,
    /// Milliseconds of this boot in which the machine was suspended.
    pub(crate) suspended_ms: u64,
}

impl Now {
    pub(crate) fn read() -> Self {
        let (boot_ms, suspended_ms) = clock::boot_and_suspended_ms();
        Self {
            wall: clock::now(),
            boot_ms,
            suspended_ms,
        }
    }
}

/// A duration as `CLOCK_BOOTTIME` counts.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
