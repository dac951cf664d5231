//! How often something was, by what it is about, until somebody takes the count and tells it: what comes in bursts is told in a
//! bounded number of events, however often it is and whoever makes it so.
//!
//! Counting is all that a request waits for.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
pub(crate) use pinfold_store::Count;

/// Counts that are kept apart for so many things, and together for all others.
pub(crate) struct Tally<K> {
    most: usize,
    counts: Mutex<Counts<K>>,
}

/// What was counted since it was taken last.
pub(crate) struct Counts<K> {
    pub(crate) by: HashMap<K, Count>,
    /// Of everything that found no place.
    pub(crate) others: Option<Count>,
}

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self { by: HashMap::new(), others: None }
    }
}

impl<K: Eq + Hash> Tally<K> {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, counts: Mutex::default() }
    }

    pub(crate) fn count(&self, key: K, at: Timestamp) {
        let once = Count::once(at);
        let mut counts = self.counts();
        let has_room = counts.by.len() < self.most;
        match counts.by.get_mut(&key) {
            Some(count) => *count = count.and(once),
            None if has_room => drop(counts.by.insert(key, once)),
            None => counts.others = Some(counts.others.map_or(once, |others| others.and(once))),
        }
    }

    pub(crate) fn take(&self) -> Counts<K> {
        std::mem::take(&mut *self.counts())
    }

    fn counts(&self) -> MutexGuard<'_, Counts<K>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_burst_of_one_thing_is_one_count() {
        let tally = Tally::new(2);
        for second in [5, 1, 9] {
            tally.count("ada", at(second));
        }
        let counts = tally.take();
        assert_eq!(counts.by["ada"], Count { times: 3, first: at(1), last: at(9) });
        assert_eq!((counts.by.len(), counts.others), (1, None));
        assert!(tally.take().by.is_empty(), "what was taken is not counted again");
    }

    #[test]
    fn a_flood_of_things_takes_bounded_room_and_none_is_left_out_of_the_count() {
        let tally = Tally::new(2);
        for second in 0..1000 {
            tally.count(second, at(second));
        }
        tally.count(0, at(2000));
        let Counts { by, others } = tally.take();
        assert_eq!(by.len(), 2);
        assert_eq!(by[&0].times, 2, "what has a place keeps it");
        assert_eq!(others, Some(Count { times: 998, first: at(2), last: at(999) }));
    }
}
