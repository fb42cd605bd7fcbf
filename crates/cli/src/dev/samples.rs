//! The documents of `events/uploads/`, each with its expected result in `<file>.expected.json`.

use std::io;
use std::path::{Path, PathBuf};

use eventpulse_core::intake::inspection::MaxRejected;
use serde::Deserialize;

/// A document to upload.
#[derive(Debug)]
pub struct Sample {
    /// The file.
    pub path: PathBuf,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The expected result.
    pub expected: Expected,
}

/// The form of an upload and its expected result.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The purpose of the sample.
    #[serde(default)]
    pub about: String,
    /// `Content-Type`. `None`: chosen by the file name.
    pub content_type: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// The schema of the upload.
    pub schema: Option<String>,
    /// The number of rejected records up to which an upload is accepted partly.
    pub max_rejected: Option<MaxRejected>,
    /// The file name of the upload. `None`: the name of the file.
    pub file_name: Option<String>,
    /// `true` if an operator copies the file into the bucket; otherwise a client uses a presigned URL.
    #[serde(default)]
    pub dropped: bool,
    /// The outcome.
    pub outcome: String,
    /// The number of accepted records.
    #[serde(default)]
    pub accepted: u64,
    /// The number of rejected records.
    #[serde(default)]
    pub rejected: u64,
    /// The statistics of its points.
    #[serde(default)]
    pub statistics: Vec<ExpectedStatistics>,
    /// Failures that the report must contain, among others.
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
    /// The mean.
    pub mean: f64,
    /// The median.
    pub median: f64,
    /// The sample standard deviation. `None` for a single point.
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
    /// The code.
    pub code: String,
    /// The JSON Pointer.
    pub pointer: String,
    /// The line.
    pub line: Option<u64>,
    /// The byte offset.
    pub byte_offset: Option<u64>,
}

impl Sample {
    /// Reads all samples of a directory, in the order of their names.
    ///
    /// # Errors
    /// Returns an error if a file cannot be read, or its expectation file is missing or invalid.
    pub fn read_all(folder: &Path) -> io::Result<Vec<Self>> {
        let mut samples = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.to_string_lossy().into_owned();
            if name.ends_with(".expected.json") || name.ends_with(".md") {
                continue;
            }
            let expectation = format!("{name}.expected.json");
            let invalid = |error: &dyn std::error::Error| io::Error::other(format!("{expectation}: {error}"));
            let expected = std::fs::read(&expectation).map_err(|error| invalid(&error))?;
            let expected = serde_json::from_slice(&expected).map_err(|error| invalid(&error))?;
            samples.push(Self { bytes: std::fs::read(&path)?, path, expected });
        }
        samples.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(samples)
    }

    /// Returns the file name of the upload.
    #[must_use]
    pub fn name(&self) -> String {
        let own = || self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.expected.file_name.clone().unwrap_or_else(own)
    }

    /// Returns the `Content-Type` of the upload.
    #[must_use]
    pub fn content_type(&self) -> &str {
        let ndjson = self.path.to_string_lossy().contains(".ndjson");
        let by_ending = if ndjson { "application/x-ndjson" } else { "application/json" };
        self.expected.content_type.as_deref().unwrap_or(by_ending)
    }
}
