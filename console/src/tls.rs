//! TLS on the console's listener. Its certificate can change while it listens; a connection keeps the one that it began with.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The first byte of a handshake (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;
/// How long whoever spoke no TLS may take to read that.
const READ_WITHIN: Duration = Duration::from_secs(2);
/// For whoever spoke HTTP. No page: it would come from nowhere that one could check.
const SPEAK_TLS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n\
    Content-Length: 40\r\nConnection: close\r\n\r\nthis console speaks TLS: use 'https://'\n";

/// What a console shows who it is with.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

impl Tls {
    /// With the certificate that is the newest when a connection begins. TLS 1.2 and 1.3, HTTP/1.1.
    ///
    /// # Errors
    /// None that is expected: that the provider speaks neither.
    pub fn new(identity: watch::Receiver<Arc<CertifiedKey>>) -> Result<Self, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Newest(identity)));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    /// The handshake, within `limit`. Whoever speaks no TLS is told, and that is an error.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        limit: Duration,
    ) -> io::Result<TlsStream<TcpStream>> {
        let handshake = async {
            let mut first = [0];
            stream.peek(&mut first).await?;
            if first != [HANDSHAKE] {
                return Err(Self::refuse(stream).await);
            }
            self.0.accept(stream).await
        };
        timeout(limit, handshake).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn refuse(mut stream: TcpStream) -> io::Error {
        let telling = async {
            // What was sent is read first, or the answer would be lost with the connection.
            let mut asked = [0; 4096];
            let _read = stream.read(&mut asked).await?;
            stream.write_all(SPEAK_TLS).await?;
            stream.shutdown().await?;
            while stream.read(&mut asked).await? > 0 {}
            Ok::<_, io::Error>(())
        };
        // However it ends, it was no TLS.
        drop(timeout(READ_WITHIN, telling).await);
        io::Error::new(io::ErrorKind::InvalidData, "it began with something else than a TLS handshake")
    }
}

#[derive(Debug)]
struct Newest(watch::Receiver<Arc<CertifiedKey>>);

impl ResolvesServerCert for Newest {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.borrow()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_clear_text_has_the_length_that_it_says() {
        let answer = String::from_utf8(SPEAK_TLS.to_vec()).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }
}
