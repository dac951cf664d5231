//! An origin in clear text that keeps every byte it got, and the ways in which origins are known to read such bytes.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// An origin at `raw.test` that answers every request with these bytes, and keeps its connections.
pub async fn raw_origin(answer: impl Into<Bytes>) -> RawOrigin {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let got = Arc::new(Mutex::new(Vec::new()));
    let task = tokio::spawn(accept(listener, answer.into(), Arc::clone(&got)));
    RawOrigin { address, got, task }
}

/// A running raw origin. It ends when it is dropped.
#[derive(Debug)]
pub struct RawOrigin {
    address: SocketAddr,
    got: Got,
    task: JoinHandle<()>,
}

/// What came over each connection.
type Got = Arc<Mutex<Vec<Vec<u8>>>>;

impl RawOrigin {
    /// Its host, which only `[egress.resolve]` makes reachable.
    pub const HOST: &'static str = "raw.test";

    /// Where it really is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The bytes that came over each of its connections since this was asked last.
    #[must_use]
    pub fn take(&self) -> Vec<Vec<u8>> {
        let taken = self.got.lock().unwrap().iter_mut().map(std::mem::take).collect::<Vec<_>>();
        taken.into_iter().filter(|bytes| !bytes.is_empty()).collect()
    }
}

impl Drop for RawOrigin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, answer: Bytes, got: Got) {
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let connection = {
            let mut got = got.lock().unwrap();
            got.push(Vec::new());
            got.len() - 1
        };
        connections.spawn(serve(socket, answer.clone(), Arc::clone(&got), connection));
    }
}

/// Answers whenever what has come since the last answer is whole for its strictest reader.
async fn serve(mut socket: TcpStream, answer: Bytes, got: Got, connection: usize) {
    let (mut pending, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = socket.read(&mut buffer).await {
        got.lock().unwrap()[connection].extend_from_slice(&buffer[..read]);
        pending.extend_from_slice(&buffer[..read]);
        while let Some((_, len)) = Reading::Strict.request(&pending) {
            pending.drain(..len);
            if socket.write_all(&answer).await.is_err() {
                return;
            }
        }
    }
}

/// How an origin reads what it gets. All but the first are known from research on request smuggling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// As RFC 9112 has it.
    Strict,
    /// A length counts, whatever the transfer coding says.
    LengthFirst,
    /// Of several lengths the last counts, and of one what stands before anything that is no digit.
    LastLength,
    /// Every field that looks like a chunked transfer coding is one: with space before its colon, folded, in a list.
    LooseCoding,
    /// A line feed, and a carriage return too, ends a line.
    BareLines,
    /// A GET or HEAD has no content, whatever it says.
    NoContent,
}

impl Reading {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Strict,
        Self::LengthFirst,
        Self::LastLength,
        Self::LooseCoding,
        Self::BareLines,
        Self::NoContent,
    ];

    /// The request lines that it finds; what is left over and is no request is one, too.
    #[must_use]
    pub fn requests(self, mut bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        while !bytes.is_empty() {
            let Some((request, len)) = self.request(bytes) else {
                lines.push(format!("left over: {}", bytes.escape_ascii()));
                return lines;
            };
            lines.push(request.line);
            if request.is_last {
                return lines;
            }
            bytes = &bytes[len..];
        }
        lines
    }

    /// The first request, if it is whole, and its length with its content.
    fn request(self, bytes: &[u8]) -> Option<(Request, usize)> {
        let (lines, head) = self.lines(bytes)?;
        let line = lines.first()?.clone();
        let mut request = Request { is_last: false, line };
        let (mut length, mut is_chunked) = (0, false);
        for field in &lines[1..] {
            let (name, value) = field.split_once(':').unwrap_or((field, ""));
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_ascii_lowercase());
            match name.as_str() {
                "content-length" => length = self.length(&value),
                "transfer-encoding" => is_chunked |= value == "chunked" || self == Self::LooseCoding,
                "connection" => request.is_last |= value.contains("close"),
                _ => is_chunked |= self == Self::LooseCoding && value.contains("chunked"),
            }
        }
        let has_content = self != Self::NoContent || !request.line.starts_with(['G', 'H']);
        let content = match () {
            () if !has_content => 0,
            () if is_chunked && (self != Self::LengthFirst || length == 0) => chunks(&bytes[head..])?,
            () => length,
        };
        (bytes.len() >= head + content).then_some((request, head + content))
    }

    /// The lines of a head and its length.
    fn lines(self, bytes: &[u8]) -> Option<(Vec<String>, usize)> {
        let ends: &[&[u8]] = if self == Self::BareLines { &[b"\r\n", b"\n", b"\r"] } else { &[b"\r\n"] };
        let (mut lines, mut line, mut at) = (Vec::new(), Vec::new(), 0);
        while at < bytes.len() {
            let Some(end) = ends.iter().find(|end| bytes[at..].starts_with(end)) else {
                line.push(bytes[at]);
                at += 1;
                continue;
            };
            at += end.len();
            if line.is_empty() {
                return Some((lines, at));
            }
            lines.push(String::from_utf8_lossy(&std::mem::take(&mut line)).into_owned());
        }
        None
    }

    fn length(self, value: &str) -> usize {
        let value = if self == Self::LastLength { value.rsplit(',').next().unwrap().trim() } else { value };
        let digits: String = value.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    }
}

struct Request {
    line: String,
    is_last: bool,
}

/// The length of chunked content, its trailers included.
fn chunks(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = bytes[at..].windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&bytes[at..at + line]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        at += line + 2;
        if size == 0 {
            // Trailers, to an empty line.
            while !bytes.get(at..)?.starts_with(b"\r\n") {
                at += bytes[at..].windows(2).position(|two| two == b"\r\n")? + 2;
            }
            return Some(at + 2);
        }
        at += size + 2;
        if at > bytes.len() {
            return None;
        }
    }
}

/// Bytes as a failed test shows them.
#[must_use]
pub fn shown(connections: &[Vec<u8>]) -> String {
    let mut text = String::new();
    for bytes in connections {
        writeln!(text, "{}", bytes.escape_ascii()).unwrap();
    }
    text
}
