//! `archiver.toml`, checked. The core sees only this type, never the file's words.

use host::settings::{self, Environment, Form, Key, Preset, Settings, SettingsError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the configuration is looked for.
pub const DEFAULT_PATH: &str = "/etc/holdfast/archiver.toml";

/// The keys, in the order of the sample.
pub const KEYS: &[Key] = &[
    Key {
        path: "spool",
        form: Form::Text("an absolute path, in quotes"),
        preset: Preset::Needed("/var/lib/holdfast/spool"),
        doc: "the agent's spool",
    },
    Key {
        path: "store",
        form: Form::Text("s3://BUCKET[/PREFIX] or file:///ABSOLUTE/DIRECTORY, in quotes"),
        preset: Preset::Needed("s3://audit-logs/prod"),
        doc: "where batches go: `s3://BUCKET[/PREFIX]` or `file:///DIRECTORY`",
    },
    Key {
        path: "max_retention",
        form: Form::Retention,
        preset: Preset::Value("10y"),
        doc: "the longest retention that is uploaded: a lock can't be taken back",
    },
    Key {
        path: "force_path_style",
        form: Form::Flag,
        preset: Preset::Depends("true where an endpoint is configured", "true"),
        doc: "the bucket in the path, not in the host name",
    },
    Key {
        path: "poll",
        form: Form::Duration(Some(("10ms", "1h"))),
        preset: Preset::Value("1s"),
        doc: "how often the spool is looked at",
    },
    Key {
        path: "retry_held",
        form: Form::Duration(Some(("1s", "1h"))),
        preset: Preset::Value("60s"),
        doc: "how long something held rests before the next try",
    },
];

/// The sample file.
#[must_use]
pub fn sample() -> String {
    settings::sample(
        "archiver.toml: settings of `holdfast archive`, by default /etc/holdfast/archiver.toml.",
        KEYS,
    )
}

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
    /// Reads and checks the file at `path`, and what of `environment` overrides it.
    ///
    /// # Errors
    /// It can't be read, or all that is wrong in it.
    pub fn read(path: &Path, environment: &Environment) -> Result<Self, SettingsError> {
        Self::check(&Settings::read(path, KEYS, environment)?)
    }

    fn check(settings: &Settings) -> Result<Self, SettingsError> {
        let root = settings.root();
        let config = Self {
            spool: root.text("spool").unwrap_or_default().into(),
            store: root.text("store").unwrap_or_default(),
            max_retention_s: root.retention_s("max_retention").unwrap_or_default(),
            force_path_style: root.flag("force_path_style"),
            poll: root.duration("poll"),
            retry_held: root.duration("retry_held"),
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
        let path = Path::new("archiver.toml");
        let settings = Settings::parse(path, text.as_bytes(), KEYS, &Environment::default())?;
        let checked = Config::check(&settings);
        assert!(settings.never_asked().is_empty());
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
        let whole = check(&uncommented.join("\n")).unwrap();
        // Without it, the store decides.
        assert_eq!(whole.force_path_style, Some(true));
        let force_path_style = None;
        assert_eq!(
            Config {
                force_path_style,
                ..whole
            },
            given
        );
        let two = check("spool = \"/var/lib/holdfast/spool\"\nstore = \"s3://audit-logs/prod\"\n");
        assert_eq!(two.unwrap(), given);
    }

    #[test]
    fn the_documentation_has_the_table_of_keys() {
        let documented = include_str!("../../docs/operations.md");
        let table = settings::markdown(KEYS);
        assert!(
            documented.contains(&table),
            "docs/operations.md must have:\n{table}"
        );
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
