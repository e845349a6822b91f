//! What only a directory can meet: puts cut short, symlinks, names of others.

use super::{Ground, PAGE_SIZE, Stand};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::PathBuf;
use store::testing::conformance::{list, put, put_if_absent, tomorrow};
use store::{SetupFault, Store as _, StoreError, VersionKind};

fn home(stand: &Stand) -> PathBuf {
    match &stand.ground {
        Ground::Disk(home) => home.path().join("one"),
        Ground::Server(_) => panic!("not on a disk"),
    }
}

#[test]
fn put_cut_short_is_finished_by_the_same_again() {
    let stand = Stand::on_disk();
    let store = &stand.subject.store;
    let folder = home(&stand).join("probe");
    fs::create_dir(&folder).unwrap();
    stand.run(async {
        let until = tomorrow(store).await.ceil_to_second();
        // Named, but not locked; the access time set, but still writable.
        for key in ["probe/named", "probe/timed"] {
            let path = home(&stand).join(key);
            fs::write(&path, b"bytes").unwrap();
            if key == "probe/timed" {
                let far = fs::FileTimes::new().set_accessed(
                    std::time::UNIX_EPOCH + std::time::Duration::from_secs(until.seconds()),
                );
                fs::File::options()
                    .write(true)
                    .open(&path)
                    .unwrap()
                    .set_times(far)
                    .unwrap();
            }
            assert_eq!(store.lock_of(key, "null").await, Ok(None));

            let error = store.put(put_if_absent(key, b"bytes", until)).await;
            assert!(matches!(error, Err(StoreError::Exists(_))), "{error:?}");
            store.put(put(key, b"bytes", until)).await.unwrap();
            let lock = store.lock_of(key, "null").await.unwrap();
            assert_eq!(lock.map(|lock| lock.retain_until), Some(until));
            let kept = fs::metadata(&path).unwrap();
            assert_eq!(kept.permissions().mode() & 0o7777, 0o444);
            assert_eq!(kept.atime().unsigned_abs(), until.seconds());
        }
    });
    let scratch = home(&stand).join(".holdfast-tmp");
    assert_eq!(fs::read_dir(scratch).unwrap().count(), 0);
}

#[test]
fn reading_leaves_the_lock() {
    let stand = Stand::on_disk();
    let store = &stand.subject.store;
    stand.run(async {
        let until = tomorrow(store).await.ceil_to_second();
        store.put(put("probe/read", b"bytes", until)).await.unwrap();
        store.get("probe/read", None, 10).await.unwrap();
        store.head("probe/read").await.unwrap();
        let lock = store.lock_of("probe/read", "null").await.unwrap();
        assert_eq!(lock.map(|lock| lock.retain_until), Some(until));
    });
}

#[test]
fn links_are_listed_but_never_followed() {
    let stand = Stand::on_disk();
    let (store, home) = (&stand.subject.store, home(&stand));
    let outside = home.parent().unwrap().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), b"secret").unwrap();
    fs::create_dir(home.join("probe")).unwrap();
    symlink(outside.join("secret"), home.join("probe/link")).unwrap();
    symlink(&outside, home.join("probe/folder")).unwrap();
    stand.run(async {
        let until = tomorrow(store).await;
        for key in ["probe/link", "probe/folder", "probe/folder/secret"] {
            let got = store.get(key, None, 100).await;
            assert!(matches!(got, Err(StoreError::Refused(_))), "{key}: {got:?}");
            let put = store.put(put(key, b"secret", until)).await;
            assert!(matches!(put, Err(StoreError::Refused(_))), "{key}: {put:?}");
            assert!(store.lock_of(key, "null").await.is_err(), "{key}");
        }
        let listed: Vec<_> = list(store, "", PAGE_SIZE)
            .await
            .into_iter()
            .map(|version| (version.key, version.kind))
            .collect();
        let special = |key: &str| (key.to_owned(), VersionKind::Special);
        assert_eq!(listed, [special("probe/folder"), special("probe/link")]);
    });
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    let secret = fs::metadata(outside.join("secret")).unwrap();
    assert_ne!(secret.permissions().mode() & 0o777, 0o444);
}

#[test]
fn only_names_of_ours_become_paths() {
    let stand = Stand::on_disk();
    let store = &stand.subject.store;
    stand.run(async {
        let until = tomorrow(store).await;
        for key in [
            "../oneself/probe/x",
            "/etc/x",
            "probe/../../x",
            "other/x",
            "probe/.x",
            "",
        ] {
            let put = store.put(put(key, b"x", until)).await;
            assert!(matches!(put, Err(StoreError::Refused(_))), "{key}: {put:?}");
            let got = store.get(key, None, 100).await;
            assert!(matches!(got, Err(StoreError::Refused(_))), "{key}: {got:?}");
        }
    });
    assert_eq!(fs::read_dir(home(&stand)).unwrap().count(), 0);
}

#[test]
fn directory_that_is_not_there_is_told_and_made() {
    let stand = Stand::on_disk();
    let url = format!("file://{}/new/er", home(&stand).display());
    let store = super::s3(&url, &aws_types::SdkConfig::builder().build());
    stand.run(async {
        let fault = store.check().await;
        assert_eq!(fault, Err(SetupFault::Absent { url: url.clone() }));
        let text = fault.unwrap_err().to_string();
        assert!(
            text.contains(&format!("holdfast bucket create --store {url}")),
            "{text}"
        );
        let put = store
            .put(put("probe/x", b"x", tomorrow(&store).await))
            .await;
        assert!(matches!(put, Err(StoreError::NoBucket(_))), "{put:?}");

        use cli::bucket::{SetupStep, create};
        assert_eq!(create(&store, 1).await, Ok(vec![SetupStep::MadeDirectory]));
        assert_eq!(create(&store, 1).await, Ok(vec![SetupStep::FoundRight]));
        assert_eq!(store.check().await, Ok(()));
    });
}
