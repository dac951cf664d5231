//! Tunnels that name one host and speak to another, and tunnels that are only unusual.

use pinfold_integration_tests::{
    Client, Gateway, Vendor, client, eventually, gateway, origin_root_pem, sha256, vendor,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

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

    for start in ["\r\nGET", "\n\r\n\r\nGET", "get"] {
        let request =
            format!("{start} /app.js HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", vendor.host());
        let answer = said_to_front(&client(&gateway), request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 421 "), "{start:?}: {answer}");
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

#[tokio::test]
async fn a_tunnel_whose_sni_names_another_host_of_no_vendor_flows() {
    let third = vendor().host("third.test").script("/lib.js", TAMPERED).listen().await;
    let gateway = gateway().set_in("egress.resolve", FRONT, third.address().to_string()).listen().await;

    let client = client(&gateway).trusting(origin_root_pem());
    let tunnel = client.connect(&format!("{FRONT}:443")).await.unwrap().unwrap();
    let mut session = client.speak(client.greet(third.host(), tunnel).await.unwrap()).await.unwrap();
    let reply = session.ask(http::Method::GET, third.url("/lib.js").parse().unwrap()).await.unwrap();

    assert_eq!((reply.status().as_u16(), reply.body().as_slice()), (200, TAMPERED.as_bytes()));
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
