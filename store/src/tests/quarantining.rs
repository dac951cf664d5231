use std::os::unix::fs::PermissionsExt as _;

use bytes::Bytes;
use pinfold_policy::digest::BodyId;

use super::*;
use crate::StoreError;
use crate::item::{Item, ItemState, Opinion};
use crate::shelf::{Shelved, Variant};

#[tokio::test]
async fn the_same_body_at_the_same_subject_is_one_incident_and_keeps_who_asked() {
    let dir = directory();
    let store = gateway(&dir).await;
    let first = refused("10.0.0.1:1", noon());
    let incident = quarantine(&store, &first, TAMPERED).await;
    assert_eq!(incident, Incident(first.id));
    let elsewhere = Exchange {
        asker: Asker { page: Some("https://wiki.example/".into()), ..asker("10.0.0.1:2") },
        path: None,
        ..refused("10.0.0.1:2", seconds(1))
    };
    for again in [refused("10.0.0.1:3", seconds(9)), refused("10.0.0.2:1", seconds(3)), elsewhere] {
        assert_eq!(quarantine(&store, &again, TAMPERED).await, incident);
    }

    let copy = as_after_a_crash(dir.path());
    let crashed = gateway(&copy).await;

    let (item, asked) = crashed.item(incident).await.unwrap().unwrap();
    let expected = Item {
        decided: None,
        agreement: None,
        incident,
        subject: SUBJECT.into(),
        url: URL.into(),
        vendor: Some("comm100".into()),
        digest: Digests::of(TAMPERED).sha256,
        len: TAMPERED.len() as u64,
        kind: Kind::Script,
        media_type: Some("text/javascript".into()),
        reason: Reason::DigestMismatch,
        first: noon(),
        last: seconds(9),
        asked: 4,
        clients: 2,
        state: ItemState::Waiting,
        body_kept: true,
        path_waits: false,
        path: Some(path()),
    };
    assert_eq!(item, expected);
    let asked: Vec<_> =
        asked.iter().map(|by| (by.address.to_string(), by.page.as_deref(), by.count, by.last)).collect();
    let page = Some("https://intranet.example/support");
    assert_eq!(
        asked,
        [
            ("10.0.0.1".to_owned(), page, 2, seconds(9)),
            ("10.0.0.2".to_owned(), page, 1, seconds(3)),
            ("10.0.0.1".to_owned(), Some("https://wiki.example/"), 1, seconds(1)),
        ]
    );
    assert_eq!(crashed.body_of(item.digest).await.unwrap().as_deref(), Some(TAMPERED));
}

#[tokio::test]
async fn a_hundred_clients_at_once_make_one_item() {
    let dir = directory();
    let store = gateway(&dir).await;
    let mut asking = tokio::task::JoinSet::new();
    for client in 0..100 {
        let (store, refusal) = (store.clone(), refused(&format!("10.0.0.{client}:1"), noon()));
        asking.spawn(async move { quarantine(&store, &refusal, TAMPERED).await });
    }
    let incidents = asking.join_all().await;
    assert!(incidents.iter().all(|incident| *incident == incidents[0]));

    let copy = as_after_a_crash(dir.path());
    let crashed = gateway(&copy).await;

    let items = crashed.quarantined().await.unwrap();
    assert_eq!(
        items.iter().map(|item| (item.asked, item.clients, item.body_kept)).collect::<Vec<_>>(),
        [(100, 100, true)]
    );
    assert_eq!(crashed.item(incidents[0]).await.unwrap().unwrap().1.len(), 100);
    assert!(crashed.body_of(items[0].digest).await.unwrap().is_some());
}

#[tokio::test]
async fn one_client_cannot_fill_the_list_of_those_who_asked() {
    let dir = directory();
    let store = gateway(&dir).await;
    for number in 0..30 {
        let mut refusal = refused("10.0.0.1:1", seconds(number));
        refusal.asker.page = Some(format!("https://intranet.example/{number}").into());
        quarantine(&store, &refusal, TAMPERED).await;
    }
    let last = quarantine(&store, &refused("10.0.0.2:1", seconds(30)), TAMPERED).await;

    let (item, asked) = store.item(last).await.unwrap().unwrap();
    assert_eq!((item.asked, item.clients, asked.len()), (31, 2, 11));
    assert_eq!(asked.iter().map(|by| by.count).sum::<u64>(), 31);
}

#[tokio::test]
async fn beyond_its_bounds_the_quarantine_keeps_rows_and_no_bodies() {
    let dir = directory();
    let small = StoreOptions { quarantine_per_url: 2, quarantine_max: 2000, ..options() };
    let store = Store::open_gateway(dir.path(), small).await.unwrap();
    for number in 0..3u8 {
        quarantine(&store, &refused("10.0.0.1:1", seconds(number.into())), &[number; 100]).await;
    }
    let kept = |items: Vec<Item>| items.iter().rev().map(|item| item.body_kept).collect::<Vec<_>>();
    assert_eq!(kept(store.quarantined().await.unwrap()), [true, true, false]);
    assert_eq!(store.body_of(Digests::of(&[2; 100]).sha256).await.unwrap(), None);
    for (number, is_kept) in [(0, true), (1, true), (2, false), (3, false)] {
        assert_eq!(store.keeps(Digests::of(&[number; 100]).sha256).await.unwrap(), is_kept, "{number}");
    }

    let elsewhere = async |url: &str, body: &[u8]| {
        let refusal = refused("10.0.0.1:1", seconds(3));
        store.quarantine(&refusal, url, Kind::Script, &held(body)).await.unwrap();
    };
    elsewhere("https://other.example/a.js", &[9; 2000]).await;
    elsewhere("https://other.example/a.js", &[8; 1000]).await;
    // The same body elsewhere is there already.
    elsewhere("https://other.example/b.js", &[0; 100]).await;
    let mut all = store.quarantined().await.unwrap();
    all.sort_by_key(|item| item.len);
    assert_eq!(all.iter().map(|item| item.body_kept).filter(|kept| !kept).count(), 2);
    assert!(!all.last().unwrap().body_kept);
}

#[tokio::test]
async fn other_bounds_hold_for_what_comes_next() {
    let dir = directory();
    let small = StoreOptions { quarantine_per_url: 1, ..options() };
    let store = Store::open_gateway(dir.path(), small).await.unwrap();
    for number in 0..2u8 {
        quarantine(&store, &refused("10.0.0.1:1", seconds(number.into())), &[number; 100]).await;
    }
    store.bound_quarantine(1 << 30, 2);
    for number in 2..4u8 {
        quarantine(&store, &refused("10.0.0.1:1", seconds(number.into())), &[number; 100]).await;
    }
    let items = store.quarantined().await.unwrap();
    let kept: Vec<_> = items.iter().rev().map(|item| item.body_kept).collect();
    assert_eq!(kept, [true, false, true, false]);
}

#[tokio::test]
async fn what_was_decided_leaves_room_for_what_comes_next_and_says_by_whom() {
    let dir = directory();
    let small = StoreOptions { quarantine_per_url: 1, ..options() };
    let store = Store::open_gateway(dir.path(), small).await.unwrap();
    for number in 0..3u8 {
        let refusal = refused("10.0.0.1:1", seconds(number.into()));
        let incident = quarantine(&store, &refusal, &[number; 100]).await;
        store
            .approve(
                incident,
                Opinion { who: "ann@desk", reason: "read line by line", at: seconds(30), expires: None },
                1,
            )
            .await
            .unwrap();

        let (item, _) = store.item(incident).await.unwrap().unwrap();
        assert!(item.body_kept, "version {number}");
        let decided = item.decided.unwrap();
        assert_eq!(
            (decided.at, &*decided.who, &*decided.reason),
            (seconds(30), "ann@desk", "read line by line")
        );
    }
}

#[tokio::test]
async fn a_body_that_was_changed_on_disk_is_given_to_nobody() {
    let dir = directory();
    let store = gateway(&dir).await;
    let incident = quarantine(&store, &refused("10.0.0.1:1", noon()), TAMPERED).await;
    let id = store.item(incident).await.unwrap().unwrap().0.digest;
    let hex = id.to_hex();
    let file = dir.path().join("bodies/sha256").join(hex.split_at(2).0).join(format!("{hex}.zst"));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let other = compressed(REVIEWED);
    let longer = compressed(&[7; 1000]);

    for content in [other, longer, b"no zstd".to_vec(), Vec::new()] {
        std::fs::write(&file, content).unwrap();
        let error = store.body_of(id).await.unwrap_err();
        assert!(matches!(&error, StoreError::Damaged { path, .. } if *path == file), "{error}");
    }
    std::fs::remove_file(&file).unwrap();
    assert_eq!(store.body_of(id).await.unwrap(), None);
}

#[tokio::test]
async fn half_written_bodies_of_a_crash_are_gone_and_their_space_is_free() {
    let dir = directory();
    let bounded = StoreOptions { quarantine_per_url: 1, ..options() };
    let store = Store::open_gateway(dir.path(), bounded).await.unwrap();
    let refusal = refused("10.0.0.1:1", noon());
    let asked = crate::register::Asked::new(
        &refusal,
        SUBJECT,
        Kind::Script,
        (&Digests::of(REVIEWED), REVIEWED.len() as u64),
        store.inner.room(),
    );
    assert!(store.inner.register.change(asked).await.unwrap().body_wanted);
    std::fs::write(dir.path().join("bodies/unfinished/half"), "half").unwrap();

    let crashed = as_after_a_crash(dir.path());
    let store = Store::open_gateway(crashed.path(), bounded).await.unwrap();

    assert_eq!(crashed.path().join("bodies/unfinished").read_dir().unwrap().count(), 0);
    quarantine(&store, &refused("10.0.0.1:1", seconds(1)), TAMPERED).await;
    let kept: Vec<_> = store.quarantined().await.unwrap().iter().map(|item| item.body_kept).collect();
    assert_eq!(kept, [true, false]);
}

#[tokio::test]
async fn an_empty_and_a_large_body_are_kept_too() {
    let dir = directory();
    let store = gateway(&dir).await;
    let large: Vec<u8> = (0..3_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for body in [&b""[..], &large] {
        let incident = quarantine(&store, &refused("10.0.0.1:1", noon()), body).await;
        let id = store.item(incident).await.unwrap().unwrap().0.digest;
        assert_eq!(store.body_of(id).await.unwrap().as_deref(), Some(body));
    }
}

fn compressed(body: &[u8]) -> Vec<u8> {
    let pieces = [Ok(Bytes::copy_from_slice(body))];
    pinfold_body::encode(pieces, body.len() as u64, pinfold_body::Coding::Zstd, Vec::new()).unwrap()
}

#[tokio::test]
async fn what_is_read_of_some_items_is_what_is_read_of_them_among_all() {
    let dir = directory();
    let store = gateway(&dir).await;
    let keep = async |subject: &str, body: &[u8], at| {
        let refusal = refused("10.0.0.1:1", at);
        store.quarantine(&refusal, subject, Kind::Script, &held(body)).await.unwrap()
    };
    let here = keep(SUBJECT, TAMPERED, noon()).await;
    let other_body = keep(SUBJECT, b"other", seconds(1)).await;
    let elsewhere = keep("https://b.example/x.js", TAMPERED, seconds(2)).await;
    keep("https://b.example/x.js", b"unrelated", seconds(3)).await;
    let ada = || Opinion { who: "ada@host", reason: "read it", at: noon(), expires: None };
    store.approve(other_body, ada(), 2).await.unwrap();
    store.reject(elsewhere, ada()).await.unwrap();
    let among_all = |all: Vec<Item>| {
        let order = [other_body, here, elsewhere];
        order.map(|incident| all.iter().find(|item| item.incident == incident).cloned().unwrap())
    };

    let some = store.items_of(SUBJECT, &[Digests::of(TAMPERED).sha256; 2]).await.unwrap();

    assert_eq!(some, among_all(store.quarantined().await.unwrap()));
    assert!(some[0].agreement.is_some() && some[2].state == ItemState::Rejected, "{some:?}");
    let states = [store.state_of(here).await.unwrap(), store.state_of(elsewhere).await.unwrap()];
    assert_eq!(states, [Some(ItemState::Waiting), Some(ItemState::Rejected)]);
    assert_eq!(store.state_of(Incident(uuid::Uuid::nil())).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_on_the_shelf_at_a_url_is_there_with_whatever_query_and_of_no_other_url() {
    let dir = directory();
    let store = gateway(&dir).await;
    let urls = [
        "/a.js",
        "/a.js?",
        "/a.js?v=1",
        "/a.js?v=\u{fc}",
        "/a.jsx",
        "/a.js/b",
        "/a.js%3Fv=1",
        "/a.j",
        "/A.js?v=1",
    ];
    for url in urls {
        let shelved = Shelved {
            variant: Variant {
                url: format!("https://v.test{url}").into(),
                origin: "".into(),
                vary: "".into(),
                values: BodyId([0; 32]),
            },
            digests: Digests::of(REVIEWED),
            len: REVIEWED.len() as u64,
            head: Vec::new(),
            kinds: Kinds::from_iter([Kind::Script]),
            path: None,
            seen: noon(),
            asked: noon(),
            first: noon(),
        };
        store.shelve(shelved, &held(REVIEWED), false).await.unwrap();
    }
    assert_eq!(store.on_shelf().await.unwrap().len(), urls.len());
    assert!(store.keeps(Digests::of(REVIEWED).sha256).await.unwrap());
    assert!(!store.keeps(Digests::of(TAMPERED).sha256).await.unwrap());

    let found = store.on_shelf_at("https://v.test/a.js").await.unwrap();

    let mut found: Vec<_> = found.iter().map(|shelved| &*shelved.variant.url).collect();
    found.sort_unstable();
    assert_eq!(found, urls[..4].iter().map(|url| format!("https://v.test{url}")).collect::<Vec<_>>());
}
