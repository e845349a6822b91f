//! The archiver's half of the spool, looked into: the marks of one epoch's batches. The archiver may be taken over, so
//! nothing there is reached but by descriptor, one name at a time and never through a symlink.

use crate::bounds::RECEIPT_NAMES_MAX;
use host::folder::Folder;
use ledger::name::{Epoch, Name, parse_seq};
use ledger::spool::{Mark, RECEIPTS};
use rustix::io::Errno;
use std::io;
use std::path::Path;

/// The folder with the marks of an epoch, open; none if no folder stands there.
#[derive(Debug)]
pub(crate) struct EpochMarks(Option<Folder>);

impl EpochMarks {
    /// Opens the folder of a stream's epoch below the spool at `root`.
    ///
    /// # Errors
    /// What the system says. What is no folder where the archiver should have made one has no mark in it.
    pub(super) fn open(root: &Path, stream: &Name, epoch: Epoch) -> io::Result<Self> {
        let Some(stream) = stream_folder(root, stream)? else {
            return Ok(Self(None));
        };
        Ok(Self(enter(&stream, &epoch.to_string())?))
    }

    /// Whether anything at all is said against the batch by this mark.
    pub(crate) fn has(&self, seq: u64, mark: Mark) -> io::Result<bool> {
        let name = file_name(seq, mark);
        self.0
            .as_ref()
            .map_or(Ok(false), |folder| folder.has(&name))
    }

    /// What the mark holds, if it is there. What is no regular file of at most `max_bytes` says nothing, so it is read
    /// as empty: it is of this batch alone, and keeps nobody from reading others.
    ///
    /// # Errors
    /// What the system says: it may be read the next time.
    pub(crate) fn read(&self, seq: u64, mark: Mark, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(folder) = &self.0 else {
            return Ok(None);
        };
        match folder.read(&file_name(seq, mark), max_bytes) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if is_odd(&error) => Ok(Some(Vec::new())),
            Err(error) => Err(error),
        }
    }

    /// The highest number that a receipt is named after, whatever that says, among [`RECEIPT_NAMES_MAX`] names.
    pub(super) fn newest_receipt(&self) -> io::Result<Option<u64>> {
        let Some(folder) = &self.0 else {
            return Ok(None);
        };
        let mut newest = None;
        folder.each_name(RECEIPT_NAMES_MAX, |name| {
            newest = newest.max(name.strip_suffix(".receipt").and_then(parse_seq));
        })?;
        Ok(newest)
    }
}

/// `receipts/` itself stands in the agent's own folder: what else stands there is an error.
fn stream_folder(root: &Path, stream: &Name) -> io::Result<Option<Folder>> {
    match Folder::open(root)?.enter(RECEIPTS) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let message = format!("{}: {error}", root.join(RECEIPTS).display());
            Err(io::Error::new(error.kind(), message))
        }
        Ok(folder) => enter(&folder, stream.as_str()),
    }
}

fn enter(parent: &Folder, name: &str) -> io::Result<Option<Folder>> {
    match parent.enter(name) {
        Ok(folder) => Ok(Some(folder)),
        Err(error) if error.kind() == io::ErrorKind::NotFound || is_odd(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether something stands there that the archiver never makes: a link, a pipe, a socket, a folder for a file, a file
/// for a folder, or too much.
fn is_odd(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, InvalidData, IsADirectory, NotADirectory};
    let odd = [Errno::LOOP, Errno::NXIO, Errno::NODEV].map(|errno| Some(errno.raw_os_error()));
    [FileTooLarge, InvalidData, IsADirectory, NotADirectory].contains(&error.kind())
        || odd.contains(&error.raw_os_error())
}

fn file_name(seq: u64, mark: Mark) -> String {
    format!("{seq:020}.{}", mark.extension())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{epoch, stream};
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_no_regular_file_is_no_receipt_and_no_link_is_followed() {
        let spool = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let top = spool.path().join(RECEIPTS).join(stream().as_str());
        let folder = top.join(epoch(1).to_string());
        std::fs::create_dir_all(&folder).unwrap();
        let at = |seq: u64| folder.join(file_name(seq, Mark::Receipt));
        std::fs::write(at(0), "receipt").unwrap();
        mknodat(CWD, at(1), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        symlink(at(0), at(2)).unwrap();
        std::fs::create_dir(at(3)).unwrap();
        std::fs::write(at(4), "x".repeat(100)).unwrap();
        drop(std::os::unix::net::UnixListener::bind(at(5)).unwrap());
        let open = |of| EpochMarks::open(spool.path(), &stream(), of).unwrap();
        let marks = open(epoch(1));
        let read = |seq| marks.read(seq, Mark::Receipt, 10).unwrap();
        assert_eq!(read(0).unwrap(), b"receipt");
        for seq in 1..6 {
            assert_eq!(read(seq), Some(Vec::new()), "{seq}");
            assert!(marks.has(seq, Mark::Receipt).unwrap(), "{seq}");
        }
        assert!(read(6).is_none());
        assert_eq!(marks.newest_receipt().unwrap(), Some(5));

        // A link to a folder that holds a receipt, and a file.
        symlink(&folder, top.join(epoch(2).to_string())).unwrap();
        std::fs::write(top.join(epoch(3).to_string()), "").unwrap();
        for of in [epoch(2), epoch(3), epoch(4)] {
            assert!(!open(of).has(0, Mark::Receipt).unwrap(), "{of}");
        }
        // In the agent's own folder it is nobody's business but the operator's.
        std::fs::rename(spool.path().join(RECEIPTS), outside.path().join("r")).unwrap();
        assert!(!open(epoch(1)).has(0, Mark::Receipt).unwrap());
        symlink(outside.path().join("r"), spool.path().join(RECEIPTS)).unwrap();
        assert!(EpochMarks::open(spool.path(), &stream(), epoch(1)).is_err());
    }
}
