//! Why the CA cannot be opened, or a leaf not be had.

use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use jiff::Timestamp;
use pinfold_policy::host::{Host, HostPattern};
use thiserror::Error;

/// What stands in the way. The text names place and cause; [`hint`](CaError::hint) is the next step.
#[derive(Debug, Error)]
pub enum CaError {
    /// The file system refused.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else is where the CA's directory should be.
    #[error("{}: is not a directory", path.display())]
    NotADirectory {
        /// What is in the way.
        path: PathBuf,
    },
    /// Others can put files into the CA's directory.
    #[error("{}: others may write here: mode is {mode:04o}, expected 0700", path.display())]
    LooseDirectory {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Others can read a private key.
    #[error("{}: others may read this private key: mode is {mode:04o}, expected 0600", path.display())]
    LooseKey {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A private key is another user's.
    #[error("{}: this private key belongs to uid {owner}, pinfold runs as uid {ours}", path.display())]
    ForeignKey {
        /// The key file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who we are.
        ours: u32,
    },
    /// A key file holds no usable private key. The cause is left out: parsers quote what they read.
    #[error("{}: not a private key in PEM (PKCS #8, ECDSA P-256)", path.display())]
    BadKey {
        /// The key file.
        path: PathBuf,
    },
    /// A certificate file holds no usable CA certificate.
    #[error("{}: not a CA certificate in PEM: {cause}", path.display())]
    BadCertificate {
        /// The certificate file.
        path: PathBuf,
        /// What is wrong with it.
        cause: &'static str,
    },
    /// A key and the certificate beside it do not belong together.
    #[error("{}: this private key is not the one of {}", key.display(), certificate.display())]
    KeyMismatch {
        /// The key file.
        key: PathBuf,
        /// The certificate file.
        certificate: PathBuf,
    },
    /// A new issuing CA is needed, and the root's key to sign it is not at hand.
    #[error("{}: no root key here to sign a new issuing CA, and {why}", key.display())]
    RootKeyMissing {
        /// Where the key was looked for.
        key: PathBuf,
        /// Why the present issuing CA will not do.
        why: Unfit,
    },
    /// The console needs another certificate, and the root's key to sign it is not at hand.
    #[error("{}: no root key here to sign a certificate for the console, and {why}", key.display())]
    NoConsoleLeaf {
        /// Where the key was looked for.
        key: PathBuf,
        /// Why the present one will not do.
        why: LeafUnfit,
    },
    /// The root has expired; nothing that it signed counts any more.
    #[error("{}: the root certificate expired on {}", path.display(), day(*end))]
    RootExpired {
        /// The root's certificate file.
        path: PathBuf,
        /// When.
        end: SystemTime,
    },
    /// A certificate is from the future.
    #[error("{}: the certificate is not valid before {}", path.display(), day(*start))]
    NotYetValid {
        /// The certificate file.
        path: PathBuf,
        /// When it starts to be valid.
        start: SystemTime,
    },
    /// The issuing CA expired while in use.
    #[error("the issuing CA expired on {}", day(*end))]
    IssuerExpired {
        /// When.
        end: SystemTime,
    },
    /// Nobody could use leaves of this lifetime.
    #[error("leaf_lifetime is {} s, expected at least 60 s", lifetime.as_secs())]
    LeafLifetime {
        /// What was asked for.
        lifetime: std::time::Duration,
    },
    /// A leaf was asked for which the issuing CA may not sign.
    #[error("{host}: no vendor claims this host, so the issuing CA may not sign for it")]
    Outside {
        /// The host.
        host: Host,
    },
    /// A leaf was asked for a host that no certificate should name: a wildcard, say.
    #[error("{host}: not a host name that a certificate can carry")]
    Unsignable {
        /// The host.
        host: Host,
    },
    /// The cryptographic library refused.
    #[error("cannot {action}: {cause}")]
    Crypto {
        /// What was tried, as a verb.
        action: &'static str,
        /// What the library said.
        cause: Box<str>,
    },
}

/// Why an issuing CA will not do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unfit {
    /// Certificate or key is not there.
    #[error("there is no issuing CA yet")]
    Missing,
    /// It has run out.
    #[error("the issuing CA expired on {}", day(*.0))]
    Expired(SystemTime),
    /// Another root signed it.
    #[error("the issuing CA was signed by another root")]
    OtherRoot,
    /// It may not sign for these vendor hosts.
    #[error("the issuing CA may not sign for {}", list(.0))]
    NotFor(Vec<HostPattern>),
    /// It is constrained to vendor hosts, and `name_constraints` is off.
    #[error("the issuing CA may sign for vendor hosts only, but name_constraints is off")]
    Constrained,
    /// It may sign for every host, and `name_constraints` is on.
    #[error("the issuing CA may sign for every host, but name_constraints is on")]
    Unconstrained,
}

/// Why a certificate of the console will not do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LeafUnfit {
    /// It is not there.
    #[error("there is none yet")]
    Missing,
    /// Its file holds something else.
    #[error("the one it has is no key and certificate that belong together")]
    Broken,
    /// Another root signed it.
    #[error("the one it has was signed by another root")]
    OtherRoot,
    /// It does not have these names.
    #[error("the one it has is not for {}", names(.0))]
    NotFor(Vec<Host>),
}

impl CaError {
    /// What to do about it, where there is something to do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { .. } => {
                Some("check the permissions of its directory and the space on its volume".into())
            }
            Self::NotADirectory { path } => {
                Some(format!("move {} away, or name another data_dir", path.display()))
            }
            Self::LooseDirectory { path, .. } => Some(format!("run 'chmod 700 {}'", path.display())),
            Self::LooseKey { path, .. } => Some(format!(
                "run 'chmod 600 {}'; if others could read it, make a new one instead",
                path.display()
            )),
            Self::ForeignKey { path, ours, .. } => Some(format!("run 'chown {ours} {}'", path.display())),
            Self::BadKey { path } | Self::BadCertificate { path, .. } => Some(format!(
                "restore {} from a backup, or move it away to have a new one made",
                path.display()
            )),
            Self::KeyMismatch { key, certificate } => Some(format!(
                "restore the pair from a backup, or move {} and {} away to have new ones made",
                key.display(),
                certificate.display()
            )),
            Self::RootKeyMissing { key, .. } => Some(format!(
                "put the root's key at {}, or say where it is with certs.root_key",
                key.display()
            )),
            Self::NoConsoleLeaf { key, .. } => Some(format!(
                "put the root's key at {}, or say where it is with certs.root_key, or give the console a certificate of its own \
                 with console.certificate and console.key",
                key.display()
            )),
            Self::RootExpired { path, .. } => {
                Some(format!("move {} and its key away to have a new root made", path.display()))
            }
            Self::NotYetValid { path, .. } => Some(format!(
                "check this machine's clock; if it was wrong when {} was made, move that and its key away",
                path.display()
            )),
            Self::IssuerExpired { .. } => Some("restart pinfold with the root's key at hand".into()),
            Self::Outside { .. } => Some("add it to the hosts of a [[vendor]]".into()),
            Self::LeafLifetime { .. } => Some("set certs.leaf_lifetime to \"7d\"".into()),
            Self::Unsignable { .. } | Self::Crypto { .. } => None,
        }
    }

    pub(crate) fn crypto(action: &'static str, cause: impl ToString) -> Self {
        Self::Crypto { action, cause: cause.to_string().into() }
    }

    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }
}

fn day(time: SystemTime) -> String {
    Timestamp::try_from(time).map_or_else(|_| "a day beyond the calendar".into(), |time| time.to_string())
}

fn names(hosts: &[Host]) -> String {
    hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn list(hosts: &[HostPattern]) -> String {
    hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
