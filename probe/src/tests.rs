//! The whole probe against a store in memory that keeps its promise, and against one that lies in
//! one row: that row alone comes out red.

mod liar;

use super::*;
use liar::{Liar, Lie};
use std::collections::BTreeSet;
use std::time::Duration;
use store::testing::model::{Model, store_time};

/// What a request takes by the store's clock, which stands still otherwise: no test depends on how fast the
/// machine is.
const REQUEST: Duration = Duration::from_millis(50);

/// Long enough for all rows at that.
const LOCK_S: u64 = 20;

fn options<'a>() -> ProbeOptions<'a> {
    ProbeOptions {
        run: "0123456789abcdef",
        lock_s: LOCK_S,
        clock: store_time,
        tick: Duration::from_micros(10),
        tell: &|_| {},
    }
}

fn liar(row: Option<(Row, Lie)>) -> Arc<Liar> {
    taking(REQUEST, row)
}

fn taking(request: Duration, row: Option<(Row, Lie)>) -> Arc<Liar> {
    Arc::new(Liar {
        inner: Model::taking(request),
        row,
        at_start: false,
    })
}

/// Rows that are not as they must be, with their answers.
fn red(report: &ProbeReport) -> Vec<(Row, RowAnswer)> {
    let red = report
        .rows
        .iter()
        .filter(|row| row.answer != RowAnswer::Holds);
    red.map(|row| (row.row, row.answer)).collect()
}

async fn probed(row: Option<(Row, Lie)>) -> ProbeReport {
    let scratch = liar(row.filter(|(row, _)| *row == Row::Suspend));
    probe(liar(row), Some(scratch.as_ref()), &options()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_keeps_its_promise_holds_in_every_row_and_is_left_clean() {
    let store = liar(None);
    let report = probe(Arc::clone(&store), Some(&*liar(None)), &options()).await;
    assert_eq!(red(&report), [], "{:#?}", report.rows);
    assert_eq!((report.verdict, report.exit_code), (ProbeVerdict::Holds, 0));
    let rows: Vec<_> = report.rows.iter().map(|row| row.row).collect();
    assert_eq!(rows, Row::ALL);
    let needs_control = |row: &&RowReport| {
        row.row.is_refusal() || matches!(row.row, Row::Overwrite | Row::Checksum | Row::CreateTwice)
    };
    for row in report.rows.iter().filter(needs_control) {
        assert!(!row.control.is_empty(), "{row:?}");
    }
    assert_eq!(report.left, []);
    let objects = store.inner.objects();
    assert!(objects.keys().all(|key| key.starts_with("probe/")));
    assert!(objects.values().flatten().all(|kept| kept.is_gone));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_scratch_bucket_no_versioning_is_touched() {
    let report = probe(liar(Some((Row::Suspend, Lie::Openly))), None, &options()).await;
    assert_eq!(red(&report), [(Row::Suspend, RowAnswer::NotTried)]);
    assert_eq!(report.exit_code, 0);
}

/// Probes one liar for each row and lie, all at once.
async fn lied_to(rows: &[Row], lie: Lie, expected: RowAnswer, exit_code: u8) {
    let mut probes = tokio::task::JoinSet::new();
    for row in rows.iter().copied() {
        probes.spawn(async move { (row, probed(Some((row, lie))).await) });
    }
    let mut shown = BTreeSet::new();
    while let Some(joined) = probes.join_next().await {
        let (row, report) = joined.unwrap();
        assert_eq!(
            red(&report),
            [(row, expected)],
            "{lie:?} {:#?}",
            report.rows
        );
        assert_eq!(report.exit_code, exit_code, "{row:?}");
        shown.insert(row.suffix());
    }
    assert_eq!(shown.len(), rows.len());
}

/// Every row in which a store can fail to enforce a lock.
const LYING: [Row; 13] = [
    Row::Setup,
    Row::Lock,
    Row::Delete,
    Row::DeleteBypass,
    Row::Shorten,
    Row::ShortenBypass,
    Row::Weaken,
    Row::WeakenBypass,
    Row::Overwrite,
    Row::Checksum,
    Row::CreateTwice,
    Row::CreateRace,
    Row::Suspend,
];

/// Rows that a missing right can keep from being proven; the others need no right but to put.
const NEEDING_A_RIGHT: [Row; 11] = [
    Row::Setup,
    Row::Lock,
    Row::Delete,
    Row::DeleteBypass,
    Row::Shorten,
    Row::ShortenBypass,
    Row::Weaken,
    Row::WeakenBypass,
    Row::Overwrite,
    Row::CreateTwice,
    Row::Suspend,
];

#[tokio::test(flavor = "multi_thread")]
async fn a_lie_is_red_in_its_row_alone_and_a_missing_right_is_never_a_pass() {
    tokio::join!(
        lied_to(&LYING, Lie::Openly, RowAnswer::NotEnforced, 1),
        lied_to(&LYING, Lie::Secretly, RowAnswer::NotEnforced, 1),
        lied_to(&NEEDING_A_RIGHT, Lie::NoRight, RowAnswer::NotProven, 2),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_that_are_apart_are_not_proven() {
    let options = ProbeOptions {
        clock: || store_time().plus_s(3600),
        ..options()
    };
    let report = probe(liar(None), Some(&*liar(None)), &options).await;
    assert_eq!(red(&report), [(Row::Clock, RowAnswer::NotProven)]);
    assert_eq!(report.exit_code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_deleted_is_told() {
    let report = probed(Some((Row::Delete, Lie::NoRight))).await;
    let [left] = report.left.as_slice() else {
        panic!("{:?}", report.left);
    };
    assert_eq!(left.key, "probe/0123456789abcdef-delete");
    assert!(report.left_until.is_some() && report.left_because.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archiver_starts_on_a_store_that_holds_and_leaves_one_canary() {
    let store = liar(None);
    let done = harmless(Arc::clone(&store), "run", store_time).await;
    assert_eq!(done, Ok(None));
    assert_eq!(store.inner.versions(""), [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archiver_does_not_start_where_a_lock_is_not_enforced() {
    for row in [
        Row::Lock,
        Row::Checksum,
        Row::CreateTwice,
        Row::Shorten,
        Row::Weaken,
    ] {
        for lie in [Lie::Openly, Lie::Secretly] {
            let store = Liar {
                inner: Model::default(),
                row: Some((row, lie)),
                at_start: true,
            };
            let refusal = harmless(Arc::new(store), "run", store_time)
                .await
                .unwrap_err();
            let Refusal::NotEnforced { row: named, .. } = &refusal else {
                panic!("{row:?} {lie:?}: {refusal}");
            };
            assert_eq!(*named, row.title(), "{lie:?}");
            assert!(
                refusal
                    .to_string()
                    .contains("holdfast probe --store s3://model/p")
            );
        }
    }
}

/// So slow that a lock of five seconds ends before an attack on it is made and looked at.
const SLOW: Duration = Duration::from_millis(1500);

/// So slow that every lock does.
const TOO_SLOW: Duration = Duration::from_secs(30);

async fn slow(request: Duration) -> (ProbeReport, Arc<Liar>) {
    let (store, scratch) = (taking(request, None), liar(None));
    let options = ProbeOptions {
        lock_s: *LOCK_BOUNDS_S.start(),
        ..options()
    };
    let report = probe(Arc::clone(&store), Some(scratch.as_ref()), &options).await;
    (report, store)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_whose_lock_ended_too_early_is_asked_again_with_a_lock_twice_as_long() {
    let (report, store) = slow(SLOW).await;
    // The store's clock runs ahead by what its requests took, which is no matter here.
    assert_eq!(red(&report), [], "{:#?}", report.rows);
    let objects = store.inner.objects();
    let asked = |key: &str| objects.contains_key(&format!("probe/0123456789abcdef-{key}"));
    assert!(asked("delete") && asked("10s-delete"));
    assert!(!asked("60s-delete"), "{:?}", objects.keys());
    // What the first tries laid is cleared away as well.
    assert!(objects.values().flatten().all(|kept| kept.is_gone));
    let told = report.json().unwrap() + &report.text(host::terminal::Style::for_terminal(false));
    assert!(!told.contains("too slow"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_the_longest_lock_is_too_short_for_is_not_asked_and_says_so() {
    let (report, _) = slow(TOO_SLOW).await;
    let attacked = report.rows.iter().filter(|row| ATTACKS.contains(&row.row));
    for row in attacked {
        assert_eq!(row.answer, RowAnswer::NotAsked, "{row:?}");
        assert!(row.got.contains("a lock of 60 s"), "{row:?}");
    }
    assert_eq!(
        (report.verdict, report.exit_code),
        (ProbeVerdict::NotProven, 2)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archiver_that_starts_on_a_slow_store_tries_a_longer_lock() {
    let at_start = |request| {
        let mut store = Arc::try_unwrap(taking(request, None)).unwrap();
        store.at_start = true;
        Arc::new(store)
    };
    // Four requests are made before the first attack, and six with it.
    let store = at_start(Duration::from_secs(4));
    let done = harmless(Arc::clone(&store), "run", store_time).await;
    assert_eq!(done, Ok(None));
    assert_eq!(store.inner.versions(""), [1, 1]);
    let refusal = harmless(at_start(TOO_SLOW), "run", store_time).await;
    let told = refusal.unwrap_err().to_string();
    assert!(told.contains("a lock of 60 s"), "{told}");
}
