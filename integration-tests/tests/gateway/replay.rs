//! What other files would have done to recorded traffic: asked before they are enforced.

use pinfold_integration_tests::{
    Answer, Gateway, Rule, client, gateway, origin_root_pem, sha256, sha256_hex, sha384, vendor,
};
use serde_json::{Value, json};

use crate::{REVIEWED, TAMPERED, pinning, refused, vendor_of, verified};

/// What the command says as JSON, and its exit code.
async fn replay(gateway: &Gateway, args: &[&str]) -> (Value, Option<i32>) {
    let args: Vec<_> = ["--json", "replay"].iter().chain(args).copied().collect();
    let output = gateway.command(&args).await;
    (output.json(), output.code)
}

/// Then, now, and how often.
fn fates(found: &Value, list: &str) -> Vec<(String, String, u64)> {
    let fate = |of: &Value| {
        let word = |name: &str| of[name].as_str().unwrap_or("-").to_owned();
        format!("{} {}", word("verdict"), word("reason"))
    };
    let rows = found[list].as_array().unwrap().iter();
    rows.map(|row| (fate(&row["then"]), fate(&row["now"]), row["count"].as_u64().unwrap())).collect()
}

fn fate(then: &str, now: &str, times: u64) -> (String, String, u64) {
    (then.into(), now.into(), times)
}

#[tokio::test]
async fn what_observe_mode_let_pass_is_what_enforcing_would_refuse_for_whom_and_how_often() {
    let vendor = vendor_of(TAMPERED).await;
    vendor.script("/new.js", "nobody has read this");
    vendor.script("/good.js", REVIEWED);
    vendor.serve("/gone.js", Answer::script("no more").status(404));
    let builder = pinning(&vendor).pin(vendor.url("/good.js"), sha256(REVIEWED));
    let mut gateway = builder.set("mode", "observe").listen().await;
    let (first, second) = (client(&gateway).from([127, 0, 0, 2]), client(&gateway).from([127, 0, 0, 3]));
    for who in [&first, &second, &second] {
        assert_eq!(who.get(vendor.url("/app.js")).await.body(), TAMPERED.as_bytes());
    }
    assert_eq!(first.get(vendor.url("/new.js")).await.status(), 200);
    assert_eq!(first.get(vendor.url("/gone.js")).await.status(), 404);
    verified(&first.get(vendor.url("/good.js")).await, REVIEWED);
    let asked = vendor.seen("/app.js").len();
    let (as_it_is, code) = replay(&gateway, &[]).await;
    assert_eq!((code, &as_it_is["would_be_refused"]), (Some(0), &json!([])), "{as_it_is:#}");
    gateway.terminate().await;
    gateway.rewrite(|files| files.set("mode", "enforce"));

    let (found, code) = replay(&gateway, &["--since", "1h"]).await;

    assert_eq!(code, Some(1));
    assert_eq!(
        fates(&found, "would_be_refused"),
        [
            fate("observed digest-mismatch", "quarantined digest-mismatch", 3),
            fate("observed unpinned", "blocked unpinned", 1),
            fate("observed upstream-status", "blocked upstream-status", 1),
        ],
        "{found:#}"
    );
    let row = &found["would_be_refused"][0];
    assert_eq!((&row["url"], &row["sha256"]), (&vendor.url("/app.js").into(), &sha256_hex(TAMPERED).into()));
    assert_eq!(
        row["clients"],
        json!([
            { "client": "127.0.0.2", "user": null, "count": 1 },
            { "client": "127.0.0.3", "user": null, "count": 2 },
        ])
    );
    assert_eq!(found["same"], json!({ "released": 1, "refused": 0 }));
    assert_eq!(vendor.seen("/app.js").len(), asked, "nobody is asked");

    let table = gateway.command(&["replay"]).await;
    assert_eq!(table.code, Some(1));
    let text = table.text();
    let sentence =
        "released, and would be refused: 5 exchanges of 3 URLs by 2 clients (127.0.0.2, 127.0.0.3).";
    assert!(text.contains(sentence) && text.contains("for 127.0.0.2, 127.0.0.3"), "{text}");
    let (before, code) = replay(&gateway, &["--until", "2020-01-01"]).await;
    assert_eq!((code, &before["judged"]), (Some(0), &0.into()));
    assert!(before["statement"].to_string().contains("is not known"), "{before:#}");
}

#[tokio::test]
async fn what_a_new_pin_would_let_pass_and_a_revocation_would_refuse_is_told_beside_a_gateway_that_runs() {
    let vendor = vendor_of(TAMPERED).await;
    vendor.script("/good.js", REVIEWED);
    let mut gateway = pinning(&vendor).pin(vendor.url("/good.js"), sha256(REVIEWED)).listen().await;
    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "quarantined", "digest-mismatch");
    verified(&client(&gateway).get(vendor.url("/good.js")).await, REVIEWED);
    // In a notation that the ledger does not have, and the quarantine does.
    gateway.rewrite(|files| files.pin(vendor.url("/app.js"), sha384(TAMPERED)).revoke(sha256(REVIEWED)));

    let (found, code) = replay(&gateway, &[]).await;

    assert_eq!(code, Some(1), "{found:#}");
    assert_eq!(
        fates(&found, "would_pass"),
        [fate("quarantined digest-mismatch", "verified -", 1)],
        "{found:#}"
    );
    assert_eq!(fates(&found, "would_be_refused"), [fate("verified -", "blocked revoked", 1)], "{found:#}");
}

#[tokio::test]
async fn what_was_only_tunnelled_or_is_not_looked_into_any_more_is_said_to_be_unknown() {
    let vendor = vendor_of(REVIEWED).await;
    let other = vendor_called("other", "other.test").await;
    other.script("/x.js", "theirs");
    let mut runs = pinning(&vendor).reach(&other).listen().await;
    let through = client(&runs).trusting(origin_root_pem());
    assert_eq!(through.get(other.url("/x.js")).await.body(), b"theirs");
    verified(&client(&runs).get(vendor.url("/app.js")).await, REVIEWED);
    runs.terminate().await;
    runs.rewrite(|files| files.vendor(&other));

    let (found, code) = replay(&runs, &[]).await;
    assert_eq!(code, Some(0));
    assert_eq!(
        (&found["tunnels"][0]["authority"], &found["tunnels"][0]["count"]),
        (&"other.test:443".into(), &1.into())
    );
    assert!(found["coverage"]["stated"].to_string().contains("through 1 tunnel to hosts"), "{found:#}");

    runs.rewrite(|_| gateway().reach(&vendor).reach(&other));
    let (found, code) = replay(&runs, &[]).await;
    assert_eq!(code, Some(0));
    assert_eq!(fates(&found, "would_pass_unverified"), [fate("verified -", "tunnelled -", 1)], "{found:#}");
}

#[tokio::test]
async fn what_nobody_looked_at_of_a_host_that_the_files_judge_now_is_said_to_be_unknown() {
    let vendor = vendor_of(REVIEWED).await;
    let other =
        pinfold_integration_tests::vendor().named("other").host("other.test").clear_text().listen().await;
    let third =
        pinfold_integration_tests::vendor().named("third").host("third.test").clear_text().listen().await;
    let mut runs = pinning(&vendor).reach(&other).reach(&third).listen().await;
    for other in [&other, &third] {
        other.script("/x.js", "theirs");
        assert_eq!(client(&runs).get(other.url("/x.js")).await.body(), b"theirs");
    }
    verified(&client(&runs).get(vendor.url("/app.js")).await, REVIEWED);
    runs.terminate().await;
    runs.rewrite(|files| files.vendor(&other));

    let (found, code) = replay(&runs, &[]).await;

    assert_eq!(code, Some(0));
    let hosts = found["other_hosts"].as_array().unwrap();
    assert!(hosts.len() == 1 && hosts[0].as_str().unwrap().starts_with("other.test:"), "{found:#}");
    let stated = found["coverage"]["stated"].to_string();
    assert!(
        stated.contains("while nobody looked at it, from 1 host that these files judge: other.test"),
        "{stated}"
    );
}

async fn vendor_called(name: &str, host: &str) -> pinfold_integration_tests::Vendor {
    vendor().named(name).host(host).listen().await
}

#[tokio::test]
async fn patterns_are_bound_and_urls_are_learned_in_the_order_in_which_things_came() {
    let vendor = vendor_of("first").await;
    let observing = Rule::default().set("mode", "observe").set("unpinned", "allow").set("recheck", "always");
    let mut runs = gateway().rule(&vendor, observing).listen().await;
    let get = async |path: &str| assert_eq!(client(&runs).get(vendor.url(path)).await.status(), 200);
    get("/app.js").await;
    vendor.script("/app.js", "second");
    get("/app.js").await;
    for path in ["/lib/a.js", "/lib/b.js"] {
        vendor.script(path, REVIEWED);
        get(path).await;
    }
    runs.terminate().await;
    runs.rewrite(|_| {
        let learning = Rule::default().set("unpinned", "learn");
        gateway().rule(&vendor, learning).pin(vendor.url("/lib/*"), sha256(REVIEWED))
    });

    let (found, code) = replay(&runs, &[]).await;

    assert_eq!(code, Some(1));
    assert_eq!(
        fates(&found, "would_be_refused"),
        [
            fate("observed unpinned", "quarantined digest-mismatch", 1),
            fate("observed unpinned", "quarantined digest-mismatch", 1),
        ],
        "{found:#}"
    );
    let urls: Vec<_> = found["would_be_refused"].as_array().unwrap().iter().map(|row| &row["url"]).collect();
    assert_eq!(urls, [&vendor.url("/app.js"), &vendor.url("/lib/b.js")]);
    assert_eq!(found["same"], json!({ "released": 2, "refused": 0 }));
}
