//! Everything that a role may or may not do with a bucket, each tried by one request, and what the
//! server answered.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{
    BucketVersioningStatus, DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled,
    ObjectLockLegalHold, ObjectLockLegalHoldStatus, ObjectLockMode, ObjectLockRetention,
    ObjectLockRetentionMode, ObjectLockRule, Tag, Tagging, VersioningConfiguration,
};
use harness::bucket::Version;
use harness::{Bucket, Server};
use std::fmt;
use std::future::Future;
use std::time::{Duration, SystemTime};

pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// One thing to try.
pub(super) struct Act {
    pub(super) name: &'static str,
    pub(super) try_it: Try,
    /// Of the uploader, the auditor and root.
    pub(super) expected: [End; 3],
}

type Try = fn(&Scene<'_>) -> Answer;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Done.
    Done,
    /// No permission.
    Denied,
    /// Permitted, and refused by the lock or by what the bucket is.
    Locked,
}

/// What a server said to a request.
#[derive(Debug)]
pub(super) struct Answer(Option<(u16, String, String)>);

impl Answer {
    pub(super) fn end(&self) -> End {
        match &self.0 {
            None => End::Done,
            // A HEAD has no body, so no code.
            Some((403, code, message)) if code.is_empty() || message == "Access Denied." => {
                End::Denied
            }
            Some(_) => End::Locked,
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0, self.end()) {
            (None, _) => f.write_str("done"),
            (Some((status, ..)), End::Denied) => write!(f, "{status} denied"),
            (Some((status, code, _)), _) => write!(f, "{status} {code}"),
        }
    }
}

/// A bucket with a batch that the archiver put there and a canary, and a client with a role's account.
pub(super) struct Scene<'a> {
    server: &'a Server,
    bucket: &'a Bucket<'a>,
    client: Client,
    body: Version,
    manifest: Version,
    canary: Version,
}

impl<'a> Scene<'a> {
    pub(super) fn of(server: &'a Server, bucket: &'a Bucket<'a>, client: Client) -> Self {
        let first = |prefix: &str| bucket.versions(prefix).remove(0);
        let put = server.client().put_object().bucket(&bucket.name);
        let put = put
            .key("prod/probe/canary")
            .object_lock_mode(ObjectLockMode::Compliance)
            .object_lock_retain_until_date(after(3 * DAY))
            .body(b"canary".to_vec().into());
        server.run(put.send()).expect("root puts a canary");
        Self {
            server,
            bucket,
            client,
            body: first("prod/entries/"),
            manifest: first("prod/manifests/"),
            canary: first("prod/probe/canary"),
        }
    }

    fn ask<T, E: ProvideErrorMetadata>(
        &self,
        request: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Answer {
        Answer(self.server.run(request).err().map(|error| {
            let status = error.raw_response().map(|raw| raw.status().as_u16());
            (
                status.expect("the server answers"),
                error.code().unwrap_or_default().to_owned(),
                error.message().unwrap_or_default().to_owned(),
            )
        }))
    }

    /// Puts an object, locked for so long if it has a lock at all.
    pub(super) fn put(&self, key: &str, lock: Option<(ObjectLockMode, Duration)>) -> Answer {
        let (mode, time) = lock.unzip();
        let put = self.client.put_object().bucket(&self.bucket.name).key(key);
        let put = put
            .set_object_lock_mode(mode)
            .set_object_lock_retain_until_date(time.map(after))
            .body(b"bytes".to_vec().into());
        self.ask(put.send())
    }

    fn get(&self, version: &Version, by_id: bool) -> Answer {
        let get = self.client.get_object().bucket(&self.bucket.name);
        let id = by_id.then(|| version.id.clone());
        self.ask(get.key(&version.key).set_version_id(id).send())
    }

    fn read_lock(&self, version: &Version) -> Answer {
        let read = self.client.get_object_retention().bucket(&self.bucket.name);
        self.ask(read.key(&version.key).version_id(&version.id).send())
    }

    pub(super) fn relock(&self, mode: ObjectLockRetentionMode, days: u32, bypass: bool) -> Answer {
        let retention = ObjectLockRetention::builder()
            .mode(mode)
            .retain_until_date(after(days * DAY));
        let relock = self.client.put_object_retention().bucket(&self.bucket.name);
        let relock = relock
            .key(&self.canary.key)
            .version_id(&self.canary.id)
            .set_bypass_governance_retention(bypass.then_some(true))
            .retention(retention.build());
        self.ask(relock.send())
    }

    fn delete(&self, version: &Version, bypass: bool) -> Answer {
        let delete = self.client.delete_object().bucket(&self.bucket.name);
        let delete = delete
            .key(&version.key)
            .version_id(&version.id)
            .set_bypass_governance_retention(bypass.then_some(true));
        self.ask(delete.send())
    }

    fn hide(&self, version: &Version) -> Answer {
        let delete = self.client.delete_object().bucket(&self.bucket.name);
        self.ask(delete.key(&version.key).send())
    }
}

fn after(time: Duration) -> DateTime {
    (SystemTime::now() + time).into()
}

fn put_locked(scene: &Scene<'_>, key: &str) -> Answer {
    scene.put(key, Some((ObjectLockMode::Compliance, 2 * DAY)))
}

fn list_versions(scene: &Scene<'_>, prefix: &str) -> Answer {
    let list = scene.client.list_object_versions();
    scene.ask(list.bucket(&scene.bucket.name).prefix(prefix).send())
}

fn list_objects(scene: &Scene<'_>) -> Answer {
    let list = scene.client.list_objects_v2().bucket(&scene.bucket.name);
    scene.ask(list.prefix("prod/entries/").send())
}

fn head(scene: &Scene<'_>) -> Answer {
    let head = scene.client.head_object().bucket(&scene.bucket.name);
    scene.ask(head.key(&scene.body.key).send())
}

fn legal_hold(scene: &Scene<'_>) -> Answer {
    let hold = ObjectLockLegalHold::builder().status(ObjectLockLegalHoldStatus::On);
    let put = scene.client.put_object_legal_hold();
    let put = put.bucket(&scene.bucket.name).key(&scene.canary.key);
    scene.ask(put.legal_hold(hold.build()).send())
}

fn tag(scene: &Scene<'_>) -> Answer {
    let tag = Tag::builder().key("a").value("b").build().expect("a tag");
    let tags = Tagging::builder().tag_set(tag).build().expect("tags");
    let put = scene.client.put_object_tagging().bucket(&scene.bucket.name);
    scene.ask(put.key(&scene.canary.key).tagging(tags).send())
}

fn read_versioning(scene: &Scene<'_>) -> Answer {
    let read = scene.client.get_bucket_versioning();
    scene.ask(read.bucket(&scene.bucket.name).send())
}

fn read_default(scene: &Scene<'_>) -> Answer {
    let read = scene.client.get_object_lock_configuration();
    scene.ask(read.bucket(&scene.bucket.name).send())
}

fn change_default(scene: &Scene<'_>) -> Answer {
    let retention = DefaultRetention::builder()
        .mode(ObjectLockRetentionMode::Governance)
        .days(1);
    let rule = ObjectLockRule::builder().default_retention(retention.build());
    let config = ObjectLockConfiguration::builder()
        .object_lock_enabled(ObjectLockEnabled::Enabled)
        .rule(rule.build());
    let put = scene.client.put_object_lock_configuration();
    let put = put.bucket(&scene.bucket.name);
    scene.ask(put.object_lock_configuration(config.build()).send())
}

fn suspend_versioning(scene: &Scene<'_>) -> Answer {
    let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended);
    let put = scene.client.put_bucket_versioning();
    let put = put.bucket(&scene.bucket.name);
    scene.ask(put.versioning_configuration(suspended.build()).send())
}

fn open_to_all(scene: &Scene<'_>) -> Answer {
    let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": format!("arn:aws:s3:::{}/*", scene.bucket.name)}]});
    let put = scene.client.put_bucket_policy().bucket(&scene.bucket.name);
    scene.ask(put.policy(policy.to_string()).send())
}

fn delete_bucket(scene: &Scene<'_>) -> Answer {
    let delete = scene.client.delete_bucket();
    scene.ask(delete.bucket(&scene.bucket.name).send())
}

fn make_bucket(scene: &Scene<'_>) -> Answer {
    let name = format!("{}-another", scene.bucket.name);
    scene.ask(scene.client.create_bucket().bucket(name).send())
}

/// An act and what it must come to, in an order in which none is in the way of a later one.
///
/// MinIO asks an object's lock before the account's rights, and takes the right to read an object
/// for the right to read its versions.
#[rustfmt::skip] // a table, one act a line
pub(super) fn acts() -> Vec<Act> {
    use End::{Denied, Done, Locked};
    use ObjectLockRetentionMode::{Compliance, Governance};
    let table: Vec<(_, Try, _)> = vec![
        ("put into entries/, locked", |s| put_locked(s, "prod/entries/x"), [Done, Denied, Done]),
        ("put into manifests/, locked", |s| put_locked(s, "prod/manifests/x"), [Done, Denied, Done]),
        ("put into probe/, locked", |s| put_locked(s, "prod/probe/x"), [Done, Denied, Done]),
        ("put without a lock", |s| s.put("prod/probe/y", None), [Done, Denied, Done]),
        ("put beside the prefix", |s| put_locked(s, "other/x"), [Denied, Denied, Done]),
        ("read the lock of a body", |s| s.read_lock(&s.body), [Done, Done, Done]),
        ("read the lock of a manifest", |s| s.read_lock(&s.manifest), [Done, Done, Done]),
        ("read a manifest", |s| s.get(&s.manifest, false), [Done, Done, Done]),
        ("read a manifest's version", |s| s.get(&s.manifest, true), [Done, Done, Done]),
        ("read a body", |s| s.get(&s.body, false), [Denied, Done, Done]),
        ("read a body's version", |s| s.get(&s.body, true), [Denied, Done, Done]),
        ("ask whether a body is there (HEAD)", head, [Denied, Done, Done]),
        ("list objects below the prefix", list_objects, [Denied, Done, Done]),
        ("list versions below the prefix", |s| list_versions(s, "prod/"), [Denied, Done, Done]),
        ("list versions of the whole bucket", |s| list_versions(s, ""), [Denied, Denied, Done]),
        ("read whether versions are kept", read_versioning, [Done, Done, Done]),
        ("read whether objects can be locked", read_default, [Done, Done, Done]),
        ("lengthen a lock", |s| s.relock(Compliance, 4, false), [Done, Denied, Done]),
        ("shorten a lock", |s| s.relock(Compliance, 1, false), [Locked, Locked, Locked]),
        ("shorten a lock with bypass", |s| s.relock(Compliance, 1, true), [Locked, Locked, Locked]),
        ("weaken a lock to GOVERNANCE", |s| s.relock(Governance, 9, false), [Locked, Locked, Locked]),
        ("delete a body's version", |s| s.delete(&s.body, false), [Denied, Denied, Locked]),
        ("delete a body's version with bypass", |s| s.delete(&s.body, true), [Denied, Denied, Locked]),
        ("put a legal hold", legal_hold, [Denied, Denied, Done]),
        ("tag an object", tag, [Denied, Denied, Done]),
        ("hide a body behind a delete marker", |s| s.hide(&s.body), [Denied, Denied, Done]),
        ("suspend versioning", suspend_versioning, [Denied, Denied, Locked]),
        ("set the default lock to GOVERNANCE", change_default, [Denied, Denied, Done]),
        ("open the bucket to all", open_to_all, [Denied, Denied, Done]),
        ("delete the bucket", delete_bucket, [Denied, Denied, Locked]),
        ("make a bucket", make_bucket, [Denied, Denied, Done]),
    ];
    let act = |(name, try_it, expected)| Act { name, try_it, expected };
    table.into_iter().map(act).collect()
}
