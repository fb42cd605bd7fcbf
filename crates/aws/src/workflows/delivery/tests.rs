//! The events of `events/object-created*.json`, as AWS and the emulator write them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;

fn delivery_of(file: &str) -> Delivery {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events").join(file);
    let event: Value = serde_json::from_slice(&fs::read(&path).expect(file)).expect(file);
    assert_eq!((&event["source"], &event["detail-type"]), (&json!("aws.s3"), &json!("Object Created")), "{file}");
    let created: ObjectCreated = serde_json::from_value(event["detail"].clone()).expect(file);
    created.delivery(event["id"].as_str().expect(file))
}

#[test]
fn events_of_aws_and_the_emulator_are_read() {
    let upload = "uploads/up_01JN68TZC0CNV6AVKME1TPRWV5";
    let (aws, emulator) =
        ("eventpulse-process-123456789012-eu-central-1", "eventpulse-process-000000000000-eu-central-1");
    let version = Some("3HL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY");
    for (file, bucket, key, version_id, size, id) in [
        (
            "object-created.json",
            aws,
            format!("{upload}/reading.json"),
            version,
            75,
            "17793124-05d4-b198-2fde-7ededc63b103",
        ),
        (
            "object-created.hostile-key.json",
            aws,
            format!("{upload}/a b+c%2B é.json"),
            version,
            78,
            "2ee9cc15-d022-99ea-1fb8-1b1bac4850f9",
        ),
        (
            "object-created.operator.json",
            aws,
            "uploads/by hand/readings.ndjson".to_owned(),
            version,
            6_442_450_944,
            "8f5a0c0e-6a1b-4d7a-9c55-0d3f2b7e9a10",
        ),
        (
            "object-created.emulator.json",
            emulator,
            format!("{upload}/a b+c%2B é.json"),
            None,
            78,
            "6c7b1f3e-2f0d-4a53-9a6e-0d3c0c6f1b77",
        ),
    ] {
        let expected = Delivery {
            bucket: bucket.to_owned(),
            key,
            version_id: version_id.map(str::to_owned),
            size,
            correlation_id: id.to_owned(),
        };
        assert_eq!(delivery_of(file), expected, "{file}");
    }
}

#[test]
fn only_the_key_is_required() {
    let read = |object: Value| {
        let detail = json!({ "bucket": { "name": "b" }, "object": object });
        serde_json::from_value::<ObjectCreated>(detail).ok().map(|created| created.delivery("e1"))
    };
    let bare = Delivery { bucket: "b".into(), key: "k".into(), version_id: None, size: 0, correlation_id: "e1".into() };
    for (name, object, expected) in [
        ("only a key", json!({ "key": "k" }), Some(bare.clone())),
        ("an empty version", json!({ "key": "k", "version-id": "" }), Some(bare.clone())),
        ("no version", json!({ "key": "k", "version-id": null }), Some(bare.clone())),
        (
            "the version of an object from before versioning",
            json!({ "key": "k", "version-id": "null" }),
            Some(Delivery { version_id: Some("null".into()), ..bare }),
        ),
        ("no key", json!({ "size": 1 }), None),
        ("a size that is not a number", json!({ "key": "k", "size": "1" }), None),
    ] {
        assert_eq!(read(object), expected, "{name}");
    }
}
