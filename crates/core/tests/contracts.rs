//! Checks that reports and notices meet the schemas in `contracts/`, and that changed documents do not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use eventpulse_core::intake::failure::{Failure, FailureCode, MAX_POINTER_CHARS, MAX_TARGET_CHARS, MAX_TARGETS};
use eventpulse_core::intake::fingerprint::MAX_LISTED_FAILURES;
use eventpulse_core::intake::inspection::Inspection;
use eventpulse_core::intake::rejection::{MAX_GROUPS_IN_HISTORY, MAX_REPORTED_GROUPS, MAX_REPORTED_RECORDS};
use eventpulse_core::intake::shape::JsonType;
use eventpulse_core::notification::kind::NoticeKind;
use eventpulse_core::notification::profile::Profile;
use eventpulse_core::notification::rendering::{
    self, ChangedProblem, MAX_PROBLEMS_IN_NOTICE, MAX_REPEATS_LISTED, Notice, NoticeContents, RemainderTotals,
    RepeatedProblem,
};
use eventpulse_core::upload::Upload;
use eventpulse_core::upload::report::{self, Report};
use serde_json::{Value, json};
use support::{Sample, changed, failed, inspect, notices, sample, samples, upload};

fn contract(path: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts").join(path);
    serde_json::from_slice(&fs::read(&file).unwrap()).unwrap()
}

fn violations(contract: &Value, document: &Value) -> Vec<String> {
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(contract).unwrap();
    validator.iter_errors(document).map(|error| format!("{} at {}", error, error.instance_path())).collect()
}

fn report_of(upload: &Upload, inspection: &Inspection) -> Value {
    let now = support::id_time() + Duration::from_millis(3_250);
    let report = Report::new(upload, upload.quarantine_location().unwrap(), &inspection.rejections, now);
    serde_json::to_value(report).unwrap()
}

/// Returns the report and the notice on a sample.
fn report_and_notice(sample: &Sample) -> (Value, Value) {
    let inspection = inspect(sample);
    let upload = upload(&sample.name, &inspection);
    (report_of(&upload, &inspection), json_of(&notices::notice(&upload).unwrap()))
}

fn json_of(notice: &Notice) -> Value {
    serde_json::from_str(&notice.json).unwrap()
}

/// Returns a notice of each kind, with all optional members.
fn notices() -> Vec<(&'static str, Value)> {
    let upload = upload("mixed.ndjson", &inspect(&sample("mixed.ndjson")));
    let named = notices::problem_of(&upload);
    let known = notices::profile(312, &[("/value", &[(JsonType::Number, 300), (JsonType::String, 12)])]);
    let problem = notices::problem(
        "batch/1.0",
        &[(FailureCode::Required, "/readings/*"), (FailureCode::Type, "/readings/*/value")],
    );
    let others = [notices::other(1, "batch/1.0", &[(FailureCode::Required, "/readings/*")])];
    let over = [notices::resolution(2, problem.clone(), 14)];
    let expired = [ChangedProblem { upload_id: None, ..over[0].clone() }];
    let silent = [notices::quiet(problem.clone(), 14, 3)];
    let repeats: Vec<RepeatedProblem> = (0..12).map(|number| notices::repeat(number, problem.clone(), 9)).collect();
    let digest = |repeats| notices::digest_of(repeats, RemainderTotals::default());
    let failing = |kind, upload: &Upload, profile: Option<&Profile>| {
        notices::failing(kind, upload, &named, profile, &others).unwrap()
    };
    let notices = [
        ("new", failing(NoticeKind::New, &upload, Some(&known))),
        ("regressed", failing(NoticeKind::Regressed, &upload, None)),
        ("synthetic_check", failing(NoticeKind::SyntheticCheck, &upload, None)),
        ("of a message", failing(NoticeKind::New, &notices::as_message(upload.clone()), Some(&known))),
        ("quiet", notices::of(&NoticeContents::Quiet(&silent)).unwrap()),
        ("resolved", notices::of(&NoticeContents::Resolved(&over)).unwrap()),
        ("resolved by time", notices::of(&NoticeContents::Resolved(&expired)).unwrap()),
        ("digest", notices::of(&digest(&repeats)).unwrap()),
        ("empty digest", notices::of(&digest(&[])).unwrap()),
    ];
    notices.iter().map(|(name, notice)| (*name, json_of(notice))).collect()
}

/// Returns a document of which the beginning decides.
fn read_in_part() -> Sample {
    let bytes = "{}\n".repeat(10_001).into_bytes();
    Sample { name: "read-in-part.ndjson".to_owned(), bytes, expected: support::Expected::default() }
}

/// Returns a document with the maximum numbers of failures and of reported records.
fn worst() -> Sample {
    let record = |line: usize| {
        let members: String = (0..if line == 0 { 130 } else { 11 })
            .map(|member| format!("\"{}{member}\":[{line}],", "é\u{202e}/~\\n".repeat(40)))
            .collect();
        format!("{{{members}\"a{line}\":1,\"value\":true}}\n")
    };
    let bytes = (0..1_010).map(record).collect::<String>().into_bytes();
    Sample { name: "worst.ndjson".to_owned(), bytes, expected: support::Expected::default() }
}

#[test]
fn reports_and_notices_meet_their_contracts() {
    let (report_contract, notice_contract) = (contract("report/1.0.json"), contract("notice/1.0.json"));
    let rejected = |sample: &Sample| matches!(sample.expected.outcome.as_str(), "quarantined" | "partially_accepted");
    let rejected: Vec<Sample> = samples().into_iter().filter(rejected).chain([worst(), read_in_part()]).collect();
    assert!(rejected.len() > 10);
    for sample in &rejected {
        let (report, notice) = report_and_notice(sample);
        assert_eq!(violations(&report_contract, &report), [""; 0], "{}", sample.name);
        assert_eq!(violations(&notice_contract, &notice), [""; 0], "{}", sample.name);
        assert_eq!(report["outcome"], notice["upload"]["outcome"], "{}", sample.name);
    }
    for (name, notice) in notices() {
        assert_eq!(violations(&notice_contract, &notice), [""; 0], "{name}");
    }
}

/// A notice with a member of another kind, or without a member of its own kind, violates the contract.
#[test]
fn each_kind_of_notice_has_its_own_members() {
    let contract = contract("notice/1.0.json");
    let all = notices();
    for (name, notice) in &all {
        for member in notice.as_object().unwrap().keys() {
            let mut changed = notice.clone();
            changed.as_object_mut().unwrap().remove(member);
            assert!(!violations(&contract, &changed).is_empty(), "{name} without {member}");
        }
        for (other, more) in all.iter().filter(|(_, more)| more["kind"] != notice["kind"]) {
            for (member, value) in more.as_object().unwrap().iter().filter(|(member, _)| notice.get(member).is_none()) {
                let mut changed = notice.clone();
                changed[member] = value.clone();
                assert!(!violations(&contract, &changed).is_empty(), "{name} with {member} of {other}");
            }
        }
    }
    let rows: [(&str, &str, Value); 14] = [
        ("another kind", "/kind", json!("old")),
        ("an invalid id", "/problem/id", json!("prb_1")),
        ("another status", "/problem/status", json!("closed")),
        ("a time without a zone", "/problem/first_seen", json!("2025-02-28T12:00:00")),
        ("a value", "/problem/failures/0/value", json!(21.6)),
        ("a profile of no uploads", "/profile/uploads", json!(0)),
        ("an unknown type", "/profile/members/0/types", json!({ "integer": 1 })),
        ("no upload", "/upload", Value::Null),
        ("no id", "/others/0/upload_id", json!("")),
        ("nothing resolved", "/resolved", json!([])),
        ("nothing quiet", "/quiet", json!([])),
        ("half a record in quarantine", "/problem/open/records", json!(0.5)),
        ("half an upload", "/digest/uploads", json!(0.5)),
        ("an invalid repeat", "/digest/largest", json!([{}])),
    ];
    for (name, pointer, value) in rows {
        let mut found = false;
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        for (kind, notice) in &all {
            let mut changed = notice.clone();
            let Some(parent) = changed.pointer_mut(parent).and_then(Value::as_object_mut) else { continue };
            if parent.is_empty() || (!parent.contains_key(member) && member != "value") {
                continue;
            }
            parent.insert(member.to_owned(), value.clone());
            found = true;
            assert!(!violations(&contract, &changed).is_empty(), "{kind}: {name}");
        }
        assert!(found, "{name}");
    }
}

#[test]
fn missing_objects_have_reports_and_notices() {
    let inspection = failed(Failure::new(FailureCode::ObjectMissing, "", "the object was deleted before it was read"));
    let upload = changed(&upload("gone.json", &inspection), |draft| {
        draft.location.as_mut().unwrap().key = None;
        draft.object = None;
    });
    assert_eq!(violations(&contract("report/1.0.json"), &report_of(&upload, &inspection)), [""; 0]);
    let notice = json_of(&notices::notice(&upload).unwrap());
    assert_eq!(violations(&contract("notice/1.0.json"), &notice), [""; 0]);
}

#[test]
fn changed_documents_violate_their_contracts() {
    let (report, notice) = report_and_notice(&sample("mixed.ndjson"));
    let (failure, message) = ("/records/0/failures/0", "/records/0/failures/0/message");
    let rows: [(&str, &str, Value); 17] = [
        ("an additional member", "", json!({ "colour": "red" })),
        ("an additional member of a failure", failure, json!({ "value": 21.6 })),
        ("an additional member of a group", "/groups/0", json!({ "value": 21.6 })),
        ("an additional member of a record", "/records/0", json!({ "record": {} })),
        ("no message", message, Value::Null),
        ("an empty message", message, json!("")),
        ("another version", "/report_version", json!("1.1")),
        ("another outcome", "/outcome", json!("rejected")),
        ("an outcome that contradicts the counts", "/outcome", json!("quarantined")),
        ("an impossible time", "/reported_at", json!("2025-02-30T12:00:00Z")),
        ("a time without a zone", "/began_at", json!("2025-02-28T12:00:00")),
        ("an unknown code", "/records/0/failures/0/code", json!("SOMETHING")),
        ("a negative count", "/rejected", json!(-1)),
        ("a fraction", "/records_omitted", json!(0.5)),
        ("line 0", "/records/0/line", json!(0)),
        ("an invalid id", "/upload_id", json!("up_1")),
        ("no group", "/groups", json!([])),
    ];
    // The member `upload` of the notice has the members of the report.
    let of_upload = |pointer: &str| match pointer {
        "" => String::new(),
        "/groups" | "/groups/0" => pointer.replace("/groups", "/upload/failures"),
        other => format!("/upload{other}"),
    };
    for (name, pointer, value) in rows {
        for (path, document, pointer) in
            [("report/1.0.json", &report, pointer.to_owned()), ("notice/1.0.json", &notice, of_upload(pointer))]
        {
            let mut changed = document.clone();
            let Some(member) = changed.pointer_mut(&pointer) else { continue };
            match (member, value.clone()) {
                (Value::Object(members), Value::Object(more)) => members.extend(more),
                (member, value) => *member = value,
            }
            assert!(!violations(&contract(path), &changed).is_empty(), "{path}: {name}");
        }
    }
    for (path, document) in [("report/1.0.json", &report), ("notice/1.0.json", &notice)] {
        for name in document.as_object().unwrap().keys() {
            let mut changed = document.clone();
            changed.as_object_mut().unwrap().remove(name);
            assert!(!violations(&contract(path), &changed).is_empty(), "{path} without {name}");
        }
    }
}

#[test]
fn contracts_have_the_bounds_of_the_code() {
    let codes: Vec<&str> = FailureCode::ALL.iter().map(|code| code.as_str()).collect();
    let of_upload = "/$defs/upload/properties/failures/maxItems";
    for (path, version, groups_at, max_groups) in [
        ("report/1.0.json", report::VERSION, "/properties/groups/maxItems", MAX_REPORTED_GROUPS),
        ("notice/1.0.json", rendering::VERSION, of_upload, MAX_GROUPS_IN_HISTORY),
    ] {
        let contract = contract(path);
        let at = |pointer: &str| contract.pointer(pointer).unwrap_or_else(|| panic!("{path}{pointer}")).clone();
        assert_eq!(at("/$defs/failure/properties/code/enum"), json!(codes), "{path}");
        assert_eq!(at("/$id"), format!("eventpulse:/contracts/{}", path.trim_end_matches(".json")));
        let name = path.split('/').next().unwrap();
        assert_eq!(at(&format!("/properties/{name}_version/const")), version);
        assert_eq!(at(groups_at), max_groups);
        assert_eq!(at("/$defs/failure/properties/pointer/maxLength"), MAX_POINTER_CHARS);
        assert_eq!(at("/$defs/failure/properties/targets/maxItems"), MAX_TARGETS);
        assert_eq!(at("/$defs/failure/properties/targets/items/maxLength"), MAX_TARGET_CHARS);
    }
    assert_eq!(contract("report/1.0.json").pointer("/properties/records/maxItems"), Some(&json!(MAX_REPORTED_RECORDS)));
    let contract = contract("notice/1.0.json");
    for (pointer, most) in [
        ("/properties/quiet", MAX_PROBLEMS_IN_NOTICE),
        ("/properties/resolved", MAX_PROBLEMS_IN_NOTICE),
        ("/properties/others", MAX_PROBLEMS_IN_NOTICE - 1),
        ("/$defs/digest/properties/largest", MAX_REPEATS_LISTED),
        ("/$defs/problem/properties/failures", MAX_LISTED_FAILURES),
    ] {
        assert_eq!(contract.pointer(&format!("{pointer}/maxItems")), Some(&json!(most)), "{pointer}");
    }
}

#[test]
fn contracts_are_schemas_and_describe_each_member() {
    for path in ["report/1.0.json", "notice/1.0.json"] {
        let contract = contract(path);
        assert!(jsonschema::draft202012::meta::is_valid(&contract), "{path}");
        each_object_is_strict(path, &contract, &contract);
    }
}

fn each_object_is_strict(path: &str, node: &Value, root: &Value) {
    if let Some(properties) = node.get("properties").and_then(Value::as_object).filter(|_| node.get("type").is_some()) {
        assert_eq!(node["additionalProperties"], json!(false), "{path}");
        for (name, member) in properties {
            let described = match member["$ref"].as_str() {
                Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
                None => member,
            };
            assert!(described["description"].is_string(), "{path}/{name}");
        }
    }
    let children: Vec<(String, &Value)> = match node {
        Value::Object(members) => members.iter().map(|(name, child)| (name.clone(), child)).collect(),
        Value::Array(children) => children.iter().map(|child| ("*".to_owned(), child)).collect(),
        _ => Vec::new(),
    };
    for (name, child) in children {
        each_object_is_strict(&format!("{path}/{name}"), child, root);
    }
}
