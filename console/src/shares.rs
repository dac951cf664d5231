//! How much of something one of many may have at one time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// What each has now, by whom.
#[derive(Debug)]
pub(crate) struct Shares<K: Eq + Hash> {
    most: usize,
    taken: Mutex<HashMap<K, usize>>,
}

impl<K: Clone + Eq + Hash> Shares<K> {
    /// So many for each.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::default() })
    }

    /// One more, unless they have as many as they may. It is given back when it is dropped.
    pub(crate) fn take(self: &Arc<Self>, whose: K) -> Option<Share<K>> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_one = taken.entry(whose.clone()).or_default();
        if *of_one >= self.most {
            return None;
        }
        *of_one += 1;
        Some(Share { shares: Arc::clone(self), whose })
    }
}

/// One of those that somebody may have.
#[derive(Debug)]
pub(crate) struct Share<K: Eq + Hash> {
    shares: Arc<Shares<K>>,
    whose: K,
}

impl<K: Eq + Hash> Drop for Share<K> {
    fn drop(&mut self) {
        let mut taken = self.shares.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_one) = taken.get_mut(&self.whose) {
            *of_one -= 1;
            if *of_one == 0 {
                taken.remove(&self.whose);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_all_of_theirs_takes_none_of_anybody_elses_and_gives_back_what_they_had() {
        let shares = Shares::new(2);
        let first = shares.take("ada").unwrap();
        let _second = shares.take("ada").unwrap();
        assert!(shares.take("ada").is_none());
        let others = [shares.take("eve").unwrap(), shares.take("eve").unwrap()];
        drop(first);
        assert!(shares.take("ada").is_some());
        drop(others);
        assert_eq!(shares.taken.lock().unwrap().len(), 1, "who has none is forgotten");
    }
}
