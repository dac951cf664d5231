//! Who says what an item newly does, for its page. Whoever fills the queue chooses the bytes, so that every item may take the
//! whole limit: one is looked at after the other, off the threads that carry traffic, a few wait, the page of who asks waits a
//! moment and no longer, and what was found is remembered, so that a page that is loaded again does not pay again.

mod glances;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pinfold_console::{Triage, Verified};
use pinfold_policy::digest::BodyId;
use pinfold_policy::lookalike::Lookalikes;
use pinfold_policy::policy::Rulebook;
use pinfold_store::Store;
use pinfold_store::item::Item;
use pinfold_triage::{Comparing, DifferenceAsked, Findings, Whole};
use tokio::sync::{Semaphore, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use self::glances::Glances;
use crate::comparison::{Known, Released, found};

/// How long one item is looked at. The command takes longer where it must.
const LIMIT: Duration = Duration::from_secs(8);
/// How long a page waits for that.
const PATIENCE: Duration = Duration::from_millis(1500);
/// A body larger than this is not read for a page, in bytes: of one that large nothing but hosts would be said.
pub(super) const LARGEST: u64 = 16 * 1024 * 1024;
/// Items that wait or are looked at, at one time.
const WAITING: usize = 8;
/// Items that are remembered. Each takes up to a few megabytes, and mostly some kilobytes.
const REMEMBERED: usize = 24;
/// Differences that further parts are cut from. Each takes some tens of megabytes.
const WHOLES: usize = 2;

/// Says it. A clone is the same one.
#[derive(Clone)]
pub(super) struct Analyst(Arc<Inner>);

struct Inner {
    store: Store,
    turn: Semaphore,
    /// Whose is the next part that is cut.
    cutting: Semaphore,
    memory: Mutex<Memory>,
    glances: Mutex<Glances>,
}

/// What was asked: what it was compared with, as far as it is still there, and what it is.
type Key = (Option<BodyId>, BodyId);
/// The same, and what of the difference.
type Asked = (Key, DifferenceAsked);
/// What a difference in several parts is of.
type OfWhole = (Key, Comparing);
/// What is looked at: a body and its length, and what was verified where it was served, the last first.
#[derive(Clone)]
struct Comparison {
    new: (BodyId, u64),
    verified: Vec<Known>,
}

impl Comparison {
    fn key(&self) -> Key {
        (self.verified.first().map(|known| known.digest), self.new.0)
    }
}

/// What is expected, while it is the same.
#[derive(Default)]
struct Rules(Option<Arc<Rulebook>>);

impl Rules {
    fn are(&self, rules: &Arc<Rulebook>) -> bool {
        self.0.as_ref().is_some_and(|known| Arc::ptr_eq(known, rules))
    }

    /// Whether these are others.
    fn replace(&mut self, rules: &Arc<Rulebook>) -> bool {
        let are_others = !self.are(rules);
        if are_others {
            self.0 = Some(Arc::clone(rules));
        }
        are_others
    }
}

/// None while it is looked at.
type Answer = Option<Triage>;

#[derive(Default)]
struct Memory {
    /// What was expected when these were looked at: other vendors have other look-alikes.
    rules: Rules,
    /// The last asked for at the end. What is looked at by what was expected before answers nobody.
    answers: VecDeque<(Option<Asked>, watch::Receiver<Answer>)>,
    /// Of differences that have several parts, the last at the end.
    wholes: VecDeque<(OfWhole, Arc<Whole>)>,
}

impl Analyst {
    pub(super) fn new(store: Store) -> Self {
        Self(Arc::new(Inner {
            store,
            turn: Semaphore::new(1),
            cutting: Semaphore::new(1),
            memory: Mutex::default(),
            glances: Mutex::default(),
        }))
    }

    /// What an item newly does: at once where it is known, else when it has been looked at, or that it takes longer.
    pub(super) async fn ask(
        &self,
        item: &Item,
        released: &Released,
        rules: &Arc<Rulebook>,
        asked: DifferenceAsked,
    ) -> Triage {
        if !item.body_kept {
            return Triage::NotDone("its body was not kept: there was no room for it".to_owned());
        }
        let verified = released.at(item);
        if let Some(larger) =
            verified.iter().map(|known| known.len).chain([item.len]).find(|len| *len > LARGEST)
        {
            return Triage::NotDone(format!(
                "{larger} bytes are more than a page reads: 'pinfold quarantine diff {}' does",
                item.incident
            ));
        }
        let comparison = Comparison { new: (item.digest, item.len), verified };
        self.part(comparison, rules, asked).await
    }

    /// The part that is asked for, or else the last. Only the first, which says how many there are, is looked at anew for whoever
    /// asks: the others are cut from what was found with it, however many numbers somebody asks for.
    async fn part(&self, of: Comparison, rules: &Arc<Rulebook>, asked: DifferenceAsked) -> Triage {
        let triage = self.answer(of.clone(), rules, DifferenceAsked { part: 0, ..asked }).await;
        let Triage::Done { verified: against, findings } = &triage else { return triage };
        let part = asked.part.min(findings.parts().saturating_sub(1));
        if part == 0 {
            return triage;
        }
        let whole = self.0.memory().whole((of.key(), asked.comparing));
        match whole {
            Some(whole) => self.cut(*against, Arc::clone(findings), whole, part).await,
            // It had to go for others, or is one of members: then it is looked at again.
            None => self.answer(of, rules, DifferenceAsked { part, ..asked }).await,
        }
    }

    async fn cut(
        &self,
        verified: Option<Verified>,
        findings: Arc<Findings>,
        whole: Arc<Whole>,
        part: usize,
    ) -> Triage {
        let Ok(_turn) = self.0.cutting.acquire().await else { return Triage::Running(None) };
        let cutting = spawn_blocking(move || Findings { diff: whole.part(part), ..(*findings).clone() });
        match cutting.await {
            Ok(findings) => Triage::Done { verified, findings: Arc::new(findings) },
            Err(_) => failed(),
        }
    }

    /// What a body does by itself, with nothing to compare it with.
    pub(super) async fn alone(&self, new: (BodyId, u64), rules: &Arc<Rulebook>) -> Triage {
        let (_, len) = new;
        if len > LARGEST {
            return Triage::NotDone(format!("{len} bytes are more than a page reads"));
        }
        let alone = Comparison { new, verified: Vec::new() };
        self.answer(alone, rules, DifferenceAsked::default()).await
    }

    async fn answer(&self, of: Comparison, rules: &Arc<Rulebook>, asked: DifferenceAsked) -> Triage {
        let key = of.key();
        let meanwhile = || Triage::Running(self.glance(key, rules));
        let Some(mut answer) = self.begun(of, rules, asked) else { return meanwhile() };
        let waiting = timeout(PATIENCE, answer.wait_for(Option::is_some)).await;
        match waiting {
            Ok(Ok(answer)) => answer.clone().unwrap_or_else(meanwhile),
            // It was given up: whoever asks again begins anew.
            Ok(Err(_)) | Err(_) => meanwhile(),
        }
    }

    /// Where the answer comes; none where too many wait.
    fn begun(
        &self,
        of: Comparison,
        rules: &Arc<Rulebook>,
        asked: DifferenceAsked,
    ) -> Option<watch::Receiver<Answer>> {
        let key = of.key();
        let mut memory = self.0.memory();
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
            let (found, whole) = this.compare(&of, Arc::clone(&rules), (LIMIT, asked)).await;
            this.keep_glance(key, &found, &rules);
            if let Some(whole) = whole {
                this.0.memory().keep_whole((key, asked.comparing), whole);
            }
            tell.send_replace(Some(found));
        });
        Some(answer)
    }

    /// With what its parts are cut from, where there are several.
    async fn compare(
        &self,
        Comparison { new, verified }: &Comparison,
        rules: Arc<Rulebook>,
        (limit, asked): (Duration, DifferenceAsked),
    ) -> (Triage, Option<Arc<Whole>>) {
        let not_done = |why| (Triage::NotDone(why), None);
        let Ok(_turn) = self.0.turn.acquire().await else { return (failed(), None) };
        let read = async {
            let verified = Known::first_there(verified, &self.0.store).await?;
            let new = self.0.store.bytes_of(new.0, new.1).await?;
            Ok::<_, pinfold_store::StoreError>((verified, new))
        };
        let (verified, new) = match read.await {
            Ok((verified, Some(new))) => (verified, new),
            Ok((_, None)) => return not_done("its body is not there any more".to_owned()),
            Err(error) => return not_done(format!("it cannot be read: {error}")),
        };
        let (known, old) = verified.unzip();
        let looking = spawn_blocking(move || {
            let lookalikes = Lookalikes::of(&rules);
            found(asked, old.as_deref(), &new, Instant::now() + limit, &lookalikes)
        });
        let Ok(mut findings) = looking.await else { return (failed(), None) };
        // It is too large to be remembered with each of many items.
        let whole = findings.whole.take();
        let verified = known.map(|Known { digest, len, at, learned }| Verified { digest, len, at, learned });
        (Triage::Done { verified, findings: Arc::new(findings) }, whole)
    }
}

/// Where the analysis has a fault. It is said, and not asked for again and again as what is being looked at is.
fn failed() -> Triage {
    Triage::NotDone("the analysis failed".to_owned())
}

impl Inner {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn forget_what_is_of_other_rules(&mut self, rules: &Arc<Rulebook>) {
        if self.rules.replace(rules) {
            // What is being looked at still has its turn, and counts among those that wait.
            self.answers.retain(|(_, answer)| is_awaited(answer));
            self.answers.iter_mut().for_each(|(asked, _)| *asked = None);
        }
    }

    fn known(&mut self, key: Asked) -> Option<watch::Receiver<Answer>> {
        // What could not be done may be possible now.
        self.answers.retain(|(asked, answer)| is_awaited(answer) || (asked.is_some() && is_done(answer)));
        let at = self.answers.iter().position(|(known, _)| *known == Some(key))?;
        let (_, answer) = self.answers.remove(at)?;
        self.answers.push_back((Some(key), answer.clone()));
        Some(answer)
    }

    fn whole(&mut self, of: OfWhole) -> Option<Arc<Whole>> {
        let at = self.wholes.iter().position(|(known, _)| *known == of)?;
        let (_, whole) = self.wholes.remove(at)?;
        self.wholes.push_back((of, Arc::clone(&whole)));
        Some(whole)
    }

    fn keep_whole(&mut self, of: OfWhole, whole: Arc<Whole>) {
        self.wholes.retain(|(known, _)| *known != of);
        while self.wholes.len() >= WHOLES {
            self.wholes.pop_front();
        }
        self.wholes.push_back((of, whole));
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
        self.answers.push_back((Some(key), answer));
        true
    }
}

fn is_awaited(answer: &watch::Receiver<Answer>) -> bool {
    answer.borrow().is_none() && answer.has_changed().is_ok()
}

fn is_done(answer: &watch::Receiver<Answer>) -> bool {
    match &*answer.borrow() {
        Some(Triage::Done { .. }) => true,
        Some(Triage::Running(_) | Triage::NotDone(_)) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use pinfold_console::Glance;
    use pinfold_store::StoreOptions;

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

    /// A difference of several parts, and what they are cut from.
    fn in_parts() -> (Arc<Findings>, Arc<Whole>) {
        let script = |value: usize| {
            let long = "x".repeat(900);
            (0..900).map(|line| format!("f({}, '{long}');\n", line * value)).collect::<String>()
        };
        let (old, new) = (script(1), script(2));
        let limits = pinfold_triage::Limits::default();
        let mut findings = pinfold_triage::compare(Some(old.as_bytes()), new.as_bytes(), limits, &|_| None);
        let whole = findings.whole.take().unwrap();
        (Arc::new(findings), whole)
    }

    /// It has no bodies: whatever is looked at anew is not done.
    async fn without_bodies(dir: &std::path::Path) -> Analyst {
        let options = StoreOptions {
            quarantine_max: 1 << 20,
            quarantine_per_url: 20,
            every_repeat_in_feed: false,
            counted_feed: false,
        };
        Analyst::new(Store::open_gateway(dir, options).await.unwrap())
    }

    #[tokio::test]
    async fn numbers_of_parts_without_end_fill_no_memory_and_nothing_is_looked_at_anew() {
        let dir = tempfile::tempdir().unwrap();
        let analyst = without_bodies(dir.path()).await;
        let rules = Arc::<Rulebook>::default();
        let (findings, whole) = in_parts();
        let (_tell, answer) = watch::channel(Some(Triage::Done { verified: None, findings }));
        let first = key(1);
        let of = Comparison { new: (first.0.1, 1), verified: Vec::new() };
        {
            let mut memory = analyst.0.memory();
            memory.forget_what_is_of_other_rules(&rules);
            assert!(memory.add(first, answer));
            memory.keep_whole((first.0, Comparing::ButNames), whole);
        }
        let mut parts = Vec::new();
        for number in [0, 1, 2, 3, 4, 1000, usize::MAX] {
            let asked = DifferenceAsked { part: number, ..first.1 };
            let found = analyst.part(of.clone(), &rules, asked).await;
            let Triage::Done { findings, .. } = found else { panic!("{number}") };
            assert!(!findings.diff.hunks.is_empty());
            parts.push(findings.diff.part);
        }
        let last = *parts.last().unwrap();
        assert!(last > 1, "{parts:?}");
        assert_eq!(parts, [0, 1, 2, 3, 4, 1000, usize::MAX].map(|number: usize| number.min(last)));
        assert_eq!(analyst.0.memory().answers.len(), 1);
    }

    #[tokio::test]
    async fn what_the_queue_has_read_is_said_at_the_first_visit_while_the_lines_are_compared() {
        let dir = tempfile::tempdir().unwrap();
        let analyst = without_bodies(dir.path()).await;
        let (rules, others) = (Arc::<Rulebook>::default(), Arc::<Rulebook>::default());
        let (first, line) = (key(1), "sends a beacon");
        analyst.0.memory().forget_what_is_of_other_rules(&rules);
        // As many are looked at as may be.
        let waiting: Vec<_> = (0..WAITING).map(|_| watch::channel(None)).collect();
        for (number, (_, answer)) in waiting.iter().enumerate() {
            assert!(analyst.0.memory().add(key(2 + number as u8), answer.clone()));
        }
        analyst.read_before(first.0, Glance::unread(line.to_owned()), &rules);
        let of = Comparison { new: (first.0.1, 1), verified: Vec::new() };

        let Triage::Running(Some(so_far)) = analyst.part(of, &rules, first.1).await else {
            panic!("nothing is said")
        };

        assert_eq!(so_far.line, line);
        assert_eq!(analyst.glance(first.0, &others), None, "what was expected then says nothing now");
    }

    #[test]
    fn few_differences_are_kept_whole() {
        let (_, whole) = in_parts();
        let mut memory = Memory::default();
        for number in 0..10 {
            memory.keep_whole((key(number).0, Comparing::ButNames), Arc::clone(&whole));
        }
        assert_eq!(memory.wholes.len(), WHOLES);
        let mut is_kept = |number| memory.whole((key(number).0, Comparing::ButNames)).is_some();
        assert_eq!([7, 8, 9].map(&mut is_kept), [false, true, true]);
    }

    #[test]
    fn what_is_looked_at_by_what_was_expected_before_is_no_answer_by_what_is_expected_now() {
        let (rules, others) = (Arc::<Rulebook>::default(), Arc::<Rulebook>::default());
        let mut memory = Memory::default();
        memory.forget_what_is_of_other_rules(&rules);
        let (tell, answer) = watch::channel(None);
        assert!(memory.add(key(1), answer));
        memory.forget_what_is_of_other_rules(&others);
        assert!(memory.known(key(1)).is_none() && memory.answers.len() == 1);
        tell.send_replace(Some(Triage::Done { verified: None, findings: Arc::default() }));
        assert!(memory.known(key(1)).is_none() && memory.answers.is_empty());
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
