//! `eventpulse validate`: validates files on this machine, without network access.

use std::path::{Path, PathBuf};

use eventpulse_core::intake::schema::Catalog;
use serde_json::{Value, json};

use super::output::{CommandResult, Global, error_lines, show};
use crate::client::error::ClientError;
use crate::client::media::Media;
use crate::client::validate::{Verdict, validate, verdict_text};

/// The arguments of `eventpulse validate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files to validate.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Schema for records that name none.
    #[arg(long)]
    schema: Option<String>,
    /// Content-Type of the files, if their names do not tell.
    #[arg(long)]
    content_type: Option<String>,
    /// Content-Encoding of the files, if their names do not tell.
    #[arg(long)]
    content_encoding: Option<String>,
}

/// Validates files.
///
/// # Errors
/// Returns an error when the bundled schemas do not compile, which is a bug.
pub fn run(args: &Args, global: &Global) -> Result<CommandResult, ClientError> {
    let catalog = Catalog::bundled().map_err(|error| ClientError::Other(error.to_string()))?;
    let (mut verdicts, mut any_error) = (Vec::new(), false);
    for file in &args.files {
        match validate_file(&catalog, file, args) {
            Ok(verdict) => verdicts.push((file.display().to_string(), verdict)),
            Err(error) => {
                eprintln!("error: {}", error_lines(&error).join("\n  "));
                any_error = true;
            }
        }
    }
    let output: Vec<Value> =
        verdicts.iter().map(|(file, verdict)| json!({ "file": file, "verdict": verdict })).collect();
    show(global, &json!(output), || verdicts.iter().map(|(file, verdict)| verdict_text(verdict, file)).collect());
    let all_accepted = output.iter().all(|entry| entry["verdict"]["outcome"] == "accepted");
    // An unreadable file does not hide the verdicts on the other files.
    Ok(if all_accepted && !any_error { CommandResult::Success } else { CommandResult::Rejected })
}

fn validate_file(catalog: &Catalog, file: &Path, args: &Args) -> Result<Verdict, ClientError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let media = Media::of_file(&name, args.content_type.as_deref(), args.content_encoding.as_deref())?;
    Ok(validate(catalog, file, media, args.schema.as_deref(), |_| {})?)
}
