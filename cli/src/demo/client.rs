//! The computers of the story: HTTPS clients with addresses of their own on loopback.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use pinfold_policy::digest::Digests;
use pinfold_store::incident::Incident;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::demo::{Doing as _, interrupted, provider};
use crate::failure::Failure;

/// More than anything here is long.
const LARGEST_BODY: usize = 1 << 20;
const LONGEST_CONNECT_ANSWER: usize = 16 * 1024;
/// Nothing leaves the machine: what takes this long hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A computer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Computer {
    pub(crate) name: &'static str,
    pub(crate) address: Ipv4Addr,
}

/// A way to the internet.
pub(crate) struct Way {
    towards: Towards,
    tls: TlsConnector,
    stop: CancellationToken,
}

enum Towards {
    /// Through a proxy.
    Proxy(SocketAddr),
    /// To the server itself.
    Server(SocketAddr),
}

/// A connection to one host, for one request after the other.
pub(crate) struct Line {
    sender: SendRequest<Empty<Bytes>>,
    certificate: String,
    connection: JoinHandle<hyper::Result<()>>,
}

/// What a computer asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) from: Computer,
    pub(crate) url: &'a str,
    /// The page that wants it.
    pub(crate) page: &'a str,
    /// With what it is asked for.
    pub(crate) agent: &'static str,
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Where it is instead.
    pub(crate) location: Option<String>,
    /// `Pinfold-Verdict`.
    pub(crate) verdict: String,
    pub(crate) body: Bytes,
    /// SHA-256 of the server's certificate, in hex.
    pub(crate) certificate: String,
}

impl Way {
    /// Through the proxy at `proxy`, trusting only `root`.
    pub(crate) fn through(
        proxy: SocketAddr,
        root: CertificateDer<'static>,
        stop: CancellationToken,
    ) -> Result<Self, Failure> {
        Self::new(Towards::Proxy(proxy), root, stop)
    }

    /// Straight to the server at `server`, trusting only `root`.
    pub(crate) fn straight(
        server: SocketAddr,
        root: CertificateDer<'static>,
        stop: CancellationToken,
    ) -> Result<Self, Failure> {
        Self::new(Towards::Server(server), root, stop)
    }

    fn new(
        towards: Towards,
        root: CertificateDer<'static>,
        stop: CancellationToken,
    ) -> Result<Self, Failure> {
        let doing = "set up a client";
        let mut roots = RootCertStore::empty();
        roots.add(root).doing(doing)?;
        let tls = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .doing(doing)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { towards, tls: TlsConnector::from(Arc::new(tls)), stop })
    }

    /// Has `from` fetch `url`, which `page` wants.
    pub(crate) async fn get(&self, from: Computer, url: &str, page: &str) -> Result<Reply, Failure> {
        self.get_over(&mut None, Wanted { from, url, page, agent: "pinfold-demo" }).await
    }

    /// Fetches over `line`, or a new one where that has ended.
    pub(crate) async fn get_over(
        &self,
        line: &mut Option<Line>,
        wanted: Wanted<'_>,
    ) -> Result<Reply, Failure> {
        let fetching = async { tokio::time::timeout(PATIENCE, self.fetch(line, wanted)).await };
        let fetched = tokio::select! {
            () = self.stop.cancelled() => return Err(interrupted()),
            fetched = fetching => fetched,
        };
        fetched
            .unwrap_or_else(|_| Err("no answer in time".into()))
            .doing(format!("fetch {} from {}", wanted.url, wanted.from.address))
    }

    async fn fetch(&self, line: &mut Option<Line>, wanted: Wanted<'_>) -> Result<Reply, Broken> {
        let url: Uri = wanted.url.parse()?;
        let host = url.host().ok_or("the URL has no host")?;
        // The other side may end a connection that nobody uses at any time (RFC 9112 §9.5).
        if let Some(kept) = line
            && let Ok(reply) = kept.ask(&url, host, wanted).await
        {
            return Ok(reply);
        }
        line.insert(self.open(wanted.from, host).await?).ask(&url, host, wanted).await
    }

    async fn open(&self, from: Computer, host: &str) -> Result<Line, Broken> {
        let stream = self.greet(from, host).await?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let certificate = certificate.map(|der| Digests::of(der).sha256.to_hex()).unwrap_or_default();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        Ok(Line { sender, certificate, connection: tokio::spawn(connection) })
    }

    async fn greet(&self, from: Computer, host: &str) -> Result<TlsStream<TcpStream>, Broken> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((from.address, 0).into())?;
        let stream = match self.towards {
            Towards::Server(server) => socket.connect(server).await?,
            Towards::Proxy(proxy) => connect(socket.connect(proxy).await?, host).await?,
        };
        Ok(self.tls.connect(ServerName::try_from(host.to_owned())?, stream).await?)
    }
}

impl Line {
    async fn ask(&mut self, url: &Uri, host: &str, wanted: Wanted<'_>) -> Result<Reply, Broken> {
        self.sender.ready().await?;
        let request = Request::get(url.path())
            .header(header::HOST, host)
            .header(header::REFERER, wanted.page)
            .header(header::USER_AGENT, HeaderValue::from_static(wanted.agent))
            .body(Empty::<Bytes>::new())?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        #[expect(clippy::disallowed_methods, reason = "Limited bounds it")]
        let body = Limited::new(body, LARGEST_BODY).collect().await?.to_bytes();
        let text = |name: &str| head.headers.get(name).map(HeaderValue::to_str).transpose();
        Ok(Reply {
            status: head.status.as_u16(),
            location: text("location")?.map(str::to_owned),
            verdict: text("pinfold-verdict")?.unwrap_or_default().to_owned(),
            body,
            certificate: self.certificate.clone(),
        })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Asks a proxy for a tunnel to a host (RFC 9110 §9.3.6).
async fn connect(mut stream: TcpStream, host: &str) -> Result<TcpStream, Broken> {
    let request = format!("CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    // One byte at a time: what follows the head belongs to TLS.
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() == LONGEST_CONNECT_ANSWER {
            return Err("the proxy's answer to CONNECT has no end".into());
        }
        answer.push(stream.read_u8().await?);
    }
    if !answer.starts_with(b"HTTP/1.1 200") {
        let line: Vec<u8> = answer.into_iter().take_while(|byte| *byte != b'\r').collect();
        return Err(format!("the proxy refused CONNECT: {}", String::from_utf8_lossy(&line)).into());
    }
    Ok(stream)
}

type Broken = Box<dyn std::error::Error + Send + Sync>;

impl Reply {
    /// Whether pinfold released these bytes as verified.
    pub(crate) fn is_verified(&self, bytes: &[u8]) -> bool {
        self.status == 200 && self.outcome() == "verified" && self.body == bytes
    }

    /// Whether pinfold refused with this outcome and reason, and nothing of `bytes` came along.
    pub(crate) fn is_refused(&self, outcome: &str, reason: &str, bytes: &[u8]) -> bool {
        let told = self.outcome() == outcome && self.parameter("reason") == Some(reason);
        let leaked = bytes.windows(32).any(|part| self.body.windows(32).any(|other| other == part));
        self.status == 403 && told && !leaked
    }

    /// The incident that a refusal names.
    pub(crate) fn incident(&self) -> Option<Incident> {
        self.parameter("incident")?.parse().ok()
    }

    /// One line for when it is not what was told.
    pub(crate) fn seen(&self) -> String {
        format!("status {}, {} bytes, verdict '{}'", self.status, self.body.len(), self.verdict)
    }

    /// The verdict's token.
    pub(crate) fn outcome(&self) -> &str {
        self.verdict.split(';').next().unwrap_or_default()
    }

    /// A parameter of the verdict (RFC 9651 §3.1.2), which pinfold writes without anything that needs an escape.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let parameters = self.verdict.split("; ").skip(1).filter_map(|parameter| parameter.split_once('='));
        parameters.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"'))
    }
}
