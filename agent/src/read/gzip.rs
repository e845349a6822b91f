//! The reader of packed logs: a source whose file is in gzip (RFC 1952), of one member or of several in a row.
//! Positions count unpacked bytes. It unpacks forward only, a bounded amount at a time, and keeps little; going
//! back begins at the file's start again. It judges nothing.

use crate::read::plain::WINDOW;
use crate::sys::{self, Stat};
use flate2::bufread::GzDecoder;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

/// Packed bytes read at once.
const INPUT: usize = 32 * 1024;

/// Unpacked bytes that one step passes over or looks at: some 50 ms of work, so that a large file keeps nothing
/// else waiting.
pub(crate) const STEP_MAX: u64 = 32 * 1024 * 1024;

/// How the unpacking of a file came to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PackedEnd {
    /// After the last member.
    Whole,
    /// Within a member: its writer is not done, or it was cut.
    Cut,
    /// What follows is not gzip, or does not have the checksum it promises.
    Corrupt,
}

/// What unpacking gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unpacked {
    /// So many bytes.
    Bytes(usize),
    /// Nothing more, as long as the file stays as it is.
    End(PackedEnd),
}

/// A file's bytes from its start. At its end a read would block: whether more will come is not known here, and
/// the decoder then keeps its place.
#[derive(Debug)]
struct Packed {
    file: Arc<File>,
    at: u64,
}

impl Read for Packed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(into, self.at)?;
        if read == 0 && !into.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.at += read as u64;
        Ok(read)
    }
}

/// Unpacks a file from its start.
#[derive(Debug)]
pub(crate) struct Unpacker {
    decoder: Decoder,
    at: u64,
}

#[derive(Debug)]
enum Decoder {
    /// Before a member.
    Between(BufReader<Packed>),
    Within(Box<GzDecoder<BufReader<Packed>>>),
    /// What was wrong stays wrong.
    Corrupt,
}

impl Unpacker {
    pub(crate) fn new(file: Arc<File>) -> Self {
        let packed = Packed { file, at: 0 };
        Self {
            decoder: Decoder::Between(BufReader::with_capacity(INPUT, packed)),
            at: 0,
        }
    }

    /// Unpacked bytes given so far.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// Fills `into`, which is not empty, as far as one call can.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> io::Result<Unpacked> {
        loop {
            let decoder = std::mem::replace(&mut self.decoder, Decoder::Corrupt);
            match decoder {
                Decoder::Corrupt => return Ok(Unpacked::End(PackedEnd::Corrupt)),
                Decoder::Between(mut packed) => match skip_padding(&mut packed) {
                    Ok(()) => self.decoder = Decoder::Within(Box::new(GzDecoder::new(packed))),
                    Err(error) => {
                        self.decoder = Decoder::Between(packed);
                        return ended(error, PackedEnd::Whole);
                    }
                },
                Decoder::Within(mut member) => match member.read(into) {
                    Ok(0) => self.decoder = Decoder::Between(member.into_inner()),
                    Ok(read) => {
                        self.decoder = Decoder::Within(member);
                        self.at += read as u64;
                        return Ok(Unpacked::Bytes(read));
                    }
                    Err(error) if is_corrupt(&error) => {
                        return Ok(Unpacked::End(PackedEnd::Corrupt));
                    }
                    Err(error) => {
                        self.decoder = Decoder::Within(member);
                        return ended(error, PackedEnd::Cut);
                    }
                },
            }
        }
    }
}

/// Zeros after a member are padding, as `gzip -d` takes them.
fn skip_padding(packed: &mut BufReader<Packed>) -> io::Result<()> {
    loop {
        let bytes = packed.fill_buf()?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let done = zeros < bytes.len();
        packed.consume(zeros);
        if done {
            return Ok(());
        }
    }
}

fn is_corrupt(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
    )
}

fn ended(error: io::Error, end: PackedEnd) -> io::Result<Unpacked> {
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(Unpacked::End(end)),
        _ => Err(error),
    }
}

/// Whether a file that begins with these bytes is gzip: its magic and the only method there is.
pub(crate) fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(&[0x1f, 0x8b, 8])
}

/// The first bytes that a packed file unpacks to, at most `max` of them.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn first_bytes(file: &Arc<File>, max: usize) -> io::Result<Vec<u8>> {
    let mut unpacker = Unpacker::new(Arc::clone(file));
    let mut head = vec![0; max];
    let mut filled = 0;
    while filled < max {
        match unpacker.read(&mut head[filled..])? {
            Unpacked::Bytes(read) => filled += read,
            Unpacked::End(_) => break,
        }
    }
    head.truncate(filled);
    Ok(head)
}

/// What a packed source reads through: its unpacker and the bytes around the read position.
#[derive(Debug)]
pub(crate) struct PackedReader {
    file: Arc<File>,
    unpacker: Unpacker,
    /// The file as it was when this was last told, to notice that it is not what it was.
    stat: Stat,
    /// Source bytes up to where the unpacker is.
    kept: Vec<u8>,
    end: Option<PackedEnd>,
}

/// What is at hand of a packed source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtHand {
    /// The bytes that were asked for, or all up to this end.
    Ready(Option<PackedEnd>),
    /// The position is not reached yet: ask again.
    Passing,
}

impl PackedReader {
    /// # Errors
    /// The file cannot be looked at.
    pub(crate) fn new(file: Arc<File>) -> io::Result<Self> {
        let stat = sys::stat_file(&file)?;
        Ok(Self {
            unpacker: Unpacker::new(Arc::clone(&file)),
            file,
            stat,
            kept: Vec::new(),
            end: None,
        })
    }

    /// Brings the source's bytes `[from, from + len)` to hand, fewer if the file ends before, by unpacking at most
    /// [`STEP_MAX`] bytes.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn seek(&mut self, from: u64, len: usize) -> io::Result<AtHand> {
        self.look()?;
        if from < self.begin() {
            self.begin_again();
        }
        let mut work = 0;
        let mut chunk = [0; 16 * 1024];
        while self.unpacker.at() < from + len as u64 {
            if work >= STEP_MAX {
                return Ok(AtHand::Passing);
            }
            let missing = from + len as u64 - self.unpacker.at();
            let room =
                usize::try_from(missing).map_or(chunk.len(), |missing| missing.min(chunk.len()));
            match self.unpacker.read(&mut chunk[..room])? {
                Unpacked::End(end) => {
                    self.end = Some(end);
                    break;
                }
                Unpacked::Bytes(read) => {
                    work += read as u64;
                    self.kept.extend_from_slice(&chunk[..read]);
                }
            }
            self.forget_before(from);
        }
        self.forget_before(from);
        let reached = self.unpacker.at() >= from + len as u64;
        Ok(AtHand::Ready(if reached { None } else { self.end }))
    }

    /// What the last [`PackedReader::seek`] brought, from its `from` on; empty if the file ends before that.
    pub(crate) fn at_hand(&self, from: u64) -> &[u8] {
        let skip = usize::try_from(from.saturating_sub(self.begin())).unwrap_or(usize::MAX);
        self.kept.get(skip..).unwrap_or_default()
    }

    /// How far it has unpacked.
    pub(crate) fn unpacked(&self) -> u64 {
        self.unpacker.at()
    }

    /// Where the kept bytes begin.
    fn begin(&self) -> u64 {
        self.unpacker.at() - self.kept.len() as u64
    }

    /// Bytes before the position are let go in large steps: a move costs as much as what is kept.
    fn forget_before(&mut self, from: u64) {
        let old = usize::try_from(from.saturating_sub(self.begin())).unwrap_or(usize::MAX);
        let old = old.min(self.kept.len());
        if old >= 16 * WINDOW || old == self.kept.len() {
            self.kept.drain(..old);
        }
    }

    /// A file that only grew is read on; one that changed otherwise is read from its start.
    fn look(&mut self) -> io::Result<()> {
        let stat = sys::stat_file(&self.file)?;
        let known = std::mem::replace(&mut self.stat, stat);
        let same = (known.size, known.modified) == (stat.size, stat.modified);
        if !same && stat.size <= known.size {
            self.begin_again();
        }
        Ok(())
    }

    fn begin_again(&mut self) {
        self.unpacker = Unpacker::new(Arc::clone(&self.file));
        self.kept.clear();
        self.end = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write as _;

    fn pack(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn file(bytes: &[u8]) -> (tempfile::NamedTempFile, Arc<File>) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let opened = Arc::new(file.reopen().unwrap());
        (file, opened)
    }

    fn all(unpacker: &mut Unpacker) -> (Vec<u8>, PackedEnd) {
        let mut bytes = Vec::new();
        let mut chunk = [0; 1000];
        loop {
            match unpacker.read(&mut chunk).unwrap() {
                Unpacked::Bytes(read) => bytes.extend(&chunk[..read]),
                Unpacked::End(end) => return (bytes, end),
            }
        }
    }

    #[test]
    fn members_padding_and_faults() {
        let text: Vec<u8> = b"a line of some length\n".repeat(900);
        let packed = pack(&text);
        let two = [packed.clone(), pack(b"end\n")].concat();
        let both = [text.clone(), b"end\n".to_vec()].concat();
        let mut flipped = packed.clone();
        let crc = flipped.len() - 6;
        flipped[crc] ^= 1;
        for (why, bytes, expected, end) in [
            ("one member", packed.clone(), text.clone(), PackedEnd::Whole),
            ("two", two, both, PackedEnd::Whole),
            (
                "padding",
                [packed.clone(), vec![0; 700]].concat(),
                text.clone(),
                PackedEnd::Whole,
            ),
            (
                "a trailer is missing",
                packed[..packed.len() - 3].to_vec(),
                text.clone(),
                PackedEnd::Cut,
            ),
            (
                "a wrong checksum",
                flipped,
                text.clone(),
                PackedEnd::Corrupt,
            ),
            (
                "something else follows",
                [packed, b"x1".repeat(9)].concat(),
                text,
                PackedEnd::Corrupt,
            ),
            ("an empty file", Vec::new(), Vec::new(), PackedEnd::Whole),
            (
                "a part of a header",
                vec![0x1f, 0x8b, 8],
                Vec::new(),
                PackedEnd::Cut,
            ),
        ] {
            let (_kept, file) = file(&bytes);
            assert_eq!(all(&mut Unpacker::new(file)), (expected, end), "{why}");
        }
    }

    #[test]
    fn a_growing_file_is_unpacked_as_it_grows() {
        let text: Vec<u8> = (0..4000)
            .flat_map(|n| format!("line {n}\n").into_bytes())
            .collect();
        let packed = [pack(&text), pack(b"more\n")].concat();
        let (mut kept, opened) = file(b"");
        let mut unpacker = Unpacker::new(opened);
        let mut bytes = Vec::new();
        for part in packed.chunks(7) {
            kept.write_all(part).unwrap();
            bytes.extend(all(&mut unpacker).0);
        }
        assert_eq!(bytes, [text, b"more\n".to_vec()].concat());
        assert_eq!(all(&mut unpacker).1, PackedEnd::Whole);
    }

    #[test]
    fn any_part_is_brought_to_hand() {
        let text: Vec<u8> = (0..60_000)
            .flat_map(|n| format!("line {n}\n").into_bytes())
            .collect();
        let (_kept, opened) = file(&pack(&text));
        let mut reader = PackedReader::new(opened).unwrap();
        for (from, len) in [
            (0, 10),
            (5, 100),
            (100_000, 5000),
            (104_000, 90_000),
            (3, 9),
        ] {
            assert_eq!(reader.seek(from, len).unwrap(), AtHand::Ready(None));
            let at = usize::try_from(from).unwrap();
            assert_eq!(&reader.at_hand(from)[..len], &text[at..at + len], "{from}");
        }
        let end = text.len() as u64;
        assert_eq!(
            reader.seek(end - 5, 9).unwrap(),
            AtHand::Ready(Some(PackedEnd::Whole))
        );
        assert_eq!(reader.at_hand(end - 5), &text[text.len() - 5..]);
        assert_eq!(reader.unpacked(), end);
    }

    #[test]
    fn a_bomb_is_passed_in_steps() {
        let steps = 3;
        let zeros = vec![0; usize::try_from(STEP_MAX).unwrap()];
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        for _ in 0..steps {
            encoder.write_all(&zeros).unwrap();
        }
        encoder.write_all(b"end\n").unwrap();
        let (_kept, opened) = file(&encoder.finish().unwrap());
        let mut reader = PackedReader::new(opened).unwrap();
        let from = steps * STEP_MAX;
        let mut passing = 0;
        while reader.seek(from, 4).unwrap() == AtHand::Passing {
            passing += 1;
            assert!(reader.kept.capacity() < 1 << 20);
        }
        assert!(passing + 1 >= steps && passing <= steps, "{passing}");
        assert_eq!(reader.at_hand(from), b"end\n");
    }
}
