//! `./bench`: what the programs cost on this machine, beside the bare kernel of the same work.
//!
//! Whole processes on a real MinIO, as they are shipped; medians of several runs. It judges nothing: a figure is
//! compared with another build's by `--compare`, on the same machine. A file `…_rows.rs` makes some of the rows.

#![forbid(unsafe_code)]

mod archive_rows;
mod cost;
mod far;
mod far_rows;
mod forged;
mod idle_rows;
mod input;
mod kernel;
mod latency_rows;
mod log_rows;
mod report;
mod results;
mod rows;
mod words;
mod workshop;

use report::Report;
use results::Results;
use std::fs;
use std::process::ExitCode;
use words::Words;
use workshop::Workshop;

fn main() -> ExitCode {
    ExitCode::from(run().unwrap_or_else(|code| code))
}

/// Exit codes as of every Holdfast command.
fn run() -> Result<u8, u8> {
    let words: Words = host::cli::parse(words::PROGRAM)?;
    if words.rows.only_lists() {
        return Ok(host::cli::print(words::PROGRAM, &rows::list()));
    }
    // Before anything is measured: a file that cannot be read is a wrong word.
    let earlier = words.compare.as_deref().map(Report::read).transpose();
    let earlier = earlier.map_err(|error| complain(&error, host::exit::USAGE))?;
    // Before the run: a commit may be made while it lasts.
    let commit = report::commit();
    let results = measure(&words);
    let report = Report::of(commit, &results);
    if let Some(path) = &words.json {
        let written = fs::write(path, report.json());
        let unwritten = |error| format!("cannot write {}: {error}", path.display());
        written.map_err(|error| complain(&unwritten(error), host::exit::UNFINISHED))?;
    }
    let table = match &earlier {
        None => results.table(),
        Some(earlier) => report.beside(earlier),
    };
    Ok(host::cli::print(words::PROGRAM, &table))
}

fn complain(error: &str, code: u8) -> u8 {
    host::cli::complain(words::PROGRAM, &error);
    code
}

/// All that was asked for. What a program under measure gets wrong is a panic that shows its log.
fn measure(words: &Words) -> Results {
    let mut results = Results::new(words.rows.clone());
    let workshop = Workshop::new();
    log_rows::measure(&workshop, words, &mut results);
    idle_rows::measure(words, &mut results);
    latency_rows::measure(&workshop, words, &mut results);
    far_rows::measure(&workshop, words, &mut results);
    archive_rows::measure(&workshop, words, &mut results);
    results
}
