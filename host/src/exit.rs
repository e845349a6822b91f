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
