//! The inputs of a run, from its seed: files, messages, and the owners' commands that follow.

use std::collections::{BTreeMap, BTreeSet};

use eventpulse_core::statistics::series::Series;
use serde_json::Value;

/// The owners.
pub const OWNERS: [&str; 2] = ["owner-a", "owner-b"];

/// The value of a wrong record.
const WRONG_VALUE: &str = "\"warm\"";
/// The value of a corrected record.
pub const CORRECT_VALUE: i64 = 7;

/// An uploaded file.
#[derive(Debug, Clone)]
pub struct File {
    /// The owner.
    pub owner: &'static str,
    /// NDJSON.
    pub content: String,
}

/// A posted message.
#[derive(Debug, Clone)]
pub struct Message {
    /// The owner.
    pub owner: &'static str,
    /// JSON.
    pub body: String,
}

/// A command of an owner on one of the files, by its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Withdraws the accepted records.
    Withdraw(usize),
    /// Retries the rejected records unchanged.
    Retry(usize),
    /// Discards the rejected records.
    Discard(usize),
    /// Corrects the rejected records: first every other one, then the rest.
    Correct(usize),
}

/// The inputs of a run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The files.
    pub files: Vec<File>,
    /// The messages.
    pub messages: Vec<Message>,
    /// The commands.
    pub commands: Vec<Command>,
}

impl Plan {
    /// Draws the inputs of a seed.
    pub fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut files: Vec<File> = Vec::new();
        for index in 0..random.usize(2..5) {
            let owner = OWNERS[random.usize(0..OWNERS.len())];
            // More series than one transaction stores, in one file of eight.
            let devices = if random.u32(0..8) == 0 { 120 } else { random.usize(1..6) };
            let bad_percent = [0, 0, 10, 60, 100][random.usize(0..5)];
            files.push(File { owner, content: records(&mut random, index, devices, bad_percent) });
        }
        if random.bool() {
            files.push(files[0].clone()); // the same bytes twice
        }
        let message = |random: &mut fastrand::Rng, index: usize| Message {
            owner: OWNERS[random.usize(0..OWNERS.len())],
            body: record(random.usize(0..6), 100_000 + index, random.u32(0..10) == 0, random),
        };
        let mut messages: Vec<Message> = (0..random.usize(3..16)).map(|index| message(&mut random, index)).collect();
        messages.extend(random.bool().then(|| messages[0].clone()));
        // The files with equal bytes are those whose first one counts.
        let is_repeated = |index: usize| files[index].content == files[0].content;
        let commands = (1..files.len().min(4)).filter_map(|index| match random.u32(0..6) {
            0 if !is_repeated(index) => Some(Command::Withdraw(index)),
            1 => Some(Command::Retry(index)),
            2 => Some(Command::Discard(index)),
            3.. if !is_repeated(index) => Some(Command::Correct(index)),
            _ => None,
        });
        let commands = commands.collect();
        Self { files, messages, commands }
    }

    /// Returns every series that the inputs may have, with its count and sum as they must be in the end: equal bytes of an
    /// owner count once, wrong records and withdrawn files do not count.
    pub fn expected(&self) -> BTreeMap<(&'static str, String), (u64, i64)> {
        let mut expected = BTreeMap::new();
        for (owner, content, command) in self.contents() {
            for (device, value) in values(content) {
                let value = value.or((command == Outcome::Corrected).then_some(CORRECT_VALUE));
                let (count, sum) = expected.entry((owner, device)).or_insert((0, 0));
                if let Some(value) = value.filter(|_| command != Outcome::Withdrawn) {
                    (*count, *sum) = (*count + 1, *sum + value);
                }
            }
        }
        expected
    }

    /// Returns the contents that count, each once, with its outcome.
    fn contents(&self) -> BTreeSet<(&'static str, &str, Outcome)> {
        let outcome = |index| match index {
            _ if self.commands.contains(&Command::Withdraw(index)) => Outcome::Withdrawn,
            _ if self.commands.contains(&Command::Correct(index)) => Outcome::Corrected,
            _ => Outcome::Accepted,
        };
        let files =
            self.files.iter().enumerate().map(|(index, file)| (file.owner, file.content.as_str(), outcome(index)));
        let messages = self.messages.iter().map(|message| (message.owner, message.body.as_str(), Outcome::Accepted));
        files.chain(messages).collect()
    }

    /// Returns the corrections of a file, as NDJSON: of every other wrong record, then of the rest.
    pub fn corrections(&self, index: usize) -> [String; 2] {
        let is_wrong = |line: &&str| line.contains(WRONG_VALUE);
        let lines = self.files[index].content.lines();
        let wrong: Vec<&str> = lines.clone().filter(is_wrong).collect();
        let corrected = |line: &&str| line.replace(WRONG_VALUE, &CORRECT_VALUE.to_string()) + "\n";
        if wrong.len() == lines.count() {
            return [wrong.iter().map(corrected).collect(), String::new()]; // it replaces the whole upload
        }
        let part = |part: usize| -> String { wrong.iter().skip(part).step_by(2).map(corrected).collect() };
        // The first correction also holds a wrong record, so that the upload stays open.
        let still_wrong: String = wrong.iter().skip(1).take(1).map(|line| format!("{line}\n")).collect();
        [part(0) + &still_wrong, part(1)]
    }
}

/// Returns the device and the value of each record of a content; no value if it is wrong.
pub fn values(content: &str) -> Vec<(String, Option<i64>)> {
    let value = |line: &str| {
        let record: Value = serde_json::from_str(line).expect("JSON");
        (record["device_id"].as_str().expect("a device").to_owned(), record["value"].as_i64())
    };
    content.lines().map(value).collect()
}

/// The outcome of the contents of a file or message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// Its correct records count.
    Accepted,
    /// All of its records count.
    Corrected,
    /// None of its records count.
    Withdrawn,
}

/// Returns the series of a device.
pub fn series(owner: &str, device: &str) -> Series {
    Series { owner: owner.parse().expect("an owner"), entity: device.to_owned(), measure: "value".to_owned() }
}

fn records(random: &mut fastrand::Rng, file: usize, devices: usize, bad_percent: u32) -> String {
    let count = devices + random.usize(0..8);
    let line = |index: usize, random: &mut fastrand::Rng| {
        let is_bad = random.u32(0..100) < bad_percent;
        record(index % devices, file * 1_000 + index, is_bad, random) + "\n"
    };
    (0..count).map(|index| line(index, random)).collect()
}

/// A record of a device. Whole numbers have exact sums, in any order.
fn record(device: usize, second: usize, is_bad: bool, random: &mut fastrand::Rng) -> String {
    let (day, hour, minute) = (1 + second / 86_400, second / 3_600 % 24, second / 60 % 60);
    let value = if is_bad { WRONG_VALUE.to_owned() } else { random.i32(-50..50).to_string() };
    let second = second % 60;
    format!(
        r#"{{"device_id":"device-{device}","timestamp":"2025-02-{day:02}T{hour:02}:{minute:02}:{second:02}Z","value":{value}}}"#
    )
}
