//! The oracle of "nothing lost, nothing twice": tests/oracle/oracle.py, a reader of archives that shares no code with
//! the programs under test.

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// What the oracle says.
#[derive(Debug)]
pub struct Oracle {
    /// Its exit code: 0 if nothing is lost, twice or foreign.
    pub code: Option<i32>,
    /// Its counts, as `oracle.py --help` lists them; null where it printed none.
    pub counts: Value,
}

/// Asks the oracle of a copy of an archive and of `written`, a folder with one file for each life of a log.
/// `options` are its own.
///
/// # Panics
/// Python cannot be started.
#[must_use]
pub fn ask_of(copy: &Path, written: &Path, options: &[&str]) -> Oracle {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/oracle/oracle.py");
    let output = Command::new("python3")
        .arg(script)
        .args([copy, written])
        .args(options)
        .output()
        .expect("python3 can be started");
    Oracle {
        code: output.status.code(),
        counts: serde_json::from_slice(&output.stdout).unwrap_or_default(),
    }
}

/// The same, with each life's bytes.
///
/// # Panics
/// Python cannot be started, or the disk refuses.
#[must_use]
pub fn ask(copy: &Path, lives: &[Vec<u8>], options: &[&str]) -> Oracle {
    let written = TempDir::new().expect("a temporary folder");
    for (number, life) in lives.iter().enumerate() {
        fs::write(written.path().join(number.to_string()), life).expect("a life can be written");
    }
    ask_of(copy, written.path(), options)
}
