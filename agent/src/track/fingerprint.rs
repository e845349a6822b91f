//! The fingerprint of a source's content up to its read position: hashes of 4 KiB windows at doubling
//! offsets, and of the last window. It is computed from the bytes as they are taken and never by
//! reading them again, so it says what was archived, whatever the file says later.

use crate::read::plain::{self, WINDOW};
use ledger::Digest;
use ledger::digest::ResumableHash;
use std::fs::File;
use std::io;

/// First bytes of a content that are kept as they are, to tell quickly that another does not begin so.
pub(crate) const HEAD_MAX: usize = 64;

/// Most windows a fingerprint can have besides the last.
pub(crate) const LADDER_MAX: usize = 64;

/// Hashes of a source's content up to `offset`.
#[derive(Debug, Clone)]
pub(crate) struct Fingerprint {
    offset: u64,
    /// Hashes of the complete windows at 0, 4 KiB, 8 KiB, 16 KiB, …
    ladder: Vec<Digest>,
    last: Last,
    /// The first bytes, at most [`HEAD_MAX`].
    head: Vec<u8>,
    /// Of all of it; `None` once bytes of it were passed over without being read.
    whole: Option<ResumableHash>,
}

/// The window that ends at the offset: its bytes while the source is being read (a hash per line
/// would cost more than all else), its hash while it rests.
#[derive(Debug, Clone)]
enum Last {
    Bytes(Vec<u8>),
    Hash(Digest),
}

/// Where the `k`th window of the ladder begins.
fn rung(k: usize) -> u64 {
    match k {
        0 => 0,
        _ => (WINDOW as u64) << (k - 1).min(LADDER_MAX - 13),
    }
}

/// How many windows of the ladder end at or before `offset`.
#[must_use]
pub(crate) fn ladder_len(offset: u64) -> usize {
    (0..LADDER_MAX - 12)
        .take_while(|k| rung(*k) + WINDOW as u64 <= offset)
        .count()
}

/// Whether `bytes`, the first ones of a content, may be those of one that lost bytes, of which these are the `first`:
/// there a zero stands for what was passed over. Where nothing is known of it, they are not.
#[must_use]
pub(crate) fn may_repeat_lossy(first: &[u8], bytes: &[u8]) -> bool {
    let fits = |(known, byte): (&u8, &u8)| *known == 0 || known == byte;
    let is_known = first.first().is_some_and(|known| *known != 0);
    is_known && !bytes.is_empty() && first.iter().zip(bytes).all(fits)
}

impl Default for Fingerprint {
    fn default() -> Self {
        Self {
            offset: 0,
            ladder: Vec::new(),
            last: Last::Bytes(Vec::new()),
            head: Vec::new(),
            whole: Some(ResumableHash::default()),
        }
    }
}

impl Fingerprint {
    /// From a state file; `None` unless there are as many windows as the offset has.
    #[must_use]
    pub(crate) fn restore(
        offset: u64,
        ladder: Vec<Digest>,
        last: Digest,
        head: Vec<u8>,
        whole: Option<ResumableHash>,
    ) -> Option<Self> {
        let empty = offset == 0 && last != Digest::of(b"");
        let hashed = whole.as_ref().is_none_or(|whole| whole.fits(offset));
        let begun = head.len() as u64 == offset.min(HEAD_MAX as u64);
        (ladder.len() == ladder_len(offset) && !empty && hashed && begun).then_some(Self {
            offset,
            ladder,
            last: Last::Hash(last),
            head,
            whole,
        })
    }

    /// The fingerprint of a file's first bytes that are not read; `None` if it has fewer by now.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn of_file(file: &File, offset: u64) -> io::Result<Option<Self>> {
        let len = usize::try_from(offset).map_or(WINDOW, |offset| offset.min(WINDOW));
        let rungs = (0..ladder_len(offset)).map(|k| plain::window(file, rung(k), WINDOW));
        let ladder: Option<Vec<_>> = rungs.collect::<io::Result<_>>()?;
        let last = plain::window(file, offset - len as u64, len)?;
        let (Some(ladder), Some(last)) = (ladder, last) else {
            return Ok(None);
        };
        let ladder = ladder.iter().map(|window| Digest::of(window)).collect();
        let head = plain::window(file, 0, HEAD_MAX.min(len))?;
        let head = head.unwrap_or_default();
        Ok(Self::restore(offset, ladder, Digest::of(&last), head, None))
    }

    /// The first bytes, at most [`HEAD_MAX`] of them.
    #[must_use]
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// The running hash of all of it, if all of it was read.
    #[must_use]
    pub(crate) fn whole(&self) -> Option<&ResumableHash> {
        self.whole.as_ref()
    }

    /// The hash of all of it, if all of it was read.
    #[must_use]
    pub(crate) fn digest(&self) -> Option<Digest> {
        self.whole.as_ref().map(|whole| whole.digest(self.offset))
    }

    /// The hash of its first window, or of all of a shorter one.
    #[must_use]
    pub(crate) fn first(&self) -> Digest {
        self.ladder.first().copied().unwrap_or_else(|| self.last())
    }

    /// Bytes it covers.
    #[must_use]
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The ladder's hashes.
    #[must_use]
    pub(crate) fn ladder(&self) -> &[Digest] {
        &self.ladder
    }

    /// The last window's hash.
    #[must_use]
    pub(crate) fn last(&self) -> Digest {
        match &self.last {
            Last::Bytes(bytes) => Digest::of(bytes),
            Last::Hash(hash) => *hash,
        }
    }

    /// Bytes of the last window: at most [`WINDOW`].
    #[must_use]
    pub(crate) fn window_len(&self) -> usize {
        usize::try_from(self.offset).map_or(WINDOW, |offset| offset.min(WINDOW))
    }

    /// Drops the last window's bytes for their hash.
    pub(crate) fn cool(&mut self) {
        self.last = Last::Hash(self.last());
    }

    /// Takes `bytes[from..]`, which follow what was taken before. `bytes[..from]` are the bytes right
    /// before them, at least the last window, as verified.
    pub(crate) fn absorb(&mut self, bytes: &[u8], from: usize) {
        debug_assert!(from >= self.window_len(), "the last window comes before");
        let start = self.offset.saturating_sub(from as u64);
        let end = self.offset + (bytes.len() - from) as u64;
        let known = self.head.len();
        if start == 0 && known < HEAD_MAX {
            // What was read stays known, whatever stands for it where bytes after it are passed over.
            self.head
                .extend_from_slice(&bytes[known..bytes.len().min(HEAD_MAX)]);
        }
        let within = |at: u64| usize::try_from(at - start).unwrap_or(usize::MAX);
        while self.ladder.len() < ladder_len(end) {
            let at = within(rung(self.ladder.len()));
            let window = bytes.get(at..at.saturating_add(WINDOW));
            self.ladder.push(Digest::of(window.unwrap_or_default()));
        }
        if let Some(whole) = &mut self.whole {
            whole.update(&bytes[from..]);
        }
        self.offset = end;
        let last = bytes.len() - self.window_len().min(bytes.len());
        match &mut self.last {
            Last::Bytes(kept) => {
                kept.clear();
                kept.extend_from_slice(&bytes[last..]);
            }
            Last::Hash(_) => self.last = Last::Bytes(bytes[last..].to_vec()),
        }
    }

    /// Bytes of it are missing from now on.
    pub(crate) fn spoil(&mut self) {
        self.whole = None;
    }

    /// Takes a hole of `len` bytes without reading it: its bytes are zeros. `window` is the last
    /// window as verified.
    pub(crate) fn absorb_hole(&mut self, window: &[u8], len: u64) {
        self.spoil();
        let edge = usize::try_from(len).map_or(WINDOW, |len| len.min(WINDOW));
        self.absorb(&[window, &vec![0; edge]].concat(), window.len());
        // What is left begins a whole window inside the hole, so every rung it completes is zeros.
        self.offset += len - edge as u64;
        let zeros = Digest::of(&[0; WINDOW]);
        self.ladder.resize(ladder_len(self.offset), zeros);
    }

    /// Whether `window` is the last window's content.
    #[must_use]
    pub(crate) fn ends_with(&self, window: &[u8]) -> bool {
        match &self.last {
            Last::Bytes(bytes) => bytes == window,
            Last::Hash(hash) => window.len() == self.window_len() && *hash == Digest::of(window),
        }
    }

    /// Whether a file whose first bytes are `head` (a window, or the whole file), and hash to
    /// `first`, may begin with the content. Cheap, for asking many fingerprints.
    #[must_use]
    pub(crate) fn may_begin(&self, head: &[u8], first: Digest) -> bool {
        match self.ladder.first() {
            Some(hash) => *hash == first,
            None => head
                .get(..self.window_len())
                .is_some_and(|head| self.ends_with(head)),
        }
    }

    /// Whether `other` begins with this, as far as windows can tell; `window` is what `other` has in the place of
    /// the last window.
    #[must_use]
    pub(crate) fn is_beginning_of(&self, other: &Self, window: &[u8]) -> bool {
        self.offset <= other.offset
            && self.ends_with(window)
            && other.ladder.starts_with(&self.ladder)
    }

    /// Whether the file's bytes right before the offset are the last window's.
    ///
    /// # Errors
    /// The file cannot be read. A file that is too short is no error and does not match.
    pub(crate) fn ends_in(&self, file: &File) -> io::Result<bool> {
        let len = self.window_len();
        let window = plain::window(file, self.offset - len as u64, len)?;
        Ok(window.is_some_and(|window| self.ends_with(&window)))
    }

    /// Whether the file begins with the content up to the offset, as far as windows can tell:
    /// at most [`LADDER_MAX`] + 1 reads of 4 KiB.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn begins(&self, file: &File) -> io::Result<bool> {
        Ok(self.ends_in(file)? && self.ladder_fits(file)?)
    }

    /// Whether a file of `size` bytes, fewer than the offset, agrees in every window it has.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn covers(&self, file: &File, size: u64) -> io::Result<bool> {
        let rungs = ladder_len(size.min(self.offset));
        let short = Self {
            ladder: self.ladder[..rungs.min(self.ladder.len())].to_vec(),
            ..Self::default()
        };
        Ok(rungs > 0 && short.ladder_fits(file)?)
    }

    fn ladder_fits(&self, file: &File) -> io::Result<bool> {
        for (k, hash) in self.ladder.iter().enumerate() {
            let window = plain::window(file, rung(k), WINDOW)?;
            if window.is_none_or(|window| Digest::of(&window) != *hash) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether two files agree in the windows below `size`, the last one included.
///
/// # Errors
/// One of them cannot be read.
pub(crate) fn agree(a: &File, b: &File, size: u64) -> io::Result<bool> {
    let len = usize::try_from(size).map_or(WINDOW, |size| size.min(WINDOW));
    let last = (size - len as u64, len);
    let rungs = (0..ladder_len(size)).map(|k| (rung(k), WINDOW));
    for (at, len) in std::iter::once(last).chain(rungs) {
        let window = plain::window(a, at, len)?;
        if window.is_none() || window != plain::window(b, at, len)? {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn content(len: usize) -> Vec<u8> {
        (0..len)
            .map(|at| ((at / 251 + at) % 256).try_into().unwrap())
            .collect()
    }

    fn taken(bytes: &[u8], step: usize) -> Fingerprint {
        let mut fingerprint = Fingerprint::default();
        let mut at = 0;
        while at < bytes.len() {
            let end = (at + step).min(bytes.len());
            let from = at - fingerprint.window_len();
            fingerprint.absorb(&bytes[from..end], at - from);
            at = end;
        }
        fingerprint
    }

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    #[test]
    fn the_ladder_doubles() {
        let w = WINDOW as u64;
        for (offset, len) in [
            (0, 0),
            (w - 1, 0),
            (w, 1),
            (2 * w, 2),
            (3 * w - 1, 2),
            (3 * w, 3),
            (5 * w, 4),
            (u64::MAX, LADDER_MAX - 12),
        ] {
            assert_eq!(ladder_len(offset), len, "{offset}");
        }
    }

    #[test]
    fn steps_do_not_matter() {
        let bytes = content(100_000);
        let whole = taken(&bytes, bytes.len());
        assert_eq!(whole.last(), Digest::of(&bytes[bytes.len() - WINDOW..]));
        assert_eq!(whole.ladder()[3], Digest::of(&bytes[16384..20480]));
        for step in [1, 7, 4095, 4096, 4097, 60_000] {
            let stepped = taken(&bytes, step);
            assert_eq!(stepped.ladder(), whole.ladder(), "{step}");
            assert_eq!(stepped.last(), whole.last(), "{step}");
        }
    }

    #[test]
    fn content_is_told_apart() {
        for len in [1, 100, 4095, 4096, 4097, 70_000] {
            let bytes = content(len);
            let fingerprint = taken(&bytes, 999);
            assert!(fingerprint.begins(&file(&bytes)).unwrap());
            let longer = [bytes.clone(), content(9)].concat();
            assert!(fingerprint.begins(&file(&longer)).unwrap());
            assert!(!fingerprint.begins(&file(&bytes[1..])).unwrap());
            for changed in [0, len - 1] {
                let mut other = bytes.clone();
                other[changed] ^= 1;
                assert!(
                    !fingerprint.begins(&file(&other)).unwrap(),
                    "{len} {changed}"
                );
            }
            let restored = Fingerprint::restore(
                len as u64,
                fingerprint.ladder().to_vec(),
                fingerprint.last(),
                fingerprint.head().to_vec(),
                fingerprint.whole().cloned(),
            );
            assert!(restored.unwrap().begins(&file(&bytes)).unwrap());
        }
    }

    #[test]
    fn a_hole_counts_as_zeros() {
        for (before, hole) in [
            (0, 5000),
            (1, 4096),
            (4000, 100),
            (5000, 1 << 20),
            (70_000, 99_999),
        ] {
            let mut bytes = content(before);
            let mut fingerprint = taken(&bytes, 4096);
            let window = bytes[before - fingerprint.window_len()..].to_vec();
            fingerprint.absorb_hole(&window, hole as u64);
            bytes.resize(before + hole, 0);
            let read = taken(&bytes, 4096);
            assert_eq!(fingerprint.ladder(), read.ladder(), "{before} {hole}");
            assert_eq!(fingerprint.last(), read.last(), "{before} {hole}");
            assert_eq!(fingerprint.offset(), read.offset());
        }
    }

    #[test]
    fn a_shorter_file_agrees_or_not() {
        let bytes = content(50_000);
        let fingerprint = taken(&bytes, 50_000);
        assert!(fingerprint.covers(&file(&bytes[..9000]), 9000).unwrap());
        assert!(!fingerprint.covers(&file(&bytes[1..9000]), 8999).unwrap());
        assert!(
            !fingerprint.covers(&file(&bytes[..100]), 100).unwrap(),
            "no whole window"
        );
    }

    #[test]
    fn state_files_cannot_lie_about_the_shape() {
        let digest = Digest::of(b"x");
        for (offset, windows) in [(0, 1), (4096, 0), (4096, 2), (u64::MAX, 0), (1 << 20, 64)] {
            assert!(
                Fingerprint::restore(offset, vec![digest; windows], digest, vec![], None).is_none()
            );
        }
        assert!(Fingerprint::restore(0, vec![], digest, vec![], None).is_none());
        assert!(Fingerprint::restore(0, vec![], Digest::of(b""), vec![], None).is_some());
    }
}
