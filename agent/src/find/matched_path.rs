//! A name that led to a file: its path, and the way to open it that no link can bend.

use crate::sys;
use ledger::entry::PathBytes;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// A name that led to a file, and the part of it that the operator wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MatchedPath {
    pub(super) path: Arc<Path>,
    pub(super) folder: Arc<Path>,
    pub(super) root: Arc<Path>,
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

    /// The part of it that the operator wrote, up to a folder.
    #[must_use]
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Opens it for reading, with no symbolic link below the fixed part.
    pub(crate) fn open(&self) -> io::Result<File> {
        let below = self.path.strip_prefix(&self.root).unwrap_or(&self.path);
        sys::open_log(&self.root, below)
    }
}
