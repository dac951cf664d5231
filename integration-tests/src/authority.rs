//! The origins' own certificate authority, made in memory once per test process.

use std::sync::{Arc, OnceLock};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// How an origin shows who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A valid leaf for its host, under [`origin_root_pem`].
    Valid,
    /// The right name, signed by nobody but itself.
    SelfSigned,
    /// The right name and issuer, out of date since 2021.
    Expired,
    /// The right issuer, another host's name.
    WrongName,
}

/// The root that origins' certificates come from, in PEM: what goes into `upstream_tls.extra_roots`.
#[must_use]
pub fn origin_root_pem() -> String {
    root().pem()
}

/// An explicit provider: process-wide defaults panic where two crates bring two.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// A certificate for `host`, shown as `identity` says, and its key.
pub(crate) fn leaf(host: &str, identity: Identity) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let name = match identity {
        Identity::Valid | Identity::SelfSigned | Identity::Expired => host.to_owned(),
        Identity::WrongName => format!("not-{host}"),
    };
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.clone()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    if identity == Identity::Expired {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    }
    let certificate = match identity {
        Identity::SelfSigned => params.self_signed(&key).unwrap(),
        Identity::Valid | Identity::Expired | Identity::WrongName => params.signed_by(&key, root()).unwrap(),
    };
    (vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())))
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
