//! Reading the ledger.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use pinfold_policy::digest::BodyId;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite, SqliteConnection};

use super::rows::{read_exchange, read_gap, read_notice, read_tunnel};
use super::{SCHEMA, Stream, dir_in, file_of, files};
use crate::columns::Columns;
use crate::entry::{Event, Exchange, Gap, Notice, Tunnel, TunnelEnd, What};
use crate::error::StoreError;
use crate::incident::Incident;
use crate::month::Month;
use crate::place::Place;
use crate::sqlite::{self, identity, uint};

/// Which exchanges: those that meet all that is said.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The match key.
    pub url: Option<Box<str>>,
    /// The decoded body.
    pub digest: Option<BodyId>,
    /// The incident that the client was told.
    pub incident: Option<Incident>,
    /// How many rows at most; all without it.
    pub limit: Option<u32>,
}

/// A row of the ledger: exchanges of one minute that are alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeRow {
    /// The first of them.
    pub exchange: Exchange,
    /// How many.
    pub count: u64,
    /// How many of them were delivered whole.
    pub whole: u64,
    /// When the last of them was.
    pub last: Timestamp,
}

/// A tunnel, or the refusal of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelRow {
    /// How it was opened.
    pub tunnel: Tunnel,
    /// How it ended, if it has and was seen to.
    pub end: Option<TunnelEnd>,
    /// Whether it has not ended yet.
    pub open: bool,
}

/// Exchanges, the newest first.
pub(crate) async fn exchanges(data_dir: &Path, filter: &Filter) -> Result<Vec<ExchangeRow>, StoreError> {
    let limit = filter.limit.map_or(usize::MAX, |limit| limit as usize);
    let mut found = Vec::new();
    for (_, path) in files(&dir_in(data_dir))?.into_iter().rev() {
        if found.len() >= limit {
            break;
        }
        let mut connection = sqlite::open(&path, &SCHEMA).await?;
        let rows = select_exchanges(filter, limit - found.len()).build().fetch_all(&mut connection).await;
        let rows = rows.and_then(|rows| rows.iter().map(read_exchange).collect::<Result<Vec<_>, _>>());
        found.extend(rows.map_err(StoreError::database(&path))?);
    }
    Ok(found)
}

fn select_exchanges(filter: &Filter, limit: usize) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(
        "SELECT * FROM exchange_text WHERE id IN (SELECT id FROM exchange WHERE shares IS NULL",
    );
    if let Some(url) = &filter.url {
        query.push(
            " AND alike IN (SELECT a.id FROM alike a JOIN word url ON url.id = a.url WHERE url.text = ",
        );
        query.push_bind(url.to_string()).push(")");
    }
    if let Some(digest) = filter.digest {
        query
            .push(" AND alike IN (SELECT id FROM alike WHERE body = ")
            .push_bind(digest.0.to_vec())
            .push(")");
    }
    if let Some(incident) = filter.incident {
        query.push(" AND incident = ").push_bind(incident.0.as_bytes().to_vec());
    }
    query.push(" ORDER BY id DESC LIMIT ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX));
    query.push(") ORDER BY id DESC");
    query
}

/// Whether something was expected at a match key, with any query.
pub(crate) async fn was_judged_by_a_pin(data_dir: &Path, subject: &str) -> Result<bool, StoreError> {
    // '@' follows '?': what lies between them is the subject with a query.
    const EXISTS: &str = "SELECT EXISTS (
        SELECT 1 FROM word url JOIN alike a ON a.url = url.id
        WHERE (url.text = ?1 OR (url.text >= ?1 || '?' AND url.text < ?1 || '@')) AND (
            a.outcome IN (SELECT id FROM word WHERE text IN ('verified', 'substituted'))
            OR a.reason IN (SELECT id FROM word WHERE text IN ('digest-mismatch', 'expired-pin', 'rejected'))))";
    for (_, path) in files(&dir_in(data_dir))?.into_iter().rev() {
        let mut connection = sqlite::open(&path, &SCHEMA).await?;
        let exists: Result<bool, _> =
            sqlx::query_scalar(EXISTS).bind(subject).fetch_one(&mut connection).await;
        if exists.map_err(StoreError::database(&path))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Tunnels, the newest first.
pub(crate) async fn tunnels(data_dir: &Path, limit: u32) -> Result<Vec<TunnelRow>, StoreError> {
    let limit = limit as usize;
    let mut found = Vec::new();
    for (_, path) in files(&dir_in(data_dir))?.into_iter().rev() {
        if found.len() >= limit {
            break;
        }
        let mut connection = sqlite::open(&path, &SCHEMA).await?;
        let rows = sqlx::query("SELECT * FROM tunnel_text ORDER BY id DESC LIMIT ?")
            .bind(i64::try_from(limit - found.len()).unwrap_or(i64::MAX))
            .fetch_all(&mut connection)
            .await;
        let rows = rows.and_then(|rows| rows.iter().map(read_tunnel).collect::<Result<Vec<_>, _>>());
        found.extend(rows.map_err(StoreError::database(&path))?);
    }
    Ok(found)
}

/// Gaps, the newest first.
pub(crate) async fn gaps(data_dir: &Path) -> Result<Vec<Gap>, StoreError> {
    let mut found = Vec::new();
    for (_, path) in files(&dir_in(data_dir))?.into_iter().rev() {
        let mut connection = sqlite::open(&path, &SCHEMA).await?;
        let rows = sqlx::query("SELECT * FROM gap ORDER BY id DESC").fetch_all(&mut connection).await;
        let rows = rows.and_then(|rows| rows.iter().map(read_gap).collect::<Result<Vec<_>, _>>());
        found.extend(rows.map_err(StoreError::database(&path))?);
    }
    Ok(found)
}

/// Up to `limit` notices, the newest first.
pub(crate) async fn notices(data_dir: &Path, limit: u32) -> Result<Vec<Notice>, StoreError> {
    let limit = limit as usize;
    let mut found = Vec::new();
    for (_, path) in files(&dir_in(data_dir))?.into_iter().rev() {
        if found.len() >= limit {
            break;
        }
        let mut connection = sqlite::open(&path, &SCHEMA).await?;
        let rows = sqlx::query("SELECT * FROM notice_text ORDER BY id DESC LIMIT ?")
            .bind(i64::try_from(limit - found.len()).unwrap_or(i64::MAX))
            .fetch_all(&mut connection)
            .await;
        let rows = rows.and_then(|rows| rows.iter().map(read_notice).collect::<Result<Vec<_>, _>>());
        found.extend(rows.map_err(StoreError::database(&path))?);
    }
    Ok(found)
}

/// The newest notice of its kind, and the month in which it is written down.
pub(crate) async fn last_notice(data_dir: &Path, what: What) -> Result<Option<(Month, Notice)>, StoreError> {
    for (month, path) in files(&dir_in(data_dir))?.into_iter().rev() {
        let mut connection = sqlite::open(&path, &SCHEMA).await?;
        let row = sqlx::query("SELECT * FROM notice_text WHERE what = ? ORDER BY at DESC, id DESC LIMIT 1")
            .bind(what.as_str())
            .fetch_optional(&mut connection)
            .await;
        let found = row.and_then(|row| row.as_ref().map(read_notice).transpose());
        if let Some(notice) = found.map_err(StoreError::database(&path))? {
            return Ok(Some((month, notice)));
        }
    }
    Ok(None)
}

/// Reads the events of one month.
#[derive(Debug)]
pub(crate) struct EventReader {
    pub(crate) month: Month,
    path: PathBuf,
    /// Which file that was before it was opened.
    file: Option<(u64, u64)>,
    connection: SqliteConnection,
}

impl EventReader {
    pub(crate) async fn open(data_dir: &Path, month: Month) -> Result<Self, StoreError> {
        let path = file_of(&dir_in(data_dir), month);
        let file = identity(&path);
        Ok(Self { connection: sqlite::open(&path, &SCHEMA).await?, path, file, month })
    }

    /// Whether the month is still in that file: one that was removed can be read on, and gets no more events.
    pub(crate) fn is_current(&self) -> bool {
        identity(&self.path) == self.file
    }

    /// The place, or the beginning where this file has another event there, or none: its events are others, and nobody has
    /// them yet.
    pub(crate) async fn place_or_start(&mut self, place: Place) -> Result<Place, StoreError> {
        let there = self.place_up_to(place.seq).await?;
        let is_same = there.seq == place.seq && (place.event.is_none() || place.event == there.event);
        Ok(if is_same { there } else { Place::default() })
    }

    /// The place of the last event up to a number.
    pub(crate) async fn place_up_to(&mut self, seq: i64) -> Result<Place, StoreError> {
        place_up_to(&mut self.connection, seq).await.map_err(StoreError::database(&self.path))
    }

    /// Up to `max` events behind `after`, in order, with their places.
    pub(crate) async fn read(
        &mut self,
        stream: Stream,
        after: i64,
        max: usize,
    ) -> Result<Vec<(i64, Event)>, StoreError> {
        read_events(&mut self.connection, stream, after, max).await.map_err(StoreError::database(&self.path))
    }
}

impl EventReader {
    /// How many events of a stream there are behind `after`, up to and with `to`.
    pub(crate) async fn count(&mut self, stream: Stream, after: i64, to: i64) -> Result<u64, StoreError> {
        let count: Result<i64, _> = sqlx::query_scalar(
            "SELECT count(*) FROM feed WHERE seq > ? AND seq <= ? AND (stream = ? OR stream > 2)",
        )
        .bind(after)
        .bind(to)
        .bind(stream.number())
        .fetch_one(&mut self.connection)
        .await;
        count.map(uint).map_err(StoreError::database(&self.path))
    }
}

pub(super) async fn place_up_to(connection: &mut SqliteConnection, seq: i64) -> Result<Place, sqlx::Error> {
    let row = sqlx::query("SELECT seq, id FROM feed WHERE seq <= ? ORDER BY seq DESC LIMIT 1")
        .bind(seq)
        .fetch_optional(connection)
        .await?;
    let place = |row: &SqliteRow| Ok(Place::of(row.try_get("seq")?, Columns(row).uuid("id")?));
    row.as_ref().map(place).transpose().map(Option::unwrap_or_default)
}

async fn read_events(
    connection: &mut SqliteConnection,
    stream: Stream,
    after: i64,
    max: usize,
) -> Result<Vec<(i64, Event)>, sqlx::Error> {
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let to: Option<i64> = sqlx::query_scalar(
        "SELECT max(seq) FROM
             (SELECT seq FROM feed WHERE seq > ? AND (stream = ? OR stream > 2) ORDER BY seq LIMIT ?)",
    )
    .bind(after)
    .bind(stream.number())
    .bind(max)
    .fetch_one(&mut *connection)
    .await?;
    let Some(to) = to else { return Ok(Vec::new()) };
    let mut events = exchange_events(connection, stream, after, to).await?;
    events.extend(tunnel_events(connection, after, to).await?);
    events.extend(gap_events(connection, after, to).await?);
    events.extend(notice_events(connection, after, to).await?);
    events.sort_by_key(|(seq, _)| *seq);
    Ok(events)
}

async fn exchange_events(
    connection: &mut SqliteConnection,
    stream: Stream,
    after: i64,
    to: i64,
) -> Result<Vec<(i64, Event)>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT feed.seq, feed.stream, e.* FROM feed JOIN exchange_text e ON e.id = feed.id
         WHERE feed.seq > ? AND feed.seq <= ? AND feed.stream IN (?, ?, ?)",
    )
    .bind(after)
    .bind(to)
    .bind(stream.number())
    .bind(Stream::CountedForAll.number())
    .bind(Stream::EachForAll.number())
    .fetch_all(connection)
    .await?;
    let event = |row| {
        let ExchangeRow { exchange, count, whole, last } = read_exchange(row)?;
        let told_as: i64 = row.try_get("stream")?;
        let is_one_of_each = [Stream::Each, Stream::EachForAll].iter().any(|each| each.number() == told_as);
        let event = match is_one_of_each {
            // The row counts others too, and they have events of their own.
            true => Event::Exchange { last: exchange.at, exchange, count: 1, whole: None },
            false => Event::Exchange { exchange, count, whole: Some(whole), last },
        };
        Ok((row.try_get("seq")?, event))
    };
    rows.iter().map(event).collect()
}

async fn tunnel_events(
    connection: &mut SqliteConnection,
    after: i64,
    to: i64,
) -> Result<Vec<(i64, Event)>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT feed.seq, t.* FROM feed JOIN tunnel_text t ON t.id = feed.id
         WHERE feed.seq > ? AND feed.seq <= ? AND feed.stream = ?",
    )
    .bind(after)
    .bind(to)
    .bind(Stream::Tunnel.number())
    .fetch_all(connection)
    .await?;
    let event = |row| {
        let TunnelRow { tunnel, end, open: _ } = read_tunnel(row)?;
        Ok((row.try_get("seq")?, Event::Tunnel { tunnel, end }))
    };
    rows.iter().map(event).collect()
}

async fn gap_events(
    connection: &mut SqliteConnection,
    after: i64,
    to: i64,
) -> Result<Vec<(i64, Event)>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT feed.seq, g.* FROM feed JOIN gap g ON g.id = feed.id
         WHERE feed.seq > ? AND feed.seq <= ? AND feed.stream = ?",
    )
    .bind(after)
    .bind(to)
    .bind(Stream::Gap.number())
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((row.try_get("seq")?, Event::Gap(read_gap(row)?)))).collect()
}

async fn notice_events(
    connection: &mut SqliteConnection,
    after: i64,
    to: i64,
) -> Result<Vec<(i64, Event)>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT feed.seq, n.* FROM feed JOIN notice_text n ON n.id = feed.id
         WHERE feed.seq > ? AND feed.seq <= ? AND feed.stream = ?",
    )
    .bind(after)
    .bind(to)
    .bind(Stream::Notice.number())
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((row.try_get("seq")?, Event::Notice(read_notice(row)?)))).collect()
}
