//! The verdict on a file, in the members and words of the answer of `POST /validate`.

use eventpulse_core::intake::failure::Failure;
use eventpulse_core::intake::inspection::Inspection;
use eventpulse_core::intake::rejection::{FailureGroup, MAX_GROUPS_IN_HISTORY, RejectedRecord};
use eventpulse_core::time::Timestamp;
use eventpulse_core::upload::{self, Decision};
use serde::Serialize;

/// How many rejected records are told one by one.
const MAX_RECORDS_TOLD: usize = 100;

/// What an upload would come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every record is good.
    Accepted,
    /// Some are.
    PartiallyAccepted,
    /// None is, or it is wrong as a whole.
    Quarantined,
}

/// What an upload of a file would come to, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The outcome.
    pub outcome: Outcome,
    /// How many records are good.
    pub accepted: u64,
    /// How many are not.
    pub rejected: u64,
    /// What each series would receive, the largest first, at most 100.
    pub features: Vec<SeriesStatistics>,
    /// How many series there are beyond those.
    pub features_omitted: u64,
    /// What is wrong, the largest groups first, at most 10.
    pub failures: Vec<Group>,
    /// How many groups there are beyond those.
    pub failures_omitted: u64,
    /// The rejected records in their order, at most 100.
    pub records: Vec<Record>,
    /// How many there are beyond those.
    pub records_omitted: u64,
}

/// The statistics of what a series would receive.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeriesStatistics {
    /// The device, or whatever is measured.
    pub device_id: String,
    /// Which of its quantities.
    pub measure: String,
    /// The number of values.
    pub count: u64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The median; none where it would have taken a second look at the values.
    pub median: Option<f64>,
    /// The standard deviation of the sample (n - 1); none of a single value.
    pub standard_deviation: Option<f64>,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// When the earliest value was measured.
    pub first: Timestamp,
    /// When the latest value was measured.
    pub last: Timestamp,
}

/// Failures of one kind at one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// What is wrong.
    pub code: &'static str,
    /// JSON Pointer to the failing value, array indexes as `*`; empty for the record itself.
    pub pointer: String,
    /// The schema that was applied, if one was.
    pub schema: Option<String>,
    /// How often it was seen.
    pub count: u64,
    /// The index of the first record that has it, from 0; none when it concerns the file as a whole.
    pub first_record: Option<u64>,
    /// The line of the first one, from 1, if it is known.
    pub line: Option<u64>,
    /// Its byte offset, from 0, after decompression.
    pub byte_offset: Option<u64>,
    /// What is wrong with the first one, without its values.
    pub message: String,
}

/// A rejected record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// Its place among the records, from 0.
    pub index: u64,
    /// The line it begins on, from 1.
    pub line: u64,
    /// The byte it begins at, from 0, after decompression.
    pub byte_offset: u64,
    /// The schema that it, or the caller, asks for.
    pub schema_requested: Option<String>,
    /// The schema that was applied.
    pub schema_applied: Option<String>,
    /// What is wrong with it, at most 100.
    pub failures: Vec<RecordFailure>,
    /// How many failures there are beyond those.
    pub failures_omitted: u64,
}

/// One thing that is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordFailure {
    /// What is wrong.
    pub code: &'static str,
    /// The schema's keyword that says so.
    pub keyword: Option<String>,
    /// JSON Pointer to the value within the record.
    pub pointer: String,
    /// JSON Pointer to the keyword within the schema.
    pub schema_pointer: Option<String>,
    /// For the person who must mend it, without values.
    pub message: String,
    /// The line of the value, from 1.
    pub line: Option<u64>,
    /// Its byte offset, from 0.
    pub byte_offset: Option<u64>,
}

impl Verdict {
    /// What an examination comes to.
    pub(super) fn of(inspection: &Inspection) -> Self {
        let rejections = &inspection.rejections;
        let (groups, failures_omitted) = rejections.largest_groups(MAX_GROUPS_IN_HISTORY);
        // Of a file that is wrong as a whole nothing counts, its good records included.
        let (outcome, accepted, (features, features_omitted)) = match upload::Decision::of(inspection) {
            Decision::Accepted { rejection, accepted, series, series_omitted, .. } => {
                let outcome = if rejection.is_none() { Outcome::Accepted } else { Outcome::PartiallyAccepted };
                (outcome, accepted, (series, series_omitted))
            }
            _ => (Outcome::Quarantined, 0, (Vec::new(), 0)),
        };
        let records: Vec<Record> = rejections.records().iter().take(MAX_RECORDS_TOLD).map(Record::from).collect();
        Self {
            outcome,
            accepted,
            rejected: rejections.rejected(),
            features: features.into_iter().map(SeriesStatistics::from).collect(),
            features_omitted,
            failures: groups.into_iter().map(Group::from).collect(),
            failures_omitted,
            records_omitted: rejections.rejected() - records.len() as u64,
            records,
        }
    }
}

impl From<upload::SeriesStatistics> for SeriesStatistics {
    fn from(features: upload::SeriesStatistics) -> Self {
        let upload::SeriesStatistics {
            entity,
            measure,
            count,
            mean,
            median,
            standard_deviation,
            min,
            max,
            first,
            last,
        } = features;
        Self { device_id: entity, measure, count, mean, median, standard_deviation, min, max, first, last }
    }
}

impl From<FailureGroup> for Group {
    fn from(group: FailureGroup) -> Self {
        let FailureGroup { code, pointer, schema, count, first_record, first } = group;
        let Failure { line, byte_offset, message, .. } = first;
        Self { code: code.as_str(), pointer, schema, count, first_record, line, byte_offset, message }
    }
}

impl From<&RejectedRecord> for Record {
    fn from(record: &RejectedRecord) -> Self {
        Self {
            index: record.index,
            line: record.line,
            byte_offset: record.byte_offset,
            schema_requested: record.schema_requested.clone(),
            schema_applied: record.schema_applied.clone(),
            failures: record.failures.iter().map(RecordFailure::from).collect(),
            failures_omitted: record.failures_omitted,
        }
    }
}

impl From<&Failure> for RecordFailure {
    fn from(failure: &Failure) -> Self {
        let Failure { code, keyword, pointer, schema_pointer, message, line, byte_offset, .. } = failure.clone();
        Self { code: code.as_str(), keyword, pointer, schema_pointer, message, line, byte_offset }
    }
}
