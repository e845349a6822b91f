//! `s3://bucket/prefix`: a store in a bucket with Object Lock, on AWS or any server like it.
//!
//! One call is one request, or more where the first answer is ambiguous: the SDK's own retries are off
//! and every request has a time limit. What is sent is pinned by a wire test (tests/e2e/wire.rs).

mod error_answer;
mod intrude;
mod list;
mod lossy;
mod request;
mod setup;
mod wire;

use super::{
    Capability, Fetched, Limits, Lock, LockMode, Page, Protection, Put, SetupFault, Store,
    StoreAnswer, StoreError, StoreOptions, StoredVersion, Token,
};
use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    BehaviorVersion, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_s3::operation::put_object::{PutObjectError, PutObjectOutput};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, EncodingType, ObjectLockMode, ObjectLockRetention, ObjectLockRetentionMode,
};
use aws_smithy_types::DateTime;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use ledger::{Digest, Moment};
use list::NO_VERSION;
pub use setup::{BucketLock, BucketState, DefaultLock};
use std::sync::Arc;
use wire::{ReplyWatch, SignedHash, StoreClock};

/// The region to sign for where nothing names one.
pub(super) const ANY_REGION: &str = "us-east-1";

/// Versions of a page: S3's own most.
const PAGE_SIZE: i32 = 1000;

/// How servers say that one version has no lock: AWS and MinIO the first, SeaweedFS the second, which
/// AWS says of buckets.
const NO_LOCK: [&str; 2] = [
    "NoSuchObjectLockConfiguration",
    "ObjectLockConfigurationNotFoundError",
];

/// A bucket that keeps objects.
#[derive(Debug, Clone)]
pub struct S3Store {
    client: Client,
    bucket: String,
    prefix: String,
    url: String,
    /// ` at http://…`, for texts; empty on AWS.
    place: String,
    region: Region,
    page_size: i32,
    limits: Limits,
    clock: Arc<StoreClock>,
}

impl S3Store {
    /// The store in `bucket` below `prefix`. Nothing is sent yet.
    ///
    /// `endpoint` is where the bucket is, if not on AWS; it is also in `shared`, the settings found
    /// by the AWS conventions.
    pub(super) fn new(
        shared: &SdkConfig,
        endpoint: Option<&str>,
        (bucket, prefix): (&str, &str),
        options: &StoreOptions,
    ) -> Self {
        let clock = Arc::new(StoreClock::default());
        let region = options.region.clone().map(Region::new);
        let region = region.or_else(|| shared.region().cloned());
        let region = region.unwrap_or_else(|| Region::from_static(ANY_REGION));
        let limits = options.limits;
        let timeouts = TimeoutConfig::builder().connect_timeout(limits.connect);
        let config = aws_sdk_s3::config::Builder::from(shared)
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(region.clone())
            .force_path_style(options.force_path_style.unwrap_or(endpoint.is_some()))
            .retry_config(RetryConfig::disabled())
            .disable_clock_skew_correction(false)
            .timeout_config(timeouts.build())
            // It takes slow links for stalled ones; our own limits bound every request.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .interceptor(ReplyWatch {
                clock: Arc::clone(&clock),
            });
        let url = format!("s3://{bucket}/{prefix}");
        Self {
            client: Client::from_conf(config.build()),
            bucket: bucket.into(),
            prefix: prefix.into(),
            url: url.trim_end_matches('/').into(),
            place: endpoint.map_or_else(String::new, |endpoint| format!(" at {endpoint}")),
            region,
            page_size: options
                .page_size
                .and_then(|size| i32::try_from(size).ok())
                .map_or(PAGE_SIZE, |size| size.clamp(1, PAGE_SIZE)),
            limits,
            clock,
        }
    }

    /// The request of a put, signed with the digest that `put` has, locking in `mode` and announcing
    /// `checksum`.
    async fn put_request(
        &self,
        put: Put<'_>,
        mode: ObjectLockMode,
        checksum: Digest,
    ) -> Result<PutObjectOutput, SdkError<PutObjectError>> {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(self.full(put.key))
            .content_length(i64::try_from(put.bytes.len()).unwrap_or(i64::MAX))
            .checksum_sha256(checksum.to_base64())
            .object_lock_mode(mode)
            .object_lock_retain_until_date(date(put.retain_until))
            .set_if_none_match(put.if_absent.then(|| "*".into()))
            .body(ByteStream::from(put.bytes))
            .customize()
            .interceptor(SignedHash(put.sha256))
            .send()
            .await
    }
}

impl Store for S3Store {
    async fn put(&self, put: Put<'_>) -> Result<StoredVersion, StoreError> {
        let what = ("put", put.key);
        let size = put.bytes.len() as u64;
        let request = self.put_request(put.clone(), ObjectLockMode::Compliance, put.sha256);
        let reply = self.send(what, size, request).await?;
        // A portal, a proxy or a server that knows no checksums may say 200 and keep nothing.
        let kept = reply.checksum_sha256().unwrap_or("none");
        if kept != put.sha256.to_base64() {
            let said = format!(
                "success, but with checksum {kept} for SHA-256 {}",
                put.sha256
            );
            return Err(self.broken(what, said));
        }
        let Some(version_id) = reply.version_id.filter(|version| !version.is_empty()) else {
            return Err(self.broken(what, "success, but without a version id"));
        };
        let store_time = self.clock.read(host::clock::boot_ms());
        Ok(StoredVersion {
            version_id,
            sha256: put.sha256,
            store_time: store_time
                .ok_or_else(|| self.broken(what, "success, but without a date"))?,
        })
    }

    async fn lock_of(&self, key: &str, version_id: &str) -> Result<Option<Lock>, StoreError> {
        let what = ("read lock of", key);
        let request = self
            .client
            .get_object_retention()
            .bucket(&self.bucket)
            .key(self.full(key))
            .version_id(version_id);
        let request = async {
            match request.send().await {
                Err(error) if error.code().is_some_and(|code| NO_LOCK.contains(&code)) => Ok(None),
                reply => reply.map(Some),
            }
        };
        let reply = match self.send(what, 0, request).await {
            // 400 to a read: so AWS and MinIO say that the whole bucket has no Object Lock, and
            // MinIO also that there is no bucket.
            Err(refused @ StoreError::Refused(_)) => {
                return match self.state().await? {
                    None => Err(StoreError::NoBucket(StoreAnswer::new(
                        self.asked(what.0, key),
                        "there is no such bucket",
                    ))),
                    Some(state) if state.lock == BucketLock::Off => Ok(None),
                    Some(_) => Err(refused),
                };
            }
            reply => reply?,
        };
        let Some(reply) = reply else {
            return Ok(None);
        };
        let lock = reply.retention.and_then(|retention| {
            let until = retention
                .retain_until_date
                .as_ref()
                .and_then(error_answer::moment)?;
            Some(Lock {
                mode: mode(&retention.mode?),
                retain_until: until,
            })
        });
        let lock = lock.ok_or_else(|| self.broken(what, "success, but without mode or date"))?;
        Ok(Some(lock))
    }

    async fn extend(&self, key: &str, version_id: &str, until: Moment) -> Result<(), StoreError> {
        let retention = ObjectLockRetention::builder()
            .mode(ObjectLockRetentionMode::Compliance)
            .retain_until_date(date(until));
        let request = self
            .client
            .put_object_retention()
            .bucket(&self.bucket)
            .key(self.full(key))
            .version_id(version_id)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .retention(retention.build());
        self.send(("extend lock of", key), 0, request.send())
            .await?;
        Ok(())
    }

    async fn get(
        &self,
        key: &str,
        version_id: Option<&str>,
        max_bytes: u64,
    ) -> Result<Fetched, StoreError> {
        let what = ("get", key);
        let request = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(self.full(key))
            .set_version_id(version_id.map(str::to_owned));
        let mut reply = self.send(what, 0, request.send()).await?;
        let bytes = self.read(key, &mut reply, max_bytes).await?;
        let got = reply.version_id.unwrap_or_else(|| NO_VERSION.into());
        if version_id.is_some_and(|asked| asked != got) {
            return Err(self.broken(what, "another version than the one asked for"));
        }
        let last_modified = reply.last_modified.as_ref().and_then(error_answer::moment);
        Ok(Fetched {
            bytes,
            version_id: got,
            last_modified: last_modified
                .ok_or_else(|| self.broken(what, "success, but without a time"))?,
        })
    }

    async fn head(&self, key: &str) -> Result<Option<String>, StoreError> {
        let request = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(self.full(key));
        match self.send(("head", key), 0, request.send()).await {
            Ok(reply) => Ok(Some(reply.version_id.unwrap_or_else(|| NO_VERSION.into()))),
            Err(StoreError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn list_versions(&self, prefix: &str, page: Option<Token>) -> Result<Page, StoreError> {
        let what = ("list", prefix);
        let marker = page.as_ref().map(|token| token.key.clone());
        let marker = marker.map(String::from_utf8).transpose();
        let marker = marker.map_err(|_| self.broken(what, "a marker that is not UTF-8"))?;
        let request = self
            .client
            .list_object_versions()
            .bucket(&self.bucket)
            .prefix(self.full(prefix))
            .encoding_type(EncodingType::Url)
            .max_keys(self.page_size)
            .set_key_marker(marker)
            .set_version_id_marker(page.as_ref().and_then(|token| token.version_id.clone()));
        let reply = self.send(what, 0, request.send()).await?;
        let is_encoded = reply.encoding_type.is_some();
        let page = list::page(reply, &self.prefix, page.as_ref());
        let page = page.map_err(|odd| self.broken(what, odd))?;
        // A server that does not encode keys as it was asked may not list as S3 does either.
        if let Some(next) = page.next.as_ref().filter(|_| !is_encoded) {
            self.refuse_lossy_list(prefix, next).await?;
        }
        Ok(page)
    }

    async fn check(&self) -> Result<(), SetupFault> {
        self.check_setup().await
    }

    async fn now(&self) -> Result<Moment, StoreError> {
        if let Some(now) = self.clock.read(host::clock::boot_ms()) {
            return Ok(now);
        }
        // Any answer tells the time, a refusal too.
        let reply = self.versioning().await;
        match self.clock.read(host::clock::boot_ms()) {
            Some(now) => Ok(now),
            None => Err(reply
                .err()
                .unwrap_or_else(|| self.broken(("ask", ""), "an answer without a date"))),
        }
    }

    fn capability(&self) -> Capability {
        Capability {
            protection: Protection::Enforces,
            versions: true,
        }
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// A lock's end as S3 keeps it: whole seconds, rounded up.
fn date(until: Moment) -> DateTime {
    let seconds = until.ceil_to_second().seconds();
    DateTime::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX))
}

fn mode(mode: &ObjectLockRetentionMode) -> LockMode {
    match mode {
        ObjectLockRetentionMode::Compliance => LockMode::Compliance,
        ObjectLockRetentionMode::Governance => LockMode::Governance,
        _ => LockMode::Unknown,
    }
}
