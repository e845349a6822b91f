//! One line on a terminal while a spool is drained: batches, bytes and rate. Nothing on a pipe.

use super::turn::Archive;
use crate::health::Totals;
use crate::store::Store;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

const EVERY: Duration = Duration::from_millis(500);

/// The line, while it is shown.
pub(super) struct Progress(Option<JoinHandle<()>>);

/// Starts the line, if stderr is a terminal.
pub(super) fn show<S: Store + 'static>(archive: Arc<Archive<S>>) -> Progress {
    if !std::io::stderr().is_terminal() {
        return Progress(None);
    }
    let started = Instant::now();
    Progress(Some(tokio::spawn(async move {
        let mut ticks = tokio::time::interval(EVERY);
        loop {
            ticks.tick().await;
            write(&format!(
                "\r{}\x1b[K",
                line(archive.health.totals(), started.elapsed())
            ));
        }
    })))
}

impl Progress {
    /// Takes the line away.
    pub(super) fn finish(self) {
        if let Some(shown) = self.0 {
            shown.abort();
            write("\r\x1b[K");
        }
    }
}

fn line(totals: Totals, elapsed: Duration) -> String {
    let rate = totals.bytes
        / u64::try_from(elapsed.as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
    let Totals { batches, bytes } = totals;
    let tenths_mb = bytes / 100_000;
    let (whole, tenth) = (tenths_mb / 10, tenths_mb % 10);
    format!("{batches} batches, {whole}.{tenth} MB, {rate} kB/s")
}

/// A terminal that went away is no error of ours.
fn write(text: &str) {
    drop(std::io::stderr().write_all(text.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_short_and_never_divides_by_zero() {
        let totals = Totals {
            batches: 3,
            bytes: 1_250_000,
        };
        let text = line(totals, Duration::from_secs(2));
        assert_eq!(text, "3 batches, 1.2 MB, 625 kB/s");
        assert_eq!(
            line(Totals::default(), Duration::ZERO),
            "0 batches, 0.0 MB, 0 kB/s"
        );
    }
}
