//! A CA in a directory of its own, and what a thief of its issuing key would sign.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pinfold_certs::{CaError, CaOptions, CertificateAuthority, Opened};
use pinfold_policy::host::{Host, HostPattern};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use tempfile::TempDir;

pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A moment from which tests move their clock.
pub(crate) fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + DAY * 20_780
}

pub(crate) fn host(text: &str) -> Host {
    Host::parse(text).unwrap()
}

pub(crate) fn vendors(hosts: &[&str]) -> CaOptions {
    CaOptions {
        own_hosts: Vec::new(),
        vendor_hosts: hosts.iter().map(|host| HostPattern::parse(host).unwrap()).collect(),
        name_constraints: true,
        leaf_lifetime: DAY * 7,
        root_key: None,
    }
}

pub(crate) fn unconstrained() -> CaOptions {
    CaOptions { name_constraints: false, ..vendors(&[]) }
}

/// The folder that a CA is kept in, gone when dropped.
pub(crate) struct Folder {
    _root: TempDir,
    pub(crate) ca: PathBuf,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let ca = root.path().join("data/ca");
        Self { _root: root, ca }
    }

    pub(crate) fn open(&self, options: &CaOptions, now: SystemTime) -> Result<Opened, CaError> {
        CertificateAuthority::open(&self.ca, options, now)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.ca.join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.ca).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Signs whatever is asked for with the issuing key on disk.
    pub(crate) fn steal(&self, names: &[SanType], common_name: Option<&str>) -> Arc<CertifiedKey> {
        let issuer_key = KeyPair::from_pem(&self.read("issuer.key")).unwrap();
        let issuer = Issuer::from_ca_cert_pem(&self.read("issuer.pem"), issuer_key).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        if let Some(name) = common_name {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        params.subject_alt_names = names.to_vec();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.is_ca = rcgen::IsCa::ExplicitNoCa;
        params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
        params.not_before = (SystemTime::now() - DAY / 2).into();
        params.not_after = (SystemTime::now() + DAY).into();
        let key = KeyPair::generate().unwrap();
        let chain =
            vec![params.signed_by(&key, &issuer).unwrap().der().clone(), der(&self.read("issuer.pem"))];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&key).unwrap();
        Arc::new(CertifiedKey::new(chain, key))
    }
}

pub(crate) fn der(pem: &str) -> CertificateDer<'static> {
    use rustls::pki_types::pem::PemObject;
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

pub(crate) fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

pub(crate) fn write_key(path: &Path, pem: &str) {
    fs::write(path, pem).unwrap();
    set_mode(path, 0o600);
}
