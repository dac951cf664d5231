//! TLS to a SIEM: whom to trust, and as whom to come.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use thiserror::Error;

use crate::secret::{self, SecretError};

/// The files of an output that speaks TLS.
#[derive(Clone, Copy, Debug, Default)]
pub struct TrustFiles<'a> {
    /// Certificates (PEM), of which one must have issued the receiver's. None: the platform's roots.
    pub ca: Option<&'a Path>,
    /// The chain (PEM) that pinfold shows, and its key (PEM).
    pub client: Option<(&'a Path, &'a Path)>,
}

/// Why TLS cannot be spoken.
#[derive(Debug, Error)]
pub enum TrustError {
    /// A file holds no certificates.
    #[error("{}: {cause}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// The key is not to be had.
    #[error(transparent)]
    Key(#[from] SecretError),
    /// What they hold does not belong together, or the platform has no roots.
    #[error("{0}")]
    Unusable(#[from] rustls::Error),
}

/// Reads the files.
///
/// # Errors
/// [`TrustError`] where one is missing, is not what it should be, or where others can read the key.
pub fn trust(files: TrustFiles<'_>) -> Result<Arc<ClientConfig>, TrustError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = verifier(&provider, files.ca)?;
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    // "dangerous" is the builder's word for naming a verifier at all: both of ours verify in full.
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let config = match files.client {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder.with_client_auth_cert(certificates(chain)?, private_key(key)?)?,
    };
    Ok(Arc::new(config))
}

fn verifier(
    provider: &Arc<CryptoProvider>,
    ca: Option<&Path>,
) -> Result<Arc<dyn ServerCertVerifier>, TrustError> {
    let Some(path) = ca else { return Ok(Arc::new(Verifier::new(Arc::clone(provider))?)) };
    let mut roots = RootCertStore::empty();
    for root in certificates(path)? {
        roots.add(root)?;
    }
    let built = WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(provider)).build();
    built.map(|verifier| verifier as Arc<dyn ServerCertVerifier>).map_err(|cause| unusable(path, cause))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let contents = std::fs::read(path).map_err(|cause| unusable(path, cause))?;
    let found = CertificateDer::pem_slice_iter(&contents).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|_| unusable(path, "it is not PEM"))?;
    if found.is_empty() {
        return Err(unusable(path, "there is no certificate (PEM) in it"));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TrustError> {
    let what = "there is no private key (PEM) in it";
    PrivateKeyDer::from_pem_slice(&secret::read(path)?)
        .map_err(|_| SecretError::Unusable { path: path.to_owned(), what }.into())
}

fn unusable(path: &Path, cause: impl ToString) -> TrustError {
    TrustError::Certificates { path: path.to_owned(), cause: cause.to_string() }
}
