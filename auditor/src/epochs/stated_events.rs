//! What an agent states of itself, signed: bytes it lost (GAP), lines that may be a repetition (AMBIGUOUS), an epoch
//! that began because something had gone wrong (NEW_EPOCH). Each is worth knowing and none is a fault of the archive.
//! Pure: a manifest in, notes out.

use ledger::finding::{Code, Finding, Severity};
use ledger::manifest::{Event, EventKind, Manifest, Reason};

/// Most paths that one note names; how many there are is said.
const NAMED_MAX: usize = 3;

/// A note for each gap, one for all sources that may repeat lines, one for the reasons of a new epoch.
pub(crate) fn notes(manifest: &Manifest) -> Vec<Finding> {
    let gaps = manifest
        .events
        .iter()
        .filter_map(|event| gap(manifest, event));
    let mut notes: Vec<Finding> = gaps.collect();
    notes.extend(repetitions(manifest));
    notes.extend(new_epoch(manifest));
    let slot = manifest.slot();
    notes.into_iter().map(|note| note.at(&slot)).collect()
}

/// How many bytes it states as lost, of the gaps whose end is known.
pub(crate) fn gap_bytes(manifest: &Manifest) -> u64 {
    let gaps = manifest
        .events
        .iter()
        .filter(|event| event.kind == EventKind::Gap);
    gaps.filter_map(|gap| gap.to?.checked_sub(gap.from?)).sum()
}

fn gap(manifest: &Manifest, event: &Event) -> Option<Finding> {
    let Event {
        kind: EventKind::Gap,
        source: Some(source),
        from: Some(from),
        to,
        reason: Some(reason),
        ..
    } = event
    else {
        return None;
    };
    let path = path(manifest, *source);
    let end = to.map_or("an unknown end".into(), |to| format!("byte {to}"));
    let reason = gap_reason(*reason);
    Some(note(
        Code::Gap,
        format!("the agent states that {path} lost bytes, from byte {from} to {end}: {reason}"),
    ))
}

fn repetitions(manifest: &Manifest) -> Option<Finding> {
    let stated = |event: &&Event| event.kind == EventKind::Ambiguous;
    let sources = manifest
        .events
        .iter()
        .filter(stated)
        .filter_map(|event| event.source);
    let sources: Vec<u64> = sources.collect();
    let named = sources.iter().take(NAMED_MAX);
    let mut paths = named
        .map(|source| path(manifest, *source))
        .collect::<Vec<_>>()
        .join(", ");
    match sources.len() {
        0 => return None,
        count if count > NAMED_MAX => paths += &format!(" and {} more", count - NAMED_MAX),
        _ => {}
    }
    Some(note(
        Code::Ambiguous,
        format!("the agent states that lines of {paths} may repeat lines that it archived before"),
    ))
}

fn new_epoch(manifest: &Manifest) -> Option<Finding> {
    let why = manifest.events.iter().filter_map(|event| match event.kind {
        EventKind::StateLost => Some("its state was lost, or disagreed with its spool"),
        EventKind::Rollback => {
            Some("the store has another statement for a seq of the epoch before")
        }
        EventKind::Rot => Some("a sealed batch was damaged in its spool"),
        EventKind::Retention => Some("the archiver refused a retention as too long"),
        _ => None,
    });
    let why: Vec<&str> = why.collect();
    let message = format!(
        "the agent states why it began a new epoch: {}",
        why.join("; ")
    );
    (!why.is_empty()).then(|| note(Code::NewEpoch, message))
}

fn path(manifest: &Manifest, source: u64) -> String {
    let of_source = manifest.sources.iter().find(|one| one.id == source);
    let path = of_source.and_then(|one| one.path_bytes());
    path.map_or_else(|| format!("source {source}"), |path| path.display())
}

/// The word of the format.
fn gap_reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Truncated => "truncated",
        Reason::Deleted => "deleted",
        Reason::Hole => "hole",
        Reason::Rot => "rot",
        Reason::Unreadable => "unreadable",
        Reason::Skipped => "skipped",
    }
}

fn note(code: Code, message: String) -> Finding {
    Finding::new(code, Severity::Note, message)
}
