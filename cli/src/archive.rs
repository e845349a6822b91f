//! `holdfast archive`: words in, an exit code out.

pub(crate) mod archive_args;

use crate::output;
use archive_args::{ArchiveArgs, ArchiveCommand, StatusFormat};
use archiver::archive::Until;
use archiver::config::{Config, KEYS};
use archiver::{archive, check, status};
use host::health::{StatusHead, WRITE_EVERY};
use host::settings::{Environment, SettingsError};
use host::{exit, hardening};
use std::io;

/// Why there is neither a run nor an answer.
#[derive(Debug, thiserror::Error)]
enum ArchiveError {
    #[error(transparent)]
    Config(#[from] SettingsError),
    #[error("`status` only looks: it goes with neither --once nor --check")]
    OnlyLooks,
    #[error(transparent)]
    Start(#[from] archive::StartError),
    #[error(transparent)]
    Status(#[from] status::StatusError),
    #[error("cannot write the answer as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

impl ArchiveError {
    fn exit(&self) -> u8 {
        match self {
            Self::Config(_) | Self::OnlyLooks => exit::USAGE,
            Self::Start(error) => error.exit(),
            Self::Status(_) | Self::Json(_) | Self::System(_) => exit::UNFINISHED,
        }
    }
}

/// Runs the command; its exit code. `environment` overrides the file.
pub(crate) fn run(args: &ArchiveArgs, environment: &Environment) -> u8 {
    let done = start(args, environment).unwrap_or_else(|error| {
        output::complain(&error);
        error.exit()
    });
    tracing::debug!(exit = done, "done");
    done
}

fn start(args: &ArchiveArgs, environment: &Environment) -> Result<u8, ArchiveError> {
    for warning in unknown_variables(environment) {
        tracing::warn!("{warning}");
    }
    // It holds the store's credentials. New privileges are not forbidden: a `credential_process` may need them.
    hardening::forbid_dumps();
    let config = Config::read(&args.config, environment)?;
    match &args.command {
        Some(_) if args.once || args.check => Err(ArchiveError::OnlyLooks),
        Some(ArchiveCommand::Status {
            format,
            watch: true,
        }) => Ok(watch_status(&config, *format)),
        Some(ArchiveCommand::Status { format, .. }) => show_status(&config, *format),
        None if args.check => show_check(&config, args),
        None => {
            let timeout = args.timeout.into();
            let until = if args.once {
                Until::Drained { timeout }
            } else {
                Until::Stopped
            };
            Ok(archive::run(&config, until)?)
        }
    }
}

fn show_status(config: &Config, form: StatusFormat) -> Result<u8, ArchiveError> {
    let (text, code) = status_now(config, form)?;
    Ok(output::print(&text).max(code))
}

/// Shows the status again and again; one that can't be read may be there the next time.
fn watch_status(config: &Config, form: StatusFormat) -> u8 {
    host::cli::repeat(output::PROGRAM, WRITE_EVERY, || {
        status_now(config, form).unwrap_or_else(|error| {
            output::complain(&error);
            (String::new(), error.exit())
        })
    })
}

/// The status in words or JSON, and its exit code.
fn status_now(config: &Config, form: StatusFormat) -> Result<(String, u8), ArchiveError> {
    let now = host::clock::now();
    match (status::read(config, now), form) {
        (Ok(status), StatusFormat::Text) => Ok((status.to_string(), status.head.exit())),
        (Ok(status), StatusFormat::Json) => {
            Ok((serde_json::to_string(&status)? + "\n", status.head.exit()))
        }
        (Err(error), StatusFormat::Text) => Err(error.into()),
        (Err(error), StatusFormat::Json) => {
            output::complain(&error);
            let head = StatusHead::missing(archiver::health::PROGRAM, &error, now);
            Ok((serde_json::to_string(&head)? + "\n", head.exit()))
        }
    }
}

fn show_check(config: &Config, args: &ArchiveArgs) -> Result<u8, ArchiveError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let checked = runtime.block_on(check::check(config));
    let code = if checked.faults.is_empty() {
        exit::CLEAN
    } else {
        exit::UNFINISHED
    };
    let head = format!("config {}\n", args.config.display());
    Ok(output::print(&(head + &checked.to_string())).max(code))
}

/// Variables of Holdfast's that nothing of `holdfast` reads, to be warned of.
fn unknown_variables(environment: &Environment) -> Vec<String> {
    // Often set side by side with the archiver's.
    let agents = agent::config::KEYS.iter();
    let agents: Vec<_> = agents
        .filter_map(|key| key.variable(agent::config::KEYS))
        .collect();
    let others = agents
        .iter()
        .map(String::as_str)
        .chain(["HOLDFAST_SIGNERS"]);
    environment.unknown_variables(KEYS, &others.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_agent_knows_which_variables_are_the_archivers() {
        let own = KEYS.iter().filter_map(|key| key.variable(KEYS));
        let agents: Vec<_> = agent::config::KEYS
            .iter()
            .filter_map(|key| key.variable(agent::config::KEYS))
            .collect();
        let own = own.filter(|name| !agents.contains(name));
        let mut own: Vec<_> = own.chain(["HOLDFAST_SIGNERS".into()]).collect();
        let mut known = agent::config::ARCHIVERS.to_vec();
        own.sort_unstable();
        known.sort_unstable();
        assert_eq!(own, known);
    }
}
