//! The programs under test: where cargo put them, and what of the environment they may see.

use crate::account::Account;
use crate::server::REGION;
use std::path::PathBuf;
use std::process::Command;

/// One of the project's programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `holdfast-agent`
    Agent,
    /// `holdfast`
    Holdfast,
}

impl Program {
    /// The binary that cargo built together with the running test or benchmark.
    ///
    /// # Panics
    /// When it is not there, which only a run outside cargo can bring about.
    #[must_use]
    pub fn path(self) -> PathBuf {
        let own = std::env::current_exe().expect("a test knows its own path");
        // Tests lie in target/<profile>/deps, the benchmark in target/<profile>.
        let mut folders = own.ancestors().skip(1);
        let profile = folders.find(|folder| !folder.ends_with("deps"));
        let profile = profile.expect("what cargo builds lies in target/<profile>");
        let path = profile.join(match self {
            Self::Agent => "holdfast-agent-under-test",
            Self::Holdfast => "holdfast-under-test",
        });
        assert!(
            path.exists(),
            "{} is missing: run the tests by cargo",
            path.display()
        );
        path
    }

    /// A command that sees nothing of the developer's environment: no proxy, profile or home. What `./test meta`
    /// breaks it is told.
    #[must_use]
    pub fn command(self) -> Command {
        let mut command = Command::new(self.path());
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", "/nonexistent");
        if let Some(switch) = std::env::var_os("HOLDFAST_SABOTAGE") {
            command.env("HOLDFAST_SABOTAGE", switch);
        }
        command
            .env("RUST_BACKTRACE", "1")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }
}

/// Lets a command reach a store as `account`, by the AWS conventions.
pub fn grant(command: &mut Command, endpoint: &str, account: &Account) {
    command
        .env("AWS_ENDPOINT_URL_S3", endpoint)
        .env("AWS_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", &account.key)
        .env("AWS_SECRET_ACCESS_KEY", &account.secret);
}
