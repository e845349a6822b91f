//! A name that led to a file: its path, and the way to open it that no link can bend.

use super::Linked;
use super::root::Root;
use crate::sys::{self, Stat};
use ledger::entry::PathBytes;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A name that led to a file, and where it really is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MatchedPath {
    pub(super) path: Arc<Path>,
    pub(super) folder: Arc<Path>,
    /// The pattern's fixed part, below which it lies.
    pub(super) root: Arc<Root>,
    /// Whether it is read if it has several names.
    pub(super) linked: Linked,
}

impl MatchedPath {
    /// The whole path.
    #[must_use]
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path as the archive holds it.
    #[must_use]
    pub(crate) fn bytes(&self) -> PathBytes {
        PathBytes(self.raw().to_vec())
    }

    /// The path's bytes.
    #[must_use]
    pub(crate) fn raw(&self) -> &[u8] {
        self.path.as_os_str().as_bytes()
    }

    /// The folder it is in.
    #[must_use]
    pub(crate) fn folder(&self) -> &Arc<Path> {
        &self.folder
    }

    /// The folder it is in, by a path with no symbolic link in it.
    #[must_use]
    pub(crate) fn real_folder(&self) -> PathBuf {
        self.root.real(&self.folder)
    }

    /// What the pattern's fixed part leads to.
    #[must_use]
    pub(crate) fn real_root(&self) -> &Path {
        &self.root.path
    }

    /// Whether the file may be another's, linked here by somebody who may not read it.
    #[must_use]
    pub(crate) fn may_be_anothers(&self, stat: &Stat) -> bool {
        stat.links > 1
            && match self.linked {
                Linked::All => false,
                Linked::OwnedBy(owner) => owner != stat.owner,
                Linked::None => true,
            }
    }

    /// Opens it for reading, with no symbolic link on the way.
    pub(crate) fn open(&self) -> io::Result<File> {
        sys::open_log(&self.root.real(&self.path))
    }
}
