//! Which files a stream wants: include and exclude patterns, and the walk below their fixed part.
//!
//! It lists names and opens no file. Symbolic links are not followed below a pattern's fixed part:
//! whoever may write in a log folder must not choose what the agent reads.

use globset::{GlobBuilder, GlobMatcher};
use ledger::entry::PathBytes;
use ledger::name::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use walkdir::WalkDir;

/// Folder levels below a pattern's fixed part that `**` reaches.
const DEPTH_MAX: usize = 32;

/// Names that one walk looks at; beyond it the walk ends with a fault.
const NAMES_MAX: usize = 1_000_000;

/// Characters that make a path component a pattern.
const META: &[u8] = b"*?[]{}\\";

/// Names of packed files. Reading one as it is would archive noise, and a rotated log twice.
const PACKED: [&str; 5] = ["gz", "bz2", "xz", "zst", "zip"];

/// A stream and the files it wants. The one way in for patterns from the config.
#[derive(Debug, Clone)]
pub struct Watch {
    stream: Name,
    include: Vec<Pattern>,
    exclude: Vec<GlobMatcher>,
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
pub enum PatternError {
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
    pub fn new(
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
            });
        }
        Err(faults)
    }

    /// The stream.
    #[must_use]
    pub fn stream(&self) -> &Name {
        &self.stream
    }

    /// Whether the stream wants a file of this path.
    #[must_use]
    pub fn wants(&self, path: &Path) -> bool {
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

/// A name that led to a file, and the part of it that the operator wrote.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    path: PathBuf,
    root: Arc<Path>,
}

impl Spot {
    /// The whole path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path as the archive holds it.
    #[must_use]
    pub fn bytes(&self) -> PathBytes {
        PathBytes(self.path.as_os_str().as_bytes().to_vec())
    }

    /// The folder it is in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.root)
    }

    /// Opens it for reading, with no symbolic link below the fixed part.
    ///
    /// # Errors
    /// As the system says.
    pub fn open(&self) -> io::Result<File> {
        let below = self.path.strip_prefix(&self.root).unwrap_or(&self.path);
        crate::sys::open_log(&self.root, below)
    }
}

/// What a walk found.
#[derive(Debug, Default)]
pub struct Found {
    /// Names of regular files that a stream wants, in order, with the first such watch's index.
    pub hits: Vec<(Spot, usize)>,
    /// Folders that were listed whole. What is not among the hits is not there, or not wanted.
    pub folders: BTreeSet<PathBuf>,
    /// What could not be listed, and wanted names that are no logs.
    pub faults: Vec<(PathBytes, String)>,
    /// Include patterns without a file.
    pub unmatched: Vec<String>,
}

/// Lists the files that `watches` want. Each folder is listed once, however many patterns share it.
#[must_use]
pub fn walk(watches: &[Watch]) -> Found {
    let mut walk = Walk {
        watches,
        hits: BTreeMap::new(),
        matched: watches
            .iter()
            .map(|watch| vec![false; watch.include.len()])
            .collect(),
        found: Found::default(),
        names: 0,
    };
    let mut roots: BTreeMap<&Path, usize> = BTreeMap::new();
    for pattern in watches.iter().flat_map(|watch| &watch.include) {
        match pattern.depth {
            Some(depth) => {
                let known = roots.entry(&pattern.root).or_default();
                *known = depth.max(*known);
            }
            None => walk.name_one(pattern),
        }
    }
    for (root, depth) in roots {
        walk.list(root, depth);
    }
    walk.finish()
}

struct Walk<'a> {
    watches: &'a [Watch],
    hits: BTreeMap<Spot, usize>,
    matched: Vec<Vec<bool>>,
    found: Found,
    names: usize,
}

impl Walk<'_> {
    /// A pattern that is one file's path: looked at without listing its folder.
    fn name_one(&mut self, pattern: &Pattern) {
        let path = Path::new(&pattern.text);
        match path.symlink_metadata() {
            Ok(found) => self.judge(path, found.file_type(), &pattern.root.as_path().into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return self.fault(path, error.to_string()),
        }
        self.found.folders.insert(pattern.root.clone());
    }

    fn list(&mut self, root: &Path, depth: usize) {
        let shared: Arc<Path> = root.into();
        for entry in WalkDir::new(root).max_depth(depth) {
            self.names += 1;
            if self.names > NAMES_MAX {
                let what = format!("more than {NAMES_MAX} names: the rest is not looked at");
                return self.fault(root, what);
            }
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {
                    if entry.depth() < depth {
                        self.found.folders.insert(entry.into_path());
                    }
                }
                Ok(entry) => self.judge(entry.path(), entry.file_type(), &shared),
                Err(error) => self.unlisted(root, &error),
            }
        }
    }

    fn unlisted(&mut self, root: &Path, error: &walkdir::Error) {
        let path = error.path().unwrap_or(root).to_path_buf();
        self.found.folders.remove(&path);
        let cause = error.io_error();
        // Gone between listing and looking, or not made yet: nothing is wrong.
        if cause.is_none_or(|cause| cause.kind() != io::ErrorKind::NotFound) {
            let what = cause.map_or_else(|| error.to_string(), ToString::to_string);
            self.fault(&path, what);
        }
    }

    fn judge(&mut self, path: &Path, kind: std::fs::FileType, root: &Arc<Path>) {
        let mut watches = self.watches.iter().enumerate();
        let wanted = watches.find_map(|(at, watch)| Some((at, watch.pattern_for(path)?)));
        let Some((watch, pattern)) = wanted else {
            return;
        };
        let packed = path.extension().and_then(OsStr::to_str);
        if kind.is_symlink() {
            let what = "a symbolic link, not followed; include the path it leads to";
            self.fault(path, what.into());
        } else if !kind.is_file() {
            self.fault(path, "not a regular file, not read".into());
        } else if packed.is_some_and(|name| PACKED.contains(&name)) {
            let what = "packed, not read; its log counts as far as it was read before";
            self.fault(path, what.into());
        } else {
            self.matched[watch][pattern] = true;
            let spot = Spot {
                path: path.to_path_buf(),
                root: root.clone(),
            };
            self.hits.entry(spot).or_insert(watch);
        }
    }

    fn fault(&mut self, path: &Path, what: String) {
        let path = PathBytes(path.as_os_str().as_bytes().to_vec());
        self.found.faults.push((path, what));
    }

    fn finish(mut self) -> Found {
        for (watch, matched) in self.watches.iter().zip(&self.matched) {
            let pairs = watch.include.iter().zip(matched);
            let missed = pairs.filter(|(_, matched)| !**matched);
            let texts = missed.map(|(pattern, _)| pattern.text.clone());
            self.found.unmatched.extend(texts);
        }
        self.found.hits = self.hits.into_iter().collect();
        self.found.hits.dedup_by(|a, b| a.0.path == b.0.path);
        self.found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_walk_finds_regular_files_once_for_the_first_stream() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("sub")).unwrap();
        for name in ["a.log", "b.log", "sub/c.log", "old.log.gz"] {
            std::fs::write(at(name), "x").unwrap();
        }
        std::os::unix::fs::symlink(at("a.log"), at("link.log")).unwrap();
        let text = |name: &str| at(name).to_str().unwrap().to_owned();
        let first = [text("a.log"), text("missing.log"), text("nothing/*")];
        let second = [text("*.log*"), text("**/*.log")];
        let found = walk(&[watch("one", &first, &[]), watch("two", &second, &[])]);
        let hits: Vec<_> = found
            .hits
            .iter()
            .map(|(spot, w)| (spot.path().to_owned(), *w))
            .collect();
        assert_eq!(
            hits,
            [(at("a.log"), 0), (at("b.log"), 1), (at("sub/c.log"), 1)]
        );
        assert_eq!(found.unmatched, first[1..]);
        assert_eq!(found.folders, [dir.path().to_owned(), at("sub")].into());
        let named: BTreeSet<_> = found
            .faults
            .iter()
            .map(|(path, _)| path.0.clone())
            .collect();
        let odd = ["link.log", "old.log.gz"].map(|name| text(name).into_bytes());
        assert_eq!(named, odd.into());
    }
}
