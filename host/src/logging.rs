//! The programs' own log, on stderr: text for people or JSON lines for machines. Never log content.

use crate::progress::Stderr;
use std::io::IsTerminal as _;
use tracing_subscriber::EnvFilter;

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
    let filter = EnvFilter::new(filter.unwrap_or(&default));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Stderr);
    let started = match format {
        Format::Text => builder
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .try_init(),
        Format::Json => builder.json().flatten_event(true).try_init(),
    };
    drop(started);
}
