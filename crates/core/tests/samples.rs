//! Compares the result of every sample in `events/uploads/` with its expectation file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod support;

use std::collections::BTreeMap;
use std::fs;

use eventpulse_core::intake::failure::Failure;
use eventpulse_core::intake::rejection::Rejections;
use eventpulse_core::statistics::answer::{Answer, Pass};
use eventpulse_core::statistics::chunk::Chunk;
use eventpulse_core::statistics::series::Series;
use support::{Expected, ExpectedFailure, Sample, samples};

#[test]
fn samples_have_the_expected_results() {
    for sample in samples() {
        let inspection = support::inspect(&sample);
        let Sample { name, expected, .. } = &sample;
        let upload = support::upload(name, &inspection);
        let outcome = upload.state().as_str();
        let found: Vec<ExpectedFailure> = failures(&inspection.rejections).map(ExpectedFailure::of).collect();
        if expected.outcome == "duplicate" {
            // The core does not know earlier uploads; the store does.
            assert_eq!((outcome, found), ("accepted", Vec::new()), "{name}");
            continue;
        }
        assert_eq!(outcome, expected.outcome, "{name}");
        let counts = (upload.accepted(), upload.rejected());
        assert_eq!(counts, (expected.accepted, expected.rejected), "{name}");
        assert_eq!(found, expected.failures, "{name}: {:#?}", inspection.rejections);
        if outcome == "quarantined" {
            assert!(expected.statistics.is_empty(), "{name}: no record is accepted");
        } else {
            same_statistics(name, expected, &inspection.chunks.unwrap());
        }
    }
}

/// Returns the failure of the upload, then the failures of each record.
fn failures(rejections: &Rejections) -> impl Iterator<Item = &Failure> {
    let records = rejections.records().iter().flat_map(|record| &record.failures);
    rejections.upload_failure().into_iter().chain(records)
}

fn same_statistics(name: &str, expected: &Expected, chunks: &[Chunk]) {
    let mut series: BTreeMap<&Series, Vec<&Chunk>> = BTreeMap::new();
    for chunk in chunks {
        series.entry(chunk.series()).or_default().push(chunk);
    }
    let wanted: Vec<_> = expected.statistics.iter().map(|row| (row.entity.as_str(), row.measure.as_str())).collect();
    let found: Vec<_> = series.keys().map(|series| (series.entity.as_str(), series.measure.as_str())).collect();
    assert_eq!(found, wanted, "{name}");
    for (row, chunks) in expected.statistics.iter().zip(series.values()) {
        let mut answer = Answer::new(None, None);
        chunks.iter().for_each(|chunk| assert!(answer.add(chunk).is_ok()));
        let Pass::Complete(Some(found)) = answer.end_pass().unwrap() else { panic!("{name}: no statistics") };
        let label = format!("{name}: {} {}", row.entity, row.measure);
        assert_eq!(found.count, row.count, "{label}");
        assert_eq!(found.standard_deviation, row.standard_deviation, "{label}");
        let found = (found.mean, found.median, found.min, found.max);
        assert_eq!(found, (row.mean, row.median, row.min, row.max), "{label}");
    }
}

#[test]
fn duplicates_have_the_bytes_of_an_earlier_sample() {
    let samples = samples();
    for (at, duplicate) in samples.iter().enumerate().filter(|(_, sample)| sample.expected.outcome == "duplicate") {
        assert!(samples[..at].iter().any(|earlier| earlier.bytes == duplicate.bytes), "{}", duplicate.name);
    }
}

#[test]
fn each_sample_has_an_expectation_file_and_each_outcome_a_sample() {
    let names: Vec<String> = fs::read_dir(support::directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with(".md"))
        .collect();
    let samples = samples();
    assert_eq!(names.len(), 2 * samples.len(), "{names:?}");
    for sample in &samples {
        assert!(sample.expected.about.ends_with('.') && sample.expected.about.len() < 200, "{}", sample.name);
    }
    for outcome in ["accepted", "partially_accepted", "quarantined", "duplicate"] {
        assert!(samples.iter().any(|sample| sample.expected.outcome == outcome), "{outcome}");
    }
}
