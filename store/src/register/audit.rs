//! Checking the history from its beginning: that no row was changed, and that none is missing.

use std::collections::BTreeSet;
use std::path::Path;

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Connection as _, Row as _, SqliteConnection};

use super::history::{self, Chain};
use super::{Register, SCHEMA};
use crate::audit::{Audit, Broken, Flaw};
use crate::error::StoreError;
use crate::sqlite::{self, int, uint};

/// Rows that are read at one time.
const PAGE: u32 = 1024;

/// Checks the history of a data directory, whether or not a gateway runs on it.
pub(crate) async fn audit(data_dir: &Path) -> Result<Audit, StoreError> {
    let path = Register::path_in(data_dir);
    if !path.exists() {
        return Err(StoreError::Absent { path: data_dir.to_owned() });
    }
    let mut connection = sqlite::open(&path, &SCHEMA).await?;
    sqlite::check_views_and_triggers(&mut connection, &path, &SCHEMA).await?;
    let audit = follow(&mut connection, &path, |_| Ok(())).await?;
    // It has only read.
    let _ = connection.close().await;
    Ok(audit)
}

/// Follows the history from its beginning, and shows `each` row that is what was written. Where it is intact, whoever looks a
/// decision up finds what it says.
pub(super) async fn follow(
    connection: &mut SqliteConnection,
    path: &Path,
    each: impl FnMut(&SqliteRow) -> Result<(), sqlx::Error>,
) -> Result<Audit, StoreError> {
    let audit = read(connection, each).await.map_err(StoreError::database(path))?;
    // A broken row is told by its number.
    if audit.broken.is_none() {
        sqlite::check_indexes(connection, path, "decision").await?;
    }
    Ok(audit)
}

/// In one transaction: what a gateway writes meanwhile is not seen, not even in half.
async fn read(
    connection: &mut SqliteConnection,
    mut each: impl FnMut(&SqliteRow) -> Result<(), sqlx::Error>,
) -> Result<Audit, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let (version, in_force): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT max(version) FROM state), (SELECT coalesce(max(version), 0) FROM gateway)",
    )
    .fetch_one(&mut *transaction)
    .await?;
    let others: Vec<i64> =
        sqlx::query_scalar("SELECT version FROM binding UNION ALL SELECT version FROM files")
            .fetch_all(&mut *transaction)
            .await?;
    // Bindings and files share the numbers of decisions: together they leave none out.
    let mut walk = Walk {
        next: 1,
        others: others.into_iter().map(uint).collect(),
        audit: Audit { version: uint(version), ..Audit::default() },
        chain: Chain::default(),
    };
    let first: Option<i64> =
        sqlx::query_scalar("SELECT min(version) FROM decision").fetch_one(&mut *transaction).await?;
    if first.is_some_and(|first| first < 1) {
        walk.broken(0, Flaw::Below);
    }
    while walk.audit.broken.is_none() {
        let rows = sqlx::query(AssertSqlSafe(history::select("version >= ? ORDER BY version LIMIT ?")))
            .bind(int(walk.next))
            .bind(PAGE)
            .fetch_all(&mut *transaction)
            .await?;
        for row in &rows {
            let version = uint(row.try_get_unchecked("version")?);
            walk.come_to(version);
            if walk.audit.broken.is_some() {
                break;
            }
            match walk.chain.follow(row) {
                Ok(link) => {
                    walk.found(version, link);
                    if walk.audit.broken.is_none() {
                        each(row)?;
                    }
                }
                Err(sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. }) => {
                    walk.broken(version, Flaw::Changed);
                }
                Err(error) => return Err(error),
            }
        }
        if rows.is_empty() {
            break;
        }
    }
    let last = walk.others.last().copied().unwrap_or_default();
    walk.come_to(uint(version.max(in_force)).max(last).saturating_add(1));
    if walk.next > walk.audit.version.saturating_add(1) {
        walk.broken(walk.audit.version.saturating_add(1), Flaw::Beyond);
    }
    transaction.rollback().await?;
    Ok(walk.audit)
}

struct Walk {
    /// The number that comes next.
    next: u64,
    /// Numbers of bindings and of files.
    others: BTreeSet<u64>,
    audit: Audit,
    chain: Chain,
}

impl Walk {
    /// Everything before `version` is a binding or a number of files, or missing.
    fn come_to(&mut self, version: u64) {
        while self.next < version && self.others.contains(&self.next) {
            self.next += 1;
        }
        if self.next < version {
            self.broken(self.next, Flaw::Missing);
        }
    }

    fn found(&mut self, version: u64, hash: pinfold_policy::digest::BodyId) {
        if self.others.contains(&version) {
            self.broken(version, Flaw::Doubled);
        }
        self.next = version.saturating_add(1);
        self.audit.decisions += 1;
        self.audit.head = Some(hash);
    }

    /// The first flaw is the one that is told.
    fn broken(&mut self, version: u64, flaw: Flaw) {
        self.audit.broken.get_or_insert(Broken { version, flaw });
    }
}
