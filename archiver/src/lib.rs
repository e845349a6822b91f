//! Holdfast for operators and auditors: the archiver, the stores it writes to, and the verifier.
//!
//! It holds no signing key and never reads a log file: what it is given is the spool, what it asks
//! of a store is in [`store`].

#![forbid(unsafe_code)]

pub mod bucket;
pub mod cli;
pub mod config;
pub mod demo;
pub mod explain;
#[cfg(test)]
mod fixture;
pub mod health;
pub mod probe;
pub mod receipt;
pub mod report;
pub mod run;
pub mod spool;
pub mod upload;
pub mod verify;

use cli::{Cli, Command};
use host::exit;
use host::settings::Environment;
use std::process::ExitCode;

/// How messages name the program.
const PROGRAM: &str = "holdfast";

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    exit::abort_on_panic();
    ExitCode::from(host::cli::parse(PROGRAM).map_or_else(|code| code, dispatch))
}

fn dispatch(cli: Cli) -> u8 {
    let environment = Environment::of(std::env::vars_os());
    // The demo tells its own story; what the programs log meanwhile would drown it.
    let quieter = i8::from(matches!(cli.command, Command::Demo(_)));
    host::logging::init(
        cli.log.log_format,
        cli.log.verbosity().saturating_sub(quieter),
        environment.log_filter(),
    );
    match cli.command {
        Command::Archive(args) => run::run(&args, &environment),
        Command::Verify(args) => verify::run(&args),
        Command::Probe(args) => probe::run(&args),
        Command::Bucket(args) => bucket::command::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::About(about) => about.run::<Cli>(PROGRAM, config::sample),
        Command::Explain(args) => explain::run(&args),
    }
}

/// Prints to stdout; the exit code of having done so.
#[must_use]
pub(crate) fn print(text: &str) -> u8 {
    host::cli::print(PROGRAM, text)
}

/// Says on stderr why a command ended.
pub(crate) fn complain(error: &dyn std::fmt::Display) {
    host::cli::complain(PROGRAM, error);
}
