//! Logs that are over: remembered by length and a hash of all their bytes, so that a copy of one, packed or not, is known
//! when it turns up; and by their beginning, so that what repeats one is known to.

use super::checkpoint::{Checkpoint, hex};
use super::fingerprint::{HEAD_MAX, may_repeat_lossy};
use crate::read::plain::WINDOW;
use host::sabotage::{Switch, is_on};
use ledger::Digest;
use ledger::digest::parse_hex;
use ledger::entry::{PathBytes, decode_base64};
use ledger::limits::INTEGER_END;
use ledger::manifest::Source;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

/// Finished logs that are remembered; the oldest give way. About 2 MiB.
pub(crate) const FINISHED_MAX: usize = 10_000;

/// A log that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "FinishedFields", into = "FinishedFields")]
pub(crate) struct FinishedLog {
    /// Where it was first seen.
    path: PathBytes,
    /// Hash of its first window, or of all of a shorter one.
    first: Digest,
    /// Its first bytes, at most [`HEAD_MAX`].
    head: Vec<u8>,
    len: u64,
    /// Hash of all of it; of nothing, if bytes of it are missing in the archive.
    sha256: Digest,
}

impl FinishedLog {
    /// What an ended source leaves behind; nothing if nothing was read of it. One of which bytes are missing has no
    /// hash: it is known by its beginning alone, and nothing equals it.
    pub(crate) fn of(ended: &Checkpoint) -> Option<Self> {
        let content = ended.fingerprint();
        let sha256 = content.digest().unwrap_or_else(|| Digest::of(b""));
        (content.offset() > 0).then(|| Self {
            path: ended.path.clone(),
            first: content.first(),
            head: content.head().to_vec(),
            len: content.offset(),
            sha256,
        })
    }

    pub(crate) fn path(&self) -> &PathBytes {
        &self.path
    }

    /// Bytes of it are missing in the archive.
    fn lacks_bytes(&self) -> bool {
        self.sha256 == Digest::of(b"")
    }
}

/// The finished logs.
#[derive(Debug, Default)]
pub(super) struct Finished {
    /// By age.
    logs: BTreeMap<u64, FinishedLog>,
    by_first: HashMap<Digest, Vec<u64>>,
    next: u64,
}

impl Finished {
    pub(super) fn remember(&mut self, log: FinishedLog) {
        self.by_first.entry(log.first).or_default().push(self.next);
        self.logs.insert(self.next, log);
        self.next += 1;
        if self.logs.len() > FINISHED_MAX
            && let Some((age, oldest)) = self.logs.pop_first()
            && let Some(alike) = self.by_first.get_mut(&oldest.first)
        {
            alike.retain(|known| *known != age);
            if alike.is_empty() {
                self.by_first.remove(&oldest.first);
            }
        }
    }

    pub(super) fn extend(&mut self, logs: impl IntoIterator<Item = FinishedLog>) {
        logs.into_iter().for_each(|log| self.remember(log));
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &FinishedLog> {
        self.logs.values()
    }

    /// Whether one begins with a window of this hash; a shorter one is that window.
    pub(super) fn any_begins_with(&self, first: Digest) -> bool {
        self.by_first.contains_key(&first)
    }

    /// Whether a content repeats one, or the beginning of one: by its first `window`, and, where that is all of one of
    /// them, by its first bytes.
    pub(super) fn any_is_repeated_by(&self, window: &[u8], len: u64) -> bool {
        let short = len < WINDOW as u64;
        let repeated = |log: &FinishedLog| {
            if log.lacks_bytes() {
                return may_repeat_lossy(&log.head, window);
            }
            let common = window.len().min(log.head.len());
            let whole = usize::try_from(log.len).ok().filter(|len| *len < WINDOW);
            let whole = whole.and_then(|len| window.get(..len));
            log.head[..common] == window[..common]
                && ((short && log.len > len)
                    || whole.is_some_and(|whole| Digest::of(whole) == log.first))
        };
        self.any_begins_with(Digest::of(window)) || self.logs.values().any(repeated)
    }

    /// Whether one begins so and is so long.
    pub(super) fn any_is_so_long(&self, first: Digest, len: u64) -> bool {
        self.beginning_with(first).any(|log| log.len == len)
    }

    /// Those that are equal to a content.
    pub(super) fn equal_to(
        &self,
        first: Digest,
        len: u64,
        sha256: Digest,
    ) -> impl Iterator<Item = &FinishedLog> {
        self.beginning_with(first).filter(move |log| {
            let same = log.sha256 == sha256 || is_on(Switch::SkipByLength);
            log.len == len && same
        })
    }

    fn beginning_with(&self, first: Digest) -> impl Iterator<Item = &FinishedLog> {
        let ages = self.by_first.get(&first).into_iter().flatten();
        ages.filter_map(|age| self.logs.get(age))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FinishedFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
    first: Digest,
    /// In hex.
    head: String,
    len: u64,
    sha256: Digest,
}

/// Why JSON is not a finished log.
#[derive(Debug, thiserror::Error)]
#[error("not a finished log: one of path and path_base64, and a length of 1 to 2^53, are needed")]
pub(crate) struct NotAFinishedLog;

impl From<FinishedLog> for FinishedFields {
    fn from(log: FinishedLog) -> Self {
        let (path, path_base64) = Source::path_fields(&log.path);
        Self {
            path,
            path_base64,
            first: log.first,
            head: hex(&log.head),
            len: log.len,
            sha256: log.sha256,
        }
    }
}

impl TryFrom<FinishedFields> for FinishedLog {
    type Error = NotAFinishedLog;

    fn try_from(fields: FinishedFields) -> Result<Self, NotAFinishedLog> {
        let path = match (fields.path, fields.path_base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(text)) => decode_base64(&text).ok_or(NotAFinishedLog)?,
            _ => return Err(NotAFinishedLog),
        };
        let head = parse_hex(&fields.head).ok_or(NotAFinishedLog)?;
        if !(1..INTEGER_END).contains(&fields.len) || head.len() > HEAD_MAX {
            return Err(NotAFinishedLog);
        }
        Ok(Self {
            path: PathBytes(path),
            first: fields.first,
            head,
            len: fields.len,
            sha256: fields.sha256,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn example(n: u64) -> FinishedLog {
        FinishedLog {
            path: PathBytes(b"/var/log/app.log".to_vec()),
            first: Digest::of(b"first"),
            head: b"first".to_vec(),
            len: n + 1,
            sha256: Digest::of(&n.to_be_bytes()),
        }
    }

    #[test]
    fn the_oldest_give_way() {
        let mut finished = Finished::default();
        for n in 0..FINISHED_MAX as u64 + 3 {
            finished.remember(example(n));
        }
        assert_eq!(finished.iter().count(), FINISHED_MAX);
        let equal = |n: u64| {
            let log = example(n);
            finished.equal_to(log.first, log.len, log.sha256).count()
        };
        assert_eq!([2, 3, 500].map(equal), [0, 1, 1]);
        assert!(finished.any_begins_with(Digest::of(b"first")));
        assert!(!finished.any_is_so_long(Digest::of(b"first"), 1));
    }

    #[test]
    fn hostile_state_is_refused() {
        let good = serde_json::to_string(&example(3)).unwrap();
        assert_eq!(
            serde_json::from_str::<FinishedLog>(&good).unwrap(),
            example(3)
        );
        for (from, to) in [
            ("\"len\":4", "\"len\":0"),
            ("\"path\"", "\"more\""),
            ("{", "{\"x\":1,"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert!(serde_json::from_str::<FinishedLog>(&bad).is_err(), "{to}");
        }
    }
}
