//! How archiving goes, for people and monitors: `receipts/.status.json`, written at a bounded pace.
//!
//! It tells; nothing is decided by it.

use ledger::Moment;
use ledger::name::Name;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The file in the archiver's half of the spool, under a name that no stream can have.
pub const STATUS_FILE: &str = ".status.json";

/// How archiving goes.
#[derive(Debug)]
pub struct Health(Mutex<Pages>);

#[derive(Debug)]
struct Pages {
    status: Status,
    written: Option<Vec<u8>>,
}

/// The file's content.
#[derive(Debug, Clone, Serialize)]
struct Status {
    /// False while anything is held.
    healthy: bool,
    store: String,
    started: Moment,
    /// Why everything is held, if it is.
    held: Option<String>,
    uploaded: Totals,
    streams: BTreeMap<Name, Line>,
}

#[derive(Debug, Clone, Default, Serialize)]
struct Line {
    /// Batches in the spool that are not in the store yet.
    backlog: usize,
    /// Why this stream is held, if it is.
    held: Option<String>,
    /// When its last batch was seen locked.
    last_success: Option<Moment>,
}

/// What was uploaded since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Batches.
    pub batches: u64,
    /// Their stored bytes.
    pub bytes: u64,
}

impl Health {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new(store: &str, started: Moment) -> Self {
        let status = Status {
            healthy: true,
            store: store.to_owned(),
            started,
            held: None,
            uploaded: Totals::default(),
            streams: BTreeMap::new(),
        };
        Self(Mutex::new(Pages {
            status,
            written: None,
        }))
    }

    /// A batch of `bytes` stored bytes has its receipt.
    pub fn uploaded(&self, stream: &Name, bytes: u64, at: Moment) {
        let mut pages = self.pages();
        pages.status.uploaded.batches += 1;
        pages.status.uploaded.bytes += bytes;
        pages.line(stream).last_success = Some(at);
    }

    /// A stream was looked at; true if what holds it (or that nothing does) is new.
    pub fn looked(&self, stream: &Name, backlog: usize, held: Option<&str>) -> bool {
        let mut pages = self.pages();
        let line = pages.line(stream);
        line.backlog = backlog;
        let is_new = line.held.as_deref() != held;
        line.held = held.map(str::to_owned);
        is_new
    }

    /// What was uploaded since the start.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.pages().status.uploaded
    }

    /// The file's new content, if it differs from the last that was asked for; `held` says why
    /// everything is held, if it is.
    #[must_use]
    pub fn to_write(&self, held: Option<String>) -> Option<Vec<u8>> {
        let mut pages = self.pages();
        let status = &mut pages.status;
        status.healthy = held.is_none() && status.streams.values().all(|line| line.held.is_none());
        status.held = held;
        let mut bytes = serde_json::to_vec(status).ok()?;
        bytes.push(b'\n');
        if pages.written.as_ref() == Some(&bytes) {
            return None;
        }
        pages.written = Some(bytes.clone());
        Some(bytes)
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn line(&mut self, stream: &Name) -> &mut Line {
        self.status.streams.entry(stream.clone()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_written_only_when_it_says_something_new() {
        let health = Health::new("s3://b", Moment::from_micros(0));
        let stream: Name = "auth".parse().unwrap();
        let text = |held: Option<&str>| {
            let bytes = health.to_write(held.map(str::to_owned));
            bytes.map(|bytes| String::from_utf8(bytes).unwrap())
        };
        assert!(text(None).unwrap().contains(r#""healthy":true"#));
        assert_eq!(text(None), None);
        assert!(health.looked(&stream, 3, Some("refused")));
        assert!(!health.looked(&stream, 3, Some("refused")));
        let held = text(None).unwrap();
        for part in [
            r#""healthy":false"#,
            r#""backlog":3"#,
            r#""held":"refused""#,
        ] {
            assert!(held.contains(part), "{part} in {held}");
        }
        assert!(health.looked(&stream, 0, None));
        health.uploaded(&stream, 10, Moment::from_micros(0));
        let expected = Totals {
            batches: 1,
            bytes: 10,
        };
        assert_eq!(health.totals(), expected);
        assert!(text(None).unwrap().contains(r#""healthy":true"#));
        assert!(text(Some("denied")).unwrap().contains(r#""healthy":false"#));
    }
}
