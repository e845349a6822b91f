//! What a body's bytes hold, against the manifest that signed them: BLOCK_*, COUNT_MISMATCH,
//! ROOT_MISMATCH, ENTRY_FORMAT, ENTRY_SEQUENCE, ENTRY_TIME, ENTRY_SOURCE. Pure: bytes in, a fault out.
//!
//! The bytes are hostile until their hash is the signed one, and even then nothing is unpacked
//! beyond what the manifest states: one block (at most 8 MiB) is in memory at a time.

use crate::epochs::source_joins;
use ledger::block::Block;
use ledger::chain::{Tiling, Touch};
use ledger::codec::{BlockFault, Codec};
use ledger::entry::{self, Entry, PathBytes};
use ledger::finding::{Code, Finding, Severity};
use ledger::manifest::Manifest;
use ledger::tree::{self, Tree};
use ledger::{Digest, Moment};
use std::collections::BTreeMap;

/// What a body did to each of its sources.
pub(crate) type Touches = BTreeMap<u64, Touch>;

/// A fault in a body, without its place: large, so boxed.
pub(crate) type ContentFault = Box<Finding>;

/// Something in a body is not as its manifest says; `message` says where and what.
fn fault(
    code: Code,
    expected: impl ToString,
    got: impl ToString,
    message: impl Into<String>,
) -> ContentFault {
    let finding = Finding::new(code, Severity::Critical, message);
    Box::new(finding.expected_got(expected.to_string(), got.to_string()))
}

/// Judges bytes whose hash is the signed one, up to the first fault: what comes after it cannot be judged on
/// its own.
pub(crate) fn judge(manifest: &Manifest, stored: &[u8]) -> Result<Touches, ContentFault> {
    let blocks = manifest.blocks.as_deref().unwrap_or_default();
    let codec = manifest.stored.as_ref().map(|stored| stored.codec);
    let codec = codec.unwrap_or_default();
    let mut content = EntryCheck::of(manifest);
    let mut raw = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        let bytes = slice(stored, block).ok_or_else(|| {
            let message = format!("block {number} runs past the end of the body");
            fault(
                Code::BlockHash,
                block.offset + block.size,
                stored.len(),
                message,
            )
        })?;
        let sha256 = Digest::of(bytes);
        if sha256 != block.sha256 {
            let message = format!("block {number} has another hash than its manifest says");
            return Err(fault(Code::BlockHash, block.sha256, sha256, message));
        }
        unpack(codec, bytes, block, number, &mut raw)?;
        content.read_block(&raw, block, number)?;
    }
    content.finish()
}

fn slice<'a>(stored: &'a [u8], block: &Block) -> Option<&'a [u8]> {
    let from = usize::try_from(block.offset).ok()?;
    let size = usize::try_from(block.size).ok()?;
    stored.get(from..from.checked_add(size)?)
}

fn unpack(
    codec: Codec,
    bytes: &[u8],
    block: &Block,
    number: usize,
    raw: &mut Vec<u8>,
) -> Result<(), ContentFault> {
    codec.unpack(bytes, block.raw, raw).map_err(|error| {
        if let BlockFault::Trailing(size) = error {
            let got = format!("{size} bytes");
            let message = format!("bytes follow the {} of block {number}", codec.unit());
            return fault(Code::BlockTrailing, "0 bytes", got, message);
        }
        let stated = format!("{} bytes", block.raw);
        let message = format!(
            "block {number} is not exactly one {} of {stated}",
            codec.unit()
        );
        fault(Code::BlockBad, stated, error, message)
    })
}

/// The entries of a body, read in order.
struct EntryCheck<'a> {
    manifest: &'a Manifest,
    /// Paths by source.
    paths: BTreeMap<u64, Vec<u8>>,
    tree: Tree,
    tiling: Tiling,
    next: u64,
    last: Option<Moment>,
}

impl<'a> EntryCheck<'a> {
    fn of(manifest: &'a Manifest) -> Self {
        let path = |source: &ledger::manifest::Source| {
            (
                source.id,
                source.path_bytes().map(|path| path.0).unwrap_or_default(),
            )
        };
        Self {
            manifest,
            paths: manifest.sources.iter().map(path).collect(),
            tree: Tree::new(),
            tiling: Tiling::of(manifest),
            next: manifest.entries.first,
            last: None,
        }
    }

    fn read_block(&mut self, raw: &[u8], block: &Block, number: usize) -> Result<(), ContentFault> {
        let Some(lines) = raw.strip_suffix(b"\n") else {
            let message = format!("block {number} does not end with a whole line");
            return Err(fault(Code::EntryFormat, "a final LF", "none", message));
        };
        let mut count = 0;
        for line in lines.split(|byte| *byte == b'\n') {
            self.read_line(line)?;
            count += 1;
        }
        if count == block.count {
            return Ok(());
        }
        let message = format!("block {number} holds another number of entries");
        Err(fault(Code::CountMismatch, block.count, count, message))
    }

    fn read_line(&mut self, line: &[u8]) -> Result<(), ContentFault> {
        let sequence = self.next;
        let entry = entry::parse(line).map_err(|error| {
            let message = format!("where entry {sequence} should be is none: {error}");
            fault(Code::EntryFormat, "an entry of format 1", error, message)
        })?;
        if entry.sequence != sequence {
            let message = "an entry is not numbered one after the one before it";
            return Err(fault(
                Code::EntrySequence,
                sequence,
                entry.sequence,
                message,
            ));
        }
        if self.last.is_none() {
            check_time(self.manifest.time.first, entry.created, sequence)?;
        }
        self.check_source(&entry)?;
        self.tiling.lay(&entry);
        self.last = Some(entry.created);
        self.tree.push(tree::leaf(line));
        self.next += 1;
        Ok(())
    }

    fn check_source(&self, entry: &Entry<'_>) -> Result<(), ContentFault> {
        let path = self.paths.get(&entry.source);
        if path.is_some_and(|path| *path == *entry.path) {
            return Ok(());
        }
        let show = |path: &[u8]| PathBytes(path.to_vec()).display();
        let expected = path.map_or("a source that the manifest lists".into(), |path| show(path));
        let got = format!("source {} at {}", entry.source, show(&entry.path));
        let message = format!(
            "entry {} is not of a source of its manifest",
            entry.sequence
        );
        Err(fault(Code::EntrySource, expected, got, message))
    }

    fn finish(self) -> Result<Touches, ContentFault> {
        let entries = self.manifest.entries;
        if self.tree.count() != entries.count {
            let message = "the body holds another number of entries";
            let got = self.tree.count();
            return Err(fault(Code::CountMismatch, entries.count, got, message));
        }
        let root = self.tree.root();
        if root != entries.root {
            let message = "the tree over the entries has another root";
            return Err(fault(Code::RootMismatch, entries.root, root, message));
        }
        if let Some(last) = self.last {
            check_time(self.manifest.time.last, last, self.next - 1)?;
        }
        let tiled = self.tiling.finish();
        tiled.map_err(|error| Box::new(source_joins::within_batch(error)))
    }
}

fn check_time(stated: Option<Moment>, got: Moment, sequence: u64) -> Result<(), ContentFault> {
    if stated == Some(got) {
        return Ok(());
    }
    let expected = stated.map_or("none".into(), |stated| stated.to_string());
    let message = format!("entry {sequence} was created at another time than its manifest says");
    Err(fault(Code::EntryTime, expected, got, message))
}
