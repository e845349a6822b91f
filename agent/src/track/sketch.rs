//! A sketch of a log's lines: enough to notice that a file in its place has some of them, as `sed -i` and `tail` leave
//! it. It can miss lines, and takes a line for another one about never.

use crate::read::buffer::ReadBuffer;
use crate::read::pieces::Piece;
use crate::read::plain::WINDOW;
use crate::track::fingerprint::Fingerprint;
use ledger::Digest;
use serde::{Deserialize, Serialize};

/// Lines of each kind that are kept: the last ones, and those of the lowest hashes.
const KEPT: usize = 16;

/// Shorter lines repeat by themselves.
const LINE_MIN: usize = 32;

/// Hashes of some lines of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u64>", into = "Vec<u64>")]
pub(crate) struct Sketch {
    /// The last lines; the one at `next` is the oldest.
    last: Vec<u64>,
    next: usize,
    /// Ascending.
    lowest: Vec<u64>,
}

impl Sketch {
    /// Takes note of the lines of a run of pieces.
    pub(super) fn note(&mut self, buffer: &ReadBuffer, run: &[Piece]) {
        for hash in run.iter().filter_map(|piece| line_hash(buffer, piece)) {
            if self.last.len() < KEPT {
                self.last.push(hash);
            } else {
                self.last[self.next] = hash;
                self.next = (self.next + 1) % KEPT;
            }
            if self.lowest.len() < KEPT || self.lowest.last().is_some_and(|most| hash < *most) {
                let at = self.lowest.partition_point(|known| *known < hash);
                if self.lowest.get(at) != Some(&hash) {
                    self.lowest.insert(at, hash);
                    self.lowest.truncate(KEPT);
                }
            }
        }
    }

    fn has(&self, hash: u64) -> bool {
        self.lowest.binary_search(&hash).is_ok() || self.last.contains(&hash)
    }
}

/// A hash of a whole line that is long enough.
fn line_hash(buffer: &ReadBuffer, piece: &Piece) -> Option<u64> {
    let line = buffer.bytes(piece);
    if piece.flags.cont || piece.flags.open || line.len() < LINE_MIN {
        return None;
    }
    let (parts, _) = line.as_chunks::<16>();
    // The end overlaps what was taken before: every byte counts, and no part is short.
    let parts = parts.iter().chain(line.last_chunk());
    let (mut left, mut right) = (line.len() as u64, 0);
    for part in parts {
        let [low, high] = [0, 8].map(|at| {
            let mut word = [0; 8];
            word.copy_from_slice(&part[at..at + 8]);
            u64::from_le_bytes(word)
        });
        left = mix(left ^ low);
        right = mix(right ^ high);
    }
    Some(mix(left ^ right.rotate_left(32)))
}

/// Spreads each bit over all.
fn mix(word: u64) -> u64 {
    // The multiplier of splitmix64: any odd number of many bits does.
    let product = u128::from(word) * 0x9e37_79b9_7f4a_7c15;
    let (high, low) = (product >> 64, product & u128::from(u64::MAX));
    u64::try_from(high ^ low).unwrap_or_default()
}

/// The log that was in a file's place before it.
#[derive(Debug, Clone)]
pub(super) struct Predecessor {
    sketch: Sketch,
    /// Hash of its first window, or of all of a shorter content.
    first: Digest,
    first_len: usize,
    /// Its first bytes.
    head: Vec<u8>,
}

impl Predecessor {
    pub(super) fn new(sketch: &Sketch, content: &Fingerprint, head: &[u8]) -> Self {
        Self {
            sketch: sketch.clone(),
            first: content.first(),
            first_len: usize::try_from(content.offset()).map_or(WINDOW, |len| len.min(WINDOW)),
            head: head.to_vec(),
        }
    }

    /// Whether a run of pieces repeats it: it shares a line, or, where the run `begins` the file, its beginning.
    pub(super) fn is_repeated(&self, begins: bool, buffer: &ReadBuffer, run: &[Piece]) -> bool {
        let mut hashes = run.iter().filter_map(|piece| line_hash(buffer, piece));
        hashes.any(|hash| self.sketch.has(hash)) || (begins && self.has_beginning(buffer, run))
    }

    fn has_beginning(&self, buffer: &ReadBuffer, run: &[Piece]) -> bool {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            return false;
        };
        let bytes = buffer.run(0, first, last);
        match bytes.get(..self.first_len) {
            Some(window) => self.first_len > 0 && Digest::of(window) == self.first,
            None => {
                let common = bytes.len().min(self.head.len());
                common > 0 && bytes[..common] == self.head[..common]
            }
        }
    }
}

/// More hashes than a sketch has.
#[derive(Debug, thiserror::Error)]
#[error("not a sketch: at most {} hashes", 2 * KEPT)]
pub(crate) struct NotASketch;

impl From<Sketch> for Vec<u64> {
    fn from(sketch: Sketch) -> Self {
        let (newer, older) = sketch.last.split_at(sketch.next.min(sketch.last.len()));
        [older, newer, &sketch.lowest].concat()
    }
}

impl TryFrom<Vec<u64>> for Sketch {
    type Error = NotASketch;

    fn try_from(hashes: Vec<u64>) -> Result<Self, NotASketch> {
        if hashes.len() > 2 * KEPT {
            return Err(NotASketch);
        }
        // As many of each kind, but for a log of few lines, of which the same are of both.
        let (last, lowest) = hashes.split_at(hashes.len().div_ceil(2));
        let mut lowest = lowest.to_vec();
        lowest.sort_unstable();
        Ok(Self {
            last: last.to_vec(),
            next: 0,
            lowest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::pieces::Rest;

    fn read(text: &str) -> ReadBuffer {
        let mut buffer = ReadBuffer::new();
        buffer.load(text.as_bytes());
        buffer.cut(0, 0, false, Rest::Ended);
        buffer
    }

    fn lines(numbers: std::ops::Range<u32>) -> String {
        numbers
            .map(|n| format!("2026-11-27 line {n:06} of a log that continues\n"))
            .collect()
    }

    fn predecessor(text: &str) -> Predecessor {
        let buffer = read(text);
        let mut sketch = Sketch::default();
        for run in buffer.pieces().chunks(7) {
            sketch.note(&buffer, run);
        }
        let kept = serde_json::to_string(&sketch).unwrap();
        let sketch: Sketch = serde_json::from_str(&kept).unwrap();
        let mut content = Fingerprint::default();
        content.absorb(text.as_bytes(), 0);
        Predecessor::new(&sketch, &content, &text.as_bytes()[..text.len().min(64)])
    }

    #[test]
    fn what_editors_and_trimming_leave_is_noticed() {
        let all = lines(0..5000);
        let before = predecessor(&all);
        let short = predecessor("a\nb\nc\n");
        for (why, before, text, repeated) in [
            ("one line less, by sed", &before, lines(1..5000), true),
            (
                "the last thousand, by tail",
                &before,
                lines(4000..5000),
                true,
            ),
            ("the same beginning", &before, all[..5000].to_owned(), true),
            (
                "less than a window of it",
                &before,
                all[..300].to_owned(),
                true,
            ),
            ("new lines", &before, lines(5000..9000), false),
            (
                "all of a short one, and more",
                &short,
                "a\nb\nc\nd\n".to_owned(),
                true,
            ),
            ("a part of a short one", &short, "a\nb\n".to_owned(), true),
            ("another short one", &short, "b\nc\n".to_owned(), false),
        ] {
            let buffer = read(&text);
            assert_eq!(
                before.is_repeated(true, &buffer, buffer.pieces()),
                repeated,
                "{why}"
            );
        }
        assert!(serde_json::from_str::<Sketch>(&format!("[{}0]", "1,".repeat(32))).is_err());
    }
}
