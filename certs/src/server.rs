//! What the gateway's own console shows who it is with: a chain that somebody gave, or a leaf of the local root.
//!
//! The issuing CA does not sign it: that one may sign for vendor hosts only, and stays so. The root signs the leaf itself, which
//! then outlives the presence of the root's key, and so has a key on disk. That key signs handshakes under the console's
//! names, and no certificate.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pinfold_policy::host::Host;
use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use thiserror::Error;
use x509_parser::certificate::X509Certificate;

use crate::certificate::{CaCertificate, time};
use crate::directory::{self, Directory, PRIVATE};
use crate::error::{CaError, LeafUnfit};
use crate::key::{PrivateKey, read_private};
use crate::profile;
use crate::root::Root;

/// How long a leaf of the local root lasts. It is made anew in the last third, where the root's key is at hand.
const LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// A longer file holds no chain.
const LONGEST_CHAIN: u64 = 1024 * 1024;

/// A certificate chain and its key.
#[derive(Clone, Debug)]
pub struct ServerIdentity {
    /// What a TLS listener shows.
    pub certified: Arc<CertifiedKey>,
    /// From when on it counts.
    pub from: SystemTime,
    /// Until when: the first end in its chain.
    pub until: SystemTime,
}

/// Why a chain and key that somebody gave are of no use. The text names place and cause.
#[derive(Debug, Error)]
pub enum GivenError {
    /// The chain cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The chain's file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The chain is none.
    #[error("{}: no certificate chain: {cause}", path.display())]
    Chain {
        /// The chain's file.
        path: PathBuf,
        /// What is wrong.
        cause: &'static str,
    },
    /// The key is none. The cause is left out: parsers quote what they read.
    #[error("{}: no private key in PEM that TLS could use", path.display())]
    Key {
        /// The key's file.
        path: PathBuf,
    },
    /// They do not belong together.
    #[error("{}: this private key is not the one of the first certificate in {}", key.display(), chain.display())]
    NotThePair {
        /// The key's file.
        key: PathBuf,
        /// The chain's file.
        chain: PathBuf,
    },
}

/// Why what is kept for the console would not do.
#[derive(Debug, Error)]
pub enum KeptError {
    /// It cannot be read.
    #[error(transparent)]
    Unread(#[from] CaError),
    /// It is of no use.
    #[error("{0}")]
    Unfit(LeafUnfit),
}

impl ServerIdentity {
    /// Reads a chain (PEM, the server's own certificate first), for the key that was read from a file.
    ///
    /// # Errors
    /// [`GivenError`], unless both can be used and belong together. That they have expired is none: see
    /// [`until`](Self::until).
    pub fn given(chain: &Path, (key, pem): (&Path, &[u8])) -> Result<Self, GivenError> {
        let bad = |cause| GivenError::Chain { path: chain.into(), cause };
        let mut contents = Vec::new();
        let read = File::open(chain).and_then(|file| file.take(LONGEST_CHAIN).read_to_end(&mut contents));
        read.map_err(|source| GivenError::Read { path: chain.into(), source })?;
        let certificates = CertificateDer::pem_slice_iter(&contents).collect::<Result<Vec<_>, _>>();
        let certificates = certificates.map_err(|_| bad("it is not PEM"))?;
        let key_der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| GivenError::Key { path: key.into() })?;
        let parsed = Self::of(certificates, key_der);
        parsed.map_err(|unusable| match unusable {
            Unusable::Chain(cause) => bad(cause),
            Unusable::Key => GivenError::Key { path: key.into() },
            Unusable::NotThePair => GivenError::NotThePair { key: key.into(), chain: chain.into() },
        })
    }

    /// The leaf of the local root for these names, as it is kept in the CA's directory or made anew: where it is missing, ends
    /// soon, or lacks a name. With the root's key elsewhere, one that ends is kept as long as it is there.
    ///
    /// # Errors
    /// [`CaError`]; [`CaError::NoConsoleLeaf`] where a new one is needed and the root's key is not at hand.
    pub fn of_console(
        dir: &Path,
        root_key: Option<&Path>,
        names: &[Host],
        now: SystemTime,
    ) -> Result<Self, CaError> {
        let directory = Directory::open(dir)?;
        let root = Root::open(&directory, root_key, now)?;
        let path = directory.file("console.key");
        match (kept(&path, &root.certificate, names)?, &root.key) {
            (Kept::Fit(identity), None) => Ok(identity),
            (Kept::Fit(identity), Some(_)) if !identity.is_ageing(now) => Ok(identity),
            (Kept::Fit(_) | Kept::Unfit(_), Some(key)) => make(&path, &root, key, names, now),
            (Kept::Unfit(why), None) => Err(CaError::NoConsoleLeaf { key: root.key_path, why }),
        }
    }

    /// What of the local root is kept for the console, for a look that changes nothing: none where nothing is kept yet.
    ///
    /// # Errors
    /// Why it would not do at a start: then a new one is made, where the root's key is at hand.
    pub fn kept_for_console(dir: &Path, names: &[Host]) -> Result<Option<Self>, KeptError> {
        let path = dir.join("console.key");
        if !path.exists() {
            return Ok(None);
        }
        let Some(root) = CaCertificate::read(&dir.join("root.pem"))? else { return Ok(None) };
        match kept(&path, &root, names)? {
            Kept::Fit(identity) => Ok(Some(identity)),
            Kept::Unfit(why) => Err(KeptError::Unfit(why)),
        }
    }

    /// Whether a client that wants `host` would take it.
    #[must_use]
    pub fn is_for(&self, host: &Host) -> bool {
        let name = match host {
            Host::Ip(ip) => ServerName::from(*ip),
            Host::Name(name) => match ServerName::try_from(name.to_string()) {
                Ok(name) => name,
                Err(_) => return false,
            },
        };
        let leaf = self.certified.cert.first().and_then(|leaf| ParsedCertificate::try_from(leaf).ok());
        leaf.is_some_and(|leaf| verify_server_name(&leaf, &name).is_ok())
    }

    /// Whether the last third of its life has begun, or it has not.
    fn is_ageing(&self, now: SystemTime) -> bool {
        let life = self.until.duration_since(self.from).unwrap_or_default();
        let left = self.until.duration_since(now).unwrap_or_default();
        now < self.from || left < life / 3
    }

    fn of(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, Unusable> {
        let provider = aws_lc_rs::default_provider();
        let key = provider.key_provider.load_private_key(key).map_err(|_| Unusable::Key)?;
        let Some(leaf) = chain.first() else {
            return Err(Unusable::Chain("there is no certificate (PEM) in it"));
        };
        ParsedCertificate::try_from(leaf)
            .map_err(|_| Unusable::Chain("the first certificate in it is of no use to a server"))?;
        let (mut from, mut until) = (SystemTime::UNIX_EPOCH, None::<SystemTime>);
        for certificate in &chain {
            let unreadable = || Unusable::Chain("a certificate in it is not X.509");
            let (_, x509) = x509_parser::parse_x509_certificate(certificate).map_err(|_| unreadable())?;
            let start = time(x509.validity().not_before).ok_or_else(unreadable)?;
            let end = time(x509.validity().not_after).ok_or_else(unreadable)?;
            (from, until) = (from.max(start), Some(until.map_or(end, |until| until.min(end))));
        }
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match().map_err(|_| Unusable::NotThePair)?;
        let until = until.unwrap_or(SystemTime::UNIX_EPOCH);
        Ok(Self { certified: Arc::new(certified), from, until })
    }
}

/// What is wrong, before its place is known.
enum Unusable {
    Chain(&'static str),
    Key,
    NotThePair,
}

enum Kept {
    Fit(ServerIdentity),
    Unfit(LeafUnfit),
}

/// What is on disk: key and certificate in one file, so that never one is there without its other.
fn kept(path: &Path, root: &CaCertificate, names: &[Host]) -> Result<Kept, CaError> {
    let Some(pem) = read_private(path)? else { return Ok(Kept::Unfit(LeafUnfit::Missing)) };
    let (Ok(key), Ok(leaf)) =
        (PrivateKeyDer::from_pem_slice(pem.as_bytes()), CertificateDer::from_pem_slice(pem.as_bytes()))
    else {
        return Ok(Kept::Unfit(LeafUnfit::Broken));
    };
    let is_of_root = x509_parser::parse_x509_certificate(&leaf)
        .is_ok_and(|(_, x509): (_, X509Certificate<'_>)| root.is_signer_of(&x509));
    let Ok(identity) = ServerIdentity::of(vec![leaf.clone()], key) else {
        return Ok(Kept::Unfit(LeafUnfit::Broken));
    };
    if !is_of_root {
        return Ok(Kept::Unfit(LeafUnfit::OtherRoot));
    }
    let lacking: Vec<_> = names.iter().filter(|name| !identity.is_for(name)).cloned().collect();
    Ok(if lacking.is_empty() { Kept::Fit(identity) } else { Kept::Unfit(LeafUnfit::NotFor(lacking)) })
}

fn make(
    path: &Path,
    root: &Root,
    root_key: &PrivateKey,
    names: &[Host],
    now: SystemTime,
) -> Result<ServerIdentity, CaError> {
    let signer = rcgen::Issuer::from_ca_cert_der(&root.certificate.der, root_key.pair())
        .map_err(|cause| CaError::crypto("sign with the root", cause))?;
    let key = PrivateKey::generate()?;
    let (params, _) = profile::server(names, &root.certificate, now, LIFETIME)?;
    let leaf = params
        .signed_by(key.pair(), &signer)
        .map_err(|cause| CaError::crypto("sign the console's certificate", cause))?;
    directory::replace(path, format!("{}{}", key.to_pem(), leaf.pem()).as_bytes(), PRIVATE)?;
    match kept(path, &root.certificate, names)? {
        Kept::Fit(identity) => Ok(identity),
        Kept::Unfit(why) => Err(CaError::crypto("use the console's certificate", why)),
    }
}
