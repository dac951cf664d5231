use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::*;
use crate::entry::{Notice, Visit, What};
use crate::item::InForce;
use crate::{Filter, StoreError};

fn modes(dir: &Path, found: &mut Vec<(String, u32)>) {
    for entry in dir.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        found.push((path.to_string_lossy().into_owned(), mode));
        if path.is_dir() {
            modes(&path, found);
        }
    }
}

#[tokio::test]
async fn nobody_but_the_owner_can_read_anything() {
    let dir = directory();
    let data = dir.path().join("deep/pinfold-data");
    let store = Store::open_gateway(&data, options()).await.unwrap();
    quarantine(&store, &refused("10.0.0.1:1", noon()), TAMPERED).await;
    let _begun = store.record(verified("10.0.0.1:1", noon())).await.unwrap();

    let mut found = Vec::new();
    modes(dir.path(), &mut found);

    assert!(found.iter().any(|(path, _)| path.ends_with("ledger/2126-11.db-wal")), "{found:?}");
    for (path, mode) in found {
        let expected = if Path::new(&path).is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, expected, "{path}");
    }
}

#[tokio::test]
async fn at_no_moment_is_there_a_file_without_its_tables() {
    let dir = directory();
    let data = dir.path().join("data");
    let files = [data.join("pinfold.db"), data.join("ledger/2126-11.db")];
    let watching = std::thread::spawn(move || {
        // What it holds when it is seen first. In its log nobody but SQLite would find it.
        let first_seen = |path: &PathBuf| loop {
            if let Ok(metadata) = path.metadata() {
                return metadata.len();
            }
        };
        files.each_ref().map(first_seen)
    });

    let store = Store::open_gateway(&data, options()).await.unwrap();
    let _begun = store.record(verified("10.0.0.1:1", noon())).await.unwrap();

    let lengths = watching.join().unwrap();
    assert!(lengths.iter().all(|length| *length > 16 * 1024), "{lengths:?}");
}

#[tokio::test]
async fn what_a_killed_start_has_left_of_a_file_is_in_nobodys_way() {
    let dir = directory();
    let data = dir.path().join("data");
    let folder = data.join("ledger");
    drop(Store::open_gateway(&data, options()).await.unwrap().close().await);
    for left in ["2126-11.db.new", "2126-11.db.new-wal", "2126-11.db.new-shm", "2126-11.db.new-journal"] {
        std::fs::write(folder.join(left), b"half of it").unwrap();
    }

    let store = Store::open_gateway(&data, options()).await.unwrap();
    let recorded = verified("10.0.0.1:1", noon());
    let _begun = store.record(recorded.clone()).await.unwrap();

    let rows = store.exchanges(&Filter::default()).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.exchange.id).collect::<Vec<_>>(), [recorded.id]);
    store.close().await.unwrap();
    let left = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.contains(".new")).collect::<Vec<_>>(), Vec::<String>::new());
}

#[tokio::test]
async fn a_second_gateway_is_told_who_holds_the_directory() {
    let dir = directory();
    let first = gateway(&dir).await;
    let error = Store::open_gateway(dir.path(), options()).await.unwrap_err();
    assert!(
        matches!(error, StoreError::InUse { pid: Some(pid), .. } if pid == std::process::id()),
        "{error}"
    );
    assert!(
        error.to_string().ends_with(&format!("is in use by another gateway, pid {}", std::process::id()))
    );

    first.close().await.unwrap();
    let second = gateway(&dir).await;
    assert!(matches!(first.record(verified("10.0.0.1:1", noon())).await, Err(StoreError::Closed)));
    drop(second);
    gateway(&dir).await;
}

#[tokio::test]
async fn beside_no_gateway_nothing_is_made() {
    let dir = directory();
    let data = dir.path().join("pinfold-data");
    let error = Store::open_beside(&data).await.unwrap_err();
    assert!(matches!(&error, StoreError::Absent { path } if *path == data), "{error}");
    assert!(error.hint().contains("pinfold run"));
    assert!(!data.exists());
}

#[tokio::test]
async fn a_ledger_without_its_decisions_is_not_taken_for_no_ledger() {
    let dir = directory();
    let store = gateway(&dir).await;
    let _begun = store.record(blocked("10.0.0.1:1", noon())).await.unwrap();
    store.close().await.unwrap();
    std::fs::remove_file(dir.path().join("pinfold.db")).unwrap();

    let error = Store::open_beside(dir.path()).await.unwrap_err();

    assert!(matches!(&error, StoreError::DecisionsGone { path } if path == dir.path()), "{error}");
    assert!(error.hint().contains("backup"), "{}", error.hint());
}

#[tokio::test]
async fn a_command_reads_beside_the_gateway_and_records_nothing() {
    let dir = directory();
    let store = gateway(&dir).await;
    let _begun = store.record(blocked("10.0.0.1:1", noon())).await.unwrap();
    let beside = Store::open_beside(dir.path()).await.unwrap();
    assert_eq!(beside.exchanges(&Filter::default()).await.unwrap().len(), 1);
    assert!(matches!(beside.record(verified("10.0.0.1:1", noon())).await, Err(StoreError::NotTheGateway)));
    assert!(matches!(beside.feed("x", Repeats::Counted).next(1).await, Err(StoreError::NotTheGateway)));
    beside.close().await.unwrap();

    store.close().await.unwrap();
    let beside = Store::open_beside(dir.path()).await.unwrap();
    assert_eq!(beside.exchanges(&Filter::default()).await.unwrap().len(), 1);
    assert_eq!(beside.in_force(9, std::time::Duration::ZERO).await.unwrap(), InForce::NoGateway);
}

#[tokio::test]
async fn a_newer_or_damaged_file_is_named_and_left_alone() {
    let dir = directory();
    let store = gateway(&dir).await;
    let _begun = store.record(blocked("10.0.0.1:1", noon())).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    for (name, known) in [("pinfold.db", 5), ("ledger/2126-11.db", 5)] {
        let path = dir.path().join(name);
        let before = std::fs::read(&path).unwrap();

        let mut connection =
            crate::sqlite::open(&path, &crate::sqlite::Schema { version: known, create: "", upgrades: &[] })
                .await
                .unwrap();
        sqlx::query("PRAGMA user_version = 9").execute(&mut connection).await.unwrap();
        sqlx::Connection::close(connection).await.unwrap();
        let error = Store::open_gateway(dir.path(), options()).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::TooNew { found: 9, known: knows, path: named }
                if *named == path && *knows == known),
            "{error}"
        );

        std::fs::write(&path, "not a database, and long enough to be read as one: ".repeat(100)).unwrap();
        let error = Store::open_gateway(dir.path(), options()).await.unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert!(error.hint().contains("backup"), "{error}: {}", error.hint());

        std::fs::write(&path, before).unwrap();
    }
    gateway(&dir).await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let dir = directory();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Store::open_gateway(&file.join("data"), options()).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::File { doing: "create", path, .. } if path.starts_with(&file)),
        "{error}"
    );
}

/// Makes a database of an older format.
async fn of_format(path: &Path, schema: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(schema.to_owned())).execute(&mut connection).await.unwrap();
    sqlx::Connection::close(connection).await.unwrap();
}

#[tokio::test]
async fn files_of_format_1_are_brought_up_to_date_by_the_gateway_alone() {
    const ROWS: &str = "
        INSERT INTO word (id, text) VALUES (1, '10.0.0.1'), (2, 'GET'), (3, '2'), (4, 'https://v.test/a.js'),
            (5, 'script'), (6, 'blocked'), (7, 'bank.example:443');
        INSERT INTO exchange (id, open, at, last, count, whole, took_us, client, client_port, method, http_version,
            url, kinds, outcome, status, policy_version)
            VALUES (x'019c1a4e7b2d7c319d553f2a6e80b1c4', 0, 1, 1, 1, 0, 1, 1, 5, 2, 3, 4, 5, 6, 403, 1);
        INSERT INTO tunnel (id, open, at, client, client_port, authority, status, policy_version)
            VALUES (x'019c1a4e7b2d7c319d553f2a6e80b1c5', 0, 1, 1, 5, 7, 200, 1);";
    let dir = directory();
    let ledger = format!("{}{ROWS}", include_str!("format-1/ledger.sql"));
    of_format(&dir.path().join("ledger/2126-11.db"), &ledger).await;
    of_format(&dir.path().join("pinfold.db"), include_str!("format-1/register.sql")).await;

    let error = Store::open_beside(dir.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::TooOld { found: 1, known: 5, .. }), "{error}");
    assert!(error.hint().contains("pinfold run"));
    let store = gateway(&dir).await;
    let by_ada = |refusal: Exchange| Exchange {
        asker: Asker { user: Some("ada".into()), ..refusal.asker.clone() },
        ..refusal
    };
    let _begun = store.record(by_ada(blocked("10.0.0.1:1", noon()))).await.unwrap();
    let incident = quarantine(&store, &by_ada(refused("10.0.0.1:1", noon())), TAMPERED).await;

    let users: Vec<_> = store.exchanges(&Filter::default()).await.unwrap();
    let users: Vec<_> = users.iter().map(|row| row.exchange.asker.user.as_deref()).collect();
    assert_eq!(users.len(), 2);
    assert!(users.contains(&Some("ada")) && users.contains(&None), "{users:?}");
    assert_eq!(store.tunnels(9).await.unwrap().len(), 1);
    assert_eq!(store.item(incident).await.unwrap().unwrap().1[0].user.as_deref(), Some("ada"));
    assert!(store.gaps().await.unwrap().is_empty());
    Store::open_beside(dir.path()).await.unwrap();
}

#[tokio::test]
async fn decisions_of_an_older_format_hold_in_the_new_one() {
    const ROWS: &str = "
        UPDATE state SET version = 4;
        INSERT INTO decision VALUES
            (1, 1, 'ada', 'approved', 'read it', x'019c1a4e7b2d7c319d553f2a6e80b1c4', 'https://v.test/a.js', zeroblob(32), 'script'),
            (2, 2, 'bob', 'rejected', '', x'019c1a4e7b2d7c319d553f2a6e80b1c5', 'https://v.test/b.js', zeroblob(32), 'script'),
            (4, 3, 'bob', 'revoked', 'bad', x'019c1a4e7b2d7c319d553f2a6e80b1c6', 'https://v.test/c.js', x'abababababababababababababababababababababababababababababababab', 'wasm');
        INSERT INTO binding VALUES ('https://v.test/**', zeroblob(32), 'https://v.test/d.js', 3);";
    for schema in [include_str!("format-1/register.sql"), include_str!("format-2/register.sql")] {
        let dir = directory();
        of_format(&dir.path().join("pinfold.db"), &format!("{schema}{ROWS}")).await;

        let decisions = Arc::clone(&gateway(&dir).await.decisions().borrow());

        assert_eq!((decisions.version(), decisions.revocations().len()), (4, 1));
        let text = format!("{decisions:?}");
        for held in [
            "https://v.test/a.js",
            "Reviewed",
            "https://v.test/b.js",
            "https://v.test/c.js",
            "https://v.test/d.js",
        ] {
            assert!(text.contains(held), "no {held} in {text}");
        }
    }
}

#[tokio::test]
async fn items_of_a_format_without_events_of_them_are_not_told_as_new() {
    const ROWS: &str = "
        INSERT INTO item VALUES (7, x'019c1a4e7b2d7c319d553f2a6e80b1c4', 'https://v.test/a.js', zeroblob(32),
            'https://v.test/a.js', NULL, 3, 'script', NULL, 'unpinned', 1, 1, 1, 0, NULL);";
    let dir = directory();
    let schema = format!("{}{ROWS}", include_str!("format-3/register.sql"));
    of_format(&dir.path().join("pinfold.db"), &schema).await;

    let store = gateway(&dir).await;
    let incident = quarantine(&store, &refused("10.0.0.1:1", noon()), TAMPERED).await;
    let told = store.feed("test", Repeats::Counted).next(9).await.unwrap();
    assert!(matches!(&told[..], [Event::Notice(notice)] if notice.incident == Some(incident)), "{told:?}");
    assert_eq!(store.quarantined().await.unwrap().len(), 2);
}

#[tokio::test]
async fn of_a_worker_of_format_4_nobody_knows_the_query_and_what_was_shelved_was_not_seen_before_it_was_written()
 {
    const ROWS: &str = "
        INSERT INTO worker VALUES ('https://v.test/sw.js', zeroblob(32), zeroblob(48), zeroblob(64), 1);
        INSERT INTO shelf VALUES ('https://v.test/a.js', '', '', zeroblob(32), zeroblob(32), zeroblob(48), zeroblob(64), 1,
            '[]', 'script', NULL, 5000000, 5000000);";
    let dir = directory();
    let schema = format!("{}{ROWS}", include_str!("format-4/register.sql"));
    of_format(&dir.path().join("pinfold.db"), &schema).await;

    let store = gateway(&dir).await;
    let given = store.workers_given("https://v.test/sw.js").await.unwrap();
    assert_eq!(given.iter().map(|one| one.url.as_deref()).collect::<Vec<_>>(), [None]);
    let shelved = store.on_shelf().await.unwrap();
    assert_eq!((shelved.len(), shelved[0].first), (1, shelved[0].seen));
}

#[tokio::test]
async fn a_history_of_format_3_stays_as_it_was_sealed_and_nothing_forged_is_judged_by() {
    // The second row was put there by somebody who could not seal it, and the seal of the first is none.
    const ROWS: &str = "
        UPDATE state SET version = 2;
        INSERT INTO decision VALUES (1, 1, 'ada', 'approved', 'reviewed', 'read it', NULL, 'https://v.test/a.js',
            zeroblob(32), 'script', NULL, NULL, NULL, NULL, 1, zeroblob(32));
        INSERT INTO decision VALUES (2, 1, 'eve', 'approved', 'reviewed', 'trust me', NULL, 'https://v.test/b.js',
            zeroblob(32), 'script', NULL, NULL, NULL, NULL, 1, NULL);";
    let dir = directory();
    let path = dir.path().join("pinfold.db");
    of_format(&path, &format!("{}{ROWS}", include_str!("format-3/register.sql"))).await;

    let refused = Store::open_gateway(dir.path(), options()).await.unwrap_err();
    assert!(refused.to_string().contains("broken at version 1"), "{refused}");

    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
    let hashes: Vec<Option<Vec<u8>>> = sqlx::query_scalar("SELECT hash FROM decision ORDER BY version")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!(hashes, [Some(vec![0; 32]), None]);
}

#[tokio::test]
async fn a_ledger_of_format_2_keeps_its_rows_and_its_place_and_takes_notices() {
    const ROWS: &str = "
        INSERT INTO word (id, text) VALUES (1, '10.0.0.1'), (2, 'bank.example:443'), (3, 'ada');
        INSERT INTO tunnel (id, open, at, client, client_port, authority, status, policy_version, user)
            VALUES (x'019c1a4e7b2d7c319d553f2a6e80b1c5', 1, 1, 1, 5, 2, 200, 1, 3);
        INSERT INTO gap VALUES (x'019c1a4e7b2d7c319d553f2a6e80b1c6', 1, 2, 3, 4);
        INSERT INTO feed (stream, id) VALUES (4, x'019c1a4e7b2d7c319d553f2a6e80b1c6');";
    let dir = directory();
    let ledger = format!("{}{ROWS}", include_str!("format-2/ledger.sql"));
    of_format(&dir.path().join("ledger/2126-11.db"), &ledger).await;

    let store = gateway(&dir).await;
    let reloaded = Notice {
        id: Uuid::now_v7(),
        at: noon(),
        what: What::PolicyReloaded,
        who: None,
        subject: None,
        digest: None,
        incident: None,
        text: "pins.toml".into(),
        policy_version: 8,
    };
    store.notice(reloaded.clone()).await.unwrap();

    assert_eq!(store.tunnels(9).await.unwrap()[0].tunnel.asker.user.as_deref(), Some("ada"));
    assert_eq!(store.gaps().await.unwrap().len(), 1);
    let events = events(&store, Repeats::Counted).await;
    assert!(
        matches!(&events[..], [Event::Gap(_), Event::Tunnel { .. }, Event::Notice(notice)] if *notice == reloaded),
        "{events:?}"
    );
}

#[tokio::test]
async fn a_ledger_of_format_3_answers_as_before_and_counts_on() {
    // Two minutes of one page, one of their exchanges for outputs that want each; another page; and what was not measured.
    const ROWS: &str = "
        INSERT INTO word (id, text) VALUES (1, '10.0.0.1'), (2, 'GET'), (3, '2'), (4, 'script'), (5, 'observed'),
            (6, 'unpinned'), (7, 'https://v.test/a.js'), (8, 'https://shop.test/'), (9, 'https://shop.test/other');
        INSERT INTO exchange (id, shares, open, at, last, count, whole, took_us, client, client_port, page, method,
            http_version, url, kinds, outcome, reason, body, status, policy_version)
        VALUES
            (x'019c1a4e7b2d7c319d553f2a6e80b1c1', NULL, 0, 100, 200, 3, 2, 1, 1, 5, 8, 2, 3, 7, 4, 5, 6, zeroblob(32), 200, 1),
            (x'019c1a4e7b2d7c319d553f2a6e80b1c2', x'019c1a4e7b2d7c319d553f2a6e80b1c1', 0, 50, 50, 1, 0, 1, 1, 5, 8, 2, 3, 7,
                4, 5, 6, zeroblob(32), 200, 1),
            (x'019c1a4e7b2d7c319d553f2a6e80b1c3', NULL, 0, 600, 700, 4, 0, 1, 1, 5, 8, 2, 3, 7, 4, 5, 6, zeroblob(32), 200, 1),
            (x'019c1a4e7b2d7c319d553f2a6e80b1c4', NULL, 0, 800, 800, 1, 1, 1, 1, 5, 9, 2, 3, 7, 4, 5, 6, zeroblob(32), 200, 1),
            (x'019c1a4e7b2d7c319d553f2a6e80b1c5', NULL, 0, 900, 900, 5, 0, 1, 1, 5, NULL, 2, 3, 7, 4, 5, 6, NULL, 200, 1);";
    let dir = directory();
    let ledger = format!("{}{ROWS}", include_str!("format-3/ledger.sql"));
    of_format(&dir.path().join("ledger/2126-11.db"), &ledger).await;

    let store = gateway(&dir).await;
    let asker = Asker { page: Some("https://shop.test/".into()), ..asker("10.0.0.1:1") };
    let again = Exchange {
        asker,
        url: "https://v.test/a.js".into(),
        vendor: None,
        kinds: Kinds::from_iter([Kind::Script]),
        outcome: Outcome::Observed,
        reason: Some(Reason::Unpinned),
        body: Some(pinfold_policy::digest::BodyId([0; 32])),
        path: None,
        destination: None,
        ..verified("10.0.0.1:1", noon())
    };
    store.record(again).await.unwrap().delivered_whole();
    store.settle().await.unwrap();

    let found = store.exposure(&crate::Sought::default()).await.unwrap();
    let times: Vec<_> = found.sighted.iter().map(|it| (it.count, it.got.whole, it.first, it.last)).collect();
    let at = |micros| Timestamp::from_microsecond(micros).unwrap();
    assert_eq!(
        times,
        [(8, 3, at(100), noon()), (1, 1, at(800), at(800)), (5, 0, at(900), at(900))],
        "{found:#?}"
    );
    assert_eq!(found.coverage.unmeasured, 5);
    let rows = store.exchanges(&Filter::default()).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.count).collect::<Vec<_>>(), [1, 5, 1, 4, 3]);
    let page = |row: &crate::ExchangeRow| row.exchange.asker.page.as_deref().map(str::to_owned);
    assert_eq!(rows.iter().filter(|row| page(row).as_deref() == Some("https://shop.test/")).count(), 3);
}

#[tokio::test]
async fn a_ledger_of_format_4_takes_visits() {
    let dir = directory();
    of_format(&dir.path().join("ledger/2126-11.db"), include_str!("format-4/ledger.sql")).await;

    let store = gateway(&dir).await;
    let authority = Authority::parse("clear.test:80", None).unwrap();
    store.visited(Visit { at: noon(), client: "10.0.0.1".parse().unwrap(), user: None, authority });
    store.settle().await.unwrap();

    assert_eq!(store.unseen().await.unwrap().visited, 1);
}

#[tokio::test]
async fn a_ledger_of_format_4_does_not_say_that_it_always_took_visits() {
    // On 2024-05-10.
    const ROWS: &str = "
        INSERT INTO word (id, text) VALUES (1, '10.0.0.1'), (2, 'bank.example:443');
        INSERT INTO tunnel (id, open, at, client, client_port, authority, status, policy_version)
            VALUES (x'018f5fa0c0007c319d553f2a6e80b1c5', 0, 1715299200000000, 1, 5, 2, 403, 1);";
    let dir = directory();
    let ledger = format!("{}{ROWS}", include_str!("format-4/ledger.sql"));
    of_format(&dir.path().join("ledger/2024-05.db"), &ledger).await;
    let before = Timestamp::now();

    let store = gateway(&dir).await;

    let upgraded = store.unseen().await.unwrap().unwritten_until.unwrap();
    // SQLite has milliseconds.
    let early = before.saturating_sub(jiff::SignedDuration::from_millis(1)).unwrap();
    assert!((early..=Timestamp::now()).contains(&upgraded), "{upgraded}");
    let began = |text: &str| Some(text.parse::<Timestamp>().unwrap());
    let unwritten = async |since, until| {
        let sought = crate::Sought { since, until, ..crate::Sought::default() };
        store.exposure(&sought).await.unwrap().coverage.unwritten_until
    };
    assert_eq!(unwritten(None, None).await, Some(upgraded));
    assert_eq!(unwritten(None, began("2024-05-20T00:00:00Z")).await, Some(upgraded));
    // A month without a file: nothing came that would have been written down.
    assert_eq!(unwritten(began("2024-07-01T00:00:00Z"), None).await, Some(upgraded));
    assert_eq!(unwritten(Some(upgraded), None).await, None);
}

#[tokio::test]
async fn a_ledger_that_format_5_made_has_visits_from_its_beginning() {
    let dir = directory();
    let store = gateway(&dir).await;
    let _begun = store.record(verified("10.0.0.1:1", noon())).await.unwrap();

    let found = store.exposure(&crate::Sought::default()).await.unwrap();
    assert_eq!(found.coverage.unwritten_until, None);
    assert_eq!(store.unseen().await.unwrap().unwritten_until, None);
}

#[tokio::test]
async fn a_database_that_is_removed_under_a_running_gateway_is_missed_and_no_empty_one_takes_its_place() {
    let dir = directory();
    let store = gateway(&dir).await;
    let _begun = store.record(blocked("10.0.0.1:1", noon())).await.unwrap();
    quarantine(&store, &refused("10.0.0.1:1", noon()), TAMPERED).await;
    let (data, away) = (dir.path().join("ledger"), dir.path().join("away"));
    std::fs::rename(&data, &away).unwrap();
    for _ in 0..2 {
        let error = store.record(blocked("10.0.0.1:1", seconds(1))).await.unwrap_err();
        assert!(matches!(error, StoreError::Gone { .. }), "{error}");
    }
    assert!(!data.exists());
    std::fs::rename(&away, &data).unwrap();
    let _begun = store.record(blocked("10.0.0.1:1", seconds(2))).await.unwrap();

    std::fs::rename(dir.path().join("pinfold.db"), dir.path().join("away.db")).unwrap();
    for _ in 0..2 {
        let refusal = refused("10.0.0.1:1", seconds(3));
        let error = store.quarantine(&refusal, SUBJECT, Kind::Script, &held(REVIEWED)).await.unwrap_err();
        assert!(matches!(error, StoreError::Gone { .. }), "{error}");
    }
    assert!(!dir.path().join("pinfold.db").exists());
    store.settle().await.unwrap();
    let gaps = store.gaps().await.unwrap();
    assert_eq!(gaps.iter().map(|gap| gap.exchanges).sum::<u64>(), 4);
}
