//! `pinfold pin add` and `list`.

use crate::desk::{Desk, Origin, REVIEWED, TAMPERED, URL};

#[test]
fn a_script_is_fetched_shown_and_pinned() {
    let origin = Origin::serving(REVIEWED);
    let desk = Desk::before(&origin);
    desk.write("pins.toml", "# ours\n");

    let added =
        desk.pinfold(&["pin", "add", URL, "--owner", "web", "--reason", "SEC-1", "--expires", "2999-12-31"]);
    let added = added
        .succeeds()
        .says("23 bytes")
        .says("clear text")
        .says("kind    script")
        .says("pins.toml:3: pinned");
    let digest = added.stdout.split_whitespace().find(|word| word.starts_with("sha256-")).unwrap();

    let pins = desk.read("pins.toml");
    assert!(pins.starts_with("# ours\n") && pins.contains(digest), "{pins}");
    let listed = desk.pinfold(&["pin", "list", "--json"]).succeeds().json();
    assert_eq!(listed[0]["url"], URL);
    assert_eq!(listed[0]["digests"][0], digest);
    assert_eq!((&listed[0]["owner"], &listed[0]["expires"]), (&"web".into(), &"2999-12-31".into()));
    desk.pinfold(&["pin", "list"]).succeeds().says(digest).says("pins.toml:3").says("2999-12-31");
}

#[test]
fn what_was_pinned_before_is_told_apart_from_what_is_new() {
    let origin = Origin::serving(REVIEWED);
    let desk = Desk::before(&origin);
    let change = |desk: &Desk| {
        desk.pinfold(&["pin", "add", URL, "--json"]).succeeds().json()[0]["change"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(change(&desk), "added");
    assert_eq!(change(&desk), "unchanged");
    origin.serves(TAMPERED);
    assert_eq!(change(&desk), "extended");
}

#[test]
fn a_dry_run_writes_nothing() {
    let origin = Origin::serving(REVIEWED);
    let desk = Desk::before(&origin);
    let done = desk.pinfold(&["pin", "add", URL, "--dry-run"]).succeeds().says("sha256-");
    assert!(done.stderr.contains("nothing was written"), "{done:?}");
    assert_eq!(desk.read("pins.toml"), "");
}

#[test]
fn if_one_url_cannot_be_had_none_is_pinned() {
    let origin = Origin::serving(REVIEWED);
    let desk = Desk::before(&origin);
    let unreachable = "http://127.0.0.1:1/app.js";
    let done = desk.pinfold(&["pin", "add", URL, unreachable]).fails(3, unreachable);
    assert!(done.stderr.contains("private"), "{done:?}");
    origin.answers("404 Not Found");
    desk.pinfold(&["pin", "add", URL]).fails(3, "the vendor answered 404").hints("200");
    origin.answers("302 Found");
    desk.pinfold(&["pin", "add", URL]).fails(3, "the vendor answered 302").hints("redirects");
    assert_eq!(desk.read("pins.toml"), "");
}

#[test]
fn what_could_be_two_things_is_for_a_person_to_decide() {
    let origin = Origin::serving(REVIEWED);
    let desk = Desk::before(&origin);
    let url = "http://cdn.vendor.test/install.sh";
    desk.pinfold(&["pin", "add", url]).fails(3, "script,installer").hints("--kind");
    desk.pinfold(&["pin", "add", url, "--kind", "installer"]).succeeds();
    assert_eq!(desk.pinfold(&["pin", "list", "--json"]).json()[0]["kind"], "installer");
}

#[test]
fn mistakes_are_found_before_anything_is_fetched() {
    let desk = Desk::with("");
    desk.pinfold(&["pin", "add", "https://cdn.vendor.test/*.js"]).fails(2, "a pattern cannot be fetched");
    desk.pinfold(&["pin", "add", "cdn.vendor.test/a.js"]).fails(2, "not an absolute URL");
    desk.pinfold(&["pin", "add", URL, "--expires", "2020-01-01"]).fails(2, "has passed");
    desk.pinfold(&["pin", "add", URL, "--kind", "sript"]).fails(2, "not a kind");
    if !std::path::Path::new("/etc/pinfold/pinfold.toml").exists() {
        Desk::empty().pinfold(&["pin", "add", URL]).fails(2, "no pinfold.toml here").hints("pinfold init");
    }
}

#[test]
fn a_pin_that_would_never_be_looked_at_is_warned_of() {
    let origin = Origin::serving(REVIEWED);
    let desk = Desk::with(&format!("[egress.resolve]\n\"cdn.vendor.test\" = \"{}\"\n", origin.0));
    let done = desk.pinfold(&["pin", "add", URL]).succeeds();
    assert!(done.stderr.contains("no vendor claims cdn.vendor.test"), "{done:?}");
}

#[test]
fn expired_pins_are_marked() {
    let desk = Desk::with("");
    desk.write(
        "pins.toml",
        "[[pin]]\nurl = \"https://cdn.vendor.test/**/a.js\"\nexpires = 2020-01-01\n\
         digests = [\"sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"]\n",
    );
    desk.pinfold(&["pin", "list"])
        .succeeds()
        .says("2020-01-01 expired")
        .says("https://cdn.vendor.test/**/a.js");
    assert_eq!(desk.pinfold(&["pin", "list", "--json"]).json()[0]["expired"], true);
    let none = Desk::with("").pinfold(&["pin", "list"]).succeeds();
    assert!(none.stderr.contains("no pins in pins.toml"), "{none:?}");
}
