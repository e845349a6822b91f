//! Writes an entry's line: the one place where the bytes that are hashed are made.

use super::Entry;
use alloc::vec::Vec;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use core::fmt;

impl Entry<'_> {
    /// Appends the entry as one JSON line without LF.
    pub fn write(&self, line: &mut Vec<u8>) {
        let mut line = Line(line);
        line.raw("{\"event.sequence\":").number(self.sequence);
        line.raw(",\"event.created\":\"")
            .raw_display(&self.created)
            .raw("\"");
        line.bytes_field("log.file.path", &self.path);
        line.raw(",\"log.file.id\":").number(self.source);
        line.raw(",\"log.offset\":").number(self.offset);
        line.raw(match (self.flags.cont, self.flags.open) {
            (false, false) => "",
            (true, false) => ",\"log.flags\":[\"cont\"]",
            (false, true) => ",\"log.flags\":[\"open\"]",
            (true, true) => ",\"log.flags\":[\"cont\",\"open\"]",
        });
        line.bytes_field("message", &self.message);
        line.raw("}");
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

    fn raw_display(&mut self, value: &dyn fmt::Display) -> &mut Self {
        struct Sink<'a>(&'a mut Vec<u8>);
        impl fmt::Write for Sink<'_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                self.0.extend_from_slice(text.as_bytes());
                Ok(())
            }
        }
        let written = fmt::write(&mut Sink(self.0), format_args!("{value}"));
        debug_assert!(written.is_ok(), "a Vec takes any bytes");
        self
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
