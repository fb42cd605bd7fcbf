//! The exact fractions of Python as a judge: `judge.py` compares our numbers with those of its module `statistics`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use eventpulse_core::statistics::summary::Statistics;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::product::{answer, chunks, points};
use crate::values::{hard_sets, sets};

/// The quantiles to ask for: the ends, and decimals that no double equals.
const QUANTILES: &str = "0,1,0.05,0.95,0.123456789012345";

/// Returns a double in hexadecimal, which no decimal rounds, as a string in JSON.
fn hexadecimal(value: f64) -> String {
    let bits = value.to_bits();
    let (exponent, digits) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
    let sign = if bits >> 63 == 1 { "-" } else { "" };
    let (whole, exponent) = if exponent == 0 { (0, -1022) } else { (1, exponent as i64 - 1023) };
    format!("\"{sign}0x{whole}.{digits:013x}p{exponent}\"")
}

fn optional(value: Option<f64>) -> String {
    value.map_or("null".to_owned(), hexadecimal)
}

/// Returns a set and its numbers as a line for the judge.
fn line(name: &str, values: &[f64], numbers: &Statistics) -> String {
    let values: Vec<String> = values.iter().map(|value| hexadecimal(*value)).collect();
    let Statistics { count, sum, mean, median, variance, standard_deviation, min, max, .. } = numbers;
    let quantiles: Vec<String> = numbers
        .quantiles
        .iter()
        .map(|(quantile, value)| format!("\"{}\":{}", quantile.as_str(), hexadecimal(value)))
        .collect();
    let (values, quantiles) = (values.join(","), quantiles.join(","));
    let mut members = format!("\"count\":{count}");
    for (member, number) in [
        ("sum", *sum),
        ("mean", Some(*mean)),
        ("median", Some(*median)),
        ("variance", *variance),
        ("standard_deviation", *standard_deviation),
        ("interquartile_range", numbers.interquartile_range),
        ("min", Some(*min)),
        ("max", Some(*max)),
    ] {
        write!(members, ",\"{member}\":{}", optional(number)).unwrap();
    }
    format!("{{\"name\":\"{name}\",\"values\":[{values}],\"numbers\":{{{members}}},\"quantiles\":{{{quantiles}}}}}\n")
}

/// Returns the statistics of values in parts of three, as the answer to a query.
fn statistics(values: &[f64]) -> Statistics {
    answer(&chunks(points(values).chunks(3)), 4_096, &(0..1_000), QUANTILES).unwrap()
}

/// Lets Python judge the lines. Returns whether it approves, and its words.
fn judge(file: &str, lines: &str) -> (bool, String) {
    let path: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    std::fs::write(&path, lines).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/numbers/judge.py");
    let output = Command::new("python3")
        .arg("-B")
        .args([script, path])
        .output()
        .expect("this test needs python3 (3.10 or later) on the PATH");
    let words = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    (output.status.success(), words)
}

#[test]
fn python_computes_the_same_numbers() {
    let mut lines = String::new();
    let mut count = 0;
    let mut add = |name: &str, values: &[f64]| {
        lines += &line(name, values, &statistics(values));
        count += 1;
    };
    for (name, values) in hard_sets() {
        add(name, &values);
    }
    let mut runner = TestRunner::deterministic();
    for most in [2, 3, 10, 60] {
        for _ in 0..250 {
            add("generated", &sets(most).new_tree(&mut runner).unwrap().current());
        }
    }
    let (is_approved, words) = judge("numbers.jsonl", &lines);
    assert!(is_approved, "{words}");
    assert!(words.starts_with(&format!("{count} sets, {} numbers, 0 differences", 14 * count)), "{words}");
}

/// The judge sees one wrong bit in a number, a number that is missing, and a zero with a sign.
#[test]
fn python_refuses_a_number_that_is_one_bit_off() {
    let values = [0.1, 0.2, 0.4, -0.7];
    let right = statistics(&values);
    let off = |number: f64| f64::from_bits(number.to_bits() + 1);
    let rows = [
        ("count", Statistics { count: 5, ..right.clone() }),
        ("sum", Statistics { sum: right.sum.map(off), ..right.clone() }),
        ("mean", Statistics { mean: off(right.mean), ..right.clone() }),
        ("median", Statistics { median: off(right.median), ..right.clone() }),
        ("variance", Statistics { variance: right.variance.map(off), ..right.clone() }),
        ("standard_deviation", Statistics { standard_deviation: right.standard_deviation.map(off), ..right.clone() }),
        ("min", Statistics { min: off(right.min), ..right.clone() }),
        ("max", Statistics { max: off(right.max), ..right.clone() }),
        (
            "interquartile_range",
            Statistics { interquartile_range: right.interquartile_range.map(off), ..right.clone() },
        ),
        ("sum", Statistics { sum: None, ..right.clone() }),
        ("sum", Statistics { sum: Some(-0.0), ..right.clone() }),
    ];
    let lines: String =
        (0..).zip(&rows).map(|(at, (member, wrong))| line(&format!("row {at}, {member}"), &values, wrong)).collect();
    let (is_approved, words) = judge("wrong.jsonl", &lines);
    assert!(!is_approved, "{words}");
    for (at, (member, _)) in (0..).zip(&rows) {
        assert!(words.contains(&format!("row {at}, {member}: {member} is ")), "{member}: {words}");
    }
    assert!(words.contains("11 sets, 154 numbers, 11 differences"), "{words}");
}
