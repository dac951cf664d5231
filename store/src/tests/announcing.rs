//! Decisions as events: each once.

use super::*;
use crate::entry::What;
use crate::item::{Lesson, Opinion};

fn by(who: &'static str) -> Opinion<'static> {
    Opinion { who, reason: "SEC-1", at: noon(), expires: None }
}

/// The next events of an output that acknowledges nothing before the end, but for new items: what each is, who did it, and
/// its text.
async fn told(store: &Store, count: usize) -> Vec<(What, Option<String>, String)> {
    let mut feed = store.feed("test", Repeats::Counted);
    let mut told = Vec::new();
    while told.len() < count {
        for event in feed.next(count - told.len()).await.unwrap() {
            let Event::Notice(notice) = event else { panic!("{event:?}") };
            if notice.what == What::Quarantined {
                continue;
            }
            told.push((notice.what, notice.who.map(|who| who.to_string()), notice.text.to_string()));
        }
    }
    told
}

fn says(what: What, who: &str, text: &str) -> (What, Option<String>, String) {
    (what, Some(who.to_owned()), text.to_owned())
}

#[tokio::test]
async fn what_a_command_decides_is_an_event_of_the_gateway() {
    let dir = directory();
    let store = gateway(&dir).await;
    let incident = quarantine(&store, &refused("10.0.0.1:1", noon()), TAMPERED).await;
    let beside = Store::open_beside(dir.path()).await.unwrap();
    let [sha256, sha384, _] = Digests::of(TAMPERED).all();
    let lesson = Lesson {
        subject: "https://b.example/x.js".into(),
        url: "https://b.example/x.js".into(),
        kind: Kind::Script,
        digest: Digests::of(REVIEWED).sha256,
        len: 1,
        vendor: "b".into(),
    };
    store.learn(lesson, 9, noon()).await.unwrap();
    beside.approve(incident, by("ada"), 2).await.unwrap();
    beside.approve(incident, by("bob"), 2).await.unwrap();
    beside.reject(incident, by("bob")).await.unwrap();
    beside.revoke(sha256, by("ada")).await.unwrap();
    beside.revoke(sha384, by("ada")).await.unwrap();
    beside.reinstate(sha256, by("ada")).await.unwrap();

    assert_eq!(
        told(&store, 6).await,
        [
            says(What::ApprovalPending, "ada", "SEC-1"),
            says(What::Approved, "bob", "SEC-1"),
            says(What::Rejected, "bob", "SEC-1"),
            says(What::Revoked, "ada", "SEC-1"),
            says(What::Revoked, "ada", &format!("{sha384}: SEC-1")),
            says(What::Reinstated, "ada", "SEC-1"),
        ]
    );
    let notices = store.notices(99).await.unwrap();
    let approved = notices.iter().find(|notice| notice.what == What::Approved).unwrap();
    assert_eq!((approved.subject.as_deref(), approved.incident), (Some(SUBJECT), Some(incident)));
    assert_eq!((approved.digest, approved.policy_version), (Some(Digests::of(TAMPERED).sha256), 3));
}

#[tokio::test]
async fn what_was_decided_while_no_gateway_ran_is_told_once_however_often_it_starts() {
    let dir = directory();
    let store = gateway(&dir).await;
    let incident = quarantine(&store, &refused("10.0.0.1:1", noon()), TAMPERED).await;
    store.close().await.unwrap();
    drop(store);
    let beside = Store::open_beside(dir.path()).await.unwrap();
    beside.reject(incident, by("ada")).await.unwrap();
    let store = gateway(&dir).await;
    assert_eq!(told(&store, 1).await, [says(What::Rejected, "ada", "SEC-1")]);
    store.close().await.unwrap();
    drop(store);

    // As after a crash between the notice and the note of it, with a decision more.
    tamper(&dir, "UPDATE announced SET version = 0").await;
    beside.approve(incident, by("bob"), 1).await.unwrap();
    let store = gateway(&dir).await;
    let both = [says(What::Rejected, "ada", "SEC-1"), says(What::Approved, "bob", "SEC-1")];
    assert_eq!(told(&store, 2).await, both);
    let notices = store.notices(99).await.unwrap();
    assert_eq!(notices.iter().filter(|notice| notice.what != What::Quarantined).count(), 2);
}

async fn tamper(dir: &TempDir, statement: &'static str) {
    let path = dir.path().join("pinfold.db");
    let mut connection = crate::sqlite::open(&path, &crate::register::SCHEMA).await.unwrap();
    sqlx::query(statement).execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
}
