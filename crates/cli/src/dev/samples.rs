//! The documents of `events/uploads/`, each with what is expected of it in `<file>.expected.json`.

use std::io;
use std::path::{Path, PathBuf};

use eventpulse_core::intake::inspection::MaxRejected;
use serde::Deserialize;

/// A document to upload.
#[derive(Debug)]
pub struct Sample {
    /// The file.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What is expected.
    pub expected: Expected,
}

/// How a document is uploaded, and what is expected of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// What the sample shows.
    #[serde(default)]
    pub about: String,
    /// `Content-Type`; by the file's ending where it is not given.
    pub content_type: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// The schema named for the upload.
    pub schema: Option<String>,
    /// How many records may be rejected before the whole upload is.
    pub max_rejected: Option<MaxRejected>,
    /// The name to upload under, where it is not the file's.
    pub file_name: Option<String>,
    /// Whether an operator copies it into the bucket, rather than a client using a presigned URL.
    #[serde(default)]
    pub dropped: bool,
    /// The outcome.
    pub outcome: String,
    /// How many records count.
    #[serde(default)]
    pub accepted: u64,
    /// How many records do not.
    #[serde(default)]
    pub rejected: u64,
    /// Statistics of its points.
    #[serde(default)]
    pub statistics: Vec<ExpectedStatistics>,
    /// Failures that must be told, among others.
    #[serde(default)]
    pub failures: Vec<ExpectedFailure>,
}

/// Statistics of one series, to six significant digits.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedStatistics {
    /// The entity.
    pub entity: String,
    /// The measure.
    pub measure: String,
    /// The number of points.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// Their median.
    pub median: f64,
    /// Their sample standard deviation; none of a single point.
    pub standard_deviation: Option<f64>,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

/// A failure.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedFailure {
    /// Its code.
    pub code: String,
    /// Its JSON Pointer.
    pub pointer: String,
    /// Its line.
    pub line: Option<u64>,
    /// Its byte offset.
    pub byte_offset: Option<u64>,
}

impl Sample {
    /// Reads every sample of a folder, in the order of their names.
    ///
    /// # Errors
    /// When a file cannot be read, or lacks an expectation that can be understood.
    pub fn read_all(folder: &Path) -> io::Result<Vec<Self>> {
        let mut samples = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.to_string_lossy().into_owned();
            if name.ends_with(".expected.json") || name.ends_with(".md") {
                continue;
            }
            let expectation = format!("{name}.expected.json");
            let told = |error: &dyn std::error::Error| io::Error::other(format!("{expectation}: {error}"));
            let expected = std::fs::read(&expectation).map_err(|error| told(&error))?;
            let expected = serde_json::from_slice(&expected).map_err(|error| told(&error))?;
            samples.push(Self { bytes: std::fs::read(&path)?, path, expected });
        }
        samples.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(samples)
    }

    /// The name to upload under.
    #[must_use]
    pub fn name(&self) -> String {
        let own = || self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.expected.file_name.clone().unwrap_or_else(own)
    }

    /// The `Content-Type` to send.
    #[must_use]
    pub fn content_type(&self) -> &str {
        let ndjson = self.path.to_string_lossy().contains(".ndjson");
        let by_ending = if ndjson { "application/x-ndjson" } else { "application/json" };
        self.expected.content_type.as_deref().unwrap_or(by_ending)
    }
}
