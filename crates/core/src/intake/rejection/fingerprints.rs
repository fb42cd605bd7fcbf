//! The fingerprints of the failures of an upload.

use std::collections::BTreeMap;

use crate::intake::failure::Failure;
use crate::intake::fingerprint::{
    FailureAt, Fingerprint, MAX_FINGERPRINTS, MAX_LISTED_FAILURES, NO_SCHEMA, ProblemId, kind_of,
};

/// The maximum number of distinct failures that enter fingerprints, plus the first one of each schema.
const MAX_DISTINCT: usize = 1_000;

/// The failures of an upload, by applied schema.
#[derive(Debug, Default)]
pub(super) struct FingerprintCounter {
    /// The indexes in `schemas`.
    by_schema: BTreeMap<Option<String>, usize>,
    schemas: Vec<OfSchema>,
    /// The number of occurrences of each failure.
    counts: Vec<u64>,
}

#[derive(Debug, Default)]
struct OfSchema {
    /// The number of rejected records.
    records: u64,
    /// The indexes in `counts`.
    failures: BTreeMap<FailureAt, usize>,
}

/// The counters of a record: of its schema, and of each of its failures that is counted.
#[derive(Debug)]
pub(super) struct CountedFingerprint {
    schema: usize,
    failures: Vec<usize>,
}

impl FingerprintCounter {
    /// Counts a rejected record, whose failures are added next.
    pub(super) fn add_record(&mut self, schema: Option<&str>) -> CountedFingerprint {
        let counted = self.of(schema);
        if let Some(schema) = self.schemas.get_mut(counted.schema) {
            schema.records += 1;
        }
        counted
    }

    /// Returns the counters of the upload as a whole.
    pub(super) fn of_upload(&mut self) -> CountedFingerprint {
        self.of(None)
    }

    /// Adds a failure of the record with these counters.
    pub(super) fn add(&mut self, failure: &Failure, counted: &mut CountedFingerprint) {
        for failure in FailureAt::of(failure) {
            self.count(failure, counted);
        }
    }

    /// Counts a rejected record like an earlier one.
    pub(super) fn count_again(&mut self, counted: &CountedFingerprint) {
        if let Some(schema) = self.schemas.get_mut(counted.schema) {
            schema.records += 1;
        }
        for index in &counted.failures {
            if let Some(count) = self.counts.get_mut(*index) {
                *count += 1;
            }
        }
    }

    /// Returns the fingerprints, by kind. Failures without a schema count as failures of the `requested` one.
    pub(super) fn fingerprints(&self, requested: Option<&str>, upload_failure: Option<&Failure>) -> Vec<Fingerprint> {
        let requested = requested.unwrap_or(NO_SCHEMA);
        // The schema, the number of records, and the number of occurrences of each failure.
        type OfKind = (String, u64, Vec<(u64, FailureAt)>);
        let mut by_kind: BTreeMap<String, OfKind> = BTreeMap::new();
        for (schema, index) in &self.by_schema {
            let Some(OfSchema { records, failures }) = self.schemas.get(*index) else { continue };
            let schema = schema.as_deref().unwrap_or(requested);
            let (_, of_kind, all) =
                by_kind.entry(kind_of(schema)).or_insert_with(|| (schema.to_owned(), 0, Vec::new()));
            *of_kind += records;
            let count = |index: &usize| self.counts.get(*index).copied().unwrap_or_default();
            all.extend(failures.iter().map(|(failure, index)| (count(index), failure.clone())));
        }
        // The failure of the upload as a whole comes first.
        let of_upload = upload_failure.map(|failure| failure.code);
        let fingerprint = |(kind, (schema, records, mut failures)): (String, OfKind)| {
            failures.sort_by_key(|(count, at)| (Some(at.code) != of_upload, std::cmp::Reverse(*count)));
            let mut failures: Vec<FailureAt> = failures.into_iter().map(|(_, at)| at).collect();
            failures.dedup();
            let id = ProblemId::of(&kind, &failures);
            let failures_omitted = failures.len().saturating_sub(MAX_LISTED_FAILURES) as u64;
            failures.truncate(MAX_LISTED_FAILURES);
            Fingerprint { id, kind_of_upload: kind, schema, failures, failures_omitted, records }
        };
        let mut fingerprints: Vec<Fingerprint> =
            by_kind.into_iter().map(fingerprint).filter(|print| !print.failures.is_empty()).collect();
        if fingerprints.len() > MAX_FINGERPRINTS {
            fingerprints.sort_by_key(|print| std::cmp::Reverse(print.records));
            fingerprints.truncate(MAX_FINGERPRINTS);
        }
        fingerprints
    }

    fn of(&mut self, schema: Option<&str>) -> CountedFingerprint {
        let next = self.schemas.len();
        let schema = *self.by_schema.entry(schema.map(str::to_owned)).or_insert(next);
        if schema == next {
            self.schemas.push(OfSchema::default());
        }
        CountedFingerprint { schema, failures: Vec::new() }
    }

    fn count(&mut self, failure: FailureAt, counted: &mut CountedFingerprint) {
        let Self { schemas, counts, .. } = self;
        let Some(of_schema) = schemas.get_mut(counted.schema) else { return };
        let known = of_schema.failures.get(&failure).copied();
        let index = match known {
            None if counts.len() >= MAX_DISTINCT && !of_schema.failures.is_empty() => return,
            None => {
                of_schema.failures.insert(failure, counts.len());
                counts.push(0);
                counts.len() - 1
            }
            Some(index) => index,
        };
        if let Some(count) = counts.get_mut(index) {
            *count += 1;
        }
        counted.failures.push(index);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{failure, record};
    use super::super::{RejectedRecord, Rejections};
    use super::*;
    use crate::intake::failure::FailureCode;

    fn required(index: u64, pointer: &str, members: &[&str]) -> RejectedRecord {
        let targets = members.iter().map(|member| (*member).to_owned()).collect();
        record(index, vec![Failure { targets, ..failure(FailureCode::Required, pointer) }])
    }

    #[test]
    fn equal_failures_have_equal_fingerprints() {
        let print = |records: Vec<RejectedRecord>| {
            let mut rejections = Rejections::for_schema("reading/1.0".to_owned());
            records.into_iter().for_each(|record| rejections.add(record));
            rejections.summary().fingerprints
        };
        let types = |index, pointer: &str| record(index, vec![failure(FailureCode::Type, pointer)]);
        let two = print(vec![types(0, "/readings/3/value"), required(1, "", &["value"])]);
        let others =
            print(vec![required(4, "", &["value"]), types(5, "/readings/9/value"), types(6, "/readings/0/value")]);
        assert_eq!(two[0].id, others[0].id, "order, number and position do not matter");
        let failures: Vec<_> = others[0].failures.iter().map(|at| format!("{} {}", at.code, at.pointer)).collect();
        assert_eq!(failures, ["TYPE /readings/*/value", "REQUIRED /value"]);
        assert_eq!(
            (others[0].kind_of_upload.as_str(), others[0].schema.as_str(), others[0].records),
            ("reading/1", "reading/1.0", 3)
        );
        for other in [
            print(vec![types(0, "/readings/3/value")]),
            print(vec![types(0, "/readings/3/value"), required(1, "", &["timestamp"])]),
            print(vec![types(0, "/readings/3/value"), required(1, "/readings/0", &["value"])]),
        ] {
            assert_ne!(other[0].id, two[0].id, "{other:?}");
        }
        // Another minor version is the same kind. A failure without a schema counts as one of the requested kind.
        let mut newer =
            record(0, vec![failure(FailureCode::Type, "/readings/1/value"), failure(FailureCode::Required, "/x")]);
        newer.schema_applied = Some("reading/1.7".to_owned());
        assert_eq!(print(vec![newer])[0].kind_of_upload, "reading/1");
        let mut none = record(0, vec![failure(FailureCode::NotJson, "")]);
        none.schema_applied = None;
        let mixed = print(vec![none, types(1, "/value")]);
        assert_eq!((mixed.len(), mixed[0].records, mixed[0].failures.len()), (1, 2, 2));
    }

    #[test]
    fn many_failures_of_one_kind_do_not_hide_others() {
        let mut rejections = Rejections::default();
        for index in 0..5_000 {
            rejections.add(record(index, vec![failure(FailureCode::Type, &format!("/m{index}x"))]));
        }
        for kind in 0..30 {
            let schema_applied = Some(format!("other/{kind}.0"));
            rejections
                .add(RejectedRecord { schema_applied, ..record(5_000, vec![failure(FailureCode::Type, "/value")]) });
        }
        let prints = rejections.summary().fingerprints;
        assert_eq!((prints.len(), prints[0].kind_of_upload.as_str(), prints[0].records), (20, "reading/1", 5_000));
        assert_eq!(prints[0].failures.len() as u64 + prints[0].failures_omitted, 1_000);
        assert!(prints[1].kind_of_upload.starts_with("other/"));
    }
}
