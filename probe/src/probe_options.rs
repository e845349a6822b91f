//! What a probe needs to know that it does not ask the store.

use ledger::Moment;
use std::time::Duration;

/// Between two looks at the store's clock.
pub const TICK: Duration = Duration::from_millis(200);

/// What a probe needs to know that it does not ask the store.
pub struct ProbeOptions<'a> {
    /// A random name, so that two runs don't meet.
    pub run: &'a str,
    /// How long canaries are locked at first, in seconds; longer on a store that is too slow for it.
    pub lock_s: u64,
    /// Our own clock, which the store's is compared with.
    pub clock: fn() -> Moment,
    /// Between two looks at the store's clock: [`TICK`].
    pub tick: Duration,
    /// Is told what is being tried.
    pub tell: &'a (dyn Fn(&str) + Sync),
}
