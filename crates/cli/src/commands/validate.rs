//! Validation on this machine: the same validator, no network.

use std::path::{Path, PathBuf};

use eventpulse_core::intake::schema::Catalog;
use serde_json::{Value, json};

use super::output::{Global, Outcome, error_lines, show};
use crate::client::error::ClientError;
use crate::client::media::Media;
use crate::client::validate::{Verdict, validate};

/// The arguments of `eventpulse validate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The schema of records that name none.
    #[arg(long)]
    schema: Option<String>,
    /// The Content-Type, where the files' endings do not tell.
    #[arg(long)]
    content_type: Option<String>,
    /// The Content-Encoding, where the files' endings do not tell.
    #[arg(long)]
    content_encoding: Option<String>,
}

/// Validates files.
///
/// # Errors
/// When the bundled schemas do not compile, which is a bug.
pub fn run(args: &Args, global: &Global) -> Result<Outcome, ClientError> {
    let catalog = Catalog::bundled().map_err(|error| ClientError::Other(error.to_string()))?;
    let (mut verdicts, mut unread) = (Vec::new(), false);
    for file in &args.files {
        match one(&catalog, file, args) {
            Ok(verdict) => verdicts.push((file.display().to_string(), verdict)),
            Err(error) => {
                eprintln!("error: {}", error_lines(&error).join("\n  "));
                unread = true;
            }
        }
    }
    let answer: Vec<Value> =
        verdicts.iter().map(|(file, verdict)| json!({ "file": file, "verdict": verdict })).collect();
    show(global, &json!(answer), || verdicts.iter().map(|(file, verdict)| verdict.to_text(file)).collect());
    let all_good = answer.iter().all(|one| one["verdict"]["outcome"] == "accepted");
    // A file without a verdict does not hide the verdicts on the others.
    Ok(if all_good && !unread { Outcome::Success } else { Outcome::Rejected })
}

fn one(catalog: &Catalog, file: &Path, args: &Args) -> Result<Verdict, ClientError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let media = Media::of_file(&name, args.content_type.as_deref(), args.content_encoding.as_deref())?;
    Ok(validate(catalog, file, media, args.schema.as_deref(), |_| {})?)
}
