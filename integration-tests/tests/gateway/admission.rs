//! Rule 1: who may use the proxy.

use pinfold_integration_tests::client;
use serde_json::json;

use crate::{REVIEWED, pinning, refused, vendor_of, verified};

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
