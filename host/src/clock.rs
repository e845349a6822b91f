//! The clocks. Called at the edge alone; everything else takes time as an argument.

use ledger::Moment;
use ledger::name::Epoch;
use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock. A clock set before 1970 reads as 1970.
#[must_use]
pub fn now() -> Moment {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Moment::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// `CLOCK_BOOTTIME` in milliseconds: never goes back within a boot and counts suspend.
#[must_use]
pub fn boot_ms() -> u64 {
    read_ms(ClockId::Boottime)
}

/// The same, and by how much it is ahead of `CLOCK_MONOTONIC`, which does not count suspend.
#[must_use]
pub fn boot_and_suspended_ms() -> (u64, u64) {
    // In this order, so that a pause between the two is never taken for less suspend than there was.
    let running_ms = read_ms(ClockId::Monotonic);
    let boot_ms = boot_ms();
    (boot_ms, suspended_ms(running_ms, boot_ms))
}

/// Milliseconds of suspend that the two clocks show. Rounding may put the one that does not count it ahead.
fn suspended_ms(running_ms: u64, boot_ms: u64) -> u64 {
    boot_ms.saturating_sub(running_ms)
}

fn read_ms(clock: ClockId) -> u64 {
    let since = clock_gettime(clock);
    let (seconds, nanos) = (since.tv_sec.unsigned_abs(), since.tv_nsec.unsigned_abs());
    seconds * 1000 + nanos / 1_000_000
}

/// The kernel's id of this boot.
///
/// # Errors
/// `/proc` is not there, or does not hold a UUID.
pub fn boot_id() -> io::Result<Epoch> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    text.trim()
        .parse()
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suspend_is_what_the_boot_clock_is_ahead_and_never_below_nothing() {
        assert_eq!(suspended_ms(1000, 61_000), 60_000);
        assert_eq!(suspended_ms(1001, 1000), 0);
        let running_ms = read_ms(ClockId::Monotonic);
        let (boot_ms, suspended_ms) = boot_and_suspended_ms();
        assert!(running_ms <= boot_ms && suspended_ms <= boot_ms - running_ms);
    }
}
