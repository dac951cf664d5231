//! When no gateway ran: what the notices of starts and stops say.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::exposure::Sought;
use super::tally::MICROSECONDS_PER_MINUTE;
use super::{SCHEMA, dir_in, files};
use crate::columns::Columns;
use crate::entry::What;
use crate::error::StoreError;
use crate::{lock, sqlite};

/// A time in which nothing went through the gateway, and nobody knows what went past it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Downtime {
    /// When it stopped; where it was killed, the last that it recorded: it may have run for longer.
    pub since: Timestamp,
    /// When it started again, or now.
    pub until: Timestamp,
    /// Whether it stopped in order. A kill leaves no word.
    pub in_order: bool,
}

/// Those that reach into the window.
pub(super) async fn downtimes(data_dir: &Path, sought: &Sought) -> Result<Vec<Downtime>, StoreError> {
    let mut found = Vec::new();
    let (mut months, mut last): (Vec<PathBuf>, Option<(Timestamp, What)>) = (Vec::new(), None);
    for (_, path) in files(&dir_in(data_dir))? {
        let mut connection = sqlite::open(&path, &SCHEMA).await?;
        let turns = turns(&mut connection).await.map_err(StoreError::database(&path))?;
        months.push(path);
        for (at, what) in turns {
            match last {
                Some((since, What::Stopped)) if what == What::Started => {
                    found.push(Downtime { since, until: at, in_order: true });
                }
                Some((since, _)) if what == What::Started => {
                    let since = last_seen(&months, at).await?.map_or(since, |seen| seen.max(since));
                    found.push(Downtime { since, until: at, in_order: false });
                }
                Some(_) | None => {}
            }
            last = Some((at, what));
        }
    }
    let now = Timestamp::now();
    match last {
        Some((since, What::Stopped)) => {
            found.push(Downtime { since, until: now.max(since), in_order: true });
        }
        // Whoever is killed leaves no word, and holds no lock. The month that has the start may be gone.
        Some(_) | None if !lock::is_held(data_dir)? => {
            let since = last_seen(&months, now).await?;
            found.extend(since.map(|since| Downtime { since, until: now, in_order: false }));
        }
        Some(_) | None => {}
    }
    found.retain(|down| {
        sought.until.is_none_or(|until| down.since <= until)
            && sought.since.is_none_or(|since| down.until >= since)
    });
    Ok(found)
}

/// The last that the newest month with anything has of before.
async fn last_seen(months: &[PathBuf], at: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    for path in months.iter().rev() {
        let mut connection = sqlite::open(path, &SCHEMA).await?;
        let seen = seen_before(&mut connection, at).await.map_err(StoreError::database(path))?;
        if seen.is_some() {
            return Ok(seen);
        }
    }
    Ok(None)
}

/// Starts and stops of one month, in order.
async fn turns(connection: &mut SqliteConnection) -> Result<Vec<(Timestamp, What)>, sqlx::Error> {
    let rows = sqlx::query("SELECT at, what FROM notice_text WHERE what IN (?, ?) ORDER BY at, id")
        .bind(What::Started.as_str())
        .bind(What::Stopped.as_str())
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok((Columns(row).time("at")?, Columns(row).what("what")?))).collect()
}

/// The last that a month has of before.
async fn seen_before(
    connection: &mut SqliteConnection,
    at: Timestamp,
) -> Result<Option<Timestamp>, sqlx::Error> {
    // A row counts on for its minute. Tunnels are looked up by their ids, which are in the order of time.
    let row = sqlx::query(
        "SELECT max(at) AS at FROM (
            SELECT max(last) AS at FROM exchange WHERE at < ?1
                AND at >= (SELECT max(at) FROM exchange WHERE at < ?1) - ?2
            UNION ALL SELECT * FROM (SELECT at FROM tunnel WHERE at < ?1 ORDER BY id DESC LIMIT 1)
            UNION ALL SELECT max(at) FROM notice WHERE at < ?1
            UNION ALL SELECT max(last) FROM visit WHERE last < ?1
                AND hour = (SELECT max(hour) FROM visit WHERE first < ?1 AND hour <= ?1 / ?3))",
    )
    .bind(at.as_microsecond())
    .bind(MICROSECONDS_PER_MINUTE)
    .bind(60 * MICROSECONDS_PER_MINUTE)
    .fetch_one(connection)
    .await?;
    Columns(&row).time_or_none("at")
}
