//! How it all stands, for people: what is gathered for `status.json`, what a drain leaves undone. Nothing is decided
//! by it; what it makes of the agent's health is decided in [`super::agent_health`].

use super::agent_health::{Facts, FileFact, FileTrouble, StreamFacts, reasons, unsealed_max};
use super::descriptor_pressure::DescriptorPressure;
use super::line_budget::{Allowed, LineBudget};
use super::overdue::{Trends, UnsealedAges};
use super::spool_retry::SpoolRetry;
use super::status_file::{AgentStatus, PROGRAM, SourceLine, StreamLine};
use super::streams::Streams;
use crate::bounds::{ADVICE_EVERY, MISSING_TOLD, STATUS_SOURCES_MAX, UNDONE_MAX};
use crate::config::{Config, StreamConfig};
use crate::find::advice;
use crate::now::{Now, millis};
use crate::track::SourceStatus;
use crate::track::scan::ScanReport;
use host::health::{ReasonLog, StatusHead};
use host::terminal::quoted;
use ledger::name::Name;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

/// What was seen so far.
#[derive(Default)]
pub(super) struct Standing {
    /// What there is to say of files and patterns after the last scan.
    files: BTreeMap<String, FileFact>,
    /// What to write instead of a pattern, and when that was looked for.
    advice: BTreeMap<String, (u64, Option<String>)>,
    pressure: Option<DescriptorPressure>,
    ages: UnsealedAges,
    trends: Trends,
    reasons: ReasonLog,
    lines: LineBudget,
}

/// What only the agent knows of itself.
pub(super) struct Circumstances<'a> {
    pub(super) config: &'a Config,
    pub(super) started: Now,
    /// Why no snapshot can be written.
    pub(super) snapshot_fault: Option<&'a String>,
}

impl Standing {
    /// Takes note of a scan; what differs from the one before is logged. Whether anything does.
    pub(super) fn update(
        &mut self,
        report: &ScanReport,
        sources: &[SourceStatus],
        streams: &[StreamConfig],
        now: Now,
    ) -> bool {
        self.ages.update(sources, now);
        let pressed = self.update_pressure(report, now);
        let files = self.files(report, sources, streams, now);
        self.log_changes(&files, now);
        let changed = pressed || self.files != files;
        self.files = files;
        changed
    }

    /// Whoever makes files chooses how many there are and what they are called.
    fn log_changes(&mut self, files: &BTreeMap<String, FileFact>, now: Now) {
        let is_new = |(path, fact): &(&String, &FileFact)| self.files.get(*path) != Some(*fact);
        let news = files.iter().filter(is_new);
        let (by_design, faults): (Vec<_>, Vec<_>) =
            news.partition(|(_, fact)| fact.what.is_by_design());
        let ended = self.files.keys().filter(|path| !files.contains_key(*path));
        let ended: Vec<&String> = ended.collect();
        let wanted = faults.len() + by_design.len() + ended.len();
        let Allowed { lines, left_out } = self.lines.take(wanted, now.boot_ms);
        let mut left = lines;
        let mut take = |wanted: usize| {
            let taken = wanted.min(left);
            left -= taken;
            taken
        };
        for (path, fact) in faults.iter().take(take(faults.len())) {
            tracing::warn!(path = quoted(path), "{}", fact.what.detail());
        }
        for (path, fact) in by_design.iter().take(take(by_design.len())) {
            tracing::info!(path = quoted(path), "{}", fact.what.detail());
        }
        for path in ended.iter().take(take(ended.len())) {
            tracing::info!(path = quoted(path), "recovered");
        }
        if left_out > 0 {
            tracing::warn!(
                left_out,
                "more files changed than are logged in a minute; `holdfast-agent status` tells how it stands"
            );
        }
    }

    /// One line when descriptors begin to lack and one when they no longer do, however many files that concerns. Whether
    /// either is so.
    fn update_pressure(&mut self, report: &ScanReport, now: Now) -> bool {
        let before = self.pressure;
        self.pressure = DescriptorPressure::after(before, report, now);
        match (before, self.pressure) {
            (None, Some(pressure)) => tracing::warn!("{pressure}"),
            (Some(before), None) => {
                let released = before.released;
                tracing::info!(released, "there are enough descriptors again");
            }
            _ => return false,
        }
        true
    }

    fn files(
        &mut self,
        report: &ScanReport,
        sources: &[SourceStatus],
        streams: &[StreamConfig],
        now: Now,
    ) -> BTreeMap<String, FileFact> {
        let mut files = BTreeMap::new();
        let wanting = |path: &[u8]| {
            let path = Path::new(OsStr::from_bytes(path));
            let mut wanting = streams.iter().filter(|stream| stream.watch.wants(path));
            wanting.next().map(|stream| stream.name.clone())
        };
        for (path, what) in &report.notes {
            let what = FileTrouble::PassedOver(what.clone());
            let stream = wanting(&path.0);
            files.insert(path.display(), FileFact { stream, what });
        }
        for pattern in &report.unmatched {
            let mut including = streams.iter().filter(|it| it.watch.includes(pattern));
            let stream = including.next().map(|stream| stream.name.clone());
            let what = match self.advice_on(stream.as_ref(), pattern, now) {
                Some(what) => FileTrouble::Pattern(what),
                None => FileTrouble::Unmatched,
            };
            files.insert(pattern.clone(), FileFact { stream, what });
        }
        for (path, what) in &report.faults {
            let what = FileTrouble::Unreadable(what.clone());
            let stream = wanting(&path.0);
            files.insert(path.display(), FileFact { stream, what });
        }
        let is_missing = |source: &&SourceStatus| {
            let since = source.missing_ms.map(|at| now.boot_ms.saturating_sub(at));
            since.is_some_and(|ms| ms >= millis(MISSING_TOLD))
        };
        for source in sources.iter().filter(is_missing) {
            // One that no pattern wants any more is not looked for.
            if let Some(stream) = wanting(&source.path.0) {
                let what = FileTrouble::Missing;
                let stream = Some(stream);
                files.insert(source.path.display(), FileFact { stream, what });
            }
        }
        for source in sources {
            if let Some(fault) = &source.fault {
                let what = FileTrouble::Unreadable(fault.clone());
                let stream = source.stream.clone();
                files.insert(source.path.display(), FileFact { stream, what });
            }
        }
        self.advice
            .retain(|pattern, _| report.unmatched.contains(pattern));
        files
    }

    /// What is wrong with a pattern that matches nothing; looked for again after [`ADVICE_EVERY`].
    fn advice_on(&mut self, stream: Option<&Name>, pattern: &str, now: Now) -> Option<String> {
        let is_fresh =
            |at: u64| now.boot_ms.saturating_sub(at) < millis(ADVICE_EVERY) && at <= now.boot_ms;
        if let Some((at, advice)) = self.advice.get(pattern)
            && is_fresh(*at)
        {
            return advice.clone();
        }
        let advice = advice(stream?, pattern, now.wall);
        let known = (now.boot_ms, advice.clone());
        self.advice.insert(pattern.to_owned(), known);
        advice
    }

    /// What a drain leaves undone, and why.
    pub(super) fn undone(&self, streams: &Streams) -> Vec<String> {
        let mut undone = Vec::new();
        for (path, fact) in &self.files {
            if let FileTrouble::Unreadable(why) = &fact.what {
                undone.push(format!("{}: {why}", quoted(path)));
            }
        }
        for source in streams.tracker().status() {
            let left = source.size.saturating_sub(source.read);
            if left > 0 && source.fault.is_none() && source.stream.is_some() {
                let path = quoted(&source.path.display());
                undone.push(format!("{path}: {left} bytes not read"));
            }
        }
        for stream in streams.iter() {
            let name = stream.name();
            match stream.hold() {
                Some(hold) => undone.push(format!(
                    "stream {name}: held at {}: {}",
                    hold.slot, hold.why
                )),
                None if stream.is_full() => {
                    undone.push(format!("stream {name}: the spool is full"));
                }
                None => {}
            }
        }
        undone.extend(streams.retry().map(|retry| retry.why().to_owned()));
        let more = undone.len().saturating_sub(UNDONE_MAX);
        undone.truncate(UNDONE_MAX);
        undone.extend((more > 0).then(|| format!("and {more} more")));
        undone
    }

    /// What `status.json` says.
    pub(super) fn describe(
        &mut self,
        of: &Circumstances<'_>,
        streams: &Streams,
        now: Now,
        running: bool,
    ) -> AgentStatus {
        let Circumstances {
            config, started, ..
        } = *of;
        let all = streams.tracker().status();
        let facts = self.gather(of, streams, &all, now);
        let reasons = self.reasons.update(reasons(&facts, now.wall));
        let lines = streams.iter().zip(&facts.streams);
        let lines = lines.map(|(stream, facts)| StreamLine {
            stream: stream.name().clone(),
            epoch: stream.next().epoch(),
            seq: stream.sealed_state().map(|state| state.head.seq),
            head: stream.sealed_state().map(|state| state.head.sha256),
            entries: stream.next().next_entry(),
            waiting: facts.waiting,
            oldest_waiting: facts.oldest,
            full: facts.full,
            held: facts.held.clone(),
        });
        let mut sources: Vec<SourceLine> = all.iter().map(SourceLine::of).collect();
        sources.sort_by_key(|source| (source.fault.is_none(), std::cmp::Reverse(source.unread)));
        sources.truncate(STATUS_SOURCES_MAX);
        let head = StatusHead::new(PROGRAM, reasons, now.wall);
        AgentStatus {
            head: StatusHead { running, ..head },
            agent: config.agent.clone(),
            started: started.wall,
            spool_used: streams.spool().used(),
            spool_cap: streams.spool().cap(),
            disk_free: streams.spool().free(),
            streams: lines.collect(),
            source_count: all.len(),
            sources,
        }
    }

    fn gather(
        &mut self,
        of: &Circumstances<'_>,
        streams: &Streams,
        sources: &[SourceStatus],
        now: Now,
    ) -> Facts {
        let (agent, layout) = (&of.config.agent, streams.spool().layout());
        let max: Duration = unsealed_max(of.config.seal_age);
        let mut old = self.ages.older_than(max, sources, now);
        let of_stream = streams.iter().map(|stream| {
            let waiting = stream.waiting(agent);
            let hold = stream.hold().filter(|_| !stream.is_answering());
            let held = hold.map(|hold| {
                let why = stream.unanswerable().map_or("", String::as_str);
                quoted(&format!("{}: {}; {why}", hold.slot, hold.why))
            });
            StreamFacts {
                stream: stream.name().clone(),
                full: stream.is_full(),
                held,
                answering: stream.answer_left(),
                receipts: stream.receipts_fault().cloned(),
                receipt_ahead: stream.receipt_ahead(),
                old_bytes: old.remove(stream.name()),
                waiting,
                oldest: stream.waits_for_receipt_since(layout, agent),
                is_growing: self.trends.update(stream.name(), waiting, now),
            }
        });
        Facts {
            streams: of_stream.collect(),
            spool: why_unwritable(streams),
            snapshot: of.snapshot_fault.cloned(),
            descriptors: self.pressure.map(|pressure| pressure.to_string()),
            files: self.files.clone(),
        }
    }
}

/// Why the spool cannot be written, if it cannot: what the last batch met, or what a try meets now.
fn why_unwritable(streams: &Streams) -> Option<String> {
    match streams.retry().map(SpoolRetry::why) {
        Some(why) => Some(why.to_owned()),
        None => {
            let tried = streams.spool().try_write().err();
            tried.map(|error| format!("{}: {error}", streams.spool().layout().tmp().display()))
        }
    }
}
