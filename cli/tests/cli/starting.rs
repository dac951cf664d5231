//! The command line, and `pinfold init`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::desk::Desk;

#[test]
fn what_init_writes_is_right_and_stays() {
    let desk = Desk::empty();

    let told = desk.pinfold(&["init"]).succeeds();
    let told = told.says("pinfold-data/ca/root.pem").says("update-ca-certificates").says("certutil");
    assert!(!told.stdout.contains('\u{1b}'), "{told:?}");
    desk.pinfold(&["check", "--strict"]).succeeds().says("pinfold.toml: ok");

    let key = fs::metadata(desk.path().join("pinfold-data/ca/root.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    let root = desk.read("pinfold-data/ca/root.pem");
    desk.pinfold(&["init"]).fails(2, "pinfold.toml: exists already").hints("pinfold check");
    assert_eq!(desk.read("pinfold-data/ca/root.pem"), root);
}

#[test]
fn init_writes_nothing_over_a_file_that_was_there_alone() {
    let desk = Desk::empty();
    desk.write("pins.toml", "# mine\n");
    desk.pinfold(&["init"]).fails(2, "pins.toml: exists already");
    assert_eq!(desk.read("pins.toml"), "# mine\n");
    assert!(!desk.path().join("pinfold.toml").exists());
    assert!(!desk.path().join("pinfold-data").exists());
}

#[test]
fn init_makes_the_directory_that_it_is_given() {
    let desk = Desk::empty();
    let told = desk.pinfold(&["init", "new/gateway", "--json"]).succeeds().json();
    assert_eq!(told["pinfold.toml"], "new/gateway/pinfold.toml");
    assert_eq!(told["ca"], "new/gateway/pinfold-data/ca/root.pem");
    assert_eq!(told["ca_sha256"].as_str().unwrap().len(), 64);
    assert!(desk.path().join("new/gateway/pinfold-data/ca/issuer.pem").exists());
    desk.pinfold(&["--config", "new/gateway/pinfold.toml", "check"]).succeeds();
}

#[test]
fn init_where_a_file_is_in_the_way_says_so() {
    let desk = Desk::empty();
    desk.write("taken", "");
    desk.pinfold(&["init", "taken"]).fails(3, "taken: cannot be created: file exists");
}

#[test]
fn a_command_line_that_is_not_understood_exits_with_2() {
    let desk = Desk::empty();
    desk.pinfold(&["frobnicate"]).fails(2, "'frobnicate'");
    desk.pinfold(&["check", "--fast"]).fails(2, "'--fast'");
    desk.pinfold(&["pin", "add"]).fails(2, "<URL>");
    desk.pinfold(&["init", "--config", "x.toml"])
        .fails(2, "init takes a directory")
        .hints("pinfold init DIR");
    assert_eq!(desk.pinfold(&[]).code, Some(2));
}

#[test]
fn help_and_version_are_results() {
    let desk = Desk::empty();
    desk.pinfold(&["--help"]).succeeds().says("quarantine");
    desk.pinfold(&["quarantine", "approve", "--help"]).succeeds().says("--reason");
    desk.pinfold(&["--version"]).succeeds().says(env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let desk = Desk::empty();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = desk.command(&["--help"]);
    let output = command.stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
}
