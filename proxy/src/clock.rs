//! The wall clock by which the gateway judges, records and plans.
//!
//! It is passed in: whoever shows what happens in a week moves it. Bounds on the network are not measured by it. They run on
//! tokio's clock, which nobody sets.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

/// The system's clock may be set while one waits for it: it is looked at again at least this often.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What time it is. Clones tell the same time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system's time.
    System,
    /// The time that a [`Hand`] shows.
    Moved(watch::Receiver<Timestamp>),
}

/// Moves a clock.
#[derive(Debug)]
pub struct Hand(watch::Sender<Timestamp>);

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::System
    }

    /// A clock that stands at `start` until its hand is moved.
    #[must_use]
    pub fn moved(start: Timestamp) -> (Self, Hand) {
        let (hand, clock) = watch::channel(start);
        (Self::Moved(clock), Hand(hand))
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Moved(clock) => *clock.borrow(),
        }
    }

    /// Waits until it is `at` or later, or the clock was set back meanwhile: whoever waits looks what time it is.
    pub async fn sleep_until(&self, at: Timestamp) {
        let mut before = self.now();
        match self {
            Self::System => loop {
                let now = self.now();
                // Negative where it is over.
                let left = Duration::try_from(at.duration_since(now)).unwrap_or_default();
                if left.is_zero() || now < before {
                    return;
                }
                before = now;
                tokio::time::sleep(left.min(LOOK_AGAIN)).await;
            },
            Self::Moved(clock) => {
                if clock.clone().wait_for(|now| *now >= at || *now < before).await.is_err() {
                    // Nobody can move it any more: it never gets there.
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

impl Hand {
    /// Moves the clock to `at`, and wakes who waits for it.
    pub fn move_to(&self, at: Timestamp) {
        self.0.send_replace(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[tokio::test]
    async fn a_moved_clock_wakes_who_waits_for_it() {
        let (clock, hand) = Clock::moved(second(1000));
        assert_eq!(clock.now(), second(1000));
        let waiting = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock.sleep_until(second(1060)).await;
                clock.now()
            }
        });
        tokio::task::yield_now().await;
        hand.move_to(second(1059));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        hand.move_to(second(1061));
        assert_eq!(waiting.await.unwrap(), second(1061));
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_wakes_too() {
        let (clock, hand) = Clock::moved(second(1000));
        let (waiting, back) = (clock.sleep_until(second(1060)), second(900));
        tokio::join!(waiting, async { hand.move_to(back) });
        assert_eq!(clock.now(), back);
    }

    #[tokio::test]
    async fn nobody_waits_for_what_is_over() {
        let (moved, _hand) = Clock::moved(second(1000));
        for clock in [moved, Clock::system()] {
            clock.sleep_until(second(1000)).await;
        }
    }
}
