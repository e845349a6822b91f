//! How far a long command is: one line on a terminal with bytes, rate and time left. Nothing on
//! pipes and files. Nothing is decided by it.
//!
//! What else goes to stderr in that time must go through [`beside`], or the line would be torn.

use indicatif::{
    DecimalBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};
use std::fmt;
use std::io::{self, IsTerminal as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often the line is written.
const EVERY: Duration = Duration::from_millis(250);

/// The line that is shown now; there is one stderr.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

fn shown() -> MutexGuard<'static, Option<ProgressBar>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs what writes to stderr with the line taken away, if there is one, and puts it back.
pub fn beside<T>(write: impl FnOnce() -> T) -> T {
    match shown().as_ref() {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Stderr, beside the line.
#[derive(Debug, Clone, Copy)]
pub struct Stderr;

impl io::Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        beside(|| io::stderr().write(bytes))
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        beside(|| io::stderr().write_all(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The counters that a command moves and the line shows; the line goes when this is dropped. Its
/// default shows nothing.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    bytes: Arc<AtomicU64>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            bar: ProgressBar::hidden(),
            bytes: Arc::default(),
        }
    }
}

impl Progress {
    /// A line that counts bytes: `1.2 GB of 4.0 GB, 250.0 MB/s, 11 s left`.
    #[must_use]
    pub fn of_bytes() -> Self {
        Self::start("{done} of {total}, {rate}, {left}")
    }

    /// A line that counts things, of which bytes are a part: `12 of 40 manifests, 1.2 GB, 250.0 MB/s,
    /// 11 s left`. `things` is the word for them.
    #[must_use]
    pub fn of(things: &str) -> Self {
        Self::start(&format!(
            "{{pos}} of {{len}} {things}, {{done}}, {{rate}}, {{left}}"
        ))
    }

    /// Shows the line, if stderr is a terminal.
    fn start(template: &str) -> Self {
        if !io::stderr().is_terminal() {
            return Self::default();
        }
        let bytes: Arc<AtomicU64> = Arc::default();
        let style = style(template, &bytes);
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(style);
        bar.enable_steady_tick(EVERY);
        *shown() = Some(bar.clone());
        Self { bar, bytes }
    }

    /// Whether anybody sees it.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// How many there are in all: bytes, or things.
    pub fn expect(&self, total: u64) {
        self.bar.set_length(total);
    }

    /// One more thing is done.
    pub fn one_more(&self) {
        self.bar.inc(1);
    }

    /// More bytes are done, beside the things that are counted.
    pub fn more_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So many bytes are done, where bytes are what is counted.
    pub fn reach(&self, bytes: u64) {
        self.bytes.store(bytes, Ordering::Relaxed);
        self.bar.set_position(bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown() {
            self.bar.finish_and_clear();
            *shown() = None;
        }
    }
}

fn style(template: &str, bytes: &Arc<AtomicU64>) -> ProgressStyle {
    // A template that cannot be read shows as indicatif's own; the tests read both of ours.
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let count = |bytes: &Arc<AtomicU64>| {
        let bytes = Arc::clone(bytes);
        move || bytes.load(Ordering::Relaxed)
    };
    let (done, rated) = (count(bytes), count(bytes));
    style
        .with_key("done", move |_: &ProgressState, to: &mut dyn fmt::Write| {
            put(to, &DecimalBytes(done()));
        })
        .with_key("total", |state: &ProgressState, to: &mut dyn fmt::Write| {
            put(to, &DecimalBytes(state.len().unwrap_or_default()));
        })
        .with_key(
            "rate",
            move |state: &ProgressState, to: &mut dyn fmt::Write| {
                put(
                    to,
                    &format_args!("{}/s", DecimalBytes(per_second(rated(), state.elapsed()))),
                );
            },
        )
        .with_key(
            "left",
            |state: &ProgressState, to: &mut dyn fmt::Write| match state.len() {
                Some(len) if state.pos() > 0 && len > state.pos() => {
                    put(to, &format_args!("{:#} left", HumanDuration(state.eta())));
                }
                Some(len) if len > 0 && state.pos() > 0 => put(to, &"nearly done"),
                Some(len) if len > 0 => put(to, &"beginning"),
                _ => put(to, &"looking what there is"),
            },
        )
}

/// Bytes a second since the beginning.
fn per_second(bytes: u64, elapsed: Duration) -> u64 {
    let millis = elapsed.as_millis().max(1);
    u64::try_from(u128::from(bytes) * 1000 / millis).unwrap_or(u64::MAX)
}

fn put(to: &mut dyn fmt::Write, what: &dyn fmt::Display) {
    // The line is a String of indicatif's, which takes whatever is written into it.
    let written = write!(to, "{what}");
    debug_assert!(written.is_ok());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_never_divide_by_zero() {
        assert_eq!(per_second(1_250_000, Duration::from_secs(2)), 625_000);
        assert_eq!(per_second(5, Duration::ZERO), 5000);
        assert_eq!(per_second(u64::MAX, Duration::ZERO), u64::MAX);
    }

    #[test]
    fn nothing_is_shown_where_stderr_is_no_terminal() {
        // Cargo runs tests with their output caught or piped; on a terminal there is nothing to see.
        if !io::stderr().is_terminal() {
            let progress = Progress::of_bytes();
            progress.expect(10);
            progress.reach(5);
            assert!(!progress.is_shown() && shown().is_none());
        }
        assert_eq!(beside(|| 7), 7);
    }
}
