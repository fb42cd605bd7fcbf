//! Why records or a whole upload do not count: gathered record by record, within a fixed amount of memory.

mod fingerprints;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::intake::failure::{Failure, FailureCode};
use crate::intake::fingerprint::Fingerprint;
use fingerprints::FingerprintCounter;

/// The most rejected records that a report tells one by one.
pub const MAX_RECORDS_TOLD: usize = 1_000;
/// The most failures that a report tells one by one, over all its records.
const MAX_FAILURES_TOLD: usize = 5_000;
/// The most groups that are counted apart.
const MAX_GROUPS: usize = 1_000;
/// The most bytes of a record that is kept as text: escaping may take six times as many.
const MAX_TEXT_BYTES: usize = 1 << 20;
/// The most groups that a report tells.
pub const MAX_GROUPS_TOLD: usize = 100;
/// The most groups that the upload's history and the notice tell.
pub const MAX_GROUPS_IN_HISTORY: usize = 10;

/// One rejected record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RejectedRecord {
    /// Its place among the upload's records, from 0.
    pub index: u64,
    /// The line it begins on, from 1.
    pub line: u64,
    /// The byte it begins at, from 0, after decompression.
    pub byte_offset: u64,
    /// Its length in bytes.
    pub byte_length: u64,
    /// The schema that the record or the upload asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_requested: Option<String>,
    /// The schema that was applied, if one was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema_applied: Option<String>,
    /// What is wrong with it; lines and byte offsets are those of the whole upload.
    pub failures: Vec<Failure>,
    /// How many further failures it has.
    pub failures_omitted: u64,
}

impl RejectedRecord {
    /// Writes the record as a line of the quarantined NDJSON: where it lay, what is wrong with it, and the record
    /// itself, as `record` when it is JSON that other parsers take too, else as `text`. A record that was too large to
    /// hold, or whose text has over a mebibyte, has neither; the upload in the process bucket still has it.
    pub fn write_line(&self, bytes: Option<&[u8]>, line: &mut Vec<u8>) {
        let head = Head {
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
                // A line feed in JSON stands between tokens only: a blank serves as well.
                line.extend(bytes.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
            } else if bytes.len() <= MAX_TEXT_BYTES {
                line.extend_from_slice(b",\"text\":");
                line.extend(serde_json::to_vec(&String::from_utf8_lossy(bytes)).unwrap_or_default());
            }
        }
        line.extend_from_slice(b"}\n");
    }
}

/// What a line of the quarantined NDJSON begins with.
#[derive(Serialize)]
struct Head<'a> {
    index: u64,
    line: u64,
    byte_offset: u64,
    byte_length: u64,
    schema_requested: Option<&'a str>,
    schema_applied: Option<&'a str>,
    failures: &'a [Failure],
    failures_omitted: u64,
}

/// Whether a record with this failure is JSON all the same, such as any parser takes.
fn is_portable(code: FailureCode) -> bool {
    !matches!(
        code,
        FailureCode::NotJson
            | FailureCode::Truncated
            | FailureCode::NotUtf8
            | FailureCode::ByteOrderMark
            | FailureCode::TooDeep
            | FailureCode::NumberOutOfRange
            | FailureCode::LoneSurrogate
            | FailureCode::RecordTooLarge
    )
}

/// Failures of one kind at one place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailureGroup {
    /// The code.
    pub code: FailureCode,
    /// The JSON Pointer to the failing value, array indexes as `*`.
    pub pointer: String,
    /// The schema that was applied, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// How often it was seen.
    pub count: u64,
    /// The index of the first record that has it; none when it concerns the upload as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_record: Option<u64>,
    /// The first one seen.
    pub first: Failure,
}

/// What an upload's history and its notice keep of the failures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rejection {
    /// How many records do not count. 0 when the upload failed as a whole before any record was seen.
    pub rejected: u64,
    /// What is wrong with the upload as a whole, if that is why nothing counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_failure: Option<Failure>,
    /// The largest groups of failures, at most 10.
    pub groups: Vec<FailureGroup>,
    /// How many groups there are beyond those.
    pub groups_omitted: u64,
    /// The groups of the owner that it belongs to: one for each kind of upload in it.
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

    /// The failure to name first: the upload's own, else that of the largest group.
    #[must_use]
    pub fn primary_failure(&self) -> Option<&Failure> {
        self.upload_failure.as_ref().or_else(|| self.groups.first().map(|group| &group.first))
    }
}

/// Gathers failures. Whatever comes, it keeps at most 1,000 groups and 5,000 failures.
#[derive(Debug, Default)]
pub struct Rejections {
    /// The schema of records that name none.
    schema: Option<String>,
    rejected: u64,
    upload_failure: Option<Failure>,
    groups: BTreeMap<(FailureCode, String, Option<String>), FailureGroup>,
    groups_omitted: u64,
    prints: FingerprintCounter,
    records: Vec<RejectedRecord>,
    failures_told: usize,
}

impl From<&Rejection> for Rejections {
    /// What is known of the failures when the records cannot be read any more.
    fn from(rejection: &Rejection) -> Self {
        let key = |group: &FailureGroup| (group.code, group.pointer.clone(), group.schema.clone());
        Self {
            rejected: rejection.rejected,
            upload_failure: rejection.upload_failure.clone(),
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

    /// Takes a rejected record in.
    pub fn add(&mut self, record: RejectedRecord) {
        self.rejected += 1;
        self.prints.add_record(record.schema_applied.as_deref());
        for failure in &record.failures {
            self.group(failure, record.schema_applied.as_deref(), Some(record.index));
        }
        if self.records.len() < MAX_RECORDS_TOLD && self.failures_told + record.failures.len() <= MAX_FAILURES_TOLD {
            self.failures_told += record.failures.len();
            self.records.push(record);
        }
    }

    /// Says that the upload as a whole is wrong. The first such word stands.
    pub fn fail_upload(&mut self, failure: Failure) {
        if self.upload_failure.is_none() {
            self.group(&failure, None, None);
            self.upload_failure = Some(failure);
        }
    }

    /// What is wrong with the upload as a whole.
    #[must_use]
    pub fn upload_failure(&self) -> Option<&Failure> {
        self.upload_failure.as_ref()
    }

    /// How many records were rejected.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.rejected
    }

    /// The records told one by one, in their order.
    #[must_use]
    pub fn records(&self) -> &[RejectedRecord] {
        &self.records
    }

    /// The largest groups, at most `most`, and how many there are beyond those.
    #[must_use]
    pub fn largest_groups(&self, most: usize) -> (Vec<FailureGroup>, u64) {
        let mut groups: Vec<&FailureGroup> = self.groups.values().collect();
        groups.sort_by_key(|group| (group.first_record.is_some(), std::cmp::Reverse(group.count), group.first_record));
        let beyond = groups.len().saturating_sub(most) as u64 + self.groups_omitted;
        (groups.into_iter().take(most).cloned().collect(), beyond)
    }

    /// What the history keeps.
    #[must_use]
    pub fn summary(&self) -> Rejection {
        let (groups, groups_omitted) = self.largest_groups(MAX_GROUPS_IN_HISTORY);
        Rejection {
            rejected: self.rejected,
            upload_failure: self.upload_failure.clone(),
            groups,
            groups_omitted,
            fingerprints: self.prints.fingerprints(self.schema.as_deref(), self.upload_failure.as_ref()),
        }
    }

    fn group(&mut self, failure: &Failure, schema: Option<&str>, record: Option<u64>) {
        let key = (failure.code, pattern(&failure.pointer), schema.map(str::to_owned));
        self.prints.add(failure, &key.1, schema);
        if let Some(group) = self.groups.get_mut(&key) {
            group.count += 1;
        } else if self.groups.len() < MAX_GROUPS {
            let (code, pointer, schema) = key.clone();
            let group = FailureGroup { code, pointer, schema, count: 1, first_record: record, first: failure.clone() };
            self.groups.insert(key, group);
        } else {
            self.groups_omitted += 1; // an upper bound: a group that was not kept is not recognised again
        }
    }
}

/// A JSON Pointer with its array indexes as `*`, so that like failures of many records are one group.
#[must_use]
pub fn pattern(pointer: &str) -> String {
    let is_index = |token: &str| !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
    let mut pattern = String::with_capacity(pointer.len());
    for (place, token) in pointer.split('/').enumerate() {
        if place > 0 {
            pattern.push('/');
        }
        pattern.push_str(if is_index(token) { "*" } else { token });
    }
    pattern
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
    fn like_failures_are_one_group_and_the_largest_comes_first() {
        let mut rejections = Rejections::default();
        rejections.add(record(0, vec![failure(FailureCode::Required, "")]));
        rejections.add(record(
            1,
            vec![failure(FailureCode::Type, "/readings/0/value"), failure(FailureCode::Type, "/readings/7/value")],
        ));
        let summary = rejections.summary();
        assert_eq!(summary.rejected, 2);
        let told: Vec<_> = summary.groups.iter().map(|g| (g.pointer.as_str(), g.count, g.first_record)).collect();
        assert_eq!(told, [("/readings/*/value", 2, Some(1)), ("", 1, Some(0))]);
    }

    #[test]
    fn the_upload_s_own_failure_comes_first_and_the_first_one_stands() {
        let mut rejections = Rejections::default();
        rejections.add(record(0, vec![failure(FailureCode::Type, "/value"), failure(FailureCode::Type, "/value")]));
        rejections.fail_upload(failure(FailureCode::Truncated, ""));
        rejections.fail_upload(failure(FailureCode::NotJson, ""));
        assert_eq!(rejections.summary().primary_failure().map(|f| f.code), Some(FailureCode::Truncated));
        assert_eq!(rejections.summary().groups[0].code, FailureCode::Truncated);
    }

    #[test]
    fn memory_is_bounded_and_the_counts_stay_true() {
        let mut rejections = Rejections::default();
        for index in 0..20_000 {
            rejections.add(record(index, vec![failure(FailureCode::AdditionalProperties, &format!("/m{index}x"))]));
        }
        assert_eq!(rejections.rejected(), 20_000);
        assert_eq!(rejections.records().len(), MAX_RECORDS_TOLD);
        let (groups, omitted) = rejections.largest_groups(MAX_GROUPS_TOLD);
        assert_eq!((groups.len() as u64, groups.len() as u64 + omitted), (100, 20_000));
    }

    #[test]
    fn indexes_become_stars() {
        for (pointer, expected) in [("", ""), ("/a/0/b/12", "/a/*/b/*"), ("/a1/b", "/a1/b"), ("/", "/"), ("/0", "/*")] {
            assert_eq!(pattern(pointer), expected);
        }
    }
}
