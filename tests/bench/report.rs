//! A run's figures as JSON, and two runs' side by side.

use crate::results::Results;
use harness::compose::repository;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What `--json` writes: a contract.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// What was measured; `-dirty` if files differed from it.
    commit: String,
    /// The machine's processor.
    cpu: String,
    rows: Vec<Measured>,
}

/// One row.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Measured {
    name: String,
    unit: String,
    runs: usize,
    median: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kernel_ratio: Option<f64>,
}

impl Report {
    /// Of the tree at `commit`, on this machine.
    pub(crate) fn of(commit: String, results: &Results) -> Self {
        let rows = results.rows().map(|(row, figures)| Measured {
            name: row.name.into(),
            unit: row.unit.into(),
            runs: figures.runs(),
            median: figures.median(),
            kernel_ratio: figures.kernel_ratio(),
        });
        Self {
            commit,
            cpu: cpu(),
            rows: rows.collect(),
        }
    }

    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let read = fs::read(path).map_err(|error| error.to_string());
        let parsed = read.and_then(|bytes| {
            serde_json::from_slice(&bytes)
                .map_err(|error| format!("not figures of `bench --json`: {error}"))
        });
        parsed.map_err(|error| format!("{}: {error}", path.display()))
    }

    pub(crate) fn json(&self) -> String {
        let json = serde_json::to_string_pretty(self);
        json.expect("text and finite numbers are JSON") + "\n"
    }

    /// Each row beside the earlier run's, with the change in per cent.
    pub(crate) fn beside(&self, earlier: &Self) -> String {
        let mut text = String::new();
        let mut line = |words: String| writeln!(text, "{}", words.trim_end()).expect("text grows");
        line(format!("before: {} on {}", earlier.commit, earlier.cpu));
        line(format!("now:    {} on {}", self.commit, self.cpu));
        if earlier.cpu != self.cpu {
            line("Another processor: only ratios can be compared.".into());
        }
        line(format!(
            "{:<24} {:<12} {:>10} {:>10} {:>9}  {}",
            "row", "unit", "before", "now", "change", "of the kernel"
        ));
        for row in &self.rows {
            let same = |other: &&Measured| other.name == row.name && other.unit == row.unit;
            let before = earlier.rows.iter().find(same);
            let median = before.map(|before| format!("{:.2}", before.median));
            let change = before.and_then(|before| change(before.median, row.median));
            let ratio = |row: Option<&Measured>| {
                let ratio = row.and_then(|row| row.kernel_ratio);
                ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default()
            };
            let (then, now) = (ratio(before), ratio(Some(row)));
            let arrow = if then.is_empty() { "" } else { " -> " };
            line(format!(
                "{:<24} {:<12} {:>10} {:>10.2} {:>9}  {then}{arrow}{now}",
                row.name,
                row.unit,
                median.unwrap_or_else(|| "-".into()),
                row.median,
                change.unwrap_or_else(|| "-".into())
            ));
        }
        text
    }
}

/// `+3.1 %`; none where there was nothing to change from.
fn change(before: f64, now: f64) -> Option<String> {
    (before > 0.0).then(|| format!("{:+.1} %", (now / before - 1.0) * 100.0))
}

/// What stands in the repository now.
pub(crate) fn commit() -> String {
    let mut git = Command::new("git");
    git.arg("-C").arg(repository());
    git.args([
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
        "--exclude=*",
    ]);
    let done = git.output().ok().filter(|done| done.status.success());
    let text = done.and_then(|done| String::from_utf8(done.stdout).ok());
    text.map_or_else(|| "unknown".into(), |text| text.trim().to_owned())
}

fn cpu() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    let name = line.and_then(|line| line.split_once(':'));
    name.map_or("unknown", |(_, name)| name.trim()).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(rows: &[(&str, f64, Option<f64>)]) -> Report {
        let measured = |(name, median, kernel_ratio): &(&str, f64, Option<f64>)| Measured {
            name: (*name).into(),
            unit: "s".into(),
            runs: 5,
            median: *median,
            kernel_ratio: *kernel_ratio,
        };
        Report {
            commit: "abc".into(),
            cpu: "some".into(),
            rows: rows.iter().map(measured).collect(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let written = report(&[("a", 1.5, Some(2.0)), ("b", 0.0, None)]);
        assert!(written.json().contains("\"kernel_ratio\": 2.0"));
        assert_eq!(written.json().matches("kernel_ratio").count(), 1);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("figures.json");
        fs::write(&path, written.json()).unwrap();
        assert_eq!(Report::read(&path).unwrap(), written);
        fs::write(&path, "{}").unwrap();
        assert!(Report::read(&path).unwrap_err().contains("not figures"));
    }

    #[test]
    fn rows_stand_beside_the_earlier_ones_of_their_name() {
        let earlier = report(&[
            ("a", 2.0, Some(1.0)),
            ("gone", 1.0, None),
            ("none", 0.0, None),
        ]);
        let now = report(&[
            ("a", 3.0, Some(1.5)),
            ("none", 1.0, None),
            ("new", 1.0, None),
        ]);
        let text = now.beside(&earlier);
        let rows: Vec<Vec<_>> = text
            .lines()
            .skip(3)
            .map(|row| row.split_whitespace().collect())
            .collect();
        assert_eq!(
            rows[0],
            ["a", "s", "2.00", "3.00", "+50.0", "%", "1.00", "->", "1.50"]
        );
        assert_eq!(rows[1], ["none", "s", "0.00", "1.00", "-"]);
        assert_eq!(rows[2], ["new", "s", "-", "1.00", "-"]);
        assert_eq!(rows.len(), 3);
    }
}
