//! The load client: as little as it takes to ask through a proxy over TLS, since it runs beside what is measured. Each step of
//! it ends after a time, and says what did not come.

mod http2;
mod sink;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

pub(crate) use self::http2::Http2;
use crate::origin::{FAR, Origin, SOURCE};

/// The most that a step may take: the largest body and the slowest proxy need a small part of it.
const LIMIT: Duration = Duration::from_secs(30);
const HEAD: usize = 16 << 10;
const CHUNK: usize = 64 << 10;

/// What was asked for did not come.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}: not within {limit} s", limit = LIMIT.as_secs())]
    TimedOut(&'static str),
    #[error("{0}: {1}")]
    Broken(&'static str, io::Error),
    #[error("the answer to CONNECT is {0:?}")]
    NotConnected(String),
    #[error("status {0}")]
    Status(u16),
    #[error("no answer that HTTP knows: {0}")]
    NotHttp(&'static str),
    #[error("other bytes than were sent, or not as many")]
    OtherBytes,
}

/// Waits for a step, but not for ever.
async fn within<T, E: Into<io::Error>>(
    step: &'static str,
    doing: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    let done = timeout(LIMIT, doing).await.map_err(|_| Failure::TimedOut(step))?;
    done.map_err(|error| Failure::Broken(step, error.into()))
}

/// A way to the origin.
#[derive(Clone)]
pub(crate) struct Route {
    /// Who is on the way, for messages.
    pub(crate) through: &'static str,
    near: SocketAddr,
    far: SocketAddr,
    source: SocketAddr,
    proxy: Option<SocketAddr>,
    tls: Arc<ClientConfig>,
}

impl Route {
    /// Through a proxy, or none, trusting this root. TLS 1.3 with AES-128-GCM, and no session is resumed.
    pub(crate) fn new(
        through: &'static str,
        origin: &Origin,
        proxy: Option<SocketAddr>,
        root: &Path,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(root).expect("a root") {
            roots.add(certificate.expect("a certificate")).expect("a root");
        }
        let cipher_suites = vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256];
        let provider = CryptoProvider { cipher_suites, ..aws_lc_rs::default_provider() };
        let mut tls = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.resumption = Resumption::disabled();
        let Origin { address: near, far, source, .. } = *origin;
        Self { through, near, far, source, proxy, tls: Arc::new(tls) }
    }

    /// The same for a client that comes back, and remembers its sessions.
    pub(crate) fn returning(&self) -> Self {
        let mut tls = ClientConfig::clone(&self.tls);
        tls.resumption = Resumption::in_memory_sessions(32);
        Self { tls: Arc::new(tls), ..self.clone() }
    }

    /// Connects, and does the handshake.
    pub(crate) async fn connect(&self, host: &str) -> Result<Connection, Failure> {
        let stream = self.handshake(host, Arc::clone(&self.tls)).await?;
        let host = format!("{host}:{}", self.near.port());
        Ok(Connection { stream, buffer: Vec::with_capacity(HEAD), host })
    }

    /// The same for HTTP/2. None where the other side does not speak it.
    pub(crate) async fn connect_http2(&self, host: &str) -> Result<Option<Http2>, Failure> {
        let mut tls = ClientConfig::clone(&self.tls);
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let stream = self.handshake(host, Arc::new(tls)).await?;
        if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Ok(None);
        }
        Http2::over(stream, format!("{host}:{}", self.near.port())).await.map(Some)
    }

    async fn handshake(&self, host: &str, tls: Arc<ClientConfig>) -> Result<TlsStream<TcpStream>, Failure> {
        let stream = self.reach(host).await?;
        let name = ServerName::try_from(host.to_owned()).expect("a name");
        within("a TLS handshake", TlsConnector::from(tls).connect(name, stream)).await
    }

    async fn reach(&self, host: &str) -> Result<TcpStream, Failure> {
        let origin = match host {
            FAR => self.far,
            SOURCE => self.source,
            _ => self.near,
        };
        let address = self.proxy.unwrap_or(origin);
        let mut stream = within("a connection", TcpStream::connect(address)).await?;
        stream.set_nodelay(true).map_err(|error| Failure::Broken("TCP_NODELAY", error))?;
        if self.proxy.is_some() {
            ask_to_connect(&mut stream, &format!("{host}:{}", origin.port())).await?;
        }
        Ok(stream)
    }
}

async fn ask_to_connect(stream: &mut TcpStream, to: &str) -> Result<(), Failure> {
    let connect = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n");
    within("a request to connect", stream.write_all(connect.as_bytes())).await?;
    // In TLS the client speaks first, and to the source too: nothing can follow it.
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > HEAD || within("an answer to CONNECT", stream.read_buf(&mut head)).await? == 0 {
            return Err(Failure::NotConnected(String::from_utf8_lossy(&head).into_owned()));
        }
    }
    if head.starts_with(b"HTTP/1.1 200") || head.starts_with(b"HTTP/1.0 200") {
        return Ok(());
    }
    Err(Failure::NotConnected(String::from_utf8_lossy(&head).into_owned()))
}

/// A connection over which one request after another is sent.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
    host: String,
}

/// An answer with status 200.
pub(crate) struct Reply {
    pub(crate) is_gzip: bool,
    /// Empty where it was not to be kept.
    pub(crate) body: Vec<u8>,
}

impl Connection {
    /// Whether the handshake went on with a session of earlier.
    pub(crate) fn is_resumed(&self) -> bool {
        self.stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Asks for a path, and reads the answer to its end.
    pub(crate) async fn get(&mut self, path: &str, gzip: bool, keep: bool) -> Result<Reply, Failure> {
        let coding = if gzip { "gzip" } else { "identity" };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\nAccept-Encoding: {coding}\r\nSec-Fetch-Dest: script\r\n\r\n",
            self.host
        );
        // rustls takes it whole, and sends it with the flush.
        within("a request", self.stream.write_all(request.as_bytes())).await?;
        within("a request", self.stream.flush()).await?;
        self.buffer.clear();
        within("an answer", self.answer(keep)).await?
    }

    async fn answer(&mut self, keep: bool) -> io::Result<Result<Reply, Failure>> {
        let head = loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match Head::parsed(&self.buffer) {
                Ok(Some(head)) => break head,
                Ok(None) => {}
                Err(failure) => return Ok(Err(failure)),
            }
        };
        let Some(mut rest) = head.body.checked_sub(self.buffer.len() - head.len) else {
            return Ok(Err(Failure::NotHttp("more than its Content-Length")));
        };
        let mut body = Vec::new();
        if keep {
            body.extend_from_slice(&self.buffer[head.len..]);
        }
        self.buffer.clear();
        if rest > 0 {
            self.buffer.reserve(CHUNK);
        }
        while rest > 0 {
            let read = self.stream.read_buf(&mut self.buffer).await?;
            if read == 0 || read > rest {
                return Ok(Err(Failure::NotHttp("a body that is cut short, or too long")));
            }
            rest -= read;
            if keep {
                body.extend_from_slice(&self.buffer);
            }
            self.buffer.clear();
        }
        Ok(Ok(Reply { is_gzip: head.is_gzip, body }))
    }
}

struct Head {
    len: usize,
    body: usize,
    is_gzip: bool,
}

impl Head {
    /// None: more of it is to come.
    fn parsed(bytes: &[u8]) -> Result<Option<Self>, Failure> {
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut fields);
        let parsed = response.parse(bytes).map_err(|_| Failure::NotHttp("its head"))?;
        let httparse::Status::Complete(len) = parsed else { return Ok(None) };
        if let Some(status) = response.code.filter(|status| *status != 200) {
            return Err(Failure::Status(status));
        }
        let field = |name: &str| {
            let found = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(found.value).ok()
        };
        let body = field("content-length").and_then(|len| len.parse().ok());
        let body = body.ok_or(Failure::NotHttp("no Content-Length"))?;
        let is_gzip = field("content-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"));
        Ok(Some(Self { len, body, is_gzip }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Encoding: GZip\r\n\r\n";
        for len in 0..head.len() {
            assert!(Head::parsed(&head[..len]).expect("no fault yet").is_none());
        }

        let parsed = Head::parsed(head).expect("HTTP").expect("the whole head");

        assert_eq!((parsed.len, parsed.body, parsed.is_gzip), (head.len(), 3, true));
    }

    #[test]
    fn an_answer_of_another_status_or_of_no_known_length_is_no_answer() {
        let refused = Head::parsed(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        assert!(matches!(refused, Err(Failure::Status(403))));

        let endless = Head::parsed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert!(matches!(endless, Err(Failure::NotHttp(_))));
    }
}
