//! Who received a body: over all months, from the rows that released it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use jiff::Timestamp;
use pinfold_policy::digest::BodyId;
use pinfold_policy::verdict::Outcome;
use sqlx::sqlite::SqliteRow;

use super::{SCHEMA, dir_in, files};
use crate::columns::Columns;
use crate::error::StoreError;
use crate::sqlite;

/// Destinations of which a script may run on when its page is gone.
const WORKERS: [&str; 3] = ["serviceworker", "sharedworker", "worker"];

/// A client, and the user there, that received a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Its address.
    pub client: IpAddr,
    /// The user's name, where the gateway asked for one.
    pub user: Option<Box<str>>,
    /// How often.
    pub count: u64,
    /// The first time.
    pub first: Timestamp,
    /// The last time.
    pub last: Timestamp,
    /// As which workers: `serviceworker`, `sharedworker`, `worker`.
    pub workers: Vec<Box<str>>,
}

/// Reads every month; the last receiver comes first.
pub(crate) async fn receivers(data_dir: &Path, id: BodyId) -> Result<Vec<Receiver>, StoreError> {
    let mut found: BTreeMap<(IpAddr, Option<Box<str>>), Receiver> = BTreeMap::new();
    for (_, path) in files(&dir_in(data_dir))? {
        let mut connection = sqlite::open(&path, &SCHEMA).await?;
        let rows = sqlx::query(
            "SELECT client.text AS client, user.text AS user, destination.text AS destination, outcome.text AS outcome,
                sum(a.count) AS count, min(a.first) AS first, max(a.last) AS last
             FROM alike a
             LEFT JOIN word client ON client.id = a.client
             LEFT JOIN word user ON user.id = a.user
             LEFT JOIN word destination ON destination.id = a.destination
             LEFT JOIN word outcome ON outcome.id = a.outcome
             LEFT JOIN word method ON method.id = a.method
             -- HEAD, and a part beyond the end (416), have no bytes of it.
             WHERE a.body = ? AND a.count > 0 AND a.status <> 416 AND method.text <> 'HEAD'
             GROUP BY a.client, a.user, a.destination, a.outcome",
        )
        .bind(&id.0[..])
        .fetch_all(&mut connection)
        .await;
        let rows = rows.and_then(|rows| rows.iter().map(read).collect::<Result<Vec<_>, _>>());
        for (outcome, receiver) in rows.map_err(StoreError::database(&path))? {
            if outcome.is_release() {
                add(&mut found, receiver);
            }
        }
    }
    let mut found: Vec<_> = found.into_values().collect();
    found.sort_by_key(|receiver| std::cmp::Reverse(receiver.last));
    Ok(found)
}

fn add(found: &mut BTreeMap<(IpAddr, Option<Box<str>>), Receiver>, receiver: Receiver) {
    let before = found.entry((receiver.client, receiver.user.clone()));
    let known = before.or_insert_with(|| Receiver { count: 0, workers: Vec::new(), ..receiver.clone() });
    known.count += receiver.count;
    known.first = known.first.min(receiver.first);
    known.last = known.last.max(receiver.last);
    known.workers.extend(receiver.workers);
    known.workers.sort();
    known.workers.dedup();
}

fn read(row: &SqliteRow) -> Result<(Outcome, Receiver), sqlx::Error> {
    let columns = Columns(row);
    let destination = columns.text_or_none("destination")?;
    let receiver = Receiver {
        client: columns.parsed("client")?,
        user: columns.text_or_none("user")?,
        count: columns.number("count")?,
        first: columns.time("first")?,
        last: columns.time("last")?,
        workers: destination.filter(|destination| WORKERS.contains(&&**destination)).into_iter().collect(),
    };
    Ok((columns.outcome("outcome")?, receiver))
}
