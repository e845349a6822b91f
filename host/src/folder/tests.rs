//! What folders that are held open make, read and refuse.

use super::*;
use rustix::fs::FileType;
use std::os::unix::fs::{PermissionsExt as _, symlink};

#[test]
fn nothing_leads_elsewhere() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), b"secret").unwrap();
    let spool = tempfile::tempdir().unwrap();
    let at = |name: &str| spool.path().join(name);
    symlink(outside.path(), at("folder")).unwrap();
    symlink(outside.path().join("secret"), at("file")).unwrap();
    std::fs::create_dir(at("real")).unwrap();
    let fifo = rustix::fs::mknodat(
        rustix::fs::CWD,
        at("pipe"),
        FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    );
    fifo.unwrap();
    let folder = Folder::open(spool.path()).unwrap();
    assert!(folder.enter("folder").is_err());
    for name in ["file", "pipe", "real", "none"] {
        assert!(folder.read(name, 100).is_err(), "{name}");
        assert!(folder.read_synced(name, 100).is_err(), "{name}");
    }
    assert!(folder.enter("real").is_ok());
}

#[test]
fn what_is_made_is_durable_ours_and_of_its_mode() {
    let spool = tempfile::tempdir().unwrap();
    let mode = |name: &str| {
        let found = spool.path().join(name).symlink_metadata().unwrap();
        found.permissions().mode() & 0o7777
    };
    let folder = Folder::open(spool.path()).unwrap();
    let made = folder.make("a", 0o2750).unwrap().own().unwrap();
    assert_eq!(made.stands_at(&folder, "a").unwrap(), Some(true));
    assert_eq!(made.stands_at(&folder, "b").unwrap(), None);
    for bytes in [&b"one"[..], b"two, longer"] {
        made.write_durable("f", bytes).unwrap();
        made.replace("g", bytes).unwrap();
        assert_eq!(made.read("f", 100).unwrap(), bytes);
    }
    assert_eq!(
        (mode("a"), mode("a/f"), mode("a/g")),
        (0o2750, 0o640, 0o640)
    );
    made.create_new(".tmp-left", 0o600).unwrap();
    made.sweep_temporaries().unwrap();
    let mut names = made.names().unwrap();
    names.sort();
    assert_eq!(names, [".", "..", "f", "g"]);
    // What stands in the way is never followed, and a name that was moved is another folder's.
    std::fs::rename(spool.path().join("a"), spool.path().join("b")).unwrap();
    symlink("b", spool.path().join("a")).unwrap();
    assert!(folder.make("a", 0o2750).is_err());
    assert_eq!(made.stands_at(&folder, "a").unwrap(), Some(false));
    made.write_durable("h", b"still there").unwrap();
    assert!(spool.path().join("b/h").exists());
}

#[test]
fn reads_are_bounded() {
    let spool = tempfile::tempdir().unwrap();
    std::fs::write(spool.path().join("f"), b"12345").unwrap();
    let folder = Folder::open(spool.path()).unwrap();
    assert_eq!(folder.read_synced("f", 5).unwrap(), b"12345");
    let error = folder.read("f", 4).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
}
