//! Answers of the statistics routes, and the uploads behind them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use eventpulse_core::statistics::quantile::{OrderNumbers, QuantileValues};
use eventpulse_core::statistics::series::{Point, Series};
use eventpulse_core::statistics::summary::{Statistics, Summary};
use eventpulse_core::time::Timestamp;
use serde_json::{Value, json};

use crate::TestResult;
use crate::owners::lines;
use crate::world::{World, document, reading};

pub async fn statistics_over_any_range_are_exact_and_name_their_uploads(world: Arc<World>) -> TestResult {
    let user = world.user();
    // Several chunks of 4,096 points, in two uploads that overlap in time.
    let values: Vec<(u32, f64)> = (0..9_000).map(|second| (second, f64::from(second * 7919 % 10_007))).collect();
    let (one, two) = values.split_at(5_000);
    for (name, part) in [("one.ndjson", one), ("two.ndjson", two)] {
        let records: Vec<Value> = part.iter().map(|(second, value)| reading("range", *second, *value)).collect();
        let receipt = world.upload_by_rest(&user, &document(name, lines(&records))).await?;
        assert_eq!(receipt["state"], "accepted");
    }
    let at =
        |second: u32| Timestamp::parse("2025-02-28T00:00:00Z").map(|time| time + Duration::from_secs(second.into()));
    for (from, to, uploads) in [(0, 9_000, 2), (4_999, 5_001, 2), (17, 4_321, 1), (5_000, 9_000, 1), (8_999, 9_000, 1)]
    {
        let path = format!("/devices/range/stats?from={}&to={}", at(from).ok_or("time")?, at(to).ok_or("time")?);
        let answer = world.get(&user, &path).await?;
        let expected = statistics(&values[from as usize..to as usize]);
        assert_eq!(answer["count"], expected.count, "{path}");
        assert_eq!(answer["median"], expected.median, "{path}");
        assert_eq!((&answer["min"], &answer["max"]), (&json!(expected.min), &json!(expected.max)));
        for (member, wanted) in [
            ("sum", expected.sum),
            ("mean", Some(expected.mean)),
            ("variance", expected.variance),
            ("standard_deviation", expected.standard_deviation),
        ] {
            assert_eq!(answer[member], json!(wanted), "{path} {member}");
        }
        assert_eq!(answer["exact"], true);
        assert_eq!(answer["uploads"]["included"]["count"], uploads, "{path}: {answer:#}");
        assert_eq!(answer["first"], json!(at(from)), "{path}");
    }
    let none = world.call(&user, "GET", "/devices/range/stats?to=2020-01-01T00:00:00Z", Value::Null).await?;
    none.problem(404, "not-found")?;
    let unknown = world.call(&user, "GET", "/devices/unknown/stats", Value::Null).await?;
    unknown.problem(404, "not-found")?;
    Ok(())
}

fn statistics(values: &[(u32, f64)]) -> Statistics {
    let points: Vec<Point> = values
        .iter()
        .map(|(second, value)| Point { time: Timestamp::from_micros(i64::from(*second) * 1_000_000), value: *value })
        .collect();
    let mut sorted: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
    let order = OrderNumbers { median, interquartile_range: None, quantiles: QuantileValues::default() };
    Summary::of(&points).expect("points").statistics(order)
}

pub async fn devices_measures_and_buckets_are_listed(world: Arc<World>) -> TestResult {
    let user = world.user();
    let odd = "a b+c/d%é#?&☃";
    let devices = ["alpha", "beta", odd];
    for device in devices {
        let records: Vec<Value> =
            [0, 30, 60, 3_600].iter().map(|second| reading(device, *second, f64::from(*second))).collect();
        world.upload_by_rest(&user, &document("d.ndjson", lines(&records))).await?;
    }
    let weather = std::fs::read(world.stack.root.join("events/uploads/04-weather-daily.ndjson"))?;
    let mut sample = document("weather.ndjson", weather);
    sample.expected.schema = Some("weather/1.0".to_owned());
    let receipt = world.upload_by_rest(&user, &sample).await?;
    assert_eq!(receipt["state"], "accepted", "{receipt:#}");
    let station = receipt["statistics"][0]["device_id"].as_str().ok_or("no station")?.to_owned();

    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = world.get(&user, &format!("/devices?limit=2{cursor}")).await?;
        found.extend(page["devices"].as_array().ok_or("no devices")?.clone());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found.len(), 5, "{found:#?}");
    for device in devices {
        let listed = found.iter().find(|listed| listed["device_id"] == device).ok_or("not listed")?;
        assert_eq!(listed["measures"], json!(["value"]));
        let link = listed["links"]["stats"].as_str().ok_or("no link")?;
        let path = link.strip_prefix(&world.client.api).ok_or("a foreign link")?;
        assert_eq!(world.get(&user, path).await?["count"], 4, "{device} by its link");
        let query: String = percent_encoding::utf8_percent_encode(device, percent_encoding::NON_ALPHANUMERIC).collect();
        assert_eq!(world.get(&user, &format!("/?device_id={query}")).await?["device_id"], device);
    }
    let station = station.replace(' ', "%20");
    let several = world.call(&user, "GET", &format!("/?device_id={station}"), Value::Null).await?;
    let problem = several.problem(400, "invalid-request")?;
    assert!(problem.to_string().contains("measure"), "{problem}");

    let series = world.get(&user, "/devices/alpha/series?bucket=1m").await?;
    let buckets: Vec<(&str, u64, f64)> = series["buckets"]
        .as_array()
        .ok_or("no buckets")?
        .iter()
        .map(|b| {
            (
                b["start"].as_str().unwrap_or_default(),
                b["count"].as_u64().unwrap_or(0),
                b["mean"].as_f64().unwrap_or(0.0),
            )
        })
        .collect();
    let expected =
        [("2025-02-28T00:00:00Z", 2, 15.0), ("2025-02-28T00:01:00Z", 1, 60.0), ("2025-02-28T01:00:00Z", 1, 3_600.0)];
    assert_eq!(buckets, expected);
    let unknown = world.call(&user, "GET", "/devices/nobody/series", Value::Null).await?;
    unknown.problem(404, "not-found")?;
    Ok(())
}

pub async fn days_and_months_are_those_of_the_time_zone(world: Arc<World>) -> TestResult {
    let user = world.user();
    // A value at the half of each hour around both changes of the clocks in Berlin, so a count is a number of hours.
    let records: Vec<Value> = ["2025-03-29T21:30:00Z", "2025-10-25T20:30:00Z"]
        .iter()
        .filter_map(|first| Timestamp::parse(first))
        .flat_map(|first| (0..52).map(move |hour| first + Duration::from_secs(hour * 3_600)))
        .map(|time| json!({ "device_id": "clock", "timestamp": time, "value": 1.5 }))
        .collect();
    let receipt = world.upload_by_rest(&user, &document("clock.ndjson", lines(&records))).await?;
    assert_eq!(receipt["state"], "accepted", "{receipt:#}");

    let hours = |answer: &Value| -> Vec<Value> {
        let buckets = answer["buckets"].as_array().map(Vec::as_slice).unwrap_or_default();
        buckets.iter().map(|bucket| json!([bucket["start"], bucket["end"], bucket["count"]])).collect()
    };
    let days = world.get(&user, "/devices/clock/series?bucket=1d&tz=europe%2FBERLIN").await?;
    assert_eq!((&days["bucket"], &days["tz"]), (&json!("1d"), &json!("Europe/Berlin")));
    let expected = [
        json!(["2025-03-29T00:00:00+01:00", "2025-03-30T00:00:00+01:00", 2]),
        json!(["2025-03-30T00:00:00+01:00", "2025-03-31T00:00:00+02:00", 23]),
        json!(["2025-03-31T00:00:00+02:00", "2025-04-01T00:00:00+02:00", 24]),
        json!(["2025-04-01T00:00:00+02:00", "2025-04-02T00:00:00+02:00", 3]),
        json!(["2025-10-25T00:00:00+02:00", "2025-10-26T00:00:00+02:00", 2]),
        json!(["2025-10-26T00:00:00+02:00", "2025-10-27T00:00:00+01:00", 25]),
        json!(["2025-10-27T00:00:00+01:00", "2025-10-28T00:00:00+01:00", 24]),
        json!(["2025-10-28T00:00:00+01:00", "2025-10-29T00:00:00+01:00", 1]),
    ];
    assert_eq!(hours(&days), expected);
    let local = world.get(&user, "/series?device_id=clock&bucket=1mo&tz=Europe/Berlin&to=2025-04-30T00:00:00Z").await?;
    let expected = [
        json!(["2025-03-01T00:00:00+01:00", "2025-04-01T00:00:00+02:00", 49]),
        json!(["2025-04-01T00:00:00+02:00", "2025-05-01T00:00:00+02:00", 3]),
    ];
    assert_eq!(hours(&local), expected);
    let utc = world.get(&user, "/series?device_id=clock&bucket=1mo&to=2025-04-30T00:00:00Z").await?;
    let expected = [
        json!(["2025-03-01T00:00:00Z", "2025-04-01T00:00:00Z", 51]),
        json!(["2025-04-01T00:00:00Z", "2025-05-01T00:00:00Z", 1]),
    ];
    assert_eq!((hours(&utc), &utc["tz"]), (expected.to_vec(), &Value::Null));

    let mut tags = Vec::new();
    for zone in ["Europe/Berlin", "europe/berlin", "Europe/Paris", "UTC"] {
        let path = format!("/devices/clock/series?bucket=1y&tz={zone}");
        tags.push(world.call(&user, "GET", &path, Value::Null).await?.header("etag").to_owned());
    }
    tags.push(
        world.call(&user, "GET", "/devices/clock/series?bucket=1y", Value::Null).await?.header("etag").to_owned(),
    );
    assert_eq!(tags.remove(1), tags[0], "the case of the name does not matter");
    assert_eq!(tags.iter().collect::<BTreeSet<_>>().len(), tags.len(), "{tags:?}");

    for query in ["bucket=1d&tz=Berlin", "bucket=1h&tz=Europe/Berlin"] {
        let refused = world.call(&user, "GET", &format!("/devices/clock/series?{query}"), Value::Null).await?;
        let problem = refused.problem(400, "invalid-request")?;
        assert_eq!(problem["errors"][0]["parameter"], "tz", "{problem:#}");
    }
    Ok(())
}

pub async fn quantiles_are_served_as_asked_and_have_tags_of_their_own(world: Arc<World>) -> TestResult {
    let user = world.user();
    let records: Vec<Value> =
        [(0, 0.1), (1, 0.2), (2, 0.7), (3_600, 8.0)].map(|(second, value)| reading("quantiles", second, value)).into();
    world.upload_by_rest(&user, &document("q.ndjson", lines(&records))).await?;
    let tag =
        async |path: &str| world.call(&user, "GET", path, Value::Null).await.map(|it| it.header("etag").to_owned());

    for path in ["/devices/quantiles/stats?quantiles=0.95,0.50", "/?device_id=quantiles&quantiles=0.95,0.50"] {
        let response = world.call(&user, "GET", path, Value::Null).await?;
        assert!(response.text.contains(r#""quantiles":{"0.95":"#), "{path}: {}", response.text);
        let answer = response.expect(200)?;
        assert_eq!(answer["quantiles"]["0.50"], answer["median"], "{path}");
        assert_eq!(answer["unavailable"], Value::Null, "{path}");
        assert_ne!(tag(path).await?, tag(&path.replace("0.50", "0.5")).await?, "{path}");
        assert_ne!(tag(path).await?, tag("/devices/quantiles/stats").await?, "{path}");
    }
    for path in
        ["/devices/quantiles/series?bucket=1h&quantiles=0.25", "/series?device_id=quantiles&bucket=1h&quantiles=0.25"]
    {
        let answer = world.get(&user, path).await?;
        let buckets = answer["buckets"].as_array().ok_or("no buckets")?;
        // Halfway from the double 0.1 to the double 0.2, rounded once.
        assert_eq!(buckets[0]["quantiles"], json!({ "0.25": 0.15000000000000002 }), "{path}");
        assert_eq!(buckets[1]["quantiles"], json!({ "0.25": 8.0 }), "{path}");
        let reasons = json!({ "variance": "one_value", "standard_deviation": "one_value" });
        assert_eq!(buckets[1]["unavailable"], reasons, "{path}");
        assert_eq!((&buckets[1]["sum"], &buckets[1]["interquartile_range"]), (&json!(8.0), &json!(0.0)), "{path}");
        assert_ne!(tag(path).await?, tag(&path.replace("0.25", "0.75")).await?, "{path}");
    }
    let refused = world.call(&user, "GET", "/devices/quantiles/stats?quantiles=1.5", Value::Null).await?;
    let problem = refused.problem(400, "invalid-request")?;
    assert_eq!(problem["errors"][0]["parameter"], "quantiles", "{problem}");
    Ok(())
}

pub async fn unchanged_answer_is_not_modified(world: Arc<World>) -> TestResult {
    let user = world.user();
    world.upload_by_rest(&user, &document("a.json", reading("tagged", 0, 1.0).to_string())).await?;
    let token = format!("Bearer {}", user.token);
    for path in ["/?device_id=tagged", "/devices/tagged/stats", "/devices", "/devices/tagged/series"] {
        let first = world.call(&user, "GET", path, Value::Null).await?;
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with("W/\""), "{path}: {first:?}");
        let headers = [("authorization", token.as_str()), ("if-none-match", tag.as_str())];
        let again = world.send("GET", path, &headers, Vec::new()).await?;
        assert_eq!((again.status, again.text.as_str()), (304, ""), "{path}");
        assert_eq!(again.header("etag"), tag, "{path}");
    }
    let tag = world.call(&user, "GET", "/?device_id=tagged", Value::Null).await?.header("etag").to_owned();
    world.upload_by_rest(&user, &document("b.json", reading("tagged", 1, 2.0).to_string())).await?;
    let headers = [("authorization", token.as_str()), ("if-none-match", tag.as_str())];
    let changed = world.send("GET", "/?device_id=tagged", &headers, Vec::new()).await?;
    assert_eq!(changed.expect(200)?["count"], 2);
    // The series exists for no other owner.
    let series = Series { owner: "somebody".parse().unwrap(), entity: "tagged".into(), measure: "value".into() };
    assert!(world.client.services.chunks.answer(&series, None, None).await?.is_none());
    Ok(())
}
