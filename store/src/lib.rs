//! Where evidence is kept: the promise every store makes, and the two that make it.
//!
//! A store never retries, never chooses a lock's length and never interprets what it keeps; the
//! caller's one loop does the first, the manifest's retention says the second, `ledger` knows the
//! third. Keys are always below the store's prefix and never become paths outside of it.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod credentials;
mod directory;
mod error;
mod http_client;
mod intruder;
mod location;
mod open;
pub mod retry;
mod s3;
mod store_options;
#[cfg(feature = "testing")]
pub mod testing;
mod trust;

use bytes::Bytes;
use ledger::{Digest, Moment};
use std::future::Future;

pub use directory::DirectoryStore;
pub use error::{OpenError, SetupFault, StoreAnswer, StoreError};
pub use intruder::Intruder;
pub use location::Location;
pub use open::{AnyStore, open, open_with};
pub use s3::{BucketLock, BucketState, DefaultLock, S3Store};
pub use store_options::{Limits, StoreOptions};

/// Longest key, prefix included, that S3 takes.
pub const KEY_MAX: usize = 1024;

/// A place that keeps locked objects.
///
/// # What every store promises
///
/// - **Durable**: when [`put`](Store::put) or [`extend`](Store::extend) returns `Ok`, the bytes and
///   their lock survive a power cut of everything this process runs on, and the store itself has
///   said that its copy has the digest asked for. An `Ok` is not yet proof of the lock: read it
///   back with [`lock_of`](Store::lock_of).
/// - **Whole or not at all**: no reader ever sees a part of an object.
/// - **Repeatable**: every call may be made again with the same arguments. A repeated
///   unconditional put leaves one more equal version (or, without versions, the same one).
/// - **Unknown is an answer**: after [`StoreError::may_have_happened`] a put may have taken effect,
///   now or later. The only way on is the same put again; an absence proves nothing.
/// - **Nobody retries in here**. One call is one try with its own time limit; the caller owns the
///   one loop and its backoff.
/// - **Bounded**: what a store answers may be hostile. No call reads more than its bound into
///   memory or waits longer than its time limit, and none panics.
///
/// Futures may be dropped at any point; that leaves what a timeout leaves.
pub trait Store: Send + Sync {
    /// Stores `put.bytes` under `put.key`, locked in COMPLIANCE mode until `put.retain_until`
    /// (rounded up to a second).
    ///
    /// With [`Put::if_absent`] it fails with [`StoreError::Exists`] if the key has a current
    /// version that is not a delete marker, and of any number of such puts at once at most one
    /// succeeds. Without it, a store with versions adds one; a store without versions finishes the
    /// lock of equal bytes and answers `Exists` to others.
    ///
    /// `put.sha256` must be the digest of `put.bytes`: the store checks it on arrival and otherwise
    /// keeps nothing ([`StoreError::BadDigest`]).
    fn put(&self, put: Put<'_>) -> impl Future<Output = Result<StoredVersion, StoreError>> + Send;

    /// The lock of one version, as the store itself states it; `None` if it has none.
    ///
    /// Needs no right to read the object. [`StoreError::Denied`] means unknown, not absent.
    fn lock_of(
        &self,
        key: &str,
        version_id: &str,
    ) -> impl Future<Output = Result<Option<Lock>, StoreError>> + Send;

    /// Locks one version until `until` (rounded up to a second) in COMPLIANCE mode.
    ///
    /// Repeating or lengthening succeeds; shortening is refused with [`StoreError::Denied`] or
    /// [`StoreError::Refused`] and changes nothing.
    fn extend(
        &self,
        key: &str,
        version_id: &str,
        until: Moment,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Reads one version, or the current one.
    ///
    /// Gives up with [`StoreError::TooLarge`] as soon as more than `max_bytes` are announced or
    /// arrive. The bytes are as hostile as the bucket: check them against a signed digest.
    fn get(
        &self,
        key: &str,
        version_id: Option<&str>,
        max_bytes: u64,
    ) -> impl Future<Output = Result<Fetched, StoreError>> + Send;

    /// The current version's id; `None` if there is none or a delete marker hides it.
    fn head(&self, key: &str) -> impl Future<Output = Result<Option<String>, StoreError>> + Send;

    /// One page of all versions and delete markers whose key starts with `prefix`, in the byte
    /// order of their keys; `page` is the previous page's [`Page::next`].
    ///
    /// What is added between two pages may or may not be listed. Keys may be anything at all.
    fn list_versions(
        &self,
        prefix: &str,
        page: Option<Token>,
    ) -> impl Future<Output = Result<Page, StoreError>> + Send;

    /// Whether this place is set up to keep evidence: it exists, has versioning and Object Lock.
    fn check(&self) -> impl Future<Output = Result<(), SetupFault>> + Send;

    /// The store's own clock, to within a second and the time of one request. Locks are counted
    /// from it: a wrong local clock must neither shorten them nor make them last for a century.
    fn now(&self) -> impl Future<Output = Result<Moment, StoreError>> + Send;

    /// What its locks are worth.
    fn capability(&self) -> Capability;

    /// The URL it was opened with, without a slash at the end.
    fn url(&self) -> &str;

    /// What stands before every key in the bucket, with its final slash; empty if nothing does.
    fn prefix(&self) -> &str;
}

/// One object to store.
#[derive(Debug, Clone)]
pub struct Put<'a> {
    /// Key below the prefix.
    pub key: &'a str,
    /// All of it; a clone for another try costs nothing.
    pub bytes: Bytes,
    /// Digest of `bytes`.
    pub sha256: Digest,
    /// The lock's end, by the store's clock.
    pub retain_until: Moment,
    /// Only if the key has no current version.
    pub if_absent: bool,
}

/// What the store said of a put that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVersion {
    /// The new version; `null` in a store without versions.
    pub version_id: String,
    /// The digest as the store computed it; always the one asked for.
    pub sha256: Digest,
    /// The store's clock when it answered.
    pub store_time: Moment,
}

/// A lock as read back from the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock {
    /// Who may lift it.
    pub mode: LockMode,
    /// Until when.
    pub retain_until: Moment,
}

/// Who may lift a lock before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// Nobody.
    Compliance,
    /// Whoever has the permission to bypass it: no protection against an insider.
    Governance,
    /// A mode this version doesn't know: counts as none.
    Unknown,
}

/// One version that was read.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// All its bytes.
    pub bytes: Bytes,
    /// Which version it was, as the store says.
    pub version_id: String,
    /// When the store says it was stored.
    pub last_modified: Moment,
}

/// One entry of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Key below the prefix. Hostile: compare or parse it, escape it before showing it. What is not
    /// UTF-8 stands percent-encoded, which no key of ours ever is.
    pub key: String,
    /// `null` in a store without versions.
    pub version_id: String,
    /// What it is.
    pub kind: VersionKind,
    /// Stored bytes; 0 unless an object.
    pub size: u64,
    /// When the store says it was stored.
    pub last_modified: Moment,
    /// Whether it hides the key's other versions.
    pub is_latest: bool,
}

/// What a listed version is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionKind {
    /// Bytes that can be fetched.
    Object,
    /// A delete marker: the key looks absent, its versions are still there.
    Marker,
    /// Only on a disk: a symlink, device, socket or pipe. It is never followed nor opened.
    Special,
}

/// One page of a list.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// At most the store's page size; may be empty though more pages follow.
    pub items: Vec<Version>,
    /// Where the next page starts; `None` on the last.
    pub next: Option<Token>,
}

/// Where a page starts. Only good for the store and prefix that gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    key: Vec<u8>,
    version_id: Option<String>,
}

/// What a store's locks are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capability {
    /// Whether anything keeps a lock from being lifted.
    pub protection: Protection,
    /// Whether a key can have several versions, and delete markers.
    pub versions: bool,
}

/// Whether a store keeps what it locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// The server refuses to delete or change what is locked (the probe puts that to the test).
    Enforces,
    /// The lock is recorded, but whoever owns the disk can lift it: tampering is evident, not
    /// impossible.
    Evidences,
}
