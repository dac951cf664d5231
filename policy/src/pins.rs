//! The index of pins: a map for exact URLs, a tree of path segments for patterns.
//!
//! Looking a URL up costs the same with ten pins as with a million: one or two map reads, and one walk down the
//! tree of its origin.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::ops::Deref;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::host::{Authority, Host};
use crate::pin::{Pin, PinUrl, Segment};
use crate::url::ArtifactUrl;

/// All pins of the reviewed lists.
#[derive(Debug, Default)]
pub struct PinIndex {
    pins: Vec<Pin>,
    /// By match key, the first exact pin that has it. The key itself is read off the pin.
    exact: HashTable<u32>,
    /// A fast one: only those who write the lists put keys in.
    hasher: DefaultHashBuilder,
    /// By the first pin of a match key, the others.
    more: HashMap<u32, Vec<u32>>,
    patterns: HashMap<Box<str>, Tree>,
    releases: HashMap<Arc<str>, Vec<u32>>,
}

/// Pins that decide together. Nearly always it is one, which takes no memory of its own.
#[derive(Clone, Debug)]
pub enum Found<'p> {
    /// One.
    One([&'p Pin; 1]),
    /// Several, or none.
    Many(Vec<&'p Pin>),
}

impl<'p> Deref for Found<'p> {
    type Target = [&'p Pin];

    fn deref(&self) -> &[&'p Pin] {
        match self {
            Self::One(pin) => pin,
            Self::Many(pins) => pins,
        }
    }
}

/// The pins that decide about one URL.
#[derive(Clone, Debug)]
pub enum Deciding<'p> {
    /// Exact pins, with or without the query: they decide alone.
    Exact(Found<'p>),
    /// Every pattern that fits, or none.
    Patterns(Found<'p>),
}

impl<'p> Deciding<'p> {
    /// The pins, whichever way they matched.
    #[must_use]
    pub fn pins(&self) -> &[&'p Pin] {
        match self {
            Self::Exact(pins) | Self::Patterns(pins) => pins,
        }
    }
}

impl PinIndex {
    /// Indexes `pins`. Several pins of one URL add up.
    #[must_use]
    pub fn new(mut pins: Vec<Pin>) -> Self {
        pins.shrink_to_fit();
        let mut index = Self { exact: HashTable::with_capacity(pins.len()), ..Self::default() };
        // Side by side: a million pins are waited for.
        index.releases = thread::scope(|scope| {
            let releases = scope.spawn(|| releases(&pins));
            for (at, pin) in (0u32..).zip(&pins) {
                match &pin.url {
                    PinUrl::Exact(url) => index.insert(url, at, &pins),
                    PinUrl::Pattern(pattern) => {
                        let tree = index.patterns.entry(pattern.origin.clone()).or_default();
                        tree.insert(&pattern.segments, at);
                    }
                }
            }
            releases.join().unwrap_or_else(|panic| resume_unwind(panic))
        });
        index.pins = pins;
        index
    }

    fn insert(&mut self, url: &ArtifactUrl, at: u32, pins: &[Pin]) {
        let hash = |key: &str| self.hasher.hash_one(key);
        let same = |other: &u32| exact_key(pins, *other) == Some(url.key());
        let entry =
            self.exact.entry(hash(url.key()), same, |at| hash(exact_key(pins, *at).unwrap_or_default()));
        match entry {
            Entry::Vacant(entry) => {
                entry.insert(at);
            }
            Entry::Occupied(first) => self.more.entry(*first.get()).or_default().push(at),
        }
    }

    /// The pins that decide about `url`. A pin of exactly its query decides before one that takes any query, and
    /// an exact pin before a pattern.
    #[must_use]
    pub fn deciding(&self, url: &ArtifactUrl) -> Deciding<'_> {
        let without_query = || url.query().and_then(|_| self.first(url.key_without_query()));
        if let Some(first) = self.first(url.key()).or_else(without_query) {
            return Deciding::Exact(self.with_more(first));
        }
        let found = self.patterns.get(url.origin()).map(|tree| tree.find(url.path())).unwrap_or_default();
        Deciding::Patterns(Found::Many(self.at(&found)))
    }

    fn with_more(&self, first: u32) -> Found<'_> {
        match (self.more.get(&first), pin_at(&self.pins, first)) {
            (None, Some(pin)) => Found::One([pin]),
            (more, _) => Found::Many(self.at(std::iter::once(&first).chain(more.into_iter().flatten()))),
        }
    }

    fn first(&self, key: &str) -> Option<u32> {
        let same = |at: &u32| exact_key(&self.pins, *at) == Some(key);
        self.exact.find(self.hasher.hash_one(key), same).copied()
    }

    /// All pins, in the order of the files.
    #[must_use]
    pub fn all(&self) -> &[Pin] {
        &self.pins
    }

    /// The hosts of all pins.
    #[must_use]
    pub fn hosts(&self) -> HashSet<Host> {
        let exact: HashSet<&Host> = self.pins.iter().filter_map(exact_host).collect();
        let patterns = self.patterns.keys().filter_map(|origin| host_of(origin));
        exact.into_iter().cloned().chain(patterns).collect()
    }

    /// The pins of one release, of whatever vendor.
    #[must_use]
    pub fn of_release(&self, release: &str) -> Vec<&Pin> {
        self.releases.get(release).map(|places| self.at(places)).unwrap_or_default()
    }

    /// Where in [`PinIndex::all`] the pins are that share their URL or pattern with another, in no order.
    pub fn repeated(&self) -> impl Iterator<Item = usize> + '_ {
        let exact = self.more.iter().flat_map(|(first, more)| std::iter::once(first).chain(more));
        let nodes = self.patterns.values().flat_map(|tree| &tree.nodes);
        let patterns = nodes.map(|node| &node.pins).filter(|pins| pins.len() > 1).flatten();
        exact.chain(patterns).filter_map(|at| usize::try_from(*at).ok())
    }

    fn at<'i>(&self, places: impl IntoIterator<Item = &'i u32>) -> Vec<&Pin> {
        places.into_iter().filter_map(|at| pin_at(&self.pins, *at)).collect()
    }
}

/// Where the pins of each release are.
fn releases(pins: &[Pin]) -> HashMap<Arc<str>, Vec<u32>> {
    let mut releases: HashMap<_, Vec<u32>> = HashMap::new();
    for (at, release) in (0u32..).zip(pins).filter_map(|(at, pin)| Some((at, pin.release.as_ref()?))) {
        match releases.get_mut(release) {
            Some(places) => places.push(at),
            None => drop(releases.insert(Arc::clone(release), vec![at])),
        }
    }
    releases
}

fn pin_at(pins: &[Pin], at: u32) -> Option<&Pin> {
    pins.get(usize::try_from(at).ok()?)
}

/// The host of an origin. Only a port that its scheme does not imply is written there.
fn host_of(origin: &str) -> Option<Host> {
    let (_, authority) = origin.split_once("://")?;
    Authority::parse(authority, Some(443)).ok().map(|authority| authority.host)
}

fn exact_host(pin: &Pin) -> Option<&Host> {
    match &pin.url {
        PinUrl::Exact(url) => Some(url.host()),
        PinUrl::Pattern(_) => None,
    }
}

fn exact_key(pins: &[Pin], at: u32) -> Option<&str> {
    match &pin_at(pins, at)?.url {
        PinUrl::Exact(url) => Some(url.key()),
        PinUrl::Pattern(_) => None,
    }
}

/// Patterns of one origin, by path segment.
#[derive(Debug)]
struct Tree {
    nodes: Vec<Node>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

#[derive(Debug, Default)]
struct Node {
    literal: HashMap<Box<str>, usize>,
    star: Vec<(Segment, usize)>,
    /// Reached over `**`: this node is entered with no segment read, and kept with each one.
    any: Option<usize>,
    keeps: bool,
    pins: Vec<u32>,
}

impl Tree {
    fn insert(&mut self, segments: &[Segment], pin: u32) {
        let mut at = 0;
        for segment in segments {
            at = self.child(at, segment);
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.pins.push(pin);
        }
    }

    fn child(&mut self, at: usize, segment: &Segment) -> usize {
        let next = self.nodes.len();
        let Some(node) = self.nodes.get_mut(at) else { return at };
        let child = match segment {
            Segment::Literal(text) => *node.literal.entry(text.clone()).or_insert(next),
            Segment::Star(_) => match node.star.iter().find(|(known, _)| known == segment) {
                Some((_, child)) => *child,
                None => {
                    node.star.push((segment.clone(), next));
                    next
                }
            },
            Segment::AnySegments => *node.any.get_or_insert(next),
        };
        if child == next {
            self.nodes.push(Node { keeps: *segment == Segment::AnySegments, ..Node::default() });
        }
        child
    }

    /// Walks all fitting branches side by side, so that no pattern can make a lookup slower than its own length.
    fn find(&self, path: &str) -> Vec<u32> {
        let mut here = self.entered(vec![0]);
        for segment in path.split('/').skip(1) {
            let mut next = Vec::new();
            for at in here {
                let Some(node) = self.nodes.get(at) else { continue };
                next.extend(node.keeps.then_some(at));
                next.extend(node.literal.get(segment));
                next.extend(
                    node.star.iter().filter(|(star, _)| star.matches(segment)).map(|(_, child)| *child),
                );
            }
            here = self.entered(next);
        }
        here.iter().filter_map(|at| self.nodes.get(*at)).flat_map(|node| node.pins.iter().copied()).collect()
    }

    fn entered(&self, mut nodes: Vec<usize>) -> Vec<usize> {
        let mut at = 0;
        while let Some(node) = nodes.get(at) {
            nodes.extend(self.nodes.get(*node).and_then(|node| node.any));
            at += 1;
        }
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pin::Place;

    fn pin(url: &str) -> Pin {
        Pin::bare(PinUrl::parse(url).unwrap(), Place { file: "pins.toml".into(), line: 1 })
    }

    fn found(pins: &[&str], url: &str) -> Vec<String> {
        let index = PinIndex::new(pins.iter().map(|url| pin(url)).collect());
        let url = ArtifactUrl::parse(url).unwrap();
        index.deciding(&url).pins().iter().map(|pin| pin.url.to_text()).collect()
    }

    #[test]
    fn a_pin_without_a_query_matches_any_and_one_with_a_query_exactly_that() {
        let pins = ["https://v.test/a.js", "https://v.test/a.js?v=2"];
        assert_eq!(found(&pins, "https://v.test/a.js"), ["https://v.test/a.js"]);
        assert_eq!(found(&pins, "https://v.test/a.js?v=1"), ["https://v.test/a.js"]);
        assert_eq!(found(&pins, "https://v.test/a.js?v=2"), ["https://v.test/a.js?v=2"]);
        assert!(found(&["https://v.test/a.js?v=2"], "https://v.test/a.js").is_empty());
    }

    #[test]
    fn an_exact_pin_decides_alone() {
        let pins = ["https://v.test/*/a.js", "https://v.test/1/a.js"];
        assert_eq!(found(&pins, "https://v.test/1/a.js?x"), ["https://v.test/1/a.js"]);
        assert_eq!(found(&pins, "https://v.test/2/a.js"), ["https://v.test/*/a.js"]);
    }

    #[test]
    fn a_star_stays_within_its_segment_and_two_cross_any_number() {
        let one = ["https://v.test/npm/*/dist/*.min.js"];
        assert_eq!(found(&one, "https://v.test/npm/x@1/dist/x.min.js").len(), 1);
        for other in
            ["/npm/x/y/dist/x.min.js", "/npm//dist/x.min.js", "/npm/x/dist/x.js", "/npm/x/dist/x.min.js/z"]
        {
            assert!(found(&one, &format!("https://v.test{other}")).is_empty(), "{other}");
        }
        let two = ["https://v.test/**/app.js", "https://v.test/lib/**"];
        assert_eq!(found(&two, "https://v.test/app.js"), ["https://v.test/**/app.js"]);
        assert_eq!(found(&two, "https://v.test/a/b/c/app.js"), ["https://v.test/**/app.js"]);
        assert_eq!(found(&two, "https://v.test/lib/x/app.js").len(), 2);
        assert!(found(&two, "https://v.test/lib2/x.js").is_empty());
    }

    #[test]
    fn a_pattern_is_bound_to_its_origin() {
        for other in ["http://v.test/1/a.js", "https://v.test:8443/1/a.js", "https://w.test/1/a.js"] {
            assert!(found(&["https://v.test/*/a.js"], other).is_empty(), "{other}");
        }
    }

    #[test]
    fn pins_of_one_url_add_up_in_the_order_of_the_files() {
        let pins = [
            "https://v.test/a.js",
            "https://v.test/b.js",
            "https://v.test/%61.js",
            "https://v.test/a.js?v=1",
        ];
        let mut pins: Vec<Pin> = pins.into_iter().map(pin).collect();
        for (line, pin) in (1..).zip(&mut pins) {
            pin.place.line = line;
        }
        let index = PinIndex::new(pins);
        let lines = |url: &str| {
            let url = ArtifactUrl::parse(url).unwrap();
            index.deciding(&url).pins().iter().map(|pin| pin.place.line).collect::<Vec<_>>()
        };
        assert_eq!(lines("https://v.test/a.js"), [1, 3]);
        assert_eq!(lines("https://v.test/a.js?v=2"), [1, 3]);
        assert_eq!(lines("https://v.test/a.js?v=1"), [4]);
        assert_eq!(lines("https://v.test/b.js"), [2]);
    }

    #[test]
    fn pins_that_share_a_url_or_a_pattern_are_told() {
        let pins = [
            "https://v.test/*",
            "https://v.test/a.js",
            "https://v.test/b.js",
            "https://v.test/a.js?",
            "HTTPS://v.test/*",
        ];
        let index = PinIndex::new(pins.into_iter().map(pin).collect());
        let mut repeated: Vec<_> = index.repeated().collect();
        repeated.sort_unstable();
        assert_eq!(repeated, [0, 1, 3, 4]);
    }

    #[test]
    fn a_literal_star_in_a_request_is_not_a_wildcard() {
        assert_eq!(found(&["https://v.test/a%2Ab.js"], "https://v.test/a*b.js"), ["https://v.test/a%2Ab.js"]);
        assert!(found(&["https://v.test/a%2Ab.js"], "https://v.test/axb.js").is_empty());
    }

    proptest! {
        /// The tree gives what trying each pattern on its own gives.
        #[test]
        fn the_tree_agrees_with_a_plain_matcher(
            patterns in prop::collection::vec(prop::collection::vec(prop::sample::select(vec!["a", "b", "*", "**", "a*", "*b"]), 1..5), 1..6),
            path in prop::collection::vec(prop::sample::select(vec!["a", "b", "ab", "c"]), 1..6),
        ) {
            let texts: Vec<String> = patterns.iter().map(|p| format!("https://v.test/{}", p.join("/"))).filter(|t| t.contains('*')).collect();
            let mut expected: Vec<String> = texts.iter().filter(|text| {
                let PinUrl::Pattern(pattern) = PinUrl::parse(text).unwrap() else { unreachable!() };
                plainly(&pattern.segments, &path)
            }).cloned().collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let mut got = found(&texts, &format!("https://v.test/{}", path.join("/")));
            got.sort();
            expected.sort();
            prop_assert_eq!(got, expected);
        }
    }

    fn plainly(pattern: &[Segment], path: &[&str]) -> bool {
        match (pattern.split_first(), path.split_first()) {
            (None, None) => true,
            (Some((Segment::AnySegments, rest)), None) => plainly(rest, path),
            (Some((Segment::AnySegments, rest)), Some((_, tail))) => {
                plainly(rest, path) || plainly(pattern, tail)
            }
            (Some((segment, rest)), Some((first, tail))) => segment.matches(first) && plainly(rest, tail),
            _ => false,
        }
    }
}
