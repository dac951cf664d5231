//! Files that only their owner may read: tokens, and keys of client certificates.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use http::HeaderValue;
use thiserror::Error;

/// The longest secret that is read, in bytes.
const LONGEST: u64 = 64 * 1024;

/// Why a secret is not used.
#[derive(Debug, Error)]
pub enum SecretError {
    /// The system does not give it.
    #[error("{}: cannot be read: {cause}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Others could have read it, or written another.
    #[error("{}: others may read this secret: mode is {mode:04o}, expected 0600", path.display())]
    Loose {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is somebody else's.
    #[error("{}: this secret belongs to uid {owner}, pinfold runs as uid {ours}", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// As whom pinfold runs.
        ours: u32,
    },
    /// It is not what it should be.
    #[error("{}: {what}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
}

impl SecretError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Read { path, .. } => {
                format!("make {} readable for the user that pinfold runs as", path.display())
            }
            Self::Loose { path, .. } => format!("run 'chmod 600 {}'", path.display()),
            Self::Foreign { path, ours, .. } => format!("run 'chown {ours} {}'", path.display()),
            Self::Unusable { path, .. } => {
                format!("write the token, as it was given to you, into {}", path.display())
            }
        }
    }
}

/// A file with a token on its first line. What it holds is never kept, so that a new one counts from the next request on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFile(PathBuf);

impl SecretFile {
    /// The token's file, once it has been read and could be used.
    ///
    /// # Errors
    /// [`SecretError`] where it cannot be read or used, or others could read it.
    pub fn checked(path: PathBuf) -> Result<Self, SecretError> {
        let file = Self(path);
        file.authorization("Bearer").map(|_| file)
    }

    /// `Authorization` with this scheme. The value says of itself that it is not to be shown.
    ///
    /// # Errors
    /// [`SecretError`] as above.
    pub fn authorization(&self, scheme: &str) -> Result<HeaderValue, SecretError> {
        let unusable = |what| SecretError::Unusable { path: self.0.clone(), what };
        let contents = read(&self.0)?;
        let text =
            std::str::from_utf8(&contents).map_err(|_| unusable("a token is ASCII, and this is not"))?;
        let token = text.lines().next().unwrap_or_default().trim();
        if token.is_empty() {
            return Err(unusable("there is no token on its first line"));
        }
        let value = HeaderValue::try_from(format!("{scheme} {token}"));
        let mut value = value.map_err(|_| unusable("a token is ASCII, and this is not"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// Reads a secret that nobody else can read or write.
///
/// # Errors
/// [`SecretError`] where it cannot be read, or others could.
pub fn read(path: &Path) -> Result<Vec<u8>, SecretError> {
    let failed = |cause| SecretError::Read { path: path.to_owned(), cause };
    let file = File::open(path).map_err(failed)?;
    let there = file.metadata().map_err(failed)?;
    let (mode, owner, ours) = (there.mode() & 0o7777, there.uid(), rustix::process::geteuid().as_raw());
    // A secret that the system's administrator put there, for this user's group alone, is as good.
    if owner != ours && owner != 0 {
        return Err(SecretError::Foreign { path: path.to_owned(), owner, ours });
    }
    if mode & 0o037 != 0 || (owner == ours && mode & 0o077 != 0) {
        return Err(SecretError::Loose { path: path.to_owned(), mode });
    }
    let mut contents = Vec::new();
    file.take(LONGEST).read_to_end(&mut contents).map_err(failed)?;
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn file(dir: &tempfile::TempDir, mode: u32, contents: &str) -> PathBuf {
        let path = dir.path().join("hec.token");
        let _ = fs::remove_file(&path);
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_token_is_read_anew_each_time_and_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let token = SecretFile::checked(file(&dir, 0o600, " one \n")).unwrap();
        assert_eq!(token.authorization("Splunk").unwrap().as_bytes(), b"Splunk one");
        file(&dir, 0o600, "two\r\nsecond line");
        let value = token.authorization("Bearer").unwrap();
        assert_eq!(value.as_bytes(), b"Bearer two");
        assert!(!format!("{value:?} {token:?}").contains("two"));
    }

    #[test]
    fn what_others_can_read_or_what_is_no_token_is_refused_with_the_next_step() {
        let dir = tempfile::tempdir().unwrap();
        for mode in [0o640, 0o604, 0o620, 0o666] {
            let error = SecretFile::checked(file(&dir, mode, "token")).unwrap_err();
            assert!(error.to_string().contains(&format!("{mode:04o}")), "{error}");
            assert!(error.hint().contains("chmod 600"), "{}", error.hint());
        }
        for nothing in ["", "\n", "  \ntoken", "to\u{7}ken", "tök"] {
            let error = SecretFile::checked(file(&dir, 0o600, nothing));
            let is_unusable = matches!(error, Err(SecretError::Unusable { .. }));
            assert!(is_unusable || nothing == "tök", "{nothing:?}: {error:?}");
        }
        let error = SecretFile::checked(dir.path().join("none")).unwrap_err();
        assert!(error.to_string().contains("No such file"), "{error}");
    }
}
