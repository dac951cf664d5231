//! `deploy/elastic`: what an index is told of the fields is what the code writes.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const TEMPLATE: &str = include_str!("../../../../deploy/elastic/index-template.json");
const PIPELINE: &str = include_str!("../../../../deploy/elastic/ingest-pipeline.json");

/// Each field that is ever written, with a value of it.
fn written() -> BTreeMap<String, Value> {
    let mut cut = exchange(Outcome::Verified, None);
    cut.rule = Some("cooldown 01KB3Z5V9QJ8R2M4T6W8Y0A1CD".into());
    cut.asker.user_agent = Some("a".repeat(2000).into());
    let mut written = BTreeMap::new();
    for event in every_event().into_iter().chain([once(cut)]) {
        walk("", &value(&event), &mut |path, leaf| {
            written.insert(path.to_owned(), leaf.clone());
        });
    }
    written
}

/// The processors of the pipeline, by name, those for failures too.
fn processors() -> Vec<(String, Value)> {
    let pipeline: Value = serde_json::from_str(PIPELINE).unwrap();
    let lists = ["processors", "on_failure"].map(|list| pipeline[list].as_array().unwrap().clone());
    let all = lists.into_iter().flatten();
    all.flat_map(|processor| processor.as_object().unwrap().clone()).collect()
}

/// What the pipeline adds.
fn added() -> BTreeSet<String> {
    let fields = processors().into_iter().filter(|(name, _)| name == "set");
    let fields = fields.map(|(_, set)| set["field"].as_str().unwrap().to_owned());
    fields.filter(|field| field != "_id").collect()
}

/// Calls `check` with the dotted path and the mapping of every field.
fn mapped(path: &str, properties: &Value, check: &mut impl FnMut(&str, &Value)) {
    for (name, mapping) in properties.as_object().unwrap() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match mapping.get("properties") {
            Some(inner) => mapped(&path, inner, check),
            None => check(&path, mapping),
        }
    }
}

/// What ECS says of a field, or what its value says where it is pinfold's own.
fn type_of(ecs: &Value, path: &str, value: Option<&Value>) -> String {
    if let Some(kind) = ecs["fields"][path]["type"].as_str() {
        return kind.to_owned();
    }
    let value = value.unwrap_or_else(|| panic!("{path} is no field of ECS"));
    let one = value.as_array().map_or(value, |values| &values[0]);
    match one {
        Value::String(_) => "keyword",
        Value::Number(_) => "long",
        Value::Bool(_) => "boolean",
        Value::Null | Value::Array(_) | Value::Object(_) => panic!("{path}: {one}"),
    }
    .to_owned()
}

#[test]
fn the_index_template_maps_exactly_what_is_written_with_the_types_of_ecs() {
    let (ecs, template): (Value, Value) =
        (serde_json::from_str(ECS).unwrap(), serde_json::from_str(TEMPLATE).unwrap());
    let written = written();
    let mut seen = BTreeSet::new();
    mapped("", &template["template"]["mappings"]["properties"], &mut |path, mapping| {
        let kind = mapping["type"].as_str().unwrap();
        assert_eq!(kind, type_of(&ecs, path, written.get(path)), "{path}");
        // A value longer than that is never written.
        let bound = (kind == "keyword").then_some(1024);
        assert_eq!(mapping.get("ignore_above").and_then(Value::as_u64), bound, "{path}");
        seen.insert(path.to_owned());
    });
    let wanted: BTreeSet<_> = written.into_keys().chain(added()).collect();
    assert_eq!(seen, wanted);
}

#[test]
fn the_index_template_is_of_the_data_stream_that_events_name_and_asks_for_the_pipeline() {
    let template: Value = serde_json::from_str(TEMPLATE).unwrap();
    let event = value(&once(exchange(Outcome::Verified, None)));
    let stream = |field: &str| at(&event, &format!("data_stream.{field}")).as_str().unwrap().to_owned();
    let pattern = format!("{}-{}-*", stream("type"), stream("dataset"));
    assert_eq!(template["index_patterns"], json!([pattern]));
    assert_eq!(template["data_stream"], json!({}));
    assert_eq!(template["template"]["settings"]["index"]["default_pipeline"], stream("dataset"));
    assert_eq!(template["template"]["mappings"]["dynamic"], false, "nobody's field makes the index grow");
}

#[test]
fn the_pipeline_reads_what_events_have() {
    let written = written();
    for (name, processor) in processors() {
        assert!(["json", "fail", "set"].contains(&&*name), "{name}");
        assert!(processor["tag"].is_string(), "{processor}");
        let value = processor["value"].as_str().unwrap_or_default();
        let templates = value.split("{{{").skip(1).filter_map(|rest| rest.split("}}}").next());
        for field in templates.chain(processor["copy_from"].as_str()) {
            assert!(field.starts_with("_ingest.") || written.contains_key(field), "{field}");
        }
    }
    let ids = processors().into_iter().filter(|(_, processor)| processor["field"] == "_id");
    assert_eq!(ids.map(|(_, id)| id["value"].clone()).collect::<Vec<_>>(), ["{{{event.id}}}"]);
}
