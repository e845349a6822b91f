//! `check`: what `run` would do and what would go wrong. It changes nothing and takes no lock.

use crate::agent::heads::window;
use crate::bounds::FREE_MIN;
use crate::commands::cost::{Cost, PRICES, grouped};
use crate::config::{Config, StreamConfig};
use crate::now::Now;
use crate::sealing::signing_key;
use crate::spool::Layout;
use crate::track::Tracker;
use host::cli::counted;
use host::clock;
use ledger::limits::DAY_S;
use std::fmt;

/// Files named of each stream.
const FILES_SHOWN: usize = 100;

/// What `check` found.
#[derive(Debug, Clone)]
pub(crate) struct CheckReport {
    /// What would happen, for people.
    pub(crate) notes: Vec<String>,
    /// What would go wrong.
    pub(crate) faults: Vec<String>,
}

/// Looks at everything that `run` would use.
#[must_use]
pub(crate) fn check(config: &Config) -> CheckReport {
    let mut checked = CheckReport {
        notes: vec![format!(
            "agent {}, config {}",
            config.agent,
            config.path.display()
        )],
        faults: Vec::new(),
    };
    match signing_key::load(&config.key) {
        Ok((_, public)) => checked
            .notes
            .push(format!("key {}: {public}", config.key.display())),
        Err(error) => checked.faults.push(error.to_string()),
    }
    spool(config, &mut checked);
    for stream in &config.streams {
        files(stream, &mut checked);
    }
    heads(config, &mut checked);
    costs(config, &mut checked);
    checked
}

/// How long a cut in a stream can go unseen by the others.
fn heads(config: &Config, checked: &mut CheckReport) {
    let streams = config.streams.len();
    checked.notes.push(match window(streams, config.heartbeat) {
        Some(window) => format!(
            "heads: a stream that is cut back or removed is missed by the other {} within {} of its last receipt",
            streams - 1,
            written(window)
        ),
        None => "heads: no other stream vouches for the only one; an auditor's state does".to_owned(),
    });
}

fn spool(config: &Config, checked: &mut CheckReport) {
    let layout = Layout::new(&config.spool);
    if let Err(error) = layout.id() {
        checked.faults.push(error.to_string());
        return;
    }
    let root = layout.root().display();
    match host::disk::free_bytes(layout.root()) {
        Ok(free) => {
            let (cap, usable) = (config.spool_cap >> 20, free.saturating_sub(FREE_MIN) >> 20);
            checked.notes.push(format!(
                "spool {root}: cap {cap} MiB, {usable} MiB usable on its disk"
            ));
            if usable == 0 {
                checked.faults.push(format!(
                    "spool {root}: less than 64 MiB free, nothing would be read"
                ));
            }
        }
        Err(error) => checked.faults.push(format!("spool {root}: {error}")),
    }
}

fn files(stream: &StreamConfig, checked: &mut CheckReport) {
    let boot_id = match clock::boot_id() {
        Ok(boot_id) => boot_id,
        Err(error) => {
            checked.faults.push(format!("boot id: {error}"));
            return;
        }
    };
    // The very scan that `run` does, with nothing known and nothing read.
    let mut tracker = Tracker::new(vec![stream.watch.clone()], boot_id);
    let report = tracker.scan(Now::read());
    let name = &stream.name;
    checked.notes.push(format!(
        "stream {name}: {}, locked for {}",
        counted(report.files as u64, "file", "files"),
        counted(stream.retention_s / DAY_S, "day", "days"),
    ));
    for source in tracker.status().iter().take(FILES_SHOWN) {
        let path = source.path.display();
        checked
            .notes
            .push(format!("  {path}: {} bytes", source.size));
    }
    if report.files > FILES_SHOWN {
        let more = report.files - FILES_SHOWN;
        checked.notes.push(format!("  and {more} more"));
    }
    for pattern in report.unmatched {
        checked
            .notes
            .push(format!("  {pattern}: matches no file yet; it would wait"));
    }
    for (path, what) in report.faults {
        checked
            .faults
            .push(format!("stream {name}: {}: {what}", path.display()));
    }
}

/// What the settings cost at the store, for each stream: most while it never rests, least while it
/// is silent.
fn costs(config: &Config, checked: &mut CheckReport) {
    let age = written(config.seal_age);
    checked.notes.push(format!(
        "costs of seal.age {age}: for at most {age}, until it is sealed, a line can be lost to root on \
         this host;"
    ));
    checked.notes.push(format!(
        "  requests in a year, {PRICES}, silent to never at rest:"
    ));
    let quiet = Cost::quiet(config.heartbeat);
    let busy = Cost::busy(config.seal_age);
    for stream in &config.streams {
        let (least, most) = (grouped(quiet.puts), grouped(busy.puts));
        checked.notes.push(format!(
            "  stream {}: {least} to {most} PUTs, {} to {}, each an object for {}",
            stream.name,
            quiet.dollars(),
            busy.dollars(),
            counted(stream.retention_s / DAY_S, "day", "days"),
        ));
    }
}

/// `10s`, `5m`: as settings have it.
fn written(duration: std::time::Duration) -> String {
    match (duration.as_secs(), duration.subsec_millis()) {
        (seconds, 0) if seconds > 0 && seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        (seconds, 0) => format!("{seconds}s"),
        _ => format!("{}ms", duration.as_millis()),
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        for fault in &self.faults {
            writeln!(f, "FAULT {fault}")?;
        }
        Ok(())
    }
}
