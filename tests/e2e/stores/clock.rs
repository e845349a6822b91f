//! A client whose own clock is wrong: it ends up signing with the store's time.

use super::{s3, shared};
use aws_types::sdk_config::{SharedTimeSource, TimeSource};
use harness::account::root;
use harness::{Kind, Server, on_every_server};
use std::time::{Duration, SystemTime};
use store::testing::conformance::put_if_absent;
use store::{Store as _, StoreError};

/// A clock that is off by so many seconds.
#[derive(Debug, Clone, Copy)]
struct WrongClock(i64);

impl TimeSource for WrongClock {
    fn now(&self) -> SystemTime {
        let off = Duration::from_secs(self.0.unsigned_abs());
        let now = SystemTime::now();
        if self.0 < 0 { now - off } else { now + off }
    }
}

on_every_server! {
    wrong_clock_costs_one_request,
}

fn wrong_clock_costs_one_request(kind: Kind) {
    let server = Server::shared(kind);
    for (name, off_s) in [
        ("clock-slow", -20 * 60),
        ("clock-fast", 20 * 60),
        ("clock-decades", 20 * 366 * 86_400),
    ] {
        let bucket = server.locked_bucket(name);
        let clock = SharedTimeSource::new(WrongClock(off_s));
        let shared = shared(&server.endpoint(), &root())
            .to_builder()
            .time_source(clock)
            .build();
        let store = s3(&bucket.url(""), &shared);
        server.run(async {
            let until = host::clock::now().plus_s(86_400).ceil_to_second();
            let put = put_if_absent("probe/clock", b"bytes", until);
            let error = store.put(put.clone()).await.expect_err("skew");
            let StoreError::Skew { store_time, .. } = error else {
                panic!("{error:?}");
            };
            let now = host::clock::now();
            assert!(now.since_s(store_time) <= 5 && store_time.since_s(now) <= 5);

            let stored = store.put(put).await.expect("signed with the store's time");
            let lock = store.lock_of("probe/clock", &stored.version_id).await;
            let lock = lock.expect("an answer").expect("a lock");
            assert_eq!(lock.retain_until, until);
            let now = host::clock::now();
            let told = store.now().await.expect("a clock");
            assert!(now.since_s(told) <= 5 && told.since_s(now) <= 5);
        });
    }
}
