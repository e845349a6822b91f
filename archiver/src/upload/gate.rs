//! Why nothing gets through, and where all uploads wait while they are paused: wrong credentials, a missing
//! bucket, a lock that is not one. Whoever is first after the wait tries again and opens it for all. An outage
//! closes nothing, for each upload waits for itself; it is noted here, by stream, to be told.

use host::health::Severity;
use ledger::name::Name;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::StoreError;
use tokio::time::Instant;

/// Failures in a row, about a second's worth, after which an upload that is merely tried again is told as
/// an outage.
const OUTAGE_FAILURES: u32 = 2;

/// Why nothing gets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The store has not been seen to keep evidence since the start.
    Starting,
    /// A request failed in a way that passes by itself, and is tried again.
    Retrying,
    /// The same request keeps failing in such a way.
    Outage,
    /// Credentials, rights, region, the bucket.
    Denied,
    /// The server's certificate is not trusted.
    Certificate,
    /// Answers that make no sense.
    Nonsense,
    /// The store said that it stored and locked, and did not.
    NotEnforced,
    /// The start was refused: the store cannot keep evidence.
    Unfit,
}

impl Cause {
    /// What a failure means for all uploads.
    #[must_use]
    pub fn of(error: &StoreError) -> Self {
        match error {
            StoreError::Denied(_) | StoreError::NoBucket(_) | StoreError::Refused(_) => {
                Self::Denied
            }
            StoreError::Missing(_)
            | StoreError::Broken(_)
            | StoreError::Exists(_)
            | StoreError::TooLarge { .. } => Self::Nonsense,
            StoreError::Certificate(_) => Self::Certificate,
            StoreError::Busy(_)
            | StoreError::Conflict(_)
            | StoreError::Skew { .. }
            | StoreError::BadDigest(_) => Self::Outage,
        }
    }

    /// The code of its reason.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Retrying => "retrying",
            Self::Outage => "outage",
            Self::Denied => "denied",
            Self::Certificate => "certificate",
            Self::Nonsense => "nonsense",
            Self::NotEnforced => "not_enforced",
            Self::Unfit => "store_unfit",
        }
    }

    /// How grave it is.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::Retrying => Severity::Warning,
            Self::Starting
            | Self::Outage
            | Self::Denied
            | Self::Certificate
            | Self::Nonsense
            | Self::NotEnforced
            | Self::Unfit => Severity::Error,
        }
    }
}

/// What keeps uploads from getting through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What it is.
    pub cause: Cause,
    /// Whose uploads; `None` for all.
    pub stream: Option<Name>,
    /// For people.
    pub why: String,
}

/// Open, or closed with a reason.
#[derive(Debug, Default)]
pub struct Gate(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    closed: Option<Closed>,
    /// Why a stream's upload does not get through although it is open. As many as are uploaded at once.
    failing: BTreeMap<Name, (Cause, String)>,
}

#[derive(Debug)]
struct Closed {
    cause: Cause,
    why: String,
    until: Instant,
}

impl Gate {
    /// Waits while it is closed and its time is not over.
    pub async fn wait(&self) {
        loop {
            let until = self.state().closed.as_ref().map(|closed| closed.until);
            match until {
                Some(until) if until > Instant::now() => tokio::time::sleep_until(until).await,
                _ => return,
            }
        }
    }

    /// Why it is closed, if it is.
    pub fn why(&self) -> Option<String> {
        let state = self.state();
        state.closed.as_ref().map(|closed| closed.why.clone())
    }

    /// Why nothing gets through, closed or not: what is about all uploads first.
    pub fn troubles(&self) -> Vec<Trouble> {
        let state = self.state();
        let closed = state.closed.iter().map(|closed| Trouble {
            cause: closed.cause,
            stream: None,
            why: format!("PAUSED: {}", closed.why),
        });
        let failing = state.failing.iter().map(|(stream, (cause, why))| Trouble {
            cause: *cause,
            stream: Some(stream.clone()),
            why: why.clone(),
        });
        closed.chain(failing).collect()
    }

    /// Closes it; true if it was open.
    pub fn close(&self, cause: Cause, why: &str, wait: Duration) -> bool {
        let closed = Closed {
            cause,
            why: why.to_owned(),
            until: Instant::now() + wait,
        };
        self.state().closed.replace(closed).is_none()
    }

    /// Notes that an upload of `stream` failed `failures` times in a row before this, and is tried again.
    pub(super) fn note_failure(&self, stream: &Name, failures: u32, why: String) {
        let cause = if failures >= OUTAGE_FAILURES {
            Cause::Outage
        } else {
            Cause::Retrying
        };
        self.state().failing.insert(stream.clone(), (cause, why));
    }

    /// A request of `stream` was answered, or is given up.
    pub(super) fn forget_failure(&self, stream: &Name) -> Option<Cause> {
        let failing = self.state().failing.remove(stream);
        failing.map(|(cause, _)| cause)
    }

    /// Opens it, for something got through; true if it was closed.
    pub fn open(&self) -> bool {
        self.state().closed.take().is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
