//! A table of the settings, asked for its keys one by one.

use super::value::Value;
use super::{Fault, Form, Key, Origin, Preset, Table, nearest, parse_retention};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::str::FromStr;
use std::time::Duration;

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

    /// A whole number within the key's bounds.
    #[must_use]
    pub fn integer(&self, key: &str) -> u64 {
        let bounds = match self.key(key).form {
            Form::Integer(least, most) => least..=most,
            _ => 0..=u64::MAX,
        };
        let read = self.read(key, |value| match value {
            Value::Number(number) => {
                let read = number.parse().ok();
                read.filter(|value| bounds.contains(value))
            }
            _ => None,
        });
        read.unwrap_or_else(|| self.preset(key).parse().unwrap_or_default())
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

    pub(super) fn refuse_unknown(&self) {
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

fn unknown(key: &str, known: &BTreeSet<String>) -> String {
    match nearest(key, known) {
        Some(near) => format!("unknown key, did you mean {near:?}?"),
        None => {
            let list: Vec<&str> = known.iter().map(String::as_str).collect();
            format!("unknown key; known here: {}", list.join(", "))
        }
    }
}
