//! `eventpulse upload`: requests presigned URLs, sends files in parallel, and waits for their outcomes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::notifications::unmailed;
use super::output::{CommandResult, Global, cell, error_lines, first_failure, show, table};
use crate::client::api::Api;
use crate::client::error::ClientError;
use crate::client::media::{Media, parse_max_rejected};
use crate::client::retry::{Failure, Safety};
use crate::client::send::{self, SendError};
use crate::client::text::clean;

/// The pause between two reads of a receipt: the first one, and the longest one.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

/// The arguments of `eventpulse upload`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    options: UploadOptions,
    /// The number of files to send in parallel.
    #[arg(long, default_value_t = 4)]
    jobs: usize,
    #[command(flatten)]
    waiting: Waiting,
}

/// The options for sending a file.
#[derive(Debug, Clone, clap::Args)]
pub struct UploadOptions {
    /// The schema of records that do not name one, such as reading/1.0.
    #[arg(long)]
    schema: Option<String>,
    /// Reject the whole file when more records than this are invalid: 5, or 10%.
    #[arg(long, value_name = "COUNT|PERCENT", value_parser = parse_max_rejected)]
    max_rejected: Option<Value>,
    /// The Content-Type [default: by the file's extension].
    #[arg(long)]
    content_type: Option<String>,
    /// The Content-Encoding [default: by the file's extension].
    #[arg(long)]
    content_encoding: Option<String>,
}

/// The options for waiting for an outcome.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Waiting {
    /// Do not wait for the outcome.
    #[arg(long)]
    no_wait: bool,
    /// The number of seconds to wait for the outcome.
    #[arg(long, default_value_t = 900, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
}

impl Waiting {
    /// Returns whether the command does not wait.
    pub(super) fn is_unwaited(self) -> bool {
        self.no_wait
    }
}

/// Uploads files.
///
/// # Errors
/// Fails when nothing can be uploaded, for example because nobody is signed in.
pub async fn run(api: &Api, args: &Args, global: &Global) -> Result<CommandResult, ClientError> {
    let bars = MultiProgress::with_draw_target(draw_target(global));
    let shown = bars.clone();
    let api = api.clone().with_retrier(api.retrier().telling(move |line| shown.suspend(|| eprintln!("{line}"))));
    let mut sending = JoinSet::new();
    let mut results: Vec<Option<Result<Sent, ClientError>>> = args.files.iter().map(|_| None).collect();
    let mut files = args.files.iter().cloned().enumerate();
    loop {
        while sending.len() < args.jobs.max(1)
            && let Some((index, file)) = files.next()
        {
            let (api, options, waiting, bars) = (api.clone(), args.options.clone(), args.waiting, bars.clone());
            sending.spawn(async move { (index, upload_one(&api, &file, &options, waiting, &bars).await) });
        }
        let Some(done) = sending.join_next().await else { break };
        let (index, result) = done.map_err(|error| ClientError::Other(error.to_string()))?;
        results[index] = Some(result);
    }
    report(args, results.into_iter().flatten().collect(), global)
}

/// Returns where progress bars go: to a terminal only.
pub(super) fn draw_target(global: &Global) -> ProgressDrawTarget {
    if global.json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() }
}

/// A file that was sent.
struct Sent {
    /// Its receipt, or the answer that issued its URL.
    receipt: Value,
    /// The reason why there is no outcome.
    error: Option<ClientError>,
}

/// Uploads one file.
async fn upload_one(
    api: &Api,
    file: &Path,
    options: &UploadOptions,
    waiting: Waiting,
    bars: &MultiProgress,
) -> Result<Sent, ClientError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bar = bars.add(ProgressBar::no_length());
    bar.set_prefix(clean(&name));
    let request = request(file, &name, options).await?;
    let issued = api.post_json_with_key("/uploads", &request, &idempotency_key()?).await?;
    send_issued(api, file, &request, &issued, &bar).await?;
    let id = issued["upload_id"].as_str().unwrap_or_default();
    bar.set_message("waiting");
    let receipt = outcome(api, id, waiting).await;
    bar.finish_and_clear();
    Ok(match receipt {
        Ok(receipt) => Sent { receipt, error: None },
        Err(error) => Sent { receipt: json!({ "upload_id": id, "state": "sent" }), error: Some(error) },
    })
}

/// Returns a new key, by which the API recognises a repeated `POST /uploads` of one file.
fn idempotency_key() -> Result<String, ClientError> {
    let random =
        || getrandom::u64().map_err(|error| ClientError::Other(format!("this machine has no random numbers: {error}")));
    Ok(format!("eventpulse-{:016x}{:016x}", random()?, random()?))
}

/// Returns the body of `POST /uploads`.
async fn request(file: &Path, name: &str, options: &UploadOptions) -> Result<Value, ClientError> {
    let Media { content_type, content_encoding } =
        Media::of_file(name, options.content_type.as_deref(), options.content_encoding.as_deref())?;
    let (size, sha256) = digest(file).await?;
    let mut request = json!({ "file_name": name, "content_type": content_type, "size": size, "sha256": sha256 });
    if let Some(encoding) = content_encoding {
        request["content_encoding"] = json!(encoding);
    }
    if let Some(schema) = &options.schema {
        request["schema"] = json!(schema);
    }
    if let Some(most) = &options.max_rejected {
        request["max_rejected"] = most.clone();
    }
    Ok(request)
}

/// Returns the size and the SHA-256 of a file. Runs on a thread of its own, so that other files go on.
pub(super) async fn digest(file: &Path) -> Result<(u64, String), ClientError> {
    let file = file.to_owned();
    let read = tokio::task::spawn_blocking(move || send::digest(&file)).await;
    Ok(read.map_err(|error| ClientError::Other(error.to_string()))??)
}

/// Sends a file to its presigned URL. Retries for a minute of pauses.
///
/// The URL accepts one object. If an answer was lost, the receipt or a later 412 shows that the file has arrived.
///
/// # Errors
/// Fails when the file cannot be read, or S3 refuses it.
pub(super) async fn send_issued(
    api: &Api,
    file: &Path,
    request: &Value,
    issued: &Value,
    bar: &ProgressBar,
) -> Result<(), ClientError> {
    let size = request["size"].as_u64().unwrap_or(0);
    bar.set_length(size);
    if let Ok(style) = ProgressStyle::with_template("{prefix:30!} {bar:30} {bytes:>10}/{total_bytes:<10} {msg}") {
        bar.set_style(style);
    }
    let headers: Vec<(String, String)> = issued["headers"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    let url = issued["url"].as_str().unwrap_or_default();
    let (mut retries, mut paused, mut is_unknown) = (api.retrier().retries(Safety::Repeatable), Duration::ZERO, false);
    loop {
        let shown = bar.clone();
        let put = send::put(api.http(), url, &headers, file, size, move |sent| shown.set_position(sent)).await;
        let (error, failure) = match put {
            Ok(200) => return Ok(()),
            Ok(412) if is_unknown => return Ok(()),
            Ok(status) => (refused(status), failure(status)),
            Err(SendError::Http(error)) => {
                let failure = Failure::without_answer(&error);
                (SendError::Http(error).into(), Some(failure))
            }
            Err(error) => return Err(error.into()),
        };
        is_unknown |= failure.is_some_and(Failure::is_outcome_unknown);
        if is_unknown && has_arrived(api, issued).await {
            return Ok(());
        }
        // The time of the attempts does not count: a large file takes long, and its URL expires anyway.
        let pause = failure.and_then(|failure| Some((failure, retries.pause(failure, paused)?)));
        let Some((failure, pause)) = pause else { return Err(error) };
        paused += pause;
        api.retrier().wait(failure, pause).await;
    }
}

/// Returns the failure that an answer of S3 is; none if another attempt would not change it. 409: another `PUT` is going on.
fn failure(status: u16) -> Option<Failure> {
    (status == 409 || status == 429 || status >= 500).then_some(Failure::Answer(status, None))
}

fn refused(status: u16) -> ClientError {
    ClientError::Other(match status {
        412 => "this URL is used already: run the command again for a new one".to_owned(),
        400 | 403 => {
            format!("S3 refused the file ({status}): it changed while it was sent, or the URL has expired. Try again.")
        }
        status => format!("S3 refused the file with status {status}. Try again."),
    })
}

/// Returns whether the receipt shows that the object of a presigned URL has arrived.
async fn has_arrived(api: &Api, issued: &Value) -> bool {
    let id = issued["upload_id"].as_str().unwrap_or_default();
    let receipt = api.get(&format!("/uploads/{id}"), &[]).await;
    // A correction is requested, and its upload `retrying`, before it arrives: only a later state shows its arrival.
    let is_new = issued["state"] == "issued";
    receipt.is_ok_and(|receipt| is_new && receipt["state"] != "issued" && receipt["state"] != "expired")
}

/// Waits for the outcome of an upload, or of a retry.
///
/// # Errors
/// Fails when there is none in time.
pub(super) async fn outcome(api: &Api, id: &str, waiting: Waiting) -> Result<Value, ClientError> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(waiting.timeout);
    let mut pause = PAUSES.0;
    loop {
        let receipt = match api.get(&format!("/uploads/{id}"), &[]).await {
            Ok(receipt) => receipt,
            // A moment without an answer does not change what becomes of it.
            Err(error) if is_passing(&error) && tokio::time::Instant::now() + pause < deadline => {
                tokio::time::sleep(pause).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        let state = receipt["state"].as_str().unwrap_or_default();
        let rejected = matches!(state, "quarantined" | "partially_accepted");
        let moving = rejected && receipt["quarantine"].is_null();
        let is_outcome = !matches!(state, "issued" | "received" | "waiting")
            && receipt["quarantine"]["status"] != "retrying"
            && !moving;
        if is_outcome || waiting.no_wait {
            return Ok(receipt);
        }
        if tokio::time::Instant::now() + pause > deadline {
            return Err(ClientError::Other(format!(
                "{id} has no outcome after {} s. Processing continues: eventpulse uploads show {id}",
                waiting.timeout
            )));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Returns whether a repeated call may succeed.
pub(super) fn is_passing(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. } => true,
        ClientError::Problem { status, .. } => *status >= 500,
        _ => false,
    }
}

/// Prints the outcomes of all files. An invalid file does not hide the others.
fn report(args: &Args, results: Vec<Result<Sent, ClientError>>, global: &Global) -> Result<CommandResult, ClientError> {
    let files = args.files.iter().map(|file| file.display().to_string());
    let rows: Vec<Value> = files
        .zip(&results)
        .map(|(file, result)| match result {
            Ok(Sent { receipt, error: None }) => json!({ "file": file, "receipt": receipt }),
            Ok(Sent { receipt, error: Some(error) }) => {
                json!({ "file": file, "receipt": receipt, "error": error_lines(error).join("; ") })
            }
            Err(error) => json!({ "file": file, "receipt": null, "error": error_lines(error).join("; ") }),
        })
        .collect();
    show(global, &json!(rows), || text(&rows));
    let accepted = |result: &Result<Sent, ClientError>| {
        let state = result.as_ref().ok().and_then(|sent| sent.receipt["state"].as_str()).unwrap_or_default();
        matches!(state, "accepted" | "duplicate") || (args.waiting.no_wait && result.is_ok())
    };
    if results.iter().all(accepted) {
        return Ok(CommandResult::Success);
    }
    // Nothing was sent at all: that is no verdict on the files.
    if results.iter().all(Result::is_err)
        && let Some(Err(error)) = results.into_iter().next()
    {
        return Err(error);
    }
    Ok(CommandResult::Rejected)
}

fn text(rows: &[Value]) -> String {
    let headers = ["file", "outcome", "accepted", "rejected", "upload", "first failure"];
    let mut text = table(&headers, rows, |row| {
        let receipt = &row["receipt"];
        let outcome = if receipt.is_null() { "not sent".to_owned() } else { cell(&receipt["state"]) };
        let why = if row["error"].is_null() { first_failure(receipt) } else { cell(&row["error"]) };
        vec![
            cell(&row["file"]),
            outcome,
            cell(&receipt["accepted"]),
            cell(&receipt["rejected"]),
            cell(&receipt["upload_id"]),
            why,
        ]
    });
    for row in rows.iter().filter(|row| row["receipt"]["quarantine"]["status"] == "open") {
        text.push_str(&format!("next: eventpulse quarantine show {}\n", cell(&row["receipt"]["upload_id"])));
    }
    text.push_str(unmailed(rows.iter().map(|row| &row["receipt"])));
    text
}

#[cfg(test)]
mod tests;
