//! The shelf: verified bodies, served without asking the vendor.
//!
//! It remembers what was verified where, and permits nothing. What it gives out is a [`Held`], which is judged anew for
//! each request like one that just came from the vendor: a pin that has ended, a rejection and a revocation count from
//! the next request on, whatever lies here.
//!
//! Which body a URL gets is up to the vendor, among those that are allowed: the one it served last to a client that asked
//! the same way. URLs of one release change together, once all of them are here.

mod answer;
mod depends;
mod flights;
mod release;
mod stock;
mod variants;

use std::sync::Arc;

use http::response::Parts;
use jiff::{SignedDuration, Timestamp};
use pinfold_body::{Coding, Codings};
use pinfold_policy::cooldown::Run;
use pinfold_policy::digest::Digests;
use pinfold_policy::held::Held;
use pinfold_policy::kind::Kinds;
use pinfold_policy::url::ArtifactUrl;
use pinfold_policy::verdict::Cleared;
use pinfold_store::entry::DeliveryPath;
use pinfold_store::shelf::Shelved;
use pinfold_store::sighting::Variant;
use pinfold_store::{Store, StoreError};
use tokio_util::task::TaskTracker;

pub(crate) use self::answer::{Answer, may_be_shelved};
use self::depends::Audience;
pub(crate) use self::depends::is_personal;
pub(crate) use self::flights::Flight;
use self::flights::Flights;
use self::stock::Stock;
use self::variants::{Put, Served, Variants};
use crate::ask::Ask;
use crate::budget::Reservation;
use crate::decodings::{Decodings, Expected, Wire};
use crate::encoded::{Encoded, Encoders};
use crate::ready::Ready;
use crate::recheck;

/// What nobody has asked for in this time is taken off the shelf when the gateway starts.
const UNASKED: SignedDuration = SignedDuration::from_hours(90 * 24);

/// No body has more than this part of the memory.
const LARGEST: u64 = 16;
/// The fields of answers have at most this one.
const FIELDS: u64 = 16;

/// Verified bodies.
pub(crate) struct Shelf {
    store: Store,
    variants: Variants,
    stock: Stock,
    /// The fields of its answers, and of those that came from vendors just now.
    pub(crate) ready: Ready,
    flights: Arc<Flights>,
    decodings: Decodings,
    /// What is being written, until the gateway ends.
    writing: TaskTracker,
}

/// A body that was verified, and what came with it.
pub(crate) struct Fresh<'a> {
    pub(crate) head: &'a Parts,
    pub(crate) kinds: Kinds,
    pub(crate) path: Option<&'a DeliveryPath>,
    pub(crate) cleared: &'a Cleared,
}

impl Shelf {
    /// A shelf with what an earlier gateway left on it, in `memory` bytes.
    ///
    /// # Errors
    /// [`StoreError`] when that cannot be read.
    pub(crate) async fn open(
        store: Store,
        memory: u64,
        now: Timestamp,
        writing: TaskTracker,
    ) -> Result<Self, StoreError> {
        let since = now.checked_sub(UNASKED).unwrap_or(Timestamp::MIN);
        let variants = Variants::of(store.shelved(since).await?, &seen_by_rechecks(&store).await);
        let for_fields = memory / FIELDS;
        Ok(Self {
            store,
            variants,
            stock: Stock::new(memory - for_fields, memory / LARGEST),
            ready: Ready::new(for_fields),
            flights: Arc::default(),
            decodings: Decodings::new(),
            writing,
        })
    }

    /// The body that a URL answered with last in these codings, if it may be that again; `room` is made for it.
    pub(crate) fn expected(
        &self,
        url: &ArtifactUrl,
        codings: Codings,
        announced: Option<u64>,
        room: impl FnOnce() -> Reservation,
    ) -> Option<Expected> {
        let (wire, id) = self.decodings.expected(url, codings, announced)?;
        Some(Expected::new(wire, self.stock.in_memory(id)?, room()))
    }

    /// Remembers what came on the wire, and keeps the verified body that it was in memory, under its digest alone: nobody is
    /// answered with it who was not sent the same by the vendor.
    pub(crate) async fn learn(&self, url: &ArtifactUrl, codings: Codings, wire: Wire, held: &Held) {
        self.decodings.learn(url, codings, wire, held.id());
        self.stock.take_into_memory(held.unreserved()).await;
    }

    /// Puts a body there that was verified for `ask`, now; `room` is a reservation for it alone, if it lies on disk.
    pub(crate) fn put(&self, ask: &Ask, fresh: &Fresh<'_>, now: Timestamp, room: Reservation) {
        let gone = match Audience::of(ask, fresh.head) {
            Audience::Alike(depends) => {
                let held = fresh.cleared.held().unreserved();
                let is_damaged = self.stock.forget_damage(held.id());
                let Put { row, gone } = self.variants.put(ask, depends, fresh, now, is_damaged);
                self.stock.take_in(held.clone(), room);
                if let Some(row) = row.filter(|_| !ask.is_redacted()) {
                    self.write(row, held, is_damaged);
                }
                gone
            }
            Audience::ThisClient => return,
            Audience::OneEach => self.variants.remove(ask),
        };
        for (variant, digest) in gone {
            let store = self.store.clone();
            self.writing.spawn(async move {
                if let Err(error) = store.unshelve(variant, digest).await {
                    tracing::debug!(%error, "the shelf's file still has what the shelf has not");
                }
            });
        }
    }

    /// The vendor has nothing any more where `ask` asks: what it served there last, of what is allowed, stays.
    pub(crate) fn keep(&self, ask: &Ask, now: Timestamp, is_allowed: impl Fn(&Digests) -> bool) {
        let Some(row) = self.variants.keep(ask, now, is_allowed) else { return };
        let store = self.store.clone();
        self.writing.spawn(async move {
            if let Err(error) = store.shelve_again(row).await {
                tracing::debug!(%error, "the shelf's file does not know yet that something is gone at its vendor");
            }
        });
    }

    fn write(&self, row: Shelved, held: Held, is_damaged: bool) {
        let store = self.store.clone();
        self.writing.spawn(async move {
            // It is served from memory, and after the next start the vendor is asked again.
            if let Err(error) = store.shelve(row, &held, is_damaged).await {
                tracing::debug!(%error, "a verified body could not be put on the shelf's disk");
            }
        });
    }

    /// Bytes of bodies in memory, in every coding, and of the fields that go with them.
    pub(crate) fn memory(&self) -> u64 {
        self.stock.memory().saturating_add(self.ready.memory())
    }

    /// The body of `served`, measured; `None` where it is not there any more.
    async fn body(&self, served: &Served, room: impl FnOnce() -> Reservation) -> Option<Held> {
        self.stock.body(&self.store, &served.digests, served.len, room).await
    }

    /// A cleared body in `coding`: encoded once for all who ask, where it is on the shelf. `room` is asked for where it has to be.
    pub(crate) async fn encoded(
        &self,
        encoders: &Encoders,
        held: &Held,
        coding: Coding,
        room: impl FnOnce() -> Reservation,
    ) -> Encoded {
        match self.stock.encoded(held, coding) {
            Some(encoded) => encoded,
            None => Box::pin(self.stock.encode(encoders, held, coding, room())).await,
        }
    }
}

/// What rechecks saw of what is on the shelf: its own rows are not written each time.
async fn seen_by_rechecks(store: &Store) -> Vec<(Ask, Run)> {
    let runs = store.runs_of_shelved().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "what rechecks saw before cannot be read: the shelf goes by what it wrote itself");
        Vec::new()
    });
    let seen = |(variant, run): (Variant, Run)| Some((recheck::asked(&variant, run.last)?, run));
    runs.into_iter().filter_map(seen).collect()
}

/// Whether two bodies are the same.
fn is_same(one: &Digests, other: &Digests) -> bool {
    one.sha256 == other.sha256
}
