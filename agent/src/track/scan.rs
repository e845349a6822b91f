//! One look at all files, by name and through descriptors; what has changed is judged by the rooms
//! beside this one: [`super::lives`], [`super::arrivals`], [`super::candidates`], [`super::absence`].

use super::arrivals::Stranger;
use super::tracked_source::{Reach, Source};
use super::{Now, SourceKey, Sources};
use crate::find::MatchedPath;
use crate::sys::{self, Stat};
use crate::track::identity::{FolderId, Inode};
use ledger::entry::PathBytes;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a scan found.
#[derive(Debug, Default)]
pub(crate) struct ScanReport {
    /// Files and folders that cannot be read now, each once, with what the system said.
    pub(crate) faults: Vec<(PathBytes, String)>,
    /// Include patterns that match no file now; they wait.
    pub(crate) unmatched: Vec<String>,
    /// Files that matched.
    pub(crate) files: usize,
    /// Files and sources that a further scan will judge: copies in the making, truncations whose
    /// copy may yet turn up.
    pub(crate) undecided: usize,
}

/// What one scan has at hand.
pub(super) struct Round {
    pub(super) now_ms: u64,
    listed: BTreeSet<PathBuf>,
    folder_ids: HashMap<PathBuf, Option<FolderId>>,
    proofs: Option<Vec<FolderId>>,
    pub(super) faults: BTreeSet<(PathBytes, String)>,
}

/// The names that a scan found, before any of them was looked at.
pub(super) struct Listed {
    pub(super) round: Round,
    /// With the index of the watch that wants it.
    pub(super) hits: Vec<(MatchedPath, usize)>,
    pub(super) unmatched: Vec<String>,
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
    pub(crate) fn scan(&mut self, now: Now) -> ScanReport {
        let Listed {
            round,
            hits,
            unmatched,
        } = self.list(now);
        self.look(hits.into_iter(), unmatched, round)
    }

    /// The first part of a scan: all names. What they stand for is looked at after that, and may
    /// have changed by then.
    pub(super) fn list(&mut self, now: Now) -> Listed {
        self.scan += 1;
        for source in self.sources.values_mut() {
            source.stalled = false;
        }
        let found = self.finder.find(now.wall);
        self.folders = found.folders.iter().cloned().collect();
        let round = Round {
            now_ms: now.boot_ms,
            listed: found.folders,
            folder_ids: HashMap::new(),
            proofs: None,
            faults: found.faults.into_iter().collect(),
        };
        Listed {
            round,
            hits: found.hits,
            unmatched: found.unmatched,
        }
    }

    /// The rest of it: known files by name and descriptor, then new ones, then sources without a file.
    pub(super) fn look(
        &mut self,
        hits: impl ExactSizeIterator<Item = (MatchedPath, usize)>,
        unmatched: Vec<String>,
        mut round: Round,
    ) -> ScanReport {
        let files = hits.len();
        let strangers = self.look_by_name(hits, &mut round);
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
            unmatched,
            files,
            undecided,
        }
    }

    /// Every name that is wanted: sources and newcomers known by inode take note of it, the rest
    /// are strangers.
    fn look_by_name(
        &mut self,
        hits: impl Iterator<Item = (MatchedPath, usize)>,
        round: &mut Round,
    ) -> Vec<Stranger> {
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
        for (matched, watch) in hits {
            let stat = match sys::stat_name(matched.path()) {
                Ok(stat) if stat.regular => stat,
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    round.fault(&matched.bytes(), &error);
                    continue;
                }
            };
            let inode = Inode::from(&stat);
            if let Some(key) = known.get(&inode) {
                self.see(*key, matched, stat, round);
            } else if let Some(at) = waiting.get(&inode) {
                let held = &mut self.newcomers[*at].held;
                held.matched = Some(matched);
                held.scan = self.scan;
            } else {
                strangers.push(Stranger {
                    matched,
                    watch,
                    stat,
                });
            }
        }
        // A file with two names is met once, for the first stream that wants it.
        strangers
            .sort_by(|a: &Stranger, b| (a.watch, a.matched.raw()).cmp(&(b.watch, b.matched.raw())));
        let mut met = HashSet::new();
        strangers.retain(|stranger| met.insert(Inode::from(&stranger.stat)));
        strangers
    }

    fn see(&mut self, key: SourceKey, matched: MatchedPath, stat: Stat, round: &mut Round) {
        let scan = self.scan;
        let Some(source) = self.sources.get_mut(&key) else {
            return;
        };
        if source.held.scan == scan {
            // A second name (a hard link): the first path is the better one.
            if matched.raw() == source.path.0 {
                source.held.matched = Some(matched);
            }
            return;
        }
        source.held.scan = scan;
        source.held.unnamed_scans = 0;
        let folder = source.held.matched.as_ref().map(MatchedPath::folder);
        let stayed = folder
            .is_some_and(|known| Arc::ptr_eq(known, matched.folder()) || known == matched.folder());
        if !stayed {
            source.held.folder = round.folder_id(matched.folder());
        }
        source.held.matched = Some(matched);
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
            source.held.matched = None;
            source.held.scan = scan;
            source.held.unnamed_scans += 1;
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
}
