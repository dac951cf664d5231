//! What rechecks know and find: which variants of a URL are in use, what the vendor serves there, and since when.

use jiff::{SignedDuration, Timestamp};
use pinfold_policy::cooldown::{Run, Watched};
use pinfold_policy::digest::BodyId;
use pinfold_policy::reason::Reason;
use uuid::Uuid;

use crate::Store;
use crate::error::StoreError;
use crate::register::{Gone, LeftOut, NotSeen, Noted, Seen, Told, in_use, runs_of_shelved, standing};

/// How long after a client asked for it last a variant is in use.
pub const IN_USE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Variants of one subject that rechecks look at. More are not taken while these are in use, but for a plain one, which takes
/// the place of one with a query or an `Origin`: a client that makes these up takes nobody's place.
pub const MAX_VARIANTS: u64 = 16;
/// Variants of all subjects together.
pub const MAX_ALL_VARIANTS: u64 = 10_000;
/// Variants of one vendor, or of one host that no vendor claims.
pub const MAX_PARTY_VARIANTS: u64 = MAX_ALL_VARIANTS / 4;
/// Runs of one variant that are remembered.
pub(crate) const MAX_RUNS: u64 = 20;

/// What a client asked for, as far as the answer may depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// What a decision would be about.
    pub subject: Box<str>,
    /// The vendor, or the host that no vendor claims.
    pub party: Box<str>,
    /// Whether it is asked for without a query and without an `Origin`.
    pub plain: bool,
    /// A digest of what tells it from other variants of the subject.
    pub key: BodyId,
    /// The URL as it was asked for.
    pub url: Box<str>,
    /// The fields to ask for it with.
    pub headers: Vec<(Box<str>, Box<str>)>,
    /// The version of HTTP that the client spoke: `Via` tells it to the vendor.
    pub http_version: Box<str>,
}

/// The name of a variant in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VariantId(pub(crate) i64);

impl From<i64> for VariantId {
    fn from(number: i64) -> Self {
        Self(number)
    }
}

/// A variant that is in use, and how far rechecks have come with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InUse {
    /// Its name.
    pub id: VariantId,
    /// What to ask for.
    pub variant: Variant,
    /// When a client asked for it last.
    pub asked: Timestamp,
    /// When it was rechecked last.
    pub checked: Option<Timestamp>,
    /// Rechecks in a row that found nothing.
    pub failures: u32,
}

/// What a recheck found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Where.
    pub id: VariantId,
    /// When.
    pub at: Timestamp,
    /// The body.
    pub digest: BodyId,
    /// Whether something else is expected there.
    pub is_drift: bool,
    /// How long ago the sighting before may be. Where nothing says so, each begins anew.
    pub patience: SignedDuration,
}

/// What follows from a sighting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighted {
    /// All variants of the subject that are in use.
    pub variants: Vec<Watched>,
    /// How the drift is kept, if it is one.
    pub drift: Option<Drift>,
}

/// How a drift is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drift {
    /// By a record of its own.
    Recorded {
        /// What nobody has been told yet.
        untold: Option<Untold>,
    },
    /// As one more of a subject that serves something else each time.
    Counted {
        /// What nobody has been told yet.
        untold: Option<Untold>,
    },
}

/// An event that is not on disk yet, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Untold {
    /// Its name, the same whenever it is told.
    pub id: Uuid,
    /// When it happened.
    pub at: Timestamp,
}

/// What a vendor serves now at one variant of a subject, as rechecks know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What a decision would be about.
    pub subject: Box<str>,
    /// The URL as it was asked for last.
    pub url: Box<str>,
    /// When a client asked for it last.
    pub asked: Timestamp,
    /// What was served at the last sighting, and since when.
    pub run: Option<Run>,
    /// Whether that was something else than expected.
    pub is_drift: bool,
    /// Since when nothing could be seen, and why.
    pub failing: Option<(Timestamp, Reason)>,
    /// Sightings of bodies that are only counted, where the subject serves something else each time.
    pub volatile: Option<u64>,
}

impl Store {
    /// Notes that a client asked for a variant. `None` where there are too many to look at.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on disk.
    pub async fn note_variant(&self, variant: Variant, at: Timestamp) -> Result<Option<InUse>, StoreError> {
        self.inner.register.change(Noted { variant, at }).await
    }

    /// Notes that something of a subject is in use that rechecks cannot look at: no cooldown counts there meanwhile.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on disk.
    pub async fn leave_variant_out(&self, subject: &str, at: Timestamp) -> Result<(), StoreError> {
        self.inner.register.change(LeftOut { subject: subject.into(), at }).await
    }

    /// All variants that are in use.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn variants_in_use(&self, now: Timestamp) -> Result<Vec<InUse>, StoreError> {
        let mut reader = self.inner.register.reader().await?;
        in_use(&mut reader.connection, now).await.map_err(reader.failed())
    }

    /// For each variant and each body on the shelf, how the vendor served it there last.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub async fn runs_of_shelved(&self) -> Result<Vec<(Variant, Run)>, StoreError> {
        let mut reader = self.inner.register.reader().await?;
        runs_of_shelved(&mut reader.connection).await.map_err(reader.failed())
    }

    /// Records what a recheck found. `None` where the variant has made room for another meanwhile.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on disk.
    pub async fn seen(&self, sighting: Sighting) -> Result<Option<Sighted>, StoreError> {
        let per_subject = self.inner.room().per_subject;
        self.inner.register.change(Seen { sighting, per_subject }).await
    }

    /// Records that a recheck found nothing: no sighting of anything.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on disk.
    pub async fn not_seen(&self, id: VariantId, at: Timestamp, reason: Reason) -> Result<(), StoreError> {
        self.inner.register.change(NotSeen { id, at, reason }).await
    }

    /// Records that a recheck was told by the vendor that it is gone. Whether that was the answer of every recheck for
    /// `patience`, in all variants of the subject that are in use.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on disk.
    pub async fn gone(
        &self,
        id: VariantId,
        at: Timestamp,
        patience: SignedDuration,
    ) -> Result<bool, StoreError> {
        let not_seen = NotSeen { id, at, reason: Reason::UpstreamStatus };
        self.inner.register.change(Gone { not_seen, patience }).await
    }

    /// Records that the event of a drift, or of a volatile subject, is on disk.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written: it will be told once more, under the same name.
    pub async fn drift_told(&self, id: Uuid) -> Result<(), StoreError> {
        self.inner.register.change(Told(id)).await
    }

    /// What vendors serve now as rechecks know it, at one subject or at all of them.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn standing(&self, subject: Option<&str>) -> Result<Vec<Standing>, StoreError> {
        let mut reader = self.inner.register.reader().await?;
        standing(&mut reader.connection, subject).await.map_err(reader.failed())
    }
}
