//! The edge of `holdfast probe`: the store, the clock, the terminal and the exit code.

pub(crate) mod probe_args;

use crate::output;
use host::terminal::Style;
use host::{disk, exit};
use probe::{ProbeOptions, ProbeReport, TICK, probe};
use probe_args::{ProbeArgs, ProbeFormat};
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use store::{Location, OpenError, SetupFault, Store as _, StoreOptions};

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum ProbeError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Absent(SetupFault),
    #[error(
        "--scratch-bucket {0}: expected another bucket than the store's, on the same server, for a \
         store that is a bucket"
    )]
    Scratch(String),
    #[error("cannot write the report: {0}")]
    Stdout(io::Error),
    #[error("cannot write the report as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

impl ProbeError {
    fn exit(&self) -> u8 {
        match self {
            Self::Open(_) | Self::Absent(_) | Self::Scratch(_) => exit::USAGE,
            Self::Stdout(_) | Self::Json(_) | Self::System(_) => exit::UNFINISHED,
        }
    }
}

/// Runs the command; its exit code is the verdict's.
#[must_use]
pub(crate) fn run(args: &ProbeArgs) -> u8 {
    let done = try_store(args).and_then(|report| {
        deliver(args, &report)?;
        Ok(report.exit_code)
    });
    done.unwrap_or_else(|error| {
        output::complain(&error);
        error.exit()
    })
}

fn try_store(args: &ProbeArgs) -> Result<ProbeReport, ProbeError> {
    let scratch_url = scratch_url(args)?;
    let run = disk::random_name()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let settings = StoreOptions {
            force_path_style: args.force_path_style,
            ..StoreOptions::default()
        };
        let store = store::open(&args.store, &settings).await?;
        let scratch = match scratch_url {
            Some(url) => Some(store::open(&url, &settings).await?),
            None => None,
        };
        // A place that isn't there has no rows to be asked.
        if let Err(fault @ SetupFault::Absent { .. }) = store.check().await {
            return Err(ProbeError::Absent(fault));
        }
        let shown = io::stderr().is_terminal();
        let options = ProbeOptions {
            run: &run,
            lock_s: args.lock,
            clock: host::clock::now,
            tick: TICK,
            tell: &|what| show(shown, what),
        };
        let report = probe(Arc::new(store), scratch.as_ref(), &options).await;
        show(shown, "");
        Ok(report)
    })
}

/// The scratch bucket's URL. Never the store's own bucket: its versioning is what protects it.
fn scratch_url(args: &ProbeArgs) -> Result<Option<String>, ProbeError> {
    let Some(name) = &args.scratch_bucket else {
        return Ok(None);
    };
    match args.store.parse()? {
        Location::Bucket { bucket, .. } if bucket != *name && !name.contains('/') => {
            Ok(Some(format!("s3://{name}")))
        }
        _ => Err(ProbeError::Scratch(name.clone())),
    }
}

/// One line on a terminal that says what is being tried; nothing on a pipe.
fn show(shown: bool, what: &str) {
    if shown {
        // A terminal that went away is no error of ours.
        drop(io::stderr().write_all(format!("\r{what}\x1b[K").as_bytes()));
    }
}

fn deliver(args: &ProbeArgs, report: &ProbeReport) -> Result<(), ProbeError> {
    let text = match args.format {
        ProbeFormat::Text => report.text(Style::for_terminal(io::stdout().is_terminal())),
        ProbeFormat::Json => report.json()?,
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever closed the pipe has read what they wanted.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(ProbeError::Stdout),
    }
}
