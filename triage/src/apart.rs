//! Where two uses differ that look the same: behind what is shown of them, or in what their names stand for.

use std::cell::Cell;
use std::collections::HashSet;

use oxc_span::Span;

use crate::findings::{Elsewhere, Site};
use crate::lines::Lines;
use crate::locals::{Locals, Place};
use crate::look::{ACCOUNT, Called, SHORT, Seen, Use, hash, to_name};
use crate::origins::{ORIGINS, Stay};

/// Pieces of text that one use is followed through.
const PIECES: usize = 64;
/// Words and signs of one piece that are compared.
const TOKENS: usize = 4000;

/// A version, to be looked into again.
pub(crate) struct Read<'v> {
    text: &'v str,
    lines: Lines<'v>,
    locals: &'v Locals,
    seen: &'v Seen,
}

/// Both versions.
pub(crate) struct Apart<'v> {
    pub(crate) old: Read<'v>,
    pub(crate) new: Read<'v>,
    /// Bytes that may still be read to find out which origins changed.
    left: Cell<usize>,
}

/// How two pieces are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    /// By what is compared of what a use is given: not by names of local variables, nor by what a build makes anew.
    Given,
    /// By all but names of local variables.
    ButNames,
    Letter,
}

impl<'v> Apart<'v> {
    /// Bytes that are read to find out which origins changed: whoever writes a version that takes more hides nothing, and is told of
    /// more code as new and as gone.
    const ORIGINS: usize = 16 << 20;

    pub(crate) fn of(old: Read<'v>, new: Read<'v>) -> Self {
        Self { old, new, left: Cell::new(Self::ORIGINS) }
    }

    /// Whether so much more may be read.
    pub(crate) fn spend(&self, bytes: usize) -> bool {
        let left = self.left.get().checked_sub(bytes);
        self.left.set(left.unwrap_or_default());
        left.is_some()
    }

    /// The places to name of what is there and of what is gone. Of two that stand there the same it is said once what their
    /// variables come from, and of two that look the same where they differ.
    pub(crate) fn sites(&self, gone: &[&Use], others: &[&Use]) -> (Vec<Site>, Vec<Site>) {
        let Stay { gone, others, stay } = self.stay(gone, others);
        let new: HashSet<_> = others.iter().map(|used| (used.site.line, &*used.site.excerpt)).collect();
        // What stands there newly is named before what does not.
        let all: Vec<_> = others.into_iter().chain(stay.iter().map(|(used, _)| *used)).collect();
        let (mut gone, mut others) = (named(&gone), named(&all));
        for (used, site) in &mut others {
            // Where something new stands on the same line, it is not as before.
            if new.contains(&(site.line, &*used.site.excerpt)) {
                continue;
            }
            // What stands on one line is named once.
            let beside = |other: &Use| other.site.line == site.line && other.site.excerpt == site.excerpt;
            let here: Vec<_> = stay.iter().filter(|(other, _)| beside(other)).collect();
            for (_, (origins, are_more)) in here {
                site.are_more_origins |= are_more;
                for one in origins {
                    if site.origins.contains(one) {
                        continue;
                    }
                    if site.origins.len() < ORIGINS {
                        site.origins.push(one.clone());
                    } else {
                        site.are_more_origins = true;
                    }
                }
            }
        }
        self.say_where(&mut gone, &mut others);
        (sites(others), sites(gone))
    }

    /// The same, where what is there and what is gone are both told.
    pub(crate) fn look_alike(&self, gone: &[&Use], others: &[&Use]) -> (Vec<Site>, Vec<Site>) {
        let (mut gone, mut others) = (named(gone), named(others));
        self.say_where(&mut gone, &mut others);
        (sites(others), sites(gone))
    }

    /// Of two that look the same, where they differ.
    fn say_where(&self, gone: &mut [(&Use, Site)], others: &mut [(&Use, Site)]) {
        let mut is_taken = vec![false; gone.len()];
        for (used, site) in others.iter_mut().filter(|(_, site)| site.origins.is_empty()) {
            let same = gone
                .iter()
                .zip(&is_taken)
                .position(|((was, _), is_taken)| !is_taken && self.look_the_same(was, used));
            let Some(at) = same else { continue };
            if let (Some(is_taken), Some((was, its_site))) = (is_taken.get_mut(at), gone.get_mut(at)) {
                *is_taken = true;
                [its_site.differs, site.differs] = self.where_they_differ(was, used);
            }
        }
    }

    fn look_the_same(&self, was: &Use, is: &Use) -> bool {
        let (Some(was), Some(is)) = (&was.at, &is.at) else { return false };
        let (old, new) = (self.old.lines.shown(was.start), self.new.lines.shown(is.start));
        // The longer names are, the less is shown beside them.
        let (mut old, mut new) = (self.old.tokens(old, By::Given), self.new.tokens(new, By::Given));
        std::iter::from_fn(|| old.next().zip(new.next())).all(|((old, _), (new, _))| old == new)
    }

    fn where_they_differ(&self, was: &Use, is: &Use) -> [Option<Elsewhere>; 2] {
        let (old, new) = (self.old.pieces(was), self.new.pieces(is));
        let differ = |by| {
            let mut both = old.iter().zip(&new);
            both.find_map(|(old, new)| self.first_difference(*old, *new, by))
        };
        let behind = || {
            let start = |pieces: &[Span], others: &[Span]| pieces.get(others.len()).map(|piece| piece.start);
            [start(&old, &new), start(&new, &old)]
        };
        let [old, new] = differ(By::Given)
            .or_else(|| differ(By::ButNames))
            .or_else(|| Some(behind()).filter(|behind| behind.iter().any(Option::is_some)))
            .or_else(|| differ(By::Letter))
            .unwrap_or_default();
        [old.map(|at| self.old.elsewhere(at)), new.map(|at| self.new.elsewhere(at))]
    }

    /// The first places in two pieces that are not the same, but for names of local variables.
    pub(crate) fn first_but_names(&self, old: Span, new: Span) -> [Option<u32>; 2] {
        let differ = |by| self.first_difference(old, new, by);
        differ(By::Given).or_else(|| differ(By::ButNames)).unwrap_or([Some(old.start), Some(new.start)])
    }

    /// The first places in two pieces that are not the same.
    fn first_difference(&self, old: Span, new: Span, by: By) -> Option<[Option<u32>; 2]> {
        let (mut old_tokens, mut new_tokens) = (self.old.tokens(old, by), self.new.tokens(new, by));
        for _ in 0..TOKENS {
            match (old_tokens.next(), new_tokens.next()) {
                (None, None) => return None,
                (Some((old, _)), Some((new, _))) if old == new => {}
                (old_one, new_one) => {
                    let at = |token: Option<(Token<'_>, u32)>, piece: Span| {
                        Some(token.map_or(piece.end.saturating_sub(1), |(_, at)| at))
                    };
                    return Some([at(old_one, old), at(new_one, new)]);
                }
            }
        }
        None
    }
}

fn sites(named: Vec<(&Use, Site)>) -> Vec<Site> {
    named.into_iter().map(|(_, site)| site).collect()
}

fn named<'u>(uses: &[&'u Use]) -> Vec<(&'u Use, Site)> {
    to_name(uses).map(|one| (one, one.site.clone())).collect()
}

impl<'v> Read<'v> {
    pub(crate) fn of(text: &'v str, locals: &'v Locals, seen: &'v Seen) -> Self {
        Self { text, lines: Lines::of(text), locals, seen }
    }

    /// What each variable is, where somebody asked.
    pub(crate) fn called(&self) -> Option<&'v Called> {
        self.seen.called.as_ref()
    }

    /// What is read where a name stands: a variable, or one member of it.
    pub(crate) fn node(&self, place: &Place) -> Option<u32> {
        self.called().map_or(place.symbol, |called| called.node(place))
    }

    /// The variable that is read so, or whose member.
    fn symbol(&self, node: u32) -> u32 {
        self.called().map_or(node, |called| called.symbol(node))
    }

    /// What it is bound to.
    pub(crate) fn bound(&self, node: u32) -> &'v [Span] {
        self.seen.bound.get(&self.symbol(node)).map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn slice(&self, span: Span) -> &str {
        self.lines.slice(span)
    }

    /// Bytes of which a text can be, in its shape that is compared.
    pub(crate) fn size_of(span: Span) -> usize {
        (span.size() as usize).min(TOKENS * 8)
    }

    /// What it takes to look for a name.
    pub(crate) fn names(&self) -> usize {
        self.locals.places.len()
    }

    /// The first place that names it.
    pub(crate) fn first_named(&self, node: u32) -> Option<Span> {
        let symbol = self.symbol(node);
        let place = self.locals.places.iter().find(|place| place.symbol == Some(symbol))?;
        Some(Span::new(place.start, place.end))
    }

    /// Whether all of some pieces is compared, and not their beginning alone.
    pub(crate) fn is_compared_whole(&self, pieces: &[Span]) -> bool {
        pieces.iter().all(|piece| self.tokens(*piece, By::Given).nth(TOKENS).is_none())
    }

    /// A hash of what is compared of some pieces.
    pub(crate) fn hash_of_tokens(&self, pieces: &[Span]) -> u64 {
        let tokens = pieces.iter().flat_map(|piece| self.tokens(*piece, By::Given).take(TOKENS));
        hash(tokens.map(|(token, _)| token).collect::<Vec<_>>())
    }

    pub(crate) fn elsewhere(&self, at: u32) -> Elsewhere {
        Elsewhere { line: self.lines.line(at), excerpt: self.lines.excerpt(at) }
    }

    /// All of a use, and then what its names are bound to, and what the names in that are.
    fn pieces(&self, of: &Use) -> Vec<Span> {
        let mut pieces = of.at.as_ref().map(|at| at.all.clone()).unwrap_or_default();
        let mut seen = HashSet::new();
        let mut next = 0;
        while let Some(piece) = pieces.get(next).copied() {
            next += 1;
            for symbol in self.places(piece).iter().filter_map(|place| place.symbol) {
                if pieces.len() >= PIECES {
                    return pieces;
                }
                if seen.insert(symbol) {
                    pieces.extend(self.bound(symbol));
                }
            }
        }
        pieces
    }

    /// The names in a piece.
    pub(crate) fn places(&self, piece: Span) -> &'v [Place] {
        let behind = |at: u32| self.locals.places.partition_point(|place| place.start < at);
        self.locals.places.get(behind(piece.start)..behind(piece.end)).unwrap_or_default()
    }

    fn tokens(&self, piece: Span, by: By) -> Tokens<'v> {
        let (at, end) = (piece.start as usize, piece.end as usize);
        let rest = self.text.get(at..end).unwrap_or_default();
        let names = if by == By::Letter { &[] } else { self.places(piece) };
        Tokens { rest, at: piece.start, names, locals: self.locals, is_member: false, by }
    }
}

/// A part of a text, without what stands between it and the next.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Token<'t> {
    Local,
    /// A name of a member that minifiers give.
    ShortMember,
    /// A number that is another in each version.
    Number,
    Word(&'t str),
    Sign(char),
}

/// The parts of a text with their places.
struct Tokens<'t> {
    rest: &'t str,
    at: u32,
    names: &'t [Place],
    locals: &'t Locals,
    /// Whether a dot stood in front.
    is_member: bool,
    by: By,
}

impl<'t> Iterator for Tokens<'t> {
    type Item = (Token<'t>, u32);

    fn next(&mut self) -> Option<Self::Item> {
        let trimmed = self.rest.trim_start();
        self.take(self.rest.len() - trimmed.len());
        let at = self.at;
        let passed = self.names.iter().take_while(|name| name.start < at).count();
        self.names = self.names.get(passed..).unwrap_or_default();
        if let Some(name) =
            self.names.first().filter(|name| name.start == at && self.locals.is_the_scripts(name))
        {
            self.take((name.end - name.start) as usize);
            self.is_member = false;
            return Some((Token::Local, at));
        }
        let first = self.rest.chars().next()?;
        let is_of_word = |char: char| char.is_alphanumeric() || matches!(char, '_' | '$');
        if !is_of_word(first) {
            self.take(first.len_utf8());
            self.is_member = first == '.';
            return Some((Token::Sign(first), at));
        }
        let word = self.take(self.rest.find(|char| !is_of_word(char)).unwrap_or(self.rest.len()));
        let is_member = std::mem::take(&mut self.is_member);
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        let token = match self.by {
            By::Letter | By::ButNames => Token::Word(word),
            By::Given if is_number && word.len() < ACCOUNT => Token::Number,
            By::Given if is_member && word.len() <= SHORT => Token::ShortMember,
            By::Given => Token::Word(word),
        };
        Some((token, at))
    }
}

impl<'t> Tokens<'t> {
    fn take(&mut self, len: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(len.min(self.rest.len()));
        (self.rest, self.at) = (rest, self.at + taken.len() as u32);
        taken
    }
}
