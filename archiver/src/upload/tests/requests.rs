//! What an upload asks of a store is what `ledger::requests` says, from which the agent's costs are
//! reckoned.

use super::*;
use ledger::requests::{BATCH, HEARTBEAT, Requests};

/// Counted by what S3 charges for them: a list costs what a put does.
fn counted(seen: &[Request]) -> Requests {
    use Request::{Check, Extend, Get, Head, List, LockOf, PutBody, PutManifest};
    let mut requests = Requests::default();
    for request in seen {
        match request {
            PutBody | PutManifest | Extend | List => requests.puts += 1,
            LockOf | Get | Head | Check => requests.reads += 1,
        }
    }
    requests
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_ask_what_their_cost_says_and_the_first_of_a_start_one_read_more() {
    let spool = spool();
    let mut sealer = Sealer::new(spool.path(), "auth", 1);
    let first = Requests {
        reads: HEARTBEAT.reads + 1,
        ..HEARTBEAT
    };
    let batches = [
        (sealer.genesis(&[]), first),
        (sealer.batch(BODY), BATCH),
        (sealer.heartbeat(), HEARTBEAT),
        (sealer.batch(BODY), BATCH),
    ];
    let uploader = uploader(
        spool.path(),
        Faulty::new(Model::default(), Vec::new()),
        TERMS,
    );
    let mut progress = UploadProgress::default();
    let mut before = 0;
    for (id, expected) in batches {
        let batch = Spool::open(spool.path()).unwrap().read(&id).unwrap();
        uploader.upload(batch, &mut progress).await.unwrap();
        let seen = uploader.store.seen();
        assert_eq!(
            counted(&seen[before..]),
            expected,
            "{id}: {:?}",
            &seen[before..]
        );
        before = seen.len();
    }
}
