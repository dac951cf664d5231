//! TLS with clients, in a vendor's name: the leaf for the tunnel's host, and no other.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use pinfold_certs::{CaError, CertificateAuthority, Certified};
use pinfold_policy::host::Host;
use pinfold_store::entry::ClientTls;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ProtocolVersion, RootCertStore, ServerConfig, ServerConnection};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client};

use crate::canary::CANARY_HOST;
use crate::upstream_tls;

/// Why a client's TLS connection was not made.
#[derive(Debug, Error)]
pub(crate) enum InterceptError {
    /// No leaf for the host.
    #[error("no certificate for {host}: {source}")]
    Leaf {
        /// The host.
        host: Host,
        /// Why.
        source: CaError,
    },
    /// The client did not like it, or spoke no TLS that is spoken here.
    #[error("handshake with the client failed: {0}; does it trust the root certificate?")]
    Handshake(std::io::Error),
    /// The client did not go on.
    #[error("the client did not finish its handshake")]
    Timeout,
}

/// What is the same for every intercepted connection.
pub(crate) struct Interceptor {
    /// For hellos with a server name. A session is bound to it, and is taken up again under the same name only.
    named: ServerConfig,
    /// For hellos without one, whose sessions could cross from one vendor to another: none is kept.
    nameless: ServerConfig,
    ca: Arc<CertificateAuthority>,
    issuer: Arc<str>,
    limit: Duration,
}

impl Interceptor {
    pub(crate) fn new(ca: Arc<CertificateAuthority>, limit: Duration) -> Result<Self, rustls::Error> {
        let provider: Arc<CryptoProvider> = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut nameless = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Leaf(None)));
        nameless.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut named = nameless.clone();
        named.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
        nameless.session_storage = Arc::new(NoServerSessionStorage {});
        nameless.send_tls13_tickets = 0;
        let issuer = ca.issuer_fingerprint_sha256().into();
        Ok(Self { named, nameless, ca, issuer, limit })
    }

    /// The same under another CA, if there is one: sessions of before can be taken up again.
    pub(crate) fn followed_by(&self, ca: Option<Arc<CertificateAuthority>>) -> Self {
        let ca = ca.unwrap_or_else(|| Arc::clone(&self.ca));
        Self {
            named: self.named.clone(),
            nameless: self.nameless.clone(),
            issuer: ca.issuer_fingerprint_sha256().into(),
            ca,
            limit: self.limit,
        }
    }

    /// The fingerprint of the issuing CA.
    pub(crate) fn issuer(&self) -> Arc<str> {
        Arc::clone(&self.issuer)
    }

    /// When the root and the issuing CA end, in this order.
    pub(crate) fn ca_ends(&self) -> [SystemTime; 2] {
        self.ca.ends()
    }

    /// TLS as the canary speaks it with this gateway: it trusts the root alone. None where the issuing CA may not sign for it.
    ///
    /// # Errors
    /// What is wrong with the root.
    pub(crate) fn client_for_canary(&self) -> io::Result<Option<CanaryTls>> {
        let host = Host::parse(CANARY_HOST).map_err(io::Error::other)?;
        if let Err(CaError::Outside { .. }) = self.ca.leaf(&host, SystemTime::now()) {
            return Ok(None);
        }
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(self.ca.root_pem().as_bytes()).map_err(io::Error::other)?;
        roots.add(root).map_err(io::Error::other)?;
        let provider: Arc<CryptoProvider> = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = upstream_tls::server_name(&host).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Some(CanaryTls { connector: TlsConnector::from(Arc::new(config)), name }))
    }

    /// Accepts a TLS connection that is for `host`. `has_name`: the hello carries a server name, which is that host.
    /// `signed` is called where a certificate was signed for it, and none kept from before.
    ///
    /// # Errors
    /// [`InterceptError`], in which case the connection has ended.
    pub(crate) async fn accept<S>(
        &self,
        host: &Host,
        has_name: bool,
        signed: impl FnOnce(),
        stream: S,
    ) -> Result<TlsStream<S>, InterceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Certified { leaf, is_new } = self
            .ca
            .certify(host, SystemTime::now())
            .map_err(|source| InterceptError::Leaf { host: host.clone(), source })?;
        if is_new {
            signed();
        }
        // To the TLS library an address is no name.
        let is_named = has_name && host.name().is_some();
        let mut config = if is_named { self.named.clone() } else { self.nameless.clone() };
        config.cert_resolver = Arc::new(Leaf(Some(leaf)));
        let accepting = TlsAcceptor::from(Arc::new(config)).accept(stream);
        timeout(self.limit, accepting)
            .await
            .map_err(|_| InterceptError::Timeout)?
            .map_err(InterceptError::Handshake)
    }
}

/// The canary's side of a TLS connection with its gateway.
pub(crate) struct CanaryTls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl CanaryTls {
    pub(crate) async fn connect(self, stream: TcpStream) -> io::Result<client::TlsStream<TcpStream>> {
        self.connector.connect(self.name, stream).await
    }
}

/// The one certificate of a connection, whatever the hello says: the server name was compared before.
#[derive(Debug)]
struct Leaf(Option<Arc<CertifiedKey>>);

impl ResolvesServerCert for Leaf {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }
}

/// What is kept of the client's side of a connection.
pub(crate) fn client_tls(connection: &ServerConnection) -> Option<ClientTls> {
    Some(ClientTls {
        version: version_name(connection.protocol_version()?),
        cipher: iana_cipher(connection.negotiated_cipher_suite()?.suite().as_str()?),
        server_name: connection.server_name().map(Into::into),
    })
}

/// `TLSv1.3`, as OpenSSL and the contract write it.
pub(crate) fn version_name(version: ProtocolVersion) -> Arc<str> {
    version.as_str().unwrap_or("unknown").replace("TLSv1_", "TLSv1.").into()
}

/// rustls names TLS 1.3 suites `TLS13_…`; IANA, and so every SIEM, `TLS_…`.
pub(crate) fn iana_cipher(name: &str) -> Arc<str> {
    name.replace("TLS13_", "TLS_").into()
}
