//! The end: all is drained, archived, verified, and compared by the oracle with what was written.

use crate::chaos::Seen;
use crate::logs::Logs;
use crate::size::Thirds;
use harness::oracle::{Oracle, ask_of};
use harness::{Bucket, Site};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;

/// From so much time on, sizes that grow are a failure: before, the programs still warm up.
const JUDGES_SIZES: Duration = Duration::from_secs(600);

pub(crate) struct Outcome {
    seed: u64,
    time: Duration,
    lines: u64,
    drained: Option<i32>,
    archived: Option<i32>,
    verified: Option<i32>,
    oracle: Oracle,
    blows: Vec<(String, usize)>,
    starts: [usize; 2],
    ended: Vec<String>,
    sizes: [(&'static str, Thirds); 2],
}

impl Outcome {
    pub(crate) fn of(
        site: &Site,
        bucket: &Bucket<'_>,
        mut logs: Logs,
        seen: Seen,
        seed: u64,
        time: Duration,
    ) -> Self {
        logs.end();
        eprintln!("soak: draining, verifying, comparing");
        let drained = site.agent(&["drain"]).code;
        let archived = site.archive(&["--once"]).code;
        let verified = site.verify(&[]);
        if verified.code != Some(0) {
            eprintln!("{}", verified.stdout);
        }
        let copy = tempfile::tempdir().expect("a temporary folder");
        bucket.download("", copy.path());
        Self {
            seed,
            time,
            lines: logs.lines(),
            drained,
            archived,
            verified: verified.code,
            oracle: ask_of(copy.path(), logs.written(), &["--no-gaps"]),
            blows: seen.blows,
            starts: seen.starts,
            ended: seen.ended,
            sizes: seen.sizes.map(|(name, sizes)| (name, sizes.thirds(time))),
        }
    }

    fn judges_sizes(&self) -> bool {
        self.time >= JUDGES_SIZES
    }

    /// Whether everything is as it must be.
    pub(crate) fn is_good(&self) -> bool {
        let codes = [self.drained, self.archived, self.verified, self.oracle.code];
        let complete = self.oracle.counts["written"] == self.lines && self.lines > 0;
        let steady = !self.judges_sizes() || self.sizes.iter().all(|(_, of)| of.is_steady());
        codes == [Some(0); 4] && complete && steady && self.ended.is_empty()
    }

    pub(crate) fn json(&self) -> Value {
        let size = |(name, of): &(&str, Thirds)| json!({"program": name, "memory_kib": of.memory_kib, "descriptors": of.descriptors});
        json!({
            "good": self.is_good(), "seed": self.seed, "seconds": self.time.as_secs(), "lines": self.lines,
            "drain": self.drained, "archive": self.archived, "verify": self.verified,
            "oracle": self.oracle.counts, "oracle_code": self.oracle.code,
            "blows": self.blows, "starts": self.starts, "ended": self.ended,
            "sizes": self.sizes.iter().map(size).collect::<Vec<_>>(),
        })
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let counts = &self.oracle.counts;
        let mut line = |words: String| writeln!(text, "{words}").expect("text can be written");
        line(format!("lines written: {}", self.lines));
        for name in [
            "archived",
            "lost",
            "twice",
            "gapped",
            "repeated",
            "foreign",
            "gaps",
            "gap_events",
            "ambiguous",
            "faults",
        ] {
            line(format!("{name}: {}", counts[name]));
        }
        line(format!(
            "manifests: {}, epochs of {} sources",
            counts["manifests"], counts["sources"]
        ));
        line(format!(
            "exit codes: drain {:?}, archive {:?}, verify {:?}",
            self.drained, self.archived, self.verified
        ));
        line(format!("blows: {:?}", self.blows));
        line(format!(
            "starts: agent {}, archiver {}",
            self.starts[0], self.starts[1]
        ));
        for ended in &self.ended {
            line(ended.clone());
        }
        for (name, of) in &self.sizes {
            let judged = if self.judges_sizes() {
                ""
            } else {
                " (not judged: under 10 min)"
            };
            line(format!(
                "{name}: memory {} and {} KiB, descriptors {} and {} in the middle and the last third{judged}",
                of.memory_kib[0], of.memory_kib[1], of.descriptors[0], of.descriptors[1]
            ));
        }
        line(format!(
            "{}, seed {}",
            if self.is_good() { "GOOD" } else { "NOT GOOD" },
            self.seed
        ));
        text
    }
}
