//! What all held bodies may take of memory and disk, together and by client and vendor.
//!
//! A hold reserves as it grows. Past its share of memory it spills to disk; past that of disk, and for the first bytes
//! of memory, it waits. Nobody waits for ever: what waits gives up after a while, and so makes room, except the oldest,
//! which gets that room. So of all holds that need more at least one comes to its end.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// No client and no vendor takes more than this part of a budget.
const SHARE: u64 = 4;
/// Of memory, a hold that grows leaves this part to those that begin: they need little, and cannot spill.
const LEFT_TO_BEGINNERS: u64 = 4;

/// Bounds, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) memory: u64,
    pub(crate) disk: u64,
    /// One hold may be this large, whatever its share.
    pub(crate) largest: u64,
}

/// Someone whose holds are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Party {
    /// A client, by its address.
    Client(IpAddr),
    /// A vendor, or a host that no vendor claims.
    Vendor(Arc<str>),
}

/// There was no room, and none came free in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no room to hold the body")]
pub(crate) struct NoRoom;

/// The budget of a gateway.
#[derive(Debug)]
pub(crate) struct Budget {
    bounds: Bounds,
    /// How long one waits for room before it gives up.
    patience: Duration,
    used: Mutex<Used>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Used {
    all: Amount,
    by_party: HashMap<Party, Amount>,
    /// By age, those that wait.
    waiting: BTreeMap<u64, [Party; 2]>,
    next: u64,
}

/// Bytes of memory and of disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    memory: u64,
    disk: u64,
}

/// There is no room now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Full {
    /// Others wait for more of what is full and have some of it, and whoever asks is the oldest of them: it gets what they
    /// give up.
    is_next: bool,
}

impl Budget {
    pub(crate) fn new(bounds: Bounds, patience: Duration) -> Arc<Self> {
        Arc::new(Self { bounds, patience, used: Mutex::default(), freed: Notify::new() })
    }

    /// A reservation of nothing yet.
    pub(crate) fn reservation(self: &Arc<Self>, client: IpAddr, vendor: Arc<str>) -> Reservation {
        let parties = [Party::Client(client.to_canonical()), Party::Vendor(vendor)];
        let mut used = self.used();
        let id = used.next;
        used.next += 1;
        drop(used);
        Reservation { budget: Arc::clone(self), id, parties, has: Amount::default() }
    }

    /// Bytes of memory and of disk that are reserved now.
    pub(crate) fn reserved(&self) -> (u64, u64) {
        let Amount { memory, disk } = self.used().all;
        (memory, disk)
    }

    /// A panic while it was locked cannot have left the sums half changed.
    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what there is room for. With `or_alone`, who has no others beside it gets more than there is: what it needs
    /// to begin, nobody could give it otherwise.
    fn take(&self, who: &Reservation, more: Amount, bounds: Bounds, or_alone: bool) -> Result<(), Full> {
        // Nothing is given back of it, and so it may leave no party behind.
        if more == Amount::default() {
            return Ok(());
        }
        let mut used = self.used();
        let Bounds { memory, disk, largest } = bounds;
        let fits = |has: Amount, memory: u64, disk: u64| {
            let is_alone = !has.minus(who.has).has_some_of(more);
            has.plus(more).fits(memory, disk, more) || (or_alone && is_alone)
        };
        if !fits(used.all, memory, disk) {
            let others = used.all.minus(who.has);
            return Err(Full { is_next: others.has_some_of(more) && used.is_oldest(who.id, |_| true) });
        }
        let (memory, disk) = (memory / SHARE, (disk / SHARE).max(largest));
        for party in &who.parties {
            let has = used.by_party.get(party).copied().unwrap_or_default();
            if !fits(has, memory, disk) {
                let others = has.minus(who.has);
                let is_oldest = used.is_oldest(who.id, |parties| parties.contains(party));
                return Err(Full { is_next: others.has_some_of(more) && is_oldest });
            }
        }
        used.add(&who.parties, more);
        Ok(())
    }

    fn give_back(&self, parties: &[Party; 2], less: Amount) {
        // Nobody waits for that.
        if less == Amount::default() {
            return;
        }
        let mut used = self.used();
        used.all = used.all.minus(less);
        for party in parties {
            if let Some(has) = used.by_party.get_mut(party) {
                *has = has.minus(less);
                if *has == Amount::default() {
                    used.by_party.remove(party);
                }
            }
        }
        drop(used);
        self.freed.notify_waiters();
    }

    /// What there is for holds that grow.
    fn for_growth(&self) -> Bounds {
        Bounds { memory: self.bounds.memory - self.bounds.memory / LEFT_TO_BEGINNERS, ..self.bounds }
    }
}

impl Used {
    /// Whether `id` is the oldest among those of these parties that wait, and not the only one.
    fn is_oldest(&self, id: u64, among: impl Fn(&[Party; 2]) -> bool) -> bool {
        let mut waiting = self.waiting.iter().filter(|(_, parties)| among(parties));
        waiting.next().is_some_and(|(oldest, _)| *oldest == id) && waiting.next().is_some()
    }

    fn add(&mut self, parties: &[Party; 2], more: Amount) {
        self.all = self.all.plus(more);
        for party in parties {
            let has = self.by_party.entry(party.clone()).or_default();
            *has = has.plus(more);
        }
    }
}

impl Amount {
    fn memory(bytes: u64) -> Self {
        Self { memory: bytes, disk: 0 }
    }

    fn disk(bytes: u64) -> Self {
        Self { memory: 0, disk: bytes }
    }

    fn plus(self, more: Self) -> Self {
        Self { memory: self.memory.saturating_add(more.memory), disk: self.disk.saturating_add(more.disk) }
    }

    fn minus(self, less: Self) -> Self {
        Self { memory: self.memory.saturating_sub(less.memory), disk: self.disk.saturating_sub(less.disk) }
    }

    /// Whether it has any of what `more` asks for.
    fn has_some_of(self, more: Self) -> bool {
        (more.memory > 0 && self.memory > 0) || (more.disk > 0 && self.disk > 0)
    }

    /// Whether it is within the bounds, as far as `more` has made it larger.
    fn fits(self, memory: u64, disk: u64, more: Self) -> bool {
        (more.memory == 0 || self.memory <= memory) && (more.disk == 0 || self.disk <= disk)
    }
}

/// What one hold has of the budget. It goes back when this is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<Budget>,
    id: u64,
    parties: [Party; 2],
    has: Amount,
}

impl Reservation {
    /// Has `bytes` of memory from now on, more or less than before, if there is room for it to grow.
    pub(crate) fn try_memory(&mut self, bytes: u64) -> bool {
        let more = bytes.saturating_sub(self.has.memory);
        let bounds = self.budget.for_growth();
        if more > 0 && self.budget.take(self, Amount::memory(more), bounds, false).is_err() {
            return false;
        }
        let less = self.has.memory.saturating_sub(bytes);
        if less > 0 {
            self.budget.give_back(&self.parties, Amount::memory(less));
        }
        self.has.memory = bytes;
        true
    }

    /// Has `bytes` of memory from now on, as soon as there is room.
    ///
    /// # Errors
    /// [`NoRoom`] when none came free in time.
    pub(crate) async fn memory(&mut self, bytes: u64) -> Result<(), NoRoom> {
        let more = bytes.saturating_sub(self.has.memory);
        if more > 0 {
            self.wait_for(Amount::memory(more)).await?;
            self.has.memory = bytes;
        }
        Ok(())
    }

    /// The same for one that has nothing yet but what it began with: it gives that back while it waits, so that those that
    /// begin do not wait for each other.
    ///
    /// # Errors
    /// [`NoRoom`] when none came free in time.
    pub(crate) async fn memory_to_begin(&mut self, bytes: u64) -> Result<(), NoRoom> {
        if bytes > self.has.memory {
            self.try_memory(0);
        }
        self.memory(bytes).await
    }

    /// What it has of disk, in bytes.
    pub(crate) fn disk(&self) -> u64 {
        self.has.disk
    }

    /// Has `bytes` more of disk, if there is room.
    pub(crate) fn try_more_disk(&mut self, bytes: u64) -> bool {
        let is_taken = self.budget.take(self, Amount::disk(bytes), self.budget.bounds, false).is_ok();
        if is_taken {
            self.has.disk += bytes;
        }
        is_taken
    }

    /// Has `bytes` more of disk, as soon as there is room.
    ///
    /// # Errors
    /// [`NoRoom`] when none came free in time.
    pub(crate) async fn more_disk(&mut self, bytes: u64) -> Result<(), NoRoom> {
        self.wait_for(Amount::disk(bytes)).await?;
        self.has.disk += bytes;
        Ok(())
    }

    async fn wait_for(&self, more: Amount) -> Result<(), NoRoom> {
        let mut until = Instant::now() + self.budget.patience;
        let _waiting = Waiting::of(self);
        loop {
            // What comes free between the look and the wait is not missed.
            let freed = self.budget.freed.notified();
            let taken = self.budget.take(self, more, self.budget.bounds, more.disk == 0);
            let Err(full) = taken else { return Ok(()) };
            if Instant::now() >= until {
                if !full.is_next {
                    return Err(NoRoom);
                }
                until = Instant::now() + self.budget.patience;
            }
            tokio::select! {
                () = freed => {}
                () = sleep_until(until) => {}
            }
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.give_back(&self.parties, self.has);
    }
}

/// A reservation that waits, for as long as it does.
struct Waiting<'r>(&'r Reservation);

impl<'r> Waiting<'r> {
    fn of(who: &'r Reservation) -> Self {
        who.budget.used().waiting.insert(who.id, who.parties.clone());
        Self(who)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.budget.used().waiting.remove(&self.0.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(memory: u64, disk: u64, largest: u64) -> Arc<Budget> {
        Budget::new(Bounds { memory, disk, largest }, Duration::from_secs(3600))
    }

    /// One in which nobody waits for long.
    fn hasty(disk: u64) -> Arc<Budget> {
        Budget::new(Bounds { memory: 0, disk, largest: 0 }, Duration::from_millis(1))
    }

    fn from(budget: &Arc<Budget>, client: u8, vendor: &str) -> Reservation {
        budget.reservation(IpAddr::from([10, 0, 0, client]), vendor.into())
    }

    /// Wants 50 bytes more of disk, and gives up what it has when it does not get them.
    async fn wait_or_leave(mut hold: Reservation) -> Result<(), NoRoom> {
        hold.more_disk(50).await
    }

    #[test]
    fn no_client_and_no_vendor_takes_over_a_quarter() {
        let budget = budget(400, 400, 10);
        let mut first = from(&budget, 1, "a");
        assert!(first.try_memory(75) && first.try_more_disk(100));
        assert!(!first.try_memory(76) && !first.try_more_disk(1));
        assert!(!from(&budget, 1, "b").try_memory(1), "the client has its quarter");
        assert!(!from(&budget, 2, "a").try_memory(1), "the vendor has its quarter");
        assert!(from(&budget, 2, "b").try_memory(75));
        drop(first);
        assert!(from(&budget, 1, "a").try_memory(75));
        assert_eq!(budget.used().all, Amount::default());
        assert!(budget.used().by_party.is_empty() && budget.used().waiting.is_empty());
    }

    #[test]
    fn all_together_take_no_more_than_there_is() {
        let budget = budget(400, 400, 0);
        let mut holds: Vec<_> = (1..=5u8).map(|client| from(&budget, client, &client.to_string())).collect();
        let fits: Vec<_> = holds.iter_mut().map(|hold| hold.try_more_disk(100)).collect();
        assert_eq!(fits, [true, true, true, true, false]);
        let fits: Vec<_> = holds.iter_mut().map(|hold| hold.try_memory(75)).collect();
        assert_eq!(fits, [true, true, true, true, false]);
        assert!(holds[0].try_memory(15));
        assert!(holds[4].try_memory(60));
    }

    #[tokio::test]
    async fn what_grows_leaves_memory_to_what_begins() {
        let budget = budget(400, 0, 0);
        assert!(!from(&budget, 1, "a").try_memory(76));
        let mut large = from(&budget, 1, "a");
        assert!(large.try_memory(75));
        assert_eq!(from(&budget, 1, "a").memory(25).await, Ok(()));
    }

    #[test]
    fn one_hold_may_be_as_large_as_the_largest_whatever_its_share() {
        let budget = budget(0, 100, 100);
        assert!(from(&budget, 1, "a").try_more_disk(100));
    }

    #[tokio::test]
    async fn a_window_larger_than_a_share_is_opened_for_one_at_a_time() {
        let budget = budget(400, 0, 0);
        let mut first = from(&budget, 1, "a");
        assert_eq!(first.memory(1000).await, Ok(()));
        let mut second = from(&budget, 2, "b");
        let (waited, ()) = tokio::join!(second.memory(1000), async { drop(first) });
        assert_eq!(waited, Ok(()));
    }

    #[tokio::test]
    async fn who_waits_gets_what_comes_free() {
        let budget = budget(0, 400, 0);
        let mut first = from(&budget, 1, "a");
        first.more_disk(100).await.unwrap();
        let mut second = from(&budget, 1, "b");
        let (waited, ()) = tokio::join!(second.more_disk(60), async { drop(first) });
        assert_eq!(waited, Ok(()));
    }

    #[tokio::test]
    async fn holds_that_wait_for_each_other_do_not_wait_for_ever() {
        let budget = hasty(400);
        let (mut older, mut younger) = (from(&budget, 1, "a"), from(&budget, 1, "b"));
        older.more_disk(50).await.unwrap();
        younger.more_disk(50).await.unwrap();
        let (older, younger) = tokio::join!(older.more_disk(50), wait_or_leave(younger));
        assert_eq!((older, younger), (Ok(()), Err(NoRoom)));
    }

    #[tokio::test]
    async fn who_has_something_and_waits_for_nothing_does_not_keep_the_oldest_from_its_turn() {
        let budget = hasty(400);
        let (mut idle, mut older, mut younger) =
            (from(&budget, 1, "a"), from(&budget, 1, "b"), from(&budget, 1, "c"));
        idle.more_disk(10).await.unwrap();
        older.more_disk(40).await.unwrap();
        younger.more_disk(50).await.unwrap();
        let (older, younger) = tokio::join!(older.more_disk(50), wait_or_leave(younger));
        assert_eq!((older, younger), (Ok(()), Err(NoRoom)));
        assert!(budget.used().waiting.is_empty());
    }

    #[tokio::test]
    async fn clients_that_reserve_nothing_leave_no_name_behind() {
        let budget = hasty(400);
        for client in 0..3 {
            let mut empty = from(&budget, client, "a");
            assert!(empty.try_memory(0) && empty.try_more_disk(0));
            assert_eq!(empty.more_disk(0).await, Ok(()));
            drop(empty);
            let mut some = from(&budget, client, "b");
            assert!(some.try_more_disk(10) && some.try_more_disk(0));
        }
        assert!(budget.used().by_party.is_empty());
        assert_eq!(budget.reserved(), (0, 0));
    }

    #[tokio::test]
    async fn what_can_never_fit_is_told_so() {
        let budget = hasty(400);
        let mut only = from(&budget, 1, "a");
        only.more_disk(100).await.unwrap();
        assert_eq!(only.more_disk(1).await, Err(NoRoom));
    }
}
