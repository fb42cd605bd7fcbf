//! Everything that an owner sees of rejected records, for a corpus of wrong uploads, compared with digests of an earlier
//! version: the NDJSON of the records, and their part of the report and of the history. A faster rejection path must not
//! change a byte of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

#[path = "rejections/faults.rs"]
mod faults;
#[path = "rejections/schemas.rs"]
mod schemas;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use eventpulse_core::id::UploadId;
use eventpulse_core::intake::inspection::{
    Bounds, InputForm, Inspection, InspectionSpec, Inspector, MaxRejected, Retention,
};
use eventpulse_core::intake::reader::{Format, Limits, Media};
use eventpulse_core::intake::rejection::MAX_REPORTED_GROUPS;
use eventpulse_core::intake::schema::{Catalog, SchemaRef};
use eventpulse_core::intake::validation::Validator;
use faults::{Members, Noise, array, lines, text, varied};
use sha2::{Digest, Sha256};

const READING: Members = &["device_id", "timestamp", "value"];
const BATCH: Members = &["device_id", "readings"];
const WEATHER: Members = &["station", "observed_at", "temp_max_c", "wind_m_s", "sky"];
const VALUES: Members = &["id", "at", "value", "kind"];
const COMPOSED: Members = &["id", "at", "value", "points"];

/// An upload of the corpus.
struct Case {
    name: String,
    is_bundled: bool,
    schema: &'static str,
    media: Media,
    input: InputForm,
    max_rejected: Option<MaxRejected>,
    content: Vec<u8>,
}

fn case(name: impl Into<String>, schema: &'static str, format: Format, content: impl Into<Vec<u8>>) -> Case {
    Case {
        name: name.into(),
        is_bundled: ["reading/1.0", "batch/1.0", "weather/1.0"].contains(&schema),
        schema,
        media: Media { format, compression: None },
        input: InputForm::Records,
        max_rejected: None,
        content: content.into(),
    }
}

/// Uploads of generated records.
fn generated() -> Vec<Case> {
    let kinds: [(&str, Members); 9] = [
        ("reading/1.0", READING),
        ("batch/1.0", BATCH),
        ("weather/1.0", WEATHER),
        ("values/1.0", VALUES),
        ("lax/1.0", VALUES),
        ("open/1.0", VALUES),
        ("composed/1.0", COMPOSED),
        ("nested/1.0", COMPOSED),
        ("none/1.0", READING),
    ];
    let mut cases = Vec::new();
    for (number, (schema, members)) in kinds.into_iter().enumerate() {
        let seed = number as u64;
        cases.push(case(format!("lines of {schema}"), schema, Format::Ndjson, lines(seed, 500, members)));
        cases.push(case(format!("array of {schema}"), schema, Format::Json, array(seed + 100, 150, members)));
    }
    cases
}

const GOOD: &str = r#"{"device_id":"d","timestamp":"2025-02-28T12:00:00Z","value":22.5}"#;

/// Uploads with many records of one fault, and hostile ones.
fn hostile() -> Vec<Case> {
    let repeated = |count: usize, record: &dyn Fn(usize) -> String| {
        let mut content = format!("{GOOD}\n");
        (0..count).for_each(|number| writeln!(content, "{}", record(number)).unwrap());
        content
    };
    let joined = |count: usize, item: &dyn Fn(usize) -> String| (0..count).map(item).collect::<Vec<_>>().join(",");
    let reading =
        |item: &dyn Fn(usize) -> String, count| format!(r#"{{"device_id":"1","readings":[{}]}}"#, joined(count, item));
    let ndjson = |name: &str, content: String| case(name, "reading/1.0", Format::Ndjson, content);
    let batch = |name: &str, content: String| case(name, "batch/1.0", Format::Json, content);
    vec![
        ndjson("a quoted value", repeated(1_200, &|_| GOOD.replace("22.5", "\"22.5\""))),
        ndjson("a missing member", repeated(1_200, &|number| format!(r#"{{"device_id":"{number}","value":1}}"#))),
        ndjson("unique names", repeated(1_200, &|number| GOOD.replace('}', &format!(",\"m{number}\":0}}")))),
        ndjson("only a unique name", repeated(1_200, &|number| format!(r#"{{"m{number}":0}}"#))),
        ndjson("near names", repeated(300, &|number| GOOD.replace("value", &format!("valu{}", number % 10)))),
        ndjson("long names", repeated(20, &|number| format!(r#"{{"{}":0}}"#, "é".repeat(number * 100)))),
        ndjson("not JSON", repeated(1_200, &|number| GOOD.replace("22.5", ["NaN", "1.", "'a'", "\u{1}"][number % 4]))),
        ndjson("unknown schemas", repeated(300, &|number| format!(r#"{{"schema":"s{number}/1.0"}}"#))),
        ndjson("one reason, all rejected", "{\"a\":1}\n".repeat(10_050)),
        ndjson("two reasons", "{}\n1\n".repeat(3_000)),
        ndjson("an object of many members", format!("{{{}}}\n", joined(3_000, &|number| format!("\"a{number}\":1")))),
        ndjson(
            "an object of many members twice",
            format!("{{{}}}\n{{{0}}}\n", joined(150, &|number| format!("\"a{number}\":1"))),
        ),
        Case { max_rejected: Some(MaxRejected::Count(3)), ..ndjson("max_rejected", repeated(1_200, &|_| "{}".into())) },
        Case {
            max_rejected: Some(MaxRejected::Ratio(0.5)),
            ..ndjson("max_rejected, a ratio", repeated(900, &|_| "1".into()))
        },
        batch("an array of zeros", reading(&|_| "0".into(), 1_200)),
        batch("an array of empty arrays", reading(&|_| "[]".into(), 1_200)),
        batch(
            "a batch of wrong readings",
            reading(&|number| format!(r#"{{"timestamp":"{number}","valeu":"22.5"}}"#), 2_000),
        ),
        batch("a batch of empty readings", reading(&|_| "{}".into(), 2_000)),
        batch("an array of wrong records", format!("[{}]", joined(3_000, &|number| format!("{{\"m{number}\":0}}")))),
        batch("an array of numbers", format!("[{GOOD},[],{}]", joined(3_000, &|number| number.to_string()))),
        batch("a broken array", format!("[{GOOD},{{\"a\":1}},{{\"b\" 1}}]")),
        batch("a cut array", "[{\"a\":1},{\"b\":".to_owned()),
        batch("a deep array", format!("[{}1{}]", "[".repeat(80), "]".repeat(80))),
        batch("documents", format!("{GOOD}\n{{}}\n{{\n \"a\": 1\n}}\n")),
        ndjson("nothing", " \n".into()),
    ]
}

/// Inspects an upload, in pieces.
fn inspect(catalog: &Catalog, case: &Case, retention: Retention) -> (Inspection, Vec<u8>) {
    let spec = InspectionSpec {
        owner: "demo".parse().unwrap(),
        upload_id: UploadId::of_object("bucket", "key", "version"),
        attempt: 0,
        input: case.input,
        media: case.media,
        known_sha256: None,
        schema: None,
        default_schema: SchemaRef::parse(case.schema).unwrap(),
        max_rejected: case.max_rejected,
        limits: Limits::default(),
        bounds: Bounds::UPLOAD,
    };
    let mut inspector = Inspector::new(catalog, spec, retention);
    let mut drained = Vec::new();
    for mut piece in case.content.chunks(997) {
        while inspector.push(&mut piece) && inspector.is_full() {
            drained.extend(inspector.drain_rejected());
        }
    }
    inspector.finish();
    if retention == Retention::Rejected {
        drained.extend(inspector.drain_rejected());
    }
    (inspector.inspection(), drained)
}

/// Returns the numbers and the digests of an upload's rejections.
fn digests(bundled: &Catalog, wide: &Catalog, case: &Case) -> String {
    let catalog = if case.is_bundled { bundled } else { wide };
    let (inspection, _) = inspect(catalog, case, Retention::Bounded);
    let (again, lines) = inspect(catalog, case, Retention::Rejected);
    let rejections = &inspection.rejections;
    assert_eq!(rejections.summary(), again.rejections.summary(), "{}: each reading has the same result", case.name);
    let retained = inspection.rejected_records.unwrap().into_pieces().collect::<Vec<_>>().concat();
    assert!(retained == lines, "{}: the retained lines are those of a second reading", case.name);
    retry(catalog, case, &lines);
    let groups = rejections.largest_groups(MAX_REPORTED_GROUPS);
    let report = serde_json::to_vec(&(&groups, rejections.records(), rejections.read_until())).unwrap();
    let summary = serde_json::to_vec(&rejections.summary()).unwrap();
    let [lines, report, summary] = [lines, report, summary].map(|bytes| hex::encode(&Sha256::digest(bytes)[..8]));
    let (accepted, rejected) = (inspection.accepted, rejections.rejected());
    format!(
        "{}: {accepted} accepted, {rejected} rejected, lines {lines}, report {report}, summary {summary}\n",
        case.name
    )
}

/// Checks that a retry of rejected lines of NDJSON makes the same lines.
fn retry(catalog: &Catalog, case: &Case, lines: &[u8]) {
    let media = Media { format: Format::Ndjson, compression: None };
    let (name, content) = (case.name.clone(), lines.to_vec());
    let retry = Case { name, content, media, input: InputForm::RejectedRecordLines, max_rejected: None, ..*case };
    let (again, lines_again) = inspect(catalog, &retry, Retention::Rejected);
    let is_same_text = case.media.format == Format::Ndjson && case.max_rejected.is_none();
    let is_read_to_end = again.rejections.read_until().is_none() && again.rejections.upload_failure().is_none();
    assert!(!is_same_text || !is_read_to_end || lines == lines_again, "{}: a retry has the same lines", case.name);
}

/// Of records that fail alike, only the first is described: the others must have the same failures as if they were.
#[test]
fn records_that_fail_alike_have_the_failures_of_their_own_description() {
    let (bundled, wide) = (Catalog::bundled().unwrap(), schemas::catalog());
    let kinds: [(&Catalog, &str, Members); 8] = [
        (&bundled, "reading/1.0", READING),
        (&bundled, "batch/1.0", BATCH),
        (&bundled, "weather/1.0", WEATHER),
        (&wide, "known/1.0", &["id", "at", "value", "kind", "mail", "tags", "more", "n"]),
        (&wide, "open/1.0", VALUES),
        (&wide, "nested/1.0", &["id", "points", "a/b"]),
        (&wide, "values/1.0", VALUES),
        (&wide, "composed/1.0", COMPOSED),
    ];
    for (seed, (catalog, schema, members)) in (1_000..).zip(kinds) {
        let default = SchemaRef::parse(schema).unwrap();
        let mut validator = Validator::new(catalog, None, default.clone());
        let mut plain = Validator::new(catalog, None, default).without_known_rejections();
        let mut noise = Noise::new(seed);
        for round in 0..60 {
            let first = text(&mut noise, members, round % 2 == 0);
            for _ in 0..8 {
                let record = varied(&mut noise, &first);
                let found = format!("{:?}", validator.check(record.as_bytes()));
                let expected = format!("{:?}", plain.check(record.as_bytes()));
                assert_eq!(found, expected, "{schema}: {record}");
            }
        }
    }
}

fn expected_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rejections/digests.txt")
}

/// Writes the file instead if `UPDATE_GOLDEN` is set. Do that only if messages, positions or limits change on purpose.
#[test]
#[allow(clippy::disallowed_methods, reason = "the switch of a test")]
fn rejections_equal_their_digests_to_the_byte() {
    let (bundled, wide) = (Catalog::bundled().unwrap(), schemas::catalog());
    let cases: Vec<Case> = generated().into_iter().chain(hostile()).collect();
    let found: String = cases.iter().map(|case| digests(&bundled, &wide, case)).collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(expected_file(), &found).unwrap();
    }
    let expected = fs::read_to_string(expected_file()).unwrap_or_default();
    for (found, expected) in found.lines().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "the corpus has other cases");
}
