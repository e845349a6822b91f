//! What a stream's next manifest must say of its sources, and what becomes of them once it is said.

use super::tracked_source::{Gap, Reach, Source};
use super::{STATED_BYTES_MAX, SourceKey, Sources};
use crate::track::checkpoint::Checkpoint;
use crate::track::identity::FileId;
use ledger::manifest::{self, Event, Was};
use ledger::name::Name;

/// JSON bytes that a source, its entry and one event take besides the path, at most.
const SOURCE_BYTES: usize = 700;

/// JSON bytes that one gap event takes, at most.
const EVENT_BYTES: usize = 160;

/// What the next manifest of a stream must say of everything taken, or happened, since the last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Statement {
    /// `sources`: every source touched, once per file it was read through, in order.
    pub(crate) sources: Vec<manifest::Source>,
    /// `events`: gaps, `ambiguous`, `weak`, all about these sources.
    pub(crate) events: Vec<Event>,
    /// The batch's `cursors` file: where these sources stand once the batch is sealed.
    pub(crate) checkpoints: Vec<Checkpoint>,
}

impl Sources {
    /// Whether events wait to be sealed, with or without entries.
    #[must_use]
    pub(crate) fn has_events(&self, stream: &Name) -> bool {
        self.touched(stream).any(|(_, source)| source.has_events())
    }

    /// Whether the next manifest has no room for a further source: seal now.
    #[must_use]
    pub(crate) fn is_full(&self, stream: &Name) -> bool {
        let size = |(_, source): (SourceKey, &Source)| source.stated_bytes();
        self.touched(stream).map(size).sum::<usize>() >= STATED_BYTES_MAX
    }

    /// What the stream's next manifest must say. The answer stays the same until something is
    /// taken, scanned, sealed or discarded.
    #[must_use]
    pub(crate) fn statement(&mut self, stream: &Name) -> Statement {
        let mut statement = Statement::default();
        for key in self.stated_now(stream) {
            let Some(name) = self.name(key) else {
                continue;
            };
            if let Some(source) = self.sources.get(&key) {
                source.state(name, &mut statement);
            }
        }
        statement
    }

    /// The last statement is durable: read positions become sealed ones, sources that ended are
    /// forgotten. Nothing may be taken or scanned between [`Sources::statement`] and this.
    pub(crate) fn sealed(&mut self, stream: &Name) {
        let Some(index) = self.index_of(stream) else {
            return;
        };
        for key in self.stated_now(stream) {
            let Some(name) = self.name(key) else {
                continue;
            };
            self.chapters[index].touched.remove(&key);
            let Some(source) = self.sources.get_mut(&key) else {
                continue;
            };
            match source.reach {
                Reach::Over { .. } => {
                    self.sources.remove(&key);
                }
                _ if source.has_news() => source.commit(name),
                _ => source.refiled = false,
            }
        }
    }

    /// The batch was thrown away: read positions return to the sealed ones. Bytes that no file holds
    /// any more become a gap.
    pub(crate) fn discarded(&mut self, stream: &Name) {
        let Some(index) = self.index_of(stream) else {
            return;
        };
        let touched = std::mem::take(&mut self.chapters[index].touched);
        for key in touched {
            let Some(source) = self.sources.get_mut(&key) else {
                continue;
            };
            source.roll_back();
            let ends = matches!(source.reach, Reach::Over { .. });
            if source.refiled || ends || source.has_news() {
                self.touch(key);
            }
        }
    }

    fn touched(&self, stream: &Name) -> impl Iterator<Item = (SourceKey, &Source)> {
        let chapter = self.index_of(stream).map(|index| &self.chapters[index]);
        let keys = chapter.into_iter().flat_map(|chapter| &chapter.touched);
        keys.filter_map(|key| Some((*key, self.sources.get(key)?)))
    }

    /// The sources that the next manifest speaks of: all that gave bytes, and as many more as there
    /// is room for; the rest stay for the one after.
    fn stated_now(&self, stream: &Name) -> Vec<SourceKey> {
        let (due, idle): (Vec<_>, Vec<_>) = self
            .touched(stream)
            .partition(|(_, source)| !source.spans.is_empty());
        let mut size = 0;
        let mut room = |source: &Source| {
            let fits = size < STATED_BYTES_MAX;
            size += source.stated_bytes();
            fits
        };
        let mut keys = Vec::new();
        for (key, source) in due {
            room(source);
            keys.push(key);
        }
        keys.extend(
            idle.into_iter()
                .filter(|(_, s)| room(s))
                .map(|(key, _)| key),
        );
        keys.sort_unstable();
        keys
    }
}

impl Source {
    /// Manifest bytes that speaking of it takes, estimated from above.
    fn stated_bytes(&self) -> usize {
        if !self.has_news() {
            return 0;
        }
        // A path is at worst all control characters, six bytes each in JSON.
        let path: usize = self
            .path
            .0
            .iter()
            .map(|byte| if byte.is_ascii_graphic() { 2 } else { 6 })
            .sum();
        let files = self.spans.len().max(1);
        files * (SOURCE_BYTES + path) + self.gaps.len() * EVENT_BYTES
    }

    fn state(&self, name: Was, statement: &mut Statement) {
        let moved = self.stated.clone().filter(|stated| *stated != name);
        let is_over = matches!(self.reach, Reach::Over { .. });
        if !self.has_news() {
            // Nothing for an auditor, but recovery must know: under the name it knows.
            let known = self.stated.clone();
            let checkpoint = known.map(|name| self.checkpoint(name, &self.read, None));
            return statement
                .checkpoints
                .extend(checkpoint.map(|checkpoint| Checkpoint {
                    ended: is_over,
                    ..checkpoint
                }));
        }
        self.state_files(&name, moved.clone(), &mut statement.sources);
        self.state_events(name.id, &mut statement.events);
        statement.checkpoints.push(Checkpoint {
            ended: is_over,
            ..self.checkpoint(name, &self.read, moved)
        });
    }

    fn state_files(&self, name: &Was, moved: Option<Was>, out: &mut Vec<manifest::Source>) {
        let offset = self.read.offset();
        let (path, path_base64) = manifest::Source::path_fields(&self.path);
        let entry = |file: &FileId, from, to, was| manifest::Source {
            id: name.id,
            path: path.clone(),
            path_base64: path_base64.clone(),
            dev: file.dev.to_string(),
            ino: file.ino.to_string(),
            handle: file.handle.as_ref().map(|handle| handle.as_str().into()),
            via: self.via,
            from,
            to,
            was,
        };
        let mut was = moved;
        if self.spans.is_empty() {
            return out.push(entry(&self.held.id, offset, offset, was.take()));
        }
        for span in &self.spans {
            out.push(entry(&span.file, span.from, span.to, was.take()));
        }
    }

    fn state_events(&self, id: u64, out: &mut Vec<Event>) {
        out.extend(self.notes.iter().map(|kind| Event::about(*kind, id)));
        let known = |gap: &Gap| Event::gap(id, gap.from, Some(gap.to), gap.reason);
        out.extend(self.gaps.iter().map(known));
        let ending = self.ending();
        out.extend(ending.map(|reason| Event::gap(id, self.read.offset(), None, reason)));
    }
}
