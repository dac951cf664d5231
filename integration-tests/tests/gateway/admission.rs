//! Rule 1: who may use the proxy.

use http::Method;
use pinfold_integration_tests::{Gateway, Reply, client};
use serde_json::json;

use crate::{REVIEWED, gateway_pinning, pinning, refused, vendor_of, verified};

#[tokio::test]
async fn a_client_that_is_not_listed_is_refused() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).set_in("clients", "allow", json!(["127.0.0.2/32"])).listen().await;

    let refusal = client(&gateway).connect("cdn.vendor.test:443").await.unwrap().unwrap_err();
    refused(&refusal, 403, "blocked", "client-not-allowed");
    refused(
        &client(&gateway).get("http://cdn.vendor.test/app.js").await,
        403,
        "blocked",
        "client-not-allowed",
    );
    assert!(vendor.seen("/app.js").is_empty());
    verified(&client(&gateway).from([127, 0, 0, 2]).get(vendor.url("/app.js")).await, REVIEWED);
}

#[tokio::test]
async fn other_schemes_in_absolute_form_are_malformed() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).listen().await;

    for url in ["ftp://cdn.vendor.test/app.js", "https://cdn.vendor.test/app.js"] {
        let reply = client(&gateway).absolute(url).await;
        refused(&reply, 400, "blocked", "malformed-request");
    }
}

#[tokio::test]
async fn a_request_that_is_not_admitted_leaves_an_event() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    let mut session = client(&gateway).open(&vendor.url("/").parse().unwrap()).await.unwrap().unwrap();

    let astray = session.ask(Method::GET, "https://other.test/app.js".parse().unwrap()).await.unwrap();
    told(&gateway, &astray, 421, "host-mismatch").await;
    let traced = session.ask(Method::TRACE, vendor.url("/app.js").parse().unwrap()).await.unwrap();
    told(&gateway, &traced, 405, "method-not-allowed").await;
    let elsewhere = client(&gateway).get("http://example.test:8080/app.js").await;
    told(&gateway, &elsewhere, 403, "port-not-allowed").await;
}

/// Checks that the next event is about this refusal.
async fn told(gateway: &Gateway, reply: &Reply, status: u16, reason: &str) {
    let incident = refused(reply, status, "blocked", reason);
    let event = gateway.next_event().await;
    assert_eq!(
        (event.text("event.action"), event.reason(), event.incident()),
        (Some("tunnel-refused"), Some(reason), Some(incident.as_str()))
    );
}
