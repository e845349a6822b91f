//! How far a run is, for a person who waits at a terminal. Nothing is judged by it.

use std::convert::Infallible;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often the line is written.
const EVERY: Duration = Duration::from_millis(500);

/// Counters that the run moves and the line shows.
#[derive(Debug, Default)]
pub struct Progress {
    total: AtomicU64,
    manifests: AtomicU64,
    bytes: AtomicU64,
}

impl Progress {
    pub(super) fn expect(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
    }

    pub(super) fn manifest(&self) {
        self.manifests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Writes the line over and over until the future is dropped.
    pub(super) async fn show(&self) -> Infallible {
        let started = Instant::now();
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            ticks.tick().await;
            let bytes = self.bytes.load(Ordering::Relaxed);
            let rate = bytes as f64 / 1e6 / started.elapsed().as_secs_f64().max(0.001);
            let line = format!(
                "\r{} of {} manifests, {:.1} MB, {rate:.1} MB/s\x1b[K",
                self.manifests.load(Ordering::Relaxed),
                self.total.load(Ordering::Relaxed),
                bytes as f64 / 1e6,
            );
            // A terminal that is gone is no reason to stop judging.
            if std::io::stderr().write_all(line.as_bytes()).is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Takes the line away.
    pub(super) fn clear() {
        drop(std::io::stderr().write_all(b"\r\x1b[K"));
    }
}
