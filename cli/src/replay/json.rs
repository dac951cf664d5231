//! For programs.

use serde_json::{Value, json};

use super::judge::Now;
use super::report::{Judged, Report};

pub(super) fn render(report: &Report) -> Value {
    let list = |of: &[Judged]| of.iter().map(|judged| one(report, judged)).collect::<Vec<_>>();
    let traffic = &report.traffic;
    let gaps = traffic.gaps.iter().map(|gap| {
        json!({
            "since": gap.since.to_string(),
            "until": gap.until.to_string(),
            "exchanges": gap.exchanges,
            "tunnels": gap.tunnels,
        })
    });
    let tunnels = report.tunnels.iter().map(|tunnelled| {
        json!({
            "authority": tunnelled.authority.to_string(),
            "count": tunnelled.count,
            "first": tunnelled.first.to_string(),
            "last": tunnelled.last.to_string(),
        })
    });
    json!({
        "made": report.question.now.to_string(),
        "files": report.question.files,
        "since": report.question.since.map(|time| time.to_string()),
        "until": report.question.until.map(|time| time.to_string()),
        "judged": report.judged,
        "would_be_refused": list(&report.refused),
        "would_pass": list(&report.passes),
        "would_pass_unverified": list(&report.unverified),
        "cannot_be_told": list(&report.untold),
        "tunnels": tunnels.collect::<Vec<_>>(),
        "other_hosts": traffic.visited.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "same": { "released": report.same.0, "refused": report.same.1 },
        "coverage": {
            "recorded_since": traffic.recorded_since.map(|time| time.to_string()),
            "recorded_until": traffic.recorded_until.map(|time| time.to_string()),
            "missing_months": traffic.missing_months,
            "gaps": gaps.collect::<Vec<_>>(),
            "not_judged": traffic.left_out,
            "stated": report.coverage(),
        },
        "statement": report.statement(),
    })
}

fn one(report: &Report, judged: &Judged) -> Value {
    let (then, why) = judged.then;
    let (now, reason) = judged.now.words();
    let clients = judged.clients.iter();
    let mut clients: Vec<_> =
        clients.filter_map(|(number, count)| Some((report.client(*number)?, count))).collect();
    // Numbers are given in no order.
    clients.sort();
    let clients = clients.into_iter().map(|((address, user), count)| {
        json!({ "client": address.to_string(), "user": user.as_deref(), "count": count })
    });
    json!({
        "url": &*judged.url,
        "sha256": judged.body.map(|body| body.to_hex()),
        "then": { "verdict": then.as_str(), "reason": why.map(|reason| reason.code()) },
        "now": { "verdict": now, "reason": reason.map(|reason| reason.code()) },
        "or_substituted": match judged.now {
            Now::Refused { or_substituted, .. } => or_substituted,
            Now::Passes(_) | Now::AsThen | Now::Untold(_) => false,
        },
        "count": judged.count,
        "clients": clients.collect::<Vec<_>>(),
        "first": judged.first.to_string(),
        "last": judged.last.to_string(),
    })
}
