//! Attacks on a directory, for the probe alone: what whoever owns the files can do to them. A plain
//! disk lets them; a file system that enforces WORM does not.

use super::super::{Intruder, Lock, LockMode, Put, Store as _, StoreAnswer, StoreError};
use super::directory_fault::DirectoryFault;
use super::directory_tree::ONLY_VERSION;
use super::directory_tree::{DirectoryTree, Place};
use super::{DirectoryStore, atime_lock};
use ledger::Digest;
use std::io::Write as _;

impl Intruder for DirectoryStore {
    async fn delete(&self, key: &str, version_id: &str, bypass: bool) -> Result<(), StoreError> {
        let (path, version) = (key.to_owned(), version_id.to_owned());
        let delete = move |tree: &DirectoryTree| {
            let place = place_of(tree, &path, &version)?;
            if bypass {
                atime_lock::lift(&place.open()?)?;
            }
            place.remove()?;
            Ok(place.sync_folder()?)
        };
        self.blocking("delete", key, delete).await
    }

    async fn set_lock(
        &self,
        key: &str,
        version_id: &str,
        lock: Lock,
        bypass: bool,
    ) -> Result<(), StoreError> {
        let (path, version) = (key.to_owned(), version_id.to_owned());
        let change = move |tree: &DirectoryTree| {
            let file = place_of(tree, &path, &version)?.open()?;
            if lock.mode != LockMode::Compliance {
                // Nothing weaker exists on a disk but write permission.
                return atime_lock::lift(&file);
            }
            if bypass {
                atime_lock::lift(&file)?;
            }
            atime_lock::lock(&file, lock.retain_until)
        };
        self.blocking("change lock of", key, change).await
    }

    async fn overwrite(&self, put: Put<'_>) -> Result<String, StoreError> {
        let (path, bytes) = (put.key.to_owned(), put.bytes);
        let write = move |tree: &DirectoryTree| {
            let place = tree.find(&path)?;
            atime_lock::lift(&place.open()?)?;
            let mut file = place.open_for_writing()?;
            file.set_len(0)?;
            file.write_all(&bytes)?;
            Ok(file.sync_all()?)
        };
        self.blocking("overwrite", put.key, write).await?;
        Ok(ONLY_VERSION.into())
    }

    async fn put_weak(&self, put: Put<'_>) -> Result<String, StoreError> {
        let (path, bytes) = (put.key.to_owned(), put.bytes);
        let write = move |tree: &DirectoryTree| {
            let place = tree.make(&path)?;
            super::write(&place, &bytes)
        };
        self.blocking("put", put.key, write).await?;
        Ok(ONLY_VERSION.into())
    }

    async fn put_unlike(&self, put: Put<'_>, announced: Digest) -> Result<(), StoreError> {
        let sha256 = announced;
        self.put(Put { sha256, ..put }).await.map(drop)
    }

    async fn set_versioning(&self, _: bool) -> Result<(), StoreError> {
        Err(StoreError::Refused(StoreAnswer::new(
            format!("change versioning of {}", self.url()),
            "a directory has no versions",
        )))
    }
}

fn place_of(tree: &DirectoryTree, key: &str, version_id: &str) -> Result<Place, DirectoryFault> {
    if version_id == ONLY_VERSION {
        tree.find(key)
    } else {
        Err(DirectoryFault::NoVersion)
    }
}
