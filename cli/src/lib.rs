//! `holdfast`, for operators and auditors: what people type, and what they get to read.
//!
//! Each command has a file: its words, what it calls, its exit code. The work is done by the crates that
//! the commands are named after; this one alone knows them all.

#![forbid(unsafe_code)]

mod archive;
pub mod bucket;
mod command_line;
mod demo;
mod explain;
mod output;
mod probe;
mod verify;

use command_line::{Cli, Command};
use host::exit;
use host::settings::Environment;
use output::PROGRAM;
use std::process::ExitCode;

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    exit::abort_on_panic();
    ExitCode::from(host::cli::parse(PROGRAM).map_or_else(|code| code, dispatch))
}

fn dispatch(cli: Cli) -> u8 {
    let environment = Environment::of(std::env::vars_os());
    // The demo tells its own story; what the programs log beside it would drown it.
    let quieter = i8::from(matches!(cli.command, Command::Demo(_)));
    host::logging::init(
        cli.log.log_format,
        cli.log.verbosity().saturating_sub(quieter),
        environment.log_filter(),
    );
    match cli.command {
        Command::Archive(args) => archive::run(&args, &environment),
        Command::Verify(args) => verify::run(&args),
        Command::Probe(args) => probe::run(&args),
        Command::Bucket(args) => bucket::command::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::About(about) => about.run::<Cli>(PROGRAM, archiver::config::sample),
        Command::Explain(args) => explain::run(&args),
    }
}
