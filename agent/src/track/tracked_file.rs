//! The file that a source is read through now: its identity, where it was seen, and a descriptor
//! that may be closed while the file is idle and has a name to open it by again.

use crate::find::MatchedPath;
use crate::sys::{self, Stat};
use crate::track::identity::{FileId, FolderId};
use ledger::name::Epoch;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// First bytes of a file kept in memory, to tell quickly that another is no copy of it.
pub(super) const HEAD_MAX: usize = 64;

/// The file of a source.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) id: FileId,
    pub(super) file: Option<Arc<File>>,
    /// The name by which the last scan saw it.
    pub(super) matched: Option<MatchedPath>,
    /// The folder of the last name it had.
    pub(super) folder: Option<FolderId>,
    /// The last look in this run.
    pub(super) stat: Option<Stat>,
    /// Size at the last look, in an earlier run even.
    pub(super) size: u64,
    /// When it was last seen to have grown.
    pub(super) grown_ms: u64,
    /// First bytes, as far as there are any.
    pub(super) head: Vec<u8>,
    /// The scan that last saw it, by name or descriptor.
    pub(super) scan: u64,
    /// Scans in a row that saw it by no name.
    pub(super) unnamed_scans: u64,
}

/// Why a held file cannot be opened again.
#[derive(Debug)]
pub(super) enum OpenFault {
    /// Another file has its name now, or none: the next scan finds out.
    Moved,
    /// As the system says.
    Io(io::Error),
}

impl Held {
    /// A file not looked at yet, as far as this run goes.
    pub(super) fn new(id: FileId, folder: Option<FolderId>) -> Self {
        Self {
            id,
            file: None,
            matched: None,
            folder,
            stat: None,
            size: 0,
            grown_ms: 0,
            head: Vec::new(),
            scan: 0,
            unnamed_scans: 0,
        }
    }

    /// The descriptor, opened again by name if it was closed. A file of another identity under that
    /// name is not taken for it.
    pub(super) fn open(&mut self, boot_id: Epoch) -> Result<Arc<File>, OpenFault> {
        if let Some(file) = &self.file {
            return Ok(file.clone());
        }
        let matched = self.matched.as_ref().ok_or(OpenFault::Moved)?;
        let file = matched.open().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => OpenFault::Moved,
            _ => OpenFault::Io(error),
        })?;
        let stat = sys::stat_file(&file).map_err(OpenFault::Io)?;
        if FileId::of(&file, &stat, boot_id) != self.id {
            return Err(OpenFault::Moved);
        }
        let file = Arc::new(file);
        self.file = Some(file.clone());
        Ok(file)
    }

    /// Takes note of a look. Growth is what a size differing from the last one says.
    pub(super) fn looked(&mut self, stat: Stat, now_ms: u64) {
        if self.stat.is_none() || stat.size != self.size {
            self.grown_ms = now_ms;
        }
        self.size = stat.size;
        self.stat = Some(stat);
    }

    /// Whether a look shows anything that the last one did not.
    pub(super) fn is_changed(&self, stat: &Stat) -> bool {
        self.stat.is_none_or(|known| {
            (known.size, known.modified, known.changed) != (stat.size, stat.modified, stat.changed)
        })
    }

    /// Whether it has no name, as far as the last scan saw.
    pub(super) fn is_unnamed(&self) -> bool {
        self.matched.is_none()
    }

    /// Whether a file that begins with `bytes` may be this one, by the first bytes known of both.
    pub(super) fn agrees(&self, bytes: &[u8]) -> bool {
        let common = self.head.len().min(bytes.len());
        self.head[..common] == bytes[..common]
    }

    /// Milliseconds since it last grew.
    pub(super) fn quiet_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.grown_ms)
    }

    /// Whether the file begins with the first bytes known of it.
    pub(super) fn has_head(&self, file: &File) -> io::Result<bool> {
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
