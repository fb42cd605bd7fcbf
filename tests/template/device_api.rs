//! Requests of devices: the bodies that the gateway refuses, and the message that it sends to the queue.

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};

use crate::expanded::{properties, repository, strings, text};

/// Checks that a value of the client cannot end its parameter and start another one.
#[test]
fn each_value_in_a_message_is_encoded() {
    let template = &properties("DataMethod")["Integration"]["RequestTemplates"]["application/json"]["Fn::Join"];
    assert_eq!(template[0], "&");
    let parts = strings(&template[1]);
    let values: Vec<_> = parts.iter().filter_map(|part| part.strip_prefix("Message")?.split_once('=')).collect();
    assert!(values.len() > 10, "{values:?}");
    for (name, value) in values.iter().filter(|(_, value)| value.contains('$')) {
        // A directive of the template may follow the value.
        let value = value.trim_end_matches("#end").trim_end_matches("#if(\"$!key\" != \"\")");
        let inner = value.strip_prefix("$util.urlEncode($").and_then(|rest| rest.strip_suffix(')'));
        let inner = inner.map(|inner| inner.trim_start_matches("util.base64Encode($").trim_end_matches(')'));
        let is_one =
            inner.is_some_and(|inner| inner.bytes().all(|it| it.is_ascii_alphanumeric() || b"._".contains(&it)));
        assert!(is_one, "Message{name}={value}");
    }
}

/// Returns the required members of each schema's highest minor version, by `name/major.minor`.
fn required_members() -> BTreeMap<String, Value> {
    let mut highest = BTreeMap::new();
    for folder in fs::read_dir(repository().join("schemas")).unwrap().map(|entry| entry.unwrap().path()) {
        for file in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
            let (major, minor) = file.file_stem().unwrap().to_str().unwrap().split_once('.').unwrap();
            let version: (u32, u32) = (major.parse().unwrap(), minor.parse().unwrap());
            let best = highest.entry((name, version.0)).or_insert((version.1, file.clone()));
            if version.1 >= best.0 {
                *best = (version.1, file);
            }
        }
    }
    let members = |file| serde_json::from_slice::<Value>(&fs::read(file).unwrap()).unwrap()["required"].clone();
    highest
        .into_iter()
        .map(|((name, major), (minor, file))| (format!("{name}/{major}.{minor}"), members(file)))
        .collect()
}

#[test]
fn the_model_refuses_only_bodies_that_no_schema_accepts() {
    let required: Vec<_> = required_members().into_values().map(|members| json!({ "required": members })).collect();
    let record = json!({ "type": "object", "anyOf": required });
    let right = json!({
        "$schema": "http://json-schema.org/draft-04/schema#",
        "anyOf": [
            record,
            { "type": "array", "minItems": 1, "maxItems": 500, "not": { "items": { "not": record } } },
        ],
    });
    let model = &properties("DataModel")["Schema"];
    assert!(*model == right, "the schemas have changed. Set the Schema of DataModel in template.yaml to\n{right:#}");

    let accepts = jsonschema::draft4::new(model).unwrap();
    let reading = json!({ "device_id": "1", "timestamp": "t", "value": 1 });
    let weather = json!({ "station": "a", "observed_at": 3, "more": null });
    for (is_accepted, body) in [
        (true, reading.clone()),
        (true, weather.clone()),
        (true, json!({ "device_id": null, "readings": "wrong" })),
        (true, json!([reading])),
        (true, json!([1, {}, weather, []])),
        (true, json!(vec![reading.clone(); 500])),
        (false, json!(vec![reading.clone(); 501])),
        (false, json!([])),
        (false, json!([{}, 1])),
        (false, json!([[reading]])),
        (false, json!({})),
        (false, json!({ "device_id": "1" })),
        (false, json!("device_id, timestamp, value")),
        (false, Value::Null),
    ] {
        assert_eq!(accepts.is_valid(&body), is_accepted, "{body}");
    }
}

#[test]
fn the_response_to_a_refused_body_names_the_required_members() {
    let schemas: Vec<_> =
        required_members().iter().map(|(name, required)| format!("{name}: {}", strings(required).join(", "))).collect();
    let right = format!("({})", schemas.join("; "));
    let response = text(&properties("DeviceBadBodyResponse")["ResponseTemplates"]["application/json"]);
    assert!(response.contains(&right), "the schemas have changed. Put into BadBody of DeviceResponses: {right}");
}
