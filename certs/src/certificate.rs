//! CA certificates as they stand on disk, and what of them matters to us.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::time::ASN1Time;

use crate::constraints::Scope;
use crate::directory::{self, PUBLIC};
use crate::error::CaError;
use crate::key::{MAX_PEM, PrivateKey};

/// A CA certificate with the file it is kept in.
pub(crate) struct CaCertificate {
    pub(crate) path: PathBuf,
    pub(crate) pem: String,
    pub(crate) der: CertificateDer<'static>,
    pub(crate) not_before: SystemTime,
    pub(crate) not_after: SystemTime,
    pub(crate) scope: Scope,
    public_key: Vec<u8>,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    key_id: Option<Vec<u8>>,
    signer_key_id: Option<Vec<u8>>,
}

impl CaCertificate {
    /// Reads a certificate file; nothing if there is none.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, CaError> {
        let mut pem = String::new();
        match File::open(path).and_then(|file| file.take(MAX_PEM).read_to_string(&mut pem)) {
            Ok(_) => Self::parse(path, pem).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(CaError::io("read", path)(error)),
        }
    }

    /// Takes a certificate that was just made, and stores it.
    pub(crate) fn store(path: &Path, made: &rcgen::Certificate) -> Result<Self, CaError> {
        let certificate = Self::parse(path, made.pem())?;
        directory::replace(path, certificate.pem.as_bytes(), PUBLIC)?;
        Ok(certificate)
    }

    fn parse(path: &Path, pem: String) -> Result<Self, CaError> {
        let bad = |cause| CaError::BadCertificate { path: path.into(), cause };
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| bad("no PEM section in it"))?;
        let (_, x509) = x509_parser::parse_x509_certificate(&der).map_err(|_| bad("not X.509"))?;
        if !x509.is_ca() {
            return Err(bad("it may not sign certificates"));
        }
        let constraints = x509.name_constraints().map_err(|_| bad("name constraints occur twice"))?;
        let (key_id, signer_key_id) = key_ids(&x509);
        Ok(Self {
            path: path.into(),
            not_before: time(x509.validity().not_before).ok_or_else(|| bad("no valid notBefore"))?,
            not_after: time(x509.validity().not_after).ok_or_else(|| bad("no valid notAfter"))?,
            scope: Scope::read(constraints.map(|extension| extension.value)),
            public_key: x509.public_key().raw.to_vec(),
            subject: x509.subject().as_raw().to_vec(),
            issuer: x509.issuer().as_raw().to_vec(),
            key_id,
            signer_key_id,
            pem,
            der: der.clone(),
        })
    }

    /// Refuses a key that is not this certificate's.
    pub(crate) fn expect_key(&self, key: &PrivateKey, kept_in: &Path) -> Result<(), CaError> {
        if key.public() == self.public_key {
            return Ok(());
        }
        Err(CaError::KeyMismatch { key: kept_in.into(), certificate: self.path.clone() })
    }

    /// Refuses a certificate from the future.
    pub(crate) fn expect_started(&self, now: SystemTime) -> Result<(), CaError> {
        if now < self.not_before {
            return Err(CaError::NotYetValid { path: self.path.clone(), start: self.not_before });
        }
        Ok(())
    }

    /// Whether it names `root` as its signer. Whoever can write these files has the keys, so the signature
    /// itself is left to the clients: this is about directories that were mixed up.
    pub(crate) fn names_signer(&self, root: &Self) -> bool {
        self.issuer == root.subject && self.signer_key_id.is_some() && self.signer_key_id == root.key_id
    }

    /// Whether it signed this one, as far as that one says so itself.
    pub(crate) fn is_signer_of(&self, x509: &X509Certificate<'_>) -> bool {
        let (_, signer_key_id) = key_ids(x509);
        x509.issuer().as_raw() == self.subject && signer_key_id.is_some() && signer_key_id == self.key_id
    }

    /// Lower-case hex of the SHA-256 of the certificate.
    pub(crate) fn fingerprint(&self) -> String {
        hex(&Sha256::digest(&self.der))
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The subject and the authority key identifier.
fn key_ids(x509: &X509Certificate<'_>) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let (mut own, mut signer) = (None, None);
    for extension in x509.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => own = Some(id.0.to_vec()),
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                signer = id.key_identifier.as_ref().map(|id| id.0.to_vec());
            }
            _ => {}
        }
    }
    (own, signer)
}

/// As the rest of the program counts time; none before 1970.
pub(crate) fn time(time: ASN1Time) -> Option<SystemTime> {
    let seconds = u64::try_from(time.timestamp()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}
