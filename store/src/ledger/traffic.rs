//! What passed in a window, summed up by all that a verdict depends on: for whoever asks what other rules would do.
//!
//! A month of millions of rows is summed up by the database; what is held here is a sum for each kind of exchange, and a
//! number for each of its clients. Both are bounded, and what goes beyond is counted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::path::Path;

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use pinfold_policy::digest::BodyId;
use pinfold_policy::host::Authority;
use pinfold_policy::kind::Kinds;
use pinfold_policy::reason::Reason;
use pinfold_policy::verdict::Outcome;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::exposure::{begins_before, first_entry, gaps_of, missing, recorded_until};
use super::sums::{Subject, Sum, Window, each_sum};
use super::texts::Words;
use super::visits;
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
    /// Hosts and ports that answered in clear text or decrypted, and nobody looked at what came.
    pub visited: Vec<Authority>,
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
    let (mut recorded_since, mut visited) = (None, BTreeSet::new());
    for (month, path) in &months {
        let is_in_window = begins_before(sought.since).is_none_or(|first| *month >= first)
            && sought.until.is_none_or(|until| *month <= Month::of(until));
        if !is_in_window && recorded_since.is_some() {
            continue;
        }
        reading(&month.to_string());
        let mut connection = sqlite::open(path, &SCHEMA).await?;
        let done = async {
            // All of it as it was at one time, as for an exposure.
            sqlx::query("BEGIN").execute(&mut connection).await?;
            if recorded_since.is_none() {
                recorded_since = first_entry(&mut connection).await?;
            }
            if is_in_window {
                let month = MonthSums::read(&mut connection, sought, bounds).await?;
                sums.add_month(month)?;
                sums.add_tunnels(&mut connection, sought).await?;
                let (since, until) = (sought.since, sought.until);
                visited.extend(visits::Reader { connection: &mut connection, since, until }.hosts().await?);
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
        // What is no authority was never written.
        visited: visited.iter().filter_map(|text| Authority::parse(text, None).ok()).collect(),
        left_out: sums.left_out,
        recorded_since,
        recorded_until: recorded_until(months.values()).await?,
        missing_months: missing(months.keys().copied(), sought),
        gaps: gaps_of(data_dir, sought).await?,
    })
}

/// What [`Carried`] are told apart by, in one month: words by its numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct MonthAlike {
    url: i64,
    body: Option<BodyId>,
    kinds: i64,
    outcome: i64,
    reason: Option<i64>,
}

struct MonthCarried {
    /// How often for each client and user.
    clients: HashMap<(i64, Option<i64>), u64>,
    first: Timestamp,
    last: Timestamp,
}

/// Of one month.
struct MonthSums {
    carried: HashMap<MonthAlike, MonthCarried>,
    words: Words,
    left_out: u64,
}

impl MonthSums {
    async fn read(
        connection: &mut SqliteConnection,
        sought: &Sought,
        bounds: Bounds,
    ) -> Result<Self, sqlx::Error> {
        let mut carried: HashMap<MonthAlike, MonthCarried> = HashMap::new();
        let mut numbers = BTreeSet::new();
        let (mut pairs, mut left_out) = (0, 0);
        let window = Window::new(sought.since, sought.until);
        each_sum(connection, &Subject::default(), window, |sum| {
            let Sum { client, user, url, kinds, body, outcome, reason, count, first, last, .. } = sum;
            let alike = MonthAlike { url, body, kinds, outcome, reason };
            if pairs >= bounds.clients || (carried.len() >= bounds.kinds && !carried.contains_key(&alike)) {
                left_out += count;
                return;
            }
            let begun = || MonthCarried { clients: HashMap::new(), first, last };
            let carried = carried.entry(alike).or_insert_with(begun);
            carried.first = carried.first.min(first);
            carried.last = carried.last.max(last);
            let before = carried.clients.len();
            *carried.clients.entry((client, user)).or_default() += count;
            pairs += carried.clients.len() - before;
            numbers.extend([url, kinds, outcome, client]);
            numbers.extend([reason, user].into_iter().flatten());
        })
        .await?;
        Ok(Self { carried, words: Words::read(connection, &numbers).await?, left_out })
    }
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
    fn add_month(&mut self, month: MonthSums) -> Result<(), sqlx::Error> {
        let MonthSums { carried, words, left_out } = month;
        self.left_out += left_out;
        let mut clients = HashMap::new();
        for (MonthAlike { url, body, kinds, outcome, reason }, carried) in carried {
            let alike: Alike = (
                words.text("url", url)?.into(),
                body,
                words.kinds(kinds)?,
                words.outcome(outcome)?,
                reason.map(|reason| words.parsed("reason", reason)).transpose()?,
            );
            for (who, count) in carried.clients {
                if self.is_full(&alike) {
                    self.left_out += count;
                    continue;
                }
                let client = match clients.get(&who) {
                    Some(number) => *number,
                    None => {
                        let (client, user) = who;
                        let user = user.map(|user| words.text("user", user)).transpose()?;
                        let number = self.number((words.parsed("client", client)?, user.map(Into::into)));
                        *clients.entry(who).or_insert(number)
                    }
                };
                self.add(&alike, client, count, (carried.first, carried.last));
            }
        }
        Ok(())
    }

    fn is_full(&self, alike: &Alike) -> bool {
        self.pairs >= self.bounds.clients
            || (self.carried.len() >= self.bounds.kinds && !self.carried.contains_key(alike))
    }

    fn add(&mut self, alike: &Alike, client: u32, count: u64, (first, last): (Timestamp, Timestamp)) {
        let (url, body, kinds, outcome, reason) = alike.clone();
        let clients = BTreeMap::new();
        let carried = self.carried.entry(alike.clone());
        let carried =
            carried.or_insert(Carried { url, body, kinds, outcome, reason, count: 0, clients, first, last });
        carried.count += count;
        carried.first = carried.first.min(first);
        carried.last = carried.last.max(last);
        let before = carried.clients.len();
        *carried.clients.entry(client).or_default() += count;
        self.pairs += carried.clients.len() - before;
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
