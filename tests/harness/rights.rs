//! Programs run with fewer rights than the test has, and disks of their own.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

/// `nobody`, by number as everywhere.
const NOBODY: u32 = 65_534;

/// Whether the test itself is root, whom file modes do not bind.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Makes a command run as somebody whom file modes bind: `nobody` if the test is root, else itself.
/// The program must then lie where `nobody` may read it: see [`copy_program`].
pub fn bind_by_modes(command: &mut Command) {
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
}

/// Gives files and folders to whom [`bind_by_modes`] makes a program run as.
///
/// # Panics
/// When the disk refuses.
pub fn hand_over(path: &Path) {
    if !is_root() {
        return;
    }
    std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).expect("root may give a file away");
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a folder can be read") {
            hand_over(&entry.expect("a folder can be read").path());
        }
    }
}

/// Gives a folder that was handed over back to the test's own user; its group stays. The archiver takes no other's for
/// its receipts.
///
/// # Panics
/// When the disk refuses.
pub fn take_back(folder: &Path) {
    let user = rustix::process::geteuid().as_raw();
    std::os::unix::fs::chown(folder, Some(user), None).expect("root may take a folder back");
}

/// The same command with its program copied to `to`, for a target directory below a closed home.
///
/// # Panics
/// When the disk refuses.
#[must_use]
pub fn copy_program(command: &Command, to: &Path) -> Command {
    // Not `fs::copy`: a child that another test forks at that moment would hold the file open for
    // writing, and what is being written cannot be run.
    let mut copy = Command::new("cp");
    let copied = copy.arg(command.get_program()).arg(to).status();
    assert!(
        copied.is_ok_and(|status| status.success()),
        "a program can be copied to {}",
        to.display()
    );
    let mut copied = Command::new(to);
    copied.args(command.get_args()).env_clear();
    for (name, value) in command.get_envs() {
        copied.env(name, value.expect("environments are cleared, not trimmed"));
    }
    copied
}

/// The same command in a mount namespace of its own, `mount` (a shell script) run there before it.
/// Others reach its disks through `/proc/<pid>/root`. Needs root, or user namespaces for all.
#[must_use]
pub fn with_mounts(command: &Command, mount: &str) -> Command {
    let mut inside = Command::new("unshare");
    if !is_root() {
        inside.arg("--map-root-user");
    }
    inside
        .args(["--mount", "sh", "-ec"])
        .arg(format!("{mount}\nexec \"$@\""))
        .arg("sh");
    inside
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear();
    for (name, value) in command.get_envs() {
        inside.env(name, value.expect("environments are cleared, not trimmed"));
    }
    inside.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    inside
}

/// Runs a command, mostly `mount` or `umount`, in the mount namespace of a live process.
///
/// # Panics
/// When it fails.
pub fn enter_mounts(pid: u32, command: &[&str]) {
    let mut inside = Command::new("nsenter");
    if !is_root() {
        inside.args(["--user", "--preserve-credentials"]);
    }
    inside
        .args(["--mount", "--target", &pid.to_string()])
        .args(command);
    let output = inside.output().expect("nsenter starts");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
