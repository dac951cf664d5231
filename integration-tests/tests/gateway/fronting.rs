//! Tunnels that name one host and speak to another, and tunnels that are only unusual.

use pinfold_integration_tests::{
    Client, Gateway, GatewayBuilder, Vendor, client, eventually, gateway, origin_root_pem, sha256, vendor,
};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::{REVIEWED, TAMPERED, pinning, refused, verified};

/// A name that no vendor claims, at the vendor's own address.
const FRONT: &str = "front.test";

async fn gateway_with_front(vendor: &Vendor) -> Gateway {
    pinning(vendor).set_in("egress.resolve", FRONT, vendor.address().to_string()).listen().await
}

/// All that comes back when these bytes are said in a tunnel to the front.
async fn said_to_front(client: &Client, bytes: &[u8]) -> String {
    let mut tunnel = client.connect(&format!("{FRONT}:443")).await.unwrap().unwrap();
    tunnel.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // An end in the middle is an end.
    drop(eventually("the end of the tunnel", tunnel.read_to_end(&mut answer)).await);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn an_empty_line_before_a_clear_text_request_in_a_tunnel_elsewhere() {
    let vendor = vendor().clear_text().script("/app.js", TAMPERED).listen().await;
    let gateway = gateway_with_front(&vendor).await;

    // A line feed alone ends no line here (RFC 9112 §2.2 lets a recipient take it for an end, and not all do).
    for (start, status) in [("\r\nGET", 421), ("\n\r\n\r\nGET", 400), ("get", 421)] {
        let request =
            format!("{start} /app.js HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", vendor.host());
        let answer = said_to_front(&client(&gateway), request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{start:?}: {answer}");
    }
    assert!(vendor.seen("/app.js").is_empty());
}

#[tokio::test]
async fn an_alert_before_the_hello_in_a_tunnel_elsewhere() {
    // "user canceled", as a warning: servers read on.
    const ALERT: [u8; 7] = [0x15, 0x03, 0x01, 0x00, 0x02, 0x01, 0x5a];
    let vendor = vendor().script("/app.js", TAMPERED).listen().await;
    let gateway = gateway_with_front(&vendor).await;

    let client = client(&gateway).trusting(origin_root_pem());
    let mut tunnel = client.connect(&format!("{FRONT}:443")).await.unwrap().unwrap();
    tunnel.write_all(&ALERT).await.unwrap();

    let error = client.greet(vendor.host(), tunnel).await.unwrap_err();
    assert!(!error.to_string().contains("certificate"), "it got as far as a certificate: {error}");
}

/// The alert `unrecognized_name`, fatal.
const UNRECOGNIZED_NAME: [u8; 7] = [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x70];

/// A server at the front that judges nothing, and a gateway that knows a vendor elsewhere.
async fn front() -> (TcpListener, Gateway) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let vendor = vendor().unreachable().listen().await;
    (listener, pinning(&vendor).set_in("egress.resolve", FRONT, address).listen().await)
}

/// What the front hears of a tunnel in which nothing but these bytes are said, and what the client hears.
async fn heard(front: &TcpListener, gateway: &Gateway, bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut tunnel = client(gateway).connect(&format!("{FRONT}:443")).await.unwrap().unwrap();
    let (mut heard, mut answer) = (Vec::new(), Vec::new());
    let hearing = async {
        let (mut socket, _) = front.accept().await.unwrap();
        drop(socket.read_to_end(&mut heard).await);
    };
    let saying = async {
        // Where the gateway ends it before the end, that is its answer.
        drop(tunnel.write_all(bytes).await);
        drop(tunnel.shutdown().await);
        drop(tunnel.read_to_end(&mut answer).await);
    };
    eventually("the end of the tunnel", async { tokio::join!(hearing, saying) }).await;
    (heard, answer)
}

/// `bytes` behind their length.
fn vector(len_bytes: usize, bytes: &[u8]) -> Vec<u8> {
    let len = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&len[4 - len_bytes..], bytes].concat()
}

/// The handshake message of a client of TLS 1.1, which has no signature algorithms.
fn hello(name: &str) -> Vec<u8> {
    let entry = [&[0], &*vector(2, name.as_bytes())].concat();
    let server_name = [&[0, 0], &*vector(2, &vector(2, &entry))].concat();
    let start = [&[3, 2], &[7; 32][..], &[0], &vector(2, &[0xc0, 0x14]), &[1, 0]].concat();
    [&[1], &*vector(3, &[start, vector(2, &server_name)].concat())].concat()
}

fn record(fragment: &[u8]) -> Vec<u8> {
    [&[0x16, 3, 1], &*vector(2, fragment)].concat()
}

#[tokio::test]
async fn a_hello_of_tls_1_1_passes_in_a_tunnel() {
    let (front, gateway) = front().await;

    for hello in [record(&hello(FRONT)), record(&hello("FRONT.test."))] {
        assert_eq!(heard(&front, &gateway, &hello).await.0, hello);
    }
}

#[tokio::test]
async fn a_tunnel_whose_sni_names_another_host_ends_whoever_that_is() {
    let (front, gateway) = front().await;

    for name in ["third.test", "cdn.vendor.test", "192.0.2.7", "sub.front.test"] {
        let (heard, answer) = heard(&front, &gateway, &record(&hello(name))).await;
        assert_eq!((heard.as_slice(), answer.as_slice()), (&[][..], &UNRECOGNIZED_NAME[..]), "{name}");
        let event = gateway.next_event().await;
        assert_eq!(event.reason(), Some("sni-mismatch"));
        assert_eq!(event.text("tls.client.server_name"), Some(name));
    }
}

#[tokio::test]
async fn a_hello_for_a_vendor_in_a_record_for_each_byte() {
    let (front, gateway) = front().await;
    let hello = hello("cdn.vendor.test");
    let bytes: Vec<_> = hello.iter().flat_map(|byte| [record(&[]), record(&[*byte])].concat()).collect();

    let (heard, answer) = heard(&front, &gateway, &bytes).await;

    assert_eq!((heard.as_slice(), answer.as_slice()), (&[][..], &UNRECOGNIZED_NAME[..]));
}

#[tokio::test]
async fn a_hello_that_two_servers_could_read_differently() {
    let (front, gateway) = front().await;
    let ssl2 = [0x80, 0x0c, 1, 3, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0x2f];

    for bytes in [
        record(&[hello(FRONT), hello("cdn.vendor.test")].concat()),
        record(&hello("front.test\0.cdn.vendor.test")),
        record(&hello("")),
        [&[0x16, 2, 0], &*vector(2, &hello(FRONT))].concat(),
        ssl2.to_vec(),
    ] {
        assert_eq!(heard(&front, &gateway, &bytes).await.0, b"");
        assert_eq!(gateway.next_event().await.reason(), Some("sni-mismatch"));
    }
}

#[tokio::test]
async fn request_lines_that_only_lenient_servers_take() {
    let (front, gateway) = front().await;

    for line in [
        "GET\t/app.js\tHTTP/1.1",
        "GET\x0b/app.js\x0cHTTP/1.1",
        " GET /app.js HTTP/1.1",
        "GET  /app.js  HTTP/1.1",
        "GET /app.js FOO/1.1",
        "GET /app.js http/1.1",
        "GET /app.js",
        "GET http://cdn.vendor.test/app.js x",
    ] {
        let request = format!("{line}\r\nHost: cdn.vendor.test\r\n\r\n");
        let (heard, answer) = heard(&front, &gateway, request.as_bytes()).await;
        assert!(heard.is_empty(), "{line:?}");
        assert!(answer.starts_with(b"HTTP/1.1 4"), "{line:?}: {}", String::from_utf8_lossy(&answer));
    }
    let endless = format!("GET /{} HTTP/1.1\r\nHost: cdn.vendor.test\r\n\r\n", "a".repeat(40_000));
    for request in ["GET / HTTP/1.1\rHost: cdn.vendor.test\r\r", "GET /app.js", &endless] {
        assert_eq!(heard(&front, &gateway, request.as_bytes()).await.0, b"", "{request:.40}");
    }
}

/// A gateway that may connect to this origin's own address and port.
async fn gateway_to_address(gateway: GatewayBuilder, origin: &Vendor) -> Gateway {
    let gateway = gateway.set_in("egress", "connect_ports", json!([origin.address().port()]));
    gateway.set_in("egress", "allow_private", json!(["127.0.0.1/32"])).listen().await
}

#[tokio::test]
async fn a_tunnel_to_an_address_takes_any_name_that_is_no_vendors() {
    let third = vendor().host("third.test").script("/lib.js", TAMPERED).listen().await;
    let gateway = gateway_to_address(gateway(), &third).await;

    let client = client(&gateway).trusting(origin_root_pem());
    let tunnel = client.connect(&third.address().to_string()).await.unwrap().unwrap();
    let mut session = client.speak(client.greet(third.host(), tunnel).await.unwrap()).await.unwrap();
    let reply = session.ask(http::Method::GET, third.url("/lib.js").parse().unwrap()).await.unwrap();

    assert_eq!((reply.status().as_u16(), reply.body().as_slice()), (200, TAMPERED.as_bytes()));
}

#[tokio::test]
async fn a_tunnel_to_an_address_whose_sni_names_a_vendor_is_intercepted() {
    let vendor = vendor().script("/app.js", TAMPERED).listen().await;
    let gateway = gateway_to_address(pinning(&vendor), &vendor).await;
    let (host, address) = (vendor.host(), vendor.address());

    let client = client(&gateway);
    let tunnel = client.connect(&address.to_string()).await.unwrap().unwrap();
    let mut session = client.speak(client.greet(host, tunnel).await.unwrap()).await.unwrap();
    let url = format!("https://{host}:{}/app.js", address.port());
    let reply = session.ask(http::Method::GET, url.parse().unwrap()).await.unwrap();

    refused(&reply, 403, "blocked", "unpinned");
}

#[tokio::test]
async fn a_tunnel_without_sni_flows() {
    // A client names no address in its SNI.
    let nameless = vendor().host("127.0.0.1").script("/lib.js", TAMPERED).listen().await;
    let gateway = gateway().set_in("egress.resolve", FRONT, nameless.address().to_string()).listen().await;

    let client = client(&gateway).trusting(origin_root_pem());
    let tunnel = client.connect(&format!("{FRONT}:443")).await.unwrap().unwrap();
    let mut session = client.speak(client.greet(nameless.host(), tunnel).await.unwrap()).await.unwrap();
    let reply = session.ask(http::Method::GET, nameless.url("/lib.js").parse().unwrap()).await.unwrap();

    assert_eq!((reply.status().as_u16(), reply.body().as_slice()), (200, TAMPERED.as_bytes()));
}

#[tokio::test]
async fn a_server_that_speaks_first_is_not_held_up() {
    const GREETING: &[u8] = b"220 mail.test ready\r\n";
    let server = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = server.local_addr().unwrap();
    let mail = tokio::spawn(async move {
        let (mut socket, _) = server.accept().await.unwrap();
        socket.write_all(GREETING).await.unwrap();
        let mut hello = [0; 12];
        socket.read_exact(&mut hello).await.unwrap();
        socket.write_all(&hello).await.unwrap();
    });
    let gateway = gateway().set_in("egress.resolve", "mail.test", address.to_string()).listen().await;

    let mut tunnel = client(&gateway).connect("mail.test:8443").await.unwrap().unwrap();
    let mut greeting = [0; GREETING.len()];
    eventually("the greeting", tunnel.read_exact(&mut greeting)).await.unwrap();
    tunnel.write_all(b"EHLO a.test\n").await.unwrap();
    let mut rest = Vec::new();
    eventually("the rest", tunnel.read_to_end(&mut rest)).await.unwrap();

    assert_eq!((&greeting[..], rest.as_slice()), (GREETING, &b"EHLO a.test\n"[..]));
    mail.await.unwrap();
}

#[tokio::test]
async fn what_a_server_says_to_a_client_that_stays_silent_and_resets_is_in_the_ledger() {
    const GREETING: &[u8] = b"220 all of it, and nobody has asked\r\n";
    let server = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = server.local_addr().unwrap();
    let gateway = gateway().set_in("egress.resolve", "mail.test", address.to_string()).listen().await;

    let mut tunnel = TcpStream::connect(gateway.proxy()).await.unwrap();
    tunnel.write_all(b"CONNECT mail.test:8443 HTTP/1.1\r\nHost: mail.test:8443\r\n\r\n").await.unwrap();
    let (mut socket, _) = server.accept().await.unwrap();
    socket.write_all(GREETING).await.unwrap();
    let mut heard = Vec::new();
    while !heard.ends_with(GREETING) {
        assert_ne!(eventually("the greeting", tunnel.read_buf(&mut heard)).await.unwrap(), 0);
    }
    // Its row is there while it lasts.
    let found = gateway.command(&["--json", "exposure", "--host", "mail.test"]).await;
    let found: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(found["tunnels"][0]["client"], "127.0.0.1", "{found:#}");
    tunnel.set_zero_linger().unwrap();
    drop(tunnel);

    let event = gateway.next_event().await;
    assert_eq!(event.text("destination.domain"), Some("mail.test"));
    assert_eq!(event.at("destination.bytes").unwrap(), GREETING.len());
}

#[tokio::test]
async fn http2_that_nobody_negotiated_is_judged() {
    let vendor = vendor().clear_text().script("/app.js", REVIEWED).script("/new.js", TAMPERED).listen().await;
    let url = |path: &str| format!("http://{}:443{path}", vendor.host());
    let gateway = gateway().vendor(&vendor).pin(url("/app.js"), sha256(REVIEWED)).listen().await;

    let client = client(&gateway).http2();
    let tunnel = client.connect(&format!("{}:443", vendor.host())).await.unwrap().unwrap();
    let mut session = client.speak(tunnel).await.unwrap();

    let reply = session.ask(http::Method::GET, url("/app.js").parse().unwrap()).await.unwrap();
    verified(&reply, REVIEWED);
    let reply = session.ask(http::Method::GET, url("/new.js").parse().unwrap()).await.unwrap();
    refused(&reply, 403, "blocked", "unpinned");
}
