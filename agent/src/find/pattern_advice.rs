//! What to write instead of a pattern that matches no file: a folder given as one, or a name that holds characters
//! which mean something else in a pattern. It looks at folders and decides nothing else.

use super::OwnFiles;
use super::{Finder, Watch};
use ledger::Moment;
use ledger::name::Name;
use std::path::Path;

/// Components of a pattern of which each is tried as a name; a longer one is tried as a whole only.
const COMPONENTS_MAX: usize = 16;

/// Characters that stand for themselves in few names and never in a pattern. `*` and `?` match themselves.
const LITERAL: &[char] = &['[', ']', '{', '}', '\\'];

/// What to write instead of `pattern`, which matches no file; `None` if nothing is known to be wrong with it.
pub(crate) fn advice(stream: &Name, pattern: &str, wall: Moment) -> Option<String> {
    let finds = |text: &str| {
        let watch = Watch::new(stream.clone(), &[text.to_owned()], &[]).ok()?;
        let found = Finder::new(vec![watch], OwnFiles::default()).find(wall);
        (!found.matches.is_empty()).then_some(())
    };
    let is_folder = |text: &str| {
        let plain = !text.contains(['*', '?', '[', '{', '\\']);
        let folder = plain && Path::new(text).is_dir();
        folder || finds(&format!("{text}/*")).is_some()
    };
    if is_folder(pattern) {
        return Some(format!(
            "matches a folder and no file; to read the files in it write {pattern}/*, or {pattern}/** for those below \
             it as well"
        ));
    }
    for (escaped, literal) in as_names(pattern) {
        let written = if finds(&escaped).is_some() {
            escaped
        } else if is_folder(&escaped) || Path::new(&literal).is_dir() {
            format!("{escaped}/*")
        } else {
            continue;
        };
        return Some(format!(
            "matches no file, for [ ], {{ }} and \\ mean something else in a pattern; to read what bears that very name \
             write {written}"
        ));
    }
    None
}

/// The pattern with [`LITERAL`] characters standing for themselves: in all components, and in one at a time. Each as
/// a pattern and, where nothing else in it means anything, as the path that it is.
fn as_names(pattern: &str) -> Vec<(String, String)> {
    let components: Vec<&str> = pattern.split('/').collect();
    let special: Vec<usize> = (0..components.len())
        .filter(|at| components[*at].contains(LITERAL))
        .collect();
    let escaped = |chosen: &dyn Fn(usize) -> bool| {
        let components = components.iter().enumerate();
        let escaped = components.map(|(at, component)| match chosen(at) {
            true => escape(component),
            false => (*component).to_owned(),
        });
        escaped.collect::<Vec<_>>().join("/")
    };
    let mut names = Vec::new();
    if !special.is_empty() {
        names.push((escaped(&|_| true), pattern.to_owned()));
    }
    if special.len() > 1 && special.len() <= COMPONENTS_MAX {
        let one = |at: &usize| (escaped(&|it| it == *at), String::new());
        names.extend(special.iter().map(one));
    }
    names
}

/// Each in a class of its own: unlike a backslash that needs no second one in TOML.
fn escape(component: &str) -> String {
    let mut escaped = String::new();
    for c in component.chars() {
        match c {
            '\\' => escaped.push_str("\\\\"),
            c if LITERAL.contains(&c) => escaped.extend(['[', c, ']']),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pattern: &str) -> Option<String> {
        let wall = Moment::from_micros(0);
        advice(&"s".parse().unwrap(), pattern, wall)
    }

    #[test]
    fn a_folder_or_an_odd_name_given_as_a_pattern_is_told_and_what_to_write() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().to_str().unwrap();
        for folder in [
            "app",
            "app [prod]",
            "empty",
            "{x}",
            "s[1]/t{2}",
            "dev/web",
            "empty [x]",
        ] {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        for file in [
            "app/a.log",
            "app [prod]/a.log",
            "{x}/a\\b.log",
            "s[1]/t{2}/u.log",
            "dev/web/a[1].log",
        ] {
            std::fs::write(dir.path().join(file), "x").unwrap();
        }
        for (pattern, written) in [
            ("app", Some("app/*")),
            ("a*", Some("a*/*")),
            ("empty", Some("empty/*")),
            ("app [prod]/*.log", Some("app [[]prod[]]/*.log")),
            ("app [prod]", Some("app [[]prod[]]/*")),
            ("empty [x]", Some("empty [[]x[]]/*")),
            ("{x}/*", Some("[{]x[}]/*")),
            ("[x]/*", None),
            ("s[1]/t{2}/*.log", Some("s[[]1[]]/t[{]2[}]/*.log")),
            ("[de]ev/web/a[1].log", Some("[de]ev/web/a[[]1[]].log")),
            ("none", None),
            ("none/[ab]*.log", None),
        ] {
            let told = told(&format!("{root}/{pattern}"));
            match written {
                None => assert_eq!(told, None, "{pattern}"),
                Some(written) => {
                    let told = told.unwrap_or_else(|| panic!("{pattern}"));
                    let written = format!("write {root}/{written}");
                    assert!(told.contains(&written), "{pattern}: {told}");
                }
            }
        }
    }

    #[test]
    fn what_is_to_be_written_then_matches() {
        let dir = tempfile::tempdir().unwrap();
        let name = "a[1]{2}]\\3}";
        std::fs::write(dir.path().join(name), "x").unwrap();
        let root = dir.path().to_str().unwrap();
        let escaped = format!("{root}/{}", escape(name));
        let watch = Watch::new("s".parse().unwrap(), &[escaped], &[]).unwrap();
        let found = Finder::new(vec![watch], OwnFiles::default()).find(Moment::from_micros(0));
        assert_eq!(found.matches.len(), 1);
    }
}
