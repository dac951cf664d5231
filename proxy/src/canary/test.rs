//! The canary's own side: a client of the gateway like any other, over a real connection.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::origin::{REVIEWED, REVIEWED_PATH, TAMPERED, TAMPERED_PATH};
use super::{CANARY_HOST, PORT};
use crate::gateway::Shared;

/// For all of it, in total.
const WITHIN: Duration = Duration::from_secs(20);
/// The longest answer to CONNECT, in bytes.
const MAX_HEAD: usize = 8 * 1024;
/// The longest body that is looked at, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// Why the gateway is not as it should be.
#[derive(Debug, Error)]
pub enum CanaryFault {
    /// There is nothing to connect to.
    #[error("the gateway has no listener")]
    NoListener,
    /// No connection.
    #[error("{doing}: {source}")]
    Connection {
        /// What was tried.
        doing: &'static str,
        /// What came of it.
        source: io::Error,
    },
    /// The listener answered CONNECT, and not with 200.
    #[error("CONNECT was answered with {0}")]
    Connect(String),
    /// HTTP broke off.
    #[error("no answer for {artifact}: {source}")]
    Http {
        /// The path asked for.
        artifact: &'static str,
        /// What happened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The tampered artifact was not refused, or not for what is wrong with it.
    #[error("the tampered artifact was answered with {0}")]
    NotRefused(String),
    /// The reviewed artifact did not come.
    #[error("the reviewed artifact was answered with {0}")]
    NotReleased(String),
    /// It did not come to an end.
    #[error("no end within {} s", WITHIN.as_secs())]
    Late,
}

/// The way to the canary of a gateway that runs.
#[derive(Clone)]
pub struct Canary(pub(crate) Arc<Shared>);

/// What was answered.
struct Answer {
    status: StatusCode,
    verdict: String,
    body: Bytes,
}

impl Canary {
    /// Sends the gateway both artifacts through its first listener. One at a time.
    ///
    /// # Errors
    /// [`CanaryFault`]: the gateway does not do its work.
    pub async fn test(&self) -> Result<(), CanaryFault> {
        timeout(WITHIN, self.go()).await.unwrap_or(Err(CanaryFault::Late))
    }

    async fn go(&self) -> Result<(), CanaryFault> {
        let gateway = &self.0;
        let proxy = reachable(*gateway.own.first().ok_or(CanaryFault::NoListener)?);
        let socket = if proxy.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let socket = socket.map_err(failed("cannot make a socket"))?;
        // Taken before it connects: from here on nobody else can come from this address and port.
        socket.bind(SocketAddr::new(proxy.ip(), 0)).map_err(failed("cannot take a port"))?;
        let from = socket.local_addr().map_err(failed("cannot take a port"))?;
        let _outside = gateway.cage.open(from);
        let mut stream = socket.connect(proxy).await.map_err(failed("cannot connect to the listener"))?;
        connect(&mut stream).await?;
        let interceptor = &gateway.policy.newest().live.interceptor;
        match interceptor.client_for_canary().map_err(failed("cannot use the root"))? {
            Some(client) => {
                let stream = client.connect(stream).await.map_err(failed("no TLS with the gateway"))?;
                ask_for_both(stream).await
            }
            // The issuing CA may not sign for the canary, and the root's key is not at hand for one that may.
            None => ask_for_both(stream).await,
        }
    }
}

fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> CanaryFault {
    move |source| CanaryFault::Connection { doing, source }
}

/// Where a listener can be reached from this machine.
fn reachable(mut listener: SocketAddr) -> SocketAddr {
    match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => listener.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => listener.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    listener
}

async fn connect(stream: &mut TcpStream) -> Result<(), CanaryFault> {
    let asking = format!("CONNECT {CANARY_HOST}:{PORT} HTTP/1.1\r\nHost: {CANARY_HOST}:{PORT}\r\n\r\n");
    stream.write_all(asking.as_bytes()).await.map_err(failed("cannot ask for a tunnel"))?;
    let mut head = Vec::new();
    // One by one: what comes behind it is not ours to read. Nothing does before we say something.
    while !head.ends_with(b"\r\n\r\n") && head.len() < MAX_HEAD {
        head.push(stream.read_u8().await.map_err(failed("no answer to CONNECT"))?);
    }
    if head.starts_with(b"HTTP/1.1 200 ") {
        return Ok(());
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    Err(CanaryFault::Connect(String::from_utf8_lossy(line).into_owned()))
}

async fn ask_for_both<S>(stream: S) -> Result<(), CanaryFault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shaking_hands = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaking_hands.map_err(|error| no_answer(TAMPERED_PATH)(error.into()))?;
    // It ends with this set.
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let tampered = ask(&mut sender, TAMPERED_PATH).await?;
    if !tampered.is_refused() {
        return Err(CanaryFault::NotRefused(tampered.in_words()));
    }
    let reviewed = ask(&mut sender, REVIEWED_PATH).await?;
    if reviewed.is_released() { Ok(()) } else { Err(CanaryFault::NotReleased(reviewed.in_words())) }
}

async fn ask(
    sender: &mut http1::SendRequest<Empty<Bytes>>,
    artifact: &'static str,
) -> Result<Answer, CanaryFault> {
    let failed = no_answer(artifact);
    let request = Request::get(artifact).header(header::HOST, format!("{CANARY_HOST}:{PORT}"));
    let request = request.body(Empty::new()).map_err(|error| failed(error.into()))?;
    let (head, body) = sender.send_request(request).await.map_err(|error| failed(error.into()))?.into_parts();
    #[expect(clippy::disallowed_methods, reason = "it is bounded")]
    let collected = Limited::new(body, MAX_BODY).collect().await;
    let body = collected.map_err(failed)?.to_bytes();
    let verdict = head.headers.get("pinfold-verdict").and_then(|verdict| verdict.to_str().ok());
    Ok(Answer { status: head.status, verdict: verdict.unwrap_or_default().to_owned(), body })
}

fn no_answer(artifact: &'static str) -> impl Fn(Box<dyn std::error::Error + Send + Sync>) -> CanaryFault {
    move |source| CanaryFault::Http { artifact, source }
}

impl Answer {
    fn is_refused(&self) -> bool {
        let has_it = self.body.windows(TAMPERED.len()).any(|window| window == TAMPERED);
        self.status == StatusCode::FORBIDDEN
            && self.verdict.starts_with("blocked; reason=digest-mismatch;")
            && !has_it
    }

    fn is_released(&self) -> bool {
        self.status == StatusCode::OK && self.verdict.starts_with("verified;") && self.body == REVIEWED
    }

    fn in_words(&self) -> String {
        match &*self.verdict {
            "" => self.status.to_string(),
            verdict => format!("{}, '{verdict}'", self.status),
        }
    }
}
