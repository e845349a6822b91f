//! Waiting, always with a limit and the name of what is waited for.

use std::time::{Duration, Instant};

/// How long a test waits for something that should take a second or two, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Looks until `look` gives something.
///
/// # Panics
/// With `what` when `limit` is over.
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            began.elapsed() < limit,
            "waited {limit:?} in vain for {what}"
        );
        std::thread::sleep(LOOK);
    }
}
