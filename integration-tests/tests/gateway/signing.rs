//! What the gateway's CA is used for is told: by which root and issuer, and for which names.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pinfold_integration_tests::{
    Client, Event, Gateway, Rule, client, eventually, gateway, pinfold, sha256_hex,
};
use tokio::process::Command;

use crate::{REVIEWED, gateway_pinning, pinning, vendor_of, verified};

/// The SHA-256 of a certificate of the gateway's CA.
fn fingerprint(gateway: &Gateway, file: &str) -> String {
    let pem = fs::read_to_string(gateway.dir().join("pinfold-data/ca").join(file)).unwrap();
    let lines: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    sha256_hex(STANDARD.decode(lines).unwrap())
}

/// Those of these actions among all events, after the gateway's end.
async fn told(gateway: &Gateway, actions: &[&str]) -> Vec<Event> {
    assert!(gateway.terminate().await.success());
    let mut events = gateway.every_event().await;
    events.retain(|event| event.text("event.action").is_some_and(|action| actions.contains(&action)));
    events
}

#[track_caller]
fn tells(event: &Event, (action, code): (&str, &str), subject: &str, evidence: &str) {
    let fields = ["event.action", "event.code", "Pinfold.subject"].map(|field| event.text(field));
    assert_eq!(fields, [action, code, subject].map(Some), "{event:?}");
    let message = event.text("message").unwrap();
    assert!(message.contains(evidence), "{evidence}: {message}");
}

const ROOT: (&str, &str) = ("root-changed", "PF-5001");
const ISSUER: (&str, &str) = ("issuer-changed", "PF-5002");
const LEAF: (&str, &str) = ("leaf-signed", "PF-5003");

#[tokio::test]
async fn a_root_and_an_issuing_ca_are_told_once_however_often_the_gateway_starts() {
    let gateway = gateway().listen().await;
    let (root, issuer) = (fingerprint(&gateway, "root.pem"), fingerprint(&gateway, "issuer.pem"));

    let first = told(&gateway, &["root-changed", "issuer-changed"]).await;
    assert_eq!(first.len(), 2, "{first:?}");
    tells(&first[0], ROOT, &root, "before: none that the ledger knows");
    tells(&first[1], ISSUER, &issuer, "before: none that the ledger knows");

    gateway.start_again().await;
    assert_eq!(told(&gateway, &["root-changed", "issuer-changed"]).await.len(), 0);
}

#[tokio::test]
async fn another_issuing_ca_that_came_while_no_gateway_ran_is_told_at_the_next_start() {
    let gateway = gateway().listen().await;
    let before = fingerprint(&gateway, "issuer.pem");
    told(&gateway, &[]).await;
    for file in ["issuer.pem", "issuer.key"] {
        fs::remove_file(gateway.dir().join("pinfold-data/ca").join(file)).unwrap();
    }

    gateway.start_again().await;

    let told = told(&gateway, &["root-changed", "issuer-changed"]).await;
    let [event] = told.as_slice() else { panic!("{told:?}") };
    let after = fingerprint(&gateway, "issuer.pem");
    assert_ne!(before, after);
    tells(event, ISSUER, &after, &format!("before: {before}"));
}

#[tokio::test]
async fn another_root_that_somebody_put_there_is_told() {
    let gateway = gateway().listen().await;
    let before = fingerprint(&gateway, "root.pem");
    told(&gateway, &[]).await;
    fs::remove_dir_all(gateway.dir().join("pinfold-data/ca")).unwrap();
    // As 'pinfold init' makes one.
    let elsewhere = gateway.dir().join("elsewhere");
    let init = Command::new(pinfold()).arg("init").arg(&elsewhere).output();
    assert!(eventually("pinfold init", init).await.unwrap().status.success());
    fs::rename(elsewhere.join("pinfold-data/ca"), gateway.dir().join("pinfold-data/ca")).unwrap();
    let root = fingerprint(&gateway, "root.pem");

    gateway.start_again().await;

    let told = told(&gateway, &["root-changed", "issuer-changed"]).await;
    assert_eq!(told.len(), 2, "{told:?}");
    tells(&told[0], ROOT, &root, &format!("before: {before}"));
    tells(&told[1], ISSUER, &fingerprint(&gateway, "issuer.pem"), "before: ");
}

#[tokio::test]
async fn an_issuing_ca_that_a_reload_makes_is_told() {
    let vendor = vendor_of(REVIEWED).await;
    let other = pinfold_integration_tests::vendor().named("other").host("cdn.other.test").listen().await;
    let mut gateway = pinning(&vendor).reach(&other).listen().await;
    let before = fingerprint(&gateway, "issuer.pem");
    tells(&gateway.event_called("issuer-changed").await, ISSUER, &before, "before: none");

    gateway.rewrite(|files| files.rule(&other, Rule::default()));

    let event = gateway.event_called("issuer-changed").await;
    tells(&event, ISSUER, &fingerprint(&gateway, "issuer.pem"), &format!("before: {before}"));
}

#[tokio::test]
async fn a_name_that_is_signed_for_is_told_once_and_not_for_each_connection() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;
    for client in [client(&gateway), client(&gateway), client(&gateway).http2()] {
        verified(&client.get(vendor.url("/app.js")).await, REVIEWED);
    }

    let told = told(&gateway, &["leaf-signed"]).await;
    let [event] = told.as_slice() else { panic!("{told:?}") };
    tells(event, LEAF, vendor.host(), "once, at ");
    tells(event, LEAF, vendor.host(), &format!("by the issuing CA {}", fingerprint(&gateway, "issuer.pem")));
}

#[tokio::test]
async fn the_canary_is_signed_for_and_not_told() {
    let gateway = crate::health::shown(gateway()).set_in("canary", "every", "1s").listen().await;
    gateway.is_ready_with(200).await;
    assert_eq!(told(&gateway, &["leaf-signed"]).await.len(), 0);
}

#[tokio::test]
async fn names_without_end_are_told_in_a_bounded_number_of_events_and_none_is_left_out_of_the_count() {
    const NAMES: u64 = 1200;
    let gateway = gateway().set_in("other_hosts", "tls", "intercept");
    let gateway = gateway.set_in("certs", "name_constraints", false).listen().await;
    for batch in (0..NAMES).step_by(40).map(|from| from..from + 40) {
        let greetings = batch.map(|at| greet(client(&gateway), format!("a{at}.flood.test")));
        let all: Vec<_> = greetings.map(tokio::spawn).collect();
        for greeting in all {
            greeting.await.unwrap();
        }
    }

    let told = told(&gateway, &["leaf-signed"]).await;
    let (named, others): (Vec<_>, Vec<_>) =
        told.iter().partition(|event| event.text("Pinfold.subject").is_some());
    assert_eq!(named.len(), 1024);
    // One for each minute that it took.
    assert!((1..5).contains(&others.len()), "{others:?}");
    assert_eq!(told.iter().map(times).sum::<u64>(), NAMES);
}

async fn greet(client: Client, host: String) {
    let tunnel = client.connect(&format!("{host}:443")).await.unwrap().unwrap();
    client.greet(&host, tunnel).await.unwrap();
}

/// How often a notice says that something was.
pub(crate) fn times(event: &Event) -> u64 {
    let message = event.text("message").unwrap();
    let (_, told) = message.split_once(": ").unwrap();
    match told.split(' ').next().unwrap() {
        "once," => 1,
        times => times.parse().unwrap(),
    }
}
