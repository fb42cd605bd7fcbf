//! Every sample of `events/uploads/` ends as the file beside it says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

mod support;

use std::collections::BTreeMap;
use std::fs;

use eventpulse_core::intake::failure::Failure;
use eventpulse_core::intake::rejection::Rejections;
use eventpulse_core::statistics::answer::{Answer, Pass};
use eventpulse_core::statistics::chunk::Chunk;
use eventpulse_core::statistics::series::Series;
use support::{Expected, Place, Sample, samples};

#[test]
fn every_sample_ends_as_expected() {
    for sample in samples() {
        let inspection = support::examine(&sample);
        let Sample { name, expected, .. } = &sample;
        let upload = support::upload(name, &inspection);
        let outcome = upload.state().as_str();
        let places: Vec<Place> = failures(&inspection.rejections).map(Place::of).collect();
        if expected.outcome == "duplicate" {
            // Only the store knows that these bytes came before.
            assert_eq!((outcome, places), ("accepted", Vec::new()), "{name}");
            continue;
        }
        assert_eq!(outcome, expected.outcome, "{name}");
        let counts = (upload.accepted(), upload.rejected());
        assert_eq!(counts, (expected.accepted, expected.rejected), "{name}");
        assert_eq!(places, expected.failures, "{name}: {:#?}", inspection.rejections);
        if outcome == "quarantined" {
            assert!(expected.statistics.is_empty(), "{name}: nothing of it counts");
        } else {
            same_statistics(name, expected, &inspection.chunks.unwrap());
        }
    }
}

/// The upload's own failure, then those of each record.
fn failures(rejections: &Rejections) -> impl Iterator<Item = &Failure> {
    let records = rejections.records().iter().flat_map(|record| &record.failures);
    rejections.upload_failure().into_iter().chain(records)
}

fn same_statistics(name: &str, expected: &Expected, chunks: &[Chunk]) {
    let mut series: BTreeMap<&Series, Vec<&Chunk>> = BTreeMap::new();
    for chunk in chunks {
        series.entry(chunk.series()).or_default().push(chunk);
    }
    let told: Vec<_> = expected.statistics.iter().map(|row| (row.entity.as_str(), row.measure.as_str())).collect();
    let found: Vec<_> = series.keys().map(|series| (series.entity.as_str(), series.measure.as_str())).collect();
    assert_eq!(found, told, "{name}");
    for (row, chunks) in expected.statistics.iter().zip(series.values()) {
        let mut answer = Answer::new(None, None);
        chunks.iter().for_each(|chunk| assert!(answer.add(chunk).is_ok()));
        let Pass::Complete(Some(found)) = answer.end_pass().unwrap() else { panic!("{name}: no statistics") };
        let place = format!("{name}: {} {}", row.entity, row.measure);
        assert_eq!(found.count, row.count, "{place}");
        assert_eq!(found.standard_deviation.is_some(), row.standard_deviation.is_some(), "{place}");
        for (what, found, told) in [
            ("mean", found.mean, row.mean),
            ("median", found.median, row.median),
            ("standard deviation", found.standard_deviation.unwrap_or(0.0), row.standard_deviation.unwrap_or(0.0)),
            ("min", found.min, row.min),
            ("max", found.max, row.max),
        ] {
            assert!((found - told).abs() <= 1e-6 * told.abs(), "{place}: the {what} is {found}, not {told}");
        }
    }
}

#[test]
fn the_duplicate_has_the_bytes_of_an_earlier_sample() {
    let samples = samples();
    for (at, duplicate) in samples.iter().enumerate().filter(|(_, sample)| sample.expected.outcome == "duplicate") {
        assert!(samples[..at].iter().any(|earlier| earlier.bytes == duplicate.bytes), "{}", duplicate.name);
    }
}

#[test]
fn each_file_is_a_sample_or_an_expectation_and_each_teaches_something() {
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
