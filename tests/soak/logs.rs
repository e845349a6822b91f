//! The logs: five, each rotated in its own way, and beside them what was written to each life of each, for the oracle.

use harness::Site;
use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Rotated files that are kept of each log. At a rotation every five seconds a log stays for three minutes: longer than
/// any program is down, so that nothing may be missing.
const KEPT: usize = 36;

/// How a log is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Renamed to `.1`, older ones shifted, and packed at once.
    Compress,
    /// The same, packed at the rotation after.
    DelayCompress,
    /// Renamed to a name with a date that stays, and packed.
    Dated,
    /// Renamed to `.1`, older ones shifted.
    Numbered,
    /// Copied to `.1` and cut, while nobody writes: what is written in between is lost by the nature of it.
    CopyTruncate,
}

const WAYS: [(&str, Way); 5] = [
    ("packed.log", Way::Compress),
    ("delayed.log", Way::DelayCompress),
    ("dated.log", Way::Dated),
    ("numbered.log", Way::Numbered),
    ("copied.log", Way::CopyTruncate),
];

struct Log {
    path: PathBuf,
    way: Way,
    file: File,
    /// Not written yet.
    pending: Vec<u8>,
    rotations: usize,
}

pub(crate) struct Logs {
    logs: Vec<Log>,
    /// One file for each life.
    written: PathBuf,
    ledgers: Vec<BufWriter<File>>,
    lines: u64,
    next: usize,
}

fn open(path: &Path) -> File {
    let mut options = OpenOptions::new();
    let file = options.append(true).create(true).open(path);
    file.expect("a log can be opened")
}

impl Logs {
    pub(crate) fn create(site: &Site) -> Self {
        let written = site.path("written");
        fs::create_dir(&written).expect("a folder can be made");
        let logs = WAYS.map(|(name, way)| Log {
            path: site.log(name),
            way,
            file: open(&site.log(name)),
            pending: Vec::new(),
            rotations: 0,
        });
        let mut made = Self {
            logs: logs.into(),
            written,
            ledgers: Vec::new(),
            lines: 0,
            next: 0,
        };
        for at in 0..made.logs.len() {
            let ledger = made.ledger(at);
            made.ledgers.push(ledger);
        }
        made
    }

    fn ledger(&self, at: usize) -> BufWriter<File> {
        let log = &self.logs[at];
        let name = log.path.file_name().expect("a name").to_string_lossy();
        BufWriter::new(open(
            &self.written.join(format!("{name}-{}", log.rotations)),
        ))
    }

    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// The folder with what was written to each life.
    pub(crate) fn written(&self) -> &Path {
        &self.written
    }

    /// One more line, of a length that changes, to the log whose turn it is.
    pub(crate) fn write_one(&mut self) {
        let at = usize::try_from(self.lines % WAYS.len() as u64).expect("small");
        self.lines += 1;
        let n = self.lines;
        let filler = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let len = 20 + usize::try_from(filler % 160).expect("small");
        let mut line = format!("line {n} user={:x} ", filler % 1000).into_bytes();
        while line.len() < len {
            line.extend(
                format!(
                    "{:x}",
                    filler.rotate_left(u32::try_from(line.len()).expect("small"))
                )
                .bytes(),
            );
        }
        // Bytes that are no text are lines too.
        if n.is_multiple_of(1000) {
            line.extend([0, 0xff, b'\r']);
        }
        line.push(b'\n');
        self.logs[at].pending.extend(&line);
    }

    /// Appends what is pending.
    pub(crate) fn flush(&mut self) {
        for at in 0..self.logs.len() {
            let pending = std::mem::take(&mut self.logs[at].pending);
            self.logs[at]
                .file
                .write_all(&pending)
                .expect("a log can be written");
            self.ledgers[at]
                .write_all(&pending)
                .expect("the ledger can be written");
        }
    }

    /// Rotates the log whose turn it is.
    pub(crate) fn rotate_next(&mut self) {
        let at = self.next % self.logs.len();
        self.next += 1;
        self.flush();
        self.logs[at].rotate();
        self.logs[at].rotations += 1;
        self.ledgers[at].flush().expect("the ledger can be written");
        self.ledgers[at] = self.ledger(at);
    }

    pub(crate) fn end(&mut self) {
        self.flush();
        for ledger in &mut self.ledgers {
            ledger.flush().expect("the ledger can be written");
        }
    }
}

impl Log {
    fn at(&self, end: &str) -> PathBuf {
        PathBuf::from(format!("{}{end}", self.path.display()))
    }

    /// `.1` becomes `.2` and so on, packed or not; the oldest goes.
    fn shift(&self) {
        for end in ["", ".gz"] {
            drop(fs::remove_file(self.at(&format!(".{KEPT}{end}"))));
            for n in (1..KEPT).rev() {
                let from = self.at(&format!(".{n}{end}"));
                if from.exists() {
                    fs::rename(from, self.at(&format!(".{}{end}", n + 1))).expect("a log can move");
                }
            }
        }
    }

    fn rotate(&mut self) {
        match self.way {
            Way::Compress | Way::DelayCompress | Way::Numbered => {
                self.shift();
                self.begin_again(".1");
                match self.way {
                    Way::Compress => gzip(&self.at(".1")),
                    Way::DelayCompress if self.at(".2").exists() => gzip(&self.at(".2")),
                    _ => {}
                }
            }
            Way::Dated => {
                let dated = |n: usize| format!("-{:08}", 20_261_101 + n);
                self.begin_again(&dated(self.rotations));
                gzip(&self.at(&dated(self.rotations)));
                if self.rotations >= KEPT {
                    let oldest = self.at(&format!("{}.gz", dated(self.rotations - KEPT)));
                    fs::remove_file(oldest).expect("a log can go");
                }
            }
            Way::CopyTruncate => {
                self.shift();
                fs::copy(&self.path, self.at(".1")).expect("a log can be copied");
                self.file.set_len(0).expect("a log can be cut");
            }
        }
    }

    fn begin_again(&mut self, end: &str) {
        fs::rename(&self.path, self.at(end)).expect("a log can move");
        self.file = open(&self.path);
    }
}

fn gzip(path: &Path) {
    let packed = Command::new("gzip").arg(path).status();
    assert!(
        packed.expect("gzip can be started").success(),
        "gzip {}",
        path.display()
    );
}
