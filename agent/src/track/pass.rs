//! A pass over a candidate's whole content, a bounded part at a time: its length and hash, and which sources' content
//! it begins with. What follows from that is decided elsewhere.

use super::fingerprint::Fingerprint;
use super::form::Form;
use super::source_table::SourceTable;
use super::tracked_source::SourceKey;
use crate::read::gzip::{PackedEnd, STEP_MAX, Unpacked, Unpacker};
use crate::read::plain::WINDOW;
use ledger::Digest;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

/// Bytes that are looked at together.
const CHUNK: usize = 64 * 1024;

/// The bytes of a candidate, unpacked.
#[derive(Debug)]
enum Bytes {
    Packed(Box<Unpacker>),
    Plain { file: Arc<File>, at: u64 },
}

impl Bytes {
    fn read(&mut self, into: &mut [u8]) -> io::Result<Unpacked> {
        match self {
            Self::Packed(unpacker) => unpacker.read(into),
            Self::Plain { file, at } => {
                let read = file.read_at(into, *at)?;
                *at += read as u64;
                Ok(match read {
                    0 => Unpacked::End(PackedEnd::Whole),
                    read => Unpacked::Bytes(read),
                })
            }
        }
    }
}

/// A source that the candidate may begin with: how far it was read when the pass began, and what the candidate has
/// right before that.
#[derive(Debug)]
struct Probe {
    key: SourceKey,
    offset: u64,
    window: Option<Vec<u8>>,
}

/// A pass.
#[derive(Debug)]
pub(super) struct Pass {
    bytes: Bytes,
    content: Fingerprint,
    /// The last window, then bytes that the content does not cover yet.
    ahead: Vec<u8>,
    probes: Vec<Probe>,
    end: Option<PackedEnd>,
}

/// How a pass stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// More is to be looked at.
    Passing,
    /// All of it was.
    Done(PackedEnd),
}

impl Pass {
    /// A pass over a file of this form, which has looked at the first window.
    pub(super) fn begin(file: &Arc<File>, form: Form) -> io::Result<Self> {
        let file = Arc::clone(file);
        let mut pass = Self {
            bytes: match form {
                Form::Gzip => Bytes::Packed(Box::new(Unpacker::new(file))),
                Form::Plain | Form::Other(_) => Bytes::Plain { file, at: 0 },
            },
            content: Fingerprint::default(),
            ahead: Vec::new(),
            probes: Vec::new(),
            end: None,
        };
        pass.fill(WINDOW)?;
        Ok(pass)
    }

    /// The first window, or all of a shorter content; only right after the beginning.
    pub(super) fn head(&self) -> &[u8] {
        &self.ahead[..self.ahead.len().min(WINDOW)]
    }

    /// Asks for what the candidate has before the position of each of these sources.
    pub(super) fn ask(&mut self, keys: impl Iterator<Item = (SourceKey, u64)>) {
        self.probes = keys
            .map(|(key, offset)| Probe {
                key,
                offset,
                window: None,
            })
            .collect();
    }

    /// Continues for at most [`STEP_MAX`] bytes.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn step(&mut self) -> io::Result<Progress> {
        let until = self.content.offset() + STEP_MAX;
        while self.content.offset() < until {
            self.fill(CHUNK)?;
            self.absorb();
            if let Some(end) = self.end {
                return Ok(Progress::Done(end));
            }
        }
        Ok(Progress::Passing)
    }

    /// Length of what was looked at.
    pub(super) fn len(&self) -> u64 {
        self.content.offset()
    }

    /// Hash of the first window.
    pub(super) fn first(&self) -> Digest {
        self.content.first()
    }

    /// Hash of all that was looked at.
    pub(super) fn digest(&self) -> Option<Digest> {
        self.content.digest()
    }

    /// Sources whose content it holds up to their read position.
    pub(super) fn held(&self, table: &SourceTable) -> Vec<SourceKey> {
        let held = self.probes.iter().filter(|probe| {
            let Some(source) = table.get(probe.key) else {
                return false;
            };
            let content = source.positions().content();
            let window = probe.window.as_deref();
            // One that was read on since is another question, for another pass.
            content.offset() == probe.offset
                && probe.offset > 0
                && !source.is_covered()
                && window.is_some_and(|window| content.is_beginning_of(&self.content, window))
        });
        held.map(|probe| probe.key).collect()
    }

    /// Whether a source that was asked for has moved since.
    pub(super) fn is_overtaken(&self, table: &SourceTable) -> bool {
        self.probes.iter().any(|probe| {
            let source = table.get(probe.key);
            source.is_some_and(|source| source.offset() != probe.offset)
        })
    }

    /// Sources that it may begin with, or be the beginning of, as far as the first window tells.
    pub(super) fn asked(&self) -> impl Iterator<Item = SourceKey> {
        self.probes.iter().map(|probe| probe.key)
    }

    /// Reads until `len` bytes are ahead of the content, or the end.
    fn fill(&mut self, len: usize) -> io::Result<()> {
        let mut filled = self.ahead.len();
        let full = self.content.window_len() + len;
        self.ahead.resize(full.max(filled), 0);
        while filled < full {
            match self.bytes.read(&mut self.ahead[filled..]) {
                Ok(Unpacked::Bytes(read)) => filled += read,
                Ok(Unpacked::End(end)) => {
                    self.end = Some(end);
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ahead.truncate(filled);
                    return Err(error);
                }
            }
        }
        self.ahead.truncate(filled);
        Ok(())
    }

    fn absorb(&mut self) {
        let before = self.content.window_len();
        let begin = self.content.offset() - before as u64;
        let end = begin + self.ahead.len() as u64;
        for probe in self
            .probes
            .iter_mut()
            .filter(|probe| probe.window.is_none())
        {
            let len = probe.offset.min(WINDOW as u64);
            let from = probe.offset - len;
            if from >= begin && probe.offset <= end {
                let range = |at: u64| usize::try_from(at - begin).unwrap_or(usize::MAX);
                let window = self.ahead.get(range(from)..range(probe.offset));
                probe.window = window.map(<[u8]>::to_vec);
            }
        }
        self.content.absorb(&self.ahead, before);
        let last = self.ahead.len() - self.content.window_len();
        self.ahead.drain(..last);
    }
}
