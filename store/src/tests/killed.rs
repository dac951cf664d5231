//! `kill -9` in the middle of a hundred concurrent refusals.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use super::*;
use crate::Filter;

const DATA: &str = "PINFOLD_TEST_KILLED";
const ACKNOWLEDGED: &str = "acknowledged ";

#[tokio::test]
async fn a_kill_loses_no_acknowledged_row_and_no_body() {
    let dir = directory();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::killed::refuses_until_it_is_killed", "--nocapture"])
        .env(DATA, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut acknowledged: Vec<String> =
        lines.by_ref().filter(|line| line.starts_with(ACKNOWLEDGED)).take(150).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    // What it had said by then counts too; only the last line may be cut off.
    acknowledged.extend(lines.filter(|line| line.starts_with(ACKNOWLEDGED) && line.ends_with('.')));

    let store = gateway(&dir).await;

    let rows = store.exchanges(&Filter::default()).await.unwrap();
    let rows: HashMap<_, _> = rows.into_iter().map(|row| (row.exchange.id, row.exchange)).collect();
    let fed = ids(&events(&store, Repeats::Counted).await);
    assert!(acknowledged.len() >= 150);
    for line in acknowledged {
        let id: Uuid = line.trim_start_matches(ACKNOWLEDGED).trim_end_matches('.').parse().unwrap();
        let exchange = &rows[&id];
        assert!(fed.contains(&id), "no event: {line}");
        let (item, asked) = store.item(exchange.incident.unwrap()).await.unwrap().unwrap();
        assert_eq!((item.body_kept, asked.len()), (true, 1));
        let body = store.body_of(exchange.body.unwrap()).await.unwrap().unwrap();
        assert_eq!(body, id.to_string().repeat(100).as_bytes());
    }
}

/// Does nothing unless the test above has given it a directory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refuses_until_it_is_killed() {
    let Ok(data) = std::env::var(DATA) else { return };
    let wide = StoreOptions { quarantine_per_url: u32::MAX, ..options() };
    let store = Store::open_gateway(Path::new(&data), wide).await.unwrap();
    let mut refusing = tokio::task::JoinSet::new();
    for client in 0..100 {
        let store = store.clone();
        refusing.spawn(async move {
            loop {
                refuse(&store, &format!("10.0.0.{client}:1")).await;
            }
        });
    }
    refusing.join_all().await;
}

async fn refuse(store: &Store, client: &str) {
    let mut refusal = refused(client, noon());
    let body = held(refusal.id.to_string().repeat(100).as_bytes());
    refusal.body = Some(body.id());
    let incident = store.quarantine(&refusal, SUBJECT, Kind::Script, &body).await.unwrap();
    let id = refusal.id;
    let _begun = store.record(Exchange { incident: Some(incident), ..refusal }).await.unwrap();
    println!("{ACKNOWLEDGED}{id}.");
}
