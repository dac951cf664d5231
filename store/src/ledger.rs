//! The ledger: who got what, when, with which verdict. One SQLite file for each month of UTC.
//!
//! A refusal, and a client's first receipt of a body, is on disk before its answer goes out. What comes again is
//! counted in memory, in the row of its minute, and follows within a second: a release that has been recorded once
//! need not wait for a disk. While the disk fails nothing is only counted: everyone waits for it, and learns of it.

mod alike;
mod asked;
mod downtime;
mod excerpt;
mod exposure;
mod notepad;
mod query;
mod receivers;
mod retention;
mod rows;
mod sighted;
mod sums;
mod tally;
mod texts;
mod traffic;
mod visits;
mod writer;

use std::collections::BTreeMap;
use std::hash::Hash;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use pinfold_policy::verdict::Outcome;
use quick_cache::sync::Cache;
use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{Notify, Semaphore, oneshot, watch};
use tokio::task::JoinHandle;

pub use self::asked::{AskedUrls, Changed};
pub(crate) use self::asked::{changed, recorded_since};
pub use self::downtime::Downtime;
pub use self::excerpt::Excerpt;
pub(crate) use self::excerpt::excerpt;
pub use self::exposure::{Coverage, Deliveries, Exposure, Sighted, Sought, Talked, Unseen};
pub(crate) use self::exposure::{exposure, unseen};
use self::notepad::Notepad;
pub(crate) use self::query::{
    EventReader, exchanges, gaps, last_notice, notices, tunnels, was_judged_by_a_pin,
};
pub use self::query::{ExchangeRow, Filter, TunnelRow};
pub use self::receivers::Receiver;
pub(crate) use self::receivers::receivers;
pub(crate) use self::retention::{Contents, contents, ended_before};
use self::tally::{Alike, Flush, Hashers, Removal, Reply, Row, Take, Tally, Told, minute};
pub(crate) use self::traffic::{Bounds, traffic};
pub use self::traffic::{Carried, Client, Traffic, Tunnelled};
use self::visits::Place as VisitPlace;
pub use self::visits::Visited;
use self::writer::Writer;
use crate::bodies::make_dir;
use crate::entry::{Exchange, Notice, Tunnel, TunnelEnd, Visit};
use crate::error::StoreError;
use crate::month::Month;
use crate::numbers::Numbers;
use crate::place::Place;
use crate::sqlite::{self, Schema, Upgrade};

static SCHEMA: Schema = Schema {
    version: 5,
    create: include_str!("ledger/schema.sql"),
    upgrades: &[
        Upgrade::by(include_str!("ledger/upgrade-2.sql")),
        Upgrade::by(include_str!("ledger/upgrade-3.sql")),
        Upgrade::by(include_str!("ledger/upgrade-4.sql")),
        Upgrade::by(include_str!("ledger/upgrade-5.sql")),
    ],
};

/// Exchanges, tunnels and notices that wait for the disk at one time.
const AWAITED: usize = 4096;
/// Receipts that are known to be on disk.
const KNOWN: usize = 1 << 18;

/// What the outputs want to read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Feeds {
    /// Rows whose minute is over.
    pub(crate) counted: bool,
    /// Each exchange.
    pub(crate) each: bool,
}

impl Feeds {
    /// As what a row whose minute is over is written, if it is. Where no output wants each exchange, it is for all: one that
    /// wants them from the next start on has no other word of it.
    fn of_counted(self) -> Option<Stream> {
        self.counted.then_some(if self.each { Stream::Counted } else { Stream::CountedForAll })
    }

    /// The same for each exchange.
    fn of_each(self) -> Option<Stream> {
        self.each.then_some(if self.counted { Stream::Each } else { Stream::EachForAll })
    }
}

/// What a row of the feed is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Counted,
    Each,
    Tunnel,
    Gap,
    Notice,
    CountedForAll,
    EachForAll,
}

impl Stream {
    fn number(self) -> i64 {
        match self {
            Self::Counted => 1,
            Self::Each => 2,
            Self::Tunnel => 3,
            Self::Gap => 4,
            Self::Notice => 5,
            Self::CountedForAll => 6,
            Self::EachForAll => 7,
        }
    }
}

/// The last row of the feed in each month.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tips {
    pub(crate) seqs: BTreeMap<Month, Place>,
    /// There will be no more.
    pub(crate) ended: bool,
}

/// The ledger of a running gateway.
#[derive(Debug)]
pub(crate) struct Ledger {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// The feed as it was when the gateway started.
    at_start: BTreeMap<Month, Place>,
}

#[derive(Debug)]
struct Shared {
    tally: Mutex<Tally>,
    wake: Notify,
    room: Semaphore,
    known: Cache<Alike, ()>,
    /// The last attempt to write failed.
    ailing: AtomicBool,
    /// And how.
    trouble: Mutex<Option<StoreError>>,
    /// What is on disk, each repeat counted.
    recorded: AtomicU64,
    hashers: Hashers,
    tips: watch::Sender<Tips>,
}

impl Shared {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn alike(&self, of: impl Hash) -> Alike {
        self.hashers.alike(of)
    }
}

impl Ledger {
    /// Ends what a crash has left open, and starts writing.
    pub(crate) async fn open(data_dir: &Path, feeds: Feeds) -> Result<Self, StoreError> {
        let dir = dir_in(data_dir);
        make_dir(&dir)?;
        let mut tips = Tips::default();
        let mut at_start = BTreeMap::new();
        for (month, path) in files(&dir)? {
            let mut connection = sqlite::create(&path, &SCHEMA).await?;
            let recovered = recover(&mut connection, feeds).await.map_err(StoreError::database(&path))?;
            at_start.insert(month, recovered.before);
            tips.seqs.insert(month, recovered.after);
            connection.close().await.map_err(StoreError::database(&path))?;
        }
        let notepad = Notepad::open(&dir)?;
        let mut tally = Tally::new(feeds.each);
        tally.gap = notepad.noted();
        let shared = Arc::new(Shared {
            tally: Mutex::new(tally),
            wake: Notify::new(),
            room: Semaphore::new(AWAITED),
            known: Cache::new(KNOWN),
            ailing: AtomicBool::new(false),
            trouble: Mutex::default(),
            recorded: AtomicU64::new(0),
            hashers: Hashers::default(),
            tips: watch::Sender::new(tips),
        });
        let writer = tokio::spawn(Writer::new(Arc::clone(&shared), dir, feeds, notepad).run());
        Ok(Self { shared, writer: Mutex::new(Some(writer)), at_start })
    }

    /// See [`crate::Store::record`].
    pub(crate) async fn record(&self, exchange: Exchange) -> Result<Receipt, StoreError> {
        let shared = &self.shared;
        let what = shared.alike((
            exchange.asker.address.ip(),
            exchange.asker.user.as_deref(),
            &*exchange.url,
            exchange.body.map(|body| body.0),
            exchange.outcome,
            // Who has it as a worker must be known as well as who has it; and HEAD has nothing.
            exchange.destination.as_deref(),
            &*exchange.method,
        ));
        let alike = shares_a_row(&exchange).then(|| {
            let at = minute(exchange.at);
            // A body that was sent is not one that was confirmed; and who asks how a script came asks for its page.
            let how = (exchange.status, exchange.asker.page.as_deref(), exchange.path.as_ref());
            shared.alike((what, at, exchange.reason, exchange.incident, how))
        });
        let release = exchange.outcome.is_release();
        if let Some(alike) = alike.filter(|_| release && self.is_known(what)) {
            let mut tally = shared.tally();
            if tally.has_room() {
                return Ok(self.receipt(tally.repeat(exchange, alike)));
            }
        }
        let at = exchange.at;
        // Boxed: a repeat has no use for the memory of one that waits.
        let on_disk = Box::pin(self.await_disk(|tally, reply| tally.first(exchange, alike, reply)));
        let row = on_disk.await.inspect_err(|_| self.miss_exchange(at))?;
        if release {
            shared.known.insert(what, ());
        }
        Ok(self.receipt(row))
    }

    /// See [`crate::Store::tunnel_opened`].
    pub(crate) async fn tunnel_opened(&self, tunnel: Tunnel) -> Result<OpenTunnel, StoreError> {
        let refused = tunnel.reason.is_some();
        let at = tunnel.at;
        let row = self
            .await_disk(|tally, reply| tally.tunnel(tunnel, reply))
            .await
            .inspect_err(|_| self.shared.tally().miss_tunnel(at))?;
        let open = (!refused).then(|| (row, Arc::clone(&self.shared)));
        Ok(OpenTunnel { open })
    }

    /// See [`crate::Store::visited`].
    pub(crate) fn visited(&self, visit: Visit) {
        let (at, place) = (visit.at, VisitPlace::of(visit));
        let alike = self.shared.alike(&place);
        self.shared.tally().visit(place, at, alike);
    }

    /// See [`crate::Store::notice`].
    pub(crate) async fn notice(&self, notice: Notice) -> Result<(), StoreError> {
        let month = Month::of(notice.at);
        self.await_disk(|tally, reply| tally.notice(Told { notice, is_news: true, reply }, month)).await?;
        Ok(())
    }

    /// Writes a notice of an older month into this one too, for whoever asks what was told last. It is no event again.
    pub(crate) async fn keep_notice(&self, notice: Notice, month: Month) -> Result<(), StoreError> {
        self.await_disk(|tally, reply| tally.notice(Told { notice, is_news: false, reply }, month)).await?;
        Ok(())
    }

    /// An exchange is refused, and nothing says so in the ledger: the gap will.
    pub(crate) fn miss_exchange(&self, at: Timestamp) {
        self.shared.tally().miss_exchange(at);
    }

    pub(crate) fn numbers(&self) -> Numbers {
        let recorded = self.shared.recorded.load(Ordering::Relaxed);
        Numbers { recorded, missed: self.shared.tally().missed }
    }

    /// How the last write went.
    pub(crate) fn is_writable(&self) -> Result<(), StoreError> {
        let trouble = self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.clone().map_or(Ok(()), Err)
    }

    fn is_known(&self, what: Alike) -> bool {
        !self.shared.ailing.load(Ordering::Relaxed) && self.shared.known.get(&what).is_some()
    }

    fn receipt(&self, row: Row) -> Receipt {
        Receipt { row: Some((row, Arc::clone(&self.shared))) }
    }

    async fn await_disk(&self, put: impl FnOnce(&mut Tally, Reply) -> Row) -> Result<Row, StoreError> {
        let _room = self.shared.room.acquire().await.map_err(|_| StoreError::Closed)?;
        let (reply, written) = oneshot::channel();
        let row = {
            let mut tally = self.shared.tally();
            if tally.closed {
                return Err(StoreError::Closed);
            }
            put(&mut tally, reply)
        };
        self.shared.wake.notify_one();
        written.await.map_err(|_| StoreError::Closed)??;
        Ok(row)
    }

    /// Writes all that is only counted; rows whose minute is over at `now` are final.
    #[cfg(test)]
    pub(crate) async fn flush(&self, now: Timestamp) -> Result<(), StoreError> {
        self.take(Take::AllAt(now), false).await
    }

    /// Writes all, makes all rows final, and ends the feeds.
    pub(crate) async fn settle(&self) -> Result<(), StoreError> {
        self.take(Take::Rest, false).await?;
        self.shared.tips.send_modify(|tips| tips.ended = true);
        Ok(())
    }

    /// The last row of the feed in a month.
    pub(crate) fn tip(&self, month: Month) -> Place {
        self.shared.tips.borrow().seqs.get(&month).copied().unwrap_or_default()
    }

    /// Removes the file of a month that nobody writes to any more.
    pub(crate) async fn remove(&self, month: Month) -> Result<(), StoreError> {
        let (reply, removed) = oneshot::channel();
        {
            let mut tally = self.shared.tally();
            if tally.closed {
                return Err(StoreError::Closed);
            }
            tally.removals.push(Removal { month, reply });
        }
        self.shared.wake.notify_one();
        removed.await.map_err(|_| StoreError::Closed)?
    }

    async fn take(&self, take: Take, stop: bool) -> Result<(), StoreError> {
        let (reply, written) = oneshot::channel();
        {
            let mut tally = self.shared.tally();
            if tally.closed {
                return Err(StoreError::Closed);
            }
            tally.flushes.push(Flush { take, stop, reply });
        }
        self.shared.wake.notify_one();
        written.await.map_err(|_| StoreError::Closed)?
    }

    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        let written = match self.take(Take::Rest, true).await {
            Err(StoreError::Closed) => Ok(()),
            written => written,
        };
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // A writer that has failed has told those who waited for it.
            let _ = writer.await;
        }
        self.shared.tips.send_modify(|tips| tips.ended = true);
        written
    }

    pub(crate) fn tips(&self) -> watch::Receiver<Tips> {
        self.shared.tips.subscribe()
    }

    pub(crate) fn at_start(&self) -> &BTreeMap<Month, Place> {
        &self.at_start
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner) {
            writer.abort();
        }
    }
}

/// A refusal that keeps no body has an incident of its own: no other exchange can be part of its row.
fn shares_a_row(exchange: &Exchange) -> bool {
    match exchange.outcome {
        Outcome::Verified | Outcome::Substituted | Outcome::Observed | Outcome::Quarantined => true,
        Outcome::Blocked => exchange.incident.is_none_or(|incident| incident.0 != exchange.id),
    }
}

/// Proof that an exchange is recorded. Dropping it says that delivery began and no more.
#[derive(Debug)]
#[must_use = "what is released is recorded as delivered whole, or as begun when this is dropped"]
pub struct Receipt {
    row: Option<(Row, Arc<Shared>)>,
}

impl Receipt {
    /// Of an exchange of the gateway with itself, which is in no ledger.
    pub fn of_canary() -> Self {
        Self { row: None }
    }

    /// All of it has gone out. Never blocks; on disk within a second.
    pub fn delivered_whole(self) {
        if let Some((row, shared)) = self.row {
            shared.tally().whole(row);
        }
    }
}

/// A tunnel whose opening is on disk. Dropping it closes the tunnel without saying how it ended.
#[derive(Debug)]
#[must_use = "a tunnel is recorded as closed when this is dropped"]
pub struct OpenTunnel {
    open: Option<(Row, Arc<Shared>)>,
}

impl OpenTunnel {
    /// It has closed. Never blocks; on disk within a second.
    pub fn closed(mut self, end: TunnelEnd) {
        self.end(Some(end));
    }

    fn end(&mut self, end: Option<TunnelEnd>) {
        if let Some((row, shared)) = self.open.take() {
            shared.tally().end(row, end);
        }
    }
}

impl Drop for OpenTunnel {
    fn drop(&mut self) {
        self.end(None);
    }
}

pub(crate) fn dir_in(data_dir: &Path) -> PathBuf {
    data_dir.join("ledger")
}

fn file_of(dir: &Path, month: Month) -> PathBuf {
    dir.join(format!("{month}.db"))
}

/// The file of a month.
pub(crate) fn month_file(data_dir: &Path, month: Month) -> PathBuf {
    file_of(&dir_in(data_dir), month)
}

/// The files of a ledger, the oldest first. There are none before the first entry.
pub(crate) fn files(dir: &Path) -> Result<BTreeMap<Month, PathBuf>, StoreError> {
    let mut files = BTreeMap::new();
    let entries = match dir.read_dir() {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(files),
        Err(cause) => return Err(StoreError::file("read", dir)(cause)),
    };
    for entry in entries {
        let path = entry.map_err(StoreError::file("read", dir))?.path();
        let month = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".db")?.parse().ok());
        if let Some(month) = month {
            files.insert(month, path);
        }
    }
    Ok(files)
}

/// Whether there is a ledger, of any month.
pub(crate) fn is_there(data_dir: &Path) -> Result<bool, StoreError> {
    Ok(!files(&dir_in(data_dir))?.is_empty())
}

struct Recovered {
    before: Place,
    after: Place,
}

/// Whether the gateway that left rows open has told each of their exchanges, to whatever outputs there are.
async fn were_told(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // From the end: where they were, it was lately.
    let told: Option<i64> = sqlx::query_scalar(
        "SELECT seq FROM feed WHERE stream = ? AND id IN (SELECT id FROM exchange WHERE open) ORDER BY seq DESC LIMIT 1",
    )
    .bind(Stream::EachForAll.number())
    .fetch_optional(connection)
    .await?;
    Ok(told.is_some())
}

/// As what the rows that are open become part of the feed.
async fn left_open(connection: &mut SqliteConnection, feeds: Feeds) -> Result<Option<Stream>, sqlx::Error> {
    let is_any: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM exchange WHERE open)")
        .fetch_one(&mut *connection)
        .await?;
    match feeds.of_counted() {
        None if is_any && feeds.each && !were_told(connection).await? => Ok(Some(Stream::CountedForAll)),
        counted => Ok(counted.filter(|_| is_any)),
    }
}

/// Rows that nobody will add to any more are final.
async fn recover(connection: &mut SqliteConnection, feeds: Feeds) -> Result<Recovered, sqlx::Error> {
    let before = last_place(connection).await?;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    if let Some(stream) = left_open(connection, feeds).await? {
        sqlx::query("INSERT INTO feed (stream, id) SELECT ?, id FROM exchange WHERE open ORDER BY id")
            .bind(stream.number())
            .execute(&mut *connection)
            .await?;
    }
    if feeds.counted || feeds.each {
        sqlx::query("INSERT INTO feed (stream, id) SELECT ?, id FROM tunnel WHERE open ORDER BY id")
            .bind(Stream::Tunnel.number())
            .execute(&mut *connection)
            .await?;
    }
    sqlx::query("UPDATE exchange SET open = 0 WHERE open").execute(&mut *connection).await?;
    sqlx::query("UPDATE tunnel SET open = 0 WHERE open").execute(&mut *connection).await?;
    sqlx::query("COMMIT").execute(&mut *connection).await?;
    Ok(Recovered { before, after: last_place(connection).await? })
}

async fn last_place(connection: &mut SqliteConnection) -> Result<Place, sqlx::Error> {
    query::place_up_to(connection, i64::MAX).await
}
