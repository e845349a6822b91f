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

    const CHILD: &str = "HOLDFAST_TEST_OF_ABORT";

    /// This test runs itself once more, and that one panics in a thread of its own that nobody waits for.
    #[test]
    fn a_panic_in_any_thread_ends_the_process() {
        if std::env::var_os(CHILD).is_some() {
            super::abort_on_panic();
            let joined = std::thread::spawn(|| panic!("as told")).join();
            // Half alive: this is what must never be reached.
            assert!(joined.is_err());
            return;
        }
        let child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "exit::tests::a_panic_in_any_thread_ends_the_process",
            ])
            .env(CHILD, "1")
            .output()
            .unwrap();
        const SIGABRT: i32 = 6;
        assert_eq!(child.status.signal(), Some(SIGABRT), "{child:?}");
    }
}
