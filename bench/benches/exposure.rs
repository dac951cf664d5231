//! Who may have received something, out of a ledger of a million rows in one month: the clock of each question, and what
//! a row takes of the disk. `cargo bench --bench exposure -- 100000` asks a smaller one.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench stops where it cannot measure, and prints"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
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

/// Each of them has one row in so many.
const CLIENTS: usize = 5_000;
const URLS: usize = 2_000;
const RARE: usize = 10_000;
/// Exchanges that wait for the disk together.
const AT_ONCE: usize = 2_000;

#[tokio::main]
async fn main() {
    let count = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(1_000_000);
    let dir = tempfile::tempdir().expect("a folder");
    let began = Instant::now();
    fill(dir.path(), count).await;
    println!("{count} rows written in {:.1?}, {} bytes each", began.elapsed(), size(dir.path()) / count);

    let store = Store::open_beside(dir.path()).await.expect("a store");
    let any = Sought::default;
    let at = |row| Some(time_of(row, count));
    let url = |text: &str| Some(PinUrl::parse(text).expect("a URL"));
    for (what, sought) in [
        ("a digest that one in 10 000 is of", Sought { body: Some(body(0)), ..any() }),
        ("a digest that nobody has", Sought { body: Some(body(usize::MAX)), ..any() }),
        ("a client", Sought { client: Some(client_of(7).ip()), ..any() }),
        ("a URL", Sought { url: url(&pinfold_bench::url(7)), ..any() }),
        (
            "a pattern that fits half a host's URLs",
            Sought { url: url("https://cdn7.vendor.test/npm/package-0000*/**"), ..any() },
        ),
        ("a host: a tenth of all rows", Sought { host: "cdn7.vendor.test".parse().ok(), ..any() }),
        ("all refusals: reads the month", Sought { outcome: Some(Outcome::Blocked), ..any() }),
        ("an hour of all", Sought { since: at(count / 2), until: at(count / 2 + count / 720), ..any() }),
    ] {
        let began = Instant::now();
        let found = store.exposure(&sought).await.expect("an answer");
        let rows: u64 = found.sighted.iter().map(|sighted| sighted.count).sum();
        println!("{what}: {:.1?} for {rows} exchanges", began.elapsed());
    }
}

async fn fill(dir: &Path, count: usize) {
    let options = StoreOptions {
        quarantine_max: 0,
        quarantine_per_url: 0,
        every_repeat_in_feed: false,
        counted_feed: false,
    };
    let store = Store::open_gateway(dir, options).await.expect("a store");
    for from in (0..count).step_by(AT_ONCE) {
        let mut writing = JoinSet::new();
        for row in from..count.min(from + AT_ONCE) {
            let (store, exchange) = (store.clone(), exchange(row, count));
            writing.spawn(async move { store.record(exchange).await.expect("a row").delivered_whole() });
        }
        writing.join_all().await;
    }
    store.close().await.expect("disk");
}

/// One in a hundred is a refusal.
fn exchange(row: usize, count: usize) -> Exchange {
    let id = Uuid::now_v7();
    let refused = row % 100 == 99;
    Exchange {
        id,
        at: time_of(row, count),
        took_us: 900,
        asker: Asker {
            address: client_of(row),
            user: None,
            page: Some(format!("https://app{}.example/page", row % 300).into()),
            user_agent: Some(format!("Mozilla/5.0 ({})", row % 40).into()),
        },
        method: "GET".into(),
        http_version: "2".into(),
        url: pinfold_bench::url(row % URLS).into(),
        vendor: Some("vendor".into()),
        kinds: Kinds::from_iter([Kind::Script]),
        outcome: if refused { Outcome::Blocked } else { Outcome::Verified },
        reason: refused.then_some(Reason::DigestMismatch),
        incident: refused.then_some(Incident(id)),
        body: Some(if row % RARE == 1 { body(0) } else { body(1 + row % URLS) }),
        body_len: Some(30_000),
        media_type: Some("text/javascript".into()),
        vendor_status: Some(200),
        status: if refused { 403 } else { 200 },
        rule: Some("pins.toml:14".into()),
        policy_version: 7,
        path: Some(DeliveryPath {
            address: SocketAddr::from(([192, 0, 2, 7], 443)),
            tls_version: Some("TLSv1.3".into()),
            cipher: Some("TLS_AES_128_GCM_SHA256".into()),
            issuer: Some("CN=Authority".into()),
            fingerprint: Some("ab".repeat(32).into()),
            http_version: "2".into(),
        }),
        client_tls: None,
        destination: Some("script".into()),
    }
}

/// A month of 30 days, evenly.
fn time_of(row: usize, count: usize) -> Timestamp {
    let month: i64 = 30 * 24 * 3600 * 1_000_000;
    let (row, count) = (i64::try_from(row).unwrap_or(0), i64::try_from(count).unwrap_or(1));
    let begin = Timestamp::constant(1_790_812_800, 0);
    begin.saturating_add(SignedDuration::from_micros(month / count * row)).expect("a time")
}

fn client_of(row: usize) -> SocketAddr {
    // Steps that share no divisor with the URLs: every client asks for every URL in time.
    let number = u32::try_from(row * 7919 % CLIENTS).unwrap_or(0);
    SocketAddr::from((Ipv4Addr::from(0x0a00_0000 + number), 40_000))
}

fn body(number: usize) -> pinfold_policy::digest::BodyId {
    Digests::of(&number.to_le_bytes()).sha256
}

fn size(dir: &Path) -> usize {
    let files = dir.join("ledger").read_dir().expect("a ledger");
    let lens = files.map(|file| file.and_then(|file| file.metadata()).expect("disk").len());
    usize::try_from(lens.sum::<u64>()).unwrap_or(usize::MAX)
}
