//! What passed in a window, summed up by all that a verdict depends on: for whoever asks what other rules would do.
//!
//! A month of millions of rows is summed up by the database; what is held here is a sum for each kind of exchange, and a
//! number for each of its clients. Both are bounded, and what goes beyond is counted.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::Path;

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use pinfold_policy::digest::BodyId;
use pinfold_policy::host::Authority;
use pinfold_policy::kind::Kinds;
use pinfold_policy::reason::Reason;
use pinfold_policy::verdict::Outcome;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::exposure::{begins_before, first_entry, gaps_of, missing, push_window, recorded_until};
use super::{SCHEMA, Sought, dir_in, files};
use crate::columns::{Columns, unreadable};
use crate::entry::Gap;
use crate::error::StoreError;
use crate::month::Month;
use crate::sqlite;

/// How much is told apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Kinds of exchange.
    pub(crate) kinds: usize,
    /// Clients of all of them together.
    pub(crate) clients: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { kinds: 1 << 18, clients: 1 << 22 }
    }
}

/// Exchanges that one verdict was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The match key.
    pub url: Box<str>,
    /// The decoded body, if it could be measured.
    pub body: Option<BodyId>,
    /// What the response could have acted as.
    pub kinds: Kinds,
    /// What was decided then.
    pub outcome: Outcome,
    /// Why, unless it was verified.
    pub reason: Option<Reason>,
    /// How often.
    pub count: u64,
    /// How often for each client, by its place in [`Traffic::clients`].
    pub clients: BTreeMap<u32, u64>,
    /// The first time.
    pub first: Timestamp,
    /// The last time.
    pub last: Timestamp,
}

/// Tunnels to one place that opened: what went through them nobody saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnelled {
    /// Where to.
    pub authority: Authority,
    /// How many.
    pub count: u64,
    /// When the first was asked for.
    pub first: Timestamp,
    /// When the last was asked for.
    pub last: Timestamp,
}

/// A client, and the name that it proved where the gateway asked for one.
pub type Client = (IpAddr, Option<Box<str>>);

/// What passed in a window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Exchanges, the first to come first.
    pub exchanges: Vec<Carried>,
    /// Those who asked.
    pub clients: Vec<Client>,
    /// Tunnels, by place.
    pub tunnels: Vec<Tunnelled>,
    /// Exchanges that are in none of the sums, as there were too many kinds of them.
    pub left_out: u64,
    /// The first entry that the ledger has of all times; none if it has none.
    pub recorded_since: Option<Timestamp>,
    /// The last entry that it has.
    pub recorded_until: Option<Timestamp>,
    /// Months in the window, since the first that there is, of which there is no file.
    pub missing_months: Vec<String>,
    /// What could not be recorded in the window.
    pub gaps: Vec<Gap>,
}

/// Sums up each month that reaches into the window; `reading` is told which one. Writes nothing.
pub(crate) async fn traffic(
    data_dir: &Path,
    sought: &Sought,
    bounds: Bounds,
    mut reading: impl FnMut(&str),
) -> Result<Traffic, StoreError> {
    let months = files(&dir_in(data_dir))?;
    let mut sums = Sums { bounds, ..Sums::default() };
    let mut recorded_since = None;
    for (month, path) in &months {
        let is_in_window = begins_before(sought.since).is_none_or(|first| *month >= first)
            && sought.until.is_none_or(|until| *month <= Month::of(until));
        if !is_in_window && recorded_since.is_some() {
            continue;
        }
        reading(&month.to_string());
        let mut connection = sqlite::open(path, &SCHEMA).await?;
        let done = async {
            if recorded_since.is_none() {
                recorded_since = first_entry(&mut connection).await?;
            }
            if is_in_window {
                sums.add_exchanges(&mut connection, sought).await?;
                sums.add_tunnels(&mut connection, sought).await?;
            }
            Ok(())
        };
        done.await.map_err(StoreError::database(path))?;
    }
    let mut exchanges: Vec<_> = sums.carried.into_values().collect();
    exchanges.sort_by(|a, b| (a.first, &a.url, a.body).cmp(&(b.first, &b.url, b.body)));
    Ok(Traffic {
        exchanges,
        clients: sums.clients,
        tunnels: sums.tunnels.into_values().collect(),
        left_out: sums.left_out,
        recorded_since,
        recorded_until: recorded_until(months.values()).await?,
        missing_months: missing(months.keys().copied(), sought),
        gaps: gaps_of(data_dir, sought).await?,
    })
}

/// What [`Carried`] are told apart by.
type Alike = (Box<str>, Option<BodyId>, Kinds, Outcome, Option<Reason>);

#[derive(Default)]
struct Sums {
    bounds: Bounds,
    carried: HashMap<Alike, Carried>,
    clients: Vec<Client>,
    numbers: HashMap<Client, u32>,
    /// Clients of all that is carried.
    pairs: usize,
    tunnels: BTreeMap<Box<str>, Tunnelled>,
    left_out: u64,
}

impl Sums {
    async fn add_exchanges(
        &mut self,
        connection: &mut SqliteConnection,
        sought: &Sought,
    ) -> Result<(), sqlx::Error> {
        // By the numbers of words: each word is read once for a sum, and not for a row.
        let mut query = QueryBuilder::<Sqlite>::new(
            "WITH found AS (SELECT url, body, kinds, outcome, reason, client, user,
                sum(count) AS count, min(at) AS first, max(last) AS last
             FROM exchange WHERE shares IS NULL",
        );
        push_window(&mut query, sought);
        query.push(
            " GROUP BY 1, 2, 3, 4, 5, 6, 7)
             SELECT url.text AS url, f.body, kinds.text AS kinds, outcome.text AS outcome, reason.text AS reason,
                client.text AS client, user.text AS user, f.count, f.first, f.last
             FROM found f
             LEFT JOIN word url ON url.id = f.url
             LEFT JOIN word kinds ON kinds.id = f.kinds
             LEFT JOIN word outcome ON outcome.id = f.outcome
             LEFT JOIN word reason ON reason.id = f.reason
             LEFT JOIN word client ON client.id = f.client
             LEFT JOIN word user ON user.id = f.user",
        );
        let mut rows = query.build().fetch(connection);
        while let Some(row) = rows.try_next().await? {
            self.add(&row)?;
        }
        Ok(())
    }

    fn add(&mut self, row: &SqliteRow) -> Result<(), sqlx::Error> {
        let row = Columns(row);
        let alike: Alike = (
            row.text("url")?,
            row.body_or_none("body")?,
            row.kinds("kinds")?,
            row.outcome("outcome")?,
            row.parsed_or_none("reason")?,
        );
        let (count, first, last) = (row.number("count")?, row.time("first")?, row.time("last")?);
        let is_full = self.pairs >= self.bounds.clients
            || (self.carried.len() >= self.bounds.kinds && !self.carried.contains_key(&alike));
        if is_full {
            self.left_out += count;
            return Ok(());
        }
        let client = self.number((row.parsed("client")?, row.text_or_none("user")?));
        let (url, body, kinds, outcome, reason) = alike.clone();
        let clients = BTreeMap::new();
        let carried = self.carried.entry(alike);
        let carried =
            carried.or_insert(Carried { url, body, kinds, outcome, reason, count: 0, clients, first, last });
        carried.count += count;
        carried.first = carried.first.min(first);
        carried.last = carried.last.max(last);
        let before = carried.clients.len();
        *carried.clients.entry(client).or_default() += count;
        self.pairs += carried.clients.len() - before;
        Ok(())
    }

    fn number(&mut self, client: Client) -> u32 {
        if let Some(number) = self.numbers.get(&client) {
            return *number;
        }
        // There are no more than the bound of them, and so no more than fit.
        let number = u32::try_from(self.clients.len()).unwrap_or(u32::MAX);
        self.numbers.insert(client.clone(), number);
        self.clients.push(client);
        number
    }

    async fn add_tunnels(
        &mut self,
        connection: &mut SqliteConnection,
        sought: &Sought,
    ) -> Result<(), sqlx::Error> {
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT authority.text AS authority, count(*) AS count, min(t.at) AS first, max(t.at) AS last
             FROM tunnel t JOIN word authority ON authority.id = t.authority WHERE t.status = 200",
        );
        let until = sought.until.map_or(i64::MAX, Timestamp::as_microsecond);
        let since = sought.since.map_or(i64::MIN, Timestamp::as_microsecond);
        query.push(" AND t.at BETWEEN ").push_bind(since).push(" AND ").push_bind(until);
        query.push(" GROUP BY t.authority");
        let mut rows = query.build().fetch(connection);
        while let Some(row) = rows.try_next().await? {
            let row = Columns(&row);
            let name = row.text("authority")?;
            let authority =
                Authority::parse(&name, None).map_err(|error| unreadable("authority", error.to_string()))?;
            let (count, first, last) = (row.number("count")?, row.time("first")?, row.time("last")?);
            let tunnelled = self.tunnels.entry(name);
            let tunnelled = tunnelled.or_insert(Tunnelled { authority, count: 0, first, last });
            tunnelled.count += count;
            tunnelled.first = tunnelled.first.min(first);
            tunnelled.last = tunnelled.last.max(last);
        }
        Ok(())
    }
}
