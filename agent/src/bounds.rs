//! The agent's own bounds in one place; those of the format are in [`ledger::limits`].

use std::time::Duration;

/// Open blocks of all streams together; beyond this the largest is closed early.
pub(crate) const OPEN_BLOCKS_MAX: usize = 8 * 1024 * 1024;

/// Bytes a stream's `full` heartbeat and its `stop` may take of a spool that is otherwise full.
pub(crate) const STREAM_RESERVE: u64 = 64 * 1024;

/// Bytes left free on the spool's file system, whatever the cap says.
pub(crate) const FREE_MIN: u64 = 64 * 1024 * 1024;

/// Room a stream needs before it reads on: a block that hardly compresses, and its manifest.
pub(crate) const ROOM_MIN: u64 = 2 * 1024 * 1024;

/// Room that a full stream needs before it continues, so that it does not flap.
pub(crate) const ROOM_RESUME: u64 = 2 * ROOM_MIN;

/// Smallest `spool_cap` for so many streams: none may use over half of it, and each half must hold
/// what [`ROOM_RESUME`] asks for beside the reserves.
#[must_use]
pub(crate) fn cap_min(streams: usize) -> u64 {
    let parts = if streams > 1 { 2 } else { 1 };
    parts * ROOM_RESUME + streams as u64 * STREAM_RESERVE
}

/// Streams in one config: their open batches, reserves and heads are all bounded by it.
pub(crate) const STREAMS_MAX: usize = 256;

/// Longest `cursors` file of a sealed batch that recovery reads.
pub(crate) const CURSORS_MAX: u64 = 16 * 1024 * 1024;

/// Longest line of a snapshot that recovery reads: one checkpoint, or one stream's chain.
pub(crate) const SNAPSHOT_LINE_MAX: u64 = 1024 * 1024;

/// Longest receipt or `.bad` that is read.
pub(crate) const NOTE_MAX: u64 = 1024 * 1024;

/// Longest `status.json` that is read: all it may list, with every character spelled out.
pub(crate) const STATUS_MAX: u64 = 4 * 1024 * 1024;

/// Sealed batches deleted in one go, so that a large spool does not delay fresh lines.
pub(crate) const PRUNE_MAX: usize = 256;

/// Receipts followed in one go, for the same reason.
pub(crate) const RECEIPTS_MAX: u64 = 1024;

/// Looks for receipts from one that lists all their names to the next.
pub(crate) const LOOKS_PER_LIST: u32 = 12;

/// Names looked through then, however many somebody planted.
pub(crate) const RECEIPT_NAMES_MAX: usize = 1 << 18;

/// Between looks for receipts, holds and batches to delete.
pub(crate) const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// The same while the spool is full: room must be found soon after it is made.
pub(crate) const UPKEEP_EVERY_FULL: Duration = Duration::from_millis(500);

/// Between two snapshots while batches are sealed.
pub(crate) const SNAPSHOT_EVERY: Duration = Duration::from_secs(60);

/// Between two writings of `status.json` while there is something new in it.
pub(crate) const STATUS_EVERY: Duration = Duration::from_secs(2);

/// Between two looks at why a pattern matches nothing: folders are listed for it.
pub(crate) const ADVICE_EVERY: Duration = Duration::from_secs(60);

/// Sources listed in `status.json`, those with a fault first.
pub(crate) const STATUS_SOURCES_MAX: usize = 100;

/// Things that a command names as not done; how many more there are is said.
pub(crate) const UNDONE_MAX: usize = 100;

/// A known log that nothing leads to is told of after so long: a rotation is over long before.
pub(crate) const MISSING_TOLD: Duration = Duration::from_secs(60);

/// First wait after the spool could not be written; doubles up to [`RETRY_MAX`].
pub(crate) const RETRY_MIN: Duration = Duration::from_secs(1);

/// Longest wait before a spool that could not be written is tried again.
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(30);

/// Time to seal and say `stop` after a signal; what is left then is read again after the next start.
pub(crate) const STOP_MAX: Duration = Duration::from_secs(8);

/// From a signal to the end of a process that hangs.
pub(crate) const STOP_LIMIT: Duration = Duration::from_secs(10);

const _: () = {
    assert!(STOP_MAX.as_secs() < STOP_LIMIT.as_secs());
    assert!(ROOM_MIN < ROOM_RESUME);
    assert!(OPEN_BLOCKS_MAX >= ledger::limits::BLOCK_RAW_TARGET);
};
