//! `pinfold quarantine diff`: what a changed script newly does, from the bytes that the gateway refused.

use pinfold_integration_tests::{Gateway, Rule, Vendor, client, gateway, sha256, vendor};
use serde_json::Value;

use crate::verified;

const LIBRARY: &str = include_str!("../../../triage/tests/planted/library.js");
const SKIMMER: &str = include_str!("../../../triage/tests/planted/skimmer.hidden.js");

#[tokio::test]
async fn a_hidden_skimmer_in_a_verified_library_is_named_with_its_host() {
    let (vendor, gateway) = verified_library().await;
    let incident = changed(&vendor, &gateway, LIBRARY.replace("/* planted */", SKIMMER)).await;

    let found = json(&gateway, &incident).await;

    assert_eq!(found["verified"]["digest"], sha256(LIBRARY));
    assert_eq!((&found["change"], &found["not_analysed"]), (&Value::from("code"), &Value::Null));
    let capabilities: Vec<_> =
        found["capabilities"].as_array().unwrap().iter().map(|fact| &fact["capability"]).collect();
    for wanted in ["beacon", "form-listener", "card-field", "hidden-global"] {
        assert!(capabilities.contains(&&Value::from(wanted)), "{wanted}: {capabilities:?}");
    }
    let host = &found["hosts"][0];
    assert_eq!(host["host"], "metrics.collect-stats.example");
    assert_eq!(
        (&host["domain"], &host["hidden"]),
        (&Value::from("collect-stats.example"), &Value::from(true))
    );

    let text = gateway.command(&["quarantine", "diff", &incident]).await.success().text();
    for wanted in [
        "1 new host, hidden",
        "sends a beacon",
        "that is navigator.sendBeacon",
        "0 → 1",
        "+   document[_0x2a(36)]",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
}

#[tokio::test]
async fn a_comment_more_is_said_to_be_nothing_more() {
    let (vendor, gateway) = verified_library().await;
    let incident = changed(&vendor, &gateway, LIBRARY.replace("/* planted */", "/* 2.3.2 */\n\n")).await;

    let found = json(&gateway, &incident).await;

    assert_eq!(found["change"], "trivia");
    assert_eq!((&found["hosts"], &found["capabilities"]), (&Value::Array(vec![]), &Value::Array(vec![])));
}

#[tokio::test]
async fn without_a_verified_body_all_that_it_does_is_listed() {
    let vendor = vendor().script("/app.js", LIBRARY).listen().await;
    let gateway = gateway().vendor(&vendor).pin(vendor.url("/app.js"), sha256("never served")).listen().await;
    let reply = client(&gateway).get(vendor.url("/app.js")).await;

    let incident = reply.verdict().incident().unwrap().to_owned();
    let found = json(&gateway, &incident).await;

    assert_eq!((&found["verified"], &found["change"]), (&Value::Null, &Value::from("new")));
    assert_eq!(found["capabilities"][0]["capability"], "fetch");
    let text = gateway.command(&["quarantine", "diff", &incident]).await.success().text();
    assert!(text.contains("no verified body of this URL is kept"), "{text}");
}

#[tokio::test]
async fn what_a_script_holds_cannot_rewrite_the_terminal() {
    let (vendor, gateway) = verified_library().await;
    let hostile = "eval('\u{1b}[2J\u{202e}'); fetch('https://evil.example/\\x1b[31m\\u202e');";
    let incident = changed(&vendor, &gateway, LIBRARY.replace("/* planted */", hostile)).await;

    let text = gateway.command(&["quarantine", "diff", &incident]).await.success().text();
    assert!(!text.contains(['\u{1b}', '\u{202e}']) && text.contains("evil.example"), "{text:?}");
}

#[tokio::test]
async fn a_script_that_nests_without_end_is_not_analysed_and_its_hosts_are_named() {
    let (vendor, gateway) = verified_library().await;
    let incident =
        changed(&vendor, &gateway, format!("{}'https://evil.example/'", "(".repeat(200_000))).await;

    let found = json(&gateway, &incident).await;
    assert_eq!(found["not_analysed"]["code"], "too-deep");
    assert_eq!(found["hosts"][0]["host"], "evil.example");
}

#[tokio::test]
async fn lines_that_differ_by_local_names_alone_are_counted_and_shown_when_asked_for() {
    let reviewed = "(function (user) { use(user); send(user, 'one'); })(window);";
    let (vendor, gateway) = verified_script(reviewed).await;
    let renamed = "(function (e) { use(e); send(e, 'two'); })(window);".to_owned();
    let incident = changed(&vendor, &gateway, renamed).await;

    let found = json(&gateway, &incident).await;
    assert_eq!(
        found["diff"]["names"],
        serde_json::json!({ "shown": false, "left_out": 2, "not_known": null })
    );
    assert_eq!((&found["diff"]["added"], &found["diff"]["removed"]), (&Value::from(1), &Value::from(1)));
    let text = gateway.command(&["quarantine", "diff", &incident]).await.success().text();
    for wanted in ["2 lines differ by names of local variables alone", "- \tsend(e, \"one\");"] {
        assert!(text.contains(wanted.replace("\t", "  ").as_str()), "{wanted}: {text}");
    }

    let all = ["--json", "quarantine", "diff", "--names", &incident];
    let found = gateway.command(&all).await.success().json();
    assert_eq!(
        (&found["diff"]["added"], &found["diff"]["names"]["shown"]),
        (&Value::from(3), &Value::from(true))
    );
}

#[tokio::test]
async fn a_use_that_stayed_while_something_else_comes_into_it_is_told_once_with_both_lines() {
    let reviewed = "(function (page) { var text = page.note; use(text); el.innerHTML = text; })(window);";
    let (vendor, gateway) = verified_script(reviewed).await;
    let incident = changed(&vendor, &gateway, reviewed.replace("page.note", "location.hash")).await;

    let found = json(&gateway, &incident).await;
    let facts = found["capabilities"].as_array().unwrap().iter();
    let html: Vec<_> = facts.filter(|fact| fact["capability"] == "html").collect();
    let [fact] = html.as_slice() else { panic!("{found}") };
    let origin = &fact["sites"][0]["origins"][0];
    assert_eq!(origin["name"], "text", "{fact}");
    assert_eq!(fact["gone"], Value::Array(vec![]), "{fact}");
    let text = gateway.command(&["quarantine", "diff", &incident]).await.success().text();
    for wanted in [
        "as before, but something else comes into: text",
        "was, on line 2: var text = page.note;",
        "is, on line 2: var text = location.hash;",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
}

/// A gateway that has verified the library, keeps it to serve it in place of what it refuses, and asks the vendor each time.
async fn verified_library() -> (Vendor, Gateway) {
    verified_script(LIBRARY).await
}

/// The same with another script.
async fn verified_script(script: &'static str) -> (Vendor, Gateway) {
    let vendor = vendor().script("/app.js", script).listen().await;
    let rule = Rule::default().set("recheck", "always").set("substitute", true);
    let gateway = gateway().rule(&vendor, rule).pin(vendor.url("/app.js"), sha256(script)).listen().await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, script);
    (vendor, gateway)
}

/// The vendor serves something else: the incident of its refusal, once the gateway has written all that it writes.
async fn changed(vendor: &Vendor, gateway: &Gateway, script: String) -> String {
    vendor.script("/app.js", script);
    let reply = client(gateway).get(vendor.url("/app.js")).await;
    assert_eq!(reply.verdict().token(), "substituted");
    let incident = reply.verdict().incident().unwrap().to_owned();
    gateway.terminate().await;
    incident
}

async fn json(gateway: &Gateway, incident: &str) -> Value {
    gateway.command(&["--json", "quarantine", "diff", incident]).await.success().json()
}
