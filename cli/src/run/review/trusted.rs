//! What clients are to trust. Another root takes another start, so this stays as it is.

use std::path::Path;

use pinfold_certs::CertificateAuthority;

use crate::trust;

/// The name under which browsers keep what they download of it.
const FILE: &str = "root.pem";

#[derive(Clone)]
pub(crate) struct Trusted {
    pub(super) root_pem: String,
    /// As people compare it.
    pub(super) fingerprint: String,
    /// For whoever has downloaded the file.
    pub(super) instructions: String,
}

impl Trusted {
    pub(crate) fn of(ca: &CertificateAuthority) -> Self {
        let fingerprint = trust::fingerprint(ca);
        Self {
            root_pem: ca.root_pem().to_owned(),
            instructions: trust::of_file(Path::new(FILE), &fingerprint),
            fingerprint,
        }
    }
}
