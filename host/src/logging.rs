//! The programs' own log, on stderr: text for people or JSON lines for machines. Never log content.
//!
//! A line that cannot be written (a full disk, a reader that is gone) is lost and counted; it never ends a
//! program, nor a step of its work.

use crate::progress::Stderr;
use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use tracing_subscriber::EnvFilter;

/// Lines that were lost since the last one that was written.
static LOST: AtomicU64 = AtomicU64::new(0);

/// How many of the latest lines of this log could not be written; 0 once one was.
#[must_use]
pub fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// Where the log goes. It takes everything: nobody who logs could do anything about a line that is lost.
#[derive(Debug)]
struct LogWriter<'a, W> {
    inner: W,
    lost: &'a AtomicU64,
}

impl<W: Write> Write for LogWriter<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let before = self.lost.swap(0, Ordering::Relaxed);
        let told = match before {
            0 => Ok(()),
            lost => writeln!(self.inner, "{lost} lines of this log could not be written"),
        };
        if told.and_then(|()| self.inner.write_all(bytes)).is_err() {
            self.lost.fetch_add(before + 1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        // Stderr keeps nothing back.
        Ok(())
    }
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// One line of text an event, coloured on a terminal
    #[default]
    Text,
    /// One JSON object an event
    Json,
}

/// The level that `-v` and `-q` ask for: 0 is info, -1 warn, -2 and below error, 1 debug of our own
/// crates, 2 and above trace of them.
#[must_use]
pub fn level(verbosity: i8) -> &'static str {
    match verbosity {
        i8::MIN..=-2 => "error",
        -1 => "warn",
        0 => "info",
        1 => "debug",
        2..=i8::MAX => "trace",
    }
}

/// Starts the log. `filter` (the value of `HOLDFAST_LOG`, if set) overrides `verbosity`. Libraries
/// stay at warn unless the filter names them, and at error where what they warn of is part of an error
/// of ours. A second call changes nothing.
pub fn init(format: Format, verbosity: i8, filter: Option<&str>) {
    let level = level(verbosity);
    let others = if verbosity < -1 { "error" } else { "warn" };
    // Each of several places that has no credentials is dumped whole; the error names the last one.
    let credentials = if verbosity > 0 { "warn" } else { "error" };
    let default =
        format!("{others},aws_config={credentials},agent={level},archiver={level},host={level}");
    // Not `EnvFilter::new`, which complains on stderr by itself and dies where that cannot be written.
    let given = filter.map(EnvFilter::try_new).transpose();
    let fault = given.as_ref().err().map(ToString::to_string);
    let filter = given.ok().flatten();
    let filter = filter.unwrap_or_else(|| EnvFilter::builder().parse_lossy(&default));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .log_internal_errors(false)
        .with_writer(|| LogWriter {
            inner: Stderr,
            lost: &LOST,
        });
    let started = match format {
        Format::Text => builder
            .with_ansi(io::stderr().is_terminal())
            .with_target(false)
            .try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    drop(started);
    if let Some(fault) = fault {
        tracing::warn!("HOLDFAST_LOG is no filter and passed over: {fault}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Room for so many bytes; then a full disk.
    struct Full {
        room: usize,
        kept: Vec<u8>,
    }

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.room < bytes.len() {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.room -= bytes.len();
            self.kept.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_cannot_be_written_is_counted_and_told_of_later() {
        let lost = AtomicU64::new(0);
        let inner = Full {
            room: 4,
            kept: Vec::new(),
        };
        let mut log = LogWriter { inner, lost: &lost };
        for line in ["one\n", "two\n", "three\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(lost.load(Ordering::Relaxed), 2);
        log.inner.room = 1000;
        log.write_all(b"four\n").unwrap();
        assert_eq!(lost.load(Ordering::Relaxed), 0);
        let kept = String::from_utf8(log.inner.kept).unwrap();
        assert_eq!(
            kept,
            "one\n2 lines of this log could not be written\nfour\n"
        );
    }
}
