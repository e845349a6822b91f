//! What no archiver ever asks of a store: to give up what it keeps. The probe alone does.

use super::{Lock, Put, Store, StoreError};
use ledger::Digest;
use std::future::Future;

/// A store that can be attacked, in every way that its own interface allows.
///
/// # What every implementation promises
///
/// - **It really tries**: the request that would do the harm is sent, or the system call made, with
///   nothing held back and nothing checked first. What refuses is the store, never this program.
/// - **`Ok` means no more than that the store said yes**, and an error no more than that it said no.
///   Neither is proof: look at the object.
/// - As with [`Store`], one call is one try within a time limit, and a dropped future leaves what a
///   timeout leaves.
///
/// For canaries under `probe/` alone, and for a scratch bucket where it says so.
pub trait Intruder: Store {
    /// Deletes one version for good. With `bypass` it asks as somebody who may lift GOVERNANCE locks
    /// (on a disk: who first makes the file writable).
    fn delete(
        &self,
        key: &str,
        version_id: &str,
        bypass: bool,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Puts `lock` in the place of one version's lock, be it shorter or weaker; `bypass` as in
    /// [`Intruder::delete`].
    fn set_lock(
        &self,
        key: &str,
        version_id: &str,
        lock: Lock,
        bypass: bool,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes other bytes to a key that has a version; the id of the version they then stand in.
    fn overwrite(&self, put: Put<'_>) -> impl Future<Output = Result<String, StoreError>> + Send;

    /// Puts bytes under the weaker lock, GOVERNANCE mode (on a disk: with write permission left), and
    /// gives the version's id: a canary on which [`Intruder::set_lock`] may be granted what a
    /// COMPLIANCE lock must refuse it.
    fn put_weak(&self, put: Put<'_>) -> impl Future<Output = Result<String, StoreError>> + Send;

    /// Puts bytes and announces `announced` as their digest, which it is not, as if they had been
    /// damaged on the way.
    fn put_unlike(
        &self,
        put: Put<'_>,
        announced: Digest,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Suspends the versioning of the whole place, or turns it on. **For a scratch bucket alone.**
    fn set_versioning(&self, on: bool) -> impl Future<Output = Result<(), StoreError>> + Send;
}
