//! Lives of a log: where one begins, and where it has lost its file or is over.

use super::decide::{self, Known, KnownFile};
use super::scan::Round;
use super::tracked_file::{Held, OpenFault};
use super::tracked_source::{Reach, Source};
use super::{SourceKey, Sources};
use crate::find::MatchedPath;
use crate::sys::{self, Stat};
use ledger::entry::PathBytes;
use ledger::manifest::Reason;
use ledger::name::Epoch;

impl Sources {
    /// A known file has changed: is it still its source's?
    pub(super) fn examine(&mut self, key: SourceKey, stat: Stat, round: &mut Round) {
        let boot_id = self.boot_id;
        let Some(source) = self.sources.get_mut(&key) else {
            return;
        };
        if source.spent {
            if stat.size == source.held.size {
                source.held.looked(stat, round.now_ms);
            } else {
                self.rob(key, stat, false, round);
            }
            return;
        }
        let offset = source.read.offset();
        // Proven here and again by each read: whose a new file's content is cannot be told while it
        // is open whether this one still has its own.
        let window_same = match source.still_holds(&stat, boot_id) {
            Ok(same) => same,
            Err(OpenFault::Moved) => {
                source.reach = Reach::Absent { since_ms: None };
                source.suspect = false;
                return;
            }
            Err(OpenFault::Io(error)) => {
                source.fault = Some(error.to_string());
                return round.fault(&source.path, &error);
            }
        };
        let file = KnownFile {
            offset,
            seen: source.held.stat.map(|known| known.size),
            size: stat.size,
            window_same,
        };
        source.suspect = false;
        match decide::known_file(file) {
            Known::Appended => {
                source.held.looked(stat, round.now_ms);
                source.fault = None;
                source.held.read_head(boot_id);
            }
            Known::Truncated { ambiguous } => self.rob(key, stat, ambiguous, round),
        }
    }

    /// The source's file holds other bytes now. They are a source of their own; the old one waits a
    /// scan for a copy of the rest.
    fn rob(&mut self, key: SourceKey, stat: Stat, ambiguous: bool, round: &Round) {
        let Some(source) = self.sources.get_mut(&key) else {
            return;
        };
        let held = Held {
            file: source.held.file.take(),
            matched: source.held.matched.take(),
            scan: self.scan,
            ..Held::new(source.held.id.clone(), source.held.folder)
        };
        // It may have been cut only after that look, and be shorter by now.
        let fresh = held.file.as_ref().map(|file| sys::stat_file(file));
        let stat = fresh.and_then(Result::ok).unwrap_or(stat);
        let path = held
            .matched
            .as_ref()
            .map_or(source.path.clone(), MatchedPath::bytes);
        let stream = source.stream;
        self.orphan(key);
        if let Some(stream) = stream {
            self.begin(stream, path, held, stat, ambiguous, round.now_ms);
        }
    }

    /// The source has lost its file.
    pub(super) fn orphan(&mut self, key: SourceKey) {
        let scan = self.scan;
        let Some(source) = self.sources.get_mut(&key) else {
            return;
        };
        source.extent = source
            .extent
            .max(source.held.size)
            .max(source.read.offset());
        source.held.file = None;
        source.held.matched = None;
        if source.spent || source.extent == 0 {
            self.end(key, None);
        } else {
            source.reach = Reach::Robbed { scan };
        }
    }

    /// A new source begins with its file.
    pub(super) fn begin(
        &mut self,
        stream: usize,
        path: PathBytes,
        mut held: Held,
        stat: Stat,
        ambiguous: bool,
        now_ms: u64,
    ) -> SourceKey {
        held.looked(stat, now_ms);
        held.read_head(self.boot_id);
        self.opened += usize::from(held.file.is_some());
        let key = self.add(Source::fresh(stream, path, held, ambiguous));
        if ambiguous {
            // Said at once: what makes it ambiguous may be forgotten before its bytes are read.
            self.touch(key);
        }
        self.close_surplus();
        key
    }

    /// Nothing more will come of the source.
    pub(super) fn end(&mut self, key: SourceKey, gap: Option<Reason>) {
        let Some(source) = self.sources.get_mut(&key) else {
            return;
        };
        if gap.is_none() && source.stated.is_none() && source.spans.is_empty() {
            self.sources.remove(&key);
            return;
        }
        source.reach = Reach::Over { gap };
        source.held.file = None;
        // A stream that is no more cannot speak of it; the first one does.
        source.stream = source.stream.or(Some(0));
        self.touch(key);
    }
}

impl Source {
    /// Whether its file, as just looked at, still has what was read or, before that, seen of it.
    fn still_holds(&mut self, stat: &Stat, boot_id: Epoch) -> Result<bool, OpenFault> {
        let offset = self.read.offset();
        if stat.size < offset {
            return Ok(false);
        }
        let unread = self.held.head.len() as u64 > offset;
        if offset == 0 && !unread {
            return Ok(true);
        }
        let file = self.held.open(boot_id)?;
        let head_same = !unread || self.held.has_head(&file).map_err(OpenFault::Io)?;
        Ok(head_same && self.read.content.ends_in(&file).map_err(OpenFault::Io)?)
    }
}
