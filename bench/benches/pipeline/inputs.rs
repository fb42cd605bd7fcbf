//! The inputs of the benchmark, generated identically in every run.

use std::io::Write as _;
use std::time::Duration;

use eventpulse_core::time::Timestamp;

use crate::ours::PIECE_BYTES;

/// An event of the schema `reading/1.0`, which docs/schemas-and-failure-codes.md describes.
pub(crate) const EVENT: &[u8] = br#"{"device_id": "12345", "timestamp": "2025-02-28T12:00:00Z", "value": 22.5}"#;

/// 2025-01-01T00:00:00Z.
const START: Timestamp = Timestamp::from_secs(1_735_689_600);

/// Returns the number of this number in the sequence SplitMix64. The values of a device come from numbers in equal distances; a
/// mere multiplication would give them equal differences, as no sensor has.
fn noise(number: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// Returns a temperature from 15 to 25 degrees in hundredths of a degree.
fn value(number: u64) -> f64 {
    (1_500 + noise(number) % 1_000) as f64 / 100.0
}

/// Returns a batch of readings of one device, one per minute.
pub(crate) fn batch(readings: usize) -> Vec<u8> {
    let mut text = br#"{"schema": "batch/1.0", "device_id": "12345", "readings": ["#.to_vec();
    for number in 0..readings as u64 {
        let comma = if number > 0 { ", " } else { "" };
        let time = START + Duration::from_secs(number * 60);
        // Writing to a vector does not fail.
        let _ = write!(text, "{comma}{{\"timestamp\": \"{time}\", \"value\": {}}}", value(number));
    }
    text.extend_from_slice(b"]}");
    text
}

/// Returns a temperature from 15 to 25 degrees, most with 16 or 17 digits.
fn long_value(number: u64) -> f64 {
    15.0 + 10.0 * ((noise(number) >> 11) as f64 / (1_u64 << 53) as f64)
}

/// Returns NDJSON of the schema `weather/1.0`: one line per day and station, with all four measures.
pub(crate) fn weather(records: u64, stations: u64) -> Vec<u8> {
    let mut text = Vec::new();
    for number in 0..records {
        let (station, day) = (number % stations, number / stations);
        let time = START + Duration::from_secs(day * 86_400);
        let [high, fall, rain, wind] = [0, 1, 2, 3].map(|measure| value(4 * number + measure) - 15.0);
        let sky = ["drizzle", "fog", "rain", "snow", "sun"][number as usize % 5];
        // Writing to a vector does not fail.
        let _ = writeln!(
            text,
            "{{\"station\": \"station-{station:04}\", \"observed_at\": \"{time}\", \"precipitation_mm\": {rain:.1}, \
             \"temp_max_c\": {high:.1}, \"temp_min_c\": {:.1}, \"wind_m_s\": {wind:.1}, \"sky\": \"{sky}\"}}",
            high - fall
        );
    }
    text
}

/// Returns a JSON array of the records of an NDJSON text.
pub(crate) fn array(lines: &[u8]) -> Vec<u8> {
    let mut text = lines.to_vec();
    text.pop();
    let records: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    [b"[".as_slice(), &records.join(b", ".as_slice()), b"]"].concat()
}

/// Events as NDJSON. Each device has one event per minute.
pub(crate) struct Events {
    next: u64,
    events: u64,
    devices: u64,
    /// Returns the number of the device of an event, before it is reduced to the number of devices.
    device: fn(u64) -> u64,
    value: fn(u64) -> f64,
}

impl Events {
    pub(crate) fn new(events: u64, devices: u64) -> Events {
        Events { next: 0, events, devices, device: |number| number, value }
    }

    /// Makes values with as many digits as a double has.
    pub(crate) fn with_long_values(self) -> Events {
        Events { value: long_value, ..self }
    }

    /// Makes the devices report in random order.
    pub(crate) fn in_random_order(self) -> Events {
        Events { device: noise, ..self }
    }

    /// Returns the next line.
    pub(crate) fn line(&mut self) -> Option<String> {
        if self.next == self.events {
            return None;
        }
        let (device, minute) = ((self.device)(self.next) % self.devices, self.next / self.devices);
        let time = START + Duration::from_secs(minute * 60 + device % 60);
        let value = (self.value)(self.next);
        self.next += 1;
        Some(format!("{{\"device_id\": \"device-{device:04}\", \"timestamp\": \"{time}\", \"value\": {value}}}\n"))
    }

    /// Returns all lines.
    pub(crate) fn collect(mut self) -> Vec<u8> {
        let mut text = Vec::new();
        while let Some(line) = self.line() {
            text.extend_from_slice(line.as_bytes());
        }
        text
    }

    /// Pushes the lines that fit into `bytes`, in pieces.
    pub(crate) fn stream(mut self, bytes: u64, push: Push<'_>) {
        let mut pieces = Pieces::new(push);
        let mut left = bytes;
        while let Some(line) = self.line() {
            let Some(less) = left.checked_sub(line.len() as u64) else { break };
            left = less;
            if !pieces.write(line.as_bytes()) {
                break;
            }
        }
        pieces.end();
    }
}

/// Records that take as much memory as possible.
pub(crate) const HOSTILE: [&str; 9] = [
    "an array of zeros",
    "an array of empty arrays",
    "an object of many members",
    "an object of one name many times",
    "a string of escapes",
    "a batch of wrong readings",
    "a batch of good readings",
    "a batch of empty readings",
    "an array of wrong records",
];

/// Pushes a document of at most `bytes` bytes, in pieces. Returns `false` if the name is unknown.
pub(crate) fn hostile(name: &str, bytes: usize, push: Push<'_>) -> bool {
    let zero = |_| "0".to_owned();
    let empty_array = |_| "[]".to_owned();
    let empty_object = |_| "{}".to_owned();
    let member = |number| format!("\"a{number}\":1");
    let same_member = |_| "\"\":1".to_owned();
    let escape = |_| "\\n".to_owned();
    let wrong_record = |number| format!("{{\"m{number}\":0}}");
    let wrong = |number| format!("{{\"timestamp\":\"{number}\",\"valeu\":\"22.5\"}}");
    let right = |number| {
        let time = START + Duration::from_secs(number);
        format!("{{\"timestamp\":\"{time}\",\"value\":{}}}", value(number))
    };
    let readings = r#"{"device_id":"12345","readings":["#;
    let (head, item, comma, tail): (&str, &dyn Fn(u64) -> String, &str, &str) = match name {
        "an array of zeros" => (readings, &zero, ",", "]}"),
        "an array of empty arrays" => (readings, &empty_array, ",", "]}"),
        "an object of many members" => ("{", &member, ",", "}"),
        "an object of one name many times" => ("{", &same_member, ",", "}"),
        "a string of escapes" => ("{\"device_id\":\"", &escape, "", "\"}"),
        "a batch of wrong readings" => (readings, &wrong, ",", "]}"),
        "a batch of good readings" => (readings, &right, ",", "]}"),
        "a batch of empty readings" => (readings, &empty_object, ",", "]}"),
        "an array of wrong records" => ("[", &wrong_record, ",", "]"),
        _ => return false,
    };
    let mut pieces = Pieces::new(push);
    pieces.write(head.as_bytes());
    let mut left = bytes - head.len() - tail.len();
    for number in 0.. {
        let item = item(number);
        let length = item.len() + comma.len();
        if length > left {
            break;
        }
        left -= length;
        if number > 0 {
            pieces.write(comma.as_bytes());
        }
        pieces.write(item.as_bytes());
    }
    pieces.write(tail.as_bytes());
    pieces.end();
    true
}

/// Takes a piece of an object. Returns `false` if it needs no further piece.
pub(crate) type Push<'a> = &'a mut dyn FnMut(&[u8]) -> bool;

/// Cuts a text into pieces of the size that S3 returns.
pub(crate) struct Pieces<'a> {
    push: Push<'a>,
    piece: Vec<u8>,
    wanted: bool,
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(push: Push<'a>) -> Pieces<'a> {
        Pieces { push, piece: Vec::with_capacity(PIECE_BYTES), wanted: true }
    }

    /// Writes text. Returns `false` if no further text is needed.
    pub(crate) fn write(&mut self, mut text: &[u8]) -> bool {
        while !text.is_empty() && self.wanted {
            let (now, later) = text.split_at(text.len().min(PIECE_BYTES - self.piece.len()));
            self.piece.extend_from_slice(now);
            text = later;
            if self.piece.len() == PIECE_BYTES {
                self.flush();
            }
        }
        self.wanted
    }

    pub(crate) fn end(mut self) {
        if self.wanted && !self.piece.is_empty() {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.wanted = (self.push)(&self.piece);
        self.piece.clear();
    }
}
