//! A batch in the making: its folder in `tmp/`, the blocks already there, the block still open.

use crate::sealing::gzip::Compressor;
use crate::sealing::pack::Pack;
use crate::sealing::sealer::SealError;
use crate::sealing::stream_state::PackedBody;
use crate::spool::{FOLDER_MODE, Layout};
use host::disk;
use ledger::Digest;
use ledger::block::Block;
use ledger::digest::Hasher;
use ledger::entry::Entry;
use rustix::fs::Mode;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A folder in `tmp/` with a batch in the making.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
    pub(crate) body: Option<File>,
}

/// A batch in the making: what is closed of its body is on disk, the open block in memory.
pub struct Batch {
    pack: Pack,
    began_boot_ms: u64,
    folder: Option<Folder>,
    blocks: Vec<Block>,
    hasher: Hasher,
    stored: u64,
}

impl Folder {
    pub(crate) fn make(layout: &Layout) -> Result<Self, SealError> {
        let name = disk::random_name().map_err(failed("naming a batch", &layout.tmp()))?;
        let path = layout.tmp().join(name);
        let mode = Mode::from_raw_mode(FOLDER_MODE);
        // chmod as well: the umask may have taken bits off, and setgid only sticks by chmod.
        let made = rustix::fs::mkdir(&path, mode).and_then(|()| rustix::fs::chmod(&path, mode));
        made.map_err(|error| failed("making a batch's folder", &path)(error.into()))?;
        Ok(Self { path, body: None })
    }

    pub(crate) fn create(&self, name: &str) -> Result<File, SealError> {
        let path = self.path.join(name);
        let doing = "making a batch's file";
        let file = disk::create_new(&path, disk::FILE_MODE).map_err(failed(doing, &path))?;
        // The archiver's group reads it, whatever the umask.
        rustix::fs::fchmod(&file, Mode::from_raw_mode(disk::FILE_MODE))
            .map_err(|error| failed(doing, &path)(error.into()))?;
        Ok(file)
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

impl Batch {
    /// An empty batch whose first entry has sequence `first`.
    #[must_use]
    pub fn new(first: u64, began_boot_ms: u64) -> Self {
        Self {
            pack: Pack::new(first),
            began_boot_ms,
            folder: None,
            blocks: Vec::new(),
            hasher: Hasher::new(),
            stored: 0,
        }
    }

    /// Its entries.
    #[must_use]
    pub fn pack(&self) -> &Pack {
        &self.pack
    }

    /// `CLOCK_BOOTTIME` when it began.
    #[must_use]
    pub fn began_boot_ms(&self) -> u64 {
        self.began_boot_ms
    }

    /// What it takes of the spool so far.
    #[must_use]
    pub fn on_disk(&self) -> u64 {
        self.stored
    }

    /// Adds an entry to the open block.
    pub fn push(&mut self, entry: &Entry<'_>) {
        self.pack.push(entry);
    }

    /// Closes the open block, if it holds anything, and writes it behind the others.
    ///
    /// # Errors
    /// The batch is to be discarded.
    pub fn close_block(
        &mut self,
        compressor: &mut Compressor,
        layout: &Layout,
    ) -> Result<(), SealError> {
        let (raw, count) = self.pack.open_block();
        if count == 0 {
            return Ok(());
        }
        let folder = match &mut self.folder {
            Some(folder) => folder,
            none => none.insert(Folder::make(layout)?),
        };
        let mut body = match folder.body.take() {
            Some(body) => body,
            None => folder.create("body")?,
        };
        let member = compressor.member(raw)?;
        let writing = failed("writing a block", &folder.path);
        body.write_all(member).map_err(writing)?;
        folder.body = Some(body);
        self.blocks.push(Block {
            offset: self.stored,
            size: member.len() as u64,
            raw: raw.len() as u64,
            count,
            sha256: Digest::of(member),
        });
        self.hasher.update(member);
        self.stored += member.len() as u64;
        self.pack.close_block();
        compressor.shrink();
        Ok(())
    }

    /// Throws it away. Its files are removed, never synced.
    pub fn discard(self) {
        if let Some(folder) = self.folder {
            folder.remove();
        }
    }

    /// What the manifest says of the body, if there is one, and where it stands.
    pub(crate) fn finish(self) -> (Option<PackedBody>, Option<Folder>) {
        let packed = self.pack.times().map(|times| PackedBody {
            entries: self.pack.entries(),
            times,
            blocks: self.blocks,
            sha256: self.hasher.finish(),
        });
        (packed, self.folder)
    }
}
