//! What a command prints, and how it says why it ended.

/// How messages name the program.
pub(crate) const PROGRAM: &str = "holdfast";

/// Prints to stdout; the exit code of having done so.
#[must_use]
pub(crate) fn print(text: &str) -> u8 {
    host::cli::print(PROGRAM, text)
}

/// Says on stderr why a command ended.
pub(crate) fn complain(error: &dyn std::fmt::Display) {
    host::cli::complain(PROGRAM, error);
}
