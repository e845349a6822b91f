//! A store that keeps its promise in every row of the probe but one.

use crate::Row;
use ledger::{Digest, Moment};
use store::testing::model::{Model, answer, store_time};
use store::{
    Capability, Fetched, Intruder, Lock, LockMode, Page, Put, SetupFault, Store, StoreError,
    StoredVersion, Token, Version, VersionKind,
};

/// How a store lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    /// It says yes, and does it.
    Openly,
    /// It says no, and does it.
    Secretly,
    /// It says no, because the account may not: to the control as well.
    NoRight,
}

/// A store in memory that lies in the row named, and in that row alone.
#[derive(Debug)]
pub(crate) struct Liar {
    pub(crate) inner: Model,
    pub(crate) row: Option<(Row, Lie)>,
    /// Whether one canary serves all rows, as when an archiver starts.
    pub(crate) at_start: bool,
}

impl Liar {
    /// How it lies to one of `rows`, if it does, and if this is that row's canary.
    fn lie(&self, key: &str, rows: &[(Row, &str)]) -> Option<Lie> {
        let (row, lie) = self.row?;
        let canary = rows.iter().find(|(of, _)| *of == row);
        let (_, suffix) = canary?;
        // A control that has a canary of its own is lied to as well.
        let key = key.trim_end_matches("-control");
        (self.at_start || key.ends_with(suffix)).then_some(lie)
    }
}

/// Does what must not be done; the answer that goes with the lie.
fn told(lie: Lie, key: &str, harm: impl FnOnce()) -> Result<(), StoreError> {
    let refused = || Err(StoreError::Denied(answer(key, "403 AccessDenied")));
    match lie {
        Lie::Openly => {
            harm();
            Ok(())
        }
        Lie::Secretly => {
            harm();
            refused()
        }
        Lie::NoRight => refused(),
    }
}

impl Store for Liar {
    async fn put(&self, put: Put<'_>) -> Result<StoredVersion, StoreError> {
        let key = put.key;
        let creates = [
            (Row::CreateTwice, "-create-twice"),
            (Row::CreateRace, "-create-race"),
        ];
        if put.if_absent
            && let Some(lie) = self.lie(key, &creates)
        {
            let is_first = self.inner.versions(key).is_empty();
            return match lie {
                Lie::NoRight if !is_first => Err(StoreError::Denied(answer(key, "403"))),
                Lie::Secretly if !is_first => {
                    let if_absent = false;
                    self.inner.put(Put { if_absent, ..put }).await?;
                    self.inner.force(key, "v0", None);
                    Err(StoreError::Exists(answer(key, "412")))
                }
                _ => {
                    let if_absent = false;
                    self.inner.put(Put { if_absent, ..put }).await
                }
            };
        }
        let stored = self.inner.put(put).await?;
        if let Some(lie) = self.lie(key, &[(Row::Lock, "-lock")]) {
            let weak = Lock {
                mode: LockMode::Governance,
                retain_until: store_time().plus_s(1 << 20),
            };
            let lock = (lie == Lie::Secretly).then_some(weak);
            self.inner.force(key, &stored.version_id, lock);
        }
        Ok(stored)
    }

    async fn lock_of(&self, key: &str, version_id: &str) -> Result<Option<Lock>, StoreError> {
        if self.lie(key, &[(Row::Lock, "-lock")]) == Some(Lie::NoRight) {
            return Err(StoreError::Denied(answer(key, "403")));
        }
        self.inner.lock_of(key, version_id).await
    }

    async fn extend(&self, key: &str, version_id: &str, until: Moment) -> Result<(), StoreError> {
        self.inner.extend(key, version_id, until).await
    }

    async fn get(
        &self,
        key: &str,
        version_id: Option<&str>,
        max_bytes: u64,
    ) -> Result<Fetched, StoreError> {
        self.inner.get(key, version_id, max_bytes).await
    }

    async fn head(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.inner.head(key).await
    }

    async fn list_versions(&self, prefix: &str, _: Option<Token>) -> Result<Page, StoreError> {
        let objects = self.inner.objects();
        let mut items = Vec::new();
        for (key, versions) in objects.iter().filter(|(key, _)| key.starts_with(prefix)) {
            for (number, kept) in versions
                .iter()
                .enumerate()
                .filter(|(_, kept)| !kept.is_gone)
            {
                items.push(Version {
                    key: key.clone(),
                    version_id: format!("v{number}"),
                    kind: VersionKind::Object,
                    size: kept.bytes.len() as u64,
                    last_modified: store_time(),
                    is_latest: number + 1 == versions.len(),
                });
            }
        }
        Ok(Page { items, next: None })
    }

    async fn check(&self) -> Result<(), SetupFault> {
        let url = self.url().to_owned();
        match self.row {
            Some((Row::Setup, Lie::NoRight)) => Err(SetupFault::Unknown {
                url,
                cause: StoreError::Denied(answer("read versioning", "403")),
            }),
            Some((Row::Setup, _)) => Err(SetupFault::NoObjectLock { url }),
            _ => self.inner.check().await,
        }
    }

    async fn now(&self) -> Result<Moment, StoreError> {
        self.inner.now().await
    }

    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    fn url(&self) -> &str {
        self.inner.url()
    }

    fn prefix(&self) -> &str {
        self.inner.prefix()
    }
}

impl Intruder for Liar {
    async fn delete(&self, key: &str, version_id: &str, bypass: bool) -> Result<(), StoreError> {
        let rows = [
            (Row::Delete, "-delete"),
            (Row::DeleteBypass, "-delete-bypass"),
        ];
        match self.lie(key, &rows) {
            Some(lie) => told(lie, key, || self.inner.destroy(key, version_id)),
            None => self.inner.delete(key, version_id, bypass).await,
        }
    }

    async fn set_lock(
        &self,
        key: &str,
        version_id: &str,
        lock: Lock,
        bypass: bool,
    ) -> Result<(), StoreError> {
        let of_canary = [
            (Row::Shorten, "-shorten"),
            (Row::ShortenBypass, "-shorten-bypass"),
            (Row::Weaken, "-weaken"),
            (Row::WeakenBypass, "-weaken-bypass"),
        ];
        let rows = match (self.at_start, lock.mode) {
            (false, _) => &of_canary[..],
            (true, LockMode::Compliance) => &of_canary[..1],
            (true, _) => &of_canary[2..3],
        };
        match self.lie(key, rows) {
            Some(lie) => told(lie, key, || self.inner.force(key, version_id, Some(lock))),
            None => self.inner.set_lock(key, version_id, lock, bypass).await,
        }
    }

    async fn overwrite(&self, put: Put<'_>) -> Result<String, StoreError> {
        let key = put.key.to_owned();
        match self.lie(&key, &[(Row::Overwrite, "-overwrite")]) {
            Some(lie) => told(lie, &key, || {
                self.inner.objects().get_mut(&key).unwrap()[0].bytes = put.bytes;
            })
            .map(|()| "v0".into()),
            None => self.inner.overwrite(put).await,
        }
    }

    async fn put_weak(&self, put: Put<'_>) -> Result<String, StoreError> {
        self.inner.put_weak(put).await
    }

    async fn put_unlike(&self, put: Put<'_>, announced: Digest) -> Result<(), StoreError> {
        let key = put.key.to_owned();
        match self.lie(&key, &[(Row::Checksum, "-checksum")]) {
            Some(lie) => told(lie, &key, || self.inner.plant(&key, &put.bytes)),
            None => self.inner.put_unlike(put, announced).await,
        }
    }

    async fn set_versioning(&self, on: bool) -> Result<(), StoreError> {
        match self.row {
            Some((Row::Suspend, Lie::NoRight)) => {
                Err(StoreError::Denied(answer("suspend versioning", "403")))
            }
            Some((Row::Suspend, lie)) if !on => {
                told(lie, "suspend versioning", || self.inner.suspend())
            }
            _ => self.inner.set_versioning(on).await,
        }
    }
}
