//! Receivers of events: syslog and HTTPS on loopback, which a test reads, holds up, and takes away.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::authority::{self, Identity};
use crate::eventually;

/// Longer requests fail the test.
const LONGEST: usize = 64 << 20;

/// A port of loopback that nobody else gets, and that nobody listens on yet.
#[derive(Debug)]
pub struct Port(TcpSocket);

impl Port {
    /// Any free one.
    #[must_use]
    pub fn reserve() -> Self {
        Self::again(0)
    }

    /// The one of a receiver that is gone.
    #[must_use]
    pub fn again(number: u16) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, number).into()).unwrap();
        Self(socket)
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.address().port()
    }

    fn listen(self) -> TcpListener {
        self.0.listen(1024).unwrap()
    }
}

/// What came, in order. Whoever sends ends when this is dropped.
#[derive(Debug)]
pub struct Receiver<T> {
    port: u16,
    came: watch::Receiver<Vec<T>>,
    task: JoinHandle<()>,
}

impl<T: Clone> Receiver<T> {
    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Waits until so many have come, and gives all.
    pub async fn came(&self, count: usize) -> Vec<T> {
        self.came_until(&format!("{count} messages"), |came| came.len() >= count).await
    }

    /// Waits until what has come is enough, and gives all.
    pub async fn came_until(&self, what: &str, is_enough: impl Fn(&[T]) -> bool) -> Vec<T> {
        let mut came = self.came.clone();
        let enough = came.wait_for(|came| is_enough(came));
        eventually(what, enough).await.unwrap().clone()
    }

    /// Ends it, with its connections: its port is free.
    pub async fn gone(mut self) {
        self.task.abort();
        drop((&mut self.task).await);
    }

    /// What has come by now.
    #[must_use]
    pub fn now(&self) -> Vec<T> {
        self.came.borrow().clone()
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How a receiver of a stream shows who it is, as `localhost`.
#[derive(Clone, Copy, Debug)]
pub enum Shown {
    /// It speaks in the clear.
    Nothing,
    /// A certificate.
    As(Identity),
    /// A valid one, and it wants one of the client that the same authority has issued.
    AndAsks,
}

impl Shown {
    fn acceptor(self) -> Option<TlsAcceptor> {
        let (identity, asks) = match self {
            Self::Nothing => return None,
            Self::As(identity) => (identity, false),
            Self::AndAsks => (Identity::Valid, true),
        };
        let (chain, key) = authority::leaf("localhost", identity);
        let builder = ServerConfig::builder_with_provider(authority::provider())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if asks {
            let roots = Arc::new(authority::roots());
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, authority::provider());
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        Some(TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap())))
    }
}

/// Listens for syslog messages in counted octets (RFC 6587, RFC 5425).
#[must_use]
pub fn syslog(port: Port, shown: Shown) -> Receiver<String> {
    let number = port.number();
    let (sender, came) = watch::channel(Vec::new());
    let (listener, acceptor) = (port.listen(), shown.acceptor());
    let task = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            let (acceptor, sender) = (acceptor.clone(), sender.clone());
            connections.spawn(async move {
                match acceptor {
                    None => read_frames(socket, sender).await,
                    // Who cannot agree on TLS sends nothing.
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(socket).await {
                            read_frames(stream, sender).await;
                        }
                    }
                }
            });
        }
    });
    Receiver { port: number, came, task }
}

async fn read_frames(stream: impl AsyncRead + Unpin, sender: watch::Sender<Vec<String>>) {
    let mut stream = BufReader::new(stream);
    let mut length = Vec::new();
    while stream.read_until(b' ', &mut length).await.is_ok_and(|read| read > 0) {
        let Some(digits) = length.strip_suffix(b" ") else { return };
        let octets: usize = std::str::from_utf8(digits).unwrap().parse().expect("MSG-LEN is a number");
        let mut message = vec![0; octets];
        // A torn frame is none.
        if stream.read_exact(&mut message).await.is_err() {
            return;
        }
        sender.send_modify(|came| came.push(String::from_utf8(message).unwrap()));
        length.clear();
    }
}

/// Listens for syslog messages in datagrams (RFC 5426).
pub async fn syslog_datagrams() -> Receiver<String> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let (sender, came) = watch::channel(Vec::new());
    let task = tokio::spawn(async move {
        let mut datagram = vec![0; 65_536];
        while let Ok(octets) = socket.recv(&mut datagram).await {
            let message = String::from_utf8(datagram[..octets].to_vec()).unwrap();
            sender.send_modify(|came| came.push(message));
        }
    });
    Receiver { port, came, task }
}

/// A request to a receiver over HTTPS.
#[derive(Clone, Debug)]
pub struct Posted {
    /// Its path and query.
    pub path: String,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its content.
    pub body: String,
}

/// What a receiver says to a request: a status and a body, or nothing at all, and the connection ends.
pub type Says = Option<(u16, String)>;

/// What is answered to a request, by how many there were before it.
type Decide = dyn Fn(usize, &Posted) -> Says + Send + Sync;

/// Listens for requests and answers each as `decide` says, which gets the number of those before it.
#[must_use]
pub fn https(
    port: Port,
    shown: Shown,
    decide: impl Fn(usize, &Posted) -> Says + Send + Sync + 'static,
) -> Receiver<Posted> {
    let number = port.number();
    let (sender, came) = watch::channel(Vec::new());
    let (listener, acceptor) = (port.listen(), shown.acceptor().unwrap());
    let decide: Arc<Decide> = Arc::new(decide);
    let task = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            connections.spawn(greet(acceptor.clone(), socket, sender.clone(), Arc::clone(&decide)));
        }
    });
    Receiver { port: number, came, task }
}

async fn greet(
    acceptor: TlsAcceptor,
    socket: TcpStream,
    sender: watch::Sender<Vec<Posted>>,
    decide: Arc<Decide>,
) {
    let Ok(stream) = acceptor.accept(socket).await else { return };
    converse(stream, sender, decide).await;
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    sender: watch::Sender<Vec<Posted>>,
    decide: Arc<Decide>,
) {
    let answer = |request: http::Request<Incoming>| {
        let (sender, decide) = (sender.clone(), Arc::clone(&decide));
        async move {
            let (head, body) = request.into_parts();
            #[expect(clippy::disallowed_methods, reason = "Limited bounds it")]
            let body = Limited::new(body, LONGEST).collect().await.map_err(|_| "no whole body")?.to_bytes();
            let path = head.uri.path_and_query().unwrap().to_string();
            let body = String::from_utf8(body.to_vec()).unwrap();
            let posted = Posted { path, headers: head.headers, body };
            let mut said = None;
            sender.send_modify(|came| {
                said = decide(came.len(), &posted);
                came.push(posted);
            });
            let (status, body) = said.ok_or("nothing to say")?;
            let mut response = Response::new(Full::new(Bytes::from(body)));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            Ok::<_, &'static str>(response)
        }
    };
    let connection = hyper::server::conn::http1::Builder::new();
    // A connection that ends without an answer is what the test wanted.
    drop(connection.serve_connection(TokioIo::new(stream), service_fn(answer)).await);
}
