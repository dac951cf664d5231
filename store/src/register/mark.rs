//! Marks of delivery paths: which issuers and ranges of addresses are known of a host, and which nobody has approved of.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use pinfold_policy::path::{Arrival, LEARNING_FETCHES, Mark, Novelty};
use pinfold_policy::url::ArtifactUrl;
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::Change;
use super::standing::person;
use crate::columns::unreadable;
use crate::entry::Exchange;
use crate::incident::Incident;
use crate::item::Item;
use crate::path::{Arrived, MAX_MARKS, News, RefusedMark};
use crate::sighting::Untold;
use crate::sqlite::{int, uint};

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

    async fn apply(&mut self, connection: &mut SqliteConnection) -> Result<Arrived, sqlx::Error> {
        let before = self.count(connection).await?;
        let mut arrived =
            Arrived { arrival: Arrival::AsKnown, is_learning: before < LEARNING_FETCHES, news: Vec::new() };
        for mark in &self.marks {
            let found = match self.seen_again(connection, mark).await? {
                Some(found) => found,
                None => self.seen_first(connection, mark, before).await?,
            };
            if !found.is_known {
                arrived.arrival = Arrival::Changed;
            }
            arrived.news.extend(found.news);
        }
        Ok(arrived)
    }
}

struct Found {
    is_known: bool,
    news: Option<News>,
}

impl Arrive {
    /// The fetches before this one, as far as they are counted.
    async fn count(&self, connection: &mut SqliteConnection) -> Result<u32, sqlx::Error> {
        let fetches: i64 = sqlx::query_scalar(
            "INSERT INTO fetched (host, fetches) VALUES (?1, 1)
             ON CONFLICT (host) DO UPDATE SET fetches = min(fetches, ?2) + 1 RETURNING fetches",
        )
        .bind(&*self.host)
        .bind(i64::from(LEARNING_FETCHES))
        .fetch_one(connection)
        .await?;
        Ok(u32::try_from(fetches - 1).unwrap_or(LEARNING_FETCHES))
    }

    async fn seen_again(
        &self,
        connection: &mut SqliteConnection,
        mark: &Mark,
    ) -> Result<Option<Found>, sqlx::Error> {
        let row: Option<(bool, Option<Vec<u8>>, i64, bool)> = sqlx::query_as(
            "UPDATE mark SET last = max(last, ?) WHERE host = ? AND aspect = ? AND value = ?
             RETURNING known, id, first, told",
        )
        .bind(self.at.as_microsecond())
        .bind(&*self.host)
        .bind(mark.aspect())
        .bind(mark.to_string())
        .fetch_optional(&mut *connection)
        .await?;
        let Some((known, id, first, told)) = row else { return Ok(None) };
        // Where telling is enough by now, it has been told.
        let is_known = known || !self.holds;
        if is_known && !known {
            admit(connection, &self.host, mark.aspect(), &mark.to_string(), self.at).await?;
        }
        let untold = id.filter(|_| !told).map(|id| untold(&id, first)).transpose()?;
        let news = untold.map(|untold| News { untold, mark: mark.clone(), is_last: false });
        Ok(Some(Found { is_known, news }))
    }

    async fn seen_first(
        &self,
        connection: &mut SqliteConnection,
        mark: &Mark,
        fetches: u32,
    ) -> Result<Found, sqlx::Error> {
        let others = self.make_room(connection, mark).await?;
        let novelty = Novelty::after(fetches, others > 0);
        let is_known = match novelty {
            Novelty::Usual => true,
            Novelty::Change => !self.holds,
        };
        if others >= MAX_MARKS {
            return Ok(Found { is_known, news: None });
        }
        let untold = match novelty {
            Novelty::Usual => None,
            Novelty::Change => Some(Untold { id: Uuid::now_v7(), at: self.at }),
        };
        sqlx::query(
            "INSERT INTO mark (host, aspect, value, first, last, known, id, told) VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7)",
        )
        .bind(&*self.host)
        .bind(mark.aspect())
        .bind(mark.to_string())
        .bind(self.at.as_microsecond())
        .bind(is_known)
        .bind(untold.as_ref().map(|untold| untold.id.as_bytes().to_vec()))
        .bind(untold.is_none())
        .execute(connection)
        .await?;
        let is_last = others + 1 == MAX_MARKS;
        Ok(Found { is_known, news: untold.map(|untold| News { untold, mark: mark.clone(), is_last }) })
    }

    /// How many marks of this aspect the host has, once one that nobody has seen lately has made room.
    async fn make_room(&self, connection: &mut SqliteConnection, mark: &Mark) -> Result<u64, sqlx::Error> {
        let count = "SELECT count(*) FROM mark WHERE host = ? AND aspect = ?";
        let others: i64 = sqlx::query_scalar(count)
            .bind(&*self.host)
            .bind(mark.aspect())
            .fetch_one(&mut *connection)
            .await?;
        if uint(others) < MAX_MARKS {
            return Ok(uint(others));
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
        Ok(uint(others).saturating_sub(gone.rows_affected()))
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
