//! What many items newly do, in one line each, for the queue. What is not known is read behind the page, one item after the
//! other and each for a short time; only the line is kept.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use pinfold_console::{Triage, in_a_line};
use pinfold_policy::digest::BodyId;
use pinfold_policy::policy::Rulebook;
use pinfold_store::incident::Incident;
use pinfold_store::item::Item;

use super::{Analyst, Key, LARGEST};
use crate::comparison::{Known, Released};
use crate::failure::Failure;

/// How long one item is looked at for its line. Its page takes longer where it must.
const LIMIT: Duration = Duration::from_secs(2);
/// Lines that are kept, of some hundred bytes each.
const KEPT: usize = 1000;

/// What is known, and what is to be read.
#[derive(Default)]
pub(super) struct Lines {
    /// What was expected when these were read.
    rules: Option<Arc<Rulebook>>,
    known: HashMap<Key, String>,
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
    pub(in crate::run::review) async fn in_short(
        &self,
        items: &[Item],
        incidents: &[Incident],
        rules: &Arc<Rulebook>,
    ) -> Result<Vec<Option<String>>, Failure> {
        let released = Released::read(&self.0.store).await?;
        let by_incident: HashMap<_, _> = items.iter().map(|item| (item.incident, item)).collect();
        let mut wanted = VecDeque::new();
        let lines = incidents.iter().map(|incident| {
            let item = by_incident.get(incident)?;
            if !item.body_kept {
                return Some("its bytes were not kept: there was no room for them".to_owned());
            }
            let verified = released.at(items, item);
            if verified.iter().map(|known| known.len).chain([item.len]).any(|len| len > LARGEST) {
                return Some("too large to be read for a page".to_owned());
            }
            let key = (verified.first().map(|known| known.digest), item.digest);
            let known = self.line(key, rules);
            if known.is_none() {
                wanted.push_back(Wanted { key, new: (item.digest, item.len), verified });
            }
            known
        });
        let lines = lines.collect();
        self.want(wanted, rules);
        Ok(lines)
    }

    fn line(&self, key: Key, rules: &Arc<Rulebook>) -> Option<String> {
        let mut lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.forget_what_is_of_other_rules(rules);
        lines.known.get(&key).cloned()
    }

    fn want(&self, wanted: VecDeque<Wanted>, rules: &Arc<Rulebook>) {
        let mut lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.wanted = wanted;
        if !lines.is_reading && !lines.wanted.is_empty() {
            lines.is_reading = true;
            tokio::spawn(self.clone().read(Arc::clone(rules)));
        }
    }

    async fn read(self, rules: Arc<Rulebook>) {
        while let Some(Wanted { key, new, verified }) = self.next() {
            let found = self.look(new, &verified, Arc::clone(&rules), LIMIT).await;
            let line = found.as_ref().and_then(in_a_line);
            let line = line.unwrap_or_else(|| "not analysed because the analysis failed".to_owned());
            self.0.lines.lock().unwrap_or_else(PoisonError::into_inner).keep(key, line, &rules);
        }
    }

    fn next(&self) -> Option<Wanted> {
        let mut lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let next = lines.wanted.pop_front();
        lines.is_reading = next.is_some();
        next
    }

    /// What was found for an item's page need not be read again.
    pub(super) fn keep_line(&self, key: Key, found: Option<&Triage>, rules: &Arc<Rulebook>) {
        if let Some(line) = found.filter(|found| matches!(found, Triage::Done { .. })).and_then(in_a_line) {
            self.0.lines.lock().unwrap_or_else(PoisonError::into_inner).keep(key, line, rules);
        }
    }
}

impl Lines {
    fn forget_what_is_of_other_rules(&mut self, rules: &Arc<Rulebook>) {
        if !self.rules.as_ref().is_some_and(|known| Arc::ptr_eq(known, rules)) {
            self.rules = Some(Arc::clone(rules));
            self.known.clear();
            self.order.clear();
        }
    }

    /// Unless other things are expected by now.
    fn keep(&mut self, key: Key, line: String, rules: &Arc<Rulebook>) {
        if !self.rules.as_ref().is_some_and(|known| Arc::ptr_eq(known, rules)) {
            return;
        }
        if self.known.insert(key, line).is_none() {
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
    fn lines_are_bounded_and_of_what_is_expected_now() {
        let (rules, others) = (Arc::<Rulebook>::default(), Arc::<Rulebook>::default());
        let mut lines = Lines::default();
        let key = |number: usize| {
            let mut id = [0; 32];
            id[..size_of::<usize>()].copy_from_slice(&number.to_le_bytes());
            (None, BodyId(id))
        };
        lines.forget_what_is_of_other_rules(&rules);
        for number in 0..KEPT + 10 {
            lines.keep(key(number), number.to_string(), &rules);
        }
        assert_eq!((lines.known.len(), lines.order.len()), (KEPT, KEPT));
        assert!(!lines.known.contains_key(&key(0)) && lines.known.contains_key(&key(KEPT)));
        lines.forget_what_is_of_other_rules(&others);
        lines.keep(key(1), "late".to_owned(), &rules);
        assert!(lines.known.is_empty() && lines.order.is_empty());
    }
}
