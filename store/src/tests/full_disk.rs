//! A disk that is full, and then is not. The disk is a small file system in memory, mounted where only a process of
//! its own sees it, so that nothing of it can stay behind.

use std::io::Write as _;
use std::process::Command;

use super::*;
use crate::Filter;

const DISK: &str = "PINFOLD_TEST_SMALL_DISK";

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let dir = directory();
    let mount = "mount -t tmpfs -o size=3m none \"$PINFOLD_TEST_SMALL_DISK\" && exec \"$@\"";
    let inside = "tests::full_disk::on_a_small_disk";
    let mut unshare = Command::new("unshare");
    unshare.arg("--mount");
    if !is_root() {
        unshare.arg("--map-root-user");
    }
    let output = unshare
        .args(["sh", "-c", mount, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", inside, "--nocapture"])
        .env(DISK, dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("on a small disk: done"), "{said}\n{complained}");
}

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0
}

/// Does nothing unless the test above has mounted a disk for it.
#[tokio::test]
async fn on_a_small_disk() {
    let Ok(disk) = std::env::var(DISK) else { return };
    let data = Path::new(&disk).join("data");
    let store = Store::open_gateway(&data, options()).await.unwrap();
    let known = verified("10.0.0.1:1", noon());
    store.record(known.clone()).await.unwrap().delivered_whole();
    let before = blocked("10.0.0.1:1", noon());
    let _begun = store.record(before.clone()).await.unwrap();
    // Counted, and then there is no space for the count.
    let _begun = store.record(verified("10.0.0.1:2", seconds(1))).await.unwrap();

    let filler = Path::new(&disk).join("filler");
    fill(&filler);
    let mut recorded = 0;
    let error = loop {
        match store.record(blocked("10.0.0.1:1", seconds(2))).await {
            Ok(_begun) => recorded += 1,
            Err(error) => break error,
        }
    };
    assert!(error.hint().contains("space"), "{error}: {}", error.hint());
    // The connection that failed has ended, what its log held is in the file, and the log's room is there again.
    fill(&filler);
    // Nothing is only counted while it cannot be written.
    assert!(store.record(verified("10.0.0.1:1", seconds(3))).await.is_err());
    assert!(store.tunnel_opened(tunnel(noon())).await.is_err());
    let body: Vec<u8> = (0..200_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let refusal = refused("10.0.0.1:1", noon());
    let error = store.quarantine(&refusal, SUBJECT, Kind::Script, &held(&body)).await.unwrap_err();
    assert!(error.hint().contains("space"), "{error}: {}", error.hint());

    // Whoever reads needs an index of 32 KiB. A page more is too little for a row.
    let filled = filler.metadata().unwrap().len();
    std::fs::File::options().write(true).open(&filler).unwrap().set_len(filled - 36 * 1024).unwrap();
    let missed = store.gaps().await.unwrap();
    assert!(missed.is_empty(), "{missed:?}");
    std::fs::remove_file(&filler).unwrap();
    let after = blocked("10.0.0.1:1", seconds(4));
    let _begun = store.record(after.clone()).await.unwrap();
    let incident = quarantine(&store, &refusal, &body).await;
    let (item, _) = store.item(incident).await.unwrap().unwrap();
    assert!(item.body_kept);
    assert_eq!(store.body_of(item.digest).await.unwrap(), Some(body));
    store.close().await.unwrap();

    // The refusal that ended the loop, the release, and the quarantine; and one tunnel.
    let gaps = store.gaps().await.unwrap();
    let counts: Vec<_> = gaps.iter().map(|gap| (gap.exchanges, gap.tunnels)).collect();
    assert_eq!(counts, [(3, 1)], "{gaps:?}");
    assert_eq!((gaps[0].since, gaps[0].until), (noon(), seconds(3)));
    let rows = store.exchanges(&Filter::default()).await.unwrap();
    let row = |exchange: &Exchange| rows.iter().find(|row| row.exchange.id == exchange.id).unwrap();
    assert_eq!((row(&known).count, row(&known).whole), (2, 1));
    assert_eq!((row(&before).count, row(&after).count), (1, 1));
    assert_eq!(rows.len(), 3 + recorded);
    println!("on a small disk: done");
}

fn fill(filler: &Path) {
    let mut filler = std::fs::File::options().append(true).create(true).open(filler).unwrap();
    for piece in [64 * 1024, 4096, 1] {
        while filler.write_all(&vec![7; piece]).is_ok() {}
    }
}
