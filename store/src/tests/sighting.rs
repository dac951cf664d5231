use futures_util::future::join_all;
use pinfold_policy::digest::BodyId;

use super::*;
use crate::item::Opinion;
use crate::sighting::{
    Drift, IN_USE, MAX_PARTY_VARIANTS, MAX_VARIANTS, Sighted, Sighting, Standing, Variant, VariantId,
};

const OTHER: &str = "https://vue.comm100.com/other.js";

fn variant(subject: &str, number: u8) -> Variant {
    Variant {
        subject: subject.into(),
        party: "comm100".into(),
        plain: false,
        key: BodyId([number; 32]),
        url: format!("{subject}?siteId={number}").into(),
        headers: vec![("accept".into(), "*/*".into()), ("user-agent".into(), "Mozilla/5.0 (\"X\")".into())],
        http_version: "2".into(),
    }
}

async fn noted(store: &Store, number: u8) -> VariantId {
    store.note_variant(variant(SUBJECT, number), noon()).await.unwrap().unwrap().id
}

fn body(number: u8) -> BodyId {
    Digests::of(&[number]).sha256
}

/// Rechecks once a minute.
async fn seen(store: &Store, id: VariantId, minute: i64, number: u8, is_drift: bool) -> Sighted {
    let (at, digest) = (seconds(60 * minute), body(number));
    let sighting = Sighting { id, at, digest, is_drift, patience: SignedDuration::from_mins(4) };
    store.seen(sighting).await.unwrap().unwrap()
}

async fn now_there(store: &Store) -> Standing {
    let standing = store.standing(Some(SUBJECT)).await.unwrap();
    assert_eq!(standing.len(), 1);
    standing.into_iter().next().unwrap()
}

#[tokio::test]
async fn a_variant_is_in_use_for_a_week_after_it_was_asked_for_last() {
    let dir = directory();
    let store = gateway(&dir).await;
    let first = store.note_variant(variant(SUBJECT, 1), noon()).await.unwrap().unwrap();
    assert_eq!((first.variant, first.checked, first.failures), (variant(SUBJECT, 1), None, 0));
    // The vendor has another name in the files by now.
    let later = Variant {
        url: "https://vue.comm100.com/livechat.ashx?t=2".into(),
        party: "comm100-eu".into(),
        ..variant(SUBJECT, 1)
    };
    let again = store.note_variant(later.clone(), seconds(60)).await.unwrap().unwrap();
    assert_eq!((again.id, &again.variant, again.asked), (first.id, &later, seconds(60)));

    assert_eq!(store.variants_in_use(seconds(60) + IN_USE).await.unwrap(), [again]);
    assert_eq!(store.variants_in_use(seconds(61) + IN_USE).await.unwrap(), []);
}

#[tokio::test]
async fn a_page_that_makes_up_variants_keeps_no_plain_one_out_and_nobody_says_then_that_all_are_the_same() {
    let dir = directory();
    let store = gateway(&dir).await;
    for number in 0..MAX_VARIANTS as u8 {
        noted(&store, number).await;
    }
    let plain = Variant { plain: true, ..variant(SUBJECT, 100) };
    let plain = store.note_variant(plain, noon()).await.unwrap().expect("a place for what is plain").id;
    let another = Variant { plain: true, ..variant(SUBJECT, 101) };
    assert!(store.note_variant(another, noon()).await.unwrap().is_some());

    assert_eq!(store.variants_in_use(noon()).await.unwrap().len(), MAX_VARIANTS as usize);
    let sighted = seen(&store, plain, 0, 1, true).await;
    assert_eq!(
        sighted.variants.len(),
        MAX_VARIANTS as usize + 1,
        "one stands for those that are not looked at"
    );
}

#[tokio::test]
async fn variants_made_up_at_many_urls_of_a_vendor_keep_no_plain_one_out() {
    let dir = directory();
    let store = gateway(&dir).await;
    let mut notes = tokio::task::JoinSet::new();
    for number in 0..MAX_PARTY_VARIANTS {
        let (store, subject) = (store.clone(), format!("https://vue.comm100.com/{number}.js"));
        notes.spawn(async move { store.note_variant(variant(&subject, 0), noon()).await.unwrap() });
    }
    assert!(notes.join_all().await.iter().all(Option::is_some));

    let plain = Variant { plain: true, ..variant(SUBJECT, 0) };
    assert!(store.note_variant(plain, noon()).await.unwrap().is_some());
    assert_eq!(store.variants_in_use(noon()).await.unwrap().len() as u64, MAX_PARTY_VARIANTS);
}

#[tokio::test]
async fn a_variant_that_made_room_for_a_plain_one_of_another_url_is_known_to_be_left_out() {
    const OTHER: &str = "https://vue.comm100.com/other.js";
    let dir = directory();
    let store = gateway(&dir).await;
    let plain = Variant { plain: true, ..variant(SUBJECT, 0) };
    let plain = store.note_variant(plain, noon()).await.unwrap().unwrap().id;
    let query = noted(&store, 1).await;
    assert_eq!(seen(&store, plain, 0, 7, true).await.variants.len(), 2);
    // Another body there: no cooldown may count.
    assert_eq!(seen(&store, query, 0, 8, true).await.variants.len(), 2);
    let mut notes = tokio::task::JoinSet::new();
    for number in 2..MAX_PARTY_VARIANTS {
        let (store, subject) = (store.clone(), format!("https://vue.comm100.com/{number}.js"));
        notes.spawn(async move { store.note_variant(variant(&subject, 0), seconds(5)).await.unwrap() });
    }
    assert!(notes.join_all().await.iter().all(Option::is_some));
    let other = Variant { plain: true, ..variant(OTHER, 0) };
    let other = store.note_variant(other, seconds(10)).await.unwrap().unwrap().id;

    let watched = seen(&store, plain, 1, 7, true).await.variants;
    assert_eq!(watched.len(), 2, "one stands for what is not looked at any more: {watched:?}");
    assert_eq!(seen(&store, other, 1, 7, true).await.variants.len(), 1, "of the new one all is looked at");
}

#[tokio::test]
async fn one_vendor_takes_a_quarter_of_all_variants_and_no_more() {
    let dir = directory();
    let store = gateway(&dir).await;
    let mut notes = tokio::task::JoinSet::new();
    for number in 0..=MAX_PARTY_VARIANTS {
        let (store, subject) = (store.clone(), format!("https://vue.comm100.com/{number}.js"));
        notes.spawn(async move { store.note_variant(variant(&subject, 0), noon()).await.unwrap() });
    }
    let noted = notes.join_all().await;
    assert_eq!(noted.into_iter().filter(Option::is_none).count(), 1);

    let other = Variant { party: "other".into(), ..variant(OTHER, 0) };
    assert!(store.note_variant(other, noon()).await.unwrap().is_some());
}

#[tokio::test]
async fn variants_of_one_url_that_are_noted_together_take_no_more_places_than_there_are() {
    let dir = directory();
    let store = gateway(&dir).await;
    let note = async |subject, number| store.note_variant(variant(subject, number), noon()).await.unwrap();
    let (noted, others) = tokio::join!(
        join_all((0..=MAX_VARIANTS as u8).map(|number| note(SUBJECT, number))),
        join_all([7, 7].map(|number| note(OTHER, number))),
    );
    assert_eq!(noted.iter().filter(|noted| noted.is_none()).count(), 1);
    let [Some(one), Some(same)] = others.as_slice() else { panic!("{others:?}") };
    assert_eq!((one.id, &one.variant), (same.id, &variant(OTHER, 7)));
    assert_eq!(store.variants_in_use(noon()).await.unwrap().len() as u64, MAX_VARIANTS + 1);
}

#[tokio::test]
async fn one_variant_makes_room_for_one_where_a_vendor_took_over_anothers() {
    let dir = directory();
    let store = gateway(&dir).await;
    let theirs = |number: u64, party: &str| Variant {
        party: party.into(),
        ..variant(&format!("https://vue.comm100.com/{number}.js"), 0)
    };
    let note = async |number, party| store.note_variant(theirs(number, party), noon()).await.unwrap();
    for (numbers, party) in [(0..10, "bought"), (10..MAX_PARTY_VARIANTS + 10, "comm100"), (0..10, "comm100")]
    {
        let noted = join_all(numbers.map(|number| note(number, party))).await;
        assert!(noted.iter().all(Option::is_some));
    }
    let all = MAX_PARTY_VARIANTS as usize + 10;
    assert_eq!(store.variants_in_use(noon()).await.unwrap().len(), all);

    let plain = Variant { plain: true, ..variant(SUBJECT, 0) };
    assert!(store.note_variant(plain, noon()).await.unwrap().is_some());
    assert_eq!(store.variants_in_use(noon()).await.unwrap().len(), all);
}

#[tokio::test]
async fn a_client_that_makes_up_variants_takes_nobodys_place() {
    let dir = directory();
    let store = gateway(&dir).await;
    for number in 0..MAX_VARIANTS as u8 {
        noted(&store, number).await;
    }
    assert_eq!(store.note_variant(variant(SUBJECT, 99), noon()).await.unwrap(), None);
    assert!(store.note_variant(variant(OTHER, 99), noon()).await.unwrap().is_some());
    let id = noted(&store, 0).await;
    seen(&store, id, 0, 1, false).await;

    let late = seconds(1) + IN_USE;
    assert!(store.note_variant(variant(SUBJECT, 99), late).await.unwrap().is_some());
    let gone = Sighting { id, at: late, digest: body(1), is_drift: true, patience: SignedDuration::ZERO };
    assert_eq!(store.seen(gone).await.unwrap(), None);
}

#[tokio::test]
async fn a_run_lasts_while_the_vendor_serves_the_same_and_a_restart_keeps_it() {
    let dir = directory();
    let store = gateway(&dir).await;
    let id = noted(&store, 1).await;
    seen(&store, id, 0, 1, false).await;
    seen(&store, id, 1, 2, true).await;
    seen(&store, id, 3, 2, true).await;
    store.close().await.unwrap();

    let store = gateway(&dir).await;
    let sighted = seen(&store, id, 7, 2, true).await;
    let run = sighted.variants[0].run.unwrap();
    assert_eq!((run.digest, run.since, run.steady), (body(2), seconds(60), seconds(60)));
    assert_eq!((run.last, run.sightings, run.longest_gap), (seconds(420), 3, SignedDuration::from_mins(4)));
    assert_eq!(sighted.variants[0].known, Some(noon()));

    let run = seen(&store, id, 12, 2, true).await.variants[0].run.unwrap();
    assert_eq!((run.since, run.steady, run.sightings), (seconds(60), seconds(720), 1));
    let run = seen(&store, id, 13, 1, false).await.variants[0].run.unwrap();
    assert_eq!((run.digest, run.since, run.sightings), (body(1), seconds(780), 1));
}

#[tokio::test]
async fn a_vendor_that_is_down_is_noted_and_seen_as_nothing() {
    let dir = directory();
    let store = gateway(&dir).await;
    let id = noted(&store, 1).await;
    seen(&store, id, 0, 1, false).await;
    for minute in [1, 2] {
        store.not_seen(id, seconds(60 * minute), Reason::UpstreamUnreachable).await.unwrap();
    }
    let there = now_there(&store).await;
    assert_eq!(there.failing, Some((seconds(60), Reason::UpstreamUnreachable)));
    assert_eq!(there.run.unwrap().sightings, 1);
    assert_eq!(store.variants_in_use(noon()).await.unwrap()[0].failures, 2);

    let run = seen(&store, id, 3, 1, false).await.variants[0].run.unwrap();
    assert_eq!((run.sightings, run.longest_gap), (2, SignedDuration::from_mins(3)));
    assert_eq!(now_there(&store).await.failing, None);
}

#[tokio::test]
async fn a_subject_is_gone_once_all_that_is_in_use_of_it_was_so_at_every_recheck_for_long_enough() {
    let dir = directory();
    let store = gateway(&dir).await;
    let (one, other) = (noted(&store, 1).await, noted(&store, 2).await);
    let gone = async |store: &Store, id, minute: i64| {
        store.gone(id, seconds(60 * minute), SignedDuration::from_mins(4)).await.unwrap()
    };
    assert!(!gone(&store, one, 0).await);
    assert!(!gone(&store, one, 5).await, "there is another");
    assert!(!gone(&store, other, 6).await);
    assert!(!gone(&store, other, 9).await, "not for long enough");
    assert!(gone(&store, other, 10).await);
    store.close().await.unwrap();
    let store = gateway(&dir).await;
    assert!(gone(&store, one, 11).await, "a restart keeps it");
    assert_eq!(store.standing(Some(SUBJECT)).await.unwrap()[0].failing.unwrap().1, Reason::UpstreamStatus);

    // Any other answer begins it anew, and so does a clock that was set back.
    store.not_seen(one, seconds(60 * 12), Reason::UpstreamUnreachable).await.unwrap();
    assert!(!gone(&store, other, 13).await);
    assert!(!gone(&store, one, 14).await);
    assert!(gone(&store, one, 18).await);
    seen(&store, other, 19, 1, true).await;
    assert!(!gone(&store, one, 20).await);
    assert!(!gone(&store, other, 21).await);
    assert!(!gone(&store, other, 3).await);
    assert!(!gone(&store, other, 6).await);
    assert!(gone(&store, other, 25).await);

    // Nobody knows of what there is no place for.
    store.leave_variant_out(SUBJECT, seconds(60 * 26)).await.unwrap();
    assert!(!gone(&store, other, 27).await);
}

#[tokio::test]
async fn a_flapping_vendor_has_one_record_for_each_body_and_each_is_told_once() {
    let dir = directory();
    let store = gateway(&dir).await;
    let id = noted(&store, 1).await;
    let mut untold = Vec::new();
    for minute in 0..40 {
        let number = u8::try_from(minute % 2).unwrap();
        match seen(&store, id, minute, number, true).await.drift {
            Some(Drift::Recorded { untold: Some(name) }) => {
                untold.push(name);
                assert_eq!(name.at, seconds(60 * minute));
                // A crash here: it is told again, under the same name.
                let again = seen(&store, id, minute, number, true).await.drift;
                assert_eq!(again, Some(Drift::Recorded { untold: Some(name) }));
                store.drift_told(name.id).await.unwrap();
            }
            drift => assert_eq!(drift, Some(Drift::Recorded { untold: None })),
        }
    }
    assert_eq!(untold.len(), 2);
    assert!(now_there(&store).await.is_drift);
    assert_eq!(seen(&store, id, 40, 1, false).await.drift, None);
    assert!(!now_there(&store).await.is_drift);
}

#[tokio::test]
async fn a_vendor_with_a_nonce_in_each_answer_is_volatile_and_is_told_once() {
    let dir = directory();
    let small = StoreOptions { quarantine_per_url: 3, ..options() };
    let store = Store::open_gateway(dir.path(), small).await.unwrap();
    let id = noted(&store, 1).await;
    let mut told = Vec::new();
    for minute in 0..100u8 {
        let drift = seen(&store, id, minute.into(), minute, true).await.drift.unwrap();
        let (Drift::Recorded { untold } | Drift::Counted { untold }) = drift;
        assert_eq!(matches!(drift, Drift::Recorded { .. }), minute < 3, "{minute}");
        if let Some(name) = untold {
            told.push(minute);
            store.drift_told(name.id).await.unwrap();
        }
    }
    assert_eq!(told, [0, 1, 2, 3]);
    let there = now_there(&store).await;
    assert_eq!((there.volatile, there.is_drift), (Some(97), true));
    let runs: i64 = sqlx::query_scalar("SELECT count(*) FROM run")
        .fetch_one(&mut store.inner.register.reader().await.unwrap().connection)
        .await
        .unwrap();
    assert_eq!(runs, 20);
}

#[tokio::test]
async fn what_was_decided_leaves_room_for_the_next_drift() {
    let dir = directory();
    let small = StoreOptions { quarantine_per_url: 1, ..options() };
    let store = Store::open_gateway(dir.path(), small).await.unwrap();
    let id = noted(&store, 1).await;
    let refusal = Exchange { body: None, ..refused("0.0.0.0:0", noon()) };
    seen(&store, id, 0, 7, true).await;
    let kept = held(&[7]);
    let incident = store.quarantine_unasked(&refusal, SUBJECT, Kind::Script, &kept).await.unwrap();
    assert!(matches!(seen(&store, id, 1, 8, true).await.drift, Some(Drift::Counted { .. })));

    let not_ours = Opinion { who: "ann@desk", reason: "not ours", at: seconds(90), expires: None };
    store.reject(incident, not_ours).await.unwrap();
    assert!(matches!(seen(&store, id, 2, 8, true).await.drift, Some(Drift::Recorded { .. })));
    assert_eq!(now_there(&store).await.volatile, None);
}

#[tokio::test]
async fn what_a_recheck_saw_first_is_in_quarantine_with_nobody_who_asked() {
    let dir = directory();
    let store = gateway(&dir).await;
    let unasked = refused("0.0.0.0:0", noon());
    let incident = store.quarantine_unasked(&unasked, SUBJECT, Kind::Script, &held(TAMPERED)).await.unwrap();
    let (item, askers) = store.item(incident).await.unwrap().unwrap();
    assert_eq!((item.asked, item.clients, item.body_kept, askers), (0, 0, true, vec![]));

    assert_eq!(quarantine(&store, &refused("10.0.0.1:1", seconds(9)), TAMPERED).await, incident);
    store
        .quarantine_unasked(&refused("0.0.0.0:0", seconds(10)), SUBJECT, Kind::Script, &held(TAMPERED))
        .await
        .unwrap();
    let (item, askers) = store.item(incident).await.unwrap().unwrap();
    assert_eq!((item.asked, item.clients, askers.len(), item.last), (1, 1, 1, seconds(10)));
}
