//! The command line, as typed. Each command's arguments live beside the command; here they are joined.

use clap::{Parser, Subcommand};
use host::cli::{About, LogArgs};

const EXAMPLES: &str = "\
Examples:
  holdfast demo
  holdfast bucket create --store s3://audit-logs/prod --retention 1d
  holdfast probe --store s3://audit-logs/prod
  holdfast archive --config /etc/holdfast/archiver.toml
  holdfast verify --store s3://audit-logs/prod --signers web-01.signers
  holdfast explain SEQ_GAP";

/// Archives logs so that nobody can change or drop a line afterwards without an auditor seeing it
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, after_long_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Arguments of every command.
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Upload sealed batches from the spool and see them locked
    Archive(crate::archive::archive_args::ArchiveArgs),
    /// Judge what a store holds, with read-only access and pinned keys
    Verify(crate::verify::verify_args::VerifyArgs),
    /// Say what a finding means, what may have caused it and what to do
    Explain(crate::explain::ExplainArgs),
    /// Try to break a store: does it keep what it locks
    Probe(crate::probe::probe_args::ProbeArgs),
    /// Prepare a place that can keep evidence
    Bucket(crate::bucket::command::BucketArgs),
    /// See the whole story in a temporary folder: seal, archive, verify, tamper, verify
    Demo(crate::demo::DemoArgs),
    /// What the program writes about itself.
    #[command(flatten)]
    About(About),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_consistent() {
        host::cli::command::<Cli>().debug_assert();
    }

    #[test]
    fn verbosity_is_a_balance() {
        let of = |words: &[&str]| Cli::try_parse_from(words).unwrap().log.verbosity();
        assert_eq!(of(&["holdfast", "archive"]), 0);
        assert_eq!(of(&["holdfast", "-vv", "archive", "-v"]), 1);
        assert_eq!(of(&["holdfast", "archive", "-qq"]), -2);
        assert_eq!(of(&["holdfast", "-v", "archive", "-q"]), 0);
    }
}
