//! Private key files: read only if nobody else can, written so that they are whole or not there.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rcgen::{KeyPair, PublicKeyData};

use crate::directory::{self, PRIVATE};
use crate::error::CaError;

/// A PEM file larger than this is none.
pub(crate) const MAX_PEM: u64 = 64 * 1024;

/// A private key. Its `Debug` shows nothing of it.
pub(crate) struct PrivateKey(KeyPair);

impl PrivateKey {
    /// A new ECDSA P-256 key.
    pub(crate) fn generate() -> Result<Self, CaError> {
        KeyPair::generate().map(Self).map_err(|cause| CaError::crypto("make a private key", cause))
    }

    /// Reads a key file; nothing if there is none.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, CaError> {
        let Some(pem) = read_private(path)? else { return Ok(None) };
        KeyPair::from_pem(&pem).map(|key| Some(Self(key))).map_err(|_| CaError::BadKey { path: path.into() })
    }

    /// Writes a key file, never over another.
    pub(crate) fn store_new(&self, path: &Path) -> Result<(), CaError> {
        directory::create(path, self.0.serialize_pem().as_bytes(), PRIVATE)
    }

    /// Writes a key file over whatever is there.
    pub(crate) fn store(&self, path: &Path) -> Result<(), CaError> {
        directory::replace(path, self.0.serialize_pem().as_bytes(), PRIVATE)
    }

    /// The public half, DER (SubjectPublicKeyInfo).
    pub(crate) fn public(&self) -> Vec<u8> {
        self.0.subject_public_key_info()
    }

    pub(crate) fn pair(&self) -> &KeyPair {
        &self.0
    }

    /// All of it, PKCS #8 in PEM.
    pub(crate) fn to_pem(&self) -> String {
        self.0.serialize_pem()
    }

    pub(crate) fn into_pair(self) -> KeyPair {
        self.0
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

/// Reads a file that nobody else can read or write; nothing if there is none.
pub(crate) fn read_private(path: &Path) -> Result<Option<String>, CaError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CaError::io("read", path)(error)),
    };
    // The open file is asked, not the path: what was checked is what is read.
    let metadata = file.metadata().map_err(CaError::io("read", path))?;
    guard(path, metadata.mode() & 0o7777, metadata.uid(), rustix::process::geteuid().as_raw())?;
    let mut pem = String::new();
    file.take(MAX_PEM).read_to_string(&mut pem).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => CaError::BadKey { path: path.into() },
        _ => CaError::io("read", path)(error),
    })?;
    Ok(Some(pem))
}

/// Unpredictable bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], CaError> {
    let mut bytes = [0; N];
    let source = rustls::crypto::aws_lc_rs::default_provider().secure_random;
    source.fill(&mut bytes).map_err(|_| CaError::crypto("draw random bytes", "the source gave none"))?;
    Ok(bytes)
}

fn guard(path: &Path, mode: u32, owner: u32, ours: u32) -> Result<(), CaError> {
    if owner != ours {
        return Err(CaError::ForeignKey { path: path.into(), owner, ours });
    }
    if mode & 0o077 != 0 {
        return Err(CaError::LooseKey { path: path.into(), mode });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_key_that_nobody_else_can_touch_is_read() {
        let path = Path::new("root.key");
        for mode in [0o600, 0o400] {
            assert!(guard(path, mode, 7, 7).is_ok());
        }
        for mode in [0o640, 0o604, 0o620, 0o610, 0o777] {
            let error = guard(path, mode, 7, 7).unwrap_err();
            assert!(error.to_string().contains(&format!("{mode:04o}")), "{error}");
            assert!(error.hint().unwrap().contains("chmod 600 root.key"));
        }
        let error = guard(path, 0o600, 8, 7).unwrap_err();
        assert_eq!(error.to_string(), "root.key: this private key belongs to uid 8, pinfold runs as uid 7");
        assert_eq!(error.hint().unwrap(), "run 'chown 7 root.key'");
    }

    #[test]
    fn a_key_is_never_printed() {
        let key = PrivateKey::generate().unwrap();
        assert_eq!(format!("{key:?}"), "PrivateKey(…)");
    }
}
