//! Writes an entry's line: the one place where the bytes that are hashed are made.

use super::Entry;
use crate::Moment;
use alloc::vec::Vec;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Writes entries one after another. An agent reads many lines at one moment from one source, so what entries
/// have in common with the one before is formatted once and copied.
#[derive(Debug, Default)]
pub struct Writer {
    /// Whose fields `shared` holds: time, source and path.
    of: Option<(Moment, u64)>,
    path: Vec<u8>,
    /// From the comma before `event.created` to the colon behind `log.offset`.
    shared: Vec<u8>,
}

impl Writer {
    /// Nothing is written yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the entry as one JSON line without LF.
    pub fn write(&mut self, entry: &Entry<'_>, line: &mut Vec<u8>) {
        if self.of != Some((entry.created, entry.source)) || self.path != *entry.path {
            self.share(entry);
        }
        let mut line = Line(line);
        line.raw("{\"event.sequence\":").number(entry.sequence);
        line.0.extend_from_slice(&self.shared);
        line.number(entry.offset);
        line.raw(match (entry.flags.cont, entry.flags.open) {
            (false, false) => "",
            (true, false) => ",\"log.flags\":[\"cont\"]",
            (false, true) => ",\"log.flags\":[\"open\"]",
            (true, true) => ",\"log.flags\":[\"cont\",\"open\"]",
        });
        line.bytes_field("message", &entry.message);
        line.raw("}");
    }

    fn share(&mut self, entry: &Entry<'_>) {
        self.of = Some((entry.created, entry.source));
        self.path.clear();
        self.path.extend_from_slice(&entry.path);
        self.shared.clear();
        let created = alloc::format!("{}", entry.created);
        let mut shared = Line(&mut self.shared);
        shared.raw(",\"event.created\":\"").raw(&created).raw("\"");
        shared.bytes_field("log.file.path", &entry.path);
        shared.raw(",\"log.file.id\":").number(entry.source);
        shared.raw(",\"log.offset\":");
    }
}

/// Writes JSON into a buffer; a `Vec` cannot fail to take bytes.
struct Line<'a>(&'a mut Vec<u8>);

impl Line<'_> {
    fn raw(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    fn number(&mut self, number: u64) -> &mut Self {
        self.raw(itoa::Buffer::new().format(number))
    }

    /// `,"name":"text"`, or `,"name_base64":"..."` for bytes that are not UTF-8.
    fn bytes_field(&mut self, name: &str, bytes: &[u8]) {
        let start = self.0.len();
        self.raw(",\"").raw(name).raw("\":\"");
        // One pass judges and copies; only a line with more than ASCII is looked at again.
        let is_ascii = self.escaped(bytes);
        if !is_ascii && core::str::from_utf8(bytes).is_err() {
            self.0.truncate(start);
            self.raw(",\"").raw(name).raw("_base64\":\"");
            self.raw(&BASE64.encode(bytes));
        }
        self.raw("\"");
    }

    /// The inside of a JSON string (RFC 8259 section 7): quote, backslash and controls escaped, all else as it
    /// is. Whether all of it is ASCII.
    fn escaped(&mut self, mut bytes: &[u8]) -> bool {
        let mut seen = 0;
        loop {
            let (plain, rest) = bytes.split_at(plain_len(bytes, &mut seen));
            self.0.extend_from_slice(plain);
            let Some((byte, rest)) = rest.split_first() else {
                return seen & HIGH == 0;
            };
            self.escape(*byte);
            bytes = rest;
        }
    }

    fn escape(&mut self, byte: u8) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\t' => b't',
            b'\r' => b'r',
            b'\n' => b'n',
            _ => {
                let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
                return self
                    .0
                    .extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
        };
        self.0.extend_from_slice(&[b'\\', short]);
    }
}

/// How many bytes before the first that a string must escape. `seen` takes the bits of all bytes looked at.
///
/// Eight bytes at a time: the arithmetic raises the high bit of each byte that is below a bound. It is right up to
/// the first such byte, which is all that is asked.
fn plain_len(bytes: &[u8], seen: &mut u64) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let below = |word: u64, bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word;
    let (words, rest) = bytes.as_chunks();
    for (number, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        *seen |= word;
        let quote = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslash = below(word ^ (ONES * u64::from(b'\\')), 1);
        let found = (below(word, 0x20) | quote | backslash) & HIGH;
        if found != 0 {
            return number * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    *seen |= rest.iter().fold(0, |seen, byte| seen | u64::from(*byte));
    let escape = rest.iter().position(|byte| is_escaped(*byte));
    words.len() * 8 + escape.unwrap_or(rest.len())
}

/// The bits that no byte of ASCII has.
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

fn is_escaped(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

#[cfg(test)]
mod tests;
