//! What was sent to a receiver that confirms nothing, and may not have got there.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::SETTLES;

/// What was sent and when, in order.
#[derive(Debug)]
pub(super) struct Unconfirmed<T>(VecDeque<(Instant, T)>);

impl<T> Unconfirmed<T> {
    pub(super) fn none() -> Self {
        Self(VecDeque::new())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn push(&mut self, at: Instant, sent: T) {
        self.0.push_back((at, sent));
    }

    /// When the first of it counts as delivered, if its connection still stands then.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.front().map(|(at, _)| *at + SETTLES)
    }

    /// When the last of it was sent.
    pub(super) fn last(&self) -> Option<Instant> {
        self.0.back().map(|(at, _)| *at)
    }

    /// Takes what counts as delivered by now, and gives the last of that.
    pub(super) fn settled(&mut self, now: Instant) -> Option<T> {
        let mut last = None;
        while let Some((_, sent)) = self.0.pop_front_if(|(at, _)| now.duration_since(*at) >= SETTLES) {
            last = Some(sent);
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_sent_is_confirmed_when_its_connection_has_stood_for_long_enough() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut unconfirmed = Unconfirmed::none();
        assert_eq!((unconfirmed.due(), unconfirmed.settled(at(1000))), (None, None));
        for sent in [1, 2, 30] {
            unconfirmed.push(at(sent), sent);
        }

        assert_eq!((unconfirmed.due(), unconfirmed.last()), (Some(at(1) + SETTLES), Some(at(30))));
        assert_eq!(unconfirmed.settled(at(1) + SETTLES - Duration::from_millis(1)), None);
        assert_eq!(unconfirmed.settled(at(2) + SETTLES), Some(2));
        assert_eq!(unconfirmed.due(), Some(at(30) + SETTLES));
        assert_eq!(unconfirmed.settled(at(1000)), Some(30));
        assert!(unconfirmed.is_empty());
    }
}
