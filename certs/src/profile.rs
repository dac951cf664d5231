//! What stands in each kind of certificate (RFC 5280 §4), in one place.
//!
//! All keys are ECDSA P-256. Serials are random. All start a day before they are made: clients' clocks differ.

use std::time::{Duration, SystemTime};

use pinfold_policy::host::Host;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, SanType,
};
use sha2::{Digest, Sha256};

use crate::certificate::{CaCertificate, hex};
use crate::constraints::Scope;
use crate::error::CaError;
use crate::key::{PrivateKey, random};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const ROOT_DAYS: u32 = 3652;
const ISSUER_DAYS: u32 = 365;

/// From when and until when a certificate is valid.
#[derive(Clone, Copy)]
pub(crate) struct Validity {
    pub(crate) from: SystemTime,
    pub(crate) until: SystemTime,
}

impl Validity {
    /// `lifetime` from now, but not beyond `signer`: some clients insist that validities nest.
    fn within(signer: &CaCertificate, now: SystemTime, lifetime: Duration) -> Self {
        let wanted = Self::starting(now, lifetime);
        Self { from: wanted.from.max(signer.not_before), until: wanted.until.min(signer.not_after) }
    }

    fn starting(now: SystemTime, lifetime: Duration) -> Self {
        Self { from: now.checked_sub(DAY).unwrap_or(now), until: now.checked_add(lifetime).unwrap_or(now) }
    }
}

/// The root: self-signed, ten years, unconstrained because Java ignores constraints on a trust anchor.
pub(crate) fn root(key: &PrivateKey, now: SystemTime) -> Result<CertificateParams, CaError> {
    let mut params = ca(key, "pinfold root", Validity::starting(now, DAY * ROOT_DAYS))?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(params)
}

/// The issuing CA: a year, TLS servers within `scope` only, no CA below it.
pub(crate) fn issuer(
    key: &PrivateKey,
    root: &CaCertificate,
    scope: &Scope,
    now: SystemTime,
) -> Result<CertificateParams, CaError> {
    let mut params = ca(key, "pinfold issuing CA", Validity::within(root, now, DAY * ISSUER_DAYS))?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.name_constraints = scope.extension();
    Ok(params)
}

/// A leaf: one name, and that in the SAN. The subject is empty, which makes the SAN critical: a CN would be a
/// second place for a name, and holds 64 characters at most.
pub(crate) fn leaf(
    host: &Host,
    issuer: &CaCertificate,
    now: SystemTime,
    lifetime: Duration,
) -> Result<(CertificateParams, Validity), CaError> {
    server(std::slice::from_ref(host), issuer, now, lifetime)
}

/// A leaf for a server of these names. Its key signs handshakes, and no certificate.
pub(crate) fn server(
    hosts: &[Host],
    issuer: &CaCertificate,
    now: SystemTime,
    lifetime: Duration,
) -> Result<(CertificateParams, Validity), CaError> {
    let validity = Validity::within(issuer, now, lifetime);
    let mut params = blank(validity)?;
    params.subject_alt_names = hosts.iter().map(san).collect::<Result<_, _>>()?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok((params, validity))
}

fn san(host: &Host) -> Result<SanType, CaError> {
    let unsignable = || CaError::Unsignable { host: host.clone() };
    let name = match host {
        Host::Ip(ip) => return Ok(SanType::IpAddress(*ip)),
        Host::Name(name) => name,
    };
    // A URL may hold more than DNS names do. "*.vendor.example" would be a wildcard to clients.
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Err(unsignable());
    }
    name.to_string().try_into().map(SanType::DnsName).map_err(|_| unsignable())
}

/// Part of the key's hash makes the subject unlike that of any other installation: two roots of one name in one
/// trust store would have clients try the wrong one.
fn ca(key: &PrivateKey, name: &str, validity: Validity) -> Result<CertificateParams, CaError> {
    let mark = hex(&Sha256::digest(key.public())).chars().take(8).collect::<String>();
    let mut params = blank(validity)?;
    params.distinguished_name.push(DnType::OrganizationName, "pinfold");
    params.distinguished_name.push(DnType::CommonName, format!("{name} {mark}"));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn blank(validity: Validity) -> Result<CertificateParams, CaError> {
    let mut serial = random::<16>()?;
    if let Some(first) = serial.first_mut() {
        // Positive, and of the same length always.
        *first = *first & 0x7f | 0x40;
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.serial_number = Some(serial.to_vec().into());
    params.not_before = validity.from.into();
    params.not_after = validity.until.into();
    Ok(params)
}
