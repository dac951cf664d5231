//! The gateway's test of itself, again and again, and what is told of it: once when it begins to fail, once when it has
//! recovered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use pinfold_proxy::{CANARY_HOST, Gauge};
use pinfold_store::Store;
use pinfold_store::entry::{Notice, What};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// How long after its time a test may be due, before it is taken for one that does not come any more.
const OVERDUE: Duration = Duration::from_secs(60);

/// What is known of it. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Canary {
    /// None where there is none.
    every: Option<Duration>,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    passed: u64,
    failed: u64,
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    at: Instant,
    trouble: Option<String>,
}

/// For metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Runs {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// Whether the last one passed.
    pub(crate) holds: Option<bool>,
}

/// What has changed with a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Failed,
    Recovered,
}

impl Canary {
    pub(crate) fn new(every: Option<Duration>) -> Self {
        Self { every, known: Arc::default() }
    }

    /// Why the gateway is not ready, as far as the canary can tell.
    pub(crate) fn trouble(&self) -> Option<String> {
        let every = self.every?;
        match &self.known().last {
            None => Some("the first test has not ended".to_owned()),
            Some(Last { at, .. }) if at.elapsed() > every + OVERDUE => {
                Some(format!("no test has ended for {} s", at.elapsed().as_secs()))
            }
            Some(Last { trouble, .. }) => trouble.clone(),
        }
    }

    pub(crate) fn runs(&self) -> Runs {
        let Known { passed, failed, ref last } = *self.known();
        Runs { passed, failed, holds: last.as_ref().map(|last| last.trouble.is_none()) }
    }

    /// Tests the gateway until `stop`.
    pub(crate) async fn run(
        self,
        canary: pinfold_proxy::Canary,
        gauge: Gauge,
        store: Store,
        stop: CancellationToken,
    ) {
        let Some(every) = self.every else { return };
        let mut times = interval(every);
        times.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let trouble = tokio::select! {
                () = stop.cancelled() => return,
                trouble = async {
                    times.tick().await;
                    canary.test().await.err().map(|fault| fault.to_string())
                } => trouble,
            };
            let Some(turn) = self.learn(trouble.clone()) else { continue };
            let notice = told(turn, trouble, gauge.policy_version());
            if let Err(error) = store.notice(notice).await {
                tracing::error!(%error, "cannot record what became of the canary");
            }
        }
    }

    /// Takes what came of a test, and says whether that is another thing than before.
    fn learn(&self, trouble: Option<String>) -> Option<Turn> {
        let mut known = self.known();
        let fails = trouble.is_some();
        let failed = known.last.as_ref().is_some_and(|last| last.trouble.is_some());
        if fails {
            known.failed += 1;
        } else {
            known.passed += 1;
        }
        known.last = Some(Last { at: Instant::now(), trouble });
        match (failed, fails) {
            (false, true) => Some(Turn::Failed),
            (true, false) => Some(Turn::Recovered),
            (true, true) | (false, false) => None,
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn told(turn: Turn, trouble: Option<String>, policy_version: u64) -> Notice {
    let text =
        trouble.unwrap_or_else(|| "the tampered artifact was refused, the reviewed one released".to_owned());
    let what = match turn {
        Turn::Failed => {
            tracing::error!("the canary failed, and this gateway is not ready: {text}");
            What::CanaryFailed
        }
        Turn::Recovered => {
            tracing::info!("the canary recovered: {text}");
            What::CanaryRecovered
        }
    };
    Notice::of_gateway(what, Timestamp::now(), text, policy_version).about(CANARY_HOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_once_that_it_fails_and_once_that_it_has_recovered() {
        let canary = Canary::new(Some(Duration::from_secs(60)));
        assert!(canary.trouble().is_some(), "before the first test nothing is known");
        let turns =
            [None, Some("a"), Some("b"), None, None].map(|trouble| canary.learn(trouble.map(str::to_owned)));
        assert_eq!(turns, [None, Some(Turn::Failed), None, Some(Turn::Recovered), None]);
        assert_eq!(canary.runs(), Runs { passed: 3, failed: 2, holds: Some(true) });
        assert_eq!(canary.trouble(), None);
    }

    #[test]
    fn one_that_fails_from_the_beginning_is_told_too() {
        let canary = Canary::new(Some(Duration::from_secs(60)));
        assert_eq!(canary.learn(Some("a".to_owned())), Some(Turn::Failed));
        assert_eq!(canary.trouble().as_deref(), Some("a"));
    }

    #[test]
    fn one_that_is_off_troubles_nobody() {
        assert_eq!(Canary::new(None).trouble(), None);
    }
}
