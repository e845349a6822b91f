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
        self.raw(",\"").raw(name);
        match core::str::from_utf8(bytes) {
            Ok(text) => {
                self.raw("\":");
                self.string(text);
            }
            Err(_) => {
                self.raw("_base64\":\"");
                let text = BASE64.encode(bytes);
                self.raw(&text).raw("\"");
            }
        }
    }

    /// A JSON string (RFC 8259 section 7): quote, backslash and controls escaped, all else as it is.
    fn string(&mut self, text: &str) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        self.raw("\"");
        let bytes = text.as_bytes();
        let mut from = 0;
        for (at, byte) in bytes.iter().enumerate() {
            if *byte >= 0x20 && *byte != b'"' && *byte != b'\\' {
                continue;
            }
            self.0.extend_from_slice(&bytes[from..at]);
            from = at + 1;
            let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            let escape: &[u8] = match byte {
                b'"' => b"\\\"",
                b'\\' => b"\\\\",
                b'\t' => b"\\t",
                b'\r' => b"\\r",
                b'\n' => b"\\n",
                _ => &[b'\\', b'u', b'0', b'0', digits[0], digits[1]],
            };
            self.0.extend_from_slice(escape);
        }
        self.0.extend_from_slice(&bytes[from..]);
        self.raw("\"");
    }
}

#[cfg(test)]
mod tests;
