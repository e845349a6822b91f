//! Files under names that no source in sight has: known from before, or newcomers.

use super::candidates::Newcomer;
use super::scan::Round;
use super::tracked_file::Held;
use super::tracked_source::{Reach, Source};
use super::{SourceKey, Sources};
use crate::find::MatchedPath;
use crate::sys::{self, Stat};
use crate::track::identity::{FileId, Inode};
use ledger::entry::PathBytes;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// A file that no source is known to be in.
pub(super) struct Stranger {
    pub(super) matched: MatchedPath,
    pub(super) watch: usize,
    pub(super) stat: Stat,
}

impl Sources {
    /// Strangers that a source out of sight is known by go on as that source; the rest are newcomers.
    pub(super) fn meet(&mut self, strangers: Vec<Stranger>, round: &mut Round) {
        let mut absent: HashMap<u64, Vec<SourceKey>> = HashMap::new();
        for (key, source) in &self.sources {
            if matches!(source.reach, Reach::Absent { .. }) {
                absent.entry(source.held.id.ino).or_default().push(*key);
            }
        }
        for stranger in strangers {
            let path = stranger.matched.bytes();
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
            let folder = round.folder_id(stranger.matched.folder());
            let held = Held {
                file: Some(Arc::new(file)),
                matched: Some(stranger.matched),
                scan: self.scan,
                ..Held::new(id, folder)
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
            let path = held.matched.as_ref().map(MatchedPath::bytes);
            let path = path.unwrap_or(PathBytes(Vec::new()));
            self.begin(watch, path, held, stat, false, round.now_ms);
            return;
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
}

impl Stranger {
    /// Opens it; `None` if the name leads elsewhere by now.
    fn open(&self) -> io::Result<Option<(File, Stat)>> {
        let file = match self.matched.open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let stat = sys::stat_file(&file)?;
        let same = stat.regular && Inode::from(&stat) == Inode::from(&self.stat);
        Ok(same.then_some((file, stat)))
    }
}

impl Source {
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
