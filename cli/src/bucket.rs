//! `holdfast bucket create`: a place that can keep evidence, made or completed, never weakened.
//!
//! What to do is decided purely from what is there; the steps strengthen only, so each may be cut
//! short and the command run again.

pub mod command;

use host::cli::counted;
use std::fmt;
use store::{AnyStore, BucketLock, BucketState, S3Store, Store as _, StoreError};

/// One thing that was done, or found done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetupStep {
    /// A bucket with Object Lock, and so with versioning.
    MadeBucket,
    /// Versioning was off or suspended.
    EnabledVersioning,
    /// New objects are locked in COMPLIANCE mode for so many days unless they say otherwise.
    SetDefault {
        /// Before; `None` if nothing was locked by default.
        from_days: Option<u64>,
        /// Now.
        days: u64,
    },
    /// A directory.
    MadeDirectory,
    /// All was so already.
    FoundRight,
}

impl fmt::Display for SetupStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MadeBucket => f.write_str("made the bucket, with Object Lock and versioning"),
            Self::EnabledVersioning => f.write_str("enabled versioning"),
            Self::SetDefault { from_days, days } => {
                let told = |days: u64| counted(days, "day", "days");
                write!(f, "set the default lock to COMPLIANCE for {}", told(*days))?;
                from_days.map_or(Ok(()), |from| write!(f, " (was {})", told(from)))
            }
            Self::MadeDirectory => f.write_str(
                "made the directory; it has no default lock: each object brings its own, which a \
                 plain disk only records",
            ),
            Self::FoundRight => f.write_str("all is set up already; nothing was changed"),
        }
    }
}

/// Why nothing (more) was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// Object Lock needs a new bucket, or would lock others' objects.
    #[error(
        "{0} exists without Object Lock; turning it on would lock whatever else is written there, \
         and many servers can't; choose a bucket that does not exist yet"
    )]
    NoObjectLock(String),
    /// The default is longer than asked for.
    #[error("{url} locks by default for {}; it is not shortened to {asked_days}", counted(*.found_days, "day", "days"))]
    Longer {
        /// The store.
        url: String,
        /// As it is.
        found_days: u64,
        /// As asked for.
        asked_days: u64,
    },
    /// The default is in a mode that its owner chose for a reason.
    #[error(
        "{0} locks by default in GOVERNANCE mode; changing that is its owner's to do: every object \
         of Holdfast's brings its own COMPLIANCE lock, so it can be used as it is"
    )]
    OtherMode(String),
    /// What was done is not what is there afterwards.
    #[error("{url} said yes but is not set up as asked: {found}")]
    NotKept {
        /// The store.
        url: String,
        /// What it says of itself now.
        found: String,
    },
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes or completes the place at `store`, with a default lock of `days`, and tells what it did.
///
/// # Errors
/// It would have to weaken what is there, or the store says no.
pub async fn create(store: &AnyStore, days: u64) -> Result<Vec<SetupStep>, CreateError> {
    match store {
        AnyStore::S3(bucket) => create_bucket(bucket, days).await,
        AnyStore::Directory(directory) if directory.make().await? => {
            Ok(vec![SetupStep::MadeDirectory])
        }
        AnyStore::Directory(_) => Ok(vec![SetupStep::FoundRight]),
    }
}

async fn create_bucket(bucket: &S3Store, days: u64) -> Result<Vec<SetupStep>, CreateError> {
    let url = bucket.url();
    let steps = plan(url, bucket.state().await?.as_ref(), days)?;
    for step in &steps {
        match step {
            SetupStep::MadeBucket => bucket.create_bucket().await?,
            SetupStep::EnabledVersioning => bucket.enable_versioning().await?,
            SetupStep::SetDefault { days, .. } => bucket.set_default_lock(*days).await?,
            SetupStep::MadeDirectory | SetupStep::FoundRight => {}
        }
    }
    // Some servers accept what they don't do.
    let found = bucket.state().await?;
    match plan(url, found.as_ref(), days).as_deref() {
        Ok([SetupStep::FoundRight]) => Ok(steps),
        _ => Err(CreateError::NotKept {
            url: url.into(),
            found: format!("{found:?}"),
        }),
    }
}

/// What leads from what is there to what is asked for, strengthening only.
fn plan(url: &str, found: Option<&BucketState>, days: u64) -> Result<Vec<SetupStep>, CreateError> {
    let default = |from_days| SetupStep::SetDefault { from_days, days };
    let Some(found) = found else {
        return Ok(vec![SetupStep::MadeBucket, default(None)]);
    };
    let mut steps = Vec::new();
    if found.versioning != "Enabled" {
        steps.push(SetupStep::EnabledVersioning);
    }
    match &found.lock {
        BucketLock::Off => return Err(CreateError::NoObjectLock(url.into())),
        BucketLock::On(None) => steps.push(default(None)),
        BucketLock::On(Some(lock)) if !lock.compliance => {
            return Err(CreateError::OtherMode(url.into()));
        }
        BucketLock::On(Some(lock)) if lock.days > days => {
            return Err(CreateError::Longer {
                url: url.into(),
                found_days: lock.days,
                asked_days: days,
            });
        }
        BucketLock::On(Some(lock)) if lock.days < days => steps.push(default(Some(lock.days))),
        BucketLock::On(Some(_)) => {}
    }
    if steps.is_empty() {
        steps.push(SetupStep::FoundRight);
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::DefaultLock;

    #[test]
    fn steps_only_strengthen() {
        let url = "s3://audit-logs";
        let on = |compliance, days| BucketLock::On(Some(DefaultLock { compliance, days }));
        let set = |from_days| SetupStep::SetDefault { from_days, days: 7 };
        let longer = CreateError::Longer {
            url: url.into(),
            found_days: 8,
            asked_days: 7,
        };
        for (found, expected) in [
            (None, Ok(vec![SetupStep::MadeBucket, set(None)])),
            (Some(("Enabled", BucketLock::On(None))), Ok(vec![set(None)])),
            (
                Some(("Suspended", on(true, 7))),
                Ok(vec![SetupStep::EnabledVersioning]),
            ),
            (Some(("Enabled", on(true, 6))), Ok(vec![set(Some(6))])),
            (
                Some(("Enabled", on(true, 7))),
                Ok(vec![SetupStep::FoundRight]),
            ),
            (Some(("Enabled", on(true, 8))), Err(longer.clone())),
            (
                Some(("Enabled", on(false, 1))),
                Err(CreateError::OtherMode(url.into())),
            ),
            (
                Some(("Enabled", BucketLock::Off)),
                Err(CreateError::NoObjectLock(url.into())),
            ),
        ] {
            let found = found.map(|(versioning, lock)| BucketState {
                versioning: versioning.into(),
                lock,
            });
            assert_eq!(plan(url, found.as_ref(), 7), expected, "{found:?}");
        }
    }
}
