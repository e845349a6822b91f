//! The bare kernel: the work that nobody can leave out, in memory and on one core, measured in the same run as the
//! programs. What they cost beyond it is theirs to answer for.
//!
//! To write: split the log into lines, make a JSON line of each, hash leaves and tree, compress blocks of 1 MiB, hash
//! what is stored. To verify: hash what is stored, unpack, read each line strictly, hash leaves and tree. No file, no
//! network, no signature. It shares no code with the programs, so none of their faults are in it.

mod codec;
mod entry_line;
mod tree;

use codec::Unpacker;
use entry_line::{Expected, write_line};
use rustix::time::{ClockId, clock_gettime};
use sha2::{Digest as _, Sha256};
use tree::root;

pub(crate) use codec::{Codec, Packer};
pub(crate) use tree::leaf;

/// Raw bytes after which a block is full, as the format wants them.
const BLOCK_RAW: usize = 1 << 20;

/// Bytes of log between two looks at the clock: `event.created` is the time of a read, not of a line.
const READ: usize = 256 << 10;

/// Bytes of a log that are measured at most: enough for a steady figure, little enough to be held in memory.
pub(crate) const INPUT_MAX: usize = 400_000_000;

/// SHA-256.
pub(crate) type Hash = [u8; 32];

/// A block as it would be stored, with what its manifest would say.
#[derive(Debug)]
struct Block {
    stored: Vec<u8>,
    sha256: Hash,
    raw: usize,
    first: Expected,
    root: Hash,
}

/// What writing came to.
#[derive(Debug)]
pub(crate) struct Written {
    codec: Codec,
    blocks: Vec<Block>,
    /// CPU-seconds.
    pub(crate) cpu_s: f64,
}

impl Written {
    /// Bytes that would be stored.
    pub(crate) fn stored(&self) -> usize {
        self.blocks.iter().map(|block| block.stored.len()).sum()
    }

    /// Verifies it all; gives CPU-seconds.
    pub(crate) fn verify(&self) -> f64 {
        let began = cpu_s();
        let mut unpacker = Unpacker::new(self.codec);
        let (mut raw, mut leaves) = (Vec::new(), Vec::new());
        for block in &self.blocks {
            assert!(Hash::from(Sha256::digest(&block.stored)) == block.sha256);
            unpacker.unpack(&block.stored, block.raw, &mut raw);
            let text = str::from_utf8(&raw).expect("the kernel's own lines are UTF-8");
            leaves.clear();
            let mut expected = block.first;
            for line in text.split_terminator('\n') {
                expected = expected
                    .read(line.as_bytes())
                    .expect("the kernel's own line");
                leaves.push(leaf(line.as_bytes()));
            }
            assert!(root(&mut leaves) == block.root);
        }
        cpu_s() - began
    }
}

/// Writes a log, of which every line is UTF-8 and ends.
pub(crate) fn write(log: &[u8], codec: Codec) -> Written {
    let began = cpu_s();
    let mut packer = Packer::new(codec);
    let (mut raw, mut leaves, mut blocks) =
        (Vec::with_capacity(3 * BLOCK_RAW), Vec::new(), Vec::new());
    let mut next = Expected::default();
    let mut created = Created::default();
    while next.offset < log.len() {
        let first = next;
        raw.clear();
        leaves.clear();
        while next.offset < log.len() && raw.len() < BLOCK_RAW {
            let rest = &log[next.offset..];
            let line = &rest[..memchr::memchr(b'\n', rest).expect("every line ends")];
            let message = str::from_utf8(line).expect("every line is UTF-8");
            let start = raw.len();
            write_line(&mut raw, next, created.at(next.offset), message);
            leaves.push(leaf(&raw[start..]));
            raw.push(b'\n');
            next = next.after(line.len());
        }
        let stored = packer.pack(&raw);
        blocks.push(Block {
            sha256: Sha256::digest(&stored).into(),
            stored,
            raw: raw.len(),
            first,
            root: root(&mut leaves),
        });
    }
    Written {
        codec,
        blocks,
        cpu_s: cpu_s() - began,
    }
}

/// A time as text, made once for each read.
#[derive(Default)]
struct Created {
    read: Option<usize>,
    text: String,
}

impl Created {
    fn at(&mut self, offset: usize) -> &str {
        let read = offset / READ;
        if self.read != Some(read) {
            self.read = Some(read);
            let us = read * 2_381;
            let (minute, second, rest) =
                (us / 60_000_000 % 60, us / 1_000_000 % 60, us % 1_000_000);
            self.text = format!("2026-11-22T19:{minute:02}:{second:02}.{rest:06}Z");
        }
        &self.text
    }
}

/// CPU-seconds of this thread so far.
fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_verifies_and_what_is_changed_does_not() {
        let log = b"one\nt\"w\\o\tthree \x01 \xc3\xa4\n\n".repeat(60_000);
        for codec in [Codec::Zstd, Codec::Gzip] {
            let mut written = write(&log, codec);
            assert!(written.blocks.len() > 2, "{}", written.blocks.len());
            written.verify();
            written.blocks[1].root[0] ^= 1;
            assert!(std::panic::catch_unwind(|| written.verify()).is_err());
        }
    }

    #[test]
    fn leaves_lines_and_root_are_the_formats() {
        use ledger::entry::parse;
        use ledger::tree;
        let written = write(b"a \"line\"\nand \\ more\n\x1f\n", Codec::Gzip);
        let (mut raw, mut folded) = (Vec::new(), tree::Tree::new());
        let block = &written.blocks[0];
        Unpacker::new(Codec::Gzip).unpack(&block.stored, block.raw, &mut raw);
        let lines: Vec<_> = raw
            .strip_suffix(b"\n")
            .unwrap()
            .split(|byte| *byte == b'\n')
            .collect();
        let mut messages = Vec::new();
        for line in lines {
            messages.push(parse(line).unwrap().message.into_owned());
            folded.push(tree::leaf(line));
        }
        assert_eq!(messages, [&b"a \"line\""[..], b"and \\ more", b"\x1f"]);
        assert_eq!(folded.root().0, block.root);
    }
}
