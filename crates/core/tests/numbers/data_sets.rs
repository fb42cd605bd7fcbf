//! The nine univariate data sets of the [Statistical Reference Datasets](https://www.itl.nist.gov/div898/strd/univ/homepage.html) of
//! NIST, in `tests/nist`.

use std::fs;
use std::path::Path;

use eventpulse_core::statistics::series::Point;

use crate::oracle::{Numbers, decimal, exact};
use crate::product::{assert_exact, merged, points, summary};

/// A data set: its decimals as published, and the certified results.
struct DataSet {
    name: String,
    decimals: Vec<String>,
    mean: String,
    standard_deviation: String,
}

impl DataSet {
    fn read(path: &Path) -> Self {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut set = Self { name, decimals: Vec::new(), mean: String::new(), standard_deviation: String::new() };
        for line in fs::read_to_string(path).unwrap().lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let all = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
            match words[..] {
                ["mean", mean] => set.mean = mean.to_owned(),
                ["standard_deviation", deviation] => set.standard_deviation = deviation.to_owned(),
                ["values", ref values @ ..] => set.decimals.extend(all(values)),
                [times, "times", ref values @ ..] => {
                    set.decimals.extend(all(&values.repeat(times.parse().unwrap())));
                }
                _ => panic!("{}: {line}", set.name),
            }
        }
        set
    }

    fn values(&self) -> Vec<f64> {
        self.decimals.iter().map(|decimal| decimal.parse().unwrap()).collect()
    }
}

fn data_sets() -> Vec<DataSet> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nist");
    let mut sets: Vec<DataSet> =
        fs::read_dir(directory).unwrap().map(|file| DataSet::read(&file.unwrap().path())).collect();
    sets.sort_by(|one, other| one.name.cmp(&other.name));
    sets
}

#[test]
fn nist_data_sets_are_complete() {
    let counts: Vec<(String, usize)> = data_sets().into_iter().map(|set| (set.name, set.decimals.len())).collect();
    let expected = [
        ("Lew", 200),
        ("Lottery", 218),
        ("Mavro", 50),
        ("Michelso", 100),
        ("NumAcc1", 3),
        ("NumAcc2", 1_001),
        ("NumAcc3", 1_001),
        ("NumAcc4", 1_001),
        ("PiDigits", 5_000),
    ];
    assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count)));
}

#[test]
fn nist_data_sets_have_exact_statistics_in_every_order_and_split() {
    for set in data_sets() {
        let values = set.values();
        let expected = Numbers::of(&values);
        let in_file_order = points(&values);
        let bytes = summary(&values).to_bytes();
        for (order, points) in orders(&in_file_order) {
            for size in [1, 2, 7, 64, 4_096, 1_000_000] {
                let name = format!("{}, {order}, in parts of {size}", set.name);
                let all = merged(points.chunks(size));
                assert_exact(&name, &all, &expected);
                assert_eq!(all.to_bytes(), bytes, "{name}");
            }
        }
    }
}

fn orders(points: &[Point]) -> [(&'static str, Vec<Point>); 4] {
    let (mut reversed, mut shuffled, mut ascending) = (points.to_vec(), points.to_vec(), points.to_vec());
    reversed.reverse();
    fastrand::Rng::with_seed(13).shuffle(&mut shuffled);
    ascending.sort_by(|one, other| one.value.total_cmp(&other.value));
    [("in file order", points.to_vec()), ("reversed", reversed), ("shuffled", shuffled), ("ascending", ascending)]
}

/// The certified results belong to the decimals, and are rounded to 15 digits. The product computes with the nearest doubles. So a
/// result may differ from the certified one by half a unit of its last digit, by its own rounding, and by the distance of the doubles
/// from the decimals: the mean by at most the largest of these distances, the deviation by their root mean square with n - 1, by the
/// triangle inequality. No further tolerance is granted.
#[test]
fn nist_data_sets_have_their_certified_statistics() {
    for set in data_sets() {
        let values = set.values();
        let all = summary(&values);
        let distances = || {
            set.decimals.iter().zip(&values).map(|(text, value)| {
                let distance = exact(*value) - decimal(text);
                if distance < decimal("0") { -distance } else { distance }
            })
        };
        let largest = distances().max().unwrap();
        let own_rounding = |result: f64| exact(f64::from_bits(result.to_bits() + 1) - result) / decimal("2");
        let rows = [
            ("mean", all.mean(), &set.mean, 1),
            // The root mean square is at most the largest distance times the root of n / (n - 1), which is below 2.
            ("standard deviation", all.standard_deviation().unwrap(), &set.standard_deviation, 2),
        ];
        for (number, found, certified, factor) in rows {
            // NIST gives 1 or 0.1 where the result is exact.
            let half_a_digit = if certified.len() < 15 { decimal("0") } else { half_of_the_last_digit(certified) };
            let allowed = half_a_digit + own_rounding(found.abs()) + &largest * decimal(&factor.to_string());
            let error = exact(found) - decimal(certified);
            let error = if error < decimal("0") { -error } else { error };
            assert!(error <= allowed, "{}: the {number} is {found}, not {certified}", set.name);
        }
    }
}

fn half_of_the_last_digit(decimal_text: &str) -> num_rational::BigRational {
    let places = decimal_text.split_once('.').map_or(0, |(_, part)| part.len());
    decimal(&format!("5e-{}", places + 1))
}
