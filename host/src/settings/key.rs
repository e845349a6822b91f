//! The table of keys: all that a settings file may say, each key with what it is for, its form and
//! its default. The reader, the sample file and the documentation are all made from it, so that they
//! cannot part.

use std::fmt::{self, Write as _};

/// Column after which the sample's comments continue in the next line.
const WRAP: usize = 96;

/// One key that a settings file may have.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// With its table: `spool`, `seal.age`, `stream.name`.
    pub path: &'static str,
    /// How its value is written.
    pub form: Form,
    /// What holds where it is missing.
    pub preset: Preset,
    /// What it is for: a sentence or two, without a full stop at the end.
    pub doc: &'static str,
}

/// How a value is written.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// Text of a form that whoever asks for it knows; here said for people, as in "a name of …".
    Text(&'static str),
    /// `"10s"`, perhaps within bounds, both included.
    Duration(Option<(&'static str, &'static str)>),
    /// `"8MiB"`
    Size,
    /// `3`, within bounds, both included.
    Integer(u64, u64),
    /// `"90d"`, `"7y"`
    Retention,
    /// `true`, `false`
    Flag,
    /// `["a", "b"]`
    Texts(&'static str),
    /// `[path]`
    Table,
    /// `[[path]]`, at least once
    Tables,
}

/// What holds where a key is missing. Values stand as in a file, but texts without their quotes.
#[derive(Debug, Clone, Copy)]
pub enum Preset {
    /// It must be there; an example.
    Needed(&'static str),
    /// This.
    Value(&'static str),
    /// Something that depends on others: said for people, and an example.
    Depends(&'static str, &'static str),
}

impl Key {
    /// The table it stands in and its own name there: `("seal", "age")`, `("", "spool")`.
    #[must_use]
    pub fn split(&self) -> (&'static str, &'static str) {
        self.path.rsplit_once('.').unwrap_or(("", self.path))
    }

    /// The variable that overrides it, if one can: one value, that is there once.
    #[must_use]
    pub fn variable(&self, keys: &[Self]) -> Option<String> {
        let scalar = !matches!(self.form, Form::Texts(_) | Form::Table | Form::Tables);
        let (table, _) = self.split();
        let repeated = keys
            .iter()
            .any(|key| key.path == table && matches!(key.form, Form::Tables));
        let name = self.path.replace('.', "_").to_ascii_uppercase();
        (scalar && !repeated).then(|| format!("HOLDFAST_{name}"))
    }

    fn literal(&self, value: &str) -> String {
        match self.form {
            Form::Flag | Form::Integer(..) | Form::Texts(_) => value.into(),
            _ => format!("{value:?}"),
        }
    }

    /// The line that sets it, and whether it must be there.
    fn line(&self) -> (String, bool) {
        let (value, needed) = match self.preset {
            Preset::Needed(example) => (example, true),
            Preset::Value(value) | Preset::Depends(_, value) => (value, false),
        };
        let (_, name) = self.split();
        (format!("{name} = {}", self.literal(value)), needed)
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(expected) | Self::Texts(expected) => f.write_str(expected),
            Self::Duration(None) => f.write_str(r#"a duration such as "10s", "5m" or "24h""#),
            Self::Duration(Some((least, most))) => write!(
                f,
                r#"a duration such as "10s" or "5m", from {least} to {most}"#
            ),
            Self::Size => f.write_str(r#"a size such as "64KiB", "8MiB" or "1GiB""#),
            Self::Integer(least, most) => write!(f, "a whole number from {least} to {most}"),
            Self::Retention => {
                f.write_str(r#"whole days or years, at least a day, such as "90d" or "7y""#)
            }
            Self::Flag => f.write_str("true or false"),
            Self::Table => f.write_str("a table"),
            Self::Tables => f.write_str("at least one table"),
        }
    }
}

/// A settings file with every key, its documentation and its default: what need not be there is
/// commented out. `title` is the file's first line.
#[must_use]
pub fn sample(title: &str, keys: &[Key]) -> String {
    let mut text = String::new();
    comment(&mut text, title);
    comment(
        &mut text,
        "Every key is here. What is commented out stands at its default.",
    );
    for key in keys.iter().filter(|key| key.split().0.is_empty()) {
        match key.form {
            Form::Table | Form::Tables => {}
            _ => sample_key(&mut text, key, keys),
        }
    }
    for table in keys {
        let header = match table.form {
            Form::Table => format!("[{}]", table.path),
            Form::Tables => format!("[[{}]]", table.path),
            _ => continue,
        };
        text.push('\n');
        comment(&mut text, &sentence(table.doc));
        line(&mut text, &header);
        for key in keys.iter().filter(|key| key.split().0 == table.path) {
            sample_key(&mut text, key, keys);
        }
    }
    text
}

fn sample_key(text: &mut String, key: &Key, keys: &[Key]) {
    text.push('\n');
    comment(text, &sentence(key.doc));
    comment(text, &format!("Expected: {}.", key.form));
    let mut about = match key.preset {
        Preset::Needed(_) => "Needed.".into(),
        Preset::Value(value) => format!("Default: {}.", key.literal(value)),
        Preset::Depends(said, _) => format!("Default: {said}."),
    };
    if let Some(variable) = key.variable(keys) {
        about.push_str(&format!(" Overridden by {variable}."));
    }
    comment(text, &about);
    let (set, needed) = key.line();
    line(text, &if needed { set } else { format!("#{set}") });
}

fn sentence(doc: &str) -> String {
    let mut letters = doc.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    let rest = letters.chain(['.']);
    first.into_iter().chain(rest).collect()
}

fn comment(text: &mut String, words: &str) {
    let mut row = String::from("#");
    for word in words.split(' ') {
        if row.len() + 1 + word.len() > WRAP {
            line(text, &row);
            row = String::from("#");
        }
        row.push(' ');
        row.push_str(word);
    }
    line(text, &row);
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// The keys as a table in Markdown: key, default, what it is.
#[must_use]
pub fn markdown(keys: &[Key]) -> String {
    let mut text = String::from("| key | default | what it is |\n| --- | --- | --- |\n");
    for key in keys {
        let name = match key.form {
            Form::Table => continue,
            Form::Tables => format!("`[[{}]]`", key.path),
            _ => format!("`{}`", key.path),
        };
        let preset = match (key.form, key.preset) {
            (Form::Tables, _) => "at least one".into(),
            (_, Preset::Needed(_)) => "needed".into(),
            (_, Preset::Value(value)) => format!("`{value}`"),
            (_, Preset::Depends(said, _)) => said.into(),
        };
        // A String takes whatever is written into it.
        let written = writeln!(text, "| {name} | {preset} | {} |", key.doc);
        debug_assert!(written.is_ok());
    }
    text
}
