//! Every exit code that a command may end with, on the real programs. The table says which test shows
//! which (a bare name: in this module); what a command has no way to is left out.
//!
//! | command | 0 | 1 | 2 | 3 | 4 |
//! | --- | --- | --- | --- | --- | --- |
//! | `holdfast archive` | `archive::status_ends_with_0…` | `probe` the_archiver_refuses… | `badinput::settings` a_second_archiver… | `archive::ends_with_3…` | – |
//! | `holdfast archive --once` | `archive::once_ends_with_0…` | `archive::once_ends_with_1…` | `badinput::store` wrong_credentials… | `badinput::store` a_missing_bucket… | – |
//! | `holdfast archive --check` | `archive::check_ends_with_0…` | – | `archive::check_ends_with_2…` | `archive::check_ends_with_3…` | – |
//! | `holdfast archive status` | `archive::status_ends_with_0…` | – | `archive::status_ends_with_2…` | `archive::status_ends_with_3…` | – |
//! | `holdfast verify` | `auditor::verify_ends_with_0…` | `…_1…` | `…_2…` | `…_3…` | `…_4…` |
//! | `holdfast probe` | `probe` a_bucket_with_object_lock… | `probe` a_directory_enforces_nothing… | `probe` a_credential_that_may_not… | `auditor::probe_ends_with_3…` | – |
//! | `holdfast explain` | `auditor::explain_ends_with_0…` | – | – | `auditor::explain_ends_with_3…` | – |
//! | `holdfast bucket create` | `auditor::bucket_create_ends_with_0…` | `…_1…` | `…_2…` | `…_3…` | – |
//! | `holdfast demo` | `demo` the_demo_shows… | – | `auditor::demo_ends_with_2…` | `auditor::demo_ends_with_3…` | – |
//! | `holdfast-agent init` | `agent::init_ends_with_0…` | – | `agent::init_ends_with_2…` | `agent::init_ends_with_3…` | – |
//! | `holdfast-agent check` | `agent::check_ends_with_0…` | – | `agent::check_ends_with_2…` | `badinput::settings` every_fault… | – |
//! | `holdfast-agent run` | `agent::run_ends_with_0…` | – | `badinput::settings` a_second_agent… | `badinput::settings` an_agent_without… | – |
//! | `holdfast-agent drain` | `agent::drain_ends_with_0…` | – | `agent::drain_ends_with_2…` | `badinput::settings` every_fault… | – |
//! | `holdfast-agent status` | `agent::status_ends_with_0…` | – | `agent::status_ends_with_2…` | `agent::status_ends_with_3…` | – |
//! | `sample-config`, `completions`, `man` | `about::…_end_with_0…` | – | `about::man_ends_with_2…` | `about::completions_end_with_3…` | – |

mod about;
mod agent;
mod archive;
mod auditor;
mod pipes;

use harness::{Program, Running, Site};
use std::fs;

/// One stream over all logs.
const STREAMS: &str = r#"
poll = "50ms"
[seal]
age = "100ms"
[[stream]]
name = "all"
include = ["{logs}/*"]
retention = "1d"
"#;

/// Every command, as its words begin.
const COMMANDS: [(Program, &[&str]); 22] = [
    (Program::Holdfast, &[]),
    (Program::Holdfast, &["archive"]),
    (Program::Holdfast, &["archive", "status"]),
    (Program::Holdfast, &["verify"]),
    (Program::Holdfast, &["explain"]),
    (Program::Holdfast, &["probe"]),
    (Program::Holdfast, &["bucket"]),
    (Program::Holdfast, &["bucket", "create"]),
    (Program::Holdfast, &["demo"]),
    (Program::Holdfast, &["sample-config"]),
    (Program::Holdfast, &["completions"]),
    (Program::Holdfast, &["man"]),
    (Program::Agent, &[]),
    (Program::Agent, &["init"]),
    (Program::Agent, &["check"]),
    (Program::Agent, &["run"]),
    (Program::Agent, &["drain"]),
    (Program::Agent, &["rotate-key"]),
    (Program::Agent, &["status"]),
    (Program::Agent, &["sample-config"]),
    (Program::Agent, &["completions"]),
    (Program::Agent, &["man"]),
];

/// A host with one sealed file, archiving to a directory that is not there yet.
fn site() -> Site {
    let home = Site::new("file:///unused", STREAMS);
    let store = format!("file://{}", home.path("store").display());
    let site = home.with_store(&store);
    site.init();
    fs::write(site.log("a.log"), "a line\n").unwrap();
    drop(site.agent(&["drain"]).expect(0));
    site
}

/// The same with its store.
fn site_with_store() -> Site {
    let site = site();
    drop(site.bucket_create(&["--retention", "1d"]).expect(0));
    site
}

/// A program with these words and nothing else, run to its end.
fn run(program: Program, words: &[&str]) -> harness::Finished {
    let logs = tempfile::TempDir::new().unwrap();
    let mut command = program.command();
    command.args(words).current_dir(logs.path());
    Running::start(command, logs.path(), "run").finish()
}

#[test]
fn every_help_ends_with_the_same_exit_codes_and_the_readme_has_them() {
    for (program, words) in COMMANDS {
        let told = run(program, &[words, &["--help"]].concat()).expect(0);
        let end = format!("{}\n", host::cli::EXIT_CODES);
        assert!(told.stdout.ends_with(&end), "{words:?}: {}", told.stdout);
        assert!(told.stderr.is_empty(), "{words:?}: {}", told.stderr);
        let wide = told.stdout.lines().find(|line| line.chars().count() > 100);
        assert_eq!(wide, None, "{words:?}: wider than 100 columns");
        // A glance is a glance.
        let short = run(program, &[words, &["-h"]].concat()).expect(0);
        assert!(short.stdout.len() < told.stdout.len(), "{words:?}");
    }
    let readme = include_str!("../../README.md");
    let codes = host::cli::EXIT_CODES.lines().skip(1);
    for line in codes {
        let (code, meaning) = line.trim().split_once("  ").unwrap();
        let row = format!("| {code} | {meaning} |");
        assert!(readme.contains(&row), "README must have {row}");
    }
}

#[test]
fn every_command_that_the_help_lists_is_known_here() {
    for program in [Program::Holdfast, Program::Agent] {
        let told = run(program, &["-h"]).expect(0).stdout;
        let (_, list) = told.split_once("Commands:\n").unwrap();
        let (list, _) = list.split_once("\n\n").unwrap();
        // What continues in the next line is indented further.
        let begins = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
        for line in list.lines().filter(begins) {
            let name = line.split_whitespace().next().unwrap();
            let known = COMMANDS
                .iter()
                .any(|(of, words)| *of == program && words == &[name]);
            assert!(known || name == "help", "{name} has no row in the table");
        }
    }
}

#[test]
fn bare_programs_print_help_and_end_with_3() {
    for program in [Program::Holdfast, Program::Agent] {
        let told = run(program, &[]).expect(3);
        assert!(told.stdout.is_empty());
        drop(told.says(&["Usage: holdfast", "Commands:"]));
    }
}

/// Switches that break the product for the tests of the tests are in no shipped program.
#[test]
fn no_shipped_program_can_be_broken_on_purpose() {
    for program in [Program::Agent, Program::Holdfast] {
        let bytes = fs::read(program.path()).unwrap();
        let name = b"HOLDFAST_SABOTAGE";
        assert!(bytes.len() > 1_000_000, "{program:?}: a whole program");
        assert!(
            !bytes.windows(name.len()).any(|word| word == name),
            "{program:?}"
        );
    }
}
