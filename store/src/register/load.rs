//! From rows to the decisions that the gateway judges by.

use pinfold_policy::decisions::{Approval, Decisions, Rejection, Revocations};
use pinfold_policy::digest::Digest;
use sqlx::SqliteConnection;

use super::decide::Ruling;
use crate::columns::Columns;
use crate::incident::Incident;
use crate::sqlite::uint;

/// Decisions, if there are newer ones than `version`.
pub(super) async fn decisions_after(
    connection: &mut SqliteConnection,
    version: u64,
) -> Result<Option<Decisions>, sqlx::Error> {
    if self::version(connection).await? <= version {
        return Ok(None);
    }
    decisions(connection).await.map(Some)
}

/// All decisions that hold. The version is read first: if others write meanwhile, too low a number only makes the
/// watcher read once more.
pub(super) async fn decisions(connection: &mut SqliteConnection) -> Result<Decisions, sqlx::Error> {
    let version = version(connection).await?;
    let (mut approvals, mut rejections) = (Vec::new(), Vec::new());
    // With max() alone, SQLite takes the other columns from the row of the maximum.
    let rows = sqlx::query(
        "SELECT subject, digest, kind, incident, what, basis, expires, max(version) AS version FROM decision
         WHERE subject IS NOT NULL GROUP BY subject, digest",
    )
    .fetch_all(&mut *connection)
    .await?;
    for row in rows {
        let row = Columns(&row);
        let (subject, digest) = (row.text("subject")?, row.body("digest")?);
        let expires = row.time_or_none("expires")?;
        match row.parsed("what")? {
            Ruling::Approve => approvals.push(Approval {
                subject,
                digest,
                kind: row.parsed("kind")?,
                basis: row.basis("basis")?,
                expires,
                record: match row.uuid_or_none("incident")? {
                    Some(incident) => Incident(incident).to_string().into(),
                    None => row.number("version")?.to_string().into(),
                },
            }),
            Ruling::Reject | Ruling::Revoke => rejections.push(Rejection { subject, digest, expires }),
        }
    }
    Ok(Decisions::new(
        version,
        approvals,
        rejections,
        revocations(connection).await?,
        bindings(connection).await?,
    ))
}

async fn version(connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    sqlx::query_scalar("SELECT version FROM state").fetch_one(connection).await.map(uint)
}

async fn revocations(connection: &mut SqliteConnection) -> Result<Revocations, sqlx::Error> {
    let rows = sqlx::query("SELECT DISTINCT digest FROM decision WHERE what = 'revoked'")
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Columns(row).body("digest").map(Digest::from)).collect()
}

async fn bindings(
    connection: &mut SqliteConnection,
) -> Result<Vec<(Box<str>, pinfold_policy::digest::BodyId, Box<str>)>, sqlx::Error> {
    let rows = sqlx::query("SELECT pattern, digest, url FROM binding").fetch_all(connection).await?;
    rows.iter()
        .map(Columns)
        .map(|row| Ok((row.text("pattern")?, row.body("digest")?, row.text("url")?)))
        .collect()
}
