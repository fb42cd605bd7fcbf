//! Numbers that are exact to the last bit, from the digits in uploads and messages to the digits in answers. The judge is the oracle
//! of exact fractions that also judges the core.

#[path = "../../crates/core/tests/numbers/oracle.rs"]
mod oracle;

use std::sync::Arc;

use eventpulse_cli::BoxError;
use eventpulse_cli::dev::client::User;
use serde_json::{Value, json};

use crate::TestResult;
use crate::devices::{acknowledged, key, outcome, post};
use crate::messages::{Sent as Message, deliver, message};
use crate::world::{World, document, gzip};
use oracle::Numbers;

/// The digits of values as devices send them: none of them is the decimal of a short binary fraction, and sums round.
const AWKWARD: [&str; 16] = [
    "0.1",
    "-0.7",
    "9007199254740993",
    "22.5",
    "0.2",
    "1e-7",
    "-9007199254740995",
    "0.1000000000000000055511151231257827021181583404541015626",
    "5e-324",
    "12345678.9",
    "-0.0",
    "2.5e-310",
    "0.30000000000000004",
    "-273.15",
    "0.1",
    "123456789012345678901234567890e-20",
];

/// Digits of values whose sum and variance exceed the largest double, while their mean and deviation do not.
const HUGE: [&str; 8] =
    ["1e300", "1.7976931348623157e308", "-1e300", "5e-324", "1.7976931348623157e308", "0.1", "-1.25e292", "1"];

/// The quantiles to ask for.
const QUANTILES: [&str; 5] = ["0.05", "0.25", "0.5", "0.123456789", "1"];

/// The digits of a value, and the number of its half-hour on 2025-02-28.
type Sent = (usize, &'static str);

fn sent(digits: &[&'static str]) -> Vec<Sent> {
    digits.iter().copied().enumerate().collect()
}

fn time(half_hour: usize) -> String {
    format!("2025-02-28T{:02}:{:02}:00Z", half_hour / 2, half_hour % 2 * 30)
}

/// Returns a record with exactly these digits.
fn record(device: &str, (half_hour, digits): Sent) -> String {
    format!(r#"{{"device_id":"{device}","timestamp":"{}","value":{digits}}}"#, time(half_hour))
}

/// Returns a record whose value is text and not a number.
fn wrong(device: &str, (half_hour, digits): Sent) -> String {
    format!(r#"{{"device_id":"{device}","timestamp":"{}","value":"{digits}"}}"#, time(half_hour))
}

fn lines(device: &str, sent: &[Sent]) -> String {
    sent.iter().map(|sent| record(device, *sent) + "\n").collect()
}

fn batch(device: &str, sent: &[Sent]) -> String {
    let reading = |(half_hour, digits): &Sent| format!(r#"{{"timestamp":"{}","value":{digits}}}"#, time(*half_hour));
    let readings: Vec<String> = sent.iter().map(reading).collect();
    format!(r#"{{"schema":"batch/1.0","device_id":"{device}","readings":[{}]}}"#, readings.join(","))
}

/// Returns the doubles that the digits mean. The standard library reads them, not the JSON parser of the product.
fn values(sent: &[Sent]) -> Vec<f64> {
    sent.iter().map(|(_, digits)| digits.parse().expect("digits")).collect()
}

/// A user's devices, and the ways in which their values arrive.
struct Fleet {
    world: Arc<World>,
    user: User,
    secret: String,
}

impl Fleet {
    async fn new(world: Arc<World>) -> Result<Self, BoxError> {
        let user = world.user();
        let (_, secret) = key(&world, &user, "fast").await?;
        Ok(Self { world, user, secret })
    }

    /// Uploads a document, which is accepted completely. Returns the receipt.
    async fn upload(&self, name: &str, bytes: impl Into<Vec<u8>>) -> Result<Value, BoxError> {
        let receipt = self.world.upload_by_rest(&self.user, &document(name, bytes)).await?;
        assert_eq!(receipt["state"], "accepted", "{name}: {receipt:#}");
        Ok(receipt)
    }

    /// Returns the verdict on NDJSON.
    async fn validate(&self, lines: String) -> Result<Value, BoxError> {
        let authorization = format!("Bearer {}", self.user.token);
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/x-ndjson")];
        self.world.send("POST", "/validate", &headers, lines.into_bytes()).await?.expect(200)
    }

    /// Posts a message, which is accepted. Returns its receipt.
    async fn post(&self, body: String) -> Result<Value, BoxError> {
        let headers = [("x-api-key", self.secret.as_str()), ("content-type", "application/json")];
        let id = acknowledged(post(&self.world, &headers, body).await?)?;
        let receipt = outcome(&self.world, &self.user, &id).await?;
        assert_eq!(receipt["state"], "accepted", "{receipt:#}");
        Ok(receipt)
    }

    /// Sends the values of a device in each of the ways. Returns the devices, one per way.
    async fn send_in_every_way(&self, prefix: &str, sent: &[Sent]) -> Result<Vec<String>, BoxError> {
        let device = |way: &str| format!("{prefix}-{way}");
        let mut reversed = sent.to_vec();
        reversed.reverse();
        let mut shuffled = sent.to_vec();
        fastrand::Rng::with_seed(13).shuffle(&mut shuffled);
        let (odd, even): (Vec<Sent>, Vec<Sent>) = sent.iter().partition(|(half_hour, _)| half_hour % 2 == 1);

        let one = device("one-upload");
        assert_receipt("verdict", &self.validate(lines(&one, sent)).await?, &one, sent)?;
        let receipt = self.upload("one.ndjson", lines(&one, sent)).await?;
        assert_receipt("one upload", &receipt, &one, sent)?;

        let compressed = device("compressed");
        for (part, name) in reversed.chunks(5).zip(["a.ndjson.gz", "b.ndjson.gz", "c.ndjson.gz", "d.ndjson.gz"]) {
            let receipt = self.upload(name, gzip(lines(&compressed, part).as_bytes())).await?;
            assert_receipt(name, &receipt, &compressed, part)?;
        }

        let batches = device("batches");
        for part in [&odd, &even] {
            let receipt = self.upload("batch.json", batch(&batches, part)).await?;
            assert_receipt("batch", &receipt, &batches, part)?;
        }

        let messages = device("messages");
        for part in shuffled.chunks(3) {
            let records: Vec<String> = part.iter().map(|sent| record(&messages, *sent)).collect();
            let receipt = self.post(format!("[{}]", records.join(","))).await?;
            assert_receipt("message", &receipt, &messages, part)?;
        }

        let mixed = device("mixed");
        let (by_upload, by_message) = shuffled.split_at(shuffled.len() / 2);
        self.upload("mixed.ndjson", lines(&mixed, by_upload)).await?;
        for sent in by_message {
            self.post(record(&mixed, *sent)).await?;
        }
        Ok(vec![one, compressed, batches, messages, mixed])
    }

    /// Compares all answers about a device with the oracle. Returns its numbers, to compare them with those of other devices.
    async fn assert_answers(&self, device: &str, sent: &[Sent]) -> Result<Value, BoxError> {
        let quantiles = QUANTILES.join(",");
        let all = self.world.get(&self.user, &format!("/?device_id={device}&quantiles={quantiles}")).await?;
        assert_answer(device, &all, sent)?;

        // A range that cuts uploads and chunks.
        let (from, to) = (3, sent.len() - 2);
        let path = format!("/devices/{device}/stats?from={}&to={}&quantiles={quantiles}", time(from), time(to));
        let inside: Vec<Sent> = sent.iter().copied().filter(|(at, _)| (from..to).contains(at)).collect();
        let range = self.world.get(&self.user, &path).await?;
        assert_answer(&path, &range, &inside)?;

        let path = format!("/devices/{device}/series?bucket=2h&quantiles={quantiles}");
        let series = self.world.get(&self.user, &path).await?;
        let buckets = series["buckets"].as_array().ok_or("no buckets")?;
        assert_eq!(buckets.len(), sent.len().div_ceil(4), "{path}");
        for bucket in buckets {
            let inside: Vec<Sent> =
                sent.iter().copied().filter(|(at, _)| bucket["start"] == time(at / 4 * 4)).collect();
            assert_answer(&format!("{path}, {}", bucket["start"]), bucket, &inside)?;
        }
        Ok(json!([numbers(&all), numbers(&range), buckets]))
    }

    /// Withdraws the upload of a receipt.
    async fn withdraw(&self, receipt: &Value) -> TestResult {
        let path = format!("/uploads/{}", receipt["upload_id"].as_str().ok_or("no id")?);
        let withdrawn = self.world.call(&self.user, "DELETE", &path, Value::Null).await?.expect(200)?;
        assert_eq!(withdrawn["state"], "withdrawn");
        Ok(())
    }

    /// Corrects an upload with these records. Returns the receipt.
    async fn correct(&self, receipt: &Value, records: &str) -> Result<Value, BoxError> {
        let id = receipt["upload_id"].as_str().ok_or("no id")?;
        self.world.retry(&self.user, id, Some(("application/x-ndjson", records))).await?.expect(202)?;
        self.world.outcome(&self.user, id).await
    }
}

/// The numbers of a receipt and of an answer.
const NUMBERS: [&str; 7] = ["sum", "mean", "median", "variance", "standard_deviation", "min", "max"];

/// Returns the numbers of an answer, without the device and its uploads.
fn numbers(answer: &Value) -> Value {
    let names = NUMBERS.into_iter().chain(["count", "interquartile_range", "quantiles", "unavailable"]);
    names.map(|name| (name.to_owned(), answer[name].clone())).collect::<serde_json::Map<_, _>>().into()
}

/// Returns the expected value of a number by its name.
fn expected(name: &str, numbers: &Numbers) -> Option<f64> {
    match name {
        "sum" => numbers.sum,
        "mean" => Some(numbers.mean),
        "median" => Some(numbers.median),
        "variance" => numbers.variance,
        "standard_deviation" => numbers.standard_deviation,
        "min" => Some(numbers.min),
        "max" => Some(numbers.max),
        "interquartile_range" => numbers.interquartile_range,
        _ => panic!("no number {name}"),
    }
}

/// Fails unless the numbers are those of the oracle to the bit, and each null has its reason.
fn assert_numbers(name: &str, served: &Value, members: &[&str], sent: &[Sent]) -> TestResult {
    let numbers = Numbers::of(&values(sent));
    assert_eq!(served["count"], numbers.count, "{name}: {served:#}");
    let mut unavailable = serde_json::Map::new();
    for member in members {
        let found = served.get(member).ok_or_else(|| format!("{name}: there is no {member}: {served:#}"))?;
        let expected = expected(member, &numbers);
        let reason = if numbers.count == 1 && member != &"sum" { "one_value" } else { "too_large" };
        if expected.is_none() {
            unavailable.insert((*member).to_owned(), json!(reason));
        }
        assert_eq!(bits(found), expected.map(f64::to_bits), "{name}: {member} is {found}, not {expected:?}");
    }
    let reasons = served.get("unavailable").cloned().unwrap_or_else(|| json!({}));
    assert_eq!(reasons, Value::Object(unavailable), "{name}: the reasons of the nulls in {served:#}");
    Ok(())
}

/// Returns the bits of a number; `None` for null.
fn bits(number: &Value) -> Option<u64> {
    assert!(number.is_number() || number.is_null(), "{number} is no number");
    number.as_f64().map(f64::to_bits)
}

fn assert_answer(name: &str, answer: &Value, sent: &[Sent]) -> TestResult {
    assert_numbers(name, answer, &[&NUMBERS[..], &["interquartile_range"]].concat(), sent)?;
    let quantiles = answer["quantiles"].as_object().ok_or_else(|| format!("{name}: no quantiles"))?;
    assert_eq!(quantiles.len(), QUANTILES.len(), "{name}: {quantiles:?}");
    for p in QUANTILES {
        let (found, expected) = (&answer["quantiles"][p], oracle::quantile(&values(sent), p));
        assert_eq!(bits(found), Some(expected.to_bits()), "{name}: the quantile {p} is {found}, not {expected:?}");
    }
    Ok(())
}

/// Compares the statistics of a device in a receipt with the oracle.
fn assert_receipt(name: &str, receipt: &Value, device: &str, sent: &[Sent]) -> TestResult {
    let all = receipt["statistics"].as_array().ok_or("no statistics")?;
    let served = all.iter().find(|statistics| statistics["device_id"] == device);
    assert_numbers(name, served.ok_or_else(|| format!("{name}: {receipt:#}"))?, &NUMBERS, sent)
}

pub async fn equal_values_have_equal_exact_numbers_however_they_arrive(world: Arc<World>) -> TestResult {
    let fleet = Fleet::new(world).await?;
    for (prefix, digits) in [("awkward", &AWKWARD[..]), ("huge", &HUGE[..])] {
        let sent = sent(digits);
        let devices = fleet.send_in_every_way(prefix, &sent).await?;
        let mut first = None;
        for device in devices {
            let numbers = fleet.assert_answers(&device, &sent).await.map_err(|error| format!("{device}: {error}"))?;
            assert_eq!(first.get_or_insert_with(|| numbers.clone()), &numbers, "{device}");
        }
    }
    Ok(())
}

pub async fn numbers_are_exact_after_each_correction_and_withdrawal(world: Arc<World>) -> TestResult {
    let fleet = Fleet::new(world).await?;
    for (device, digits) in [("corrected", &AWKWARD[..]), ("corrected-huge", &HUGE[..])] {
        let all = sent(digits);
        // Every second record is rejected at first. Two corrections follow, the first one with a record that is still wrong.
        let (good, bad): (Vec<Sent>, Vec<Sent>) = all.iter().partition(|(half_hour, _)| half_hour % 2 == 0);
        let line = |sent: &Sent| if bad.contains(sent) { wrong(device, *sent) } else { record(device, *sent) };
        let content = all.iter().map(line).collect::<Vec<_>>().join("\n");
        let partly = fleet.world.upload_by_rest(&fleet.user, &document("partly.ndjson", content)).await?;
        assert_eq!(partly["state"], "partially_accepted", "{partly:#}");
        assert_receipt("first attempt", &partly, device, &good)?;
        assert_stats(&fleet, device, &good).await?;

        let (last, first) = bad.split_last().ok_or("no bad record")?;
        let records = format!("{}\n{}", wrong(device, *last), lines(device, first));
        let receipt = fleet.correct(&partly, &records).await?;
        assert_eq!(receipt["state"], "partially_accepted", "{receipt:#}");
        let so_far = [good.as_slice(), first].concat();
        assert_receipt("first correction", &receipt, device, &so_far)?;
        assert_stats(&fleet, device, &so_far).await?;

        let receipt = fleet.correct(&partly, &record(device, *last)).await?;
        assert_eq!(receipt["state"], "accepted", "{receipt:#}");
        assert_receipt("last correction", &receipt, device, &all)?;
        let corrected = fleet.assert_answers(device, &all).await?;

        // Other values of the same device come and go, by an upload and by a message.
        let more: Vec<Sent> = (0..).zip(["1e17", "-3.3e-200", "0.6"]).map(|(at, digits)| (at + 40, digits)).collect();
        let upload = fleet.upload("more.ndjson", lines(device, &more)).await?;
        let message = fleet.post(record(device, (45, "7e22"))).await?;
        let with_more = [all.as_slice(), &more, &[(45, "7e22")]].concat();
        assert_stats(&fleet, device, &with_more).await?;
        fleet.withdraw(&upload).await?;
        assert_stats(&fleet, device, &[all.as_slice(), &[(45, "7e22")]].concat()).await?;
        fleet.withdraw(&message).await?;
        assert_eq!(fleet.assert_answers(device, &all).await?, corrected, "{device}: withdrawn values leave no trace");
    }
    Ok(())
}

pub async fn messages_of_one_chunk_have_exact_numbers_together_and_without_one(world: Arc<World>) -> TestResult {
    let fleet = Fleet::new(world).await?;
    for (device, digits) in [("chunk", &AWKWARD[..]), ("chunk-huge", &HUGE[..])] {
        let all = sent(digits);
        let mut messages = Vec::new();
        for sent in &all {
            let body = serde_json::from_str(&record(device, *sent))?;
            messages.push(message(&fleet.user, &format!("{device}-{}", sent.0), &body));
        }
        let batch: Vec<&Message> = messages.iter().collect();
        assert_eq!(deliver(&fleet.world, &batch).await?, Vec::<usize>::new());
        let together = fleet.assert_answers(device, &all).await?;
        assert_eq!(deliver(&fleet.world, &batch).await?, Vec::<usize>::new());
        assert_eq!(fleet.assert_answers(device, &all).await?, together, "{device}: a second delivery changes nothing");

        fleet.withdraw(&json!({ "upload_id": messages[4].id().as_str() })).await?;
        assert_stats(&fleet, device, &[&all[..4], &all[5..]].concat()).await?;
    }
    Ok(())
}

/// Compares the statistics of a device over all time with the oracle.
async fn assert_stats(fleet: &Fleet, device: &str, sent: &[Sent]) -> TestResult {
    let path = format!("/devices/{device}/stats?quantiles={}", QUANTILES.join(","));
    assert_answer(&path, &fleet.world.get(&fleet.user, &path).await?, sent)
}
