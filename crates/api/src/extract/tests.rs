//! The texts about invalid bodies and parameters: our own, exact, and never those of a library.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::routes::devices::{PageParams, SeriesParams};
use crate::routes::keys::{KeyListParams, NewKey, Rotation};
use crate::routes::notifications::SubscriptionRequest;
use crate::routes::quarantine::{self, NewCorrection};
use crate::routes::statistics::{DeviceParams, StatisticsParams};
use crate::routes::uploads::{self, NewUpload};
use crate::routes::validate::ValidateParams;

/// Returns where and why the input is invalid.
fn problem<T>(result: Result<T, ApiError>) -> (String, String) {
    let Err(error) = result else { return (String::new(), "valid".to_owned()) };
    let error: Value = serde_json::to_value(error).unwrap();
    let invalid = &error["errors"][0];
    let place = invalid["pointer"].as_str().or_else(|| invalid["parameter"].as_str()).unwrap_or_default();
    (place.to_owned(), invalid["detail"].as_str().unwrap_or_default().to_owned())
}

fn query<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    query_text::parse(text).map_err(|error| ApiError::parameter(&error.path, error.detail("parameter")))
}

const LIMIT: &str = "expected {\"count\": N} with a whole number, such as {\"count\": 5}, or {\"ratio\": R} with a share from 0 to 1, \
                     such as {\"ratio\": 0.1}";
const OBJECT: &str =
    "there is nothing here but white space: send a JSON object, such as {\"name\": 1} (line 1, byte 0)";
const WHOLE: &str = "expected a whole number of 0 or more, but found";
const MEMBERS: &str =
    "expected one of: file_name, content_type, content_encoding, size, sha256, schema, max_rejected, expires_in";

#[test]
fn invalid_bodies_have_a_place_and_a_remedy() {
    let good = json!({ "file_name": "a.json", "content_type": "application/json", "size": 2 });
    let with = |member: &str, value: Value| {
        let mut body = good.clone();
        body[member] = value;
        body.to_string()
    };
    let rows = [
        ("nothing", String::new(), "", OBJECT.to_owned()),
        ("cut", r#"{"size":"#.into(), "", "the text ends before the value of a member: the data was cut off (line 1, byte 8)".into()),
        ("NaN", r#"{"size":NaN}"#.into(), "", "JSON has neither NaN nor infinity: write null where the schema allows it, or leave the record out (line 1, byte 8)".into()),
        ("a trailing comma", "{\"size\":1,\n}".into(), "", "a comma before a closing bracket: remove the comma, JSON has no trailing commas (line 2, byte 11)".into()),
        ("two documents", "{} {}".into(), "", "another value follows on the same line: send one JSON value, or in NDJSON one record a line (line 1, byte 3)".into()),
        ("a name twice", r#"{"size":1,"size":2}"#.into(), "/size", "the object has the member `size` twice: remove one (line 1, byte 10)".into()),
        ("an array", "[1]".into(), "", "expected an object, but found an array".into()),
        ("a string", "\"{}\"".into(), "", "expected an object, but found a string".into()),
        ("no members", "{}".into(), "", "missing member `file_name`: add it".into()),
        ("an unknown member", with("owner", json!("u2")), "/owner", format!("unknown member `owner`: {MEMBERS}")),
        ("a number in quotes", with("size", json!("2")), "/size", format!("{WHOLE} a string: write it without the quotes")),
        ("below 0", with("size", json!(-1)), "/size", format!("{WHOLE} a number below 0")),
        ("a fraction", with("size", json!(1.5)), "/size", format!("{WHOLE} a number with a fraction")),
        ("an exponent", with("size", json!(1e3)), "/size", format!("{WHOLE} a number with a fraction or an exponent")),
        ("null", with("size", json!(null)), "/size", format!("{WHOLE} null")),
        ("a number as a text", with("file_name", json!(7)), "/file_name", "expected a string, but found a number".into()),
        ("no text of an encoding", with("content_encoding", json!(1)), "/content_encoding", "expected a string, but found a number".into()),
        ("a limit of 5", with("max_rejected", json!(5)), "/max_rejected", LIMIT.into()),
        ("a limit of 10%", with("max_rejected", json!("10%")), "/max_rejected", LIMIT.into()),
        ("a limit without a number", with("max_rejected", json!({ "count": "5" })), "/max_rejected", LIMIT.into()),
        ("two limits", with("max_rejected", json!({ "count": 5, "ratio": 0.1 })), "/max_rejected", LIMIT.into()),
        ("a share of 110 %", with("max_rejected", json!({ "ratio": 1.1 })), "/max_rejected", LIMIT.into()),
        ("a limit", with("max_rejected", json!({ "count": 5 })), "", "valid".into()),
        ("a share", with("max_rejected", json!({ "ratio": 0.1 })), "", "valid".into()),
    ];
    for (name, body, pointer, detail) in rows {
        assert_eq!(problem(json::<NewUpload>(body.as_bytes())), (pointer.to_owned(), detail), "{name}: {body}");
    }
    let plan = |plan: Value| problem(json::<NewKey>(json!({ "plan": plan }).to_string().as_bytes()));
    assert_eq!(plan(json!("faster")), ("/plan".into(), "expected one of: standard, fast".into()));
    assert_eq!(plan(json!(1)), ("/plan".into(), "expected one of: standard, fast".into()));
    let kinds = |kinds: Value| problem(json::<SubscriptionRequest>(json!({ "kinds": kinds }).to_string().as_bytes()));
    assert_eq!(kinds(json!("new")), ("/kinds".into(), "expected an array, but found a string".into()));
    let options = "expected one of: new, regressed, quiet, resolved, digest";
    assert_eq!(kinds(json!(["new", "old"])), ("/kinds/1".into(), options.into()));
}

#[test]
fn invalid_parameters_have_a_name_and_a_remedy() {
    let limit = "expected a whole number from 1 to 100";
    let rows = [
        ("below 0", "limit=-1", "limit", limit),
        ("0", "limit=0", "limit", limit),
        ("one over", "limit=101", "limit", limit),
        ("a plus sign", "limit=%2B5", "limit", limit),
        ("a word", "limit=x", "limit", limit),
        ("empty", "limit=", "limit", limit),
        ("twice", "limit=1&limit=2", "limit", "expected the parameter once, but found it twice"),
        ("unknown", "size=5", "size", "unknown parameter `size`: expected one of: limit, cursor"),
        ("at the limit", "limit=100", "", "valid"),
        ("none", "", "", "valid"),
    ];
    for (name, text, parameter, detail) in rows {
        assert_eq!(problem(query::<PageParams>(text)), (parameter.into(), detail.into()), "{name}: {text}");
    }
    let missing = problem(query::<DeviceParams>("measure=a"));
    assert_eq!(missing, ("device_id".into(), "missing parameter `device_id`: add it".into()));
    let none = problem(query::<NoParams>("force=true"));
    assert_eq!(none, ("force".into(), "unknown parameter `force`: remove it, there are none".into()));
    let (parameter, detail) = problem(query::<uploads::list::ListParams>("state=lost"));
    assert!(parameter == "state" && detail.starts_with("expected one of: issued, received, "), "{detail}");
    for (text, advice) in [
        ("2025-02-28T12:00:00 01:00", "write + or - before the offset; in a URL, + is %2B"),
        ("1740744000", "this looks like seconds since 1970, write 1740744000 as 2025-02-28T12:00:00Z"),
        ("2025-02-28", "add the time of day, such as T00:00:00Z"),
    ] {
        let detail = format!("expected an RFC 3339 date-time such as 2025-02-28T12:00:00Z: {advice}");
        assert_eq!(problem(time_range(Some(text), None)), ("from".into(), detail));
    }
}

/// The texts of serde_json, serde, serde_urlencoded and axum, or their characteristic parts.
const LIBRARIES: &[&str] = &[
    "EOF",
    "expected `",
    "expected ident",
    "expected value",
    "invalid escape",
    "invalid number",
    "out of range",
    "key must be",
    "trailing characters",
    "recursion limit",
    " at line ",
    " column ",
    "invalid type",
    "invalid value",
    "invalid length",
    "invalid digit",
    "unknown field",
    "unknown variant",
    "missing field",
    "duplicate field",
    "struct ",
    "enum ",
    "u64",
    "usize",
    "deserialize",
    "parse integer",
];

/// Fails if a text about this input is that of a library, or nothing better than "another value".
fn check(what: &str, (_, detail): (String, String)) -> Result<(), TestCaseError> {
    prop_assert!(!detail.is_empty() && !detail.contains("expected another value"), "{what}: {detail}");
    let foreign = LIBRARIES.iter().find(|words| detail.contains(*words));
    prop_assert_eq!(foreign, None, "{}: {}", what, detail);
    Ok(())
}

const PIECES: &[&str] = &[
    "",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\0",
    "null",
    "true",
    "-1",
    "1.5",
    "1e400",
    "99999999999999999999",
    "\"x\"",
    "{}",
    "[]",
    "NaN",
    "'",
    "=",
    "&",
    "%",
    "+",
    "é",
];
const BODY: &str = r#"{"file_name":"a.json","content_type":"application/json","content_encoding":"gzip","size":2,"sha256":"00","schema":null,"max_rejected":{"count":5},"expires_in":60,"name":"n","plan":"fast","keep_old_seconds":5,"kinds":["new","digest"]}"#;
const QUERY: &str = "limit=5&cursor=x&state=issued&from=2025-02-28T12%3A00%3A00Z&code=REQUIRED&device_id=a&bucket=1d&tz=UTC&quantiles=0.5&measure=m&schema=s";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_words_of_a_library_reach_a_client(
        members in prop::sample::subsequence((0..12).collect::<Vec<usize>>(), 0..6),
        replaced in prop::option::of((any::<prop::sample::Index>(), prop::sample::select(PIECES))),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..4, prop::sample::select(PIECES)), 0..3),
    ) {
        let edited = |text: String| edits.iter().fold(text, |mut text, (at, length, piece)| {
            let start = text.floor_char_boundary(at.index(text.len() + 1));
            let end = text.ceil_char_boundary((start + length).min(text.len()));
            text.replace_range(start..end, piece);
            text
        });
        let all: Value = serde_json::from_str(BODY).unwrap();
        let names: Vec<&String> = all.as_object().unwrap().keys().collect();
        let mut chosen: Vec<(String, String)> =
            members.iter().map(|&index| (names[index].clone(), all[names[index]].to_string())).collect();
        if let (Some((at, piece)), false) = (&replaced, chosen.is_empty()) {
            let index = at.index(chosen.len());
            chosen[index].1 = (*piece).to_owned();
        }
        let chosen: Vec<String> = chosen.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let body = edited(format!("{{{}}}", chosen.join(",")));
        let bytes = body.as_bytes();
        check(&body, problem(json::<NewUpload>(bytes)))?;
        check(&body, problem(json::<NewCorrection>(bytes)))?;
        check(&body, problem(json::<NewKey>(bytes)))?;
        check(&body, problem(json::<Rotation>(bytes)))?;
        check(&body, problem(json::<SubscriptionRequest>(bytes)))?;
        let parameters: Vec<&str> = QUERY.split('&').collect();
        let chosen: Vec<&str> = members.iter().filter_map(|&index| parameters.get(index).copied()).collect();
        let text = edited(chosen.join("&"));
        check(&text, problem(query::<PageParams>(&text)))?;
        check(&text, problem(query::<KeyListParams>(&text)))?;
        check(&text, problem(query::<uploads::list::ListParams>(&text)))?;
        check(&text, problem(query::<quarantine::list::ListParams>(&text)))?;
        check(&text, problem(query::<SeriesParams>(&text)))?;
        check(&text, problem(query::<StatisticsParams>(&text)))?;
        check(&text, problem(query::<DeviceParams>(&text)))?;
        check(&text, problem(query::<ValidateParams>(&text)))?;
        check(&text, problem(query::<NoParams>(&text)))?;
    }
}
