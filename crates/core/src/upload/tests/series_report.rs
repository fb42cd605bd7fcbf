//! The statistics of an upload's series, as its history holds them.

use super::given::*;
use super::*;
use crate::statistics::series::Point;
use crate::statistics::series_statistics::MAX_LISTED;
use crate::statistics::summary::Summary;
use RetryForm::Corrected;

fn series(entity: &str, values: &[f64]) -> SeriesStatistics {
    let points: Vec<Point> = values.iter().map(|value| Point { time: at(0), value: *value }).collect();
    SeriesStatistics::new((entity.to_owned(), "value".to_owned()), Summary::of(&points).unwrap(), Some(values[0]))
}

fn report(listed: Vec<SeriesStatistics>, count: u64, is_whole: bool) -> SeriesReport {
    SeriesReport { listed, count, is_whole }
}

/// Returns the report on an upload with these reports on its attempts.
fn folded(reports: &[SeriesReport]) -> SeriesReport {
    let mut events = vec![issued(), received()];
    for (index, report) in reports.iter().enumerate() {
        if index > 0 {
            events.extend([retry_requested(Corrected), retry_received(Corrected)]);
        }
        events.extend([accepted_with(Some(rejection()), report.clone()), quarantined(), recorded()]);
    }
    upload(events).series_report()
}

#[test]
fn the_last_attempt_decides_about_the_series_that_it_reports() {
    let (a, b, c) = (series("a", &[1.0]), series("b", &[1.0, 2.0]), series("c", &[1.0, 2.0, 3.0]));
    let (a3, b4) = (series("a", &[1.0, 2.0, 3.0]), series("b", &[1.0, 2.0, 3.0, 4.0]));
    let first = || report(vec![b.clone(), a.clone()], 3, false);
    for (name, reports, expected) in [
        ("no attempt", vec![], report(vec![], 0, false)),
        ("one attempt", vec![first()], first()),
        (
            "a changed series",
            vec![first(), report(vec![a3.clone()], 3, false)],
            report(vec![a3.clone(), b.clone()], 3, false),
        ),
        (
            "a new series",
            vec![first(), report(vec![c.clone()], 4, false)],
            report(vec![c.clone(), b.clone(), a.clone()], 4, false),
        ),
        (
            "two corrections",
            vec![first(), report(vec![a3.clone()], 3, false), report(vec![b4.clone()], 3, false)],
            report(vec![b4.clone(), a3.clone()], 3, false),
        ),
        ("a whole report", vec![first(), report(vec![a3.clone()], 3, true)], report(vec![a3.clone()], 3, true)),
    ] {
        assert_eq!(folded(&reports), expected, "{name}");
        assert_eq!(folded(&reports).omitted(), expected.count - expected.listed.len() as u64, "{name}");
    }
}

#[test]
fn a_receipt_lists_the_largest_series_of_all_attempts() {
    let of = |prefix: &str, count: usize, values: &[f64]| -> Vec<SeriesStatistics> {
        (0..count).map(|index| series(&format!("{prefix}-{index:03}"), values)).collect()
    };
    let first = report(of("small", MAX_LISTED, &[1.0]), 120, false);
    let later = report(of("large", 3, &[1.0, 2.0]), 123, false);
    let folded = folded(&[first, later]);
    let entities: Vec<&str> = folded.listed.iter().map(|series| series.entity.as_str()).collect();
    assert_eq!((entities.len(), folded.omitted()), (MAX_LISTED, 23));
    assert_eq!(entities[..4], ["large-000", "large-001", "large-002", "small-000"]);
    assert_eq!(entities[99], "small-096");
}

#[test]
fn every_double_survives_the_history() {
    let mut doubles =
        vec![0.0, -0.0, 1e300, -1e300, 5e-324, -5e-324, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 9.9e125, 1e126];
    doubles.extend([0.1 + 0.2, 1.0 / 3.0, 9_007_199_254_740_993.0, 2.225_073_858_507_201e-308]);
    let mut bits: u64 = 88_172_645_463_325_252;
    doubles.extend(
        std::iter::repeat_with(|| {
            bits ^= bits << 13;
            bits ^= bits >> 7;
            bits ^= bits << 17;
            f64::from_bits(bits)
        })
        .filter(|value| value.is_finite())
        .take(2_000),
    );
    for value in doubles {
        let listed = vec![series("d", &[value])];
        let event = RecordedEvent::new(at(1), accepted_with(None, report(listed, 1, false)));
        let stored = serde_json::to_string(&event).unwrap();
        let read: RecordedEvent = serde_json::from_str(&stored).unwrap();
        let UploadEvent::Decided { decision: Decision::Accepted { series, .. }, .. } = &read.event else { panic!() };
        let read_back = (series.listed[0].median, series.listed[0].summary.min());
        assert_eq!(read_back.0.map(f64::to_bits), Some(value.to_bits()), "{value:e} in {stored}");
        assert_eq!(read_back.1.to_bits(), value.to_bits(), "{value:e} in {stored}");
        assert_eq!(read, event);
    }
}
