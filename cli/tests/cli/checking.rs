//! `pinfold check`, and where the configuration is looked for.

use crate::desk::Desk;

const THREE_MISTAKES: &str =
    "moode = \"enforce\"\nlisten = [\"nowhere\"]\n[limits]\nmax_body = \"12 parsecs\"\n";

#[test]
fn every_mistake_is_named_at_once() {
    let desk = Desk::with(THREE_MISTAKES);
    for command in [&["check"][..], &["run"], &["pin", "list"], &["quarantine", "list"]] {
        let done = desk.pinfold(command).fails(2, "pinfold.toml:1:1: ");
        for mistake in ["pinfold.toml:2:11: ", "pinfold.toml:4:12: ", "hint: did you mean 'mode'?"] {
            assert!(done.stderr.contains(mistake), "no '{mistake}' in {done:?}");
        }
    }
}

#[test]
fn findings_are_data_with_json() {
    let desk = Desk::with(THREE_MISTAKES);
    let done = desk.pinfold(&["check", "--json"]);
    assert_eq!(done.code, Some(2), "{done:?}");
    let lines: Vec<_> = done.json().as_array().unwrap().iter().map(|found| found["line"].clone()).collect();
    assert_eq!(lines, [1, 2, 4]);
    assert_eq!(done.json()[0]["severity"], "error");

    let desk = Desk::with("");
    assert_eq!(desk.pinfold(&["check", "--json"]).succeeds().stdout, "[]\n");
}

#[test]
fn warnings_fail_only_where_they_shall() {
    let desk = Desk::with("[[vendor]]\nname = \"acme\"\nhosts = [\"cdn.vendor.test\"]\n");
    desk.write(
        "pins.toml",
        "[[pin]]\nurl = \"https://cdn.vendor.test/a.js\"\nowner = \"a\"\nreason = \"b\"\nexpires = 2020-01-01\n\
         digests = [\"sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"]\n",
    );
    let done =
        desk.pinfold(&["check"]).succeeds().says("usable, with 1 warning").says("1 pin and 0 revocations");
    assert!(done.stderr.contains("pins.toml:5:11: "), "{done:?}");
    assert_eq!(desk.pinfold(&["check", "--strict"]).code, Some(1));
}

#[test]
fn a_file_of_roots_without_a_root_is_a_mistake() {
    for (text, because) in [
        ("nothing", "no certificate in it"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", "has no end"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
        ("-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n", "not base64"),
    ] {
        let desk = Desk::with("[upstream_tls]\nextra_roots = [\"roots.pem\"]\n");
        desk.write("roots.pem", text);
        desk.pinfold(&["check"]).fails(2, because).hints("extra_roots");
        desk.pinfold(&["run"]).fails(2, because);
        let done = desk.pinfold(&["check", "--json"]);
        assert!(done.json()[0]["message"].as_str().unwrap().contains(because), "{done:?}");
    }
}

#[test]
fn the_configuration_is_the_one_that_is_named_first() {
    let desk = Desk::with("");
    desk.write("other.toml", "");
    desk.pinfold(&["check", "--config", "other.toml"]).succeeds().says("other.toml: ok");
    let from_environment = desk.command(&["check"]).env("PINFOLD_CONFIG", "other.toml").output().unwrap();
    assert!(from_environment.stdout.starts_with(b"other.toml: ok"), "{from_environment:?}");
    desk.pinfold(&["check", "--config", "gone.toml"]).fails(2, "gone.toml: cannot be read").hints("init");
}

#[test]
fn the_built_in_configuration_is_right() {
    let desk = Desk::empty();
    // Not the one of the machine, should there be one.
    if !std::path::Path::new("/etc/pinfold/pinfold.toml").exists() {
        desk.pinfold(&["check", "--strict"])
            .succeeds()
            .says("built-in pinfold.toml: ok")
            .says("observed only");
    }
}

#[test]
fn a_replay_says_that_nothing_is_known_before_there_is_a_ledger_and_names_mistakes_like_check() {
    let desk = Desk::with("");
    let done = desk.pinfold(&["replay"]).succeeds();
    done.says("what the files would refuse is not known").says("the ledger has no entry yet");
    let json = desk.pinfold(&["replay", "--json", "--since", "7d"]).succeeds().json();
    assert_eq!((&json["judged"], &json["coverage"]["recorded_since"]), (&0.into(), &serde_json::Value::Null));

    desk.pinfold(&["replay", "--since", "soon"]).fails(2, "which is no time");
    Desk::with(THREE_MISTAKES).pinfold(&["replay"]).fails(2, "pinfold.toml:1:1: ");
}
