//! Settings files: TOML in, checked values out, and every fault named at once with its line.
//!
//! A program asks for the keys it knows; what it did not ask for is refused at the end with the
//! nearest key that it did ask for. Asking never fails: a faulty value is noted and a stand-in
//! returned, so that one run tells all faults; [`Settings::finish`] refuses them together.

mod fault;
mod value;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::str::FromStr;
use std::time::Duration;
use value::{Item, Value};

pub use fault::{Fault, Faults, SettingsError};
pub use value::parse_retention;

/// Longest settings file that is read.
pub const FILE_MAX_BYTES: u64 = 1024 * 1024;

/// What all tables of one file share.
#[derive(Debug, Default)]
struct Notes {
    faults: RefCell<Vec<Fault>>,
    /// By table (`""`, `seal`, `stream[0]`): the keys that were asked for.
    asked: RefCell<BTreeMap<String, BTreeSet<String>>>,
}

/// A settings file, read.
#[derive(Debug)]
pub struct Settings {
    path: PathBuf,
    bytes: Vec<u8>,
    root: Table,
}

/// A table of a settings file: the root, `[seal]`, or one `[[stream]]`.
#[derive(Debug, Clone)]
pub struct Table {
    /// `""`, `seal`, `stream[0]`
    name: String,
    line: usize,
    items: Rc<BTreeMap<String, Item>>,
    notes: Rc<Notes>,
}

impl Settings {
    /// Reads the file. Only what is not TOML is refused here.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let unreadable = |source| SettingsError::Unreadable {
            path: path.into(),
            source,
        };
        // Not `read_bounded`: a Kubernetes ConfigMap mounts settings through symlinks.
        let resolved = path.canonicalize().map_err(unreadable)?;
        let bytes = crate::disk::read_bounded(&resolved, FILE_MAX_BYTES).map_err(unreadable)?;
        Self::parse(path, bytes)
    }

    /// The same from bytes; `path` is for messages alone.
    ///
    /// # Errors
    /// [`SettingsError::Faulty`] if they are not TOML.
    pub fn parse(path: &Path, bytes: Vec<u8>) -> Result<Self, SettingsError> {
        let faulty = |fault| {
            SettingsError::Faulty(Faults {
                path: path.into(),
                faults: vec![fault],
            })
        };
        let items = value::parse(&bytes).map_err(faulty)?;
        let notes = Rc::new(Notes::default());
        let root = Table {
            name: String::new(),
            line: 1,
            items: Rc::new(items),
            notes,
        };
        Ok(Self {
            path: path.into(),
            bytes,
            root,
        })
    }

    /// The file's own table.
    #[must_use]
    pub fn root(&self) -> &Table {
        &self.root
    }

    /// The file's bytes, to be hashed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Ends the questions: refuses keys that were not asked for, and all faults noted on the way.
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

impl Table {
    /// Text, if the key is there.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<String> {
        self.read(key, "text in quotes", |value| match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        })
    }

    /// Text that must be there; empty after a fault.
    #[must_use]
    pub fn required_text(&self, key: &str) -> String {
        self.text(key).unwrap_or_else(|| {
            self.require(key, "needed: text in quotes");
            String::new()
        })
    }

    /// Text of a form; `expected` says which, as in "a name of …".
    #[must_use]
    pub fn parsed<T: FromStr>(&self, key: &str, expected: &str) -> Option<T> {
        self.read(key, expected, |value| match value {
            Value::Text(text) => text.parse().ok(),
            _ => None,
        })
    }

    /// The same for a key that must be there; `None` after a fault.
    #[must_use]
    pub fn required<T: FromStr>(&self, key: &str, expected: &str) -> Option<T> {
        self.require(key, &format!("needed: {expected}"));
        self.parsed(key, expected)
    }

    /// A duration such as `"10s"` or `"5m"`.
    #[must_use]
    pub fn duration(&self, key: &str, default: Duration) -> Duration {
        let read = self.read(
            key,
            r#"a duration such as "10s", "5m" or "24h""#,
            |value| match value {
                Value::Text(text) => humantime::parse_duration(text).ok(),
                _ => None,
            },
        );
        read.unwrap_or(default)
    }

    /// A size in bytes, such as `"8MiB"`.
    #[must_use]
    pub fn size(&self, key: &str, default_bytes: u64) -> u64 {
        let read = self.read(
            key,
            r#"a size such as "64KiB", "8MiB" or "1GiB""#,
            |value| match value {
                Value::Text(text) => parse_size::parse_size(text).ok(),
                _ => None,
            },
        );
        read.unwrap_or(default_bytes)
    }

    /// A retention in seconds, from whole days or years: `"90d"`, `"7y"` (366 days each).
    #[must_use]
    pub fn retention_s(&self, key: &str) -> Option<u64> {
        self.read(
            key,
            r#"whole days or years, at least a day, such as "90d" or "7y""#,
            |value| match value {
                Value::Text(text) => parse_retention(text),
                _ => None,
            },
        )
    }

    /// `true` or `false`, if the key is there.
    #[must_use]
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.read(key, "true or false", |value| match value {
            Value::Flag(flag) => Some(*flag),
            _ => None,
        })
    }

    /// A list of texts; empty if the key is missing.
    #[must_use]
    pub fn texts(&self, key: &str) -> Vec<String> {
        let read = self.read(
            key,
            r#"a list of texts such as ["a", "b"]"#,
            |value| match value {
                Value::Texts(texts) => Some(texts.clone()),
                _ => None,
            },
        );
        read.unwrap_or_default()
    }

    /// The table `[key]`; empty if it is missing.
    #[must_use]
    pub fn table(&self, key: &str) -> Self {
        let read = self.read(key, &format!("a table: [{key}]"), |value| match value {
            Value::Table(items) => Some(Rc::clone(items)),
            _ => None,
        });
        let line = self.line_of(key);
        Self {
            name: self.path_of(key),
            line,
            items: read.unwrap_or_default(),
            notes: Rc::clone(&self.notes),
        }
    }

    /// The tables `[[key]]`, in order.
    #[must_use]
    pub fn tables(&self, key: &str) -> Vec<Self> {
        let read = self.read(key, &format!("tables: [[{key}]]"), |value| match value {
            Value::Tables(tables) => Some(tables.clone()),
            _ => None,
        });
        let named = |(number, (line, items))| Self {
            name: format!("{}[{number}]", self.path_of(key)),
            line,
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
            line: self.line_of(key),
            key: self.path_of(key),
            message: message.into(),
        };
        self.notes.faults.borrow_mut().push(fault);
    }

    fn read<T>(&self, key: &str, expected: &str, take: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let mut asked = self.notes.asked.borrow_mut();
        asked
            .entry(self.name.clone())
            .or_default()
            .insert(key.into());
        drop(asked);
        let item = self.items.get(key)?;
        let taken = take(&item.value);
        if taken.is_none() {
            self.fault(
                key,
                format!("{} where {expected} is expected", item.value.describe()),
            );
        }
        taken
    }

    fn require(&self, key: &str, message: &str) {
        if !self.items.contains_key(key) {
            self.fault(key, message);
        }
    }

    fn line_of(&self, key: &str) -> usize {
        self.items.get(key).map_or(self.line, |item| item.line)
    }

    fn path_of(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.into()
        } else {
            format!("{}.{key}", self.name)
        }
    }

    fn refuse_unknown(&self) {
        let asked = self
            .notes
            .asked
            .borrow()
            .get(&self.name)
            .cloned()
            .unwrap_or_default();
        for (key, item) in self.items.iter() {
            if !asked.contains(key) {
                self.fault(key, unknown(key, &asked));
                continue;
            }
            match &item.value {
                Value::Table(_) => self.table(key).refuse_unknown(),
                Value::Tables(_) => self.tables(key).iter().for_each(Self::refuse_unknown),
                _ => {}
            }
        }
    }
}

/// Similarity (Jaro-Winkler) below which a known key is not offered for a mistyped one.
const NEAR: f64 = 0.75;

fn unknown(key: &str, known: &BTreeSet<String>) -> String {
    let near = |known: &String| (strsim::jaro_winkler(key, known), known.clone());
    let best = known
        .iter()
        .map(near)
        .max_by(|one, other| one.0.total_cmp(&other.0));
    match best {
        Some((likeness, known)) if likeness >= NEAR => {
            format!("unknown key, did you mean {known:?}?")
        }
        _ => {
            let list: Vec<&str> = known.iter().map(String::as_str).collect();
            format!("unknown key; known here: {}", list.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        Settings::parse(Path::new("a.toml"), text.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn values_come_out_checked() {
        let file = settings(
            "name = \"n\"\nlist = [\"a\", \"b\"]\non = true\nsize = \"8MiB\"\n[seal]\nage = \"10s\"\n\
             [[stream]]\nkeep = \"7y\"\n[[stream]]\nkeep = \"90d\"\n",
        );
        let root = file.root();
        assert_eq!(root.required_text("name"), "n");
        assert_eq!(root.texts("list"), ["a", "b"]);
        assert_eq!(root.flag("on"), Some(true));
        assert_eq!(root.size("size", 0), 8 << 20);
        assert_eq!(
            root.table("seal").duration("age", Duration::ZERO),
            Duration::from_secs(10)
        );
        let keeps: Vec<_> = root
            .tables("stream")
            .iter()
            .map(|table| table.retention_s("keep"))
            .collect();
        assert_eq!(keeps, [Some(7 * 366 * 86_400), Some(90 * 86_400)]);
        file.finish().unwrap();
    }

    #[test]
    fn every_fault_is_named_with_its_line() {
        let file = settings("spol = \"x\"\nage = 5\n[seal]\nagee = \"1s\"\n[odd]\nx = 1\n");
        let root = file.root();
        assert_eq!(root.required_text("spool"), "");
        assert_eq!(root.duration("age", Duration::ZERO), Duration::ZERO);
        assert_eq!(
            root.table("seal").duration("age", Duration::ZERO),
            Duration::ZERO
        );
        let said = file.finish().unwrap_err().to_string();
        assert_eq!(
            said.lines().collect::<Vec<_>>(),
            [
                "a.toml:1: spol: unknown key, did you mean \"spool\"?",
                "a.toml:1: spool: needed: text in quotes",
                "a.toml:2: age: the number 5 where a duration such as \"10s\", \"5m\" or \"24h\" is expected",
                "a.toml:4: seal.agee: unknown key, did you mean \"age\"?",
                "a.toml:5: odd: unknown key; known here: age, seal, spool",
            ]
        );
    }

    #[test]
    fn what_is_not_toml_names_its_line() {
        let error = Settings::parse(Path::new("a.toml"), b"a = 1\nb = = 2\n".to_vec()).unwrap_err();
        assert!(error.to_string().starts_with("a.toml:2: "), "{error}");
        let error = Settings::parse(Path::new("a.toml"), b"a = \"\xff\"\n".to_vec()).unwrap_err();
        assert!(error.to_string().starts_with("a.toml:1: "), "{error}");
    }
}
