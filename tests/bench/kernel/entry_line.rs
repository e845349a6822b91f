//! An entry's JSON line: written, and read strictly.

/// The path in every line; its length is one of the things that decide how much is hashed.
const PATH: &[u8] = br#"","log.file.path":"/var/log/app/corpus.log","log.file.id":1,"log.offset":"#;

/// First integer that JSON readers may not hold exactly.
const INTEGER_END: u64 = 1 << 53;

/// Which entry comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Expected {
    pub(super) sequence: u64,
    pub(super) offset: usize,
}

impl Expected {
    /// The one after a message of `length` bytes and its LF.
    pub(super) fn after(self, length: usize) -> Self {
        Self {
            sequence: self.sequence + 1,
            offset: self.offset + length + 1,
        }
    }

    /// Reads a line that must be this entry; `None` if it is not one, or another.
    pub(super) fn read(self, line: &[u8]) -> Option<Self> {
        let mut reader = Reader(line.strip_prefix(b"{")?);
        let mut seen = [false; FIELDS.len()];
        let (mut sequence, mut offset, mut length) = (None, None, None);
        loop {
            let field = reader.key()?;
            if std::mem::replace(&mut seen[field], true) {
                return None;
            }
            match FIELDS[field] {
                "event.sequence" => sequence = Some(reader.number()?),
                "log.offset" => offset = Some(reader.number()?),
                "log.file.id" => drop(reader.number()?),
                "event.created" => reader.time()?,
                "message" => length = Some(reader.text()?),
                _ => drop(reader.text()?),
            }
            match reader.next()? {
                b',' => {}
                b'}' if reader.0.is_empty() => break,
                _ => return None,
            }
        }
        let is_it = sequence == Some(self.sequence) && offset == Some(self.offset as u64);
        let is_whole = seen.iter().all(|seen| *seen);
        (is_it && is_whole).then_some(self.after(length?))
    }
}

/// Appends the line, without its LF.
pub(super) fn write_line(out: &mut Vec<u8>, next: Expected, created: &str, message: &str) {
    let mut number = itoa::Buffer::new();
    out.extend_from_slice(b"{\"event.sequence\":");
    out.extend_from_slice(number.format(next.sequence).as_bytes());
    out.extend_from_slice(b",\"event.created\":\"");
    out.extend_from_slice(created.as_bytes());
    out.extend_from_slice(PATH);
    out.extend_from_slice(number.format(next.offset).as_bytes());
    out.extend_from_slice(b",\"message\":\"");
    escape(out, message.as_bytes());
    out.extend_from_slice(b"\"}");
}

/// Quote, backslash and controls escaped, all else as it is (RFC 8259 section 7).
fn escape(out: &mut Vec<u8>, text: &[u8]) {
    let mut from = 0;
    for (at, byte) in text.iter().enumerate() {
        if *byte >= 0x20 && *byte != b'"' && *byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&text[from..at]);
        from = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
    }
    out.extend_from_slice(&text[from..]);
}

/// The fields of a line.
const FIELDS: [&str; 6] = [
    "event.sequence",
    "event.created",
    "log.file.path",
    "log.file.id",
    "log.offset",
    "message",
];

/// What is left of a line.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn skip(&mut self, wanted: u8) -> Option<()> {
        (self.next()? == wanted).then_some(())
    }

    /// A known name and its colon; gives its place in [`FIELDS`].
    fn key(&mut self) -> Option<usize> {
        self.skip(b'"')?;
        let (name, rest) = self.0.split_at_checked(memchr::memchr(b'"', self.0)?)?;
        self.0 = rest.strip_prefix(b"\":")?;
        FIELDS.iter().position(|field| field.as_bytes() == name)
    }

    fn number(&mut self) -> Option<u64> {
        let count = self
            .0
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        let has_form = digits == b"0" || digits.first().is_some_and(|first| *first != b'0');
        let add = |sum: u64, digit: &u8| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
        let number = digits.iter().try_fold(0, add)?;
        (has_form && number < INTEGER_END).then_some(number)
    }

    /// A time in the one form of the format, in quotes.
    fn time(&mut self) -> Option<()> {
        const FORM: &[u8] = b"\"0000-00-00T00:00:00.000000Z\"";
        let (time, rest) = self.0.split_at_checked(FORM.len())?;
        self.0 = rest;
        let fits = |(byte, form): (&u8, &u8)| match form {
            b'0' => byte.is_ascii_digit(),
            other => byte == other,
        };
        time.iter().zip(FORM).all(fits).then_some(())
    }

    /// A string; gives how many bytes it stands for. That it is UTF-8 is known.
    fn text(&mut self) -> Option<usize> {
        self.skip(b'"')?;
        let (mut at, mut length) = (0, 0);
        loop {
            match self.0.get(at)? {
                b'"' => break,
                b'\\' => {
                    let (took, gives) = escaped(&self.0[at + 1..])?;
                    at += 1 + took;
                    length += gives;
                }
                0..0x20 => return None,
                _ => {
                    at += 1;
                    length += 1;
                }
            }
        }
        self.0 = &self.0[at + 1..];
        Some(length)
    }
}

/// What follows a backslash: bytes that it takes, and bytes that it stands for.
fn escaped(rest: &[u8]) -> Option<(usize, usize)> {
    match rest.first()? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some((1, 1)),
        b'u' => {
            let digits = str::from_utf8(rest.get(1..5)?).ok()?;
            // Lone surrogates are no character; pairs are nothing that this kernel writes.
            let character = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
            Some((5, character.len_utf8()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written_and_nothing_else_is() {
        let next = Expected {
            sequence: 7,
            offset: 900,
        };
        let mut line = Vec::new();
        write_line(
            &mut line,
            next,
            "2026-11-22T19:00:00.000000Z",
            "a\"\\\t\u{1}ä",
        );
        assert_eq!(next.read(&line), Some(next.after("a\"\\\t\u{1}ä".len())));
        let text = str::from_utf8(&line).unwrap();
        for (from, to) in [
            (":7,", ":8,"),
            (":7,", ":07,"),
            (":900,", ":901,"),
            ("2026-", "2026 "),
            ("event.created", "event.createt"),
            ("log.file.id\":1", "log.offset\":900"),
            ("\\t", "\\x"),
            ("\\t", "\t"),
            ("\\u0001", "\\ud800"),
            ("\"}", "\"} "),
            ("\"}", "\""),
        ] {
            let spoiled = text.replacen(from, to, 1);
            assert_ne!(spoiled, text);
            assert_eq!(next.read(spoiled.as_bytes()), None, "{spoiled}");
        }
    }
}
