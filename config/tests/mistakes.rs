//! Each mistake, the words for it, its place and what would be right.

#![expect(clippy::unwrap_used, reason = "a test's own functions may fail like the test")]

use std::fs;

use jiff::civil::{Date, date};
use pinfold_config::load;
use proptest::prelude::*;

const TODAY: Date = date(2026, 11, 23);
const DIGEST: &str = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
const VENDOR: &str = "[[vendor]]\nname = \"v\"\nhosts = [\"v.test\", \"*.v.test\"]\n";

/// The findings in a pinfold.toml and a pins.toml: `severity:line:column: message | hint`.
fn found(gateway: &str, pins: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("pinfold.toml"), gateway).unwrap();
    fs::write(dir.path().join("pins.toml"), pins).unwrap();
    let found: Vec<_> = match load(&dir.path().join("pinfold.toml"), TODAY) {
        Ok(loaded) => loaded.warnings,
        Err(found) => found.iter().cloned().collect(),
    };
    let line = |found: &pinfold_config::diagnostic::Diagnostic| {
        let at = found.at.map(|at| format!("{}:{}", at.line, at.column)).unwrap_or_default();
        let hint = found.hint.as_deref().map(|hint| format!(" | {hint}")).unwrap_or_default();
        let dir = format!("{}/", dir.path().display());
        format!("{}:{at}: {}{hint}", found.severity.as_str(), found.message).replace(&dir, "")
    };
    found.iter().map(line).collect()
}

/// Each text has exactly one mistake.
fn one_each(cases: &[(&str, &str)], found: impl Fn(&str) -> Vec<String>) {
    for (text, expected) in cases {
        assert_eq!(found(text), [*expected], "{text}");
    }
}

#[test]
fn syntax() {
    assert_eq!(
        found("mode = \nlisten = [1,,2]\n[limits\n", ""),
        [
            "error:1:8: string values must be quoted, expected literal string",
            "error:2:13: extra comma in array, expected value",
            "error:3:8: unclosed table, expected `]`",
        ]
    );
    one_each(&[("a = 1\na = 2\n", "error:2:1: duplicate key")], |text| found(text, ""));
    assert_eq!(
        found(
            "[limits]\nmax_ratio = [202_6-11-23, { a = 1e999 }]\nmax_connections = 0xffff_ffff_ffff_ffff",
            ""
        ),
        [
            "error:2:14: this is no number that TOML knows",
            "error:2:33: this is no number that TOML knows",
            "error:3:19: this is no number that TOML knows",
        ]
    );
}

#[test]
fn unknown_keys() {
    one_each(
        &[
            ("modes = \"enforce\"", "error:1:1: unknown key \"modes\" | did you mean 'mode'?"),
            (
                "[limits]\nmax-body = \"1MiB\"",
                "error:2:1: unknown key \"max-body\" in [limits] | did you mean 'max_body'?",
            ),
            (
                "[clients]\ngroups = \"staff\"",
                "error:2:1: unknown key \"groups\" in [clients] | known here: allow, users",
            ),
            (
                "[sensors]\nlisten = \"a\"",
                "error:1:2: unknown key \"sensors\" | known here: listen, data_dir, pins, mode, clients, certs, other_hosts, egress, upstream_tls, limits, cache, quarantine, ledger, review, canary, console, vendor, siem",
            ),
            ("[vendors]", "error:1:2: unknown key \"vendors\" | did you mean 'vendor'?"),
        ],
        |text| found(text, ""),
    );
}

#[test]
fn types() {
    one_each(
        &[
            ("mode = true", "error:1:8: mode is true, expected a string"),
            (
                "listen = \"127.0.0.1:1\"",
                "error:1:10: listen is \"127.0.0.1:1\", expected a list | write [\"127.0.0.1:1\"]",
            ),
            ("listen = [8080]", "error:1:11: listen is 8080, expected a string"),
            ("limits = 3", "error:1:10: limits is 3, expected a table"),
            ("[[limits]]", "error:1:1: [[limits]] is a list of tables, expected [limits]"),
            ("[vendor]\nname = \"v\"", "error:1:1: vendor is [vendor], expected [[vendor]]"),
            ("vendor = [1]", "error:1:11: vendor is 1, expected a table"),
            (
                "[certs]\nname_constraints = \"no\"",
                "error:2:20: name_constraints is \"no\", expected true or false",
            ),
        ],
        |text| found(text, ""),
    );
}

#[test]
fn words() {
    one_each(
        &[
            (
                "mode = \"enforced\"",
                "error:1:8: mode is \"enforced\", expected \"enforce\" or \"observe\" | did you mean \"enforce\"?",
            ),
            (
                "[other_hosts]\ntls = \"decrypt\"",
                "error:2:7: tls is \"decrypt\", expected \"tunnel\" or \"intercept\"",
            ),
            (
                "[other_hosts]\nscripts = \"blocked\"",
                "error:2:11: scripts is \"blocked\", expected \"allow\", \"observe\", \"block\" or \"quarantine\"",
            ),
            (
                "[[siem]]\nto = \"stdout:\"\nformat = \"leef\"",
                "error:3:10: format is \"leef\", expected \"ecs\", \"ocsf\" or \"cef\"",
            ),
            (
                "[[siem]]\nto = \"syslog://h:6514\"",
                "error:2:6: to is \"syslog://h:6514\", expected \"file:PATH\", \"stdout:\", \"syslog+tls://HOST:PORT\", \"syslog+tcp://…\", \"syslog+udp://…\", \"https://…\" or \"splunk+https://…\"",
            ),
            (
                "[[siem]]\nto = \"http://siem.example/\"",
                "error:2:6: to is \"http://siem.example/\", expected \"file:PATH\", \"stdout:\", \"syslog+tls://HOST:PORT\", \"syslog+tcp://…\", \"syslog+udp://…\", \"https://…\" or \"splunk+https://…\"",
            ),
            (
                "[[siem]]\nto = \"syslog+tls://siem.example\"",
                "error:2:6: to is \"syslog+tls://siem.example\", expected a host and a port and nothing behind them | write \"syslog+…://siem.example:6514\"",
            ),
            (
                "[[siem]]\nto = \"https://ada:secret@siem.example/\"",
                "error:2:6: to holds a user name or a password | put the token into a file of its own, and name it: token_file = \"siem.token\"",
            ),
            (
                "[[siem]]\nto = \"splunk+https://siem.example:8088\"",
                "error:2:6: an event collector takes nothing without a token | add token_file = \"hec.token\", with the token on its first line",
            ),
            (
                "[[siem]]\nto = \"syslog+tcp://siem.example:514\"\nca = \"ca.pem\"",
                "error:3:6: ca is for outputs that speak TLS, and this one does not | remove ca, or send to \"syslog+tls://…\"",
            ),
            (
                "[[siem]]\nto = \"syslog+tls://siem.example:6514\"\ntoken_file = \"t\"",
                "error:3:14: token_file is for \"https://…\" and \"splunk+https://…\" alone | remove token_file",
            ),
            (
                "[[siem]]\nto = \"https://siem.example/\"\nclient_cert = \"c.pem\"",
                "error:3:15: client_cert is of no use without client_key | add client_key, a PEM file",
            ),
            (
                "[[siem]]\nto = \"https://siem.example/\"\nformat = \"cef\"",
                "error:3:10: format is \"cef\", and what goes to \"https://…\" is JSON | use \"ecs\" or \"ocsf\", or send CEF by syslog",
            ),
            (
                "[[siem]]\nformat = \"ecs\"",
                "error:1:1: [[siem]] has no to | add to = \"file:pinfold-data/events.ndjson\"",
            ),
            (
                "[[siem]]\nto = \"stdout:\"\n[[siem]]\nto = \"stdout:\"",
                "error:4:6: another [[siem]] writes there already",
            ),
        ],
        |text| found(text, ""),
    );
}

#[test]
fn quantities() {
    one_each(
        &[
            (
                "[limits]\nmax_body = \"64MB\"",
                "error:2:12: max_body is \"64MB\", expected a size such as \"64KiB\", \"16MiB\" or \"2GiB\" | write \"64MiB\"",
            ),
            ("[limits]\nmax_body = 1024", "error:2:12: max_body is 1024, expected a size | write \"1024B\""),
            ("[limits]\nmax_body = \"0B\"", "error:2:12: max_body is 0: no artifact could pass"),
            (
                "[limits]\nheld_disk = \"1GiB\"",
                "error:2:13: held_disk is less than max_installer: the largest could never be held",
            ),
            (
                "[limits]\nmax_installer = \"9GiB\"",
                "error:2:17: held_disk is less than max_installer: the largest could never be held",
            ),
            (
                "[limits]\nheld_memory = \"1MiB\"",
                "warning:2:15: held_memory is little: bodies whose coding has a large window are held one at a time | \"96MiB\" is enough for one of each vendor",
            ),
            (
                "[limits]\nidle_timeout = \"1 min\"",
                "error:2:16: idle_timeout is \"1 min\", expected a duration such as \"90s\", \"15m\", \"12h\" or \"7d\" | write \"1m\"",
            ),
            (
                "[limits]\nheader_timeout = 10",
                "error:2:18: header_timeout is 10, expected a duration | write \"10s\"",
            ),
            (
                "[limits]\nupstream_timeout = \"0s\"",
                "error:2:20: upstream_timeout is 0: nothing could be in time",
            ),
            (
                "[ledger]\nretention = \"30d\"",
                "error:2:13: retention is shorter than a month, and the ledger is dropped by months | write retention = \"31d\", or longer",
            ),
            ("[review]\napprovers = 0", "error:2:13: approvers is 0, expected 1 to 100"),
            (
                "[canary]\nevery = \"never\"",
                "error:2:9: every is \"never\", expected \"off\" or a duration such as \"7d\"",
            ),
            (
                "[canary]\nevery = \"0s\"",
                "error:2:9: every is \"0s\", expected \"1s\" or more | \"off\" turns the canary off",
            ),
            (
                "[console]\nlisten = \"127.0.0.1:8080\"",
                "error:2:10: 127.0.0.1:8080 is the proxy's own address",
            ),
            (
                "[console]\nlisten = \"0.0.0.0:8081\"",
                "warning:2:10: 0.0.0.0:8081 is not loopback: whoever reaches it can read health and metrics | nobody can sign in there: passwords would cross the network in clear text; see console.tls",
            ),
            (
                "[console]\nlisten = \"0.0.0.0:8081\"\ntls = \"local-ca\"",
                "warning:2:10: 0.0.0.0:8081 is not loopback: whoever reaches it can read health and metrics | a firewall can keep it to those who review and watch",
            ),
            (
                "[console]\ntls = \"local-ca\"",
                "error:2:7: tls is of no use where there is no console | add listen = \"127.0.0.1:8081\"",
            ),
            (
                "[console]\nlisten = \"127.0.0.1:8081\"\ncertificate = \"a.pem\"",
                "error:3:15: TLS from files takes a key too, and there is none | add key, a PEM file",
            ),
            (
                "[console]\nlisten = \"127.0.0.1:8081\"\ntls = \"local-ca\"\nkey = \"a.key\"",
                "error:4:7: key is for tls = \"files\", and tls says another thing | remove key, or tls",
            ),
            (
                "[console]\nlisten = \"127.0.0.1:8081\"\nnames = [\"https://a.test\"]",
                "error:3:10: \"https://a.test\" is not a name that a browser could ask for | expected a host without scheme and port: \"pinfold.corp.example\"",
            ),
            (
                "[console]\nlisten = \"127.0.0.1:8081\"\n[console.oidc]\nissuer = \"http://login.test\"\nclient_id = \"a\"\nclient_secret_file = \"s\"\nviewers = [\"v\"]",
                "error:4:10: issuer is not asked by https: \"http://login.test\" | expected what the provider's metadata have as 'issuer': \"https://login.corp.example/realms/main\"",
            ),
            (
                "[console]\nlisten = \"127.0.0.1:8081\"\n[console.oidc]\nissuer = \"https://login.test\"\nclient_id = \"a\"\nclient_secret_file = \"s\"",
                "error:3:1: nobody would get a role: none of viewers, reviewers, admins is there | name values of the claim 'groups': reviewers = [\"web-platform\"]",
            ),
            ("[limits]\nmax_ratio = 0", "error:2:13: max_ratio is 0, expected 1 to 1000000"),
            ("[limits]\nmax_connections = -1", "error:2:19: max_connections is -1, expected 1 to 10000000"),
            (
                "[certs]\nleaf_lifetime = \"400d\"",
                "error:2:17: leaf_lifetime is out of range, expected more than nothing and at most \"398d\" | clients refuse leaves that live longer; a short life costs nothing, pinfold makes them itself",
            ),
            (
                "[quarantine]\nmax = \"1MiB\"",
                "warning:2:7: max is less than limits.max_body: an artifact may not fit",
            ),
        ],
        |text| found(text, ""),
    );
}

#[test]
fn addresses() {
    one_each(
        &[
            (
                "listen = []",
                "error:1:10: listen is empty: nobody could reach the proxy | write listen = [\"127.0.0.1:8080\"]",
            ),
            (
                "listen = [\"localhost:8080\"]",
                "error:1:11: \"localhost:8080\" is not an address and a port | write \"127.0.0.1:8080\"",
            ),
            (
                "listen = [\"127.0.0.1\"]",
                "error:1:11: \"127.0.0.1\" is not an address and a port | write \"127.0.0.1:8080\"",
            ),
            ("listen = [\"[::1]:1\", \"[::1]:1\"]", "error:1:22: [::1]:1 is listed twice"),
            (
                "listen = [\"0.0.0.0:8080\"]",
                "error:1:11: 0.0.0.0:8080 is not loopback, and nothing says who may use the proxy | add [clients] with allow = [\"10.0.0.0/8\"], naming your users' networks",
            ),
            (
                "[clients]\nallow = []",
                "error:2:9: allow is empty: nobody could use the proxy | name your users' networks, or leave allow out for this machine alone",
            ),
            (
                "[clients]\nallow = [\"0.0.0.0/0\"]",
                "warning:2:10: 0.0.0.0/0 lets every address use the proxy | name your users' networks instead",
            ),
            (
                "[clients]\nallow = [\"10.0.0.5\"]",
                "error:2:10: \"10.0.0.5\" is not a network | write \"10.0.0.5/32\"",
            ),
            (
                "[clients]\nallow = [\"10.0.0.5/8\"]",
                "error:2:10: \"10.0.0.5/8\" is not a network | write \"10.0.0.0/8\"",
            ),
            (
                "[egress]\nallow_private = [\"10/8\"]",
                "error:2:18: \"10/8\" is not a network | expected an address and a prefix length: \"10.0.0.0/8\", \"fd00::/8\"",
            ),
            ("[egress]\nconnect_ports = [0]", "error:2:18: connect_ports is 0, expected 1 to 65535"),
            ("[egress]\nhttp_ports = [65536]", "error:2:15: http_ports is 65536, expected 1 to 65535"),
            (
                "[egress.resolve]\n\"a.test\" = \"127.0.0.1\"",
                "error:2:12: \"127.0.0.1\" is not an address and a port | write \"127.0.0.1:443\"",
            ),
            (
                "[egress.resolve]\n\"a.test\" = \"127.0.0.1:0\"",
                "error:2:12: the port is 0, expected 1 to 65535",
            ),
            (
                "[egress.resolve]\n\"*.a.test\" = \"127.0.0.1:1\"",
                "error:2:1: \"*.a.test\" has a star, expected a host | name each host: addresses are fixed for one host at a time",
            ),
            (
                "[egress.resolve]\n\"a.test:443\" = \"127.0.0.1:1\"",
                "error:2:1: \"a.test:443\": not a host name or address | expected a host without scheme and port",
            ),
            (
                "[egress.resolve]\na.test = \"127.0.0.1:1\"",
                "error:2:1: \"a\" is a table, expected a host | a host stands in quotes: \"cdn.example.com\" = \"127.0.0.1:9443\"",
            ),
            (
                "[egress.resolve]\n\"a.test\" = \"127.0.0.1:1\"\n\"A.test.\" = \"127.0.0.1:2\"",
                "error:3:1: a.test is listed twice",
            ),
            (
                "[upstream_tls]\nextra_roots = [\"none.pem\"]",
                "error:2:16: none.pem cannot be read: no such file or directory | expected a PEM file with certificates",
            ),
        ],
        |text| found(text, ""),
    );
}

#[test]
fn interception_of_all_hosts_needs_an_unconstrained_issuer() {
    let message = "error:2:7: tls = \"intercept\" needs an issuing CA that may sign for every host | set certs.name_constraints = false, or other_hosts.tls = \"tunnel\"";
    one_each(
        &[
            ("[other_hosts]\ntls = \"intercept\"", message),
            ("[other_hosts]\ntls = \"intercept\"\n[certs]\nname_constraints = true", message),
        ],
        |text| found(text, ""),
    );
    assert!(found("[other_hosts]\ntls = \"intercept\"\n[certs]\nname_constraints = false", "").is_empty());
}

#[test]
fn vendors() {
    let name = |line: &str| format!("[[vendor]]\nhosts = [\"v.test\"]\n{line}");
    let hosts = |line: &str| format!("[[vendor]]\nname = \"v\"\n{line}");
    for (text, expected) in [
        (name(""), "error:1:1: [[vendor]] has no name | add name = \"comm100\""),
        (
            name("name = \"a b\""),
            "error:3:8: name is \"a b\", expected up to 64 letters, digits, '-', '_' and '.'",
        ),
        (
            hosts(""),
            "error:1:1: [[vendor]] has no hosts | add hosts = [\"cdn.example.com\", \"*.cdn.example.com\"]",
        ),
        (hosts("hosts = []"), "error:3:9: hosts is empty: the vendor claims nothing"),
        (
            hosts("hosts = [\"https://v.test/a\"]"),
            "error:3:10: \"https://v.test/a\": not a host name or address | write \"v.test\": a host has neither scheme, port nor path",
        ),
        (
            hosts("hosts = [\"v.*.test\"]"),
            "error:3:10: \"v.*.test\": not a host name or address | expected \"cdn.example.com\", or \"*.example.com\" for all names below",
        ),
        (
            hosts("hosts = [\"*.com\"]"),
            "warning:3:10: *.com claims a whole top-level domain | name the vendor's own domains",
        ),
        (hosts("hosts = [\"v.test\", \"V.test.\"]"), "warning:3:20: v.test is listed twice"),
        (
            hosts("hosts = [\"v.test\"]\nguard = [\"scripts\"]"),
            "error:4:10: the kind is \"scripts\", expected \"script\", \"wasm\", \"style\", \"document\" or \"installer\" | did you mean \"script\"?",
        ),
        (
            hosts("hosts = [\"v.test\"]\nunpinned = \"lern\""),
            "error:4:12: unpinned is \"lern\", expected \"block\", \"quarantine\", \"learn\" or \"allow\" | did you mean \"learn\"?",
        ),
        (
            hosts("hosts = [\"v.test\"]\n") + &hosts("hosts = [\"w.test\"]"),
            "error:5:8: vendor \"v\" stands in line 2 already | join the two blocks, or rename one",
        ),
        (
            hosts("hosts = [\"v.test\"]\n[[vendor]]\nname = \"w\"\nhosts = [\"V.TEST\"]"),
            "error:6:10: v.test belongs to vendor \"v\" (line 3) | a host has one vendor: remove it from one",
        ),
    ] {
        assert_eq!(found(&text, ""), [expected], "{text}");
    }
}

#[test]
fn rechecks_and_cooldown() {
    for (text, expected) in [
        (
            "recheck = \"500ms\"",
            "error:4:11: recheck is \"500ms\", expected \"1s\" or more | \"always\" asks the vendor on every request",
        ),
        (
            "recheck = \"0s\"",
            "error:4:11: recheck is \"0s\", expected \"1s\" or more | \"always\" asks the vendor on every request",
        ),
        (
            "recheck = \"15\"",
            "error:4:11: recheck is \"15\", expected a duration such as \"90s\", \"15m\", \"12h\" or \"7d\" | write \"15s\"",
        ),
        (
            "recheck = \"never\"",
            "error:4:11: recheck is \"never\", expected \"always\" or a duration such as \"7d\"",
        ),
        (
            "cooldown = \"on\"",
            "error:4:12: cooldown is \"on\", expected \"off\" or a duration such as \"7d\"",
        ),
        (
            "cooldown = \"0d\"",
            "error:4:12: cooldown is 0: whatever the vendor serves would be approved | write \"7d\", or \"off\" to leave it to reviewers",
        ),
        (
            "on_path_change = \"block\"",
            "error:4:18: on_path_change is \"block\", expected \"report\" or \"quarantine\"",
        ),
        (
            "cooldown = \"5h\"",
            "warning:4:12: in this time there are fewer than 24 rechecks | the rule waits for as many: write a longer cooldown, or a shorter recheck",
        ),
        (
            "cooldown = \"7d\"\nrecheck = \"always\"",
            "error:4:12: cooldown needs rechecks in the background, and recheck = \"always\" makes none | set recheck = \"15m\", or cooldown = \"off\"",
        ),
        (
            "cooldown = \"7d\"\non_mismatch = \"block\"",
            "error:4:12: cooldown approves what is in quarantine, and on_mismatch = \"block\" keeps nothing | set on_mismatch = \"quarantine\", or cooldown = \"off\"",
        ),
        (
            "cooldown = \"7d\"\n[review]\napprovers = 2",
            "error:4:12: cooldown approves by itself, and review.approvers wants 2 people to agree | set cooldown = \"off\", or approvers = 1: more than one excludes cooldown",
        ),
    ] {
        assert_eq!(found(&format!("{VENDOR}{text}"), ""), [expected], "{text}");
    }
    for text in [
        "recheck = \"always\"",
        "recheck = \"1s\"",
        "cooldown = \"off\"",
        "cooldown = \"6h\"",
        "on_path_change = \"quarantine\"",
    ] {
        assert_eq!(found(&format!("{VENDOR}{text}"), ""), [""; 0], "{text}");
    }
}

/// A pin at the vendor's host, with one thing changed.
fn pin(key: &str, value: &str) -> String {
    let mut keys = vec![
        ("url", "\"https://v.test/a.js\"".to_owned()),
        ("digests", format!("[\"{DIGEST}\"]")),
        ("owner", "\"o\"".to_owned()),
        ("reason", "\"r\"".to_owned()),
    ];
    keys.retain(|(name, _)| *name != key);
    let mut text = "[[pin]]\n".to_owned();
    if !value.is_empty() {
        text.push_str(&format!("{key} = {value}\n"));
    }
    text + &keys.iter().map(|(name, value)| format!("{name} = {value}\n")).collect::<String>()
}

#[test]
fn pins() {
    let fetch = "run 'pinfold pin add URL' to fetch and write it";
    let twice = format!("[\"{DIGEST}\", \"{DIGEST}\"]");
    for (key, value, expected) in [
        ("url", "", "error:1:1: [[pin]] has no url | add url = \"https://cdn.example.com/app.js\"".to_owned()),
        ("url", "\"v.test/a.js\"", "error:2:7: url \"v.test/a.js\": not an absolute URL | write \"https://v.test/a.js\"".to_owned()),
        ("url", "\"https://v.test/a**b\"", "error:2:7: url \"https://v.test/a**b\": '**' must be a whole path segment".to_owned()),
        ("url", "\"https://w.test/a.js\"", "warning:2:7: no vendor claims w.test and it is tunnelled: this pin is never looked at | add the host to a [[vendor]], or set other_hosts.tls = \"intercept\"".to_owned()),
        ("url", "\"https://v.test:444/*\"", "warning:2:7: port 444 is not in egress.connect_ports: this pin is never looked at".to_owned()),
        ("url", "\"http://v.test/a.js\"", "warning:2:7: the URL is fetched in clear text | anyone between here and the vendor can break it: pin the https URL if there is one".to_owned()),
        ("digests", "", "error:1:1: [[pin]] has no digests | add digests = [\"sha256-…\"]".to_owned()),
        ("digests", "[]", format!("error:2:11: digests is empty: nothing could be served | {fetch}")),
        ("digests", "[\"sha1-AAAA\"]", format!("error:2:12: SHA-1 digests can be forged, expected sha256, sha384 or sha512 | {fetch}")),
        ("digests", "[\"sha256-AAAA\"]", format!("error:2:12: digest is 3 bytes, expected 32 | {fetch}")),
        ("digests", &twice, "warning:2:67: the same digest is listed twice".to_owned()),
        ("kind", "\"javascript\"", "error:2:8: kind is \"javascript\", expected \"script\", \"wasm\", \"style\", \"document\" or \"installer\"".to_owned()),
        ("owner", "", "warning:1:1: [[pin]] has no owner | say who answers for it, and why it is allowed".to_owned()),
        ("reason", "\"\"", "warning:1:1: [[pin]] has no reason | say who answers for it, and why it is allowed".to_owned()),
        ("added", "\"2026-11-23\"", "error:2:9: added is \"2026-11-23\", expected a date such as 2027-05-23 | write it without quotes: 2026-11-23".to_owned()),
        ("expires", "2027-05-23T10:00:00Z", "error:2:11: expires is 2027-05-23T10:00:00Z, expected a date such as 2027-05-23 | write the day alone: 2027-05-23".to_owned()),
        ("expires", "2026-11-22", "warning:2:11: the pin expired on 2026-11-22 and refuses | review it, then set a later day or remove the pin".to_owned()),
        ("expires", "2026-11-23", "warning:2:11: the pin expires today | review it, then set a later day or remove the pin".to_owned()),
        ("expires", "2026-12-01", "warning:2:11: the pin expires in 8 days | review it, then set a later day or remove the pin".to_owned()),
        ("expires", "2027-02-01\nadded = 2027-03-01", "error:2:11: expires 2027-02-01 is before added 2027-03-01".to_owned()),
        ("exires", "2027-02-01", "error:2:1: unknown key \"exires\" in [[pin]] | did you mean 'expires'?".to_owned()),
    ] {
        assert_eq!(found(VENDOR, &pin(key, value)), [expected], "{key} = {value}");
    }
    assert_eq!(found(VENDOR, &pin("expires", "2026-12-23")), [""; 0]);
}

#[test]
fn pins_against_each_other() {
    let twice = pin("release", "\"1\"") + &pin("kind", "\"wasm\"");
    assert_eq!(
        found(VENDOR, &twice),
        [
            "error:8:8: the URL is pinned as wasm here and as script at pins.toml:1 | one URL has one kind: make them agree",
            "warning:10:12: this digest is pinned for the URL at pins.toml:1 already",
        ]
    );
    let revoked = format!("{}[[revoke]]\ndigest = \"{DIGEST}\"\nreason = \"r\"\n", pin("release", "\"1\""));
    assert_eq!(
        found(VENDOR, &revoked),
        [
            "warning:4:12: this digest is revoked at pins.toml:8 and will be refused | remove the one that is wrong"
        ]
    );
    let revoked =
        format!("[[revoke]]\ndigest = \"{DIGEST}\"\nreason = \"r\"\n[[revoke]]\ndigest = \"{DIGEST}\"\n");
    assert_eq!(
        found(VENDOR, &revoked),
        [
            "warning:4:1: [[revoke]] has no reason: nobody will know why | add reason = \"…\"",
            "warning:5:10: this digest is revoked at pins.toml:2 already",
        ]
    );
}

#[test]
fn pins_of_one_url_in_two_files_add_up() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = format!("pins = [\"a.toml\", \"sub/b.toml\"]\n{VENDOR}");
    fs::write(dir.path().join("pinfold.toml"), gateway).unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    fs::write(dir.path().join("a.toml"), pin("release", "\"1\"")).unwrap();
    let other = "[\"sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=\"]";
    fs::write(dir.path().join("sub/b.toml"), pin("digests", other)).unwrap();
    let loaded = load(&dir.path().join("pinfold.toml"), TODAY).unwrap();
    assert_eq!(loaded.warnings, []);
    let places: Vec<_> = loaded.config.rulebook.pins.all().iter().map(|pin| pin.place.to_string()).collect();
    assert_eq!(places, ["a.toml:1", "sub/b.toml:1"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(gateway in "\\PC{0,200}", pins in "\\PC{0,200}") {
        for line in found(&gateway, &pins) {
            prop_assert!(!line.is_empty());
        }
    }

    /// Known keys with values of any type and any text, which get further than noise does.
    #[test]
    fn no_value_makes_it_panic(
        keys in prop::collection::vec((prop::sample::select(KEYS.to_vec()), value()), 1..8),
        pins in prop::collection::vec((prop::sample::select(PIN_KEYS.to_vec()), value()), 1..6),
    ) {
        let gateway: String = keys.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        let pins: String = pins.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        found(&gateway, &format!("[[pin]]\n{pins}"));
        found(&format!("[[vendor]]\n{gateway}"), &format!("[[revoke]]\n{pins}"));
    }
}

const KEYS: [&str; 20] = [
    "listen",
    "pins",
    "mode",
    "clients.allow",
    "egress.connect_ports",
    "egress.resolve",
    "limits.max_body",
    "limits.max_installer",
    "limits.memory_body",
    "limits.held_memory",
    "limits.held_disk",
    "limits.max_hold",
    "limits.patience",
    "limits.idle_timeout",
    "certs",
    "vendor",
    "siem",
    "name",
    "hosts",
    "guard",
];
const PIN_KEYS: [&str; 7] = ["url", "digests", "kind", "added", "expires", "digest", "reason"];

fn value() -> impl Strategy<Value = String> {
    let text = "[^\\p{Cc}\"\\\\]{0,40}".prop_map(|text| format!("\"{text}\""));
    let leaf = prop_oneof![
        text,
        any::<i64>().prop_map(|number| number.to_string()),
        prop::sample::select(vec![
            "true",
            "1.5",
            "2027-05-23",
            "10:00:00",
            "\"7d\"",
            "\"1.2.3.4:0\"",
            "\"*.\""
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            inner.prop_map(|value| format!("{{ hosts = {value} }}")),
        ]
    })
}

proptest! {
    /// The other reading is the one that makes values of all that is there, as edits do to see what they have changed.
    #[test]
    fn a_number_is_read_by_one_reading_where_it_is_by_the_other(written in "[-+]?(0[xob])?[0-9a-f_]{1,18}([.][0-9_]{1,3})?([eE][-+]?[0-9_]{1,4})?([-:][0-9]{2}){0,2}|[-+]?(inf|nan|INF|infinity)|[0-9]{19,21}") {
        let text = format!("[limits]\nmax_ratio = {{ a = [{written}] }}\n");
        let found = found(&text, "");
        let is_toml = text.parse::<toml::Table>().is_ok();
        prop_assert_eq!(is_toml, found == ["error:2:13: max_ratio is a table, expected an integer"], "{:?}", found);
    }
}
