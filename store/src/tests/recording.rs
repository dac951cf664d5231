use futures_util::future::join_all;
use pinfold_policy::pin::PinUrl;
use pinfold_policy::reason::Reason;
use pinfold_policy::verdict::Outcome;
use proptest::collection::vec;
use proptest::prelude::*;
use sqlx::Connection as _;

use super::*;
use crate::entry::TunnelEnd;
use crate::{Changed, Excerpt, ExchangeRow, Filter, Sought, TunnelRow};

async fn rows(store: &Store) -> Vec<ExchangeRow> {
    store.exchanges(&Filter::default()).await.unwrap()
}

async fn flush(store: &Store, now: Timestamp) {
    store.inner.ledger().unwrap().flush(now).await.unwrap();
}

#[tokio::test]
async fn what_was_recorded_is_read_back_as_it_was_even_after_a_crash() {
    let dir = directory();
    let store = gateway(&dir).await;
    let exchange = verified("10.0.0.1:40000", noon());
    let bare = Exchange {
        vendor: None,
        kinds: Kinds::NONE,
        outcome: Outcome::Blocked,
        reason: Some(Reason::UpstreamTimeout),
        incident: Some(Incident(Uuid::now_v7())),
        body: None,
        body_len: None,
        media_type: None,
        vendor_status: None,
        rule: None,
        path: None,
        client_tls: None,
        destination: None,
        asker: Asker {
            address: "[2001:db8::5]:1".parse().unwrap(),
            user: None,
            page: None,
            user_agent: None,
        },
        ..verified("10.0.0.1:40000", seconds(1))
    };
    let receipt = store.record(exchange.clone()).await.unwrap();
    let _begun = store.record(bare.clone()).await.unwrap();

    let copy = as_after_a_crash(dir.path());
    let crashed = gateway(&copy).await;

    let found = rows(&crashed).await;
    assert_eq!(found.iter().map(|row| &row.exchange).collect::<Vec<_>>(), [&bare, &exchange]);
    assert!(found.iter().all(|row| row.count == 1 && row.whole == 0 && row.last == row.exchange.at));
    drop(receipt);
}

#[tokio::test]
async fn repeats_of_a_minute_share_a_row_and_wait_for_no_disk() {
    let dir = directory();
    let store = gateway(&dir).await;
    let first = verified("10.0.0.1:40000", noon());
    store.record(first.clone()).await.unwrap().delivered_whole();
    for second in 1..=5 {
        // Another port, page and policy version: still the same client, URL, digest and verdict.
        let repeat = Exchange { policy_version: 8, ..verified("10.0.0.1:40001", seconds(second)) };
        let receipt = store.record(repeat).await.unwrap();
        if second % 2 == 0 {
            receipt.delivered_whole();
        }
    }
    flush(&store, seconds(30)).await;

    assert_eq!(rows(&store).await, [ExchangeRow { exchange: first, count: 6, whole: 3, last: seconds(5) }]);
}

#[tokio::test]
async fn what_rows_of_several_minutes_have_in_common_is_written_once_over_a_restart_too() {
    let dir = directory();
    for minute in 0..3 {
        let store = gateway(&dir).await;
        let _begun = store.record(verified("10.0.0.1:1", seconds(60 * minute))).await.unwrap();
        let mut other = verified("10.0.0.1:2", seconds(60 * minute + 30));
        other.asker.user_agent = Some(format!("Browser/{minute}").into());
        let _begun = store.record(other).await.unwrap();
        store.close().await.unwrap();
    }

    let path = format!("sqlite://{}", dir.path().join("ledger/2126-11.db").display());
    let mut ledger = sqlx::SqliteConnection::connect(&path).await.unwrap();
    let sums: Vec<(i64, i64)> =
        sqlx::query_as("SELECT count, last - first FROM alike").fetch_all(&mut ledger).await.unwrap();
    assert_eq!(sums, [(6, 150_000_000)]);
}

#[tokio::test]
async fn words_of_any_length_and_characters_are_read_back_as_they_were() {
    let dir = directory();
    let store = gateway(&dir).await;
    let mut expected = Vec::new();
    for (second, word) in
        ["\u{0}", "\"\\u0000", "a\u{0}b", "\u{10ffff}\r\n", "", &"w".repeat(300), "'); DROP TABLE word"]
            .into_iter()
            .enumerate()
    {
        let mut exchange = verified("10.0.0.1:1", seconds(second as i64));
        exchange.asker.user_agent = Some(word.into());
        exchange.url = format!("https://cdn.example/{second}?{word}").into();
        let _begun = store.record(exchange.clone()).await.unwrap();
        expected.insert(0, exchange);
    }
    let found: Vec<_> = rows(&store).await.into_iter().map(|row| row.exchange).collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn another_client_url_digest_verdict_or_minute_is_another_row() {
    let dir = directory();
    let store = gateway(&dir).await;
    let same = || verified("10.0.0.1:40000", noon());
    let others = [
        same(),
        verified("10.0.0.2:40000", noon()),
        Exchange { url: "https://vue.comm100.com/livechat.ashx".into(), ..same() },
        Exchange { body: Some(Digests::of(b"other").sha256), ..same() },
        Exchange { outcome: Outcome::Observed, reason: Some(Reason::Unpinned), ..same() },
        Exchange { at: seconds(60), ..same() },
        Exchange { at: seconds(-1), ..same() },
    ];
    for exchange in others.iter().chain(&others) {
        let _begun = store.record(Exchange { id: Uuid::now_v7(), ..exchange.clone() }).await.unwrap();
    }
    flush(&store, seconds(0)).await;

    let rows = rows(&store).await;
    assert_eq!(rows.len(), others.len());
    assert!(rows.iter().all(|row| row.count == 2), "{rows:#?}");
}

#[tokio::test]
async fn each_refusal_is_on_disk_and_none_loses_its_incident() {
    let dir = directory();
    let store = gateway(&dir).await;
    let kept = |at| Exchange { incident: Some(Incident(Uuid::from_u128(1))), ..refused("10.0.0.1:1", at) };
    for second in 0..3 {
        let _begun = store.record(blocked("10.0.0.1:1", seconds(second))).await.unwrap();
        let _begun = store.record(kept(seconds(second))).await.unwrap();
    }

    let copy = as_after_a_crash(dir.path());
    let crashed = gateway(&copy).await;

    let counts: Vec<_> =
        rows(&crashed).await.iter().map(|row| (row.exchange.outcome, row.count)).rev().collect();
    let once = (Outcome::Blocked, 1);
    assert_eq!(counts, [once, (Outcome::Quarantined, 3), once, once]);
}

#[tokio::test]
async fn a_hundred_concurrent_refusals_are_all_on_disk() {
    let dir = directory();
    let store = gateway(&dir).await;
    let mut recording = tokio::task::JoinSet::new();
    for client in 0..100 {
        let (store, refusal) = (store.clone(), blocked(&format!("10.0.0.{client}:1"), noon()));
        recording.spawn(async move { store.record(refusal).await.map(drop) });
    }
    let recorded = recording.join_all().await;
    assert!(recorded.iter().all(Result::is_ok));

    let copy = as_after_a_crash(dir.path());
    let crashed = gateway(&copy).await;

    assert_eq!(rows(&crashed).await.len(), 100);
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_undo_its_record() {
    let dir = directory();
    let store = gateway(&dir).await;
    let gone = blocked("10.0.0.1:1", noon());
    {
        let mut recording = std::pin::pin!(store.record(gone.clone()));
        let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(recording.as_mut().poll(cx))).await;
        assert!(polled.is_pending());
    }
    flush(&store, noon()).await;

    assert_eq!(rows(&store).await[0].exchange, gone);
}

#[tokio::test]
async fn an_excerpt_is_bounded_narrowed_and_read_on_from_its_last_row() {
    let dir = directory();
    let store = gateway(&dir).await;
    let mut all = Vec::new();
    for (at, client, url) in [
        (noon(), "10.0.0.1:1", URL),
        (seconds(120), "10.0.0.2:1", "https://b.example/x.js"),
        (seconds(240), "10.0.0.1:1", "https://b.example/x.js?v=2"),
        (seconds(20 * 86400), "10.0.0.1:1", "https://bb.example/x.js"),
    ] {
        let exchange = Exchange { url: url.into(), ..blocked(client, at) };
        let _begun = store.record(exchange.clone()).await.unwrap();
        all.insert(0, exchange);
    }
    let find = async |sought: Sought, before: Option<Uuid>, limit: u32| {
        let within = std::time::Duration::from_secs(60);
        let wanted = Excerpt { sought, incident: None, before, limit, within };
        let rows = store.excerpt(&wanted).await.unwrap();
        rows.into_iter().map(|row| row.exchange).collect::<Vec<_>>()
    };

    let any = Sought::default;
    assert_eq!(find(any(), None, 3).await, all[..3]);
    assert_eq!(find(any(), Some(all[2].id), 3).await, all[3..]);
    let host = Sought { host: Some("b.example".parse().unwrap()), ..any() };
    assert_eq!(find(host, None, 9).await, all[1..3]);
    let client = Sought { client: Some("10.0.0.2".parse().unwrap()), ..any() };
    assert_eq!(find(client, None, 9).await, all[2..3]);
    let window = Sought { since: Some(seconds(100)), until: Some(seconds(130)), ..any() };
    assert_eq!(find(window, None, 9).await, all[2..3]);
    let other = Sought { url: Some(PinUrl::parse("https://c.example/x.js").unwrap()), ..any() };
    assert_eq!(find(other, None, 9).await, []);
}

#[tokio::test]
async fn a_filter_finds_by_url_digest_and_incident_over_months() {
    let dir = directory();
    let store = gateway(&dir).await;
    let november = blocked("10.0.0.1:1", noon());
    let december =
        Exchange { url: "https://b.example/x.js".into(), ..blocked("10.0.0.2:1", seconds(20 * 86400)) };
    let _begun = store.record(november.clone()).await.unwrap();
    let _begun = store.record(december.clone()).await.unwrap();
    let find = async |filter: Filter| {
        let rows = store.exchanges(&filter).await.unwrap();
        rows.into_iter().map(|row| row.exchange).collect::<Vec<_>>()
    };

    assert_eq!(find(Filter { url: Some(URL.into()), ..Filter::default() }).await, vec![november.clone()]);
    assert_eq!(
        find(Filter { incident: december.incident, ..Filter::default() }).await,
        vec![december.clone()]
    );
    assert_eq!(
        find(Filter { digest: november.body, ..Filter::default() }).await,
        [december.clone(), november]
    );
    assert_eq!(find(Filter { limit: Some(1), ..Filter::default() }).await, [december]);
    assert_eq!(find(Filter { url: Some("https://c.example/".into()), ..Filter::default() }).await, []);
    let mut months: Vec<_> =
        dir.path().join("ledger").read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    months.retain(|name| name.to_str().unwrap().ends_with(".db"));
    months.sort();
    assert_eq!(months, ["2126-11.db", "2126-12.db"]);
}

#[tokio::test]
async fn a_tunnel_is_on_disk_when_it_opens_and_complete_when_it_closes() {
    let dir = directory();
    let store = gateway(&dir).await;
    let (one, other) = (tunnel(noon()), tunnel(seconds(1)));
    let refusal = Tunnel {
        reason: Some(Reason::PrivateAddress),
        incident: Some(Incident(other.id)),
        ..tunnel(seconds(2))
    };
    let open = store.tunnel_opened(one.clone()).await.unwrap();
    let dropped = store.tunnel_opened(other.clone()).await.unwrap();
    let refused = store.tunnel_opened(refusal.clone()).await.unwrap();
    let crashed = as_after_a_crash(dir.path());
    assert!(store.tunnels(10).await.unwrap().iter().all(|row| row.open == row.tunnel.reason.is_none()));

    let end = TunnelEnd { sent: 1, received: 1 << 40, open_ms: 3 };
    open.closed(end);
    drop(dropped);
    refused.closed(end);
    flush(&store, noon()).await;

    let row = |tunnel: &Tunnel, end| TunnelRow { tunnel: tunnel.clone(), end, open: false };
    let rows = [row(&refusal, None), row(&other, None), row(&one, Some(end))];
    assert_eq!(store.tunnels(10).await.unwrap(), rows);
    assert_eq!(store.tunnels(1).await.unwrap(), rows[..1]);
    let rows = [row(&refusal, None), row(&other, None), row(&one, None)];
    assert_eq!(gateway(&crashed).await.tunnels(10).await.unwrap(), rows);
}

#[tokio::test]
async fn two_users_behind_one_address_never_share_a_row() {
    let dir = directory();
    let store = gateway(&dir).await;
    for user in ["ada", "eve", "ada"] {
        let verified = verified("10.0.0.1:1", noon());
        let asker = Asker { user: Some(user.into()), ..verified.asker.clone() };
        let _begun = store.record(Exchange { asker, ..verified }).await.unwrap();
    }
    store.settle().await.unwrap();
    let rows = store.exchanges(&crate::Filter::default()).await.unwrap();
    let mut counts: Vec<_> =
        rows.iter().map(|row| (row.exchange.asker.user.as_deref().unwrap(), row.count)).collect();
    counts.sort_unstable();
    assert_eq!(counts, [("ada", 2), ("eve", 1)]);
}

/// What [`Store::asked_urls`] shows, by month.
async fn asked(store: &Store, since: Option<Timestamp>) -> Vec<Vec<(String, Timestamp)>> {
    let mut urls = store.asked_urls(since).unwrap();
    let mut months = Vec::new();
    loop {
        let mut month = Vec::new();
        if !urls.next_month(|url, last| month.push((url.to_owned(), last))).await.unwrap() {
            return months;
        }
        months.push(month);
    }
}

#[tokio::test]
async fn the_urls_that_were_asked_for_are_read_by_month_the_newest_first() {
    let dir = directory();
    let store = gateway(&dir).await;
    assert_eq!(store.recorded_since().await.unwrap(), None);
    let last_month = noon() - SignedDuration::from_hours(24 * 31);
    for (url, at) in
        [("https://v.test/old.js", last_month), (URL, last_month), (URL, noon()), (URL, seconds(120))]
    {
        let exchange = Exchange { url: url.into(), ..verified("10.0.0.1:40000", at) };
        let _ = store.record(exchange).await.unwrap();
    }
    store.settle().await.unwrap();

    let new = vec![(URL.to_owned(), seconds(120))];
    let old = vec![("https://v.test/old.js".to_owned(), last_month), (URL.to_owned(), last_month)];
    assert_eq!(asked(&store, None).await, [new.clone(), old]);
    assert_eq!(asked(&store, Some(noon())).await, [new]);
    assert_eq!(store.recorded_since().await.unwrap(), Some(last_month));
}

#[tokio::test]
async fn more_urls_than_are_read_at_one_time_are_all_shown() {
    let dir = directory();
    let store = gateway(&dir).await;
    // At one time, so that they share their writes.
    let record = |at: usize| {
        let (store, url) = (store.clone(), format!("https://v.test/{at}.js").into());
        let exchange = Exchange { url, ..verified("10.0.0.1:40000", noon()) };
        tokio::spawn(async move { store.record(exchange).await.map(drop) })
    };
    // A page and its end: the bound falls between two of them.
    let many = 4096 + 1;
    let recording: Vec<_> = (0..many).map(record).collect();
    for recorded in recording {
        recorded.await.unwrap().unwrap();
    }
    assert_eq!(asked(&store, None).await[0].len(), many);
}

#[tokio::test]
async fn what_came_in_place_of_what_was_expected_is_read_by_url_and_body() {
    let dir = directory();
    let store = gateway(&dir).await;
    let mismatch = |body: &[u8], at| Exchange {
        outcome: Outcome::Observed,
        reason: Some(Reason::DigestMismatch),
        body: Some(Digests::of(body).sha256),
        ..verified("10.0.0.1:40000", at)
    };
    for exchange in
        [verified("10.0.0.1:1", noon()), mismatch(TAMPERED, noon()), mismatch(TAMPERED, seconds(90))]
    {
        let _ = store.record(exchange).await.unwrap();
    }
    store.settle().await.unwrap();
    let changed = Changed { url: URL.into(), digest: Digests::of(TAMPERED).sha256, last: seconds(90) };
    assert_eq!(store.changed(noon()).await.unwrap(), [changed]);
}

#[tokio::test]
async fn who_received_a_body_is_known_over_months_and_who_as_a_worker() {
    let dir = directory();
    let store = gateway(&dir).await;
    let wanted = |destination: &str, exchange| Exchange { destination: Some(destination.into()), ..exchange };
    let month = 30 * 24 * 3600;
    for exchange in [
        wanted("script", verified("10.0.0.1:1", noon())),
        wanted("serviceworker", verified("10.0.0.1:2", seconds(1))),
        wanted("serviceworker", verified("10.0.0.1:3", seconds(2))),
        wanted("worker", verified("10.0.0.1:4", seconds(month))),
        wanted("image", verified("10.0.0.2:1", seconds(3))),
        blocked("10.0.0.3:1", noon()),
        Exchange { body: Some(Digests::of(REVIEWED).sha256), ..blocked("10.0.0.4:1", noon()) },
    ] {
        let _begun = store.record(exchange).await.unwrap();
    }
    store.settle().await.unwrap();

    let receivers = store.receivers(Digests::of(REVIEWED).sha256).await.unwrap();

    let told: Vec<_> = receivers
        .iter()
        .map(|receiver| (receiver.client.to_string(), receiver.count, receiver.workers.join(" ")))
        .collect();
    let told: Vec<_> = told.iter().map(|(client, count, workers)| (&**client, *count, &**workers)).collect();
    assert_eq!(told, [("10.0.0.1", 4, "serviceworker worker"), ("10.0.0.2", 1, "")]);
    assert_eq!((receivers[0].first, receivers[0].last), (noon(), seconds(month)));
}

/// The words that exchanges of a property are made of: some alike but for what a reader of JSON or of C may lose.
const WORDS: [&str; 7] = ["a", "a\u{0}", "a\u{0}b", "\\u0000", "", "\"]", "\u{ffff}"];

fn of_words(choice: (u8, u8, u8, bool, bool), at: Timestamp) -> Exchange {
    let (url, page, agent, is_refused, is_long) = choice;
    let exchange = if is_refused { blocked("10.0.0.1:1", at) } else { verified("10.0.0.1:1", at) };
    let word = |number: u8| WORDS[usize::from(number) % WORDS.len()];
    let end = if is_long { "x".repeat(300) } else { String::new() };
    let asker = Asker {
        page: Some(format!("{}{end}", word(page)).into()),
        user_agent: Some(word(agent).into()),
        ..exchange.asker.clone()
    };
    Exchange { asker, url: word(url).into(), ..exchange }
}

/// That of what is alike there is one row, and that its sums are those of its exchanges.
async fn check_sums(dir: &TempDir) {
    let path = format!("sqlite://{}", dir.path().join("ledger/2126-11.db").display());
    let mut ledger = sqlx::SqliteConnection::connect(&path).await.unwrap();
    let twins: Vec<i64> = sqlx::query_scalar(
        "SELECT max(id) FROM alike GROUP BY client, user, page, method, url, destination, vendor, kinds, outcome, reason,
             body, status, path HAVING count(*) > 1",
    )
    .fetch_all(&mut ledger)
    .await
    .unwrap();
    assert!(twins.is_empty(), "{twins:?}");
    let wrong: Vec<i64> = sqlx::query_scalar(
        "SELECT a.id FROM alike a LEFT JOIN exchange e ON e.alike = a.id AND e.shares IS NULL GROUP BY a.id
         HAVING a.count <> sum(e.count) OR a.whole <> sum(e.whole) OR a.first <> min(e.at) OR a.last <> max(e.last)
             OR count(e.id) = 0",
    )
    .fetch_all(&mut ledger)
    .await
    .unwrap();
    assert!(wrong.is_empty(), "{wrong:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn sums_are_those_of_the_rows_whatever_is_recorded_together_and_over_restarts(
        lives in vec(vec((any::<(u8, u8, u8, bool, bool)>(), 0..300i64, any::<bool>()), 1..12), 1..4),
        wants_each in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = directory();
            let mut recorded = 0;
            for life in lives {
                let wanted = if wants_each { each() } else { options() };
                let store = Store::open_gateway(dir.path(), wanted).await.unwrap();
                recorded += life.len() as u64;
                let recording = life.into_iter().map(|(choice, second, is_whole)| {
                    let (store, exchange) = (&store, of_words(choice, seconds(second)));
                    async move {
                        let begun = store.record(exchange.clone()).await.unwrap();
                        if is_whole {
                            begun.delivered_whole();
                        }
                        exchange
                    }
                });
                let exchanges = join_all(recording).await;
                flush(&store, noon()).await;
                let rows = rows(&store).await;
                for row in &rows {
                    let known = exchanges.iter().find(|exchange| exchange.id == row.exchange.id);
                    assert!(known.is_none_or(|known| *known == row.exchange), "{row:?}");
                }
                assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), recorded);
                store.close().await.unwrap();
                check_sums(&dir).await;
            }
        });
    }
}

#[tokio::test]
async fn what_a_failed_transaction_took_up_is_not_remembered() {
    let dir = directory();
    let store = gateway(&dir).await;
    let _begun = store.record(verified("10.0.0.1:1", noon())).await.unwrap();
    let path = format!("sqlite://{}", dir.path().join("ledger/2126-11.db").display());
    let mut beside = sqlx::SqliteConnection::connect(&path).await.unwrap();
    let fails = "CREATE TRIGGER fails BEFORE INSERT ON exchange BEGIN SELECT RAISE(ABORT, 'no space'); END";
    sqlx::raw_sql(fails).execute(&mut beside).await.unwrap();
    let other = |url: &str| Exchange { url: url.into(), ..blocked("10.0.0.2:1", seconds(1)) };
    let long = format!("https://vue.comm100.com/{}", "x".repeat(300));
    for url in [OTHER_URL, &long] {
        assert!(store.record(other(url)).await.is_err());
    }
    sqlx::raw_sql("DROP TRIGGER fails").execute(&mut beside).await.unwrap();

    // The numbers that those words had are given to others first.
    let mut expected = Vec::new();
    for url in ["https://vue.comm100.com/third.js", OTHER_URL, &long] {
        let exchange = other(url);
        let _begun = store.record(exchange.clone()).await.unwrap();
        expected.push(exchange);
    }
    store.close().await.unwrap();
    check_sums(&dir).await;
    let store = gateway(&dir).await;
    let found = rows(&store).await;
    for exchange in expected {
        assert!(found.iter().any(|row| row.exchange == exchange), "{exchange:?}");
    }
}

/// Nothing can be committed that has inserted a row into `table`.
async fn no_commit_of(table: &str, beside: &mut sqlx::SqliteConnection) {
    let fails = format!(
        "CREATE TABLE late (word INTEGER REFERENCES word (id) DEFERRABLE INITIALLY DEFERRED);
         CREATE TRIGGER fails AFTER INSERT ON {table} BEGIN INSERT INTO late VALUES (-1); END"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(fails)).execute(beside).await.unwrap();
}

#[tokio::test]
async fn a_commit_that_fails_is_told_to_all_who_wait_and_leaves_nothing() {
    for table in ["exchange", "tunnel", "notice"] {
        let dir = directory();
        let store = gateway(&dir).await;
        let known = verified("10.0.0.1:1", noon());
        let _begun = store.record(known.clone()).await.unwrap();
        let path = format!("sqlite://{}", dir.path().join("ledger/2126-11.db").display());
        let mut beside = sqlx::SqliteConnection::connect(&path).await.unwrap();
        no_commit_of(table, &mut beside).await;

        let refused = |url: &str| Exchange { url: url.into(), ..blocked("10.0.0.2:1", seconds(1)) };
        let recorded = join_all([OTHER_URL, URL].map(|url| store.record(refused(url))));
        let told = store.notice(crate::entry::Notice {
            id: Uuid::now_v7(),
            at: seconds(1),
            what: crate::entry::What::ReloadFailed,
            who: None,
            subject: None,
            digest: None,
            incident: None,
            text: "".into(),
            policy_version: 7,
        });
        let (recorded, opened, told) = tokio::join!(recorded, store.tunnel_opened(tunnel(seconds(1))), told);
        assert!(recorded.iter().all(Result::is_err) && opened.is_err() && told.is_err(), "{table}");
        if table == "exchange" {
            assert!(store.record(refused(OTHER_URL)).await.is_err());
        }
        assert_eq!(rows(&store).await.iter().map(|row| &row.exchange).collect::<Vec<_>>(), [&known]);

        sqlx::raw_sql("DROP TRIGGER fails").execute(&mut beside).await.unwrap();
        let after = refused(OTHER_URL);
        let _begun = store.record(after.clone()).await.unwrap();
        store.close().await.unwrap();
        check_sums(&dir).await;
        let found = rows(&gateway(&dir).await).await;
        assert_eq!(found.iter().map(|row| &row.exchange).collect::<Vec<_>>(), [&after, &known]);
    }
}

const OTHER_URL: &str = "https://vue.comm100.com/other.js";
