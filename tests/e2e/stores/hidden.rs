//! What a bucket's owner may do behind our back, and what the store still tells.

use super::{Ground, PAGE_SIZE, Stand, s3, shared};
use harness::account::root;
use harness::{Kind, Server, on_every_server};
use store::testing::conformance::{list, put, put_if_absent, tomorrow};
use store::{Store as _, StoreError, VersionKind};

fn server(stand: &Stand) -> &Server {
    match &stand.ground {
        Ground::Server(server) => server,
        Ground::Disk(_) => panic!("not on a server"),
    }
}

on_every_server! {
    versions_are_read_under_newer_ones_and_markers,
    versions_of_one_key_fill_several_pages,
    locked_versions_are_not_deleted,
    any_name_in_a_bucket_is_listed,
    names_that_a_list_would_lose_are_not_passed_over,
    what_a_role_may_not_do_is_denied,
}

fn versions_are_read_under_newer_ones_and_markers(kind: Kind) {
    let stand = Stand::in_bucket(kind, "hidden-versions");
    let (store, server) = (&stand.subject.store, server(&stand));
    let bucket = server.bucket("hidden-versions");
    let key = "probe/x";
    let ours = server.run(async {
        let until = tomorrow(store).await;
        store
            .put(put_if_absent(key, b"ours", until))
            .await
            .unwrap()
            .version_id
    });
    let theirs = bucket.put("one/deep/probe/x", b"theirs");
    bucket.hide("one/deep/probe/x");
    server.run(async {
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

        let listed = list(store, key, PAGE_SIZE).await;
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
        assert_eq!(list(store, key, PAGE_SIZE).await.len(), 4);
    });
}

fn versions_of_one_key_fill_several_pages(kind: Kind) {
    let stand = Stand::in_bucket(kind, "hidden-many");
    let (store, server) = (&stand.subject.store, server(&stand));
    let bucket = server.bucket("hidden-many");
    let mut put: Vec<String> = (0..3 * PAGE_SIZE)
        .map(|_| bucket.put("one/deep/probe/x", b"x"))
        .collect();
    let listed = server.run(list(store, "probe/", PAGE_SIZE));
    let mut ids: Vec<String> = listed
        .into_iter()
        .map(|version| version.version_id)
        .collect();
    put.sort();
    ids.sort();
    assert_eq!(ids, put);
}

fn locked_versions_are_not_deleted(kind: Kind) {
    let stand = Stand::in_bucket(kind, "hidden-deletes");
    let (store, server) = (&stand.subject.store, server(&stand));
    server.run(async {
        let until = tomorrow(store).await;
        let stored = store.put(put("probe/x", b"ours", until)).await.unwrap();
        for bypass in [false, true] {
            let request = server.client().delete_object().bucket("hidden-deletes");
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

fn any_name_in_a_bucket_is_listed(kind: Kind) {
    let stand = Stand::in_bucket(kind, "hidden-names");
    let (store, server) = (&stand.subject.store, server(&stand));
    let bucket = server.bucket("hidden-names");
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
    names.sort_unstable();
    let shown = names.map(|name| {
        let hidden = |char: char| char.is_control() && char != '\n';
        if server.kind().lists_control_characters() {
            name.to_owned()
        } else {
            name.replace(hidden, "\u{fffd}")
        }
    });
    let listed: Vec<String> = server
        .run(list(store, "", PAGE_SIZE))
        .into_iter()
        .map(|version| version.key)
        .collect();
    assert_eq!(listed, shown);
}

fn names_that_a_list_would_lose_are_not_passed_over(kind: Kind) {
    let stand = Stand::in_bucket(kind, "hidden-siblings");
    let (store, server) = (&stand.subject.store, server(&stand));
    let bucket = server.bucket("hidden-siblings");
    let folders = ["probe/web-01/", "probe/web.a/", "probe/web/"];
    for folder in folders {
        for at in 0..=PAGE_SIZE {
            bucket.put(&format!("one/deep/{folder}{at}"), b"x");
        }
    }
    server.run(async {
        for folder in folders {
            assert_eq!(
                list(store, folder, PAGE_SIZE).await.len(),
                PAGE_SIZE + 1,
                "{folder}"
            );
        }
        if server.kind().lists_all_names() {
            assert_eq!(list(store, "", PAGE_SIZE).await.len(), 3 * (PAGE_SIZE + 1));
        } else {
            let refused = store.list_versions("", None).await;
            let Err(StoreError::Broken(answer)) = refused else {
                panic!("{refused:?}");
            };
            assert!(answer.to_string().contains("probe/web-"), "{answer}");
        }
    });
}

fn what_a_role_may_not_do_is_denied(kind: Kind) {
    let server = Server::shared(kind);
    let bucket = server.locked_bucket("hidden-rights");
    let mut unknown = root();
    unknown.secret = "not the secret".into();
    let store = s3(&bucket.url(""), &shared(&server.endpoint(), &unknown));
    server.run(async {
        let until = host::clock::now().plus_s(86_400);
        let put = store.put(put("probe/x", b"x", until)).await;
        let Err(StoreError::Denied(answer)) = put else {
            panic!("{put:?}");
        };
        let text = answer.to_string();
        for part in [
            "s3://hidden-rights/probe/x",
            &server.endpoint(),
            "AWS_SECRET_ACCESS_KEY",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        // Even a refusal tells the time.
        assert!(store.now().await.is_ok());
    });
}
