use super::*;
use crate::Filter;

#[tokio::test]
async fn closing_writes_what_is_only_counted_and_leaves_single_files() {
    let dir = directory();
    let store = gateway(&dir).await;
    for second in 0..3 {
        store.record(verified("10.0.0.1:1", seconds(second))).await.unwrap().delivered_whole();
    }
    store.close().await.unwrap();
    store.close().await.unwrap();

    let mut left: Vec<_> =
        dir.path().join("ledger").read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["2126-11.db", "gap"]);
    assert!(!dir.path().join("pinfold.db-wal").exists());
    let beside = Store::open_beside(dir.path()).await.unwrap();
    let rows = beside.exchanges(&Filter::default()).await.unwrap();
    assert_eq!(rows.iter().map(|row| (row.count, row.whole)).collect::<Vec<_>>(), [(3, 3)]);
}

#[tokio::test]
async fn whoever_uses_a_closed_store_is_told() {
    let dir = directory();
    let store = gateway(&dir).await;
    let clone = store.clone();
    let mut feed = clone.feed("test", Repeats::Counted);
    drop(clone);
    store.close().await.unwrap();
    assert!(store.settle().await.is_err());
    assert!(store.bind(&binding()).await.is_err());
    assert_eq!(feed.next(1).await.unwrap(), []);
}

fn binding() -> pinfold_policy::verdict::Binding {
    pinfold_policy::verdict::Binding {
        pattern: "https://cdn.example/**".into(),
        digest: Digests::of(REVIEWED).sha256,
        key: "https://cdn.example/a.js".into(),
    }
}
