//! What outlives a request: quarantined bodies, decisions, the ledger, and the feed of events not yet delivered.
//!
//! The only crate that sees a database. On disk, under the data directory: `pinfold.db` (decisions, quarantine, how
//! far the outputs have come), `ledger/YYYY-MM.db` (a file per month of UTC), `bodies/sha256/` (by digest,
//! compressed) and `pinfold.lock`. What a call has acknowledged survives `kill -9` and a power cut.
//!
//! Two tasks write, one for each kind of database. Each takes all that waits and makes one transaction of it, so that
//! a hundred refusals cost hardly more than one.

mod announce;
pub mod audit;
mod bodies;
mod columns;
mod count;
mod decide;
pub mod entry;
mod error;
mod feed;
pub mod incident;
pub mod item;
mod ledger;
mod lock;
mod month;
mod numbers;
pub mod path;
mod place;
mod quarantine;
mod recorded;
mod register;
pub mod shelf;
pub mod sighting;
mod sqlite;
mod volume;
pub mod worker;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use pinfold_policy::decisions::Decisions;
use pinfold_policy::digest::{BodyId, Digests};
use pinfold_policy::held::Held;
use pinfold_policy::kept::Medium;
use quick_cache::sync::Cache;
use tokio::sync::{Notify, watch};

use crate::audit::Audit;
use crate::bodies::{Bodies, make_dir, sync_dir};
pub use crate::count::Count;
pub use crate::error::{DecideError, StoreError};
pub use crate::feed::{Feed, Given, PassedOver, Repeats};
pub use crate::ledger::{
    AskedUrls, Carried, Changed, Client, Coverage, Deliveries, Downtime, Excerpt, ExchangeRow, Exposure,
    Filter, OpenTunnel, Receipt, Receiver, Sighted, Sought, Talked, Traffic, TunnelRow, Tunnelled, Unseen,
    Visited,
};
use crate::ledger::{Feeds, Ledger};
use crate::lock::GatewayLock;
pub use crate::numbers::Numbers;
use crate::register::{OtherFiles, Register, Room};
use crate::volume::Volume;

/// Bodies whose other digests are remembered.
const ALIASES: usize = 8192;

/// Service workers that are remembered to be on record.
const WORKERS: usize = 1024;

/// What outlives a request. Clones share it.
///
/// Dropping the last clone without [`Store::close`] is like being killed: what was acknowledged stays, what was only
/// counted is lost.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

/// How a gateway wants its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// Bytes on disk that quarantined bodies may take.
    pub quarantine_max: u64,
    /// Quarantined bodies that are kept for one URL.
    pub quarantine_per_url: u32,
    /// An output wants an event for each exchange ([`Repeats::Each`]).
    pub every_repeat_in_feed: bool,
    /// An output wants repeats counted ([`Repeats::Counted`]).
    pub counted_feed: bool,
}

#[derive(Debug)]
struct Inner {
    data_dir: PathBuf,
    room: Mutex<Room>,
    volume: Arc<Volume>,
    bodies: Bodies,
    register: Register,
    aliases: Cache<BodyId, Digests>,
    /// Service workers that are known to be on record.
    workers: Cache<(Box<str>, BodyId), ()>,
    /// Only the gateway records.
    gateway: Option<Gateway>,
}

#[derive(Debug)]
struct Gateway {
    ledger: Ledger,
    lock: GatewayLock,
    /// The feed is to be told of an item.
    new_items: Arc<Notify>,
}

impl Inner {
    fn ledger(&self) -> Result<&Ledger, StoreError> {
        self.gateway.as_ref().map(|gateway| &gateway.ledger).ok_or(StoreError::NotTheGateway)
    }
}

impl Store {
    /// Opens the store for `pinfold run`: makes what is missing, ends what a crash has left open, and takes the lock.
    ///
    /// # Errors
    /// [`StoreError::InUse`] while another gateway runs on `data_dir`; else what cannot be read or written.
    pub async fn open_gateway(data_dir: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        make_dir(data_dir)?;
        let lock = GatewayLock::take(data_dir).await?;
        let bodies = Bodies::at(data_dir);
        bodies.prepare()?;
        let register = Register::open_gateway(Register::path_in(data_dir)).await?;
        let feeds = Feeds { counted: options.counted_feed, each: options.every_repeat_in_feed };
        let ledger = Ledger::open(data_dir, feeds).await?;
        sync_dir(data_dir)?;
        let room = Room { bytes: options.quarantine_max, per_subject: options.quarantine_per_url };
        let new_items = Arc::new(Notify::new());
        let running = Gateway { ledger, lock, new_items: Arc::clone(&new_items) };
        let store = Self::new(data_dir, room, bodies, register, Some(running));
        tokio::spawn(announce::run(Arc::downgrade(&store.inner), store.decisions(), new_items));
        Ok(store)
    }

    /// Opens the store for a command, beside a gateway that may be running. Makes nothing.
    ///
    /// # Errors
    /// [`StoreError::Absent`] where no gateway ever ran, and [`StoreError::DecisionsGone`] where there is a ledger alone; else
    /// what cannot be read.
    pub async fn open_beside(data_dir: &Path) -> Result<Self, StoreError> {
        let store = Self::open_to_look(data_dir).await?;
        match store.damage().cloned() {
            None => Ok(store),
            Some(damage) => Err(damage),
        }
    }

    /// The same for who only looks, also where what people decided is damaged: see [`Store::damage`].
    ///
    /// # Errors
    /// As for [`Store::open_beside`], but for that.
    pub async fn open_to_look(data_dir: &Path) -> Result<Self, StoreError> {
        let path = Register::path_in(data_dir);
        if !path.exists() {
            let path = data_dir.to_owned();
            return Err(match ledger::is_there(data_dir)? {
                true => StoreError::DecisionsGone { path },
                false => StoreError::Absent { path },
            });
        }
        let register = Register::open_beside(path).await?;
        let room = Room { bytes: 0, per_subject: 0 };
        Ok(Self::new(data_dir, room, Bodies::at(data_dir), register, None))
    }

    /// Why what this store says was decided is not to be trusted. Nothing can be decided then.
    #[must_use]
    pub fn damage(&self) -> Option<&StoreError> {
        self.inner.register.damage()
    }

    /// Checks the history of decisions from its beginning: that no row was changed, and none is missing. Works beside a
    /// gateway and without one, and needs no decision to be readable.
    ///
    /// # Errors
    /// [`StoreError::Absent`] where no gateway ever ran; else what cannot be read.
    pub async fn audit(data_dir: &Path) -> Result<Audit, StoreError> {
        register::audit(data_dir).await
    }

    fn new(
        data_dir: &Path,
        room: Room,
        bodies: Bodies,
        register: Register,
        gateway: Option<Gateway>,
    ) -> Self {
        let (aliases, workers, room) = (Cache::new(ALIASES), Cache::new(WORKERS), Mutex::new(room));
        let volume = Arc::new(Volume::of(data_dir));
        let data_dir = data_dir.to_owned();
        Self {
            inner: Arc::new(Inner { data_dir, room, volume, bodies, register, aliases, workers, gateway }),
        }
    }

    /// The newest decisions. The gateway also sees those of commands, within a tenth of a second.
    #[must_use]
    pub fn decisions(&self) -> watch::Receiver<Arc<Decisions>> {
        self.inner.register.decisions()
    }

    /// Gives the policy a number that it never had, since other files hold now: [`Store::decisions`] are those of before
    /// under that number when this returns. From it on at least so many `approvers` must agree before refused bytes are released,
    /// also where a command was given files that say fewer.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on disk: nothing has changed then.
    pub async fn number_other_files(&self, approvers: u32) -> Result<u64, StoreError> {
        self.inner.register.change(OtherFiles { approvers }).await
    }

    /// The other digests of a body seen lately.
    #[must_use]
    pub fn aliases(&self, id: BodyId) -> Option<Digests> {
        self.inner.aliases.get(&id)
    }

    /// Remembers the digests of a body for [`Store::aliases`].
    pub fn remember_aliases(&self, digests: Digests) {
        self.inner.aliases.insert(digests.sha256, digests);
    }

    /// Room on disk for a body that is held and too large for memory. It is gone when it is dropped, or when the gateway
    /// ends. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] when no file can be made.
    pub fn spill(&self) -> Result<Box<dyn Medium>, StoreError> {
        self.inner.bodies.spill(Arc::clone(&self.inner.volume))
    }

    /// The events of one output, by its name, from where it has acknowledged them.
    #[must_use]
    pub fn feed(&self, output: &str, repeats: Repeats) -> Feed {
        Feed::new(Arc::clone(&self.inner), output, repeats)
    }

    /// Writes what is only counted, ends all minutes, and ends the feeds: they give what is left, then nothing. For
    /// when the gateway has drained; what is recorded afterwards reaches the outputs after the next start.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written, or only the gateway could.
    pub async fn settle(&self) -> Result<(), StoreError> {
        self.inner.ledger()?.settle().await
    }

    /// Writes what is in memory, closes the files, and frees the lock. All clones are closed with it.
    ///
    /// # Errors
    /// [`StoreError`] when something that was only counted could not be written.
    pub async fn close(&self) -> Result<(), StoreError> {
        let settled = match &self.inner.gateway {
            Some(gateway) => gateway.ledger.close().await,
            None => Ok(()),
        };
        self.inner.register.close().await;
        if let Some(gateway) = &self.inner.gateway {
            gateway.lock.release();
        }
        settled
    }
}

/// The same as [`Store::spill`] where there is no store: a file without a name among the machine's temporary ones.
/// Blocks.
///
/// # Errors
/// [`StoreError`] when no file can be made.
pub fn spill_to_temporary_file() -> Result<Box<dyn Medium>, StoreError> {
    bodies::spill_in(&std::env::temp_dir(), None)
}

impl Inner {
    fn room(&self) -> Room {
        *self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read_body(
        self: &Arc<Self>,
        id: BodyId,
        len: u64,
        memory_body: u64,
    ) -> Result<Option<Held>, StoreError> {
        let inner = Arc::clone(self);
        let reading = tokio::task::spawn_blocking(move || {
            let spill = (len > memory_body).then(|| inner.bodies.spill(Arc::clone(&inner.volume)));
            inner.bodies.read(id, len, spill.transpose()?)
        });
        reading.await.map_err(|_| StoreError::Closed)?
    }

    /// Counts an exchange that ends because something else than its row could not be written.
    fn miss_exchange(&self, at: Timestamp) {
        if let Some(gateway) = &self.gateway {
            gateway.ledger.miss_exchange(at);
        }
    }
}

#[cfg(test)]
mod tests;
