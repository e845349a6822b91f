//! What can be wrong with a settings file, and how it is said.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// One thing wrong in a settings file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Line in the file, from 1.
    pub line: usize,
    /// The key with its tables, such as `seal.age`; empty if the file is not TOML.
    pub key: String,
    /// What is wrong and what was expected.
    pub message: String,
}

/// Why settings cannot be used: the file, or all faults in it.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file was read and these things are wrong in it.
    #[error("{0}")]
    Faulty(Faults),
}

/// All faults of one file, in the order of their lines. Displays one a line, `file:line: key: what`.
#[derive(Debug, PartialEq, Eq)]
pub struct Faults {
    /// The file.
    pub path: PathBuf,
    /// What is wrong in it.
    pub faults: Vec<Fault>,
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, fault) in self.faults.iter().enumerate() {
            let newline = if number == 0 { "" } else { "\n" };
            let colon = if fault.key.is_empty() { "" } else { ": " };
            let Fault { line, key, message } = fault;
            write!(
                f,
                "{newline}{}:{line}: {key}{colon}{message}",
                self.path.display()
            )?;
        }
        Ok(())
    }
}
