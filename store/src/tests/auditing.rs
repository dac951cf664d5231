//! The history of decisions, and those who change it behind pinfold's back.

use proptest::prelude::*;

use super::*;
use crate::audit::{Audit, Broken, Flaw};
use crate::item::{Lesson, Opinion};

fn says<'a>(who: &'a str, reason: &'a str) -> Opinion<'a> {
    Opinion { who, reason, at: noon(), expires: Some(seconds(60)) }
}

/// Five decisions, and a binding between them.
async fn history(dir: &TempDir) {
    let store = gateway(dir).await;
    let incident = quarantine(&store, &refused("10.0.0.1:1", noon()), TAMPERED).await;
    store.approve(incident, says("ada", "read \"it\",\n\u{1}\u{7f}\u{2028}ü"), 1).await.unwrap();
    store.reject(incident, says("bob", "odd")).await.unwrap();
    let binding = pinfold_policy::verdict::Binding {
        pattern: "https://cdn.example/**".into(),
        digest: Digests::of(REVIEWED).sha256,
        key: "https://cdn.example/a.js".into(),
    };
    store.bind(&binding).await.unwrap();
    let digest = Digests::of(REVIEWED);
    store.revoke(digest.all()[2], says("ada", "")).await.unwrap();
    store.reinstate(digest.all()[2], says("ada", "a mistake")).await.unwrap();
    let lesson = Lesson {
        subject: "https://b.example/x.js".into(),
        url: "https://b.example/x.js?1".into(),
        kind: Kind::Script,
        digest: digest.sha256,
        len: 5,
        vendor: "b".into(),
    };
    store.learn(lesson, 9, noon()).await.unwrap();
    store.close().await.unwrap();
}

/// What one who can write the file does to it, with what makes it easy for him.
async fn tamper(dir: &Path, statements: &str) {
    let path = dir.join("pinfold.db");
    let mut connection = crate::sqlite::open(&path, &crate::register::SCHEMA).await.unwrap();
    sqlx::raw_sql(
        "DROP TRIGGER decision_stays; DROP TRIGGER decision_is_kept; PRAGMA ignore_check_constraints = 1;",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned())).execute(&mut connection).await.unwrap();
    sqlx::raw_sql(
        "CREATE TRIGGER decision_stays BEFORE UPDATE ON decision WHEN old.hash IS NOT NULL
             BEGIN SELECT raise(ABORT, 'decisions are not changed'); END;
         CREATE TRIGGER decision_is_kept BEFORE DELETE ON decision BEGIN SELECT raise(ABORT, 'decisions are not deleted'); END;",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    sqlx::Connection::close(connection).await.unwrap();
}

#[tokio::test]
async fn an_intact_history_is_found_so_beside_a_gateway_and_without_one() {
    let dir = directory();
    history(&dir).await;
    let audit = Store::audit(dir.path()).await.unwrap();
    assert_eq!((audit.decisions, audit.version, audit.broken), (5, 6, None));
    assert!(audit.head.is_some());

    let store = gateway(&dir).await;
    assert_eq!(Store::audit(dir.path()).await.unwrap(), audit);
    store.revoke(Digests::of(TAMPERED).all()[1], says("ada", "bad")).await.unwrap();
    let more = Store::audit(dir.path()).await.unwrap();
    assert_eq!((more.decisions, more.broken), (6, None));
    assert_ne!(more.head, audit.head);
}

#[tokio::test]
async fn whatever_is_changed_behind_pinfolds_back_is_found_where_it_is_and_not_judged_by() {
    for (statements, version, flaw) in [
        ("UPDATE decision SET who = 'eve' WHERE version = 1", 1, Flaw::Changed),
        ("UPDATE decision SET what = 'approved' WHERE version = 2", 2, Flaw::Changed),
        ("UPDATE decision SET expires = NULL WHERE version = 2", 2, Flaw::Changed),
        ("UPDATE decision SET at = 1.5 WHERE version = 4", 4, Flaw::Changed),
        ("UPDATE decision SET reason = CAST(x'ff' AS TEXT) WHERE version = 4", 4, Flaw::Changed),
        ("UPDATE decision SET digest = zeroblob(64) WHERE version = 4", 4, Flaw::Changed),
        ("UPDATE decision SET basis = 'reviewed' WHERE version = 6", 6, Flaw::Changed),
        ("UPDATE decision SET hash = zeroblob(32) WHERE version = 6", 6, Flaw::Changed),
        ("UPDATE decision SET hash = NULL WHERE version = 6", 6, Flaw::Changed),
        ("DELETE FROM decision WHERE version = 1", 1, Flaw::Missing),
        ("DELETE FROM decision WHERE version = 4", 4, Flaw::Missing),
        ("DELETE FROM decision WHERE version = 6", 6, Flaw::Missing),
        ("DELETE FROM decision", 1, Flaw::Missing),
        ("DELETE FROM binding", 3, Flaw::Missing),
        (
            "DELETE FROM decision WHERE version = 4; UPDATE decision SET version = 4 WHERE version = 5",
            4,
            Flaw::Changed,
        ),
        ("UPDATE binding SET version = 2", 2, Flaw::Doubled),
        // The gateway had said that it judges by the sixth.
        ("DELETE FROM decision WHERE version = 6; UPDATE state SET version = 5", 6, Flaw::Missing),
        ("UPDATE state SET version = 5; DELETE FROM gateway", 6, Flaw::Beyond),
        ("INSERT INTO files VALUES (7)", 7, Flaw::Beyond),
    ] {
        let dir = directory();
        history(&dir).await;
        gateway(&dir).await.close().await.unwrap();
        tamper(dir.path(), statements).await;
        let audit = Store::audit(dir.path()).await.unwrap();
        let broken = Broken { version, flaw };
        assert_eq!(audit.broken, Some(broken), "{statements}");
        let refused = Store::open_gateway(dir.path(), options()).await.unwrap_err();
        assert!(refused.to_string().ends_with(&broken.to_string()), "{statements}: {refused}");
    }
}

/// A row as pinfold writes it, but for its hash.
const UNSEALED: &str = "INSERT INTO decision (version, at, who, what, basis, reason, incident, subject, digest, kind, approvers)
    SELECT 7, at, who, 'approved', basis, reason, incident, subject, digest, kind, approvers FROM decision WHERE version = 2;
    UPDATE state SET version = 7";

#[tokio::test]
async fn a_row_that_nobody_sealed_is_not_judged_by_and_the_next_decision_does_not_seal_it() {
    let dir = directory();
    history(&dir).await;
    let store = gateway(&dir).await;
    let before = store.decisions().borrow().version();
    tamper(dir.path(), UNSEALED).await;

    for _ in 0..2 {
        let refused = store.revoke(Digests::of(TAMPERED).all()[1], says("ada", "bad")).await.unwrap_err();
        assert!(refused.to_string().contains("hash"), "{refused}");
    }
    assert_eq!(store.decisions().borrow().version(), before);
    store.close().await.unwrap();
    let broken = Broken { version: 7, flaw: Flaw::Changed };
    assert_eq!(Store::audit(dir.path()).await.unwrap().broken, Some(broken));
}

#[tokio::test]
async fn a_file_that_is_set_back_under_a_gateway_takes_no_decision() {
    let dir = directory();
    history(&dir).await;
    let store = gateway(&dir).await;
    tamper(dir.path(), "DELETE FROM decision WHERE version = 6; UPDATE state SET version = 5").await;

    for body in [TAMPERED, REVIEWED] {
        let refused = store.revoke(Digests::of(body).all()[1], says("ada", "bad")).await.unwrap_err();
        assert!(refused.to_string().contains("set back"), "{refused}");
    }
}

#[tokio::test]
async fn a_history_that_was_cut_with_all_its_counters_is_told_by_its_head_alone() {
    let dir = directory();
    history(&dir).await;
    let before = Store::audit(dir.path()).await.unwrap();
    tamper(
        dir.path(),
        "DELETE FROM decision WHERE version = 6; UPDATE state SET version = 5; DELETE FROM gateway",
    )
    .await;
    let after = Store::audit(dir.path()).await.unwrap();
    assert_eq!(after.broken, None);
    assert_ne!(after.head, before.head);
}

#[tokio::test]
async fn a_directory_without_a_store_is_named_and_an_empty_history_is_intact() {
    let dir = directory();
    assert!(matches!(Store::audit(dir.path()).await, Err(crate::StoreError::Absent { .. })));
    gateway(&dir).await.close().await.unwrap();
    assert_eq!(Store::audit(dir.path()).await.unwrap(), Audit::default());
}

#[derive(Clone, Debug)]
enum Step {
    Approve { item: usize, who: u8, of: u32, expires: Option<u8> },
    Reject { item: usize, who: u8 },
    RejectEverywhere { item: usize },
    Revoke { body: usize, notation: usize },
    Reinstate { body: usize, notation: usize },
    Learn { subject: u8, body: usize },
    Bind { body: usize, key: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let (item, body, notation) = (0..4_usize, 0..2_usize, 0..3_usize);
    prop_oneof![
        4 => (item.clone(), 0..3_u8, 1..3_u32, prop::option::of(0..9_u8))
            .prop_map(|(item, who, of, expires)| Step::Approve { item, who, of, expires }),
        2 => (item.clone(), 0..3_u8).prop_map(|(item, who)| Step::Reject { item, who }),
        1 => item.prop_map(|item| Step::RejectEverywhere { item }),
        1 => (body.clone(), notation.clone()).prop_map(|(body, notation)| Step::Revoke { body, notation }),
        2 => (body.clone(), notation).prop_map(|(body, notation)| Step::Reinstate { body, notation }),
        2 => (0..5_u8, body.clone()).prop_map(|(subject, body)| Step::Learn { subject, body }),
        1 => (body, 0..3_u8).prop_map(|(body, key)| Step::Bind { body, key }),
    ]
}

/// Carries out steps; after each, what is published is what a gateway that starts now would read.
async fn carry_out(steps: Vec<Step>) {
    const BODIES: [&[u8]; 2] = [REVIEWED, TAMPERED];
    let dir = directory();
    let store = gateway(&dir).await;
    let subject = |n: u8| format!("https://v.test/{n}.js");
    let mut items = Vec::new();
    for n in 0..4 {
        let refusal = refused("10.0.0.1:1", noon());
        let body = held(BODIES[usize::from(n % 2)]);
        items.push(store.quarantine(&refusal, &subject(n), Kind::Script, &body).await.unwrap());
    }
    for (at, step) in steps.into_iter().enumerate() {
        let names = ["ada", "bob", "cyd"];
        let at = seconds(i64::try_from(at).unwrap());
        let says = |who: u8| Opinion { who: names[usize::from(who)], reason: "r", at, expires: None };
        let digest = |body: usize, notation: usize| Digests::of(BODIES[body]).all()[notation];
        match step {
            Step::Approve { item, who, of, expires } => {
                let expires = expires.map(|after| at + SignedDuration::from_secs(after.into()));
                // A revoked one is refused.
                let _ = store.approve(items[item], Opinion { expires, ..says(who) }, of).await;
            }
            Step::Reject { item, who } => drop(store.reject(items[item], says(who)).await.unwrap()),
            Step::RejectEverywhere { item } => {
                drop(store.reject_everywhere(items[item], says(0)).await.unwrap());
            }
            Step::Revoke { body, notation } => {
                store.revoke(digest(body, notation), says(0)).await.unwrap();
            }
            Step::Reinstate { body, notation } => {
                store.reinstate(digest(body, notation), says(0)).await.unwrap();
            }
            Step::Learn { subject: n, body } => {
                let lesson = Lesson {
                    subject: subject(n).into(),
                    url: subject(n).into(),
                    kind: Kind::Script,
                    digest: Digests::of(BODIES[body]).sha256,
                    len: 1,
                    vendor: "v".into(),
                };
                store.learn(lesson, 2, at).await.unwrap();
            }
            Step::Bind { body, key } => {
                let binding = pinfold_policy::verdict::Binding {
                    pattern: "https://v.test/**".into(),
                    digest: Digests::of(BODIES[body]).sha256,
                    key: subject(key).into(),
                };
                store.bind(&binding).await.unwrap();
            }
        }
        let published = Arc::clone(&store.decisions().borrow());
        let beside = Store::open_beside(dir.path()).await.unwrap();
        assert_eq!(*published, **beside.decisions().borrow());
        beside.close().await.unwrap();
    }
    let audit = Store::audit(dir.path()).await.unwrap();
    assert_eq!((audit.broken, audit.version), (None, store.decisions().borrow().version()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn what_is_read_row_by_row_is_what_is_read_at_once(steps in prop::collection::vec(step(), 1..30)) {
        tokio::runtime::Runtime::new().unwrap().block_on(carry_out(steps));
    }
}
