//! Compares the tape with `serde_json::Value`, and tests every failure of reading.

use jsonschema::json::{Array, JsonNumber, Node};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::locate::position;
use super::*;
use crate::intake::failure::FailureCode;

/// Returns the tape as a `Value`. Does not use [`Node::to_value`], which masks values.
fn value(node: TapeNode<'_>) -> Value {
    if let Some(object) = node.object() {
        return object.members().map(|(name, member)| (name.to_owned(), value(member))).collect();
    }
    if let Some(array) = node.array() {
        return array.elements().map(value).collect();
    }
    match (node.text(), node.number(), node.as_boolean()) {
        (Some(text), ..) => text.into(),
        (_, Some(number), _) => Value::Number(number.to_number().into_owned()),
        (.., Some(boolean)) => boolean.into(),
        _ => Value::Null,
    }
}

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

/// The name and the text of a case; the code, pointer, line and byte offset of its failure.
type Unread<'a> = (&'a str, &'a [u8], FailureCode, &'a str, u64, u64);

#[test]
fn invalid_texts_have_failures() {
    let deep_65 = nested(65);
    let deep_objects = r#"{"a":"#.repeat(65) + "1" + &"}".repeat(65);
    let many_members: String = (0..20).map(|i| format!("\"m{}\":0,", i % 19)).collect();
    let many_members = format!("{{{}}}", many_members.trim_end_matches(','));
    let rows: &[Unread<'_>] = &[
        ("empty", b"", FailureCode::NotJson, "", 1, 0),
        ("white space", b" \n\t ", FailureCode::NotJson, "", 1, 0),
        ("a word", b"hello", FailureCode::NotJson, "", 1, 0),
        ("NaN", br#"{"value":NaN}"#, FailureCode::NotJson, "", 1, 9),
        ("minus infinity", br#"{"value":-Infinity}"#, FailureCode::NotJson, "", 1, 9),
        ("trailing comma in an object", br#"{"a":1,}"#, FailureCode::NotJson, "", 1, 7),
        ("trailing comma in an array", b"[1,\n]", FailureCode::NotJson, "", 2, 4),
        ("no colon", br#"{"a" 1}"#, FailureCode::NotJson, "", 1, 5),
        ("two values", b"{}\n {}", FailureCode::NotJson, "", 2, 4),
        ("single quotes", b"{'a':1}", FailureCode::NotJson, "", 1, 1),
        ("leading zero", b"[01]", FailureCode::NotJson, "", 1, 1),
        ("comment", b"{} // no", FailureCode::NotJson, "", 1, 3),
        ("raw newline in a string", b"[\"a\nb\"]", FailureCode::NotJson, "", 1, 3),
        ("bad escape", br#"["\x"]"#, FailureCode::NotJson, "", 1, 2),
        ("ends in an object", b"{\"a\":1", FailureCode::Truncated, "", 1, 6),
        ("ends in an array", b"[1,\n2", FailureCode::Truncated, "", 2, 5),
        ("ends in a string", b"[\"ab", FailureCode::Truncated, "", 1, 4),
        ("ends after a colon", b"{\"a\":", FailureCode::Truncated, "", 1, 5),
        ("ends in an escape", b"[\"\\u12", FailureCode::Truncated, "", 1, 6),
        ("ends in a literal", b"tru", FailureCode::Truncated, "", 1, 3),
        ("Latin-1", b"{\"a\":\n\"\xE9\"}", FailureCode::NotUtf8, "", 2, 7),
        ("UTF-16, little-endian, marked", b"\xFF\xFE{\0}\0", FailureCode::NotUtf8, "", 1, 0),
        ("UTF-16, big-endian, marked", b"\xFE\xFF\0{\0}", FailureCode::NotUtf8, "", 1, 0),
        ("UTF-16, little-endian, unmarked", b"{\0}\0", FailureCode::NotUtf8, "", 1, 0),
        ("UTF-16, big-endian, unmarked", b"\0{\0}", FailureCode::NotUtf8, "", 1, 0),
        ("an encoded surrogate", b"[\"\xED\xA0\x80\"]", FailureCode::NotUtf8, "", 1, 2),
        ("byte order mark", b"\xEF\xBB\xBF{}", FailureCode::ByteOrderMark, "", 1, 0),
        ("65 arrays", deep_65.as_bytes(), FailureCode::TooDeep, &"/0".repeat(64), 1, 64),
        ("65 objects", deep_objects.as_bytes(), FailureCode::TooDeep, &"/a".repeat(64), 1, 64 * 5),
        ("duplicate", br#"{"a":1,"b":2,"a":3}"#, FailureCode::DuplicateMember, "/a", 1, 13),
        ("duplicate, escaped", br#"{"a":1,"\u0061":3}"#, FailureCode::DuplicateMember, "/a", 1, 7),
        ("duplicate, within", b"[{},\n{\"x/y\":0,\"x/y\":0}]", FailureCode::DuplicateMember, "/1/x~1y", 2, 14),
        ("duplicate among many", many_members.as_bytes(), FailureCode::DuplicateMember, "/m0", 1, 10 * 7 + 9 * 8 + 1),
        ("duplicate empty names", br#"{"":1,"":2}"#, FailureCode::DuplicateMember, "/", 1, 6),
        ("1e400", br#"{"a":[0,1e400]}"#, FailureCode::NumberOutOfRange, "/a/1", 1, 8),
        ("-1e400", b"{\"a\":\n -1.5E+400 }", FailureCode::NumberOutOfRange, "/a", 2, 7),
        ("400 digits", &[b'9'; 400], FailureCode::NumberOutOfRange, "", 1, 0),
        ("lone high surrogate", br#"{"a":"x\ud800y"}"#, FailureCode::LoneSurrogate, "/a", 1, 7),
        ("lone low surrogate", br#"{"a":["\uDC00"]}"#, FailureCode::LoneSurrogate, "/a/0", 1, 7),
        ("high surrogate, other escape", br#"["\ud800\n"]"#, FailureCode::LoneSurrogate, "/0", 1, 2),
        ("surrogate in a name", br#"{"a":{"\ud800":1}}"#, FailureCode::LoneSurrogate, "/a", 1, 7),
    ];
    let mut tape = Tape::default();
    for (name, text, code, pointer, line, byte_offset) in rows {
        let failure = tape.read(text).map(|document| value(document.root())).expect_err(name);
        let found = (failure.code, failure.pointer.as_str(), failure.line, failure.byte_offset);
        assert_eq!(found, (*code, *pointer, Some(*line), Some(*byte_offset)), "{name}: {}", failure.message);
        assert!(!failure.message.is_empty(), "{name}");
    }
}

#[test]
fn valid_texts_are_read() {
    let rows: &[(&str, &str, Value)] = &[
        ("white space around", " \r\n\t{ } ", json!({})),
        ("escapes", r#"{"\u00e9\n":"\ud83e\udd80\"\\\/"}"#, json!({"é\n": "🦀\"\\/"})),
        ("escaped and plain names", r#"{"a":1,"\u0062":2,"c":"\t"}"#, json!({"a": 1, "b": 2, "c": "\t"})),
        ("whole numbers", "[0,-1,18446744073709551615,-9223372036854775808]", json!([0, -1, u64::MAX, i64::MIN])),
        ("beyond 64 bits", "[18446744073709551616,-1e3]", json!([18_446_744_073_709_551_616.0, -1000.0])),
        ("fractions", "[0.1,1e-400,5e-324,1.7976931348623157e308]", json!([0.1, 0.0, 5e-324, f64::MAX])),
        ("minus zero", "-0", json!(-0.0)),
        ("literals", "[null,true,false]", json!([null, true, false])),
        ("64 deep", &nested(64), serde_json::from_str(&nested(64)).unwrap()),
        ("a NUL that is escaped", r#""\u0000""#, json!("\0")),
    ];
    let mut tape = Tape::default();
    for (name, text, expected) in rows {
        let document = tape.read(text.as_bytes()).expect(name);
        assert_eq!(value(document.root()), *expected, "{name}");
    }
}

#[test]
fn equal_elements_are_found() {
    let distinct: Vec<String> = (0..5_000).map(|i| i.to_string()).collect();
    let with_twin = format!("[{},17.0]", distinct.join(","));
    let distinct = format!("[{}]", distinct.join(","));
    let rows = [
        ("empty", "[]", true),
        ("one", "[1]", true),
        ("numbers by value", "[1,1.0]", false),
        ("zero and minus zero", "[0,-0.0]", false),
        ("exponent", "[100,1e2]", false),
        ("large and equal", "[1e300,10e299]", false),
        ("near neighbours", "[0.1,0.10000000000000002]", true),
        ("number and string", "[1,\"1\"]", true),
        ("number and boolean", "[1,true,0,false,null]", true),
        ("order of members", r#"[{"a":1,"b":[2]},{"b":[2.0],"a":1}]"#, false),
        ("values swapped", r#"[{"a":1,"b":2},{"a":2,"b":1}]"#, true),
        ("grouping", "[[1,[2]],[[1],2],[1,2],[[1,2]]]", true),
        ("escapes", r#"["a","\u0061"]"#, false),
        ("many", &distinct, true),
        ("a twin at the end", &with_twin, false),
    ];
    let mut tape = Tape::default();
    for (name, text, unique) in rows {
        let document = tape.read(text.as_bytes()).expect(name);
        assert_eq!(document.root().array().unwrap().is_unique(), unique, "{name}");
    }
}

#[test]
fn large_buffers_are_freed() {
    let mut tape = Tape::default();
    assert!(tape.read(format!("[{}1]", "1,".repeat(500_000)).as_bytes()).is_ok());
    tape.trim();
    assert_eq!(tape.entries.capacity(), 0);
    assert!(tape.read(b"[1,2,3]").is_ok());
    tape.trim();
    assert_ne!(tape.entries.capacity(), 0);
}

/// Any JSON value, with every construct of the grammar.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |number| number.is_finite().then(|| number.into())),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 12, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..12).prop_map(Value::from),
            prop::collection::btree_map("[a-c/~é\"\\\\]{0,3}", inner, 0..12)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// Collects all values of a document.
fn nodes<'a>(node: TapeNode<'a>, found: &mut Vec<TapeNode<'a>>) {
    found.push(node);
    node.object().into_iter().flat_map(|object| object.members()).for_each(|(_, member)| nodes(member, found));
    node.array().into_iter().flat_map(|array| array.elements()).for_each(|element| nodes(element, found));
}

proptest! {
    #[test]
    fn the_tape_agrees_with_value(expected in any_json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&expected).unwrap() } else { expected.to_string() };
        let mut tape = Tape::default();
        let document = tape.read(text.as_bytes()).unwrap();
        let root = document.root();
        prop_assert_eq!(value(root), expected.clone());
        prop_assert!(root.equals_value(&expected));
        let mut all = Vec::new();
        nodes(root, &mut all);
        let indexes: Vec<u32> = all.iter().filter_map(|node| node.index()).collect();
        let positions = locate(&text, &indexes);
        prop_assert_eq!(positions.len(), all.len());
        prop_assert_eq!(&locate_in(&document, indexes.iter().copied()), &positions);
        let some: Vec<u32> = indexes.iter().copied().step_by(3).collect();
        prop_assert_eq!(locate_in(&document, some.iter().copied()), locate(&text, &some));
        for (node, located) in all.iter().zip(positions) {
            let expected = value(*node);
            let rest = &text[located.byte_offset as usize..];
            let there = serde_json::Deserializer::from_str(rest).into_iter::<Value>().next().unwrap().unwrap();
            prop_assert_eq!(&there, &expected);
            prop_assert_eq!(located, position(&text, located.byte_offset as usize));
            let pointer = document.pointer(node.index().unwrap());
            let whole = value(root);
            prop_assert_eq!(whole.pointer(&pointer), Some(&expected));
        }
    }

    #[test]
    fn texts_cut_or_changed_are_read_as_serde_json_reads_them(original in any_json(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let mut text = serde_json::to_vec_pretty(&original).unwrap();
        let at = at.index(text.len());
        if cut { text.truncate(at) } else { text[at] = byte }
        let mut tape = Tape::default();
        let plain = serde_json::from_slice::<Value>(&text);
        match (tape.read(&text), plain) {
            (Ok(document), plain) => prop_assert_eq!(value(document.root()), plain.unwrap()),
            (Err(failure), Ok(_)) => prop_assert!(
                matches!(failure.code, FailureCode::DuplicateMember | FailureCode::NotUtf8),
                "{:?} {}", failure, String::from_utf8_lossy(&text)
            ),
            (Err(failure), Err(_)) => prop_assert!(failure.byte_offset.unwrap() <= text.len() as u64),
        }
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(text in prop::collection::vec(prop_oneof![Just(b'{'), Just(b'['), Just(b'"'), Just(b'\\'), Just(b'u'), Just(b'd'), Just(b':'), Just(b','), Just(b'}'), Just(b']'), Just(b'1'), Just(b'e'), Just(b'9'), any::<u8>()], 0..40)) {
        let mut tape = Tape::default();
        if let Err(failure) = tape.read(&text) {
            prop_assert!(failure.byte_offset.unwrap() <= text.len() as u64);
        }
        let text = String::from_utf8_lossy(&text);
        let wanted: Vec<u32> = (0..50).collect();
        prop_assert!(locate(&text, &wanted).len() <= wanted.len());
    }
}

/// Values of few names and numbers, so that equal values are frequent.
fn few_values() -> impl Strategy<Value = Value> {
    let leaf = prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(1.0),
        json!(-0.0),
        json!(2.5),
        json!(1e3),
        json!(1000),
        json!(u64::MAX),
        json!(1e19),
        json!(""),
        json!("a"),
        json!("é"),
        json!("aé"),
        json!("1"),
    ]);
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[abc]|aé", inner, 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// Schemas that together use every keyword about values.
fn schemas() -> Vec<Value> {
    vec![
        json!({"enum": [1, "a", [1, {"a": 1}], {"a": 1, "b": [0]}]}),
        json!({"items": {"const": {"a": 1.0}}, "additionalProperties": {"const": [1000]}}),
        json!({"uniqueItems": true, "minItems": 2}),
        json!({"items": {"uniqueItems": true, "maxItems": 3}, "prefixItems": [{"type": "integer"}]}),
        json!({"contains": {"type": "integer"}, "minContains": 2, "maxContains": 3}),
        json!({"contains": {"const": 1}}),
        json!({"unevaluatedItems": false, "prefixItems": [{}], "anyOf": [{"contains": {"const": 1}}, true]}),
        json!({"minimum": 1, "exclusiveMaximum": 1000, "multipleOf": 0.5}),
        json!({"exclusiveMinimum": 0, "maximum": 1e18, "multipleOf": 5}),
        json!({"minLength": 1, "maxLength": 1, "pattern": "^[aé]"}),
        json!({"propertyNames": {"maxLength": 1}, "minProperties": 1, "maxProperties": 2}),
        json!({"propertyNames": {"enum": ["a", "b"]}}),
        json!({"patternProperties": {"^a": {"type": ["number", "string"]}}, "additionalProperties": {"type": "array"}}),
        json!({"properties": {"a": {"type": "object"}, "b": true}, "required": ["a", "b"], "additionalProperties": false}),
        json!({"properties": {"a": true, "b": true, "c": {"type": "integer"}}, "required": ["c"]}),
        json!({"dependentRequired": {"a": ["b"]}, "dependentSchemas": {"b": {"properties": {"c": {"type": "null"}}}}}),
        json!({"allOf": [{"properties": {"a": true}}], "unevaluatedProperties": false}),
        json!({"if": {"type": "object"}, "then": {"required": ["a"]}, "else": {"type": ["array", "integer", "boolean"]}}),
        json!({"anyOf": [{"type": "string"}, {"minItems": 1, "type": "array"}], "not": {"const": "a"}}),
        json!({"oneOf": [{"type": "number"}, {"type": "array"}, {"minimum": 1}]}),
        json!({"$defs": {"tree": {"type": ["object", "array", "number"], "items": {"$ref": "#/$defs/tree"},
            "additionalProperties": {"$ref": "#/$defs/tree"}}}, "$ref": "#/$defs/tree"}),
    ]
}

#[test]
fn the_tape_validates_as_value_does() {
    let validators: Vec<_> = schemas()
        .into_iter()
        .map(|schema| {
            let tape = jsonschema::options_for::<TapeJson>().build(&schema).unwrap();
            (tape, jsonschema::validator_for(&schema).unwrap(), schema)
        })
        .collect();
    let seen = std::cell::RefCell::new(vec![(false, false); validators.len()]);
    proptest!(ProptestConfig::with_cases(2_000), |(instance in few_values())| {
        let text = instance.to_string();
        let mut tape = Tape::default();
        let mut document = tape.read(text.as_bytes()).unwrap();
        let verdicts: Vec<bool> = validators.iter().map(|(tape, ..)| tape.is_valid(document.root())).collect();
        document.limit(Budget::new());
        for (((tape, plain, schema), verdict), seen) in validators.iter().zip(verdicts).zip(seen.borrow_mut().iter_mut()) {
            prop_assert_eq!(verdict, plain.is_valid(&instance), "{} {}", schema, text);
            let mut found: Vec<String> = tape.iter_errors(document.root()).map(|error| error.schema_path().to_string()).collect();
            let mut expected: Vec<String> = plain.iter_errors(&instance).map(|error| error.schema_path().to_string()).collect();
            found.sort();
            expected.sort();
            prop_assert_eq!(found, expected, "{} {}", schema, text);
            if verdict { seen.0 = true } else { seen.1 = true }
        }
    });
    let one_sided: Vec<&Value> = validators
        .iter()
        .zip(seen.borrow().iter())
        .filter(|(_, seen)| **seen != (true, true))
        .map(|((.., s), _)| s)
        .collect();
    assert!(one_sided.is_empty(), "never both valid and invalid: {one_sided:?}");
}
