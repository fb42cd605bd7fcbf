//! Real and hostile uploads, cut at every byte where a network may cut them.

use super::*;
use crate::intake::failure::FailureCode;

mod compression;
mod foreign_formats;

const JSON: Media = Media { format: Format::Json, compression: None };
const NDJSON: Media = Media { format: Format::Ndjson, compression: None };

const UNDECLARED: Media = Media { format: Format::Undeclared, compression: None };

/// A frame that was read: index, line, byte offset, text.
type Seen = (u64, u64, u64, String);

fn seen(frame: Frame<'_>) -> Seen {
    let text = frame
        .bytes
        .map_or_else(|| format!("<{} bytes>", frame.byte_length), |bytes| String::from_utf8_lossy(bytes).into_owned());
    (frame.index, frame.position.line, frame.position.byte_offset, text)
}

fn small() -> Limits {
    Limits { record_bytes: 64, decompressed_bytes: 1 << 20, gzip_members: 20 }
}

/// The records that are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Takes {
    None,
    /// Every object that is valid JSON.
    Objects,
    /// Most of them.
    Some,
}

struct Objects {
    takes: Takes,
    number: u32,
    taken: Vec<String>,
}

impl Recognizer for Objects {
    fn is_active(&self) -> bool {
        self.takes != Takes::None
    }

    fn find(&mut self, content: &[u8], between: Between) -> Option<usize> {
        self.number += 1;
        let is_wanted = match self.takes {
            Takes::None => false,
            Takes::Objects => true,
            Takes::Some => !self.number.is_multiple_of(3),
        };
        if !is_wanted || content.first() != Some(&b'{') {
            return None;
        }
        let mut values = serde_json::Deserializer::from_slice(content).into_iter::<serde::de::IgnoredAny>();
        values.next()?.ok()?;
        let length = values.byte_offset();
        (between != Between::LineFeed || !content.get(..length)?.contains(&b'\n')).then_some(length)
    }

    fn take(&mut self, record: &[u8]) -> bool {
        self.taken.push(String::from_utf8_lossy(record).into_owned());
        self.takes == Takes::Objects || !self.number.is_multiple_of(4)
    }
}

impl Objects {
    /// Adds what was read. The positions of taken records are unknown, except that of the last one.
    fn add(&mut self, part: Part<'_>, found: &mut Vec<Seen>) {
        match part {
            Part::Record(frame) => found.push(seen(frame)),
            Part::Taken(taken) => {
                let texts = std::mem::take(&mut self.taken);
                assert_eq!(texts.len() as u64, taken.records);
                let Taken { last, end, .. } = taken;
                for text in texts {
                    let index = found.last().map_or(0, |(index, ..)| index + 1);
                    found.push((index, 0, 0, text));
                }
                let (_, line, byte_offset, text) = found.last_mut().unwrap();
                (*line, *byte_offset) = (last.line, last.byte_offset);
                assert_eq!(end, *byte_offset + text.len() as u64);
            }
        }
    }
}

fn read_in_pieces(media: Media, limits: Limits, bytes: &[u8], piece: usize) -> (Vec<Seen>, Option<Failure>) {
    let read = |takes| {
        let mut found = Vec::new();
        let mut objects = Objects { takes, number: 0, taken: Vec::new() };
        let result = read_all(media, limits, bytes, piece, &mut objects, &mut found);
        (found, result.err())
    };
    let framed = read(Takes::None);
    for takes in [Takes::Objects, Takes::Some] {
        let (mut taken, failure) = read(takes);
        for (record, expected) in taken.iter_mut().zip(&framed.0).filter(|(record, _)| record.1 == 0) {
            (record.1, record.2) = (expected.1, expected.2);
        }
        assert_eq!((taken, failure), framed, "taken: {takes:?}, in pieces of {piece}");
    }
    framed
}

fn read_all(
    media: Media,
    limits: Limits,
    bytes: &[u8],
    piece: usize,
    recognizer: &mut Objects,
    found: &mut Vec<Seen>,
) -> Result<(), Failure> {
    let mut reader = Reader::new(media, limits);
    for mut input in bytes.chunks(piece.max(1)) {
        while let Some(part) = reader.next(&mut input, recognizer)? {
            recognizer.add(part, found);
        }
        assert!(input.is_empty(), "all input is taken before the reader asks for more");
    }
    while let Some(part) = reader.next_at_end(recognizer)? {
        recognizer.add(part, found);
    }
    assert_eq!(reader.next_at_end(recognizer), Ok(None));
    Ok(())
}

/// Reads whole and in pieces of every size up to 9, with records taken and not, and expects the same each time.
fn read(media: Media, bytes: &[u8]) -> (Vec<Seen>, Option<Failure>) {
    let whole = read_in_pieces(media, small(), bytes, bytes.len());
    for piece in 1..10 {
        assert_eq!(read_in_pieces(media, small(), bytes, piece), whole, "in pieces of {piece}");
    }
    whole
}

fn texts(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|(.., text)| text.as_str()).collect()
}

#[test]
fn well_formed_uploads_yield_their_records() {
    let rows: [(&str, Media, &str, &[&str]); 13] = [
        ("a document", JSON, r#"{"a":[1,{"b":"}]"}]}"#, &[r#"{"a":[1,{"b":"}]"}]}"#]),
        ("a document in white space", JSON, " \r\n{ } \n", &["{ }"]),
        ("an array", JSON, r#"[{"a":1}, {"a":2}]"#, &[r#"{"a":1}"#, r#"{"a":2}"#]),
        ("an empty array", JSON, " [ ] ", &[]),
        ("an array of scalars", JSON, r#"[1,"a,]",true ,null]"#, &["1", r#""a,]""#, "true", "null"]),
        ("an array of arrays", JSON, "[[1],[[2]]]", &["[1]", "[[2]]"]),
        ("quotes and backslashes", JSON, r#"[{"\"}":"\\"},{"a":"\\\"]"}]"#, &[r#"{"\"}":"\\"}"#, r#"{"a":"\\\"]"}"#]),
        ("a number", JSON, "12.5", &["12.5"]),
        ("lines", NDJSON, "{\"a\":1}\n{\"a\":2}\n", &[r#"{"a":1}"#, r#"{"a":2}"#]),
        ("no line feed at the end", NDJSON, "{\"a\":1}\n{\"a\":2}", &[r#"{"a":1}"#, r#"{"a":2}"#]),
        ("empty lines between", NDJSON, "\n\n{\"a\":1}\n \t\r\n{\"a\":2}\r\n\n", &[r#"{"a":1}"#, "{\"a\":2}\r"]),
        ("nothing", JSON, "", &[]),
        ("white space", NDJSON, " \n\t\n", &[]),
    ];
    for (name, media, text, expected) in rows {
        let (seen, failure) = read(media, text.as_bytes());
        assert_eq!((texts(&seen), failure), (expected.to_vec(), None), "{name}");
    }
}

#[test]
fn positions_are_within_the_upload() {
    let (seen, _) = read(JSON, b"[\n  {\"a\":\n1},\n\n  {\"a\":2}]");
    let positions: Vec<_> = seen.iter().map(|(index, line, byte, _)| (*index, *line, *byte)).collect();
    assert_eq!(positions, [(0, 2, 4), (1, 5, 17)]);
    let (seen, _) = read(NDJSON, b"\n{}\n\n{}\n");
    let positions: Vec<_> = seen.iter().map(|(index, line, byte, _)| (*index, *line, *byte)).collect();
    assert_eq!(positions, [(0, 2, 1), (1, 4, 5)]);
}

#[test]
fn malformed_uploads_fail_as_a_whole() {
    type Row<'a> = (&'a str, Media, &'a [u8], FailureCode, Option<(u64, u64)>);
    let rows: [Row<'_>; 16] = [
        ("an open array", JSON, b"[{\"a\":1}", FailureCode::Truncated, Some((1, 8))),
        ("an array open in an element", JSON, b"[{\"a\":", FailureCode::Truncated, Some((1, 6))),
        ("a trailing comma", JSON, b"[1,\n]", FailureCode::NotJson, Some((2, 4))),
        ("a leading comma", JSON, b"[,1]", FailureCode::NotJson, Some((1, 1))),
        ("no comma", JSON, b"[1 2]", FailureCode::NotJson, Some((1, 3))),
        ("text behind the array", JSON, b"[1] x", FailureCode::NotJson, Some((1, 4))),
        ("text behind the document", JSON, b"{} x", FailureCode::NotJson, Some((1, 3))),
        ("an array behind the document", JSON, b"{}\n[{}]", FailureCode::NotJson, Some((2, 3))),
        ("a document behind the array", JSON, b"[{}]\n{}", FailureCode::NotJson, Some((2, 5))),
        ("a number behind a number", JSON, b"1\n2", FailureCode::NotJson, Some((2, 2))),
        ("an array sent as lines", NDJSON, b" [1]\n", FailureCode::ContentTypeMismatch, None),
        (
            "an indented document sent as lines",
            NDJSON,
            b"{\n  \"a\": 1\n}\n",
            FailureCode::ContentTypeMismatch,
            Some((1, 0)),
        ),
        ("a byte order mark", JSON, b"\xef\xbb\xbf{}", FailureCode::ByteOrderMark, Some((1, 0))),
        ("UTF-16 with a mark", JSON, b"\xff\xfe{\0}\0", FailureCode::NotUtf8, Some((1, 0))),
        ("UTF-16, big end first", NDJSON, b"\0{\0}", FailureCode::NotUtf8, Some((1, 0))),
        ("UTF-16, little end first", NDJSON, b"{\0}\0", FailureCode::NotUtf8, Some((1, 0))),
    ];
    for (name, media, bytes, code, position) in rows {
        let failure = read(media, bytes).1.unwrap_or_else(|| panic!("{name}: no failure"));
        let found = failure.line.zip(failure.byte_offset);
        assert_eq!((failure.code, found), (code, position), "{name}: {}", failure.message);
    }
}

#[test]
fn a_bad_line_costs_only_itself() {
    let good = r#"{"a":1}"#;
    let rows: [(&str, &[u8]); 20] = [
        ("NUL", b"\0"),
        ("two NULs", b"\0\0"),
        ("NULs around a bracket", b"\0{\0}"),
        ("an array", br#"["x"]"#),
        ("an array of records", br#"[{"a":1},{"a":2}]"#),
        ("an opening bracket", b"["),
        ("an opening brace", b"{"),
        ("an opening brace in white space", b"  { \r"),
        ("half a record", br#"{"a":1,"#),
        ("a closing brace", b"}"),
        ("a string without an end", br#"{"a":"b"#),
        ("a form feed", b"\x0c"),
        ("a vertical tab", b"\x0b"),
        ("a byte order mark", b"\xef\xbb\xbf{}"),
        ("no UTF-8", b"\xff"),
        ("a word", b"hello"),
        ("a header of CSV", b"device_id,timestamp,value"),
        ("HTML", b"<!doctype html><html>"),
        ("a comment", b"# comment"),
        ("a record separator", b"\x1e{}"),
    ];
    for (name, line) in rows {
        for before in 0..3 {
            let mut lines = vec![good.as_bytes(); before + 4];
            lines[before] = line;
            let (seen, failure) = read(NDJSON, &lines.join(&b'\n'));
            assert_eq!(failure, None, "{name} in line {}", before + 1);
            let seen: Vec<&str> = texts(&seen).into_iter().map(|text| text.trim_matches([' ', '\r'])).collect();
            let text = String::from_utf8_lossy(line);
            let mut expected = vec![good; before + 4];
            expected[before] = text.trim_matches([' ', '\r']);
            assert_eq!(seen, expected, "{name} in line {}", before + 1);
        }
    }
}

#[test]
fn indented_documents_sent_as_lines_fail_with_one_instruction() {
    let document = "{\n  \"a\": 1,\n  \"b\": [\n    2\n  ]\n}\n";
    let long = format!("[\n{}1\n]", "  {\n    \"a\": 1\n  },\n".repeat(2_000));
    let rows: [(&str, &str, (u64, u64), &str); 6] = [
        ("one", document, (1, 0), "this record takes lines 1 to 6"),
        ("two", &document.repeat(2), (1, 0), "this record takes lines 1 to 6"),
        ("behind empty lines", &format!("\n \n{document}"), (3, 3), "this record takes lines 3 to 8"),
        ("an array", "[\n{\"a\":1},\n{\"a\":2}\n]", (1, 0), "this array takes lines 1 to 4"),
        ("a long array", &long, (1, 0), "this array takes more than one line"),
        (
            "the second with a mistake",
            &format!("{document}{{\n  'a': 1\n}}\n"),
            (1, 0),
            "this record takes lines 1 to 6",
        ),
    ];
    for (name, text, position, message) in rows {
        let failure = read(NDJSON, text.as_bytes()).1.unwrap_or_else(|| panic!("{name}: no failure"));
        assert_eq!(failure.code, FailureCode::ContentTypeMismatch, "{name}");
        assert_eq!(failure.line.zip(failure.byte_offset), Some(position), "{name}");
        let expected = format!("{message}, but a record of NDJSON takes one: send the file as application/json");
        assert_eq!(failure.message, expected, "{name}");
    }
}

#[test]
fn lines_among_indented_documents_are_records() {
    let rows: [(&str, &str, usize); 4] = [
        ("a record over two lines, first", "{\"a\":1,\n\"b\":2}\n{\"a\":1}\n{\"a\":2}\n", 4),
        ("a record over two lines, later", "{\"a\":1}\n{\"a\":1,\n\"b\":2}\n{\"a\":2}\n", 4),
        ("brackets of an array around lines", "[\n{\"a\":1}\n{\"a\":2}\n]\n", 4),
        ("a mistake behind a record over two lines", "{\"a\":1,\n\"b\":2}\nx\n{\"a\":1}\n", 4),
    ];
    for (name, text, records) in rows {
        let (seen, failure) = read(NDJSON, text.as_bytes());
        assert_eq!((seen.len(), failure), (records, None), "{name}");
    }
}

#[test]
fn an_oversized_record_does_not_affect_others() {
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(64));
    let told = format!("<{} bytes>", long.len());
    let (seen, failure) = read(NDJSON, format!("{{}}\n{long}\n{{}}\n").as_bytes());
    assert_eq!((texts(&seen), failure), (vec!["{}", told.as_str(), "{}"], None));
    let (seen, failure) = read(JSON, format!("[1,{long},2]").as_bytes());
    assert_eq!((texts(&seen), failure), (vec!["1", told.as_str(), "2"], None));
}

#[test]
fn record_limit_is_inclusive() {
    for (length, passes) in [(64, true), (65, false)] {
        let record = format!("\"{}\"", "x".repeat(length - 2));
        let (seen, _) = read_in_pieces(NDJSON, small(), format!("{record}\n").as_bytes(), 10);
        assert_eq!(seen[0].3 == record, passes, "{length} bytes");
    }
}

#[test]
fn an_oversized_document_fails_early() {
    let (seen, failure) = read_in_pieces(JSON, small(), format!("{{\"a\":\"{}", "x".repeat(500)).as_bytes(), 50);
    assert_eq!((seen.len(), failure.map(|failure| failure.code)), (0, Some(FailureCode::RecordTooLarge)));
}

#[test]
fn media_of_headers_and_file_names() {
    let (gz, json, ndjson) = (Some(Compression::Gzip), Format::Json, Format::Ndjson);
    type Row<'a> = (Option<&'a str>, Option<&'a str>, &'a str, Result<Media, ()>);
    let rows: [Row<'_>; 15] = [
        (Some("application/json"), None, "x", Ok(JSON)),
        (Some("Application/JSON; charset=UTF-8"), None, "x", Ok(JSON)),
        (Some("application/x-ndjson"), Some("gzip"), "x", Ok(Media { format: ndjson, compression: gz })),
        (Some("application/json"), Some("zstd"), "x", Ok(Media { format: json, compression: Some(Compression::Zstd) })),
        (None, None, "a.json", Ok(JSON)),
        (Some("binary/octet-stream"), None, "a b+é.NDJSON", Ok(NDJSON)),
        (Some("application/gzip"), None, "a.jsonl.gz", Ok(NDJSON)),
        (Some("binary/octet-stream"), None, "a.json.zst", Ok(JSON)),
        (Some("binary/octet-stream"), None, "a.csv", Err(())),
        (Some("binary/octet-stream"), None, "json", Err(())),
        (None, None, "", Err(())),
        (Some("text/csv"), None, "a.json", Err(())),
        (Some("application/json; charset=utf-16"), None, "a.json", Err(())),
        (Some("application/json"), Some("br"), "a.json", Err(())),
        (Some("application/json-patch+json"), None, "a.json", Err(())),
    ];
    for (content_type, encoding, name, expected) in rows {
        let parsed = Media::parse(content_type, encoding, name).map_err(|failure| {
            assert_eq!(failure.code, FailureCode::UnsupportedContentType);
        });
        assert_eq!(parsed, expected, "{content_type:?} {encoding:?} {name}");
    }
}

#[test]
fn an_array_ends_where_its_structure_breaks() {
    let rows: [(&str, &str, &[&str]); 5] = [
        ("no quote", "[1,{\"a\":\"b,\"c\":1},2]", &["1", "{\"a\":\"b,\"c"]),
        ("no brace", "[1,{\"a\":1,{\"a\":2},3]", &["1", "{\"a\":1,{"]),
        ("a line feed in a string", "[\"a\n\",1]", &["\"a\n"]),
        ("a byte order mark", "[1,\u{feff}{}]", &["1", "\u{feff}{"]),
        ("a wrong character of two bytes", "[{é:1},2]", &["{é:"]),
    ];
    for (name, text, frames) in rows {
        let (seen, failure) = read(JSON, text.as_bytes());
        assert_eq!(texts(&seen), frames, "{name}");
        // The parser refuses the last frame. In case that it does not, the framer fails.
        assert_eq!(failure.map(|failure| failure.code), Some(FailureCode::NotJson), "{name}");
    }
}

#[test]
fn a_broken_document_is_one_record() {
    for text in ["{'a': 1}\n", "{\"a\":\"b,\"c\":1}", "{\"a\":[1}, 2", "}{}"] {
        let (seen, failure) = read(JSON, text.as_bytes());
        assert_eq!((texts(&seen), failure), (vec![text], None), "{text}");
    }
    let failure = read_in_pieces(JSON, small(), format!("{{'a': \"{}", "x".repeat(100)).as_bytes(), 7).1;
    assert_eq!(failure.map(|failure| (failure.code, failure.byte_offset)), Some((FailureCode::NotJson, Some(1))));
}

#[test]
fn documents_behind_one_another_are_records() {
    let indented = "{\n  \"a\": 1\n}";
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(64));
    let told = format!("<{} bytes>", long.len());
    let rows: [(&str, String, &[&str]); 6] = [
        ("one a line", "{\"a\":1}\n{\"a\":2}\n".into(), &[r#"{"a":1}"#, r#"{"a":2}"#]),
        ("indented", format!("{indented}\n\n{indented}\n"), &[indented, indented]),
        ("without anything between", "{}{}\t{} ".into(), &["{}", "{}", "{}"]),
        ("the last one cut", "{}\n{\"a\":".into(), &["{}", "{\"a\":"]),
        ("a mistake in a literal", "{\"a\":NaN}\n{}".into(), &["{\"a\":NaN}", "{}"]),
        ("a large one", format!("{{}}\n{long}\n{{}}"), &["{}", &told, "{}"]),
    ];
    for (name, text, frames) in rows {
        let (seen, failure) = read(JSON, text.as_bytes());
        assert_eq!((texts(&seen), failure), (frames.to_vec(), None), "{name}");
    }
    let (seen, failure) = read(JSON, b"{}\n{'a': 1}\n{}");
    assert_eq!((texts(&seen), failure.map(|failure| failure.line)), (vec!["{}", "{'"], Some(Some(2))));
}

proptest::proptest! {
    /// Reading in pieces equals reading at once, and no input panics.
    #[test]
    fn piece_size_does_not_matter(bytes in proptest::collection::vec(proptest::sample::select(b"{}[],\":\\ \n1ae\xff\0\xc3\xa9".to_vec()), 0..120), piece in 1usize..20, padding in proptest::sample::select(vec![0, 16_320])) {
        for media in [JSON, NDJSON] {
            let bytes = [vec![b' '; padding], bytes.clone()].concat();
            let whole = read_in_pieces(media, small(), &bytes, bytes.len());
            proptest::prop_assert_eq!(read_in_pieces(media, small(), &bytes, piece), whole.clone());
            proptest::prop_assert_eq!(read_in_pieces(media, small(), &bytes, 64 << piece.min(10)), whole);
        }
    }

    /// The records of an array are its elements.
    #[test]
    fn records_are_the_array_elements(numbers in proptest::collection::vec(-1000i64..1000, 0..8), names in proptest::collection::vec("[a-z\"\\\\\\]}, ]{0,6}", 0..8), piece in 1usize..20) {
        let elements: Vec<serde_json::Value> = numbers.iter().zip(&names).map(|(n, s)| serde_json::json!({ s.as_str(): [n, s] })).collect();
        let text = serde_json::to_string_pretty(&elements).unwrap_or_default();
        let (seen, failure) = read_in_pieces(JSON, Limits::default(), text.as_bytes(), piece);
        let read: Vec<serde_json::Value> = seen.iter().map(|(.., text)| serde_json::from_str(text).unwrap_or_default()).collect();
        proptest::prop_assert_eq!((read, failure), (elements, None));
    }
}

#[test]
fn an_undeclared_format_is_read_as_the_declared_one() {
    for (name, text, declared) in [
        ("array", "\n[{\"a\": 1},\n {\"a\": 2}]", JSON),
        ("document", "{\n  \"a\": 1\n}\n", JSON),
        ("lines", "{\"a\": 1}\n{\"a\": 2}\n", NDJSON),
        ("a line without an end", "{\"a\": 1}", NDJSON),
        ("a wrong line", "{\"a\": nan}\nx\n", NDJSON),
        ("nothing", "", JSON),
        ("white space", " \n ", JSON),
    ] {
        assert_eq!(read(UNDECLARED, text.as_bytes()), read(declared, text.as_bytes()), "{name}");
        assert_eq!(
            read(UNDECLARED, &compression::gzip(text.as_bytes())),
            read(declared, text.as_bytes()),
            "{name}, compressed"
        );
    }
    for (content, code) in [
        (b"device_id\n1\n".as_slice(), FailureCode::UnsupportedContentType),
        (b"device_id,value\n1,2\n", FailureCode::UnsupportedFormat),
        (b"PAR1\x15\x04", FailureCode::UnsupportedFormat),
        (b"[\0{\0}\0]\0", FailureCode::NotUtf8),
        (b"\xef\xbb\xbf[{}]", FailureCode::ByteOrderMark),
    ] {
        let (frames, failure) = read(UNDECLARED, content);
        assert_eq!((frames, failure.map(|failure| failure.code)), (vec![], Some(code)), "{}", content.escape_ascii());
    }
}
