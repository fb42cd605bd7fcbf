//! `eventpulse stats`, `devices` and `series`.

use serde_json::{Value, json};

use super::output::{CommandResult, Global, cell, given, items, number_or_reason, show, table};
use crate::client::api::Api;
use crate::client::error::ClientError;
use crate::client::text::clean;

/// The members of an answer and of a bucket that are numbers, in the order in which they are printed.
const NUMBERS: [&str; 9] =
    ["count", "sum", "mean", "median", "variance", "standard_deviation", "interquartile_range", "min", "max"];

/// The arguments of `eventpulse stats`.
#[derive(Debug, clap::Args)]
pub struct StatsArgs {
    /// The id of the device.
    device: String,
    /// The measure [default: the device's only measure].
    #[arg(long)]
    measure: Option<String>,
    /// Only points at this time or later, such as 2025-02-28T12:00:00Z.
    #[arg(long)]
    from: Option<String>,
    /// Only points before this time.
    #[arg(long)]
    to: Option<String>,
    /// Up to 20 quantiles, separated by commas, such as 0.05,0.5,0.95.
    #[arg(long)]
    quantiles: Option<String>,
}

/// The arguments of `eventpulse series`.
#[derive(Debug, clap::Args)]
pub struct SeriesArgs {
    #[command(flatten)]
    of: StatsArgs,
    /// The width of a bucket: a number and s, m, h, d, w, mo or y.
    #[arg(long, default_value = "1d")]
    bucket: String,
    /// The time zone of days, weeks, months and years, such as Europe/Berlin [default: UTC].
    #[arg(long)]
    tz: Option<String>,
}

impl StatsArgs {
    fn query(&self) -> Vec<(&'static str, &str)> {
        given(&[
            ("measure", self.measure.as_deref()),
            ("from", self.from.as_deref()),
            ("to", self.to.as_deref()),
            ("quantiles", self.quantiles.as_deref()),
        ])
    }
}

/// Shows the statistics of a device.
///
/// # Errors
/// Fails when the API cannot be reached or refuses.
pub async fn stats(api: &Api, args: &StatsArgs, global: &Global) -> Result<CommandResult, ClientError> {
    let mut query = args.query();
    query.push(("device_id", &args.device));
    let answer = api.get("/", &query).await?;
    show(global, &answer, || stats_text(&answer));
    Ok(CommandResult::Success)
}

fn stats_text(answer: &Value) -> String {
    let mut text = format!("{}  {}\n", cell(&answer["device_id"]), cell(&answer["measure"]));
    let mut row = |name: &str, value: String| text.push_str(&format!("  {name:<20}{value}\n"));
    for name in NUMBERS {
        row(&name.replace('_', " "), number_or_reason(answer, name));
    }
    for (quantile, value) in quantiles(answer) {
        row(&format!("quantile {quantile}"), cell(value));
    }
    for name in ["first", "last"] {
        row(name, cell(&answer[name]));
    }
    let uploads = &answer["uploads"];
    let excluded = &uploads["excluded"];
    text.push_str(&format!(
        "from {} uploads, exact as of {}\nnot included: {} uploads in quarantine, {} pending\n",
        uploads["included"]["count"],
        cell(&answer["as_of"]),
        excluded["quarantined"]["count"],
        excluded["pending"]["count"]
    ));
    text
}

/// Lists the devices that have data.
///
/// # Errors
/// Fails when the API cannot be reached or refuses.
pub async fn devices(api: &Api, global: &Global) -> Result<CommandResult, ClientError> {
    let devices = api.pages("/devices", &[], "devices", usize::MAX).await?;
    show(global, &json!(devices), || {
        table(&["device", "measures"], &devices, |device| {
            let measures: Vec<String> = items(device, "measures").iter().map(cell).collect();
            vec![cell(&device["device_id"]), measures.join(", ")]
        })
    });
    Ok(CommandResult::Success)
}

/// Shows the statistics of a device for each time bucket.
///
/// # Errors
/// Fails when the API cannot be reached or refuses.
pub async fn series(api: &Api, args: &SeriesArgs, global: &Global) -> Result<CommandResult, ClientError> {
    let mut query = args.of.query();
    query.extend([("device_id", args.of.device.as_str()), ("bucket", args.bucket.as_str())]);
    query.extend(given(&[("tz", args.tz.as_deref())]));
    let answer = api.get("/series", &query).await?;
    show(global, &answer, || series_text(&answer));
    Ok(CommandResult::Success)
}

fn series_text(answer: &Value) -> String {
    let buckets = items(answer, "buckets");
    let asked: Vec<String> = buckets.first().into_iter().flat_map(quantiles).map(|(name, _)| name).collect();
    let headers = ["start", "count", "sum", "mean", "median", "variance", "std. dev.", "iqr", "min", "max"];
    let headers: Vec<&str> = headers.into_iter().chain(asked.iter().map(String::as_str)).collect();
    table(&headers, buckets, |bucket| {
        let mut cells = vec![cell(&bucket["start"])];
        cells.extend(NUMBERS.map(|name| number_or_reason(bucket, name)));
        cells.extend(quantiles(bucket).map(|(_, value)| cell(value)));
        cells
    })
}

/// Returns the quantiles of an answer or a bucket, by name.
fn quantiles(answer: &Value) -> impl Iterator<Item = (String, &Value)> {
    let quantiles = answer["quantiles"].as_object().into_iter().flatten();
    quantiles.map(|(name, value)| (clean(name), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_printed_to_the_last_bit_with_quantiles_and_reasons() {
        let answer = json!({
            "device_id": "d", "measure": "value", "from": null, "to": null, "count": 1, "sum": 0.1, "mean": 0.1,
            "median": 0.1, "variance": null, "standard_deviation": null, "interquartile_range": 0.0, "min": -5e-324,
            "max": 0.30000000000000004, "quantiles": { "0.05": 0.1, "0.95": 1e300 },
            "unavailable": { "variance": "one_value", "standard_deviation": "one_value" },
            "first": "2025-02-28T12:00:00Z", "last": "2025-02-28T12:00:00Z", "exact": true, "as_of": "2025-03-01T09:30:00Z",
            "uploads": { "included": { "count": 1 }, "excluded": { "quarantined": { "count": 0 }, "pending": { "count": 0 } } },
        });
        let expected = "\
d  value
  count               1
  sum                 0.1
  mean                0.1
  median              0.1
  variance            n/a (one value)
  standard deviation  n/a (one value)
  interquartile range 0
  min                 -5e-324
  max                 0.30000000000000004
  quantile 0.05       0.1
  quantile 0.95       1e300
  first               2025-02-28T12:00:00Z
  last                2025-02-28T12:00:00Z
from 1 uploads, exact as of 2025-03-01T09:30:00Z
not included: 0 uploads in quarantine, 0 pending
";
        assert_eq!(stats_text(&answer), expected);
    }

    #[test]
    fn buckets_are_a_table_with_a_column_for_each_quantile() {
        let bucket = json!({
            "start": "2025-02-28T12:00:00Z", "count": 2, "sum": null, "mean": 1e308, "median": 1e308, "variance": 0.5,
            "standard_deviation": 49.426713424101, "interquartile_range": 0.5, "min": 1e308, "max": 1e308,
            "quantiles": { "0.25": 1.5, "1": 2.0 }, "unavailable": { "sum": "too_large" },
        });
        let text = series_text(&json!({ "buckets": [bucket] }));
        let cells = |line: &str| -> Vec<String> {
            line.split("  ").map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty()).collect()
        };
        let lines: Vec<Vec<String>> = text.lines().map(cells).collect();
        assert_eq!(
            lines[0],
            ["start", "count", "sum", "mean", "median", "variance", "std. dev.", "iqr", "min", "max", "0.25", "1"]
        );
        assert_eq!(lines[1][1..5], ["2", "n/a (too large)", "1e308", "1e308"]);
        assert_eq!(lines[1][5..], ["0.5", "49.426713424101", "0.5", "1e308", "1e308", "1.5", "2"]);
    }
}
