use std::time::Duration;

use pinfold_policy::decisions::Decisions;
use pinfold_policy::policy::{Policy, Rulebook};
use pinfold_policy::url::ArtifactUrl;
use pinfold_policy::verdict::{Binding, Verdict, judge};

use super::*;
use crate::DecideError;
use crate::item::{Agreement, InForce, ItemState, Opinion};

const WHO: &str = "ada";
const WHY: &str = "read it, SEC-1423";

fn ada() -> Opinion<'static> {
    by(WHO)
}

fn by(who: &str) -> Opinion<'_> {
    Opinion { who, reason: WHY, at: noon(), expires: None }
}

async fn waiting(store: &Store) -> Incident {
    quarantine(store, &refused("10.0.0.1:1", noon()), TAMPERED).await
}

/// What the policy says of the tampered body under these decisions: the rule or the reason.
fn verdict(decisions: &Arc<Decisions>) -> String {
    let policy = Policy::new(Arc::new(Rulebook::default()), Arc::clone(decisions));
    let url = ArtifactUrl::parse(URL).unwrap();
    match judge(&policy.expect(&url), Ok(held(TAMPERED)), noon(), policy.revocations()) {
        Verdict::Allow(cleared) => cleared.rule().to_string(),
        Verdict::Bind(..) => "bind".to_owned(),
        Verdict::Withhold(reason, _) => reason.code().to_owned(),
    }
}

#[tokio::test]
async fn a_decision_beside_the_gateway_is_in_force_in_it() {
    let dir = directory();
    let gateway = gateway(&dir).await;
    let incident = waiting(&gateway).await;
    let mut decisions = gateway.decisions();
    assert_eq!(verdict(&decisions.borrow_and_update()), "unlisted-host");
    let beside = Store::open_beside(dir.path()).await.unwrap();

    let approved = beside.approve(incident, ada(), 1).await.unwrap();
    assert_eq!((approved.item.state, approved.already), (ItemState::Approved, false));
    decisions.changed().await.unwrap();
    assert_eq!(decisions.borrow_and_update().version(), approved.version);
    assert_eq!(verdict(&decisions.borrow()), format!("approval {incident}"));
    let long = Duration::from_secs(60);
    assert_eq!(beside.in_force(approved.version, long).await.unwrap(), InForce::Yes);

    let rejected = beside.reject(incident, ada()).await.unwrap();
    assert_eq!(rejected.item.state, ItemState::Rejected);
    decisions.changed().await.unwrap();
    assert_eq!(verdict(&decisions.borrow_and_update()), "rejected");

    let approved = beside.approve(incident, ada(), 1).await.unwrap();
    assert_eq!((approved.item.state, approved.already), (ItemState::Approved, false));
    decisions.changed().await.unwrap();
    assert_eq!(verdict(&decisions.borrow_and_update()), format!("approval {incident}"));

    let revoked = beside.reject_everywhere(incident, ada()).await.unwrap();
    assert_eq!(revoked.item.state, ItemState::Revoked);
    decisions.changed().await.unwrap();
    assert_eq!(verdict(&decisions.borrow_and_update()), "revoked");
    assert_eq!(beside.in_force(revoked.version, long).await.unwrap(), InForce::Yes);
    assert_eq!(beside.in_force(revoked.version + 1, Duration::ZERO).await.unwrap(), InForce::NotYet);

    gateway.close().await.unwrap();
    assert_eq!(beside.in_force(revoked.version, long).await.unwrap(), InForce::NoGateway);
}

#[tokio::test]
async fn other_files_take_a_number_of_their_own_that_no_decision_ever_has() {
    let dir = directory();
    let store = gateway(&dir).await;
    let incident = waiting(&store).await;
    let approved = store.approve(incident, ada(), 1).await.unwrap().version;

    let numbered = store.number_other_files(1).await.unwrap();

    assert!(numbered > approved);
    let decisions = Arc::clone(&store.decisions().borrow());
    assert_eq!(decisions.version(), numbered);
    assert_eq!(verdict(&decisions), format!("approval {incident}"));
    let crashed = as_after_a_crash(dir.path());
    let after = gateway(&crashed).await;
    assert_eq!(after.decisions().borrow().version(), numbered);
    let rejected = after.reject(incident, ada()).await.unwrap().version;
    assert!(rejected > numbered);
    assert_eq!(verdict(&after.decisions().borrow()), "rejected");
}

#[tokio::test]
async fn decisions_survive_a_crash_and_their_history_is_kept() {
    let dir = directory();
    let store = gateway(&dir).await;
    let incident = waiting(&store).await;
    store.reject(incident, Opinion { reason: "looks odd", ..ada() }).await.unwrap();
    store.approve(incident, Opinion { at: seconds(1), ..ada() }, 1).await.unwrap();
    // The store's own decisions are published when the call returns.
    assert_eq!(verdict(&store.decisions().borrow()), format!("approval {incident}"));

    let copy = as_after_a_crash(dir.path());
    let crashed = gateway(&copy).await;

    assert_eq!(verdict(&crashed.decisions().borrow()), format!("approval {incident}"));
    let mut reader = crashed.inner.register.reader().await.unwrap();
    let history: Vec<(String, String, String)> =
        sqlx::query_as("SELECT who, what, reason FROM decision ORDER BY version")
            .fetch_all(&mut reader.connection)
            .await
            .unwrap();
    let row = |what: &str, why: &str| (WHO.to_owned(), what.to_owned(), why.to_owned());
    assert_eq!(history, [row("rejected", "looks odd"), row("approved", WHY)]);
    for change in ["UPDATE decision SET who = 'eve'", "DELETE FROM decision"] {
        assert!(sqlx::query(change).execute(&mut reader.connection).await.is_err(), "{change}");
    }
}

#[tokio::test]
async fn what_is_decided_already_is_not_decided_again() {
    let dir = directory();
    let store = gateway(&dir).await;
    let incident = waiting(&store).await;
    let first = store.approve(incident, ada(), 1).await.unwrap();
    let again = store.approve(incident, ada(), 1).await.unwrap();
    assert_eq!((again.version, again.already), (first.version, true));

    let revoked = store.reject_everywhere(incident, ada()).await.unwrap();
    let digest = revoked.item.digest;
    let error = store.approve(incident, ada(), 1).await.unwrap_err();
    assert!(matches!(error, DecideError::Revoked { digest: found } if found == digest), "{error}");
    assert!(store.reject(incident, ada()).await.unwrap().already);
    assert!(store.reject_everywhere(incident, ada()).await.unwrap().already);
    assert_eq!(store.decisions().borrow().version(), revoked.version);

    let unknown = Incident(Uuid::from_u128(5));
    let error = store.reject(unknown, ada()).await.unwrap_err();
    assert!(matches!(error, DecideError::Unknown(found) if found == unknown), "{error}");
}

#[tokio::test]
async fn a_revocation_reaches_the_same_body_at_other_subjects() {
    let dir = directory();
    let store = gateway(&dir).await;
    let here = waiting(&store).await;
    let refusal = refused("10.0.0.1:1", noon());
    let there =
        store.quarantine(&refusal, "https://b.example/x.js", Kind::Script, &held(TAMPERED)).await.unwrap();
    assert_ne!(here, there);
    store.approve(there, ada(), 1).await.unwrap();
    store.reject(here, ada()).await.unwrap();
    assert_eq!(store.item(there).await.unwrap().unwrap().0.state, ItemState::Approved);

    store.reject_everywhere(here, ada()).await.unwrap();

    assert_eq!(store.item(there).await.unwrap().unwrap().0.state, ItemState::Revoked);
    assert!(store.decisions().borrow().revocations().include(&Digests::of(TAMPERED)));
}

#[tokio::test]
async fn of_two_urls_that_a_digest_is_bound_to_the_first_wins() {
    let dir = directory();
    let store = gateway(&dir).await;
    let bind = async |key: &str| {
        let (pattern, digest) = ("https://cdn.example/**".into(), Digests::of(REVIEWED).sha256);
        store.bind(&Binding { pattern, digest, key: key.into() }).await.unwrap();
        format!("{:?}", store.decisions().borrow())
    };
    let (one, other) = tokio::join!(bind("https://cdn.example/a.js"), bind("https://cdn.example/b.js"));
    for seen in [one, other] {
        assert!(
            seen.contains("https://cdn.example/a.js") && !seen.contains("https://cdn.example/b.js"),
            "{seen}"
        );
    }
    assert_eq!(store.decisions().borrow().version(), 1);

    let copy = as_after_a_crash(dir.path());
    let crashed = gateway(&copy).await;

    assert!(format!("{:?}", crashed.decisions().borrow()).contains("https://cdn.example/a.js"));
}

#[tokio::test]
async fn a_digest_waits_for_as_many_different_people_as_must_agree() {
    let dir = directory();
    let store = gateway(&dir).await;
    let incident = waiting(&store).await;

    let one = store.approve(incident, ada(), 2).await.unwrap();
    assert_eq!((one.item.state, one.already), (ItemState::Waiting, false));
    assert_eq!(one.item.agreement, Some(Agreement { by: vec![WHO.into()], needed: 2 }));
    assert_eq!(verdict(&store.decisions().borrow()), "unlisted-host");
    let twice = store.approve(incident, Opinion { at: seconds(5), ..ada() }, 2).await.unwrap();
    assert_eq!((twice.item.state, twice.already), (ItemState::Waiting, true));

    let elsewhere = store.approve(incident, by("ada@other.example"), 2).await.unwrap();
    assert_eq!((elsewhere.item.state, elsewhere.item.agreement.unwrap().by.len()), (ItemState::Waiting, 1));

    let other = store.approve(incident, by("bob"), 2).await.unwrap();
    assert_eq!((other.item.state, other.item.agreement), (ItemState::Approved, None));
    assert_eq!(verdict(&store.decisions().borrow()), format!("approval {incident}"));
}

#[tokio::test]
async fn a_rejection_by_one_ends_the_agreement_and_stands_until_enough_agree_again() {
    let dir = directory();
    let store = gateway(&dir).await;
    let incident = waiting(&store).await;
    store.approve(incident, ada(), 2).await.unwrap();
    store.reject(incident, by("bob")).await.unwrap();
    let one = store.approve(incident, ada(), 2).await.unwrap();
    assert_eq!((one.item.state, one.item.agreement.unwrap().by.len()), (ItemState::Rejected, 1));
    assert_eq!(verdict(&store.decisions().borrow()), "rejected");
    let two = store.approve(incident, by("cyd"), 2).await.unwrap();
    assert_eq!(two.item.state, ItemState::Approved);

    let back = store.reject(incident, by("bob")).await.unwrap();
    assert_eq!((back.item.state, back.item.agreement), (ItemState::Rejected, None));
}

#[tokio::test]
async fn the_rule_of_the_day_counts_and_takes_nothing_back() {
    let dir = directory();
    let store = gateway(&dir).await;
    let incident = waiting(&store).await;
    store.approve(incident, ada(), 1).await.unwrap();
    // From now on it takes two; what one had released stays so, and the first of two does not end it.
    let renewed = Opinion { expires: Some(seconds(9)), ..ada() };
    let renewed = store.approve(incident, renewed, 2).await.unwrap();
    assert_eq!((renewed.item.state, renewed.item.decided.unwrap().expires), (ItemState::Approved, None));
    let two = store.approve(incident, by("bob"), 2).await.unwrap();
    assert_eq!(two.item.decided.unwrap().expires, Some(seconds(9)));
}

#[tokio::test]
async fn an_approval_ends_when_too_few_people_stand_by_it() {
    let dir = directory();
    let store = gateway(&dir).await;
    let incident = waiting(&store).await;
    let until = |who, end| Opinion { expires: Some(seconds(end)), ..by(who) };
    store.approve(incident, until("ada", 10), 2).await.unwrap();
    let late = Opinion { at: seconds(10), ..by("bob") };
    assert_eq!(store.approve(incident, late, 2).await.unwrap().item.state, ItemState::Waiting);
    store.approve(incident, until("ada", 30), 2).await.unwrap();
    let agreed = store.approve(incident, until("cyd", 20), 2).await.unwrap();
    assert_eq!(agreed.item.decided.unwrap().expires, Some(seconds(30)));

    let policy = Policy::new(Arc::new(Rulebook::default()), Arc::clone(&store.decisions().borrow()));
    let url = ArtifactUrl::parse(URL).unwrap();
    for (at, releases) in [(seconds(29), true), (seconds(30), false)] {
        let verdict = judge(&policy.expect(&url), Ok(held(TAMPERED)), at, policy.revocations());
        assert_eq!(matches!(verdict, Verdict::Allow(_)), releases, "{verdict:?}");
    }
}

#[tokio::test]
async fn a_digest_that_nobody_saw_is_revoked_and_reinstated_by_an_act_of_its_own() {
    let dir = directory();
    let store = gateway(&dir).await;
    let incident = waiting(&store).await;
    store.approve(incident, ada(), 1).await.unwrap();
    for digest in Digests::of(TAMPERED).all() {
        let revoked = store.revoke(digest, ada()).await.unwrap();
        assert!(!revoked.already && store.revoke(digest, ada()).await.unwrap().already);
        assert_eq!(verdict(&store.decisions().borrow()), "revoked", "{digest}");
        assert_eq!(store.item(incident).await.unwrap().unwrap().0.state, ItemState::Revoked, "{digest}");
        let error = store.approve(incident, ada(), 1).await.unwrap_err();
        assert!(matches!(error, DecideError::Revoked { .. }), "{error}");

        let reinstated = store.reinstate(digest, ada()).await.unwrap();
        assert!(!reinstated.already && store.reinstate(digest, ada()).await.unwrap().already);
        assert_eq!(verdict(&store.decisions().borrow()), format!("approval {incident}"));
    }
}

#[tokio::test]
async fn a_revocation_at_an_item_leaves_a_rejection_there_when_it_is_taken_back() {
    let dir = directory();
    let store = gateway(&dir).await;
    let incident = waiting(&store).await;
    store.reject_everywhere(incident, ada()).await.unwrap();
    let digest = Digests::of(TAMPERED).sha256.into();
    assert!(!store.reinstate(digest, ada()).await.unwrap().already);
    assert_eq!(store.item(incident).await.unwrap().unwrap().0.state, ItemState::Rejected);
    assert_eq!(verdict(&store.decisions().borrow()), "rejected");
}

#[tokio::test]
async fn an_approval_names_who_stands_by_it_to_its_end_and_each_once() {
    let dir = directory();
    let store = gateway(&dir).await;
    let incident = waiting(&store).await;
    let for_a_minute = Opinion { expires: Some(seconds(60)), ..by("ben@desk") };
    for opinion in [by("ada@desk"), for_a_minute, by("cyd@desk"), by("ada@laptop")] {
        store.approve(incident, opinion, 2).await.unwrap();
    }

    let approvals = store.approved().await.unwrap();
    let by: Vec<_> = approvals[0].by.iter().map(|assent| &*assent.who).collect();
    assert_eq!((approvals.len(), by), (1, vec!["cyd@desk", "ada@laptop"]));
}
