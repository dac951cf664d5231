//! The feed: events in the order in which they became final, for each output from where it has come to.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::entry::Event;
use crate::error::StoreError;
use crate::ledger::{EventReader, Stream, Tips, month_file};
use crate::month::Month;
use crate::place::Place;
use crate::register::{Advance, cursors};
use crate::sqlite::{int, uint};
use crate::{Inner, Ledger};

/// How an output wants exchanges that repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Repeats {
    /// One event for those alike of a minute, when the minute is over.
    Counted,
    /// One event for each, as soon as it is on disk. Whether it was delivered whole is not known then.
    Each,
}

/// The events of one output.
#[derive(Debug)]
pub struct Feed {
    store: Arc<Inner>,
    output: Box<str>,
    stream: Stream,
    tips: Option<watch::Receiver<Tips>>,
    /// Of the month that was read last.
    reader: Option<EventReader>,
    /// Given out up to here; none before the first look.
    given: Option<BTreeMap<Month, Place>>,
    /// Acknowledged up to here.
    acknowledged: BTreeMap<Month, Place>,
}

/// How far a feed had been given out at some time.
#[derive(Clone, Debug)]
pub struct Given(BTreeMap<Month, Place>);

/// Events that an output will never get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// How many.
    pub events: u64,
    first: Month,
    last: Month,
}

impl fmt::Display for PassedOver {
    /// `17 events of 2026-10`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, first, last } = self;
        match first == last {
            true => write!(f, "{events} events of {first}"),
            false => write!(f, "{events} events of {first} to {last}"),
        }
    }
}

/// What of a month waits for an output.
struct Waiting {
    month: Month,
    after: i64,
    tip: i64,
    /// The file's length, in bytes.
    len: u64,
}

impl Waiting {
    fn bytes(&self) -> u64 {
        uint(self.tip - self.after).saturating_mul(self.of_each())
    }

    /// At least one: what waits never takes nothing.
    fn of_each(&self) -> u64 {
        (self.len / uint(self.tip).max(1)).max(1)
    }

    /// The place of the last event that is to go so that so many bytes do, or the last one of all.
    fn place_behind(&self, bytes: u64) -> i64 {
        self.after.saturating_add(int(bytes.div_ceil(self.of_each()))).min(self.tip)
    }
}

impl Feed {
    pub(crate) fn new(store: Arc<Inner>, output: &str, repeats: Repeats) -> Self {
        let stream = match repeats {
            Repeats::Counted => Stream::Counted,
            Repeats::Each => Stream::Each,
        };
        Self {
            store,
            output: output.into(),
            stream,
            tips: None,
            reader: None,
            given: None,
            acknowledged: BTreeMap::new(),
        }
    }

    /// Waits until there are events and gives up to `max` of them, in order, behind those given before. No events
    /// mean that the store is settled, and that there will be none.
    ///
    /// May be cancelled: what was not given comes with the next call.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read. Try again.
    pub async fn next(&mut self, max: usize) -> Result<Vec<Event>, StoreError> {
        let store = Arc::clone(&self.store);
        let ledger = store.ledger()?;
        self.find_place(ledger).await?;
        loop {
            let tips = self.tips.get_or_insert_with(|| ledger.tips()).borrow_and_update().clone();
            for (month, tip) in tips.seqs {
                let events = self.read(month, tip, max).await?;
                if !events.is_empty() {
                    return Ok(events);
                }
            }
            if tips.ended {
                return Ok(Vec::new());
            }
            if let Some(tips) = &mut self.tips {
                tips.changed().await.map_err(|_| StoreError::Closed)?;
            }
        }
    }

    async fn read(&mut self, month: Month, tip: Place, max: usize) -> Result<Vec<Event>, StoreError> {
        let given = self.given.as_ref().and_then(|given| given.get(&month)).copied().unwrap_or_default();
        if given == tip {
            return Ok(Vec::new());
        }
        let mut reader = self.reader_of(month).await?;
        let after = reader.place_or_start(given).await?;
        let events = reader.read(self.stream, after.seq, max).await?;
        self.reader = Some(reader);
        let last = match events.last() {
            Some((seq, event)) => Place::of(*seq, event.id()),
            // What was read lately may lie behind a tip that nobody was told of yet.
            None if after.seq > tip.seq => after,
            // What lies behind the last of them, up to the tip, is for other outputs.
            None => tip,
        };
        self.given.get_or_insert_default().insert(month, last);
        Ok(events.into_iter().map(|(_, event)| event).collect())
    }

    /// Takes the reader of a month. One that has failed, or was cancelled, is not put back and not used again.
    async fn reader_of(&mut self, month: Month) -> Result<EventReader, StoreError> {
        match self.reader.take().filter(|reader| reader.month == month && reader.is_current()) {
            Some(reader) => Ok(reader),
            None => EventReader::open(&self.store.data_dir, month).await,
        }
    }

    /// How far it has been given out by now.
    #[must_use]
    pub fn given(&self) -> Given {
        Given(self.given.clone().unwrap_or_default())
    }

    /// All that had been given out at some time has been delivered: after a restart the feed goes on behind it. What was
    /// given out since then waits on. On disk when this returns.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written; the events come again after a restart.
    pub async fn acknowledge(&mut self, Given(given): Given) -> Result<(), StoreError> {
        let to: Vec<_> = given
            .iter()
            .filter(|(month, place)| self.acknowledged.get(month) != Some(place))
            .map(|(month, place)| (*month, *place))
            .collect();
        if to.is_empty() {
            return Ok(());
        }
        self.store.register.change(Advance { output: self.output.clone(), to }).await?;
        self.acknowledged = given;
        Ok(())
    }

    /// What was given out and not acknowledged comes again.
    pub fn rewind(&mut self) {
        if self.given.is_some() {
            self.given = Some(self.acknowledged.clone());
        }
    }

    /// How much of the ledger waits for this output, in bytes: what its events take there, on the average of each month.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub async fn backlog(&mut self) -> Result<u64, StoreError> {
        Ok(self.waiting().await?.iter().map(Waiting::bytes).sum())
    }

    /// Passes over the oldest events where more than `most` bytes wait, until half of that does. What was given out and not
    /// acknowledged is among them. They are gone with the next [`Feed::acknowledge`]: tell of them first, or a crash in
    /// between leaves it untold.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read; nothing was passed over then.
    pub async fn pass_over(&mut self, most: u64) -> Result<Option<PassedOver>, StoreError> {
        self.rewind();
        let waiting = self.waiting().await?;
        let all: u64 = waiting.iter().map(Waiting::bytes).sum();
        if all <= most {
            return Ok(None);
        }
        let mut too_much = all - most / 2;
        let mut passed: Option<PassedOver> = None;
        let mut places = Vec::new();
        for there in waiting.iter().filter(|there| there.tip > there.after) {
            if too_much == 0 {
                break;
            }
            let to = there.place_behind(too_much);
            too_much = too_much.saturating_sub(there.bytes());
            let mut reader = self.reader_of(there.month).await?;
            let events = reader.count(self.stream, there.after, to).await?;
            places.push((there.month, reader.place_up_to(to).await?));
            self.reader = Some(reader);
            let first = passed.as_ref().map_or(there.month, |passed| passed.first);
            let before = passed.map_or(0, |passed| passed.events);
            passed = Some(PassedOver { events: before + events, first, last: there.month });
        }
        self.given.get_or_insert_default().extend(places);
        Ok(passed)
    }

    async fn waiting(&mut self) -> Result<Vec<Waiting>, StoreError> {
        let store = Arc::clone(&self.store);
        let ledger = store.ledger()?;
        self.find_place(ledger).await?;
        let tips = self.tips.get_or_insert_with(|| ledger.tips()).borrow().clone();
        let mut waiting = Vec::new();
        for (month, tip) in tips.seqs {
            let acknowledged = self.acknowledged.get(&month).copied().unwrap_or_default();
            if acknowledged == tip {
                continue;
            }
            let mut reader = self.reader_of(month).await?;
            let after = reader.place_or_start(acknowledged).await?.seq;
            self.reader = Some(reader);
            let len = month_file(&store.data_dir, month).metadata().map_or(0, |there| there.len());
            waiting.push(Waiting { month, after, tip: tip.seq, len });
        }
        Ok(waiting)
    }

    async fn find_place(&mut self, ledger: &Ledger) -> Result<(), StoreError> {
        if self.given.is_some() {
            return Ok(());
        }
        let standing = cursors(&mut self.store.register.reader().await?, &self.output).await?;
        self.acknowledged = standing.own;
        if self.acknowledged.is_empty() {
            // The first output begins with the whole past, and one that is added to others with this run of the gateway.
            // The place is written at once: neither a restart before anything was delivered nor a crash moves it.
            let begins_at = |place: &Place| if standing.any { *place } else { Place::default() };
            self.acknowledged =
                ledger.at_start().iter().map(|(month, place)| (*month, begins_at(place))).collect();
            if self.acknowledged.is_empty() {
                self.acknowledged.insert(Month::of(Timestamp::now()), Place::default());
            }
            let to = self.acknowledged.iter().map(|(month, place)| (*month, *place)).collect();
            match self.store.register.change(Advance { output: self.output.clone(), to }).await {
                // There is nothing to come, so no place to keep.
                Ok(()) | Err(StoreError::Closed) => {}
                Err(error) => return Err(error),
            }
        }
        self.given = Some(self.acknowledged.clone());
        Ok(())
    }
}
