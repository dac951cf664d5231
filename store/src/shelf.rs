//! The shelf on disk: which verified bodies were served where, and under which head, so that they can be served again
//! without asking the vendor.
//!
//! A row promises nothing. The body is measured when it is read, and judged each time that it is served: what is here is
//! a memory of what was verified, and never a reason to release it.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use pinfold_policy::digest::{BodyId, Digests};
use pinfold_policy::held::Held;
use pinfold_policy::kind::Kinds;

use crate::Store;
use crate::entry::DeliveryPath;
use crate::error::StoreError;
use crate::register::{ForgetUnasked, Shelve, Unshelve, needed, shelved, shelved_at, shelved_of};

/// Which of a URL's answers: what a client asked with, as far as the vendor's answer depended on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Variant {
    /// The match key, with its query.
    pub url: Box<str>,
    /// `Origin`; empty where there was none.
    pub origin: Box<str>,
    /// The fields that the vendor's `Vary` named, in lower case, sorted, with commas between them.
    pub vary: Box<str>,
    /// A digest over the values of these fields: they are the client's, and nobody needs them.
    pub values: BodyId,
}

/// A body that was verified at a variant.
#[derive(Clone, PartialEq, Eq)]
pub struct Shelved {
    /// Where.
    pub variant: Variant,
    /// Its digests.
    pub digests: Digests,
    /// Its decoded length, in bytes.
    pub len: u64,
    /// The vendor's fields that a release depends on.
    pub head: Fields,
    /// What the answer could have acted as.
    pub kinds: Kinds,
    /// How the bytes came last.
    pub path: Option<DeliveryPath>,
    /// When the vendor served it last.
    pub seen: Timestamp,
    /// When a client asked for the variant last, as far as that was written down.
    pub asked: Timestamp,
    /// From when on the vendor served nothing else that was verified.
    pub first: Timestamp,
}

/// Header fields, in order.
pub type Fields = Vec<(Box<str>, Box<str>)>;

impl fmt::Debug for Shelved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelved")
            .field("variant", &self.variant)
            .field("digest", &self.digests.sha256)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

impl Store {
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

    /// The same at one URL, with whatever query; `url` has none.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn on_shelf_at(&self, url: &str) -> Result<Vec<Shelved>, StoreError> {
        shelved_of(&mut self.inner.register.reader().await?, url).await
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

    /// The URLs at which a body is on the shelf.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn shelved_at(&self, id: BodyId) -> Result<Vec<Box<str>>, StoreError> {
        let mut reader = self.inner.register.reader().await?;
        shelved_at(&mut reader.connection, id).await.map_err(reader.failed())
    }
}
