//! Vendors that can't be reached, or can't be believed.

use pinfold_integration_tests::{Answer, Gate, Identity, client, vendor};
use serde_json::json;

use crate::{REVIEWED, gateway_pinning, pinning, refused, vendor_of, verified};

#[tokio::test]
async fn a_vendor_with_a_bad_certificate_is_refused() {
    for identity in [Identity::SelfSigned, Identity::Expired, Identity::WrongName] {
        let vendor = vendor().script("/app.js", REVIEWED).identity(identity).listen().await;
        let gateway = gateway_pinning(&vendor).await;

        refused(&client(&gateway).get(vendor.url("/app.js")).await, 502, "blocked", "upstream-tls");
        assert!(vendor.seen("/app.js").is_empty(), "{identity:?}");
    }
}

#[tokio::test]
async fn a_root_is_trusted_only_where_the_file_says_so() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = pinning(&vendor).set_in("upstream_tls", "extra_roots", json!([])).listen().await;

    refused(&client(&gateway).get(vendor.url("/app.js")).await, 502, "blocked", "upstream-tls");
}

#[tokio::test]
async fn a_vendor_that_is_down_is_a_502() {
    let vendor = vendor().unreachable().listen().await;
    let gateway = gateway_pinning(&vendor).await;

    refused(&client(&gateway).get(vendor.url("/app.js")).await, 502, "blocked", "upstream-unreachable");
}

#[tokio::test]
async fn a_vendor_that_never_answers_is_a_504() {
    let gate = Gate::closed();
    let vendor = vendor().serve("/app.js", Answer::script(REVIEWED).behind(&gate)).listen().await;
    let gateway = pinning(&vendor).set_in("limits", "upstream_timeout", "1s").listen().await;

    refused(&client(&gateway).get(vendor.url("/app.js")).await, 504, "blocked", "upstream-timeout");
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_the_gateway_whole() {
    let gate = Gate::closed();
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/slow.js", Answer::script(REVIEWED).behind(&gate));
    let gateway = gateway_pinning(&vendor).await;

    let leaver = tokio::spawn({
        let (client, url) = (client(&gateway), vendor.url("/slow.js"));
        async move { client.get(url).await }
    });
    vendor.asked("/slow.js", 1).await;
    leaver.abort();
    assert!(leaver.await.unwrap_err().is_cancelled());
    gate.open();

    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
}
