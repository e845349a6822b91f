//! The folder in `tmp/` that a batch is made in. It says nothing of what the files hold.

use crate::sealing::seal_error::SealError;
use crate::spool::{FOLDER_MODE, Layout};
use host::disk;
use rustix::fs::Mode;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// A folder in `tmp/` with an open batch.
#[derive(Debug)]
pub(crate) struct BatchFolder {
    path: PathBuf,
    body: Option<File>,
}

impl BatchFolder {
    pub(crate) fn make(layout: &Layout) -> Result<Self, SealError> {
        let name = disk::random_name().map_err(failed("naming a batch", &layout.tmp()))?;
        let path = layout.tmp().join(name);
        let mode = Mode::from_raw_mode(FOLDER_MODE);
        // chmod as well: the umask may have taken bits off, and setgid only sticks by chmod. By path, for nobody else
        // writes in `tmp/`.
        let made = rustix::fs::mkdir(&path, mode).and_then(|()| rustix::fs::chmod(&path, mode));
        made.map_err(|error| failed("making a batch's folder", &path)(error.into()))?;
        Ok(Self { path, body: None })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The body's file, if one is open, for its next block or to be synced.
    pub(crate) fn take_body(&mut self) -> Option<File> {
        self.body.take()
    }

    pub(crate) fn keep_body(&mut self, body: File) {
        self.body = Some(body);
    }

    pub(crate) fn create(&self, name: &str) -> Result<File, SealError> {
        let path = self.path.join(name);
        let doing = "making a batch's file";
        disk::create_new(&path, disk::FILE_MODE).map_err(failed(doing, &path))
    }

    /// Best effort: what stays is swept at the next start.
    pub(crate) fn remove(self) {
        drop(self.body);
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "a discarded batch stays until the next start");
        }
    }
}

pub(crate) fn failed(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> SealError {
    let path = path.to_path_buf();
    move |source| SealError::Discarded {
        path: path.clone(),
        doing,
        source,
    }
}
