//! What the machine does to a gateway: a disk that is full, a client that hangs up.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use http::Method;
use pinfold_integration_tests::{Answer, Gate, client, eventually, vendor};
use tempfile::TempDir;

use crate::{REVIEWED, TAMPERED, pinning, refused, verified};

/// A file system of its own, of four MiB, unmounted at the end.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    pub(crate) fn mount() -> Self {
        let dir = tempfile::Builder::new().prefix("pinfold-disk-").tempdir().unwrap();
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "pinfold-test"]).arg(dir.path()));
        Self(dir)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes what is left, to the last byte.
    pub(crate) fn fill(&self) {
        let mut filler = fs::File::create(self.path().join("filler")).unwrap();
        for len in [64 * 1024, 4096, 1] {
            while filler.write_all(&vec![0; len]).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a gateway of a failed test may still be there.
        run(Command::new("umount").arg("--lazy").arg(self.0.path()));
    }
}

#[track_caller]
fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}; the tests need root to mount a small disk");
}

#[tokio::test]
async fn on_a_full_disk_guarded_content_is_refused_and_the_rest_flows() {
    let disk = SmallDisk::mount();
    let vendor = vendor()
        .script("/app.js", REVIEWED)
        .script("/bad.js", TAMPERED)
        .serve("/logo.txt", Answer::typed("text/plain", "a logo"))
        .listen()
        .await;
    let gateway = pinning(&vendor)
        .set("data_dir", disk.path().join("data").to_str().unwrap())
        .pin(vendor.url("/bad.js"), crate::sha256(REVIEWED))
        .listen()
        .await;
    disk.fill();

    for path in ["/app.js", "/bad.js"] {
        refused(&client(&gateway).get(vendor.url(path)).await, 503, "blocked", "store-unavailable");
    }
    let logo = client(&gateway).get(vendor.url("/logo.txt")).await;
    assert_eq!((logo.status().as_u16(), logo.body()), (200, b"a logo".to_vec()));
    let complaints = gateway.complaints().await;
    assert!(complaints.contains("guarded artifacts are refused"), "{complaints}");

    disk.make_room();
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    refused(&client(&gateway).get(vendor.url("/bad.js")).await, 403, "quarantined", "digest-mismatch");
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_undo_what_it_asked_for() {
    let gate = Gate::closed();
    let vendor = vendor().serve("/app.js", Answer::script(TAMPERED).behind(&gate)).listen().await;
    let gateway = pinning(&vendor).listen().await;

    let (client, url) = (client(&gateway), vendor.url("/app.js"));
    let asking = tokio::spawn(async move { client.try_ask(Method::GET, url).await });
    vendor.asked("/app.js", 1).await;
    asking.abort();
    gate.open();

    let event = eventually("the event of the refusal", gateway.event_of(&vendor.url("/app.js"))).await;
    assert_eq!(event.reason(), Some("digest-mismatch"));
    let incident = event.incident().expect("a refusal names its incident").to_owned();
    let list = gateway.command(&["quarantine", "list"]).await.success().text();
    assert!(list.contains(&incident), "{list}");
}
