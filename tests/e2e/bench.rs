//! The words of `./bench`: what it says when they are wrong. What it measures is for people and no test.

use harness::Running;
use harness::process::Finished;
use std::process::Command;
use tempfile::TempDir;

fn bench(args: &[&str]) -> Finished {
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command.args(args);
    Running::start(command, folder.path(), "bench").finish()
}

#[test]
fn wrong_words_are_exit_3_and_name_what_is_known() {
    let rows = ["stored", "agent.cpu", "verify.memory", "manifests.wall"];
    drop(
        bench(&["--rows", "agent,agnet"])
            .expect(3)
            .says(&["agnet"])
            .says(&rows),
    );
    drop(bench(&["--rows", ""]).expect(3).says(&rows));
    drop(bench(&["--size", "big"]).expect(3).says(&["--size"]));
    drop(bench(&["--size", "0"]).expect(3).says(&["no bytes"]));
    drop(bench(&["--runs", "0"]).expect(3).says(&["--runs"]));
    drop(bench(&["--fast"]).expect(3).says(&["--fast"]));
    drop(
        bench(&["--compare", "/nonexistent"])
            .expect(3)
            .says(&["/nonexistent"]),
    );
}

#[test]
fn rows_are_listed() {
    let listed = bench(&["--rows", "list"]).expect(0);
    assert_eq!(listed.stderr, "");
    let names: Vec<_> = listed
        .stdout
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(names.contains(&"agent+archiver.zstd"), "{names:?}");
    drop(
        bench(&["--help"])
            .expect(0)
            .says(&["--rows", "--json", "--compare"]),
    );
}
