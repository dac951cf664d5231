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
mod register;
pub mod shelf;
pub mod sighting;
mod sqlite;
mod volume;
pub mod worker;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use pinfold_policy::decisions::{Basis, Decisions};
use pinfold_policy::digest::{BodyId, Digest, Digests};
use pinfold_policy::held::Held;
use pinfold_policy::kept::{self, Medium};
use pinfold_policy::kind::Kind;
use pinfold_policy::verdict::Binding;
use quick_cache::sync::Cache;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::audit::Audit;
use crate::bodies::{Bodies, make_dir, sync_dir};
use crate::entry::{Exchange, Gap, Notice, Tunnel, What};
pub use crate::error::{DecideError, StoreError};
pub use crate::feed::{Feed, PassedOver, Repeats};
use crate::incident::Incident;
use crate::item::{Approved, AskedBy, Decided, InForce, Item, Learned, Lesson, Opinion, Revoked};
pub use crate::ledger::{
    AskedUrls, Carried, Changed, Client, Coverage, Deliveries, Downtime, ExchangeRow, Exposure, Filter,
    OpenTunnel, Receipt, Receiver, Sighted, Sought, Talked, Traffic, TunnelRow, Tunnelled,
};
use crate::ledger::{Bounds, Contents, Feeds, Ledger};
use crate::lock::GatewayLock;
use crate::month::Month;
pub use crate::numbers::Numbers;
use crate::place::Place;
use crate::register::{
    Asked, Bind, By, Decide, ForgetUnasked, Kept, Learn, NOBODY, NotKept, OtherFiles, Refusal, Register,
    Revoke, Room, Ruling, Shelve, Unshelve, approvals, body_len, cursors, digests_of, incidents_of, item,
    items, needed, shelved, shelved_at,
};
use crate::shelf::{Shelved, Variant};
use crate::volume::Volume;

/// Bodies whose other digests are remembered.
const ALIASES: usize = 8192;

/// Service workers that are remembered to be on record.
const WORKERS: usize = 1024;
/// How often a command looks whether its decision is in force.
const IN_FORCE_EVERY: Duration = Duration::from_millis(20);

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
    /// [`StoreError::Absent`] where no gateway ever ran; else what cannot be read.
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
            return Err(StoreError::Absent { path: data_dir.to_owned() });
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

    /// From now on the quarantine has other bounds. What it holds stays.
    pub fn bound_quarantine(&self, max: u64, per_url: u32) {
        *self.inner.room.lock().unwrap_or_else(PoisonError::into_inner) =
            Room { bytes: max, per_subject: per_url };
    }

    /// Binds a pattern's digest to the URL at which it was verified first. When this returns, [`Store::decisions`]
    /// holds the binding, or that of whoever was faster.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on disk.
    pub async fn bind(&self, binding: &Binding) -> Result<(), StoreError> {
        let bound = self.inner.register.change(Bind(binding.clone())).await;
        bound.inspect_err(|_| self.inner.miss_exchange(Timestamp::now()))
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

    /// Keeps a refused body and who asked for it; on disk when this returns, even if the caller goes away. The same
    /// body at the same subject is the same incident, however often it is refused. Beyond the bounds of the
    /// quarantine, and in the last tenth of the volume, the item is there without its body: it can be decided upon by
    /// its digest, and the body is kept when it is refused again and there is room.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written.
    pub async fn quarantine(
        &self,
        refusal: &Exchange,
        subject: &str,
        kind: Kind,
        held: &Held,
    ) -> Result<Incident, StoreError> {
        let body = (held.digests(), held.len());
        self.keep_refused(Asked::new(refusal, subject, kind, body, self.inner.room()), held).await
    }

    /// The same for a body that a recheck saw before any client asked for it: nobody is counted. `refusal` is what a
    /// client would have met.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written.
    pub async fn quarantine_unasked(
        &self,
        refusal: &Exchange,
        subject: &str,
        kind: Kind,
        held: &Held,
    ) -> Result<Incident, StoreError> {
        let body = (held.digests(), held.len());
        let seen = Asked::new(refusal, subject, kind, body, self.inner.room()).by_recheck();
        self.keep_refused(seen, held).await
    }

    async fn keep_refused(&self, asked: Asked, held: &Held) -> Result<Incident, StoreError> {
        let (id, at, by) = (held.id(), asked.at, asked.by);
        let kept = held.kept_for_quarantine().clone();
        let inner = Arc::clone(&self.inner);
        let keeping = tokio::spawn(async move {
            let done = inner.keep_item(asked, id, kept).await;
            done.inspect_err(|_| match by {
                By::Client => inner.miss_exchange(at),
                By::Recheck => {}
            })
        });
        keeping.await.map_err(|_| StoreError::Closed)?
    }

    /// Room on disk for a body that is held and too large for memory. It is gone when it is dropped, or when the gateway
    /// ends. Blocks.
    ///
    /// # Errors
    /// [`StoreError`] when no file can be made.
    pub fn spill(&self) -> Result<Box<dyn Medium>, StoreError> {
        self.inner.bodies.spill(Arc::clone(&self.inner.volume))
    }

    /// All items of the quarantine, the one asked for last first.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn quarantined(&self) -> Result<Vec<Item>, StoreError> {
        let mut reader = self.inner.register.reader().await?;
        items(&mut reader.connection, Timestamp::now()).await.map_err(reader.failed())
    }

    /// One item and who asked for it, the last first. `None` if there is no such item.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn item(&self, incident: Incident) -> Result<Option<(Item, Vec<AskedBy>)>, StoreError> {
        let mut reader = self.inner.register.reader().await?;
        item(&mut reader.connection, incident, Timestamp::now()).await.map_err(reader.failed())
    }

    /// A body that is kept, decoded. `None` if it is not.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the file does not hold that body any more; else what cannot be read.
    pub async fn body_of(&self, id: BodyId) -> Result<Option<Vec<u8>>, StoreError> {
        let mut reader = self.inner.register.reader().await?;
        let Some(len) = body_len(&mut reader, id).await? else { return Ok(None) };
        let held = self.inner.read_body(id, len, u64::MAX).await?;
        let pieces: Option<io::Result<Vec<Bytes>>> =
            held.map(|held| held.kept_for_quarantine().pieces().collect());
        pieces.transpose().map(|pieces| pieces.map(|pieces| pieces.concat())).map_err(|_| StoreError::Closed)
    }

    /// What is on the shelf, the one asked for last first. What nobody has asked for since `unasked_since` is gone from
    /// it, with its body unless that is needed elsewhere.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn shelved(&self, unasked_since: Timestamp) -> Result<Vec<Shelved>, StoreError> {
        self.inner.register.change(ForgetUnasked { since: unasked_since }).await?;
        let mut reader = self.inner.register.reader().await?;
        let shelved = shelved(&mut reader).await?;
        let needed: HashSet<BodyId> = needed(&mut reader).await?.into_iter().collect();
        let bodies = self.inner.bodies.clone();
        let sweeping = tokio::task::spawn_blocking(move || bodies.sweep(|id| needed.contains(&id)));
        sweeping.await.map_err(|_| StoreError::Closed)??;
        Ok(shelved)
    }

    /// What is on the shelf, for who looks.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn on_shelf(&self) -> Result<Vec<Shelved>, StoreError> {
        shelved(&mut self.inner.register.reader().await?).await
    }

    /// Puts a verified body on the shelf, or notes that it was verified there again. Its file is written where there is
    /// none, or where the one there has turned out not to hold it (`is_damaged`). In the last tenth of the volume
    /// nothing is put there: the vendor can be asked again.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written.
    pub async fn shelve(&self, shelved: Shelved, body: &Held, is_damaged: bool) -> Result<(), StoreError> {
        let (inner, id, kept) = (Arc::clone(&self.inner), body.id(), body.kept_for_quarantine().clone());
        let writing = tokio::task::spawn_blocking(move || {
            if inner.bodies.has(id) && !is_damaged {
                return Ok(true);
            }
            let has_room = inner.volume.has_room(kept.len());
            if has_room {
                inner.bodies.write(id, &kept)?;
            }
            Ok(has_room)
        });
        if writing.await.map_err(|_| StoreError::Closed)?? {
            self.inner.register.change(Shelve(shelved)).await?;
        }
        Ok(())
    }

    /// Notes that a body that is on the shelf is what the vendor has to be taken at, once more.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written.
    pub async fn shelve_again(&self, shelved: Shelved) -> Result<(), StoreError> {
        self.inner.register.change(Shelve(shelved)).await
    }

    /// Takes a body off the shelf at one variant.
    ///
    /// # Errors
    /// [`StoreError`] when that cannot be written.
    pub async fn unshelve(&self, variant: Variant, digest: BodyId) -> Result<(), StoreError> {
        self.inner.register.change(Unshelve { variant, digest }).await
    }

    /// A body of `len` bytes from disk, measured; onto disk again, without a name, where it is longer than
    /// `memory_body`. `None` if there is no file.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the file does not hold that body any more; else what cannot be read.
    pub async fn read_body(
        &self,
        id: BodyId,
        len: u64,
        memory_body: u64,
    ) -> Result<Option<Held>, StoreError> {
        self.inner.read_body(id, len, memory_body).await
    }

    /// Lets an item's digest be served at its subject, once `approvers` different people have said so since it was
    /// rejected last. Ends an earlier rejection there then.
    ///
    /// # Errors
    /// [`DecideError`] when there is no such item, its digest is revoked, or it cannot be written.
    pub async fn approve(
        &self,
        incident: Incident,
        opinion: Opinion<'_>,
        approvers: u32,
    ) -> Result<Decided, DecideError> {
        self.decide(Ruling::Approve, Basis::Reviewed, incident, opinion, approvers).await
    }

    /// Bars an item's digest from its subject. Ends an earlier approval there.
    ///
    /// # Errors
    /// [`DecideError`] when there is no such item, or it cannot be written.
    pub async fn reject(&self, incident: Incident, opinion: Opinion<'_>) -> Result<Decided, DecideError> {
        self.decide(Ruling::Reject, Basis::Reviewed, incident, opinion, 1).await
    }

    /// Revokes an item's digest: it is never released again, anywhere. It is rejected at its subject with that, and stays
    /// so when the revocation is taken back.
    ///
    /// # Errors
    /// [`DecideError`] when there is no such item, or it cannot be written.
    pub async fn reject_everywhere(
        &self,
        incident: Incident,
        opinion: Opinion<'_>,
    ) -> Result<Decided, DecideError> {
        self.decide(Ruling::Revoke, Basis::Reviewed, incident, Opinion { expires: None, ..opinion }, 1).await
    }

    /// Lets an item's digest be served at its subject by the rule `cooldown`, whose `record` says why it holds.
    ///
    /// # Errors
    /// [`DecideError`] when there is no such item, anything was decided of it before, or it cannot be written.
    pub async fn approve_by_cooldown(
        &self,
        incident: Incident,
        record: &str,
        at: Timestamp,
    ) -> Result<Decided, DecideError> {
        let opinion = Opinion { who: NOBODY, reason: record, at, expires: None };
        self.decide(Ruling::Approve, Basis::Cooldown, incident, opinion, 1).await
    }

    async fn decide(
        &self,
        ruling: Ruling,
        basis: Basis,
        incident: Incident,
        opinion: Opinion<'_>,
        approvers: u32,
    ) -> Result<Decided, DecideError> {
        let Opinion { who, reason, at, expires } = opinion;
        let (who, reason) = (who.into(), reason.into());
        let decide = Decide { incident, ruling, basis, who, reason, at, expires, approvers };
        self.inner.register.change(decide).await?.map_err(|refusal| match refusal {
            Refusal::Unknown => DecideError::Unknown(incident),
            Refusal::Revoked(digest) => DecideError::Revoked { digest },
            Refusal::Decided(state) => DecideError::Decided(state),
            Refusal::NotKept => DecideError::NotKept,
        })
    }

    /// Revokes a digest, in any notation and whether or not anyone ever saw it: it is never released again, anywhere.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written.
    pub async fn revoke(&self, digest: Digest, opinion: Opinion<'_>) -> Result<Revoked, StoreError> {
        self.say_of_digest(Ruling::Revoke, digest, opinion).await
    }

    /// Takes the revocation of a digest back, in the notation in which it was revoked. What was decided at single URLs
    /// holds again.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written.
    pub async fn reinstate(&self, digest: Digest, opinion: Opinion<'_>) -> Result<Revoked, StoreError> {
        self.say_of_digest(Ruling::Reinstate, digest, opinion).await
    }

    async fn say_of_digest(
        &self,
        ruling: Ruling,
        digest: Digest,
        opinion: Opinion<'_>,
    ) -> Result<Revoked, StoreError> {
        let Opinion { who, reason, at, expires: _ } = opinion;
        let revoke = Revoke { digest, ruling, who: who.into(), reason: reason.into(), at };
        let (version, changed) = self.inner.register.change(revoke).await?;
        Ok(Revoked { version, already: !changed })
    }

    /// Approves a body that nobody has reviewed, if nothing was ever decided of its subject and fewer than `cap` subjects
    /// of its vendor were learned. When this returns, [`Store::decisions`] holds the approval, or that of whoever was
    /// faster.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on disk.
    pub async fn learn(&self, lesson: Lesson, cap: u32, at: Timestamp) -> Result<Learned, StoreError> {
        let learned = self.inner.register.change(Learn { lesson, cap, at }).await;
        learned.inspect_err(|_| self.inner.miss_exchange(at))
    }

    /// Every approval, learned ones too, by subject and digest.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn approved(&self) -> Result<Vec<Approved>, StoreError> {
        let decisions = Arc::clone(&self.decisions().borrow());
        let mut reader = self.inner.register.reader().await?;
        approvals(&mut reader.connection, &decisions).await.map_err(reader.failed())
    }

    /// The URLs that were asked for, by month, since the month of `since`.
    ///
    /// # Errors
    /// [`StoreError`] when the ledger cannot be found.
    pub fn asked_urls(&self, since: Option<Timestamp>) -> Result<AskedUrls, StoreError> {
        AskedUrls::new(&self.inner.data_dir, since)
    }

    /// When the first exchange was that the ledger still has.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn recorded_since(&self) -> Result<Option<Timestamp>, StoreError> {
        ledger::recorded_since(&self.inner.data_dir).await
    }

    /// What URLs answered with in place of what was expected there, by month, since the month of `since`. Reads whole months.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn changed(&self, since: Timestamp) -> Result<Vec<Changed>, StoreError> {
        ledger::changed(&self.inner.data_dir, since).await
    }

    /// Whether the ledger holds a verdict of a pin or of a decision at this subject, with any query: that it was verified,
    /// or differed from, or had expired or been rejected there.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn was_judged_by_a_pin(&self, subject: &str) -> Result<bool, StoreError> {
        ledger::was_judged_by_a_pin(&self.inner.data_dir, subject).await
    }

    /// Waits until the running gateway judges by a version of the decisions, but no longer than `wait`.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be found out.
    pub async fn in_force(&self, version: u64, wait: Duration) -> Result<InForce, StoreError> {
        let until = Instant::now() + wait;
        let mut reader = self.inner.register.reader().await?;
        loop {
            if !lock::is_held(&self.inner.data_dir)? {
                return Ok(InForce::NoGateway);
            }
            if reader.version_in_force().await? >= version {
                return Ok(InForce::Yes);
            }
            if Instant::now() >= until {
                return Ok(InForce::NotYet);
            }
            tokio::time::sleep(IN_FORCE_EVERY).await;
        }
    }

    /// Records a guarded exchange. A refusal, and a client's first receipt of a body at a URL with an outcome, is on
    /// disk when this returns; a repeat is counted, shares the row of its minute, and follows within a second.
    ///
    /// # Errors
    /// [`StoreError`] when it is not recorded: then nothing guarded may be released.
    pub async fn record(&self, exchange: Exchange) -> Result<Receipt, StoreError> {
        self.inner.ledger()?.record(exchange).await
    }

    /// Records a tunnel, or the refusal of one; on disk when this returns.
    ///
    /// # Errors
    /// [`StoreError`] when it is not recorded.
    pub async fn tunnel_opened(&self, tunnel: Tunnel) -> Result<OpenTunnel, StoreError> {
        self.inner.ledger()?.tunnel_opened(tunnel).await
    }

    /// Records what happened beside the traffic; on disk when this returns. Whoever cannot know whether it was, after a
    /// crash, may do so again: one of the same name and time is there once.
    ///
    /// # Errors
    /// [`StoreError`] when it is not recorded.
    pub async fn notice(&self, notice: Notice) -> Result<(), StoreError> {
        self.inner.ledger()?.notice(notice).await
    }

    /// Rows of the ledger, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn exchanges(&self, filter: &Filter) -> Result<Vec<ExchangeRow>, StoreError> {
        ledger::exchanges(&self.inner.data_dir, filter).await
    }

    /// Who received a body, as far back as the ledger reaches, the last first.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn receivers(&self, id: BodyId) -> Result<Vec<Receiver>, StoreError> {
        ledger::receivers(&self.inner.data_dir, id).await
    }

    /// Who may have received what is sought, and who was refused; and what that rests on.
    ///
    /// # Errors
    /// [`StoreError`] when a month of the window cannot be read.
    pub async fn exposure(&self, sought: &Sought) -> Result<Exposure, StoreError> {
        let incidents = match sought.body {
            Some(body) => {
                let mut reader = self.inner.register.reader().await?;
                incidents_of(&mut reader.connection, body).await.map_err(reader.failed())?
            }
            None => Vec::new(),
        };
        ledger::exposure(&self.inner.data_dir, sought, &incidents).await
    }

    /// What passed from `since` to `until`, summed up by all that a verdict depends on. `reading` is told of each month.
    ///
    /// # Errors
    /// [`StoreError`] when a month of the window cannot be read.
    pub async fn traffic(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        reading: impl FnMut(&str),
    ) -> Result<Traffic, StoreError> {
        let window = Sought { since, until, ..Sought::default() };
        ledger::traffic(&self.inner.data_dir, &window, Bounds::default(), reading).await
    }

    /// All digests of the body that has `digest` as one of them, if it is or was in quarantine, or is on the shelf.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn digests_of(&self, digest: &Digest) -> Result<Option<Digests>, StoreError> {
        let mut reader = self.inner.register.reader().await?;
        digests_of(&mut reader.connection, digest).await.map_err(reader.failed())
    }

    /// The URLs at which a body is on the shelf.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn shelved_at(&self, id: BodyId) -> Result<Vec<Box<str>>, StoreError> {
        let mut reader = self.inner.register.reader().await?;
        shelved_at(&mut reader.connection, id).await.map_err(reader.failed())
    }

    /// Up to `limit` tunnels, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn tunnels(&self, limit: u32) -> Result<Vec<TunnelRow>, StoreError> {
        ledger::tunnels(&self.inner.data_dir, limit).await
    }

    /// The gaps of the ledger: what could not be recorded, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn gaps(&self) -> Result<Vec<Gap>, StoreError> {
        ledger::gaps(&self.inner.data_dir).await
    }

    /// Up to `limit` notices, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn notices(&self, limit: u32) -> Result<Vec<Notice>, StoreError> {
        ledger::notices(&self.inner.data_dir, limit).await
    }

    /// The newest notice of its kind, as far back as the ledger reaches.
    ///
    /// # Errors
    /// [`StoreError`] when a month cannot be read.
    pub async fn last_notice(&self, what: What) -> Result<Option<Notice>, StoreError> {
        ledger::last_notice(&self.inner.data_dir, what).await
    }

    /// Drops the months of the ledger whose last moment is longer ago than `retention`, the oldest first, and tells of each.
    /// A month is kept where one of `outputs` has not acknowledged all of its events yet, or a tunnel that began in it is
    /// open. Gives the months that are kept for an output.
    ///
    /// # Errors
    /// [`StoreError`] when a month cannot be read, told of or removed, or only the gateway could.
    pub async fn drop_old(
        &self,
        retention: SignedDuration,
        outputs: &[String],
        now: Timestamp,
    ) -> Result<Vec<String>, StoreError> {
        let ledger = self.inner.ledger()?;
        let Ok(oldest) = now.checked_sub(retention) else { return Ok(Vec::new()) };
        let mut awaited = Vec::new();
        for month in ledger::ended_before(&self.inner.data_dir, oldest, now)? {
            let Contents { exchanges, tunnels, is_open } =
                ledger::contents(&self.inner.data_dir, month).await?;
            if is_open {
                continue;
            }
            if !self.have_all(outputs, month, ledger.tip(month)).await? {
                awaited.push(month.to_string());
                continue;
            }
            let text = format!("{month}, with {exchanges} rows of exchanges and {tunnels} of tunnels");
            let policy_version = self.decisions().borrow().version();
            let dropped = Notice::of_gateway(What::LedgerDropped, now, text, policy_version);
            self.notice(dropped.about(month.to_string())).await?;
            ledger.remove(month).await?;
        }
        Ok(awaited)
    }

    /// Whether each output has acknowledged the events of a month up to `tip`.
    async fn have_all(&self, outputs: &[String], month: Month, tip: Place) -> Result<bool, StoreError> {
        for output in outputs {
            let standing = cursors(&mut self.inner.register.reader().await?, output).await?;
            if standing.own.get(&month).copied().unwrap_or_default().rows_to(tip) > 0 {
                return Ok(false);
            }
        }
        Ok(true)
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

    async fn keep_item(&self, asked: Asked, id: BodyId, kept: kept::Kept) -> Result<Incident, StoreError> {
        let first = asked.incident;
        let quarantined = self.register.change(asked).await?;
        if let Some(gateway) = self.gateway.as_ref().filter(|_| quarantined.incident == first) {
            gateway.new_items.notify_one();
        }
        if !quarantined.body_wanted {
            return Ok(quarantined.incident);
        }
        if self.volume.has_room(kept.len()) {
            self.keep(id, kept).await?;
        } else {
            self.register.change(NotKept(id)).await?;
        }
        Ok(quarantined.incident)
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

    /// The file first, then the row: what the row promises is there.
    async fn keep(&self, id: BodyId, kept: kept::Kept) -> Result<(), StoreError> {
        let (bodies, len) = (self.bodies.clone(), kept.len());
        let writing = tokio::task::spawn_blocking(move || bodies.write(id, &kept));
        match writing.await.map_err(|_| StoreError::Closed)? {
            Ok(size) => self.register.change(Kept { digest: id, len, size }).await,
            Err(error) => {
                // The error says more than whether this can be written.
                let _ = self.register.change(NotKept(id)).await;
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests;
