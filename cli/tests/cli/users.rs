//! Users: written without showing a password, listed without showing a hash.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use crate::desk::{Desk, Done};

/// Runs `pinfold user add` with this standard input.
fn add(desk: &Desk, args: &[&str], input: &str) -> Done {
    let args: Vec<_> = ["user", "add"].iter().chain(args).copied().collect();
    let mut command = desk.command(&args);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Done::from(child.wait_with_output().unwrap())
}

fn with_users() -> Desk {
    Desk::with("[clients]\nusers = \"users.toml\"\n")
}

#[test]
fn a_user_is_added_listed_and_given_another_password() {
    let desk = with_users();
    add(&desk, &["ada"], "correct horse\n").succeeds().says("added ada in users.toml");
    let first = desk.read("users.toml");
    assert!(first.contains("password = \"$argon2id$v=19$") && !first.contains("horse"), "{first}");
    let mode = desk.path().join("users.toml").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    add(&desk, &["eve", "--role", "viewer", "--role", "reviewer"], "battery staple").succeeds();
    add(&desk, &["ada"], "another one\r\n").succeeds().says("changed ada");
    assert_ne!(desk.read("users.toml"), first);
    let listed = desk.pinfold(&["user", "list"]).succeeds();
    assert!(
        listed.stdout.contains("ada   proxy") && listed.stdout.contains("eve   viewer, reviewer"),
        "{listed:?}"
    );
    let json = desk.pinfold(&["user", "list", "--json"]).succeeds().json();
    assert_eq!(json[1]["roles"], serde_json::json!(["viewer", "reviewer"]));
    assert!(!listed.stdout.contains("argon2") && !json.to_string().contains("argon2"));
    desk.pinfold(&["check", "--strict"]).succeeds();
}

#[test]
fn a_user_needs_a_file_a_name_and_a_password() {
    add(&Desk::with(""), &["ada"], "correct horse\n").fails(2, "names no users file").hints("[clients]");
    let desk = with_users();
    desk.pinfold(&["check"]).fails(2, "users.toml cannot be read");
    add(&desk, &["ada"], "\n").fails(2, "the password is empty");
    add(&desk, &["ada"], "a\u{7}b correct horse\n").fails(2, "control character");
    assert_eq!(add(&desk, &["a:b"], "correct horse\n").code, Some(2));
    assert!(!desk.path().join("users.toml").exists());
}

#[test]
fn a_token_is_shown_once_and_listed_and_removed_without_its_secret() {
    let desk = Desk::with("[console]\nlisten = \"127.0.0.1:0\"\nusers = \"reviewers.toml\"\n");
    desk.pinfold(&["token", "add", "ada", "--name", "ci"]).fails(2, "no user of the console is called ada");
    add(&desk, &["ada", "--role", "reviewer"], "correct horse\n").succeeds();
    let args = |name, role| ["token", "add", "ada", "--name", name, "--role", role];
    desk.pinfold(&args("ci", "admin")).fails(2, "may not do what the role admin may");
    desk.pinfold(&args("ci", "proxy")).fails(2, "not the proxy");

    let secret = desk.pinfold(&args("ci", "reviewer")).succeeds().stdout.trim().to_owned();
    assert!(secret.starts_with("pinfold_"), "{secret}");
    desk.pinfold(&args("ci", "viewer")).fails(2, "there is a token ci already");
    desk.pinfold(&["token", "add", "ada", "--name", "ever", "--expires", "never"]).succeeds();
    let file = desk.path().join("reviewers.toml");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let listed = desk.pinfold(&["token", "list"]).succeeds();
    assert!(listed.stdout.contains("in use") && listed.stdout.contains("never"), "{listed:?}");
    for text in [&desk.read("reviewers.toml"), &listed.stdout, &listed.stderr] {
        assert!(!text.contains(secret.trim_start_matches("pinfold_")), "{text}");
    }
    add(&desk, &["ada", "--role", "viewer"], "correct horse\n").succeeds();
    let json = desk.pinfold(&["token", "list", "--json"]).succeeds().json();
    assert_eq!((&json[0]["state"], &json[1]["state"]), (&"not its user's any more".into(), &"in use".into()));
    desk.pinfold(&["token", "remove", "ci"]).succeeds().says("removed ci");
    desk.pinfold(&["token", "remove", "ci"]).fails(3, "there is no token ci");
    desk.pinfold(&["check"]).succeeds();
}
