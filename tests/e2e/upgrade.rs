//! What the first version left: neither program takes it for its own, and nothing of it is touched.

use harness::Site;
use harness::site::files_below;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The first version's spool and state.
const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/first-version");

/// One stream over all logs.
const STREAMS: &str = r#"
[[stream]]
name = "all"
include = ["{logs}/*"]
retention = "1d"
"#;

/// What every refusal says.
const WHAT_TO_DO: &str = "use a fresh spool, state and prefix";

fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = files_below(folder).into_iter();
    files
        .map(|path| {
            let bytes = fs::read(&path).unwrap();
            (path, bytes)
        })
        .collect()
}

fn copy(from: &Path, to: &Path) {
    for file in files_below(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, target).unwrap();
    }
}

fn fresh() -> Site {
    let site = Site::new("file:///unused", STREAMS);
    site.init();
    site
}

/// A site whose spool is the first version's.
fn upgraded() -> Site {
    let site = fresh();
    let spool = site.path("spool");
    fs::remove_dir_all(&spool).unwrap();
    copy(&Path::new(FIXTURE).join("spool"), &spool);
    // Empty folders, which git does not keep.
    for half in ["receipts", "tmp"] {
        fs::create_dir(spool.join(half)).unwrap();
    }
    site
}

/// `check` names it as a fault, and ends as `run` would.
#[track_caller]
fn assert_check_says_so(site: &Site) {
    let checked = site.agent(&["check"]).expect(3);
    assert!(checked.stdout.contains(WHAT_TO_DO), "{}", checked.stdout);
}

#[test]
fn the_first_versions_spool_is_refused_by_both_and_left_as_it_is() {
    let site = upgraded();
    let before = contents(&site.path("spool"));
    for command in ["init", "run", "drain", "rotate-key"] {
        let refused = site.agent(&[command]).expect(3);
        assert!(refused.stderr.contains(WHAT_TO_DO), "{}", refused.stderr);
    }
    assert_check_says_so(&site);
    let refused = site.archive(&["--once"]).expect(3);
    assert!(refused.stderr.contains(WHAT_TO_DO), "{}", refused.stderr);
    assert!(
        contents(&site.path("spool")) == before,
        "nothing was touched"
    );
}

#[test]
fn the_first_versions_state_is_refused_beside_a_fresh_spool() {
    let site = fresh();
    copy(&Path::new(FIXTURE).join("state"), &site.path("state"));
    let refused = site.agent(&["drain"]).expect(3);
    assert!(refused.stderr.contains(WHAT_TO_DO), "{}", refused.stderr);
    assert_check_says_so(&site);
}

#[test]
fn logs_that_are_still_on_disk_are_archived_again_in_a_fresh_spool() {
    let site = fresh();
    fs::write(site.log("a.log"), b"one\ntwo\n").unwrap();
    drop(site.agent(&["drain"]).expect(0));
    assert!(!site.sealed().is_empty());
}
