//! Rejections: the failures of records and of whole uploads, collected record by record in bounded memory.

mod fingerprints;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::intake::failure::{Failure, FailureCode};
use crate::intake::fingerprint::{Fingerprint, pattern};
use crate::intake::position::ReadUntil;
use fingerprints::FingerprintCounter;

/// The maximum number of rejected records that a report lists.
pub const MAX_REPORTED_RECORDS: usize = 1_000;
/// The maximum number of failures that a report lists, in all its records.
const MAX_REPORTED_FAILURES: usize = 5_000;
/// The maximum number of groups that are counted.
const MAX_GROUPS: usize = 1_000;
/// The maximum size of a record that is kept as text, in bytes. Escaping may take six times as many.
const MAX_TEXT_BYTES: usize = 1 << 20;
/// The maximum number of groups that a report lists.
pub const MAX_REPORTED_GROUPS: usize = 100;
/// The maximum number of groups in the history of an upload and in a notice.
pub const MAX_GROUPS_IN_HISTORY: usize = 10;

/// One rejected record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RejectedRecord {
    /// The index of the record in the upload, from 0.
    pub index: u64,
    /// The line of its first byte, from 1.
    pub line: u64,
    /// The offset of its first byte in the upload, from 0, after decompression.
    pub byte_offset: u64,
    /// Its length in bytes.
    pub byte_length: u64,
    /// The schema that the record or the upload requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_requested: Option<String>,
    /// The applied schema, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_applied: Option<String>,
    /// The failures, with positions in the upload.
    pub failures: Vec<Failure>,
    /// The number of further failures.
    pub failures_omitted: u64,
}

impl RejectedRecord {
    /// Appends the record to the quarantined NDJSON as a line: its position, its failures and its bytes, as `record` if they are
    /// JSON that other parsers accept, else as `text`. A record that is too large, or whose text exceeds a mebibyte, has neither;
    /// the upload in the process bucket still has it.
    pub fn write_line(&self, bytes: Option<&[u8]>, line: &mut Vec<u8>) {
        let head = LineHead {
            index: self.index,
            line: self.line,
            byte_offset: self.byte_offset,
            byte_length: self.byte_length,
            schema_requested: self.schema_requested.as_deref(),
            schema_applied: self.schema_applied.as_deref(),
            failures: &self.failures,
            failures_omitted: self.failures_omitted,
        };
        let start = line.len();
        if serde_json::to_writer(&mut *line, &head).is_err() {
            line.truncate(start);
            return;
        }
        line.pop(); // the closing brace
        if let Some(bytes) = bytes {
            if self.failures.iter().all(|failure| is_portable(failure.code)) {
                line.extend_from_slice(b",\"record\":");
                // In valid JSON a line feed occurs only between tokens, where a space is equivalent.
                line.extend(bytes.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
            } else if bytes.len() <= MAX_TEXT_BYTES {
                line.extend_from_slice(b",\"text\":");
                line.extend(serde_json::to_vec(&String::from_utf8_lossy(bytes)).unwrap_or_default());
            }
        }
        line.extend_from_slice(b"}\n");
    }
}

/// The first members of a line of the quarantined NDJSON.
#[derive(Serialize)]
struct LineHead<'a> {
    index: u64,
    line: u64,
    byte_offset: u64,
    byte_length: u64,
    schema_requested: Option<&'a str>,
    schema_applied: Option<&'a str>,
    failures: &'a [Failure],
    failures_omitted: u64,
}

/// Returns whether a record with this failure is JSON that any parser accepts. Parsing ends at a repeated name.
fn is_portable(code: FailureCode) -> bool {
    !matches!(
        code,
        FailureCode::NotJson
            | FailureCode::Truncated
            | FailureCode::NotUtf8
            | FailureCode::ByteOrderMark
            | FailureCode::TooDeep
            | FailureCode::DuplicateMember
            | FailureCode::NumberOutOfRange
            | FailureCode::LoneSurrogate
            | FailureCode::RecordTooLarge
    )
}

/// The failures with one code, JSON Pointer and schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailureGroup {
    /// The code.
    pub code: FailureCode,
    /// The JSON Pointer to the failing value, with array indexes as `*`.
    pub pointer: String,
    /// The applied schema, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The number of failures.
    pub count: u64,
    /// The index of the first record with such a failure; none if the failure concerns the upload as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_record: Option<u64>,
    /// The first failure.
    pub first: Failure,
}

/// The summary of the failures of an upload, for its history and its notices.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rejection {
    /// The number of rejected records; 0 if the upload failed as a whole before the first record.
    pub rejected: u64,
    /// The failure of the upload as a whole, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_failure: Option<Failure>,
    /// The groups of failures, largest first, at most 10.
    pub groups: Vec<FailureGroup>,
    /// The number of further groups.
    pub groups_omitted: u64,
    /// The last record that was read; none if the upload was read to its end, or to the position of its failure. Further
    /// records may be wrong as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_until: Option<ReadUntil>,
    /// The fingerprints, one for each kind of records in the upload.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fingerprints: Vec<Fingerprint>,
}

impl Rejection {
    /// Returns the rejection of a whole upload for one reason. `schema`: see [`Rejections::for_schema`].
    #[must_use]
    pub fn of_upload(failure: Failure, schema: &str) -> Self {
        let mut rejections = Rejections::for_schema(schema.to_owned());
        rejections.fail_upload(failure);
        rejections.summary()
    }

    /// Returns the primary failure: that of the upload, else that of the largest group.
    #[must_use]
    pub fn primary_failure(&self) -> Option<&Failure> {
        self.upload_failure.as_ref().or_else(|| self.groups.first().map(|group| &group.first))
    }
}

/// Collects failures; at most 1,000 groups and 5,000 failures.
#[derive(Debug, Default)]
pub struct Rejections {
    /// The schema of records that name none.
    schema: Option<String>,
    rejected: u64,
    upload_failure: Option<Failure>,
    read_until: Option<ReadUntil>,
    groups: BTreeMap<(FailureCode, String, Option<String>), FailureGroup>,
    groups_omitted: u64,
    fingerprints: FingerprintCounter,
    records: Vec<RejectedRecord>,
    failures_listed: usize,
}

impl From<&Rejection> for Rejections {
    /// Returns the failures that a summary contains, for an upload whose records cannot be read any more.
    fn from(rejection: &Rejection) -> Self {
        let key = |group: &FailureGroup| (group.code, group.pointer.clone(), group.schema.clone());
        Self {
            rejected: rejection.rejected,
            upload_failure: rejection.upload_failure.clone(),
            read_until: rejection.read_until,
            groups: rejection.groups.iter().map(|group| (key(group), group.clone())).collect(),
            groups_omitted: rejection.groups_omitted,
            ..Self::default()
        }
    }
}

impl Rejections {
    /// Returns the empty rejections of an upload with this schema, such as `orders/1.0`, for records that name none. Records
    /// that cannot be parsed count as records of that schema.
    #[must_use]
    pub fn for_schema(schema: String) -> Self {
        Self { schema: Some(schema), ..Self::default() }
    }

    /// Adds a rejected record.
    pub fn add(&mut self, record: RejectedRecord) {
        self.rejected += 1;
        self.fingerprints.add_record(record.schema_applied.as_deref());
        for failure in &record.failures {
            self.group(failure, record.schema_applied.as_deref(), Some(record.index));
        }
        if self.records.len() < MAX_REPORTED_RECORDS
            && self.failures_listed + record.failures.len() <= MAX_REPORTED_FAILURES
        {
            self.failures_listed += record.failures.len();
            self.records.push(record);
        }
    }

    /// Records the failure of the upload as a whole. Only the first one counts.
    pub fn fail_upload(&mut self, failure: Failure) {
        if self.upload_failure.is_none() {
            self.group(&failure, None, None);
            self.upload_failure = Some(failure);
        }
    }

    /// Records that the upload was not read beyond this record.
    pub fn stop_reading(&mut self, read_until: Option<ReadUntil>) {
        self.read_until = read_until;
    }

    /// Returns the last record that was read, if the records after it were not.
    #[must_use]
    pub fn read_until(&self) -> Option<ReadUntil> {
        self.read_until
    }

    /// Returns whether a rejected record had no room in the report.
    #[must_use]
    pub fn is_report_full(&self) -> bool {
        self.rejected > self.records.len() as u64
    }

    /// Returns the failure of the upload as a whole.
    #[must_use]
    pub fn upload_failure(&self) -> Option<&Failure> {
        self.upload_failure.as_ref()
    }

    /// Returns the number of rejected records.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejected
    }

    /// Returns the rejected records that a report lists, in the order of the upload.
    #[must_use]
    pub fn records(&self) -> &[RejectedRecord] {
        &self.records
    }

    /// Returns the largest groups, at most `most`, and the number of further ones.
    #[must_use]
    pub fn largest_groups(&self, most: usize) -> (Vec<FailureGroup>, u64) {
        let mut groups: Vec<&FailureGroup> = self.groups.values().collect();
        groups.sort_by_key(|group| (group.first_record.is_some(), std::cmp::Reverse(group.count), group.first_record));
        let beyond = groups.len().saturating_sub(most) as u64 + self.groups_omitted;
        (groups.into_iter().take(most).cloned().collect(), beyond)
    }

    /// Returns the summary for the history.
    #[must_use]
    pub fn summary(&self) -> Rejection {
        let (groups, groups_omitted) = self.largest_groups(MAX_GROUPS_IN_HISTORY);
        Rejection {
            rejected: self.rejected,
            upload_failure: self.upload_failure.clone(),
            groups,
            groups_omitted,
            read_until: self.read_until,
            fingerprints: self.fingerprints.fingerprints(self.schema.as_deref(), self.upload_failure.as_ref()),
        }
    }

    fn group(&mut self, failure: &Failure, schema: Option<&str>, record: Option<u64>) {
        let key = (failure.code, pattern(&failure.pointer), schema.map(str::to_owned));
        self.fingerprints.add(failure, schema);
        if let Some(group) = self.groups.get_mut(&key) {
            group.count += 1;
        } else if self.groups.len() < MAX_GROUPS {
            let (code, pointer, schema) = key.clone();
            let group = FailureGroup { code, pointer, schema, count: 1, first_record: record, first: failure.clone() };
            self.groups.insert(key, group);
        } else {
            self.groups_omitted += 1; // an upper bound: later failures of a group that is not kept count again
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn failure(code: FailureCode, pointer: &str) -> Failure {
        Failure::new(code, pointer, "why")
    }

    pub(super) fn record(index: u64, failures: Vec<Failure>) -> RejectedRecord {
        RejectedRecord {
            index,
            line: index + 1,
            byte_offset: index * 10,
            byte_length: 9,
            schema_requested: None,
            schema_applied: Some("reading/1.0".to_owned()),
            failures,
            failures_omitted: 0,
        }
    }

    #[test]
    fn equal_failures_form_one_group_and_the_largest_is_first() {
        let mut rejections = Rejections::default();
        rejections.add(record(0, vec![failure(FailureCode::Required, "")]));
        rejections.add(record(
            1,
            vec![failure(FailureCode::Type, "/readings/0/value"), failure(FailureCode::Type, "/readings/7/value")],
        ));
        let summary = rejections.summary();
        assert_eq!(summary.rejected, 2);
        let groups: Vec<_> = summary.groups.iter().map(|g| (g.pointer.as_str(), g.count, g.first_record)).collect();
        assert_eq!(groups, [("/readings/*/value", 2, Some(1)), ("", 1, Some(0))]);
    }

    #[test]
    fn the_first_failure_of_the_upload_is_primary() {
        let mut rejections = Rejections::default();
        rejections.add(record(0, vec![failure(FailureCode::Type, "/value"), failure(FailureCode::Type, "/value")]));
        rejections.fail_upload(failure(FailureCode::Truncated, ""));
        rejections.fail_upload(failure(FailureCode::NotJson, ""));
        assert_eq!(rejections.summary().primary_failure().map(|f| f.code), Some(FailureCode::Truncated));
        assert_eq!(rejections.summary().groups[0].code, FailureCode::Truncated);
    }

    #[test]
    fn memory_is_bounded_and_counts_are_exact() {
        let mut rejections = Rejections::default();
        for index in 0..20_000 {
            rejections.add(record(index, vec![failure(FailureCode::AdditionalProperties, &format!("/m{index}x"))]));
        }
        assert_eq!(rejections.rejected(), 20_000);
        assert_eq!(rejections.records().len(), MAX_REPORTED_RECORDS);
        let (groups, omitted) = rejections.largest_groups(MAX_REPORTED_GROUPS);
        assert_eq!((groups.len() as u64, groups.len() as u64 + omitted), (100, 20_000));
    }
}
