//! The newest policy, behind one pointer.

use std::sync::Arc;

use arc_swap::ArcSwap;
use pinfold_policy::decisions::Decisions;
use pinfold_policy::policy::{Policy, Rulebook};
use tokio::sync::watch;

/// Lays the newest decisions over the rulebook, once for each change.
pub(crate) struct PolicyCell {
    current: ArcSwap<Policy>,
    decisions: watch::Receiver<Arc<Decisions>>,
}

impl PolicyCell {
    pub(crate) fn new(rulebook: Arc<Rulebook>, decisions: watch::Receiver<Arc<Decisions>>) -> Self {
        let policy = Policy::new(rulebook, Arc::clone(&decisions.borrow()));
        Self { current: ArcSwap::from_pointee(policy), decisions }
    }

    /// The newest snapshot. An exchange takes it once and keeps it to its end.
    pub(crate) fn newest(&self) -> Arc<Policy> {
        let current = self.current.load_full();
        let decisions = Arc::clone(&self.decisions.borrow());
        if decisions.version() == current.version() {
            return current;
        }
        let newer = Arc::new(current.with(decisions));
        // Two threads may do this at once: the loser's snapshot must not replace a newer one.
        self.current
            .rcu(|held| if held.version() < newer.version() { Arc::clone(&newer) } else { Arc::clone(held) });
        self.current.load_full()
    }
}
