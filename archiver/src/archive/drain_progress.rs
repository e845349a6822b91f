//! Moves the line on a terminal while a spool is drained: stored bytes of the batches that wait.

use super::worker::Shared;
use host::progress::Progress;
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use tokio::task::{JoinHandle, block_in_place};

const EVERY: Duration = Duration::from_millis(250);

/// The line, while it is shown.
pub(super) struct Shown(Option<JoinHandle<()>>);

/// Starts the line, if stderr is a terminal.
pub(super) fn show<S: Store + 'static>(shared: Arc<Shared<S>>) -> Shown {
    let progress = Progress::of_bytes();
    if !progress.is_shown() {
        return Shown(None);
    }
    Shown(Some(tokio::spawn(async move {
        let mut total = block_in_place(|| waiting(&shared));
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            let done = shared.health.totals().bytes;
            if done > total {
                // More was sealed since.
                total = done + block_in_place(|| waiting(&shared));
            }
            progress.expect(total);
            progress.reach(done);
            ticks.tick().await;
        }
    })))
}

/// Stored bytes that wait in the spool. What cannot be looked at is told by whoever uploads it.
fn waiting<S>(shared: &Shared<S>) -> u64 {
    let streams = shared.spool.streams().unwrap_or_default();
    let surveys = streams.iter().map(|stream| shared.spool.survey(stream));
    surveys.flatten().map(|survey| survey.bytes).sum()
}

impl Shown {
    /// Takes the line away.
    pub(super) async fn finish(self) {
        if let Some(shown) = self.0 {
            shown.abort();
            // Once the task has ended its line is gone; that it was told to end is no news.
            drop(shown.await);
        }
    }
}
