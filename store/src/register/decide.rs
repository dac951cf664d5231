//! Decisions about quarantined items, and about digests that nobody quarantined.

use jiff::Timestamp;
use pinfold_policy::decisions::Basis;
use pinfold_policy::digest::{BodyId, Digest};
use sqlx::SqliteConnection;

use super::history::{About, Decision, Ruling, append};
use super::{Change, items, mark, standing};
use crate::columns::unreadable;
use crate::incident::Incident;
use crate::item::{Decided, Item, ItemState};
use crate::path::RefusedMark;
use crate::sqlite::uint;

/// Why nothing was decided.
pub(crate) enum Refusal {
    Unknown,
    Revoked(BodyId),
    /// Only what nobody has decided can be decided by a rule.
    Decided(ItemState),
    /// Nobody can look at what a rule would decide.
    NotKept,
    /// It would admit other paths than whoever decides was shown.
    OtherPaths,
}

/// A decision about an item, by a person or a rule.
pub(crate) struct Decide {
    pub(crate) incident: Incident,
    pub(crate) ruling: Ruling,
    pub(crate) basis: Basis,
    /// What stands for the marks that whoever decides was shown ([`RefusedMark::all_shown`]); none where it does not matter.
    pub(crate) shown: Option<Box<str>>,
    pub(crate) who: Box<str>,
    pub(crate) reason: Box<str>,
    pub(crate) at: Timestamp,
    pub(crate) expires: Option<Timestamp>,
    /// How many people must agree before it may be served, if the gateway does not want more.
    pub(crate) approvers: u32,
}

impl Change for Decide {
    type Output = Result<Decided, Refusal>;

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<Self::Output, sqlx::Error> {
        let Some(item) = items::find(connection, self.incident, self.at).await? else {
            return Ok(Err(Refusal::Unknown));
        };
        if self.basis == Basis::Reviewed {
            self.approvers = agreed(connection, self.approvers).await?;
        }
        let standing = standing::of(connection, &item.subject, item.digest).await?;
        let decision = self.about(&item);
        let is_by_rule = self.basis != Basis::Reviewed;
        let changes_nothing = match (self.ruling, item.state) {
            (Ruling::Approve, ItemState::Revoked) => return Ok(Err(Refusal::Revoked(item.digest))),
            (Ruling::Approve, _) if is_by_rule && !standing.is_empty() => {
                return Ok(Err(Refusal::Decided(item.state)));
            }
            (Ruling::Approve, _) if is_by_rule && !item.body_kept => return Ok(Err(Refusal::NotKept)),
            (Ruling::Approve, _) if item.path_waits => false,
            // A revocation may be taken back, and what was said of this URL meanwhile holds then.
            (Ruling::Revoke, ItemState::Revoked) | (Ruling::Approve | Ruling::Reject, _) => {
                standing.says_already(&decision)
            }
            (Ruling::Revoke | Ruling::Reinstate, _) => false,
        };
        if let Some(shown) = &self.shown
            && **shown != *RefusedMark::all_shown(&mark::refused_marks(connection, item.incident).await?)
        {
            return Ok(Err(Refusal::OtherPaths));
        }
        if changes_nothing {
            let version = current_version(connection).await?;
            let refused_marks = mark::refused_marks(connection, item.incident).await?;
            return Ok(Ok(Decided { version, item, already: true, admitted: Vec::new(), refused_marks }));
        }
        let version = append(connection, &decision).await?;
        let admitted = match self.ruling {
            Ruling::Approve if item.path_waits => {
                mark::approve(connection, &item, self.approvers, self.at).await?
            }
            Ruling::Approve | Ruling::Reject | Ruling::Revoke | Ruling::Reinstate => Vec::new(),
        };
        let item = items::find(connection, self.incident, self.at).await?;
        let item = item.ok_or_else(|| unreadable("incident", "the item has gone"))?;
        let refused_marks = mark::refused_marks(connection, item.incident).await?;
        Ok(Ok(Decided { version, item, already: false, admitted, refused_marks }))
    }
}

impl Decide {
    fn about(&self, item: &Item) -> Decision {
        Decision {
            at: self.at,
            who: self.who.clone(),
            ruling: self.ruling,
            basis: self.basis,
            reason: self.reason.clone(),
            digest: item.digest.into(),
            about: Some(About {
                incident: Some(item.incident),
                subject: item.subject.clone(),
                kind: item.kind,
                url: item.url.clone(),
                vendor: item.vendor.as_deref().map(Into::into),
                len: item.len,
            }),
            expires: self.expires,
            approvers: self.approvers,
        }
    }
}

/// Revokes a digest for itself, or takes that back.
pub(crate) struct Revoke {
    pub(crate) digest: Digest,
    pub(crate) ruling: Ruling,
    pub(crate) who: Box<str>,
    pub(crate) reason: Box<str>,
    pub(crate) at: Timestamp,
}

impl Change for Revoke {
    /// The version that holds it, and whether it changed anything.
    type Output = (u64, bool);

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<(u64, bool), sqlx::Error> {
        if is_revoked(connection, &self.digest).await? == (self.ruling == Ruling::Revoke) {
            return Ok((current_version(connection).await?, false));
        }
        let decision = Decision {
            at: self.at,
            who: self.who.clone(),
            ruling: self.ruling,
            basis: Basis::Reviewed,
            reason: self.reason.clone(),
            digest: self.digest,
            about: None,
            expires: None,
            approvers: 1,
        };
        Ok((append(connection, &decision).await?, true))
    }
}

/// Whether it is revoked in this notation.
pub(super) async fn is_revoked(
    connection: &mut SqliteConnection,
    digest: &Digest,
) -> Result<bool, sqlx::Error> {
    let revoked: Option<i64> = sqlx::query_scalar("SELECT 1 FROM revocation WHERE digest = ?")
        .bind(digest.bytes())
        .fetch_optional(connection)
        .await?;
    Ok(revoked.is_some())
}

/// How many people must agree: as many as whoever asks says, and no fewer than the gateway wants.
pub(super) async fn agreed(connection: &mut SqliteConnection, approvers: u32) -> Result<u32, sqlx::Error> {
    let wanted: u32 = sqlx::query_scalar("SELECT approvers FROM agreement").fetch_one(connection).await?;
    Ok(approvers.max(wanted))
}

pub(super) async fn current_version(connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    sqlx::query_scalar("SELECT version FROM state").fetch_one(connection).await.map(uint)
}
