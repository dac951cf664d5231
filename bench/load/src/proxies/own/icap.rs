//! The hash service that Squid asks.

use std::io;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::{LARGEST, Pins};

const OPTIONS: &[u8] =
    b"ICAP/1.0 200 OK\r\nMethods: RESPMOD\r\nISTag: \"hash-1\"\r\nAllow: 204\r\nOptions-TTL: 3600\r\n\
    Encapsulated: null-body=0\r\n\r\n";
const UNCHANGED: &[u8] = b"ICAP/1.0 204 No Content\r\nISTag: \"hash-1\"\r\n\r\n";

/// Answers RESPMOD with what came (RFC 3507 §4.9) where the body's digest is pinned, and with nothing where it is not: Squid
/// then sends an error, since it was told not to go round this service.
pub(crate) async fn icap(listener: TcpListener, pins: &Path) {
    let pins = Arc::new(Pins::read(pins));
    loop {
        let (client, _) = listener.accept().await.expect("a client");
        tokio::spawn(serve(client, Arc::clone(&pins)));
    }
}

async fn serve(client: TcpStream, pins: Arc<Pins>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut client = BufReader::with_capacity(256 << 10, client);
    while let Some(head) = next_head(&mut client).await? {
        if head.starts_with("OPTIONS") {
            client.get_mut().write_all(OPTIONS).await?;
            continue;
        }
        let asked = Asked::read(&mut client, &head).await?;
        if !asked.body.as_ref().is_none_or(|body| pins.has(&Sha256::digest(body).into())) {
            return Ok(());
        }
        client.get_mut().write_all(&asked.unchanged()).await?;
    }
    Ok(())
}

/// What is to be judged.
struct Asked {
    /// Whether an answer may leave out what came. Squid allows it for what it still has: the first 64 KiB.
    allows_204: bool,
    response: String,
    body: Option<Vec<u8>>,
}

impl Asked {
    async fn read(client: &mut BufReader<TcpStream>, head: &str) -> io::Result<Self> {
        let head = head.to_ascii_lowercase();
        // RFC 3507 §4.4.1
        let encapsulated = head.lines().find(|line| line.starts_with("encapsulated:"));
        let encapsulated = encapsulated.ok_or(io::ErrorKind::InvalidData)?;
        // Heads of the request and of the response.
        let mut response = String::new();
        for _ in 0..encapsulated.matches("-hdr=").count() {
            response = next_head(client).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        }
        let has_body = !encapsulated.contains("null-body");
        let body = if has_body { Some(chunked(client).await?) } else { None };
        Ok(Self { allows_204: head.contains("\r\nallow: 204"), response, body })
    }

    fn unchanged(&self) -> Vec<u8> {
        let Some(body) = self.body.as_ref().filter(|_| !self.allows_204) else {
            return UNCHANGED.to_vec();
        };
        let Self { response, .. } = self;
        let head = format!(
            "ICAP/1.0 200 OK\r\nISTag: \"hash-1\"\r\nEncapsulated: res-hdr=0, res-body={}\r\n\r\n{response}{:x}\r\n",
            response.len(),
            body.len()
        );
        [head.as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
    }
}

async fn next_head(client: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if client.read_line(&mut head).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(head))
}

async fn chunked(client: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let (mut body, mut line) = (Vec::new(), String::new());
    loop {
        line.clear();
        client.read_line(&mut line).await?;
        let digits = line.trim().split(';').next().unwrap_or_default();
        let len = usize::from_str_radix(digits, 16).map_err(|_| io::ErrorKind::InvalidData)?;
        let start = body.len();
        body.resize(start + len.min(LARGEST) + 2, 0);
        client.read_exact(&mut body[start..]).await?;
        body.truncate(start + len);
        if len == 0 {
            return Ok(body);
        }
    }
}
