//! The gateway's test of itself: what it must refuse, who is told when it does not, and that nobody else gets near it.

use std::fs;
use std::time::{Duration, SystemTime};

use pinfold_certs::{CaOptions, CertificateAuthority};
use pinfold_integration_tests::{Gateway, GatewayBuilder, Shown, client, gateway};

use crate::health::shown;
use crate::{REVIEWED, pinning, vendor_of, verified};

const HOST: &str = "canary.pinfold.invalid";
const PASSED: &str = "pinfold_canary_runs_total{result=\"passed\"}";
const FAILED: &str = "pinfold_canary_runs_total{result=\"failed\"}";

/// With a canary each second, and a console that tells of it.
fn testing(gateway: GatewayBuilder) -> GatewayBuilder {
    shown(gateway).set_in("canary", "every", "1s")
}

/// It has passed twice, and never failed.
async fn passes(gateway: &Gateway) -> Shown {
    let metrics = gateway.counts(PASSED, 2).await;
    assert_eq!(metrics.sample(FAILED), Some(0), "{}", gateway.complaints().await);
    assert_eq!(metrics.sample("pinfold_canary_ok"), Some(1));
    assert_eq!(gateway.shows("/readyz").await.status, 200);
    metrics
}

#[tokio::test]
async fn the_canary_is_refused_and_leaves_no_trace() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = testing(pinning(&vendor)).listen().await;
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    let metrics = passes(&gateway).await;
    // Of all that is counted only the client's exchange is the traffic's. The ledger has the start, the root
    // and the issuing CA besides.
    for (sample, count) in [
        ("pinfold_exchanges_total{verdict=\"verified\",reason=\"none\"}", 1),
        ("pinfold_ledger_entries_total", 4),
    ] {
        assert_eq!(metrics.sample(sample), Some(count), "{}", metrics.body);
    }
    assert!(!metrics.body.contains("reason=\"digest-mismatch\""), "{}", metrics.body);
    let quarantined = gateway.command(&["--json", "quarantine", "list"]).await.success();
    assert!(!quarantined.text().contains(HOST), "{}", quarantined.text());
    let exposure = gateway.command(&["--json", "exposure", "--host", HOST]).await;
    assert_eq!(exposure.code, Some(0), "nobody received it and nobody was refused: {}", exposure.text());
    let pins = gateway.command(&["pin", "list"]).await.success();
    assert!(!pins.text().contains(HOST), "{}", pins.text());

    assert!(gateway.terminate().await.success());
    let events = gateway.rest_of_events().await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].url(), Some(&*vendor.url("/app.js")));
}

#[tokio::test]
async fn observe_mode_in_the_file_does_not_let_the_canary_pass() {
    passes(&testing(gateway()).set("mode", "observe").listen().await).await;
}

#[tokio::test]
async fn neither_addresses_nor_credentials_nor_ports_keep_the_canary_out() {
    // Of nobody: no password makes this.
    let phc = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let gateway = testing(gateway())
        .set_in("clients", "allow", serde_json::json!(["192.0.2.0/24"]))
        .set_in("egress", "connect_ports", serde_json::json!([8443]))
        .users(&[("ada", phc, "proxy")])
        .listen()
        .await;
    passes(&gateway).await;
    // It opens nothing for others.
    assert_eq!(client(&gateway).absolute(&format!("http://{HOST}/reviewed.js")).await.status(), 403);
}

#[tokio::test]
async fn whoever_else_asks_for_the_canary_s_host_gets_nothing() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = testing(pinning(&vendor)).listen().await;
    passes(&gateway).await;
    let client = client(&gateway);
    for path in ["/reviewed.js", "/tampered.js"] {
        let clear = client.absolute(&format!("http://{HOST}{path}")).await;
        assert_eq!((clear.status().as_u16(), clear.verdict().reason()), (502, Some("upstream-unreachable")));
    }
    let tunnel = client.connect(&format!("{HOST}:443")).await.unwrap();
    assert_eq!(tunnel.err().unwrap().verdict().reason(), Some("upstream-unreachable"));
}

#[tokio::test]
async fn whoever_comes_under_a_vendors_name_is_not_led_to_the_canary() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = testing(pinning(&vendor)).listen().await;
    let tunnel = client(&gateway).connect(&format!("{}:443", vendor.host())).await.unwrap().unwrap();
    assert!(client(&gateway).greet(HOST, tunnel).await.is_err(), "the SNI names another host");
}

#[tokio::test]
async fn a_gateway_without_a_place_for_its_canary_is_not_ready_and_says_so_once() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = testing(pinning(&vendor)).set_in("limits", "max_connections", 1).listen().await;
    passes(&gateway).await;
    let url: http::Uri = vendor.url("/app.js").parse().unwrap();
    let session = async {
        loop {
            // The canary may have the place just now.
            if let Ok(Ok(session)) = client(&gateway).open(&url).await {
                return session;
            }
        }
    };
    let session = pinfold_integration_tests::eventually("a place", session).await;

    let shown = gateway.is_ready_with(503).await;
    let reason = shown.json()["checks"]["canary"]["reason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("CONNECT was answered with HTTP/1.1 503"), "{reason}");
    let failed = gateway.event_called("canary-failed").await;
    assert_eq!(failed.text("event.code"), Some("PF-3201"));
    assert_eq!(failed.at("event.severity").and_then(serde_json::Value::as_u64), Some(99));
    assert!(failed.text("message").unwrap().contains(&reason), "{failed:?}");
    let metrics = gateway.counts(FAILED, 3).await;
    assert_eq!(metrics.sample("pinfold_canary_ok"), Some(0));

    drop(session);
    gateway.is_ready_with(200).await;
    // What comes next tells of the end: that it failed was told once.
    let told = async {
        loop {
            let event = gateway.next_event().await;
            if event.text("event.code").is_some_and(|code| code.starts_with("PF-32")) {
                return event;
            }
        }
    };
    assert_eq!(told.await.text("event.code"), Some("PF-3202"));
}

#[tokio::test]
async fn a_canary_that_is_off_tests_nothing_and_troubles_nobody() {
    let gateway = shown(gateway()).set_in("canary", "every", "off").listen().await;
    assert_eq!(gateway.shows("/readyz").await.status, 200);
    let metrics = gateway.shows("/metrics").await;
    assert_eq!((metrics.sample(PASSED), metrics.sample("pinfold_canary_ok")), (Some(0), None));
}

#[tokio::test]
async fn an_issuer_that_may_not_sign_for_the_canary_serves_on_and_the_canary_goes_in_clear() {
    let vendor = vendor_of(REVIEWED).await;
    let data = tempfile::tempdir().unwrap();
    let ca = data.path().join("ca");
    // As it was before there was a canary, with the root's key in a safe.
    let options = CaOptions {
        vendor_hosts: vec![vendor.host().parse().unwrap()],
        own_hosts: Vec::new(),
        name_constraints: true,
        leaf_lifetime: Duration::from_secs(24 * 60 * 60),
        root_key: None,
    };
    CertificateAuthority::open(&ca, &options, SystemTime::now()).unwrap();
    fs::remove_file(ca.join("root.key")).unwrap();
    let issuer = fs::read(ca.join("issuer.pem")).unwrap();

    let data_dir = data.path().to_str().unwrap();
    let gateway = testing(pinning(&vendor)).set("data_dir", data_dir).listen().await;
    passes(&gateway).await;
    assert_eq!(fs::read(ca.join("issuer.pem")).unwrap(), issuer);
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
}
