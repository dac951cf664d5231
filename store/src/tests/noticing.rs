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
