//! `holdfast bucket create`, as typed: words in, steps on stdout, an exit code out.

use super::{CreateError, create};
use crate::output;
use clap::{Args, Subcommand};
use host::exit;
use host::settings::parse_retention;
use ledger::limits::DAY_S;
use store::{OpenError, StoreOptions};

const EXAMPLES: &str = "\
Examples:
  holdfast bucket create --store s3://audit-logs/prod --retention 1d
  AWS_ENDPOINT_URL_S3=http://127.0.0.1:9000 \\
    holdfast bucket create --store s3://audit-logs --retention 90d
  holdfast bucket create --store file:///srv/archive --retention 1d

What it locks stays locked: nobody, the cloud provider included, can shorten it. Try with 1d first.

What is there is completed, never weakened: asked for less than what is there, it ends with 3.";

/// The arguments of `holdfast bucket`.
#[derive(Debug, Args)]
pub struct BucketArgs {
    #[command(subcommand)]
    command: BucketCommand,
}

#[derive(Debug, Subcommand)]
enum BucketCommand {
    /// Make a bucket that can keep evidence, or complete one; never weaken one
    Create(CreateArgs),
}

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
struct CreateArgs {
    /// Where: s3://BUCKET[/PREFIX] or file:///ABSOLUTE/DIRECTORY
    #[arg(long, env = "HOLDFAST_STORE", value_name = "URL")]
    store: String,
    /// Lock everything by default, in COMPLIANCE mode, for so many days or years, such as 90d or 7y
    #[arg(long, value_name = "TIME", value_parser = days)]
    retention: u64,
    /// Name the bucket in the path, not in the host name [default: true where an endpoint is configured]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    force_path_style: Option<bool>,
}

fn days(text: &str) -> Result<u64, &'static str> {
    let seconds = parse_retention(text);
    seconds
        .map(|seconds| seconds / DAY_S)
        .ok_or("expected whole days or years, at least a day, such as 90d or 7y")
}

#[derive(Debug, thiserror::Error)]
enum BucketError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Create(#[from] CreateError),
    #[error("cannot start: {0}")]
    System(#[from] std::io::Error),
}

impl BucketError {
    fn exit(&self) -> u8 {
        match self {
            Self::Open(_) => exit::USAGE,
            Self::Create(CreateError::NotKept { .. }) => exit::DAMAGED,
            Self::Create(CreateError::Store(_)) | Self::System(_) => exit::UNFINISHED,
            // What is there and what was asked for exclude each other.
            Self::Create(_) => exit::USAGE,
        }
    }
}

/// Runs the command; its exit code.
#[must_use]
pub fn run(args: &BucketArgs) -> u8 {
    let BucketCommand::Create(args) = &args.command;
    match make(args) {
        Ok(report) => output::print(&report),
        Err(error) => {
            output::complain(&error);
            error.exit()
        }
    }
}

fn make(args: &CreateArgs) -> Result<String, BucketError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let options = StoreOptions {
        force_path_style: args.force_path_style,
        ..StoreOptions::default()
    };
    runtime.block_on(async {
        let store = store::open(&args.store, &options).await?;
        let steps = create(&store, args.retention).await?;
        let lines = steps.iter().map(|step| format!("{}: {step}\n", args.store));
        Ok(lines.collect())
    })
}
