//! How often what came, over a window of one month: one sum for all that is alike, words by their numbers.
//!
//! What lies in the window whole is read as it is kept; of what reaches over its edges the rows are read. A window of few
//! rows is read row by row.

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use pinfold_policy::digest::BodyId;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};

use super::tally::MICROSECONDS_PER_MINUTE;
use crate::columns::unreadable;
use crate::incident::Incident;
use crate::sqlite::uint;

/// Rows that are read one by one sooner than by what they have in common.
const FEW_ROWS: i64 = 50_000;

/// What is told of each sum, as one JSON array: a row of sixteen columns costs more on its way here than the sum itself.
const COMMON: &str =
    "SELECT json_array(a.client, a.user, a.page, a.url, a.vendor, a.kinds, hex(a.body), a.outcome,
    a.reason, a.path, a.status, a.method";

/// The same of rows, as `e`.
const OF_ROWS: &str = ", sum(e.count), sum(e.whole), min(e.at), max(e.last))";

/// A window, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    since: Option<i64>,
    until: Option<i64>,
}

/// Which of what is alike.
#[derive(Clone, Debug, Default)]
pub(super) struct Subject<'s> {
    pub(super) body: Option<BodyId>,
    /// Incidents of the body: whoever got other bytes in its place asked for it too.
    pub(super) incidents: &'s [Incident],
    /// The numbers of URLs, as a JSON array.
    pub(super) urls: Option<String>,
    /// Columns, and the words that they have to be.
    pub(super) words: Vec<(&'static str, String)>,
}

/// What came alike, and how often.
#[derive(Debug)]
pub(super) struct Sum {
    pub(super) client: i64,
    pub(super) user: Option<i64>,
    pub(super) page: Option<i64>,
    pub(super) url: i64,
    pub(super) vendor: Option<i64>,
    pub(super) kinds: i64,
    pub(super) body: Option<BodyId>,
    pub(super) outcome: i64,
    pub(super) reason: Option<i64>,
    pub(super) path: Option<i64>,
    pub(super) status: u16,
    pub(super) method: i64,
    pub(super) count: u64,
    pub(super) whole: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
}

impl Window {
    pub(super) fn new(since: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        let micros = |time: Option<Timestamp>| time.map(Timestamp::as_microsecond);
        Self { since: micros(since), until: micros(until) }
    }

    fn is_open(self) -> bool {
        self.since.is_none() && self.until.is_none()
    }

    /// Rows that began before its end, and ended after its beginning.
    fn push_rows(self, query: &mut QueryBuilder<Sqlite>) {
        if let Some(since) = self.since {
            query.push(" AND e.last >= ").push_bind(since);
            // For the index: no row is longer than a minute.
            query.push(" AND e.at >= ").push_bind(since.saturating_sub(MICROSECONDS_PER_MINUTE));
        }
        if let Some(until) = self.until {
            query.push(" AND e.at <= ").push_bind(until);
        }
    }

    /// Sums of which all rows are such rows.
    fn push_within(self, query: &mut QueryBuilder<Sqlite>) {
        if let Some(since) = self.since {
            query.push(" AND a.first >= ").push_bind(since);
        }
        if let Some(until) = self.until {
            query.push(" AND a.last <= ").push_bind(until);
        }
    }

    /// Sums of which some rows may be such rows, and others not.
    fn push_over_an_edge(self, query: &mut QueryBuilder<Sqlite>) {
        let since = self.since.unwrap_or(i64::MIN);
        let until = self.until.unwrap_or(i64::MAX);
        query.push(" AND a.last >= ").push_bind(since).push(" AND a.first <= ").push_bind(until);
        query.push(" AND (a.first < ").push_bind(since).push(" OR a.last > ").push_bind(until).push(")");
    }
}

impl Subject<'_> {
    fn is_all(&self) -> bool {
        let Self { body, incidents: _, urls, words } = self;
        body.is_none() && urls.is_none() && words.is_empty()
    }

    fn push(&self, query: &mut QueryBuilder<Sqlite>) {
        if let Some(body) = self.body {
            query.push(" AND a.body = ").push_bind(body.0.to_vec());
        }
        self.push_besides_body(query);
    }

    fn push_besides_body(&self, query: &mut QueryBuilder<Sqlite>) {
        if let Some(urls) = &self.urls {
            query.push(" AND a.url IN (SELECT value FROM json_each(").push_bind(urls.clone()).push("))");
        }
        for (column, word) in &self.words {
            query.push(format!(" AND a.{column} = (SELECT id FROM word WHERE text = "));
            query.push_bind(word.clone()).push(")");
        }
    }

    fn push_incidents(&self, query: &mut QueryBuilder<Sqlite>) {
        // One body can be in quarantine at more URLs than a statement has parameters.
        let incidents: Vec<_> =
            self.incidents.iter().map(|incident| incident.0.simple().to_string()).collect();
        query.push(" AND e.incident IN (SELECT unhex(value) FROM json_each(");
        query.push_bind(serde_json::json!(incidents).to_string()).push("))");
    }
}

/// Shows each sum. What is alike may come in several, of other times.
pub(super) async fn each_sum(
    connection: &mut SqliteConnection,
    subject: &Subject<'_>,
    window: Window,
    mut show: impl FnMut(Sum),
) -> Result<(), sqlx::Error> {
    let mut queries = if window.is_open() {
        vec![as_kept(subject, window)]
    } else if has_few_rows(connection, window).await? {
        vec![of_rows(subject, window)]
    } else {
        vec![as_kept(subject, window), over_edges(subject, window)]
    };
    if !subject.incidents.is_empty() {
        queries.push(of_incidents(subject, window));
    }
    for query in queries {
        show_all(connection, query, &mut show).await?;
    }
    Ok(())
}

async fn show_all(
    connection: &mut SqliteConnection,
    mut query: QueryBuilder<Sqlite>,
    show: &mut impl FnMut(Sum),
) -> Result<(), sqlx::Error> {
    let mut rows = query.build().fetch(connection);
    while let Some(row) = rows.try_next().await? {
        show(read(row.try_get(0)?)?);
    }
    Ok(())
}

async fn has_few_rows(connection: &mut SqliteConnection, window: Window) -> Result<bool, sqlx::Error> {
    let mut query = QueryBuilder::new("SELECT count(*) FROM (SELECT 1 FROM exchange e WHERE e.at >= ");
    query.push_bind(window.since.map_or(i64::MIN, |since| since.saturating_sub(MICROSECONDS_PER_MINUTE)));
    query.push(" AND e.at <= ").push_bind(window.until.unwrap_or(i64::MAX));
    query.push(" LIMIT ").push_bind(FEW_ROWS + 1).push(")");
    let rows: i64 = query.build_query_scalar().fetch_one(connection).await?;
    Ok(rows <= FEW_ROWS)
}

/// Exchanges that were released without a digest.
pub(super) async fn unmeasured(
    connection: &mut SqliteConnection,
    window: Window,
) -> Result<u64, sqlx::Error> {
    const WHICH: &str = " a.body IS NULL
        AND a.outcome IN (SELECT id FROM word WHERE text IN ('verified', 'substituted', 'observed'))";
    let mut query = QueryBuilder::new(
        "SELECT coalesce(sum(count), 0) FROM (SELECT a.count AS count FROM alike a INDEXED BY alike_unmeasured WHERE",
    );
    query.push(WHICH);
    window.push_within(&mut query);
    query.push(
        " UNION ALL SELECT e.count FROM alike a INDEXED BY alike_unmeasured
          CROSS JOIN exchange e INDEXED BY exchange_by_alike ON e.alike = a.id WHERE e.shares IS NULL AND",
    );
    query.push(WHICH);
    window.push_over_an_edge(&mut query);
    window.push_rows(&mut query);
    let count: i64 = query.push(")").build_query_scalar().fetch_one(connection).await?;
    Ok(uint(count))
}

fn as_kept(subject: &Subject<'_>, window: Window) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(COMMON);
    // Of what was only told to outputs, each by itself, the rows count nothing.
    query.push(", a.count, a.whole, a.first, a.last) FROM alike a WHERE a.count > 0");
    window.push_within(&mut query);
    subject.push(&mut query);
    query
}

fn over_edges(subject: &Subject<'_>, window: Window) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(COMMON);
    // In the order of numbers, and with an index that has all that is read: nothing is sorted, and no row is looked up.
    query.push(OF_ROWS).push(
        " FROM alike a NOT INDEXED CROSS JOIN exchange e INDEXED BY exchange_by_alike ON e.alike = a.id
          WHERE e.shares IS NULL",
    );
    if subject.is_all() {
        window.push_over_an_edge(&mut query);
    } else {
        query.push(" AND a.id IN (SELECT a.id FROM alike a WHERE true");
        window.push_over_an_edge(&mut query);
        subject.push(&mut query);
        query.push(")");
    }
    window.push_rows(&mut query);
    query.push(" GROUP BY a.id");
    query
}

fn of_rows(subject: &Subject<'_>, window: Window) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(COMMON);
    query.push(OF_ROWS).push(
        " FROM exchange e INDEXED BY exchange_by_time CROSS JOIN alike a ON a.id = e.alike WHERE e.shares IS NULL",
    );
    window.push_rows(&mut query);
    subject.push(&mut query);
    query.push(" GROUP BY a.id");
    query
}

fn of_incidents(subject: &Subject<'_>, window: Window) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(COMMON);
    query.push(OF_ROWS).push(
        " FROM exchange e INDEXED BY exchange_by_incident CROSS JOIN alike a ON a.id = e.alike
          WHERE e.shares IS NULL AND e.incident IS NOT NULL",
    );
    subject.push_incidents(&mut query);
    if let Some(body) = subject.body {
        query.push(" AND a.body IS NOT ").push_bind(body.0.to_vec());
    }
    window.push_rows(&mut query);
    subject.push_besides_body(&mut query);
    query.push(" GROUP BY a.id");
    query
}

/// What [`COMMON`] and the sums behind it are as JSON.
type Row<'j> = (
    i64,
    Option<i64>,
    Option<i64>,
    i64,
    Option<i64>,
    i64,
    &'j str,
    i64,
    Option<i64>,
    Option<i64>,
    u16,
    i64,
    i64,
    i64,
    i64,
    i64,
);

fn read(row: &str) -> Result<Sum, sqlx::Error> {
    let row: Row<'_> = serde_json::from_str(row).map_err(|error| unreadable("alike", error))?;
    let (client, user, page, url, vendor, kinds, body, outcome, reason, path, status, method, ..) = row;
    let (.., count, whole, first, last) = row;
    let time = |column, micros| {
        Timestamp::from_microsecond(micros).map_err(|_| unreadable(column, "time out of range"))
    };
    Ok(Sum {
        client,
        user,
        page,
        url,
        vendor,
        kinds,
        body: read_body(body)?,
        outcome,
        reason,
        path,
        status,
        method,
        count: uint(count),
        whole: uint(whole),
        first: time("first", first)?,
        last: time("last", last)?,
    })
}

/// `hex` makes an empty text of nothing.
fn read_body(hex: &str) -> Result<Option<BodyId>, sqlx::Error> {
    if hex.is_empty() {
        return Ok(None);
    }
    BodyId::from_hex(hex).map(Some).ok_or_else(|| unreadable("body", "not 32 bytes"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pinfold_policy::digest::Digests;
    use proptest::prelude::*;
    use sqlx::Connection as _;

    use super::*;
    use crate::ledger::SCHEMA;

    /// What is alike, when it began and ended, how often it came, and how often whole; and one for an output that is told
    /// of each.
    type Given = (i64, i64, i64, i64, i64, bool);

    async fn ledger(rows: &[Given]) -> SqliteConnection {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::raw_sql(SCHEMA.create).execute(&mut connection).await.unwrap();
        for alike in 0..4 {
            let body = (alike != 3).then(|| Digests::of(&[0]).sha256.0.to_vec());
            sqlx::query(
                "INSERT INTO alike (id, client, method, url, kinds, outcome, status, body, count, whole, first, last)
                 VALUES (?, 1, 2, 3, 4, 5, 200, ?, 0, 0, 40, 40)",
            )
            .bind(alike)
            .bind(body)
            .execute(&mut connection)
            .await
            .unwrap();
        }
        sqlx::query("INSERT INTO word VALUES (5, 'observed')").execute(&mut connection).await.unwrap();
        for (id, (alike, at, longer, count, whole, shares)) in (0_i64..).zip(rows) {
            let insert =
                "INSERT INTO exchange (id, shares, open, at, last, count, whole, took_us, alike, client_port,
                http_version, policy_version) VALUES (?, ?, 0, ?, ?, 1, 0, 1, ?, 1, 1, 1)";
            let id = id.to_be_bytes().to_vec();
            let insert = sqlx::query(insert).bind(&id).bind(shares.then_some(&id)).bind(at).bind(at);
            insert.bind(alike).execute(&mut connection).await.unwrap();
            // As the writer does: it begins, and then it counts.
            let count =
                sqlx::query("UPDATE exchange SET count = ?, last = ?, whole = ? WHERE id = ?").bind(count);
            count.bind(at + longer).bind(whole).bind(&id).execute(&mut connection).await.unwrap();
        }
        connection
    }

    type Told = BTreeMap<Option<BodyId>, (u64, u64, Timestamp, Timestamp)>;

    async fn told(connection: &mut SqliteConnection, queries: Vec<QueryBuilder<Sqlite>>) -> Told {
        let mut told = Told::new();
        for query in queries {
            show_all(connection, query, &mut |sum| {
                let one = (sum.count, sum.whole, sum.first, sum.last);
                let add = |all: &mut (u64, u64, Timestamp, Timestamp)| {
                    *all = (all.0 + one.0, all.1 + one.1, all.2.min(one.2), all.3.max(one.3));
                };
                told.entry(sum.body).and_modify(add).or_insert(one);
            })
            .await
            .unwrap();
        }
        told
    }

    fn time() -> impl Strategy<Value = Option<i64>> {
        proptest::option::of(-10..110_i64)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_window_holds_the_same_however_it_is_read(
            rows in proptest::collection::vec((0..4_i64, 0..100_i64, 0..9_i64, 1..4_i64, 0..2_i64, any::<bool>()), 0..12),
            since in time(),
            until in time(),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let mut ledger = ledger(&rows).await;
                let (subject, window) = (Subject::default(), Window { since, until });
                let mut expected = Told::new();
                let mut released = 0;
                let micros = |at| Timestamp::from_microsecond(at).unwrap();
                for (alike, at, longer, count, whole, shares) in &rows {
                    let last = at + longer;
                    if *shares || since.is_some_and(|since| last < since) || until.is_some_and(|until| *at > until) {
                        continue;
                    }
                    let body = (*alike != 3).then(|| Digests::of(&[0]).sha256);
                    let all = expected.entry(body).or_insert((0, 0, micros(*at), micros(last)));
                    all.0 += uint(*count);
                    all.1 += uint(*whole);
                    all.2 = all.2.min(micros(*at));
                    all.3 = all.3.max(micros(last));
                    released += if body.is_none() { uint(*count) } else { 0 };
                }

                let by_rows = told(&mut ledger, vec![of_rows(&subject, window)]).await;
                let by_sums =
                    told(&mut ledger, vec![as_kept(&subject, window), over_edges(&subject, window)]).await;

                assert_eq!(by_rows, expected);
                assert_eq!(by_sums, expected);
                assert_eq!(unmeasured(&mut ledger, window).await.unwrap(), released);
            });
        }
    }
}
