//! The exact requests that go out, and answers that a good server never gives.

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as Provided;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_s3::config::Region;
use aws_types::SdkConfig;
use harness::account::root;
use harness::front::{Answer, Front, Request};
use harness::server::REGION;
use harness::{Kind, Server, on_every_server, wait::HANG_LIMIT};
use ledger::{Digest, Moment};
use std::future::Future;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;
use store::{
    AnyStore, Intruder as _, Limits, Location, Lock, LockMode, Put, Store as _, StoreError,
    StoreOptions, open_with,
};

/// 2035-01-02T03:04:05Z
const UNTIL_S: u64 = 2_051_319_845;

const DATE: &str = "Sun, 22 Nov 2026 10:20:30 GMT";

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:1";

/// Limits that are never reached where an answer comes, however busy the machine is.
const PATIENT: Limits = Limits {
    connect: HANG_LIMIT,
    attempt: HANG_LIMIT,
    bytes_per_s: 1024 * 1024,
};

/// Limits that a test can wait for, where no whole answer comes.
const SHORT: Limits = Limits {
    connect: Duration::from_millis(500),
    attempt: Duration::from_millis(700),
    bytes_per_s: 1024 * 1024,
};

fn store(endpoint: &str) -> AnyStore {
    store_within(PATIENT, endpoint)
}

fn store_within(limits: Limits, endpoint: &str) -> AnyStore {
    let account = root();
    let keys = Credentials::new(&account.key, &account.secret, None, None, "tests");
    store_with(limits, endpoint, SharedCredentialsProvider::new(keys))
}

fn store_with(limits: Limits, endpoint: &str, credentials: SharedCredentialsProvider) -> AnyStore {
    let shared = SdkConfig::builder()
        .endpoint_url(endpoint)
        .region(Region::new(REGION))
        .credentials_provider(credentials)
        .build();
    let location: Location = "s3://wire/prod".parse().expect("a URL");
    let options = StoreOptions {
        limits,
        ..StoreOptions::default()
    };
    open_with(&location, &shared, &options)
}

fn put(bytes: &'static [u8]) -> Put<'static> {
    Put {
        key: "probe/wire",
        bytes: bytes.into(),
        sha256: Digest::of(bytes),
        retain_until: Moment::from_micros(UNTIL_S * 1_000_000 - 1),
        if_absent: true,
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(work)
}

fn names(request: &Request) -> Vec<&str> {
    let mut names: Vec<_> = request
        .headers
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    names.sort_unstable();
    names
}

on_every_server! {
    put_is_one_plain_signed_request,
    unconditional_put_has_no_condition_and_extending_no_crc,
    attacks_are_the_requests_that_would_do_the_harm,
}

fn put_is_one_plain_signed_request(kind: Kind) {
    let server = Server::shared(kind);
    make(&server);
    let front = Front::before(&server.endpoint(), |_| Answer::Pass);
    let bytes = b"the bytes of a batch";
    let stored = run(store(&front.endpoint()).put(put(bytes))).expect("a put");
    assert_eq!(stored.sha256, Digest::of(bytes));

    let heard = front.heard();
    assert_eq!(heard.len(), 1);
    let request = &heard[0];
    assert_eq!(request.method, "PUT");
    assert_eq!(request.target, "/wire/prod/probe/wire?x-id=PutObject");
    assert_eq!(request.body, bytes);
    // All of them: neither aws-chunked, nor a trailer, nor a CRC, nor a second checksum.
    assert_eq!(
        names(request),
        [
            "amz-sdk-invocation-id",
            "amz-sdk-request",
            "authorization",
            "content-length",
            "content-type",
            "host",
            "if-none-match",
            "user-agent",
            "x-amz-checksum-sha256",
            "x-amz-content-sha256",
            "x-amz-date",
            "x-amz-object-lock-mode",
            "x-amz-object-lock-retain-until-date",
            "x-amz-user-agent",
        ]
    );
    let digest = Digest::of(bytes);
    for (name, value) in [
        ("content-length", bytes.len().to_string()),
        ("if-none-match", "*".into()),
        ("x-amz-checksum-sha256", digest.to_base64()),
        ("x-amz-content-sha256", digest.to_string()),
        ("x-amz-object-lock-mode", "COMPLIANCE".into()),
        (
            "x-amz-object-lock-retain-until-date",
            "2035-01-02T03:04:05Z".into(),
        ),
        ("amz-sdk-request", "attempt=1; max=1".into()),
    ] {
        assert_eq!(request.header(name), Some(value.as_str()), "{name}");
    }
    let signature = request.header("authorization").expect("signed");
    for name in [
        "content-length",
        "if-none-match",
        "x-amz-checksum-sha256",
        "x-amz-object-lock-mode",
        "x-amz-object-lock-retain-until-date",
    ] {
        assert!(
            signature.contains(name),
            "{name} is not signed: {signature}"
        );
    }
}

fn unconditional_put_has_no_condition_and_extending_no_crc(kind: Kind) {
    let server = Server::shared(kind);
    make(&server);
    let front = Front::before(&server.endpoint(), |_| Answer::Pass);
    let store = store(&front.endpoint());
    run(async {
        let again = Put {
            key: "probe/again",
            if_absent: false,
            ..put(b"bytes")
        };
        let stored = store.put(again).await.expect("a put");
        let until = Moment::from_micros((UNTIL_S + 60) * 1_000_000);
        store
            .extend("probe/again", &stored.version_id, until)
            .await
            .expect("longer");
        store
            .get("probe/again", Some(&stored.version_id), 5)
            .await
            .expect("a get");
    });
    let heard = front.heard();
    assert_eq!(heard[0].header("if-none-match"), None);
    assert!(heard[1].target.contains("retention"));
    for request in &heard {
        let odd = names(request).into_iter().find(|name| {
            name.contains("crc") || name.contains("trailer") || *name == "transfer-encoding"
        });
        assert_eq!(odd, None, "{}", request.target);
    }
}

fn attacks_are_the_requests_that_would_do_the_harm(kind: Kind) {
    let server = Server::shared(kind);
    make(&server);
    let front = Front::before(&server.endpoint(), |_| Answer::Pass);
    let store = store(&front.endpoint());
    let attacked = Put {
        key: "probe/attacked",
        ..put(b"bytes")
    };
    let other = Digest::of(b"other");
    let weak = Lock {
        mode: LockMode::Governance,
        retain_until: attacked.retain_until,
    };
    run(async {
        let wrong = store.put_unlike(attacked.clone(), other).await;
        assert_eq!(name(&wrong), "bad digest", "{wrong:?}");
        let id = store.put(attacked.clone()).await.expect("a put").version_id;
        for bypass in [false, true] {
            let deleted = store.delete(attacked.key, &id, bypass).await;
            assert!(deleted.is_err());
            let weakened = store.set_lock(attacked.key, &id, weak, bypass).await;
            assert!(weakened.is_err());
        }
    });
    let heard = front.heard();
    let header = |at: usize, name| heard[at].header(name);
    let signed = Digest::of(b"bytes").to_string();
    assert_eq!(header(0, "x-amz-content-sha256"), Some(&*signed));
    assert_eq!(
        header(0, "x-amz-checksum-sha256"),
        Some(&*other.to_base64())
    );
    for (at, bypass) in [(2, None), (3, None), (4, Some("true")), (5, Some("true"))] {
        assert!(
            heard[at].target.contains("versionId="),
            "{}",
            heard[at].target
        );
        let told = header(at, "x-amz-bypass-governance-retention");
        assert_eq!(told, bypass, "{}", heard[at].target);
    }
    let body = String::from_utf8_lossy(&heard[3].body);
    assert!(body.contains("<Mode>GOVERNANCE</Mode>"), "{body}");
}

/// Makes the bucket, unless another test has on the same server, and a first object in it, which takes
/// SeaweedFS longer than [`SHORT`] allows: it makes a volume then.
fn make(server: &Server) {
    let request = server.client().create_bucket().bucket("wire");
    server
        .run(request.object_lock_enabled_for_bucket(true).send())
        .ok();
    assert!(server.bucket("wire").has_lock());
    server.bucket("wire").put("first", b"x");
}

/// A name for what a store said, so that a table can hold it.
fn name<T: std::fmt::Debug>(done: &Result<T, StoreError>) -> &'static str {
    match done {
        Ok(_) => "ok",
        Err(StoreError::Exists(_)) => "exists",
        Err(StoreError::Conflict(_)) => "conflict",
        Err(StoreError::Denied(_)) => "denied",
        Err(StoreError::Certificate(_)) => "certificate",
        Err(StoreError::Missing(_)) => "missing",
        Err(StoreError::NoBucket(_)) => "no bucket",
        Err(StoreError::Refused(_)) => "refused",
        Err(StoreError::BadDigest(_)) => "bad digest",
        Err(StoreError::Skew { .. }) => "skew",
        Err(StoreError::Busy(_)) => "busy",
        Err(StoreError::TooLarge { .. }) => "too large",
        Err(StoreError::Broken(_)) => "broken",
    }
}

fn fault(code: &str) -> Vec<u8> {
    format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>because</Message></Error>")
        .into_bytes()
}

fn with(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let date = ("date".to_owned(), DATE.to_owned());
    let given = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    std::iter::once(date).chain(given).collect()
}

#[test]
fn every_answer_to_a_put_has_its_meaning() {
    let digest = Digest::of(b"bytes").to_base64();
    let other = Digest::of(b"other").to_base64();
    let sum = ("x-amz-checksum-sha256", digest.as_str());
    let version = ("x-amz-version-id", "v1");
    for (status, headers, body, expected) in [
        (200, with(&[sum, version]), Vec::new(), "ok"),
        (200, with(&[sum]), Vec::new(), "broken"),
        (
            200,
            with(&[sum, ("x-amz-version-id", "")]),
            Vec::new(),
            "broken",
        ),
        (200, with(&[version]), Vec::new(), "broken"),
        (
            200,
            with(&[version, ("x-amz-checksum-sha256", &other)]),
            Vec::new(),
            "broken",
        ),
        (
            200,
            with(&[]),
            b"<html>please log in</html>".to_vec(),
            "broken",
        ),
        (200, with(&[]), fault("InternalError"), "broken"),
        (400, with(&[]), fault("InvalidRequest"), "refused"),
        (400, with(&[]), fault("BadDigest"), "bad digest"),
        (400, with(&[]), fault("ExpiredToken"), "denied"),
        (403, with(&[]), fault("AccessDenied"), "denied"),
        (403, with(&[]), fault("RequestTimeTooSkewed"), "skew"),
        (403, Vec::new(), fault("RequestTimeTooSkewed"), "denied"),
        (403, with(&[]), b"<Error><Code>Acc".to_vec(), "denied"),
        (301, with(&[]), fault("PermanentRedirect"), "denied"),
        (404, with(&[]), fault("NoSuchBucket"), "no bucket"),
        (404, with(&[]), b"not found".to_vec(), "missing"),
        (
            409,
            with(&[]),
            fault("ConditionalRequestConflict"),
            "conflict",
        ),
        (412, with(&[]), fault("PreconditionFailed"), "exists"),
        (429, with(&[]), Vec::new(), "busy"),
        (500, with(&[]), fault("InternalError"), "busy"),
        (501, with(&[]), fault("NotImplemented"), "denied"),
        (502, with(&[]), b"<html>bad gateway</html>".to_vec(), "busy"),
        (503, with(&[]), fault("SlowDown"), "busy"),
    ] {
        let what = format!("{status} {}", String::from_utf8_lossy(&body));
        let reply = Answer::Reply(status, headers, body);
        let front = Front::before(NOWHERE, move |_| reply.clone());
        let done = run(store(&front.endpoint()).put(put(b"bytes")));
        assert_eq!(name(&done), expected, "{what}: {done:?}");
        assert_eq!(front.heard().len(), 1, "{what}: the SDK tried again");
        if let Err(error) = done {
            let text = error.to_string();
            assert!(
                text.starts_with(&format!(
                    "put s3://wire/prod/probe/wire at {}",
                    front.endpoint()
                )),
                "{text}"
            );
        }
    }
}

#[test]
fn a_pause_that_a_store_asks_for_is_heard() {
    for (header, expected_s) in [
        ("7", 7),
        (" 120 ", 120),
        ("-1", 0),
        ("99999999999999999999", 0),
        ("Sun, 22 Nov 2026 10:20:30 GMT", 0),
    ] {
        let reply = Answer::Reply(503, with(&[("retry-after", header)]), fault("SlowDown"));
        let front = Front::before(NOWHERE, move |_| reply.clone());
        let error = run(store(&front.endpoint()).put(put(b"bytes"))).unwrap_err();
        assert_eq!(error.answer().retry_after_s, expected_s, "{header:?}");
    }
}

#[test]
fn lists_that_make_no_sense_are_broken() {
    let list = |inside: &str| {
        let space = "http://s3.amazonaws.com/doc/2006-03-01/";
        format!("<ListVersionsResult xmlns=\"{space}\">{inside}</ListVersionsResult>").into_bytes()
    };
    let good = "<Version><Key>prod/a</Key><VersionId>v</VersionId><Size>1</Size>\
                <LastModified>2026-11-22T10:20:30.000Z</LastModified></Version>";
    for (status, body, expected) in [
        (200, list(""), "ok"),
        (200, list(good), "ok"),
        (200, list(&good.replace("prod/a", "elsewhere/a")), "broken"),
        (
            200,
            list(&good.replace("<Size>1</Size>", "<Size>-1</Size>")),
            "broken",
        ),
        (
            200,
            list(&good.replace("<Size>1</Size>", "<Size>many</Size>")),
            "broken",
        ),
        (200, list("<IsTruncated>true</IsTruncated>"), "broken"),
        (200, list(good)[..60].to_vec(), "broken"),
        (200, b"<html>please log in</html>".to_vec(), "broken"),
        (200, Vec::new(), "broken"),
        (200, fault("InternalError"), "broken"),
        (403, b"<Error".to_vec(), "denied"),
    ] {
        let what = String::from_utf8_lossy(&body).into_owned();
        let front = Front::before(NOWHERE, move |_| {
            Answer::Reply(status, with(&[]), body.clone())
        });
        let done = run(store(&front.endpoint()).list_versions("", None));
        assert_eq!(name(&done), expected, "{what}: {done:?}");
    }
}

/// A server that reads a request's head and then does as told with the connection.
fn raw(answer: impl Fn(&mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = [0; 16 * 1024];
            // What the client then thinks of it is the test.
            if stream.read(&mut head).is_ok_and(|length| length > 0) {
                answer(&mut stream);
            }
        }
    });
    endpoint
}

#[test]
fn broken_connections_are_given_up_before_a_whole_answer_comes() {
    // Each that is slow would answer in the end, and then not be `busy`: so the limit came first.
    let late = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let hang = raw(move |stream| {
        std::thread::sleep(HANG_LIMIT);
        stream.write_all(late.as_bytes()).ok();
    });
    let half = raw(|stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
            .ok();
    });
    let reset = raw(|_| {});
    let noise = raw(|stream| {
        stream.write_all(b"220 mail.example ESMTP\r\n").ok();
    });
    let slow = raw(|stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
            .ok();
        while stream.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    for (what, endpoint) in [
        ("hang", hang.as_str()),
        ("half", &half),
        ("reset", &reset),
        ("noise", &noise),
        ("slow", &slow),
        ("refused", NOWHERE),
    ] {
        let store = store_within(SHORT, endpoint);
        let got = run(store.get("probe/wire", None, 1000));
        assert_eq!(name(&got), "busy", "{what}: {got:?}");
        if !matches!(what, "half" | "slow") {
            let done = run(store.put(put(b"bytes")));
            assert_eq!(name(&done), "busy", "{what}: {done:?}");
            assert!(done.is_err_and(|error| error.may_have_happened()));
        }
    }
}

#[test]
fn endless_answers_are_cut_off() {
    let flood = |head: &'static [u8]| {
        raw(move |stream| {
            stream.write_all(head).ok();
            while stream.write_all(&[b'x'; 64 * 1024]).is_ok() {}
        })
    };
    let boast = raw(|stream| {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", i64::MAX);
        stream.write_all(head.as_bytes()).ok();
    });
    let got = run(store(&boast).get("probe/wire", None, u64::MAX));
    assert_eq!(name(&got), "busy", "{got:?}");
    let endless = flood(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n");
    let got = run(store(&endless).get("probe/wire", None, 1000));
    assert_eq!(name(&got), "too large", "{got:?}");
    let listed = run(store(&endless).list_versions("", None));
    assert_eq!(name(&listed), "broken", "{listed:?}");

    let refusal = flood(b"HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n");
    let got = run(store_within(SHORT, &refusal).get("probe/wire", None, 1000));
    assert!(
        matches!(name(&got), "denied" | "broken" | "busy"),
        "{got:?}"
    );
}

/// What the default chain is on a machine that has none.
#[derive(Debug)]
struct NoCredentials;

impl ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> Provided<'a>
    where
        Self: 'a,
    {
        Provided::ready(Err(CredentialsError::not_loaded("nothing is set")))
    }
}

#[test]
fn without_credentials_nothing_is_sent() {
    let front = Front::before(NOWHERE, |_| Answer::HangUp);
    let store = store_with(
        PATIENT,
        &front.endpoint(),
        SharedCredentialsProvider::new(NoCredentials),
    );
    let done = run(store.put(put(b"bytes")));
    assert_eq!(name(&done), "denied", "{done:?}");
    let text = done.expect_err("no credentials").to_string();
    assert!(text.contains("AWS_ACCESS_KEY_ID"), "{text}");
    assert_eq!(front.heard().len(), 0);
}
