//! Everything that may go wrong between an archiver and its bucket, one fault a test, on a real MinIO behind a front
//! that does the harm. While a fault lasts the status says so; the archiver never gives up, skips or doubles; once it
//! is over everything is archived, locked, and the verifier agrees. `scene` is what each fault goes through.

mod certificates;
mod credentials;
mod disk;
mod scene;

use harness::front::{Answer, Change, Request, now_header};
use scene::{Course, Fault, Row, play, play_from_start};
use std::time::Duration;

/// A test for each row.
macro_rules! rows {
    ($($name:ident: $row:expr,)*) => {
        $(#[test]
        fn $name() {
            play(stringify!($name), &$row);
        })*
    };
}

/// A put of an object.
fn is_put(request: &Request) -> bool {
    request.method == "PUT" && !request.target.contains("?retention")
}

fn is_body(request: &Request) -> bool {
    is_put(request) && request.target.contains("/entries/")
}

fn is_manifest(request: &Request) -> bool {
    is_put(request) && request.target.contains("/manifests/")
}

fn error(status: u16, code: &str, more: &[(&str, &str)]) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>because</Message></Error>"
    );
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let mut headers: Vec<_> = more.iter().map(own).collect();
    headers.push(("date".to_owned(), now_header(0)));
    Answer::Reply(status, headers, body.into_bytes())
}

/// Puts meet this, all else passes.
fn on_puts(request: &Request, answer: impl FnOnce() -> Answer) -> Answer {
    if is_put(request) {
        answer()
    } else {
        Answer::Pass
    }
}

/// A success that is none: its checksum and version are made up.
fn pretend(request: &Request) -> Answer {
    let sum = request.header("x-amz-checksum-sha256").unwrap_or_default();
    let headers = [
        ("date", now_header(0)),
        ("x-amz-checksum-sha256", sum.to_owned()),
        (
            "x-amz-version-id",
            "11111111-2222-4333-8444-555555555555".to_owned(),
        ),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value));
    Answer::Reply(200, headers.to_vec(), Vec::new())
}

const LOCK_HEADERS: &[&str] = &[
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
];

/// As a server that knows no locks, and says yes to whoever wants one.
fn lockless(request: &Request) -> Answer {
    if request.method == "PUT" && request.target.contains("?retention") {
        return Answer::Reply(200, vec![("date".into(), now_header(0))], Vec::new());
    }
    on_puts(request, || {
        Answer::PassAs(Change {
            without: LOCK_HEADERS,
            ..Change::default()
        })
    })
}

/// As AWS, where MinIO is not as strict.
fn strict(request: &Request) -> Answer {
    let sums = ["content-md5", "x-amz-checksum-sha256"];
    let has_lock = request.header("x-amz-object-lock-mode").is_some();
    let is_bare = !sums.iter().any(|sum| request.header(sum).is_some());
    if request.method == "PUT" && request.header("content-length").is_none() {
        return error(411, "MissingContentLength", &[]);
    }
    if request.method == "PUT" && is_bare && (has_lock || request.target.contains("?retention")) {
        return error(400, "InvalidRequest", &[]);
    }
    Answer::Pass
}

/// As a server whose clock is so far ahead.
fn skewed(request: &Request, ahead_s: i64) -> Answer {
    // `20261127T140000Z`: minutes are enough, and the day is the same or the next.
    let minutes = |text: &str| -> Option<i64> {
        let (hour, minute) = (
            text.get(9..11)?.parse::<i64>(),
            text.get(11..13)?.parse::<i64>(),
        );
        Some(hour.ok()? * 60 + minute.ok()?)
    };
    let theirs = request.header("x-amz-date").and_then(minutes).unwrap_or(0);
    let header = now_header(ahead_s);
    // `Fri, 27 Nov 2026 14:00:00 GMT`
    let ours: Vec<i64> = header[17..22]
        .split(':')
        .map(|part| part.parse().unwrap())
        .collect();
    let apart = (ours[0] * 60 + ours[1] - theirs).rem_euclid(24 * 60);
    if apart.min(24 * 60 - apart) > 15 {
        let date = ("date".to_owned(), header);
        let body = b"<Error><Code>RequestTimeTooSkewed</Code></Error>".to_vec();
        return Answer::Reply(403, vec![date], body);
    }
    Answer::PassAs(Change {
        ahead_s,
        ..Change::default()
    })
}

const OUTAGE: Course = Course::Told(&["outage"]);
/// Where each try takes as long as the archiver is patient.
const SLOW_OUTAGE: Course = Course::Told(&["retrying", "outage"]);
const DENIED: Course = Course::Told(&["denied"]);
const NONSENSE: Course = Course::Told(&["nonsense"]);

rows! {
    control: Row::new(Course::Borne, |_, _, _| Answer::Pass),
    connections_are_refused: Row { fault: Fault::Refuse, ..Row::new(OUTAGE, |_, _, _| Answer::Pass) },
    every_request_gets_500: Row::new(OUTAGE, |_, _, _| error(500, "InternalError", &[])),
    puts_get_503: Row::new(OUTAGE, |r, _, _| on_puts(r, || error(503, "SlowDown", &[]))),
    puts_get_503_and_a_pause: Row::new(OUTAGE, |r, _, _| {
        on_puts(r, || error(503, "SlowDown", &[("retry-after", "1")]))
    }),
    puts_get_429: Row::new(OUTAGE, |r, _, _| on_puts(r, || error(429, "TooManyRequests", &[]))),
    puts_get_429_and_a_pause: Row::new(OUTAGE, |r, _, _| {
        on_puts(r, || error(429, "TooManyRequests", &[("retry-after", "1")]))
    }),
    puts_get_409: Row::new(OUTAGE, |r, _, _| {
        on_puts(r, || error(409, "ConditionalRequestConflict", &[]))
    }),
    reset_before_the_body: Row::new(OUTAGE, |r, _, _| on_puts(r, || Answer::Reset)),
    reset_in_the_body: Row::new(OUTAGE, |r, _, _| on_puts(r, || Answer::ResetMidway)),
    reset_after_the_body: Row::new(OUTAGE, |r, _, _| on_puts(r, || Answer::HangUp)),
    // Whatever stands there cannot be read back, so a body whose reply was lost is put once more.
    reply_of_bodies_lost: Row { bodies: 2, ..Row::new(OUTAGE, |r, _, _| {
        if is_body(r) && r.header("if-none-match").is_some() { Answer::Lose } else { Answer::Pass }
    }) },
    reply_of_manifests_lost: Row::new(OUTAGE, |r, _, _| {
        if is_manifest(r) { Answer::Lose } else { Answer::Pass }
    }),
    reply_of_everything_else_lost: Row::new(OUTAGE, |r, _, _| {
        if is_put(r) { Answer::Pass } else { Answer::Lose }
    }),
    replies_cut_in_half: Row { bodies: 2, ..Row::new(OUTAGE, |r, _, _| {
        if is_put(r) && r.header("if-none-match").is_some() { Answer::Truncate } else { Answer::Pass }
    }) },
    // The retry is served first, then what seemed lost.
    committed_late_after_the_retry: Row { bodies: 2, ..Row::new(Course::Passing, |r, _, hit| {
        if is_put(r) && hit < 4 { Answer::LoseThenServe(Duration::from_secs(2)) } else { Answer::Pass }
    }) },
    nothing_is_ever_answered: Row::new(SLOW_OUTAGE, |r, _, _| on_puts(r, || Answer::Stall)),
    replies_come_at_1_byte_a_second: Row { bodies: 2, ..Row::new(SLOW_OUTAGE, |r, _, _| {
        on_puts(r, || Answer::Drip(Duration::from_secs(1)))
    }) },
    slow_but_healthy: Row::new(Course::Borne, |r, _, hit| {
        let pause = Duration::from_millis(if hit % 2 == 0 { 300 } else { 2 });
        if hit % 2 == 0 && is_put(r) { Answer::PassAfter(pause) } else { Answer::Drip(pause / 100) }
    }),
    garbage_comes_back: Row::new(OUTAGE, |_, throw, _| {
        let bytes = (0..500_u64).map(|at| (throw.rotate_left(7 * (at as u32 % 64)) ^ at) as u8);
        Answer::Raw(bytes.collect())
    }),
    a_login_page_comes_back: Row::new(NONSENSE, |_, _, _| {
        Answer::Reply(200, Vec::new(), b"<html>please log in</html>".to_vec())
    }),
    puts_get_200_with_an_error: Row::new(NONSENSE, |r, _, _| {
        on_puts(r, || error(200, "InternalError", &[]))
    }),
    puts_get_200_and_nothing_is_stored: Row::new(
        Course::Told(&["retrying", "outage", "not_enforced"]),
        |r, _, _| on_puts(r, || pretend(r)),
    ),
    puts_are_stored_without_their_lock: Row::new(Course::Told(&["not_enforced"]), |r, _, _| lockless(r)),
    bits_flip_on_the_way_there: Row::new(OUTAGE, |r, throw, _| {
        on_puts(r, || Answer::FlipRequest(throw))
    }),
    bits_flip_on_the_way_back: Row { bodies: 9, manifests_again: 9, ..Row::new(Course::Passing, |_, throw, hit| {
        if hit < 12 { Answer::FlipReply(throw) } else { Answer::Pass }
    }) },
    if_none_match_passed_over_and_replies_lost: Row { bodies: 2, manifests_again: 9, ..Row::new(
        Course::Passing,
        |r, _, hit| match (is_put(r), hit) {
            (true, 0..2) => Answer::Lose,
            (true, _) => Answer::PassAs(Change { without: &["if-none-match"], ..Change::default() }),
            _ => Answer::Pass,
        },
    ) },
    if_none_match_gets_501: Row::new(DENIED, |r, _, _| {
        if r.header("if-none-match").is_some() { error(501, "NotImplemented", &[]) } else { Answer::Pass }
    }),
    redirects_to_another_region: Row::new(DENIED, |_, _, _| {
        error(301, "PermanentRedirect", &[("x-amz-bucket-region", "eu-west-1")])
    }),
    redirects_for_now: Row::new(DENIED, |_, _, _| {
        error(307, "TemporaryRedirect", &[("location", "http://127.0.0.1:9/")])
    }),
    rights_are_taken_away: Row::new(DENIED, |_, _, _| error(403, "AccessDenied", &[])),
    the_bucket_is_gone: Row::new(DENIED, |_, _, _| error(404, "NoSuchBucket", &[])),
    the_clock_goes_20_minutes_ahead: Row::new(Course::Passing, |r, _, _| skewed(r, 20 * 60)),
    the_clock_goes_20_minutes_back: Row::new(Course::Passing, |r, _, _| skewed(r, -20 * 60)),
    as_strict_as_aws: Row::new(Course::Borne, |r, _, _| strict(r)),
    anything_at_random: Row { bodies: 40, manifests_again: 40, ..Row::new(Course::Passing, |r, throw, hit| {
        if hit > 60 { return Answer::Pass }
        match throw % 12 {
            0 => error(500, "InternalError", &[]),
            1 => error(503, "SlowDown", &[]),
            2 => Answer::Reset,
            3 => Answer::ResetMidway,
            4 => Answer::HangUp,
            5 => Answer::Lose,
            6 => Answer::Truncate,
            7 => Answer::FlipRequest(throw / 12),
            8 => Answer::LoseThenServe(Duration::from_millis(500)),
            9 if is_put(r) => pretend(r),
            _ => Answer::Pass,
        }
    }) },
}

#[test]
fn a_strict_server_refuses_what_we_never_send() {
    let request = |headers: &[&str]| Request {
        method: "PUT".into(),
        target: "/b/k".into(),
        headers: headers
            .iter()
            .map(|name| ((*name).to_owned(), "1".to_owned()))
            .collect(),
        body: Vec::new(),
    };
    let lock = "x-amz-object-lock-mode";
    for (headers, refused) in [
        (&["content-length", lock][..], Some(400)),
        (&[lock, "x-amz-checksum-sha256"], Some(411)),
        (&["content-length", lock, "x-amz-checksum-sha256"], None),
    ] {
        let status = match strict(&request(headers)) {
            Answer::Reply(status, _, _) => Some(status),
            _ => None,
        };
        assert_eq!(status, refused, "{headers:?}");
    }
}

/// Under a clock that is far off from the beginning the archiver works, and its status says how far. The other way
/// round cannot be played so: the canary's lock of seconds would be in the past of the server behind.
#[test]
fn a_start_with_the_store_20_minutes_ahead() {
    play_from_start("skew-ahead", "clock", |request| skewed(request, 20 * 60));
}

#[test]
fn a_store_that_passes_over_if_none_match_is_refused_at_the_start() {
    let change = Change {
        without: &["if-none-match"],
        ..Change::default()
    };
    let refused = ["does not enforce its locks"];
    scene::gets_nothing("no-condition", 1, "not_enforced", &refused, move |_| {
        Answer::PassAs(change)
    });
}

#[test]
fn a_store_without_if_none_match_gets_nothing() {
    let refused = ["501", "this server can't do what Holdfast needs"];
    scene::gets_nothing("no-condition-501", 2, "denied", &refused, |request| {
        if request.header("if-none-match").is_some() {
            error(501, "NotImplemented", &[])
        } else {
            Answer::Pass
        }
    });
}

#[test]
fn a_store_without_locks_is_refused_at_the_start() {
    let refused = ["does not enforce its locks", "lock read back"];
    scene::gets_nothing("no-locks", 1, "not_enforced", &refused, lockless);
}
