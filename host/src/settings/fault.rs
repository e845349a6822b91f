//! What can be wrong with a settings file, and how it is said.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A line of the file, from 1.
    Line(usize),
    /// A variable of the environment, which overrides the file.
    Variable(String),
}

/// One thing wrong in the settings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Where it stands.
    pub origin: Origin,
    /// The key with its tables, such as `seal.age`; empty if the file is not TOML.
    pub key: String,
    /// What is wrong and what was expected.
    pub message: String,
}

/// Why settings cannot be used: the file, or all faults in it.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// There is no such file.
    #[error(
        "{}: no such settings file; name another with --config, or begin one from what the command \
         `sample-config` prints",
        .0.display()
    )]
    Missing(PathBuf),
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

/// All faults, those of the file in the order of its lines. Displays one a line, `file:line: key:
/// what`, or `variable NAME: what`.
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
            let Fault {
                origin,
                key,
                message,
            } = fault;
            match origin {
                Origin::Line(line) => {
                    let colon = if key.is_empty() { "" } else { ": " };
                    let path = self.path.display();
                    write!(f, "{newline}{path}:{line}: {key}{colon}{message}")?;
                }
                Origin::Variable(name) => write!(f, "{newline}variable {name}: {message}")?,
            }
        }
        Ok(())
    }
}
