//! README's first command, on its made log and on copies of one's own. `.ci/run` builds it from an empty
//! target directory; here is what it says, and what it must refuse.

use harness::process::Finished;
use harness::{Program, Running, rights, samples};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// What the demo copies at most of one file.
const FILE_BYTES_MAX: usize = 64 << 20;

/// Where the demo may make its folder, and where a test's logs lie.
struct Stage {
    home: TempDir,
}

impl Stage {
    fn new() -> Self {
        let home = TempDir::new().unwrap();
        for below in ["tmp", "logs"] {
            fs::create_dir(home.path().join(below)).unwrap();
        }
        Self { home }
    }

    fn log(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.home.path().join("logs").join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn command(&self, logs: &[PathBuf]) -> Command {
        let mut command = Program::Holdfast.command();
        command
            .arg("demo")
            .env("TMPDIR", self.home.path().join("tmp"));
        if !logs.is_empty() {
            command.arg("--log").args(logs);
        }
        command
    }

    fn demo(&self, logs: &[PathBuf]) -> Finished {
        self.run(self.command(logs))
    }

    fn run(&self, command: Command) -> Finished {
        Running::start(command, self.home.path(), "demo").finish()
    }

    /// The folders that demos made.
    fn made(&self) -> Vec<PathBuf> {
        let made = fs::read_dir(self.home.path().join("tmp")).unwrap();
        made.map(|entry| entry.unwrap().path()).collect()
    }

    /// Demands the whole story on these logs, and that they are as they were.
    #[track_caller]
    fn tells(&self, logs: &[PathBuf]) -> Finished {
        let before: Vec<_> = logs.iter().map(|log| fs::read(log).unwrap()).collect();
        let told = told_whole(self.demo(logs));
        let after: Vec<_> = logs.iter().map(|log| fs::read(log).unwrap()).collect();
        assert!(before == after, "the demo wrote into a log");
        told
    }
}

#[track_caller]
fn told_whole(done: Finished) -> Finished {
    done.expect(0)
        .says(&["STORED_HASH", "SEQ_GAP", "SIG_INVALID", "zstd -dc "])
}

/// What the auditor found, as the demo tells it.
fn found(lines: usize, bytes: usize) -> String {
    format!(" {lines} entries, {bytes} bytes of log, ")
}

fn lines_of(bytes: &[u8]) -> usize {
    bytes.split_inclusive(|byte| *byte == b'\n').count()
}

#[test]
fn the_demo_shows_a_clean_archive_and_three_kinds_of_tampering() {
    let stage = Stage::new();
    let told = told_whole(stage.demo(&[]));
    drop(told.says(&[" 1000 entries, "]));
    assert_eq!(stage.made().len(), 1);
}

#[test]
fn copies_of_ones_own_logs_tell_the_same_story_with_their_own_numbers() {
    let stage = Stage::new();
    let samples = samples::logs();
    let logs: Vec<_> = samples
        .iter()
        .map(|sample| stage.log(&sample.name, &sample.bytes))
        .collect();
    let bytes = samples.iter().map(|sample| sample.bytes.len()).sum();
    let lines = samples.iter().map(|sample| sample.lines().count()).sum();
    drop(stage.tells(&logs).says(&[&found(lines, bytes)]));
}

#[test]
fn logs_of_any_bytes_are_told_of() {
    for (name, bytes) in [
        ("nul", &b"\0\n\0\0\0\nx\0y\n"[..]),
        ("crlf", b"one\r\ntwo\r\n\r\nthree\r\n"),
        ("latin-1 [*].txt", b"caf\xe9\n\xff\xfe\n\xf0\x9f\n"),
        ("without an end", b"one\ntwo\nthree"),
        ("one line", b"one\n"),
        ("one byte", b"x"),
        ("empty lines", b"\n\n\n\n"),
        (
            ".hidden.gz",
            b"not packed, whatever its name says\nat all\n",
        ),
    ] {
        let stage = Stage::new();
        let log = stage.log(name, bytes);
        let expected = found(lines_of(bytes), bytes.len());
        drop(stage.tells(&[log]).says(&[&expected]));
    }
}

#[test]
fn lines_over_a_mebibyte_are_counted_by_their_bytes() {
    let stage = Stage::new();
    let bytes = [&vec![b'x'; 3 << 20][..], b"\nshort\n", &[0xff; 2 << 20]].concat();
    let log = stage.log("long.log", &bytes);
    let all = format!(" {} bytes of log, ", bytes.len());
    drop(stage.tells(&[log]).says(&[&all]));
}

#[test]
fn equal_logs_and_a_log_given_twice_are_told_of_as_often_as_they_are_given() {
    let stage = Stage::new();
    let bytes = b"the same line\nand another\n".repeat(100);
    let (a, b) = (stage.log("a.log", &bytes), stage.log("b.log", &bytes));
    let told = stage.tells(&[a.clone(), b, a]);
    drop(told.says(&[&found(600, 3 * bytes.len())]));
}

#[test]
fn no_more_than_64_mib_of_a_log_is_copied_and_that_is_said() {
    let stage = Stage::new();
    // In the middle of a line.
    let line = format!("{}\n", "0123456789".repeat(99)).into_bytes();
    let bytes = line.repeat(FILE_BYTES_MAX / line.len() + 20);
    let log = stage.log("big.log", &bytes);
    let copied = &bytes[..FILE_BYTES_MAX];
    let said = format!("the first {FILE_BYTES_MAX} of {} bytes of ", bytes.len());
    let told = stage.tells(&[log]);
    drop(told.says(&[&said, &found(lines_of(copied), FILE_BYTES_MAX)]));
}

#[test]
fn what_cannot_be_fed_is_refused_before_anything_is_made() {
    let stage = Stage::new();
    let good = stage.log("good.log", b"a line\n");
    let folder = stage.home.path().join("logs");
    let link = folder.join("nowhere.log");
    std::os::unix::fs::symlink(folder.join("absent"), &link).unwrap();
    let pipe = folder.join("pipe.log");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    for (bad, words) in [
        (folder.join("absent.log"), "No such file"),
        (link, "No such file"),
        (folder.clone(), "a directory; name the files in it"),
        (pipe, "neither a file nor a link to one"),
        (stage.log("empty.log", b""), "it is empty"),
        (
            stage.log("old.log.gz", b"\x1f\x8b\x08\0\0\0\0\0"),
            "compressed with gzip; unpack it first: zcat",
        ),
    ] {
        let told = stage.demo(&[good.clone(), bad.clone()]).expect(3);
        drop(told.says(&[words, &bad.display().to_string()]));
    }
    let many = vec![good.clone(); 33];
    drop(stage.demo(&many).expect(3).says(&["at most 32"]));
    drop(stage.demo(&[PathBuf::new()]).expect(3));
    assert_eq!(stage.made(), Vec::<PathBuf>::new());
    assert_eq!(fs::read(&good).unwrap(), b"a line\n");
}

#[test]
fn a_log_that_may_not_be_read_is_refused() {
    let stage = Stage::new();
    let secret = stage.log("secret.log", b"a line\n");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    rights::hand_over(stage.home.path());
    let program = stage.home.path().join("holdfast");
    let mut command = rights::copy_program(&stage.command(&[secret]), &program);
    rights::bind_by_modes(&mut command);
    drop(
        stage
            .run(command)
            .expect(3)
            .says(&["secret.log", "Permission denied"]),
    );
    assert_eq!(stage.made(), Vec::<PathBuf>::new());
}
