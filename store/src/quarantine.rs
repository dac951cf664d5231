//! The pen: refused bodies, and who asked for them.

use std::io;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use jiff::Timestamp;
use pinfold_policy::digest::{BodyId, Digest, Digests};
use pinfold_policy::held::Held;
use pinfold_policy::kept;
use pinfold_policy::kind::Kind;

use crate::entry::Exchange;
use crate::error::StoreError;
use crate::incident::Incident;
use crate::item::{AskedBy, Item, ItemState};
use crate::register::{
    Asked, By, Kept, NotKept, Room, body_len, digests_of, item, items, items_of, keeps, state_of,
};
use crate::{Inner, Store};

impl Store {
    /// From now on the quarantine has other bounds. What it holds stays.
    pub fn bound_quarantine(&self, max: u64, per_url: u32) {
        *self.inner.room.lock().unwrap_or_else(PoisonError::into_inner) =
            Room { bytes: max, per_subject: per_url };
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

    /// All items of the quarantine, the one asked for last first.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn quarantined(&self) -> Result<Vec<Item>, StoreError> {
        let mut reader = self.inner.register.reader().await?;
        items(&mut reader.connection, Timestamp::now()).await.map_err(reader.failed())
    }

    /// The items at one subject, the one asked for last first, and behind them those of these bodies at others.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn items_of(&self, subject: &str, bodies: &[BodyId]) -> Result<Vec<Item>, StoreError> {
        let mut reader = self.inner.register.reader().await?;
        items_of(&mut reader.connection, subject, bodies, Timestamp::now()).await.map_err(reader.failed())
    }

    /// What was decided about one item. `None` if there is no such item.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn state_of(&self, incident: Incident) -> Result<Option<ItemState>, StoreError> {
        let mut reader = self.inner.register.reader().await?;
        let found = state_of(&mut reader.connection, incident, Timestamp::now()).await;
        found.map_err(reader.failed())
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
        self.bytes_of(id, len).await
    }

    /// A body of `len` bytes that is kept or on the shelf, decoded. `None` if there is no file.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the file does not hold that body any more; else what cannot be read.
    pub async fn bytes_of(&self, id: BodyId, len: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let held = self.inner.read_body(id, len, u64::MAX).await?;
        let pieces: Option<io::Result<Vec<Bytes>>> =
            held.map(|held| held.kept_for_quarantine().pieces().collect());
        pieces.transpose().map(|pieces| pieces.map(|pieces| pieces.concat())).map_err(|_| StoreError::Closed)
    }

    /// Whether a body is there to look at: in quarantine, or on the shelf.
    ///
    /// # Errors
    /// [`StoreError`] when that cannot be read.
    pub async fn keeps(&self, id: BodyId) -> Result<bool, StoreError> {
        let mut reader = self.inner.register.reader().await?;
        keeps(&mut reader.connection, id).await.map_err(reader.failed())
    }

    /// All digests of the body that has `digest` as one of them, if it is or was in quarantine, or is on the shelf.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn digests_of(&self, digest: &Digest) -> Result<Option<Digests>, StoreError> {
        let mut reader = self.inner.register.reader().await?;
        digests_of(&mut reader.connection, digest).await.map_err(reader.failed())
    }
}

impl Inner {
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
