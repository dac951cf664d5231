//! What `deploy/` hands to those who watch a gateway: read by the tools that it is for, and held against what the real
//! binary says.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what went wrong by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

mod metrics;
mod sigma;
mod splunk;
mod story;
mod words;

/// What a reviewer has read and pinned.
const REVIEWED: &str = "globalThis.ran = 'reviewed';\n";

/// What the vendor serves one day instead.
const TAMPERED: &str = "globalThis.ran = 'tampered';\n";

/// A folder of the working tree.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(name)
}

/// Runs a tool to its end, and gives what it printed.
async fn run(mut command: Command) -> String {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}; ./test.sh installs it"));
    let [said, complained] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{command:?}\n{said}\n{complained}");
    said
}
