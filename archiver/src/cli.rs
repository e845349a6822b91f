//! The command line, as typed. Each command's words live beside the command; here they are joined.

use clap::{ArgAction, Args, Parser, Subcommand};
use host::logging::Format;

const EXAMPLES: &str = "\
Examples:
  holdfast demo
  holdfast bucket create --store s3://audit-logs/prod --retention 1d
  holdfast probe --store s3://audit-logs/prod
  holdfast archive --config /etc/holdfast/archiver.toml
  holdfast archive --once
  holdfast verify --store s3://audit-logs/prod --signers web-01.signers

Exit codes: 0 done and clean; 1 evidence damaged, a fork, rot, or a store that gives in; 2 could not
finish; 3 usage or configuration; 4 intact, but someone interfered; 101 and over 127 a crash.";

/// Archives logs so that nobody can change or drop a line afterwards without an auditor seeing it.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct Common {
    /// Log more: -v the steps, -vv everything.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Log less: -q warnings and errors, -qq errors alone.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub quiet: u8,
    /// The form of the log on stderr.
    #[arg(long, global = true, default_value = "text", value_name = "text|json")]
    pub log_format: Format,
}

impl Common {
    /// -1 for each `-q`, +1 for each `-v`.
    #[must_use]
    pub fn verbosity(&self) -> i8 {
        let bounded = |count: u8| i8::try_from(count).unwrap_or(i8::MAX);
        bounded(self.verbose).saturating_sub(bounded(self.quiet))
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Upload sealed batches from the spool and see them locked.
    Archive(crate::run::args::ArchiveArgs),
    /// Judge what a store holds, with read-only access and pinned keys.
    Verify(crate::verify::args::VerifyArgs),
    /// Try to break a store: does it keep what it locks?
    Probe(crate::probe::args::ProbeArgs),
    /// Prepare a place that can keep evidence.
    Bucket(crate::bucket::command::BucketArgs),
    /// See the whole story in a temporary folder: seal, archive, verify, tamper, verify.
    Demo(crate::demo::DemoArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn words_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn verbosity_is_a_balance() {
        let of = |words: &[&str]| Cli::try_parse_from(words).unwrap().common.verbosity();
        assert_eq!(of(&["holdfast", "archive"]), 0);
        assert_eq!(of(&["holdfast", "-vv", "archive", "-v"]), 1);
        assert_eq!(of(&["holdfast", "archive", "-qq"]), -2);
    }
}
