//! The issuing CA: signs leaves, for vendor hosts only.

use std::time::SystemTime;

use pinfold_policy::host::HostPattern;

use crate::certificate::CaCertificate;
use crate::constraints::Scope;
use crate::directory::{self, Directory};
use crate::error::{CaError, Unfit};
use crate::key::PrivateKey;
use crate::profile;
use crate::root::Root;

/// What an issuing CA has to be able to do.
pub(crate) struct Duties<'a> {
    pub(crate) hosts: &'a [HostPattern],
    pub(crate) scope: Scope,
}

/// An issuing CA's certificate and key.
pub(crate) struct Issuing {
    pub(crate) certificate: CaCertificate,
    pub(crate) key: PrivateKey,
    pub(crate) made: bool,
}

/// How far the issuing CA on disk will do.
enum Standing {
    Fit(Issuing),
    /// It works, but a new one would permit less or last longer.
    Improvable(Issuing),
    Unfit(Unfit),
}

impl Issuing {
    /// Reads the issuing CA, or makes a new one where the present one will not do, and also where a better one
    /// can be had because the root's key is at hand.
    pub(crate) fn open(
        directory: &Directory,
        root: &Root,
        duties: &Duties<'_>,
        now: SystemTime,
    ) -> Result<Self, CaError> {
        settle(directory)?;
        let issuing = match (standing(read(directory)?, root, duties, now), &root.key) {
            (Standing::Unfit(_) | Standing::Improvable(_), Some(key)) => {
                return make(directory, &root.certificate, key, duties, now);
            }
            (Standing::Unfit(why), None) => {
                return Err(CaError::RootKeyMissing { key: root.key_path.clone(), why });
            }
            (Standing::Improvable(issuing), None) | (Standing::Fit(issuing), _) => issuing,
        };
        issuing.certificate.expect_started(now)?;
        Ok(issuing)
    }
}

fn read(directory: &Directory) -> Result<Option<Issuing>, CaError> {
    let path = directory.file("issuer.key");
    let (Some(certificate), Some(key)) =
        (CaCertificate::read(&directory.file("issuer.pem"))?, PrivateKey::read(&path)?)
    else {
        return Ok(None);
    };
    certificate.expect_key(&key, &path)?;
    Ok(Some(Issuing { certificate, key, made: false }))
}

/// Makes an issuing CA with a key of its own: one that stays the same would keep the old constraints in force.
///
/// The key waits under another name until its certificate is in place, so that at no moment the only key on disk
/// is one that does not belong to the certificate.
fn make(
    directory: &Directory,
    root: &CaCertificate,
    root_key: &PrivateKey,
    duties: &Duties<'_>,
    now: SystemTime,
) -> Result<Issuing, CaError> {
    let signer = rcgen::Issuer::from_ca_cert_der(&root.der, root_key.pair())
        .map_err(|cause| CaError::crypto("sign with the root", cause))?;
    let key = PrivateKey::generate()?;
    let made = profile::issuer(&key, root, &duties.scope, now)?
        .signed_by(key.pair(), &signer)
        .map_err(|cause| CaError::crypto("sign the issuing CA", cause))?;
    key.store(&directory.file("issuer.key.next"))?;
    let certificate = CaCertificate::store(&directory.file("issuer.pem"), &made)?;
    directory::rename(&directory.file("issuer.key.next"), &directory.file("issuer.key"))?;
    Ok(Issuing { certificate, key, made: true })
}

/// Finishes, or takes back, what [`make`] was killed in.
fn settle(directory: &Directory) -> Result<(), CaError> {
    let next = directory.file("issuer.key.next");
    let Some(key) = PrivateKey::read(&next)? else {
        return Ok(());
    };
    match CaCertificate::read(&directory.file("issuer.pem"))? {
        Some(certificate) if certificate.expect_key(&key, &next).is_ok() => {
            directory::rename(&next, &directory.file("issuer.key"))
        }
        Some(_) | None => directory::remove(&next),
    }
}

fn standing(found: Option<Issuing>, root: &Root, duties: &Duties<'_>, now: SystemTime) -> Standing {
    let Some(issuing) = found else {
        return Standing::Unfit(Unfit::Missing);
    };
    let certificate = &issuing.certificate;
    if !certificate.names_signer(&root.certificate) {
        return Standing::Unfit(Unfit::OtherRoot);
    }
    if certificate.not_after <= now {
        return Standing::Unfit(Unfit::Expired(certificate.not_after));
    }
    match (&certificate.scope, &duties.scope) {
        (Scope::Only(_), Scope::Anything) => return Standing::Unfit(Unfit::Constrained),
        (Scope::Anything, Scope::Only(_)) => return Standing::Unfit(Unfit::Unconstrained),
        (Scope::Only(permitted), Scope::Only(wanted)) if permitted != wanted => {
            let lacking = permitted.lacking(duties.hosts);
            if !lacking.is_empty() {
                return Standing::Unfit(Unfit::NotFor(lacking));
            }
            return Standing::Improvable(issuing);
        }
        (Scope::Only(_), Scope::Only(_)) | (Scope::Anything, Scope::Anything) => {}
    }
    if is_ageing(certificate, &root.certificate, now) {
        return Standing::Improvable(issuing);
    }
    Standing::Fit(issuing)
}

/// Whether the last third of its life has begun, and a new one would last longer.
fn is_ageing(issuer: &CaCertificate, root: &CaCertificate, now: SystemTime) -> bool {
    let life = issuer.not_after.duration_since(issuer.not_before).unwrap_or_default();
    let left = issuer.not_after.duration_since(now).unwrap_or_default();
    left < life / 3 && issuer.not_after < root.not_after
}
