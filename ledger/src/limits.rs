//! Every bound of the format in one place, with the relations between them asserted at compile time.

/// Longest part of a log line in one entry, original bytes without LF. Fixed by format 1.
pub const MAX_LINE: usize = 1024 * 1024;

/// Raw bytes after which a writer ends a block.
pub const BLOCK_RAW_TARGET: usize = 1024 * 1024;

/// Raw bytes that no block may exceed; readers refuse more.
pub const BLOCK_RAW_MAX: u64 = 8 * 1024 * 1024;

/// Raw bytes after which a writer ends a batch (it may exceed this by one entry).
pub const BATCH_RAW_TARGET: u64 = 16 * 1024 * 1024;

/// Raw bytes of a batch that readers refuse to exceed.
pub const BATCH_RAW_MAX: u64 = 24 * 1024 * 1024;

/// Stored bytes of a batch that readers refuse to exceed, so that a GET is bounded by the format and
/// not by what a manifest claims. Bytes that cannot be compressed grow by far less than this leaves.
pub const BATCH_STORED_MAX: u64 = 32 * 1024 * 1024;

/// Entries of a batch; binds writers and readers.
pub const BATCH_ENTRIES_MAX: u64 = 1 << 18;

/// Manifest bytes at which a writer ends a batch.
pub const MANIFEST_TARGET: usize = 512 * 1024;

/// Longest manifest line, LF included, that a reader accepts.
pub const MANIFEST_MAX: usize = 1024 * 1024;

/// Longest signature block that a reader accepts.
pub const SIGNATURE_MAX: usize = 4096;

/// Largest manifest file that a reader fetches: line and signature.
pub const MANIFEST_FILE_MAX: usize = MANIFEST_MAX + SIGNATURE_MAX;

/// Largest `allowed_signers` file.
pub const SIGNERS_FILE_MAX: usize = 1024 * 1024;

/// Longest line of an `allowed_signers` file, without its LF.
pub const SIGNERS_LINE_MAX: usize = 16 * 1024;

/// Longest agent or stream name, in bytes.
pub const NAME_MAX: usize = 63;

/// First integer that JSON readers may not hold exactly (I-JSON, RFC 7493 section 2.2).
pub const INTEGER_END: u64 = 1 << 53;

/// Longest heartbeat interval a manifest may promise, in seconds.
pub const HEARTBEAT_MAX_S: u64 = 86_400;

/// Other streams' heads that one manifest may name.
pub const HEADS_MAX: usize = 16;

/// `next_due` lies this many heartbeats after `sealed`.
pub const HEARTBEATS_PROMISED: u64 = 3;

/// Days a body's lock outlasts `retention_s`, so that a slow upload is still covered.
pub const BODY_LOCK_EXTRA_DAYS: u64 = 1;

/// Days a manifest's lock outlasts `retention_max_s`, so that lawful expiry stays provable.
pub const MANIFEST_LOCK_EXTRA_DAYS: u64 = 367;

/// Seconds that the host's clock may be ahead of the store's before locks stop following it.
pub const LOCK_AHEAD_MAX_S: u64 = 7 * DAY_S;

/// Seconds in a day.
pub const DAY_S: u64 = 86_400;

/// Raw bytes one entry can take: its message escaped at worst (six bytes for one), its path (4096
/// bytes, as base64) and the other fields.
pub const ENTRY_RAW_MAX: usize = 6 * MAX_LINE + 64 * 1024;

const _: () = {
    assert!((BLOCK_RAW_TARGET as u64) < BLOCK_RAW_MAX);
    assert!(BATCH_RAW_MAX < BATCH_STORED_MAX);
    assert!(BATCH_RAW_TARGET + ENTRY_RAW_MAX as u64 <= BATCH_RAW_MAX);
    assert!(ENTRY_RAW_MAX as u64 <= BLOCK_RAW_MAX - BLOCK_RAW_TARGET as u64);
    assert!(MANIFEST_TARGET < MANIFEST_MAX);
};
