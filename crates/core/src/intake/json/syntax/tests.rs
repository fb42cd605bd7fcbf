//! The mistakes of real senders, and the agreement with `serde_json`.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::intake::json::Tape;

/// The name and the text of a case, its mistake, and the byte offset of that.
type Row = (&'static str, &'static str, Mistake, usize);

const NUMBERS: &[Row] = &[
    ("nan", r#"{"value":nan}"#, Mistake::NotFinite, 9),
    ("NaN", r#"{"value":NaN}"#, Mistake::NotFinite, 9),
    ("-nan", r#"{"value":-nan}"#, Mistake::NotFinite, 9),
    ("-inf", r#"{"value":-inf}"#, Mistake::NotFinite, 9),
    ("inf", r#"{"value":inf}"#, Mistake::NotFinite, 9),
    ("+inf", r#"{"value":+inf}"#, Mistake::NotFinite, 9),
    ("Infinity", r#"{"value":Infinity}"#, Mistake::NotFinite, 9),
    ("-Infinity", r#"{"value": -Infinity}"#, Mistake::NotFinite, 10),
    ("nan as an element", "nan", Mistake::NotFinite, 0),
    ("zeros in front", r#"{"value":007}"#, Mistake::LeadingZero, 9),
    ("zeros in front, negative", r#"{"value":-007}"#, Mistake::LeadingZero, 9),
    ("a point at the end", r#"{"value":5.}"#, Mistake::PointAtEnd, 9),
    ("a point at the end, in an array", "5.", Mistake::PointAtEnd, 0),
    ("a point at the end, exponent", "[5.e3]", Mistake::PointAtEnd, 1),
    ("a plus sign", r#"{"value":+1}"#, Mistake::PlusSign, 9),
    ("a point at the start", r#"{"value":.5}"#, Mistake::PointAtStart, 9),
    ("a point at the start, negative", r#"{"value":-.5}"#, Mistake::PointAtStart, 9),
    ("a minus sign alone", r#"{"value":-}"#, Mistake::LoneMinus, 9),
    ("no exponent", r#"{"value":1e}"#, Mistake::ExponentAtEnd, 9),
    ("no exponent behind its sign", r#"{"value":1.5E+}"#, Mistake::ExponentAtEnd, 9),
    ("hexadecimal", r#"{"value":0x1F}"#, Mistake::NotDecimal, 9),
    ("octal", r#"{"value":0o17}"#, Mistake::NotDecimal, 9),
    ("separators", r#"{"value":1_000}"#, Mistake::DigitSeparator, 9),
    ("a unit", r#"{"value":22.5C}"#, Mistake::NumberSuffix, 9),
    ("a decimal comma", r#"{"value":22,5}"#, Mistake::DecimalComma, 11),
    ("a decimal comma before a member", r#"{"value":22,5,"a":1}"#, Mistake::DecimalComma, 11),
    ("a date without quotes", r#"{"t":2025-02-28T12:00:00Z}"#, Mistake::UnquotedTime, 5),
    ("a time without quotes", r#"{"t":12:00}"#, Mistake::UnquotedTime, 5),
    ("a time without quotes, before noon", r#"{"t":09:30}"#, Mistake::UnquotedTime, 5),
    ("too large", r#"{"value":1e400}"#, Mistake::OutOfRange, 9),
    ("too large, negative", r#"{"value":-1e400}"#, Mistake::OutOfRange, 9),
];

const VALUES: &[Row] = &[
    ("nothing", "", Mistake::Empty, 0),
    ("white space", " \t\r\n", Mistake::Empty, 0),
    ("a missing value", r#"{"value":}"#, Mistake::MissingValue, 9),
    ("a missing value before a member", r#"{"value": ,"a":1}"#, Mistake::MissingValue, 10),
    ("a missing element", "[1,,2]", Mistake::MissingElement, 3),
    ("a missing member", r#"{"a":1,,"b":2}"#, Mistake::MissingMember, 7),
    ("a trailing comma in an object", r#"{"a":1,}"#, Mistake::TrailingComma, 7),
    ("a trailing comma in an array", "[1, ]", Mistake::TrailingComma, 4),
    ("no comma between members", "{\"a\":1\n\"b\":2}", Mistake::MissingComma, 7),
    ("no comma between elements", "[1 2]", Mistake::MissingComma, 3),
    ("no colon", r#"{"a" 1}"#, Mistake::MissingColon, 5),
    ("a name alone", r#"{"a"}"#, Mistake::MissingColon, 4),
    ("an equals sign", r#"{"a"=1}"#, Mistake::EqualsSign, 4),
    ("a semicolon", r#"{"a":1;"b":2}"#, Mistake::Semicolon, 6),
    ("the wrong bracket", r#"{"a":[1}"#, Mistake::WrongBracket, 7),
    ("the wrong bracket in an object", r#"{"a":1]"#, Mistake::WrongBracket, 6),
    ("a bracket too many", r#"{"a":1}}"#, Mistake::BracketAfterRecord, 7),
    ("single quotes of a name", "{'a':1}", Mistake::SingleQuotes, 1),
    ("single quotes of a value", "{\"a\":'b'}", Mistake::SingleQuotes, 5),
    ("typographic quotes", "{“a”:1}", Mistake::CurlyQuotes, 1),
    ("a name without quotes", "{a:1}", Mistake::UnquotedName, 1),
    ("a number as a name", "{1:2}", Mistake::UnquotedName, 1),
    ("text without quotes", r#"{"a":on}"#, Mistake::UnquotedText, 5),
    ("True", r#"{"a":True}"#, Mistake::Capitals, 5),
    ("FALSE", r#"{"a":FALSE}"#, Mistake::Capitals, 5),
    ("Null", r#"{"a":Null}"#, Mistake::Capitals, 5),
    ("None", r#"{"a":None}"#, Mistake::NullWord, 5),
    ("undefined", r#"{"a":undefined}"#, Mistake::NullWord, 5),
    ("another character", r#"{"a":?}"#, Mistake::NotAValue, 5),
    ("cut in an array", "[1", Mistake::EndsInArray, 2),
    ("cut behind a comma", "[1,", Mistake::EndsInArray, 3),
    ("cut in an object", r#"{"a":1"#, Mistake::EndsInObject, 6),
    ("cut behind a name", r#"{"a""#, Mistake::EndsInObject, 4),
    ("cut before a value", r#"{"a":"#, Mistake::EndsBeforeValue, 5),
    ("cut in a string", r#"{"a":"b"#, Mistake::EndsInString, 7),
    ("cut in an escape", r#"{"a":"\u12"#, Mistake::EndsInString, 10),
    ("cut in a number", r#"{"a":1."#, Mistake::EndsInNumber, 7),
    ("cut in a word", r#"{"a":tru"#, Mistake::EndsInWord, 8),
];

const STRINGS: &[Row] = &[
    ("a path of Windows", r#"{"path":"C:\data"}"#, Mistake::InvalidEscape, 11),
    ("a path with \\u", r#"{"path":"C:\users"}"#, Mistake::InvalidUnicodeEscape, 11),
    ("an escape of another language", r#"["\x41"]"#, Mistake::InvalidEscape, 2),
    ("a quote within a string", r#"{"a":"5" pipe"}"#, Mistake::MissingComma, 9),
    ("a quote within a word", r#"{"a":"5"pipe"}"#, Mistake::TextAfterString, 8),
    ("no closing quote", r#"{"device_id":"f2,"timestamp":1}"#, Mistake::TextAfterString, 18),
    ("a line break", "{\"a\":\"x\ny\"}", Mistake::LineBreakInString, 7),
    ("a tab", "{\"a\":\"x\ty\"}", Mistake::TabInString, 7),
    ("a NUL in a string", "{\"a\":\"x\0y\"}", Mistake::ControlInString, 7),
    ("half a pair", r#"{"a":"\ud83dx"}"#, Mistake::LoneSurrogate, 6),
    ("half a pair before a pair", r#"{"a":"\ud83d\ud83d\ude00"}"#, Mistake::LoneSurrogate, 6),
    ("half a pair before a pair, in a name", r#"{"\ud83d\ud83d\ude00":1}"#, Mistake::LoneSurrogate, 2),
    ("the second half alone", r#"["\ude00"]"#, Mistake::LoneSurrogate, 2),
];

const FORMATS: &[Row] = &[
    ("HTML", "<!DOCTYPE html><html>", Mistake::Markup, 0),
    ("XML", "<?xml version=\"1.0\"?>", Mistake::Markup, 0),
    ("the names of CSV", "device_id,timestamp,value", Mistake::Csv, 0),
    ("a row of CSV", "12345,2025-02-28T12:00:00Z,22.5", Mistake::Csv, 5),
    ("a row of CSV with semicolons", "12345;22,5", Mistake::Csv, 5),
    ("a row of CSV with tabs", "12345\t22.5", Mistake::Csv, 6),
    ("a row of CSV with quotes", "\"12345\",\"22.5\"", Mistake::Csv, 7),
    ("# comment", "# comment", Mistake::Comment, 0),
    ("// comment", "// comment", Mistake::Comment, 0),
    ("/* comment */", "{/* comment */\"a\":1}", Mistake::Comment, 1),
    ("a comment behind a value", "{\"a\":1 // comment\n}", Mistake::Comment, 7),
    ("a server-sent event", r#"data: {"a":1}"#, Mistake::ServerSentEvents, 0),
    ("a comment of server-sent events", ": ping", Mistake::ServerSentEvents, 0),
    ("a record separator", "\u{1e}{\"a\":1}", Mistake::RecordSeparator, 0),
    ("a record separator behind a record", "{\"a\":1}\u{1e}", Mistake::RecordSeparator, 7),
    ("NUL", "\0\0\0\0", Mistake::Nul, 0),
    ("NUL behind a record", "{\"a\":1}\0", Mistake::Nul, 7),
    ("a form feed", "\u{c}", Mistake::ControlCharacter, 0),
    ("a no-break space", "{\"a\":\u{a0}1}", Mistake::StrangeSpace, 5),
    ("a byte order mark within", "{\u{feff}\"a\":1}", Mistake::StrangeSpace, 1),
    ("escaped JSON", r#"{\"a\":1}"#, Mistake::EscapedJson, 1),
    ("a multipart form", "--boundary", Mistake::Multipart, 0),
    ("a form", "device_id=12345&value=22.5", Mistake::FormData, 0),
    ("words", "hello world", Mistake::NotARecord, 0),
    ("line ends of old Macs", "{\"a\":1}\r{\"a\":2}\r", Mistake::CarriageReturns, 8),
    ("two records on a line", r#"{"a":1} {"a":2}"#, Mistake::SecondValue, 8),
    ("a comma at the end of a line", r#"{"a":1},"#, Mistake::CommaAfterRecord, 7),
    ("text at the end of a line", r#"{"a":1} ok"#, Mistake::TextAfterRecord, 8),
];

#[test]
fn mistakes_of_senders_are_named_at_their_place() {
    for (name, text, mistake, offset) in [NUMBERS, VALUES, STRINGS, FORMATS].into_iter().flatten() {
        assert_eq!(first_mistake(text), Some((*mistake, *offset)), "{name}: {text}");
        let failure = Tape::default().read(text.as_bytes()).map(drop).expect_err(name);
        let found = (failure.code, failure.message.as_str(), failure.byte_offset);
        assert_eq!(found, (mistake.code(), mistake.text(), Some(*offset as u64)), "{name}: {text}");
    }
}

#[test]
fn every_mistake_has_a_row() {
    let rows = [NUMBERS, VALUES, STRINGS, FORMATS];
    let named: Vec<Mistake> = rows.into_iter().flatten().map(|(_, _, mistake, _)| *mistake).collect();
    let missing: Vec<&Mistake> = Mistake::ALL.iter().filter(|mistake| !named.contains(mistake)).collect();
    assert_eq!(missing, [&Mistake::Unknown], "mistakes without a row");
}

/// Texts that people write in place of JSON.
const PIECES: &[&str] = &[
    "",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    ";",
    "=",
    "\"",
    "'",
    "\\",
    "\\u",
    "\\ud83d",
    "\\ude00",
    "\n",
    "\r",
    "\t",
    " ",
    "\0",
    "\u{1e}",
    "\u{c}",
    "\u{a0}",
    "\u{feff}",
    "“",
    "#",
    "//",
    "/*",
    "<",
    "nan",
    "NaN",
    "-inf",
    "Infinity",
    "True",
    "None",
    "null",
    "true",
    "undefined",
    "007",
    "5.",
    "+1",
    ".5",
    "-",
    "1e",
    "0x1F",
    "1_000",
    "22,5",
    "1e400",
    "data: ",
    "é",
    "device_id,value",
    "\u{7f}",
];

fn any_piece() -> impl Strategy<Value = String> {
    prop_oneof![prop::sample::select(PIECES).prop_map(str::to_owned), "[ -~]", any::<char>().prop_map(String::from)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_text_that_serde_json_refuses_has_a_mistake_and_no_other(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..3, any_piece()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut text = r#"{"device_id":"é\u00e9\n","readings":[{"value":-22.5e1,"ok":true},[null,false,[]],{}],"n":0}"#.to_owned();
        for (at, length, piece) in edits {
            let start = text.floor_char_boundary(at.index(text.len() + 1));
            let end = text.ceil_char_boundary((start + length).min(text.len()));
            text.replace_range(start..end, &piece);
        }
        if let Some(cut) = cut {
            text.truncate(text.floor_char_boundary(cut.index(text.len() + 1)));
        }
        let refused = serde_json::from_str::<Value>(&text).err();
        let found = first_mistake(&text);
        prop_assert_eq!(found.is_some(), refused.is_some(), "{:?} {:?} {:?}", text, found, refused);
        if let (Some((mistake, offset)), Some(refused)) = (found, refused) {
            prop_assert!(offset <= text.len() && text.is_char_boundary(offset));
            // Nothing that serde_json read without complaint is blamed after the place where it stopped.
            let place = text.lines().take(refused.line().saturating_sub(1)).map(|line| line.len() + 1).sum::<usize>();
            prop_assert!(offset <= place + refused.column() + 4, "{:?} {:?} {:?}", text, mistake, refused);
            prop_assert_ne!(mistake, Mistake::Unknown);
        }
    }
}
