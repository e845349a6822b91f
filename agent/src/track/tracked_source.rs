//! A source: one life of a log, how far it is read and sealed, and what is still to be said of it.

use super::tracked_file::Held;
use crate::track::checkpoint::{Checkpoint, Content, LastLook};
use crate::track::fingerprint::Fingerprint;
use crate::track::identity::FileId;
use ledger::entry::PathBytes;
use ledger::manifest::{EventKind, Reason, Via, Was};

/// How far a source is read, and the proof of what was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Position {
    pub(super) content: Fingerprint,
    /// The byte before is archived and not LF.
    pub(super) amid: bool,
}

impl Position {
    pub(super) fn offset(&self) -> u64 {
        self.content.offset()
    }
}

/// Bytes taken through one file since the last seal.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) file: FileId,
    pub(super) from: u64,
    pub(super) to: u64,
}

/// Bytes of known bounds that will never be archived.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gap {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) reason: Reason,
}

/// How the source's file can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// By a name or a descriptor.
    Here,
    /// Neither name nor descriptor lead to it.
    Absent {
        /// Since when; `None` until the end of the first scan that misses it.
        since_ms: Option<u64>,
    },
    /// Its file holds other bytes now; a copy may hold the rest.
    Robbed {
        /// The scan that saw it.
        scan: u64,
    },
    /// Nothing more can come.
    Over {
        /// Bytes from the read position on are lost, up to nobody knows where.
        gap: Option<Reason>,
    },
}

/// One life of a log.
#[derive(Debug)]
pub(super) struct Source {
    /// Index of its stream; `None` while the config names none for it.
    pub(super) stream: Option<usize>,
    /// Where it was first seen, for life.
    pub(super) path: PathBytes,
    pub(super) via: Via,
    /// Its name in the archive, as last sealed.
    pub(super) stated: Option<Was>,
    /// Its id in the stream's present epoch.
    pub(super) id: Option<u64>,
    pub(super) sealed: Position,
    pub(super) read: Position,
    pub(super) held: Held,
    pub(super) reach: Reach,
    /// Since the last seal: what was taken or skipped, and which of it is gaps.
    pub(super) spans: Vec<Span>,
    pub(super) gaps: Vec<Gap>,
    /// `ambiguous` and `weak`, until sealed.
    pub(super) notes: Vec<EventKind>,
    /// The file is a copy that ends at or before the read position: known, never read.
    pub(super) spent: bool,
    /// How long the source was known to be when it lost the file before; its copy may be shorter.
    pub(super) extent: u64,
    /// It lives in another file than its last sealed checkpoint says.
    pub(super) refiled: bool,
    /// Its content no longer fits, as a read found: the next scan looks closer.
    pub(super) suspect: bool,
    /// Nothing could be taken since the last scan.
    pub(super) stalled: bool,
    /// It is known from an earlier run and not seen since; it was at its first path then.
    pub(super) unwatched: bool,
    /// Why it cannot be read now.
    pub(super) fault: Option<String>,
    /// When it was last read, for fairness; larger is later.
    pub(super) turn: u64,
}

impl Source {
    /// A source that begins with its file.
    pub(super) fn fresh(stream: usize, path: PathBytes, held: Held, ambiguous: bool) -> Self {
        let weak = held.id.handle.is_none().then_some(EventKind::Weak);
        let ambiguous = ambiguous.then_some(EventKind::Ambiguous);
        Self {
            stream: Some(stream),
            path,
            via: Via::Plain,
            stated: None,
            id: None,
            sealed: Position::default(),
            read: Position::default(),
            held,
            reach: Reach::Here,
            spans: Vec::new(),
            gaps: Vec::new(),
            notes: ambiguous.into_iter().chain(weak).collect(),
            spent: false,
            extent: 0,
            refiled: false,
            suspect: false,
            stalled: false,
            unwatched: false,
            fault: None,
            turn: 0,
        }
    }

    /// A source as its checkpoint has it; its file is yet to be found.
    pub(super) fn restore(checkpoint: Checkpoint, stream: Option<usize>) -> Self {
        let position = Position {
            content: checkpoint.fingerprint(),
            amid: checkpoint.content.amid,
        };
        let held = Held {
            size: checkpoint.seen.size,
            ..Held::new(checkpoint.file, checkpoint.seen.folder)
        };
        Self {
            stream,
            via: checkpoint.via,
            stated: Some(checkpoint.source),
            sealed: position.clone(),
            read: position,
            reach: Reach::Absent { since_ms: None },
            notes: Vec::new(),
            spent: checkpoint.seen.spent,
            extent: checkpoint.seen.extent,
            unwatched: checkpoint.seen.live,
            ..Self::fresh(0, checkpoint.path, held, false)
        }
    }

    /// Whether the file was last seen at the source's first path.
    pub(super) fn is_live(&self) -> bool {
        let matched = self.held.matched.as_ref();
        matched.is_some_and(|matched| matched.raw() == self.path.0)
    }

    /// Whether all that is known of it is sealed.
    pub(super) fn is_settled(&self) -> bool {
        self.read.offset() == self.sealed.offset() && self.held.size <= self.read.offset()
    }

    /// Whether the last look showed bytes beyond the read position.
    pub(super) fn has_unread(&self) -> bool {
        self.reach == Reach::Here && !self.spent && self.held.size > self.read.offset()
    }

    /// The gap of unknown end that ends it, if one does.
    pub(super) fn ending(&self) -> Option<Reason> {
        match self.reach {
            Reach::Over { gap } => gap,
            _ => None,
        }
    }

    /// Whether something happened to it that an auditor must know, bytes aside.
    pub(super) fn has_events(&self) -> bool {
        let ambiguous = self.notes.contains(&EventKind::Ambiguous);
        ambiguous || !self.gaps.is_empty() || self.ending().is_some()
    }

    /// Whether the next manifest must speak of it.
    pub(super) fn has_news(&self) -> bool {
        !self.spans.is_empty() || self.has_events()
    }

    /// Notes that bytes up to the read position were taken, from `from` on, through its file.
    pub(super) fn extend_span(&mut self, from: u64) {
        let to = self.read.offset();
        match self.spans.last_mut() {
            Some(span) if span.file == self.held.id => span.to = to,
            _ => self.spans.push(Span {
                file: self.held.id.clone(),
                from,
                to,
            }),
        }
    }

    /// Moves over bytes that cannot be read. `window` is the last window, as verified; what is not
    /// read counts as zeros in the fingerprint.
    pub(super) fn skip(&mut self, window: &[u8], to: u64, reason: Reason) {
        let from = self.read.offset();
        self.read.content.absorb_hole(window, to - from);
        self.read.amid = false;
        self.gaps.push(Gap { from, to, reason });
        self.extend_span(from);
    }

    /// The read position becomes the sealed one.
    pub(super) fn commit(&mut self, name: Was) {
        self.stated = Some(name);
        self.spans.clear();
        self.gaps.clear();
        self.notes.clear();
        self.refiled = false;
        if self.held.size <= self.read.offset() {
            self.read.content.cool();
        }
        self.sealed = self.read.clone();
    }

    /// The read position returns to the sealed one.
    pub(super) fn roll_back(&mut self) {
        self.spans.clear();
        self.gaps.clear();
        self.stalled = false;
        self.read = self.sealed.clone();
        self.spent &= self.held.size <= self.read.offset();
    }

    /// The checkpoint of `position` under `name`.
    pub(super) fn checkpoint(
        &self,
        name: Was,
        position: &Position,
        was: Option<Was>,
    ) -> Checkpoint {
        // A copy is spent only for a position beyond it: an earlier one must still read it.
        let spent = self.spent && self.held.size <= position.offset();
        Checkpoint {
            source: name,
            path: self.path.clone(),
            file: self.held.id.clone(),
            via: self.via,
            content: Content {
                offset: position.offset(),
                amid: position.amid,
                windows: position.content.ladder().to_vec(),
                last: position.content.last(),
            },
            seen: LastLook {
                size: self.held.size,
                extent: self.extent,
                live: self.unwatched || self.is_live(),
                spent,
                folder: self.held.folder,
            },
            ended: false,
            was,
        }
    }
}
