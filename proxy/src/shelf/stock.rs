//! The bodies themselves: in memory, in each coding that clients ask for; those that are too large for that, in files
//! without a name, within what there is room for in the budget of held bodies.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use pinfold_body::Coding;
use pinfold_policy::digest::{BodyId, Digests};
use pinfold_policy::held::{Held, Hold};
use pinfold_policy::kept::{Keep, Kept};
use pinfold_store::Store;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::budget::Reservation;
use crate::encoded::{Encoded, Encoders};
use crate::weighed;

/// What a body takes of memory beside its bytes, about.
const OVERHEAD: u64 = 512;
/// Bodies on disk that are ready to be read. Who reads one finds the memory for that.
const FILES: usize = 64;

pub(crate) struct Stock {
    cache: Cache<(BodyId, Coding), Stocked, Weight>,
    largest: u64,
    files: Cache<BodyId, Held>,
    damaged: Mutex<HashSet<BodyId>>,
    /// Whoever reads a body into memory that nobody has asked for: one at a time, since nothing else bounds it.
    reading: Semaphore,
}

#[derive(Clone)]
enum Stocked {
    Body(Held),
    Encoded(Encoded),
}

#[derive(Clone)]
struct Weight;

impl Weighter<(BodyId, Coding), Stocked> for Weight {
    fn weight(&self, _: &(BodyId, Coding), stocked: &Stocked) -> u64 {
        let len = match stocked {
            Stocked::Body(held) => held.len(),
            Stocked::Encoded(encoded) => encoded.kept.len(),
        };
        len.saturating_add(OVERHEAD)
    }
}

impl Stock {
    /// Takes at most `memory` bytes, and at most `largest` of one body.
    pub(crate) fn new(memory: u64, largest: u64) -> Self {
        const USUAL: u64 = 64 * 1024;
        Self {
            cache: weighed::cache(memory, USUAL, Weight),
            largest,
            files: Cache::new(FILES),
            damaged: Mutex::default(),
            reading: Semaphore::new(1),
        }
    }

    /// Keeps a body that was verified just now. `room` is for one that lies on disk.
    pub(crate) fn take_in(&self, held: Held, room: Reservation) {
        if !held.kept_for_quarantine().is_spilled() {
            self.keep_in_memory(held);
        } else if !self.is_in_memory(held.id()) && self.files.peek(&held.id()).is_none() {
            self.keep_file(held, room);
        }
    }

    /// Keeps a body in memory, unless it is too large for that. One on disk is read, unless another is being read.
    pub(crate) async fn take_into_memory(&self, held: Held) {
        if !held.kept_for_quarantine().is_spilled() {
            self.keep_in_memory(held);
        } else if held.len() <= self.largest
            && !self.is_in_memory(held.id())
            && let Ok(_turn) = self.reading.try_acquire()
            && let Ok(held) = in_memory(held).await
        {
            self.keep_in_memory(held);
        }
    }

    /// Keeps a body that is in memory already, unless it is too large or known.
    fn keep_in_memory(&self, held: Held) {
        if held.len() <= self.largest && !self.is_in_memory(held.id()) {
            self.cache.insert((held.id(), Coding::Identity), Stocked::Body(held));
        }
    }

    fn is_in_memory(&self, id: BodyId) -> bool {
        self.cache.peek(&(id, Coding::Identity)).is_some()
    }

    /// A body, if it lies in memory.
    pub(crate) fn in_memory(&self, id: BodyId) -> Option<Held> {
        match self.cache.get(&(id, Coding::Identity))? {
            Stocked::Body(held) => Some(held),
            Stocked::Encoded(_) => None,
        }
    }

    /// Bytes that lie in memory.
    pub(crate) fn memory(&self) -> u64 {
        self.cache.weight()
    }

    /// Keeps a body that is on disk, if there is room.
    fn keep_file(&self, held: Held, mut room: Reservation) {
        if room.try_more_disk(held.len()) {
            self.files.insert(held.id(), held.reserved_by(Arc::new(room)));
        }
    }

    /// A body, wherever it is. One that is only in the store is read, measured and kept for the next who asks; one that is not
    /// for memory, in `room`.
    pub(crate) async fn body(
        &self,
        store: &Store,
        digests: &Digests,
        len: u64,
        room: impl FnOnce() -> Reservation,
    ) -> Option<Held> {
        let id = digests.sha256;
        let place = match self.cache.get_value_or_guard_async(&(id, Coding::Identity)).await {
            Ok(Stocked::Body(held)) => return Some(held),
            Ok(Stocked::Encoded(_)) => return None,
            Err(place) => place,
        };
        let is_small = len <= self.largest;
        if let Some(held) = self.files.get(&id) {
            if !is_small {
                return Some(held);
            }
            let held = in_memory(held).await.ok()?;
            // Whoever removed the place has put something there.
            drop(place.insert(Stocked::Body(held.clone())));
            self.files.remove(&id);
            return Some(held);
        }
        let mut room = (!is_small).then(room);
        if room.as_mut().is_some_and(|room| !room.try_more_disk(len)) {
            return None;
        }
        let held = match store.read_body(id, len, self.largest).await {
            Ok(Some(held)) => held,
            Ok(None) => return self.note_damage(id, "its file has gone"),
            Err(error) => return self.note_damage(id, &error.to_string()),
        };
        let Some(room) = room else {
            drop(place.insert(Stocked::Body(held.clone())));
            return Some(held);
        };
        let held = held.reserved_by(Arc::new(room));
        self.files.insert(id, held.clone());
        Some(held)
    }

    /// A body in `coding`, if it is there.
    pub(crate) fn encoded(&self, held: &Held, coding: Coding) -> Option<Encoded> {
        if coding == Coding::Identity {
            return Some(Encoded::plain(held.kept_for_quarantine(), held.digests()));
        }
        match self.cache.get(&(held.id(), coding)).filter(|_| self.is_in_memory(held.id()))? {
            Stocked::Encoded(encoded) => Some(encoded),
            Stocked::Body(_) => None,
        }
    }

    /// A body in a coding in which it is not there. Those who ask for the same one wait for one encoder.
    pub(crate) async fn encode(
        &self,
        encoders: &Encoders,
        held: &Held,
        coding: Coding,
        reservation: Reservation,
    ) -> Encoded {
        let (kept, digests) = (held.kept_for_quarantine(), held.digests());
        if !self.is_in_memory(held.id()) {
            return encoders.encode(kept, digests, coding, reservation).await;
        }
        let place = match self.cache.get_value_or_guard_async(&(held.id(), coding)).await {
            Ok(Stocked::Encoded(encoded)) => return encoded,
            Ok(Stocked::Body(_)) => return encoders.encode(kept, digests, coding, reservation).await,
            Err(place) => place,
        };
        let encoded = encoders.encode(kept, digests, coding, reservation).await;
        // Where there was no room, it came back as it is.
        if encoded.coding == coding
            && let Ok(kept) = resident(&encoded.kept).await
        {
            let stocked = Encoded { kept, ..encoded.clone() };
            drop(place.insert(Stocked::Encoded(stocked)));
        }
        encoded
    }

    /// The file does not hold what its name says: it is written again when its body has been verified again.
    fn note_damage(&self, id: BodyId, why: &str) -> Option<Held> {
        tracing::error!("a body on the shelf cannot be read, and the vendor is asked again: {id}: {why}");
        self.damaged().insert(id);
        None
    }

    /// Whether a body's file was damaged; from now on it is not.
    pub(crate) fn forget_damage(&self, id: BodyId) -> bool {
        self.damaged().remove(&id)
    }

    fn damaged(&self) -> std::sync::MutexGuard<'_, HashSet<BodyId>> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body from disk in memory, measured once more.
async fn in_memory(held: Held) -> io::Result<Held> {
    let moving = spawn_blocking(move || {
        let mut hold = Hold::new(held.len(), Some(held.len()));
        for piece in held.kept_for_quarantine().pieces() {
            hold.push(&piece?).map_err(io::Error::other)?;
        }
        let digests = *held.digests();
        hold.finish(|_| Some(digests))
    });
    moving.await.map_err(io::Error::other)?
}

/// The same bytes in memory, counted by nobody else.
async fn resident(kept: &Kept) -> io::Result<Kept> {
    if !kept.is_spilled() {
        return Ok(kept.unreserved());
    }
    let kept = kept.clone();
    let moving = spawn_blocking(move || {
        let mut keep = Keep::new(Some(kept.len()));
        for piece in kept.pieces() {
            keep.push(&piece?);
        }
        keep.finish().map(|(kept, _)| kept)
    });
    moving.await.map_err(io::Error::other)?
}
