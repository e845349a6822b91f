//! The words of `holdfast-agent` and what each of them does. The only place that prints or maps
//! errors to exit codes.

pub(crate) mod check;
pub(crate) mod cost;
pub(crate) mod init;
mod stop_limit;

use crate::agent::status_file::{AgentStatus, PROGRAM};
use crate::agent::{Agent, RunError, Stop, Unfinished};
use crate::commands::init::init;
use crate::config::{self, Config, DEFAULT_PATH};
use crate::recovery::adoption::{Adoptions, After};
use crate::recovery::snapshot::SnapshotError;
use crate::sealing::signing_key::KeyError;
use crate::spool::SpoolError;
use clap::{Parser, Subcommand, ValueEnum};
use host::cli::{About, LogArgs};
use host::health::{StatusHead, WRITE_EVERY};
use host::progress::Progress;
use host::settings::Environment;
use host::{clock, exit, hardening, logging};
use ledger::limits::DAY_S;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;

/// Follows log files and seals what they say into signed batches
#[derive(Debug, Parser)]
#[command(name = PROGRAM, version, after_long_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Configuration file
    #[arg(long, global = true, env = "HOLDFAST_CONFIG", value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the spool, the state folder and the key; print the line for allowed_signers
    #[command(after_long_help = INIT_EXAMPLES)]
    Init {
        /// Continue what was sealed elsewhere, as `holdfast verify` prints it; from the next start on
        #[arg(
            long,
            value_name = "STREAM:EPOCH:SEQ:SHA256:RETENTION_MAX_S:SEALED_MAX"
        )]
        after: Vec<After>,
    },
    /// Show what `run` would do and what would go wrong: files, space, cost; change nothing
    Check,
    /// Follow the files and seal batches until SIGTERM
    Run,
    /// Seal all that is there, unfinished last lines included, and exit
    Drain,
    /// Go over to a new signing key; print its line for allowed_signers
    #[command(after_long_help = ROTATE_EXAMPLES)]
    RotateKey,
    /// Show the running agent's status
    #[command(after_long_help = STATUS_EXAMPLES)]
    Status {
        /// Form of the answer
        #[arg(long, value_enum, default_value = "text", value_name = "FORM")]
        format: StatusForm,
        /// Show it again every 5 seconds, until nobody reads it any longer
        #[arg(long)]
        watch: bool,
    },
    #[command(flatten)]
    About(About),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StatusForm {
    /// For people
    Text,
    /// For programs
    Json,
}

const EXAMPLES: &str = "\
Examples, in the order of a first day:
  holdfast-agent sample-config > /etc/holdfast/agent.toml
  holdfast-agent init > web-01.signers
  holdfast-agent check
  holdfast-agent run
  holdfast-agent status";

const INIT_EXAMPLES: &str = "\
Examples:
  holdfast-agent init --config agent.toml > web-01.signers
  holdfast-agent init --config agent.toml --after auth:0192…:41:9f86…:86400:2026-11-22T10:00:00.000000Z

The line on stdout is the public key: give it to the auditor by a road that the bucket's owner does
not control. Run again, it makes what is missing, changes nothing and prints the same line.";

const ROTATE_EXAMPLES: &str = "\
Examples:
  systemctl stop holdfast-agent
  holdfast-agent rotate-key >> web-01.signers
  systemctl start holdfast-agent

The agent must be stopped. The last manifest that the old key signs in each stream names the new one,
which counts once the auditor has pinned it: give the line on stdout to the auditor, who keeps the old
line too. Run again after a failure, it continues with the same new key.";

const STATUS_EXAMPLES: &str = "\
Examples:
  holdfast-agent status
  holdfast-agent status --format json | jq '.health, .reasons'
  holdfast-agent status --watch

It ends with 0 if an agent runs and is healthy or degraded. It ends with 2 if it is unhealthy, does not run,
or has not written its status for 15 seconds.";

/// Runs the program on the process's arguments and environment.
#[must_use]
pub fn main() -> ExitCode {
    exit::abort_on_panic();
    let cli: Cli = match host::cli::parse(PROGRAM) {
        Ok(cli) => cli,
        Err(code) => return ExitCode::from(code),
    };
    let environment = Environment::of(std::env::vars_os());
    let filter = environment.log_filter();
    logging::init(cli.log.log_format, cli.log.verbosity(), filter);
    hardening::forbid_dumps();
    hardening::forbid_new_privileges();
    ExitCode::from(dispatch(&cli, &environment))
}

fn dispatch(cli: &Cli, environment: &Environment) -> u8 {
    if let Command::About(about) = &cli.command {
        return about.run::<Cli>(PROGRAM, config::sample);
    }
    for warning in environment.unknown_variables(config::KEYS, config::ARCHIVERS) {
        tracing::warn!("{warning}");
    }
    let config = match Config::read(&cli.config, environment) {
        Ok(config) => config,
        Err(error) => return fail(&error, exit::USAGE),
    };
    match &cli.command {
        Command::About(_) => exit::CLEAN,
        Command::Init { after } => set_up(&config, after),
        Command::Check => {
            let report = check::check(&config);
            let code = match (report.is_other_version, report.faults.is_empty()) {
                (true, _) => exit::USAGE,
                (false, true) => exit::CLEAN,
                (false, false) => exit::UNFINISHED,
            };
            print(&report.to_string()).max(code)
        }
        Command::Run => run(&config),
        Command::Drain => drain(&config),
        Command::RotateKey => rotate_key(&config),
        Command::Status {
            format,
            watch: true,
        } => host::cli::repeat(PROGRAM, WRITE_EVERY, || {
            // One that cannot be read may be there the next time.
            status(&config, *format).unwrap_or_else(|code| (String::new(), code))
        }),
        Command::Status { format, .. } => match status(&config, *format) {
            Ok((text, code)) => print(&text).max(code),
            Err(code) => code,
        },
    }
}

fn set_up(config: &Config, afters: &[After]) -> u8 {
    let known = |after: &&After| {
        config
            .streams
            .iter()
            .any(|stream| stream.name == after.0.stream)
    };
    if let Some(stray) = afters.iter().find(|after| !known(after)) {
        let path = config.path.display();
        let message = format!("--after: {path} has no stream named {}", stray.0.stream);
        return fail(&message, exit::USAGE);
    }
    if let Err(error) = check::refuse_other_version(config) {
        return fail(&error, exit::USAGE);
    }
    let latest = clock::now().plus_s(DAY_S);
    if let Some(After(late)) = afters.iter().find(|after| after.0.sealed_max > latest) {
        let message = format!(
            "--after: {} is over a day ahead of this host's clock; nothing of the stream could ever expire lawfully",
            late.sealed_max
        );
        return fail(&message, exit::USAGE);
    }
    let done = match init(config) {
        Ok(done) => done,
        Err(error) => return fail(&error, exit::UNFINISHED),
    };
    if !afters.is_empty()
        && let Err(error) = Adoptions::note(&config.state, afters)
    {
        return fail(&error, exit::UNFINISHED);
    }
    match afters.len() {
        0 if done.made_key || done.made_spool => {}
        0 => tracing::info!("key and spool were there already; nothing was changed"),
        count => tracing::info!(count, "the agent's next start continues these heads"),
    }
    print(&format!("{}\n", done.signers_line))
}

fn run(config: &Config) -> u8 {
    let stop = Stop::default();
    for signal in [SIGTERM, SIGINT] {
        if let Err(error) = signal_hook::flag::register(signal, stop.flag()) {
            return fail(
                &format!("signals cannot be handled: {error}"),
                exit::UNFINISHED,
            );
        }
    }
    if let Err(error) = stop_limit::watch() {
        return fail(
            &format!("signals cannot be watched: {error}"),
            exit::UNFINISHED,
        );
    }
    match Agent::open(config).and_then(|mut agent| agent.run(&stop)) {
        Ok(unfinished) => end(&unfinished),
        Err(error) => fail(&error, code_of(&error)),
    }
}

fn drain(config: &Config) -> u8 {
    let drained = Agent::open(config).and_then(|mut agent| {
        agent.show(Progress::of_bytes());
        agent.drain()
    });
    match drained {
        Ok(unfinished) => end(&unfinished),
        Err(error) => fail(&error, code_of(&error)),
    }
}

fn rotate_key(config: &Config) -> u8 {
    let begun = Agent::open(config).and_then(|mut agent| Ok((agent.next_key_line()?, agent)));
    let (line, agent) = match begun {
        Ok(begun) => begun,
        Err(error) => return fail(&error, code_of(&error)),
    };
    if print(&format!("{line}\n")) != exit::CLEAN {
        tracing::error!(
            "the new key's line was not printed, so nothing is signed by it; run rotate-key again"
        );
        return exit::UNFINISHED;
    }
    match agent.rotate_key() {
        Ok(unfinished) => {
            if !unfinished.0.is_empty() {
                tracing::error!("the old key still signs some streams; run rotate-key again");
            }
            end(&unfinished)
        }
        Err(error) => fail(&error, code_of(&error)),
    }
}

/// The status in words or JSON, and the exit code that goes with it. Where there is none, that has been said.
fn status(config: &Config, format: StatusForm) -> Result<(String, u8), u8> {
    let now = clock::now();
    let (json, code) = match (AgentStatus::read(config, now), format) {
        (Ok(status), StatusForm::Text) => return Ok((status.to_string(), status.head.exit())),
        (Ok(status), StatusForm::Json) => (serde_json::to_string(&status), status.head.exit()),
        (Err(error), StatusForm::Text) => return Err(fail(&error, exit::UNFINISHED)),
        (Err(error), StatusForm::Json) => {
            fail(&error, exit::UNFINISHED);
            let head = StatusHead::missing(PROGRAM, &error, now);
            (serde_json::to_string(&head), head.exit())
        }
    };
    match json {
        Ok(json) => Ok((json + "\n", code)),
        Err(error) => Err(fail(&error, exit::UNFINISHED)),
    }
}

/// A host that is not set up is a matter of configuration; all else may pass.
fn code_of(error: &RunError) -> u8 {
    match error {
        RunError::Spool(SpoolError::NotMade(_) | SpoolError::Other { .. })
        | RunError::Snapshot(SnapshotError::Older { .. } | SnapshotError::Newer { .. }) => {
            exit::USAGE
        }
        RunError::Key(KeyError::Io { .. }) => exit::UNFINISHED,
        RunError::Key(_) => exit::USAGE,
        _ => exit::UNFINISHED,
    }
}

fn end(unfinished: &Unfinished) -> u8 {
    for why in &unfinished.0 {
        tracing::error!("not finished: {why}");
    }
    if unfinished.0.is_empty() {
        exit::CLEAN
    } else {
        exit::UNFINISHED
    }
}

/// Says on stderr why a command ended; its exit code.
fn fail(error: &dyn Display, code: u8) -> u8 {
    host::cli::complain(PROGRAM, error);
    code
}

/// Prints to stdout; the exit code of having done so.
fn print(text: &str) -> u8 {
    host::cli::print(PROGRAM, text)
}
