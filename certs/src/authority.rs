//! The authority as the gateway sees it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pinfold_policy::host::{Host, HostPattern};
use rustls::sign::CertifiedKey;

use crate::certificate::CaCertificate;
use crate::constraints::{Permitted, Scope};
use crate::directory::Directory;
use crate::error::CaError;
use crate::issuer::{Duties, Issuing};
use crate::leaf::Mint;
use crate::root::Root;

const SHORTEST_LEAF: Duration = Duration::from_secs(60);

/// What the issuing CA is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaOptions {
    /// Whom it may sign for, if `name_constraints` is on.
    pub vendor_hosts: Vec<HostPattern>,
    /// Hosts of our own that a new one may sign for too. One that may not is no reason to do without it.
    pub own_hosts: Vec<HostPattern>,
    /// Whether it may sign for vendor hosts only. Off, a thief of its key can impersonate every host.
    pub name_constraints: bool,
    /// How long a leaf is valid, at least a minute. A leaf is replaced after two thirds of it, and never outlives the issuing CA.
    pub leaf_lifetime: Duration,
    /// Where the root's key is, if not in the CA's directory. Nothing there is no error until it is needed.
    pub root_key: Option<PathBuf>,
}

/// The root's certificate, and the issuing CA with its key. The root's key is not kept in memory.
pub struct CertificateAuthority {
    root: CaCertificate,
    mint: Mint,
}

/// An authority, and what had to be made for it.
#[derive(Debug)]
pub struct Opened {
    /// The authority.
    pub ca: CertificateAuthority,
    /// The root is new: no client trusts it yet.
    pub made_root: bool,
    /// The issuing CA is new.
    pub made_issuer: bool,
}

/// What to answer for a host with.
#[derive(Clone, Debug)]
pub struct Certified {
    /// The certificate chain and key.
    pub leaf: Arc<CertifiedKey>,
    /// It was signed for this call, and not kept from another one.
    pub is_new: bool,
}

impl CertificateAuthority {
    /// Opens the authority kept in `dir`, making what is missing.
    ///
    /// A new issuing CA is made when there is none that will do: expired, signed by another root, or not permitted
    /// to sign for a vendor host. With the root's key at hand one is also made in the last third of the present
    /// one's life, and when the present one permits more than the vendor hosts.
    ///
    /// Files are whole or not there, an existing root key is never overwritten, and of two processes that open
    /// the same directory the second one waits for the first.
    ///
    /// # Errors
    /// [`CaError`], with everything on disk as it was or finished by the next call.
    pub fn open(dir: &Path, options: &CaOptions, now: SystemTime) -> Result<Opened, CaError> {
        if options.leaf_lifetime < SHORTEST_LEAF {
            return Err(CaError::LeafLifetime { lifetime: options.leaf_lifetime });
        }
        let scope = if options.name_constraints {
            let hosts = [options.vendor_hosts.as_slice(), &options.own_hosts].concat();
            Scope::Only(Permitted::vendors(&hosts))
        } else {
            Scope::Anything
        };
        let duties = Duties { hosts: &options.vendor_hosts, scope };
        let directory = Directory::open(dir)?;
        let root = Root::open(&directory, options.root_key.as_deref(), now)?;
        let issuing = Issuing::open(&directory, &root, &duties, now)?;
        let (made_root, made_issuer) = (root.made, issuing.made);
        let mint = Mint::new(issuing, options.leaf_lifetime)?;
        Ok(Opened { ca: Self { root: root.certificate, mint }, made_root, made_issuer })
    }

    /// The root's certificate in PEM: what clients are to trust.
    #[must_use]
    pub fn root_pem(&self) -> &str {
        &self.root.pem
    }

    /// The file that [`root_pem`](Self::root_pem) is from.
    #[must_use]
    pub fn root_path(&self) -> &Path {
        &self.root.path
    }

    /// The SHA-256 of the root's certificate (DER), in lower-case hex: what people compare before they trust it.
    #[must_use]
    pub fn root_fingerprint_sha256(&self) -> String {
        self.root.fingerprint()
    }

    /// The same of the issuing CA's.
    #[must_use]
    pub fn issuer_fingerprint_sha256(&self) -> String {
        self.mint.issuer().fingerprint()
    }

    /// When the root and the issuing CA end, in this order.
    #[must_use]
    pub fn ends(&self) -> [SystemTime; 2] {
        [self.root.not_after, self.mint.issuer().not_after]
    }

    /// The certificate chain and key with which to answer for `host`: a leaf with this one name as its only SAN,
    /// and the issuing CA. Kept leaves cost a look-up; a new one costs one signature, with no I/O.
    ///
    /// # Errors
    /// [`CaError::Outside`] where the issuing CA may not sign for `host`, [`CaError::Unsignable`] where no
    /// certificate should name it, [`CaError::IssuerExpired`] when it is too late.
    pub fn leaf(&self, host: &Host, now: SystemTime) -> Result<Arc<CertifiedKey>, CaError> {
        Ok(self.certify(host, now)?.leaf)
    }

    /// The same, for whoever keeps account of what is signed.
    ///
    /// # Errors
    /// As of [`leaf`](Self::leaf).
    pub fn certify(&self, host: &Host, now: SystemTime) -> Result<Certified, CaError> {
        self.mint.leaf(host, now)
    }
}

impl fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateAuthority").field("root", &self.root.path).finish_non_exhaustive()
    }
}
