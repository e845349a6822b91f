//! What a file's first bytes say of its form, whatever its name: kubelet gives a packed log another one.

use crate::read::gzip;

/// First bytes that tell every form.
pub(super) const TELLING: usize = 16;

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Lines, as far as anybody can say.
    Plain,
    /// Lines in gzip.
    Gzip,
    /// Another form, which is passed over: its name.
    Other(&'static str),
}

/// Forms that are not read, by their first bytes.
const OTHERS: [(&[u8], &str); 7] = [
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh91AY&SY", "bzip2"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"PK\x03\x04", "zip"),
    (b"SQLite format 3\0", "SQLite"),
    (b"LPKSHHRH", "journald"),
];

/// What a file that begins with `head` is.
pub(super) fn form_of(head: &[u8]) -> Form {
    if gzip::is_gzip(head) {
        return Form::Gzip;
    }
    // The digit after "BZh" is the block's size.
    let mut bzip2 = [0; 10];
    let is_bzip2 = head.get(..10).is_some_and(|head| {
        bzip2.copy_from_slice(head);
        let digit = std::mem::replace(&mut bzip2[3], b'9');
        digit.is_ascii_digit() && digit != b'0'
    });
    let begins = |magic: &[u8]| head.starts_with(magic) || (is_bzip2 && bzip2 == magic);
    let other = OTHERS.iter().find(|(magic, _)| begins(magic));
    other.map_or(Form::Plain, |(_, name)| Form::Other(name))
}

/// Whether more bytes may make `head`, all of a file so far, something else than lines.
pub(super) fn is_undecided(head: &[u8]) -> bool {
    let gzip: &[u8] = &[0x1f, 0x8b, 8];
    let all = OTHERS.iter().map(|(magic, _)| *magic).chain([gzip]);
    let unprintable = |magic: &&[u8]| !magic[..2].is_ascii() || magic[0] < b' ';
    all.filter(unprintable)
        .any(|magic| head.len() < magic.len() && magic.starts_with(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told_by_content() {
        for (head, form) in [
            (&b"\x1f\x8b\x08\0\0"[..], Form::Gzip),
            (b"\x1f\x8b\x07\0\0", Form::Plain),
            (b"\xfd7zXZ\0\0", Form::Other("xz")),
            (b"BZh11AY&SYrest", Form::Other("bzip2")),
            (b"BZh01AY&SYrest", Form::Plain),
            (b"BZh", Form::Plain),
            (b"PK\x03\x04", Form::Other("zip")),
            (b"LPKSHHRH", Form::Other("journald")),
            (b"SQLite format 3\0", Form::Other("SQLite")),
            (b"SQLite format 3 is a line", Form::Plain),
            (b"", Form::Plain),
            (b"Nov 22", Form::Plain),
        ] {
            assert_eq!(form_of(head), form, "{head:?}");
        }
        assert!(is_undecided(b"\x1f"));
        assert!(is_undecided(b"\xfd7"));
        assert!(!is_undecided(b"P"), "a log may begin so");
        assert!(!is_undecided(b"\x1f\x8b\x08"));
    }
}
