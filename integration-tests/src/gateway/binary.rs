//! Builds the binary under test, so that none that is out of date is ever tested.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use cargo_metadata::{Message, TargetKind};

/// The `pinfold` binary of this working tree, built once per test process with the profile of the tests.
#[must_use]
pub fn pinfold() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(build)
}

fn build() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--locked", "--package", "pinfold-cli", "--bin", "pinfold"])
        .args(["--message-format", "json-render-diagnostics", "--profile"])
        .arg(profile())
        .arg("--target-dir")
        .arg(target_dir())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "pinfold does not build");
    Message::parse_stream(output.stdout.as_slice())
        .filter_map(|message| match message.unwrap() {
            Message::CompilerArtifact(artifact) if artifact.target.kind.contains(&TargetKind::Bin) => {
                artifact.executable
            }
            _ => None,
        })
        .next()
        .expect("cargo names the executable that it built")
        .into_std_path_buf()
}

/// `target`, wherever this build has it: this test runs as `target/PROFILE/deps/NAME`.
pub(crate) fn target_dir() -> PathBuf {
    profile_dir().parent().unwrap().to_path_buf()
}

fn profile() -> String {
    let name = profile_dir().file_name().unwrap().to_str().unwrap().to_owned();
    // Cargo's one profile whose directory is not called like it.
    if name == "debug" { "dev".to_owned() } else { name }
}

fn profile_dir() -> PathBuf {
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_path_buf()
}
