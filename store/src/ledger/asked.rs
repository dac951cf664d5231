//! Which URLs were asked for, and when last: a month at a time, the newest first, so that whoever has found what they look
//! for can stop.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use pinfold_policy::digest::BodyId;
use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;

use super::{SCHEMA, dir_in, files};
use crate::columns::Columns;
use crate::error::StoreError;
use crate::month::Month;
use crate::sqlite;

/// URLs that are read at one time: a month can hold millions.
const PAGE: usize = 4096;

/// URLs in the order of their text. '?' is the last of the page before.
const SELECT: &str = "
    SELECT url.text AS url, (SELECT max(a.last) FROM alike a WHERE a.url = url.id) AS last
    FROM word url WHERE url.text > ? AND url.text < 'httq' ORDER BY url.text LIMIT ?";

/// Reads the months of the ledger backwards.
#[derive(Debug)]
pub struct AskedUrls {
    /// The newest last.
    months: Vec<PathBuf>,
}

/// A body that a URL answered with in place of what was expected there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The match key.
    pub url: Box<str>,
    /// The decoded body.
    pub digest: BodyId,
    /// When it came last.
    pub last: Timestamp,
}

impl AskedUrls {
    pub(crate) fn new(data_dir: &Path, since: Option<Timestamp>) -> Result<Self, StoreError> {
        let first = since.map(Month::of);
        let months = files(&dir_in(data_dir))?.into_iter();
        let months = months.filter(|(month, _)| first.is_none_or(|first| *month >= first));
        Ok(Self { months: months.map(|(_, path)| path).collect() })
    }

    /// Shows each URL of the next older month, and when it was asked for last in that month. `false` where there is no
    /// month any more.
    ///
    /// # Errors
    /// [`StoreError`] when the month cannot be read.
    pub async fn next_month(&mut self, mut show: impl FnMut(&str, Timestamp)) -> Result<bool, StoreError> {
        let Some(path) = self.months.pop() else { return Ok(false) };
        let mut connection = sqlite::open(&path, &SCHEMA).await?;
        let mut after: Box<str> = "http".into();
        loop {
            let page = page(&mut connection, &after).await.map_err(StoreError::database(&path))?;
            for (url, last) in &page {
                if let Some(last) = last {
                    show(url, *last);
                }
            }
            match page.into_iter().nth(PAGE - 1) {
                Some((last, _)) => after = last,
                None => return Ok(true),
            }
        }
    }
}

/// Words that begin like a URL; those that are pages only were not asked for.
async fn page(
    connection: &mut SqliteConnection,
    after: &str,
) -> Result<Vec<(Box<str>, Option<Timestamp>)>, sqlx::Error> {
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
    let rows = sqlx::query(SELECT).bind(after).bind(limit).fetch_all(connection).await?;
    let read = |row| Ok((Columns(row).text("url")?, Columns(row).time_or_none("last")?));
    rows.iter().map(read).collect()
}

/// When the first exchange was that the ledger still has.
pub(crate) async fn recorded_since(data_dir: &Path) -> Result<Option<Timestamp>, StoreError> {
    for (_, path) in files(&dir_in(data_dir))? {
        let mut connection = sqlite::open(&path, &SCHEMA).await?;
        let row = sqlx::query("SELECT at FROM exchange ORDER BY id LIMIT 1").fetch_optional(&mut connection);
        let row = row.await.map_err(StoreError::database(&path))?;
        if let Some(row) = row {
            return Columns(&row).time("at").map(Some).map_err(StoreError::database(&path));
        }
    }
    Ok(None)
}

/// What URLs answered with in place of what was expected there, since the month of `since`. Reads whole months.
pub(crate) async fn changed(data_dir: &Path, since: Timestamp) -> Result<Vec<Changed>, StoreError> {
    let mut found = Vec::new();
    for path in AskedUrls::new(data_dir, Some(since))?.months {
        let mut connection = sqlite::open(&path, &SCHEMA).await?;
        let rows = sqlx::query(
            "SELECT url.text AS url, a.body, max(a.last) AS last FROM alike a JOIN word url ON url.id = a.url
             WHERE a.body IS NOT NULL AND a.reason = (SELECT id FROM word WHERE text = 'digest-mismatch')
             GROUP BY a.url, a.body",
        )
        .fetch_all(&mut connection)
        .await;
        let rows = rows.and_then(|rows| rows.iter().map(read_changed).collect::<Result<Vec<_>, _>>());
        found.extend(rows.map_err(StoreError::database(&path))?);
    }
    Ok(found)
}

fn read_changed(row: &SqliteRow) -> Result<Changed, sqlx::Error> {
    let row = Columns(row);
    Ok(Changed { url: row.text("url")?, digest: row.body("body")?, last: row.time("last")? })
}
