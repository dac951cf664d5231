//! Two versions side by side.

use std::cell::LazyCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use oxc_span::{SourceType, Span};

use crate::apart::{Apart, Read};
use crate::banner::{version_in_texts, version_said};
use crate::capability::{Capability, Group};
use crate::difference::{Aligned, DifferenceAsked, Whole, excerpts};
use crate::findings::{Change, Diff, Fact, Findings, Host, LISTED, NotAnalysed, SHOWN, SaidVersion, bounded};
use crate::functions::{Functions, functions, literals};
use crate::guard::losses;
use crate::hosts::{domain_of, hosts_in, in_urls, is_of_host};
use crate::limits::Limits;
use crate::lines::Lines;
use crate::locals::Locals;
use crate::look::{Held, Seen, Use, look, sites, without_equal};
use crate::measures::{Measured, measure, measures};
use crate::renames::{Comparing, Lined};
use crate::script;
use crate::skeleton::{Skeleton, skeleton};
use crate::strings::new_hosts;
use crate::threads::both;
use crate::together::together;

/// What is compared.
#[derive(Clone, Copy)]
pub(crate) struct Versions<'v> {
    pub(crate) reviewed: Option<&'v [u8]>,
    pub(crate) new: &'v [u8],
    pub(crate) limits: Limits,
    /// What of the difference is told.
    pub(crate) asked: DifferenceAsked,
}

/// The texts of both, as they came.
#[derive(Clone, Copy)]
struct Raw<'r> {
    new: &'r str,
    reviewed: Option<&'r str>,
}

/// One version, read.
struct Version {
    formatted: String,
    skeleton: Skeleton,
    seen: Seen,
    measured: Measured,
    locals: Locals,
}

impl Version {
    fn lined(&self) -> Lined<'_> {
        Lined::of(&self.formatted, &self.locals)
    }

    /// The first and the last line of all of weight that it does.
    fn done(&self) -> Vec<(usize, usize)> {
        let lines = Lines::of(&self.formatted);
        let of_weight = self.seen.uses.iter().filter(|(capability, _)| capability.has_weight());
        let stand = of_weight.flat_map(|(_, uses)| uses).filter_map(|used| used.at.as_ref());
        let all = stand.flat_map(|at| at.all.iter().copied().chain([Span::empty(at.start)]));
        all.map(|all| (lines.line(all.start), lines.line(all.end))).collect()
    }

    fn read_again(&self) -> Read<'_> {
        Read::of(&self.formatted, &self.locals, &self.seen)
    }
}

impl Raw<'_> {
    /// Where one of them is no longer, it is read before a thread has begun.
    const SHORT: usize = 16 << 10;

    /// Both at once, unless there is little to do. `None` where there is no room for it.
    fn both<A, B: Send>(
        self,
        new: impl FnOnce() -> A,
        reviewed: impl FnOnce() -> B + Send,
    ) -> Option<(A, B)> {
        let shorter = self.reviewed.unwrap_or_default().len().min(self.new.len());
        if shorter > Self::SHORT { both(new, reviewed) } else { Some((new(), reviewed())) }
    }
}

impl Versions<'_> {
    /// All that can be said.
    pub(crate) fn compared(&self) -> Findings {
        let new = script::text_of(self.new);
        let reviewed = self.reviewed.map(script::text_of);
        let raw = Raw { new: &new, reviewed: reviewed.as_deref() };
        let formatted = |text| script::formatted(text, &self.limits);
        let formatted = raw.both(|| formatted(raw.new), || raw.reviewed.map(formatted));
        let (new_formatted, old) = match formatted {
            Some((Ok(new), old)) => (new, old),
            Some((Err(why), _)) => return self.in_bytes(why),
            None => return self.in_bytes(NotAnalysed::Failed),
        };
        let version = SaidVersion::of(raw.reviewed.and_then(version_said), version_said(raw.new));
        if let Some(Ok((old_text, _))) = &old
            && *old_text == new_formatted.0
        {
            return Findings { change: Change::Trivia, version, ..Findings::default() };
        }
        let read_old = || Some(old?.and_then(|old| self.read(raw.reviewed.unwrap_or_default(), old)));
        let (new_version, old) = match raw.both(|| self.read(raw.new, new_formatted), read_old) {
            Some((Ok(new), old)) => (new, old),
            Some((Err(why), _)) => return self.in_bytes(why),
            None => return self.in_bytes(NotAnalysed::Failed),
        };
        let (change, old, unread) = match old {
            None => (Change::New, None, None),
            Some(Ok(old)) => (change(&old.skeleton, &new_version.skeleton), Some(old), None),
            Some(Err(why)) => (Change::Unknown, None, Some(NotAnalysed::Reviewed(Box::new(why)))),
        };
        let (mut found, aligned) = findings(change, old.as_ref(), &new_version, raw, self);
        found.not_analysed = found.not_analysed.or(unread);
        let in_texts = || version_in_texts(&old.as_ref()?.skeleton, &new_version.skeleton);
        found.version = version.or_else(in_texts);
        if let (Some(aligned), Some(old)) = (aligned.filter(|_| found.diff.parts.len() > 1), old) {
            let [old, new] = [old, new_version].map(|version| (version.formatted, version.locals));
            found.whole = Some(Arc::new(Whole::of(old, new, aligned)));
        }
        found
    }

    /// How the lines of both lie beside each other, if that is asked for, and the part of the difference that is.
    fn difference(&self, old: &Version, new: &Version) -> Option<(Aligned, Diff)> {
        let aligned = match self.asked.comparing {
            Comparing::ButNames => Aligned::but_names,
            Comparing::ToTheLetter => Aligned::to_the_letter,
            Comparing::NoLines => return None,
        };
        let done = new.done();
        let (old, new) = (old.lined(), new.lined());
        let aligned = aligned(&old, &new, &self.limits).with_done(done);
        let diff = aligned.part(&old, &new, self.asked.part);
        Some((aligned, diff))
    }

    fn read(&self, raw: &str, (text, source_type): (String, SourceType)) -> Result<Version, NotAnalysed> {
        let read = script::with_tree(&text, source_type, |semantic| {
            let locals = Locals::of(semantic);
            let seen = look(&text, semantic, &locals, &self.limits);
            (skeleton(&text, semantic, &locals), seen, measure(raw, semantic), locals)
        });
        read.map(|(skeleton, seen, measured, locals)| Version {
            formatted: text,
            skeleton,
            seen,
            measured,
            locals,
        })
    }

    /// What can be said of bytes that are not read as a script: the hosts in them.
    pub(crate) fn in_bytes(&self, why: NotAnalysed) -> Findings {
        let in_time = |_: &_| !self.limits.is_over();
        let mut found = Hosts::default();
        // Names beyond ASCII stand in UTF-8 alone.
        let known = self.reviewed.map(script::text_of).unwrap_or_default();
        let known: HashSet<_> = in_urls(&known).take_while(in_time).map(|named| named.host).collect();
        let text = script::text_of(self.new);
        let beyond = in_urls(&text).take_while(in_time);
        let beyond = beyond.filter(|named| !named.host.is_ascii() && !known.contains(&named.host));
        for named in new_hosts(self.reviewed, self.new).named.into_iter().chain(beyond) {
            found.add(None, named.host, named.url, false);
        }
        let change = if self.reviewed.is_some() { Change::Unknown } else { Change::New };
        Findings { change, not_analysed: Some(why), hosts: found.listed(), ..Findings::default() }
    }
}

fn change(old: &Skeleton, new: &Skeleton) -> Change {
    if old.named == new.named {
        Change::Names
    } else if old.blank == new.blank {
        Change::Data
    } else {
        Change::Code
    }
}

fn findings(
    change: Change,
    old: Option<&Version>,
    new: &Version,
    raw: Raw<'_>,
    versions: &Versions<'_>,
) -> (Findings, Option<Aligned>) {
    let Versions { limits, asked, .. } = versions;
    let cut_short = new.seen.cut_short.clone().or_else(|| old.and_then(|old| old.seen.cut_short.clone()));
    let skeletons = old.map(|old| (&old.skeleton, &new.skeleton));
    let apart = LazyCell::new(|| old.map(|old| Apart::of(old.read_again(), new.read_again())));
    let mut found = facts(old, new, &apart);
    let losses =
        old.zip(apart.as_ref()).map(|(old, apart)| losses(&old.seen.guards, &new.seen.guards, apart));
    let losses = losses.unwrap_or_default();
    let (hosts, is_over) = hosts(old.map(|old| &old.seen), &new.seen, raw, limits);
    let too_much = hosts.is_full().then_some(NotAnalysed::TooMuch);
    let mut hosts = hosts.listed();
    // A message to an origin that it names is as it has to be, unless nobody knows that origin.
    found.retain(|(fact, uses)| {
        let is_new = |to: &str| hosts.iter().any(|host| &*host.host == to);
        fact.capability != Capability::PostMessage
            || uses.iter().flat_map(|used| &used.to).any(|to| is_new(to))
    });
    quote(&mut hosts, &new.formatted);
    say_what_goes_there(&mut hosts, &new.seen);
    let side_by_side = skeletons.map(|(old, new)| functions(old, new));
    let together = match (&side_by_side, old) {
        (Some(functions), Some(old)) => {
            let skeletons = (&old.skeleton, &new.skeleton);
            together(functions, (&old.seen, &new.seen), skeletons, &found, &hosts)
        }
        (_, _) => Vec::new(),
    };
    let facts: Vec<_> = found.into_iter().map(|(fact, _)| fact).collect();
    let (aligned, diff) = match old {
        Some(old) => versions.difference(old, new).unzip(),
        None if asked.comparing == Comparing::NoLines => (None, None),
        None => {
            let sites = facts.iter().flat_map(|fact: &Fact| &fact.sites).map(|site| site.line);
            let hosts = hosts.iter().filter_map(|host| host.line);
            (None, Some(excerpts(&new.formatted, sites.chain(hosts))))
        }
    };
    let (functions, function_counts) =
        side_by_side.map(|Functions { listed, counts, .. }| (listed, counts)).unwrap_or_default();
    let found = Findings {
        change,
        not_analysed: cut_short.or(is_over.then_some(NotAnalysed::TimeOver)).or(too_much),
        version: None,
        together,
        facts,
        losses,
        hosts,
        functions,
        function_counts,
        literals: match (change, skeletons) {
            (Change::Data, Some((old, new))) => literals(old, new),
            _ => Vec::new(),
        },
        measures: measures(old.map(|old| old.measured), new.measured),
        diff: diff.unwrap_or_default(),
        whole: None,
        contents: None,
    };
    (found, aligned)
}

/// What is done at more places than before, or with something else.
fn facts<'s>(
    old: Option<&'s Version>,
    new: &'s Version,
    apart: &LazyCell<Option<Apart<'s>>, impl FnOnce() -> Option<Apart<'s>>>,
) -> Vec<(Fact, Vec<&'s Use>)> {
    let before = |capability: &Capability| {
        old.and_then(|old| old.seen.uses.get(capability)).map(Vec::as_slice).unwrap_or_default()
    };
    let by_capability: BTreeMap<_, _> = new.seen.uses.iter().collect();
    let each = by_capability
        .into_iter()
        .map(|(capability, uses)| fact(*capability, (before(capability), uses), apart));
    let mut facts: Vec<_> = each.flatten().collect();
    facts.sort_by_key(|(fact, _)| (fact.capability.group(), fact.reviewed > 0, fact.capability));
    facts
}

/// With the places that it is about.
fn fact<'s>(
    capability: Capability,
    (before, uses): (&'s [Use], &'s [Use]),
    apart: &LazyCell<Option<Apart<'s>>, impl FnOnce() -> Option<Apart<'s>>>,
) -> Option<(Fact, Vec<&'s Use>)> {
    let count = |uses: &[Use]| uses.iter().filter(|one| !one.is_later).count();
    let (reviewed, new) = (count(before), count(uses));
    let (gone, others) = without_equal(before, uses);
    // What is given later to what nobody has named is no fact of its own.
    (new > reviewed || (new > 0 && !others.is_empty())).then(|| {
        let (sites, gone) = match (gone.is_empty(), &**apart) {
            (false, Some(apart)) => apart.sites(&gone, &others),
            (_, _) => (sites(&others), sites(&gone)),
        };
        (Fact { capability, reviewed, new, others: others.len(), sites, gone }, others)
    })
}

/// By what each host is reached: what is given to the network, or the origin that a message goes to, names it, or else stands on the line that does.
fn say_what_goes_there(hosts: &mut [Host], new: &Seen) {
    if hosts.is_empty() {
        return;
    }
    let (mut by_name, mut by_line) = (HashMap::new(), HashMap::new());
    let by_capability: BTreeMap<_, _> = new.uses.iter().collect();
    let sends = |capability: Capability| {
        capability.group() == Group::Network || capability == Capability::PostMessage
    };
    let sending = by_capability.into_iter().filter(|(capability, _)| sends(**capability));
    for (capability, used) in
        sending.flat_map(|(capability, uses)| uses.iter().map(|used| (*capability, used)))
    {
        if capability != Capability::PostMessage {
            by_line.entry(used.site.line).or_insert(capability);
        }
        for host in &used.to {
            by_name.entry(&**host).or_insert(capability);
        }
    }
    for host in hosts {
        let on_line = host.line.and_then(|line| by_line.get(&line));
        host.reached_by = by_name.get(&*host.host).or(on_line).copied();
    }
}

/// Hosts that only the new version names, and whether the time was over before all of them were looked at.
fn hosts(
    old: Option<&Seen>,
    new: &Seen,
    Raw { new: raw, reviewed }: Raw<'_>,
    limits: &Limits,
) -> (Hosts, bool) {
    let old_texts = old.into_iter().flat_map(|old| &old.texts);
    let mut known: HashSet<String> =
        old_texts.flat_map(|held| hosts_in(&held.text)).map(|named| named.host).collect();
    // Where the reviewed version could not be read, what stands in its bytes is known all the same.
    known.extend(reviewed.into_iter().flat_map(in_urls).map(|named| named.host));
    let raw = raw.to_lowercase();
    // Of most versions there is no new host to look for in them.
    let in_sight = LazyCell::new(|| raw.split(|char| !is_of_host(char)).collect::<HashSet<_>>());
    let mut found = Hosts::default();
    for Held { line, text, .. } in &new.texts {
        for named in hosts_in(text) {
            if !known.contains(&named.host) {
                // As many as are listed are looked for however little time is left: whoever uses it up hides none of these.
                if found.is_full() && limits.is_over() {
                    return (found, true);
                }
                let hidden = !in_sight.contains(&*named.host);
                found.add(Some(*line), named.host, named.url, hidden);
            }
        }
    }
    if new.cut_short.is_some() {
        // What was not read to its end hides none that stand in its bytes.
        for named in new_hosts(reviewed.map(str::as_bytes), raw.as_bytes()).named {
            found.add(None, named.host, named.url, false);
        }
    }
    found.confirm_hidden(&raw);
    (found, false)
}

/// Says what stands in the line that names each.
fn quote(hosts: &mut [Host], formatted: &str) {
    if hosts.is_empty() {
        return;
    }
    let lines = Lines::of(formatted);
    for host in hosts {
        host.excerpt = host.line.map(|line| lines.around(line, &host.host));
    }
}

/// Hosts as they are found, each once.
#[derive(Default)]
pub(crate) struct Hosts {
    found: Vec<Host>,
    places: HashMap<String, usize>,
}

impl Hosts {
    /// URLs of one host that are listed.
    const URLS: usize = 5;

    pub(crate) fn add(&mut self, line: Option<usize>, host: String, url: String, hidden: bool) {
        let url = bounded(&url, SHOWN);
        let at = *self.places.entry(host.clone()).or_insert(self.found.len());
        match self.found.get_mut(at) {
            Some(known) => {
                if known.urls.len() < Self::URLS && !known.urls.contains(&url) {
                    known.urls.push(url);
                }
            }
            None => {
                let domain = domain_of(&host).into();
                self.found.push(Host {
                    host: host.into(),
                    domain,
                    urls: vec![url],
                    line,
                    excerpt: None,
                    hidden,
                    imitates: None,
                    reached_by: None,
                });
            }
        }
    }

    /// Whether there are more than are listed.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() > LISTED
    }

    /// What is part of a longer word stands there too. Only what may be listed is looked for.
    fn confirm_hidden(&mut self, raw: &str) {
        for host in self.found.iter_mut().filter(|host| host.hidden).take(LISTED) {
            host.hidden = !raw.contains(&*host.host);
        }
    }

    /// Takes one that was found inside.
    pub(crate) fn take(&mut self, host: &Host) {
        if self.places.contains_key(&*host.host) {
            return;
        }
        self.places.insert(host.host.clone().into(), self.found.len());
        self.found.push(host.clone());
    }

    /// Those of one domain together, what is hidden first.
    pub(crate) fn listed(mut self) -> Vec<Host> {
        // Whoever names many in plain sight does not push out the one that is hidden.
        self.found.sort_by_key(|host| !host.hidden);
        self.found.truncate(LISTED);
        let mut hidden: HashSet<Box<str>> = HashSet::new();
        hidden.extend(self.found.iter().filter(|host| host.hidden).map(|host| host.domain.clone()));
        self.found.sort_by(|a, b| {
            let key = |host: &Host| (!hidden.contains(&host.domain), host.domain.clone(), host.host.clone());
            key(a).cmp(&key(b))
        });
        self.found
    }
}
