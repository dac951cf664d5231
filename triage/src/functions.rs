//! Which functions were added, removed, changed and moved, and which literals are others.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;

use crate::findings::{Function, FunctionChange, FunctionCounts, LISTED, Literal};
use crate::skeleton::{Own, Skeleton};

/// A shorter function that is somewhere else is another of the same.
const MOVED: usize = 60;

/// The functions of two scripts side by side.
pub(crate) struct Functions<'s> {
    /// Those that are others.
    pub(crate) listed: Vec<Function>,
    /// How many there are.
    pub(crate) counts: FunctionCounts,
    /// Those that do something else, each with what it was.
    pub(crate) changed: Vec<(&'s Own, &'s Own)>,
    pub(crate) added: Vec<&'s Own>,
    pub(crate) removed: Vec<&'s Own>,
}

/// Compares the functions of two scripts.
pub(crate) fn functions<'s>(old: &'s Skeleton, new: &'s Skeleton) -> Functions<'s> {
    let all = (old.functions.len(), new.functions.len());
    let (same, old, new) =
        paired(old.functions.iter().collect(), new.functions.iter().collect(), |own| Some(own.named));
    // Under the same name, or the same but for its literals: changed.
    let (by_name, old, new) =
        paired(old, new, |own| (&*own.name != Function::ANONYMOUS).then_some(&*own.name));
    let (by_shape, old, new) = paired(old, new, |own| Some(own.blank));
    let mut changed: Vec<_> = by_name.into_iter().chain(by_shape).collect();
    let (by_place, old, new) = by_place(old, new, same.iter().chain(&changed));
    changed.extend(by_place);
    let of =
        |functions: &[&Own], how| functions.iter().map(move |own| function(own, how)).collect::<Vec<_>>();
    let mut found: Vec<_> = changed.iter().map(|(_, new)| function(new, FunctionChange::Changed)).collect();
    found.extend(of(&new, FunctionChange::Added));
    found.extend(of(&old, FunctionChange::Removed));
    found.extend(of(&moved(same), FunctionChange::Moved));
    found.sort_by_key(|function| (function.how, function.line));
    let count = |how| found.iter().filter(|function| function.how == how).count();
    let counts = FunctionCounts {
        reviewed: all.0,
        new: all.1,
        added: count(FunctionChange::Added),
        removed: count(FunctionChange::Removed),
        changed: count(FunctionChange::Changed),
        moved: count(FunctionChange::Moved),
    };
    // Many of one kind push out none of another.
    let kinds = found.chunk_by(|one, other| one.how == other.how);
    let listed = kinds.flat_map(|kind| kind.iter().take(LISTED)).cloned().collect();
    Functions { listed, counts, changed, added: new, removed: old }
}

pub(crate) fn function(own: &Own, how: FunctionChange) -> Function {
    Function { name: own.name.clone(), how, line: own.line }
}

type Paired<'s> = (Vec<(&'s Own, &'s Own)>, Vec<&'s Own>, Vec<&'s Own>);

/// Those of both sides with the same key, in order, and what is left of each side.
fn paired<'s, K: Hash + Eq>(
    old: Vec<&'s Own>,
    new: Vec<&'s Own>,
    key: impl Fn(&'s Own) -> Option<K>,
) -> Paired<'s> {
    let mut waiting: HashMap<K, VecDeque<&'s Own>> = HashMap::new();
    let mut old_left = Vec::new();
    for own in old {
        match key(own) {
            Some(key) => waiting.entry(key).or_default().push_back(own),
            None => old_left.push(own),
        }
    }
    let (mut pairs, mut new_left) = (Vec::new(), Vec::new());
    for own in new {
        match key(own).and_then(|key| waiting.get_mut(&key)).and_then(VecDeque::pop_front) {
            Some(partner) => pairs.push((partner, own)),
            None => new_left.push(own),
        }
    }
    old_left.extend(waiting.into_values().flatten());
    old_left.sort_by_key(|own| own.start);
    (pairs, old_left, new_left)
}

/// Those without a name, where one alone is left of each side in what is the same function around them: the function that a library is
/// wrapped in is changed by whatever is put into it, and not new.
fn by_place<'s, 'p>(
    old: Vec<&'s Own>,
    new: Vec<&'s Own>,
    pairs: impl Iterator<Item = &'p (&'s Own, &'s Own)>,
) -> Paired<'s>
where
    's: 'p,
{
    let mut partners: HashMap<_, _> = pairs.map(|(old, new)| (old.start, new.start)).collect();
    // The script itself is around both.
    partners.insert(None, None);
    let (before, now) = (alone(&old), alone(&new));
    let (mut pairs, mut gone, mut added) = (Vec::new(), HashSet::new(), HashSet::new());
    // In the order in which they begin: what is around one comes before it.
    for own in &old {
        let is_alone = before.get(&own.around).is_some_and(|alone| alone.start == own.start);
        let partner = partners.get(&own.around).filter(|_| is_alone).and_then(|around| now.get(around));
        // Where the script itself was paired with a function, two could meet at one.
        if let Some(partner) = partner.filter(|partner| !added.contains(&partner.start)) {
            partners.insert(own.start, partner.start);
            gone.insert(own.start);
            added.insert(partner.start);
            pairs.push((*own, *partner));
        }
    }
    let without = |left: Vec<&'s Own>, paired: HashSet<Option<u32>>| {
        left.into_iter().filter(|own| !paired.contains(&own.start)).collect()
    };
    (pairs, without(old, gone), without(new, added))
}

/// Functions without a name that are the only such one in what is around them, by where that begins.
fn alone<'s>(functions: &[&'s Own]) -> HashMap<Option<u32>, &'s Own> {
    let (mut alone, mut several) = (HashMap::new(), HashSet::new());
    for own in functions {
        let is_nameless = own.start.is_some() && &*own.name == Function::ANONYMOUS;
        if is_nameless && alone.insert(own.around, *own).is_some() {
            several.insert(own.around);
        }
    }
    alone.retain(|around, _| !several.contains(around));
    alone
}

/// Of what is the same on both sides, those that do not keep the order of the most that do.
fn moved<'s>(mut same: Vec<(&'s Own, &'s Own)>) -> Vec<&'s Own> {
    same.retain(|(_, new)| new.len >= MOVED);
    same.sort_by_key(|(_, new)| new.start);
    let order: Vec<_> = same.iter().map(|(old, _)| old.start).collect();
    let kept = longest_rising(&order);
    let mut kept = kept.into_iter().peekable();
    let is_moved = |(at, pair): (usize, &(&'s Own, &'s Own))| {
        if kept.peek() == Some(&at) {
            kept.next();
            return None;
        }
        Some(pair.1)
    };
    same.iter().enumerate().filter_map(is_moved).collect()
}

/// The places of a longest rising subsequence.
fn longest_rising<T: Copy + Ord>(numbers: &[T]) -> Vec<usize> {
    // The place of the smallest number that ends one of each length, and what stands before each place.
    let mut ends: Vec<(T, usize)> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(numbers.len());
    for (at, number) in numbers.iter().enumerate() {
        let len = ends.partition_point(|(end, _)| end < number);
        before.push(len.checked_sub(1).and_then(|shorter| ends.get(shorter)).map(|(_, place)| *place));
        match ends.get_mut(len) {
            Some(end) => *end = (*number, at),
            None => ends.push((*number, at)),
        }
    }
    let mut places = Vec::new();
    let mut at = ends.last().map(|(_, place)| *place);
    while let Some(place) = at {
        places.push(place);
        at = before.get(place).copied().flatten();
    }
    places.reverse();
    places
}

/// The literals that are others, where both scripts have the same skeleton.
pub(crate) fn literals(old: &Skeleton, new: &Skeleton) -> Vec<Literal> {
    let pairs = old.literals.iter().zip(&new.literals);
    let pairs =
        pairs.filter(|((_, old, old_whole), (_, new, new_whole))| (old, old_whole) != (new, new_whole));
    let literals = pairs.map(|((_, old, _), (line, new, _))| Literal {
        line: *line,
        old: old.clone(),
        new: new.clone(),
    });
    literals.take(LISTED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_its_order_is_as_long_as_can_be() {
        assert_eq!(longest_rising::<u32>(&[]), [0; 0]);
        assert_eq!(longest_rising(&[5, 1, 2, 9, 3]), [1, 2, 4]);
        assert_eq!(longest_rising(&[3, 2, 1]).len(), 1);
    }
}
