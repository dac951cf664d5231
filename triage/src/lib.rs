//! What a changed script, program or archive newly does or holds: facts for a reviewer, and never a verdict.
//!
//! [`compare()`] takes two versions of a body. What it is, is read off its bytes (`format`, `body`): programs, archives with
//! their members, modules and documents have [`Contents`], and whatever could be a script is read as one too. Of a script it goes from cheap to expensive: the same bytes, the same but for comments, for
//! local names, for literals; then which functions are others, which capabilities and hosts are new, and a diff of both
//! versions in one format. Every fact has the line of the formatted new version where it can be seen.
//!
//! Nothing is run. Names and hosts that are put together are worked out (`fold`, `run`), so that
//! `self["fe" + "tch"](atob("…"))` is a `fetch` from that host.
//!
//! The input is the attacker's. It is bounded by [`Limits`]; the parser and all that walks its tree runs on a stack that holds
//! the deepest input that is let through (`nesting`), and a fault there ends the analysis and nothing else. What is found is
//! text of the attacker too: it is bounded, and whoever shows it escapes it.

mod apart;
mod archive;
mod banner;
mod bindings;
mod body;
mod builtins;
mod capability;
mod contents;
mod difference;
mod document;
mod findings;
mod fold;
mod format;
mod functions;
mod guard;
mod hidden;
mod hosts;
mod limits;
mod lines;
mod locals;
mod look;
mod manifest;
mod measures;
mod meter;
mod nesting;
mod octets;
mod operators;
mod origins;
mod program;
mod renames;
mod run;
mod script;
mod skeleton;
mod strings;
mod threads;
mod together;
mod value;
mod versions;
mod wasm;
mod words;

pub use capability::{Capability, Group};
pub use contents::{
    Contents, Format, InstallScript, Member, MemberCounts, MemberFacts, NAMED, Names, Oddity, OddityKind,
    Property, Section, SectionFacts, Signature, SignerChange, Signing,
};
pub use difference::{DifferenceAsked, Whole};
pub use findings::{
    Change, Diff, DiffLine, Elsewhere, Fact, Findings, Fold, Function, FunctionChange, FunctionCounts, Host,
    Hunk, LISTED, Literal, Loss, Mark, Measure, NotAnalysed, Novelty, OtherOrigin, SHOWN, SITES, SaidVersion,
    Site, TOGETHER,
};
pub use guard::Guard;
pub use limits::Limits;
pub use renames::{Comparing, Renamed};
pub use script::as_text;
pub use together::{Deed, Together};
pub use words::differing_words;

use crate::meter::Meter;
use crate::threads::on_own_stack;
use crate::versions::Versions;

/// Says what a new version of a body does or holds that the reviewed one did not. Without a reviewed one, all that it does.
/// `imitates` says whose name a host imitates, if it does. Lines that differ by names of local variables alone are left out of
/// the difference, and counted.
#[must_use]
pub fn compare(
    reviewed: Option<&[u8]>,
    new: &[u8],
    limits: Limits,
    imitates: &dyn Fn(&str) -> Option<String>,
) -> Findings {
    compare_by(DifferenceAsked::default(), reviewed, new, limits, imitates)
}

/// The same, with what of the difference is asked for.
#[must_use]
pub fn compare_by(
    asked: DifferenceAsked,
    reviewed: Option<&[u8]>,
    new: &[u8],
    limits: Limits,
    imitates: &dyn Fn(&str) -> Option<String>,
) -> Findings {
    if reviewed == Some(new) {
        return Findings { change: Change::Same, ..Findings::default() };
    }
    let mut meter = Meter::of(limits, asked);
    let found = on_own_stack(|| body::look_into(reviewed, new, &mut meter, 0));
    let mut findings =
        found.unwrap_or_else(|| Versions { reviewed, new, limits, asked }.in_bytes(NotAnalysed::Failed));
    mark_imitations(&mut findings, imitates);
    findings
}

/// In members too, which lie no deeper than the limit.
fn mark_imitations(findings: &mut Findings, imitates: &dyn Fn(&str) -> Option<String>) {
    for host in &mut findings.hosts {
        host.imitates = imitates(&host.host).map(Into::into);
    }
    let members = findings.contents.iter_mut().flat_map(|contents| &mut contents.members);
    for inner in members.filter_map(|member| member.findings.as_mut()) {
        mark_imitations(inner, imitates);
    }
}

#[cfg(test)]
mod tests;
