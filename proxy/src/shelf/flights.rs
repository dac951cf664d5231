//! One fetch for all who ask for the same at one time: the others wait for what it puts on the shelf.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use pinfold_store::shelf::Variant;
use tokio::sync::watch;

/// The fetches that others wait for.
#[derive(Debug, Default)]
pub(crate) struct Flights(Mutex<HashMap<Variant, watch::Receiver<Landing>>>);

/// A fetch that others wait for, until this is dropped.
#[derive(Debug)]
pub(crate) struct Flight {
    flights: Arc<Flights>,
    what: Variant,
    waiting: watch::Sender<Landing>,
}

/// What a fetch came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Landing {
    /// The vendor has answered, or nobody knows.
    Over,
    /// The vendor did not look at the request: that says nothing of what it would answer.
    Refused,
}

/// What to do about a body that is not on the shelf.
pub(crate) enum Joined {
    /// Fetch it.
    First(Flight),
    /// Someone does: look again when that is over.
    Behind(Ahead),
}

/// Someone else's fetch.
pub(crate) struct Ahead(watch::Receiver<Landing>);

impl Flights {
    pub(crate) fn join(self: &Arc<Self>, what: Variant) -> Joined {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.entry(what.clone()) {
            Entry::Occupied(other) => Joined::Behind(Ahead(other.get().clone())),
            Entry::Vacant(place) => {
                let (waiting, over) = watch::channel(Landing::Over);
                place.insert(over);
                Joined::First(Flight { flights: Arc::clone(self), what, waiting })
            }
        }
    }
}

impl Ahead {
    /// Waits for its end, whatever comes of it.
    pub(crate) async fn lands(mut self) -> Landing {
        while self.0.changed().await.is_ok() {}
        *self.0.borrow()
    }
}

impl Flight {
    /// The vendor did not look at it: one of those who wait may try.
    pub(crate) fn land_refused(self) {
        self.waiting.send_replace(Landing::Refused);
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.flights.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.what);
    }
}
