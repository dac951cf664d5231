//! Leaves: minted for a host when first asked for, and kept.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pinfold_policy::host::Host;
use quick_cache::sync::Cache;
use rcgen::{Issuer, KeyPair};
use rustls::crypto::aws_lc_rs::sign::any_ecdsa_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SigningKey};

use crate::authority::Certified;
use crate::certificate::CaCertificate;
use crate::error::CaError;
use crate::issuer::Issuing;
use crate::key::PrivateKey;
use crate::profile;

/// Kept at one time. A client can ask for any number of names below a vendor's.
const KEPT: usize = 4096;

/// Mints leaves and keeps them.
///
/// All leaves of one mint share a key, which never touches a disk and is new at every start: a key of its own
/// per leaf would protect nothing, since all of them live in the same memory.
pub(crate) struct Mint {
    certificate: CaCertificate,
    signer: Issuer<'static, KeyPair>,
    key: PrivateKey,
    signing_key: Arc<dyn SigningKey>,
    lifetime: Duration,
    kept: Cache<Host, Arc<Leaf>>,
}

struct Leaf {
    certified: Arc<CertifiedKey>,
    from: SystemTime,
    renew: SystemTime,
}

impl Leaf {
    fn is_fresh(&self, now: SystemTime) -> bool {
        self.from <= now && now < self.renew
    }
}

impl Mint {
    pub(crate) fn new(issuing: Issuing, lifetime: Duration) -> Result<Self, CaError> {
        let Issuing { certificate, key: issuer_key, .. } = issuing;
        let signer = Issuer::from_ca_cert_der(&certificate.der, issuer_key.into_pair())
            .map_err(|cause| CaError::crypto("sign with the issuing CA", cause))?;
        let key = PrivateKey::generate()?;
        let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.pair().serialize_der()));
        let signing_key = any_ecdsa_type(&der).map_err(|cause| CaError::crypto("use a leaf's key", cause))?;
        Ok(Self { certificate, signer, key, signing_key, lifetime, kept: Cache::new(KEPT) })
    }

    /// The issuing CA.
    pub(crate) fn issuer(&self) -> &CaCertificate {
        &self.certificate
    }

    /// The leaf for `host`: one that is kept, or a new one, made once however many ask at the same time.
    pub(crate) fn leaf(&self, host: &Host, now: SystemTime) -> Result<Certified, CaError> {
        if let Some(leaf) = self.kept.get(host)
            && leaf.is_fresh(now)
        {
            return Ok(Certified { leaf: Arc::clone(&leaf.certified), is_new: false });
        }
        self.kept.remove_if(host, |leaf| !leaf.is_fresh(now));
        let mut is_new = false;
        let leaf = self.kept.get_or_insert_with(host, || {
            is_new = true;
            self.make(host, now).map(Arc::new)
        })?;
        Ok(Certified { leaf: Arc::clone(&leaf.certified), is_new })
    }

    fn make(&self, host: &Host, now: SystemTime) -> Result<Leaf, CaError> {
        if !self.certificate.scope.permits(host) {
            return Err(CaError::Outside { host: host.clone() });
        }
        if self.certificate.not_after <= now {
            return Err(CaError::IssuerExpired { end: self.certificate.not_after });
        }
        self.certificate.expect_started(now)?;
        let (params, validity) = profile::leaf(host, &self.certificate, now, self.lifetime)?;
        let leaf = params
            .signed_by(self.key.pair(), &self.signer)
            .map_err(|cause| CaError::crypto("sign a leaf", cause))?;
        let chain = vec![leaf.der().clone(), self.certificate.der.clone()];
        let left = validity.until.duration_since(now).unwrap_or_default();
        Ok(Leaf {
            certified: Arc::new(CertifiedKey::new(chain, Arc::clone(&self.signing_key))),
            from: validity.from,
            // A client may keep a connection, and a resumed session, for a while.
            renew: now.checked_add(left / 3 * 2).unwrap_or(now),
        })
    }
}
