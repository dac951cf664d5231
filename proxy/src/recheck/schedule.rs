//! When which variant is looked at next, and how many of one vendor at a time.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pinfold_store::sighting::VariantId;

/// Rechecks of one vendor at one time.
const OF_ONE_VENDOR: usize = 2;
/// And of all vendors.
const OF_ALL: usize = 32;
/// A vendor that gives nothing is asked less and less often, down to once in so many intervals.
const LONGEST_BACK_OFF: u32 = 8;

/// A number from 0 to 1 that a vendor cannot foresee: one who knew when it is looked at could serve something else in
/// between.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chance(f64);

impl Chance {
    pub(super) fn take() -> Self {
        // Without randomness rechecks go on, where a vendor could foresee them.
        Self(getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX)))
    }

    fn of(self, whole: Duration) -> SignedDuration {
        SignedDuration::try_from(whole.mul_f64(self.0)).unwrap_or_default()
    }
}

/// The first recheck of a variant in this run of the gateway: an interval after it was fetched last, or, where that is over,
/// somewhere in the next interval, so that a start is no stampede.
pub(super) fn first(fetched: Timestamp, interval: Duration, now: Timestamp, chance: Chance) -> Timestamp {
    let at = next(interval, 0, fetched, chance);
    // One in the future is of a clock that was set back.
    if fetched <= now && at > now { at } else { later(now, chance.of(interval)) }
}

/// The next one: an interval later, give or take a fifth, and later still after failures.
pub(super) fn next(interval: Duration, failures: u32, now: Timestamp, chance: Chance) -> Timestamp {
    let back_off = 2u32.saturating_pow(failures).min(LONGEST_BACK_OFF);
    let interval = interval.saturating_mul(back_off);
    let least =
        SignedDuration::try_from(interval.saturating_sub(interval / 5)).unwrap_or(SignedDuration::MAX);
    later(later(now, least), chance.of(interval.saturating_mul(2) / 5))
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// Variants by the time at which they are looked at.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    by_time: BTreeSet<(Timestamp, VariantId)>,
    all: HashMap<VariantId, Timestamp>,
}

impl Schedule {
    pub(super) fn plan(&mut self, id: VariantId, at: Timestamp) {
        if let Some(before) = self.all.insert(id, at) {
            self.by_time.remove(&(before, id));
        }
        self.by_time.insert((at, id));
    }

    /// When the next one is to be looked at.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// One whose time has come.
    pub(super) fn take(&mut self, now: Timestamp) -> Option<VariantId> {
        let (at, id) = *self.by_time.first().filter(|(at, _)| *at <= now)?;
        self.by_time.remove(&(at, id));
        self.all.remove(&id);
        Some(id)
    }

    /// All that are planned.
    pub(super) fn planned(&self) -> Vec<VariantId> {
        self.all.keys().copied().collect()
    }
}

/// Those whose time has come, and whose vendor is busy with others.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    waiting: VecDeque<(Arc<str>, VariantId)>,
    running: HashMap<Arc<str>, usize>,
}

impl Lanes {
    pub(super) fn wait(&mut self, vendor: Arc<str>, id: VariantId) {
        self.waiting.push_back((vendor, id));
    }

    /// The one that has waited longest of those that may begin. It runs now.
    pub(super) fn begin(&mut self) -> Option<(Arc<str>, VariantId)> {
        if self.running.values().sum::<usize>() >= OF_ALL {
            return None;
        }
        let is_free =
            |vendor: &Arc<str>| self.running.get(vendor).is_none_or(|running| *running < OF_ONE_VENDOR);
        let at = self.waiting.iter().position(|(vendor, _)| is_free(vendor))?;
        let (vendor, id) = self.waiting.remove(at)?;
        *self.running.entry(Arc::clone(&vendor)).or_default() += 1;
        Some((vendor, id))
    }

    /// One of the vendor's has ended.
    pub(super) fn end(&mut self, vendor: &Arc<str>) {
        if let Some(running) = self.running.get_mut(vendor) {
            *running -= 1;
            if *running == 0 {
                self.running.remove(vendor);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn minute(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
    }

    #[test]
    fn a_recheck_is_a_fifth_early_or_late_at_most() {
        for (chance, minutes) in [(0.0, 48), (0.5, 60), (1.0, 72)] {
            assert_eq!(next(HOUR, 0, minute(0), Chance(chance)), minute(minutes));
        }
        let chance = Chance::take().0;
        assert!((0.0..=1.0).contains(&chance), "{chance}");
    }

    #[test]
    fn a_vendor_that_gives_nothing_is_asked_less_often_but_asked() {
        let hours =
            |failures| next(HOUR, failures, minute(0), Chance(0.5)).duration_since(minute(0)).as_hours();
        assert_eq!([0, 1, 2, 3, 4, 1_000_000].map(hours), [1, 2, 4, 8, 8, 8]);
    }

    #[test]
    fn a_start_goes_on_where_it_was_and_spreads_what_is_late() {
        assert_eq!(first(minute(-30), HOUR, minute(0), Chance(0.5)), minute(30));
        for fetched in [minute(-1000), minute(1000)] {
            for (chance, at) in [(0.0, 0), (0.25, 15), (1.0, 60)] {
                assert_eq!(first(fetched, HOUR, minute(0), Chance(chance)), minute(at));
            }
        }
    }

    #[test]
    fn what_is_planned_anew_is_looked_at_once() {
        let ids = ids();
        let mut schedule = Schedule::default();
        schedule.plan(ids[0], minute(5));
        schedule.plan(ids[1], minute(3));
        schedule.plan(ids[0], minute(1));
        assert_eq!(schedule.next(), Some(minute(1)));
        assert_eq!(schedule.take(minute(0)), None);
        let mut planned = schedule.planned();
        planned.sort();
        assert_eq!(planned, ids[..2]);
        assert_eq!([(); 3].map(|()| schedule.take(minute(9))), [Some(ids[0]), Some(ids[1]), None]);
        assert!(schedule.planned().is_empty());
    }

    #[test]
    fn two_of_one_vendor_run_at_a_time_and_hold_up_no_other() {
        let (slow, quick): (Arc<str>, Arc<str>) = ("slow".into(), "quick".into());
        let ids = ids();
        let mut lanes = Lanes::default();
        for id in &ids[..3] {
            lanes.wait(Arc::clone(&slow), *id);
        }
        lanes.wait(Arc::clone(&quick), ids[3]);
        let begun = [(); 4].map(|()| lanes.begin().map(|(_, id)| id));
        assert_eq!(begun, [Some(ids[0]), Some(ids[1]), Some(ids[3]), None]);
        lanes.end(&quick);
        assert_eq!(lanes.begin(), None);
        lanes.end(&slow);
        assert_eq!(lanes.begin(), Some((slow, ids[2])));
    }

    #[test]
    fn there_is_a_bound_on_all_together() {
        let mut lanes = Lanes::default();
        for number in 0..100 {
            lanes.wait(number.to_string().into(), ids()[0]);
        }
        assert_eq!(std::iter::from_fn(|| lanes.begin()).count(), OF_ALL);
    }

    fn ids() -> Vec<VariantId> {
        (0..4).map(VariantId::from).collect()
    }
}
