//! The logs that the demo feeds to the agent: a made one, or copies of one's own files.
//!
//! A file is only read, and never further than [`FILE_BYTES_MAX`]. What was copied is measured here, line
//! by line; the story's numbers and what the auditor must find are computed from that, never taken from
//! the agent.

use super::demo_setup::{SetupError, at};
use host::terminal::escape;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufReader, Read as _, Seek as _};
use std::path::{Path, PathBuf};

/// Most files that one demo copies.
const FILES_MAX: usize = 32;

/// Most bytes of one file that it copies.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Longest name that a copy gets, which leaves room for the rotation's suffix.
const NAME_BYTES_MAX: usize = 200;

/// Lines of the made log.
const MADE_LINES: u32 = 1000;

/// What gzip's files begin with.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Why a file cannot be fed.
#[derive(Debug, thiserror::Error)]
pub(super) enum InputError {
    #[error("--log: {0} files; the demo takes at most {FILES_MAX}")]
    TooMany(usize),
    #[error("--log {0}: {1}")]
    Unreadable(String, io::Error),
    #[error("--log {0}: a directory; name the files in it")]
    Directory(String),
    #[error("--log {0}: neither a file nor a link to one")]
    NoFile(String),
    #[error("--log {0}: it is empty, so there is nothing to seal")]
    Empty(String),
    #[error("--log {0}: it is compressed with gzip; unpack it first: zcat FILE > FILE.log")]
    Compressed(String),
}

/// A file of the user's, open for reading alone.
#[derive(Debug)]
pub(super) struct Input {
    path: PathBuf,
    file: File,
    size: u64,
}

/// One log: where its bytes are, and what there is in them.
#[derive(Debug)]
pub(super) struct Log {
    /// How the story calls it.
    pub(super) title: String,
    /// What the agent is fed, piece by piece.
    copy: PathBuf,
    /// Where the agent finds it.
    path: PathBuf,
    pub(super) shape: Shape,
}

/// What was counted in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shape {
    pub(super) bytes: u64,
    /// A last one without an end is one as well.
    pub(super) lines: u64,
    /// Bytes of the longest, its LF not counted.
    pub(super) longest: u64,
    /// Bytes and lines before the rotation: whole lines, about half of the log, never nothing.
    pub(super) half: (u64, u64),
}

/// Opens the files, before the demo makes anything.
pub(super) fn open(paths: &[PathBuf]) -> Result<Vec<Input>, InputError> {
    if paths.len() > FILES_MAX {
        return Err(InputError::TooMany(paths.len()));
    }
    paths.iter().map(|path| Input::open(path)).collect()
}

impl Input {
    fn open(path: &Path) -> Result<Self, InputError> {
        let told = || escape(&path.display().to_string());
        let unreadable = |error| InputError::Unreadable(told(), error);
        // Asked first: opening a pipe would wait for its writer.
        let kind = fs::metadata(path).map_err(unreadable)?.file_type();
        if kind.is_dir() {
            return Err(InputError::Directory(told()));
        }
        if !kind.is_file() {
            return Err(InputError::NoFile(told()));
        }
        let mut file = File::open(path).map_err(unreadable)?;
        let mut first = Vec::new();
        let least = GZIP.len() as u64;
        (&mut file)
            .take(least)
            .read_to_end(&mut first)
            .map_err(unreadable)?;
        if first.is_empty() {
            return Err(InputError::Empty(told()));
        }
        if first == GZIP {
            return Err(InputError::Compressed(told()));
        }
        file.rewind().map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        Ok(Self {
            path: path.into(),
            file,
            size,
        })
    }

    fn title(&self) -> String {
        let path = self.path.display().to_string();
        let path = escape(&path);
        if self.size <= FILE_BYTES_MAX {
            return path;
        }
        format!(
            "the first {FILE_BYTES_MAX} of {} bytes of {path}",
            self.size
        )
    }
}

/// Copies the files into the demo's folder, each into a folder of its own.
pub(super) fn copy(inputs: Vec<Input>, folder: &Path) -> Result<Vec<Log>, SetupError> {
    let numbered = (1..).zip(inputs);
    let logs = numbered.map(|(number, input)| {
        let title = input.title();
        let name = plain_name(&input.path);
        Log::bring(title, folder, number, &name, input.file)
    });
    logs.collect()
}

/// Makes the log of an application.
pub(super) fn make(folder: &Path) -> Result<Vec<Log>, SetupError> {
    let mut text = String::new();
    for number in 1..=MADE_LINES {
        let user = ["root", "alice", "bob", "backup"][number as usize % 4];
        // A String takes whatever is written into it.
        let written = writeln!(
            text,
            "Nov 22 10:{:02}:{:02} web-01 sshd[{}]: Accepted publickey for {user} from 192.0.2.{} port {}",
            number / 60 % 60,
            number % 60,
            1000 + number,
            number % 254 + 1,
            40_000 + number,
        );
        debug_assert!(written.is_ok());
    }
    Log::bring("app.log".into(), folder, 1, "app.log", text.as_bytes()).map(|log| vec![log])
}

impl Log {
    fn bring(
        title: String,
        folder: &Path,
        number: u32,
        name: &str,
        bytes: impl io::Read,
    ) -> Result<Self, SetupError> {
        let place = |below: &str| -> Result<PathBuf, SetupError> {
            let folder = folder.join(below).join(number.to_string());
            fs::create_dir_all(&folder).map_err(at(&folder))?;
            Ok(folder.join(name))
        };
        let (copy, path) = (place("given")?, place("logs")?);
        let mut target = File::create_new(&copy).map_err(at(&copy))?;
        io::copy(&mut bytes.take(FILE_BYTES_MAX), &mut target).map_err(at(&copy))?;
        let shape = File::open(&copy).and_then(Shape::of).map_err(at(&copy))?;
        Ok(Self {
            title,
            copy,
            path,
            shape,
        })
    }

    /// Writes what stands before the rotation.
    pub(super) fn write_first_half(&self) -> Result<(), SetupError> {
        self.write(0, self.shape.half.0)
    }

    /// Renames the log away, as logrotate does, and writes the rest into a file of its name.
    pub(super) fn rotate(&self) -> Result<(), SetupError> {
        let mut rotated = self.path.clone().into_os_string();
        rotated.push(".1");
        fs::rename(&self.path, rotated).map_err(at(&self.path))?;
        let (half, _) = self.shape.half;
        self.write(half, self.shape.bytes - half)
    }

    fn write(&self, from: u64, bytes: u64) -> Result<(), SetupError> {
        let mut copy = File::open(&self.copy).map_err(at(&self.copy))?;
        copy.seek(io::SeekFrom::Start(from))
            .map_err(at(&self.copy))?;
        let mut log = File::create_new(&self.path).map_err(at(&self.path))?;
        let written = io::copy(&mut copy.take(bytes), &mut log).map_err(at(&self.path))?;
        debug_assert_eq!(written, bytes);
        Ok(())
    }
}

impl Shape {
    fn of(file: File) -> io::Result<Self> {
        let bytes = file.metadata()?.len();
        Self::measure(BufReader::new(file), bytes)
    }

    /// Counts lines; halves at the last end of a line before the middle, else at the first after it.
    fn measure(mut text: impl io::BufRead, bytes: u64) -> io::Result<Self> {
        let mut shape = Self {
            bytes,
            ..Self::default()
        };
        // Where the line begins that is being read.
        let (mut begin, mut at) = (0, 0);
        loop {
            let chunk = text.fill_buf()?;
            if chunk.is_empty() {
                break;
            }
            for part in chunk.split_inclusive(|byte| *byte == b'\n') {
                at += part.len() as u64;
                if part.last() == Some(&b'\n') {
                    shape.end_line(at - begin - 1, at);
                    begin = at;
                }
            }
            let read = chunk.len();
            text.consume(read);
        }
        if begin < at {
            shape.end_line(at - begin, at);
        }
        Ok(shape)
    }

    fn end_line(&mut self, length: u64, end: u64) {
        self.lines += 1;
        self.longest = self.longest.max(length);
        if self.half.0 == 0 || end <= self.bytes / 2 {
            self.half = (end, self.lines);
        }
    }

    /// What several logs come to.
    pub(super) fn sum(logs: &[Log]) -> Self {
        let sum = |sum: Self, log: &Log| {
            let shape = log.shape;
            Self {
                bytes: sum.bytes + shape.bytes,
                lines: sum.lines + shape.lines,
                longest: sum.longest.max(shape.longest),
                half: (sum.half.0 + shape.half.0, sum.half.1 + shape.half.1),
            }
        };
        logs.iter().fold(Self::default(), sum)
    }
}

/// A name for a copy that no pattern, shell or terminal takes for something else, and that does not look
/// compressed.
fn plain_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    let plain = name.chars().map(|c| if is_plain(c) { c } else { '_' });
    let mut plain: String = plain.take(NAME_BYTES_MAX).collect();
    if plain.starts_with(['.', '-']) {
        plain.insert(0, '_');
    }
    if !plain.ends_with(".log") {
        plain.push_str(".log");
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &[u8]) -> Shape {
        let bytes = text.len() as u64;
        // Two bytes at a time, so that lines span chunks.
        Shape::measure(BufReader::with_capacity(2, text), bytes).unwrap()
    }

    #[test]
    fn a_log_is_halved_at_the_end_of_a_line() {
        for (text, lines, longest, half) in [
            (&b"a\nb\nc\nd\n"[..], 4, 1, (4, 2)),
            (b"a\nb\nc\nd", 4, 1, (2, 1)),
            (b"aa\r\n\0\n\xff\xfe\n", 3, 3, (4, 1)),
            // A long line first, or last, or alone.
            (b"aaaaaaaa\nb\n", 2, 8, (9, 1)),
            (b"a\nbbbbbbbb", 2, 8, (2, 1)),
            (b"aaaa\n", 1, 4, (5, 1)),
            (b"aaaa", 1, 4, (4, 1)),
            (b"\n", 1, 0, (1, 1)),
            (b"\n\n\n\n", 4, 0, (2, 2)),
        ] {
            let bytes = text.len() as u64;
            let expected = Shape {
                bytes,
                lines,
                longest,
                half,
            };
            assert_eq!(shape(text), expected, "{:?}", text.escape_ascii());
        }
    }

    #[test]
    fn copies_have_plain_names() {
        for (path, name) in [
            ("/var/log/auth.log", "auth.log"),
            ("/var/log/syslog", "syslog.log"),
            ("app.log.1", "app.log.1.log"),
            ("/x/a b*[1].zip", "a_b__1_.zip.log"),
            (".hidden.log", "_.hidden.log"),
            ("-v", "_-v.log"),
            ("/x/\u{e4}\n.log", "__.log"),
        ] {
            assert_eq!(plain_name(Path::new(path)), name);
        }
    }
}
