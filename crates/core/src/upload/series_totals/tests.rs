//! Given accepted attempts and their stored chunks, when a correction is accepted, then the receipt has the exact statistics of
//! all accepted values.

mod unknown_chunks;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::intake::inspection::tests::spec;
use crate::intake::inspection::{Bounds, InspectionSpec, Inspector, Retention};
use crate::intake::schema::Catalog;
use crate::statistics::chunk::{Chunk, ChunkKey};
use crate::statistics::series::Point;
use crate::statistics::series_statistics::MAX_LISTED;
use crate::statistics::summary::Summary;
use crate::time::Timestamp;
use crate::upload::commands::{begin_acceptance, record_decision};
use crate::upload::tests::given::{id, issued, received, retry_received, retry_requested};
use crate::upload::{Decision, RecordedEvent, RetryForm, UploadEvent};

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::bundled().unwrap());

/// The values of one attempt: a device and a value each.
type Values = Vec<(String, f64)>;

/// An upload, and the chunks table.
struct Run {
    upload: Upload,
    stored: Vec<Chunk>,
    values: Values,
}

/// What the caller finds of the chunks of earlier attempts.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Table {
    /// All of them.
    Complete,
    /// The index does not know the first chunk yet.
    Lagging,
    /// The first chunk is not in the table, or is no chunk.
    Damaged,
    /// The first chunk has the summary of other points.
    Mismatched,
}

impl Run {
    fn new() -> Self {
        let upload = Upload::fold(id(), &[RecordedEvent::new(Timestamp::from_secs(1), issued())]).unwrap();
        let mut run = Self { upload, stored: Vec::new(), values: Vec::new() };
        run.record([received()]);
        run
    }

    /// Returns an upload with accepted attempts.
    fn accepted(attempts: &[Values]) -> Self {
        let mut run = Self::new();
        for (index, values) in attempts.iter().enumerate() {
            if index > 0 {
                run.begin_correction();
            }
            run.accept(values, Table::Complete);
        }
        run
    }

    fn record(&mut self, events: impl IntoIterator<Item = UploadEvent>) {
        events.into_iter().for_each(|event| self.upload.apply(&RecordedEvent::new(Timestamp::from_secs(1), event)));
    }

    fn begin_correction(&mut self) {
        self.record([retry_requested(RetryForm::Corrected), retry_received(RetryForm::Corrected)]);
    }

    /// Inspects an object with these values.
    fn inspect(&self, values: &Values) -> Inspection {
        let mut lines = String::new();
        for (device, value) in values {
            let time = "2025-02-28T12:00:00Z";
            writeln!(lines, r#"{{"device_id":"{device}","timestamp":"{time}","value":{value:e}}}"#).unwrap();
        }
        let spec = InspectionSpec {
            owner: self.upload.origin().owner.clone(),
            upload_id: id(),
            attempt: self.upload.write_number(),
            ..spec(Bounds::UPLOAD, None)
        };
        let mut inspector = Inspector::new(&CATALOG, spec, Retention::Bounded);
        inspector.push(&mut lines.as_bytes());
        inspector.finish();
        let inspection = inspector.inspection();
        assert_eq!(inspection.accepted, values.len() as u64, "{:?}", inspection.rejections);
        inspection
    }

    fn accept(&mut self, values: &Values, table: Table) {
        let inspection = self.inspect(values);
        self.accept_inspection(inspection, table);
        self.values.extend(values.iter().cloned());
    }

    /// Does what the workflow does with an inspection.
    fn accept_inspection(&mut self, mut inspection: Inspection, table: Table) {
        if let Some(totals) = SeriesTotals::of_correction(&self.upload, &inspection) {
            let mut earlier = None;
            if totals.needs_chunks() {
                let mut search = totals.search();
                let skipped = usize::from(table == Table::Lagging);
                for chunk in self.stored.iter().skip(skipped) {
                    search.found(&chunk.partition_key(), &chunk.sort_key());
                }
                assert_eq!(search.is_complete(), table != Table::Lagging);
                let mut points = totals.earlier_points(search);
                let keys = points.keys().to_vec();
                for ChunkKey { series, sort_key } in keys {
                    let is_wanted = |chunk: &&Chunk| *chunk.series() == series && chunk.sort_key() == sort_key;
                    let index = self.stored.iter().position(|chunk| is_wanted(&chunk)).unwrap();
                    match table {
                        Table::Damaged if index == 0 => {}
                        Table::Mismatched if index == 0 => assert!(!points.add(&mismatched(&self.stored[index]))),
                        _ => assert!(points.add(&self.stored[index])),
                    }
                }
                earlier = Some(points);
            }
            inspection.series = totals.report(earlier.as_ref());
        }
        self.stored.extend(inspection.chunks.clone().unwrap_or_default());
        let decided = record_decision(&self.upload, Decision::of(&inspection));
        self.record(decided);
    }

    /// Returns the statistics of all accepted values, largest series first, computed at once.
    fn expected(&self) -> Vec<SeriesStatistics> {
        largest(self.all_series())
    }

    fn all_series(&self) -> Vec<SeriesStatistics> {
        let mut by_device: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (device, value) in &self.values {
            by_device.entry(device).or_default().push(*value);
        }
        let time = Timestamp::parse("2025-02-28T12:00:00Z").unwrap();
        let statistics = |(device, mut values): (&str, Vec<f64>)| {
            values.sort_by(f64::total_cmp);
            let points: Vec<Point> = values.iter().map(|value| Point { time, value: *value }).collect();
            let (lower, upper) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
            let median = Some(lower.midpoint(upper));
            SeriesStatistics::new((device.to_owned(), "value".to_owned()), Summary::of(&points).unwrap(), median)
        };
        by_device.into_iter().map(statistics).collect()
    }

    fn report(&self) -> SeriesReport {
        self.upload.series_report()
    }

    fn check(&self) {
        let (report, expected) = (self.report(), self.expected());
        assert_eq!(report.listed, expected);
        let mut bytes = report.listed.iter().map(|series| series.summary.to_bytes());
        assert!(expected.iter().all(|series| bytes.next() == Some(series.summary.to_bytes())));
        let devices: HashSet<&String> = self.values.iter().map(|(device, _)| device).collect();
        assert_eq!(report.count, devices.len() as u64);
    }
}

/// Returns a chunk with the same key, whose points are not those of its summary.
fn mismatched(chunk: &Chunk) -> Chunk {
    let time = chunk.summary().first();
    let other = Summary::of(&[Point { time, value: 1e9 }, Point { time, value: 2e9 }]).unwrap().to_bytes();
    let points = chunk.compressed_points().to_vec();
    Chunk::from_parts(chunk.series().clone(), chunk.uploads().to_vec(), Vec::new(), 0, &other, points).unwrap()
}

fn values(device: &str, values: &[f64]) -> Values {
    values.iter().map(|value| (device.to_owned(), *value)).collect()
}

/// Returns one value of each of some devices.
fn fleet(devices: std::ops::Range<usize>, value: f64) -> Values {
    devices.map(|device| (format!("d-{device:03}"), value)).collect()
}

fn median_of(report: &SeriesReport, device: &str) -> Option<f64> {
    report.listed.iter().find(|series| series.entity == device).unwrap_or_else(|| panic!("no {device}")).median
}

#[test]
fn a_receipt_keeps_its_median_after_corrections() {
    for (name, attempts, median) in [
        ("one correction", vec![values("d", &[1.0, 2.0]), values("d", &[9.0])], 2.0),
        ("two corrections", vec![values("d", &[1.0]), values("d", &[5.0]), values("d", &[4.0])], 4.0),
        ("an even number", vec![values("d", &[3.0, 1.0]), values("d", &[4.0]), values("d", &[2.0])], 2.5),
        ("a new series", vec![values("a", &[3.0]), values("d", &[4.0, 6.0])], 5.0),
        ("a new series, corrected", vec![values("a", &[3.0]), values("d", &[4.0]), values("d", &[6.0])], 5.0),
        ("extreme values", vec![values("d", &[1e300, 5e-324]), values("d", &[1e-300])], 1e-300),
        ("several chunks", vec![values("d", &[7.0; 9_000]), values("d", &[8.0; 8_000])], 7.0),
    ] {
        let run = Run::accepted(&attempts);
        assert_eq!(median_of(&run.report(), "d"), Some(median), "{name}");
        run.check();
    }
}

#[test]
fn a_correction_changes_the_series_that_it_has_points_of() {
    let run = Run::accepted(&[fleet(0..60, 1.0), fleet(3..5, 2.0)]);
    run.check();
    let Some(Decision::Accepted { series, .. }) = run.upload.decision() else { panic!("not accepted") };
    let changed: Vec<&str> = series.listed.iter().map(|series| series.entity.as_str()).collect();
    assert_eq!((changed, series.count, series.is_whole), (vec!["d-003", "d-004"], 60, false));
}

#[test]
fn an_omitted_series_appears_with_all_of_its_points() {
    let mut run = Run::accepted(&[fleet(0..150, 1.0)]);
    assert_eq!((run.report().listed.len(), run.report().omitted()), (MAX_LISTED, 50));
    for correction in [values("d-149", &[2.0, 3.0]), values("d-120", &[4.0]), values("new", &[1.0; 4])] {
        run.begin_correction();
        run.accept(&correction, Table::Complete);
        run.check();
    }
    let entities: Vec<_> = run.report().listed.iter().take(3).map(|s| (s.entity.clone(), s.summary.count())).collect();
    assert_eq!(entities, [("new".to_owned(), 4), ("d-149".to_owned(), 3), ("d-120".to_owned(), 2)]);
}

#[test]
fn a_large_attempt_leaves_no_median() {
    for large in 0..2 {
        let mut run = Run::new();
        for attempt in 0..2 {
            if attempt > 0 {
                run.begin_correction();
            }
            let values = values("d", &[1.0, 2.0]);
            let mut inspection = run.inspect(&values);
            if attempt == large {
                inspection.series.listed.iter_mut().for_each(|series| series.median = None);
                inspection.chunks = None;
            }
            run.accept_inspection(inspection, Table::Complete);
            run.values.extend(values);
        }
        assert_eq!(run.report().listed[0].summary, run.expected()[0].summary, "attempt {large} is large");
        assert_eq!(median_of(&run.report(), "d"), None, "attempt {large} is large");
    }
}

#[test]
fn chunks_of_attempts_that_do_not_count_are_not_read() {
    let mut run = Run::accepted(&[values("d", &[1.0, 2.0])]);
    // A correction was rolled back, and a slow worker wrote its chunks afterwards.
    run.begin_correction();
    let dead = run.inspect(&values("d", &[100.0, 200.0])).chunks.unwrap();
    let began = begin_acceptance(&run.upload, "00");
    run.record(began);
    run.record([UploadEvent::DeliveryFailed { reason: "died".into(), correlation_id: "c".into() }]);
    run.record([UploadEvent::RolledBack]);
    run.stored.extend(dead);
    // The same correction, delivered again: its own chunks are stored before it is decided.
    let again = run.inspect(&values("d", &[9.0])).chunks.unwrap();
    run.stored.extend(again.clone());
    run.accept(&values("d", &[9.0]), Table::Complete);
    assert_eq!(median_of(&run.report(), "d"), Some(2.0));
    run.check();
}

#[test]
fn a_list_that_outgrows_the_history_is_shortened_and_never_outdated() {
    let name = |device: usize| format!("{device:03}-{}", "é".repeat(40));
    let all = |value: f64| -> Values { (0..100).map(|device| (name(device), value)).collect() };
    // Sums from 5e-324 to 1e300 have hundreds of digits.
    let mut run = Run::accepted(&[all(1.0), all(1e300), all(5e-324)]);
    let (report, expected) = (run.report(), run.expected());
    assert!((10..100).contains(&report.listed.len()) && report.is_whole, "{} series", report.listed.len());
    assert_eq!((report.count, &report.listed[..]), (100, &expected[..report.listed.len()]));
    // Further corrections of listed and of omitted series.
    run.begin_correction();
    run.accept(&vec![(name(0), 1.0), (name(99), 2.0)], Table::Complete);
    let (report, expected) = (run.report(), run.expected());
    let exact = |series: &SeriesStatistics| expected.iter().any(|expected| expected == series);
    assert!(report.listed.iter().all(exact));
    assert_eq!((report.count, report.listed[0].entity.as_str()), (100, name(0).as_str()));
}

#[test]
fn a_correction_of_more_series_than_are_kept_lists_no_outdated_numbers() {
    let mut correction = fleet(100..1_150, 1.0); // the first thousand series are kept
    correction.extend(fleet(0..100, 2.0));
    let run = Run::accepted(&[fleet(0..100, 1.0), correction]);
    let (report, expected) = (run.report(), run.expected());
    assert_eq!(report.count, 1_150);
    let exact: BTreeMap<&str, &SeriesStatistics> = expected.iter().map(|s| (s.entity.as_str(), s)).collect();
    for series in &report.listed {
        let known = exact.get(series.entity.as_str()).is_none_or(|expected| *expected == series);
        assert!(known, "{}: {} points", series.entity, series.summary.count());
        assert!(series.entity.as_str() >= "d-100", "{} is outdated", series.entity);
    }
}

#[test]
fn an_attempt_costs_no_reads_where_the_history_knows_enough() {
    for (name, attempts, correction, is_read) in [
        ("a first acceptance", vec![], values("d", &[1.0]), None),
        ("a new series", vec![values("a", &[1.0])], values("d", &[1.0]), Some(false)),
        ("a listed series", vec![values("d", &[1.0])], values("d", &[1.0]), Some(true)),
        ("a series that may be omitted", vec![fleet(0..101, 1.0)], values("d", &[1.0]), Some(true)),
    ] {
        let mut run = Run::accepted(&attempts);
        if !attempts.is_empty() {
            run.begin_correction();
        }
        let inspection = run.inspect(&correction);
        let totals = SeriesTotals::of_correction(&run.upload, &inspection);
        assert_eq!(totals.map(|totals| totals.needs_chunks()), is_read, "{name}");
    }
}

/// Returns values of a few or of many devices, of any magnitude.
fn any_values(devices: usize) -> impl Strategy<Value = Values> {
    let value = prop_oneof![
        -100.0..100.0,
        prop::sample::select(vec![0.1, 1e300, -1e300, 5e-324, -5e-324, 1e-300, 2.5e-310, 123_456_789.123]),
        any::<f64>().prop_filter("finite", |value| value.is_finite()),
    ];
    prop::collection::vec((0..devices, value), 1..200)
        .prop_map(|values| values.into_iter().map(|(device, value)| (format!("d-{device:03}"), value)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn every_split_into_attempts_has_the_statistics_of_all_values(
        attempts in prop_oneof![
            prop::collection::vec(any_values(3), 1..5),
            prop::collection::vec(any_values(60), 1..5),
        ],
    ) {
        let run = Run::accepted(&attempts);
        let (report, expected) = (run.report(), run.expected());
        let exact = |series: &SeriesStatistics| expected.iter().any(|expected| expected == series);
        prop_assert!(report.listed.iter().all(exact));
        let devices: HashSet<&String> = run.values.iter().map(|(device, _)| device).collect();
        prop_assert_eq!(report.count, devices.len() as u64);
        // Only hostile values shorten the list.
        if attempts.iter().flatten().all(|(_, value)| value.abs() < 1e6 && value.abs() > 1e-6) {
            prop_assert_eq!(report.listed, expected);
        }
    }

    #[test]
    fn every_fleet_has_the_statistics_of_its_largest_series(
        attempts in prop::collection::vec(prop::collection::vec((0..180usize, -50..50i32), 1..400), 1..5),
    ) {
        let values = |attempt: Vec<(usize, i32)>| -> Values {
            attempt.into_iter().map(|(device, value)| (format!("d-{device:03}"), f64::from(value))).collect()
        };
        Run::accepted(&attempts.into_iter().map(values).collect::<Vec<_>>()).check();
    }
}
