//! `pinfold pin revoke`, beside a gateway that serves the digest.

use pinfold_policy::digest::{Digest, Digests};

use crate::desk::{Desk, Gateway, Origin, TAMPERED, URL};

fn notations() -> [Digest; 3] {
    Digests::of(TAMPERED.as_bytes()).all()
}

/// A gateway whose reviewer let pass what the origin serves.
fn approved(origin: &Origin) -> (Desk, Gateway) {
    let desk = Desk::before(origin);
    let gateway = desk.run();
    assert!(gateway.get(URL, "").contains("quarantined"));
    desk.pinfold(&["quarantine", "approve", &desk.incident(), "--reason", "SEC-1"]).succeeds();
    (desk, gateway)
}

#[test]
fn a_revocation_in_any_notation_bites_at_once_and_is_undone_by_a_second_act() {
    let (desk, gateway) = approved(&Origin::serving(TAMPERED));
    for digest in notations().map(|digest| digest.to_string()) {
        assert!(gateway.get(URL, "").ends_with(TAMPERED), "{digest}");
        desk.pinfold(&["pin", "revoke", &digest, "--reason", "SEC-9"])
            .succeeds()
            .says("revoked")
            .says("in force in the running gateway")
            .says(URL);
        assert!(gateway.get(URL, "").contains("reason=revoked"), "{digest}");
        assert_eq!(desk.only_item()["state"], "revoked");
        desk.pinfold(&["pin", "revoke", &digest, "--reason", "SEC-9"]).succeeds().says("nothing was changed");

        desk.pinfold(&["pin", "revoke", &digest]).fails(2, "needs a reason");
        desk.pinfold(&["pin", "revoke", "--undo", &digest, "--reason", "a mistake"])
            .succeeds()
            .says("reinstated");
    }
    desk.pinfold(&["audit", "verify"]).succeeds().says("intact: 7 decisions");
}

#[test]
fn a_digest_that_nobody_ever_saw_is_revoked_before_it_comes() {
    let origin = Origin::serving("harmless()");
    let (desk, gateway) = approved(&origin);
    let [_, sha384, _] = notations().map(|digest| digest.to_string());
    desk.pinfold(&["pin", "revoke", &sha384, "--reason", "SEC-9"])
        .succeeds()
        .says("none goes dark")
        .says("not known");
    origin.serves(TAMPERED);
    assert!(gateway.get(URL, "").contains("reason=revoked"));
}

#[test]
fn who_received_it_is_told_and_who_as_a_worker() {
    let (desk, gateway) = approved(&Origin::serving(TAMPERED));
    assert!(gateway.get(URL, "Sec-Fetch-Dest: script\r\n").ends_with(TAMPERED));
    assert!(gateway.get(URL, "Service-Worker: script\r\n").ends_with(TAMPERED));
    assert!(gateway.get(URL, "Sec-Fetch-Dest: SCRIPT, x\r\n").ends_with(TAMPERED));
    let digest = notations()[0].to_string();
    let done = desk.pinfold(&["pin", "revoke", &digest, "--reason", "SEC-9", "--json"]).succeeds().json();
    let received = &done["received"][0];
    assert_eq!((&received["client"], &received["count"]), (&"127.0.0.1".into(), &3.into()), "{done}");
    assert_eq!(received["workers"], serde_json::json!(["serviceworker"]), "{done}");
    assert_eq!(done["darkens_approvals"][0]["subject"], URL);
    assert_eq!(done["client_max_age_seconds"], 600);

    desk.pinfold(&["quarantine", "reject", &desk.incident(), "--everywhere", "--reason", "SEC-9"])
        .succeeds()
        .says("127.0.0.1")
        .says("serviceworker")
        .says("open pages keep what they run")
        .says("within 10 minutes");
}

#[test]
fn what_a_file_revokes_is_taken_back_by_the_file_alone() {
    let (desk, _gateway) = approved(&Origin::serving(TAMPERED));
    let digest = notations()[0].to_string();
    desk.write("pins.toml", &format!("\n[[revoke]]\ndigest = \"{digest}\"\nreason = \"SEC-9\"\n"));
    desk.pinfold(&["pin", "revoke", "--undo", &digest, "--reason", "a mistake"])
        .fails(3, "the [[revoke]] block at pins.toml:3")
        .hints("change of that file");
}

#[test]
fn what_is_not_revoked_is_not_reinstated_and_the_right_notation_is_named() {
    let (desk, _gateway) = approved(&Origin::serving(TAMPERED));
    let [sha256, sha384, _] = notations().map(|digest| digest.to_string());
    let undo = |digest: &str| desk.pinfold(&["pin", "revoke", "--undo", digest, "--reason", "a mistake"]);
    undo(&sha256).fails(3, "is not revoked");
    desk.pinfold(&["pin", "revoke", &sha384, "--reason", "SEC-9"]).succeeds();
    undo(&sha256).fails(3, "is not revoked").hints(&sha384);
    let hex = Digests::of(TAMPERED.as_bytes()).sha256.to_hex();
    undo(&hex).fails(2, &sha256);
}
