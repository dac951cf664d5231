//! What exchanges have in common that differ in little but their times: a row of `alike` in each month's file, which the
//! rows of exchanges name by its number.

use pinfold_policy::digest::BodyId;
use quick_cache::sync::Cache;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Row as _, SqlSafeStr, Sqlite};

use super::tally::{Alike, Hashers};
use crate::sqlite::Transaction;

/// Numbers that are remembered; the others are looked up.
const KNOWN: usize = 1 << 18;

/// The columns by which rows are told apart, words by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Common {
    pub(super) client: i64,
    pub(super) user: Option<i64>,
    pub(super) page: Option<i64>,
    pub(super) method: i64,
    pub(super) url: i64,
    pub(super) destination: Option<i64>,
    pub(super) vendor: Option<i64>,
    pub(super) kinds: i64,
    pub(super) outcome: i64,
    pub(super) reason: Option<i64>,
    pub(super) body: Option<BodyId>,
    pub(super) status: u16,
    pub(super) path: Option<i64>,
}

/// The numbers of these, as far as they are known to be on disk.
#[derive(Debug)]
pub(super) struct Numbers {
    known: Cache<Alike, i64>,
    hashers: Hashers,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { known: Cache::new(KNOWN), hashers: Hashers::default() }
    }
}

impl Numbers {
    /// The number of what exchanges have in common, if there was one before.
    pub(super) async fn number(
        &mut self,
        transaction: &mut Transaction,
        common: &Common,
    ) -> Result<Option<i64>, sqlx::Error> {
        let known = self.known.get(&self.hashers.alike(common));
        if known.is_some() {
            return Ok(known);
        }
        let row = common.bound_to(FIND).fetch_optional(transaction.begun().await?).await?;
        let found = row.map(|row| row.try_get(0)).transpose()?;
        if let Some(number) = found {
            self.remember(common, number);
        }
        Ok(found)
    }

    pub(super) fn remember(&mut self, common: &Common, number: i64) {
        self.known.insert(self.hashers.alike(common), number);
    }
}

const FIND: &str =
    "SELECT id FROM alike INDEXED BY alike_by_url WHERE client = ? AND user IS ? AND page IS ? AND method = ? AND url = ?
         AND destination IS ? AND vendor IS ? AND kinds = ? AND outcome = ? AND reason IS ? AND body IS ? AND status = ?
         AND path IS ?";

impl Common {
    /// A statement whose first parameters are all of these, in the order of the table.
    pub(super) fn bound_to(&self, statement: impl SqlSafeStr) -> Query<'_, Sqlite, SqliteArguments> {
        let Self { client, user, page, method, url, destination, vendor, kinds, outcome, reason, .. } = self;
        sqlx::query(statement)
            .bind(client)
            .bind(user)
            .bind(page)
            .bind(method)
            .bind(url)
            .bind(destination)
            .bind(vendor)
            .bind(kinds)
            .bind(outcome)
            .bind(reason)
            .bind(self.body.as_ref().map(|body| &body.0[..]))
            .bind(i64::from(self.status))
            .bind(self.path)
    }
}
