//! What many items newly do, at a glance, for the queue. What is not known is read behind the page, one item after the other
//! and each for a short time; only the glance is kept.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use pinfold_console::{Glance, Triage};
use pinfold_policy::digest::BodyId;
use pinfold_policy::policy::Rulebook;
use pinfold_store::incident::Incident;
use pinfold_store::item::Item;
use pinfold_triage::{Comparing, DifferenceAsked};

use super::{Analyst, Key, LARGEST};
use crate::comparison::{Known, Released};
use crate::failure::Failure;

/// How long one item is looked at at a glance. Its page takes longer where it must.
const LIMIT: Duration = Duration::from_secs(2);
/// Glances that are kept, of some hundred bytes each.
const KEPT: usize = 1000;

/// What is known, and what is to be read.
#[derive(Default)]
pub(super) struct Glances {
    /// What was expected when these were read.
    rules: Option<Arc<Rulebook>>,
    known: HashMap<Key, Glance>,
    /// The keys of these, the oldest first.
    order: VecDeque<Key>,
    /// What the last page has asked for: what an earlier one has nobody waits for any more.
    wanted: VecDeque<Wanted>,
    is_reading: bool,
}

struct Wanted {
    key: Key,
    new: (BodyId, u64),
    verified: Vec<Known>,
}

impl Analyst {
    /// In the order in which they are asked for; none where it is being read.
    pub(in crate::run::review) async fn at_a_glance(
        &self,
        items: &[Item],
        incidents: &[Incident],
        rules: &Arc<Rulebook>,
    ) -> Result<Vec<Option<Glance>>, Failure> {
        let released = Released::read(&self.0.store).await?;
        let by_incident: HashMap<_, _> = items.iter().map(|item| (item.incident, item)).collect();
        let mut wanted = VecDeque::new();
        let glances = incidents.iter().map(|incident| {
            let item = by_incident.get(incident)?;
            if !item.body_kept {
                let why = "its bytes were not kept: there was no room for them";
                return Some(Glance::unread(why.to_owned()));
            }
            let verified = released.at(items, item);
            if verified.iter().map(|known| known.len).chain([item.len]).any(|len| len > LARGEST) {
                return Some(Glance::unread("too large to be read for a page".to_owned()));
            }
            let key = (verified.first().map(|known| known.digest), item.digest);
            let known = self.glance(key, rules);
            if known.is_none() {
                wanted.push_back(Wanted { key, new: (item.digest, item.len), verified });
            }
            known
        });
        let glances = glances.collect();
        self.want(wanted, rules);
        Ok(glances)
    }

    fn glance(&self, key: Key, rules: &Arc<Rulebook>) -> Option<Glance> {
        let mut glances = self.0.glances.lock().unwrap_or_else(PoisonError::into_inner);
        glances.forget_what_is_of_other_rules(rules);
        glances.known.get(&key).cloned()
    }

    fn want(&self, wanted: VecDeque<Wanted>, rules: &Arc<Rulebook>) {
        let mut glances = self.0.glances.lock().unwrap_or_else(PoisonError::into_inner);
        glances.wanted = wanted;
        if !glances.is_reading && !glances.wanted.is_empty() {
            glances.is_reading = true;
            tokio::spawn(self.clone().read(Arc::clone(rules)));
        }
    }

    async fn read(self, rules: Arc<Rulebook>) {
        while let Some(Wanted { key, new, verified }) = self.next() {
            let asked = DifferenceAsked { comparing: Comparing::NoLines, part: 0 };
            let found = self.compare(new, &verified, Arc::clone(&rules), (LIMIT, asked)).await;
            let glance = found.as_ref().and_then(Glance::of);
            let glance = glance
                .unwrap_or_else(|| Glance::unread("not analysed because the analysis failed".to_owned()));
            self.0.glances.lock().unwrap_or_else(PoisonError::into_inner).keep(key, glance, &rules);
        }
    }

    fn next(&self) -> Option<Wanted> {
        let mut glances = self.0.glances.lock().unwrap_or_else(PoisonError::into_inner);
        let next = glances.wanted.pop_front();
        glances.is_reading = next.is_some();
        next
    }

    /// What was found for an item's page need not be read again.
    pub(super) fn keep_glance(&self, key: Key, found: Option<&Triage>, rules: &Arc<Rulebook>) {
        if let Some(glance) = found.filter(|found| matches!(found, Triage::Done { .. })).and_then(Glance::of)
        {
            self.0.glances.lock().unwrap_or_else(PoisonError::into_inner).keep(key, glance, rules);
        }
    }
}

impl Glances {
    fn forget_what_is_of_other_rules(&mut self, rules: &Arc<Rulebook>) {
        if !self.rules.as_ref().is_some_and(|known| Arc::ptr_eq(known, rules)) {
            self.rules = Some(Arc::clone(rules));
            self.known.clear();
            self.order.clear();
        }
    }

    /// Unless other things are expected by now.
    fn keep(&mut self, key: Key, glance: Glance, rules: &Arc<Rulebook>) {
        if !self.rules.as_ref().is_some_and(|known| Arc::ptr_eq(known, rules)) {
            return;
        }
        if self.known.insert(key, glance).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > KEPT {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glances_are_bounded_and_of_what_is_expected_now() {
        let (rules, others) = (Arc::<Rulebook>::default(), Arc::<Rulebook>::default());
        let mut glances = Glances::default();
        let key = |number: usize| {
            let mut id = [0; 32];
            id[..size_of::<usize>()].copy_from_slice(&number.to_le_bytes());
            (None, BodyId(id))
        };
        glances.forget_what_is_of_other_rules(&rules);
        for number in 0..KEPT + 10 {
            glances.keep(key(number), Glance::unread(number.to_string()), &rules);
        }
        assert_eq!((glances.known.len(), glances.order.len()), (KEPT, KEPT));
        assert!(!glances.known.contains_key(&key(0)) && glances.known.contains_key(&key(KEPT)));
        glances.forget_what_is_of_other_rules(&others);
        glances.keep(key(1), Glance::unread("late".to_owned()), &rules);
        assert!(glances.known.is_empty() && glances.order.is_empty());
    }
}
