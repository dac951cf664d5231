//! What a tunnel carries, told from its first bytes: TLS and for whom, HTTP in clear text, or something else.

use bytes::{Bytes, BytesMut};
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A ClientHello fits in here with room to spare: RFC 8446 §5.1 records of 16 KiB, and hybrid key shares of a few.
const MAX_HELLO: usize = 64 * 1024;
/// The longest request line that is waited for.
const MAX_REQUEST_LINE: usize = 32 * 1024;

/// What a client said first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// A whole ClientHello, and the server name in it.
    Tls(Option<String>),
    /// A TLS record whose ClientHello cannot be read.
    UnreadableTls,
    /// A request line.
    Http,
    /// Neither.
    Other,
}

/// Reads until it is clear what the client speaks. `read` then holds all bytes that were taken from the stream.
/// `None` when the stream ended first.
pub(crate) async fn sniff<S: AsyncRead + Unpin>(
    stream: &mut S,
    read: &mut BytesMut,
) -> std::io::Result<Option<Opening>> {
    loop {
        if let Some(opening) = opening(read) {
            return Ok(Some(opening));
        }
        // Bounded by `opening`, which always decides at the caps above.
        if stream.read_buf(read).await? == 0 {
            return Ok(None);
        }
    }
}

/// Decides, or asks for more bytes with `None`.
pub(crate) fn opening(read: &[u8]) -> Option<Opening> {
    // Servers skip empty lines before a request line (RFC 9112 §2.2), and so must whoever looks for one.
    let from = read.iter().position(|byte| !matches!(byte, b'\r' | b'\n'));
    let Some(line) = from.and_then(|from| read.get(from..)) else {
        return (read.len() >= MAX_REQUEST_LINE).then_some(Opening::Other);
    };
    match line {
        [0x16, ..] if from == Some(0) => client_hello(read),
        // An alert or another record before the hello: a lenient server might go on to read the hello.
        [0x14..=0x17, 0x03, ..] => Some(Opening::UnreadableTls),
        [0x14..=0x17] => None,
        [first, ..] if is_token_char(*first) => request_line(line),
        _ => Some(Opening::Other),
    }
}

/// A character of a method (RFC 9110 §5.6.2). Some servers take methods in lower case.
fn is_token_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn client_hello(read: &[u8]) -> Option<Opening> {
    // rustls reads one record at a time: what is there is fed to it anew, and at most MAX_HELLO of it.
    let mut acceptor = Acceptor::default();
    let mut rest = read;
    loop {
        match acceptor.read_tls(&mut rest) {
            Ok(0) => break,
            Err(_) => return Some(Opening::UnreadableTls),
            Ok(_) => {}
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => {
                let name = accepted.client_hello().server_name().map(str::to_owned);
                return Some(Opening::Tls(name));
            }
            Ok(None) => {}
            Err(_) => return Some(Opening::UnreadableTls),
        }
    }
    (read.len() >= MAX_HELLO).then_some(Opening::UnreadableTls)
}

/// `METHOD SP target SP HTTP/`. A greeting such as `EHLO mail` has no version, and is none.
fn request_line(read: &[u8]) -> Option<Opening> {
    let Some(end) = read.iter().position(|byte| *byte == b'\n') else {
        let method = read.iter().take_while(|byte| byte.is_ascii_graphic()).count();
        let too_long = read.len() >= MAX_REQUEST_LINE || method > 64;
        return too_long.then_some(Opening::Other);
    };
    let line = read.get(..end).unwrap_or_default();
    let is_http = line.windows(6).any(|window| window == b" HTTP/") || line.starts_with(b"PRI * ");
    Some(if is_http { Opening::Http } else { Opening::Other })
}

/// The alert that ends a handshake for an unknown name (RFC 8446 §6: fatal, `unrecognized_name`).
pub(crate) const UNRECOGNIZED_NAME: Bytes = Bytes::from_static(&[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x70]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_clear_text_http_and_what_is_not() {
        assert_eq!(opening(b"GET / HTTP/1.1\r\n"), Some(Opening::Http));
        assert_eq!(opening(b"PRI * HTTP/2.0\r\n"), Some(Opening::Http));
        assert_eq!(opening(b"\r\n\r\nGET / HTTP/1.1\r\n"), Some(Opening::Http));
        assert_eq!(opening(b"get / HTTP/1.1\r\n"), Some(Opening::Http));
        assert_eq!(opening(b"\x15\x03\x01\x00\x02\x01\x00"), Some(Opening::UnreadableTls));
        assert_eq!(opening(b"EHLO mail.example\r\n"), Some(Opening::Other));
        assert_eq!(opening(b"SSH-2.0-x\r\n"), Some(Opening::Other));
        assert_eq!(opening(b"\x00\x01"), Some(Opening::Other));
        assert_eq!(opening(b"GET /"), None);
        assert_eq!(opening(b""), None);
        assert_eq!(opening(&[b'A'; MAX_REQUEST_LINE]), Some(Opening::Other));
    }

    #[test]
    fn a_hello_in_pieces_is_waited_for_and_garbage_is_not() {
        assert_eq!(opening(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]), None);
        assert_eq!(opening(&[0x16; 64]), Some(Opening::UnreadableTls));
    }
}
