//! Every line that the real binary prints for a SIEM, field by field against the published ECS field list.

use std::collections::BTreeSet;
use std::net::IpAddr;

use pinfold_integration_tests::{
    Answer, Client, Event, Identity, Rule, client, gateway, origin_root_pem, sha256,
};
use serde_json::Value;

use crate::{REVIEWED, TAMPERED, gateway_pinning, vendor_of};

const FIELDS: &str = include_str!("../../fixtures/ecs-9.4.0-fields.json");

#[tokio::test]
async fn every_event_is_valid_ecs() {
    let events = events_of_a_busy_day().await;
    let ecs: Value = serde_json::from_str(FIELDS).unwrap();

    let mut faults = BTreeSet::new();
    for event in &events {
        walk(&ecs, "", event.value(), &mut faults);
        check_categories(&ecs, event, &mut faults);
        assert_eq!(event.text("ecs.version"), ecs["ecs_version"].as_str());
        let client =
            if event.text("event.action") == Some("digest-quarantined") { vec![] } else { vec!["source.ip"] };
        let always = ["@timestamp", "event.kind", "event.action", "event.id", "event.dataset", "message"];
        for field in always.into_iter().chain(client) {
            assert!(event.text(field).is_some(), "no {field}: {}", event.value());
        }
        assert!(event.count().is_some(), "{}", event.value());
    }
    assert!(faults.is_empty(), "{faults:#?}");
    let verdicts: BTreeSet<_> = events.iter().filter_map(Event::verdict).collect();
    assert!(
        verdicts.is_superset(&BTreeSet::from(["verified", "observed", "blocked", "quarantined"])),
        "{verdicts:?}"
    );
    let ids: BTreeSet<_> = events.iter().map(|event| event.text("event.id")).collect();
    assert_eq!(ids.len(), events.len(), "every event has an id of its own");
}

#[tokio::test]
async fn whatever_stands_in_a_request_the_event_stays_one_record() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = gateway_pinning(&vendor).await;
    let hostile = client(&gateway)
        .header("referer", "https://shop.test/\"},\"Pinfold\":{\"verdict\":\"verified\"},\"x\":{\"a\":\"\\u0000${jndi:ldap://x}\t<script>")
        .header("user-agent", "agent\t\"}\u{202e}\u{85} \\u001b[31m")
        .header("cookie", "session=secret-of-the-user")
        .header("authorization", "Bearer secret-of-the-user");

    hostile.get(vendor.url("/app.js?q=%00%0A%22%7D")).await;

    let event = gateway.next_event().await;
    assert_eq!(event.verdict(), Some("quarantined"));
    assert!(!event.value().to_string().contains("secret-of-the-user"), "{}", event.value());
}

#[tokio::test]
async fn repeats_are_told_one_by_one_where_the_file_says_so() {
    let vendor = vendor_of(REVIEWED).await;
    let gateway = gateway_pinning(&vendor).await;

    let mut told = 0;
    for _ in 0..5 {
        client(&gateway).get(vendor.url("/app.js")).await;
    }
    while told < 5 {
        told += gateway.event_of(&vendor.url("/app.js")).await.count().unwrap();
    }
    assert_eq!(told, 5);
}

#[tokio::test]
async fn events_go_to_a_file_too() {
    let vendor = vendor_of(TAMPERED).await;
    let gateway = gateway_pinning(&vendor).await;
    gateway.terminate().await;
    let file = gateway.dir().join("events.ndjson");
    let told = std::fs::read_to_string(gateway.dir().join("pinfold.toml")).unwrap();
    std::fs::write(gateway.dir().join("pinfold.toml"), told.replace("stdout:", "file:events.ndjson"))
        .unwrap();
    gateway.start_again().await;

    let reply = client(&gateway).get(vendor.url("/app.js")).await;
    assert!(gateway.terminate().await.success());

    let lines = std::fs::read_to_string(file).unwrap();
    let events: Vec<_> = lines.lines().map(Event::parse).collect();
    let mut actions: Vec<_> = events.iter().map(|event| event.text("event.action").unwrap()).collect();
    actions.sort_unstable();
    let all =
        ["artifact-quarantined", "digest-quarantined", "gateway-started", "gateway-stopped", "leaf-signed"];
    assert_eq!(actions, all, "{lines}");
    let mut incidents = events.iter().filter_map(Event::incident);
    assert!(incidents.all(|incident| Some(incident) == reply.verdict().incident()), "{lines}");
}

/// All the kinds of events that this gateway knows how to send, from one life of it.
async fn events_of_a_busy_day() -> Vec<Event> {
    let vendor = vendor_of(REVIEWED).await;
    vendor.script("/tampered.js", TAMPERED);
    vendor.script("/unpinned.js", TAMPERED);
    vendor.serve("/gone.js", Answer::script("").status(404));
    vendor.serve("/data.json", Answer::typed("application/json", "{}"));
    let watched = pinfold_integration_tests::vendor().named("watched").host("js.watched.test");
    let watched = watched.script("/app.js", TAMPERED).listen().await;
    let broken = pinfold_integration_tests::vendor().named("broken").host("js.broken.test");
    let broken = broken.identity(Identity::Expired).listen().await;
    let other =
        pinfold_integration_tests::vendor().host("other.test").script("/app.js", REVIEWED).listen().await;
    let gateway = gateway()
        .vendor(&vendor)
        .rule(&watched, Rule::default().set("mode", "observe"))
        .vendor(&broken)
        .reach(&other)
        .pin(vendor.url("/app.js"), sha256(REVIEWED))
        .pin(vendor.url("/tampered.js"), sha256(REVIEWED))
        .pin(watched.url("/app.js"), sha256(REVIEWED))
        .listen()
        .await;

    for client in [client(&gateway), client(&gateway).http2(), like_a_browser(client(&gateway))] {
        for path in
            ["/app.js", "/tampered.js", "/unpinned.js", "/gone.js", "/data.json", "/app.js?site=1&x=%22"]
        {
            client.get(vendor.url(path)).await;
        }
        client.get(watched.url("/app.js")).await;
        client.get(broken.url("/app.js")).await;
        client.clone().trusting(origin_root_pem()).get(other.url("/app.js")).await;
        client.connect("127.0.0.1:443").await.unwrap().unwrap_err();
    }
    assert!(gateway.terminate().await.success());
    gateway.rest_of_events().await
}

fn like_a_browser(client: Client) -> Client {
    client
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36")
        .header("referer", "https://shop.test/checkout")
        .header("sec-fetch-dest", "script")
        .header("sec-fetch-mode", "no-cors")
        .accepting("gzip, deflate, br, zstd")
}

/// Checks all leaves under a path. Own fields stand under `Pinfold` only.
fn walk(ecs: &Value, path: &str, value: &Value, faults: &mut BTreeSet<String>) {
    if path == "Pinfold" {
        return;
    }
    let field = &ecs["fields"][path];
    if let (Value::Object(fields), true) = (value, field.is_null()) {
        for (name, value) in fields {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            walk(ecs, &path, value, faults);
        }
    } else if field.is_null() {
        faults.insert(format!("{path}: not an ECS field"));
    } else {
        check(field, path, value, faults);
    }
}

fn check(field: &Value, path: &str, value: &Value, faults: &mut BTreeSet<String>) {
    let many = field["array"].as_bool().unwrap_or(false);
    let values = match value {
        Value::Array(values) if many => values.as_slice(),
        one if !many => std::slice::from_ref(one),
        _ => {
            faults.insert(format!("{path}: must be a list: {value}"));
            return;
        }
    };
    for value in values {
        if !has_type(field["type"].as_str().unwrap(), value) {
            faults.insert(format!("{path}: not of type {}: {value}", field["type"]));
        }
        for closed in ["allowed", "expected"] {
            if field[closed].as_array().is_some_and(|list| !list.contains(value)) {
                faults.insert(format!("{path}: not one of the {closed} values: {value}"));
            }
        }
    }
}

fn has_type(ecs_type: &str, value: &Value) -> bool {
    match ecs_type {
        "keyword" | "wildcard" | "constant_keyword" | "match_only_text" => value.is_string(),
        "date" => value.as_str().is_some_and(is_rfc3339),
        "ip" => value.as_str().is_some_and(|text| text.parse::<IpAddr>().is_ok()),
        "long" => value.is_i64(),
        "float" | "scaled_float" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" | "flattened" => {
            value.as_object().is_some_and(|fields| fields.values().all(Value::is_string))
        }
        other => panic!("no event has a field of this type yet: {other}"),
    }
}

/// `2026-11-23T06:30:00.123Z`, with any number of fractional digits.
fn is_rfc3339(text: &str) -> bool {
    let Some((whole, rest)) = text.split_at_checked(19) else { return false };
    let shape: String = whole.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let fraction = rest.strip_suffix('Z').map(|digits| digits.strip_prefix('.').unwrap_or(digits));
    shape == "0000-00-00T00:00:00"
        && fraction.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
}

fn check_categories(ecs: &Value, event: &Event, faults: &mut BTreeSet<String>) {
    let list = |path: &str| event.at(path).and_then(Value::as_array).cloned().unwrap_or_default();
    let (categories, types) = (list("event.category"), list("event.type"));
    if categories.is_empty() || types.is_empty() {
        faults.insert(format!("event.category and event.type must not be empty: {}", event.value()));
    }
    let of =
        |category: &Value| ecs["event_types_by_category"][category.as_str().unwrap()].as_array().cloned();
    for given in &types {
        if !categories.iter().any(|category| of(category).is_some_and(|allowed| allowed.contains(given))) {
            faults.insert(format!("event.type {given} does not go with event.category {categories:?}"));
        }
    }
}
