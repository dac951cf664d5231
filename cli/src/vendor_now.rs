//! What vendors serve now, as rechecks know it, in words and for programs.

use jiff::Timestamp;
use pinfold_policy::digest::BodyId;
use pinfold_store::sighting::{IN_USE, Standing};
use serde_json::{Value, json};

use crate::words::{counted, minute, second};

/// What a vendor serves at one URL now, in a few words: what differs comes before what cannot be seen.
pub(crate) fn in_short(there: &[&Standing], now: Timestamp) -> String {
    let in_use = || there.iter().filter(|there| now.duration_since(there.asked) <= IN_USE);
    let drifted = in_use().filter(|there| there.is_drift).filter_map(|there| there.run);
    if in_use().any(|there| there.is_drift && there.volatile.is_some()) {
        return "differs each time".to_owned();
    }
    if let Some(since) = drifted.map(|run| run.since).min() {
        return format!("drifted since {}", minute(since));
    }
    if let Some((since, reason)) = in_use().filter_map(|there| there.failing).min_by_key(|(since, _)| *since)
    {
        return format!("unreachable since {}: {reason}", minute(since));
    }
    match (in_use().any(|there| there.run.is_some()), there.is_empty()) {
        (true, _) => "same".to_owned(),
        (false, false) => "not seen lately".to_owned(),
        (false, true) => "-".to_owned(),
    }
}

/// What a vendor serves at one variant of a URL, beside what was asked about.
pub(crate) fn in_full(there: &Standing, about: BodyId) -> String {
    let Some(run) = there.run else { return failing(there).unwrap_or_else(|| "not seen yet".to_owned()) };
    let what = if run.digest == about { "this".to_owned() } else { run.digest.to_string() };
    let (since, last) = (second(run.since), second(run.last));
    let seen = counted(run.sightings, "sighting");
    let mut text = format!("{what}, since {since}; {seen} in a row, the last {last}");
    if let Some(failing) = failing(there) {
        text.push_str(&format!("; {failing}"));
    }
    text
}

fn failing(there: &Standing) -> Option<String> {
    there.failing.map(|(since, reason)| format!("unreachable since {}: {reason}", second(since)))
}

pub(crate) fn as_json(there: &Standing) -> Value {
    json!({
        "subject": &*there.subject,
        "url": &*there.url,
        "asked": there.asked.to_string(),
        "digest": there.run.map(|run| run.digest.to_string()),
        "since": there.run.map(|run| run.since.to_string()),
        "steady_since": there.run.map(|run| run.steady.to_string()),
        "last": there.run.map(|run| run.last.to_string()),
        "sightings": there.run.map(|run| run.sightings),
        "longest_gap_seconds": there.run.map(|run| run.longest_gap.as_secs()),
        "drifted": there.is_drift,
        "unreachable_since": there.failing.map(|(since, _)| since.to_string()),
        "unreachable_because": there.failing.map(|(_, reason)| reason.code()),
        "bodies_only_counted": there.volatile,
    })
}

#[cfg(test)]
mod tests {
    use pinfold_policy::cooldown::Run;
    use pinfold_policy::reason::Reason;

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn there() -> Standing {
        let run = Run::begin(BodyId([1; 32]), time("2026-11-23T10:00:00Z"));
        Standing {
            subject: "https://v.test/a.js".into(),
            url: "https://v.test/a.js?t=1".into(),
            asked: run.since,
            run: Some(run),
            is_drift: false,
            failing: None,
            volatile: None,
        }
    }

    #[test]
    fn what_differs_comes_before_what_cannot_be_seen_and_that_before_what_is_the_same() {
        let now = time("2026-11-24T10:00:00Z");
        let same = there();
        let drifted = Standing { is_drift: true, ..there() };
        let down = Some((time("2026-11-23T12:00:00Z"), Reason::UpstreamTls));
        let unreachable = Standing { failing: down, ..there() };
        let volatile = Standing { is_drift: true, volatile: Some(3), ..there() };
        let said = |all: &[&Standing]| in_short(all, now);
        assert_eq!(said(&[]), "-");
        assert_eq!(said(&[&same]), "same");
        assert_eq!(said(&[&same, &unreachable]), "unreachable since 2026-11-23 12:00: upstream-tls");
        assert_eq!(said(&[&unreachable, &drifted, &same]), "drifted since 2026-11-23 10:00");
        assert_eq!(said(&[&drifted, &volatile]), "differs each time");
        assert_eq!(in_short(&[&drifted], time("2027-11-24T10:00:00Z")), "not seen lately");
    }

    #[test]
    fn a_reviewer_is_told_since_when_and_how_often() {
        let there = there();
        assert_eq!(
            in_full(&there, BodyId([1; 32])),
            "this, since 2026-11-23 10:00:00 UTC; 1 sighting in a row, the last 2026-11-23 10:00:00 UTC"
        );
        assert!(in_full(&there, BodyId([2; 32])).starts_with("sha256-AQEB"));
    }
}
