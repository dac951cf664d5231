//! What was learned, and what people say of it: a decision about a digest at a subject, as about an item of the quarantine. It
//! has no incident, since nothing was refused.

use jiff::Timestamp;
use pinfold_policy::decisions::Basis;
use pinfold_policy::digest::{BodyId, Digest};
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::decide::{Refusal, agreed, current_version, is_revoked};
use super::history::{self, Decision, Ruling, append};
use super::{Change, items, standing};
use crate::columns::unreadable;
use crate::item::{Confirmed, ItemState, LearnedPin};
use crate::sqlite::int;

/// A person's word on what was learned.
pub(crate) struct Confirm {
    /// The record of what was learned: it names the URL and the bytes, and nothing changes it.
    pub(crate) record: u64,
    pub(crate) ruling: Ruling,
    pub(crate) who: Box<str>,
    pub(crate) reason: Box<str>,
    pub(crate) at: Timestamp,
    pub(crate) expires: Option<Timestamp>,
    /// How many people must agree, if the gateway does not want more.
    pub(crate) approvers: u32,
}

impl Change for Confirm {
    type Output = Result<Confirmed, Refusal>;

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<Self::Output, sqlx::Error> {
        let Some(lesson) = lesson(connection, self.record).await? else { return Ok(Err(Refusal::Unknown)) };
        let pin = learned(connection, self.record, &lesson, self.at).await?;
        if self.ruling == Ruling::Approve && pin.state == ItemState::Revoked {
            return Ok(Err(Refusal::Revoked(pin.digest)));
        }
        let decision = Decision {
            at: self.at,
            who: self.who.clone(),
            ruling: self.ruling,
            basis: Basis::Reviewed,
            reason: self.reason.clone(),
            digest: lesson.digest,
            about: lesson.about.clone(),
            expires: self.expires,
            approvers: agreed(connection, self.approvers).await?,
        };
        let standing = standing::of(connection, &pin.subject, pin.digest).await?;
        if standing.says_already(&decision) {
            let version = current_version(connection).await?;
            return Ok(Ok(Confirmed { version, pin, already: true }));
        }
        let version = append(connection, &decision).await?;
        let pin = learned(connection, self.record, &lesson, self.at).await?;
        Ok(Ok(Confirmed { version, pin, already: false }))
    }
}

/// What was learned by a record, as it is at `now`.
pub(crate) async fn learned_pin(
    connection: &mut SqliteConnection,
    record: u64,
    now: Timestamp,
) -> Result<Option<LearnedPin>, sqlx::Error> {
    match lesson(connection, record).await? {
        Some(lesson) => learned(connection, record, &lesson, now).await.map(Some),
        None => Ok(None),
    }
}

async fn lesson(connection: &mut SqliteConnection, record: u64) -> Result<Option<Decision>, sqlx::Error> {
    let row = sqlx::query(AssertSqlSafe(history::select("version = ? AND basis = 'learned'")))
        .bind(int(record))
        .fetch_optional(connection)
        .await?;
    row.map(|row| history::read(&row).map(|(_, decision)| decision)).transpose()
}

async fn learned(
    connection: &mut SqliteConnection,
    record: u64,
    lesson: &Decision,
    now: Timestamp,
) -> Result<LearnedPin, sqlx::Error> {
    let (Some(about), Digest::Sha256(digest)) = (&lesson.about, lesson.digest) else {
        return Err(unreadable("subject", "something was learned of no URL"));
    };
    let digest = BodyId(digest);
    let standing = standing::of(connection, &about.subject, digest).await?;
    let state = match is_revoked_at_all(connection, digest).await? {
        true => ItemState::Revoked,
        false => standing.state(now),
    };
    Ok(LearnedPin {
        record,
        at: lesson.at,
        subject: about.subject.clone(),
        url: about.url.clone(),
        vendor: about.vendor.as_deref().map(Into::into),
        kind: about.kind,
        digest,
        len: about.len,
        state,
        decided: standing.last(),
        agreement: standing.agreement(now).filter(|_| state != ItemState::Revoked),
    })
}

/// Whether it is revoked in any notation that is known of it.
async fn is_revoked_at_all(connection: &mut SqliteConnection, digest: BodyId) -> Result<bool, sqlx::Error> {
    let known = items::digests_of(connection, &digest.into()).await?;
    let all = known.map_or_else(|| vec![digest.into()], |digests| digests.all().to_vec());
    for digest in all {
        if is_revoked(connection, &digest).await? {
            return Ok(true);
        }
    }
    Ok(false)
}
