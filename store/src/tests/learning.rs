//! What no person decides: what is learned, and what a rule approves.

use pinfold_policy::decisions::Basis;
use pinfold_policy::policy::{Policy, Rulebook};
use pinfold_policy::url::ArtifactUrl;
use pinfold_policy::verdict::{Verdict, judge};

use super::*;
use crate::DecideError;
use crate::item::{Approved, ItemState, Learned, Lesson, Opinion};

/// What is said of a body at the subject: the rule, whether it is provisional, or the reason.
fn said(store: &Store, body: &[u8]) -> String {
    let policy = Policy::new(Arc::new(Rulebook::default()), Arc::clone(&store.decisions().borrow()));
    let url = ArtifactUrl::parse(URL).unwrap();
    match judge(&policy.expect(&url), Ok(held(body)), noon(), policy.revocations()) {
        Verdict::Allow(cleared) if cleared.is_provisional() => format!("{}; provisional", cleared.rule()),
        Verdict::Allow(cleared) => cleared.rule().to_string(),
        Verdict::Bind(..) => "bind".to_owned(),
        Verdict::Withhold(reason, _) => reason.code().to_owned(),
    }
}

fn says(reason: &str) -> Opinion<'_> {
    Opinion { who: "ada", reason, at: noon(), expires: None }
}

fn lesson(subject: &str, body: &[u8]) -> Lesson {
    Lesson {
        subject: subject.into(),
        url: URL.into(),
        kind: Kind::Script,
        digest: Digests::of(body).sha256,
        len: body.len() as u64,
        vendor: "comm100".into(),
    }
}

async fn learn(store: &Store, subject: &str, body: &[u8]) -> Learned {
    store.learn(lesson(subject, body), 3, noon()).await.unwrap()
}

#[tokio::test]
async fn the_first_content_of_a_url_is_learned_and_no_other() {
    let dir = directory();
    let store = gateway(&dir).await;
    assert_eq!(said(&store, REVIEWED), "unlisted-host");

    assert_eq!(learn(&store, SUBJECT, REVIEWED).await, Learned::Now);

    // In force when the call returns.
    assert_eq!(said(&store, REVIEWED), "learned 1; provisional");
    assert_eq!(said(&store, TAMPERED), "digest-mismatch");
    assert_eq!(learn(&store, SUBJECT, REVIEWED).await, Learned::Same);
    assert_eq!(learn(&store, SUBJECT, TAMPERED).await, Learned::Other);
    assert_eq!(store.decisions().borrow().version(), 1);

    let copy = as_after_a_crash(dir.path());
    assert_eq!(said(&gateway(&copy).await, REVIEWED), "learned 1; provisional");
}

#[tokio::test]
async fn what_was_learned_and_is_confirmed_is_an_approval_of_people() {
    let dir = directory();
    let store = gateway(&dir).await;
    learn(&store, SUBJECT, REVIEWED).await;
    assert!(store.learned_pin(1).await.unwrap().unwrap().is_learned_alone());

    let confirmed = store.confirm(1, says("SEC-1"), 1).await.unwrap();

    assert!(!confirmed.already && !confirmed.pin.is_learned_alone(), "{confirmed:?}");
    assert_eq!(said(&store, REVIEWED), "approval 2");
    let [approved] = &store.approved().await.unwrap()[..] else { panic!("one approval") };
    let by: Vec<_> = approved.by.iter().map(|yes| (&*yes.who, &*yes.reason)).collect();
    assert_eq!(by, [("ada", "SEC-1")], "and not of pinfold, which learned it");
    assert!(store.confirm(1, says("SEC-1"), 1).await.unwrap().already);
    assert!(matches!(
        store.confirm(2, says("no record of what was learned"), 1).await,
        Err(DecideError::NotLearned(2))
    ));
    assert_eq!(Store::audit(dir.path()).await.unwrap().broken, None);
}

#[tokio::test]
async fn what_was_learned_and_is_dropped_is_refused_and_nothing_else_is_learned_there() {
    let dir = directory();
    let store = gateway(&dir).await;
    learn(&store, SUBJECT, REVIEWED).await;

    let dropped = store.drop_learned(1, says("SEC-2")).await.unwrap();

    assert_eq!((dropped.pin.state, dropped.already), (ItemState::Rejected, false));
    assert_eq!(said(&store, REVIEWED), "rejected");
    assert_eq!(learn(&store, SUBJECT, TAMPERED).await, Learned::Other);
    assert_eq!(learn(&store, SUBJECT, REVIEWED).await, Learned::Other);
    assert!(store.approved().await.unwrap().is_empty());
    // Whoever dropped it by mistake takes that back.
    store.confirm(1, says("SEC-3"), 1).await.unwrap();
    assert_eq!(said(&store, REVIEWED), "approval 3");
}

#[tokio::test]
async fn where_two_people_must_confirm_one_twice_is_not_enough() {
    let dir = directory();
    let store = gateway(&dir).await;
    learn(&store, SUBJECT, REVIEWED).await;
    let by = |who| Opinion { who, ..says("SEC-1") };

    let first = store.confirm(1, by("ada@one"), 2).await.unwrap();
    assert_eq!(first.pin.agreement.as_ref().map(|agreement| agreement.needed), Some(2));
    store.confirm(1, by("Ada@two"), 2).await.unwrap();
    assert_eq!(said(&store, REVIEWED), "learned 1; provisional");
    let [approved] = &store.approved().await.unwrap()[..] else { panic!("one approval") };
    assert_eq!(approved.by.len(), 1, "one person's word is no confirmation yet: {approved:?}");

    store.confirm(1, by("bob@one"), 2).await.unwrap();
    assert_eq!(said(&store, REVIEWED), "approval 4");
    assert_eq!(store.approved().await.unwrap()[0].by.len(), 2);
}

#[tokio::test]
async fn what_is_revoked_is_not_confirmed() {
    let dir = directory();
    let store = gateway(&dir).await;
    learn(&store, SUBJECT, REVIEWED).await;
    store.revoke(Digests::of(REVIEWED).sha256.into(), says("SEC-9")).await.unwrap();
    assert!(matches!(store.confirm(1, says("SEC-1"), 1).await, Err(DecideError::Revoked { .. })));
    assert_eq!(store.learned_pin(1).await.unwrap().unwrap().state, ItemState::Revoked);
}

#[tokio::test]
async fn of_many_that_learn_at_one_time_one_does() {
    let dir = directory();
    let store = gateway(&dir).await;
    let mut learning = tokio::task::JoinSet::new();
    for client in 0..20_u8 {
        let store = store.clone();
        learning.spawn(async move { learn(&store, SUBJECT, &[client % 2]).await });
    }
    let learned = learning.join_all().await;
    let count = |what| learned.iter().filter(|learned| **learned == what).count();
    assert_eq!((count(Learned::Now), count(Learned::Same), count(Learned::Other)), (1, 9, 10));
}

#[tokio::test]
async fn no_more_is_learned_of_a_vendor_than_the_cap() {
    let dir = directory();
    let store = gateway(&dir).await;
    for n in 0..3 {
        assert_eq!(learn(&store, &format!("{SUBJECT}/{n}"), REVIEWED).await, Learned::Now);
    }
    assert_eq!(learn(&store, SUBJECT, REVIEWED).await, Learned::Full);
    assert_eq!(learn(&store, &format!("{SUBJECT}/0"), REVIEWED).await, Learned::Same);
    let other = Lesson { vendor: "jsdelivr".into(), ..lesson(SUBJECT, REVIEWED) };
    assert_eq!(store.learn(other, 3, noon()).await.unwrap(), Learned::Now);
}

#[tokio::test]
async fn nothing_is_learned_where_a_person_has_decided() {
    let dir = directory();
    let store = gateway(&dir).await;
    let incident = quarantine(&store, &refused("10.0.0.1:1", noon()), TAMPERED).await;
    store.reject(incident, says("odd")).await.unwrap();
    assert_eq!(learn(&store, SUBJECT, REVIEWED).await, Learned::Other);
    assert_eq!(learn(&store, SUBJECT, TAMPERED).await, Learned::Other);

    store.reject_everywhere(incident, says("odd")).await.unwrap();
    assert_eq!(learn(&store, "https://b.example/x.js", TAMPERED).await, Learned::Other);
    assert_eq!(said(&store, REVIEWED), "digest-mismatch");
}

#[tokio::test]
async fn what_was_learned_is_confirmed_or_rejected_by_a_person() {
    let dir = directory();
    let store = gateway(&dir).await;
    learn(&store, SUBJECT, REVIEWED).await;
    let incident = quarantine(&store, &refused("10.0.0.1:1", noon()), REVIEWED).await;

    store.reject(incident, says("odd")).await.unwrap();
    assert_eq!(said(&store, REVIEWED), "rejected");
    assert_eq!(learn(&store, SUBJECT, REVIEWED).await, Learned::Other);

    store.approve(incident, says("read it"), 1).await.unwrap();
    assert_eq!(said(&store, REVIEWED), format!("approval {incident}"));
}

#[tokio::test]
async fn a_rule_approves_only_what_nobody_has_decided() {
    let dir = directory();
    let store = gateway(&dir).await;
    let incident = quarantine(&store, &refused("10.0.0.1:1", noon()), TAMPERED).await;

    let cooled = store.approve_by_cooldown(incident, "unchanged for 7 days", noon()).await.unwrap();

    assert_eq!((cooled.item.state, cooled.already), (ItemState::Approved, false));
    assert_eq!(said(&store, TAMPERED), format!("cooldown {incident}; provisional"));
    let decided = cooled.item.decided.unwrap();
    assert_eq!((&*decided.who, &*decided.reason), ("pinfold", "unchanged for 7 days"));

    let twice = store.approve_by_cooldown(incident, "again", noon()).await.unwrap_err();
    assert!(matches!(twice, DecideError::Decided(ItemState::Approved)), "{twice}");
    for (decide, state) in [
        (store.reject(incident, says("odd")).await, ItemState::Rejected),
        (store.approve(incident, says("read it"), 1).await, ItemState::Approved),
        (store.reject_everywhere(incident, says("odd")).await, ItemState::Revoked),
    ] {
        assert_eq!(decide.unwrap().item.state, state);
    }
    let error = store.approve_by_cooldown(incident, "again", noon()).await.unwrap_err();
    assert!(matches!(error, DecideError::Revoked { .. }), "{error}");
    assert_eq!(said(&store, TAMPERED), "revoked");
}

#[tokio::test]
async fn the_ledger_remembers_where_a_pin_has_judged() {
    let dir = directory();
    let store = gateway(&dir).await;
    let known = async |subject: &str| store.was_judged_by_a_pin(subject).await.unwrap();
    let record = async |url: &str, outcome, reason, at| {
        let exchange =
            Exchange { url: url.into(), outcome, reason, rule: None, ..verified("10.0.0.1:40000", at) };
        let _ = store.record(exchange).await.unwrap();
    };
    assert!(!known(SUBJECT).await);
    record(URL, Outcome::Observed, Some(Reason::Unpinned), noon()).await;
    record("https://v.test/b.js", Outcome::Blocked, Some(Reason::Unpinned), noon()).await;
    record("https://v.test/a.js@x", Outcome::Verified, None, noon()).await;
    assert!(
        !known(SUBJECT).await && !known("https://v.test/b.js").await && !known("https://v.test/a.js").await
    );

    let last_month = noon() - SignedDuration::from_hours(24 * 31);
    record(URL, Outcome::Verified, None, last_month).await;
    assert!(known(SUBJECT).await && known(URL).await);
    for (at, reason) in [Reason::DigestMismatch, Reason::ExpiredPin, Reason::Rejected].into_iter().enumerate()
    {
        let url = format!("https://v.test/{at}.js");
        record(&url, Outcome::Blocked, Some(reason), noon()).await;
        assert!(known(&url).await, "{reason}");
    }
}

#[tokio::test]
async fn approvals_are_read_with_who_made_them() {
    let dir = directory();
    let store = gateway(&dir).await;
    learn(&store, SUBJECT, REVIEWED).await;

    let approved = store.approved().await.unwrap();

    let [Approved { approval, url, vendor, by }] = &approved[..] else { panic!("{approved:?}") };
    assert_eq!((&*approval.subject, approval.basis, &*approval.record), (SUBJECT, Basis::Learned, "1"));
    assert_eq!((url.as_deref(), vendor.as_deref()), (Some(URL), Some("comm100")));
    assert_eq!((by.len(), by[0].at, &*by[0].who), (1, noon(), "pinfold"));
}
