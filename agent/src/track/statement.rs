//! What a stream's next manifest must say of its sources, and the checkpoints that go with it.

use super::checkpoint::{Checkpoint, SealedContent};
use super::finished::FinishedLog;
use super::tracked_source::{Condition, TrackedSource};
use super::unsealed::Subject;
use ledger::limits::MANIFEST_TARGET;
use ledger::manifest::{self, Event, Was};

/// Manifest bytes that sources and events may take; the other half is for blocks and all else. One
/// source may exceed it, by its path.
pub(super) const STATED_BYTES_MAX: usize = MANIFEST_TARGET / 2;

/// What the next manifest of a stream must say of everything taken, or happened, since the last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StreamStatement {
    /// `sources`: every source touched, once per file it was read through, in order.
    pub(crate) sources: Vec<manifest::Source>,
    /// `events`: gaps, `ambiguous`, `weak`, all about these sources.
    pub(crate) events: Vec<Event>,
    /// The batch's `cursors` file: where these sources stand once the batch is sealed.
    pub(crate) checkpoints: Vec<Checkpoint>,
}

/// Manifest bytes that speaking of a source takes, estimated from above.
pub(super) fn stated_bytes(source: &TrackedSource) -> usize {
    match source.has_news() {
        true => source.positions().unsealed().stated_bytes(source.path()),
        false => 0,
    }
}

/// Adds what is to be said of a source, under this name.
pub(super) fn add(statement: &mut StreamStatement, source: &TrackedSource, name: Was) {
    let mut once_sealed = source.positions().once_sealed();
    let ended = source.is_ended();
    if source.ending().is_some() {
        // Bytes of it are missing: it was not archived whole.
        once_sealed.whole = None;
    }
    if !source.has_news() {
        // Nothing for an auditor, but recovery must know: under the name it knows.
        let waits = source.is_unidentified() && !ended;
        let known = source.stated().or(source.registered()).cloned();
        let known = known.or_else(|| waits.then_some(name));
        statement.checkpoints.extend(known.map(|known| Checkpoint {
            ended,
            ..checkpoint(source, known, once_sealed, None, false)
        }));
        return;
    }
    let moved = source.stated().filter(|stated| **stated != name).cloned();
    let subject = Subject {
        id: name.id,
        path: source.path(),
        via: source.via(),
    };
    let at = (source.file().id(), source.offset());
    let unsealed = source.positions().unsealed();
    let sources = unsealed.sources(&subject, moved.clone(), at);
    statement.sources.extend(sources);
    statement.events.extend(unsealed.events(name.id));
    let ending = source.ending();
    let gap = ending.map(|reason| Event::gap(name.id, source.offset(), None, reason));
    statement.events.extend(gap);
    let registered = source.registered().filter(|known| **known != name).cloned();
    statement.checkpoints.push(Checkpoint {
        ended,
        candidate: false,
        ..checkpoint(source, name, once_sealed, moved.or(registered), false)
    });
}

/// Where a source stands as sealed, for the snapshot; nothing for one that is over and done.
pub(super) fn sealed_checkpoint(source: &TrackedSource) -> Option<Checkpoint> {
    if matches!(source.condition(), Condition::Ended { gap: None }) {
        return None;
    }
    let name = source.stated().or(source.registered()).cloned()?;
    let content = source.positions().as_sealed();
    Some(checkpoint(source, name, content, None, true))
}

/// What is to be remembered of a source that is over.
pub(super) fn finished(source: &TrackedSource, name: Was) -> Option<FinishedLog> {
    let mut content = source.positions().once_sealed();
    if source.ending().is_some() {
        content.whole = None;
    }
    FinishedLog::of(&checkpoint(source, name, content, None, true))
}

/// The checkpoint of a position under `name`, one that is `sealed` or is being sealed.
fn checkpoint(
    source: &TrackedSource,
    name: Was,
    content: SealedContent,
    was: Option<Was>,
    sealed: bool,
) -> Checkpoint {
    Checkpoint {
        source: name,
        path: source.path().clone(),
        file: source.file().id().clone(),
        via: source.via(),
        seen: source.last_look(content.offset, sealed),
        content,
        ended: false,
        candidate: source.stated().is_none(),
        was,
    }
}
