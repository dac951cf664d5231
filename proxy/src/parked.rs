//! Holds that outlast the patience of who asked: they go on, and wait for the client to come back.
//!
//! A hold is found again by the same client asking for the same with the same fields: what one client's credentials
//! fetched is nobody else's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::response::Parts;
use pinfold_policy::digest::BodyId;
use pinfold_policy::held::Held;
use pinfold_policy::kind::Kinds;
use pinfold_store::entry::DeliveryPath;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::hold::Failed;

/// A guarded answer whose body is being held.
#[derive(Debug)]
pub(crate) struct Guarded {
    pub(crate) head: Parts,
    pub(crate) path: Option<DeliveryPath>,
    pub(crate) kinds: Kinds,
    /// Ends by itself, at the latest at `until`.
    pub(crate) hold: JoinHandle<Result<Held, Failed>>,
    /// When it is given up, whether or not anybody came back.
    pub(crate) until: Instant,
}

/// What tells one ask from another: a digest over all that a vendor's answer may depend on.
pub(crate) type Key = BodyId;

/// Holds that wait for their clients.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parked(Arc<Mutex<HashMap<Key, Guarded>>>);

impl Parked {
    /// The hold that this client was told to come back for.
    pub(crate) fn take(&self, key: &Key) -> Option<Guarded> {
        self.all().remove(key)
    }

    /// Lets a hold go on until its time is over.
    pub(crate) fn put(&self, key: Key, guarded: Guarded) {
        let until = guarded.until;
        // Two asks of one client for the same: one of their holds is enough.
        if let Some(other) = self.all().insert(key, guarded) {
            other.hold.abort();
        }
        let parked = self.clone();
        tokio::spawn(async move {
            sleep_until(until).await;
            parked.drop_if_over(&key);
        });
    }

    fn drop_if_over(&self, key: &Key) {
        let mut all = self.all();
        if all.get(key).is_some_and(|guarded| guarded.until <= Instant::now())
            && let Some(guarded) = all.remove(key)
        {
            guarded.hold.abort();
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Key, Guarded>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
