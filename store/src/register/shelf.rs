//! The rows of the shelf.

use jiff::Timestamp;
use pinfold_policy::digest::{BodyId, Digests};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::{Change, Reader, Submission, in_turns};
use crate::columns::{Columns, fields_text, hex, path_text, unreadable};
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
        shelve(&[&self.0], connection).await
    }

    async fn apply_all(
        alike: Vec<Submission<'_, Self>>,
        connection: &mut SqliteConnection,
    ) -> Result<(), sqlx::Error> {
        let place = |Self(Shelved { variant, .. }): &Self| (variant.url.clone(), variant.origin.clone());
        for turn in in_turns(alike, place) {
            let (all, outputs): (Vec<_>, Vec<_>) =
                turn.into_iter().map(|(shelve, output)| (&shelve.0, output)).unzip();
            shelve(&all, connection).await?;
            outputs.into_iter().for_each(|output| *output = Some(()));
        }
        Ok(())
    }
}

/// Puts bodies there that are each the only one of their query and origin among them. What an answer depends on is what the
/// vendor said last: earlier lists are over.
async fn shelve(all: &[&Shelved], connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let rows: Vec<_> = all.iter().map(|shelved| row(shelved)).collect();
    sqlx::query(
        "DELETE FROM shelf WHERE (url, origin, vary, vary_values, digest) IN
             (SELECT old.url, old.origin, old.vary, old.vary_values, old.digest FROM json_each(?1) new CROSS JOIN shelf old
              WHERE old.url = new.value->>0 AND old.origin = new.value->>1 AND old.vary <> new.value->>2);
         INSERT OR REPLACE INTO shelf (url, origin, vary, vary_values, digest, sha384, sha512, len, head, kinds, path, seen,
             asked, first)
         SELECT value->>0, value->>1, value->>2, unhex(value->>3), unhex(value->>4), unhex(value->>5), unhex(value->>6),
             value->>7, value->>8, value->>9, value->>10, value->>11, value->>12, value->>13 FROM json_each(?1)",
    )
    .bind(serde_json::Value::from(rows).to_string())
    .execute(connection)
    .await?;
    Ok(())
}

fn row(shelved: &Shelved) -> serde_json::Value {
    let Shelved { variant, digests, len, head, kinds, path, seen, asked, first } = shelved;
    serde_json::json!([
        variant.url,
        variant.origin,
        variant.vary,
        hex(&variant.values.0),
        hex(&digests.sha256.0),
        hex(&digests.sha384),
        hex(&digests.sha512),
        int(*len),
        fields_text(head),
        kinds.to_string(),
        path.as_ref().map(path_text),
        seen.as_microsecond(),
        asked.as_microsecond(),
        first.as_microsecond(),
    ])
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
