//! Verdicts against those of jsonschema on `serde_json::Value`, for generated records.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn any_value() -> impl Strategy<Value = Value> {
    let other = prop::sample::select(vec![json!("x"), json!(null), json!(true), json!({}), json!([]), json!("")]);
    prop_oneof![4 => any::<i32>().prop_map(Value::from), 2 => any::<f64>().prop_map(Value::from), 1 => other]
}

fn any_text() -> impl Strategy<Value = Value> {
    prop_oneof![6 => "[a-zé]{1,3}".prop_map(Value::from), 1 => prop::sample::select(vec![json!(""), json!(5), json!(null)])]
}

fn any_time() -> impl Strategy<Value = Value> {
    let good = "20[0-9]{2}-0[1-9]-[0-2][0-9]T[01][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,3})?Z";
    prop_oneof![8 => good.prop_map(Value::from), 1 => any_text()]
}

fn any_reading() -> impl Strategy<Value = Value> {
    (any_time(), any_value(), prop::option::weighted(0.1, "valeu|x|y/~")).prop_map(|(at, value, stranger)| {
        let mut reading = json!({"timestamp": at, "value": value});
        if let Some(name) = stranger {
            reading[name] = 1.into();
        }
        reading
    })
}

/// Records that are almost good, for every bundled schema.
fn almost_good() -> impl Strategy<Value = Value> {
    let sky = prop::sample::select(vec!["sun", "grey"]);
    let reading = (any_text(), any_reading()).prop_map(|(id, mut reading)| {
        reading["device_id"] = id;
        reading
    });
    let batch = (any_text(), prop::collection::vec(any_reading(), 0..4))
        .prop_map(|(id, readings)| json!({"schema": "batch/1.0", "device_id": id, "readings": readings}));
    let weather = (any_text(), any_time(), any_value(), any_value(), sky).prop_map(|(id, at, max, wind, sky)| {
        json!({"schema": "weather/1.0", "station": id, "observed_at": at, "temp_max_c": max, "wind_m_s": wind, "sky": sky})
    });
    prop_oneof![reading, batch, weather]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn verdicts_agree_with_jsonschema_on_value(records in prop::collection::vec(almost_good(), 16)) {
        let catalog = Catalog::bundled().unwrap();
        let plain = |name: &str| jsonschema::options()
            .should_validate_formats(true)
            .with_format("date-time", |text: &str| Timestamp::parse(text).is_some())
            .build(catalog.schema(&SchemaId::parse(name).unwrap()).unwrap()).unwrap();
        let plains = ["reading/1.0", "batch/1.0", "weather/1.0"].map(|name| (name, plain(name)));
        let mut validator = Validator::new(&catalog, None, reference("reading/1.0"));
        for record in records {
            let name = record.get("schema").and_then(Value::as_str).unwrap_or("reading/1.0");
            let (_, plain) = plains.iter().find(|(known, _)| *known == name).unwrap();
            let text = record.to_string();
            let verdict = validator.check(text.as_bytes());
            let accepted = matches!(verdict, Verdict::Accepted { .. });
            prop_assert_eq!(accepted, plain.is_valid(&record), "{} {:?}", record, verdict);
            if let Verdict::Rejected { failures, .. } = verdict {
                let found: BTreeSet<String> = failures.iter().map(|failure| failure.pointer.clone()).collect();
                let expected: BTreeSet<String> = plain.iter_errors(&record).map(|error| error.instance_path().to_string()).collect();
                prop_assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn no_input_panics(record in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "\\PC{0,100}".prop_map(String::into_bytes),
        (almost_good(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(record, at, byte)| {
            let mut text = record.to_string().into_bytes();
            let at = at.index(text.len());
            text[at] = byte;
            text
        }),
    ]) {
        let catalog = Catalog::bundled().unwrap();
        let mut validator = Validator::new(&catalog, None, reference("reading/1.0"));
        match validator.check(&record) {
            Verdict::Accepted { points, .. } => points.for_each(|point| assert!(point.value.is_finite())),
            Verdict::Rejected { failures, .. } => {
            prop_assert!(!failures.is_empty() && failures.len() <= MAX_FAILURES);
            for failure in failures.iter() {
                prop_assert!(failure.byte_offset.unwrap() <= record.len() as u64);
                let lines = record.iter().take(failure.byte_offset.unwrap() as usize).filter(|&&byte| byte == b'\n').count() as u64;
                prop_assert_eq!(failure.line.unwrap(), lines + 1);
            }
        }}
    }
}
