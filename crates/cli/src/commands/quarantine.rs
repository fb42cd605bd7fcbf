//! `eventpulse quarantine`: lists, shows, downloads, retries and discards rejected records and uploads.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::output::{CommandResult, Global, cell, failure_text, given, items, show, table, upload_id};
use super::upload::{Waiting, digest, draw_target, is_passing, outcome, send_issued};
use crate::client::api::Api;
use crate::client::download::download;
use crate::client::error::ClientError;
use crate::client::media::Media;
use crate::client::text::file_name;

/// The largest correction that is sent with the call. A larger one is sent by presigned URL.
const MAX_BYTES_IN_CALL: u64 = 4 << 20;
/// The maximum number of codes in one row of a list.
const CODES_SHOWN: usize = 3;
/// The maximum number of rejected records to show.
const RECORDS_SHOWN: usize = 20;

/// The arguments of `eventpulse quarantine`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List open items, newest first.
    List {
        /// Only items with this failure code, such as REQUIRED.
        #[arg(long)]
        code: Option<String>,
        /// Only items with this schema, such as reading/1.0.
        #[arg(long)]
        schema: Option<String>,
        /// Only items quarantined at this time or later, such as 2025-02-28T12:00:00Z.
        #[arg(long)]
        from: Option<String>,
        /// Only items quarantined before this time.
        #[arg(long)]
        to: Option<String>,
    },
    /// Show the rejected records and their failures.
    Show {
        /// The id of the upload.
        #[arg(value_name = "UPLOAD_ID", value_parser = upload_id)]
        id: String,
        /// Save the rejected records and the report in this directory.
        #[arg(long, value_name = "DIRECTORY")]
        download: Option<PathBuf>,
        /// Overwrite existing files.
        #[arg(long, requires = "download")]
        force: bool,
    },
    /// Retry: unchanged, or with a corrected file.
    Retry {
        /// The id of the upload.
        #[arg(value_name = "UPLOAD_ID", value_parser = upload_id)]
        id: String,
        /// The corrected file. For a partially accepted upload: only the corrected records.
        file: Option<PathBuf>,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Discard the rejected records. Accepted records stay in the statistics.
    Discard {
        /// The id of the upload.
        #[arg(value_name = "UPLOAD_ID", value_parser = upload_id)]
        id: String,
        /// Do not prompt for confirmation.
        #[arg(long)]
        yes: bool,
    },
}

/// Lists, shows, retries or discards quarantined uploads.
///
/// # Errors
/// Fails when the API cannot be reached or refuses.
pub async fn run(api: &Api, args: Args, global: &Global) -> Result<CommandResult, ClientError> {
    match args.action {
        Action::List { code, schema, from, to } => {
            let query = [("code", code), ("schema", schema), ("from", from), ("to", to)];
            let query: Vec<_> = query.iter().map(|(name, value)| (*name, value.as_deref())).collect();
            let found = api.pages("/quarantine", &given(&query), "uploads", usize::MAX).await?;
            let headers = ["upload", "state", "status", "rejected", "codes", "quarantined", "file"];
            show(global, &json!(found), || {
                table(&headers, &found, |item| {
                    vec![
                        cell(&item["upload_id"]),
                        cell(&item["state"]),
                        cell(&item["status"]),
                        cell(&item["rejected"]),
                        codes(item),
                        cell(&item["quarantined_at"]),
                        cell(&item["file_name"]),
                    ]
                })
            });
            Ok(CommandResult::Success)
        }
        Action::Show { id, download, force } => {
            let item = api.get(&format!("/quarantine/{id}"), &[]).await?;
            let mut saved = Vec::new();
            if let Some(directory) = download {
                for part in ["object", "report"] {
                    saved.extend(save(api, &item["download"][part], &directory, force).await?);
                }
            }
            show(global, &item, || item_text(&item, &saved));
            Ok(CommandResult::Success)
        }
        Action::Retry { id, file, waiting } => retry(api, &id, file.as_deref(), waiting, global).await,
        Action::Discard { id, yes } => {
            if !yes && !confirmed(&id)? {
                eprintln!("nothing was discarded");
                return Ok(CommandResult::Rejected);
            }
            api.delete(&format!("/quarantine/{id}")).await?;
            show(global, &json!({ "upload_id": id, "status": "discarded" }), || format!("{id}: discarded\n"));
            Ok(CommandResult::Success)
        }
    }
}

/// Returns the first codes of an item.
fn codes(item: &Value) -> String {
    let codes: Vec<String> = items(item, "codes").iter().map(cell).collect();
    match codes.len().saturating_sub(CODES_SHOWN) {
        0 => codes.join(", "),
        more => format!("{}, +{more}", codes[..CODES_SHOWN].join(", ")),
    }
}

fn item_text(item: &Value, saved: &[PathBuf]) -> String {
    let mut text = format!(
        "{}  {}\n{} ({}): {} accepted, {} rejected; kept until {}\n",
        cell(&item["upload_id"]),
        cell(&item["file_name"]),
        cell(&item["status"]),
        cell(&item["state"]),
        item["accepted"],
        item["rejected"],
        cell(&item["kept_until"])
    );
    let report = &item["report"];
    if report["upload_failure"].is_object() {
        text.push_str(&format!("\n{}", failure_text(&report["upload_failure"])));
    }
    let read_until = &report["read_until"];
    if read_until.is_object() {
        let (records, line) = (&read_until["records"], &read_until["line"]);
        text.push_str(&format!("\nread up to record {records}, on line {line}; the rest was not read\n"));
    }
    for record in items(report, "records").iter().take(RECORDS_SHOWN) {
        text.push_str(&format!("\nrecord {}, line {}\n", record["index"], record["line"]));
        for failure in items(record, "failures") {
            text.push_str(&failure_text(failure));
        }
    }
    let listed = items(report, "records").len();
    let more = listed.saturating_sub(RECORDS_SHOWN) as u64 + report["records_omitted"].as_u64().unwrap_or(0);
    if more > 0 {
        text.push_str(&format!("\n... and {more} more records; --download saves the whole report\n"));
    }
    for path in saved {
        text.push_str(&format!("saved {}\n", path.display()));
    }
    let id = cell(&item["upload_id"]);
    if item["status"] == "open" {
        text.push_str(&format!(
            "\nnext: eventpulse quarantine show {id} --download .\n      eventpulse quarantine retry {id} CORRECTED_FILE\n"
        ));
    }
    text
}

/// Saves a download under its own file name. Returns the path.
async fn save(api: &Api, link: &Value, directory: &Path, force: bool) -> Result<Option<PathBuf>, ClientError> {
    let (Some(url), Some(name)) = (link["url"].as_str(), link["file_name"].as_str()) else { return Ok(None) };
    let path = directory.join(file_name(name));
    download(api.http(), api.retrier(), url, &path, force).await?;
    Ok(Some(path))
}

async fn retry(
    api: &Api,
    id: &str,
    file: Option<&Path>,
    waiting: Waiting,
    global: &Global,
) -> Result<CommandResult, ClientError> {
    match file {
        None => {
            let posted = api.post_bytes(&format!("/quarantine/{id}/retry"), None, None, Vec::new()).await;
            unless_retrying(api, id, posted).await?;
        }
        Some(file) => correct(api, id, file, global).await?,
    }
    let receipt = outcome(api, id, waiting).await?;
    show(global, &receipt, || super::uploads::receipt_text(&receipt));
    let is_well = waiting.is_unwaited() || receipt["state"] == "accepted" || receipt["state"] == "duplicate";
    Ok(if is_well { CommandResult::Success } else { CommandResult::Rejected })
}

/// Returns success also if the answer was lost and the retry is in progress, as the receipt shows. A repeated call would be
/// refused.
async fn unless_retrying(api: &Api, id: &str, posted: Result<Value, ClientError>) -> Result<(), ClientError> {
    let Err(error) = posted else { return Ok(()) };
    if !is_passing(&error) {
        return Err(error);
    }
    let receipt = api.get(&format!("/uploads/{id}"), &[]).await;
    if receipt.is_ok_and(|receipt| receipt["quarantine"]["status"] == "retrying") { Ok(()) } else { Err(error) }
}

/// Sends a correction: with the call, or by presigned URL.
async fn correct(api: &Api, id: &str, file: &Path, global: &Global) -> Result<(), ClientError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Media { content_type, content_encoding } = Media::of_file(&name, None, None)?;
    let (size, sha256) = digest(file).await?;
    if size <= MAX_BYTES_IN_CALL && size > 0 {
        let bytes = tokio::fs::read(file).await;
        let bytes = bytes.map_err(|error| ClientError::Other(format!("{}: {error}", file.display())))?;
        let path = format!("/quarantine/{id}/retry");
        let posted = api.post_bytes(&path, Some(content_type), content_encoding, bytes).await;
        return unless_retrying(api, id, posted).await;
    }
    let mut request = json!({ "content_type": content_type, "size": size, "sha256": sha256 });
    if let Some(encoding) = content_encoding {
        request["content_encoding"] = json!(encoding);
    }
    let issued = api.post_json(&format!("/quarantine/{id}/correction"), &request).await?;
    let bar = ProgressBar::with_draw_target(Some(size), draw_target(global));
    let sent = send_issued(api, file, &request, &issued, &bar).await;
    bar.finish_and_clear();
    sent
}

fn confirmed(id: &str) -> Result<bool, ClientError> {
    if !std::io::stdin().is_terminal() {
        return Err(ClientError::Other("cannot prompt without a terminal: --yes discards without a prompt".to_owned()));
    }
    eprint!("Discard the rejected records of {id}? [y/N] ");
    let failed = |error: std::io::Error| ClientError::Other(error.to_string());
    std::io::stderr().flush().map_err(failed)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
