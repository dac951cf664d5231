//! A connection over which HTTP/2 is spoken.

use std::io;

use http::{Method, Request};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::{Failure, within};

/// It ends when this goes.
pub(crate) struct Http2 {
    sender: SendRequest<Empty<Bytes>>,
    host: String,
}

impl Http2 {
    pub(super) async fn over(stream: TlsStream<TcpStream>, host: String) -> Result<Self, Failure> {
        let opening =
            async { handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(io::Error::other) };
        let (sender, connection) = within("an HTTP/2 connection", opening).await?;
        tokio::spawn(connection);
        Ok(Self { sender, host })
    }

    /// Asks for a path, and reads the answer to its end. Gives the digest of its body.
    pub(crate) async fn get(&mut self, path: &str) -> Result<[u8; 32], Failure> {
        let request = Request::builder()
            .method(Method::GET)
            .uri(format!("https://{}{path}", self.host))
            .header("accept", "*/*")
            .header("accept-encoding", "identity")
            .header("sec-fetch-dest", "script")
            .body(Empty::new())
            .expect("a request");
        let asking = async { self.sender.send_request(request).await.map_err(io::Error::other) };
        let response = within("an answer", asking).await?;
        if response.status() != 200 {
            return Err(Failure::Status(response.status().as_u16()));
        }
        within("a body", async { digest(response.into_body()).await.map_err(io::Error::other) }).await
    }
}

async fn digest(mut body: Incoming) -> hyper::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    while let Some(frame) = body.frame().await {
        if let Some(bytes) = frame?.data_ref() {
            hash.update(bytes);
        }
    }
    Ok(hash.finalize().into())
}
