use pinfold_policy::reason::Reason;
use pinfold_policy::verdict::Outcome;
use serde_json::Map;

use super::*;
use crate::ecs::tests::{bare, every_event, exchange, notice, observer, once};

const OCSF: &str = include_str!("../../../integration-tests/fixtures/ocsf-1.8.0-4002-2004.json");
const EXAMPLES: [&str; 2] = [
    include_str!("../../../integration-tests/fixtures/example-ocsf-4002.json"),
    include_str!("../../../integration-tests/fixtures/example-ocsf-2004.json"),
];

fn value(event: &Event) -> Value {
    fields(event, &crate::ecs::fields(event, &observer())).into()
}

/// The schema: what an object or a class may hold, and must.
struct Schema(Value);

impl Schema {
    fn new() -> Self {
        Self(serde_json::from_str(OCSF).unwrap())
    }

    /// Checks one event against its class.
    fn check_event(&self, event: &Value) {
        let class = event["class_uid"].as_u64().unwrap();
        let profiles: Vec<_> = event["metadata"]["profiles"].as_array().cloned().unwrap_or_default();
        if class != 0 {
            let class = &self.0["classes"][class.to_string()];
            return self.check("", event.as_object().unwrap(), class, &profiles);
        }
        // The base event has what all classes have, and no profile.
        let mut base = self.0["classes"]["4002"].clone();
        let other = &self.0["classes"]["2004"]["attributes"];
        base["attributes"]
            .as_object_mut()
            .unwrap()
            .retain(|name, of| other.get(name).is_some() && of.get("profile").is_none());
        base["constraints"] = json!({});
        for (name, numbers) in [("class_uid", ["0"]), ("category_uid", ["0"]), ("type_uid", ["99"])] {
            base["attributes"][name]["enum"] = json!(numbers);
        }
        self.check("", event.as_object().unwrap(), &base, &[]);
    }

    fn check(&self, path: &str, object: &Map<String, Value>, schema: &Value, profiles: &[Value]) {
        let attributes = schema["attributes"].as_object().unwrap();
        let applies = |of: &Value| of.get("profile").is_none_or(|profile| profiles.contains(profile));
        for (name, value) in object {
            let path = format!("{path}.{name}");
            let of = attributes.get(name).unwrap_or_else(|| panic!("{path} is no attribute"));
            assert!(applies(of), "{path} needs a profile");
            assert!(of.get("deprecated").is_none(), "{path} is deprecated");
            assert_eq!(value.is_array(), of["array"] == true, "{path}");
            for value in value.as_array().unwrap_or(&vec![value.clone()]) {
                self.check_value(&path, value, of, profiles);
            }
        }
        for (name, of) in attributes {
            let is_required = of["requirement"] == "required" && applies(of);
            assert!(!is_required || object.contains_key(name), "{path}.{name} is required");
        }
        if let Some(one_of) = schema["constraints"]["at_least_one"].as_array() {
            assert!(one_of.iter().any(|name| object.contains_key(name.as_str().unwrap())), "{path}");
        }
    }

    fn check_value(&self, path: &str, value: &Value, of: &Value, profiles: &[Value]) {
        let kind = of["type"].as_str().unwrap();
        let schema = &self.0["objects"][kind];
        let is_valid = match kind {
            _ if schema.is_object() => {
                let object = value.as_object().unwrap_or_else(|| panic!("{path}: {value}"));
                return self.check(path, object, schema, profiles);
            }
            "object" | "json_t" => true,
            "boolean_t" => value.is_boolean(),
            "integer_t" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
            "long_t" | "timestamp_t" => value.is_i64(),
            "port_t" => value.as_u64().is_some_and(|port| port < 65_536),
            "ip_t" => value.as_str().is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok()),
            _ => value.as_str().is_some_and(|text| !text.is_empty()),
        };
        assert!(is_valid, "{path} is no {kind}: {value}");
        if let Some(allowed) = of["enum"].as_array() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            assert!(allowed.contains(&json!(text)), "{path}: {value}");
        }
    }
}

#[test]
fn the_valid_examples_pass_the_checks() {
    for example in EXAMPLES {
        Schema::new().check_event(&serde_json::from_str(example).unwrap());
    }
}

#[test]
fn every_event_is_valid() {
    let schema = Schema::new();
    for event in every_event() {
        let value = value(&event);
        schema.check_event(&value);
        let (class, activity) =
            (value["class_uid"].as_u64().unwrap(), value["activity_id"].as_u64().unwrap());
        assert_eq!(value["type_uid"], class * 100 + activity);
    }
}

#[test]
fn a_quarantined_script_says_what_it_says_in_ecs() {
    let event = value(&once(exchange(Outcome::Quarantined, Some(Reason::DigestMismatch))));
    for (pointer, expected) in [
        ("/class_uid", json!(4002)),
        ("/type_uid", json!(400_203)),
        ("/time", json!(1_795_415_400_123_i64)),
        ("/end_time", json!(1_795_415_400_164_i64)),
        ("/duration", json!(41)),
        ("/severity", json!("High")),
        ("/status", json!("Failure")),
        ("/status_code", json!("digest-mismatch")),
        ("/action", json!("Denied")),
        ("/disposition", json!("Quarantined")),
        ("/is_alert", json!(true)),
        ("/count", json!(1)),
        ("/attacks/0/sub_technique/uid", json!("T1195.002")),
        ("/metadata/uid", json!("019c1a4e-7b2d-7c31-9d55-3f2a6e80b1c4")),
        ("/metadata/event_code", json!("PF-1002")),
        ("/src_endpoint/ip", json!("10.20.30.40")),
        ("/actor/user/name", json!("ada")),
        ("/dst_endpoint/ip", json!("203.0.113.10")),
        ("/proxy_tls/version", json!("1.3")),
        ("/tls/version", json!("1.2")),
        ("/http_request/url/url_string", json!("https://cdn.eu.vendor.co.uk:8443/w/3.2.1/widget.min.js?v=1")),
        ("/http_request/url/port", json!(8443)),
        ("/http_request/referrer", json!("https://shop.test/checkout")),
        ("/http_response/code", json!(403)),
        ("/proxy_http_response/code", json!(200)),
        ("/file/hashes/0/value", json!("ab".repeat(32))),
        ("/policy/uid", json!("pins.toml:14")),
        ("/unmapped/pinfold/verdict", json!("quarantined")),
        ("/unmapped/tls/server/hash/sha256", json!("AB".repeat(32))),
    ] {
        assert_eq!(event.pointer(pointer), Some(&expected), "{pointer}");
    }
    assert_eq!(value(&once(bare(Reason::Loop))).pointer("/file"), None);
}

#[test]
fn an_item_of_the_quarantine_is_one_finding_from_its_first_refusal_to_its_decision() {
    let stages = [What::Quarantined, What::ApprovalPending, What::Approved, What::Rejected];
    let told: Vec<_> = stages.map(|what| value(&Event::Notice(notice(what)))).into();
    let activities: Vec<_> = told.iter().map(|event| event["activity_name"].as_str().unwrap()).collect();
    assert_eq!(activities, ["Create", "Update", "Close", "Close"]);
    let states: Vec<_> = told.iter().map(|event| event["disposition"].as_str().unwrap()).collect();
    assert_eq!(states, ["Quarantined", "Quarantined", "Approved", "Rejected"]);
    for event in &told {
        assert_eq!(event["class_uid"], 2004);
        assert_eq!(event["finding_info"]["uid"], told[0]["finding_info"]["uid"]);
        assert_eq!(event["evidences"][0]["file"]["hashes"][0]["value"], "ab".repeat(32));
    }
}
