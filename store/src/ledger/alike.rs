//! What exchanges have in common that differ in little but their times: a row of `alike` in each month's file, which the
//! rows of exchanges name by its number.

use pinfold_policy::digest::BodyId;
use quick_cache::sync::Cache;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Row as _, Sqlite, SqliteConnection};

use super::tally::{Alike, Hashers};
use crate::entry::Exchange;

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
    /// The number of what `exchange` has in common with others; it gets one with its first exchange.
    pub(super) async fn number(
        &mut self,
        connection: &mut SqliteConnection,
        common: &Common,
        exchange: &Exchange,
    ) -> Result<i64, sqlx::Error> {
        let key = self.hashers.alike(common);
        if let Some(number) = self.known.get(&key) {
            return Ok(number);
        }
        match find(connection, common).await? {
            Some(number) => {
                self.known.insert(key, number);
                Ok(number)
            }
            None => self.begin(connection, common, exchange).await,
        }
    }

    /// The same where nothing can have been alike before: one of its words is new.
    pub(super) async fn begin(
        &mut self,
        connection: &mut SqliteConnection,
        common: &Common,
        exchange: &Exchange,
    ) -> Result<i64, sqlx::Error> {
        let number = begin(connection, common, exchange.at.as_microsecond()).await?;
        self.known.insert(self.hashers.alike(common), number);
        Ok(number)
    }
}

async fn find(connection: &mut SqliteConnection, common: &Common) -> Result<Option<i64>, sqlx::Error> {
    const SELECT: &str =
        "SELECT id FROM alike INDEXED BY alike_by_url WHERE client = ? AND user IS ? AND page IS ? AND method = ?
             AND url = ? AND destination IS ? AND vendor IS ? AND kinds = ? AND outcome = ? AND reason IS ?
             AND body IS ? AND status = ? AND path IS ?";
    let row = with(SELECT, common).fetch_optional(connection).await?;
    row.map(|row| row.try_get(0)).transpose()
}

/// Its sums are zero: the triggers add each row.
async fn begin(connection: &mut SqliteConnection, common: &Common, at: i64) -> Result<i64, sqlx::Error> {
    const INSERT: &str =
        "INSERT INTO alike (client, user, page, method, url, destination, vendor, kinds, outcome, reason, body, status,
             path, count, whole, first, last)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?14, ?14)";
    Ok(with(INSERT, common).bind(at).execute(connection).await?.last_insert_rowid())
}

/// A statement whose first parameters are all of these, in the order of the table.
fn with<'c>(statement: &'static str, common: &'c Common) -> Query<'c, Sqlite, SqliteArguments> {
    let Common { client, user, page, method, url, destination, vendor, kinds, outcome, reason, .. } = common;
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
        .bind(common.body.as_ref().map(|body| &body.0[..]))
        .bind(i64::from(common.status))
        .bind(common.path)
}
