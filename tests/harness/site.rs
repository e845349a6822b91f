//! One host of the product's user: logs, configs, a spool, and the programs run on them.

use crate::account::{Account, root};
use crate::process::{Finished, Running, show};
use crate::programs::{Program, grant};
use crate::server::Server;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// A host in a temporary directory. When its test fails it shows the programs' logs, and with
/// `HOLDFAST_KEEP` set leaves the directory.
#[derive(Debug)]
pub struct Site {
    home: TempDir,
    /// Where the archiver and the auditor find the store; `None` for `file://`.
    endpoint: Option<String>,
    /// What the archiver signs its requests with; the auditor too.
    pub account: Account,
    store: String,
    calls: AtomicU32,
}

impl Site {
    /// A host whose agent `web-01` has the streams given in TOML, archiving to `store`.
    ///
    /// In `streams`, `{logs}` stands for the folder of logs.
    ///
    /// # Panics
    /// When the disk refuses.
    #[must_use]
    pub fn new(store: &str, streams: &str) -> Self {
        let home = TempDir::with_prefix("holdfast-site-").expect("a temporary directory");
        // An agent without root's rights must get in as well.
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(home.path(), open).expect("an own folder's mode can be set");
        for folder in ["logs", "out"] {
            fs::create_dir(home.path().join(folder)).expect("a folder can be made");
        }
        let calls = AtomicU32::new(0);
        let site = Self {
            home,
            endpoint: None,
            account: root(),
            store: store.to_owned(),
            calls,
        };
        site.write_agent_config("", streams);
        site.write_archiver_config("");
        site
    }

    /// The same archiving elsewhere, such as to a folder of its own.
    #[must_use]
    pub fn with_store(mut self, store: &str) -> Self {
        store.clone_into(&mut self.store);
        self.write_archiver_config("");
        self
    }

    /// The same on a server.
    #[must_use]
    pub fn on(server: &Server, store: &str, streams: &str) -> Self {
        Self::at(&server.endpoint(), store, streams)
    }

    /// The same on a server at `endpoint`.
    #[must_use]
    pub fn at(endpoint: &str, store: &str, streams: &str) -> Self {
        let mut site = Self::new(store, streams);
        site.endpoint = Some(endpoint.to_owned());
        site
    }

    /// A path below the host's directory.
    #[must_use]
    pub fn path(&self, below: &str) -> PathBuf {
        self.home.path().join(below)
    }

    /// A path in the folder of logs.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.path("logs").join(name)
    }

    /// The store's URL.
    #[must_use]
    pub fn store(&self) -> &str {
        &self.store
    }

    /// Writes agent.toml: `top` is for further top-level keys.
    ///
    /// # Panics
    /// When the disk refuses.
    pub fn write_agent_config(&self, top: &str, streams: &str) {
        let home = self.home.path().display();
        let streams = streams.replace("{logs}", &self.path("logs").display().to_string());
        let text = format!(
            "agent = \"web-01\"\nspool = \"{home}/spool\"\nstate = \"{home}/state\"\n{top}\n{streams}\n"
        );
        fs::write(self.path("agent.toml"), text).expect("a config can be written");
    }

    /// Writes archiver.toml: `more` is for further keys.
    ///
    /// # Panics
    /// When the disk refuses.
    pub fn write_archiver_config(&self, more: &str) {
        let text = format!(
            "spool = \"{}\"\nstore = \"{}\"\n{more}\n",
            self.path("spool").display(),
            self.store
        );
        fs::write(self.path("archiver.toml"), text).expect("a config can be written");
    }

    /// Makes spool and key by `holdfast-agent init` and pins the key for the auditor.
    ///
    /// # Panics
    /// When `init` fails.
    pub fn init(&self) {
        let line = self.agent(&["init"]).expect(0).stdout;
        fs::write(self.path("signers"), line).expect("a file can be written");
    }

    /// `holdfast-agent <args> --config agent.toml`, to be started.
    #[must_use]
    pub fn agent_command(&self, args: &[&str]) -> Command {
        let mut command = Program::Agent.command();
        command
            .args(args)
            .arg("--config")
            .arg(self.path("agent.toml"));
        command
    }

    /// `holdfast archive --config archiver.toml <args>`, to be started.
    #[must_use]
    pub fn archive_command(&self, args: &[&str]) -> Command {
        let mut command = self.holdfast_command();
        command
            .arg("archive")
            .arg("--config")
            .arg(self.path("archiver.toml"))
            .args(args);
        command
    }

    /// `holdfast`, able to reach the store, to be given arguments.
    #[must_use]
    pub fn holdfast_command(&self) -> Command {
        let mut command = Program::Holdfast.command();
        if let Some(endpoint) = &self.endpoint {
            grant(&mut command, endpoint, &self.account);
        }
        command
    }

    /// Starts a command of this host; its output goes to a log of its own.
    #[must_use]
    pub fn start(&self, command: Command, label: &str) -> Running {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        Running::start(command, &self.path("out"), &format!("{call:03}-{label}"))
    }

    /// Runs `holdfast-agent` to its end.
    #[must_use]
    pub fn agent(&self, args: &[&str]) -> Finished {
        let label = args.first().copied().unwrap_or("agent");
        self.start(self.agent_command(args), label).finish()
    }

    /// Runs `holdfast archive` to its end.
    #[must_use]
    pub fn archive(&self, args: &[&str]) -> Finished {
        self.start(self.archive_command(args), "archive").finish()
    }

    /// Runs `holdfast verify` on the store with the pinned key, to its end.
    #[must_use]
    pub fn verify(&self, args: &[&str]) -> Finished {
        let store = self.store.clone();
        self.verify_at(&store, args)
    }

    /// Runs `holdfast verify` on another store or prefix with the pinned key.
    #[must_use]
    pub fn verify_at(&self, store: &str, args: &[&str]) -> Finished {
        self.start(self.verify_command(store, args), "verify")
            .finish()
    }

    /// `holdfast verify --store <store> <args>` with the pinned key, to be started.
    #[must_use]
    pub fn verify_command(&self, store: &str, args: &[&str]) -> Command {
        let mut command = self.holdfast_command();
        command
            .args(["verify", "--store", store, "--signers"])
            .arg(self.path("signers"))
            .args(args);
        command
    }

    /// Demands of `holdfast verify` exit 0 and no finding above a note; gives its report.
    ///
    /// # Panics
    /// With the findings if it says anything else.
    #[track_caller]
    pub fn verify_clean(&self) -> Value {
        let report = self.verify(&["--format", "json"]).expect(0).stdout;
        let report: Value = serde_json::from_str(&report).expect("a report is JSON");
        let findings = report["findings"].as_array().expect("findings are a list");
        let grave: Vec<_> = findings
            .iter()
            .filter(|finding| finding["severity"] != "note")
            .collect();
        assert!(grave.is_empty(), "exit 0, yet {grave:#?}");
        report
    }

    /// Runs `holdfast bucket create` for the store.
    #[must_use]
    pub fn bucket_create(&self, args: &[&str]) -> Finished {
        let mut command = self.holdfast_command();
        command
            .args(["bucket", "create", "--store", &self.store])
            .args(args);
        self.start(command, "bucket-create").finish()
    }

    /// Files `<seq>/manifest` in the spool: sealed batches that are still kept.
    #[must_use]
    pub fn sealed(&self) -> Vec<PathBuf> {
        sealed(&self.path("spool"))
    }

    /// Sealed batches without a receipt.
    #[must_use]
    pub fn unreceipted(&self) -> Vec<PathBuf> {
        unreceipted(&self.path("spool"))
    }
}

/// Files `<seq>/manifest` in a spool: sealed batches that are still kept.
#[must_use]
pub fn sealed(spool: &Path) -> Vec<PathBuf> {
    let mut found = files_below(&spool.join("sealed"));
    found.retain(|path| path.ends_with("manifest"));
    found
}

/// Sealed batches of a spool without a receipt.
#[must_use]
pub fn unreceipted(spool: &Path) -> Vec<PathBuf> {
    let (folder, receipts) = (spool.join("sealed"), spool.join("receipts"));
    let has_receipt = |manifest: &PathBuf| {
        let slot = manifest
            .parent()
            .and_then(|slot| slot.strip_prefix(&folder).ok());
        slot.is_some_and(|slot| receipts.join(slot).with_extension("receipt").exists())
    };
    let mut found = sealed(spool);
    found.retain(|manifest| !has_receipt(manifest));
    found
}

impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            if std::env::var_os("HOLDFAST_KEEP").is_some() {
                self.home.disable_cleanup(true);
            }
            let mut logs = files_below(&self.path("out"));
            logs.sort();
            // The newest calls tell most; a kill test makes hundreds.
            for log in logs.iter().rev().take(6).rev() {
                show(log);
            }
        }
    }
}

/// All files below a folder; one that vanishes during the walk is left out.
#[must_use]
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(_) => files.push(entry.path()),
                Err(_) => {}
            }
        }
    }
    files
}
