//! The console over TLS: with a leaf of the gateway's own root, and with a certificate that somebody gave.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use pinfold_integration_tests::{
    Gateway, GatewayBuilder, Identity, client, eventually, gateway, reviewer, server_identity,
    server_identity_that_is,
};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::admission::PASSWORD;
use crate::console::{signed_in, with_reviewers};
use crate::{TAMPERED, pinning, vendor_of, verified};

/// With a leaf of the local root.
fn local(gateway: GatewayBuilder) -> GatewayBuilder {
    with_reviewers(gateway).set_in("console", "tls", "local-ca")
}

/// With a given certificate.
fn given(gateway: GatewayBuilder, (chain, key): &(String, String)) -> GatewayBuilder {
    with_reviewers(gateway)
        .secret("console.pem", chain)
        .secret("console.key", key)
        .set_in("console", "certificate", "console.pem")
        .set_in("console", "key", "console.key")
}

fn get(path: &str, host: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

/// The certificate that the console shows now.
async fn certificate(gateway: &Gateway) -> Vec<u8> {
    let stream = gateway.console_tls().await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn a_reviewer_signs_in_over_tls_of_the_local_root_and_approves() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = local(pinning(&vendor)).listen().await;
    let reply = client(&gateway).get(vendor.url("/app.js")).await;
    let item = format!("/quarantine/{}", reply.verdict().incident().unwrap());

    let ada = signed_in(&gateway, "ada").await;
    let fields = [("act", "approve"), ("reason", "SEC-1"), ("password", PASSWORD)];
    ada.fill(&item, &format!("{item}/decide"), &fields).await;

    verified(&client(&gateway).get(vendor.url("/app.js")).await, TAMPERED);
    assert_eq!(gateway.shows("/livez").await.status, 200);
    let kept = gateway.dir().join("pinfold-data/ca/console.key");
    assert_eq!(fs::metadata(kept).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn the_cookie_is_bound_to_the_host_and_one_of_the_plain_name_opens_nothing_under_tls() {
    let gateway = local(pinning(&vendor_of(TAMPERED).await)).listen().await;
    let mut ada = reviewer(&gateway);
    let shown = ada.sign_in("ada", PASSWORD).await;
    let cookie = shown.field("set-cookie").unwrap().to_owned();
    assert!(cookie.starts_with("__Host-pinfold-session="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict"), "{cookie}");
    assert_eq!(ada.open("/").await.status, 200);

    let mut eve = reviewer(&gateway);
    eve.cookie = ada.cookie.map(|cookie| cookie.replace("__Host-", ""));

    assert_eq!(eve.open("/").await.status, 303);
    let origin = format!("http://{}", gateway.console().unwrap());
    let mut clear = reviewer(&gateway).from(&[("Origin", &origin)]);
    assert_eq!(clear.sign_in("ada", PASSWORD).await.status, 403, "a page in clear text is another origin");
}

#[tokio::test]
async fn clear_text_on_the_port_of_tls_gets_no_page() {
    let gateway = local(pinning(&vendor_of(TAMPERED).await)).listen().await;
    for path in ["/sign-in", "/livez", "/metrics"] {
        let shown = gateway.console_says_in_clear(&get(path, "localhost")).await;
        assert_eq!((shown.status, shown.body.contains('<')), (400, false), "{shown:?}");
        assert!(shown.body.contains("speaks TLS"), "{shown:?}");
    }
}

#[tokio::test]
async fn a_console_beyond_loopback_lets_people_in_over_tls_by_its_names_alone() {
    let gateway = local(pinning(&vendor_of(TAMPERED).await)).set_in("console", "listen", "0.0.0.0:0").set_in(
        "console",
        "names",
        json!(["pinfold.corp.example"]),
    );
    let gateway = gateway.listen().await;

    let shown = gateway.console_says(&get("/sign-in", "pinfold.corp.example:8081")).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    assert_eq!(shown.field("strict-transport-security"), Some("max-age=31536000"));
    let shown = gateway.console_says(&get("/sign-in", "localhost")).await;
    assert_eq!((shown.status, shown.field("strict-transport-security")), (200, None), "{shown:?}");
    for foreign in ["evil.test", "pinfold.corp.example.evil.test", "x.pinfold.corp.example"] {
        assert_eq!(gateway.console_says(&get("/sign-in", foreign)).await.status, 421, "{foreign}");
    }
    signed_in(&gateway, "ada").await;
}

#[tokio::test]
async fn another_pair_is_shown_from_the_next_connection_on_and_a_bad_one_changes_nothing_and_says_so() {
    let (first, second) = (server_identity("localhost"), server_identity("localhost"));
    let mut gateway = given(pinning(&vendor_of(TAMPERED).await), &first).listen().await;
    let before = certificate(&gateway).await;
    let ada = signed_in(&gateway, "ada").await.cookie;

    // A certificate without its key: as in the middle of a renewal.
    gateway.rewrite(|files| files.secret("console.pem", &second.0));
    gateway.says("this private key is not the one of the first certificate in").await;
    assert_eq!(certificate(&gateway).await, before);
    gateway.rewrite(|files| files.secret("console.key", &second.1));
    gateway.says("the console shows another certificate").await;

    assert_ne!(certificate(&gateway).await, before);
    let mut again = reviewer(&gateway);
    again.cookie = ada;
    assert_eq!(again.open("/").await.status, 200, "a session outlives the certificate");
}

#[tokio::test]
async fn a_pair_of_no_use_is_an_error_with_its_place_cause_and_next_step() {
    let (chain, key) = server_identity("localhost");
    let good = (chain.clone(), key.clone());
    let mut gateway = given(pinning(&vendor_of(TAMPERED).await), &good).listen().await;
    let other = server_identity("localhost").1;
    for ((chain, key), mode, said) in [
        ((chain.clone(), other), 0o600, "this private key is not the one of the first certificate in"),
        ((chain.clone(), key.clone()), 0o644, "others may read this secret: mode is 0644"),
        ((String::new(), key.clone()), 0o600, "there is no certificate (PEM) in it"),
        ((chain.clone(), chain.clone()), 0o600, "no private key in PEM"),
        (("-----BEGIN CERTIFICATE-----\nAAAA\n".to_owned(), key), 0o600, "it is not PEM"),
    ] {
        gateway.rewrite(|files| files.secret("console.pem", &chain).secret("console.key", &key));
        let file = gateway.dir().join("console.key");
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
        let output = gateway.command(&["check"]).await;
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.stderr.contains(said) && output.stderr.contains("hint"), "{output:?}");
        let inside = key.lines().nth(1).unwrap_or("-----BEGIN PRIVATE KEY-----\n");
        assert!(!output.stderr.contains(inside), "{output:?}");
    }
    // Not wrong, and yet nobody would take it.
    gateway.rewrite(|files| {
        files.secret("console.pem", &good.0).secret("console.key", &good.1).set_in(
            "console",
            "names",
            json!(["b.test"]),
        )
    });
    let output = gateway.command(&["check", "--strict"]).await;
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("this certificate is not for b.test"), "{output:?}");
}

#[tokio::test]
async fn a_certificate_out_of_date_is_told_at_the_start_and_by_check_and_protects_all_the_same() {
    for (identity, said) in
        [(Identity::Expired, "certificate expired on 2021"), (Identity::NotYetValid, "not valid before 2100")]
    {
        let pair = server_identity_that_is("localhost", identity);
        let gateway = given(pinning(&vendor_of(TAMPERED).await), &pair).listen().await;
        gateway.says(said).await;
        let output = gateway.command(&["check", "--strict"]).await;
        assert!(output.code == Some(1) && output.stderr.contains(said), "{output:?}");
        assert!(gateway.console_tls().await.is_err(), "no client takes it");
    }
}

#[tokio::test]
async fn check_tells_of_a_kept_leaf_that_will_not_do_and_leaves_it_as_it_is() {
    let mut gateway = local(pinning(&vendor_of(TAMPERED).await)).listen().await;
    gateway.terminate().await;
    let kept = gateway.dir().join("pinfold-data/ca/console.key");
    let whole = fs::read_to_string(&kept).unwrap();
    let (_, leaf) = whole.split_at(whole.find("-----BEGIN CERTIFICATE").unwrap());
    let (foreign, other) = server_identity("localhost");
    for (contents, said) in [
        (format!("{other}{leaf}"), "no key and certificate that belong together"),
        (format!("{other}{foreign}"), "signed by another root"),
        ("nothing".to_owned(), "no key and certificate that belong together"),
    ] {
        fs::write(&kept, &contents).unwrap();
        let output = gateway.command(&["check", "--strict"]).await;
        assert!(output.code == Some(1) && output.stderr.contains(said), "{said}: {output:?}");
        assert_eq!(fs::read_to_string(&kept).unwrap(), contents);
    }
    fs::write(&kept, &whole).unwrap();
    let output = gateway.command(&["check", "--strict"]).await;
    assert!(!output.stderr.contains("console.key"), "{output:?}");
    gateway.rewrite(|files| files.set_in("console", "names", json!(["b.test"])));
    let output = gateway.command(&["check", "--strict"]).await;
    assert!(output.code == Some(1) && output.stderr.contains("is not for b.test"), "{output:?}");
}

#[tokio::test]
async fn handshakes_that_never_come_to_their_end_keep_nobody_out() {
    let gateway = local(pinning(&vendor_of(TAMPERED).await)).listen().await;
    let console = gateway.console().unwrap();
    let mut halves = Vec::new();
    for at in 0..80 {
        let mut half = TcpStream::connect(console).await.unwrap();
        if at % 2 == 0 {
            drop(half.write_all(&[22, 3, 1, 2, 0, 1]).await);
        }
        halves.push(half);
    }

    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = socket.connect(console).await.unwrap();
    other.write_all(get("/livez", "localhost").as_bytes()).await.unwrap();
    let mut said = String::new();
    eventually("an answer", other.read_to_string(&mut said)).await.unwrap();

    assert!(said.starts_with("HTTP/1.1 400"), "{said}");
    let mut rest = Vec::new();
    // Given up by the gateway, with or without an alert.
    drop(eventually("the end of a half", halves[0].read_to_end(&mut rest)).await);
    signed_in(&gateway, "ada").await;
}

#[tokio::test]
async fn curl_reads_metrics_over_tls_by_the_root_that_clients_trust_and_not_without_it() {
    let gateway = local(gateway()).listen().await;
    let url = format!("https://{}/metrics", gateway.console().unwrap());
    let curl = |args: &[&str]| {
        let mut curl = tokio::process::Command::new("curl");
        curl.args(["--silent", "--noproxy", "*", "--fail"]).args(args).arg(&url);
        curl
    };

    let root = gateway.ca();
    let read = curl(&["--cacert", root.to_str().unwrap()]).output().await.unwrap();
    assert!(read.status.success() && String::from_utf8_lossy(&read.stdout).contains("# EOF"), "{read:?}");
    // CURLE_PEER_FAILED_VERIFICATION
    assert_eq!(curl(&[]).output().await.unwrap().status.code(), Some(60));
}
