//! The same work with hyper on both sides: what a checking proxy costs that reads HTTP by its rules and does nothing else. It
//! judges no request, writes nothing down, and keeps its connections to the origin for all of its clients.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use http_body_util::{BodyExt as _, Empty, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::minimal::{client_config, digest, server_config};
use super::{Hosts, LARGEST, Pins, Target, connected};

/// Serves until it is ended.
pub(crate) async fn libraries(listener: TcpListener, hosts: &Path, trusted: &Path, pins: &Path) {
    let mut tls = server_config(Path::new("leaf.pem"), Path::new("leaf.key"));
    tls.alpn_protocols = vec![HTTP2.to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let hosts = Arc::new(Hosts::read(hosts));
    let origin = Arc::new(Checked {
        connector: TlsConnector::from(Arc::new(client_config(trusted))),
        idle: Mutex::default(),
        pins: Pins::read(pins),
    });
    loop {
        let (mut client, _) = listener.accept().await.expect("a client");
        let (acceptor, hosts, origin) = (acceptor.clone(), Arc::clone(&hosts), Arc::clone(&origin));
        tokio::spawn(async move {
            client.set_nodelay(true)?;
            let target = Arc::new(connected(&mut client, &hosts).await?);
            let client = acceptor.accept(client).await?;
            let is_http2 = client.get_ref().1.alpn_protocol() == Some(HTTP2);
            let client = TokioIo::new(client);
            let answer = service_fn(move |request| {
                let (origin, target) = (Arc::clone(&origin), Arc::clone(&target));
                async move { Ok::<_, Infallible>(origin.answer(request, &target).await) }
            });
            let served = if is_http2 {
                let mut server = http2::Builder::new(TokioExecutor::new());
                server.timer(TokioTimer::new()).serve_connection(client, answer).await
            } else {
                http1::Builder::new().timer(TokioTimer::new()).serve_connection(client, answer).await
            };
            served.map_err(io::Error::other)
        });
    }
}

const HTTP2: &[u8] = b"h2";

type Connection = SendRequest<Empty<Bytes>>;

/// The origin, behind the check.
struct Checked {
    connector: TlsConnector,
    /// Connections to it, by host.
    idle: Mutex<HashMap<String, Vec<Connection>>>,
    pins: Pins,
}

impl Checked {
    async fn answer(&self, request: Request<Incoming>, target: &Target) -> Response<Full<Bytes>> {
        let answer = self.fetch(request, target).await;
        answer.ok().flatten().unwrap_or_else(|| {
            let mut refusal = Response::default();
            *refusal.status_mut() = StatusCode::FORBIDDEN;
            refusal
        })
    }

    /// What the origin answers, if that is pinned.
    async fn fetch(
        &self,
        request: Request<Incoming>,
        target: &Target,
    ) -> io::Result<Option<Response<Full<Bytes>>>> {
        let mut kept = self.idle().get_mut(&target.host).and_then(Vec::pop);
        if let Some(connection) = &mut kept
            && connection.ready().await.is_err()
        {
            kept = None;
        }
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.connect(target).await?,
        };
        let mut request = request.map(|_| Empty::new());
        if request.version() == Version::HTTP_2 {
            let path = request.uri().path_and_query().cloned();
            *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
            *request.version_mut() = Version::HTTP_11;
            let host = HeaderValue::from_str(&target.host).map_err(io::Error::other)?;
            request.headers_mut().insert(header::HOST, host);
        }
        let answer = connection.send_request(request).await.map_err(io::Error::other)?;
        let (head, body) = answer.into_parts();
        #[expect(clippy::disallowed_methods, reason = "it is limited")]
        let body = Limited::new(body, LARGEST).collect().await.map_err(io::Error::other)?.to_bytes();
        self.idle().entry(target.host.clone()).or_default().push(connection);
        let is_gzip = head.headers.get(header::CONTENT_ENCODING).is_some_and(|coding| coding == "gzip");
        let is_pinned = self.pins.has(&digest(&body, is_gzip)?);
        Ok(is_pinned.then(|| Response::from_parts(head, Full::new(body))))
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<String, Vec<Connection>>> {
        self.idle.lock().expect("nobody panics with it")
    }

    async fn connect(&self, target: &Target) -> io::Result<Connection> {
        let server = TcpStream::connect(target.address).await?;
        server.set_nodelay(true)?;
        let name = ServerName::try_from(target.host.clone()).map_err(io::Error::other)?;
        let server = TokioIo::new(self.connector.connect(name, server).await?);
        let (sender, connection) = handshake(server).await.map_err(io::Error::other)?;
        tokio::spawn(connection);
        Ok(sender)
    }
}
