//! How a program stands, as the `status` of both programs tells it: healthy, degraded or unhealthy, and why.
//!
//! | severity of a reason | what it is for | health | exit code of `status` |
//! | --- | --- | --- | --- |
//! | none, or `note` | worth knowing, nothing to do | healthy | 0 |
//! | `warning` | works, less well than it should; look soon | degraded | 0 |
//! | `error` | does not do its work, or nobody can say that it does | unhealthy | 2 |
//!
//! The running program writes its status every [`WRITE_EVERY`], whether anything changed or not, so that a
//! status older than [`STALE_AFTER`] is one of a program that hangs or was stopped. Pure: times are arguments.

use crate::exit;
use crate::terminal::escape;
use ledger::Moment;
use ledger::name::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Version of what `status --format json` prints.
pub const STATUS_VERSION: u64 = 2;

/// How often a running program writes its status, at least.
pub const WRITE_EVERY: Duration = Duration::from_secs(5);

/// From this age on a status tells nothing about now: three writes are missing.
pub const STALE_AFTER: Duration = Duration::from_secs(15);

/// Most reasons that a status lists; the gravest come first, and how many were left out is said.
pub const REASONS_MAX: usize = 100;

/// Longest detail or path, in characters: both may quote what others wrote.
const TEXT_MAX_CHARS: usize = 1000;

/// How a program stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// It does its work.
    Healthy,
    /// It does its work, less well than it should.
    Degraded,
    /// It does not do its work, or nobody can say that it does.
    Unhealthy,
}

/// How grave a reason is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing, nothing to do.
    Note,
    /// Degraded.
    Warning,
    /// Unhealthy.
    Error,
}

/// One reason why a program stands as it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// What it is, in one or two words with `_`: the same for every case of it, for monitors.
    pub code: String,
    /// How grave it is.
    pub severity: Severity,
    /// The stream it is about, if it is about one.
    pub stream: Option<Name>,
    /// The file, folder or pattern it is about, if it is about one.
    pub path: Option<String>,
    /// What is wrong and what to do, for people.
    pub detail: String,
    /// When it was first seen, without a break since.
    pub since: Moment,
}

/// What makes two reasons the same one, however its detail changes.
type Key = (String, Option<Name>, Option<String>);

impl Reason {
    /// A reason about the whole program, seen now.
    #[must_use]
    pub fn new(code: &str, severity: Severity, detail: impl Into<String>, now: Moment) -> Self {
        Self {
            code: code.to_owned(),
            severity,
            stream: None,
            path: None,
            detail: shortened(detail.into()),
            since: now,
        }
    }

    /// The same about one stream.
    #[must_use]
    pub fn of_stream(mut self, stream: &Name) -> Self {
        self.stream = Some(stream.clone());
        self
    }

    /// The same about one path.
    #[must_use]
    pub fn at_path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(shortened(path.into()));
        self
    }

    fn key(&self) -> Key {
        (self.code.clone(), self.stream.clone(), self.path.clone())
    }
}

fn shortened(text: String) -> String {
    match text.char_indices().nth(TEXT_MAX_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Remembers since when each reason has been there.
#[derive(Debug, Default)]
pub struct ReasonLog(BTreeMap<Key, Moment>);

impl ReasonLog {
    /// Takes the reasons of now, in which `since` is when they were looked for, and gives them back with `since`
    /// as it was when each was first seen. One that is not among them has ended.
    pub fn update(&mut self, mut reasons: Vec<Reason>) -> Vec<Reason> {
        for reason in &mut reasons {
            if let Some(since) = self.0.get(&reason.key()) {
                reason.since = *since;
            }
        }
        self.0 = reasons.iter().map(|one| (one.key(), one.since)).collect();
        reasons
    }
}

/// What the status of either program begins with. A program's own fields follow it (`serde(flatten)`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusHead {
    /// [`STATUS_VERSION`]
    pub v: u64,
    /// `holdfast-agent` or `holdfast archive`.
    pub program: String,
    /// The worst that any reason says.
    pub health: Health,
    /// Why, the gravest first, at most [`REASONS_MAX`].
    pub reasons: Vec<Reason>,
    /// When the program wrote it.
    pub written: Moment,
    /// Whether it runs. In the file: that it did when it wrote; in an answer: that it does.
    pub running: bool,
}

impl StatusHead {
    /// What a program that runs says of itself.
    #[must_use]
    pub fn new(program: &str, reasons: Vec<Reason>, written: Moment) -> Self {
        let mut head = Self {
            v: STATUS_VERSION,
            program: program.to_owned(),
            health: Health::Healthy,
            reasons,
            written,
            running: true,
        };
        head.settle();
        head
    }

    /// What whoever asks at `now` is told where no status can be read: nothing shows that the program does its work.
    #[must_use]
    pub fn missing(program: &str, why: &dyn fmt::Display, now: Moment) -> Self {
        let reason = Reason::new("no_status", Severity::Error, why.to_string(), now);
        let mut head = Self::new(program, vec![reason], now);
        head.running = false;
        head
    }

    /// The same as whoever asks at `now` must take it: a status says nothing of a program that does not run or
    /// that has not written for [`STALE_AFTER`]. `is_locked`: whether a process holds the program's lock.
    #[must_use]
    pub fn seen(mut self, is_locked: bool, now: Moment) -> Self {
        let age_s = now.since_s(self.written);
        // A clock that was set back makes the newest status one of the future, for one interval at most.
        let age_s = age_s.max(self.written.since_s(now));
        if !is_locked {
            let detail = format!(
                "{} is not running; this is what it wrote last",
                self.program
            );
            let reason = Reason::new("not_running", Severity::Error, detail, self.written);
            self.reasons.push(reason);
        } else if age_s > STALE_AFTER.as_secs() {
            let detail = format!(
                "{} runs but has not written its status for {age_s} s: it hangs, was stopped, or its disk is full or \
                 does not answer",
                self.program
            );
            let reason = Reason::new("stale", Severity::Error, detail, self.written);
            self.reasons.push(reason);
        }
        self.running = is_locked;
        self.settle();
        self
    }

    /// The exit code of `status`.
    #[must_use]
    pub fn exit(&self) -> u8 {
        match self.health {
            Health::Healthy | Health::Degraded => exit::CLEAN,
            Health::Unhealthy => exit::UNFINISHED,
        }
    }

    /// Health from the reasons, and these in order and bounded.
    fn settle(&mut self) {
        self.health = match self.reasons.iter().map(|reason| reason.severity).max() {
            None | Some(Severity::Note) => Health::Healthy,
            Some(Severity::Warning) => Health::Degraded,
            Some(Severity::Error) => Health::Unhealthy,
        };
        self.reasons
            .sort_by_key(|reason| std::cmp::Reverse(reason.severity));
        if self.reasons.len() > REASONS_MAX {
            let left_out = self.reasons.len() - (REASONS_MAX - 1);
            self.reasons.truncate(REASONS_MAX - 1);
            let detail = format!("{left_out} more reasons, none graver than those listed");
            let note = Reason::new("more", Severity::Note, detail, self.written);
            self.reasons.push(note);
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "UNHEALTHY",
        })
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "ERROR",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            severity,
            detail,
            since,
            ..
        } = self;
        write!(f, "{severity} {} since {since}", escape(code))?;
        if let Some(stream) = &self.stream {
            write!(f, ", stream {stream}")?;
        }
        if let Some(path) = &self.path {
            write!(f, ", {}", escape(path))?;
        }
        write!(f, ": {}", escape(detail))
    }
}

/// The first line says how it stands, each further one why.
impl fmt::Display for StatusHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            program,
            health,
            written,
            ..
        } = self;
        writeln!(f, "{}: {health}, as of {written}", escape(program))?;
        for reason in &self.reasons {
            writeln!(f, "  {reason}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from_micros(seconds * 1_000_000)
    }

    fn reason(code: &str, severity: Severity) -> Reason {
        Reason::new(code, severity, "because", at(100))
    }

    #[test]
    fn the_gravest_reason_makes_the_health() {
        use Severity::{Error, Note, Warning};
        for (severities, health, code) in [
            (&[][..], Health::Healthy, 0),
            (&[Note], Health::Healthy, 0),
            (&[Note, Warning], Health::Degraded, 0),
            (&[Error, Warning, Note], Health::Unhealthy, 2),
        ] {
            let reasons = severities.iter().map(|severity| reason("x", *severity));
            let head = StatusHead::new("p", reasons.collect(), at(100));
            assert_eq!((head.health, head.exit()), (health, code), "{severities:?}");
        }
    }

    #[test]
    fn a_status_says_nothing_of_a_program_that_is_gone_or_hangs() {
        let written = StatusHead::new("p", Vec::new(), at(100));
        for (is_locked, now, expected) in [
            (true, 100, None),
            (true, 115, None),
            (true, 116, Some("stale")),
            (true, 85, None),
            (true, 84, Some("stale")),
            (false, 100, Some("not_running")),
            (false, 500, Some("not_running")),
        ] {
            let seen = written.clone().seen(is_locked, at(now));
            let code = seen.reasons.first().map(|reason| reason.code.as_str());
            assert_eq!(code, expected, "{is_locked} {now}");
            assert_eq!(seen.exit(), if expected.is_some() { 2 } else { 0 });
            assert_eq!(seen.running, is_locked);
        }
    }

    #[test]
    fn a_status_that_cannot_be_read_is_not_healthy() {
        let missing = StatusHead::missing("p", &"/state: gone", at(7));
        assert_eq!((missing.exit(), missing.running), (2, false));
        assert_eq!(missing.reasons[0].detail, "/state: gone");
    }

    #[test]
    fn a_reason_keeps_its_since_while_it_lasts() {
        let mut log = ReasonLog::default();
        let stream: Name = "auth".parse().unwrap();
        let of = |now| {
            let one = Reason::new("held", Severity::Error, format!("try {now}"), at(now));
            vec![one.clone().of_stream(&stream), one.at_path("/a")]
        };
        let since = |reasons: Vec<Reason>| -> Vec<Moment> {
            reasons.into_iter().map(|reason| reason.since).collect()
        };
        assert_eq!(since(log.update(of(1))), [at(1), at(1)]);
        assert_eq!(since(log.update(of(2))), [at(1), at(1)]);
        assert_eq!(since(log.update(of(3).split_off(1))), [at(1)]);
        assert_eq!(since(log.update(of(4))), [at(4), at(1)]);
    }

    #[test]
    fn reasons_are_bounded_and_the_gravest_come_first() {
        let mut reasons = vec![reason("note", Severity::Note); 2 * REASONS_MAX];
        reasons.push(reason("error", Severity::Error));
        let head = StatusHead::new("p", reasons, at(100));
        assert_eq!(head.reasons.len(), REASONS_MAX);
        assert_eq!(head.reasons[0].code, "error");
        assert!(head.reasons[REASONS_MAX - 1].detail.starts_with("102 more"));
        let long = Reason::new("x", Severity::Note, "é".repeat(5000), at(1));
        assert_eq!(long.detail.chars().count(), TEXT_MAX_CHARS + 1);
    }

    #[test]
    fn the_json_is_the_contract() {
        let stream: Name = "auth".parse().unwrap();
        let one = reason("held", Severity::Error).of_stream(&stream);
        let head = StatusHead::new("holdfast archive", vec![one], at(100));
        let json = serde_json::to_string(&head).unwrap();
        assert_eq!(
            json,
            "{\"v\":2,\"program\":\"holdfast archive\",\"health\":\"unhealthy\",\"reasons\":[{\"code\":\"held\",\
             \"severity\":\"error\",\"stream\":\"auth\",\"path\":null,\"detail\":\"because\",\
             \"since\":\"1970-01-01T00:01:40.000000Z\"}],\"written\":\"1970-01-01T00:01:40.000000Z\",\"running\":true}"
        );
        assert_eq!(serde_json::from_str::<StatusHead>(&json).unwrap(), head);
    }

    #[test]
    fn text_of_others_is_escaped() {
        let one = reason("held", Severity::Error).at_path("/a\u{1b}[2J");
        let shown = StatusHead::new("p", vec![one], at(100)).to_string();
        assert!(!shown.contains('\u{1b}'), "{shown}");
        assert!(shown.starts_with("p: UNHEALTHY, as of 1970"), "{shown}");
    }
}
