//! Where the demo runs: a folder with a log, an agent, a spool, an archive and an auditor's key file.

use archiver::archive::{TIMEOUT, Until};
use auditor::report::AuditReport;
use auditor::{AuditOptions, Progress, verify};
use host::settings::{Environment, SettingsError};
use ledger::signature::signers::{AllowedSigners, SignersError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::{OpenError, Store as _, StoreError, StoreOptions};

/// Room for all that the demo copies, should nothing of it compress.
const SPOOL_CAP: &str = "8GiB";

/// Why a step of the demo could not be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum SetupError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Init(#[from] agent::InitError),
    #[error(transparent)]
    Agent(#[from] agent::RunError),
    #[error("the agent left something undone: {0}")]
    Undone(String),
    #[error(transparent)]
    Archiver(#[from] archiver::archive::StartError),
    #[error("the archiver ended with exit code {0}")]
    Archive(u8),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Signers(#[from] SignersError),
    #[error("{}: not what the demo archived", .0.display())]
    NotAsArchived(PathBuf),
    #[error("cannot sign: {0}")]
    Sign(String),
}

/// Adds the path to what the system says.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> SetupError {
    let path = path.to_path_buf();
    |source| SetupError::Io { path, source }
}

/// The demo's folder, set up.
pub(super) struct DemoSetup {
    folder: PathBuf,
    config: agent::Config,
}

impl DemoSetup {
    /// Makes the folder, writes both configurations and initialises the agent.
    pub(super) fn make() -> Result<Self, SetupError> {
        let temporary = std::env::temp_dir();
        let made = tempfile::Builder::new()
            .prefix("holdfast-demo-")
            .tempdir_in(&temporary);
        // It stays: the user is invited to look around in it.
        let folder = made.map_err(at(&temporary))?.keep();
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text)
                .map_err(at(&path))
                .map(|()| path)
        };
        let archive = folder.join("archive");
        std::fs::create_dir(&archive).map_err(at(&archive))?;
        let quoted = |name: &str| toml_text(&folder.join(name).display().to_string());
        let agent_toml = format!(
            "agent = \"demo\"\nspool = {}\nstate = {}\nspool_cap = \"{SPOOL_CAP}\"\n\n[[stream]]\nname = \"app\"\n\
             include = [{}]\nretention = \"1d\"\n",
            quoted("spool"),
            quoted("agent"),
            quoted("logs/*/*"),
        );
        let config =
            agent::Config::read(&write("agent.toml", &agent_toml)?, &Environment::default())?;
        let archive = format!("file://{}", archive.display());
        let archiver_toml = format!(
            "spool = {}\nstore = {}\n",
            quoted("spool"),
            toml_text(&archive)
        );
        write("archiver.toml", &archiver_toml)?;
        let initialised = agent::init(&config)?;
        write("signers", &(initialised.signers_line + "\n"))?;
        Ok(Self { folder, config })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs the agent over what is there.
    pub(super) fn drain(&self) -> Result<(), SetupError> {
        let undone = agent::Agent::open(&self.config)?.drain()?.0;
        if undone.is_empty() {
            return Ok(());
        }
        Err(SetupError::Undone(undone.join("; ")))
    }

    /// How many batches and heartbeats stand sealed in the spool.
    pub(super) fn count_batches(&self) -> Result<usize, SetupError> {
        files_below(&self.folder.join("spool/sealed"), "manifest").map(|found| found.len())
    }

    /// Runs the archiver until the spool is drained.
    pub(super) fn archive(&self) -> Result<(), SetupError> {
        let config = self.folder.join("archiver.toml");
        let config = archiver::Config::read(&config, &Environment::default())?;
        let until = Until::Drained { timeout: TIMEOUT };
        match archiver::archive::run(&config, until)? {
            host::exit::CLEAN => Ok(()),
            code => Err(SetupError::Archive(code)),
        }
    }

    /// Judges the archive.
    pub(super) fn verify(&self) -> Result<AuditReport, SetupError> {
        self.judge(&self.folder.join("archive"), false)
    }

    /// Judges a copy of it: locks don't survive copying, content does.
    pub(super) fn verify_copy(&self, copy: &Path) -> Result<AuditReport, SetupError> {
        self.judge(copy, true)
    }

    fn judge(&self, folder: &Path, copy: bool) -> Result<AuditReport, SetupError> {
        let path = self.folder.join("signers");
        let signers = std::fs::read_to_string(&path).map_err(at(&path))?;
        let signers = Arc::new(AllowedSigners::parse(&signers)?);
        let runtime = tokio::runtime::Runtime::new().map_err(at(folder))?;
        runtime.block_on(async {
            let url = format!("file://{}", folder.display());
            let store = store::open(&url, &StoreOptions::default()).await?;
            let now = store.now().await?;
            let options = AuditOptions {
                copy,
                ..AuditOptions::new(1)
            };
            let progress = Arc::new(Progress::default());
            Ok(verify(Arc::new(store), signers, options, now, progress).await)
        })
    }

    /// A fresh, writable copy of the archive.
    pub(super) fn copy(&self, number: u32) -> Result<PathBuf, SetupError> {
        let (from, to) = (
            self.folder.join("archive"),
            self.folder.join(format!("copy-{number}")),
        );
        for path in files_below(&from, "")? {
            let Ok(below) = path.strip_prefix(&from) else {
                continue;
            };
            let target = to.join(below);
            if let Some(parent) = target.parent() {
                std::fs::create_dir_all(parent).map_err(at(parent))?;
            }
            let bytes = std::fs::read(&path).map_err(at(&path))?;
            std::fs::write(&target, bytes).map_err(at(&target))?;
        }
        Ok(to)
    }
}

/// Files below `folder` whose names end in `ending`, sorted.
pub(super) fn files_below(folder: &Path, ending: &str) -> Result<Vec<PathBuf>, SetupError> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).map_err(at(&next))? {
            let entry = entry.map_err(at(&next))?;
            let path = entry.path();
            if entry.file_type().map_err(at(&path))?.is_dir() {
                folders.push(path);
            } else if entry
                .file_name()
                .as_encoded_bytes()
                .ends_with(ending.as_bytes())
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A TOML string: quotes and backslashes of a path escaped.
fn toml_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
