//! The log that is measured: the eight sample logs again and again, every digit after column 24 another.
//!
//! Up to column 24 stands a time in most of them, which repeats from line to line in real logs as well.

use harness::{Dice, samples};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Columns that stay as they are.
const KEPT: usize = 24;

/// Digits that one throw of the dice gives: 10^16 is far below 2^64, so that none is likelier.
const DIGITS_A_THROW: u32 = 16;

/// The seed of every benchmark: figures are compared across builds, so all read the same bytes.
pub(crate) const SEED: u64 = 1;

/// Writes a log of `bytes` bytes, or up to a line more; gives its exact size.
pub(crate) fn write_log(path: &Path, bytes: u64) -> io::Result<u64> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let written = write_lines(bytes, &mut Digits::new(SEED), &mut file)?;
    file.into_inner()?.sync_all()?;
    Ok(written)
}

fn write_lines(bytes: u64, digits: &mut Digits, out: &mut impl Write) -> io::Result<u64> {
    let samples = samples::logs();
    let originals = samples.iter().flat_map(samples::Sample::lines);
    // The bare kernel knows no other text.
    let originals: Vec<&[u8]> = originals
        .filter(|line| str::from_utf8(line).is_ok())
        .collect();
    let (mut written, mut line) = (0, Vec::new());
    for original in originals.iter().cycle() {
        if written >= bytes {
            break;
        }
        line.clear();
        let text = original.strip_suffix(b"\n").unwrap_or(original);
        line.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
        for byte in line.iter_mut().skip(KEPT).filter(|b| b.is_ascii_digit()) {
            *byte = digits.next();
        }
        line.push(b'\n');
        out.write_all(&line)?;
        written += line.len() as u64;
    }
    Ok(written)
}

/// Random ASCII digits, the same for the same seed.
struct Digits {
    dice: Dice,
    thrown: u64,
    left: u32,
}

impl Digits {
    fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            thrown: 0,
            left: 0,
        }
    }

    fn next(&mut self) -> u8 {
        if self.left == 0 {
            self.thrown = self.dice.throw();
            self.left = DIGITS_A_THROW;
        }
        self.left -= 1;
        let digit = b'0' + (self.thrown % 10) as u8;
        self.thrown /= 10;
        digit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_only_late_digits_vary() {
        let write = |seed| {
            let mut out = Vec::new();
            let written = write_lines(500_000, &mut Digits::new(seed), &mut out).unwrap();
            assert_eq!(written, out.len() as u64);
            out
        };
        let (one, other) = (write(1), write(2));
        assert!(one == write(1));
        assert!(one != other);
        let lines = |bytes: &[u8]| -> Vec<Vec<u8>> {
            bytes
                .split(|byte| *byte == b'\n')
                .map(<[u8]>::to_vec)
                .collect()
        };
        for (one, other) in lines(&one).iter().zip(lines(&other)) {
            assert_eq!(one.len(), other.len());
            for (at, (a, b)) in one.iter().zip(&other).enumerate() {
                assert!(a == b || (at >= KEPT && a.is_ascii_digit() && b.is_ascii_digit()));
            }
        }
    }
}
