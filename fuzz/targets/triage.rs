//! Scripts: whatever two bodies hold, the analysis ends, names only lines that are there, and says the same again.
//!
//! The input is two scripts, with a NUL between them.

#![no_main]

use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use pinfold_triage::{Change, Findings, Limits, NotAnalysed, compare};

fuzz_target!(|data: &[u8]| {
    let at = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (old, new) = (&data[..at], data.get(at + 1..).unwrap_or_default());
    let patient = Limits::default().until(Instant::now() + Duration::from_secs(20));
    let findings = compare(Some(old), new, patient, &|_| None);
    bounded(&findings);
    assert_eq!(findings.change == Change::Same, old == new);
    same_again(old, new, patient, &findings);
    no_news_of_itself(new, patient);
    comments_are_trivia(new, patient);
});

fn bounded(findings: &Findings) {
    assert_ne!(findings.not_analysed, Some(NotAnalysed::Failed), "the parser or its stack gave up");
    assert_ne!(findings.not_analysed, Some(NotAnalysed::TimeOver));
    for fact in &findings.facts {
        assert!(fact.new > fact.reviewed || (fact.new > 0 && fact.others > 0));
        assert!(!fact.sites.is_empty() && fact.sites.len() <= pinfold_triage::SITES);
        assert!(
            fact.sites
                .iter()
                .all(|site| site.line > 0 && site.excerpt.chars().count() <= pinfold_triage::SHOWN + 2)
        );
    }
    assert!(findings.hosts.iter().all(|host| !host.host.is_empty() && host.host.ends_with(&*host.domain)));
}

fn same_again(old: &[u8], new: &[u8], limits: Limits, findings: &Findings) {
    assert_eq!(compare(Some(old), new, limits, &|_| None).facts, findings.facts);
}

/// What is in both versions is no delta.
fn no_news_of_itself(script: &[u8], limits: Limits) {
    let more = [script, b"\n;1;".as_slice()].concat();
    let findings = compare(Some(script), &more, limits, &|_| None);
    if !matches!(findings.change, Change::Unknown | Change::Contents) {
        assert!(findings.facts.is_empty() && findings.hosts.is_empty(), "{findings:?}");
    }
}

/// A comment in front changes nothing, where there is a script at all.
fn comments_are_trivia(script: &[u8], limits: Limits) {
    let commented = [b"/* v2 */".as_slice(), script].concat();
    let findings = compare(Some(script), &commented, limits, &|_| None);
    // What must stand at the very beginning is read otherwise behind a comment.
    let begins = [b"#!".as_slice(), b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"-->"];
    let begins = begins.iter().any(|begin| script.starts_with(begin));
    assert!(
        begins || matches!(findings.change, Change::Trivia | Change::Unknown | Change::Contents),
        "{findings:?}"
    );
}
