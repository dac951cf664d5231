//! Ways by which something else comes into a use that stayed, without a word of the use or of what it names being another.

use pinfold_triage::{Capability, Fact, Limits, compare};

fn html(old: &str, new: &str) -> Vec<Fact> {
    let findings = compare(Some(old.as_bytes()), new.as_bytes(), Limits::default(), &|_| None);
    assert_eq!(findings.not_analysed, None, "{new}");
    findings.facts.into_iter().filter(|fact| fact.capability == Capability::Html).collect()
}

/// Each use reads the whole list: it is read once for all of them.
#[test]
fn a_list_of_many_members_that_is_handed_to_many_uses() {
    let script = |word: &str| {
        let members: Vec<_> = (0..30_000).map(|at| format!("cfg.part{at}")).collect();
        let uses: String = (0..2000).map(|at| format!("el.innerHTML = f(list, {at});\n")).collect();
        format!("(function (cfg) {{ var list = [{}, cfg.{word}]; {uses} }})(page)", members.join(", "))
    };
    let facts = html(&script("first"), &script("second"));
    assert_eq!(facts.first().map(|fact| fact.others), Some(2000));
    assert_eq!(html(&script("first"), &format!("one(); {}", script("first"))), []);
}
