//! The agent's config: read once, checked whole, all faults told at once.

use crate::find::{PatternError, Watch};
use crate::limits::{STREAMS_MAX, cap_min};
use host::settings::{Faults, Settings, SettingsError, Table, parse_retention};
use ledger::Digest;
use ledger::limits::HEARTBEAT_MAX_S;
use ledger::name::Name;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// Where the config is looked for.
pub const DEFAULT_PATH: &str = "/etc/holdfast/agent.toml";

const SPOOL_CAP: u64 = 1 << 30;
const SPOOL_KEEP: Duration = Duration::from_secs(24 * 3600);
const HEARTBEAT: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_secs(1);
const SEAL_AGE: Duration = Duration::from_secs(10);

const NAME: &str = "a name of 1 to 63 of A-Z a-z 0-9 . _ - that starts with a letter or digit";

/// One `[[stream]]`.
#[derive(Debug, Clone)]
pub struct Stream {
    /// Its name.
    pub name: Name,
    /// Which files it wants.
    pub watch: Watch,
    /// How long its bodies stay locked.
    pub retention_s: u64,
}

/// A checked config. [`Config::read`] is the one way to get one.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The file it came from.
    pub path: PathBuf,
    /// SHA-256 of that file.
    pub sha256: Digest,
    /// The agent's name.
    pub agent: Name,
    /// The spool's folder.
    pub spool: PathBuf,
    /// The agent's own folder.
    pub state: PathBuf,
    /// The signing key's file.
    pub key: PathBuf,
    /// Bytes the spool may take.
    pub spool_cap: u64,
    /// How long a batch stays after its receipt, while there is room.
    pub spool_keep: Duration,
    /// Longest time between two manifests of a stream.
    pub heartbeat: Duration,
    /// Longest time between two looks at the files.
    pub poll: Duration,
    /// Longest time between reading a line and sealing it.
    pub seal_age: Duration,
    /// The streams; a file belongs to the first that wants it.
    pub streams: Vec<Stream>,
}

/// A `retention` as written.
struct Retention(u64);

impl FromStr for Retention {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        parse_retention(text).map(Self).ok_or(())
    }
}

impl Config {
    /// Reads and checks a config file.
    ///
    /// # Errors
    /// [`SettingsError`]: the file, or everything that is wrong in it.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        Self::check(path, &Settings::read(path)?)
    }

    fn check(path: &Path, settings: &Settings) -> Result<Self, SettingsError> {
        let root = settings.root();
        let agent = root.required::<Name>("agent", NAME);
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
        let streams = streams(root);
        let spool_cap = root.size("spool_cap", SPOOL_CAP);
        let least = cap_min(streams.len().max(1));
        if spool_cap < least {
            let message = format!("at least {least} bytes are needed for this many streams");
            root.fault("spool_cap", message);
        }
        let seal = root.table("seal");
        let heartbeat = between(root, "heartbeat", HEARTBEAT, 1_000, HEARTBEAT_MAX_S * 1000);
        if heartbeat.subsec_nanos() != 0 {
            root.fault("heartbeat", "whole seconds are expected");
        }
        let spool_keep = root.duration("spool_keep", SPOOL_KEEP);
        let poll = between(root, "poll", POLL, 10, 60_000);
        let seal_age = between(&seal, "age", SEAL_AGE, 100, 3_600_000);
        if seal_age > heartbeat {
            seal.fault("age", "at most the heartbeat interval is expected");
        }
        settings.finish()?;
        // A missing agent is a fault, which `finish` has just told.
        let agent = agent.ok_or_else(|| {
            let (path, faults) = (path.into(), Vec::new());
            SettingsError::Faulty(Faults { path, faults })
        })?;
        Ok(Self {
            path: path.into(),
            sha256: Digest::of(settings.bytes()),
            agent,
            spool,
            state,
            key,
            spool_cap,
            spool_keep,
            heartbeat,
            poll,
            seal_age,
            streams,
        })
    }
}

fn folder(root: &Table, key: &str) -> PathBuf {
    let path = PathBuf::from(root.required_text(key));
    if !path.as_os_str().is_empty() && !path.is_absolute() {
        root.fault(key, "an absolute path is expected");
    }
    path
}

fn between(table: &Table, key: &str, default: Duration, least_ms: u64, most_ms: u64) -> Duration {
    let value = table.duration(key, default);
    let bounds = Duration::from_millis(least_ms)..=Duration::from_millis(most_ms);
    if !bounds.contains(&value) {
        let message = format!(
            "between {:?} and {:?} is expected",
            bounds.start(),
            bounds.end()
        );
        table.fault(key, message);
    }
    value
}

fn streams(root: &Table) -> Vec<Stream> {
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
        .filter_map(|table| stream(table, &mut names))
        .collect()
}

fn stream(table: &Table, names: &mut BTreeSet<Name>) -> Option<Stream> {
    let name = table.required::<Name>("name", NAME);
    let expected = r#"whole days or years, at least a day, such as "90d" or "7y""#;
    let retention = table.required::<Retention>("retention", expected);
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
    Some(Stream {
        name,
        watch: watch.ok()?,
        retention_s: retention?.0,
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
        let settings = Settings::parse(path, text.as_bytes().to_vec())?;
        Config::check(path, &settings)
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
        assert_eq!((config.spool_cap, config.poll), (SPOOL_CAP, POLL));
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
            ":4: heartbeat: between 1s and 86400s",
            ":5: spool_cap: at least ",
            ":6: sppol_keep: unknown key, did you mean \"spool_keep\"?",
            "stream[0].retention: needed",
            "stream[1].retention: ",
        ] {
            assert!(faults.contains(expected), "{expected} in:\n{faults}");
        }
    }

    #[test]
    fn near_misses_are_refused() {
        for (from, to) in [
            ("name = \"auth\"", "name = \"\""),
            ("retention = \"1d\"", "retention = 1"),
            ("age = \"5s\"", "age = \"0s\""),
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
