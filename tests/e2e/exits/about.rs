//! What the programs write about themselves: sample files, completions, manual pages.

use super::{COMMANDS, run};
use harness::{Program, Running, Site};
use std::fs;
use std::process::Command;

const PROGRAMS: [(Program, &str); 2] = [
    (Program::Agent, "holdfast-agent"),
    (Program::Holdfast, "holdfast"),
];

/// Runs a tool on a text; what it said on stderr.
fn lint(tool: &str, words: &[&str], text: &str) -> String {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("text");
    fs::write(&file, text).unwrap();
    let output = Command::new(tool).args(words).arg(&file).output();
    let output = output.unwrap_or_else(|error| panic!("{tool}: {error}"));
    assert!(output.status.success(), "{tool}: {output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn sample_configs_end_with_0_and_are_taken_as_they_are() {
    let site = Site::new("file:///unused", super::STREAMS);
    for (program, _) in PROGRAMS {
        let sample = run(program, &["sample-config"]).expect(0).stdout;
        let sample = sample.replace("/var/lib/holdfast", &site.path("var").display().to_string());
        let sample = sample.replace("s3://audit-logs/prod", "file:///nowhere");
        let file = if program == Program::Agent {
            "agent.toml"
        } else {
            "archiver.toml"
        };
        fs::write(site.path(file), sample).unwrap();
    }
    drop(site.agent(&["init"]).expect(0));
    let told = site.agent(&["check"]).expect(0);
    drop(told.says(&["stream auth", "seal.age 10s"]));
    drop(
        site.archive(&["--check"])
            .expect(2)
            .says(&["file:///nowhere does not exist"]),
    );
}

#[test]
fn completions_end_with_0_and_are_right_for_bash() {
    for (program, name) in PROGRAMS {
        let script = run(program, &["completions", "bash"]).expect(0).stdout;
        assert_eq!(lint("bash", &["-n"], &script), "");
        let (function, _) = script.split_once('(').unwrap();
        let complete = format!(
            "{script}\nCOMP_WORDS=({name} ''); COMP_CWORD=1; {function} {name} '' {name}\n\
             printf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
        );
        let offered = Command::new("bash")
            .args(["-c", &complete])
            .output()
            .unwrap();
        let offered = String::from_utf8_lossy(&offered.stdout).into_owned();
        for (of, words) in COMMANDS {
            if let (true, [word]) = (of == program, words) {
                let found = offered.lines().any(|line| line == *word);
                assert!(found, "{name}: {word} in {offered}");
            }
        }
        for shell in ["zsh", "fish", "elvish", "powershell"] {
            let script = run(program, &["completions", shell]).expect(0).stdout;
            assert!(
                script.contains(name) && script.contains("sample-config"),
                "{shell}"
            );
        }
    }
}

#[test]
fn completions_end_with_3_for_a_shell_that_is_not_known() {
    drop(
        run(Program::Holdfast, &["completions", "tcsh"])
            .expect(3)
            .says(&["bash", "zsh", "fish"]),
    );
}

#[test]
fn manual_pages_end_with_0_one_for_each_command() {
    for (program, name) in PROGRAMS {
        let page = run(program, &["man"]).expect(0).stdout;
        check_page(&page, name);
        let folder = tempfile::TempDir::new().unwrap();
        let mut command = program.command();
        command.arg("man").arg(folder.path());
        let told = Running::start(command, folder.path(), "man")
            .finish()
            .expect(0);
        assert_eq!(told.stdout, "");
        for (of, words) in COMMANDS {
            if of == program {
                let name = [&[name], words].concat().join("-");
                let page = fs::read_to_string(folder.path().join(format!("{name}.1")));
                check_page(
                    &page.unwrap_or_else(|error| panic!("{name}: {error}")),
                    &name,
                );
            }
        }
    }
}

/// What man and mandoc look for: a title, then a name section whose line `apropos` reads, then the rest.
fn check_page(page: &str, name: &str) {
    let lines: Vec<_> = page.lines().collect();
    let place = |start: &str| {
        let found = lines.iter().position(|line| line.starts_with(start));
        found.unwrap_or_else(|| panic!("{name}: no {start} in:\n{page}"))
    };
    let title = place(&format!(".TH {name} 1"));
    let sections = [".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH OPTIONS"].map(place);
    assert!(
        title < sections[0] && sections.is_sorted(),
        "{name}:\n{page}"
    );
    let summary = lines[sections[0] + 1].replace('\\', "");
    assert!(
        summary.starts_with(&format!("{name} - ")),
        "{name}: {summary}"
    );
    assert!(
        page.contains("Exit codes of every command"),
        "{name}:\n{page}"
    );
}

#[test]
fn man_ends_with_2_where_the_folder_is_not_there() {
    let told = run(Program::Holdfast, &["man", "/nonexistent/folder"]).expect(2);
    drop(told.says(&["/nonexistent/folder", "manual pages"]));
}
