//! One void batch, made into one of the epoch that answers: the same entries under new numbers, the same statements
//! under new names.

use super::FileOf;
use super::batch_reader::{BatchReader, BlockBytes, UnreadableBlock};
use super::names::Names;
use super::reread::{Reread, reread};
use crate::recovery::sealed_batch::SealedBatch;
use crate::sealing::open_batch::OpenBatch;
use crate::sealing::seal_error::SealError;
use crate::sealing::sealer::Sealer;
use crate::sealing::stream_state::{SealedAt, StreamState};
use crate::spool::Layout;
use crate::track::checkpoint::Checkpoint;
use ledger::entry::{self, Entry};
use ledger::manifest::{Event, EventKind, Reason, Source, Was};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

/// What is needed for it.
pub(super) struct Restating<'a> {
    pub(super) batch: &'a SealedBatch,
    pub(super) folder: &'a Path,
    pub(super) layout: &'a Layout,
    pub(super) next: &'a StreamState,
    pub(super) sealer: &'a mut Sealer,
    pub(super) file_of: FileOf<'a>,
    pub(super) at: SealedAt,
    /// What the disk does not give is lost.
    pub(super) gives_up: bool,
}

/// What it becomes.
pub(super) struct Restated {
    pub(super) batch: Option<OpenBatch>,
    pub(super) sources: Vec<Source>,
    pub(super) events: Vec<Event>,
    pub(super) checkpoints: Vec<Checkpoint>,
    /// By source, how far it is sealed then.
    pub(super) to: Vec<(u64, u64)>,
}

/// Why it cannot be made now.
#[derive(Debug)]
pub(super) enum RestateError {
    /// The new one cannot be written.
    Seal(SealError),
    /// The old one cannot be read.
    Read(UnreadableBlock),
}

impl From<SealError> for RestateError {
    fn from(error: SealError) -> Self {
        Self::Seal(error)
    }
}

impl From<UnreadableBlock> for RestateError {
    fn from(block: UnreadableBlock) -> Self {
        Self::Read(block)
    }
}

/// A source of the batch while its bytes are laid.
struct Lane {
    id: u64,
    path: Vec<u8>,
    /// The next byte.
    at: u64,
    /// One after its last byte in the batch.
    to: u64,
    /// Gaps that the batch states, in order.
    gaps: Vec<(u64, u64)>,
    /// What is lost beyond these.
    rot: Vec<(u64, u64)>,
}

impl Lane {
    /// Bytes before `upto` that neither an entry nor a stated gap holds.
    fn holes(&mut self, upto: u64) -> Vec<(u64, u64)> {
        let mut holes = Vec::new();
        for (from, to) in &self.gaps {
            if *to <= self.at || *from >= upto {
                continue;
            }
            if *from > self.at {
                holes.push((self.at, *from));
            }
            self.at = *to;
        }
        if self.at < upto {
            holes.push((self.at, upto));
        }
        self.at = self.at.max(upto);
        holes
    }
}

impl Restating<'_> {
    /// Makes it; `None` if it says nothing of any source.
    pub(super) fn run(mut self, names: &mut Names) -> Result<Option<Restated>, RestateError> {
        let mut lanes = self.lanes(names);
        if lanes.is_empty() && self.batch.checkpoints.is_empty() {
            return Ok(None);
        }
        let mut open = OpenBatch::new(self.next.next_entry(), self.at.boot_ms);
        let laid = self.lay_all(&mut lanes, &mut open);
        if let Err(error) = laid {
            open.discard();
            return Err(error);
        }
        let sources = self.sources(names, &lanes);
        let events = self.events(&lanes);
        let checkpoints = self.checkpoints(names);
        let batch = if open.pack().is_empty() {
            open.discard();
            None
        } else {
            Some(open)
        };
        Ok(Some(Restated {
            batch,
            sources,
            events,
            checkpoints,
            to: lanes.values().map(|lane| (lane.id, lane.to)).collect(),
        }))
    }

    fn name(&self, id: u64) -> Was {
        let manifest = &self.batch.manifest;
        Was {
            stream: manifest.stream.clone(),
            epoch: manifest.epoch,
            id,
        }
    }

    /// The batch's sources by their old ids.
    fn lanes(&self, names: &mut Names) -> BTreeMap<u64, Lane> {
        let manifest = &self.batch.manifest;
        let mut lanes: BTreeMap<u64, Lane> = BTreeMap::new();
        for source in &manifest.sources {
            let old = self.name(source.id);
            let id = names.id_of(&old, source.was.as_ref(), source.from);
            let lane = lanes.entry(source.id).or_insert_with(|| Lane {
                id,
                path: source.path_bytes().map(|path| path.0).unwrap_or_default(),
                at: names.to(id),
                to: source.to,
                gaps: Vec::new(),
                rot: Vec::new(),
            });
            // A batch of a later epoch may have restated what is sealed already.
            lane.to = source.to.max(lane.at);
        }
        for event in &manifest.events {
            if let (EventKind::Gap, Some(source), Some(from), Some(to)) =
                (event.kind, event.source, event.from, event.to)
                && let Some(lane) = lanes.get_mut(&source)
            {
                lane.gaps.push((from.max(lane.at), to));
            }
        }
        for lane in lanes.values_mut() {
            let at = lane.at;
            lane.gaps.retain(|(_, to)| *to > at);
            lane.gaps.sort_unstable();
        }
        lanes
    }

    fn lay_all(
        &mut self,
        lanes: &mut BTreeMap<u64, Lane>,
        open: &mut OpenBatch,
    ) -> Result<(), RestateError> {
        let batch = self.batch;
        let mut reader = BatchReader::open(self.folder, &batch.manifest)?;
        loop {
            let block = reader.next(self.gives_up)?;
            let lines = match block {
                None => break,
                Some(BlockBytes::Rotten) => continue,
                Some(BlockBytes::Good(lines)) => lines,
            };
            for line in lines
                .split(|byte| *byte == b'\n')
                .filter(|it| !it.is_empty())
            {
                // Signed by this agent and hashed: an entry, of a source that the manifest lists.
                let Ok(entry) = entry::parse(line) else {
                    continue;
                };
                let Some(lane) = lanes.get_mut(&entry.source) else {
                    continue;
                };
                let old = entry.source;
                self.fill(old, lane, entry.offset, open)?;
                self.lay(lane, &entry, open)?;
            }
        }
        for (old, lane) in lanes {
            self.fill(*old, lane, lane.to, open)?;
        }
        Ok(())
    }

    /// Lays an entry, without what is sealed already.
    fn lay(
        &mut self,
        lane: &mut Lane,
        entry: &Entry<'_>,
        open: &mut OpenBatch,
    ) -> Result<(), SealError> {
        let end = entry.offset + entry.source_len();
        if end <= lane.at {
            return Ok(());
        }
        let known = usize::try_from(lane.at.saturating_sub(entry.offset)).unwrap_or(usize::MAX);
        let known = known.min(entry.message.len());
        let mut flags = entry.flags;
        flags.cont |= known > 0;
        self.push(
            open,
            &Entry {
                sequence: open.pack().next_sequence(),
                created: entry.created,
                path: Cow::Borrowed(&lane.path),
                source: lane.id,
                offset: entry.offset + known as u64,
                flags,
                message: Cow::Borrowed(&entry.message[known..]),
            },
        )?;
        lane.at = end;
        Ok(())
    }

    /// Bytes before `upto` that the body does not give are read again from the log, or are lost.
    fn fill(
        &mut self,
        old: u64,
        lane: &mut Lane,
        upto: u64,
        open: &mut OpenBatch,
    ) -> Result<(), SealError> {
        for (from, to) in lane.holes(upto) {
            let Some(again) = self.again(old, (from, to)) else {
                tracing::error!(
                    source = lane.id,
                    from,
                    to,
                    "sealed bytes rotted, and the log no longer has them"
                );
                lane.rot.push((from, to));
                continue;
            };
            for piece in &again.pieces {
                let entry = Entry {
                    sequence: open.pack().next_sequence(),
                    created: self.at.wall,
                    path: Cow::Borrowed(&lane.path),
                    source: lane.id,
                    offset: piece.offset,
                    flags: piece.flags,
                    message: Cow::Borrowed(&again.bytes[piece.range.clone()]),
                };
                self.push(open, &entry)?;
            }
        }
        Ok(())
    }

    fn again(&mut self, old: u64, range: (u64, u64)) -> Option<Reread> {
        let mut checkpoints = self.batch.checkpoints.iter();
        let checkpoint = checkpoints.find(|checkpoint| checkpoint.source.id == old)?;
        let name = self.name(old);
        let file = (self.file_of)(&name, checkpoint)?;
        reread(&file, checkpoint, range).ok()?
    }

    fn push(&mut self, open: &mut OpenBatch, entry: &Entry<'_>) -> Result<(), SealError> {
        open.push(entry);
        if open.pack().block_is_full() {
            self.sealer.close_block(open, self.layout)?;
        }
        Ok(())
    }

    /// The new manifest's sources: each file a source was read through, without what is sealed already.
    fn sources(&self, names: &Names, lanes: &BTreeMap<u64, Lane>) -> Vec<Source> {
        let mut sources: Vec<Source> = Vec::new();
        for source in &self.batch.manifest.sources {
            let Some(lane) = lanes.get(&source.id) else {
                continue;
            };
            let before = sources.iter().rfind(|stated| stated.id == lane.id);
            let from = before.map_or(names.to(lane.id), |stated| stated.to);
            let to = source.to.max(from);
            if before.is_some() && from == to {
                continue;
            }
            sources.push(Source {
                id: lane.id,
                from,
                to,
                was: names.was(lane.id).filter(|_| before.is_none()),
                ..source.clone()
            });
        }
        sources
    }

    /// What it says of these sources; what it says of the stream is of an epoch that is void.
    fn events(&self, lanes: &BTreeMap<u64, Lane>) -> Vec<Event> {
        let mut events = Vec::new();
        for event in &self.batch.manifest.events {
            let about = event.source.and_then(|source| lanes.get(&source));
            let (Some(lane), false) = (about, event.kind == EventKind::Gap && event.to.is_some())
            else {
                continue;
            };
            events.push(Event {
                source: Some(lane.id),
                from: event.from.map(|from| from.max(lane.to)),
                ..event.clone()
            });
        }
        for (old, lane) in lanes {
            let reason = |gap: &(u64, u64)| {
                let stated = self.batch.manifest.events.iter();
                let mut stated = stated.filter(|event| event.source == Some(*old));
                let found = stated.find(|event| event.to == Some(gap.1));
                found.and_then(|event| event.reason)
            };
            let stated = lane
                .gaps
                .iter()
                .map(|gap| (*gap, reason(gap).unwrap_or(Reason::Rot)));
            let rot = lane.rot.iter().map(|gap| (*gap, Reason::Rot));
            let gaps = stated.chain(rot);
            events.extend(gaps.map(|((from, to), why)| Event::gap(lane.id, from, Some(to), why)));
        }
        events
    }

    /// The batch's checkpoints, those of its sources under their new names. A source that continues another one takes
    /// the place of both: which of them a snapshot knows, depends on when that was written. What no manifest named
    /// keeps the name that only checkpoints know.
    fn checkpoints(&self, names: &Names) -> Vec<Checkpoint> {
        let stream = &self.batch.manifest.stream;
        let mut checkpoints = Vec::new();
        for old in &self.batch.checkpoints {
            let Some(id) = names.get(&old.source) else {
                checkpoints.push(old.clone());
                continue;
            };
            let source = Was {
                stream: stream.clone(),
                epoch: self.next.epoch(),
                id,
            };
            for was in [Some(&old.source), old.was.as_ref()].into_iter().flatten() {
                checkpoints.push(Checkpoint {
                    source: source.clone(),
                    was: Some(was.clone()),
                    ..old.clone()
                });
            }
        }
        checkpoints
    }
}
