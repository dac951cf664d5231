use pinfold_policy::reason::Reason;

use super::*;
use crate::entry::TunnelEnd;

async fn record(store: &Store, exchange: &Exchange) {
    store.record(exchange.clone()).await.unwrap().delivered_whole();
}

#[tokio::test]
async fn a_counted_row_is_one_event_when_its_minute_is_over_and_not_before() {
    let dir = directory();
    let store = gateway(&dir).await;
    let ledger = store.inner.ledger().unwrap();
    let first = verified("10.0.0.1:1", noon());
    record(&store, &first).await;
    record(&store, &verified("10.0.0.1:2", seconds(59))).await;
    let next_minute = verified("10.0.0.1:3", seconds(60));
    record(&store, &next_minute).await;
    let refusal = blocked("10.0.0.1:4", seconds(61));
    let mut feed = store.feed("test", Repeats::Counted);

    ledger.flush(seconds(59)).await.unwrap();
    record(&store, &refusal).await;
    // No other exchange can share the row of a refusal with its own incident: its event waits for no minute.
    assert_eq!(ids(&feed.next(10).await.unwrap()), [refusal.id]);

    ledger.flush(seconds(60)).await.unwrap();
    let over = Event::Exchange { exchange: first, count: 2, whole: Some(2), last: seconds(59) };
    assert_eq!(feed.next(10).await.unwrap(), [over]);

    store.settle().await.unwrap();
    let rest = Event::Exchange { last: next_minute.at, exchange: next_minute, count: 1, whole: Some(1) };
    assert_eq!(feed.next(10).await.unwrap(), [rest]);
    assert_eq!(feed.next(10).await.unwrap(), []);
}

#[tokio::test]
async fn an_output_that_wants_each_gets_each_while_another_gets_them_counted() {
    let dir = directory();
    let store = Store::open_gateway(dir.path(), each()).await.unwrap();
    let all: Vec<_> = (0..4)
        .map(|second| Exchange { policy_version: second, ..verified("10.0.0.1:1", seconds(second as i64)) })
        .collect();
    for exchange in &all {
        record(&store, exchange).await;
    }
    let refusal = blocked("10.0.0.1:1", seconds(5));
    record(&store, &refusal).await;

    let given = events(&store, Repeats::Each).await;
    let alone = |exchange: &Exchange| Event::Exchange {
        exchange: exchange.clone(),
        count: 1,
        whole: None,
        last: exchange.at,
    };
    // A refusal is not kept waiting by repeats, which follow within a second.
    assert_eq!(given.len(), 5);
    assert!(all.iter().chain([&refusal]).all(|exchange| given.contains(&alone(exchange))), "{given:#?}");
    let mut counted = store.feed("counted", Repeats::Counted);
    let given = counted.next(10).await.unwrap();
    let row = Event::Exchange { exchange: all[0].clone(), count: 4, whole: Some(4), last: seconds(3) };
    assert_eq!(given.len(), 2);
    assert!(given.contains(&row), "{given:#?}");
    assert_eq!(store.exchanges(&crate::Filter::default()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_was_given_out_after_what_is_acknowledged_comes_again() {
    let dir = directory();
    let store = gateway(&dir).await;
    let refusals: Vec<_> = (0..4).map(|second| blocked("10.0.0.1:1", seconds(second))).collect();
    for refusal in &refusals {
        record(&store, refusal).await;
    }
    let all: Vec<_> = refusals.iter().map(|refusal| refusal.id).collect();
    let mut feed = store.feed("test", Repeats::Counted);
    assert_eq!(ids(&feed.next(2).await.unwrap()), all[..2]);
    let given = feed.given();
    assert_eq!(ids(&feed.next(2).await.unwrap()), all[2..]);

    feed.acknowledge(given).await.unwrap();
    feed.rewind();

    assert_eq!(ids(&feed.next(9).await.unwrap()), all[2..]);
    assert_eq!(ids(&store.feed("test", Repeats::Counted).next(9).await.unwrap()), all[2..]);
}

#[tokio::test]
async fn a_feed_goes_on_where_it_was_acknowledged() {
    let dir = directory();
    let store = gateway(&dir).await;
    let refusals: Vec<_> = (0..5).map(|second| blocked("10.0.0.1:1", seconds(second))).collect();
    for refusal in &refusals {
        record(&store, refusal).await;
    }
    let all: Vec<_> = refusals.iter().map(|refusal| refusal.id).collect();
    let mut feed = store.feed("test", Repeats::Counted);
    assert_eq!(ids(&feed.next(2).await.unwrap()), all[..2]);
    feed.acknowledge(feed.given()).await.unwrap();
    assert_eq!(ids(&feed.next(2).await.unwrap()), all[2..4]);

    let copy = as_after_a_crash(dir.path());
    let crashed = gateway(&copy).await;

    assert_eq!(ids(&events(&crashed, Repeats::Counted).await), all[2..]);
    // The feed of the store that lives on has not been disturbed.
    assert_eq!(ids(&feed.next(2).await.unwrap()), all[4..]);
    feed.acknowledge(feed.given()).await.unwrap();
    store.settle().await.unwrap();
    assert_eq!(feed.next(2).await.unwrap(), []);
    assert_eq!(store.feed("test", Repeats::Counted).next(9).await.unwrap(), []);
}

#[tokio::test]
async fn months_come_one_after_the_other_and_a_late_end_is_not_missed() {
    let dir = directory();
    let store = gateway(&dir).await;
    let open = store.tunnel_opened(tunnel(noon())).await.unwrap();
    let november = blocked("10.0.0.1:1", noon());
    let december = blocked("10.0.0.1:1", seconds(20 * 86400));
    record(&store, &december).await;
    record(&store, &november).await;
    let mut feed = store.feed("test", Repeats::Counted);
    assert_eq!(ids(&feed.next(10).await.unwrap()), [november.id]);
    assert_eq!(ids(&feed.next(10).await.unwrap()), [december.id]);
    feed.acknowledge(feed.given()).await.unwrap();

    let end = TunnelEnd { sent: 1, received: 2, open_ms: 3 };
    open.closed(end);
    store.settle().await.unwrap();

    let events = feed.next(10).await.unwrap();
    assert!(matches!(&events[..], [Event::Tunnel { end: Some(found), .. }] if *found == end), "{events:?}");
    assert_eq!(feed.next(10).await.unwrap(), []);
}

#[tokio::test]
async fn what_a_crash_left_open_becomes_final_at_the_next_start() {
    let dir = directory();
    let store = gateway(&dir).await;
    let exchange = verified("10.0.0.1:1", noon());
    record(&store, &exchange).await;
    let open = store.tunnel_opened(tunnel(noon())).await.unwrap();
    let refusal = Tunnel { reason: Some(Reason::Loop), ..tunnel(noon()) };
    let _refused = store.tunnel_opened(refusal.clone()).await.unwrap();

    let copy = as_after_a_crash(dir.path());
    let crashed = gateway(&copy).await;

    let events = events(&crashed, Repeats::Counted).await;
    let [
        Event::Tunnel { tunnel, end: None },
        Event::Exchange { exchange: found, count: 1, .. },
        Event::Tunnel { end: None, .. },
    ] = &events[..]
    else {
        panic!("{events:#?}")
    };
    assert_eq!((tunnel, found), (&refusal, &exchange));
    drop(open);
}

#[tokio::test]
async fn an_output_that_is_added_does_not_get_the_whole_past() {
    let dir = directory();
    let store = gateway(&dir).await;
    let old = blocked("10.0.0.1:1", noon());
    record(&store, &old).await;
    let mut feed = store.feed("first", Repeats::Counted);
    assert_eq!(ids(&feed.next(10).await.unwrap()), [old.id]);
    feed.acknowledge(feed.given()).await.unwrap();
    store.close().await.unwrap();
    drop((store, feed));

    let store = gateway(&dir).await;
    let new = blocked("10.0.0.1:1", seconds(1));
    record(&store, &new).await;

    for output in ["first", "second"] {
        assert_eq!(ids(&store.feed(output, Repeats::Counted).next(10).await.unwrap()), [new.id]);
    }
}

#[tokio::test]
async fn an_output_that_has_taken_nothing_before_a_restart_has_lost_nothing() {
    let dir = directory();
    let store = gateway(&dir).await;
    // Both are there from the beginning, and one of them is never reached.
    let (mut reached, mut down) =
        (store.feed("reached", Repeats::Counted), store.feed("down", Repeats::Counted));
    for number in 0..3 {
        record(&store, &blocked("10.0.0.1:1", seconds(number))).await;
    }
    assert_eq!(down.next(9).await.unwrap().len(), 3);
    assert_eq!(reached.next(9).await.unwrap().len(), 3);
    reached.acknowledge(reached.given()).await.unwrap();
    let crashed = as_after_a_crash(dir.path());

    let after = gateway(&crashed).await;
    let again = after.feed("down", Repeats::Counted).next(9).await.unwrap();
    assert_eq!(again.len(), 3, "{again:?}");
}

#[tokio::test]
async fn a_feed_waits_for_the_next_event() {
    let dir = directory();
    let store = gateway(&dir).await;
    let mut feed = store.feed("test", Repeats::Counted);
    let waiting = tokio::spawn(async move { feed.next(10).await });
    let refusal = blocked("10.0.0.1:1", noon());
    record(&store, &refusal).await;
    assert_eq!(ids(&waiting.await.unwrap().unwrap()), [refusal.id]);
}

#[tokio::test]
async fn without_outputs_nothing_waits_for_them() {
    let dir = directory();
    let quiet = StoreOptions { counted_feed: false, ..options() };
    let store = Store::open_gateway(dir.path(), quiet).await.unwrap();
    record(&store, &blocked("10.0.0.1:1", noon())).await;
    record(&store, &verified("10.0.0.1:1", noon())).await;
    drop(store.tunnel_opened(tunnel(noon())).await.unwrap());
    assert_eq!(events(&store, Repeats::Counted).await, []);
}

#[tokio::test]
async fn a_gap_that_a_restart_came_between_is_stated_once() {
    let dir = directory();
    gateway(&dir).await.close().await.unwrap();
    let id = Uuid::now_v7();
    let noted =
        serde_json::json!([id.to_string(), 1_800_000_000_000_000_i64, 1_800_000_001_000_000_i64, 3, 1]);
    let noted = format!("{:512}", noted.to_string());
    for _ in 0..2 {
        // As if killed between the row and the note that it is written.
        std::fs::write(dir.path().join("ledger/gap"), &noted).unwrap();
        let store = gateway(&dir).await;
        store.settle().await.unwrap();
        let gaps = store.gaps().await.unwrap();
        assert_eq!(
            gaps.iter().map(|gap| (gap.id, gap.exchanges, gap.tunnels)).collect::<Vec<_>>(),
            [(id, 3, 1)]
        );
        assert_eq!(ids(&events(&store, Repeats::Counted).await), [id]);
        store.close().await.unwrap();
    }
    let store = gateway(&dir).await;
    store.settle().await.unwrap();
    assert_eq!(store.gaps().await.unwrap().len(), 1);
}

#[tokio::test]
async fn beyond_its_cap_an_output_never_gets_the_oldest_events_and_they_are_counted() {
    let dir = directory();
    let store = gateway(&dir).await;
    for number in 0..40 {
        record(&store, &blocked("10.0.0.1:1", seconds(number))).await;
    }
    let mut feed = store.feed("down", Repeats::Counted);
    let first = ids(&feed.next(5).await.unwrap());
    let all = feed.backlog().await.unwrap();
    assert_eq!(feed.pass_over(all).await.unwrap(), None, "so much may wait");

    let passed = feed.pass_over(all / 2).await.unwrap().unwrap();
    assert!((28..=30).contains(&passed.events), "half of the half is left: {passed}");
    assert!(passed.to_string().ends_with("events of 2126-11"), "{passed}");
    let untold = as_after_a_crash(dir.path());
    let again = gateway(&untold).await.feed("down", Repeats::Counted).next(99).await.unwrap();
    assert_eq!(again.len(), 40, "a crash before that was told");
    feed.acknowledge(feed.given()).await.unwrap();
    assert!(feed.backlog().await.unwrap() <= all / 4);
    let crashed = as_after_a_crash(dir.path());

    for store in [store, gateway(&crashed).await] {
        let left = ids(&store.feed("down", Repeats::Counted).next(99).await.unwrap());
        assert_eq!(left.len() as u64, 40 - passed.events);
        assert!(first.iter().all(|id| !left.contains(id)), "the oldest went, also those that were given out");
    }
}

const COUNTED: Repeats = Repeats::Counted;
const EACH: Repeats = Repeats::Each;

/// A gateway whose only output wants repeats so.
async fn wanting(dir: &TempDir, repeats: Repeats) -> Store {
    let each = repeats == EACH;
    let options = StoreOptions { every_repeat_in_feed: each, counted_feed: !each, ..options() };
    Store::open_gateway(dir.path(), options).await.unwrap()
}

/// How many exchanges events stand for.
fn stood_for(events: &[Event]) -> u64 {
    let count = |event: &Event| match event {
        Event::Exchange { count, .. } => *count,
        Event::Tunnel { .. } | Event::Gap(_) | Event::Notice(_) => 0,
    };
    events.iter().map(count).sum()
}

/// Two exchanges of one minute that are alike, and a refusal.
async fn three(store: &Store, minute: i64) {
    for exchange in [
        verified("10.0.0.1:1", seconds(60 * minute)),
        verified("10.0.0.1:2", seconds(60 * minute + 1)),
        blocked("10.0.0.1:3", seconds(60 * minute + 2)),
    ] {
        record(store, &exchange).await;
    }
}

#[tokio::test]
async fn what_waits_for_an_output_is_delivered_also_when_its_repeats_are_changed_and_changed_back() {
    for (before, after) in [(COUNTED, EACH), (EACH, COUNTED)] {
        let dir = directory();
        for (run, repeats) in (0..).zip([before, after, before, after]) {
            let store = wanting(&dir, repeats).await;
            // The receiver is away: its place is known, and nothing is acknowledged.
            let mut feed = store.feed("test", repeats);
            three(&store, run).await;
            store.settle().await.unwrap();
            assert!(!feed.next(9).await.unwrap().is_empty());
            store.close().await.unwrap();
        }
        let store = wanting(&dir, after).await;
        assert_eq!(stood_for(&events(&store, after).await), 12, "once each, {before:?} and {after:?}");
    }
}

#[tokio::test]
async fn what_a_crash_left_open_is_delivered_also_when_repeats_are_changed_and_once_when_they_are_not() {
    for (before, after, most) in
        [(COUNTED, EACH, 3), (EACH, COUNTED, 5), (EACH, EACH, 3), (COUNTED, COUNTED, 3)]
    {
        let dir = directory();
        let store = wanting(&dir, before).await;
        let _feed = store.feed("test", before);
        three(&store, 0).await;
        store.inner.ledger().unwrap().flush(seconds(3)).await.unwrap();
        let crashed = as_after_a_crash(dir.path());

        let store = wanting(&crashed, after).await;
        let events = events(&store, after).await;
        // Told each, and then as a row: after a crash, and under the same id.
        assert_eq!(stood_for(&events), most, "{before:?} and {after:?}: {events:#?}");
    }
}
