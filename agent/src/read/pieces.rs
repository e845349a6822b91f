//! Cuts the bytes of a source into pieces: whole lines, and parts of lines over 1 MiB. Pure.
//!
//! Exactly one LF is taken off a line; CR, NUL, BOM and what is not UTF-8 are bytes like any other.

use ledger::entry::Flags;
use ledger::limits::MAX_LINE;
use std::ops::Range;

/// One entry's worth of a source: a line, or a part of one over 1 MiB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Its first byte's offset in the source.
    pub(crate) offset: u64,
    /// Where its bytes lie in the buffer they were cut from, without the LF that ends it.
    pub(crate) range: Range<usize>,
    /// `cont` and `open`, as the entry carries them.
    pub(crate) flags: Flags,
}

impl Piece {
    /// Where its bytes end in the buffer, its LF included.
    #[must_use]
    pub(crate) fn end(&self) -> usize {
        self.range.end + usize::from(!self.flags.open)
    }
}

/// What follows the bytes at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// More may come: an unfinished line waits for it.
    Awaited,
    /// Nothing that could end the line: it is taken as it is, `open`.
    Ended,
}

/// Cuts `buffer[from..]`, whose first byte stands at `offset` in the source, appending to `pieces`.
/// `line_open` says that the source's byte before it is archived and not LF.
pub(crate) fn cut(
    buffer: &[u8],
    from: usize,
    offset: u64,
    line_open: bool,
    rest: Rest,
    pieces: &mut Vec<Piece>,
) {
    let (mut at, mut cont) = (from, line_open);
    while at < buffer.len() {
        let ahead = &buffer[at..];
        // One byte beyond the longest line tells a line of exactly MAX_LINE from a longer one.
        let near = &ahead[..ahead.len().min(MAX_LINE + 1)];
        let (len, open) = match memchr::memchr(b'\n', near) {
            Some(len) => (len, false),
            None if near.len() > MAX_LINE => (part_len(&near[..MAX_LINE]), true),
            None if rest == Rest::Ended => (near.len(), true),
            None => return,
        };
        let piece = Piece {
            offset: offset + (at - from) as u64,
            range: at..at + len,
            flags: Flags { cont, open },
        };
        at = piece.end();
        cont = open;
        pieces.push(piece);
    }
}

/// How much of a full-length part to take: up to a UTF-8 boundary if that makes the part valid.
fn part_len(part: &[u8]) -> usize {
    match std::str::from_utf8(part) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => part.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Flags = Flags {
        cont: false,
        open: false,
    };
    const OPEN: Flags = Flags {
        cont: false,
        open: true,
    };
    const CONT: Flags = Flags {
        cont: true,
        open: false,
    };
    const BOTH: Flags = Flags {
        cont: true,
        open: true,
    };

    type Case<'a> = (&'a [u8], Rest, &'a [(&'a [u8], Flags)]);

    fn cut_all(bytes: &[u8], line_open: bool, rest: Rest) -> Vec<(Vec<u8>, Flags)> {
        let mut pieces = Vec::new();
        cut(bytes, 0, 1000, line_open, rest, &mut pieces);
        let mut at = 0;
        for piece in &pieces {
            assert_eq!((piece.range.start, piece.offset), (at, 1000 + at as u64));
            at = piece.end();
        }
        pieces
            .into_iter()
            .map(|piece| (bytes[piece.range].to_vec(), piece.flags))
            .collect()
    }

    #[test]
    fn any_bytes_survive() {
        let cases: [Case<'_>; 12] = [
            (b"", Rest::Ended, &[]),
            (b"\n", Rest::Awaited, &[(b"", LINE)]),
            (b"a\nb\n", Rest::Awaited, &[(b"a", LINE), (b"b", LINE)]),
            (
                b"a\r\nb\r\n",
                Rest::Awaited,
                &[(b"a\r", LINE), (b"b\r", LINE)],
            ),
            (b"a\n\n", Rest::Awaited, &[(b"a", LINE), (b"", LINE)]),
            (
                b"a\0b\n\0\n",
                Rest::Awaited,
                &[(b"a\0b", LINE), (b"\0", LINE)],
            ),
            (
                b"\xef\xbb\xbfa\n",
                Rest::Awaited,
                &[(b"\xef\xbb\xbfa", LINE)],
            ),
            (b"\xff\xfe\n", Rest::Awaited, &[(b"\xff\xfe", LINE)]),
            (
                "\u{2028}\u{85}\n".as_bytes(),
                Rest::Awaited,
                &[("\u{2028}\u{85}".as_bytes(), LINE)],
            ),
            (b"a\nrest", Rest::Awaited, &[(b"a", LINE)]),
            (b"a\nrest", Rest::Ended, &[(b"a", LINE), (b"rest", OPEN)]),
            (b"rest", Rest::Awaited, &[]),
        ];
        for (bytes, rest, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|(b, f)| (b.to_vec(), *f)).collect();
            assert_eq!(cut_all(bytes, false, rest), expected, "{bytes:?} {rest:?}");
        }
    }

    #[test]
    fn a_piece_after_an_open_one_continues_its_line() {
        let cases: [Case<'_>; 3] = [
            (
                b"end\nnext\n",
                Rest::Awaited,
                &[(b"end", CONT), (b"next", LINE)],
            ),
            (b"\nnext\n", Rest::Awaited, &[(b"", CONT), (b"next", LINE)]),
            (b"still", Rest::Ended, &[(b"still", BOTH)]),
        ];
        for (bytes, rest, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|(b, f)| (b.to_vec(), *f)).collect();
            assert_eq!(cut_all(bytes, true, rest), expected, "{bytes:?}");
        }
    }

    #[test]
    fn long_lines_fall_into_parts() {
        let line = |len: usize| [vec![b'x'; len], b"\n".to_vec()].concat();
        let shape = |bytes: &[u8], rest| -> Vec<(usize, Flags)> {
            let pieces = cut_all(bytes, false, rest);
            pieces.iter().map(|(b, f)| (b.len(), *f)).collect()
        };
        let m = MAX_LINE;
        let cases = [
            (line(m), Rest::Awaited, vec![(m, LINE)]),
            (line(m + 1), Rest::Awaited, vec![(m, OPEN), (1, CONT)]),
            (
                line(3 * m),
                Rest::Awaited,
                vec![(m, OPEN), (m, BOTH), (m, CONT)],
            ),
            // exactly full, end unseen: it may yet be a whole line
            (vec![b'x'; m], Rest::Awaited, vec![]),
            (vec![b'x'; m + 1], Rest::Awaited, vec![(m, OPEN)]),
            (vec![b'x'; m], Rest::Ended, vec![(m, OPEN)]),
            (vec![b'x'; m + 1], Rest::Ended, vec![(m, OPEN), (1, BOTH)]),
        ];
        for (bytes, rest, expected) in cases {
            assert_eq!(shape(&bytes, rest), expected, "{} {rest:?}", bytes.len());
        }
    }

    #[test]
    fn parts_end_at_a_character_if_that_makes_them_text() {
        let tail = |bytes: &[u8], tail: &str| [bytes, tail.as_bytes()].concat();
        let text = vec![b'x'; MAX_LINE - 1];
        for (wide, kept) in [("é", 1), ("€", 1), ("🦀", 1)] {
            let pieces = cut_all(&tail(&text, wide), false, Rest::Ended);
            assert_eq!(pieces[0].0.len(), MAX_LINE - kept, "{wide}");
            assert_eq!(pieces[1].0, wide.as_bytes());
        }
        let mut binary = text;
        binary[7] = 0xff;
        let pieces = cut_all(&tail(&binary, "é"), false, Rest::Ended);
        assert_eq!(
            pieces[0].0.len(),
            MAX_LINE,
            "a boundary would not make it text"
        );
    }
}
