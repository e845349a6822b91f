//! What whoever opens a store may choose beside its URL.

use std::time::Duration;

/// What a URL doesn't say.
#[derive(Debug, Clone, Default)]
pub struct StoreOptions {
    /// Bucket in the path, not in the host name; by default so where an endpoint is configured.
    pub force_path_style: Option<bool>,
    /// By default as the AWS conventions say.
    pub region: Option<String>,
    /// Entries of a list's page; by default as many as the store does well.
    pub page_size: Option<usize>,
    /// Time limits.
    pub limits: Limits,
}

/// How long a request may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Until connected, TLS included.
    pub connect: Duration,
    /// Whole request and reply, besides what their bytes take.
    pub attempt: Duration,
    /// Slowest line that still is one.
    pub bytes_per_s: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            attempt: Duration::from_secs(30),
            bytes_per_s: 64 * 1024,
        }
    }
}

impl Limits {
    /// For a request or reply of `bytes`.
    pub(crate) fn of(&self, bytes: u64) -> Duration {
        self.attempt + Duration::from_secs(bytes / self.bytes_per_s.max(1))
    }
}
