//! The client of most tests: hyper through the proxy, with nothing between the test and the bytes.

use std::error::Error;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, Version, header};
use http_body_util::{Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::authority::provider;
use crate::websocket::{KEY, WebSocket};
use crate::{Via, eventually};

mod reply;

pub use reply::{Begun, Reply, Verdict};

/// Why a client has no answer: a connection or a body that broke off, a certificate that it does not trust.
pub type ClientError = Box<dyn Error + Send + Sync>;

pub(crate) type Tunnel = TokioIo<hyper::upgrade::Upgraded>;

/// A client that trusts the gateway's root only, speaks HTTP/1.1 and takes no content coding.
#[must_use]
pub fn client(via: impl Into<Via>) -> Client {
    let via = via.into();
    Client {
        roots: via.roots.clone(),
        via,
        version: Version::HTTP_11,
        headers: HeaderMap::new(),
        from: None,
        narrow: false,
        credentials: Vec::new(),
    }
}

/// A client; every request opens its own connection, unless it is asked for a [`Session`].
#[derive(Clone, Debug)]
pub struct Client {
    via: Via,
    roots: Vec<String>,
    version: Version,
    headers: HeaderMap,
    from: Option<[u8; 4]>,
    narrow: bool,
    /// `Proxy-Authorization` of what it says to the proxy itself: CONNECT, and absolute-form requests.
    credentials: Vec<HeaderValue>,
}

impl Client {
    /// Gives the proxy a name and a password.
    #[must_use]
    pub fn user(self, name: &str, password: &str) -> Self {
        self.authorization(format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))))
    }

    /// Sends the proxy one more `Proxy-Authorization`, whatever it holds.
    #[must_use]
    pub fn authorization(mut self, field: impl AsRef<[u8]>) -> Self {
        self.credentials.push(HeaderValue::from_bytes(field.as_ref()).unwrap());
        self
    }

    /// The header fields of an absolute-form request.
    fn to_the_proxy(&self) -> HeaderMap {
        let mut headers = self.headers.clone();
        for field in &self.credentials {
            headers.append(header::PROXY_AUTHORIZATION, field.clone());
        }
        headers
    }

    /// Speaks HTTP/2 inside the tunnel.
    #[must_use]
    pub fn http2(mut self) -> Self {
        self.version = Version::HTTP_2;
        self
    }

    /// Over HTTP/2, lets no more than 16 KiB of a body come before it reads them.
    #[must_use]
    pub fn narrow(mut self) -> Self {
        self.narrow = true;
        self
    }

    /// Sends this header field with every request.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers
            .insert(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    /// Takes these content codings.
    #[must_use]
    pub fn accepting(self, codings: &str) -> Self {
        self.header("accept-encoding", codings)
    }

    /// Trusts this root, in PEM, and no other.
    #[must_use]
    pub fn trusting(mut self, root: impl Into<String>) -> Self {
        self.roots = vec![root.into()];
        self
    }

    /// Comes from another address of loopback, such as `127.0.0.2`.
    #[must_use]
    pub fn from(mut self, address: [u8; 4]) -> Self {
        self.from = Some(address);
        self
    }

    /// GETs a URL; anything but a complete answer fails the test.
    pub async fn get(&self, url: impl AsRef<str>) -> Reply {
        self.ask(Method::GET, url).await
    }

    /// Sends a request without a body; anything but a complete answer fails the test.
    pub async fn ask(&self, method: Method, url: impl AsRef<str>) -> Reply {
        let url = url.as_ref();
        self.try_ask(method, url).await.unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    /// Sends a request without a body.
    ///
    /// # Errors
    ///
    /// Where no complete answer comes back.
    pub async fn try_ask(&self, method: Method, url: impl AsRef<str>) -> Result<Reply, ClientError> {
        let url: Uri = url.as_ref().parse()?;
        if url.scheme_str() == Some("http") {
            let sender = self.speak_http1(TokioIo::new(self.dial().await?)).await?;
            return Session { sender, headers: self.to_the_proxy(), absolute: true }.ask(method, url).await;
        }
        match self.open(&url).await? {
            Ok(mut session) => session.ask(method, url).await,
            Err(refusal) => Ok(refusal),
        }
    }

    /// GETs a URL in absolute form whatever its scheme, as only a client that has not understood proxies does.
    pub async fn absolute(&self, url: &str) -> Reply {
        let stream = TokioIo::new(self.dial().await.unwrap());
        let sender = self.speak_http1(stream).await.unwrap();
        let mut session = Session { sender, headers: self.to_the_proxy(), absolute: true };
        session.ask(Method::GET, url.parse().unwrap()).await.unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    /// Sends the proxy the beginning of a head and no more, and waits for what it says to that.
    pub async fn begin_a_head(&self) -> Reply {
        let (answer, mut proxy) = self.dial().await.unwrap().into_split();
        proxy.write_all(b"GET ").await.unwrap();
        // The library believes that it has asked.
        let stream = tokio::io::join(answer, tokio::io::sink());
        let sender = self.speak_http1(TokioIo::new(stream)).await.unwrap();
        let mut session = Session { sender, headers: HeaderMap::new(), absolute: true };
        session.ask(Method::GET, Uri::from_static("http://nobody.test/")).await.unwrap()
    }

    /// GETs an https URL and waits for the head of the answer; the body comes as it comes.
    pub async fn begin(&self, url: impl AsRef<str>) -> Begun {
        let url: Uri = url.as_ref().parse().unwrap();
        let mut session =
            self.open(&url).await.unwrap().unwrap_or_else(|refusal| panic!("{url}: {refusal:?}"));
        let request = Request::get("/").body(Full::default()).unwrap();
        Begun::new(session.begin(request, url).await.unwrap())
    }

    /// Asks an https URL for a WebSocket, or hands back the answer to that.
    pub async fn websocket(&self, url: impl AsRef<str>) -> Result<WebSocket, Reply> {
        let url: Uri = url.as_ref().parse().unwrap();
        let mut session = self.open(&url).await.unwrap()?;
        let request = Request::get("/").header("connection", "Upgrade").header("upgrade", "websocket");
        let request = request.header("sec-websocket-version", "13").header("sec-websocket-key", KEY);
        let answer = session.begin(request.body(Full::default()).unwrap(), url).await.unwrap();
        if answer.status() != 101 {
            return Err(eventually("the end of an answer", Reply::read(answer)).await.unwrap());
        }
        let headers = answer.headers().clone();
        Ok(WebSocket { headers, stream: TokioIo::new(hyper::upgrade::on(answer).await.unwrap()) })
    }

    /// Opens a tunnel to the host of a URL and speaks HTTP in TLS there, or hands back the answer to the CONNECT.
    ///
    /// # Errors
    ///
    /// Where the connection breaks or the certificate does not convince.
    pub async fn open(&self, url: &Uri) -> Result<Result<Session, Reply>, ClientError> {
        let host = url.host().ok_or("a URL has a host")?;
        let tunnel = match self.connect(&format!("{host}:{}", url.port_u16().unwrap_or(443))).await? {
            Ok(tunnel) => tunnel,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let stream = self.greet(host, tunnel).await?;
        Ok(Ok(self.speak(stream).await?))
    }

    /// Speaks HTTP over any stream: in TLS, or in a tunnel without.
    ///
    /// # Errors
    ///
    /// Where the connection breaks.
    pub async fn speak<T>(&self, stream: T) -> Result<Session, ClientError>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let sender = if self.version == Version::HTTP_2 {
            let (sender, connection) = {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                if self.narrow {
                    builder.initial_stream_window_size(16 * 1024);
                }
                builder.handshake(TokioIo::new(stream)).await?
            };
            tokio::spawn(connection);
            Sender::Http2(sender)
        } else {
            self.speak_http1(TokioIo::new(stream)).await?
        };
        Ok(Session { sender, headers: self.headers.clone(), absolute: false })
    }

    /// Opens a tunnel to `host:port`, or hands back the answer to the CONNECT.
    ///
    /// # Errors
    ///
    /// Where the connection breaks.
    pub async fn connect(&self, authority: &str) -> Result<Result<Tunnel, Reply>, ClientError> {
        let stream = TokioIo::new(self.dial().await?);
        let (mut sender, connection) = http1::handshake(stream).await?;
        tokio::spawn(connection.with_upgrades());
        let mut request =
            Request::connect(authority).header(header::HOST, authority).body(Empty::<Bytes>::new())?;
        for field in &self.credentials {
            request.headers_mut().append(header::PROXY_AUTHORIZATION, field.clone());
        }
        let response = eventually("the answer to a CONNECT", sender.send_request(request)).await?;
        if !response.status().is_success() {
            return Ok(Err(Reply::read(response).await?));
        }
        Ok(Ok(TokioIo::new(hyper::upgrade::on(response).await?)))
    }

    /// Speaks TLS inside a tunnel, with `host` as SNI and as the name that the certificate must show.
    ///
    /// # Errors
    ///
    /// Where the handshake fails, or another protocol comes out of it than this client speaks.
    pub async fn greet(&self, host: &str, tunnel: Tunnel) -> Result<TlsStream<Tunnel>, ClientError> {
        let protocol: &[u8] = if self.version == Version::HTTP_2 { b"h2" } else { b"http/1.1" };
        let mut roots = RootCertStore::empty();
        for root in &self.roots {
            roots.add(CertificateDer::from_pem_slice(root.as_bytes())?)?;
        }
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
        let greeting = TlsConnector::from(Arc::new(config)).connect(name, tunnel);
        let stream = eventually("a TLS handshake", greeting).await?;
        let agreed = stream.get_ref().1.alpn_protocol();
        if self.version == Version::HTTP_2 && agreed != Some(b"h2") {
            return Err("the gateway does not offer h2".into());
        }
        Ok(stream)
    }

    async fn dial(&self) -> Result<TcpStream, ClientError> {
        let socket = TcpSocket::new_v4()?;
        if let Some(address) = self.from {
            socket.bind((address, 0).into())?;
        }
        let stream = socket.connect(self.via.proxy).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn speak_http1<T>(&self, stream: T) -> Result<Sender, ClientError>
    where
        T: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::handshake(stream).await?;
        tokio::spawn(connection.with_upgrades());
        Ok(Sender::Http1(sender))
    }
}

/// Several requests over one connection.
#[derive(Debug)]
pub struct Session {
    sender: Sender,
    headers: HeaderMap,
    /// Whether the request target is the whole URL, as it is for a proxy that is asked without CONNECT.
    absolute: bool,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Session {
    /// Sends a request without a body. The URL's host is what `Host` or `:authority` says, whatever the tunnel's is.
    ///
    /// # Errors
    ///
    /// Where no complete answer comes back.
    pub async fn ask(&mut self, method: Method, url: Uri) -> Result<Reply, ClientError> {
        let mut request = Request::new(Full::default());
        *request.method_mut() = method;
        self.send(request, url).await
    }

    /// Sends any request; its target and, over HTTP/1.1, its `Host` are made from the URL.
    ///
    /// # Errors
    ///
    /// Where no complete answer comes back.
    pub async fn send(&mut self, request: Request<Full<Bytes>>, url: Uri) -> Result<Reply, ClientError> {
        let response = self.begin(request, url).await?;
        eventually("the end of an answer", Reply::read(response)).await
    }

    /// Sends any request and waits for the head of its answer.
    async fn begin(
        &mut self,
        mut request: Request<Full<Bytes>>,
        url: Uri,
    ) -> Result<Response<Incoming>, ClientError> {
        for name in self.headers.keys() {
            if !request.headers().contains_key(name) {
                for value in self.headers.get_all(name) {
                    request.headers_mut().append(name, value.clone());
                }
            }
        }
        let authority = url.authority().ok_or("a URL has a host")?.to_string();
        let path = url.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let answer = match &mut self.sender {
            Sender::Http1(sender) => {
                request.headers_mut().entry(header::HOST).or_insert(authority.parse()?);
                *request.uri_mut() = if self.absolute { url } else { path.parse()? };
                sender.ready().await?;
                eventually("an answer", sender.send_request(request)).await?
            }
            Sender::Http2(sender) => {
                *request.uri_mut() = url;
                *request.version_mut() = Version::HTTP_2;
                sender.ready().await?;
                eventually("an answer", sender.send_request(request)).await?
            }
        };
        Ok(answer)
    }
}
