//! Who got what: sums over the months of a window, told apart by what whoever reads the answer wants to know. What differs
//! by month, status, method or destination alone is one to them.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use jiff::Timestamp;
use pinfold_policy::digest::BodyId;
use pinfold_policy::reason::Reason;
use pinfold_policy::verdict::Outcome;
use sqlx::SqliteConnection;

use super::exposure::{Deliveries, Sighted};
use super::sums::{Subject, Sum, Window, each_sum};
use super::texts::{Texts, Words};
use crate::columns::unreadable;
use crate::entry::DeliveryPath;

/// What they are told apart by in one month, words by its numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct MonthAlike {
    client: i64,
    user: Option<i64>,
    page: Option<i64>,
    url: i64,
    vendor: Option<i64>,
    body: Option<BodyId>,
    outcome: i64,
    reason: Option<i64>,
    path: Option<i64>,
}

/// The same over all months, texts by numbers of their own.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Alike {
    client: IpAddr,
    user: Option<u32>,
    page: Option<u32>,
    url: u32,
    vendor: Option<u32>,
    body: Option<BodyId>,
    outcome: Outcome,
    reason: Option<Reason>,
    path: Option<u32>,
}

#[derive(Clone, Copy)]
struct Times {
    count: u64,
    got: Deliveries,
    first: Timestamp,
    last: Timestamp,
}

impl Times {
    fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            got: self.got.and(other.got),
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }
}

/// Of one month.
#[derive(Default)]
pub(super) struct MonthSightings {
    times: HashMap<MonthAlike, Times>,
    words: Words,
}

impl MonthSightings {
    pub(super) async fn read(
        connection: &mut SqliteConnection,
        subject: &Subject<'_>,
        window: Window,
    ) -> Result<Self, sqlx::Error> {
        let releases: Vec<_> = Outcome::ALL.into_iter().filter(|outcome| outcome.is_release()).collect();
        let releases = Words::numbers(connection, releases.into_iter().map(Outcome::as_str)).await?;
        let head = Words::numbers(connection, ["HEAD"]).await?;
        let got = |sum: &Sum| {
            // Whether what went out is what is sought, and nothing in its place.
            let is_of = subject.body.is_none_or(|sought| sum.body == Some(sought));
            match is_of && releases.contains(&sum.outcome) {
                true => {
                    let (is_head, is_measured) = (head.contains(&sum.method), sum.body.is_some());
                    Deliveries::of(is_head, is_measured, sum.status, sum.count, sum.whole)
                }
                false => Deliveries::default(),
            }
        };
        let mut times: HashMap<MonthAlike, Times> = HashMap::new();
        let mut numbers = BTreeSet::new();
        each_sum(connection, subject, window, |sum| {
            let Sum {
                client, user, page, url, vendor, body, outcome, reason, path, count, first, last, ..
            } = sum;
            let alike = MonthAlike { client, user, page, url, vendor, body, outcome, reason, path };
            let more = Times { count, got: got(&sum), first, last };
            match times.entry(alike) {
                Entry::Occupied(mut times) => *times.get_mut() = times.get().and(more),
                Entry::Vacant(place) => {
                    place.insert(more);
                    numbers.extend([client, url, outcome]);
                    numbers.extend([user, page, vendor, reason, path].into_iter().flatten());
                }
            }
        })
        .await?;
        Ok(Self { times, words: Words::read(connection, &numbers).await? })
    }
}

/// Of all months.
#[derive(Default)]
pub(super) struct Sightings {
    times: HashMap<Alike, Times>,
    texts: Texts,
    paths: HashMap<u32, DeliveryPath>,
}

impl Sightings {
    pub(super) fn add(&mut self, month: MonthSightings) -> Result<(), sqlx::Error> {
        let MonthSightings { times, words } = month;
        let numbers = self.texts.numbers_of(&words);
        for (alike, more) in times {
            let alike = self.alike(alike, &words, &numbers)?;
            self.times.entry(alike).and_modify(|times| *times = times.and(more)).or_insert(more);
        }
        Ok(())
    }

    fn alike(
        &mut self,
        alike: MonthAlike,
        words: &Words,
        numbers: &HashMap<i64, u32>,
    ) -> Result<Alike, sqlx::Error> {
        let number = |word: Option<i64>| word.and_then(|word| numbers.get(&word).copied());
        let MonthAlike { client, user, page, url, vendor, body, outcome, reason, path } = alike;
        let by = number(path);
        if let Some((number, word)) = by.zip(path)
            && !self.paths.contains_key(&number)
        {
            self.paths.insert(number, words.path(word)?);
        }
        Ok(Alike {
            client: words.parsed("client", client)?,
            user: number(user),
            page: number(page),
            url: number(Some(url)).ok_or_else(|| unreadable("url", "no such word"))?,
            vendor: number(vendor),
            body,
            outcome: words.outcome(outcome)?,
            reason: reason.map(|reason| words.parsed("reason", reason)).transpose()?,
            path: by,
        })
    }

    pub(super) fn into_sighted(self) -> Vec<Sighted> {
        let Self { times, texts, paths } = self;
        let text = |number: u32| Box::from(texts.text(number));
        let sighted = |(alike, times): (Alike, Times)| Sighted {
            client: alike.client,
            user: alike.user.map(text),
            page: alike.page.map(text),
            url: text(alike.url),
            vendor: alike.vendor.map(text),
            body: alike.body,
            outcome: alike.outcome,
            reason: alike.reason,
            path: alike.path.and_then(|path| paths.get(&path).cloned()),
            count: times.count,
            got: times.got,
            first: times.first,
            last: times.last,
        };
        times.into_iter().map(sighted).collect()
    }
}
