//! Rejections: the failures of records and of whole uploads, collected record by record in bounded memory.

mod fingerprints;
mod known_counts;
mod rejected_record;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::intake::failure::{Failure, FailureCode};
use crate::intake::fingerprint::{Fingerprint, pattern};
use crate::intake::position::ReadUntil;
use fingerprints::FingerprintCounter;
use known_counts::{Counted, KnownCounts};
pub use rejected_record::RejectedRecord;
pub(crate) use rejected_record::{is_portable, schema_members, write_end, write_place};

/// The maximum number of rejected records that a report lists.
pub const MAX_REPORTED_RECORDS: usize = 1_000;
/// The maximum number of failures that a report lists, in all its records.
const MAX_REPORTED_FAILURES: usize = 5_000;
/// The maximum number of groups that are counted.
const MAX_GROUPS: usize = 1_000;
/// The maximum number of groups that a report lists.
pub const MAX_REPORTED_GROUPS: usize = 100;
/// The maximum number of groups in the history of an upload and in a notice.
pub const MAX_GROUPS_IN_HISTORY: usize = 10;

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
    groups: Vec<FailureGroup>,
    /// The indexes of the groups.
    by_key: BTreeMap<(FailureCode, String, Option<String>), usize>,
    groups_omitted: u64,
    fingerprints: FingerprintCounter,
    known: KnownCounts,
    records: Vec<RejectedRecord>,
    failures_listed: usize,
}

impl From<&Rejection> for Rejections {
    /// Returns the failures that a summary contains, for an upload whose records cannot be read any more.
    fn from(rejection: &Rejection) -> Self {
        let key = |group: &FailureGroup| (group.code, group.pointer.clone(), group.schema.clone());
        let keys = rejection.groups.iter().enumerate().map(|(index, group)| (key(group), index));
        Self {
            rejected: rejection.rejected,
            upload_failure: rejection.upload_failure.clone(),
            read_until: rejection.read_until,
            groups: rejection.groups.clone(),
            by_key: keys.collect(),
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
        self.count(&record);
        self.list(record);
    }

    /// Adds a rejected record of a known kind: of each kind, the failures have the same codes, pointers and schema. Describes
    /// it only if it is the first one of its kind or the report has room for it.
    pub(crate) fn add_known(&mut self, kind: u64, failures: usize, describe: impl FnOnce() -> RejectedRecord) {
        if !self.has_room_for(failures)
            && let Some(counted) = self.known.of(kind)
        {
            self.rejected += 1;
            for group in &counted.groups {
                match group.and_then(|index| self.groups.get_mut(index)) {
                    Some(group) => group.count += 1,
                    None => self.groups_omitted += 1,
                }
            }
            self.fingerprints.count_again(&counted.fingerprint);
            return;
        }
        let record = describe();
        let counted = self.count(&record);
        self.known.remember(kind, counted);
        self.list(record);
    }

    fn count(&mut self, record: &RejectedRecord) -> Counted {
        self.rejected += 1;
        let schema = record.schema_applied.as_deref();
        let mut fingerprint = self.fingerprints.add_record(schema);
        let groups = record.failures.iter().map(|failure| {
            self.fingerprints.add(failure, &mut fingerprint);
            self.group(failure, schema, Some(record.index))
        });
        Counted { groups: groups.collect(), fingerprint }
    }

    fn has_room_for(&self, failures: usize) -> bool {
        self.records.len() < MAX_REPORTED_RECORDS && self.failures_listed + failures <= MAX_REPORTED_FAILURES
    }

    /// Puts the record into the report if that has room.
    fn list(&mut self, record: RejectedRecord) {
        if self.has_room_for(record.failures.len()) {
            self.failures_listed += record.failures.len();
            self.records.push(record);
        }
    }

    /// Records the failure of the upload as a whole. Only the first one counts.
    pub fn fail_upload(&mut self, failure: Failure) {
        if self.upload_failure.is_none() {
            let mut fingerprint = self.fingerprints.of_upload();
            self.fingerprints.add(&failure, &mut fingerprint);
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
        // By key, so that the order of equal groups does not depend on that of the records.
        let mut groups: Vec<&FailureGroup> = self.by_key.values().flat_map(|index| self.groups.get(*index)).collect();
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

    /// Counts a failure in its group. Returns the index of the group; none if there are too many groups.
    fn group(&mut self, failure: &Failure, schema: Option<&str>, record: Option<u64>) -> Option<usize> {
        let key = (failure.code, pattern(&failure.pointer), schema.map(str::to_owned));
        if let Some(&index) = self.by_key.get(&key) {
            self.groups.get_mut(index)?.count += 1;
            return Some(index);
        }
        if self.groups.len() >= MAX_GROUPS {
            self.groups_omitted += 1; // an upper bound: later failures of a group that is not kept count again
            return None;
        }
        let (code, pointer, schema) = key.clone();
        let group = FailureGroup { code, pointer, schema, count: 1, first_record: record, first: failure.clone() };
        self.by_key.insert(key, self.groups.len());
        self.groups.push(group);
        Some(self.groups.len() - 1)
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

    #[test]
    fn records_of_hundreds_of_kinds_in_turn_are_described_once() {
        let mut rejections = Rejections::default();
        (0..MAX_REPORTED_RECORDS as u64).for_each(|index| rejections.add(record(index, Vec::new())));
        let mut described = 0;
        for index in 0..3_000 {
            rejections.add_known(index % 300, 1, || {
                described += 1;
                record(index, vec![failure(FailureCode::Type, &format!("/m{}x", index % 300))])
            });
        }
        let (groups, _) = rejections.largest_groups(MAX_GROUPS);
        assert_eq!((described, groups.len(), groups[0].count), (300, 300, 10));
    }
}
