//! A stand-in for a server on the internet: HTTPS on a port of loopback, with files that can be replaced while it runs.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::server::ResolvesServerCertUsingSni;
use rustls::sign::CertifiedKey;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::demo::{Doing as _, provider};
use crate::failure::Failure;

/// A server. Dropping it ends it and its connections.
pub(crate) struct Origin {
    address: SocketAddr,
    files: Files,
    serving: JoinHandle<()>,
}

/// By URL.
type Files = Arc<Mutex<HashMap<String, Served>>>;

/// What a server answers at a URL.
#[derive(Clone)]
pub(crate) enum Served {
    /// These bytes, of this media type.
    File(&'static str, Bytes),
    /// The same by `User-Agent`; nothing to any other.
    ByAgent(&'static str, HashMap<&'static str, Bytes>),
    /// That it is at another URL for now.
    Redirect(HeaderValue),
    /// That it is not there.
    Nothing,
}

impl Origin {
    /// Serves these hosts on a free port.
    pub(crate) async fn open(hosts: Vec<(&str, Arc<CertifiedKey>)>) -> Result<Self, Failure> {
        let doing = "open a stand-in server";
        let mut certificates = ResolvesServerCertUsingSni::new();
        for (host, key) in hosts {
            certificates.add(host, CertifiedKey::clone(&key)).doing(doing)?;
        }
        let tls = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .doing(doing)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(certificates));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.doing(doing)?;
        let address = listener.local_addr().doing(doing)?;
        let files = Files::default();
        let serving = tokio::spawn(accept(listener, TlsAcceptor::from(Arc::new(tls)), Arc::clone(&files)));
        Ok(Self { address, files, serving })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves these bytes at `url` from now on.
    pub(crate) fn publish(&self, url: &str, media_type: &'static str, bytes: Bytes) {
        self.serve(url, Served::File(media_type, bytes));
    }

    /// Answers this at `url` from now on.
    pub(crate) fn serve(&self, url: &str, served: Served) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.insert(url.to_owned(), served);
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Serves until it is aborted, and its connections with it.
async fn accept(listener: TcpListener, tls: TlsAcceptor, files: Files) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        connections.spawn(serve(socket, tls.clone(), Arc::clone(&files)));
        while connections.try_join_next().is_some() {}
    }
}

/// Serves one connection. Whoever breaks it off notices on the other side.
async fn serve(socket: TcpStream, tls: TlsAcceptor, files: Files) {
    let Ok(stream) = tls.accept(socket).await else { return };
    let service = service_fn(|request: Request<Incoming>| {
        let response = answer(&request, &files);
        async move { Ok::<_, Infallible>(response) }
    });
    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
}

fn answer(request: &Request<Incoming>, files: &Files) -> Response<Full<Bytes>> {
    let field = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let url = format!("https://{}{}", field(header::HOST), request.uri().path());
    let found = files.lock().unwrap_or_else(PoisonError::into_inner).get(&url).cloned();
    let mut response = Response::new(Full::default());
    match found.unwrap_or(Served::Nothing) {
        Served::File(media_type, bytes) => fill(&mut response, media_type, bytes),
        Served::ByAgent(media_type, by_agent) => {
            response.headers_mut().insert(header::VARY, HeaderValue::from_name(header::USER_AGENT));
            match by_agent.get(field(header::USER_AGENT)) {
                Some(bytes) => fill(&mut response, media_type, bytes.clone()),
                None => *response.status_mut() = StatusCode::NOT_FOUND,
            }
        }
        Served::Redirect(location) => {
            response.headers_mut().insert(header::LOCATION, location);
            *response.status_mut() = StatusCode::FOUND;
        }
        Served::Nothing => *response.status_mut() = StatusCode::NOT_FOUND,
    }
    response
}

fn fill(response: &mut Response<Full<Bytes>>, media_type: &'static str, bytes: Bytes) {
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    *response.body_mut() = Full::new(bytes);
}
