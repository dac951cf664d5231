//! What is not the same in two formatted texts, line by line.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use similar::{Algorithm, DiffOp, DiffTag, capture_diff_slices_deadline, group_diff_ops};

use crate::findings::{Diff, DiffLine, Fold, Hunk, Mark, NotAnalysed, SHOWN, bounded};
use crate::limits::Limits;
use crate::locals::Locals;
use crate::renames::{Alike, Comparing, Lined, Pairs, Renamed, Renames, equal_lines};
use crate::words::differing_words;

/// Unchanged lines that are shown around changed ones.
const AROUND: usize = 3;
/// Changed lines of one part.
const MOST: usize = 2000;
/// Lines of one part, with those around the changed ones.
const LINES: usize = 3000;
/// Lines of each side that are told before those of the other.
const BESIDE: usize = 50;
/// Bytes of one part.
const BYTES: usize = 400_000;
/// Characters of a changed line: nobody approves what they are not shown.
const LONGEST: usize = 1000;
/// Characters of an unchanged one.
const UNCHANGED: usize = 2 * SHOWN;
/// Lines of one fold that are kept at each of its ends.
const FOLDED: usize = 100;
/// Lines of all folds that are kept.
const ALL_FOLDED: usize = 2000;
/// A difference that takes longer is coarser than it could be.
const PATIENCE: Duration = Duration::from_millis(500);

/// Texts that are compared without regard to local names, in bytes.
const NAMED: usize = 32 << 20;
/// Bytes of changed lines whose words are compared, to say which names are others.
const WORDS: usize = 200_000;

/// What of a difference is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DifferenceAsked {
    /// What makes two lines the same.
    pub comparing: Comparing,
    /// Which part, from 0, or else the last: one that is too long for one has several.
    pub part: usize,
}

impl DifferenceAsked {
    /// With lines that differ by names of local variables alone or without, and the part by its number from 1.
    #[must_use]
    pub fn of(names: bool, part: Option<usize>) -> Self {
        let comparing = if names { Comparing::ToTheLetter } else { Comparing::ButNames };
        Self { comparing, part: part.unwrap_or(1).saturating_sub(1) }
    }
}

/// How the lines of two formatted texts lie beside each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Aligned {
    ops: Vec<DiffOp>,
    /// Which name of the new version each of the reviewed one is, where they are compared without regard to what they are called.
    pairs: Option<Pairs>,
    /// Why they are compared to the letter, where that was not asked for.
    not_known: Option<NotAnalysed>,
    /// The first and the last line of what the new version does somewhere, from 1, in order, none in another.
    done: Vec<(usize, usize)>,
}

impl Aligned {
    /// Compares to the letter.
    pub(crate) fn to_the_letter<'t>(old: &Lined<'t>, new: &Lined<'t>, limits: &Limits) -> Self {
        let mut numbers: HashMap<&'t str, u32> = HashMap::new();
        let mut numbered = |side: &Lined<'t>| {
            let each = side.lines.iter().map(|line| {
                let next = numbers.len() as u32;
                *numbers.entry(line).or_insert(next)
            });
            each.collect::<Vec<_>>()
        };
        let (old, new) = (numbered(old), numbered(new));
        let ops = capture_diff_slices_deadline(Algorithm::Myers, &old, &new, Some(patience(limits)));
        Self { ops, pairs: None, not_known: None, done: Vec::new() }
    }

    /// Compares without regard to what local names are called.
    pub(crate) fn but_names(old: &Lined<'_>, new: &Lined<'_>, limits: &Limits) -> Self {
        let not_known = if limits.is_over() {
            Some(NotAnalysed::TimeOver)
        } else {
            (old.text.len().max(new.text.len()) > NAMED).then_some(NotAnalysed::TooLarge { limit: NAMED })
        };
        if not_known.is_some() {
            return Self { not_known, ..Self::to_the_letter(old, new, limits) };
        }
        let alike = Alike::of(old, new, patience(limits));
        let renames = Renames::of(old, new, &alike);
        let ops = renames.compared(&alike, patience(limits));
        Self { ops, pairs: Some(renames.pairs), not_known: None, done: Vec::new() }
    }

    /// With the lines of all that the new version does.
    pub(crate) fn with_done(self, mut done: Vec<(usize, usize)>) -> Self {
        done.sort_unstable();
        done.dedup_by(|next, last| {
            let is_near = next.0 <= last.1;
            last.1 = if is_near { last.1.max(next.1) } else { last.1 };
            is_near
        });
        Self { done, ..self }
    }

    /// A part of the difference, from 0, or else the last.
    pub(crate) fn part(&self, old: &Lined<'_>, new: &Lined<'_>, part: usize) -> Diff {
        let renames = self.pairs.as_ref().map(|pairs| Renames::paired(old, new, pairs.clone()));
        let ops = self.ops.iter().copied().flat_map(in_pieces).collect();
        let sides = Sides { old: &old.lines, new: &new.lines, renames: renames.as_ref(), done: &self.done };
        let diff = told(&sides, ops, part);
        match &self.not_known {
            Some(why) => Diff { renamed: Renamed::NotKnown(why.clone()), ..diff },
            None => diff,
        }
    }
}

/// A difference of several parts: each can be cut from it without comparing anything again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    old: (String, Locals),
    new: (String, Locals),
    aligned: Aligned,
}

impl Whole {
    pub(crate) fn of(old: (String, Locals), new: (String, Locals), aligned: Aligned) -> Self {
        Self { old, new, aligned }
    }

    /// A part, from 0, or else the last.
    #[must_use]
    pub fn part(&self, part: usize) -> Diff {
        let Self { old, new, aligned } = self;
        aligned.part(&Lined::of(&old.0, &old.1), &Lined::of(&new.0, &new.1), part)
    }
}

fn patience(limits: &Limits) -> Instant {
    let patience = Instant::now() + PATIENCE;
    limits.deadline.map_or(patience, |deadline| deadline.min(patience))
}

/// The lines that are compared.
struct Sides<'s, 't> {
    old: &'s [&'t str],
    new: &'s [&'t str],
    renames: Option<&'s Renames<'s, 't>>,
    /// The first and the last line of what the new version does somewhere, from 1, in order.
    done: &'s [(usize, usize)],
}

impl<'t> Sides<'_, 't> {
    /// Whether the new version does something on a line, from 0.
    fn is_done(&self, line: usize) -> bool {
        let before = self.done.partition_point(|(first, _)| *first <= line + 1);
        before.checked_sub(1).and_then(|at| self.done.get(at)).is_some_and(|(_, last)| line < *last)
    }

    /// A line of the reviewed version, as it is shown.
    fn old_line(&self, line: usize) -> Cow<'t, str> {
        match self.renames {
            Some(renames) => renames.old_line(line),
            None => self.old.get(line).copied().unwrap_or_default().into(),
        }
    }

    /// How much a line is on a page, with the names of the new version and its tabs written out.
    fn size(&self, mark: Mark, line: usize) -> Size {
        let text = match mark {
            Mark::Removed => self.old_line(line),
            Mark::Both | Mark::Added => self.new.get(line).copied().unwrap_or_default().into(),
        };
        let most = if mark == Mark::Both { UNCHANGED } else { LONGEST };
        // A character has four bytes at most.
        Size([usize::from(mark != Mark::Both), 1, written(&text).len().min(4 * most)])
    }

    fn renamed(&self, compared: &[DiffOp]) -> Renamed {
        let Some(renames) = self.renames else { return Renamed::Shown };
        let same = compared.iter().flat_map(equal_lines);
        Renamed::LeftOut { lines: same.filter(|(old, new)| renames.is_renamed(*old, *new)).count() }
    }

    /// What is said of names in a line of the new version that read like those beside it, and are others.
    fn other_names(&self, old: usize, new: usize, texts: [&str; 2], words: &mut usize) -> Option<Box<str>> {
        let others = self.renames?.others(old, new);
        if others.is_empty() {
            return None;
        }
        let [old, new] = texts;
        if let Some(left) = words.checked_sub(old.len() + new.len()) {
            *words = left;
            // Where little is the same nothing is taken for the same.
            differing_words(old, new)?;
        }
        Some(bounded(&others.join(", "), SHOWN))
    }
}

/// Where a part begins.
struct Start {
    /// Which it is of all lines of all hunks.
    at: usize,
    /// The next line of the new version, from 1.
    line: usize,
}

/// Changed lines, lines and bytes.
#[derive(Clone, Copy, Default)]
struct Size([usize; 3]);

impl Size {
    fn add(&mut self, Self(more): Self) {
        for (sum, more) in self.0.iter_mut().zip(more) {
            *sum += more;
        }
    }

    fn fits(self) -> bool {
        let Self([changed, lines, bytes]) = self;
        changed <= MOST && lines <= LINES && bytes <= BYTES
    }
}

/// Where each part begins: what does not fit into one goes on in the next, with what stands beside it.
fn starts(sides: &Sides<'_, '_>, groups: &[Vec<DiffOp>]) -> Vec<Start> {
    let mut starts = vec![Start { at: 0, line: 1 }];
    let (mut at, mut part_from, mut size) = (0, 0, Size::default());
    for op in groups.iter().flatten() {
        let (op_from, mut of_op) = (at, Size::default());
        for (mark, line) in marked(op) {
            let one = sides.size(mark, line);
            size.add(one);
            of_op.add(one);
            if !size.fits() {
                let is_moved_whole = op.tag() != DiffTag::Equal && op_from > part_from && of_op.fits();
                part_from = if is_moved_whole { op_from } else { at };
                size = if is_moved_whole { of_op } else { one };
                let is_line_of_new = !is_moved_whole && mark != Mark::Removed;
                let line = if is_line_of_new { line } else { op.new_range().start };
                starts.push(Start { at: part_from, line: line + 1 });
            }
            at += 1;
        }
    }
    starts
}

/// A change in pieces, so that lines beside each other come soon after each other, and into one part.
fn in_pieces(op: DiffOp) -> impl Iterator<Item = DiffOp> {
    let (old, new, is_both) = (op.old_range(), op.new_range(), op.tag() == DiffTag::Replace);
    let pieces = if is_both { old.len().max(new.len()).div_ceil(BESIDE) } else { 0 };
    let piece = move |number: usize| {
        let of = |side: &Range<usize>| {
            let from = (side.start + number * BESIDE).min(side.end);
            (from, (side.end - from).min(BESIDE))
        };
        let ((old_index, old_len), (new_index, new_len)) = (of(&old), of(&new));
        DiffOp::Replace { old_index, old_len, new_index, new_len }
    };
    std::iter::once(op).filter(move |_| !is_both).chain((0..pieces).map(piece))
}

fn told(sides: &Sides<'_, '_>, compared: Vec<DiffOp>, part: usize) -> Diff {
    let new = sides.new;
    let renamed = sides.renamed(&compared);
    let groups = group_diff_ops(compared, AROUND);
    let starts = starts(sides, &groups);
    let part = part.min(starts.len() - 1);
    let place = |part: usize| starts.get(part).map_or(usize::MAX, |start| start.at);
    let shown_here = place(part)..place(part + 1);
    let parts = starts.iter().map(|start| start.line).collect();
    let mut diff = Diff { renamed, part, parts, ..Diff::default() };
    let mut folds = Folds { lines: new, left: ALL_FOLDED };
    let mut words = WORDS;
    let (mut old_next, mut new_next, mut next) = (0, 0, 0);
    for group in groups {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        let (mut old_at, mut new_at) = (first.old_range().start, first.new_range().start);
        let mut hunk = Hunk::default();
        if shown_here.contains(&next) {
            hunk.before = folds.fold(old_next, new_next, new_at);
        }
        (old_next, new_next) = (last.old_range().end, last.new_range().end);
        for (op, (mark, line)) in group.iter().flat_map(|op| marked(op).map(move |line| (op, line))) {
            let is_here = shown_here.contains(&next);
            if is_here && hunk.lines.is_empty() {
                (hunk.old_start, hunk.new_start) = (old_at + 1, new_at + 1);
            }
            next += 1;
            old_at += usize::from(mark != Mark::Added);
            new_at += usize::from(mark != Mark::Removed);
            match mark {
                Mark::Both => {}
                Mark::Removed => diff.removed += 1,
                Mark::Added => diff.added += 1,
            }
            if !is_here {
                diff.left_out += usize::from(mark != Mark::Both);
                continue;
            }
            let line_of_new = || new.get(line).copied().unwrap_or_default();
            let mut other_names = None;
            let (text, is_whole) = match mark {
                Mark::Both => (shown(line_of_new(), UNCHANGED), true),
                Mark::Removed => {
                    let beside = beside(line, op.old_range(), op.new_range());
                    let beside = beside.and_then(|at| new.get(at)).copied().unwrap_or_default();
                    shown_beside(&sides.old_line(line), beside)
                }
                Mark::Added => {
                    let beside = beside(line, op.new_range(), op.old_range());
                    let old = beside.map(|at| sides.old_line(at)).unwrap_or_default();
                    let (text, is_whole) = shown_beside(line_of_new(), &old);
                    other_names = beside.and_then(|at| {
                        let (old, _) = shown_beside(&old, line_of_new());
                        sides.other_names(at, line, [&old, &text], &mut words)
                    });
                    (text, is_whole)
                }
            };
            diff.cut += usize::from(!is_whole);
            let is_done = mark != Mark::Removed && sides.is_done(line);
            hunk.lines.push(DiffLine { mark, text, other_names, is_done });
        }
        if !hunk.lines.is_empty() {
            diff.hunks.push(hunk);
        }
    }
    if shown_here.end == usize::MAX {
        diff.rest = folds.fold(old_next, new_next, new.len());
    }
    diff
}

/// The lines of a change: of which side each is, and its place there. Those of both sides by the new one.
fn marked(op: &DiffOp) -> impl Iterator<Item = (Mark, usize)> + use<> {
    let (old, new) = (op.old_range(), op.new_range());
    let (both, old) = match op.tag() {
        DiffTag::Equal => (new.clone(), 0..0),
        DiffTag::Delete | DiffTag::Insert | DiffTag::Replace => (0..0, old),
    };
    let new = if both.is_empty() { new } else { 0..0 };
    let mark = |mark| move |line| (mark, line);
    both.map(mark(Mark::Both)).chain(old.map(mark(Mark::Removed))).chain(new.map(mark(Mark::Added)))
}

/// The line of the other side that stands beside one.
fn beside(line: usize, own: Range<usize>, other: Range<usize>) -> Option<usize> {
    let at = other.start + line.checked_sub(own.start)?;
    other.contains(&at).then_some(at)
}

/// The lines around those that are named, where there is nothing to compare with.
pub(crate) fn excerpts(text: &str, named: impl Iterator<Item = usize>) -> Diff {
    let lines = lines(text);
    let mut named: Vec<usize> = named.map(|line| line.saturating_sub(1)).collect();
    named.sort_unstable();
    let mut folds = Folds { lines: &lines, left: ALL_FOLDED };
    let mut diff = Diff::default();
    let mut next = 0;
    for line in named {
        let end = (line + AROUND + 1).min(lines.len());
        let from = line.saturating_sub(AROUND).max(next);
        if end <= next {
            continue;
        }
        let both = lines.get(from..end).unwrap_or_default().iter().map(|line| {
            let text = shown(line, UNCHANGED);
            DiffLine { mark: Mark::Both, text, other_names: None, is_done: false }
        });
        match diff.hunks.last_mut().filter(|_| from == next) {
            Some(hunk) => hunk.lines.extend(both),
            None => diff.hunks.push(Hunk {
                before: folds.fold(next, next, from),
                old_start: from + 1,
                new_start: from + 1,
                lines: both.collect(),
            }),
        }
        next = end;
    }
    diff.rest = folds.fold(next, next, lines.len());
    diff
}

fn lines(text: &str) -> Vec<&str> {
    text.strip_suffix('\n').unwrap_or(text).split('\n').collect()
}

/// A changed line, and whether that is all of it: from where it differs, if that would be cut off else.
fn shown_beside(line: &str, beside: &str) -> (Box<str>, bool) {
    let (line, beside) = (written(line), written(beside));
    if line.chars().nth(LONGEST).is_none() {
        return ((*line).into(), true);
    }
    let same = line.chars().zip(beside.chars()).take_while(|(here, there)| here == there).count();
    // Whoever nests deeply shows no blanks in place of what stands behind them.
    (from_char(&line, same.max(indentation(&line)), LONGEST), false)
}

fn shown(line: &str, most: usize) -> Box<str> {
    let line = written(line);
    from_char(&line, indentation(&line), most)
}

/// A line from its beginning, or from a little before a character that would be cut off else.
fn from_char(line: &str, char: usize, most: usize) -> Box<str> {
    if char < most - SHOWN {
        return bounded(line, most);
    }
    let from = line.char_indices().nth(char.saturating_sub(SHOWN / 4)).map_or(0, |(at, _)| at);
    format!("…{}", bounded(line.get(from..).unwrap_or_default(), most)).into()
}

fn indentation(line: &str) -> usize {
    line.chars().take_while(|char| *char == ' ').count()
}

/// As it stands on a page: tabs are the formatter's.
fn written(line: &str) -> Cow<'_, str> {
    let line = line.trim_end_matches('\r');
    if line.contains('\t') { line.replace('\t', "  ").into() } else { line.into() }
}

/// Makes folds of the lines of the new version.
struct Folds<'t> {
    lines: &'t [&'t str],
    /// Lines that may still be kept.
    left: usize,
}

impl Folds<'_> {
    /// Unchanged lines up to `end`, by places from 0.
    fn fold(&mut self, old_start: usize, new_start: usize, end: usize) -> Fold {
        let unchanged = self.lines.get(new_start..end).unwrap_or_default();
        let kept = (2 * FOLDED).min(self.left).min(unchanged.len());
        self.left -= kept;
        let (head, tail) = (kept - kept / 2, unchanged.len() - kept / 2);
        let texts = |lines: Option<&[&str]>| {
            lines.unwrap_or_default().iter().map(|line| shown(line, UNCHANGED)).collect::<Vec<_>>()
        };
        Fold {
            old_start: old_start + 1,
            new_start: new_start + 1,
            head: texts(unchanged.get(..head)),
            left_out: unchanged.len() - kept,
            tail: texts(unchanged.get(tail..)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(old: &str, new: &str) -> Diff {
        part(&aligned(old, new), old, new, 0)
    }

    fn aligned(old: &str, new: &str) -> Aligned {
        let none = Locals::default();
        Aligned::to_the_letter(&Lined::of(old, &none), &Lined::of(new, &none), &Limits::default())
    }

    fn part(aligned: &Aligned, old: &str, new: &str, part: usize) -> Diff {
        let none = Locals::default();
        aligned.part(&Lined::of(old, &none), &Lined::of(new, &none), part)
    }

    fn text(lines: impl Iterator<Item = usize>) -> String {
        lines.map(|line| format!("line {line}\n")).collect()
    }

    #[test]
    fn what_is_unchanged_is_folded_in_full_or_by_its_ends() {
        let old = text(1..=1000);
        let new = old.replace("line 20\n", "line twenty\n").replace("line 990\n", "");
        let diff = difference(&old, &new);
        assert_eq!((diff.added, diff.removed, diff.hunks.len()), (1, 2, 2));
        let first = &diff.hunks[0].before;
        assert_eq!((first.head.len() + first.tail.len(), first.left_out, first.new_start), (16, 0, 1));
        let second = &diff.hunks[1].before;
        assert_eq!((second.head.len(), second.left_out, second.tail.len()), (100, 763, 100));
        assert_eq!((second.new_start, &*second.head[0], &*second.tail[99]), (24, "line 24", "line 986"));
        assert_eq!(diff.rest.head.first().map(|line| &**line), Some("line 994"));
    }

    #[test]
    fn what_does_not_fit_into_one_part_goes_on_in_the_next_and_no_changed_line_is_in_two_or_in_none() {
        let old = text(1..=9000);
        let new = old
            .lines()
            .map(|line| if line.ends_with('7') { "seven\n".to_owned() } else { format!("{line}\n") });
        let new = new.collect::<String>() + &"x".repeat(500_000) + "\n" + &"y\n".repeat(3000);
        let aligned = aligned(&old, &new);
        let part = |number| part(&aligned, &old, &new, number);
        let first = part(0);
        let parts: Vec<_> = (0..first.parts.len()).map(part).collect();
        assert!(parts.len() > 2, "{:?}", first.parts);
        let changed = |diff: &Diff| {
            let mut changed = Vec::new();
            for hunk in &diff.hunks {
                let (mut old, mut new) = (hunk.old_start, hunk.new_start);
                for DiffLine { mark, text, .. } in &hunk.lines {
                    match mark {
                        Mark::Both => {}
                        Mark::Removed => changed.push((old, "-", text.clone())),
                        Mark::Added => changed.push((new, "+", text.clone())),
                    }
                    old += usize::from(*mark != Mark::Added);
                    new += usize::from(*mark != Mark::Removed);
                }
            }
            changed
        };
        let mut all: Vec<_> = parts.iter().flat_map(changed).collect();
        assert_eq!(all.len(), first.added + first.removed);
        for diff in &parts {
            let here = changed(diff).len();
            assert!((1..=MOST).contains(&here) && here + diff.left_out == all.len(), "{here}");
        }
        // By lines of the texts they are what they say.
        let (old, new) = (lines(&old), lines(&new));
        for (line, mark, text) in &all {
            let of = if *mark == "-" { &old } else { &new };
            assert_eq!(&shown(of[line - 1], LONGEST), text, "{line}");
        }
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), first.added + first.removed);
        assert!(parts.last().unwrap().rest.head.is_empty() && part(99) == *parts.last().unwrap());
    }

    #[test]
    fn lines_beside_each_other_are_in_one_part() {
        let changed = |name: &str| (1..=2600).map(|line| format!("{name} {line}\n")).collect::<String>();
        let (old, new) = (changed("old"), changed("new") + "more\n");
        let aligned = aligned(&old, &new);
        let first = part(&aligned, &old, &new, 0);
        assert_eq!((first.parts.len(), first.added, first.removed), (3, 2601, 2600));
        for number in 0..3 {
            let diff = part(&aligned, &old, &new, number);
            let of = |side: Mark| {
                let lines = diff.hunks.iter().flat_map(|hunk| &hunk.lines);
                lines.filter(move |line| line.mark == side).map(|line| line.text.split(' ').nth(1))
            };
            assert!(of(Mark::Removed).eq(of(Mark::Added).filter(Option::is_some)), "{number}");
            let [old_start, new_start] = [diff.hunks[0].old_start, diff.hunks[0].new_start];
            assert_eq!((old_start, new_start), (diff.parts[number], diff.parts[number]));
        }
    }

    #[test]
    fn a_change_far_down_a_long_line_is_seen() {
        let long = |end: &str| format!("a\nf(\"{}{end}\");\n", "x".repeat(5000));
        let diff = difference(&long("good"), &long("bad"));
        let lines: Vec<_> = diff.hunks[0].lines.iter().map(|line| &*line.text).collect();
        assert!(lines[1].starts_with("…xxx") && lines[1].ends_with("good\");"), "{}", lines[1]);
        assert!(lines[2].ends_with("bad\");"), "{}", lines[2]);
    }

    #[test]
    fn what_stands_deep_inside_is_shown_and_not_the_blanks_before_it() {
        let deep = |depth: usize, code: &str| format!("a\n{}{code}\nb\n", "\t".repeat(depth));
        for depth in [100, 390, 420, 495, 600, 1900] {
            let diff = difference(&deep(depth, "show();"), &deep(depth, "steal(document.cookie);"));
            let lines = diff.hunks[0].lines.iter();
            let changed: Vec<_> =
                lines.filter(|line| line.mark != Mark::Both).map(|line| &*line.text).collect();
            assert!(changed[0].ends_with("show();") && changed[1].ends_with("cookie);"), "{depth}");
            let added = difference("a\nb\n", &deep(depth, "steal(document.cookie);"));
            assert!(added.hunks[0].lines[1].text.ends_with("cookie);"), "{depth}");
            let beside = difference(&deep(depth, "show();\nx();"), &deep(depth, "show();\ny();"));
            assert!(beside.hunks[0].lines[1].text.ends_with("show();"), "{depth}");
        }
    }

    #[test]
    fn a_carriage_return_moves_no_line() {
        let diff = difference("a\n`\r`\nb\n", "a\n`\r`\nc\n");
        assert_eq!(diff.hunks[0].lines.len(), 4);
    }

    #[test]
    fn excerpts_are_around_what_is_named_and_each_line_stands_once() {
        let text = text(1..=100);
        let diff = excerpts(&text, [50, 2, 53, 50].into_iter());
        let starts: Vec<_> = diff.hunks.iter().map(|hunk| (hunk.new_start, hunk.lines.len())).collect();
        assert_eq!(starts, [(1, 5), (47, 10)]);
        assert_eq!(diff.hunks[1].before.new_start, 6);
        assert_eq!(diff.rest.head.first().map(|line| &**line), Some("line 57"));
    }
}
