//! Holds that outlast the patience of who asked: they go on, and wait for the client to come back.
//!
//! A hold is found again by the same client asking for the same with the same fields: what one client's credentials
//! fetched is nobody else's.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::response::Parts;
use pinfold_policy::digest::BodyId;
use pinfold_policy::held::Held;
use pinfold_policy::kind::Kinds;
use pinfold_policy::path::Arrival;
use pinfold_store::entry::DeliveryPath;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::hold::Failed;

/// A guarded answer whose body is being held.
#[derive(Debug)]
pub(crate) struct Guarded {
    pub(crate) head: Arc<Parts>,
    pub(crate) path: Option<DeliveryPath>,
    pub(crate) arrival: Arrival,
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
    /// The hold that this client was told to come back for. Where nobody was told so, no key is made.
    pub(crate) fn take(&self, key: impl FnOnce() -> Option<Key>) -> Option<Guarded> {
        if self.all().is_empty() {
            return None;
        }
        let key = key()?;
        self.all().remove(&key)
    }

    /// Lets a hold go on until its time is over.
    pub(crate) fn put(&self, key: Key, guarded: Guarded) {
        let until = guarded.until;
        // Two asks of one client for the same: one of their holds is enough. The older one is nearer to its end; if it
        // were the younger, two clients that come back in turns would each end what the other waits for, for ever.
        let surplus = match self.all().entry(key) {
            Entry::Vacant(place) => {
                place.insert(guarded);
                None
            }
            Entry::Occupied(place) if place.get().until <= until => Some(guarded),
            Entry::Occupied(mut place) => Some(place.insert(guarded)),
        };
        if let Some(surplus) = surplus {
            surplus.hold.abort();
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn guarded(until: Instant) -> Guarded {
        let (head, ()) = http::Response::new(()).into_parts();
        let hold = tokio::spawn(std::future::pending());
        Guarded { head: head.into(), path: None, arrival: Arrival::AsKnown, kinds: Kinds::NONE, hold, until }
    }

    #[tokio::test]
    async fn of_two_holds_for_the_same_the_older_one_goes_on() {
        let key = Key::of(&[]);
        let (older, younger) =
            (Instant::now() + Duration::from_secs(60), Instant::now() + Duration::from_secs(90));
        for order in [[older, younger], [younger, older]] {
            let parked = Parked::default();
            for until in order {
                parked.put(key, guarded(until));
            }
            assert_eq!(parked.take(|| Some(key)).unwrap().until, older);
            assert!(parked.take(|| Some(key)).is_none());
        }
    }
}
