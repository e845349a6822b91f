//! The conformance suite on every store, and what only one of them can be asked.

mod clock; // a client whose clock is wrong
mod files; // what only a directory can meet
mod hidden; // versions under versions and markers, locks put to the test, hostile names
mod mended; // credentials that change while the program runs
mod setup; // places that aren't set up, and making them

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::config::Region;
use aws_types::SdkConfig;
use harness::account::{Account, root};
use harness::server::REGION;
use harness::{Kind, Server};
use std::future::Future;
use std::sync::Arc;
use store::testing::conformance::Subject;
use store::{AnyStore, Location, StoreOptions, open_with};
use tempfile::TempDir;

/// A small page, so that a few objects make several.
const PAGE_SIZE: usize = 7;

/// A store under test, and what it stands on.
struct Stand {
    subject: Subject<AnyStore>,
    ground: Ground,
}

enum Ground {
    Server(Arc<Server>),
    Disk(TempDir),
}

impl Stand {
    /// In a new locked bucket named after the test.
    fn in_bucket(kind: Kind, name: &str) -> Self {
        let server = Server::shared(kind);
        let name = name.replace('_', "-");
        let bucket = server.locked_bucket(&name);
        let at = |prefix| s3(&bucket.url(prefix), &shared(&server.endpoint(), &root()));
        Self {
            subject: Subject {
                store: at("one/deep"),
                sibling: at("one/deeper"),
                page_size: PAGE_SIZE,
                lists_all_names: kind.lists_all_names(),
            },
            ground: Ground::Server(Arc::clone(&server)),
        }
    }

    /// In a new directory.
    fn on_disk() -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| {
            let path = home.path().join(name);
            std::fs::create_dir(&path).expect("a folder");
            let url = format!("file://{}", path.display());
            s3(&url, &SdkConfig::builder().build())
        };
        Self {
            subject: Subject {
                store: at("one"),
                sibling: at("oneself"),
                page_size: PAGE_SIZE,
                lists_all_names: true,
            },
            ground: Ground::Disk(home),
        }
    }

    fn run<T>(&self, work: impl Future<Output = T>) -> T {
        match &self.ground {
            Ground::Server(server) => server.run(work),
            Ground::Disk(_) => run(work),
        }
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(work)
}

/// The settings that the AWS conventions would find.
fn shared(endpoint: &str, account: &Account) -> SdkConfig {
    let credentials = Credentials::new(&account.key, &account.secret, None, None, "tests");
    SdkConfig::builder()
        .endpoint_url(endpoint)
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

fn s3(url: &str, shared: &SdkConfig) -> AnyStore {
    let location: Location = url.parse().expect("a store's URL");
    let options = StoreOptions {
        page_size: Some(PAGE_SIZE),
        ..StoreOptions::default()
    };
    open_with(&location, shared, &options)
}

/// Every rule becomes a test on every store.
macro_rules! on_every_store {
    ($($rule:ident),* $(,)?) => {
        /// A rule, on the server it is given.
        mod bucket {
            $(pub(super) fn $rule(kind: harness::Kind) {
                let name = concat!("rule-", stringify!($rule));
                let stand = super::Stand::in_bucket(kind, name);
                stand.run(store::testing::conformance::$rule(&stand.subject));
            })*
        }
        use bucket::{$($rule),*};
        harness::on_every_server! { $($rule),* }
        mod directory {
            $(#[test]
            fn $rule() {
                let stand = super::Stand::on_disk();
                stand.run(store::testing::conformance::$rule(&stand.subject));
            })*
        }
    };
}

on_every_store! {
    what_is_put_is_got_back,
    if_absent_leaves_what_is_there,
    of_sixteen_at_once_one_wins,
    wrong_digest_leaves_nothing,
    locks_are_read_back_exactly,
    locks_only_lengthen,
    same_bytes_again_do_no_harm,
    other_bytes_never_replace,
    reading_is_bounded,
    what_is_not_there_is_missing,
    prefixes_are_apart,
    long_lists_come_in_pages,
    clock_is_told,
}
