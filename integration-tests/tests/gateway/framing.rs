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

/// A 200 whose body is the reviewed script, with these lines in its head.
fn script(lines: &str) -> String {
    let start = "HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\nConnection: close\r\n";
    format!("{start}{lines}Content-Length: {}\r\n\r\n{REVIEWED}", REVIEWED.len())
}

/// What a client gets of `/app.js`, which is pinned, when the vendor says this.
async fn answer_to(said: impl Into<String>) -> Reply {
    let vendor = vendor().serve("/app.js", Answer::raw(said.into())).listen().await;
    let gateway = gateway_pinning(&vendor).await;
    client(&gateway).get(vendor.url("/app.js")).await
}

#[tokio::test]
async fn a_response_head_that_can_be_read_in_two_ways_is_refused() {
    for lines in [
        "X: a\r\n b\r\n",
        "X: a\rb\r\n",
        "X: a\0b\r\n",
        "X: a\u{b}b\r\n",
        "X : a\r\n",
        " X: a\r\n",
        "X\r\n",
        ": a\r\n",
        "Content-Length: 3\r\n",
        "Content-Length: +3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: identity\r\n",
    ] {
        refused(&answer_to(script(lines)).await, 502, "blocked", "malformed-response");
    }
}

#[tokio::test]
async fn a_response_with_the_same_length_twice_has_that_length() {
    // RFC 9110 §8.6 lets a recipient take it.
    let length = format!("Content-Length: {}\r\n", REVIEWED.len());
    verified(&answer_to(script(&length)).await, REVIEWED);
}

#[tokio::test]
async fn a_transfer_coding_that_is_not_chunked_alone_is_refused() {
    let chunks = format!("{:x}\r\n{REVIEWED}\r\n0\r\n\r\n", REVIEWED.len());
    for coding in [
        "chunked, gzip",
        "gzip, chunked",
        "xchunked",
        "chunked, chunked",
        "chunked\r\nTransfer-Encoding: chunked",
        "",
    ] {
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\nTransfer-Encoding: {coding}\r\n");
        let reply = answer_to(format!("{head}\r\n{chunks}")).await;
        refused(&reply, 502, "blocked", "malformed-response");
    }
    let old = format!(
        "HTTP/1.0 200 OK\r\nContent-Type: text/javascript\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
    );
    refused(&answer_to(old).await, 502, "blocked", "malformed-response");
}

#[tokio::test]
async fn chunks_that_can_be_read_in_two_ways_are_not_whole() {
    let len = REVIEWED.len();
    for body in [
        format!("+{len:x}\r\n{REVIEWED}\r\n0\r\n\r\n"),
        format!("-{len:x}\r\n{REVIEWED}\r\n0\r\n\r\n"),
        format!("0x{len:x}\r\n{REVIEWED}\r\n0\r\n\r\n"),
        format!("1{len:016x}\r\n{REVIEWED}\r\n0\r\n\r\n"),
        format!("{len:x}\n{REVIEWED}\r\n0\r\n\r\n"),
        format!("{len:x};\n{REVIEWED}\r\n0\r\n\r\n"),
        format!("{:x}\r\n{REVIEWED}\r\n0\r\n\r\n", len - 1),
        format!("{len:x}\r\n{REVIEWED}0\r\n\r\n"),
    ] {
        let (_vendor, _gateway, reply) = raw_script("Transfer-Encoding: chunked", &body).await;
        refused(&reply, 502, "blocked", "truncated");
    }
}

#[tokio::test]
async fn a_response_head_without_end_is_refused() {
    let flood = "X: a\r\n".repeat(100_000);
    let long = format!("X: {}\r\n", "a".repeat(80_000));
    for lines in [flood, long] {
        refused(&answer_to(script(&lines)).await, 502, "blocked", "malformed-response");
    }
}

#[tokio::test]
async fn early_hints_are_dropped_and_a_flood_of_them_is_refused() {
    let hint = "HTTP/1.1 103 Early Hints\r\nLink: </evil.js>; rel=preload; as=script\r\n\r\n";
    let reply = answer_to(format!("{hint}HTTP/1.1 100 Continue\r\n\r\n{}", script(""))).await;
    verified(&reply, REVIEWED);
    assert_eq!(reply.header("link"), None);
    let flood = hint.repeat(10_000);
    refused(&answer_to(format!("{flood}{}", script(""))).await, 502, "blocked", "malformed-response");
}

async fn raw_script(framing: &str, body: &str) -> (Vendor, Gateway, Reply) {
    let message = format!("HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\n{framing}\r\n\r\n{body}");
    let vendor = vendor().serve("/app.js", Answer::raw(message)).listen().await;
    let gateway = gateway_pinning(&vendor).await;
    let reply = client(&gateway).get(vendor.url("/app.js")).await;
    (vendor, gateway, reply)
}
