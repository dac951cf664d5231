//! Events in the Open Cybersecurity Schema Framework (OCSF) 1.8: tables from ECS fields to OCSF attributes.
//!
//! An exchange or a tunnel is an HTTP Activity (4002). What happens to an item of the quarantine is a Detection Finding
//! (2004), which is created, updated and closed under one `finding_info.uid`. All else is a Base Event (0): what a
//! gateway tells of itself has no class of its own there. What OCSF has no attribute for is below `unmapped`.

use jiff::Timestamp;
use pinfold_store::entry::{Event, Notice, What};
use serde_json::{Value, json};

use crate::fields::Fields;

/// What all classes have.
const BASE: &[(&str, &str)] = &[
    ("message", "message"),
    ("event.id", "metadata.uid"),
    ("event.code", "metadata.event_code"),
    ("@timestamp", "metadata.original_time"),
    ("Pinfold.incident", "metadata.correlation_uid"),
    ("observer.version", "metadata.product.version"),
    ("event.reason", "status_code"),
    ("Pinfold.count", "count"),
];

const HTTP_ACTIVITY: &[(&str, &str)] = &[
    ("source.address", "src_endpoint.name"),
    ("source.ip", "src_endpoint.ip"),
    ("source.port", "src_endpoint.port"),
    ("user.name", "actor.user.name"),
    ("destination.address", "dst_endpoint.name"),
    ("destination.domain", "dst_endpoint.hostname"),
    ("destination.ip", "dst_endpoint.ip"),
    ("destination.port", "dst_endpoint.port"),
    ("observer.hostname", "proxy_endpoint.name"),
    ("observer.hostname", "proxy_endpoint.hostname"),
    ("event.id", "http_request.uid"),
    ("http.version", "http_request.version"),
    ("user_agent.original", "http_request.user_agent"),
    ("http.request.referrer", "http_request.referrer"),
    ("url.full", "http_request.url.url_string"),
    ("url.scheme", "http_request.url.scheme"),
    ("url.domain", "http_request.url.hostname"),
    ("url.registered_domain", "http_request.url.domain"),
    ("url.subdomain", "http_request.url.subdomain"),
    ("url.port", "http_request.url.port"),
    ("url.path", "http_request.url.path"),
    ("url.query", "http_request.url.query_string"),
    ("http.response.status_code", "http_response.code"),
    ("Pinfold.upstream.status_code", "proxy_http_response.code"),
    ("rule.ruleset", "policy.name"),
    ("rule.id", "policy.uid"),
    ("rule.version", "policy.version"),
    ("source.bytes", "traffic.bytes_out"),
    ("destination.bytes", "traffic.bytes_in"),
    ("network.bytes", "traffic.bytes"),
];

/// The delivery path, where it has a TLS version: OCSF requires that. A certificate needs a serial number there, which
/// the ledger has not, so that issuer and fingerprint stay unmapped.
const DELIVERY_TLS: &[(&str, &str)] = &[
    ("tls.version", "proxy_tls.version"),
    ("tls.cipher", "proxy_tls.cipher"),
    ("tls.client.server_name", "proxy_tls.sni"),
];

const CLIENT_TLS: &[(&str, &str)] = &[
    ("Pinfold.client.tls.version", "tls.version"),
    ("Pinfold.client.tls.cipher", "tls.cipher"),
    ("Pinfold.client.tls.server_name", "tls.sni"),
];

const FILE: &[(&str, &str)] = &[
    ("file.name", "file.name"),
    ("file.extension", "file.ext"),
    ("file.mime_type", "file.mime_type"),
    ("file.size", "file.size"),
];

/// ECS field sets that go below `unmapped` as they are.
const UNMAPPED: &[(&str, &str)] =
    &[("Pinfold", "unmapped.pinfold"), ("tls.server", "unmapped.tls.server"), ("labels", "unmapped.labels")];

/// What a SIEM can pivot on: type, its name, and where it stands in ECS and in OCSF.
const OBSERVABLES: &[(u64, &str, &str, &str)] = &[
    (1, "Hostname", "destination.domain", "dst_endpoint.hostname"),
    (2, "IP Address", "source.ip", "src_endpoint.ip"),
    (2, "IP Address", "destination.ip", "dst_endpoint.ip"),
    (4, "User Name", "user.name", "actor.user.name"),
    (8, "Hash", "file.hash.sha256", "file.hashes[0].value"),
];

/// One event; `ecs` are its fields.
pub(crate) fn fields(event: &Event, ecs: &Fields) -> Fields {
    let mut ocsf = Fields::default();
    write_base(&mut ocsf, ecs);
    match event {
        Event::Exchange { .. } | Event::Tunnel { .. } => write_http_activity(&mut ocsf, ecs),
        Event::Notice(notice) => match Stage::of(notice) {
            Some(stage) => write_finding(&mut ocsf, ecs, stage),
            None => write_base_event(&mut ocsf, ecs),
        },
        Event::Gap(_) => write_base_event(&mut ocsf, ecs),
    }
    ocsf
}

fn map(ocsf: &mut Fields, ecs: &Fields, table: &[(&str, &str)]) {
    for (from, to) in table {
        if let Some(value) = ecs.get(from) {
            ocsf.put(to, value.clone());
        }
    }
}

/// A number that OCSF gives a meaning to, and its name beside it.
fn put_named(ocsf: &mut Fields, (number_at, number): (&str, u64), (name_at, name): (&str, &str)) {
    ocsf.put(number_at, number);
    ocsf.put(name_at, name);
}

/// What an activity of a class is: type_uid is class_uid * 100 + activity_id.
fn write_class(ocsf: &mut Fields, category: (u64, &str), class: (u64, &str), activity: (u64, &str)) {
    put_named(ocsf, ("category_uid", category.0), ("category_name", category.1));
    put_named(ocsf, ("class_uid", class.0), ("class_name", class.1));
    put_named(ocsf, ("activity_id", activity.0), ("activity_name", activity.1));
    let name = format!("{}: {}", class.1, activity.1);
    put_named(ocsf, ("type_uid", class.0 * 100 + activity.0), ("type_name", &name));
}

fn write_base(ocsf: &mut Fields, ecs: &Fields) {
    map(ocsf, ecs, BASE);
    map(ocsf, ecs, UNMAPPED);
    for (path, value) in [
        ("metadata.version", "1.8.0"),
        ("metadata.product.name", "pinfold"),
        ("metadata.product.vendor_name", "pinfold project"),
        ("metadata.log_name", "pinfold.decision"),
    ] {
        ocsf.put(path, value);
    }
    if ecs.get("Pinfold.truncated").is_some() {
        ocsf.put("metadata.is_truncated", true);
    }
    for (from, to) in [("event.start", "time"), ("event.start", "start_time"), ("event.end", "end_time")] {
        if let Some(at) = ecs.text(from).and_then(|text| text.parse::<Timestamp>().ok()) {
            ocsf.put(to, at.as_millisecond());
        }
    }
    ocsf.put("timezone_offset", 0);
    if let Some(nanoseconds) = ecs.number("event.duration") {
        ocsf.put("duration", nanoseconds / 1_000_000);
    }
    let severity = match ecs.number("event.severity").unwrap_or_default() {
        ..21 => (1, "Informational"),
        21..47 => (2, "Low"),
        47..73 => (3, "Medium"),
        73..99 => (4, "High"),
        99.. => (5, "Critical"),
    };
    put_named(ocsf, ("severity_id", severity.0), ("severity", severity.1));
}

fn write_base_event(ocsf: &mut Fields, ecs: &Fields) {
    let action = ecs.text("event.action").unwrap_or_default();
    write_class(ocsf, (0, "Uncategorized"), (0, "Base Event"), (99, action));
    write_status(ocsf, ecs);
    for field in ["source.ip", "user.name", "file.hash.sha256"] {
        if let Some(text) = ecs.text(field) {
            ocsf.put(&format!("unmapped.{field}"), text);
        }
    }
}

fn write_status(ocsf: &mut Fields, ecs: &Fields) {
    let status = match ecs.text("event.outcome") {
        Some("success") => (1, "Success"),
        Some("failure") => (2, "Failure"),
        Some(_) | None => (0, "Unknown"),
    };
    put_named(ocsf, ("status_id", status.0), ("status", status.1));
}

fn write_control(ocsf: &mut Fields, ecs: &Fields, action: (u64, &str), disposition: (u64, &str)) {
    put_named(ocsf, ("action_id", action.0), ("action", action.1));
    put_named(ocsf, ("disposition_id", disposition.0), ("disposition", disposition.1));
    ocsf.put("is_alert", ecs.text("event.kind") == Some("alert"));
    if let Some(attack) = attack(ecs) {
        ocsf.put("attacks", vec![attack]);
    }
}

fn attack(ecs: &Fields) -> Option<Value> {
    let first = |path: &str| ecs.get(path)?.get(0).cloned();
    let part = |path: &str| {
        let id = first(&format!("{path}.id"))?;
        Some(json!({ "uid": id, "name": first(&format!("{path}.name"))? }))
    };
    Some(json!({
        "tactic": part("threat.tactic")?,
        "technique": part("threat.technique")?,
        "sub_technique": part("threat.technique.subtechnique")?,
    }))
}

fn write_http_activity(ocsf: &mut Fields, ecs: &Fields) {
    let method = ecs.text("http.request.method").unwrap_or_default();
    let activity = match method {
        "CONNECT" => (1, "Connect"),
        "DELETE" => (2, "Delete"),
        "GET" => (3, "Get"),
        "HEAD" => (4, "Head"),
        "OPTIONS" => (5, "Options"),
        "POST" => (6, "Post"),
        "PUT" => (7, "Put"),
        "TRACE" => (8, "Trace"),
        "PATCH" => (9, "Patch"),
        "" => (0, "Unknown"),
        _ => (99, method),
    };
    write_class(ocsf, (4, "Network Activity"), (4002, "HTTP Activity"), activity);
    if (1..99).contains(&activity.0) {
        ocsf.put("http_request.http_method", method);
    }
    ocsf.put("metadata.profiles", json!(["security_control", "network_proxy", "host"]));
    write_status(ocsf, ecs);
    let (action, disposition) = match ecs.text("Pinfold.verdict") {
        Some("verified") => ((1, "Allowed"), (1, "Allowed")),
        Some("substituted") => ((4, "Modified"), (11, "Corrected")),
        Some("observed") => ((3, "Observed"), (15, "Detected")),
        Some("quarantined") => ((2, "Denied"), (3, "Quarantined")),
        Some("blocked") => ((2, "Denied"), (2, "Blocked")),
        // A tunnel that passed unseen.
        Some(_) | None => ((1, "Allowed"), (17, "Logged")),
    };
    write_control(ocsf, ecs, action, disposition);
    map(ocsf, ecs, HTTP_ACTIVITY);
    if ecs.get("tls.version").is_some() {
        map(ocsf, ecs, DELIVERY_TLS);
    }
    if ecs.get("Pinfold.client.tls.version").is_some() {
        map(ocsf, ecs, CLIENT_TLS);
    }
    if ocsf.get("proxy_http_response").is_some() {
        map(ocsf, ecs, &[("file.mime_type", "proxy_http_response.content_type")]);
    }
    if ocsf.get("policy").is_some() {
        ocsf.put("policy.is_applied", true);
    }
    put_named(ocsf, ("connection_info.direction_id", 2), ("connection_info.direction", "Outbound"));
    put_named(ocsf, ("connection_info.protocol_num", 6), ("connection_info.protocol_name", "tcp"));
    write_file(ocsf, ecs);
    let observable = |(id, name, from, to): &(u64, &str, &str, &str)| {
        let value = ecs.text(from)?;
        Some(json!({ "type_id": id, "type": name, "name": to, "value": value }))
    };
    ocsf.put("observables", OBSERVABLES.iter().filter_map(observable).collect::<Vec<_>>());
}

/// OCSF requires a name: that of a folder is its path.
fn write_file(ocsf: &mut Fields, ecs: &Fields) {
    let Some(hash) = ecs.text("file.hash.sha256") else { return };
    ocsf.put("file.name", "/");
    map(ocsf, ecs, FILE);
    put_named(ocsf, ("file.type_id", 1), ("file.type", "Regular File"));
    ocsf.put("file.hashes", vec![sha256(hash)]);
}

fn sha256(hash: &str) -> Value {
    json!({ "algorithm_id": 3, "algorithm": "SHA-256", "value": hash })
}

/// Where an item of the quarantine has come to.
#[derive(Clone, Copy)]
enum Stage {
    /// Nobody has decided.
    Waiting,
    /// Some have, and more must.
    Pending,
    Approved,
    Rejected,
}

impl Stage {
    /// None for what is about no item.
    fn of(notice: &Notice) -> Option<Self> {
        notice.incident?;
        match notice.what {
            What::Quarantined => Some(Self::Waiting),
            What::ApprovalPending => Some(Self::Pending),
            What::Approved => Some(Self::Approved),
            What::Rejected | What::Revoked => Some(Self::Rejected),
            What::PolicyReloaded
            | What::ReloadFailed
            | What::LedgerDropped
            | What::FeedOverflow
            | What::EventRefused
            | What::Started
            | What::Stopped
            | What::RootChanged
            | What::IssuerChanged
            | What::LeafSigned
            | What::LoginFailed
            | What::SignedIn
            | What::Drift
            | What::UrlVolatile
            | What::LookalikeHost
            | What::PathChanged
            | What::CanaryFailed
            | What::CanaryRecovered
            | What::Reinstated => None,
        }
    }
}

fn write_finding(ocsf: &mut Fields, ecs: &Fields, stage: Stage) {
    let (activity, status, action, disposition) = match stage {
        Stage::Waiting => ((1, "Create"), (1, "New"), (2, "Denied"), (3, "Quarantined")),
        Stage::Pending => ((2, "Update"), (2, "In Progress"), (2, "Denied"), (3, "Quarantined")),
        Stage::Approved => ((3, "Close"), (4, "Resolved"), (1, "Allowed"), (8, "Approved")),
        Stage::Rejected => ((3, "Close"), (4, "Resolved"), (2, "Denied"), (25, "Rejected")),
    };
    write_class(ocsf, (2, "Findings"), (2004, "Detection Finding"), activity);
    ocsf.put("metadata.profiles", json!(["security_control", "host"]));
    put_named(ocsf, ("status_id", status.0), ("status", status.1));
    write_control(ocsf, ecs, action, disposition);
    map(
        ocsf,
        ecs,
        &[
            ("user.name", "actor.user.name"),
            ("observer.hostname", "device.name"),
            ("observer.hostname", "device.hostname"),
            ("message", "finding_info.title"),
            ("event.action", "finding_info.analytic.name"),
            ("event.code", "finding_info.analytic.uid"),
        ],
    );
    put_named(ocsf, ("device.type_id", 99), ("device.type", "Proxy"));
    put_named(ocsf, ("finding_info.analytic.type_id", 1), ("finding_info.analytic.type", "Rule"));
    ocsf.put("finding_info.types", json!(["Artifact integrity"]));
    let incident = ecs.text("Pinfold.incident").unwrap_or_default();
    ocsf.put("finding_info.uid", format!("quarantine/{incident}"));
    if let Some(at) = ocsf.get("time").cloned() {
        ocsf.put("finding_info.modified_time", at);
    }

    let mut evidence = Fields::default();
    map(&mut evidence, ecs, &[("Pinfold.subject", "url.url_string")]);
    if let Some(hash) = ecs.text("file.hash.sha256") {
        evidence.put("file.name", hash);
        put_named(&mut evidence, ("file.type_id", 1), ("file.type", "Regular File"));
        evidence.put("file.hashes", vec![sha256(hash)]);
    }
    ocsf.put("evidences", vec![Value::from(evidence)]);
}

#[cfg(test)]
mod tests;
