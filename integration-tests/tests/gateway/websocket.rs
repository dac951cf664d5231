//! WebSockets: a GET that asks to switch, and an answer that proves it understood.

use pinfold_integration_tests::{Answer, Rule, WEBSOCKET_PROOF, client, gateway, vendor};

use crate::{gateway_pinning, refused};

#[tokio::test]
async fn a_websocket_through_an_intercepted_connection() {
    let socket = Answer::websocket(WEBSOCKET_PROOF).header("set-cookie", "seen=1");
    let vendor = vendor().serve("/socket", socket).listen().await;
    let gateway = gateway_pinning(&vendor).await;

    let mut socket = client(&gateway).websocket(vendor.url("/socket")).await.unwrap();

    assert_eq!(socket.headers().get("set-cookie").unwrap(), "seen=1");
    assert_eq!(socket.headers().get("sec-websocket-accept").unwrap(), WEBSOCKET_PROOF);
    for text in ["hello", "", "and once more"] {
        assert_eq!(socket.exchange(text).await, text);
    }
    drop(socket);
    let event = gateway.next_event().await;
    assert_eq!(event.text("event.action"), Some("tunnel-closed"));
    assert_eq!(event.text("destination.domain"), Some(vendor.host()));
}

#[tokio::test]
async fn a_switch_without_the_proof_that_it_was_understood_is_refused() {
    let vendor = vendor().serve("/socket", Answer::websocket("bm90IHRoZSBwcm9vZiBhdCBhbGw=")).listen().await;
    let gateway = gateway_pinning(&vendor).await;

    let reply = client(&gateway).websocket(vendor.url("/socket")).await.unwrap_err();

    refused(&reply, 502, "blocked", "malformed-response");
}

#[tokio::test]
async fn a_vendor_that_does_not_switch_keeps_its_status() {
    let vendor = vendor().serve("/socket", Answer::typed("text/plain", "who?").status(401)).listen().await;
    let gateway = gateway_pinning(&vendor).await;

    let reply = client(&gateway).websocket(vendor.url("/socket")).await.unwrap_err();

    refused(&reply, 401, "blocked", "upstream-status");
}

#[tokio::test]
async fn a_websocket_is_refused_where_the_rule_says_so() {
    let vendor = vendor().serve("/socket", Answer::websocket(WEBSOCKET_PROOF)).listen().await;
    let gateway = gateway().rule(&vendor, Rule::default().set("websocket", "block")).listen().await;

    let reply = client(&gateway).websocket(vendor.url("/socket")).await.unwrap_err();

    refused(&reply, 403, "blocked", "websocket-blocked");
    assert!(vendor.seen("/socket").is_empty());
}

#[tokio::test]
async fn a_websocket_that_nobody_asked_for_is_refused() {
    let vendor = vendor().serve("/socket", Answer::websocket(WEBSOCKET_PROOF)).listen().await;
    let gateway = gateway_pinning(&vendor).await;

    let reply = client(&gateway).get(vendor.url("/socket")).await;

    refused(&reply, 502, "blocked", "malformed-response");
}
