//! The difference of both versions, as rows of a page: bounded, with what was left out in numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use pinfold_triage::{
    Comparing, Diff, DiffLine, DifferenceAsked, Findings, Fold, Hunk, Mark, Renamed, differing_words,
};

use super::{Place, marks};
use crate::review::whole;
use crate::review::words::counted;
use crate::text::Text;

/// Lines of hunks on one page: a part of a difference has no more.
const LINES: usize = 3000;
/// Bytes of lines on one page: more than a part of a difference has, with what is said behind its lines.
const BYTES: usize = 1_300_000;
/// Bytes of lines that are compared word by word.
const COMPARED: usize = 200_000;

/// All of it.
#[derive(Default)]
pub(in crate::review) struct Difference {
    pub(in crate::review) pieces: Vec<Piece>,
    /// Changed lines of this part that are not shown.
    pub(in crate::review) left_out: usize,
    /// Which part it is, and of how many, where there is more than one.
    pub(in crate::review) part: Option<(usize, usize)>,
    /// Links to the parts before and behind it.
    pub(in crate::review) before: Option<String>,
    pub(in crate::review) behind: Option<String>,
    /// What holds for every line that is in none of its parts.
    pub(in crate::review) unchanged: Option<&'static str>,
    /// Whether there are two versions.
    pub(in crate::review) has_two: bool,
    /// Changed lines that are not shown whole.
    pub(in crate::review) cut: usize,
    /// What became of lines that differ by names of local variables alone, where there are some.
    pub(in crate::review) renamed: Option<Names>,
    /// How many changed lines have names of a build alone that are other variables than in the line beside them, without saying so.
    pub(in crate::review) of_build: usize,
}

/// What is said of lines that differ by names of local variables alone.
pub(in crate::review) enum Names {
    /// How many are left out, and the verb for so many.
    LeftOut(String, &'static str),
    Shown,
    NotKnown(Text),
}

/// Lines that stand together.
pub(in crate::review) enum Piece {
    Same(Vec<Same>),
    Folded { count: usize, head: Vec<Same>, left_out: usize, tail: Vec<Same> },
    Changed { old: Vec<Line>, new: Vec<Line> },
}

/// A line of both versions.
pub(in crate::review) struct Same {
    pub(in crate::review) old: usize,
    pub(in crate::review) new: usize,
    pub(in crate::review) text: Text,
    pub(in crate::review) marks: Vec<&'static str>,
}

/// A line of one version.
pub(in crate::review) struct Line {
    pub(in crate::review) number: usize,
    /// What it holds, in order, and what of it differs from the line beside it.
    pub(in crate::review) parts: Vec<(bool, Text)>,
    pub(in crate::review) marks: Vec<&'static str>,
    /// Names in it that are other variables than in the line beside it.
    pub(in crate::review) other_names: Option<Text>,
    /// Whether these are of a build.
    is_of_build: bool,
    /// All of it, until it is known what differs.
    whole: String,
    /// What asks for both texts where it stands, if it is cut.
    pub(in crate::review) in_full: Option<String>,
}

/// Whether a changed line is not shown whole: the mark of that stands at one of its ends.
fn is_cut(line: &str) -> bool {
    line.starts_with(CUT) || line.ends_with(CUT)
}

impl Line {
    fn of(number: usize, whole: &str, marks: Vec<&'static str>) -> Self {
        Self {
            number,
            parts: vec![(false, Text::of_code(whole))],
            marks,
            other_names: None,
            is_of_build: false,
            whole: whole.to_owned(),
            in_full: None,
        }
    }

    /// Marks what differs, by places in bytes.
    fn differs(&mut self, places: &[Range<usize>]) {
        let mut parts = Vec::new();
        let mut add = |differs, at: Range<usize>| {
            let part = self.whole.get(at).filter(|part| !part.is_empty());
            parts.extend(part.map(|part| (differs, Text::of_code(part))));
        };
        let mut at = 0;
        for place in places {
            add(false, at..place.start);
            add(true, place.clone());
            at = place.end;
        }
        add(false, at..self.whole.len());
        self.parts = parts;
    }
}

/// What stands where a line is cut.
const CUT: char = '…';

/// Of which version a line is.
enum Side {
    Old,
    New,
}

/// Which lines of the new version the page has, and which are in other parts.
pub(super) struct Shown {
    lines: BTreeSet<usize>,
    /// The line at which each part begins.
    parts: Vec<usize>,
    asked: DifferenceAsked,
}

impl Shown {
    pub(super) fn place(&self, line: usize) -> Place {
        let part = self.parts.partition_point(|start| *start <= line).saturating_sub(1);
        let link = if self.lines.contains(&line) {
            Some(format!("#n{line}"))
        } else if part != self.asked.part && self.parts.len() > 1 {
            Some(format!("{}#n{line}", query(DifferenceAsked { part, ..self.asked })))
        } else {
            None
        };
        Place { line, link }
    }
}

/// What asks for that, behind the path of an item's page.
pub(in crate::review) fn query(asked: DifferenceAsked) -> String {
    let names = match asked.comparing {
        Comparing::ToTheLetter => "names=shown&",
        Comparing::ButNames | Comparing::NoLines => "",
    };
    if asked.part > 0 {
        return format!("?{names}part={}", asked.part + 1);
    }
    if names.is_empty() { String::new() } else { "?names=shown".to_owned() }
}

/// What was asked for: it is shown as it was compared.
fn asked(diff: &Diff) -> DifferenceAsked {
    let comparing = match diff.renamed {
        Renamed::Shown => Comparing::ToTheLetter,
        Renamed::LeftOut { .. } | Renamed::NotKnown(_) => Comparing::ButNames,
    };
    DifferenceAsked { comparing, part: diff.part }
}

impl Difference {
    pub(super) fn of(findings: &Findings) -> Self {
        let diff = &findings.diff;
        let mut marked: BTreeMap<usize, BTreeSet<&'static str>> = BTreeMap::new();
        for (line, capability) in marks(findings) {
            marked.entry(line).or_default().insert(capability.text());
        }
        let mut pieces = Pieces { marked, made: Vec::new(), lines: LINES, bytes: BYTES, left_out: 0 };
        for hunk in &diff.hunks {
            pieces.hunk(hunk);
        }
        if pieces.left_out == 0 {
            pieces.fold(&diff.rest);
        }
        pieces.mark_words();
        let of_build = pieces.leave_out_names();
        if diff.cut > 0 {
            pieces.link_cut();
        }
        let renamed = names(diff);
        let link = |part: usize| {
            // The first one is asked for by no more than a question mark: an empty link would keep what is asked for now.
            let query = query(DifferenceAsked { part, ..asked(diff) });
            format!("{}#difference", if query.is_empty() { "?" } else { &query })
        };
        Self {
            pieces: pieces.made,
            left_out: pieces.left_out,
            unchanged: diff.unchanged(),
            part: (diff.parts.len() > 1).then_some((diff.part + 1, diff.parts.len())),
            before: diff.part.checked_sub(1).map(link),
            behind: Some(diff.part + 1).filter(|part| *part < diff.parts.len()).map(link),
            has_two: diff.added + diff.removed > 0 || matches!(renamed, Some(Names::LeftOut(..))),
            cut: diff.cut,
            renamed,
            of_build,
        }
    }

    pub(super) fn shown(&self, diff: &Diff) -> Shown {
        let same = |lines: &[Same]| lines.iter().map(|line| line.new).collect::<Vec<_>>();
        let lines = self.pieces.iter().flat_map(|piece| match piece {
            Piece::Same(lines) => same(lines),
            Piece::Folded { head, tail, .. } => [same(head), same(tail)].concat(),
            Piece::Changed { new, .. } => new.iter().map(|line| line.number).collect(),
        });
        Shown { lines: lines.collect(), parts: diff.parts.clone(), asked: asked(diff) }
    }
}

fn names(diff: &Diff) -> Option<Names> {
    match &diff.renamed {
        Renamed::LeftOut { lines: 0 } => None,
        Renamed::LeftOut { lines } => {
            let verb = if *lines == 1 { "differs" } else { "differ" };
            Some(Names::LeftOut(counted(*lines as u64, "line"), verb))
        }
        // Where nothing is compared there is nothing to say.
        Renamed::Shown => (diff.added + diff.removed > 0).then_some(Names::Shown),
        Renamed::NotKnown(why) => Some(Names::NotKnown(Text::of(&why.text()))),
    }
}

struct Pieces {
    marked: BTreeMap<usize, BTreeSet<&'static str>>,
    made: Vec<Piece>,
    /// Lines and bytes that there is still room for.
    lines: usize,
    bytes: usize,
    left_out: usize,
}

impl Pieces {
    fn hunk(&mut self, hunk: &Hunk) {
        if self.lines == 0 {
            self.left_out += hunk.lines.iter().filter(|line| line.mark != Mark::Both).count();
            return;
        }
        self.fold(&hunk.before);
        let (mut old, mut new) = (hunk.old_start, hunk.new_start);
        for line in &hunk.lines {
            let mark = &line.mark;
            if self.has_room(&line.text) {
                self.line(line, old, new);
            } else {
                self.left_out += usize::from(*mark != Mark::Both);
            }
            old += usize::from(*mark != Mark::Added);
            new += usize::from(*mark != Mark::Removed);
        }
    }

    /// Once there is none, there is none for what follows.
    fn has_room(&mut self, text: &str) -> bool {
        match (self.lines.checked_sub(1), self.bytes.checked_sub(text.len())) {
            (Some(lines), Some(bytes)) => {
                (self.lines, self.bytes) = (lines, bytes);
                true
            }
            (_, _) => {
                (self.lines, self.bytes) = (0, 0);
                false
            }
        }
    }

    fn line(&mut self, shown: &DiffLine, old: usize, new: usize) {
        let DiffLine { mark, text, other_names, .. } = shown;
        let line = |number, marks| Line::of(number, text, marks);
        match mark {
            Mark::Both => {
                let same = self.same(old, new, text);
                match self.made.last_mut() {
                    Some(Piece::Same(lines)) => lines.push(same),
                    Some(Piece::Folded { .. } | Piece::Changed { .. }) | None => {
                        self.made.push(Piece::Same(vec![same]));
                    }
                }
            }
            Mark::Removed => self.changed(Side::Old, line(old, Vec::new())),
            Mark::Added => {
                let marks = self.marks(new);
                let other_names = other_names.as_deref().map(Text::of);
                let is_of_build = shown.other_names_are_of_build();
                self.changed(Side::New, Line { other_names, is_of_build, ..line(new, marks) });
            }
        }
    }

    /// Adds to the changed lines at the end of what is made.
    fn changed(&mut self, side: Side, line: Line) {
        match (self.made.last_mut(), side) {
            (Some(Piece::Changed { old, .. }), Side::Old) => old.push(line),
            (Some(Piece::Changed { new, .. }), Side::New) => new.push(line),
            (Some(Piece::Same(_) | Piece::Folded { .. }) | None, Side::Old) => {
                self.made.push(Piece::Changed { old: vec![line], new: Vec::new() });
            }
            (Some(Piece::Same(_) | Piece::Folded { .. }) | None, Side::New) => {
                self.made.push(Piece::Changed { old: Vec::new(), new: vec![line] });
            }
        }
    }

    /// Marks what differs within lines that stand beside each other.
    fn mark_words(&mut self) {
        let mut left = COMPARED;
        for piece in &mut self.made {
            let Piece::Changed { old, new } = piece else { continue };
            for (old, new) in old.iter_mut().zip(new) {
                let Some(rest) = left.checked_sub(old.whole.len() + new.whole.len()) else { return };
                left = rest;
                if let Some([gone, there]) = differing_words(&old.whole, &new.whole) {
                    old.differs(&gone);
                    new.differs(&there);
                }
            }
        }
    }

    /// Says nothing of names of a build that are other variables, where that is seen to be another line anyway and nothing is newly
    /// done on it: of how many lines.
    fn leave_out_names(&mut self) -> usize {
        let mut left_out = 0;
        for piece in &mut self.made {
            let Piece::Changed { old, new } = piece else { continue };
            for (old, new) in old.iter().zip(new) {
                if new.is_of_build && new.marks.is_empty() && old.whole.trim() != new.whole.trim() {
                    new.other_names = None;
                    left_out += 1;
                }
            }
        }
        left_out
    }

    /// Leads from each cut line to both texts, where the letters of it and of the line beside it stand.
    fn link_cut(&mut self) {
        for piece in &mut self.made {
            let Piece::Changed { old, new } = piece else { continue };
            for at in 0..old.len().max(new.len()) {
                let [was, is] = [old.get(at), new.get(at)].map(|line| line.map(|line| &*line.whole));
                if !was.is_some_and(is_cut) && !is.is_some_and(is_cut) {
                    continue;
                }
                let link = whole::asks_for(was, is);
                for line in [old.get_mut(at), new.get_mut(at)].into_iter().flatten() {
                    line.in_full = is_cut(&line.whole).then(|| link.clone());
                }
            }
        }
    }

    fn fold(&mut self, fold: &Fold) {
        let count = fold.head.len() + fold.left_out + fold.tail.len();
        if count == 0 {
            return;
        }
        let head = self.all_same(fold.old_start, fold.new_start, &fold.head);
        let behind = fold.head.len() + fold.left_out;
        let tail = self.all_same(fold.old_start + behind, fold.new_start + behind, &fold.tail);
        self.made.push(Piece::Folded { count, head, left_out: fold.left_out, tail });
    }

    fn all_same(&self, old: usize, new: usize, texts: &[Box<str>]) -> Vec<Same> {
        texts.iter().enumerate().map(|(at, text)| self.same(old + at, new + at, text)).collect()
    }

    fn same(&self, old: usize, new: usize, text: &str) -> Same {
        Same { old, new, text: Text::of_code(text), marks: self.marks(new) }
    }

    fn marks(&self, line: usize) -> Vec<&'static str> {
        self.marked.get(&line).into_iter().flatten().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use pinfold_triage::{Limits, compare};

    use super::*;

    /// What is said of names beside the changed lines, and on how many lines it is left out.
    fn other_names(old: &str, new: &str) -> (Vec<String>, usize) {
        let script = |inside: &str| {
            format!(
                "(function (user, pass) {{\nvar form = user.form;\nlisten(form, user, pass);\n{inside}\n}})(a, b);"
            )
        };
        let (old, new) = (script(old), script(new));
        let findings = compare(Some(old.as_bytes()), new.as_bytes(), Limits::default(), &|_| None);
        let difference = Difference::of(&findings);
        let lines = difference.pieces.iter().flat_map(|piece| match piece {
            Piece::Changed { new, .. } => new.as_slice(),
            Piece::Same(_) | Piece::Folded { .. } => &[],
        });
        let said = lines.filter_map(|line| line.other_names.as_ref()).map(Text::to_string).collect();
        (said, difference.of_build)
    }

    #[test]
    fn names_of_a_build_are_said_to_be_others_where_nothing_else_tells_and_where_something_is_done() {
        let with = |name: &str, call: &str| {
            let taken = format!("var {name} = form.a; keep({name});");
            let old = format!("{taken}\n{call}(user.map((other) => {name}.first), 'one');");
            let new = format!("{taken}\n{call}(user.map(({name}) => {name}.first), 'two');");
            other_names(&old, &new)
        };
        assert_eq!(with("c", "use"), (Vec::new(), 1));
        assert_eq!(with("card", "use"), (vec!["card".to_owned()], 0));
        assert_eq!(with("c", "fetch"), (vec!["c".to_owned()], 0), "what it sends may be another");
        // Both lines read alike.
        let old = "(function () { var n = form.send; n(pass); g(user) })();";
        let new = "(function () { var g = form.send; g(pass); g(user) })();";
        assert_eq!(other_names(old, new), (vec!["g".to_owned()], 0));
    }
}
