//! `pinfold run`: how it starts, how it fails to, and how it ends.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;

use crate::desk::{Desk, Gateway, Origin, REVIEWED, URL};

const ANY_PORT: &str = "listen = [\"127.0.0.1:0\"]\n";

#[test]
fn it_says_when_and_where_it_is_ready_and_how_to_trust_it_once() {
    let desk = Desk::with("listen = [\"127.0.0.1:0\", \"127.0.0.2:0\"]\n");

    let mut gateway = desk.run();
    let root = desk.path().canonicalize().unwrap().join("pinfold-data/ca/root.pem");
    let expected = format!("pinfold ready proxy={},", gateway.proxy);
    assert!(gateway.ready.starts_with(&expected), "{}", gateway.ready);
    assert!(gateway.ready.ends_with(&format!(" console=none ca={}\n", root.display())), "{}", gateway.ready);
    gateway.logs("first run");
    gateway.signal(Signal::TERM);
    let ended = gateway.ended().succeeds();
    assert!(ended.stderr.contains("--cacert") && ended.stderr.contains("stopped"), "{ended:?}");
    assert_eq!(ended.stdout, "");

    let mut again = desk.run();
    // A terminal that closes hangs up, and ends nothing by that.
    again.signal(Signal::HUP);
    again.logs("changed files are in force");
    again.signal(Signal::INT);
    let ended = again.ended().succeeds();
    assert!(!ended.stderr.contains("first run") && ended.stderr.contains("stopped"), "{ended:?}");
}

#[test]
fn a_configuration_that_came_through_a_pipe_is_not_read_again() {
    let origin = Origin::serving(REVIEWED);
    let desk = Desk::before(&origin);
    let (config, mut piped) = std::io::pipe().unwrap();
    let data = desk.path().join("pinfold-data");
    write!(piped, "data_dir = {:?}\n{}", data, desk.read("pinfold.toml")).unwrap();
    drop(piped);
    let mut command = desk.command(&["--config", "/dev/stdin", "run"]);
    command.stdin(config);
    let mut gateway = Gateway::start(command);

    gateway.signal(Signal::HUP);

    gateway.logs("the configuration came through a pipe and is gone; hint: restart");
    let answer = gateway.get(URL, "");
    assert!(answer.contains("vendor=\"acme\""), "{answer}");
}

#[test]
fn standard_output_carries_events_and_nothing_else() {
    let origin = Origin::serving(REVIEWED);
    let desk = Desk::before(&origin);
    let config = desk.read("pinfold.toml");
    desk.write("pinfold.toml", &format!("{config}[[siem]]\nformat = \"ecs\"\nto = \"stdout:\"\n"));

    let gateway = desk.run();
    let answer = gateway.get(URL, "");
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    gateway.signal(Signal::TERM);

    let ended = gateway.ended().succeeds();
    let lines: Vec<serde_json::Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut actions: Vec<_> = lines.iter().map(|line| line["event"]["action"].as_str().unwrap()).collect();
    actions.sort_unstable();
    let all = [
        "artifact-quarantined",
        "digest-quarantined",
        "gateway-started",
        "gateway-stopped",
        "issuer-changed",
        "root-changed",
    ];
    assert_eq!(actions, all, "{ended:?}");
}

#[test]
fn a_second_signal_ends_what_the_first_one_waits_for() {
    let host = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = host.local_addr().unwrap().port();
    let desk = Desk::with(&format!(
        "{ANY_PORT}[egress]\nconnect_ports = [{port}]\nallow_private = [\"127.0.0.0/8\"]\n"
    ));
    let mut gateway = desk.run();
    let mut tunnel = TcpStream::connect(gateway.proxy).unwrap();
    write!(tunnel, "CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n").unwrap();
    let mut status = [0; 12];
    tunnel.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");

    gateway.signal(Signal::TERM);
    gateway.logs("SIGTERM: finishing");
    gateway.signal(Signal::TERM);

    gateway.ended().fails(3, "SIGTERM: ended before");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let desk = Desk::with(&format!("listen = [\"{address}\"]\n"));
    desk.pinfold(&["run"])
        .fails(3, &format!("cannot listen on {address}: address already in use"))
        .hints("listen");
}

#[test]
fn one_data_directory_has_one_gateway() {
    let desk = Desk::with(ANY_PORT);
    let gateway = desk.run();
    desk.pinfold(&["run"]).fails(3, "pinfold-data is in use by another gateway").hints("data_dir");
    drop(gateway);
    desk.run();
}

#[test]
fn a_key_that_others_may_read_is_not_used() {
    let desk = Desk::with(ANY_PORT);
    drop(desk.run());
    let key = desk.path().join("pinfold-data/ca/root.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    desk.pinfold(&["run"]).fails(3, "root.key: others may read this private key").hints("chmod 600");
}

#[test]
fn a_data_directory_that_cannot_be_made_is_named() {
    let desk = Desk::with(&format!("{ANY_PORT}data_dir = \"file/data\"\n"));
    desk.write("file", "");
    desk.pinfold(&["run"]).fails(3, "file: is not a directory").hints("data_dir");
}

#[test]
fn a_log_level_that_is_none_is_a_mistake() {
    let desk = Desk::with(ANY_PORT);
    let output = desk.command(&["run"]).env("PINFOLD_LOG", "a=b=c").output().unwrap();
    crate::desk::Done::from(output).fails(2, "$PINFOLD_LOG is not understood").hints("debug");
}

#[test]
fn a_log_in_json_is_one_object_on_each_line_from_the_first_run_on() {
    let desk = Desk::with(ANY_PORT);
    let mut command = desk.command(&["run"]);
    command.env("PINFOLD_LOG_FORMAT", "json");
    let gateway = Gateway::start(command);
    gateway.signal(Signal::TERM);
    let ended = gateway.ended().succeeds();
    let lines: Vec<serde_json::Value> =
        ended.stderr.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(lines.iter().all(|line| line["timestamp"].is_string() && line["level"].is_string()), "{lines:?}");
    let last = lines.last().unwrap();
    assert_eq!((&last["level"], &last["message"]), (&"INFO".into(), &"stopped".into()));
}

#[test]
fn a_log_format_that_is_none_is_a_mistake() {
    let desk = Desk::with(ANY_PORT);
    let output = desk.command(&["run"]).env("PINFOLD_LOG_FORMAT", "xml").output().unwrap();
    crate::desk::Done::from(output).fails(2, "$PINFOLD_LOG_FORMAT is not understood").hints("json");
}
