//! How it all stands, for people: what keeps files from being read, what `status.json` says, what a
//! drain leaves undone. Nothing is decided by it.

use super::spool_retry::SpoolRetry;
use super::status_file::{AgentStatus, SourceLine, StreamLine, VERSION};
use super::streams::Streams;
use crate::bounds::STATUS_SOURCES_MAX;
use crate::now::Now;
use crate::track::SourceStatus;
use crate::track::scan::ScanReport;
use ledger::name::Name;
use std::collections::BTreeMap;
use std::fmt;

/// What keeps a file or a pattern from being read.
#[derive(Debug, Clone, PartialEq, Eq)]
enum FileTrouble {
    /// No file matches.
    Unmatched,
    Unreadable(String),
}

impl fmt::Display for FileTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unmatched => f.write_str("matches no file yet; waiting for one"),
            Self::Unreadable(why) => f.write_str(why),
        }
    }
}

/// What the last scan could not read, by path or pattern.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Troubles(BTreeMap<String, FileTrouble>);

impl Troubles {
    /// What a scan shows, told where it differs from the one before. Whether it does.
    pub(super) fn update(&mut self, report: &ScanReport, sources: Vec<SourceStatus>) -> bool {
        let mut now = BTreeMap::new();
        for pattern in &report.unmatched {
            now.insert(pattern.clone(), FileTrouble::Unmatched);
        }
        for (path, what) in &report.faults {
            now.insert(path.display(), FileTrouble::Unreadable(what.clone()));
        }
        for source in sources {
            if let Some(fault) = source.fault {
                now.insert(source.path.display(), FileTrouble::Unreadable(fault));
            }
        }
        for (path, trouble) in &now {
            if self.0.get(path) != Some(trouble) {
                tracing::warn!(%path, "{trouble}");
            }
        }
        for path in self.0.keys() {
            if !now.contains_key(path) {
                tracing::info!(%path, "recovered");
            }
        }
        let changed = self.0 != now;
        self.0 = now;
        changed
    }

    /// What a drain leaves undone, and why.
    pub(super) fn undone(&self, streams: &Streams) -> Vec<String> {
        let mut undone = Vec::new();
        for (path, trouble) in &self.0 {
            if let FileTrouble::Unreadable(why) = trouble {
                undone.push(format!("{path}: {why}"));
            }
        }
        for source in streams.tracker().status() {
            let left = source.size.saturating_sub(source.read);
            if left > 0 && source.fault.is_none() && source.stream.is_some() {
                undone.push(format!("{}: {left} bytes not read", source.path.display()));
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
        undone.extend(why_waiting(streams));
        undone
    }

    /// What `status.json` says.
    pub(super) fn describe(
        &self,
        agent: &Name,
        streams: &Streams,
        (started, now): (Now, Now),
        running: bool,
    ) -> AgentStatus {
        let all = streams.tracker().status();
        let mut sources: Vec<SourceLine> = all.iter().map(SourceLine::of).collect();
        sources.sort_by_key(|source| (source.fault.is_none(), std::cmp::Reverse(source.unread)));
        sources.truncate(STATUS_SOURCES_MAX);
        let lines = streams.iter().map(|stream| StreamLine {
            stream: stream.name().clone(),
            epoch: stream.next().epoch(),
            seq: stream.sealed_state().map(|state| state.head.seq),
            head: stream.sealed_state().map(|state| state.head.sha256),
            entries: stream.next().next_entry(),
            waiting: stream.waiting(agent),
            full: stream.is_full(),
            held: stream
                .hold()
                .map(|hold| format!("{}: {}", hold.slot, hold.why)),
        });
        let files = self.0.iter();
        AgentStatus {
            v: VERSION,
            agent: agent.clone(),
            running,
            started: started.wall,
            written: now.wall,
            spool_used: streams.spool().used(),
            spool_cap: streams.spool().cap(),
            disk_free: streams.spool().free(),
            trouble: why_waiting(streams),
            streams: lines.collect(),
            files: files
                .map(|(path, why)| (path.clone(), why.to_string()))
                .collect(),
            source_count: all.len(),
            sources,
        }
    }
}

/// Why the spool cannot be written, if it cannot.
fn why_waiting(streams: &Streams) -> Option<String> {
    let retry = streams.retry();
    retry.map(SpoolRetry::why).map(str::to_owned)
}
