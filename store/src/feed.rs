//! The feed: events in the order in which they became final, for each output from where it has come to.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::entry::Event;
use crate::error::StoreError;
use crate::ledger::{EventReader, Stream, Tips};
use crate::month::Month;
use crate::register::{Advance, cursors};
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
    given: Option<BTreeMap<Month, i64>>,
    /// Acknowledged up to here.
    acknowledged: BTreeMap<Month, i64>,
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

    async fn read(&mut self, month: Month, tip: i64, max: usize) -> Result<Vec<Event>, StoreError> {
        let given = self.given.get_or_insert_default();
        let after = given.get(&month).copied().unwrap_or(0);
        if after >= tip {
            return Ok(Vec::new());
        }
        // A reader that has failed, or was cancelled, is not used again.
        let mut reader = match self.reader.take().filter(|reader| reader.month == month) {
            Some(reader) => reader,
            None => EventReader::open(&self.store.data_dir, month).await?,
        };
        let events = reader.read(self.stream, after, max).await?;
        self.reader = Some(reader);
        // What lies behind the last of them, up to the tip, is for other outputs.
        let last = events.last().map_or(tip, |(seq, _)| *seq);
        given.insert(month, last);
        Ok(events.into_iter().map(|(_, event)| event).collect())
    }

    /// All that was given out so far has been delivered: after a restart the feed goes on behind it. On disk when
    /// this returns.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written; the events come again after a restart.
    pub async fn acknowledge(&mut self) -> Result<(), StoreError> {
        let given = self.given.clone().unwrap_or_default();
        let to: Vec<_> = given
            .iter()
            .filter(|(month, seq)| self.acknowledged.get(month) != Some(seq))
            .map(|(m, s)| (*m, *s))
            .collect();
        if to.is_empty() {
            return Ok(());
        }
        self.store.register.change(Advance { output: self.output.clone(), to }).await?;
        self.acknowledged = given;
        Ok(())
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
            let begins_at = |seq: &i64| if standing.any { *seq } else { 0 };
            self.acknowledged =
                ledger.at_start().iter().map(|(month, seq)| (*month, begins_at(seq))).collect();
            if self.acknowledged.is_empty() {
                self.acknowledged.insert(Month::of(Timestamp::now()), 0);
            }
            let to = self.acknowledged.iter().map(|(month, seq)| (*month, *seq)).collect();
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
