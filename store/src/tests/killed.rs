//! `kill -9` in the middle of a hundred concurrent refusals, and of decisions.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use super::*;
use crate::item::Opinion;
use crate::{Filter, StoreError};

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

/// Set where the child that is killed is a command beside a gateway.
const BESIDE: &str = "PINFOLD_TEST_KILLED_BESIDE";

/// Runs a child that decides until it has acknowledged so many decisions, kills it, and gives all that it acknowledged: the
/// version of each, and its reason.
fn killed_deciding(dir: &TempDir, after: usize, beside: bool) -> Vec<(u64, String)> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "tests::killed::decides_until_it_is_killed", "--nocapture"]);
    if beside {
        command.env(BESIDE, "1");
    }
    let mut child = command.env(DATA, dir.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let is_whole = |line: &String| line.starts_with(ACKNOWLEDGED) && line.ends_with('.');
    let mut acknowledged: Vec<_> = lines.by_ref().filter(is_whole).take(after).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    acknowledged.extend(lines.filter(is_whole));
    let parsed = acknowledged.iter().map(|line| {
        let (version, reason) =
            line.trim_start_matches(ACKNOWLEDGED).trim_end_matches('.').split_once(' ').unwrap();
        (version.parse().unwrap(), reason.to_owned())
    });
    parsed.collect()
}

/// Everything that was acknowledged is there, the chain is whole, and what holds is what a reload says.
async fn nothing_is_lost(store: &Store, dir: &TempDir, acknowledged: &[(u64, String)]) {
    let audit = Store::audit(dir.path()).await.unwrap();
    assert_eq!(audit.broken, None);
    let mut reader = store.inner.register.reader().await.unwrap();
    for (version, reason) in acknowledged {
        let kept: Option<String> = sqlx::query_scalar("SELECT reason FROM decision WHERE version = ?")
            .bind(crate::sqlite::int(*version))
            .fetch_optional(&mut reader.connection)
            .await
            .unwrap();
        assert_eq!(kept.as_ref(), Some(reason), "version {version}");
    }
    let mut decisions = store.decisions();
    // What a command decides is published by the watcher.
    let published = decisions.wait_for(|decisions| decisions.version() >= audit.version).await.unwrap();
    let beside = Store::open_beside(dir.path()).await.unwrap();
    assert_eq!(**published, **beside.decisions().borrow());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_killed_amid_decisions_loses_none_that_was_acknowledged() {
    let dir = directory();
    let mut acknowledged = Vec::new();
    for round in 0..25 {
        acknowledged.extend(killed_deciding(&dir, 1 + round * 7 % 23, false));
    }
    let store = gateway(&dir).await;
    nothing_is_lost(&store, &dir, &acknowledged).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_killed_amid_decisions_loses_none_that_was_acknowledged() {
    let dir = directory();
    let store = gateway(&dir).await;
    let mut acknowledged = Vec::new();
    for round in 0..25 {
        acknowledged.extend(killed_deciding(&dir, 1 + round * 5 % 19, true));
    }
    nothing_is_lost(&store, &dir, &acknowledged).await;
}

/// Does nothing unless one of the tests above has given it a directory.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decides_until_it_is_killed() {
    let Ok(data) = std::env::var(DATA) else { return };
    let store = match std::env::var(BESIDE) {
        Ok(_) => Store::open_beside(Path::new(&data)).await,
        Err(_) => loop {
            match Store::open_gateway(Path::new(&data), options()).await {
                // The one before may be dying yet.
                Err(StoreError::InUse { .. }) => tokio::task::yield_now().await,
                opened => break opened,
            }
        },
    };
    let store = store.unwrap();
    let mut deciding = tokio::task::JoinSet::new();
    for who in ["ada", "bob", "cyd", "dan"] {
        deciding.spawn(decide_on_and_on(store.clone(), who));
    }
    deciding.join_all().await;
}

async fn decide_on_and_on(store: Store, who: &'static str) {
    // Beside a gateway nothing can be quarantined: there are only digests to decide of.
    let mut incident = None;
    if std::env::var(BESIDE).is_err() {
        incident = Some(quarantine(&store, &refused("10.0.0.1:1", noon()), who.as_bytes()).await);
    }
    loop {
        let reason = Uuid::now_v7().to_string();
        let opinion = Opinion { who, reason: &reason, at: noon(), expires: None };
        let digest = Digests::of(reason.as_bytes());
        let mut made = vec![
            store.revoke(digest.all()[1], opinion).await.unwrap().version,
            store.reinstate(digest.all()[1], opinion).await.unwrap().version,
        ];
        if let Some(incident) = incident {
            let decided = [
                store.approve(incident, opinion, 1).await.unwrap(),
                store.reject(incident, opinion).await.unwrap(),
            ];
            // The kill before this one may have left it approved: then nothing was written.
            made.extend(decided.iter().filter(|decided| !decided.already).map(|decided| decided.version));
        }
        for version in made {
            println!("{ACKNOWLEDGED}{version} {reason}.");
        }
    }
}
