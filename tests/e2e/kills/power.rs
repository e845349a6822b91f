//! Power cuts: spool and state lie on a disk of their own, of which only what the file system had given to it is left.
//! Logs and store are elsewhere, as a bucket is. A loop device stands for the disk: its file is copied while both
//! programs are frozen, and the copy takes its place.

use super::scene::{Scene, Who, append, lines};
use harness::site::files_below;
use harness::{Dice, Site, dice, wait_for};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

/// Cuts, and with HOLDFAST_KILLS=all.
const CUTS: (usize, usize) = (10, 100);

/// A cut comes this long at most after both programs have begun to work.
const WORKS_MS: u64 = 600;

const STREAMS: &str = r#"
poll = "20ms"
[seal]
age = "100ms"
[[stream]]
name = "all"
include = ["{logs}/*"]
retention = "1d"
"#;

/// The disk below spool and state.
struct Disk {
    image: PathBuf,
    /// Where it is mounted, the last first.
    mounts: Vec<PathBuf>,
}

fn done(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

impl Disk {
    /// A new disk for the host. `None` where nothing can be mounted.
    fn insert(site: &Site) -> Option<Self> {
        let image = site.path("disk.img");
        fs::File::create(&image).unwrap().set_len(96 << 20).unwrap();
        if !done(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&image)) {
            return None;
        }
        for folder in ["disk", "spool", "state"] {
            fs::create_dir_all(site.path(folder)).unwrap();
        }
        let mut disk = Self {
            image,
            mounts: Vec::new(),
        };
        disk.mount(site).then_some(disk)
    }

    fn mount(&mut self, site: &Site) -> bool {
        let disk = site.path("disk");
        // Nothing is written for the sake of time alone.
        let options = ["-o", "loop,commit=300,noauto_da_alloc"];
        if !done(
            Command::new("mount")
                .args(options)
                .arg(&self.image)
                .arg(&disk),
        ) {
            return false;
        }
        self.mounts.push(disk.clone());
        ["spool", "state"].iter().all(|folder| {
            fs::create_dir_all(disk.join(folder)).unwrap();
            let mut bind = Command::new("mount");
            bind.arg("--bind")
                .args([disk.join(folder), site.path(folder)]);
            let mounted = done(&mut bind);
            self.mounts.push(site.path(folder));
            mounted
        })
    }

    fn unmount(&mut self) {
        while let Some(mount) = self.mounts.pop() {
            assert!(
                done(Command::new("umount").arg("--lazy").arg(&mount)),
                "{}",
                mount.display()
            );
        }
    }

    /// A copy of what the disk holds now, without what only the kernel has of it.
    fn copy(&self) -> PathBuf {
        let cut = self.image.with_extension("cut");
        let copied = Command::new("cp")
            .arg("--sparse=always")
            .args([&self.image, &cut])
            .status();
        assert!(copied.unwrap().success());
        cut
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        for mount in self.mounts.drain(..).rev() {
            done(Command::new("umount").arg("--lazy").arg(mount));
        }
    }
}

/// Names and sizes below the disk.
fn held(site: &Site) -> BTreeMap<PathBuf, u64> {
    let files = files_below(&site.path("disk")).into_iter();
    let sized = files.map(|file| {
        let size = fs::metadata(&file).map_or(0, |stat| stat.len());
        (file, size)
    });
    sized.collect()
}

/// Lets both programs work, cuts the power after a while, and gives the world as it is after that, and whether the disk
/// lost something.
fn cut(dice: &mut Dice) -> Option<(Scene, Disk, bool)> {
    let store = TempDir::new().unwrap();
    let site = Site::new(&format!("file://{}", store.path().display()), STREAMS);
    let mut disk = Disk::insert(&site)?;
    site.init();
    // Made durable by whoever sets a host up.
    assert!(done(Command::new("sync").arg("-f").arg(site.path("disk"))));
    let mut agent = site.start(site.agent_command(&["run"]), "agent");
    let mut archiver = site.start(site.archive_command(&[]), "archiver");
    let (app, web) = (site.log("app.log"), site.log("web.log"));
    let mut lives = vec![Vec::new(), Vec::new()];
    write(&app, &mut lives, 0);
    write(&web, &mut lives, 1);
    wait_for("a receipt", || (!site.sealed().is_empty()).then_some(()));
    let after = dice.below(WORKS_MS);
    for step in 0..after / 20 {
        write(&web, &mut lives, 1);
        if step == 9 {
            fs::rename(&app, site.log("app.log.1")).unwrap();
            lives.push(Vec::new());
        }
        let at = if step >= 9 { 2 } else { 0 };
        write(&app, &mut lives, at);
        thread::sleep(Duration::from_millis(20));
    }
    thread::sleep(Duration::from_millis(after % 20));
    agent.signal(Signal::STOP);
    archiver.signal(Signal::STOP);
    let before = held(&site);
    let copy = disk.copy();
    assert!(agent.kill() && archiver.kill(), "both worked until then");
    disk.unmount();
    fs::rename(copy, &disk.image).unwrap();
    assert!(disk.mount(&site), "the disk can be mounted after the cut");
    let lost = held(&site) != before;
    Some((Scene::of(Who::Agent, site, store, lives), disk, lost))
}

/// Writes lines of its own to the log of which this is the life.
fn write(log: &Path, lives: &mut [Vec<u8>], at: usize) {
    let text = lines(&format!("{at}-{}", lives[at].len()));
    append(log, &text);
    lives[at].extend(text.as_bytes());
}

#[test]
fn power_cuts_lose_and_double_nothing() {
    let seed = dice::seed("power cuts", 11);
    let mut dice = Dice::new(seed);
    let count = if super::tries_all() { CUTS.1 } else { CUTS.0 };
    let mut losses = 0;
    for number in 0..count {
        let Some((scene, disk, lost)) = cut(&mut dice) else {
            println!("SKIPPED: no file system can be mounted on a loop device here");
            return;
        };
        scene.check_world(&format!("power cut {number}"));
        drop(disk);
        losses += usize::from(lost);
    }
    println!(
        "{count} power cuts (seed {seed}); in {losses} the disk lost what was written and not synced"
    );
    assert!(
        losses > 0,
        "no cut took anything: the disk is written through"
    );
}
