//! Hellos and request lines as clients, and those who would rather not be read, send them.

use proptest::prelude::*;

use super::*;

/// `bytes` behind their length.
fn vector(len_bytes: usize, bytes: &[u8]) -> Vec<u8> {
    let len = bytes.len().to_be_bytes();
    [&len[len.len() - len_bytes..], bytes].concat()
}

fn extension(kind: u16, body: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes(), &*vector(2, body)].concat()
}

fn entry(kind: u8, name: &[u8]) -> Vec<u8> {
    [&[kind], &*vector(2, name)].concat()
}

/// A `server_name` extension with these entries.
fn names(entries: &[u8]) -> Vec<u8> {
    extension(0, &vector(2, entries))
}

/// What comes before the extensions.
fn head(version: [u8; 2]) -> Vec<u8> {
    [&version, &[7; 32][..], &vector(1, &[9; 32]), &vector(2, &[0xc0, 0x2f]), &vector(1, &[0])].concat()
}

fn handshake(hello: &[u8]) -> Vec<u8> {
    [&[1], &*vector(3, hello)].concat()
}

fn record(fragment: &[u8]) -> Vec<u8> {
    [&[0x16, 3, 1], &*vector(2, fragment)].concat()
}

/// A ClientHello of TLS 1.2 with these extensions, in one record.
fn hello(extensions: &[u8]) -> Vec<u8> {
    record(&handshake(&[head([3, 3]), vector(2, extensions)].concat()))
}

fn named(name: &[u8]) -> Vec<u8> {
    hello(&[extension(0xff01, &[0]), names(&entry(0, name)), extension(0x2b, &[2, 3, 4])].concat())
}

fn tls(name: &str) -> Option<Opening> {
    Some(Opening::Tls(Some(name.into())))
}

#[test]
fn a_name_is_read_as_it_was_written() {
    for name in ["cdn.vendor.test", "CDN.Vendor.test.", "a_b-c.test", "192.0.2.1", "2001:db8::1"] {
        assert_eq!(opening(&named(name.as_bytes())), tls(name));
    }
}

#[test]
fn a_hello_of_tls_1_0_or_1_1_without_signature_algorithms_is_read() {
    for version in [[3, 0], [3, 1], [3, 2]] {
        let extensions = vector(2, &names(&entry(0, b"old.test")));
        assert_eq!(opening(&record(&handshake(&[head(version), extensions].concat()))), tls("old.test"));
    }
}

#[test]
fn a_hello_without_a_name_or_without_extensions_names_nobody() {
    for hello in [hello(&[]), hello(&extension(0x2b, &[2, 3, 4])), record(&handshake(&head([3, 1])))] {
        assert_eq!(opening(&hello), Some(Opening::Tls(None)));
    }
}

#[test]
fn two_names_are_no_name() {
    let one = names(&entry(0, b"front.test"));
    let other = names(&entry(0, b"cdn.vendor.test"));
    let both = names(&[entry(0, b"front.test"), entry(0, b"cdn.vendor.test")].concat());
    for extensions in [[&*one, &*other].concat(), [&*one, &*one].concat(), both] {
        assert_eq!(opening(&hello(&extensions)), Some(Opening::UnreadableTls), "{extensions:x?}");
    }
}

#[test]
fn lengths_that_do_not_fit_in_a_server_name() {
    let name = entry(0, b"v.test");
    for extension in [
        extension(0, &[]),
        names(&[]),
        names(&entry(0, b"")),
        names(&entry(1, b"v.test")),
        names(&[&*name, &[0]].concat()),
        extension(0, &[&*vector(2, &name), &[0]].concat()),
        extension(0, &[&[0, 99], &*name].concat()),
        extension(0, &vector(2, &[0, 0, 99, b'v'])),
    ] {
        assert_eq!(opening(&hello(&extension)), Some(Opening::UnreadableTls), "{extension:x?}");
    }
}

#[test]
fn a_name_that_two_servers_could_read_differently() {
    for name in
        [&b"front.test\0.cdn.vendor.test"[..], b"cdn%2evendor.test", b"a b.test", "bücher.test".as_bytes()]
    {
        assert_eq!(opening(&named(name)), Some(Opening::UnreadableTls), "{name:?}");
    }
    for name in [&b"a\nb"[..], b"\x1b[2J.test", b"\xff.test", b"v.test:443", b"[::1]", b"*"] {
        assert_eq!(opening(&named(name)), Some(Opening::UnreadableTls), "{name:?}");
    }
}

#[test]
fn bytes_after_the_hello_in_its_record_or_its_message() {
    let whole = [head([3, 3]), vector(2, &names(&entry(0, b"front.test")))].concat();
    let second = handshake(&[head([3, 3]), vector(2, &names(&entry(0, b"cdn.vendor.test")))].concat());
    for hello in [
        record(&[&*handshake(&whole), &[0]].concat()),
        record(&[handshake(&whole), second].concat()),
        record(&handshake(&[&*whole, &[0]].concat())),
    ] {
        assert_eq!(opening(&hello), Some(Opening::UnreadableTls));
    }
}

#[test]
fn other_records_before_or_between_those_of_the_hello() {
    let alert = [0x15, 3, 1, 0, 2, 1, 0x5a];
    let message = handshake(&[head([3, 3]), vector(2, &names(&entry(0, b"v.test")))].concat());
    let (first, rest) = message.split_at(10);
    assert_eq!(opening(&[&alert, &*named(b"v.test")].concat()), Some(Opening::UnreadableTls));
    assert_eq!(opening(&[&record(first), &alert[..], &record(rest)].concat()), Some(Opening::UnreadableTls));
    assert_eq!(opening(&[0x14, 3, 1, 0, 1, 1]), Some(Opening::UnreadableTls));
    assert_eq!(opening(&[0x14]), None);
}

#[test]
fn records_and_messages_that_are_no_hello() {
    let server_hello = [&[2], &*vector(3, &head([3, 3]))].concat();
    let oversized = [&[0x16, 3, 1, 0x40, 0x01], &[1; 16_385][..]].concat();
    let endless = [0x16, 3, 1, 0, 4, 1, 2, 0, 0];
    for hello in [record(&server_hello), oversized, endless.to_vec(), vec![0x16; 64], vec![0x16, 2, 0, 0, 1]]
    {
        assert_eq!(opening(&hello), Some(Opening::UnreadableTls));
    }
    // A hello that never becomes whole is waited for up to the bound.
    let empty = record(&[]);
    assert_eq!(opening(&empty.repeat(MAX_HELLO / 5)), None);
    assert_eq!(opening(&empty.repeat(MAX_HELLO / 5 + 1)), Some(Opening::UnreadableTls));
}

#[test]
fn a_hello_in_the_manner_of_ssl_2() {
    let hello = [0x80, 0x2e, 0x01, 0x03, 0x01, 0x00, 0x15, 0x00, 0x00, 0x00, 0x10];
    assert_eq!(opening(&hello), Some(Opening::UnreadableTls));
    assert_eq!(opening(&hello[..3]), None);
    assert_eq!(opening(&[0x80, 0x2e, 0x02]), Some(Opening::Other));
}

#[test]
fn what_is_clear_text_http() {
    for text in [
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\rHost: v.test\r\r",
        "\r\n\r\nGET / HTTP/1.1\r\n",
        " \tGET / HTTP/1.1\r\n",
        "get / http/1.1\n",
        "GET\t/\tHTTP/1.1\r\n",
        "GET\r/\rHTTP/1.1\n",
        "GET\x0c/\x0cHTTP/1.1\r\n",
        "GET  /a b c  HTTP/1.1\r\n",
        "GET / FOO/1.1\r\n",
        "GET /app.js\r\n",
        "GET http://cdn.vendor.test/app.js x\r\n",
        "M-SEARCH * HTTP/1.1\r\n",
        "PRI * HTTP/2.0\r\n",
        "GET / HTTP/",
    ] {
        assert_eq!(opening(text.as_bytes()), Some(Opening::Http), "{text:?}");
    }
}

#[test]
fn a_request_line_longer_than_is_waited_for_counts_as_one() {
    for start in ["GET /", "\r\n", "A", "GET "] {
        let text = format!("{start}{}", start.chars().last().unwrap().to_string().repeat(MAX_REQUEST_LINE));
        assert_eq!(opening(&text.as_bytes()[..MAX_REQUEST_LINE - 1]), None, "{start:?}");
        assert_eq!(opening(text.as_bytes()), Some(Opening::Http), "{start:?}");
    }
}

#[test]
fn what_is_neither() {
    for text in [
        "EHLO mail.example\r\n",
        "SSH-2.0-x\r\n",
        "QUIT\n",
        "a001 LOGIN u p\r\n",
        "A\u{1}",
        "{\"a\": 1}",
        "\0",
    ] {
        assert_eq!(opening(text.as_bytes()), Some(Opening::Other), "{text:?}");
    }
    for text in ["", "GET /", "\r\n", "SSH-2.0-x"] {
        assert_eq!(opening(text.as_bytes()), None, "{text:?}");
    }
}

#[test]
fn what_is_cut_short_is_told_by_what_there_is() {
    assert_eq!(opening_at_end(b"GET /app.js"), Opening::Http);
    assert_eq!(opening_at_end(b"EHLO mail"), Opening::Other);
    assert_eq!(opening_at_end(b""), Opening::Other);
    assert_eq!(opening_at_end(&named(b"v.test")[..40]), Opening::Other);
    assert_eq!(opening_at_end(&named(b"v.test")), Opening::Tls(Some("v.test".into())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = opening(&bytes);
        let _ = opening(&[&[0x16, 3, 1], &*bytes].concat());
        let _ = opening(&record(&handshake(&[&head([3, 3]), &*bytes].concat())));
    }

    #[test]
    fn a_hello_in_records_of_any_length_is_read_when_it_is_whole(cuts in prop::collection::vec(0_usize..20, 0..80)) {
        let message = handshake(&[head([3, 3]), vector(2, &names(&entry(0, b"cdn.vendor.test")))].concat());
        let mut rest = &*message;
        let mut wire = Vec::new();
        for cut in cuts {
            let (fragment, after) = rest.split_at(cut.min(rest.len().saturating_sub(1)));
            wire.extend(record(fragment));
            rest = after;
        }
        wire.extend(record(rest));
        for end in 0..wire.len() {
            prop_assert_eq!(opening(&wire[..end]), None);
        }
        prop_assert_eq!(opening(&wire), tls("cdn.vendor.test"));
    }

    #[test]
    fn more_bytes_never_change_what_was_decided(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let first = (0..=bytes.len()).find_map(|end| opening(&bytes[..end]));
        prop_assert!(first.is_none() || opening(&bytes).is_some());
    }
}
