//! What a tunnel carries, told from its first bytes: TLS and for whom, HTTP in clear text, or something else.
//!
//! The server behind the tunnel reads the same bytes, and perhaps less strictly than any standard. So the two readings
//! lean apart: a ClientHello is read to the letter, and what could be read in two ways is
//! [`Opening::UnreadableTls`], which ends the tunnel; a request line is recognised however it is spelled, and what some
//! server would take for one is [`Opening::Http`], which is judged.

use std::net::IpAddr;

/// The most that is read of a ClientHello, record headers included, in bytes. Hybrid key shares take a few thousand.
pub const MAX_HELLO: usize = 64 * 1024;
/// The longest request line that is waited for, in bytes.
pub const MAX_REQUEST_LINE: usize = 32 * 1024;

/// The largest fragment of a record (RFC 8446 §5.1), in bytes.
const MAX_FRAGMENT: usize = 1 << 14;
/// Handshake message `client_hello` (RFC 8446 §4).
const CLIENT_HELLO: usize = 1;
/// Extension `server_name` (RFC 6066 §3), and the one type of name that it has.
const SERVER_NAME: usize = 0;
const HOST_NAME: usize = 0;

/// What a client said first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// A whole ClientHello, and the server name in it, as it was written.
    Tls(Option<Box<str>>),
    /// TLS whose ClientHello can be read in two ways, or not at all.
    UnreadableTls,
    /// A request line.
    Http,
    /// Neither.
    Other,
}

/// Decides by all that has come so far, or asks for more with `None`. It decides at [`MAX_HELLO`] bytes at the latest.
#[must_use]
pub fn opening(read: &[u8]) -> Option<Opening> {
    match read {
        [0x16, 0x03, ..] | [0x16] => client_hello(read),
        // An alert or another record before the hello: a lenient server might go on to read the hello.
        [0x16, ..] | [0x14..=0x17, 0x03, ..] => Some(Opening::UnreadableTls),
        // The hello of SSL 2 (RFC 5246 §E.2), which has no place for a name.
        [0x80..=0xff, _, 0x01, 0x00 | 0x03, ..] => Some(Opening::UnreadableTls),
        [0x14..=0x17] | [0x80..=0xff] | [0x80..=0xff, _] | [0x80..=0xff, _, 0x01] => None,
        _ => clear_text(read, false),
    }
}

/// Decides by all that will ever come. A hello that is not whole is for nobody.
#[must_use]
pub fn opening_at_end(read: &[u8]) -> Opening {
    opening(read).or_else(|| clear_text(read, true)).unwrap_or(Opening::Other)
}

/// A ClientHello that can be read in two ways, or not at all.
struct Ambiguous;

fn client_hello(read: &[u8]) -> Option<Opening> {
    match reassembled(read) {
        Ok(None) if read.len() < MAX_HELLO => None,
        Ok(Some(hello)) => Some(server_name(&hello).map_or(Opening::UnreadableTls, Opening::Tls)),
        Ok(None) | Err(Ambiguous) => Some(Opening::UnreadableTls),
    }
}

/// The body of the ClientHello, from as many records as it is spread over. `None` while it is not whole.
fn reassembled(read: &[u8]) -> Result<Option<Vec<u8>>, Ambiguous> {
    let mut records = Fields(read);
    let mut message = Vec::new();
    while let Some(fragment) = fragment(&mut records)? {
        message.extend_from_slice(fragment);
        let mut fields = Fields(&message);
        let (Ok(kind), Ok(len)) = (fields.number(1), fields.number(3)) else { continue };
        if kind != CLIENT_HELLO || len > MAX_HELLO || fields.0.len() > len {
            // Among them whatever follows the hello in its last record: one more hello, say.
            return Err(Ambiguous);
        }
        if fields.0.len() == len {
            return Ok(Some(fields.0.to_vec()));
        }
    }
    Ok(None)
}

/// What the next record holds of the handshake. `None` while it is not whole.
fn fragment<'a>(records: &mut Fields<'a>) -> Result<Option<&'a [u8]>, Ambiguous> {
    let [kind, major, _, high, low, ..] = records.0 else { return Ok(None) };
    let len = usize::from(u16::from_be_bytes([*high, *low]));
    // The minor version means nothing here (RFC 8446 §5.1).
    if *kind != 0x16 || *major != 0x03 || len > MAX_FRAGMENT {
        return Err(Ambiguous);
    }
    let Some((_, rest)) = records.0.split_at_checked(5).filter(|(_, rest)| rest.len() >= len) else {
        return Ok(None);
    };
    records.0 = rest;
    records.take(len).map(Some)
}

/// The server name in a ClientHello (RFC 8446 §4.1.2, RFC 5246 §7.4.1.2).
fn server_name(hello: &[u8]) -> Result<Option<Box<str>>, Ambiguous> {
    let mut hello = Fields(hello);
    let version = hello.number(2)?;
    hello.take(32)?;
    let session = hello.vector(1)?.0.len();
    let suites = hello.vector(2)?.0.len();
    let compressions = hello.vector(1)?.0.len();
    if version >> 8 != 3 || session > 32 || suites == 0 || !suites.is_multiple_of(2) || compressions == 0 {
        return Err(Ambiguous);
    }
    if hello.0.is_empty() {
        // Old clients have no extensions at all.
        return Ok(None);
    }
    let mut extensions = hello.vector(2)?;
    hello.end()?;
    let mut name = None;
    while !extensions.0.is_empty() {
        let kind = extensions.number(2)?;
        let extension = extensions.vector(2)?;
        if kind == SERVER_NAME && name.replace(host_name(extension)?).is_some() {
            return Err(Ambiguous);
        }
    }
    Ok(name)
}

/// The one name of a `server_name` extension.
fn host_name(mut extension: Fields<'_>) -> Result<Box<str>, Ambiguous> {
    let mut names = extension.vector(2)?;
    extension.end()?;
    if names.number(1)? != HOST_NAME {
        return Err(Ambiguous);
    }
    let name = names.vector(2)?;
    names.end()?;
    let name = std::str::from_utf8(name.0).map_err(|_| Ambiguous)?;
    if is_readable(name) { Ok(name.into()) } else { Err(Ambiguous) }
}

/// Letters of a name as DNS has it. With a NUL, a blank or an escape in it, two servers could make two names of it.
/// Addresses are not names (RFC 6066 §3), and servers take them for none; some clients send them all the same.
fn is_readable(name: &str) -> bool {
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    !name.is_empty() && (is_name || name.parse::<IpAddr>().is_ok())
}

/// The fields of a TLS structure that are still to be read (RFC 8446 §3).
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Ambiguous> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Ambiguous)?;
        self.0 = rest;
        Ok(taken)
    }

    /// A number of so many bytes, at most three.
    fn number(&mut self, bytes: usize) -> Result<usize, Ambiguous> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    /// What stands behind a length of so many bytes.
    fn vector(&mut self, bytes: usize) -> Result<Self, Ambiguous> {
        let len = self.number(bytes)?;
        self.take(len).map(Self)
    }

    fn end(&self) -> Result<(), Ambiguous> {
        if self.0.is_empty() { Ok(()) } else { Err(Ambiguous) }
    }
}

/// Looks for a request line: a method, a blank, and something that HTTP would ask for. Empty lines before it are
/// skipped by servers (RFC 9112 §2.2), other blanks by some.
fn clear_text(read: &[u8], is_all: bool) -> Option<Opening> {
    let start = read.iter().position(|byte| !is_blank(*byte)).unwrap_or(read.len());
    let text = read.get(start..).unwrap_or_default();
    let method = text.iter().take_while(|byte| is_token(**byte)).count();
    let is_full = read.len() >= MAX_REQUEST_LINE;
    match text.get(method) {
        // Servers exist that take a line of a megabyte: what began like one is one.
        None if is_full => Some(Opening::Http),
        None => is_all.then_some(Opening::Other),
        Some(byte) if method == 0 || !is_blank(*byte) => Some(Opening::Other),
        Some(_) => request_line(text, is_full, is_all),
    }
}

/// A line that names a version of HTTP, or a path. A greeting such as `EHLO mail` does neither.
fn request_line(text: &[u8], is_full: bool, is_all: bool) -> Option<Opening> {
    let end = text.iter().position(|byte| *byte == b'\n');
    let line = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
    // Any blank parts the words for a lenient server, a bare CR among them (RFC 9112 §3).
    let mut words = line.split(|byte| is_blank(*byte)).filter(|word| !word.is_empty()).skip(1).peekable();
    let has_target = words.peek().is_some_and(|target| is_target(target));
    // Nothing that comes could make this something else.
    if is_full || words.any(is_version) {
        return Some(Opening::Http);
    }
    let is_line = end.is_some() || is_all;
    is_line.then_some(if has_target { Opening::Http } else { Opening::Other })
}

/// `HTTP/1.1`, in either case.
fn is_version(word: &[u8]) -> bool {
    word.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"HTTP/"))
}

/// `/path` or `http://host/path`: servers take it for a target whatever follows it, or with nothing after it.
fn is_target(word: &[u8]) -> bool {
    word.starts_with(b"/") || word.windows(3).any(|window| window == b"://")
}

/// What parts words for some server: space, and the controls from tab to carriage return.
fn is_blank(byte: u8) -> bool {
    byte == b' ' || (b'\t'..=b'\r').contains(&byte)
}

/// A character of a method (RFC 9110 §5.6.2). Some servers take methods in lower case.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
