//! Exit codes of every Holdfast command: a contract with scripts. 101 and over 127 are crashes.

/// Done and clean.
pub const CLEAN: u8 = 0;
/// Evidence is damaged: tampering, a fork, rot, or a store that gives in.
pub const DAMAGED: u8 = 1;
/// Could not finish: permission, network, held back, nothing found.
pub const UNFINISHED: u8 = 2;
/// Usage or configuration.
pub const USAGE: u8 = 3;
/// Data is intact, but someone interfered.
pub const INTERFERED: u8 = 4;
