//! The store as its callers see it. Entries are of a year to come, so that no minute ends by itself.

mod announcing;
mod arriving;
mod auditing;
mod carrying;
mod closing;
mod counting;
mod deciding;
mod exposing;
mod feeding;
mod full_disk;
mod killed;
mod learning;
mod noticing;
mod opening;
mod quarantining;
mod recording;
mod retaining;
mod shelving;
mod sighting;
mod together;
mod working;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use pinfold_policy::digest::Digests;
use pinfold_policy::held::{Held, Hold};
use pinfold_policy::host::Authority;
use pinfold_policy::kind::{Kind, Kinds};
use pinfold_policy::reason::Reason;
use pinfold_policy::verdict::Outcome;
use tempfile::TempDir;
use uuid::Uuid;

use crate::entry::{Asker, ClientTls, DeliveryPath, Event, Exchange, Tunnel};
use crate::incident::Incident;
use crate::{Repeats, Store, StoreOptions};

const URL: &str = "https://vue.comm100.com/livechat.ashx?siteId=1";
const SUBJECT: &str = "https://vue.comm100.com/livechat.ashx";
const REVIEWED: &[u8] = b"console.log('reviewed')";
const TAMPERED: &[u8] = b"console.log('tampered')";

fn options() -> StoreOptions {
    StoreOptions {
        quarantine_max: 1 << 30,
        quarantine_per_url: 20,
        every_repeat_in_feed: false,
        counted_feed: true,
    }
}

fn each() -> StoreOptions {
    StoreOptions { every_repeat_in_feed: true, ..options() }
}

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

async fn gateway(dir: &TempDir) -> Store {
    Store::open_gateway(dir.path(), options()).await.unwrap()
}

fn noon() -> Timestamp {
    "2126-11-23T12:00:00Z".parse().unwrap()
}

fn seconds(seconds: i64) -> Timestamp {
    noon() + SignedDuration::from_secs(seconds)
}

fn asker(client: &str) -> Asker {
    Asker {
        address: client.parse().unwrap(),
        user: None,
        page: Some("https://intranet.example/support".into()),
        user_agent: Some("Mozilla/5.0".into()),
    }
}

fn path() -> DeliveryPath {
    DeliveryPath {
        address: "192.0.2.7:443".parse().unwrap(),
        tls_version: Some("TLSv1.3".into()),
        cipher: Some("TLS_AES_128_GCM_SHA256".into()),
        issuer: Some("CN=\"A, B\u{1f}\",O=\u{fc}".into()),
        fingerprint: Some("ab".repeat(32).into()),
        http_version: "2".into(),
    }
}

/// A first receipt of the reviewed body by one client.
fn verified(client: &str, at: Timestamp) -> Exchange {
    Exchange {
        id: Uuid::now_v7(),
        at,
        took_us: 1234,
        asker: asker(client),
        method: "GET".into(),
        http_version: "2".into(),
        url: URL.into(),
        vendor: Some(Arc::from("comm100")),
        kinds: Kinds::from_iter([Kind::Script, Kind::Document]),
        outcome: Outcome::Verified,
        reason: None,
        incident: None,
        body: Some(Digests::of(REVIEWED).sha256),
        body_len: Some(REVIEWED.len() as u64),
        media_type: Some("text/javascript".into()),
        vendor_status: Some(200),
        status: 200,
        rule: Some("pins.toml:14".into()),
        policy_version: 7,
        path: Some(path()),
        client_tls: Some(ClientTls {
            version: "TLSv1.3".into(),
            cipher: "TLS_AES_256_GCM_SHA384".into(),
            server_name: None,
        }),
        destination: Some("script".into()),
    }
}

/// A refusal with an incident of its own.
fn blocked(client: &str, at: Timestamp) -> Exchange {
    let refused = verified(client, at);
    Exchange {
        outcome: Outcome::Blocked,
        reason: Some(Reason::DigestMismatch),
        incident: Some(Incident(refused.id)),
        body: Some(Digests::of(TAMPERED).sha256),
        status: 403,
        rule: None,
        ..refused
    }
}

/// A refusal whose body is to be kept.
fn refused(client: &str, at: Timestamp) -> Exchange {
    Exchange { outcome: Outcome::Quarantined, incident: None, ..blocked(client, at) }
}

fn tunnel(at: Timestamp) -> Tunnel {
    Tunnel {
        id: Uuid::now_v7(),
        at,
        asker: asker("10.0.0.9:50001"),
        authority: Authority::parse("bank.example:443", None).unwrap(),
        server_name: Some("bank.example".into()),
        dialled: Some("2001:db8::1".parse().unwrap()),
        reason: None,
        incident: None,
        status: 200,
        policy_version: 7,
    }
}

fn held(body: &[u8]) -> Held {
    let mut hold = Hold::new(u64::MAX, None);
    hold.push(body).unwrap();
    hold.finish(|_| None).unwrap()
}

async fn quarantine(store: &Store, refusal: &Exchange, body: &[u8]) -> Incident {
    store.quarantine(refusal, SUBJECT, Kind::Script, &held(body)).await.unwrap()
}

/// What a power cut would leave: the files as they are while the store is in use.
fn as_after_a_crash(of: &Path) -> TempDir {
    let copy = directory();
    // By another process: closing a file in this one would end the locks that SQLite holds on it.
    let copied = Command::new("cp").arg("-r").arg(of.join(".")).arg(copy.path()).status().unwrap();
    assert!(copied.success());
    copy
}

/// All events that an output has not acknowledged, of a store that is settled then.
async fn events(store: &Store, repeats: Repeats) -> Vec<Event> {
    store.settle().await.unwrap();
    let mut feed = store.feed("test", repeats);
    let mut all = Vec::new();
    loop {
        let events = feed.next(3).await.unwrap();
        if events.is_empty() {
            return all;
        }
        all.extend(events);
    }
}

fn ids(events: &[Event]) -> Vec<Uuid> {
    events.iter().map(Event::id).collect()
}
