//! Records with misspelt and unknown names.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Catalog, Validator, Verdict, reference};
use crate::intake::position::TextPosition;

const DECLARED: &[&str] =
    &["id", "at", "value", "values", "temp_max_c", "temp_min_c", "grün", "more", "inner", "outer"];

/// A schema with names that resemble each other, one of which is required and not declared.
fn catalog(is_closed: bool) -> Catalog {
    let inner = json!({
        "type": "object",
        "properties": {"inner": {"type": "number"}, "temp_max_c": {}},
        "required": ["inner", "outer"],
        "additionalProperties": !is_closed
    });
    let schema = json!({
        "type": "object",
        "properties": {
            "id": {}, "at": {}, "value": {"type": "number"}, "values": {"type": "array", "items": inner},
            "temp_max_c": {"type": "number"}, "temp_min_c": {"type": "number"}, "grün": {},
            "more": {"type": "object", "additionalProperties": false}
        },
        "required": ["value", "temp_min_c", "temp_mix_c", "grün"],
        "additionalProperties": !is_closed,
        "x-eventpulse": {"entity": "/id", "time": "/at", "measures": {"value": "/value"}}
    });
    Catalog::compile(&[("t/1.0.json", &schema.to_string())]).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// A declared name with at most three changes, or another name.
fn any_name() -> impl Strategy<Value = String> {
    let letters = prop::sample::select("aeinmpuxVT_- .`é…\"\\\n".chars().collect::<Vec<_>>());
    let changes = prop::collection::vec((0..4_u8, 0..12_usize, letters), 0..4);
    let misspelt = (prop::sample::select(DECLARED), changes).prop_map(|(name, changes)| {
        let mut name: Vec<char> = name.chars().collect();
        for (change, at, letter) in changes {
            let at = at % (name.len() + 1);
            match change {
                0 => name.insert(at, letter),
                1 if at < name.len() => drop(name.remove(at)),
                2 if at + 1 < name.len() => name.swap(at, at + 1),
                _ if at < name.len() => name[at] = letter,
                _ => {}
            }
        }
        name.into_iter().collect::<String>()
    });
    let long = (60..70_usize, "[`é]").prop_map(|(length, end)| "x".repeat(length) + &end);
    prop_oneof![12 => misspelt, 1 => "[a-z`]{0,3}", 1 => long]
}

/// The text of an object with these names in this order.
fn object(members: Vec<(String, String)>) -> String {
    let members: Vec<String> = members.into_iter().map(|(name, value)| format!("{}: {value}", json!(name))).collect();
    format!("{{{}}}", members.join(", "))
}

fn any_record() -> impl Strategy<Value = String> {
    let value = || prop::sample::select(vec!["1", "\"1,5\"", "null", "[1]", "[[], {}]", "{\"a\": 1}", "{}"]);
    let members = || prop::collection::vec((any_name(), value().prop_map(str::to_owned)), 1..5);
    let objects = |most| prop::collection::vec(members().prop_map(object), 0..most);
    let array = objects(4).prop_map(|elements| ("values".to_owned(), format!("[{}]", elements.join(",\n"))));
    let other = ("more|outer", members().prop_map(object));
    let nested = prop_oneof![array, other];
    (members(), prop::option::of(nested)).prop_map(|(mut members, nested)| {
        members.extend(nested);
        object(members)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Each record is checked several times, with other names of the same forms between, so that most are of a known kind.
    #[test]
    fn misspelt_names_have_the_failures_of_their_own_description(
        records in prop::collection::vec(any_record(), 40),
        is_closed: bool,
    ) {
        let catalog = catalog(is_closed);
        let mut validator = Validator::new(&catalog, None, reference("t/1.0"));
        let mut plain = Validator::new(&catalog, None, reference("t/1.0")).without_known_rejections();
        let mut known = 0;
        let others = |record: &String| [record.clone(), record.replace('m', "é"), record.replace('u', "m")];
        for record in records.iter().flat_map(others) {
            let Verdict::Rejected { failures: expected, .. } = plain.check(record.as_bytes()) else { continue };
            let verdict = validator.check(record.as_bytes());
            let Verdict::Rejected { failures, .. } = verdict else { panic!("{record}") };
            let lines: Vec<Value> = expected.iter().map(|failure| json!(failure)).collect();
            prop_assert_eq!(&*failures, &*expected, "{}", record);
            let Ok(failures) = failures.into_known() else { continue };
            known += 1;
            let positions = failures.positions(TextPosition::START);
            for (failure, expected) in failures.kind.failures.iter().zip(lines) {
                let mut line = Vec::new();
                failure.write_json(positions[failure.position], &|number| failures.name(number), &mut line);
                prop_assert_eq!(serde_json::from_slice::<Value>(&line).unwrap(), expected, "{}", record);
            }
        }
        prop_assert!(known > 10, "only {} are known", known);
    }
}
