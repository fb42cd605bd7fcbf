//! `eventpulse stats`, `devices` and `series`.

use serde_json::{Value, json};

use super::output::{CommandResult, Global, cell, given, items, show, table};
use crate::client::api::Api;
use crate::client::error::ClientError;

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
        given(&[("measure", self.measure.as_deref()), ("from", self.from.as_deref()), ("to", self.to.as_deref())])
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
    let rows = ["count", "mean", "median", "standard_deviation", "min", "max", "first", "last"];
    for name in rows {
        let value = if answer[name].is_null() { "n/a".to_owned() } else { cell(&answer[name]) };
        text.push_str(&format!("  {:<20}{value}\n", name.replace('_', " ")));
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
    let headers = ["start", "count", "mean", "median", "std. dev.", "min", "max"];
    show(global, &answer, || {
        table(&headers, items(&answer, "buckets"), |bucket| {
            ["start", "count", "mean", "median", "standard_deviation", "min", "max"]
                .map(|member| cell(&bucket[member]))
                .into()
        })
    });
    Ok(CommandResult::Success)
}
