//! Logs to feed: 2,000 real lines each of eight systems, or made ones where those are not at hand.

use crate::dice::Dice;
use std::fs;
use std::path::PathBuf;

/// How many logs there are.
const LOGS: usize = 8;

/// Lines of a made log, as in the real ones.
const LINES: u64 = 2000;

/// One log.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Its file name.
    pub name: String,
    /// Its bytes: lines that end in CR LF, the last one mostly not.
    pub bytes: Vec<u8>,
}

impl Sample {
    /// Its lines with their ends.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.split_inclusive(|byte| *byte == b'\n')
    }
}

/// The eight logs: from `HOLDFAST_LOGS`, else from ../shared/logs beside the repository, else made.
///
/// # Panics
/// When there are logs, but not eight.
#[must_use]
pub fn logs() -> Vec<Sample> {
    let given = std::env::var_os("HOLDFAST_LOGS").map(PathBuf::from);
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/logs");
    let folder = given.unwrap_or(beside);
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!(
            "no sample logs in {}: MADE LOGS are used instead",
            folder.display()
        );
        return (0..LOGS).map(made).collect();
    };
    let mut samples: Vec<_> = entries
        .map(|entry| entry.expect("a folder can be read"))
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(".log"))
        .map(|entry| Sample {
            name: entry.file_name().to_string_lossy().into_owned(),
            bytes: fs::read(entry.path()).expect("a sample can be read"),
        })
        .collect();
    samples.sort_by(|a, b| a.name.cmp(&b.name));
    assert_eq!(samples.len(), LOGS, "logs in {}", folder.display());
    samples
}

/// A log in the real ones' shape: CR LF, and no end to the last line.
fn made(number: usize) -> Sample {
    let mut dice = Dice::new(number as u64);
    let mut text = String::new();
    for line in 0..LINES {
        let (pid, port, a, b) = (
            dice.below(40_000),
            dice.below(65_536),
            dice.below(256),
            dice.throw(),
        );
        let words = "lorem ipsum dolor sit amet ".repeat(1 + dice.below(4) as usize);
        text += &format!(
            "Nov 22 {line:05} host{number} sshd[{pid}]: from 10.0.{a}.7 port {port}: {words}{b:x}"
        );
        if line + 1 < LINES {
            text += "\r\n";
        }
    }
    Sample {
        name: format!("Made{number}.log"),
        bytes: text.into_bytes(),
    }
}
