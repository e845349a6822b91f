//! The programs' own log, on stderr: text for people or JSON lines for machines. Never log content.
//!
//! What others wrote (names, answers, marks) may be part of an event: whatever it holds, an event is one line, of bounded
//! length as text, and moves no cursor.
//!
//! A line that cannot be written (a full disk, a reader that is gone) is lost and counted; it never ends a
//! program, nor a step of its work.

use crate::progress::Stderr;
use crate::terminal::is_hostile;
use std::borrow::Cow;
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

/// Longest event as text, in bytes; the rest is left out.
const EVENT_MAX: usize = 8 * 1024;

/// How the subscriber writes an event that it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    Text,
    Coloured,
    Json,
}

/// Where the log goes. It takes everything: nobody who logs could do anything about a line that is lost.
#[derive(Debug)]
struct LogWriter<'a, W> {
    inner: W,
    written: Written,
    lost: &'a AtomicU64,
}

impl<W: Write> Write for LogWriter<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    /// One event.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let before = self.lost.swap(0, Ordering::Relaxed);
        let event = harmless(bytes, self.written);
        let told = match before {
            0 => Ok(()),
            lost => writeln!(self.inner, "{lost} lines of this log could not be written"),
        };
        if told.and_then(|()| self.inner.write_all(&event)).is_err() {
            self.lost.fetch_add(before + 1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        // Stderr keeps nothing back.
        Ok(())
    }
}

/// The event with every hostile character spelled out but the end of its line and, if it has colours, these.
fn harmless(event: &[u8], written: Written) -> Cow<'_, [u8]> {
    let text = String::from_utf8_lossy(event);
    let (line, end) = match text.strip_suffix('\n') {
        Some(line) => (line, "\n"),
        None => (&*text, ""),
    };
    let is_long = written != Written::Json && line.len() > EVENT_MAX;
    if !is_long && !line.contains(is_hostile) {
        return Cow::Borrowed(event);
    }
    let mut safe = String::with_capacity(line.len().min(EVENT_MAX));
    for (at, c) in line.char_indices() {
        if written != Written::Json && safe.len() >= EVENT_MAX {
            safe.push('…');
            break;
        }
        let is_colour = written == Written::Coloured && begins_colour(&line[at..]);
        match written {
            _ if !is_hostile(c) || is_colour => safe.push(c),
            // All of them are in the basic plane, which JSON spells by four digits.
            Written::Json => safe += &format!("\\u{:04x}", u32::from(c)),
            Written::Text | Written::Coloured => safe.extend(c.escape_unicode()),
        }
    }
    Cow::Owned((safe + end).into_bytes())
}

/// Whether a text begins with one of the colours and styles that the subscriber writes. None of them hides anything.
fn begins_colour(text: &str) -> bool {
    let code = text.strip_prefix("\u{1b}[");
    let code = code
        .and_then(|rest| rest.split_once('m'))
        .map(|(code, _)| code);
    code.is_some_and(|code| ["0", "1", "2", "3", "31", "32", "33", "34", "35"].contains(&code))
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
    let is_coloured = io::stderr().is_terminal();
    let written = match (format, is_coloured) {
        (Format::Json, _) => Written::Json,
        (Format::Text, true) => Written::Coloured,
        (Format::Text, false) => Written::Text,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .log_internal_errors(false)
        .with_writer(move || LogWriter {
            inner: Stderr,
            written,
            lost: &LOST,
        });
    let started = match format {
        Format::Text => builder.with_ansi(is_coloured).with_target(false).try_init(),
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
    fn an_event_is_one_harmless_line_whatever_it_quotes() {
        let safe = |event: &str, written| {
            String::from_utf8(harmless(event.as_bytes(), written).into_owned()).unwrap()
        };
        let hostile = "INFO a\u{1b}[2J\nERROR b\u{202e}c\r\n";
        assert_eq!(
            safe(hostile, Written::Text),
            "INFO a\\u{1b}[2J\\u{a}ERROR b\\u{202e}c\\u{d}\n"
        );
        assert_eq!(
            safe("{\"why\":\"b\u{202e}c\"}\n", Written::Json),
            "{\"why\":\"b\\u202ec\"}\n"
        );
        let coloured = "\u{1b}[31mERROR\u{1b}[0m";
        assert_eq!(safe(coloured, Written::Coloured), coloured);
        assert_eq!(safe("\u{1b}[8m", Written::Coloured), "\\u{1b}[8m");
        let long = safe(&("x".repeat(3 * EVENT_MAX) + "\n"), Written::Text);
        assert_eq!(long, "x".repeat(EVENT_MAX) + "…\n");
    }

    #[test]
    fn a_line_that_cannot_be_written_is_counted_and_told_of_later() {
        let lost = AtomicU64::new(0);
        let inner = Full {
            room: 4,
            kept: Vec::new(),
        };
        let mut log = LogWriter {
            inner,
            written: Written::Text,
            lost: &lost,
        };
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
