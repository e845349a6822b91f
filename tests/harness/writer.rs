//! A log file as an application and logrotate treat it, with a record of what was written.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// How the file is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Renamed to `.1`, and a new file made: logrotate's `create`.
    Rename,
    /// Copied to `.1`, then cut to nothing: logrotate's `copytruncate`.
    CopyTruncate,
}

/// An open log file.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    rotation: Rotation,
    file: File,
    /// What each file's sources held; the last one is still written.
    lives: Vec<Vec<u8>>,
}

impl Writer {
    /// Makes the file.
    ///
    /// # Panics
    /// When the disk refuses.
    #[must_use]
    pub fn create(path: &Path, rotation: Rotation) -> Self {
        let file = append_to(path);
        Self {
            path: path.to_path_buf(),
            rotation,
            file,
            lives: vec![Vec::new()],
        }
    }

    /// Appends bytes in one write.
    ///
    /// # Panics
    /// When the disk refuses.
    pub fn write(&mut self, bytes: &[u8]) {
        self.file.write_all(bytes).expect("a log can be written");
        self.lives
            .last_mut()
            .expect("one life at least")
            .extend_from_slice(bytes);
    }

    /// Shifts `.1` to `.2` and so on, and moves the file's bytes to `.1`.
    ///
    /// # Panics
    /// When the disk refuses.
    pub fn rotate(&mut self) {
        for number in (1..self.lives.len()).rev() {
            fs::rename(self.rotated(number), self.rotated(number + 1)).expect("a log can move");
        }
        match self.rotation {
            Rotation::Rename => {
                fs::rename(&self.path, self.rotated(1)).expect("a log can move");
                self.file = append_to(&self.path);
            }
            Rotation::CopyTruncate => {
                fs::copy(&self.path, self.rotated(1)).expect("a log can be copied");
                self.file.set_len(0).expect("a log can be cut");
            }
        }
        self.lives.push(Vec::new());
    }

    /// What each file's life held.
    #[must_use]
    pub fn lives(&self) -> &[Vec<u8>] {
        &self.lives
    }

    fn rotated(&self, number: usize) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".{number}"));
        path.into()
    }
}

fn append_to(path: &Path) -> File {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.expect("a log can be opened")
}
