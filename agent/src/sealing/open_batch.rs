//! The open batch of a stream: the blocks already closed, the block still open. It becomes visible
//! to nobody; that is [`super::sealer`]'s.

use crate::sealing::batch_folder::{BatchFolder, failed};
use crate::sealing::pack::Pack;
use crate::sealing::seal_error::SealError;
use crate::sealing::stream_state::PackedBody;
use crate::spool::Layout;
use ledger::Digest;
use ledger::block::Block;
use ledger::codec::{Codec, Compressor};
use ledger::digest::Hasher;
use ledger::entry::Entry;
use std::io::Write as _;

/// A batch not finished: what is closed of its body is on disk, the open block in memory.
pub(crate) struct OpenBatch {
    pack: Pack,
    began_boot_ms: u64,
    folder: Option<BatchFolder>,
    blocks: Vec<Block>,
    hasher: Hasher,
    stored: u64,
}

impl OpenBatch {
    /// An empty batch whose first entry has sequence `first`.
    #[must_use]
    pub(crate) fn new(first: u64, began_boot_ms: u64) -> Self {
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
    pub(crate) fn pack(&self) -> &Pack {
        &self.pack
    }

    /// `CLOCK_BOOTTIME` when it began.
    #[must_use]
    pub(crate) fn began_boot_ms(&self) -> u64 {
        self.began_boot_ms
    }

    /// What it takes of the spool so far.
    #[must_use]
    pub(crate) fn on_disk(&self) -> u64 {
        self.stored
    }

    /// Adds an entry to the open block.
    pub(crate) fn push(&mut self, entry: &Entry<'_>) {
        self.pack.push(entry);
    }

    /// Closes the open block, if it holds anything, and writes it behind the others.
    ///
    /// # Errors
    /// The batch is to be discarded.
    pub(crate) fn close_block(
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
            none => none.insert(BatchFolder::make(layout)?),
        };
        let mut body = match folder.take_body() {
            Some(body) => body,
            None => folder.create(ledger::spool::BODY)?,
        };
        let packed = compressor.pack(raw)?;
        let writing = failed("writing a block", folder.path());
        body.write_all(packed).map_err(writing)?;
        folder.keep_body(body);
        self.blocks.push(Block {
            offset: self.stored,
            size: packed.len() as u64,
            raw: raw.len() as u64,
            count,
            sha256: Digest::of(packed),
        });
        self.hasher.update(packed);
        self.stored += packed.len() as u64;
        self.pack.close_block();
        compressor.shrink();
        Ok(())
    }

    /// Throws it away. Its files are removed, never synced.
    pub(crate) fn discard(self) {
        if let Some(folder) = self.folder {
            folder.remove();
        }
    }

    /// What the manifest says of the body, if there is one, and where it stands. `codec` is the compressor's that
    /// closed the blocks.
    pub(crate) fn finish(self, codec: Codec) -> (Option<PackedBody>, Option<BatchFolder>) {
        let packed = self.pack.times().map(|times| PackedBody {
            entries: self.pack.entries(),
            times,
            codec,
            blocks: self.blocks,
            sha256: self.hasher.finish(),
        });
        (packed, self.folder)
    }
}
