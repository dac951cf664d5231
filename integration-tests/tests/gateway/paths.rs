//! The delivery path: a pinned host that answers by another issuer or from another range of addresses than ever before.

use std::collections::BTreeSet;

use pinfold_integration_tests::{
    Answer, Event, Gate, Gateway, Identity, Rule, Vendor, VendorBuilder, client, gateway, hidden, sha256,
    token, vendor,
};
use serde_json::json;

use crate::admission::PASSWORD;
use crate::console::{signed_in, with_reviewers};
use crate::{REVIEWED, TAMPERED, refused, verified};

/// Fetches that teach how a host is reached.
const LEARNING: usize = 32;

/// The same vendor under a certificate of another issuer.
fn of_another_issuer() -> VendorBuilder {
    vendor().script("/app.js", REVIEWED).identity(Identity::ByAnotherIssuer)
}

/// The same vendor in another network.
fn in_another_range() -> VendorBuilder {
    vendor().script("/app.js", REVIEWED).at([127, 1, 0, 1])
}

/// A gateway that knows how the vendor is reached.
async fn learned(vendor: &Vendor, rule: Rule) -> Gateway {
    let gateway = with_reviewers(gateway().rule(vendor, rule.set("recheck", "always")));
    let gateway = gateway.pin(vendor.url("/app.js"), sha256(REVIEWED)).listen().await;
    for _ in 0..LEARNING {
        verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    }
    gateway
}

fn usual() -> VendorBuilder {
    vendor().script("/app.js", REVIEWED)
}

fn holding() -> Rule {
    Rule::default().set("on_path_change", "quarantine")
}

/// From now on the host is reached there.
async fn moves(gateway: &mut Gateway, to: &Vendor) {
    gateway.rewrite(|files| files.reach(to));
    gateway.event_called("policy-reloaded").await;
}

/// What was told of paths until its end.
async fn told(gateway: &Gateway) -> Vec<Event> {
    assert!(gateway.terminate().await.success());
    let mut events = gateway.rest_of_events().await;
    events.retain(|event| event.text("event.action") == Some("path-changed"));
    events
}

#[track_caller]
fn tells(event: &Event, evidence: &[&str]) {
    assert_eq!(
        (event.text("event.code"), event.text("Pinfold.subject")),
        (Some("PF-3104"), Some("cdn.vendor.test"))
    );
    let message = event.text("message").unwrap();
    for part in evidence {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[tokio::test]
async fn the_same_bytes_by_another_issuer_pass_and_are_told_once_also_over_a_restart() {
    let (before, after) = (usual().listen().await, of_another_issuer().listen().await);
    let mut gateway = learned(&before, Rule::default()).await;
    moves(&mut gateway, &after).await;

    for _ in 0..3 {
        verified(&client(&gateway).get(after.url("/app.js")).await, REVIEWED);
    }
    let first = told(&gateway).await;
    assert_eq!(first.len(), 1, "{first:?}");
    let evidence = ["issuer CN=The vendors' test intermediate was never seen", "client 127.0.0.1", "/app.js"];
    tells(&first[0], &evidence);

    gateway.start_again().await;
    verified(&client(&gateway).get(after.url("/app.js")).await, REVIEWED);
    assert_eq!(told(&gateway).await.len(), 0);
}

#[tokio::test]
async fn a_change_is_told_by_one_event_where_the_gateway_is_killed_behind_the_first_answer() {
    let (before, after) = (usual().listen().await, of_another_issuer().listen().await);
    let mut gateway = learned(&before, Rule::default()).await;
    moves(&mut gateway, &after).await;
    verified(&client(&gateway).get(after.url("/app.js")).await, REVIEWED);
    gateway.kill().await;

    gateway.start_again().await;
    verified(&client(&gateway).get(after.url("/app.js")).await, REVIEWED);

    let told = told(&gateway).await;
    // An output may be given the same once more.
    let ids: BTreeSet<_> = told.iter().map(|event| event.text("event.id")).collect();
    assert_eq!(ids.len(), 1, "{told:?}");
}

#[tokio::test]
async fn another_range_of_addresses_is_told_and_its_neighbours_are_not() {
    let (before, after) = (usual().listen().await, in_another_range().listen().await);
    let neighbour = usual().at([127, 0, 9, 9]).listen().await;
    let mut gateway = learned(&before, Rule::default()).await;

    for to in [&neighbour, &after] {
        moves(&mut gateway, to).await;
        verified(&client(&gateway).get(to.url("/app.js")).await, REVIEWED);
    }

    let told = told(&gateway).await;
    assert_eq!(told.len(), 1, "{told:?}");
    tells(&told[0], &["range 127.1.0.0/16 was never seen", "address 127.1.0.1:"]);
}

#[tokio::test]
async fn what_the_first_fetches_see_is_usual_and_nothing_is_told_of_it() {
    let (one, other) = (usual().listen().await, in_another_range().listen().await);
    let gateway = gateway().rule(&one, holding().set("recheck", "always"));
    let mut gateway = gateway.pin(one.url("/app.js"), sha256(REVIEWED)).listen().await;

    verified(&client(&gateway).get(one.url("/app.js")).await, REVIEWED);
    moves(&mut gateway, &other).await;
    for _ in 0..=LEARNING {
        verified(&client(&gateway).get(other.url("/app.js")).await, REVIEWED);
    }

    assert_eq!(told(&gateway).await.len(), 0);
}

#[tokio::test]
async fn where_the_rule_says_so_a_changed_path_withholds_until_somebody_approves_of_it() {
    let (before, after) = (usual().listen().await, of_another_issuer().listen().await);
    let third = of_another_issuer().at([127, 2, 0, 1]).listen().await;
    let mut gateway = learned(&before, holding()).await;
    moves(&mut gateway, &after).await;

    let reply = client(&gateway).get(after.url("/app.js")).await;
    let incident = refused(&reply, 403, "quarantined", "path-changed");
    tells(&gateway.event_called("path-changed").await, &["what comes that way is held"]);
    // A restart forgets nothing.
    assert!(gateway.terminate().await.success());
    gateway.start_again().await;
    let again = client(&gateway).get(after.url("/app.js")).await;
    assert_eq!(refused(&again, 403, "quarantined", "path-changed"), incident);
    let shown = gateway.command(&["quarantine", "show", &incident]).await;
    assert!(shown.text().contains("path-changed"), "{}", shown.text());
    assert!(shown.text().contains("test intermediate"), "{}", shown.text());
    let mark = "issuer CN=The vendors' test intermediate at cdn.vendor.test";
    assert!(shown.text().contains("waits     ") && shown.text().contains(mark), "{}", shown.text());
    let shown = gateway.command(&["quarantine", "show", &incident, "--json"]).await.success().json();
    let json = json!({ "host": "cdn.vendor.test", "aspect": "issuer", "value": "CN=The vendors' test intermediate" });
    assert_eq!(shown["refused_marks"], json!([json]));

    let approved = gateway.command(&["quarantine", "approve", &incident, "--reason", "asked them"]).await;
    assert_eq!(approved.code, Some(0), "{}", approved.stderr);
    let admitted = format!("known from now on, for all URLs there: {mark}\n");
    assert!(approved.text().contains(&admitted), "{}", approved.text());

    verified(&client(&gateway).get(after.url("/app.js")).await, REVIEWED);
    // By that path, and no other. The body was approved meanwhile: it waits again.
    moves(&mut gateway, &third).await;
    refused(&client(&gateway).get(third.url("/app.js")).await, 403, "quarantined", "path-changed");
    let shown = gateway.command(&["quarantine", "show", &incident]).await;
    assert!(shown.text().contains("approved  by ") && shown.text().contains("waiting"), "{}", shown.text());
    let approved =
        gateway.command(&["quarantine", "approve", &incident, "--reason", "them too", "--json"]).await;
    let json = json!({ "host": "cdn.vendor.test", "aspect": "range", "value": "127.2.0.0/16" });
    assert_eq!(approved.success().json()["admitted"], json!([json]));
    verified(&client(&gateway).get(third.url("/app.js")).await, REVIEWED);
    moves(&mut gateway, &before).await;
    verified(&client(&gateway).get(before.url("/app.js")).await, REVIEWED);
    assert!(gateway.command(&["audit", "verify"]).await.code == Some(0));
}

#[tokio::test]
async fn an_answer_to_who_asked_before_the_rule_was_to_hold_makes_no_path_known() {
    let (before, after) = (usual().listen().await, of_another_issuer().listen().await);
    let mut gateway = learned(&before, Rule::default()).await;
    moves(&mut gateway, &after).await;
    let gate = Gate::closed();
    after.serve("/app.js", Answer::script(REVIEWED).behind(&gate));
    let (early, url) = (client(&gateway), after.url("/app.js"));
    let asking = tokio::spawn(async move { early.get(url).await });
    after.asked("/app.js", 1).await;
    let held = with_reviewers(self::gateway().rule(&after, holding().set("recheck", "always")));
    gateway.rewrite(|_| held.pin(after.url("/app.js"), sha256(REVIEWED)));
    gateway.event_called("policy-reloaded").await;
    after.script("/app.js", REVIEWED);
    refused(&client(&gateway).get(after.url("/app.js")).await, 403, "quarantined", "path-changed");

    gate.open();
    verified(&asking.await.unwrap(), REVIEWED);

    refused(&client(&gateway).get(after.url("/app.js")).await, 403, "quarantined", "path-changed");
}

#[tokio::test]
async fn an_approval_at_the_console_admits_the_paths_that_its_page_showed_and_no_others() {
    let (before, after) = (usual().listen().await, of_another_issuer().listen().await);
    let third = of_another_issuer().at([127, 2, 0, 1]).listen().await;
    let mut gateway = learned(&before, holding()).await;
    moves(&mut gateway, &after).await;
    let reply = client(&gateway).get(after.url("/app.js")).await;
    let item = format!("/quarantine/{}", refused(&reply, 403, "quarantined", "path-changed"));
    let to = format!("{item}/decide");
    let page = signed_in(&gateway, "ada").await.open(&item).await;
    let shown = hidden(&page, "shown").unwrap();
    // While the reviewer reads it comes by one more.
    moves(&mut gateway, &third).await;
    refused(&client(&gateway).get(third.url("/app.js")).await, 403, "quarantined", "path-changed");

    let ada = signed_in(&gateway, "ada").await;
    let form = token(&ada.open(&item).await);
    let decision = [("act", "approve"), ("reason", "asked them"), ("password", PASSWORD)];
    ada.send(&to, &[&[("form", &*form), ("shown", &shown)], &decision[..]].concat()).await;

    let after = ada.open(&item).await.body;
    assert!(
        after.contains("Nothing was decided.") && after.contains("It came another way meanwhile"),
        "{after}"
    );
    refused(&client(&gateway).get(third.url("/app.js")).await, 403, "quarantined", "path-changed");
    ada.fill(&item, &to, &decision).await;
    verified(&client(&gateway).get(third.url("/app.js")).await, REVIEWED);
}

#[tokio::test]
async fn a_rejection_of_a_changed_path_refuses_the_body_there() {
    let (before, after) = (usual().listen().await, of_another_issuer().listen().await);
    let mut gateway = learned(&before, holding()).await;
    moves(&mut gateway, &after).await;
    let incident =
        refused(&client(&gateway).get(after.url("/app.js")).await, 403, "quarantined", "path-changed");

    let rejected = gateway.command(&["quarantine", "reject", &incident, "--reason", "not theirs"]).await;

    assert_eq!(rejected.code, Some(0), "{}", rejected.stderr);
    refused(&client(&gateway).get(after.url("/app.js")).await, 403, "blocked", "rejected");
}

#[tokio::test]
async fn a_changed_path_does_not_hide_what_matters_more() {
    let (before, after) = (usual().listen().await, of_another_issuer().listen().await);
    let mut gateway = learned(&before, holding()).await;
    moves(&mut gateway, &after).await;

    after.script("/app.js", TAMPERED);
    refused(&client(&gateway).get(after.url("/app.js")).await, 403, "quarantined", "digest-mismatch");
    after.script("/app.js", REVIEWED);
    let revoked = gateway.command(&["pin", "revoke", &sha256(REVIEWED), "--reason", "incident"]).await;
    assert!(revoked.code.is_some_and(|code| code < 2), "{}", revoked.stderr);
    refused(&client(&gateway).get(after.url("/app.js")).await, 403, "blocked", "revoked");
}

#[tokio::test]
async fn what_is_held_for_its_path_is_substituted_from_the_shelf() {
    let (before, after) = (usual().listen().await, of_another_issuer().listen().await);
    let mut gateway = learned(&before, holding().set("substitute", true)).await;
    moves(&mut gateway, &after).await;

    for _ in 0..2 {
        let reply = client(&gateway).get(after.url("/app.js")).await;
        let said = reply.verdict();
        assert_eq!((said.token(), said.reason()), ("substituted", Some("path-changed")), "{reply:?}");
        assert_eq!(reply.coded().as_ref(), REVIEWED.as_bytes());
    }
}

#[tokio::test]
async fn observe_mode_lets_a_changed_path_pass_and_says_so() {
    let (before, after) = (usual().listen().await, of_another_issuer().listen().await);
    let mut gateway = learned(&before, holding().set("mode", "observe")).await;
    moves(&mut gateway, &after).await;

    let reply = client(&gateway).get(after.url("/app.js")).await;

    let said = reply.verdict();
    assert_eq!((said.token(), said.reason()), ("observed", Some("path-changed")), "{reply:?}");
    assert_eq!((reply.status().as_u16(), reply.coded().as_ref()), (200, REVIEWED.as_bytes()));
    tells(&gateway.event_called("path-changed").await, &[]);
}

#[tokio::test]
async fn what_came_by_a_changed_path_is_not_put_on_the_shelf() {
    let (before, after) = (usual().listen().await, of_another_issuer().listen().await);
    before.script("/other.js", REVIEWED);
    after.script("/other.js", REVIEWED);
    let gateway = gateway().rule(&before, holding()).pin(before.url("/app.js"), sha256(REVIEWED));
    let mut gateway = gateway.pin(before.url("/other.js"), sha256(REVIEWED)).listen().await;
    // Each query is a variant of its own, and is fetched once.
    for number in 0..LEARNING {
        let query = format!("/app.js?n={number}");
        verified(&client(&gateway).get(before.url(&query)).await, REVIEWED);
    }
    moves(&mut gateway, &after).await;

    for _ in 0..2 {
        refused(&client(&gateway).get(after.url("/other.js")).await, 403, "quarantined", "path-changed");
    }
    // What was on it before goes on.
    verified(&client(&gateway).get(after.url("/app.js?n=0")).await, REVIEWED);
    assert!(after.seen("/app.js").is_empty());
}

#[tokio::test]
async fn where_nobody_can_say_whether_a_path_is_new_nothing_is_released_if_it_were_to_be_held() {
    let (before, after) = (usual().listen().await, of_another_issuer().listen().await);
    let mut gateway = learned(&before, holding()).await;
    moves(&mut gateway, &after).await;
    let register = gateway.dir().join("pinfold-data/pinfold.db");
    let away = gateway.dir().join("away.db");
    std::fs::rename(&register, &away).unwrap();

    let reply = client(&gateway).get(after.url("/app.js")).await;

    refused(&reply, 503, "blocked", "store-unavailable");
    std::fs::rename(&away, &register).unwrap();
    refused(&client(&gateway).get(after.url("/app.js")).await, 403, "quarantined", "path-changed");
}

#[tokio::test]
async fn what_is_held_for_its_path_is_held_in_a_replay_as_long_as_the_rule_says_so() {
    let (before, after) = (usual().listen().await, of_another_issuer().listen().await);
    let mut runs = learned(&before, holding()).await;
    moves(&mut runs, &after).await;
    refused(&client(&runs).get(after.url("/app.js")).await, 403, "quarantined", "path-changed");
    runs.terminate().await;

    let found = runs.command(&["replay", "--json"]).await.success().json();
    assert_eq!(found["same"], serde_json::json!({ "released": LEARNING, "refused": 1 }), "{found:#}");

    runs.rewrite(|_| gateway().rule(&after, Rule::default()).pin(after.url("/app.js"), sha256(REVIEWED)));
    let found = runs.command(&["replay", "--json"]).await.success().json();
    let passes = &found["would_pass"][0];
    assert_eq!(
        (&passes["then"]["reason"], &passes["now"]["verdict"]),
        (&"path-changed".into(), &"verified".into()),
        "{found:#}"
    );
}
