//! Learning: what a URL serves first is approved there by nobody, until a person says something of it.

use jiff::Timestamp;
use pinfold_policy::decisions::Basis;
use sqlx::SqliteConnection;

use super::history::{About, Decision, Ruling, append};
use super::{Change, decide, standing};
use crate::item::{ItemState, Learned, Lesson};

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
        if decide::is_revoked(connection, &(*digest).into()).await? {
            return Ok(Learned::Other);
        }
        if standing::of(connection, subject, *digest).await?.state(self.at) == ItemState::Approved {
            return Ok(Learned::Same);
        }
        if is_decided(connection, subject).await? {
            return Ok(Learned::Other);
        }
        if learned_of(connection, vendor).await? >= i64::from(self.cap) {
            return Ok(Learned::Full);
        }
        let decision = Decision {
            at: self.at,
            who: NOBODY.into(),
            ruling: Ruling::Approve,
            basis: Basis::Learned,
            reason: "the first content that this URL served".into(),
            digest: (*digest).into(),
            about: Some(About {
                incident: None,
                subject: subject.clone(),
                kind: *kind,
                url: url.clone(),
                vendor: Some((&**vendor).into()),
                len: *len,
            }),
            expires: None,
            approvers: 1,
        };
        append(connection, &decision).await?;
        Ok(Learned::Now)
    }
}

async fn is_decided(connection: &mut SqliteConnection, subject: &str) -> Result<bool, sqlx::Error> {
    let decided: Option<i64> = sqlx::query_scalar("SELECT 1 FROM decision WHERE subject = ? LIMIT 1")
        .bind(subject)
        .fetch_optional(connection)
        .await?;
    Ok(decided.is_some())
}

async fn learned_of(connection: &mut SqliteConnection, vendor: &str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM decision WHERE basis = 'learned' AND vendor = ?")
        .bind(vendor)
        .fetch_one(connection)
        .await
}
