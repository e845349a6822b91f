//! `archiver.toml`, checked. The core sees only this type, never the file's words.

use host::settings::{Settings, SettingsError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the configuration is looked for.
pub const DEFAULT_PATH: &str = "/etc/holdfast/archiver.toml";

/// `max_retention` by default: ten years of 366 days.
const MAX_RETENTION_S: u64 = 10 * 366 * ledger::limits::DAY_S;

const POLL: Duration = Duration::from_secs(1);
const POLL_BOUNDS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(3600));

const RETRY_HELD: Duration = Duration::from_secs(60);
const RETRY_HELD_BOUNDS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));

/// What `holdfast archive` works by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The spool it shares with the agent.
    pub spool: PathBuf,
    /// The store's URL.
    pub store: String,
    /// The longest retention that is uploaded: a lock can't be taken back.
    pub max_retention_s: u64,
    /// `endpoint/bucket/key` instead of `bucket.endpoint/key`; `None` leaves it to the store.
    pub force_path_style: Option<bool>,
    /// How often the spool is looked at.
    pub poll: Duration,
    /// How long something held rests before the next try.
    pub retry_held: Duration,
}

impl Config {
    /// Reads and checks the file at `path`.
    ///
    /// # Errors
    /// It can't be read, or all that is wrong in it.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        Self::check(&Settings::read(path)?)
    }

    fn check(settings: &Settings) -> Result<Self, SettingsError> {
        let root = settings.root();
        let config = Self {
            spool: root.required_text("spool").into(),
            store: root.required_text("store"),
            max_retention_s: root.retention_s("max_retention").unwrap_or(MAX_RETENTION_S),
            force_path_style: root.flag("force_path_style"),
            poll: root.duration("poll", POLL),
            retry_held: root.duration("retry_held", RETRY_HELD),
        };
        if !config.spool.as_os_str().is_empty() && !config.spool.is_absolute() {
            root.fault(
                "spool",
                "expected an absolute path, such as \"/var/lib/holdfast/spool\"",
            );
        }
        if !config.store.is_empty() && !is_store_url(&config.store) {
            root.fault(
                "store",
                "expected s3://BUCKET[/PREFIX] or file:///ABSOLUTE/DIRECTORY",
            );
        }
        for (key, value, (least, most)) in [
            ("poll", config.poll, POLL_BOUNDS),
            ("retry_held", config.retry_held, RETRY_HELD_BOUNDS),
        ] {
            if !(least..=most).contains(&value) {
                root.fault(
                    key,
                    format!("expected a duration from {least:?} to {most:?}"),
                );
            }
        }
        settings.finish()?;
        Ok(config)
    }
}

/// Whether it is of one of the two kinds; the rest is judged when the store is opened.
fn is_store_url(text: &str) -> bool {
    let of_kind = |scheme| {
        text.strip_prefix(scheme)
            .is_some_and(|rest| !rest.is_empty())
    };
    of_kind("s3://") || of_kind("file:///")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Config, SettingsError> {
        Config::check(&Settings::parse(Path::new("archiver.toml"), text.into())?)
    }

    #[test]
    fn two_keys_are_enough() {
        let config = check("spool = \"/spool\"\nstore = \"s3://audit-logs/prod\"\n").unwrap();
        let expected = Config {
            spool: "/spool".into(),
            store: "s3://audit-logs/prod".into(),
            max_retention_s: 316_224_000,
            force_path_style: None,
            poll: Duration::from_secs(1),
            retry_held: Duration::from_secs(60),
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn every_key_counts() {
        let config = check(
            "spool = \"/s\"\nstore = \"file:///d\"\nmax_retention = \"90d\"\n\
             force_path_style = false\npoll = \"50ms\"\nretry_held = \"5s\"\n",
        );
        let config = config.unwrap();
        assert_eq!(config.max_retention_s, 90 * 86_400);
        assert_eq!(config.force_path_style, Some(false));
        assert_eq!(config.poll, Duration::from_millis(50));
        assert_eq!(config.retry_held, Duration::from_secs(5));
    }

    #[test]
    fn all_faults_are_told_with_their_lines() {
        let faults = check(
            "spool = \"spool\"\nstore = \"https://x\"\npol = \"1s\"\nretry_held = \"0s\"\n\
             max_retention = \"90 minutes\"\n",
        );
        let text = faults.unwrap_err().to_string();
        for part in [
            "archiver.toml:1",
            "archiver.toml:2",
            "archiver.toml:3",
            "did you mean \"poll\"",
            ":4",
            ":5",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert_eq!(text.lines().count(), 5, "{text}");
        let missing = check("").unwrap_err().to_string();
        assert!(
            missing.contains("spool") && missing.contains("store"),
            "{missing}"
        );
    }
}
