//! A part of the ledger for a page: so many rows, and in so much time. Whoever may look must not keep the disk busy for minutes.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};
use uuid::Uuid;

use super::exposure::{begins_before, push_word, urls};
use super::query::ExchangeRow;
use super::rows::read_exchange;
use super::{SCHEMA, Sought, dir_in, files};
use crate::error::StoreError;
use crate::incident::Incident;
use crate::month::Month;
use crate::sqlite;

/// Steps of the database's machine between two looks at the clock: about a millisecond.
const STEPS: i32 = 100_000;

/// Which rows: those that meet all that is said.
#[derive(Clone, Debug)]
pub struct Excerpt {
    /// What is sought.
    pub sought: Sought,
    /// The incident that the client was told.
    pub incident: Option<Incident>,
    /// Rows before the one with this id; the newest without it.
    pub before: Option<Uuid>,
    /// How many rows at most.
    pub limit: u32,
    /// How long it may take.
    pub within: Duration,
}

/// The newest first. A row is of the minute that began with its first exchange.
pub(crate) async fn excerpt(data_dir: &Path, wanted: &Excerpt) -> Result<Vec<ExchangeRow>, StoreError> {
    let ends = Instant::now() + wanted.within;
    let (limit, sought) = (wanted.limit as usize, &wanted.sought);
    let first = begins_before(sought.since);
    let in_window = |month: Month| {
        first.is_none_or(|first| month >= first) && sought.until.is_none_or(|until| month <= Month::of(until))
    };
    let mut found = Vec::new();
    for (_, path) in files(&dir_in(data_dir))?.into_iter().rev().filter(|(month, _)| in_window(*month)) {
        if found.len() >= limit {
            break;
        }
        let mut connection = sqlite::open(&path, &SCHEMA).await?;
        let rows = month(&mut connection, wanted, limit - found.len(), ends).await;
        found.extend(rows.map_err(StoreError::database(&path))?);
    }
    Ok(found)
}

/// Has whatever is read there given up at a moment.
pub(super) async fn ended_at(connection: &mut SqliteConnection, ends: Instant) -> Result<(), sqlx::Error> {
    connection.lock_handle().await?.set_progress_handler(STEPS, move || Instant::now() < ends);
    Ok(())
}

async fn month(
    connection: &mut SqliteConnection,
    wanted: &Excerpt,
    limit: usize,
    ends: Instant,
) -> Result<Vec<ExchangeRow>, sqlx::Error> {
    ended_at(connection, ends).await?;
    let urls = urls(connection, &wanted.sought).await?;
    let rows = select(wanted, urls, limit).build().fetch_all(connection).await?;
    rows.iter().map(read_exchange).collect()
}

fn select(wanted: &Excerpt, urls: Option<String>, limit: usize) -> QueryBuilder<Sqlite> {
    let Sought { body, client, user, vendor, outcome, since, until, url: _, masked_url: _, host: _, ends: _ } =
        &wanted.sought;
    let mut query = QueryBuilder::new(
        "SELECT * FROM exchange_text WHERE id IN (SELECT id FROM exchange WHERE shares IS NULL",
    );
    if let Some(before) = wanted.before {
        query.push(" AND id < ").push_bind(before.as_bytes().to_vec());
    }
    if let Some(incident) = wanted.incident {
        query.push(" AND incident = ").push_bind(incident.0.as_bytes().to_vec());
    }
    let time = |time: &Option<Timestamp>| time.map(Timestamp::as_microsecond);
    if let Some(since) = time(since) {
        query.push(" AND last >= ").push_bind(since);
    }
    if let Some(until) = time(until) {
        query.push(" AND at <= ").push_bind(until);
    }
    let words = [
        ("client", client.map(|client| client.to_string())),
        ("user", user.as_deref().map(str::to_owned)),
        ("vendor", vendor.as_deref().map(str::to_owned)),
        ("outcome", outcome.map(|outcome| outcome.as_str().to_owned())),
    ];
    if body.is_some() || urls.is_some() || words.iter().any(|(_, word)| word.is_some()) {
        query.push(" AND alike IN (SELECT id FROM alike WHERE true");
        if let Some(body) = body {
            query.push(" AND body = ").push_bind(body.0.to_vec());
        }
        if let Some(urls) = urls {
            query.push(" AND url IN (SELECT value FROM json_each(").push_bind(urls).push("))");
        }
        for (column, word) in words {
            push_word(&mut query, column, word);
        }
        query.push(")");
    }
    query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
    query.push(") ORDER BY id DESC");
    query
}
