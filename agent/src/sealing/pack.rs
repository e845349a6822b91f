//! A batch's entries as they fill up: JSON lines, the tree over them, the block that is open.
//!
//! Pure: no I/O and no clock. It says when a block or the batch has had enough; closing either is
//! the caller's.

use ledger::entry::{self, Entry};
use ledger::limits::{BATCH_ENTRIES_MAX, BATCH_RAW_TARGET, BLOCK_RAW_TARGET, MANIFEST_TARGET};
use ledger::manifest::Entries;
use ledger::tree::{Tree, leaf};
use ledger::{Digest, Moment};

/// Bytes that one row of `blocks` takes in a manifest, at most.
const BLOCK_ROW: usize = 192;

/// Blocks after which the batch ends: half the manifest is theirs, half the sources'.
const BLOCKS_MAX: usize = MANIFEST_TARGET / 2 / BLOCK_ROW;

/// The entries of one batch. Only the open block is held in memory; what is closed leaves its
/// counts and its part of the tree.
#[derive(Debug, Default)]
pub(crate) struct Pack {
    first: u64,
    tree: Tree,
    times: Option<(Moment, Moment)>,
    writer: entry::Writer,
    open: Vec<u8>,
    open_count: u64,
    closed_raw: u64,
    closed_blocks: usize,
}

impl Pack {
    /// No entries yet; the next one has sequence number `first`.
    #[must_use]
    pub(crate) fn new(first: u64) -> Self {
        Self {
            first,
            ..Self::default()
        }
    }

    /// The sequence number of the next entry.
    #[must_use]
    pub(crate) fn next_sequence(&self) -> u64 {
        self.first + self.tree.count()
    }

    /// Adds an entry, whose sequence must be [`Pack::next_sequence`], to the open block.
    pub(crate) fn push(&mut self, entry: &Entry<'_>) {
        debug_assert_eq!(entry.sequence, self.next_sequence(), "entries are numbered");
        let start = self.open.len();
        self.writer.write(entry, &mut self.open);
        self.tree.push(leaf(&self.open[start..]));
        self.open.push(b'\n');
        self.open_count += 1;
        let first = self.times.map_or(entry.created, |(first, _)| first);
        self.times = Some((first, entry.created));
    }

    /// Whether there is no entry at all.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.tree.count() == 0
    }

    /// Whether the batch must end before another entry.
    #[must_use]
    pub(crate) fn is_full(&self) -> bool {
        self.raw() >= BATCH_RAW_TARGET
            || self.tree.count() >= BATCH_ENTRIES_MAX
            || self.closed_blocks >= BLOCKS_MAX
    }

    /// Whether the open block must be closed before another entry: a block that is under the target
    /// takes any one entry and stays within what readers accept ([`ledger::limits`] asserts it).
    #[must_use]
    pub(crate) fn block_is_full(&self) -> bool {
        self.open.len() >= BLOCK_RAW_TARGET
    }

    /// Raw bytes of the batch so far.
    #[must_use]
    pub(crate) fn raw(&self) -> u64 {
        self.closed_raw + self.open.len() as u64
    }

    /// Raw bytes of the open block, and how many entries they are.
    #[must_use]
    pub(crate) fn open_block(&self) -> (&[u8], u64) {
        (&self.open, self.open_count)
    }

    /// Forgets the open block's bytes, which the caller has stored, and begins a new one.
    pub(crate) fn close_block(&mut self) {
        self.closed_raw += self.open.len() as u64;
        self.closed_blocks += usize::from(self.open_count > 0);
        self.open_count = 0;
        self.open.clear();
        // One huge entry must not keep its memory for as long as the batch lasts.
        self.open.shrink_to(2 * BLOCK_RAW_TARGET);
    }

    /// What the manifest says of the entries.
    #[must_use]
    pub(crate) fn entries(&self) -> Entries {
        Entries {
            first: self.first,
            count: self.tree.count(),
            root: self.tree.root(),
        }
    }

    /// When the first and the last entry were read.
    #[must_use]
    pub(crate) fn times(&self) -> Option<(Moment, Moment)> {
        self.times
    }
}

/// What a manifest without entries says of them.
#[must_use]
pub(crate) fn no_entries(next: u64) -> Entries {
    Entries {
        first: next,
        count: 0,
        root: Digest::of(b""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::entry::{self, Flags};
    use ledger::limits::{BATCH_RAW_MAX, BLOCK_RAW_MAX, MAX_LINE};
    use std::borrow::Cow;

    fn push(pack: &mut Pack, message: &[u8]) {
        let entry = Entry {
            sequence: pack.next_sequence(),
            created: Moment::from_micros(pack.next_sequence()),
            path: Cow::Borrowed(b"/var/log/a"),
            source: 0,
            offset: 0,
            flags: Flags::default(),
            message: Cow::Borrowed(message),
        };
        pack.push(&entry);
    }

    /// Fills a batch until it is full, closing blocks as a writer does: their raw sizes and counts.
    fn fill(message: &[u8]) -> (Pack, Vec<(usize, u64)>) {
        let mut pack = Pack::new(5);
        let mut blocks = Vec::new();
        while !pack.is_full() {
            push(&mut pack, message);
            if pack.block_is_full() {
                let (raw, count) = pack.open_block();
                blocks.push((raw.len(), count));
                pack.close_block();
            }
        }
        (pack, blocks)
    }

    #[test]
    fn every_limit_ends_a_batch_within_what_readers_accept() {
        let controls = vec![1u8; MAX_LINE];
        let binary = vec![0xffu8; MAX_LINE];
        for message in [&b""[..], &[b'x'; 5000], &controls, &binary] {
            let (pack, blocks) = fill(message);
            assert!(pack.entries().count <= BATCH_ENTRIES_MAX);
            assert!((BATCH_RAW_TARGET..=BATCH_RAW_MAX).contains(&pack.raw()));
            assert!(blocks.len() < BLOCKS_MAX);
            for (raw, count) in blocks {
                assert!(raw as u64 <= BLOCK_RAW_MAX && raw >= BLOCK_RAW_TARGET && count > 0);
            }
        }
    }

    #[test]
    fn lines_parse_and_the_tree_is_over_them() {
        let mut pack = Pack::new(7);
        for message in [&b"one"[..], b"", b"\xff\0"] {
            push(&mut pack, message);
        }
        let (raw, count) = pack.open_block();
        let lines: Vec<_> = raw
            .strip_suffix(b"\n")
            .unwrap()
            .split(|b| *b == b'\n')
            .collect();
        assert_eq!(lines.len() as u64, count);
        let mut tree = Tree::new();
        for (number, line) in lines.iter().enumerate() {
            assert_eq!(entry::parse(line).unwrap().sequence, 7 + number as u64);
            tree.push(leaf(line));
        }
        let root = tree.root();
        assert_eq!(
            pack.entries(),
            Entries {
                first: 7,
                count,
                root
            }
        );
        let times = (Moment::from_micros(7), Moment::from_micros(9));
        assert_eq!(pack.times(), Some(times));
    }

    #[test]
    fn closing_a_block_changes_nothing_that_is_stated() {
        let (mut one, mut two) = (Pack::new(0), Pack::new(0));
        for message in [&b"a"[..], b"b", b"c"] {
            push(&mut one, message);
            push(&mut two, message);
            two.close_block();
        }
        assert_eq!(one.entries(), two.entries());
        assert_eq!((one.raw(), one.times()), (two.raw(), two.times()));
        assert_eq!(Pack::new(9).entries(), no_entries(9));
    }

    #[test]
    fn small_blocks_end_a_batch_before_its_manifest_grows() {
        let mut pack = Pack::new(0);
        let mut blocks = 0;
        while !pack.is_full() {
            push(&mut pack, b"");
            pack.close_block();
            blocks += 1;
        }
        assert_eq!(blocks, BLOCKS_MAX);
    }
}
