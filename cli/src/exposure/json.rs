//! For programs.

use pinfold_store::{Sighted, Talked, Visited};
use serde_json::{Map, Value, json};

use super::report::Report;
use crate::words::path_json;

pub(super) fn render(report: &Report) -> Value {
    let asked = report.question().into_iter().map(|(what, value)| {
        let name = what.to_ascii_lowercase().replace('-', "");
        (name, Value::from(value))
    });
    let coverage = &report.coverage;
    let gaps = coverage.gaps.iter().map(|gap| {
        json!({
            "since": gap.since.to_string(),
            "until": gap.until.to_string(),
            "exchanges": gap.exchanges,
            "tunnels": gap.tunnels,
        })
    });
    let downtimes = coverage.downtimes.iter().map(|down| {
        json!({
            "since": down.since.to_string(),
            "until": down.until.to_string(),
            "in_order": down.in_order,
        })
    });
    // Whoever shows these makes them safe: escapes that are for the eye would be wrong values here.
    let plain = |text: &str| text.to_owned();
    json!({
        "made": report.made.to_string(),
        "sought": asked.collect::<Map<_, _>>(),
        "received": report.received.iter().map(sighted).collect::<Vec<_>>(),
        "refused": report.refused.iter().map(sighted).collect::<Vec<_>>(),
        "asked_only": report.described.iter().map(sighted).collect::<Vec<_>>(),
        "tunnels": report.talked.iter().map(talked).collect::<Vec<_>>(),
        "other_hosts": report.visited.iter().map(visited).collect::<Vec<_>>(),
        "coverage": {
            "recorded_since": coverage.recorded_since.map(|time| time.to_string()),
            "recorded_until": coverage.recorded_until.map(|time| time.to_string()),
            "missing_months": coverage.missing_months,
            "gaps": gaps.collect::<Vec<_>>(),
            "downtimes": downtimes.collect::<Vec<_>>(),
            "unmeasured": coverage.unmeasured,
            "masked": report.sought.masked_url.is_some(),
            "tunnelled": coverage.tunnelled.iter().map(|host| &**host).collect::<Vec<_>>(),
            "other_hosts": coverage.visited.iter().map(|host| &**host).collect::<Vec<_>>(),
            "other_hosts_not_told_apart": coverage.untold,
            "other_hosts_not_recorded_before": coverage.unwritten_until.map(|time| time.to_string()),
            "stated": report.coverage(&plain),
        },
        "statement": report.statement(&plain),
    })
}

fn sighted(sighted: &Sighted) -> Value {
    json!({
        "client": sighted.client.to_string(),
        "user": sighted.user.as_deref(),
        "page": sighted.page.as_deref(),
        "url": &*sighted.url,
        "vendor": sighted.vendor.as_deref(),
        "sha256": sighted.body.map(|body| body.to_hex()),
        "verdict": sighted.outcome.as_str(),
        "reason": sighted.reason.map(|reason| reason.code()),
        "path": sighted.path.as_ref().map(path_json),
        "count": sighted.count,
        "whole": sighted.got.whole,
        "begun": sighted.got.begun,
        "confirmed": sighted.got.confirmed,
        "head_only": sighted.got.described,
        "first": sighted.first.to_string(),
        "last": sighted.last.to_string(),
    })
}

fn talked(talked: &Talked) -> Value {
    json!({
        "client": talked.client.to_string(),
        "user": talked.user.as_deref(),
        "authority": talked.authority.to_string(),
        "status": talked.status,
        "reason": talked.reason.map(|reason| reason.code()),
        "count": talked.count,
        "sent": talked.sent,
        "received": talked.received,
        "first": talked.first.to_string(),
        "last": talked.last.to_string(),
    })
}

fn visited(visited: &Visited) -> Value {
    json!({
        "client": visited.client.map(|client| client.to_string()),
        "user": visited.user.as_deref(),
        "authority": visited.authority.as_ref().map(ToString::to_string),
        "count": visited.count,
        "first": visited.first.to_string(),
        "last": visited.last.to_string(),
    })
}
