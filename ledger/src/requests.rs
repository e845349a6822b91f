//! What a receipt takes: the requests that the archiver makes of a store for each batch. The agent's
//! costs are reckoned from it, and the archiver's tests count what an upload really asks.

/// Requests, by what a store charges for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requests {
    /// Objects stored.
    pub puts: u64,
    /// All that only asks: locks read back, the store's time.
    pub reads: u64,
}

/// A batch that has entries: body and manifest are stored, and the lock of each is read back.
pub const BATCH: Requests = Requests { puts: 2, reads: 2 };

/// A manifest without a body, as a heartbeat is.
pub const HEARTBEAT: Requests = Requests { puts: 1, reads: 1 };

/// Seconds for which an answer tells the store's time. Locks are counted from that time, so it is asked
/// for before the first object after a longer silence.
pub const CLOCK_KEPT_S: u64 = 60;

impl Requests {
    /// The same after `silence_s` in which nothing was asked of the store.
    #[must_use]
    pub const fn after(self, silence_s: u64) -> Self {
        let Self { puts, reads } = self;
        let asks = silence_s >= CLOCK_KEPT_S;
        Self {
            puts,
            reads: reads + asks as u64,
        }
    }
}
