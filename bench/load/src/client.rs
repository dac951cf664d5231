//! The load client: as little as it takes to ask through a proxy over TLS, since it runs beside what is measured.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::body::Body;

/// One answer in so many is hashed, so that a proxy that serves something else is found out.
const SAMPLED: usize = 64;
const HEAD: usize = 16 << 10;

/// A way to the origin.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) origin: SocketAddr,
    pub(crate) proxy: Option<SocketAddr>,
    tls: TlsConnector,
}

impl Route {
    /// Through a proxy, or none, trusting this root. TLS 1.3 with AES-128-GCM, and no session is resumed.
    pub(crate) fn new(origin: SocketAddr, proxy: Option<SocketAddr>, root: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(root).expect("a root") {
            roots.add(certificate.expect("a certificate")).expect("a root");
        }
        let provider = aws_lc_rs::default_provider();
        let cipher_suites = vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256];
        let mut tls =
            ClientConfig::builder_with_provider(Arc::new(CryptoProvider { cipher_suites, ..provider }))
                .with_protocol_versions(&[&rustls::version::TLS13])
                .expect("TLS 1.3")
                .with_root_certificates(roots)
                .with_no_client_auth();
        tls.resumption = rustls::client::Resumption::disabled();
        Self { origin, proxy, tls: TlsConnector::from(Arc::new(tls)) }
    }

    /// Connects, through CONNECT where there is a proxy, and does the handshake.
    pub(crate) async fn connect(&self, host: &str) -> Connection {
        let mut stream = TcpStream::connect(self.proxy.unwrap_or(self.origin)).await.expect("a connection");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        if self.proxy.is_some() {
            let port = self.origin.port();
            let connect = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n");
            stream.write_all(connect.as_bytes()).await.expect("a request");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("an answer to CONNECT"));
            }
            assert!(head.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&head));
        }
        let name = ServerName::try_from(host.to_owned()).expect("a name");
        let stream = self.tls.connect(name, stream).await.expect("a handshake");
        Connection {
            stream,
            buffer: Vec::with_capacity(HEAD),
            host: host.to_owned(),
            port: self.origin.port(),
        }
    }
}

/// A connection over which one request after another is sent.
pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
    host: String,
    port: u16,
}

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) is_gzip: bool,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    /// Asks for a path, and reads the answer to its end into `into`, whose bytes are left out unless `keep`.
    pub(crate) async fn get(&mut self, path: &str, gzip: bool, keep: bool) -> Reply {
        let coding = if gzip { "gzip" } else { "identity" };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}:{}\r\nAccept: */*\r\nAccept-Encoding: {coding}\r\nSec-Fetch-Dest: script\r\n\r\n",
            self.host, self.port
        );
        self.stream.write_all(request.as_bytes()).await.expect("a request");
        self.stream.flush().await.expect("a request");
        self.buffer.clear();
        let (head, status, len, is_gzip) = loop {
            let read = self.stream.read_buf(&mut self.buffer).await.expect("an answer");
            assert!(read > 0, "the connection ended before the answer's head did");
            if let Some(parsed) = parsed(&self.buffer) {
                break parsed;
            }
        };
        let mut rest = len - (self.buffer.len() - head);
        let mut body = Vec::new();
        if keep {
            body.extend_from_slice(&self.buffer[head..]);
        }
        self.buffer.clear();
        self.buffer.reserve(64 << 10);
        while rest > 0 {
            let read = self.stream.read_buf(&mut self.buffer).await.expect("a body");
            assert!(read > 0 && read <= rest, "a body that is cut short, or too long");
            rest -= read;
            if keep {
                body.extend_from_slice(&self.buffer);
            }
            self.buffer.clear();
        }
        Reply { status, is_gzip, body }
    }
}

/// How long the head is, its status, and length and coding of the body.
fn parsed(bytes: &[u8]) -> Option<(usize, u16, usize, bool)> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(head) = response.parse(bytes).expect("an HTTP/1.1 answer") else {
        return None;
    };
    let field = |name: &str| {
        let found = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    let len = field("content-length").and_then(|len| len.parse().ok()).expect("a Content-Length");
    let is_gzip = field("content-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"));
    Some((head, response.code.expect("a status"), len, is_gzip))
}

/// How a load is put on a route.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) body: Body,
    pub(crate) gzip: bool,
    pub(crate) connections: usize,
    pub(crate) requests: usize,
    pub(crate) names: Names,
}

/// Which connections the requests of a load come over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// One for each of the clients, kept.
    Kept,
    /// A new one for each request, to the same name.
    FreshConnection,
    /// A new one for each request, to a name that nobody has asked for: from this number on.
    FreshName(usize),
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) elapsed: Duration,
    /// Of each request, sorted, in microseconds.
    pub(crate) latencies: Vec<u32>,
}

/// Puts a load on a route. Stops the bench where an answer is wrong.
pub(crate) async fn put(route: &Route, load: &Load) -> Taken {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let clients: Vec<_> = (0..load.connections)
        .map(|_| tokio::spawn(client(route.clone(), load.clone(), Arc::clone(&next))))
        .collect();
    let mut latencies = Vec::with_capacity(load.requests);
    for client in clients {
        latencies.extend(client.await.expect("a client that gets what it should"));
    }
    let elapsed = started.elapsed();
    latencies.sort_unstable();
    Taken { elapsed, latencies }
}

async fn client(route: Route, load: Load, next: Arc<AtomicUsize>) -> Vec<u32> {
    let path = format!("/{}.js", load.body.name);
    let mut latencies = Vec::new();
    let mut kept = None;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= load.requests {
            return latencies;
        }
        let keep = number.is_multiple_of(SAMPLED);
        let started = Instant::now();
        let reply = match load.names {
            Names::Kept => {
                if kept.is_none() {
                    kept = Some(route.connect(&name(0)).await);
                }
                kept.as_mut().expect("a connection").get(&path, load.gzip, keep).await
            }
            Names::FreshConnection => route.connect(&name(0)).await.get(&path, load.gzip, keep).await,
            Names::FreshName(first) => {
                route.connect(&name(first + number)).await.get(&path, load.gzip, keep).await
            }
        };
        latencies.push(u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX));
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        if keep {
            verify(&load, reply).await;
        }
    }
}

async fn verify(load: &Load, reply: Reply) {
    let bytes = if reply.is_gzip { unzipped(reply.body).await } else { reply.body };
    assert_eq!(bytes.len(), load.body.len, "{}", load.body.name);
    let digest: [u8; 32] = Sha256::digest(&bytes).into();
    assert_eq!(digest, load.body.digest, "{} has other bytes", load.body.name);
}

/// By another program: what is measured does not check itself.
async fn unzipped(bytes: Vec<u8>) -> Vec<u8> {
    let mut gzip = tokio::process::Command::new("gzip")
        .arg("-dc")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("gzip");
    let mut input = gzip.stdin.take().expect("a pipe");
    let writing = tokio::spawn(async move { input.write_all(&bytes).await });
    let output = gzip.wait_with_output().await.expect("gzip's output");
    writing.await.expect("a task").expect("a body for gzip");
    output.stdout
}

/// The vendor's names, by number.
pub(crate) fn name(number: usize) -> String {
    format!("h{number}.{}", crate::origin::DOMAIN)
}
