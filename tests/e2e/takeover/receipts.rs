//! What somebody with the archiver's account leaves in its half of the spool: the agent signs nothing because of it.

use super::{POLL, STREAMS};
use harness::two_users::{TwoUsers, User};
use harness::wait_for;
use harness::world::Archive;
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::process::Command;

/// A host on which a line is sealed and archived, and who forges.
struct Scene(TwoUsers);

impl Scene {
    fn new() -> Option<Self> {
        let scene = Self(TwoUsers::new("022", POLL, STREAMS)?);
        scene.write("one\n");
        scene.drain(0);
        scene.archive();
        Some(scene)
    }

    fn write(&self, line: &str) {
        let log = self.0.site.log("a.log");
        let before = fs::read_to_string(&log).unwrap_or_default();
        fs::write(&log, before + line).unwrap();
    }

    fn drain(&self, code: i32) {
        drop(self.0.agent(&["drain"]).expect(code));
    }

    fn archive(&self) {
        drop(self.0.archive(&["--once"]).expect(0));
    }

    /// A script of somebody who has the archiver's account, run in its folder of the stream's epoch. `$newest` is the
    /// newest receipt there, and `$sealed` the agent's half of the epoch.
    fn forge(&self, script: &str) {
        let spool = self.0.site.path("spool");
        let here = format!(
            "cd {}; epoch=$(ls sealed/all); cd receipts/all/$epoch; sealed=../../../sealed/all/$epoch\n\
             newest=$(ls -- *.receipt | tail -n 1)",
            spool.display()
        );
        let mut plain = Command::new("sh");
        plain.args(["-euc", &format!("{here}\n{script}")]);
        plain.env("PATH", "/usr/bin:/bin");
        let forge = self.0.as_user(User::Archiver, &plain);
        drop(self.0.site.start(forge, "forge").finish().expect(0));
    }

    /// All is archived and verified: one epoch, in which nothing was rolled back or lost.
    fn must_hold(&self, text: &str) {
        self.drain(0);
        self.archive();
        drop(self.0.site.verify_clean());
        let archive = Archive::read(&self.0.site.path("evidence/store"));
        archive.must_hold(&[text.as_bytes().to_vec()]);
        for kind in ["state_lost", "rollback", "ambiguous", "gap"] {
            assert_eq!(archive.events(kind), 0, "{kind}");
        }
    }
}

#[test]
fn a_forged_receipt_ahead_of_the_head_changes_nothing() {
    let Some(scene) = Scene::new() else {
        return;
    };
    scene.forge(
        "for seq in 90 91; do cp $newest 000000000000000000$seq.receipt; done\n\
         mkdir ../01a205d2-0847-7fab-a8b5-f4b6e38621b4\n\
         cp $newest ../01a205d2-0847-7fab-a8b5-f4b6e38621b4/00000000000000000003.receipt",
    );
    scene.write("two\n");
    scene.drain(0);
    let epochs = fs::read_dir(scene.0.site.path("spool/sealed/all")).unwrap();
    assert_eq!(epochs.count(), 1, "the epoch continues");
    let run = scene.0.site.agent_command(&["run"]);
    let run = scene.0.command(User::Agent, &run);
    let mut agent = scene.0.site.start(run, "run");
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
    let Some(scene) = Scene::new() else {
        return;
    };
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
        let Some(scene) = Scene::new() else {
            return;
        };
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
