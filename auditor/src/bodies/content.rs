//! What a body's bytes hold, against the manifest that signed them. Pure: bytes in, faults out.
//!
//! The bytes are hostile until their hash is the signed one, and even then nothing is unpacked
//! beyond what the manifest states: one block (at most 8 MiB) is in memory at a time.

use flate2::bufread::GzDecoder;
use ledger::block::{Block, HEADER};
use ledger::chain::{Tiling, TilingFault, Touch};
use ledger::entry::{self, Entry, PathBytes};
use ledger::finding::Code;
use ledger::manifest::Manifest;
use ledger::tree::{self, Tree};
use ledger::{Digest, Moment};
use std::collections::BTreeMap;
use std::io::Read;

/// Something in a body that is not as its manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) expected: String,
    pub(crate) got: String,
    /// Where and what, for people.
    pub(crate) message: String,
}

impl Fault {
    fn new(
        code: Code,
        expected: impl ToString,
        got: impl ToString,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            expected: expected.to_string(),
            got: got.to_string(),
            message: message.into(),
        }
    }
}

impl Fault {
    /// The judging itself failed.
    pub(crate) fn unjudged(cause: &str) -> Self {
        Self::new(
            Code::Coverage,
            "a judgement",
            cause,
            "the body could not be judged",
        )
    }
}

/// Judges bytes whose hash is the signed one.
///
/// # Errors
/// The first fault: what comes after it cannot be judged on its own.
pub(crate) fn judge(manifest: &Manifest, stored: &[u8]) -> Result<BTreeMap<u64, Touch>, Fault> {
    let blocks = manifest.blocks.as_deref().unwrap_or_default();
    let mut content = Content::of(manifest);
    let mut raw = Vec::new();
    for (number, block) in blocks.iter().enumerate() {
        let bytes = slice(stored, block).ok_or_else(|| {
            let message = format!("block {number} runs past the end of the body");
            Fault::new(
                Code::BlockHash,
                block.offset + block.size,
                stored.len(),
                message,
            )
        })?;
        let sha256 = Digest::of(bytes);
        if sha256 != block.sha256 {
            let message = format!("block {number} has another hash than its manifest says");
            return Err(Fault::new(Code::BlockHash, block.sha256, sha256, message));
        }
        inflate(bytes, block, number, &mut raw)?;
        content.read_block(&raw, block, number)?;
    }
    content.finish()
}

fn slice<'a>(stored: &'a [u8], block: &Block) -> Option<&'a [u8]> {
    let from = usize::try_from(block.offset).ok()?;
    let size = usize::try_from(block.size).ok()?;
    stored.get(from..from.checked_add(size)?)
}

/// Unpacks one block: exactly one gzip member that begins as every block does.
fn inflate(bytes: &[u8], block: &Block, number: usize, raw: &mut Vec<u8>) -> Result<(), Fault> {
    let bad = |got: String| {
        let message = format!(
            "block {number} is not one gzip member of {} bytes",
            block.raw
        );
        Fault::new(Code::GzipBad, format!("{} bytes", block.raw), got, message)
    };
    if !bytes.starts_with(&HEADER) {
        return Err(bad("another header".into()));
    }
    raw.clear();
    let mut member = GzDecoder::new(bytes).take(block.raw + 1);
    match member.read_to_end(raw) {
        Ok(_) if raw.len() as u64 == block.raw => {}
        Ok(size) => return Err(bad(format!("{size} bytes or more"))),
        Err(error) => return Err(bad(error.to_string())),
    }
    let rest = member.into_inner().into_inner();
    if rest.is_empty() {
        return Ok(());
    }
    let message = format!("bytes follow the gzip member of block {number}");
    Err(Fault::new(
        Code::GzipTrailing,
        "0 bytes",
        format!("{} bytes", rest.len()),
        message,
    ))
}

/// The entries of a body, read in order.
struct Content<'a> {
    manifest: &'a Manifest,
    /// Paths by source.
    paths: BTreeMap<u64, Vec<u8>>,
    tree: Tree,
    tiling: Tiling,
    next: u64,
    last: Option<Moment>,
}

impl<'a> Content<'a> {
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

    fn read_block(&mut self, raw: &[u8], block: &Block, number: usize) -> Result<(), Fault> {
        let Some(lines) = raw.strip_suffix(b"\n") else {
            let message = format!("block {number} does not end with a whole line");
            return Err(Fault::new(Code::EntryFormat, "a final LF", "none", message));
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
        Err(Fault::new(Code::CountMismatch, block.count, count, message))
    }

    fn read_line(&mut self, line: &[u8]) -> Result<(), Fault> {
        let sequence = self.next;
        let entry = entry::parse(line).map_err(|error| {
            let message = format!("where entry {sequence} should be is none: {error}");
            Fault::new(Code::EntryFormat, "an entry of format 1", error, message)
        })?;
        if entry.sequence != sequence {
            let message = "an entry is not numbered one after the one before it";
            return Err(Fault::new(
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

    fn check_source(&self, entry: &Entry<'_>) -> Result<(), Fault> {
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
        Err(Fault::new(Code::EntrySource, expected, got, message))
    }

    fn finish(self) -> Result<BTreeMap<u64, Touch>, Fault> {
        let entries = self.manifest.entries;
        if self.tree.count() != entries.count {
            let message = "the body holds another number of entries";
            let got = self.tree.count();
            return Err(Fault::new(Code::CountMismatch, entries.count, got, message));
        }
        let root = self.tree.root();
        if root != entries.root {
            let message = "the tree over the entries has another root";
            return Err(Fault::new(Code::RootMismatch, entries.root, root, message));
        }
        if let Some(last) = self.last {
            check_time(self.manifest.time.last, last, self.next - 1)?;
        }
        self.tiling.finish().map_err(tiling_fault)
    }
}

fn check_time(stated: Option<Moment>, got: Moment, sequence: u64) -> Result<(), Fault> {
    if stated == Some(got) {
        return Ok(());
    }
    let expected = stated.map_or("none".into(), |stated| stated.to_string());
    let message = format!("entry {sequence} was created at another time than its manifest says");
    Err(Fault::new(Code::EntryTime, expected, got, message))
}

/// A byte range that is not filled as its manifest says.
pub(crate) fn tiling_fault(fault: TilingFault) -> Fault {
    let TilingFault {
        source,
        expected,
        got,
    } = fault;
    let (code, what) = if got > expected {
        (Code::ByteGap, "leaves bytes out")
    } else {
        (Code::ByteOverlap, "repeats bytes")
    };
    let message = format!("source {source} {what}: byte {expected} should come next, {got} comes");
    Fault::new(code, expected, got, message)
}
