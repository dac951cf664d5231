//! The one task that writes the ledger.
//!
//! It takes what waits, makes one transaction of it for each month, and answers when that is on disk. Events are rows
//! of the same transaction: nothing can come between a row and its event.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Interval, MissedTickBehavior};
use uuid::Uuid;

use super::notepad::Notepad;
use super::query::place_up_to;
use super::rows::{self, Counted, Known};
use super::tally::{Part, Removal, Take, Told};
use super::{Feeds, SCHEMA, Shared, Stream, file_of};
use crate::bodies::sync_dir;
use crate::entry::Gap;
use crate::error::StoreError;
use crate::month::Month;
use crate::place::Place;
use crate::sqlite::{After, Database, Transaction};

/// What nobody waits for is on disk within this time.
const TICK: Duration = Duration::from_secs(1);
/// Files that stay open. Tunnels can end months after they began.
const OPEN_FILES: usize = 3;

pub(super) struct Writer {
    shared: Arc<Shared>,
    dir: PathBuf,
    files: BTreeMap<Month, MonthFile>,
    feeds: Feeds,
    tick: Interval,
    failing: bool,
    notepad: Notepad,
}

struct MonthFile {
    database: Database,
    known: Known,
}

/// However the writer ends, nobody waits for it in vain.
struct Closing(Arc<Shared>);

impl Drop for Closing {
    fn drop(&mut self) {
        let mut tally = self.0.tally();
        tally.closed = true;
        tally.flushes.clear();
        tally.removals.clear();
        drop(tally.take(Take::Awaited));
    }
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, dir: PathBuf, feeds: Feeds, notepad: Notepad) -> Self {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { shared, dir, files: BTreeMap::new(), feeds, tick, failing: false, notepad }
    }

    /// Runs until it is told to stop.
    pub(super) async fn run(mut self) {
        let _closing = Closing(Arc::clone(&self.shared));
        loop {
            let take = tokio::select! {
                biased;
                _ = self.tick.tick() => Take::AllAt(Timestamp::now()),
                () = self.shared.wake.notified() => Take::Awaited,
            };
            if self.round(take).await {
                return;
            }
        }
    }

    /// Writes what there is, and says whether that was the last time.
    async fn round(&mut self, take: Take) -> bool {
        let (parts, flushes, removals) = {
            let mut tally = self.shared.tally();
            let removals = std::mem::take(&mut tally.removals);
            let flushes = std::mem::take(&mut tally.flushes);
            let take = flushes.iter().fold(take, |take, flush| match (take, flush.take) {
                (Take::Rest, _) | (_, Take::Rest) => Take::Rest,
                (_, at) => at,
            });
            (tally.take(take), flushes, removals)
        };
        let mut outcome = Ok(());
        for (month, part) in parts {
            if let Err(error) = self.write(month, part).await {
                outcome = Err(error);
            }
        }
        for Removal { month, reply } in removals {
            let _ = reply.send(self.remove(month).await);
        }
        self.say(&outcome);
        let gap = self.shared.tally().gap;
        self.notepad.note(gap);
        let stop = flushes.iter().any(|flush| flush.stop);
        if stop {
            self.close_files().await;
        }
        for flush in flushes {
            let _ = flush.reply.send(outcome.clone());
        }
        stop
    }

    /// Whoever has the file open reads on; nobody finds it any more.
    async fn remove(&mut self, month: Month) -> Result<(), StoreError> {
        if let Some(mut file) = self.files.remove(&month) {
            file.database.close().await;
        }
        self.shared.tips.send_modify(|tips| {
            tips.seqs.remove(&month);
        });
        let path = file_of(&self.dir, month);
        // The file first: without it nobody takes its log for that of another.
        for ending in ["", "-wal", "-shm"] {
            let mut name = path.clone().into_os_string();
            name.push(ending);
            match std::fs::remove_file(&name) {
                Ok(()) => {}
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
                Err(cause) => return Err(StoreError::file("remove", name.as_ref())(cause)),
            }
        }
        sync_dir(&self.dir)
    }

    async fn close_files(&mut self) {
        while let Some((_, mut file)) = self.files.pop_first() {
            file.database.close().await;
        }
    }

    /// Once per trouble, not once per attempt.
    fn say(&mut self, outcome: &Result<(), StoreError>) {
        self.shared.ailing.store(outcome.is_err(), Ordering::Relaxed);
        *self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner) = outcome.clone().err();
        let failed_before = std::mem::replace(&mut self.failing, outcome.is_err());
        match outcome {
            Err(error) if !failed_before => {
                tracing::error!(
                    "cannot write the ledger, and guarded artifacts are refused: {error}; hint: {}",
                    error.hint()
                );
            }
            Ok(()) if failed_before => tracing::info!("the ledger can be written again"),
            Ok(()) | Err(_) => {}
        }
    }

    async fn write(&mut self, month: Month, mut part: Part) -> Result<(), StoreError> {
        let written = self.transact(month, &part).await;
        let firsts = part.firsts.drain(..).map(|first| first.reply);
        let tunnels = part.tunnels.drain(..).map(|opened| opened.reply);
        let notices = part.notices.drain(..).map(|told| told.reply);
        let waiting: Vec<_> = firsts.chain(tunnels).chain(notices).collect();
        let gap = part.gap;
        let repeated: u64 = part.repeats.values().map(|repeats| repeats.count).sum();
        let recorded = repeated + u64::try_from(waiting.len()).unwrap_or(u64::MAX);
        if written.is_err() {
            // What is remembered of the file is doubtful now.
            self.files.remove(&month);
            self.shared.ailing.store(true, Ordering::Relaxed);
            self.shared.tally().restore(month, part);
        }
        for reply in waiting {
            // Whoever waited may be gone; it is recorded all the same.
            let _ = reply.send(written.clone().map(|_| ()));
        }
        let written = written?;
        self.shared.recorded.fetch_add(recorded, Ordering::Relaxed);
        if let Some(gap) = gap {
            say_gap(&gap);
        }
        if let Some(last) = written {
            self.shared.tips.send_modify(|tips| {
                tips.seqs.insert(month, last);
            });
        }
        Ok(())
    }

    async fn transact(&mut self, month: Month, part: &Part) -> Result<Option<Place>, StoreError> {
        self.make_room_for(month).await;
        let feeds = self.feeds;
        // Outputs have come to some place in it: an empty one in its stead would begin before that.
        let must_exist = self.shared.tips.borrow().seqs.contains_key(&month);
        let MonthFile { database, known } = self.files.entry(month).or_insert_with(|| MonthFile {
            database: Database::new(file_of(&self.dir, month), &SCHEMA, must_exist),
            known: Known::default(),
        });
        let transaction = database.begin().await?;
        let mut page = Page { transaction, known, feeds, last: None };
        let result = page.write(part).await;
        let last = page.last;
        database.finish(result.map(|()| last)).await
    }

    async fn make_room_for(&mut self, month: Month) {
        while self.files.len() >= OPEN_FILES && !self.files.contains_key(&month) {
            let Some((_, mut oldest)) = self.files.pop_first() else { return };
            oldest.database.close().await;
        }
    }
}

fn say_gap(gap: &Gap) {
    tracing::warn!(
        since = %gap.since,
        until = %gap.until,
        exchanges = gap.exchanges,
        tunnels = gap.tunnels,
        "the ledger has a gap: what could not be recorded is counted in it"
    );
}

/// One transaction on the file of a month.
struct Page<'f> {
    transaction: &'f mut Transaction,
    known: &'f mut Known,
    feeds: Feeds,
    last: Option<Place>,
}

impl Page<'_> {
    async fn write(&mut self, part: &Part) -> Result<(), sqlx::Error> {
        rows::learn_words(self.transaction, self.known, part.firsts.iter().map(|first| &first.exchange))
            .await?;
        let end = part.firsts.len().checked_sub(1).filter(|_| part.is_of_firsts_alone());
        for (place, first) in part.firsts.iter().enumerate() {
            let exchange = &first.exchange;
            let counted =
                Counted { id: first.row, shares: None, open: first.open, count: 1, last: exchange.at };
            // The first of its row: whatever failed before, nobody has written that.
            if first.row == exchange.id {
                let is_last = end == Some(place) && first.open && self.feeds.of_each().is_none();
                let after = if is_last { After::Commit } else { After::GoOn };
                rows::insert_exchange(self.transaction, self.known, exchange, counted, after).await?;
            } else {
                rows::count_exchange(self.transaction, self.known, exchange, counted).await?;
            }
            self.each(first.row, exchange).await?;
            if !first.open {
                self.counted(first.row).await?;
            }
        }
        self.repeats(part).await?;
        for (place, count) in part.visits.all() {
            rows::count_visit(self.transaction, self.known, place, count).await?;
        }
        for opened in &part.tunnels {
            rows::insert_tunnel(self.transaction, self.known, &opened.tunnel).await?;
            if opened.tunnel.reason.is_some() {
                self.feed_tunnel(opened.tunnel.id).await?;
            }
        }
        for (id, end) in &part.ends {
            rows::end_tunnel(self.transaction, *id, *end).await?;
            self.feed_tunnel(*id).await?;
        }
        self.finish(&part.finals).await?;
        self.notices(&part.notices).await?;
        if let Some(gap) = &part.gap {
            self.gap(gap).await?;
        }
        rows::end_transaction(self.known);
        Ok(())
    }

    async fn notices(&mut self, notices: &[Told]) -> Result<(), sqlx::Error> {
        let all = notices.iter().map(|told| &told.notice);
        rows::learn_words_of_notices(self.transaction, self.known, all).await?;
        for Told { notice, is_news, .. } in notices {
            let stream = (*is_news && (self.feeds.counted || self.feeds.each)).then_some(Stream::Notice);
            let fed = rows::insert_notice(self.transaction, self.known, notice, stream).await?;
            if let Some(seq) = fed {
                self.last = Some(Place::of(seq, notice.id));
            }
        }
        Ok(())
    }

    async fn repeats(&mut self, part: &Part) -> Result<(), sqlx::Error> {
        for (row, repeats) in &part.repeats {
            let Some(exchange) = repeats.exchanges.first() else { continue };
            let counted =
                Counted { id: *row, shares: None, open: true, count: repeats.count, last: repeats.last };
            rows::count_exchange(self.transaction, self.known, exchange, counted).await?;
            for exchange in &repeats.exchanges {
                self.each(*row, exchange).await?;
            }
        }
        self.wholes(&part.wholes).await
    }

    /// All in one statement: what a statement costs beside its work is more than its work.
    async fn wholes(&mut self, wholes: &HashMap<Uuid, u64>) -> Result<(), sqlx::Error> {
        if wholes.is_empty() {
            return Ok(());
        }
        let wholes: HashMap<_, _> =
            wholes.iter().map(|(id, whole)| (id.simple().to_string(), whole)).collect();
        sqlx::query(
            "UPDATE exchange SET whole = exchange.whole + more.whole
             FROM (SELECT unhex(key) AS id, value AS whole FROM json_each(?)) more WHERE exchange.id = more.id",
        )
        .bind(serde_json::json!(wholes).to_string())
        .execute(self.transaction.begun().await?)
        .await?;
        Ok(())
    }

    /// For outputs that want each exchange: one that only counts in a row gets its own besides.
    async fn each(&mut self, row: Uuid, exchange: &crate::entry::Exchange) -> Result<(), sqlx::Error> {
        let Some(stream) = self.feeds.of_each() else { return Ok(()) };
        if exchange.id != row {
            let own =
                Counted { id: exchange.id, shares: Some(row), open: false, count: 1, last: exchange.at };
            rows::count_exchange(self.transaction, self.known, exchange, own).await?;
        }
        self.feed(stream, exchange.id).await
    }

    /// Likewise.
    async fn finish(&mut self, finals: &[Uuid]) -> Result<(), sqlx::Error> {
        if finals.is_empty() {
            return Ok(());
        }
        let finals: Vec<_> = finals.iter().map(|id| id.simple().to_string()).collect();
        let finals = serde_json::json!(finals).to_string();
        sqlx::query("UPDATE exchange SET open = 0 WHERE id IN (SELECT unhex(value) FROM json_each(?))")
            .bind(&finals)
            .execute(self.transaction.begun().await?)
            .await?;
        let Some(stream) = self.feeds.of_counted() else { return Ok(()) };
        // A row that could not be written, and that nobody shared, has no event.
        let fed = sqlx::query(
            "INSERT INTO feed (stream, id) SELECT ?, exchange.id
             FROM json_each(?) final CROSS JOIN exchange ON exchange.id = unhex(final.value) ORDER BY final.key",
        )
        .bind(stream.number())
        .bind(&finals)
        .execute(self.transaction.begun().await?)
        .await?;
        if fed.rows_affected() > 0 {
            self.last = Some(place_up_to(self.transaction.begun().await?, fed.last_insert_rowid()).await?);
        }
        Ok(())
    }

    /// For outputs that want rows whose minute is over.
    async fn counted(&mut self, row: Uuid) -> Result<(), sqlx::Error> {
        match self.feeds.of_counted() {
            Some(stream) => self.feed(stream, row).await,
            None => Ok(()),
        }
    }

    /// One that a crash has left on the notepad may be there already.
    async fn gap(&mut self, gap: &Gap) -> Result<(), sqlx::Error> {
        let is_new = rows::insert_gap(self.transaction, gap).await?;
        if is_new && (self.feeds.counted || self.feeds.each) {
            self.feed(Stream::Gap, gap.id).await?;
        }
        Ok(())
    }

    async fn feed_tunnel(&mut self, id: Uuid) -> Result<(), sqlx::Error> {
        if self.feeds.counted || self.feeds.each {
            self.feed(Stream::Tunnel, id).await?;
        }
        Ok(())
    }

    async fn feed(&mut self, stream: Stream, id: Uuid) -> Result<(), sqlx::Error> {
        let inserted = sqlx::query("INSERT INTO feed (stream, id) VALUES (?, ?)")
            .bind(stream.number())
            .bind(&id.as_bytes()[..])
            .execute(self.transaction.begun().await?)
            .await?;
        self.last = Some(Place::of(inserted.last_insert_rowid(), id));
        Ok(())
    }
}
