//! TLS to vendors: the platform's roots and the configured ones, and what is kept of each handshake.

use std::net::SocketAddr;
use std::sync::Arc;

use pinfold_policy::digest::Digests;
use pinfold_policy::host::Host;
use pinfold_store::entry::DeliveryPath;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, DnsName, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use rustls_platform_verifier::Verifier;

/// The client configuration for vendors. ALPN is left to the connector.
pub(crate) fn client_config(
    provider: &Arc<CryptoProvider>,
    extra_roots: &[CertificateDer<'static>],
) -> Result<ClientConfig, rustls::Error> {
    let verifier = verifier(provider, extra_roots)?;
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(provider)).with_safe_default_protocol_versions()?;
    // "dangerous" is the builder's word for naming a verifier at all: both of ours verify in full.
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// The platform's verifier. It fails on a machine without any roots: then only the configured ones count.
fn verifier(
    provider: &Arc<CryptoProvider>,
    extra_roots: &[CertificateDer<'static>],
) -> Result<Arc<dyn ServerCertVerifier>, rustls::Error> {
    match Verifier::new_with_extra_roots(extra_roots.iter().cloned(), Arc::clone(provider)) {
        Ok(verifier) => Ok(Arc::new(verifier)),
        Err(error) if extra_roots.is_empty() => {
            tracing::error!(%error, "no trusted roots on this machine: every vendor will be refused; install ca-certificates");
            Err(error)
        }
        Err(error) => {
            tracing::warn!(%error, "no trusted roots on this machine: only 'upstream_tls.extra_roots' count");
            let mut roots = RootCertStore::empty();
            for root in extra_roots {
                roots.add(root.clone())?;
            }
            let built =
                WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(provider)).build();
            built
                .map(|verifier| verifier as Arc<dyn ServerCertVerifier>)
                .map_err(|error| rustls::Error::General(error.to_string()))
        }
    }
}

/// The name that a vendor's certificate must carry.
pub(crate) fn server_name(host: &Host) -> Option<ServerName<'static>> {
    match host {
        Host::Name(name) => DnsName::try_from(name.to_string()).ok().map(ServerName::DnsName),
        Host::Ip(ip) => Some(ServerName::IpAddress((*ip).into())),
    }
}

/// What is kept of a connection: where it led, and who the other side said it was.
pub(crate) fn delivery_path(address: SocketAddr, tls: Option<&ClientConnection>) -> DeliveryPath {
    let certificate = tls.and_then(|tls| tls.peer_certificates()).and_then(<[_]>::first);
    let is_h2 = tls.and_then(|tls| tls.alpn_protocol()) == Some(b"h2");
    DeliveryPath {
        address,
        tls_version: tls.and_then(|tls| tls.protocol_version()).map(crate::intercept::version_name),
        cipher: tls
            .and_then(|tls| tls.negotiated_cipher_suite())
            .and_then(|suite| suite.suite().as_str())
            .map(crate::intercept::iana_cipher),
        issuer: certificate.and_then(|der| issuer(der)),
        fingerprint: certificate.map(|der| Digests::of(der).sha256.to_hex().into()),
        http_version: if is_h2 { "2" } else { "1.1" }.into(),
    }
}

fn issuer(der: &[u8]) -> Option<Arc<str>> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    Some(certificate.issuer().to_string().into())
}
