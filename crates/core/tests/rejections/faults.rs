//! Generated uploads with wrong records, the same in every run.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// Repeatable noise: [SplitMix64](https://doi.org/10.1145/2714064.2660195).
/// Not that of a crate, because the expected digests depend on it.
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

/// Names of members: near to declared ones, far from them, and hostile ones.
fn name(noise: &mut Noise) -> String {
    let names = [
        "value",
        "Value",
        "VALUE",
        "valeu",
        "vale",
        "val",
        "v",
        "device_id",
        "deviceId",
        "device-id",
        "devce_id",
        "timestamp",
        "timestmap",
        "time_stamp",
        "Timestamp",
        "timestemps",
        "readings",
        "reading",
        "schema",
        "shcema",
        "station",
        "staton",
        "temp_max_c",
        "temp_maxc",
        "temp_min_c",
        "tempminc",
        "wind_m_s",
        "sky",
        "sly",
        "kind",
        "n",
        "at",
        "id",
        "v1",
        "",
        " ",
        "é",
        "温度",
        "a/b",
        "~",
        "a~1b",
        "0",
        "12",
        "\"",
        "\\",
        "line\nfeed",
        "`",
        "\u{7f}",
        "tags",
        "tag",
        "more",
        "mode",
    ];
    match noise.below(8) {
        0 => format!("m{}", noise.next()),
        1 => format!("x{}", noise.below(100)),
        2 => "long".repeat(1 + noise.below(40)),
        3 if noise.one_in(8) => "é".repeat(noise.below(700)),
        _ => noise.pick(&names).to_owned(),
    }
}

/// Values of every type, right and wrong by turns.
fn value(noise: &mut Noise, depth: u32) -> Value {
    let texts = [
        "",
        "x",
        "22.5",
        "22,5",
        " 12 ",
        "NaN",
        "n/a",
        "null",
        "-",
        "Infinity",
        "true",
        "2025-02-28T12:00:00Z",
        "2025-02-28 12:00:00",
        "2025-02-30T12:00:00Z",
        "28.02.2025",
        "2025-02-28",
        "2025-02-28T12:00:00",
        "1740744000",
        "1740744000000",
        "2025-02-28T25:00:00Z",
        "2025-02-28T12:00:60Z",
        "Fri, 28 Feb 2025 12:00:00 GMT",
        "sun",
        "grey",
        "abc",
        "ABC",
        "reading/1.0",
        "batch/1.0",
        "weather/1.3",
        "weather/2.0",
        "raeding/1.0",
        "none",
        "a\"b\\c\nd",
        "温度",
    ];
    match noise.below(if depth == 0 { 14 } else { 18 }) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(false),
        3 => json!(0),
        4 => json!(noise.below(200)),
        5 => json!(-(noise.below(400) as i64)),
        6 => json!(noise.below(1_000_000) as f64 / 1_000.0 - 300.0),
        7 => json!(1_740_744_000_u64 * [1, 1_000, 1_000_000][noise.below(3)]),
        8 => json!("x".repeat([0, 1, 128, 255, 256, 257, 1_025][noise.below(7)])),
        14 => json!([]),
        15 => json!({}),
        16 => (0..noise.below(4)).map(|_| value(noise, depth - 1)).collect(),
        17 => Value::Object((0..noise.below(4)).map(|_| (name(noise), value(noise, depth - 1))).collect()),
        _ => json!(noise.pick(&texts)),
    }
}

/// A value of the form that a schema requires.
fn right(noise: &mut Noise, name: &str) -> Value {
    let second = noise.below(86_400);
    let time = format!("2025-02-28T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60);
    match name {
        "device_id" | "station" | "id" => json!(format!("d{}", noise.below(5))),
        "timestamp" | "observed_at" | "at" => json!(time),
        "readings" | "points" => (0..1 + noise.below(4)).map(|_| record(noise, &["timestamp", "value"])).collect(),
        "sky" => json!("sun"),
        "kind" => json!(noise.pick(&["one", "two"])),
        "schema" => json!("reading/1.0"),
        _ => json!(noise.below(1_000) as f64 / 10.0),
    }
}

fn record(noise: &mut Noise, names: &[&str]) -> Value {
    Value::Object(names.iter().map(|name| ((*name).to_owned(), right(noise, name))).collect())
}

/// Makes up to three mistakes in a value: members that are missing, misspelt, superfluous or of another form.
fn spoil(noise: &mut Noise, spoilt: &mut Value) {
    for _ in 0..1 + noise.below(3) {
        match &mut *spoilt {
            Value::Object(members) => spoil_object(noise, members),
            Value::Array(elements) if !elements.is_empty() => {
                let at = noise.below(elements.len());
                if noise.one_in(4) { elements[at] = value(noise, 1) } else { spoil(noise, &mut elements[at]) }
            }
            other => *other = value(noise, 2),
        }
    }
}

fn spoil_object(noise: &mut Noise, members: &mut Map<String, Value>) {
    let names: Vec<String> = members.keys().cloned().collect();
    let known = names.get(noise.below(names.len())).cloned();
    match (noise.below(8), known) {
        (0 | 1, Some(known)) => drop(members.remove(&known)),
        (2, Some(known)) => {
            let moved = members.remove(&known).unwrap_or_default();
            members.insert(name(noise), moved);
        }
        (3 | 4, _) => drop(members.insert(name(noise), value(noise, 2))),
        (5, Some(known)) => spoil(noise, members.entry(known).or_insert(Value::Null)),
        (_, Some(known)) => drop(members.insert(known, value(noise, 2))),
        _ => {}
    }
}

/// The members of the records of one kind, in the order of their text.
pub type Members = &'static [&'static str];

/// Returns a record as text: right or spoilt, compact or indented, now and then damaged as text.
pub fn text(noise: &mut Noise, members: Members, is_line: bool) -> String {
    let mut generated = record(noise, members);
    if !noise.one_in(10) {
        spoil(noise, &mut generated);
    }
    if noise.one_in(40) {
        generated = value(noise, 2);
    }
    let mut text = if is_line || noise.one_in(2) {
        generated.to_string()
    } else {
        serde_json::to_string_pretty(&generated).unwrap_or_default()
    };
    if noise.one_in(10) {
        text = text.replace(':', " : ").replace("é", "\\u00e9");
    }
    if is_line && noise.one_in(20) {
        damage(noise, &mut text);
    }
    text
}

/// Changes a record so that it is not JSON, or not JSON of which every parser reads the same.
fn damage(noise: &mut Noise, text: &mut String) {
    let at = text.floor_char_boundary(noise.below(text.len()));
    match noise.below(6) {
        0 => text.truncate(at),
        1 => text.insert(
            at,
            noise.pick(&["'", "\"", ",", "}", "]", ":", "\t", "\u{1}", "NaN", "\\ud800"]).chars().next().unwrap_or(' '),
        ),
        2 => *text = text.replacen('{', "{\"twice\":1,\"twice\":2,", 1),
        3 => *text = text.replacen(':', ":1e999,\"n\":", 1),
        4 => *text = format!("{}1{}", "[".repeat(70), "]".repeat(70)),
        _ => *text = text.replace('"', "'"),
    }
}

/// Returns a record of the same form: some of its digits differ, and now and then another character of a name or a text.
pub fn varied(noise: &mut Noise, record: &str) -> String {
    let is_damaged = noise.one_in(6);
    let vary = |character: char| match character {
        '0'..='9' if noise.one_in(2) => char::from(b'0' + noise.below(10) as u8),
        'a'..='z' if is_damaged && noise.one_in(30) => char::from(b'a' + noise.below(26) as u8),
        other => other,
    };
    record.chars().map(vary).collect()
}

/// Returns an upload as NDJSON.
pub fn lines(seed: u64, records: usize, members: Members) -> String {
    let mut noise = Noise::new(seed);
    let mut content = String::new();
    for _ in 0..records {
        let _ = writeln!(content, "{}", text(&mut noise, members, true));
    }
    content
}

/// Returns an upload as a JSON array.
pub fn array(seed: u64, records: usize, members: Members) -> String {
    let mut noise = Noise::new(seed);
    let elements: Vec<String> = (0..records).map(|_| text(&mut noise, members, false)).collect();
    format!("[{}]\n", elements.join(",\n "))
}
