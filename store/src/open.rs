//! Opens a store by its URL; the one place where the AWS conventions (environment, profiles, roles)
//! are read.

use super::credentials::FreshCredentials;
use super::http_client::Near;
use super::s3::{ANY_REGION, S3Store};
use super::{
    Capability, DirectoryStore, Fetched, Intruder, Location, Lock, OpenError, Page, Put,
    SetupFault, Store, StoreError, StoreOptions, StoredVersion, Token, http_client, trust,
};
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::service_config::ServiceConfigKey;
use ledger::{Digest, Moment};

/// Either store.
#[derive(Debug, Clone)]
pub enum AnyStore {
    /// `s3://`
    S3(Box<S3Store>),
    /// `file://`
    Directory(DirectoryStore),
}

impl AnyStore {
    /// Removes what killed writers left in the place itself; in a bucket nothing is ever left.
    ///
    /// # Errors
    /// It could not be looked at. What is left does no harm.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        match self {
            Self::S3(_) => Ok(()),
            Self::Directory(store) => store.sweep().await,
        }
    }
}

/// Opens the store at `url`. Nothing is sent yet, and nothing need be there: [`Store::check`] tells.
///
/// # Errors
/// The URL names no store, or the endpoint configured for S3 can't be one.
pub async fn open(url: &str, options: &StoreOptions) -> Result<AnyStore, OpenError> {
    let location = url.parse()?;
    if let Location::Directory(_) = location {
        return Ok(open_with(&location, &SdkConfig::builder().build(), options));
    }
    let local = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new());
    let given = options.region.clone().map(Region::new);
    let given = given.or(local.region().await);
    // With a region, be it any, loading asks no machine's metadata for one.
    let any = given.clone().unwrap_or(Region::from_static(ANY_REGION));
    let found = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(any.clone())
        .load()
        .await;
    let bundle = setting(&found, "AWS_CA_BUNDLE", "ca_bundle").filter(|path| !path.is_empty());
    let tls = bundle.as_deref().map(trust::bundle).transpose()?;
    let client = http_client::client(&tls.unwrap_or_default());
    let endpoint = endpoint(&found);
    if let Some(endpoint) = endpoint.as_deref().filter(|endpoint| !is_web(endpoint)) {
        return Err(OpenError::Endpoint(endpoint.into()));
    }
    if let Some(endpoint) = endpoint.as_deref().filter(|endpoint| is_readable(endpoint)) {
        tracing::warn!(
            endpoint,
            "requests go by plain http, beyond this host: whoever is on the way reads the logs, and may answer in the \
             store's place; use https"
        );
    }
    let region = match (given, &endpoint) {
        (Some(region), _) => region,
        // Servers other than AWS take any.
        (None, Some(_)) => any,
        // AWS answers a wrong one with the right one's name.
        (None, None) => {
            let asking = ProviderConfig::default().with_http_client(client.clone());
            let own = ImdsRegionProvider::builder().configure(&asking).build();
            let own = own.region().await;
            own.unwrap_or(any)
        }
    };
    let fresh = FreshCredentials {
        region: region.clone(),
        client: client.clone(),
    };
    let shared = found
        .to_builder()
        .region(region)
        .credentials_provider(SharedCredentialsProvider::new(fresh))
        .http_client(client)
        .build();
    Ok(open_with(&location, &shared, options))
}

/// Whether `endpoint` can be asked at all: a mistyped one would look like an outage.
fn is_web(endpoint: &str) -> bool {
    let host = endpoint
        .strip_prefix("https://")
        .or_else(|| endpoint.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && !host.contains(char::is_whitespace))
}

/// Whether requests there could be read on the way.
fn is_readable(endpoint: &str) -> bool {
    endpoint.starts_with("http://") && Near::of(endpoint) != Some(Near::Loopback)
}

/// As [`open`], with AWS settings that were found elsewhere.
#[must_use]
pub fn open_with(location: &Location, shared: &SdkConfig, options: &StoreOptions) -> AnyStore {
    match location {
        Location::Directory(root) => {
            let (root, url) = (root.clone(), location.url());
            AnyStore::Directory(DirectoryStore::new(root, &url, options.page_size))
        }
        Location::Bucket { bucket, prefix } => {
            let endpoint = endpoint(shared);
            let place = (bucket.as_str(), prefix.as_str());
            AnyStore::S3(Box::new(S3Store::new(
                shared,
                endpoint.as_deref(),
                place,
                options,
            )))
        }
    }
}

/// The endpoint the SDK will use, which it tells nobody: AWS_ENDPOINT_URL_S3 or the profile's, else
/// the general one.
fn endpoint(shared: &SdkConfig) -> Option<String> {
    setting(shared, "AWS_ENDPOINT_URL", "endpoint_url")
        .or_else(|| shared.endpoint_url().map(str::to_owned))
}

/// A setting as the SDK finds its own: the variable (first with `_S3`), then the profile's.
fn setting(shared: &SdkConfig, variable: &str, profile: &str) -> Option<String> {
    let key = ServiceConfigKey::builder()
        .service_id("S3")
        .env(variable)
        .profile(profile)
        .build();
    let own = shared.service_config().zip(key.ok());
    own.and_then(|(settings, key)| settings.load_config(key))
}

/// Calls the same method of whichever store it is.
macro_rules! either {
    ($self:ident, $store:ident => $call:expr) => {
        match $self {
            Self::S3($store) => $call,
            Self::Directory($store) => $call,
        }
    };
}

impl Store for AnyStore {
    async fn put(&self, put: Put<'_>) -> Result<StoredVersion, StoreError> {
        either!(self, store => store.put(put).await)
    }

    async fn lock_of(&self, key: &str, version_id: &str) -> Result<Option<Lock>, StoreError> {
        either!(self, store => store.lock_of(key, version_id).await)
    }

    async fn extend(&self, key: &str, version_id: &str, until: Moment) -> Result<(), StoreError> {
        either!(self, store => store.extend(key, version_id, until).await)
    }

    async fn get(
        &self,
        key: &str,
        version_id: Option<&str>,
        max_bytes: u64,
    ) -> Result<Fetched, StoreError> {
        either!(self, store => store.get(key, version_id, max_bytes).await)
    }

    async fn head(&self, key: &str) -> Result<Option<String>, StoreError> {
        either!(self, store => store.head(key).await)
    }

    async fn list_versions(&self, prefix: &str, page: Option<Token>) -> Result<Page, StoreError> {
        either!(self, store => store.list_versions(prefix, page).await)
    }

    async fn check(&self) -> Result<(), SetupFault> {
        either!(self, store => store.check().await)
    }

    async fn now(&self) -> Result<Moment, StoreError> {
        either!(self, store => store.now().await)
    }

    fn capability(&self) -> Capability {
        either!(self, store => store.capability())
    }

    fn url(&self) -> &str {
        either!(self, store => store.url())
    }

    fn prefix(&self) -> &str {
        either!(self, store => store.prefix())
    }
}

impl Intruder for AnyStore {
    async fn delete(&self, key: &str, version_id: &str, bypass: bool) -> Result<(), StoreError> {
        either!(self, store => store.delete(key, version_id, bypass).await)
    }

    async fn set_lock(
        &self,
        key: &str,
        version_id: &str,
        lock: Lock,
        bypass: bool,
    ) -> Result<(), StoreError> {
        either!(self, store => store.set_lock(key, version_id, lock, bypass).await)
    }

    async fn overwrite(&self, put: Put<'_>) -> Result<String, StoreError> {
        either!(self, store => store.overwrite(put).await)
    }

    async fn put_weak(&self, put: Put<'_>) -> Result<String, StoreError> {
        either!(self, store => store.put_weak(put).await)
    }

    async fn put_unlike(&self, put: Put<'_>, announced: Digest) -> Result<(), StoreError> {
        either!(self, store => store.put_unlike(put, announced).await)
    }

    async fn set_versioning(&self, on: bool) -> Result<(), StoreError> {
        either!(self, store => store.set_versioning(on).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_beyond_this_host_is_readable() {
        for (endpoint, readable) in [
            ("http://minio:9000", true),
            ("http://10.0.0.1", true),
            ("https://minio:9000", false),
            ("http://127.0.0.1:9000", false),
            ("http://localhost:9000", false),
        ] {
            assert_eq!(is_readable(endpoint), readable, "{endpoint}");
        }
    }

    #[test]
    fn endpoints_have_a_scheme_and_a_host() {
        for good in ["http://127.0.0.1:9000", "https://s3.example"] {
            assert!(is_web(good), "{good}");
        }
        for bad in ["", "127.0.0.1:9000", "http://", "ftp://host", "http://a b"] {
            assert!(!is_web(bad), "{bad}");
        }
    }
}
