//! `pinfold pin remove` and `verify`: a list that stays right.

use crate::desk::{Desk, Origin, REVIEWED, TAMPERED, URL};

const OTHER: &str = "http://cdn.vendor.test/other.js";

#[test]
fn a_removed_pin_is_gone_and_what_is_left_is_told() {
    let origin = Origin::serving(REVIEWED);
    let desk = Desk::before(&origin);
    desk.write("pins.toml", "# ours\n");
    desk.pinfold(&["pin", "add", URL, OTHER]).succeeds();
    desk.pinfold(&["pin", "remove", URL])
        .succeeds()
        .says(&format!("pins.toml:3: removed the pin of {URL}"))
        .says("nothing is allowed there any more");
    let left = desk.read("pins.toml");
    assert!(left.starts_with("# ours\n\n[[pin]]\n") && left.contains(OTHER) && !left.contains(URL), "{left}");

    desk.pinfold(&["pin", "remove", OTHER, URL]).fails(3, "nothing was removed").hints("pin list");
    assert_eq!(desk.read("pins.toml"), left);
}

#[test]
fn one_digest_can_be_removed_and_the_others_stay_allowed() {
    let origin = Origin::serving(REVIEWED);
    let desk = Desk::before(&origin);
    desk.pinfold(&["pin", "add", URL]).succeeds();
    let pinned = |desk: &Desk| desk.pinfold(&["pin", "list", "--json"]).json()[0]["digests"].clone();
    let old = pinned(&desk)[0].as_str().unwrap().to_owned();
    origin.serves(TAMPERED);
    desk.pinfold(&["pin", "add", URL]).succeeds();
    let new = pinned(&desk)[1].as_str().unwrap().to_owned();

    let removed = desk.pinfold(&["pin", "remove", URL, "--digest", &new, "--json"]).succeeds().json();

    assert_eq!(removed[0]["removed"][0]["whole"], false);
    assert_eq!(removed[0]["allowed"][0]["digest"], old.as_str());
    assert_eq!(pinned(&desk).as_array().unwrap().len(), 1);
    desk.pinfold(&["pin", "remove", URL, "--digest", &new]).fails(3, &new);
    desk.pinfold(&["pin", "remove", URL, "--digest", "sha1-x"]).fails(2, "sha1");
}

#[test]
fn a_pin_in_any_of_the_files_is_found_and_a_broken_one_stops_all() {
    let desk = Desk::with("pins = [\"pins.toml\", \"more.toml\"]\n");
    let pin = "[[pin]]\nurl = \"https://cdn.vendor.test/a.js\"\n\
               digests = [\"sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"]\n";
    desk.write("more.toml", pin);
    desk.pinfold(&["pin", "remove", "https://cdn.vendor.test/a.js"]).succeeds().says("more.toml:1: removed");
    assert_eq!(desk.read("more.toml"), "");
    desk.write("pins.toml", pin);
    desk.write("more.toml", "[[pin]\n");
    desk.pinfold(&["pin", "remove", "https://cdn.vendor.test/a.js"]).fails(2, "more.toml:1:7: ");
    assert_eq!(desk.read("pins.toml"), pin);
}

#[test]
fn verify_tells_what_the_vendor_serves_now() {
    let origin = Origin::serving(REVIEWED);
    let desk = Desk::before(&origin);
    desk.pinfold(&["pin", "add", URL, OTHER]).succeeds();
    let done = desk.pinfold(&["pin", "verify", "--json"]).succeeds().json();
    assert_eq!((&done[0]["state"], &done[1]["state"]), (&"same".into(), &"same".into()));

    origin.serves(TAMPERED);
    let done = desk.pinfold(&["pin", "verify", URL, "--json"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    let rows = done.json();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!(rows[0]["state"], "differs");
    assert_eq!(rows[0]["why"], "digest-mismatch");
    assert_eq!(rows[0]["bytes"], TAMPERED.len());
    assert_ne!(rows[0]["digest"], rows[0]["pins"][0]["digests"][0]);
    assert_eq!(rows[0]["added"], desk.pinfold(&["pin", "list", "--json"]).json()[0]["added"]);
    let table = desk.pinfold(&["pin", "verify"]);
    assert_eq!(table.code, Some(1));
    table.says("differs").says(rows[0]["digest"].as_str().unwrap());

    origin.answers("404 Not Found");
    let done = desk.pinfold(&["pin", "verify"]);
    assert_eq!(done.code, Some(3), "{done:?}");
    done.says("unreachable").says("the vendor answered 404");
    desk.pinfold(&["pin", "verify", "http://cdn.vendor.test/new.js"]).fails(2, "is not pinned");
}

#[test]
fn verify_judges_as_the_gateway_does() {
    let origin = Origin::serving(REVIEWED);
    let desk = Desk::before(&origin);
    desk.pinfold(&["pin", "add", URL]).succeeds();
    let pins = desk.read("pins.toml");
    let digest =
        desk.pinfold(&["pin", "list", "--json"]).json()[0]["digests"][0].as_str().unwrap().to_owned();
    let state = |desk: &Desk| {
        let done = desk.pinfold(&["pin", "verify", "--json"]);
        assert_eq!(done.code, Some(1), "{done:?}");
        (done.json()[0]["state"].clone(), done.json()[0]["why"].clone())
    };
    desk.write("pins.toml", &format!("{pins}[[revoke]]\ndigest = \"{digest}\"\nreason = \"bad\"\n"));
    assert_eq!(state(&desk), ("differs".into(), "revoked".into()));
    desk.write("pins.toml", &pins.replace("added   = ", "expires = 2020-01-01 # "));
    assert_eq!(state(&desk), ("expired".into(), "expired-pin".into()));
    // What a pattern matches, nobody knows.
    desk.write("pins.toml", &pins.replace("app.js", "*.js"));
    let done = desk.pinfold(&["pin", "verify"]).succeeds();
    assert!(done.stderr.contains("1 pattern"), "{done:?}");
}
