//! What many items newly do, at a glance, for the queue. What is not known is read behind the page, one item after the other
//! and each for a short time; only the glance is kept.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use pinfold_console::{AtAGlance, Glance, Triage};
use pinfold_policy::policy::Rulebook;
use pinfold_store::incident::Incident;
use pinfold_store::item::Item;
use pinfold_triage::{Comparing, DifferenceAsked};

use super::{Analyst, Comparison, Inner, Key, LARGEST, Rules};
use crate::comparison::Released;
use crate::failure::Failure;

/// How long one item is looked at at a glance. Its page takes longer where it must.
const LIMIT: Duration = Duration::from_secs(2);
/// Items that are read for one page.
const READ: usize = 500;
/// Glances that are kept, of some hundred bytes each.
const KEPT: usize = 10_000;

/// What is known, and what is to be read.
#[derive(Default)]
pub(super) struct Glances {
    /// What was expected when these were read.
    rules: Rules,
    known: HashMap<Key, Glance>,
    /// The keys of these, the oldest first.
    order: VecDeque<Key>,
    /// What the last page has asked for: what an earlier one has nobody waits for any more.
    wanted: VecDeque<Comparison>,
    is_reading: bool,
}

enum Sight {
    Told(Glance),
    Read(Comparison),
}

impl Analyst {
    /// In the order in which they are asked for.
    pub(in crate::run::review) async fn at_a_glance(
        &self,
        items: &[Item],
        incidents: &[Incident],
        rules: &Arc<Rulebook>,
    ) -> Result<Vec<AtAGlance>, Failure> {
        let released = Released::read(&self.0.store, items).await?;
        let by_incident: HashMap<_, _> = items.iter().map(|item| (item.incident, item)).collect();
        let asked =
            incidents.iter().map(|incident| by_incident.get(incident).map(|item| sight(item, &released)));
        let asked: Vec<_> = asked.collect();
        let mut glances = self.0.glances();
        let found = glances.found(asked, rules);
        if !glances.is_reading && !glances.wanted.is_empty() {
            glances.is_reading = true;
            tokio::spawn(self.clone().read());
        }
        Ok(found)
    }

    /// As if the queue had read it.
    #[cfg(test)]
    pub(super) fn read_before(&self, key: Key, glance: Glance, rules: &Arc<Rulebook>) {
        let mut glances = self.0.glances();
        glances.forget_what_is_of_other_rules(rules);
        glances.keep(key, glance, rules);
    }

    /// What was read of one before, by what is expected now.
    pub(super) fn glance(&self, key: Key, rules: &Arc<Rulebook>) -> Option<Glance> {
        let glances = self.0.glances();
        glances.known.get(&key).filter(|_| glances.rules.are(rules)).cloned()
    }

    async fn read(self) {
        loop {
            let Some((wanted, rules)) = self.0.glances().next() else { return };
            let asked = DifferenceAsked { comparing: Comparing::NoLines, part: 0 };
            let (found, _) = self.compare(&wanted, Arc::clone(&rules), (LIMIT, asked)).await;
            if let Some(glance) = Glance::of(&found) {
                self.0.glances().keep(wanted.key(), glance, &rules);
            }
        }
    }

    /// What was found for an item's page need not be read again.
    pub(super) fn keep_glance(&self, key: Key, found: &Triage, rules: &Arc<Rulebook>) {
        if let (Triage::Done { .. }, Some(glance)) = (found, Glance::of(found)) {
            self.0.glances().keep(key, glance, rules);
        }
    }
}

/// What of an item is looked at, or why it is not.
fn sight(item: &Item, released: &Released) -> Sight {
    if !item.body_kept {
        let why = "its bytes were not kept: there was no room for them";
        return Sight::Told(Glance::unread(why.to_owned()));
    }
    let verified = released.at(item);
    if verified.iter().map(|known| known.len).chain([item.len]).any(|len| len > LARGEST) {
        return Sight::Told(Glance::unread("too large to be read for a page".to_owned()));
    }
    Sight::Read(Comparison { new: (item.digest, item.len), verified })
}

impl Inner {
    fn glances(&self) -> MutexGuard<'_, Glances> {
        self.glances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Glances {
    /// What is known by now. Of what is not, the first are read: whoever fills the queue keeps what stands behind it from being
    /// read this time, and not the next.
    fn found(&mut self, asked: Vec<Option<Sight>>, rules: &Arc<Rulebook>) -> Vec<AtAGlance> {
        self.forget_what_is_of_other_rules(rules);
        self.wanted.clear();
        let found = asked.into_iter().map(|sight| match sight {
            None => AtAGlance::NotYet,
            Some(Sight::Told(glance)) => AtAGlance::Known(glance),
            Some(Sight::Read(wanted)) => match self.known.get(&wanted.key()) {
                Some(glance) => AtAGlance::Known(glance.clone()),
                None if self.wanted.len() < READ => {
                    self.wanted.push_back(wanted);
                    AtAGlance::BeingRead
                }
                None => AtAGlance::NotYet,
            },
        });
        found.collect()
    }

    /// With what is expected now: who asks for glances may have begun to wait when other things were.
    fn next(&mut self) -> Option<(Comparison, Arc<Rulebook>)> {
        let next = self.wanted.pop_front().zip(self.rules.0.clone());
        self.is_reading = next.is_some();
        next
    }

    fn forget_what_is_of_other_rules(&mut self, rules: &Arc<Rulebook>) {
        if self.rules.replace(rules) {
            self.known.clear();
            self.order.clear();
        }
    }

    /// Unless other things are expected by now.
    fn keep(&mut self, key: Key, glance: Glance, rules: &Arc<Rulebook>) {
        if !self.rules.are(rules) {
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
    use pinfold_policy::digest::BodyId;

    use super::*;

    fn key(number: usize) -> Key {
        let mut id = [0; 32];
        id[..size_of::<usize>()].copy_from_slice(&number.to_le_bytes());
        (None, BodyId(id))
    }

    #[test]
    fn whoever_fills_the_queue_does_not_keep_what_is_behind_it_from_being_read() {
        let rules = Arc::<Rulebook>::default();
        let mut glances = Glances::default();
        let page = || -> Vec<_> {
            let all = (0..3 * READ + 1).map(key);
            all.map(|key| Some(Sight::Read(Comparison { new: (key.1, 1), verified: Vec::new() }))).collect()
        };
        for round in 0..3 {
            let found = glances.found(page(), &rules);
            let is_known = |at: &AtAGlance| matches!(at, AtAGlance::Known(_));
            assert_eq!(found.iter().filter(|at| is_known(at)).count(), round * READ);
            let is_read = |at: &AtAGlance| matches!(at, AtAGlance::BeingRead);
            assert_eq!(found.iter().filter(|at| is_read(at)).count(), READ);
            assert!(matches!(found.last(), Some(AtAGlance::NotYet)));
            for wanted in std::mem::take(&mut glances.wanted) {
                glances.keep(wanted.key(), Glance::unread(String::new()), &rules);
            }
        }
        glances.found(page(), &rules);
        assert_eq!(glances.wanted.iter().map(Comparison::key).collect::<Vec<_>>(), [key(3 * READ)]);
    }

    #[test]
    fn what_waits_to_be_read_is_read_by_what_is_expected_when_it_is_its_turn() {
        let (rules, others) = (Arc::<Rulebook>::default(), Arc::<Rulebook>::default());
        let mut glances = Glances::default();
        let wanted = || Comparison { new: (key(1).1, 1), verified: Vec::new() };
        glances.found(vec![Some(Sight::Read(wanted()))], &rules);
        glances.is_reading = true;
        glances.found(vec![Some(Sight::Read(wanted()))], &others);
        assert!(glances.next().is_some_and(|(_, by)| Arc::ptr_eq(&by, &others)));
        assert!(glances.next().is_none() && !glances.is_reading);
    }

    #[test]
    fn glances_are_bounded_and_of_what_is_expected_now() {
        let (rules, others) = (Arc::<Rulebook>::default(), Arc::<Rulebook>::default());
        let mut glances = Glances::default();
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
