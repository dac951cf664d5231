//! Who may have received something, and who was refused: summed up over the months of a window. And what that answer
//! rests on, for everybody whom it does not name.
//!
//! A row counts where any of its exchanges may lie in the window: rather one client too many than one too few.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use pinfold_policy::digest::BodyId;
use pinfold_policy::host::{Authority, Host};
use pinfold_policy::pin::{Pin, PinUrl, Place};
use pinfold_policy::pins::PinIndex;
use pinfold_policy::reason::Reason;
use pinfold_policy::url::ArtifactUrl;
use pinfold_policy::verdict::Outcome;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::downtime::{Downtime, downtimes};
use super::excerpt::ended_at;
use super::notepad;
use super::query::gaps;
use super::sighted::{MonthSightings, Sightings};
use super::sums::{Subject, Window, unmeasured};
use super::visits::{self, Visited};
use super::{SCHEMA, dir_in, files};
use crate::columns::{Columns, unreadable};
use crate::entry::{DeliveryPath, Gap};
use crate::error::StoreError;
use crate::incident::Incident;
use crate::month::Month;
use crate::sqlite;

/// What is sought: exchanges that meet all that is said.
#[derive(Clone, Debug, Default)]
pub struct Sought {
    /// The decoded body.
    pub body: Option<BodyId>,
    /// A URL, with any query if it has none, or a pattern.
    pub url: Option<PinUrl>,
    /// The same as it is recorded, where it holds a value that is masked. Rows from before it was have it as it is.
    pub masked_url: Option<PinUrl>,
    /// The host of the URL, or of the tunnel; any port.
    pub host: Option<Host>,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// The name that the client proved.
    pub user: Option<Box<str>>,
    /// The vendor that claims the host.
    pub vendor: Option<Box<str>>,
    /// What was decided.
    pub outcome: Option<Outcome>,
    /// The first moment.
    pub since: Option<Timestamp>,
    /// The last moment.
    pub until: Option<Timestamp>,
    /// When nobody waits for the answer any more: it is given up then, and the disk is left alone.
    pub ends: Option<Instant>,
}

/// How often something came, by what the client got of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// All of it went out.
    pub whole: u64,
    /// It began to go out, or a part of it was asked for.
    pub begun: u64,
    /// The client was told that what it has is still right (304): it had it before.
    pub confirmed: u64,
    /// It was asked about (HEAD, or a part beyond its end), and no byte of it went out.
    pub described: u64,
}

/// Exchanges that differ in their times only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighted {
    /// The client's address.
    pub client: IpAddr,
    /// The name that it proved, where the gateway asked for one.
    pub user: Option<Box<str>>,
    /// The page that wanted it.
    pub page: Option<Box<str>>,
    /// The match key.
    pub url: Box<str>,
    /// The vendor that claims the host.
    pub vendor: Option<Box<str>>,
    /// The decoded body, if it could be measured.
    pub body: Option<BodyId>,
    /// What was decided.
    pub outcome: Outcome,
    /// Why, unless it was verified.
    pub reason: Option<Reason>,
    /// How the bytes came to the gateway.
    pub path: Option<DeliveryPath>,
    /// How often.
    pub count: u64,
    /// What came of it. All zero for a refusal, also where other bytes than those that are sought went out in its place.
    pub got: Deliveries,
    /// The first time.
    pub first: Timestamp,
    /// The last time.
    pub last: Timestamp,
}

impl Sought {
    /// Whether it is asked who talked to hosts of which nobody looked at what they sent.
    #[must_use]
    pub fn asks_of_unseen(&self) -> bool {
        self.talked_to().is_some()
    }

    /// To whom clients talked whose bytes nobody looked at, if that is asked.
    fn talked_to(&self) -> Option<To> {
        let Self { body, url, host, client, user, vendor, outcome, .. } = self;
        if let Some(host) = host.clone().or_else(|| url.as_ref().and_then(host_of)) {
            return Some(To::Host(host));
        }
        let of_content = body.is_some() || vendor.is_some() || outcome.is_some();
        let of_somebody = client.is_some() || user.is_some();
        (of_somebody && !of_content).then_some(To::Anyone)
    }
}

/// Somebody whom a client talked to.
enum To {
    Host(Host),
    Anyone,
}

impl To {
    /// Between which words the host is, with any port: ';' follows ':'.
    fn places(&self) -> Option<(String, String)> {
        match self {
            Self::Host(host) => Some((format!("{host}:"), format!("{host};"))),
            Self::Anyone => None,
        }
    }
}

impl Deliveries {
    /// What came of exchanges that were released.
    pub(super) fn of(is_head: bool, is_measured: bool, status: u16, count: u64, whole: u64) -> Self {
        match (is_head, status) {
            (true, _) => Self { described: count, ..Self::default() },
            // A part beyond the end has no bytes. What the vendor itself says with this status went out unmeasured.
            (_, 416) if is_measured => Self { described: count, ..Self::default() },
            (_, 304) => Self { confirmed: count, ..Self::default() },
            // All of a part is not all of it.
            (_, 206) => Self { begun: count, ..Self::default() },
            _ => Self { whole, begun: count.saturating_sub(whole), ..Self::default() },
        }
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            whole: self.whole + other.whole,
            begun: self.begun + other.begun,
            confirmed: self.confirmed + other.confirmed,
            described: self.described + other.described,
        }
    }
}

impl Sighted {
    /// Whether the client was refused what it asked for.
    #[must_use]
    pub fn was_refused(&self) -> bool {
        self.got == Deliveries::default()
    }

    /// Whether the client may have the bytes: they began to go out, or it said that it has them.
    #[must_use]
    pub fn may_have_received(&self) -> bool {
        let Deliveries { whole, begun, confirmed, described: _ } = self.got;
        whole + begun + confirmed > 0
    }
}

/// Tunnels of one client to one place: what went through them nobody saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Talked {
    /// The client's address.
    pub client: IpAddr,
    /// The name that it proved, where the gateway asked for one.
    pub user: Option<Box<str>>,
    /// Where to.
    pub authority: Authority,
    /// Why they were refused or ended, if they were.
    pub reason: Option<Reason>,
    /// How the client was answered: see [`Talked::opened`].
    pub status: u16,
    /// How many.
    pub count: u64,
    /// Bytes from the client, of those that were seen to end.
    pub sent: u64,
    /// Bytes to the client, likewise.
    pub received: u64,
    /// When the first was asked for.
    pub first: Timestamp,
    /// When the last was asked for.
    pub last: Timestamp,
}

/// What [`Talked::opened`] says, as a condition.
const OPENED: &str = "IN (101, 200)";

impl Talked {
    /// Whether bytes may have flowed: also one that was ended for a reason had opened, and so had a WebSocket (101).
    #[must_use]
    pub fn opened(&self) -> bool {
        matches!(self.status, 101 | 200)
    }
}

/// What the claim about everybody else rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// The first entry that the ledger has of all times; none if it has none.
    pub recorded_since: Option<Timestamp>,
    /// The last entry that it has.
    pub recorded_until: Option<Timestamp>,
    /// Months in the window, since the first that there is, of which there is no file: `2026-11`.
    pub missing_months: Vec<String>,
    /// Whether there is a file of any month in the window, or it ends after the last that there is: nothing came since then.
    pub has_months: bool,
    /// What could not be recorded in the window.
    pub gaps: Vec<Gap>,
    /// When no gateway ran in the window, as far as starts and stops say.
    pub downtimes: Vec<Downtime>,
    /// Exchanges of the window that passed without a digest, since their bodies could not be measured.
    pub unmeasured: u64,
    /// Hosts and ports that were tunnelled to in the window.
    pub tunnelled: Vec<Box<str>>,
    /// Hosts and ports that no vendor claimed, and that answered in clear text or decrypted in the window.
    pub visited: Vec<Box<str>>,
    /// Requests to such hosts that are not told apart by host.
    pub untold: u64,
    /// Until when in the window nobody wrote down who talked to such hosts: formats before the fifth did not.
    pub unwritten_until: Option<Timestamp>,
}

/// How many hosts and ports clients talked to of which nobody looked at what they sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unseen {
    /// By tunnels.
    pub tunnelled: usize,
    /// In clear text or decrypted, where no vendor claimed them.
    pub visited: usize,
    /// Requests to more of the latter, which are not told apart.
    pub untold: u64,
    /// Until when nobody wrote the latter down, if there is a month from before.
    pub unwritten_until: Option<Timestamp>,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Exchanges, the first to come first.
    pub sighted: Vec<Sighted>,
    /// Tunnels to the host, or of the client or user, that is sought.
    pub talked: Vec<Talked>,
    /// Requests to the host, or of the client or user, that is sought, where nobody looked at what came.
    pub visited: Vec<Visited>,
    /// What it rests on.
    pub coverage: Coverage,
}

/// Months that are read at one time.
const AT_ONCE: usize = 2;

/// What is found in one month.
struct MonthFound {
    sighted: MonthSightings,
    talked: Vec<Talked>,
    tunnelled: Vec<Box<str>>,
    visits: MonthVisits,
    unmeasured: u64,
    first_entry: Option<Timestamp>,
    unwritten_until: Option<Timestamp>,
}

#[derive(Default)]
struct MonthVisits {
    visited: Vec<Visited>,
    hosts: Vec<Box<str>>,
    untold: u64,
}

/// Reads every month up to the end of the window; of those before it, tunnels that may still have been open. Writes nothing.
///
/// `incidents` are those of the body: whoever got other bytes in its place asked for it too.
pub(crate) async fn exposure(
    data_dir: &Path,
    sought: &Sought,
    incidents: &[Incident],
) -> Result<Exposure, StoreError> {
    let months = files(&dir_in(data_dir))?;
    let mut sightings = Sightings::default();
    let (mut talked, mut visited, mut coverage) = (Vec::new(), Vec::new(), Coverage::default());
    let (mut tunnelled, mut hosts) = (BTreeSet::new(), BTreeSet::new());
    let read = |(month, path): (Month, PathBuf)| async move {
        let found = read_month(month, &path, sought, incidents).await;
        found.map(|found| (path, found))
    };
    let up_to = |month: &Month| sought.until.is_none_or(|until| *month <= Month::of(until));
    let wanted: Vec<_> = months.iter().filter(|(month, _)| up_to(month)).collect();
    let wanted = wanted.into_iter().map(|(month, path)| (*month, path.clone()));
    let mut reading = stream::iter(wanted.map(read)).buffered(AT_ONCE);
    while let Some((path, found)) = reading.try_next().await? {
        sightings.add(found.sighted).map_err(StoreError::database(&path))?;
        talked.extend(found.talked);
        tunnelled.extend(found.tunnelled);
        visited.extend(found.visits.visited);
        hosts.extend(found.visits.hosts);
        coverage.untold += found.visits.untold;
        coverage.unmeasured += found.unmeasured;
        coverage.recorded_since = coverage.recorded_since.or(found.first_entry);
        // Of months before the window too: until then no gateway wrote any, also where the window's own file is newer.
        coverage.unwritten_until = coverage.unwritten_until.max(found.unwritten_until);
    }
    if coverage.recorded_since.is_none() {
        // The oldest month says how far back the ledger goes, also where the window ended before it.
        coverage.recorded_since = recorded_since(months.iter().filter(|(month, _)| !up_to(month))).await?;
    }
    let known_from = sought.since.max(coverage.recorded_since);
    coverage.unwritten_until =
        coverage.unwritten_until.filter(|until| known_from.is_none_or(|from| from < *until));
    let mut sighted = sightings.into_sighted();
    sighted.sort_by(|a, b| (a.first, a.client, &a.url).cmp(&(b.first, b.client, &b.url)));
    talked.sort_by_key(|talked| (talked.first, talked.client));
    coverage.recorded_until = recorded_until(months.values()).await?;
    coverage.has_months = has_months(months.keys(), sought);
    coverage.missing_months = missing(months.keys().copied(), sought);
    coverage.gaps = gaps_of(data_dir, sought).await?;
    coverage.downtimes = downtimes(data_dir, sought).await?;
    coverage.tunnelled = tunnelled.into_iter().collect();
    coverage.visited = hosts.into_iter().collect();
    visited.sort_by_key(|visited| (visited.first, visited.client));
    Ok(Exposure { sighted, talked, visited, coverage })
}

/// Over all months.
pub(crate) async fn unseen(data_dir: &Path) -> Result<Unseen, StoreError> {
    let (mut tunnelled, mut visited, mut untold) = (BTreeSet::new(), BTreeSet::new(), 0);
    let mut unwritten_until = None;
    let sought = Sought::default();
    for (_, path) in files(&dir_in(data_dir))? {
        let connection = sqlite::open(&path, &SCHEMA).await?;
        let mut reader = Reader { connection, sought: &sought, incidents: &[] };
        tunnelled.extend(reader.tunnelled().await.map_err(StoreError::database(&path))?);
        let visits = reader.visits().await.map_err(StoreError::database(&path))?;
        visited.extend(visits.hosts);
        untold += visits.untold;
        let unwritten = reader.unwritten_until().await.map_err(StoreError::database(&path))?;
        unwritten_until = unwritten_until.max(unwritten);
    }
    Ok(Unseen { tunnelled: tunnelled.len(), visited: visited.len(), untold, unwritten_until })
}

async fn read_month(
    month: Month,
    path: &Path,
    sought: &Sought,
    incidents: &[Incident],
) -> Result<MonthFound, StoreError> {
    let mut connection = sqlite::open(path, &SCHEMA).await?;
    if let Some(ends) = sought.ends {
        ended_at(&mut connection, ends).await.map_err(StoreError::database(path))?;
    }
    let mut reader = Reader { connection, sought, incidents };
    let in_window = begins_before(sought.since).is_none_or(|first| month >= first);
    reader.month(in_window).await.map_err(StoreError::database(path))
}

/// The first entry of the first month that has one.
async fn recorded_since(
    months: impl Iterator<Item = (&Month, &PathBuf)>,
) -> Result<Option<Timestamp>, StoreError> {
    for (_, path) in months {
        let mut connection = sqlite::open(path, &SCHEMA).await?;
        let at = first_entry(&mut connection).await.map_err(StoreError::database(path))?;
        if at.is_some() {
            return Ok(at);
        }
    }
    Ok(None)
}

/// The first entry of a month.
pub(super) async fn first_entry(connection: &mut SqliteConnection) -> Result<Option<Timestamp>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT min(at) AS at FROM (SELECT * FROM (SELECT at FROM exchange ORDER BY id LIMIT 1)
         UNION ALL SELECT * FROM (SELECT at FROM tunnel ORDER BY id LIMIT 1)
         UNION ALL SELECT min(first) FROM visit WHERE hour = (SELECT min(hour) FROM visit))",
    )
    .fetch_one(connection)
    .await?;
    Columns(&row).time_or_none("at")
}

/// The last entry of the last month that has one.
pub(super) async fn recorded_until(
    months: impl DoubleEndedIterator<Item = &PathBuf>,
) -> Result<Option<Timestamp>, StoreError> {
    for path in months.rev() {
        let mut connection = sqlite::open(path, &SCHEMA).await?;
        let row = sqlx::query(
            "SELECT max(at) AS at FROM (SELECT * FROM (SELECT last AS at FROM exchange ORDER BY id DESC LIMIT 1)
             UNION ALL SELECT * FROM (SELECT at FROM tunnel ORDER BY id DESC LIMIT 1)
             UNION ALL SELECT max(last) FROM visit WHERE hour = (SELECT max(hour) FROM visit))",
        )
        .fetch_one(&mut connection)
        .await;
        let at = row.and_then(|row| Columns(&row).time_or_none("at")).map_err(StoreError::database(path))?;
        if at.is_some() {
            return Ok(at);
        }
    }
    Ok(None)
}

/// Gaps that reach into the window, also one that is not in the ledger yet.
pub(super) async fn gaps_of(data_dir: &Path, sought: &Sought) -> Result<Vec<Gap>, StoreError> {
    // The notepad first: what leaves it is in the ledger by then.
    let noted = notepad::noted_in(&dir_in(data_dir));
    let mut found = gaps(data_dir).await?;
    if let Some(noted) = noted.filter(|noted| found.iter().all(|gap| gap.id != noted.id)) {
        found.push(noted);
    }
    found.retain(|gap| {
        sought.until.is_none_or(|until| gap.since <= until)
            && sought.since.is_none_or(|since| gap.until >= since)
    });
    found.sort_by_key(|gap| gap.since);
    Ok(found)
}

/// The month whose rows may reach into the window: one of a minute ago may.
pub(super) fn begins_before(since: Option<Timestamp>) -> Option<Month> {
    since.map(|since| Month::of(since.saturating_sub(SignedDuration::from_mins(1)).unwrap_or(since)))
}

fn has_months<'m>(mut there: impl DoubleEndedIterator<Item = &'m Month> + Clone, sought: &Sought) -> bool {
    let (since, until) = (sought.since.map(Month::of), sought.until.map(Month::of));
    let is_beyond = there.clone().next_back().is_some_and(|last| until.is_none_or(|until| until > *last));
    is_beyond
        || there.any(|month| {
            since.is_none_or(|since| *month >= since) && until.is_none_or(|until| *month <= until)
        })
}

/// Months of which there ought to be a file.
pub(super) fn missing(there: impl Iterator<Item = Month>, sought: &Sought) -> Vec<String> {
    let there: BTreeSet<Month> = there.collect();
    let (Some(first), Some(last)) = (there.first(), there.last()) else { return Vec::new() };
    let first = sought.since.map_or(*first, |since| Month::of(since).max(*first));
    let last = sought.until.map_or(*last, |until| Month::of(until).min(*last));
    let months = std::iter::successors(Some(first), |month| Some(month.next()));
    let months = months.take_while(|month| *month <= last);
    months.filter(|month| !there.contains(month)).map(|month| month.to_string()).collect()
}

/// The file of one month.
struct Reader<'s> {
    connection: SqliteConnection,
    sought: &'s Sought,
    incidents: &'s [Incident],
}

impl Reader<'_> {
    async fn month(&mut self, in_window: bool) -> Result<MonthFound, sqlx::Error> {
        // All of it as it was at one time: what is written meanwhile would be in one sum and not in the other, or in both.
        sqlx::query("BEGIN").execute(&mut self.connection).await?;
        let first_entry = first_entry(&mut self.connection).await?;
        // A tunnel may have been open for months.
        let (talked, tunnelled) = (self.talked().await?, self.tunnelled().await?);
        let unwritten_until = self.unwritten_until().await?;
        let window = Window::new(self.sought.since, self.sought.until);
        let (sighted, visits, unmeasured) = match in_window {
            true => (
                self.sighted(window).await?,
                self.visits().await?,
                unmeasured(&mut self.connection, window).await?,
            ),
            false => (MonthSightings::default(), MonthVisits::default(), 0),
        };
        Ok(MonthFound { sighted, talked, tunnelled, visits, unmeasured, first_entry, unwritten_until })
    }

    fn visits_reader(&mut self) -> visits::Reader<'_> {
        let Sought { since, until, .. } = self.sought;
        visits::Reader { connection: &mut self.connection, since: *since, until: *until }
    }

    async fn unwritten_until(&mut self) -> Result<Option<Timestamp>, sqlx::Error> {
        self.visits_reader().unwritten_until().await
    }

    async fn visits(&mut self) -> Result<MonthVisits, sqlx::Error> {
        let Sought { client, user, .. } = self.sought;
        let talked = self.sought.talked_to();
        let mut reader = self.visits_reader();
        let visited = match talked {
            Some(to) => reader.visited(to.places(), *client, user.as_deref()).await?,
            None => Vec::new(),
        };
        Ok(MonthVisits { visited, hosts: reader.hosts().await?, untold: reader.untold().await? })
    }

    async fn sighted(&mut self, window: Window) -> Result<MonthSightings, sqlx::Error> {
        let urls = urls(&mut self.connection, self.sought).await?;
        let Sought { body, client, user, vendor, outcome, .. } = self.sought;
        let words = [
            ("client", client.map(|client| client.to_string())),
            ("user", user.as_deref().map(str::to_owned)),
            ("vendor", vendor.as_deref().map(str::to_owned)),
            ("outcome", outcome.map(|outcome| outcome.as_str().to_owned())),
        ];
        let words = words.into_iter().filter_map(|(column, word)| Some((column, word?))).collect();
        let subject = Subject { body: *body, incidents: self.incidents, urls, words };
        MonthSightings::read(&mut self.connection, &subject, window).await
    }

    async fn talked(&mut self) -> Result<Vec<Talked>, sqlx::Error> {
        let Sought { client, user, .. } = self.sought;
        let Some(to) = self.sought.talked_to() else { return Ok(Vec::new()) };
        let mut query = QueryBuilder::new(
            "SELECT client.text AS client, user.text AS user, authority.text AS authority, reason.text AS reason,
                t.status, count(*) AS count, coalesce(sum(t.sent), 0) AS sent,
                coalesce(sum(t.received), 0) AS received, min(t.at) AS first, max(t.at) AS last
             FROM tunnel t JOIN word client ON client.id = t.client JOIN word authority ON authority.id = t.authority
             LEFT JOIN word user ON user.id = t.user LEFT JOIN word reason ON reason.id = t.reason WHERE true",
        );
        if let Some((from, to)) = to.places() {
            query.push(" AND t.authority IN (SELECT id FROM word WHERE text >= ").push_bind(from);
            query.push(" AND text < ").push_bind(to).push(")");
        }
        push_word(&mut query, "t.client", client.map(|client| client.to_string()));
        push_word(&mut query, "t.user", user.as_deref().map(str::to_owned));
        if let Some(until) = self.sought.until {
            query.push(" AND t.at <= ").push_bind(until.as_microsecond());
        }
        if let Some(since) = self.sought.since {
            // Of one whose end nobody saw, nobody knows how long it was open.
            query
                .push(format!(" AND coalesce(t.at + t.open_ms * 1000, CASE WHEN t.status {OPENED} THEN "))
                .push_bind(i64::MAX)
                .push(" ELSE t.at END) >= ")
                .push_bind(since.as_microsecond());
        }
        query.push(" GROUP BY t.client, t.user, t.authority, t.reason, t.status");
        let rows = query.build().fetch_all(&mut self.connection).await?;
        rows.iter().map(read_talked).collect()
    }

    /// Steps from one host to the next in the index, and looks at the window of each: tunnels can be millions.
    async fn tunnelled(&mut self) -> Result<Vec<Box<str>>, sqlx::Error> {
        let mut query = QueryBuilder::new(
            "WITH RECURSIVE host(id) AS (
                SELECT min(authority) FROM tunnel
                UNION ALL SELECT (SELECT min(authority) FROM tunnel WHERE authority > host.id) FROM host
                WHERE host.id IS NOT NULL)
             SELECT word.text AS text FROM host JOIN word ON word.id = host.id
             WHERE EXISTS (SELECT 1 FROM tunnel WHERE authority = host.id AND status ",
        );
        query.push(OPENED);
        let until = self.sought.until.map_or(i64::MAX, Timestamp::as_microsecond);
        let since = self.sought.since.map_or(i64::MIN, Timestamp::as_microsecond);
        query.push(" AND at BETWEEN ").push_bind(since).push(" AND ").push_bind(until);
        // One that was opened before the window, and of which nobody knows that it ended before, counts too.
        query.push(") OR EXISTS (SELECT 1 FROM tunnel WHERE authority = host.id AND at < ").push_bind(since);
        query.push(format!(" AND status {OPENED} AND coalesce(at + open_ms * 1000, ")).push_bind(i64::MAX);
        query.push(") >= ").push_bind(since).push(")");
        let rows = query.build().fetch_all(&mut self.connection).await?;
        rows.iter().map(|row| Columns(row).text("text")).collect()
    }
}

/// The numbers of the URLs that are sought, as a JSON array; none if any URL is.
pub(super) async fn urls(
    connection: &mut SqliteConnection,
    sought: &Sought,
) -> Result<Option<String>, sqlx::Error> {
    let Sought { url, masked_url, host, .. } = sought;
    if url.is_none() && host.is_none() {
        return Ok(None);
    }
    let index = url.as_ref().map(|url| index_of([url].into_iter().chain(masked_url)));
    let fits = |text: &str| {
        let Ok(known) = ArtifactUrl::parse(text) else { return false };
        host.as_ref().is_none_or(|host| known.host() == host)
            && index.as_ref().is_none_or(|index| !index.deciding(&known).pins().is_empty())
    };
    let masked = masked_url.iter().flat_map(|url| url_ranges(Some(url), None));
    let mut ids: Vec<i64> = Vec::new();
    for (from, to) in url_ranges(url.as_ref(), host.as_ref()).into_iter().chain(masked) {
        let words = words_between(connection, &from, &to).await?;
        ids.extend(words.into_iter().filter(|(_, text)| fits(text)).map(|(id, _)| id));
    }
    Ok(Some(serde_json::json!(ids).to_string()))
}

pub(super) fn push_word(query: &mut QueryBuilder<Sqlite>, column: &str, word: Option<String>) {
    if let Some(word) = word {
        query.push(format!(" AND {column} = (SELECT id FROM word WHERE text = ")).push_bind(word).push(")");
    }
}

/// The way in which pins match is the way in which URLs are sought.
fn index_of<'u>(urls: impl Iterator<Item = &'u PinUrl>) -> PinIndex {
    let bare = |url: &PinUrl| Pin::bare(url.clone(), Place { file: "".into(), line: 0 });
    PinIndex::new(urls.map(bare).collect())
}

fn host_of(url: &PinUrl) -> Option<Host> {
    ArtifactUrl::parse(&format!("{}/", url.origin())).ok().map(|url| url.host().clone())
}

/// Between which words the URLs are: behind '/' comes '0', behind ':' comes ';', and behind '?' comes '@'.
fn url_ranges(url: Option<&PinUrl>, host: Option<&Host>) -> Vec<(String, String)> {
    match (url, host) {
        (Some(PinUrl::Exact(url)), _) => {
            let (key, asked) = (url.key(), url.query().is_some());
            let one = (key.to_owned(), format!("{key}\0"));
            if asked { vec![one] } else { vec![one, (format!("{key}?"), format!("{key}@"))] }
        }
        (Some(PinUrl::Pattern(_)), _) => {
            let origin = url.map(PinUrl::origin).unwrap_or_default();
            vec![(format!("{origin}/"), format!("{origin}0"))]
        }
        (None, Some(host)) => ["http", "https"]
            .into_iter()
            .flat_map(|scheme| {
                let origin = format!("{scheme}://{host}");
                [(format!("{origin}/"), format!("{origin}0")), (format!("{origin}:"), format!("{origin};"))]
            })
            .collect(),
        (None, None) => Vec::new(),
    }
}

async fn words_between(
    connection: &mut SqliteConnection,
    from: &str,
    to: &str,
) -> Result<Vec<(i64, String)>, sqlx::Error> {
    sqlx::query_as("SELECT id, text FROM word WHERE text >= ? AND text < ?")
        .bind(from)
        .bind(to)
        .fetch_all(connection)
        .await
}

fn read_talked(row: &SqliteRow) -> Result<Talked, sqlx::Error> {
    let row = Columns(row);
    let authority = row.text("authority")?;
    Ok(Talked {
        client: row.parsed("client")?,
        user: row.text_or_none("user")?,
        authority: Authority::parse(&authority, None)
            .map_err(|error| unreadable("authority", error.to_string()))?,
        reason: row.parsed_or_none("reason")?,
        status: row.small("status")?,
        count: row.number("count")?,
        sent: row.number("sent")?,
        received: row.number("received")?,
        first: row.time("first")?,
        last: row.time("last")?,
    })
}
