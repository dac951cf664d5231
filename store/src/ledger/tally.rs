//! What is in memory and not on disk yet: exchanges, tunnels and notices that somebody waits for, and repeats that nobody
//! waits for. One lock guards all of it, so that what the writer takes is consistent.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, Hash, Hasher, RandomState};

use jiff::Timestamp;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::visits::{Apart, Place, Visits};
use crate::entry::{Exchange, Gap, Notice, Tunnel, TunnelEnd};
use crate::error::StoreError;
use crate::month::Month;

/// Repeats in memory. Beyond it they wait for the disk like everyone else.
const MAX_REPEATS: usize = 20_000;
/// Rows that are still counting. Beyond it all of them end early.
const MAX_OPEN: usize = 200_000;

pub(crate) const MICROSECONDS_PER_MINUTE: i64 = 60_000_000;

/// Where a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Row {
    pub(crate) month: Month,
    pub(crate) id: Uuid,
}

/// Exchanges that are alike in all that this is made of share a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Alike([u64; 2]);

/// 128 bits under keys that nobody outside knows stand for all that is hashed.
#[derive(Debug, Default)]
pub(crate) struct Hashers([RandomState; 2]);

impl Hashers {
    pub(crate) fn alike(&self, of: impl Hash) -> Alike {
        let mut octets = Octets(Vec::with_capacity(512));
        of.hash(&mut octets);
        Alike(self.0.each_ref().map(|hasher| {
            let mut hasher = hasher.build_hasher();
            hasher.write(&octets.0);
            hasher.finish()
        }))
    }
}

/// What is to be hashed, in one piece: to hash many short pieces twice costs several times as much.
struct Octets(Vec<u8>);

impl Hasher for Octets {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Nobody asks.
    fn finish(&self) -> u64 {
        0
    }
}

/// The minute of the clock that a time is in.
pub(crate) fn minute(at: Timestamp) -> i64 {
    at.as_microsecond().div_euclid(MICROSECONDS_PER_MINUTE)
}

/// Somebody who waits for the disk.
pub(crate) type Reply = oneshot::Sender<Result<(), StoreError>>;

/// An exchange that somebody waits for.
#[derive(Debug)]
pub(crate) struct First {
    pub(crate) exchange: Exchange,
    pub(crate) row: Uuid,
    /// Others may still come that share its row.
    pub(crate) open: bool,
    pub(crate) reply: Reply,
}

/// A tunnel that somebody waits for.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) tunnel: Tunnel,
    pub(crate) reply: Reply,
}

/// A notice that somebody waits for.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) notice: Notice,
    /// Nobody was told of it.
    pub(crate) is_news: bool,
    pub(crate) reply: Reply,
}

/// Exchanges that were only counted.
#[derive(Debug)]
pub(crate) struct Repeats {
    /// What the row says if it is not on disk yet. For an output that wants each, all of them.
    pub(crate) exchanges: Vec<Exchange>,
    pub(crate) count: u64,
    pub(crate) last: Timestamp,
}

/// What there is to write to the file of one month.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) firsts: Vec<First>,
    pub(crate) repeats: HashMap<Uuid, Repeats>,
    pub(crate) wholes: HashMap<Uuid, u64>,
    pub(crate) tunnels: Vec<Opened>,
    pub(crate) ends: Vec<(Uuid, Option<TunnelEnd>)>,
    pub(crate) notices: Vec<Told>,
    /// Rows that are final.
    pub(crate) finals: Vec<Uuid>,
    pub(crate) gap: Option<Gap>,
    pub(crate) visits: Visits,
}

impl Part {
    /// Whether nothing is written behind the exchanges that somebody waits for.
    pub(crate) fn is_of_firsts_alone(&self) -> bool {
        let Self { firsts: _, repeats, wholes, tunnels, ends, notices, finals, gap, visits } = self;
        let is_empty = repeats.is_empty() && wholes.is_empty() && tunnels.is_empty() && ends.is_empty();
        is_empty && notices.is_empty() && finals.is_empty() && gap.is_none() && visits.all().next().is_none()
    }

    /// Whether somebody waits for it.
    fn is_awaited(&self) -> bool {
        !self.firsts.is_empty() || !self.tunnels.is_empty() || !self.notices.is_empty()
    }
}

/// What the writer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Take {
    /// What somebody waits for.
    Awaited,
    /// All, and rows whose minute is over are final.
    AllAt(Timestamp),
    /// All, and all rows are final.
    Rest,
}

#[derive(Debug)]
struct OpenRow {
    row: Row,
    minute: i64,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    parts: BTreeMap<Month, Part>,
    open: HashMap<Alike, OpenRow>,
    repeats: usize,
    /// Places of visits that have a row of their own in this hour.
    apart: Apart,
    /// Keep each exchange, not only one of a row.
    each: bool,
    /// What could not be recorded, and is not written yet either.
    pub(crate) gap: Option<Gap>,
    /// All that could not be recorded since the start.
    pub(crate) missed: u64,
    /// Nobody writes any more.
    pub(crate) closed: bool,
    pub(crate) flushes: Vec<Flush>,
    pub(crate) removals: Vec<Removal>,
}

/// Somebody who wants the file of a month to be gone.
#[derive(Debug)]
pub(crate) struct Removal {
    pub(crate) month: Month,
    pub(crate) reply: Reply,
}

/// Somebody who wants all of it to be on disk.
#[derive(Debug)]
pub(crate) struct Flush {
    pub(crate) take: Take,
    /// And then to be closed.
    pub(crate) stop: bool,
    pub(crate) reply: Reply,
}

impl Tally {
    pub(crate) fn new(each: bool) -> Self {
        Self { each, ..Self::default() }
    }

    /// Takes an exchange that somebody waits for. With no `alike` it has a row of its own, which is final at once.
    pub(crate) fn first(&mut self, exchange: Exchange, alike: Option<Alike>, reply: Reply) -> Row {
        let row = match alike {
            Some(alike) => self.row_of(&exchange, alike),
            None => Row { month: Month::of(exchange.at), id: exchange.id },
        };
        let first = First { exchange, row: row.id, open: alike.is_some(), reply };
        self.part(row.month).firsts.push(first);
        row
    }

    /// Whether repeats may still be counted without waiting.
    pub(crate) fn has_room(&self) -> bool {
        self.repeats < MAX_REPEATS && !self.closed
    }

    /// Counts an exchange that nobody waits for.
    pub(crate) fn repeat(&mut self, exchange: Exchange, alike: Alike) -> Row {
        let row = self.row_of(&exchange, alike);
        let each = self.each;
        let repeats = self.part(row.month).repeats.entry(row.id).or_insert_with(|| Repeats {
            exchanges: Vec::new(),
            count: 0,
            last: exchange.at,
        });
        repeats.count += 1;
        repeats.last = repeats.last.max(exchange.at);
        if each || repeats.exchanges.is_empty() {
            repeats.exchanges.push(exchange);
            self.repeats += 1;
        }
        row
    }

    /// Counts an exchange that could not be recorded.
    pub(crate) fn miss_exchange(&mut self, at: Timestamp) {
        self.miss(at).exchanges += 1;
    }

    /// Counts a tunnel that could not be recorded.
    pub(crate) fn miss_tunnel(&mut self, at: Timestamp) {
        self.miss(at).tunnels += 1;
    }

    fn miss(&mut self, at: Timestamp) -> &mut Gap {
        self.missed += 1;
        let begun = || Gap { id: Uuid::now_v7(), since: at, until: at, exchanges: 0, tunnels: 0 };
        let gap = self.gap.get_or_insert_with(begun);
        gap.since = gap.since.min(at);
        gap.until = gap.until.max(at);
        gap
    }

    pub(crate) fn whole(&mut self, row: Row) {
        *self.part(row.month).wholes.entry(row.id).or_default() += 1;
    }

    pub(crate) fn tunnel(&mut self, tunnel: Tunnel, reply: Reply) -> Row {
        let row = Row { month: Month::of(tunnel.at), id: tunnel.id };
        self.part(row.month).tunnels.push(Opened { tunnel, reply });
        row
    }

    pub(crate) fn notice(&mut self, told: Told, month: Month) -> Row {
        let row = Row { month, id: told.notice.id };
        self.part(month).notices.push(told);
        row
    }

    /// Counts a visit. `alike` stands for its place.
    pub(crate) fn visit(&mut self, place: Place, at: Timestamp, alike: Alike) {
        if !self.closed {
            let place = self.apart.place(place, alike);
            self.part(Month::of(at)).visits.once(place, at);
        }
    }

    pub(crate) fn end(&mut self, row: Row, end: Option<TunnelEnd>) {
        self.part(row.month).ends.push((row.id, end));
    }

    /// Takes what is to be written now.
    pub(crate) fn take(&mut self, take: Take) -> BTreeMap<Month, Part> {
        let now = match take {
            Take::Awaited => return self.take_awaited(),
            Take::AllAt(now) if self.open.len() <= MAX_OPEN => Some(minute(now)),
            Take::AllAt(_) | Take::Rest => None,
        };
        let mut over: Vec<Row> = Vec::new();
        self.open.retain(|_, open| {
            let stays = now.is_some_and(|now| open.minute >= now);
            if !stays {
                over.push(open.row);
            }
            stays
        });
        over.sort_unstable_by_key(|row| row.id);
        for row in over {
            self.part(row.month).finals.push(row.id);
        }
        if let Some(mut gap) = self.gap.take() {
            if let Take::AllAt(now) = take {
                gap.until = gap.until.max(now);
            }
            self.part(Month::of(gap.until)).gap = Some(gap);
        }
        self.repeats = 0;
        std::mem::take(&mut self.parts)
    }

    fn take_awaited(&mut self) -> BTreeMap<Month, Part> {
        let awaited = self.parts.iter_mut().map(|(month, part)| {
            let firsts = std::mem::take(&mut part.firsts);
            let tunnels = std::mem::take(&mut part.tunnels);
            let notices = std::mem::take(&mut part.notices);
            (*month, Part { firsts, tunnels, notices, ..Part::default() })
        });
        awaited.filter(|(_, part)| part.is_awaited()).collect()
    }

    /// Puts back what could not be written, without that for which somebody has waited in vain.
    pub(crate) fn restore(&mut self, month: Month, part: Part) {
        let here = self.parts.entry(month).or_default();
        for (row, mut repeats) in part.repeats {
            if let Some(newer) = here.repeats.remove(&row) {
                repeats.count += newer.count;
                repeats.last = repeats.last.max(newer.last);
                repeats.exchanges.extend(newer.exchanges);
                repeats.exchanges.truncate(if self.each { usize::MAX } else { 1 });
            }
            here.repeats.insert(row, repeats);
        }
        for (row, count) in part.wholes {
            *here.wholes.entry(row).or_default() += count;
        }
        if let Some(gap) = part.gap {
            let newer = self.gap.unwrap_or(Gap { exchanges: 0, tunnels: 0, ..gap });
            self.gap = Some(Gap {
                id: gap.id,
                since: gap.since.min(newer.since),
                until: gap.until.max(newer.until),
                exchanges: gap.exchanges.saturating_add(newer.exchanges),
                tunnels: gap.tunnels.saturating_add(newer.tunnels),
            });
        }
        here.visits.extend(part.visits);
        here.ends.splice(0..0, part.ends);
        here.finals.splice(0..0, part.finals);
        let repeats = self.parts.values().flat_map(|part| part.repeats.values());
        self.repeats = repeats.map(|repeats| repeats.exchanges.len()).sum();
    }

    fn row_of(&mut self, exchange: &Exchange, alike: Alike) -> Row {
        let fresh = || OpenRow {
            row: Row { month: Month::of(exchange.at), id: exchange.id },
            minute: minute(exchange.at),
        };
        self.open.entry(alike).or_insert_with(fresh).row
    }

    fn part(&mut self, month: Month) -> &mut Part {
        self.parts.entry(month).or_default()
    }
}
