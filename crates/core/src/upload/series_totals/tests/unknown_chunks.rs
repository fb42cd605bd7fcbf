//! Given chunks of earlier attempts that cannot be found or read, when a correction is accepted, then the receipt shows no
//! numbers of some values as those of all.

use super::*;

#[test]
fn an_omitted_series_whose_chunks_are_unknown_stays_omitted() {
    // The omitted series has a chunk of each earlier attempt, and the first one is unknown.
    let mut first = values("omitted", &[1.0]);
    (0..3).for_each(|_| first.extend(fleet(0..149, 1.0)));
    for (name, table, listed) in [
        ("all are known", Table::Complete, Some(5)),
        ("the index lags", Table::Lagging, None),
        ("a chunk is lost", Table::Damaged, None),
        ("a chunk cannot be read", Table::Mismatched, None),
    ] {
        let mut run = Run::accepted(&[first.clone(), values("omitted", &[1.0])]);
        run.begin_correction();
        run.accept(&values("omitted", &[2.0, 3.0, 4.0]), table);
        let report = run.report();
        let series = report.listed.iter().find(|series| series.entity == "omitted");
        assert_eq!(series.map(|series| series.summary.count()), listed, "{name}");
        assert_eq!((report.listed.len(), report.omitted()), (MAX_LISTED, 50), "{name}");
    }
}

#[test]
fn a_median_without_all_earlier_points_is_not_computed() {
    for (name, table) in [
        ("the index lags", Table::Lagging),
        ("a chunk is lost", Table::Damaged),
        ("a chunk cannot be read", Table::Mismatched),
    ] {
        let mut run = Run::accepted(&[values("d", &[1.0, 2.0])]);
        run.begin_correction();
        run.accept(&values("d", &[9.0]), table);
        let (report, expected) = (run.report(), run.expected());
        assert_eq!(report.listed[0].summary, expected[0].summary, "{name}: the summary needs no chunks");
        assert_eq!((report.listed[0].median, report.count), (None, 1), "{name}");
    }
}

#[test]
fn series_that_may_be_new_count_as_new() {
    let mut attempt = values("omitted", &[1.0]);
    (0..2).for_each(|_| attempt.extend(fleet(0..149, 1.0)));
    for (name, table, correction, count) in [
        ("a new series", Table::Lagging, values("new", &[1.0]), 151),
        ("several new series", Table::Lagging, fleet(150..155, 1.0), 155),
        ("a listed series", Table::Lagging, values("d-001", &[1.0]), 150),
        ("an omitted series with a chunk in the index", Table::Lagging, values("d-148", &[1.0]), 150),
        ("an omitted series without a chunk in the index", Table::Lagging, values("omitted", &[1.0]), 151),
        ("a new series, all chunks in the index", Table::Complete, values("new", &[1.0]), 151),
        ("an omitted series, all chunks in the index", Table::Complete, values("omitted", &[1.0]), 150),
    ] {
        let mut run = Run::accepted(std::slice::from_ref(&attempt));
        run.begin_correction();
        run.accept(&correction, table);
        let report = run.report();
        assert_eq!((report.count, report.listed.len()), (count, MAX_LISTED), "{name}");
    }
}

#[test]
fn a_series_of_a_lagging_index_appears_with_all_of_its_points() {
    let name = |device: usize| format!("{device:03}-{}", "é".repeat(40));
    // Sums from 5e-324 to 1e300 fill the history, so that the decision omits series.
    let hostile = |device| [1.0, 1e300, 5e-324].map(|value| (name(device), value));
    let mut run = Run::accepted(&[(0..50).flat_map(hostile).collect()]);
    let listed = run.report().listed.len();
    assert!((25..50).contains(&listed), "{listed} series");
    // The index lags, so a correction does not know that its series are new.
    run.begin_correction();
    run.accept(&fleet(0..5, 1.0), Table::Lagging);
    assert_eq!((run.report().listed.len(), run.report().count), (listed, 55));
    // Another one has values of all series that the first decision omits: the list is as long as the first attempt.
    run.begin_correction();
    run.accept(&(listed..50).map(|device| (name(device), 2.0)).collect(), Table::Complete);
    assert_eq!((run.report().listed.len(), run.report().omitted()), (50, 5));
    run.begin_correction();
    run.accept(&values("d-003", &[2.0]), Table::Complete);
    let (report, expected) = (run.report(), run.expected());
    let shown = report.listed.iter().find(|series| series.entity == "d-003").unwrap();
    assert_eq!(Some(shown), expected.iter().find(|series| series.entity == "d-003"));
    assert_eq!((shown.summary.count(), report.omitted()), (2, 4));
}

const TABLES: [Table; 4] = [Table::Complete, Table::Lagging, Table::Damaged, Table::Mismatched];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn a_receipt_shows_the_numbers_of_all_values_or_none(
        first in any_values(180),
        corrections in prop::collection::vec(
            (any_values(180), prop::sample::select(TABLES.to_vec())),
            1..5,
        ),
    ) {
        let mut run = Run::accepted(&[first]);
        for (correction, table) in corrections {
            run.begin_correction();
            run.accept(&correction, table);
            let (report, expected) = (run.report(), run.all_series());
            for series in &report.listed {
                let expected = expected.iter().find(|expected| expected.name() == series.name()).unwrap();
                prop_assert_eq!(&series.summary, &expected.summary);
                prop_assert!(series.median.is_none_or(|median| Some(median) == expected.median));
            }
            prop_assert!(report.count >= expected.len() as u64, "{} of {} series", report.count, expected.len());
        }
    }
}
