//! The arguments of `holdfast verify`.

use auditor::GRACE_S;
use clap::{Args, ValueEnum};
use ledger::name::Name;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  holdfast verify --store s3://audit-logs/prod --signers web-01.signers
  holdfast verify --store s3://audit-logs/prod --signers fleet.signers --agent web-01 \\
    --format json --output report.json

A copy (sync manifests/ first, so that what they name is there):
  aws s3 sync s3://audit-logs/prod/manifests /copy/manifests
  aws s3 sync s3://audit-logs/prod/entries /copy/entries
  holdfast verify --store file:///copy --copy --signers web-01.signers

It needs to list versions, read objects by version and read their retention; nothing else.
Credentials, region and endpoint come by the AWS conventions: AWS_PROFILE, AWS_ACCESS_KEY_ID,
AWS_REGION, AWS_ENDPOINT_URL_S3, instance metadata, web identity.

What a finding means: holdfast explain CODE. Nothing found is never 0.";

/// The arguments of `holdfast verify`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct VerifyArgs {
    /// Where the archive is: s3://BUCKET[/PREFIX] or file:///ABSOLUTE/DIRECTORY
    #[arg(long, env = "HOLDFAST_STORE", value_name = "URL")]
    pub(crate) store: String,
    /// Pinned keys, the lines that `holdfast-agent init` prints: an allowed_signers file
    #[arg(long, env = "HOLDFAST_SIGNERS", value_name = "FILE")]
    pub(crate) signers: PathBuf,
    /// Judge a copy on disk: its content alone, not locks, lateness or silence
    #[arg(long)]
    pub(crate) copy: bool,
    /// Judge this agent alone
    #[arg(long, value_name = "NAME", help_heading = "What to judge")]
    pub(crate) agent: Option<Name>,
    /// Judge this stream alone
    #[arg(long, value_name = "NAME", help_heading = "What to judge")]
    pub(crate) stream: Option<Name>,
    /// How long an object without its counterpart counts as still under way
    #[arg(long, value_name = "TIME", default_value_t = Grace::default(), help_heading = "What to judge")]
    pub(crate) grace: Grace,
    /// Form of the report
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "FORM",
        help_heading = "The report"
    )]
    pub(crate) format: ReportFormat,
    /// Write the report to this file, not to stdout
    #[arg(long, value_name = "FILE", help_heading = "The report")]
    pub(crate) output: Option<PathBuf>,
    /// Bodies read and checked side by side [default: one for each core]
    #[arg(long, value_name = "N", value_parser = jobs)]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Name the bucket in the path, not in the host name [default: true where an endpoint is configured]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) force_path_style: Option<bool>,
}

fn jobs(text: &str) -> Result<NonZeroUsize, &'static str> {
    text.parse().map_err(|_| "expected a number from 1 on")
}

/// The forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// A span of time as people write it: `15m`, `1h 30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grace(pub Duration);

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
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = humantime::parse_duration(text).map(Self);
        parsed.map_err(|_| "expected a duration such as 15m or 1h")
    }
}
