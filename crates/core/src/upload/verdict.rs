//! The verdict on the contents of an upload, as `POST /validate` and `eventpulse validate` return it.
//!
//! These types are the wire format of both. The histories of uploads and the reports in quarantine have their own.

use std::collections::BTreeMap;

use serde::Serialize;

use super::decision::Decision;
use crate::intake::failure::{Failure, FailureCode};
use crate::intake::inspection::Inspection;
use crate::intake::position::ReadUntil;
use crate::intake::rejection::{FailureGroup, MAX_GROUPS_IN_HISTORY, RejectedRecord};
use crate::statistics::series_statistics::SeriesStatistics;
use crate::statistics::summary::{Unavailable, unavailable};
use crate::time::Timestamp;

/// The maximum number of rejected records that a verdict lists.
pub const MAX_RECORDS: usize = 100;

/// The state that an upload of the same contents would reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every record is valid.
    Accepted,
    /// Some records are valid.
    PartiallyAccepted,
    /// No record is valid, or the upload is rejected as a whole.
    Quarantined,
}

/// The result of a validation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The state that an upload of the same contents would reach.
    pub outcome: Outcome,
    /// The number of records that would be accepted.
    pub accepted: u64,
    /// The number of records that would be rejected.
    pub rejected: u64,
    /// The last record that was read; `None` if the input was read to its end, or to the position of its failure.
    pub read_until: Option<ReadUntil>,
    /// The statistics of each series, the series with the most values first, at most 100.
    pub statistics: Vec<AcceptedSeries>,
    /// The number of further series.
    pub statistics_omitted: u64,
    /// The failures, grouped by code, position and schema, the largest groups first, at most 10.
    pub failures: Vec<FailureSummary>,
    /// The number of further groups of failures.
    pub failures_omitted: u64,
    /// The rejected records in the order of the input, at most [`MAX_RECORDS`].
    pub records: Vec<RecordVerdict>,
    /// The number of further rejected records.
    pub records_omitted: u64,
}

/// The statistics of the values that one upload contributes to one series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AcceptedSeries {
    /// The device, or whatever else the series belongs to.
    pub device_id: String,
    /// The measured quantity.
    pub measure: String,
    /// The number of values.
    pub count: u64,
    /// The sum; `None` if it exceeds the largest double.
    pub sum: Option<f64>,
    /// The arithmetic mean.
    pub mean: f64,
    /// The median; `None` if it is not computed, because the upload or one of its corrections is large.
    pub median: Option<f64>,
    /// The sample variance (n - 1); `None` for a single value, and if it exceeds the largest double.
    pub variance: Option<f64>,
    /// The sample standard deviation (n - 1); `None` for a single value, and if it exceeds the largest double.
    pub standard_deviation: Option<f64>,
    /// The smallest value.
    pub min: f64,
    /// The largest value.
    pub max: f64,
    /// The time of the earliest value.
    pub first: Timestamp,
    /// The time of the latest value.
    pub last: Timestamp,
    /// The reason for each number that is `None`, by its name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unavailable: BTreeMap<&'static str, Unavailable>,
}

/// A group of failures with the same code, pointer and schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailureSummary {
    /// The code of the failures.
    pub code: FailureCode,
    /// JSON Pointer to the invalid value, with `*` for array indexes; empty for the record itself.
    pub pointer: String,
    /// The schema that was applied, if any.
    pub schema: Option<String>,
    /// The number of failures in the group.
    pub count: u64,
    /// The index of the first record with this failure, from 0; `None` when the upload fails as a whole.
    pub first_record: Option<u64>,
    /// The line of the first failure, from 1, if known.
    pub line: Option<u64>,
    /// The byte offset of the first failure, from 0, after decompression, if known.
    pub byte_offset: Option<u64>,
    /// The message of the first failure. It contains no values of the payload.
    pub message: String,
}

/// A rejected record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordVerdict {
    /// The index of the record, from 0.
    pub index: u64,
    /// The line on which the record begins, from 1.
    pub line: u64,
    /// The byte offset at which the record begins, from 0, after decompression.
    pub byte_offset: u64,
    /// The schema that the record, or the request, names.
    pub schema_requested: Option<String>,
    /// The schema that was applied, if any.
    pub schema_applied: Option<String>,
    /// The failures of the record, at most 100.
    pub failures: Vec<RecordFailure>,
    /// The number of further failures of the record.
    pub failures_omitted: u64,
}

/// One failure of a rejected record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordFailure {
    /// The code of the failure.
    pub code: FailureCode,
    /// The schema keyword that failed, if any.
    pub keyword: Option<String>,
    /// JSON Pointer to the invalid value within the record.
    pub pointer: String,
    /// JSON Pointer to the keyword within the schema, if any.
    pub schema_pointer: Option<String>,
    /// A description of the failure. It contains no values of the payload.
    pub message: String,
    /// The line of the value, from 1, if known.
    pub line: Option<u64>,
    /// The byte offset of the value, from 0, after decompression, if known.
    pub byte_offset: Option<u64>,
}

impl Verdict {
    /// Returns the verdict of an inspection.
    #[must_use]
    pub fn new(inspection: &Inspection) -> Self {
        let rejections = &inspection.rejections;
        let (groups, failures_omitted) = rejections.largest_groups(MAX_GROUPS_IN_HISTORY);
        let (outcome, accepted, series) = match Decision::of(inspection) {
            Decision::Accepted { rejection, accepted, series, .. } => {
                let outcome = if rejection.is_none() { Outcome::Accepted } else { Outcome::PartiallyAccepted };
                (outcome, accepted, series)
            }
            // An upload that fails as a whole contributes nothing, its valid records included.
            Decision::Rejected { .. } | Decision::Duplicate { .. } => (Outcome::Quarantined, 0, Box::default()),
        };
        let records: Vec<RecordVerdict> =
            rejections.records().iter().take(MAX_RECORDS).map(RecordVerdict::from).collect();
        Self {
            outcome,
            accepted,
            rejected: rejections.rejected(),
            read_until: rejections.read_until(),
            statistics_omitted: series.omitted(),
            statistics: series.listed.into_iter().map(AcceptedSeries::from).collect(),
            failures: groups.iter().map(FailureSummary::from).collect(),
            failures_omitted,
            records_omitted: rejections.rejected() - records.len() as u64,
            records,
        }
    }
}

impl From<SeriesStatistics> for AcceptedSeries {
    fn from(SeriesStatistics { entity, measure, summary, median }: SeriesStatistics) -> Self {
        let (sum, variance, standard_deviation) = (summary.sum(), summary.variance(), summary.standard_deviation());
        let numbers =
            [("sum", sum), ("median", median), ("variance", variance), ("standard_deviation", standard_deviation)];
        let count = summary.count();
        Self {
            device_id: entity,
            measure,
            count,
            sum,
            mean: summary.mean(),
            median,
            variance,
            standard_deviation,
            // A zero has no sign.
            min: summary.min() + 0.0,
            max: summary.max() + 0.0,
            first: summary.first(),
            last: summary.last(),
            unavailable: unavailable(count, &numbers),
        }
    }
}

impl From<&FailureGroup> for FailureSummary {
    fn from(group: &FailureGroup) -> Self {
        let FailureGroup { code, pointer, schema, count, first_record, first } = group.clone();
        let Failure { line, byte_offset, message, .. } = first;
        Self { code, pointer, schema, count, first_record, line, byte_offset, message }
    }
}

impl From<&RejectedRecord> for RecordVerdict {
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
        Self { code, keyword, pointer, schema_pointer, message, line, byte_offset }
    }
}
