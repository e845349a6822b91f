//! Settings: a file in TOML and variables that override it in, checked values out, and every fault
//! named at once with its line.
//!
//! A program has one table of keys ([`Key`]); it asks for them by name, and what stands in the file
//! but not in the table is refused with the nearest key that does. Asking never fails: a faulty value
//! is noted and a stand-in returned, so that one run tells all faults; [`Settings::finish`] refuses
//! them together.

mod environment;
mod fault;
mod key;
mod nearest;
mod table;
mod value;

use ledger::Digest;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use value::{Item, Items, Value};

pub use environment::Environment;
use environment::Setting;
pub use fault::{Fault, Faults, Origin, SettingsError};
pub use key::{Form, Key, Preset, markdown, sample};
pub use nearest::nearest;
pub use value::parse_retention;

/// Longest settings file that is read.
pub const FILE_MAX_BYTES: u64 = 1024 * 1024;

/// What all tables of one file share.
#[derive(Debug)]
struct Notes {
    keys: &'static [Key],
    faults: RefCell<Vec<Fault>>,
    /// Keys that were asked for.
    asked: RefCell<BTreeSet<&'static str>>,
}

/// Settings, read.
#[derive(Debug)]
pub struct Settings {
    path: PathBuf,
    sha256: Digest,
    root: Table,
}

/// A table of the settings: the root, `[seal]`, or one `[[stream]]`.
#[derive(Debug, Clone)]
pub struct Table {
    /// As a fault names it: `""`, `seal`, `stream[0]`
    name: String,
    /// As its keys' paths begin: `""`, `seal`, `stream`
    kind: &'static str,
    origin: Origin,
    items: Rc<Items>,
    notes: Rc<Notes>,
}

impl Settings {
    /// Reads the file and lets `environment` override it. Only what is not TOML is refused here.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn read(
        path: &Path,
        keys: &'static [Key],
        environment: &Environment,
    ) -> Result<Self, SettingsError> {
        let unreadable = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => SettingsError::Missing(path.into()),
            _ => SettingsError::Unreadable {
                path: path.into(),
                source,
            },
        };
        // Not `read_bounded`: a Kubernetes ConfigMap mounts settings through symlinks.
        let resolved = path.canonicalize().map_err(unreadable)?;
        let bytes = crate::disk::read_bounded(&resolved, FILE_MAX_BYTES).map_err(unreadable)?;
        Self::parse(path, &bytes, keys, environment)
    }

    /// The same from bytes; `path` is for messages alone.
    ///
    /// # Errors
    /// [`SettingsError::Faulty`] if they are not TOML.
    pub fn parse(
        path: &Path,
        bytes: &[u8],
        keys: &'static [Key],
        environment: &Environment,
    ) -> Result<Self, SettingsError> {
        let faulty = |fault| {
            SettingsError::Faulty(Faults {
                path: path.into(),
                faults: vec![fault],
            })
        };
        let mut items = value::parse(bytes).map_err(faulty)?;
        let overrides = lay_over(&mut items, keys, environment);
        let notes = Rc::new(Notes {
            keys,
            faults: RefCell::default(),
            asked: RefCell::default(),
        });
        let root = Table {
            name: String::new(),
            kind: "",
            origin: Origin::Line(1),
            items: Rc::new(items),
            notes,
        };
        Ok(Self {
            path: path.into(),
            sha256: Digest::of(&[bytes, overrides.as_bytes()].concat()),
            root,
        })
    }

    /// The file's own table.
    #[must_use]
    pub fn root(&self) -> &Table {
        &self.root
    }

    /// What the settings are known by: SHA-256 of the file's bytes, and of a line `NAME=value` for
    /// each variable that overrides one of its keys, in order of their names.
    #[must_use]
    pub fn sha256(&self) -> Digest {
        self.sha256
    }

    /// Keys of the table that were never asked for: whoever set one would be ignored.
    #[must_use]
    pub fn never_asked(&self) -> Vec<&'static str> {
        let asked = self.root.notes.asked.borrow();
        let paths = self.root.notes.keys.iter().map(|key| key.path);
        paths.filter(|path| !asked.contains(path)).collect()
    }

    /// Ends the questions: refuses keys that are not in the table, and all faults noted on the way.
    ///
    /// # Errors
    /// [`SettingsError::Faulty`] with everything that is wrong.
    pub fn finish(&self) -> Result<(), SettingsError> {
        self.root.refuse_unknown();
        let mut faults = self.root.notes.faults.take();
        if faults.is_empty() {
            return Ok(());
        }
        faults.sort();
        faults.dedup();
        Err(SettingsError::Faulty(Faults {
            path: self.path.clone(),
            faults,
        }))
    }
}

/// Puts the variables over the file's values; a line `NAME=value` for each that is in force.
fn lay_over(items: &mut Items, keys: &[Key], environment: &Environment) -> String {
    let set = keys.iter().filter_map(|key| {
        let name = key.variable(keys)?;
        let setting = environment.get(&name)?;
        Some((name, key, setting))
    });
    let mut set: Vec<_> = set.collect();
    set.sort_by(|one, other| one.0.cmp(&other.0));
    let mut lines = String::new();
    for (name, key, setting) in set {
        let value = match setting {
            Setting::NotUtf8 => Value::Other("something that is not UTF-8"),
            Setting::Text(text) => match (key.form, text.parse()) {
                (Form::Flag, Ok(flag)) => Value::Flag(flag),
                (Form::Integer(..), _) => Value::Number(text.clone()),
                _ => Value::Text(text.clone()),
            },
        };
        if let Setting::Text(text) = setting {
            // A String takes whatever is written into it.
            let written = writeln!(lines, "{name}={text}");
            debug_assert!(written.is_ok());
        }
        let (table, own) = key.split();
        let origin = Origin::Variable(name);
        if table.is_empty() {
            items.insert(own.into(), Item { origin, value });
            continue;
        }
        let inner = items.entry(table.into()).or_insert_with(|| Item {
            origin: origin.clone(),
            value: Value::Table(Rc::default()),
        });
        // What is no table at all is refused when it is asked for.
        if let Value::Table(inner) = &mut inner.value
            && let Some(inner) = Rc::get_mut(inner)
        {
            inner.insert(own.into(), Item { origin, value });
        }
    }
    lines
}

#[cfg(test)]
mod tests;
