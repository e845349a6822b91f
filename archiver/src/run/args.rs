//! Words of `holdfast archive`, as typed.

use clap::Args;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  holdfast archive                                  run until SIGTERM, with /etc/holdfast/archiver.toml
  holdfast archive --config ./archiver.toml --once  upload what is in the spool, then exit

The smallest configuration:
  spool = \"/var/lib/holdfast/spool\"
  store = \"s3://audit-logs/prod\"

Credentials, region and endpoint come by the AWS conventions: AWS_PROFILE, AWS_ACCESS_KEY_ID,
AWS_REGION, AWS_ENDPOINT_URL_S3, instance metadata, web identity.

Exit codes with --once: 0 everything is in the store, locked; 1 a fork or rot; 2 something is held;
3 the configuration, or a store that cannot keep evidence.";

/// Words of `holdfast archive`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ArchiveArgs {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = crate::config::DEFAULT_PATH)]
    pub config: PathBuf,
    /// Exit once everything that stands in the spool is in the store.
    #[arg(long)]
    pub once: bool,
}
