//! When no gateway ran: what the notices of starts and stops say.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::exposure::Sought;
use super::{SCHEMA, dir_in, files};
use crate::columns::Columns;
use crate::entry::What;
use crate::error::StoreError;
use crate::sqlite;

/// A time in which nothing went through the gateway, and nobody knows what went past it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Downtime {
    /// When it stopped; where it was killed, the last that it recorded.
    pub since: Timestamp,
    /// When it started again, or now.
    pub until: Timestamp,
    /// Whether it stopped in order. A kill leaves no word.
    pub in_order: bool,
}

/// Those that reach into the window.
pub(super) async fn downtimes(data_dir: &Path, sought: &Sought) -> Result<Vec<Downtime>, StoreError> {
    let mut found = Vec::new();
    let (mut before, mut last): (Option<PathBuf>, Option<(Timestamp, What)>) = (None, None);
    for (_, path) in files(&dir_in(data_dir))? {
        let mut connection = sqlite::open(&path, &SCHEMA).await?;
        let turns = turns(&mut connection).await.map_err(StoreError::database(&path))?;
        for (at, what) in turns {
            if what == What::Started {
                match last {
                    Some((since, What::Stopped)) => found.push(Downtime { since, until: at, in_order: true }),
                    Some((since, _)) => {
                        let seen =
                            seen_before(&mut connection, at).await.map_err(StoreError::database(&path))?;
                        let seen = match (seen, &before) {
                            (None, Some(before)) => {
                                let mut earlier = sqlite::open(before, &SCHEMA).await?;
                                seen_before(&mut earlier, at).await.map_err(StoreError::database(before))?
                            }
                            (seen, _) => seen,
                        };
                        let since = seen.map_or(since, |seen| seen.max(since));
                        found.push(Downtime { since, until: at, in_order: false });
                    }
                    None => {}
                }
            }
            last = Some((at, what));
        }
        before = Some(path);
    }
    if let Some((since, What::Stopped)) = last {
        found.push(Downtime { since, until: Timestamp::now().max(since), in_order: true });
    }
    found.retain(|down| {
        sought.until.is_none_or(|until| down.since <= until)
            && sought.since.is_none_or(|since| down.until >= since)
    });
    Ok(found)
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
    let row = sqlx::query(
        "SELECT max(at) AS at FROM (SELECT max(at) AS at FROM exchange WHERE at < ?1
         UNION ALL SELECT max(at) FROM tunnel WHERE at < ?1 UNION ALL SELECT max(at) FROM notice WHERE at < ?1)",
    )
    .bind(at.as_microsecond())
    .fetch_one(connection)
    .await?;
    Columns(&row).time_or_none("at")
}
