//! hudsucker as somebody would use it who wants scripts checked: each body is held, decoded, hashed, and released if its digest is
//! pinned. Its client keeps connections to the vendor for all of its clients; it takes TLS 1.3 with AES-128-GCM there, as all
//! that is compared.
//!
//! ```text
//! pinfold-load-hudsucker LISTEN CA-FOLDER ORIGIN-ROOT HOSTS PINS
//! pinfold-load-hudsucker --version
//! ```

use std::collections::{HashMap, HashSet};
use std::future::{Ready, ready};
use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use http_body_util::{BodyExt as _, Full, Limited};
use hudsucker::certificate_authority::RcgenAuthority;
use hudsucker::hyper::header::CONTENT_ENCODING;
use hudsucker::hyper::http::uri::Authority;
use hudsucker::hyper::{Method, Request, Response, StatusCode, Uri};
use hudsucker::rcgen::{Issuer, KeyPair};
use hudsucker::rustls::crypto::{CryptoProvider, aws_lc_rs};
use hudsucker::rustls::pki_types::CertificateDer;
use hudsucker::rustls::pki_types::pem::PemObject as _;
use hudsucker::rustls::{ClientConfig, RootCertStore, version};
use hudsucker::{Body, HttpContext, HttpHandler, Proxy, RequestOrResponse};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpSocket;
use tower_service::Service;

/// Hosts that are not looked into.
const TUNNELLED: [&str; 2] = ["bank.test", "source.test"];
/// Certificates that are remembered: one for each of the vendor's names.
const CERTIFICATES: u64 = 8_000;
/// The largest body, before decoding and after.
const LARGEST: usize = 64 << 20;

/// The lock file that this was built with tells hudsucker's version.
const LOCK: &str = include_str!("../Cargo.lock");

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [version] if version == "--version" => println!("hudsucker {}", hudsucker_version()),
        [listen, ca, trusted, hosts, pins] => {
            serve(listen, Path::new(ca), Path::new(trusted), hosts, pins).await;
        }
        _ => panic!("usage: pinfold-load-hudsucker LISTEN CA-FOLDER ORIGIN-ROOT HOSTS PINS"),
    }
}

fn hudsucker_version() -> &'static str {
    let mut lines = LOCK.lines().skip_while(|line| *line != "name = \"hudsucker\"").skip(1);
    let line = lines.next().expect("the version of a package follows its name");
    line.trim_start_matches("version = ").trim_matches('"')
}

async fn serve(listen: &str, ca: &Path, trusted: &Path, hosts: &str, pins: &str) {
    // What it accepts takes TCP_NODELAY over from here. Without it, bodies wait for delayed ACKs.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_nodelay(true).expect("TCP_NODELAY");
    socket.set_reuseaddr(true).expect("SO_REUSEADDR");
    socket.bind(listen.parse().expect("an address")).expect("a free address");
    let hosts = Hosts::read(hosts);
    let mut connector = HttpConnector::new_with_resolver(hosts.clone());
    connector.enforce_http(false);
    connector.set_nodelay(true);
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(client_config(trusted))
        .https_only()
        .enable_http1()
        .wrap_connector(connector);
    let proxy = Proxy::builder()
        .with_listener(socket.listen(4096).expect("a listener"))
        .with_ca(authority(ca))
        .with_http_connector(connector)
        .with_http_handler(Check { hosts, pins: Arc::new(lines(pins)) })
        .build()
        .expect("a proxy");
    proxy.start().await.expect("a proxy");
}

fn lines(path: &str) -> HashSet<String> {
    std::fs::read_to_string(path).expect("a list").lines().map(str::to_owned).collect()
}

fn authority(dir: &Path) -> RcgenAuthority {
    let read = |name: &str| -> (PathBuf, String) {
        let path = dir.join(name);
        let text = std::fs::read_to_string(&path).expect("a PEM file");
        (path, text)
    };
    let key = KeyPair::from_pem(&read("root.key").1).expect("a key");
    let issuer = Issuer::from_ca_cert_pem(&read("root.pem").1, key).expect("a root");
    RcgenAuthority::new(issuer, CERTIFICATES, aws_lc_rs::default_provider())
}

fn client_config(trusted: &Path) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(trusted).expect("a root") {
        roots.add(certificate.expect("a certificate")).expect("a root");
    }
    let cipher_suites = vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256];
    let provider = CryptoProvider { cipher_suites, ..aws_lc_rs::default_provider() };
    ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// The vendor's names, which no resolver knows.
#[derive(Clone)]
struct Hosts(Arc<HashMap<String, IpAddr>>);

impl Hosts {
    /// From a file like /etc/hosts.
    fn read(path: &str) -> Self {
        let text = std::fs::read_to_string(path).expect("a list of hosts");
        let host = |line: &str| {
            let (address, name) = line.split_once(' ').expect("an address and a name");
            (name.to_owned(), address.parse().expect("an address"))
        };
        Self(Arc::new(text.lines().map(host).collect()))
    }
}

impl Service<Name> for Hosts {
    type Response = std::option::IntoIter<SocketAddr>;
    type Error = std::io::Error;
    type Future = Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let found = self.0.get(name.as_str()).map(|address| SocketAddr::new(*address, 0));
        ready(Ok(found.into_iter()))
    }
}

#[derive(Clone)]
struct Check {
    hosts: Hosts,
    pins: Arc<HashSet<String>>,
}

impl HttpHandler for Check {
    /// A tunnel is opened to an address, since hudsucker asks the system's resolver there.
    async fn handle_request(&mut self, _: &HttpContext, mut request: Request<Body>) -> RequestOrResponse {
        let host = request.uri().host().filter(|host| TUNNELLED.contains(host));
        if let Some(host) = host.filter(|_| request.method() == Method::CONNECT) {
            let address = self.hosts.0.get(host).expect("an address");
            let port = request.uri().port_u16().expect("a port");
            let authority = Authority::try_from(format!("{address}:{port}")).expect("an authority");
            *request.uri_mut() = Uri::builder().authority(authority).build().expect("an authority");
        }
        request.into()
    }

    async fn should_intercept_connect(&mut self, _: &HttpContext, request: &Request<Body>) -> bool {
        request.uri().host().is_some_and(|host| host.parse::<IpAddr>().is_err())
    }

    async fn handle_response(&mut self, _: &HttpContext, response: Response<Body>) -> Response<Body> {
        let (parts, body) = response.into_parts();
        let is_gzip = parts.headers.get(CONTENT_ENCODING).is_some_and(|coding| coding == "gzip");
        #[expect(clippy::disallowed_methods, reason = "it is limited")]
        let Ok(held) = Limited::new(body, LARGEST).collect().await else {
            return refused();
        };
        let bytes = held.to_bytes();
        let digest = if is_gzip { gzip_digest(&bytes) } else { Ok(Sha256::digest(&bytes).into()) };
        let is_pinned =
            digest.is_ok_and(|digest| self.pins.contains(&format!("sha256-{}", STANDARD.encode(digest))));
        if is_pinned { Response::from_parts(parts, Body::from(Full::new(bytes))) } else { refused() }
    }
}

fn gzip_digest(bytes: &[u8]) -> std::io::Result<[u8; 32]> {
    let mut decoder = GzDecoder::new(bytes).take(LARGEST as u64);
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 64 << 10]);
    loop {
        let read = decoder.read(&mut buffer)?;
        if read == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(&buffer[..read]);
    }
}

fn refused() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}
