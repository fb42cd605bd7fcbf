//! Numbers in the text of records: each is read as the nearest double.

use std::fmt::Write as _;

use eventpulse_core::intake::inspection::{Inspector, Retention};
use eventpulse_core::intake::reader::Format;
use eventpulse_core::intake::schema::Catalog;
use eventpulse_core::time::Timestamp;
use proptest::prelude::*;

use crate::oracle::{decimal, exact, nearest};
use crate::support;
use crate::values::any_finite;

/// Returns the stored values of readings with these numbers, in their order. Fails if a record is rejected.
fn read(numbers: &[&str]) -> Vec<f64> {
    let mut content = String::new();
    for (second, number) in numbers.iter().enumerate() {
        let time = Timestamp::from_secs(i64::try_from(second).unwrap());
        writeln!(content, r#"{{"device_id":"d","timestamp":"{time}","value":{number}}}"#).unwrap();
    }
    let spec = support::spec(Format::Ndjson);
    let catalog = Catalog::bundled().unwrap();
    let mut inspector = Inspector::new(&catalog, spec, Retention::Bounded);
    inspector.push(&mut content.as_bytes());
    inspector.finish();
    let inspection = inspector.inspection();
    assert_eq!(inspection.accepted, numbers.len() as u64, "{content}\n{:?}", inspection.rejections);
    let chunks = inspection.chunks.unwrap();
    let points = chunks.iter().flat_map(|chunk| chunk.points().unwrap());
    points.map(|point| point.value).collect()
}

/// Returns a finite decimal of a double exactly, or of the middle between it and the next double.
fn written_out(value: &num_rational::BigRational) -> String {
    // The denominator is a power of two, so the decimal is finite.
    let places = value.denom().bits() - 1;
    let digits = value * decimal(&format!("1e{places}"));
    format!("{digits}e-{places}")
}

#[test]
fn integers_beyond_2_to_53_and_long_decimals_are_read_to_the_nearest_double() {
    let middle = (exact(1.0) + exact(1.0 + f64::EPSILON)) / decimal("2");
    let middle = written_out(&middle);
    let above = middle.replace("e-", "00000000000000000000000000000001e-").replace("e-53", "e-85");
    let rows = [
        ("9007199254740993", 9_007_199_254_740_992.0),
        ("9007199254740995", 9_007_199_254_740_996.0),
        ("-9007199254740993", -9_007_199_254_740_992.0),
        ("9007199254740993.0000000000000000000000000000001", 9_007_199_254_740_994.0),
        ("18446744073709551615", 18_446_744_073_709_551_616.0),
        ("18446744073709551617", 18_446_744_073_709_551_616.0),
        ("123456789012345678901234567890", 123_456_789_012_345_680_000_000_000_000.0),
        ("0.1000000000000000055511151231257827021181583404541015625", 0.1),
        ("0.30000000000000004440892098500626161694526672363281250001", 0.300_000_000_000_000_04),
        ("1.7976931348623158e308", f64::MAX),
        ("1.79769313486231580793728971405303415079934132710037826936173e308", f64::MAX),
        ("2.4703282292062327208e-324", 0.0),
        ("2.4703282292062327209e-324", 5e-324),
        ("4e-400", 0.0),
        (middle.as_str(), 1.0),
        (above.as_str(), 1.0 + f64::EPSILON),
    ];
    let texts: Vec<&str> = rows.iter().map(|(text, _)| *text).collect();
    for ((text, expected), found) in rows.iter().zip(read(&texts)) {
        assert_eq!(nearest(&decimal(text)), Some(*expected), "{text}: the row");
        assert_eq!(found.to_bits(), expected.to_bits(), "{text} is read as {found:e}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Each double, the middle between it and its neighbour, and a hair above and below the middle, with all their digits.
    #[test]
    fn numbers_with_any_digits_are_read_to_the_nearest_double(values in prop::collection::vec(any_finite(), 1..6)) {
        let middle_of = |value: f64| {
            let next = f64::from_bits(value.to_bits() + 1);
            next.is_finite().then(|| (exact(value) + exact(next)) / decimal("2"))
        };
        let hair = decimal("1e-1100");
        let texts: Vec<String> = values.iter().filter_map(|value| Some((exact(*value), middle_of(*value)?)))
            .flat_map(|(value, middle)| {
                let around = [&middle - &hair, &middle + &hair].map(|near| {
                    let digits = near * decimal("1e1100");
                    format!("{}e-1100", digits.to_integer())
                });
                [written_out(&value), written_out(&middle)].into_iter().chain(around)
            })
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        prop_assume!(!texts.is_empty());
        for (text, found) in texts.iter().zip(read(&texts)) {
            let expected = nearest(&decimal(text)).unwrap();
            prop_assert_eq!((found + 0.0).to_bits(), expected.to_bits(), "{} is read as {:e}", text, found);
        }
    }
}
