//! Which variables of a use come from something else than before, where the use itself is what it was.
//!
//! Followed is what two uses are told apart by: the origins of their variables as far as `look::called` compares them, and what
//! is bound as far as that is short. What is found here is shown and decides nothing: of two uses that are not the same, of which
//! it is not known why, both are told.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;

use oxc_span::Span;

use crate::apart::{Apart, Read};
use crate::findings::{Elsewhere, OtherOrigin};
use crate::look::{Called, Origin, Use};

/// Origins of one place that are told. That there are more is said: the one that counts could be among these.
pub(crate) const ORIGINS: usize = 8;
/// Pairs of variables that one use is followed through.
const VARIABLES: usize = 256;
/// Variables bound to each other that are followed.
const BOUND: usize = 8;
/// What a step takes besides the bytes that it reads.
const STEP: usize = 64;
/// Bytes of what one is bound to.
const SHORT: usize = 1024;

/// Uses without an equal in the other version.
pub(crate) struct Stay<'u> {
    /// Those that no longer stand there.
    pub(crate) gone: Vec<&'u Use>,
    /// Those that stand there newly.
    pub(crate) others: Vec<&'u Use>,
    /// Those that stand there as before, with what their variables come from, and whether that is more than is told.
    pub(crate) stay: Vec<(&'u Use, (Vec<OtherOrigin>, bool))>,
}

impl Apart<'_> {
    /// Pairs what stands in both versions the same, in order.
    pub(crate) fn stay<'u>(&self, gone: &[&'u Use], others: &[&'u Use]) -> Stay<'u> {
        let mut before: HashMap<_, VecDeque<usize>> = HashMap::new();
        let is_in_reach = |used: &Use| {
            let all = used.at.iter().flat_map(|at| &at.all);
            self.spend(all.map(|span| Read::size_of(*span)).sum())
        };
        for (at, used) in gone.iter().enumerate().filter(|(_, used)| is_in_reach(used)) {
            if let Some(stands) = self.old.what_stands_there(used) {
                before.entry(stands).or_default().push_back(at);
            }
        }
        let (mut new, mut stay) = (Vec::new(), Vec::new());
        let mut is_gone = vec![true; gone.len()];
        for used in others {
            let stands = Some(used).filter(|used| is_in_reach(used));
            let stands = stands.and_then(|used| self.new.what_stands_there(used));
            let at = stands.and_then(|stands| before.get_mut(&stands)?.pop_front());
            let origins = at.and_then(|at| self.other_origins(gone.get(at)?, used));
            match origins {
                Some(origins) => {
                    stay.push((*used, origins));
                    if let Some(is_gone) = at.and_then(|at| is_gone.get_mut(at)) {
                        *is_gone = false;
                    }
                }
                None => new.push(*used),
            }
        }
        let gone = gone.iter().zip(is_gone).filter(|(_, is_gone)| *is_gone).map(|(used, _)| *used);
        Stay { gone: gone.collect(), others: new, stay }
    }

    /// What is known, the nearest first, and how much more there is. `None` where nothing is.
    fn other_origins(&self, was: &Use, is: &Use) -> Option<(Vec<OtherOrigin>, bool)> {
        let [old, new] =
            [was, is].map(|used| used.at.as_ref().map(|at| at.all.as_slice()).unwrap_or_default());
        let mut walk = Walk {
            apart: self,
            next: VecDeque::new(),
            seen: HashSet::new(),
            found: Vec::new(),
            is_cut: false,
        };
        for (old, new) in old.iter().zip(new) {
            let (old, new) = (self.old.places(*old), self.new.places(*new));
            if old.len() != new.len() {
                return None;
            }
            for (old, new) in old.iter().zip(new) {
                match (self.old.node(old), self.new.node(new)) {
                    (Some(old), Some(new)) => walk.begin([old, new], BOUND),
                    (None, None) => {}
                    (_, _) => return None,
                }
            }
        }
        let is_whole = walk.goes_on();
        let mut found = walk.found;
        let are_more = !is_whole || walk.is_cut || found.len() > ORIGINS;
        found.truncate(ORIGINS);
        (!found.is_empty()).then_some((found, are_more))
    }
}

impl Read<'_> {
    /// What short texts a variable is bound to, without functions.
    fn shortly_bound(&self, symbol: u32) -> Vec<(u64, Span)> {
        let is_followed = |span: &&Span| {
            let text = self.slice(**span);
            text.len() <= SHORT && !text.contains("function") && !text.contains("=>")
        };
        let spans = self.bound(symbol).iter().filter(is_followed);
        spans.map(|span| (self.hash_of_tokens(&[*span]), *span)).collect()
    }

    /// A hash of all of a use; `None` where it is not known where it stands, or where that is more than is compared.
    fn what_stands_there(&self, used: &Use) -> Option<(bool, u64)> {
        let all = used.at.as_ref().map(|at| at.all.as_slice()).filter(|all| !all.is_empty())?;
        if !self.is_compared_whole(all) {
            return None;
        }
        Some((used.is_later, self.hash_of_tokens(all)))
    }
}

/// How far two variables are followed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Far {
    /// By all that they are where a use names them.
    Near,
    /// By what they are after a step.
    Step(usize),
    /// So many more times by what they are bound to.
    Bound(usize),
}

/// What is found on the way through the variables of two uses, the nearest first.
struct Walk<'w, 'v> {
    apart: &'w Apart<'v>,
    next: VecDeque<([u32; 2], Far)>,
    seen: HashSet<([u32; 2], Far)>,
    found: Vec<OtherOrigin>,
    /// Whether something was not looked at.
    is_cut: bool,
}

impl<'w> Walk<'w, '_> {
    fn begin(&mut self, symbols: [u32; 2], times: usize) {
        self.to(symbols, Far::Near);
        self.to(symbols, Far::Bound(times));
    }

    fn called(&self) -> Option<[&'w Called; 2]> {
        Some([self.apart.old.called()?, self.apart.new.called()?])
    }

    fn to(&mut self, symbols: [u32; 2], far: Far) {
        if self.seen.insert((symbols, far)) {
            self.next.push_back((symbols, far));
        }
    }

    /// Whether that was all.
    fn goes_on(&mut self) -> bool {
        for _ in 0..VARIABLES {
            if self.found.len() > ORIGINS || !self.apart.spend(STEP) {
                break;
            }
            match self.next.pop_front() {
                None => return true,
                Some((nodes, Far::Near)) => self.near(nodes),
                Some((nodes, Far::Step(step))) => self.step(nodes, step),
                Some((symbols, Far::Bound(times))) => self.bound(symbols, times),
            }
        }
        false
    }

    /// By all that they are where a use names them.
    fn near(&mut self, nodes: [u32; 2]) {
        let Some([was, is]) = self.called() else { return };
        let [old, new] = nodes;
        let step = was.last_step().min(is.last_step());
        self.step(nodes, step);
        if was.named(old) == is.named(new) {
            return;
        }
        if let Some(before) = step.checked_sub(1) {
            self.compare(nodes, before, [was.more_origins(old).collect(), is.more_origins(new).collect()]);
        }
        // What functions give back in it.
        let (old, new) = (was.given_back(old), is.given_back(new));
        if !self.apart.spend(STEP * old.len()) {
            self.is_cut = true;
        } else if old.len() == new.len() {
            for (old, new) in old.into_iter().zip(new) {
                self.to([old, new], Far::Step(step));
            }
        }
    }

    /// By what they are after a step.
    fn step(&mut self, symbols: [u32; 2], step: usize) {
        let Some([was, is]) = self.called() else { return };
        let [old, new] = symbols;
        if was.after(step, old) == is.after(step, new) {
            return;
        }
        let Some(before) = step.checked_sub(1) else { return self.declared(symbols) };
        if !self.compare(symbols, before, [was.origins(old).collect(), is.origins(new).collect()]) {
            self.declared(symbols);
        }
    }

    /// Tells what of their origins is not the same; whether that was something that stands somewhere.
    fn compare(&mut self, symbols: [u32; 2], before: usize, [old, new]: [Vec<&'w Origin>; 2]) -> bool {
        let Some([was, is]) = self.called() else { return true };
        let bytes: usize = old
            .iter()
            .chain(&new)
            .map(|origin| STEP + origin.text().map_or(0, |span| Read::size_of(span).min(SHORT)))
            .sum();
        if !self.apart.spend(2 * bytes) {
            self.is_cut = true;
            return true;
        }
        let of = |called: &'w Called, origins: Vec<&'w Origin>| {
            let each = origins.into_iter().map(|origin| (called.hash_of(origin, before), origin));
            each.collect::<Vec<_>>()
        };
        let (old, new) = (of(was, old), of(is, new));
        let (mut gone, mut there, _) = pair(old.clone(), new.clone(), |(hash, _)| *hash, |(hash, _)| *hash);
        if gone.is_empty() && there.is_empty() {
            // They come in another order, or others do that are the same.
            let mut pairs = old.iter().zip(&new);
            let Some((old, new)) = pairs.find(|((old, _), (new, _))| old != new) else { return false };
            (gone, there) = (vec![*old], vec![*new]);
        }
        if gone.iter().chain(&there).all(|(_, origin)| origin.text().is_none()) {
            return false;
        }
        let read = |origins: Vec<(u64, &Origin)>, called: &'w Called| {
            let spans = origins.into_iter().filter_map(|(_, origin)| origin.text());
            let each = spans.map(|span| {
                let (text, named) = called.without_variables(span);
                (text, (span, named))
            });
            each.collect::<Vec<_>>()
        };
        let (gone, there) = (read(gone, was), read(there, is));
        let (pairs, gone, there) = self.paired(gone, there, |(span, _)| *span);
        let spans = |all: Vec<(Span, _)>| all.into_iter().map(|(span, _)| span).collect::<Vec<_>>();
        self.differ(symbols, &spans(gone), &spans(there));
        // What reads the same but for variables is followed through these.
        for ((_, old_named), (_, new_named)) in pairs {
            for ((old, is_in_body), (new, _)) in old_named.iter().zip(new_named) {
                self.to([*old, *new], Far::Step(if *is_in_body { 0 } else { before }));
            }
        }
        true
    }

    /// By what they are bound to.
    fn bound(&mut self, symbols: [u32; 2], times: usize) {
        let Some(times) = times.checked_sub(1) else { return };
        let (Apart { old: was, new: is, .. }, [old, new]) = (self.apart, symbols);
        let bound = was.bound(old).iter().chain(is.bound(new));
        if !self.apart.spend(bound.map(|span| Read::size_of(*span)).sum()) {
            self.is_cut = true;
            return;
        }
        let (pairs, gone, there) = self.paired(was.shortly_bound(old), is.shortly_bound(new), |span| *span);
        self.differ(symbols, &gone, &there);
        for (old, new) in pairs {
            for (old, new) in was.places(old).iter().zip(is.places(new)) {
                if let (Some(old), Some(new)) = (was.node(old), is.node(new)) {
                    self.begin([old, new], times);
                }
            }
        }
    }

    /// Pairs what has the same number: what reads the same too first. And what is left of both.
    fn paired<T>(
        &self,
        old: Vec<(u64, T)>,
        new: Vec<(u64, T)>,
        span: impl Fn(&T) -> Span,
    ) -> (Vec<(T, T)>, Vec<T>, Vec<T>) {
        let key = |read: &Read<'_>, number: u64, one: &T| (number, read.slice(span(one)).to_owned());
        let Apart { old: was, new: is, .. } = self.apart;
        let (old, new, mut pairs) =
            pair(old, new, |(number, one)| key(was, *number, one), |(number, one)| key(is, *number, one));
        let (old, new, more) = pair(old, new, |(number, _)| *number, |(number, _)| *number);
        pairs.extend(more);
        let rest = |all: Vec<(u64, T)>| all.into_iter().map(|(_, one)| one).collect();
        (pairs.into_iter().map(|((_, old), (_, new))| (old, new)).collect(), rest(old), rest(new))
    }

    /// Tells what is gone and what is there.
    fn differ(&mut self, symbols: [u32; 2], gone: &[Span], there: &[Span]) {
        for at in 0..gone.len().max(there.len()) {
            let places = match (gone.get(at), there.get(at)) {
                (Some(old), Some(new)) => self.apart.first_but_names(*old, *new),
                (old, new) => [old.map(|old| old.start), new.map(|new| new.start)],
            };
            self.tell(symbols, places);
        }
    }

    /// Where they are named first.
    fn declared(&mut self, symbols: [u32; 2]) {
        let named = |read: &Read<'_>, symbol| read.first_named(symbol).map(|named| named.start);
        let [old, new] = symbols;
        self.tell(symbols, [named(&self.apart.old, old), named(&self.apart.new, new)]);
    }

    fn tell(&mut self, [_, symbol]: [u32; 2], [old, new]: [Option<u32>; 2]) {
        let Apart { old: was, new: is, .. } = self.apart;
        if !self.apart.spend(was.names() + is.names()) {
            self.is_cut = true;
            return;
        }
        let name = is.first_named(symbol).map(|named| is.slice(named)).unwrap_or_default().into();
        let (old, new): (Option<Elsewhere>, _) =
            (old.map(|at| was.elsewhere(at)), new.map(|at| is.elsewhere(at)));
        let is_told = self.found.iter().any(|told| told.old == old && told.new == new);
        if !is_told {
            self.found.push(OtherOrigin { name, old, new });
        }
    }
}

type Pairs<T> = (Vec<T>, Vec<T>, Vec<(T, T)>);

/// What of each has no equal in the other, and what has.
fn pair<T, K: Hash + Eq>(
    old: Vec<T>,
    new: Vec<T>,
    old_key: impl Fn(&T) -> K,
    new_key: impl Fn(&T) -> K,
) -> Pairs<T> {
    let mut by_key: HashMap<K, VecDeque<usize>> = HashMap::new();
    for (at, one) in old.iter().enumerate() {
        by_key.entry(old_key(one)).or_default().push_back(at);
    }
    let mut old: Vec<_> = old.into_iter().map(Some).collect();
    let (mut rest, mut pairs) = (Vec::new(), Vec::new());
    for one in new {
        let at = by_key.get_mut(&new_key(&one)).and_then(VecDeque::pop_front);
        match at.and_then(|at| old.get_mut(at)?.take()) {
            Some(was) => pairs.push((was, one)),
            None => rest.push(one),
        }
    }
    (old.into_iter().flatten().collect(), rest, pairs)
}
