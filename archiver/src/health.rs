//! How archiving goes, for people and monitors: `receipts/.status.json`, written at a bounded pace.
//!
//! It tells; nothing is decided by it.

use host::disk;
use ledger::Moment;
use ledger::name::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The file in the archiver's half of the spool, under a name that no stream can have.
pub const STATUS_FILE: &str = ".status.json";

/// Version of the file.
pub const VERSION: u64 = 1;

/// Longest file that is read.
const FILE_MAX: u64 = 1024 * 1024;

/// How archiving goes.
#[derive(Debug)]
pub struct Health(Mutex<HealthState>);

#[derive(Debug)]
struct HealthState {
    status: Status,
    written: Option<Vec<u8>>,
}

/// The file's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// [`VERSION`]
    pub v: u64,
    /// False while anything is held or paused.
    pub healthy: bool,
    /// The store's URL.
    pub store: String,
    /// When the archiver started.
    pub started: Moment,
    /// Why uploads of all streams are paused, if they are.
    pub held: Option<String>,
    /// What was uploaded since the start.
    pub uploaded: UploadTotals,
    /// The streams that were looked at.
    pub streams: BTreeMap<Name, StreamStatus>,
}

/// One stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamStatus {
    /// Batches in the spool that are not in the store yet.
    pub backlog: u64,
    /// Why this stream is held, if it is.
    pub held: Option<String>,
    /// When its last batch since the start was seen locked.
    pub last_success: Option<Moment>,
}

/// What was uploaded since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadTotals {
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
            v: VERSION,
            healthy: true,
            store: store.to_owned(),
            started,
            held: None,
            uploaded: UploadTotals::default(),
            streams: BTreeMap::new(),
        };
        Self(Mutex::new(HealthState {
            status,
            written: None,
        }))
    }

    /// A batch of `bytes` stored bytes has its receipt.
    pub fn uploaded(&self, stream: &Name, bytes: u64, at: Moment) {
        let mut state = self.state();
        state.status.uploaded.batches += 1;
        state.status.uploaded.bytes += bytes;
        state.line(stream).last_success = Some(at);
    }

    /// A stream was looked at; true if what holds it (or that nothing does) is new.
    pub fn looked(&self, stream: &Name, backlog: usize, held: Option<&str>) -> bool {
        let mut state = self.state();
        let line = state.line(stream);
        line.backlog = backlog as u64;
        let is_new = line.held.as_deref() != held;
        line.held = held.map(str::to_owned);
        is_new
    }

    /// What was uploaded since the start.
    #[must_use]
    pub fn totals(&self) -> UploadTotals {
        self.state().status.uploaded
    }

    /// The file's new content, if it differs from the last that was asked for; `held` says why
    /// uploads of all streams are paused, if they are.
    #[must_use]
    pub fn to_write(&self, held: Option<String>) -> Option<Vec<u8>> {
        let mut state = self.state();
        let status = &mut state.status;
        status.healthy = held.is_none() && status.streams.values().all(|line| line.held.is_none());
        status.held = held;
        let mut bytes = serde_json::to_vec(status).ok()?;
        bytes.push(b'\n');
        if state.written.as_ref() == Some(&bytes) {
            return None;
        }
        state.written = Some(bytes.clone());
        Some(bytes)
    }

    /// Writes the file in `receipts`, if it has something new to say.
    pub fn save(&self, receipts: &Path, held: Option<String>) {
        let Some(bytes) = self.to_write(held) else {
            return;
        };
        if let Err(error) = disk::write_durable(receipts, STATUS_FILE, &bytes) {
            tracing::warn!("{}/{STATUS_FILE}: {error}", receipts.display());
        }
    }

    fn state(&self) -> MutexGuard<'_, HealthState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Status {
    /// Reads the file that an archiver left in `receipts`. It is as hostile as anything that others
    /// may write to.
    ///
    /// # Errors
    /// What the system says; `NotFound` if no archiver ever ran here, `InvalidData` if it is no status.
    pub fn read(receipts: &Path) -> io::Result<Self> {
        let bytes = disk::read_bounded(&receipts.join(STATUS_FILE), FILE_MAX)?;
        let invalid = |message: String| io::Error::new(io::ErrorKind::InvalidData, message);
        let status: Self =
            serde_json::from_slice(&bytes).map_err(|error| invalid(error.to_string()))?;
        if status.v == VERSION {
            return Ok(status);
        }
        Err(invalid(format!(
            "version {} where {VERSION} is expected",
            status.v
        )))
    }
}

impl HealthState {
    fn line(&mut self, stream: &Name) -> &mut StreamStatus {
        self.status.streams.entry(stream.clone()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_status_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let write = |bytes: &[u8]| std::fs::write(dir.path().join(STATUS_FILE), bytes).unwrap();
        let kind = || Status::read(dir.path()).map_err(|error| error.kind());
        assert_eq!(kind(), Err(io::ErrorKind::NotFound));
        let health = Health::new("s3://b", Moment::from_micros(0));
        health.looked(&"auth".parse().unwrap(), 3, Some("refused"));
        let good = health.to_write(None).unwrap();
        write(&good);
        assert_eq!(kind().unwrap().streams.len(), 1);
        let good = String::from_utf8(good).unwrap();
        for (from, to) in [
            (r#""v":1"#, r#""v":2"#),
            (r#""backlog":3"#, r#""backlog":-3"#),
            (r#""auth""#, r#""../auth""#),
            (r#""held""#, r#""hold""#),
            ("}\n", ""),
        ] {
            let bad = good.replace(from, to);
            assert_ne!(bad, good);
            write(bad.as_bytes());
            assert_eq!(kind().unwrap_err(), io::ErrorKind::InvalidData, "{bad}");
        }
        write(&vec![b' '; usize::try_from(FILE_MAX).unwrap() + 1]);
        assert_eq!(kind().unwrap_err(), io::ErrorKind::FileTooLarge);
    }

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
        let expected = UploadTotals {
            batches: 1,
            bytes: 10,
        };
        assert_eq!(health.totals(), expected);
        assert!(text(None).unwrap().contains(r#""healthy":true"#));
        assert!(text(Some("denied")).unwrap().contains(r#""healthy":false"#));
    }
}
