//! The packed files that are being read: few at a time, for each holds a window of its unpacked bytes.

use super::tracked_source::SourceKey;
use crate::read::gzip::PackedReader;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// Packed files read at a time; the one read longest ago gives way, and is unpacked again from its start.
const OPEN_MAX: usize = 4;

/// Readers, the one used last at the end.
#[derive(Debug, Default)]
pub(super) struct Unpackers(Vec<(SourceKey, PackedReader)>);

impl Unpackers {
    /// The source's reader.
    ///
    /// # Errors
    /// The file cannot be looked at.
    pub(super) fn of(&mut self, key: SourceKey, file: &Arc<File>) -> io::Result<&mut PackedReader> {
        let known = self.0.iter().position(|(of, _)| *of == key);
        let used = match known {
            Some(at) => self.0.remove(at),
            None => (key, PackedReader::new(Arc::clone(file))?),
        };
        if self.0.len() >= OPEN_MAX {
            self.0.remove(0);
        }
        self.0.push(used);
        let last = self.0.last_mut().ok_or(io::ErrorKind::NotFound)?;
        Ok(&mut last.1)
    }

    pub(super) fn forget(&mut self, key: SourceKey) {
        self.0.retain(|(of, _)| *of != key);
    }
}
