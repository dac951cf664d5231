//! The console: health, metrics, and who is told.

use std::fs;

use pinfold_integration_tests::{
    Answer, Gateway, GatewayBuilder, client, gateway, origin_root_pem, sha256, vendor,
};

use crate::{REVIEWED, TAMPERED, pinning, refused, vendor_of, verified};

/// With a console.
pub(crate) fn shown(gateway: GatewayBuilder) -> GatewayBuilder {
    gateway.set_in("console", "listen", "127.0.0.1:0")
}

/// What `/readyz` says of one check: nothing, or why it fails.
fn reason(shown: &pinfold_integration_tests::Shown, check: &str) -> Option<String> {
    let check = &shown.json()["checks"][check];
    assert_eq!(check["status"] == "ok", check["reason"].is_null(), "{check}");
    check["reason"].as_str().map(str::to_owned)
}

async fn status_of(gateway: &Gateway, request: &str) -> u16 {
    gateway.console_says(request).await.status
}

#[tokio::test]
async fn without_a_console_there_is_none() {
    assert_eq!(gateway().listen().await.console(), None);
}

#[tokio::test]
async fn what_everybody_may_ask_is_read_only_and_nothing_of_it_is_kept() {
    let gateway = shown(gateway()).listen().await;
    for path in ["/livez", "/readyz", "/metrics", "/proxy.pac"] {
        let answer = gateway.shows(path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        for field in ["cache-control: no-store", "x-content-type-options: nosniff"] {
            assert!(answer.head.contains(field), "{answer:?}");
        }
        let end = "Host: localhost\r\nConnection: close\r\n\r\n";
        let head = gateway.console_says(&format!("HEAD {path} HTTP/1.1\r\n{end}")).await;
        assert_eq!((head.status, head.body.as_str()), (200, ""));
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            assert_eq!(
                status_of(&gateway, &format!("{method} {path} HTTP/1.1\r\n{end}")).await,
                405,
                "{method}"
            );
        }
    }
    assert_eq!(gateway.shows("/nothing").await.status, 404);
}

#[tokio::test]
async fn a_page_that_rebinds_its_name_to_the_console_reads_nothing() {
    let gateway = shown(gateway()).listen().await;
    for host in ["evil.test", "localhost.evil.test", "127.0.0.1.evil.test:80", ""] {
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = gateway.console_says(&request).await;
        assert!(answer.status == 421 && !answer.body.contains("pinfold_"), "{host}: {answer:?}");
    }
    let twice = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\nConnection: close\r\n\r\n";
    assert_eq!(status_of(&gateway, twice).await, 421);
    let none = "GET /metrics HTTP/1.0\r\n\r\n";
    assert_eq!(status_of(&gateway, none).await, 421);
}

#[tokio::test]
async fn what_was_judged_and_what_passed_without_is_counted_by_reason() {
    let vendor = vendor()
        .script("/app.js", REVIEWED)
        .script("/bad.js", TAMPERED)
        .serve("/logo.txt", Answer::typed("text/plain", "a logo"))
        .serve("/page.html", Answer::page("<p>a page</p>"))
        .listen()
        .await;
    let other =
        pinfold_integration_tests::vendor().host("other.test").script("/lib.js", TAMPERED).listen().await;
    let gateway =
        shown(pinning(&vendor)).reach(&other).pin(vendor.url("/bad.js"), sha256(REVIEWED)).listen().await;

    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    refused(&client(&gateway).get(vendor.url("/bad.js")).await, 403, "quarantined", "digest-mismatch");
    for path in ["/logo.txt", "/page.html"] {
        assert_eq!(client(&gateway).get(vendor.url(path)).await.status(), 200);
    }
    client(&gateway).trusting(origin_root_pem()).get(other.url("/lib.js")).await;
    let answer = client(&gateway).connect("other.test:25").await.unwrap();
    assert_eq!(answer.err().unwrap().status(), 403);

    // It is counted when the tunnel has ended, after its client was answered.
    let metrics = gateway.counts("pinfold_unjudged_bytes_total{why=\"tunnel\"}", 1).await;
    let (len, tampered) = (REVIEWED.len() as u64, TAMPERED.len() as u64);
    for (sample, value) in [
        ("pinfold_exchanges_total{verdict=\"verified\",reason=\"none\"}", 2),
        ("pinfold_judged_bytes_total{verdict=\"verified\",reason=\"none\"}", 2 * len),
        ("pinfold_exchanges_total{verdict=\"quarantined\",reason=\"digest-mismatch\"}", 1),
        ("pinfold_judged_bytes_total{verdict=\"quarantined\",reason=\"digest-mismatch\"}", tampered),
        ("pinfold_unjudged_exchanges_total{why=\"unguarded\"}", 1),
        ("pinfold_unjudged_bytes_total{why=\"unguarded\"}", 6),
        ("pinfold_unjudged_exchanges_total{why=\"document\"}", 1),
        ("pinfold_unjudged_bytes_total{why=\"document\"}", 13),
        ("pinfold_unjudged_exchanges_total{why=\"tunnel\"}", 1),
        ("pinfold_turned_away_total{reason=\"port-not-allowed\"}", 1),
        ("pinfold_unrecorded_exchanges_total", 0),
        ("pinfold_quarantine_undecided", 1),
        ("pinfold_tunnels_open", 0),
        ("pinfold_holds", 0),
        ("pinfold_policy_version", 1),
    ] {
        assert_eq!(metrics.sample(sample), Some(value), "{sample}\n{}", metrics.body);
    }
    for secret in [vendor.host(), other.host(), "app.js", &sha256(TAMPERED)] {
        assert!(!metrics.body.contains(secret), "{secret} is no label");
    }
}

#[tokio::test]
async fn what_the_shelf_answers_and_what_vendors_do_not_is_counted() {
    let vendor = vendor_of(REVIEWED).await;
    let gone =
        pinfold_integration_tests::vendor().named("gone").host("gone.test").unreachable().listen().await;
    let gateway = shown(gateway())
        .rule(&vendor, pinfold_integration_tests::Rule::default())
        .vendor(&gone)
        .pin(vendor.url("/app.js"), sha256(REVIEWED))
        .listen()
        .await;
    for _ in 0..2 {
        verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    }
    refused(&client(&gateway).get(gone.url("/app.js")).await, 502, "blocked", "upstream-unreachable");
    let metrics = gateway.shows("/metrics").await;
    assert_eq!(metrics.sample("pinfold_shelf_hits_total"), Some(1), "{}", metrics.body);
    assert_eq!(metrics.sample("pinfold_shelf_misses_total"), Some(1), "{}", metrics.body);
    let failed = "pinfold_upstream_errors_total{reason=\"upstream-unreachable\"}";
    assert_eq!(metrics.sample(failed), Some(1), "{}", metrics.body);
}

#[tokio::test]
async fn where_the_store_is_gone_the_gateway_is_not_ready_until_it_is_back() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = shown(pinning(&vendor)).listen().await;
    let client = client(&gateway);
    assert_eq!(reason(&gateway.shows("/readyz").await, "store"), None);
    let (data, away) = (gateway.dir().join("pinfold-data"), gateway.dir().join("away"));
    fs::rename(&data, &away).unwrap();

    let shown = gateway.shows("/readyz").await;
    assert_eq!(shown.status, 503);
    assert!(reason(&shown, "store").unwrap().contains("was removed or replaced"), "{shown:?}");
    assert_eq!((reason(&shown, "listening"), reason(&shown, "ca")), (None, None));
    // It works, and to start it anew would not help.
    assert_eq!(gateway.shows("/livez").await.status, 200);
    refused(&client.get(vendor.url("/app.js")).await, 503, "blocked", "store-unavailable");
    let metrics = gateway.shows("/metrics").await;
    assert_eq!(metrics.sample("pinfold_unrecorded_exchanges_total"), Some(1), "{}", metrics.body);
    assert_eq!(metrics.sample("pinfold_ledger_missed_total"), Some(1), "{}", metrics.body);
    assert_eq!(metrics.sample("pinfold_quarantine_undecided"), None, "it cannot be read");

    fs::rename(&away, &data).unwrap();
    gateway.is_ready_with(200).await;
}

#[tokio::test]
async fn what_becomes_of_changed_files_is_counted() {
    let vendor = vendor_of(REVIEWED).await;
    let mut gateway = shown(pinning(&vendor)).listen().await;
    gateway.rewrite(|files| files.revoke(sha256(TAMPERED)));
    gateway.hang_up().await;
    gateway.counts("pinfold_reloads_total{result=\"taken\"}", 1).await;
    fs::write(gateway.dir().join("pins.toml"), "[[pin").unwrap();
    gateway.hang_up().await;
    let metrics = gateway.counts("pinfold_reloads_total{result=\"refused\"}", 1).await;
    assert_eq!(metrics.sample("pinfold_policy_version"), Some(2));
}

#[tokio::test]
async fn a_console_where_another_program_listens_says_so() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let address = taken.local_addr().unwrap().to_string();
    gateway().set_in("console", "listen", address.as_str()).write(dir.path());
    let run = tokio::process::Command::new(pinfold_integration_tests::pinfold())
        .args(["run", "--config"])
        .arg(dir.path().join("pinfold.toml"))
        .output();
    let output = pinfold_integration_tests::eventually("the end of pinfold", run).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("console.listen"), "{said}");
}
