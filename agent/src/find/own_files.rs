//! The agent's own files, which it never reads, whatever a pattern says: its spool and its state, its key, its settings,
//! and the file its messages go to. Known by device and inode number, so that no other name for one leads to it.

use super::root::{self, Root};
use crate::sys::{self, Stat};
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Where they are, and which they were when last looked at.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnFiles {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
    folder_numbers: HashSet<(u64, u64)>,
    file_numbers: HashSet<(u64, u64)>,
}

impl OwnFiles {
    /// All below `folders`, and `files`.
    #[must_use]
    pub(crate) fn new(folders: Vec<PathBuf>, files: Vec<PathBuf>) -> Self {
        let mut own = Self {
            folders,
            files,
            ..Self::default()
        };
        own.look();
        own
    }

    /// Looks again which they are: a key is replaced when it is rotated, and what is not there yet may come.
    pub(super) fn look(&mut self) {
        let numbers = |stat: Stat| (stat.dev, stat.ino);
        let folders = self
            .folders
            .iter()
            .filter_map(|path| sys::stat_folder(path).ok());
        self.folder_numbers = folders.map(numbers).collect();
        let files = self
            .files
            .iter()
            .filter_map(|path| sys::stat_folder(path).ok());
        let messages = sys::stat_of(io::stderr()).ok().filter(|stat| stat.regular);
        self.file_numbers = files.chain(messages).map(numbers).collect();
    }

    /// Whether a folder is one of them.
    #[must_use]
    pub(super) fn has_folder(&self, stat: &Stat) -> bool {
        self.folder_numbers.contains(&(stat.dev, stat.ino))
    }

    /// Whether a file is one of them.
    #[must_use]
    pub(crate) fn has_file(&self, stat: &Stat) -> bool {
        self.file_numbers.contains(&(stat.dev, stat.ino))
    }

    /// Opens the regular file at `path`, if it is none of them and no link leads there that others may have put.
    #[must_use]
    pub(crate) fn open_other(&self, path: &Path) -> Option<File> {
        let root = root::resolve(path.parent()?).ok()?;
        let file = sys::open_log(&root.path.join(path.file_name()?)).ok()?;
        let stat = sys::stat_file(&file).ok()?;
        let is_other = stat.regular && !self.has_file(&stat) && !self.contain(&root);
        is_other.then_some(file)
    }

    /// Whether what a fixed part leads to is one of their folders, or lies in one.
    #[must_use]
    pub(super) fn contain(&self, root: &Root) -> bool {
        let mut folders = root.folders.iter();
        folders.any(|numbers| self.folder_numbers.contains(numbers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_known_under_any_name() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("state/below")).unwrap();
        std::fs::write(at("key"), "k").unwrap();
        std::fs::write(at("state/file"), "s").unwrap();
        std::fs::hard_link(at("key"), at("other")).unwrap();
        std::fs::write(at("log"), "l").unwrap();
        std::os::unix::fs::symlink(at("state"), at("link")).unwrap();
        let mut own = OwnFiles::new(vec![at("state"), at("later")], vec![at("key")]);
        for (name, contained) in [
            ("state", true),
            ("state/below", true),
            ("state/missing/deep", true),
            ("link/below", true),
            ("", false),
            ("missing", false),
        ] {
            let root = root::resolve(&at(name)).unwrap();
            assert_eq!(own.contain(&root), contained, "{name}");
        }
        let has = |own: &OwnFiles, name: &str| own.has_file(&sys::stat_name(&at(name)).unwrap());
        assert!(has(&own, "other"));
        for (name, opens) in [("log", true), ("other", false), ("state/file", false)] {
            assert_eq!(own.open_other(&at(name)).is_some(), opens, "{name}");
        }
        assert!(!has(&own, "log"));
        std::fs::rename(at("log"), at("key")).unwrap();
        std::fs::create_dir(at("later")).unwrap();
        own.look();
        let later = root::resolve(&at("later")).unwrap();
        assert!(has(&own, "key") && own.contain(&later));
    }
}
