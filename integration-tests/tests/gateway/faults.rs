//! What the machine does to a gateway: a disk that is full, a client that hangs up.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use http::Method;
use pinfold_integration_tests::{
    Answer, Event, Gate, Gateway, Rule, client, eventually, gateway, origin_root_pem, sha256, vendor,
};
use tempfile::TempDir;

use crate::{REVIEWED, TAMPERED, pinning, refused, verified};

/// A file system of its own, unmounted at the end.
pub(crate) struct SmallDisk(TempDir);

impl SmallDisk {
    /// Of four MiB.
    pub(crate) fn mount() -> Self {
        Self::of(4)
    }

    fn of(mib: u64) -> Self {
        let dir = tempfile::Builder::new().prefix("pinfold-disk-").tempdir().unwrap();
        let size = format!("size={mib}m");
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &size, "pinfold-test"]).arg(dir.path()));
        Self(dir)
    }

    /// Takes so much that a twentieth is left.
    fn fill_to_95_percent(&self) {
        let volume = rustix::fs::statvfs(self.path()).unwrap();
        let spare = volume.f_bavail - volume.f_blocks.div_ceil(20);
        let filler = vec![0; usize::try_from(spare * volume.f_frsize).unwrap()];
        fs::write(self.path().join("filler"), filler).unwrap();
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
async fn where_the_store_is_gone_guarded_content_is_refused_and_the_rest_flows() {
    let vendor = vendor()
        .script("/app.js", REVIEWED)
        .script("/bad.js", TAMPERED)
        .serve("/logo.txt", Answer::typed("text/plain", "a logo"))
        .listen()
        .await;
    let gateway = pinning(&vendor).pin(vendor.url("/bad.js"), crate::sha256(REVIEWED)).listen().await;
    // It reads the root that it trusts, which is about to be gone too.
    let client = client(&gateway);
    let incident = refused(&client.get(vendor.url("/bad.js")).await, 403, "quarantined", "digest-mismatch");
    let (data, away) = (gateway.dir().join("pinfold-data"), gateway.dir().join("away"));
    fs::rename(&data, &away).unwrap();

    for path in ["/app.js", "/bad.js"] {
        refused(&client.get(vendor.url(path)).await, 503, "blocked", "store-unavailable");
    }
    assert_eq!(client.get(vendor.url("/logo.txt")).await.body(), b"a logo");

    fs::rename(&away, &data).unwrap();
    verified(&client.get(vendor.url("/app.js")).await, REVIEWED);
    gateway.command(&["quarantine", "approve", &incident, "--reason", "SEC-1"]).await.success();
    verified(&client.get(vendor.url("/bad.js")).await, TAMPERED);
}

#[tokio::test]
async fn what_a_full_disk_kept_from_being_recorded_is_a_stated_gap() {
    let disk = SmallDisk::mount();
    let other = vendor().host("other.test").script("/app.js", REVIEWED).listen().await;
    let vendor = vendor().script("/app.js", REVIEWED).script("/bad.js", TAMPERED).listen().await;
    let gateway = pinning(&vendor)
        .reach(&other)
        .set("data_dir", disk.path().join("data").to_str().unwrap())
        .pin(vendor.url("/bad.js"), crate::sha256(REVIEWED))
        .listen()
        .await;
    disk.fill();
    // Verified, verified, and one that cannot even be quarantined.
    for path in ["/app.js", "/app.js", "/bad.js"] {
        refused(&client(&gateway).get(vendor.url(path)).await, 503, "blocked", "store-unavailable");
    }
    let outside = client(&gateway).trusting(origin_root_pem());
    assert_eq!(outside.get(other.url("/app.js")).await.body(), REVIEWED.as_bytes());

    disk.make_room();
    let gap = eventually("the event of the gap", gap(&gateway)).await;
    assert_eq!(gap.text("event.code"), Some("PF-3001"));
    assert_eq!(gap.at("Pinfold.gap.exchanges"), Some(&3.into()));
    assert_eq!(gap.at("Pinfold.gap.tunnels"), Some(&1.into()));
    assert!(gap.text("event.start") < gap.text("event.end"), "{}", gap.value());
    verified(&client(&gateway).get(vendor.url("/app.js")).await, REVIEWED);
    gateway.terminate().await;
    let more = gateway.rest_of_events().await;
    assert!(more.iter().all(|event| event.text("event.action") != Some("recording-gap")), "{more:?}");
    let complaints = gateway.complaints().await;
    assert_eq!(complaints.matches("the ledger has a gap").count(), 1, "{complaints}");
}

#[tokio::test]
async fn a_gap_that_could_not_be_written_before_the_end_is_stated_after_the_next_start() {
    let disk = SmallDisk::mount();
    let vendor = vendor().script("/app.js", REVIEWED).listen().await;
    let data = disk.path().join("data");
    let gateway = pinning(&vendor).set("data_dir", data.to_str().unwrap()).listen().await;
    disk.fill();
    for _ in 0..2 {
        let refusal = client(&gateway).get(vendor.url("/app.js")).await;
        refused(&refusal, 503, "blocked", "store-unavailable");
    }
    assert!(!gateway.terminate().await.success(), "it must not seem that all was recorded");

    disk.make_room();
    gateway.start_again().await;
    let gap = eventually("the event of the gap", gap(&gateway)).await;
    assert_eq!(gap.at("Pinfold.gap.exchanges"), Some(&2.into()));
    assert_eq!(gap.at("Pinfold.gap.tunnels"), Some(&0.into()));
}

async fn gap(gateway: &Gateway) -> Event {
    loop {
        let event = gateway.next_event().await;
        if event.text("event.action") == Some("recording-gap") {
            return event;
        }
    }
}

#[tokio::test]
async fn the_last_tenth_of_the_disk_is_for_decisions_and_the_ledger() {
    let disk = SmallDisk::of(32);
    let vendor = vendor()
        .script("/app.js", TAMPERED)
        .script("/bad.js", "steal()")
        .script("/large.js", noise(1))
        .listen()
        .await;
    let gateway = pinning(&vendor)
        .set("data_dir", disk.path().join("data").to_str().unwrap())
        .pin(vendor.url("/bad.js"), crate::sha256(REVIEWED))
        .pin(vendor.url("/large.js"), crate::sha256(noise(1)))
        .set_in("limits", "memory_body", "64KiB")
        .listen()
        .await;
    disk.fill_to_95_percent();

    let refusal = client(&gateway).get(vendor.url("/app.js")).await;
    let app = refused(&refusal, 403, "quarantined", "digest-mismatch");
    let refusal = client(&gateway).get(vendor.url("/bad.js")).await;
    let bad = refused(&refusal, 403, "quarantined", "digest-mismatch");
    for url in [vendor.url("/app.js"), vendor.url("/bad.js")] {
        assert_eq!(gateway.event_of(&url).await.verdict(), Some("quarantined"));
        let shown =
            gateway.command(&["quarantine", "show", if url.ends_with("app.js") { &app } else { &bad }]).await;
        assert!(shown.text().contains("not kept: there was no room for it"), "{}", shown.text());
    }
    gateway.command(&["quarantine", "approve", &app, "--reason", "SEC-1"]).await.success();
    gateway.command(&["quarantine", "reject", &bad, "--reason", "SEC-1"]).await.success();
    verified(&client(&gateway).get(vendor.url("/app.js")).await, TAMPERED);
    refused(&client(&gateway).get(vendor.url("/bad.js")).await, 403, "blocked", "rejected");
    // One that would have to spill is refused, whatever it is.
    let refusal = client(&gateway).get(vendor.url("/large.js")).await;
    refused(&refusal, 503, "blocked", "store-unavailable");
    let complaints = gateway.complaints().await;
    assert_eq!(complaints.matches("bodies are not kept").count(), 1, "{complaints}");

    disk.make_room();
    vendor.script("/app.js", "steal(everything)");
    gateway.terminate().await;
    gateway.start_again().await;
    verified(&client(&gateway).get(vendor.url("/large.js")).await, noise(1));
    let refusal = client(&gateway).get(vendor.url("/app.js")).await;
    let kept = refused(&refusal, 403, "quarantined", "digest-mismatch");
    let body = gateway.command(&["quarantine", "export", &kept]).await.success().stdout;
    assert_eq!(body, b"steal(everything)");
}

#[tokio::test]
async fn a_vendor_cannot_fill_the_disk_with_bodies_so_that_nobody_can_reject_them() {
    let disk = SmallDisk::of(16);
    let vendor = vendor().listen().await;
    let gateway = gateway()
        .rule(&vendor, Rule::default().set("unpinned", "quarantine"))
        .set("data_dir", disk.path().join("data").to_str().unwrap())
        .listen()
        .await;
    let mut incidents = Vec::new();
    for at in 0..20_u64 {
        let path = format!("/{at}.js");
        vendor.script(&path, noise(at));
        let refusal = client(&gateway).get(vendor.url(&path)).await;
        incidents.push(refused(&refusal, 403, "quarantined", "unpinned"));
    }
    let list = gateway.command(&["quarantine", "list", "--json"]).await.success().text();
    let kept = list.matches("\"body_kept\": true").count();
    assert!((1..16).contains(&kept), "{kept} of 20 bodies of a MiB are on a disk of 16: {list}");

    gateway.command(&["quarantine", "reject", &incidents[19], "--reason", "SEC-1"]).await.success();
    gateway
        .command(&["quarantine", "reject", "--everywhere", &incidents[0], "--reason", "SEC-1"])
        .await
        .success();
    refused(&client(&gateway).get(vendor.url("/19.js")).await, 403, "blocked", "rejected");
    refused(&client(&gateway).get(vendor.url("/0.js")).await, 403, "blocked", "revoked");
}

/// A MiB that no coding makes smaller (xorshift).
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed + 0x9e37_79b9_7f4a_7c15;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..1 << 17).flat_map(|_| next()).collect()
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

#[tokio::test]
async fn a_nonce_in_each_response_fills_no_quarantine_and_harms_nobody_else() {
    let nonces = vendor().named("nonces").host("nonces.vendor.test").listen().await;
    let asked = std::sync::atomic::AtomicU64::new(0);
    nonces.serve_by("/app.js", move |_| {
        let nonce = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Answer::script(format!("{TAMPERED}// {nonce}\n{}", "x".repeat(4096)))
    });
    let other = vendor().script("/app.js", REVIEWED).script("/changed.js", TAMPERED).listen().await;
    let builder = gateway().vendor(&nonces).rule(&other, Rule::default());
    let builder =
        builder.pin(nonces.url("/app.js"), sha256(REVIEWED)).pin(other.url("/app.js"), sha256(REVIEWED));
    let builder = builder.pin(other.url("/changed.js"), sha256(REVIEWED));
    let gateway = builder.set_in("quarantine", "per_url", 5).listen().await;
    let before = client(&gateway).get(other.url("/changed.js")).await;
    let before = refused(&before, 403, "quarantined", "digest-mismatch");
    verified(&client(&gateway).get(other.url("/app.js")).await, REVIEWED);

    for _ in 0..300 {
        refused(&client(&gateway).get(nonces.url("/app.js")).await, 403, "quarantined", "digest-mismatch");
    }

    let list = gateway.command(&["quarantine", "list", "--json"]).await.success().json();
    let kept = list.as_array().unwrap().iter().filter(|item| item["body_kept"] == true);
    let kept: Vec<_> = kept.map(|item| item["vendor"].as_str().unwrap()).collect();
    assert_eq!(kept.iter().filter(|vendor| **vendor == "nonces").count(), 5);
    assert_eq!(kept.len(), 6);
    assert_eq!(crate::shelf::bodies_of(&gateway).len(), 7, "those and what is on the shelf");
    let body = gateway.command(&["quarantine", "export", &before]).await.success().stdout;
    assert_eq!(body, TAMPERED.as_bytes());
    verified(&client(&gateway).get(other.url("/app.js")).await, REVIEWED);
}
