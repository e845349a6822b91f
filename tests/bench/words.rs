//! What may be said to `./bench`.

use crate::rows::Selection;
use clap::Parser;
use std::path::PathBuf;

/// How messages name the program.
pub(crate) const PROGRAM: &str = "bench";

const EXAMPLES: &str = "\
Examples:
  ./bench                                     every row: over half an hour on two cores
  ./bench --rows list
  ./bench --rows stored,agent,archiver,verify --json before.json
  ./bench --rows agent --compare before.json
  ./bench --rows stored --size 20MB --runs 1  a look whether it works

A name before a dot takes all rows that begin with it. Figures are worth comparing on one quiet machine only.";

/// Measure what the programs cost, beside the bare kernel of the same work
#[derive(Debug, Parser)]
#[command(name = "bench", after_long_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Words {
    /// Measure these rows, separated by commas; `list` names them all
    #[arg(long, value_name = "A,B", default_value = "all")]
    pub(crate) rows: Selection,
    /// Write the figures to this file as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Show the change against the figures in this file, which --json wrote
    #[arg(long, value_name = "FILE")]
    pub(crate) compare: Option<PathBuf>,
    /// Size of the log that is measured, but for the rows of the large one
    #[arg(long, value_name = "SIZE", default_value = "400MB", value_parser = size)]
    pub(crate) size: u64,
    /// Measure each row so many times [default: 5; rows that take long: fewer]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=99))]
    pub(crate) runs: Option<u64>,
}

impl Words {
    /// How many times to measure what is worth `preset` times.
    pub(crate) fn runs(&self, preset: u64) -> u64 {
        self.runs.unwrap_or(preset)
    }
}

fn size(text: &str) -> Result<u64, String> {
    let size = parse_size::parse_size(text).map_err(|error| error.to_string())?;
    if size == 0 {
        return Err("a log of no bytes has nothing to measure".into());
    }
    Ok(size)
}
