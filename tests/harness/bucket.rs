//! A bucket as root sees it: made, listed, downloaded, spoiled on purpose.

use crate::server::Server;
use aws_sdk_s3::operation::get_object_retention::GetObjectRetentionOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketVersioningStatus, ObjectLockEnabled, ObjectLockRetentionMode, VersioningConfiguration,
};
use std::fs;
use std::path::Path;

/// One version of an object, or a delete marker.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its full key.
    pub key: String,
    /// Its version id.
    pub id: String,
    /// Bytes; 0 for a marker.
    pub size: u64,
    /// Seconds since 1970 at which the store says it was made.
    pub made_s: i64,
    /// Whether it is a delete marker.
    pub is_marker: bool,
}

/// A version's lock, read back by version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock {
    /// Whether its mode is COMPLIANCE.
    pub is_compliance: bool,
    /// Seconds since 1970 until which it holds.
    pub until_s: i64,
}

/// A bucket of a [`Server`]. It is not made by being named.
#[derive(Debug)]
pub struct Bucket<'a> {
    server: &'a Server,
    /// Its name.
    pub name: String,
}

impl Server {
    /// A new bucket with versioning and Object Lock and no default retention.
    #[must_use]
    pub fn locked_bucket(&self, name: &str) -> Bucket<'_> {
        let bucket = Bucket::new(self, name);
        bucket.create(true);
        bucket
    }

    /// A handle on a bucket that may or may not be there.
    #[must_use]
    pub fn bucket(&self, name: &str) -> Bucket<'_> {
        Bucket::new(self, name)
    }
}

impl<'a> Bucket<'a> {
    fn new(server: &'a Server, name: &str) -> Self {
        Self {
            server,
            name: name.to_owned(),
        }
    }

    /// `s3://<bucket>/<prefix>`
    #[must_use]
    pub fn url(&self, prefix: &str) -> String {
        format!("s3://{}/{prefix}", self.name)
    }

    /// Makes it, with Object Lock (and so versioning) or with neither.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn create(&self, with_lock: bool) {
        let request = self.server.client().create_bucket().bucket(&self.name);
        let made = request.object_lock_enabled_for_bucket(with_lock).send();
        self.server.run(made).expect("a bucket is made");
    }

    /// Turns versioning on.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn enable_versioning(&self) {
        let enabled = VersioningConfiguration::builder()
            .status(BucketVersioningStatus::Enabled)
            .build();
        let request = self
            .server
            .client()
            .put_bucket_versioning()
            .bucket(&self.name);
        let done = self
            .server
            .run(request.versioning_configuration(enabled).send());
        done.expect("versioning is enabled");
    }

    /// Whether the bucket has Object Lock.
    #[must_use]
    pub fn has_lock(&self) -> bool {
        let request = self
            .server
            .client()
            .get_object_lock_configuration()
            .bucket(&self.name);
        let reply = self.server.run(request.send()).ok();
        reply
            .and_then(|reply| reply.object_lock_configuration?.object_lock_enabled)
            .is_some_and(|state| state == ObjectLockEnabled::Enabled)
    }

    /// All versions and delete markers below `prefix`.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn versions(&self, prefix: &str) -> Vec<Version> {
        let mut found = Vec::new();
        let (mut key, mut id) = (None, None);
        loop {
            let request = self
                .server
                .client()
                .list_object_versions()
                .bucket(&self.name);
            let request = request
                .prefix(prefix)
                .set_key_marker(key)
                .set_version_id_marker(id);
            let page = self
                .server
                .run(request.send())
                .expect("versions can be listed");
            found.extend(page.versions().iter().map(|version| {
                Version {
                    key: version.key().unwrap_or_default().to_owned(),
                    id: version.version_id().unwrap_or_default().to_owned(),
                    size: version.size().unwrap_or_default().unsigned_abs(),
                    made_s: version
                        .last_modified()
                        .map_or(0, aws_sdk_s3::primitives::DateTime::secs),
                    is_marker: false,
                }
            }));
            found.extend(page.delete_markers().iter().map(|marker| {
                Version {
                    key: marker.key().unwrap_or_default().to_owned(),
                    id: marker.version_id().unwrap_or_default().to_owned(),
                    size: 0,
                    made_s: marker
                        .last_modified()
                        .map_or(0, aws_sdk_s3::primitives::DateTime::secs),
                    is_marker: true,
                }
            }));
            if page.is_truncated() != Some(true) {
                return found;
            }
            (key, id) = (page.next_key_marker, page.next_version_id_marker);
        }
    }

    /// The bytes of one version.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn get(&self, version: &Version) -> Vec<u8> {
        let request = self.server.client().get_object().bucket(&self.name);
        let request = request.key(&version.key).version_id(&version.id);
        self.server.run(async {
            let reply = request.send().await.expect("an object can be read");
            reply
                .body
                .collect()
                .await
                .expect("a body can be read")
                .to_vec()
        })
    }

    /// The lock of one version; `None` if it has none.
    #[must_use]
    pub fn lock(&self, version: &Version) -> Option<Lock> {
        let request = self
            .server
            .client()
            .get_object_retention()
            .bucket(&self.name);
        let request = request.key(&version.key).version_id(&version.id);
        let reply: GetObjectRetentionOutput = self.server.run(request.send()).ok()?;
        let retention = reply.retention?;
        Some(Lock {
            is_compliance: retention.mode == Some(ObjectLockRetentionMode::Compliance),
            until_s: retention.retain_until_date?.secs(),
        })
    }

    /// Puts a new version without a lock of its own, as an intruder would; gives its id.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn put(&self, key: &str, bytes: &[u8]) -> String {
        let request = self
            .server
            .client()
            .put_object()
            .bucket(&self.name)
            .key(key);
        let put = request.body(ByteStream::from(bytes.to_vec())).send();
        let reply = self.server.run(put).expect("an object can be put");
        reply.version_id.unwrap_or_default()
    }

    /// Hides an object behind a delete marker.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn hide(&self, key: &str) {
        let request = self
            .server
            .client()
            .delete_object()
            .bucket(&self.name)
            .key(key);
        self.server
            .run(request.send())
            .expect("a delete marker can be put");
    }

    /// Downloads the newest version of every object below `prefix`, keys becoming paths below `to`.
    ///
    /// # Panics
    /// When the server refuses or the disk does.
    pub fn download(&self, prefix: &str, to: &Path) {
        let mut seen = std::collections::BTreeSet::new();
        for version in self.versions(prefix) {
            // Newest first within a key.
            if version.is_marker || !seen.insert(version.key.clone()) {
                continue;
            }
            let below = version.key.strip_prefix(prefix).unwrap_or(&version.key);
            let path = to.join(below.trim_start_matches('/'));
            fs::create_dir_all(path.parent().expect("a file has a folder")).expect("folders");
            fs::write(path, self.get(&version)).expect("a file can be written");
        }
    }
}
