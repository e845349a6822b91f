//! The agent's config: read once, checked whole, all faults told at once.

mod keys;
mod prices;

use crate::bounds::{STREAMS_MAX, cap_min};
use crate::find::{HardLinks, OwnFiles, PatternError, Watch};
use host::settings::{Environment, Faults, Settings, SettingsError, Table};
use ledger::Digest;
use ledger::codec::Codec;
use ledger::limits::DAY_S;
use ledger::name::Name;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

pub(crate) use keys::sample;
pub use keys::{ARCHIVERS, KEYS};
pub(crate) use prices::Prices;

/// Where the config is looked for.
pub(crate) const DEFAULT_PATH: &str = "/etc/holdfast/agent.toml";

/// Highest level that keeps any heartbeat: all that can be open at once ([`crate::bounds::OPEN_BLOCKS_MAX`]) is
/// compressed in half a second.
const QUICK_LEVEL_MAX: u8 = 9;

/// Least heartbeat at a higher level. One thread compresses and says heartbeats, and zstd's level 19 was measured at
/// 0.4 MB/s on a busy host: 22 s for all that can be open, where a heartbeat has two of itself to spare.
const SLOW_HEARTBEAT_MIN: Duration = Duration::from_secs(60);

/// One `[[stream]]`.
#[derive(Debug, Clone)]
pub(crate) struct StreamConfig {
    pub(crate) name: Name,
    /// Which files it wants.
    pub(crate) watch: Watch,
    /// How long its bodies stay locked.
    pub(crate) retention_s: u64,
    /// Where to begin in the files of its very first scan.
    pub(crate) start: StartAt,
    /// Content of files last changed so long ago is skipped.
    pub(crate) ignore_older: Option<Duration>,
}

/// Where to begin in a file that is there before the agent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartAt {
    /// All of it is archived.
    Beginning,
    /// Only what comes.
    End,
}

/// A text that says neither.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NotAStart;

impl FromStr for StartAt {
    type Err = NotAStart;

    fn from_str(text: &str) -> Result<Self, NotAStart> {
        match text {
            "beginning" => Ok(Self::Beginning),
            "end" => Ok(Self::End),
            _ => Err(NotAStart),
        }
    }
}

/// A checked config. [`Config::read`] is the one way to get one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The file it came from.
    pub(crate) path: PathBuf,
    /// SHA-256 of that file and of what overrides it.
    pub(crate) sha256: Digest,
    /// The agent's name.
    pub(crate) agent: Name,
    /// The spool's folder.
    pub(crate) spool: PathBuf,
    /// The agent's own folder.
    pub(crate) state: PathBuf,
    /// The signing key's file.
    pub(crate) key: PathBuf,
    /// Bytes the spool may take.
    pub(crate) spool_cap: u64,
    /// How long a batch stays after its receipt, while there is room.
    pub(crate) spool_keep: Duration,
    /// Longest time between two manifests of a stream.
    pub(crate) heartbeat: Duration,
    /// Longest time between two scans of the files.
    pub(crate) poll: Duration,
    /// Longest time between reading a line and sealing it.
    pub(crate) seal_age: Duration,
    /// How bodies are compressed.
    pub(crate) codec: Codec,
    /// One of the codec's levels.
    pub(crate) level: u8,
    /// What the store charges.
    pub(crate) prices: Prices,
    /// The streams; a file belongs to the first that wants it.
    pub(crate) streams: Vec<StreamConfig>,
}

impl Config {
    /// Reads and checks a config file, and what of `environment` overrides it.
    ///
    /// # Errors
    /// [`SettingsError`]: the file, or everything that is wrong in it.
    pub fn read(path: &Path, environment: &Environment) -> Result<Self, SettingsError> {
        Self::check(path, &Settings::read(path, KEYS, environment)?)
    }

    /// What the agent never reads, whatever a pattern says.
    pub(crate) fn own_files(&self) -> OwnFiles {
        let folders = vec![self.spool.clone(), self.state.clone()];
        OwnFiles::new(folders, vec![self.key.clone(), self.path.clone()])
    }

    fn check(path: &Path, settings: &Settings) -> Result<Self, SettingsError> {
        let root = settings.root();
        let agent = root.parsed::<Name>("agent");
        let state = folder(root, "state");
        let key = root
            .text("key")
            .map_or_else(|| state.join("key"), PathBuf::from);
        if !key.is_absolute() && !state.as_os_str().is_empty() {
            root.fault("key", "an absolute path is expected");
        }
        let spool = folder(root, "spool");
        if spool == state && !spool.as_os_str().is_empty() {
            root.fault(
                "state",
                "a folder other than spool is expected: the archiver reads spool",
            );
        }
        let max_retention_s = root.retention_s("max_retention").unwrap_or(u64::MAX);
        let streams = streams(root, max_retention_s);
        refuse_own_files(
            root,
            &streams,
            &OwnFiles::new(vec![spool.clone(), state.clone()], vec![]),
        );
        let spool_cap = spool_cap(root, streams.len());
        let seal = root.table("seal");
        let heartbeat = root.duration("heartbeat");
        if heartbeat.subsec_nanos() != 0 {
            root.fault("heartbeat", "whole seconds are expected");
        }
        let spool_keep = root.duration("spool_keep");
        let poll = root.duration("poll");
        let seal_age = seal.duration("age");
        if seal_age > heartbeat {
            seal.fault("age", "at most the heartbeat interval is expected");
        }
        let codec = seal.parsed("codec").unwrap_or_default();
        let level = level(&seal, codec, heartbeat);
        let prices = prices(&root.table("cost"));
        settings.finish()?;
        // A missing agent is a fault, which `finish` has just told.
        let agent = agent.ok_or_else(|| {
            let (path, faults) = (path.into(), Vec::new());
            SettingsError::Faulty(Faults { path, faults })
        })?;
        Ok(Self {
            path: path.into(),
            sha256: settings.sha256(),
            agent,
            spool,
            state,
            key,
            spool_cap,
            spool_keep,
            heartbeat,
            poll,
            seal_age,
            codec,
            level,
            prices,
            streams,
        })
    }
}

/// A pattern that wants the agent's own files is a mistake, and whoever reads spool or state would find the key in it.
fn refuse_own_files(root: &Table, streams: &[StreamConfig], own: &OwnFiles) {
    for stream in streams {
        for pattern in stream.watch.inside(own) {
            let message = format!(
                "{}: include {pattern} lies inside spool or state, which are never read; name the logs' own folder",
                stream.name
            );
            root.fault("stream", message);
        }
    }
}

fn folder(root: &Table, key: &str) -> PathBuf {
    let path = PathBuf::from(root.text(key).unwrap_or_default());
    if !path.as_os_str().is_empty() && !path.is_absolute() {
        root.fault(key, "an absolute path is expected");
    }
    path
}

fn spool_cap(root: &Table, streams: usize) -> u64 {
    let cap = root.size("spool_cap");
    let least = cap_min(streams.max(1));
    if cap < least {
        let message = format!("at least {least} bytes are needed for this many streams");
        root.fault("spool_cap", message);
    }
    cap
}

fn level(seal: &Table, codec: Codec, heartbeat: Duration) -> u8 {
    let levels = codec.levels();
    let level = u8::try_from(seal.integer("level")).unwrap_or(u8::MAX);
    if !levels.contains(&level) {
        let (least, most) = levels.into_inner();
        seal.fault("level", format!("{least} to {most} are {codec}'s levels"));
    } else if level > QUICK_LEVEL_MAX && heartbeat < SLOW_HEARTBEAT_MIN {
        let least = SLOW_HEARTBEAT_MIN.as_secs();
        let message =
            format!("over {QUICK_LEVEL_MAX} a heartbeat of at least {least}s is expected");
        seal.fault("level", message);
    }
    level
}

fn prices(cost: &Table) -> Prices {
    Prices {
        put: cost.parsed("put_per_1000").unwrap_or(Prices::LIST.put),
        read: cost.parsed("read_per_1000").unwrap_or(Prices::LIST.read),
    }
}

fn streams(root: &Table, max_retention_s: u64) -> Vec<StreamConfig> {
    let tables = root.tables("stream");
    if tables.is_empty() {
        root.fault(
            "stream",
            "at least one [[stream]] with name, include and retention is needed",
        );
    }
    if tables.len() > STREAMS_MAX {
        root.fault(
            "stream",
            format!("at most {STREAMS_MAX} streams are possible"),
        );
    }
    let mut names = BTreeSet::new();
    tables
        .iter()
        .filter_map(|table| stream(table, max_retention_s, &mut names))
        .collect()
}

fn stream(table: &Table, max_retention_s: u64, names: &mut BTreeSet<Name>) -> Option<StreamConfig> {
    let name = table.parsed::<Name>("name");
    let retention = table.retention_s("retention");
    let start = table.parsed("start").unwrap_or(StartAt::Beginning);
    let ignore_older = table.duration("ignore_older");
    let hard_links = table.parsed("hard_links").unwrap_or(HardLinks::Refuse);
    if retention.is_some_and(|retention| retention > max_retention_s) {
        table.fault(
            "retention",
            format!(
                "at most {} days are expected, as max_retention says: a lock can't be taken back; raise it here and \
                 in archiver.toml if this is meant",
                max_retention_s / DAY_S
            ),
        );
    }
    let exclude = table.texts("exclude");
    // Patterns are checked under a faulty name too, so that all faults are told at once.
    let checked = name.clone().or_else(|| "faulty".parse().ok())?;
    let watch = Watch::new(checked, &table.texts("include"), &exclude);
    let watch = watch.map_err(|errors| {
        for error in errors {
            table.fault(key_of(&error, &exclude), error.to_string());
        }
    });
    let name = name?;
    if !names.insert(name.clone()) {
        table.fault("name", format!("another stream is named {name}"));
    }
    Some(StreamConfig {
        name,
        watch: watch.ok()?.with_hard_links(hard_links),
        retention_s: retention?,
        start,
        ignore_older: (!ignore_older.is_zero()).then_some(ignore_older),
    })
}

/// The key that a faulty pattern was written under.
fn key_of(error: &PatternError, exclude: &[String]) -> &'static str {
    let pattern = match error {
        PatternError::Relative(pattern) | PatternError::Dots(pattern) => Some(pattern),
        PatternError::Syntax { pattern, .. } => Some(pattern),
        PatternError::Empty => None,
    };
    match pattern {
        Some(pattern) if exclude.contains(pattern) => "exclude",
        _ => "include",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Config, SettingsError> {
        let path = Path::new("/etc/agent.toml");
        let environment = Environment::default();
        let settings = Settings::parse(path, text.as_bytes(), KEYS, &environment)?;
        let checked = Config::check(path, &settings);
        if checked.is_ok() {
            assert!(settings.never_asked().is_empty());
        }
        checked
    }

    #[test]
    fn the_sample_is_good_and_what_it_comments_out_are_the_defaults() {
        let sample = sample();
        let given = check(&sample).unwrap();
        let bare = |line: &str| match line.strip_prefix('#') {
            Some(set) if !set.starts_with(' ') => set.to_owned(),
            _ => line.to_owned(),
        };
        let uncommented: Vec<_> = sample.lines().map(bare).collect();
        let mut whole = check(&uncommented.join("\n")).unwrap();
        // The only difference: the file itself.
        whole.sha256 = given.sha256;
        assert_eq!(format!("{whole:?}"), format!("{given:?}"));
        let keys = KEYS.iter().filter(|key| !key.path.contains('.'));
        let set = |key: &host::settings::Key| {
            let lines = uncommented.iter();
            lines
                .filter(|line| line.starts_with(&format!("{} = ", key.path)))
                .count()
        };
        assert_eq!(
            keys.map(set).sum::<usize>(),
            9,
            "every key at the top stands there once"
        );
    }

    #[test]
    fn the_documentation_has_the_table_of_keys() {
        let documented = include_str!("../../docs/operations.md");
        let table = host::settings::markdown(KEYS);
        assert!(
            documented.contains(&table),
            "docs/operations.md must have:\n{table}"
        );
    }

    #[test]
    fn a_variable_overrides_the_file_and_changes_the_hash() {
        let path = Path::new("/etc/agent.toml");
        let variables = [("HOLDFAST_SEAL_AGE", "3s"), ("HOLDFAST_SPOOL", "/other")];
        let environment =
            Environment::of(variables.map(|(name, value)| (name.into(), value.into())));
        let settings = Settings::parse(path, GOOD.as_bytes(), KEYS, &environment).unwrap();
        let config = Config::check(path, &settings).unwrap();
        assert_eq!(config.seal_age, Duration::from_secs(3));
        assert_eq!(config.spool, Path::new("/other"));
        let covered = format!("{GOOD}HOLDFAST_SEAL_AGE=3s\nHOLDFAST_SPOOL=/other\n");
        assert_eq!(config.sha256, Digest::of(covered.as_bytes()));
    }

    const GOOD: &str = r#"agent = "web-01"
spool = "/var/lib/holdfast/spool"
state = "/var/lib/holdfast/agent"
[seal]
age = "5s"
[[stream]]
name = "auth"
include = ["/var/log/auth.log*"]
exclude = ["*.tmp"]
retention = "1d"
"#;

    #[test]
    fn a_good_config_has_defaults_for_the_rest() {
        let config = check(GOOD).unwrap();
        assert_eq!(config.key, Path::new("/var/lib/holdfast/agent/key"));
        assert_eq!(
            (config.spool_cap, config.poll),
            (1 << 30, Duration::from_secs(1))
        );
        assert_eq!(config.seal_age, Duration::from_secs(5));
        assert_eq!(config.streams[0].retention_s, 86_400);
        assert_eq!(config.sha256, Digest::of(GOOD.as_bytes()));
    }

    #[test]
    fn all_faults_are_told_with_line_and_key() {
        let text = "agent = \"a b\"\nspool = \"spool\"\nstate = \"/s\"\nheartbeat = \"2d\"\n\
            spool_cap = \"1MiB\"\nsppol_keep = \"1h\"\n[[stream]]\nname = \"x\"\ninclude = []\n\
            [[stream]]\nname = \"y\"\ninclude = [\"/a\"]\nretention = \"36h\"\n";
        let faults = check(text).unwrap_err().to_string();
        for expected in [
            ":1: agent: ",
            ":2: spool: an absolute path is expected",
            ":4: heartbeat: \"2d\" where a duration",
            ":5: spool_cap: at least ",
            ":6: sppol_keep: unknown key, did you mean \"spool_keep\"?",
            "stream[0].retention: needed",
            "stream[1].retention: ",
        ] {
            assert!(faults.contains(expected), "{expected} in:\n{faults}");
        }
    }

    #[test]
    fn a_retention_over_max_retention_is_refused() {
        let with = |top: &str, retention: &str| {
            let text = GOOD.replace("[seal]", &format!("{top}\n[seal]"));
            check(&text.replace("\"1d\"", &format!("\"{retention}\"")))
        };
        let faults = with("", "20y").unwrap_err().to_string();
        let expected = "stream[0].retention: at most 3660 days are expected, as max_retention says";
        assert!(faults.contains(expected), "{faults}");
        assert!(with("", "3661d").is_err());
        assert_eq!(
            with("", "10y").unwrap().streams[0].retention_s,
            3660 * 86_400
        );
        with("max_retention = \"20y\"", "20y").unwrap();
        with("max_retention = \"30d\"", "31d").unwrap_err();
    }

    #[test]
    fn prices_are_those_set_and_the_list_for_the_rest() {
        assert_eq!(check(GOOD).unwrap().prices, Prices::LIST);
        let text = GOOD.replace("[seal]", "[cost]\nput_per_1000 = \"0.0054\"\n[seal]");
        let prices = check(&text).unwrap().prices;
        assert_eq!(prices.put.to_string(), "$0.0054");
        assert_eq!(prices.read, Prices::LIST.read);
        let text = text.replace("0.0054", "0,0054");
        let faults = check(&text).unwrap_err().to_string();
        let expected = ":5: cost.put_per_1000: \"0,0054\" where dollars in quotes, from 0 to 1000 with \
            at most 6 decimals, such as \"0.005\" is expected";
        assert!(faults.contains(expected), "{faults}");
    }

    /// An agent that takes longer to compress than it promised to be silent would look like one that was stopped.
    #[test]
    fn a_slow_level_needs_a_slow_heartbeat() {
        let with = |heartbeat: &str, level: u8| {
            let text = GOOD.replace("age = \"5s\"", &format!("level = {level}"));
            check(&text.replace("[seal]", &format!("heartbeat = \"{heartbeat}\"\n[seal]")))
        };
        for (heartbeat, level) in [("59s", 9), ("60s", 10), ("1m", 19)] {
            with(heartbeat, level).unwrap();
        }
        let refused = with("59s", 10).unwrap_err().to_string();
        let expected = ":6: seal.level: over 9 a heartbeat of at least 60s is expected";
        assert!(refused.contains(expected), "{refused}");
    }

    #[test]
    fn near_misses_are_refused() {
        for (from, to) in [
            ("[seal]", "[cost]\nread_per_1000 = 0.0004\n[seal]"),
            ("[seal]", "[cost]\nread_per_1000 = \"1000.1\"\n[seal]"),
            ("[seal]", "[cost]\nget_per_1000 = \"0.0004\"\n[seal]"),
            ("[seal]", "cost = \"0.0004\"\n[seal]"),
            ("name = \"auth\"", "name = \"\""),
            ("retention = \"1d\"", "retention = 1"),
            ("age = \"5s\"", "age = \"0s\""),
            ("age = \"5s\"", "codec = \"lz4\""),
            ("age = \"5s\"", "codec = \"gzip\"\nlevel = 10"),
            ("age = \"5s\"", "level = 20"),
            ("age = \"5s\"", "level = \"3\""),
            ("/var/lib/holdfast/agent", "/var/lib/holdfast/spool"),
            ("[seal]", "heartbeat = \"1500ms\"\n[seal]"),
            ("[seal]", "key = \"key\"\n[seal]"),
            ("[seal]", "heartbeat = \"4s\"\n[seal]"),
            ("[[stream]]", "[stream]"),
        ] {
            let text = GOOD.replace(from, to);
            assert!(check(&text).is_err(), "{to}");
        }
    }
}
