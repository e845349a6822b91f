//! `check`: what `run` would do and what would go wrong. It changes nothing and takes no lock.

use crate::agent::RunError;
use crate::agent::heads::window;
use crate::bounds::FREE_MIN;
use crate::commands::cost::{Year, grouped};
use crate::config::{Config, StreamConfig};
use crate::find::advice;
use crate::now::Now;
use crate::recovery::snapshot::{SnapshotError, newest_version};
use crate::sealing::own_keys::OwnKeys;
use crate::spool::{Layout, SpoolError};
use crate::sys;
use crate::track::{Budget, Setup, Tracker};
use host::cli::counted;
use host::clock;
use host::terminal::quoted;
use ledger::limits::DAY_S;
use std::fmt;
use std::path::Path;

/// Files named of each stream.
const FILES_SHOWN: usize = 100;

/// Hosts of the fleet that costs are told for too.
const FLEET: u64 = 1000;

/// What `check` found.
#[derive(Debug, Clone)]
pub(crate) struct CheckReport {
    /// What would happen, for people.
    pub(crate) notes: Vec<String>,
    /// What is most likely not meant so.
    pub(crate) warnings: Vec<String>,
    /// What would go wrong.
    pub(crate) faults: Vec<String>,
    /// Spool or state are another version's: not a fault that passes, but a matter of configuration.
    pub(crate) is_other_version: bool,
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
        warnings: Vec::new(),
        faults: Vec::new(),
        is_other_version: false,
    };
    match OwnKeys::load(&config.key, &config.state) {
        Ok(keys) => {
            let public = keys.current();
            checked
                .notes
                .push(format!("key {}: {public}", config.key.display()));
        }
        Err(error) => checked.faults.push(error.to_string()),
    }
    if let Err(error) = refuse_other_version(config) {
        checked.faults.push(error.to_string());
        checked.is_other_version = true;
    }
    spool(config, &mut checked);
    for stream in &config.streams {
        files(config, stream, &mut checked);
    }
    heads(config, &mut checked);
    costs(config, &mut checked);
    checked
}

/// Refuses what an other version left: it is not this one's to set up or to continue.
pub(crate) fn refuse_other_version(config: &Config) -> Result<(), RunError> {
    if let Err(error @ SpoolError::Other { .. }) = Layout::new(&config.spool).id() {
        return Err(error.into());
    }
    match newest_version(&config.state) {
        Err(error @ (SnapshotError::Older { .. } | SnapshotError::Newer { .. })) => {
            Err(error.into())
        }
        // What else is wrong with it is told by whoever needs it.
        _ => Ok(()),
    }
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
    match layout.id() {
        Ok(_) => {}
        // Told already.
        Err(SpoolError::Other { .. }) => return,
        Err(error) => {
            checked.faults.push(error.to_string());
            return;
        }
    }
    writable("spool", layout.root(), checked);
    writable("state", &config.state, checked);
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

/// A fault, if this user may not make files in a folder of the agent's, or nobody may. Nothing is made.
fn writable(what: &str, folder: &Path, checked: &mut CheckReport) {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    let wanted = Access::WRITE_OK | Access::EXEC_OK;
    if let Err(errno) = accessat(CWD, folder, wanted, AtFlags::EACCESS) {
        let error = std::io::Error::from(errno);
        checked.faults.push(format!(
            "{what} {}: {error}; expected a folder in which this user may make files",
            folder.display()
        ));
    }
}

fn files(config: &Config, stream: &StreamConfig, checked: &mut CheckReport) {
    let boot_id = match clock::boot_id() {
        Ok(boot_id) => boot_id,
        Err(error) => {
            checked.faults.push(format!("boot id: {error}"));
            return;
        }
    };
    let budget = Budget::new(sys::raise_descriptor_limit(), 1);
    // The very scan that `run` does, with nothing known and nothing read.
    let mut tracker = Tracker::new(Setup {
        watches: vec![stream.watch.clone()],
        skips: Vec::new(),
        own: config.own_files(),
        boot_id,
        budget,
        open_after: config.seal_age,
    });
    let report = tracker.scan(Now::read());
    let name = &stream.name;
    checked.notes.push(format!(
        "stream {name}: {}, locked for {}",
        counted(report.files as u64, "file", "files"),
        counted(stream.retention_s / DAY_S, "day", "days"),
    ));
    for source in tracker.status().iter().take(FILES_SHOWN) {
        let path = quoted(&source.path.display());
        checked
            .notes
            .push(format!("  {path}: {} bytes", source.size));
    }
    if report.files > FILES_SHOWN {
        let more = report.files - FILES_SHOWN;
        checked.notes.push(format!("  and {more} more"));
    }
    for pattern in report.unmatched {
        let shown = quoted(&pattern);
        match advice(name, &pattern, clock::now()) {
            Some(what) => checked
                .warnings
                .push(format!("stream {name}: {shown}: {what}")),
            None => checked
                .notes
                .push(format!("  {shown}: matches no file yet; it would wait")),
        }
    }
    for (path, what) in report.notes.iter().take(FILES_SHOWN) {
        let path = quoted(&path.display());
        checked.notes.push(format!("  {path}: {what}"));
    }
    more(&report.notes, "passed over", &mut checked.notes);
    for (path, what) in report.faults.iter().take(FILES_SHOWN) {
        let path = quoted(&path.display());
        checked
            .faults
            .push(format!("stream {name}: {path}: {what}"));
    }
    more(&report.faults, "faulty", &mut checked.faults);
}

/// Says how many of `all` are not named.
fn more<T>(all: &[T], what: &str, lines: &mut Vec<String>) {
    if all.len() > FILES_SHOWN {
        lines.push(format!("  and {} more {what}", all.len() - FILES_SHOWN));
    }
}

/// What the settings cost at the store, for each stream, the host and a fleet: least while all is
/// silent, most while nothing ever rests.
fn costs(config: &Config, checked: &mut CheckReport) {
    let (age, prices) = (written(config.seal_age), config.prices);
    checked.notes.push(format!(
        "costs of seal.age {age}: for at most {age}, until it is sealed, a line can be lost to root on \
         this host;"
    ));
    checked.notes.push(format!(
        "  requests in a year, silent to never at rest, at {}: {} for 1,000 PUTs, {} for 1,000 reads",
        prices.source(),
        prices.put,
        prices.read
    ));
    let quiet = Year::quiet(config.heartbeat);
    let busy = Year::busy(config.seal_age);
    let told = |count: u64| {
        let (least, most) = (quiet.of_many(count), busy.of_many(count));
        format!(
            "{} to {} PUTs, {} to {} reads, {} to {}",
            grouped(least.puts()),
            grouped(most.puts()),
            grouped(least.reads()),
            grouped(most.reads()),
            least.dollars(prices),
            most.dollars(prices)
        )
    };
    let one = told(1);
    for stream in &config.streams {
        checked.notes.push(format!(
            "  stream {}: {one}, each PUT an object for {}",
            stream.name,
            counted(stream.retention_s / DAY_S, "day", "days"),
        ));
    }
    let streams = config.streams.len() as u64;
    checked
        .notes
        .push(format!("  this host: {}", told(streams)));
    checked.notes.push(format!(
        "  {} such hosts: {}",
        grouped(FLEET),
        told(streams * FLEET)
    ));
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
        for warning in &self.warnings {
            writeln!(f, "WARNING {warning}")?;
        }
        for fault in &self.faults {
            writeln!(f, "FAULT {fault}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Prices;
    use crate::testing;

    fn told(config: &Config) -> Vec<String> {
        let mut checked = CheckReport {
            notes: Vec::new(),
            warnings: Vec::new(),
            faults: Vec::new(),
            is_other_version: false,
        };
        costs(config, &mut checked);
        checked.notes
    }

    #[test]
    fn a_cut_can_go_unseen_for_so_long() {
        let dir = tempfile::tempdir().unwrap();
        let told = |streams: usize| {
            let names: Vec<_> = (0..streams).map(|number| format!("s{number}")).collect();
            let named: Vec<_> = names.iter().map(|name| (name.as_str(), "*")).collect();
            let mut checked = CheckReport {
                notes: Vec::new(),
                faults: Vec::new(),
                is_other_version: false,
                warnings: Vec::new(),
            };
            heads(&testing::config(dir.path(), &named), &mut checked);
            checked.notes.remove(0)
        };
        assert!(told(1).contains("no other stream vouches"));
        assert!(told(2).contains("the other 1 within 5m"), "{}", told(2));
        assert!(told(5).contains("the other 4 within 5m"), "{}", told(5));
    }

    #[test]
    fn costs_are_told_for_a_stream_the_host_and_a_fleet() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = testing::config(dir.path(), &[("auth", "a"), ("app", "b")]);
        let each = "105,408 to 6,324,480 PUTs, 210,816 to 6,324,480 reads, $0.62 to $34.16";
        assert_eq!(
            told(&config),
            [
                "costs of seal.age 10s: for at most 10s, until it is sealed, a line can be lost to root \
                 on this host;"
                    .to_owned(),
                "  requests in a year, silent to never at rest, at S3 Standard, us-east-1, list prices of \
                 2025-06: $0.005 for 1,000 PUTs, $0.0004 for 1,000 reads"
                    .to_owned(),
                format!("  stream auth: {each}, each PUT an object for 1 day"),
                format!("  stream app: {each}, each PUT an object for 1 day"),
                "  this host: 210,816 to 12,648,960 PUTs, 421,632 to 12,648,960 reads, $1.23 to $68.31"
                    .to_owned(),
                "  1,000 such hosts: 210,816,000 to 12,648,960,000 PUTs, 421,632,000 to 12,648,960,000 \
                 reads, $1,222.74 to $68,304.39"
                    .to_owned(),
            ]
        );

        config.prices = Prices {
            put: "0.01".parse().unwrap(),
            read: "0".parse().unwrap(),
        };
        let told = told(&config);
        assert!(
            told[1].ends_with("at your prices: $0.01 for 1,000 PUTs, $0 for 1,000 reads"),
            "{}",
            told[1]
        );
        assert!(told[4].ends_with("reads, $2.11 to $126.49"), "{}", told[4]);
    }
}
