//! `eventpulse uploads`: lists, receipts and withdrawals.

use std::time::Duration;

use serde_json::{Value, json};

use super::notifications::unmailed;
use super::output::{CommandResult, Global, cell, failures, given, items, number_or_reason, show, table, upload_id};
use crate::client::api::Api;
use crate::client::error::ClientError;
use crate::client::text::clean;

/// The most calls for one withdrawal. Each call works for up to 20 s.
const WITHDRAWAL_CALLS: u32 = 100;

/// The arguments of `eventpulse uploads`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List uploads (the default).
    List(ListArgs),
    /// Show the receipt of an upload.
    Show {
        /// The id of the upload.
        #[arg(value_name = "UPLOAD_ID", value_parser = upload_id)]
        id: String,
    },
    /// Withdraw an upload: remove its records from all statistics.
    Withdraw {
        /// The id of the upload.
        #[arg(value_name = "UPLOAD_ID", value_parser = upload_id)]
        id: String,
    },
}

/// The filters of a list.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Only uploads in this state: accepted, quarantined, and so on.
    #[arg(long)]
    state: Option<String>,
    /// Only uploads created at this time or later, such as 2025-02-28T12:00:00Z.
    #[arg(long)]
    from: Option<String>,
    /// Only uploads created before this time.
    #[arg(long)]
    to: Option<String>,
    /// The most uploads to list, newest first.
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

/// Lists uploads, shows one, or withdraws one.
///
/// # Errors
/// Fails when the API cannot be reached or refuses.
pub async fn run(api: &Api, args: Args, global: &Global) -> Result<CommandResult, ClientError> {
    match args.action {
        None => list(api, &args.list, global).await,
        Some(Action::List(args)) => list(api, &args, global).await,
        Some(Action::Show { id }) => {
            let receipt = api.get(&format!("/uploads/{id}"), &[]).await?;
            show(global, &receipt, || receipt_text(&receipt));
            Ok(CommandResult::Success)
        }
        Some(Action::Withdraw { id }) => {
            for _ in 0..WITHDRAWAL_CALLS {
                let receipt = api.delete(&format!("/uploads/{id}")).await?;
                if receipt["state"] == "withdrawn" {
                    show(global, &receipt, || format!("{id} is withdrawn. No statistics include it any more.\n"));
                    return Ok(CommandResult::Success);
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err(ClientError::Other(format!("{id} is not completely withdrawn yet: run the command again")))
        }
    }
}

async fn list(api: &Api, args: &ListArgs, global: &Global) -> Result<CommandResult, ClientError> {
    let query = given(&[("state", args.state.as_deref()), ("from", args.from.as_deref()), ("to", args.to.as_deref())]);
    let uploads = api.pages("/uploads", &query, "uploads", args.limit).await?;
    let headers = ["upload", "state", "accepted", "rejected", "created", "file"];
    show(global, &json!(uploads), || {
        table(&headers, &uploads, |upload| {
            ["upload_id", "state", "accepted", "rejected", "created_at", "file_name"]
                .map(|member| cell(&upload[member]))
                .into()
        })
    });
    Ok(CommandResult::Success)
}

/// Returns a receipt as text.
#[must_use]
pub fn receipt_text(receipt: &Value) -> String {
    let mut text = format!(
        "{}  {}\n{}: {} accepted, {} rejected\n",
        cell(&receipt["upload_id"]),
        cell(&receipt["file_name"]),
        cell(&receipt["state"]),
        receipt["accepted"],
        receipt["rejected"]
    );
    if let Some(of) = receipt["duplicate_of"].as_str() {
        text.push_str(&format!("duplicate of {}, which has the same bytes\n", clean(of)));
    }
    if receipt["sha256"].is_string() {
        let source = if receipt["sha256_source"] == "s3" { "verified by S3" } else { "computed" };
        text.push_str(&format!("sha256 {} ({source})\n", cell(&receipt["sha256"])));
    }
    if receipt["failure_reason"].is_string() {
        text.push_str(&format!("failed: {}\n", cell(&receipt["failure_reason"])));
    }
    if !items(receipt, "statistics").is_empty() {
        text.push('\n');
        text.push_str(&statistics_table(items(receipt, "statistics")));
        if receipt["statistics_omitted"].as_u64().is_some_and(|omitted| omitted > 0) {
            text.push_str(&format!("... and {} more series\n", receipt["statistics_omitted"]));
        }
    }
    if !items(receipt, "failures").is_empty() {
        text.push('\n');
        text.push_str(&failures(receipt));
    }
    if let Some(status) = receipt["quarantine"]["status"].as_str() {
        text.push_str(&format!("\nquarantine: {status}\n"));
        if status == "open" {
            text.push_str(&format!("next: eventpulse quarantine show {}\n", cell(&receipt["upload_id"])));
            text.push_str(unmailed(std::iter::once(receipt)));
        }
    }
    text.push('\n');
    text.push_str(&table(&["at", "event", "by", ""], items(receipt, "history"), |event| {
        let detail = if event["form"].is_null() { cell(&event["detail"]) } else { cell(&event["form"]) };
        vec![cell(&event["at"]), cell(&event["event"]), cell(&event["by"]), detail]
    }));
    text
}

/// Returns the statistics of each series as a table.
#[must_use]
pub fn statistics_table(statistics: &[Value]) -> String {
    let headers = ["device", "measure", "count", "sum", "mean", "median", "variance", "std. dev.", "min", "max"];
    table(&headers, statistics, |series| {
        let members = ["count", "sum", "mean", "median", "variance", "standard_deviation", "min", "max"];
        let names = ["device_id", "measure"].map(|member| cell(&series[member]));
        names.into_iter().chain(members.map(|member| number_or_reason(series, member))).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_statistics_names_the_reason_of_a_missing_number() {
        let one = json!({ "device_id": "d", "measure": "value", "count": 1, "sum": 2.5, "mean": 2.5, "median": 2.5,
            "variance": null, "standard_deviation": null, "min": 2.5, "max": 2.5,
            "unavailable": { "variance": "one_value", "standard_deviation": "one_value" } });
        let large = json!({ "device_id": "e", "measure": "value", "count": 2, "sum": null, "mean": 1e308, "median": null,
            "variance": 0.25, "standard_deviation": 0.5, "min": 1e308, "max": 1e308,
            "unavailable": { "sum": "too_large", "median": "not_computed" } });
        let text = statistics_table(&[one, large]);
        let cells = |line: &str| -> Vec<String> {
            line.split("  ").map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty()).collect()
        };
        let lines: Vec<Vec<String>> = text.lines().map(cells).collect();
        assert_eq!(
            lines[0],
            ["device", "measure", "count", "sum", "mean", "median", "variance", "std. dev.", "min", "max"]
        );
        assert_eq!(
            lines[1],
            ["d", "value", "1", "2.5", "2.5", "2.5", "n/a (one value)", "n/a (one value)", "2.5", "2.5"]
        );
        assert_eq!(lines[2][3..8], ["n/a (too large)", "1e308", "n/a (not computed)", "0.25", "0.5"]);
    }
}
