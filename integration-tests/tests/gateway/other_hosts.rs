//! Hosts that no vendor claims, where they can be seen, and redirects to them.

use pinfold_integration_tests::{Answer, GatewayBuilder, Vendor, client, gateway, vendor};

use crate::{REVIEWED, TAMPERED, pinning, refused, vendor_of};

/// A vendor on whose `/go.js` a script redirects as told, and a gateway that knows a second vendor.
async fn redirecting(locations: &[&str]) -> (Vendor, GatewayBuilder) {
    let judged = vendor().named("judged").host("judged.test").clear_text().listen().await;
    let moved = Answer::script(TAMPERED).status(302);
    let moved = locations.iter().fold(moved, |answer, location| answer.header("location", location));
    let vendor = vendor().serve("/lib/go.js", moved).listen().await;
    let gateway = pinning(&vendor).vendor(&judged);
    (vendor, gateway)
}

#[tokio::test]
async fn a_script_in_clear_text_from_an_unlisted_host_is_refused_and_the_rest_passes() {
    let other = vendor().host("other.test").clear_text();
    let other = other.serve("/notes", Answer::typed("text/plain", TAMPERED));
    let other = other.serve("/logo", Answer::typed("image/png", &b"\x89PNG\r\n\x1a\n0000"[..]));
    let other = other.serve("/livechat", Answer::script(TAMPERED)).listen().await;
    let gateway = gateway().reach(&other);
    let gateway = gateway.set_in("other_hosts", "scripts", "block").set_in("other_hosts", "tls", "tunnel");
    let gateway = gateway.listen().await;

    for path in ["/notes", "/logo"] {
        let reply = client(&gateway).get(other.url(path)).await;
        assert_eq!((reply.status().as_u16(), reply.header("x-content-type-options")), (200, Some("nosniff")));
    }
    refused(&client(&gateway).get(other.url("/livechat")).await, 403, "blocked", "unlisted-host");
}

#[tokio::test]
async fn a_redirect_that_two_clients_would_read_differently_leads_to_the_judged_host_for_both() {
    let (vendor, gateway) = redirecting(&["http://judged.test\\@evil.test/x.js"]).await;

    let reply = client(&gateway.listen().await).get(vendor.url("/lib/go.js")).await;

    assert_eq!((reply.status().as_u16(), reply.coded().len()), (302, 0));
    assert_eq!(reply.header("location"), Some("http://judged.test/@evil.test/x.js"));
}

#[tokio::test]
async fn a_redirect_to_two_places_is_refused() {
    let (vendor, gateway) = redirecting(&["http://judged.test/x.js", "http://evil.test/x.js"]).await;

    let reply = client(&gateway.listen().await).get(vendor.url("/lib/go.js")).await;

    refused(&reply, 403, "blocked", "redirect");
}

#[tokio::test]
async fn a_relative_redirect_passes_and_says_where_it_leads() {
    let (vendor, gateway) = redirecting(&["../app.js"]).await;

    let reply = client(&gateway.listen().await).get(vendor.url("/lib/go.js")).await;

    assert_eq!((reply.status().as_u16(), reply.coded().len()), (302, 0));
    assert_eq!(reply.header("location"), Some(vendor.url("/app.js").as_str()));
}

#[tokio::test]
async fn a_redirect_of_what_is_not_guarded_passes_as_it_is() {
    let vendor = vendor_of(REVIEWED).await;
    let moved = Answer::untyped("").status(302).header("location", "https://evil.test/chat");
    vendor.serve("/chat", moved);
    let gateway = pinning(&vendor).listen().await;

    let reply = client(&gateway).get(vendor.url("/chat")).await;

    assert_eq!((reply.status().as_u16(), reply.header("location")), (302, Some("https://evil.test/chat")));
}
