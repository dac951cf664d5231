//! What the store says of itself while it runs.

use pinfold_policy::kind::Kind;
use pinfold_policy::reason::Reason;

use super::*;
use crate::item::Opinion;
use crate::{Numbers, StoreError};

#[tokio::test]
async fn what_is_recorded_is_counted_each_repeat_of_it() {
    let dir = directory();
    let store = gateway(&dir).await;
    assert_eq!(store.numbers().unwrap(), Numbers::default());
    for _ in 0..3 {
        drop(store.record(verified("10.0.0.1:1", noon())).await.unwrap());
    }
    drop(store.record(blocked("10.0.0.1:1", noon())).await.unwrap());
    store.settle().await.unwrap();
    assert_eq!(store.numbers().unwrap(), Numbers { recorded: 4, missed: 0 });
    assert_eq!(store.backlog("file:events").await.unwrap(), 2);
    let mut feed = store.feed("file:events", Repeats::Counted);
    assert_eq!(feed.next(10).await.unwrap().len(), 2);
    feed.acknowledge(feed.given()).await.unwrap();
    assert_eq!(store.backlog("file:events").await.unwrap(), 0);
}

#[tokio::test]
async fn what_waits_in_quarantine_is_counted_until_it_is_decided() {
    let dir = directory();
    let store = gateway(&dir).await;
    let refusal = Exchange { reason: Some(Reason::DigestMismatch), ..blocked("10.0.0.1:1", noon()) };
    let incident = store.quarantine(&refusal, SUBJECT, Kind::Script, &held(TAMPERED)).await.unwrap();
    assert_eq!(store.undecided().await.unwrap(), 1);
    let opinion = Opinion { who: "lena", reason: "not ours", at: noon(), expires: None };
    store.reject(incident, opinion).await.unwrap();
    assert_eq!(store.undecided().await.unwrap(), 0);
}

#[tokio::test]
async fn a_store_that_was_moved_away_is_not_writable_until_it_is_back() {
    let dir = directory();
    let store = gateway(&dir).await;
    store.check_writable().await.unwrap();
    let version = store.decisions().borrow().version();
    let (file, away) = (dir.path().join("pinfold.db"), dir.path().join("away"));
    std::fs::rename(&file, &away).unwrap();
    assert!(matches!(store.check_writable().await, Err(StoreError::Gone { .. })));
    std::fs::rename(&away, &file).unwrap();
    store.check_writable().await.unwrap();
    assert_eq!(store.decisions().borrow().version(), version, "looking decides nothing");
}
