//! What is known of how the hosts of pins are reached.

use jiff::Timestamp;
use pinfold_policy::digest::Digests;
use pinfold_policy::path::{Arrival, Mark};
use uuid::Uuid;

use crate::Store;
use crate::error::StoreError;
use crate::incident::Incident;
use crate::register::{Arrive, MarkTold, refused_marks};
use crate::sighting::Untold;

/// Issuers of one host that are told apart, and as many ranges. Beyond them nothing is told, and nothing new is known, until
/// one has not been seen for a week.
pub const MAX_MARKS: u64 = 64;

/// What follows from one arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// How the path looks.
    pub arrival: Arrival,
    /// Whether the host is still being learned: the next arrival counts too.
    pub is_learning: bool,
    /// What nobody has been told yet.
    pub news: Vec<News>,
}

/// A mark that is a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// The event to tell it with.
    pub untold: Untold,
    /// The mark.
    pub mark: Mark,
    /// Whether there is no place for further ones of its kind.
    pub is_last: bool,
}

/// A mark for which the body of an item was refused, as it is shown to whoever decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedMark {
    /// The host that was reached so.
    pub host: Box<str>,
    /// What it is a mark of: `issuer`, `range`.
    pub aspect: Box<str>,
    /// The issuer's organisation, or the block of addresses.
    pub value: Box<str>,
}

impl RefusedMark {
    /// What stands for all of these in a form: whoever approves agrees to what they were shown, and to no more.
    #[must_use]
    pub fn all_shown(marks: &[Self]) -> String {
        let mut all: Vec<_> = marks.iter().map(|mark| [&*mark.host, &*mark.aspect, &*mark.value]).collect();
        all.sort_unstable();
        Digests::of(serde_json::json!(all).to_string().as_bytes()).sha256.to_hex()
    }
}

impl Store {
    /// What an approval of this item would admit: the marks for which it was refused and that nobody has approved of, by
    /// whichever of its paths.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn refused_marks(&self, incident: Incident) -> Result<Vec<RefusedMark>, StoreError> {
        let mut reader = self.inner.register.reader().await?;
        refused_marks(&mut reader.connection, incident).await.map_err(reader.failed())
    }

    /// Notes that `host` was reached by a path with these marks. Where a change is not to be held (`holds`), telling it makes
    /// it known.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on disk.
    pub async fn arrived(
        &self,
        host: &str,
        marks: Vec<Mark>,
        holds: bool,
        at: Timestamp,
    ) -> Result<Arrived, StoreError> {
        self.inner.register.change(Arrive { host: host.into(), marks, holds, at }).await
    }

    /// Counts an exchange that ends because [`Store::arrived`] could not say what is known.
    pub fn miss_arrival(&self, at: Timestamp) {
        self.inner.miss_exchange(at);
    }

    /// Records that the event of a changed path is on disk.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written: it will be told once more, under the same name.
    pub async fn path_change_told(&self, id: Uuid) -> Result<(), StoreError> {
        self.inner.register.change(MarkTold(id)).await
    }
}
