//! Lists the folders below the patterns' fixed parts. It opens no file.
//!
//! Symbolic links are not followed below a fixed part, nor where others may have put them above it
//! ([`super::root`]): whoever may write in a log folder must not choose what the agent reads. A folder whose times stand still is not listed again for a while,
//! so that idle files cost one stat each and nothing more.

use super::root::{self, Root};
use super::{MatchedPath, OwnFiles, Watch};
use crate::sys::{self, Stat};
use ledger::Moment;
use ledger::entry::PathBytes;
use rustix::fs::{Dir, FileType, OFlags};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Names that one scan looks at; beyond it the scan ends with a fault.
const NAMES_MAX: usize = 1_000_000;

/// What is said of the agent's own files.
pub(crate) const OWN: &str = "holdfast-agent's own, not read";

/// A listing counts only if the folder's last change is so much older: a later change could carry
/// the same time stamp.
const SETTLED_S: u64 = 2;

/// A listing is renewed after so long even if nothing seems to have changed: not every file system
/// keeps its folders' times.
const LISTING_KEPT_S: u64 = 60;

/// What a scan found.
#[derive(Debug, Default)]
pub(crate) struct FoundFiles {
    /// Names of regular files that a stream wants, with the index of the first such watch. A file
    /// may stand here twice, by hard links or where fixed parts overlap.
    pub(crate) matches: Vec<(MatchedPath, usize)>,
    /// Folders that were listed whole, by paths without symbolic links. What is not among the matches is not there, or
    /// not wanted.
    pub(crate) folders: BTreeSet<PathBuf>,
    /// What could not be listed.
    pub(crate) faults: Vec<(PathBytes, String)>,
    /// How many folders could not be listed, or not whole.
    pub(crate) unlisted: usize,
    /// Wanted names that are no files, and are passed over.
    pub(crate) notes: Vec<(PathBytes, String)>,
    /// Include patterns without a file.
    pub(crate) unmatched: Vec<String>,
}

/// Finds the files that watches want, again and again.
#[derive(Debug)]
pub(crate) struct Finder {
    watches: Vec<Watch>,
    /// Fixed parts, and how many levels to list below.
    roots: Vec<(Arc<Path>, usize)>,
    listings: HashMap<(usize, Arc<Path>), FolderListing>,
    own: OwnFiles,
}

/// What a folder held.
#[derive(Debug)]
struct FolderListing {
    stamp: Stat,
    root: Arc<Root>,
    taken: Moment,
    /// The path, the watch and its pattern.
    matches: Vec<(MatchedPath, usize, usize)>,
    folders: Vec<Arc<Path>>,
    notes: Vec<(PathBytes, String)>,
    names: usize,
}

impl Finder {
    /// `watches` stand in the config's order: the first that wants a file has it.
    #[must_use]
    pub(crate) fn new(watches: Vec<Watch>, own: OwnFiles) -> Self {
        let mut roots: Vec<(Arc<Path>, usize)> = Vec::new();
        for pattern in watches.iter().flat_map(|watch| &watch.include) {
            let Some(depth) = pattern.depth else {
                continue;
            };
            match roots.iter_mut().find(|(root, _)| **root == *pattern.root) {
                Some((_, known)) => *known = depth.max(*known),
                None => roots.push((pattern.root.as_path().into(), depth)),
            }
        }
        Self {
            watches,
            roots,
            listings: HashMap::new(),
            own,
        }
    }

    /// The agent's own files, as of the last scan.
    #[must_use]
    pub(crate) fn own(&self) -> &OwnFiles {
        &self.own
    }

    /// The watches.
    #[must_use]
    pub(crate) fn watches(&self) -> &[Watch] {
        &self.watches
    }

    /// Lists the files that the watches want.
    pub(crate) fn find(&mut self, wall: Moment) -> FoundFiles {
        self.own.look();
        let mut scan = FolderScan {
            watches: &self.watches,
            own: &self.own,
            wall,
            known: std::mem::take(&mut self.listings),
            roots: HashMap::new(),
            matched: HashSet::new(),
            found: FoundFiles::default(),
            names: 0,
        };
        for (at, watch) in self.watches.iter().enumerate() {
            for pattern in watch.include.iter().filter(|p| p.depth.is_none()) {
                scan.name_one(at, Path::new(&pattern.text), &pattern.root);
            }
        }
        for (at, (root, depth)) in self.roots.iter().enumerate() {
            scan.list_below(at, root, *depth, &mut self.listings);
        }
        scan.finish()
    }
}

struct FolderScan<'a> {
    watches: &'a [Watch],
    own: &'a OwnFiles,
    wall: Moment,
    known: HashMap<(usize, Arc<Path>), FolderListing>,
    /// Fixed parts that this scan has resolved; `None` for one that leads nowhere, of which what there is to say is said.
    roots: HashMap<PathBuf, Option<Arc<Root>>>,
    /// Patterns that matched.
    matched: HashSet<(usize, usize)>,
    found: FoundFiles,
    names: usize,
}

/// What a name is to the watches.
enum NameIs {
    Unwanted,
    Hit(usize, usize),
    PassedOver(&'static str),
}

impl FolderScan<'_> {
    /// What a fixed part leads to; `None` where that must not be looked at, or is not there.
    fn root(&mut self, root: &Path) -> Option<Arc<Root>> {
        if let Some(known) = self.roots.get(root) {
            return known.clone();
        }
        let real = match root::resolve(root) {
            Ok(found) if self.own.contain(&found) => {
                self.found.notes.push((path_bytes(root), OWN.into()));
                None
            }
            // Not made yet, or gone: nothing is wrong.
            Ok(found) if !found.exists => None,
            Ok(found) => Some(Arc::new(found)),
            Err(error) => {
                self.found.unlisted += 1;
                self.fault(root, error.to_string());
                None
            }
        };
        self.roots.insert(root.to_path_buf(), real.clone());
        real
    }

    /// A pattern that is one file's path: looked at without listing its folder.
    fn name_one(&mut self, at: usize, path: &Path, root: &Path) {
        let Some(root) = self.root(root) else {
            return;
        };
        let name = path.file_name().unwrap_or_default();
        let looked = sys::open_folder(&root.path, OFlags::PATH).and_then(|folder| {
            let kind = sys::kind_of(&folder, Path::new(name))?;
            Ok((kind, sys::stat_of(&folder)?))
        });
        match looked {
            Ok((kind, folder)) => match judge(self.watches, path, kind) {
                // An earlier watch that wants it meets it by its own pattern.
                NameIs::Hit(watch, _) if watch != at => {}
                NameIs::Hit(watch, pattern) => {
                    self.matched.insert((watch, pattern));
                    let matched = MatchedPath {
                        path: path.into(),
                        folder: root.written.as_path().into(),
                        root: root.clone(),
                        linked: self.watches[watch].linked(&folder),
                    };
                    self.found.matches.push((matched, watch));
                }
                NameIs::PassedOver(what) => {
                    self.found.notes.push((path_bytes(path), what.into()));
                }
                NameIs::Unwanted => {}
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return self.fault(path, error.to_string()),
        }
        self.found.folders.insert(root.path.clone());
    }

    fn list_below(
        &mut self,
        at: usize,
        root: &Arc<Path>,
        depth: usize,
        listings: &mut HashMap<(usize, Arc<Path>), FolderListing>,
    ) {
        let Some(resolved) = self.root(root) else {
            return;
        };
        let mut todo = vec![(root.clone(), 1)];
        while let Some((folder, level)) = todo.pop() {
            let key = (at, folder.clone());
            let listing = match self.listing(&key, &resolved) {
                Ok(listing) => listing,
                // Gone between listing and looking, or not made yet: nothing is wrong.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    self.found.unlisted += 1;
                    self.fault(&folder, error.to_string());
                    continue;
                }
            };
            self.names += listing.names;
            if self.names > NAMES_MAX {
                self.found.unlisted += 1;
                let what = format!("more than {NAMES_MAX} names: the rest is not looked at");
                return self.fault(&folder, what);
            }
            for (matched, watch, pattern) in &listing.matches {
                self.matched.insert((*watch, *pattern));
                self.found.matches.push((matched.clone(), *watch));
            }
            self.found.notes.extend(listing.notes.iter().cloned());
            self.found.folders.insert(resolved.real(&folder));
            if level < depth {
                let below = listing.folders.iter().cloned();
                todo.extend(below.map(|folder| (folder, level + 1)));
            }
            listings.insert(key, listing);
        }
    }

    /// The folder's listing, taken again unless the last one still holds.
    fn listing(&mut self, key: &(usize, Arc<Path>), root: &Arc<Root>) -> io::Result<FolderListing> {
        let (_, folder) = key;
        let opened = sys::open_folder(&root.real(folder), OFlags::RDONLY)?;
        let stamp = sys::stat_of(&opened)?;
        if let Some(known) = self.known.remove(key)
            && known.root == *root
            && known.holds(&stamp, self.wall)
        {
            return Ok(known);
        }
        let mut listing = FolderListing {
            stamp,
            root: root.clone(),
            taken: self.wall,
            matches: Vec::new(),
            folders: Vec::new(),
            notes: Vec::new(),
            names: 0,
        };
        if self.own.has_folder(&stamp) {
            listing.notes.push((path_bytes(folder), OWN.into()));
            return Ok(listing);
        }
        for entry in Dir::read_from(&opened)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            listing.names += 1;
            if listing.names > NAMES_MAX {
                break;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => match sys::kind_of(&opened, Path::new(name)) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    kind => kind?,
                },
                kind => kind,
            };
            let path: Arc<Path> = folder.join(name).into();
            if kind.is_dir() {
                listing.folders.push(path);
                continue;
            }
            match judge(self.watches, &path, kind) {
                NameIs::Unwanted => {}
                NameIs::PassedOver(what) => listing.notes.push((path_bytes(&path), what.into())),
                NameIs::Hit(watch, pattern) => {
                    let matched = MatchedPath {
                        path,
                        folder: folder.clone(),
                        root: root.clone(),
                        linked: self.watches[watch].linked(&stamp),
                    };
                    listing.matches.push((matched, watch, pattern));
                }
            }
        }
        Ok(listing)
    }

    fn fault(&mut self, path: &Path, what: String) {
        self.found.faults.push((path_bytes(path), what));
    }

    fn finish(mut self) -> FoundFiles {
        for (at, watch) in self.watches.iter().enumerate() {
            for (number, pattern) in watch.include.iter().enumerate() {
                if !self.matched.contains(&(at, number)) {
                    self.found.unmatched.push(pattern.text.clone());
                }
            }
        }
        self.found
    }
}

impl FolderListing {
    /// Whether the folder still holds what it held, as far as its times say.
    fn holds(&self, stamp: &Stat, wall: Moment) -> bool {
        let same = |a: &Stat, b: &Stat| {
            (a.dev, a.ino, a.modified, a.changed) == (b.dev, b.ino, b.modified, b.changed)
        };
        let changed_s = u64::try_from(stamp.modified.0.max(stamp.changed.0)).unwrap_or(0);
        let settled = self.taken.seconds() >= changed_s.saturating_add(SETTLED_S);
        // A clock set back makes it old as well.
        let age_s = wall.seconds().checked_sub(self.taken.seconds());
        settled && age_s.is_some_and(|age| age < LISTING_KEPT_S) && same(stamp, &self.stamp)
    }
}

fn path_bytes(path: &Path) -> PathBytes {
    PathBytes(path.as_os_str().as_bytes().to_vec())
}

fn judge(watches: &[Watch], path: &Path, kind: FileType) -> NameIs {
    let mut all = watches.iter().enumerate();
    let wanted = all.find_map(|(at, watch)| Some((at, watch.pattern_for(path)?)));
    let Some((watch, pattern)) = wanted else {
        return NameIs::Unwanted;
    };
    // What NFS makes of a file that is deleted while it is open: no name of anybody's.
    let name = path.file_name().map(OsStr::as_bytes);
    if name.is_some_and(|name| name.starts_with(b".nfs0")) {
        return NameIs::Unwanted;
    }
    if kind.is_symlink() {
        return NameIs::PassedOver("a symbolic link, not followed; include the path it leads to");
    }
    if kind.is_dir() {
        return NameIs::Unwanted;
    }
    if !kind.is_file() {
        return NameIs::PassedOver("not a regular file, not read");
    }
    NameIs::Hit(watch, pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(name: &str, include: &[String], exclude: &[&str]) -> Watch {
        let exclude: Vec<String> = exclude.iter().map(ToString::to_string).collect();
        Watch::new(name.parse().unwrap(), include, &exclude).unwrap()
    }

    fn wall(s: u64) -> Moment {
        Moment::from_micros(s * 1_000_000)
    }

    fn paths(found: &FoundFiles) -> BTreeSet<(PathBuf, usize)> {
        let matches = found.matches.iter();
        matches
            .map(|(matched, watch)| (matched.path().to_owned(), *watch))
            .collect()
    }

    #[test]
    fn a_walk_finds_regular_files_for_the_first_stream() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("sub")).unwrap();
        for name in ["a.log", "b.log", "sub/c.log", "old.log.gz"] {
            std::fs::write(at(name), "x").unwrap();
        }
        std::os::unix::fs::symlink(at("a.log"), at("link.log")).unwrap();
        let text = |name: &str| at(name).to_str().unwrap().to_owned();
        let first = [text("a.log"), text("missing.log"), text("nothing/*")];
        let second = [text("*.log*"), text("**/*.log")];
        let watches = vec![watch("one", &first, &[]), watch("two", &second, &[])];
        let found = Finder::new(watches, OwnFiles::default()).find(wall(0));
        let expected = [
            (at("a.log"), 0),
            (at("b.log"), 1),
            (at("old.log.gz"), 1),
            (at("sub/c.log"), 1),
        ];
        assert_eq!(paths(&found), expected.into());
        assert_eq!(found.unmatched, first[1..]);
        assert_eq!(found.folders, [dir.path().to_owned(), at("sub")].into());
        let named: BTreeSet<_> = found.notes.iter().map(|(path, _)| path.0.clone()).collect();
        let odd = ["link.log"].map(|name| text(name).into_bytes());
        assert_eq!(named, odd.into());
    }

    #[test]
    fn a_folder_at_rest_is_not_listed_again_until_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        let include = [format!("{}/**/*.log", dir.path().to_str().unwrap())];
        let mut finder = Finder::new(vec![watch("s", &include, &[])], OwnFiles::default());
        let made_s = u64::try_from(sys::stat_folder(dir.path()).unwrap().modified.0).unwrap();
        // However the clock stands, and however little it moves, nothing new is missed.
        for (round, at_s) in [
            0,
            made_s,
            made_s + 1,
            made_s + 10,
            made_s + 11,
            made_s - 99,
            0,
        ]
        .into_iter()
        .enumerate()
        {
            std::fs::write(dir.path().join(format!("{round}.log")), "x").unwrap();
            assert_eq!(finder.find(wall(at_s)).matches.len(), round + 1, "{at_s}");
            assert_eq!(finder.find(wall(at_s)).matches.len(), round + 1, "again");
        }
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        std::fs::write(dir.path().join("sub/new.log"), "x").unwrap();
        assert_eq!(finder.find(wall(made_s + 20)).matches.len(), 8);
        std::fs::remove_dir_all(dir.path().join("sub")).unwrap();
        assert_eq!(finder.find(wall(made_s + 20)).matches.len(), 7);
    }

    #[test]
    fn listings_hold_only_while_the_stamp_is_old_enough() {
        let dir = tempfile::tempdir().unwrap();
        let stamp = sys::stat_folder(dir.path()).unwrap();
        let changed_s = u64::try_from(stamp.changed.0).unwrap();
        for (taken, now, holds) in [
            (0, 0, false),
            (SETTLED_S - 1, SETTLED_S, false),
            (SETTLED_S, SETTLED_S, true),
            (SETTLED_S, SETTLED_S + LISTING_KEPT_S - 1, true),
            (SETTLED_S, SETTLED_S + LISTING_KEPT_S, false),
            (SETTLED_S + 5, SETTLED_S, false),
        ] {
            let listing = FolderListing {
                stamp,
                root: Arc::new(root::resolve(dir.path()).unwrap()),
                taken: wall(changed_s + taken),
                matches: Vec::new(),
                folders: Vec::new(),
                notes: Vec::new(),
                names: 0,
            };
            assert_eq!(
                listing.holds(&stamp, wall(changed_s + now)),
                holds,
                "{taken} {now}"
            );
        }
        let later = Stat {
            changed: sys::Instant(stamp.changed.0, stamp.changed.1 + 1),
            ..stamp
        };
        let listing = FolderListing {
            stamp,
            root: Arc::new(root::resolve(dir.path()).unwrap()),
            taken: wall(changed_s + 9),
            matches: Vec::new(),
            folders: Vec::new(),
            notes: Vec::new(),
            names: 0,
        };
        assert!(!listing.holds(&later, wall(changed_s + 9)));
    }
}
