//! Every row there is, and which of them a run is asked for.

use std::str::FromStr;

/// A row: one figure.
#[derive(Debug)]
pub(crate) struct Row {
    /// By which `--rows` and `--compare` know it.
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    /// What it says, in a line.
    pub(crate) about: &'static str,
}

const fn row(name: &'static str, unit: &'static str, about: &'static str) -> Row {
    Row { name, unit, about }
}

/// In the order of the table.
#[rustfmt::skip] // one row, one line
pub(crate) const ROWS: &[Row] = &[
    row("kernel.zstd.stored",      "ratio",        "bare kernel, zstd level 1: bytes of log per stored byte"),
    row("kernel.zstd.write",       "CPU-s/GB",     "the same: what writing costs per GB of log"),
    row("kernel.zstd.verify",      "CPU-s/GB",     "the same: what verifying costs"),
    row("kernel.gzip.stored",      "ratio",        "bare kernel, gzip by zlib-rs level 1"),
    row("kernel.gzip.write",       "CPU-s/GB",     "the same: what writing costs per GB of log"),
    row("kernel.gzip.verify",      "CPU-s/GB",     "the same: what verifying costs"),
    row("stored",                  "ratio",        "bytes of log per stored byte of all bodies"),
    row("agent.cpu",               "CPU-s/GB",     "holdfast-agent drain, user and system"),
    row("agent.wall",              "s/GB",         "the same: time that passes"),
    row("agent.memory",            "MiB",          "the same: peak of resident memory"),
    row("archiver.cpu",            "CPU-s/GB",     "holdfast archive --once to MinIO, per GB of log"),
    row("archiver.wall",           "s/GB",         "the same: time that passes"),
    row("archiver.memory",         "MiB",          "the same: peak of resident memory"),
    row("agent+archiver.cpu",      "CPU-s/GB",     "both together; the ratio is to the kernel of the agent's codec"),
    row("agent+archiver.zstd",     "times",        "both together, as a ratio to the zstd kernel whatever the codec"),
    row("verify.cpu",              "CPU-s/GB",     "holdfast verify from MinIO, per GB of log"),
    row("verify.wall",             "s/GB",         "the same: time that passes"),
    row("verify.memory",           "MiB",          "the same: peak of resident memory"),
    row("large.stored",            "ratio",        "4 GB of log: the same rows once more"),
    row("large.agent.cpu",         "CPU-s/GB",     ""),
    row("large.agent.wall",        "s/GB",         ""),
    row("large.agent.memory",      "MiB",          ""),
    row("large.archiver.cpu",      "CPU-s/GB",     ""),
    row("large.archiver.wall",     "s/GB",         ""),
    row("large.archiver.memory",   "MiB",          ""),
    row("large.verify.cpu",        "CPU-s/GB",     ""),
    row("large.verify.wall",       "s/GB",         ""),
    row("large.verify.memory",     "MiB",          ""),
    row("idle.cpu",                "% of a core",  "the agent with 10,000 files to which nothing happens"),
    row("idle.memory",             "MiB",          "the same: resident memory"),
    row("trickle.cpu",             "% of a core",  "the same files, 50 lines a second spread over them"),
    row("latency.p50",             "s",            "from a line's write to its receipt at seal.age 1s: half are faster"),
    row("latency.p99",             "s",            "the same: 99 of 100 are faster"),
    row("far.upload",              "batches/s",    "a backlog of small batches of one stream, to a MinIO 30 ms away"),
    row("far.verify",              "manifests/s",  "the same batches, verified from there"),
    row("epochs.cpu",              "CPU-s",        "verify of a stream of 1,000 epochs, in a directory"),
    row("epochs.wall",             "s",            "the same: time that passes"),
    row("epochs.memory",           "MiB",          "the same: peak of resident memory"),
    row("manifests.cpu",           "CPU-s",        "verify of a stream of 100,000 manifests, in a directory"),
    row("manifests.wall",          "s",            "the same: time that passes"),
    row("manifests.memory",        "MiB",          "the same: peak of resident memory"),
];

/// One line a row: name, unit, what it says.
pub(crate) fn list() -> String {
    let line = |row: &Row| {
        let line = format!("{:<24} {:<12} {}", row.name, row.unit, row.about);
        line.trim_end().to_owned() + "\n"
    };
    ROWS.iter().map(line).collect()
}

/// Which rows are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// None: their names alone.
    List,
    All,
    /// A row is wanted if one of these is its name or what stands before one of its dots.
    Some(Vec<String>),
}

impl Selection {
    pub(crate) fn only_lists(&self) -> bool {
        *self == Self::List
    }

    /// Whether the row of this name is wanted.
    pub(crate) fn wants(&self, row: &str) -> bool {
        match self {
            Self::List => false,
            Self::All => true,
            Self::Some(names) => names.iter().any(|name| covers(name, row)),
        }
    }

    /// Whether any row below `prefix` is wanted, or the row of this name.
    pub(crate) fn wants_any(&self, prefix: &str) -> bool {
        let mut below = ROWS.iter().filter(|row| covers(prefix, row.name));
        below.any(|row| self.wants(row.name))
    }
}

fn covers(name: &str, row: &str) -> bool {
    let rest = row.strip_prefix(name);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl FromStr for Selection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => return Ok(Self::All),
            "list" => return Ok(Self::List),
            _ => {}
        }
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        let known = |name: &String| ROWS.iter().any(|row| covers(name, row.name));
        match names.iter().find(|name| !known(name)) {
            None => Ok(Self::Some(names)),
            Some(name) => {
                let rows: Vec<_> = ROWS.iter().map(|row| row.name).collect();
                Err(format!(
                    "there is no row `{name}`: expected some of {}",
                    rows.join(", ")
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_name_covers_what_is_below_it_and_nothing_else() {
        let some: Selection = "stored, agent,large.verify.cpu".parse().unwrap();
        for (row, wanted) in [
            ("stored", true),
            ("agent.cpu", true),
            ("agent+archiver.cpu", false),
            ("large.stored", false),
            ("large.verify.cpu", true),
            ("large.verify.wall", false),
        ] {
            assert_eq!(some.wants(row), wanted, "{row}");
        }
        assert!(some.wants_any("large"));
        assert!(!some.wants_any("kernel"));
    }

    #[test]
    fn names_are_one_of_a_kind() {
        let names: BTreeSet<_> = ROWS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ROWS.len());
        for wrong in ["", "agen", "agent.", "stored,,agent"] {
            assert!(wrong.parse::<Selection>().is_err(), "{wrong:?}");
        }
    }
}
