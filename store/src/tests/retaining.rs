//! Old months of the ledger go as whole files, and only when nobody needs them any more.

use sqlx::{Connection as _, SqliteConnection};

use super::*;
use crate::entry::{Notice, What};
use crate::{Repeats, Sought};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn on(day: &str) -> Timestamp {
    format!("{day}T12:00:00Z").parse().unwrap()
}

fn files(dir: &TempDir) -> Vec<String> {
    let entries = dir.path().join("ledger").read_dir().unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.contains(".db"));
    names.sort();
    names
}

/// A refusal on each of these days; its event waits for no minute.
async fn refusing_on(dir: &TempDir, days: &[&str]) -> Store {
    let store = gateway(dir).await;
    for day in days {
        drop(store.record(blocked("10.0.0.1:1", on(day))).await.unwrap());
    }
    store
}

async fn drop_old(store: &Store, days: i32, outputs: &[&str], now: Timestamp) -> Vec<String> {
    let outputs: Vec<_> = outputs.iter().map(|output| (*output).to_owned()).collect();
    store.drop_old(DAY * days, &outputs, now).await.unwrap()
}

#[tokio::test]
async fn a_month_goes_with_its_log_when_its_last_day_is_older_and_the_month_of_now_never() {
    let dir = directory();
    let store = refusing_on(&dir, &["2126-09-30", "2126-10-01", "2126-11-23"]).await;

    drop_old(&store, 31, &[], on("2126-10-31")).await;
    assert!(files(&dir).contains(&"2126-09.db".to_owned()), "its last day is not that old");
    drop_old(&store, 31, &[], on("2126-11-01")).await;

    assert!(files(&dir).iter().all(|name| !name.starts_with("2126-09")), "{:?}", files(&dir));
    let told = store.notices(9).await.unwrap();
    let [told] = &told[..] else { panic!("{told:?}") };
    assert_eq!((told.what, told.subject.as_deref()), (What::LedgerDropped, Some("2126-09")));
    assert_eq!(&*told.text, "2126-09, with 1 rows of exchanges and 0 of tunnels");
    // Nothing is that short, and still.
    drop_old(&store, 0, &[], on("2126-11-24")).await;
    assert!(files(&dir).contains(&"2126-11.db".to_owned()));

    let found = store.exposure(&Sought { since: Some(on("2126-09-01")), ..Sought::default() }).await.unwrap();
    assert_eq!(found.coverage.recorded_since, Some(on("2126-11-23")));
    drop(store.record(blocked("10.0.0.1:1", on("2126-11-25"))).await.unwrap());
    store.close().await.unwrap();
    assert_eq!(gateway(&dir).await.exchanges(&crate::Filter::default()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn which_root_was_told_last_outlives_the_month_in_which_it_was_told_and_is_told_once() {
    let dir = directory();
    let store = refusing_on(&dir, &["2126-09-30"]).await;
    let root = |subject: &str, day| Notice {
        id: Uuid::now_v7(),
        at: on(day),
        what: What::RootChanged,
        who: None,
        subject: Some(subject.into()),
        digest: None,
        incident: None,
        text: "".into(),
        policy_version: 1,
    };
    store.notice(root("old", "2126-08-01")).await.unwrap();
    store.notice(root("new", "2126-09-01")).await.unwrap();
    for (now, gone) in [("2126-11-24", "2126-09"), ("2127-03-24", "2126-11")] {
        drop_old(&store, 31, &[], on(now)).await;
        let files = files(&dir);
        assert!(files.iter().all(|name| !name.starts_with(gone)), "{files:?}");
        let last = store.last_notice(What::RootChanged).await.unwrap();
        assert_eq!(last.and_then(|last| last.subject).as_deref(), Some("new"));
    }
    let told = events(&store, Repeats::Counted).await;
    let dropped = |event: &Event| matches!(event, Event::Notice(told) if told.what == What::LedgerDropped);
    assert!(!told.is_empty() && told.iter().all(dropped), "{told:?}");
}

#[tokio::test]
async fn a_month_stays_until_each_output_has_its_events() {
    let dir = directory();
    let store = refusing_on(&dir, &["2126-09-30", "2126-11-23"]).await;
    let mut feed = store.feed("siem", Repeats::Counted);

    assert_eq!(drop_old(&store, 31, &["siem"], on("2126-11-24")).await, ["2126-09"]);
    assert_eq!(feed.next(1).await.unwrap().len(), 1);
    assert_eq!(drop_old(&store, 31, &["siem"], on("2126-11-24")).await, ["2126-09"]);
    feed.acknowledge(feed.given()).await.unwrap();
    assert_eq!(drop_old(&store, 31, &["siem", "other"], on("2126-11-24")).await, ["2126-09"]);
    assert!(drop_old(&store, 31, &["siem"], on("2126-11-24")).await.is_empty());

    assert!(!files(&dir).contains(&"2126-09.db".to_owned()));
    store.settle().await.unwrap();
    let rest = feed.next(9).await.unwrap();
    assert_eq!(rest.len(), 2, "the other refusal, and that the month is gone: {rest:?}");
}

#[tokio::test]
async fn a_month_stays_while_a_tunnel_that_began_in_it_is_open() {
    let dir = directory();
    let store = refusing_on(&dir, &["2126-11-23"]).await;
    let open = store.tunnel_opened(tunnel(on("2126-08-01"))).await.unwrap();

    drop_old(&store, 31, &[], on("2126-11-24")).await;
    assert!(files(&dir).contains(&"2126-08.db".to_owned()));
    drop(open);
    store.inner.ledger().unwrap().flush(on("2126-11-24")).await.unwrap();
    drop_old(&store, 31, &[], on("2126-11-24")).await;

    assert!(!files(&dir).contains(&"2126-08.db".to_owned()));
}

#[tokio::test]
async fn whoever_reads_a_month_reads_on_when_it_is_dropped() {
    let dir = directory();
    let store = refusing_on(&dir, &["2126-08-01", "2126-11-23"]).await;
    let mut reader = crate::ledger::EventReader::open(dir.path(), crate::month::Month::of(on("2126-08-01")))
        .await
        .unwrap();

    drop_old(&store, 31, &[], on("2126-11-24")).await;

    assert!(!files(&dir).contains(&"2126-08.db".to_owned()));
    assert_eq!(reader.read(crate::ledger::Stream::Counted, 0, 9).await.unwrap().len(), 1);
}

/// All that an output is given until there is no more, acknowledged.
async fn rest(feed: &mut crate::Feed) -> Vec<Uuid> {
    let mut rest = Vec::new();
    loop {
        let events = feed.next(2).await.unwrap();
        if events.is_empty() {
            return rest;
        }
        rest.extend(ids(&events));
        feed.acknowledge(feed.given()).await.unwrap();
    }
}

async fn refuse(store: &Store, at: Timestamp) -> Uuid {
    let refusal = blocked("10.0.0.9:1", at);
    drop(store.record(refusal.clone()).await.unwrap());
    refusal.id
}

#[tokio::test]
async fn a_month_that_was_dropped_and_begins_anew_has_all_its_events_delivered() {
    for over_a_restart in [false, true] {
        let dir = directory();
        let mut store = refusing_on(&dir, &["2126-11-20", "2126-11-21", "2126-11-22"]).await;
        let mut feed = store.feed("siem", Repeats::Counted);
        assert_eq!(feed.next(9).await.unwrap().len(), 3);
        feed.acknowledge(feed.given()).await.unwrap();
        // For a moment the clock says 2128.
        assert!(drop_old(&store, 400, &["siem"], on("2128-11-23")).await.is_empty());
        assert!(!files(&dir).contains(&"2126-11.db".to_owned()));
        if over_a_restart {
            store.close().await.unwrap();
            drop((feed, store));
            store = gateway(&dir).await;
            feed = store.feed("siem", Repeats::Counted);
        }
        let mut anew = Vec::new();
        for day in ["2126-11-23", "2126-11-24", "2126-11-25"] {
            anew.push(refuse(&store, on(day)).await);
        }

        // As many as before: by its number the output is at the end.
        assert_eq!(store.backlog("siem").await.unwrap(), 4, "and that the month is gone");
        let kept = drop_old(&store, 400, &["siem"], on("2128-11-23")).await;
        assert_eq!(kept, ["2126-11"], "nothing of it was delivered");
        store.settle().await.unwrap();
        assert_eq!(rest(&mut feed).await[..3], anew);
        assert_eq!(store.backlog("siem").await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_month_that_was_put_back_from_an_older_copy_loses_none_of_its_new_events() {
    let dir = directory();
    let store = refusing_on(&dir, &["2126-11-20", "2126-11-21"]).await;
    store.close().await.unwrap();
    let (path, copy) = (dir.path().join("ledger/2126-11.db"), dir.path().join("copy"));
    std::fs::copy(&path, &copy).unwrap();
    let store = refusing_on(&dir, &["2126-11-22", "2126-11-23", "2126-11-24"]).await;
    store.settle().await.unwrap();
    assert_eq!(rest(&mut store.feed("siem", Repeats::Counted)).await.len(), 5);
    store.close().await.unwrap();
    // The feed's own connection closes by itself. The last one moves the log into the file; of two that close at one time, none does.
    let url = format!("sqlite://{}", path.display());
    while path.with_extension("db-wal").exists() {
        let mut last = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query("SELECT * FROM sqlite_schema").fetch_all(&mut last).await.unwrap();
        last.close().await.unwrap();
    }
    std::fs::copy(&copy, &path).unwrap();

    let store = gateway(&dir).await;
    let mut new = Vec::new();
    for day in ["2126-11-25", "2126-11-26", "2126-11-27", "2126-11-28"] {
        new.push(refuse(&store, on(day)).await);
    }
    store.settle().await.unwrap();
    let again = rest(&mut store.feed("siem", Repeats::Counted)).await;
    assert_eq!(
        (again.len(), &again[2..]),
        (6, &new[..]),
        "what the copy has comes again, and the new after it"
    );
}

#[tokio::test]
async fn what_is_passed_over_of_a_month_that_begins_anew_is_counted_from_its_beginning() {
    let dir = directory();
    let store = refusing_on(&dir, &["2126-11-20", "2126-11-21", "2126-11-22"]).await;
    let mut feed = store.feed("siem", Repeats::Counted);
    assert_eq!(feed.next(9).await.unwrap().len(), 3);
    feed.acknowledge(feed.given()).await.unwrap();
    drop_old(&store, 400, &["siem"], on("2128-11-23")).await;
    for minute in 0..5 {
        refuse(&store, on("2126-11-23") + SignedDuration::from_mins(minute)).await;
    }

    let passed = feed.pass_over(0).await.unwrap().unwrap();
    assert_eq!(passed.events, 6);
    feed.acknowledge(feed.given()).await.unwrap();
    assert_eq!(feed.backlog().await.unwrap(), 0);
}
