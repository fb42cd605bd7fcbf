//! The inputs of the benchmark, generated identically in every run. Each begins with a valid record: otherwise reading would
//! stop early.

use std::fmt::Write as _;

use eventpulse_core::intake::reader::Format;

/// An input.
pub(crate) struct Input {
    pub(crate) name: &'static str,
    pub(crate) format: Format,
    pub(crate) content: Vec<u8>,
}

/// A record of the schema `reading/1.0`, which docs/schemas-and-failure-codes.md describes.
const GOOD: &str = r#"{"device_id":"device-0001","timestamp":"2025-02-28T12:00:00Z","value":22.5}"#;

/// The bytes of an upload of tiny records.
const TINY_BYTES: usize = 16 << 20;

/// Returns all inputs; small ones if `is_quick`.
pub(crate) fn all(is_quick: bool) -> Vec<Input> {
    let records = if is_quick { 2_000 } else { 100_000 };
    let tiny = if is_quick { 64 << 10 } else { TINY_BYTES };
    let time =
        |number: u64| format!("2025-02-28T{:02}:{:02}:{:02}Z", number / 3_600 % 24, number / 60 % 60, number % 60);
    let lines = |name, line: &dyn Fn(u64) -> String| Input {
        name,
        format: Format::Ndjson,
        content: joined(&format!("{GOOD}\n"), (0..records).map(line), "\n", "").into(),
    };
    let tiny_lines = |name, line: &dyn Fn(u64) -> String| Input {
        name,
        format: Format::Ndjson,
        content: within(tiny, &format!("{GOOD}\n"), line, "\n", "").into(),
    };
    vec![
        lines("a quoted value", &|number| {
            let (device, time) = (number % 100, time(number));
            format!(r#"{{"device_id":"device-{device:04}","timestamp":"{time}","value":"22.5"}}"#)
        }),
        lines("a missing member", &|number| {
            format!(r#"{{"device_id":"device-{:04}","value":{}.5}}"#, number % 100, number % 50)
        }),
        lines("a wrong time", &|number| {
            let (device, time) = (number % 100, time(number).replace('T', " "));
            format!(r#"{{"device_id":"device-{device:04}","timestamp":"{time}","value":22.5}}"#)
        }),
        lines("three faults", &|number| format!(r#"{{"device_id":{number},"timestamp":null,"valeu":"22.5"}}"#)),
        lines("unique names", &|number| {
            let time = time(number);
            format!(r#"{{"device_id":"device-0001","timestamp":"{time}","value":22.5,"m{number}":0}}"#)
        }),
        lines("only a unique name", &|number| format!(r#"{{"m{number}":0}}"#)),
        lines("not JSON", &|number| format!(r#"{{"device_id":"device-0001","value":NaN,"n":{number}}}"#)),
        lines("300 kinds in turn", &|number| of_kind(number % 300)),
        tiny_lines("tiny: 16 MiB of unique names", &|number| format!(r#"{{"m{number}":0}}"#)),
        tiny_lines("tiny: 16 MiB of misspelt names", &|number| format!(r#"{{"{}":0}}"#, misspelt(number))),
        tiny_lines("tiny: 16 MiB of names in grave accents", &|number| {
            format!(r#"{{"{}":0}}"#, "`".repeat(number as usize % 9))
        }),
        tiny_lines("tiny: 16 MiB of new kinds", &of_kind),
        tiny_lines("tiny: 16 MiB of unknown schemas", &|number| format!(r#"{{"schema":"m{number}"}}"#)),
        tiny_lines("tiny: 16 MiB of repeated names", &|number| format!(r#"{{"m{number}":0,"m{number}":0}}"#)),
        tiny_lines("tiny: 16 MiB of numbers that are not JSON", &|number| format!(r#"{{"m{number}":NaN}}"#)),
        tiny_lines("tiny: 16 MiB of {} and 1", &|number| if number % 2 == 0 { "{}".into() } else { "1".into() }),
        Input {
            name: "tiny: 16 MiB of an array of zeros",
            format: Format::Json,
            content: within(tiny, &format!("[{GOOD},[]"), &|_| ",0".into(), "", "]").into(),
        },
    ]
}

/// Returns `timestamp` with at most two wrong letters: tens of thousands of names, most of them with a suggestion.
fn misspelt(number: u64) -> String {
    let mut name = *b"timestamp";
    let letter = |number: u64| b'A' + (number % 26) as u8;
    name[number as usize % 9] = letter(number / 81);
    name[number as usize / 9 % 9] = letter(number / 81 / 26);
    name.iter().copied().map(char::from).collect()
}

/// Returns a record that fails unlike those of the other numbers below 700,000: by its values, by their order, and by further
/// members, of which some have a suggestion.
fn of_kind(number: u64) -> String {
    const VALUES: [&str; 10] = ["null", "true", "false", "[]", "{}", "1", "1.5", "\"x\"", "\"1\"", "\"1,5\""];
    let digit = |divisor: u64, end: u64| (number / divisor % end) as usize;
    let mut members = [
        format!(r#""value":{}"#, VALUES[digit(1, 10)]),
        format!(r#""timestamp":{}"#, VALUES[digit(10, 7)]),
        format!(r#""device_id":{}"#, VALUES[digit(70, 7)]),
    ];
    members.rotate_left(digit(490, 3));
    if digit(1_470, 2) == 1 {
        members.swap(0, 1);
    }
    let further = (0..5).map(|place| match digit(2_940 * 3_u64.pow(place), 3) {
        0 => String::new(),
        1 => format!(r#","x{place}":0"#),
        _ => format!(r#","valu{place}":0"#),
    });
    format!("{{{}{}}}", members.join(","), further.collect::<String>())
}

fn joined(head: &str, lines: impl Iterator<Item = String>, end: &str, tail: &str) -> String {
    let mut text = head.to_owned();
    for line in lines {
        // Writing to a string does not fail.
        let _ = write!(text, "{line}{end}");
    }
    text + tail
}

/// Returns as many items as fit into `bytes`.
fn within(bytes: usize, head: &str, item: &dyn Fn(u64) -> String, end: &str, tail: &str) -> String {
    let mut left = bytes - head.len() - tail.len();
    let items = (0..).map(item).take_while(|item| {
        let length = item.len() + end.len();
        let fits = length <= left;
        left -= length.min(left);
        fits
    });
    joined(head, items, end, tail)
}
