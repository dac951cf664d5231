//! What is known of how the hosts of pins are reached.

use jiff::Timestamp;
use pinfold_policy::path::{Arrival, Mark};
use uuid::Uuid;

use crate::Store;
use crate::error::StoreError;
use crate::register::{Arrive, MarkTold};
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

impl Store {
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
