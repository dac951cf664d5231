//! Decisions about quarantined items, and the history that they go into. Each is a new row; none is ever changed.

use std::str::FromStr;

use jiff::Timestamp;
use pinfold_policy::decisions::Basis;
use pinfold_policy::digest::BodyId;
use pinfold_policy::kind::Kind;
use sqlx::SqliteConnection;

use super::{Change, items, next_version};
use crate::columns::unreadable;
use crate::incident::Incident;
use crate::item::{Decided, Item, ItemState};
use crate::sqlite::{int, uint};

/// What a reviewer says of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// It may be served at its subject. Ends an earlier rejection there.
    Approve,
    /// It is not released at its subject. Ends an earlier approval there.
    Reject,
    /// It is never released again, anywhere.
    Revoke,
}

impl Ruling {
    /// As the history has it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approved",
            Self::Reject => "rejected",
            Self::Revoke => "revoked",
        }
    }

    /// What it makes of an item in this state.
    fn on(self, state: ItemState) -> Effect {
        match (self, state) {
            (Self::Approve, ItemState::Revoked) => Effect::Refused,
            (Self::Approve, ItemState::Approved)
            | (Self::Reject, ItemState::Rejected | ItemState::Revoked)
            | (Self::Revoke, ItemState::Revoked) => Effect::None,
            (Self::Approve, ItemState::Waiting | ItemState::Rejected)
            | (Self::Reject, ItemState::Waiting | ItemState::Approved)
            | (Self::Revoke, ItemState::Waiting | ItemState::Approved | ItemState::Rejected) => {
                Effect::Written
            }
        }
    }
}

impl FromStr for Ruling {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Approve, Self::Reject, Self::Revoke]
            .into_iter()
            .find(|ruling| ruling.as_str() == text)
            .ok_or(())
    }
}

enum Effect {
    Written,
    None,
    Refused,
}

/// Why nothing was decided.
pub(crate) enum Refusal {
    Unknown,
    Revoked(BodyId),
    /// Only what nobody has decided can be decided by a rule.
    Decided(ItemState),
}

/// A decision about an item, by a person or a rule.
pub(crate) struct Decide {
    pub(crate) ruling: Ruling,
    pub(crate) basis: Basis,
    pub(crate) incident: Incident,
    pub(crate) who: Box<str>,
    pub(crate) reason: Box<str>,
    pub(crate) at: Timestamp,
}

impl Change for Decide {
    type Output = Result<Decided, Refusal>;

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<Self::Output, sqlx::Error> {
        let Some(item) = items::find(connection, self.incident).await? else {
            return Ok(Err(Refusal::Unknown));
        };
        if self.basis != Basis::Reviewed && item.state != ItemState::Waiting {
            return Ok(Err(Refusal::Decided(item.state)));
        }
        match self.ruling.on(item.state) {
            Effect::Refused => Ok(Err(Refusal::Revoked(item.digest))),
            Effect::None => {
                let version = sqlx::query_scalar("SELECT version FROM state").fetch_one(connection).await?;
                Ok(Ok(Decided { version: uint(version), item, already: true }))
            }
            Effect::Written => self.write(connection, &item).await.map(Ok),
        }
    }
}

impl Decide {
    async fn write(&self, connection: &mut SqliteConnection, item: &Item) -> Result<Decided, sqlx::Error> {
        let row = Row {
            at: self.at,
            who: &self.who,
            ruling: self.ruling,
            basis: self.basis,
            reason: &self.reason,
            incident: Some(item.incident),
            subject: &item.subject,
            digest: item.digest,
            kind: item.kind,
            url: &item.url,
            vendor: item.vendor.as_deref(),
            len: item.len,
        };
        let version = append(connection, &row).await?;
        let item = items::find(connection, self.incident).await?;
        let item = item.ok_or_else(|| unreadable("incident", "the item has gone"))?;
        Ok(Decided { version, item, already: false })
    }
}

/// One row of the history.
pub(super) struct Row<'a> {
    pub(super) at: Timestamp,
    pub(super) who: &'a str,
    pub(super) ruling: Ruling,
    pub(super) basis: Basis,
    pub(super) reason: &'a str,
    pub(super) incident: Option<Incident>,
    pub(super) subject: &'a str,
    pub(super) digest: BodyId,
    pub(super) kind: Kind,
    pub(super) url: &'a str,
    pub(super) vendor: Option<&'a str>,
    pub(super) len: u64,
}

/// Writes it, and gives its version.
pub(super) async fn append(connection: &mut SqliteConnection, row: &Row<'_>) -> Result<u64, sqlx::Error> {
    let version = next_version(connection).await?;
    sqlx::query(
        "INSERT INTO decision (version, at, who, what, basis, reason, incident, subject, digest, kind, url, vendor, len)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(version)
    .bind(row.at.as_microsecond())
    .bind(row.who)
    .bind(row.ruling.as_str())
    .bind(row.basis.as_str())
    .bind(row.reason)
    .bind(row.incident.map(|incident| incident.0.as_bytes().to_vec()))
    .bind(row.subject)
    .bind(&row.digest.0[..])
    .bind(row.kind.as_str())
    .bind(row.url)
    .bind(row.vendor)
    .bind(int(row.len))
    .execute(connection)
    .await?;
    Ok(uint(version))
}
