//! No text of a library reaches a sender, whatever the bytes of an upload are.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod support;

use eventpulse_core::intake::failure::Failure;
use eventpulse_core::intake::inspection::{InputForm, Inspection, InspectionSpec, Inspector, Retention};
use eventpulse_core::intake::reader::Format;
use eventpulse_core::intake::schema::Catalog;
use proptest::prelude::*;

/// The texts of serde_json (`ErrorCode`), serde (`de::Error`), jsonschema, flate2 and std, or their characteristic parts.
const LIBRARIES: &[&str] = &[
    "EOF while parsing",
    "expected `:`",
    "expected `,`",
    "expected `\"`",
    "expected ident",
    "expected value",
    "invalid escape",
    "invalid number",
    "number out of range",
    "invalid unicode code point",
    "control character (\\u0000",
    "key must be a string",
    "float key must be",
    "lone leading surrogate",
    "trailing characters",
    "unexpected end of hex escape",
    "recursion limit",
    " at line ",
    " column ",
    "invalid type:",
    "invalid value:",
    "invalid length",
    "unknown field",
    "unknown variant",
    "missing field",
    "duplicate field",
    "duplicate member",
    "too deep",
    "is not of type",
    "is not valid under",
    "is a required property",
    "does not match",
    "is not a \"",
    "is less than the minimum",
    "deflate",
    "corrupt gzip",
    "invalid gzip",
    "Unknown frame",
    "Restored data",
    "unexpected end of file",
    "invalid utf-8",
];

fn spec(format: Format, input: InputForm) -> InspectionSpec {
    InspectionSpec { input, ..support::spec(format) }
}

fn inspect(catalog: &Catalog, spec: InspectionSpec, mut bytes: &[u8]) -> Inspection {
    let mut inspector = Inspector::new(catalog, spec, Retention::Bounded);
    inspector.push(&mut bytes);
    inspector.finish();
    inspector.inspection()
}

fn messages(inspection: &Inspection) -> Vec<String> {
    let records = inspection.rejections.records().iter().flat_map(|record| &record.failures);
    let failures = inspection.rejections.upload_failure().into_iter().chain(records);
    failures.map(|Failure { message, .. }| message.clone()).collect()
}

/// Returns the message that has words of a library.
fn foreign(messages: &[String]) -> Option<&String> {
    messages.iter().find(|message| message.is_empty() || LIBRARIES.iter().any(|words| message.contains(words)))
}

#[test]
fn mistakes_around_records_have_advice() {
    let catalog = Catalog::bundled().unwrap();
    let (json, ndjson) = (Format::Json, Format::Ndjson);
    let rows = [
        ("a trailing comma in an array", json, "[{},\n]", "a comma before a closing bracket: remove", 2, 5),
        ("two commas", json, "[{},,{}]", "an element of the array is missing at this comma", 1, 4),
        ("no comma", json, "[{}\n{}]", "a comma is missing before this", 2, 4),
        ("a comment between elements", json, "[{} // one\n,{}]", "JSON has no comments", 1, 4),
        ("NUL between elements", json, "[{},{}\0]", "a NUL byte", 1, 6),
        ("a comment behind the array", json, "[{}]\n# end", "JSON has no comments", 2, 5),
        ("an array that is cut", json, "[{}", "the upload ends within the array", 1, 3),
        ("a decimal comma", ndjson, "{\"value\":22,5}", "write 22.5 instead of 22,5", 1, 11),
        ("nan", ndjson, "{}\n{\"value\":nan}", "JSON has neither NaN nor infinity", 2, 12),
        ("a path of Windows", ndjson, "{\"a\":\"C:\\data\"}", "write two backslashes", 1, 8),
        ("line ends of old Macs", ndjson, "{\"a\":1}\r{\"a\":2}", "end them with a line feed", 1, 8),
        ("a server-sent event", ndjson, "data: {}", "server-sent events", 1, 0),
        ("a record separator", ndjson, "\u{1e}{}", "RFC 7464", 1, 0),
    ];
    for (name, format, text, words, line, byte) in rows {
        let inspection = inspect(&catalog, spec(format, InputForm::Records), text.as_bytes());
        let records = inspection.rejections.records().iter().flat_map(|record| &record.failures);
        let found = inspection.rejections.upload_failure().into_iter().chain(records).find(|failure| {
            (failure.line, failure.byte_offset) == (Some(line), Some(byte)) && failure.message.contains(words)
        });
        assert!(found.is_some(), "{name}: {:?}", messages(&inspection));
    }
}

const RECORDS: &[&str] = &[
    r#"{"device_id":"12345","timestamp":"2025-02-28T12:00:00Z","value":22.5}"#,
    r#"{"schema":"batch/1.0","device_id":"é\u00e9","readings":[{"timestamp":"2025-02-28T12:00:00+01:00","value":-1e3}]}"#,
    r#"{"schema":"weather/1.0","station":"S","observed_at":"2012-01-01T00:00:00Z","temp_max_c":null,"sky":"sun"}"#,
];
const PIECES: &[&[u8]] = &[
    b"",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\"",
    b"'",
    b"\\",
    b"\\u",
    b"\\ud800",
    b"\n",
    b"\r",
    b"\t",
    b"\0",
    b"\x1e",
    b"\xff",
    b"\xe9",
    b"\xef\xbb\xbf",
    b"#",
    b"//",
    b"<",
    b"NaN",
    b"-inf",
    b"True",
    b"null",
    b"true",
    b"007",
    b"5.",
    b"+1",
    b".5",
    b"1e400",
    b"0x1F",
    b"\"x\"",
    b"\"x\":1,",
    b"[[[[[[",
    b"data: ",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_words_of_a_library_reach_a_sender(
        chosen in prop::collection::vec(prop::sample::select(RECORDS), 1..4),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..4, prop::sample::select(PIECES)), 0..5),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
        is_array: bool,
    ) {
        let catalog = Catalog::bundled().unwrap();
        let (joined, format) = match is_array {
            true => (format!("[{}]", chosen.join(",\n")), Format::Json),
            false => (chosen.join("\n"), Format::Ndjson),
        };
        let mut bytes = joined.into_bytes();
        for (at, length, piece) in edits {
            let start = at.index(bytes.len() + 1);
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, piece.iter().copied());
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        for format in [format, Format::Json, Format::Ndjson] {
            let inspection = inspect(&catalog, spec(format, InputForm::Records), &bytes);
            let messages = messages(&inspection);
            prop_assert_eq!(foreign(&messages), None, "{}", String::from_utf8_lossy(&bytes));
            // The same records, retried unchanged, and the damaged upload as if it were such a retry.
            let lines = inspection.rejected_records.unwrap_or_default().into_pieces().collect::<Vec<_>>().concat();
            for lines in [&lines, &bytes] {
                let spec = spec(Format::Ndjson, InputForm::RejectedRecordLines);
                let messages = self::messages(&inspect(&catalog, spec, lines));
                prop_assert_eq!(foreign(&messages), None, "{}", String::from_utf8_lossy(lines));
            }
        }
    }
}
