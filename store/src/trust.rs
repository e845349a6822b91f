//! Whom to trust where the operator's own CA signed the store's certificate: AWS_CA_BUNDLE or the profile's
//! `ca_bundle`, which the SDK does not read by itself. As for other AWS tools, what it names takes the place of the
//! system's CAs.

use super::OpenError;
use aws_smithy_http_client::tls::{TlsContext, TrustStore};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::path::Path;

/// Largest bundle that is read: some thousand CAs.
const BUNDLE_MAX: u64 = 16 * 1024 * 1024;

/// To trust the certificates in the PEM file at `path` and nobody else.
pub(super) fn bundle(path: &str) -> Result<TlsContext, OpenError> {
    let fault = |why: String| OpenError::CaBundle {
        path: path.to_owned(),
        why,
    };
    let bundle = std::fs::canonicalize(Path::new(path))
        .and_then(|file| host::disk::read_bounded(&file, BUNDLE_MAX))
        .map_err(|error| fault(error.to_string()))?;
    let trusted = trust_store(&bundle).map_err(fault)?;
    let context = TlsContext::builder().with_trust_store(trusted).build();
    context.map_err(|error| fault(error.to_string()))
}

/// The certificates of a bundle. One that no TLS library takes for a CA is left out, as of the system's: bundles of
/// many have such ones. The SDK would panic at them.
fn trust_store(bundle: &[u8]) -> Result<TrustStore, String> {
    let mut trusted = TrustStore::empty();
    let mut count: u64 = 0;
    for certificate in CertificateDer::pem_slice_iter(bundle) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        if RootCertStore::empty().add(certificate.clone()).is_ok() {
            trusted.add_pem_certificate(pem(&certificate));
            count += 1;
        }
    }
    if count == 0 {
        return Err("no certificate of a CA in it".into());
    }
    Ok(trusted)
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_that_is_none_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let cut = "-----BEGIN CERTIFICATE-----\nAAAA\n";
        for (name, bytes) in [
            ("empty", ""),
            ("text", "no PEM"),
            ("none", garbage),
            ("cut", cut),
        ] {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let error = bundle(path.to_str().unwrap()).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
        let error = bundle("/nonexistent/ca.pem").unwrap_err().to_string();
        assert!(
            error.contains("AWS_CA_BUNDLE") && error.contains("/nonexistent/ca.pem"),
            "{error}"
        );
    }
}
