//! HTTP/1 clients: heads that can be read in two ways, that are too large or too late, and what follows a head.

use std::fmt::Write as _;
use std::sync::Arc;

use http::Method;
use pinfold_integration_tests::frames::{Frame, SETTINGS, WINDOW_UPDATE, Wire, get};
use pinfold_integration_tests::{Answer, Client, Gate, Gateway, Vendor, client, eventually, vendor};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{REVIEWED, gateway_pinning, pinning, vendor_of, verified};

/// Says these bytes, and gives all that comes back up to the end of the connection.
async fn said(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> String {
    let mut answer = Vec::new();
    eventually("the end of a connection", async {
        stream.write_all(bytes).await.unwrap();
        stream.flush().await.unwrap();
        // An end without a goodbye is an end.
        drop(stream.read_to_end(&mut answer).await);
    })
    .await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn dial(gateway: &Gateway) -> TcpStream {
    TcpStream::connect(gateway.proxy()).await.unwrap()
}

/// A TLS connection inside the tunnel to a vendor.
async fn inside(client: &Client, vendor: &Vendor) -> impl AsyncRead + AsyncWrite + Unpin + use<> {
    let tunnel = client.connect(&format!("{}:443", vendor.host())).await.unwrap().unwrap();
    client.greet(vendor.host(), tunnel).await.unwrap()
}

/// Checks that this is one refusal in the form of every other one, and the end.
#[track_caller]
fn refused(answer: &str, status: u16, reason: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    let fields = [
        "connection: close",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "content-security-policy: default-src 'none'; sandbox",
        "cross-origin-resource-policy: cross-origin",
        "content-type: application/problem+json",
        &format!("content-length: {}", body.len()),
    ];
    for field in fields {
        assert!(head.lines().any(|line| line == field), "{field}: {answer}");
    }
    assert!(head.contains(&format!("\r\npinfold-verdict: blocked; reason={reason}; incident=")), "{answer}");
    assert!(head.contains(&format!("details=\"{reason}\"")), "{answer}");
    assert!(body.contains(reason), "{answer}");
}

#[tokio::test]
async fn a_head_that_can_be_read_in_two_ways() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    let start = format!("GET /app.js HTTP/1.1\r\nHost: {}\r\n", vendor.host());

    for rest in [
        "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "X: a\rb\r\n\r\n",
        "X: a\0b\r\n\r\n",
        "X: a\r\n b\r\n\r\n",
        "X : a\r\n\r\n",
        "X: a\n\r\n",
    ] {
        let request = format!("{start}{rest}");
        let stream = inside(&client(&gateway), &vendor).await;
        refused(&said(stream, request.as_bytes()).await, 400, "malformed-request");
        // And to the proxy itself.
        let request = request.replace("/app.js", &format!("http://{}/app.js", vendor.host()));
        refused(&said(dial(&gateway).await, request.as_bytes()).await, 400, "malformed-request");
    }
    assert!(vendor.seen("/app.js").is_empty());
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
}

#[tokio::test]
async fn a_head_that_is_too_large() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    let start = format!("GET /app.js HTTP/1.1\r\nHost: {}\r\n", vendor.host());
    let long = format!("{start}X: {}\r\n\r\n", "a".repeat(64 << 10));
    let many = (0..130).fold(start, |mut head, number| {
        write!(head, "X-{number}: a\r\n").unwrap();
        head
    });

    for head in [long, format!("{many}\r\n")] {
        let stream = inside(&client(&gateway), &vendor).await;
        refused(&said(stream, head.as_bytes()).await, 431, "headers-too-large");
        refused(&said(dial(&gateway).await, head.as_bytes()).await, 431, "headers-too-large");
    }
    assert!(vendor.seen("/app.js").is_empty());
}

#[tokio::test]
async fn a_head_that_does_not_come_to_its_end() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).set_in("limits", "header_timeout", "1s").listen().await;

    let stream = inside(&client(&gateway), &vendor).await;
    refused(&said(stream, b"GET /app.js HTTP/1.1\r\nHo").await, 408, "request-timeout");
    refused(&said(dial(&gateway).await, b"CONNECT ").await, 408, "request-timeout");
}

#[tokio::test]
async fn a_connection_without_a_request_ends_without_a_word() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).set_in("limits", "idle_timeout", "1s").listen().await;

    assert_eq!(said(inside(&client(&gateway), &vendor).await, b"").await, "");
    assert_eq!(said(dial(&gateway).await, b"").await, "");
}

/// Waits until whatever was idle before rests: a head that does not come to its end has more time than that.
async fn while_others_rest(gateway: &Gateway) {
    refused(&said(dial(gateway).await, b"G").await, 408, "request-timeout");
}

#[tokio::test]
async fn a_connection_that_rested_goes_on_and_ends_with_the_gateway() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/a.json", Answer::typed("application/json", "\"a\""));
    let gateway = pinning(&vendor).set_in("limits", "header_timeout", "1s").listen().await;
    let mut stream = inside(&client(&gateway), &vendor).await;
    let host = vendor.host();
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let post = format!("POST /a.json HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\nGET /");

    for asked in [get("/app.js"), format!("\r\n{}{post}{}", get("/a.json"), get("/app.js")), get("/app.js")] {
        while_others_rest(&gateway).await;
        stream.write_all(asked.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let mut answers = Vec::new();
        while !answers.ends_with(REVIEWED.as_bytes()) {
            let read = eventually("the answers", stream.read_buf(&mut answers)).await.unwrap();
            assert_ne!(read, 0, "{}", String::from_utf8_lossy(&answers));
        }
        let answers = String::from_utf8(answers).unwrap();
        assert_eq!(
            answers.matches("HTTP/1.1 200 ").count(),
            asked.matches(" HTTP/1.1\r\n").count(),
            "{answers}"
        );
    }
    while_others_rest(&gateway).await;
    gateway.begin_termination().await;

    // With a goodbye, since everything else is an error here.
    assert_eq!(eventually("the end", stream.read(&mut [0])).await.unwrap(), 0);
    assert!(gateway.ended().await.success());
}

#[tokio::test]
async fn a_connection_that_rested_for_too_long_ends_with_a_goodbye() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).set_in("limits", "idle_timeout", "1s").listen().await;

    let mut stream = inside(&client(&gateway), &vendor).await;

    assert_eq!(eventually("the end", stream.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test]
async fn requests_ahead_of_their_turn_are_answered_in_order_up_to_the_one_that_is_none() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/a.json", Answer::typed("application/json", "\"a\""));
    vendor.serve("/b.json", Answer::typed("application/json", "\"b\""));
    let gateway = gateway_pinning(&vendor).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", vendor.host());
    let post = format!("POST /a.json HTTP/1.1\r\nHost: {}\r\nContent-Length: 5\r\n\r\nGET /", vendor.host());

    let requests =
        format!("{}{post}\r\n{}{}G\0T / HTTP/1.1\r\n\r\n", get("/a.json"), get("/app.js"), get("/b.json"));
    let answers = said(inside(&client(&gateway), &vendor).await, requests.as_bytes()).await;

    let starts: Vec<_> = answers.match_indices("HTTP/1.1 ").map(|(at, _)| &answers[at..]).collect();
    assert_eq!(starts.len(), 5, "{answers}");
    for (start, body) in starts[..4].iter().zip(["\"a\"", "\"a\"", REVIEWED, "\"b\""]) {
        assert!(start.starts_with("HTTP/1.1 200 ") && start.contains(body), "{body}: {answers}");
    }
    refused(starts[4], 400, "malformed-request");
}

#[tokio::test]
async fn what_is_put_behind_chunked_content_is_never_a_request() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/a.json", Answer::typed("application/json", "\"a\""));
    let gateway = gateway_pinning(&vendor).await;
    let host = vendor.host();

    let request = format!(
        "POST /a.json HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nX: y\r\n\r\n\
         GET /app.js HTTP/1.1\r\nHost: {host}\r\n\r\n"
    );
    let answers = said(inside(&client(&gateway), &vendor).await, request.as_bytes()).await;

    assert!(answers.starts_with("HTTP/1.1 200 ") && answers.contains("connection: close\r\n"), "{answers}");
    assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
    assert!(vendor.seen("/app.js").is_empty());
}

#[tokio::test]
async fn an_upload_that_is_refused_before_it_is_read_hears_why() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    let content = "x".repeat(16 << 20);
    for framing in [
        format!("Content-Length: {}\r\n\r\n", content.len()),
        format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", content.len()),
    ] {
        let request = format!("POST /app.js HTTP/1.1\r\nHost: other.test\r\n{framing}{content}");
        let answer = said(inside(&client(&gateway), &vendor).await, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 421 ") && answer.contains("host-mismatch"), "{answer}");
        assert!(answer.contains("connection: close\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn an_answer_that_comes_before_all_content_says_that_the_connection_ends() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    let (mut answer, mut stream) = (Vec::new(), inside(&client(&gateway), &vendor).await);

    let begun =
        "POST /app.js HTTP/1.1\r\nHost: other.test\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\nlet";
    stream.write_all(begun.as_bytes()).await.unwrap();
    while !answer.ends_with(b"}") {
        assert!(stream.read_buf(&mut answer).await.unwrap() > 0);
    }

    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 421 ") && answer.contains("connection: close\r\n"), "{answer}");
}

#[tokio::test]
async fn little_content_that_came_with_its_head_and_nobody_reads_does_not_end_the_connection() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    let content = "x".repeat(600);
    let refused =
        format!("POST /app.js HTTP/1.1\r\nHost: other.test\r\nContent-Length: 600\r\n\r\n{content}");
    let last = format!("GET /app.js HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", vendor.host());

    let stream = inside(&client(&gateway), &vendor).await;
    let answers = said(stream, format!("{refused}{refused}{last}").as_bytes()).await;

    let statuses: Vec<_> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["421", "421", "200"], "{answers}");
    assert_eq!(answers.matches("connection: close\r\n").count(), 1, "{answers}");
}

#[tokio::test]
async fn content_that_is_nonsense_or_stops_coming_is_the_clients_fault() {
    for vendor in [vendor().http1_only(), vendor().http2_only()] {
        // Nobody else ends these exchanges.
        let gate = Gate::closed();
        let vendor = vendor.serve("/app.js", Answer::script(REVIEWED).behind(&gate)).listen().await;
        let gateway = pinning(&vendor).set_in("limits", "idle_timeout", "1s").listen().await;
        let start = format!("POST /app.js HTTP/1.1\r\nHost: {}\r\n", vendor.host());
        for (rest, status, reason) in [
            ("Content-Length: 9\r\n\r\nlet", 408, "request-timeout"),
            ("Transfer-Encoding: chunked\r\n\r\n3\r\nlet\r\n", 408, "request-timeout"),
            (
                "Transfer-Encoding: chunked\r\n\r\n3\r\nlet\r\n+3\r\nlet\r\n0\r\n\r\n",
                400,
                "malformed-request",
            ),
        ] {
            let stream = inside(&client(&gateway), &vendor).await;
            let answer = said(stream, format!("{start}{rest}").as_bytes()).await;
            let is_as_told = answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(reason);
            assert!(is_as_told, "{rest:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_hello_in_the_same_segment_as_its_connect() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    let mut roots = rustls::RootCertStore::empty();
    let root = std::fs::read(gateway.ca()).unwrap();
    roots.add(CertificateDer::from_pem_slice(&root).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
    let host = vendor.host();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut tls = rustls::ClientConnection::new(Arc::new(config), name).unwrap();

    let mut early = format!("CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n").into_bytes();
    tls.write_tls(&mut early).unwrap();
    let mut stream = dial(&gateway).await;
    stream.write_all(&early).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(eventually("the answer to a CONNECT", stream.read_u8()).await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 "));

    // The rest of the handshake, by hand, since the hello has been sent.
    while tls.is_handshaking() {
        let mut records = vec![0; 16 * 1024];
        let read = eventually("a handshake", stream.read(&mut records)).await.unwrap();
        tls.read_tls(&mut &records[..read]).unwrap();
        tls.process_new_packets().unwrap();
        let mut reply = Vec::new();
        tls.write_tls(&mut reply).unwrap();
        stream.write_all(&reply).await.unwrap();
    }
}

#[tokio::test]
async fn a_client_that_stops_reading_loses_its_connection_and_its_place() {
    let film = Answer::typed("video/mp4", vec![7; 64 << 20]);
    let vendor = vendor().serve("/film", film).script("/app.js", REVIEWED).listen().await;
    let limited =
        || pinning(&vendor).set_in("limits", "idle_timeout", "1s").set_in("limits", "max_connections", 1);

    let gateway = limited().listen().await;
    let mut stalled = inside(&client(&gateway), &vendor).await;
    let request = format!("GET /film HTTP/1.1\r\nHost: {}\r\n\r\n", vendor.host());
    stalled.write_all(request.as_bytes()).await.unwrap();
    stalled.flush().await.unwrap();
    vendor.asked("/film", 1).await;
    its_place_is_free(&gateway, &vendor).await;

    let gateway = limited().listen().await;
    let mut stalled = Wire::open(&client(&gateway), vendor.host()).await;
    // More than any socket holds.
    let window = Frame::new(SETTINGS, 0, 0, [0, 4, 0x7f, 0xff, 0xff, 0xff]);
    stalled.send(&window).await.unwrap();
    stalled.send(&Frame::new(WINDOW_UPDATE, 0, 0, [0x7f, 0, 0, 0])).await.unwrap();
    stalled.send(&get(1, vendor.host(), "/film")).await.unwrap();
    vendor.asked("/film", 2).await;
    its_place_is_free(&gateway, &vendor).await;
}

/// Waits until the one connection that is allowed has ended.
async fn its_place_is_free(gateway: &Gateway, vendor: &Vendor) {
    let client = client(gateway);
    let free = async {
        while !client
            .try_ask(Method::GET, vendor.url("/app.js"))
            .await
            .is_ok_and(|reply| reply.status() == 200)
        {
            tokio::task::yield_now().await;
        }
    };
    eventually("a free place", free).await;
}

#[tokio::test]
async fn a_client_that_has_said_all_gets_its_answer() {
    let gate = Gate::closed();
    let vendor =
        vendor().clear_text().serve("/data", Answer::typed("text/plain", "all is well").behind(&gate));
    let vendor = vendor.listen().await;
    let gateway = gateway_pinning(&vendor).await;

    let mut stream = dial(&gateway).await;
    let request = format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", vendor.url("/data"), vendor.host());
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    vendor.asked("/data", 1).await;
    gate.open();
    let mut answer = String::new();
    eventually("the answer", stream.read_to_string(&mut answer)).await.unwrap();

    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("all is well"), "{answer}");
}
