//! How the agent stands, from what is known of it: pure. What is looked at is gathered in [`super::standing`].
//!
//! | code | severity | what it says |
//! | --- | --- | --- |
//! | `spool_unwritable` | error | nothing can be sealed |
//! | `unreadable` | error | a wanted file or folder cannot be opened, read or listed |
//! | `spool_full` | error | a stream is not read for lack of room |
//! | `held` | error | the archiver refuses a batch, and that cannot be answered yet: the stream is not read |
//! | `receipts_unreadable` | error | nobody can say what is archived |
//! | `unsealed` | error | bytes wait to be sealed for longer than [`unsealed_max`] |
//! | `unarchived` | error | batches wait for the archiver for longer than [`UNARCHIVED_MAX_S`], and more do |
//! | `answering` | warning | what the archiver refuses is being sealed again |
//! | `receipt_ahead` | warning | a receipt is for a batch that was never sealed here: it is not believed |
//! | `descriptors` | warning | files wait to be opened, or deleted ones were let go |
//! | `snapshot` | warning | no snapshot can be written: old batches stay in the spool |
//! | `missing` | warning | nothing leads to a known log, and nothing proves that it is gone |
//! | `pattern` | warning | a pattern matches no file, and another one would |
//! | `no_match` | note | a pattern matches no file yet |
//! | `passed_over` | note | a file is not read by design |

use host::health::{Reason, Severity};
use ledger::Moment;
use ledger::name::Name;
use std::collections::BTreeMap;
use std::time::Duration;

/// A batch that waits for its receipt for longer is late, if more and more wait.
pub(super) const UNARCHIVED_MAX_S: u64 = 15 * 60;

/// Files and patterns told of each code; of the others it is told how many they are.
const FILES_TOLD: usize = 50;

/// How old a byte may get before it is sealed.
pub(super) fn unsealed_max(seal_age: Duration) -> Duration {
    Duration::from_secs(60).max(3 * seal_age)
}

/// What there is to say of a file, a folder or a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FileTrouble {
    /// No file matches the pattern.
    Unmatched,
    /// None does, for a reason that is known: what to write instead.
    Pattern(String),
    /// Not read by design, and why.
    PassedOver(String),
    /// To be read, and cannot be.
    Unreadable(String),
    /// A known log that nothing leads to, in a folder that is not there as it was: nobody can say whether it is gone.
    Missing,
}

impl FileTrouble {
    fn code(&self) -> (&'static str, Severity) {
        match self {
            Self::Unmatched => ("no_match", Severity::Note),
            Self::Pattern(_) => ("pattern", Severity::Warning),
            Self::PassedOver(_) => ("passed_over", Severity::Note),
            Self::Unreadable(_) => ("unreadable", Severity::Error),
            Self::Missing => ("missing", Severity::Warning),
        }
    }

    /// For people.
    pub(super) fn detail(&self) -> &str {
        match self {
            Self::Unmatched => "matches no file yet; waiting for one",
            Self::Missing => {
                "a log that is known is not found, and its folder is not the one that was there: a volume is not \
                 mounted, or a folder or link was replaced. It continues if it comes back; what was written to it since \
                 it was last read is stated nowhere"
            }
            Self::Pattern(what) | Self::PassedOver(what) | Self::Unreadable(what) => what,
        }
    }

    /// Whether it is so by design.
    pub(super) fn is_by_design(&self) -> bool {
        matches!(self, Self::PassedOver(_))
    }
}

/// A file, a folder or a pattern, and what there is to say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileFact {
    pub(super) stream: Option<Name>,
    pub(super) what: FileTrouble,
}

/// Bytes of one stream that are too old not to be sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OldBytes {
    /// Sources that have such.
    pub(super) sources: usize,
    /// The one that waits longest, since when.
    pub(super) path: String,
    pub(super) age: Duration,
}

/// One stream.
#[derive(Debug, Clone)]
pub(super) struct StreamFacts {
    pub(super) stream: Name,
    pub(super) full: bool,
    pub(super) held: Option<String>,
    /// The archiver refuses batches, of which so many are yet to be sealed again.
    pub(super) answering: Option<usize>,
    /// Why receipts cannot be read.
    pub(super) receipts: Option<String>,
    /// The batch of a receipt that comes after the newest one.
    pub(super) receipt_ahead: Option<u64>,
    pub(super) old_bytes: Option<OldBytes>,
    /// Batches without a receipt.
    pub(super) waiting: u64,
    /// When the oldest of them was sealed.
    pub(super) oldest: Option<Moment>,
    /// Whether they have become more.
    pub(super) is_growing: bool,
}

/// All that is looked at.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// Why the spool cannot be written.
    pub(super) spool: Option<String>,
    /// Why no snapshot can be.
    pub(super) snapshot: Option<String>,
    /// What becomes of files for want of descriptors.
    pub(super) descriptors: Option<String>,
    pub(super) streams: Vec<StreamFacts>,
    pub(super) files: BTreeMap<String, FileFact>,
}

/// Why the agent is not just healthy, and notes.
pub(super) fn reasons(facts: &Facts, now: Moment) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if let Some(why) = &facts.spool {
        let detail = format!(
            "nothing can be sealed, every place is kept and it is tried again: {why}; see its disk, mount and owner"
        );
        reasons.push(Reason::new(
            "spool_unwritable",
            Severity::Error,
            detail,
            now,
        ));
    }
    if let Some(why) = &facts.snapshot {
        let detail = format!("no snapshot can be written, so old batches stay in the spool: {why}");
        reasons.push(Reason::new("snapshot", Severity::Warning, detail, now));
    }
    if let Some(what) = &facts.descriptors {
        reasons.push(Reason::new(
            "descriptors",
            Severity::Warning,
            what.clone(),
            now,
        ));
    }
    for stream in &facts.streams {
        of_stream(stream, now, &mut reasons);
    }
    of_files(&facts.files, now, &mut reasons);
    reasons
}

fn of_stream(facts: &StreamFacts, now: Moment, reasons: &mut Vec<Reason>) {
    let mut error = |code: &str, detail: String| {
        let reason = Reason::new(code, Severity::Error, detail, now);
        reasons.push(reason.of_stream(&facts.stream));
    };
    if facts.full {
        let detail = "the spool is full: files wait and are not read; see why the archiver does not upload, or raise \
                      spool_cap";
        error("spool_full", detail.to_owned());
    }
    if let Some(why) = &facts.held {
        error("held", format!("its files are not read: {why}"));
    }
    if let Some(why) = &facts.receipts {
        error(
            "receipts_unreadable",
            format!("what is archived is not known: {why}"),
        );
    }
    if let Some(OldBytes { sources, path, age }) = &facts.old_bytes {
        let detail = format!(
            "{} not sealed after {} s, the oldest of {path}: it cannot be read, or the agent does not keep up",
            host::cli::counted(*sources as u64, "file has bytes", "files have bytes"),
            age.as_secs()
        );
        error("unsealed", detail);
    }
    let waits_s = facts.oldest.map_or(0, |oldest| now.since_s(oldest));
    if facts.is_growing && waits_s > UNARCHIVED_MAX_S {
        let detail = format!(
            "{} for the archiver, the oldest for {} min, and they become more: see holdfast archive status",
            host::cli::counted(facts.waiting, "batch waits", "batches wait"),
            waits_s / 60
        );
        error("unarchived", detail);
    }
    let mut warning = |code: &str, detail: String| {
        let reason = Reason::new(code, Severity::Warning, detail, now);
        reasons.push(reason.of_stream(&facts.stream));
    };
    if let Some(left) = facts.answering {
        let left = host::cli::counted(left as u64, "batch is", "batches are");
        let detail = format!(
            "the archiver refuses what was sealed: the stream continues in a new epoch, {left} yet to be sealed again"
        );
        warning("answering", detail);
    }
    if let Some(seq) = facts.receipt_ahead {
        let detail = format!(
            "a receipt for batch {seq}, which was never sealed here, is not believed: either the disk was set back, or \
             somebody else writes to the archiver's half of the spool"
        );
        warning("receipt_ahead", detail);
    }
}

fn of_files(files: &BTreeMap<String, FileFact>, now: Moment, reasons: &mut Vec<Reason>) {
    let mut told: BTreeMap<(&str, Severity), usize> = BTreeMap::new();
    for (path, fact) in files {
        let (code, severity) = fact.what.code();
        let told = told.entry((code, severity)).or_default();
        *told += 1;
        if *told > FILES_TOLD {
            continue;
        }
        let reason = Reason::new(code, severity, fact.what.detail(), now).at_path(path.clone());
        reasons.push(match &fact.stream {
            Some(stream) => reason.of_stream(stream),
            None => reason,
        });
    }
    for ((code, severity), told) in told {
        if told > FILES_TOLD {
            let detail = format!("{} more", told - FILES_TOLD);
            reasons.push(Reason::new(code, severity, detail, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use host::health::{Health, StatusHead};

    fn at(seconds: u64) -> Moment {
        Moment::from_micros(seconds * 1_000_000)
    }

    fn stream() -> StreamFacts {
        StreamFacts {
            stream: "auth".parse().unwrap(),
            full: false,
            held: None,
            answering: None,
            receipts: None,
            receipt_ahead: None,
            old_bytes: None,
            waiting: 0,
            oldest: None,
            is_growing: false,
        }
    }

    fn codes(facts: &Facts) -> (Vec<String>, Health) {
        let reasons = reasons(facts, at(10_000));
        let codes = reasons.iter().map(|reason| reason.code.clone()).collect();
        (codes, StatusHead::new("p", reasons, at(10_000)).health)
    }

    #[test]
    fn each_fault_of_a_stream_makes_it_unhealthy() {
        let late = |oldest, is_growing| StreamFacts {
            waiting: 3,
            oldest: Some(at(oldest)),
            is_growing,
            ..stream()
        };
        let why = || Some("because".to_owned());
        let old = OldBytes {
            sources: 1,
            path: "/l/a".into(),
            age: Duration::from_secs(61),
        };
        for (facts, code) in [
            (stream(), None),
            (
                StreamFacts {
                    full: true,
                    ..stream()
                },
                Some("spool_full"),
            ),
            (
                StreamFacts {
                    held: why(),
                    ..stream()
                },
                Some("held"),
            ),
            (
                StreamFacts {
                    receipts: why(),
                    ..stream()
                },
                Some("receipts_unreadable"),
            ),
            (
                StreamFacts {
                    old_bytes: Some(old),
                    ..stream()
                },
                Some("unsealed"),
            ),
            (late(10_000 - 901, true), Some("unarchived")),
            (late(10_000 - 901, false), None),
            (late(10_000 - 900, true), None),
            // A batch of the future, for a clock was set back.
            (late(20_000, true), None),
        ] {
            let facts = Facts {
                streams: vec![facts],
                ..Facts::default()
            };
            let expected = match code {
                Some(code) => (vec![code.to_owned()], Health::Unhealthy),
                None => (Vec::new(), Health::Healthy),
            };
            assert_eq!(codes(&facts), expected, "{facts:?}");
        }
    }

    #[test]
    fn what_is_passed_over_by_design_is_healthy_and_a_wrong_pattern_is_a_warning() {
        for (what, code, health) in [
            (FileTrouble::Unmatched, "no_match", Health::Healthy),
            (
                FileTrouble::PassedOver("a FIFO".into()),
                "passed_over",
                Health::Healthy,
            ),
            (
                FileTrouble::Pattern("a folder".into()),
                "pattern",
                Health::Degraded,
            ),
            (
                FileTrouble::Unreadable("no".into()),
                "unreadable",
                Health::Unhealthy,
            ),
        ] {
            let fact = FileFact { stream: None, what };
            let files = |count: usize| Facts {
                files: (0..count)
                    .map(|number| (format!("/l/{number:03}"), fact.clone()))
                    .collect(),
                ..Facts::default()
            };
            assert_eq!(codes(&files(1)), (vec![code.to_owned()], health));
            let many = reasons(&files(3 * FILES_TOLD), at(1));
            assert_eq!(many.len(), FILES_TOLD + 1);
            assert_eq!(many[FILES_TOLD].detail, "100 more");
        }
    }

    #[test]
    fn a_spool_that_cannot_be_written_is_an_error_and_a_missing_snapshot_a_warning() {
        let facts = Facts {
            spool: Some("read-only".into()),
            ..Facts::default()
        };
        let unhealthy = (vec!["spool_unwritable".to_owned()], Health::Unhealthy);
        assert_eq!(codes(&facts), unhealthy);
        let facts = Facts {
            snapshot: Some("no space".into()),
            ..Facts::default()
        };
        assert_eq!(
            codes(&facts),
            (vec!["snapshot".to_owned()], Health::Degraded)
        );
        let facts = Facts {
            descriptors: Some("few".into()),
            ..Facts::default()
        };
        assert_eq!(
            codes(&facts),
            (vec!["descriptors".to_owned()], Health::Degraded)
        );
    }

    #[test]
    fn a_stream_that_answers_and_a_receipt_ahead_of_the_head_are_degraded() {
        let answers = StreamFacts {
            answering: Some(3),
            ..stream()
        };
        let ahead = StreamFacts {
            receipt_ahead: Some(7),
            ..stream()
        };
        for (facts, code) in [(answers, "answering"), (ahead, "receipt_ahead")] {
            let facts = Facts {
                streams: vec![facts],
                ..Facts::default()
            };
            assert_eq!(codes(&facts), (vec![code.to_owned()], Health::Degraded));
        }
    }

    #[test]
    fn bytes_may_be_a_minute_old_or_three_times_the_seal_age() {
        for (age, max) in [(1, 60), (20, 60), (21, 63), (3600, 10_800)] {
            let max = Duration::from_secs(max);
            assert_eq!(unsealed_max(Duration::from_secs(age)), max);
        }
    }
}
