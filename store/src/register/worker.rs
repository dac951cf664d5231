//! Service workers that went out.

use jiff::Timestamp;
use pinfold_policy::digest::{BodyId, Digests};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::{Change, Reader};
use crate::columns::{Columns, unreadable};
use crate::error::StoreError;
use crate::sqlite::uint;
use crate::worker::{Given, MOST_URLS};

/// One is about to go out.
pub(crate) struct WorkerGiven {
    pub(crate) path: Box<str>,
    pub(crate) url: Box<str>,
    pub(crate) digests: Digests,
    pub(crate) at: Timestamp,
}

impl Change for WorkerGiven {
    type Output = ();

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let has_room = self.has_room(connection).await?;
        sqlx::query(
            "INSERT OR IGNORE INTO given_worker (path, url, digest, sha384, sha512, first)
             VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(&*self.path)
        .bind(if has_room { &*self.url } else { "" })
        .bind(&self.digests.sha256.0[..])
        .bind(&self.digests.sha384[..])
        .bind(&self.digests.sha512[..])
        .bind(self.at.as_microsecond())
        .execute(connection)
        .await?;
        Ok(())
    }
}

impl WorkerGiven {
    /// Whether its URL is one of those that are told apart, or may become one.
    async fn has_room(&self, connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
        let (others, is_known): (i64, bool) = sqlx::query_as(
            "SELECT count(DISTINCT url), coalesce(max(url = ?2), 0) FROM given_worker WHERE path = ?1 AND url <> ''",
        )
        .bind(&*self.path)
        .bind(&*self.url)
        .fetch_one(connection)
        .await?;
        Ok(is_known || uint(others) < MOST_URLS)
    }
}

/// All that went out at a path.
pub(crate) async fn workers_given(reader: &mut Reader, path: &str) -> Result<Vec<Given>, StoreError> {
    read(&mut reader.connection, path).await.map_err(reader.failed())
}

async fn read(connection: &mut SqliteConnection, path: &str) -> Result<Vec<Given>, sqlx::Error> {
    let rows = sqlx::query("SELECT url, digest, sha384, sha512 FROM given_worker WHERE path = ?")
        .bind(path)
        .fetch_all(connection)
        .await?;
    rows.iter().map(given).collect()
}

fn given(row: &SqliteRow) -> Result<Given, sqlx::Error> {
    let url = Columns(row).text("url")?;
    let digests = Digests {
        sha256: BodyId(of_length(row, "digest")?),
        sha384: of_length(row, "sha384")?,
        sha512: of_length(row, "sha512")?,
    };
    Ok(Given { url: (!url.is_empty()).then_some(url), digests })
}

fn of_length<const N: usize>(row: &SqliteRow, column: &str) -> Result<[u8; N], sqlx::Error> {
    let bytes: Vec<u8> = row.try_get(column)?;
    bytes.try_into().map_err(|_| unreadable(column, "not as long as a digest"))
}
