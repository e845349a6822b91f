//! The arguments of `holdfast archive`.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  holdfast archive                                  run until SIGTERM
  holdfast archive --config ./archiver.toml --once  upload what is in the spool, then exit
  holdfast archive --check                          what would go wrong; changes nothing
  holdfast archive status                           the running one's status, as a health check

The smallest configuration (all keys: holdfast sample-config):
  spool = \"/var/lib/holdfast/spool\"
  store = \"s3://audit-logs/prod\"

Credentials, region and endpoint come by the AWS conventions: AWS_PROFILE, AWS_ACCESS_KEY_ID,
AWS_REGION, AWS_ENDPOINT_URL_S3, instance metadata, web identity.

A fork or rot ends --once with 1, anything held or not seen with 2, and so do 5 minutes without a new receipt
(--timeout); a store that cannot keep evidence ends it with 3.";

const STATUS_EXAMPLES: &str = "\
Examples:
  holdfast archive status
  holdfast archive status --format json | jq '.health, .reasons'
  holdfast archive status --watch

It ends with 0 if an archiver runs and is healthy or degraded. It ends with 2 if it is unhealthy, does not run,
or has not written its status for 15 seconds.";

/// The arguments of `holdfast archive`.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct ArchiveArgs {
    /// Configuration file
    #[arg(long, global = true, env = "HOLDFAST_CONFIG", value_name = "FILE", default_value = archiver::config::DEFAULT_PATH)]
    pub(crate) config: PathBuf,
    /// Exit once everything that stands in the spool is in the store
    #[arg(long, conflicts_with = "check")]
    pub(crate) once: bool,
    /// With --once: so long without a new receipt ends with 2, and says what waits
    #[arg(long, requires = "once", value_name = "DURATION", default_value_t = archiver::archive::TIMEOUT.into())]
    pub(crate) timeout: humantime::Duration,
    /// Show what would be done and what would go wrong; change nothing
    #[arg(long)]
    pub(crate) check: bool,
    /// What else.
    #[command(subcommand)]
    pub(crate) command: Option<ArchiveCommand>,
}

/// What else an archiver can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum ArchiveCommand {
    /// Show the running archiver's status
    #[command(after_long_help = STATUS_EXAMPLES)]
    Status {
        /// Form of the answer
        #[arg(long, value_enum, default_value = "text", value_name = "FORM")]
        format: StatusFormat,
        /// Show it again every 5 seconds, until nobody reads it any longer
        #[arg(long)]
        watch: bool,
    },
}

/// The forms of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusFormat {
    /// For people
    Text,
    /// For programs
    Json,
}
