//! HTTP/2 by hand (RFC 9113): frames that no library would send.

use std::{fmt, io};

use bytes::{Buf as _, BufMut as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::{Client, eventually};

/// DATA.
pub const DATA: u8 = 0;
/// HEADERS.
pub const HEADERS: u8 = 1;
/// RST_STREAM.
pub const RST_STREAM: u8 = 3;
/// SETTINGS.
pub const SETTINGS: u8 = 4;
/// PING.
pub const PING: u8 = 6;
/// GOAWAY.
pub const GOAWAY: u8 = 7;
/// WINDOW_UPDATE.
pub const WINDOW_UPDATE: u8 = 8;
/// CONTINUATION.
pub const CONTINUATION: u8 = 9;

/// The flags END_STREAM and END_HEADERS; ACK, for SETTINGS and PING, is the same bit as END_STREAM.
pub const END_STREAM: u8 = 1;
/// See [`END_STREAM`].
pub const END_HEADERS: u8 = 4;
const ACK: u8 = END_STREAM;

/// What a peer takes in one frame unless it says otherwise.
const FRAME_SIZE: usize = 16 * 1024;

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// Its flags.
    pub flags: u8,
    /// Its stream.
    pub stream: u32,
    /// All behind its header.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A frame.
    #[must_use]
    pub fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    /// As it goes over the wire.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.put_uint(self.payload.len() as u64, 3);
        bytes.put_u8(self.kind);
        bytes.put_u8(self.flags);
        bytes.put_u32(self.stream);
        bytes.put_slice(&self.payload);
        bytes
    }
}

/// A field block without compression (RFC 7541 §6.2.2), in which anything may stand anywhere.
#[must_use]
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.put_u8(0);
        for text in [name, value] {
            put_length(&mut block, text.len());
            block.put_slice(text.as_bytes());
        }
    }
    block
}

/// An integer with a prefix of 7 bits (RFC 7541 §5.1).
fn put_length(block: &mut Vec<u8>, length: usize) {
    const PREFIX: usize = 0x7f;
    if length < PREFIX {
        return block.put_u8(u8::try_from(length).unwrap());
    }
    block.put_u8(0x7f);
    let mut rest = length - PREFIX;
    while rest >= 0x80 {
        block.put_u8(u8::try_from(rest & 0x7f).unwrap() | 0x80);
        rest >>= 7;
    }
    block.put_u8(u8::try_from(rest).unwrap());
}

/// A whole GET.
#[must_use]
pub fn get(stream: u32, host: &str, path: &str) -> Frame {
    let fields = [(":method", "GET"), (":scheme", "https"), (":authority", host), (":path", path)];
    Frame::new(HEADERS, END_STREAM | END_HEADERS, stream, block(&fields))
}

/// What became of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was answered, with this body.
    Answered(String),
    /// It was reset.
    Reset,
    /// The connection ended.
    Ended,
}

/// A connection over which frames are sent by hand.
#[derive(Debug)]
pub struct Wire {
    stream: Box<dyn Stream>,
    read: BytesMut,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug> Stream for S {}

impl Wire {
    /// Opens a tunnel to a host and begins HTTP/2 there.
    pub async fn open(client: &Client, host: &str) -> Self {
        let client = client.clone().http2();
        let tunnel = client.connect(&format!("{host}:443")).await.unwrap().unwrap();
        Self::begin(Box::new(client.greet(host, tunnel).await.unwrap())).await
    }

    /// Opens a tunnel to `host:port` and begins HTTP/2 in it without TLS.
    pub async fn open_clear(client: &Client, authority: &str) -> Self {
        Self::begin(Box::new(client.connect(authority).await.unwrap().unwrap())).await
    }

    async fn begin(stream: Box<dyn Stream>) -> Self {
        let mut wire = Self { stream, read: BytesMut::new() };
        let settings = Frame::new(SETTINGS, 0, 0, []).bytes();
        wire.send_bytes(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &settings[..]].concat()).await.unwrap();
        wire
    }

    /// Sends a frame.
    ///
    /// # Errors
    ///
    /// Where the connection has ended.
    pub async fn send(&mut self, frame: &Frame) -> io::Result<()> {
        self.send_bytes(&frame.bytes()).await
    }

    /// Sends any bytes.
    ///
    /// # Errors
    ///
    /// Where the connection has ended.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        eventually("room for frames, or an end", async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        })
        .await
    }

    /// Opens a stream with a field block, in as many frames as it needs.
    ///
    /// # Errors
    ///
    /// Where the connection has ended.
    pub async fn open_stream(&mut self, stream: u32, flags: u8, block: &[u8]) -> io::Result<()> {
        let mut pieces = block.chunks(FRAME_SIZE);
        let first = pieces.next().unwrap_or_default();
        let mut frames = vec![Frame::new(HEADERS, flags, stream, first)];
        frames.extend(pieces.map(|piece| Frame::new(CONTINUATION, 0, stream, piece)));
        frames.last_mut().unwrap().flags |= END_HEADERS;
        self.send_bytes(&frames.iter().flat_map(Frame::bytes).collect::<Vec<_>>()).await
    }

    /// The next frame; none at the end. SETTINGS and PING are acknowledged on the way.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            let Some(frame) = self.take() else {
                match eventually("a frame", self.stream.read_buf(&mut self.read)).await {
                    Ok(1..) => continue,
                    // An end in the middle is an end.
                    Ok(0) | Err(_) => return None,
                }
            };
            if matches!(frame.kind, SETTINGS | PING) && frame.flags & ACK == 0 {
                let echoed = if frame.kind == PING { frame.payload.clone() } else { Vec::new() };
                // Whoever has left needs no acknowledgement.
                drop(self.send(&Frame::new(frame.kind, ACK, 0, echoed)).await);
            }
            return Some(frame);
        }
    }

    fn take(&mut self) -> Option<Frame> {
        let mut head = self.read.get(..9)?;
        let len = usize::try_from(head.get_uint(3)).unwrap();
        let (kind, flags, stream) = (head.get_u8(), head.get_u8(), head.get_u32());
        let payload = self.read.get(9..9 + len)?.to_vec();
        self.read.advance(9 + len);
        Some(Frame { kind, flags, stream, payload })
    }

    /// Waits for the end of a stream.
    pub async fn fate(&mut self, stream: u32) -> Fate {
        let mut body = Vec::new();
        while let Some(frame) = self.next().await {
            match frame.kind {
                GOAWAY => return Fate::Ended,
                RST_STREAM if frame.stream == stream => return Fate::Reset,
                DATA if frame.stream == stream => body.extend(frame.payload),
                _ => {}
            }
            if matches!(frame.kind, DATA | HEADERS) && frame.stream == stream && frame.flags & END_STREAM != 0
            {
                return Fate::Answered(String::from_utf8_lossy(&body).into_owned());
            }
        }
        Fate::Ended
    }
}
