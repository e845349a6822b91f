//! `holdfast`: what operators and auditors run. All of it is in the library.

/// The process's way in and out.
fn main() -> std::process::ExitCode {
    cli::main()
}
