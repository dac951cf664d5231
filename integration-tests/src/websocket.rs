//! WebSockets by hand (RFC 6455): short frames, one at a time, nothing negotiated.

use std::io;

use http::HeaderMap;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::client::Tunnel;
use crate::eventually;

/// The key that clients of this harness send: the example of RFC 6455 §1.3.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The proof that a server has understood it, from there too.
pub const WEBSOCKET_PROOF: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const TEXT: u8 = 0x81;

/// A client's end of an open WebSocket.
#[derive(Debug)]
pub struct WebSocket {
    pub(crate) headers: HeaderMap,
    pub(crate) stream: Tunnel,
}

impl WebSocket {
    /// The header fields of the 101 that opened it.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Says a text, and waits for one.
    pub async fn exchange(&mut self, text: &str) -> String {
        let masked: Vec<u8> = text.bytes().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        let head = [&[TEXT, 0x80 | u8::try_from(text.len()).unwrap()], &MASK[..]].concat();
        self.stream.write_all(&[head, masked].concat()).await.unwrap();
        let frame = eventually("a frame", read_frame(&mut self.stream)).await.unwrap();
        String::from_utf8(frame).unwrap()
    }
}

/// Says back what a client says, until it leaves.
pub(crate) async fn echo<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<()> {
    loop {
        let text = read_frame(stream).await?;
        let head = [TEXT, u8::try_from(text.len()).unwrap()];
        stream.write_all(&[&head[..], &text].concat()).await?;
    }
}

async fn read_frame<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Vec<u8>> {
    let [first, second] = [stream.read_u8().await?, stream.read_u8().await?];
    assert!(first == TEXT && second & 0x7f < 126, "not a short text frame: {first:#x} {second:#x}");
    let mut mask = [0; 4];
    if second & 0x80 != 0 {
        stream.read_exact(&mut mask).await?;
    }
    let mut text = vec![0; usize::from(second & 0x7f)];
    stream.read_exact(&mut text).await?;
    Ok(text.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect())
}
