//! Exit codes of every Holdfast command: a contract with scripts. 101 and over 127 are crashes.

/// Done and clean.
pub const CLEAN: u8 = 0;
/// Evidence is damaged: tampering, a fork, rot, or a lock that is not enforced.
pub const DAMAGED: u8 = 1;
/// Could not finish: permission, network, held back, nothing found.
pub const UNFINISHED: u8 = 2;
/// Usage or configuration.
pub const USAGE: u8 = 3;
/// Data is intact, but someone interfered.
pub const INTERFERED: u8 = 4;

/// Makes any panic, in any thread or task, end the process: a half-alive process that still holds its
/// lock is worse than a restart. For `main` alone.
pub fn abort_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::Command;

    /// Names the way in which this very test, started once more, is to panic.
    const HOW: &str = "HOLDFAST_TEST_PANIC";

    const SIGABRT: i32 = 6;

    #[test]
    fn a_panic_anywhere_ends_the_process() {
        if let Ok(how) = std::env::var(HOW) {
            super::abort_on_panic();
            match how.as_str() {
                "thread" => drop(std::thread::spawn(|| panic!("in a thread")).join()),
                // As tokio runs a task.
                _ => drop(std::panic::catch_unwind(|| panic!("in a task"))),
            }
            return;
        }
        for how in ["thread", "task"] {
            let test = "exit::tests::a_panic_anywhere_ends_the_process";
            let mut own = Command::new(std::env::current_exe().unwrap());
            let output = own.args(["--exact", test]).env(HOW, how).output().unwrap();
            assert_eq!(output.status.signal(), Some(SIGABRT), "{how}: {output:?}");
        }
    }
}
