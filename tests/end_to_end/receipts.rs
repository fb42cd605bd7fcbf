//! Receipts: the rules that were applied, and after corrections the exact statistics of all accepted values, however they were
//! split into attempts.

use std::collections::BTreeMap;
use std::sync::Arc;

use eventpulse_cli::BoxError;
use eventpulse_cli::dev::client::User;
use eventpulse_core::encoding::sha256;
use eventpulse_core::statistics::series::Point;
use eventpulse_core::statistics::summary::Summary;
use eventpulse_core::time::Timestamp;
use serde_json::{Value, json};

use crate::TestResult;
use crate::messages::{deliver, message};
use crate::owners::lines;
use crate::world::{World, document, reading};

/// Returns a reading with a wrong value.
fn wrong(device: &str, second: u32) -> Value {
    let mut wrong = reading(device, second, 0.0);
    wrong["value"] = json!("22,5");
    wrong
}

/// Sends a correction. Returns the receipt after it.
async fn correct(world: &World, user: &User, id: &str, records: &[Value]) -> Result<Value, BoxError> {
    world.retry(user, id, Some(("application/x-ndjson", &lines(records)))).await?.expect(202)?;
    world.outcome(user, id).await
}

/// Returns the statistics of these readings as a receipt has them, the largest series first.
fn expected(readings: &[Value]) -> Vec<Value> {
    let mut by_device: BTreeMap<&str, Vec<Point>> = BTreeMap::new();
    for reading in readings {
        let time = Timestamp::parse(reading["timestamp"].as_str().unwrap_or_default()).expect("a time");
        let value = reading["value"].as_f64().expect("a value");
        by_device.entry(reading["device_id"].as_str().expect("a device")).or_default().push(Point { time, value });
    }
    let series = |(device, mut points): (&str, Vec<Point>)| {
        let summary = Summary::of(&points).expect("points");
        points.sort_by(|a, b| a.value.total_cmp(&b.value));
        let median = points[(points.len() - 1) / 2].value.midpoint(points[points.len() / 2].value);
        let mut series = json!({
            "device_id": device, "measure": "value", "count": summary.count(), "sum": summary.sum(),
            "mean": summary.mean(), "median": median, "variance": summary.variance(),
            "standard_deviation": summary.standard_deviation(), "min": summary.min(), "max": summary.max(),
            "first": summary.first(), "last": summary.last(),
        });
        let reason = if summary.count() == 1 { "one_value" } else { "too_large" };
        for name in ["sum", "variance", "standard_deviation"] {
            if series[name].is_null() {
                series["unavailable"][name] = json!(reason);
            }
        }
        series
    };
    let mut all: Vec<Value> = by_device.into_iter().map(series).collect();
    all.sort_by_key(|series| std::cmp::Reverse(series["count"].as_u64()));
    all
}

fn check(receipt: &Value, accepted: &[Value]) {
    let all = expected(accepted);
    assert_eq!(receipt["accepted"], accepted.len(), "{receipt:#}");
    assert_eq!(receipt["statistics"], json!(all[..all.len().min(100)]), "{receipt:#}");
    assert_eq!(receipt["statistics_omitted"], all.len().saturating_sub(100));
}

pub async fn decisions_name_the_applied_schemas_with_the_digests_of_their_files(world: Arc<World>) -> TestResult {
    let user = world.user();
    let file = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/reading/1.0.json"))?;
    let expected = json!([{ "schema": "reading/1.0", "sha256": sha256(&file) }]);
    let body = reading("rules", 0, 1.0);
    let accepted = world.upload_by_rest(&user, &document("rules.json", body.to_string())).await?;
    let wrong = wrong("rules", 2).to_string();
    let rejected = world.upload_by_rest(&user, &document("rules.json", wrong)).await?;
    let sent = message(&user, "rules", &reading("rules", 1, 2.0));
    assert_eq!(deliver(&world, &[&sent]).await?, Vec::<usize>::new());
    let posted = world.get(&user, &format!("/uploads/{}", sent.id())).await?;
    for (name, receipt) in [("accepted", accepted), ("rejected", rejected), ("message", posted)] {
        let history = receipt["history"].as_array().ok_or("no history")?;
        let decided = history.iter().find(|entry| entry["event"] == "decided").ok_or("not decided")?;
        assert_eq!((&decided["schemas"], &decided["default_schema"]), (&expected, &json!("reading/1.0")), "{name}");
    }
    Ok(())
}

pub async fn corrected_upload_has_the_statistics_of_all_accepted_values(world: Arc<World>) -> TestResult {
    let user = world.user();
    let values = [0.1, 0.2, 0.3, 1e300, -1e300, 5e-324, 2.5e-310, 123_456_789.123, 1.0 / 3.0];
    let all: Vec<Value> = values.into_iter().zip(0..).map(|(value, second)| reading("exact", second, value)).collect();
    let other = reading("other", 0, 1e308);
    // Three of the values are accepted at once, the others in two corrections.
    let first: Vec<Value> =
        [&all[..3], std::slice::from_ref(&other), &(3..9).map(|it| wrong("exact", it)).collect::<Vec<_>>()].concat();
    let receipt = world.upload_by_rest(&user, &document("exact.ndjson", lines(&first))).await?;
    check(&receipt, &[&all[..3], std::slice::from_ref(&other)].concat());
    let id = receipt["upload_id"].as_str().ok_or("no id")?;
    let receipt = correct(&world, &user, id, &[&all[3..6], &[wrong("exact", 6)]].concat()).await?;
    check(&receipt, &[&all[..6], std::slice::from_ref(&other)].concat());
    let receipt = correct(&world, &user, id, &all[6..]).await?;
    let accepted = [&all[..], &[other]].concat();
    assert_eq!(receipt["state"], "accepted");
    check(&receipt, &accepted);
    let unavailable = json!({ "variance": "too_large" });
    assert_eq!(
        receipt["statistics"][0]["unavailable"], unavailable,
        "the deviation of 1e300 has a square beyond doubles"
    );

    // The verdict on the same values in one piece, in another order, has the same statistics.
    let mut reversed = accepted;
    reversed.reverse();
    let token = format!("Bearer {}", user.token);
    let headers = [("authorization", token.as_str()), ("content-type", "application/x-ndjson")];
    let verdict = world.send("POST", "/validate", &headers, lines(&reversed).into_bytes()).await?.expect(200)?;
    assert_eq!(verdict["statistics"], receipt["statistics"]);

    let path = format!("/uploads/{id}");
    let withdrawn = world.call(&user, "DELETE", &path, Value::Null).await?.expect(200)?;
    assert_eq!((&withdrawn["state"], &withdrawn["statistics"]), (&json!("withdrawn"), &receipt["statistics"]));
    Ok(())
}

pub async fn corrected_message_has_the_statistics_of_all_accepted_values(world: Arc<World>) -> TestResult {
    let user = world.user();
    let good = [reading("posted", 0, 0.1), reading("posted", 1, 0.7), reading("posted", 2, -4.2)];
    let body = json!([good[0], wrong("posted", 1), wrong("posted", 2)]);
    let sent = message(&user, "partly-wrong", &body);
    assert_eq!(deliver(&world, &[&sent]).await?, Vec::<usize>::new());
    let id = sent.id().to_string();
    let receipt = world.outcome(&user, &id).await?;
    assert_eq!(receipt["state"], "partially_accepted");
    check(&receipt, &good[..1]);
    let receipt = correct(&world, &user, &id, &[good[1].clone(), wrong("posted", 2)]).await?;
    check(&receipt, &good[..2]);
    let receipt = correct(&world, &user, &id, &good[2..]).await?;
    assert_eq!(receipt["state"], "accepted");
    check(&receipt, &good);
    Ok(())
}

pub async fn corrected_upload_of_many_devices_lists_the_largest_series_exactly(world: Arc<World>) -> TestResult {
    let user = world.user();
    let device = |index: u32| format!("many-{index:03}");
    let mut accepted: Vec<Value> =
        (0..150).map(|index| reading(&device(index), index, f64::from(index) / 10.0)).collect();
    let first = [&accepted[..], &(150..154).map(|it| wrong(&device(it), it)).collect::<Vec<_>>()].concat();
    let receipt = world.upload_by_rest(&user, &document("fleet.ndjson", lines(&first))).await?;
    check(&receipt, &accepted);
    let id = receipt["upload_id"].as_str().ok_or("no id")?;
    // Further values of an omitted series, then of a listed one and of a new one.
    for correction in [
        vec![reading(&device(149), 200, 0.3), wrong(&device(3), 201)],
        vec![reading(&device(3), 201, 0.2), reading("many-new", 202, 9.0)],
    ] {
        accepted.extend(correction.iter().filter(|record| record["value"].is_f64()).cloned());
        let receipt = correct(&world, &user, id, &correction).await?;
        check(&receipt, &accepted);
    }
    Ok(())
}
