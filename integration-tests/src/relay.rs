//! Where clients go: a gateway, or a plain relay that judges nothing and so shows what a client does by itself.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::{Gateway, Vendor, origin_root_pem};

const LONGEST_HEAD: u64 = 64 * 1024;

/// A proxy and the root that its clients trust.
#[derive(Clone, Debug)]
pub struct Via {
    pub(crate) proxy: SocketAddr,
    pub(crate) roots: Vec<String>,
    pub(crate) root_file: PathBuf,
    /// `name:password`, for clients outside this process.
    pub(crate) user: Option<String>,
}

impl Via {
    /// Signs in there with a name and a password, of which a space is the only character that a URL escapes.
    #[must_use]
    pub fn user(self, name: &str, password: &str) -> Self {
        Self { user: Some(format!("{name}:{password}")), ..self }
    }
}

impl From<&Gateway> for Via {
    fn from(gateway: &Gateway) -> Self {
        let root_file = gateway.ca();
        let roots = vec![std::fs::read_to_string(&root_file).unwrap()];
        Self { proxy: gateway.proxy(), roots, root_file, user: None }
    }
}

impl From<&Relay> for Via {
    fn from(relay: &Relay) -> Self {
        let root_file = relay.dir.path().join(ROOT);
        Self { proxy: relay.address, roots: vec![origin_root_pem()], root_file, user: None }
    }
}

const ROOT: &str = "root.pem";

/// A CONNECT proxy to these origins, without any judgement.
pub async fn relay(origins: &[&Vendor]) -> Relay {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(ROOT), origin_root_pem()).unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let places = origins.iter().map(|origin| (origin.host().to_owned(), origin.address())).collect();
    Relay { dir, address, task: tokio::spawn(serve(listener, Arc::new(places))) }
}

/// A running relay. It ends when it is dropped.
#[derive(Debug)]
pub struct Relay {
    dir: TempDir,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, places: Arc<HashMap<String, SocketAddr>>) {
    loop {
        let (client, _) = listener.accept().await.unwrap();
        tokio::spawn(pass(client, Arc::clone(&places)));
    }
}

/// Any failure ends the connection, and the client says what it misses.
async fn pass(mut client: TcpStream, places: Arc<HashMap<String, SocketAddr>>) -> Option<()> {
    let mut head = Vec::new();
    let mut bounded = (&mut client).take(LONGEST_HEAD);
    while !head.ends_with(b"\r\n\r\n") {
        head.push(bounded.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let host = head.strip_prefix("CONNECT ")?.split(':').next()?;
    let Some(place) = places.get(host) else {
        return client.write_all(b"HTTP/1.1 502 no such origin\r\ncontent-length: 0\r\n\r\n").await.ok();
    };
    let mut origin = TcpStream::connect(place).await.ok()?;
    client.write_all(b"HTTP/1.1 200 go on\r\n\r\n").await.ok()?;
    copy_bidirectional(&mut client, &mut origin).await.ok().map(drop)
}
