//! Measured bytes in the coding that a client asked for.

use std::io::{self, Write};
use std::sync::Arc;

use pinfold_body::Coding;
use pinfold_policy::digest::{BodyId, Digests};
use pinfold_policy::kept::{Keep, Kept};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::budget::Reservation;
use crate::hold::{INLINE, READING_MEMORY, Spill};

/// A body as it goes out.
#[derive(Clone, Debug)]
pub(crate) struct Encoded {
    pub(crate) kept: Kept,
    pub(crate) coding: Coding,
    /// The digest of the bytes as encoded.
    pub(crate) id: BodyId,
}

impl Encoded {
    /// A body as it is, in no coding.
    pub(crate) fn plain(kept: &Kept, digests: &Digests) -> Self {
        Self { kept: kept.clone(), coding: Coding::Identity, id: digests.sha256 }
    }
}

/// Encodes bodies, so many at one time: an encoder takes megabytes, and all of a processor.
pub(crate) struct Encoders {
    places: Semaphore,
    spill: Spill,
    memory_body: u64,
}

impl Encoders {
    pub(crate) fn new(spill: Spill, memory_body: u64) -> Self {
        let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self { places: Semaphore::new(2 * processors), spill, memory_body }
    }

    /// Encodes `kept`, whose digests are `digests`. Where there is no room for that, the body goes out as it is, in no
    /// coding: every client takes that.
    pub(crate) async fn encode(
        &self,
        kept: &Kept,
        digests: &Digests,
        coding: Coding,
        reservation: Reservation,
    ) -> Encoded {
        if coding == Coding::Identity {
            return Encoded::plain(kept, digests);
        }
        let writer = Writer {
            keep: Keep::new(Some(kept.len() / 3)),
            reservation,
            spill: Arc::clone(&self.spill),
            memory_body: self.memory_body,
        };
        let encoded = if kept.len() <= INLINE && !kept.is_spilled() {
            writer.write(kept, coding)
        } else {
            self.encode_elsewhere(kept.clone(), coding, writer).await
        };
        encoded.unwrap_or_else(|error| {
            tracing::debug!(%error, %coding, "a body goes out without a coding");
            Encoded::plain(kept, digests)
        })
    }

    async fn encode_elsewhere(&self, kept: Kept, coding: Coding, writer: Writer) -> io::Result<Encoded> {
        let _place = self.places.acquire().await.map_err(io::Error::other)?;
        spawn_blocking(move || writer.write(&kept, coding)).await.map_err(io::Error::other)?
    }
}

/// Keeps what an encoder makes, in memory or on disk, within what there is room for.
struct Writer {
    keep: Keep,
    reservation: Reservation,
    spill: Spill,
    memory_body: u64,
}

impl Writer {
    fn write(self, kept: &Kept, coding: Coding) -> io::Result<Encoded> {
        let mut writer =
            pinfold_body::encode(kept.pieces(), kept.len(), coding, self).map_err(io::Error::other)?;
        if writer.keep.is_spilled() {
            writer.reserve_disk()?;
        }
        let (kept, id) = writer.keep.finish()?;
        let in_memory = if kept.is_spilled() { READING_MEMORY } else { kept.len() };
        if !writer.reservation.try_memory(in_memory) {
            return Err(io::Error::other("no room to read the encoded body"));
        }
        Ok(Encoded { kept: kept.reserved_by(Arc::new(writer.reservation)), coding, id })
    }

    fn reserve_disk(&mut self) -> io::Result<()> {
        let more = self.keep.len().saturating_sub(self.reservation.disk());
        if self.reservation.try_more_disk(more) {
            Ok(())
        } else {
            Err(io::Error::other("no room for the encoded body"))
        }
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.keep.push(bytes);
        if !self.keep.is_spilled() {
            let fits = self.keep.len() <= self.memory_body;
            if fits && self.reservation.try_memory(self.keep.in_memory()) {
                return Ok(bytes.len());
            }
            self.keep.spill_to((self.spill)()?);
        }
        if self.keep.waits_for_flush() {
            self.reserve_disk()?;
            self.keep.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
