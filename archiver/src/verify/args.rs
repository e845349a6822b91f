//! Words of `holdfast verify`, as typed.

use super::GRACE_S;
use clap::{Args, ValueEnum};
use ledger::name::Name;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  holdfast verify --store s3://audit-logs/prod --signers web-01.signers
  holdfast verify --store s3://audit-logs/prod --signers fleet.signers --agent web-01 --format json --output report.json
  aws s3 sync s3://audit-logs/prod/manifests /copy/manifests && aws s3 sync s3://audit-logs/prod/entries /copy/entries
  holdfast verify --store file:///copy --copy --signers web-01.signers

It needs to list versions, read objects by version and read their retention; nothing else.

Exit codes: 0 clean; 1 tampered or incomplete; 2 not all could be judged, or nothing was found;
3 usage; 4 the data is intact, but someone interfered.";

/// Words of `holdfast verify`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct VerifyArgs {
    /// Where the archive is: s3://BUCKET[/PREFIX] or file:///DIRECTORY.
    #[arg(long, value_name = "URL")]
    pub store: String,
    /// The pinned keys, as `holdfast-agent init` prints them: an allowed_signers file.
    #[arg(long, value_name = "FILE")]
    pub signers: PathBuf,
    /// Judge a copy on disk: content alone, neither locks nor lateness nor silence.
    #[arg(long)]
    pub copy: bool,
    /// Only this agent.
    #[arg(long, value_name = "NAME")]
    pub agent: Option<Name>,
    /// Only this stream.
    #[arg(long, value_name = "NAME")]
    pub stream: Option<Name>,
    /// The report's form.
    #[arg(long, value_enum, default_value_t, value_name = "text|json")]
    pub format: ReportFormat,
    /// Write the report to this file instead of stdout.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Bodies read and checked side by side; by default one a core.
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// How long an object without its counterpart counts as still under way.
    #[arg(long, value_name = "TIME", default_value_t = Grace::default())]
    pub grace: Grace,
    /// Name the bucket in the path, not in the host name; by default so where an endpoint is configured.
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true")]
    pub force_path_style: Option<bool>,
}

/// The forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// A span of time as people write it: `15m`, `1h 30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grace(pub Duration);

impl Default for Grace {
    fn default() -> Self {
        Self(Duration::from_secs(GRACE_S))
    }
}

impl std::fmt::Display for Grace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&humantime::format_duration(self.0), f)
    }
}

impl std::str::FromStr for Grace {
    type Err = humantime::DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        humantime::parse_duration(text).map(Self)
    }
}
