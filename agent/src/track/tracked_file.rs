//! The file that a source is read through now: its identity, where it was seen, and a descriptor
//! that may be closed while the file is idle and has a name to open it by again.

use super::fingerprint::HEAD_MAX;
use super::identity::{FileId, FolderPath, Inode};
use super::scan::Scan;
use crate::find::MatchedPath;
use crate::read::gzip::{self, PackedEnd};
use crate::read::plain;
use crate::sys::{self, Instant, Stat};
use ledger::entry::PathBytes;
use ledger::manifest::Via;
use ledger::name::Epoch;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// The file of a source, or of a candidate.
#[derive(Debug)]
pub(super) struct TrackedFile {
    id: FileId,
    descriptor: Option<Arc<File>>,
    /// The name by which the last scan saw it.
    matched: Option<MatchedPath>,
    /// The folder of the last name it had.
    folder: FolderPath,
    /// The last look in this run.
    stat: Option<Stat>,
    /// When an earlier run looked last, it had been modified then.
    modified: Option<Instant>,
    /// Size at the last look, in an earlier run even.
    size: u64,
    /// When it was last seen to have grown.
    grown_ms: u64,
    /// First bytes, as far as there are any.
    head: Vec<u8>,
    /// How it is read.
    via: Via,
    /// Where unpacking it came to an end.
    packed: Option<PackedLen>,
    /// Where the zeros begin that reach its end, as long as it is as it was then.
    blank: Option<Blank>,
    /// The scan that last saw it, by name or descriptor.
    scan: u64,
    /// Scans in a row that saw it by no name.
    unnamed_scans: u64,
}

/// How long a packed file's content is, as long as the file is of this size.
#[derive(Debug, Clone, Copy)]
struct PackedLen {
    size: u64,
    unpacked: u64,
    end: PackedEnd,
}

/// Room at a file's end that nothing is written to yet.
#[derive(Debug, Clone, Copy)]
struct Blank {
    from: u64,
    size: u64,
    modified: Instant,
}

/// Why a file cannot be opened again.
#[derive(Debug)]
pub(super) enum OpenFault {
    /// Another file has its name now, or none: the next scan finds out.
    Moved,
    /// As the system says.
    Io(io::Error),
}

impl TrackedFile {
    /// A file not looked at yet, as far as this run goes; so long when an earlier one looked.
    pub(super) fn unmet(id: FileId, via: Via, folder: FolderPath, size: u64) -> Self {
        Self {
            via,
            packed: None,
            blank: None,
            id,
            descriptor: None,
            matched: None,
            folder,
            stat: None,
            modified: None,
            size,
            grown_ms: 0,
            head: Vec::new(),
            scan: 0,
            unnamed_scans: 0,
        }
    }

    /// A file just opened by its name.
    pub(super) fn opened(
        id: FileId,
        file: File,
        matched: MatchedPath,
        folder: FolderPath,
        scan: &Scan,
    ) -> Self {
        Self {
            descriptor: Some(Arc::new(file)),
            ..Self::seen(id, matched, folder, scan)
        }
    }

    /// A file whose name was seen.
    pub(super) fn seen(id: FileId, matched: MatchedPath, folder: FolderPath, scan: &Scan) -> Self {
        Self {
            matched: Some(matched),
            scan: scan.number(),
            ..Self::unmet(id, Via::Plain, folder, 0)
        }
    }

    /// The same file for the source that begins in it; this one has no way to it any more.
    pub(super) fn hand_over(&mut self, scan: &Scan) -> Self {
        Self {
            descriptor: self.descriptor.take(),
            matched: self.matched.take(),
            scan: scan.number(),
            ..Self::unmet(self.id.clone(), Via::Plain, self.folder.clone(), 0)
        }
    }

    /// What is known of it, without a way to it.
    pub(super) fn without_a_way(&self) -> Self {
        Self {
            matched: self.matched.clone(),
            stat: self.stat,
            ..Self::unmet(self.id.clone(), self.via, self.folder.clone(), self.size)
        }
    }

    pub(super) fn id(&self) -> &FileId {
        &self.id
    }

    pub(super) fn inode(&self) -> Inode {
        self.id.inode()
    }

    pub(super) fn folder(&self) -> &FolderPath {
        &self.folder
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// When its bytes last changed, as its file system says and as far as the last look showed.
    pub(super) fn modified(&self) -> Option<Instant> {
        self.stat.map(|stat| stat.modified).or(self.modified)
    }

    /// An earlier run looked last, and this is what it showed of the time.
    pub(super) fn was_modified(&mut self, at: Option<Instant>) {
        self.modified = at;
    }

    pub(super) fn via(&self) -> Via {
        self.via
    }

    /// It turned out to be read so.
    pub(super) fn is_via(&mut self, via: Via) {
        self.via = via;
    }

    /// Bytes of its source that it has, as far as the last look showed; unknown, as long as can be, of a packed
    /// file that was not unpacked to its end.
    pub(super) fn source_len(&self) -> u64 {
        match (self.via, &self.packed) {
            (Via::Plain, _) => self.blank_from().unwrap_or(self.size),
            (Via::Gzip, Some(packed)) if packed.size == self.size => packed.unpacked,
            (Via::Gzip, _) => u64::MAX,
        }
    }

    /// From here to its end all is zeros, as far as the last look at its times shows.
    pub(super) fn blank_from(&self) -> Option<u64> {
        let (blank, stat) = (self.blank?, self.stat?);
        let same = (blank.size, blank.modified) == (stat.size, stat.modified);
        (same && stat.size == self.size).then_some(blank.from)
    }

    /// From here to its end all is zeros.
    pub(super) fn is_blank_after(&mut self, stat: &Stat, from: u64) {
        self.blank = Some(Blank {
            from,
            size: stat.size,
            modified: stat.modified,
        });
    }

    /// How unpacking it, as it is, came to an end.
    pub(super) fn packed_end(&self) -> Option<PackedEnd> {
        let packed = self.packed.filter(|packed| packed.size == self.size)?;
        Some(packed.end)
    }

    /// It is this file, of which it is known how long it is as long as it is as it was.
    pub(super) fn unpacks_as(&mut self, known: &Self) {
        self.packed = known.packed;
    }

    /// It was unpacked to its end.
    pub(super) fn unpacked(&mut self, size: u64, unpacked: u64, end: PackedEnd) {
        self.packed = Some(PackedLen {
            size,
            unpacked,
            end,
        });
    }

    pub(super) fn stat(&self) -> Option<Stat> {
        self.stat
    }

    pub(super) fn scan(&self) -> u64 {
        self.scan
    }

    pub(super) fn unnamed_scans(&self) -> u64 {
        self.unnamed_scans
    }

    pub(super) fn grown_ms(&self) -> u64 {
        self.grown_ms
    }

    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Names that lead to it, as far as the last look showed.
    pub(super) fn links(&self) -> u32 {
        self.stat.map_or(0, |stat| stat.links)
    }

    pub(super) fn descriptor(&self) -> Option<&Arc<File>> {
        self.descriptor.as_ref()
    }

    pub(super) fn is_open(&self) -> bool {
        self.descriptor.is_some()
    }

    pub(super) fn close(&mut self) {
        self.descriptor = None;
    }

    /// The path of its name, if it has one.
    pub(super) fn path(&self) -> Option<PathBytes> {
        self.matched.as_ref().map(MatchedPath::bytes)
    }

    pub(super) fn is_at(&self, path: &PathBytes) -> bool {
        let matched = self.matched.as_ref();
        matched.is_some_and(|matched| matched.raw() == path.0)
    }

    /// Whether a name that leads to a file of the same numbers may lead to this one, first seen at `path`: what is held
    /// open here is no other, and at its own path the content tells.
    pub(super) fn may_be_at(&self, path: &PathBytes, matched: &MatchedPath, inode: Inode) -> bool {
        let here = path.0 == matched.raw() || self.is_at(&matched.bytes());
        self.is_open() || self.inode() == inode || here
    }

    /// Whether it has no name, as far as the last scan saw.
    pub(super) fn is_unnamed(&self) -> bool {
        self.matched.is_none()
    }

    /// The descriptor, opened again by name if it was closed. A file of another identity under that
    /// name is not taken for it.
    pub(super) fn open(&mut self, boot_id: Epoch) -> Result<Arc<File>, OpenFault> {
        if let Some(file) = &self.descriptor {
            return Ok(file.clone());
        }
        let matched = self.matched.as_ref().ok_or(OpenFault::Moved)?;
        let file = matched.open().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => OpenFault::Moved,
            _ => OpenFault::Io(error),
        })?;
        let stat = sys::stat_file(&file).map_err(OpenFault::Io)?;
        let seen = FileId::of(&file, &stat, boot_id);
        if !self.id.is_still(&seen) {
            return Err(OpenFault::Moved);
        }
        self.id = seen;
        let file = Arc::new(file);
        self.descriptor = Some(file.clone());
        Ok(file)
    }

    /// Takes note of a name that leads to it. Of several, the first path of its source is the best
    /// one. Whether this is the scan's first sight of it.
    pub(super) fn seen_under(
        &mut self,
        matched: MatchedPath,
        first_path: &PathBytes,
        scan: &mut Scan,
    ) -> bool {
        if self.scan == scan.number() {
            // A second name (a hard link).
            if matched.raw() == first_path.0 {
                self.matched = Some(matched);
            }
            return false;
        }
        self.scan = scan.number();
        self.unnamed_scans = 0;
        let folder = self.matched.as_ref().map(MatchedPath::folder);
        let stayed = folder
            .is_some_and(|known| Arc::ptr_eq(known, matched.folder()) || known == matched.folder());
        if !stayed {
            self.folder = scan.folder_of(&matched);
        }
        self.matched = Some(matched);
        true
    }

    /// Takes note of a name, whatever else the scan sees.
    pub(super) fn named(&mut self, matched: MatchedPath, scan: &Scan) {
        self.matched = Some(matched);
        self.scan = scan.number();
    }

    /// Takes note that no name of this scan leads to it, unless one did.
    pub(super) fn unnamed_unless_seen(&mut self, scan: &Scan) {
        if self.scan != scan.number() {
            self.matched = None;
            self.scan = scan.number();
        }
    }

    /// Takes note that no name of this scan leads to it.
    pub(super) fn unnamed(&mut self, scan: &Scan) {
        self.matched = None;
        self.scan = scan.number();
        self.unnamed_scans += 1;
    }

    /// It is another source's now, or nobody's.
    pub(super) fn let_go(&mut self) {
        self.descriptor = None;
        self.matched = None;
    }

    /// Takes note of a look. Growth is what a size differing from the last one says.
    pub(super) fn looked(&mut self, stat: Stat, now_ms: u64) {
        if self.stat.is_none() || stat.size != self.size {
            self.grown_ms = now_ms;
        }
        self.size = stat.size;
        self.stat = Some(stat);
    }

    /// The same for a file that an earlier run looked at: it had that size then.
    pub(super) fn looked_since(&mut self, size: u64, stat: Stat, now_ms: u64) {
        self.size = size;
        self.looked(stat, now_ms);
    }

    /// Whether a look shows anything that the last one did not.
    pub(super) fn is_changed(&self, stat: &Stat) -> bool {
        self.stat.is_none_or(|known| {
            (known.size, known.modified, known.changed) != (stat.size, stat.modified, stat.changed)
        })
    }

    /// Whether a file that begins with `bytes` may be this one, by the first bytes known of both.
    pub(super) fn agrees(&self, bytes: &[u8]) -> bool {
        let common = self.head.len().min(bytes.len());
        self.head[..common] == bytes[..common]
    }

    /// Whether bytes are known of it, and a file that begins with `bytes` begins with them.
    pub(super) fn is_begun_by(&self, bytes: &[u8]) -> bool {
        !self.head.is_empty() && self.agrees(bytes)
    }

    /// Milliseconds since it last grew.
    pub(super) fn quiet_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.grown_ms)
    }

    /// Whether the file begins with the first bytes known of it.
    pub(super) fn has_head(&self, file: &Arc<File>) -> io::Result<bool> {
        Ok(self.agrees(&self.first_bytes(file)?))
    }

    /// Takes note of the first bytes, as just read.
    pub(super) fn begins_with(&mut self, bytes: &[u8]) {
        self.head = written(bytes[..bytes.len().min(HEAD_MAX)].to_vec());
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
        // What cannot be read now is read later; until then no file is taken for its copy.
        if let Ok(head) = self.first_bytes(&file) {
            self.head = written(head);
        }
    }

    /// The source's first bytes, as the file has them now.
    fn first_bytes(&self, file: &Arc<File>) -> io::Result<Vec<u8>> {
        match self.via {
            Via::Plain => plain::first_bytes(file, HEAD_MAX),
            Via::Gzip => gzip::first_bytes(file, HEAD_MAX),
        }
    }
}

/// First bytes without zeros at their end, which may not be written yet.
fn written(mut head: Vec<u8>) -> Vec<u8> {
    let len = head
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |at| at + 1);
    head.truncate(len);
    head
}
