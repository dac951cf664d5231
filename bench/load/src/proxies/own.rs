//! Yardsticks of our own, in processes of their own: a bare relay, the least that a checking proxy can do, and the hash
//! service that Squid asks.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sha2::{Digest as _, Sha256};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{Kind, Proxy, spawn};
use crate::keys;
use crate::origin::{DOMAIN, Origin, free_address};

/// The largest body that is held.
const LARGEST: usize = 64 << 20;

pub(super) async fn start(kind: Kind, dir: &Path, origin: &Origin) -> Proxy {
    let listen = free_address();
    // One leaf for all names, made once: minting is not measured here.
    let root = keys::root(dir, "Minimal root");
    keys::leaf(dir, &[&format!("*.{DOMAIN}")]);
    let (to, trusted) = (origin.address.to_string(), origin.root.display().to_string());
    let arguments = match kind {
        Kind::Minimal => vec!["minimal", &to, &trusted],
        _ => vec!["relay", &to],
    };
    let own = listen.to_string();
    let process =
        spawn_self(&[&["--as"], &arguments[..1], &["--listen", &own], &arguments[1..]].concat(), dir);
    Proxy::of(kind, listen, root_of(kind, root, origin), vec![process]).await
}

/// The hash service.
pub(super) async fn start_icap(dir: &Path, origin: &Origin) -> (SocketAddr, Child) {
    let listen = free_address();
    let dir = dir.join("icap");
    std::fs::create_dir_all(&dir).expect("a folder");
    let pins: Vec<&str> = origin.bodies.iter().flat_map(|body| [&*body.sri, &*body.gzip_sri]).collect();
    let own = listen.to_string();
    let process = spawn_self(&[&["--as", "icap", "--listen", &own], &pins[..]].concat(), &dir);
    crate::running::wait_for(listen).await;
    (listen, process)
}

fn root_of(kind: Kind, own: PathBuf, origin: &Origin) -> PathBuf {
    if kind.intercepts() { own } else { origin.root.clone() }
}

fn spawn_self(arguments: &[&str], dir: &Path) -> Child {
    spawn(&std::env::current_exe().expect("a path of its own"), arguments, dir)
}

/// CONNECT, and then bytes there and back.
pub(crate) async fn relay(listener: TcpListener, origin: SocketAddr) {
    loop {
        let (mut client, _) = listener.accept().await.expect("a client");
        tokio::spawn(async move {
            client.set_nodelay(true)?;
            connected(&mut client).await?;
            let mut server = TcpStream::connect(origin).await?;
            server.set_nodelay(true)?;
            tokio::io::copy_bidirectional(&mut client, &mut server).await
        });
    }
}

/// CONNECT, TLS on both sides, and each body hashed before a byte of it goes out. One connection to the origin for each
/// of the client's.
pub(crate) async fn minimal(listener: TcpListener, origin: SocketAddr, trusted: &Path) {
    let acceptor = TlsAcceptor::from(Arc::new(server_config(Path::new("leaf.pem"), Path::new("leaf.key"))));
    let connector = TlsConnector::from(Arc::new(client_config(trusted)));
    loop {
        let (mut client, _) = listener.accept().await.expect("a client");
        let (acceptor, connector) = (acceptor.clone(), connector.clone());
        tokio::spawn(async move {
            client.set_nodelay(true)?;
            connected(&mut client).await?;
            let client = acceptor.accept(client).await?;
            let server = TcpStream::connect(origin).await?;
            server.set_nodelay(true)?;
            let name = ServerName::try_from(format!("h0.{DOMAIN}")).expect("a name");
            pass_on(client, connector.connect(name, server).await?).await
        });
    }
}

async fn pass_on(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    mut server: impl AsyncRead + AsyncWrite + Unpin,
) -> std::io::Result<()> {
    let (mut asked, mut answer) = (Vec::new(), Vec::new());
    loop {
        asked.clear();
        while !asked.ends_with(b"\r\n\r\n") {
            if client.read_buf(&mut asked).await? == 0 {
                return Ok(());
            }
        }
        server.write_all(&asked).await?;
        server.flush().await?;
        answer.clear();
        let head = loop {
            if server.read_buf(&mut answer).await? == 0 {
                return Ok(());
            }
            if let Some(head) = end_of_head(&answer) {
                break head;
            }
        };
        let len = content_length(&answer[..head]).min(LARGEST);
        answer.reserve(len);
        while answer.len() < head + len {
            if server.read_buf(&mut answer).await? == 0 {
                return Ok(());
            }
        }
        std::hint::black_box(Sha256::digest(&answer[head..]));
        client.write_all(&answer).await?;
        client.flush().await?;
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

fn content_length(head: &[u8]) -> usize {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let field = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    field.and_then(|value| value.trim().parse().ok()).expect("a Content-Length")
}

async fn connected(client: &mut TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await
}

fn server_config(certificate: &Path, key: &Path) -> ServerConfig {
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate).expect("a leaf").flatten().collect();
    let key = PrivateKeyDer::from_pem_file(key).expect("a key");
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a leaf and its key")
}

fn client_config(trusted: &Path) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(trusted).expect("a root").flatten() {
        roots.add(certificate).expect("a root");
    }
    let provider = aws_lc_rs::default_provider();
    let cipher_suites = vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256];
    ClientConfig::builder_with_provider(Arc::new(CryptoProvider { cipher_suites, ..provider }))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A service that answers RESPMOD with 204 where the body's digest is pinned (RFC 3507 §4.9). It decodes nothing: what is sent
/// as gzip is pinned as that.
pub(crate) async fn icap(listener: TcpListener, pins: Vec<String>) {
    let pins = Arc::new(pins);
    loop {
        let (client, _) = listener.accept().await.expect("a client");
        tokio::spawn(serve_icap(client, Arc::clone(&pins)));
    }
}

async fn serve_icap(client: TcpStream, pins: Arc<Vec<String>>) -> std::io::Result<()> {
    use base64::Engine as _;

    client.set_nodelay(true)?;
    let mut client = BufReader::with_capacity(256 << 10, client);
    loop {
        let Some(head) = icap_head(&mut client).await? else { return Ok(()) };
        if head.starts_with("OPTIONS") {
            let options = "ICAP/1.0 200 OK\r\nMethods: RESPMOD\r\nISTag: \"hash-1\"\r\nAllow: 204\r\nOptions-TTL: 3600\r\n\
                           Encapsulated: null-body=0\r\n\r\n";
            client.get_mut().write_all(options.as_bytes()).await?;
            continue;
        }
        // Request and response heads.
        let encapsulated = head.lines().find(|line| line.to_ascii_lowercase().starts_with("encapsulated:"));
        let encapsulated = encapsulated.expect("RFC 3507 §4.4.1");
        for _ in 0..encapsulated.matches("-hdr=").count() {
            icap_head(&mut client).await?;
        }
        if !encapsulated.contains("null-body") {
            let digest = chunked_digest(&mut client).await?;
            let sri = format!("sha256-{}", base64::engine::general_purpose::STANDARD.encode(digest));
            if !pins.contains(&sri) {
                // It asked to be sent no answer that was not checked (bypass=off).
                return Ok(());
            }
        }
        client.get_mut().write_all(b"ICAP/1.0 204 No Content\r\nISTag: \"hash-1\"\r\n\r\n").await?;
    }
}

async fn icap_head(client: &mut BufReader<TcpStream>) -> std::io::Result<Option<String>> {
    let mut head = String::new();
    loop {
        if client.read_line(&mut head).await? == 0 {
            return Ok(None);
        }
        if head.ends_with("\r\n\r\n") {
            return Ok(Some(head));
        }
    }
}

async fn chunked_digest(client: &mut BufReader<TcpStream>) -> std::io::Result<[u8; 32]> {
    let (mut hash, mut line, mut chunk) = (Sha256::new(), String::new(), Vec::new());
    loop {
        line.clear();
        client.read_line(&mut line).await?;
        let len = line
            .trim()
            .split(';')
            .next()
            .and_then(|hex| usize::from_str_radix(hex, 16).ok())
            .expect("a chunk");
        chunk.resize(len.min(LARGEST) + 2, 0);
        client.read_exact(&mut chunk).await?;
        if len == 0 {
            return Ok(hash.finalize().into());
        }
        hash.update(&chunk[..len]);
    }
}
