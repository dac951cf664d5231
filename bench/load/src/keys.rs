//! Keys and certificates, made by the `openssl` command in a folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const KEY: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/// Makes `root.key`, `root.pem`, and both in `both.pem`. Gives the path of the certificate.
pub(crate) fn root(dir: &Path, name: &str) -> PathBuf {
    let subject = format!("/CN={name}");
    let made = ["-keyout", "root.key", "-out", "root.pem"];
    run(dir, "openssl", &[&["req", "-x509", "-days", "30", "-subj", &subject], &KEY[..], &made].concat());
    let texts =
        ["root.key", "root.pem"].map(|name| std::fs::read_to_string(dir.join(name)).expect("a PEM file"));
    std::fs::write(dir.join("both.pem"), texts.concat()).expect("a PEM file");
    dir.join("root.pem")
}

/// Makes `leaf.key` and `leaf.pem`, signed by the root in the same folder, for these names.
pub(crate) fn leaf(dir: &Path, names: &[&str]) {
    let names: Vec<String> = names.iter().map(|name| format!("DNS:{name}")).collect();
    let names = format!("subjectAltName={}", names.join(","));
    let is_no_ca = ["-addext", "basicConstraints=critical,CA:FALSE", "-CA", "root.pem", "-CAkey", "root.key"];
    let made = ["-keyout", "leaf.key", "-out", "leaf.pem"];
    let request = ["req", "-x509", "-days", "30", "-subj", "/CN=leaf", "-addext", &names];
    run(dir, "openssl", &[&request[..], &is_no_ca, &KEY, &made].concat());
}

/// Runs a program in a folder to its end.
pub(crate) fn run(dir: &Path, program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).current_dir(dir).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
