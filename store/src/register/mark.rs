//! Marks of delivery paths: which issuers and ranges of addresses are known of a host, and which nobody has approved of.

use std::collections::{BTreeSet, HashMap};

use jiff::{SignedDuration, Timestamp};
use pinfold_policy::path::{Arrival, LEARNING_FETCHES, Mark, Novelty};
use pinfold_policy::url::ArtifactUrl;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _, SqliteConnection};
use uuid::Uuid;

use super::standing::person;
use super::{Change, Submission, in_turns};
use crate::columns::unreadable;
use crate::entry::Exchange;
use crate::incident::Incident;
use crate::item::Item;
use crate::path::{Arrived, MAX_MARKS, News, RefusedMark};
use crate::sighting::Untold;
use crate::sqlite::int;

/// What nobody has seen for so long makes room where there are too many marks of a host.
const SEEN_LATELY: SignedDuration = SignedDuration::from_hours(7 * 24);

/// A host of pins was reached.
pub(crate) struct Arrive {
    pub(crate) host: Box<str>,
    pub(crate) marks: Vec<Mark>,
    /// Whether what comes by another path is held, and not only told of.
    pub(crate) holds: bool,
    pub(crate) at: Timestamp,
}

impl Change for Arrive {
    type Output = Arrived;

    fn can_wait(&self) -> bool {
        !self.holds
    }

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<Arrived, sqlx::Error> {
        let mut output = None;
        arrive(vec![(self, &mut output)], connection).await?;
        output.ok_or(sqlx::Error::RowNotFound)
    }

    async fn apply_all(
        alike: Vec<Submission<'_, Self>>,
        connection: &mut SqliteConnection,
    ) -> Result<(), sqlx::Error> {
        for turn in in_turns(alike, |arrive| arrive.host.clone()) {
            arrive(turn, connection).await?;
        }
        Ok(())
    }
}

/// Takes up arrivals, each at another host.
async fn arrive(
    arrivals: Vec<Submission<'_, Arrive>>,
    connection: &mut SqliteConnection,
) -> Result<(), sqlx::Error> {
    let mut fetched = look_up(arrivals.iter().map(|(arrive, _)| &*arrive.host), connection).await?;
    let mut new = Vec::new();
    for (arrive, output) in arrivals {
        let Fetched { before, known } = fetched.remove(&arrive.host).ok_or(sqlx::Error::RowNotFound)?;
        let mut arrived =
            Arrived { arrival: Arrival::AsKnown, is_learning: before < LEARNING_FETCHES, news: Vec::new() };
        for mark in &arrive.marks {
            let value = mark.to_string();
            let of_its_kind = || known.iter().filter(|known| known.aspect == mark.aspect());
            let found = match of_its_kind().find(|known| known.value == value) {
                Some(known) => arrive.seen_again(connection, mark, known).await?,
                None => {
                    let others = arrive.make_room(connection, mark, of_its_kind().count() as u64).await?;
                    arrive.seen_first(mark, before, others, &mut new)
                }
            };
            if !found.is_known {
                arrived.arrival = Arrival::Changed;
            }
            arrived.news.extend(found.news);
        }
        *output = Some(arrived);
    }
    insert(new, connection).await
}

/// Counts a fetch of each host. Gives those before it, as far as they are counted, and the marks of the host.
async fn look_up(
    hosts: impl Iterator<Item = &str>,
    connection: &mut SqliteConnection,
) -> Result<HashMap<Box<str>, Fetched>, sqlx::Error> {
    let rows = sqlx::query(
        "INSERT INTO fetched (host, fetches) SELECT value, 1 FROM json_each(?1) WHERE true
             ON CONFLICT (host) DO UPDATE SET fetches = min(fetches, ?2) + 1 RETURNING host, fetches;
         SELECT host, aspect, value, known, id, first, told FROM mark WHERE host IN (SELECT value FROM json_each(?1))",
    )
    .bind(serde_json::Value::from_iter(hosts).to_string())
    .bind(i64::from(LEARNING_FETCHES))
    .fetch_all(connection)
    .await?;
    let mut fetched: HashMap<Box<str>, Fetched> = HashMap::new();
    for row in &rows {
        let host: Box<str> = row.try_get("host")?;
        match fetched.get_mut(&host) {
            Some(fetched) => fetched.known.push(Known::read(row)?),
            None => {
                let fetches: i64 = row.try_get("fetches")?;
                let before = u32::try_from(fetches - 1).unwrap_or(LEARNING_FETCHES);
                fetched.insert(host, Fetched { before, known: Vec::new() });
            }
        }
    }
    Ok(fetched)
}

async fn insert(new: Vec<serde_json::Value>, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    if new.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO mark (host, aspect, value, first, last, known, id, told)
         SELECT value->>0, value->>1, value->>2, value->>3, value->>3, value->>4, unhex(value->>5), value->>5 IS NULL
         FROM json_each(?)",
    )
    .bind(serde_json::Value::from(new).to_string())
    .execute(connection)
    .await?;
    Ok(())
}

/// What is known of a host.
struct Fetched {
    before: u32,
    known: Vec<Known>,
}

/// A mark that the host has.
struct Known {
    aspect: String,
    value: String,
    is_known: bool,
    id: Option<Vec<u8>>,
    first: i64,
    is_told: bool,
}

impl Known {
    fn read(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        let (_, aspect, value, is_known, id, first, is_told): (String, _, _, _, _, _, _) =
            FromRow::from_row(row)?;
        Ok(Self { aspect, value, is_known, id, first, is_told })
    }
}

struct Found {
    is_known: bool,
    news: Option<News>,
}

impl Arrive {
    async fn seen_again(
        &self,
        connection: &mut SqliteConnection,
        mark: &Mark,
        before: &Known,
    ) -> Result<Found, sqlx::Error> {
        sqlx::query("UPDATE mark SET last = max(last, ?) WHERE host = ? AND aspect = ? AND value = ?")
            .bind(self.at.as_microsecond())
            .bind(&*self.host)
            .bind(mark.aspect())
            .bind(&before.value)
            .execute(&mut *connection)
            .await?;
        // Where telling is enough by now, it has been told.
        let is_known = before.is_known || !self.holds;
        if is_known && !before.is_known {
            admit(connection, &self.host, mark.aspect(), &before.value, self.at).await?;
        }
        let untold = before.id.as_deref().filter(|_| !before.is_told);
        let untold = untold.map(|id| self::untold(id, before.first)).transpose()?;
        let news = untold.map(|untold| News { untold, mark: mark.clone(), is_last: false });
        Ok(Found { is_known, news })
    }

    /// Gives what is `new` to whoever inserts it.
    fn seen_first(&self, mark: &Mark, fetches: u32, others: u64, new: &mut Vec<serde_json::Value>) -> Found {
        let novelty = Novelty::after(fetches, others > 0);
        let is_known = match novelty {
            Novelty::Usual => true,
            Novelty::Change => !self.holds,
        };
        if others >= MAX_MARKS {
            return Found { is_known, news: None };
        }
        let untold = match novelty {
            Novelty::Usual => None,
            Novelty::Change => Some(Untold { id: Uuid::now_v7(), at: self.at }),
        };
        new.push(serde_json::json!([
            self.host,
            mark.aspect(),
            mark.to_string(),
            self.at.as_microsecond(),
            is_known,
            untold.as_ref().map(|untold| untold.id.simple().to_string()),
        ]));
        let is_last = others + 1 == MAX_MARKS;
        Found { is_known, news: untold.map(|untold| News { untold, mark: mark.clone(), is_last }) }
    }

    /// How many of `others`, the marks of its kind, are left once one that nobody has seen lately has made room.
    async fn make_room(
        &self,
        connection: &mut SqliteConnection,
        mark: &Mark,
        others: u64,
    ) -> Result<u64, sqlx::Error> {
        if others < MAX_MARKS {
            return Ok(others);
        }
        // What nobody has approved of goes first.
        let gone = sqlx::query(
            "DELETE FROM mark WHERE (host, aspect, value) IN (SELECT host, aspect, value FROM mark
                 WHERE host = ? AND aspect = ? AND last < ? ORDER BY known, last LIMIT 1)",
        )
        .bind(&*self.host)
        .bind(mark.aspect())
        .bind(self.at.as_microsecond().saturating_sub(micros(SEEN_LATELY)))
        .execute(connection)
        .await?;
        Ok(others.saturating_sub(gone.rows_affected()))
    }
}

/// Notes for which marks an item was refused.
pub(super) async fn refuse(
    connection: &mut SqliteConnection,
    incident: &[u8],
    (host, marks): &(Box<str>, Vec<Mark>),
) -> Result<(), sqlx::Error> {
    for mark in marks {
        sqlx::query(
            "INSERT OR IGNORE INTO refused_mark (incident, host, aspect, value, version)
             SELECT ?1, ?2, ?3, ?4, (SELECT version FROM state)
             WHERE NOT EXISTS (SELECT 1 FROM mark WHERE host = ?2 AND aspect = ?3 AND value = ?4 AND known)
                 AND (SELECT count(*) FROM refused_mark WHERE incident = ?1) < ?5",
        )
        .bind(incident)
        .bind(&**host)
        .bind(mark.aspect())
        .bind(mark.to_string())
        .bind(int(MAX_MARKS))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// The host and the marks that a refusal for its path is about.
pub(super) fn marks_of(refusal: &Exchange) -> Option<(Box<str>, Vec<Mark>)> {
    let path = refusal.path.as_ref()?;
    let url = ArtifactUrl::parse(&refusal.url).ok()?;
    Some((url.host().to_string().into(), Mark::of(path.issuer.as_deref(), path.address.ip()).collect()))
}

/// The marks for which an item was refused and that nobody has approved of.
pub(crate) async fn refused_marks(
    connection: &mut SqliteConnection,
    incident: Incident,
) -> Result<Vec<RefusedMark>, sqlx::Error> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT host, aspect, value FROM refused_mark WHERE incident = ? ORDER BY host, aspect, value",
    )
    .bind(&incident.0.as_bytes()[..])
    .fetch_all(connection)
    .await?;
    let read = |(host, aspect, value): (String, String, String)| RefusedMark {
        host: host.into(),
        aspect: aspect.into(),
        value: value.into(),
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Admits the marks for which an item was refused, once as many people have approved of the item since as must. What it
/// was refused for after they had does not count among them.
pub(super) async fn approve(
    connection: &mut SqliteConnection,
    item: &Item,
    approvers: u32,
    at: Timestamp,
) -> Result<Vec<RefusedMark>, sqlx::Error> {
    let mut admitted = Vec::new();
    for mark in refused_marks(connection, item.incident).await? {
        let RefusedMark { host, aspect, value } = &mark;
        let approving: Vec<String> = sqlx::query_scalar(
            "SELECT who FROM decision WHERE subject = ?1 AND digest = ?2 AND what = 'approved' AND basis = 'reviewed'
                 AND (expires IS NULL OR expires > ?3) AND version > coalesce((SELECT max(version)
                     FROM decision WHERE subject = ?1 AND digest = ?2 AND what IN ('rejected', 'revoked')), 0)
                 AND version > (SELECT version FROM refused_mark
                     WHERE incident = ?4 AND host = ?5 AND aspect = ?6 AND value = ?7)",
        )
        .bind(&*item.subject)
        .bind(&item.digest.0[..])
        .bind(at.as_microsecond())
        .bind(&item.incident.0.as_bytes()[..])
        .bind(&**host)
        .bind(&**aspect)
        .bind(&**value)
        .fetch_all(&mut *connection)
        .await?;
        let people: BTreeSet<String> = approving.iter().map(|who| person(who)).collect();
        if people.len() >= usize::try_from(approvers).unwrap_or(usize::MAX) {
            admit(connection, host, aspect, value, at).await?;
            admitted.push(mark);
        }
    }
    Ok(admitted)
}

async fn admit(
    connection: &mut SqliteConnection,
    host: &str,
    aspect: &str,
    value: &str,
    at: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO mark (host, aspect, value, first, last, known, told) VALUES (?1, ?2, ?3, ?4, ?4, 1, 1)
         ON CONFLICT (host, aspect, value) DO UPDATE SET known = 1",
    )
    .bind(host)
    .bind(aspect)
    .bind(value)
    .bind(at.as_microsecond())
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM refused_mark WHERE host = ? AND aspect = ? AND value = ?")
        .bind(host)
        .bind(aspect)
        .bind(value)
        .execute(connection)
        .await?;
    Ok(())
}

fn untold(id: &[u8], at: i64) -> Result<Untold, sqlx::Error> {
    let id = Uuid::from_slice(id).map_err(|_| unreadable("id", "not 16 bytes"))?;
    let at = Timestamp::from_microsecond(at).map_err(|_| unreadable("first", "time out of range"))?;
    Ok(Untold { id, at })
}

fn micros(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// The event of this name is on disk.
pub(crate) struct MarkTold(pub(crate) Uuid);

impl Change for MarkTold {
    type Output = ();

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE mark SET told = 1 WHERE id = ? AND NOT told")
            .bind(&self.0.as_bytes()[..])
            .execute(connection)
            .await?;
        Ok(())
    }
}
