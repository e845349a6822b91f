//! Waiting, always with the name of what is waited for. There is one limit, here.

use std::time::{Duration, Instant};

/// How long anything may take before it counts as hung. It is no measure of speed: a machine that is busy
/// with other work takes minutes for what an idle one does in a second, and no test may fail by that. What a
/// test asserts of time it asserts as an order: this before that.
pub const HANG_LIMIT: Duration = Duration::from_secs(600);

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Looks until `look` gives something.
///
/// # Panics
/// With `what` after [`HANG_LIMIT`].
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            began.elapsed() < HANG_LIMIT,
            "waited {HANG_LIMIT:?} in vain for {what}"
        );
        std::thread::sleep(LOOK);
    }
}
