//! Programs, archives, modules, documents: whatever two bodies hold, the analysis ends, within bounds, and says the same again.
//!
//! The input is a byte that says where the first body ends, and two bodies: the first is the second one too, up to there.

#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use pinfold_triage::{Change, Findings, Limits, NAMED, NotAnalysed, compare};

/// Small, so that inputs of a few KiB reach each of them.
const LIMITS: Limits = Limits {
    size: 64 << 10,
    body: 1 << 20,
    member: 256 << 10,
    unpacked: 1 << 20,
    ratio: 200,
    members: 200,
    layers: 3,
    depth: 500,
    deadline: None,
};

fuzz_target!(|data: &[u8]| {
    let Some((cut, new)) = data.split_first() else { return };
    let old = changed(new, usize::from(*cut));
    let limits = LIMITS.until(Instant::now() + Duration::from_secs(20));
    let findings = compare(Some(&old), new, limits, &|_| None);
    assert_eq!(findings.change == Change::Same, old == new);
    bounded(&findings, 0);
    assert_eq!(compare(Some(&old), new, limits, &|_| None), findings, "it says something else");
    bounded(&compare(None, new, limits, &|_| None), 0);
    no_news_of_itself(new, limits);
});

/// The same body with one of its bytes changed, or cut off.
fn changed(new: &[u8], cut: usize) -> Vec<u8> {
    let mut old = new.to_vec();
    let at = cut * old.len().max(1) / 256;
    if cut.is_multiple_of(2) {
        old.truncate(at);
    } else if let Some(byte) = old.get_mut(at) {
        *byte ^= 1;
    }
    old
}

fn bounded(findings: &Findings, layer: usize) {
    assert_ne!(findings.not_analysed, Some(NotAnalysed::Failed), "a reader gave up");
    assert_ne!(findings.not_analysed, Some(NotAnalysed::TimeOver));
    assert!(layer <= LIMITS.layers, "too deep");
    let Some(contents) = &findings.contents else { return };
    assert!(
        contents.members.len() <= NAMED
            && contents.sections.len() <= NAMED
            && contents.oddities.len() <= NAMED
    );
    for names in &contents.names {
        assert!(names.added.len() <= names.added_count && names.removed.len() <= names.removed_count);
    }
    for member in &contents.members {
        assert!(member.reviewed != member.new || member.new.as_ref().is_some_and(|new| new.digest.is_none()));
        member.findings.iter().for_each(|inner| bounded(inner, layer + 1));
    }
}

/// What stands in both bodies is no news: a line end more names no host, unless it makes members of what were none.
fn no_news_of_itself(new: &[u8], limits: Limits) {
    let more = [new, b"\n"].concat();
    let findings = compare(Some(new), &more, limits, &|_| None);
    let Some(contents) = &findings.contents else { return };
    let is_alike = contents.reviewed_format == Some(contents.format) && contents.members.is_empty();
    assert!(!is_alike || findings.hosts.is_empty(), "{findings:?}");
}
