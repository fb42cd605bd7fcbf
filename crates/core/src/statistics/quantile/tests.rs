use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;

use super::*;
use crate::statistics::summary::tests::any_finite;

/// Returns the numbers of the values, whose ranks come from a sort.
fn numbers(quantiles: &str, values: &[f64]) -> OrderNumbers {
    let quantiles = if quantiles.is_empty() { Quantiles::default() } else { Quantiles::parse(quantiles).unwrap() };
    let mut sorted: Vec<f64> = values.iter().map(|value| value + 0.0).collect();
    sorted.sort_by(f64::total_cmp);
    let count = values.len() as u64;
    let ranks = quantiles.ranks(count);
    let at = |rank: u64| ranks.contains(&rank).then(|| sorted[rank as usize]);
    quantiles.values(count, at).unwrap()
}

/// Returns the double nearest to a rational that none of our code rounded: the closer one of the two doubles around it.
fn nearest(exact: &BigRational) -> Option<f64> {
    let rational = |value: f64| BigRational::from_float(value).unwrap();
    // The two largest doubles differ by 2^971; values from half of that above the largest are too large.
    let limit = rational(f64::MAX) + rational(2f64.powi(970));
    if exact >= &limit || exact <= &-limit.clone() {
        return None;
    }
    // A binary search over the doubles in their order, from the smallest to the largest.
    let double = |order: i64| f64::from_bits(if order < 0 { order.unsigned_abs() | 1 << 63 } else { order as u64 });
    let (mut low, mut high) = (-(f64::MAX.to_bits() as i64), f64::MAX.to_bits() as i64);
    while low < high {
        let middle = ((i128::from(low) + i128::from(high) + 1) >> 1) as i64;
        if &rational(double(middle)) <= exact { low = middle } else { high = middle - 1 }
    }
    let below = double(low);
    if low == f64::MAX.to_bits() as i64 {
        return Some(below);
    }
    let above = double(low + 1);
    let (under, over) = (exact - rational(below), rational(above) - exact);
    let is_below = under < over || under == over && below.to_bits() % 2 == 0;
    Some(if is_below { below } else { above } + 0.0)
}

/// Returns a quantile by the definition, in rationals.
fn by_definition(units: u64, values: &[f64]) -> BigRational {
    let mut sorted: Vec<f64> = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rational = |index: usize| BigRational::from_float(sorted[index]).unwrap();
    let position = BigRational::new(BigInt::from(units) * BigInt::from(values.len() - 1), BigInt::from(ONE));
    let rank = usize::try_from(position.floor().to_integer()).unwrap();
    let next = (rank + 1).min(values.len() - 1);
    let (lower, upper) = (rational(rank), rational(next));
    &lower + (&upper - &lower) * position.fract()
}

#[test]
fn quantiles_are_parsed_strictly() {
    let accepted = [
        ("0", 0),
        ("1", ONE),
        ("0.0", 0),
        ("1.000000000000000", ONE),
        ("0.5", ONE / 2),
        ("0.05", ONE / 20),
        ("0.50", ONE / 2),
        ("0.000000000000001", 1),
        ("0.999999999999999", ONE - 1),
    ];
    for (text, units) in accepted {
        let quantile = Quantile::parse(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!((quantile.units, quantile.as_str()), (units, text));
    }
    for text in [
        "",
        " ",
        "0.",
        ".5",
        "1.5",
        "1.000000000000001",
        "2",
        "00.5",
        "01",
        "+0.5",
        "-0",
        "5e-1",
        "0,5",
        "0.5 ",
        " 0.5",
        "0.5.0",
        "0.0000000000000001",
        "0.٥",
        "é",
        "NaN",
        "1/2",
        "50%",
    ] {
        assert_eq!(Quantile::parse(text), None, "{text:?}");
    }
}

#[test]
fn lists_of_quantiles_are_parsed_strictly() {
    let twenty: Vec<String> = (0..20).map(|i| format!("0.{i:02}")).collect();
    assert_eq!(Quantiles::parse(&twenty.join(",")).unwrap().0.len(), 20);
    let not_a_decimal = |text: &str| Err(InvalidQuantiles::NotADecimal(text.into()));
    let repeated = |one: &str, two: &str| Err(InvalidQuantiles::Repeated(one.into(), two.into()));
    let rows = [
        ("empty", String::new(), not_a_decimal("")),
        ("a comma at the end", "0.5,".into(), not_a_decimal("")),
        ("a space", "0.5, 0.9".into(), not_a_decimal(" 0.9")),
        ("too large", "0.5,1.1".into(), not_a_decimal("1.1")),
        ("long", "é".repeat(100), not_a_decimal(&"é".repeat(32))),
        ("one over the limit", format!("{},1", twenty.join(",")), Err(InvalidQuantiles::TooMany(21))),
        ("equal texts", "0.5,0.25,0.5".into(), repeated("0.5", "0.5")),
        ("equal numbers", "0.5,0.50".into(), repeated("0.5", "0.50")),
    ];
    for (name, text, expected) in rows {
        assert_eq!(Quantiles::parse(&text), expected, "{name}");
    }
}

#[test]
fn positions_are_exact_for_the_largest_numbers() {
    assert_eq!(position(ONE, u64::MAX), (u64::MAX, 0));
    assert_eq!(position(MEDIAN, u64::MAX), (u64::MAX / 2, ONE / 2));
    assert_eq!(position(1, u64::MAX), (u64::MAX / ONE, u64::MAX % ONE));
    assert_eq!(position(ONE / 10, 3), (0, 3 * ONE / 10));
}

#[test]
fn quantiles_are_those_of_numpy_rounded_once() {
    let tiny = 5e-324;
    let rows: [(&str, &str, &[f64], &[f64]); 11] = [
        ("the extremes", "0,1", &[3.0, 1.0, 2.0], &[1.0, 3.0]),
        ("at a value", "0.25,0.5,0.75", &[1.0, 2.0, 3.0, 4.0, 5.0], &[2.0, 3.0, 4.0]),
        ("between two values", "0.25,0.9", &[1.0, 2.0, 4.0, 8.0], &[1.75, 6.8]),
        ("one value", "0,0.3,1", &[0.1], &[0.1, 0.1, 0.1]),
        ("order asked", "0.75,0.25", &[10.0, 20.0], &[17.5, 12.5]),
        ("zeros of both signs", "0,0.5,1", &[-0.0, 0.0, -0.0], &[0.0, 0.0, 0.0]),
        ("around zero", "0.5", &[-1.0, 1.0], &[0.0]),
        ("half of the smallest double", "0.5,0.500000000000001", &[0.0, tiny], &[0.0, tiny]),
        ("subnormals", "0.5,0.6", &[tiny, 2.0 * tiny], &[2.0 * tiny, 2.0 * tiny]),
        ("the whole range", "0,0.5,0.75,1", &[f64::MIN, f64::MAX], &[f64::MIN, 0.0, f64::MAX / 2.0, f64::MAX]),
        ("near the largest", "0.5", &[f64::MAX, f64::MAX], &[f64::MAX]),
    ];
    for (name, quantiles, values, expected) in rows {
        let found = numbers(quantiles, values).quantiles;
        let texts: Vec<&str> = found.iter().map(|(quantile, _)| quantile.as_str()).collect();
        assert_eq!(texts.join(","), quantiles, "{name}");
        let bits: Vec<u64> = found.iter().map(|(_, value)| value.to_bits()).collect();
        assert_eq!(bits, expected.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), "{name}: {found:?}");
    }
}

#[test]
fn an_interquartile_range_is_a_difference_that_is_rounded_once() {
    let rows: [(&str, &[f64], Option<f64>); 6] = [
        ("one value", &[7.0], Some(0.0)),
        ("equal values", &[0.1, 0.1, 0.1], Some(0.0)),
        ("quartiles between values", &[1.0, 2.0, 3.0, 4.0], Some(1.5)),
        // The quartiles are 1 + 2^-54 and 1 + 3 * 2^-54: rounded one by one, their difference would be 2^-52.
        ("close values", &[1.0, 1.0 + f64::EPSILON], Some(f64::EPSILON / 2.0)),
        ("most of the range", &[f64::MIN, f64::MAX], Some(f64::MAX)),
        ("more than the range", &[f64::MIN, f64::MIN, f64::MAX, f64::MAX], None),
    ];
    for (name, values, expected) in rows {
        assert_eq!(numbers("", values).interquartile_range, expected, "{name}");
    }
}

#[test]
fn quantiles_are_a_json_object_in_the_order_asked() {
    let found = numbers("0.95,0.5,0.050", &[1.0, 2.0]);
    assert_eq!(serde_json::to_string(&found.quantiles).unwrap(), r#"{"0.95":1.95,"0.5":1.5,"0.050":1.05}"#);
    assert_eq!(serde_json::to_string(&numbers("", &[0.1]).quantiles).unwrap(), "{}");
}

#[test]
fn no_values_have_no_numbers() {
    assert_eq!(Quantiles::default().ranks(0), Vec::<u64>::new());
    assert_eq!(Quantiles::default().values(0, |_| None), None);
}

proptest! {
    #[test]
    fn quantiles_equal_exact_rationals(
        values in prop_oneof![
            prop::collection::vec(any_finite(), 1..30),
            prop::collection::vec((-4000i32..4000).prop_map(|i| f64::from(i) / 10.0), 1..30),
        ],
        units in prop::collection::vec(prop_oneof![0..=ONE, (0u64..=100).prop_map(|i| i * (ONE / 100))], 1..4),
    ) {
        for unit in units {
            let text = format!("{}.{:015}", unit / ONE, unit % ONE);
            let found = numbers(&text, &values);
            let expected = nearest(&by_definition(unit, &values)).map(f64::to_bits);
            prop_assert_eq!(Some(found.quantiles.0[0].1.to_bits()), expected, "{}", text);
        }
        let found = numbers("", &values);
        prop_assert_eq!(Some(found.median.to_bits()), nearest(&by_definition(MEDIAN, &values)).map(f64::to_bits));
        let range = by_definition(UPPER_QUARTILE, &values) - by_definition(QUARTILE, &values);
        prop_assert_eq!(found.interquartile_range.map(f64::to_bits), nearest(&range).map(f64::to_bits));
    }
}
