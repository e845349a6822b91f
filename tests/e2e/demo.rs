//! README's first command. `.ci/run` builds it from an empty target directory; here is what it says.

use harness::Program;
use harness::process::Running;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The demo takes no longer than this, once it is built.
const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn the_demo_shows_a_clean_archive_and_three_kinds_of_tampering() {
    let logs = TempDir::new().unwrap();
    let mut command = Program::Holdfast.command();
    command.arg("demo");
    let began = Instant::now();
    let told = Running::start(command, logs.path(), "demo")
        .finish(LIMIT)
        .expect(0);
    println!("demo: {:?}", began.elapsed());
    drop(told.says(&["STORED_HASH", "SEQ_GAP", "SIG_INVALID"]));
}
