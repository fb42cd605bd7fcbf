//! The simulated devices and their messages. Pure: the time and the seed are arguments.

use std::f64::consts::TAU;

use eventpulse_core::time::Timestamp;
use fastrand::Rng;
use serde_json::{Value, json};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The kinds of invalid records, in turn. Each has the members of a reading, so the gateway accepts it and the
/// validator rejects it.
const WAYS: [Way; 4] = [Way::TextValue, Way::NoSuchDay, Way::AdditionalMember, Way::EmptyDevice];

#[derive(Debug, Clone, Copy)]
enum Way {
    TextValue,
    NoSuchDay,
    AdditionalMember,
    EmptyDevice,
}

/// A device whose value varies around a mean of its own, with a daily wave.
#[derive(Debug)]
struct Device {
    id: String,
    mean: f64,
    wave: f64,
    walk: f64,
    last: i64,
}

/// A fleet. Equal seeds and times give equal messages.
#[derive(Debug)]
pub struct Fleet {
    devices: Vec<Device>,
    next: usize,
    bad: f64,
    bad_so_far: usize,
    rng: Rng,
}

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// A record, or an array of records.
    pub body: String,
    /// The number of valid records.
    pub good: u64,
    /// The number of invalid records.
    pub bad: u64,
}

impl Fleet {
    /// Makes devices `sim-0001` and so on. The share `bad` of their records is invalid.
    #[must_use]
    pub fn new(devices: usize, bad: f64, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let devices = (1..=devices.max(1))
            .map(|number| Device {
                id: format!("sim-{number:04}"),
                mean: 15.0 + 10.0 * rng.f64(),
                wave: 1.0 + 4.0 * rng.f64(),
                walk: 0.0,
                last: i64::MIN,
            })
            .collect();
        Self { devices, next: 0, bad, bad_so_far: 0, rng }
    }

    /// Returns the next message, with one record of each of the next devices. Several records form an array.
    ///
    /// Each record has the time `now`, or one microsecond after the previous record of its device.
    pub fn message(&mut self, now: Timestamp, records: usize) -> Message {
        let (mut all, mut bad) = (Vec::with_capacity(records), 0);
        for _ in 0..records.max(1) {
            let record = self.record(now);
            // Always drawn, so that another share of bad ones leaves the values as they are.
            let is_bad = self.rng.f64() < self.bad;
            all.push(if is_bad { self.spoilt(record) } else { record });
            bad += u64::from(is_bad);
        }
        let good = all.len() as u64 - bad;
        let body = if let [one] = all.as_slice() { one.to_string() } else { Value::Array(all).to_string() };
        Message { body, good, bad }
    }

    fn record(&mut self, now: Timestamp) -> Value {
        let (step, at) = (self.rng.f64() - 0.5, self.next % self.devices.len());
        self.next = at + 1;
        let device = &mut self.devices[at];
        device.last = now.as_micros().max(device.last.saturating_add(1));
        // Pulled back by a twentieth each time: it wanders, and stays about.
        device.walk = device.walk * 0.95 + step;
        #[allow(clippy::cast_precision_loss)] // microseconds of a day are exact
        let day = device.last.rem_euclid(MICROS_PER_DAY) as f64 / MICROS_PER_DAY as f64;
        let value = device.mean + device.wave * (TAU * day).sin() + device.walk;
        let timestamp = Timestamp::from_micros(device.last).to_string();
        json!({ "device_id": device.id, "timestamp": timestamp, "value": (value * 100.0).round() / 100.0 })
    }

    fn spoilt(&mut self, mut record: Value) -> Value {
        let way = WAYS[self.bad_so_far % WAYS.len()];
        self.bad_so_far += 1;
        match way {
            Way::TextValue => record["value"] = json!(record["value"].to_string()),
            Way::NoSuchDay => record["timestamp"] = json!("2025-02-30T00:00:00Z"),
            Way::AdditionalMember => record["firmware"] = json!("1.0"),
            Way::EmptyDevice => record["device_id"] = json!(""),
        }
        record
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};
    use std::io::Write as _;

    use super::*;
    use crate::client::media::Media;
    use crate::client::validate::validate;

    /// 2025-02-28T12:00:00Z.
    const NOON: i64 = 1_740_744_000_000_000;

    fn say(fleet: &mut Fleet, messages: i64, records: usize) -> Vec<Message> {
        (0..messages).map(|n| fleet.message(Timestamp::from_micros(NOON + n * 20_000), records)).collect()
    }

    fn parsed(message: &Message) -> Vec<Value> {
        match serde_json::from_str(&message.body).unwrap() {
            Value::Array(records) => records,
            record => vec![record],
        }
    }

    #[test]
    fn equal_seeds_give_equal_messages() {
        let of = |seed| say(&mut Fleet::new(7, 0.3, seed), 50, 3);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn several_records_form_an_array() {
        let mut fleet = Fleet::new(2, 0.0, 1);
        let one = fleet.message(Timestamp::from_micros(NOON), 1);
        assert!(
            one.body.starts_with(r#"{"device_id":"sim-0001","timestamp":"2025-02-28T12:00:00Z","value":"#),
            "{one:?}"
        );
        let two = fleet.message(Timestamp::from_micros(NOON), 2);
        assert!(two.body.starts_with(r#"[{"device_id":"sim-0002""#), "{two:?}");
        assert_eq!((two.good, two.bad), (2, 0));
    }

    #[test]
    fn times_of_a_device_increase_with_a_stopped_clock() {
        let mut fleet = Fleet::new(3, 0.0, 1);
        let mut last: HashMap<String, Timestamp> = HashMap::new();
        for now in [NOON, NOON, NOON - 5, NOON + 9] {
            for record in parsed(&fleet.message(Timestamp::from_micros(now), 10)) {
                let time = Timestamp::parse(record["timestamp"].as_str().unwrap()).unwrap();
                let before = last.insert(record["device_id"].as_str().unwrap().to_owned(), time);
                assert!(before < Some(time), "{record}");
            }
        }
        assert_eq!(last.len(), 3);
    }

    #[test]
    fn values_vary_around_a_mean() {
        let values: Vec<f64> = say(&mut Fleet::new(1, 0.0, 4), 1000, 1)
            .iter()
            .map(|message| parsed(message)[0]["value"].as_f64().unwrap())
            .collect();
        assert!(values.iter().all(|value| (0.0..=40.0).contains(value)));
        assert!(values.windows(2).any(|pair| pair[0] < pair[1]) && values.windows(2).any(|pair| pair[0] > pair[1]));
    }

    #[test]
    fn share_of_invalid_records_is_exact_and_passes_the_gateway() {
        for (share, least, most) in [(0.0, 0, 0), (0.02, 60, 140), (1.0, 5000, 5000)] {
            let messages = say(&mut Fleet::new(100, share, 9), 5000, 1);
            let bad: u64 = messages.iter().map(|message| message.bad).sum();
            assert!((least..=most).contains(&bad), "{share}: {bad}");
            for message in messages {
                assert_eq!(message.good + message.bad, 1);
                let record = &parsed(&message)[0];
                assert!(["device_id", "timestamp", "value"].iter().all(|member| !record[member].is_null()), "{record}");
            }
        }
    }

    #[test]
    fn validator_rejects_exactly_the_invalid_records() {
        let catalog = eventpulse_core::intake::schema::Catalog::bundled().unwrap();
        let mut codes = BTreeSet::new();
        for message in say(&mut Fleet::new(10, 0.5, 3), 40, 1) {
            let mut file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
            file.write_all(message.body.as_bytes()).unwrap();
            let media = Media::of_file("a.json", None, None).unwrap();
            let verdict = validate(&catalog, file.path(), media, None, |_| {}).unwrap();
            assert_eq!((verdict.accepted, verdict.rejected), (message.good, message.bad), "{}", message.body);
            codes.extend(verdict.failures.iter().map(|failure| failure.code.as_str()));
        }
        for code in ["TYPE", "FORMAT", "ADDITIONAL_PROPERTIES", "MIN_LENGTH"] {
            assert!(codes.contains(code), "{code}: {codes:?}");
        }
    }
}
