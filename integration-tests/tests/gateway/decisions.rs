//! Decisions and their history: told as events, sealed, and followed by an auditor with tools of his own.

use std::process::Stdio;

use pinfold_integration_tests::{Event, Gateway, Output, client, sha256};
use pinfold_policy::digest::Digests;
use tokio::process::Command;

use crate::{TAMPERED, gateway_pinning, refused, vendor_of, verified};

/// A reason that every encoding of text would like to have its own way with.
const HOSTILE: &str = "SEC-1: \"quoted\", \\ \u{1}\u{1f}\u{7f}\t\n\u{2028}\u{202e} ü \u{1f512} </script>";

const REFERENCE: &str = include_str!("../../../docs/reference.md");

/// A gateway at which every sort of decision was made: seven of them.
async fn decided() -> Gateway {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = gateway_pinning(&vendor).await;
    let url = vendor.url("/app.js");
    let incident = refused(&client(&gateway).get(&url).await, 403, "quarantined", "digest-mismatch");
    let sha512 = Digests::of(TAMPERED.as_bytes()).all()[2].to_string();
    for decision in [
        &["quarantine", "approve", &incident, "--expires", "90d"][..],
        &["quarantine", "reject", &incident, "--expires", "2199-01-01"],
        &["quarantine", "approve", &incident],
        &["pin", "revoke", &sha512],
        &["pin", "revoke", "--undo", &sha512],
        &["quarantine", "reject", &incident, "--everywhere"],
        &["pin", "revoke", "--undo", &sha256(TAMPERED)],
    ] {
        gateway.command(&[decision, &["--reason", HOSTILE]].concat()).await.success();
    }
    refused(&client(&gateway).get(&url).await, 403, "blocked", "rejected");
    gateway
}

/// Runs the program that the reference shows, on the gateway's file.
async fn python(gateway: &Gateway) -> Output {
    let chain = REFERENCE.split("<!-- chain -->").nth(1).unwrap();
    let program = chain.split("```python").nth(1).unwrap().split("```").next().unwrap();
    let output = Command::new("python3")
        .args(["-c", program])
        .arg(gateway.dir().join("pinfold-data/pinfold.db"))
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    Output {
        code: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[tokio::test]
async fn the_history_can_be_followed_with_nothing_but_the_reference_and_python() {
    let gateway = decided().await;
    let audit = gateway.command(&["audit", "verify", "--json"]).await.success().json();
    assert_eq!(audit["decisions"], 7, "{audit}");
    let head = python(&gateway).await.success().text();
    assert_eq!(head.trim(), audit["head"].as_str().unwrap());

    // The same words in another row.
    let tamper = "import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute('DROP TRIGGER decision_stays')
connection.execute('UPDATE decision SET at = at + 1 WHERE version = 3')
connection.commit()";
    let file = gateway.dir().join("pinfold-data/pinfold.db");
    let tampered = Command::new("python3").args(["-c", tamper]).arg(file).status().await.unwrap();
    assert!(tampered.success());
    let found = python(&gateway).await;
    assert_eq!((found.code, found.stderr.trim()), (Some(1), "broken at version 3"));
    let found = gateway.command(&["audit", "verify"]).await;
    assert_eq!(found.code, Some(1), "{found:?}");
    assert!(found.text().contains("broken at version 3"), "{found:?}");
}

#[tokio::test]
async fn each_decision_is_one_event_that_says_who_and_why() {
    let gateway = decided().await;
    let mut told = Vec::new();
    while told.len() < 7 {
        let event = gateway.next_event().await;
        if event.text("event.code").is_some_and(|code| code.starts_with("PF-4")) {
            told.push(event);
        }
    }
    let actions: Vec<_> = told.iter().map(|event| event.text("event.action").unwrap()).collect();
    assert_eq!(
        actions,
        [
            "digest-approved",
            "digest-rejected",
            "digest-approved",
            "digest-revoked",
            "digest-reinstated",
            "digest-revoked",
            "digest-reinstated",
        ]
    );
    let who = |event: &Event| event.text("user.name").unwrap().to_owned();
    assert!(told.iter().all(|event| who(event) == who(&told[0]) && who(event).contains('@')));
    let approved = &told[0];
    assert!(approved.text("message").unwrap().contains("SEC-1"), "{approved:?}");
    assert_eq!(approved.text("Pinfold.digest"), Some(&*sha256(TAMPERED)));
    assert!(approved.text("Pinfold.subject").unwrap().ends_with("/app.js"), "{approved:?}");
}

#[tokio::test]
async fn a_revocation_bites_a_client_that_has_the_script_on_its_next_request() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = gateway_pinning(&vendor).await;
    let url = vendor.url("/app.js");
    let incident = refused(&client(&gateway).get(&url).await, 403, "quarantined", "digest-mismatch");
    gateway.command(&["quarantine", "approve", &incident, "--reason", "SEC-1"]).await.success();
    let etag = {
        let reply = client(&gateway).get(&url).await;
        verified(&reply, TAMPERED);
        reply.header("etag").unwrap().to_owned()
    };
    let sha384 = Digests::of(TAMPERED.as_bytes()).all()[1].to_string();
    let told = gateway.command(&["pin", "revoke", &sha384, "--reason", "SEC-9"]).await.success().text();
    assert!(told.contains("127.0.0.1") && told.contains(&url), "{told}");
    let again = client(&gateway).header("if-none-match", &etag).get(&url).await;
    refused(&again, 403, "blocked", "revoked");
}
