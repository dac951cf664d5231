//! Who may have received what, and what that answer rests on.

use std::path::Path;

use pinfold_policy::pin::PinUrl;
use sqlx::Connection as _;
use sqlx::SqliteConnection;

use super::*;
use crate::entry::{Notice, TunnelEnd, Visit, What};
use crate::{Deliveries, Downtime, Exposure, Sought};

const OTHER: &str = "https://vue.comm100.com/other.js";

fn of(body: &[u8]) -> Sought {
    Sought { body: Some(Digests::of(body).sha256), ..Sought::default() }
}

fn at(url: &str) -> Sought {
    Sought { url: Some(PinUrl::parse(url).unwrap()), ..Sought::default() }
}

async fn exposure(store: &Store, sought: &Sought) -> Exposure {
    store.settle().await.unwrap();
    store.exposure(sought).await.unwrap()
}

fn clients(exposure: &Exposure) -> Vec<String> {
    exposure.sighted.iter().map(|sighted| sighted.client.to_string()).collect()
}

async fn begin(store: &Store, exchange: Exchange) {
    drop(store.record(exchange).await.unwrap());
}

async fn deliver(store: &Store, exchange: Exchange) {
    store.record(exchange).await.unwrap().delivered_whole();
}

#[tokio::test]
async fn whole_begun_confirmed_and_described_are_told_apart_within_one_minute() {
    let dir = directory();
    let store = gateway(&dir).await;
    let exchange = |second, status, method: &'static str| Exchange {
        status,
        method: method.into(),
        ..verified("10.0.0.1:1", seconds(second))
    };
    begin(&store, exchange(0, 200, "HEAD")).await;
    deliver(&store, exchange(1, 200, "GET")).await;
    deliver(&store, exchange(2, 200, "GET")).await;
    begin(&store, exchange(3, 200, "GET")).await;
    deliver(&store, exchange(4, 304, "GET")).await;
    deliver(&store, exchange(5, 206, "GET")).await;
    // A part beyond the end: there is nothing to send.
    deliver(&store, exchange(6, 416, "GET")).await;

    let found = exposure(&store, &of(REVIEWED)).await;

    let [all] = &found.sighted[..] else { panic!("{found:?}") };
    assert_eq!(all.got, Deliveries { whole: 2, begun: 2, confirmed: 1, described: 2 });
    assert_eq!((all.count, all.first, all.last), (7, seconds(0), seconds(6)));
    assert_eq!(all.path, Some(path()));
}

#[tokio::test]
async fn who_only_asked_with_head_has_received_nothing() {
    let dir = directory();
    let store = gateway(&dir).await;
    deliver(&store, Exchange { method: "HEAD".into(), ..verified("10.0.0.1:1", noon()) }).await;

    let found = exposure(&store, &of(REVIEWED)).await;

    assert!(!found.sighted[0].may_have_received(), "{found:?}");
}

#[tokio::test]
async fn who_asked_for_a_part_beyond_the_end_has_received_nothing_but_of_the_vendor_in_observe_mode() {
    let dir = directory();
    let store = gateway(&dir).await;
    deliver(&store, Exchange { status: 416, ..verified("10.0.0.1:1", noon()) }).await;
    // The vendor's own answer went out as it came, and what it held nobody measured.
    let theirs = Exchange {
        status: 416,
        body: None,
        outcome: Outcome::Observed,
        ..verified("10.0.0.2:1", seconds(1))
    };
    deliver(&store, theirs).await;

    let found = exposure(&store, &at(URL)).await;

    let may_have: Vec<_> = found.sighted.iter().map(crate::Sighted::may_have_received).collect();
    assert_eq!(may_have, [false, true], "{found:?}");
    let receivers = store.receivers(Digests::of(REVIEWED).sha256).await.unwrap();
    assert!(receivers.is_empty(), "{receivers:?}");
}

#[tokio::test]
async fn two_pages_of_one_minute_are_both_named() {
    let dir = directory();
    let store = gateway(&dir).await;
    for page in ["https://a.example/", "https://b.example/", "https://a.example/"] {
        let mut exchange = verified("10.0.0.1:1", noon());
        exchange.asker.page = Some(page.into());
        deliver(&store, exchange).await;
    }

    let found = exposure(&store, &of(REVIEWED)).await;

    let mut pages: Vec<_> = found.sighted.iter().map(|it| (it.page.as_deref().unwrap(), it.count)).collect();
    pages.sort_unstable();
    assert_eq!(pages, [("https://a.example/", 2), ("https://b.example/", 1)]);
}

#[tokio::test]
async fn a_window_over_the_end_of_a_month_reads_both_and_counts_one_client_once() {
    let dir = directory();
    let store = gateway(&dir).await;
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    for at in ["2126-10-01T00:00:00Z", "2126-11-30T23:59:59Z", "2126-12-01T00:00:01Z", "2127-02-01T00:00:00Z"]
    {
        deliver(&store, verified("10.0.0.1:1", time(at))).await;
    }
    let window = Sought {
        since: Some(time("2126-11-30T23:00:00Z")),
        until: Some(time("2126-12-01T01:00:00Z")),
        ..of(REVIEWED)
    };

    let found = exposure(&store, &window).await;

    let [one] = &found.sighted[..] else { panic!("{found:?}") };
    assert_eq!((one.count, one.last), (2, time("2126-12-01T00:00:01Z")));
    assert_eq!(found.coverage.recorded_since, Some(time("2126-10-01T00:00:00Z")));
    assert_eq!(found.coverage.recorded_until, Some(time("2127-02-01T00:00:00Z")));
    assert!(found.coverage.missing_months.is_empty());
    let found = exposure(&store, &of(REVIEWED)).await;
    assert_eq!(found.coverage.missing_months, ["2127-01"]);
    assert_eq!(found.sighted[0].count, 4);
}

#[tokio::test]
async fn a_month_that_was_taken_away_is_named() {
    let dir = directory();
    let store = gateway(&dir).await;
    for month in ["10", "11", "12"] {
        let at = format!("2126-{month}-05T00:00:00Z").parse().unwrap();
        deliver(&store, verified("10.0.0.1:1", at)).await;
    }
    store.close().await.unwrap();
    std::fs::remove_file(dir.path().join("ledger/2126-11.db")).unwrap();

    let found = Store::open_beside(dir.path()).await.unwrap().exposure(&of(REVIEWED)).await.unwrap();

    assert_eq!(found.coverage.missing_months, ["2126-11"]);
    assert_eq!(found.sighted[0].count, 2);
    assert!(found.coverage.has_months);
    let window = |since: &str, until: &str| Sought {
        since: Some(since.parse().unwrap()),
        until: Some(until.parse().unwrap()),
        ..of(REVIEWED)
    };
    let store = Store::open_beside(dir.path()).await.unwrap();
    for (since, until, has_months) in [
        ("2126-11-02T00:00:00Z", "2126-11-20T00:00:00Z", false),
        ("2126-10-30T00:00:00Z", "2126-11-20T00:00:00Z", true),
        // Nothing came since then, and that is known.
        ("2127-02-01T00:00:00Z", "2127-02-02T00:00:00Z", true),
    ] {
        let found = store.exposure(&window(since, until)).await.unwrap();
        assert_eq!(found.coverage.has_months, has_months, "{since}");
    }
}

#[tokio::test]
async fn a_row_whose_last_exchange_lies_in_the_window_counts() {
    let dir = directory();
    let store = gateway(&dir).await;
    deliver(&store, verified("10.0.0.1:1", seconds(0))).await;
    deliver(&store, verified("10.0.0.1:1", seconds(50))).await;
    let window =
        |since, until| Sought { since: Some(seconds(since)), until: Some(seconds(until)), ..of(REVIEWED) };

    for (since, until, found) in [(40, 60, 1), (-9, 0, 1), (51, 99, 0), (-9, -1, 0)] {
        let answer = exposure(&store, &window(since, until)).await;
        assert_eq!(answer.sighted.len(), found, "{since} to {until}");
    }
}

#[tokio::test]
async fn each_subject_finds_what_it_names_and_nothing_else() {
    let dir = directory();
    let store = gateway(&dir).await;
    deliver(&store, verified("10.0.0.1:1", seconds(1))).await;
    begin(&store, blocked("10.0.0.2:1", seconds(2))).await;
    let mut third = Exchange { url: OTHER.into(), vendor: None, ..verified("10.0.0.3:1", seconds(3)) };
    third.asker.user = Some("ada".into());
    deliver(&store, third).await;
    let elsewhere = "https://vue.comm100.com.evil.test/livechat.ashx";
    deliver(&store, Exchange { url: elsewhere.into(), ..verified("10.0.0.4:1", seconds(4)) }).await;
    let odd_port = "https://vue.comm100.com:8443/x.js";
    deliver(&store, Exchange { url: odd_port.into(), ..verified("10.0.0.5:1", seconds(5)) }).await;

    let any = Sought::default;
    let host = |name: &str| Sought { host: Some(name.parse().unwrap()), ..any() };
    for (sought, last_digits) in [
        (of(TAMPERED), "2"),
        (at(URL), "12"),
        (at(SUBJECT), "12"),
        (at("https://vue.comm100.com/livechat.ashx?siteId=2"), ""),
        (at("https://vue.comm100.com/*.js"), "3"),
        (at("https://vue.comm100.com/**"), "123"),
        (host("vue.comm100.com"), "1235"),
        (host("comm100.com"), ""),
        (Sought { client: Some("10.0.0.2".parse().unwrap()), ..any() }, "2"),
        (Sought { user: Some("ada".into()), ..any() }, "3"),
        (Sought { user: Some("eve".into()), ..any() }, ""),
        (Sought { vendor: Some("comm100".into()), ..any() }, "1245"),
        (Sought { outcome: Some(Outcome::Blocked), ..any() }, "2"),
        (Sought { host: Some("vue.comm100.com".parse().unwrap()), ..of(REVIEWED) }, "135"),
        (any(), "12345"),
    ] {
        let expected: Vec<_> = last_digits.chars().map(|digit| format!("10.0.0.{digit}")).collect();
        assert_eq!(clients(&exposure(&store, &sought).await), expected, "{sought:?}");
    }
}

#[tokio::test]
async fn tunnels_say_who_talked_to_a_host_also_those_opened_before_the_window() {
    let dir = directory();
    let store = gateway(&dir).await;
    let opened = store.tunnel_opened(tunnel(noon())).await.unwrap();
    opened.closed(TunnelEnd { sent: 3, received: 7, open_ms: 60_000 });
    let window = |since| Sought {
        host: Some("bank.example".parse().unwrap()),
        since: Some(seconds(since)),
        ..Sought::default()
    };

    let found = exposure(&store, &window(30)).await;
    assert_eq!((found.talked[0].sent, found.talked[0].received, found.talked[0].count), (3, 7, 1));
    assert_eq!(found.coverage.tunnelled, ["bank.example:443".into()]);
    let found = exposure(&store, &window(61)).await;
    assert!(found.talked.is_empty() && found.coverage.tunnelled.is_empty(), "{found:?}");
    // A digest is not to be seen in a tunnel, but that there was one weakens the claim.
    let found = exposure(&store, &of(REVIEWED)).await;
    assert_eq!((found.talked.len(), found.coverage.tunnelled.len()), (0, 1));
    let elsewhere = Sought { host: Some("k.example".parse().unwrap()), ..Sought::default() };
    assert!(exposure(&store, &elsewhere).await.talked.is_empty());
}

#[tokio::test]
async fn a_tunnel_that_was_refused_is_no_host_that_was_tunnelled_to() {
    let dir = directory();
    let store = gateway(&dir).await;
    let to = |place: &str, status, reason| Tunnel {
        authority: Authority::parse(place, None).unwrap(),
        status,
        reason,
        ..tunnel(noon())
    };
    for (place, status, reason) in [
        ("10.0.0.7:443", 403, Some(Reason::PrivateAddress)),
        ("no-password.test:443", 407, Some(Reason::CredentialsRequired)),
        ("closed.test:443", 502, Some(Reason::UpstreamUnreachable)),
        ("both.test:443", 407, Some(Reason::CredentialsRequired)),
        ("both.test:443", 200, None),
        ("fronted.test:443", 200, Some(Reason::SniMismatch)),
        ("socket.test:443", 101, None),
    ] {
        drop(store.tunnel_opened(to(place, status, reason)).await.unwrap());
    }

    let open = "both.test:443 fronted.test:443 socket.test:443";
    for sought in [of(REVIEWED), Sought { since: Some(seconds(-1)), ..of(REVIEWED) }] {
        assert_eq!(exposure(&store, &sought).await.coverage.tunnelled.join(" "), open);
    }
    // Nobody saw these end: a WebSocket may be open for as long as a tunnel may.
    let later = Sought { since: Some(seconds(60)), ..of_host("socket.test") };
    let later = exposure(&store, &later).await;
    assert_eq!(later.coverage.tunnelled.join(" "), open);
    assert_eq!(later.talked.iter().filter(|talked| talked.opened()).count(), 1);
    assert_eq!(store.unseen().await.unwrap().tunnelled, 3);
}

fn turn(what: What, at: Timestamp) -> Notice {
    Notice {
        id: Uuid::now_v7(),
        at,
        what,
        who: None,
        subject: None,
        digest: None,
        incident: None,
        text: "".into(),
        policy_version: 1,
    }
}

#[tokio::test]
async fn what_a_row_counted_last_before_a_kill_is_when_the_gateway_ran_at_least() {
    let dir = directory();
    let store = gateway(&dir).await;
    store.notice(turn(What::Started, seconds(-5))).await.unwrap();
    deliver(&store, verified("10.0.0.1:1", seconds(0))).await;
    deliver(&store, verified("10.0.0.1:1", seconds(25))).await;
    store.settle().await.unwrap();
    store.notice(turn(What::Started, seconds(40))).await.unwrap();

    let found = exposure(&store, &of(REVIEWED)).await;

    let down = Downtime { since: seconds(25), until: seconds(40), in_order: false };
    assert_eq!(found.coverage.downtimes, [down]);
    store.visited(visit("10.0.0.1", "clear.test:80", seconds(33)));
    let found = exposure(&store, &of(REVIEWED)).await;
    assert_eq!(found.coverage.downtimes, [Downtime { since: seconds(33), ..down }]);
}

#[tokio::test]
async fn a_gateway_that_was_killed_and_has_not_come_back_is_down() {
    let dir = directory();
    let store = gateway(&dir).await;
    let started = Timestamp::now();
    store.notice(turn(What::Started, started)).await.unwrap();
    assert_eq!(exposure(&store, &of(REVIEWED)).await.coverage.downtimes, [], "it runs");
    drop(store);
    let beside = Store::open_beside(dir.path()).await.unwrap();

    let found = beside.exposure(&of(REVIEWED)).await.unwrap();

    let [down] = found.coverage.downtimes[..] else { panic!("{found:?}") };
    assert!(!down.in_order && down.until >= started, "{down:?}");
    // As the ledger has it: in microseconds.
    assert_eq!(down.since.as_microsecond(), started.as_microsecond());
}

#[tokio::test]
async fn what_passed_unmeasured_and_what_was_not_recorded_is_said() {
    let dir = directory();
    let store = gateway(&dir).await;
    let passed = Exchange { outcome: Outcome::Observed, body: None, ..verified("10.0.0.1:1", noon()) };
    deliver(&store, passed).await;
    begin(&store, Exchange { body: None, ..blocked("10.0.0.2:1", noon()) }).await;
    store.inner.ledger().unwrap().miss_exchange(seconds(5));

    let found = exposure(&store, &of(REVIEWED)).await;
    assert_eq!(found.coverage.unmeasured, 1);
    assert_eq!(found.coverage.gaps.iter().map(|gap| gap.exchanges).sum::<u64>(), 1);
    let later = exposure(&store, &Sought { since: Some(seconds(100)), ..of(REVIEWED) }).await;
    assert_eq!(later.coverage.unmeasured, 0);
}

#[tokio::test]
async fn before_the_first_entry_nothing_is_claimed() {
    let dir = directory();
    let store = gateway(&dir).await;

    assert_eq!(exposure(&store, &of(REVIEWED)).await, Exposure::default());
}

#[tokio::test]
async fn a_ledger_that_was_upgraded_has_the_indexes_views_and_triggers_of_a_new_one() {
    let dir = directory();
    let ledger = dir.path().join("ledger");
    std::fs::create_dir_all(&ledger).unwrap();
    let old = ledger.join("2126-10.db");
    let mut connection =
        SqliteConnection::connect(&format!("sqlite://{}?mode=rwc", old.display())).await.unwrap();
    sqlx::raw_sql(include_str!("format-2/ledger.sql")).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let store = gateway(&dir).await;
    deliver(&store, verified("10.0.0.1:1", noon())).await;
    store.close().await.unwrap();

    let new = around_tables(&ledger.join("2126-11.db")).await;
    assert_eq!(around_tables(&old).await, new);
    assert!(new.iter().any(|(name, _)| name == "exchange_counts"), "{new:?}");
}

async fn around_tables(path: &Path) -> Vec<(String, Option<String>)> {
    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let select = "SELECT name, sql FROM sqlite_schema WHERE type <> 'table' ORDER BY name";
    sqlx::query_as(select).fetch_all(&mut connection).await.unwrap()
}

#[tokio::test]
async fn a_url_whose_value_is_masked_is_found_as_it_was_and_as_it_is_recorded() {
    let dir = directory();
    let store = gateway(&dir).await;
    let urls =
        ["?token=s3cr3t", "?token=redacted", "?token=other", ""].map(|query| format!("{OTHER}{query}"));
    for (client, url) in (1..).zip(&urls) {
        let url = url.as_str().into();
        deliver(&store, Exchange { url, ..verified(&format!("10.0.0.{client}:1"), seconds(client)) }).await;
    }
    let [before, masked, ..] = urls.each_ref().map(|url| PinUrl::parse(url).unwrap());
    let sought = Sought { url: Some(before), masked_url: Some(masked), ..Sought::default() };
    assert_eq!(clients(&exposure(&store, &sought).await), ["10.0.0.1", "10.0.0.2"]);
}

fn visit(client: &str, place: &str, at: Timestamp) -> Visit {
    let authority = Authority::parse(place, None).unwrap();
    Visit { at, client: client.parse().unwrap(), user: None, authority }
}

fn of_host(host: &str) -> Sought {
    Sought { host: Some(host.parse().unwrap()), ..Sought::default() }
}

#[tokio::test]
async fn who_asked_a_host_that_nobody_looks_into_is_one_row_for_each_hour() {
    let dir = directory();
    let store = gateway(&dir).await;
    for second in [0, 1, 3599, 3600] {
        store.visited(visit("10.0.0.1", "clear.test:80", seconds(second)));
    }
    store.visited(Visit { user: Some("ada".into()), ..visit("10.0.0.1", "clear.test:8080", seconds(2)) });
    store.visited(visit("10.0.0.2", "clear.test.evil.test:80", seconds(3)));

    let found = exposure(&store, &of_host("clear.test")).await;

    let rows: Vec<_> =
        found.visited.iter().map(|it| (it.user.as_deref(), it.count, it.first, it.last)).collect();
    assert_eq!(rows, [(None, 4, noon(), seconds(3600)), (Some("ada"), 1, seconds(2), seconds(2))]);
    assert_eq!(found.coverage.visited.join(" "), "clear.test.evil.test:80 clear.test:80 clear.test:8080");
    assert_eq!(
        (found.coverage.recorded_since, found.coverage.recorded_until),
        (Some(noon()), Some(seconds(3600)))
    );
    let later = Sought { since: Some(seconds(3600)), ..of_host("clear.test") };
    let later = exposure(&store, &later).await;
    assert_eq!(later.visited.iter().map(|it| it.count).collect::<Vec<_>>(), [1]);
    assert_eq!(later.coverage.visited.join(" "), "clear.test:80");
    let by_ada = Sought { user: Some("ada".into()), ..Sought::default() };
    assert_eq!(exposure(&store, &by_ada).await.visited.len(), 1);
    assert_eq!(exposure(&store, &of(REVIEWED)).await.visited, []);
    let unseen = store.unseen().await.unwrap();
    assert_eq!((unseen.tunnelled, unseen.visited, unseen.untold), (0, 3, 0));
}

#[tokio::test]
async fn hosts_that_a_client_makes_up_take_bounded_rows_and_hide_no_other_clients_hosts() {
    let dir = directory();
    let store = gateway(&dir).await;
    for name in 0..5000 {
        store.visited(visit("10.0.0.1", &format!("a{name}.evil.test:80"), seconds(name)));
    }
    store.visited(visit("10.0.0.2", "clear.test:80", seconds(4)));

    let found = exposure(&store, &of_host("clear.test")).await;

    // The first hour and the second have 1024 names each that stand by themselves.
    let rows: Vec<_> = found.visited.iter().map(|it| (it.client, it.authority.is_some(), it.count)).collect();
    let at = |client: &str| Some(client.parse().unwrap());
    assert_eq!(rows, [(at("10.0.0.2"), true, 1), (at("10.0.0.1"), false, 5000 - 2048)]);
    assert_eq!((found.coverage.visited.len(), found.coverage.untold), (2049, 5000 - 2048));
}

#[tokio::test]
async fn visits_that_could_not_be_written_are_written_later() {
    let dir = directory();
    let store = gateway(&dir).await;
    store.visited(visit("10.0.0.1", "clear.test:80", seconds(0)));
    store.settle().await.unwrap();
    let (ledger, away) = (dir.path().join("ledger"), dir.path().join("away"));
    std::fs::rename(&ledger, &away).unwrap();
    store.visited(visit("10.0.0.1", "clear.test:80", seconds(1)));
    store.settle().await.unwrap_err();
    std::fs::rename(&away, &ledger).unwrap();
    store.visited(visit("10.0.0.1", "clear.test:80", seconds(2)));

    let found = exposure(&store, &of_host("clear.test")).await;

    assert_eq!(found.visited.iter().map(|it| it.count).collect::<Vec<_>>(), [3]);
}
