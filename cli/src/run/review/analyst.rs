//! Who says what an item newly does, for its page. Whoever fills the queue chooses the bytes, so that every item may take the
//! whole limit: one is looked at after the other, off the threads that carry traffic, a few wait, the page of who asks waits a
//! moment and no longer, and what was found is remembered, so that a page that is loaded again does not pay again.

mod glances;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use pinfold_console::{Triage, Verified};
use pinfold_policy::digest::BodyId;
use pinfold_policy::lookalike::Lookalikes;
use pinfold_policy::policy::Rulebook;
use pinfold_store::Store;
use pinfold_store::item::Item;
use pinfold_triage::DifferenceAsked;
use tokio::sync::{Semaphore, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use self::glances::Glances;
use crate::comparison::{Known, found};
use crate::failure::Failure;

/// How long one item is looked at. The command takes longer where it must.
const LIMIT: Duration = Duration::from_secs(8);
/// How long a page waits for that.
const PATIENCE: Duration = Duration::from_millis(1500);
/// A body larger than this is not read for a page, in bytes: of one that large nothing but hosts would be said.
const LARGEST: u64 = 16 * 1024 * 1024;
/// Items that wait or are looked at, at one time.
const WAITING: usize = 8;
/// Items that are remembered. Each takes up to a few megabytes, and mostly some kilobytes.
const REMEMBERED: usize = 24;

/// Says it. A clone is the same one.
#[derive(Clone)]
pub(super) struct Analyst(Arc<Inner>);

struct Inner {
    store: Store,
    turn: Semaphore,
    memory: Mutex<Memory>,
    glances: Mutex<Glances>,
}

/// What was asked: what it was compared with, as far as it is still there, and what it is.
type Key = (Option<BodyId>, BodyId);
/// The same, and what of the difference.
type Asked = (Key, DifferenceAsked);
/// None while it is looked at.
type Answer = Option<Triage>;

#[derive(Default)]
struct Memory {
    /// What was expected when these were looked at: other vendors have other look-alikes.
    rules: Option<Arc<Rulebook>>,
    /// The last asked for at the end.
    answers: VecDeque<(Asked, watch::Receiver<Answer>)>,
}

impl Analyst {
    pub(super) fn new(store: Store) -> Self {
        let memory = Mutex::default();
        Self(Arc::new(Inner { store, turn: Semaphore::new(1), memory, glances: Mutex::default() }))
    }

    /// What an item newly does: at once where it is known, else when it has been looked at, or that it takes longer.
    pub(super) async fn ask(
        &self,
        item: &Item,
        items: &[Item],
        rules: &Arc<Rulebook>,
        asked: DifferenceAsked,
    ) -> Result<Triage, Failure> {
        if !item.body_kept {
            return Ok(Triage::NotDone("its body was not kept: there was no room for it".to_owned()));
        }
        let verified = Known::all(&self.0.store, items, item).await?;
        if let Some(larger) =
            verified.iter().map(|known| known.len).chain([item.len]).find(|len| *len > LARGEST)
        {
            return Ok(Triage::NotDone(format!(
                "{larger} bytes are more than a page reads: 'pinfold quarantine diff {}' does",
                item.incident
            )));
        }
        Ok(self.answer((item.digest, item.len), verified, rules, asked).await)
    }

    /// What a body does by itself, with nothing to compare it with.
    pub(super) async fn alone(&self, new: (BodyId, u64), rules: &Arc<Rulebook>) -> Triage {
        let (_, len) = new;
        if len > LARGEST {
            return Triage::NotDone(format!("{len} bytes are more than a page reads"));
        }
        self.answer(new, Vec::new(), rules, DifferenceAsked::default()).await
    }

    async fn answer(
        &self,
        new: (BodyId, u64),
        verified: Vec<Known>,
        rules: &Arc<Rulebook>,
        asked: DifferenceAsked,
    ) -> Triage {
        let Some(mut answer) = self.begun(new, verified, rules, asked) else { return Triage::Running };
        let waiting = timeout(PATIENCE, answer.wait_for(Option::is_some)).await;
        match waiting {
            Ok(Ok(answer)) => answer.clone().unwrap_or(Triage::Running),
            // It was given up: whoever asks again begins anew.
            Ok(Err(_)) | Err(_) => Triage::Running,
        }
    }

    /// Where the answer comes; none where too many wait.
    fn begun(
        &self,
        new: (BodyId, u64),
        verified: Vec<Known>,
        rules: &Arc<Rulebook>,
        asked: DifferenceAsked,
    ) -> Option<watch::Receiver<Answer>> {
        let key = (verified.first().map(|known| known.digest), new.0);
        let mut memory = self.0.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.forget_what_is_of_other_rules(rules);
        if let Some(answer) = memory.known((key, asked)) {
            return Some(answer);
        }
        let (tell, answer) = watch::channel(None);
        if !memory.add((key, asked), answer.clone()) {
            return None;
        }
        let (this, rules) = (self.clone(), Arc::clone(rules));
        tokio::spawn(async move {
            let found = this.compare(new, &verified, Arc::clone(&rules), (LIMIT, asked)).await;
            this.keep_glance(key, found.as_ref(), &rules);
            tell.send_replace(found);
        });
        Some(answer)
    }

    /// Nothing where it was given up.
    async fn compare(
        &self,
        new: (BodyId, u64),
        verified: &[Known],
        rules: Arc<Rulebook>,
        (limit, asked): (Duration, DifferenceAsked),
    ) -> Option<Triage> {
        let _turn = self.0.turn.acquire().await.ok()?;
        let read = async {
            let verified = Known::first_there(verified, &self.0.store).await?;
            let new = self.0.store.bytes_of(new.0, new.1).await?;
            Ok::<_, pinfold_store::StoreError>((verified, new))
        };
        let (verified, new) = match read.await {
            Ok((verified, Some(new))) => (verified, new),
            Ok((_, None)) => return Some(Triage::NotDone("its body is not there any more".to_owned())),
            Err(error) => return Some(Triage::NotDone(format!("it cannot be read: {error}"))),
        };
        let (known, old) = verified.unzip();
        let looking = spawn_blocking(move || {
            let lookalikes = Lookalikes::of(&rules);
            found(asked, old.as_deref(), &new, Instant::now() + limit, &lookalikes)
        });
        let findings = Arc::new(looking.await.ok()?);
        let verified = known.map(|Known { digest, len, at, learned }| Verified { digest, len, at, learned });
        Some(Triage::Done { verified, findings })
    }
}

impl Memory {
    fn forget_what_is_of_other_rules(&mut self, rules: &Arc<Rulebook>) {
        if !self.rules.as_ref().is_some_and(|known| Arc::ptr_eq(known, rules)) {
            self.rules = Some(Arc::clone(rules));
            // What is being looked at still has its turn, and counts among those that wait.
            self.answers.retain(|(_, answer)| is_awaited(answer));
        }
    }

    fn known(&mut self, key: Asked) -> Option<watch::Receiver<Answer>> {
        // What could not be done may be possible now.
        self.answers.retain(|(_, answer)| is_awaited(answer) || is_done(answer));
        let at = self.answers.iter().position(|(known, _)| *known == key)?;
        let (_, answer) = self.answers.remove(at)?;
        self.answers.push_back((key, answer.clone()));
        Some(answer)
    }

    /// Whether there is room for one more.
    fn add(&mut self, key: Asked, answer: watch::Receiver<Answer>) -> bool {
        if self.answers.iter().filter(|(_, answer)| is_awaited(answer)).count() >= WAITING {
            return false;
        }
        while self.answers.len() >= REMEMBERED {
            let Some(oldest) = self.answers.iter().position(|(_, answer)| !is_awaited(answer)) else { break };
            self.answers.remove(oldest);
        }
        self.answers.push_back((key, answer));
        true
    }
}

fn is_awaited(answer: &watch::Receiver<Answer>) -> bool {
    answer.borrow().is_none() && answer.has_changed().is_ok()
}

fn is_done(answer: &watch::Receiver<Answer>) -> bool {
    match &*answer.borrow() {
        Some(Triage::Done { .. }) => true,
        Some(Triage::Running | Triage::NotDone(_)) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> Asked {
        ((None, BodyId([number; 32])), DifferenceAsked::default())
    }

    #[test]
    fn a_queue_that_is_filled_makes_a_few_wait_and_fills_no_memory() {
        let mut memory = Memory::default();
        let mut waiting = Vec::new();
        for number in 0..100 {
            let (tell, answer) = watch::channel(None);
            if memory.add(key(number), answer) {
                waiting.push(tell);
            }
        }
        assert_eq!(waiting.len(), WAITING);
        // Each is done in its turn, and another comes in its place.
        for number in 0..100 {
            let done = Triage::Done { verified: None, findings: Arc::default() };
            waiting.remove(0).send_replace(Some(done));
            let (tell, answer) = watch::channel(None);
            assert!(memory.add(key(100 + number), answer), "{number}");
            waiting.push(tell);
        }
        assert_eq!(memory.answers.len(), REMEMBERED);
        assert!(memory.known(key(0)).is_none() && memory.known(key(199)).is_some());
    }

    #[test]
    fn what_was_found_is_remembered_and_what_was_given_up_is_not() {
        let mut memory = Memory::default();
        let (done, answer) = watch::channel(None);
        assert!(memory.add(key(1), answer));
        done.send_replace(Some(Triage::Done { verified: None, findings: Arc::default() }));
        drop(done);
        let (given_up, answer) = watch::channel(None);
        assert!(memory.add(key(2), answer));
        drop(given_up);
        let (failed, answer) = watch::channel(None);
        assert!(memory.add(key(3), answer));
        failed.send_replace(Some(Triage::NotDone("it cannot be read".to_owned())));
        let known = [1, 2, 3].map(|number| memory.known(key(number)).is_some());
        assert_eq!(known, [true, false, false]);
    }
}
