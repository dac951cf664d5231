//! From the store to one output, each event at least once.

mod batch;
mod http;
mod lines;
mod sink;
mod splunk;
mod syslog;
mod writer;

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use pinfold_store::entry::{Event, Notice, What};
use pinfold_store::{Feed, Store, StoreError};
use thiserror::Error;
use tokio::time;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::batch::Batch;
use self::sink::Sink;
use crate::observer::Observer;
use crate::output::{Output, Target};
use crate::record::Record;

/// How many events are written, and made durable, at one time.
const BATCH: usize = 256;
/// The first pause after a failure. Each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long a receiver may take to connect, to take a batch, and to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// After a stop: how long the store may take to find the next events, and a target to take them.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// Why the delivery ended early. The events are not lost: they wait in the store for the next start.
#[derive(Debug, Error)]
pub enum DeliveryError {
    /// The system has no thread left, or what it needs was not set up.
    #[error("siem output {target} cannot be started: {cause}")]
    Start {
        /// Of this output.
        target: Target,
        /// What the system says.
        cause: io::Error,
    },
    /// The gateway stops, and the output still fails.
    #[error("siem output {target} {cause}; the events wait in the store for the next start")]
    Undelivered {
        /// Of this output.
        target: Target,
        /// What the last attempt came to.
        cause: Trouble,
    },
}

/// What stands between an event and its output.
#[derive(Debug, Error)]
pub enum Trouble {
    /// The target does not take it.
    #[error("cannot be written: {0}")]
    Write(#[from] io::Error),
    /// The target neither takes it nor refuses it.
    #[error("takes no events")]
    Stuck,
    /// The store does not give it.
    #[error("gets no events from the store: {0}")]
    Store(#[from] StoreError),
}

impl Trouble {
    /// Whether another attempt must end the same way.
    fn is_final(&self) -> bool {
        matches!(self, Self::Store(StoreError::Closed | StoreError::NotTheGateway))
    }
}

/// Delivers events as they come, until the store is settled and they have all been delivered.
///
/// A failing output is warned of once and tried again with growing pauses; meanwhile its events wait in the store.
/// After `stop` nothing is waited for any more: what is there is delivered, a failing output tried once more. It is
/// meant to follow [`Store::settle`]. Dropping the future at any time costs no event.
///
/// # Errors
/// [`DeliveryError`] when events could not be delivered before the end. They are after the next start.
pub async fn deliver(
    output: Output,
    store: Store,
    observer: Observer,
    stop: CancellationToken,
) -> Result<(), DeliveryError> {
    let target = &output.target;
    let mut sink = Sink::of(&output, &observer)
        .map_err(|cause| DeliveryError::Start { target: target.clone(), cause })?;
    let mut attempts = Attempts { target, stop: &stop, pause: FIRST_PAUSE, failing: false };
    let mut feed = store.feed(&output.name(), output.repeats);
    while let Some(events) = next(&mut feed, &mut sink, &mut attempts).await? {
        let records = events.iter().map(|event| Record::of(event, output.format, &observer)).collect();
        match send(&mut sink, Batch::of(records), &mut feed, &mut attempts, output.max_backlog).await? {
            Sent::All => acknowledge(&mut feed, &mut attempts).await?,
            Sent::TooMuchWaits => pass_over(&mut feed, &store, &output, &mut attempts).await?,
        }
    }
    // A receiver that does not take its leave does not hold up the end.
    let _ = time::timeout(LAST_WAIT, sink.close()).await;
    Ok(())
}

/// The next events; none when the store is settled, or the gateway stops, and there are no more.
async fn next(
    feed: &mut Feed,
    sink: &mut Sink,
    attempts: &mut Attempts<'_>,
) -> Result<Option<Vec<Event>>, DeliveryError> {
    loop {
        let mut next = std::pin::pin!(feed.next(BATCH));
        let events = tokio::select! {
            biased;
            events = &mut next => events,
            () = sink.watch() => continue,
            () = attempts.stop.cancelled() => match time::timeout(LAST_WAIT, next).await {
                Ok(events) => events,
                Err(time::error::Elapsed { .. }) => return Ok(None),
            },
        };
        match events {
            Ok(events) => return Ok(Some(events).filter(|events| !events.is_empty())),
            Err(error) => attempts.failed(error.into()).await?,
        }
    }
}

/// What became of a batch.
enum Sent {
    All,
    /// It was not sent, or not wholly, and more waits behind it than may.
    TooMuchWaits,
}

async fn send(
    sink: &mut Sink,
    mut batch: Batch,
    feed: &mut Feed,
    attempts: &mut Attempts<'_>,
    max_backlog: u64,
) -> Result<Sent, DeliveryError> {
    loop {
        let outcome = tokio::select! {
            biased;
            outcome = sink.send(&mut batch) => outcome,
            () = stuck(attempts.stop) => return Err(attempts.give_up(Trouble::Stuck)),
        };
        match outcome {
            Ok(()) => {
                attempts.worked();
                return Ok(Sent::All);
            }
            Err(cause) => attempts.failed(cause.into()).await?,
        }
        // Where that cannot be read, it is looked at after the next attempt.
        if feed.backlog().await.is_ok_and(|waits| waits > max_backlog) {
            return Ok(Sent::TooMuchWaits);
        }
    }
}

/// Passes over the oldest events and tells of it, in the ledger and so to every output.
async fn pass_over(
    feed: &mut Feed,
    store: &Store,
    output: &Output,
    attempts: &mut Attempts<'_>,
) -> Result<(), DeliveryError> {
    let passed = loop {
        match feed.pass_over(output.max_backlog).await {
            Ok(Some(passed)) => break passed,
            Ok(None) => return Ok(()),
            Err(error) => attempts.failed(error.into()).await?,
        }
    };
    let text = format!("{passed} were passed over: more than {} bytes waited", output.max_backlog);
    tracing::error!("siem output {}: {text}; they are in the ledger", output.target);
    let notice = Notice {
        id: Uuid::now_v7(),
        at: Timestamp::now(),
        what: What::FeedOverflow,
        who: None,
        subject: Some(output.name().into()),
        digest: None,
        incident: None,
        text: text.into(),
        policy_version: store.decisions().borrow().version(),
    };
    while let Err(error) = store.notice(notice.clone()).await {
        attempts.failed(error.into()).await?;
    }
    Ok(())
}

/// Ends some time after the stop.
async fn stuck(stop: &CancellationToken) {
    stop.cancelled().await;
    time::sleep(LAST_WAIT).await;
}

async fn acknowledge(feed: &mut Feed, attempts: &mut Attempts<'_>) -> Result<(), DeliveryError> {
    while let Err(error) = feed.acknowledge().await {
        attempts.failed(error.into()).await?;
    }
    Ok(())
}

/// How often something was tried in vain, and what follows.
struct Attempts<'a> {
    target: &'a Target,
    stop: &'a CancellationToken,
    pause: Duration,
    failing: bool,
}

impl Attempts<'_> {
    fn worked(&mut self) {
        if self.failing {
            tracing::info!("siem output {} works again: events are delivered", self.target);
        }
        self.failing = false;
        self.pause = FIRST_PAUSE;
    }

    /// Returns when it is time to try again, which is at once, and for the last time, when the gateway stops.
    async fn failed(&mut self, cause: Trouble) -> Result<(), DeliveryError> {
        if self.stop.is_cancelled() || cause.is_final() {
            return Err(self.give_up(cause));
        }
        // One warning for as long as it lasts: the disk that is full may be the one that holds the log.
        if !self.failing {
            tracing::warn!(
                "siem output {} {cause}; its events wait in the store, and are tried again until it works",
                self.target
            );
        }
        self.failing = true;
        tokio::select! {
            () = time::sleep(jittered(self.pause)) => self.pause = LONGEST_PAUSE.min(self.pause * 2),
            () = self.stop.cancelled() => {}
        }
        Ok(())
    }

    fn give_up(&self, cause: Trouble) -> DeliveryError {
        DeliveryError::Undelivered { target: self.target.clone(), cause }
    }
}

/// Somewhere between half of a pause and the whole: outputs that failed together do not all come back together.
fn jittered(pause: Duration) -> Duration {
    // Without a random number it is the whole.
    let part = getrandom::u32().map_or(1.0, |number| 0.5 + f64::from(number) / f64::from(u32::MAX) / 2.0);
    pause.mul_f64(part)
}

#[cfg(test)]
mod tests;
