//! `pinfold quarantine`, beside a gateway and without one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use pinfold_policy::digest::{Digest, Digests};

use crate::desk::{Desk, Done, Gateway, Origin, REVIEWED, TAMPERED, URL};

/// A page and a browser whose names try to rewrite the reviewer's terminal.
const HOSTILE: &str = "Referer: https://shop.test/\u{202e}txet\r\nUser-Agent: Mozilla\u{200b}/5.0\r\n";

/// A gateway that has refused what the origin serves, and kept it.
fn refused(origin: &Origin) -> (Desk, Gateway) {
    let desk = Desk::before(origin);
    let gateway = desk.run();
    let answer = gateway.get(URL, HOSTILE);
    assert!(answer.contains("quarantined; reason=unpinned"), "{answer}");
    (desk, gateway)
}

#[test]
fn the_evidence_is_shown_whole_and_safe_to_look_at() {
    let (desk, _gateway) = refused(&Origin::serving(TAMPERED));
    let incident = desk.incident();

    desk.pinfold(&["quarantine", "list"])
        .succeeds()
        .says(&incident)
        .says(URL)
        .says("waiting")
        .says("unpinned");
    let shown = desk.pinfold(&["quarantine", "show", &incident]).succeeds();
    let digest = Digests::of(TAMPERED.as_bytes()).sha256;
    for evidence in [&incident, URL, &digest.to_string(), &digest.to_hex(), "127.0.0.1", "acme", "22 bytes"] {
        assert!(shown.stdout.contains(evidence), "no {evidence} in {shown:?}");
    }
    assert!(shown.stdout.contains("Mozilla\\u{200b}/5.0"), "{shown:?}");
    assert!(!shown.stdout.contains(['\u{1b}', '\u{202e}', '\u{200b}']), "{shown:?}");

    let json = desk.pinfold(&["quarantine", "show", &incident, "--json"]).succeeds();
    assert!(!json.stdout.contains(['\u{202e}', '\u{200b}']), "{json:?}");
    assert_eq!(json.json()["asked_by"][0]["user_agent"], "Mozilla\u{200b}/5.0");
}

#[test]
fn an_incident_is_named_in_either_case_or_by_its_beginning() {
    let (desk, _gateway) = refused(&Origin::serving(TAMPERED));
    let incident = desk.incident();
    let beginning: String = incident.chars().take(25).collect();
    for name in [&*incident.to_lowercase(), &beginning, "0"] {
        desk.pinfold(&["quarantine", "show", name]).succeeds().says(&incident);
    }
    for name in ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "Z", ""] {
        let why: &[&str] = &["--reason", "SEC-1"];
        for (action, why) in [("show", &[][..]), ("approve", why), ("reject", why), ("export", &[])] {
            let args = [&["quarantine", action, name], why].concat();
            let done = desk.pinfold(&args).fails(3, "no incident").hints("quarantine list");
            assert!(done.stderr.starts_with("pinfold: error: "), "{done:?}");
        }
    }
}

#[test]
fn a_decision_is_in_force_at_once_and_says_so() {
    let origin = Origin::serving(TAMPERED);
    let (desk, gateway) = refused(&origin);
    let incident = desk.incident();

    desk.pinfold(&["quarantine", "approve", &incident, "--reason", "SEC-1"])
        .succeeds()
        .says("approved")
        .says("in force in the running gateway");
    assert!(gateway.get(URL, "").ends_with(TAMPERED));
    desk.pinfold(&["quarantine", "approve", &incident, "--reason", "SEC-1"])
        .succeeds()
        .says("nothing was changed");

    let rejected =
        desk.pinfold(&["quarantine", "reject", &incident, "--json", "--reason", "SEC-1"]).succeeds().json();
    assert_eq!((&rejected["state"], &rejected["in_force"]), (&"rejected".into(), &"yes".into()));
    assert!(gateway.get(URL, "").contains("reason=rejected"));

    drop(gateway);
    desk.pinfold(&["quarantine", "approve", &incident, "--reason", "SEC-1"])
        .succeeds()
        .says("no gateway is running");
    assert!(desk.run().get(URL, "").ends_with(TAMPERED));
}

#[test]
fn a_revocation_names_first_the_pins_that_go_dark_in_any_notation() {
    let (desk, gateway) = refused(&Origin::serving(TAMPERED));
    let sha384 = Digest::Sha384(Digests::of(TAMPERED.as_bytes()).sha384);
    let other = Digests::of(REVIEWED.as_bytes()).sha256;
    desk.write(
        "pins.toml",
        &format!(
            "[[pin]]\nurl = \"https://cdn.vendor.test/fine.js\"\ndigests = [\"{other}\"]\n\
             [[pin]]\nurl = \"https://cdn.vendor.test/dark.js\"\ndigests = [\"{sha384}\"]\n"
        ),
    );
    let incident = desk.incident();

    let done =
        desk.pinfold(&["quarantine", "reject", &incident, "--everywhere", "--reason", "SEC-1"]).succeeds();
    let named = done.stdout.find("pins.toml:4: https://cdn.vendor.test/dark.js").expect("the pin is named");
    assert!(named < done.stdout.find("revoked").expect("it is revoked"), "{done:?}");
    assert!(!done.stdout.contains("fine.js"), "{done:?}");
    assert!(gateway.get(URL, "").contains("reason=revoked"));
    desk.pinfold(&["quarantine", "approve", &incident, "--reason", "SEC-1"]).fails(3, "never released again");
}

#[test]
fn with_pins_that_cannot_be_read_everything_but_a_revocation_goes_on() {
    let (desk, _gateway) = refused(&Origin::serving(TAMPERED));
    let incident = desk.incident();
    desk.write("pins.toml", "[[pin]\n");
    desk.pinfold(&["quarantine", "show", &incident]).succeeds().says("the pins cannot be read");
    let done = desk
        .pinfold(&["quarantine", "reject", &incident, "--everywhere", "--reason", "SEC-1"])
        .fails(2, "pins.toml:1:");
    assert!(done.stderr.contains("nothing was revoked"), "{done:?}");
    assert_eq!(desk.only_item()["state"], "waiting");
    desk.pinfold(&["quarantine", "reject", &incident, "--reason", "SEC-1"]).succeeds().says("rejected");
}

#[test]
fn the_bytes_come_out_as_they_were_and_over_no_file() {
    let (desk, _gateway) = refused(&Origin::serving(TAMPERED));
    let incident = desk.incident();
    assert_eq!(desk.pinfold(&["quarantine", "export", &incident]).succeeds().stdout, TAMPERED);

    desk.pinfold(&["quarantine", "export", &incident, "--output", "evidence.js"]).succeeds();
    assert_eq!(desk.read("evidence.js"), TAMPERED);
    let mode = fs::metadata(desk.path().join("evidence.js")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    desk.write("mine.js", "mine");
    desk.pinfold(&["quarantine", "export", &incident, "--output", "mine.js"]).fails(3, "file exists");
    assert_eq!(desk.read("mine.js"), "mine");
}

#[test]
fn a_directory_where_no_gateway_ever_ran_is_named() {
    let desk = Desk::with("");
    desk.pinfold(&["quarantine", "list"]).fails(3, "no pinfold.db in pinfold-data").hints("pinfold run");
    assert!(!desk.path().join("pinfold-data").exists());
}

#[test]
fn an_empty_quarantine_says_so() {
    let desk = Desk::with("listen = [\"127.0.0.1:0\"]\n");
    let _gateway = desk.run();
    let done = desk.pinfold(&["quarantine", "list"]).succeeds();
    assert_eq!((&*done.stdout, &*done.stderr), ("", "nothing in quarantine in pinfold-data\n"));
    assert_eq!(desk.pinfold(&["quarantine", "list", "--json"]).succeeds().stdout, "[]\n");
}

#[test]
fn a_decision_without_a_reason_is_none() {
    let (desk, gateway) = refused(&Origin::serving(TAMPERED));
    let incident = desk.incident();
    for args in [
        &["quarantine", "approve", &incident][..],
        &["quarantine", "approve", &incident, "--reason", " "],
        &["quarantine", "reject", &incident],
        &["quarantine", "reject", &incident, "--everywhere"],
    ] {
        desk.pinfold(args).fails(2, "needs a reason").hints("--reason TEXT");
    }
    for expires in ["2020-01-01", "yesterday", "-1d", "90"] {
        let args = ["quarantine", "approve", &incident, "--reason", "SEC-1", "--expires", expires];
        desk.pinfold(&args).fails(2, expires).hints("day");
    }
    assert_eq!(desk.only_item()["state"], "waiting");
    assert!(gateway.get(URL, "").contains("quarantined"));
}

#[test]
fn an_approval_says_until_when_it_counts() {
    let (desk, gateway) = refused(&Origin::serving(TAMPERED));
    let incident = desk.incident();
    let args = ["quarantine", "approve", &incident, "--reason", "SEC-1", "--expires", "2099-05-01"];
    desk.pinfold(&args).succeeds().says("until 2099-05-02 00:00:00 UTC");
    assert!(gateway.get(URL, "").ends_with(TAMPERED));
    assert_eq!(desk.only_item()["decided"]["expires"], "2099-05-02T00:00:00Z");
    desk.pinfold(&["quarantine", "show", &incident]).succeeds().says("until 2099-05-02").says("SEC-1");
}

#[test]
fn two_people_must_agree_and_nobody_is_two() {
    let origin = Origin::serving(TAMPERED);
    let desk = Desk::before(&origin);
    let config = format!("{}[review]\napprovers = 2\n", desk.read("pinfold.toml"));
    desk.write("pinfold.toml", &config);
    let gateway = desk.run();
    assert!(gateway.get(URL, "").contains("quarantined"));
    let incident = desk.incident();
    let approve = |variable: &str, who: &str| {
        let mut command = desk.command(&["quarantine", "approve", &incident, "--reason", "SEC-1"]);
        command.env_remove("SUDO_USER").env(variable, who);
        Done::from(command.output().unwrap())
    };

    approve("SUDO_USER", "ada").succeeds().says("1 of 2 approvals, by ada@").says("1 more person");
    approve("SUDO_USER", "ada").succeeds().says("nothing was changed");
    approve("SUDO_USER", "Ada").succeeds().says("1 of 2");
    desk.pinfold(&["quarantine", "list"]).succeeds().says("waiting, 1 of 2 approvals");
    desk.pinfold(&["quarantine", "show", &incident]).succeeds().says("1 of 2 approvals");
    assert!(gateway.get(URL, "").contains("quarantined"));
    approve("SUDO_USER", "bob").succeeds().says("may be served");
    assert!(gateway.get(URL, "").ends_with(TAMPERED));

    // Whoever sets $USER is still the same person.
    desk.pinfold(&["quarantine", "reject", &incident, "--reason", "SEC-1"]).succeeds();
    approve("USER", "ada").succeeds().says("1 of 2");
    approve("USER", "bob").succeeds().says("nothing was changed").says("1 of 2");
    assert!(gateway.get(URL, "").contains("rejected"));
}

#[test]
fn the_history_is_verified_and_a_change_behind_pinfolds_back_is_found() {
    let (desk, gateway) = refused(&Origin::serving(TAMPERED));
    desk.pinfold(&["audit", "verify"]).succeeds().says("intact: 0 decisions");
    let incident = desk.incident();
    desk.pinfold(&["quarantine", "approve", &incident, "--reason", "SEC-1"]).succeeds();
    let audit = desk.pinfold(&["audit", "verify", "--json"]).succeeds().json();
    assert_eq!((&audit["intact"], &audit["decisions"]), (&true.into(), &1.into()), "{audit}");
    let head = audit["head"].as_str().unwrap().to_owned();
    desk.pinfold(&["audit", "verify"]).succeeds().says(&head);

    drop(gateway);
    // Also the last to close the file, which then holds all of it.
    desk.pinfold(&["audit", "verify"]).succeeds();
    let path = desk.path().join("pinfold-data/pinfold.db");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(5).rposition(|window| window == b"SEC-1").expect("the reason is in the file");
    bytes[at + 4] = b'2';
    fs::write(&path, bytes).unwrap();
    let done = desk.pinfold(&["audit", "verify"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    done.says("broken at version 2").says("intact before it: 0 decisions");

    fs::write(&path, "no database at all, and long enough to be one".repeat(100)).unwrap();
    desk.pinfold(&["audit", "verify"]).fails(3, "pinfold.db");
}

#[test]
fn one_person_with_files_of_their_own_is_not_two() {
    let origin = Origin::serving(TAMPERED);
    let desk = Desk::before(&origin);
    let config = format!("{}[review]\napprovers = 2\n", desk.read("pinfold.toml"));
    desk.write("pinfold.toml", &config);
    let gateway = desk.run();
    assert!(gateway.get(URL, "").contains("quarantined"));
    let incident = desk.incident();
    desk.write("mine.toml", &config.replace("approvers = 2", "approvers = 1"));
    let mut command =
        desk.command(&["--config", "mine.toml", "quarantine", "approve", &incident, "--reason", "SEC-1"]);
    let output = command.env("SUDO_USER", "mallory").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("1 of 2 approvals, by mallory"), "{said}");
    assert!(gateway.get(URL, "").contains("quarantined"));
}
