//! What a bucket's owner may do behind our back, and what the store still tells.

use super::rules::{list, put, put_if_absent, tomorrow};
use super::{Ground, PAGE_SIZE, Stand, s3, shared};
use archiver::store::{Store as _, StoreError, VersionKind};
use harness::Minio;
use harness::minio::root;

fn server(stand: &Stand) -> &Minio {
    match &stand.ground {
        Ground::Server(minio) => minio,
        Ground::Disk(_) => panic!("not on a server"),
    }
}

#[test]
fn versions_are_read_under_newer_ones_and_markers() {
    let stand = Stand::in_bucket("hidden-versions");
    let (store, minio) = (&stand.store, server(&stand));
    let bucket = minio.bucket("hidden-versions");
    let key = "probe/x";
    let ours = minio.run(async {
        let until = tomorrow(store).await;
        store
            .put(put_if_absent(key, b"ours", until))
            .await
            .unwrap()
            .version_id
    });
    let theirs = bucket.put("one/deep/probe/x", b"theirs");
    bucket.hide("one/deep/probe/x");
    minio.run(async {
        for (version, bytes) in [(&ours, b"ours".as_slice()), (&theirs, b"theirs")] {
            let fetched = store.get(key, Some(version), 100).await.unwrap();
            assert_eq!(
                (fetched.bytes.as_ref(), &fetched.version_id),
                (bytes, version)
            );
        }
        assert!(store.lock_of(key, &ours).await.unwrap().is_some());
        assert_eq!(store.lock_of(key, &theirs).await, Ok(None));
        assert_eq!(store.head(key).await, Ok(None));
        let got = store.get(key, None, 100).await;
        assert!(matches!(got, Err(StoreError::Missing(_))), "{got:?}");

        let listed = list(store, key).await;
        let mut kinds: Vec<_> = listed.iter().map(|version| version.kind).collect();
        kinds.sort_by_key(|kind| *kind == VersionKind::Marker);
        assert_eq!(
            kinds,
            [
                VersionKind::Object,
                VersionKind::Object,
                VersionKind::Marker
            ]
        );
        let marker = listed
            .iter()
            .find(|version| version.kind == VersionKind::Marker);
        let marker = marker.unwrap();
        assert!(marker.is_latest && marker.size == 0);
        let got = store.get(key, Some(&marker.version_id), 100).await;
        assert!(matches!(got, Err(StoreError::Missing(_))), "{got:?}");

        // As on AWS: to a conditional put a key under a marker is absent.
        let until = tomorrow(store).await;
        store.put(put_if_absent(key, b"ours", until)).await.unwrap();
        assert_eq!(list(store, key).await.len(), 4);
    });
}

#[test]
fn versions_of_one_key_fill_several_pages() {
    let stand = Stand::in_bucket("hidden-many");
    let (store, minio) = (&stand.store, server(&stand));
    let bucket = minio.bucket("hidden-many");
    let mut put: Vec<String> = (0..3 * PAGE_SIZE)
        .map(|_| bucket.put("one/deep/probe/x", b"x"))
        .collect();
    let listed = minio.run(list(store, "probe/"));
    let mut ids: Vec<String> = listed
        .into_iter()
        .map(|version| version.version_id)
        .collect();
    put.sort();
    ids.sort();
    assert_eq!(ids, put);
}

#[test]
fn locked_versions_are_not_deleted() {
    let stand = Stand::in_bucket("hidden-deletes");
    let (store, minio) = (&stand.store, server(&stand));
    minio.run(async {
        let until = tomorrow(store).await;
        let stored = store.put(put("probe/x", b"ours", until)).await.unwrap();
        for bypass in [false, true] {
            let request = minio.client().delete_object().bucket("hidden-deletes");
            let deleted = request
                .key("one/deep/probe/x")
                .version_id(&stored.version_id)
                .bypass_governance_retention(bypass)
                .send();
            assert!(deleted.await.is_err());
        }
        let fetched = store.get("probe/x", Some(&stored.version_id), 100).await;
        assert_eq!(fetched.unwrap().bytes.as_ref(), b"ours");
    });
}

#[test]
fn any_name_in_a_bucket_is_listed() {
    let stand = Stand::in_bucket("hidden-names");
    let (store, minio) = (&stand.store, server(&stand));
    let bucket = minio.bucket("hidden-names");
    // Control characters would make plain XML unreadable.
    let mut names = [
        "a b",
        "a+b",
        "a%41b",
        "a&<b>",
        "é/ü",
        "bell\u{7}",
        "esc\u{1b}[2J",
        "line\nbreak",
        "\u{202e}rtl",
    ];
    for name in names {
        bucket.put(&format!("one/deep/{name}"), b"x");
    }
    names.sort();
    let listed: Vec<String> = minio
        .run(list(store, ""))
        .into_iter()
        .map(|version| version.key)
        .collect();
    assert_eq!(listed, names);
}

#[test]
fn what_a_role_may_not_do_is_denied() {
    let minio = Minio::shared();
    let bucket = minio.locked_bucket("hidden-rights");
    let mut stranger = root();
    stranger.secret = "not the secret".into();
    let store = s3(&bucket.url(""), &shared(&minio.endpoint(), &stranger));
    minio.run(async {
        let until = host::clock::now().plus_s(86_400);
        let put = store.put(put("probe/x", b"x", until)).await;
        let Err(StoreError::Denied(answer)) = put else {
            panic!("{put:?}");
        };
        let text = answer.to_string();
        for part in [
            "s3://hidden-rights/probe/x",
            &minio.endpoint(),
            "AWS_SECRET_ACCESS_KEY",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        // Even a refusal tells the time.
        assert!(store.now().await.is_ok());
    });
}
