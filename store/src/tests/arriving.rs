use futures_util::future::join_all;
use pinfold_policy::path::{Arrival, LEARNING_FETCHES, Mark};

use super::*;
use crate::item::{ItemState, Opinion};
use crate::path::{Arrived, MAX_MARKS, RefusedMark};

const HOST: &str = "vue.comm100.com";

fn marks(issuer: &str, address: &str) -> Vec<Mark> {
    Mark::of(Some(&format!("C=US, O={issuer}, CN=R3")), address.parse().unwrap()).collect()
}

fn usual() -> Vec<Mark> {
    marks("Usual CA", "192.0.2.7")
}

/// The store after the host was learned.
async fn learned(dir: &TempDir) -> Store {
    let store = gateway(dir).await;
    for second in 0..i64::from(LEARNING_FETCHES) {
        let arrived = store.arrived(HOST, usual(), true, seconds(second)).await.unwrap();
        assert_eq!((arrived.arrival, arrived.is_learning), (Arrival::AsKnown, true));
        assert!(arrived.news.is_empty());
    }
    store
}

async fn arrive(store: &Store, marks: Vec<Mark>, holds: bool, minute: i64) -> Arrived {
    store.arrived(HOST, marks, holds, seconds(60 * minute)).await.unwrap()
}

fn news(arrived: &Arrived) -> Vec<String> {
    arrived.news.iter().map(|news| format!("{} {}", news.mark.aspect(), news.mark)).collect()
}

/// A refusal of the reviewed bytes for the path that they came by.
fn by_another_path(client: &str, issuer: &str, address: &str) -> Exchange {
    let path = DeliveryPath {
        issuer: Some(format!("C=US, O={issuer}, CN=R3").into()),
        address: address.parse().unwrap(),
        ..path()
    };
    Exchange {
        reason: Some(Reason::PathChanged),
        body: Some(Digests::of(REVIEWED).sha256),
        path: Some(path),
        ..refused(client, noon())
    }
}

fn says(who: &str) -> Opinion<'_> {
    Opinion { who, reason: "asked the vendor", at: noon(), expires: None }
}

#[tokio::test]
async fn a_change_is_told_until_its_event_is_on_disk_and_known_from_then_on() {
    let dir = directory();
    let store = learned(&dir).await;
    let first = arrive(&store, marks("Other CA", "198.51.100.1"), false, 1).await;
    assert_eq!((first.arrival, first.is_learning), (Arrival::AsKnown, false));
    assert_eq!(news(&first), ["issuer Other CA", "range 198.51.0.0/16"]);
    store.close().await.unwrap();

    // Killed before it was told: under the same name and time.
    let store = gateway(&dir).await;
    let again = arrive(&store, marks("Other CA", "198.51.7.7"), false, 2).await;
    assert_eq!(again.news, first.news);
    for told in &again.news {
        store.path_change_told(told.untold.id).await.unwrap();
    }
    assert_eq!(news(&arrive(&store, marks("Other CA", "198.51.100.1"), false, 3).await), [""; 0]);
    store.close().await.unwrap();
    let store = gateway(&dir).await;
    let known = arrive(&store, marks("Other CA", "198.51.100.1"), true, 4).await;
    assert_eq!((known.arrival, known.news.len()), (Arrival::AsKnown, 0), "what was told is known");
    assert_eq!(arrive(&store, usual(), true, 5).await.arrival, Arrival::AsKnown);
}

#[tokio::test]
async fn answers_that_bring_a_change_at_the_same_time_tell_it_under_one_name() {
    let dir = directory();
    let store = learned(&dir).await;
    let bring = || arrive(&store, marks("Other CA", "192.0.2.1"), false, 1);
    let (one, other) = tokio::join!(bring(), bring());
    assert_eq!((news(&one), news(&other)), (vec!["issuer Other CA".into()], vec!["issuer Other CA".into()]));
    assert_eq!(one.news[0].untold, other.news[0].untold);
}

#[tokio::test]
async fn arrivals_that_are_noted_together_each_count_for_their_host_and_tell_a_change_once() {
    let dir = directory();
    let store = gateway(&dir).await;
    let others = join_all((0..40).map(|number| {
        let (store, host) = (&store, format!("h{number}.comm100.io"));
        async move { store.arrived(&host, usual(), false, noon()).await.unwrap() }
    }));
    let fetched = join_all((0..=LEARNING_FETCHES).map(|_| arrive(&store, usual(), false, 0)));
    let (others, fetched) = tokio::join!(others, fetched);
    assert!(others.iter().all(|arrived| arrived.is_learning && arrived.news.is_empty()));
    assert_eq!(fetched.iter().filter(|arrived| !arrived.is_learning).count(), 1);

    let changed = join_all((0..3).map(|_| arrive(&store, marks("Other CA", "192.0.2.1"), false, 1))).await;
    let told: Vec<_> = changed.iter().flat_map(|arrived| &arrived.news).map(|news| news.untold).collect();
    assert_eq!(told, [told[0]; 3], "under one name, as long as it is not told");
}

#[tokio::test]
async fn an_issuer_of_whatever_characters_is_known_when_it_comes_again() {
    let dir = directory();
    let store = gateway(&dir).await;
    for name in ["quote \" and \\", "line\nbreak\u{1f}", "nothing\0behind", "\u{fc}\u{1f4a9}\u{2028}", "1"] {
        let host = format!("host-of-{}.test", name.len());
        let marks = || vec![Mark::Issuer(name.into())];
        let first = store.arrived(&host, marks(), false, noon()).await.unwrap();
        let again = store.arrived(&host, marks(), true, seconds(1)).await.unwrap();
        assert_eq!((first.news.len(), again.arrival, again.news.len()), (0, Arrival::AsKnown, 0), "{name:?}");
    }
}

#[tokio::test]
async fn what_is_seen_of_one_host_says_nothing_of_another() {
    let dir = directory();
    let store = learned(&dir).await;
    let other =
        store.arrived("js.comm100.io", marks("Other CA", "198.51.100.1"), true, noon()).await.unwrap();
    assert_eq!((other.arrival, other.is_learning), (Arrival::AsKnown, true));
    assert_eq!(arrive(&store, marks("Other CA", "192.0.2.1"), true, 1).await.arrival, Arrival::Changed);
}

#[tokio::test]
async fn what_is_held_stays_unknown_until_somebody_approves_of_it() {
    let dir = directory();
    let store = learned(&dir).await;
    let other = || marks("Other CA", "192.0.2.1");
    let held = arrive(&store, other(), true, 1).await;
    assert_eq!((held.arrival, news(&held)), (Arrival::Changed, vec!["issuer Other CA".to_owned()]));
    store.path_change_told(held.news[0].untold.id).await.unwrap();
    let held = arrive(&store, other(), true, 2).await;
    assert_eq!((held.arrival, held.news.len()), (Arrival::Changed, 0));

    let refusal = by_another_path("10.0.0.1:1", "Other CA", "192.0.2.1:443");
    let incident = quarantine(&store, &refusal, REVIEWED).await;
    let (item, _) = store.item(incident).await.unwrap().unwrap();
    assert_eq!((item.reason, item.state), (Reason::PathChanged, ItemState::Waiting));
    let beside = Store::open_beside(dir.path()).await.unwrap();
    let approved = beside.approve(incident, says("ada"), 1).await.unwrap();
    assert_eq!((approved.item.state, approved.already), (ItemState::Approved, false));

    assert_eq!(arrive(&store, other(), true, 3).await.arrival, Arrival::AsKnown);
    // That one, and no other.
    assert_eq!(arrive(&store, marks("Third CA", "192.0.2.1"), true, 4).await.arrival, Arrival::Changed);
    assert!(beside.approve(incident, says("ada"), 1).await.unwrap().already);
}

#[tokio::test]
async fn a_body_that_was_approved_before_waits_again_where_its_path_changed() {
    let dir = directory();
    let store = learned(&dir).await;
    let before = Exchange { body: Some(Digests::of(REVIEWED).sha256), ..refused("10.0.0.1:1", noon()) };
    let incident = quarantine(&store, &before, REVIEWED).await;
    store.approve(incident, says("ada"), 1).await.unwrap();
    let other = || marks("Other CA", "198.51.100.1");
    arrive(&store, other(), true, 1).await;

    let refusal = by_another_path("10.0.0.1:1", "Other CA", "198.51.100.1:443");
    assert_eq!(quarantine(&store, &refusal, REVIEWED).await, incident);
    let (item, _) = store.item(incident).await.unwrap().unwrap();
    assert_eq!((item.reason, item.state), (Reason::PathChanged, ItemState::Waiting));
    assert_eq!(item.path.unwrap().address, "198.51.100.1:443".parse().unwrap());
    assert_eq!(store.quarantined().await.unwrap()[0].state, ItemState::Waiting);

    let approved = store.approve(incident, says("ada"), 1).await.unwrap();
    assert_eq!((approved.item.state, approved.already), (ItemState::Approved, false));
    assert_eq!(arrive(&store, other(), true, 2).await.arrival, Arrival::AsKnown);
}

#[tokio::test]
async fn as_many_people_must_approve_of_a_path_as_of_a_body_and_what_they_said_before_is_not_about_it() {
    let dir = directory();
    let store = learned(&dir).await;
    let before = Exchange { body: Some(Digests::of(REVIEWED).sha256), ..refused("10.0.0.1:1", noon()) };
    let incident = quarantine(&store, &before, REVIEWED).await;
    for who in ["ada", "bob"] {
        store.approve(incident, says(who), 2).await.unwrap();
    }
    let other = || marks("Other CA", "198.51.100.1");
    arrive(&store, other(), true, 1).await;
    quarantine(&store, &by_another_path("10.0.0.1:1", "Other CA", "198.51.100.1:443"), REVIEWED).await;

    for (who, state, arrival) in [
        ("ada", ItemState::Waiting, Arrival::Changed),
        ("ada@laptop", ItemState::Waiting, Arrival::Changed),
        ("bob", ItemState::Approved, Arrival::AsKnown),
    ] {
        assert_eq!(store.approve(incident, says(who), 2).await.unwrap().item.state, state, "{who}");
        assert_eq!(arrive(&store, other(), true, 2).await.arrival, arrival, "{who}");
    }
}

/// A body comes by one path, another, and the first again: the item and those who asked name the first alone.
#[tokio::test]
async fn whoever_approves_of_an_item_is_shown_every_path_that_this_admits_and_what_is_refused_later_is_not() {
    let dir = directory();
    let store = learned(&dir).await;
    let refuse = async |issuer: &str, address: &str| {
        arrive(&store, marks(issuer, address), true, 1).await;
        quarantine(&store, &by_another_path("10.0.0.1:1", issuer, &format!("{address}:443")), REVIEWED).await
    };
    refuse("Other CA", "198.51.100.1").await;
    refuse("Evil CA", "203.0.113.9").await;
    let incident = refuse("Other CA", "198.51.100.1").await;
    let all = ["issuer Evil CA", "issuer Other CA", "range 198.51.0.0/16", "range 203.0.0.0/16"];
    assert_eq!(texts(&store.refused_marks(incident).await.unwrap()), all);

    let first = store.approve(incident, says("ada"), 2).await.unwrap();
    assert_eq!(
        (texts(&first.admitted), texts(&first.refused_marks)),
        (vec![], all.map(String::from).to_vec())
    );
    // Of this one Ada has not heard.
    refuse("Third CA", "192.0.2.7").await;
    let second = store.approve(incident, says("bob"), 2).await.unwrap();

    assert_eq!(texts(&second.admitted), all);
    assert_eq!(texts(&second.refused_marks), ["issuer Third CA"]);
    assert_eq!(second.item.state, ItemState::Waiting);
    for (issuer, address, arrival) in [
        ("Evil CA", "198.51.100.1", Arrival::AsKnown),
        ("Other CA", "203.0.113.9", Arrival::AsKnown),
        ("Third CA", "192.0.2.7", Arrival::Changed),
    ] {
        assert_eq!(arrive(&store, marks(issuer, address), true, 2).await.arrival, arrival, "{issuer}");
    }
}

fn texts(marks: &[RefusedMark]) -> Vec<String> {
    marks.iter().map(|mark| format!("{} {}", mark.aspect, mark.value)).collect()
}

#[tokio::test]
async fn a_rejection_of_a_changed_path_admits_nothing() {
    let dir = directory();
    let store = learned(&dir).await;
    let other = || marks("Other CA", "198.51.100.1");
    arrive(&store, other(), true, 1).await;
    let refusal = by_another_path("10.0.0.1:1", "Other CA", "198.51.100.1:443");
    let incident = quarantine(&store, &refusal, REVIEWED).await;

    let rejected = store.reject(incident, says("ada")).await.unwrap();

    assert_eq!(rejected.item.state, ItemState::Rejected);
    assert_eq!(arrive(&store, other(), true, 2).await.arrival, Arrival::Changed);
}

#[tokio::test]
async fn a_flood_of_ranges_is_bounded_and_pushes_out_nothing_that_is_in_use() {
    for holds in [false, true] {
        let dir = directory();
        let store = learned(&dir).await;
        let mut told = Vec::new();
        for at in 0..3 * MAX_MARKS {
            let range = format!("10.{}.0.1", at % 256);
            let arrived = arrive(&store, marks("Usual CA", &range), holds, 1).await;
            assert_eq!(arrived.arrival, if holds { Arrival::Changed } else { Arrival::AsKnown });
            told.extend(arrived.news);
        }
        assert_eq!(told.len() as u64, MAX_MARKS - 1, "one was known");
        let last: Vec<_> = told.iter().filter(|news| news.is_last).collect();
        assert_eq!(last, [told.last().unwrap()]);
        let usual = arrive(&store, usual(), true, 2).await;
        assert_eq!((usual.arrival, usual.news.len()), (Arrival::AsKnown, 0));

        // A week later what nobody has seen since makes room for what is new.
        let week = 8 * 24 * 60;
        let later = arrive(&store, marks("Usual CA", "203.0.113.1"), true, week).await;
        assert_eq!((later.arrival, later.news.len()), (Arrival::Changed, 1));
    }
}
