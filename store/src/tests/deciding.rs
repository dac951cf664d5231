use std::time::Duration;

use pinfold_policy::decisions::Decisions;
use pinfold_policy::policy::{Policy, Rulebook};
use pinfold_policy::url::ArtifactUrl;
use pinfold_policy::verdict::{Binding, Verdict, judge};

use super::*;
use crate::DecideError;
use crate::item::{InForce, ItemState};

const WHO: &str = "ada";
const WHY: &str = "read it, SEC-1423";

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

    let approved = beside.approve(incident, WHO, WHY, noon()).await.unwrap();
    assert_eq!((approved.item.state, approved.already), (ItemState::Approved, false));
    decisions.changed().await.unwrap();
    assert_eq!(decisions.borrow_and_update().version(), approved.version);
    assert_eq!(verdict(&decisions.borrow()), format!("approval {incident}"));
    let long = Duration::from_secs(60);
    assert_eq!(beside.in_force(approved.version, long).await.unwrap(), InForce::Yes);

    let rejected = beside.reject(incident, WHO, WHY, noon()).await.unwrap();
    assert_eq!(rejected.item.state, ItemState::Rejected);
    decisions.changed().await.unwrap();
    assert_eq!(verdict(&decisions.borrow_and_update()), "rejected");

    let approved = beside.approve(incident, WHO, WHY, noon()).await.unwrap();
    assert_eq!((approved.item.state, approved.already), (ItemState::Approved, false));
    decisions.changed().await.unwrap();
    assert_eq!(verdict(&decisions.borrow_and_update()), format!("approval {incident}"));

    let revoked = beside.reject_everywhere(incident, WHO, WHY, noon()).await.unwrap();
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
    let approved = store.approve(incident, WHO, WHY, noon()).await.unwrap().version;

    let numbered = store.number_other_files().await.unwrap();

    assert!(numbered > approved);
    let decisions = Arc::clone(&store.decisions().borrow());
    assert_eq!(decisions.version(), numbered);
    assert_eq!(verdict(&decisions), format!("approval {incident}"));
    let crashed = as_after_a_crash(dir.path());
    let after = gateway(&crashed).await;
    assert_eq!(after.decisions().borrow().version(), numbered);
    let rejected = after.reject(incident, WHO, WHY, noon()).await.unwrap().version;
    assert!(rejected > numbered);
    assert_eq!(verdict(&after.decisions().borrow()), "rejected");
}

#[tokio::test]
async fn decisions_survive_a_crash_and_their_history_is_kept() {
    let dir = directory();
    let store = gateway(&dir).await;
    let incident = waiting(&store).await;
    store.reject(incident, WHO, "looks odd", noon()).await.unwrap();
    store.approve(incident, WHO, WHY, seconds(1)).await.unwrap();
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
    let first = store.approve(incident, WHO, WHY, noon()).await.unwrap();
    let again = store.approve(incident, WHO, WHY, noon()).await.unwrap();
    assert_eq!((again.version, again.already), (first.version, true));

    let revoked = store.reject_everywhere(incident, WHO, WHY, noon()).await.unwrap();
    let digest = revoked.item.digest;
    let error = store.approve(incident, WHO, WHY, noon()).await.unwrap_err();
    assert!(matches!(error, DecideError::Revoked { digest: found } if found == digest), "{error}");
    assert!(store.reject(incident, WHO, WHY, noon()).await.unwrap().already);
    assert!(store.reject_everywhere(incident, WHO, WHY, noon()).await.unwrap().already);
    assert_eq!(store.decisions().borrow().version(), revoked.version);

    let unknown = Incident(Uuid::from_u128(5));
    let error = store.reject(unknown, WHO, WHY, noon()).await.unwrap_err();
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
    store.approve(there, WHO, WHY, noon()).await.unwrap();
    store.reject(here, WHO, WHY, noon()).await.unwrap();
    assert_eq!(store.item(there).await.unwrap().unwrap().0.state, ItemState::Approved);

    store.reject_everywhere(here, WHO, WHY, noon()).await.unwrap();

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
