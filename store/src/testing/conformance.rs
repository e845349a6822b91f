//! The conformance suite: what the [`Store`] trait promises, a function a promise. Every store runs all of
//! it (tests/e2e/stores.rs); each function panics where a promise is broken.

use crate::{Lock, LockMode, Put, Store, StoreError, StoredVersion, Version, VersionKind};
use ledger::{Digest, Moment};
use tokio::task::JoinSet;

/// The store under test.
#[derive(Debug, Clone)]
pub struct Subject<S> {
    /// Empty at first, and nobody else's.
    pub store: S,
    /// Another prefix of the same bucket, or another directory: neither may see the other's objects.
    pub sibling: S,
    /// Keys that a page may hold at most; small, so that a few objects make several pages.
    pub page_size: usize,
    /// Whether a list that takes several pages holds all names; not every server does that.
    pub lists_all_names: bool,
}

/// Writers at once.
const RACERS: u8 = 16;

/// More than one page of S3's largest.
const MANY: usize = 1010;

/// How far two clocks of one machine may read apart, with a request between them.
const CLOCK_SLACK_S: u64 = 5;

pub fn put<'a>(key: &'a str, bytes: &[u8], retain_until: Moment) -> Put<'a> {
    Put {
        key,
        bytes: bytes.to_vec().into(),
        sha256: Digest::of(bytes),
        retain_until,
        if_absent: false,
    }
}

pub fn put_if_absent<'a>(key: &'a str, bytes: &[u8], retain_until: Moment) -> Put<'a> {
    Put {
        if_absent: true,
        ..put(key, bytes, retain_until)
    }
}

/// A lock's end that no test outlives.
pub async fn tomorrow(store: &impl Store) -> Moment {
    store.now().await.expect("a clock").plus_s(86_400)
}

/// All versions below `prefix`.
pub async fn list(store: &impl Store, prefix: &str, page_size: usize) -> Vec<Version> {
    let (mut all, mut page) = (Vec::new(), None);
    loop {
        let found = store.list_versions(prefix, page).await.expect("a list");
        assert!(found.items.len() <= page_size);
        all.extend(found.items);
        page = found.next;
        if page.is_none() {
            return all;
        }
    }
}

async fn stored(store: &impl Store, key: &str, bytes: &[u8]) -> StoredVersion {
    let until = tomorrow(store).await;
    store.put(put(key, bytes, until)).await.expect("a put")
}

async fn read(store: &impl Store, key: &str, version_id: Option<&str>) -> Vec<u8> {
    let fetched = store.get(key, version_id, 1 << 30).await.expect("a get");
    fetched.bytes.to_vec()
}

pub async fn what_is_put_is_got_back<S: Store + Clone + 'static>(subject: &Subject<S>) {
    let store = &subject.store;
    for size in [0, 1, 5 * 1024 * 1024] {
        let bytes: Vec<u8> = (0..251).cycle().take(size).collect();
        let key = format!("probe/round/{size}");
        let stored = stored(store, &key, &bytes).await;
        assert_eq!(stored.sha256, Digest::of(&bytes));

        assert_eq!(read(store, &key, None).await, bytes);
        assert_eq!(read(store, &key, Some(&stored.version_id)).await, bytes);
        let head = store.head(&key).await.expect("a head");
        assert_eq!(head.as_ref(), Some(&stored.version_id));

        let fetched = store.get(&key, None, size as u64).await.expect("a get");
        assert_eq!(fetched.version_id, stored.version_id);
        let listed = list(store, &key, subject.page_size).await;
        assert_eq!(listed.len(), 1);
        let version = Version {
            key,
            version_id: stored.version_id,
            kind: VersionKind::Object,
            size: size as u64,
            last_modified: listed[0].last_modified,
            is_latest: true,
        };
        assert_eq!(listed[0], version);
        let age_s = stored.store_time.since_s(fetched.last_modified);
        let ahead_s = fetched.last_modified.since_s(stored.store_time);
        assert!(age_s <= CLOCK_SLACK_S && ahead_s <= CLOCK_SLACK_S);
    }
}

pub async fn if_absent_leaves_what_is_there<S: Store + Clone + 'static>(subject: &Subject<S>) {
    let store = &subject.store;
    let until = tomorrow(store).await;
    let first = put_if_absent("probe/once", b"first", until);
    store.put(first.clone()).await.expect("the first");
    for again in [first, put_if_absent("probe/once", b"other", until)] {
        let error = store.put(again).await.expect_err("the second");
        assert!(matches!(error, StoreError::Exists(_)), "{error:?}");
        assert!(!error.may_have_happened());
    }
    assert_eq!(read(store, "probe/once", None).await, b"first");
    assert_eq!(list(store, "probe/once", subject.page_size).await.len(), 1);
}

pub async fn of_sixteen_at_once_one_wins<S: Store + Clone + 'static>(subject: &Subject<S>) {
    let until = tomorrow(&subject.store).await;
    let mut racers = JoinSet::new();
    for racer in 0..RACERS {
        let store = subject.store.clone();
        racers.spawn(async move {
            let bytes = [racer; 1000];
            let done = store.put(put_if_absent("probe/race", &bytes, until)).await;
            (racer, done)
        });
    }
    let mut winners = Vec::new();
    while let Some(joined) = racers.join_next().await {
        match joined.expect("a racer that lives") {
            (racer, Ok(_)) => winners.push(racer),
            (_, Err(StoreError::Exists(_) | StoreError::Conflict(_))) => {}
            (_, Err(error)) => panic!("{error:?}"),
        }
    }
    assert_eq!(winners.len(), 1);
    let bytes = read(&subject.store, "probe/race", None).await;
    assert_eq!(bytes, [winners[0]; 1000]);
    assert_eq!(list(&subject.store, "", subject.page_size).await.len(), 1);
}

pub async fn wrong_digest_leaves_nothing<S: Store + Clone + 'static>(subject: &Subject<S>) {
    let store = &subject.store;
    let mut wrong = put("probe/wrong", b"these bytes", tomorrow(store).await);
    wrong.sha256 = Digest::of(b"other bytes");
    let error = store.put(wrong).await.expect_err("a wrong digest");
    assert!(matches!(error, StoreError::BadDigest(_)), "{error:?}");
    assert_eq!(store.head("probe/wrong").await, Ok(None));
    assert_eq!(list(store, "", subject.page_size).await, []);
}

pub async fn locks_are_read_back_exactly<S: Store + Clone + 'static>(subject: &Subject<S>) {
    let store = &subject.store;
    // A fraction of a second must not shorten the lock.
    let day = tomorrow(store).await.ceil_to_second();
    for (key, until) in [
        ("probe/lock/whole", day),
        ("probe/lock/part", Moment::from_micros(day.micros() + 1)),
        ("probe/lock/long", day.plus_s(100 * 366 * 86_400)),
    ] {
        let stored = store.put(put(key, key.as_bytes(), until)).await;
        let version_id = stored.expect("a put").version_id;
        let lock = store.lock_of(key, &version_id).await;
        let expected = Lock {
            mode: LockMode::Compliance,
            retain_until: until.ceil_to_second(),
        };
        assert_eq!(lock, Ok(Some(expected)), "{key}");
    }
}

pub async fn locks_only_lengthen<S: Store + Clone + 'static>(subject: &Subject<S>) {
    let store = &subject.store;
    let until = tomorrow(store).await.ceil_to_second();
    let key = "probe/lengthen";
    let stored = store.put(put(key, b"bytes", until)).await.expect("a put");
    let version_id = stored.version_id;
    let later = until.plus_s(3600);
    for longer in [until, later, later] {
        let extended = store.extend(key, &version_id, longer).await;
        assert_eq!(extended, Ok(()));
        let lock = store.lock_of(key, &version_id).await.expect("a lock");
        assert_eq!(lock.map(|lock| lock.retain_until), Some(longer));
    }
    let error = store.extend(key, &version_id, until).await;
    let error = error.expect_err("a shorter lock");
    let refused = matches!(error, StoreError::Denied(_) | StoreError::Refused(_));
    assert!(refused, "{error:?}");
    let lock = store.lock_of(key, &version_id).await.expect("a lock");
    assert_eq!(lock.map(|lock| lock.retain_until), Some(later));
}

pub async fn same_bytes_again_do_no_harm<S: Store + Clone + 'static>(subject: &Subject<S>) {
    let store = &subject.store;
    let first = stored(store, "probe/again", b"bytes").await;
    let later = tomorrow(store).await.plus_s(3600).ceil_to_second();
    let second = store.put(put("probe/again", b"bytes", later)).await;
    let second = second.expect("the same again");

    let versions = list(store, "probe/again", subject.page_size).await;
    let expected = if store.capability().versions { 2 } else { 1 };
    assert_eq!(versions.len(), expected);
    assert_eq!(first.version_id != second.version_id, expected == 2);
    for version in [&first.version_id, &second.version_id] {
        assert_eq!(read(store, "probe/again", Some(version)).await, b"bytes");
        assert!(
            store
                .lock_of("probe/again", version)
                .await
                .is_ok_and(|lock| lock.is_some())
        );
    }
    let lock = store.lock_of("probe/again", &second.version_id).await;
    assert_eq!(
        lock.map(|lock| lock.map(|lock| lock.retain_until)),
        Ok(Some(later))
    );
}

pub async fn other_bytes_never_replace<S: Store + Clone + 'static>(subject: &Subject<S>) {
    let store = &subject.store;
    let first = stored(store, "probe/other", b"first").await;
    let other = put("probe/other", b"second", tomorrow(store).await);
    let done = store.put(other).await;
    if store.capability().versions {
        let second = done.expect("one more version");
        let version = Some(second.version_id.as_str());
        assert_eq!(read(store, "probe/other", version).await, b"second");
    } else {
        assert!(matches!(done, Err(StoreError::Exists(_))), "{done:?}");
    }
    let version = Some(first.version_id.as_str());
    assert_eq!(read(store, "probe/other", version).await, b"first");
}

pub async fn reading_is_bounded<S: Store + Clone + 'static>(subject: &Subject<S>) {
    let store = &subject.store;
    stored(store, "probe/big", &vec![7; 100_000]).await;
    for max_bytes in [0, 1, 99_999] {
        let error = store.get("probe/big", None, max_bytes).await;
        let error = error.expect_err("too large");
        let told =
            matches!(error, StoreError::TooLarge { max_bytes: told, .. } if told == max_bytes);
        assert!(told, "{error:?}");
    }
    for max_bytes in [100_000, 100_001, u64::MAX - 1, u64::MAX] {
        let fetched = store.get("probe/big", None, max_bytes).await;
        assert_eq!(fetched.expect("a get").bytes.len(), 100_000);
    }
}

pub async fn what_is_not_there_is_missing<S: Store + Clone + 'static>(subject: &Subject<S>) {
    let store = &subject.store;
    stored(store, "probe/here", b"bytes").await;
    // A version id of the right form, of another object.
    let version_id = stored(store, "probe/elsewhere", b"other").await.version_id;
    let missing = |error: StoreError| matches!(error, StoreError::Missing(_));

    assert!(store.get("probe/none", None, 10).await.is_err_and(missing));
    assert!(
        store
            .get("probe/none/deep", None, 10)
            .await
            .is_err_and(missing)
    );
    let other = store.get("probe/none", Some(&version_id), 10).await;
    assert!(other.is_err_and(missing));
    assert_eq!(store.head("probe/none").await, Ok(None));
    assert!(
        store
            .lock_of("probe/none", &version_id)
            .await
            .is_err_and(missing)
    );
    let extended = store.extend("probe/none", &version_id, Moment::LAST).await;
    assert!(extended.is_err_and(missing));
    assert_eq!(list(store, "probe/none", subject.page_size).await, []);
    assert_eq!(store.check().await, Ok(()));
}

pub async fn prefixes_are_apart<S: Store + Clone + 'static>(subject: &Subject<S>) {
    let (one, other) = (&subject.store, &subject.sibling);
    stored(one, "probe/a", b"one").await;
    stored(other, "probe/a", b"other").await;
    stored(other, "probe/b", b"other").await;
    assert_eq!(read(one, "probe/a", None).await, b"one");
    assert_eq!(read(other, "probe/a", None).await, b"other");
    let keys = |versions: Vec<Version>| -> Vec<String> {
        versions.into_iter().map(|version| version.key).collect()
    };
    for prefix in ["", "probe", "probe/"] {
        assert_eq!(
            keys(list(one, prefix, subject.page_size).await),
            ["probe/a"],
            "{prefix}"
        );
        assert_eq!(
            keys(list(other, prefix, subject.page_size).await),
            ["probe/a", "probe/b"],
            "{prefix}"
        );
    }
    assert_eq!(
        keys(list(other, "probe/b", subject.page_size).await),
        ["probe/b"]
    );
    assert_eq!(list(one, "probe/b", subject.page_size).await, []);
}

pub async fn long_lists_come_in_pages<S: Store + Clone + 'static>(subject: &Subject<S>) {
    let until = tomorrow(&subject.store).await;
    // What else a store that loses names does is tested in `hidden`.
    let second = if subject.lists_all_names { "a-b" } else { "ab" };
    let mut expected: Vec<String> = (0..MANY)
        .map(|at| format!("probe/{}/{at}", ["a", second, "a=", "b"][at % 4]))
        .collect();
    for keys in expected.chunks(RACERS.into()) {
        let mut putting = JoinSet::new();
        for key in keys {
            let (store, key) = (subject.store.clone(), key.clone());
            putting.spawn(async move { store.put(put(&key, b"x", until)).await });
        }
        while let Some(joined) = putting.join_next().await {
            joined.expect("a put that lives").expect("a put");
        }
    }
    expected.sort();
    let listed: Vec<String> = list(&subject.store, "probe/", subject.page_size)
        .await
        .into_iter()
        .map(|version| version.key)
        .collect();
    assert_eq!(listed, expected);
}

pub async fn clock_is_told<S: Store + Clone + 'static>(subject: &Subject<S>) {
    let store = &subject.store;
    for _ in 0..2 {
        let (told, local) = (store.now().await.expect("a clock"), host::clock::now());
        assert!(told.since_s(local) <= CLOCK_SLACK_S && local.since_s(told) <= CLOCK_SLACK_S);
    }
}
