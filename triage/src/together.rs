//! What one function newly does, together: what reaches for data and what sends it say more beside each other than in a list.
//! These are the same facts, and no score: they are put where they stand.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::capability::{Capability, Group};
use crate::findings::{Fact, Function, FunctionChange, Host, Novelty, TOGETHER, bounded};
use crate::functions::{Functions, function};
use crate::hosts::hosts_in;
use crate::look::{Held, Seen, Use};
use crate::skeleton::{Own, Skeleton};

/// Things of one function that are named.
const NAMED: usize = 8;
/// Hosts of one function that are named.
const HOSTS: usize = 3;
/// Characters of a name.
const NAME: usize = 60;

/// What one function newly does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Together {
    /// Which: a new or a changed one. `None` is the code outside functions.
    pub function: Option<Function>,
    /// Where to begin to read: the first line of a new function, and of what is new in any other code.
    pub line: usize,
    /// The last line of a new function, and of what is new in any other code.
    pub last_line: usize,
    /// What it did not do before, or at fewer places.
    pub newly: Vec<Deed>,
    /// What it did as often, and does with something else.
    pub other: Vec<Deed>,
    /// New hosts that it names, and of which it is not known that something goes there.
    pub hosts: Vec<Box<str>>,
}

/// Something that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// What.
    pub capability: Capability,
    /// New hosts that it goes to, as far as that can be followed.
    pub to: Vec<Box<str>>,
}

impl Deed {
    fn text(&self) -> String {
        let text = self.capability.text();
        // What stands behind a colon explains it, and stands with the fact itself.
        let text = text.split_once(':').map_or(text, |(what, _)| what);
        if self.to.is_empty() { text.to_owned() } else { format!("{text}, to {}", self.to.join(" and ")) }
    }
}

impl Together {
    /// In a sentence without its end. Names in it are the attacker's: whoever shows it escapes it.
    #[must_use]
    pub fn text(&self) -> String {
        let mut parts = Vec::new();
        if !self.newly.is_empty() {
            parts.push(format!("newly: {}", listed(&self.newly)));
        }
        if !self.hosts.is_empty() {
            parts.push(format!("names {}", self.hosts.join(" and ")));
        }
        if !self.other.is_empty() {
            parts.push(format!("with something else than before: {}", listed(&self.other)));
        }
        format!("{} {}", self.subject(), parts.join("; "))
    }

    /// Which code it is.
    fn subject(&self) -> String {
        let Some(Function { name, how, .. }) = &self.function else {
            return "code outside functions".to_owned();
        };
        let how = match how {
            FunctionChange::Added => "new",
            FunctionChange::Changed | FunctionChange::Removed | FunctionChange::Moved => "changed",
        };
        let called = match name.strip_prefix(Function::HANDED).and_then(|name| name.strip_suffix(')')) {
            Some(to) => format!(", handed to `{to}`"),
            None if &**name == Function::ANONYMOUS => " without a name,".to_owned(),
            None => format!(", `{name}`"),
        };
        let lines = match self.last_line {
            last if last > self.line => format!("lines {}–{last}", self.line),
            _ => format!("line {}", self.line),
        };
        format!("one {how} function{called} at {lines},")
    }

    /// The kinds of what is done, and then the things: what has more of them comes first.
    fn weight(&self) -> (usize, usize) {
        let all: BTreeSet<_> = self.newly.iter().chain(&self.other).map(|deed| deed.capability).collect();
        let groups: BTreeSet<_> = all.iter().map(|capability| capability.group()).collect();
        (groups.len(), all.len())
    }
}

fn listed(deeds: &[Deed]) -> String {
    let mut texts: Vec<_> = deeds.iter().take(NAMED).map(Deed::text).collect();
    let more = deeds.len().saturating_sub(NAMED);
    if more > 0 {
        texts.push(format!("and {more} more"));
    }
    texts.join("; ")
}

/// Code of which it is said what it does.
#[derive(Default)]
struct Code<'s> {
    /// Functions of which this is part: those without a name of their own that stand in it.
    starts: BTreeSet<Option<u32>>,
    uses: BTreeMap<Capability, Vec<&'s Use>>,
    /// What the script does at no more places than before: it may stand in a function that could not be paired.
    known: BTreeSet<Capability>,
}

/// Says it of those that do several different things.
pub(crate) fn together(
    functions: &Functions<'_>,
    (old, new): (&Seen, &Seen),
    skeletons: (&Skeleton, &Skeleton),
    facts: &[(Fact, Vec<&Use>)],
    hosts: &[Host],
) -> Vec<Together> {
    if facts.len() < 2 {
        return Vec::new();
    }
    let now = Side::of(skeletons.1, &functions.added, functions.changed.iter().map(|(_, new)| *new));
    let mut codes: BTreeMap<Option<u32>, Code<'_>> = BTreeMap::new();
    for (fact, uses) in facts {
        for used in uses {
            let Some(code) = now.code_of(used.function) else { continue };
            let code = codes.entry(code).or_default();
            code.starts.insert(used.function);
            code.uses.entry(fact.capability).or_default().push(used);
            if fact.novelty() == Novelty::Other {
                code.known.insert(fact.capability);
            }
        }
    }
    codes.retain(|_, code| code.uses.len() > 1);
    if codes.is_empty() {
        return Vec::new();
    }
    let more = More::of(functions, (old, new), skeletons.0, &now);
    let said = codes.iter().map(|(start, code)| (code, of_code(*start, code, &more, hosts)));
    // What is done with something else alone is nothing new, unless it goes to a new host.
    let is_new =
        |said: &Together| !said.newly.is_empty() || said.other.iter().any(|deed| !deed.to.is_empty());
    let mut all: Vec<_> = said.filter(|(_, said)| is_new(said)).collect();
    all.sort_by_key(|(_, said)| (std::cmp::Reverse(said.weight()), said.line));
    all.truncate(TOGETHER);
    let named = all.into_iter().map(|(code, mut said)| {
        said.hosts = named_in(code, &said, new, hosts);
        said
    });
    named.collect()
}

fn of_code(start: Option<u32>, code: &Code<'_>, more: &More<'_>, hosts: &[Host]) -> Together {
    let (mut newly, mut other) = (Vec::new(), Vec::new());
    let own = start.and_then(|_| more.new.all.get(&start));
    let is_added = more.new.is_added(start);
    for (capability, uses) in &code.uses {
        let to =
            uses.iter().flat_map(|used| &used.to).filter(|to| hosts.iter().any(|host| host.host == **to));
        let to: BTreeSet<_> = to.collect();
        let deed = Deed { capability: *capability, to: to.into_iter().take(HOSTS).cloned().collect() };
        let is_newly_done = !code.known.contains(capability) && more.is_done_more(start, *capability);
        let deeds = if is_newly_done { &mut newly } else { &mut other };
        deeds.push(deed);
    }
    for deeds in [&mut newly, &mut other] {
        deeds.sort_by_key(|deed| (place(deed.capability.group()), deed.capability));
    }
    let how = if is_added { FunctionChange::Added } else { FunctionChange::Changed };
    let function = own.map(|own| {
        let function = function(own, how);
        Function { name: bounded(&function.name, NAME), ..function }
    });
    let lines = || code.uses.values().flatten().map(|used| used.site.line);
    let (first, last) = (lines().min().unwrap_or_default(), lines().max().unwrap_or_default());
    let (line, last_line) = own.filter(|_| is_added).map_or((first, last), |own| (own.line, own.last_line));
    Together { function, line, last_line, newly, other, hosts: Vec::new() }
}

/// What is taken is said before what is done with it, and where it goes at the end.
fn place(group: Group) -> usize {
    match group {
        Group::Data => 0,
        Group::Environment => 1,
        Group::Obfuscation => 2,
        Group::Code => 3,
        Group::Network => 4,
    }
}

/// New hosts in the texts of a function, but for those that are said already.
fn named_in(code: &Code<'_>, said: &Together, new: &Seen, hosts: &[Host]) -> Vec<Box<str>> {
    let mut named = Vec::new();
    let is_said =
        |host: &str| said.newly.iter().chain(&said.other).flat_map(|deed| &deed.to).any(|to| &**to == host);
    let is_new = |host: &str| hosts.iter().any(|new| &*new.host == host);
    for Held { text, .. } in new.texts.iter().filter(|held| code.starts.contains(&held.function)) {
        for found in hosts_in(text) {
            let host: Box<str> = found.host.into();
            if is_new(&host) && !is_said(&host) && !named.contains(&host) {
                named.push(host);
            }
            if named.len() >= HOSTS {
                return named;
            }
        }
    }
    named
}

/// The functions of one version, and which of them are new (of the reviewed one: gone) or changed.
struct Side<'s> {
    all: HashMap<Option<u32>, &'s Own>,
    /// Whether it is new and not only changed.
    others: HashMap<Option<u32>, bool>,
}

impl<'s> Side<'s> {
    fn of(skeleton: &'s Skeleton, added: &[&Own], changed: impl Iterator<Item = &'s Own>) -> Self {
        let all = skeleton.functions.iter().map(|own| (own.start, own)).collect();
        let added = added.iter().map(|own| (own.start, true));
        Self { all, others: changed.map(|own| (own.start, false)).chain(added).collect() }
    }

    fn is_added(&self, start: Option<u32>) -> bool {
        self.others.get(&start).copied().unwrap_or_default()
    }

    /// Which new or changed function a function is part of: the innermost, where one that is new and has no name of its own
    /// belongs to the one that it stands in.
    fn code_of(&self, mut start: Option<u32>) -> Option<Option<u32>> {
        loop {
            let own = self.all.get(&start)?;
            let is_other = self.others.contains_key(&start);
            let is_part = self.is_added(start)
                && own.is_nameless()
                && own.around.is_some()
                && self.others.contains_key(&own.around);
            if is_other && !is_part {
                return Some(start);
            }
            start?;
            start = own.around;
        }
    }
}

/// How often something is done in each function, by where that begins.
type Counts = HashMap<(Option<u32>, Capability), usize>;

fn counts(side: &Side<'_>, seen: &Seen) -> Counts {
    let mut counts = Counts::new();
    for (capability, uses) in &seen.uses {
        for code in uses.iter().filter_map(|used| side.code_of(used.function)) {
            *counts.entry((code, *capability)).or_default() += 1;
        }
    }
    counts
}

/// Where something is done more often than before, by where the function of the new version begins.
struct More<'f> {
    before: Counts,
    now: Counts,
    was: HashMap<Option<u32>, Option<u32>>,
    new: &'f Side<'f>,
}

impl<'f> More<'f> {
    fn of(
        functions: &Functions<'_>,
        (old, new): (&Seen, &Seen),
        skeleton: &Skeleton,
        now: &'f Side<'f>,
    ) -> Self {
        let was = functions.changed.iter().map(|(old, new)| (new.start, old.start)).collect();
        let before = Side::of(skeleton, &functions.removed, functions.changed.iter().map(|(old, _)| *old));
        Self { before: counts(&before, old), now: counts(now, new), was, new: now }
    }

    fn is_done_more(&self, start: Option<u32>, capability: Capability) -> bool {
        let count = |counts: &Counts, start| counts.get(&(start, capability)).copied().unwrap_or_default();
        let before = self.was.get(&start).map_or(0, |was| count(&self.before, *was));
        self.new.is_added(start) || count(&self.now, start) > before
    }
}
