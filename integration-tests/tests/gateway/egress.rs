//! Rule 2: where the gateway goes, and where it does not.

use std::net::UdpSocket;

use pinfold_integration_tests::{Answer, client, gateway, vendor};
use serde_json::json;
use tokio::net::TcpListener;

use crate::{refused, say};

/// Names and spellings of places that a proxy must not be used to reach.
const PRIVATE: [&str; 14] = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "[::1]",
    "[fe80::1]",
    "[fd00::1]",
    "[::ffff:127.0.0.1]",
    "localhost",
];

#[tokio::test]
async fn private_addresses_are_refused_to_connect() {
    let gateway = gateway().listen().await;

    for host in PRIVATE {
        let refusal = client(&gateway).connect(&format!("{host}:443")).await.unwrap();
        refused(&refusal.expect_err(host), 403, "blocked", "private-address");
    }
}

#[tokio::test]
async fn private_addresses_are_refused_to_absolute_form() {
    let gateway = gateway().listen().await;

    for host in PRIVATE.iter().chain(&["0x7f.1", "2130706433", "0177.0.0.1"]) {
        let reply = client(&gateway).get(format!("http://{host}/app.js")).await;
        refused(&reply, 403, "blocked", "private-address");
    }
}

#[tokio::test]
async fn a_private_address_is_reached_where_it_is_allowed() {
    let origin = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = origin.local_addr().unwrap().port();
    let gateway = gateway()
        .set_in("egress", "connect_ports", json!([port]))
        .set_in("egress", "allow_private", json!(["127.0.0.1/32"]))
        .listen()
        .await;

    assert!(client(&gateway).connect(&format!("127.0.0.1:{port}")).await.unwrap().is_ok());
    let refusal = client(&gateway).connect(&format!("127.0.0.2:{port}")).await.unwrap().unwrap_err();
    refused(&refusal, 403, "blocked", "private-address");
}

#[tokio::test]
async fn ports_that_are_not_listed_are_refused() {
    let gateway = gateway().listen().await;

    for port in [22, 25, 80, 3306] {
        let refusal = client(&gateway).connect(&format!("example.test:{port}")).await.unwrap().unwrap_err();
        refused(&refusal, 403, "blocked", "port-not-allowed");
    }
    let reply = client(&gateway).get("http://example.test:8080/app.js").await;
    refused(&reply, 403, "blocked", "port-not-allowed");
}

#[tokio::test]
async fn a_request_that_comes_back_is_a_loop() {
    let origin = vendor().host("other.test").clear_text().serve("/", Answer::page("hello")).listen().await;
    let gateway = gateway().reach(&origin).listen().await;
    assert_eq!(client(&gateway).get(origin.url("/")).await.status(), 200);
    let via = origin.seen("/")[0].header("via").expect("a proxy names itself").to_owned();

    let reply = client(&gateway).header("via", &via).get(origin.url("/")).await;

    refused(&reply, 502, "blocked", "loop");
    assert_eq!(origin.seen("/").len(), 1);

    let name = via.split(' ').next_back().unwrap();
    for via in [via.clone(), format!("1.0 other,1.1\t{name} (a comment), 2.0 x")] {
        let head = format!(
            "CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\nVia: {via}\r\nConnection: close\r\n\r\n"
        );
        let answer = say(&gateway, head).await;
        assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains("reason=loop;"), "{answer}");
    }
}

#[tokio::test]
async fn the_gateway_itself_is_reached_by_no_name_and_no_spelling() {
    let mut gateway = gateway().listen().await;
    let port = gateway.proxy().port();
    assert!(gateway.terminate().await.success());
    gateway.reconfigure("", "listen", json!([format!("0.0.0.0:{port}")]));
    gateway.reconfigure("clients", "allow", json!(["0.0.0.0/0"]));
    gateway.reconfigure("egress", "connect_ports", json!([port]));
    gateway.reconfigure("egress", "http_ports", json!([port]));
    gateway.reconfigure("egress", "allow_private", json!(["0.0.0.0/0", "::/0"]));
    gateway.reconfigure("egress.resolve", "self.test", format!("127.0.0.1:{port}"));
    gateway.start_again().await;

    // What it is called from elsewhere, where there is such a name. Nothing is sent for it.
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let outside = socket.connect("198.51.100.1:9").and_then(|()| socket.local_addr()).ok();
    let outside = outside.map(|address| address.ip().to_string());
    let spellings = ["self.test", "127.0.0.1", "127.9.9.9", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433"];
    for host in spellings.into_iter().chain(outside.as_deref()) {
        let head =
            format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n");
        let answer = say(&gateway, head).await;
        assert!(
            answer.starts_with("HTTP/1.1 403 ") && answer.contains("private-address"),
            "{host}: {answer}"
        );
        let reply = client(&gateway).get(format!("http://{host}:{port}/")).await;
        refused(&reply, 403, "blocked", "private-address");
    }
}
