//! The head of an HTTP/1 request, read more strictly than by the server behind it.
//!
//! hyper takes heads that RFC 9112 calls invalid or lets a recipient repair: bare line feeds, two equal lengths, a length
//! beside a transfer coding, codings that only end in `chunked`. Each is harmless as long as every parser on the way
//! repairs it alike, and none of them needs to pass. This module decides whether a head can be read in one way only; it
//! says nothing of what the request means.

use std::io::BufRead as _;
use std::mem::MaybeUninit;
use std::str::FromStr as _;

use http::{Method, Uri, header};
use pinfold_policy::reason::Reason;

/// A header section is at most this long, in bytes.
pub(crate) const MAX_HEAD: usize = 64 * 1024;
/// And has at most so many fields.
pub(crate) const MAX_FIELDS: usize = 128;

/// What follows a head (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// So many bytes, perhaps none.
    Exactly(u64),
    /// Chunks, up to an end that only their reader sees.
    Chunked,
}

/// The length of the head that `bytes` begin with, its blank line included; `None` while that has not come. The first
/// `seen` bytes were looked at before.
pub(crate) fn head_len(bytes: &[u8], seen: usize) -> Option<usize> {
    // A blank line that began in what was seen may end in what was not.
    let from = seen.saturating_sub(3);
    let mut rest = bytes.get(from..)?;
    // Line by line, since lines are found fast; reading from memory cannot fail.
    while let Ok(1..) = rest.skip_until(b'\n') {
        let at = bytes.len() - rest.len();
        // An end that a lenient parser sees is an end: the check below refuses it.
        match rest {
            [] => return None,
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// Reads a whole head, its blank line included.
///
/// # Errors
/// [`Reason::HeadersTooLarge`] for too many fields, else [`Reason::MalformedRequest`]: RFC 9112 does not allow the head,
/// or allows it to be read in two ways.
pub(crate) fn check(head: &[u8]) -> Result<Content, Reason> {
    if !is_clean(head) {
        return Err(Reason::MalformedRequest);
    }
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(head, &mut fields) {
        Ok(httparse::Status::Complete(len)) if len == head.len() => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Reason::HeadersTooLarge),
        Ok(_) | Err(_) => return Err(Reason::MalformedRequest),
    }
    let content = framing(&request).ok_or(Reason::MalformedRequest)?;
    if is_well_addressed(&request, content) { Ok(content) } else { Err(Reason::MalformedRequest) }
}

/// Lines end in CRLF, and no other control character but the tab stands anywhere (RFC 9110 §5.5, RFC 9112 §2.2): a bare
/// CR or LF ends a line for one parser and not for another, and a NUL a string.
///
/// What is left is what hyper takes in a field's value, so that it answers no head by itself.
fn is_clean(head: &[u8]) -> bool {
    // Each in one go over all bytes and without a way out, which compilers make fast.
    let is_text = |byte: &u8| !byte.is_ascii_control() || matches!(byte, b'\t' | b'\r' | b'\n');
    let pairs = head.iter().zip(head.iter().skip(1));
    head.iter().fold(true, |all, byte| all & is_text(byte))
        // A CR stands before each LF, and before nothing else.
        && pairs.fold(true, |all, (one, next)| all & ((*one == b'\r') == (*next == b'\n')))
        && !head.starts_with(b"\n")
        && head.ends_with(b"\n")
}

/// What the fields say of the content, if all that they say is one thing.
fn framing(request: &httparse::Request<'_, '_>) -> Option<Content> {
    let mut lengths = values(request, header::CONTENT_LENGTH.as_str());
    let mut codings = values(request, header::TRANSFER_ENCODING.as_str());
    let content = match (lengths.next(), codings.next()) {
        (None, None) => Content::Exactly(0),
        (Some(length), None) => Content::Exactly(digits(length)?),
        // RFC 9112 §6.1: whoever sends a transfer coding in HTTP/1.0 does not know what it is.
        (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") && request.version == Some(1) => {
            Content::Chunked
        }
        (_, Some(_)) => return None,
    };
    (lengths.next().is_none() && codings.next().is_none()).then_some(content)
}

/// `1*DIGIT`, of a number that no parser takes for a negative one.
fn digits(value: &[u8]) -> Option<u64> {
    let text =
        std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    i64::from_str(text).ok()?.try_into().ok()
}

/// Whether the target has the form that its method asks for (RFC 9112 §3.2), and a CONNECT what it needs. The `Host` of
/// other methods is looked at where it can be recorded whom the request was about.
fn is_well_addressed(request: &httparse::Request<'_, '_>, content: Content) -> bool {
    let (Some(method), Some(target)) = (request.method, request.path) else { return false };
    let Ok(uri) = Uri::try_from(target) else { return false };
    if method != Method::CONNECT.as_str() {
        let is_origin_form = target.starts_with('/');
        return is_origin_form || uri.scheme().is_some() || (method == "OPTIONS" && target == "*");
    }
    let is_authority_form =
        uri.authority().is_some_and(|authority| authority.as_str() == target) && uri.scheme().is_none();
    let hosts = values(request, header::HOST.as_str()).count();
    // Content would be the tunnel's first bytes for one parser, and not for another. `Host` may be missing, as clients
    // exist that send none here: the target says whom it is about, and no vendor gets this head.
    is_authority_form && content == Content::Exactly(0) && hosts <= 1
}

fn values<'r>(request: &'r httparse::Request<'_, '_>, name: &'static str) -> impl Iterator<Item = &'r [u8]> {
    request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
}

#[cfg(test)]
mod tests {
    use hyper::body::Body as _;
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const MALFORMED: Result<Content, Reason> = Err(Reason::MalformedRequest);

    /// The verdict on a GET with these lines after its own.
    fn of(lines: &str) -> Result<Content, Reason> {
        check(format!("GET /app.js HTTP/1.1\r\nHost: v.test\r\n{lines}\r\n").as_bytes())
    }

    #[test]
    fn what_follows_a_head() {
        assert_eq!(of(""), Ok(Content::Exactly(0)));
        assert_eq!(of("Content-Length: 0\r\n"), Ok(Content::Exactly(0)));
        assert_eq!(of("content-length:\t17 \r\n"), Ok(Content::Exactly(17)));
        assert_eq!(of("Transfer-Encoding: Chunked\r\n"), Ok(Content::Chunked));
    }

    #[test]
    fn lengths_that_can_be_read_in_two_ways() {
        for lines in [
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5, 5\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: -1\r\n",
            "Content-Length: 0x5\r\n",
            "Content-Length: 5 5\r\n",
            "Content-Length:\r\n",
            "Content-Length: 18446744073709551621\r\n",
            "Content-Length: 9223372036854775808\r\n",
        ] {
            assert_eq!(of(lines), MALFORMED, "{lines}");
        }
    }

    #[test]
    fn transfer_codings_that_can_be_read_in_two_ways() {
        for lines in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding: \"chunked\"\r\n",
            "Transfer-Encoding: chunked;q=1\r\n",
            "Transfer-Encoding: identity\r\n",
            "Transfer-Encoding:\r\n",
            "Transfer-Encoding:\u{b}chunked\r\n",
            "Transfer-Encoding : chunked\r\n",
            "X: y\r\n Transfer-Encoding: chunked\r\n",
        ] {
            assert_eq!(of(lines), MALFORMED, "{lines}");
        }
        assert_eq!(check(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), MALFORMED);
    }

    #[test]
    fn lines_and_bytes_that_can_be_read_in_two_ways() {
        for head in [
            &b"GET / HTTP/1.1\nHost: v.test\n\n"[..],
            b"GET / HTTP/1.1\r\nHost: v.test\n\r\n",
            b"GET / HTTP/1.1\r\nHost: v.test\r\nX: a\rb\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: v.test\r\nX: a\0b\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: v.test\r\nX: a\x0bb\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: v.test\r\nX: a\x7fb\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: v.test\r\nX: a\r\n b\r\n\r\n",
            b"GET / HTTP/1.1\r\n Host: v.test\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost : v.test\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: v.test\r\n: a\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: v.test\r\nX\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: v.test\r\nX[: a\r\n\r\n",
            b"GET  / HTTP/1.1\r\nHost: v.test\r\n\r\n",
            b"GET / HTTP/1.1 \r\nHost: v.test\r\n\r\n",
            b"GET\t/ HTTP/1.1\r\nHost: v.test\r\n\r\n",
            b" GET / HTTP/1.1\r\nHost: v.test\r\n\r\n",
            b"GET /a b HTTP/1.1\r\nHost: v.test\r\n\r\n",
            b"GET / HTTP/1.2\r\nHost: v.test\r\n\r\n",
            b"GET / http/1.1\r\nHost: v.test\r\n\r\n",
            b"GET / HTTP/2.0\r\nHost: v.test\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\n",
            b"GET /\r\n\r\n",
            b"G(T / HTTP/1.1\r\nHost: v.test\r\n\r\n",
        ] {
            assert_eq!(check(head), MALFORMED, "{}", head.escape_ascii());
        }
    }

    #[test]
    fn targets_that_do_not_fit_their_method() {
        let of = |method: &str, target: &str| {
            check(format!("{method} {target} HTTP/1.1\r\nHost: v.test\r\n\r\n").as_bytes())
        };
        let fits = [
            ("GET", "/a"),
            ("GET", "//w.test/a"),
            ("GET", "http://v.test/"),
            ("OPTIONS", "*"),
            ("CONNECT", "v.test:443"),
            ("CONNECT", "[::1]:443"),
        ];
        for (method, target) in fits {
            assert_eq!(of(method, target), Ok(Content::Exactly(0)), "{method} {target}");
        }
        let strays = [
            ("GET", "*"),
            ("GET", "v.test"),
            ("GET", "v.test:443"),
            ("GET", "?a"),
            ("CONNECT", "/a"),
            ("CONNECT", "https://v.test:443"),
            ("CONNECT", "*"),
        ];
        for (method, target) in strays {
            assert_eq!(of(method, target), MALFORMED, "{method} {target}");
        }
    }

    #[test]
    fn a_connect_names_at_most_one_host_and_has_no_content() {
        let of = |version: &str, lines: &str| {
            check(format!("CONNECT v.test:443 HTTP/{version}\r\n{lines}\r\n").as_bytes())
        };
        assert_eq!(of("1.0", ""), Ok(Content::Exactly(0)));
        assert_eq!(of("1.1", ""), Ok(Content::Exactly(0)));
        assert_eq!(of("1.1", "Host: v.test:443\r\nContent-Length: 0\r\n"), Ok(Content::Exactly(0)));
        assert_eq!(of("1.1", "Host: v.test:443\r\nHost: w.test:443\r\n"), MALFORMED);
        assert_eq!(of("1.1", "Host: v.test:443\r\nContent-Length: 1\r\n"), MALFORMED);
        assert_eq!(of("1.1", "Host: v.test:443\r\nTransfer-Encoding: chunked\r\n"), MALFORMED);
    }

    #[test]
    fn fields_are_counted() {
        assert_eq!(of(&"X: y\r\n".repeat(MAX_FIELDS - 1)), Ok(Content::Exactly(0)));
        assert_eq!(of(&"X: y\r\n".repeat(MAX_FIELDS)), Err(Reason::HeadersTooLarge));
    }

    #[test]
    fn the_end_of_a_head_is_found_however_it_arrives() {
        let head = b"GET / HTTP/1.1\r\nHost: v.test\r\n\r\nGET /next";
        let len = head.len() - b"GET /next".len();
        for seen in 0..len {
            assert_eq!(head_len(&head[..seen], 0), None);
            assert_eq!(head_len(head, seen), Some(len), "after {seen} bytes");
        }
        assert_eq!(head_len(b"GET / HTTP/1.1\n\nGET", 0), Some(16));
        assert_eq!(head_len(b"GET / HTTP/1.1\n\r\nGET", 0), Some(17));
    }

    /// Fields that a server reads for itself, and values of every kind.
    const LINES: [&str; 18] = [
        "Host: v.test\r\n",
        "Host: w.test\r\n",
        "Content-Length: 0\r\n",
        "Content-Length: 05\r\n",
        "Transfer-Encoding: chunked\r\n",
        "transfer-encoding: CHUNKED\t\r\n",
        "Connection: close, Content-Length\r\n",
        "Connection: Upgrade, HTTP2-Settings\r\n",
        "Upgrade: h2c\r\n",
        "Upgrade: websocket\r\n",
        "Expect: 100-continue\r\n",
        "Expect: x\r\n",
        "TE: trailers\r\n",
        "Trailer: Content-Length\r\n",
        "X:\r\n",
        "X: a\tb\u{80}\u{ff}\r\n",
        "x: A:b \r\n",
        "!#$%&'*+-.^_`|~: y\r\n",
    ];

    /// What heads are made of, and what makes them ambiguous.
    const PIECES: [&str; 26] = [
        "GET / HTTP/1.1\r\n",
        "Host: v.test\r\n",
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "chunked",
        "identity",
        "POST",
        "HTTP/1.1",
        "/a",
        "5",
        ",",
        ":",
        ": ",
        " ",
        "\t",
        "\u{b}",
        "\0",
        "\r",
        "\n",
        "\r\n",
        "\"",
        "X",
        "\u{e4}",
    ];

    /// What hyper gives its service of these bytes, or what it answers by itself.
    async fn given_by_hyper(bytes: &[u8]) -> Result<http::Request<hyper::body::Incoming>, String> {
        let (mut client, server) = tokio::io::duplex(256 * 1024);
        client.write_all(bytes).await.unwrap();
        client.shutdown().await.unwrap();
        let (given, mut taken) = tokio::sync::mpsc::channel(2);
        let service = hyper::service::service_fn(move |request| {
            given.try_send(request).unwrap();
            std::future::pending::<Result<http::Response<http_body_util::Empty<bytes::Bytes>>, std::io::Error>>(
            )
        });
        let mut http1 = hyper::server::conn::http1::Builder::new();
        http1.max_headers(MAX_FIELDS).max_buf_size(MAX_HEAD).half_close(true);
        let serving = http1.serve_connection(hyper_util::rt::TokioIo::new(server), service).with_upgrades();
        tokio::select! {
            biased;
            ended = serving => {
                let mut said = String::new();
                client.read_to_string(&mut said).await.unwrap();
                Err(format!("{ended:?}: {said}"))
            }
            Some(request) = taken.recv() => Ok(request),
        }
    }

    proptest! {
        #[test]
        fn a_head_is_clean_and_ends_as_counting_byte_by_byte_says(
            pieces in proptest::collection::vec(proptest::sample::select(vec!["\r", "\n", "\r\n", "a", "\t", "\u{1}"]), 0..40),
            seen in 0..80_usize,
        ) {
            let text = pieces.concat();
            let bytes = text.as_bytes();
            let count = |of: &str| text.matches(of).count();
            let is_clean_by_count = count("\u{1}") == 0
                && (count("\r"), count("\n")) == (count("\r\n"), count("\r\n"))
                && text.ends_with('\n');
            prop_assert_eq!(is_clean(bytes), is_clean_by_count, "{:?}", text);
            let ends = ["\n\n", "\n\r\n"].map(|end| text.find(end).map(|at| (at, at + end.len())));
            let end = ends.into_iter().flatten().min().map(|(_, len)| len);
            let seen = seen.min(bytes.len());
            // What was seen has no end.
            prop_assume!(end.is_none_or(|len| len > seen));
            prop_assert_eq!(head_len(bytes, seen), end, "{:?} {}", text, seen);
        }

        /// Nothing is answered by hyper itself, nothing is read in another way there, and no field is lost or joined.
        #[test]
        fn what_passes_is_given_on_by_hyper_as_it_stands(
            method in proptest::sample::select(vec!["GET", "POST", "HEAD", "OPTIONS", "CONNECT", "X-!#$%&'*+.^_`|~"]),
            target in proptest::sample::select(vec!["/a", "*", "v.test:443", "http://v.test/", "/\u{e4}", "/a?b#c", "//"]),
            version in proptest::sample::select(vec!["1.0", "1.1"]),
            lines in proptest::collection::vec(proptest::sample::select(&LINES[..]), 0..6),
        ) {
            let head = format!("{method} {target} HTTP/{version}\r\n{}\r\n", lines.concat());
            let Ok(content) = check(head.as_bytes()) else { return Ok(()) };
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let request = runtime.block_on(given_by_hyper(head.as_bytes()));
            let request = request.map_err(|said| TestCaseError::fail(format!("{head:?}: {said}")))?;
            prop_assert_eq!(request.method().as_str(), method);
            let read = (request.body().size_hint().exact(), request.body().is_end_stream());
            let expected = match content {
                Content::Exactly(len) => (Some(len), len == 0),
                Content::Chunked => (None, false),
            };
            prop_assert_eq!(read, expected, "{}", head);
            let sorted = |mut fields: Vec<(String, Vec<u8>)>| {
                fields.sort();
                fields
            };
            let found = request.headers().iter();
            let found = found.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
            let sent = lines.iter().filter_map(|line| line.split_once(':'));
            let sent = sent.map(|(name, value)| (name.to_ascii_lowercase(), value.trim_ascii().into()));
            prop_assert_eq!(sorted(found.collect()), sorted(sent.collect()));
        }

        /// A reader that takes any line end, any space around a name and folded lines finds the fields that we found.
        #[test]
        fn what_passes_is_read_alike_by_a_lenient_reader(
            pieces in proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..12),
        ) {
            let head = format!("GET / HTTP/1.1\r\nHost: v.test\r\n{}\r\n\r\n", pieces.concat());
            let len = head_len(head.as_bytes(), 0).unwrap();
            let (head, _) = head.split_at(len);
            let Ok(content) = check(head.as_bytes()) else { return Ok(()) };
            let unfolded = head.replace(['\r', '\n'], "\n").replace("\n ", " ").replace("\n\t", " ");
            let named = |name: &str| -> Vec<String> {
                let fields = unfolded.split('\n').filter_map(|line| line.split_once(':'));
                let of_name = fields.filter(|(found, _)| found.trim().eq_ignore_ascii_case(name));
                of_name.map(|(_, value)| value.trim().to_ascii_lowercase()).collect()
            };
            let expected = match content {
                Content::Exactly(0) => (vec![], vec![]),
                Content::Exactly(len) => (vec![len.to_string()], vec![]),
                Content::Chunked => (vec![], vec!["chunked".to_owned()]),
            };
            prop_assert_eq!((named("content-length"), named("transfer-encoding")), expected);
        }
    }
}
