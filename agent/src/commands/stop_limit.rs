//! Ends a program that was asked to stop and does not: its loop may wait for a disk or a folder that never answers.
//! What is not sealed then is as after a kill: the next start reads it again.

use crate::bounds::STOP_LIMIT;
use host::exit;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::thread;

/// From now on the process ends at the latest [`STOP_LIMIT`] after it was asked to.
///
/// # Errors
/// The signals cannot be listened for, or no thread can be started.
pub(super) fn watch() -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let wait = move || {
        if signals.forever().next().is_some() {
            thread::sleep(STOP_LIMIT);
            end();
        }
    };
    thread::Builder::new()
        .name("stop-limit".into())
        .spawn(wait)
        .map(drop)
}

#[expect(
    clippy::exit,
    reason = "the thread that should return from main is the one that hangs"
)]
fn end() -> ! {
    tracing::error!(
        "the agent was asked to stop and still hangs after {} s: it ends now; what was not sealed is read again",
        STOP_LIMIT.as_secs()
    );
    std::process::exit(exit::UNFINISHED.into())
}
