//! Messages that two parsers could read differently, and messages that are not whole.

use http::Method;
use pinfold_integration_tests::{Answer, Gateway, Reply, Vendor, client, vendor};

use crate::{REVIEWED, gateway_pinning, refused, verified};

#[tokio::test]
async fn a_body_shorter_than_its_length_is_refused() {
    let (_vendor, _gateway, reply) = raw_script("Content-Length: 4096", REVIEWED).await;
    refused(&reply, 502, "blocked", "truncated");
}

#[tokio::test]
async fn a_chunked_body_without_its_end_is_refused() {
    let body = format!("{:x}\r\n{REVIEWED}\r\n", REVIEWED.len());
    let (_vendor, _gateway, reply) = raw_script("Transfer-Encoding: chunked", &body).await;
    refused(&reply, 502, "blocked", "truncated");
}

#[tokio::test]
async fn a_response_with_length_and_transfer_encoding_is_refused() {
    let body = format!("{:x}\r\n{REVIEWED}\r\n0\r\n\r\n", REVIEWED.len());
    let framing = format!("Content-Length: {}\r\nTransfer-Encoding: chunked", body.len());
    let (_vendor, _gateway, reply) = raw_script(&framing, &body).await;
    refused(&reply, 502, "blocked", "malformed-response");
}

#[tokio::test]
async fn a_response_with_conflicting_lengths_is_refused() {
    let framing = format!("Content-Length: {}\r\nContent-Length: 3", REVIEWED.len());
    let (_vendor, _gateway, reply) = raw_script(&framing, REVIEWED).await;
    refused(&reply, 502, "blocked", "malformed-response");
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_refused() {
    let vendor = vendor().serve("/app.js", Answer::raw("SSH-2.0-OpenSSH_9.2p1\r\n\r\n")).listen().await;
    let gateway = gateway_pinning(&vendor).await;

    refused(&client(&gateway).get(vendor.url("/app.js")).await, 502, "blocked", "malformed-response");
}

#[tokio::test]
async fn a_switch_of_protocols_that_nobody_asked_for_is_refused() {
    let switching =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: anything\r\n\r\nlet a = 1;";
    let vendor = vendor().serve("/app.js", Answer::raw(switching)).listen().await;
    let gateway = gateway_pinning(&vendor).await;

    refused(&client(&gateway).get(vendor.url("/app.js")).await, 502, "blocked", "malformed-response");
}

#[tokio::test]
async fn a_chunked_body_passes_when_it_is_whole() {
    let body = format!("{:x}\r\n{REVIEWED}\r\n0\r\n\r\n", REVIEWED.len());
    let (_vendor, _gateway, reply) = raw_script("Transfer-Encoding: chunked", &body).await;
    verified(&reply, REVIEWED);
}

#[tokio::test]
async fn a_vendor_that_breaks_off_does_not_harm_the_next_request() {
    let (vendor, gateway, _) = raw_script("Content-Length: 4096", REVIEWED).await;
    vendor.script("/app.js", REVIEWED);

    let reply = client(&gateway).ask(Method::GET, vendor.url("/app.js")).await;

    verified(&reply, REVIEWED);
}

async fn raw_script(framing: &str, body: &str) -> (Vendor, Gateway, Reply) {
    let message = format!("HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\n{framing}\r\n\r\n{body}");
    let vendor = vendor().serve("/app.js", Answer::raw(message)).listen().await;
    let gateway = gateway_pinning(&vendor).await;
    let reply = client(&gateway).get(vendor.url("/app.js")).await;
    (vendor, gateway, reply)
}
