//! The least that a checking proxy can do: CONNECT, TLS on both sides, and each body held and hashed before a byte of it
//! goes out. One connection to the origin for each of the client's, no certificates made, nothing remembered or written.

use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use flate2::read::GzDecoder;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::{Hosts, LARGEST, Pins, connected};

/// Serves until it is ended.
pub(crate) async fn minimal(listener: TcpListener, hosts: &Path, trusted: &Path, pins: &Path) {
    let acceptor = TlsAcceptor::from(Arc::new(server_config(Path::new("leaf.pem"), Path::new("leaf.key"))));
    let connector = TlsConnector::from(Arc::new(client_config(trusted)));
    let (hosts, pins) = (Arc::new(Hosts::read(hosts)), Arc::new(Pins::read(pins)));
    loop {
        let (mut client, _) = listener.accept().await.expect("a client");
        let (acceptor, connector) = (acceptor.clone(), connector.clone());
        let (hosts, pins) = (Arc::clone(&hosts), Arc::clone(&pins));
        tokio::spawn(async move {
            client.set_nodelay(true)?;
            let target = connected(&mut client, &hosts).await?;
            let client = acceptor.accept(client).await?;
            let server = TcpStream::connect(target.address).await?;
            server.set_nodelay(true)?;
            let name = ServerName::try_from(target.host).map_err(io::Error::other)?;
            pass_on(client, connector.connect(name, server).await?, &pins).await
        });
    }
}

async fn pass_on(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    mut server: impl AsyncRead + AsyncWrite + Unpin,
    pins: &Pins,
) -> io::Result<()> {
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
        let fields = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
        let len = content_length(&fields)?.min(LARGEST);
        answer.reserve(len);
        while answer.len() < head + len {
            if server.read_buf(&mut answer).await? == 0 {
                return Ok(());
            }
        }
        let is_gzip = fields.contains("\r\ncontent-encoding: gzip\r\n");
        if !pins.has(&digest(&answer[head..], is_gzip)?) {
            return client.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await;
        }
        client.write_all(&answer).await?;
        client.flush().await?;
    }
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

fn content_length(fields: &str) -> io::Result<usize> {
    let field = fields.lines().find_map(|line| line.strip_prefix("content-length:"));
    field.and_then(|value| value.trim().parse().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Of what a browser runs: after decoding.
pub(super) fn digest(bytes: &[u8], is_gzip: bool) -> io::Result<[u8; 32]> {
    if !is_gzip {
        return Ok(Sha256::digest(bytes).into());
    }
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

pub(super) fn server_config(certificate: &Path, key: &Path) -> ServerConfig {
    let chain: Vec<_> = CertificateDer::pem_file_iter(certificate).expect("a leaf").flatten().collect();
    let key = PrivateKeyDer::from_pem_file(key).expect("a key");
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a leaf and its key")
}

pub(super) fn client_config(trusted: &Path) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(trusted).expect("a root").flatten() {
        roots.add(certificate).expect("a root");
    }
    let cipher_suites = vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256];
    let provider = CryptoProvider { cipher_suites, ..aws_lc_rs::default_provider() };
    ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
