//! The entries of a sealed batch, block by block, each held against its signed hash. One block is in memory at a time.

use ledger::Digest;
use ledger::block::Block;
use ledger::codec::Codec;
use ledger::manifest::Manifest;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// A block that the disk does not give now.
#[derive(Debug)]
pub(crate) struct UnreadableBlock {
    pub(crate) path: PathBuf,
    pub(crate) source: io::Error,
}

/// What a block holds.
#[derive(Debug)]
pub(super) enum BlockBytes<'a> {
    /// Its lines, whole.
    Good(&'a [u8]),
    /// Its bytes are not those that were signed.
    Rotten,
}

/// Reads a body.
pub(super) struct BatchReader<'a> {
    path: PathBuf,
    body: Option<File>,
    blocks: &'a [Block],
    codec: Codec,
    stored: Vec<u8>,
    raw: Vec<u8>,
}

impl<'a> BatchReader<'a> {
    /// For the body that lies in `folder`, if the manifest has one.
    pub(super) fn open(folder: &Path, manifest: &'a Manifest) -> Result<Self, UnreadableBlock> {
        let path = folder.join(ledger::spool::BODY);
        let body = match &manifest.stored {
            None => None,
            Some(_) => match host::disk::open_regular(&path) {
                Ok(body) => Some(body),
                // All of its blocks are lost.
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(source) => return Err(UnreadableBlock { path, source }),
            },
        };
        Ok(Self {
            path,
            body,
            blocks: manifest.blocks.as_deref().unwrap_or_default(),
            codec: manifest
                .stored
                .as_ref()
                .map_or_else(Codec::default, |it| it.codec),
            stored: Vec::new(),
            raw: Vec::new(),
        })
    }

    /// Its next block; `None` after the last. With `gives_up` one that the disk does not give is rotten.
    pub(super) fn next(
        &mut self,
        gives_up: bool,
    ) -> Result<Option<BlockBytes<'_>>, UnreadableBlock> {
        let Some((block, rest)) = self.blocks.split_first() else {
            return Ok(None);
        };
        let read = read(self.body.as_ref(), block, &mut self.stored);
        match read {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof || gives_up => {
                tracing::error!(path = %self.path.display(), %error, "a sealed block is lost");
                self.blocks = rest;
                return Ok(Some(BlockBytes::Rotten));
            }
            Err(source) => {
                let path = self.path.clone();
                return Err(UnreadableBlock { path, source });
            }
        }
        self.blocks = rest;
        let is_signed = Digest::of(&self.stored) == block.sha256;
        let unpacked = is_signed
            && self
                .codec
                .unpack(&self.stored, block.raw, &mut self.raw)
                .is_ok();
        if !unpacked {
            tracing::error!(path = %self.path.display(), offset = block.offset, "a sealed block is rotten");
            return Ok(Some(BlockBytes::Rotten));
        }
        Ok(Some(BlockBytes::Good(&self.raw)))
    }
}

fn read(body: Option<&File>, block: &Block, into: &mut Vec<u8>) -> io::Result<()> {
    let body = body.ok_or(io::ErrorKind::UnexpectedEof)?;
    // The manifest was signed by this agent and its sizes are bounded.
    into.resize(usize::try_from(block.size).map_err(io::Error::other)?, 0);
    body.read_exact_at(into, block.offset)
}
