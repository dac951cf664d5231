//! Files as people write them: the examples and templates load, and a mistake is named where it stands.

#![expect(clippy::unwrap_used, reason = "a test's own functions may fail like the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use jiff::civil::{Date, date};
use pinfold_config::diagnostic::{Diagnostics, Severity};
use pinfold_config::settings::{Certs, Egress, Ledger, Limits, Quarantine};
use pinfold_config::{Loaded, built_in, load, template};
use pinfold_policy::vendor::{Mode, OtherTls, Unpinned};

const TODAY: Date = date(2026, 11, 23);

/// Of argon2id, at the costs of 'pinfold user add'.
const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$xaW9jW1nqBjBzztRIhRyK5oGq6/azN5UkLyxA9sPeBo";

/// A directory with a pinfold.toml and, unless it is `None`, a pins.toml.
struct Files(tempfile::TempDir);

impl Files {
    fn new(gateway: &str, pins: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("pinfold.toml"), gateway).unwrap();
        if let Some(pins) = pins {
            fs::write(dir.path().join("pins.toml"), pins).unwrap();
        }
        Self(dir)
    }

    /// Writes a file that is its owner's alone.
    fn private(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn load(&self) -> Result<Loaded, Diagnostics> {
        load(&self.0.path().join("pinfold.toml"), TODAY)
    }

    /// Every finding in one line, the directory left out.
    fn lines(&self) -> Vec<String> {
        let dir = format!("{}/", self.0.path().display());
        let found: Vec<_> = match self.load() {
            Ok(loaded) => loaded.warnings,
            Err(found) => found.iter().cloned().collect(),
        };
        found
            .iter()
            .map(|found| {
                let hint = found.hint.as_deref().map(|hint| format!(" | {hint}")).unwrap_or_default();
                format!("{found}{hint}").replace("pinfold: ", "").replace(&dir, "")
            })
            .collect()
    }
}

fn gateway_lines(text: &str) -> Vec<String> {
    Files::new(text, None).lines()
}

fn pins_lines(text: &str) -> Vec<String> {
    let vendor = "[[vendor]]\nname = \"v\"\nhosts = [\"v.test\", \"*.v.test\"]\n";
    Files::new(vendor, Some(text)).lines()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

#[test]
fn every_example_loads_without_a_warning() {
    let mut seen = 0;
    for example in fs::read_dir(repository().join("examples")).unwrap() {
        let file = example.unwrap().path().join("pinfold.toml");
        let loaded = load(&file, TODAY).unwrap_or_else(|found| panic!("{}", found.render(false)));
        assert_eq!(loaded.warnings, [], "{}", file.display());
        seen += 1;
    }
    assert!(seen >= 2);
}

#[test]
fn the_quickstart_refuses_nothing_and_needs_no_pins() {
    let text = include_str!("../../examples/quickstart/pinfold.toml");
    let config = built_in(text, Path::new("/nowhere"), TODAY).unwrap().config;
    assert_eq!(config.file, None);
    assert_eq!(config.data_dir, Path::new("/nowhere/pinfold-data"));
    assert!(config.listen.iter().all(|address| address.ip().is_loopback()));
    assert_eq!(config.rulebook.other_tls, OtherTls::Tunnel);
    let vendor = config.rulebook.vendors.of(&"cdn.jsdelivr.net".parse().unwrap()).unwrap();
    assert_eq!((vendor.rules.mode, vendor.rules.unpinned), (Mode::Observe, Unpinned::Learn));
}

#[test]
fn the_stand_in_digests_of_the_example_are_what_they_say() {
    let config = load(&repository().join("examples/comm100/pinfold.toml"), TODAY).unwrap().config;
    let texts = ["console.log(\"stand-in for the chat script\");\n", "stand-in for the agent installer\n"];
    for (pin, text) in config.rulebook.pins.all().iter().zip(texts) {
        let digests = pinfold_policy::digest::Digests::of(text.as_bytes());
        assert!(pin.digests.iter().all(|digest| digests.include(digest)), "{}", pin.place);
    }
    let replaced = pinfold_policy::digest::Digests::of(b"stand-in for the replaced installer\n");
    assert!(config.rulebook.revocations.include(&replaced));
}

#[test]
fn an_empty_file_has_the_documented_defaults() {
    let files = Files::new("", None);
    let config = files.load().unwrap().config;
    let dir = files.0.path();
    assert_eq!(config.file, Some(dir.join("pinfold.toml")));
    assert_eq!(config.listen, ["127.0.0.1:8080".parse().unwrap()]);
    assert_eq!(config.data_dir, dir.join("pinfold-data"));
    assert_eq!(config.pins_files, [dir.join("pins.toml")]);
    assert_eq!(config.mode, Mode::Enforce);
    assert_eq!(config.clients, ["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
    assert_eq!(config.certs, Certs::default());
    assert_eq!(config.egress, Egress::default());
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.quarantine, Quarantine::default());
    assert_eq!(config.cache.client_max_age.as_secs(), 600);
    assert!(config.siem.is_empty() && config.extra_roots.is_empty());
    assert!(config.users.is_none() && config.users_file.is_none());
}

/// The template's lines that begin with `#` and no space, as keys.
fn uncommented(template: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase() || matches!(c, '[' | '"')) => {
            key.to_owned()
        }
        Some(_) | None => line.to_owned(),
    };
    template.lines().map(|text| line(text) + "\n").collect()
}

#[test]
fn the_template_loads_and_changes_nothing() {
    let plain = Files::new("", None).load().unwrap();
    let template = Files::new(template::PINFOLD_TOML, Some(template::PINS_TOML)).load().unwrap();
    assert_eq!(template.warnings, []);
    assert_eq!(template.config.limits, plain.config.limits);
    assert!(template.config.rulebook.vendors.all().is_empty());
    assert!(template.config.rulebook.pins.all().is_empty());
}

#[test]
fn the_template_shows_every_key_with_its_default() {
    let files = Files::new(&uncommented(template::PINFOLD_TOML), None);
    fs::write(files.0.path().join("pins.toml"), "").unwrap();
    files.private(
        "users.toml",
        &format!("[[user]]\nname = \"a\"\npassword = \"{HASH}\"\nroles = [\"proxy\"]\n"),
    );
    let shown = files.load().unwrap_or_else(|found| panic!("{}", found.render(false))).config;
    assert_eq!(shown.listen, ["127.0.0.1:8080".parse().unwrap()]);
    assert_eq!(shown.mode, Mode::default());
    assert_eq!(shown.certs, Certs { root_key: shown.certs.root_key.clone(), ..Certs::default() });
    assert_eq!(shown.egress, Egress { resolve: shown.egress.resolve.clone(), ..Egress::default() });
    assert_eq!(shown.limits, Limits::default());
    assert_eq!(shown.quarantine, Quarantine::default());
    assert_eq!(shown.ledger.retention, Ledger::default().retention);
    assert_eq!(shown.approvers, 1);
    assert_eq!(shown.canary.unwrap().as_secs(), 60);
    assert_eq!(shown.console.unwrap().listen, "127.0.0.1:8081".parse().unwrap());
    assert_eq!(shown.cache.client_max_age.as_secs(), 600);
    assert_eq!(shown.rulebook.vendors.all()[0].rules, pinfold_policy::vendor::Rules::default());
    // One unknown key in each table: the answer lists the keys that table may have.
    let text = uncommented(template::PINFOLD_TOML);
    let probed: String = text
        .lines()
        .map(|line| format!("{line}{}\n", if line.starts_with('[') { "\nqqqqqqqq = 1" } else { "" }))
        .collect();
    let answers = Files::new(&format!("qqqqqqqq = 1\n{probed}"), None).lines();
    let lists: Vec<_> = answers.iter().filter_map(|line| line.split_once("known here: ")).collect();
    // All tables but [egress.resolve], whose keys are hosts.
    assert_eq!(lists.len(), 17, "{answers:#?}");
    for key in lists.iter().flat_map(|(_, keys)| keys.split(", ")) {
        let written = |line: &str| {
            line.starts_with(&format!("{key} ="))
                || line.contains(&format!("[{key}"))
                || line.contains(&format!(".{key}]"))
        };
        assert!(text.lines().any(written), "the template lacks {key}");
    }
}

#[test]
fn the_commented_pins_are_right_too() {
    let lines = pins_lines(&uncommented(template::PINS_TOML));
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("no vendor claims cdn.example.com"), "{lines:#?}");
}

#[test]
fn a_missing_file_says_how_to_get_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pinfold.toml");
    let found = load(&path, TODAY).unwrap_err();
    let missing = found.errors().next().unwrap();
    assert_eq!(missing.message, "cannot be read: no such file or directory");
    assert_eq!(missing.hint.as_deref(), Some("run 'pinfold init' to write one"));
    assert_eq!(missing.at, None);

    fs::create_dir(&path).unwrap();
    assert_eq!(
        load(&path, TODAY).unwrap_err().errors().next().unwrap().message,
        "cannot be read: is a directory"
    );
}

#[test]
fn bytes_that_are_not_utf8_are_pointed_at() {
    let files = Files::new("", None);
    let path = files.0.path().join("pinfold.toml");
    fs::write(&path, b"mode = \"enforce\"\n# caf\xe9\n").unwrap();
    assert_eq!(files.lines(), ["error: pinfold.toml:2:6: byte 0xe9 is not UTF-8 | save the file as UTF-8"]);
    fs::write(&path, b"\xff\xfem\0o\0").unwrap();
    assert_eq!(
        files.lines(),
        ["error: pinfold.toml:1:1: byte 0xff is not UTF-8 | the file is UTF-16: save it as UTF-8"]
    );
    fs::write(&path, "").unwrap();
    fs::write(files.0.path().join("pins.toml"), b"\xc3").unwrap();
    assert_eq!(files.lines(), ["error: pins.toml:1:1: byte 0xc3 is not UTF-8 | save the file as UTF-8"]);
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_change_no_position() {
    let text = "\u{feff}mode = \"observe\"\r\nlisten = 3\r\n";
    assert_eq!(gateway_lines(text), ["error: pinfold.toml:2:10: listen is 3, expected a list"]);
    let text = "\u{feff}mode = 3\r\n";
    assert_eq!(gateway_lines(text), ["error: pinfold.toml:1:8: mode is 3, expected a string"]);
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let files = Files::new("", None);
    let pins = fs::File::create(files.0.path().join("pins.toml")).unwrap();
    pins.set_len(1024 * 1024 * 1024 + 1).unwrap();
    assert_eq!(files.lines(), ["error: pins.toml: is larger than 1024 MiB"]);
    let gateway = fs::File::create(files.0.path().join("pinfold.toml")).unwrap();
    gateway.set_len(64 * 1024 * 1024 + 1).unwrap();
    assert_eq!(files.lines(), ["error: pinfold.toml: is larger than 64 MiB"]);
}

#[test]
fn a_pins_file_that_was_named_must_be_there() {
    let files = Files::new("pins = [\"pins.toml\", \"more.toml\", \"pins.toml\"]\n", Some(""));
    assert_eq!(
        files.lines(),
        [
            "error: pinfold.toml:1:22: more.toml cannot be read: no such file or directory | create it: an empty file has no pins",
            "error: pinfold.toml:1:35: \"pins.toml\" is listed twice",
        ]
    );
}

#[test]
fn a_long_list_of_mistakes_ends_somewhere() {
    let ports = "0, ".repeat(5000);
    let found = gateway_lines(&format!("[egress]\nconnect_ports = [{ports}]\n"));
    assert_eq!(found.len(), 1001);
    assert_eq!(found[1000], "error: pinfold.toml: 4000 more errors are not shown");
}

#[test]
fn a_finding_is_shown_with_its_line_and_a_hint() {
    let digest = "a".repeat(63);
    let files = Files::new(
        "",
        Some(&format!("[[pin]]\nurl = \"https://v.test/a.js\"\ndigests = [\"sha256-{digest}\"]\n")),
    );
    let found = files.load().unwrap_err();
    let error = found.errors().next().unwrap();
    assert_eq!(error.severity, Severity::Error);
    let dir = format!("{}/", files.0.path().display());
    assert_eq!(
        error.render(false).replace(&dir, ""),
        format!(
            "pinfold: error: pins.toml:3:12: digest is 63 hex digits, expected 64\n  |\n\
             3 | digests = [\"sha256-{digest}\"]\n  |            {}\n  |\n\
             hint: run 'pinfold pin add URL' to fetch and write it",
            "^".repeat(72)
        )
    );
    assert!(error.render(true).contains("\u{1b}["));
}

#[test]
fn every_mistake_in_both_files_is_reported_at_once() {
    let gateway = "mode = \"enforced\"\nlisten = []\n[limits]\nmax_ratio = 0\nmax_body = \"64MB\"\n[[vendor]]\nhosts = [\"a..b\"]\n";
    let pins = "[[pin]]\nurl = \"ftp://v.test/\"\ndigests = [\"md5-AAAA\"]\nowner = \"o\"\nreason = \"r\"\n[[revoke]]\nreason = \"r\"\n";
    let found = Files::new(gateway, Some(pins)).lines();
    let places: Vec<_> = found.iter().map(|line| line.split(' ').nth(1).unwrap()).collect();
    assert_eq!(
        places,
        [
            "pinfold.toml:1:8:",
            "pinfold.toml:2:10:",
            "pinfold.toml:4:13:",
            "pinfold.toml:5:12:",
            "pinfold.toml:6:1:",
            "pinfold.toml:7:10:",
            "pins.toml:2:7:",
            "pins.toml:3:12:",
            "pins.toml:6:1:",
        ],
        "{found:#?}"
    );
}
