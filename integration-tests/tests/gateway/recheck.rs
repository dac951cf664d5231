//! Rechecks: what a vendor serves now is known before a client asks for it.

use pinfold_integration_tests::{
    Answer, Gateway, GatewayBuilder, Rule, Vendor, client, eventually, gateway, sha256,
};
use serde_json::Value;

use crate::{REVIEWED, TAMPERED, refused, vendor_of, verified};

const PATH: &str = "/app.js";

/// Looks as often as can be.
fn rechecking(vendor: &Vendor, rule: Rule) -> GatewayBuilder {
    gateway().rule(vendor, rule.set("recheck", "1s")).pin(vendor.url(PATH), sha256(REVIEWED))
}

#[tokio::test]
async fn a_change_is_in_quarantine_and_told_once_before_any_client_asks() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = rechecking(&vendor, Rule::default()).listen().await;
    verified(&client(&gateway).get(vendor.url(PATH)).await, REVIEWED);
    vendor.script(PATH, TAMPERED);

    let drift = gateway.event_called("drift").await;
    assert_eq!(drift.text("event.code"), Some("PF-3101"));
    assert_eq!(drift.text("Pinfold.subject"), Some(&*vendor.url(PATH)));
    assert_eq!(drift.text("Pinfold.digest"), Some(&*sha256(TAMPERED)));
    let items = json(&gateway, &["quarantine", "list", "--json"]).await;
    let item = &items[0];
    assert_eq!((&item["asked"], &item["body_kept"]), (&0.into(), &true.into()), "{items}");
    assert_eq!(item["incident"].as_str(), drift.incident());
    let shown = gateway.command(&["quarantine", "show", drift.incident().unwrap()]).await.success();
    assert!(shown.text().contains("no client has asked for it so far"), "{}", shown.text());
    assert!(shown.text().contains("serves    this, since"), "{}", shown.text());
    let pins = gateway.command(&["pin", "list"]).await.success();
    assert!(pins.text().contains("drifted since"), "{}", pins.text());

    seen_again(&vendor, 3).await;
    verified(&client(&gateway).get(vendor.url(PATH)).await, REVIEWED);
    gateway.terminate().await;
    let rest = gateway.rest_of_events().await;
    assert!(rest.iter().all(|event| event.text("event.action") != Some("drift")), "{rest:?}");
}

#[tokio::test]
async fn a_page_that_makes_up_urls_under_a_pattern_fills_no_rechecks() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.script("/lib/1.js", TAMPERED);
    let gateway =
        rechecking(&vendor, Rule::default()).pin(vendor.url("/lib/*"), sha256(REVIEWED)).listen().await;

    refused(&client(&gateway).get(vendor.url("/lib/1.js")).await, 403, "quarantined", "digest-mismatch");
    verified(&client(&gateway).get(vendor.url(PATH)).await, REVIEWED);
    seen_again(&vendor, 3).await;
    assert_eq!(vendor.seen("/lib/1.js").len(), 1);
}

#[tokio::test]
async fn a_pin_that_is_gone_and_back_is_looked_at_again() {
    let vendor = vendor_of(REVIEWED).await;
    let mut gateway = rechecking(&vendor, Rule::default()).listen().await;
    let pin = |files: GatewayBuilder| files.pin(vendor.url(PATH), sha256(REVIEWED));
    verified(&client(&gateway).get(vendor.url(PATH)).await, REVIEWED);
    seen_again(&vendor, 1).await;
    gateway.rewrite(|files| files.without_pins().pin(vendor.url(&format!("{PATH}?v=1")), sha256(REVIEWED)));
    gateway.event_called("policy-reloaded").await;
    verified(&client(&gateway).get(vendor.url(&format!("{PATH}?v=1"))).await, REVIEWED);

    gateway.rewrite(|files| pin(files.without_pins()));
    gateway.event_called("policy-reloaded").await;
    verified(&client(&gateway).get(vendor.url(PATH)).await, REVIEWED);
    vendor.script(PATH, TAMPERED);
    gateway.event_called("drift").await;
}

#[tokio::test]
async fn a_recheck_tells_the_version_of_http_that_its_client_spoke() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = rechecking(&vendor, Rule::default()).listen().await;
    verified(&client(&gateway).http2().get(vendor.url(PATH)).await, REVIEWED);
    seen_again(&vendor, 1).await;

    let seen = vendor.seen(PATH);
    let via: Vec<_> = seen.iter().map(|seen| seen.header("via").unwrap()).collect();
    assert!(via[0].starts_with("2 "), "{via:?}");
    assert!(via.iter().all(|one| *one == via[0]), "{via:?}");
}

#[tokio::test]
async fn a_vendor_that_is_broken_for_a_while_is_said_to_be_and_no_drift() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = rechecking(&vendor, Rule::default()).listen().await;
    verified(&client(&gateway).get(vendor.url(PATH)).await, REVIEWED);
    seen_again(&vendor, 2).await;
    vendor.serve(PATH, Answer::script("down for maintenance").status(503));
    seen_again(&vendor, 2).await;
    let now = vendor_now(&gateway).await;
    assert_eq!(now["unreachable_because"], "upstream-status", "{now}");
    assert_eq!((&now["digest"], &now["drifted"]), (&sha256(REVIEWED).into(), &false.into()), "{now}");

    vendor.script(PATH, REVIEWED);
    seen_again(&vendor, 2).await;
    let now = vendor_now(&gateway).await;
    assert_eq!(now["unreachable_since"], Value::Null, "{now}");
    assert_eq!(json(&gateway, &["quarantine", "list", "--json"]).await, Value::Array(Vec::new()));
}

#[tokio::test]
async fn what_was_in_use_before_a_restart_is_looked_at_after_it() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = rechecking(&vendor, Rule::default()).listen().await;
    verified(&client(&gateway).get(vendor.url(PATH)).await, REVIEWED);
    seen_again(&vendor, 2).await;
    gateway.kill().await;
    vendor.script(PATH, TAMPERED);
    gateway.start_again().await;

    let drift = gateway.event_called("drift").await;
    assert_eq!(drift.text("Pinfold.digest"), Some(&*sha256(TAMPERED)));
}

#[tokio::test]
async fn cooldown_lets_pass_what_nobody_took_back_and_one_rejection_ends_that() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = rechecking(&vendor, Rule::default().set("cooldown", "20s")).listen().await;
    verified(&client(&gateway).get(vendor.url(PATH)).await, REVIEWED);
    vendor.script(PATH, TAMPERED);
    let drift = gateway.event_called("drift").await;

    let approved = async {
        while client(&gateway).get(vendor.url(PATH)).await.body() != TAMPERED.as_bytes() {
            seen_again(&vendor, 1).await;
        }
    };
    eventually("the approval", approved).await;

    let incident = drift.incident().unwrap();
    let shown = gateway.command(&["quarantine", "show", incident]).await.success();
    assert!(shown.text().contains("served unchanged since"), "{}", shown.text());
    gateway.command(&["quarantine", "reject", incident, "--reason", "not ours"]).await.success();
    seen_again(&vendor, 3).await;
    verified(&client(&gateway).get(vendor.url(PATH)).await, REVIEWED);
}

/// Until so many further requests have come. A recheck has ended when the next one begins.
async fn seen_again(vendor: &Vendor, times: usize) {
    vendor.asked(PATH, vendor.seen(PATH).len() + times).await;
}

async fn json(gateway: &Gateway, command: &[&str]) -> Value {
    gateway.command(command).await.success().json()
}

/// What rechecks know of the one pinned URL.
async fn vendor_now(gateway: &Gateway) -> Value {
    let pins = json(gateway, &["pin", "list", "--json"]).await;
    pins[0]["vendor_now"][0].clone()
}
