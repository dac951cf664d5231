//! From the store to one output, each event at least once.

mod batch;
mod http;
mod lines;
mod mask;
mod sink;
mod splunk;
mod syslog;
mod unconfirmed;
mod unsent;
mod writer;

use std::io;
use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use pinfold_store::entry::{Event, Notice, What};
use pinfold_store::{Feed, Given, Store, StoreError};
use thiserror::Error;
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use self::batch::Batch;
use self::sink::Sink;
use self::unconfirmed::Unconfirmed;
use self::unsent::{Refusal, Unsent};
use crate::observer::Observer;
use crate::output::{Output, Target};
use crate::record::Record;
use crate::trying::Trying;

/// How many events are read, and made durable, at one time.
const BATCH: usize = 256;
/// The first pause after a failure. Each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long a receiver may take to connect, to take a batch, and to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Without a confirmation: for how long a connection must stand for what was written on it to count as delivered. nginx tries
/// for a minute to reach whom it relays to.
const SETTLES: Duration = Duration::from_secs(90);
/// Without a confirmation: how long after the last event the connection is ended here, before a receiver or a balancer ends it
/// for idleness. No relay is likely to give up between this and [`ANSWERS`] later: they do after 10, 15, 20 seconds.
const IDLE: Duration = Duration::from_secs(11);
/// How long a receiver may take to end a connection as well.
const ANSWERS: Duration = Duration::from_secs(3);
/// How old a connection is when a relay may give up to reach a receiver, and end it as one that has everything would.
const GIVES_UP: Range<Duration> = Duration::from_secs(25)..Duration::from_secs(65);
/// How long a firewall that forbade an event for what is in it counts as one that does so.
const FORBIDS: Duration = Duration::from_secs(5 * 60);
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
/// A failing output is warned of once and tried again with growing pauses; meanwhile its events wait in the store. So does what
/// was sent to a receiver that confirms nothing, until its connection has stood for 90 seconds, or was ended here, because
/// nothing more came, and by the receiver too. An event that its receiver refuses, and no other, is set aside, and told of.
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
    deliver_until_idle(IDLE, output, store, observer, stop).await
}

async fn deliver_until_idle(
    idle: Duration,
    output: Output,
    store: Store,
    observer: Observer,
    stop: CancellationToken,
) -> Result<(), DeliveryError> {
    let target = &output.target;
    let sink = Sink::of(&output, &observer)
        .map_err(|cause| DeliveryError::Start { target: target.clone(), cause })?;
    let trying = &output.trying;
    let attempts = Attempts { target, stop: &stop, trying, pause: FIRST_PAUSE, failing: false };
    let feed = store.feed(&output.name(), output.repeats);
    let (unconfirmed, is_doubted, answers_an_end) = (Unconfirmed::none(), false, true);
    let (forbidden, forbids_until, refused) = (None, None, 0);
    let (output, store, observer) = (&output, &store, &observer);
    let mut delivery = Delivery {
        output,
        store,
        observer,
        sink,
        feed,
        attempts,
        unconfirmed,
        is_doubted,
        idle,
        answers_an_end,
        forbidden,
        forbids_until,
        refused,
    };
    while let Some(events) = delivery.next().await? {
        let records = events.iter().map(|event| Record::of(event, output.format, observer)).collect();
        match delivery.send(Batch::of(records)).await? {
            Sent::All => delivery.sent().await?,
            Sent::ComesAnew => {}
        }
    }
    delivery.end().await
}

/// What became of a batch.
enum Sent {
    /// It was sent, but for events that were set aside.
    All,
    /// It was not sent, or not wholly. The feed has what comes next.
    ComesAnew,
}

/// What happens first while nothing is sent.
enum Woken {
    /// The next events, or none if there will be none.
    Next(Result<Vec<Event>, StoreError>),
    /// The receiver has gone.
    ReceiverGone,
    /// Something that was sent counts as delivered.
    Settled,
    /// Nothing came for a while after what was sent.
    Idle,
    Stopped,
}

/// One output, and all that its delivery needs.
struct Delivery<'a> {
    output: &'a Output,
    store: &'a Store,
    observer: &'a Observer,
    sink: Sink,
    feed: Feed,
    attempts: Attempts<'a>,
    unconfirmed: Unconfirmed<Given>,
    /// What was written was lost, or may be, and nothing that was written since is confirmed.
    is_doubted: bool,
    /// How long after the last event a connection is ended here.
    idle: Duration,
    /// Whether the receiver is likely to end a connection that is ended here.
    answers_an_end: bool,
    /// The event that was forbidden alone, and was not tried again since.
    forbidden: Option<String>,
    /// Until when whoever forbids an event is known to do so for what is in it.
    forbids_until: Option<Instant>,
    /// How many events were set aside since the start.
    refused: u64,
}

impl Delivery<'_> {
    /// The next events; none when the store is settled, or the gateway stops, and there are no more.
    async fn next(&mut self) -> Result<Option<Vec<Event>>, DeliveryError> {
        loop {
            match self.wait().await {
                Woken::Next(Ok(events)) => return Ok(Some(events).filter(|events| !events.is_empty())),
                Woken::Next(Err(error)) => self.attempts.failed(error.into()).await?,
                Woken::ReceiverGone => {
                    self.receiver_gone().await?;
                }
                Woken::Settled => self.confirm().await?,
                Woken::Idle => self.take_leave().await?,
                Woken::Stopped => return Ok(None),
            }
        }
    }

    async fn wait(&mut self) -> Woken {
        let (due, leaves) = (self.unconfirmed.due(), self.leaves());
        let mut next = std::pin::pin!(self.feed.next(BATCH));
        tokio::select! {
            biased;
            events = &mut next => Woken::Next(events),
            () = self.sink.gone() => Woken::ReceiverGone,
            () = time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Woken::Settled,
            () = time::sleep_until(leaves.unwrap_or_else(Instant::now)), if leaves.is_some() => Woken::Idle,
            () = self.attempts.stop.cancelled() => match time::timeout(LAST_WAIT, next).await {
                Ok(events) => Woken::Next(events),
                Err(time::error::Elapsed { .. }) => Woken::Stopped,
            },
        }
    }

    async fn send(&mut self, mut batch: Batch) -> Result<Sent, DeliveryError> {
        while !batch.rest().is_empty() {
            if self.sink.is_gone()
                && let Sent::ComesAnew = self.receiver_gone().await?
            {
                return Ok(Sent::ComesAnew);
            }
            self.attempts.trying.begins();
            let cause = match self.try_to_send(&mut batch).await? {
                Ok(()) => {
                    self.worked();
                    continue;
                }
                Err(Unsent::Refused(refusal)) if batch.lessen(refusal.at) => continue,
                Err(Unsent::Refused(refusal)) => match self.set_aside(&mut batch, refusal).await? {
                    Ok(()) => continue,
                    Err(cause) => cause,
                },
                Err(Unsent::Trouble(cause)) => cause,
            };
            if let Sent::ComesAnew = self.failed(cause).await? {
                return Ok(Sent::ComesAnew);
            }
        }
        Ok(Sent::All)
    }

    /// A batch has been sent.
    async fn sent(&mut self) -> Result<(), DeliveryError> {
        if self.sink.confirms() {
            return self.acknowledge(self.feed.given()).await;
        }
        self.unconfirmed.push(Instant::now(), self.feed.given());
        self.confirm().await
    }

    /// Acknowledges what was sent so long ago that the receiver has it, if it is still there.
    async fn confirm(&mut self) -> Result<(), DeliveryError> {
        if self.sink.is_gone() {
            self.receiver_gone().await?;
            return Ok(());
        }
        let Some(given) = self.unconfirmed.settled(Instant::now()) else { return Ok(()) };
        self.is_doubted = false;
        self.worked();
        self.acknowledge(given).await
    }

    /// When the connection is to be ended here.
    fn leaves(&self) -> Option<Instant> {
        let (opened, last) = (self.sink.opened()?, self.unconfirmed.last()?);
        self.answers_an_end.then(|| leaves(opened, last, self.idle))
    }

    /// Ends the connection, as at a stop: a receiver that does so as well has everything. The next event opens another.
    async fn take_leave(&mut self) -> Result<(), DeliveryError> {
        if !time::timeout(ANSWERS, self.sink.close()).await.unwrap_or(false) {
            // The next connection has to stand for long enough.
            self.answers_an_end = false;
            self.failed(unanswered()).await?;
            return Ok(());
        }
        self.unconfirmed = Unconfirmed::none();
        self.is_doubted = false;
        self.worked();
        self.acknowledge(self.feed.given()).await
    }

    /// Whoever leaves soon after something was written may be a relay, which found nobody to pass it on to. What is
    /// unconfirmed comes anew, after a pause.
    async fn receiver_gone(&mut self) -> Result<Sent, DeliveryError> {
        if self.unconfirmed.is_empty() {
            return Ok(Sent::All);
        }
        self.answers_an_end = true;
        self.failed(ended()).await
    }

    /// That it can be written to proves nothing where that was in vain before.
    fn worked(&mut self) {
        if !self.is_doubted {
            self.attempts.worked();
        }
    }

    /// Returns when it is time to try again: the same, or what the feed gives then.
    async fn failed(&mut self, cause: io::Error) -> Result<Sent, DeliveryError> {
        self.attempts.failed(cause.into()).await?;
        let comes_anew = !self.unconfirmed.is_empty();
        if comes_anew {
            self.is_doubted = true;
            self.unconfirmed = Unconfirmed::none();
            self.feed.rewind();
        }
        // Where that cannot be read, it is looked at after the next attempt.
        if self.feed.backlog().await.is_ok_and(|waits| waits > self.output.max_backlog) {
            self.pass_over().await?;
            return Ok(Sent::ComesAnew);
        }
        Ok(if comes_anew { Sent::ComesAnew } else { Sent::All })
    }

    /// Ends the connection. What a receiver has not read then is delivered by the next start.
    async fn end(mut self) -> Result<(), DeliveryError> {
        // A receiver that does not take its leave does not hold up the end.
        let has_all = time::timeout(LAST_WAIT, self.sink.close()).await.unwrap_or(false);
        if self.unconfirmed.is_empty() {
            return Ok(());
        }
        if !has_all {
            return Err(self.attempts.give_up(ended().into()));
        }
        self.acknowledge(self.feed.given()).await
    }

    async fn try_to_send(&mut self, batch: &mut Batch) -> Result<Result<(), Unsent>, DeliveryError> {
        tokio::select! {
            biased;
            outcome = self.sink.send(batch) => Ok(outcome),
            () = stuck(self.attempts.stop) => Err(self.attempts.give_up(Trouble::Stuck)),
        }
    }

    /// Gives up the next event, which was refused alone, once the receiver takes word of that in its place: one that refuses
    /// everything is in trouble of its own, and costs no event. The word is in the ledger before anything is acknowledged.
    async fn set_aside(
        &mut self,
        batch: &mut Batch,
        refusal: Refusal,
    ) -> Result<Result<(), io::Error>, DeliveryError> {
        let Some(event) = batch.rest().first() else { return Ok(Ok(())) };
        let (is_forbidden, now) = (refusal.may_be_about_who_asks(), Instant::now());
        let is_again = self.forbidden.as_ref() == Some(&event.id);
        // Once is not enough then, but for a firewall that is known: any client could delay every event.
        if is_forbidden && !is_again && self.forbids_until.is_none_or(|until| until <= now) {
            self.forbidden = Some(event.id.clone());
            return Ok(Err(refusal.story));
        }
        let (id, code, len) = (&event.id, &event.code, event.line.len());
        let text = format!("event {id} ({code}), {len} bytes, is refused with {}", refusal.in_short());
        let notice = self.notice(What::EventRefused, text);
        let word = Record::of(&Event::Notice(notice.clone()), self.output.format, self.observer);
        // Word of words would never end where a receiver takes the one and not the other.
        let is_word = word.code == *code;
        if let Err(unsent) = self.try_to_send(&mut Batch::of(vec![word])).await? {
            return Ok(Err(unsent.into_trouble()));
        }
        self.worked();
        if is_forbidden && is_again {
            self.forbids_until = Some(now + FORBIDS);
        }
        self.refused += 1;
        let (target, count, story) = (&self.output.target, self.refused, refusal.story);
        tracing::error!(
            "siem output {target}: event {id} is refused for good ({count} since the start): {story}; it is in the ledger"
        );
        if !is_word {
            self.tell(notice).await?;
        }
        batch.advance(1);
        Ok(Ok(()))
    }

    /// Passes over the oldest events and tells of it, in the ledger and so to every output: first, so that a kill in between
    /// has it told twice, and never not at all.
    async fn pass_over(&mut self) -> Result<(), DeliveryError> {
        let most = self.output.max_backlog;
        let passed = loop {
            match self.feed.pass_over(most).await {
                Ok(Some(passed)) => break passed,
                Ok(None) => return Ok(()),
                Err(error) => self.attempts.failed(error.into()).await?,
            }
        };
        let text = format!("{passed} were passed over: more than {most} bytes waited");
        tracing::error!("siem output {}: {text}; they are in the ledger", self.output.target);
        self.tell(self.notice(What::FeedOverflow, text)).await?;
        self.acknowledge(self.feed.given()).await
    }

    fn notice(&self, what: What, text: String) -> Notice {
        // What goes out at once is the same line as what the ledger gives out later.
        let now = Timestamp::now();
        let at = Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now);
        let version = self.store.decisions().borrow().version();
        Notice::of_gateway(what, at, text, version).about(self.output.name())
    }

    /// On disk when this returns.
    async fn tell(&mut self, notice: Notice) -> Result<(), DeliveryError> {
        while let Err(error) = self.store.notice(notice.clone()).await {
            self.attempts.failed(error.into()).await?;
        }
        Ok(())
    }

    async fn acknowledge(&mut self, given: Given) -> Result<(), DeliveryError> {
        while let Err(error) = self.feed.acknowledge(given.clone()).await {
            self.attempts.failed(error.into()).await?;
        }
        Ok(())
    }
}

/// What is said of a receiver that left too early.
fn ended() -> io::Error {
    io::Error::other("the receiver ends the connection on which events were written lately")
}

/// What is said of a receiver that stays where it is not talked to any more.
fn unanswered() -> io::Error {
    io::Error::other("the receiver does not end the connection that is ended here")
}

/// When a connection is ended here: some time after the last event, and not while its end may be that of a relay's attempts.
fn leaves(opened: Instant, last: Instant, idle: Duration) -> Instant {
    let leaves = last + idle;
    if leaves < opened + GIVES_UP.start { leaves } else { leaves.max(opened + GIVES_UP.end) }
}

/// Ends some time after the stop.
async fn stuck(stop: &CancellationToken) {
    stop.cancelled().await;
    time::sleep(LAST_WAIT).await;
}

/// How often something was tried in vain, and what follows.
struct Attempts<'a> {
    target: &'a Target,
    stop: &'a CancellationToken,
    trying: &'a Trying,
    pause: Duration,
    failing: bool,
}

impl Attempts<'_> {
    fn worked(&mut self) {
        if self.failing {
            tracing::info!("siem output {} works again: events are delivered", self.target);
        }
        self.trying.succeeds();
        self.failing = false;
        self.pause = FIRST_PAUSE;
    }

    /// Returns when it is time to try again, which is at once, and for the last time, when the gateway stops.
    async fn failed(&mut self, cause: Trouble) -> Result<(), DeliveryError> {
        self.trying.begins();
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
