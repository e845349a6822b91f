//! Attacks on a bucket, for the probe alone: each is the one request that would do the harm.

use super::super::{Intruder, Lock, LockMode, Put, Store as _, StoreError};
use super::{S3Store, date};
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ObjectLockMode, ObjectLockRetention, ObjectLockRetentionMode,
};
use ledger::Digest;

impl Intruder for S3Store {
    async fn delete(&self, key: &str, version_id: &str, bypass: bool) -> Result<(), StoreError> {
        let request = self
            .client
            .delete_object()
            .bucket(&self.bucket)
            .key(self.full(key))
            .version_id(version_id)
            .set_bypass_governance_retention(bypass.then_some(true));
        self.send(("delete", key), 0, request.send()).await?;
        Ok(())
    }

    async fn set_lock(
        &self,
        key: &str,
        version_id: &str,
        lock: Lock,
        bypass: bool,
    ) -> Result<(), StoreError> {
        let mode = match lock.mode {
            LockMode::Compliance => ObjectLockRetentionMode::Compliance,
            LockMode::Governance | LockMode::Unknown => ObjectLockRetentionMode::Governance,
        };
        let retention = ObjectLockRetention::builder()
            .mode(mode)
            .retain_until_date(date(lock.retain_until));
        let request = self
            .client
            .put_object_retention()
            .bucket(&self.bucket)
            .key(self.full(key))
            .version_id(version_id)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .set_bypass_governance_retention(bypass.then_some(true))
            .retention(retention.build());
        self.send(("change lock of", key), 0, request.send())
            .await?;
        Ok(())
    }

    async fn overwrite(&self, put: Put<'_>) -> Result<String, StoreError> {
        let stored = self.put(put).await?;
        Ok(stored.version_id)
    }

    async fn put_weak(&self, put: Put<'_>) -> Result<String, StoreError> {
        let (what, size) = (("put", put.key), put.bytes.len() as u64);
        let sha256 = put.sha256;
        let request = self.put_request(put, ObjectLockMode::Governance, sha256);
        let reply = self.send(what, size, request).await?;
        reply
            .version_id
            .ok_or_else(|| self.broken(what, "success, but without a version id"))
    }

    async fn put_unlike(&self, put: Put<'_>, announced: Digest) -> Result<(), StoreError> {
        let what = ("put", put.key);
        let size = put.bytes.len() as u64;
        // The signature covers the bytes as they are: the checksum alone is wrong.
        let request = self.put_request(put, ObjectLockMode::Compliance, announced);
        self.send(what, size, request).await?;
        Ok(())
    }

    async fn set_versioning(&self, on: bool) -> Result<(), StoreError> {
        self.put_versioning(on).await
    }
}
