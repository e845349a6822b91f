//! The edge of `holdfast verify`: the files, the store, the terminal and the exit code.

pub(crate) mod verify_args;

use crate::output;
use auditor::report::AuditReport;
use auditor::{AuditOptions, Progress, verify};
use host::terminal::Style;
use host::{disk, exit};
use ledger::limits::SIGNERS_FILE_MAX;
use ledger::signature::signers::{AllowedSigners, SignersError};
use std::io::{self, IsTerminal as _, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::available_parallelism;
use store::{OpenError, Store as _, StoreError, StoreOptions};
use verify_args::{ReportFormat, VerifyArgs};

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum VerifyError {
    #[error("cannot read the signers file {}: {error}; `holdfast-agent init` prints its line", path.display())]
    Signers { path: PathBuf, error: io::Error },
    #[error("{}: not UTF-8, expected an allowed_signers file", path.display())]
    Text { path: PathBuf },
    #[error("{}: {error}", path.display())]
    Line { path: PathBuf, error: SignersError },
    #[error("{}: no key is pinned; `holdfast-agent init` prints an agent's line", path.display())]
    NoSigner { path: PathBuf },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the store does not answer: {0}")]
    Store(StoreError),
    #[error("cannot write the report to {}: {error}", path.display())]
    Output { path: PathBuf, error: io::Error },
    #[error("cannot write the report: {0}")]
    Stdout(io::Error),
    #[error("cannot write the report as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

impl VerifyError {
    fn exit(&self) -> u8 {
        match self {
            Self::Signers { .. }
            | Self::Text { .. }
            | Self::Line { .. }
            | Self::NoSigner { .. }
            | Self::Open(_) => exit::USAGE,
            Self::Store(_)
            | Self::Output { .. }
            | Self::Stdout(_)
            | Self::Json(_)
            | Self::System(_) => exit::UNFINISHED,
        }
    }
}

/// Runs the command; its exit code is the verdict's.
#[must_use]
pub(crate) fn run(args: &VerifyArgs) -> u8 {
    let done = judge(args).and_then(|report| {
        deliver(args, &report)?;
        Ok(report.exit_code)
    });
    done.unwrap_or_else(|error| {
        output::complain(&error);
        error.exit()
    })
}

fn judge(args: &VerifyArgs) -> Result<AuditReport, VerifyError> {
    let signers = Arc::new(read_signers(&args.signers)?);
    let cores = args.jobs.or_else(|| available_parallelism().ok());
    let options = AuditOptions {
        copy: args.copy,
        agent: args.agent.clone(),
        stream: args.stream.clone(),
        grace_s: args.grace.0.as_secs(),
        ..AuditOptions::new(cores.map_or(1, NonZeroUsize::get))
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let settings = StoreOptions {
            force_path_style: args.force_path_style,
            ..StoreOptions::default()
        };
        let store = store::open(&args.store, &settings).await?;
        let now = store.now().await.map_err(VerifyError::Store)?;
        let progress = Arc::new(Progress::of("manifests"));
        Ok(verify(Arc::new(store), signers, options, now, progress).await)
    })
}

fn read_signers(path: &Path) -> Result<AllowedSigners, VerifyError> {
    let bytes = disk::read_bounded(path, SIGNERS_FILE_MAX as u64).map_err(|error| {
        VerifyError::Signers {
            path: path.into(),
            error,
        }
    })?;
    let text = String::from_utf8(bytes).map_err(|_| VerifyError::Text { path: path.into() })?;
    let signers = AllowedSigners::parse(&text).map_err(|error| VerifyError::Line {
        path: path.into(),
        error,
    })?;
    if signers.is_empty() {
        return Err(VerifyError::NoSigner { path: path.into() });
    }
    Ok(signers)
}

fn deliver(args: &VerifyArgs, report: &AuditReport) -> Result<(), VerifyError> {
    let style = Style::for_terminal(args.output.is_none() && io::stdout().is_terminal());
    let text = match args.format {
        ReportFormat::Text => report.text(style),
        ReportFormat::Json => report.json()?,
    };
    let Some(path) = &args.output else {
        return match io::stdout().lock().write_all(text.as_bytes()) {
            // Whoever closed the pipe has read what they wanted.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(VerifyError::Stdout),
        };
    };
    let unwritten = |error| VerifyError::Output {
        path: path.clone(),
        error,
    };
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| unwritten(io::ErrorKind::InvalidInput.into()))?;
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or_else(|| Path::new("."));
    disk::write_durable(parent, name, text.as_bytes()).map_err(unwritten)
}
