use futures_util::future::{join_all, poll_immediate};
use sqlx::Connection as _;

use super::*;
use crate::Filter;
use crate::sighting::Variant;

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

fn variant(number: u8) -> Variant {
    Variant {
        subject: format!("https://cdn.example/{number}.js").into(),
        party: "cdn".into(),
        plain: true,
        key: Digests::of(&[number]).sha256,
        url: format!("https://cdn.example/{number}.js").into(),
        headers: Vec::new(),
        http_version: "2".into(),
    }
}

#[tokio::test]
async fn what_can_wait_is_written_before_what_comes_after_it_and_before_the_store_closes() {
    let dir = directory();
    let store = gateway(&dir).await;
    let mut first = Box::pin(store.note_variant(variant(1), noon()));
    assert!(poll_immediate(&mut first).await.is_none());
    store.bind(&binding()).await.unwrap();
    assert_eq!(store.variants_in_use(noon()).await.unwrap().len(), 1);

    let mut second = Box::pin(store.note_variant(variant(2), noon()));
    assert!(poll_immediate(&mut second).await.is_none());
    store.close().await.unwrap();
    assert!(first.await.unwrap().is_some() && second.await.unwrap().is_some());
    let beside = Store::open_beside(dir.path()).await.unwrap();
    assert_eq!(beside.variants_in_use(noon()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn all_that_share_a_transaction_that_fails_are_told_and_nothing_of_it_stays() {
    let dir = directory();
    let store = gateway(&dir).await;
    let path = format!("sqlite://{}", dir.path().join("pinfold.db").display());
    let mut beside = sqlx::SqliteConnection::connect(&path).await.unwrap();
    let fails = "CREATE TRIGGER fails BEFORE INSERT ON binding BEGIN SELECT RAISE(ABORT, 'no space'); END";
    sqlx::raw_sql(fails).execute(&mut beside).await.unwrap();
    let mut noting = Box::pin(store.note_variant(variant(1), noon()));
    assert!(poll_immediate(&mut noting).await.is_none());
    assert!(store.bind(&binding()).await.is_err());
    assert!(noting.await.is_err());
    assert_eq!(store.variants_in_use(noon()).await.unwrap(), []);

    sqlx::raw_sql("DROP TRIGGER fails").execute(&mut beside).await.unwrap();
    let mut noting = Box::pin(store.note_variant(variant(1), noon()));
    assert!(poll_immediate(&mut noting).await.is_none());
    store.bind(&binding()).await.unwrap();
    assert!(noting.await.unwrap().is_some());
}

#[tokio::test]
async fn more_than_wait_at_one_time_are_all_written_when_the_store_closes() {
    const MANY: u64 = 1500;
    let dir = directory();
    let store = gateway(&dir).await;
    let noting = |number: u64| {
        let variant = Variant { subject: format!("https://cdn.example/{number}").into(), ..variant(0) };
        Box::pin(store.note_variant(variant, noon()))
    };
    let mut all: Vec<_> = (0..MANY).map(noting).collect();
    for noting in &mut all {
        assert!(poll_immediate(noting).await.is_none());
    }
    let (closed, noted) = tokio::join!(store.close(), join_all(all));
    closed.unwrap();

    // Those for which there was no place any more are told, and the others are on disk.
    let noted = noted.into_iter().filter(|noted| noted.as_ref().is_ok_and(Option::is_some)).count();
    assert!(noted >= 1024, "{noted}");
    let beside = Store::open_beside(dir.path()).await.unwrap();
    assert_eq!(beside.variants_in_use(noon()).await.unwrap().len(), noted);
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
