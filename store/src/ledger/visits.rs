//! Who asked hosts of which nobody looks at what they send: not what, but that, and how often in each hour.
//!
//! A host costs whoever made it up nothing, so that rows are bounded: each client has some for itself in an hour, and all have
//! some together. What goes beyond is counted without its host, and at last without its client: an answer that
//! rests on these says how much of that there is.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use pinfold_policy::host::Authority;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::exposure::push_word;
use super::tally::Alike;
use crate::columns::{Columns, unreadable};
use crate::count::Count;
use crate::entry::Visit;

/// Places of one client and user that are told apart in an hour.
const MOST_OF_ONE: usize = 1024;
/// Places that are told apart in an hour, of all clients.
const MOST: usize = 200_000;

const SECONDS_PER_HOUR: i64 = 60 * 60;

/// A client, and the user there.
type Whose = (IpAddr, Option<Arc<str>>);

/// What shares a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    hour: i64,
    whose: Option<Whose>,
    to: Option<Authority>,
}

impl Place {
    pub(super) fn of(visit: Visit) -> Self {
        let Visit { at, client, user, authority } = visit;
        let hour = hour_of(at);
        Self { hour, whose: Some((client.to_canonical(), user)), to: Some(authority) }
    }

    fn of_nobody(hour: i64) -> Self {
        Self { hour, whose: None, to: None }
    }

    pub(super) fn hour(&self) -> i64 {
        self.hour
    }

    pub(super) fn client(&self) -> Option<IpAddr> {
        self.whose.as_ref().map(|(client, _)| *client)
    }

    pub(super) fn user(&self) -> Option<&str> {
        self.whose.as_ref().and_then(|(_, user)| user.as_deref())
    }

    pub(super) fn authority(&self) -> Option<&Authority> {
        self.to.as_ref()
    }
}

/// The places that are told apart in the newest hour.
#[derive(Debug, Default)]
pub(super) struct Apart {
    hour: i64,
    places: HashSet<Alike>,
    of: HashMap<Whose, usize>,
}

impl Apart {
    /// The place, or one that stands for many where there are too many. `alike` is made of all of it.
    pub(super) fn place(&mut self, place: Place, alike: Alike) -> Place {
        if place.hour > self.hour {
            *self = Self { hour: place.hour, ..Self::default() };
        }
        if self.places.contains(&alike) {
            return place;
        }
        let Place { hour, whose: Some(whose), .. } = &place else { return place };
        if self.places.len() >= MOST {
            return Place::of_nobody(*hour);
        }
        let own = self.of.entry(whose.clone()).or_default();
        if *own >= MOST_OF_ONE {
            return Place { to: None, ..place };
        }
        *own += 1;
        self.places.insert(alike);
        place
    }
}

/// Visits that are not on disk yet.
#[derive(Debug, Default)]
pub(super) struct Visits(HashMap<Place, Count>);

impl Visits {
    pub(super) fn once(&mut self, place: Place, at: Timestamp) {
        self.add(place, Count::once(at));
    }

    /// Puts back what could not be written.
    pub(super) fn extend(&mut self, others: Self) {
        for (place, count) in others.0 {
            self.add(place, count);
        }
    }

    /// While nothing can be written, hour after hour, they are bounded too.
    fn add(&mut self, place: Place, more: Count) {
        let has_room = self.0.len() < MOST || self.0.contains_key(&place);
        let place = if has_room { place } else { Place::of_nobody(place.hour) };
        self.0.entry(place).and_modify(|count| *count = count.and(more)).or_insert(more);
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&Place, &Count)> {
        self.0.iter()
    }
}

/// Requests of one client to one place that nobody looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visited {
    /// The client's address; none where there were too many to tell them apart.
    pub client: Option<IpAddr>,
    /// The name that it proved, where the gateway asked for one.
    pub user: Option<Box<str>>,
    /// Where to; none where the client went to too many places to tell them apart.
    pub authority: Option<Authority>,
    /// How many.
    pub count: u64,
    /// The first, as far as an hour that reaches into the window has it.
    pub first: Timestamp,
    /// The last, likewise.
    pub last: Timestamp,
}

/// Visits of one month that reach into a window.
pub(super) struct Reader<'c> {
    pub(super) connection: &'c mut SqliteConnection,
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
}

impl Reader<'_> {
    /// Those to the places whose text lies between two, and those whose places are not told apart; of one client or user
    /// where one is named.
    pub(super) async fn visited(
        &mut self,
        places: Option<(String, String)>,
        client: Option<IpAddr>,
        user: Option<&str>,
    ) -> Result<Vec<Visited>, sqlx::Error> {
        let mut query = QueryBuilder::new(
            "SELECT client.text AS client, user.text AS user, authority.text AS authority,
                sum(v.count) AS count, min(v.first) AS first, max(v.last) AS last
             FROM visit v LEFT JOIN word client ON client.id = v.client LEFT JOIN word user ON user.id = v.user
             LEFT JOIN word authority ON authority.id = v.authority WHERE true",
        );
        if let Some((from, to)) = places {
            query.push(" AND v.authority IN (SELECT 0 UNION ALL SELECT id FROM word WHERE text >= ");
            query.push_bind(from).push(" AND text < ").push_bind(to).push(")");
        }
        push_word(&mut query, "v.client", client.map(|client| client.to_string()));
        push_word(&mut query, "v.user", user.map(str::to_owned));
        if user.is_some() {
            // For the index, which leaves out who has no name.
            query.push(" AND v.user > 0");
        }
        self.push_window(&mut query);
        query.push(" GROUP BY v.client, v.user, v.authority");
        let rows = query.build().fetch_all(&mut *self.connection).await?;
        rows.iter().map(read).collect()
    }

    /// Hosts and ports, by steps from one to the next: visits can be millions.
    pub(super) async fn hosts(&mut self) -> Result<Vec<Box<str>>, sqlx::Error> {
        let mut query = QueryBuilder::new(
            "WITH RECURSIVE host(id) AS (
                SELECT min(authority) FROM visit WHERE authority > 0
                UNION ALL SELECT (SELECT min(authority) FROM visit WHERE authority > host.id) FROM host
                WHERE host.id IS NOT NULL)
             SELECT word.text AS text FROM host JOIN word ON word.id = host.id
             WHERE EXISTS (SELECT 1 FROM visit v WHERE v.authority = host.id",
        );
        self.push_window(&mut query);
        let rows = query.push(")").build().fetch_all(&mut *self.connection).await?;
        rows.iter().map(|row| Columns(row).text("text")).collect()
    }

    /// Requests of which it is not known where they went.
    pub(super) async fn untold(&mut self) -> Result<u64, sqlx::Error> {
        let mut query =
            QueryBuilder::new("SELECT coalesce(sum(v.count), 0) AS count FROM visit v WHERE v.authority = 0");
        self.push_window(&mut query);
        let row = query.build().fetch_one(&mut *self.connection).await?;
        Columns(&row).number("count")
    }

    /// Until when nobody wrote any of them down, if the file is from before.
    pub(super) async fn unwritten_until(&mut self) -> Result<Option<Timestamp>, sqlx::Error> {
        let query = sqlx::query("SELECT max(at) AS at FROM visits_since");
        Columns(&query.fetch_one(&mut *self.connection).await?).time_or_none("at")
    }

    fn push_window(&self, query: &mut QueryBuilder<Sqlite>) {
        if let Some(since) = self.since {
            // For the index: a row is of one hour.
            query.push(" AND v.hour >= ").push_bind(hour_of(since));
            query.push(" AND v.last >= ").push_bind(since.as_microsecond());
        }
        if let Some(until) = self.until {
            query.push(" AND v.hour <= ").push_bind(hour_of(until));
            query.push(" AND v.first <= ").push_bind(until.as_microsecond());
        }
    }
}

fn hour_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(SECONDS_PER_HOUR)
}

fn read(row: &SqliteRow) -> Result<Visited, sqlx::Error> {
    let row = Columns(row);
    let authority = row.text_or_none("authority")?.map(|text| Authority::parse(&text, None)).transpose();
    Ok(Visited {
        client: row.parsed_or_none("client")?,
        user: row.text_or_none("user")?,
        authority: authority.map_err(|error| unreadable("authority", error.to_string()))?,
        count: row.number("count")?,
        first: row.time("first")?,
        last: row.time("last")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tally::Hashers;

    #[test]
    fn clients_without_end_take_bounded_room_and_every_request_is_counted() {
        let (mut apart, mut visits, hashers) = (Apart::default(), Visits::default(), Hashers::default());
        let at = Timestamp::from_second(1_800_000_000).unwrap();
        let authority = Authority::parse("clear.test:80", None).unwrap();
        let asked = u32::try_from(MOST).unwrap() + 1000;
        for client in 0..asked {
            let client = IpAddr::from(client.to_be_bytes());
            let place = Place::of(Visit { at, client, user: None, authority: authority.clone() });
            let alike = hashers.alike(&place);
            visits.once(apart.place(place, alike), at);
        }

        assert_eq!(visits.all().count(), MOST + 1);
        assert_eq!(visits.all().map(|(_, count)| count.times).sum::<u64>(), u64::from(asked));
        assert_eq!((apart.places.len(), apart.of.len()), (MOST, MOST));
    }

    #[test]
    fn while_nothing_can_be_written_hour_after_hour_takes_bounded_room() {
        let mut visits = Visits::default();
        let authority = Authority::parse("clear.test:80", None).unwrap();
        for hour in 0..3 {
            let at = Timestamp::from_second(hour * SECONDS_PER_HOUR).unwrap();
            for client in 0..u32::try_from(MOST).unwrap() {
                let client = IpAddr::from(client.to_be_bytes());
                let visit = Visit { at, client, user: None, authority: authority.clone() };
                visits.once(Place::of(visit), at);
            }
        }
        assert_eq!(visits.all().count(), MOST + 2);
    }
}
