//! `[ledger] redact`: what a query holds and nobody is to read stands nowhere but in what went over the network.

use pinfold_integration_tests::{Gateway, Rule, client, gateway, sha256};
use serde_json::json;

use crate::{REVIEWED, TAMPERED, refused, vendor_of, verified};

const SECRET: &str = "s3cr3t;?=-of-the-user";
/// What of it stands behind all that a reader might end the value at.
const END: &str = "-of-the-user";

/// Every file that holds the secret.
async fn traces(gateway: &Gateway) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![gateway.dir().join("pinfold-data")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains(END) {
                found.push(path.display().to_string());
            }
        }
    }
    if gateway.complaints().await.contains(END) {
        found.push("the log".to_owned());
    }
    found
}

#[tokio::test]
async fn a_value_that_is_to_be_masked_is_written_nowhere_and_the_vendor_gets_it() {
    let vendor = vendor_of(REVIEWED).await;
    vendor.script("/other.js", TAMPERED);
    let gateway = gateway()
        .rule(&vendor, Rule::default().set("unpinned", "quarantine"))
        .pin(vendor.url("/app.js"), sha256(REVIEWED))
        .set_in("ledger", "redact", json!(["token", "Sig"]))
        .listen()
        .await;
    let page = format!("https://shop.test/?user=7&sig={SECRET}");
    let client = client(&gateway).header("referer", &page);
    let pinned = format!("/app.js?v=1&token={SECRET}");
    let other = format!("/other.js?%74oken={SECRET}&u=https%3A%2F%2Fw.test%2F%3Fsig%3D{SECRET}&v=2");

    verified(&client.get(vendor.url(&pinned)).await, REVIEWED);
    verified(&client.get(vendor.url(&pinned)).await, REVIEWED);
    refused(&client.get(vendor.url(&other)).await, 403, "quarantined", "unpinned");

    // What the vendor got, and that the second answer came from the shelf.
    for path in ["/app.js", "/other.js"] {
        let seen = vendor.seen(path);
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert!(seen[0].uri.to_string().contains(END), "{seen:?}");
    }
    let event = gateway.event_of(&vendor.url("/app.js?v=1&token=redacted")).await;
    assert_eq!(event.text("http.request.referrer"), Some("https://shop.test/?user=7&sig=redacted"));
    gateway.terminate().await;
    for event in gateway.rest_of_events().await {
        assert!(!event.value().to_string().contains(END), "{}", event.value());
    }
    assert_eq!(traces(&gateway).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_learned_at_such_a_url_is_on_record_without_the_value() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway()
        .rule(&vendor, Rule::default().set("unpinned", "learn"))
        .set_in("ledger", "redact", json!(["token"]))
        .listen()
        .await;
    let url = vendor.url(&format!("/app.js?token={SECRET}"));
    assert_eq!(client(&gateway).get(&url).await.status(), 200);
    assert_eq!(client(&gateway).get(&url).await.verdict().token(), "verified", "it was learned");

    let learned = gateway.command(&["pin", "list", "--learned", "--json"]).await.success();
    assert!(!learned.text().contains(END), "{}", learned.text());
    gateway.terminate().await;
    assert_eq!(traces(&gateway).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_recheck_of_before_a_name_was_given_writes_no_value_after_it() {
    let vendor = vendor_of(REVIEWED).await;
    let mut gateway = gateway()
        .rule(&vendor, Rule::default().set("recheck", "1s"))
        .pin(vendor.url("/app.js"), sha256(REVIEWED))
        .listen()
        .await;
    verified(&client(&gateway).get(vendor.url(&format!("/app.js?token={SECRET}"))).await, REVIEWED);
    vendor.asked("/app.js", 2).await;
    gateway.reconfigure("ledger", "redact", json!(["token"]));
    gateway.event_called("policy-reloaded").await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);

    vendor.script("/app.js", TAMPERED);
    gateway.event_called("drift").await;
    let items = gateway.command(&["quarantine", "list", "--json"]).await.success().text();
    assert!(!items.contains(END), "{items}");
}

#[tokio::test]
async fn who_got_a_url_with_a_masked_value_is_found_by_that_url_and_told_together_with_others() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway()
        .rule(&vendor, Rule::default())
        .pin(vendor.url("/app.js"), sha256(REVIEWED))
        .set_in("ledger", "redact", json!(["token"]))
        .listen()
        .await;
    let url = vendor.url("/app.js?token=s3cr3t");
    verified(&client(&gateway).get(&url).await, REVIEWED);
    let recorded = vendor.url("/app.js?token=redacted");
    gateway.event_of(&recorded).await;

    let found = gateway.command(&["exposure", "--url", &url, "--json"]).await;
    assert_eq!(found.code, Some(1), "nobody is said to have received it: {}", found.text());
    let found = found.json();
    assert_eq!((&found["received"][0]["url"], &found["sought"]["url"]), (&json!(recorded), &json!(recorded)));
    assert_eq!(found["coverage"]["masked"], true);
    for form in ["--markdown", "--csv", "--verdict=verified"] {
        let said = gateway.command(&["exposure", "--url", &url, form]).await;
        let text = said.text() + said.stderr.as_str();
        assert!(text.contains("URLs that are told apart by nothing else are one here"), "{text}");
        assert!(!text.contains("s3cr3t"), "{text}");
    }
    // What has no such value is told apart as ever.
    let other = gateway.command(&["exposure", "--url", &vendor.url("/app.js?v=2"), "--json"]).await.success();
    assert_eq!(other.json()["coverage"]["masked"], false);
}

#[tokio::test]
async fn a_pin_with_a_masked_query_is_known_to_be_asked_for() {
    let vendor = vendor_of(REVIEWED).await;
    let url = vendor.url("/app.js?token=s3cr3t");
    let gateway = gateway()
        .rule(&vendor, Rule::default())
        .pin(&url, sha256(REVIEWED))
        .set_in("ledger", "redact", json!(["token"]))
        .listen()
        .await;
    verified(&client(&gateway).get(&url).await, REVIEWED);
    gateway.event_of(&vendor.url("/app.js?token=redacted")).await;

    let pins = gateway.command(&["pin", "list", "--json"]).await.success().json();
    assert!(!pins[0]["last_asked"].is_null(), "{pins}");
}
