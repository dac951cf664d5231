//! Decisions and their history: told as events, sealed, and followed by an auditor with tools of his own.

use std::process::Stdio;

use pinfold_integration_tests::{Event, Gateway, Output, Vendor, client, sha256};
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
    tamper_with_rows(&gateway, "UPDATE decision SET at = at + 1 WHERE version = 3").await;
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

/// Has SQLite do something with the file, behind pinfold's back.
pub(crate) async fn tamper(gateway: &Gateway, statements: &str) {
    let program = "import sqlite3, sys
file = sqlite3.connect(sys.argv[1])
file.executescript(sys.argv[2])
file.commit()";
    let file = gateway.dir().join("pinfold-data/pinfold.db");
    let mut python = Command::new("python3");
    python.current_dir(gateway.dir().join("pinfold-data"));
    let output =
        python.args(["-c", program]).arg(file).arg(statements).kill_on_drop(true).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The first value of what SQLite finds in the file.
pub(crate) async fn look_up(gateway: &Gateway, query: &str) -> String {
    let program = "import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()[0])";
    let mut python = Command::new("python3");
    python.args(["-c", program]).arg(gateway.dir().join("pinfold-data/pinfold.db")).arg(query);
    let output = python.kill_on_drop(true).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Changes rows, and leaves no other trace: the triggers that guard them are there again.
async fn tamper_with_rows(gateway: &Gateway, change: &str) {
    let guards = "CREATE TRIGGER decision_stays BEFORE UPDATE ON decision WHEN old.hash IS NOT NULL
            BEGIN SELECT raise(ABORT, 'decisions are not changed'); END;
        CREATE TRIGGER decision_is_kept BEFORE DELETE ON decision
            BEGIN SELECT raise(ABORT, 'decisions are not deleted'); END;";
    let without =
        "DROP TRIGGER decision_stays; DROP TRIGGER decision_is_kept; PRAGMA ignore_check_constraints = 1;";
    tamper(gateway, &format!("{without} {change}; {guards}")).await;
}

/// A gateway that has refused these bytes, approved, rejected and revoked, and stopped.
async fn stopped() -> (Vendor, Gateway) {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = gateway_pinning(&vendor).await;
    let refusal = client(&gateway).get(vendor.url("/app.js")).await;
    let incident = refusal.verdict().incident().unwrap().to_owned();
    for decision in ["approve", "reject"] {
        gateway.command(&["quarantine", decision, &incident, "--reason", "read"]).await.success();
    }
    gateway.command(&["pin", "revoke", &sha256(TAMPERED), "--reason", "bad"]).await.success();
    gateway.terminate().await;
    (vendor, gateway)
}

#[tokio::test]
async fn a_digest_that_is_written_as_text_is_a_change_to_the_audit_to_the_gateway_and_to_anybody_else() {
    for what in ["rejected", "revoked"] {
        let (_vendor, gateway) = stopped().await;
        let change = format!("UPDATE decision SET digest = lower(hex(digest)) WHERE what = '{what}'");
        tamper_with_rows(&gateway, &change).await;

        let audit = gateway.command(&["audit", "verify"]).await;
        assert_eq!(audit.code, Some(1), "{audit:?}");
        assert!(audit.text().contains("broken at version"), "{audit:?}");
        assert_ne!(python(&gateway).await.code, Some(0));
        let run = gateway.command(&["run"]).await;
        assert_eq!(run.code, Some(3), "{run:?}");
    }
}

#[tokio::test]
async fn a_decision_before_the_first_is_found_and_judged_by_nowhere() {
    for version in [0, -7] {
        let (_vendor, gateway) = stopped().await;
        let forged = format!(
            "INSERT INTO decision (version, at, who, what, basis, reason, incident, subject, digest, kind, url, vendor, len, approvers)
             SELECT {version}, 1790000000000000, 'ada@desk', 'approved', 'reviewed', 'SEC-1', incident, subject, digest, kind, url,
                 vendor, len, 1 FROM item"
        );
        tamper_with_rows(&gateway, &forged).await;

        let audit = gateway.command(&["audit", "verify"]).await;
        assert_eq!(audit.code, Some(1), "{audit:?}");
        assert_ne!(python(&gateway).await.code, Some(0));
        let run = gateway.command(&["run"]).await;
        assert_eq!(run.code, Some(3), "{run:?}");
    }
}

#[tokio::test]
async fn a_planted_trigger_or_another_view_stops_every_command_and_the_gateway() {
    for (name, statement) in [
        (
            "note",
            "CREATE TRIGGER note AFTER INSERT ON decision BEGIN UPDATE decision SET digest = zeroblob(32); END",
        ),
        ("revocation", "DROP VIEW revocation; CREATE VIEW revocation AS SELECT * FROM decision WHERE 0"),
        ("decision_stays", "DROP TRIGGER decision_stays"),
    ] {
        let (_vendor, gateway) = stopped().await;
        tamper(&gateway, statement).await;
        for command in [&["audit", "verify"][..], &["pin", "revoke", &sha256("x"), "--reason", "x"], &["run"]]
        {
            let output = gateway.command(command).await;
            assert_eq!(output.code, Some(3), "{output:?}");
            assert!(output.stderr.contains(&format!("'{name}' is not as pinfold made it")), "{output:?}");
        }
    }
}

#[tokio::test]
async fn a_rejection_that_is_made_while_the_digest_is_revoked_outlives_the_revocation() {
    for everywhere in [&[][..], &["--everywhere"][..]] {
        let vendor = vendor_of(TAMPERED).await;
        let gateway = gateway_pinning(&vendor).await;
        let url = vendor.url("/app.js");
        let refusal = client(&gateway).get(&url).await;
        let incident = refusal.verdict().incident().unwrap().to_owned();
        gateway.command(&["quarantine", "approve", &incident, "--reason", "read"]).await.success();
        gateway.command(&["pin", "revoke", &sha256(TAMPERED), "--reason", "bad"]).await.success();
        let rejecting = [&["quarantine", "reject", &incident, "--reason", "not here"], everywhere].concat();
        let rejected = gateway.command(&rejecting).await.success();
        assert!(!rejected.text().contains("nothing was changed"), "{rejected:?}");
        gateway
            .command(&["pin", "revoke", "--undo", &sha256(TAMPERED), "--reason", "another one"])
            .await
            .success();

        refused(&client(&gateway).get(&url).await, 403, "blocked", "rejected");
    }
}

#[tokio::test]
async fn a_month_of_the_ledger_that_cannot_be_read_hides_no_decision() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = gateway_pinning(&vendor).await;
    let refusal = client(&gateway).get(vendor.url("/app.js")).await;
    let incident = refusal.verdict().incident().unwrap().to_owned();
    std::fs::write(gateway.dir().join("pinfold-data/ledger/2026-09.db"), "").unwrap();
    for command in [
        &["quarantine", "reject", &incident, "--everywhere", "--reason", "bad"][..],
        &["pin", "revoke", &sha256("another"), "--reason", "bad"],
    ] {
        let output = gateway.command(command).await.success();
        let said = output.text();
        assert!(said.contains("never released again") && said.contains("in force"), "{said}");
        assert!(said.contains("who received it is not known") && said.contains("2026-09.db"), "{said}");
    }
    let again =
        gateway.command(&["pin", "revoke", &sha256("third"), "--reason", "bad", "--json"]).await.success();
    assert!(again.json()["received"].is_null() && again.json()["received_error"].is_string());
    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "blocked", "revoked");
}

#[tokio::test]
async fn no_row_and_no_index_that_was_changed_undoes_a_revocation() {
    let hollow = "DROP INDEX decision_revoked;
        CREATE INDEX decision_revoked ON decision (digest, version) WHERE what IN ('none');
        PRAGMA writable_schema = 1;
        UPDATE sqlite_schema SET sql = replace(sql, '(''none'')', '(''revoked'', ''reinstated'')')
            WHERE name = 'decision_revoked'";
    let blob = "UPDATE decision SET what = CAST(what AS BLOB) WHERE what = 'revoked'";
    let turned = "UPDATE decision SET what = 'reinstated' WHERE what = 'revoked'";
    for (change, audited, said) in [
        (hollow, 3, "the table 'decision'"),
        (blob, 1, "the history of decisions is broken at version 2"),
        (turned, 1, "the history of decisions is broken at version 2"),
    ] {
        let vendor = vendor_of(TAMPERED).await;
        let gateway = gateway_pinning(&vendor).await;
        gateway.command(&["pin", "revoke", &sha256(TAMPERED), "--reason", "bad"]).await.success();
        gateway.terminate().await;
        tamper_with_rows(&gateway, change).await;

        let audit = gateway.command(&["audit", "verify"]).await;
        assert_eq!(audit.code, Some(audited), "{audit:?}");
        for command in [&["pin", "revoke", &sha256("x"), "--reason", "x"][..], &["run"]] {
            let output = gateway.command(command).await;
            assert_eq!(output.code, Some(3), "{output:?}");
            assert!(output.stderr.contains(said), "{output:?}");
        }
    }
}

#[tokio::test]
async fn a_backup_counts_once_it_is_restored_as_the_hint_says_after_a_kill() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = gateway_pinning(&vendor).await;
    let (digest, data_dir) = (sha256(TAMPERED), gateway.dir().join("pinfold-data"));
    let revoke = ["pin", "revoke", &digest, "--reason", "bad"];
    gateway.command(&revoke).await.success();
    tamper(&gateway, "VACUUM INTO 'backup.db'").await;
    for _ in 0..3 {
        gateway.command(&["pin", "revoke", "--undo", &digest, "--reason", "not bad"]).await.success();
        gateway.command(&revoke).await.success();
    }
    gateway.kill().await;

    // Beside the log of the file that it takes the place of.
    std::fs::copy(data_dir.join("backup.db"), data_dir.join("pinfold.db")).unwrap();
    let refused_file = gateway.command(&["audit", "verify"]).await;
    assert_eq!(refused_file.code, Some(3), "{refused_file:?}");
    assert!(refused_file.stderr.contains("move the file away with its -wal and -shm"), "{refused_file:?}");
    for file in ["pinfold.db", "pinfold.db-wal", "pinfold.db-shm"] {
        // The command may have tidied up after itself.
        let _ = std::fs::remove_file(data_dir.join(file));
    }
    std::fs::copy(data_dir.join("backup.db"), data_dir.join("pinfold.db")).unwrap();

    let audit = gateway.command(&["audit", "verify"]).await.success();
    assert!(audit.text().contains("intact: 1 decision"), "{}", audit.text());
    gateway.start_again().await;
    refused(&client(&gateway).get(vendor.url("/app.js")).await, 403, "blocked", "revoked");
}

#[tokio::test]
async fn who_received_what_is_told_although_the_history_is_broken_and_nothing_is_decided() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = gateway_pinning(&vendor).await;
    let url = vendor.url("/app.js");
    let incident = refused(&client(&gateway).get(&url).await, 403, "quarantined", "digest-mismatch");
    gateway.command(&["quarantine", "approve", &incident, "--reason", "SEC-1"]).await.success();
    verified(&client(&gateway).get(&url).await, TAMPERED);
    gateway.terminate().await;
    tamper_with_rows(&gateway, "UPDATE decision SET who = 'eve'").await;

    let id = sha256(TAMPERED);
    for command in
        [&["exposure", "--digest", &id][..], &["quarantine", "list"], &["quarantine", "show", &incident]]
    {
        let found = gateway.command(command).await;
        assert!(matches!(found.code, Some(0 | 1)) && found.text().contains("/app.js"), "{found:?}");
        assert!(
            found.stderr.contains("is broken at version") && found.stderr.contains("not to be trusted"),
            "{found:?}"
        );
    }
    let decided = gateway.command(&["quarantine", "reject", &incident, "--reason", "SEC-2"]).await;
    assert_eq!(decided.code, Some(3), "{decided:?}");
    assert_eq!(gateway.command(&["run"]).await.code, Some(3));
}
