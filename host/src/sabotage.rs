//! Switches that break the product on purpose: tests of the tests, each of which must turn one red (`./test meta`).
//! Without the feature `sabotage`, which no shipped build has, all are off, and what they do is not compiled in.

/// What is left out, or done wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// Folders are not synced after a rename into them.
    NoFolderSync,
    /// A file is known by its inode number alone.
    InodeAlone,
    /// A put that was refused with 403 counts as done.
    DeniedIsDone,
    /// What stands in a manifest's place is not read after a 412: ours is put on top.
    ConflictUnread,
    /// A folder that could not be listed counts as listed.
    AbsenceUnproven,
    /// A file of the length of an archived log counts as a copy of it.
    SkipByLength,
    /// A log that was cut ends at once, though a candidate may hold the rest of it.
    GapEarly,
    /// Logs that are over are forgotten.
    FinishedForgotten,
    /// A receipt is written without reading the locks back.
    ReceiptEarly,
}

/// Whether the environment variable HOLDFAST_SABOTAGE names this switch.
#[cfg(feature = "sabotage")]
#[must_use]
pub fn is_on(switch: Switch) -> bool {
    static NAMED: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let named = NAMED.get_or_init(|| std::env::var("HOLDFAST_SABOTAGE").unwrap_or_default());
    *named == format!("{switch:?}")
}

/// Never.
#[cfg(not(feature = "sabotage"))]
#[must_use]
pub const fn is_on(_: Switch) -> bool {
    false
}
