//! What somebody with the archiver's account leaves in its half of the spool: the agent signs nothing because of it.
//! Agent and archiver run as two users of one group; without root they are one.

use harness::rights::{bind_by_modes, copy_program, hand_over, is_root};
use harness::world::Archive;
use harness::{Site, wait_for};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

const STREAMS: &str = r#"
poll = "50ms"
[seal]
age = "100ms"
[[stream]]
name = "all"
include = ["{logs}/*"]
retention = "1d"
"#;

/// The archiver's user, of the agent's group.
const ARCHIVER: u32 = 65_533;

/// A host on which a line is sealed and archived, and who forges.
struct Scene(Site);

impl Scene {
    fn new() -> Self {
        let site = Site::new("file:///unused", STREAMS);
        let store = site.path("store");
        fs::create_dir(&store).unwrap();
        let site = site.with_store(&format!("file://{}", store.display()));
        site.init();
        for folder in ["spool", "state"] {
            hand_over(&site.path(folder));
        }
        if is_root() {
            chown(&store, Some(ARCHIVER), None).unwrap();
            chown(site.path("spool/receipts"), Some(ARCHIVER), None).unwrap();
        }
        let scene = Self(site);
        scene.write("one\n");
        scene.drain(0);
        scene.archive(0);
        scene
    }

    fn write(&self, line: &str) {
        let log = self.0.log("a.log");
        let before = fs::read_to_string(&log).unwrap_or_default();
        fs::write(&log, before + line).unwrap();
    }

    fn agent(&self, args: &[&str]) -> Command {
        let program = self.0.path("holdfast-agent-copy");
        let mut command = copy_program(&self.0.agent_command(args), &program);
        bind_by_modes(&mut command);
        command
    }

    fn drain(&self, code: i32) {
        let drain = self.0.start(self.agent(&["drain"]), "drain");
        drop(drain.finish().expect(code));
    }

    fn archive(&self, code: i32) {
        let program = self.0.path("holdfast-copy");
        let mut command = copy_program(&self.0.archive_command(&["--once"]), &program);
        as_archiver(&mut command);
        drop(self.0.start(command, "archive").finish().expect(code));
    }

    /// A script of somebody who has the archiver's account, run in its folder of the stream's epoch. `$newest` is the
    /// newest receipt there, and `$sealed` the agent's half of the epoch.
    fn forge(&self, script: &str) {
        let spool = self.0.path("spool");
        let here = "epoch=$(ls sealed/all); cd receipts/all/$epoch; sealed=../../../sealed/all/$epoch\n\
                    newest=$(ls -- *.receipt | tail -n 1)";
        let mut command = Command::new("sh");
        command.args(["-euc", &format!("{here}\n{script}")]);
        command.current_dir(spool);
        as_archiver(&mut command);
        assert!(command.status().unwrap().success(), "{script}");
    }

    /// All is archived and verified: one epoch, in which nothing was rolled back or lost.
    fn must_hold(&self, text: &str) {
        self.drain(0);
        self.archive(0);
        drop(self.0.verify_clean());
        let archive = Archive::read(&self.0.path("store"));
        archive.must_hold(&[text.as_bytes().to_vec()]);
        for kind in ["state_lost", "rollback", "ambiguous", "gap"] {
            assert_eq!(archive.events(kind), 0, "{kind}");
        }
    }
}

fn as_archiver(command: &mut Command) {
    bind_by_modes(command);
    if is_root() {
        command.uid(ARCHIVER);
    }
}

#[test]
fn a_forged_receipt_ahead_of_the_head_changes_nothing() {
    let scene = Scene::new();
    scene.forge(
        "for seq in 90 91; do cp $newest 000000000000000000$seq.receipt; done\n\
         mkdir ../01a205d2-0847-7fab-a8b5-f4b6e38621b4\n\
         cp $newest ../01a205d2-0847-7fab-a8b5-f4b6e38621b4/00000000000000000003.receipt",
    );
    scene.write("two\n");
    scene.drain(0);
    let epochs = fs::read_dir(scene.0.path("spool/sealed/all")).unwrap();
    assert_eq!(epochs.count(), 1, "the epoch continues");
    let mut agent = scene.0.start(scene.agent(&["run"]), "run");
    wait_for("the status to tell of it", || {
        let told = scene.0.agent(&["status", "--format", "json"]);
        let status: Value = serde_json::from_str(&told.stdout).ok()?;
        let mut reasons = status["reasons"].as_array()?.iter();
        let is_told = reasons.any(|reason| reason["code"] == "receipt_ahead");
        (is_told && told.code == Some(0)).then_some(())
    });
    agent.signal(Signal::TERM);
    drop(agent.finish().expect(0).says(&["was never sealed here"]));
    scene.must_hold("one\ntwo\n");
}

#[test]
fn a_receipt_that_cannot_be_read_ends_no_start() {
    let scene = Scene::new();
    // Ahead, the newest, and the folder of another epoch.
    scene.forge(
        "umask 777; : > 00000000000000000099.receipt; chmod 000 $newest\n\
         mkdir ../01a205d2-0847-7fab-a8b5-f4b6e38621b4",
    );
    scene.write("two\n");
    scene.drain(0);
    scene.forge("rm -f $newest; chmod 640 *; rmdir ../01a205d2-0847-7fab-a8b5-f4b6e38621b4");
    scene.must_hold("one\ntwo\n");
}

#[test]
fn a_forged_conflict_makes_nobody_sign_a_rollback() {
    for forged in ["echo {} >", "cat $sealed/$seq/manifest >"] {
        let scene = Scene::new();
        scene.write("two\n");
        scene.drain(0);
        scene.forge(&format!(
            "for seq in $(ls $sealed); do [ -e $seq.receipt ] || break; done; {forged} $seq.conflict"
        ));
        scene.write("three\n");
        // Nobody can say what to answer: it waits, and says so.
        scene.drain(2);
        scene.forge("rm -- *.conflict");
        scene.must_hold("one\ntwo\nthree\n");
    }
}
