//! What passed in a window, summed up by what a verdict depends on.

use super::*;
use crate::ledger::{Bounds, traffic};
use crate::{Carried, Sought, Traffic};

const DECEMBER: &str = "2126-12-01T00:00:01Z";

async fn all(store: &Store) -> Traffic {
    store.settle().await.unwrap();
    store.traffic(None, None, |_| {}).await.unwrap()
}

fn counts(traffic: &Traffic) -> Vec<(Outcome, u64, usize)> {
    let count = |carried: &Carried| (carried.outcome, carried.count, carried.clients.len());
    traffic.exchanges.iter().map(count).collect()
}

#[tokio::test]
async fn minutes_clients_and_months_are_summed_up_and_verdicts_are_told_apart() {
    let dir = directory();
    let store = gateway(&dir).await;
    let december: Timestamp = DECEMBER.parse().unwrap();
    for (client, at) in [
        ("10.0.0.1:1", noon()),
        ("10.0.0.1:2", seconds(1)),
        ("10.0.0.2:1", seconds(90)),
        ("10.0.0.2:1", december),
    ] {
        drop(store.record(verified(client, at)).await.unwrap());
    }
    drop(store.record(refused("10.0.0.3:1", seconds(2))).await.unwrap());
    drop(store.tunnel_opened(tunnel(noon())).await.unwrap());
    let closed = Tunnel { reason: Some(Reason::PortNotAllowed), status: 403, ..tunnel(noon()) };
    drop(store.tunnel_opened(closed).await.unwrap());

    let found = all(&store).await;

    assert_eq!(counts(&found), [(Outcome::Verified, 4, 2), (Outcome::Quarantined, 1, 1)]);
    assert_eq!((found.exchanges[0].first, found.exchanges[0].last), (noon(), december));
    let [tunnelled] = &found.tunnels[..] else { panic!("{found:?}") };
    assert_eq!((tunnelled.authority.to_string(), tunnelled.count), ("bank.example:443".into(), 1));
    assert_eq!((found.recorded_since, found.recorded_until), (Some(noon()), Some(december)));

    let mut months = Vec::new();
    let since = store.traffic(Some(december), None, |month| months.push(month.to_owned())).await.unwrap();
    assert_eq!(counts(&since), [(Outcome::Verified, 1, 1)]);
    assert_eq!(since.recorded_since, Some(noon()));
    assert!(months.contains(&"2126-12".to_owned()), "{months:?}");
    let before = store.traffic(None, Some(seconds(0)), |_| {}).await.unwrap();
    assert_eq!(before.exchanges.len(), 1);
}

#[tokio::test]
async fn what_outputs_want_each_of_is_counted_once() {
    let dir = directory();
    let store = Store::open_gateway(dir.path(), each()).await.unwrap();
    for second in 0..3 {
        drop(store.record(verified("10.0.0.1:1", seconds(second))).await.unwrap());
    }

    assert_eq!(counts(&all(&store).await), [(Outcome::Verified, 3, 1)]);
}

#[tokio::test]
async fn beyond_its_bounds_exchanges_are_counted_and_not_told_apart() {
    let dir = directory();
    let store = gateway(&dir).await;
    for number in 0..5 {
        let url = format!("https://vue.comm100.com/{number}.js").into();
        drop(store.record(Exchange { url, ..verified("10.0.0.1:1", noon()) }).await.unwrap());
    }
    store.settle().await.unwrap();
    for (kinds, clients) in [(3, 100), (100, 3)] {
        let bounds = Bounds { kinds, clients };
        let found = traffic(dir.path(), &Sought::default(), bounds, |_| {}).await.unwrap();
        assert_eq!((found.exchanges.len(), found.left_out), (3, 2), "{bounds:?}");
    }
}

#[tokio::test]
async fn where_nothing_was_recorded_there_is_no_traffic() {
    let dir = directory();
    assert_eq!(all(&gateway(&dir).await).await, Traffic::default());
}
