//! The rows of the shelf.

use jiff::Timestamp;
use pinfold_policy::digest::{BodyId, Digests};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::{Change, Reader};
use crate::columns::{Columns, fields_text, path_text, unreadable};
use crate::error::StoreError;
use crate::shelf::{Shelved, Variant};
use crate::sqlite::int;

/// A body was verified at a variant, now or once more.
pub(crate) struct Shelve(pub(crate) Shelved);

impl Change for Shelve {
    type Output = ();

    fn can_wait(&self) -> bool {
        true
    }

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let Shelved { variant, digests, len, head, kinds, path, seen, asked, first } = &self.0;
        // What the answer depends on is what the vendor said last: under the same query and origin, earlier lists are over.
        sqlx::query(
            "DELETE FROM shelf WHERE url = ?1 AND origin = ?2 AND vary <> ?3;
             INSERT OR REPLACE INTO shelf (url, origin, vary, vary_values, digest, sha384, sha512, len, head, kinds,
                 path, seen, asked, first) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )
        .bind(&*variant.url)
        .bind(&*variant.origin)
        .bind(&*variant.vary)
        .bind(&variant.values.0[..])
        .bind(&digests.sha256.0[..])
        .bind(&digests.sha384[..])
        .bind(&digests.sha512[..])
        .bind(int(*len))
        .bind(fields_text(head))
        .bind(kinds.to_string())
        .bind(path.as_ref().map(path_text))
        .bind(seen.as_microsecond())
        .bind(asked.as_microsecond())
        .bind(first.as_microsecond())
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// A body is not on the shelf at a variant any more.
pub(crate) struct Unshelve {
    pub(crate) variant: Variant,
    pub(crate) digest: BodyId,
}

impl Change for Unshelve {
    type Output = ();

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let Variant { url, origin, vary, values } = &self.variant;
        sqlx::query(
            "DELETE FROM shelf WHERE url = ? AND origin = ? AND vary = ? AND vary_values = ? AND digest = ?",
        )
        .bind(&**url)
        .bind(&**origin)
        .bind(&**vary)
        .bind(&values.0[..])
        .bind(&self.digest.0[..])
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// Rows that nobody has asked for since are gone.
pub(crate) struct ForgetUnasked {
    pub(crate) since: Timestamp,
}

impl Change for ForgetUnasked {
    type Output = ();

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM shelf WHERE asked < ?")
            .bind(self.since.as_microsecond())
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// All rows, the one asked for last first.
pub(crate) async fn shelved(reader: &mut Reader) -> Result<Vec<Shelved>, StoreError> {
    let rows = sqlx::query("SELECT * FROM shelf ORDER BY asked DESC").fetch_all(&mut reader.connection).await;
    rows.and_then(|rows| rows.iter().map(read).collect()).map_err(reader.failed())
}

/// What is on the shelf at a URL, with whatever query.
pub(crate) async fn shelved_of(reader: &mut Reader, url: &str) -> Result<Vec<Shelved>, StoreError> {
    // What follows a question mark in the order of letters ends it.
    let rows = sqlx::query(
        "SELECT * FROM shelf WHERE url = ?1 OR (url >= ?1 || '?' AND url < ?1 || '@') ORDER BY asked DESC",
    )
    .bind(url)
    .fetch_all(&mut reader.connection)
    .await;
    rows.and_then(|rows| rows.iter().map(read).collect()).map_err(reader.failed())
}

/// The bodies that somebody needs: those of items, and those on the shelf.
pub(crate) async fn needed(reader: &mut Reader) -> Result<Vec<BodyId>, StoreError> {
    let rows = sqlx::query("SELECT digest FROM body UNION SELECT digest FROM shelf")
        .fetch_all(&mut reader.connection)
        .await;
    rows.and_then(|rows| rows.iter().map(|row| Columns(row).body("digest")).collect())
        .map_err(reader.failed())
}

fn read(row: &SqliteRow) -> Result<Shelved, sqlx::Error> {
    let columns = Columns(row);
    Ok(Shelved {
        variant: Variant {
            url: columns.text("url")?,
            origin: columns.text("origin")?,
            vary: columns.text("vary")?,
            values: columns.body("vary_values")?,
        },
        digests: Digests {
            sha256: columns.body("digest")?,
            sha384: bytes(row, "sha384")?,
            sha512: bytes(row, "sha512")?,
        },
        len: columns.number("len")?,
        head: columns.fields("head")?,
        kinds: columns.kinds("kinds")?,
        path: columns.path("path")?,
        seen: columns.time("seen")?,
        asked: columns.time("asked")?,
        first: columns.time("first")?,
    })
}

fn bytes<const N: usize>(row: &SqliteRow, column: &str) -> Result<[u8; N], sqlx::Error> {
    let bytes: Vec<u8> = row.try_get(column)?;
    bytes.try_into().map_err(|_| unreadable(column, format!("not {N} bytes")))
}
