//! Learning: what a URL serves first is approved there by nobody, until a person says something of it.

use jiff::Timestamp;
use pinfold_policy::decisions::Basis;
use pinfold_policy::digest::BodyId;
use sqlx::SqliteConnection;

use super::Change;
use super::decide::{Row, Ruling, append};
use crate::item::{Learned, Lesson};

/// Who makes the decisions that no person makes.
pub(crate) const NOBODY: &str = "pinfold";

/// Approves a body at a subject that nothing was ever decided of.
pub(crate) struct Learn {
    pub(crate) lesson: Lesson,
    /// Subjects that may be learned of the vendor.
    pub(crate) cap: u32,
    pub(crate) at: Timestamp,
}

impl Change for Learn {
    type Output = Learned;

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<Learned, sqlx::Error> {
        let Lesson { subject, url, kind, digest, len, vendor } = &self.lesson;
        if is_revoked(connection, *digest).await? {
            return Ok(Learned::Other);
        }
        match last_word(connection, subject, *digest).await? {
            LastWord::Approved => return Ok(Learned::Same),
            LastWord::Other => return Ok(Learned::Other),
            LastWord::None => {}
        }
        if learned_of(connection, vendor).await? >= i64::from(self.cap) {
            return Ok(Learned::Full);
        }
        let row = Row {
            at: self.at,
            who: NOBODY,
            ruling: Ruling::Approve,
            basis: Basis::Learned,
            reason: "the first content that this URL served",
            incident: None,
            subject,
            digest: *digest,
            kind: *kind,
            url,
            vendor: Some(vendor),
            len: *len,
        };
        append(connection, &row).await?;
        Ok(Learned::Now)
    }
}

async fn is_revoked(connection: &mut SqliteConnection, digest: BodyId) -> Result<bool, sqlx::Error> {
    let revoked: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM decision WHERE what = 'revoked' AND digest = ? LIMIT 1")
            .bind(&digest.0[..])
            .fetch_optional(connection)
            .await?;
    Ok(revoked.is_some())
}

enum LastWord {
    /// This body is approved there.
    Approved,
    /// Something else was decided there.
    Other,
    None,
}

async fn last_word(
    connection: &mut SqliteConnection,
    subject: &str,
    digest: BodyId,
) -> Result<LastWord, sqlx::Error> {
    let of_this: Option<bool> = sqlx::query_scalar(
        "SELECT what = 'approved' FROM decision WHERE subject = ? AND digest = ? ORDER BY version DESC LIMIT 1",
    )
    .bind(subject)
    .bind(&digest.0[..])
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(approved) = of_this {
        return Ok(if approved { LastWord::Approved } else { LastWord::Other });
    }
    let of_any: Option<i64> = sqlx::query_scalar("SELECT 1 FROM decision WHERE subject = ? LIMIT 1")
        .bind(subject)
        .fetch_optional(connection)
        .await?;
    Ok(if of_any.is_some() { LastWord::Other } else { LastWord::None })
}

async fn learned_of(connection: &mut SqliteConnection, vendor: &str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM decision WHERE basis = 'learned' AND vendor = ?")
        .bind(vendor)
        .fetch_one(connection)
        .await
}
