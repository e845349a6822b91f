//! How requests reach a store and whoever gives credentials: by the proxy of the environment (HTTPS_PROXY, HTTP_PROXY,
//! ALL_PROXY, NO_PROXY), but never to this host itself nor to a machine's metadata, which a proxy would see the
//! credentials of.

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext};
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use std::net::{IpAddr, Ipv6Addr};

/// A client that trusts whom `tls` names.
pub(super) fn client(tls: &TlsContext) -> SharedHttpClient {
    SharedHttpClient::new(ByHost {
        direct: one(tls.clone(), ProxyConfig::disabled),
        proxied: one(tls.clone(), ProxyConfig::from_env),
    })
}

/// As the SDK's own client is made, but for the proxy and whom it trusts.
fn one(tls: TlsContext, proxy: fn() -> ProxyConfig) -> SharedHttpClient {
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = ConnectorBuilder::default()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(tls.clone());
        connector.set_connector_settings(settings.cloned());
        if let Some(components) = components {
            connector.set_sleep_impl(components.sleep_impl());
        }
        connector.set_proxy_config(Some(proxy()));
        connector.build()
    })
}

/// Chooses for each request, for one client may ask a store, a session service and a machine's metadata.
#[derive(Debug)]
struct ByHost<T> {
    direct: T,
    proxied: T,
}

impl HttpClient for ByHost<SharedHttpClient> {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(ByHost {
            direct: self.direct.http_connector(settings, components),
            proxied: self.proxied.http_connector(settings, components),
        })
    }
}

impl HttpConnector for ByHost<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match Near::of(request.uri()) {
            Some(_) => self.direct.call(request),
            None => self.proxied.call(request),
        }
    }
}

/// A host that is no farther than this machine's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Near {
    /// This host.
    Loopback,
    /// Who tells a machine its credentials: 169.254.0.0/16 (EC2, ECS, EKS) and fd00:ec2::/32.
    Metadata,
}

impl Near {
    /// What the host of `url` is; `None` if it may be anywhere.
    pub(super) fn of(url: &str) -> Option<Self> {
        let (_, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let host = authority.rsplit('@').next()?;
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next()?,
            None => host.split(':').next()?,
        };
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        if name == "localhost" || name.ends_with(".localhost") {
            return Some(Self::Loopback);
        }
        match name.parse().ok()? {
            IpAddr::V4(ip) if ip.is_loopback() => Some(Self::Loopback),
            IpAddr::V4(ip) if ip.is_link_local() => Some(Self::Metadata),
            IpAddr::V6(Ipv6Addr::LOCALHOST) => Some(Self::Loopback),
            IpAddr::V6(ip) if ip.segments()[..2] == [0xfd00, 0x0ec2] => Some(Self::Metadata),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_near_is_told_by_its_host_alone() {
        for (url, near) in [
            ("http://127.0.0.1:9000/bucket", Some(Near::Loopback)),
            ("https://LOCALHOST", Some(Near::Loopback)),
            ("http://minio.localhost.:9000", Some(Near::Loopback)),
            ("http://[::1]:9000/x", Some(Near::Loopback)),
            ("http://169.254.169.254/latest", Some(Near::Metadata)),
            ("http://169.254.170.2?x", Some(Near::Metadata)),
            ("http://[fd00:ec2::254]/latest", Some(Near::Metadata)),
            ("http://127.0.0.1@example.com/", None),
            ("http://127.0.0.1.example.com/", None),
            ("http://localhost.example.com/", None),
            ("http://10.0.0.1:9000", None),
            ("https://s3.eu-west-1.amazonaws.com/localhost", None),
            ("no url", None),
        ] {
            assert_eq!(Near::of(url), near, "{url}");
        }
    }
}
