//! Credentials by the AWS conventions, looked up again while the program runs.
//!
//! The SDK reads a profile's files once. A key that was wrong at first, or rotated since, must come
//! into force without a restart: an archiver is held for as long as it is refused.

use aws_config::Region;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::{ProvideCredentials, Result as Provided, future};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use std::time::{Duration, SystemTime};

/// After how long credentials without an end of their own get one. The SDK's cache looks them up
/// again up to ten seconds before it.
const KEPT: Duration = Duration::from_secs(20);

/// The default chain (environment, profiles, web identity, container, instance), from its beginning
/// each time.
#[derive(Debug)]
pub(super) struct FreshCredentials {
    /// Where to ask for a session, for the kinds that need one.
    pub(super) region: Region,
    /// How to ask there.
    pub(super) client: SharedHttpClient,
}

impl FreshCredentials {
    async fn look_up(&self) -> Provided {
        let asking = ProviderConfig::default().with_http_client(self.client.clone());
        let chain = DefaultCredentialsChain::builder()
            .configure(asking)
            .region(self.region.clone());
        let mut found = chain.build().await.provide_credentials().await?;
        if found.expiry().is_none() {
            *found.expiry_mut() = SystemTime::now().checked_add(KEPT);
        }
        Ok(found)
    }
}

impl ProvideCredentials for FreshCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.look_up())
    }
}
