//! Which files a stream wants: include and exclude patterns. [`Finder`] finds what matches them.

mod folder_scan;
mod matched_path;
mod own_files;
mod pattern_advice;
mod root;

pub(crate) use self::folder_scan::{Finder, FoundFiles, OWN};
pub(crate) use self::matched_path::MatchedPath;
pub(crate) use self::own_files::OwnFiles;
pub(crate) use self::pattern_advice::advice;

use crate::sys::Stat;
use globset::{GlobBuilder, GlobMatcher};
use ledger::name::Name;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Folder levels below a pattern's fixed part that `**` reaches.
const DEPTH_MAX: usize = 32;

/// Characters that make a path component a pattern.
const META: &[u8] = b"*?[]{}\\";

/// A stream and the files it wants. The one way in for patterns from the config.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    stream: Name,
    include: Vec<Pattern>,
    exclude: Vec<GlobMatcher>,
    hard_links: HardLinks,
}

/// What to do with a file that may be another's, linked into a log folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HardLinks {
    /// It is not read, and told.
    Refuse,
    /// It is read.
    Read,
}

/// Which files with several names are read: whoever may make names in a folder can link a file there that they may not
/// read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Linked {
    /// Whoever owns them.
    All,
    /// Those of the one user who may have made names there, root aside.
    OwnedBy(u32),
    /// Anybody may have made names there.
    None,
}

/// A text that says neither.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NotHardLinks;

impl FromStr for HardLinks {
    type Err = NotHardLinks;

    fn from_str(text: &str) -> Result<Self, NotHardLinks> {
        match text {
            "refuse" => Ok(Self::Refuse),
            "read" => Ok(Self::Read),
            _ => Err(NotHardLinks),
        }
    }
}

#[derive(Debug, Clone)]
struct Pattern {
    text: String,
    glob: GlobMatcher,
    root: PathBuf,
    /// Folder levels to walk below `root`; `None` where the pattern is one file's path.
    depth: Option<usize>,
}

/// A pattern that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PatternError {
    /// Relative patterns would depend on where the agent was started.
    #[error("{0}: a pattern must be an absolute path, like /var/log/app/*.log")]
    Relative(String),
    /// `.`, `..` or nothing between two slashes.
    #[error("{0}: a pattern must not hold . or .. or // as a folder; write the path out")]
    Dots(String),
    /// Not a pattern.
    #[error("{pattern}: not a pattern of *, ?, [ab], {{a,b}} and **: {cause}")]
    Syntax {
        /// As written.
        pattern: String,
        /// What is wrong with it.
        cause: globset::Error,
    },
    /// Nothing to include.
    #[error("include is empty: name at least one pattern, like /var/log/app/*.log")]
    Empty,
}

impl Watch {
    /// Checks the patterns of a stream; all faults, not the first.
    ///
    /// An include is an absolute path with `*`, `?`, `[…]`, `{a,b}` within a name and `**` across
    /// folders; an exclude may also be a bare name pattern, `*.tmp`, held against the last component.
    ///
    /// # Errors
    /// At least one pattern is unusable, or there is nothing to include.
    pub(crate) fn new(
        stream: Name,
        include: &[String],
        exclude: &[String],
    ) -> Result<Self, Vec<PatternError>> {
        let mut faults = Vec::new();
        if include.is_empty() {
            faults.push(PatternError::Empty);
        }
        let mut keep = |result: Result<Pattern, PatternError>| match result {
            Ok(pattern) => Some(pattern),
            Err(fault) => {
                faults.push(fault);
                None
            }
        };
        let include: Vec<_> = include
            .iter()
            .filter_map(|text| keep(Pattern::parse(text)))
            .collect();
        let exclude: Vec<_> = exclude
            .iter()
            .map(|text| match text.contains('/') {
                true => text.clone(),
                false => format!("/**/{text}"),
            })
            .filter_map(|text| keep(Pattern::parse(&text)))
            .map(|pattern| pattern.glob)
            .collect();
        if faults.is_empty() {
            return Ok(Self {
                stream,
                include,
                exclude,
                hard_links: HardLinks::Refuse,
            });
        }
        Err(faults)
    }

    /// The same, with this done to files that may be another's.
    #[must_use]
    pub(crate) fn with_hard_links(self, hard_links: HardLinks) -> Self {
        Self { hard_links, ..self }
    }

    /// Which files with several names are read in a folder.
    fn linked(&self, folder: &Stat) -> Linked {
        match self.hard_links {
            HardLinks::Read => Linked::All,
            HardLinks::Refuse if folder.open_to_others => Linked::None,
            HardLinks::Refuse => Linked::OwnedBy(folder.owner),
        }
    }

    #[must_use]
    pub(crate) fn stream(&self) -> &Name {
        &self.stream
    }

    /// Patterns of which the fixed part is one of the agent's own folders, or lies in one.
    pub(crate) fn inside<'a>(&'a self, own: &'a OwnFiles) -> impl Iterator<Item = &'a str> {
        // What leads nowhere is told by the scan.
        let leads_inside = |pattern: &&Pattern| {
            let root = root::resolve(&pattern.root);
            root.is_ok_and(|root| own.contain(&root))
        };
        let inside = self.include.iter().filter(leads_inside);
        inside.map(|pattern| pattern.text.as_str())
    }

    /// Whether this is one of its include patterns.
    #[must_use]
    pub(crate) fn includes(&self, pattern: &str) -> bool {
        self.include.iter().any(|known| known.text == pattern)
    }

    /// Whether the stream wants a file of this path.
    #[must_use]
    pub(crate) fn wants(&self, path: &Path) -> bool {
        self.pattern_for(path).is_some()
    }

    fn pattern_for(&self, path: &Path) -> Option<usize> {
        let excluded = || self.exclude.iter().any(|glob| glob.is_match(path));
        let included = self.include.iter().position(|p| p.glob.is_match(path));
        included.filter(|_| !excluded())
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, PatternError> {
        let Some(below) = text.strip_prefix('/') else {
            return Err(PatternError::Relative(text.into()));
        };
        let components: Vec<&str> = below.split('/').collect();
        if components
            .iter()
            .any(|part| matches!(*part, "" | "." | ".."))
        {
            return Err(PatternError::Dots(text.into()));
        }
        let glob = GlobBuilder::new(text)
            .literal_separator(true)
            .backslash_escape(true)
            .build()
            .map_err(|cause| PatternError::Syntax {
                pattern: text.into(),
                cause,
            })?;
        let plain = |part: &&&str| !part.bytes().any(|byte| META.contains(&byte));
        let fixed = components.iter().take_while(plain).count();
        let exact = fixed == components.len();
        let folders = if exact { fixed - 1 } else { fixed };
        let root = PathBuf::from(format!("/{}", components[..folders].join("/")));
        // `{a/b,c}` may hold slashes, and then the levels cannot be counted.
        let uncounted = text.contains("**") || text.contains('{');
        let depth = match uncounted {
            true => DEPTH_MAX,
            false => components.len() - folders,
        };
        Ok(Self {
            text: text.into(),
            glob: glob.compile_matcher(),
            root,
            depth: (!exact).then_some(depth),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    fn watch(name: &str, include: &[String], exclude: &[&str]) -> Watch {
        let exclude: Vec<String> = exclude.iter().map(ToString::to_string).collect();
        Watch::new(name.parse().unwrap(), include, &exclude).unwrap()
    }

    fn parse(text: &str) -> Result<(PathBuf, Option<usize>), PatternError> {
        Pattern::parse(text).map(|pattern| (pattern.root, pattern.depth))
    }

    #[test]
    fn the_fixed_part_is_where_the_walk_begins() {
        for (text, root, depth) in [
            ("/var/log/a.log", "/var/log", None),
            ("/a.log", "/", None),
            ("/var/log/*.log", "/var/log", Some(1)),
            ("/var/*/app/*.log", "/var", Some(3)),
            ("/var/log/**/*.log", "/var/log", Some(DEPTH_MAX)),
            ("/var/log/{a,b/c}.log", "/var/log", Some(DEPTH_MAX)),
        ] {
            assert_eq!(parse(text).unwrap(), (PathBuf::from(root), depth), "{text}");
        }
    }

    #[test]
    fn all_faults_are_named() {
        let include = ["log/*", "/a/../b", "/a//b", "/a/[", "/a/"].map(String::from);
        let faults = Watch::new("s".parse().unwrap(), &include, &["{".into()]).unwrap_err();
        assert_eq!(faults.len(), 6, "{faults:?}");
        assert!(matches!(faults[0], PatternError::Relative(_)));
        assert!(matches!(faults[1], PatternError::Dots(_)));
        assert!(matches!(faults[3], PatternError::Syntax { .. }));
        let none = Watch::new("s".parse().unwrap(), &[], &[]).unwrap_err();
        assert!(matches!(none[..], [PatternError::Empty]));
    }

    #[test]
    fn wanted_names_are_wanted() {
        let include = ["/l/*.log*", "/l/[ab]/**/x"].map(String::from);
        let watch = watch("s", &include, &["*.tmp", "/l/b/**"]);
        for (path, wanted) in [
            ("/l/a.log", true),
            ("/l/a.log.1", true),
            ("/l/.log", true),
            ("/l/a.log.tmp", false),
            ("/l/d/a.log", false),
            ("/l/a/x", true),
            ("/l/a/d/e/x", true),
            ("/l/b/d/x", false),
            ("/l/c/x", false),
        ] {
            assert_eq!(watch.wants(Path::new(path)), wanted, "{path}");
        }
        let odd = Path::new(OsStr::from_bytes(b"/l/\xff.log"));
        assert!(watch.wants(odd), "names are bytes");
    }
}
