//! Two formatted texts line by line, without regard to what local names are called.
//!
//! A minifier gives most local names anew at each release. So that a difference shows what else changed, each local name of the
//! reviewed version is paired with one of the new version, one to one: by the lines that are the same but for local names, and then by what they are called. A line
//! is the same where everything is but local names, and where these are pairs. What is a global on one side and a local name on
//! the other, or two names that changed places, is never the same, whatever they are called; nor is a name that must be called as it
//! is (`locals`) and is called otherwise. How names are paired decides what the difference looks like, and not whether there is one:
//! where all lines are the same, both scripts do the same.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;
use std::time::Instant;

use rustc_hash::FxHashMap;
use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};

use crate::findings::NotAnalysed;
use crate::locals::{Locals, Place};

/// A line counts for how names are paired by so many bytes at most.
const WEIGHT: usize = 64;
/// Names that are told to be others, of one line.
const TOLD: usize = 3;

/// A formatted text, its lines and the names in them.
pub(crate) struct Lined<'t> {
    pub(crate) text: &'t str,
    pub(crate) lines: Vec<&'t str>,
    locals: &'t Locals,
    /// What each symbol is called.
    names: Vec<&'t str>,
    /// Where the first and the last place of each begins.
    reach: Vec<Option<(u32, u32)>>,
    /// Where each line begins, and its first name.
    starts: Vec<(usize, usize)>,
}

/// A symbol by its number: those of the new version, and behind them those of the reviewed one that have no pair.
type Pair = u32;

/// What each symbol of the reviewed version is in the new one.
pub(crate) type Pairs = Vec<Option<Pair>>;

/// What each name of a line means; nothing is a global of the page.
type Meanings<'t> = HashMap<&'t str, Option<Pair>>;

/// What makes two lines the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Comparing {
    /// Everything but what local names are called.
    #[default]
    ButNames,
    /// Every letter.
    ToTheLetter,
    /// Nothing does: lines are not compared, for who asks for the facts alone.
    NoLines,
}

/// What became of lines that differ by what local names are called, and by nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Renamed {
    /// They are shown as any others.
    #[default]
    Shown,
    /// They are not shown.
    LeftOut {
        /// How many there are.
        lines: usize,
    },
    /// They are shown, because it was not worked out which they are.
    NotKnown(NotAnalysed),
}

/// Both sides, with the names of one written as those of the other.
pub(crate) struct Renames<'l, 't> {
    old: &'l Lined<'t>,
    new: &'l Lined<'t>,
    pub(crate) pairs: Pairs,
}

/// How the lines of both sides lie beside each other where all local names are alike.
pub(crate) struct Alike {
    ops: Vec<DiffOp>,
    /// A number for each line that is the same for those that are the same but for local names.
    old: Vec<u32>,
    new: Vec<u32>,
}

impl<'t> Lined<'t> {
    pub(crate) fn of(text: &'t str, locals: &'t Locals) -> Self {
        // By line feeds alone, as every line that is named is counted.
        let lines: Vec<_> = text.strip_suffix('\n').unwrap_or(text).split('\n').collect();
        let (mut at, mut next) = (0, 0);
        let starts = lines.iter().map(|line| {
            let start = (at, next);
            at += line.len() + 1;
            while locals.places.get(next).is_some_and(|place| (place.start as usize) < at) {
                next += 1;
            }
            start
        });
        let starts = starts.collect();
        let mut names = vec![""; locals.fixed.len()];
        let mut reach = vec![None; locals.fixed.len()];
        for place in &locals.places {
            if let Some(reach) = place.symbol.and_then(|symbol| reach.get_mut(symbol as usize)) {
                let (first, _) = reach.unwrap_or((place.start, place.start));
                *reach = Some((first, place.start));
            }
            let name = place.symbol.and_then(|symbol| names.get_mut(symbol as usize));
            if let (Some(name), Some(here)) = (name, text.get(place.start as usize..place.end as usize)) {
                *name = here;
            }
        }
        Self { text, lines, locals, names, reach, starts }
    }

    /// The names of a line, each with its place in that line.
    fn places(&self, line: usize) -> impl Iterator<Item = (usize, usize, Place)> {
        let (start, first) = self.starts.get(line).copied().unwrap_or_default();
        let behind = self.starts.get(line + 1).map_or(self.locals.places.len(), |(_, next)| *next);
        let places = self.locals.places.get(first..behind).unwrap_or_default();
        places.iter().map(move |place| (place.start as usize - start, place.end as usize - start, *place))
    }

    /// Whether every place of a symbol is on one line: a parameter of a short function, which nothing else can be taken for.
    fn is_of_line(&self, symbol: Option<u32>, line: usize) -> bool {
        let reach = symbol.and_then(|symbol| self.reach.get(symbol as usize).copied().flatten());
        let (start, _) = self.starts.get(line).copied().unwrap_or_default();
        let end = self.starts.get(line + 1).map_or(usize::MAX, |(next, _)| *next);
        reach.is_some_and(|(first, last)| start <= first as usize && (last as usize) < end)
    }

    fn symbols(&self, line: usize) -> impl Iterator<Item = u32> {
        self.places(line).filter_map(|(_, _, place)| place.symbol)
    }

    /// Symbols that have no pair, by what they are called; nothing where more than one is called so.
    fn alone(&self, is_paired: &[bool]) -> HashMap<&'t str, Option<u32>> {
        let mut alone = HashMap::new();
        for (symbol, (name, _)) in
            self.names.iter().zip(is_paired).enumerate().filter(|(_, (_, paired))| !**paired)
        {
            alone.entry(*name).and_modify(|one| *one = None).or_insert(Some(symbol as u32));
        }
        alone
    }

    fn is_fixed(&self, symbol: u32) -> bool {
        self.locals.fixed.get(symbol as usize).copied().unwrap_or(true)
    }

    fn name(&self, symbol: u32) -> Option<&'t str> {
        self.names.get(symbol as usize).copied()
    }

    /// Writes what a line is but for what its local names are called: these are numbered as they come.
    fn shape(&self, line: usize, shape: &mut Vec<u8>, mut number: impl FnMut(u32) -> u32) {
        shape.clear();
        let text = self.lines.get(line).copied().unwrap_or_default();
        let mut at = 0;
        for (from, to, place) in self.places(line) {
            let Some(symbol) = place.symbol else { continue };
            shape.extend_from_slice(text.get(at..from).unwrap_or_default().as_bytes());
            let (before, behind) = place.also.written_out(text.get(from..to).unwrap_or_default());
            shape.extend_from_slice(before.as_bytes());
            // No text has this byte: nothing in it can pass for a name.
            shape.push(0xff);
            shape.extend_from_slice(&number(symbol).to_le_bytes());
            shape.extend_from_slice(behind.as_bytes());
            at = to;
        }
        shape.extend_from_slice(text.get(at..).unwrap_or_default().as_bytes());
    }

    fn shapes(&self, numbers: &mut Numbers<u8>) -> Vec<u32> {
        let mut shape = Vec::new();
        // Of each symbol the line where it was numbered, and how.
        let mut numbered = vec![(usize::MAX, 0); self.locals.fixed.len()];
        let each = (0..self.lines.len()).map(|line| {
            let mut next = 0;
            self.shape(line, &mut shape, |symbol| {
                let Some(known) = numbered.get_mut(symbol as usize) else { return u32::MAX };
                if known.0 != line {
                    *known = (line, next);
                    next += 1;
                }
                known.1
            });
            numbers.number(&shape)
        });
        each.collect()
    }
}

/// Numbers what is equal alike. Compared in full: a hash that somebody can meet would hide a line.
struct Numbers<T>(HashMap<Box<[T]>, u32>);

impl<T: Copy + Eq + Hash> Numbers<T> {
    /// For so many that are others, or a few more.
    fn of(many: usize) -> Self {
        Self(HashMap::with_capacity(many))
    }

    fn number(&mut self, key: &[T]) -> u32 {
        if let Some(number) = self.0.get(key) {
            return *number;
        }
        let number = self.0.len() as u32;
        self.0.insert(key.into(), number);
        number
    }
}

/// What lies beside each other, put together: what is the same without a gap is one.
#[derive(Default)]
struct Ops(Vec<DiffOp>);

impl Ops {
    /// Adds what was found with both sides beginning somewhere.
    fn push(&mut self, op: DiffOp, (old, new): (usize, usize)) {
        let op = match op {
            DiffOp::Equal { old_index, new_index, len } => {
                if let Some(DiffOp::Equal { len: so_far, .. }) = self.0.last_mut() {
                    *so_far += len;
                    return;
                }
                DiffOp::Equal { old_index: old_index + old, new_index: new_index + new, len }
            }
            DiffOp::Delete { old_index, old_len, new_index } => {
                DiffOp::Delete { old_index: old_index + old, old_len, new_index: new_index + new }
            }
            DiffOp::Insert { old_index, new_index, new_len } => {
                DiffOp::Insert { old_index: old_index + old, new_index: new_index + new, new_len }
            }
            DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                DiffOp::Replace { old_index: old_index + old, old_len, new_index: new_index + new, new_len }
            }
        };
        self.0.push(op);
    }
}

impl Alike {
    pub(crate) fn of(old: &Lined<'_>, new: &Lined<'_>, deadline: Instant) -> Self {
        let mut numbers = Numbers::of(old.lines.len());
        let (old, new) = (old.shapes(&mut numbers), new.shapes(&mut numbers));
        let ops = capture_diff_slices_deadline(Algorithm::Myers, &old, &new, Some(deadline));
        Self { ops, old, new }
    }

    /// Pairs of lines that are the same but for local names.
    fn lines(&self) -> impl Iterator<Item = (usize, usize)> {
        self.ops.iter().flat_map(equal_lines)
    }
}

impl<'l, 't> Renames<'l, 't> {
    /// Pairs the names of both sides.
    pub(crate) fn of(old: &'l Lined<'t>, new: &'l Lined<'t>, alike: &Alike) -> Self {
        let mut votes: FxHashMap<(u32, u32), usize> = FxHashMap::default();
        for (old_line, new_line) in alike.lines() {
            let weight = new.lines.get(new_line).map_or(0, |line| line.trim_start().len().min(WEIGHT));
            for pair in old.symbols(old_line).zip(new.symbols(new_line)) {
                *votes.entry(pair).or_default() += weight;
            }
        }
        let is_called_alike = |pair: &(u32, u32)| old.name(pair.0) == new.name(pair.1);
        votes.retain(|pair, _| is_called_alike(pair) || !(old.is_fixed(pair.0) || new.is_fixed(pair.1)));
        let mut votes: Vec<_> =
            votes.into_iter().map(|(pair, weight)| (weight, is_called_alike(&pair), pair)).collect();
        votes.sort_unstable_by(|a, b| b.cmp(a));
        let mut pairs = vec![None; old.locals.fixed.len()];
        let mut taken = vec![false; new.locals.fixed.len()];
        for (_, _, (before, now)) in votes {
            let (Some(pair), Some(taken)) = (pairs.get_mut(before as usize), taken.get_mut(now as usize))
            else {
                continue;
            };
            if pair.is_none() && !*taken {
                (*pair, *taken) = (Some(now), true);
            }
        }
        let is_paired: Vec<bool> = pairs.iter().map(Option::is_some).collect();
        let (before, now) = (old.alone(&is_paired), new.alone(&taken));
        for (name, symbol) in before {
            if let (Some(symbol), Some(Some(same))) = (symbol, now.get(name))
                && let Some(pair) = pairs.get_mut(symbol as usize)
            {
                *pair = Some(*same);
            }
        }
        Self { old, new, pairs }
    }

    /// With the names paired as they were found to be.
    pub(crate) fn paired(old: &'l Lined<'t>, new: &'l Lined<'t>, pairs: Pairs) -> Self {
        Self { old, new, pairs }
    }

    /// How the lines of both sides lie beside each other: what is the same but for names as it was found without them, and
    /// what lies between by itself.
    pub(crate) fn compared(&self, alike: &Alike, deadline: Instant) -> Vec<DiffOp> {
        let mut ops = Ops::default();
        let mut between = (0, 0);
        let gap = |ops: &mut Ops, from: (usize, usize), to: (usize, usize)| {
            if from == to {
                return;
            }
            let (old, new) = self.numbered(alike, from.0..to.0, from.1..to.1);
            for op in capture_diff_slices_deadline(Algorithm::Myers, &old, &new, Some(deadline)) {
                ops.push(op, from);
            }
        };
        for (old_line, new_line) in alike.lines() {
            if !self.old_symbols(old_line).eq(self.new.symbols(new_line)) {
                continue;
            }
            gap(&mut ops, between, (old_line, new_line));
            ops.push(DiffOp::Equal { old_index: 0, new_index: 0, len: 1 }, (old_line, new_line));
            between = (old_line + 1, new_line + 1);
        }
        gap(&mut ops, between, (alike.old.len(), alike.new.len()));
        ops.0
    }

    /// Numbers some lines of both sides, so that what is the same has the same number: what is the same but for local names,
    /// where these are pairs.
    fn numbered(&self, alike: &Alike, old: Range<usize>, new: Range<usize>) -> (Vec<u32>, Vec<u32>) {
        let mut numbers = Numbers::of(old.len());
        let mut key = Vec::new();
        let mut number = |shape: Option<&u32>, symbols: &mut dyn Iterator<Item = Pair>| {
            key.clear();
            key.extend(shape);
            key.extend(symbols);
            numbers.number(&key)
        };
        let old = old.map(|line| number(alike.old.get(line), &mut self.old_symbols(line))).collect();
        let new = new.map(|line| number(alike.new.get(line), &mut self.new.symbols(line))).collect();
        (old, new)
    }

    /// What the symbols of a line of the reviewed version are in the new one.
    fn old_symbols(&self, line: usize) -> impl Iterator<Item = Pair> {
        self.old.symbols(line).map(|symbol| self.of_old(symbol))
    }

    fn of_old(&self, symbol: u32) -> Pair {
        let alone = self.new.locals.fixed.len() as u32 + symbol;
        self.pairs.get(symbol as usize).copied().flatten().unwrap_or(alone)
    }

    /// Whether a line of the reviewed version is not written as its equal of the new one.
    pub(crate) fn is_renamed(&self, old: usize, new: usize) -> bool {
        self.old.lines.get(old) != self.new.lines.get(new)
    }

    /// A line of the reviewed version with the names of the new one.
    pub(crate) fn old_line(&self, line: usize) -> Cow<'t, str> {
        self.old_written(line).0
    }

    /// The same, with what each name in it means. A line in which two things would be called alike keeps its own names.
    fn old_written(&self, line: usize) -> (Cow<'t, str>, Meanings<'t>) {
        let text = self.old.lines.get(line).copied().unwrap_or_default();
        let mut own = HashMap::new();
        let mut meanings: Meanings<'_> = HashMap::new();
        let (mut written, mut at, mut collides) = (String::new(), 0, false);
        for (from, to, place) in self.old.places(line) {
            let was = text.get(from..to).unwrap_or_default();
            let meant = place.symbol.map(|symbol| self.of_old(symbol));
            let name = meant.and_then(|pair| self.new.name(pair)).unwrap_or(was);
            own.insert(was, meant);
            collides |= meanings.insert(name, meant).is_some_and(|other| other != meant);
            if name != was {
                let (before, behind) = place.also.written_out(was);
                written.push_str(text.get(at..from).unwrap_or_default());
                written.extend([&*before, name, &*behind]);
                at = to;
            }
        }
        if at == 0 || collides {
            return (text.into(), own);
        }
        written.push_str(text.get(at..).unwrap_or_default());
        (written.into(), meanings)
    }

    /// Which names of a line of the new version read as in the line of the reviewed one that stands beside it, and are others. Not
    /// those of which neither stands anywhere else.
    pub(crate) fn others(&self, old: usize, new: usize) -> Vec<&'t str> {
        let (_, before) = self.old_written(old);
        let text = self.new.lines.get(new).copied().unwrap_or_default();
        let of_old_line: Vec<_> =
            self.old.symbols(old).filter(|symbol| self.old.is_of_line(Some(*symbol), old)).collect();
        let is_of_old_line = |meant: Pair| of_old_line.iter().any(|symbol| self.of_old(*symbol) == meant);
        let mut others = Vec::new();
        for (from, to, place) in self.new.places(new) {
            let name = text.get(from..to).unwrap_or_default();
            let is_noise = |meant: Option<Pair>| {
                self.new.is_of_line(place.symbol, new) && meant.is_some_and(is_of_old_line)
            };
            let is_other = before.get(name).is_some_and(|meant| *meant != place.symbol && !is_noise(*meant));
            if is_other && !others.contains(&name) && others.len() < TOLD {
                others.push(name);
            }
        }
        others
    }
}

/// Pairs of lines that are the same.
pub(crate) fn equal_lines(op: &DiffOp) -> impl Iterator<Item = (usize, usize)> + use<> {
    let (old, new, len) = match *op {
        DiffOp::Equal { old_index, new_index, len } => (old_index, new_index, len),
        DiffOp::Delete { .. } | DiffOp::Insert { .. } | DiffOp::Replace { .. } => (0, 0, 0),
    };
    (0..len).map(move |at| (old + at, new + at))
}
