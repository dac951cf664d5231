use std::sync::Arc;

use pinfold_policy::digest::BodyId;
use pinfold_policy::host::Authority;
use pinfold_policy::kind::{Kind, Kinds};
use pinfold_policy::verdict::Outcome;
use pinfold_store::entry::{Asker, ClientTls, DeliveryPath, Exchange, Gap, Notice, Tunnel, TunnelEnd, What};
use pinfold_store::incident::Incident;
use serde_json::{Value, json};

use super::*;

mod elastic;
mod splunk;

const ECS: &str = include_str!("../../../integration-tests/fixtures/ecs-9.4.0-fields.json");

pub(crate) fn observer() -> Observer {
    Observer { hostname: "gw1.corp.test".into(), version: "0.1.0".into() }
}

fn asker() -> Asker {
    Asker {
        address: "[::ffff:10.20.30.40]:53122".parse().unwrap(),
        user: Some("ada".into()),
        page: Some("https://shop.test/checkout".into()),
        user_agent: Some("Mozilla/5.0".into()),
    }
}

pub(crate) fn exchange(outcome: Outcome, reason: Option<Reason>) -> Exchange {
    let mut kinds = Kinds::NONE;
    kinds.insert(Kind::Script);
    Exchange {
        id: Uuid::from_u128(0x019c_1a4e_7b2d_7c31_9d55_3f2a_6e80_b1c4),
        at: "2026-11-23T06:30:00.123456Z".parse().unwrap(),
        took_us: 41_250,
        asker: asker(),
        method: "GET".into(),
        http_version: "2".into(),
        url: "https://cdn.eu.vendor.co.uk:8443/w/3.2.1/widget.min.js?v=1".into(),
        vendor: Some("widgets".into()),
        kinds,
        outcome,
        reason,
        incident: (!outcome.is_release()).then(|| Incident(Uuid::from_u128(7))),
        body: Some(BodyId([0xab; 32])),
        body_len: Some(48_211),
        media_type: Some("Application/JavaScript; charset=utf-8".into()),
        vendor_status: Some(200),
        status: if outcome.is_release() { 200 } else { 403 },
        rule: Some("pins.toml:14".into()),
        policy_version: 17,
        path: Some(DeliveryPath {
            address: "203.0.113.10:8443".parse().unwrap(),
            tls_version: Some("TLSv1.3".into()),
            cipher: Some("TLS_AES_128_GCM_SHA256".into()),
            issuer: Some("CN=Example CA,O=Beispiel GmbH,C=DE".into()),
            fingerprint: Some("ab".repeat(32).into()),
            http_version: "1.1".into(),
        }),
        client_tls: Some(ClientTls {
            version: "TLSv1.2".into(),
            cipher: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256".into(),
            server_name: Some("cdn.eu.vendor.co.uk".into()),
        }),
        destination: Some("script".into()),
    }
}

pub(crate) fn once(exchange: Exchange) -> Event {
    let (last, whole) = (exchange.at, Some(u64::from(exchange.outcome.is_release())));
    Event::Exchange { exchange, count: 1, whole, last }
}

fn tunnel(reason: Option<Reason>) -> Tunnel {
    Tunnel {
        id: Uuid::from_u128(0x019c_1a4e_7b2d_7c31_9d55_3f2a_6e80_b1c5),
        at: "2026-11-23T06:30:00Z".parse().unwrap(),
        asker: Asker { page: None, ..asker() },
        authority: Authority::parse("mail.other.test:443", None).unwrap(),
        server_name: Some("mail.other.test".into()),
        dialled: Some("2001:db8::7".parse().unwrap()),
        reason,
        incident: reason.map(|_| Incident(Uuid::from_u128(8))),
        status: if reason.is_some() { 403 } else { 200 },
        policy_version: 17,
    }
}

fn gap() -> Gap {
    Gap {
        id: Uuid::from_u128(0x019c_1a4e_7b2d_7c31_9d55_3f2a_6e80_b1c6),
        since: "2026-11-23T06:30:00Z".parse().unwrap(),
        until: "2026-11-23T06:31:30Z".parse().unwrap(),
        exchanges: 3,
        tunnels: 1,
    }
}

pub(crate) fn notice(what: What) -> Notice {
    Notice {
        id: Uuid::from_u128(0x019c_1a4e_7b2d_7c31_9d55_3f2a_6e80_b1c7),
        at: "2026-11-23T06:30:00Z".parse().unwrap(),
        what,
        who: Some("ada".into()),
        subject: Some("/etc/pinfold/pinfold.toml".into()),
        digest: Some(BodyId([0xab; 32])),
        incident: Some(Incident(Uuid::from_u128(9))),
        text: "pins.toml:14:12: digest is 63 hex digits, expected 64".into(),
        policy_version: 18,
    }
}

const END: TunnelEnd = TunnelEnd { sent: 100, received: 2000, open_ms: 1500 };

/// Every sort of event, with every reason, with all fields and with as few as there can be.
pub(crate) fn every_event() -> Vec<Event> {
    let mut events = vec![
        once(exchange(Outcome::Verified, None)),
        Event::Tunnel { tunnel: tunnel(None), end: Some(END) },
        Event::Tunnel { tunnel: tunnel(None), end: None },
        Event::Gap(gap()),
    ];
    for what in What::ALL {
        events.push(Event::Notice(notice(what)));
        let bare = Notice { who: None, subject: None, digest: None, incident: None, ..notice(what) };
        events.push(Event::Notice(bare));
    }
    for reason in Reason::ALL {
        for outcome in [Outcome::Substituted, Outcome::Observed, Outcome::Blocked, Outcome::Quarantined] {
            events.push(once(exchange(outcome, Some(*reason))));
        }
        events.push(once(bare(*reason)));
        events.push(Event::Tunnel { tunnel: tunnel(Some(*reason)), end: None });
        events.push(Event::Tunnel { tunnel: tunnel(Some(*reason)), end: Some(END) });
    }
    events
}

/// A refusal before anything is known of the answer.
pub(crate) fn bare(reason: Reason) -> Exchange {
    Exchange {
        asker: Asker { user: None, page: None, user_agent: None, ..asker() },
        url: "http://[2001:db8::1]/".into(),
        vendor: None,
        kinds: Kinds::NONE,
        incident: None,
        body: None,
        body_len: None,
        media_type: None,
        vendor_status: None,
        status: 0,
        rule: None,
        path: None,
        client_tls: None,
        destination: None,
        ..exchange(Outcome::Blocked, Some(reason))
    }
}

fn line(event: &Event, observer: &Observer) -> String {
    fields(event, observer).line()
}

fn value(event: &Event) -> Value {
    serde_json::from_str(&line(event, &observer())).unwrap()
}

/// The value at a dotted path.
fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    value.pointer(&format!("/{}", path.replace('.', "/"))).unwrap_or(&Value::Null)
}

/// Calls `check` with the dotted path of every leaf.
fn walk(path: &str, value: &Value, check: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(fields) => {
            assert!(!fields.is_empty(), "{path} is an empty object");
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(&path, value, check);
            }
        }
        leaf => check(path, leaf),
    }
}

#[test]
fn every_field_is_one_of_ecs_with_its_type_or_stands_below_pinfold() {
    let ecs: Value = serde_json::from_str(ECS).unwrap();
    for event in every_event() {
        walk("", &value(&event), &mut |path, leaf| {
            if path.starts_with("Pinfold.") || path.starts_with("labels.") {
                return;
            }
            let field = &ecs["fields"][path];
            assert!(field.is_object(), "{path} is no ECS field");
            assert_eq!(leaf.is_array(), field["array"] == true, "{path}");
            let leaves = leaf.as_array().cloned().unwrap_or_else(|| vec![leaf.clone()]);
            for leaf in leaves {
                assert!(is_of_type(&leaf, field["type"].as_str().unwrap()), "{path}: {leaf}");
                if let Some(allowed) = field["allowed"].as_array().or(field["expected"].as_array()) {
                    assert!(allowed.contains(&leaf), "{path}: {leaf}");
                }
            }
        });
    }
}

fn is_of_type(leaf: &Value, kind: &str) -> bool {
    match kind {
        "date" => leaf.as_str().is_some_and(|text| text.ends_with('Z') && text.parse::<Timestamp>().is_ok()),
        "long" => leaf.is_i64(),
        "boolean" => leaf.is_boolean(),
        "ip" => leaf.as_str().is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok()),
        "keyword" | "constant_keyword" | "wildcard" | "match_only_text" => leaf.is_string(),
        _ => false,
    }
}

#[test]
fn every_type_is_allowed_for_one_of_the_event_s_categories() {
    let ecs: Value = serde_json::from_str(ECS).unwrap();
    for event in every_event() {
        let value = value(&event);
        for kind in at(&value, "event.type").as_array().unwrap() {
            let categories = at(&value, "event.category").as_array().unwrap();
            let allows = |category: &Value| &ecs["event_types_by_category"][category.as_str().unwrap()];
            let allowed = categories.iter().any(|it| allows(it).as_array().unwrap().contains(kind));
            assert!(allowed, "{kind} in {categories:?}");
        }
    }
}

#[test]
fn nothing_is_null_or_empty() {
    for event in every_event() {
        walk("", &value(&event), &mut |path, leaf| {
            let empty = leaf.is_null() || leaf == "" || leaf.as_array().is_some_and(Vec::is_empty);
            assert!(!empty, "{path}: {leaf}");
        });
    }
}

#[test]
fn wrong_credentials_of_a_minute_count_as_often_as_they_were() {
    let counted = value(&Event::Notice(example(What::LoginFailed)));
    assert_eq!(at(&counted, "Pinfold.count"), 37);
    assert_eq!(at(&counted, "event.start"), "2026-11-23T06:29:12.000000Z");
    assert_eq!(at(&counted, "event.end"), "2026-11-23T06:30:00.000000Z");
    // Nobody else's text is read for a count.
    let text = "37 times from 2026-11-23T06:29:12Z to 2026-11-23T06:30:00Z".into();
    let drift = value(&Event::Notice(Notice { text, ..example(What::Drift) }));
    assert_eq!(at(&drift, "Pinfold.count"), 1);
}

#[test]
fn delivered_again_it_is_the_same_line() {
    for event in every_event() {
        assert_eq!(line(&event, &observer()), line(&event.clone(), &observer()));
    }
}

#[test]
fn a_quarantined_script_says_all_that_an_event_has_to_say() {
    let event = value(&once(exchange(Outcome::Quarantined, Some(Reason::DigestMismatch))));
    for (path, expected) in [
        ("@timestamp", json!("2026-11-23T06:30:00.123456Z")),
        (
            "message",
            json!(
                "Quarantined https://cdn.eu.vendor.co.uk:8443/w/3.2.1/widget.min.js?v=1 for 10.20.30.40: digest mismatch"
            ),
        ),
        ("event.kind", json!("alert")),
        ("event.action", json!("artifact-quarantined")),
        ("event.code", json!("PF-1002")),
        ("event.outcome", json!("failure")),
        ("event.reason", json!("digest-mismatch")),
        ("event.id", json!("019c1a4e-7b2d-7c31-9d55-3f2a6e80b1c4")),
        ("event.severity", json!(73)),
        ("event.duration", json!(41_250_000)),
        ("event.end", json!("2026-11-23T06:30:00.164706Z")),
        ("source.ip", json!("10.20.30.40")),
        ("source.port", json!(53122)),
        ("user.name", json!("ada")),
        ("related.user", json!(["ada"])),
        ("destination.domain", json!("cdn.eu.vendor.co.uk")),
        ("destination.registered_domain", json!("vendor.co.uk")),
        ("destination.ip", json!("203.0.113.10")),
        ("destination.port", json!(8443)),
        ("url.full", json!("https://cdn.eu.vendor.co.uk:8443/w/3.2.1/widget.min.js?v=1")),
        ("url.subdomain", json!("cdn.eu")),
        ("url.top_level_domain", json!("co.uk")),
        ("url.path", json!("/w/3.2.1/widget.min.js")),
        ("url.query", json!("v=1")),
        ("url.extension", json!("js")),
        ("http.version", json!("2")),
        ("http.request.referrer", json!("https://shop.test/checkout")),
        ("http.response.status_code", json!(403)),
        ("tls.version", json!("1.3")),
        ("tls.server.hash.sha256", json!("AB".repeat(32))),
        ("tls.client.server_name", json!("cdn.eu.vendor.co.uk")),
        ("user_agent.original", json!("Mozilla/5.0")),
        ("file.name", json!("widget.min.js")),
        ("file.size", json!(48_211)),
        ("file.mime_type", json!("application/javascript")),
        ("file.hash.sha256", json!("ab".repeat(32))),
        ("rule.id", json!("pins.toml:14")),
        ("rule.ruleset", json!("pins.toml")),
        ("rule.name", json!("digest-mismatch")),
        ("observer.hostname", json!("gw1.corp.test")),
        ("threat.technique.subtechnique.id", json!(["T1195.002"])),
        ("related.hosts", json!(["cdn.eu.vendor.co.uk", "shop.test", "gw1.corp.test"])),
        ("related.ip", json!(["10.20.30.40", "203.0.113.10"])),
        ("Pinfold.verdict", json!("quarantined")),
        ("Pinfold.incident", json!(Incident(Uuid::from_u128(7)).to_string())),
        ("Pinfold.count", json!(1)),
        ("Pinfold.kinds", json!(["script"])),
        ("Pinfold.upstream.status_code", json!(200)),
        ("Pinfold.client.tls.version", json!("1.2")),
    ] {
        assert_eq!(at(&event, path), &expected, "{path}");
    }
}

#[test]
fn a_counted_row_is_one_event_from_its_first_exchange_to_its_last() {
    let exchange = exchange(Outcome::Verified, None);
    let last = later(exchange.at, SignedDuration::from_secs(30));
    let event = value(&Event::Exchange { exchange, count: 12, whole: Some(11), last });

    assert_eq!(at(&event, "Pinfold.count"), 12);
    assert_eq!(at(&event, "Pinfold.delivered_whole"), 11);
    assert_eq!(at(&event, "event.start"), "2026-11-23T06:30:00.123456Z");
    assert_eq!(at(&event, "event.end"), "2026-11-23T06:30:30.123456Z");
    assert_eq!(at(&event, "event.duration"), 30_000_000_000_i64);
    assert_eq!(at(&event, "Pinfold.verdict_after_us"), 41_250);
    assert!(at(&event, "message").as_str().unwrap().ends_with(", 12 times"));
    assert_eq!(at(&event, "event.kind"), "event");
}

#[test]
fn a_tunnel_says_how_much_it_carried_and_how_it_ended() {
    let closed = value(&Event::Tunnel { tunnel: tunnel(None), end: Some(END) });
    assert_eq!(at(&closed, "event.action"), "tunnel-closed");
    assert_eq!(at(&closed, "event.outcome"), "success");
    assert_eq!(at(&closed, "event.duration"), 1_500_000_000);
    assert_eq!(at(&closed, "network.bytes"), 2100);
    assert_eq!(at(&closed, "network.type"), "ipv6");
    assert_eq!(at(&closed, "Pinfold.verdict"), &Value::Null);

    let refused = value(&Event::Tunnel { tunnel: tunnel(Some(Reason::PrivateAddress)), end: None });
    assert_eq!(at(&refused, "event.action"), "tunnel-refused");
    assert_eq!(at(&refused, "event.kind"), "alert");
    assert_eq!(at(&refused, "Pinfold.verdict"), "blocked");
    assert_eq!(
        at(&refused, "message"),
        "Refused a tunnel or a request to mail.other.test:443 for 10.20.30.40: private address"
    );

    assert_eq!(at(&refused, "http.request.method"), &Value::Null);
    assert_eq!(at(&closed, "http.request.method"), "CONNECT");

    let lost = value(&Event::Tunnel { tunnel: tunnel(None), end: None });
    assert_eq!(at(&lost, "event.action"), "tunnel-lost");
    assert_eq!(at(&lost, "event.outcome"), "unknown");
    assert_eq!(at(&lost, "network.bytes"), &Value::Null);
}

#[test]
fn a_gap_says_how_much_is_missing_and_since_when() {
    let event = value(&Event::Gap(gap()));
    for (path, expected) in [
        ("event.action", json!("recording-gap")),
        ("event.code", json!("PF-3001")),
        ("event.kind", json!("event")),
        ("event.outcome", json!("failure")),
        ("event.reason", json!("store-unavailable")),
        ("event.severity", json!(47)),
        ("event.start", json!("2026-11-23T06:30:00.000000Z")),
        ("event.end", json!("2026-11-23T06:31:30.000000Z")),
        ("message", json!("Recorded nothing of 3 refused exchanges and 1 tunnel: store unavailable")),
        ("Pinfold.gap.exchanges", json!(3)),
        ("Pinfold.gap.tunnels", json!(1)),
        ("Pinfold.count", json!(4)),
        ("Pinfold.policy_version", Value::Null),
    ] {
        assert_eq!(at(&event, path), &expected, "{path}");
    }
}

#[test]
fn a_notice_says_what_happened_by_whom_to_what_and_what_holds_since() {
    let event = value(&Event::Notice(notice(What::ReloadFailed)));
    for (path, expected) in [
        ("event.action", json!("reload-failed")),
        ("event.code", json!("PF-3003")),
        ("event.kind", json!("event")),
        ("event.category", json!(["configuration"])),
        ("event.type", json!(["info"])),
        ("event.outcome", json!("failure")),
        ("event.severity", json!(47)),
        ("event.duration", json!(0)),
        (
            "message",
            json!(
                "Changed files cannot be used, the policy stays as it was: \
                 pins.toml:14:12: digest is 63 hex digits, expected 64"
            ),
        ),
        ("user.name", json!("ada")),
        ("file.hash.sha256", json!("ab".repeat(32))),
        ("Pinfold.subject", json!("/etc/pinfold/pinfold.toml")),
        ("Pinfold.incident", json!(Incident(Uuid::from_u128(9)).to_string())),
        ("Pinfold.policy_version", json!(18)),
        ("Pinfold.verdict", Value::Null),
        ("source.ip", Value::Null),
    ] {
        assert_eq!(at(&event, path), &expected, "{path}");
    }

    let event = value(&Event::Notice(notice(What::PolicyReloaded)));
    assert_eq!(at(&event, "event.code"), "PF-3002");
    assert_eq!(at(&event, "event.type"), &json!(["change"]));
    assert_eq!(at(&event, "event.outcome"), "success");
    assert_eq!(at(&event, "event.severity"), 0);
}

#[test]
fn content_that_changed_matters_before_anybody_asked_for_it() {
    for (what, code, severity) in
        [(What::Drift, "PF-3101", 73), (What::UrlVolatile, "PF-3102", 47), (What::PathChanged, "PF-3104", 47)]
    {
        let event = value(&Event::Notice(notice(what)));
        assert_eq!(at(&event, "event.action"), what.as_str());
        assert_eq!(at(&event, "event.code"), code);
        assert_eq!(at(&event, "event.category"), &json!(["web"]));
        assert_eq!(at(&event, "event.severity"), severity);
    }
}

#[test]
fn a_host_that_imitates_another_matters_as_much() {
    let event = value(&Event::Notice(notice(What::LookalikeHost)));
    assert_eq!(at(&event, "event.code"), "PF-3103");
    assert_eq!(at(&event, "event.category"), &json!(["network", "web"]));
    assert_eq!(at(&event, "event.severity"), 73);
}

#[test]
fn an_approval_is_a_rule_too() {
    let approved = Exchange {
        rule: Some("approval 01KB3Z5V9QJ8R2M4T6W8Y0A1CD".into()),
        ..exchange(Outcome::Verified, None)
    };
    let event = value(&once(approved));
    assert_eq!(at(&event, "rule.id"), "approval 01KB3Z5V9QJ8R2M4T6W8Y0A1CD");
    assert_eq!(at(&event, "rule.ruleset"), "approvals");
    assert_eq!(at(&event, "Pinfold.provisional"), &Value::Null);
}

#[test]
fn what_nobody_confirmed_is_marked_so() {
    for (rule, ruleset) in [("learned 17", "learned"), ("cooldown 01KB3Z5V9QJ8R2M4T6W8Y0A1CD", "cooldown")] {
        let event = value(&once(Exchange { rule: Some(rule.into()), ..exchange(Outcome::Verified, None) }));
        assert_eq!((at(&event, "rule.id"), at(&event, "rule.ruleset")), (&json!(rule), &json!(ruleset)));
        assert_eq!(at(&event, "Pinfold.provisional"), true);
    }
}

#[test]
fn hostile_bytes_stay_data_on_one_line() {
    let hostile = "\",\"event\":{\"kind\":\"event\"}}\n{\"x\":\"\u{1b}[2J\u{2028}\u{202e}\u{85}\0\u{e0041}";
    let mut exchange = exchange(Outcome::Blocked, Some(Reason::Revoked));
    exchange.url = hostile.into();
    exchange.method = hostile.into();
    exchange.http_version = hostile.into();
    exchange.asker.user = Some(hostile.into());
    exchange.asker.page = Some(hostile.into());
    exchange.asker.user_agent = Some(hostile.into());
    exchange.media_type = Some(hostile.into());
    exchange.vendor = Some(Arc::from(hostile));
    exchange.rule = Some(Arc::from(hostile));
    let path = exchange.path.as_mut().unwrap();
    path.issuer = Some(hostile.into());
    exchange.client_tls.as_mut().unwrap().server_name = Some(hostile.into());

    let line = line(&once(exchange), &observer());

    assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line}");
    let event: Value = serde_json::from_str(&line).unwrap();
    for path in [
        "url.full",
        "user.name",
        "http.request.referrer",
        "user_agent.original",
        "tls.server.issuer",
        "labels.vendor",
    ] {
        assert_eq!(at(&event, path), hostile, "{path}");
    }
    assert_eq!(at(&event, "event.kind"), "alert");
}

#[test]
fn a_line_is_bounded_whatever_a_client_sends() {
    let mut exchange = exchange(Outcome::Blocked, Some(Reason::Unpinned));
    exchange.url = format!("https://vendor.test/{}.js?{}", "a/".repeat(4000), "q".repeat(8000)).into();
    exchange.asker.page = Some("https://\u{202e}".repeat(10_000).into());
    exchange.asker.user_agent = Some("\0".repeat(100_000).into());

    let line = line(&once(exchange), &observer());

    assert!(line.len() < 64 * 1024, "{}", line.len());
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        at(&event, "Pinfold.truncated"),
        &json!(["user_agent.original", "http.request.referrer", "url.query"])
    );
    assert!(at(&event, "message").as_str().unwrap().ends_with(": unpinned"));
}

/// One of each code, in the order of the codes.
fn one_of_each() -> Vec<Event> {
    let outcomes = [
        (Outcome::Verified, None),
        (Outcome::Substituted, Some(Reason::DigestMismatch)),
        (Outcome::Observed, Some(Reason::Unpinned)),
        (Outcome::Blocked, Some(Reason::Revoked)),
        (Outcome::Quarantined, Some(Reason::DigestMismatch)),
    ];
    let of = |(outcome, reason)| {
        let exchange = exchange(outcome, reason);
        // What is pinned decides nothing where nothing is.
        let is_unpinned = reason == Some(Reason::Unpinned);
        once(Exchange { rule: exchange.rule.clone().filter(|_| !is_unpinned), ..exchange })
    };
    let mut events: Vec<_> = outcomes.into_iter().map(of).collect();
    events.push(Event::Tunnel { tunnel: tunnel(None), end: Some(END) });
    events.push(Event::Tunnel { tunnel: tunnel(None), end: None });
    events.push(Event::Tunnel { tunnel: tunnel(Some(Reason::PrivateAddress)), end: None });
    events.push(Event::Gap(gap()));
    events.extend(What::ALL.map(|what| Event::Notice(example(what))));
    events.sort_by_key(|event| at(&value(event), "event.code").as_str().unwrap().to_owned());
    events
}

const FINGERPRINT: &str = "9a3c1be0d7f24c5588e1a06b3d92f7c4e5a8b6d1c0f3927e4d5b6a7980c1d2e3";

/// A notice as the gateway would write it.
fn example(what: What) -> Notice {
    let url = "https://cdn.eu.vendor.co.uk:8443/w/3.2.1/widget.min.js";
    let (subject, text) = match what {
        What::PolicyReloaded => ("/etc/pinfold/pinfold.toml", "pins.toml: 1 pin added"),
        What::ReloadFailed => {
            ("/etc/pinfold/pinfold.toml", "pins.toml:14:12: digest is 63 hex digits, expected 64")
        }
        What::FeedOverflow => (
            "ecs syslog+tls://siem.example:6514",
            "81224 events of 2026-10 to 2026-11 were passed over: more than 10 GiB waited",
        ),
        What::EventRefused => (
            "ecs https://siem.example/in",
            "event 019c1a4e-7b2d-7c31-9d55-3f2a6e80b1c5 (PF-1002), 60231 bytes, is refused with 413 Payload Too Large",
        ),
        What::Started | What::Stopped => ("/etc/pinfold/pinfold.toml", "pinfold 0.1.0"),
        What::RootChanged => (FINGERPRINT, "ends 2036-11-20T10:00:00Z; before: none that the ledger knows"),
        What::IssuerChanged => (
            FINGERPRINT,
            "ends 2027-11-23T10:00:00Z; before: 1f7b2d0c5a9e4386b1d4f60e8c2a7935d1c0b9a8f7e6d5c4b3a2918070605040",
        ),
        What::LeafSigned => {
            ("cdn.eu.vendor.co.uk", "once, at 2026-11-23T10:00:00Z; by the issuing CA 1f7b2d0c5a9e4386…")
        }
        What::LoginFailed => ("10.20.30.40", "37 times from 2026-11-23T06:29:12Z to 2026-11-23T06:30:00Z"),
        What::SignedIn => ("10.20.30.40", "by the identity provider, as reviewer"),
        What::LedgerDropped => ("2025-10", "2025-10, with 81224 rows of exchanges and 310 of tunnels"),
        What::LookalikeHost => ("cdn.vend0r.co.uk", "imitates vendor.co.uk; 10.20.30.40 asked for it"),
        What::PathChanged => ("cdn.eu.vendor.co.uk", "issuer O=Another CA; before: O=Example CA"),
        What::CanaryFailed => {
            ("canary.pinfold.invalid", "the tampered artifact was answered with 200 OK, 'verified'")
        }
        What::CanaryRecovered => {
            ("canary.pinfold.invalid", "the tampered artifact was refused, the reviewed one released")
        }
        What::Drift | What::UrlVolatile => (url, "a recheck saw it"),
        What::Quarantined => {
            (url, "digest mismatch at https://cdn.eu.vendor.co.uk:8443/w/3.2.1/widget.min.js?v=1")
        }
        What::Approved | What::ApprovalPending | What::Rejected | What::Revoked | What::Reinstated => {
            (url, "SEC-1423")
        }
    };
    let about_digest = match what {
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
        | What::LookalikeHost
        | What::PathChanged
        | What::CanaryFailed
        | What::CanaryRecovered
        | What::UrlVolatile => false,
        What::Drift
        | What::Quarantined
        | What::Approved
        | What::ApprovalPending
        | What::Rejected
        | What::Revoked
        | What::Reinstated => true,
    };
    let by_a_person = matches!(
        what,
        What::LoginFailed
            | What::SignedIn
            | What::Approved
            | What::ApprovalPending
            | What::Rejected
            | What::Revoked
            | What::Reinstated
    );
    Notice {
        subject: Some(subject.into()),
        text: text.into(),
        who: by_a_person.then(|| "ada".into()),
        digest: about_digest.then_some(BodyId([0xab; 32])),
        incident: about_digest.then_some(Incident(Uuid::from_u128(9))),
        ..notice(what)
    }
}

/// The page, as it must be.
fn page() -> String {
    let mut page =
        include_str!("../../../docs/events.md").split("\n## ").next().unwrap().trim_end().to_owned();
    for event in one_of_each() {
        let ecs = fields(&event, &observer());
        let (code, action) = (ecs.text("event.code").unwrap(), ecs.text("event.action").unwrap());
        let ocsf = crate::ocsf::fields(&event, &ecs);
        // By name, whatever order other crates in a build ask serde_json to keep.
        let mut sorted = Value::from(ecs.clone());
        sorted.sort_all_objects();
        let pretty = serde_json::to_string_pretty(&sorted).unwrap();
        let (class, activity) = (ocsf.text("class_name").unwrap(), ocsf.text("activity_name").unwrap());
        let cef = crate::cef::line(&ecs);
        page.push_str(&format!(
            "\n\n## {code} {action}\n\nOCSF: {class}, {activity}. CEF:\n\n```text\n{cef}\n```\n\nECS:\n\n```json\n{pretty}\n```"
        ));
    }
    page + "\n"
}

/// Set PINFOLD_WRITE_DOCS to write the page anew.
#[test]
fn the_page_of_events_has_an_example_of_every_code_as_the_code_writes_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/events.md");
    let page = page();
    if std::env::var_os("PINFOLD_WRITE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), page, "run the tests with PINFOLD_WRITE_DOCS=1");
}
