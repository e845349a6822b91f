//! How a bucket is set up: asked here, and changed here for `holdfast bucket create` alone.

use super::super::{SetupFault, StoreError};
use super::S3Store;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, ChecksumAlgorithm, CreateBucketConfiguration,
    DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockRetentionMode,
    ObjectLockRule, VersioningConfiguration,
};

/// How a bucket is set up, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketState {
    /// `Enabled`, `Suspended`, or `Off` if it never was on.
    pub versioning: String,
    /// What it can lock.
    pub lock: BucketLock,
}

/// A bucket's Object Lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BucketLock {
    /// Nothing can be locked.
    Off,
    /// Objects can be locked; new ones are by default as said here.
    On(Option<DefaultLock>),
}

/// What locks an object that names no lock of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefaultLock {
    /// Whether in COMPLIANCE mode.
    pub compliance: bool,
    /// For how long.
    pub days: u64,
}

/// Days in a year of a bucket's default, as S3 counts them.
const YEAR_DAYS: u64 = 365;

impl S3Store {
    pub(super) async fn check_setup(&self) -> Result<(), SetupFault> {
        let url = self.url.clone();
        match self.state().await {
            Err(cause) => Err(SetupFault::Unknown { url, cause }),
            Ok(None) => Err(SetupFault::Absent { url }),
            // Without Object Lock versioning is beside the point: the remedy is another bucket.
            Ok(Some(state)) if state.lock == BucketLock::Off => {
                Err(SetupFault::NoObjectLock { url })
            }
            Ok(Some(state)) if state.versioning != BucketVersioningStatus::Enabled.as_str() => {
                let status = state.versioning;
                Err(SetupFault::NotVersioned { url, status })
            }
            Ok(Some(_)) => Ok(()),
        }
    }

    /// How the bucket is set up; `None` if there is none.
    pub async fn state(&self) -> Result<Option<BucketState>, StoreError> {
        let versioning = match self.versioning().await {
            Ok(versioning) => versioning,
            Err(StoreError::NoBucket(_) | StoreError::Missing(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let lock = self.bucket_lock().await?;
        Ok(Some(BucketState { versioning, lock }))
    }

    pub(super) async fn versioning(&self) -> Result<String, StoreError> {
        let request = self.client.get_bucket_versioning().bucket(&self.bucket);
        let reply = self
            .send(("read versioning of", ""), 0, request.send())
            .await?;
        let status = reply.status.as_ref();
        Ok(status.map_or("Off", BucketVersioningStatus::as_str).into())
    }

    async fn bucket_lock(&self) -> Result<BucketLock, StoreError> {
        let request = self
            .client
            .get_object_lock_configuration()
            .bucket(&self.bucket);
        let what = ("read Object Lock of", "");
        let reply = self
            .send(what, 0, async {
                match request.send().await {
                    Err(error) if error.code() == Some("ObjectLockConfigurationNotFoundError") => {
                        Ok(None)
                    }
                    reply => reply.map(Some),
                }
            })
            .await?;
        let Some(config) = reply.and_then(|reply| reply.object_lock_configuration) else {
            return Ok(BucketLock::Off);
        };
        if config.object_lock_enabled != Some(ObjectLockEnabled::Enabled) {
            return Ok(BucketLock::Off);
        }
        let retention = config.rule.and_then(|rule| rule.default_retention);
        Ok(BucketLock::On(retention.map(|retention| {
            let count = |count: Option<i32>| count.and_then(|count| u64::try_from(count).ok());
            let years_days = count(retention.years).map(|years| years.saturating_mul(YEAR_DAYS));
            DefaultLock {
                compliance: retention.mode == Some(ObjectLockRetentionMode::Compliance),
                days: count(retention.days).or(years_days).unwrap_or(0),
            }
        })))
    }

    /// Makes the bucket, with Object Lock from its first moment.
    pub async fn create_bucket(&self) -> Result<(), StoreError> {
        let region = self.region.as_ref();
        // AWS's oldest region is the one that must not be named.
        let place = (region != "us-east-1").then(|| {
            CreateBucketConfiguration::builder()
                .location_constraint(BucketLocationConstraint::from(region))
                .build()
        });
        let request = self
            .client
            .create_bucket()
            .bucket(&self.bucket)
            .object_lock_enabled_for_bucket(true)
            .set_create_bucket_configuration(place);
        self.send(("create", ""), 0, request.send()).await?;
        Ok(())
    }

    /// Turns versioning on.
    pub async fn enable_versioning(&self) -> Result<(), StoreError> {
        self.put_versioning(true).await
    }

    pub(super) async fn put_versioning(&self, on: bool) -> Result<(), StoreError> {
        let (operation, status) = if on {
            ("enable versioning of", BucketVersioningStatus::Enabled)
        } else {
            ("suspend versioning of", BucketVersioningStatus::Suspended)
        };
        let versioning = VersioningConfiguration::builder().status(status);
        let request = self
            .client
            .put_bucket_versioning()
            .bucket(&self.bucket)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .versioning_configuration(versioning.build());
        self.send((operation, ""), 0, request.send()).await?;
        Ok(())
    }

    /// Locks new objects in COMPLIANCE mode for `days` unless they say otherwise.
    pub async fn set_default_lock(&self, days: u64) -> Result<(), StoreError> {
        let retention = DefaultRetention::builder()
            .mode(ObjectLockRetentionMode::Compliance)
            .days(i32::try_from(days).unwrap_or(i32::MAX));
        let rule = ObjectLockRule::builder().default_retention(retention.build());
        let config = ObjectLockConfiguration::builder()
            .object_lock_enabled(ObjectLockEnabled::Enabled)
            .rule(rule.build());
        let request = self
            .client
            .put_object_lock_configuration()
            .bucket(&self.bucket)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .object_lock_configuration(config.build());
        self.send(("set default lock of", ""), 0, request.send())
            .await?;
        Ok(())
    }
}
