//! A host as docs/operations.md ("Who owns what") sets it up: agent and archiver are two users, and a group of the
//! agent's shares the spool. It needs root.

use crate::process::Finished;
use crate::rights::{copy_program, is_root};
use crate::site::Site;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The agent's user, and the group that shares the spool.
pub const AGENT: u32 = 10_001;

/// The archiver's user, and its own group.
pub const ARCHIVER: u32 = 10_002;

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    /// [`AGENT`]
    Agent,
    /// [`ARCHIVER`], in the agent's group as well.
    Archiver,
}

/// A host with two users, both under one umask.
#[derive(Debug)]
pub struct TwoUsers {
    /// Its spool and state are the agent's.
    pub site: Site,
    /// Copies that both users may run.
    programs: TempDir,
    umask: &'static str,
}

impl TwoUsers {
    /// A host with spool, key, a store in `evidence/store` and no batch, made by its users under `umask`. `None`, which
    /// is said, without root.
    ///
    /// # Panics
    /// When something cannot be made.
    #[must_use]
    pub fn new(umask: &'static str, top: &str, streams: &str) -> Option<Self> {
        if !is_root() {
            println!("SKIPPED: nobody but root can run programs as two users");
            return None;
        }
        let site = Site::new("file:///unused", streams);
        let store = format!("file://{}", site.path("evidence/store").display());
        let site = site.with_store(&store);
        site.write_agent_config(top, streams);
        let evidence = site.path("evidence");
        fs::create_dir(&evidence).expect("a folder can be made");
        chown(&evidence, Some(ARCHIVER), Some(ARCHIVER)).expect("root may give it away");
        // A folder for spool and state to be made in.
        chown(site.path("."), Some(AGENT), Some(AGENT)).expect("root may give it away");
        let programs = TempDir::with_prefix("holdfast-programs-").expect("a temporary directory");
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(programs.path(), open).expect("an own folder's mode can be set");
        let host = Self {
            site,
            programs,
            umask,
        };
        let line = host.run(User::Agent, &host.site.agent_command(&["init"]));
        fs::write(host.site.path("signers"), line.expect(0).stdout).expect("a file can be written");
        host.give_receipts_to(ARCHIVER);
        let mut create = host.site.holdfast_command();
        create.args(["bucket", "create", "--store", &store, "--retention", "1d"]);
        drop(host.run(User::Archiver, &create).expect(0));
        Some(host)
    }

    /// `receipts/`
    #[must_use]
    pub fn receipts(&self) -> PathBuf {
        self.site.path("spool/receipts")
    }

    /// Makes a user the owner of `receipts/`, as an operator does.
    ///
    /// # Panics
    /// Without root.
    pub fn give_receipts_to(&self, user: u32) {
        chown(self.receipts(), Some(user), None).expect("root may give it away");
    }

    /// `plain` as one of the users, to be started.
    #[must_use]
    pub fn command(&self, user: User, plain: &Command) -> Command {
        self.as_user(user, &self.own_copy(plain))
    }

    /// `plain` with its program copied to where both users may run it.
    #[must_use]
    pub fn own_copy(&self, plain: &Command) -> Command {
        let program = Path::new(plain.get_program()).file_name();
        let copy = self.programs.path().join(program.unwrap_or_default());
        if !copy.exists() {
            return copy_program(plain, &copy);
        }
        let mut again = Command::new(&copy);
        again.args(plain.get_args());
        pass_on(plain, &mut again);
        again
    }

    /// The same of a program that everybody may run where it is.
    #[must_use]
    pub fn as_user(&self, user: User, plain: &Command) -> Command {
        let (uid, groups) = match user {
            User::Agent => (AGENT, "--clear-groups".to_owned()),
            User::Archiver => (ARCHIVER, format!("--groups={AGENT}")),
        };
        let mut command = Command::new("setpriv");
        command.args([
            &format!("--reuid={uid}"),
            &format!("--regid={uid}"),
            &groups,
        ]);
        command.args(["--", "sh", "-c"]);
        command.arg(format!("umask {}; exec \"$@\"", self.umask));
        command.arg("sh").arg(plain.get_program());
        command.args(plain.get_args());
        pass_on(plain, &mut command);
        command
    }

    /// Runs `plain` as one of the users to its end.
    #[must_use]
    pub fn run(&self, user: User, plain: &Command) -> Finished {
        let label = if user == User::Agent {
            "agent"
        } else {
            "archiver"
        };
        self.site.start(self.command(user, plain), label).finish()
    }

    /// `holdfast-agent <args>` to its end.
    #[must_use]
    pub fn agent(&self, args: &[&str]) -> Finished {
        self.run(User::Agent, &self.site.agent_command(args))
    }

    /// `holdfast archive <args>` to its end.
    #[must_use]
    pub fn archive(&self, args: &[&str]) -> Finished {
        self.run(User::Archiver, &self.site.archive_command(args))
    }
}

/// Gives a command the environment of another one, and nothing else.
fn pass_on(from: &Command, to: &mut Command) {
    to.env_clear();
    to.envs({ from.get_envs() }.filter_map(|(name, value)| Some((name, value?))));
}
