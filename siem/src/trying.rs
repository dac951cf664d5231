//! For how long an output has been trying in vain: for whoever watches it.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// Of one output. Clones tell of the same one.
#[derive(Clone, Debug, Default)]
pub struct Trying(watch::Sender<Option<Instant>>);

impl Trying {
    /// Since the first attempt after the last success: zero while nothing is tried. A receiver that neither takes nor refuses
    /// what it is given counts too.
    #[must_use]
    pub fn in_vain_for(&self) -> Duration {
        self.0.borrow().map(|since| since.elapsed()).unwrap_or_default()
    }

    pub(crate) fn begins(&self) {
        self.0.send_if_modified(|since| {
            let is_first = since.is_none();
            since.get_or_insert_with(Instant::now);
            is_first
        });
    }

    pub(crate) fn succeeds(&self) {
        self.0.send_replace(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_from_the_first_attempt_until_one_succeeds() {
        let trying = Trying::default();
        let since = || *trying.clone().0.borrow();
        assert_eq!(trying.in_vain_for(), Duration::ZERO);
        trying.begins();
        let first = since();
        assert!(first.is_some());
        trying.begins();
        assert_eq!(since(), first);
        trying.succeeds();
        assert_eq!(trying.in_vain_for(), Duration::ZERO);
    }
}
