//! The review of what was quarantined: a decision takes effect in the running gateway at once, and stays.

use http::Method;
use pinfold_integration_tests::{Gateway, Rule, client, gateway, sha256, vendor};
use pinfold_policy::digest::Digests;

use crate::{REVIEWED, TAMPERED, gateway_pinning, pinning, refused, vendor_of, verified};

#[tokio::test]
async fn an_approval_takes_effect_at_once_and_survives_a_restart() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = gateway_pinning(&vendor).await;
    let incident = quarantine(&gateway, &vendor.url("/app.js")).await;

    gateway.command(&["quarantine", "approve", &incident, "--reason", "SEC-1"]).await.success();
    verified(&client(&gateway).get(vendor.url("/app.js")).await, TAMPERED);

    gateway.terminate().await;
    gateway.start_again().await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, TAMPERED);
}

#[tokio::test]
async fn an_approval_is_for_one_url_only() {
    let vendor = vendor_of(TAMPERED).await;
    vendor.script("/other.js", TAMPERED);
    let gateway = pinning(&vendor).pin(vendor.url("/other.js"), sha256(REVIEWED)).listen().await;
    let incident = quarantine(&gateway, &vendor.url("/app.js")).await;

    gateway.command(&["quarantine", "approve", &incident, "--reason", "SEC-1"]).await.success();

    let other = client(&gateway).get(vendor.url("/other.js")).await;
    refused(&other, 403, "quarantined", "digest-mismatch");
}

#[tokio::test]
async fn a_rejection_bars_the_digest_for_that_url() {
    let vendor = vendor_of(TAMPERED).await;
    vendor.script("/other.js", TAMPERED);
    let gateway = pinning(&vendor).pin(vendor.url("/other.js"), sha256(TAMPERED)).listen().await;
    let incident = quarantine(&gateway, &vendor.url("/app.js")).await;

    gateway.command(&["quarantine", "reject", &incident, "--reason", "SEC-1"]).await.success();

    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "blocked", "rejected");
    verified(&client(&gateway).get(vendor.url("/other.js")).await, TAMPERED);
    gateway.kill().await;
    gateway.start_again().await;
    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "blocked", "rejected");
}

#[tokio::test]
async fn a_rejection_everywhere_revokes_and_names_the_pins_that_go_dark() {
    let vendor = vendor_of(TAMPERED).await;
    vendor.script("/other.js", TAMPERED);
    let gateway = pinning(&vendor).pin(vendor.url("/other.js"), sha256(TAMPERED)).listen().await;
    let incident = quarantine(&gateway, &vendor.url("/app.js")).await;

    let output = gateway
        .command(&["quarantine", "reject", &incident, "--everywhere", "--reason", "SEC-1"])
        .await
        .success();

    assert!(output.text().contains(&vendor.url("/other.js")), "{}", output.text());
    for path in ["/app.js", "/other.js"] {
        refused(&client(&gateway).get(vendor.url(path)).await, 403, "blocked", "revoked");
    }
}

#[tokio::test]
async fn a_revocation_of_a_pinned_digest_holds_for_the_very_next_request() {
    let enforced = vendor().script("/app.js", REVIEWED).script("/bad.js", REVIEWED).listen().await;
    let observed = vendor().named("observed").host("js.observed.test").script("/app.js", REVIEWED);
    let observed = observed.listen().await;
    let gateway = gateway()
        .vendor(&enforced)
        .rule(&observed, Rule::default().set("mode", "observe"))
        .pin(enforced.url("/app.js"), sha256(REVIEWED))
        .pin(enforced.url("/bad.js"), sha256("something else"))
        .pin(observed.url("/app.js"), sha256(REVIEWED))
        .listen()
        .await;
    let (http1, http2) = (client(&gateway), client(&gateway).http2());
    let urls = [enforced.url("/app.js"), observed.url("/app.js")];
    let mut sessions = Vec::new();
    for url in &urls {
        for client in [&http1, &http2] {
            let url: http::Uri = url.parse().unwrap();
            let mut session = client.open(&url).await.unwrap().unwrap();
            verified(&session.ask(Method::GET, url.clone()).await.unwrap(), REVIEWED);
            sessions.push((session, url));
        }
    }
    let incident = http1.get(enforced.url("/bad.js")).await.verdict().incident().unwrap().to_owned();

    gateway
        .command(&["quarantine", "reject", &incident, "--everywhere", "--reason", "SEC-1"])
        .await
        .success();

    for (mut session, url) in sessions {
        refused(&session.ask(Method::GET, url).await.unwrap(), 403, "blocked", "revoked");
    }
}

#[tokio::test]
async fn quarantine_shows_who_asked_and_hands_out_the_body() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = gateway_pinning(&vendor).await;
    let client = client(&gateway).header("referer", "https://shop.test/checkout");
    let incident = client.get(vendor.url("/app.js")).await.verdict().incident().unwrap().to_owned();

    let list = gateway.command(&["quarantine", "list"]).await.success().text();
    let show = gateway.command(&["quarantine", "show", &incident]).await.success().text();
    let export = gateway.command(&["quarantine", "export", &incident]).await.success();

    assert!(list.contains(&incident), "{list}");
    for evidence in
        [vendor.url("/app.js").as_str(), "127.0.0.1", "https://shop.test/checkout", &sha256(TAMPERED)]
    {
        assert!(show.contains(evidence), "no {evidence}: {show}");
    }
    assert_eq!(export.stdout, TAMPERED.as_bytes());
}

#[tokio::test]
async fn what_was_never_pinned_can_be_approved_from_quarantine() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway()
        .rule(&vendor, Rule::default().set("unpinned", "quarantine").set("recheck", "always"))
        .listen()
        .await;
    let incident = quarantine(&gateway, &vendor.url("/app.js")).await;

    gateway.command(&["quarantine", "approve", &incident, "--reason", "SEC-1"]).await.success();

    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    vendor.script("/app.js", TAMPERED);
    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "quarantined", "digest-mismatch");
}

#[tokio::test]
async fn an_incident_that_does_not_exist_is_an_error() {
    let vendor = vendor().listen().await;
    let gateway = gateway_pinning(&vendor).await;

    let why: &[&str] = &["--reason", "SEC-1"];
    for (action, why) in [("show", &[][..]), ("approve", why), ("reject", why), ("export", &[])] {
        let args = [&["quarantine", action, "01ARZ3NDEKTSV4RRFFQ69G5FAV"], why].concat();
        let output = gateway.command(&args).await;
        assert_eq!(output.code, Some(3), "{output:?}");
        assert!(output.stderr.starts_with("pinfold: error: "), "{}", output.stderr);
    }
}

/// Has a URL refused, and gives the incident.
async fn quarantine(gateway: &Gateway, url: &str) -> String {
    let reply = client(gateway).get(url).await;
    assert_eq!(reply.verdict().token(), "quarantined");
    reply.verdict().incident().unwrap().to_owned()
}

#[tokio::test]
async fn what_a_file_revokes_is_said_to_stay_so_whatever_people_decide() {
    let vendor = vendor_of(TAMPERED).await;
    let mut gateway = gateway_pinning(&vendor).await;
    let incident = quarantine(&gateway, &vendor.url("/app.js")).await;
    let [sha256, sha384, sha512] = Digests::of(TAMPERED.as_bytes()).all().map(|digest| digest.to_string());
    gateway.rewrite(|files| files.revoke(&sha384));
    gateway.event_called("policy-reloaded").await;

    let approved =
        gateway.command(&["quarantine", "approve", &incident, "--reason", "SEC-1"]).await.success();
    assert!(approved.stderr.contains("[[revoke]] block at "), "{}", approved.stderr);
    gateway.command(&["pin", "revoke", &sha256, "--reason", "SEC-1"]).await.success();
    gateway.command(&["pin", "revoke", &sha512, "--reason", "SEC-1"]).await.success();
    let undo =
        async |digest: &str| gateway.command(&["pin", "revoke", "--undo", digest, "--reason", "SEC-2"]).await;
    let undone = undo(&sha256).await.success().text();
    assert!(undone.contains(&format!("but the same body is revoked as {sha512}")), "{undone}");
    let undone = undo(&sha512).await.success().text();
    assert!(undone.contains("but the [[revoke]] block at "), "{undone}");
    assert_eq!(undo(&sha384).await.code, Some(3));
    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "blocked", "revoked");
}

#[tokio::test]
async fn an_approval_that_is_not_enough_any_more_says_that_an_earlier_one_holds() {
    let vendor = vendor_of(TAMPERED).await;
    let mut gateway = gateway_pinning(&vendor).await;
    let incident = quarantine(&gateway, &vendor.url("/app.js")).await;
    gateway.command(&["quarantine", "approve", &incident, "--reason", "SEC-1"]).await.success();
    gateway.rewrite(|files| files.set_in("review", "approvers", 2));
    gateway.event_called("policy-reloaded").await;

    let again = ["quarantine", "approve", &incident, "--reason", "SEC-2", "--expires", "9d"];
    let again = gateway.command(&again).await.success().text();

    assert!(again.contains("an earlier approval still releases them"), "{again}");
    verified(&client(&gateway).get(vendor.url("/app.js")).await, TAMPERED);
}
