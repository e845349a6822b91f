//! What a source has to say in its stream's next manifest: bytes that were taken or skipped since the
//! last seal, and notes. It knows neither the source's file nor its checkpoint.

use super::identity::FileId;
use ledger::entry::PathBytes;
use ledger::manifest::{self, Event, EventKind, Reason, Via, Was};

/// JSON bytes that a source, its entry and one event take besides the path, at most.
const SOURCE_BYTES: usize = 700;

/// JSON bytes that one gap event takes, at most.
const EVENT_BYTES: usize = 160;

/// Bytes taken through one file since the last seal.
#[derive(Debug)]
struct Span {
    file: FileId,
    from: u64,
    to: u64,
}

/// Bytes that will never be archived; without `to`, nobody knows how many.
#[derive(Debug, Clone, Copy)]
struct Gap {
    from: u64,
    to: Option<u64>,
    reason: Reason,
}

impl Gap {
    fn skipped(to: Option<u64>) -> Self {
        Self {
            from: 0,
            to,
            reason: Reason::Skipped,
        }
    }
}

/// What is to be said, until it is sealed.
#[derive(Debug, Default)]
pub(super) struct Unsealed {
    spans: Vec<Span>,
    gaps: Vec<Gap>,
    /// `ambiguous` and `weak`.
    notes: Vec<EventKind>,
    /// What was skipped at the beginning, through this file; it stays so when what was taken is thrown away.
    skipped: Option<(Option<FileId>, Gap)>,
}

impl Unsealed {
    /// For a source that begins: bytes in it may repeat another's, and its identity may be weak.
    pub(super) fn beginning(ambiguous: bool, weak: bool) -> Self {
        let ambiguous = ambiguous.then_some(EventKind::Ambiguous);
        let weak = weak.then_some(EventKind::Weak);
        Self {
            notes: ambiguous.into_iter().chain(weak).collect(),
            ..Self::default()
        }
    }

    /// Notes that the bytes `[from, to)` were taken or skipped through this file.
    pub(super) fn extend(&mut self, file: &FileId, from: u64, to: u64) {
        match self.spans.last_mut() {
            Some(span) if span.file == *file => span.to = to,
            _ => self.spans.push(Span {
                file: file.clone(),
                from,
                to,
            }),
        }
    }

    /// Notes that all up to here was skipped, through this file.
    pub(super) fn skip_first(&mut self, file: &FileId, to: u64) {
        self.skipped = Some((Some(file.clone()), Gap::skipped(Some(to))));
        self.extend(file, 0, to);
    }

    /// Notes that all of it is skipped, however much that is.
    pub(super) fn skip_all(&mut self) {
        self.skipped = Some((None, Gap::skipped(None)));
    }

    pub(super) fn add_gap(&mut self, from: u64, to: Option<u64>, reason: Reason) {
        self.gaps.push(Gap { from, to, reason });
    }

    /// Notes that it may repeat another source, once.
    pub(super) fn note_ambiguous(&mut self) {
        if !self.notes.contains(&EventKind::Ambiguous) {
            self.notes.push(EventKind::Ambiguous);
        }
    }

    /// Whether bytes were given up or skipped.
    pub(super) fn has_gaps(&self) -> bool {
        !self.gaps.is_empty() || self.skipped.is_some()
    }

    /// Whether all of it is skipped, however much that is.
    pub(super) fn skips_all(&self) -> bool {
        matches!(self.skipped, Some((_, Gap { to: None, .. })))
    }

    pub(super) fn gap_count(&self) -> usize {
        self.gaps.len()
    }

    /// Whether bytes were taken or skipped.
    pub(super) fn has_bytes(&self) -> bool {
        !self.spans.is_empty()
    }

    /// Whether something happened that an auditor must know, bytes aside.
    pub(super) fn has_events(&self) -> bool {
        self.has_gaps() || self.notes.contains(&EventKind::Ambiguous)
    }

    /// It is sealed.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The bytes are to be read again; what is noted of the source stays true.
    pub(super) fn roll_back(&mut self) {
        self.spans.clear();
        self.gaps.clear();
        if let Some((Some(file), Gap { to: Some(to), .. })) = self.skipped.clone() {
            self.extend(&file, 0, to);
        }
    }

    /// Manifest bytes that saying it takes, estimated from above.
    pub(super) fn stated_bytes(&self, path: &PathBytes) -> usize {
        // A path is at worst all control characters, six bytes each in JSON.
        let path: usize = path
            .0
            .iter()
            .map(|byte| if byte.is_ascii_graphic() { 2 } else { 6 })
            .sum();
        let files = self.spans.len().max(1);
        files * (SOURCE_BYTES + path) + self.gaps.len() * EVENT_BYTES
    }

    /// The `sources` of a manifest: one for each file, or one that says where `at` the source stands.
    pub(super) fn sources(
        &self,
        about: &Subject<'_>,
        moved: Option<Was>,
        at: (&FileId, u64),
    ) -> Vec<manifest::Source> {
        let mut was = moved;
        if self.spans.is_empty() {
            let (file, offset) = at;
            return vec![about.source(file, offset, offset, was)];
        }
        let spans = self.spans.iter();
        spans
            .map(|span| about.source(&span.file, span.from, span.to, was.take()))
            .collect()
    }

    /// The `events` of a manifest about the source of this id.
    pub(super) fn events(&self, id: u64) -> impl Iterator<Item = Event> {
        let notes = self.notes.iter().map(move |kind| Event::about(*kind, id));
        let gap = move |gap: &Gap| Event::gap(id, gap.from, gap.to, gap.reason);
        let skipped = self.skipped.iter().map(|(_, gap)| gap);
        notes.chain(skipped.chain(&self.gaps).map(gap))
    }
}

/// What every statement about a source has in common.
pub(super) struct Subject<'a> {
    pub(super) id: u64,
    pub(super) path: &'a PathBytes,
    pub(super) via: Via,
}

impl Subject<'_> {
    fn source(&self, file: &FileId, from: u64, to: u64, was: Option<Was>) -> manifest::Source {
        let (path, path_base64) = manifest::Source::path_fields(self.path);
        manifest::Source {
            id: self.id,
            path,
            path_base64,
            dev: file.dev.to_string(),
            ino: file.ino.to_string(),
            handle: file.handle.as_ref().map(|handle| handle.as_str().into()),
            via: self.via,
            from,
            to,
            was,
        }
    }
}
