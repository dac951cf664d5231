//! What a client says first in a tunnel. (What its `CONNECT` names is `host`'s.)
//!
//! The input is the bytes in the tunnel, or, after a first byte below 16, a host name and what is done to the ClientHello
//! that names it. rustls is the second reader.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pinfold_policy::host::Host;
use pinfold_policy::opening::{MAX_HELLO, Opening, opening, opening_at_end};
use rustls::server::Acceptor;

fuzz_target!(|data: &[u8]| {
    let wire = match data {
        [how @ 0..0x10, rest @ ..] => hello(*how, rest),
        _ => data.to_vec(),
    };
    if let [how @ 0..0x10, rest @ ..] = data {
        as_built(*how, rest, &opening_at_end(&wire));
    }
    let decided = opening(&wire);
    once_decided(&wire, decided.as_ref());
    same_name(&wire, &opening_at_end(&wire));
    http_is_seen(&wire, &opening_at_end(&wire));
});

/// However the bytes arrive, the first decision is the one that stands.
fn once_decided(wire: &[u8], whole: Option<&Opening>) {
    let step = (wire.len() / 64).max(1);
    let mut first = None;
    for prefix in (0..=wire.len()).step_by(step).filter_map(|end| wire.get(..end)) {
        let now = opening(prefix);
        assert!(first.is_none() || now == first, "{first:?}, and {} bytes in {now:?}", prefix.len());
        first = now;
    }
    assert!(first.is_none() || whole == first.as_ref(), "{first:?}, and in the end {whole:?}");
    assert!(whole.is_some() || wire.len() < MAX_HELLO, "nothing is decided at {} bytes", wire.len());
    if let Some(whole) = whole {
        assert_eq!(opening_at_end(wire), *whole, "the end of the stream changes what was decided");
    }
}

/// Where rustls reads a name, pinfold reads that name or refuses; and it never reads another.
fn same_name(wire: &[u8], opening: &Opening) {
    let theirs = theirs(wire);
    match (opening, theirs) {
        (Opening::Tls(Some(ours)), Some(Some(theirs))) => {
            assert_eq!(Host::parse(ours), Host::parse(&theirs), "{ours:?} here, {theirs:?} there");
        }
        // rustls reads an address, which is no server name (RFC 6066 §3), as none.
        (Opening::Tls(Some(ours)), Some(None)) => {
            assert!(ours.parse::<std::net::IpAddr>().is_ok(), "{ours:?} here, nothing there");
        }
        (Opening::Tls(None), Some(Some(theirs))) => panic!("{theirs:?} there, nothing here"),
        (Opening::Http | Opening::Other, Some(name)) => panic!("{opening:?} here, TLS for {name:?} there"),
        (Opening::Tls(_) | Opening::UnreadableTls, _) | (Opening::Http | Opening::Other, None) => {}
    }
    if let Opening::Tls(Some(name)) = opening {
        assert!(name.bytes().all(|byte| byte.is_ascii_graphic()), "{name:?}");
    }
}

/// The server name in a ClientHello, as rustls reads it.
fn theirs(mut wire: &[u8]) -> Option<Option<String>> {
    let mut acceptor = Acceptor::default();
    loop {
        if acceptor.read_tls(&mut wire).ok()? == 0 {
            return None;
        }
        if let Some(accepted) = acceptor.accept().ok()? {
            return Some(accepted.client_hello().server_name().map(str::to_owned));
        }
    }
}

/// A plain request line is HTTP, whatever stands before it in empty lines.
fn http_is_seen(wire: &[u8], opening: &Opening) {
    let start = wire.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(wire.len());
    let line = wire[start..].split(|byte| *byte == b'\n').next().unwrap_or_default();
    let Ok(line) = std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)) else { return };
    let words: Vec<&str> = line.split(' ').collect();
    let [method, target, version] = words.as_slice() else { return };
    let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_target = !target.is_empty() && target.bytes().all(|byte| byte.is_ascii_graphic());
    if is_method && is_target && version.starts_with("HTTP/1.") {
        assert_eq!(*opening, Opening::Http, "{line:?}");
    }
}

/// An undamaged hello is read as it was built: with its one name, without one, or, with two, not at all.
fn as_built(how: u8, rest: &[u8], opening: &Opening) {
    if how & 4 != 0 || rest.len() < 3 {
        return;
    }
    let name = name_in(rest);
    let is_plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(byte));
    match (how % 4, opening) {
        (0 | 1, Opening::Tls(Some(read))) => assert_eq!(read.as_bytes(), name),
        (0 | 1, opening) => assert!(!is_plain && *opening == Opening::UnreadableTls, "{opening:?}"),
        (2, opening) => assert_eq!(*opening, Opening::UnreadableTls, "two names are no name"),
        (_, opening) => assert_eq!(*opening, Opening::Tls(None)),
    }
}

/// The name of a built hello.
fn name_in(rest: &[u8]) -> &[u8] {
    match rest.get(3..) {
        None | Some([]) => b"cdn.vendor.test",
        Some(name) => &name[..name.len().min(512)],
    }
}

/// A ClientHello for a name, whole or damaged. RFC 8446 §4.1.2.
fn hello(how: u8, rest: &[u8]) -> Vec<u8> {
    let [edit, at, cut, ..] = rest else { return Vec::new() };
    let with_length = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let entry = [&[0][..], &with_length(name_in(rest))].concat();
    let server_name = [&[0, 0][..], &with_length(&with_length(&entry))].concat();
    // supported_versions: TLS 1.3; signature_algorithms: ed25519. rustls asks for them.
    let others = [0, 43, 0, 3, 2, 3, 4, 0, 13, 0, 4, 0, 2, 8, 7];
    let extensions = match how % 4 {
        0 => [&server_name[..], &others].concat(),
        1 => [&others[..], &server_name].concat(),
        2 => [&server_name[..], &others, &server_name].concat(),
        _ => others.to_vec(),
    };
    let front = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0x13, 1], &[1, 0]].concat();
    let body = [front, with_length(&extensions)].concat();
    let mut message = [&[1, 0][..], &with_length(&body)].concat();
    if how & 4 != 0 {
        let place = usize::from(*at) % message.len();
        message[place] ^= edit;
    }
    let piece = if how & 8 != 0 { 1 + usize::from(*cut) } else { message.len() };
    message.chunks(piece).flat_map(|piece| [&[0x16, 3, 1][..], &with_length(piece)].concat()).collect()
}
