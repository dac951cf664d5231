//! `unpinned = "learn"`: what a URL serves first passes unverified and is on record; from then on nothing else does.

use http::Method;
use pinfold_integration_tests::{
    Answer, Gate, Gateway, GatewayBuilder, Pin, Reply, Rule, Vendor, client, gateway, sha256, vendor,
};
use serde_json::{Value, json};

use crate::{REVIEWED, TAMPERED, refused, vendor_of, verified};

/// A gateway that learns, and asks the vendor on every request.
fn learning(vendor: &Vendor) -> GatewayBuilder {
    gateway().rule(vendor, Rule::default().set("unpinned", "learn").set("recheck", "always"))
}

/// Checks that content passed because nothing was known of its URL.
#[track_caller]
fn learned(reply: &Reply, script: &str) {
    assert_eq!(
        (reply.verdict().token(), reply.verdict().reason()),
        ("observed", Some("unpinned")),
        "{reply:?}"
    );
    assert_eq!((reply.status().as_u16(), reply.body()), (200, script.as_bytes().to_vec()));
}

/// Checks that content was verified by what was learned, and by no person.
#[track_caller]
fn provisional(reply: &Reply, script: &str) {
    assert!(reply.verdict().is_provisional(), "{reply:?}");
    verified(reply, script);
}

async fn list(gateway: &Gateway, options: &[&str]) -> Value {
    gateway.command(&[&["pin", "list", "--json"], options].concat()).await.success().json()
}

async fn get(gateway: &Gateway, url: impl AsRef<str>) -> Reply {
    client(gateway).get(url.as_ref()).await
}

#[tokio::test]
async fn what_a_url_serves_first_is_learned_and_what_it_serves_later_differs_from_it() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = learning(&vendor).listen().await;
    let url = vendor.url("/app.js");

    learned(&get(&gateway, &url).await, REVIEWED);
    let event = gateway.event_of(&url).await;
    assert_eq!((event.verdict(), event.reason()), (Some("observed"), Some("unpinned")));
    provisional(&get(&gateway, &url).await, REVIEWED);
    let event = gateway.event_of(&url).await;
    assert_eq!((event.verdict(), event.reason()), (Some("verified"), None));
    assert!(event.text("rule.id").unwrap().starts_with("learned "), "{event:?}");
    assert_eq!(event.at("Pinfold.provisional"), Some(&true.into()));
    // The query is no way to be first again.
    provisional(&get(&gateway, format!("{url}?cache=1")).await, REVIEWED);

    vendor.script("/app.js", TAMPERED);
    refused(&get(&gateway, format!("{url}?cache=2")).await, 403, "quarantined", "digest-mismatch");
    vendor.script("/app.js", REVIEWED);
    provisional(&get(&gateway, &url).await, REVIEWED);
}

#[tokio::test]
async fn what_was_released_as_learned_is_learned_after_a_kill() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = learning(&vendor).listen().await;

    learned(&get(&gateway, vendor.url("/app.js")).await, REVIEWED);
    gateway.kill().await;
    gateway.start_again().await;

    provisional(&get(&gateway, vendor.url("/app.js")).await, REVIEWED);
    vendor.script("/app.js", TAMPERED);
    refused(&get(&gateway, vendor.url("/app.js")).await, 403, "quarantined", "digest-mismatch");
}

#[tokio::test]
async fn the_vendors_rule_says_whether_what_differs_from_the_learned_is_kept() {
    let vendor = vendor_of(REVIEWED).await;
    let rule = Rule::default().set("unpinned", "learn").set("recheck", "always").set("on_mismatch", "block");
    let gateway = gateway().rule(&vendor, rule).listen().await;

    learned(&get(&gateway, vendor.url("/app.js")).await, REVIEWED);
    vendor.script("/app.js", TAMPERED);

    refused(&get(&gateway, vendor.url("/app.js")).await, 403, "blocked", "digest-mismatch");
}

#[tokio::test]
async fn of_two_first_bodies_at_one_time_one_is_learned_and_the_other_judged_by_it() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = learning(&vendor).listen().await;
    let gate = Gate::closed();
    let mut asking = Vec::new();
    for (at, (path, body)) in
        [("/app.js", REVIEWED), ("/app.js", TAMPERED), ("/same.js", REVIEWED), ("/same.js", REVIEWED)]
            .into_iter()
            .enumerate()
    {
        let (start, rest) = body.split_at(1);
        vendor.serve(path, Answer::script(start).then(&gate, rest));
        let (client, url) = (client(&gateway), vendor.url(path));
        asking.push(tokio::spawn(async move { client.get(url).await }));
        vendor.asked(path, at % 2 + 1).await;
    }

    gate.open();

    let mut said = Vec::new();
    for reply in asking {
        let reply = reply.await.unwrap();
        said.push(format!("{} {}", reply.verdict().token(), reply.verdict().reason().unwrap_or("-")));
    }
    let (different, same) = said.split_at_mut(2);
    different.sort_unstable();
    same.sort_unstable();
    assert_eq!(different, ["observed unpinned", "quarantined digest-mismatch"]);
    assert_eq!(same, ["observed unpinned", "verified -"]);
}

#[tokio::test]
async fn errors_and_halves_are_never_learned() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = learning(&vendor).listen().await;
    let url = vendor.url("/app.js");
    let answers = [
        Answer::script(TAMPERED).status(404),
        Answer::script(TAMPERED).status(500),
        Answer::script(TAMPERED).status(203),
        Answer::script(TAMPERED).status(206).header("content-range", "bytes 0-3/9"),
        Answer::script("not gzip").header("content-encoding", "gzip"),
        // A login page in place of the script.
        Answer::page("<script>login()</script>"),
    ];
    for answer in answers {
        vendor.serve("/app.js", answer);
        let reply = get(&gateway, &url).await;
        assert_eq!(reply.verdict().token(), "blocked", "{reply:?}");
    }
    vendor.script("/app.js", TAMPERED);
    let posted = client(&gateway).ask(Method::POST, &url).await;
    refused(&posted, 403, "blocked", "unpinned");

    vendor.script("/app.js", REVIEWED);
    learned(&get(&gateway, &url).await, REVIEWED);
}

#[tokio::test]
async fn a_head_learns_like_the_get_that_it_stands_for() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = learning(&vendor).listen().await;

    let head = client(&gateway).ask(Method::HEAD, vendor.url("/app.js")).await;

    assert_eq!((head.verdict().token(), head.verdict().reason()), ("observed", Some("unpinned")));
    provisional(&get(&gateway, vendor.url("/app.js")).await, REVIEWED);
}

#[tokio::test]
async fn an_expired_pin_never_reopens_its_url_to_learning() {
    let vendor = vendor_of(TAMPERED).await;
    let pin = Pin::new(vendor.url("/app.js")).digest(sha256(REVIEWED)).expires("2021-01-01");
    let pattern = Pin::new(vendor.url("/lib/*")).digest(sha256(REVIEWED)).expires("2021-01-01");
    vendor.script("/lib/a.js", TAMPERED);
    let gateway = learning(&vendor).pinned(pin).pinned(pattern).listen().await;

    for path in ["/app.js", "/lib/a.js"] {
        refused(&get(&gateway, vendor.url(path)).await, 403, "quarantined", "digest-mismatch");
    }
    vendor.script("/app.js", REVIEWED);
    refused(&get(&gateway, vendor.url("/app.js")).await, 403, "blocked", "expired-pin");
}

#[tokio::test]
async fn a_removed_pin_never_reopens_its_url_to_learning() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.script("/pinned.js", REVIEWED);
    vendor.script("/changed.js", TAMPERED);
    let urls = [vendor.url("/pinned.js"), vendor.url("/changed.js")];
    let gateway = urls.iter().fold(learning(&vendor), |gateway, url| gateway.pin(url, sha256(REVIEWED)));
    let gateway = gateway.listen().await;
    verified(&get(&gateway, format!("{}?v=1", urls[0])).await, REVIEWED);
    refused(&get(&gateway, &urls[1]).await, 403, "quarantined", "digest-mismatch");

    gateway.command(&["pin", "remove", &urls[0], &urls[1]]).await.success();
    gateway.terminate().await;
    gateway.start_again().await;

    vendor.script("/pinned.js", TAMPERED);
    for url in &urls {
        refused(&get(&gateway, url).await, 403, "blocked", "unpinned");
    }
    learned(&get(&gateway, vendor.url("/app.js")).await, REVIEWED);
}

#[tokio::test]
async fn a_rejection_never_reopens_its_url_to_learning() {
    let vendor = vendor_of(TAMPERED).await;
    let url = vendor.url("/app.js");
    let gateway = learning(&vendor).pin(&url, sha256(REVIEWED)).listen().await;
    let incident = refused(&get(&gateway, &url).await, 403, "quarantined", "digest-mismatch");
    gateway.command(&["quarantine", "reject", &incident, "--reason", "it steals"]).await.success();

    gateway.command(&["pin", "remove", &url]).await.success();
    gateway.terminate().await;
    gateway.start_again().await;

    refused(&get(&gateway, &url).await, 403, "blocked", "rejected");
    vendor.script("/app.js", "something new");
    refused(&get(&gateway, &url).await, 403, "quarantined", "digest-mismatch");
}

#[tokio::test]
async fn a_rejection_outlives_the_pin_with_a_query_that_it_was_made_under() {
    let vendor = vendor_of(TAMPERED).await;
    let url = vendor.url("/app.js?v=1");
    let rule = Rule::default().set("unpinned", "allow");
    let gateway = gateway().rule(&vendor, rule).pin(&url, sha256(REVIEWED)).listen().await;
    let incident = refused(&get(&gateway, &url).await, 403, "quarantined", "digest-mismatch");
    gateway.command(&["quarantine", "reject", &incident, "--reason", "it steals"]).await.success();

    gateway.command(&["pin", "remove", &url]).await.success();
    gateway.hang_up().await;
    gateway.event_called("policy-reloaded").await;

    refused(&get(&gateway, &url).await, 403, "blocked", "rejected");
    vendor.script("/app.js", "something new");
    refused(&get(&gateway, &url).await, 403, "quarantined", "digest-mismatch");
    let other = get(&gateway, vendor.url("/app.js?v=2")).await;
    assert_eq!(other.verdict().reason(), Some("unpinned"), "{other:?}");
}

#[tokio::test]
async fn a_rejection_for_any_query_outlives_a_pin_with_one() {
    let vendor = vendor_of(TAMPERED).await;
    let mut gateway = gateway().vendor(&vendor).pin(vendor.url("/app.js"), sha256(REVIEWED)).listen().await;
    let url = vendor.url("/app.js?v=1");
    let incident = refused(&get(&gateway, &url).await, 403, "quarantined", "digest-mismatch");
    gateway.command(&["quarantine", "reject", &incident, "--reason", "it steals"]).await.success();

    gateway.rewrite(|files| files.without_pins().pin(&url, sha256(TAMPERED)));
    gateway.event_called("policy-reloaded").await;

    refused(&get(&gateway, &url).await, 403, "blocked", "rejected");
}

#[tokio::test]
async fn what_still_holds_after_a_decision_under_another_query_is_said() {
    let vendor = vendor_of(TAMPERED).await;
    let url = vendor.url("/app.js?v=1");
    let mut gateway = gateway().vendor(&vendor).pin(&url, sha256(REVIEWED)).listen().await;
    let one = refused(&get(&gateway, &url).await, 403, "quarantined", "digest-mismatch");
    gateway.command(&["quarantine", "approve", &one, "--reason", "SEC-1"]).await.success();
    let removed = gateway.command(&["pin", "remove", &url]).await.success().text();
    assert!(removed.contains(&one), "the approval still allows them: {removed}");

    gateway.rewrite(|files| files.without_pins().pin(vendor.url("/app.js"), sha256(REVIEWED)));
    gateway.event_called("policy-reloaded").await;
    let any = refused(&get(&gateway, vendor.url("/app.js")).await, 403, "quarantined", "digest-mismatch");
    gateway.command(&["quarantine", "reject", &any, "--reason", "SEC-2"]).await.success();
    refused(&get(&gateway, &url).await, 403, "blocked", "rejected");
    let again = ["quarantine", "approve", &one, "--reason", "SEC-3", "--expires", "9d"];
    let again = gateway.command(&again).await.success().stderr;
    assert!(again.contains(&format!("incident {any}: these bytes are rejected there")), "{again}");

    // Whoever looks later is told too, at the approval and at what bars it.
    let barred = json!([{ "incident": any, "subject": vendor.url("/app.js") }]);
    let approved = shown(&gateway, &one).await;
    assert!(
        approved.0.contains(&format!("incident {any}: these bytes are rejected there for any query")),
        "{}",
        approved.0
    );
    assert_eq!((&approved.1["barred_by"], &approved.1["bars"]), (&barred, &json!([])));
    let rejected = shown(&gateway, &any).await;
    assert!(
        rejected.0.contains(&format!("approval {one}, at {url}: refused all the same")),
        "{}",
        rejected.0
    );
    assert_eq!(rejected.1["bars"], json!([{ "rule": format!("approval {one}"), "subject": url }]));
    let pins = gateway.command(&["pin", "list"]).await.success().text();
    assert!(pins.contains(&format!("rejected there for any query ({any})")), "{pins}");
    assert_eq!(approval_of(&gateway, &one).await["barred_by"], barred);

    // And not any more once it is over.
    gateway.command(&["quarantine", "approve", &any, "--reason", "SEC-4"]).await.success();
    verified(&get(&gateway, &url).await, TAMPERED);
    assert_eq!(shown(&gateway, &one).await.1["barred_by"], json!([]));
    assert_eq!(approval_of(&gateway, &one).await["barred_by"], json!([]));
    assert!(!gateway.command(&["pin", "list"]).await.success().text().contains("rejected"));
}

/// What `quarantine show` says of an item, to people and as JSON.
async fn shown(gateway: &Gateway, incident: &str) -> (String, Value) {
    let text = gateway.command(&["quarantine", "show", incident]).await.success().text();
    (text, gateway.command(&["--json", "quarantine", "show", incident]).await.success().json())
}

/// What `pin list` says of the approval of an item.
async fn approval_of(gateway: &Gateway, incident: &str) -> Value {
    let pins = gateway.command(&["--json", "pin", "list"]).await.success().json();
    pins.as_array().unwrap().iter().find(|pin| pin["record"] == incident).unwrap().clone()
}

#[tokio::test]
async fn an_approval_for_any_query_says_at_which_one_a_rejection_still_refuses() {
    let vendor = vendor_of(TAMPERED).await;
    let url = vendor.url("/app.js?v=1");
    let mut gateway = gateway().vendor(&vendor).pin(&url, sha256(REVIEWED)).listen().await;
    let one = refused(&get(&gateway, &url).await, 403, "quarantined", "digest-mismatch");
    gateway.command(&["quarantine", "reject", &one, "--reason", "SEC-1"]).await.success();
    gateway.rewrite(|files| files.without_pins().pin(vendor.url("/app.js"), sha256(REVIEWED)));
    gateway.event_called("policy-reloaded").await;
    let any = refused(&get(&gateway, vendor.url("/app.js")).await, 403, "quarantined", "digest-mismatch");

    let approving = ["quarantine", "approve", &any, "--reason", "SEC-2"];
    let said = gateway.command(&approving).await.success().stderr;

    assert!(said.contains(&format!("incident {one}: these bytes are rejected at {url}")), "{said}");
    let (approved, _) = shown(&gateway, &any).await;
    assert!(approved.contains(&format!("incident {one}: these bytes are rejected at {url}")), "{approved}");
    let (rejected, _) = shown(&gateway, &one).await;
    assert!(
        rejected.contains(&format!("approval {any}, there for any query: refused all the same")),
        "{rejected}"
    );
    let pins = gateway.command(&["pin", "list"]).await.success().text();
    assert!(pins.contains(&format!("rejected at {url} ({one})")), "{pins}");
    let barred = json!([{ "incident": one, "subject": url }]);
    assert_eq!(approval_of(&gateway, &any).await["barred_by"], barred);
    verified(&get(&gateway, vendor.url("/app.js")).await, TAMPERED);
    refused(&get(&gateway, &url).await, 403, "blocked", "rejected");
}

#[tokio::test]
async fn what_one_client_is_given_for_its_cookie_is_learned_for_nobody() {
    let vendor = vendor().listen().await;
    vendor.serve_by("/app.js", |request| {
        let script = if request.header("cookie").is_some() { TAMPERED } else { REVIEWED };
        Answer::script(script).header("vary", "Cookie").header("cache-control", "private")
    });
    let gateway = learning(&vendor).listen().await;
    let url = vendor.url("/app.js");

    let own = client(&gateway).header("cookie", "id=mallory").get(&url).await;
    assert_eq!(own.verdict().reason(), Some("unpinned"), "{own:?}");
    learned(&get(&gateway, &url).await, REVIEWED);
    provisional(&get(&gateway, &url).await, REVIEWED);
}

#[tokio::test]
async fn what_was_revoked_is_neither_learned_nor_served_because_it_was_learned() {
    let vendor = vendor_of(TAMPERED).await;
    let mut gateway = learning(&vendor).revoke(sha256(TAMPERED)).listen().await;
    let url = vendor.url("/app.js");

    refused(&get(&gateway, &url).await, 403, "blocked", "revoked");
    vendor.script("/app.js", REVIEWED);
    learned(&get(&gateway, &url).await, REVIEWED);

    gateway.terminate().await;
    gateway.rewrite(|files| files.revoke(sha256(REVIEWED)));
    gateway.start_again().await;
    refused(&get(&gateway, &url).await, 403, "blocked", "revoked");
    vendor.script("/app.js", "something new");
    refused(&get(&gateway, &url).await, 403, "quarantined", "digest-mismatch");
}

#[tokio::test]
async fn observe_mode_learns_too_and_shows_what_changes() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = learning(&vendor).set("mode", "observe").listen().await;
    let url = vendor.url("/app.js");
    vendor.serve("/posted.js", Answer::script(REVIEWED));

    learned(&get(&gateway, &url).await, REVIEWED);
    provisional(&get(&gateway, &url).await, REVIEWED);
    vendor.script("/app.js", TAMPERED);
    let changed = get(&gateway, &url).await;

    assert_eq!(
        (changed.verdict().token(), changed.verdict().reason()),
        ("observed", Some("digest-mismatch"))
    );
    assert_eq!(changed.body(), TAMPERED.as_bytes());
    let listed = list(&gateway, &["--learned"]).await;
    assert_eq!((&listed[0]["url"], &listed[0]["basis"]), (&url.as_str().into(), &"learned".into()));
    assert_eq!(listed[0]["digests"][0], sha256(REVIEWED));
    assert_eq!(listed[0]["changed"]["digests"][0], sha256(TAMPERED));
    let shown = gateway.command(&["pin", "list", "--learned"]).await.success().text();
    assert!(shown.contains("learned ") && shown.contains(&url) && shown.contains("(1)"), "{shown}");
    // What cannot be learned passes here, as everything does.
    let posted = client(&gateway).ask(Method::POST, vendor.url("/posted.js")).await;
    learned(&posted, REVIEWED);
    learned(&get(&gateway, vendor.url("/posted.js")).await, REVIEWED);
}

#[tokio::test]
async fn what_was_learned_is_shelved_where_it_is_enforced_and_changes_pass_where_it_is_observed() {
    for (mode, from_shelf) in [("enforce", true), ("observe", false)] {
        let vendor = vendor_of(REVIEWED).await;
        let rule = Rule::default().set("unpinned", "learn");
        let gateway = gateway().rule(&vendor, rule).set("mode", mode).listen().await;
        let url = vendor.url("/app.js");
        learned(&get(&gateway, &url).await, REVIEWED);
        provisional(&get(&gateway, &url).await, REVIEWED);

        vendor.script("/app.js", TAMPERED);

        let reply = get(&gateway, &url).await;
        if from_shelf {
            provisional(&reply, REVIEWED);
        } else {
            assert_eq!((reply.verdict().token(), reply.body()), ("observed", TAMPERED.as_bytes().to_vec()));
        }
    }
}

#[tokio::test]
async fn what_was_learned_and_exported_is_verified_when_it_is_a_pins_file() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.script("/b*.js", REVIEWED);
    vendor.script("/pinned.js", REVIEWED);
    let mut gateway = learning(&vendor).pin(vendor.url("/pinned.js"), sha256(REVIEWED)).listen().await;
    for path in ["/app.js?first=1", "/b*.js"] {
        learned(&get(&gateway, vendor.url(path)).await, REVIEWED);
    }
    verified(&get(&gateway, vendor.url("/pinned.js")).await, REVIEWED);
    vendor.script("/pinned.js", TAMPERED);
    let incident =
        refused(&get(&gateway, vendor.url("/pinned.js")).await, 403, "quarantined", "digest-mismatch");
    gateway.command(&["quarantine", "approve", &incident, "--reason", "10.5,\nreviewed"]).await.success();

    let printed = gateway.command(&["pin", "export", "--learned"]).await.success().text();
    assert!(printed.contains("nobody has reviewed it") && !printed.contains("pinned.js"), "{printed}");
    let printed = gateway.command(&["pin", "export", "--approved"]).await.success().text();
    assert!(printed.contains(&incident) && printed.contains("10.5,\\nreviewed"), "{printed}");
    assert!(!printed.contains("app.js"), "{printed}");
    gateway.command(&["pin", "export", "-o", "more.toml"]).await.success();
    let again = gateway.command(&["pin", "export", "-o", "more.toml"]).await;
    assert_eq!(again.code, Some(3), "an export writes over no file");

    gateway.terminate().await;
    gateway.reconfigure("", "pins", vec!["pins.toml", "more.toml"]);
    gateway.command(&["check"]).await.success();
    let rest = gateway.command(&["pin", "export"]).await.success();
    assert!(rest.stdout.is_empty(), "{}", rest.text());
    gateway.start_again().await;
    for path in ["/app.js", "/app.js?second=2", "/b*.js"] {
        let reply = get(&gateway, vendor.url(path)).await;
        verified(&reply, REVIEWED);
        assert!(!reply.verdict().is_provisional(), "{reply:?}");
    }
    verified(&get(&gateway, vendor.url("/pinned.js")).await, TAMPERED);
}

#[tokio::test]
async fn the_list_marks_what_was_learned_and_says_when_each_was_asked_for() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.script("/pinned.js", REVIEWED);
    let gateway = learning(&vendor).pin(vendor.url("/pinned.js"), sha256(REVIEWED));
    let gateway = gateway.pin(vendor.url("/never.js"), sha256(REVIEWED)).listen().await;
    for path in ["/app.js?first=1", "/pinned.js?x=1"] {
        get(&gateway, vendor.url(path)).await;
    }

    let listed = list(&gateway, &[]).await;

    let rows = listed.as_array().unwrap().iter();
    let said: Vec<_> = rows.map(|pin| (&pin["basis"], pin["last_asked"].is_string())).collect();
    assert_eq!(said, [(&"file".into(), true), (&"file".into(), false), (&"learned".into(), true)]);
    assert_eq!(listed[2]["url"], vendor.url("/app.js"));
    let shown = gateway.command(&["pin", "list"]).await.success().text();
    assert!(shown.contains("LAST ASKED") && shown.contains("never") && shown.contains("learned "), "{shown}");
}

#[tokio::test]
async fn hosts_of_no_vendor_teach_nothing() {
    let vendor = vendor_of(REVIEWED).await;
    let other = pinfold_integration_tests::vendor().named("other").host("js.other.test");
    let other = other.script("/app.js", REVIEWED).listen().await;
    let gateway = learning(&vendor)
        .reach(&other)
        .set_in("other_hosts", "tls", "intercept")
        .set_in("other_hosts", "scripts", "observe")
        .set_in("certs", "name_constraints", false)
        .listen()
        .await;

    for _ in 0..2 {
        let reply = get(&gateway, other.url("/app.js")).await;
        assert_eq!((reply.verdict().token(), reply.verdict().reason()), ("observed", Some("unlisted-host")));
    }
}
