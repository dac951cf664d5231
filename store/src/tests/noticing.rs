use super::*;
use crate::StoreError;
use crate::entry::{Notice, What};

fn notice(at: Timestamp, text: &str) -> Notice {
    Notice {
        id: Uuid::now_v7(),
        at,
        what: What::ReloadFailed,
        who: Some("ada".into()),
        subject: Some("pinfold.toml".into()),
        digest: Some(Digests::of(TAMPERED).sha256),
        incident: Some(Incident(Uuid::now_v7())),
        text: text.into(),
        policy_version: 7,
    }
}

#[tokio::test]
async fn a_notice_is_on_disk_when_it_is_acknowledged_and_is_one_event_for_each_output() {
    let dir = directory();
    let store = Store::open_gateway(dir.path(), each()).await.unwrap();
    let by_ada = notice(noon(), "pins.toml:14:12: digest is 63 hex digits, expected 64");
    let by_the_gateway = Notice {
        what: What::PolicyReloaded,
        who: None,
        subject: None,
        digest: None,
        incident: None,
        ..notice(seconds(1), "")
    };
    store.notice(by_ada.clone()).await.unwrap();
    store.notice(by_the_gateway.clone()).await.unwrap();

    let crashed = as_after_a_crash(dir.path());
    let after = gateway(&crashed).await;
    assert_eq!(after.notices(9).await.unwrap(), [by_the_gateway.clone(), by_ada.clone()]);
    assert_eq!(after.notices(1).await.unwrap(), std::slice::from_ref(&by_the_gateway));
    let told = [Event::Notice(by_ada), Event::Notice(by_the_gateway)];
    assert_eq!(events(&after, Repeats::Counted).await, told);
    assert_eq!(events(&store, Repeats::Each).await, told);
}

/// The notices of new items, once there are so many.
async fn told_of_items(store: &Store, count: usize) -> Vec<Notice> {
    let mut feed = store.feed("a test", Repeats::Counted);
    let mut told = Vec::new();
    while told.len() < count {
        for event in feed.next(100).await.unwrap() {
            if let Event::Notice(notice) = event
                && notice.what == What::Quarantined
            {
                told.push(notice);
            }
        }
    }
    told
}

#[tokio::test]
async fn each_item_of_the_quarantine_is_told_of_once_before_what_is_decided_of_it_also_after_a_crash() {
    let dir = directory();
    let store = gateway(&dir).await;
    let first = quarantine(&store, &refused("10.0.0.1:1", noon()), TAMPERED).await;
    let again = quarantine(&store, &refused("10.0.0.2:1", seconds(1)), TAMPERED).await;
    let second = quarantine(&store, &refused("10.0.0.1:1", seconds(2)), REVIEWED).await;
    assert_eq!(first, again);
    let told = told_of_items(&store, 2).await;
    assert_eq!(told.iter().map(|told| told.incident.unwrap()).collect::<Vec<_>>(), [first, second]);
    let Notice { at, digest, subject, who, text, .. } = &told[0];
    assert_eq!((*at, *digest), (noon(), Some(Digests::of(TAMPERED).sha256)));
    assert_eq!((subject.as_deref(), who), (Some(SUBJECT), &None));
    assert!(text.starts_with("digest mismatch at https://"), "{text}");

    // The crash came before it was noted how far the feed was told.
    let crashed = as_after_a_crash(dir.path());
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(crashed.path().join("pinfold.db"));
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query("UPDATE announced SET item = 0").execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
    let after = gateway(&crashed).await;
    let third = quarantine(&after, &refused("10.0.0.1:1", seconds(3)), b"another").await;
    let told = told_of_items(&after, 3).await;
    assert_eq!(told.iter().map(|told| told.incident.unwrap()).collect::<Vec<_>>(), [first, second, third]);
}

#[tokio::test]
async fn what_is_told_again_after_a_crash_is_there_once() {
    let dir = directory();
    let store = gateway(&dir).await;
    let told = notice(noon(), "told before the crash");
    store.notice(told.clone()).await.unwrap();
    let crashed = as_after_a_crash(dir.path());
    let after = gateway(&crashed).await;
    after.notice(Notice { text: "told again".into(), ..told.clone() }).await.unwrap();
    assert_eq!(after.notices(9).await.unwrap(), std::slice::from_ref(&told));
    assert_eq!(events(&after, Repeats::Counted).await, [Event::Notice(told)]);
}

#[tokio::test]
async fn a_long_text_is_cut_between_characters() {
    let dir = directory();
    let store = gateway(&dir).await;
    store.notice(notice(noon(), &"\u{20ac}".repeat(Notice::LONGEST_TEXT))).await.unwrap();
    let kept = store.notices(1).await.unwrap();
    assert_eq!(&*kept[0].text, "\u{20ac}".repeat(Notice::LONGEST_TEXT / 3));
}

#[tokio::test]
async fn a_closed_ledger_and_a_command_take_no_notice() {
    let dir = directory();
    let store = gateway(&dir).await;
    let beside = Store::open_beside(dir.path()).await.unwrap();
    assert!(matches!(beside.notice(notice(noon(), "")).await, Err(StoreError::NotTheGateway)));
    store.close().await.unwrap();
    assert!(matches!(store.notice(notice(noon(), "")).await, Err(StoreError::Closed)));
}
