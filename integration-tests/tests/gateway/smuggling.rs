//! Requests that carry another one, before an origin that reads them in every way that is known. Whatever it believes, it
//! finds the one request that was judged, or none.

use pinfold_integration_tests::frames::{DATA, END_HEADERS, END_STREAM, Frame, HEADERS, Wire, block};
use pinfold_integration_tests::{
    Gateway, RawOrigin, Reading, client, eventually, gateway, raw_origin, shown,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What the origin says to everything.
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";
/// The request that must never arrive as one.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: raw.test\r\n\r\n";

/// A gateway before an origin that no vendor claims.
async fn gateway_to(origin: &RawOrigin) -> Gateway {
    gateway().set_in("egress.resolve", RawOrigin::HOST, origin.address().to_string()).listen().await
}

/// Says these bytes to the proxy, and gives all that comes back up to the end of the connection.
async fn said(gateway: &Gateway, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(gateway.proxy()).await.unwrap();
    let mut answer = Vec::new();
    eventually("the end of a connection", async {
        stream.write_all(bytes).await.unwrap();
        drop(stream.read_to_end(&mut answer).await);
    })
    .await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// A request that was tried, by a path of its own.
struct Tried {
    line: String,
    attack: &'static str,
    is_refused: bool,
}

/// Checks what every reading makes of all that an origin got: of each request nothing where it was refused, else that one,
/// perhaps cut short where its content turned out to be nonsense. All at once, since what was cut short may arrive behind
/// the answer that says so.
fn sees_no_other(origin: &RawOrigin, tried: &[Tried]) {
    let got = origin.take();
    for reading in Reading::ALL {
        let mut arrived = vec![0; tried.len()];
        for bytes in &got {
            for found in reading.requests(bytes) {
                let line = found.trim_start_matches("left over: ");
                let which = tried.iter().position(|tried| line.starts_with(&tried.line));
                let which =
                    which.unwrap_or_else(|| panic!("read {reading:?}: {found}\n{}", bytes.escape_ascii()));
                arrived[which] += 1;
            }
        }
        assert!(arrived.contains(&1), "read {reading:?}: nothing came");
        for (Tried { line, attack, is_refused }, arrived) in tried.iter().zip(arrived) {
            let most = usize::from(!is_refused);
            assert!(arrived <= most, "{attack}: {line}, read {reading:?}: {arrived}\n{}", shown(&got));
        }
    }
}

/// Requests whose head can be read in two ways: what stands behind their `Host`.
fn ambiguous() -> Vec<(&'static str, String)> {
    let len = HIDDEN.len();
    let chunk = format!("{len:x}\r\n{HIDDEN}\r\n0\r\n\r\n");
    let end = format!("0\r\n\r\n{HIDDEN}");
    let te = |field: &str| format!("Content-Length: {}\r\n{field}\r\n\r\n{end}", end.len());
    let alone = |field: &str| format!("{field}\r\n\r\n{end}");
    vec![
        ("CL.TE", te("Transfer-Encoding: chunked")),
        ("TE.CL", format!("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n{chunk}")),
        ("TE.TE, two of them", alone("Transfer-Encoding: chunked\r\nTransfer-Encoding: x")),
        ("TE.TE, none first", alone("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked")),
        ("TE.TE, space before the colon", te("Transfer-Encoding : chunked")),
        ("TE.TE, vertical tab", te("Transfer-Encoding:\u{b}chunked")),
        ("TE.TE, folded", te("Transfer-Encoding:\r\n chunked")),
        ("TE.TE, folded into another", te("X: y\r\n Transfer-Encoding: chunked")),
        ("TE.TE, behind a line feed", te("X: y\nTransfer-Encoding: chunked")),
        ("TE.TE, behind a carriage return", te("X: y\rTransfer-Encoding: chunked")),
        ("TE.TE, behind a NUL", te("X: y\0\r\nTransfer-Encoding: chunked")),
        ("TE.TE, quoted", alone("Transfer-Encoding: \"chunked\"")),
        ("TE.TE, xchunked", alone("Transfer-Encoding: xchunked")),
        ("TE.TE, a list", alone("Transfer-Encoding: gzip, chunked")),
        ("TE.TE, a comma", alone("Transfer-Encoding: chunked,")),
        ("two lengths", format!("Content-Length: 0\r\nContent-Length: {len}\r\n\r\n{HIDDEN}")),
        ("two equal lengths", format!("Content-Length: 2\r\nContent-Length: 2\r\n\r\nok{HIDDEN}")),
        ("a list of lengths", format!("Content-Length: 0, {len}\r\n\r\n{HIDDEN}")),
        ("a length with a sign", format!("Content-Length: +{len}\r\n\r\n{HIDDEN}")),
        ("a length in hexadecimal", format!("Content-Length: 0x{len:x}\r\n\r\n{HIDDEN}")),
        ("a length over u64", format!("Content-Length: 18446744073709551616\r\n\r\n{HIDDEN}")),
        ("another Host", "Host: other.test\r\nConnection: close\r\n\r\n".to_owned()),
        ("a bare line feed at the end", format!("\n{HIDDEN}")),
    ]
}

/// Requests that have one head, and content that can be read in two ways or that some origins do not expect.
fn with_odd_content() -> Vec<(&'static str, String)> {
    let len = HIDDEN.len();
    let chunked = |rest: &str| format!("Transfer-Encoding: chunked\r\n\r\n{rest}");
    let end = format!("0\r\n\r\n{HIDDEN}");
    let close = |fields: &str| format!("Connection: close\r\n{fields}");
    vec![
        ("CL.0", close(&format!("Content-Length: {len}\r\n\r\n{HIDDEN}"))),
        ("a request behind chunks", chunked(&format!("2\r\nok\r\n{end}"))),
        ("a chunk size with a sign", chunked(&format!("+2\r\nok\r\n{end}"))),
        ("a chunk size over u64", chunked(&format!("10000000000000002\r\nok\r\n{end}"))),
        ("a chunk line that ends in a line feed", chunked(&format!("2\nok\r\n{end}"))),
        ("a chunk extension", chunked(&format!("2;a=\"b\"\r\nok\r\n{end}"))),
        ("a chunk extension with a line feed", chunked(&format!("2;\nxx\r\nok\r\n{end}"))),
        ("a chunk that is longer than its size", chunked(&format!("1\r\nok\r\n{end}"))),
        ("trailers", chunked("2\r\nok\r\n0\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n")),
        ("Expect", close("Expect: 100-continue\r\nContent-Length: 2\r\n\r\nok")),
        (
            "Upgrade to h2c",
            format!(
                "Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\
                 Content-Length: 2\r\n\r\nok{HIDDEN}"
            ),
        ),
        (
            "Upgrade to a WebSocket with content",
            format!(
                "Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Content-Length: {len}\r\n\r\n{HIDDEN}"
            ),
        ),
        (
            "Connection names what frames",
            "Connection: Content-Length, Host, X, close\r\nX: y\r\nContent-Length: 2\r\n\r\nok".to_owned(),
        ),
    ]
}

#[tokio::test]
async fn a_request_inside_a_request() {
    let origin = raw_origin(OK).await;
    let gateway = gateway_to(&origin).await;
    let all = [(ambiguous(), true), (with_odd_content(), false)];
    let mut tried = Vec::new();
    for ((attack, rest), is_refused) in
        all.iter().flat_map(|(rows, refused)| rows.iter().zip(std::iter::repeat(*refused)))
    {
        for method in ["POST", "GET"] {
            let path = format!("/judged/{}", tried.len());
            let request = format!("{method} http://raw.test{path} HTTP/1.1\r\nHost: raw.test\r\n{rest}");
            let answer = said(&gateway, request.as_bytes()).await;
            assert!(!is_refused || answer.starts_with("HTTP/1.1 400 "), "{attack}: {answer}");
            assert_eq!(
                answer.replace("HTTP/1.1 100 Continue", "").matches("HTTP/1.1 ").count(),
                1,
                "{attack}: {answer}"
            );
            tried.push(Tried { line: format!("{method} {path} HTTP/1.1"), attack, is_refused });
        }
    }
    sees_no_other(&origin, &tried);
}

#[tokio::test]
async fn fields_of_one_hop_and_trailers_do_not_arrive() {
    let origin = raw_origin(OK).await;
    let gateway = gateway_to(&origin).await;
    let request = "POST http://raw.test/judged HTTP/1.1\r\nHost: raw.test\r\n\
        Connection: Upgrade, HTTP2-Settings, X-Hop\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nX-Hop: 1\r\n\
        Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic eDp5\r\nTE: gzip\r\n\
        Expect: 100-continue\r\nTrailer: X-Behind\r\nTransfer-Encoding: chunked\r\n\r\n2;ext=1\r\nok\r\n0\r\nX-Behind: 1\r\n\r\n";

    let answer = said(&gateway, request.as_bytes()).await;

    assert!(answer.contains("HTTP/1.1 200 "), "{answer}");
    let got = shown(&origin.take()).to_ascii_lowercase();
    assert!(
        got.contains("transfer-encoding: chunked") && got.contains("2\\r\\nok\\r\\n0\\r\\n\\r\\n"),
        "{got}"
    );
    for name in [
        "upgrade",
        "http2-settings",
        "x-hop",
        "keep-alive",
        "proxy-",
        "\\nte:",
        "expect",
        "trailer",
        "x-behind",
        "ext=",
    ] {
        assert!(!got.contains(name), "{name}: {got}");
    }
}

#[tokio::test]
async fn a_request_inside_a_request_of_http2() {
    let origin = raw_origin(OK).await;
    // The tunnel's HTTP/2 is in the clear, and the origin is what CONNECT names.
    let gateway = gateway().set_in("egress.resolve", RawOrigin::HOST, origin.address().to_string());
    let gateway = gateway.set_in("egress", "connect_ports", serde_json::json!([80])).listen().await;
    let hidden_len = HIDDEN.len().to_string();
    for (attack, fields) in [
        ("h2.CL", ("content-length", "0")),
        ("h2.CL, too long", ("content-length", "4096")),
        ("h2.TE", ("transfer-encoding", "chunked")),
        ("h2.TE in a value", ("x", "y\r\ntransfer-encoding: chunked")),
        ("h2.TE in a name", ("x: y\r\ntransfer-encoding", "chunked")),
        ("a request in a value", ("x", "y\r\n\r\nGET /hidden HTTP/1.1\r\nhost: raw.test\r\n\r\n")),
        ("as it should be", ("content-length", &hidden_len)),
    ] {
        let may_arrive = attack == "as it should be";
        let mut wire = Wire::open_clear(&client(&gateway), &format!("{}:80", RawOrigin::HOST)).await;
        let head = [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", RawOrigin::HOST),
            (":path", "/judged"),
            fields,
        ];
        wire.send(&Frame::new(HEADERS, END_HEADERS, 1, block(&head))).await.unwrap();
        wire.send(&Frame::new(DATA, END_STREAM, 1, HIDDEN)).await.unwrap();
        let fate = wire.fate(1).await;
        let got = origin.take();
        for reading in Reading::ALL {
            let found: Vec<String> = got.iter().flat_map(|bytes| reading.requests(bytes)).collect();
            let is_hidden = |line: &String| line.starts_with("GET /hidden");
            assert!(!found.iter().any(is_hidden), "{attack}, {fate:?}, read {reading:?}:\n{}", shown(&got));
            assert!(
                !may_arrive || found == ["POST /judged HTTP/1.1"],
                "{attack}, {fate:?}:\n{}",
                shown(&got)
            );
        }
    }
}

#[tokio::test]
async fn bytes_behind_a_complete_response_are_nobodys_answer() {
    let poison = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\npoison";
    for first in [
        OK,
        "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nok",
    ] {
        let origin = raw_origin(format!("{first}{poison}")).await;
        let gateway = gateway_to(&origin).await;
        for _ in 0..20 {
            let reply = client(&gateway).get("http://raw.test/data").await;
            assert_ne!(reply.body(), b"poison");
        }
        let reply = client(&gateway).ask(http::Method::HEAD, "http://raw.test/data").await;
        assert!(reply.body().is_empty());
    }
}

#[tokio::test]
async fn a_connection_that_one_client_has_signed_in_is_used_for_no_other() {
    let origin = raw_origin(OK).await;
    for scheme in ["NTLM", "negotiate"] {
        let gateway = gateway_to(&origin).await;
        let ask = async |path: &str, fields: &str| {
            let request = format!(
                "GET http://raw.test{path} HTTP/1.1\r\nHost: raw.test\r\n{fields}Connection: close\r\n\r\n"
            );
            let answer = said(&gateway, request.as_bytes()).await;
            assert!(answer.contains("HTTP/1.1 200 "), "{answer}");
        };
        ask("/", "").await;
        ask("/as-ada", &format!("Authorization: {scheme} TlRMTVNTUAAD\r\n")).await;
        ask("/as-anyone", "").await;
        let got = origin.take();
        let together = |bytes: &&Vec<u8>| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            text.contains("/as-ada") && text.contains("/as-anyone")
        };
        assert_eq!(got.iter().filter(together).count(), 0, "{}", shown(&got));
        assert_eq!(got.len(), 2, "{}", shown(&got));
    }
}
