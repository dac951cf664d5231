//! Wrong credentials are summed up, by client and user, and what was typed is kept nowhere.

use std::path::PathBuf;

use pinfold_integration_tests::{Client, Event, Gateway, client, gateway};

use crate::admission::asking_for_passwords;
use crate::refused;
use crate::signing::times;

const WRONG: &str = "open-barley-4711";

async fn fails(client: Client) {
    let refusal = client.connect("cdn.vendor.test:443").await.unwrap().unwrap_err();
    refused(&refusal, 407, "blocked", "credentials-required");
}

/// What the gateway has told of logins by its end.
async fn told(gateway: &Gateway) -> Vec<Event> {
    assert!(gateway.terminate().await.success());
    let mut events = gateway.every_event().await;
    events.retain(|event| event.text("event.action") == Some("login-failed"));
    events
}

/// How often a user, or nobody who is known, was tried from an address.
fn tried(told: &[Event], client: &str, user: Option<&str>) -> u64 {
    let is_it = |event: &&Event| {
        event.text("source.ip") == Some(client)
            && event.text("Pinfold.subject") == Some(client)
            && event.text("user.name") == user
    };
    told.iter().filter(is_it).map(times).sum()
}

fn files(folder: PathBuf) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_burst_of_wrong_credentials_is_told_by_client_and_user_with_its_count() {
    let gateway = asking_for_passwords(gateway()).listen().await;
    let from = |last: u8| client(&gateway).from([127, 0, 0, last]);
    for at in 0..30 {
        fails(from(1).user("ada", &format!("{WRONG}-{at}"))).await;
    }
    for last in [2, 2, 3] {
        fails(from(last).user("ada", WRONG)).await;
    }
    // Right, and not for the proxy.
    fails(from(1).user("eve", "open sesame")).await;
    // A browser's first request has none, and that is no try.
    fails(from(1)).await;

    let told = told(&gateway).await;

    for (client, user, count) in
        [("127.0.0.1", "ada", 30), ("127.0.0.2", "ada", 2), ("127.0.0.3", "ada", 1), ("127.0.0.1", "eve", 1)]
    {
        assert_eq!(tried(&told, client, Some(user)), count, "{user} from {client}: {told:?}");
    }
    assert_eq!(told.iter().map(times).sum::<u64>(), 34);
    assert!(told.iter().all(|event| event.text("event.code") == Some("PF-3301")
        && event.text("event.outcome") == Some("failure")
        && event.text("message").is_some_and(|message| message.contains("Z"))));
}

#[tokio::test]
async fn a_password_that_was_typed_as_a_name_is_written_nowhere() {
    let gateway = asking_for_passwords(gateway()).listen().await;
    fails(client(&gateway).user(WRONG, "ada")).await;
    fails(client(&gateway).user("ada", WRONG)).await;
    fails(client(&gateway).authorization(format!("Basic {WRONG}"))).await;
    fails(client(&gateway).authorization(format!("Bearer {WRONG}"))).await;

    let told = told(&gateway).await;

    assert_eq!(tried(&told, "127.0.0.1", None), 3, "{told:?}");
    assert_eq!(tried(&told, "127.0.0.1", Some("ada")), 1, "{told:?}");
    assert!(!format!("{told:?}{}", gateway.complaints().await).contains(WRONG));
    let holding = files(gateway.dir().join("pinfold-data"))
        .into_iter()
        .filter(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).contains(WRONG));
    assert_eq!(holding.collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_flood_from_many_addresses_is_told_in_few_events_and_counted_in_full() {
    let gateway = asking_for_passwords(gateway()).listen().await;
    for last in 1..=200 {
        fails(client(&gateway).from([127, 1, 1, last]).user("ada", WRONG)).await;
    }

    let told = told(&gateway).await;

    let named = told.iter().filter(|event| event.text("source.ip").is_some()).count();
    // 64 and one for the others, in each minute that it took.
    assert!((64..=128).contains(&named) && told.len() <= named + 2, "{named} of {}", told.len());
    assert_eq!(told.iter().map(times).sum::<u64>(), 200);
}

#[tokio::test]
async fn it_is_told_while_the_gateway_runs_and_after_a_reload_that_changes_the_users() {
    let mut gateway = asking_for_passwords(gateway()).listen().await;
    fails(client(&gateway).user("ada", WRONG)).await;
    gateway.rewrite(|files| files.set_in("cache", "client_max_age", "1m"));
    // Not by its event: those before it would be lost.
    gateway.says("changed files are in force").await;
    fails(client(&gateway).user("ada", WRONG)).await;

    let mut count = 0;
    while count < 2 {
        let event = gateway.event_called("login-failed").await;
        assert_eq!((event.text("user.name"), event.text("source.ip")), (Some("ada"), Some("127.0.0.1")));
        count += times(&event);
    }
    assert_eq!(count, 2);
}
