//! The agent's own files, which it never reads, whatever a pattern says: its spool and its state, its key, its settings,
//! and the file its messages go to. Known by device and inode number, so that no other name for one leads to it.

use crate::sys::{self, Stat};
use std::collections::HashSet;
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

    /// Whether a folder is one of theirs, or lies in one.
    #[must_use]
    pub(crate) fn contain(&self, folder: &Path) -> bool {
        // What does not exist lies where the rest of its path does.
        let existing = folder.ancestors().find_map(|path| path.canonicalize().ok());
        let Some(existing) = existing else {
            return false;
        };
        let stats = existing
            .ancestors()
            .filter_map(|path| sys::stat_folder(path).ok());
        stats.into_iter().any(|stat| self.has_folder(&stat))
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
            assert_eq!(own.contain(&at(name)), contained, "{name}");
        }
        let has = |own: &OwnFiles, name: &str| own.has_file(&sys::stat_name(&at(name)).unwrap());
        assert!(has(&own, "other"));
        assert!(!has(&own, "log"));
        std::fs::rename(at("log"), at("key")).unwrap();
        std::fs::create_dir(at("later")).unwrap();
        own.look();
        assert!(has(&own, "key") && own.contain(&at("later")));
    }
}
