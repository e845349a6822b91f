//! A folder of logs, an agent's reading half, and the archive it would have made. Each seal checks
//! what a verifier would: entries and gaps tile every source's range, which begins at its last end.

use crate::find::{OwnFiles, Watch};
use crate::now::Now;
use crate::read::buffer::ReadBuffer;
use crate::track::checkpoint::{Checkpoint, Memory};
use crate::track::scan::ScanReport;
use crate::track::statement::StreamStatement;
use crate::track::{Budget, Mode, Setup, SkipRule, SourceKey, Tracker, changes};
use flate2::Compression;
use flate2::write::GzEncoder;
use ledger::Moment;
use ledger::entry::PathBytes;
use ledger::manifest::{Event, EventKind, Reason};
use ledger::name::{Epoch, Name};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::time::Duration;

/// An event and the name of the source it is about.
pub(super) type Happened = (String, EventKind, Option<u64>, Option<u64>, Option<Reason>);

/// What the archive holds of one source.
#[derive(Debug, Default, Clone)]
pub(super) struct Archived {
    pub(super) path: String,
    /// Bytes, with a `?` for every byte of a gap of known bounds.
    pub(super) bytes: Vec<u8>,
    pub(super) events: Vec<Event>,
    /// Ended by a gap of unknown end.
    pub(super) ended: bool,
    /// Another source continues it.
    pub(super) continued: bool,
}

/// One entry's worth, as taken.
#[derive(Debug)]
struct Taken {
    stream: Name,
    id: u64,
    offset: u64,
    cont: bool,
    /// With its LF.
    bytes: Vec<u8>,
}

pub(super) struct Desk {
    pub(super) dir: tempfile::TempDir,
    watches: Vec<Watch>,
    pub(super) tracker: Tracker,
    pub(super) streams: Vec<Name>,
    pub(super) epoch: Epoch,
    pub(super) now_ms: u64,
    buffer: ReadBuffer,
    /// Taken and not yet sealed.
    pending: Vec<Taken>,
    pub(super) archive: BTreeMap<(Name, Epoch, u64), Archived>,
    /// Snapshot, then batches.
    pub(super) memory: Memory,
    boot: u8,
    pub(super) own: OwnFiles,
    pub(super) skips: Vec<SkipRule>,
}

/// As of a process with the usual limit.
pub(super) fn budget() -> Budget {
    Budget::new(1024, 1)
}

pub(super) fn setup(watches: Vec<Watch>, own: OwnFiles, boot_id: Epoch) -> Setup {
    Setup {
        watches,
        skips: Vec::new(),
        own,
        boot_id,
        budget: budget(),
        open_after: Duration::ZERO,
    }
}

impl Desk {
    pub(super) fn new(include: &[&str]) -> Self {
        Self::with_streams(&[("logs", include)])
    }

    pub(super) fn with_streams(streams: &[(&str, &[&str])]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().to_str().unwrap().to_owned();
        let watch = |(name, include): &(&str, &[&str])| {
            let include: Vec<_> = include.iter().map(|p| format!("{base}/{p}")).collect();
            Watch::new(name.parse().unwrap(), &include, &["*.tmp".into()]).unwrap()
        };
        let watches: Vec<Watch> = streams.iter().map(watch).collect();
        let names = streams.iter().map(|(name, _)| name.parse().unwrap());
        let mut desk = Self {
            tracker: Tracker::new(setup(
                watches.clone(),
                OwnFiles::default(),
                Epoch::new(1, &[1; 10]),
            )),
            watches,
            streams: names.collect(),
            epoch: Epoch::new(1, &[9; 10]),
            now_ms: 1_000,
            buffer: ReadBuffer::new(),
            pending: Vec::new(),
            archive: BTreeMap::new(),
            memory: Memory::default(),
            boot: 1,
            own: OwnFiles::default(),
            skips: Vec::new(),
            dir,
        };
        desk.begin(desk.epoch);
        desk
    }

    /// A fresh agent that may have few descriptors.
    pub(super) fn limit(&mut self, budget: Budget) {
        self.tracker = Tracker::new(Setup {
            budget,
            ..setup(
                self.watches.clone(),
                self.own.clone(),
                Epoch::new(1, &[self.boot; 10]),
            )
        });
        self.begin(self.epoch);
    }

    pub(super) fn begin(&mut self, epoch: Epoch) {
        self.epoch = epoch;
        for stream in self.streams.clone() {
            let mine = |(name, of, _): &&(Name, Epoch, u64)| *name == stream && *of == epoch;
            let ids = self.archive.keys().filter(mine).map(|(_, _, id)| id + 1);
            self.tracker
                .begin_epoch(&stream, epoch, ids.max().unwrap_or(0));
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn append(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).open(self.path(name));
        file.unwrap().write_all(bytes.as_ref()).unwrap();
    }

    pub(super) fn writer(&self, name: &str) -> File {
        let mut options = OpenOptions::new();
        options
            .append(true)
            .create(true)
            .open(self.path(name))
            .unwrap()
    }

    pub(super) fn rename(&self, from: &str, to: &str) {
        std::fs::rename(self.path(from), self.path(to)).unwrap();
    }

    pub(super) fn copy(&self, from: &str, to: &str) {
        std::fs::copy(self.path(from), self.path(to)).unwrap();
    }

    pub(super) fn truncate(&self, name: &str, size: u64) {
        let file = OpenOptions::new().write(true).open(self.path(name));
        file.unwrap().set_len(size).unwrap();
    }

    /// What `gzip` makes of a file, not yet under its name.
    pub(super) fn packed(&self, name: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        let bytes = std::fs::read(self.path(name)).unwrap();
        encoder.write_all(&bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Packs a file as `gzip` does: beside it, with its times, and then it goes.
    pub(super) fn gzip(&self, name: &str) {
        let packed = format!("{name}.gz");
        self.append(&packed, self.packed(name));
        self.take_times(name, &packed);
        self.remove(name);
    }

    /// Gives a file the time at which another was changed, as `gzip` and logrotate do.
    pub(super) fn take_times(&self, from: &str, to: &str) {
        let modified = std::fs::metadata(self.path(from)).and_then(|stat| stat.modified());
        let file = OpenOptions::new().write(true).open(self.path(to)).unwrap();
        file.set_modified(modified.unwrap()).unwrap();
    }

    /// Writes in place, as into a mapping.
    pub(super) fn write_at(&self, name: &str, at: u64, bytes: &str) {
        let file = OpenOptions::new().write(true).open(self.path(name));
        file.unwrap().write_all_at(bytes.as_bytes(), at).unwrap();
    }

    pub(super) fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).unwrap();
    }

    /// Long before any file here is made: no scan takes a listing for settled, for time passes in no time here, and a
    /// folder may change twice with the same time stamp.
    pub(super) fn now(&self) -> Now {
        Now {
            wall: Moment::from_micros(1_600_000_000_000_000 + self.now_ms * 1000),
            boot_ms: self.now_ms,
            suspended_ms: 0,
        }
    }

    pub(super) fn scan(&mut self) -> ScanReport {
        self.now_ms += 1_000;
        self.tracker.scan(self.now())
    }

    /// A scan during which something happens: after all names were listed, and all files looked at whose
    /// names come before `name`.
    pub(super) fn scan_while(&mut self, name: &str, happens: impl Fn(&Self)) {
        self.now_ms += 1_000;
        let (mut found, scan) = self.tracker.list(self.now());
        let mut matches = std::mem::take(&mut found.matches);
        matches.sort_by(|one, other| one.0.path().cmp(other.0.path()));
        let mut tracker = std::mem::replace(
            &mut self.tracker,
            Tracker::new(setup(
                Vec::new(),
                OwnFiles::default(),
                Epoch::new(1, &[1; 10]),
            )),
        );
        let here = self.path(name);
        let desk = &*self;
        let matches = matches.into_iter().inspect(|(matched, _)| {
            if matched.path() == here {
                happens(desk);
            }
        });
        tracker.judge(matches, found.unmatched, scan);
        self.tracker = tracker;
    }

    /// What a scan concludes from a look at a file that is cut right after it.
    pub(super) fn cut_during_a_look(&mut self, name: &str, then: &str) {
        self.now_ms += 1_000;
        let (_, mut scan) = self.tracker.list(self.now());
        let stale = crate::sys::stat_name(&self.path(name)).unwrap();
        self.truncate(name, 0);
        self.append(name, then);
        let path = self.path(name);
        let path = PathBytes(path.as_os_str().as_bytes().to_vec());
        let mut sources = self.tracker.table.iter();
        let (key, _) = sources
            .find(|(_, source)| source.file().is_at(&path))
            .unwrap();
        drop(sources);
        changes::examine(&mut self.tracker.table, key, stale, &mut scan);
    }

    /// Lets `ms` pass, with a scan before and after.
    pub(super) fn rest(&mut self, ms: u64) {
        self.scan();
        self.now_ms += ms;
        self.scan();
    }

    /// Takes all there is, as the run loop would.
    pub(super) fn read(&mut self, mode: Mode) {
        while let Some((stream, key)) = self.next_unread() {
            self.read_one(&stream, key, mode, usize::MAX);
        }
    }

    pub(super) fn next_unread(&self) -> Option<(Name, SourceKey)> {
        let first = |stream: &Name| Some((stream.clone(), *self.tracker.unread(stream).first()?));
        self.streams.iter().find_map(first)
    }

    /// Takes at most `count` pieces of one source.
    pub(super) fn read_one(&mut self, stream: &Name, key: SourceKey, mode: Mode, count: usize) {
        let now = self.now();
        self.tracker.peek(key, &mut self.buffer, mode, now).unwrap();
        let pieces = self.buffer.pieces();
        let pieces = pieces[..pieces.len().min(count)].to_vec();
        let Some(view) = self.tracker.source(key) else {
            assert!(pieces.is_empty());
            return;
        };
        for piece in &pieces {
            let mut bytes = self.buffer.bytes(piece).to_vec();
            assert!(!bytes.contains(&b'\n'));
            if !piece.flags.open {
                bytes.push(b'\n');
            }
            self.pending.push(Taken {
                stream: stream.clone(),
                id: view.id,
                offset: piece.offset,
                cont: piece.flags.cont,
                bytes,
            });
        }
        self.tracker.take(key, &self.buffer, &pieces);
    }

    /// Seals every stream that has something to say.
    pub(super) fn seal(&mut self) {
        for stream in self.streams.clone() {
            let statement = self.tracker.statement(&stream);
            assert_eq!(statement, self.tracker.statement(&stream), "stable");
            self.check(&stream, &statement);
            self.memory = std::mem::take(&mut self.memory).then(statement.checkpoints);
            self.tracker.sealed(&stream);
        }
    }

    fn check(&mut self, stream: &Name, statement: &StreamStatement) {
        let pending = std::mem::take(&mut self.pending);
        let of_stream = |taken: &Taken| taken.stream == *stream;
        let (mine, other): (Vec<_>, Vec<_>) = pending.into_iter().partition(of_stream);
        self.pending = other;
        let mut mine = mine;
        for source in &statement.sources {
            let name = (stream.clone(), self.epoch, source.id);
            let was = source
                .was
                .as_ref()
                .map(|was| (was.stream.clone(), was.epoch, was.id));
            let fresh = !self.archive.contains_key(&name);
            assert!(fresh || was.is_none(), "was only in the first entry");
            let before = was.map(|was| {
                let before = self.archive.get_mut(&was).expect("was names a source");
                before.continued = true;
                (before.bytes.clone(), before.events.clone())
            });
            let archived = self.archive.entry(name.clone()).or_default();
            archived.path = source.path.clone().unwrap();
            if fresh {
                (archived.bytes, archived.events) = before.unwrap_or_default();
            }
            assert!(!archived.ended, "nothing follows a gap of unknown end");
            assert_eq!(
                archived.bytes.len() as u64,
                source.from,
                "from is the last to"
            );
            while (archived.bytes.len() as u64) < source.to {
                let at = archived.bytes.len() as u64;
                let is_next = |taken: &Taken| taken.id == source.id && taken.offset == at;
                let of_source = |e: &&Event| e.source == Some(source.id) && e.from == Some(at);
                if let Some(next) = mine.iter().position(is_next) {
                    let taken = mine.remove(next);
                    // After a gap, `?` here, the flag is free.
                    if let Some(before) = archived.bytes.last().filter(|byte| **byte != b'?') {
                        assert_eq!(taken.cont, *before != b'\n', "cont at {at}");
                    } else if at == 0 {
                        assert!(!taken.cont);
                    }
                    archived.bytes.extend(taken.bytes);
                } else {
                    let gap = statement
                        .events
                        .iter()
                        .find(of_source)
                        .expect("a gap or bytes");
                    archived
                        .bytes
                        .resize(usize::try_from(gap.to.unwrap()).unwrap(), b'?');
                }
            }
            assert_eq!(archived.bytes.len() as u64, source.to, "tiled exactly");
        }
        assert!(mine.is_empty(), "all that was taken is stated: {mine:?}");
        for event in &statement.events {
            let name = (stream.clone(), self.epoch, event.source.unwrap());
            let archived = self
                .archive
                .get_mut(&name)
                .expect("a source for each event");
            if event.kind == EventKind::Gap && event.to.is_none() {
                assert_eq!(event.from, Some(archived.bytes.len() as u64));
                archived.ended = true;
            }
            archived.events.push(event.clone());
        }
    }

    pub(super) fn discard(&mut self) {
        self.pending.clear();
        for stream in self.streams.clone() {
            self.tracker.discarded(&stream);
        }
    }

    /// The agent dies and starts again, from its last snapshot and the batches after it.
    pub(super) fn restart(&mut self) {
        self.pending.clear();
        let text = serde_json::to_string(&self.memory.checkpoints).unwrap();
        let checkpoints: Vec<Checkpoint> = serde_json::from_str(&text).unwrap();
        self.memory.checkpoints.clone_from(&checkpoints);
        let boot_id = Epoch::new(1, &[self.boot; 10]);
        self.tracker = Tracker::new(Setup {
            skips: self.skips.clone(),
            ..setup(self.watches.clone(), self.own.clone(), boot_id)
        });
        self.tracker.restore(self.memory.clone());
        self.begin(self.epoch);
        self.now_ms += 5_000;
    }

    pub(super) fn reboot(&mut self) {
        self.boot += 1;
        self.restart();
        self.now_ms = 1_000;
    }

    pub(super) fn snapshot(&mut self) {
        self.memory = self.tracker.memory();
    }

    /// One pass over what is there, as `drain` makes it.
    pub(super) fn drain(&mut self) {
        self.tracker.wait_no_longer();
        for scan in 1.. {
            let undecided = self.tracker.scan(self.now()).undecided;
            self.read(Mode::Drain);
            assert!(scan < 8, "{undecided} files are never decided on");
            if scan >= 2 && undecided == 0 {
                break;
            }
        }
        self.seal();
    }

    /// Scans, reads and seals until nothing is left to do, letting time pass for what waits.
    pub(super) fn settle(&mut self) {
        for _ in 0..4 {
            self.scan();
            self.read(Mode::Follow);
            self.seal();
            self.now_ms += 31_000;
        }
        self.scan();
        self.read(Mode::Drain);
        self.seal();
    }

    /// Bytes of every source first seen at `name`, in order of id.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let path = self.path(name).to_str().unwrap().to_owned();
        let of_path = self.archive.values().filter(|a| a.path == path);
        of_path
            .map(|a| String::from_utf8_lossy(&a.bytes).into())
            .collect()
    }

    /// All events, with the name of the source they are about.
    pub(super) fn events(&self) -> Vec<Happened> {
        let base = format!("{}/", self.dir.path().to_str().unwrap());
        let of = |a: &Archived| {
            let path = a.path.replace(&base, "");
            let event = move |e: &Event| (path.clone(), e.kind, e.from, e.to, e.reason);
            a.events.iter().map(event).collect::<Vec<_>>()
        };
        self.archive.values().flat_map(of).collect()
    }
}
