//! The origin's sockets: hyper where it behaves, bytes by hand where it must not.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Version, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::flow::Flow;
use super::{Answer, Record};
use crate::Coding;
use crate::authority::{Identity, acceptor, leaf};
use crate::websocket;

const LONGEST_HEAD: u64 = 64 * 1024;

/// How an origin talks.
#[derive(Clone)]
pub(super) struct Manner {
    tls: Option<TlsAcceptor>,
    /// One HTTP/1.1 request per connection, answered with bytes made by hand.
    raw: bool,
    max_streams: Option<u32>,
}

impl Manner {
    /// In TLS where it has an identity, offering these protocols; raw where there are none to offer.
    pub(super) fn of(
        host: &str,
        identity: Option<Identity>,
        protocols: &[&str],
        max_streams: Option<u32>,
    ) -> Self {
        let tls = identity.map(|identity| {
            let (chain, key) = leaf(host, identity);
            acceptor(chain, key, protocols)
        });
        Self { tls, raw: protocols.is_empty(), max_streams }
    }
}

/// Serves until it is aborted, and its connections with it.
pub(super) async fn accept(listener: TcpListener, manner: Manner, record: Arc<Record>) {
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        connections.spawn(greet(socket, manner.clone(), Arc::clone(&record)));
        while connections.try_join_next().is_some() {}
    }
}

async fn greet(socket: TcpStream, manner: Manner, record: Arc<Record>) {
    let Some(acceptor) = &manner.tls else { return talk(socket, &manner, record).await };
    // A client that does not like the certificate leaves: that is the point of some tests.
    let Ok(stream) = acceptor.accept(socket).await else { return };
    talk(stream, &manner, record).await;
}

async fn talk<S>(stream: S, manner: &Manner, record: Arc<Record>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if manner.raw {
        misbehave(stream, record).await;
    } else {
        converse(stream, manner.max_streams, record).await;
    }
}

async fn converse<S>(stream: S, max_streams: Option<u32>, record: Arc<Record>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request: Request<Incoming>| {
        let record = Arc::clone(&record);
        async move {
            let answer = record.answer(&request).await;
            match answer.is_refusal {
                // Its reason goes into the reset of the stream.
                true => Err(h2::Error::from(h2::Reason::REFUSED_STREAM)),
                false => Ok(answer.into_response(record)),
            }
        }
    });
    let mut server = auto::Builder::new(TokioExecutor::new());
    if max_streams.is_some() {
        server.http2().max_concurrent_streams(max_streams);
    }
    // An error is the client's leaving, which tests do on purpose.
    drop(server.serve_connection(TokioIo::new(stream), service).await);
}

async fn misbehave<S>(mut stream: S, record: Arc<Record>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(request) = read_head(&mut stream).await else { return };
    let answer = record.answer(&request).await;
    let echoes = answer.echoes;
    // Errors are the gateway's leaving before the end, as it may when it is told nonsense.
    drop(stream.write_all(&answer.into_bytes(record)).await);
    if echoes {
        drop(websocket::echo(&mut stream).await);
    }
    drop(stream.shutdown().await);
}

async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Request<()>> {
    let mut stream = stream.take(LONGEST_HEAD);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).expect("the gateway sends ASCII heads");
    let mut lines = head.split("\r\n");
    let mut start = lines.next()?.split(' ');
    let mut request = Request::builder().version(Version::HTTP_11).method(start.next()?).uri(start.next()?);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        request = request.header(name, value.trim());
    }
    request.body(()).ok()
}

impl Answer {
    fn into_response(mut self, record: Arc<Record>) -> Response<Flow> {
        let mut response = Response::new(Flow::of(&mut self, record));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if self.coding != Coding::Identity {
            response
                .headers_mut()
                .insert(header::CONTENT_ENCODING, HeaderValue::from_static(self.coding.token()));
        }
        response
    }

    fn into_bytes(self, record: Arc<Record>) -> Bytes {
        if let Some(raw) = self.raw {
            return raw;
        }
        let echoes = self.echoes;
        let body = self.coding.encode(&self.body);
        let mut response = self.into_response(record);
        if !echoes {
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let mut bytes = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
        for (name, value) in response.headers() {
            bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&body);
        Bytes::from(bytes)
    }
}
