//! From rows to the decisions that the gateway judges by.

use std::collections::HashMap;

use pinfold_policy::decisions::{Amendment, Approval, Decisions, Rejection, Revocations};
use pinfold_policy::digest::{BodyId, Digest};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::history::{self, Chain, Ruling};
use super::standing::Standing;
use crate::columns::{Columns, unreadable};
use crate::sqlite::{int, uint};

/// All decisions that hold, of which those about subjects were `gathered` up to `version`. If others have written since, too
/// low a number only makes the watcher read once more.
pub(super) async fn decisions(
    connection: &mut SqliteConnection,
    gathered: Gathered,
    version: u64,
) -> Result<Decisions, sqlx::Error> {
    let (approvals, rejections) = gathered.standing();
    let bindings = bindings_after(connection, 0).await?;
    Ok(Decisions::new(version, approvals, rejections, revocations(connection).await?, bindings))
}

/// What is new since `published`, if anything is, and goes on with the chain. Reads nothing but the subjects that something
/// was decided of.
pub(super) async fn amendment(
    connection: &mut SqliteConnection,
    published: u64,
) -> Result<Option<Amendment>, sqlx::Error> {
    let version = version_since(connection, published).await?;
    if version == published {
        return Ok(None);
    }
    let mut chain = Chain::up_to(connection, int(published)).await?;
    let rows = sqlx::query(AssertSqlSafe(history::select("version > ? ORDER BY version")))
        .bind(int(published))
        .fetch_all(&mut *connection)
        .await?;
    let mut amendment = Amendment { version, ..Amendment::default() };
    for row in &rows {
        chain.follow(row)?;
        let (_, decision) = history::read(row)?;
        amendment.subjects.extend(decision.about.map(|about| about.subject));
        let revokes = matches!(decision.ruling, Ruling::Revoke | Ruling::Reinstate);
        if amendment.revocations.is_none() && revokes {
            amendment.revocations = Some(revocations(connection).await?);
        }
    }
    amendment.subjects.sort();
    amendment.subjects.dedup();
    for subject in &amendment.subjects {
        let rows = sqlx::query(AssertSqlSafe(history::select("subject = ? ORDER BY version")))
            .bind(&**subject)
            .fetch_all(&mut *connection)
            .await?;
        let mut gathered = Gathered::default();
        rows.iter().try_for_each(|row| gathered.add(row))?;
        let (approvals, rejections) = gathered.standing();
        amendment.approvals.extend(approvals);
        amendment.rejections.extend(rejections);
    }
    amendment.bindings = bindings_after(connection, published).await?;
    Ok(Some(amendment))
}

/// What rows say of each subject and digest.
#[derive(Default)]
pub(super) struct Gathered(HashMap<(Box<str>, Digest), Standing>);

impl Gathered {
    /// Rows come in order.
    pub(super) fn add(&mut self, row: &SqliteRow) -> Result<(), sqlx::Error> {
        let (version, decision) = history::read(row)?;
        if let Some(about) = &decision.about {
            let of = (about.subject.clone(), decision.digest);
            self.0.entry(of).or_default().add(version, decision);
        }
        Ok(())
    }

    /// What holds by them.
    fn standing(&self) -> (Vec<Approval>, Vec<Rejection>) {
        let (mut approvals, mut rejections) = (Vec::new(), Vec::new());
        for standing in self.0.values() {
            standing.lay_into(&mut approvals, &mut rejections);
        }
        (approvals, rejections)
    }
}

/// The version of the file, which is not before `published`: what is written from there on would count as known.
pub(super) async fn version_since(
    connection: &mut SqliteConnection,
    published: u64,
) -> Result<u64, sqlx::Error> {
    let version = version(connection).await?;
    if version < published {
        return Err(unreadable("version", "the file was set back while it was in use"));
    }
    Ok(version)
}

async fn version(connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    sqlx::query_scalar("SELECT version FROM state").fetch_one(connection).await.map(uint)
}

async fn revocations(connection: &mut SqliteConnection) -> Result<Revocations, sqlx::Error> {
    let rows = sqlx::query(AssertSqlSafe(history::select_revocations())).fetch_all(connection).await?;
    rows.iter().map(|row| Ok(history::read(row)?.1.digest)).collect()
}

async fn bindings_after(
    connection: &mut SqliteConnection,
    version: u64,
) -> Result<Vec<(Box<str>, BodyId, Box<str>)>, sqlx::Error> {
    let rows = sqlx::query("SELECT pattern, digest, url FROM binding WHERE version > ?")
        .bind(int(version))
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(Columns)
        .map(|row| Ok((row.text("pattern")?, row.body("digest")?, row.text("url")?)))
        .collect()
}
