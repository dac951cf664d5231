//! The history of decisions: rows that are only ever added, each sealed with a hash over itself and the hash before it.
//!
//! A row's hash is the SHA-256 of a JSON array, written without white space and with strings as in RFC 8785 §3.2.2.2:
//! the hash of the row before in hex (64 zeros before the first), then every column of the row but its hash, in the
//! order of the table; blobs in hex, NULL as null.

use std::str::FromStr;

use jiff::Timestamp;
use pinfold_policy::decisions::Basis;
use pinfold_policy::digest::{BodyId, Digest};
use pinfold_policy::kind::Kind;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{SqliteRow, SqliteValueRef};
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection, TypeInfo as _, ValueRef as _};

use super::{Change, next_version, standing};
use crate::columns::{Columns, hex, unreadable};
use crate::incident::Incident;
use crate::sqlite::{int, uint};

/// Every column but the hash.
const COLUMNS: &str = "version, at, who, what, basis, reason, incident, subject, digest, kind, url, vendor, len, expires, \
                       approvers";

/// The storage class of each of them. A blob and the text of its hex are hashed alike, and read as two digests.
const CLASSES: [&str; 15] = [
    "INTEGER", "INTEGER", "TEXT", "TEXT", "TEXT", "TEXT", "BLOB", "TEXT", "BLOB", "TEXT", "TEXT", "TEXT",
    "INTEGER", "INTEGER", "INTEGER",
];

/// What a decision says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// It may be served at its subject, once as many people agree as must. Ends an earlier rejection there.
    Approve,
    /// It is not released at its subject. Ends an earlier approval there.
    Reject,
    /// It is never released again, anywhere.
    Revoke,
    /// It is not revoked any more.
    Reinstate,
}

impl Ruling {
    const ALL: [Self; 4] = [Self::Approve, Self::Reject, Self::Revoke, Self::Reinstate];

    /// As the history has it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approved",
            Self::Reject => "rejected",
            Self::Revoke => "revoked",
            Self::Reinstate => "reinstated",
        }
    }
}

impl FromStr for Ruling {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|ruling| ruling.as_str() == text).ok_or(())
    }
}

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) at: Timestamp,
    pub(crate) who: Box<str>,
    pub(crate) ruling: Ruling,
    pub(crate) basis: Basis,
    pub(crate) reason: Box<str>,
    pub(crate) digest: Digest,
    /// None where a digest is revoked, or reinstated, for itself.
    pub(crate) about: Option<About>,
    /// From when on it does not count any more.
    pub(crate) expires: Option<Timestamp>,
    /// How many people had to agree by then.
    pub(crate) approvers: u32,
}

/// What a decision is about, besides a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) incident: Option<Incident>,
    pub(crate) subject: Box<str>,
    pub(crate) kind: Kind,
    pub(crate) url: Box<str>,
    pub(crate) vendor: Option<Box<str>>,
    pub(crate) len: u64,
}

/// Adds a decision, and gives its version.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    decision: &Decision,
) -> Result<u64, sqlx::Error> {
    let about = decision.about.as_ref();
    let version = next_version(connection).await?;
    sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO decision ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    )))
    .bind(version)
    .bind(decision.at.as_microsecond())
    .bind(&*decision.who)
    .bind(decision.ruling.as_str())
    .bind(decision.basis.as_str())
    .bind(&*decision.reason)
    .bind(about.and_then(|about| about.incident).map(|incident| incident.0.as_bytes().to_vec()))
    .bind(about.map(|about| &*about.subject))
    .bind(decision.digest.bytes())
    .bind(about.map(|about| about.kind.as_str()))
    .bind(about.map(|about| &*about.url))
    .bind(about.and_then(|about| about.vendor.as_deref()))
    .bind(about.map(|about| int(about.len)))
    .bind(decision.expires.map(Timestamp::as_microsecond))
    .bind(i64::from(decision.approvers))
    .execute(&mut *connection)
    .await?;
    Chain::up_to(connection, version - 1).await?.seal(connection, version).await?;
    Ok(uint(version))
}

/// Seals the rows of a format without hashes.
pub(super) async fn seal_all(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let versions: Vec<i64> = sqlx::query_scalar("SELECT version FROM decision ORDER BY version")
        .fetch_all(&mut *connection)
        .await?;
    let mut chain = Chain::default();
    for version in versions {
        chain.seal(connection, version).await?;
    }
    Ok(())
}

/// The hash of the last row so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chain([u8; 32]);

impl Chain {
    /// As it is after the last row up to `version`. A row that somebody else left without a hash is never sealed.
    pub(super) async fn up_to(connection: &mut SqliteConnection, version: i64) -> Result<Self, sqlx::Error> {
        let last: Option<Option<Vec<u8>>> =
            sqlx::query_scalar("SELECT hash FROM decision WHERE version <= ? ORDER BY version DESC LIMIT 1")
                .bind(version)
                .fetch_optional(connection)
                .await?;
        match last.map(|hash| hash.unwrap_or_default().try_into()) {
            None => Ok(Self::default()),
            Some(Ok(hash)) => Ok(Self(hash)),
            Some(Err(_)) => Err(unreadable("hash", "a decision that nobody sealed")),
        }
    }

    async fn seal(&mut self, connection: &mut SqliteConnection, version: i64) -> Result<(), sqlx::Error> {
        let row = sqlx::query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM decision WHERE version = ?")))
            .bind(version)
            .fetch_one(&mut *connection)
            .await?;
        let hash = self.link(&row)?;
        sqlx::query("UPDATE decision SET hash = ? WHERE version = ?")
            .bind(&hash.0[..])
            .bind(version)
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Goes on with a row of [`select`], and gives its hash. An error if that is not the one it was sealed with.
    pub(super) fn follow(&mut self, row: &SqliteRow) -> Result<BodyId, sqlx::Error> {
        let link = self.link(row)?;
        if Columns(row).body("hash")? != link {
            return Err(unreadable("hash", "this decision, or the one before it, is not what was written"));
        }
        Ok(link)
    }

    /// Goes on with a row, whose columns are the first ones of `row`. Gives the row's hash.
    fn link(&mut self, row: &SqliteRow) -> Result<BodyId, sqlx::Error> {
        let mut content = vec![Value::from(BodyId(self.0).to_hex())];
        for (at, class) in CLASSES.iter().enumerate() {
            content.push(plain(row.try_get_raw(at)?, class)?);
        }
        self.0 = Sha256::digest(Value::from(content).to_string()).into();
        Ok(BodyId(self.0))
    }
}

/// A value as it stands in the file.
fn plain(value: SqliteValueRef<'_>, class: &str) -> Result<Value, sqlx::Error> {
    use sqlx::Decode as _;

    if value.is_null() {
        return Ok(Value::Null);
    }
    let decoded = match value.type_info().name() {
        other if other != class => Err(format!("a value of type {other}, expected {class}").into()),
        "INTEGER" => i64::decode(value).map(Value::from),
        "TEXT" => String::decode(value).map(Value::from),
        "BLOB" => <&[u8]>::decode(value).map(|bytes| Value::from(hex(bytes))),
        other => Err(format!("a value of type {other}").into()),
    };
    decoded.map_err(sqlx::Error::Decode)
}

/// Rows of the history that meet `which`, in order.
pub(super) fn select(which: &'static str) -> String {
    format!("SELECT {COLUMNS}, hash FROM decision WHERE {which}")
}

/// The revocations that hold.
pub(super) fn select_revocations() -> String {
    format!("SELECT {COLUMNS}, hash FROM revocation")
}

/// Reads a row, and its version. What the audit would call broken by itself is not read.
pub(super) fn read(row: &SqliteRow) -> Result<(u64, Decision), sqlx::Error> {
    for (at, class) in CLASSES.iter().enumerate() {
        plain(row.try_get_raw(at)?, class)?;
    }
    let columns = Columns(row);
    if columns.number("version")? == 0 {
        return Err(unreadable("version", "decisions are counted from 1"));
    }
    let about = match columns.text_or_none("subject")? {
        None => None,
        Some(subject) => Some(About {
            incident: columns.uuid_or_none("incident")?.map(Incident),
            subject,
            kind: columns.parsed("kind")?,
            // Of rows that are older than these columns nothing more is known.
            url: columns.text_or_none("url")?.unwrap_or_default(),
            vendor: columns.text_or_none("vendor")?,
            len: columns.number_or_none("len")?.unwrap_or_default(),
        }),
    };
    let decision = Decision {
        at: columns.time("at")?,
        who: columns.text("who")?,
        ruling: columns.parsed("what")?,
        basis: columns.basis("basis")?,
        reason: columns.text("reason")?,
        digest: columns.digest("digest")?,
        about,
        expires: columns.time_or_none("expires")?,
        approvers: columns.small("approvers")?,
    };
    Ok((columns.number("version")?, decision))
}

/// A decision as it is told.
pub(crate) struct Made {
    pub(crate) version: u64,
    pub(crate) decision: Decision,
    pub(crate) hash: BodyId,
    /// It changed what holds: where several must approve, not by the first of them.
    pub(crate) is_enough: bool,
}

/// Decisions that were not told yet, of those after the first and up to the second version. What was learned is not told:
/// there may be thousands.
pub(crate) async fn made_after(
    connection: &mut SqliteConnection,
    (passed, newest): (u64, u64),
    limit: u32,
) -> Result<Vec<Made>, sqlx::Error> {
    let rows = sqlx::query(AssertSqlSafe(select(
        "version > max(?, (SELECT version FROM announced)) AND version <= ? AND basis <> 'learned'
         ORDER BY version LIMIT ?",
    )))
    .bind(int(passed))
    .bind(int(newest))
    .bind(limit)
    .fetch_all(&mut *connection)
    .await?;
    let mut made = Vec::new();
    for row in rows {
        let (version, decision) = read(&row)?;
        let hash = Columns(&row).body("hash")?;
        let is_enough = standing::is_granted_by(connection, version, &decision).await?;
        made.push(Made { version, decision, hash, is_enough });
    }
    Ok(made)
}

/// Every decision up to this one was told.
pub(crate) struct Announced(pub(crate) u64);

impl Change for Announced {
    type Output = ();

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE announced SET version = ?").bind(int(self.0)).execute(connection).await?;
        Ok(())
    }
}
