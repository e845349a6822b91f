//! One look at all files: what grew, what moved, what was cut, what is gone.

use super::held::{HEAD_MAX, Held, OpenFault};
use super::newcomers::Newcomer;
use super::source::{Reach, Source};
use super::verdict::{self, Absence, Absent, Known, KnownFile, QUIET_MS, UNNAMED_HELD_MS};
use super::{Now, SourceKey, Sources};
use crate::find::Spot;
use crate::identity::{FileId, FolderId, Inode};
use crate::sys::{self, Stat};
use ledger::entry::PathBytes;
use ledger::manifest::Reason;
use ledger::name::Epoch;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a scan found.
#[derive(Debug, Default)]
pub struct ScanReport {
    /// Files and folders that cannot be read now, each once, with what the system said.
    pub faults: Vec<(PathBytes, String)>,
    /// Include patterns that match no file now; they wait.
    pub unmatched: Vec<String>,
    /// Files that matched.
    pub files: usize,
    /// Files and sources that a further scan will judge: copies in the making, truncations whose
    /// copy may yet turn up.
    pub undecided: usize,
}

/// What one scan has at hand.
pub(super) struct Round {
    pub(super) now_ms: u64,
    listed: BTreeSet<PathBuf>,
    folder_ids: HashMap<PathBuf, Option<FolderId>>,
    proofs: Option<Vec<FolderId>>,
    pub(super) faults: BTreeSet<(PathBytes, String)>,
}

/// A file that no source is known to be in.
pub(super) struct Stranger {
    pub(super) spot: Spot,
    pub(super) watch: usize,
    pub(super) stat: Stat,
}

impl Round {
    /// The identity of a folder, read once a scan.
    pub(super) fn folder_id(&mut self, folder: &Path) -> Option<FolderId> {
        if let Some(known) = self.folder_ids.get(folder) {
            return *known;
        }
        let id = FolderId::of(folder);
        self.folder_ids.insert(folder.to_path_buf(), id);
        id
    }

    /// Whether the folder was listed whole in this scan, under whatever path.
    pub(super) fn has_listed(&mut self, folder: Option<FolderId>) -> bool {
        if self.proofs.is_none() {
            let listed = std::mem::take(&mut self.listed);
            let ids = listed.iter().filter_map(|path| self.folder_id(path));
            self.proofs = Some(ids.collect());
        }
        let listed = self.proofs.as_deref().unwrap_or_default();
        folder.is_some_and(|folder| listed.contains(&folder))
    }

    pub(super) fn fault(&mut self, path: &PathBytes, error: &io::Error) {
        self.faults.insert((path.clone(), error.to_string()));
    }
}

impl Sources {
    /// Looks for files, opens new ones, and tells growth from rotation, truncation and deletion.
    pub fn scan(&mut self, now: Now) -> ScanReport {
        self.scan += 1;
        for source in self.sources.values_mut() {
            source.stalled = false;
        }
        let found = self.finder.find(now.wall);
        let files = found.hits.len();
        self.folders = found.folders.iter().cloned().collect();
        let mut round = Round {
            now_ms: now.boot_ms,
            listed: found.folders,
            folder_ids: HashMap::new(),
            proofs: None,
            faults: found.faults.into_iter().collect(),
        };
        let strangers = self.look_by_name(found.hits, &mut round);
        self.look_through_descriptors(&mut round);
        self.meet(strangers, &mut round);
        self.judge_newcomers(&mut round);
        let awaited = self.judge_lost(&mut round);
        let waiting = self.newcomers.iter().filter(|new| new.held.size > 0);
        let undecided = awaited + waiting.count();
        for source in self.sources.values() {
            let fault = source.fault.clone();
            round
                .faults
                .extend(fault.map(|what| (source.path.clone(), what)));
        }
        ScanReport {
            faults: round.faults.into_iter().collect(),
            unmatched: found.unmatched,
            files,
            undecided,
        }
    }

    /// Every name that is wanted: sources and newcomers known by inode take note of it, the rest
    /// are strangers.
    fn look_by_name(&mut self, hits: Vec<(Spot, usize)>, round: &mut Round) -> Vec<Stranger> {
        let here = |(_, source): &(&SourceKey, &Source)| source.reach == Reach::Here;
        let known: HashMap<Inode, SourceKey> = self
            .sources
            .iter()
            .filter(here)
            .map(|(key, source)| (source.held.id.inode(), *key))
            .collect();
        let waiting: HashMap<Inode, usize> = self
            .newcomers
            .iter()
            .enumerate()
            .map(|(at, new)| (new.held.id.inode(), at))
            .collect();
        let mut strangers = Vec::new();
        for (spot, watch) in hits {
            let stat = match sys::stat_name(spot.path()) {
                Ok(stat) if stat.regular => stat,
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    round.fault(&spot.bytes(), &error);
                    continue;
                }
            };
            let inode = Inode::from(&stat);
            if let Some(key) = known.get(&inode) {
                self.see(*key, spot, stat, round);
            } else if let Some(at) = waiting.get(&inode) {
                let held = &mut self.newcomers[*at].held;
                held.spot = Some(spot);
                held.scan = self.scan;
            } else {
                strangers.push(Stranger { spot, watch, stat });
            }
        }
        // A file with two names is met once, for the first stream that wants it.
        strangers.sort_by(|a: &Stranger, b| (a.watch, a.spot.raw()).cmp(&(b.watch, b.spot.raw())));
        let mut met = HashSet::new();
        strangers.retain(|stranger| met.insert(Inode::from(&stranger.stat)));
        strangers
    }

    fn see(&mut self, key: SourceKey, spot: Spot, stat: Stat, round: &mut Round) {
        let scan = self.scan;
        let Some(source) = self.sources.get_mut(&key) else {
            return;
        };
        if source.held.scan == scan {
            // A second name (a hard link): the first path is the better one.
            if spot.raw() == source.path.0 {
                source.held.spot = Some(spot);
            }
            return;
        }
        source.held.scan = scan;
        let folder = source.held.spot.as_ref().map(Spot::folder);
        let stayed =
            folder.is_some_and(|known| Arc::ptr_eq(known, spot.folder()) || known == spot.folder());
        if !stayed {
            source.held.folder = round.folder_id(spot.folder());
        }
        source.held.spot = Some(spot);
        if source.suspect || source.held.is_changed(&stat) {
            self.examine(key, stat, round);
        }
    }

    /// Sources that no name led to: looked at through their descriptors, or out of sight.
    fn look_through_descriptors(&mut self, round: &mut Round) {
        let scan = self.scan;
        let unseen = |source: &Source| source.reach == Reach::Here && source.held.scan != scan;
        let keys: Vec<_> = self.sources.iter().filter(|(_, s)| unseen(s)).collect();
        let keys: Vec<_> = keys.into_iter().map(|(key, _)| *key).collect();
        for key in keys {
            let Some(source) = self.sources.get_mut(&key) else {
                continue;
            };
            source.held.spot = None;
            source.held.scan = scan;
            let Some(file) = source.held.file.clone() else {
                source.reach = Reach::Absent { since_ms: None };
                continue;
            };
            match sys::stat_file(&file) {
                Ok(stat) if source.suspect || source.held.is_changed(&stat) => {
                    self.examine(key, stat, round);
                }
                Ok(_) => {}
                Err(error) => {
                    source.fault = Some(error.to_string());
                    round.fault(&source.path, &error);
                }
            }
        }
    }

    /// A known file has changed: is it still its source's?
    fn examine(&mut self, key: SourceKey, stat: Stat, round: &mut Round) {
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
        match verdict::known_file(file) {
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
            id: source.held.id.clone(),
            file: source.held.file.take(),
            spot: source.held.spot.take(),
            folder: source.held.folder,
            stat: None,
            size: 0,
            grown_ms: 0,
            head: Vec::new(),
            scan: self.scan,
        };
        let path = held.spot.as_ref().map_or(source.path.clone(), Spot::bytes);
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
        source.held.spot = None;
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
    ) {
        held.looked(stat, now_ms);
        held.read_head(self.boot_id);
        self.opened += usize::from(held.file.is_some());
        let key = self.add(Source::fresh(stream, path, held, ambiguous));
        if ambiguous {
            // Said at once: what makes it ambiguous may be forgotten before its bytes are read.
            self.touch(key);
        }
        self.close_surplus();
    }

    /// Strangers that a source out of sight is known by go on as that source; the rest are newcomers.
    fn meet(&mut self, strangers: Vec<Stranger>, round: &mut Round) {
        let mut absent: HashMap<u64, Vec<SourceKey>> = HashMap::new();
        for (key, source) in &self.sources {
            if matches!(source.reach, Reach::Absent { .. }) {
                absent.entry(source.held.id.ino).or_default().push(*key);
            }
        }
        for stranger in strangers {
            let path = stranger.spot.bytes();
            let (file, stat) = match stranger.open() {
                Ok(Some(opened)) => opened,
                Ok(None) => continue,
                Err(error) => {
                    round.fault(&path, &error);
                    continue;
                }
            };
            let id = FileId::of(&file, &stat, self.boot_id);
            let is_known = |key: &SourceKey| {
                let source = self.sources.get(key);
                source.is_some_and(|source| {
                    let out_of_sight = matches!(source.reach, Reach::Absent { .. });
                    out_of_sight && source.held.id.is(&id, source.path == path)
                })
            };
            let keys = absent.get(&id.ino).map(Vec::as_slice).unwrap_or_default();
            let known: Vec<_> = keys.iter().copied().filter(is_known).collect();
            let folder = round.folder_id(stranger.spot.folder());
            let held = Held {
                id,
                file: Some(Arc::new(file)),
                spot: Some(stranger.spot),
                folder,
                stat: None,
                size: 0,
                grown_ms: 0,
                head: Vec::new(),
                scan: self.scan,
            };
            if known.is_empty() {
                let newcomer = Newcomer::new(stranger.watch, held, stat, round.now_ms);
                self.newcomers.push(newcomer);
                self.spare_descriptors();
            } else {
                self.recognise(&known, stranger.watch, held, stat, round);
            }
        }
    }

    /// A file known by identity is in sight again. Several sources may have lived in it, one after
    /// the other: the one whose content it still has goes on.
    fn recognise(
        &mut self,
        known: &[SourceKey],
        watch: usize,
        mut held: Held,
        stat: Stat,
        round: &mut Round,
    ) {
        let mut fits: Option<SourceKey> = None;
        for key in known {
            let Some(source) = self.sources.get_mut(key) else {
                continue;
            };
            source.stream = source.stream.or(Some(watch));
            match source.fits(&held, &stat) {
                Ok(true) => {
                    let best = fits.and_then(|best| self.sources.get(&best));
                    let offset = self.sources.get(key).map(|s| s.read.offset());
                    if best.map(|best| best.read.offset()) < offset {
                        fits = Some(*key);
                    }
                }
                Ok(false) => {}
                Err(error) => return round.fault(&source.path.clone(), &error),
            }
        }
        for key in known.iter().filter(|key| Some(**key) != fits) {
            self.orphan(*key);
        }
        let Some(source) = fits.and_then(|key| self.sources.get_mut(&key)) else {
            let path = held.spot.as_ref().map(Spot::bytes);
            let path = path.unwrap_or(PathBytes(Vec::new()));
            return self.begin(watch, path, held, stat, false, round.now_ms);
        };
        held.size = source.held.size;
        held.looked(stat, round.now_ms);
        held.read_head(self.boot_id);
        source.held = held;
        source.reach = Reach::Here;
        source.unwatched = false;
        source.suspect = false;
        self.opened += 1;
        self.close_surplus();
    }

    /// Sources without a file: whether they are over. Returns how many the next scan may judge.
    fn judge_lost(&mut self, round: &mut Round) -> usize {
        let keys: Vec<_> = self.sources.keys().copied().collect();
        let mut awaited = 0;
        for key in keys {
            let claimed = self.is_claimed(key);
            let Some(source) = self.sources.get_mut(&key) else {
                continue;
            };
            match source.reach {
                Reach::Over { .. } => {}
                Reach::Here => self.judge_resting(key, round),
                Reach::Robbed { scan } if scan < self.scan && !claimed => {
                    self.end(key, Some(Reason::Truncated));
                }
                Reach::Robbed { .. } => awaited += 1,
                Reach::Absent { since_ms: None } => {
                    let since_ms = Some(round.now_ms);
                    source.reach = Reach::Absent { since_ms };
                    source.held.file = None;
                    awaited += usize::from(round.has_listed(source.held.folder));
                }
                Reach::Absent {
                    since_ms: Some(since_ms),
                } => self.judge_absent(key, since_ms, round),
            }
        }
        awaited
    }

    /// A file that rests: without a name, it is let go; a copy shorter than the source is known to
    /// have been leaves a gap.
    fn judge_resting(&mut self, key: SourceKey, round: &mut Round) {
        let Some(source) = self.sources.get_mut(&key) else {
            return;
        };
        let quiet_ms = source.held.quiet_ms(round.now_ms);
        let offset = source.read.offset();
        let drained = source.held.size <= offset;
        if source.extent > offset && drained && quiet_ms >= QUIET_MS {
            // What is skipped was never read: the fingerprint counts it as zeros, and the copy,
            // being spent, is never held against it.
            let window = vec![0; source.read.content.window_len()];
            source.skip(&window, source.extent, Reason::Truncated);
            source.spent = true;
            self.touch(key);
            return;
        }
        let links = source.held.stat.map_or(0, |stat| stat.links);
        if source.held.is_unnamed() && source.is_settled() && quiet_ms >= UNNAMED_HELD_MS {
            let gone = links == 0 || round.has_listed(source.held.folder);
            if gone {
                self.end(key, None);
            }
        }
    }

    fn judge_absent(&mut self, key: SourceKey, since_ms: u64, round: &mut Round) {
        let Some(source) = self.sources.get(&key) else {
            return;
        };
        // Bytes in the batch at hand may have to be read again if it is thrown away; and a path that
        // no pattern wants any more was never looked for.
        let unsealed = source.read.offset() != source.sealed.offset();
        let path = Path::new(OsStr::from_bytes(&source.path.0));
        let unwanted = !self.finder.watches().iter().any(|watch| watch.wants(path));
        if unsealed || unwanted || self.is_claimed(key) {
            return;
        }
        let absence = Absence {
            proven: round.has_listed(source.held.folder),
            missing_ms: round.now_ms.saturating_sub(since_ms),
            size: source.held.size,
            offset: source.read.offset(),
            unwatched: source.unwatched,
        };
        if let Absent::Over { gap } = verdict::absent(absence) {
            self.end(key, gap);
        }
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

impl Stranger {
    /// Opens it; `None` if the name leads elsewhere by now.
    fn open(&self) -> io::Result<Option<(File, Stat)>> {
        let file = match self.spot.open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let stat = sys::stat_file(&file)?;
        let same = stat.regular && Inode::from(&stat) == Inode::from(&self.stat);
        Ok(same.then_some((file, stat)))
    }
}

impl Held {
    /// Whether the file begins with the first bytes known of it.
    fn has_head(&self, file: &File) -> io::Result<bool> {
        let mut head = [0; HEAD_MAX];
        let len = file.read_at(&mut head, 0)?;
        Ok(self.agrees(&head[..len]))
    }

    /// Reads the first bytes, as far as they are not known.
    pub(super) fn read_head(&mut self, boot_id: Epoch) {
        let known = self.head.len() as u64;
        if known >= (HEAD_MAX as u64).min(self.size) {
            return;
        }
        let Ok(file) = self.open(boot_id) else {
            return;
        };
        let mut head = [0; HEAD_MAX];
        // What cannot be read now is read later; until then no file is taken for its copy.
        if let Ok(len) = file.read_at(&mut head, 0) {
            self.head = head[..len].to_vec();
        }
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

    /// Whether a file of its identity still holds its content.
    fn fits(&self, held: &Held, stat: &Stat) -> io::Result<bool> {
        if self.spent {
            return Ok(stat.size == self.held.size);
        }
        let Some(file) = &held.file else {
            return Ok(false);
        };
        Ok(stat.size >= self.read.offset() && self.read.content.ends_in(file)?)
    }
}
