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
mod value;

use ledger::Digest;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::str::FromStr;
use std::time::Duration;
use value::{Item, Items, Value};

pub use environment::Environment;
use environment::Setting;
pub use fault::{Fault, Faults, Origin, SettingsError};
pub use key::{Form, Key, Preset, markdown, sample};
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

impl Table {
    /// Text; `None` if the key is missing, which is a fault if it is needed.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<String> {
        self.parsed(key)
    }

    /// Text of the key's form; `None` after a fault, or if it is missing.
    #[must_use]
    pub fn parsed<T: FromStr>(&self, key: &str) -> Option<T> {
        self.read(key, |value| match value {
            Value::Text(text) => text.parse().ok(),
            _ => None,
        })
    }

    /// A duration such as `"10s"` or `"5m"`, within the key's bounds.
    #[must_use]
    pub fn duration(&self, key: &str) -> Duration {
        let bounds = match self.key(key).form {
            Form::Duration(Some((least, most))) => duration(least)..=duration(most),
            _ => Duration::ZERO..=Duration::MAX,
        };
        let read = self.read(key, |value| match value {
            Value::Text(text) => {
                let read = humantime::parse_duration(text).ok();
                read.filter(|value| bounds.contains(value))
            }
            _ => None,
        });
        read.unwrap_or_else(|| duration(self.preset(key)))
    }

    /// A size in bytes, such as `"8MiB"`.
    #[must_use]
    pub fn size(&self, key: &str) -> u64 {
        let read = self.read(key, |value| match value {
            Value::Text(text) => parse_size::parse_size(text).ok(),
            _ => None,
        });
        read.unwrap_or_else(|| parse_size::parse_size(self.preset(key)).unwrap_or_default())
    }

    /// A retention in seconds, from whole days or years: `"90d"`, `"7y"` (366 days each); `None`
    /// after a fault.
    #[must_use]
    pub fn retention_s(&self, key: &str) -> Option<u64> {
        let read = self.read(key, |value| match value {
            Value::Text(text) => parse_retention(text),
            _ => None,
        });
        match self.key(key).preset {
            Preset::Value(value) => read.or_else(|| parse_retention(value)),
            _ => read,
        }
    }

    /// `true` or `false`, if the key is there.
    #[must_use]
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.read(key, |value| match value {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        })
    }

    /// A list of texts; empty if the key is missing.
    #[must_use]
    pub fn texts(&self, key: &str) -> Vec<String> {
        let read = self.read(key, |value| match value {
            Value::Texts(texts) => Some(texts.clone()),
            _ => None,
        });
        read.unwrap_or_default()
    }

    /// The table `[key]`; empty if it is missing.
    #[must_use]
    pub fn table(&self, key: &str) -> Self {
        let read = self.read(key, |value| match value {
            Value::Table(items) => Some(Rc::clone(items)),
            _ => None,
        });
        Self {
            name: self.path_of(key),
            kind: self.key(key).path,
            origin: self.origin_of(key),
            items: read.unwrap_or_default(),
            notes: Rc::clone(&self.notes),
        }
    }

    /// The tables `[[key]]`, in order.
    #[must_use]
    pub fn tables(&self, key: &str) -> Vec<Self> {
        let read = self.read(key, |value| match value {
            Value::Tables(tables) => Some(tables.clone()),
            _ => None,
        });
        let named = |(number, (line, items))| Self {
            name: format!("{}[{number}]", self.path_of(key)),
            kind: self.key(key).path,
            origin: Origin::Line(line),
            items,
            notes: Rc::clone(&self.notes),
        };
        read.unwrap_or_default()
            .into_iter()
            .enumerate()
            .map(named)
            .collect()
    }

    /// Notes a fault of the caller's own at `key`.
    pub fn fault(&self, key: &str, message: impl Into<String>) {
        let fault = Fault {
            origin: self.origin_of(key),
            key: self.path_of(key),
            message: message.into(),
        };
        self.notes.faults.borrow_mut().push(fault);
    }

    /// The entry of the table of keys. Asking for a key that has none would leave it out of sample
    /// and documentation, and refuse whoever sets it.
    fn key(&self, key: &str) -> &'static Key {
        let is_it = |known: &&Key| known.split() == (self.kind, key);
        let known = self.notes.keys.iter().find(is_it);
        assert!(known.is_some(), "{key:?} must be in the table of keys");
        known.unwrap_or(&self.notes.keys[0])
    }

    fn preset(&self, key: &str) -> &'static str {
        match self.key(key).preset {
            Preset::Value(value) => value,
            Preset::Needed(example) | Preset::Depends(_, example) => example,
        }
    }

    fn read<T>(&self, key: &str, take: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let Key {
            path, form, preset, ..
        } = self.key(key);
        self.notes.asked.borrow_mut().insert(path);
        let Some(item) = self.items.get(key) else {
            // Of lists and tables whoever asks knows what an empty one means.
            let listed = matches!(form, Form::Texts(_) | Form::Table | Form::Tables);
            if matches!(preset, Preset::Needed(_)) && !listed {
                self.fault(key, format!("needed: {form}"));
            }
            return None;
        };
        let taken = take(&item.value);
        if taken.is_none() {
            let got = item.value.describe();
            self.fault(key, format!("{got} where {form} is expected"));
        }
        taken
    }

    fn origin_of(&self, key: &str) -> Origin {
        let item = self.items.get(key);
        item.map_or(&self.origin, |item| &item.origin).clone()
    }

    fn path_of(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.into()
        } else {
            format!("{}.{key}", self.name)
        }
    }

    fn refuse_unknown(&self) {
        let own = self
            .notes
            .keys
            .iter()
            .map(Key::split)
            .filter(|(table, _)| *table == self.kind);
        let known: BTreeSet<String> = own.map(|(_, name)| name.into()).collect();
        for (key, item) in self.items.iter() {
            if !known.contains(key) {
                self.fault(key, unknown(key, &known));
                continue;
            }
            match (&item.value, self.key(key).form) {
                (Value::Table(_), Form::Table) => self.table(key).refuse_unknown(),
                (Value::Tables(_), Form::Tables) => {
                    self.tables(key).iter().for_each(Self::refuse_unknown);
                }
                _ => {}
            }
        }
    }
}

/// A duration of the table of keys, which its tests read whole.
fn duration(text: &str) -> Duration {
    humantime::parse_duration(text).unwrap_or_default()
}

/// Similarity (Jaro-Winkler) below which a known name is not offered for a mistyped one.
const NEAR: f64 = 0.75;

/// The known name that `name` was meant to be, if one is near.
#[must_use]
pub fn nearest(name: &str, known: &BTreeSet<String>) -> Option<String> {
    let near = |known: &String| (strsim::jaro_winkler(name, known), known.clone());
    let best = known
        .iter()
        .map(near)
        .max_by(|one, other| one.0.total_cmp(&other.0));
    let (likeness, name) = best?;
    (likeness >= NEAR).then_some(name)
}

fn unknown(key: &str, known: &BTreeSet<String>) -> String {
    match nearest(key, known) {
        Some(near) => format!("unknown key, did you mean {near:?}?"),
        None => {
            let list: Vec<&str> = known.iter().map(String::as_str).collect();
            format!("unknown key; known here: {}", list.join(", "))
        }
    }
}

#[cfg(test)]
mod tests;
