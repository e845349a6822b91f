//! The binary `holdfast-agent`; everything is in the library.

fn main() -> std::process::ExitCode {
    agent::main()
}
