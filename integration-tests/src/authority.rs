//! The origins' own certificate authority, made in memory once per test process.

use std::sync::{Arc, OnceLock};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

/// How an origin shows who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A valid leaf for its host, under [`origin_root_pem`].
    Valid,
    /// A valid leaf for its host, by an intermediate issuer that it shows.
    ByAnotherIssuer,
    /// The same, by an issuer whose name is markup.
    ByAnIssuerOfMarkup,
    /// The right name, signed by nobody but itself.
    SelfSigned,
    /// The right name and issuer, out of date since 2021.
    Expired,
    /// The right name and issuer, not valid before 2100.
    NotYetValid,
    /// The right issuer, another host's name.
    WrongName,
    /// The right issuer, and the name only where it stood before there was `subjectAltName` (RFC 6125 §6.4.4).
    CommonNameOnly,
    /// The right name, by an intermediate issuer that it does not show.
    MissingIntermediate,
    /// The right name, issued with a certificate that may issue none: `CA:FALSE`.
    IssuedByALeaf,
}

/// The root that origins' certificates come from, in PEM: what goes into `upstream_tls.extra_roots`.
#[must_use]
pub fn origin_root_pem() -> String {
    root().pem()
}

/// The key of that root, in PEM, for certificates that only OpenSSL still makes.
#[must_use]
pub fn origin_root_key_pem() -> String {
    root().key().serialize_pem()
}

/// An origin that is each of these hosts, and takes up any session that it has given out.
#[must_use]
pub fn origin_of(hosts: &[&str]) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let names: Vec<_> = hosts.iter().map(ToString::to_string).collect();
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, root()).unwrap();
    acceptor(vec![certificate.der().clone()], private(&key), &["http/1.1"])
}

/// A TLS server with this certificate, offering these protocols.
pub(crate) fn acceptor(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    protocols: &[&str],
) -> TlsAcceptor {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// An explicit provider: process-wide defaults panic where two crates bring two.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// A certificate for `host`, shown as `identity` says, and its key.
pub(crate) fn leaf(host: &str, identity: Identity) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let key = KeyPair::generate().unwrap();
    let mut params = named(host, identity);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    let (certificate, issuer) = match identity {
        Identity::SelfSigned => (params.self_signed(&key).unwrap(), None),
        Identity::MissingIntermediate => (
            params.signed_by(&key, &intermediate(NAME, IsCa::Ca(BasicConstraints::Unconstrained))).unwrap(),
            None,
        ),
        Identity::ByAnotherIssuer | Identity::ByAnIssuerOfMarkup => {
            let name = if identity == Identity::ByAnIssuerOfMarkup { MARKUP } else { NAME };
            let issuer = intermediate(name, IsCa::Ca(BasicConstraints::Unconstrained));
            (params.signed_by(&key, &issuer).unwrap(), Some(issuer.der().clone()))
        }
        Identity::IssuedByALeaf => {
            let issuer = intermediate(NAME, IsCa::ExplicitNoCa);
            (params.signed_by(&key, &issuer).unwrap(), Some(issuer.der().clone()))
        }
        Identity::Valid
        | Identity::Expired
        | Identity::NotYetValid
        | Identity::WrongName
        | Identity::CommonNameOnly => (params.signed_by(&key, root()).unwrap(), None),
    };
    (std::iter::once(certificate.der().clone()).chain(issuer).collect(), private(&key))
}

/// The names and the days that a certificate shows.
fn named(host: &str, identity: Identity) -> CertificateParams {
    let (name, first, last) = match identity {
        Identity::WrongName => (format!("not-{host}"), 1975, 4096),
        Identity::Expired => (host.to_owned(), 2020, 2021),
        Identity::NotYetValid => (host.to_owned(), 2100, 2101),
        Identity::Valid
        | Identity::ByAnotherIssuer
        | Identity::ByAnIssuerOfMarkup
        | Identity::SelfSigned
        | Identity::CommonNameOnly
        | Identity::MissingIntermediate
        | Identity::IssuedByALeaf => (host.to_owned(), 1975, 4096),
    };
    let alternative = if identity == Identity::CommonNameOnly { vec![] } else { vec![name.clone()] };
    let mut params = CertificateParams::new(alternative).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = rcgen::date_time_ymd(first, 1, 1);
    params.not_after = rcgen::date_time_ymd(last, 1, 1);
    params
}

const NAME: &str = "The vendors' test intermediate";
const MARKUP: &str = "CA\"><script>window.planted=1</script><img src=x onerror=window.planted=1>";

/// An issuer below the root.
fn intermediate(name: &str, is_ca: IsCa) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = is_ca;
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), root()).unwrap()
}

/// Trusts that root alone.
pub(crate) fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(root().der().clone()).unwrap();
    roots
}

/// A certificate for a client and its key, in PEM.
#[must_use]
pub fn client_identity() -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = named("gateway.test", Identity::Valid);
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    (params.signed_by(&key, root()).unwrap().pem(), key.serialize_pem())
}

/// A valid certificate for a server at this name and its key, in PEM.
#[must_use]
pub fn server_identity(host: &str) -> (String, String) {
    server_identity_that_is(host, Identity::Valid)
}

/// The same, in one of the ways in which that can be wrong whose issuer is the root.
#[must_use]
pub fn server_identity_that_is(host: &str, identity: Identity) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = named(host, identity);
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    (params.signed_by(&key, root()).unwrap().pem(), key.serialize_pem())
}

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()))
}

fn root() -> &'static CertifiedIssuer<'static, KeyPair> {
    static ROOT: OnceLock<CertifiedIssuer<'static, KeyPair>> = OnceLock::new();
    ROOT.get_or_init(|| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "The vendors' test root");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    })
}
