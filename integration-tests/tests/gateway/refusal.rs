//! Rules 8 and 10, and the table of reasons: what is refused, and what the client sees of it.

use pinfold_integration_tests::{Answer, Pin, Rule, client, gateway, sha256, sha256_hex, vendor};

use crate::{REVIEWED, TAMPERED, gateway_pinning, pinning, refused, vendor_of};

#[tokio::test]
async fn a_digest_mismatch_is_quarantined() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = gateway_pinning(&vendor).await;

    let reply =
        client(&gateway).header("referer", "https://shop.test/checkout").get(vendor.url("/app.js")).await;

    let incident = refused(&reply, 403, "quarantined", "digest-mismatch");
    assert_eq!(reply.verdict().vendor(), Some("vendor"));
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    let event = gateway.next_event().await;
    assert_eq!((event.verdict(), event.reason()), (Some("quarantined"), Some("digest-mismatch")));
    assert_eq!(event.incident(), Some(incident.as_str()));
    assert_eq!(event.url(), Some(vendor.url("/app.js").as_str()));
    assert_eq!(event.digest(), Some(sha256_hex(TAMPERED).as_str()));
    assert_eq!(event.text("source.ip"), Some("127.0.0.1"));
}

#[tokio::test]
async fn a_digest_mismatch_is_blocked_where_the_rule_says_so() {
    let vendor = vendor_of(TAMPERED).await;
    let rule = Rule::default().set("on_mismatch", "block");
    let gateway = gateway().rule(&vendor, rule).pin(vendor.url("/app.js"), sha256(REVIEWED)).listen().await;

    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "blocked", "digest-mismatch");
}

#[tokio::test]
async fn what_was_never_pinned_is_blocked() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway().vendor(&vendor).listen().await;

    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "blocked", "unpinned");
}

#[tokio::test]
async fn what_was_never_pinned_is_quarantined_where_the_rule_says_so() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway().rule(&vendor, Rule::default().set("unpinned", "quarantine")).listen().await;

    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "quarantined", "unpinned");
}

#[tokio::test]
async fn what_was_never_pinned_is_observed_where_the_rule_allows_it() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway().rule(&vendor, Rule::default().set("unpinned", "allow")).listen().await;

    let reply = client(&gateway).get(vendor.url("/app.js")).await;

    assert_eq!(reply.status(), 200);
    assert_eq!((reply.verdict().token(), reply.verdict().reason()), ("observed", Some("unpinned")));
    assert_eq!(reply.body(), REVIEWED.as_bytes());
}

#[tokio::test]
async fn an_expired_pin_refuses() {
    let vendor = vendor_of(REVIEWED).await;
    let pin = Pin::new(vendor.url("/app.js")).digest(sha256(REVIEWED)).expires("2021-01-01");
    let gateway = gateway().vendor(&vendor).pinned(pin).listen().await;

    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "blocked", "expired-pin");
}

#[tokio::test]
async fn a_revocation_beats_every_pin_in_every_mode() {
    let vendor = vendor_of(REVIEWED).await;
    for mode in ["enforce", "observe"] {
        let gateway = pinning(&vendor).revoke(sha256(REVIEWED)).set("mode", mode).listen().await;
        refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "blocked", "revoked");
    }
}

#[tokio::test]
async fn only_a_200_is_ever_verified() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;

    for status in [203, 404, 410, 500, 503] {
        vendor.serve("/app.js", Answer::script(REVIEWED).status(status));
        let reply = client(&gateway).get(vendor.url("/app.js")).await;
        refused(&reply, status, "blocked", "upstream-status");
    }
}

#[tokio::test]
async fn a_guarded_answer_that_has_no_body_keeps_its_status_and_gets_none() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/app.js", Answer::untyped("").status(204));
    let gateway = gateway_pinning(&vendor).await;

    for client in [client(&gateway), client(&gateway).http2()] {
        let reply = client.get(vendor.url("/app.js")).await;
        assert_eq!((reply.status().as_u16(), reply.verdict().reason()), (204, Some("upstream-status")));
        assert_eq!((reply.header("content-length"), reply.header("content-type")), (None, None));
        assert!(reply.body().is_empty());
    }
}

#[tokio::test]
async fn a_304_that_nobody_asked_for_is_a_502() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve("/app.js", Answer::untyped("").status(304));
    let gateway = gateway_pinning(&vendor).await;

    refused(&client(&gateway).get(vendor.url("/app.js")).await, 502, "blocked", "upstream-status");
}

#[tokio::test]
async fn a_redirect_to_a_judged_host_passes_and_to_another_is_refused() {
    let elsewhere =
        vendor().named("second").host("js.second.test").script("/app.js", REVIEWED).listen().await;
    let vendor = vendor_of(REVIEWED).await;
    vendor.serve(
        "/judged.js",
        Answer::script(TAMPERED).status(302).header("location", &elsewhere.url("/app.js")),
    );
    vendor.serve(
        "/astray.js",
        Answer::script(TAMPERED).status(302).header("location", "https://evil.test/app.js"),
    );
    let gateway = pinning(&vendor).vendor(&elsewhere).listen().await;

    let judged = client(&gateway).get(vendor.url("/judged.js")).await;
    assert_eq!((judged.status().as_u16(), judged.coded().len()), (302, 0));
    assert_eq!(judged.header("location"), Some(elsewhere.url("/app.js").as_str()));
    let astray = client(&gateway).get(vendor.url("/astray.js")).await;
    refused(&astray, 403, "blocked", "redirect");
}

#[tokio::test]
async fn a_refusal_mirrors_cors_so_that_a_page_sees_it() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = gateway_pinning(&vendor).await;

    let reply = client(&gateway).header("origin", "https://shop.test").get(vendor.url("/app.js")).await;

    refused(&reply, 403, "quarantined", "digest-mismatch");
    assert_eq!(reply.header("access-control-allow-origin"), Some("https://shop.test"));
    assert!(reply.header("vary").unwrap().to_ascii_lowercase().contains("origin"));
}

#[tokio::test]
async fn a_person_who_navigates_gets_a_page() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = gateway_pinning(&vendor).await;

    let person = client(&gateway).header("sec-fetch-dest", "document").header("sec-fetch-mode", "navigate");
    let reply = person.header("accept", "text/html,application/xhtml+xml").get(vendor.url("/app.js")).await;

    refused(&reply, 403, "quarantined", "digest-mismatch");
    assert!(reply.header("content-type").unwrap().starts_with("text/html"));
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_whatever_its_length_says() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.script("/app.js", vec![b' '; 5000]);
    let gateway = pinning(&vendor).set_in("limits", "max_body", "4KiB").listen().await;

    refused(&client(&gateway).get(vendor.url("/app.js")).await, 502, "blocked", "body-too-large");
}
