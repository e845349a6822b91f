//! All tracked sources, and which of them each stream's next manifest must speak of. It opens, reads
//! and judges no file; how one source changes is [`super::tracked_source`]'s.

use super::checkpoint::Memory;
use super::descriptors::{self, Budget};
use super::finished::{Finished, FinishedLog};
use super::read_on::{self, Mode, ReadFault, Reading};
use super::rewrites::RewrittenFiles;
use super::scan::Scan;
use super::sketch::Predecessor;
use super::statement::{self, STATED_BYTES_MAX, StreamStatement, stated_bytes};
use super::tracked_file::{OpenFault, TrackedFile};
use super::tracked_source::{SourceKey, TrackedSource};
use super::unpackers::Unpackers;
use crate::now::Now;
use crate::read::buffer::ReadBuffer;
use crate::read::pieces::Piece;
use crate::sys::{self, Stat};
use host::sabotage::{Switch, is_on};
use ledger::Digest;
use ledger::entry::PathBytes;
use ledger::manifest::{Reason, Was};
use ledger::name::{Epoch, Name};
use std::collections::{BTreeMap, BTreeSet};

/// A stream's part: the epoch it seals into and what its next manifest must speak of.
#[derive(Debug)]
struct StreamSources {
    name: Name,
    epoch: Option<Epoch>,
    next_id: u64,
    touched: BTreeSet<SourceKey>,
    /// What was known of its sources is lost: a file that is not known may have been archived.
    is_doubtful: bool,
}

/// The sources.
#[derive(Debug)]
pub(super) struct SourceTable {
    /// In the config's order.
    streams: Vec<StreamSources>,
    sources: BTreeMap<SourceKey, TrackedSource>,
    next_key: u64,
    /// Number of the last read, for fairness.
    turn: u64,
    /// Descriptors opened since they were last counted.
    opened: usize,
    /// Half of them lead to files that have lost their name: closed once sealed, if more are needed.
    is_crowded: bool,
    /// Sources that had to end because of that although more may be written to them, since somebody asked.
    released: usize,
    budget: Budget,
    /// A line without an end is taken after so long.
    open_after_ms: u64,
    finished: Finished,
    unpackers: Unpackers,
    rewritten: RewrittenFiles,
}

// What is in it.
impl SourceTable {
    pub(super) fn new(
        streams: impl Iterator<Item = Name>,
        budget: Budget,
        open_after_ms: u64,
    ) -> Self {
        let stream = |name| StreamSources {
            name,
            epoch: None,
            next_id: 0,
            touched: BTreeSet::new(),
            is_doubtful: false,
        };
        Self {
            streams: streams.map(stream).collect(),
            sources: BTreeMap::new(),
            next_key: 0,
            turn: 0,
            opened: 0,
            is_crowded: false,
            released: 0,
            budget,
            open_after_ms,
            finished: Finished::default(),
            unpackers: Unpackers::default(),
            rewritten: RewrittenFiles::default(),
        }
    }

    pub(super) fn restore(&mut self, memory: Memory) {
        for checkpoint in memory.checkpoints {
            let stream = self.index_of(&checkpoint.source().stream);
            self.add(TrackedSource::restore(checkpoint, stream));
        }
        for log in memory.finished {
            self.finished.remember(log);
        }
    }

    pub(super) fn memory(&self) -> Memory {
        Memory {
            checkpoints: self
                .values()
                .filter_map(statement::sealed_checkpoint)
                .collect(),
            finished: {
                // One that is over is sealed as far as it was read; that it ended may not be.
                let over = self.values().filter(|source| source.is_ended());
                let over = over
                    .filter_map(|source| statement::finished(source, source.stated().cloned()?));
                self.finished.iter().cloned().chain(over).collect()
            },
        }
    }

    pub(super) fn rewritten_mut(&mut self) -> &mut RewrittenFiles {
        &mut self.rewritten
    }

    pub(super) fn finished(&self) -> &Finished {
        &self.finished
    }

    /// Whether a log that is over begins with a window of this hash and is so long.
    pub(super) fn any_over_is_so_long(&self, first: Digest, len: u64) -> bool {
        let is_over = |source: &TrackedSource| {
            let content = source.positions().content();
            source.is_ended() && source.offset() == len && content.first() == first
        };
        // That one ended may not be sealed yet.
        self.finished.any_is_so_long(first, len) || self.values().any(is_over)
    }

    /// Where the logs were first seen that have this very content and are archived whole, or are read to their end.
    pub(super) fn archived_whole(&self, len: u64, sha256: Digest, first: Digest) -> Vec<PathBytes> {
        let is_equal = |source: &&TrackedSource| {
            let same = source.positions().content().digest() == Some(sha256);
            let same = same || is_on(Switch::SkipByLength);
            source.offset() == len && source.ending().is_none() && same
        };
        let here = self.values().filter(is_equal).map(TrackedSource::path);
        let finished = self.finished.equal_to(first, len, sha256);
        finished
            .map(FinishedLog::path)
            .chain(here)
            .cloned()
            .collect()
    }

    pub(super) fn get(&self, key: SourceKey) -> Option<&TrackedSource> {
        self.sources.get(&key)
    }

    pub(super) fn get_mut(&mut self, key: SourceKey) -> Option<&mut TrackedSource> {
        self.sources.get_mut(&key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (SourceKey, &TrackedSource)> {
        self.sources.iter().map(|(key, source)| (*key, source))
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &TrackedSource> {
        self.sources.values()
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut TrackedSource> {
        self.sources.values_mut()
    }

    /// The sources of which this holds, to go through while they change.
    pub(super) fn keys_where(&self, holds: impl Fn(&TrackedSource) -> bool) -> Vec<SourceKey> {
        let keys = self.iter().filter(|(_, source)| holds(source));
        keys.map(|(key, _)| key).collect()
    }

    pub(super) fn stream_name(&self, index: usize) -> Option<&Name> {
        self.streams.get(index).map(|stream| &stream.name)
    }

    fn index_of(&self, stream: &Name) -> Option<usize> {
        self.streams.iter().position(|known| known.name == *stream)
    }

    fn add(&mut self, source: TrackedSource) -> SourceKey {
        let key = SourceKey(self.next_key);
        self.next_key += 1;
        self.sources.insert(key, source);
        key
    }
}

// What scans do with it.
impl SourceTable {
    /// A new source begins with its file.
    pub(super) fn begin(
        &mut self,
        stream: usize,
        path: PathBytes,
        mut file: TrackedFile,
        stat: Stat,
        ambiguous: bool,
        scan: &Scan,
    ) -> SourceKey {
        let ambiguous = ambiguous || self.is_doubtful(stream);
        file.looked(stat, scan.now_ms());
        file.read_head(scan.boot_id());
        self.opened += usize::from(file.is_open());
        let before = self.predecessor_at(&path);
        let mut source = TrackedSource::beginning(stream, path, file, ambiguous);
        before.into_iter().for_each(|before| source.follows(before));
        let key = self.add(source);
        if ambiguous {
            // Said at once: what makes it ambiguous may be forgotten before its bytes are read.
            self.touch(key);
        }
        self.close_surplus();
        key
    }

    /// A file waits to be identified: recovery is to know.
    pub(super) fn register(
        &mut self,
        stream: usize,
        path: PathBytes,
        file: &TrackedFile,
    ) -> SourceKey {
        let key = self.add(TrackedSource::candidate(stream, path, file.without_a_way()));
        self.touch(key);
        key
    }

    /// A registered file is told to be a log of its own.
    pub(super) fn begin_registered(
        &mut self,
        key: SourceKey,
        path: PathBytes,
        mut file: TrackedFile,
        stat: Stat,
        ambiguous: bool,
        scan: &Scan,
    ) {
        let stream = self.get(key).and_then(TrackedSource::stream);
        let ambiguous = ambiguous || stream.is_some_and(|stream| self.is_doubtful(stream));
        file.looked(stat, scan.now_ms());
        file.read_head(scan.boot_id());
        self.opened += usize::from(file.is_open());
        let before = self.predecessor_at(&path);
        if let Some(source) = self.sources.get_mut(&key) {
            source.begin(path, file, ambiguous);
            before.into_iter().for_each(|before| source.follows(before));
        }
        self.touch(key);
        self.close_surplus();
    }

    fn is_doubtful(&self, stream: usize) -> bool {
        let stream = self.streams.get(stream);
        stream.is_some_and(|stream| stream.is_doubtful)
    }

    /// What begins in this stream may have been archived before.
    pub(super) fn doubt(&mut self, stream: &Name) {
        if let Some(index) = self.index_of(stream) {
            self.streams[index].is_doubtful = true;
        }
    }

    /// All that was there is known now: what begins later is new.
    pub(super) fn doubt_no_more(&mut self) {
        for stream in &mut self.streams {
            stream.is_doubtful = false;
        }
    }

    /// The log that was read last of those that this path had, where its file is another one now.
    fn predecessor_at(&self, path: &PathBytes) -> Option<Predecessor> {
        let here = |source: &&TrackedSource| {
            let named = source.file().is_at(path);
            source.path() == path && source.offset() > 0 && !named
        };
        let last = self
            .values()
            .filter(here)
            .max_by_key(|source| source.turn())?;
        Some(last.as_predecessor())
    }

    /// What the source's file holds is skipped, as the settings say.
    pub(super) fn skip_present(&mut self, key: SourceKey, scan: &mut Scan) {
        let Some(source) = self.sources.get_mut(&key) else {
            return;
        };
        if let Err(error) = source.skip_present(scan.boot_id()) {
            // It is archived whole: rather too much than unstated.
            scan.fault(source.path(), &error);
        }
        self.touch(key);
    }

    /// A registered file is told to be nothing of its own.
    pub(super) fn withdraw(&mut self, key: SourceKey) {
        self.end(key, None);
    }

    /// A registered file is under no name that the scan knows: whether it is gone, later scans tell.
    pub(super) fn lose_candidate(&mut self, key: SourceKey) {
        if let Some(source) = self.sources.get_mut(&key) {
            source.goes_missing();
        }
    }

    /// The source has lost its file: it waits for a copy of the rest, if there can be one.
    pub(super) fn lose_file(&mut self, key: SourceKey, scan: &Scan) {
        let source = self.sources.get_mut(&key);
        if source.is_some_and(|source| !source.lose_file(scan)) {
            self.end(key, None);
        }
    }

    /// The source's file is in sight again.
    pub(super) fn found_again(
        &mut self,
        key: SourceKey,
        file: TrackedFile,
        stat: Stat,
        scan: &Scan,
    ) {
        if let Some(source) = self.sources.get_mut(&key) {
            source.found_again(file, stat, scan);
            if source.has_news() {
                self.touch(key);
            }
            self.opened += 1;
            self.close_surplus();
        }
    }

    /// The source was renamed, or lost its name: the next checkpoint says so, or its end while the agent is down would
    /// be judged by where it was before.
    pub(super) fn place(&mut self, key: SourceKey) {
        if self.get(key).is_some_and(TrackedSource::is_to_be_placed) {
            self.touch(key);
        }
    }

    /// The source continues in a copy.
    pub(super) fn continue_in(
        &mut self,
        key: SourceKey,
        copy: TrackedFile,
        stream: usize,
        ambiguous: bool,
    ) {
        self.unpackers.forget(key);
        if let Some(source) = self.sources.get_mut(&key) {
            source.continue_in(copy, stream, ambiguous);
            self.touch(key);
            self.opened += 1;
            self.close_surplus();
        }
    }

    /// The source gives up what its copy lacks.
    pub(super) fn skip_rest(&mut self, key: SourceKey) {
        if let Some(source) = self.sources.get_mut(&key) {
            source.skip_rest();
            self.touch(key);
        }
    }

    /// The source gives up what its packed file does not give.
    pub(super) fn break_off(&mut self, key: SourceKey) {
        if let Some(source) = self.sources.get_mut(&key) {
            source.break_off();
            self.touch(key);
        }
    }

    /// Nothing more will come of the source.
    pub(super) fn end(&mut self, key: SourceKey, gap: Option<Reason>) {
        let Some(source) = self.sources.get_mut(&key) else {
            return;
        };
        source.skip_blank();
        if gap.is_none() && source.is_unheard_of() {
            self.sources.remove(&key);
            return;
        }
        source.end(gap);
        self.unpackers.forget(key);
        self.touch(key);
    }

    fn close_surplus(&mut self) {
        if self.opened >= self.budget.slack {
            self.close_all_but(self.budget.sources);
        }
    }

    /// Looks how many files are open that have no name.
    pub(super) fn look_how_crowded(&mut self) {
        let unnamed = descriptors::unnamed(self.values());
        self.is_crowded = unnamed > self.budget.sources / 2;
    }

    /// How many sources had to end for want of descriptors since this was last asked.
    pub(super) fn take_released(&mut self) -> usize {
        std::mem::take(&mut self.released)
    }

    /// Whether the stream must seal so that descriptors can be closed: of files that have lost their name.
    pub(super) fn is_pressed(&self, stream: &Name) -> bool {
        let holds = |source: &TrackedSource| {
            source.file().is_open() && source.file().is_unnamed() && source.has_bytes()
        };
        self.is_crowded && self.touched(stream).any(|(_, source)| holds(source))
    }

    /// The kernel gives no more descriptors: half of those that can be closed go. Whether any did.
    pub(super) fn relieve(&mut self) -> bool {
        self.close_all_but(self.budget.sources / 2)
    }

    fn close_all_but(&mut self, kept: usize) -> bool {
        self.opened = 0;
        let surplus = descriptors::surplus(self.iter(), kept);
        for key in &surplus.closed {
            if let Some(source) = self.sources.get_mut(key) {
                source.file_mut().close();
            }
        }
        for (key, gap) in &surplus.ended {
            self.released += usize::from(gap.is_some());
            self.end(*key, *gap);
        }
        self.look_how_crowded();
        !surplus.closed.is_empty() || !surplus.ended.is_empty()
    }

    pub(super) fn budget(&self) -> Budget {
        self.budget
    }
}

// What reading does with it.
impl SourceTable {
    /// Sources of a stream that may have something to take, the one read longest ago first.
    pub(super) fn unread(&self, stream: &Name) -> Vec<SourceKey> {
        let Some(index) = self.index_of(stream) else {
            return Vec::new();
        };
        if self.streams[index].epoch.is_none() || self.is_full(stream) {
            return Vec::new();
        }
        let mut keys: Vec<_> = self
            .iter()
            .filter(|(_, source)| source.stream() == Some(index) && source.may_give())
            .map(|(key, source)| (source.turn(), key))
            .collect();
        keys.sort_unstable();
        keys.into_iter().map(|(_, key)| key).collect()
    }

    pub(super) fn read_on(
        &mut self,
        key: SourceKey,
        buffer: &mut ReadBuffer,
        mode: Mode,
        now: Now,
        boot_id: Epoch,
    ) -> Result<(), ReadFault> {
        buffer.clear();
        if self.name(key).is_none() {
            return Ok(());
        }
        self.turn += 1;
        let Some(source) = self.sources.get_mut(&key) else {
            return Ok(());
        };
        source.take_turn(self.turn);
        let was_open = source.file().is_open();
        let file = match read_on::open(source, boot_id) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(()),
            // What is left of it is told as not read, and the next scan names it again.
            Err(OpenFault::Io(error)) if sys::is_pressure(&error) => {
                self.relieve();
                return Ok(());
            }
            Err(OpenFault::Io(cause)) => return Err(read_on::unreadable(source, cause)),
            Err(OpenFault::Moved) => {
                source.suspect();
                return Ok(());
            }
        };
        let reading = Reading {
            file: &file,
            unpackers: &mut self.unpackers,
            key,
            mode,
            now,
            open_after_ms: self.open_after_ms,
        };
        let (skipped, outcome) = read_on::read_on(source, reading, buffer);
        if skipped {
            self.touch(key);
        }
        self.opened += usize::from(!was_open);
        self.close_surplus();
        outcome
    }

    pub(super) fn take(&mut self, key: SourceKey, buffer: &ReadBuffer, run: &[Piece]) {
        let Some(source) = self.sources.get_mut(&key).filter(|_| !run.is_empty()) else {
            return;
        };
        source.take(buffer, run);
        self.touch(key);
    }
}

// What sealing does with it.
impl SourceTable {
    pub(super) fn begin_epoch(&mut self, stream: &Name, epoch: Epoch, next_source_id: u64) {
        let Some(index) = self.index_of(stream) else {
            return;
        };
        self.streams[index].epoch = Some(epoch);
        self.streams[index].next_id = next_source_id;
        let own = |source: &&mut TrackedSource| source.stream() == Some(index);
        let mut taken = 0;
        for source in self.sources.values_mut().filter(own) {
            let registered = source.begin_epoch(stream, epoch);
            taken = taken.max(registered.map_or(0, |id| id + 1));
        }
        // Ids that only checkpoints know of: manifests do not count them.
        let next = &mut self.streams[index].next_id;
        *next = taken.max(*next);
    }

    /// Gives sources of the stream the ids that they have in another epoch already.
    pub(super) fn rename(&mut self, stream: &Name, epoch: Epoch, id: impl Fn(&Was) -> Option<u64>) {
        for source in self.sources.values_mut() {
            let here = source.stated().filter(|was| was.stream == *stream);
            if let Some(id) = here.and_then(&id) {
                source.is_stated_as(Was {
                    stream: stream.clone(),
                    epoch,
                    id,
                });
            }
        }
    }

    pub(super) fn has_events(&self, stream: &Name) -> bool {
        self.touched(stream).any(|(_, source)| source.is_due())
    }

    pub(super) fn is_full(&self, stream: &Name) -> bool {
        let size = |(_, source): (SourceKey, &TrackedSource)| stated_bytes(source);
        self.touched(stream).map(size).sum::<usize>() >= STATED_BYTES_MAX
    }

    pub(super) fn statement(&mut self, stream: &Name) -> StreamStatement {
        let mut statement = StreamStatement::default();
        for key in self.stated_now(stream) {
            let Some(name) = self.name(key) else {
                continue;
            };
            if let Some(source) = self.sources.get(&key) {
                statement::add(&mut statement, source, name);
            }
        }
        statement
    }

    pub(super) fn sealed(&mut self, stream: &Name) {
        let Some(index) = self.index_of(stream) else {
            return;
        };
        for key in self.stated_now(stream) {
            let Some(name) = self.name(key) else {
                continue;
            };
            self.streams[index].touched.remove(&key);
            let Some(source) = self.sources.get_mut(&key) else {
                continue;
            };
            if source.is_ended() {
                if is_on(Switch::FinishedForgotten) {
                    self.sources.remove(&key);
                    continue;
                }
                self.finished.extend(statement::finished(source, name));
                self.sources.remove(&key);
            } else {
                source.sealed(name);
            }
        }
        if self.is_crowded {
            self.close_all_but(self.budget.sources);
        }
    }

    pub(super) fn discarded(&mut self, stream: &Name) {
        let Some(index) = self.index_of(stream) else {
            return;
        };
        for key in std::mem::take(&mut self.streams[index].touched) {
            let source = self.sources.get_mut(&key);
            if source.is_some_and(TrackedSource::discarded) {
                self.touch(key);
            }
        }
    }

    /// The stream's next manifest must speak of the source.
    fn touch(&mut self, key: SourceKey) {
        let source = self.sources.get(&key);
        if let Some(index) = source.and_then(TrackedSource::stream) {
            self.streams[index].touched.insert(key);
        }
    }

    /// Gives the source an id in its stream's epoch.
    fn name(&mut self, key: SourceKey) -> Option<Was> {
        let source = self.sources.get_mut(&key)?;
        let stream = &mut self.streams[source.stream()?];
        let epoch = stream.epoch?;
        Some(Was {
            stream: stream.name.clone(),
            epoch,
            id: source.id_or_next(&mut stream.next_id),
        })
    }

    fn touched(&self, stream: &Name) -> impl Iterator<Item = (SourceKey, &TrackedSource)> {
        let stream = self.index_of(stream).map(|index| &self.streams[index]);
        let keys = stream.into_iter().flat_map(|stream| &stream.touched);
        keys.filter_map(|key| Some((*key, self.sources.get(key)?)))
    }

    /// The sources that the next manifest speaks of: all that gave bytes, and as many more as there
    /// is room for; the rest stay for the one after.
    fn stated_now(&self, stream: &Name) -> Vec<SourceKey> {
        let (due, idle): (Vec<_>, Vec<_>) = self
            .touched(stream)
            .partition(|(_, source)| source.has_bytes());
        let mut size = 0;
        let mut room = |source: &TrackedSource| {
            let fits = size < STATED_BYTES_MAX;
            size += stated_bytes(source);
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
