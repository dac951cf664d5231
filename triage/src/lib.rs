//! What a changed script newly does: facts for a reviewer, and never a verdict.
//!
//! [`compare()`] takes two versions of a script and goes from cheap to expensive: the same bytes, the same but for comments, for
//! local names, for literals; then which functions are others, which capabilities and hosts are new, and a diff of both
//! versions in one format. Every fact has the line of the formatted new version where it can be seen.
//!
//! Nothing is run. Names and hosts that are put together are worked out (`fold`, `run`), so that
//! `self["fe" + "tch"](atob("…"))` is a `fetch` from that host.
//!
//! The input is the attacker's. It is bounded by [`Limits`]; the parser and all that walks its tree runs on a stack that holds
//! the deepest input that is let through (`nesting`), and a fault there ends the analysis and nothing else. What is found is
//! text of the attacker too: it is bounded, and whoever shows it escapes it.

mod bindings;
mod builtins;
mod capability;
mod difference;
mod findings;
mod fold;
mod functions;
mod hidden;
mod hosts;
mod limits;
mod lines;
mod look;
mod measures;
mod nesting;
mod operators;
mod run;
mod script;
mod skeleton;
mod value;
mod versions;

pub use capability::{Capability, Group};
pub use findings::{
    Change, Diff, Fact, Findings, Fold, Function, FunctionChange, Host, Hunk, LISTED, Literal, Mark, Measure,
    NotAnalysed, SHOWN, SITES, Site,
};
pub use limits::Limits;

use crate::versions::Versions;

/// Holds what nests as deeply as the limit allows, with room to spare; only what is used of it takes memory.
const STACK: usize = 256 << 20;

/// Says what a new version of a script does that the reviewed one did not. Without a reviewed one, all that it does.
/// `imitates` says whose name a host imitates, if it does.
#[must_use]
pub fn compare(
    reviewed: Option<&[u8]>,
    new: &[u8],
    limits: Limits,
    imitates: &dyn Fn(&str) -> Option<String>,
) -> Findings {
    if reviewed == Some(new) {
        return Findings { change: Change::Same, ..Findings::default() };
    }
    let versions = Versions { reviewed, new, limits };
    let too_large = [reviewed, Some(new)].into_iter().flatten().any(|side| side.len() > limits.size);
    let mut findings = if too_large {
        versions.in_bytes(NotAnalysed::TooLarge { limit: limits.size })
    } else {
        on_own_stack(|| versions.compared()).unwrap_or_else(|| versions.in_bytes(NotAnalysed::Failed))
    };
    for host in &mut findings.hosts {
        host.imitates = imitates(&host.host).map(Into::into);
    }
    findings
}

/// `None` where there is no room for the stack, or where the parser found a fault in itself.
fn on_own_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("triage".to_owned()).stack_size(STACK);
        thread.spawn_scoped(scope, work).ok()?.join().ok()
    })
}

#[cfg(test)]
mod tests;
