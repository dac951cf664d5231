//! The root: what clients trust.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::certificate::CaCertificate;
use crate::directory::Directory;
use crate::error::CaError;
use crate::key::PrivateKey;
use crate::profile;

/// The root's certificate, and its key where that is at hand.
pub(crate) struct Root {
    pub(crate) certificate: CaCertificate,
    pub(crate) made: bool,
    pub(crate) key: Option<PrivateKey>,
    pub(crate) key_path: PathBuf,
}

impl Root {
    /// Reads the root, or makes what is missing of it.
    ///
    /// The key is written before the certificate. Killed between the two, the next call makes the certificate
    /// from the key it finds: its name comes from the key, so it is the same root.
    pub(crate) fn open(
        directory: &Directory,
        key_path: Option<&Path>,
        now: SystemTime,
    ) -> Result<Self, CaError> {
        let path = directory.file("root.pem");
        let key_path = key_path.map_or_else(|| directory.file("root.key"), Path::to_path_buf);
        let found = CaCertificate::read(&path)?;
        let key = PrivateKey::read(&key_path)?;
        let Some(certificate) = found else {
            let key = match key {
                Some(key) => key,
                None => new_key(&key_path)?,
            };
            let made = profile::root(&key, now)?
                .self_signed(key.pair())
                .map_err(|cause| CaError::crypto("sign the root", cause))?;
            let certificate = CaCertificate::store(&path, &made)?;
            return Ok(Self { certificate, made: true, key: Some(key), key_path });
        };
        certificate.expect_started(now)?;
        if certificate.not_after <= now {
            return Err(CaError::RootExpired { path, end: certificate.not_after });
        }
        if let Some(key) = &key {
            certificate.expect_key(key, &key_path)?;
        }
        Ok(Self { certificate, made: false, key, key_path })
    }
}

fn new_key(path: &Path) -> Result<PrivateKey, CaError> {
    let key = PrivateKey::generate()?;
    key.store_new(path)?;
    Ok(key)
}
