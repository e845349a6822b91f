//! The variables of the environment that are Holdfast's, read at the edge and passed on from there.

use super::key::Key;
use super::nearest::nearest;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

/// What each of Holdfast's variables starts with.
const PREFIX: &str = "HOLDFAST_";

/// Variables that are no key of a settings file: the command line knows them.
const OTHERS: [&str; 3] = ["HOLDFAST_CONFIG", "HOLDFAST_LOG", "HOLDFAST_LOG_FORMAT"];

/// Holdfast's variables. An empty one counts as not set, as `NAME=${OTHER:-}` leaves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, Setting>);

/// A variable's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Setting {
    Text(String),
    NotUtf8,
}

impl Environment {
    /// Holdfast's of the variables given, such as `std::env::vars_os()`.
    #[must_use]
    pub fn of(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let ours = variables.into_iter().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            let is_ours = name.starts_with(PREFIX) && !value.is_empty();
            let value = value.into_string().map_or(Setting::NotUtf8, Setting::Text);
            is_ours.then_some((name, value))
        });
        Self(ours.collect())
    }

    /// What the log is filtered by instead of `-v` and `-q`: `HOLDFAST_LOG`.
    #[must_use]
    pub fn log_filter(&self) -> Option<&str> {
        match self.get("HOLDFAST_LOG") {
            Some(Setting::Text(filter)) => Some(filter),
            _ => None,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Setting> {
        self.0.get(name)
    }

    /// Warnings about variables that nothing here reads: neither a key of `keys` nor one of
    /// `others`. Never an error: Kubernetes gives every pod `HOLDFAST_PORT` and the like where a
    /// service is named so.
    #[must_use]
    pub fn unknown_variables(&self, keys: &[Key], others: &[&str]) -> Vec<String> {
        let known: BTreeSet<String> = keys
            .iter()
            .filter_map(|key| key.variable(keys))
            .chain(OTHERS.iter().chain(others).map(|name| (*name).to_owned()))
            .collect();
        let unknown = self.0.keys().filter(|name| !known.contains(*name));
        unknown
            .map(|name| {
                let bare = |name: &String| name.trim_start_matches(PREFIX).to_owned();
                let bares: BTreeSet<String> = known.iter().map(bare).collect();
                match nearest(&bare(name), &bares) {
                    Some(near) => {
                        format!("variable {name} is unknown, did you mean {PREFIX}{near}?")
                    }
                    None => format!("variable {name} is unknown"),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::{Form, Preset};
    use super::*;
    use std::os::unix::ffi::OsStringExt as _;

    #[test]
    fn unknown_variables_are_named_with_what_is_near() {
        let key = |path, form| Key {
            path,
            form,
            preset: Preset::Needed("x"),
            doc: "d",
        };
        let keys = [
            key("spool", Form::Text("text")),
            key("seal", Form::Table),
            key("seal.age", Form::Duration(None)),
            key("stream", Form::Tables),
            key("stream.retention", Form::Retention),
        ];
        let environment = Environment::of(
            [
                ("HOLDFAST_SPOOL", "/s"),
                ("HOLDFAST_SEAL_AEG", "1s"),
                ("HOLDFAST_STREAM_RETENTION", "1d"),
                ("HOLDFAST_7", "1"),
                ("HOLDFAST_LOG", "debug"),
                ("HOLDFAST_STORE", "s3://b"),
                ("HOLDFAST_EMPTY", ""),
                ("HOME", "/root"),
            ]
            .map(|(name, value)| (name.into(), value.into())),
        );
        assert_eq!(
            environment.unknown_variables(&keys, &["HOLDFAST_STORE"]),
            [
                "variable HOLDFAST_7 is unknown",
                "variable HOLDFAST_SEAL_AEG is unknown, did you mean HOLDFAST_SEAL_AGE?",
                "variable HOLDFAST_STREAM_RETENTION is unknown",
            ]
        );
        let bytes = OsString::from_vec(vec![0xff]);
        let environment = Environment::of([("HOLDFAST_SPOOL".into(), bytes)]);
        assert_eq!(environment.get("HOLDFAST_SPOOL"), Some(&Setting::NotUtf8));
    }
}
