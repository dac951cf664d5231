//! Who may have received something, and what other files would have done, out of a ledger of a million rows in one month:
//! the clock of each question, and what a row takes of the disk. `cargo bench --bench exposure -- 10000000 some/folder`
//! asks a larger one, which it fills if it is not there, and leaves there.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench stops where it cannot measure, and prints"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use pinfold_bench::cpu_time;
use pinfold_policy::digest::Digests;
use pinfold_policy::kind::{Kind, Kinds};
use pinfold_policy::pin::PinUrl;
use pinfold_policy::reason::Reason;
use pinfold_policy::verdict::Outcome;
use pinfold_store::entry::{Asker, DeliveryPath, Exchange};
use pinfold_store::incident::Incident;
use pinfold_store::{Sought, Store, StoreOptions};
use tokio::task::JoinSet;
use uuid::Uuid;

/// People who look at pages of the company: each at some of them, and each page with scripts of its own.
const CLIENTS: u64 = 5_000;
const PAGES: u64 = 300;
const PAGES_OF_ONE: u64 = 20;
const URLS: u64 = 2_000;
const SCRIPTS_OF_A_PAGE: u64 = 5;
/// One row in so many is of a body of its own.
const RARE: u64 = 10_000;
/// Exchanges that wait for the disk together.
const AT_ONCE: u64 = 4_000;

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let count = words.iter().find_map(|word| word.parse().ok()).unwrap_or(1_000_000);
    let temporary = tempfile::tempdir().expect("a folder");
    let named = words.iter().find(|word| word.parse::<u64>().is_err());
    let dir = named.map_or(temporary.path(), Path::new);
    if !dir.join("ledger").exists() {
        let (began, cpu) = (Instant::now(), cpu_time());
        fill(dir, count).await;
        println!("{count} rows written in {:.1?}, {:.1?} of CPU", began.elapsed(), cpu_time() - cpu);
    }
    // A ledger of an older version is brought up to date.
    let began = Instant::now();
    gateway(dir).await.close().await.expect("disk");
    println!("opened in {:.1?}; {} bytes each", began.elapsed(), size(dir) / count);

    let store = Store::open_beside(dir).await.expect("a store");
    let any = Sought::default;
    let at = |row| Some(time_of(row, count));
    let url = |text: &str| Some(PinUrl::parse(text).expect("a URL"));
    let host = || "cdn7.vendor.test".parse().ok();
    for (what, sought) in [
        ("a digest that one in 10 000 is of", Sought { body: Some(body(0)), ..any() }),
        ("a digest that nobody has", Sought { body: Some(body(u64::MAX)), ..any() }),
        ("a client", Sought { client: Some(client(7).ip()), ..any() }),
        ("a URL", Sought { url: url(&url_of(7)), ..any() }),
        (
            "a pattern that fits half a host's URLs",
            Sought { url: url("https://cdn7.vendor.test/npm/package-0000*/**"), ..any() },
        ),
        ("a host: a tenth of all rows", Sought { host: host(), ..any() }),
        ("a host's last week", Sought { host: host(), since: at(count / 30 * 23), ..any() }),
        ("a host's month but for its first and last day", {
            Sought { host: host(), since: at(count / 30), until: at(count / 30 * 29), ..any() }
        }),
        ("all refusals: one row in 100", Sought { outcome: Some(Outcome::Blocked), ..any() }),
        ("an hour of all", Sought { since: at(count / 2), until: at(count / 2 + count / 720), ..any() }),
    ] {
        let (began, cpu) = (Instant::now(), cpu_time());
        let found = store.exposure(&sought).await.expect("an answer");
        let (took, cpu) = (began.elapsed(), cpu_time() - cpu);
        let rows: u64 = found.sighted.iter().map(|sighted| sighted.count).sum();
        println!(
            "{what}: {took:.1?}, {cpu:.1?} of CPU, for {rows} exchanges in {} sums",
            found.sighted.len()
        );
    }
    for (what, since) in [("replay of the last week", at(count / 30 * 23)), ("replay of all", None)] {
        let (began, cpu) = (Instant::now(), cpu_time());
        let found = store.traffic(since, None, |_| {}).await.expect("an answer");
        let (took, cpu) = (began.elapsed(), cpu_time() - cpu);
        let rows: u64 = found.exchanges.iter().map(|carried| carried.count).sum();
        println!(
            "{what}: {took:.1?}, {cpu:.1?} of CPU, for {rows} exchanges of {} kinds",
            found.exchanges.len()
        );
    }
}

async fn gateway(dir: &Path) -> Store {
    let options = StoreOptions {
        quarantine_max: 0,
        quarantine_per_url: 0,
        every_repeat_in_feed: false,
        counted_feed: false,
    };
    Store::open_gateway(dir, options).await.expect("a store")
}

async fn fill(dir: &Path, count: u64) {
    let store = gateway(dir).await;
    let mut row = 0;
    while row < count {
        let mut writing = JoinSet::new();
        for row in row..count.min(row + AT_ONCE) {
            let (store, exchange) = (store.clone(), exchange(row, count));
            writing.spawn(async move { store.record(exchange).await.expect("a row").delivered_whole() });
        }
        writing.join_all().await;
        row += AT_ONCE;
    }
    store.close().await.expect("disk");
}

/// One in a hundred is a refusal.
fn exchange(row: u64, count: u64) -> Exchange {
    let id = Uuid::now_v7();
    let refused = row % 100 == 99;
    let chance = mixed(row);
    let who = chance % CLIENTS;
    let page = mixed(who * PAGES_OF_ONE + (chance >> 16) % PAGES_OF_ONE) % PAGES;
    let script = mixed(page * SCRIPTS_OF_A_PAGE + (chance >> 24) % SCRIPTS_OF_A_PAGE) % URLS;
    Exchange {
        id,
        at: time_of(row, count),
        took_us: 900,
        asker: Asker {
            address: client(who),
            user: None,
            page: Some(format!("https://app{page}.example/page").into()),
            user_agent: Some(format!("Mozilla/5.0 ({})", who % 40).into()),
        },
        method: "GET".into(),
        http_version: "2".into(),
        url: url_of(script).into(),
        vendor: Some("vendor".into()),
        kinds: Kinds::from_iter([Kind::Script]),
        outcome: if refused { Outcome::Blocked } else { Outcome::Verified },
        reason: refused.then_some(Reason::DigestMismatch),
        incident: refused.then_some(Incident(id)),
        body: Some(if row % RARE == 1 { body(0) } else { body(1 + script) }),
        body_len: Some(30_000),
        media_type: Some("text/javascript".into()),
        vendor_status: Some(200),
        status: if refused { 403 } else { 200 },
        rule: Some("pins.toml:14".into()),
        policy_version: 7,
        path: Some(path(script % 10 * 2 + (chance >> 32) % 2)),
        client_tls: None,
        destination: Some("script".into()),
    }
}

/// Each host has two addresses.
fn path(number: u64) -> DeliveryPath {
    let last = u8::try_from(number).unwrap_or(0);
    DeliveryPath {
        address: SocketAddr::from(([192, 0, 2, last], 443)),
        tls_version: Some("TLSv1.3".into()),
        cipher: Some("TLS_AES_128_GCM_SHA256".into()),
        issuer: Some("CN=Authority".into()),
        fingerprint: Some("ab".repeat(32).into()),
        http_version: "2".into(),
    }
}

/// A month of 30 days, evenly.
fn time_of(row: u64, count: u64) -> Timestamp {
    let month = 30 * 24 * 3600 * 1_000_000;
    let offset = i64::try_from(month / count * row).unwrap_or(0);
    let begin = Timestamp::constant(1_790_812_800, 0);
    begin.saturating_add(SignedDuration::from_micros(offset)).expect("a time")
}

/// The same number for the same row, and another for each (SplitMix64).
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

fn client(number: u64) -> SocketAddr {
    let number = u32::try_from(number).unwrap_or(0);
    SocketAddr::from((Ipv4Addr::from(0x0a00_0000 + number), 40_000))
}

fn url_of(number: u64) -> String {
    pinfold_bench::url(usize::try_from(number).unwrap_or(0))
}

fn body(number: u64) -> pinfold_policy::digest::BodyId {
    Digests::of(&number.to_le_bytes()).sha256
}

fn size(dir: &Path) -> u64 {
    let files = dir.join("ledger").read_dir().expect("a ledger");
    files.map(|file| file.and_then(|file| file.metadata()).expect("disk").len()).sum()
}
